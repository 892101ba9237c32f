# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Functions for the tests of the weir command. Each test file runs as root on a machine with
# /dev/weir and weir on PATH. It prints TAP and leaves nothing behind: objects whose name
# begins with "cli." are deleted at its end.
#
#	run COMMAND...			run COMMAND for the functions below
#	status_is N WHAT		checks the exit status
#	output_is TEXT WHAT		checks all of standard output
#	output_like REGEX WHAT
#	stderr_is TEXT WHAT
#	json_is FILTER JSON WHAT	checks the result of jq's FILTER on the output
#	undated SED			remove times from events, and apply SED
#
# independent of a command:
#
#	is WANTED GOT WHAT
#
# run weir and check status and all output; one test each:
#
#	prints TEXT ARGUMENT...		status 0, this output, no message
#	refuses MESSAGE ARGUMENT...	status 2, no output, "weir: MESSAGE"
#	answers N TEXT ARGUMENT...	status N, this output or message
#
# read or change objects, without a result:
#
#	total KIND NAME MEMBER		prints a total of the object
#	until_total KIND NAME MEMBER N	waits until that total is N
#	half_open NAME [KEY]		makes a breaker half-open
#	until_said FILE			waits until the file is not empty
#
# for commands that run others and wait for them:
#
#	task_state PID			the process state: R, S, T...
#	interrupts WORD...		runs a command behind these words and prints the number of
#					SIGINTs that it gets from one Ctrl-C
#
# Each test file ends with end_tests.

export LC_ALL=C.UTF-8
unset NO_COLOR
tests=0
failures=0
work=$(mktemp -d) || exit 1
status=
command=

cleanup() {
	local kind name

	weir list 2>/dev/null | while read -r kind _ _ _ _ _ name; do
		[[ ${name##*/} != cli.* ]] || weir "$kind" delete "$name"
	done
	rm -rf "$work"
}
trap cleanup EXIT

# result STATUS WHAT: 0 is ok; standard input explains a failure
result() {
	tests=$((tests + 1))
	if (($1 == 0)); then
		echo "ok $tests $2"
		return
	fi
	failures=$((failures + 1))
	echo "not ok $tests $2"
	echo "# command: $command"
	echo "# status: $status"
	sed 's/^/# stdout: /' "$work/out"
	sed 's/^/# stderr: /' "$work/err"
	sed 's/^/# /'
}

run() {
	printf -v command '%q ' "$@"
	command=${command% }
	"$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
}

# slurp FILE: into "text", without line feeds at the end. (These machines are
# emulated, and slow to start programs.)
slurp() {
	IFS= read -rd '' text <"$1"
	while [[ $text == *$'\n' ]]; do
		text=${text%$'\n'}
	done
}

# compare WANTED FILE: 0, or 1 and the difference in "$work/diff"
compare() {
	local text

	slurp "$2"
	: >"$work/diff"
	[[ $text != "$1" ]] || return 0
	diff <(printf '%s' "$1") "$2" >"$work/diff"
	return 1
}

status_is() {
	((status == $1))
	result $? "$2" <<<"wanted status: $1"
}

output_is() {
	compare "$1" "$work/out"
	result $? "$2" <"$work/diff"
}

output_like() {
	local text

	slurp "$work/out"
	[[ $text =~ $1 ]]
	result $? "$2" <<<"wanted: $1"
}

stderr_is() {
	compare "$1" "$work/err"
	result $? "$2" <"$work/diff"
}

stderr_like() {
	local text

	slurp "$work/err"
	[[ $text =~ $1 ]]
	result $? "$2" <<<"wanted: $1"
}

json_is() {
	local made

	made=$(jq -c "$1" "$work/out" 2>&1)
	[[ $made == "$2" ]]
	result $? "$3" <<<"wanted: $2
made: $made"
}

undated() {
	sed -i -E 's/^[-0-9]{10} [:0-9]{8}\.[0-9]{3} #[0-9]+ //
		s/,"id":[0-9]*//; s/"time_ns":[0-9]*,//; s/"seq":[0-9]*,//
		'"$1" "$work/out"
}

is() {
	command="$3" status=
	: >"$work/out"
	: >"$work/err"
	[[ $1 == "$2" ]]
	result $? "$3" <<<"wanted $1, got $2"
}

# all_is STATUS OUTPUT MESSAGE WHAT
all_is() {
	if compare "$2" "$work/out" && compare "$3" "$work/err" &&
		((status == $1)); then
		result 0 "$4"
	else
		result 1 "$4" <<<"wanted status: $1
$(<"$work/diff")"
	fi
}

prints() {
	local text=$1

	shift
	run weir "$@"
	all_is 0 "$text" '' "$command"
}

refuses() {
	local message=$1 text

	shift
	run weir "$@"
	# after a wrong command line weir names the help to read: remove that line
	slurp "$work/err"
	[[ $text != *$'\n'"Try 'weir "*"--help'." ]] ||
		printf '%s\n' "${text%$'\n'*}" >"$work/err"
	all_is 2 '' "weir: $message" "$command: $message"
}

answers() {
	local wanted=$1 words=$2 text

	shift 2
	run weir "$@"
	slurp "$work/err"
	[[ -z $text ]] || printf '%s\n' "$text" >>"$work/out"
	compare "$words" "$work/out" && ((status == wanted))
	result $? "$command: $words" <"$work/diff"
}

total() {
	weir "$1" show "$2" --json | jq ".stats.$3"
}

until_total() {
	until [[ $(total "$1" "$2" "$3") == "$4" ]]; do :; done
}

# The trip lasts 1 ns, so it is over when the next command runs.
half_open() {
	weir breaker reset "$@" && weir breaker trip "$@" --for 1ns
}

until_said() {
	until [[ -s $1 ]]; do :; done
}

task_state() {
	local text

	text=$(</proc/"$1"/stat)
	text=${text##*) }
	echo "${text%% *}"
}

# settled PID: the process has no pending signal, and sleeps
settled() {
	local text

	text=$(</proc/"$1"/status)
	[[ $text == *'ShdPnd:'$'\t''0000000000000000'* && $(task_state "$1") == S ]]
}

# The terminal sends the signal to the command directly; passing it on as well would send it
# twice. The waiting weir process is stopped until the command has had the first signal, so
# that a second one cannot be merged with it. Before the command is asked, weir has handled
# its own signal and sleeps again.
interrupts() {
	local at=$work/interrupts

	rm -f "$at".*
	cat >"$at" <<'END'
n=0
trap 'n=$((n + 1)); echo int >>"$1.int"' INT
trap 'echo $n >"$1.count"; exit 0' USR1
echo $PPID >"$1.waiter"
echo $$ >"$1.pid"
while :; do sleep 0.01; done
END
	(
		until_said "$at.pid"
		waiter=$(<"$at.waiter")
		kill -STOP "$waiter"
		printf '\003'
		until_said "$at.int"
		kill -CONT "$waiter"
		until settled "$waiter"; do :; done
		sleep 0.1
		kill -USR1 "$(<"$at.pid")"
		until_said "$at.count"
	) | TERM=dumb script -qec "$* bash $at $at; true" /dev/null >"$work/script" 2>&1
	cat "$at.count"
}

# A misspelt command in a test file is a failure. (Runs in a subshell.)
command_not_found_handle() {
	echo "$*" >>"$work/unknown"
	return 127
}

end_tests() {
	[[ ! -e $work/unknown ]] ||
		result 1 'each command of this test exists' <"$work/unknown"
	echo "1..$tests"
	exit $((failures != 0))
}
