#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whole pipelines into a Delta table and into Parquet files on s3://, while answers are lost, cut short and garbled on their way, the network is slow,
silent and cut, and the store is killed. Each run must come to its end without being started again, with every row in the table once and every broken
record among the dead letters once.
"""
import os
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lake as shared
from lake import Lake, ok, on, services

MEMORY = 64 << 10  # KiB that a pipeline may need at its most
COMMIT, DATA = r"/_delta_log/\d{20}\.json", r"\.parquet"


def lost_answers(lake):
    lake.case("no fault", lanes=1)  # whose commits can be counted on
    entries = lake.commits()
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


def lost_answers_to_parquet(lake):
    case = dict(sink="parquet", table="partition_by = category")
    for action in ("lose", "half", "error", "garbage"):
        lake.case("Parquet files: each fifth answer of all: %s" % action, (action, {"every": 5}), **case)
    lake.case("Parquet files: each third part's answer is lost", on("lose", r"\?partNumber=", every=3), **case)
    lake.case("Parquet files: each second begin of an upload is carried out and its answer lost", on("lose", r"\?uploads", "POST", every=2), **case)
    lake.case("Parquet files: each fifth request of all is refused by 503", ("reject", {"every": 5}), **case)
    lake.case("Parquet files: the end of an upload is late: longer than silence is borne", on("late", r"\?uploadId=", "POST", nth=[2], seconds=5), **case)


FAULTS = {"slow": dict(type="latency", latency=300, jitter=200), "thin": dict(type="bandwidth", rate=150),
          "requests cut": dict(type="limit_data", stream="upstream", bytes=30000), "answers cut": dict(type="limit_data", bytes=250),
          "reset": dict(type="reset_peer", timeout=20), "silent": dict(type="timeout", stream="upstream", timeout=0), "away": None}


def peak(process):
    """KiB that it needed at its most so far; 0 when it is over."""
    try:
        with open("/proc/%d/status" % process.pid, encoding="ascii") as f:
            return max((int(text.split()[1]) for text in f if text.startswith("VmHWM:")), default=0)
    except OSError:
        return 0


def bad_network(lake):
    """A pipeline into each kind of table, at once, while one fault of the network follows the other."""
    with services.toxiproxy() as toxiproxy:
        way, runs, most = toxiproxy.proxy("store", lake.server.address), [], 0
        for sink in ("delta", "parquet"):
            lake.new_case(sink=sink, source="rate = 300/s\nrange_size = 1MiB", commit="commit_interval = 500ms")
            runs.append((sink, lake.name, lake.table, lake.start(way.address)))
        services.until(lambda: all(len(lake.keys(name + "/table/")) > 3 for _, name, _, _ in runs), 60, "files of both")
        for fault in FAULTS.values():
            if fault:
                way.toxic(**fault)
            else:
                way.enable(False)
            time.sleep(2.5 if fault and fault["type"] == "timeout" else 1.2)  # how long it lasts
            toxiproxy.reset()
            most = max([most, *(peak(process) for _, _, _, process in runs)])
            time.sleep(0.3)
        met = [sink for sink, _, _, process in runs if process.poll() is None]
        ok(len(met) == 2, "a pipeline into each bears a network that is %s" % ", ".join(FAULTS), met)
        for sink, lake.name, lake.table, process in runs:
            text, status = lake.finish(process)
            lake.judge("%s: and each row is there once" % sink, text, status)
        if not shared.sanitized():
            ok(0 < most < MEMORY, "in %d KiB at the most" % most)


def wrong_clock(lake):
    faketime = shutil.which("faketime")
    for what, offset in (("forty minutes ahead", "+40m"), ("two hours behind", "-2h")):
        if not faketime:
            shared.skip("a clock that is %s" % what, "faketime is not installed")
            continue
        lake.new_case()
        text, status = lake.finish(lake.start(program=[faketime, "-f", offset]))
        lake.judge("a clock that is %s" % what, text, status)
        ok("clock is" in text, "and it is said", text)


def store_killed(lake):
    lake.new_case(source="rate = 500/s\nrange_size = 40KiB")
    run = lake.start()
    services.until(lambda: lake.commits() > 1, 60, "two commits")
    for _ in range(2):
        lake.server.kill()
        time.sleep(3)
        lake.server.start()
        time.sleep(1)
    text, status = lake.finish(run)
    lake.judge("the store is killed twice for three seconds", text, status)


shared.need("s3", "delta", "file", "pin")
with shared.one_server("minio", "versitygw") as (folder, server):
    lake = Lake(folder, server)
    lost_answers(lake)
    lost_answers_to_parquet(lake)
    if services.missing("toxiproxy"):
        shared.skip("a bad network", services.missing("toxiproxy"))
    else:
        bad_network(Lake(folder, server, rows=6000, width=4000))
    wrong_clock(lake)
    store_killed(lake)
shared.done()
