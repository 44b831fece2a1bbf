#!/bin/sh
# Every file of mistakes/ is refused by `penstock check` with status 2 and exactly the words of the .txt beside it, and by `penstock run`
# alike, which has written nothing.
# With UPDATE=1 the .txt files are written anew: look at the difference before you commit it. SPDX-License-Identifier: Apache-2.0
: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}" "${top_builddir:=$PWD}"
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
PENSTOCK_PLUGIN_PATH=plugins
XDG_STATE_HOME=$work/state
export PENSTOCK_PLUGIN_PATH XDG_STATE_HOME
unset STATE_DIRECTORY
unset PENSTOCK_TEST_UNSET
cp -R "$top_srcdir/tests/config/mistakes/." "$work" && chmod -R u+w "$work" && cd "$work" || exit 99
ln -s "$top_builddir/tests/config/plugins" plugins
n=0
failed=0
for file in *.ini; do
    name=${file%.ini}
    n=$((n + 1))
    "$top_builddir/core/penstock" check "$file" >"$name.out" 2>"$name.err"
    status=$?
    # the installed folder is another on each machine
    sed 's|not found in plugins, .*|not found in plugins, INSTALLED|' "$name.err" >"$name.got"
    if [ -n "$UPDATE" ]; then
        cp "$name.got" "$top_srcdir/tests/config/mistakes/$name.txt"
    fi
    if [ $status -eq 2 ] && [ ! -s "$name.out" ] && cmp -s "$name.got" "$name.txt" && ! grep -q 'hunter[23]' "$name.got"; then
        echo "ok $n - $name"
    else
        echo "not ok $n - $name (status $status)"
        diff "$name.txt" "$name.got" | sed 's/^/# /'
        failed=1
    fi
    n=$((n + 1))
    "$top_builddir/core/penstock" run --until-end "$file" >"$name.out" 2>"$name.run"
    status=$?
    if [ $status -eq 2 ] && [ ! -s "$name.out" ] && cmp -s "$name.err" "$name.run" && [ ! -e state ]; then
        echo "ok $n - $name: run says the same"
    else
        echo "not ok $n - $name: run says the same (status $status)"
        diff "$name.err" "$name.run" | sed 's/^/# /'
        failed=1
    fi
done
echo "1..$n"
exit $failed
