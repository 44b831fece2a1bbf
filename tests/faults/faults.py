# SPDX-License-Identifier: Apache-2.0
"""What the fault tests share: posts of which some are broken, pipelines into a folder of their own, and a judge of what came out.

Each test runs the built `penstock`, breaks something, mends it, runs the same command again, and asks the judge: every good row once in the
table, every broken record once among the dead letters.
"""
import base64
import collections
import glob
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
TOP = os.environ["top_srcdir"]
BUILD = os.environ["top_builddir"]
sys.path.insert(0, os.path.join(TOP, "tests", "pinterest"))
import reference

PENSTOCK = os.path.join(BUILD, "core", ".libs", "penstock")  # not libtool's script before it: that one is not to be killed or starved
if os.path.exists(PENSTOCK):
    os.environ["LD_LIBRARY_PATH"] = os.path.join(BUILD, "core", ".libs")
else:
    PENSTOCK = os.path.join(BUILD, "core", "penstock")
BUILT = os.environ.get("PLUGINS_BUILT", "file generate journal pin geo user parquet delta").split()
os.environ["PENSTOCK_PLUGIN_PATH"] = os.path.join(BUILD, "plugins")
LIMIT = 120  # seconds after which a run is said to hang
ROOM = os.environ.get("FAULTS_DIR") or ("/dev/shm" if os.access("/dev/shm", os.W_OK) and shutil.disk_usage("/dev/shm").free > 1 << 29 else None)
tests = failed = 0


# -- TAP ------------------------------------------------------------------------------------------------------------------------------

def ok(good, what, notes=()):
    global tests, failed
    tests += 1
    failed += not good
    print("%sok %d - %s" % ("" if good else "not ", tests, what))
    for note in notes if not good else ():
        for line in str(note).splitlines()[:12]:
            print("# " + line[:400])
    sys.stdout.flush()
    return good


def skip(what, why):
    global tests
    tests += 1
    print("ok %d - %s # SKIP %s" % (tests, what, why), flush=True)


def need(*plugins):
    """Ends the test, saying so, where a plugin was not built."""
    missing = [p for p in plugins if p not in BUILT]
    if missing:
        print("1..0 # SKIP not built: " + " ".join(missing))
        sys.exit(0)


def done():
    print("1..%d" % tests)
    sys.exit(failed > 0)


def seed():
    """The seed of this run, which is printed; SEED sets it."""
    value = int(os.environ.get("SEED", "0")) or int(time.time())
    print("# SEED=%d" % value)
    return random.Random(value)


def sanitized():
    """Whether the program was built with a sanitizer: it then takes more memory, and has a malloc of its own."""
    with open(os.path.join(BUILD, "config.status"), encoding="utf-8") as f:
        return "-fsanitize=" in f.read()


# -- posts ------------------------------------------------------------------------------------------------------------------------------

COUNTS = ["124k", "1.2k", "3M", "99", "User Info Error", "", "12 k", "2B", "9B"]


def post(ind, rng):
    fields = {"index": ind, "unique_id": "u-%d" % ind, "title": rng.choice(["No Title Data Available", "a title of post %d" % ind, "ünï %d" % ind]),
              "description": rng.choice(["No description available", "something about %d " % ind * rng.randint(1, 6)]),
              "follower_count": rng.choice(COUNTS), "poster_name": rng.choice(["User Info Error", "somebody %d" % (ind % 97)]),
              "tag_list": rng.choice(["N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e", "a,b,%d" % ind]), "is_image_or_video": rng.choice(["image", "video"]),
              "image_src": rng.choice(["Image src error.", "https://i.example/%d.jpg" % ind]), "downloaded": 1,
              "save_location": rng.choice(["Local save in /data/art", "/data/x", "Local save in "]), "category": rng.choice(["art", "travel"])}
    return json.dumps(fields, ensure_ascii=bool(ind % 2)).encode()


def broken(ind, rng):
    """A record that is to become a dead letter, unlike any other."""
    return rng.choice([b'{"index": %d, "title": "cut off' % ind, b'{"unique_id": "no index %d"}' % ind, b'{"index": "%d"}' % ind,
                       b'{"index": %d.5}' % ind, b'\xff\xfe%d' % ind, b'%d' % ind, b'{"index": %d, "a": ' % ind + b"[" * 600 + b"]" * 600 + b"}",
                       b'{"index": 3000000000, "n": %d}' % ind, b'{"index": %d, "title": "\xc3("}' % ind])


def posts(count, share, rng, first=0):
    """`count` lines, of which `share` are broken."""
    return [broken(i, rng) if rng.random() < share else post(i, rng) for i in range(first, first + count)]


def write_files(folder, lines, files):
    """The lines in `files` files of about the same length."""
    os.makedirs(folder, exist_ok=True)
    for i in range(files):
        part = lines[len(lines) * i // files:len(lines) * (i + 1) // files]
        with open(os.path.join(folder, "%04d.jsonl" % i), "wb") as f:
            f.write(b"".join(line + b"\n" for line in part))


# -- pipelines ------------------------------------------------------------------------------------------------------------------------

class Work:
    """A folder with a pipeline in it: in/ (JSON lines), out (the table), state, dead, and journal where there is one on the way."""

    def __init__(self, lines, sink="delta", via=None, files=1, folder=None, name="posts", settings="", source="", table="", transport="", expected=None):
        self.folder = folder or tempfile.mkdtemp(prefix="penstock-faults-", dir=ROOM)
        self.sink, self.name = sink, name
        self.table = os.path.join(self.folder, "out.jsonl" if sink == "file" else "out")
        self.expected = expected or (Expected(lines) if lines is not None else None)
        if lines is not None:
            write_files(os.path.join(self.folder, "in"), lines, files)
        self.conf = self.write_conf("posts.ini", via, settings, source, table, transport)

    def write_conf(self, file, via=None, settings="", source="", table="", transport="", name=None, state="state"):
        w = self.folder
        text = "[pipeline]\nname = %s\nstate = %s/%s\nlanes = 2\n%s\n[deadletter]\npath = %s/dead\n" % (name or self.name, w, state, settings, w)
        text += "[source posts]\nplugin = file\npath = %s/in\n%s\n" % (w, source)
        if via == "journal":
            text += "[transport hop]\nplugin = journal\ninput = posts\npath = %s/journal\n%s\n" % (w, transport)
        text += "[transform clean]\nplugin = pin\ninput = %s\n" % ("hop" if via else "posts")
        text += "[sink table]\nplugin = %s\ninput = clean\npath = %s\n%s\n" % (self.sink, self.table, table)
        path = os.path.join(w, file)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def start(self, *more, conf=None, env=None, program=()):
        log = tempfile.TemporaryFile()
        run = subprocess.Popen([*program, PENSTOCK, "run", conf or self.conf, *(more or ("--until-end",))], stdin=subprocess.DEVNULL, stdout=log,
                               stderr=log, env=dict(os.environ, **(env or {})))
        run.log = log
        return run

    def run(self, *more, **how):
        return finish(self.start(*more, **how))

    def problems(self):
        """How the table and the dead letters differ from what they are to be."""
        return self.expected.problems(self.sink, self.table, os.path.join(self.folder, "dead"))

    def completes(self, **how):
        """Runs it to its end: what was wrong with that, or with what came out."""
        result = self.run(**how)
        if result.status != 0:
            return ["the clean run ended with %s" % result.status, result.text]
        wrong = self.problems()
        return wrong + [result.text] if wrong else []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if os.environ.get("KEEP") == "1":
            print("# kept: " + self.folder)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


Result = collections.namedtuple("Result", "status text")


def finish(run, limit=LIMIT):
    """Waits: exit status (negative: the signal; None: it hung and was killed), and what it said."""
    try:
        status = run.wait(timeout=limit)
    except subprocess.TimeoutExpired:
        run.kill()
        run.wait()
        status = None
    run.log.seek(0)
    text = run.log.read().decode(errors="replace")
    run.log.close()
    return Result(status, text)


def kill_after(run, seconds):
    """SIGKILL at that moment: True where it was still running."""
    try:
        run.wait(timeout=seconds)  # the moment is the test
        return False
    except subprocess.TimeoutExpired:
        run.send_signal(signal.SIGKILL)
        run.wait()
        return True


def wait_until(what, seconds=60):
    """Polls what() until it is true: whether it became so in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.02)  # between two looks
    return False


def errors(text):
    """The lines of a log that say what went wrong."""
    return [line for line in text.splitlines() if line.startswith("penstock: ") or " error" in line]


# -- the judge ------------------------------------------------------------------------------------------------------------------------

def query(table, sql):
    run = subprocess.run([PENSTOCK, "query", "--json", sql, "t=" + table], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if run.returncode:
        raise RuntimeError("query: " + run.stderr.decode(errors="replace").strip())
    return [json.loads(line) for line in run.stdout.splitlines()]


def parquet_files(folder):
    return [f for f in glob.glob(os.path.join(folder, "**", "*.parquet"), recursive=True)]


def table_rows(sink, table):
    if sink == "file":
        if not os.path.exists(table):
            return []
        with open(table, "rb") as f:
            return [json.loads(line) for line in f.read().decode().splitlines()]
    if not os.path.isdir(os.path.join(table, "_delta_log")) if sink == "delta" else not parquet_files(table):
        return []
    return query(table, "SELECT %s FROM t" % ", ".join(reference.COLUMNS["pin"]))


def dead_letters(folder):
    for path in sorted(glob.glob(os.path.join(folder, "**", "*.jsonl"), recursive=True)):
        with open(path, encoding="utf-8", newline="\n") as f:
            for line in f.read().splitlines():
                yield json.loads(line)


def record_of(letter):
    return base64.b64decode(letter["record"]) if letter.get("encoding") == "base64" else letter["record"].encode()


def difference(expected, found, what):
    out = []
    for sign, rest in (("missing", expected - found), ("too many", found - expected)):
        if rest:
            out.append("%d %s %s, such as %s" % (sum(rest.values()), what, sign, ascii(next(iter(rest)))[:200]))
    return out


class Expected:
    """What the reference makes of these lines."""

    def __init__(self, lines):
        rows, dead = reference.clean("pin", b"\n".join(lines))
        self.rows = collections.Counter(map(reference.canonical, rows))
        self.dead = collections.Counter(line for _, _, _, line in dead)

    def problems(self, sink, table, dead):
        try:
            found = collections.Counter(reference.canonical(row) for row in table_rows(sink, table))
            letters = collections.Counter(record_of(letter) for letter in dead_letters(dead))
        except (RuntimeError, ValueError, KeyError) as e:
            return ["the table or the dead letters cannot be read: %s" % e]
        return difference(self.rows, found, "rows") + difference(self.dead, letters, "dead letters")
