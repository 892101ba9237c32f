#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Users other than root

. "$(dirname "$0")/lib.sh"

mode=$(stat -c %a /dev/weir)
# the checkout may be readable by root only: run a copy that every user can execute
common=$(mktemp -d)
chmod 755 "$common"
cp -L "$(dirname "$(type -P weir)")"/{weir,libweir.so.0} "$common/"
chmod -R a+rX "$common"
trap 'chmod "$mode" /dev/weir; rm -rf "$common"; cleanup' EXIT
cd /

# as COMMAND...: run it as user nobody, without groups
# shellcheck disable=SC2317 # run calls it
as() {
	PATH=$common:$PATH LD_LIBRARY_PATH=$common \
		setpriv --reuid=65534 --regid=65534 --clear-groups -- "$@"
}

# denies MESSAGE ARGUMENT...
denies() {
	local message=$1

	shift
	run as weir "$@"
	all_is 2 '' "weir: $message" "$command: $message"
}

# lets TEXT ARGUMENT...
lets() {
	local text=$1

	shift
	run as weir "$@"
	all_is 0 "$text" '' "$command"
}

chmod 660 /dev/weir
for verb in 'status' 'list' 'events' 'counter read x' 'check x'; do
	# shellcheck disable=SC2086
	denies 'cannot open /dev/weir: permission denied; it takes root or group weir' $verb
done

chmod 666 /dev/weir
weir counter create cli.hidden --mode 0660
weir counter create cli.shown --mode 0664
weir counter create cli.open --mode 0666
weir limiter create cli.hidden --rate 5/100d --mode 0660
weir limiter create cli.shown --rate 5/100d --mode 0664
weir limiter create cli.open --rate 5/100d --mode 0666

run as weir list
grep -o 'cli\..*' "$work/out" >"$work/names"
cp "$work/names" "$work/out"
output_is 'cli.shown
cli.open
cli.shown
cli.open' 'list shows the objects that the user may observe'

denies "counter 'cli.hidden': permission denied: needs r in its mode" counter read cli.hidden
lets 0 counter read cli.shown
denies "counter 'cli.shown': permission denied: needs r and w in its mode" counter add cli.shown 1
lets '' counter add cli.open 1
denies "counter 'cli.open': permission denied: needs to be its owner or root" counter take cli.open
denies "counter 'cli.open': permission denied: needs to be its owner or root" counter delete cli.open
denies "limiter 'cli.hidden': permission denied: needs r in its mode" limiter show cli.hidden
denies "limiter 'cli.hidden': permission denied: needs r and w in its mode" check cli.hidden
lets 'allowed, 5 of 5 left' limiter peek cli.shown
denies "limiter 'cli.shown': permission denied: needs r and w in its mode" check cli.shown
lets 'allowed, 4 of 5 left' check cli.open
lets 'allowed, 5 of 5 left' limiter refund cli.open 1
denies "limiter 'cli.open': permission denied: needs to be its owner or root" ban add cli.open 10m
denies "limiter 'cli.open': permission denied: needs to be its owner or root" limiter set cli.open --rate 9/s
denies "limiter 'cli.open': permission denied: needs r and x in its mode" limiter keys cli.open
denies "limiter 'cli.open': permission denied: needs r and x in its mode" ban list cli.open
weir limiter create cli.keys --rate 5/100d --key text --mode 0705
weir check cli.keys:ann >/dev/null
run as weir limiter keys cli.keys --json
json_is '[.[].key]' '["ann"]' 'with r and x the keys can be listed'
denies "limiter 'cli.open': permission denied: needs to be its owner or root" limiter forget cli.open

# r permits to look up a lease by its key; x permits to list the leases.
weir roster create cli.hidden --max 5 --mode 0660
weir roster create cli.shown --max 5 --mode 0664
weir roster create cli.listed --max 5 --mode 0665
weir roster put cli.listed ann here >/dev/null
weir roster create cli.open --max 5 --mode 0667
weir roster put cli.shown ann here >/dev/null
denies "roster 'cli.hidden': permission denied: needs r and x in its mode" roster list cli.hidden
denies "roster 'cli.shown': permission denied: needs r and x in its mode" roster list cli.shown
lets here roster get cli.shown ann
run as weir roster list cli.listed --json
json_is '[.[].key]' '["ann"]' 'with r and x a roster can be listed'
denies "roster 'cli.shown': permission denied: needs r and w in its mode" roster claim cli.shown bob
denies "roster 'cli.shown': permission denied: needs r and w in its mode" roster claim cli.shown bob -- echo no
denies "roster 'cli.shown': permission denied: needs r and w in its mode" roster remove cli.shown ann
lets '[1]' roster claim cli.open bob -- sh -c "weir roster list cli.open --json | jq -c '[.[].version]'"
denies "roster 'cli.open': permission denied: needs to be its owner or root" roster delete cli.open

# The user "nobody" creates objects in its own namespace.
lets '' counter create cli.theirs
run weir counter read cli.theirs
all_is 2 '' "weir: counter 'cli.theirs': no such object" 'a plain name does not mean an object of nobody for root'
prints 0 counter read nobody/cli.theirs
prints 0 counter read 65534/cli.theirs
denies "counter 'cli.x': permission denied: you are not in the group of --group" counter create cli.x --group root
denies "counter 'root/cli.x': permission denied: only root creates for another user" counter create root/cli.x
lets '' counter add cli.theirs 3
lets 3 counter take cli.theirs
lets '' counter delete cli.theirs
refuses "counter 'none-such/cli.x': no such user: 'none-such'" counter read none-such/cli.x

# A name that another user took first does not affect root or other users.
lets '' limiter create cli.login --rate 1000000/s --mode 0666
prints '' limiter create cli.login --rate 5/100d --mode 0664 --existing-ok
prints "limiter 'cli.login' existed; nothing was made" limiter create cli.login --rate 5/100d --existing-ok
prints 'allowed, 4 of 5 left' check cli.login
lets 'allowed, 1000000 of 1000000 left' limiter peek cli.login
lets 'allowed, 4 of 5 left' limiter peek root/cli.login
lets '' limiter delete cli.login
lets 'allowed, 4 of 5 left' limiter peek cli.login
lets "limiter 'cli.login' of root existed; nothing was made" limiter create cli.login --rate 9/s --existing-ok
run as weir list limiter --json
json_is '[.[] | select(.name == "cli.login") | .owner]' '[0]' 'list shows the owner'

# Root creates and sees objects of other users.
prints '' counter create nobody/cli.gift
lets '' counter add cli.gift 7
prints 7 counter read nobody/cli.gift
run weir list
[[ $(grep -o 'nobody/cli.gift' "$work/out") == nobody/cli.gift ]]
result $? 'list shows the owner of an object of another user' <"$work/out"
run as weir list
[[ $(grep -o '[^ ]*cli.gift' "$work/out") == cli.gift ]]
result $? 'list shows no owner for the caller'"'"'s own objects' <"$work/out"
run weir save "$work/state"
lets '' counter delete cli.gift
weir list | while read -r kind _ _ _ _ _ name; do
	[[ ${name##*/} != cli.* ]] || weir "$kind" delete "$name"
done
run weir restore "$work/state"
lets 7 counter read cli.gift

# Each user has a stream of events.
run as weir events --json
jq -s 'map(select(.name == "cli.gift")) | length > 0' "$work/out" | grep -q true
result $? 'events has the events of the caller'"'"'s own objects' <"$work/out"
run weir events --json
jq -s 'map(select(.name == "cli.gift")) | length == 0' "$work/out" | grep -q true
result $? 'events has no events of objects of another user' <"$work/out"
run weir events --user nobody --json
jq -s 'map(select(.name == "cli.gift")) | length > 0' "$work/out" | grep -q true
result $? 'events --user has the events of that user' <"$work/out"
refuses "--user 'none-such': no such user" events --user none-such

end_tests
