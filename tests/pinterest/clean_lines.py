#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The decoder and the cleaners against the reference, row by row: real rows, dirty ones, and JSON that is hard to read."""
import os
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import compare

SHARED = os.path.join(os.environ["top_srcdir"], "..", "shared")
PROGRAM = os.path.join(os.environ["top_builddir"], "tests", "pinterest", "clean_lines")
SEEDS = os.environ.get("PINTEREST_SEEDS", "1 2 3").split()
ROWS = os.environ.get("PINTEREST_ROWS", "5000")
tests = failed = 0


def report(what, problems):
    global tests, failed
    tests += 1
    failed += bool(problems)
    print("%sok %d - %s" % ("not " if problems else "", tests, what))
    for line in problems:
        print("# " + line)


def check(kind, path, what, batch=1024, decoder=None):
    """One file through the program and through the reference."""
    with tempfile.TemporaryDirectory() as folder:
        out, refused = os.path.join(folder, "out.jsonl"), os.path.join(folder, "refused")
        run = subprocess.run([PROGRAM, kind, path, out, refused, str(batch)], stderr=subprocess.PIPE,
                             env=dict(os.environ, **({"PENSTOCK_JSON": decoder} if decoder else {})))
        if run.returncode != 0:
            return report(what, ["clean_lines ends with %d: %s" % (run.returncode, run.stderr.decode(errors="replace")[:500])])
        with open(path, "rb") as f:
            expected = compare.Expected(kind, f.read())
        problems = expected.differences(out)
        with open(refused) as f:
            problems += compare.differences((at for at, _ in expected.dead.elements()), map(int, f), "refused offsets")
        report("%s: %d rows, %d refused" % (what, sum(expected.rows.values()), sum(expected.dead.values())), problems)


HARD = [
    b'{"K":5}', b'{"K": 5}', b'{"K":\t 5, "age":1}', b'{"K":5,"age":2}', b'{"K":5,"age": 2}', b'{"K":5,', b'{"K":5, "age": 3}',
    b'{"K": 1}', b' {"K" : 1 } ', b'{"K":1}\r', b"\t", b"\r", b"", b"{}", b"[]", b'"K"', b"null", b'{"K":1}{"K":2}', b'{"K":1},', b'{"K":1,}',
    b'{"K":1 "a":2}', b'{"K" 1}', b"{'K':1}", b'{K:1}', b'{"K":+1}', b'{"K":01}', b'{"K":1.}', b'{"K":.1}', b'{"K":1e}', b'{"K":-}', b'{"K":--1}',
    b'{"K":1,"a":nul}', b'{"K":1,"a":True}', b'{"K":1,"a":Infinity}', b'{"K":1,"a":-Infinity}', b'{"K":1,"a":"\\u12g4"}', b'{"K":1,"a":"\\u12"}',
    b'{"K":1,"a":"\\a"}', b'{"K":1,"a":"\x01"}', b'{"K":1,"a":"\x7f"}', b'{"K":1,"a":"\x00"}', b'{"K":1,"a":"\xc0\x80"}', b'{"K":1,"a":"\xed\xa0\x80"}',
    b'{"K":1,"a":"\xf4\x90\x80\x80"}', b'{"K":1,"a":"\xf0\x9f\x98\x80"}', b'{"K":1,"\xff":1}', b'{"K":1}\xff', b'\xef\xbb\xbf{"K":1}',
    b'{"K":1,"a":[1,2,]}', b'{"K":1,"a":[1 2]}', b'{"K":1,"a":{"b":1,}}', b'{"K":1,"a":{"b"}}', b'{"K":1,"a":[}', b'{"K":1,"a":]}', b'{"K":1', b'{"K":1,"a":"',
    b'{"K":1,"a":"x\\"}', b'{"K":1,"a":1e400}', b'{"K":1,"a":123456789012345678901234567890}', b'{"K":"1","K":2}', b'{"K":2,"K":null}',
    b'{"\\u004b":3,"x":0}', b'{"K":1,"a":' + b"[" * 511 + b"]" * 511 + b"}", b'{"K":1,"a":' + b"[" * 512 + b"]" * 512 + b"}",
    b'{"K":1,"a":' + b'{"a":' * 511 + b"1" + b"}" * 511 + b"}", b'{"K":1,"a":' + b'{"a":' * 512 + b"1" + b"}" * 512 + b"}", b"[" * 100000,
    b'{"K":1,"title":"\\ud83d","description":"\\ude00\\ud83d","category":"\\ud83d\\u0041","poster_name":"\\ud83d\\ude00","country":"\\ud83dx"}',
    b'{"K":1,"title":1.50,"description":[ 1 , "a\\n" ],"category":{"a" : {} },"poster_name":false,"country":-0.0e-0,"first_name":1E5,"last_name":[]}',
    b'{"K":1,"title":"a","title":null,"category":null,"category":"b","country":"x","country":"y","age":1,"age":"x","latitude":"x","latitude":2,"longitude":3}',
    b'{"K":1,"title":"\\"\\\\\\/\\b\\f\\n\\r\\t","country":"\\u0000"}', b'{"K":1,"ti\\u0074le":"escaped name","title\\u0000":"other"}',
    b'{"K":1,"":1,"":{}}', b'{"K":-0.0}', b'{"K":1e0,"a":1}', b'{"K":10e-1}', b'{"K":1.0000000000000000000000000000001}', b'{"K":1e-400}', b'{"K":0e400}',
    b'{"K":2147483647}', b'{"K":2147483648}', b'{"K":21474836470e-1}', b'{"K":-2147483648.0}', b'{"K":1,"age":20.0,"latitude":1e308,"longitude":-1e308}',
    b'{"K":1,"age":1e1,"latitude":1e309,"longitude":1}', b'{"K":1,"a":"' + b"x" * 100000 + b'","title":"after a long one"}',
    b'{"K":1,"title":"' + b"\\u00e9" * 5000 + b'"}', b'{"K":1,"title":"' + "é".encode() * 5000 + b'"}',
]


PIECES = [
    b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b" ", b"\t", b"\r", b"0", b"-", b"1", b".", b"e", b"E5", b"+", b"null",
    b"true", b"\\u00e9", b"\\ud83d", b"\\ude00", b"\\n", b"\xc3", b"\xa9", b"\xf0\x9f\x98\x80", b"\x00", b"\x7f",
    b'"index": 5', b'"ind": 5', b'""', b'"User Info Error"', b"124k", b"1.2M", b"Z", b"+01:00", b".123456789",
    b"02/29/2020, 10:11:12", b"2147483648", b"1e400", b'"title": {"a": [1, 2]}', b'"age": "20"', b" \\u0020",
    b"Local save in ",
]


def mutated(rng, line):
    """A line with a few bytes taken out, doubled or put in."""
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(line) + 1)
        what = rng.randrange(4)
        if what == 0:
            line = line[:at] + line[at + rng.randrange(1, 8):]
        elif what == 1:
            line = line[:at] + rng.choice(PIECES) + line[at:]
        elif what == 2:
            line = line[:at] + rng.choice(PIECES) + line[at + rng.randrange(1, 8):]
        else:
            end = rng.randrange(at, min(len(line), at + 60) + 1)
            line = line[:end] + line[at:end] + line[end:]
    return line.replace(b"\n", b"")


def check_mutated(kind, source, folder, seed):
    with open(source, "rb") as f:
        lines = f.read().splitlines()
    rng = random.Random("%s %s" % (kind, seed))
    path = os.path.join(folder, "mutated")
    with open(path, "wb") as f:
        f.write(b"\n".join(mutated(rng, rng.choice(lines)) for _ in range(int(ROWS))))
    for decoder in (None, "portable"):
        check(kind, path, "%s, mutated rows of seed %s%s" % (kind, seed, ", the portable decoder" if decoder else ""), decoder=decoder)


def main():
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("pin", "geo", "user"):
            path = os.path.join(folder, "hard")
            name = b"index" if kind == "pin" else b"ind"
            with open(path, "wb") as f:
                f.write(b"\n".join(line.replace(b'"K"', b'"%s"' % name).replace(b"\\u004b", b"\\u0069" + name[1:]) for line in HARD))
            for batch in (1, 7, 1000):
                check(kind, path, "%s, %d hard lines, batches of %d" % (kind, len(HARD), batch), batch)
            check(kind, path, "%s, %d hard lines, the portable decoder" % (kind, len(HARD)), decoder="portable")
        data = os.path.join(SHARED, "data", "pinterest")
        for kind, name in (("pin", "pin"), ("pin", "pin_11field"), ("geo", "geo"), ("user", "user")):
            path = os.path.join(data, name + ".jsonl")
            if os.path.exists(path):
                check(kind, path, "%s, real rows of %s.jsonl" % (kind, name))
                for seed in SEEDS:
                    check_mutated(kind, path, folder, seed)
            else:
                report("%s, real rows # SKIP ../shared/data/pinterest is not there" % kind, [])
        make_posts = os.path.join(SHARED, "tools", "make_posts.py")
        for seed in SEEDS:
            if not os.path.exists(make_posts):
                report("dirty posts of seed %s # SKIP ../shared/tools is not there" % seed, [])
                continue
            subprocess.run([sys.executable, make_posts, ROWS, folder, "--seed", seed, "--dirty", "0.05"], check=True)
            for kind in ("pin", "geo", "user"):
                check(kind, os.path.join(folder, kind + ".jsonl"), "%s, dirty rows of seed %s" % (kind, seed))
    print("1..%d" % tests)
    sys.exit(failed > 0)


main()
