#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Case 17 of doc/commits.md: power loss between a publish and the data reaching the disk. power.c notes what penstock syncs; here the process is killed at a
random call that changes something, and of all that was not synced chance keeps some: names, whole files, sectors. What is left is the disk on which the same
command goes on: after some such losses every row must be in the table once, and every broken record once among the dead letters.

CUTS (default 24) is how many losses each way goes through.
"""
import json
import os
import re
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import faults
from faults import Expected, Work, ok, posts

faults.need("file", "journal", "pin", "delta", "parquet")
LIBRARY = os.path.join(faults.BUILD, "tests", "faults", ".libs", "power.so")
CUTS = int(os.environ.get("CUTS", "24"))
SECTOR = 512
rng = faults.seed()
lines = posts(500, 0.03, rng)
expected = Expected(lines)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)


class Disk:
    """What is on the disk for certain of the folder `root`: power.c's notes, and what lay there to begin with."""

    def __init__(self, root):
        self.root = root
        self.notes = tempfile.mkdtemp(prefix="penstock-power-", dir=os.path.dirname(root))
        self.begin()

    def begin(self):
        """All that is there is on the disk."""
        shutil.rmtree(self.notes)
        for kind in ("data", "names", "keep", "new"):
            os.makedirs(os.path.join(self.notes, kind))
        for where, folders, files in os.walk(self.root):
            listing = ["%d %s %s\n" % (os.stat(os.path.join(where, n)).st_ino, kind, n) for kind, names in (("d", folders), ("f", files)) for n in names]
            write(self.note("names", os.stat(where).st_ino), "".join(listing).encode())
            for name in files:
                path = os.path.join(where, name)
                inode = os.stat(path).st_ino
                if not os.path.exists(self.note("keep", inode)):  # a second name of a file: power was lost between a link and the old name's end
                    shutil.copyfile(path, self.note("data", inode))
                    os.link(path, self.note("keep", inode))

    def note(self, kind, inode):
        return os.path.join(self.notes, kind, str(inode))

    def env(self, at=0, log=None):
        more = {"POWER_LOG": log} if log else {}
        return dict(LD_PRELOAD=LIBRARY, POWER_ROOT=self.root, POWER_DISK=self.notes, POWER_AT=str(at), **more)

    def cut(self):
        """Power is lost, and comes back."""
        after = self.root + ".after"
        self.folder(os.stat(self.root).st_ino, self.root, after)
        shutil.rmtree(self.root)
        os.rename(after, self.root)
        self.begin()

    def folder(self, inode, live_path, to):
        synced, live = {}, {}
        if os.path.exists(self.note("names", inode)):
            for line in read(self.note("names", inode)).decode().splitlines():
                number, kind, name = line.split(" ", 2)
                synced[name] = (int(number), kind)
        if live_path:
            live = {e.name: (e.stat(follow_symlinks=False).st_ino, "d" if e.is_dir() else "f") for e in os.scandir(live_path)}
        os.mkdir(to)
        for name, (number, kind) in rng.choice([self.mixed, lambda s, _: s, lambda _, v: v])(synced, live).items():
            path = os.path.join(live_path, name) if live_path and live.get(name) == (number, kind) else None
            if kind == "d":
                self.folder(number, path, os.path.join(to, name))
            else:
                self.file(number, path or self.note("keep", number), os.path.join(to, name))

    @staticmethod
    def mixed(synced, live):
        """Each file under its old names or its new ones; a rename that replaces another file is done or not."""
        out = {}
        late = {number: rng.random() < 0.5 for number, _ in [*synced.values(), *live.values()]}
        for name, entry in live.items():
            if late[entry[0]]:
                out[name] = entry
        for name, entry in synced.items():
            if name not in out and (not late[entry[0]] or name in live):
                out[name] = entry
        return out

    def file(self, inode, live_path, to):
        old = read(self.note("data", inode)) if os.path.exists(self.note("data", inode)) else b""
        new = read(live_path) if os.path.exists(live_path) else old
        content = rng.choice([lambda a, _: a, lambda _, b: b, self.sectors])(old, new)
        if content == new and os.path.exists(live_path):
            os.link(live_path, to)  # the same file still
        else:
            write(to, content)

    @staticmethod
    def sectors(old, new):
        size = rng.randint(min(len(old), len(new)), max(len(old), len(new)))
        out = bytearray(size)
        for at in range(0, size, SECTOR):
            part = rng.choice([old, new])[at:min(at + SECTOR, size)]
            out[at:at + len(part)] = part
        return bytes(out)

    def close(self):
        shutil.rmtree(self.notes, ignore_errors=True)


def new_work(way):
    w = Work(lines, sink=way.split("-")[-1], via="journal" if "-" in way else None, files=5, expected=expected, settings="commit_rows = 60\n",
             source="range_size = 20000\n", transport="segment_size = 64KiB\nretention_bytes = 512KiB\n",
             table="checkpoint_interval = 2\n" if way.endswith("delta") else "")
    return w, Disk(w.folder)


def losses(way, total):
    """One pipeline through some losses of power, with a mere kill now and then: what was wrong, and how often power was lost."""
    w, disk = new_work(way)
    cuts, story = 0, []
    with w:
        for _ in range(rng.randint(1, 4)):
            at = rng.randint(1, total)
            result = w.run(env=disk.env(at))
            if result.status not in (0, -9):
                disk.close()
                return story + ["the next run ended with %s" % result.status, result.text], cuts
            lost = rng.random() < 0.8
            story.append("%s at call %d" % ("power lost" if lost else "killed", at))
            if lost:
                disk.cut()
                cuts += 1
        wrong = w.completes()
        disk.close()
        return story + wrong if wrong else [], cuts


def way_through(way):
    w, disk = new_work(way)
    with w, tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "log")
        wrong = w.completes(env=disk.env(log=log))
        total = int(read(log).split()[-1])
        events = [line.split(" ", 2) for line in read(log).decode().splitlines()[:-1]]
        ok(not wrong, "%s: nothing fails under the preloaded library, %d calls" % (way, total), wrong)
        if way == "delta":
            order(w, events)
    disk.close()
    cuts, wrong = 0, []
    while cuts < CUTS and not wrong:
        wrong, n = losses(way, total)
        cuts += n
    ok(not wrong, "case 17: %s: power lost %d times: each row once" % (way.replace("-", " -> "), cuts), wrong)


# -- what the Delta sink syncs, and when -------------------------------------------------------------------------------------------------

def order(w, events):
    """Of each thing that a log entry names: the bytes, then the name, then the folder are on the disk before the entry has its name; the entry is, before the
    next; a checkpoint is, before _last_checkpoint says so."""
    log = os.path.join(w.table, "_delta_log")
    named = {path: (i, inode) for i, (what, inode, path) in enumerate(events) if what == "name"}

    def synced(path, after, before):
        return any(e[0] == "sync" and e[2] == path for e in events[after:before])

    def durable(path, before):
        """Whether the file was on the disk under this name before event number `before`."""
        at, inode = named.get(path, (None, None))
        return at is not None and at < before and any(e[:2] == ["sync", inode] for e in events[:at]) and synced(os.path.dirname(path), at, before)

    bad, files, checkpoints = [], 0, 0
    entries = sorted(path for path in named if re.fullmatch(re.escape(log) + r"/\d{20}\.json", path))
    for path, following in zip(entries, entries[1:] + [None]):
        at = named[path][0]
        for line in read(path).decode().splitlines():
            action = json.loads(line)
            if "add" in action:
                files += 1
                if not durable(os.path.join(w.table, action["add"]["path"]), at):
                    bad.append("%s is named by %s and was not on the disk" % (action["add"]["path"], path))
            if "txn" in action and action["txn"]["appId"].endswith("*"):
                key = action["txn"]["appId"].split("/")
                if not durable(os.path.join(w.table, "_penstock", ".".join(key[:2]), key[2], "%020d" % action["txn"]["version"]), at):
                    bad.append("%s points to an entry of the chain that was not on the disk" % path)
        if not durable(path, named[following][0] if following else len(events)):
            bad.append("%s was not on the disk before the next entry" % path)
    last = os.path.join(log, "_last_checkpoint")
    for i, (what, _, path) in enumerate(events):
        if what == "name" and path == last:
            checkpoints += 1
            before = [p for p in named if p.endswith(".checkpoint.parquet") and named[p][0] < i]
            if not before or not durable(max(before), i):
                bad.append("_last_checkpoint was written before its checkpoint was on the disk")
            if before and not durable(max(before).replace(".checkpoint.parquet", ".json"), named[max(before)][0]):
                bad.append("%s was made before its entry was on the disk" % max(before))
    ok(not bad and files > 4 and checkpoints > 1, "delta: what an entry names is on the disk before it, the entry before the next: %d entries, %d files, "
       "%d checkpoints" % (len(entries), files, checkpoints), bad)


if faults.sanitized():
    print("1..0 # SKIP a sanitizer does not like libraries before it")
elif not os.path.exists(LIBRARY):
    print("1..0 # SKIP built without shared libraries")
else:
    for name in os.environ.get("WAYS", "delta journal-delta parquet file").split():
        way_through(name)
    faults.done()
