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
cli.open' 'a list shows what one may observe'

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
denies "limiter 'cli.open': permission denied: needs to be its owner or root" limiter keys cli.open
denies "limiter 'cli.open': permission denied: needs to be its owner or root" limiter forget cli.open

# A user who may observe a roster may list its leases.
weir roster create cli.hidden --max 5 --mode 0660
weir roster create cli.shown --max 5 --mode 0664
weir roster create cli.open --max 5 --mode 0666
weir roster put cli.shown ann here >/dev/null
denies "roster 'cli.hidden': permission denied: needs r in its mode" roster list cli.hidden
lets here roster get cli.shown ann
run as weir roster list cli.shown --json
json_is '[.[].key]' '["ann"]' 'with r it can be listed'
denies "roster 'cli.shown': permission denied: needs r and w in its mode" roster claim cli.shown bob
denies "roster 'cli.shown': permission denied: needs r and w in its mode" roster claim cli.shown bob -- echo no
denies "roster 'cli.shown': permission denied: needs r and w in its mode" roster remove cli.shown ann
lets '[1]' roster claim cli.open bob -- sh -c "weir roster list cli.open --json | jq -c '[.[].version]'"
denies "roster 'cli.open': permission denied: needs to be its owner or root" roster delete cli.open

# User nobody owns the objects it creates.
lets '' counter create cli.theirs
denies "counter 'cli.open': exists already" counter create cli.open
denies "counter 'cli.hidden': exists already" counter create cli.hidden
denies "counter 'cli.x': permission denied: you are not in the group of --group" counter create cli.x --group root
lets '' counter add cli.theirs 3
lets 3 counter take cli.theirs
lets '' counter delete cli.theirs

end_tests
