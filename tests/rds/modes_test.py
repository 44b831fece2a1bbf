#!/usr/bin/env python3
"""The modes of the rds source against both databases: every row once, in a repeatable order, whatever stops it in between.
SPDX-License-Identifier: Apache-2.0"""
import threading

from rig import *

BIG = 20000


def fill(db, table, first, last, extra=""):
    """Rows `first` … `last`, with text that tells them apart."""
    made = "SELECT seq FROM seq_%d_to_%d" % (first, last) if db.name == "mariadb" else "SELECT generate_series(%d, %d) AS seq" % (first, last)
    db.sql("INSERT INTO %s (id, name%s) SELECT seq, CONCAT('row ', seq)%s FROM (%s) s" % (table, ", " + extra.split("=")[0] if extra else "", ", " +
                                                                                         extra.split("=")[1] if extra else "", made))


def tables(db):
    for name, rows_ in (("big", BIG), ("empty", 0), ("three", 3)):
        db.sql("CREATE TABLE %s (id BIGINT PRIMARY KEY, name VARCHAR(100))" % name)
        if rows_:
            fill(db, name, 1, rows_)
    db.sql("CREATE TABLE odd (id INT NOT NULL, name VARCHAR(100))")  # no key, the same number several times
    db.sql("INSERT INTO odd (id, name) SELECT FLOOR(id / 7), name FROM big")
    db.sql("CREATE TABLE sparse (id BIGINT PRIMARY KEY, name VARCHAR(100))")
    db.sql("INSERT INTO sparse VALUES (-9223372036854775808, 'first'), (-5, 'minus'), (0, 'zero'), (9223372036854775806, 'last')")


# -- snapshot -------------------------------------------------------------------------------------------------------------------------------

def snapshot(db):
    name = "snap_" + db.name
    path = pipeline(name, source(db, "snapshot", ["big", "empty", "three"], range="3000"), ["big", "empty", "three"], "lanes = 2\ncommit_rows = 2000")
    out = run(path)
    ids = sorted(column(name, "big"))
    ok(out.returncode == 0 and ids == list(range(1, BIG + 1)), "%s: a snapshot by two lanes has every row once" % db.name, out.stdout, len(ids))
    ok(sorted(column(name, "three")) == [1, 2, 3] and rows(name, "empty") == [], "%s: so has a small table; an empty one has none" % db.name)
    ok(all(r["name"] == "row %d" % r["id"] for r in rows(name, "big", "SELECT * FROM t LIMIT 500")), "%s: with what belongs to it" % db.name)
    fill(db, "three", 4, 8)
    fill(db, "big", 900000, 900010)
    out = run(path)
    ok(out.returncode == 0 and len(column(name, "big")) == BIG and len(column(name, "three")) == 3,
       "%s: the same command again adds nothing, although the tables have grown" % db.name, out.stdout)
    db.sql("DELETE FROM three WHERE id > 3; DELETE FROM big WHERE id >= 900000")
    text = open(path, encoding="utf-8").read().replace("range = 3000", "range = 4000")
    open(path, "w", encoding="utf-8").write(text)
    out = run(path)
    ok(out.returncode == 1 and "begun with 3000" in out.stdout, "%s: another range in between is refused" % db.name, out.stdout)


def odd_tables(db):
    name = "odd_" + db.name
    path = pipeline(name, source(db, "snapshot", ["odd", "sparse"], key__odd="id", range="500"), ["odd", "sparse"], "lanes = 2\ncommit_rows = 100")
    out = run(path)
    ok(out.returncode == 0 and len(column(name, "odd", "name")) == BIG and len(set(column(name, "odd", "name"))) == BIG,
       "%s: a key that is not unique: every row once" % db.name, out.stdout)
    ok(sorted(column(name, "sparse", "name")) == ["first", "last", "minus", "zero"], "%s: keys at both ends of their type" % db.name)
    db.sql("CREATE TABLE %s (%s INT PRIMARY KEY, %s TEXT)" % (quote(db, "we'ird"), quote(db, "a b;--"), quote(db, "x'y")))
    db.sql("INSERT INTO %s VALUES (1, 'fine')" % quote(db, "we'ird"))
    path = pipeline("quoted_" + db.name, source(db, "snapshot", ["we'ird"]), ["we'ird"])
    out = run(path)
    ok(out.returncode == 0 and rows("quoted_" + db.name, "we'ird") == [{"a b;--": 1, "x'y": "fine"}], "%s: names that need quotes" % db.name, out.stdout)
    path = pipeline("nokey_" + db.name, source(db, "snapshot", ["odd"]), ["odd"])
    out = run(path)
    ok(out.returncode == 2 and "key.odd" in out.stdout, "%s: a table without a key says which option is missing" % db.name, out.stdout)


def snapshot_killed(db):
    """kill -9 in the middle, three times, then to its end."""
    name = "killed_" + db.name
    path = pipeline(name, source(db, "snapshot", ["big"], range="7000"), ["big"], "lanes = 2\ncommit_rows = 1500")
    if not FAILPOINTS:
        return skip("%s: a snapshot that is killed" % db.name, "not configured with --enable-failpoints")
    for point in ("commit.after-publish=exit@2", "lane.after-stage=exit@3", "commit.before-publish=exit@2"):
        run(path, points=point)
    between = len(column(name, "big"))
    out = run(path)
    ids = sorted(column(name, "big"))
    ok(out.returncode == 0 and 0 < between < BIG and ids == list(range(1, BIG + 1)), "%s: killed three times, each row once" % db.name, between, len(ids), out.stdout)


def snapshot_is_one_view(db):
    """Rows that are moved by a transaction while the snapshot is read are seen in one place."""
    name = "view_" + db.name
    db.sql("CREATE TABLE va (id BIGINT PRIMARY KEY, v INT); CREATE TABLE vb (id BIGINT PRIMARY KEY, v INT)")
    for t in ("va", "vb"):
        db.sql("INSERT INTO %s (id, v) SELECT id, 100 FROM big WHERE id <= 6000" % t)
    stop = threading.Event()

    def move():
        n = 0
        while not stop.is_set():
            n += 1
            begin = "START TRANSACTION" if db.name == "mariadb" else "BEGIN"
            db.sql("%s; UPDATE va SET v = v + 1 WHERE id %% 50 = %d; UPDATE vb SET v = v - 1 WHERE id %% 50 = %d; COMMIT" % (begin, n % 50, n % 50))

    mover = threading.Thread(target=move)
    mover.start()
    try:
        path = pipeline(name, source(db, "snapshot", ["va", "vb"], range="1000"), ["va", "vb"], "lanes = 2")
        out = run(path)
    finally:
        stop.set()
        mover.join()
    a, b = (rows(name, t, "SELECT COUNT(*) n, SUM(v) s FROM t")[0] for t in ("va", "vb"))
    ok(out.returncode == 0 and a["n"] == b["n"] == 6000 and a["s"] + b["s"] == 1200000, "%s: two tables, two lanes, one view" % db.name, a, b, out.stdout)
    ok("view of the snapshot was lost" not in out.stdout, "%s: which was kept to the end" % db.name, out.stdout)


# -- incremental ----------------------------------------------------------------------------------------------------------------------------

def incremental(db):
    name = "inc_" + db.name
    db.sql("CREATE TABLE log (id BIGINT PRIMARY KEY, name VARCHAR(100))")
    path = pipeline(name, source(db, "incremental", ["log", "empty"], lag="300ms", poll="50ms"), ["log", "empty"], "commit_interval = 200ms")
    out = run(path)
    ok(out.returncode == 0 and rows(name, "log") == [], "%s: incremental --until-end of an empty table ends" % db.name, out.stdout)
    fill(db, "log", 1, 1000)
    out = run(path)
    ok(out.returncode == 0 and sorted(column(name, "log")) == list(range(1, 1001)), "%s: --until-end reads what was there" % db.name, out.stdout)
    process = start(path)
    try:
        for i in range(5):
            fill(db, "log", 1001 + i * 10, 1010 + i * 10)
        until(lambda: len(column(name, "log")) >= 1050, 60, "rows that are added")
    finally:
        status = end(process)
    ok(status == 0 and sorted(column(name, "log")) == list(range(1, 1051)), "%s: rows that are added arrive, each once" % db.name, log_of(path))
    process = start(path)
    fill(db, "log", 1051, 1060)
    time.sleep(0.3)  # wherever it is now
    end(process, signal.SIGKILL)
    fill(db, "log", 1061, 1070)
    out = run(path)
    ok(out.returncode == 0 and sorted(column(name, "log")) == list(range(1, 1071)), "%s: killed, and each once" % db.name, out.stdout)


class Session:
    """A transaction that stays open: the server's own client with its input held open."""

    def __init__(self, db):
        if db.name == "mariadb":
            words = ["mariadb", "--no-defaults", "--unbuffered", "--skip-column-names", "--batch", "--socket=" + db.socket, "--user=root", db.database]
        else:
            words = [os.path.join(db.programs(), "psql"), "-X", "-q", "-A", "-t", "-h", db.host, "-p", str(db.port), "-U", db.user, db.database]
        self.p = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ, PGPASSWORD=db.password))

    def do(self, sql):
        self.p.stdin.write(sql + ";\nSELECT 'done';\n")
        self.p.stdin.flush()
        while self.p.stdout.readline().strip() != "done":
            pass

    def close(self):
        self.p.stdin.close()
        self.p.wait(30)


def late_commit(db):
    """Case 20: T1 takes key 10, T2 takes 11 and commits, the reader passes 11, T1 commits."""
    name = "late_" + db.name
    db.sql("CREATE TABLE late (id BIGINT PRIMARY KEY, name VARCHAR(100))")
    # MariaDB does not say which transactions are open: there the lag must be longer than they are
    lag = "4s" if db.name == "mariadb" else "0s"
    path = pipeline(name, source(db, "incremental", ["late"], lag=lag, poll="50ms"), ["late"], "commit_interval = 100ms")
    t1 = Session(db)
    process = start(path)
    try:
        t1.do("BEGIN" if db.name == "postgres" else "START TRANSACTION")
        t1.do("INSERT INTO late VALUES (10, 'T1')")
        db.sql("INSERT INTO late VALUES (11, 'T2')")
        time.sleep(1.5)  # long enough for a reader that does not care
        early = column(name, "late")
        t1.do("COMMIT")
        until(lambda: len(column(name, "late")) == 2, 60, "both rows")
    finally:
        status = end(process)
        t1.close()
    ok(early == [] and status == 0, "%s: 11 is not read while 10 is open" % db.name, early, log_of(path))
    ok(sorted(column(name, "late")) == [10, 11], "%s: a transaction that commits late is not missed" % db.name, log_of(path))


def updated(db):
    name = "upd_" + db.name
    if db.name == "mariadb":
        db.sql("CREATE TABLE upd (id INT PRIMARY KEY, v INT, at TIMESTAMP(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6))")
        db.sql("INSERT INTO upd (id, v) SELECT seq, 0 FROM seq_1_to_500")
        change = "UPDATE upd SET v = v + 1 WHERE id %s"
    else:
        db.sql("CREATE TABLE upd (id INT PRIMARY KEY, v INT, at timestamptz DEFAULT now())")
        db.sql("INSERT INTO upd (id, v) SELECT generate_series(1, 500), 0")
        change = "UPDATE upd SET v = v + 1, at = now() WHERE id %s"
    path = pipeline(name, source(db, "incremental", ["upd"], updated="at", lag="300ms", poll="50ms"), ["upd"], "commit_rows = 100")
    out = run(path)
    ok(out.returncode == 0 and sorted(column(name, "upd")) == list(range(1, 501)), "%s: by the time of the last change: all rows at first, many of one time" % db.name,
       out.stdout, len(column(name, "upd")))
    out = run(path)
    ok(out.returncode == 0 and len(column(name, "upd")) == 500, "%s: and no more where nothing has changed" % db.name, out.stdout)
    db.sql(change % "<= 10")
    out = run(path)
    got = rows(name, "upd", "SELECT id, v FROM t WHERE v > 0 ORDER BY id")
    ok(out.returncode == 0 and got == [{"id": i, "v": 1} for i in range(1, 11)], "%s: a changed row comes again" % db.name, got, out.stdout)
    t1 = Session(db)
    process = start(path)
    try:
        t1.do("BEGIN" if db.name == "postgres" else "START TRANSACTION")
        t1.do(change % "= 100")
        db.sql(change % "= 200")
        time.sleep(0.2 if db.name == "mariadb" else 1.5)
        t1.do("COMMIT")
        until(lambda: len(rows(name, "upd", "SELECT id FROM t WHERE id IN (100, 200) AND v = 1")) == 2, 60, "both rows")
    finally:
        status = end(process)
        t1.close()
    ok(status == 0, "%s: by time, too, a transaction that commits late is not missed" % db.name, log_of(path))


# -- emulate ---------------------------------------------------------------------------------------------------------------------------------

drawn = {}


def emulate(db):
    name = "emu_" + db.name
    db.sql("CREATE TABLE other (id BIGINT PRIMARY KEY, name VARCHAR(100))")
    db.sql("INSERT INTO other SELECT * FROM big")
    src = source(db, "emulate", ["big", "other"], pause="0s", seed="100", count="200", rows="100..599")
    path = pipeline(name, src, ["big", "other"], "commit_rows = 50")
    out = run(path)
    a, b = column(name, "big"), column(name, "other")
    ok(out.returncode == 0 and len(a) == len(b) == 200 and sorted(a) == sorted(b), "%s: count ticks, the same rows of every table" % db.name, out.stdout, len(a), len(b))
    ok(min(a) >= 101 and max(a) <= 600 and len(set(a)) > 100, "%s: drawn from the range of rows" % db.name, min(a), max(a), len(set(a)))
    drawn[db.name] = sorted(a)
    out = run(path)
    ok(out.returncode == 0 and len(column(name, "big")) == 200, "%s: the same command again draws no more" % db.name, out.stdout)
    text = open(path, encoding="utf-8").read().replace("count = 200", "count = 300")
    open(path, "w", encoding="utf-8").write(text)
    if FAILPOINTS:
        run(path, points="commit.before-settle=exit")
    out = run(path)
    ok(out.returncode == 0 and len(column(name, "big")) == 300, "%s: a higher count goes on from there" % db.name, out.stdout)
    src = src.replace("seed = 100", "seed = 101")
    run(pipeline(name + "b", src, ["big"]))
    ok(sorted(column(name + "b", "big")) != drawn[db.name], "%s: another seed draws others" % db.name)
    path = pipeline(name + "c", source(db, "emulate", ["big", "three"], pause="10ms..100ms", count="30"), ["three"])
    begin = time.monotonic()
    out = run(path)
    took = time.monotonic() - begin
    ok(out.returncode == 0 and len(column(name + "c", "three")) == 30 and took > 0.8, "%s: pauses are made; as many rows as the smallest table has are drawn from" % db.name,
       took, out.stdout)


for db in databases():
    with db:
        tables(db)
        for test in (snapshot, odd_tables, snapshot_killed, snapshot_is_one_view, incremental, late_commit, updated, emulate):
            try:
                test(db)
            except (services.Failed, subprocess.TimeoutExpired, IndexError, KeyError, ValueError) as e:
                ok(False, "%s: %s" % (db.name, test.__name__), repr(e))
if len(drawn) == 2:
    ok(drawn["mariadb"] == drawn["postgres"], "both databases draw the same rows")
done()
