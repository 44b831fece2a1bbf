#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The eight analyses of conf/pinterest, asked of `penstock query`, against their answers computed here, row by row in order.

Rows: the real ones through the cleaners' reference, and made ones with ties, nulls and ages at the groups' edges. They are put into
SQLite's own tables: it is the SQL and the functions that are looked at here.
"""
import collections
import datetime
import glob
import json
import os
import random
import subprocess
import sys
import tempfile

TOP = os.environ["top_srcdir"]
PENSTOCK = os.path.join(os.environ["top_builddir"], "core", "penstock")
SHARED = os.path.join(TOP, "..", "shared", "data", "pinterest")
sys.path.insert(0, os.path.join(TOP, "tests", "pinterest"))
sys.dont_write_bytecode = True
import reference

tests = failed = 0


def ok(good, what, *notes):
    global tests, failed
    tests += 1
    failed += not good
    print("%sok %d - %s" % ("" if good else "not ", tests, what))
    for note in notes if not good else ():
        print("# %s" % (note,))


def skip(what, why):
    global tests
    tests += 1
    print("ok %d - %s # SKIP %s" % (tests, what, why))


# -- the answers ---------------------------------------------------------------------------------------------------------------

def moment(micros):
    return None if micros is None else datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=micros)


def joined(left, right):
    """Pairs of rows with the same ind; a null ind is equal to nothing."""
    by = collections.defaultdict(list)
    for row in right:
        by[row["ind"]].append(row)
    return [(a, b) for a in left if a["ind"] is not None for b in by[a["ind"]]]


def first(value):
    """null sorts before everything."""
    return (value is not None, value if value is not None else 0)


def in_order(rows):
    return sorted(rows, key=lambda row: [first(v) for v in row])


def age_group(age):
    if age is None or age < 18:
        return None
    return "18-24" if age <= 24 else "25-35" if age <= 35 else "36-50" if age <= 50 else "50+"


def most(pairs):
    """(group, thing) pairs to the (group, thing, count) with the largest count of its group."""
    counts = collections.Counter(pairs)
    top = collections.defaultdict(int)
    for (group, _), n in counts.items():
        top[group] = max(top[group], n)
    return in_order((group, thing, n) for (group, thing), n in counts.items() if n == top[group])


def medians(pairs):
    """(group…, value) to (group…, the smallest value whose cumulative share reaches a half)."""
    values = collections.defaultdict(list)
    for *group, value in pairs:
        values[tuple(group)] += [] if value is None else [value]
    return in_order(group + (sorted(v)[(len(v) + 1) // 2 - 1] if v else None,) for group, v in values.items())


def year_in(micros, begin, end):
    when = moment(micros)
    return when.year if when and begin <= when.year <= end else None


def answers(pin, geo, user):
    places, people = joined(pin, geo), joined(pin, user)
    followed = [(g["country"], p["poster_name"], p["follower_count"]) for p, g in places if p["follower_count"] is not None]
    best = collections.defaultdict(lambda: -2**31)
    for country, _, n in followed:
        best[country] = max(best[country], n)
    overall = max(best.values(), default=None)
    # GROUP BY country, then a join with =: a null country's maximum is found, and equal to nothing
    named = in_order(set((c, who, n) for c, who, n in followed if c is not None and n == best[c]))
    return [
        [most((g["country"], p["category"]) for p, g in places)],
        [in_order(key + (n,) for key, n in collections.Counter((year_in(g["timestamp"], 2018, 2022), p["category"]) for p, g in places).items()
                  if key[0])],
        [named, in_order(set((c, n) for c, _, n in followed if n == overall))],
        [most((age_group(u["age"]), p["category"]) for p, u in people if age_group(u["age"]))],
        [medians((age_group(u["age"]), p["follower_count"]) for p, u in people if age_group(u["age"]))],
        [in_order(collections.Counter(y for y in (year_in(u["date_joined"], 2015, 2020) for u in user) if y).items())],
        [medians((year_in(u["date_joined"], 2015, 2020), p["follower_count"]) for p, u in people if year_in(u["date_joined"], 2015, 2020))],
        [medians((age_group(u["age"]), year_in(u["date_joined"], 2015, 2020), p["follower_count"]) for p, u in people
                 if age_group(u["age"]) and year_in(u["date_joined"], 2015, 2020))],
    ]


# -- asking --------------------------------------------------------------------------------------------------------------------

def literal(value):
    return "NULL" if value is None else str(value) if isinstance(value, int) else "'%s'" % value.replace("'", "''")


def time_text(micros):
    when = moment(micros)
    return when and when.isoformat(" ")


def create(name, columns, rows):
    """SQL for a table of these rows."""
    yield "CREATE TABLE %s (%s);\n" % (name, ", ".join(columns))
    for row in rows:
        values = (time_text(row[c]) if c in ("timestamp", "date_joined") else row[c] for c in columns)
        yield "INSERT INTO %s VALUES (%s);\n" % (name, ", ".join(map(literal, values)))


def ask(sql, tables=()):
    """The rows of all results, in order."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as f:
        f.write(sql)
        f.flush()
        run = subprocess.run([PENSTOCK, "query", "--json", "--file", f.name, *tables], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if run.returncode != 0:
        return "penstock query ends with %d: %s" % (run.returncode, run.stderr.decode(errors="replace"))
    return [tuple(json.loads(line).values()) for line in run.stdout.decode().splitlines()]


def check(pin, geo, user, what, prefix, tables=()):
    """Each analysis on these rows; prefix is SQL that comes before it."""
    files = sorted(glob.glob(os.path.join(TOP, "conf", "pinterest", "*.sql")))
    ok(len(files) == 8, "%s: there are eight analyses" % what)
    for path, wanted in zip(files, answers(pin, geo, user)):
        with open(path, encoding="utf-8") as f:
            sql = f.read()
        want = [row for result in wanted for row in result]
        got = ask(prefix + sql, tables)
        at = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
        ok(got == want, "%s: %s, %d rows" % (what, os.path.basename(path), len(want)),
           "got  %s" % (got if isinstance(got, str) else got[at:at + 3]), "want %s" % want[at:at + 3], "from row %d" % at)


def in_sqlite(pin, geo, user, what):
    prefix = "".join(["BEGIN;\n", *create("pin", ["ind", "category", "follower_count", "poster_name"], pin),
                      *create("geo", ["ind", "country", "timestamp"], geo), *create("user", ["ind", "age", "date_joined"], user), "COMMIT;\n"])
    check(pin, geo, user, what, prefix)


def real(kind):
    with open(os.path.join(SHARED, kind + ".jsonl"), "rb") as f:
        return [row if isinstance(row, dict) else dict(zip(reference.COLUMNS[kind], row)) for row in reference.clean(kind, f.read())[0]]


def made(seed, rows):
    """Few values, so that ties are everywhere; nulls in every column; rows without a partner."""
    rng = random.Random(seed)
    maybe = lambda value: None if rng.random() < 0.1 else value
    year = lambda y: int((datetime.datetime(y, rng.choice([1, 12]), rng.choice([1, 31]), 23, 59, 59) - datetime.datetime(1970, 1, 1))
                         / datetime.timedelta(microseconds=1)) + rng.choice([0, 1, 999999])
    pin = [{"ind": i, "category": maybe(rng.choice("abc")), "follower_count": maybe(rng.choice([-1, 0, 5, 100, 2147483647])),
            "poster_name": maybe(rng.choice(["x", "y", "O'Hara", "\u00fc"]))} for i in range(rows)]
    geo = [{"ind": rng.randrange(rows), "country": maybe(rng.choice(["A", "B", "C"])), "timestamp": maybe(year(rng.randrange(2016, 2025)))}
           for _ in range(rows)]
    user = [{"ind": rng.randrange(rows), "age": maybe(rng.choice([-5, 17, 18, 24, 25, 35, 36, 50, 51, 99])),
             "date_joined": maybe(year(rng.randrange(2013, 2023)))} for _ in range(rows)]
    return pin, geo, user


def main():
    in_sqlite([], [], [], "no rows")
    for seed in range(1, 4):
        in_sqlite(*made(seed, 60 * seed), what="made rows, seed %d" % seed)
    if os.path.exists(os.path.join(SHARED, "pin.jsonl")):
        in_sqlite(real("pin"), real("geo"), real("user"), "real rows")
    else:
        skip("the analyses of the real rows", "%s is not there" % SHARED)
    print("1..%d" % tests)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
