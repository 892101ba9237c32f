#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weir gate

. "$(dirname "$0")/lib.sh"

stats0='"stats":{"keys":0,"in_use":0,"waiting":0,"acquired":0,"refused":0,"timeouts":0,"reclaimed":0,"full":0}'

# create, show
prints '' gate create cli.plain --permits 2
run weir gate show cli.plain --json
json_is . '{"name":"cli.plain","permits":2,"key_type":"none","prefix4":null,"prefix6":null,"max_keys":1,"queue_max":0,'"$stats0"'}' 'the defaults'
prints '' gate create cli.ip --permits=5 --key ip --prefix 24,56 --max-keys 100 --queue-max 3 --mode 0600 --group root
run weir gate show cli.ip --json
json_is . '{"name":"cli.ip","permits":5,"key_type":"ip","prefix4":24,"prefix6":56,"max_keys":100,"queue_max":3,'"$stats0"'}' 'create applies every option'
prints 'permits    5 of each key
keys       ip/24,56, 0 of 100 in use
queue      3 for one key
in use     0
waiting    0
acquired   0
refused    0, 0 of them after a wait
reclaimed  0
full       0' gate show cli.ip
prints '5 of 5 free, 0 waiting' gate show cli.ip 192.0.2.7
run weir gate show cli.ip 2001:db8::7 --json
json_is . '{"name":"cli.ip","key":"2001:db8::7","permits":5,"free":5,"waiting":0}' 'a key, in JSON'
prints "gate 'cli.plain' existed; nothing was made" gate create cli.plain --permits 9 --existing-ok
run weir gate show cli.plain --json
json_is .permits 2 '--existing-ok changes nothing of an existing gate'
run weir list gate --json
json_is '[.[] | select(.name | startswith("cli.")) | [.kind, .name, .type, .keys]]' '[["gate","cli.plain",null,0],["gate","cli.ip",null,0]]' 'list shows gates'

refuses "gate 'cli.plain': exists already" gate create cli.plain --permits 1
refuses 'gate create: --permits is missing' gate create cli.x
refuses "--permits '0': must be from 1 to 1073741824" gate create cli.x --permits 0
refuses "--permits '1073741825': must be from 1 to 1073741824" gate create cli.x --permits 1073741825
refuses "--key 'ipv4': must be none, u64, ip or text" gate create cli.x --permits 1 --key ipv4
refuses '--prefix: only for --key ip' gate create cli.x --permits 1 --key text --prefix 24
refuses "--prefix '33': must be 1 to 32, or that and 1 to 128, as in 24,56" gate create cli.x --permits 1 --key ip --prefix 33
refuses '--max-keys: the gate has no keys; see --key' gate create cli.x --permits 1 --max-keys 2
refuses "--queue-max 'x': not a whole number" gate create cli.x --permits 1 --queue-max x
refuses "gate 'cli.x': no such object" gate show cli.x
refuses "gate 'cli.plain': has no keys, but 'x' is given" gate show cli.plain x
refuses "key 'x': not an IPv4 or IPv6 address" gate show cli.ip x

# run: the command's own status, output, signals
run weir gate run cli.plain -- sh -c 'echo hello; echo words >&2; exit 7'
all_is 7 'hello' 'words' 'status and output are those of the command'
run weir gate run cli.plain -- bash -c 'dd bs=4096 count=1 <&100 2>&1 | grep -c "not permitted"'
all_is 0 1 '' 'the descriptor that the command inherits gives it no events'
run weir gate run cli.plain -- sh -c 'kill -TERM $$'
status_is 143 'the status of a command that a signal ends'
run weir gate run cli.plain -- sh -c 'weir gate show cli.plain --json | jq -c "[.stats.in_use, .permits]"'
output_is '[1,2]' 'a running command has one permit'
run weir gate run cli.plain --permits 2 -- weir gate show cli.plain --json
json_is .stats.in_use 2 '--permits: a running command has that many permits'
run weir gate run cli.ip 192.0.2.7 -- weir gate show cli.ip 192.0.2.200
output_is '4 of 5 free, 0 waiting' 'the permit of a key, which is cut to the prefix'
# the tool ignores SIGPIPE, but its command does not inherit that
run weir gate run cli.plain -- bash -c 'kill -PIPE $$; echo no'
status_is 141 'SIGPIPE ends the command: it is not ignored'
# options after -- belong to the command
run weir gate run cli.plain -- echo --wait -- --permits 9
output_is '--wait -- --permits 9' 'options after -- belong to the command'
# descriptors that a script opens do not replace that of the device
run weir gate run cli.plain -- bash -c 'exec 3</dev/null 4</dev/null 9</dev/null; weir gate show cli.plain --json | jq .stats.in_use'
output_is 1 'a script that opens descriptors by number keeps its permit'
is 0 "$(total gate cli.plain in_use)" 'all permits came back'

# a process that the command leaves behind keeps the permit
run weir gate run cli.plain -- bash -c 'sleep 1000 >/dev/null 2>&1 & echo $!'
left=$(cat "$work/out")
is 1 "$(total gate cli.plain in_use)" 'a process left behind keeps the permit'
kill -KILL "$left"
until_total gate cli.plain in_use 0
run weir gate run cli.plain -- bash -c 'sleep 1000 100>&- >/dev/null 2>&1 & echo $!'
left=$(cat "$work/out")
is 0 "$(total gate cli.plain in_use)" 'a process left behind that has closed the file keeps no permit'
kill -KILL "$left"

# refused
weir gate run cli.plain --permits 2 -- sleep 1000 &
holder=$!
until_total gate cli.plain in_use 2
answers 1 "weir: gate 'cli.plain': not now: 0 of 2 permits are free" gate run cli.plain --wait 0s -- echo no
answers 1 "weir: gate 'cli.plain': not in time, or too many wait: 0 of 2 permits are free" gate run cli.plain --wait 50ms -- echo no
refuses "gate 'cli.plain': has fewer than 3 permits" gate run cli.plain --permits 3 -- echo no
run timeout --signal INT 1 weir gate run cli.plain -- echo no
status_is 124 'Ctrl-C ends the wait'
output_is '' 'nothing was run after Ctrl-C'

# a waiter gets its turn when the holder is killed
weir gate run cli.plain -- echo in >"$work/waited" &
waiter=$!
until_total gate cli.plain waiting 1
kill -KILL "$holder"
wait "$holder" 2>/dev/null
wait "$waiter"
run cat "$work/waited"
output_is in 'run waits until the permit is free'
is 0 "$(total gate cli.plain in_use)" 'run gives the permit back'

# resize, set
weir gate run cli.plain --permits 2 -- sleep 1000 &
holder=$!
until_total gate cli.plain in_use 2
weir gate run cli.plain --permits 2 -- echo no >"$work/waited" 2>&1 &
waiter=$!
until_total gate cli.plain waiting 1
prints '' gate resize cli.plain 1
wait "$waiter"
status=$?
status_is 2 'a waiter that needs more permits than are left fails'
run cat "$work/waited"
output_is "weir: gate 'cli.plain': has fewer than 2 permits" 'the message of the waiter that fails'
prints '' gate resize cli.plain 3
run weir gate run cli.plain --wait 0s -- echo yes
output_is yes 'a new permit can be acquired at once'
kill "$holder"
wait "$holder" 2>/dev/null
from=$(weir status --json | jq .event_next)
prints '' gate set cli.ip --permits 7 --max-keys 50 --queue-max 0
run weir gate show cli.ip --json
json_is '[.permits, .max_keys, .queue_max, .prefix4]' '[7,50,0,24]' 'set changes the members given'
run weir events --from "$from" --json
json_is '[.type, .name, .changed]' '["changed","cli.ip",["max-keys","queue-max","permits"]]' 'an event names the changed members'
refuses 'gate set: nothing to set' gate set cli.ip
refuses "gate 'cli.ip': --max-keys cannot be raised beyond eight times its value at creation" gate set cli.ip --max-keys 5000
refuses "N '0': must be from 1 to 1073741824" gate resize cli.ip 0

# full
prints '' gate create cli.full --permits 1 --key text --max-keys 1
run weir gate run cli.full ann -- weir gate run cli.full bob -- echo no
all_is 1 '' "weir: gate 'cli.full': key 'bob': full, all keys are in use" 'a full table refuses another key'
run weir gate run cli.full bob -- echo yes
output_is yes 'another key has room when nobody holds the first'

# wrong command lines
refuses 'gate run: a command is missing: -- COMMAND...' gate run cli.plain
refuses 'gate run: a command is missing: -- COMMAND...' gate run cli.plain echo no
refuses 'gate run: a command is missing: -- COMMAND...' gate run cli.plain --
refuses 'gate run: NAME is missing before --' gate run -- cli.plain echo
refuses "gate 'cli.plain': has no keys, but 'x' is given" gate run cli.plain x -- echo no
refuses "gate 'cli.full': a key is missing: it has keys of type text" gate run cli.full -- echo no
refuses "gate 'cli.full': more than one key, from 'b' on" gate run cli.full a b -- echo no
refuses "gate 'cli.x': no such object" gate run cli.x -- echo no
answers 127 "weir: cannot run 'no-such-command': No such file or directory" gate run cli.plain -- no-such-command
answers 126 "weir: cannot run '/etc/passwd': Permission denied" gate run cli.plain -- /etc/passwd
is 0 "$(total gate cli.plain in_use)" 'a command that cannot be run holds no permit'

# delete: the waiter gets an error
weir gate run cli.full ann -- sleep 1000 &
holder=$!
until_total gate cli.full in_use 1
weir gate run cli.full ann -- echo no >"$work/waited" 2>&1 &
waiter=$!
until_total gate cli.full waiting 1
prints '' gate delete cli.full
wait "$waiter"
status=$?
status_is 2 'a waiter at a deleted gate fails'
run cat "$work/waited"
output_is "weir: gate 'cli.full': key 'ann': was deleted meanwhile" 'the message of the waiter at a deleted gate'
kill "$holder"
wait "$holder" 2>/dev/null
refuses "gate 'cli.full': no such object" gate delete cli.full

end_tests
