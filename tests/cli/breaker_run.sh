#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weir breaker run

. "$(dirname "$0")/lib.sh"

# state NAME: the state of a plain breaker
state() {
	weir breaker show "$1" --json | jq -r .state
}

prints '' breaker create cli.plain --failures 3 --within 1h --open 1d
prints '' breaker create cli.text --failures 1 --within 1h --open 1d --key text

# ------------------------------------------------- run: the command's own status
run weir breaker run cli.plain -- sh -c 'echo hello; echo words >&2'
all_is 0 'hello' 'words' 'status and output are those of the command'
run weir breaker run cli.plain -- sh -c 'exit 7'
status_is 7 'also when it fails'
is 1 "$(total breaker cli.plain failed)" 'which is a failure'
run weir breaker run cli.plain --ok 3,7 -- sh -c 'exit 7'
status_is 7 'not if it is said that it is none'
is '2 1' "$(total breaker cli.plain succeeded) $(total breaker cli.plain failed)" 'but a success'
run weir breaker run cli.plain --ok 3 -- true
is '3 1' "$(total breaker cli.plain succeeded) $(total breaker cli.plain failed)" 'as 0 is, too'
run weir breaker run cli.plain -- sh -c 'kill -KILL $$'
status_is 137 'a signal it ends by'
is 2 "$(total breaker cli.plain failed)" 'is a failure'
run weir breaker run cli.plain -- bash -c 'kill -PIPE $$; echo no'
all_is 141 '' '' 'SIGPIPE ends it, as anywhere'
is 'open 1' "$(state cli.plain) $(total breaker cli.plain opened)" 'the third one opens it'
run weir breaker run cli.plain -- echo no
all_is 1 '' "weir: breaker 'cli.plain': open, try again in 1d" 'open, it is not run'
prints '' breaker trip cli.plain --for ever
run weir breaker run cli.plain -- echo no
all_is 1 '' "weir: breaker 'cli.plain': open until it is reset" 'nor ever'
prints '' breaker reset cli.plain
run weir breaker run cli.plain -- echo --ok -- --json
output_is '--ok -- --json' 'what follows -- is the command'"'"'s'

# ------------------------------------- the command does not notice that it is waited for
run weir breaker run cli.plain -- sh -c 'ls -l /proc/self/fd | grep -c weir'
output_is 0 'it has no descriptor of the device'
run grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status
cp "$work/out" "$work/signals"
run weir breaker run cli.plain -- grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status
output_is "$(<"$work/signals")" 'and signals as they were'
run env --ignore-signal=CHLD,HUP,PIPE weir breaker run cli.plain -- grep -E '^SigIgn' /proc/self/status
output_is $'SigIgn:\t0000000000011001' 'ignored ones, too, and is waited for all the same'

# --------------------------------------------------------------- signals are handed on
loop='sleep 1000 & trap "kill $!" EXIT; echo ready; while :; do wait; done'
for signal in HUP INT QUIT TERM USR1 USR2; do
	: >"$work/said"
	env --default-signal=INT,QUIT weir breaker run cli.plain --ok 7 -- \
		bash -c "trap 'echo got; exit 7' $signal; $loop" >"$work/said" 2>&1 &
	pid=$!
	until_said "$work/said"
	kill -s $signal $pid
	wait $pid
	status=$?
	command="weir breaker run, and SIG$signal"
	cp "$work/said" "$work/out"
	all_is 7 $'ready\ngot' '' "SIG$signal is handed on, and the command decides"
done
: >"$work/said"
weir breaker run cli.plain -- bash -c "$loop" >"$work/said" 2>&1 &
pid=$!
until_said "$work/said"
kill -TERM $pid
wait $pid 2>/dev/null
is 143 $? 'if it ends by that, so does this'

# stopped and continued, as one
set -m
: >"$work/said"
weir breaker run cli.plain -- bash -c 'trap "exit 0" TERM; echo $$; while :; do sleep 0.01; done' >"$work/said" 2>&1 &
pid=$!
until_said "$work/said"
child=$(<"$work/said")
kill -TSTP $pid
until [[ $(task_state $pid)$(task_state "$child") == TT ]]; do :; done
kill -CONT $pid
while [[ $(task_state "$child") == T ]]; do :; done
kill -TERM $pid
wait $pid
is 0 $? 'SIGTSTP stops both, SIGCONT continues both'
set +m

is 1 "$(interrupts weir breaker run cli.plain --)" 'Ctrl-C reaches the command once'

# ------------------------------------------------------------------------ probes
prints '' breaker create cli.probe --failures 1 --within 1h --open 1d --probe-within never
half_open cli.probe
# asked from inside a probe
run weir breaker run cli.probe -- weir breaker run cli.probe -- echo no
all_is 1 '' "weir: breaker 'cli.probe': half-open, all probes are in use" 'half-open, there is one probe'
is open "$(state cli.probe)" 'which failed, and opens it'
half_open cli.probe
run weir breaker run cli.probe -- weir breaker show cli.probe
output_like '^state      half-open, 1 of 1 probes admitted, 0 of 1 successes' 'while it runs it is out'
is closed "$(state cli.probe)" 'and its success closes it'
half_open cli.probe
answers 127 "weir: cannot run 'no-such-command': No such file or directory" breaker run cli.probe -- no-such-command
answers 126 "weir: cannot run '/etc/passwd': Permission denied" breaker run cli.probe -- /etc/passwd
run weir breaker show cli.probe --json
json_is '[.state, .now.admitted, .stats.lost]' '["half-open",0,0]' 'what cannot be run is withdrawn'

# the holder is the one that waits
: >"$work/said"
weir breaker run cli.probe -- bash -c 'echo $$; exec sleep 1000' >"$work/said" 2>&1 &
pid=$!
until_said "$work/said"
kill -KILL $pid
wait $pid 2>/dev/null
is 'open 1' "$(state cli.probe) $(total breaker cli.probe lost)" 'a probe whose holder is killed has failed'
kill "$(<"$work/said")"

# ---------------------------------------------------------------------- of a key
weir breaker trip cli.text ann --for 2d
run weir breaker run cli.text ann -- echo no
all_is 1 '' "weir: breaker 'cli.text': key 'ann': open, try again in 2d" 'open for one key'
run weir breaker run cli.text bob -- echo yes
output_is yes 'is not open for another'

# ------------------------------------------------------------- wrong command lines
refuses 'breaker run: a command is missing: -- COMMAND...' breaker run cli.plain
refuses 'breaker run: a command is missing: -- COMMAND...' breaker run cli.plain --
refuses 'breaker run: NAME is missing before --' breaker run -- cli.plain echo
refuses "--ok '0': must be from 1 to 255" breaker run cli.plain --ok 0 -- echo no
refuses "--ok '256': must be from 1 to 255" breaker run cli.plain --ok 1,256 -- echo no
refuses "--ok '': not a whole number" breaker run cli.plain --ok 1, -- echo no
refuses "breaker 'cli.plain': has no keys, but 'x' is given" breaker run cli.plain x -- echo no
refuses "breaker 'cli.text': a key is missing: it has keys of type text" breaker run cli.text -- echo no
refuses "breaker 'cli.text': more than one key, from 'b' on" breaker run cli.text a b -- echo no
refuses "breaker 'cli.x': no such object" breaker run cli.x -- true

# ------------------------------------------------------------- deleted while it runs
run weir breaker run cli.plain -- weir breaker delete cli.plain
all_is 0 '' "weir: breaker 'cli.plain': was deleted meanwhile" 'the command ends as it ends'
refuses "breaker 'cli.plain': no such object" breaker delete cli.plain

end_tests
