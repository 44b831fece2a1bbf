#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whole pipelines into a Delta table on s3://, while answers are lost, cut short and garbled on their way, and the store is killed. Each run must come to
its end without being started again, with every row in the table once and every broken record among the dead letters once.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.environ["top_srcdir"], "tests", "services"))
import services
from lossy_proxy import LossyProxy

BUILD = os.environ["top_builddir"]
PENSTOCK = os.path.join(BUILD, "core", "penstock")
ROWS, BROKEN = 2000, 20
COMMIT, DATA = r"/_delta_log/\d{20}\.json", r"\.parquet"
run = bad = 0


def ok(good, what, *notes):
    global run, bad
    run += 1
    bad += not good
    print("%sok %d - %s" % ("" if good else "not ", run, what))
    for note in notes if not good else ():
        print("# " + str(note).replace("\n", "\n# ")[-3000:])
    sys.stdout.flush()
    return good


def skip_all(why):
    print("1..0 # SKIP %s" % why)
    sys.exit(0)


class Lake:
    """One server, one bucket, and a folder of pipelines; each case has a table of its own."""

    def __init__(self, folder, server):
        self.folder, self.server, self.cases = folder, server, 0
        self.input = os.path.join(folder, "posts.jsonl")
        with open(self.input, "w", encoding="utf-8") as f:
            for i in range(ROWS):
                f.write(json.dumps({"index": i, "unique_id": "u%d" % i, "title": "t" * (i % 50), "follower_count": "1k", "category": "c%d" % (i % 3)}) + "\n")
                if i % (ROWS // BROKEN) == 7:
                    f.write("{broken %d\n" % i)

    def environment(self, address):
        found = {"AWS_ENDPOINT_URL_S3": "http://" + address, "AWS_ACCESS_KEY_ID": self.server.access_key, "AWS_SECRET_ACCESS_KEY": self.server.secret_key,
                 "PENSTOCK_PLUGIN_PATH": os.path.join(BUILD, "plugins"), "AWS_EC2_METADATA_DISABLED": "true"}
        return dict(os.environ, **found)

    def new_case(self, rate="", lanes=2):
        self.cases += 1
        self.name = "case%d" % self.cases
        self.table = "s3://lake/%s/table" % self.name
        self.ini = os.path.join(self.folder, self.name + ".ini")
        with open(self.ini, "w", encoding="utf-8") as f:
            f.write("[pipeline]\nname = %s\nstate = %s/state-%s\nlanes = %d\ncommit_rows = 200\ncommit_interval = 10s\n"
                    "[defaults s3]\nattempts = 4\npart_size = 5MiB\noutage_timeout = 60s\nsilence_timeout = 2s\n"
                    "[source posts]\nplugin = file\npath = %s\nrange_size = 40KiB\n%s\n[transform clean]\nplugin = pin\ninput = posts\n"
                    "[sink table]\nplugin = delta\ninput = clean\npath = %s\n[deadletter]\npath = s3://lake/%s/dead\n"
                    % (self.name, self.folder, self.name, lanes, self.input, rate, self.table, self.name))

    def start(self, address):
        return subprocess.Popen([PENSTOCK, "run", self.ini, "--until-end"], env=self.environment(address), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True)

    def keys(self, prefix):
        _, _, body = self.server.call("GET", "/lake?list-type=2&max-keys=1000&prefix=%s" % prefix.replace("/", "%2F"))
        return [piece.partition("</Key>")[0] for piece in body.decode().split("<Key>")[1:]]

    def judge(self, what, text, status):
        """Every row once, every broken record once; asked past the proxy."""
        sql = "select count(*) n, count(distinct ind) d, sum(ind) s from t"
        got = subprocess.run([PENSTOCK, "query", "--csv", sql, "t=" + self.table], env=self.environment(self.server.address), stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, timeout=120, check=False).stdout.split()
        want = "%d,%d,%d" % (ROWS, ROWS, ROWS * (ROWS - 1) // 2)
        dead = []
        for key in self.keys(self.name + "/dead/"):
            if key.endswith(".jsonl"):
                dead += self.server.call("GET", "/lake/" + urllib.parse.quote(key))[2].decode().splitlines()
        good = status == 0 and want in got and len(dead) == BROKEN and len(set(dead)) == BROKEN
        return ok(good, what, "status %s, table %s (wanted %s), %d dead letters (wanted %d)" % (status, got, want, len(dead), BROKEN), text)

    def case(self, what, *rules, lanes=2):
        """rules: (action, options) of the proxy, all of which must have acted."""
        self.new_case(lanes=lanes)
        with LossyProxy(self.server.address) as proxy:
            made = [proxy.rule(action, **options) for action, options in rules]
            done = self.start(proxy.address)
            try:
                text = done.communicate(timeout=150)[0]
            except subprocess.TimeoutExpired:
                done.kill()
                text = done.communicate()[0] + "\n(hung)"
            acted = [rule.done for rule in made]
            puts = sum(1 for method, path, status, _ in proxy.log if method == "PUT" and "_delta_log/0" in path)
        if not all(acted):
            return ok(False, what + ": the fault never came", acted, text)
        return self.judge("%s (%s; %d puts to the log)" % (what, "+".join(map(str, acted)) or "no fault", puts), text, done.returncode)


def on(action, path, method="PUT", **how):
    return action, dict(path=path, method=method, **how)


def lost_answers(lake):
    lake.case("no fault", lanes=1)  # whose commits can be counted on
    entries = -1 + len([k for k in lake.keys(lake.name + "/table/_delta_log/") if k.endswith(".json") and k.split("/")[-1][:20].isdigit()])
    ok(entries >= 6, "that made %d entries of rows" % entries)
    for where, nth in (("the first", 2), ("a middle", 1 + entries // 2), ("the last", 1 + entries)):
        lake.case("%s commit is carried out and its answer lost" % where, on("lose", COMMIT, nth=[nth]), lanes=1)
    lake.case("the answer to the table's creation is lost", on("lose", COMMIT, nth=[1]))
    for action in ("half", "error", "garbage", "reject", "refuse"):
        lake.case("each third commit: %s" % action, on(action, COMMIT, every=3))
    lake.case("each second data file's answer is lost", on("lose", DATA, every=2))
    lake.case("each second data file's answer is 500", on("error", DATA, every=2))
    lake.case("each fifth answer of all is lost", ("lose", {"every": 5}))
    lake.case("each fifth request of all is refused by 503", ("reject", {"every": 5}))
    lake.case("each fourth dead letter's answer is lost", on("lose", r"/dead/", every=4))
    lake.case("commits are late: longer than silence is borne", on("late", COMMIT, nth=[3], seconds=5))


def wrong_clock(lake):
    faketime = shutil.which("faketime")
    for what, offset in (("forty minutes ahead", "+40m"), ("two hours behind", "-2h")):
        if not faketime:
            ok(True, "a clock that is %s # SKIP faketime is not installed" % what)
            continue
        lake.new_case()
        command = [faketime, "-f", offset, PENSTOCK, "run", lake.ini, "--until-end"]
        done = subprocess.run(command, env=lake.environment(lake.server.address), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
                              check=False)
        lake.judge("a clock that is %s" % what, done.stdout, done.returncode)
        ok("clock is" in done.stdout, "and it is said", done.stdout)


def store_killed(lake):
    lake.new_case(rate="rate = 500/s")
    done = lake.start(lake.server.address)
    text = []
    reader = threading.Thread(target=lambda: text.append(done.stdout.read()))
    reader.start()
    services.until(lambda: len(lake.keys(lake.name + "/table/_delta_log/")) > 2, 60, "two commits")
    for _ in range(2):
        lake.server.kill()
        time.sleep(3)
        lake.server.start()
        time.sleep(1)
    try:
        done.wait(timeout=120)
    except subprocess.TimeoutExpired:
        done.kill()
    reader.join()
    lake.judge("the store is killed twice for three seconds", "".join(text), done.returncode)


for plugin in ("s3", "delta", "file", "pin"):
    if plugin not in os.environ.get("PLUGINS_BUILT", "s3 delta file pin").split():
        skip_all("the plugin %s was not built" % plugin)
name = next((name for name in ("minio", "versitygw") if not services.missing(name)), None)
if not name:
    skip_all(services.missing("minio"))
with tempfile.TemporaryDirectory() as folder, services.ALL[name]() as server:
    server.create_bucket("lake")
    lake = Lake(folder, server)
    lost_answers(lake)
    wrong_clock(lake)
    store_killed(lake)
print("1..%d" % run)
sys.exit(bad > 0)
