#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weir counter: histograms

. "$(dirname "$0")/lib.sh"

files=/sys/kernel/weir/counters/cli.h

prints '' counter create cli.h --type histogram
prints 'count  0
sum    0
mean   -
min    -
p50    -
p90    -
p99    -
p99.9  -
max    -' counter read cli.h
run weir counter read cli.h --json
json_is . '{"name":"cli.h","type":"histogram","count":0,"sum":0,"mean":null,"min":null,"max":null,"percentiles":{"p50":null,"p90":null,"p99":null,"p99.9":null},"buckets":[]}' 'an empty histogram, in JSON'
prints - counter read cli.h p50

# 1 to 10, then 1000
prints '' counter observe cli.h 1 2 3 4 5
prints '' counter observe cli.h 10 9 8 7 6
prints 5.5 counter read cli.h mean
prints 5 counter read cli.h p50
prints 6 counter read cli.h p50.0001
prints 1 counter read cli.h p0
prints 10 counter read cli.h p100.0000
prints '' counter observe cli.h 1000 --times 90
prints 'count  100
sum    90055
mean   900.55
min    1
p50    1023
p90    1023
p99    1023
p99.9  1023
max    1023' counter read cli.h
prints 10 counter read cli.h p10
prints 1023 counter read cli.h p10.1
run weir counter read cli.h p99.9 --json
json_is . '{"name":"cli.h","type":"histogram","p99.9":1023}' 'one field, in JSON'
run weir counter read cli.h --json
json_is 'del(.buckets)' '{"name":"cli.h","type":"histogram","count":100,"sum":90055,"mean":900.55,"min":1,"max":1023,"percentiles":{"p50":1023,"p90":1023,"p99":1023,"p99.9":1023}}' 'the whole histogram, in JSON'
json_is '.buckets | length, .[0], .[-1]' '11
{"low":1,"high":1,"count":1}
{"low":992,"high":1023,"count":90}' 'JSON has the non-empty buckets'

for pair in count:100 sum:90055 min:1 max:1023 p50:1023 p90:1023 p99:1023 p999:1023; do
	run cat "$files/${pair%:*}"
	output_is "${pair#*:}" "sysfs: ${pair%:*}"
done
run ls "$files"
output_is $'count\nmax\nmin\np50\np90\np99\np999\nsum' 'sysfs has no other file'

run weir counter take cli.h --json
json_is '[.count, .sum]' '[100,90055]' 'take prints what it takes'
prints 0 counter read cli.h count
run cat "$files/p99"
output_is 0 'sysfs shows 0 for a percentile without values'

# many values, from a pipe
run bash -c 'seq 1 5000 | weir counter observe cli.h -'
all_is 0 '' '' 'observe takes values from standard input'
prints 5000 counter read cli.h count
prints 12502500 counter read cli.h sum
prints 2559 counter read cli.h p50
run bash -c 'printf "1\n2\nthree\n4\n" | weir counter observe cli.h -'
all_is 2 '' "weir: line 3: 'three': not a whole number from 0 to 9223372036854775807; the lines before it are counted" 'a line that is not a number'
prints 5002 counter read cli.h count
run bash -c 'printf "7\n\n" | weir counter observe cli.h -'
status_is 2 'an empty line is an error'
run bash -c 'printf "1\0002\n" | weir counter observe cli.h -'
status_is 2 'a line with a NUL is an error'
prints 5003 counter read cli.h count
run bash -c 'printf 9 | weir counter observe cli.h - --times 2'
status_is 0 'the last line needs no newline'
prints 5005 counter read cli.h count

prints '' counter observe cli.h 9223372036854775807 0
prints 9223372036854775807 counter read cli.h max
prints 0 counter read cli.h min
refuses "N '9223372036854775808': must be from 0 to 9223372036854775807" counter observe cli.h 1 9223372036854775808
refuses "N '-1': not a whole number" counter observe cli.h 1 -1
refuses "N '1.5': not a whole number" counter observe cli.h 1.5
prints 5007 counter read cli.h count
refuses "--times '0': must be from 1 to 4294967296" counter observe cli.h 1 --times 0
refuses "--times '4294967297': must be from 1 to 4294967296" counter observe cli.h 1 --times 4294967297
for field in p p. p101 p100.0001 p1.23456 p99.9.9 p-1 p5. px 50 value p99999999999999999999; do
	refuses "counter 'cli.h': no such field: '$field'" counter read cli.h "$field"
done
refuses "counter observe: too few arguments: expected NAME N..." counter observe cli.h
refuses "counter 'cli.h': is a histogram: 'weir counter observe' counts in it" counter add cli.h 1
refuses "counter 'cli.h': this type of object does not do that" counter next cli.h
weir counter create cli.sum
refuses "counter 'cli.sum': this type of object does not do that" counter observe cli.sum 1
refuses "counter 'cli.none': no such object" counter observe cli.none 1
run weir list counter
output_like 'counter  histogram' 'list shows the type of the counter'

end_tests
