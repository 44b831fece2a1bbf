# SPDX-License-Identifier: Apache-2.0
"""One Delta table that several write to: our pipeline, deltalake and Spark append, compact, make checkpoints, restore and vacuum by turns, and after each
step every reader, and `penstock query`, finds the rows of all, each once."""
import datetime
import glob
import json
import os
import shutil

import pyarrow as pa
import pyarrow.parquet as pq

import harness
import sample
from harness import attempt, differences, ok, run, section, skip

STEP = 40


class Table:
    """The table, the rows it must hold, and the pipeline that goes on appending to it."""
    def __init__(self, work, readers):
        self.work, self.path, self.folder = work, os.path.join(work, "table"), os.path.join(work, "in")
        self.readers = [r for r in readers if "delta" in r.formats]
        self.by_name = {r.name: r for r in readers}
        self.rows, self.at_version, self.n = [], {}, 0
        os.makedirs(self.folder)

    def new_rows(self, first):
        return [dict(r, text=r["text"] and r["text"][:200]) for r in sample.rows(STEP, first)]

    def run(self):
        return run(self.work, "upkeep", section("source", "in", plugin="parquet", path=self.folder),
                   section("sink", "out", plugin="delta", input="in", path=self.path, fsync="no"))

    def ours(self):
        """One more file for our pipeline."""
        rows = self.new_rows(len(self.rows))
        pq.write_table(sample.table(rows), os.path.join(self.folder, "%03d.parquet" % self.n), row_group_size=15)
        self.n += 1
        self.rows += rows
        return self.run()

    def theirs(self):
        """Rows for others to append, as an Arrow table and as a file."""
        rows = self.new_rows(len(self.rows))
        self.rows += rows
        path = os.path.join(self.work, "theirs.parquet")
        pq.write_table(sample.table(rows), path)
        return sample.table(rows), path

    def versions(self):
        """Rows of each version, out of the log itself."""
        out, rows = {}, 0
        for path in sorted(glob.glob(os.path.join(self.path, "_delta_log", "*.json"))):
            with open(path, encoding="utf-8") as f:
                for line in f:
                    action = json.loads(line)
                    if "add" in action:
                        rows += json.loads(action["add"]["stats"])["numRecords"]
            out[int(os.path.basename(path)[:20])] = rows
        return out

    def judge(self, what, few=False):
        for reader in self.readers:
            if few and reader.name in ("DuckDB", "Polars"):
                continue
            attempt("%s: %s finds every row once" % (what, reader.name), lambda: differences(reader.read("delta", self.path).to_pylist(), self.rows))
        attempt("%s: penstock query finds every row once" % what, self.query)

    def query(self):
        got = harness.query("select seq, text, small, at, day, real from t order by seq", t=self.path)
        if isinstance(got, str):
            return got
        want = [{c: harness.as_query(r[c]) for c in ("seq", "text", "small", "at", "day", "real")} for r in self.rows]
        for g, w in zip(got, want):
            if w["real"] is not None and w["real"] not in (float("inf"), float("-inf")) and g["real"] != w["real"]:
                return "%s for %s" % (g, w)
            if {**g, "real": 0} != {**w, "real": 0}:
                return "%s for %s" % (g, w)
        return None if len(got) == len(want) else "%d rows for %d" % (len(got), len(want))


def begin(t):
    """Our pipeline alone, until there is a checkpoint."""
    why = None
    for _ in range(12):
        why = why or t.ours()
    ok(not why and os.path.exists(os.path.join(t.path, "_delta_log", "_last_checkpoint")), "a pipeline appends until there is a checkpoint", why)
    t.judge("after our checkpoint")


def with_deltalake(t):
    import deltalake
    table = deltalake.DeltaTable(t.path)
    versions = t.versions()
    ok(table.version() == max(versions) and len(table.history()) == len(versions), "deltalake: version and history", table.history()[:2])
    attempt("deltalake: every version as it was", lambda: [
        (v, n) for v, n in versions.items() if deltalake.DeltaTable(t.path, version=v).to_pyarrow_dataset().count_rows() != n])
    p = table.protocol()
    ok((p.min_reader_version, p.min_writer_version) == (1, 2), "deltalake: the protocol is the lowest that we need", p)
    deltalake.write_deltalake(t.path, t.theirs()[0], mode="append")
    ok(not (why := t.ours()), "our pipeline goes on after deltalake appended", why)
    t.judge("deltalake and we appended")
    table = deltalake.DeltaTable(t.path)
    before = len(table.file_uris())
    metrics = table.optimize.compact()
    ok(metrics["numFilesRemoved"] >= before - 1, "deltalake compacts our files", metrics)
    deltalake.DeltaTable(t.path).create_checkpoint()
    ok(not (why := t.ours()), "our pipeline goes on after deltalake compacted and made a checkpoint", why)
    garbage = deltalake.DeltaTable(t.path).vacuum(retention_hours=0, dry_run=True, enforce_retention_duration=False)
    files = {os.path.relpath(u.removeprefix("file://"), t.path) for u in deltalake.DeltaTable(t.path).file_uris()}
    ok(garbage and not files & set(garbage) and not [g for g in garbage if "_penstock" in g], "deltalake: what vacuum would delete is only what was compacted", garbage)
    t.judge("deltalake compacted", few=True)


def positions(checkpoint):
    """The positions that a checkpoint holds."""
    return {r["txn"]["appId"]: r["txn"]["version"] for r in pq.read_table(checkpoint, columns=["txn"]).to_pylist() if r["txn"]}


def with_spark(t, spark):
    versions = t.versions()
    history = spark.sql("describe history delta.`%s`" % t.path).collect()
    ok([r.version for r in history] == sorted(versions, reverse=True), "Spark: history", history[:2])
    version = sorted(versions)[5]
    attempt("Spark: a version as it was", lambda: None if spark.session.read.format("delta").option("versionAsOf", version).load(t.path).count() == versions[version]
            else "other than %d rows" % versions[version])
    spark.session.read.parquet(t.theirs()[1]).write.format("delta").mode("append").save(t.path)
    ok(not (why := t.ours()), "our pipeline goes on after Spark appended", why)
    t.judge("Spark and we appended")
    spark.sql("optimize delta.`%s`" % t.path)
    log = spark.session._jvm.org.apache.spark.sql.delta.DeltaLog.forTable(spark.session._jsparkSession, t.path)
    log.checkpoint()
    newest = max(glob.glob(os.path.join(t.path, "_delta_log", "*.checkpoint*.parquet")), key=lambda p: int(os.path.basename(p)[:20]))
    ours = {k: v for k, v in positions(newest).items() if k.startswith("upkeep/out/")}
    ok(int(os.path.basename(newest)[:20]) == max(t.versions()) and ours, "Spark's checkpoint holds our positions", "%s: %s" % (newest, ours))
    n = len(t.versions())
    ok(not (why := t.run()) and len(t.versions()) == n, "our pipeline starts again on Spark's checkpoint and has nothing to do", why)
    shutil.rmtree(os.path.join(t.work, "state-upkeep"))
    ok(not (why := t.ours()), "our pipeline goes on after Spark compacted and made a checkpoint, its state lost", why)
    t.judge("Spark compacted", few=True)
    before = max(t.versions())
    spark.sql("restore delta.`%s` to version as of %d" % (t.path, before - 1))
    spark.sql("restore delta.`%s` to version as of %d" % (t.path, before))
    ok(not (why := t.ours()), "our pipeline goes on after Spark restored a version and took it back", why)
    dry = {r.path for r in spark.sql("vacuum delta.`%s` retain 0 hours dry run" % t.path).collect()}
    import deltalake
    live = {u.removeprefix("file://") for u in deltalake.DeltaTable(t.path).file_uris()}
    ok(dry and not {d.removeprefix("file:") for d in dry} & live, "Spark: what vacuum would delete is none of the table's files", sorted(dry)[:3])
    spark.sql("vacuum delta.`%s` retain 0 hours" % t.path)
    ok(not (why := t.ours()), "our pipeline goes on after Spark's vacuum", why)
    t.judge("Spark restored and vacuumed")
    evolve(t, spark)


def evolve(t, spark):
    """A column that Spark adds is null in what we go on appending."""
    rows = t.new_rows(len(t.rows))
    path = os.path.join(t.work, "wider.parquet")
    pq.write_table(sample.table(rows).append_column("extra", pa.array(["extra"] * STEP)), path)
    spark.session.read.parquet(path).write.format("delta").mode("append").option("mergeSchema", "true").save(t.path)
    t.rows = [dict(r, extra=None) for r in t.rows] + [dict(r, extra="extra") for r in rows]
    why = t.ours()
    t.rows[-STEP:] = [dict(r, extra=None) for r in t.rows[-STEP:]]
    ok(not why, "our pipeline goes on after Spark added a column", why)
    t.judge("Spark added a column", few=True)


def we_evolve(t):
    """Another pipeline of ours adds a column to the table."""
    rows = t.new_rows(len(t.rows))
    path = os.path.join(t.work, "added.parquet")
    pq.write_table(sample.table(rows).append_column("added", pa.array([datetime.date(2024, 1, 1)] * STEP)), path)
    source = section("source", "in", plugin="parquet", path=path)
    why = run(t.work, "strict", source, section("sink", "out", plugin="delta", input="in", path=t.path))
    ok(why and "added" in why, "a column more is refused by name", why)
    why = run(t.work, "evolving", source, section("sink", "out", plugin="delta", input="in", path=t.path, schema="evolve"))
    missing = {k: None for k in ("extra",) if k in t.rows[0]}
    t.rows = [dict(r, added=None) for r in t.rows] + [dict(r, added=datetime.date(2024, 1, 1), **missing) for r in rows]
    ok(not why, "or added, where schema = evolve", why)
    t.judge("we added a column")


def check(work, readers):
    if "delta" not in harness.BUILT:
        return skip("Delta tables that several write to", "the delta plugin is not built")
    t = Table(os.path.join(work, "upkeep"), readers)
    begin(t)
    if "deltalake" in t.by_name:
        with_deltalake(t)
    if "Spark" in t.by_name:
        with_spark(t, t.by_name["Spark"])
    we_evolve(t)
