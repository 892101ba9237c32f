#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weir limiter create --candidate-of, set --candidate, and the output about candidates

. "$(dirname "$0")/lib.sh"

file=$work/state

weir limiter create cli.live --rate 10/100d --key ip --prefix 24,56 --max-keys 77 --strikes 5 --within 1d --ban 1h,2h --ban-jitter 1m --forget-after 3d --queue-max 9
prints '' limiter create cli.new --candidate-of cli.live --rate 4/100d --burst 4 --max-keys 99
run weir limiter show cli.new --json
json_is '[.tokens, .burst, .key_type, .prefix4, .prefix6, .max_keys, .strikes, .within_ns, .ban_ns, .ban_jitter_ns, .forget_after_ns, .queue_max, .candidate]' \
	'[4,4,"ip",24,56,99,5,86400000000000,[3600000000000,7200000000000],60000000000,259200000000000,9,null]' 'the new candidate has the configuration of the live limiter, except for the options given'
run weir limiter show cli.live --json
json_is '[.tokens, .candidate.name, .candidate.stats.allowed]' '[10,"cli.new",0]' 'the live limiter has it as its candidate'

prints 'allowed, 6 of 10 left' limiter check cli.live 192.0.2.1 --cost 4
prints 'allowed, 5 of 10 left; the candidate would have refused' limiter check cli.live 192.0.2.2
run weir limiter check cli.live 192.0.2.3 --json
json_is '[.verdict, .remaining, .candidate_differs]' '["allowed",4,true]' 'check, in JSON'
prints 'cli.live:192.0.2.1: allowed, 3 of 10 left; the candidate would have refused
cli.live:198.51.100.1: allowed, 9 of 10 left' check cli.live:192.0.2.1 cli.live:198.51.100.1
run weir limiter show cli.live
output_like $'\ncandidate  cli.new, stricter in 3 checks, looser in 0\n' 'show of the live limiter counts disagreements'
run weir limiter show cli.new
output_like $'\nas candidate stricter in 3 checks, looser in 0, missed 0$' 'show of the candidate counts disagreements'
run weir limiter show cli.live --json
json_is '.candidate.stats | [.allowed, .limited, .stricter, .looser, .missed]' '[2,3,3,0,0]' 'show, in JSON: totals of the candidate'
json_is '.stats | [.allowed, .limited, .stricter, .looser]' '[5,0,0,0]' "the totals of the live limiter do not include the candidate's"
run cat /sys/kernel/weir/limiters/cli.new/{stricter,looser,missed}
output_is $'3\n0\n0' 'totals of the candidate in sysfs'
prints '' limiter set cli.new --burst 20
weir limiter check cli.live 192.0.2.1 --cost 3 >/dev/null
answers 1 'limited, try again in 10d; the candidate would have allowed it, 1 strike' limiter check cli.live 192.0.2.1

# make an unrelated limiter the candidate, and remove it again
weir limiter create cli.other --rate 5/s --key ip
prints '' limiter set cli.live --candidate cli.other
run weir limiter show cli.live --json
json_is .candidate.name '"cli.other"' 'set --candidate'
prints '' limiter set cli.live --candidate none
run weir limiter show cli.live --json
json_is .candidate null 'set --candidate none'
run weir limiter show cli.live
! grep -q candidate "$work/out"
result $? 'show does not mention a candidate then' <<<''
prints '' limiter set cli.live --candidate cli.new --queue-max 8
weir limiter delete cli.new
run weir limiter show cli.live --json
json_is '[.candidate, .queue_max]' '[null,8]' 'a deleted candidate is shown as none'

# refused command lines
refuses "limiter 'cli.none': no such object" limiter set cli.live --candidate cli.none
refuses "limiter '-': not a name: 1 to 63 of A-Z a-z 0-9 . _ -, first a letter or digit" limiter set cli.live --candidate -
refuses "limiter 'cli.live': its candidate must be another limiter with the same type of keys" limiter set cli.live --candidate cli.live
weir limiter create cli.text --rate 5/s --key text
refuses "limiter 'cli.live': its candidate must be another limiter with the same type of keys" limiter set cli.live --candidate cli.text
refuses "limiter 'cli.none': no such object" limiter create cli.x --candidate-of cli.none
refuses "limiter create: --key: the candidate has the keys of 'cli.live'" limiter create cli.x --candidate-of cli.live --key u64
refuses "--strikes needs --ban: how long is the ban?" limiter create cli.x --candidate-of cli.text --strikes 2
refuses "limiter 'cli.other': exists already" limiter create cli.other --candidate-of cli.live
refuses "limiter 'cli.text': cannot become the candidate: the kernel module refuses a value" limiter create cli.text --candidate-of cli.live --existing-ok
run weir list limiter
[[ $(grep -c 'cli\.' "$work/out") == 3 ]]
result $? 'none of these made or deleted anything' <<<''
prints "limiter 'cli.other' existed; nothing was made" limiter create cli.other --candidate-of cli.live --existing-ok
run weir limiter show cli.live --json
json_is .candidate.name '"cli.other"' 'an existing limiter may become the candidate'

# other algorithms, without strikes
prints '' limiter create cli.window --candidate-of cli.live --algorithm window --strikes 0
run weir limiter show cli.window --json
json_is '[.algorithm, .tokens, .burst, .strikes, .ban_ns]' '["window",10,10,0,[]]' 'another algorithm'

# saved: the candidate comes later in the file, and earlier
weir limiter set cli.other --candidate cli.live
weir save "$file" >/dev/null
for name in live other window text; do weir limiter delete "cli.$name"; done
prints 'restored 4 of 4 objects' restore "$file"
run weir limiter show cli.live --json
json_is .candidate.name '"cli.window"' 'restore: a candidate that comes later in the file'
run weir limiter show cli.other --json
json_is .candidate.name '"cli.live"' 'restore: a candidate that comes earlier in the file'
weir limiter delete cli.text
weir limiter set cli.live --candidate none
prints 'restored 1 of 4 objects' restore --existing-ok "$file"
run weir limiter show cli.live --json
json_is .candidate null '--existing-ok does not change the candidate of an existing limiter'

weir events >"$work/events" 2>/dev/null
grep -q 'cli.live.*candidate' "$work/events"
result $? 'the event names the changed member' <"$work/events"

end_tests
