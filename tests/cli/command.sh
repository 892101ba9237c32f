#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The command line: exact words, options, help, failed writes of the output

. "$(dirname "$0")/lib.sh"

weir counter create cli.c
weir limiter create cli.l --rate 5/m --key text

refuses 'a command is missing'
refuses "no such command: 'lis'" lis
refuses "no such command: 'limiters'" limiters
refuses "no such command: 'drain'" drain text
refuses "no such command: '--json'" --json
refuses "no such command: ''" ''
refuses "no such command: '\\x1b[2J'" $'\e[2J'
refuses 'limiter: a verb is missing' limiter
refuses "limiter: no such verb: 'chec'" limiter chec
refuses "counter: no such verb: 'watch'" counter watch cli.c 1
refuses "no such option: '--js'" list --js
refuses "no such option: '--jsonx'" list --jsonx
refuses "no such option: '--json-'" list --json-
refuses "no such option: '--count'" counter read cli.c --count 1
refuses "no such option: '--json'" counter add cli.c 1 --json
refuses "--json takes no value" list --json=1
refuses "--follow takes no value" events --follow=1
refuses "--from needs a value: SEQ" events --from
refuses "--from is given twice" events --from 1 --from 2
refuses "--key '': must be none, u64, ip or text" limiter create cli.x --rate 5/s --key=

run weir limiter chec
stderr_is "weir: limiter: no such verb: 'chec'
Try 'weir limiter --help'." 'a wrong verb is followed by a hint'
run weir limiter check
stderr_is "weir: limiter check: too few arguments: expected NAME [KEY]
Try 'weir limiter check --help'." 'a missing argument is followed by a hint'

for words in --help 'limiter --help' 'limiter create --help' 'list --help' 'limiter check a b c --help'; do
	# shellcheck disable=SC2086
	run weir $words
	status_is 0 "weir $words succeeds"
	words=${words%--help}
	words=${words%a b c }
	output_like "^Usage: weir ${words% }" "weir $words--help prints the usage"
done

# -h and the command help.
for words in '--help:-h' '--help:help' 'limiter --help:help limiter' 'limiter --help:limiter -h' \
	'limiter --help:limiter help' 'limiter create --help:help limiter create' 'list --help:help list' \
	'--version:-V'; do
	# shellcheck disable=SC2086
	wanted=$(weir ${words%:*})
	# shellcheck disable=SC2086
	prints "$wanted" ${words#*:}
done
refuses "no such command: 'chec'" help chec
refuses "limiter: no such verb: 'chec'" help limiter chec

# A failed write of the output is an error, whatever the answer was.
for words in 'list' 'list --json' 'status' 'check cli.l:a' 'counter read cli.c' 'limiter keys cli.l' '--help' '--version'; do
	command="weir $words >/dev/full"
	: >"$work/out"
	# shellcheck disable=SC2086
	weir $words >/dev/full 2>"$work/err"
	status=$?
	all_is 2 '' 'weir: cannot write the output: No space left on device' "$command"
done
command='weir list >&-'
weir list >&- 2>"$work/err"
status=$?
all_is 2 '' 'weir: cannot write the output: Bad file descriptor' 'closed standard output'
command='weir counter add >&-'
weir counter add cli.c 1 >&- 2>"$work/err"
status=$?
all_is 0 '' '' 'closed standard output does not matter to a command that prints nothing'
prints 1 counter read cli.c

# Colours are used on terminals only, unless disabled.
command='weir list, on a terminal'
TERM=xterm script -qec 'weir list' /dev/null </dev/null >"$work/out" 2>"$work/err"
status=$?
output_like $'\e\\[1mKIND' 'headings are bold on a terminal'
TERM=xterm NO_COLOR=1 script -qec 'weir list' /dev/null </dev/null >"$work/out"
! grep -q $'\e' "$work/out"
result $? 'headings are not bold with NO_COLOR' <<<''
TERM=dumb script -qec 'weir list' /dev/null </dev/null >"$work/out"
! grep -q $'\e' "$work/out"
result $? 'headings are not bold on a dumb terminal' <<<''

end_tests
