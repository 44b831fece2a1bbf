# SPDX-License-Identifier: Apache-2.0
"""Every type through whole pipelines: each reader finds the values that were written, with and without filters, whatever the layout."""
import glob
import os

import pyarrow.parquet as pq

import engines
import harness
import sample
from harness import attempt, differences, run, section

ROWS = 3000
LAYOUTS = {
    "delta": [("zstd", dict(compression="zstd:3")), ("small", dict(compression="snappy", target_file_size="64KiB")), ("plain", dict(compression="none"))],
    "parquet": [("zstd", dict(compression="zstd:3")), ("small", dict(compression="snappy", target_file_size="200kB", row_group_size="20kB")),
                ("plain", dict(compression="none", row_group_size="100kB"))],
}
FORMATS = [f for f in ("delta", "parquet") if f in harness.BUILT]


def write(work):
    """Input files by pyarrow, and one run that reads them into every layout: 20 commits, so that Delta tables are read from a checkpoint. The rows."""
    rows = sample.rows(ROWS)
    folder = os.path.join(work, "in")
    os.mkdir(folder)
    pq.write_table(sample.table(rows[:2000]), os.path.join(folder, "a.parquet"), row_group_size=150)
    pq.write_table(sample.table(rows[2000:]), os.path.join(folder, "b.parquet"), compression="zstd", use_dictionary=False, version="2.6")
    sinks = [section("sink", "%s_%s" % (form, name), plugin=form, input="in", path=os.path.join(work, form, name), fsync="no", **options)
             for form in FORMATS for name, options in LAYOUTS[form]]
    why = run(work, "values", section("source", "in", plugin="parquet", path=folder), *sinks, commit_rows=150, lanes=2)
    harness.ok(not why, "every type, from files of pyarrow into tables and files", why)
    return rows


def literals(rows, name):
    """Values to ask for: one at the middle of the ordinary, one that is not there, those at the edges."""
    ordinary = [r[name] for r in rows[ROWS // 4:] if r[name] is not None and r[name] not in sample.EDGES.get(name, [])]
    out = [ordinary[len(ordinary) // 2], ordinary[-1]]
    edges = {"small": [2**31 - 1], "large": [2**53 + 1, -2**63], "real": [0.0, float("inf"), 0.1], "text": ["", "\U0010ffff" * 40, rows[ROWS // 2]["text"],
             "same start of forty characters, and then two"], "bytes": [b"", b"\xff" * 70], "huge": [sample.EDGES["huge"][1]]}
    return out + edges.get(name, sample.EDGES.get(name, [])[:2])


def filters(rows, few):
    """For every flat column; `few` for an engine that takes its time."""
    out = []
    for name in sample.FLAT:
        values = literals(rows, name)
        ops = [("=", values[0]), (">=", values[1])] if few else [(op, v) for v in values for op in ("=", "<", ">=")]
        out += [engines.Filter(name, op, v) for op, v in ops if name != "flag" or op == "="]
        if few and name in ("text", "at", "huge", "real"):
            out += [engines.Filter(name, op, v) for op, v in (("=", values[-1]), ("<", values[2]))]
        out += [engines.Filter(name, op) for op in ("null", "notnull")][:1 if few else 2]
    return out


def ask(engine, form, path, rows, few):
    """Filters over statistics that leave files, row groups and pages out: rows found, by their number."""
    wrong = []
    for where in filters(rows, few):
        try:
            got = sorted(engine.read(form, path, ["seq"], where)["seq"].to_pylist())
        except Exception as e:
            got = "%s: %s" % (type(e).__name__, str(e)[:200])
        want = [r["seq"] for r in rows if where.holds(r)]
        if got != want:
            wrong.append("%s: %s" % (where, got if isinstance(got, str) else "%d rows for %d, differing in %s" % (len(got), len(want), sorted(set(got) ^ set(want))[:5])))
    return "\n".join(wrong)


def bounds(folder):
    """Statistics of every row group hold, and are there wherever they can be (NaN has none, nor a text that nothing is larger than)."""
    wrong, seen = [], 0
    for path in glob.glob(os.path.join(folder, "*.parquet")):
        f = pq.ParquetFile(path)
        for group in range(f.metadata.num_row_groups):
            table = f.read_row_group(group, columns=list(sample.FLAT))
            for i, name in enumerate(sample.FLAT):
                s, values = f.metadata.row_group(group).column(i).statistics, [v for v in table[name].to_pylist() if v is not None]
                seen += 1
                if s.null_count != table[name].null_count or s.has_min_max != bool(values) and sample.UNBOUNDED.get(name) not in values:
                    wrong.append("%s: %s" % (name, s))
                elif s.has_min_max and not (s.min <= min(values) and max(values) <= s.max):
                    wrong.append("%s: %r to %r for %r to %r" % (name, s.min, s.max, min(values), max(values)))
    return "\n".join(wrong) if wrong or seen > 100 else "%d column chunks" % seen


def check(work, readers):
    rows = write(work)
    if "parquet" in FORMATS:
        attempt("statistics of each row group hold", lambda: bounds(os.path.join(work, "parquet", "small")))
    for form in FORMATS:
        for name, _ in LAYOUTS[form]:
            path = os.path.join(work, form, name)
            for engine in readers:
                if form not in engine.formats:
                    continue
                attempt("%s reads %s/%s, values equal" % (engine.name, form, name), lambda: differences(engine.read(form, path).to_pylist(), rows))
                if name == "small" or name == "zstd" and engine.name != "Spark":
                    attempt("%s asks %s/%s, by every column" % (engine.name, form, name), lambda: ask(engine, form, path, rows, engine.name == "Spark"))
