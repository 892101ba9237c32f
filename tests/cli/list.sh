#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weir list

. "$(dirname "$0")/lib.sh"

weir counter create cli.sum a b
weir counter create cli.seq --type sequence --mode 0640
weir limiter create cli.lim --rate 5/m --key ip --mode 644 --group 12345
weir limiter create cli.sum --rate 5/m --algorithm window
weir breaker create cli.lim --failures 2 --within 1h --open 1h --key u64 --mode 0600
weir breaker report cli.lim 7 failed
weir roster create cli.lim --max 5 --mode 0640
weir roster put cli.lim ann '' > /dev/null
weir check cli.lim:192.0.2.1 >/dev/null
weir check cli.lim:192.0.2.2 >/dev/null

run weir list
status_is 0 'list succeeds'
output_like '^KIND     TYPE      MODE OWNER      GROUP          KEYS  NAME' 'a line of headings'
grep 'cli\.' "$work/out" >"$work/ours"
cp "$work/ours" "$work/out"
output_is 'counter  sum       0760 root       root              -  cli.sum
counter  sequence  0640 root       root              -  cli.seq
limiter  bucket    0644 root       12345             2  cli.lim
limiter  window    0760 root       root              0  cli.sum
breaker  -         0600 root       root              1  cli.lim
roster   -         0640 root       root              1  cli.lim' 'objects in the order of creation'

run weir list --json
status_is 0 'list --json succeeds'
json_is '[.[] | select(.name | startswith("cli.")) | del(.id)]' '[{"kind":"counter","name":"cli.sum","type":"sum","mode":"0760","owner":0,"uid":0,"gid":0,"keys":null},{"kind":"counter","name":"cli.seq","type":"sequence","mode":"0640","owner":0,"uid":0,"gid":0,"keys":null},{"kind":"limiter","name":"cli.lim","type":"bucket","mode":"0644","owner":0,"uid":0,"gid":12345,"keys":2},{"kind":"limiter","name":"cli.sum","type":"window","mode":"0760","owner":0,"uid":0,"gid":0,"keys":0},{"kind":"breaker","name":"cli.lim","type":null,"mode":"0600","owner":0,"uid":0,"gid":0,"keys":1},{"kind":"roster","name":"cli.lim","type":null,"mode":"0640","owner":0,"uid":0,"gid":0,"keys":1}]' 'every member'
json_is '[.[].id] == ([.[].id] | sort | unique)' true 'ids are unique and in ascending order'

run weir list limiter --json
json_is '[.[] | select(.name | startswith("cli.")) | .name]' '["cli.lim","cli.sum"]' 'list limiter shows no counters'
run weir list counter --json
json_is '[.[] | select(.name | startswith("cli.")) | .name]' '["cli.sum","cli.seq"]' 'list counter shows no limiters'

refuses "no such kind of object: 'limit'" list limit
refuses "no such kind of object: 'limiters'" list limiters
refuses "list: too many arguments, from 'x' on" list counter x

# An empty list is a list in JSON.
weir counter delete cli.sum
weir counter delete cli.seq
run weir list counter --json
json_is '[.[] | select(.name | startswith("cli."))]' '[]' 'deleted objects are not listed'

end_tests
