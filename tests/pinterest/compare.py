#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares whole tables and dead letters with what the reference expects, as multisets, value by value.

compare.py pin|geo|user INPUT TABLE [--dead FOLDER] [--stage NAME]

INPUT is the JSON lines that the pipeline read, TABLE a Delta table, a folder of Parquet files or JSON lines (*.jsonl) that it wrote, FOLDER
where its dead letters lie (--stage: only those of that stage). Tables are read by deltalake and pyarrow where the Python at hand has
them, else by `penstock query --json`, which PENSTOCK names. Prints what differs and exits with 1, or one line and 0.
"""
import argparse
import base64
import collections
import datetime
import glob
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import reference

TIMES = {"timestamp", "date_joined"}
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def microseconds(value):
    """A time as any reader gives it."""
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, str):
        return reference.time(reference.Field(None, value.replace("+00:00", "Z")))
    if value.tzinfo is None:
        value = value.replace(tzinfo=datetime.timezone.utc)
    return (value - EPOCH) // datetime.timedelta(microseconds=1)


def canonical(kind, row):
    extra = set(row) - set(reference.COLUMNS[kind])
    if extra or list(row) != reference.COLUMNS[kind]:
        raise SystemExit("columns are %s, expected %s" % (list(row), reference.COLUMNS[kind]))
    out = {}
    for name, value in row.items():
        if name in TIMES:
            value = microseconds(value)
        elif name == "coordinates":
            value = json.loads(value) if isinstance(value, str) else value
            value = None if value is None else [float(v) for v in value]
        out[name] = value
    return reference.canonical(out)


def arrow_rows(batches):
    for batch in batches:
        for row in batch.to_pylist():
            yield row


def query_rows(kind, path):
    sql = "SELECT %s FROM t" % ", ".join('"%s"' % c for c in reference.COLUMNS[kind])
    run = subprocess.run([os.environ.get("PENSTOCK", "penstock"), "query", "--json", sql, "t=" + path], stdout=subprocess.PIPE, check=True)
    for line in run.stdout.decode().splitlines():
        yield json.loads(line)


def table_rows(kind, path):
    """The rows of a table, as dictionaries."""
    if path.endswith(".jsonl"):
        with open(path, encoding="utf-8", newline="\n") as f:
            yield from map(json.loads, f)
        return
    try:
        import pyarrow.dataset
        if os.path.isdir(os.path.join(path, "_delta_log")):
            import deltalake
            yield from arrow_rows(delta_batches(pyarrow, deltalake.DeltaTable(path), path))
        else:
            files = sorted(glob.glob(os.path.join(path, "**", "*.parquet"), recursive=True)) if os.path.isdir(path) else [path]
            visible = [f for f in files if not any(part[0] in "._" for part in os.path.relpath(f, path).split(os.sep) if part != ".")]
            if visible:
                yield from arrow_rows(pyarrow.dataset.dataset(visible, format="parquet").to_batches())
    except ImportError:
        yield from query_rows(kind, path)


def delta_batches(pyarrow, table, path):
    """The files that deltalake says the table has now, read by pyarrow; partition columns are not used here."""
    files = [f if "://" in f or f.startswith("/") else os.path.join(path, f) for f in table.file_uris()]
    return pyarrow.dataset.dataset(files, format="parquet").to_batches() if files else []


def differences(expected, found, what):
    """What two multisets do not share, at most five lines of each side."""
    expected, found = collections.Counter(expected), collections.Counter(found)
    out = []
    for sign, rest in (("missing", expected - found), ("not expected", found - expected)):
        if rest:
            out.append("%d %s %s:" % (sum(rest.values()), what, sign))
            out += ["  %s" % ascii(item)[:300] for item in list(rest)[:5]]
    return out


def dead_letters(folder, stage=None):
    """(offset, record or as much of it as was kept) of each visible dead letter."""
    for path in sorted(glob.glob(os.path.join(folder, "**", "*.jsonl"), recursive=True)):
        with open(path, encoding="utf-8", newline="\n") as f:
            for line in f:
                letter = json.loads(line)
                for name in ("pipeline", "stage", "partition", "position", "time", "reason"):
                    if name not in letter or letter[name] in (None, ""):
                        raise SystemExit("%s: a dead letter without %s: %s" % (path, name, line[:200]))
                if stage and letter["stage"] != stage:
                    continue
                yield offset(letter["position"]), record(letter)


def offset(position):
    """The last word of a position, however it is written."""
    if isinstance(position, list):
        position = position[-1]
    return int(str(position).replace("/", ".").replace(",", ".").split(".")[-1])


def record(letter):
    return base64.b64decode(letter["record"]) if letter.get("encoding") == "base64" else letter["record"].encode()


class Expected:
    """What the reference makes of one input: two multisets."""
    def __init__(self, kind, data):
        rows, dead = reference.clean(kind, data)
        self.kind = kind
        self.rows = collections.Counter(map(reference.canonical, rows))
        self.dead = collections.Counter((at, line) for _, at, _, line in dead)

    def differences(self, table, dead=None, stage=None):
        """How a table and, where a folder is given, the dead letters of a stage differ from it; empty when they do not."""
        out = differences(self.rows, (canonical(self.kind, r) for r in table_rows(self.kind, table)), "rows")
        return out + (differences(self.dead, dead_letters(dead, stage), "dead letters") if dead is not None else [])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("kind", choices=sorted(reference.CLEAN))
    p.add_argument("input")
    p.add_argument("table")
    p.add_argument("--dead")
    p.add_argument("--stage")
    a = p.parse_args()
    with open(a.input, "rb") as f:
        expected = Expected(a.kind, f.read())
    out = expected.differences(a.table, a.dead, a.stage)
    counts = "%d rows" % sum(expected.rows.values()) + (" and %d dead letters" % sum(expected.dead.values()) if a.dead else "")
    print("\n".join(out) if out else "%s: %s as expected" % (a.table, counts))
    sys.exit(1 if out else 0)


if __name__ == "__main__":
    main()
