#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Several processes at one Delta table: two pipelines with sources of their own, and one pipeline run twice with a `state` each over the same files;
at a folder or file that shows no positions, where the second is refused."""
import glob
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import faults
from faults import Expected, Work, ok, posts

faults.need("file", "pin", "delta", "parquet")
rng = faults.seed()
SMALL = "commit_interval = 5ms\ncommit_rows = 50\n"


def wait_both(runs):
    results = [faults.finish(r) for r in runs]
    return results, ["%s ended with %s: %s" % (i, r.status, r.text) for i, r in enumerate(results) if r.status != 0]


def two_pipelines():
    first, second = posts(3000, 0.02, rng), posts(3000, 0.02, rng, first=10000)
    with Work(first, files=20, settings=SMALL, expected=Expected(first + second)) as w:
        faults.write_files(os.path.join(w.folder, "in2"), second, 20)
        other = w.write_conf("second.ini", settings=SMALL, name="second", state="state2")
        with open(other, encoding="utf-8") as f:
            text = f.read().replace(w.folder + "/in\n", w.folder + "/in2\n")
        with open(other, "w", encoding="utf-8") as f:
            f.write(text)
        _, wrong = wait_both([w.start(), w.start(conf=other)])
        commits = len([n for n in os.listdir(os.path.join(w.table, "_delta_log")) if n.endswith(".json")])
        ok(not wrong and commits > 60, "two pipelines append to one table at once, %d commits" % commits, wrong)
        ok(not w.problems(), "each row of both is there once", w.problems())


def same_pipeline():
    lines = posts(3000, 0.02, rng)
    with Work(lines, files=30, settings=SMALL) as w:
        other = w.write_conf("other.ini", settings=SMALL, state="state2")
        _, wrong = wait_both([w.start(), w.start(conf=other)])
        ok(not wrong, "one pipeline, two processes with a state each, the same files: both end well", wrong)
        ok(not w.problems(), "each row is there once", w.problems())


def killed_at_contention(action):
    lines = posts(3000, 0.02, rng)
    with Work(lines, files=30, settings=SMALL) as w:
        other = w.write_conf("other.ini", settings=SMALL, state="state2")
        _, _ = wait_both([w.start(), w.start(conf=other, env={"PENSTOCK_FAILPOINTS": "delta.settle=%s@2" % action})])
        wrong = w.completes()
        ok(not wrong, "one of them meets %s where it looks whether its commit happened: each row once" % action, wrong)


def folder_rows(folder):
    """How many rows the files of a folder hold, and how many of them differ."""
    if glob.glob(os.path.join(folder, "**", "*.parquet"), recursive=True):
        rows = [tuple(row.values()) for row in faults.table_rows("parquet", folder)]
    else:
        rows = [line for path in glob.glob(os.path.join(folder, "*.jsonl")) for line in open(path, "rb")]
    return len(rows), len(set(rows))


def another_state(sink, path):
    """A sink that shows no positions: whoever has another `state`, or is another stage, would write every row again, and is refused."""
    lines = posts(200, 0, rng)
    with Work(lines, sink=sink) as w:
        w.table = os.path.join(w.folder, path)
        w.conf = w.write_conf("posts.ini")
        first = w.run()
        count = folder_rows(w.table) if os.path.isdir(w.table) else (len(faults.table_rows("file", w.table)),) * 2
        result = w.run(conf=w.write_conf("lost.ini", state="state2"))
        said = [line for line in result.text.splitlines() if line.startswith("penstock: ")]
        ok(first.status == 0 and count == (200, 200) and result.status == 1 and len(said) == 1 and w.table in said[0] and "state2" in said[0],
           "%s, %s: the same pipeline with another state is refused" % (sink, path), [first, count, result])
        result = w.run(conf=w.write_conf("other.ini", state="state3", name="other"))
        ok(result.status == 1 and w.table in result.text and "posts" in result.text, "and so is another pipeline", [result])
        result = w.run(conf=w.write_conf("posts.ini"))
        again = folder_rows(w.table) if os.path.isdir(w.table) else (len(faults.table_rows("file", w.table)),) * 2
        ok(result.status == 0 and again == (200, 200), "with its own state it goes on, and has nothing to add", [result, again])


another_state("parquet", "out")
another_state("file", "out")
another_state("file", "out.jsonl")
two_pipelines()
for _ in range(3):
    same_pipeline()
for action in ("exit", "error", "delay:20"):
    killed_at_contention(action)
faults.done()
