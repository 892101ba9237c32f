#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# usage: consumer.sh TOP OUT
#
# Tests of the installed library: the header compiles as C and C++,
# and header, symbol map, library, manual page and version agree.
set -u

top=$1
out=$2
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
count=0
failed=0

ok() {
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count $2"
	else
		echo "not ok $count $2"
		failed=1
	fi
}

same() {
	diff "$work/$1" "$work/$2" > "$work/diff"
	ok $? "$3"
	sed 's/^/# /' "$work/diff"
}

make -s -C "$top/tools" O="$(dirname "$out")" DESTDIR="$work/root" install \
	> "$work/log" 2>&1
ok $? 'it installs'
sed 's/^/# /' "$work/log"

prefix=$work/root/usr
cat > "$work/program.c" << 'END'
#include <weir.h>
#include <stdio.h>

int main(void)
{
	struct weir_key key;
	struct weir *weir = weir_open(WEIR_OPEN_READONLY);

	weir_key_u64(&key, 7);
	weir_close(weir);
	return puts(weir_lib_version()) < 0;
}
END
cp "$work/program.c" "$work/program.cc"
flags="-Wall -Wextra -Werror -isystem $prefix/include -L$prefix/lib"
# shellcheck disable=SC2086
${CC:-cc} -std=c11 $flags "$work/program.c" -o "$work/c" -lweir
ok $? 'a C program compiles'
# shellcheck disable=SC2086
${CXX:-c++} -std=c++11 $flags "$work/program.cc" -o "$work/cc" -lweir
ok $? 'a C++ program compiles'
# shellcheck disable=SC2086
${CC:-cc} $flags -static "$work/program.c" -o "$work/static" -lweir
ok $? 'a static program compiles'
for program in c cc static; do
	[ "$(LD_LIBRARY_PATH=$prefix/lib "$work/$program")" = \
		"$(cat "$top/VERSION")" ]
	ok $? "the $program program says the version in VERSION"
done
PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --exact-version \
	"$(cat "$top/VERSION")" libweir
ok $? 'pkg-config knows it'

# Names in the header, followed by a parenthesis, outside comments.
"${CC:-cc}" -E -P -I"$top/uapi" "$top/tools/lib/weir.h" |
	grep -oE '\bweir_[a-z0-9_]+ ?\(' | tr -d ' (' | sort -u > "$work/header"
sed -n 's/^\t\(weir_.*\);$/\1/p' "$top/tools/lib/libweir.map" | sort \
	> "$work/map"
nm -D --defined-only "$prefix/lib/libweir.so" |
	sed -n 's/.* T \(.*\)@@WEIR_0.1$/\1/p' | sort > "$work/library"
grep -oE 'weir_[a-z0-9_]+(\\fR)?\(' "$prefix/share/man/man3/libweir.3" |
	sed 's/[\\(].*//' | sort -u > "$work/man"
same header map 'header and symbol map name the same functions'
same map library 'the library exports exactly these'
same header man 'libweir(3) names them all'
nm -D --defined-only "$prefix/lib/libweir.so" | grep -vE ' (T weir_|A WEIR_0)' \
	> "$work/others"
[ ! -s "$work/others" ]
ok $? 'and the library exports nothing else'
sed -n 's/.*json_add([a-z]*, "\([a-z0-9_]*\)".*/\1/p' "$top"/tools/weir/*.c | sort -u \
	> "$work/members"
[ -s "$work/members" ] && while read -r member; do
	# after the heading: as a separate word in the formatted page
	sed -n '/^\.SH JSON/,/^\.SH EXIT/p' "$prefix/share/man/man1/weir.1" |
		grep -qw -- "$member" || echo "$member"
done < "$work/members" > "$work/untold"
[ ! -s "$work/untold" ]
ok $? 'weir(1) tells every member of the JSON'
sed 's/^/# /' "$work/untold"
objdump -p "$prefix/lib/libweir.so" | grep -q 'SONAME *libweir.so.0$'
ok $? 'its soname is libweir.so.0'
! objdump -p "$prefix/bin/weir" | grep -qE 'RPATH|RUNPATH'
ok $? 'the installed command has no path in it'


# hardened FILE: position-independent, no writable relocations, no executable stack,
# and at least one call of the stack protector and of a checked libc function
hardened() {
	readelf -W -h -l -d --dyn-syms "$1" > "$work/elf"
	for wanted in 'Type: *DYN' GNU_RELRO 'GNU_STACK .* RW ' '(FLAGS_1).* NOW' \
		__stack_chk_fail '_chk@'; do
		grep -q -- "$wanted" "$work/elf" || {
			echo "# $wanted: not found"
			return 1
		}
	done
}
hardened "$prefix/bin/weir" && readelf -d "$prefix/bin/weir" | grep -q 'FLAGS_1.*PIE'
ok $? 'the command is hardened'
hardened "$prefix/lib/libweir.so"
ok $? 'the library is hardened'

echo "1..$count"
exit $failed
