#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weir roster claim NAME KEY -- COMMAND
# shellcheck disable=SC2016 # the inner commands expand the variables

. "$(dirname "$0")/lib.sh"

# stat NAME MEMBER: one of its totals
stat() {
	weir roster show "$1" --json | jq ".stats.$2"
}

# denied_is WORDS WHAT: status 1, no output, "weir: roster '...': key '...': WORDS"; in WORDS,
# P stands for $pid
denied_is() {
	sed -i "s/process $pid of/process P of/; s/^weir: roster '[^']*': key '[^']*': //" "$work/err"
	all_is 1 '' "$1" "$2"
}

# begin WORD...: a claim of key "k" with these options and a command that prints something;
# sets $pid to the process that holds the lease; the output goes to the file "said"
begin() {
	: >"$work/said"
	weir roster claim cli.text k "$@" >"$work/said" 2>&1 &
	pid=$!
	until_said "$work/said"
}

# ended STATUS WHAT, ended_saying STATUS TEXT WHAT: wait for that claim, and check it
ended() {
	wait "$pid" 2>/dev/null
	is "$1" $? "$2"
}

ended_saying() {
	wait "$pid" 2>/dev/null
	status=$?
	sed 's/process [0-9]* of/process N of/' "$work/said" >"$work/out"
	: >"$work/err"
	all_is "$1" "$2" '' "$3"
}

prints '' roster create cli.text --max 5

# --------------------------------------------------------- the command's own status
run weir roster claim cli.text k -- sh -c 'echo hello; echo words >&2'
all_is 0 'hello' 'words' 'status and output are those of the command'
run weir roster claim cli.text k -- sh -c 'exit 7'
status_is 7 'the status of a command that fails'
run weir roster claim cli.text k -- sh -c 'kill -KILL $$'
status_is 137 'the status of a command that a signal ends'
run weir roster claim cli.text k -- bash -c 'kill -PIPE $$; echo no'
all_is 141 '' '' 'SIGPIPE ends the command: it is not ignored'
run weir roster claim cli.text k -- echo --ttl -- --json
output_is '--ttl -- --json' 'arguments after -- belong to the command'
is '5 5 0' "$(stat cli.text claimed) $(stat cli.text removed) $(stat cli.text members)" 'the lease is removed after each command'
answers 127 "weir: cannot run 'no-such-command': No such file or directory" roster claim cli.text k -- no-such-command
answers 126 "weir: cannot run '/etc/passwd': Permission denied" roster claim cli.text k -- /etc/passwd
is '7 7 0' "$(stat cli.text claimed) $(stat cli.text removed) $(stat cli.text members)" 'the lease is removed if the command cannot be run'
run weir roster claim cli.text k -- sh -c 'ls -l /proc/self/fd | grep -c weir'
output_is 0 'the command has no descriptor of the device'
run grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status
cp "$work/out" "$work/signals"
run weir roster claim cli.text k -- grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status
output_is "$(<"$work/signals")" 'the command inherits the signal mask and dispositions'

# ------------------------------------------------------------------- while it runs
run weir roster claim cli.text k 'the value' -- sh -c 'echo $PPID $WEIR_LEASE_VERSION; weir roster show cli.text k --json'
read -r holder version <"$work/out"
sed -i 1d "$work/out"
json_is '.lease | [.value, .left_ns, .detached, .uid]' '["the value",null,false,0]' 'the lease has the value, no end, and an owner'
json_is '.lease | [.pid, .version]' "[$holder,$version]" 'the owner is the weir process; WEIR_LEASE_VERSION is the version'
printf 'in\0put' | weir roster claim cli.text k - -- weir roster get cli.text k >"$work/out" 2>"$work/err"
output_is 'in\x00put' 'claim takes a value from standard input'

begin -- bash -c 'echo "$WEIR_LEASE_VERSION"; exec sleep 1000'
version=$(<"$work/said")
run weir roster claim cli.text k -- echo no
denied_is 'process P of root has it' 'a second claim names the owner and runs nothing'
run weir roster claim cli.text k
denied_is 'process P of root has it' 'a second claim without a command names the owner'
run weir roster put cli.text k mine
denied_is 'process P of root has it' 'put is refused'
run weir roster touch cli.text k --ttl 1s
denied_is 'process P of root has it' 'touch is refused'
run weir roster remove cli.text k
denied_is 'process P of root has it' 'remove is refused'
run weir roster list cli.text
output_like $'\n'"[ ]+${version}[ ]+-[ ]+$pid root        k\$" 'list shows the process of the owner'
run weir roster show cli.text k
output_like "^owner      process $pid of root has it" 'show shows the process of the owner'
prints "version $version, 1h left" roster touch cli.text k --version "$version" --ttl 1h
run weir roster claim cli.text k
denied_is 'process P of root has it, 1h left' 'touch with the version has changed the TTL'

# ------------------------------------------------------------------ SIGKILL of the holder
from=$(weir status --json | jq .event_next)
child=$(</proc/"$pid"/task/"$pid"/children)
kill -KILL "$pid"
wait "$pid" 2>/dev/null
answers 1 "weir: roster 'cli.text': key 'k': there is no lease" roster get cli.text k
run weir events --from "$from" --json
json_is '[.type, .key, .version, .reason]' "[\"lease-lost\",\"k\",$version,\"holder\"]" 'an event reports the lost lease'
run weir events --from "$from"
output_like "lease-lost roster cli\\.text key k version $version: its owner is gone\$" 'the event of the lost lease, as text'
until [[ ! -e /proc/${child% } || $(task_state "${child% }") == Z ]]; do :; done
is 0 0 'the command ends when the weir process is killed'

# gone PID: the process has ended
gone() {
	[[ ! -e /proc/$1 || $(task_state "$1" 2>/dev/null) == [ZX] ]]
}
for loss in KILL SIGUSR1; do
	begin --on-loss $loss -- bash -c 'trap "" TERM; echo ready; while :; do sleep 0.01; done'
	child=$(</proc/"$pid"/task/"$pid"/children)
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null
	until gone "${child% }"; do :; done
	is 0 0 "--on-loss $loss ends the command when the weir process is killed"
done
begin --on-loss ignore -- bash -c 'echo ready; exec sleep 1000'
child=$(</proc/"$pid"/task/"$pid"/children)
kill -KILL "$pid"
wait "$pid" 2>/dev/null
sleep 0.5
is 'sleep' "$(</proc/"${child% }"/comm)" '--on-loss ignore: the command continues'
kill "${child% }"

# --------------------------------------------------------------- signals are passed on
loop='sleep 1000 & trap "kill $!" EXIT; echo ready; while :; do wait; done'
for signal in HUP TERM USR1; do
	begin -- bash -c "trap 'echo got; exit 7' $signal; $loop"
	kill -s $signal "$pid"
	ended_saying 7 $'ready\ngot' "SIG$signal is passed on, and the command handles it"
done
begin -- bash -c "$loop"
kill -TERM "$pid"
ended 143 'if SIGTERM ends the command, the status is 143'
is 0 "$(stat cli.text members)" 'the lease is removed when SIGTERM has ended the command'
is 1 "$(interrupts weir roster claim cli.text k --)" 'Ctrl-C reaches the command once'
is 0 "$(stat cli.text members)" 'the lease is removed after Ctrl-C'

# -------------------------------------------------------------------- the lease is renewed
# weir renews the lease after a third of its TTL: then more time is left than before.
cat >"$work/rises" <<'END'
rises=0 last=0
until ((rises == 2)); do
	left=$(weir roster show cli.text k --json | jq '.lease.left_ns')
	[[ $left =~ ^[0-9]+$ ]] || exec echo "the lease has $left left"
	((left <= last)) || rises=$((rises + 1))
	((left <= 12000000000)) || exec echo "the lease has too much time left: $left"
	last=$left
done
weir roster show cli.text k --json | jq -c ".lease | [.version == $WEIR_LEASE_VERSION, .detached]"
END
run weir roster claim cli.text k --ttl 12s -- bash "$work/rises"
all_is 0 '[true,false]' '' 'the lease is renewed while the command runs, with the same version'
prints '' roster create cli.ttl --max 1 --ttl 12s
sed 's/cli\.text/cli.ttl/' "$work/rises" >"$work/rises.ttl"
run weir roster claim cli.ttl k -- bash "$work/rises.ttl"
all_is 0 '[true,false]' '' 'a lease with the TTL of the roster is renewed'
run weir roster claim cli.ttl k --ttl never -- bash -c 'weir roster show cli.ttl k --json | jq .lease.left_ns'
all_is 0 null '' '--ttl never overrides the TTL of the roster'

# ---------------------------------------------------------- the value is replaced
run weir roster claim cli.text k old --ttl 1h -- bash -c '
	weir roster replace cli.text k new --version $WEIR_LEASE_VERSION >/dev/null
	weir roster show cli.text k --json | jq -c "[.lease.value, .lease.detached]"'
all_is 0 '["new",false]' '' 'the command may replace the value'
is 0 "$(stat cli.text members)" 'the lease is removed at the end although its value was replaced'

# -------------------------------------------------------------------------- the lease is lost
remove='weir roster remove cli.text k --version $WEIR_LEASE_VERSION'
run weir roster claim cli.text k -- bash -c "$remove; exit 3"
all_is 124 '' "weir: roster 'cli.text': key 'k': the lease is lost: it was removed, or expired" 'a removed lease: a message at the end, and status 124'
run weir roster claim cli.text k --on-loss ignore -- bash -c "$remove; exit 3"
all_is 3 '' "weir: roster 'cli.text': key 'k': the lease is lost: it was removed, or expired" 'with --on-loss ignore the status is the command'"'"'s'
run weir roster claim cli.text k -- bash -c "$remove; weir roster put cli.text k another >/dev/null"
sed -i 's/process [0-9]* of/process N of/' "$work/err"
all_is 124 '' "weir: roster 'cli.text': key 'k': the lease is lost: detached, set by process N of root" 'the message describes a newer lease of the key'
prints another roster get cli.text k
prints '' roster remove cli.text k
begin --ttl 3s --on-loss ignore -- bash -c "trap 'exit 4' TERM; $remove; weir roster put cli.text k another; while :; do sleep 0.01; done"
until grep -q lost "$work/said"; do :; done
# the message may come after the removal and before the put
until weir roster get cli.text k >"$work/next" 2>&1; do :; done
run weir roster show cli.text k --json
json_is '.lease | [.value, .left_ns, .detached]' '["another",null,true]' 'with a TTL the loss is reported at once, and the new lease is not touched'
kill -TERM "$pid"
wait "$pid"
is '4 1' "$? $(grep -c lost "$work/said")" 'the command continues, and the loss is reported once'
prints another roster get cli.text k
prints '' roster remove cli.text k

# with a TTL, the command gets a signal when the lease is lost
for loss in TERM SIGUSR1; do
	begin --ttl 1s --on-loss $loss -- bash -c "trap 'echo told; exit 4' ${loss#SIG}; $remove; while :; do sleep 0.01; done"
	ended_saying 124 "weir: roster 'cli.text': key 'k': the lease is lost: it was removed, or expired
told" "the command gets SIG${loss#SIG}"
done
begin --ttl 1s -- bash -c "$remove; echo ready; exec sleep 1000"
ended 124 'SIGTERM ends the command; status 124 reports the loss'

# the weir process is stopped for longer than the TTL, while the command runs
begin --ttl 4s -- bash -c "trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done"
kill -STOP "$pid"
until weir roster claim cli.text k next >"$work/next" 2>&1; do :; done
kill -CONT "$pid"
ended_saying 124 "ready
weir: roster 'cli.text': key 'k': the lease is lost: detached, set by process N of root" 'a weir process that was stopped too long has lost the lease'
prints next roster get cli.text k
prints '' roster remove cli.text k

# ------------------------------------------------------------- concurrent claims
cat >"$work/alone" <<'END'
mkdir "$1" || echo overlap
rmdir "$1"
END
for i in {1..20}; do
	weir roster claim cli.text alone -- bash "$work/alone" "$work/room" >>"$work/alone.said" 2>&1 &
	racers[i]=$!
done
ran=0 denied=0
for i in {1..20}; do
	wait "${racers[i]}"
	case $? in
	0) ran=$((ran + 1)) ;;
	1) denied=$((denied + 1)) ;;
	esac
done
((ran >= 1 && ran + denied == 20))
result $? 'of twenty claims some run their command, and the others are refused' <<<"$ran ran, $denied denied"
! grep -q overlap "$work/alone.said"
result $? 'never two commands at a time' <"$work/alone.said"

# -------------------------------------------------------------- wrong command lines
refuses 'roster claim: a command is missing behind --' roster claim cli.text k --
refuses 'roster claim: NAME is missing before --' roster claim -- cli.text k
refuses 'roster claim: --on-loss is for a claim with a command' roster claim cli.text k --on-loss TERM
refuses "--on-loss 'FOO': must be ignore, or a signal such as TERM or KILL" roster claim cli.text k --on-loss FOO -- echo no
refuses "--on-loss '': must be ignore, or a signal such as TERM or KILL" roster claim cli.text k --on-loss= -- echo no
refuses 'roster claim: --json is for a claim without a command' roster claim cli.text k --json -- echo no
refuses "roster 'cli.text': a key is missing: it has keys of type text" roster claim cli.text -- echo no
refuses "roster 'cli.text': too many arguments, from 'c' on" roster claim cli.text a b c -- echo no
refuses "--ttl '1': not a duration such as 250ms, 5s, 10m, 24h or 1h30m" roster claim cli.text k --ttl 1 -- echo no
refuses "roster 'cli.x': no such object" roster claim cli.x k -- echo no
is 0 "$(stat cli.text members)" 'none of these made a lease'

# ------------------------------------------------------------- deleted while it runs
run weir roster claim cli.text k -- weir roster delete cli.text
all_is 124 '' "weir: roster 'cli.text': key 'k': the lease is lost: was deleted meanwhile" 'status 124: the roster was deleted'

end_tests
