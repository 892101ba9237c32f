#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weir ban

. "$(dirname "$0")/lib.sh"

weir limiter create cli.ip --rate 5/m --key ip
weir limiter create cli.none --rate 5/m
weir limiter create cli.small --rate 5/m --key text --max-keys 1

prints '[]' ban list cli.ip --json
prints 'banned for 2h' ban add cli.ip 192.0.2.7 2h
run weir ban add cli.ip 192.0.2.7 1h
output_like '^banned for (2h|1h59m)$' 'a ban is never shortened'
prints 'banned for 1d' ban add cli.ip 192.0.2.7 24h
run weir ban add cli.ip 192.0.2.8 3650d --json
status_is 0 'ban add --json succeeds'
json_is '[.name, .key, .verdict, .banned_for_ns, .banned_now]' '["cli.ip","192.0.2.8","banned",315360000000000000,true]' 'ban add, in JSON'
run weir check cli.ip:192.0.2.7
status_is 1 'a banned key is refused'
run weir ban list cli.ip --json
json_is '[.[].key] | sort' '["192.0.2.7","192.0.2.8"]' 'ban list'
run weir ban list cli.ip
output_like '(1d|23h59m)  192\.0\.2\.7' 'ban list, as text'
prints '' ban lift cli.ip 192.0.2.7
answers 1 "weir: limiter 'cli.ip': key '192.0.2.7': is not banned" ban lift cli.ip 192.0.2.7
answers 1 "weir: limiter 'cli.ip': key '192.0.2.99': is not banned" ban lift cli.ip 192.0.2.99
prints 'allowed, 4 of 5 left' check cli.ip:192.0.2.7
refuses 'ban add: the duration is missing, as in: weir ban add cli.ip 192.0.2.1 1h' ban add cli.ip 192.0.2.1
refuses "key '198.51.100.0/24': not a single address; for blocks see 'weir limiter deny'" ban add cli.ip 198.51.100.0/24 1h
prints 'banned for 10m' ban add cli.none 10m
prints '' ban lift cli.none
answers 1 "weir: limiter 'cli.none': is not banned" ban lift cli.none

# A ban ends by itself.
weir ban add cli.ip 192.0.2.50 1ms >/dev/null
prints 'allowed, 4 of 5 left' check cli.ip:192.0.2.50

prints 'banned for 1h' ban add cli.small -x 1h
refuses "limiter 'cli.small': key 'y': no room for a new key" ban add cli.small y 1h
refuses "T '10': not a duration such as 250ms, 5s, 10m, 24h or 1h30m" ban add cli.ip 192.0.2.7 10
refuses "T '0s': must be from 1ns to 3650d" ban add cli.ip 192.0.2.7 0s
refuses "T '3651d': must be from 1ns to 3650d" ban add cli.ip 192.0.2.7 3651d
refuses "T '-5s': not a duration such as 250ms, 5s, 10m, 24h or 1h30m" ban add cli.ip 192.0.2.7 -5s
refuses 'a key is missing: the limiter has keys of type ip' ban add cli.ip 10m
refuses 'ban add: the limiter has no keys; expected NAME T' ban add cli.none x 10m
refuses "key 'x': not an IPv4 or IPv6 address" ban lift cli.ip x
refuses "limiter 'cli.gone': no such object" ban list cli.gone
refuses "ban: no such verb: 'remove'" ban remove cli.ip 192.0.2.7

end_tests
