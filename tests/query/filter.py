#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""penstock filter: rows out as the rules give them, dead letters to standard error, and what it refuses."""
import json
import os
import signal
import subprocess
import sys
import tempfile

TOP = os.environ["top_srcdir"]
PENSTOCK = os.path.join(os.environ["top_builddir"], "core", "penstock")
SHARED = os.path.join(TOP, "..", "shared", "data", "pinterest")
sys.path.insert(0, os.path.join(TOP, "tests", "pinterest"))
sys.dont_write_bytecode = True
import reference

tests = failed = 0


def ok(good, what, *notes):
    global tests, failed
    tests += 1
    failed += not good
    print("%sok %d - %s" % ("" if good else "not ", tests, what))
    for note in notes if not good else ():
        print("# %s" % (str(note)[:2000],))


def skip(what, why):
    global tests
    tests += 1
    print("ok %d - %s # SKIP %s" % (tests, what, why))


PIPELINE = """[pipeline]
name = filtered
state = %(folder)s/state

[source posts]
plugin = file
path = %(folder)s/posts.jsonl

[transform clean]
plugin = pin
input = posts

[transform places]
plugin = geo
input = posts
"""


def run(folder, data, *arguments, text=PIPELINE):
    path = os.path.join(folder, "pipeline.ini")
    with open(path, "w") as f:
        f.write(text % {"folder": folder})
    return subprocess.run([PENSTOCK, "filter", *arguments, path], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)


def rows(out):
    return [json.loads(line) for line in out.decode().split("\n") if line]


def cleaned(folder, kind, stage, data, what):
    got = run(folder, data, "--stage", stage)
    want, dead = reference.clean(kind, data)
    letters = rows(got.stderr)
    found = [{k: v for k, v in row.items() if k not in ("timestamp", "date_joined")} for row in rows(got.stdout)]
    expected = [{k: v for k, v in row.items() if k not in ("timestamp", "date_joined")} for row in want]
    at = next((i for i, (a, b) in enumerate(zip(found, expected)) if a != b), min(len(found), len(expected)))
    ok(got.returncode == 0 and found == expected, "%s: %d rows" % (what, len(want)), got.stderr, at, found[at:at + 1], expected[at:at + 1])
    ok([l["position"] for l in letters] == [d[1] for d in dead] and all(l["stage"] == stage and l["reason"] for l in letters),
       "%s: %d dead letters with their positions" % (what, len(dead)), letters[:3], dead[:3])


HARD = (b'{"index": 1, "title": "a"}\n\n  \nnot json\n{"title": "no index"}\n{"index": "x"}\n{"index": 2, "category": "\xff"}\n[1]\n'
        b'{"index": 3, "follower_count": "1.2k"}\r\n{"index": 4}')


def main():
    with tempfile.TemporaryDirectory() as folder:
        cleaned(folder, "pin", "clean", HARD, "hard lines")
        cleaned(folder, "pin", "clean", b"", "nothing")
        for kind, stage in (("pin", "clean"), ("geo", "places")):
            path = os.path.join(SHARED, kind + ".jsonl")
            if os.path.exists(path):
                with open(path, "rb") as f:
                    cleaned(folder, kind, stage, f.read(), "real rows of " + kind)
            else:
                skip("real rows of " + kind, "%s is not there" % path)
        long = b'{"index": 1, "title": "' + b"x" * 3000000 + b'"}\n{"index": 2}\n'
        got = run(folder, long, "--stage", "clean", "--set", "pipeline.max_record=1MiB")
        letter = rows(got.stderr)
        ok([r["ind"] for r in rows(got.stdout)] == [2] and len(letter) == 1 and letter[0]["length"] == long.index(b"\n") and len(letter[0]["record"]) == 65536,
           "a record that is too long is one dead letter, the next goes on", got.stderr[:300], got.stdout[:300])
        got = run(folder, HARD, "--stage", "clean", "--set", "pipeline.max_errors=2")
        ok(got.returncode == 1 and b"max_errors allows 2" in got.stderr, "max_errors stops it with status 1", got.stderr)
        got = run(folder, HARD)
        ok(got.returncode == 2 and b"clean, places" in got.stderr and got.stdout == b"", "two chains: it asks which", got.stderr)
        got = run(folder, HARD, "--stage", "cleen")
        ok(got.returncode == 2 and b"cleen" in got.stderr, "a stage that is not there is refused", got.stderr)
        got = run(folder, HARD, text=PIPELINE.replace("plugin = pin", "plugin = pin\nfollwers = 3"))
        ok(got.returncode == 2 and b"follwers" in got.stderr, "a mistake in the file is refused as check does", got.stderr)
        lines = b'{"index": 1, "title": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}\n' * 200000
        run(folder, b"", "--stage", "clean")
        reader = subprocess.Popen([PENSTOCK, "filter", "--stage", "clean", os.path.join(folder, "pipeline.ini")], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        reader.stdout.close()
        try:
            reader.stdin.write(lines)
            reader.stdin.close()
        except BrokenPipeError:
            pass
        said = reader.stderr.read()
        ok(reader.wait(60) == -signal.SIGPIPE and said == b"", "it ends without a word when its reader has gone", reader.returncode, said)
        slow = subprocess.Popen([PENSTOCK, "filter", "--stage", "clean", os.path.join(folder, "pipeline.ini")], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE)
        slow.stdin.write(b'{"index": 5}\n')
        slow.stdin.flush()
        ok(json.loads(slow.stdout.readline())["ind"] == 5, "a row comes out before the input ends")
        slow.stdin.close()
        ok(slow.wait(60) == 0, "and the end is the end")
    print("1..%d" % tests)
    return failed > 0


if __name__ == "__main__":
    plugins = os.environ.get("PLUGINS_BUILT", "file pin geo").split()
    if not {"file", "pin", "geo"} <= set(plugins):
        print("1..0 # SKIP needs the plugins file, pin and geo")
        sys.exit(0)
    sys.exit(main())
