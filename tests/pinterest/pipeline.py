#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whole pipelines: files of posts, places and users through the cleaners into Delta tables and Parquet files, against the reference.

Real rows, then dirty ones of several seeds (PINTEREST_SEEDS, PINTEREST_ROWS; PINTEREST_SLOW=1: more of both), in one piece and killed again and
again (PINTEREST_KILLS kills in all). Every row must be in each table once, and every bad record once among the dead letters.
"""
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import compare

VENV = os.path.join(os.environ.get("PENSTOCK_CACHE", os.path.expanduser("~/.cache/penstock")), "venv", "bin", "python")
SHARED = os.path.join(os.environ["top_srcdir"], "..", "shared")
PENSTOCK = os.path.join(os.environ["top_builddir"], "core", "penstock")
SLOW = os.environ.get("PINTEREST_SLOW") == "1"
SEEDS = os.environ.get("PINTEREST_SEEDS", "11 12 13 14 15" if SLOW else "11 12").split()
ROWS = os.environ.get("PINTEREST_ROWS", "100000" if SLOW else "20000")
KILLS = int(os.environ.get("PINTEREST_KILLS", "200" if SLOW else "10"))
KINDS = ("pin", "geo", "user")
BUILT = os.environ.get("PLUGINS_BUILT", "file pin geo user delta parquet").split()
SINKS = [s for s in ("delta", "parquet", "file") if s in BUILT]
os.environ["PENSTOCK"] = PENSTOCK
tests = failed = 0


def report(what, problems):
    global tests, failed
    tests += 1
    failed += bool(problems)
    print("%sok %d - %s" % ("not " if problems else "", tests, what))
    for problem in problems:
        print("# " + problem)
    sys.stdout.flush()


def table(work, sink, kind):
    return os.path.join(work, kind + ".jsonl") if sink == "file" else os.path.join(work, sink, kind)


def pipeline(work, inputs, rows):
    """A pipeline that reads each kind's file into a table of every sort of sink; the path of its file."""
    text = ["[pipeline]\nname = posts\nstate = %s/state\nlanes = 2\ncommit_rows = %d\n" % (work, rows), "[deadletter]\npath = %s/dead\n" % work]
    for kind in KINDS:
        text.append("[source read_%s]\nplugin = file\npath = %s\n" % (kind, inputs[kind]))
        text.append("[transform clean_%s]\nplugin = %s\ninput = read_%s\n" % (kind, kind, kind))
        for sink in SINKS:
            text.append("[sink %s_in_%s]\nplugin = %s\ninput = clean_%s\npath = %s\nfsync = no\n" % (kind, sink, sink, kind, table(work, sink, kind)))
    path = os.path.join(work, "posts.ini")
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(text))
    return path


def start(conf, log):
    return subprocess.Popen([PENSTOCK, "run", conf, "--until-end"], stdout=log, stderr=log, start_new_session=True)


def finish(conf, log):
    """Runs the pipeline to its end; what went wrong."""
    run = start(conf, log)
    try:
        status = run.wait(timeout=600)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        return ["it did not end within 600 s"]
    return ["it ended with %d" % status] if status else []


def run_killed(conf, log, rng, seconds):
    """Starts it and kills it at a random moment of a run that takes `seconds`: None where it was still running, else its status."""
    run = start(conf, log)
    try:
        return run.wait(timeout=rng.uniform(0, 0.9 * seconds))  # the moment is the test
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        return None


def judge(work, expected):
    problems = []
    for kind in KINDS:
        for sink in SINKS:
            found = expected[kind].differences(table(work, sink, kind), os.path.join(work, "dead"), "clean_" + kind)
            problems += ["%s in %s: %s" % (kind, sink, p) for p in found]
    return problems


def expect(inputs):
    out = {}
    for kind, path in inputs.items():
        with open(path, "rb") as f:
            out[kind] = compare.Expected(kind, f.read())
    return out


def tail(log):
    log.seek(0)
    return [line.rstrip() for line in log.readlines()[-8:]]


def in_new_folder(inputs, rows, action):
    """Calls action(work, conf, log) with a pipeline in a folder of its own; what it says went wrong, with the log's end."""
    work = tempfile.mkdtemp(prefix="penstock-pinterest-")
    try:
        with open(os.path.join(work, "log"), "w+", encoding="utf-8", errors="replace") as log:
            problems = action(work, pipeline(work, inputs, rows), log)
            return problems + tail(log) if problems else []
    finally:
        shutil.rmtree(work)


def check(what, inputs, expected, rows):
    """One run to the end; how long it took."""
    begin = time.monotonic()
    took = []

    def run(work, conf, log):
        problems = finish(conf, log)
        took.append(time.monotonic() - begin)
        return problems or judge(work, expected)
    report(what, in_new_folder(inputs, rows, run))
    return took[0]


def check_killed(what, inputs, expected, rows, kills, seed, seconds):
    """Kills it until `kills` kills found it running; each time that it comes to its end the tables are looked at."""
    rng = random.Random(seed)
    state = {"kills": 0, "ends": 0}

    def run(work, conf, log):
        status = None
        while status is None and state["kills"] < kills:
            status = run_killed(conf, log, rng, seconds)
            state["kills"] += status is None
        problems = finish(conf, log) if status is None else ["it ended with %d" % status] if status else []
        state["ends"] += 1
        return problems or judge(work, expected)
    problems = []
    while state["kills"] < kills and not problems:
        problems = in_new_folder(inputs, rows, run)
    report("%s, killed %d times, %d times at its end" % (what, state["kills"], state["ends"]), problems)


def use_other_readers():
    """Goes on under the Python that has deltalake and pyarrow, where there is one: a second opinion on the tables is worth more than our own."""
    try:
        import deltalake, pyarrow.dataset  # noqa: F401
    except ImportError:
        if os.path.exists(VENV) and os.path.realpath(sys.prefix) != os.path.realpath(os.path.dirname(os.path.dirname(VENV))):
            os.execv(VENV, [VENV] + sys.argv)
        print("# tables are read by penstock query: this Python has no deltalake and pyarrow", flush=True)


def main():
    use_other_readers()
    data = os.path.join(SHARED, "data", "pinterest")
    make_posts = os.path.join(SHARED, "tools", "make_posts.py")
    if not os.path.exists(data) or not os.path.exists(make_posts):
        print("1..0 # SKIP ../shared is not there")
        return
    missing = [k for k in ("file",) + KINDS if k not in BUILT]
    if missing:
        print("1..0 # SKIP not built: %s" % " ".join(missing))
        return
    inputs = {k: os.path.join(data, k + ".jsonl") for k in KINDS}
    check("real rows", inputs, expect(inputs), 500)
    for n, seed in enumerate(SEEDS):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, make_posts, ROWS, folder, "--seed", seed, "--dirty", "0.05"], check=True)
            inputs = {k: os.path.join(folder, k + ".jsonl") for k in KINDS}
            expected = expect(inputs)
            what = "%s dirty posts of seed %s" % (ROWS, seed)
            seconds = check(what, inputs, expected, 1000)
            check_killed(what, inputs, expected, 1000, KILLS // len(SEEDS) + (n < KILLS % len(SEEDS)), int(seed), seconds)
    print("1..%d" % tests)
    sys.exit(failed > 0)


main()
