"""Commits that are cut off at each step by a failpoint, then continued: every row is in the table once.
SPDX-License-Identifier: Apache-2.0"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import readers as tap

BUILD = os.environ.get("top_builddir", ".")
WRITER = os.path.join(BUILD, "tests", "delta", "write_table")
STEPS = ["delta.before-put", "delta.after-put", "delta.checkpoint", "delta.last-checkpoint", "delta.list", "delta.follow", "delta.read-checkpoint",
         "store.open", "store.write", "store.sync-file", "store.before-publish", "store.after-publish", "store.sync-folder", "store.read", "store.list"]
COMMITS, ROWS = 24, 10


def write(path, commits, **env):
    return subprocess.run([WRITER, path, str(commits), str(ROWS), "fsync=yes"], env=dict(os.environ, **env), capture_output=True, text=True)


def rows(path):
    out = subprocess.run([os.path.join(BUILD, "core", "penstock"), "query", "--json", "SELECT count(*) AS n, count(DISTINCT ind) AS d, max(ind) AS m FROM t", f"t={path}"],
                         capture_output=True, text=True)
    return json.loads(out.stdout) if out.returncode == 0 else {"error": out.stderr.strip()}


def built_with_failpoints(folder):
    return write(os.path.join(folder, "probe"), 1, PENSTOCK_FAILPOINTS="delta.before-put=error@1").returncode != 0


def cut_off(folder, step, action, at):
    """One run that is cut off, and one that goes on. Answers whether the step was reached."""
    path = os.path.join(folder, "t")
    shutil.rmtree(path, ignore_errors=True)
    first = write(path, COMMITS, PENSTOCK_FAILPOINTS=f"{step}={action}@{at}")
    second = write(path, 2)
    got = rows(path)
    good = second.returncode == 0 and got.get("n") and got["n"] == got["d"] == got["m"] + 1 and got["n"] % ROWS == 0
    temp = [] if action == "exit" else [f for _, _, names in os.walk(path) for f in names if f.startswith(".pen-")]
    if not good or temp:
        print(f"# {step}={action}@{at}: {got} {temp} {first.stderr.strip()} {second.stderr.strip()}")
    return first.returncode != 0, bool(good) and not temp


def main():
    if not os.path.exists(WRITER):
        tap.skip("commits that are cut off", "the delta plugin is not built")
        return
    folder = tempfile.mkdtemp(prefix="test_kill.")
    if not built_with_failpoints(folder):
        tap.skip("commits that are cut off", "built without --enable-failpoints")
    else:
        for step in STEPS:
            for action in ("exit", "error"):
                results = [cut_off(folder, step, action, at) for at in (1, 2, 7, 20)]
                hits = sum(hit for hit, _ in results)
                tap.ok(all(good for _, good in results) and (hits or action == "error"), f"{step}={action}: every row once ({hits} of {len(results)} runs ended early)")
    shutil.rmtree(folder)


main()
tap.end()
