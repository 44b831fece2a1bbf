#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The store against real servers, one after the other: MinIO, MinIO over TLS, versitygw. store_check says what is looked at."""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.environ["top_srcdir"], "tests", "services"))
import services

CHECK = os.path.join(os.environ["top_builddir"], "tests", "s3", "store_check")
run = bad = 0


def relay(what, server):
    global run, bad
    done = subprocess.run([CHECK, "s3://lake/some folder/é"], env=dict(os.environ, **server.variables()), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=500, check=False)
    for line in done.stdout.splitlines():
        found = re.match(r"(not )?ok \d+ (.*)", line)
        if found:
            run += 1
            bad += bool(found.group(1))
            print("%sok %d %s: %s" % (found.group(1) or "", run, what, found.group(2)[2:]))
        elif not line.startswith("1.."):
            print("# " + line.lstrip("# "))
    if done.returncode not in (0, 1) or "1.." not in done.stdout:
        run += 1
        bad += 1
        print("not ok %d - %s: store_check ended with %d" % (run, what, done.returncode))


def old_probes(server):
    """Two, as runs leave them that are killed while they prove their store; {path of its file: whether it is to stay}."""
    found = {}
    for number, age in enumerate((7200, 0)):
        name = ".penstock-probe-%016x" % number
        server.call("PUT", "/lake/some%20folder/%C3%A9/" + name, b"first")
        path = server.path("data", "lake", "some folder", "é", name)
        os.utime(path, (time.time() - age,) * 2)
        found[path] = not age
    return found


for what, name, options in (("MinIO", "minio", {}), ("MinIO over TLS", "minio", {"tls": True}), ("versitygw", "versitygw", {})):
    missing = services.missing(name)
    if missing:
        run += 1
        print("ok %d - %s # SKIP %s" % (run, what, missing))
        continue
    with services.ALL[name](**options) as server:
        server.create_bucket("lake")
        probes = old_probes(server) if name == "versitygw" else {}
        relay(what, server)
        for probe, stays in probes.items():
            run += 1
            good = os.path.exists(probe) == stays
            bad += not good
            print("%sok %d %s: a probe that a killed run left behind is %s" % ("" if good else "not ", run, what, "kept while it is new" if stays else "removed"))
print("1..%d" % run)
sys.exit(bad > 0)
