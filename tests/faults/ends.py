#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How a run ends and what it has touched by then: 2 where the file is wrong, and nothing was written; 1 for what is found wrong while it runs."""
import json
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import faults
from faults import Work, ok, posts

faults.need("file", "pin", "user", "delta")
rng = faults.seed()


def said(result):
    return [line for line in result.text.splitlines() if line.startswith("penstock: ")]


def tree(folder):
    """Every file and folder below it, with length and times."""
    found = {}
    for where, _, files in os.walk(folder):
        for path in [where] + [os.path.join(where, name) for name in files]:
            st = os.lstat(path)
            found[path] = (st.st_size if path != where else 0, st.st_mtime_ns)
    return found


def other_columns():
    """A table whose columns are not those of the rows is found before anything is written: a mistake in the file."""
    with Work(posts(50, 0, rng)) as w:
        with open(w.conf, encoding="utf-8") as f:
            text = f.read()
        users = os.path.join(w.folder, "users.ini")
        with open(users, "w", encoding="utf-8") as f:
            f.write(text.replace("plugin = pin", "plugin = user").replace("/state\n", "/state2\n").replace("/dead\n", "/dead2\n"))
        made = w.run(conf=users)
        before = tree(w.folder)
        result = w.run()
        ok(made.status == 0 and result.status == 2 and ": error: table: " + w.table in result.text and tree(w.folder) == before,
           "a table with other columns: 2, and nothing was written", [made, result])
        shutil.rmtree(w.table)
        ok(not w.completes(), "without it the same command makes its own", w.problems())


def changed_meanwhile():
    """A column is taken out of the table while the pipeline runs: its next commit finds out."""
    with Work(posts(50, 0, rng), source="follow = yes", settings="commit_interval = 20ms\n") as w:
        log = os.path.join(w.table, "_delta_log")
        run = w.start("--json")
        there = faults.wait_until(lambda: os.path.isdir(log) and len(faults.table_rows("delta", w.table)) == 50)
        versions = sorted(n for n in os.listdir(log) if n.endswith(".json")) if there else []
        with open(os.path.join(log, versions[0]), encoding="utf-8") as f:
            meta = [json.loads(line)["metaData"] for line in f if '"metaData"' in line][0]
        schema = json.loads(meta["schemaString"])
        schema["fields"] = [f for f in schema["fields"] if f["name"] != "title"]
        meta["schemaString"] = json.dumps(schema)
        with open(os.path.join(log, "%020d.json" % len(versions)), "x", encoding="utf-8") as f:
            f.write(json.dumps({"metaData": meta}) + "\n")
        faults.write_files(os.path.join(w.folder, "more"), posts(20, 0, rng, first=50), 1)
        os.rename(os.path.join(w.folder, "more", "0000.jsonl"), os.path.join(w.folder, "in", "more.jsonl"))
        result = faults.finish(run)
        ok(there and result.status == 1 and len(said(result)) == 1 and "title" in said(result)[0],
           "a column that goes while the pipeline runs ends it with 1 and names the column", [result])


other_columns()
changed_meanwhile()
faults.done()
