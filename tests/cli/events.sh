#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weir events

. "$(dirname "$0")/lib.sh"

# Skip events of earlier tests.
from=$(weir status --json | jq .event_next)

weir counter create cli.c
weir limiter create cli.l --rate 5/100d --key text --strikes 2 --within 1d --ban 2h --max-keys 2
weir limiter strike cli.l bob 2 >/dev/null
weir ban add cli.l $'\e[1m' 3h >/dev/null
weir limiter check cli.l third >/dev/null
weir ban lift cli.l bob
weir limiter set cli.l --rate 6/s --burst 7
weir limiter delete cli.l
weir counter delete cli.c

run weir events --from "$from" --json
status_is 0 'events --json succeeds'
undated 's/("type":"lifted".*"banned_for_ns":)7[0-9]{12}/\1LESS/'
output_is '{"type":"created","kind":"counter","name":"cli.c","uid":0}
{"type":"created","kind":"limiter","name":"cli.l","uid":0}
{"type":"banned","kind":"limiter","name":"cli.l","key":"bob","banned_for_ns":7200000000000,"strikes":2}
{"type":"banned","kind":"limiter","name":"cli.l","key":"\u001B[1m","banned_for_ns":10800000000000,"strikes":0}
{"type":"table-full","kind":"limiter","name":"cli.l","max_keys":2}
{"type":"lifted","kind":"limiter","name":"cli.l","key":"bob","banned_for_ns":LESS}
{"type":"changed","kind":"limiter","name":"cli.l","changed":["rate","burst"]}
{"type":"deleted","kind":"limiter","name":"cli.l"}
{"type":"deleted","kind":"counter","name":"cli.c"}' 'one JSON object on each line, transitions only'

run weir events --from "$from" --json
jq -c .seq "$work/out" >"$work/seqs"
cp "$work/seqs" "$work/out"
output_is "$(seq "$from" $((from + 8)))" 'events are numbered without gap'

run weir events --from "$from"
undated 's/1h59m before/2h before/'
output_is 'created counter cli.c by root
created limiter cli.l by root
banned limiter cli.l key bob for 2h after 2 strikes
banned limiter cli.l key \x1b[1m for 3h by hand
table-full limiter cli.l: all 2 keys are in use
lifted limiter cli.l key bob, 2h before its end
changed limiter cli.l: rate, burst
deleted limiter cli.l
deleted counter cli.c' 'the same as text, with escapes'

run weir events --from $((from + 8)) --json
json_is '[.type, .name]' '["deleted","cli.c"]' '--from continues after an earlier reader'
prints '' events --from $((from + 9))
refuses "--from '$((from + 10))': that event is yet to come; 'weir status' tells how many there were" events --from $((from + 10))
refuses "--from 'now': not a whole number" events --from now
refuses "events: too many arguments, from 'x' on" events x

# wait_for COUNT: until that many lines have come
wait_for() {
	local tries=0

	while (($(wc -l <"$work/follow") < $1)) && ((tries++ < 600)); do
		sleep 0.1
	done
}

for signal in INT TERM HUP; do
	: >"$work/follow"
	env --default-signal=INT weir events --follow --from $((from + 8)) --json >"$work/follow" &
	pid=$!
	wait_for 1
	weir counter create "cli.$signal"
	wait_for 2
	kill -s $signal $pid
	wait $pid
	status=$?
	command="weir events --follow, then SIG$signal"
	cp "$work/follow" "$work/out"
	status_is 0 "SIG$signal ends --follow cleanly"
	[[ $(jq -r .name "$work/out" | tail -n 1) == "cli.$signal" ]]
	result $? 'the last event was printed before' <<<''
	from=$(weir status --json | jq .event_next)
	from=$((from - 9))
done

# --follow ends when its reader closes the pipe, without waiting for another event.
timeout 60 weir events --follow --from 0 2>"$work/err" | head -n 1 >"$work/out"
status=${PIPESTATUS[0]}
command='weir events --follow | head -n 1'
status_is 2 'a closed pipe is an error'
stderr_is 'weir: cannot write the output: Broken pipe' 'the message about the closed pipe'

# Without --from, --follow prints no earlier event.
timeout 5 weir events --follow >"$work/out" 2>"$work/err"
status=$?
command='timeout 5 weir events --follow'
output_is '' '--follow alone begins with the next event'

end_tests
