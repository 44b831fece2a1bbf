# A plugin from out of the tree: compiled against the installed SDK as pkg-config tells it, loaded, described, and run in a pipeline.
# `make check` installs the SDK into a folder of this test's; `make installcheck` sets INSTALLED (and bindir, pkgconfigdir, DESTDIR) and tests
# what is installed, with the plugins that the installed command finds by itself. SPDX-License-Identifier: Apache-2.0
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
unset MAKEFLAGS MFLAGS MAKELEVEL
n=0 bad=0

ok() { # STATUS WHAT [FILE]
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $n - $2"
    else
        echo "not ok $n - $2"
        [ -z "$3" ] || sed 's/^/# /' "$3"
        bad=1
    fi
}

case " $PLUGINS_BUILT " in
*" file "*) ;;
*) echo "1..0 # SKIP the file plugin is not built"; exit 0 ;;
esac
if [ -n "$INSTALLED" ]; then
    penstock=$DESTDIR$bindir/penstock root=$DESTDIR pc=$DESTDIR$pkgconfigdir
    PENSTOCK_PLUGIN_PATH=$work
else
    penstock=$top_builddir/core/penstock root=$work/root
    make -s -C "$top_builddir" install-libLTLIBRARIES install-pkgincludeHEADERS install-pkgconfigDATA DESTDIR="$root" >"$work/log" 2>&1
    ok $? "the SDK is installed" "$work/log"
    pc=$(dirname "$(find "$root" -name penstock.pc)")
    PENSTOCK_PLUGIN_PATH=$work:$PENSTOCK_PLUGIN_PATH
fi
export PENSTOCK_PLUGIN_PATH PKG_CONFIG_PATH="$pc" PKG_CONFIG_SYSROOT_DIR="$root" \
    PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1

libdir=$(pkg-config --variable=libdir penstock)
[ -n "$libdir" ] && [ -n "$(pkg-config --modversion penstock)" ] && [ -n "$(pkg-config --variable=plugindir penstock)" ]
ok $? "pkg-config knows penstock"
case $libdir in "$root"/*) ;; *) libdir=$root$libdir ;; esac
# shellcheck disable=SC2046,SC2086
$CC -std=c11 -Wall -Wextra -Werror -fPIC -shared $SAN_FLAGS -o "$work/sieve.so" "$top_srcdir/tests/build/external/sieve.c" \
    $(pkg-config --cflags --libs penstock) >"$work/log" 2>&1
ok $? "a plugin is compiled with what pkg-config says, and nothing else" "$work/log"
[ -z "$INSTALLED" ] || export LD_LIBRARY_PATH="$libdir"

"$penstock" plugins >"$work/log" 2>&1 && grep -q '^ *sieve ' "$work/log"
ok $? "the command finds it" "$work/log"
"$penstock" describe sieve >"$work/log" 2>&1 && grep -q 'Smallest number that passes' "$work/log"
ok $? "and describes its options" "$work/log"

for i in 1 2 3 4 5 6; do echo "{\"number\":$i,\"name\":\"n$i\",\"more\":[]}"; done >"$work/in.jsonl"
cat >"$work/sieve.ini" <<INI
[pipeline]
name = sieve
state = $work/state

[source in]
plugin = file
path = $work/in.jsonl

[transform large]
plugin = sieve
input = in
least = 4

[sink out]
plugin = file
input = large
path = $work/out.jsonl
INI
"$penstock" check "$work/sieve.ini" >"$work/log" 2>&1
ok $? "check takes a pipeline with it" "$work/log"
"$penstock" run --until-end "$work/sieve.ini" >"$work/log" 2>&1
ok $? "run runs it" "$work/log"
printf '{"number":4,"name":"n4"}\n{"number":5,"name":"n5"}\n{"number":6,"name":"n6"}\n' | cmp - "$work/out.jsonl" >"$work/log" 2>&1
ok $? "the rows that pass are there" "$work/log"
find "$work/state/dead" -name '*.jsonl' -exec cat {} + >"$work/dead"
[ "$(grep -c 'is less than 4' "$work/dead")" = 3 ]
ok $? "the others are dead letters" "$work/dead"
echo "1..$n"
exit $bad
