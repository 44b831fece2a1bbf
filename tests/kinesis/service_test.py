#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Against kinesis-local, which is nobody's idea of ours, behind the proxy that checks signatures and fails on purpose: round trip, refused records, lost
answers, resharding while reading, exactly once into a Delta table, wrong secret, an unfinished host."""
import json
import os
import sys
import time

import pipes
from pipes import Pipe, faults, ok, run_once, table, wait_until

sys.path.insert(0, os.path.join(os.environ["top_srcdir"], "tests", "services"))
import services

pipes.need("file", "pin", "delta")
if services.missing("kinesis"):
    print("1..0 # SKIP " + services.missing("kinesis"))
    sys.exit(0)
rng = faults.seed()
COUNT = int(os.environ.get("RECORDS", "2000"))
WRITE = "[source f]\nplugin = file\npath = {d}/in\n[transport to]\nplugin = kinesis\ninput = f\nstream = s\n{k}"


def distinct(p):
    rows = p.rows("SELECT count(*) AS n, count(DISTINCT ind) AS d FROM t")
    return (rows[0]["n"], rows[0]["d"]) if rows and isinstance(rows[0], dict) else (0, 0)


def verb(k, *arguments):
    os.environ.update(AWS_ACCESS_KEY_ID=k.access_key, AWS_SECRET_ACCESS_KEY=k.secret_key)
    return run_once(["transport", arguments[0], "--plugin=kinesis", "--endpoint=" + k.endpoint, "--region=" + k.region, "--json", *arguments[1:]])


def round_trip(k):
    lines = faults.posts(COUNT, 0.02, rng)
    result = verb(k, "create", "--partitions=2", "s")
    ok(result.status == 0, "a stream is made and awaited", [result])
    with Pipe(k, WRITE, name="w") as w, Pipe(k, table()) as p:
        faults.write_files(w.at("in"), lines, 2)
        k.faults(operation="PutRecords", record_every=7)
        run = p.start()
        result = w.run(limit=400)
        ok(result.status == 0, "every 7th record refused: all are written", [result])
        k.faults(operation="GetRecords", call_every=4)
        result = verb(k, "reshard", "--partitions=4", "s")
        ok(result.status == 0, "the stream is given more shards while it is read", [result])
        faults.write_files(w.at("in"), faults.posts(COUNT, 0, rng, first=COUNT), 4)
        more = [name for name in os.listdir(w.at("in"))]
        result = w.run(limit=400)
        ok(result.status == 0 and more, "and more records", [result])
        ok(wait_until(lambda: distinct(p)[1] >= COUNT, 200), "all rows arrive", [distinct(p)])
        k.faults()
        run.terminate()
        result = pipes.finish(run, 60)
        ok(result.status == 0, "the reader ends well", [result])
        result = p.run(limit=300)
        n, d = distinct(p)
        ok(result.status == 0 and n == d, "each row once: %d" % n, [result, n, d])


def lost_answers(k):
    verb(k, "create", "--partitions=1", "t")
    lines = faults.posts(COUNT // 2, 0, rng)
    with Pipe(k, WRITE.replace("stream = s", "stream = t"), name="w") as w, Pipe(k, table(stream="t")) as p:
        faults.write_files(w.at("in"), lines, 1)
        k.faults(operation="PutRecords", drop_every=2)
        result = w.run(limit=400)
        k.faults(drop_every=5)
        ok(result.status == 0, "every second answer to the writer is lost", [result])
        result = p.run(limit=300)
        k.faults()
        n, d = distinct(p)
        ok(result.status == 0 and d == COUNT // 2 and n >= d, "every row is there, some twice: %d for %d" % (n, d), [result])
        again = p.run(limit=300)
        ok(again.status == 0 and distinct(p) == (n, d), "lost answers to the reader double nothing", [again, distinct(p)])


def refused(k):
    with Pipe(k, table(stream="s")) as p:
        k.secret_key, good = "wrong-secret", k.secret_key
        p.conf = p.write("p.ini")
        k.secret_key = good
        result = p.run()
        said = pipes.errors(result.text)
        ok(result.status in (1, 2) and len(said) == 1 and "InvalidSignatureException" in said[0] and "wrong-secret" not in result.text,
           "a wrong secret: one line, without the secret", [result])
        connect = p.check("--connect")
        ok(connect.status != 0 and "InvalidSignatureException" in connect.text, "check --connect finds it", [connect])


def killed_service(k):
    verb(k, "create", "--partitions=1", "u")
    with Pipe(k, table(stream="u")) as p:
        run = p.start()
        time.sleep(1)
        k.kill()
        time.sleep(3)
        ok(run.poll() is None, "a service that is gone does not end the run")
        run.terminate()
        result = pipes.finish(run, 60)
        ok(result.status == 0 and "127.0.0.1" in result.text, "it says who is out of reach", [result])


with services.kinesis() as server:
    round_trip(server)
    lost_answers(server)
    refused(server)
    killed_service(server)
pipes.done()
