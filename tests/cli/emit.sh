#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weir emit, and how weir events shows it

. "$(dirname "$0")/lib.sh"

# Skip events of earlier tests.
from=$(weir status --json | jq .event_next)
long=$(printf 'x%.0s' {1..160})

prints '' emit 'one record'
prints '' emit --tag backup several   words
prints '' emit $'tab\there \e]0;title\a and \\x1b' 'grün'
prints '' emit $'not \xff UTF-8'
prints '' emit "$long"
prints '' emit -- --tag x
prints '' emit --tag dash -- - -

# people SEQ: the event as text, from its type on, without the number of the process
people() {
	run weir events --from "$1"
	undated '1!d; s/\([0-9]+\)/(PID)/'
}
people "$from"
output_is 'record by root (PID): one record' 'a record'
people $((from + 1))
output_is 'record backup by root (PID): several words' 'with a tag'
people $((from + 2))
output_is 'record by root (PID): tab\x09here \x1b]0;title\x07 and \x5cx1b grün' 'control characters are printed as escapes'
people $((from + 3))
output_is 'record by root (PID): not \xff UTF-8' 'bytes that are not UTF-8 are printed as escapes'

run weir events --from "$from" --json
sed -i 's/"seq":[0-9]*,"time_ns":[0-9]*,//; s/"pid":[0-9]*/"pid":0/' "$work/out"
output_is '{"type":"record","tag":null,"uid":0,"pid":0,"text":"one record"}
{"type":"record","tag":"backup","uid":0,"pid":0,"text":"several words"}
{"type":"record","tag":null,"uid":0,"pid":0,"text":"tab\there \u001B]0;title\u0007 and \\x1b gr\u00FCn"}
{"type":"record","tag":null,"uid":0,"pid":0,"text":"not \\xff UTF-8","text_hex":"6e6f7420ff205554462d38"}
{"type":"record","tag":null,"uid":0,"pid":0,"text":"'"$long"'"}
{"type":"record","tag":null,"uid":0,"pid":0,"text":"--tag x"}
{"type":"record","tag":"dash","uid":0,"pid":0,"text":"- -"}' 'the same in JSON'

next=$(weir status --json | jq .event_next)
refuses 'a record has at most 160 bytes' emit "${long}y"
refuses 'a record has at most 160 bytes' emit "$long" y
refuses 'nothing to emit' emit ''
refuses "tag 'a/b': not a name: 1 to 63 of A-Z a-z 0-9 . _ -, first a letter or digit" emit --tag a/b text
refuses 'emit: too few arguments: expected TEXT...' emit
is "$next" "$(weir status --json | jq .event_next)" 'a refused record is no event'

# lines of a pipe
run bash -c 'printf "first\n\n  second \nthird" | weir emit --tag log -'
all_is 0 '' '' 'emit takes lines from standard input'
run weir events --from "$next" --json
json_is '[.tag, .text]' '["log","first"]
["log","  second "]
["log","third"]' 'each line is a record, except for empty lines'
next=$(weir status --json | jq .event_next)
run bash -c "printf '%s\n' '$long' '${long}y' after | weir emit -"
all_is 2 '' 'weir: line 2: has more than 160 bytes; the lines before it were emitted' 'a line that is too long is an error'
run weir events --from "$next" --json
json_is '.text | length' 160 'the line before it was emitted'

# Each line is emitted when it arrives, not when the pipe is full or closed.
mkfifo "$work/pipe"
weir emit - <"$work/pipe" &
pid=$!
exec 7>"$work/pipe"
next=$(weir status --json | jq .event_next)
echo now >&7
for ((i = 0; i < 600; i++)); do
	(($(weir status --json | jq .event_next) == next)) || break
	sleep 0.1
done
run weir events --from "$next" --json
json_is .text '"now"' 'a line is emitted while the pipe is open'
exec 7>&-
wait $pid

# A reader that ships events is killed and started again after the last event that it shipped.
: >"$work/shipped"
ship() {
	weir events --follow --json --from "$1" >>"$work/shipped" &
	pid=$!
}
# shipped N: until that many lines have come
shipped() {
	local tries=0

	while (($(wc -l <"$work/shipped") < $1)) && ((tries++ < 600)); do
		sleep 0.1
	done
}
next=$(weir status --json | jq .event_next)
ship "$next"
seq 1 50 | weir emit -
shipped 50
kill -KILL $pid
wait $pid 2>/dev/null
# more than the kernel keeps
seq 51 5000 | weir emit -
ship "$(tail -n 1 "$work/shipped" | jq '.seq + (.lost // 1)')"
shipped $((50 + 1 + 1024))
kill $pid
wait $pid
cp "$work/shipped" "$work/out"
command='weir events --follow --json --from SEQ'
status=0
run jq -s -c '[(map(select(.type == "record")) | length), (map(.lost // 0) | add)]' "$work/shipped"
output_is '[1074,3926]' 'every missing record is reported as lost'
run jq -s -c '[.[] | .seq + (.lost // 1)] as $next | [range(1; length)] | map(. as $i | $next[$i - 1]) == $seqs' \
	--argjson seqs "$(jq -s -c '.[1:] | map(.seq)' "$work/shipped")" "$work/shipped"
output_is true 'the numbers of the events have no gap'
run jq -s -c 'map(select(.type == "record") | .text | tonumber) | [.[0], .[49], .[50], .[-1]]' "$work/shipped"
output_is '[1,50,3977,5000]' 'the records before and after the loss are the right ones'

end_tests
