#!/bin/sh
# The plugin of doc/plugins.md is built as the page says, and does what it says. SPDX-License-Identifier: Apache-2.0
: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}" "${top_builddir:=$PWD}"
penstock=$top_builddir/core/penstock
case " $PLUGINS_BUILT " in
*" pin "*) ;;
*) echo "1..0 # SKIP the pin plugin is not built" && exit 0 ;;
esac
command -v "${CC_FOR_TEST:-cc}" >/dev/null || { echo "1..0 # SKIP there is no cc" && exit 0; }
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
n=0
failed=0
result() {
    if [ "$1" -eq 0 ]; then
        echo "ok $((n += 1)) - $2"
    else
        echo "not ok $((n += 1)) - $2"
        failed=1
        sed 's/^/# /' "$work/out" "$work/err" | head -20
    fi
}
block() { # LANGUAGE: the first fenced block of that language
    sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/p" "$top_srcdir/doc/plugins.md" | sed '1d; /^```$/,$d'
}
block c >"$work/above.c"
block ini >"$work/popular.ini"
cd "$work" || exit 99
FLAGS="-Werror -I$top_srcdir/core/include -L$top_builddir/core/.libs -lpenstock"
# shellcheck disable=SC2086
"${CC_FOR_TEST:-cc}" -std=c11 -O2 -Wall -Wextra -fPIC -shared -o above.so above.c $FLAGS >out 2>err
result $? "it compiles without a warning"
PENSTOCK_PLUGIN_PATH=$work:$top_builddir/plugins
export PENSTOCK_PLUGIN_PATH
"$penstock" describe above >out 2>err && grep -q "smallest value" out
result $? "describe knows it"
printf '%s\n' '{"index":1,"follower_count":"2M"}' '{"index":2,"follower_count":"1k"}' '{"index":3}' >in
"$penstock" filter popular.ini <in >out 2>err
result $? "filter runs it"
[ "$(wc -l <out)" -eq 1 ] && grep -q '"ind":1,.*"follower_count":2000000' out
result $? "rows below are left out"
[ "$(grep -c . err)" -eq 1 ] && grep -q '"position":68,.*follower_count is null' err
result $? "a row without a value is a dead letter, with its position"
"$penstock" check --set popular.column=title popular.ini >out 2>err
[ $? -eq 2 ] && grep -q "it is utf8, expected int32 or int64" err
result $? "check refuses a column of another type"
"$penstock" run --set pipeline.state="$work/state" popular.ini >out 2>err && [ -s popular.jsonl ]
result $? "and it runs"
echo "1..$n"
exit $failed
