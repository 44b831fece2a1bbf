#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bad input: each sort of broken record is a dead letter with its reason, position and bytes, and what lies around it goes through."""
import os
import resource
import shutil
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import faults
from faults import Work, ok, posts

faults.need("file", "pin", "delta")
rng = faults.seed()
GOOD = posts(4, 0, rng)
BAD = {
    "truncated": b'{"index": 7, "title": "cut',
    "binary": bytes(range(11, 256)).replace(b"\r", b""),
    "nested 100,000 deep": b'{"index": 7, "x": ' + b"[" * 100000 + b"]" * 100000 + b"}",
    "invalid UTF-8": b'{"index": 7, "title": "\xc3("}',
    "a number alone": b"42",
    "an index of the wrong type": b'{"index": "7528"}',
    "an index that is no whole number": b'{"index": 1.5}',
    "an index beyond int32": b'{"index": 2147483648}',
    "no index": b'{"title": "nobody"}',
    "two objects": b'{"index": 7}{"index": 8}',
    "a byte order mark": b'\xef\xbb\xbf{"index": 7}',
    "a NUL": b'{"index": 7, "title": "\x00"}',
}


def one(what, record):
    before = b"".join(line + b"\n" for line in GOOD[:2])
    with Work(GOOD[:2] + [record] + GOOD[2:]) as w:
        wrong = w.completes()
        letters = list(faults.dead_letters(os.path.join(w.folder, "dead")))
        good = not wrong and len(letters) == 1 and letters[0]["reason"] and letters[0]["stage"] == "clean" and letters[0]["position"] == len(before)
        ok(good, "%s: a dead letter that says why, where and what; the rest goes on" % what, wrong + [str(x)[:300] for x in letters])


def long_line():
    """100 MB in one line, without and with its end."""
    for ending in (b"\n", b""):
        with Work(GOOD) as w:
            with open(os.path.join(w.folder, "in", "0000.jsonl"), "r+b") as f:
                text = f.read()
                f.write(b'{"index": 9, "title": "')
                for _ in range(100):
                    f.write(b"x" * 1000000)
                f.write(b'"}\n' + text.replace(b'{"index": ', b'{"index": 1') if ending else b"")
                f.flush()
            run = w.start()
            _, status, usage = os.wait4(run.pid, 0)
            run.returncode = os.waitstatus_to_exitcode(status)
            result = faults.finish(run)
            letters = list(faults.dead_letters(os.path.join(w.folder, "dead")))
            rows = len(faults.table_rows("delta", w.table))
            length = 100000023 + (2 if ending else 0)
            good = result.status == 0 and rows == (8 if ending else 4) and len(letters) == 1 and letters[0].get("length") == length
            ok(good and len(letters[0]["record"]) == 65536, "a line of 100 MB%s is a dead letter: its first 64 KiB, its length, its position" %
               ("" if ending else " that nothing ends"), [result, rows, [str(x)[-300:] for x in letters]])
            if faults.sanitized():
                faults.skip("in less than 64 MiB", "a sanitizer takes its own")
            else:
                ok(usage.ru_maxrss < 64 << 10, "in less than 64 MiB: %d KiB" % usage.ru_maxrss)


def max_errors():
    lines = posts(3000, 0.01, rng)
    with Work(lines, files=30, settings="commit_rows = 100\nmax_errors = 5\n") as w:
        result = w.run()
        said = [line for line in result.text.splitlines() if line.startswith("penstock: ")]
        ok(result.status == 1 and len(said) == 1 and "max_errors" in said[0], "max_errors = 5 stops the run with 1 and one line", [result])
        rows, letters = faults.table_rows("delta", w.table), list(faults.dead_letters(os.path.join(w.folder, "dead")))
        ok(len(rows) < len(lines) and len(rows) == len({r["ind"] for r in rows}), "%d rows had been committed, each once" % len(rows))
        w.conf = w.write_conf("posts.ini", settings="commit_rows = 100\n")
        wrong = w.completes()
        ok(not wrong, "without it the same command goes on: each row once, each dead letter once (%d before)" % len(letters), wrong)


def max_errors_of_all_segments():
    """Two segments with three broken records each: neither has more than five, both have."""
    lines, more = GOOD + [b"1", b"2", b"3"], posts(4, 0, rng, first=4) + [b"4", b"5", b"6"]
    with Work(lines, settings="max_errors = 5\n", expected=faults.Expected(lines + more)) as w:
        faults.write_files(os.path.join(w.folder, "more"), more, 1)
        second = "[source others]\nplugin = file\npath = %s/more\n[transform too]\nplugin = pin\ninput = others\n" \
                 "[sink second]\nplugin = delta\ninput = too\npath = %s\n" % (w.folder, w.table)
        for allowed, status in ((5, 1), (6, 0)):
            w.write_conf("posts.ini", settings="max_errors = %d\n" % allowed)
            with open(w.conf, "a", encoding="utf-8") as f:
                f.write(second)
            shutil.rmtree(w.table, ignore_errors=True)
            shutil.rmtree(os.path.join(w.folder, "state"), ignore_errors=True)
            shutil.rmtree(os.path.join(w.folder, "dead"), ignore_errors=True)
            result = w.run()
            good = result.status == status and ("max_errors allows 5" in result.text) == (status == 1)
            ok(good, "two segments with three dead letters each, max_errors = %d: status %d" % (allowed, status), [result])
        ok(not w.problems(), "and all rows and dead letters are there then", w.problems())


def state_is_locked():
    with Work(GOOD, source="follow = yes\n") as w:
        run = w.start("--json")
        lock = os.path.join(w.folder, "state", "lock")
        until = time.monotonic() + 30
        while not (os.path.exists(lock) and os.path.getsize(lock)) and time.monotonic() < until:
            time.sleep(0.01)
        second = w.run()
        said = [line for line in second.text.splitlines() if line.startswith("penstock: ")]
        ok(second.status == 1 and len(said) == 1 and str(run.pid) in said[0], "a second process is told who holds the state", [second, run.pid])
        run.send_signal(signal.SIGTERM)
        result = faults.finish(run)
        ok(result.status == 0, "SIGTERM ends a run that waits for more, with 0", [result])


def stopped(sig):
    lines = posts(6000, 0.02, rng)
    with Work(lines, files=3, settings="commit_interval = 20ms\n", source="rate = 2000/s\n") as w:
        stops = 0
        for _ in range(4):
            run = w.start()
            log = os.path.join(w.table, "_delta_log")
            until, before = time.monotonic() + 30, len(os.listdir(log)) if os.path.isdir(log) else 0
            while run.poll() is None and time.monotonic() < until and (len(os.listdir(log)) if os.path.isdir(log) else 0) <= before + 1:
                time.sleep(0.002)
            stops += run.poll() is None
            run.send_signal(sig)
            result = faults.finish(run)
            if result.status != 0:
                break
        wrong = [result] if result.status != 0 else w.completes()
        ok(not wrong and stops > 1, "%s in the middle, %d times: it commits, exits 0, and goes on from there" % (sig.name, stops), wrong)


def log_reopened():
    with Work(GOOD, source="follow = yes\n", settings="") as w:
        log = os.path.join(w.folder, "log")
        w.conf = w.write_conf("posts.ini", settings="log = %s\nlog_level = debug\n" % log, source="follow = yes\n")
        run = w.start("--json")
        until = time.monotonic() + 30
        while not (os.path.exists(log) and os.path.isdir(os.path.join(w.table, "_delta_log"))) and time.monotonic() < until:
            time.sleep(0.01)
        os.rename(log, log + ".1")
        run.send_signal(signal.SIGHUP)
        while not os.path.exists(log) and time.monotonic() < until:
            time.sleep(0.01)
        run.send_signal(signal.SIGTERM)
        result = faults.finish(run)
        with open(log, encoding="utf-8") as f:
            ok(result.status == 0 and "stopping" in f.read(), "SIGHUP: the log goes on in a new file", [result])


def damaged():
    """Things that are there but broken: one line and 1; once they are mended the same command goes on."""
    lines = posts(300, 0, rng)
    log = "_delta_log/%020d.json"
    for what, breaks in (("a hole in the log", lambda t: os.rename(os.path.join(t, log % 1), os.path.join(t, "aside"))),
                         ("garbage in the log", lambda t: replace(os.path.join(t, log % 1), b"\x00\xffgarbage")),
                         ("a protocol of the future", lambda t: replace(os.path.join(t, log % 0), b'{"protocol":{"minReaderVersion":9,"minWriterVersion":99}}\n'))):
        with Work(lines, files=6, settings="commit_rows = 50\n", table="checkpoint_interval = 1000\n") as w:
            first = w.run()
            copy = snapshot(w.table)
            faults.write_files(os.path.join(w.folder, "in", "more"), [], 0)
            breaks(w.table)
            second = w.run()
            said = [line for line in second.text.splitlines() if line.startswith("penstock: ")]
            ok(first.status == 0 and second.status == 1 and len(said) == 1 and w.table in said[0], "%s: one line that says where, and 1" % what, [second])
            restore(w.table, copy)
            wrong = w.completes()
            ok(not wrong, "%s: mended, it goes on" % what, wrong)


def replace(path, data):
    with open(path, "wb") as f:
        f.write(data)


def snapshot(table):
    out = {}
    for name in os.listdir(os.path.join(table, "_delta_log")):
        path = os.path.join(table, "_delta_log", name)
        if os.path.isfile(path):
            with open(path, "rb") as f:
                out[name] = f.read()
    return out


def restore(table, copy):
    for name, data in copy.items():
        replace(os.path.join(table, "_delta_log", name), data)


for what, record in BAD.items():
    one(what, record)
long_line()
max_errors()
max_errors_of_all_segments()
state_is_locked()
stopped(signal.SIGTERM)
stopped(signal.SIGINT)
log_reopened()
damaged()
faults.done()
