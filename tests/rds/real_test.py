#!/usr/bin/env python3
"""Real rows, from both databases through the cleaners: the tables are those that the same rows give as JSON from a file. Without ../shared, rows that were
made up. SPDX-License-Identifier: Apache-2.0"""
from rig import *

TABLES = {"pinterest_data": "pin", "geolocation_data": "geo", "user_data": "user"}
COLUMNS = {
    "pin": ["index BIGINT PRIMARY KEY", "unique_id VARCHAR(64)", "title TEXT", "description TEXT", "poster_name TEXT", "follower_count VARCHAR(64)", "tag_list TEXT",
            "is_image_or_video VARCHAR(64)", "image_src TEXT", "downloaded BIGINT", "save_location TEXT", "category VARCHAR(64)"],
    "geo": ["ind BIGINT PRIMARY KEY", "timestamp TIME", "latitude DOUBLE PRECISION", "longitude DOUBLE PRECISION", "country TEXT"],
    "user": ["ind BIGINT PRIMARY KEY", "first_name TEXT", "last_name TEXT", "age BIGINT", "date_joined TIME"],
}


def made_up():
    for i in range(50):
        yield "pin", {"index": i, "unique_id": "u%d" % i, "title": "No Title Data Available" if i % 3 else "caf\u00e9 \u2728 '%d'" % i, "description": "a\nb\\c", "poster_name": "p",
                      "follower_count": "%dk" % i, "tag_list": "a,b", "is_image_or_video": "image", "image_src": "Image src error.", "downloaded": 1,
                      "save_location": "Local save in /data/x", "category": "x"}
        yield "geo", {"ind": i, "timestamp": "2020-08-28 03:52:%02d" % i, "latitude": -89.5 + i, "longitude": 1.25 * i, "country": "Albania"}
        yield "user", {"ind": i, "first_name": "Ada", "last_name": "L", "age": 20 + i, "date_joined": "2015-10-24T11:23:%02d" % i}


def read_rows():
    found = {"pin": [], "geo": [], "user": []}
    if all(os.path.exists(os.path.join(SHARED, kind + ".jsonl")) for kind in found):
        for kind in found:
            with open(os.path.join(SHARED, kind + ".jsonl"), encoding="utf-8") as f:
                found[kind] = [json.loads(line) for line in f]
        return found
    skip("the real rows", "%s is not there: rows that were made up take their place" % SHARED)
    for kind, row in made_up():
        found[kind].append(row)
    return found


def literal(value):
    if not isinstance(value, str):
        return "NULL" if value is None else repr(value)
    return "'" + value.replace("'", "''") + "'"


def load(db, data):
    my = db.name == "mariadb"
    if my:
        db.sql("SET GLOBAL max_allowed_packet = 67108864")
    for table, kind in TABLES.items():
        columns = ", ".join("%s %s" % (quote(db, c.split(" ", 1)[0]), c.split(" ", 1)[1].replace("TIME", "DATETIME(6)" if my else "TIMESTAMP")) for c in COLUMNS[kind])
        db.sql("CREATE TABLE %s (%s)" % (table, columns))
        names = [c.split(" ")[0] for c in COLUMNS[kind]]
        before = "SET NAMES utf8mb4; SET sql_mode = 'NO_BACKSLASH_ESCAPES'; " if my else ""
        for i in range(0, len(data[kind]), 50):
            values = ", ".join("(%s)" % ", ".join(literal(row[name]) for name in names) for row in data[kind][i:i + 50])
            db.sql("%sINSERT INTO %s (%s) VALUES %s" % (before, table, ", ".join(quote(db, name) for name in names), values))


def cleaned(name, sections):
    text = "[pipeline]\nname = %s\nstate = %s\n%s" % (name, at(name + ".state"), sections)
    for table, kind in TABLES.items():
        text += "\n[transform clean_%s]\nplugin = %s\ninput = %s\n[sink %s]\nplugin = delta\ninput = clean_%s\npath = %s\n" % (
            kind, kind, "in." + table if "plugin = rds" in sections else kind + "_file", kind, kind, at(name + ".out", kind))
    path = at(name + ".ini")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return run(path)


data = read_rows()
for kind, rows_ in data.items():
    with open(at(kind + ".jsonl"), "w", encoding="utf-8") as f:
        f.write("".join(json.dumps(row) + "\n" for row in rows_))
out = cleaned("files", "".join("[source %s_file]\nplugin = file\npath = %s\n" % (kind, at(kind + ".jsonl")) for kind in data))
ok(out.returncode == 0, "the rows from files, for comparison", out.stdout)
for db in databases():
    with db:
        load(db, data)
        name = "real_" + db.name
        out = cleaned(name, "[source in]\n" + source(db, "snapshot", list(TABLES), range="3000"))
        ok(out.returncode == 0, "%s: the rows through the cleaners" % db.name, out.stdout)
        for kind in data:
            want, got = (rows(n, kind, "SELECT * FROM t ORDER BY ind") for n in ("files", name))
            ok(len(got) == len(data[kind]) and got == want, "%s: %s: %d rows, as from JSON" % (db.name, kind, len(want)), len(got),
               *[pair for pair in zip(want, got) if pair[0] != pair[1]][:2])
        out = cleaned(name + "_emulated", "[source in]\n" + source(db, "emulate", list(TABLES), pause="0s", seed="100", count="100", rows="0..%d" % (len(data["geo"]) - 1)))
        ok(out.returncode == 0 and all(len(rows(name + "_emulated", kind)) == 100 for kind in data), "%s: posts that arrive, one row of each table a tick" % db.name, out.stdout)
done()
