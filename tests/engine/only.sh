#!/bin/sh
# --only: a part of a pipeline reads its transports under the names that the whole one has. SPDX-License-Identifier: Apache-2.0
: "${top_builddir:=.}"
PENSTOCK_PLUGIN_PATH=$top_builddir/plugins
export PENSTOCK_PLUGIN_PATH
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

cat > "$work/p.ini" <<INI
[pipeline]
name = p
state = $work/state

[source made]
plugin = generate
count = 100

[transport between]
plugin = journal
input = made.pin
path = $work/journal

[sink a]
plugin = file
input = between
path = $work/a.jsonl

[sink b]
plugin = file
input = between
path = $work/b.jsonl
INI

run() {
    timeout 60 "$top_builddir/core/penstock" run --until-end "$@" "$work/p.ini" 2>&1 | sed 's/^/# /'
}
ok() {
    n=$((n + 1))
    if [ "$2" = "$3" ]; then echo "ok $n - $1"; else echo "not ok $n - $1: \"$2\" instead of \"$3\""; bad=1; fi
}
n=0 bad=0
run
ok "two segments read one transport, each under its own name" "$(ls "$work/journal/readers" | tr '\n' ' ')" "p.a p.b "
run --only a
ok "one of them alone is the reader that it was" "$(ls "$work/journal/readers" | tr '\n' ' ')" "p.a p.b "
ok "each has every row once" "$(cat "$work/a.jsonl" "$work/b.jsonl" | wc -l | tr -d ' ')" "200"
echo "1..$n"
exit $bad
