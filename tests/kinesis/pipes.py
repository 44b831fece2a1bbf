# SPDX-License-Identifier: Apache-2.0
"""What the Kinesis tests share: pipelines that write, copy or read streams of the stand-in, and looks at what came out."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["top_srcdir"], "tests", "faults"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import faults
import stand_in

FAST = "poll_interval = 200ms\nshard_rate = 0\n"
finish, ok, done, skip, wait_until, errors = faults.finish, faults.ok, faults.done, faults.skip, faults.wait_until, faults.errors


def need(*plugins):
    faults.need("kinesis", *plugins)


class Pipe:
    """A pipeline of its own in a folder of its own. `stages` is the text of its sections; {d} in it is the folder, {k} the options that lead to the
    stand-in."""

    def __init__(self, kinesis, stages, settings="commit_interval = 300ms\n", name="p", folder=None):
        self.folder = folder or tempfile.mkdtemp(prefix="penstock-kinesis-", dir=faults.ROOM)
        self.owns = not folder
        self.kinesis, self.stages, self.settings, self.name = kinesis, stages, settings, name
        self.conf = self.write("p.ini")

    def write(self, file, state="state", stages=None):
        k = self.kinesis
        lead = "endpoint = %s\nregion = %s\naccess_key = %s\nsecret_key = %s\n%s" % (k.endpoint, k.region, k.access_key, k.secret_key, FAST)
        text = "[pipeline]\nname = %s\nstate = {d}/%s\nlanes = 2\n%s\n[deadletter]\npath = {d}/dead\n%s" % (self.name, state, self.settings,
                                                                                                       stages or self.stages)
        path = self.at(file)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace("{k}", lead).replace("{d}", self.folder))
        return path

    def at(self, name):
        return os.path.join(self.folder, name)

    def start(self, *more, conf=None, env=None):
        log = tempfile.TemporaryFile()
        run = subprocess.Popen([faults.PENSTOCK, "run", conf or self.conf, *more], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                               env=dict(os.environ, **(env or {})))
        run.log = log
        return run

    def run(self, *more, limit=faults.LIMIT, **how):
        return finish(self.start(*(more or ("--until-end",)), **how), limit)

    def check(self, *more):
        return run_once(["check", *more, self.conf])

    def lines(self, name="out.jsonl"):
        try:
            with open(self.at(name), "rb") as f:
                return f.read().split(b"\n")[:-1]
        except FileNotFoundError:
            return []

    def rows(self, sql, table="out"):
        result = run_once(["query", "--json", sql, "t=" + self.at(table)])
        return [json.loads(line) for line in result.text.splitlines() if line.startswith("{")] if result.status == 0 else [result.text]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if os.environ.get("KEEP") == "1":
            print("# kept: " + self.folder)
        elif self.owns:
            shutil.rmtree(self.folder, ignore_errors=True)


def run_once(arguments):
    p = subprocess.run([faults.PENSTOCK, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
    return faults.Result(p.returncode, p.stdout.decode(errors="replace"))


def reader(stream="s", sink="file", more="", path="out.jsonl"):
    return "[transport in]\nplugin = kinesis\nstream = %s\n{k}%s\n[sink out]\nplugin = %s\ninput = in\npath = {d}/%s\n" % (stream, more, sink, path)


def copier(a="a", b="b", more=""):
    return "[transport from]\nplugin = kinesis\nstream = %s\n{k}\n[transport to]\nplugin = kinesis\ninput = from\nstream = %s\n{k}%s\n" % (a, b, more)


def table(more="", stream="s"):
    return "[transport in]\nplugin = kinesis\nstream = %s\n{k}%s\n[transform clean]\nplugin = pin\ninput = in\n[sink out]\nplugin = delta\ninput = clean\n" \
           "path = {d}/out\n" % (stream, more)


def fill(kinesis, stream, n, keys=10, first=0):
    """n records that say their key and number."""
    for i in range(first, first + n):
        key = "key-%d" % (i % keys)
        kinesis.put(stream, key, json.dumps({"k": key, "n": i}).encode())


def out_of_order(records):
    """Keys of which a record comes for the first time after a later one has."""
    last, seen, wrong = {}, set(), set()
    for r in records:
        key, n = r["k"], r["n"]
        if (key, n) in seen:
            continue
        seen.add((key, n))
        if n < last.get(key, -1):
            wrong.add(key)
        last[key] = max(n, last.get(key, -1))
    return sorted(wrong)


def start_stand_in():
    return stand_in.Kinesis().start()
