#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The main job by other people's tools: JSON lines of posts through the pin rules to eleven typed columns in one Parquet file.

peers.py duckdb|polars|pyarrow INPUT OUTPUT

Each as its own manual would have it done, on one thread, zstd level 1. They trust their input: there are no dead letters here.
"""
import os
import sys

TEXTS = ["unique_id", "title", "description", "poster_name", "tag_list", "is_image_or_video", "image_src", "save_location", "category"]
COLUMNS = ["unique_id", "title", "description", "follower_count", "poster_name", "tag_list", "is_image_or_video", "image_src", "save_location",
           "category"]
MARKERS = {
    "title": ["No Title Data Available"],
    "description": ["No description available Story format", "No description available"],
    "poster_name": ["User Info Error"],
    "follower_count": ["User Info Error"],
    "image_src": ["Image src error."],
    "tag_list": ["N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"],
}
PREFIX = "Local save in "


def by_duckdb(source, target):
    import duckdb
    db = duckdb.connect()
    db.execute("SET threads = 1; SET preserve_insertion_order = true")
    texts = ", ".join("'%s'" % m for m in MARKERS["follower_count"] + [""])
    select = ["\"index\" AS ind"]
    for name in COLUMNS:
        if name == "follower_count":
            number = "try_cast(rtrim(trim(follower_count), 'kMB') AS DOUBLE)"
            unit = "CASE right(trim(follower_count), 1) WHEN 'k' THEN 1e3 WHEN 'M' THEN 1e6 WHEN 'B' THEN 1e9 ELSE 1 END"
            select.append("CASE WHEN follower_count NOT IN (%s) THEN try_cast(trunc(%s * %s) AS INTEGER) END AS follower_count" % (texts, number, unit))
        elif name == "save_location":
            select.append("nullif(regexp_replace(save_location, '^%s', ''), '') AS save_location" % PREFIX)
        else:
            markers = ", ".join("'%s'" % m for m in MARKERS.get(name, []) + [""])
            select.append("CASE WHEN %s NOT IN (%s) THEN %s END AS %s" % (name, markers, name, name))
    columns = ", ".join(["'index': 'INTEGER'", "'follower_count': 'VARCHAR'"] + ["'%s': 'VARCHAR'" % t for t in TEXTS])
    db.execute("COPY (SELECT %s FROM read_json('%s', format = 'newline_delimited', columns = {%s})) TO '%s' "
               "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)" % (", ".join(select), source, columns, target))


def by_polars(source, target):
    os.environ["POLARS_MAX_THREADS"] = "1"
    import polars as pl
    schema = {"index": pl.Int32, "follower_count": pl.String, **{t: pl.String for t in TEXTS}}

    def unmarked(name):
        column = pl.col(name)
        return pl.when(~column.is_in(MARKERS.get(name, []) + [""])).then(column)

    select = [pl.col("index").alias("ind")]
    for name in COLUMNS:
        if name == "follower_count":
            text = unmarked(name).str.strip_chars()
            unit = pl.when(text.str.ends_with("k")).then(1e3).when(text.str.ends_with("M")).then(1e6).when(text.str.ends_with("B")).then(1e9).otherwise(1)
            select.append((text.str.strip_chars_end("kMB").cast(pl.Float64, strict=False) * unit).cast(pl.Int32, strict=False).alias(name))
        elif name == "save_location":
            text = pl.col(name).str.strip_prefix(PREFIX)
            select.append(pl.when(text != "").then(text).alias(name))
        else:
            select.append(unmarked(name).alias(name))
    pl.scan_ndjson(source, schema=schema).select(select).sink_parquet(target, compression="zstd", compression_level=1)


def by_pyarrow(source, target):
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.json
    import pyarrow.parquet
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    schema = pa.schema([("index", pa.int32()), ("follower_count", pa.string())] + [(t, pa.string()) for t in TEXTS])
    out = pa.schema([pa.field("ind", pa.int32(), nullable=False)] +
                    [pa.field(c, pa.int32() if c == "follower_count" else pa.string()) for c in COLUMNS])

    def unmarked(column, name):
        marked = pc.is_in(column, value_set=pa.array(MARKERS.get(name, []) + [""]))
        return pc.if_else(marked, pa.scalar(None, pa.string()), column)

    def cleaned(batch):
        yield batch.column("index")
        for name in COLUMNS:
            column = batch.column(name)
            if name == "follower_count":
                text = pc.utf8_trim_whitespace(unmarked(column, name))
                units = [pc.if_else(pc.ends_with(text, u), f, 1.0) for u, f in (("k", 1e3), ("M", 1e6), ("B", 1e9))]
                number = pc.cast(pc.utf8_rtrim(text, "kMB"), pa.float64())
                for unit in units:
                    number = pc.multiply(number, unit)
                yield pc.cast(pc.trunc(number), pa.int32())
            elif name == "save_location":
                text = pc.replace_substring_regex(column, "^" + PREFIX, "")
                yield pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
            else:
                yield unmarked(column, name)

    parse = pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    read = pyarrow.json.ReadOptions(use_threads=False, block_size=4 << 20)
    with pyarrow.parquet.ParquetWriter(target, out, compression="zstd", compression_level=1) as writer:
        for batch in pyarrow.json.open_json(source, read_options=read, parse_options=parse):
            writer.write_batch(pa.record_batch(list(cleaned(batch)), schema=out))


if __name__ == "__main__":
    if len(sys.argv) != 4 or "by_" + sys.argv[1] not in globals():
        sys.exit(__doc__)
    globals()["by_" + sys.argv[1]](sys.argv[2], sys.argv[3])
