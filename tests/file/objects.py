#!/usr/bin/env python3
"""Whole pipelines that read objects of a store as files: an archive's keys in their order, once each over several runs, and changed and new ones.
SPDX-License-Identifier: Apache-2.0"""
import gzip, os, subprocess, sys, tempfile

TOP = os.environ.get("top_builddir", ".")
sys.path.insert(0, os.path.join(os.environ.get("top_srcdir", "."), "tests", "services"))
import services

n_run = 0


def ok(good, what, log=""):
    global n_run
    n_run += 1
    print(f"{'ok' if good else 'not ok'} {n_run} - {what}", flush=True)
    if not good:
        print("".join("# " + line + "\n" for line in log.splitlines()), end="", flush=True)


class Pipeline:
    def __init__(self, server, folder, path, extra=""):
        self.out, self.ini = os.path.join(folder, "out.jsonl"), os.path.join(folder, "p.ini")
        self.server, self.log = server, ""
        with open(self.ini, "w") as f:
            f.write(f"[pipeline]\nname = objects\nstate = {folder}/state\nlanes = 1\n[defaults s3]\nendpoint = {server.endpoint}\nregion = {server.region}\n"
                    f"access_key = {server.access_key}\nsecret_key = {server.secret_key}\n[source in]\nplugin = file\npath = {path}\n{extra}\n"
                    f"[sink out]\nplugin = file\ninput = in\npath = {self.out}\nfsync = no\n")

    def run(self, *more):
        done = subprocess.run([os.path.join(TOP, "core/penstock"), "run", self.ini, "--until-end", *more], capture_output=True, text=True, timeout=120)
        self.log = done.stderr
        return done.returncode

    def lines(self):
        try:
            return open(self.out).read().splitlines()
        except FileNotFoundError:
            return []


def line(n):
    return '{"n":%d,"text":"%s"}' % (n, "x" * (n % 50))


def put(server, key, numbers, pack=lambda b: b):
    status, _, _ = server.call("PUT", "/lake/" + key, pack(("\n".join(line(n) for n in numbers) + "\n").encode()))
    assert status == 200, status


def archive(server, folder):
    for p in range(2):
        for at in range(0, 1000, 100):
            put(server, f"topics/pin/partition%3D{p}/pin%2B{p}%2B{at:010d}.json", range(p * 1000 + at, p * 1000 + at + 100))
    put(server, "topics/pin/partition%3D0/_SUCCESS", range(9990, 9991))
    put(server, "topics/other/partition%3D0/other%2B0%2B0000000000.json", range(8000, 8001))
    p = Pipeline(server, folder, "s3://lake/topics/pin/partition=*/*.json")
    ok(p.run() == 0 and p.lines() == [line(n) for n in range(2000)], "an archive comes in the order of its offsets", p.log)
    ok(p.run() == 0 and len(p.lines()) == 2000, "and comes once", p.log)
    put(server, "topics/pin/partition%3D0/pin%2B0%2B0000001000.json", range(5000, 5100))
    ok(p.run() == 0 and p.lines()[2000:] == [line(n) for n in range(5000, 5100)], "a new object is read, and no other", p.log)
    put(server, "topics/pin/partition%3D0/pin%2B0%2B0000001000.json", range(6000, 6100))
    ok(p.run() == 0 and p.lines()[2100:] == [line(n) for n in range(6000, 6100)], "one that was put anew is another", p.log)


def kinds(server, folder):
    put(server, "kinds/a.jsonl", range(200000))  # more than one request's worth
    put(server, "kinds/deeper/b.json.gz", range(200000, 200500), gzip.compress)
    put(server, "kinds/deeper/.hidden.json", range(1))
    put(server, "kinds/_delta_log/x.json", range(1))
    p = Pipeline(server, folder, "s3://lake/kinds")
    ok(p.run() == 0 and sorted(p.lines()) == sorted(line(n) for n in range(200500)), "a folder: whole objects, packed ones too, none that is hidden", p.log)
    p = Pipeline(server, os.path.join(folder, "one"), "s3://lake/kinds/a.jsonl")
    ok(p.run() == 0 and len(p.lines()) == 200000, "one object by its name", p.log)


def mistakes(server, folder):
    p = Pipeline(server, folder, "s3://lake/nothing/there")
    ok(p.run() == 1 and "s3://lake/nothing/there" in p.log, "what is not there is named", p.log)
    p = Pipeline(server, os.path.join(folder, "pattern"), "s3://lake/nothing/*.json")
    ok(p.run() == 0 and p.lines() == [], "a pattern may lead to nothing yet", p.log)


def main():
    why = services.missing("versitygw")
    if why or not os.path.exists(os.path.join(TOP, "plugins/s3/.libs/s3.so")):
        print("1..0 # SKIP " + (why or "the plugin s3 is not built"))
        return
    with services.versitygw() as server, tempfile.TemporaryDirectory(prefix="penstock-objects-") as folder:
        server.create_bucket("lake")
        for part in (archive, kinds, mistakes):
            mine = os.path.join(folder, part.__name__)
            for sub in ("", "one", "pattern"):
                os.makedirs(os.path.join(mine, sub), exist_ok=True)
            part(server, mine)
    print(f"1..{n_run}")


main()
