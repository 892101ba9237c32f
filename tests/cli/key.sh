#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weir limiter check, peek, refund, strike, forgive, forget, show NAME KEY

. "$(dirname "$0")/lib.sh"

# The rates are so slow that no token comes back during the test.
weir limiter create cli.ip --rate 2/100d --key ip --strikes 3 --within 1d --ban 2h,4h
weir limiter create cli.none --rate 3/100d
weir limiter create cli.u64 --rate 3/100d --key u64
weir limiter create cli.text --rate 3/100d --key text
weir limiter create cli.small --rate 3/100d --key u64 --max-keys 1
weir limiter create cli.lax --rate 3/100d --key u64 --max-keys 1 --when-full allow

prints 'allowed, 2 of 2 left' limiter peek cli.ip 192.0.2.7
prints 'allowed, 1 of 2 left' limiter check cli.ip 192.0.2.7
run weir limiter check cli.ip 192.0.2.7 --json
status_is 0 'check --json succeeds'
json_is 'del(.reset_after_ns)' '{"name":"cli.ip","key":"192.0.2.7","verdict":"allowed","limit":2,"remaining":0,"retry_after_ns":0,"banned_for_ns":0,"strikes":0,"bans":0,"banned_now":false,"untracked":false,"rule":false,"shadow":false,"queued":false,"candidate_differs":false}' 'allowed, in JSON'
json_is '.reset_after_ns > 99 * 86400 * 1000000000' true 'all tokens are back in 100 days'
answers 1 'limited, try again in 50d' limiter peek cli.ip 192.0.2.7
run weir limiter check cli.ip 192.0.2.7 --json
status_is 1 'limited is status 1'
json_is '[.verdict, .strikes, .retry_after_ns > 0]' '["limited",1,true]' 'limited, in JSON'
answers 1 'limited, try again in 50d, 2 strikes' limiter check cli.ip 192.0.2.7
run weir limiter check cli.ip 192.0.2.7
status_is 1 'banned is status 1'
output_like '^banned for (2h|1h59m), from now on$' 'the third strike bans'
run weir limiter peek cli.ip 192.0.2.7 --json
json_is '[.verdict, .bans, .banned_now, .banned_for_ns > 3600000000000]' '["banned",1,false,true]' 'banned, in JSON'
run weir limiter show cli.ip 192.0.2.7
status_is 0 'show of a banned key has status 0'
output_like $'^banned for (2h|1h59m)\nwhy ' 'show of a banned key begins as peek does'

run weir limiter check cli.ip 192.0.2.8 --cost 3 --json
status_is 2 'a cost above the limit is an error'
stderr_is "weir: limiter 'cli.ip': --cost 3 is never allowed: the limit is 2" 'the message for a cost above the limit'
json_is '.retry_after_ns' null 'retry_after_ns is null for never'
refuses "limiter 'cli.ip': --cost 3 is never allowed: the limit is 2" limiter peek cli.ip 192.0.2.9 --cost 3
prints 'allowed, 0 of 2 left' limiter check cli.ip --cost 2 192.0.2.9
prints 'allowed, 1 of 2 left' limiter refund cli.ip 192.0.2.9 1
prints 'allowed, 2 of 2 left' limiter refund cli.ip 192.0.2.9 100
prints 'allowed, 2 of 2 left, 1 strike' limiter strike cli.ip 192.0.2.9
prints 'allowed, 2 of 2 left, 2 strikes' limiter strike cli.ip 192.0.2.9 1
prints '' limiter forgive cli.ip 192.0.2.9
prints 'allowed, 2 of 2 left' limiter peek cli.ip 192.0.2.9
run weir limiter strike cli.ip 192.0.2.9 3 --json
json_is '[.verdict, .banned_now, .bans]' '["banned",true,1]' 'three strikes at once'
prints '' limiter forget cli.ip 192.0.2.9
answers 1 "weir: limiter 'cli.ip': key '192.0.2.9': no such entry" limiter forget cli.ip 192.0.2.9
answers 1 "weir: limiter 'cli.ip': key '192.0.2.99': no such entry" limiter forgive cli.ip 192.0.2.99

# Keys of every type, and unusual keys.
prints 'allowed, 1 of 2 left' limiter check cli.ip 2001:db8:1:2:3::1
prints 'allowed, 1 of 2 left' limiter peek cli.ip 2001:DB8:1:2::2
prints 'allowed, 1 of 2 left' limiter check cli.ip ::ffff:198.51.100.1
prints 'allowed, 1 of 2 left' limiter peek cli.ip 198.51.100.1
prints 'allowed, 2 of 3 left' limiter check cli.none
prints 'allowed, 3 of 3 left' limiter refund cli.none 1
prints 'allowed, 3 of 3 left, 1 strike' limiter strike cli.none
prints '' limiter forget cli.none
prints 'allowed, 2 of 3 left' limiter check cli.u64 18446744073709551615
run weir limiter peek cli.u64 18446744073709551615 --json
json_is .key '"18446744073709551615"' 'the largest number, exactly'
prints 'allowed, 2 of 3 left' limiter check cli.text -x
prints 'allowed, 2 of 3 left' limiter check cli.text -- --json
prints 'allowed, 2 of 3 left' limiter check cli.text -
prints 'allowed, 2 of 3 left' limiter check cli.text 'two words'
prints 'allowed, 2 of 3 left' limiter check cli.text "$(printf '%0255d' 0)"
run weir limiter peek cli.text -- --json
status_is 0 'a key that looks like an option is accepted after --'
output_is 'allowed, 2 of 3 left' 'a word after -- is a key'

# Caps
prints 'allowed, 2 of 3 left' limiter check cli.small 1
answers 1 'full, all keys are in use' limiter check cli.small 2
refuses "limiter 'cli.small': key '2': no room for a new key" limiter strike cli.small 2
prints 'allowed, 2 of 3 left' limiter check cli.lax 1
prints 'allowed, not tracked: all keys are in use' limiter check cli.lax 2
run weir limiter check cli.lax 2 --json
json_is .untracked true 'untracked, in JSON'

# refused command lines
refuses "key 'bob': not an IPv4 or IPv6 address" limiter check cli.ip bob
refuses "key '-1': not a number from 0 to 2^64-1" limiter check cli.u64 -1
refuses "key '18446744073709551616': not a number from 0 to 2^64-1" limiter check cli.u64 18446744073709551616
refuses "key '': must have 1 to 255 bytes" limiter check cli.text ''
refuses "key '$(printf '%0256d' 0)': must have 1 to 255 bytes" limiter check cli.text "$(printf '%0256d' 0)"
refuses "key '\\x1b[31mx': not an IPv4 or IPv6 address" limiter check cli.ip $'\e[31mx'
refuses 'a key is missing: the limiter has keys of type ip' limiter check cli.ip
refuses "key '1': the limiter has no keys" limiter check cli.none 1
refuses 'limiter refund: the limiter has no keys; expected NAME N' limiter refund cli.none 1 1
refuses 'limiter strike: the limiter has no keys; expected NAME [N]' limiter strike cli.none 1 1
refuses "key '192.0.2.0/24': not a single address; for blocks see 'weir limiter deny'" limiter check cli.ip 192.0.2.0/24
refuses "--cost '0': must be from 1 to 4294967295" limiter check cli.none --cost 0
refuses "--cost 'x': not a whole number" limiter peek cli.none --cost=x
refuses "N '0': must be from 1 to 4294967295" limiter refund cli.ip 192.0.2.7 0
refuses "N '1048577': must be from 1 to 1048576" limiter strike cli.ip 192.0.2.7 1048577
refuses "limiter 'cli.gone': no such object" limiter check cli.gone 1

end_tests
