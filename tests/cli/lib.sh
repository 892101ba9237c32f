# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# For the tests of the weir command. Each file runs as root where there is a
# /dev/weir and weir is on PATH, prints TAP, and leaves nothing behind: objects
# whose name begins with "cli." are deleted at its end.
#
#	run COMMAND...			run it; the functions below look at it
#	status_is N WHAT		its exit status
#	output_is TEXT WHAT		its standard output, exactly
#	output_like REGEX WHAT
#	stderr_is TEXT WHAT
#	json_is FILTER JSON WHAT	what jq's FILTER makes of its output, exactly
#
# and three that run weir and look at it all, for one result:
#
#	prints TEXT ARGUMENT...		status 0, this output, no message
#	refuses MESSAGE ARGUMENT...	status 2, no output, "weir: MESSAGE"
#	answers N TEXT ARGUMENT...	status N, this output or message
#
# end_tests is the last thing a file calls.

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
		[[ $name != cli.* ]] || weir "$kind" delete "$name"
	done
	rm -rf "$work"
}
trap cleanup EXIT

# result STATUS WHAT: 0 is ok; standard input explains what is not
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
# emulated, and slow to start programs; so nothing is started that need not be.)
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
	# a wrong command line is followed by where to read more
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

end_tests() {
	echo "1..$tests"
	exit $((failures != 0))
}
