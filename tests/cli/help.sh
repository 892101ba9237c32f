#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Help, manual page and completion agree. (No device is needed for this.)

. "$(dirname "$0")/lib.sh"

root=$(cd "$(dirname "$0")/../.." && pwd)
man=${WEIR_BUILD:-$root/build}/tools/weir.1

# sorted WORD...: sets "list" to the words, sorted, each once, on a line each; in bash, because
# the test machines are slow to start programs
sorted() {
	local -A seen=()
	local word i j
	local -a words=()

	for word; do
		[[ ${seen[$word]:-} ]] || words+=("$word")
		seen[$word]=1
	done
	for ((i = 1; i < ${#words[@]}; i++)); do
		word=${words[i]}
		for ((j = i; j > 0; j--)); do
			[[ ${words[j - 1]} > $word ]] || break
			words[j]=${words[j - 1]}
		done
		words[j]=$word
	done
	printf -v list '%s\n' "${words[@]}"
	list=${list%$'\n'}
}

# The commands of the manual page, without fonts and escapes: page[USAGE] has the options.
declare -A page=()
usage=
on=
while IFS= read -r line; do
	line=${line//\\f[BIR]/}
	line=${line//\\-/-}
	case $line in
	'.SH '*) [[ $line == '.SH COMMANDS' ]] && on=1 || on= ;;
	'weir '*) [[ -z $on ]] || usage=${line#weir } page[$usage]='--help' ;;
	'.RE') usage= ;;
	--*) [[ -z $on || -z $usage ]] || page[$usage]+=" ${line%% *}" ;;
	esac
done <"$man"

# Commands, from "  weir limiter create NAME ..." of the help: the lower-case words.
run weir --help
status_is 0 'weir --help succeeds'
cp "$work/out" "$work/help"
commands=()
declare -A usages=()
while IFS= read -r line; do
	[[ $line =~ ^'  weir '([a-z]+( [a-z]+)?)(.*) ]] || continue
	commands+=("${BASH_REMATCH[1]}")
	usages[${BASH_REMATCH[1]}]=${line#  weir }
done <"$work/help"
((${#commands[@]} == 56))
result $? 'weir --help has 56 commands' <<<"${#commands[@]}"
((${#page[@]} == 56))
result $? 'the manual page has 56 commands' <<<"${!page[*]}"

# offers WORD...: "$work/out" gets the completions of the last word, sorted
offers() {
	run weir --complete "$@"
	mapfile -t candidates <"$work/out"
	sorted "${candidates[@]}"
	echo "$list" >"$work/out"
}

offers ''
offered=$list
sorted "${commands[@]%% *}" --help --version
[[ $list == "$offered" ]]
result $? 'completion knows the same first words' <<<"$list"

for name in "${commands[@]}"; do
	read -ra words <<<"$name"
	run weir "${words[@]}" --help
	slurp "$work/out"
	usage=${text%%$'\n'*}
	usage=${usage#Usage: weir }
	[[ $usage == "${usages[$name]}" && ${page[$usage]:-} ]]
	result $? "help and manual page have: $usage" <<<''
	options=()
	while IFS= read -r line; do
		[[ $line != '  --'* ]] || options+=("${line:2}")
	done <"$work/out"
	sorted "${options[@]%% *}"
	wanted=$list
	# shellcheck disable=SC2086
	sorted ${page[$usage]:-}
	[[ $list == "$wanted" ]]
	result $? "the manual page has the options of: $name" <<<"$wanted, $list"
	offers "${words[@]}" --
	output_is "$wanted" "completion has the options of: $name"
done

offers limiter ''
offered=$list
verbs=(--help)
for name in "${commands[@]}"; do
	[[ $name != 'limiter '* ]] || verbs+=("${name#limiter }")
done
sorted "${verbs[@]}"
[[ $list == "$offered" ]]
result $? 'completion of a verb' <<<"$offered"
offers limiter create x --key ''
output_is 'ip
none
text
u64' 'completion of the value of an option'
offers limiter create x --key t
output_is 'text' 'completion considers the characters typed already'
offers nonsense ''
output_is '' 'no completion for an unknown command'

# The completion function of bash.
# shellcheck disable=SC1091
. "$root/packaging/completion/weir"
COMP_WORDS=(weir limiter ch) COMP_CWORD=2 COMPREPLY=()
_weir
printf '%s\n' "${COMPREPLY[@]}" >"$work/out"
output_is 'check' 'bash completes limiter ch'
COMP_WORDS=(weir counter create --type "=" seq) COMP_CWORD=5 COMPREPLY=()
_weir
printf '%s\n' "${COMPREPLY[@]}" >"$work/out"
output_is 'sequence' 'bash completes --type=seq'

if [[ -c /dev/weir ]]; then
	weir limiter create cli.one --rate 5/m
	weir counter create cli.two first second
	offers limiter check cli.
	output_is 'cli.one' 'completion: names of limiters'
	offers counter read cli.
	output_is 'cli.two' 'completion: names of counters'
	weir counter create three --type histogram
	offers counter read three p9
	output_is 'p90
p99
p99.9' 'completion: fields of a histogram'
	weir counter delete three
	weir gate create cli.three --permits 1
	offers gate run cli.
	output_is 'cli.three' 'completion: names of gates'
	weir breaker create cli.four --failures 1 --within 1s --open 1s
	offers breaker run cli.
	output_is 'cli.four' 'completion: names of breakers'
	offers breaker report cli.four ''
	output_is 'failed
ok
withdrawn' 'completion: outcomes of a call'
	weir roster create cli.five --max 1
	offers roster claim cli.
	output_is 'cli.five' 'completion: names of rosters'
	offers list ''
	output_is 'breaker
counter
gate
limiter
roster' 'completion: kinds of object'
	offers counter read cli.two ''
	output_is 'first
second' 'completion: names of fields'
fi

end_tests
