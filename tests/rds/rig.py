# SPDX-License-Identifier: Apache-2.0
"""What the tests of the rds source share: a MariaDB and a PostgreSQL, small pipelines that end in Delta tables, and what lies in those."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = os.environ.get("top_builddir", ".")
SRC = os.environ.get("top_srcdir", ".")
PENSTOCK = os.path.join(TOP, "core/penstock")
SHARED = os.path.join(os.environ.get("PENSTOCK_SHARED") or os.path.join(SRC, "..", "shared"), "data", "pinterest")
FAILPOINTS = "#define PEN_FAILPOINTS 1" in open(os.path.join(TOP, "config.h"), encoding="ascii").read()
sys.path.insert(0, os.path.join(SRC, "tests", "services"))
import services  # noqa: E402

count = 0
dir = tempfile.mkdtemp(prefix="penstock-rds-")


def ok(good, what, *more):
    global count
    count += 1
    print("%s %d - %s" % ("ok" if good else "not ok", count, what), flush=True)
    for line in "\n".join(str(m) for m in more if not good).splitlines():
        print("# " + line, flush=True)
    return good


def skip(what, why):
    global count
    count += 1
    print("ok %d - %s # SKIP %s" % (count, what, why), flush=True)


def done():
    print("1..%d" % count, flush=True)
    shutil.rmtree(dir, ignore_errors=True)


def at(*names):
    return os.path.join(dir, *names)


def databases():
    """Those that can be started, started: [server]; a skip for each that cannot, and for what the plugin was built without."""
    found = []
    if "rds" not in os.environ.get("PLUGINS_BUILT", "rds").split():
        print("1..0 # SKIP the rds plugin was not built")
        sys.exit(0)
    for name in ("mariadb", "postgres"):
        why = services.missing(name)
        if why:
            skip(name, why)
        else:
            found.append(getattr(services, name)())
    return found


def scheme(db):
    return "mysql" if db.name == "mariadb" else "postgresql"


def quote(db, name):
    return "`%s`" % name if db.name == "mariadb" else '"%s"' % name


def source(db, mode, tables, **more):
    """Lines of a [source in] section; `__` in the name of an option stands for a dot."""
    lines = {"plugin": "rds", "url": db.url, "tls": "off", "tables": " ".join(tables), "mode": mode}
    lines.update({name.replace("__", "."): value for name, value in more.items()})
    return "".join("%s = %s\n" % item for item in lines.items())


def pipeline(name, src, tables, extra="", state=None, sinks="delta"):
    path = at(name + ".ini")
    text = "[pipeline]\nname = %s\nstate = %s\n%s\n[source in]\n%s" % (name, state or at(name + ".state"), extra, src)
    for table in tables:
        text += "\n[sink %s]\nplugin = %s\ninput = in.%s\npath = %s\n" % (re.sub(r"\W", "_", table), sinks, table, at(name + ".out", table))
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def command(path, *words, until_end=True):
    return [PENSTOCK, "run", path] + (["--until-end"] if until_end else []) + list(words)


def run(path, *words, points="", timeout=180):
    env = dict(os.environ, PENSTOCK_FAILPOINTS=points)
    return subprocess.run(command(path, *words), env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout)


def start(path, until_end=False, points=""):
    log = open(path + ".log", "a", encoding="utf-8")
    return subprocess.Popen(command(path, until_end=until_end), env=dict(os.environ, PENSTOCK_FAILPOINTS=points), stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def end(process, how=signal.SIGTERM):
    process.send_signal(how)
    return process.wait(60)


def log_of(path):
    with open(path + ".log", encoding="utf-8") as f:
        return f.read()


def rows(name, table, sql="SELECT * FROM t"):
    """Rows of the Delta table that a pipeline wrote; [] where there is none yet."""
    path = at(name + ".out", table)
    if not os.path.isdir(os.path.join(path, "_delta_log")):
        return []
    out = subprocess.run([PENSTOCK, "query", "--json", sql, "t=" + path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    if out.returncode:
        raise services.Failed(out.stderr)
    return [json.loads(line) for line in out.stdout.splitlines()]


def column(name, table, what="id"):
    return [row[what] for row in rows(name, table, "SELECT %s FROM t" % what)]


def until(probe, seconds, what):
    return services.until(probe, seconds, what, every=0.1)


__all__ = ["services", "os", "time", "signal", "subprocess", "json", "ok", "skip", "done", "at", "databases", "scheme", "quote", "source", "pipeline", "command",
           "run", "start", "end", "log_of", "rows", "column", "until", "PENSTOCK", "SHARED", "FAILPOINTS", "dir"]
