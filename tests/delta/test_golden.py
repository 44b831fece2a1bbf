"""The golden tables of Delta Lake, read in place: the rows that are expected, or a refusal that names the cause. Never anything else.
SPDX-License-Identifier: Apache-2.0"""
import base64
import datetime
import decimal
import glob
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import readers as tap

GOLDEN = os.path.join(os.environ.get("top_srcdir", "."), "..", "shared", "data", "conformance", "delta", "golden")
PENSTOCK = os.path.join(os.environ.get("top_builddir", "."), "core", "penstock")

# What is refused, and a word of the reason that the message must hold.
REFUSED = {
    "data-reader-timestamp_ntz": "timestampNtz", "data-reader-timestamp_ntz-id-mode": "columnMapping", "data-reader-timestamp_ntz-name-mode": "columnMapping",
    "data-skipping-basic-stats-all-types-columnmapping-id": "columnMapping", "data-skipping-basic-stats-all-types-columnmapping-name": "columnMapping",
    "table-with-columnmapping-mode-id": "columnMapping", "table-with-columnmapping-mode-name": "columnMapping", "dv-with-columnmapping": "columnMapping",
    "dv-partitioned-with-checkpoint": "deletionVectors", "log-replay-dv-key-cases": "deletionVectors",
    "parquet-all-types": "timestampNtz", "parquet-all-types-legacy-format": "timestampNtz",
    "v2-checkpoint-json": "v2Checkpoint", "v2-checkpoint-parquet": "v2Checkpoint",
    "deltalog-invalid-protocol-version": "reader version 99", "versions-not-contiguous": "version 1 is missing",
    "deltalog-state-reconstruction-without-metadata": "no metaData", "deltalog-state-reconstruction-without-protocol": "no protocol",
    "deltalog-state-reconstruction-from-checkpoint-missing-metadata": "no metaData",
    "deltalog-state-reconstruction-from-checkpoint-missing-protocol": "metaData without",
    "data-reader-absolute-paths-escaped-chars": "no metaData", "deltalog-commit-info": "metaData without", "update-deleted-directory": "metaData without",
    # logs without the files that they name
    "checkpoint": "no such file", "delete-re-add-same-file-different-transactions": "no such file", "log-replay-special-characters-b": "no such file",
    "hive": "not a table", "no-delta-log-folder": "not a table",
}
# Timestamps as partition values have no zone in the log: these tables were written in Los Angeles, and are read here as UTC.
ZONELESS = {"data-reader-partition-values": {"as_timestamp"}, "kernel-timestamp-int96": {"part"}, "kernel-timestamp-pst": {"part"},
            "kernel-timestamp-timestamp_micros": {"part"}, "kernel-timestamp-timestamp_millis": {"part"}}
# These hold the expected rows of another version, or of the whole history.
OTHER_VERSION = {"deltalog-getChanges", "log-replay-special-characters", "log-replay-special-characters-a"}


def unpack(archive, folder):
    raw = subprocess.run(["zstd", "-dqc", archive], check=True, capture_output=True).stdout
    path = os.path.join(folder, "x.tar")
    with open(path, "wb") as f:
        f.write(raw)
    with tarfile.open(path) as t:
        t.extractall(folder)
    os.remove(path)
    tables = glob.glob(os.path.join(folder, "*", "delta"))
    return tables[0] if tables else glob.glob(os.path.join(folder, "*"))[0]


def query(sql, table):
    """Asks the delta plugin alone: others read folders of files too."""
    only = dict(os.environ, PENSTOCK_PLUGIN_PATH=os.path.join(os.environ.get("top_builddir", "."), "plugins", "delta"))
    return subprocess.run([PENSTOCK, "query", "--json", sql, f"t={table}"], capture_output=True, text=True, timeout=300, env=only)


def plain(v):
    """A value of the expected rows as the query prints it."""
    if isinstance(v, datetime.datetime):
        return v.strftime("%Y-%m-%d %H:%M:%S") + (f".{v.microsecond:06d}".rstrip("0") if v.microsecond else "")
    if isinstance(v, datetime.date):
        return v.isoformat()
    if isinstance(v, bytes):
        return base64.b64encode(v).decode()
    if isinstance(v, decimal.Decimal):
        return float(v)
    if isinstance(v, list) and v and isinstance(v[0], tuple):
        return [{"key": plain(k), "value": plain(x)} for k, x in v]
    if isinstance(v, list):
        return [plain(x) for x in v]
    if isinstance(v, dict):
        return {k: plain(x) for k, x in v.items()}
    return v


def number(v):
    """JSON has one kind of number; bools come as 0 and 1 from SQL."""
    if isinstance(v, bool):
        return float(v)
    if isinstance(v, (int, float)):
        return float(f"{float(v):.12g}")
    if isinstance(v, list):
        return [number(x) for x in v]
    if isinstance(v, dict):
        return {k: number(x) for k, x in v.items()}
    return v


def comparable(rows, without):
    return sorted(json.dumps({k: number(v) for k, v in r.items() if k not in without}, sort_keys=True, default=str) for r in rows)


def expected(table):
    import pyarrow.dataset as dataset
    files = glob.glob(os.path.join(os.path.dirname(table), "expected", "**", "*.parquet"), recursive=True)
    return dataset.dataset(files).to_table() if files else None


def look(name, table):
    if name in REFUSED:
        r = query("SELECT count(*) FROM t", table)
        lines = r.stderr.strip().split("\n")
        tap.ok(r.returncode in (1, 2) and len(lines) == 1 and REFUSED[name] in lines[0], f"{name} is refused: {lines[0][-120:]}")
        return
    want = expected(table)
    r = query("SELECT count(*) AS n FROM t", table)
    if r.returncode or want is None or name in OTHER_VERSION:
        tap.ok(r.returncode == 0, f"{name} is read: {(r.stdout or r.stderr).strip()[:120]}")
        return
    n = json.loads(r.stdout)["n"]
    if n != want.num_rows or n > 5000:
        tap.ok(n == want.num_rows, f"{name}: {n} rows of {want.num_rows}")
        return
    got = [json.loads(line) for line in query("SELECT * FROM t", table).stdout.splitlines()]
    without = ZONELESS.get(name, set())
    a, b = comparable(got, without), comparable([{k: plain(v) for k, v in r.items()} for r in want.to_pylist()], without)
    tap.ok(a == b, f"{name}: the {n} rows are those expected")
    for x, y in zip(a, b):
        if x != y:
            print(f"# got  {x[:300]}\n# want {y[:300]}")
            break


if not os.path.isdir(GOLDEN):
    tap.skip("golden tables", "../shared/data/conformance is not there")
elif not shutil.which("zstd"):
    tap.skip("golden tables", "zstd is not installed")
elif not tap.have("pyarrow"):
    tap.skip("golden tables", "pyarrow is not installed")
else:
    for archive in sorted(glob.glob(os.path.join(GOLDEN, "*.tar.zst"))):
        with tempfile.TemporaryDirectory(prefix="test_golden.") as folder:
            look(os.path.basename(archive)[:-len(".tar.zst")], unpack(archive, folder))
tap.end()
