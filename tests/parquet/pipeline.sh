#!/bin/sh
# pipeline.sh - Parquet files through whole pipelines: source, sink with partitions, rolling, a second run, a second pipeline, a damaged file.
# SPDX-License-Identifier: Apache-2.0
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
penstock="$top_builddir/core/penstock"
sample="$top_builddir/tests/parquet/parquet_sample"
n=0 failed=0
ok() { # ok STATUS WHAT
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; failed=1; sed 's/^/# /' "$tmp/log"; fi
}
same() { [ "$1" = "$2" ] || { printf 'got %s\nwanted %s\n' "$1" "$2" >"$tmp/log"; return 1; }; }
pipeline() { # pipeline NAME IN OUT OPTIONS…
    printf '[pipeline]\nname = %s\nstate = %s/state-%s\n[source in]\nplugin = parquet\npath = %s\n[sink out]\nplugin = parquet\ninput = in\npath = %s\n' \
        "$1" "$tmp" "$1" "$2" "$3" >"$tmp/$1.ini"
    name=$1; shift 3
    for line; do echo "$line" >>"$tmp/$name.ini"; done
}
run() { "$penstock" run "$tmp/$1.ini" --until-end >"$tmp/log" 2>&1; }
sums="count(*), sum(seq), count(text), min(text), max(text), sum(i), count(b), min(day)"
ask() { "$penstock" query --json "select $sums from t" t="$1"; }

mkdir "$tmp/in"
"$sample" "$tmp/in/a.parquet" 9000 some zstd 1000 0 0 && "$sample" "$tmp/in/b.parquet" 4000 none snappy 500 20000 1000
ok $? "files to read"
want=$(ask "$tmp/in")

pipeline plain "$tmp/in" "$tmp/plain" "compression = snappy"
run plain; ok $? "files to files"
same "$(ask "$tmp/plain")" "$want"; ok $? "every row once"
run plain && same "$(ask "$tmp/plain")" "$want"; ok $? "a second run adds nothing"

pipeline parts "$tmp/in" "$tmp/parts" "partition_by = b, i" "max_open_files = 20"
run parts; ok $? "in folders by two columns, 1002 of each, 20 files open"
same "$(ask "$tmp/parts" | sed 's/"[a-z()*]*"://g')" "$(echo "$want" | sed 's/"[a-z()*]*"://g')"
ok $? "every row once, the columns of the folders too"
[ -d "$tmp/parts/b=true/i=7" ] && [ -d "$tmp/parts/b=__HIVE_DEFAULT_PARTITION__/i=__HIVE_DEFAULT_PARTITION__" ]
ok $? "folders are named as Hive names them"

pipeline small "$tmp/in" "$tmp/small" "target_file_size = 100kB" "row_group_size = 50kB"
run small && [ "$(find "$tmp/small" -name '*.parquet' | wc -l)" -gt 4 ] && same "$(ask "$tmp/small")" "$want"
ok $? "files roll at their size"

pipeline other "$tmp/in" "$tmp/plain"
run other
[ $? -eq 1 ] && grep -q "belongs to the stage plain/out" "$tmp/log" && same "$(ask "$tmp/plain")" "$want"
ok $? "another pipeline is refused the folder"

mv "$tmp/state-plain" "$tmp/state-kept"
run plain
[ $? -eq 1 ] && grep -q "whose positions are not in" "$tmp/log" && same "$(ask "$tmp/plain")" "$want"
ok $? "and so is the same one with another state, which would read every row again"
rm -rf "$tmp/state-plain" && mv "$tmp/state-kept" "$tmp/state-plain"
run plain && same "$(ask "$tmp/plain")" "$want"
ok $? "with its own it goes on"

mkdir "$tmp/bad" && cp "$tmp/in/a.parquet" "$tmp/bad/a.parquet" && head -c 5000 "$tmp/in/b.parquet" >"$tmp/bad/b.parquet"
pipeline bad "$tmp/bad" "$tmp/badout"
run bad
[ $? -eq 1 ] && grep -q "b.parquet: not a Parquet file, or cut off" "$tmp/log"
ok $? "a file that is cut off stops the run, by name"
cp "$tmp/in/b.parquet" "$tmp/bad/b.parquet"
run bad && same "$(ask "$tmp/badout")" "$want"
ok $? "and once it is mended the same command goes on, nothing lost or doubled"

echo "1..$n"
exit $failed
