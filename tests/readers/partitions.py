# SPDX-License-Identifier: Apache-2.0
"""Tables in partitions: by texts that file names and URLs have another use for, by values of every type, by null. Each reader finds them, and only them."""
import datetime
import decimal
import os

import pyarrow as pa
import pyarrow.parquet as pq

import engines
import harness
import sample
from harness import attempt, differences, run, section

TYPED = ["flag", "small", "day", "at", "amount", "large"]
LONG = "長" * 100
NO_FOLDERS = ["__HIVE_DEFAULT_PARTITION__", "NULL", "null", LONG]  # as folders the first is null with everybody, those behind it with DuckDB


def by_text():
    """Empty text and null are one partition: of null, as Delta has it."""
    values = sample.ODD + ["長" * 80, LONG, None, "0", "2021-01-01", "x", "X"]
    return [{"seq": i, "part": values[i % len(values)], "text": "row %d" % i} for i in range(3 * len(values))]


def by_types():
    utc = datetime.timezone.utc
    values = [
        [True, False, None], [0, -2**31, 7, None], [datetime.date(2020, 2, 29), datetime.date(1, 1, 1), datetime.date(9999, 12, 31), None],
        [datetime.datetime(2021, 3, 28, 1, 30, tzinfo=utc), datetime.datetime(1969, 12, 31, 23, 59, 59, 999999, utc), None,
         datetime.datetime(2021, 10, 31, 0, 30, 0, 500000, utc)],
        [decimal.Decimal("0.000000"), decimal.Decimal("0.000001"), decimal.Decimal("999999999999.500000"), None], [2**63 - 1, -2**63, None, 5]]
    return [{"seq": i, **{n: v[i % len(v)] for n, v in zip(TYPED, values)}} for i in range(24)]


def tables(work):
    """Name, rows to write, rows to find, columns of the partitions."""
    texts = by_text()
    text_schema = pa.schema([pa.field("seq", pa.int64(), False), ("part", pa.string()), ("text", pa.string())])
    typed_schema = pa.schema([pa.field("seq", pa.int64(), False)] + [(n, sample.FLAT[n]) for n in TYPED])
    prices = [{"seq": i, "price": p} for i, p in enumerate([decimal.Decimal("-99999.99"), decimal.Decimal("-0.01"), decimal.Decimal("1.50"), None] * 2)]
    price_schema = pa.schema([pa.field("seq", pa.int64(), False), ("price", sample.FLAT["price"])])
    return [("text", texts, [dict(r, part=r["part"] or None) for r in texts], ["part"], text_schema), ("price", prices, prices, ["price"], price_schema), ("types", by_types(), by_types(), TYPED, typed_schema)]


def ask(engine, form, path, rows, columns):
    if engine.name == "Polars":  # of Delta tables too it takes a folder's name for the value, so that cut ones and the one that means null differ
        rows = [r for r in rows if r.get("part", "") not in NO_FOLDERS + [None]]
    wrong = []
    for column in columns:
        values = {r[column] for r in rows}
        asked = [engines.Filter(column, "=", v) if v is not None else engines.Filter(column, "null") for v in values]
        for where in asked if engine.name != "Spark" else asked[:4]:
            try:
                got = sorted(engine.read(form, path, ["seq"], where)["seq"].to_pylist())
            except Exception as e:
                got = str(e)[:200]
            want = [r["seq"] for r in rows if where.holds(r)]
            if got != want:
                wrong.append("%s: %s for %s" % (where, got, want))
    return "\n".join(wrong)


def compare(engine, form, path, want):
    found = engine.read(form, path).to_pylist()
    if engine.name == "Polars" and form == "delta":
        known = {r["seq"] for r in want if r.get("part") not in NO_FOLDERS}
        found, want = ([r for r in rows if r["seq"] in known] for rows in (found, want))
    return differences(found, want)


def check(work, readers):
    work = os.path.join(work, "partitions")
    os.mkdir(work)
    for name, rows, want, columns, schema in tables(work):
        for form in [f for f in ("delta", "parquet") if f in harness.BUILT]:
            if form == "parquet":
                rows, want = ([r for r in all_ if r.get("part") not in NO_FOLDERS] for all_ in (rows, want))
            source, path = os.path.join(work, "%s_%s.parquet" % (form, name)), os.path.join(work, form, name)
            pq.write_table(pa.Table.from_pylist(rows, schema), source)
            why = run(work, "%s_%s" % (form, name), section("source", "in", plugin="parquet", path=source),
                      section("sink", "out", plugin=form, input="in", path=path, fsync="no", partition_by=", ".join(columns)))
            if not harness.ok(not why, "a %s table in partitions by %s" % (form, ", ".join(columns)), why):
                continue
            for engine in readers:
                if form not in engine.formats or form == "parquet" and name != "text":
                    continue  # what type the text of a folder has everybody guesses
                if name == "price" and engine.name == "deltalake":
                    continue  # it takes -1.50 for "-1.-50", in its own tables too
                attempt("%s reads %s in partitions by %s" % (engine.name, form, name), lambda: compare(engine, form, path, want))
                if form == "delta":
                    attempt("%s asks for each partition of %s" % (engine.name, name), lambda: ask(engine, form, path, want, columns))
    too_long = os.path.join(work, "too_long.parquet")
    pq.write_table(pa.table({"seq": pa.array([1], pa.int64()), "part": [LONG]}), too_long)
    why = run(work, "too_long", section("source", "in", plugin="parquet", path=too_long),
              section("sink", "out", plugin="parquet", input="in", path=os.path.join(work, "too_long"), partition_by="part"))
    harness.ok(why and "partition column part" in why and "too long for the name of a folder" in why, "a text that no folder can be named after is refused", why)
