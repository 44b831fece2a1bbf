#!/usr/bin/env python3
"""What can be wrong with a database, and what can go wrong: one clear line, nothing lost, nothing doubled. SPDX-License-Identifier: Apache-2.0"""
from rig import *

import certificates

N = 20000
LONG = "p4ss" * 1000
SECRETS = ["penstock-secret", LONG, "wrong-one"]


def clean(out):
    """What was printed holds no password."""
    return not any(s in out for s in SECRETS)


def one_line(db, what, out, *words, status=(1, 2)):
    """It failed, and one line says why: with the words."""
    lines = [line for line in out.stdout.splitlines() if " error: " in line or line.startswith("penstock: in: ")]
    good = out.returncode in status and clean(out.stdout) and len(lines) == 1 and all(w in lines[0] for w in words)
    ok(good, "%s: %s" % (db.name, what), out.returncode, out.stdout)


def url(db, user=None, password=None, host=None, port=None, database=None):
    return "%s://%s:%s@%s:%d/%s" % (scheme(db), user or db.user, db.password if password is None else password, host or db.host, port or db.port, database or db.database)


def checked(path):
    """By `penstock check`, which asks a database for its tables in any case."""
    return subprocess.run([PENSTOCK, "check", path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)


# -- what is wrong from the start --------------------------------------------------------------------------------------------------------------

def mistakes(db):
    my = db.name == "mariadb"
    cases = [
        ("a wrong password", {"url": url(db, password="wrong-one")}, ["t"], ["denied" if my else "authentication failed", db.user]),
        ("an unknown host", {"url": url(db, host="no-such-host.invalid")}, ["t"], ["no-such-host.invalid"]),
        ("a port where nobody listens", {"url": url(db, port=services.free_ports(1)[0])}, ["t"], ["127.0.0.1"]),
        ("an unknown database", {"url": url(db, database="nowhere")}, ["t"], ["nowhere"]),
        ("an unknown table", {}, ["nothing_here"], ["nothing_here"]),
        ("a table that may not be read", {"url": url(db, user="nobody_much", password=LONG)}, ["secret_t"], ["denied", "secret_t"]),
        ("a key that is no column", {"key": "nix"}, ["t"], ["key = nix"]),
        ("a key that is no number", {"key": "name"}, ["t"], ["key = name"]),
        ("TLS asked of a server that has none", {"tls": "verify"}, ["t"], ["TLS" if my else "SSL"]),
    ]
    for what, options, tables, words in cases:
        path = pipeline("m_%s_%d" % (db.name, cases.index((what, options, tables, words))), source(db, "snapshot", tables, **options), tables)
        one_line(db, what, run(path), *words)
        out = checked(path)
        ok(out.returncode != 0 and clean(out.stdout) and any(all(w in line for w in words) for line in out.stdout.splitlines()), "%s: %s, at check" % (db.name, what),
           out.returncode, out.stdout)


def long_password(db):
    path = pipeline("long_" + db.name, source(db, "snapshot", ["small_t"], url=url(db, user="nobody_much", password=LONG)), ["small_t"])
    out = run(path)
    ok(out.returncode == 0 and column("long_" + db.name, "small_t") == [1] and clean(out.stdout), "%s: a password of 4,000 characters" % db.name, out.stdout[-500:])
    out = checked(path)
    ok(out.returncode == 0 and clean(out.stdout), "%s: check is content, and prints no password" % db.name, out.stdout)


def options(db):
    path = pipeline("o_" + db.name, source(db, "snapshot", ["t"], url="%s://%s@%s/%s" % (scheme(db), db.user, db.address, db.database), password=db.password), ["t"])
    out = run(path)
    ok(out.returncode == 0 and len(column("o_" + db.name, "t")) == N, "%s: the password as an option" % db.name, out.stdout)
    local = "%s://%s:%s@localhost:%d/%s?socket=%s" % (scheme(db), db.user, db.password, db.port, db.database, db.socket)
    path = pipeline("s_" + db.name, source(db, "snapshot", ["t"], url=local, tls="verify"), ["t"])
    out = run(path)
    ok(out.returncode == 0 and len(column("s_" + db.name, "t")) == N, "%s: through a local socket, without TLS" % db.name, out.stdout)


# -- what goes wrong while running ---------------------------------------------------------------------------------------------------------------

def whole(db, name, path, what, wait=120):
    """The pipeline that was disturbed ends, and each row is there once."""
    out = run(path, timeout=wait)
    ids = sorted(column(name, "t"))
    ok(out.returncode == 0 and ids == list(range(1, N + 1)), "%s: %s: each row once" % (db.name, what), len(ids), len(set(ids)), out.stdout)


def server_killed(db):
    if not FAILPOINTS:
        return skip("%s: the server is killed" % db.name, "not configured with --enable-failpoints")
    name = "srv_" + db.name
    path = pipeline(name, source(db, "snapshot", ["t"], range="2000"), ["t"], "lanes = 2\ncommit_rows = 1000")
    process = start(path, until_end=True, points="rds.read=delay:100@0")
    try:
        until(lambda: len(column(name, "t")) >= 2000, 60, "the first rows")
        db.kill()
        time.sleep(0.5)
        db.start()
        status = process.wait(120)
    finally:
        if process.poll() is None:
            process.kill()
    ids = sorted(column(name, "t"))
    ok(status == 0 and ids == list(range(1, N + 1)), "%s: the server killed and started again while a snapshot is read: each row once" % db.name, len(ids), len(set(ids)),
       log_of(path))
    ok("view of the snapshot was lost" in log_of(path) and clean(log_of(path)), "%s: which says that the view was lost" % db.name, log_of(path))
    name = "srvi_" + db.name
    path = pipeline(name, source(db, "incremental", ["t"], lag="100ms", poll="50ms"), ["t"], "commit_rows = 1000")
    process = start(path, points="rds.read=delay:100@0")
    try:
        until(lambda: len(column(name, "t")) >= 1000, 60, "the first rows")
        db.restart()
        until(lambda: len(column(name, "t")) >= N, 120, "all rows")
    finally:
        status = end(process)
    ids = sorted(column(name, "t"))
    ok(status == 0 and ids == list(range(1, N + 1)), "%s: the server restarted while rows are followed: each row once" % db.name, len(ids), log_of(path))


def us_killed(db):
    if not FAILPOINTS:
        return skip("%s: we are killed" % db.name, "not configured with --enable-failpoints")
    name = "us_" + db.name
    path = pipeline(name, source(db, "snapshot", ["t"], range="2000"), ["t"], "lanes = 2\ncommit_rows = 1000")
    for _ in range(3):
        process = start(path, until_end=True, points="rds.read=delay:50@0")
        had = len(column(name, "t"))
        until(lambda: process.poll() is not None or len(column(name, "t")) > had, 60, "progress")
        process.kill()
        process.wait()
    whole(db, name, path, "kill -9 three times in the middle of a snapshot")


def links(db):
    why = services.missing("toxiproxy")
    if why:
        return skip("%s: links that break" % db.name, why)
    with services.toxiproxy() as t:
        p = t.proxy(db.name, db.address)
        through = url(db, port=int(p.address.split(":")[1]))
        name = "cut_" + db.name
        path = pipeline(name, source(db, "snapshot", ["t"], url=through, range="5000", silence_timeout="2s"), ["t"], "lanes = 2\ncommit_rows = 1000")
        toxic = p.toxic("limit_data", bytes=200000)
        process = start(path, until_end=True)
        time.sleep(3)  # several connections break in the middle of a row
        p.remove(toxic)
        status = process.wait(120)
        ids = sorted(column(name, "t"))
        ok(status == 0 and ids == list(range(1, N + 1)), "%s: links that are cut in the middle: each row once" % db.name, status, len(ids), len(set(ids)), log_of(path))
        if not FAILPOINTS:
            return
        name = "hole_" + db.name
        path = pipeline(name, source(db, "incremental", ["t"], url=through, lag="0s", poll="50ms", silence_timeout="2s", connect_timeout="2s"), ["t"], "commit_rows = 1000")
        process = start(path, points="rds.read=delay:50@0")
        try:
            until(lambda: len(column(name, "t")) >= 1000, 60, "the first rows")
            toxic = p.toxic("timeout", timeout=0)
            time.sleep(4)
            p.remove(toxic)
            until(lambda: len(column(name, "t")) >= N, 120, "all rows")
        finally:
            status = end(process)
        ids = sorted(column(name, "t"))
        ok(status == 0 and ids == list(range(1, N + 1)), "%s: a server that falls silent is given up, and gone on with: each row once" % db.name, len(ids), log_of(path))


def columns_change(db):
    name = "col_" + db.name
    db.sql("CREATE TABLE c (id BIGINT PRIMARY KEY, name VARCHAR(200), gone INT)")
    db.sql("INSERT INTO c SELECT id, name, 1 FROM t WHERE id <= 10")
    path = pipeline(name, source(db, "incremental", ["c"], lag="0s", poll="50ms"), ["c"], "commit_interval = 100ms")
    process = start(path)
    try:
        until(lambda: len(column(name, "c")) == 10, 60, "the first rows")
        db.sql("ALTER TABLE c ADD COLUMN fresh INT")
        db.sql("INSERT INTO c VALUES (11, 'eleven', 1, 2)")
        until(lambda: len(column(name, "c")) == 11 and "fresh" in log_of(path), 60, "a line about the new column")
        ok(log_of(path).count("fresh") == 1 and process.poll() is None, "%s: a column that was added is told once, and reading goes on" % db.name, log_of(path))
        db.sql("ALTER TABLE c DROP COLUMN gone")
        db.sql("INSERT INTO c (id) VALUES (12)")
        status = process.wait(60)
        ok(status == 1 and "gone" in log_of(path).splitlines()[-1], "%s: one that is gone stops the run, with its name" % db.name, status, log_of(path))
    finally:
        if process.poll() is None:
            end(process)
    out = run(path)
    ok(out.returncode in (1, 2) and "column" in out.stdout, "%s: then the table of the sink does not fit, which is said" % db.name, out.stdout)


def give_certificate(db, cert, key):
    if db.name == "mariadb":
        db.options = ["--ssl-cert=" + cert, "--ssl-key=" + key, "--require-secure-transport=ON"]
        return
    os.chmod(key, 0o600)
    if os.geteuid() == 0:
        subprocess.run(["chown", "postgres", key], check=True)
    db.settings.update({"ssl": "on", "ssl_cert_file": cert, "ssl_key_file": key})


def tls(name):
    folder = at("tls_" + name)
    os.makedirs(folder)
    for above in (dir, folder):
        os.chmod(above, 0o755)
    certificates.authority(folder)
    certificates.issue(folder, "good")
    certificates.issue(folder, "other", valid_for="DNS:elsewhere.example")
    ca = os.path.join(folder, "ca.pem")
    db = services.mariadb() if name == "mariadb" else services.postgres()
    with db:
        db.sql("CREATE TABLE t (id INT PRIMARY KEY)")
        db.sql("INSERT INTO t VALUES (1)")
        db.stop()
        give_certificate(db, os.path.join(folder, "good.crt"), os.path.join(folder, "good.key"))
        db.start()
        path = pipeline("tls_" + name, source(db, "snapshot", ["t"], tls="verify", tls_ca=ca), ["t"])
        out = run(path)
        ok(out.returncode == 0 and column("tls_" + name, "t") == [1], "%s: through TLS, checked against tls_ca" % name, out.stdout)
        path = pipeline("tlsca_" + name, source(db, "snapshot", ["t"], tls="verify"), ["t"])
        out = run(path)
        ok(out.returncode != 0 and "certificate" in out.stdout.lower() and clean(out.stdout), "%s: a certificate that nobody vouches for is refused" % name, out.stdout)
        db.stop()
        give_certificate(db, os.path.join(folder, "other.crt"), os.path.join(folder, "other.key"))
        db.start()
        path = pipeline("tlsname_" + name, source(db, "snapshot", ["t"], tls="verify", tls_ca=ca), ["t"])
        out = run(path)
        ok(out.returncode != 0 and column("tlsname_" + name, "t") == [] and clean(out.stdout), "%s: a name that the certificate does not have is refused" % name, out.stdout)


def prepare(db):
    if db.name == "mariadb":
        db.sql("CREATE USER nobody_much@'%%' IDENTIFIED BY '%s'" % LONG)
    else:
        db.sql("CREATE USER nobody_much PASSWORD '%s'" % LONG)
    db.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(200)); CREATE TABLE secret_t (id INT PRIMARY KEY); CREATE TABLE small_t (id INT PRIMARY KEY)")
    db.sql("INSERT INTO small_t VALUES (1)")
    db.sql("GRANT SELECT ON small_t TO nobody_much" + ("@'%'" if db.name == "mariadb" else ""))
    made = "SELECT seq FROM seq_1_to_%d" % N if db.name == "mariadb" else "SELECT generate_series(1, %d) AS seq" % N
    db.sql("INSERT INTO t SELECT seq, CONCAT('row ', seq, REPEAT('x', 100)) FROM (%s) s" % made)


for db in databases():
    with db:
        prepare(db)
        for test in (mistakes, long_password, options, us_killed, links, columns_change, server_killed):
            try:
                test(db)
            except (services.Failed, subprocess.TimeoutExpired, IndexError, KeyError, ValueError) as e:
                ok(False, "%s: %s" % (db.name, test.__name__), repr(e))
for name in ("mariadb", "postgres"):
    if services.missing(name) is None:
        tls(name)
done()
