#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The eight analyses of the real rows over tables that a pipeline wrote, Parquet and Delta; and what `penstock query` and `table` say of them."""
import json
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import analyses
from analyses import PENSTOCK, SHARED, TOP, ok, skip

BUILT = os.environ.get("PLUGINS_BUILT", "file pin geo user parquet delta").split()

STAGES = """
[source %(kind)s]
plugin = file
path = %(shared)s/%(kind)s.jsonl

[transform clean_%(kind)s]
plugin = %(kind)s
input = %(kind)s

[sink table_%(kind)s]
plugin = %(plugin)s
input = clean_%(kind)s
path = %(folder)s/%(plugin)s/%(kind)s
"""


def penstock(*arguments):
    return subprocess.run([PENSTOCK, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)


def write(plugin, folder):
    path = os.path.join(folder, plugin + ".ini")
    with open(path, "w") as f:
        f.write("[pipeline]\nname = %s\nstate = %s/state-%s\n" % (plugin, folder, plugin))
        for kind in ("pin", "geo", "user"):
            f.write(STAGES % {"kind": kind, "plugin": plugin, "folder": folder, "shared": SHARED})
    run = penstock("run", "--until-end", path)
    ok(run.returncode == 0, "%s: a pipeline writes the tables" % plugin, run.stderr.decode(errors="replace"))
    return ["%s=%s/%s/%s" % (kind, folder, plugin, kind) for kind in ("pin", "geo", "user")]


def values(plugin, tables):
    """Types as they come out."""
    row = penstock("query", "--json", "SELECT g.ind, g.coordinates, g.timestamp, p.title FROM geo g LEFT JOIN pin p ON p.ind = g.ind WHERE g.ind = 7528", *tables)
    want = {"ind": 7528, "coordinates": [-89.9787, -173.293], "timestamp": "2020-08-28 03:52:47", "title": None}
    ok(row.returncode == 0 and json.loads(row.stdout) == want, "%s: lists, times and nulls as JSON" % plugin, row.stdout, row.stderr)
    row = penstock("query", "--csv", "SELECT country, timestamp FROM geo WHERE ind IN (8304, 10794) ORDER BY ind", *tables)
    ok(row.stdout == b"country,timestamp\r\nFrench Guiana,2019-09-13 04:50:29\r\nCocos (Keeling) Islands,2022-01-01 02:26:50\r\n", "%s: CSV" % plugin,
       row.stdout, row.stderr)
    row = penstock("query", "SELECT count(*) AS posts FROM pin", *tables)
    ok(row.stdout == b" posts\n-------\n  2187\n(1 row)\n", "%s: a table for people" % plugin, row.stdout, row.stderr)


def refusals(folder, tables):
    os.mkdir(os.path.join(folder, "empty"))
    for what, arguments, status, words in (
            ("SQL that is wrong", ["SELECT nowhere FROM pin", *tables], 2, "no such column: nowhere"),
            ("a table that is not there", ["SELECT 1", "pin=%s/none" % folder], 1, "no such file or folder"),
            ("a folder that is no table", ["SELECT 1", "pin=%s/empty" % folder], 1, "empty"),
            ("a table without a name", ["SELECT 1", "/tmp"], 2, "expected NAME=PATH"),
            ("one name twice", ["SELECT 1", tables[0], tables[0]], 2, "already exists"),
            ("no SQL", [], 2, "the SQL is missing"),
            ("an option that is not there", ["--jsno", "SELECT 1"], 2, "--json")):
        got = penstock("query", *arguments)
        ok(got.returncode == status and words in got.stderr.decode() and got.stdout == b"" and got.stderr.startswith(b"penstock"),
           "%s is refused with status %d" % (what, status), got.returncode, got.stderr, got.stdout)


def damaged(folder, plugin):
    """One byte in the middle of each data file flipped: an error, not rows."""
    pins = os.path.join(folder, plugin, "pin")
    for name in os.listdir(pins):
        if name.endswith(".parquet"):
            with open(os.path.join(pins, name), "r+b") as f:
                f.truncate(os.path.getsize(f.name) // 2)
    got = penstock("query", "SELECT sum(length(title)) FROM pin", "pin=" + pins)
    ok(got.returncode == 1 and got.stdout == b"" and got.stderr.count(b"\n") == 1, "%s: a file cut in half is an error of one line" % plugin,
       got.returncode, got.stderr, got.stdout)


def verbs(folder):
    pins = os.path.join(folder, "delta", "pin")
    got = penstock("table", "history", "--json", pins)
    rows = [json.loads(line) for line in got.stdout.splitlines()]
    ok(got.returncode == 0 and rows and rows[-1]["version"] == 0, "a table's history", got.stderr, got.stdout)
    got = penstock("table", "show", pins)
    ok(got.returncode == 0 and b"2187" in got.stdout, "and what it is made of", got.stderr, got.stdout)
    got = penstock("table", "histroy", pins)
    ok(got.returncode == 2 and b"did you mean history" in got.stderr, "a verb that is not there is refused with what may be meant", got.stderr)
    got = penstock("table", "history", os.path.join(folder, "empty"))
    ok(got.returncode == 1 and got.stderr.count(b"\n") == 1, "a folder that is no table has no history", got.stderr)
    got = penstock("table", "history", "--depth=3", pins)
    ok(got.returncode == 2 and b"depth" in got.stderr, "an option that the verb lacks is refused", got.stderr)


def main():
    plugins = [p for p in ("parquet", "delta") if p in BUILT]
    if not os.path.exists(os.path.join(SHARED, "pin.jsonl")):
        skip("the analyses over tables", "%s is not there" % SHARED)
    elif not plugins or not {"file", "pin", "geo", "user"} <= set(BUILT):
        skip("the analyses over tables", "some of the plugins file, pin, geo, user, parquet, delta are not built")
    else:
        rows = [analyses.real(kind) for kind in ("pin", "geo", "user")]
        with tempfile.TemporaryDirectory() as folder:
            for plugin in plugins:
                tables = write(plugin, folder)
                analyses.check(*rows, plugin, "", tables)
                values(plugin, tables)
            refusals(folder, tables)
            if "delta" in plugins:
                verbs(folder)
            for plugin in plugins:
                damaged(folder, plugin)
    print("1..%d" % analyses.tests)
    return analyses.failed > 0


if __name__ == "__main__":
    sys.exit(main())
