# SPDX-License-Identifier: Apache-2.0
"""Who is let in, and how it is said who is not; topics made, listed, described and deleted; cut links and a broker that comes back."""
import json
import os
import random
import subprocess
import time

from harness import PENSTOCK, Folder, end, eventually, line, note, ok, post, produce, services, skip_unless_there, stop

VERSION = os.environ.get("PENSTOCK_TEST_KAFKA", services.KAFKA_VERSIONS[0])
skip_unless_there("kafka", "toxiproxy", version=VERSION)


def check(ini):
    r = subprocess.run([PENSTOCK, "check", "--connect", ini], capture_output=True, text=True)
    return r.returncode, r.stdout + r.stderr


def transport(*words):
    r = subprocess.run([PENSTOCK, "transport", *words], capture_output=True, text=True)
    return r.returncode, r.stdout, r.stderr


def ways(k):
    k.create_topic("ways", partitions=1)
    produce(k, "ways", [line(post(i)) for i in range(100)])
    login = dict(user=k.user, password=k.password, tls_ca=k.ca, auth="scram-sha-512")
    token = {"tls_ca": k.ca, "auth": "oauthbearer", "librdkafka__enable__sasl__oauthbearer__unsecure__jwt": "true", "librdkafka__sasl__oauthbearer__config": "principal=alice"}
    msk = dict(tls_ca=k.ca, auth="msk-iam", region=k.region, access_key=k.access_key, secret_key=k.secret_key)
    with Folder("ways") as f:
        for name, at, options in [("plain", k.plain, {}), ("tls", k.tls, dict(tls_ca=k.ca)), ("mtls", k.mtls, dict(tls_ca=k.ca, tls_cert=k.client_cert, tls_key=k.client_key)),
                                  ("scram", k.scram, login), ("oauth", k.oauth, token), ("msk", k.msk, msk)]:
            status, said = f.run(f.reader(k, "ways", name=name, table=name, brokers=at, **options), "--until-end")
            good = status == 0 and f.rows(name) == (100, 100)
            if name == "scram" and not good and VERSION.startswith("4") and "librdkafka before 2.6.1" in said:
                ok(True, "scram: this librdkafka is refused by Kafka %s, and the cause is named" % VERSION)
            else:
                ok(good, name + ": let in") or note((status, said))
        for name, at, options, words in [
                ("wrong", k.scram, dict(login, password="wrong"), ["not let in", "alice"]), ("none", k.scram, dict(tls_ca=k.ca), ["kafka"]),
                ("strange", k.tls, dict(tls="verify"), ["TLS"]), ("host", "no-such-host.invalid:9092", {}, ["no such host", "no-such-host.invalid"]),
                ("msk2", k.msk, dict(msk, secret_key="wrong"), ["not let in", "msk-iam"])]:
            status, said = check(f.reader(k, "ways", name=name, brokers=at, timeout="4s", **options))
            lines = [one for one in said.splitlines() if "kafka" in one]
            ok(status and all(w in said for w in words) and "wrong" not in said.replace("wrong.ini", "").replace("a wrong password", ""), "check --connect, %s: one line that says why" % name) or note((status, said))
        status, said = check(f.reader(k, "not-there", name="absent"))
        ok(status and "there is no topic not-there" in said, "check --connect: a topic that is not there") or note((status, said))
        status, said = f.run(f.reader(k, "not-there", name="absent"), timeout=30)
        ok(status == 1 and "not-there" in said, "run: a topic that is not there") or note((status, said))
        status, said = f.run(f.reader(k, "ways", name="wrong", brokers=k.scram, **dict(login, password="wrong")), timeout=30)
        ok(status == 1 and "not let in" in said, "run: a wrong password") or note((status, said))
        status, said = f.run(f.reader(k, "ways", name="host", brokers="no-such-host.invalid:9092"), timeout=30)
        ok(status == 1 and "no such host" in said, "run: an unknown host") or note((status, said))
        for options, words in [(dict(user="alice"), "user"), (dict(auth="plain", user="alice"), "password"), (dict(tls_cert="x"), "tls_key"),
                               (dict(librdkafka__group__id="x"), "group"), (dict(librdkafka__isolation__level="read_uncommitted"), "guaranteed"),
                               (dict(librdkafka__no__such="x"), "no such property"), (dict(region="x"), "msk-iam")]:
            status, said = f.run(f.reader(k, "ways", name="half", **options), timeout=30)
            ok(status == 2 and words in said, "%s alone is refused" % ", ".join(options).replace("__", ".")) or note((status, said))


def verbs(k):
    at = ["--plugin=kafka", "--brokers=" + k.plain]
    with Folder("verbs") as f:
        ini = f.reader(k, "made", partitions=3, replication=1, config__retention__ms=3600000)
        status, out, said = transport("create", "--in=" + ini, "in")
        ok(status == 0, "create, as a section of a file says") or note((status, out, said))
    ok("retention.ms=3600000" in k.topics("--describe", "--topic", "made"), "with its configuration")
    status, out, said = transport("create", *at, "--partitions=2", "two")
    ok(status == 0 and "PartitionCount: 2" in k.topics("--describe", "--topic", "two"), "create, by the command line alone") or note((status, out, said))
    status, out, said = transport("create", *at, "made")
    ok(status != 0 and "there already" in said, "one that is there already is refused") or note(said)
    produce(k, "made", [line(b"x", partition=1) for _ in range(7)])
    status, out, said = transport("list", *at, "--json")
    ok(status == 0 and '"made"' in out and "__consumer" not in out, "list") or note((out, said))
    status, out, said = transport("describe", *at, "--json", "made")
    rows = [json.loads(r) for r in out.splitlines()] if status == 0 else []
    ok([(r["partition"], r["first"], r["next"]) for r in rows] == [(0, 0, 0), (1, 0, 7), (2, 0, 0)], "describe") or note((out, said))
    status, out, said = transport("delete", *at, "made")
    ok(status == 0 and eventually(lambda: "made" not in k.topics("--list").split()), "delete") or note((out, said))
    status, out, said = transport("describe", *at, "made")
    ok(status != 0 and "no topic made" in said, "what is not there is said so") or note(said)


def cuts(k):
    """Links that are cut, and a broker that is killed, while a topic is read."""
    k.create_topic("cuts", partitions=4)
    dice = random.Random(3)
    with Folder("cuts") as f, services.toxiproxy() as toxic:
        proxy = toxic.proxy("kafka", k.proxied_upstream, listen=k.proxied)
        p = f.start(f.reader(k, "cuts", brokers=k.proxied))
        for n in range(8):
            produce(k, "cuts", [line(post(i), partition=i % 4) for i in range(n * 500, n * 500 + 500)])
            time.sleep(dice.uniform(0.2, 0.6))
            if n == 4:
                k.kill()
                time.sleep(1)
                k.start()
            elif n % 3 == 0:
                proxy.toxic("limit_data", bytes=dice.randrange(100, 20000))
            elif n % 3 == 1:
                proxy.enable(False)
            else:
                proxy.toxic("timeout", stream="upstream", timeout=0)
            time.sleep(dice.uniform(0.5, 1.5))
            proxy.clear()
            proxy.enable(True)
        good = eventually(lambda: os.path.exists(f.at("table", "_delta_log")) and f.rows()[0] >= 4000, 60)
        ok(good and f.rows() == (4000, 4000) and p.poll() is None, "links cut and the broker killed: each row once, without a restart") or note((f.table(), p.poll(), f.log("r.ini.log")[-2000:]))
        stop(p)


with services.kafka(version=VERSION) as broker:
    for part in (ways, verbs, cuts):
        part(broker)
end()
