#!/usr/bin/env python3
"""The file sink as whole pipelines: killed at each step of a commit, a second pipeline on the same file, a closed pipe, a full disk, CSV there and back.
SPDX-License-Identifier: Apache-2.0"""
import json, os, resource, shutil, signal, subprocess, tempfile

TOP = os.environ.get("top_builddir", ".")
PENSTOCK = os.path.join(TOP, "core/penstock")
FAILPOINTS = "#define PEN_FAILPOINTS 1" in open(os.path.join(TOP, "config.h")).read()
n_run = 0
dir = tempfile.mkdtemp(prefix="penstock-sink-")


def ok(good, what):
    global n_run
    n_run += 1
    print(f"{'ok' if good else 'not ok'} {n_run} - {what}", flush=True)


def at(name):
    return os.path.join(dir, name)


def ini(name, source, sink, extra=""):
    with open(at(name + ".ini"), "w") as f:
        f.write(f"[pipeline]\nname = {name}\nstate = {at('state-' + name)}\nlanes = 2\n{extra}\n[source in]\nplugin = file\n{source}\n[sink out]\nplugin = file\ninput = in\n{sink}\n")


def run(name, points=None, **more):
    env = dict(os.environ, PENSTOCK_FAILPOINTS=points or "")
    return subprocess.run([PENSTOCK, "run", at(name + ".ini"), "--until-end"], env=env, stderr=subprocess.PIPE, timeout=120, **more)


want = [json.dumps({"line": i, "padding": "x" * (i % 97)}, separators=(",", ":")) for i in range(6000)]
for part in range(6):
    with open(at(f"in{part}.jsonl"), "w") as f:
        f.write("".join(line + "\n" for line in want[part * 1000:part * 1000 + 1000]))


def text_of(path):
    if os.path.isdir(path):
        return "".join(open(os.path.join(path, f)).read() for f in sorted(os.listdir(path)) if f.endswith(".jsonl"))
    tool = {".gz": ["gzip", "-dc"]}.get(os.path.splitext(path)[1])
    return subprocess.run(tool + [path], stdout=subprocess.PIPE, check=True, text=True).stdout if tool else open(path).read()


# -- killed, or failing, at each step of the first, a middle and the last commit; then the same command again
steps = ["file.write", "file.stage", "file.recorded", "file.appended", "commit.planned", "commit.before-publish", "commit.after-publish", "commit.before-settle"]
for out in ("out.jsonl", "out.jsonl.gz", "folder"):
    for step in steps:
        if out == "folder" and step in ("file.recorded", "file.appended"):
            continue  # nothing is appended there
        if not FAILPOINTS:
            ok(True, f"{out}: {step} # SKIP not configured with --enable-failpoints")
            continue
        good, hits = True, 0
        for action in ("exit", "error"):
            for n in (1, 3, 6):
                name = f"k-{out}-{step}-{action}-{n}"
                ini(name, f"path = {at('in*.jsonl')}", f"path = {at(name + '.d')}/{out}\nfsync = no", "commit_rows = 1000")
                os.mkdir(at(name + ".d"))
                first = run(name, f"{step}={action}@{n}")
                hits += first.returncode != 0
                again = run(name)
                path = os.path.join(at(name + ".d"), out)
                same = again.returncode == 0 and sorted(text_of(path).split("\n")[:-1]) == sorted(want)
                if not same:
                    print(f"# {action}@{n}: {first.returncode} {again.returncode} {again.stderr.decode()}")
                good = good and same
                shutil.rmtree(at(name + ".d"))
                shutil.rmtree(at("state-" + name))
        ok(good and hits > 0, f"{out}: {hits} times ended at {step}, then every row once")

# -- two pipelines and one file
ini("first", f"path = {at('in*.jsonl')}\nfollow = yes", f"path = {at('shared.jsonl')}", "commit_interval = 10ms")
ini("second", f"path = {at('in0.jsonl')}", f"path = {at('shared.jsonl')}")
first = subprocess.Popen([PENSTOCK, "run", at("first.ini")], stderr=subprocess.DEVNULL)
while not os.path.exists(at("shared.jsonl")) and first.poll() is None:
    pass
second = run("second")
said = second.stderr.decode().strip().split("\n")
ok(second.returncode == 1 and len(said) == 1 and "pipeline first, sink out is appending to it" in said[0], f"a second pipeline is refused: {said}")
first.send_signal(signal.SIGTERM)
first.wait(60)
second = run("second")
said = second.stderr.decode().strip().split("\n")
ok(second.returncode == 1 and len(said) == 1 and "pipeline first, sink out appends to it" in said[0], "also once the first has ended")
ok(run("first").returncode == 0 and sorted(text_of(at("shared.jsonl")).split("\n")[:-1]) == sorted(want), "the first goes on: every row once")

# -- standard output that nobody reads
ini("pipe", f"path = {at('in*.jsonl')}", "path = -")
r, w = os.pipe()
os.close(r)
p = run("pipe", stdout=w)
os.close(w)
said = [line for line in p.stderr.decode().split("\n") if line.startswith("penstock: ")]
ok(p.returncode == 1 and len(said) == 1 and "standard output: cannot write: Broken pipe" in said[0], f"a closed pipe: one line, status {p.returncode}: {said}")
p = run("pipe", stdout=subprocess.PIPE)
ok(p.returncode == 0 and sorted(p.stdout.decode().split("\n")[:-1]) == sorted(want), "the same command with a reader: every row")

# -- no room for the file: a limit on its size stands for a full disk
ini("full", f"path = {at('in*.jsonl')}", f"path = {at('full.jsonl')}", "commit_rows = 1000")


def small():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150000, 150000))


p = run("full", preexec_fn=small)
said = [line for line in p.stderr.decode().strip().split("\n") if "cannot write" in line]
ok(p.returncode == 1 and len(said) == 1 and "File too large" in said[0], f"no room: {said}")
ok(run("full").returncode == 0 and sorted(text_of(at("full.jsonl")).split("\n")[:-1]) == sorted(want), "with room again: every row once")

# -- CSV there and back
odd = ["", " ", "a,b", 'say "x"', "two\nlines", "\r", "null", "true", "1e5", "-0", "é😀", None, "tab\there", '"']
with open(at("pins.jsonl"), "w") as f:
    for i, word in enumerate(odd):
        f.write(json.dumps({"index": i, "unique_id": f"u{i}", "title": word, "follower_count": "1k", "category": "c"}) + "\n")
with open(at("csv.ini"), "w") as f:
    f.write(f"[pipeline]\nname = csv\nstate = {at('state-csv')}\n[source in]\nplugin = file\npath = {at('pins.jsonl')}\n[transform clean]\nplugin = pin\ninput = in\n"
            f"[sink out]\nplugin = file\ninput = clean\npath = {at('pins.csv')}\n[sink plain]\nplugin = file\ninput = clean\npath = {at('plain.jsonl')}\n")
good = run("csv").returncode == 0
ini("back", f"path = {at('pins.csv')}", f"path = {at('back.jsonl')}")
good = run("back").returncode == 0 and good
rows = lambda name: [json.loads(line) for line in text_of(at(name)).split("\n")[:-1]]
for there, back in zip(rows("plain.jsonl"), rows("back.jsonl")):
    if there != back:
        print(f"# {there}\n# {back}")
ok(good and len(rows("plain.jsonl")) == len(odd) and rows("back.jsonl") == rows("plain.jsonl"), "rows with odd texts, through CSV and back, are the same")
shutil.rmtree(dir)
print(f"1..{n_run}")
