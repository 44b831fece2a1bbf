# SPDX-License-Identifier: Apache-2.0
"""Several processes in one group: killed, paused and added, each row once in the table (cases 1, 11, 20)."""
import os
import random
import signal
import time

from harness import Folder, end, eventually, line, note, ok, post, produce, services, skip_unless_there, stop

skip_unless_there("kafka")
ROWS = int(os.environ.get("PENSTOCK_TEST_ROWS", "20000"))


def shared(k):
    """One process of the pipeline after another joins; rows come all the while."""
    k.create_topic("share", partitions=8)
    with Folder("share") as f:
        ps = [f.start(f.reader(k, "share", state="p%d" % n)) for n in range(2)]
        for n in range(4):
            produce(k, "share", [line(post(i), partition=i % 8) for i in range(n * 1000, n * 1000 + 1000)])
            time.sleep(0.5)
        ps.append(f.start(f.reader(k, "share", state="p2")))
        time.sleep(2)
        produce(k, "share", [line(post(i), partition=i % 8) for i in range(4000, 5000)])
        good = eventually(lambda: f.rows()[0] == 5000, 30)
        ok(good and f.rows() == (5000, 5000), "three processes share eight partitions: each row once") or note((f.table(), f.log("p0.ini.log"), f.log("p1.ini.log"), f.log("p2.ini.log")))
        ok(stop(ps[0]) == 0, "one leaves")
        produce(k, "share", [line(post(i), partition=i % 8) for i in range(5000, 6000)])
        good = eventually(lambda: f.rows()[0] == 6000, 30)
        ok(good and f.rows() == (6000, 6000), "the others take over what it had") or note((f.table(), f.log("p1.ini.log")))
        ok([stop(p) for p in ps[1:]] == [0, 0], "and end when asked to")


def paused(k):
    """Case 1: a process with staged rows is stopped, its partitions go to another, it wakes up."""
    k.create_topic("pause", partitions=4)
    with Folder("pause") as f:
        a = f.start(f.reader(k, "pause", state="a", interval="1s"))
        produce(k, "pause", [line(post(i), partition=i % 4) for i in range(1000)])
        eventually(lambda: os.path.exists(f.at("table", "_delta_log")) and f.rows()[0] == 1000)
        produce(k, "pause", [line(post(i), partition=i % 4) for i in range(1000, 3000)])
        time.sleep(0.4)
        a.send_signal(signal.SIGSTOP)
        b = f.start(f.reader(k, "pause", state="b"))
        good = eventually(lambda: f.rows()[0] == 3000, 40)
        ok(good, "another process takes over from one that sleeps") or note((f.table(), f.log("b.ini.log")))
        produce(k, "pause", [line(post(i), partition=i % 4) for i in range(3000, 4000)])
        a.send_signal(signal.SIGCONT)
        eventually(lambda: f.rows()[0] >= 4000, 30)
        time.sleep(3)
        ok(f.rows() == (4000, 4000) and a.poll() is None, "it wakes up, commits nothing that it lost, and goes on") or note((f.table(), a.poll(), f.log("a.ini.log")))
        stop(a)
        stop(b)


def chaos(k):
    k.create_topic("chaos", partitions=16)
    dice = random.Random(20)
    with Folder("chaos") as f:
        ini = {n: f.reader(k, "chaos", state="c%d" % n) for n in range(4)}
        ps, sleeping = {0: f.start(ini[0])}, set()
        for step in range(10):
            low = ROWS * step // 10
            produce(k, "chaos", [line(post(i), partition=i % 16) for i in range(low, ROWS * (step + 1) // 10)])
            n = dice.randrange(4)
            if n in sleeping:
                ps[n].send_signal(signal.SIGCONT)
                sleeping.discard(n)
            elif n not in ps or ps[n].poll() is not None:
                ps[n] = f.start(ini[n])
            elif dice.random() < 0.5:
                ps[n].kill()
                ps[n].wait()
            else:
                ps[n].send_signal(signal.SIGSTOP)
                sleeping.add(n)
            time.sleep(dice.uniform(0.5, 2.5))
        for n in sleeping:
            ps[n].send_signal(signal.SIGCONT)
        if all(p.poll() is not None for p in ps.values()):
            ps[0] = f.start(ini[0])
        good = eventually(lambda: f.rows()[0] is not None and f.rows()[0] >= ROWS, 60)
        time.sleep(2)
        ok(good and f.rows() == (ROWS, ROWS), "four processes, killed, paused and added: %d rows, each once" % ROWS) or note(
            (f.table(), *(f.log("c%d.ini.log" % n)[-1500:] for n in ps)))
        bad = [(n, p.returncode) for n, p in ps.items() if p.poll() not in (None, -9)]
        ok(not bad, "none gave up") or note((bad, *(f.log("c%d.ini.log" % n)[-800:] for n, _ in bad)))
        for p in ps.values():
            if p.poll() is None:
                stop(p)


def static(k):
    """Static membership: one that comes back in time has its partitions at once."""
    k.create_topic("static", partitions=4)
    produce(k, "static", [line(post(i), partition=i % 4) for i in range(1000)])
    with Folder("static") as f:
        one = f.start(f.reader(k, "static", state="one", member="one", librdkafka__session__timeout__ms=30000))
        eventually(lambda: os.path.exists(f.at("table", "_delta_log")) and f.rows()[0] == 1000)
        one.kill()
        one.wait()
        produce(k, "static", [line(post(i), partition=i % 4) for i in range(1000, 2000)])
        began = time.monotonic()
        status, said = f.run(f.reader(k, "static", state="one", member="one", librdkafka__session__timeout__ms=30000), "--until-end")
        ok(status == 0 and f.rows() == (2000, 2000) and time.monotonic() - began < 15, "member: killed and started again, it has its partitions before its session is over") or note(
            (status, f.table(), time.monotonic() - began, said))


with services.kafka() as broker:
    for part in (shared, paused, static, chaos):
        part(broker)
end()
