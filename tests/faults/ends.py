#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How a run ends and what it has touched by then: 2 where the file is wrong, and nothing was written; 1 for what is found wrong while it runs.
What --dry-run, --set and shutdown_timeout promise, and the pace that `rate` and `time_column` set."""
import json
import os
import shutil
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import faults
from faults import Work, ok, posts

faults.need("file", "journal", "pin", "user", "delta")
rng = faults.seed()


def said(result):
    return [line for line in result.text.splitlines() if line.startswith("penstock: ")]


def tree(folder):
    """Every file and folder below it, with length and times."""
    found = {}
    for where, _, files in os.walk(folder):
        for path in [where] + [os.path.join(where, name) for name in files]:
            st = os.lstat(path)
            found[path] = (st.st_size if path != where else 0, st.st_mtime_ns)
    return found


def other_columns():
    """A table whose columns are not those of the rows is found before anything is written: a mistake in the file."""
    with Work(posts(50, 0, rng)) as w:
        with open(w.conf, encoding="utf-8") as f:
            text = f.read()
        users = os.path.join(w.folder, "users.ini")
        with open(users, "w", encoding="utf-8") as f:
            f.write(text.replace("plugin = pin", "plugin = user").replace("/state\n", "/state2\n").replace("/dead\n", "/dead2\n"))
        made = w.run(conf=users)
        before = tree(w.folder)
        result = w.run()
        ok(made.status == 0 and result.status == 2 and ": error: table: " + w.table in result.text and tree(w.folder) == before,
           "a table with other columns: 2, and nothing was written", [made, result])
        shutil.rmtree(w.table)
        ok(not w.completes(), "without it the same command makes its own", w.problems())


def changed_meanwhile():
    """A column is taken out of the table while the pipeline runs: its next commit finds out."""
    with Work(posts(50, 0, rng), source="follow = yes", settings="commit_interval = 20ms\n") as w:
        log = os.path.join(w.table, "_delta_log")
        run = w.start("--json")
        there = faults.wait_until(lambda: os.path.isdir(log) and len(faults.table_rows("delta", w.table)) == 50)
        versions = sorted(n for n in os.listdir(log) if n.endswith(".json")) if there else []
        with open(os.path.join(log, versions[0]), encoding="utf-8") as f:
            meta = [json.loads(line)["metaData"] for line in f if '"metaData"' in line][0]
        schema = json.loads(meta["schemaString"])
        schema["fields"] = [f for f in schema["fields"] if f["name"] != "title"]
        meta["schemaString"] = json.dumps(schema)
        with open(os.path.join(log, "%020d.json" % len(versions)), "x", encoding="utf-8") as f:
            f.write(json.dumps({"metaData": meta}) + "\n")
        faults.write_files(os.path.join(w.folder, "more"), posts(20, 0, rng, first=50), 1)
        os.rename(os.path.join(w.folder, "more", "0000.jsonl"), os.path.join(w.folder, "in", "more.jsonl"))
        result = faults.finish(run)
        ok(there and result.status == 1 and len(said(result)) == 1 and "title" in said(result)[0],
           "a column that goes while the pipeline runs ends it with 1 and names the column", [result])


# -- what the command line says ----------------------------------------------------------------------------------------------------------

def dry_run():
    """--dry-run does everything up to the first read, and touches nothing: not a table, state, journal or log, nor files that are there."""
    for via in (None, "journal"):
        with Work(posts(50, 0, rng), via=via) as w:
            log = os.path.join(w.folder, "log")
            before = tree(w.folder)
            result = w.run("--until-end", "--dry-run", "--set", "pipeline.log=" + log)
            ok(result.status == 0 and tree(w.folder) == before, "--dry-run%s writes nothing at all" % (" with a journal" if via else ""),
               [result, set(tree(w.folder).items()) ^ set(before.items())])
            wrong = w.completes()
            before = tree(w.folder)
            result = w.run("--until-end", "--dry-run")
            ok(not wrong and result.status == 0 and tree(w.folder) == before, "nor where everything is there already",
               wrong or [result, set(tree(w.folder).items()) ^ set(before.items())])
            bad = w.run("--dry-run", "--set", "table.compression=brotli")
            ok(bad.status == 2 and "brotli" in bad.text and tree(w.folder) == before, "a mistake is one for it too: 2", [bad])


def sets():
    with Work(posts(50, 0, rng)) as w:
        other = os.path.join(w.folder, "elsewhere")
        result = w.run("--until-end", "--set", "table.path=" + other, "--set", "pipeline.state=%s/s" % w.folder, "--set", "deadletter.path=%s/d" % w.folder)
        ok(result.status == 0 and not os.path.exists(w.table) and not os.path.exists(os.path.join(w.folder, "state"))
           and len(faults.table_rows("delta", other)) == 50, "--set takes the place of what the file says: path, state", [result])
        before = tree(w.folder)
        for what, named in (("table.paht=x", "paht"), ("tabel.path=x", "tabel"), ("pipeline.lanes=none", "lanes"), ("table.path", "table.path")):
            result = w.run("--until-end", "--set", what)
            ok(result.status == 2 and named in result.text and tree(w.folder) == before, "--set %s: 2, it says what is wrong, and nothing is written" % what,
               [result])


# -- shutdown_timeout ----------------------------------------------------------------------------------------------------------------------

def wait_for_line(run, text):
    return faults.wait_until(lambda: text.encode() in os.pread(run.log.fileno(), 1 << 20, 0) or run.poll() is not None) and run.poll() is None


def shutdown_timeout():
    """A journal that is full takes nothing, so the last commit cannot be made: the run is given up after shutdown_timeout, not before and not much after."""
    with Work([], via="journal", settings="commit_interval = 5ms\ncommit_rows = 40\nshutdown_timeout = 1500ms\n",
              transport="retention_bytes = 512KiB\nfull = wait\n") as w:
        lines = posts(20000, 0, rng)
        w.expected = faults.Expected(lines)
        known = w.run().status == 0
        faults.write_files(os.path.join(w.folder, "in"), lines, 2)
        run = w.start("--until-end", "--only", "posts")
        full = wait_for_line(run, "full")
        began = time.monotonic()
        run.send_signal(signal.SIGTERM)
        result = faults.finish(run, 60)
        took = time.monotonic() - began
        ok(known and full and result.status == 1 and "given up" in result.text and 1.5 <= took < 30,
           "shutdown_timeout = 1500ms: given up after %.1f s, with 1" % took, [known, full, result])
        run = w.start("--until-end", "--only", "posts", "--set", "pipeline.shutdown_timeout=1h")
        full = wait_for_line(run, "full")
        run.send_signal(signal.SIGTERM)
        noticed = wait_for_line(run, "stopping")
        run.send_signal(signal.SIGTERM)
        result = faults.finish(run, 60)
        ok(full and noticed and result.status == 1 and "given up" in result.text, "a second signal: at once", [full, noticed, result])
        wrong = w.completes()
        ok(not wrong, "the next start goes on: each row once", wrong)


# -- the pace of arriving records ----------------------------------------------------------------------------------------------------------

def timed(w):
    began = time.monotonic()
    wrong = w.completes()
    return time.monotonic() - began, wrong


def paces():
    """A pace is a lower bound of how long it takes; what is above it is the machine's, so the bound on that side is wide."""
    lines = posts(300, 0, rng)
    with Work(lines, source="rate = 200/s\n") as w:
        took, wrong = timed(w)
        ok(not wrong and 1.2 <= took < 20, "300 records at rate = 200/s take 1.5 s: %.2f" % took, wrong)
    for text, spaced in (("time as text", lambda ms: '"2024-05-01T12:%02d:%02d.%03dZ"' % (ms // 60000, ms // 1000 % 60, ms % 1000)),
                         ("seconds since 1970", lambda ms: "%.3f" % (1714564800 + ms / 1000)), ("milliseconds since 1970", lambda ms: "%d" % (1714564800000 + ms))):
        lines = [b'{"index": %d, "at": %s}' % (i, spaced(i * 400).encode()) for i in range(51)]  # 20 s
        with Work(lines, source="time_column = at\nspeed = 10\n") as w:
            took, wrong = timed(w)
            ok(not wrong and 1.9 <= took < 20, "20 s of records by time_column (%s) at speed = 10 take 2 s: %.2f" % (text, took), wrong)
    with Work(lines, source="time_column = at\nspeed = 100000\n") as w:
        took, wrong = timed(w)
        ok(not wrong and took < 20, "at speed = 100000 next to none: %.2f" % took, wrong)


other_columns()
dry_run()
sets()
shutdown_timeout()
paces()
changed_meanwhile()
faults.done()
