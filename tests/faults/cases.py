#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cases of doc/commits.md as whole pipelines: 2, 8, 9, 10 and 19. The model plays them step by step; here the real ends are on both sides."""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import faults
from faults import Expected, Work, ok, posts, query, wait_until

faults.need("file", "pin", "delta", "journal", "generate")
rng = faults.seed()
SMALL = "commit_interval = 5ms\ncommit_rows = 40\n"


def rows_of(table):
    if not os.path.isdir(os.path.join(table, "_delta_log")):
        return 0
    return query(table, "SELECT count(*) AS n FROM t")[0]["n"]


def failpoints():
    with open(os.path.join(faults.BUILD, "config.h"), encoding="utf-8") as f:
        return "#define PEN_FAILPOINTS 1" in f.read()


def case_2():
    """No dead letter for a long time, then some; killed when they are put and the table's entry is not; cut elsewhere on the second try."""
    if not failpoints():
        faults.skip("case 2: dead letters ahead of the table", "failpoints are not compiled in")
        return
    good, bad = posts(1500, 0, rng), posts(1500, 0.1, rng, first=1500)
    for nth in (1, 3, 6):
        with Work(good, files=3, settings=SMALL, expected=Expected(good + bad)) as w:
            first = w.run()
            faults.write_files(os.path.join(w.folder, "in", "later"), bad, 3)
            w.write_conf("posts.ini", settings=SMALL, source="path = %s/in %s/in/later" % (w.folder, w.folder))
            with open(w.conf, encoding="utf-8") as f:
                text = f.read().replace("path = %s/in\n" % w.folder, "", 1)
            with open(w.conf, "w", encoding="utf-8") as f:
                f.write(text)
            # the table is published second in a plan with dead letters: an even number is the table's turn
            killed = w.run(env={"PENSTOCK_FAILPOINTS": "commit.before-publish=exit@%d" % (2 * nth)})
            with open(w.conf, encoding="utf-8") as f:
                text = f.read().replace("commit_rows = 40", "commit_rows = 65")
            with open(w.conf, "w", encoding="utf-8") as f:
                f.write(text)
            wrong = w.completes()
            ok(first.status == 0 and killed.status == -signal.SIGKILL and not wrong,
               "case 2: dead letters after a long time, killed at commit %d, cut elsewhere then" % nth,
               wrong or [first.text, killed.text])


def case_2_of_ranges():
    """Killed between the dead letters of a range of a file and the table that is to know of the range: it has the same name when it is read again."""
    if not failpoints():
        faults.skip("case 2: dead letters of a range that the table does not know", "failpoints are not compiled in")
        return
    lines = [b'{"no index": %d, "title": "%s"}' % (i, b"x" * 1300) for i in range(12)]  # three or four a range
    bad = []
    for nth in range(8, 20):
        with Work(lines, settings="commit_rows = 1\n", source="range_size = 4096\n") as w:
            killed = w.run("--until-end", "--set", "pipeline.lanes=1", env={"PENSTOCK_FAILPOINTS": "commit.before-publish=exit@%d" % nth})
            wrong = w.completes()
            if wrong or killed.status != -signal.SIGKILL:
                bad += ["killed at publish %d: %s" % (nth, killed.status)] + wrong
    ok(not bad, "case 2: dead letters of a range that the table does not know are found again", bad)


def case_8():
    """--until-end where the journal's end at the start was 0, then again with more to read, then with nothing."""
    lines, more = posts(800, 0.03, rng), posts(700, 0.03, rng, first=800)
    with Work(lines, via="journal", files=4, settings=SMALL, expected=Expected(lines)) as w:
        ok(not w.completes(), "case 8: everything passes a journal that was empty at the start", w.problems())
        faults.write_files(os.path.join(w.folder, "in"), lines + more, 1)
        os.rename(os.path.join(w.folder, "in", "0000.jsonl"), os.path.join(w.folder, "all"))
        with open(os.path.join(w.folder, "all"), "rb") as f:
            text = f.read().splitlines(keepends=True)
        faults.write_files(os.path.join(w.folder, "in"), lines, 4)
        with open(os.path.join(w.folder, "in", "more.jsonl"), "wb") as f:
            f.write(b"".join(text[len(lines):]))
        w.expected = Expected(lines + more)
        wrong = w.completes()
        ok(not wrong, "case 8: and what came later", wrong)
        wrong = w.completes()
        ok(not wrong, "case 8: and nothing, once more", wrong)


def peak_mib(pid):
    with open("/proc/%d/status" % pid, encoding="utf-8") as f:
        return max(int(line.split()[1]) for line in f if line.startswith("VmHWM")) // 1024


def case_9():
    """What a segment writes to takes nothing for a while (a full journal that nobody reads): it waits, in bounded memory, and then goes on."""
    lines = posts(20000, 0, rng)
    with Work([], via="journal", settings=SMALL, transport="retention_bytes = 512KiB\nfull = wait", expected=Expected(lines)) as w:
        ok(w.run().status == 0, "case 9: the reader is known to the journal")
        faults.write_files(os.path.join(w.folder, "in"), lines, 2)
        run = w.start("--until-end", "--only", "posts")
        held = lambda: sum(os.path.getsize(os.path.join(w.folder, "journal", n)) for n in os.listdir(os.path.join(w.folder, "journal"))
                           if n.endswith(".segment"))
        full = wait_until(lambda: held() > 400 << 10)
        time.sleep(1)  # a second in which it must neither end nor grow: what is looked at is that nothing happens
        alive, size = run.poll() is None, held()
        mib = peak_mib(run.pid) if alive else 0
        run.kill()
        faults.finish(run)
        ok(full and alive and size < 8 << 20 and (mib < 64 or faults.sanitized()), "case 9: a full journal makes the writer wait, %d KiB on disk, %d MiB"
           % (size >> 10, mib), ["full %s alive %s" % (full, alive)])
        wrong = w.completes()
        ok(not wrong, "case 9: once somebody reads, everything passes", wrong)


def case_10():
    """Eight partitions on up to four lanes with a commit every few milliseconds: partitions change lanes, rows do not come twice or get lost."""
    with Work([]) as w:
        table = os.path.join(w.folder, "t")
        with open(w.conf, "w", encoding="utf-8") as f:
            f.write("[pipeline]\nname = lanes\nstate = %s/state\nlanes = 4\ncommit_interval = 20ms\n[source g]\nplugin = generate\ncount = 120000\nseed = 5\n"
                    "[transform clean]\nplugin = pin\ninput = g.pin\n[sink t]\nplugin = delta\ninput = clean\npath = %s\nfsync = no\n" % (w.folder, table))
        run = w.run()
        got = query(table, "SELECT count(*) AS n, count(DISTINCT ind) AS d, min(ind) AS low, max(ind) AS high FROM t")[0]
        ok(run.status == 0 and got == {"n": 120000, "d": 120000, "low": 0, "high": 119999}, "case 10: partitions change lanes at cuts: %s" % got, [run.text])


def case_19():
    """A source that says nothing merged with one that is busy: the busy one's rows are committed all the same."""
    lines = posts(600, 0, rng)
    with Work(lines, files=2, settings="commit_interval = 50ms\n", source="follow = yes") as w:
        os.makedirs(os.path.join(w.folder, "idle"))
        open(os.path.join(w.folder, "idle", "x.jsonl"), "wb").close()
        with open(w.conf, encoding="utf-8") as f:
            text = f.read().replace("input = posts\n", "input = posts idle\n")
        with open(w.conf, "w", encoding="utf-8") as f:
            f.write(text + "[source idle]\nplugin = file\npath = %s/idle\nfollow = yes\n" % w.folder)
        run = w.start("--json")
        came = wait_until(lambda: rows_of(w.table) == 600)
        run.send_signal(signal.SIGTERM)
        result = faults.finish(run)
        ok(came and result.status == 0 and not w.problems(), "case 19: a busy source is committed while the other is idle", w.problems() + [result.text])


case_2()
case_2_of_ranges()
case_8()
case_9()
case_10()
case_19()
faults.done()
