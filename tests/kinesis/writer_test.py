#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The writing end against the stand-in: bytes and keys exact, calls as large as the service takes, the order of a key under refusals, lost answers,
throttling and garbage, places to write that are not there, records that are too large."""
import collections
import http.client
import json
import os
import random
import socket
import time

import pipes
from pipes import Pipe, copier, fill, ok, out_of_order

pipes.need("file", "generate")
k = pipes.start_stand_in()
rng = random.Random(7)


def copied(stream="b"):
    return [json.loads(data) for _, _, _, data in k.records(stream)]


def exact():
    k.create("a", 1)
    k.create("b", 4)
    sent = []
    for i, key in enumerate(["k", "k" * 256, "\u00e9\u4e16\U0001f600", "a\"b\\c\n", " "]):
        for data in (b"", bytes(range(256)), b"\x00", json.dumps({"i": i}).encode(), rng.randbytes(70000)):
            k.put("a", key, data)
            sent.append((key, data))
    with Pipe(k, copier()) as p:
        result = p.run()
        got = collections.Counter((key, data) for _, _, key, data in k.records("b"))
        ok(result.status == 0 and got == collections.Counter(sent), "keys and bytes come out as they went in", [result])


def batches():
    k.create("a", 1)
    k.create("b", 2)
    fill(k, "a", 3000, keys=3000)
    sizes = []
    k.fault = lambda op, a: sizes.append(len(a["Records"])) if op == "PutRecords" else None
    with Pipe(k, copier()) as p:
        result = p.run()
    k.fault = None
    ok(result.status == 0 and len(copied()) == 3000 and len(sizes) <= 12, "3000 records of as many keys go in few calls", [result, sizes])
    k.create("a", 1)
    k.create("b", 2)
    for i in range(14):
        k.put("a", "k%d" % i, bytes(900000))
    with Pipe(k, copier()) as p:
        result = p.run()
    ok(result.status == 0 and len(k.records("b")) == 14, "large records are parted so that no call is too large", [result])


def order_under_refusals():
    k.create("a", 1)
    k.create("b", 2)
    fill(k, "a", 3000, keys=20)
    k.refuse = lambda shard, entry: "ProvisionedThroughputExceededException" if rng.random() < 0.2 else "InternalFailure" if rng.random() < 0.05 else None
    with Pipe(k, copier()) as p:
        result = p.run()
    k.refuse = None
    got = copied()
    ok(result.status == 0 and len(got) == 3000 and not out_of_order(got), "a quarter of the records refused at first: each once, the order of each key kept",
       [result, len(got), out_of_order(got)])
    k.create("b", 2)
    k.refuse = lambda shard, entry: "ProvisionedThroughputExceededException" if rng.random() < 0.2 else None
    with Pipe(k, copier(more="order = none\n")) as p:
        result = p.run()
    k.refuse = None
    ok(result.status == 0 and len(copied()) == 3000, "order = none: each once", [result, len(copied())])


def lost_answers():
    k.create("a", 1)
    k.create("b", 2)
    fill(k, "a", 2000, keys=500)
    turns = iter(range(1 << 30))
    k.after = lambda op, a: ("drop",) if op == "PutRecords" and next(turns) % 4 == 1 else None
    with Pipe(k, copier()) as p:
        result = p.run()
    k.after = None
    got = copied()
    ok(result.status == 0 and len({r["n"] for r in got}) == 2000 and not out_of_order(got),
       "answers that are lost: every record is there, some twice, none out of order the first time", [result, len(got), out_of_order(got)])
    ok(len(got) > 2000, "it is at least once indeed: %d records for 2000" % len(got))
    with Pipe(k, copier()) as p:
        ok("at least once" in p.check().text, "and check says so")


def service_in_trouble():
    k.create("a", 1)
    k.create("b", 2)
    fill(k, "a", 1000, keys=300)
    bad = [("error", 400, "ProvisionedThroughputExceededException"), ("error", 500, "InternalFailure"), ("error", 503, "ServiceUnavailable"),
           ("bytes", b"<html>garbage"), ("bytes", b"{\"Records\":[]}"), ("cut",), ("drop",), ("error", 400, "KMSThrottlingException")]
    turns = iter(range(1 << 30))
    k.fault = lambda op, a: bad[next(turns) // 2 % len(bad)] if op == "PutRecords" and next(turns) % 3 else None
    with Pipe(k, copier()) as p:
        result = p.run()
    k.fault = None
    ok(result.status == 0 and len({r["n"] for r in copied()}) == 1000, "throttling, 500, 503, garbage, half an answer, none: every record arrives", [result])


def refused_for_good():
    k.create("a", 1)
    k.put("a", "k", bytes(1 << 20))
    k.create("b", 1)
    with Pipe(k, "[source f]\nplugin = file\npath = {d}/in.jsonl\n[transport to]\nplugin = kinesis\ninput = f\nstream = b\n{k}") as p:
        with open(p.at("in.jsonl"), "w", encoding="utf-8") as f:
            f.write('{"a":1}\n{"b":"%s"}\n{"c":1}\n' % ("x" * (1 << 20)))
        result = p.run()
        ok(result.status == 1 and "1048584 bytes" in result.text and "max_record" in result.text, "a record too large: one line with its size and what to do",
           [result])
        p.settings += "max_record = 1000KiB\n"
        p.conf = p.write("p.ini")
        result = p.run()
        ok(result.status == 0 and {"c": 1} in copied() and os.path.isdir(p.at("dead")), "with max_record it is a dead letter, and the rest goes on", [result])
        p.stages = p.stages.replace("stream = b", "stream = nowhere")
        p.conf = p.write("p.ini")
        result = p.run()
        ok(result.status in (1, 2) and "nowhere" in result.text and "ResourceNotFoundException" in result.text, "a stream that is not there: one line", [result])
        connect = p.check("--connect")
        ok(connect.status != 0 and "nowhere" in connect.text, "check --connect says so before", [connect])


def many_streams():
    for name in ("x-pin", "x-geo", "x-user"):
        k.create(name, 1)
    with Pipe(k, "[source posts]\nplugin = generate\ncount = 200\n[transport to]\nplugin = kinesis\ninput = posts.*\nstream = x-{output}\n{k}") as p:
        result = p.run()
        ok(result.status == 0 and [len(k.records("x-" + n)) for n in ("pin", "geo", "user")] == [200, 200, 200], "{output} in the stream's name parts the outputs",
           [result])


def key_of_columns():
    k.create("b", 2)
    with Pipe(k, "[source f]\nplugin = generate\ncount = 300\n[transform c]\nplugin = pin\ninput = f.pin\n"
                 "[transport to]\nplugin = kinesis\ninput = c\nstream = b\nkey = category\n{k}") as p:
        result = p.run()
        got = k.records("b")
        ok(result.status == 0 and len(got) == 300 and all(json.loads(data)["category"] in (key, None) for _, _, key, data in got),
           "a column can be the key", [result, got[:2]])


def ask(port, method, path, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, json.loads(text) if text else {}


def behind_the_gateway():
    if "http" not in pipes.faults.BUILT:
        pipes.skip("the gateway tells sequence numbers", "the http plugin was not built")
        return
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    k.create("pins", 2)
    k.create("geos", 1)
    k.refuse = lambda shard, entry: "ProvisionedThroughputExceededException" if rng.random() < 0.3 else None
    with Pipe(k, "[source gate]\nplugin = http\nlisten = 127.0.0.1:%d\ntopics = pins geos\nadmin = yes\n[transport to]\nplugin = kinesis\ninput = gate.*\n"
                 "stream = {output}\n{k}" % port) as p:
        run = p.start()
        pipes.wait_until(lambda: reachable(port), 30)
        told, took = [], []
        for i in range(20):
            began = time.monotonic()
            told.append(ask(port, "PUT", "/streams/pins/record", {"StreamName": "pins", "Data": {"n": i}, "PartitionKey": "k%d" % (i % 3)}))
            took.append(time.monotonic() - began)
        many = ask(port, "PUT", "/streams/geos/records", {"records": [{"data": {"n": i}, "partition-key": "x"} for i in range(5)]})
        run.terminate()
        result = pipes.finish(run, 60)
        stored = {str(seq): (shard, json.loads(data)["n"]) for shard, seq, _, data in k.records("pins")}
        ok(all(status == 200 and stored.get(a["SequenceNumber"]) == (a["ShardId"], i) for i, (status, a) in enumerate(told)),
           "the gateway tells each record's shard and sequence number", [result, told[:3]])
        ok(many[0] == 200 and [r["SequenceNumber"] for r in many[1]["Records"]] == [str(seq) for _, seq, _, _ in k.records("geos")], "and those of many",
           [many])
        print("# a reply took %.0f ms at the median" % (1000 * sorted(took)[len(took) // 2]))
    k.refuse = None


def reachable(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


exact()
batches()
order_under_refusals()
lost_answers()
service_in_trouble()
refused_for_good()
many_streams()
key_of_columns()
behind_the_gateway()
pipes.done()
