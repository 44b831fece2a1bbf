#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""From a Kafka topic of 16 partitions into a Delta table on s3:// (MinIO), while records come, under random faults: kill -9 of the pipeline, broker and
store killed and restarted, the ways to both cut, silent, reset, slow or cut short. The pipeline is started anew only after it was killed: it must bear
all else. In the end each row is in the table once and each broken record among the dead letters once.

Small by default. The whole (a quarter of an hour):   ROWS=1000000 FAULTS=50 INTERVAL=2 PACE=6 make check TESTS=tests/s3/long_haul.py
INTERVAL: seconds between commits. PACE: seconds between faults, on average. SEED repeats the faults that were drawn, though not their moments.
"""
import json
import os
import random
import subprocess
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.environ.get("top_srcdir", "."), "tests", "kafka"))
import harness
from harness import Folder, line, note, ok, services

PARTITIONS = 16
ROWS, FAULTS = int(os.environ.get("ROWS", "100000")), int(os.environ.get("FAULTS", "8"))
INTERVAL, PACE = float(os.environ.get("INTERVAL", "0.5")), float(os.environ.get("PACE", "2"))
SEED = int(os.environ.get("SEED", "0")) or int(time.time())
MEMORY = 64 << 10  # KiB that the pipeline may need at its most
PIPELINE = """[pipeline]
name = haul
state = {folder}/state
lanes = 2
commit_interval = {interval}s
[defaults s3]
endpoint = http://{s3}
region = us-east-1
access_key = {store.access_key}
secret_key = ${{env:HAUL_SECRET}}
silence_timeout = 3s
[transport posts]
plugin = kafka
brokers = {kafka}
topic = posts
librdkafka.session.timeout.ms = 3000
librdkafka.heartbeat.interval.ms = 500
librdkafka.socket.timeout.ms = 4000
[transform clean]
plugin = pin
input = posts
[sink table]
plugin = delta
input = clean
path = s3://lake/table
[deadletter]
path = s3://lake/dead
"""


def is_broken(i):
    return i % 997 == 5


def record(i):
    value = '{"index": %d, "title": "post %d", "follower_count": "%dk"' % (i, i, i % 1000)
    return line((value if is_broken(i) else value + "}").encode(), partition=i * 7 % PARTITIONS)


class Feeder(threading.Thread):
    """Puts the records into the topic at an even pace, by a producer that repeats what a broker did not take; hurry() ends the pace."""

    def __init__(self, broker, seconds):
        super().__init__(daemon=True)
        self.producer = subprocess.Popen([harness.TOOL, "produce", broker.plain, "posts"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                         stderr=subprocess.PIPE, text=True)
        self.seconds, self.hurried, self.fed = seconds, threading.Event(), 0
        self.start()

    def run(self):
        began = time.monotonic()
        step = max(1, ROWS // 1000)
        for first in range(0, ROWS, step):
            self.hurried.wait(max(0.0, began + self.seconds * first / ROWS - time.monotonic()))
            self.producer.stdin.write("".join(record(i) for i in range(first, min(first + step, ROWS))))
            self.producer.stdin.flush()
            self.fed = min(first + step, ROWS)
        self.producer.stdin.close()

    def hurry(self):
        self.hurried.set()
        self.join(120)
        return self.producer.wait(120), self.producer.stderr.read()


class Haul:
    def __init__(self, folder, broker, store, toxiproxy):
        self.folder, self.broker, self.store = folder, broker, store
        self.rng = random.Random(SEED)
        self.to_store = toxiproxy.proxy("store", store.address)
        self.to_broker = toxiproxy.proxy("broker", broker.proxied_upstream, broker.proxied)
        self.ini = folder.file("haul.ini", PIPELINE.format(folder=folder.path, interval=INTERVAL, s3=self.to_store.address, kafka=broker.proxied, store=store))
        self.process, self.kills, self.memory, self.gave_up = None, 0, 0, False

    # -- the pipeline --

    def start(self):
        environment = {"HAUL_SECRET": self.store.secret_key, "LD_LIBRARY_PATH": os.path.join(harness.BUILD, "core", ".libs"),
                       "PENSTOCK_PLUGIN_PATH": os.path.join(harness.BUILD, "plugins")}
        program = os.path.join(harness.BUILD, "core", ".libs", "penstock")  # not libtool's script before it, which would be killed in its place
        with open(self.folder.at("log"), "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([program if os.path.exists(program) else harness.PENSTOCK, "run", self.ini], stdout=log, stderr=log,
                                            env=dict(os.environ, **environment))
        self.folder.running.append(self.process)

    def alive(self):
        """Still there, as it should be: looked at before and after each fault."""
        if self.process.poll() is not None:
            self.gave_up = True
            return False
        with open("/proc/%d/status" % self.process.pid, encoding="ascii") as f:
            self.memory = max([self.memory, *(int(text.split()[1]) for text in f if text.startswith("VmHWM:"))])
        return True

    # -- faults, each of which is over when it returns --

    def kill_pipeline(self):
        if not self.alive():
            return
        self.process.kill()
        self.process.wait()
        self.kills += 1
        self.rest(0.3)
        self.start()

    def kill_broker(self):
        self.broker.kill()
        self.broker.start()

    def restart_broker(self):
        self.broker.restart()

    def kill_store(self):
        self.store.kill()
        self.rest(2)
        self.store.start()

    def restart_store(self):
        self.store.restart()

    def cut(self, proxy):
        proxy.enable(False)
        self.hold()
        proxy.enable(True)

    def toxic(self, proxy, kind, **attributes):
        proxy.toxic(kind, **attributes)
        self.hold()
        proxy.clear()

    def rest(self, seconds):
        time.sleep(self.rng.uniform(0, seconds))

    def hold(self):
        """A fault's duration; now and then the pipeline is killed meanwhile."""
        self.rest(2)
        if self.rng.random() < 0.25:
            self.kill_pipeline()
            self.rest(1)

    def deck(self):
        """All sorts of faults, in any order."""
        store, broker, rng = self.to_store, self.to_broker, self.rng
        cards = [(name, act) for name, act in (("kill -9 of the pipeline", self.kill_pipeline),) for _ in range(4)]
        cards += [("kill -9 of the broker", self.kill_broker), ("broker restarted", self.restart_broker), ("kill -9 of the store", self.kill_store),
                  ("store restarted", self.restart_store), ("store cut off", lambda: self.cut(store)), ("broker cut off", lambda: self.cut(broker)),
                  ("store silent", lambda: self.toxic(store, "timeout", timeout=0)),
                  ("requests to the store lost", lambda: self.toxic(store, "timeout", stream="upstream", timeout=0)),
                  ("broker silent", lambda: self.toxic(broker, "timeout", timeout=0)),
                  ("store resets", lambda: self.toxic(store, "reset_peer", timeout=rng.randint(0, 100))),
                  ("answers of the store cut short", lambda: self.toxic(store, "limit_data", bytes=rng.randint(1, 2000))),
                  ("requests to the store cut short", lambda: self.toxic(store, "limit_data", stream="upstream", bytes=rng.randint(1, 20000))),
                  ("answers of the broker cut short", lambda: self.toxic(broker, "limit_data", bytes=rng.randint(1, 20000))),
                  ("store slow and in slices", lambda: self.toxic(store, "slicer", average_size=100, size_variation=50, delay=1000))]
        rng.shuffle(cards)
        return cards

    def break_things(self):
        cards, done = [], []
        while len(done) < FAULTS and not self.gave_up:
            cards = cards or self.deck()
            name, act = cards.pop()
            self.rest(2 * PACE)
            if self.alive():
                act()
                done.append(name)
        return done

    # -- what came out; asked past the proxy --

    def query(self, sql):
        environment = {"AWS_ENDPOINT_URL_S3": self.store.endpoint, "AWS_ACCESS_KEY_ID": self.store.access_key, "AWS_SECRET_ACCESS_KEY": self.store.secret_key}
        done = subprocess.run([harness.PENSTOCK, "query", "--json", sql, "t=s3://lake/table"], capture_output=True, text=True, timeout=300, check=False,
                              env=dict(os.environ, **environment))
        return [json.loads(row) for row in done.stdout.splitlines()] if done.returncode == 0 else [{"failed": done.stderr}]

    def keys(self, prefix):
        found, after = [], ""
        while True:
            query = "list-type=2&prefix=%s&start-after=%s" % (urllib.parse.quote(prefix, safe=""), urllib.parse.quote(after, safe=""))
            body = self.store.call("GET", "/lake?" + "&".join(sorted(query.split("&"))))[2].decode()
            page = [piece.partition("</Key>")[0] for piece in body.split("<Key>")[1:]]
            found += page
            if not page or "<IsTruncated>true" not in body:
                return found
            after = page[-1]

    def commits(self):
        return max([int(key.split("/")[-1][:20]) for key in self.keys("table/_delta_log/") if key.endswith(".json")], default=0)

    def dead(self):
        return [json.loads(letter)["record"] for key in self.keys("dead/") if key.endswith(".jsonl")
                for letter in self.store.call("GET", "/lake/" + urllib.parse.quote(key))[2].decode().splitlines()]

    def rows(self):
        return self.query("SELECT count(*) AS n FROM t")[0].get("n") or 0

    def judge(self):
        broken = [i for i in range(ROWS) if is_broken(i)]
        want = {"n": ROWS - len(broken), "d": ROWS - len(broken), "s": ROWS * (ROWS - 1) // 2 - sum(broken), "wrong": 0}
        got = self.query("SELECT count(*) AS n, count(DISTINCT ind) AS d, sum(ind) AS s, "
                         "count(CASE WHEN title <> 'post ' || ind OR follower_count <> (ind % 1000) * 1000 THEN 1 END) AS wrong FROM t")[0]
        dead = self.dead()
        ok(got == want, "each row is in the table once: %d" % want["n"]) or note(("wanted", want, "got", got))
        ok(len(dead) == len(broken) == len(set(dead)), "each broken record is a dead letter once: %d" % len(broken)) or note((len(dead), len(set(dead))))
        if got != want:  # whose fault
            sent = harness.inds(record for record in harness.dump(self.broker, "posts") if bytes.fromhex(record[3]).endswith(b"}"))
            note("the topic holds %d records, %d different ones" % (len(sent), len(set(sent))))


def main():
    harness.skip_unless_there("kafka", "minio", "toxiproxy")
    note("SEED=%d ROWS=%d FAULTS=%d INTERVAL=%g PACE=%g" % (SEED, ROWS, FAULTS, INTERVAL, PACE))
    settings = {"group.min.session.timeout.ms": 1000}
    with services.kafka(settings=settings) as broker, services.minio() as store, services.toxiproxy() as toxiproxy, Folder("haul") as folder:
        store.create_bucket("lake")
        broker.create_topic("posts", partitions=PARTITIONS)
        haul = Haul(folder, broker, store, toxiproxy)
        haul.start()
        feeder = Feeder(broker, seconds=FAULTS * PACE * 1.5)
        began = time.monotonic()
        faults = haul.break_things()
        took = time.monotonic() - began
        commits = haul.commits()
        fed = feeder.fed
        ok(len(faults) == FAULTS and not haul.gave_up, "%d faults in %.0f s, %d of them kills of the pipeline; it bore the others" % (len(faults), took, haul.kills)) \
            or note(folder.log("log")[-3000:])
        note("; ".join(faults))
        status, said = feeder.hurry()
        ok(status == 0, "the topic has all records, %d of them were there when the last fault was over" % fed) or note(said)
        if haul.gave_up:
            haul.start()
        broken = sum(map(is_broken, range(ROWS)))
        began = time.monotonic()
        ok(harness.eventually(lambda: not haul.alive() or haul.rows() >= ROWS - broken, 120), "it catches up, in %.0f s" % (time.monotonic() - began)) or note(haul.rows())
        haul.alive()
        ok(not haul.gave_up and harness.stop(haul.process) == 0, "and ends well when asked to") or note(folder.log("log")[-3000:])
        ok(commits >= FAULTS // 2, "%d commits during the faults" % commits)
        if not sanitized():
            ok(haul.memory < MEMORY, "in %d KiB at the most" % haul.memory)
        haul.judge()
        if harness.failed:
            note(folder.log("log")[-6000:])
    harness.end()


def sanitized():
    with open(os.path.join(harness.BUILD, "config.status"), encoding="utf-8") as f:
        return "-fsanitize=" in f.read()


main()
