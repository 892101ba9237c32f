#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weir limiter create, set, show, delete

. "$(dirname "$0")/lib.sh"

stats0='"stats":{"keys":0,"allowed":0,"limited":0,"banned":0,"strikes":0,"bans":0,"evicted":0,"expired":0,"full":0,"stricter":0,"looser":0,"missed":0}'

prints '' limiter create cli.plain --rate 5/s
run weir limiter show cli.plain --json
status_is 0 'show --json succeeds'
json_is . '{"name":"cli.plain","algorithm":"bucket","tokens":5,"period_ns":1000000000,"burst":5,"key_type":"none","prefix4":null,"prefix6":null,"max_keys":1,"when_full":"refuse","strikes":0,"within_ns":600000000000,"ban_ns":[],"forget_after_ns":0,"ban_jitter_ns":0,"queue_max":0,"shadow":false,"candidate":null,'"$stats0"'}' 'the defaults'

prints '' limiter create cli.all --rate=30/60s --burst 7 --algorithm bucket --key ip \
	--prefix 24,56 --max-keys 100 --when-full allow --strikes 3 --within 1h30m \
	--ban 10m,1h,24h --ban-jitter 5m --forget-after 7d --mode 0600 --group root
run weir limiter show cli.all --json
json_is . '{"name":"cli.all","algorithm":"bucket","tokens":30,"period_ns":60000000000,"burst":7,"key_type":"ip","prefix4":24,"prefix6":56,"max_keys":100,"when_full":"allow","strikes":3,"within_ns":5400000000000,"ban_ns":[600000000000,3600000000000,86400000000000],"forget_after_ns":604800000000000,"ban_jitter_ns":300000000000,"queue_max":0,"shadow":false,"candidate":null,'"$stats0"'}' 'every option arrives'
prints 'rate       30/m, burst 7, bucket
keys       ip/24,56, 0 of 100 in use, allow when full
bans       after 3 strikes within 1h30m, for 10m,1h,1d and up to 5m more, forgotten after 7d
allowed    0
limited    0
banned     0
full       0
strikes    0
bans total 0
dropped    0 to make room, 0 in time' limiter show cli.all

prints '' limiter create cli.window --rate 10/m --algorithm window --key text
prints '' limiter create cli.sliding --rate 10/m --algorithm sliding
run weir limiter show cli.sliding --json
json_is '[.algorithm, .burst]' '["sliding",10]' 'a sliding window'
run weir limiter check cli.sliding --cost 10
status_is 0 'a sliding window allows all its tokens'
run weir limiter check cli.sliding
status_is 1 'a sliding window allows no more'
run weir limiter show cli.window --json
json_is '[.algorithm, .burst, .key_type, .max_keys, .prefix4]' '["window",10,"text",65536,null]' 'a window over text keys'

prints "limiter 'cli.plain' existed; nothing was made" limiter create cli.plain --rate 1/s --existing-ok
run weir limiter show cli.plain --json
json_is .tokens 5 '--existing-ok changes nothing of an existing limiter'
refuses "limiter 'cli.plain': exists already" limiter create cli.plain --rate 5/s

# refused options of create; each message names the option
refuses 'limiter create: --rate is missing' limiter create cli.x
for rate in 5 5/ /s 5/60 0/s 5/0s -5/s 5/sx ' 5/s' 5/s/s; do
	refuses "--rate '$rate': not a rate such as 5/s, 100/m or 30/60s" limiter create cli.x --rate "$rate"
done
range="must be 1 to 4294967295 tokens in at most 100 days"
refuses "--rate '4294967296/s': $range" limiter create cli.x --rate 4294967296/s
refuses "--rate '1/101d': $range" limiter create cli.x --rate 1/101d
refuses "--rate '99999999999999999999/s': $range" limiter create cli.x --rate 99999999999999999999/s
refuses "--burst '0': must be from 1 to 4294967295" limiter create cli.x --rate 5/s --burst 0
refuses "--burst '1k': not a whole number" limiter create cli.x --rate 5/s --burst 1k
refuses "--algorithm 'buck': must be bucket, window or sliding" limiter create cli.x --rate 5/s --algorithm buck
refuses "--key 'ipv4': must be none, u64, ip or text" limiter create cli.x --rate 5/s --key ipv4
refuses "--prefix: only for --key ip" limiter create cli.x --rate 5/s --key text --prefix 24
refuses "--prefix '33': must be 1 to 32, or that and 1 to 128, as in 24,56" limiter create cli.x --rate 5/s --key ip --prefix 33
refuses "--max-keys '16777217': must be from 1 to 16777216" limiter create cli.x --rate 5/s --key ip --max-keys 16777217
refuses "--max-keys: the limiter has no keys; see --key" limiter create cli.x --rate 5/s --max-keys 2
refuses "--when-full 'deny': must be refuse or allow" limiter create cli.x --rate 5/s --when-full deny
refuses "--strikes needs --ban: how long is the ban?" limiter create cli.x --rate 5/s --strikes 3
refuses "--ban needs --strikes: how many of them lead to it?" limiter create cli.x --rate 5/s --ban 10m
refuses "--ban '10': not durations such as 10m,1h,24h" limiter create cli.x --rate 5/s --strikes 3 --ban 10
refuses "--ban '1us': must be 1 to 8 durations from 1ms to 3650d" limiter create cli.x --rate 5/s --strikes 3 --ban 1us
refuses "--ban '1s,1s,1s,1s,1s,1s,1s,1s,1s': must be 1 to 8 durations from 1ms to 3650d" limiter create cli.x --rate 5/s --strikes 3 --ban 1s,1s,1s,1s,1s,1s,1s,1s,1s
refuses "--within '10': not a duration such as 250ms, 5s, 10m, 24h or 1h30m" limiter create cli.x --rate 5/s --within 10
refuses "--within '101d': must be from 1ms to 100d" limiter create cli.x --rate 5/s --within 101d
refuses '--within needs --strikes: how many of them lead to a ban?' limiter create cli.x --rate 5/s --within 10m
refuses "--forget-after '3651d': must be from 0s to 3650d" limiter create cli.x --rate 5/s --forget-after 3651d
refuses "--ban-jitter '366d': must be from 0s to 365d" limiter create cli.x --rate 5/s --ban-jitter 366d
refuses "--burst: a window has none" limiter create cli.x --rate 5/s --burst 6 --algorithm window
refuses "--burst: a window has none" limiter create cli.x --rate 5/s --burst 6 --algorithm sliding
refuses "--rate '5/9ms': a window has 1 to 134217727 tokens in at least 10ms" limiter create cli.x --rate 5/9ms --algorithm window
refuses "limiter 'cli.x': these numbers together cannot be kept exactly" limiter create cli.x --rate 1/100d --burst 1000
run weir list limiter
! grep -q 'cli\.x' "$work/out"
result $? 'none of these created a limiter' <<<''

# set
prints '' limiter set cli.all --rate 60/m --burst 9 --max-keys 50 --when-full refuse --within 5m --ban-jitter 0s --forget-after 1d
run weir limiter show cli.all --json
json_is '[.tokens, .period_ns, .burst, .max_keys, .when_full, .within_ns, .ban_jitter_ns, .forget_after_ns]' '[60,60000000000,9,50,"refuse",300000000000,0,86400000000000]' 'set changes the members given'
json_is '[.strikes, .ban_ns, .key_type, .prefix4]' '[3,[600000000000,3600000000000,86400000000000],"ip",24]' 'set changes no other member'
prints '' limiter set cli.all --strikes 5
prints '' limiter set cli.all --ban 1m,2m
run weir limiter show cli.all --json
json_is '[.strikes, .ban_ns]' '[5,[60000000000,120000000000]]' 'strikes and ladder are set by two calls'
prints '' limiter set cli.all --strikes 0
run weir limiter show cli.all --json
json_is '[.strikes, .ban_ns]' '[0,[]]' 'without strikes there is no ladder'
refuses "--strikes needs --ban: how long is the ban?" limiter set cli.all --strikes 2
refuses "--ban needs --strikes: how many of them lead to it?" limiter set cli.all --ban 2m
refuses 'limiter set: nothing to set' limiter set cli.all
refuses "no such option: '--key'" limiter set cli.all --key text
refuses "no such option: '--prefix'" limiter set cli.all --prefix 24
refuses "limiter 'cli.none': no such object" limiter set cli.none --rate 5/s
prints '' limiter set cli.window --rate 20/m
run weir limiter show cli.window --json
json_is '[.tokens, .burst]' '[20,20]' "a window's burst follows its rate"
refuses "limiter 'cli.plain': the kernel module refuses a value" limiter set cli.plain --max-keys 2

# State that set keeps; tests/selftest/live checks every member.
weir limiter create cli.live --rate 10/100d --key text --strikes 5 --within 1d --ban 2h
weir limiter check cli.live bob --cost 4 >/dev/null
prints '' limiter set cli.live --rate 20/100d
prints 'allowed, 2 of 10 left' limiter peek cli.live bob
prints '' limiter set cli.live --rate 10/100d --burst 20
prints 'allowed, 16 of 20 left' limiter peek cli.live bob
weir limiter strike cli.live bob 3 >/dev/null
prints '' limiter set cli.live --strikes 3 --ban 4h
prints 'allowed, 16 of 20 left, 3 strikes' limiter peek cli.live bob
weir limiter strike cli.live bob >/dev/null
prints '' limiter set cli.live --ban 1h --within 1s
run weir limiter peek cli.live bob
output_like '^banned for (4h|3h59m)$' 'set does not change the end of a present ban'

run weir limiter set --help
kept=$(grep -o 'Kept:' "$work/out" | wc -l)
[[ $(grep -c '^  --' "$work/out") == $((kept + 1)) ]]
result $? 'help says for each option except --help which state is kept' <<<"$kept"

refuses "limiter 'cli.none': no such object" limiter show cli.none
refuses "limiter 'cli.all': --max-keys cannot be raised beyond eight times its value at creation" limiter set cli.all --max-keys 5000
prints '' limiter delete cli.all
refuses "limiter 'cli.all': no such object" limiter delete cli.all

end_tests
