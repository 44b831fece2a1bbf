#!/bin/sh
# Whole pipelines through the file plugin: what goes in comes out, once, also when the command is given again.
# SPDX-License-Identifier: Apache-2.0
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
penstock=$top_builddir/core/penstock
posts=$top_builddir/tests/file/generate_test
n=0
ok() { # STATUS WHAT
    n=$((n + 1))
    if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}
pipeline() { # NAME SOURCE-LINES SINK-LINES
    printf '[pipeline]\nname = %s\nstate = %s/state-%s\n[source in]\n%b\n[sink out]\nplugin = file\ninput = %s\n%b\n' \
        "$1" "$dir" "$1" "$2" "${4:-in}" "$3" >"$dir/$1.ini"
}
run() {
    timeout 60 "$penstock" run "$dir/$1.ini" --until-end >"$dir/$1.out" 2>"$dir/$1.err" || { sed 's/^/# /' "$dir/$1.err"; return 1; }
}

"$posts" pin 3 5000 0 >"$dir/want.jsonl"
pipeline made 'plugin = generate\ncount = 5000\nseed = 3' "path = $dir/made.jsonl" in.pin
run made && sort "$dir/made.jsonl" | cmp -s - "$(sort "$dir/want.jsonl" >"$dir/sorted"; echo "$dir/sorted")"
ok $? "generate to one file: the records, byte for byte"
grep -q ' 1 commits' "$dir/made.err"
ok $? "that is one commit"
run made && [ "$(wc -l <"$dir/made.jsonl")" = 5000 ] && grep -q ' 0 rows.* 0 commits' "$dir/made.err"
ok $? "the same command again adds nothing, and commits nothing"

pipeline copy "plugin = file\npath = $dir/want.jsonl\nrange_size = 100KiB" "path = $dir/copy.jsonl.gz"
run copy && gzip -dc "$dir/copy.jsonl.gz" | sort | cmp -s - "$dir/sorted"
ok $? "file by ranges to gzip: the same lines"
run copy && [ "$(gzip -dc "$dir/copy.jsonl.gz" | wc -l)" = 5000 ]
ok $? "the same command again adds nothing"
"$posts" pin 4 100 0 >>"$dir/want.jsonl"
sort "$dir/want.jsonl" >"$dir/sorted"
run copy && gzip -dc "$dir/copy.jsonl.gz" | sort | cmp -s - "$dir/sorted"
ok $? "what the file has grown by is read, and nothing else"

pipeline folder "plugin = file\npath = $dir/copy.jsonl.gz" "path = $dir/folder"
run folder && cat "$dir"/folder/*.jsonl | sort | cmp -s - "$dir/sorted"
ok $? "gzip to a folder: the same lines"

pipeline print "plugin = file\npath = $dir/folder" "path = -"
run print && sort "$dir/print.out" | cmp -s - "$dir/sorted"
ok $? "a folder to standard output: the same lines"

rm "$dir/want.jsonl"
pipeline gone "plugin = file\npath = $dir/want.jsonl" "path = $dir/gone.jsonl"
run gone >/dev/null
[ $? != 0 ] && grep -q 'want.jsonl: No such file' "$dir/gone.err"
ok $? "a file that is not there is named"
echo "1..$n"
