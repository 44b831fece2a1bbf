#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every failpoint of the tree: a small pipeline exits there (as if killed) at the first, a middle and the last time that it is reached, fails there, and
waits there. Afterwards the same command, with no failpoint set, must end with each row in the table once. An error must end the run with 1 and
one line that names it, unless the run can do without what failed.

The names are taken from the source, so a new one that no pipeline here reaches is a failure. What one pipeline has been through is only touched on by
the next; FAILPOINTS=all tries each time that each is reached. Needs --enable-failpoints.
"""
import collections
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import faults
from faults import Expected, Work, ok, posts

faults.need("file", "generate", "journal", "pin", "delta", "parquet")
rng = faults.seed()
EVERY = os.environ.get("FAILPOINTS") == "all"  # each time that it is reached, not three of them
LOSES = "tests/model and tests/s3: it takes a store that loses an upload"
ELSEWHERE = {"commit.lost": LOSES, "commit.before-retract": LOSES, "commit.after-retract": LOSES,
             "delta.settle": "writers.py: it takes two writers", "delta.clean-up": "tests/delta: it takes a thousand versions",
             "journal.roll": "tests/journal: it takes thousands of commits", "journal.rolled": "tests/journal"}
SERVERS = {"http", "kafka", "kinesis", "rds", "s3"}  # plugins that need a server: their own tests go through theirs
lines = posts(2400, 0.02, rng)
expected = Expected(lines)


def names_in_tree():
    found = set()
    for folder in ("core", "plugins"):
        for where, _, files in os.walk(os.path.join(faults.TOP, folder)):
            if os.path.basename(where) in SERVERS:
                continue
            for name in files:
                if name.endswith(".c"):
                    with open(os.path.join(where, name), encoding="utf-8") as f:
                        found |= set(re.findall(r'pen_failpoint\("([^"]+)"', f.read()))
    return found


class Way(Work):
    """The first half of the files has been read when the run under test begins, so that it finds a table, a chain and a checkpoint."""

    def __init__(self, way):
        sink, via = way.split("-")[-1], "journal" if way.startswith("journal") else None
        between = way.split("-")[0] if way.count("-") == 1 and not via else None
        super().__init__(lines[:1200], sink=between or sink, via=via, files=3, expected=expected, settings="commit_rows = 400\n",
                         transport="segment_size = 64KiB\nretention_bytes = 512KiB\n",
                         table="checkpoint_interval = 2\nproperties.delta.logRetentionDuration = interval 0 seconds\n"
                         if "delta" in (between or sink) else "")
        self.check(self.run())
        faults.write_files(os.path.join(self.folder, "in2"), lines[1200:], 3)
        for name in os.listdir(os.path.join(self.folder, "in2")):
            os.rename(os.path.join(self.folder, "in2", name), os.path.join(self.folder, "in", "b" + name))
        if between:
            self.check(self.run())
            text = "[pipeline]\nname = copy\nstate = %s/state2\nlanes = 2\ncommit_rows = 100\n" % self.folder
            text += "[source t]\nplugin = %s\npath = %s\n[sink copy]\nplugin = %s\ninput = t\n" % (between, self.table, sink)
            self.table = os.path.join(self.folder, "copy.jsonl" if sink == "file" else "copy")
            self.sink = sink
            self.conf = os.path.join(self.folder, "copy.ini")
            with open(self.conf, "w", encoding="utf-8") as f:
                f.write(text + "path = %s\n" % self.table)

    @staticmethod
    def check(result):
        if result.status != 0:
            raise SystemExit("Bail out! a pipeline that is not disturbed ended with %s: %s" % (result.status, result.text))


class Made(Work):
    """Posts from the generate source."""

    def __init__(self, _way):
        super().__init__(None, sink="delta")
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write("[pipeline]\nname = made\nstate = %s/state\nlanes = 2\ncommit_rows = 100\n[source posts]\nplugin = generate\ncount = 500\n"
                    "[transform clean]\nplugin = pin\ninput = posts.pin\n[sink table]\nplugin = delta\ninput = clean\npath = %s\n"
                    "checkpoint_interval = 2\n" % (self.folder, self.table))

    def problems(self):
        try:
            row = faults.query(self.table, "SELECT count(*) n, count(DISTINCT ind) d, min(ind) a, max(ind) z FROM t")[0]
        except RuntimeError as e:
            return [str(e)]
        return [] if (row["n"], row["d"], row["z"] - row["a"]) == (500, 500, 499) else ["the table holds %s" % row]


WAYS = {"delta": Way, "journal-delta": Way, "parquet": Way, "file": Way, "generate": Made, "delta-parquet": Way, "parquet-file": Way}


def count_hits(way):
    with WAYS[way](way) as w:
        log = os.path.join(w.folder, "hits")
        wrong = w.completes(env={"PENSTOCK_FAILPOINT_LOG": log})
        if wrong:
            raise SystemExit("Bail out! %s, not disturbed: %s" % (way, wrong))
        with open(log, encoding="utf-8") as f:
            return collections.Counter(f.read().split())


def disturb(way, name, action, when):
    """What went wrong."""
    with WAYS[way](way) as w:
        result = faults.finish(w.start("--until-end", env={"PENSTOCK_FAILPOINTS": "%s=%s@%d" % (name, action, when)}), 60)
        if action == "exit" and result.status not in (-9, 0):
            return ["it ended with %s" % result.status, result.text]
        if action == "error":
            said = [line for line in result.text.splitlines() if line.startswith("penstock: ")]
            clear = len(said) == 1 and (name in said[0] or "known" in said[0] or "cannot tell" in said[0])
            if result.status not in (0, 1) or (result.status == 1 and not clear):
                return ["it ended with %s and said" % result.status, result.text]
        if action.startswith("delay") and result.status != 0:
            return ["it ended with %s" % result.status, result.text]
        if result.status == 0 and w.problems():
            return ["it ended with 0, but"] + w.problems() + [result.text]
        return w.completes()


def tries(hits, known):
    if EVERY:
        return [(a, n) for a in ("exit", "error", "delay:20") for n in range(1, hits + 1)]
    if known:
        return [("exit", rng.randint(1, hits))]
    if faults.sanitized():  # many times slower; the plain build goes through them all
        return [(rng.choice(("exit", "error")), rng.randint(1, hits))]
    some = sorted({1, (hits + 1) // 2, hits})
    return [("exit", n) for n in some] + [("error", n) for n in sorted({1, hits})] + [("delay:20", some[len(some) // 2])]


with open(os.path.join(faults.BUILD, "config.h"), encoding="utf-8") as f:
    if "#define PEN_FAILPOINTS 1" not in f.read():
        print("1..0 # SKIP configured without --enable-failpoints")
        sys.exit(0)
names = names_in_tree()
left = names - set(ELSEWHERE)
ok(len(names) > 30 and names >= set(ELSEWHERE), "the tree has failpoints: %d" % len(names))
for way in WAYS:
    if os.environ.get("WAYS", way) != way:
        continue
    hits = count_hits(way)
    bad, tried = [], 0
    for name in sorted(hits):
        for action, when in tries(hits[name], name not in left):
            tried += 1
            wrong = disturb(way, name, action, when)
            if wrong:
                bad += ["PENSTOCK_FAILPOINTS=%s=%s@%d (of %d)" % (name, action, when, hits[name])] + wrong
    left -= set(hits)
    ok(not bad, "%s: %d failpoints, %d exits, errors and delays: each row once" % (way, len(hits), tried), ["\n".join(bad[i:i + 10]) for i in range(0, len(bad), 10)])
if "WAYS" not in os.environ:
    ok(not left, "each failpoint is reached", sorted(left))
faults.done()
