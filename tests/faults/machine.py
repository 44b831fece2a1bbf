#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Faults of the machine: a disk that is full (under table, Parquet files, state, journal, dead letters, each on a small tmpfs of its own), a folder that
is not there, a Parquet file that is damaged. Each says so in one line, with 1; once it is mended the same command goes on.
"""
import os
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import faults
from faults import Work, ok, posts, skip

faults.need("file", "journal", "pin", "delta", "parquet")
rng = faults.seed()


def said(result):
    return [line for line in result.text.splitlines() if line.startswith("penstock: ")]


def mounted(path, size):
    os.makedirs(path, exist_ok=True)
    return subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + size, "tmpfs", path], stderr=subprocess.DEVNULL, check=False).returncode == 0


def disk_full(what, folder, size, **how):
    lines = posts(3000, 0.01, rng)
    with Work(lines, files=30, settings="commit_rows = 200\n", **how) as w:
        path = os.path.join(w.folder, folder)
        if os.geteuid() != 0 or not mounted(path, size):
            skip("a full disk under the " + what, "may not mount a small file system")
            return
        try:
            result = w.run()
            good = result.status == 1 and len(said(result)) == 1 and ("No space left" in result.text or "full" in result.text)
            ok(good, "a full disk under the %s: one line, and 1" % what, [result])
            subprocess.run(["mount", "-o", "remount,size=64m", path], check=True)
            wrong = w.completes()
            ok(not wrong, "with room again each row is there once", wrong)
        finally:
            subprocess.run(["umount", "-l", path], check=False)


def unreadable_folder():
    with Work(posts(100, 0, rng), files=2) as w:
        os.rename(os.path.join(w.folder, "in"), os.path.join(w.folder, "away"))
        result = w.run()
        ok(result.status in (1, 2) and len(said(result)) == 1 and "/in" in result.text, "a folder that is not there: one line", [result])
        os.rename(os.path.join(w.folder, "away"), os.path.join(w.folder, "in"))
        wrong = w.completes()
        ok(not wrong, "once it is there the same command reads it", wrong)


def log_on_full_disk():
    """A log that cannot be written is no reason to stop: the rows matter. What was lost of it is said once there is room."""
    lines = posts(3000, 0.01, rng)
    with Work(lines, files=30) as w:
        path = os.path.join(w.folder, "log")
        if os.geteuid() != 0 or not mounted(path, "4k"):
            skip("a full disk under the log", "may not mount a small file system")
            return
        try:
            w.conf = w.write_conf("posts.ini", settings="log = %s/log\nlog_level = debug\ncommit_rows = 100\n" % path)
            with open(os.path.join(path, "filler"), "wb") as f:
                f.write(b"x" * 4096)
            wrong = w.completes()
            ok(not wrong, "a full disk under the log stops nothing", wrong)
        finally:
            subprocess.run(["umount", "-l", path], check=False)


def unreadable_by_permission():
    """A folder and a file that may not be read, by somebody who is not root."""
    lines = posts(200, 0, rng)
    with Work(lines, files=2) as w:
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        if nobody and (not shutil.which("setpriv") or subprocess.run([*nobody, faults.PENSTOCK, "--version"], stdout=subprocess.DEVNULL,
                                                                     stderr=subprocess.DEVNULL, check=False).returncode):
            skip("an unreadable folder", "root can read everything, and nobody else can run the program here")
            return
        if nobody:
            subprocess.run(["chown", "-R", "65534:65534", w.folder], check=True)
        folder, file = os.path.join(w.folder, "in"), os.path.join(w.folder, "in", "0001.jsonl")
        for path, mode in ((folder, 0o755), (file, 0o644)):
            os.chmod(path, 0)
            result = w.run(program=nobody)
            ok(result.status == 1 and len(said(result)) == 1 and path in result.text and "ermission" in result.text,
               "a %s that may not be read: one line that names it, and 1" % ("folder" if path == folder else "file"), [result])
            os.chmod(path, mode)
        wrong = w.completes(program=nobody)
        ok(not wrong, "once it may, the same command reads it", wrong)


def changed_while_read():
    """Files that shrink or vanish while the pipeline reads them."""
    lines = posts(3000, 0, rng)
    for what in ("cut off", "gone"):
        with Work(lines, files=2, settings="commit_interval = 10ms\n", source="rate = 1500/s\n") as w:
            path, aside = os.path.join(w.folder, "in", "0001.jsonl"), os.path.join(w.folder, "aside")
            shutil.copy(path, aside)
            run = w.start("--until-end", "--set", "pipeline.lanes=1")
            faults.wait_until(lambda: os.path.isdir(os.path.join(w.table, "_delta_log")) and len(faults.table_rows("delta", w.table)) > 20)
            if what == "gone":
                os.unlink(path)
            else:
                os.truncate(path, 100)
            running = run.poll() is None
            result = faults.finish(run)
            ok(running and result.status == 1 and len(said(result)) == 1 and path in result.text, "a file %s while the pipeline runs: one line that names it, and 1" %
               what, [running, result])
            shutil.copy(aside, path)
            wrong = w.completes()
            ok(not wrong, "put back, each row is there once", wrong)


def stopped_half_way(w):
    """Runs w until its table has some rows of each file, which is then all that it has."""
    def of_each():
        first = [row["ind"] < 1500 for row in faults.table_rows("delta", w.table)]
        return first.count(True) > 20 and first.count(False) > 20

    run = w.start("--until-end", "--set", "posts.rate=2000/s")
    some = faults.wait_until(of_each)
    run.send_signal(signal.SIGTERM)
    result = faults.finish(run)
    return some and result.status == 0 and len(faults.table_rows("delta", w.table)) < 2900


def changed_files():
    """Files that change between two runs, before they were read to their end."""
    lines = posts(3000, 0.01, rng)
    for what in ("copied over itself", "cut off"):
        with Work(lines, files=2, settings="commit_interval = 10ms\n") as w:
            half = stopped_half_way(w)
            path, aside = os.path.join(w.folder, "in", "0000.jsonl"), os.path.join(w.folder, "aside")
            shutil.copy(path, aside)
            os.unlink(path)
            if what == "cut off":
                with open(path, "wb") as f, open(aside, "rb") as whole:
                    f.write(whole.read(100))
                result = w.run()
                ok(half and result.status == 1 and len(said(result)) == 1 and path in result.text, "a file %s between two runs: one line that names it, and 1" %
                   what, [half, result])
            shutil.copy(aside, path)
            wrong = w.completes()
            ok(half and not wrong, "a file %s is read on from where it was" % (what if what == "copied over itself" else "that was %s and is put back" % what), wrong)


def damaged_parquet():
    with Work(posts(100, 0, rng), sink="parquet") as w:
        w.run()
        path = faults.parquet_files(w.table)[0]
        with open(path, "rb") as f:
            whole = f.read()
        for what, broken in (("cut off", whole[:len(whole) // 2]), ("with a damaged footer", whole[:-40] + b"\xff" * 32 + whole[-8:]), ("empty", b"")):
            with open(path, "wb") as f:
                f.write(broken)
            conf = os.path.join(w.folder, "copy.ini")
            with open(conf, "w", encoding="utf-8") as f:
                f.write("[pipeline]\nname = copy\nstate = %s/state2\n[source t]\nplugin = parquet\npath = %s\n[sink c]\nplugin = delta\ninput = t\n"
                        "path = %s/copy\n" % (w.folder, w.table, w.folder))
            result = w.run(conf=conf)
            ok(result.status in (1, 2) and os.path.basename(path) in result.text and len(said(result)) == 1, "a Parquet file %s: named by the source" % what, [result])
            query = subprocess.run([faults.PENSTOCK, "query", "SELECT count(*), max(title) FROM t", "t=" + w.table], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, check=False)
            ok(query.returncode == 1 and os.path.basename(path).encode() in query.stderr, "and by a query", [query])
        with open(path, "wb") as f:
            f.write(whole)
        result = w.run(conf=conf)
        ok(result.status == 0 and len(faults.table_rows("delta", os.path.join(w.folder, "copy"))) == 100, "mended, it is read", [result])


disk_full("data", "out", "160k")
disk_full("data (Parquet files)", "out", "100k", sink="parquet")
disk_full("state", "state", "20k", sink="parquet")
disk_full("journal", "journal", "400k", via="journal")
disk_full("dead letters", "dead", "8k")
log_on_full_disk()
unreadable_folder()
unreadable_by_permission()
changed_while_read()
changed_files()
damaged_parquet()
faults.done()
