#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weir counter

. "$(dirname "$0")/lib.sh"

prints '' counter create cli.one
prints '' counter add cli.one 5
prints '' counter add cli.one -7
prints -2 counter read cli.one
prints '' counter add cli.one value=2
prints 0 counter read cli.one value
prints '' counter add cli.one 9223372036854775807
prints 9223372036854775807 counter read cli.one
prints '' counter add cli.one 1
prints -9223372036854775808 counter read cli.one

prints '' counter create cli.web requests bytes errors x y z
prints '' counter add cli.web bytes=512 requests=1
prints '' counter add cli.web x=1 z=3 y=2 errors=-1 bytes=1
prints 'requests  1
bytes     513
errors    -1
x         1
y         2
z         3' counter read cli.web
prints 513 counter read cli.web bytes
run weir counter read cli.web --json
status_is 0 'read --json succeeds'
json_is . '{"name":"cli.web","type":"sum","fields":{"requests":1,"bytes":513,"errors":-1,"x":1,"y":2,"z":3}}' 'every field'
run weir counter read cli.web bytes --json
json_is . '{"name":"cli.web","type":"sum","fields":{"bytes":513}}' 'one field'
run weir counter take cli.web --json
json_is '.fields' '{"requests":1,"bytes":513,"errors":-1,"x":1,"y":2,"z":3}' 'take --json'
prints 0 counter read cli.web bytes
prints '' counter add cli.web bytes=7
prints 'requests  0
bytes     7
errors    0
x         0
y         0
z         0' counter take cli.web

prints '' counter create cli.seq --type sequence
prints 0 counter read cli.seq
prints 1 counter next cli.seq
prints '2 11' counter next cli.seq --count 10
prints '12 12' counter next cli.seq --count 1
run weir counter next cli.seq --count=2 --json
json_is . '{"name":"cli.seq","first":13,"last":14}' 'next --json'
run weir counter read --json cli.seq
json_is . '{"name":"cli.seq","type":"sequence","fields":{"value":14}}' 'read --json of a sequence'
prints '15 4294967310' counter next cli.seq --count 4294967296

prints "counter 'cli.web' existed; nothing was made" counter create cli.web --existing-ok
refuses "counter 'cli.web': exists already" counter create cli.web
refuses "counter '.x': not a name: 1 to 63 of A-Z a-z 0-9 . _ -, first a letter or digit" counter create .x
refuses "field 'b/c': not a name: 1 to 63 of A-Z a-z 0-9 . _ -, first a letter or digit" counter create cli.x a b/c
refuses "field 'a' is given twice" counter create cli.x a b a
prints '' counter create cli.first --type sequence --first 9223372036854775806
prints 9223372036854775806 counter next cli.first
prints 9223372036854775807 counter next cli.first
refuses '--first: only for --type sequence' counter create cli.x --first 2
refuses 'a sequence has no fields' counter create cli.x a --type sequence
refuses 'a histogram has no fields' counter create cli.x a --type histogram
refuses "--type 'mean': must be sum, sequence or histogram" counter create cli.x --type mean
refuses "--mode '1777': has only r (4), w (2) and x (1), as in 0764" counter create cli.x --mode 1777
refuses "--mode '8': not octal digits such as 0760" counter create cli.x --mode 8
refuses "--group 'no such': no such group" counter create cli.x --group 'no such'
# shellcheck disable=SC2046
refuses 'a counter has at most 64 fields' counter create cli.x $(seq 1 65)
# shellcheck disable=SC2046
prints '' counter create cli.x $(seq 1 64)

refuses "N '1x': not a whole number" counter add cli.one 1x
refuses "N '9223372036854775808': number too large" counter add cli.one 9223372036854775808
refuses "N '': not a whole number" counter add cli.one ''
refuses "counter 'cli.web': has 6 fields: tell which, as FIELD=N" counter add cli.web 1
refuses "counter 'cli.web': no such field: 'byte'" counter add cli.web byte=1
refuses "bytes '1.5': not a whole number" counter add cli.web bytes=1.5
refuses "field 'bytes' is given twice" counter add cli.web bytes=1 bytes=1
refuses "'2': not FIELD=N" counter add cli.web bytes=1 2
refuses "counter 'cli.seq': is a sequence: 'weir counter next' counts it" counter add cli.seq 1
refuses "counter 'cli.web': no such field: 'byte'" counter read cli.web byte
refuses "counter 'cli.none': no such object" counter read cli.none
refuses "counter 'a b': not a name: 1 to 63 of A-Z a-z 0-9 . _ -, first a letter or digit" counter read 'a b'
refuses "counter 'cli.seq': this type of object does not do that" counter take cli.seq
refuses "counter 'cli.one': this type of object does not do that" counter next cli.one
refuses "--count '0': must be from 1 to 4294967296" counter next cli.seq --count 0
refuses "--count '-1': not a whole number" counter next cli.seq --count -1
refuses "counter create: too few arguments: expected NAME [FIELD...]" counter create
refuses "counter add: too few arguments: expected NAME N|FIELD=N..." counter add cli.one

prints '' counter delete cli.one
refuses "counter 'cli.one': no such object" counter delete cli.one

end_tests
