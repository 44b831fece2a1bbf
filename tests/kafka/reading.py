# SPDX-License-Identifier: Apache-2.0
"""Where reading begins and where it ends: every start, aborted and open transactions, gaps, topics made anew, positions that are gone."""
import json
import os
import random
import time

from harness import Folder, dump, end, eventually, hang, line, note, ok, post, produce, services, skip_unless_there, stop

skip_unless_there("kafka")


def starts(k):
    k.create_topic("starts", partitions=2, retention__ms=-1)  # its records are old
    produce(k, "starts", [line(post(i), partition=i % 2, ms=1600000000000 + i * 1000) for i in range(100)])
    with Folder("starts") as f:
        for start, rows, what in [("stored", 100, "stored, with nothing stored, is earliest"), ("earliest", 100, "earliest"), ("latest", 0, "latest"),
                                  ("2020-09-13T12:27:30Z", 50, "a time"), ("2031-01-01T00:00:00Z", 0, "a time in the future is the end")]:
            name = "s" + str(abs(hash(start)))
            status, said = f.run(f.reader(k, "starts", name=name, table=name, start=start), "--until-end")
            got = f.rows(name)[0] if os.path.exists(f.at(name, "_delta_log")) else 0
            ok(status == 0 and got == rows, "start = %s: %s rows: %s" % (start, rows, what)) or note("%s rows, status %s: %s" % (got, status, said))
        ini = f.reader(k, "starts", name="grown", table="grown", group="shared")
        f.run(ini, "--until-end")
        produce(k, "starts", [line(post(i), partition=i % 2) for i in range(100, 110)])
        status, said = f.run(f.reader(k, "starts", name="heir", table="heir", group="shared"), "--until-end")
        ok(status == 0 and f.rows("heir") == (10, 10), "stored: another pipeline of the group goes on where the group stood") or note((f.rows("heir"), said))
        status, said = f.run(ini, "--until-end")
        ok(status == 0 and f.rows("grown") == (110, 110), "the table goes on where it stands itself") or note((f.rows("grown"), said))
        status, said = f.run(f.reader(k, "starts", name="bad", start="yesterday"))
        ok(status == 2 and "start" in said and "yesterday" in said, "a start that is none is refused") or note(said)


def latest_is_kept(k):
    """Case 15: killed before the first commit, 500 more records; a partition added later."""
    k.create_topic("late", partitions=1)
    produce(k, "late", [line(post(i)) for i in range(50)])
    with Folder("late") as f:
        ini = f.reader(k, "late", start="latest", interval="1h")
        p = f.start(ini)
        ok(eventually(lambda: os.path.exists(f.at("table", "_delta_log", "00000000000000000001.json"))), "a first position is committed before anything is read")
        p.kill()
        p.wait()
        produce(k, "late", [line(post(i)) for i in range(1000, 1500)])
        k.add_partitions("late", 2)
        produce(k, "late", [line(post(i), partition=1) for i in range(2000, 2100)])
        time.sleep(6)  # the killed member's session
        status, said = f.run(ini, "--until-end")
        ok(status == 0 and f.rows() == (600, 600) and f.table()["low"] == 1000,
           "start = latest, killed before the first commit, 500 more: they all come, and all of a partition that was added") or note((f.table(), said))


def ends(k):
    """Case 8: control records at the end are never seen."""
    k.create_topic("aborted", partitions=1)
    produce(k, "aborted", [line(post(i)) for i in range(10)])
    produce(k, "aborted", [line(post(i)) for i in range(100, 110)], "abort", "t1")
    with Folder("ends") as f:
        ini = f.reader(k, "aborted")
        status, said = f.run(ini, "--until-end")
        ok(status == 0 and f.rows() == (10, 10), "--until-end with an aborted transaction at the end") or note((status, f.table(), said))
        status, said = f.run(ini, "--until-end")
        ok(status == 0 and f.rows() == (10, 10), "and again, with nothing new") or note((status, said))
        produce(k, "aborted", [line(post(i)) for i in range(10, 20)], "commit", "t1")
        p = hang(k, "aborted", [line(post(i)) for i in range(200, 210)], "t2")
        produce(k, "aborted", [line(post(i)) for i in range(300, 305)])
        status, said = f.run(ini, "--until-end")
        ok(status == 0 and f.rows() == (20, 20), "--until-end stops before a transaction that is open") or note((status, f.table(), said))
        p.kill()
        produce(k, "aborted", [], "abort", "t2")  # fences it
        status, said = f.run(ini, "--until-end")
        ok(status == 0 and f.rows() == (25, 25), "once it is aborted, what was behind it comes") or note((status, f.table(), said))
        k.create_topic("empty", partitions=3)
        status, said = f.run(f.reader(k, "empty", name="e", table="e"), "--until-end")
        ok(status == 0, "--until-end of a topic that is empty") or note(said)


def made_anew(k):
    """Case 4, and a position that retention removed."""
    k.create_topic("anew", partitions=1)
    produce(k, "anew", [line(post(i)) for i in range(100)])
    with Folder("anew") as f:
        ini = f.reader(k, "anew")
        f.run(ini, "--until-end")
        k.topics("--delete", "--topic", "anew")
        eventually(lambda: "anew" not in k.topics("--list").split())
        k.create_topic("anew", partitions=1)
        produce(k, "anew", [line(post(i)) for i in range(50)])
        status, said = f.run(ini, "--until-end")
        ok(status == 1 and "anew-0" in said and "100" in said and "`id`" in said and f.rows() == (100, 100), "a topic made anew and shorter stops the run, and says what decides") or note(said)
    k.create_topic("gone", partitions=1, retention__ms=3600000)
    produce(k, "gone", [line(post(i)) for i in range(10)])
    with Folder("gone") as f:
        ini = f.reader(k, "gone")
        f.run(ini, "--until-end")
        produce(k, "gone", [line(post(i)) for i in range(10, 40)])
        offsets = f.file("del.json", '{"partitions":[{"topic":"gone","partition":0,"offset":30}],"version":1}')
        k.tool("org.apache.kafka.tools.DeleteRecordsCommand", "--offset-json-file", offsets)
        status, said = f.run(ini, "--until-end")
        ok(status == 1 and "missing = skip" in said and "position 10" in said and "30" in said and f.rows() == (10, 10),
           "a position that the broker holds no more stops the run with one line that names the option") or note(said)
        status, said = f.run(f.reader(k, "gone", missing="skip"), "--until-end")
        ok(status == 0 and f.rows() == (20, 20), "missing = skip goes on behind the gap") or note((f.table(), said))


def rolled_away(k):
    """The log goes from under a position while it is read."""
    k.create_topic("rolled", partitions=1)
    produce(k, "rolled", [line(post(i)) for i in range(10)])
    with Folder("rolled") as f:
        p = f.start(f.reader(k, "rolled", librdkafka__fetch__error__backoff__ms=100))
        eventually(lambda: os.path.exists(f.at("table", "_delta_log")) and f.rows() == (10, 10))
        p.send_signal(19)
        produce(k, "rolled", [line(post(i)) for i in range(10, 400)])
        offsets = f.file("del.json", '{"partitions":[{"topic":"rolled","partition":0,"offset":300}],"version":1}')
        k.tool("org.apache.kafka.tools.DeleteRecordsCommand", "--offset-json-file", offsets)
        p.send_signal(18)
        eventually(lambda: p.poll() is not None or f.rows()[0] >= 100, 20)
        said = f.log("r.ini.log")
        whole = f.rows() == (400, 400)  # it had fetched them before it slept
        if p.poll() is None:
            stop(p)
        ok(p.returncode == 1 and "missing = skip" in said or whole, "records that are removed while it reads stop it") or note((p.returncode, f.table(), said))


def flows(k):
    """What is fetched ahead is little, and more is fetched in time: librdkafka looks at a full queue once a second, unless it is told that there is room."""
    k.create_topic("flow", partitions=1)
    wide = [line(json.dumps({"index": i, "description": "%x" % random.Random(i).getrandbits(8000)}).encode()) for i in range(20000)]
    produce(k, "flow", wide)
    with Folder("flow") as f:
        began = time.monotonic()
        status, said = f.run(f.reader(k, "flow", interval="1h"), "--until-end")
        took = time.monotonic() - began
        ok(status == 0 and f.rows() == (20000, 20000) and took < 10, "40 MB of one partition come without a pause for each MB that may wait") or note((took, f.table(), said))


def merged_and_gaps(k):
    """Case 4: two topics with a partition 0; compaction's gaps."""
    k.create_topic("a", partitions=1)
    k.create_topic("b", partitions=1, cleanup__policy="compact")
    produce(k, "a", [line(post(i)) for i in range(100)])
    for i in range(5):
        produce(k, "b", [line(post(1000 + n), key=b"k%d" % n) for n in range(20)] + [line(post(5000 + i), key=b"last%d" % i)])
        time.sleep(1.2)
    eventually(lambda: len(dump(k, "b")) < 60, 20)
    held = len(dump(k, "b"))
    with Folder("merged") as f:
        ini = f.file("m.ini", f"""[pipeline]
name = m
state = {f.at('m.state')}
[defaults kafka]
brokers = {k.plain}
[transport one]
plugin = kafka
topic = a
[transport two]
plugin = kafka
topic = b
group = other
[transform clean]
plugin = pin
input = one two
[sink table]
plugin = delta
input = clean
path = {f.at('table')}
""")
        status, said = f.run(ini, "--until-end")
        got = f.rows()
        ok(status == 0 and got[0] == 100 + held, "two topics merged, one with gaps (%d of 105 are left): each record once" % held) or note((got, said))
        status, said = f.run(ini, "--until-end")
        ok(status == 0 and f.rows() == got, "and none again") or note((f.rows(), said))


with services.kafka(compact_fast=True) as broker:
    for part in (starts, latest_is_kept, ends, made_anew, rolled_away, flows, merged_and_gaps):
        part(broker)
end()
