#!/bin/sh
# The commands that need no run: help, exit status, plugins, describe, graph, check. SPDX-License-Identifier: Apache-2.0
: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}" "${top_builddir:=$PWD}"
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
built=$top_builddir/plugins
PENSTOCK_PLUGIN_PATH=$top_builddir/tests/config/plugins
export PENSTOCK_PLUGIN_PATH
penstock=$top_builddir/core/penstock
n=0
failed=0

# ok NAME: the command before it went well
result() {
    if [ "$1" -eq 0 ]; then
        echo "ok $((n += 1)) - $2"
    else
        echo "not ok $((n += 1)) - $2"
        failed=1
        sed 's/^/# /' "$work/out" "$work/err" 2>/dev/null | head -20
    fi
}
# expect STATUS NAME COMMAND...: output in $work/out and $work/err
expect() {
    want=$1 what=$2
    shift 2
    "$@" >"$work/out" 2>"$work/err"
    got=$?
    [ $got -eq "$want" ]
    result $? "$what (status $got)"
}
says() { # says FILE WORDS
    grep -qF -- "$2" "$work/$1"
    result $? "it says: $2"
}

expect 2 "no command" "$penstock"
says err "Usage: penstock COMMAND"
expect 0 "--help" "$penstock" --help
says out "penstock COMMAND --help"
expect 0 "--version" "$penstock" --version
says out "plugin ABI"
expect 2 "a command that is none" "$penstock" chekc
says err "did you mean check?"
for verb in $("$penstock" --help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
    expect 0 "$verb --help" "$penstock" "$verb" --help
    says out "Usage: penstock $verb"
    expect 2 "$verb --no-such-option" "$penstock" "$verb" --no-such-option
    [ ! -s "$work/out" ] && [ -s "$work/err" ]
    result $? "$verb says what is wrong on standard error"
done
expect 1 "output that cannot be written" sh -c '"$1" describe pipeline >/dev/full' - "$penstock"
says err "standard output cannot be written"

expect 1 "plugins, some broken" "$penstock" plugins
says out "no_library_has_this"
says out "source, sink"
expect 1 "plugins --json" "$penstock" plugins --json
says out '"kinds":	["source", "sink"]'
expect 2 "describe what is not there" "$penstock" describe sampel
says err 'did you mean "sample"?'
expect 2 "check what is not there" "$penstock" check "$work/nowhere.ini"
says err "nowhere.ini: error: cannot be read: No such file or directory"
expect 2 "check a folder" "$penstock" check "$work"
says err "cannot be read: Is a directory"

for form in "" --json --man; do
    # the path of the plugin is another on each machine
    "$penstock" describe sample $form | sed 's|/[^ "]*/sample.la|PATH|; s|"[0-9-]*" "penstock [0-9.]*"|"DATE" "penstock VERSION"|' >"$work/out"
    golden=$top_srcdir/tests/config/describe.$(echo "${form:-text}" | tr -d -)
    [ -n "$UPDATE" ] && cp "$work/out" "$golden"
    diff "$golden" "$work/out" >"$work/err"
    result $? "describe sample $form"
done
cat >"$work/a.ini" <<'INI'
[pipeline]
name = a & b
[source in]
plugin = sample
path = x
[source alone]
plugin = sample
path = x
[transport p]
plugin = tube
topic = t
input = in.a alone.b
[transform t]
plugin = shape
input = p
[sink one]
plugin = sample
path = x
input = t
[sink two]
plugin = sample
path = x
input = p t
INI
cat >"$work/tree" <<'TREE'
a & b
in (source, sample)
└─ a → p (transport, tube)
   ├─ t (transform, shape)
   │  ├─ one (sink, sample)
   │  └─ two (sink, sample)
   └─ two (sink, sample), see above
alone (source, sample)
└─ b → p (transport, tube), see above
TREE
expect 0 "graph" "$penstock" graph "$work/a.ini"
diff "$work/tree" "$work/out" >"$work/err"
result $? "the tree is as drawn"
expect 0 "graph --svg" "$penstock" graph --svg "$work/a.ini"
says out "<title>a &amp; b</title>"
if command -v python3 >/dev/null; then
    python3 -c 'import sys, xml.dom.minidom as m; d = m.parse(sys.argv[1]); sys.exit(len(d.getElementsByTagName("g")) != 6)' "$work/out" 2>"$work/err"
    result $? "the drawing is XML with a box for each stage"
else
    echo "ok $((n += 1)) - the drawing is XML # SKIP python3 is missing"
fi

# services: asked through a stage of a file, or by options; secrets are for files
cat >"$work/t.ini" <<INI
[pipeline]
name = t
[transport p]
plugin = tube
topic = cars
[sink s]
plugin = sample
path = x
input = p
INI
expect 0 "transport list --in" "$penstock" transport list --csv --in="$work/t.ini" p red
says out "cars,red"
expect 0 "transport list --plugin" "$penstock" transport list --csv --plugin=tube --topic=trains
says out "trains,"
expect 2 "a stage that is not there" "$penstock" transport list --in="$work/t.ini" q
says err "has no stage q"
expect 2 "no stage" "$penstock" transport list --in="$work/t.ini"
says err "STAGE [NAME]"
expect 2 "a required option" "$penstock" transport list --plugin=tube
says err "topic is missing"
expect 2 "a secret on the command line" "$penstock" transport list --plugin=tube --topic=a --password=xyzzy
says err "no place for a secret"
expect 2 "a URL where there is none" "$penstock" transport list /tmp
says err "in=FILE STAGE"

# every plugin of this tree has a table that can be described, and defaults that parse
PENSTOCK_PLUGIN_PATH=$built
for plugin in pipeline $PLUGINS_BUILT; do
    for form in "" --json --man; do
        expect 0 "describe $plugin $form" "$penstock" describe "$plugin" $form
    done
    if command -v man >/dev/null; then
        man --warnings -l "$work/out" >/dev/null 2>"$work/err" && [ ! -s "$work/err" ]
        result $? "its manual page has no mistakes"
    fi
done
echo "1..$n"
exit $failed
