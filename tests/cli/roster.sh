#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weir roster; roster_run.sh tests claims with a command

. "$(dirname "$0")/lib.sh"

stats0='"stats":{"members":0,"claimed":0,"refused":0,"replaced":0,"removed":0,"lost":0,"expired":0,"full":0}'

# stat NAME MEMBER: one of its totals
stat() {
	weir roster show "$1" --json | jq ".stats.$2"
}

# denied_is WORDS WHAT: status 1, no output, "weir: roster '...': WORDS", N for the process
denied_is() {
	sed -i "s/process [0-9]* of/process N of/; s/^weir: roster '[^']*':\( key '[^']*':\)\? //" "$work/err"
	all_is 1 '' "$1" "$2"
}

# run_stdin FILE COMMAND...: run COMMAND with FILE as its standard input
run_stdin() {
	local file=$1

	shift
	printf -v command '%q ' "$@"
	"$@" >"$work/out" 2>"$work/err" <"$file"
	status=$?
}

# ------------------------------------------------------------------ create, show
prints '' roster create cli.text --max 3
run weir roster show cli.text --json
json_is . '{"name":"cli.text","max":3,"ttl_ns":null,"key_type":"text","prefix4":null,"prefix6":null,'"$stats0"'}' 'the defaults'
prints '' roster create cli.ip --max=100 --ttl 10d --key ip --prefix 24,56 --mode 0600 --group root
run weir roster show cli.ip --json
json_is . '{"name":"cli.ip","max":100,"ttl_ns":864000000000000,"key_type":"ip","prefix4":24,"prefix6":56,'"$stats0"'}' 'create applies every option'
prints 'leases     0 of 100
ttl        10d
keys       ip/24,56
claimed    0
refused    0
replaced   0
removed    0
lost       0, 0 of them expired
full       0' roster show cli.ip
prints '' roster create cli.none --max 1 --key none --ttl never
run weir roster show cli.none --json
json_is '[.max, .ttl_ns, .key_type]' '[1,null,"none"]' '--ttl never: no time to live'
prints "roster 'cli.text' existed; nothing was made" roster create cli.text --max 9 --existing-ok
run weir roster show cli.text --json
json_is .max 3 '--existing-ok changes nothing of an existing roster'
run weir list roster --json
json_is '[.[] | select(.name | startswith("cli.")) | [.kind, .name, .type, .mode, .keys]]' '[["roster","cli.text",null,"0760",0],["roster","cli.ip",null,"0600",0],["roster","cli.none",null,"0760",0]]' 'list has rosters'
run cat /sys/kernel/weir/rosters/cli.text/max
output_is 3 'sysfs shows rosters'

refuses "roster 'cli.text': exists already" roster create cli.text --max 1
refuses 'roster create: --max is missing' roster create cli.x
refuses "--max '0': must be from 1 to 16777216" roster create cli.x --max 0
refuses "--max '16777217': must be from 1 to 16777216" roster create cli.x --max 16777217
refuses "--max '-1': not a whole number" roster create cli.x --max -1
refuses '--max: without keys there is one lease at most; see --key' roster create cli.x --max 2 --key none
refuses "--ttl '0s': must be from 1ns to 3650d" roster create cli.x --max 1 --ttl 0s
refuses "--ttl '3651d': must be from 1ns to 3650d" roster create cli.x --max 1 --ttl 3651d
refuses "--ttl 'ever': not a duration such as 250ms, 5s, 10m, 24h or 1h30m" roster create cli.x --max 1 --ttl ever
refuses "--key 'ipv4': must be none, u64, ip or text" roster create cli.x --max 1 --key ipv4
refuses '--prefix: only for --key ip' roster create cli.x --max 1 --prefix 24
refuses "roster '.x': not a name: 1 to 63 of A-Z a-z 0-9 . _ -, first a letter or digit" roster create .x --max 1
refuses "roster 'cli.x': no such object" roster show cli.x
run weir list --json
json_is '[.[] | select(.name == "cli.x")]' '[]' 'none of these created a roster'

# ------------------------------------------------------- claim: detached, without a command
answers 1 "weir: roster 'cli.text': key 'ann': there is no lease" roster get cli.text ann
prints 'version 1, until it is removed' roster claim cli.text ann first
prints first roster get cli.text ann
run weir roster claim cli.text ann second
denied_is "detached, set by process N of root" 'a second claim is refused and names the owner'
prints first roster get cli.text ann
run weir roster claim cli.text ann --json
status_is 1 'a refused claim with --json has status 1'
json_is '[.name, .key, .done, .reason, (.lease | .version, .left_ns, .detached, .uid, .pid > 0)]' \
	'["cli.text","ann",false,"held",1,null,true,0,true]' 'JSON describes the existing lease'
prints 'version 2, 1d left' roster claim cli.text bob --ttl 1d
run weir roster claim cli.text bob
denied_is "detached, set by process N of root, 1d left" 'a refused claim prints the time that is left'
run weir roster claim cli.ip 192.0.2.7 where --json
json_is '[.done, .reason, (.lease | .detached, .left_ns <= 864000000000000, .left_ns > 863000000000000)]' \
	'[true,null,true,true,true]' 'the default TTL is that of the roster'
prints where roster get cli.ip 192.0.2.200
prints 'version 2, until it is removed' roster claim cli.ip 2001:db8::7 --ttl never
prints 'version 1, until it is removed' roster claim cli.none value
prints value roster get cli.none
run weir roster claim cli.none other
denied_is "detached, set by process N of root" 'a roster without keys has one lease'

# concurrent claims of one key: one succeeds
for i in {1..20}; do
	weir roster claim cli.text race "$i" >>"$work/race" 2>/dev/null &
	racers[i]=$!
done
wins=0 losses=0
for i in {1..20}; do
	wait "${racers[i]}"
	case $? in
	0) wins=$((wins + 1)) winner=$i ;;
	1) losses=$((losses + 1)) ;;
	esac
done
is '1 19' "$wins $losses" 'of twenty concurrent claims exactly one succeeds'
prints "$winner" roster get cli.text race

# the roster is full
answers 1 "weir: roster 'cli.text': key 'dora': full, there is no room for another lease" roster claim cli.text dora
run weir roster put cli.text dora '' --json
status_is 1 'put into a full roster has status 1'
json_is . '{"name":"cli.text","key":"dora","done":false,"reason":"full","lease":null}' 'JSON gives the reason "full"'
is '3 2' "$(stat cli.text members) $(stat cli.text full)" 'refusals are counted as full'
prints '' roster remove cli.text race
answers 1 "weir: roster 'cli.text': key 'race': there is no lease" roster remove cli.text race

# ------------------------------------------------------------------ put, replace, touch
prints 'version 4, 2d left' roster put cli.text bob new --ttl 2d
run weir roster show cli.text bob --json
json_is '[.done, .reason, (.lease | .value, .version, .detached, .left_ns > 86400000000000)]' '[true,null,"new",4,true,true]' 'put replaces a detached lease'
run weir roster replace cli.text bob newer --version 2
denied_is "has version 4; detached, set by process N of root" 'replace is refused: another version'
run weir roster replace cli.text bob newer --version 2 --json
json_is '[.done, .reason, .lease.version]' '[false,"version",4]' 'replace is refused, in JSON'
prints new roster get cli.text bob
prints 'version 5, 2d left' roster replace cli.text bob newer --version 4
prints newer roster get cli.text bob
answers 1 "weir: roster 'cli.text': key 'dora': there is no lease" roster replace cli.text dora x --version 4
prints 'version 5, until it is removed' roster touch cli.text bob
prints 'version 5, 3h left' roster touch cli.text bob --ttl 3h --version 5
run weir roster touch cli.text bob --version 4
denied_is "has version 5; detached, set by process N of root" 'touch is refused: another version'
run weir roster remove cli.text bob --version 4 --json
json_is '[.done, .reason, .lease.version]' '[false,"version",5]' 'remove is refused: another version'
answers 1 "weir: roster 'cli.text': key 'dora': there is no lease" roster touch cli.text dora
run weir roster touch cli.text dora --json
json_is '[.done, .reason, .lease]' '[false,"absent",null]' 'touch of a key without a lease: reason "absent"'
run weir roster remove cli.text bob --version 5 --json
json_is '[.done, .reason, (.lease | .version, has("value"))]' '[true,null,5,false]' 'a removed lease is shown with its last state'
run weir roster show cli.text --json
json_is .stats '{"members":1,"claimed":3,"refused":22,"replaced":2,"removed":2,"lost":0,"expired":0,"full":2}' 'the totals count all of these'

# ----------------------------------------------------------------------- time
from=$(weir status --json | jq .event_next)
prints 'version 6, 1 ms left' roster claim cli.text tick --ttl 1ns
answers 1 "weir: roster 'cli.text': key 'tick': there is no lease" roster get cli.text tick
prints 'version 7, until it is removed' roster claim cli.text tick
run weir events --from "$from" --json
json_is '[.type, .kind, .name, .key, .version, .reason]' '["lease-lost","roster","cli.text","tick",6,"expired"]' 'an event reports the expiry'
run weir events --from "$from"
output_like 'lease-lost roster cli\.text key tick version 6: it expired$' 'the event of the expiry, as text'
is '1 1' "$(stat cli.text lost) $(stat cli.text expired)" 'the expiry is counted'
prints '' roster remove cli.text tick

# ---------------------------------------------------------------------- values
printf 'a\0b\xff\e[31m\n' >"$work/bytes"
run_stdin "$work/bytes" weir roster put cli.text bin -
all_is 0 'version 8, until it is removed' '' 'put takes any bytes from standard input'
prints 'a\x00b\xff\x1b[31m\x0a' roster get cli.text bin
run weir roster get cli.text bin --raw
cmp "$work/bytes" "$work/out" >"$work/diff"
result $? 'get --raw prints the same bytes' <"$work/diff"
run weir roster get cli.text bin --json
json_is '[.lease.value, .lease.value_hex]' '["a\\x00b\\xff\\x1b[31m\\x0a","610062ff1b5b33316d0a"]' 'JSON has them in hexadecimal, too'
printf 'v%.0s' {1..255} >"$work/long"
long=$(<"$work/long")
prints 'version 9, until it is removed' roster put cli.text bin "$long"
prints "$long" roster get cli.text bin
refuses 'a value has at most 255 bytes' roster put cli.text bin "${long}v"
printf v >>"$work/long"
run_stdin "$work/long" weir roster put cli.text bin -
all_is 2 '' 'weir: a value has at most 255 bytes' 'a value of 256 bytes is refused'
run_stdin / weir roster put cli.text bin -
all_is 2 '' 'weir: cannot read the value: Is a directory' 'a value that cannot be read is an error'
prints 'version 10, until it is removed' roster put cli.text bin ''
prints '' roster get cli.text bin
run weir roster get cli.text bin --raw
output_is '' 'get --raw of an empty value prints nothing'
run weir roster show cli.text bin
sed -i 's/process [0-9]* of/process N of/' "$work/out"
output_is "owner      detached, set by process N of root
left       until it is removed
version    10
value      " 'one lease, in words'
prints '' roster remove cli.text bin

# ------------------------------------------------------------------------ list
prints ' VERSION      LEFT  PROCESS USER        KEY  VALUE
       1         -        - root        ann  first' roster list cli.text
prints 'version 11, 1d left' roster put cli.text $'b\tx' $'\e]0;x\a' --ttl 1d
run weir roster list cli.text
output_like $'\n      11        1d        - root        b\\\\x09x  \\\\x1b\\]0;x\\\\x07' 'control characters in keys and values are escaped'
run weir roster list cli.text --json
json_is 'sort_by(.key) | map(del(.pid)) | .[1].left_ns = (.[1].left_ns / 86400e9 | ceil)' '[{"key":"ann","value":"first","version":1,"left_ns":null,"detached":true,"uid":0},{"key":"b\tx","value":"\u001b]0;x\u0007","version":11,"left_ns":1,"detached":true,"uid":0}]' 'in JSON'
run weir roster list cli.text --prefix an --json
json_is '[.[].key]' '["ann"]' '--prefix shows the text keys that begin with it'
run weir roster list cli.ip --prefix 192.0.2.128/25 --json
json_is '[.[] | [.key, .value]]' '[["192.0.2.0","where"]]' '--prefix shows the blocks that overlap'
prints '[]' roster list cli.ip --prefix 198.51.100.0/24 --json
refuses "--prefix 'x': not an address or block such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32" roster list cli.ip --prefix x
refuses "roster 'cli.none': --prefix is for keys of type ip or text, not none" roster list cli.none --prefix x

# -------------------------------------------------------------- wrong command lines
refuses "roster 'cli.text': a key is missing: it has keys of type text" roster claim cli.text
refuses "roster 'cli.text': a value is missing" roster put cli.text ann
refuses "roster 'cli.text': a value is missing" roster replace cli.text ann --version 1
refuses 'roster replace: --version is missing' roster replace cli.text ann x
refuses "roster 'cli.text': too many arguments, from 'c' on" roster claim cli.text a b c d
refuses "roster put: too many arguments, from 'c' on" roster put cli.text a b c
refuses "roster 'cli.none': too many arguments, from 'b' on" roster claim cli.none a b
refuses "roster 'cli.none': has no keys, but 'x' is given" roster get cli.none x
refuses "roster 'cli.none': has no keys, but 'x' is given" roster show cli.none x
refuses "key 'x': not an IPv4 or IPv6 address" roster claim cli.ip x
refuses "key '': must have 1 to 255 bytes" roster claim cli.text ''
refuses "key '${long}v': must have 1 to 255 bytes" roster claim cli.text "${long}v"
refuses "--ttl '-1s': not a duration such as 250ms, 5s, 10m, 24h or 1h30m" roster claim cli.text eve --ttl -1s
refuses "--ttl '0s': must be from 1ns to 3650d" roster claim cli.text eve --ttl 0s
refuses "--version '0': must be from 1 to 9223372036854775807" roster remove cli.text ann --version 0
refuses "--version '9223372036854775808': must be from 1 to 9223372036854775807" roster touch cli.text ann --version 9223372036854775808
refuses "--version '-1': not a whole number" roster replace cli.text ann x --version -1
refuses "no such option: '--limit'" roster list cli.text --limit 1
refuses 'roster get: --raw and --json are two ways to print it' roster get cli.text ann --raw --json
refuses "roster: no such verb: 'set'" roster set cli.text --max 5
answers 1 "weir: roster 'cli.text': key '\\x1b[2J': there is no lease" roster get cli.text $'\e[2J'
refuses "roster 'cli.x': no such object" roster claim cli.x ann
refuses "roster '../x': no such user: '..'" roster claim ../x ann
prints first roster get cli.text ann
is 2 "$(stat cli.text members)" 'none of these made a lease'

# ---------------------------------------------------------------------- delete
prints '' roster delete cli.text
refuses "roster 'cli.text': no such object" roster get cli.text ann
prints '' roster create cli.text --max 1
answers 1 "weir: roster 'cli.text': key 'ann': there is no lease" roster get cli.text ann
refuses "roster 'cli.x': no such object" roster delete cli.x

end_tests
