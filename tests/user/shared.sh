#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The shared library: what it exports, what pkg-config says of an installed
# one, programs linked either way, and ctypes.
set -uo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../cli/lib.sh"
need_model
cd "$top" || exit
CC=${CC:-cc}
unset MAKEFLAGS MAKELEVEL

# The calls that llamux.h declares: names before a parenthesis at the start of
# a declaration.
declared() {
	$CC -E -P -Iinclude/uapi user/llamux.h |
		grep -oE '^[a-z][a-z_ *]*\bllamux_[a-z_]+\(' |
		grep -oE 'llamux_[a-z_]+' | sort -u
}

exported() {
	nm -D --defined-only build/libllamux.so.0 |
		sed -n 's/^[0-9a-f]* T //p' | sort
}

declared >"$work/declared"
is "llamux.h declares calls" grep -qx llamux_ask "$work/declared"
exported >"$work/exported"
sed 's/$/@@LLAMUX_0/' "$work/declared" >"$work/want"
is "exactly these are exported, with versions" diff "$work/want" "$work/exported"
is "SONAME" grep -q 'Library soname: \[libllamux.so.0\]' \
	<(readelf -d build/libllamux.so.0)
is "no text relocations, no executable stack" test -z "$(
	readelf -dW build/libllamux.so.0 | grep TEXTREL
	readelf -lW build/libllamux.so.0 | grep 'GNU_STACK.*E'
)"

root=$work/root
is "make install" make -s install BUILD=build DESTDIR="$root" PREFIX=/usr
while read -r call; do
	is "man 3 $call" grep -qE '^\.(TH|so) ' "$root/usr/share/man/man3/$call.3"
	is "it describes $call" grep -q "$call(" \
		"$root/usr/share/man/man3/$(sed -n 's|^.so man3/||p' \
			"$root/usr/share/man/man3/$call.3" | grep . || echo "$call.3")"
done <"$work/declared"
export PKG_CONFIG_LIBDIR=$root/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
export PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1
cat >"$work/ask.c" <<'C'
#include <stdio.h>
#include <llamux.h>

static int piece(void *ctx, const char *text, size_t n)
{
	return fwrite(text, 1, n, ctx) != n;
}

int main(int argc, char **argv)
{
	struct llamux_options o = { .flags = LLAMUX_IN_PROCESS };
	struct llamux_params p;
	struct llamux_message msg;
	struct llamux *l;
	int ret;

	o.model = argc > 2 ? argv[1] : NULL;
	ret = llamux_open(&l, &o, &msg);
	if (ret) {
		fprintf(stderr, "%s\n", msg.text);
		return 1;
	}
	ret = llamux_get_params(l, &p);
	p.temperature_u = 0;
	p.max_tokens = 12;
	if (!ret)
		ret = llamux_set_params(l, &p);
	if (!ret)
		ret = llamux_ask(l, argv[2], piece, stdout);
	llamux_close(l);
	return ret != 0;
}
C
question='What does ls do?'
"$llamux" --user -m "$model" ask --temp 0 -n 12 "$question" >"$work/first"

# builds HOW OPTION...: a program against what was installed, and its answer.
builds() {
	local how=$1 flags

	shift
	read -ra flags < <(pkg-config --cflags --libs "$@" libllamux) &&
		$CC -Wall -Werror -std=c11 -o "$work/$how" "$work/ask.c" "${flags[@]}" &&
		LD_LIBRARY_PATH=$root/usr/lib "$work/$how" "$model" "$question" \
			>"$work/out" && cmp "$work/first" "$work/out"
}

if command -v pkg-config >/dev/null; then
	is "the version" test "$(pkg-config --modversion libllamux)" = \
		"$("$llamux" --version | cut -d ' ' -f 2)"
	is "a program, shared" builds shared
	is "needs the library" grep -q libllamux.so.0 <(readelf -d "$work/shared")
	rm -f "$root/usr/lib/libllamux.so"
	is "a program, static" builds static --static
	is "does not need the library" test -z "$(
		readelf -d "$work/static" | grep libllamux)"
else
	skipped=$((skipped + 5))
fi

export LD_LIBRARY_PATH=build
example() {
	python3 docs/examples/ask.py "$@" >"$work/out" 2>"$work/err"
}
is "docs/examples/ask.py" example --file "$model" --tokens 12 "$question"
is "the same answer" cmp "$work/first" "$work/out"
! example --file /no/such/model x
is "its errors" err_has '/no/such/model: No such file'
make -s uninstall DESTDIR="$root" PREFIX=/usr
is "make uninstall leaves nothing" test -z "$(find "$root" ! -type d)"
finish
