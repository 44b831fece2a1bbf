#!/usr/bin/env python3
"""Whole pipelines that follow files: rotation by rename and by copytruncate, removal, files that come later, SIGKILL in between. Every line once.
SPDX-License-Identifier: Apache-2.0"""
import gzip, os, random, shutil, signal, subprocess, tempfile, time

TOP = os.environ.get("top_builddir", ".")
n_run = 0


def ok(good, what):
    global n_run
    n_run += 1
    print(f"{'ok' if good else 'not ok'} {n_run} - {what}", flush=True)


class Pipeline:
    def __init__(self, name, path, extra=""):
        self.dir = tempfile.mkdtemp(prefix="penstock-follow-")
        self.out, self.log, self.ini = (os.path.join(self.dir, f) for f in ("out.jsonl", "log", "p.ini"))
        self.process, self.sent = None, []
        with open(self.ini, "w") as f:
            f.write(f"[pipeline]\nname = {name}\nstate = {self.dir}/state\ncommit_interval = 20ms\n[source in]\nplugin = file\npath = {self.at(path)}\n"
                    f"follow = yes\npoll = 5ms\n{extra}\n[sink out]\nplugin = file\ninput = in\npath = {self.out}\nfsync = no\n")

    def at(self, name):
        return os.path.join(self.dir, name)

    def start(self):
        self.process = subprocess.Popen([os.path.join(TOP, "core/penstock"), "run", self.ini], stdout=subprocess.DEVNULL, stderr=open(self.log, "a"))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def write(self, name, n=1, end="\n"):
        """n lines of their own to a file, appended as a log writer does."""
        with open(self.at(name), "a") as f:
            for _ in range(n):
                line = '{"line":%d,"padding":"%s"}' % (len(self.sent), "x" * 60)
                f.write(line + end)
                self.sent.append(line)

    def lines(self):
        try:
            with open(self.out) as f:
                return f.read().split("\n")[:-1]
        except FileNotFoundError:
            return []

    def settled(self, seconds=30):
        """Waits until every line sent has come out, or more than that, or the process has ended."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and len(self.lines()) < len(self.sent) and self.process.poll() is None:
            time.sleep(0.005)
        return sorted(self.lines()) == sorted(self.sent)

    def stop(self):
        """SIGTERM, and whether it ended well; what has come out by then is final."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30) == 0

    def finish(self, what):
        good = self.settled() and self.stop() and sorted(self.lines()) == sorted(self.sent)
        ok(good, what)
        if not good:
            if self.process.poll() is None:
                self.kill()
            got, want = self.lines(), self.sent
            print(f"# {len(got)} lines, {len(want)} sent, lost {sorted(set(want) - set(got))[:3]}, twice {sorted(x for x in set(got) if got.count(x) > 1)[:3]}")
            print("".join("# " + line for line in open(self.log)), end="")
        shutil.rmtree(self.dir)


for killed in (False, True):
    when = ", killed in between" if killed else ""

    # Rotation by rename: the writer goes on with the old file for a while, then with a new one.
    for path in ("app.log", "app.log*"):
        p = Pipeline("rename", path)
        p.write("app.log", 10)
        p.start()
        for turn in range(6):
            p.write("app.log", 5)
            if path == "app.log" or turn % 2:
                p.settled()  # what is renamed before it was ever seen can be found by a pattern alone
            if killed:
                p.kill()
            for k in (3, 2, 1):
                if os.path.exists(p.at(f"app.log.{k}")):
                    os.rename(p.at(f"app.log.{k}"), p.at(f"app.log.{k + 1}"))
            os.rename(p.at("app.log"), p.at("app.log.1"))
            p.write("app.log.1", 3)
            p.write("app.log", 4)
            if killed:
                p.start()
            if turn % 3 == 0:
                p.settled()
        p.finish(f"path = {path}, rotated by rename{when}: every line once")

    # copytruncate: the copy lies outside the path, the file is emptied and written anew.
    p = Pipeline("copytruncate", "app.log")
    p.write("app.log", 20)
    p.start()
    good = True
    for turn in range(5):
        good = good and p.settled()
        if killed:
            p.kill()
        shutil.copy(p.at("app.log"), p.at("old.log"))
        os.truncate(p.at("app.log"), 0)
        p.write("app.log", 3 + 9 * (turn % 2 == 1) + 20 * (turn == 4))
        if killed:
            p.start()
    good = good and p.settled()
    ok(killed or open(p.log).read().count("truncated after byte") == 5, f"copytruncate{when}: one warning each time")
    p.finish(f"copytruncate{when}: every line once")

    # Files that come later, one that is removed once it is read, half a line at the end.
    p = Pipeline("later", "logs")
    os.mkdir(p.at("logs"))
    p.start()
    for turn in range(8):
        p.write(f"logs/{turn}.jsonl", 50)
        p.write("logs/0.jsonl", 2)
        if killed and turn % 3 == 1:
            p.kill()
            p.start()
        if turn == 4:
            p.settled()
            os.remove(p.at("logs/2.jsonl"))
        with open(p.at("logs/1.jsonl"), "a") as f:
            f.write(" ")  # the beginning of a line; it is not to come before its end
    with open(p.at("logs/1.jsonl"), "a") as f:
        f.write('{"end":1}\n')
    p.sent.append(" " * 8 + '{"end":1}')
    p.sent = [s.strip() for s in p.sent]
    whole = p.lines
    p.lines = lambda: [s.strip() for s in whole()]
    p.finish(f"files that come later, and one removed{when}: every line once")

# Removed while it is read: its descriptor is kept.
p = Pipeline("removed", "app.log", "rate = 2000/s")
p.write("app.log", 1000)
p.start()
until = time.monotonic() + 30
while not p.lines() and time.monotonic() < until:
    time.sleep(0.005)
os.remove(p.at("app.log"))
ok(0 < len(p.lines()) < 1000, f"{len(p.lines())} of 1000 lines were read when the file was removed")
p.finish("removed while it is read: every line once")

# Cut off, and begins as before: the run stops and says what to do; with the lines put back it goes on.
p = Pipeline("cut", "app.log")
p.write("app.log", 50)
p.start()
p.settled()
shutil.copy(p.at("app.log"), p.at("saved"))
os.truncate(p.at("app.log"), 1000)
try:
    status = p.process.wait(timeout=30)
except subprocess.TimeoutExpired:
    status = None
said = [line for line in open(p.log) if "app.log" in line]
ok(status == 1 and len(said) == 1 and "app.log: read to byte " in said[0] and "1000 bytes long now" in said[0] and "Put them back" in said[0],
   f"cut off while followed: one line with file, offset and what to do: {said}")
p.start()
ok(p.process.wait(timeout=30) == 1 and "it was truncated; put the lines back" in open(p.log).read(), "and the next start says the same")
shutil.copy(p.at("saved"), p.at("app.log"))
p.start()
p.write("app.log", 5)
p.finish("with the lines put back it goes on: every line once")

print(f"1..{n_run}")
