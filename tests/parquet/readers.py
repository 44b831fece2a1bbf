#!/usr/bin/env python3
# readers.py - other programs and our Parquet files: pyarrow, DuckDB and Polars read what we wrote, with the values that sample.h says;
# we read what others wrote (the Parquet project's own test files) as pyarrow does, or refuse it with a reason; damaged files never crash us.
# SPDX-License-Identifier: Apache-2.0
import decimal, glob, math, os, subprocess, sys, tempfile

decimal.getcontext().prec = 60
build = os.environ.get("top_builddir", ".")
src = os.environ.get("top_srcdir", ".")
venv = os.path.join(os.environ.get("PENSTOCK_CACHE", os.path.expanduser("~/.cache/penstock")), "venv", "bin", "python3")
if os.path.exists(venv) and os.path.realpath(sys.prefix) != os.path.realpath(os.path.dirname(os.path.dirname(venv))):
    os.execv(venv, [venv] + sys.argv)

count = failed = 0


def ok(good, what, why=""):
    global count, failed
    count += 1
    failed += not good
    print(f"{'' if good else 'not '}ok {count} - {what}", flush=True)
    if not good and why:
        print("# " + str(why)[:600].replace("\n", "\n# "))


def skip(what, why):
    global count
    count += 1
    print(f"ok {count} - {what} # SKIP {why}")


try:
    import pyarrow.parquet as pq
except ImportError:
    pq = None
try:
    import duckdb
except ImportError:
    duckdb = None
try:
    import polars
except ImportError:
    polars = None


def run(*args):
    return subprocess.run([os.path.join(build, "tests/parquet", args[0]), *map(str, args[1:])], capture_output=True, text=True, timeout=120)


# -- sample.h once more ---------------------------------------------------------------------------------------------------------

def hash_of(row, column):
    h = (row * 2654435761 + column * 40503) & 0xFFFFFFFF
    return h ^ h >> 15


def flat(c, row, h):
    d = decimal.Decimal
    if c == 0: return bool(h >> 8 & 1)
    if c == 1: return (h >> 4) % 1000 - 500
    if c == 2: return h * 1000003 - 2**40
    if c == 3: return (h % 100000) / 8 - 1000
    if c == 4: return d(h % 999999999 - 500000000).scaleb(-2)
    if c == 5: return d(h * 100000007 - 300000000000000000).scaleb(-4)
    if c == 6: return d((h << 64) + row - 2**95).scaleb(-10)
    if c == 7: return "" if h % 7 == 0 else ("few é" if h % 3 else "") + str(h % 500)
    if c == 8: return f"{h:08x} a text of row {row}, so that no two are alike: € {h % 1000}"
    if c == 9: return bytes(h >> 8 >> n & 255 for n in range(h % 20))
    if c == 10: return h % 20000 - 5000
    if c == 11: return h * 1000003 - 1000000
    return row * 3


def nested(c, h, may):
    if c == 15:
        return {"a": None if may and h % 6 == 1 else h % 777,
                "in": None if may and h % 7 == 1 else {"b": None if may and h % 11 == 2 else f"t{h % 33}"}}
    out = []
    for k in range(h // 8 % 4):
        null = may and (h // 64 + k) % 6 == 0
        if c == 14: out.append((h % 1000 + k) / 4)
        elif null: out.append(None)
        elif c == 13: out.append(f"t{(h + k) % 2**32 % 50}")
        elif c == 16: out.append([h % 100 + j for j in range((h // 16 + k) % 3)])
        else: out.append({"k": f"t{h % 90 + k}", "v": None if may and (h + k) % 2**32 % 4 == 0 else h * (k + 1)})
    return out


NAMES = "b i l d dec9 dec18 dec38 few text bin day at seq tags place who grid pairs".split()


def sample(row, nulls):
    out = {}
    for c, name in enumerate(NAMES):
        h = hash_of(row, c)
        if c not in (12, 14) and (nulls == "all" or nulls == "some" and h % 5 == 0):
            out[name] = None
        else:
            out[name] = flat(c, row, h) if c < 13 else nested(c, h, nulls != "none")
    return out


def plain(rows):
    """Dates and times as the numbers that they are."""
    import datetime
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    for r in rows:
        if isinstance(r["day"], datetime.date):
            r["day"] = (r["day"] - epoch.date()).days
        if isinstance(r["at"], datetime.datetime):
            delta = r["at"] - epoch
            r["at"] = (delta.days * 86400 + delta.seconds) * 10**6 + delta.microseconds
    return rows


def by_duckdb(path):
    con = duckdb.connect()
    con.sql("set timezone = 'UTC'")
    return con.sql(f"select * from '{path}'").to_arrow_table().to_pylist()


def first_difference(got, want):
    if len(got) != len(want):
        return f"{len(got)} rows for {len(want)}"
    for i, (g, w) in enumerate(zip(got, want)):
        for k in w:
            if g[k] != w[k]:
                return f"row {i}, {k}: {g[k]!r} for {w[k]!r}"
    return ""


def our_files(tmp):
    readers = (("pyarrow", pq, lambda p: pq.read_table(p).to_pylist()), ("DuckDB", duckdb, by_duckdb),
               ("Polars", polars, lambda p: polars.read_parquet(p).to_arrow().to_pylist()))
    cases = [(0, "none", "zstd", 100, 0, 0), (1, "none", "none", 100, 0, 0), (2000, "all", "snappy", 100, 0, 0),
             (10000, "some", "zstd", 3000, 200000, 10000), (10000, "some", "snappy", 777, 0, 0), (20000, "none", "none", 4096, 0, 0)]
    path = os.path.join(tmp, "sample.parquet")
    for case in cases:
        done = run("parquet_sample", path, *case)
        ok(done.returncode == 0, "wrote %d rows, %s null, %s, batches of %d, groups of %d, pages of %d" % case, done.stderr)
        want = [sample(i, case[1]) for i in range(case[0])]
        for name, module, read in readers:
            if not module:
                skip(f"{name} reads it", f"no {name}")
                continue
            try:
                why = first_difference(plain(read(path)), want)
            except Exception as e:
                why = repr(e)
            ok(not why, f"{name} reads it, values equal", why)
    if pq and case[0]:
        m = pq.ParquetFile(path).metadata
        stats = m.row_group(0).column(12).statistics
        ok(stats.has_min_max and stats.min == 0 and stats.null_count == 0, "pyarrow sees statistics", stats)
        ok(m.created_by.startswith("penstock version "), "created_by names us", m.created_by)


# -- files of others ------------------------------------------------------------------------------------------------------------

REASONS = ("gzip", "brotli", "lz4", "uint64", "checksum", "encrypted", "is damaged", "beyond what its type holds", "cannot be read",
           "not supported", "does not go", "cut off", "Parquet holds no struct", "do not begin", "more values", "cannot be written", "a Parquet file needs")


def same(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, dict) and list(a) == ["key"]:  # a map without values: pyarrow has a list of its keys
        return same(a["key"], b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    if isinstance(a, tuple) and isinstance(b, tuple):
        return same(list(a), list(b))
    return a == b or (hasattr(a, "timestamp") and hasattr(b, "timestamp") and a.replace(tzinfo=None) == b.replace(tzinfo=None))


def other_files(tmp):
    folder = os.path.join(src, "..", "shared", "data", "conformance", "parquet")
    if not os.path.isdir(folder):
        skip("the Parquet project's files", "../shared/data/conformance/parquet is not there")
        return
    to = os.path.join(tmp, "copy.parquet")
    for path in sorted(glob.glob(folder + "/data/*.parquet")):
        name = os.path.basename(path)
        done = run("parquet_copy", path, to)
        if done.returncode != 0:
            ok(done.returncode == 1 and any(r in done.stderr for r in REASONS), f"{name} is refused with a reason",
               f"{done.returncode}: {done.stderr}")
        elif pq is None:
            skip(f"{name} read as pyarrow reads it", "no pyarrow")
        else:
            try:
                theirs = pq.ParquetFile(path).read().to_pylist()
            except Exception as e:
                skip(f"{name} read as pyarrow reads it", "pyarrow: " + str(e).split("\n")[0][:80])
                continue
            ours = pq.read_table(to).to_pylist()
            bad = [i for i in range(min(len(ours), len(theirs))) if not same(ours[i], theirs[i])]
            ok(len(ours) == len(theirs) and not bad, f"{name} read as pyarrow reads it",
               f"{len(ours)} rows for {len(theirs)}" if not bad else f"row {bad[0]}: {ours[bad[0]]} for {theirs[bad[0]]}")
    for path in sorted(glob.glob(folder + "/bad_data/*.parquet")):
        done = run("parquet_copy", path, to)
        ok(done.returncode in (0, 1), f"damaged {os.path.basename(path)}: read or refused", f"{done.returncode}: {done.stderr}")


with tempfile.TemporaryDirectory() as tmp:
    our_files(tmp)
    other_files(tmp)
print(f"1..{count}")
sys.exit(failed != 0)
