#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weir save, weir restore

. "$(dirname "$0")/lib.sh"

file=$work/state

weir limiter create cli.ip --key ip --rate 10/10d --strikes 2 --ban 1h,2h --forget-after 5d --queue-max 7 --mode 0640
weir limiter create cli.window --key text --algorithm window --rate 10/10d
weir limiter create cli.plain --rate 3/3d
weir gate create cli.gate --permits 4 --key ip --prefix 24,56 --max-keys 9 --queue-max 3 --mode 0640
weir breaker create cli.number --failures 5 --within 1m --open 10s,1m,1h --probes 3 --successes 2 --forget-after 1d --probe-within never --slow 3s --mode 0640
weir breaker create cli.percent --percent 20 --within 30s --open 5s --key ip --prefix 24,56 --max-keys 9 --lapse 2h
weir roster create cli.roster --max 7 --ttl 30s --key ip --prefix 24,56 --mode 0640
weir roster create cli.unique --max 1 --key none
weir roster put cli.unique value > /dev/null
weir counter create cli.sum a b
weir counter create cli.histogram --type histogram --mode 0640
weir counter observe cli.histogram 1 7 99 12345 9223372036854775807
weir counter observe cli.histogram 500 --times 4294967296
weir counter create cli.sequence --type sequence
weir counter add cli.sum a=-5 b=1000000000000
weir counter next cli.sequence --count 41 > /dev/null
weir check --cost 4 cli.ip:192.0.2.1 > /dev/null
weir limiter strike cli.ip 192.0.2.2 1 > /dev/null
weir limiter strike cli.ip 2001:db8::7 2 > /dev/null
weir check --cost 3 cli.window:$'tab\there' > /dev/null
weir check cli.plain > /dev/null
weir limiter allow cli.ip 10.0.0.0/8
weir limiter deny cli.ip 10.1.0.0/16 2001:db9::/32

# print the state to be compared
picture() {
	for name in cli.ip cli.window cli.plain; do
		weir limiter show "$name" --json | jq -S 'del(.stats)'
		weir limiter keys "$name" --json |
			jq -S 'sort_by(.key)[] | del(.reset_after_ns) | .banned_for_ns = (.banned_for_ns / 60e9 | ceil)'
		weir limiter rules "$name"
	done
	weir gate show cli.gate --json | jq -S 'del(.stats)'
	for name in cli.number cli.percent; do
		weir breaker show "$name" --json | jq -S 'del(.stats)'
	done
	for name in cli.roster cli.unique; do
		weir roster show "$name" --json | jq -S 'del(.stats)'
	done
	weir counter read cli.sum
	weir counter read cli.sequence
	weir counter read cli.histogram --json
	weir list | awk '{ $NF = $NF; print $1, $2, $3, $4, $7 }' | grep cli
}
picture > "$work/before"

prints 'saved 11 objects' save "$file"
run stat -c %a "$file"
output_is 600 'only the owner may read the file'
run ls "$work"
output_is $'before\ndiff\nerr\nout\nstate' 'save leaves no other file'
refuses "limiter 'cli.ip' exists; nothing was restored (--existing-ok skips existing objects)" restore "$file"
prints 'restored 0 of 11 objects' restore --existing-ok "$file"
for name in cli.ip cli.window cli.plain; do weir limiter delete "$name"; done
weir counter delete cli.sum
weir counter delete cli.histogram
weir gate delete cli.gate
weir breaker delete cli.number
weir breaker delete cli.percent
weir roster delete cli.roster
weir roster delete cli.unique
prints 'restored 10 of 11 objects' restore --existing-ok "$file"
weir counter delete cli.sequence
run weir restore --existing-ok "$file" --json
json_is . '{"restored":1,"objects":11}' 'restore --json'
picture > "$work/after"
run diff "$work/before" "$work/after"
status_is 0 'restore brings back all state'
output_is '' 'there is no difference'
answers 1 "weir: roster 'cli.unique': there is no lease" roster get cli.unique
prints 42 counter next cli.sequence
answers 1 'banned, by a rule' check cli.ip:10.1.2.3

# damaged
cp "$file" "$work/bad"
printf x | dd of="$work/bad" bs=1 seek=500 conv=notrunc status=none
refuses "$work/bad: damaged, or not made by weir save: its checksum is wrong; nothing was restored" restore "$work/bad"
head -c -8 "$file" > "$work/bad"
refuses "$work/bad: damaged, or not made by weir save: a section is cut off; nothing was restored" restore "$work/bad"
head -c 10 "$file" > "$work/bad"
refuses "$work/bad: damaged, or not made by weir save: it is too short; nothing was restored" restore "$work/bad"
head -c 1000 /dev/zero > "$work/bad"
refuses "$work/bad: damaged, or not made by weir save: it does not begin like a saved file; nothing was restored" restore "$work/bad"
refuses "$work/none: No such file or directory" restore "$work/none"
refuses "$work/no/state: No such file or directory" save "$work/no/state"
rm "$work/bad"

# An object exists: restore deletes the objects that it has created before.
weir counter delete cli.sum
weir gate delete cli.gate
refuses "limiter 'cli.ip' exists; nothing was restored (--existing-ok skips existing objects)" restore "$file"
weir limiter delete cli.ip
weir breaker delete cli.number
answers 2 "weir: limiter 'cli.window' exists; nothing was restored (--existing-ok skips existing objects)" restore "$file"
run weir list
! grep -E 'cli\.(ip|sum|gate|number)' "$work/out" > "$work/diff"
result $? 'the objects created before are deleted again' < "$work/diff"
prints 'restored 4 of 11 objects' restore --existing-ok "$file"

# counters FIRST END FILE: a file of counters cli.FIRST, ... with one field of value 5 each
counters() {
	python3 - "$1" "$2" > "$3" <<-'END'
		import struct, sys, zlib
		out = b'weirsave' + struct.pack('=II', 0x01020304, 1)
		for i in range(int(sys.argv[1]), int(sys.argv[2])):
		    body = struct.pack('=64sIIIIII', b'cli.%d' % i, 1, 0o660, 0, 0, 1, 0)
		    body += struct.pack('=64sq', b'f', 5)
		    out += struct.pack('=IIQQ', 2, 0, len(body), 0) + body
		out += struct.pack('=IIQQ', 5, 0, 8, 0)
		sys.stdout.buffer.write(out + struct.pack('=II', zlib.crc32(out), 0))
	END
}

# overwrite FILE OFFSET BYTES
overwrite() {
	printf '%b' "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# The file changes after the check: strace stops restore when it opens the device.
counters 0 1 "$work/counters"
# shellcheck disable=SC2016 # for the inner shell
strace -qq -o /dev/null -e trace=openat -P /dev/weir -e inject=openat:signal=SIGSTOP \
	sh -c 'echo $$ > "$1"; exec weir restore "$2"' sh "$work/pid" "$work/counters" > "$work/said" &
until_said "$work/pid"
pid=$(< "$work/pid")
# strace also stops it for a moment at each call. It is past the check when it has the device open.
while kill -0 "$pid" 2>/dev/null && [[ $(readlink "/proc/$pid/fd/"*) != */dev/weir* ]]; do :; done
overwrite "$work/counters" $((16 + 24 + 64 + 16 + 1)) '\377'	# number of fields
overwrite "$work/counters" $((16 + 24 + 88 + 64)) '\007'	# value of the first field
# repeat SIGCONT: strace may stop the process after the first one
while kill -CONT "$pid" 2>/dev/null; do sleep 0.1; done
wait $!
is 0 $? 'restore does not use changes made to the file after the check'
prints 5 counter read cli.0
weir counter delete cli.0

# The number of calls is linear in the number of objects.
ioctls() {
	counters "$1" "$2" "$work/counters"
	strace -qq -o "$work/trace" -e trace=ioctl weir restore "$work/counters" > /dev/null
	grep -c ioctl "$work/trace"
}
few=$(ioctls 0 100)
many=$(ioctls 100 500)
is 1 $((many <= 4 * few)) "4 times as many objects take at most 4 times the calls ($few, $many)"
rm "$work/counters"

# the saved file gets older: the wall clock is set forward
for name in cli.ip cli.window cli.plain; do weir limiter delete "$name"; done
date -s '+90 minutes' > /dev/null
weir restore --existing-ok "$file" > /dev/null
run weir limiter keys cli.plain --json
json_is '.[0] | [.remaining, (.reset_after_ns / 3600e9 | ceil)]' '[2,23]' 'tokens of 90 minutes have come back'
run weir limiter show cli.ip 2001:db8::7 --json
json_is '[.verdict, .bans]' '["allowed",1]' 'a ban has ended meanwhile, but the ladder remembers it'
date -s '+10 days' > /dev/null
weir limiter delete cli.ip
weir restore --existing-ok "$file" > /dev/null
prints '[]' limiter keys cli.ip --json

end_tests
