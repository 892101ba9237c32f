# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034 # the caller uses the variables
#
# Functions shared by the project's bash scripts. Sourced, not run; the caller has set
# "prog" to the name with which its messages begin.

weir_root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
weir_build=$weir_root/build
weir_cache=${WEIR_CACHE:-${XDG_CACHE_HOME:-/var/cache}/weir}

say() {
	printf '%s: %s\n' "${prog:-weir}" "$*" >&2
}

die() {
	say "$*"
	exit 1
}

# Mirrors may refuse a connection; this must not end a run of half an hour.
retry() {
	local try

	for try in 1 2 3; do
		if "$@"; then
			return 0
		fi
		if ((try < 3)); then
			say "try $try of 3 failed: $*; again in $((try * 5)) s"
			sleep $((try * 5))
		fi
	done
	say "gave up after 3 tries: $*"
	return 1
}

need() {
	local tool

	for tool; do
		[[ -n $(type -P "$tool") ]] ||
			die "'$tool' is missing; as root, run scripts/bootstrap"
	done
}

jobs_count() {
	getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2
}
