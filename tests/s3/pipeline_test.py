#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whole pipelines into a Delta table on s3://, while answers are lost, cut short and garbled on their way, and the store is killed. Each run must come to
its end without being started again, with every row in the table once and every broken record among the dead letters once.
"""
import os
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lake as shared
from lake import Lake, ok, on, services

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
    wrong_clock(lake)
    store_killed(lake)
shared.done()
