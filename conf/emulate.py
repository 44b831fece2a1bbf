# SPDX-License-Identifier: Apache-2.0
"""What conf/batch/run and conf/streaming/run share: rows for a database, and the tables held against what the rules give."""
import collections
import datetime
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.dont_write_bytecode = True
TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TOP, "tests", "services"), os.path.join(TOP, "tests", "pinterest")]
import reference

PENSTOCK = os.environ.get("PENSTOCK", "penstock")
REAL = os.path.join(os.path.dirname(TOP), "shared", "data", "pinterest")
TABLES = {"pin": "pinterest_data", "geo": "geolocation_data", "user": "user_data"}
TYPES = {"index": "INT", "ind": "INT", "downloaded": "INT", "age": "INT", "latitude": "DOUBLE", "longitude": "DOUBLE", "timestamp": "DATETIME",
         "date_joined": "DATETIME"}


def say(text):
    print(time.strftime("%H:%M:%S ") + text, flush=True)


def penstock(*arguments, **how):
    return subprocess.run([PENSTOCK, *arguments], check=True, **how)


def generated(folder, count):
    """JSON lines as the generate plugin makes them."""
    conf = os.path.join(folder, "generate.ini")
    with open(conf, "w", encoding="utf-8") as f:
        f.write("[pipeline]\nname = generate\nstate = %s/state-generate\n[source posts]\nplugin = generate\ncount = %d\nseed = 100\n" % (folder, count))
        for kind in TABLES:
            f.write("[sink %s]\nplugin = file\ninput = posts.%s\npath = %s/%s.jsonl\n" % (kind, kind, folder, kind))
    penstock("run", "--until-end", conf)
    return folder


def rows_of(folder, count):
    if os.path.isdir(REAL):
        say("rows: " + REAL)
        source = REAL
    else:
        say("rows: generated")
        source = generated(folder, count or 500)
    out = {}
    for kind in TABLES:
        with open(os.path.join(source, kind + ".jsonl"), "rb") as f:
            out[kind] = f.read().splitlines()[:count or None]
    return out


def literal(value):
    if value is None:
        return "NULL"
    if isinstance(value, (int, float)):
        return repr(value)
    return "'" + str(value).replace("\\", "\\\\").replace("'", "''") + "'"


def fill(database, rows):
    """The rows as tables; times as the database's own."""
    sql = ["SET time_zone = '+00:00';"]
    for kind, table in TABLES.items():
        parsed = [json.loads(line) for line in rows[kind]]
        names = list(parsed[0])
        sql.append("CREATE TABLE %s (%s, PRIMARY KEY (`%s`)) CHARACTER SET utf8mb4;"
                   % (table, ", ".join("`%s` %s" % (n, TYPES.get(n, "TEXT")) for n in names), "index" if "index" in names else "ind"))
        for i in range(0, len(parsed), 200):
            sql.append("INSERT INTO %s VALUES %s;" % (table, ", ".join("(%s)" % ", ".join(literal(r.get(n)) for n in names) for r in parsed[i:i + 200])))
    subprocess.run(["mariadb", "--no-defaults", "--socket=" + database.socket, "--user=root", "--default-character-set=utf8mb4", database.database],
                   input="\n".join(sql).encode(), check=True)


def reachable(address):
    try:
        urllib.request.urlopen("http://%s/" % address, timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def microseconds(text):
    """Times as the reference has them."""
    if text is None:
        return None
    day, _, rest = text.partition(".")
    when = datetime.datetime.strptime(day, "%Y-%m-%d %H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    return int(when.timestamp()) * 1000000 + int((rest + "000000")[:6])


def table_rows(tables, kind):
    columns = ", ".join('"%s"' % c for c in reference.COLUMNS[kind])
    out = penstock("query", "--json", "SELECT %s FROM t" % columns, "t=%s/%s" % (tables, kind), stdout=subprocess.PIPE).stdout
    rows = [json.loads(line) for line in out.splitlines()]
    for row in rows:
        for name in ("timestamp", "date_joined"):
            if name in row:
                row[name] = microseconds(row[name])
    return collections.Counter(map(reference.canonical, rows))


def compare(tables, rows):
    """Tables below the folder or URL `tables`, held against the rows that went in; how many rows are wrong."""
    wrong = 0
    for kind in TABLES:
        expected, _ = reference.clean(kind, b"\n".join(rows[kind]))
        expected = collections.Counter(map(reference.canonical, expected))
        found = table_rows(tables, kind)
        more = found - expected
        twice = sum((more & collections.Counter({row: n for row, n in more.items() if row in expected})).values())
        missing, strange = sum((expected - found).values()), sum(more.values()) - twice
        say("table %-4s %6d rows, %d as the rules give them, %d missing, %d twice, %d others"
            % (kind, sum(found.values()), sum((expected & found).values()), missing, twice, strange))
        for row in list((expected - found))[:1] + [row for row in more if row not in expected][:1]:
            say("  such as " + row[:300])
        wrong += missing + strange + twice
    return wrong
