# SPDX-License-Identifier: Apache-2.0
"""What the tests of other readers share: TAP, pipelines, queries, and the comparison of rows."""
import base64
import datetime
import decimal
import json
import os
import struct
import subprocess
import sys
import time

PENSTOCK = os.path.join(os.environ["top_builddir"], "core", "penstock")
TOP = os.environ["top_srcdir"]
CACHE = os.environ.get("PENSTOCK_CACHE") or os.path.expanduser("~/.cache/penstock")
BUILT = os.environ.get("PLUGINS_BUILT", "file generate pin geo user delta parquet").split()
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
MICROSECOND = datetime.timedelta(microseconds=1)

count = failed = 0
began = time.monotonic()


def ok(good, what, why=""):
    """One result. `why` is shown where it failed."""
    global count, failed
    count += 1
    failed += not good
    print("%sok %d - %s" % ("" if good else "not ", count, what))
    if not good:
        for line in str(why)[:int(os.environ.get("READERS_WIDE", 1500))].splitlines():
            print("# " + line)
    if os.environ.get("READERS_TIMES"):
        print("# at %.1f s" % (time.monotonic() - began))
    sys.stdout.flush()
    return good


def skip(what, why):
    global count
    count += 1
    print("ok %d - %s # SKIP %s" % (count, what, why))
    sys.stdout.flush()


def attempt(what, action):
    """A test that passes when action() answers nothing; what it answers, or raises, is why not."""
    try:
        why = action()
    except Exception as e:  # whatever another maker's reader raises
        why = "%s: %s" % (type(e).__name__, e)
    return ok(not why, what, why)


def end():
    """Some of the libraries crash while an interpreter ends, so it does not end in the usual way."""
    print("1..%d" % count)
    sys.stdout.flush()
    os._exit(1 if failed else 0)


# -- ours ---------------------------------------------------------------------------------------------------------------------------

def section(kind, name, **options):
    return "[%s %s]\n%s\n" % (kind, name, "".join("%s = %s\n" % (k.replace("__", "."), v) for k, v in options.items()))


def run(work, name, *sections, **options):
    """Runs a pipeline to its end; what it said where it did not go well, else None."""
    path = os.path.join(work, name + ".ini")
    head = dict(name=name, state=os.path.join(work, "state-" + name), **options)
    with open(path, "w", encoding="utf-8") as f:
        f.write("[pipeline]\n" + "".join("%s = %s\n" % (k, v) for k, v in head.items()) + "\n" + "\n".join(sections))
    done = subprocess.run([PENSTOCK, "run", path, "--until-end"], capture_output=True, text=True, errors="replace", timeout=300)
    return None if done.returncode == 0 else "%s ended with %d: %s" % (name, done.returncode, done.stderr[-800:])


def query(sql, **tables):
    """Rows of `penstock query`, as JSON has them; or what it said (a text)."""
    done = subprocess.run([PENSTOCK, "query", "--json", sql] + ["%s=%s" % t for t in tables.items()], capture_output=True, timeout=300)
    if done.returncode:
        return "%d: %s" % (done.returncode, done.stderr.decode(errors="replace"))
    return [json.loads(line) for line in done.stdout.splitlines()]


def as_query(value):
    """A value as `penstock query` prints it."""
    if isinstance(value, datetime.datetime):
        text = "%04d" % value.year + value.strftime("-%m-%d %H:%M:%S")
        return text + (".%06d" % value.microsecond).rstrip("0") if value.microsecond else text
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


# -- rows ---------------------------------------------------------------------------------------------------------------------------

def plain(value):
    """A value such that two are equal exactly where they are the same: doubles by their bits (any NaN is one), times by their instant."""
    if isinstance(value, float):
        return "NaN" if value != value else struct.pack("<d", value)
    if isinstance(value, datetime.datetime):
        value = value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)
        return ("at", (value - EPOCH) // MICROSECOND)
    if isinstance(value, decimal.Decimal):
        sign, digits, power = value.as_tuple()
        return ("decimal", sign if any(digits) else 0, digits, power)
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def differences(got, want, key="seq"):
    """Where rows found, in any order, are not those wanted; None where they are the same."""
    by_key = {}
    for row in want:
        by_key.setdefault(row[key], []).append(row)
    if len(got) != len(want):
        return "%d rows for %d" % (len(got), len(want))
    for row in got:
        wanted = by_key.get(row.get(key))
        if not wanted:
            return "a row with %s = %r too many" % (key, row.get(key))
        wanted = wanted.pop()
        if sorted(row) != sorted(wanted):
            return "columns %s for %s" % (sorted(row), sorted(wanted))
        for name, value in wanted.items():
            if plain(row[name]) != plain(value):
                return "%s = %r: %s is %r, not %r" % (key, row[key], name, row[name], value)
    return None
