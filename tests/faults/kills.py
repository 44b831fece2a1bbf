#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SIGKILL at random moments: KILLS of them (default 40), spread over the ways that rows can go. After each the same command is run again; whenever it
comes to its end every row must be in the table once, and every broken record once among the dead letters. Commits are small and files many,
so that kills hit each step of a commit, the chain of files and the journal's rolling too.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import faults
from faults import Expected, Work, kill_after, ok, posts

faults.need("file", "pin", "delta")
rng = faults.seed()
KILLS = int(os.environ.get("KILLS", "40"))
ROWS = int(os.environ.get("ROWS", "12000"))
WAYS = [w for w in ("delta", "journal-delta", "parquet", "file") if all(p in faults.BUILT for p in w.split("-"))]


def new_work(way, lines, expected):
    files = rng.choice([3, 60, 150])
    return Work(lines, sink=way.split("-")[-1], via="journal" if "-" in way else None, files=files, expected=expected,
                settings="commit_interval = %dms\ncommit_rows = %d\n" % (rng.choice([20, 50, 100]), rng.choice([200, 1000, 5000])),
                source="range_size = %d\n" % rng.choice([20000, 200000]) + ("rate = %d/s\n" % ROWS if files == 3 else ""),
                transport="segment_size = 256KiB\nretention_bytes = 2MiB\npartitions = %d\n" % rng.choice([1, 2]),
                table="checkpoint_interval = 3\n" if way.endswith("delta") else "")


def run_way(way, kills):
    lines = posts(ROWS, 0.03, rng)
    expected = Expected(lines)
    killed = ends = 0
    problems = []
    while killed < kills and not problems:
        with new_work(way, lines, expected) as w:
            running = True
            while killed < kills and running:
                run = w.start("--until-end")
                running = kill_after(run, rng.choice([0.05, 0.2, 0.5]) * rng.random())
                killed += running
                if not running and run.returncode:
                    problems = ["a run between kills ended with %d" % run.returncode, faults.finish(run).text]
                else:
                    run.log.close()
            problems = problems or w.completes()
            ends += 1
            if problems and os.environ.get("KEEP"):
                os.environ["KEEP"] = "1"
    ok(not problems, "file -> %s: killed %d times, %d times at its end: each row once" % (way.replace("-", " -> "), killed, ends), problems)


for i, way in enumerate(WAYS):
    run_way(way, KILLS // len(WAYS) + (i < KILLS % len(WAYS)))
faults.done()
