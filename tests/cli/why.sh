#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weir limiter show NAME KEY: the answer that the next check would get, and why

. "$(dirname "$0")/lib.sh"

# explains REGEX ARGUMENT...: status 0, and output that matches
explains() {
	local wanted=$1

	shift
	run weir limiter show "$@"
	slurp "$work/out"
	((status == 0)) && [[ $text =~ ^$wanted$ ]]
	result $? "$command" <<<"wanted: $wanted"
}

# tells JSON ARGUMENT...: verdict, reason, and members about strikes, in JSON
tells() {
	local wanted=$1

	shift
	run weir limiter show "$@" --json
	json_is '[.verdict, .reason, .would_be, .strikes_to_ban, .next_ban_ns]' "$wanted" "$command"
}

hour=3600000000000
stamp='[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}'

# The rates are so slow that no token comes back during the test.
weir limiter create cli.ip --rate 4/100d --key ip --strikes 3 --within 1d --ban 2h,4h
weir limiter create cli.one --rate 4/100d
weir limiter create cli.small --rate 4/100d --key u64 --max-keys 1
weir limiter create cli.lax --rate 4/100d --key u64 --max-keys 1 --when-full allow
weir limiter create cli.shadow --rate 4/100d --key ip --strikes 9 --within 1d --ban 2h --max-keys 1 --shadow

# tokens
prints 'allowed, 4 of 4 left
why        its cost of 1 fits
tokens     4 of 4 left
strikes    0 of 3, 3 more make a ban
ladder     no ban by strikes so far; the next lasts 2h' limiter show cli.ip 192.0.2.1
tells '["allowed","fits","allowed",3,'$((2 * hour))']' cli.ip 192.0.2.1
weir limiter check cli.ip 192.0.2.1 --cost 3 >/dev/null
explains 'allowed, 1 of 4 left
why        its cost of 1 fits
tokens     1 of 4 left, all in 75d
strikes .*
ladder .*' cli.ip 192.0.2.1
explains 'limited, try again in 25d
why        it costs 2, and 1 of 4 tokens are left
tokens     1 of 4 left, 2 in 25d, all in 75d
strikes .*
ladder .*' cli.ip 192.0.2.1 --cost 2
tells '["limited","tokens","limited",3,'$((2 * hour))']' cli.ip 192.0.2.1 --cost 2
run weir limiter show cli.ip 192.0.2.1 --cost 2 --json
json_is '[.name, .key, .cost, .remaining, .limit, .retry_after_ns > 0]' '["cli.ip","192.0.2.1",2,1,4,true]' 'JSON has the members of an answer'
explains 'limited, and always: the limit is 4
why        it costs 5, and the limit is 4
tokens     1 of 4 left, all in 75d
strikes .*
ladder .*' cli.ip 192.0.2.1 --cost 5
tells '["limited","cost","limited",3,'$((2 * hour))']' cli.ip 192.0.2.1 --cost 5

# show charges nothing and causes no strike.
prints 'allowed, 1 of 4 left' limiter peek cli.ip 192.0.2.1
run weir limiter show cli.ip --json
json_is '.stats | [.allowed, .limited, .strikes, .keys]' '[1,0,0,1]' 'show charges and counts nothing'

# strikes, a ban, the ladder
weir limiter strike cli.ip 192.0.2.1 2 >/dev/null
explains 'allowed, 1 of 4 left, 2 strikes
.*
strikes    2 of 3, 1 more makes a ban
ladder     no ban .*' cli.ip 192.0.2.1
weir limiter strike cli.ip 192.0.2.1 >/dev/null
explains "banned for (2h|1h59m)
why        it is banned until $stamp
tokens     1 of 4 left, all in 75d
strikes    0 of 3; they count again after the ban, and 3 make the next one
ladder     step 1 of 2, after 1 ban by strikes; the next lasts 4h, or 2h if more than 4h after the last" cli.ip 192.0.2.1
tells '["banned","ban","banned",3,'$((4 * hour))']' cli.ip 192.0.2.1
explains 'banned .*
tokens     1 of 4 left, 2 in 25d, all in 75d
.*' cli.ip 192.0.2.1 --cost 2
weir ban lift cli.ip 192.0.2.1
explains 'allowed, 1 of 4 left
.*
ladder     step 1 of 2, after 1 ban by strikes; .*' cli.ip 192.0.2.1
for _ in 2 3; do
	weir limiter strike cli.ip 192.0.2.1 3 >/dev/null
	weir ban lift cli.ip 192.0.2.1
done
explains '.*
ladder     step 2 of 2, after 3 bans by strikes; the next lasts 4h, or 2h .*' cli.ip 192.0.2.1
weir ban add cli.ip 192.0.2.2 1d >/dev/null
explains "banned for (1d|23h59m)
why        it is banned until $stamp
tokens     4 of 4 left
strikes .*
ladder     no ban by strikes so far; the next lasts 2h" cli.ip 192.0.2.2
# --strikes is lowered to the strikes of the key: the next strike bans
weir limiter strike cli.ip 192.0.2.3 2 >/dev/null
weir limiter set cli.ip --strikes 2
tells '["allowed","fits","allowed",1,'$((2 * hour))']' cli.ip 192.0.2.3
weir limiter set cli.ip --strikes 0
prints 'allowed, 4 of 4 left, 2 strikes
why        its cost of 1 fits
tokens     4 of 4 left' limiter show cli.ip 192.0.2.3
tells '["allowed","fits","allowed",null,null]' cli.ip 192.0.2.3

# rules
weir limiter allow cli.ip 198.51.100.0/24
weir limiter deny cli.ip 198.51.100.66
prints 'allowed, by a rule
why        a rule allows its address' limiter show cli.ip 198.51.100.1
tells '["allowed","allow-rule","allowed",null,null]' cli.ip 198.51.100.1
prints 'banned, by a rule
why        a rule denies its address' limiter show cli.ip 198.51.100.66
tells '["banned","deny-rule","banned",null,null]' cli.ip 198.51.100.66

# the queue
weir limiter check cli.one --cost 4 >/dev/null
weir check --wait 100d cli.one >/dev/null &
until [[ $(weir limiter peek cli.one --json | jq .queued) == true ]]; do :; done
explains 'limited, try again in 50d
why        others wait for its tokens, and come first
queue      its turn comes in 50d' cli.one --cost 1
tells '["limited","queue","limited",null,null]' cli.one --cost 1
tells '["limited","cost","limited",null,null]' cli.one --cost 5
weir limiter refund cli.one 1 >/dev/null
wait $!
explains 'limited, try again in 25d
why        it costs 1, and 0 of 4 tokens are left
tokens     0 of 4 left, 1 in 25d, all in 100d' cli.one --cost 1
run weir limiter show cli.one
output_like '^rate       4/100d, burst 4, bucket' 'without --cost show shows the limiter'

# a full table
weir limiter check cli.small 1 >/dev/null
weir limiter check cli.lax 1 >/dev/null
prints 'full, all keys are in use
why        it is a new key, and all are in use: max-keys is 1' limiter show cli.small 2
tells '["full","full","full",null,null]' cli.small 2
prints 'allowed, not tracked: all keys are in use
why        it is a new key, and all are in use: max-keys is 1' limiter show cli.lax 2
tells '["allowed","untracked","allowed",null,null]' cli.lax 2
tells '["limited","cost","limited",null,null]' cli.lax 2 --cost 5
explains 'allowed, 3 of 4 left
.*' cli.lax 1

# shadow mode, with each of the reasons
weir limiter check cli.shadow 192.0.2.1 --cost 4 >/dev/null
explains 'allowed, 0 of 4 left; in shadow mode, else limited
why        shadow mode allows all; but it costs 1, and 0 of 4 tokens are left
tokens     0 of 4 left, 1 in 25d, all in 100d
strikes    0 of 9, 9 more make a ban
ladder .*' cli.shadow 192.0.2.1
tells '["allowed","tokens","limited",9,'$((2 * hour))']' cli.shadow 192.0.2.1
tells '["allowed","cost","limited",9,'$((2 * hour))']' cli.shadow 192.0.2.1 --cost 5
tells '["allowed","full","full",9,'$((2 * hour))']' cli.shadow 192.0.2.2
prints 'allowed, 0 of 4 left; in shadow mode, else full' limiter peek cli.shadow 192.0.2.2
weir ban add cli.shadow 192.0.2.1 1d >/dev/null
tells '["allowed","ban","banned",9,'$((2 * hour))']' cli.shadow 192.0.2.1
weir limiter deny cli.shadow 192.0.2.9
prints 'allowed; in shadow mode, else banned by a rule
why        shadow mode allows all; but a rule denies its address' limiter show cli.shadow 192.0.2.9
tells '["allowed","deny-rule","banned",null,null]' cli.shadow 192.0.2.9
weir limiter set cli.shadow --shadow off
explains 'banned .*' cli.shadow 192.0.2.1

refuses 'a key is missing: the limiter has keys of type ip' limiter show cli.ip --cost 1
refuses "key '1': the limiter has no keys" limiter show cli.one 1
refuses "key 'x': not an IPv4 or IPv6 address" limiter show cli.ip x
refuses "--cost '0': must be from 1 to 4294967295" limiter show cli.one --cost 0

end_tests
