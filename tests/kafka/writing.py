# SPDX-License-Identifier: Apache-2.0
"""What is written: byte for byte, however large, to which topic; transactions, whatever happens to their commit."""
import json
import os
import random
import socket
import subprocess
import time

from harness import PENSTOCK, Folder, dump, end, eventually, inds, line, note, ok, post, produce, services, skip_unless_there, stop

skip_unless_there("kafka", "toxiproxy")


def copy(f, k, source, target, name="copy", brokers=None, interval="500ms", extra="", reader=""):
    return f.file(name + ".ini", f"""[pipeline]
name = {name}
state = {f.at(name + '.state')}
commit_interval = {interval}
[transport in]
plugin = kafka
brokers = {k.plain}
topic = {source}
librdkafka.session.timeout.ms = 6000
{reader}
[transport out]
plugin = kafka
input = in
brokers = {brokers or k.plain}
topic = {target}
create = yes
config.retention.ms = -1
{extra}
""")


def round_trip(k):
    k.create_topic("odd", partitions=3, retention__ms=-1)  # its records are old
    odd = [line(None, key=b"gone", partition=0, ms=1), line(b"", key=b"", partition=1, ms=2), line(bytes(range(256)), partition=2, ms=1600000000123),
           line(b"x" * 900000, key=b"large", partition=0, ms=5), line(b"h", partition=1, ms=7, headers=[("a", b"1"), ("a", b""), ("b", None), ("c", bytes([0, 255]))])]
    produce(k, "odd", odd + [line(random.Random(i).randbytes(i), key=b"%d" % i, partition=i % 3, ms=1000 + i) for i in range(300)])
    want = sorted(dump(k, "odd"))
    with Folder("round") as f:
        for name, extra in (("plain", ""), ("once", "exactly_once = yes\n")):
            status, said = f.run(copy(f, k, "odd", "odd-" + name, name, extra="keep_partition = yes\npartitions = 3\n" + extra), "--until-end")
            got = sorted(dump(k, "odd-" + name))
            strip = [r[:1] + r[2:] for r in want]
            ok(status == 0 and sorted(r[:1] + r[2:] for r in got) == sorted(strip), "%s: keys, values, nulls, times and headers, byte for byte" % name) or note(
                (len(got), len(want), said, [r for r in zip(got, want) if r[0][0] != r[1][0] or r[0][2:] != r[1][2:]][:2]))
        status, said = f.run(copy(f, k, "odd", "odd-plain", "plain", extra="keep_partition = yes\npartitions = 3\n"), "--until-end")
        ok(status == 0 and len(dump(k, "odd-plain")) == len(want), "nothing is written again at the next start") or note(said)
        k.create_topic("small", partitions=1, max__message__bytes=1000, retention__ms=-1)
        status, said = f.run(copy(f, k, "odd", "small", "small"), "--until-end")
        ok(status == 1 and "small" in said and "bytes" in said and "900005" in said, "a record that is too large: topic and size are named") or note(said)
        status, said = f.run(copy(f, k, "odd", "odd2", "odd2", extra="librdkafka.message.max.bytes = 2000\n"), "--until-end")
        ok(status == 1 and "odd2" in said and "message.max.bytes" in said, "one that is larger than the client's own limit") or note(said)


def by_output(k):
    with Folder("output") as f:
        status, said = f.run(f.file("o.ini", f"""[pipeline]
name = o
state = {f.at('o.state')}
[source posts]
plugin = generate
count = 500
[transport all]
plugin = kafka
input = posts.*
brokers = {k.plain}
topic = 0a1b.{{output}}
create = yes
partitions = 2
"""), "--until-end")
        sizes = {t: len(dump(k, "0a1b." + t)) for t in ("pin", "geo", "user")} if status == 0 else {}
        ok(sizes == {"pin": 500, "geo": 500, "user": 500}, "topic = …{output}: each output to a topic of its own") or note((sizes, said))


def posts_ini(f, k, name, topic, brokers, count=20000, interval="300ms", extra=""):
    f.file(name + ".jsonl", "".join(post(i).decode() + "\n" for i in range(count)))
    return f.file(name + ".ini", f"""[pipeline]
name = {name}
state = {f.at(name + '.state')}
commit_interval = {interval}
commit_rows = 2000
[source posts]
plugin = file
path = {f.at(name + '.jsonl')}
[transport out]
plugin = kafka
input = posts
brokers = {brokers}
topic = {topic}
create = yes
partitions = 2
timeout = 3s
{extra}
""")


def whole(k, topic, count):
    got = inds(dump(k, topic))
    return len(got) == count and len(set(got)) == count


def transactions(k):
    """Case 7: a kill with an open transaction; an answer to commit_transaction that is lost."""
    with Folder("txn") as f:
        steps = ["kafka.write", "kafka.stage", "kafka.staged", "kafka.before-commit", "kafka.after-commit", "commit.before-settle"]
        for step in steps:
            topic = "txn-" + step.replace(".", "-")
            ini = posts_ini(f, k, topic, topic, k.plain, count=5000, extra="exactly_once = yes\n")
            first, _ = f.run(ini, "--until-end", PENSTOCK_FAILPOINTS=step + "=exit@2")
            status, said = f.run(ini, "--until-end")
            ok(first not in (0, None) and status == 0 and whole(k, topic, 5000), "killed at %s: every row once" % step) or note((first, status, len(dump(k, topic)), said))
        k.create_topic("many", partitions=1)
        produce(k, "many", [line(post(i)) for i in range(20000)])
        both = []
        for n in (1, 2):
            with open(copy(f, k, "many", "fenced", "twice", interval="100ms", extra="exactly_once = yes\n", reader="group = g%d\n" % n), encoding="utf-8") as text:
                both.append(f.file("g%d.ini" % n, text.read().replace("twice.state", "g%d.state" % n)))
        one = f.start(both[0])
        eventually(lambda: "fenced" in k.topics("--list").split() and len(dump(k, "fenced")) > 0, 30)
        first, _ = f.run(both[1], "--until-end")
        produce(k, "many", [line(post(i)) for i in range(20000, 20100)])
        eventually(lambda: one.poll() is not None, 30)
        status, said = f.run(both[1], "--until-end")
        ok(first == status == 0 and one.returncode == 1 and "another process writes" in f.log("g1.ini.log") and whole(k, "fenced", 20100),
           "a second process fences the first, which ends with one line; every row once") or note((status, one.returncode, f.log("g1.ini.log"), said))
        r = subprocess.run([PENSTOCK, "check", posts_ini(f, k, "slow", "slow", k.plain, count=1, interval="25s", extra="exactly_once = yes\n")], capture_output=True, text=True)
        ok(r.returncode == 2 and "commit_interval" in r.stdout + r.stderr and "20000ms" in r.stdout + r.stderr, "check refuses a commit_interval beyond a third of the timeout") or note(
            r.stdout + r.stderr)


def lost_answers(k):
    with Folder("lost") as f, services.toxiproxy() as toxic:
        proxy = toxic.proxy("kafka", k.proxied_upstream, listen=k.proxied)
        for how in ("exactly_once = yes\n", ""):
            topic = "lost-once" if how else "lost-plain"
            ini = posts_ini(f, k, topic, topic, k.proxied, interval="200ms", extra=how)
            p = f.start(ini, "--until-end", PENSTOCK_FAILPOINTS="lane.before-read=delay:20@0")
            dice = random.Random(7)
            until = time.monotonic() + 12
            while p.poll() is None and time.monotonic() < until:
                time.sleep(dice.uniform(0.1, 0.5))
                proxy.toxic("limit_data", stream="downstream", bytes=dice.randrange(20, 400)) if dice.random() < 0.6 else proxy.enable(False)
                time.sleep(dice.uniform(0.2, 0.8))
                proxy.clear()
                proxy.enable(True)
            try:
                p.wait(60)
            except subprocess.TimeoutExpired:
                p.kill()
            got = inds(dump(k, topic))
            ok(p.returncode == 0 and len(set(got)) == 20000 and (len(got) == 20000 or not how), "%s: answers cut off for 12 s: no row lost%s" % (topic, ", none twice" if how else "")) or note(
                (p.returncode, len(got), len(set(got)), f.log(topic + ".ini.log")[-3000:]))


def broker_away(k):
    with Folder("away") as f:
        for how in ("", "exactly_once = yes\n"):
            topic = "away-once" if how else "away"
            ini = posts_ini(f, k, topic, topic, k.plain, extra=how)
            p = f.start(ini, "--until-end", PENSTOCK_FAILPOINTS="lane.before-read=delay:50@0")
            time.sleep(1.5)
            k.kill()
            time.sleep(3)
            k.start()
            try:
                p.wait(90)
            except subprocess.TimeoutExpired:
                p.kill()
            got = inds(dump(k, topic))
            ok(p.returncode == 0 and len(set(got)) == 20000 and (len(got) == 20000 or not how), "%s: the broker is killed and started again: no row lost%s" % (topic, ", none twice" if how else "")) or note(
                (p.returncode, len(got), len(set(got)), f.log(topic + ".ini.log")[-3000:]))


def reached(f, name, point):
    try:
        return point in f.log(name + ".points")
    except FileNotFoundError:
        return False


def away_at_first_row(k):
    """topic = …{output}: the name is known only with the first row, so the broker is first asked for it then."""
    with Folder("late") as f:
        for how in ("", "exactly_once = yes\n"):
            name = "late-once" if how else "late"
            ini = posts_ini(f, k, name, name + "-{output}", k.plain, count=500, extra=how)
            said = lambda: f.log(name + ".ini.log")
            start = lambda: f.start(ini, "--until-end", PENSTOCK_FAILPOINTS="kafka.write=delay:2000@1", PENSTOCK_FAILPOINT_LOG=f.at(name + ".points"))
            p = start()
            ok(eventually(lambda: reached(f, name, "kafka.write")), "%s: it starts" % name) or note(said())
            k.kill()
            ok(eventually(lambda: "warn" in said()) and p.poll() is None, "%s: the broker goes away before the first row of a topic: it is waited for" % name) or note((p.poll(), said()))
            status = stop(p, 25)
            ok(status is not None, "%s: and a stop does not wait" % name) or note((status, said()))
            p = start()
            k.start()
            try:
                p.wait(60)
            except subprocess.TimeoutExpired:
                p.kill()
            ok(p.returncode == 0 and whole(k, name + "-posts", 500), "%s: once it is back, each row comes" % name) or note((p.returncode, said()))


def stopped_at_start(k):
    """SIGTERM while a run waits, at its start, for a broker that is not there."""
    with Folder("never") as f, socket.socket() as nobody:  # has the port, and does not listen
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        for how in ("", "exactly_once = yes\n"):
            name = "never-once" if how else "never"
            p = f.start(posts_ini(f, k, name, name, "127.0.0.1:%d" % port, count=5, extra=how))
            ok(eventually(lambda: "warn" in f.log(name + ".ini.log")) and p.poll() is None, "%s: no broker: it waits" % name) or note(f.log(name + ".ini.log"))
            status = stop(p, 20)
            ok(status == 0 and "stopped before it had started" in f.log(name + ".ini.log"), "%s: and a stop ends it" % name) or note((status, f.log(name + ".ini.log")))


with services.kafka() as broker:
    for part in (round_trip, by_output, transactions, lost_answers, broker_away, away_at_first_row, stopped_at_start):
        part(broker)
end()
