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
status_is 7 'the status of a command that fails'
is 1 "$(total breaker cli.plain failed)" 'status 7 is reported as a failure'
run weir breaker run cli.plain --ok 3,7 -- sh -c 'exit 7'
status_is 7 'the status of a command with --ok 3,7'
is '2 1' "$(total breaker cli.plain succeeded) $(total breaker cli.plain failed)" '--ok 3,7: status 7 is reported as a success'
run weir breaker run cli.plain --ok 3 -- true
is '3 1' "$(total breaker cli.plain succeeded) $(total breaker cli.plain failed)" '--ok 3: status 0 is a success as well'
run weir breaker run cli.plain -- sh -c 'kill -KILL $$'
status_is 137 'the status of a command that a signal ends'
is 2 "$(total breaker cli.plain failed)" 'a signal is reported as a failure'
run weir breaker run cli.plain -- bash -c 'kill -PIPE $$; echo no'
all_is 141 '' '' 'SIGPIPE ends the command: it is not ignored'
is 'open 1' "$(state cli.plain) $(total breaker cli.plain opened)" 'the third failure opens the breaker'
run weir breaker run cli.plain -- echo no
all_is 1 '' "weir: breaker 'cli.plain': open, try again in 1d" 'the command is not run while the breaker is open'
prints '' breaker trip cli.plain --for ever
run weir breaker run cli.plain -- echo no
all_is 1 '' "weir: breaker 'cli.plain': open until it is reset" 'the message for a breaker that is open until a reset'
prints '' breaker reset cli.plain
run weir breaker run cli.plain -- echo --ok -- --json
output_is '--ok -- --json' 'arguments after -- belong to the command'

# ------------------------------------- descriptors and signals that the command inherits
run weir breaker run cli.plain -- sh -c 'ls -l /proc/self/fd | grep -c weir'
output_is 0 'the command has no descriptor of the device'
run grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status
cp "$work/out" "$work/signals"
run weir breaker run cli.plain -- grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status
output_is "$(<"$work/signals")" 'the command inherits the signal mask and dispositions'
run env --ignore-signal=CHLD,HUP,PIPE weir breaker run cli.plain -- grep -E '^SigIgn' /proc/self/status
output_is $'SigIgn:\t0000000000011001' 'the command inherits ignored signals; weir waits although SIGCHLD is ignored'

# --------------------------------------------------------------- signals are passed on
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
	all_is 7 $'ready\ngot' '' "SIG$signal is passed on, and the command handles it"
done
: >"$work/said"
weir breaker run cli.plain -- bash -c "$loop" >"$work/said" 2>&1 &
pid=$!
until_said "$work/said"
kill -TERM $pid
wait $pid 2>/dev/null
is 143 $? 'if SIGTERM ends the command, the status is 143'

# weir and its command are stopped and continued together
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
# a second call while the probe runs
run weir breaker run cli.probe -- weir breaker run cli.probe -- echo no
all_is 1 '' "weir: breaker 'cli.probe': half-open, all probes are in use" 'half-open: a second probe is refused'
is open "$(state cli.probe)" 'the probe, which exits with status 1, opens the breaker'
half_open cli.probe
run weir breaker run cli.probe -- weir breaker show cli.probe
output_like '^state      half-open, 1 of 1 probes admitted, 0 of 1 successes' 'the probe is admitted while its command runs'
is closed "$(state cli.probe)" 'the success of the probe closes the breaker'
half_open cli.probe
answers 127 "weir: cannot run 'no-such-command': No such file or directory" breaker run cli.probe -- no-such-command
answers 126 "weir: cannot run '/etc/passwd': Permission denied" breaker run cli.probe -- /etc/passwd
run weir breaker show cli.probe --json
json_is '[.state, .now.admitted, .stats.lost]' '["half-open",0,0]' 'the probe of a command that cannot be run is withdrawn'

# the holder of the probe is the weir process
: >"$work/said"
weir breaker run cli.probe -- bash -c 'echo $$; exec sleep 1000' >"$work/said" 2>&1 &
pid=$!
until_said "$work/said"
kill -KILL $pid
wait $pid 2>/dev/null
is 'open 1' "$(state cli.probe) $(total breaker cli.probe lost)" 'a probe whose holder is killed counts as failed'
kill "$(<"$work/said")"

# ---------------------------------------------------------------------- of a key
weir breaker trip cli.text ann --for 2d
run weir breaker run cli.text ann -- echo no
all_is 1 '' "weir: breaker 'cli.text': key 'ann': open, try again in 2d" 'the breaker is open for one key'
run weir breaker run cli.text bob -- echo yes
output_is yes 'it is closed for another key'

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
all_is 0 '' "weir: breaker 'cli.plain': was deleted meanwhile" 'the status of the command stays when the breaker is deleted'
refuses "breaker 'cli.plain': no such object" breaker delete cli.plain

end_tests
