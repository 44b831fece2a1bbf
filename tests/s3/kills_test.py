#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pipelines into a Delta table, a Parquet folder and one with partitions, all on s3://, that are killed: at random moments, and at each failpoint of
publishing; and whose end of a multipart upload is carried out while the answer is lost. The same command, run again, must leave each row once and each
dead letter once. KILLS: random kills for each of them (default 10).
"""
import collections
import glob
import os
import random
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lake as shared
from lake import Lake, ok, on
from lossy_proxy import LossyProxy

KILLS = int(os.environ.get("KILLS", "10"))
SEED = int(os.environ.get("SEED", "0")) or int(time.time())
WAYS = {"delta": {"sink": "delta", "table": "checkpoint_interval = 3"}, "parquet": {"sink": "parquet"},
        "parquet with partitions": {"sink": "parquet", "table": "partition_by = category"}}
# What is between the first row of a plan and its being settled. store.*: the objects themselves, log entries and dead letters too.
PUBLISHING = ("store.", "commit.", "chain.", "delta.", "parquet.", "files.", "lane.before-stage", "lane.after-stage")
ENDS = r"\?uploadId="
NO_PARTS = b"<ListPartsResult><IsTruncated>false</IsTruncated></ListPartsResult>"
NO_UPLOAD = b"<Error><Code>NoSuchUpload</Code><Message>The specified multipart upload does not exist.</Message></Error>"
MISSING_PART = b"<Error><Code>InvalidPart</Code><Message>One or more of the specified parts could not be found.</Message></Error>"
rng = random.Random(SEED)


def kill_at_random(lake, way):
    """After a kill the same command goes on; when it came to its end in time, another table is begun."""
    killed, ended, wrong = 0, 0, []
    lake.new_case(**WAYS[way])
    longest = 0.5
    while killed < KILLS and not wrong:
        run = lake.start()
        try:
            run.wait(rng.choice([0.2, 0.5, 1]) * longest * rng.random())  # the moment is the test
        except shared.subprocess.TimeoutExpired:
            run.kill()
            killed += 1
        text, status = lake.finish(run)
        if status != -9:
            ended += 1
            wrong = lake.problems() if status == 0 else ["a run between kills ended with %s" % status, text]
            lake.new_case(**WAYS[way])
    if wrong:
        return ok(False, "%s: killed at random" % way, *wrong)
    text, status = lake.finish(lake.start())
    return lake.judge("%s: killed %d times at random, %d times at its end meanwhile: each row once" % (way, killed, ended), text, status)


def failpoints(lake, way, known):
    """A run exits there at the first, a middle and the last time that it comes by; at one of them where another way was through it already."""
    log = os.path.join(lake.folder, "hits")
    lake.new_case(**WAYS[way])
    text, status = lake.finish(lake.start(PENSTOCK_FAILPOINT_LOG=log))
    if status != 0:
        return ok(False, "%s: undisturbed" % way, text)
    with open(log, encoding="utf-8") as f:
        hits = collections.Counter(name for name in f.read().split() if name.startswith(PUBLISHING))
    os.remove(log)
    wrong, tried, met = [], 0, 0
    for name in sorted(hits):
        times = {1, (hits[name] + 1) // 2, hits[name]} if name not in known else {rng.randint(1, hits[name])}
        for when in sorted(times):
            point = "%s=exit@%d" % (name, when)
            lake.new_case(**WAYS[way])
            text, status = lake.finish(lake.start(PENSTOCK_FAILPOINTS=point))
            tried, met = tried + 1, met + (status == -9)
            if status not in (-9, 0):
                wrong += [point + " ended with %s" % status, text]
                continue
            text, status = lake.finish(lake.start())
            found = lake.problems() if status == 0 else ["the run afterwards ended with %s" % status, text]
            wrong += [point + " (of %d):" % hits[name], *found] if found else []
    known.update(hits)
    return ok(not wrong and len(hits) > 5 and met > tried * 3 // 4, "%s: an end at each of %d failpoints, %d times: each row once" % (way, len(hits), met), *wrong,
              "%d of %d were met: %s" % (met, tried, hits))


def lost_ends(lake, way, **more):
    """The answer to the end of a multipart upload is lost: of the first, a middle and the last."""
    case = dict(WAYS[way], lanes=1)
    case.update(more)
    lake.case("%s: no fault" % way, **case)
    ends = sum(1 for method, target in lake.requests if method == "POST" and "?uploadId=" in target)
    ok(ends >= 3, "that had %d multipart uploads" % ends)
    for which, nth in (("first", 1), ("middle", (ends + 1) // 2), ("last", ends)):
        lake.case("%s: the %s upload's end is carried out and its answer lost" % (way, which), on("lose", ENDS, "POST", nth=[nth]), **case)
    lake.case("%s: the store knows the first upload not, for a moment" % way, on("reject", ENDS, "POST", nth=[1, 2], status=404, body=NO_UPLOAD), **case)
    for action in ("half", "error", "garbage", "refuse") if way != "parquet" else ():  # as with partitions
        lake.case("%s: each second upload's end: %s" % (way, action), on(action, ENDS, "POST", every=2), **case)


def ends_of_the_killed(lake):
    """A run is killed, the end of an upload that it had asked for is still being worked at: parts are gone already, the object is not there yet."""
    for what, rules in (("lists no parts", [("reject", dict(method="GET", path=ENDS, nth=[1, 2], status=200, body=NO_PARTS))]),
                        ("misses parts", [("reject", dict(method="POST", path=ENDS, nth=[1, 2], status=400, body=MISSING_PART))]),
                        ("knows no such upload", [("reject", dict(method="GET", path=ENDS, nth=[1, 2], status=404, body=NO_UPLOAD))]),
                        ("does none of this", [("lose", dict(method="GET", path=ENDS, nth=[1])), ("lose", dict(method="POST", path=ENDS, nth=[1]))])):
        lake.new_case(**WAYS["parquet"])
        text, status = lake.finish(lake.start(PENSTOCK_FAILPOINTS="parquet.before-publish=exit@3"))
        if not ok(status == -9, "a run is killed while it publishes", status, text):
            continue
        with LossyProxy(lake.server.address) as proxy:
            made = [proxy.rule(action, **options) for action, options in rules]
            text, status = lake.finish(lake.start(proxy.address))
        if ok(all(rule.done for rule in made), "the next one finds a store that %s" % what, [rule.done for rule in made]):
            lake.judge("and goes on once it is clear what became of it", text, status)


def lose_parts(server):
    """What MinIO does to an upload while it ends it, when whoever asked for that goes away at the wrong moment. Returns of how many parts."""
    found = [path for path in glob.glob(server.path("data", ".minio.sys", "multipart", "**", "part.*.meta"), recursive=True) if os.path.isfile(path)]
    for path in found:
        os.remove(path)
    return len(found)


def lose_uploads(server):
    """The other thing that MinIO does then: the upload's own record is left empty, so that the upload is gone. Returns of how many uploads."""
    found = glob.glob(server.path("data", ".minio.sys", "multipart", "*", "*", "xl.meta"))
    for path in found:
        os.truncate(path, 0)
    return len(found)


def lost_at_rest(lake, lose, what):
    """A run is killed, and uploads that it had staged are lost: the commit is taken back, whatever was there of it already, and is killed at each step of
    that too."""
    lake.new_case(**WAYS["parquet with partitions"])
    text, status = lake.finish(lake.start(PENSTOCK_FAILPOINTS="parquet.before-publish=exit@2"))  # the first file can be seen
    lost, seen = lose(lake.server), sum(key.endswith(".parquet") for key in lake.keys(lake.name + "/table/"))
    ok(status == -9 and lost and seen, "a run is killed while it publishes, and %d %s are lost" % (lost, what), status, seen, text)
    for point in ("commit.lost=exit", "commit.before-retract=exit", "store.before-discard=exit@2", "store.before-discard=exit@1", "commit.after-retract=exit"):
        text, status = lake.finish(lake.start(PENSTOCK_FAILPOINTS=point))
        ok(status == -9, "the next one at " + point, status, text)
    text, status = lake.finish(lake.start())
    lake.judge("then each row is there once", text, status)


def lost_uploads(lake):
    """Uploads are lost while nobody looks, while the request that ends one is on its way, and while a run goes on."""
    for lose, what in ((lose_parts, "parts"), (lose_uploads, "whole uploads")):
        lost_at_rest(lake, lose, what)
    with LossyProxy(lake.server.address) as proxy:
        lake.new_case(**WAYS["parquet with partitions"])
        rule = proxy.rule("hold", method="POST", path=ENDS, nth=[2])
        run = lake.start(proxy.address)
        came = eventually(lambda: rule.done or run.poll() is not None)
        run.kill()
        lake.finish(run)
        ok(came and rule.done and lose_parts(lake.server), "a run is killed that has asked for the end of an upload; that is on its way, and the parts are lost")
        text, status = lake.finish(lake.start())
        rule.release.set()
        arrived = eventually(lambda: any(action == "hold" for _, _, _, action in proxy.log))
        ok(arrived and [status for _, _, status, action in proxy.log if action == "hold"] == [404], "what arrives late finds no upload", proxy.log[-3:])
        lake.judge("and each row is there once", text, status)
    with LossyProxy(lake.server.address) as proxy:
        lake.new_case(**WAYS["parquet with partitions"])
        rule = proxy.rule("reject", method="GET", path=ENDS, nth=list(range(5, 13)), status=200, body=NO_PARTS)
        text, status = lake.finish(lake.start(proxy.address))
        ok(rule.done == 8 and "has lost a part of a commit" in text, "parts are lost while a run goes on", rule.done, text)
        lake.judge("which takes the commit back and reads again", text, status)


def eventually(what, seconds=30):
    end = time.monotonic() + seconds
    while not what() and time.monotonic() < end:
        time.sleep(0.01)
    return what()


shared.need("s3", "delta", "parquet", "file", "pin")
print("# SEED=%d" % SEED)
with shared.one_server("minio", "versitygw") as (folder, server):
    lake = Lake(folder, server)
    large = Lake(folder, server, rows=6000, width=4000)
    lost_ends(lake, "parquet")
    lost_ends(lake, "parquet with partitions")
    lost_ends(large, "delta", source="range_size = 4MiB", table="compression = none", commit="commit_rows = 2000")
    if shared.has_failpoints():
        ends_of_the_killed(lake)
        if server.name == "minio":
            lost_uploads(lake)
        else:
            shared.skip("uploads that lost their parts", "only MinIO's lie where they can be taken away")
    for way in WAYS:
        kill_at_random(lake, way)
    known = set()
    for way in WAYS:
        if shared.has_failpoints():
            failpoints(lake, way, known)
        else:
            shared.skip("%s: an end at each failpoint" % way, "this build has no failpoints")
shared.done()
