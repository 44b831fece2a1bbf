#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The reading end against the stand-in: splits and merges while reading, iterators that expire, a service in trouble, where reading begins, records that
were dropped unread, the end of a run."""
import json
import random
import threading
import time

import pipes
from pipes import Pipe, fill, ok, out_of_order, reader, wait_until

pipes.need("file", "generate")
k = pipes.start_stand_in()
rng = random.Random(11)


def got(p, name="out.jsonl"):
    return [json.loads(line) for line in p.lines(name)]


def numbers(p):
    return sorted(r["n"] for r in got(p))


def stop(run):
    run.terminate()
    return pipes.finish(run, 60)


def whole_stream():
    k.create("s", 3)
    k.page = 2
    fill(k, "s", 5000, keys=50)
    with Pipe(k, reader()) as p:
        result = p.run()
        ok(result.status == 0 and numbers(p) == list(range(5000)) and not out_of_order(got(p)), "three shards, listed by pages, are read whole", [result])
        fill(k, "s", 100, first=5000)
        result = p.run()
        ok(result.status == 0 and numbers(p) == list(range(5100)), "the next run reads what came since", [result, len(got(p))])
    k.page = 1000


def own_writes():
    for count in (1, 3000):
        k.create("w", 2)
        with Pipe(k, "[source posts]\nplugin = generate\ncount = %d\n[transport hop]\nplugin = kinesis\ninput = posts.pin\nstream = w\n{k}\n"
                     "[sink out]\nplugin = file\ninput = hop\npath = {d}/out.jsonl\n" % count) as p:
            result = p.run()
            ok(result.status == 0 and len(p.lines()) == count, "--until-end reads all %d that the pipeline itself wrote" % count, [result, len(p.lines())])


def reshard_at_random(name, until):
    while not until():
        with k.lock:
            shards = sorted(k.open_shards(name), key=lambda s: s.low)
            if len(shards) > 4 or (len(shards) > 1 and rng.random() < 0.4):
                i = rng.randrange(len(shards) - 1)
                k.merge(name, shards[i], shards[i + 1])
            else:
                k.split(name, rng.choice(shards))
        time.sleep(rng.random() * 0.8)  # the pace of the changes


def splits_and_merges():
    k.create("s", 2)
    k.late_children = 0.3
    with Pipe(k, reader()) as p:
        run = p.start()
        sent = 0
        other = threading.Thread(target=reshard_at_random, args=("s", lambda: sent >= 6000))
        other.start()
        while sent < 6000:
            fill(k, "s", 20, keys=30, first=sent)
            sent += 20
            time.sleep(0.01)  # so that shards change in between
        other.join()
        ok(wait_until(lambda: len(p.lines()) >= sent, 60), "records come while %d shards come and go" % len(k.streams["s"]), [len(p.lines())])
        result = stop(run)
        ok(result.status == 0 and numbers(p) == list(range(sent)) and not out_of_order(got(p)), "each record once, the order of each key kept over splits "
           "and merges", [result, len(got(p)), out_of_order(got(p))])
        fill(k, "s", 100, keys=30, first=sent)
        result = p.run()
        ok(result.status == 0 and numbers(p) == list(range(sent + 100)) and not out_of_order(got(p)), "and so after a restart, with closed shards still listed",
           [result, len(got(p))])
    k.late_children = 0


def idle_split():
    k.create("s", 1)
    k.calls.clear()
    with Pipe(k, reader(), settings="commit_interval = 1h\n") as p:
        run = p.start()
        wait_until(lambda: "GetRecords" in k.calls)
        k.split("s", k.open_shards("s")[0])
        fill(k, "s", 10)
        ok(wait_until(lambda: k.calls.count("GetShardIterator") >= 3 and k.calls[-20:].count("GetRecords") > 4, 30), "children of a shard without rows are "
           "begun at once", [k.calls[-40:]])
        result = stop(run)
        ok(result.status == 0 and numbers(p) == list(range(10)), "and read", [result, p.lines()])


def iterators_expire():
    k.create("s", 2)
    k.iterator_age = 0.05
    fill(k, "s", 2000)
    stall = iter(range(1 << 30))
    k.fault = lambda op, a: time.sleep(0.1) if op == "GetRecords" and next(stall) % 3 == 0 else None
    with Pipe(k, reader()) as p:
        result = p.run()
        ok(result.status == 0 and numbers(p) == list(range(2000)), "iterators that expire are renewed where they were", [result, len(got(p))])
    k.iterator_age, k.fault = 300, None


def service_in_trouble():
    k.create("s", 2)
    fill(k, "s", 3000)
    bad = [("error", 400, "ProvisionedThroughputExceededException"), ("error", 500, "InternalFailure"), ("bytes", b"<html>"), ("cut",), ("drop",),
           ("bytes", b"{\"Records\":[{}]}"), ("error", 400, "LimitExceededException"), ("error", 400, "ExpiredIteratorException")]
    k.fault = lambda op, a: rng.choice(bad) if op in ("GetRecords", "GetShardIterator", "ListShards") and rng.random() < 0.3 else None
    with Pipe(k, reader()) as p:
        run = p.start()
        fill(k, "s", 1000, first=3000)
        good = wait_until(lambda: len(p.lines()) >= 4000, 60)
        k.fault = None
        result = stop(run)
        ok(good and result.status == 0 and numbers(p) == list(range(4000)), "throttling, 500, garbage, half an answer, none: each record once",
           [result, len(got(p))])


def silent_service():
    for what, stages in (("reader", reader()), ("writer", pipes.copier("s", "b"))):
        k.create("s", 1)
        k.create("b", 1)
        fill(k, "s", 10)
        silent = threading.Event()
        k.fault = lambda op, a: [time.sleep(0.1) for _ in iter(silent.is_set, False)] and None
        with Pipe(k, stages) as p:
            k.calls.clear()
            run = p.start()
            wait_until(lambda: k.calls.count("GetRecords") > 2)
            silent.set()
            calls = len(k.calls)
            wait_until(lambda: len(k.calls) > calls, 10)
            began = time.monotonic()
            result = stop(run)
            ok(result.status == 0 and time.monotonic() - began < 15, "a service that never answers does not hold up the end of a %s" % what,
               [result, time.monotonic() - began])
        silent.clear()
    k.fault = None


def where_it_begins():
    k.create("s", 2)
    fill(k, "s", 100)
    with Pipe(k, reader(more="start = latest\n")) as p:
        time.sleep(1.1)  # the service tells its time in seconds
        k.calls.clear()
        run = p.start()
        ok(wait_until(lambda: k.calls.count("GetRecords") > 2, 30), "start = latest begins")
        run.kill()
        run.wait()
        fill(k, "s", 50, first=100)
        result = p.run()
        ok(result.status == 0 and numbers(p) == list(range(100, 150)), "killed before its first commit it still reads all that came since", [result, numbers(p)[:5]])
    k.create("s", 2)
    fill(k, "s", 100)
    time.sleep(1.1)
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(k.now() + 0.5))
    time.sleep(1.1)
    fill(k, "s", 60, first=100)
    with Pipe(k, reader(more="start = %s\n" % at)) as p:
        result = p.run()
        ok(result.status == 0 and numbers(p) == list(range(100, 160)), "start = %s begins there" % at, [result, numbers(p)[:5]])
        p.stages = p.stages.replace(at, "yesterday")
        p.conf = p.write("p.ini")
        result = p.run()
        ok(result.status == 2 and "yesterday" in result.text, "start = yesterday is refused", [result])


def dropped_unread():
    k.create("s", 1)
    k.clock = 0
    fill(k, "s", 100)
    with Pipe(k, reader()) as p:
        first = p.run()
        fill(k, "s", 50, first=100)
        k.clock = 26 * 3600
        k.trim("s", 24 * 3600)
        fill(k, "s", 50, first=150)
        result = p.run()
        ok(first.status == 0 and result.status == 1 and "trimmed = skip" in result.text and "26 hours" in result.text and len(got(p)) == 100,
           "read last before what the stream still has: the run stops and names the option", [result])
        p.stages = reader(more="trimmed = skip\n")
        p.conf = p.write("p.ini")
        result = p.run()
        ok(result.status == 0 and numbers(p) == list(range(100)) + list(range(150, 200)), "trimmed = skip goes on with the oldest there is", [result, len(got(p))])


def idle_for_long():
    k.create("s", 1)
    k.clock = 0
    fill(k, "s", 100)
    with Pipe(k, reader()) as p:
        p.run()
        k.calls.clear()
        run = p.start()
        wait_until(lambda: k.calls.count("GetRecords") > 2)
        for hours in (20, 40):
            k.clock = hours * 3600
            k.trim("s", 24 * 3600)
            k.calls.clear()
            wait_until(lambda: k.calls.count("GetRecords") > 8)
        run.kill()
        run.wait()
        k.clock = 60 * 3600
        fill(k, "s", 20, first=100)
        k.clock = 61 * 3600
        result = p.run()
        ok(result.status == 0 and numbers(p) == list(range(120)), "a shard that is idle for longer than the stream keeps records, then killed: nothing is missed, "
           "and nothing stops", [result, len(got(p))])
        k.clock = 88 * 3600
        k.trim("s", 24 * 3600)
        result = p.run()
        ok(result.status == 1 and "trimmed = skip" in result.text, "not running for as long is another matter", [result])
    k.clock = 0


def shard_gone():
    k.create("s", 1)
    fill(k, "s", 10)
    with Pipe(k, reader()) as p:
        p.run()
        k.split("s", k.open_shards("s")[0])
        fill(k, "s", 10, first=10)
        k.streams["s"][0].records.clear()
        gone = k.streams["s"][0]
        list_shards = k.ListShards
        k.ListShards = lambda a: {"Shards": [s for s in list_shards(a)["Shards"] if s["ShardId"] != gone.name]}
        result = p.run()
        ok(result.status == 1 and "not listed any more" in result.text and "trimmed = skip" in result.text, "a parent that went unread: the run stops", [result])
        del k.ListShards


def made_anew():
    k.create("s", 1)
    fill(k, "s", 10)
    with Pipe(k, reader()) as p:
        p.run()
        time.sleep(0.01)
        k.create("s", 1)
        fill(k, "s", 5, first=100)
        result = p.run()
        ok(result.status == 0 and numbers(p) == list(range(10)) + list(range(100, 105)), "a stream that was deleted and made anew is read from its beginning", [result])


def not_there():
    with Pipe(k, reader(stream="nowhere")) as p:
        result = p.run()
        ok(result.status in (1, 2) and "nowhere" in result.text and "ResourceNotFoundException" in result.text and len(pipes.errors(result.text)) == 1,
           "a stream that is not there: one line", [result])
        p.kinesis = type("", (), dict(endpoint="http://nobody.invalid:4567", region="x", access_key="a", secret_key="hush-hush"))
        p.conf = p.write("p.ini")
        result = p.run()
        ok(result.status in (1, 2) and "nobody.invalid" in result.text and "hush-hush" not in result.text, "a host that is not there: one line", [result])


whole_stream()
own_writes()
splits_and_merges()
idle_split()
iterators_expire()
service_in_trouble()
silent_service()
where_it_begins()
dropped_unread()
idle_for_long()
shard_gone()
made_anew()
not_there()
pipes.done()
