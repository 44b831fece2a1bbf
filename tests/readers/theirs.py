# SPDX-License-Identifier: Apache-2.0
"""Files and tables of other makers, asked with `penstock query`: the values that were written, or a refusal that says why."""
import datetime
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq

import harness
import sample
from harness import attempt

ROWS = 400
REFUSED = ("gzip", "brotli", "lz4")


def json_value(value, nested=False):
    """A value within a list or struct, as JSON has it."""
    if isinstance(value, dict):
        return {k: json_value(v, True) for k, v in value.items()}
    if isinstance(value, list):
        return [json_value(v, True) for v in value]
    if isinstance(value, bool) or value is None:
        return value
    if nested and isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None).isoformat() + "Z"
    if isinstance(value, float) and value != value:
        return None
    return harness.as_query(value)


def same(got, want):
    if isinstance(want, float) and want in (float("inf"), float("-inf")):
        return True  # JSON has no word for it
    if isinstance(want, dict):
        return isinstance(got, dict) and set(got) == set(want) and all(same(got[k], want[k]) for k in want)
    if isinstance(want, list):
        return isinstance(got, list) and len(got) == len(want) and all(same(g, w) for g, w in zip(got, want))
    if isinstance(want, bool):
        return got in (want, int(want))
    return got == want and type(got) in (type(want), int, float)


def compare(path, rows, columns):
    got = harness.query("select %s from t order by seq" % ", ".join('"%s"' % c for c in columns), t=path)
    if isinstance(got, str):
        return got
    if len(got) != len(rows):
        return "%d rows for %d" % (len(got), len(rows))
    for g, row in zip(got, rows):
        for c in columns:
            value = json.loads(g[c]) if c in sample.NESTED and isinstance(g[c], str) else g[c]
            if not same(value, json_value(row[c])):
                return "seq = %s: %s is %.200r, not %.200r" % (row["seq"], c, g[c], json_value(row[c]))
    return None


def refused(path, word):
    got = harness.query("select count(*) n from t", t=path)
    got = harness.query("select * from t", t=path) if not isinstance(got, str) else got
    return None if isinstance(got, str) and got[:2] in ("1:", "2:") and word in got.lower() else "it answered %.300s" % got


def of_pyarrow(work, table):
    cases = [("v1 pages, dictionary, snappy", {}), ("v2 pages, zstd", dict(data_page_version="2.0", compression="zstd")),
             ("no dictionary, uncompressed", dict(use_dictionary=False, compression="none")), ("small pages and groups", dict(data_page_size=500, row_group_size=37)),
             ("INT96", dict(use_deprecated_int96_timestamps=True)), ("checksums", dict(write_page_checksum=True)),
             ("small decimals as integers", dict(store_decimal_as_integer=True)), ("lists of old names", dict(use_compliant_nested_type=False)),
             ("no statistics", dict(write_statistics=False, write_page_index=False)),
             ("byte stream split, deltas", dict(use_dictionary=False, column_encoding={
                 "seq": "DELTA_BINARY_PACKED", "small": "DELTA_BINARY_PACKED", "text": "DELTA_BYTE_ARRAY", "few": "DELTA_LENGTH_BYTE_ARRAY", "real": "BYTE_STREAM_SPLIT"}))]
    cases += [(c, dict(compression=c)) for c in ("gzip", "brotli", "lz4")]
    for name, options in cases:
        path = os.path.join(work, "pyarrow-%s.parquet" % name.replace(" ", "-"))
        columns = table.column_names if name != "INT96" else list(sample.FLAT)  # INT96 holds nanoseconds of 292 years
        part = table.select(columns)
        if name == "INT96":
            part = part.drop_columns(["at"])
        pq.write_table(part, path, **options)
        yield "pyarrow, " + name, path, part.column_names


def of_duckdb(work, source):
    import duckdb
    db = duckdb.connect()
    db.execute("set timezone = 'UTC'")
    for name in ("compression snappy", "compression zstd, parquet_version v2", "compression gzip", "compression uncompressed, row_group_size 2048"):
        path = os.path.join(work, "duckdb-%s.parquet" % name.replace(" ", "-").replace(",", ""))
        db.execute("copy (select * from read_parquet('%s')) to '%s' (format parquet, %s)" % (source, path, name))
        yield "DuckDB, " + name, path, None


def of_polars(work, source):
    import polars
    frame = polars.read_parquet(source)
    for name in ("zstd", "snappy", "uncompressed", "gzip"):
        path = os.path.join(work, "polars-%s.parquet" % name)
        frame.write_parquet(path, compression=name, row_group_size=150)
        yield "Polars, " + name, path, None
    path = os.path.join(work, "polars-delta")
    frame.write_delta(path)
    yield "Polars, a Delta table", path, None


def of_deltalake(work, table, rows):
    import deltalake
    for name, options in (("", {}), (" in partitions", dict(partition_by=["few", "flag"])), (" with a checkpoint", {})):
        path = os.path.join(work, "deltalake" + name.replace(" ", "-"))
        if "checkpoint" in name:
            for first in range(0, ROWS, 40):
                deltalake.write_deltalake(path, sample.table(rows[first:first + 40]), mode="append")  # a slice of nested columns aborts it
            deltalake.DeltaTable(path).create_checkpoint()
        else:
            deltalake.write_deltalake(path, table, **options)
        yield "deltalake, a table" + name, path, None


def of_spark(work, source, spark):
    frame = spark.session.read.parquet(source)
    for name, options in (("snappy, INT96", {"spark.sql.parquet.outputTimestampType": "INT96"}), ("old lists", {"spark.sql.parquet.writeLegacyFormat": "true"}),
                          ("zstd", {"spark.sql.parquet.compression.codec": "zstd"}), ("gzip", {"spark.sql.parquet.compression.codec": "gzip"})):
        path = os.path.join(work, "spark-" + name.split(",")[0].replace(" ", "-"))
        before = {k: spark.session.conf.get(k) for k in options}
        for k, v in options.items():
            spark.session.conf.set(k, v)
        frame.write.parquet(path)
        for k, v in before.items():
            spark.session.conf.set(k, v)
        yield "Spark, " + name, path, None
    path = os.path.join(work, "spark-delta")
    frame.repartition(3).write.format("delta").partitionBy("few").save(path)
    yield "Spark, a Delta table in partitions", path, None
    path = os.path.join(work, "spark-vectors")
    frame.write.format("delta").option("delta.enableDeletionVectors", "true").save(path)
    spark.sql("delete from delta.`%s` where seq = 7" % path)
    yield "Spark, a Delta table with deletionVectors", path, "deletionvectors"


def check(work, readers):
    work = os.path.join(work, "theirs")
    os.mkdir(work)
    rows = [dict(r, text=r["text"] and r["text"][:200]) for r in sample.rows(ROWS, seed=3)]
    for r in rows:
        r["few"] = r["few"] or None  # as a column of partitions
        if r["text"] and "\0" in r["text"]:
            r["text"] = "nul"
    table, source = sample.table(rows), os.path.join(work, "source.parquet")
    pq.write_table(table, source)
    makers = {"pyarrow": lambda: of_pyarrow(work, table), "DuckDB": lambda: of_duckdb(work, source), "Polars": lambda: of_polars(work, source),
              "deltalake": lambda: of_deltalake(work, table, rows)}
    spark = [r for r in readers if r.name == "Spark"]
    if spark:
        makers["Spark"] = lambda: of_spark(work, source, spark[0])
    for maker, make in makers.items():
        if maker not in [r.name for r in readers]:
            continue
        for name, path, more in make():
            word = more if isinstance(more, str) else next((w for w in REFUSED if w in name), None)
            if word:
                attempt("penstock query refuses what is of %s, by name" % name, lambda: refused(path, word))
            else:
                attempt("penstock query finds what is of %s" % name, lambda: compare(path, rows, more or table.column_names))
