"""Tables that the delta plugin wrote, read by deltalake, pyarrow, Polars and DuckDB: the rows are those that were written.
SPDX-License-Identifier: Apache-2.0"""
import datetime
import decimal
import glob
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import readers as tap

WRITER = os.path.join(os.environ.get("top_builddir", "."), "tests", "delta", "write_table")
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def row(k, every):
    """What write_table puts into row k."""
    names = ["text", "number", "at"] + (["flag", "long", "money", "bytes", "day", "small", "list", "nested"] if every else [])
    if k % 7 == 3:
        return {"ind": k, **dict.fromkeys(names)}
    text = f"text \u00e9 {k % 5}/%"
    r = {"ind": k, "text": text, "number": k / 4, "at": EPOCH + datetime.timedelta(microseconds=1600000000000000 + k * 1001)}
    if every:
        r.update(flag=bool(k % 2), long=k << 33, money=decimal.Decimal(k).scaleb(-3), bytes=(k & 0xffff).to_bytes(2, "little"),
                 day=datetime.date(1970, 1, 1) + datetime.timedelta(days=18000 + k % 100), small=decimal.Decimal(k).scaleb(-2),
                 list=[float(i) for i in range(k % 3)], nested={"x": k % 11, "y z": text})
    return r


def write(path, commits, rows, *options):
    subprocess.run([WRITER, path, str(commits), str(rows), *options], check=True)


def same(rows, n, every):
    rows = sorted(rows, key=lambda r: r["ind"])
    want = [row(k, every) for k in range(n)]
    if rows == want:
        return True
    for got, w in zip(rows, want):
        if got != w:
            print(f"# got  {got}\n# want {w}")
            break
    return False


def deltalake_reads(path, n, every, what):
    from deltalake import DeltaTable
    t = DeltaTable(path)
    tap.ok(same(t.to_pyarrow_table().to_pylist(), n, every), f"deltalake: {what}")
    return t


def main():
    folder = tempfile.mkdtemp(prefix="test_readers.")
    plain, every, parts, days = (os.path.join(folder, x) for x in ("plain", "every", "parts", "days"))
    write(plain, 3, 100)
    deltalake_reads(plain, 300, False, "a few commits")
    write(every, 25, 40, "columns=all")
    t = deltalake_reads(every, 1000, True, "every type, opened from a checkpoint")
    tap.ok(t.version() == 25 and os.path.exists(os.path.join(every, "_delta_log", "_last_checkpoint")), "25 commits and a checkpoint")
    write(every, 2, 40, "columns=all")
    deltalake_reads(every, 1080, True, "the table is continued")
    for column, path in (("text", parts), ("day", days)):
        write(path, 12, 30, "columns=all", f"partition={column}")
        t = deltalake_reads(path, 360, True, f"partitioned by {column}")
        tap.ok(t.metadata().partition_columns == [column], f"the log says that it is partitioned by {column}")
    old = tap.have("deltalake") and __import__("deltalake").DeltaTable(every, version=7)
    tap.ok(same(old.to_pyarrow_table().to_pylist(), 280, True), "deltalake: an older version")
    cut = os.path.join(folder, "cut")
    shutil.copytree(every, cut)
    for v in range(21):
        os.remove(os.path.join(cut, "_delta_log", f"{v:020}.json"))
    t = deltalake_reads(cut, 1080, True, "a log that begins with our checkpoint")
    tap.ok(t.transaction_version("test/sink/src/0") == 1080, "the checkpoint holds the positions")
    write(cut, 1, 40, "columns=all")
    deltalake_reads(cut, 1120, True, "and goes on")
    share(plain)
    statistics(every)
    for module, read in (("polars", polars_reads), ("duckdb", duckdb_reads)):
        try:
            __import__(module)
        except ImportError:
            tap.skip(f"{module} reads it", f"{module} is not installed")
            continue
        read(every)
    shutil.rmtree(folder)
    tap.end()


def share(path):
    """deltalake and we write to the same table in turns."""
    import pyarrow as pa
    from deltalake import DeltaTable, write_deltalake
    schema = DeltaTable(path).to_pyarrow_table().schema
    write_deltalake(path, pa.Table.from_pylist([dict(row(k, False), ind=-1 - k) for k in range(50)], schema=schema), mode="append")
    write(path, 2, 100)
    t = DeltaTable(path)
    t.delete("ind >= -10 AND ind < 0")
    t.optimize.compact()
    t.create_checkpoint()
    write(path, 1, 100)
    rows = DeltaTable(path).to_pyarrow_table().to_pylist()
    tap.ok(same([r for r in rows if r["ind"] >= 0], 600, False) and len(rows) == 640, f"deltalake appends, deletes, compacts and checkpoints between our commits: {len(rows)} rows")
    asked = subprocess.run([os.path.join(os.environ.get("top_builddir", "."), "core", "penstock"), "query", "--json", "SELECT count(*) n, sum(ind) s FROM t", f"t={path}"],
                           capture_output=True, text=True)
    want = {"n": 640, "s": sum(r["ind"] for r in rows)}
    tap.ok(asked.stdout.strip() == __import__("json").dumps(want, separators=(",", ":")), f"and we read the same: {asked.stdout.strip()}{asked.stderr.strip()}")


def statistics(path):
    """Bounds in the log hold for the rows of each file."""
    from deltalake import DeltaTable
    import pyarrow.parquet as pq
    import pyarrow.compute as pc
    import pyarrow as pa
    bad = 0
    adds = pa.table(DeltaTable(path).get_add_actions(flatten=True)).to_pylist()
    for a in adds:
        t = pq.read_table(os.path.join(path, a["path"]))
        bad += t.num_rows != a["num_records"]
        for c in ("ind", "text", "number", "long", "day", "at", "money"):
            low, high = a.get(f"min.{c}"), a.get(f"max.{c}")
            v = pc.min_max(t[c]).as_py()
            if low is None or high is None or a.get(f"null_count.{c}") != t[c].null_count:
                bad += 1
            elif c == "money":
                bad += not (float(low) <= float(v["min"]) and float(v["max"]) <= float(high))
            elif c == "at":
                at = [x if x.tzinfo else x.replace(tzinfo=datetime.timezone.utc) for x in (low, high)]
                bad += not (at[0] <= v["min"] and v["max"] <= at[1])
            else:
                bad += not (low <= v["min"] and v["max"] <= high)
    tap.ok(adds and not bad, f"statistics of {len(adds)} files hold, {bad} do not")


def polars_reads(path):
    import polars
    t = polars.read_delta(path)
    got = t.select("ind", "text", "long", "day", "money").sort("ind").to_dicts()
    want = [{c: r[c] for c in ("ind", "text", "long", "day", "money")} for r in (row(k, True) for k in range(1080))]
    tap.ok(got == want, "Polars reads the same rows")


def duckdb_reads(path):
    import duckdb
    db = duckdb.connect()
    try:
        import duckdb_extension_delta
    except ImportError:
        tap.skip("DuckDB reads it through its delta extension", "the extension is not installed")
    else:
        package = os.path.dirname(duckdb_extension_delta.__file__)
        db.execute("LOAD '%s'" % glob.glob(os.path.join(package, "extensions", "*", "delta.duckdb_extension"))[0])
        n = db.execute(f"SELECT count(*), sum(ind) FROM delta_scan('{path}')").fetchone()
        tap.ok(n == (1080, sum(range(1080))), "DuckDB reads the same rows through its delta extension")
    got = db.execute(f"SELECT ind, text, long, day FROM read_parquet('{path}/*.parquet') ORDER BY ind").fetchall()
    tap.ok(got == [tuple(row(k, True)[c] for c in ("ind", "text", "long", "day")) for k in range(1080)], "DuckDB reads the files")


if not tap.have("pyarrow", "deltalake"):
    tap.skip("tables read by others", "pyarrow and deltalake are not installed")
    tap.end()
if not os.path.exists(WRITER):
    tap.skip("tables read by others", "the delta plugin is not built")
    tap.end()
main()
