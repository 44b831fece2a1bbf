#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""penstock transport with Kinesis: list, create, describe, delete and reshard, by a pipeline's stage and by options alone."""
import json
import os

import pipes
from pipes import Pipe, ok, reader, run_once

pipes.need()
os.environ.update(AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b")
k = pipes.start_stand_in()


def verb(*arguments):
    return run_once(["transport", *arguments])


def rows(result):
    return [json.loads(line) for line in result.text.splitlines() if line.startswith("{")]


def lead():
    return ["--plugin=kinesis", "--endpoint=" + k.endpoint, "--region=us-east-1"]


def alone():
    k.page = 2
    for name, shards in (("one", 1), ("two", 2), ("three", 3)):
        result = verb("create", *lead(), "--partitions=%d" % shards, "--json", name)
        ok(result.status == 0 and rows(result)[0]["partitions"] == shards and rows(result)[0]["status"] == "ACTIVE", "create %s" % name, [result])
    result = verb("list", *lead(), "--json")
    ok(result.status == 0 and {r["name"]: r["partitions"] for r in rows(result)} == {"one": 1, "two": 2, "three": 3}, "list, by pages", [result])
    result = verb("reshard", *lead(), "--partitions=4", "--json", "two")
    ok(result.status == 0 and rows(result)[0]["partitions"] == 4, "reshard", [result])
    result = verb("describe", *lead(), "--json", "two")
    states = [r["state"] for r in rows(result)]
    ok(result.status == 0 and states.count("open") == 4 and states.count("closed") == 2, "describe tells open shards from closed", [result])
    ok(all(r["parents"] for r in rows(result) if r["partition"] > "shardId-000000000001") and len(rows(result)[0]["first"]) > 50, "and parents", [result])
    result = verb("delete", *lead(), "--json", "two")
    ok(result.status == 0 and "two" not in k.streams, "delete", [result])
    for arguments, says in ((["describe", *lead(), "two"], "ResourceNotFoundException"), (["delete", *lead()], "which stream"),
                            (["create", *lead(), "a b"], "a b"), (["create", *lead(), "one"], "ResourceInUseException")):
        result = verb(*arguments)
        ok(result.status in (1, 2) and says in result.text and len(result.text.splitlines()) <= 2, "%s that cannot be done says why in one line" % arguments[0],
           [result])
    k.page = 1000


def by_stage():
    k.create("s", 2)
    with Pipe(k, reader()) as p:
        result = verb("describe", "--in=" + p.conf, "--json", "in")
        ok(result.status == 0 and len(rows(result)) == 2, "a stage of a pipeline names stream and service", [result])
        result = verb("create", "--in=" + p.conf, "--json", "in", "other")
        ok(result.status == 0 and "other" in k.streams, "or only the service", [result])


alone()
by_stage()
pipes.done()
