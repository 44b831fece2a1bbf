#!/usr/bin/env python3
"""The archive of messages: names as Kafka Connect's S3 sink gives them, exact counts, kills at each step, lost answers, and the way back.
SPDX-License-Identifier: Apache-2.0"""
import gzip, os, random, re, sys, tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import archives
from archives import ok, services


class Archive(archives.Archive):
    def objects(self):  # versitygw keeps objects as files
        root = os.path.join(self.server.dir, "data", self.name)
        found = {}
        for where, _, names in os.walk(root):
            for name in names:
                key = os.path.relpath(os.path.join(where, name), root)
                if key.startswith("topics/") and "/." not in key:  # a probe that a kill left behind is no object of the archive
                    found[key] = open(os.path.join(where, name), "rb").read()
        return found

    def rows(self):
        """Messages by partition in the order of their objects, and whether names say where each begins."""
        parts, good = {}, True
        for key in sorted(self.objects()):
            m = re.fullmatch(r"topics/log/partition=(\d)/log\+(\d)\+(\d{10})\.json(\.gz)?", key)
            body = self.objects()[key]
            lines = (gzip.decompress(body) if key.endswith(".gz") else body).decode().splitlines()
            mine = parts.setdefault(m.group(1), []) if m else []
            good = good and m and m.group(1) == m.group(2) and int(m.group(3)) == len(mine)
            mine += lines
        return [line for part in sorted(parts) for line in parts[part]], good

    def complete(self):
        rows, good = self.rows()
        return good and sorted(rows) == sorted(self.sent)


def layout(server, folder):
    a = Archive(server, folder, "layout")
    a.write(3000)
    ok(a.run() == 0 and a.complete(), "names have topic, partition and first offset; each message once", a.log)
    before = a.objects()
    ok(a.run() == 0 and a.objects() == before, "nothing new, nothing written", a.log)
    a.write(500)
    ok(a.run() == 0 and a.complete(), "goes on behind the last object", a.log)
    a.forget_state()
    a.write(200)
    ok(a.run() == 0 and a.complete(), "without what its state remembers it goes on where the objects end", a.log)


def expired(server, folder):
    a = Archive(server, folder, "expired")
    a.write(1000)
    a.run()
    gone = len(a.rows()[0])
    for key in list(a.objects()):
        server.call("DELETE", "/expired/" + key.replace("+", "%2B").replace("=", "%3D"))
    a.write(300)
    good = a.run() == 0
    firsts = sorted(int(re.search(r"\+(\d{10})\.", key).group(1)) for key in a.objects())
    rows = [line for body in a.objects().values() for line in body.decode().splitlines()]
    ok(good and gone == 1000 and firsts and min(firsts) > 0 and sorted(rows) == sorted(a.sent[1000:]), "objects that have expired are not archived anew", a.log)


def exact(server, folder):
    a = Archive(server, folder, "exact", "records = 250\ncompression = gzip")
    a.write(2100)
    a.run()
    sizes = [len(gzip.decompress(b).splitlines()) for b in a.objects().values()]
    ok(a.complete() and set(sizes) - {250} and sizes.count(250) >= 6, "records = 250: full objects, and what is left at the end of --until-end", (sizes, a.log))


def kills(server, folder):
    a = Archive(server, folder, "kills", "records = 150", "commit_rows = 300")
    rng = random.Random(int(os.environ.get("SEED", "7")))
    for _ in range(12):
        a.write(400)
        a.kill_after(rng.uniform(0.02, 0.6))
    ok(a.run() == 0 and a.complete(), "killed at random: each message once", a.log)


def failpoints(server, folder):
    a = Archive(server, folder, "points", "", "commit_rows = 300")
    a.write(900)
    if a.run("archive.before-put=exit@1") == 0:
        ok(True, "killed before and after a put # SKIP this build has no failpoints")
        return
    for point in ("archive.before-put=exit@2", "archive.after-put=exit@1", "archive.after-put=exit@3"):
        a.write(900)
        a.run(point)
    ok(a.run() == 0 and a.complete(), "killed before and after a put: each message once", a.log)


def taken(server, folder):
    a = Archive(server, folder, "taken")
    a.write(100)
    server.call("PUT", "/taken/topics/log/partition%3D0/log%2B0%2B0000000000.json", b"{}\n")
    ok(a.run() == 1 and "penstock-end" in a.log, "a foreign object is named, not written over", a.log)


archives.need("versitygw")
with services.versitygw() as server, tempfile.TemporaryDirectory(prefix="penstock-archive-") as folder:
    for part in (layout, expired, exact, kills, failpoints, taken):
        part(server, folder)
archives.done()
