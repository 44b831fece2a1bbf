#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small pipeline with its Nth malloc, read, write, fsync or rename failing, once and from then on.

However it fails, it may not crash or hang; it ends with 1 and one clear line, or, where it could do without, with 0 (with 2, and nothing written, where
the file or a plugin could not be read). Then the same command is run
with nothing failing, and every row is in the table once. POINTS (default 24) is how many N of each kind are tried on each way; TORTURE=all tries
every N. TORTURE=KIND:N[+]:ERRNO tries one.
"""
import errno
import os
import signal
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import faults
from faults import Expected, Work, ok, posts

faults.need("file", "pin", "delta")
LIBRARY = os.path.join(faults.BUILD, "tests", "faults", ".libs", "fail.so")
POINTS = int(os.environ.get("POINTS", "24"))
TORTURE = os.environ.get("TORTURE", "")
WAYS = [w for w in os.environ.get("WAYS", "delta journal-delta parquet file").split() if all(p in faults.BUILT for p in w.split("-"))]
ERRORS = {"malloc": errno.ENOMEM, "read": errno.EIO, "write": errno.ENOSPC, "sync": errno.EIO, "rename": errno.EIO}
LATER = ("read", "write", "sync", "rename")  # what may also fail with ESTALE, which some time later may be good again
rng = faults.seed()
lines = posts(24, 0, rng) + [b'{"index": 1.5}', b"\xff\xfe"] + posts(6, 0, rng, first=30)
expected = Expected(lines)


def new_work(way):
    return Work(lines, sink=way.split("-")[-1], via="journal" if "-" in way else None, files=2, expected=expected, settings="commit_rows = 8\n",
                transport="partitions = 1\n", table="checkpoint_interval = 2\n" if way.endswith("delta") else "")


def env_for(kind, n, on, error, count=None):
    env = {"LD_PRELOAD": LIBRARY, "FAIL": kind, "FAIL_AT": str(n), "FAIL_ON": "1" if on else "0", "FAIL_ERRNO": str(error)}
    if count:
        env["FAIL_COUNT"] = count
    return env


def count(way, kind):
    with new_work(way) as w, tempfile.NamedTemporaryFile() as f:
        result = w.run(env=env_for(kind, 0, False, 0, f.name))
        if result.status != 0:
            raise SystemExit("Bail out! the pipeline does not run even when nothing fails: " + result.text)
        return int(f.read() or b"0")


def fail_once(way, kind, n, on, error):
    """What went wrong when the Nth call failed."""
    with new_work(way) as w:
        result = faults.finish(w.start("--until-end", env=env_for(kind, n, on, error)), 30)
        if result.status is None:
            return ["it hung", result.text]
        if result.status == 2 and kind in ("malloc", "read") and not os.path.exists(os.path.join(w.folder, "state")):
            return w.completes()
        if result.status == 127 and kind == "malloc" and "out of memory" in result.text:
            return w.completes()  # the dynamic linker itself had no memory, and ends the process in its own way
        if result.status not in (0, 1):
            name = signal.Signals(-result.status).name if result.status < 0 else "status %d" % result.status
            return ["it ended with %s" % name, result.text]
        said = [line for line in result.text.splitlines() if line.startswith("penstock: ")]
        if result.status == 1 and kind != "malloc" and len(said) != 1:
            return ["it ended with 1 and said", result.text or "nothing"]
        wrong = w.problems() if result.status == 0 else []
        return ["it ended with 0, but"] + wrong + [result.text] if wrong else w.completes()


def numbers(total):
    if TORTURE == "all" or total <= POINTS:
        return range(1, total + 1)
    return sorted({1, 2, total - 1, total} | {1 + (total - 1) * i // POINTS + rng.randrange(total // POINTS) for i in range(POINTS - 4)})


def torture(way, kind):
    total = count(way, kind)
    rounds = [(False, ERRORS[kind]), (True, ERRORS[kind])] + ([(False, errno.ESTALE)] if kind in LATER else [])
    for on, error in rounds:
        bad, tried = [], 0
        for n in numbers(total):
            tried += 1
            wrong = fail_once(way, kind, n, on, error)
            if wrong:
                bad.append(["TORTURE=%s:%d%s:%d WAYS=%s" % (kind, n, "+" if on else "", error, way)] + wrong)
        ok(not bad, "%s: %d of %d %ss fail%s with %s: nothing lost or doubled" % (way, tried, total, kind, " and all after" if on else "", errno.errorcode[error]),
           [line for b in bad[:20] for line in b] + ["%d bad" % len(bad)])


if faults.sanitized():
    print("1..0 # SKIP a sanitizer brings its own malloc and does not like libraries before it")
elif not os.path.exists(LIBRARY):
    print("1..0 # SKIP built without shared libraries")
elif ":" in TORTURE:
    kind, n, error = TORTURE.split(":")
    for way in WAYS:
        wrong = fail_once(way, kind, int(n.rstrip("+")), n.endswith("+"), int(error))
        ok(not wrong, "%s, %s" % (way, TORTURE), wrong)
    faults.done()
else:
    for way in WAYS:
        for kind in ERRORS:
            torture(way, kind)
    faults.done()
