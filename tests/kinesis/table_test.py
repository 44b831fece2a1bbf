#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kinesis to a Delta table, exactly once: runs that are killed at any moment while shards split and merge and the service is in trouble, and several
processes that share a stream by leases, killed, stopped and started again. SEED repeats a run."""
import os
import random
import signal
import sys
import threading
import time

import pipes
from pipes import Pipe, faults, ok, table, wait_until

pipes.need("pin", "delta")
k = pipes.start_stand_in()
rng = faults.seed()
ROUNDS = int(os.environ.get("KILLS", "12"))


class Producer(threading.Thread):
    """Puts lines, a few at a time, and changes the shards meanwhile."""

    def __init__(self, stream, lines, seconds):
        super().__init__(daemon=True)
        self.stream, self.lines, self.seconds, self.rng = stream, lines, seconds, random.Random(rng.random())

    def run(self):
        step = max(1, len(self.lines) // 200)
        for i in range(0, len(self.lines), step):
            for n, line in enumerate(self.lines[i:i + step]):
                k.put(self.stream, "key-%d" % ((i + n) % 40), line)
            if self.rng.random() < 0.04:
                with k.lock:
                    shards = sorted(k.open_shards(self.stream), key=lambda s: s.low)
                    if len(shards) > 3:
                        k.merge(self.stream, shards[0], shards[1])
                    else:
                        k.split(self.stream, self.rng.choice(shards))
            time.sleep(self.seconds / 200)  # the pace


def trouble(operation, arguments):
    if operation in ("GetRecords", "GetShardIterator", "ListShards") and rng.random() < 0.05:
        return rng.choice([("error", 400, "ProvisionedThroughputExceededException"), ("error", 500, "InternalFailure"), ("drop",), ("cut",),
                           ("error", 400, "ExpiredIteratorException")])
    return None


def problems(p, lines):
    return faults.Expected(lines).problems("delta", p.at("out"), p.at("dead"))


def killed():
    k.create("s", 2)
    lines = faults.posts(8000, 0.03, rng)
    with Pipe(k, table(), settings="commit_interval = 200ms\n") as p:
        producer = Producer("s", lines, ROUNDS * 1.5)
        k.fault = trouble
        producer.start()
        kills = 0
        for _ in range(ROUNDS):
            kills += faults.kill_after(p.start(), 0.2 + rng.random() * 2)
        producer.join()
        k.fault = None
        result = p.run()
        wrong = problems(p, lines) if result.status == 0 else ["it ended with %s" % result.status]
        ok(not wrong, "%d kills, %d shards, a service in trouble: each row and each dead letter once" % (kills, len(k.streams["s"])), wrong + [result.text])


def shared():
    k.create("s", 4)
    lines = faults.posts(8000, 0.03, rng)
    lease = "leases = {d}/leases\nlease_time = 2s\n"
    with Pipe(k, table(lease), settings="commit_interval = 300ms\n") as p:
        confs = [p.write("p%d.ini" % i, "state%d" % i) for i in range(4)]
        runs = [p.start(conf=c) for c in confs[:2]]
        producer = Producer("s", lines, 25)
        producer.start()
        time.sleep(3)  # two share it
        runs.append(p.start(conf=confs[2]))
        time.sleep(4)  # three do
        runs[0].kill()
        runs[0].wait()
        time.sleep(4)  # its shards go to the others
        runs[1].send_signal(signal.SIGSTOP)
        time.sleep(5)  # it does not know that it lost them
        runs[0] = p.start(conf=confs[0])
        runs[1].send_signal(signal.SIGCONT)
        time.sleep(2)
        runs.append(p.start(conf=confs[3]))
        producer.join()
        expected = faults.Expected(lines)

        def there():
            rows = p.rows("SELECT count(*) AS n FROM t")
            return rows and isinstance(rows[0], dict) and rows[0]["n"] >= sum(expected.rows.values())
        ok(wait_until(there, 60), "all rows arrive", [p.rows("SELECT count(*) AS n FROM t"), sum(expected.rows.values())])
        time.sleep(1)
        for run in runs:
            run.terminate()
        results = [pipes.finish(run, 60) for run in runs]
        ok(all(r.status == 0 for r in results), "the processes end well", results)
        wrong = problems(p, lines)
        ok(not wrong, "processes killed, stopped and added: each row and each dead letter once", wrong + [r.text[-1500:] for r in results])
        members = os.listdir(os.path.join(p.at("leases"), "p", os.listdir(os.path.join(p.at("leases"), "p"))[0], "members"))
        ok(len(members) <= 1, "who ends gives its shards back", [members])


def shares():
    k.create("s", 4)
    with Pipe(k, table("leases = {d}/leases\nlease_time = 2s\n")) as p:
        confs = [p.write("p%d.ini" % i, "state%d" % i) for i in range(2)]
        k.calls.clear()
        one = p.start(conf=confs[0])
        ok(wait_until(lambda: holders(p) == [4], 30), "one process has all shards", [holders(p)])
        two = p.start(conf=confs[1])
        ok(wait_until(lambda: holders(p) == [2, 2], 30), "two have half of them each", [holders(p)])
        two.terminate()
        pipes.finish(two, 60)
        ok(wait_until(lambda: holders(p) == [4], 30), "when one ends the other takes its half", [holders(p)])
        one.kill()
        one.wait()
        three = p.start(conf=confs[1])
        ok(wait_until(lambda: holders(p) == [4], 30), "and those of one that was killed are taken after lease_time", [holders(p)])
        three.terminate()
        pipes.finish(three, 60)


def shared_over_s3():
    """Leases on an object store: its own put-if-absent, listing and clock."""
    sys.path.insert(0, os.path.join(os.environ["top_srcdir"], "tests", "services"))
    import services
    missing = "the s3 plugin was not built" if "s3" not in faults.BUILT else services.missing("minio")
    if missing:
        pipes.skip("leases on s3://", missing)
        return
    k.create("s", 4)
    lines = faults.posts(2000, 0, rng)
    with services.minio() as m, Pipe(k, table("leases = s3://lake/leases\nlease_time = 4s\n") + "[defaults s3]\nendpoint = %s\nregion = %s\n"
                                     "access_key = %s\nsecret_key = %s\n" % (m.endpoint, m.region, m.access_key, m.secret_key)) as p:
        m.create_bucket("lake")
        confs = [p.write("p%d.ini" % i, "state%d" % i) for i in range(2)]
        runs = [p.start(conf=c) for c in confs]
        producer = Producer("s", lines, 12)
        producer.start()
        time.sleep(8)  # both have their share
        runs[0].kill()
        runs[0].wait()
        producer.join()
        arrived = wait_until(lambda: p.rows("SELECT count(*) AS n FROM t")[0] == {"n": len(lines)}, 90)
        runs[1].terminate()
        result = pipes.finish(runs[1], 60)
        wrong = problems(p, lines)
        ok(arrived and result.status == 0 and not wrong, "leases on s3://, one of two processes killed: each row once", wrong + [result])


def holders(p):
    """How many shards each owner holds, by the newest claims."""
    count = {}
    for folder, _, files in os.walk(p.at("leases")):
        if os.path.basename(os.path.dirname(folder)) == "shards" and files:
            try:
                with open(os.path.join(folder, max(f for f in files if f.isdigit())), encoding="utf-8") as f:
                    text = f.read()
            except (OSError, ValueError):
                continue
            if '"held"' in text:
                owner = text.split('"owner":"')[1].split('"')[0]
                count[owner] = count.get(owner, 0) + 1
    return sorted(count.values())


for part in os.environ.get("TABLE_PARTS", "killed shares shared shared_over_s3").split():
    globals()[part]()
pipes.done()
