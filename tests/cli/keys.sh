#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weir limiter keys, and how keys are shown

. "$(dirname "$0")/lib.sh"

weir limiter create cli.ip --rate 9/100d --key ip --strikes 5 --within 1d --ban 2h --prefix 24,48
weir limiter create cli.text --rate 9/100d --key text

prints ' REMAINING  RESET IN  STRIKES  BANS    BANNED  KEY' limiter keys cli.ip
prints '[]' limiter keys cli.ip --json

weir limiter check cli.ip 192.0.2.7 --cost 9 >/dev/null
weir limiter strike cli.ip 198.51.100.1 2 >/dev/null
weir limiter strike cli.ip 2001:db8::1 5 >/dev/null
weir ban add cli.ip 203.0.113.9 24h >/dev/null
weir limiter check cli.ip 10.9.8.7 >/dev/null

run weir limiter keys cli.ip
status_is 0 'keys succeeds'
sed -i 1d "$work/out"
awk '{ print $NF "\t" $0 }' "$work/out" | sort | cut -f2- >"$work/sorted"
cp "$work/sorted" "$work/out"
output_like '^ +8 +1[12]d[0-9h]* +0 +0 +-  10\.9\.8\.0
 +0 +(100d|99d23h) +0 +0 +-  192\.0\.2\.0
 +9 +0 ms +2 +0 +-  198\.51\.100\.0
 +9 +0 ms +0 +1 +(2h|1h59m)  2001:db8::
 +9 +0 ms +0 +0 +(1d|23h59m)  203\.0\.113\.0$' 'a line for each key, cut to its prefix'

run weir limiter keys cli.ip --json
json_is '[.[] | {key, banned, strikes, bans, remaining}] | sort_by(.key)' '[{"key":"10.9.8.0","banned":false,"strikes":0,"bans":0,"remaining":8},{"key":"192.0.2.0","banned":false,"strikes":0,"bans":0,"remaining":0},{"key":"198.51.100.0","banned":false,"strikes":2,"bans":0,"remaining":9},{"key":"2001:db8::","banned":true,"strikes":0,"bans":1,"remaining":9},{"key":"203.0.113.0","banned":true,"strikes":0,"bans":0,"remaining":9}]' 'the same in JSON'
json_is '[.[] | keys_unsorted] | unique' '[["key","banned","banned_for_ns","strikes","bans","remaining","reset_after_ns"]]' 'the members of each key in JSON'

run weir limiter keys cli.ip --banned --json
json_is '[.[].key] | sort' '["2001:db8::","203.0.113.0"]' '--banned shows the banned'
run weir limiter keys cli.ip --top 10 --json
json_is '[.[].key]' '["203.0.113.0","2001:db8::","198.51.100.0","192.0.2.0","10.9.8.0"]' '--top: bans, strikes, spent'
run weir limiter keys cli.ip --top 3 --json
json_is '[.[].key]' '["203.0.113.0","2001:db8::","198.51.100.0"]' '--top 3 shows the first three'
run weir limiter keys cli.ip --banned --top 1 --json
json_is '[.[].key]' '["203.0.113.0"]' '--banned --top 1'
refuses "--top '0': must be from 1 to 100000" limiter keys cli.ip --top 0
refuses "limiter 'cli.gone': no such object" limiter keys cli.gone

# --prefix, of addresses: the limiter's keys are /24 and /48
for pair in 192.0.2.0/24=192.0.2.0 192.0.2.200=192.0.2.0 192.0.2.128/25=192.0.2.0 \
	10.0.0.0/8=10.9.8.0 8.0.0.0/6=10.9.8.0 12.0.0.0/6= 10.8.0.0/16= \
	192.0.0.0/14=192.0.2.0 2001:db8::/32=2001:db8:: 2001:db8:0:7::/64=2001:db8:: \
	2001:db8:1::/48= ::/0=2001:db8:: ::ffff:192.0.2.0/120=192.0.2.0; do
	run weir limiter keys cli.ip --prefix "${pair%=*}" --json
	wanted=${pair#*=}
	json_is '[.[].key]' "[${wanted:+\"$wanted\"}]" "--prefix ${pair%=*}: ${wanted:-none}"
done
run weir limiter keys cli.ip --prefix 0.0.0.0/0 --json
json_is '[.[].key] | sort' '["10.9.8.0","192.0.2.0","198.51.100.0","203.0.113.0"]' '--prefix 0.0.0.0/0: all of IPv4'
run weir limiter keys cli.ip --prefix=128.0.0.0/1 --top 2 --json
json_is '[.[].key]' '["203.0.113.0","198.51.100.0"]' '--prefix and --top: the keys of the block that are closest to refusal'
run weir limiter keys cli.ip --prefix 0.0.0.0/0 --banned --json
json_is '[.[].key]' '["203.0.113.0"]' '--prefix and --banned: keys to which both apply'
run weir limiter keys cli.ip --prefix 203.0.113.0/24
status_is 0 '--prefix succeeds'
output_like '^ REMAINING .*
 +9 +0 ms +0 +0 +(1d|23h59m)  203\.0\.113\.0$' '--prefix in text'
prints ' REMAINING  RESET IN  STRIKES  BANS    BANNED  KEY' limiter keys cli.ip --prefix 172.16.0.0/12
prints '[]' limiter keys cli.ip --prefix 172.16.0.0/12 --json
for bad in 192.0.2.7/24 192.0.2.0/33 2001:db8::/129 192.0.2 bob ''; do
	refuses "--prefix '$bad': not an address or block such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32" limiter keys cli.ip --prefix "$bad"
done

# --prefix, of text
for key in alice alice2 bob $'\xffx'; do
	weir limiter check cli.text "$key" >/dev/null
done
for pair in 'a=["alice","alice2"]' 'alice2=["alice2"]' 'alice22=[]' 'A=[]' 'bob=["bob"]' $'\xff=["\\\\xffx"]'; do
	run weir limiter keys cli.text --prefix "${pair%%=*}" --json
	json_is '[.[].key] | sort' "${pair#*=}" "--prefix ${pair@Q}"
done
refuses "--prefix '': must have 1 to 255 bytes" limiter keys cli.text --prefix ''
refuses "--prefix '$(printf '%0256d' 0)': must have 1 to 255 bytes" limiter keys cli.text --prefix "$(printf '%0256d' 0)"
for key in alice alice2 bob $'\xffx'; do
	weir limiter forget cli.text "$key"
done

# Keys of other types have no prefix.
weir limiter create cli.u64 --rate 9/100d --key u64
weir limiter create cli.none --rate 9/100d
for type in u64 none; do
	refuses "limiter 'cli.$type': --prefix is for keys of type ip or text, not $type" limiter keys cli.$type --prefix 1
done

# Control characters in an untrusted text key must not reach the terminal.
while IFS= read -r line; do
	key=$(printf '%b' "${line%% => *}")
	weir limiter check cli.text "$key" >/dev/null
	run weir limiter keys cli.text
	sed -i -e 1d -e 's/^.* -  //' "$work/out"
	output_is "${line#* => }" "shown as ${line#* => }"
	weir limiter forget cli.text "$key"
done <<'END'
bob => bob
-rf => -rf
DOMAIN\\user => DOMAIN\user
J\xc3\xb6rg \xe2\x82\xac => Jörg €
\x1b[31mred\x07 => \x1b[31mred\x07
one\ntwo => one\x0atwo
\xff\xfe => \xff\xfe
\xc2\x9b31m => \xc2\x9b31m
gpj.\xe2\x80\xaeexe => gpj.\xe2\x80\xaeexe
\\x1b => \x5cx1b
END

weir limiter check cli.text $'\xe2\x82\xac\e\\' >/dev/null
run weir limiter keys cli.text --json
json_is '.[0] | [.key, has("key_hex")]' '["€\u001b\\",false]' 'a UTF-8 key is exact in JSON'
! LC_ALL=C grep -q '[^ -~]' <(tr -d '\n' <"$work/out")
result $? 'JSON is written in ASCII' <<<''
weir limiter forget cli.text $'\xe2\x82\xac\e\\'
weir limiter check cli.text $'a\xff' >/dev/null
run weir limiter keys cli.text --json
json_is '.[0] | [.key, .key_hex]' '["a\\xff","61ff"]' 'a key that is not UTF-8 is in hexadecimal in JSON'

end_tests
