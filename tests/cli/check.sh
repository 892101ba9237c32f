#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weir check

. "$(dirname "$0")/lib.sh"

weir limiter create cli.none --rate 2/100d
weir limiter create cli.ip --rate 2/100d --key ip
weir limiter create cli.text --rate 2/100d --key text

prints 'allowed, 1 of 2 left' check cli.none
prints 'allowed, 1 of 2 left' check cli.ip:2001:db8::7
prints 'allowed, 0 of 2 left' check cli.ip:2001:db8::8
answers 1 'limited, try again in 50d' check cli.ip:2001:db8::9
prints 'allowed, 1 of 2 left' check cli.ip:::1
prints 'allowed, 1 of 2 left' check cli.text:a:b
prints 'allowed, 1 of 2 left' check cli.text::
prints 'allowed, 1 of 2 left' check cli.text:-x
prints 'allowed, 0 of 2 left' check --cost 2 cli.text:c
run weir check cli.text:a:b --json
status_is 0 'check --json succeeds'
json_is 'del(.reset_after_ns)' '{"name":"cli.text","key":"a:b","verdict":"allowed","limit":2,"remaining":0,"retry_after_ns":0,"banned_for_ns":0,"strikes":0,"bans":0,"banned_now":false,"untracked":false,"rule":false,"shadow":false,"queued":false,"candidate_differs":false}' 'every member'
run weir check cli.none --json
json_is .key null 'a limiter without keys: the key is null'

# several checks: all or none
weir limiter create cli.user --rate 3/100d --key text --strikes 2 --within 10m --ban 100d
weir limiter create cli.all --rate 5/100d
prints $'cli.user:ann: allowed, 2 of 3 left\ncli.all: allowed, 4 of 5 left' check cli.user:ann cli.all
prints $'cli.user:ann: allowed, 0 of 3 left\ncli.all: allowed, 2 of 5 left' check --cost 2 cli.user:ann cli.all
answers 1 'cli.user:ann: limited, try again in 33d8h, 1 strike' check cli.all cli.user:ann
prints 'allowed, 2 of 5 left' limiter peek cli.all
run weir check cli.all cli.user:ann cli.user:bob --json
status_is 1 'a ban decides'
json_is '[.verdict, .decided, (.checks[] | [.name, .key, .verdict, .remaining, .strikes, .banned_now])]' '["banned",1,["cli.all",null,"banned",2,0,false],["cli.user","ann","banned",0,0,true],["cli.user","bob","banned",3,0,false]]' 'every check tells of its own key'
run weir check cli.all cli.user:bob --json
json_is '[.verdict, .decided, (.checks | length)]' '["allowed",null,2]' 'if all are allowed, "decided" is null'
refuses "limiter 'cli.all': --cost 6 is never allowed: the limit is 5" check --cost 6 cli.all cli.ip:::1
refuses "limiter 'cli.gone': no such object" check cli.all cli.gone
refuses 'check: at most 16 at a time' check cli.all cli.all cli.all cli.all cli.all cli.all cli.all cli.all cli.all cli.all cli.all cli.all cli.all cli.all cli.all cli.all cli.all
prints 'allowed, 1 of 5 left' limiter peek cli.all

# waiting
weir limiter create cli.fast --rate 10/s --burst 1 --queue-max 5
prints 'allowed, 0 of 1 left' check cli.fast
prints 'allowed, 0 of 1 left' check --wait 10s cli.fast
prints 'allowed, 0 of 1 left' limiter check --wait 10s cli.fast
answers 1 'limited, try again in 50d' check --wait 10s cli.ip:2001:db8::9
refuses "limiter 'cli.fast': --cost 2 is never allowed: the limit is 1" check --wait 10s --cost 2 cli.fast
run timeout --signal INT 1 weir check --wait 90d cli.ip:2001:db8::9
status_is 124 'Ctrl-C ends the wait'
answers 1 'limited, try again in 50d' check cli.ip:2001:db8::9
weir limiter create cli.wait --rate 1/d --key text
weir ban add cli.wait bob 1d
weir check --wait 2d cli.wait:bob > "$work/waited" &
while [[ $(weir limiter peek cli.wait bob --json | jq .remaining) != 0 ]]; do :; done
weir ban lift cli.wait bob
wait $!
run cat "$work/waited"
output_is 'allowed, 0 of 1 left' 'a lift lets a waiter in'
refuses 'check: --wait takes one NAME[:KEY]' check --wait 1s cli.fast cli.none
refuses "--wait 'x': not a duration such as 250ms, 5s, 10m, 24h or 1h30m" check --wait x cli.fast

refuses "limiter 'cli.none': has no keys, but a key is given" check cli.none:x
refuses "limiter 'cli.none': has no keys, but a key is given" check cli.none:
refuses "limiter 'cli.ip': a key is missing: cli.ip:KEY" check cli.ip
refuses "key '': must have 1 to 255 bytes" check cli.text:
refuses "key 'x': not an IPv4 or IPv6 address" check cli.ip:x
refuses "limiter 'cli.gone': no such object" check cli.gone:1
refuses "limiter '': not a name: 1 to 63 of A-Z a-z 0-9 . _ -, first a letter or digit" check :x
refuses 'check: too few arguments: expected NAME[:KEY]...' check
refuses "--cost '4294967296': must be from 1 to 4294967295" check cli.none --cost 4294967296

end_tests
