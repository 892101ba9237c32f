#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weir limiter allow, deny, unlist, rules; --shadow

. "$(dirname "$0")/lib.sh"

weir limiter create cli.ip --rate 2/100d --key ip
weir limiter create cli.text --rate 2/100d --key text

prints '' limiter rules cli.ip
prints '' limiter allow cli.ip 192.0.2.0/24 2001:db8::1
prints '' limiter deny cli.ip 192.0.2.128/25 ::ffff:198.51.100.0/120
prints $'allow  192.0.2.0/24\ndeny   192.0.2.128/25\ndeny   198.51.100.0/24\nallow  2001:db8::1' limiter rules cli.ip
prints 'allowed, by a rule' check --cost 100 cli.ip:192.0.2.1
answers 1 'banned, by a rule' check cli.ip:192.0.2.129
run weir check cli.ip:198.51.100.7 --json
status_is 1 'a denied address is refused'
json_is '[.verdict, .rule, .banned_for_ns, .retry_after_ns]' '["banned",true,null,null]' 'a denied address is banned for ever, in JSON'
prints 'allowed, 1 of 2 left' check cli.ip:192.0.3.1
run weir limiter rules cli.ip --json
json_is '.[1]' '{"action":"deny","block":"192.0.2.128/25"}' 'rules in JSON'
prints '' limiter unlist cli.ip 192.0.2.128/25
prints 'allowed, by a rule' check cli.ip:192.0.2.129
answers 1 "weir: limiter 'cli.ip': no such block; nothing was changed" limiter unlist cli.ip 192.0.2.0/24 10.0.0.0/8
prints 'allowed, by a rule' check cli.ip:192.0.2.129

weir ban add cli.ip 203.0.113.9 1d
weir limiter deny cli.ip - <<'IN'
# a file of them
10.0.0.0/8 	# a comment
10.1.0.0/16 172.16.0.0/12

IN
prints '' limiter allow cli.ip 203.0.113.0/24
run weir ban list cli.ip --json
json_is . '[]' 'allow lifts a present ban'
answers 1 'banned, by a rule' check cli.ip:172.16.255.255
run weir limiter rules cli.ip
output_like 'deny   10.1.0.0/16' 'deny - reads blocks from standard input'

refuses "'192.0.2.7/24': has bits set beyond its prefix; the block is 192.0.2.0/24" limiter allow cli.ip 192.0.2.7/24
refuses "'10.0.0.1/8': has bits set beyond its prefix; the block is 10.0.0.0/8" limiter deny cli.ip 10.0.0.1/8
refuses "'2001:db8::7/32': has bits set beyond its prefix; the block is 2001:db8::/32" limiter deny cli.ip 2001:db8::7/32
refuses "'192.0.2.0/33': not an address or block such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32" limiter deny cli.ip 192.0.2.0/33
refuses "'x': not an address or block such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32" limiter deny cli.ip x
refuses "limiter 'cli.text': its keys are not addresses; see --key ip" limiter deny cli.text 10.0.0.0/8
refuses "limiter 'cli.gone': no such object" limiter deny cli.gone 10.0.0.0/8

# shadow
weir limiter create cli.shadow --rate 1/100d --shadow
prints 'allowed, 0 of 1 left' check cli.shadow
prints 'allowed, 0 of 1 left; in shadow mode, else limited' check cli.shadow
run weir limiter show cli.shadow
output_like 'shadow     every check is allowed, whatever the decision' 'show mentions shadow mode'
output_like 'limited    1' 'show counts the real decisions'
prints '' limiter set cli.shadow --shadow off
answers 1 'limited, try again in 100d' check cli.shadow
prints '' limiter set cli.shadow --shadow on
run weir check cli.shadow --json
json_is '[.verdict, .shadow]' '["allowed",true]' 'JSON has "shadow"'
refuses "--shadow 'x': must be on or off" limiter set cli.shadow --shadow x

end_tests
