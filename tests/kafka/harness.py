# SPDX-License-Identifier: Apache-2.0
"""What the tests of the Kafka transport share: TAP, a broker, pipelines as texts, records in and out."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = os.path.abspath(os.environ.get("top_srcdir", "."))
BUILD = os.path.abspath(os.environ.get("top_builddir", "."))
sys.path.insert(0, os.path.join(TOP, "tests", "services"))
import services  # noqa: E402

PENSTOCK = os.path.join(BUILD, "core", "penstock")
TOOL = os.path.join(BUILD, "tests", "kafka", "kafka_tool")
count = failed = 0


def ok(good, name):
    global count, failed
    count += 1
    failed += not good
    print("%s %d - %s" % ("ok" if good else "not ok", count, name), flush=True)
    return bool(good)


def note(text):
    for line in str(text).splitlines():
        print("# " + line, flush=True)


def end():
    print("1..%d" % count, flush=True)
    sys.exit(failed != 0)


def skip_unless_there(*servers, **options):
    for name in servers:
        why = services.missing(name, **(options if name == "kafka" else {}))
        if why:
            print("1..0 # SKIP " + why)
            sys.exit(0)
    if "kafka" not in os.environ.get("PLUGINS_BUILT", "kafka").split():
        print("1..0 # SKIP the kafka plugin is not built")
        sys.exit(0)


def line(value, key=None, partition=-1, ms=0, headers=()):
    """A record as kafka_tool takes it."""
    def hexed(b):
        return "-" if b is None else b.hex()
    return "%d\t%s\t%s\t%d\t%s\n" % (partition, hexed(key), hexed(value), ms, ",".join("%s=%s" % (n, hexed(v)) for n, v in headers))


def post(ind):
    return json.dumps({"index": ind, "title": "post %d" % ind, "follower_count": "%dk" % (ind % 1000), "category": "art"}).encode()


def produce(k, topic, lines, how="produce", transaction=None):
    """how: produce, or commit or abort with a transaction's name."""
    run = subprocess.run([TOOL, how, k.plain, topic] + ([transaction] if transaction else []), input="".join(lines), capture_output=True, text=True, timeout=120)
    if run.returncode:
        raise RuntimeError(run.stderr)


def hang(k, topic, lines, transaction):
    """A producer that leaves its transaction open, until it is killed."""
    p = subprocess.Popen([TOOL, "hang", k.plain, topic, transaction], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    p.stdin.write("".join(lines))
    p.stdin.close()
    if p.stdout.readline().strip() != "done":
        raise RuntimeError("kafka_tool hang")
    return p


def dump(k, topic, which="committed"):
    """Records as (partition, offset, key, value, ms, headers), texts in hexadecimal."""
    run = subprocess.run([TOOL, "dump", k.plain, topic, which], capture_output=True, text=True, timeout=120)
    if run.returncode:
        raise RuntimeError(run.stderr)
    return [tuple(r.split("\t")) for r in run.stdout.splitlines()]


def inds(records):
    return [json.loads(bytes.fromhex(r[3]))["index"] for r in records]


class Folder:
    """A folder with pipelines, their states and tables; removed at the end unless something failed."""

    def __init__(self, name):
        self.path = tempfile.mkdtemp(prefix="penstock-%s." % name)
        self.running = []

    def __enter__(self):
        return self

    def __exit__(self, *what):
        for p in self.running:
            if p.poll() is None:
                p.send_signal(signal.SIGCONT)
                p.kill()
                p.wait()
        if failed or what[0]:
            note("left: " + self.path)
        else:
            shutil.rmtree(self.path, ignore_errors=True)

    def at(self, *names):
        return os.path.join(self.path, *names)

    def file(self, name, text):
        with open(self.at(name), "w", encoding="utf-8") as f:
            f.write(text)
        return self.at(name)

    def start(self, ini, *arguments, log=None, **env):
        with open(self.at(log or os.path.basename(ini) + ".log"), "a", encoding="utf-8") as f:
            p = subprocess.Popen([PENSTOCK, "run", ini, *arguments], stdout=f, stderr=f, env=dict(os.environ, **env))
        self.running.append(p)
        return p

    def run(self, ini, *arguments, timeout=60, **env):
        """Status, and what it said."""
        try:
            r = subprocess.run([PENSTOCK, "run", ini, *arguments], capture_output=True, text=True, timeout=timeout, env=dict(os.environ, **env))
        except subprocess.TimeoutExpired as e:
            return None, "no end within %d s: %s" % (timeout, (e.stderr or b"").decode()[-800:])
        return r.returncode, r.stderr

    def log(self, name):
        with open(self.at(name), encoding="utf-8") as f:
            return f.read()

    def table(self, name="table"):
        """How many rows, how many different ones, the smallest and the largest."""
        r = subprocess.run([PENSTOCK, "query", "--json", "SELECT count(*) AS n, count(DISTINCT ind) AS d, min(ind) AS low, max(ind) AS high FROM t",
                            "t=" + self.at(name)], capture_output=True, text=True)
        return json.loads(r.stdout) if r.returncode == 0 else {"n": None, "why": r.stderr}

    def rows(self, name="table"):
        found = self.table(name)
        return found["n"], found.get("d")

    def reader(self, k, topic, name="r", interval="500ms", table="table", state=None, brokers=None, **options):
        """A pipeline from a topic to a Delta table."""
        options = dict({"librdkafka__session__timeout__ms": 6000, "librdkafka__heartbeat__interval__ms": 500}, **options)
        more = "".join("%s = %s\n" % (key.replace("__", "."), value) for key, value in options.items())
        return self.file((state or name) + ".ini", """[pipeline]
name = %s
state = %s
commit_interval = %s
[transport in]
plugin = kafka
brokers = %s
topic = %s
%s[transform clean]
plugin = pin
input = in
[sink table]
plugin = delta
input = clean
path = %s
""" % (name, self.at((state or name) + ".state"), interval, brokers or k.plain, topic, more, self.at(table)))


def eventually(what, within=30):
    """Whether what() comes true in time."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        if what():
            return True
        time.sleep(0.1)
    return False


def stop(p, within=40):
    p.send_signal(signal.SIGTERM)
    try:
        return p.wait(within)
    except subprocess.TimeoutExpired:
        p.kill()
        p.wait()
        return None
