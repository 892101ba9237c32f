#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weir status; a missing or wrong device

. "$(dirname "$0")/lib.sh"

run weir status
status_is 0 'status succeeds'
output_like '^module +[0-9.]+, ABI 1' 'status begins with version and ABI'
output_like 'features  counter limiter events transaction histogram emit gate breaker roster' 'status shows the features'

run weir status --json
status_is 0 'status --json succeeds'
json_is 'keys_unsorted' '["version","abi_version","library_version","features","objects","objects_max","total_keys","total_keys_max","own_objects","own_objects_max","own_keys","own_keys_max","event_first","event_next","now_ns","batch_max","fields_max","key_max","keys_max","handles_max"]' 'its members'
json_is '.abi_version' 1 'the ABI version is 1'
json_is '.features' '["counter","limiter","events","transaction","histogram","emit","gate","breaker","roster"]' 'the features, in JSON'
json_is '[.batch_max, .fields_max, .key_max, .keys_max]' '[1024,64,255,16777216]' 'the limits, in JSON'
json_is '.now_ns > 0 and .event_first <= .event_next' 'true' 'time and event numbers are consistent'

before=$(jq .objects "$work/out")
weir counter create cli.status
run weir status --json
json_is '.objects' $((before + 1)) 'status counts a new object'

refuses "status: too many arguments, from 'x' on" status x
prints "weir $(<"$(dirname "$0")/../../VERSION")" --version

# Private /dev: one without the device, one with something else in its place.
run unshare -m sh -c 'mount -t tmpfs none /dev && exec weir status'
all_is 2 '' 'weir: cannot open /dev/weir: no such device; is the module loaded? (modprobe weir)' 'no device: the message names modprobe'
run unshare -m sh -c 'mount --bind /dev/null /dev/weir && exec weir status'
all_is 2 '' 'weir: cannot ask /dev/weir: the kernel module does not know this call' 'another device at /dev/weir'

end_tests
