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
json_is 'del(.reset_after_ns)' '{"name":"cli.text","key":"a:b","verdict":"allowed","limit":2,"remaining":0,"retry_after_ns":0,"banned_for_ns":0,"strikes":0,"bans":0,"banned_now":false,"untracked":false}' 'every member'
run weir check cli.none --json
json_is .key null 'no key is null'

refuses 'check: only one NAME[:KEY] at a time in this version' check cli.none cli.ip:::1
refuses "limiter 'cli.none': has no keys, but a key is given" check cli.none:x
refuses "limiter 'cli.none': has no keys, but a key is given" check cli.none:
refuses "limiter 'cli.ip': a key is missing: cli.ip:KEY" check cli.ip
refuses "key '': must have 1 to 255 bytes" check cli.text:
refuses "key 'x': not an IPv4 or IPv6 address" check cli.ip:x
refuses "limiter 'cli.gone': no such object" check cli.gone:1
refuses "limiter '': not a name: 1 to 63 of A-Z a-z 0-9 . _ -, first a letter or digit" check :x
refuses 'check: too few arguments: wants NAME[:KEY]' check
refuses "--cost '4294967296': must be from 1 to 4294967295" check cli.none --cost 4294967296

end_tests
