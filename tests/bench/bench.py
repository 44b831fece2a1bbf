# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: a pipeline in a folder of its own, and a process measured as the kernel counts it."""
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("top_builddir", "."))
CACHE = os.environ.get("PENSTOCK_CACHE", os.path.expanduser("~/.cache/penstock"))
ROWS = int(os.environ.get("BENCH_ROWS", "200000"))
PAIRS = int(os.environ.get("BENCH_PAIRS", "5"))
CORE = int(os.environ.get("BENCH_CORE", max(os.sched_getaffinity(0))))

PIPELINE = """\
[pipeline]
name = bench
state = {state}
lanes = {lanes}
commit_interval = 1h
commit_rows = {commit_rows}
commit_bytes = 100GB

[source posts]
{source}

[transform clean]
plugin = {cleaner}
input = {records}

[sink table]
plugin = {sink}
input = clean
path = {output}
compression = zstd:1
fsync = {fsync}
"""


def pipeline(work, source, sink="parquet", lanes=1, cleaner="pin", commit_rows="1000M", fsync="yes"):
    """A pipeline that writes below the folder: (its file, its output). Source: a file's path, or the number of posts to generate."""
    conf, output = os.path.join(work, "bench.ini"), os.path.join(work, "out")
    made = isinstance(source, int)
    text = "plugin = generate\nseed = 7\ncount = %d" % source if made else "plugin = file\npath = " + source
    with open(conf, "w", encoding="utf-8") as f:
        f.write(PIPELINE.format(state=os.path.join(work, "state"), source=text, records="posts." + cleaner if made else "posts", sink=sink,
                                output=output, lanes=lanes, cleaner=cleaner, commit_rows=commit_rows, fsync=fsync))
    return conf, output


def folder():
    """A new folder for files; BENCH_DIR says where."""
    return tempfile.mkdtemp(prefix="penstock-bench-", dir=os.environ.get("BENCH_DIR"))


def posts(target, rows=ROWS):
    """Makes so many posts: the folder's pin.jsonl, geo.jsonl, user.jsonl."""
    make_posts = os.path.join(ROOT, "..", "shared", "tools", "make_posts.py")
    if not os.path.exists(make_posts):
        sys.exit("%s is not there: it makes the input" % make_posts)
    subprocess.run([sys.executable, make_posts, str(rows), target, "--seed", "7"], check=True)


def program():
    real = os.path.join(BUILD, "core", ".libs", "penstock")  # behind libtool's wrapper, which is a shell script
    return real if os.path.exists(real) else os.path.join(BUILD, "core", "penstock")


def environment():
    env = dict(os.environ, PENSTOCK_PLUGIN_PATH=os.path.join(BUILD, "plugins"), POLARS_MAX_THREADS="1", TZ="UTC")
    env["LD_LIBRARY_PATH"] = os.path.join(BUILD, "core", ".libs") + ":" + env.get("LD_LIBRARY_PATH", "")
    return env


def measure(command, output=None, cores=None):
    """Runs it on these cores: (wall s, CPU s, peak MiB, bytes of Parquet files written to output)."""
    said = tempfile.TemporaryFile()
    begin = time.perf_counter()
    child = os.fork()
    if child == 0:
        try:
            os.sched_setaffinity(0, cores or os.sched_getaffinity(0))
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            os.execve(command[0], command, environment())
        finally:
            os._exit(127)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - begin
    if status != 0:
        said.seek(0)
        sys.exit("%s: ended with status %d: %s" % (" ".join(command), os.waitstatus_to_exitcode(status), said.read().decode(errors="replace")))
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, written(output) if output else 0


def written(path):
    """Bytes of the data files at path."""
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(path) for f in files if f.endswith(".parquet"))


def run_ours(parent, source, sink="parquet", lanes=1, **more):
    """Runs a fresh pipeline to its end and removes what it wrote."""
    work = tempfile.mkdtemp(dir=parent)
    try:
        conf, output = pipeline(work, source, sink, lanes, **more)
        return measure([program(), "run", conf, "--until-end"], output, {CORE} if lanes == 1 else os.sched_getaffinity(0))
    finally:
        shutil.rmtree(work)


def load():
    """What else the machine was doing, to print beside figures."""
    return "load %.1f on %d cores" % (os.getloadavg()[0], len(os.sched_getaffinity(0)))
