#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weir breaker

. "$(dirname "$0")/lib.sh"

# ---------------------------------------------------------------- create, show
stats0='"stats":{"keys":0,"allowed":0,"rejected":0,"succeeded":0,"failed":0,"late":0,"lost":0,"opened":0,"full":0}'
prints '' breaker create cli.plain --failures 3 --within 1h --open 1d
run weir breaker show cli.plain --json
json_is . '{"name":"cli.plain","failures":3,"percent":null,"minimum":null,"within_ns":3600000000000,"open_ns":[86400000000000],"probes":1,"successes":1,"forget_after_ns":0,"probe_within_ns":60000000000,"lapse_ns":null,"slow_ns":null,"key_type":"none","prefix4":null,"prefix6":null,"max_keys":1,"state":"closed","now":{"left_ns":null,"step":0,"calls":null,"failures":0,"admitted":null,"succeeded":null},'"$stats0"'}' 'the defaults'
prints 'state      closed, 0 of 3 failures
opens      at 3 failures within 1h, for 1d
probes     1, 1 of them must succeed, within 1m
keys       none, 0 of 1 in use
allowed    0
rejected   0
reported   0 succeeded, 0 failed, 0 too late
lost       0 probes whose holder was gone
opened     0
full       0' breaker show cli.plain
prints '' breaker create cli.ip --percent=50 --minimum 4 --within 10s --open 5s,1m,10m --probes 3 --successes 2 --forget-after 1h --probe-within never --lapse 1d --slow 2s --key ip --prefix 24,56 --max-keys 100 --mode 0600 --group root
run weir breaker show cli.ip --json
json_is . '{"name":"cli.ip","failures":null,"percent":50,"minimum":4,"within_ns":10000000000,"open_ns":[5000000000,60000000000,600000000000],"probes":3,"successes":2,"forget_after_ns":3600000000000,"probe_within_ns":null,"lapse_ns":86400000000000,"slow_ns":2000000000,"key_type":"ip","prefix4":24,"prefix6":56,"max_keys":100,"state":null,"now":null,'"$stats0"'}' 'every option arrives'
prints 'opens      if 50% of 4 calls or more failed within 10s, for 5s,1m,10m, forgotten after 1h
probes     3, 2 of them must succeed
lapses     after 1d half-open without a call
slow       above 2s, which is a failure
keys       ip/24,56, 0 of 100 in use
allowed    0
rejected   0
reported   0 succeeded, 0 failed, 0 too late
lost       0 probes whose holder was gone
opened     0
full       0' breaker show cli.ip
prints 'closed, 0 of 0 calls failed; the next time it opens for 5s' breaker show cli.ip 192.0.2.7
run weir breaker show cli.ip 2001:db8::7 --json
json_is . '{"name":"cli.ip","key":"2001:db8::7","state":"closed","now":{"left_ns":null,"step":0,"calls":0,"failures":0,"admitted":null,"succeeded":null}}' 'a key, in JSON'
prints "breaker 'cli.plain' existed; nothing was made" breaker create cli.plain --failures 9 --within 1s --open 1s --existing-ok
run weir breaker show cli.plain --json
json_is .failures 3 '--existing-ok changes nothing of an existing breaker'
run weir list breaker --json
json_is '[.[] | select(.name | startswith("cli.")) | [.kind, .name, .type, .mode, .keys]]' '[["breaker","cli.plain",null,"0760",0],["breaker","cli.ip",null,"0600",0]]' 'list shows breakers'

some='--within 1s --open 1s'
# shellcheck disable=SC2086
{
	refuses "breaker 'cli.plain': exists already" breaker create cli.plain --failures 1 $some
	refuses 'breaker create: --failures is missing' breaker create cli.x $some
	refuses 'breaker create: --within is missing' breaker create cli.x --failures 1 --open 1s
	refuses 'breaker create: --open is missing' breaker create cli.x --percent 1 --within 1s
	refuses '--percent: not with --failures' breaker create cli.x --failures 1 --percent 1 $some
	refuses '--minimum: only with --percent' breaker create cli.x --failures 1 --minimum 1 $some
	refuses "--failures '0': must be from 1 to 65535" breaker create cli.x --failures 0 $some
	refuses "--failures '65536': must be from 1 to 65535" breaker create cli.x --failures 65536 $some
	refuses "--percent '101': must be from 1 to 100" breaker create cli.x --percent 101 $some
	refuses "--minimum '1048577': must be from 1 to 1048576" breaker create cli.x --percent 1 --minimum 1048577 $some
	refuses "--within '0s': must be from 1ns to 100d" breaker create cli.x --failures 1 --within 0s --open 1s
	refuses "--open '1': not durations such as 10s,1m,10m" breaker create cli.x --failures 1 --within 1s --open 1
	refuses "--open '1s,0s': must be 1 to 8 durations from 1ns to 3650d" breaker create cli.x --failures 1 --within 1s --open 1s,0s
	refuses "--open '1s,2s,3s,4s,5s,6s,7s,8s,9s': must be 1 to 8 durations from 1ns to 3650d" breaker create cli.x --failures 1 --within 1s --open 1s,2s,3s,4s,5s,6s,7s,8s,9s
	refuses "--probes '0': must be from 1 to 1073741824" breaker create cli.x --failures 1 $some --probes 0
	refuses "--successes '2': must be from 1 to 1" breaker create cli.x --failures 1 $some --successes 2
	refuses "--forget-after 'never': not a duration such as 250ms, 5s, 10m, 24h or 1h30m" breaker create cli.x --failures 1 $some --forget-after never
	refuses "--probe-within '0s': must be from 1ns to 3650d" breaker create cli.x --failures 1 $some --probe-within 0s
	refuses "--lapse '3651d': must be from 1ns to 3650d" breaker create cli.x --failures 1 $some --lapse 3651d
	refuses "--slow '0s': must be from 1ns to 3650d" breaker create cli.x --failures 1 $some --slow 0s
	refuses "--key 'ipv4': must be none, u64, ip or text" breaker create cli.x --failures 1 $some --key ipv4
	refuses '--prefix: only for --key ip' breaker create cli.x --failures 1 $some --prefix 24
	refuses '--max-keys: the breaker has no keys; see --key' breaker create cli.x --failures 1 $some --max-keys 2
}

# ------------------------------------------------------------------ allow, report
prints '' breaker create cli.text --failures 2 --within 1h --open 1h,2h --forget-after 1h --key text --max-keys 2 --probe-within never
run weir breaker allow cli.text ann
output_like '^allowed, ticket [0-9]+$' 'allow prints the ticket'
ticket=$(<"$work/out")
ticket=${ticket##* }
refuses "breaker 'cli.text': key 'ann': no such ticket was given, or there is no probe to report" breaker report cli.text ann ok --ticket 18446744073709551615
prints '' breaker report cli.text ann failed --ticket "$ticket"
prints '' breaker report cli.text ann withdrawn --ticket "$ticket"
prints '' breaker report cli.text ann ok
prints 'closed, 1 of 2 failures; the next time it opens for 1h' breaker show cli.text ann
prints '' breaker report cli.text ann failed
run weir breaker allow cli.text ann --json
status_is 1 'the second failure opens it: allow has status 1'
json_is 'del(.retry_after_ns)' '{"name":"cli.text","key":"ann","verdict":"limited","state":"open","probe":false,"ticket":null}' 'allow of an open key, in JSON'
json_is '.retry_after_ns > 0 and .retry_after_ns <= 3600e9' true 'JSON has the time that is left'
answers 1 "weir: breaker 'cli.text': key 'ann': too late, ignored" breaker report cli.text ann ok --ticket "$ticket"
half_open cli.text ann
run weir breaker allow cli.text ann --json
status_is 0 'half-open: a probe is allowed'
json_is '[.verdict, .state, .probe, .retry_after_ns, (.ticket | type)]' '["allowed","half-open",true,0,"string"]' 'JSON says that the call is a probe'
ticket=$(jq -r .ticket "$work/out")
answers 1 'half-open, all probes are in use' breaker allow cli.text ann
run weir breaker show cli.text ann --json
json_is '[.state, .now]' '["half-open",{"left_ns":null,"step":0,"calls":null,"failures":null,"admitted":1,"succeeded":0}]' 'the probe stays admitted when the process that asked has ended'
prints '' breaker report cli.text ann ok --ticket "$ticket"
prints 'closed, 0 of 2 failures; the next time it opens for 1h' breaker show cli.text ann
half_open cli.text ann
run weir breaker allow cli.text ann
output_like '^allowed as a probe, ticket [0-9]+$' 'allow names a probe, as text'
prints '' breaker report cli.text ann failed
run weir breaker show cli.text ann --json
json_is '[.state, .now.step, .now.failures]' '["open",1,null]' 'a failed probe opens it'
prints '' breaker reset cli.text ann
prints '' breaker trip cli.text bob
answers 1 "weir: breaker 'cli.text': key 'bob': is already open for longer" breaker trip cli.text bob --for 1m
prints '' breaker trip cli.text bob --for ever
prints 'open until it is reset; the next time it opens for 2h' breaker show cli.text bob
answers 1 'open until it is reset' breaker allow cli.text bob

# a full table: a success needs no entry, because a closed key without failures has none
weir breaker report cli.text ann failed
refuses "breaker 'cli.text': key 'third': no room for a new key" breaker trip cli.text third
refuses "breaker 'cli.text': key 'third': no room for a new key" breaker report cli.text third failed
refuses "breaker 'cli.text': key 'third': no room for a new key" breaker reset cli.text third
prints '' breaker report cli.text third ok
is 3 "$(total breaker cli.text full)" 'refused operations are counted as full'

# ------------------------------------------------------------------------- events
from=$(weir status --json | jq .event_next)
weir breaker create cli.e --failures 1 --within 1h --open 1h
weir breaker report cli.e failed
weir breaker trip cli.e --for ever
weir breaker reset cli.e
weir breaker trip cli.text ann --for 2d
weir breaker delete cli.e
run weir events --from "$from"
undated ''
output_is 'created breaker cli.e by root
opened breaker cli.e for 1h
opened breaker cli.e until it is reset
closed breaker cli.e
opened breaker cli.text key ann for 2d
deleted breaker cli.e' 'events, as text'
run weir events --from "$from" --json
undated ''
output_is '{"type":"created","kind":"breaker","name":"cli.e","uid":0}
{"type":"opened","kind":"breaker","name":"cli.e","key":null,"open_for_ns":3600000000000,"step":1}
{"type":"opened","kind":"breaker","name":"cli.e","key":null,"open_for_ns":null,"step":1}
{"type":"closed","kind":"breaker","name":"cli.e","key":null}
{"type":"opened","kind":"breaker","name":"cli.text","key":"ann","open_for_ns":172800000000000,"step":0}
{"type":"deleted","kind":"breaker","name":"cli.e"}' 'events, in JSON'
from=$(weir status --json | jq .event_next)
half_open cli.plain
weir breaker allow cli.plain >"$work/ticket"
weir breaker report cli.plain ok
run weir events --from "$from" --json
jq -c '[.type, .name]' "$work/out" >"$work/types"
cp "$work/types" "$work/out"
output_is '["opened","cli.plain"]
["half-open","cli.plain"]
["closed","cli.plain"]' 'one event for each change of state'

# ------------------------------------------------------------- wrong command lines
refuses "breaker 'cli.text': a key is missing: it has keys of type text" breaker report cli.text ok
refuses "breaker 'cli.plain': has no keys, but 'x' is given" breaker report cli.plain x ok
refuses "'okay': must be ok, failed or withdrawn" breaker report cli.plain okay
refuses "--ticket '0': must be from 1 to 18446744073709551615" breaker report cli.plain ok --ticket 0
refuses "--for '0s': must be from 1ns to 3650d" breaker trip cli.plain --for 0s
refuses "key 'x': not an IPv4 or IPv6 address" breaker allow cli.ip x
for verb in allow trip reset show delete; do
	refuses "breaker 'cli.x': no such object" breaker $verb cli.x
done
refuses "breaker 'cli.x': no such object" breaker report cli.x ok
refuses "breaker '.x': not a name: 1 to 63 of A-Z a-z 0-9 . _ -, first a letter or digit" breaker show .x

# ---------------------------------------------------------------------- delete
prints '' breaker delete cli.plain
refuses "breaker 'cli.plain': no such object" breaker delete cli.plain

end_tests
