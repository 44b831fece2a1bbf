# SPDX-License-Identifier: Apache-2.0
"""What the tests of whole pipelines into s3:// share: TAP, one server with one bucket, posts of which some are broken, pipelines that write them into a
table or folder of their own, and a judge: each row once in the table, each broken record once among the dead letters, which lie on s3:// too.
"""
import json
import os
import subprocess
import sys
import tempfile
import urllib.parse

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["top_srcdir"], "tests", "services"))
import services
from lossy_proxy import LossyProxy

BUILD = os.environ["top_builddir"]
PENSTOCK = os.path.join(BUILD, "core", ".libs", "penstock")  # not libtool's script before it, which would be killed in its place
if os.path.exists(PENSTOCK):
    os.environ["LD_LIBRARY_PATH"] = os.path.join(BUILD, "core", ".libs")
else:
    PENSTOCK = os.path.join(BUILD, "core", "penstock")
ROWS, BROKEN = 2000, 20
run = bad = 0


def ok(good, what, *notes):
    global run, bad
    run += 1
    bad += not good
    print("%sok %d - %s" % ("" if good else "not ", run, what))
    for note in notes if not good else ():
        print("# " + str(note).replace("\n", "\n# ")[-3000:])
    sys.stdout.flush()
    return good


def skip(what, why):
    global run
    run += 1
    print("ok %d - %s # SKIP %s" % (run, what, why), flush=True)


def done():
    print("1..%d" % run)
    sys.exit(bad > 0)


def skip_all(why):
    print("1..0 # SKIP %s" % why)
    sys.exit(0)


def need(*plugins):
    """Ends the test, saying so, where a plugin was not built."""
    for plugin in plugins:
        if plugin not in os.environ.get("PLUGINS_BUILT", " ".join(plugins)).split():
            skip_all("the plugin %s was not built" % plugin)


def has_failpoints():
    with open(os.path.join(BUILD, "config.h"), encoding="utf-8") as f:
        return "#define PEN_FAILPOINTS 1" in f.read()


def sanitized():
    """Whether the program was built with a sanitizer: it then takes more memory."""
    with open(os.path.join(BUILD, "config.status"), encoding="utf-8") as f:
        return "-fsanitize=" in f.read()


def post(i, width):
    title = "t" * (i % 50) if not width else os.urandom(width // 2).hex()
    return json.dumps({"index": i, "unique_id": "u%d" % i, "title": title, "follower_count": "1k", "category": "c%d" % (i % 3)})


class Lake:
    """The server, the bucket, and a folder of pipelines; each case has a table of its own."""

    def __init__(self, folder, server, rows=ROWS, width=0):
        """`width`: bytes of a title that nothing compresses; else titles are short."""
        self.folder, self.server, self.cases, self.rows = folder, server, 0, rows
        self.input = os.path.join(folder, "posts-%d-%d.jsonl" % (rows, width))
        with open(self.input, "w", encoding="utf-8") as f:
            for i in range(rows):
                f.write(post(i, width) + "\n")
                if i % (rows // BROKEN) == 7:
                    f.write("{broken %d\n" % i)

    def environment(self, address, **more):
        found = {"AWS_ENDPOINT_URL_S3": "http://" + address, "AWS_ACCESS_KEY_ID": self.server.access_key, "AWS_SECRET_ACCESS_KEY": self.server.secret_key,
                 "PENSTOCK_PLUGIN_PATH": os.path.join(BUILD, "plugins"), "AWS_EC2_METADATA_DISABLED": "true"}
        return dict(os.environ, **found, **more)

    def new_case(self, sink="delta", source="", table="", store="", lanes=2, commit="commit_rows = 200\ncommit_interval = 10s"):
        """A pipeline into a new table; source, table, store: more options of these."""
        self.cases += 1
        self.name, self.sink = "case%d-%d" % (self.rows, self.cases), sink
        self.table = "s3://lake/%s/table" % self.name
        self.ini = os.path.join(self.folder, self.name + ".ini")
        with open(self.ini, "w", encoding="utf-8") as f:
            f.write("[pipeline]\nname = %s\nstate = %s/state-%s\nlanes = %d\n%s\n"
                    "[defaults s3]\nattempts = 4\npart_size = 5MiB\noutage_timeout = 60s\nsilence_timeout = 2s\n%s\n"
                    "[source posts]\nplugin = file\npath = %s\n%s\n[transform clean]\nplugin = pin\ninput = posts\n"
                    "[sink table]\nplugin = %s\ninput = clean\npath = %s\n%s\n[deadletter]\npath = s3://lake/%s/dead\n"
                    % (self.name, self.folder, self.name, lanes, commit, store, self.input, source or "range_size = 40KiB", sink, self.table, table,
                       self.name))

    def start(self, address=None, program=(), **env):
        """The pipeline, on its way to its end; its words are in .log. program: that runs it."""
        log = tempfile.TemporaryFile()
        process = subprocess.Popen([*program, PENSTOCK, "run", self.ini, "--until-end"], env=self.environment(address or self.server.address, **env), stdout=log,
                                   stderr=log, stdin=subprocess.DEVNULL)
        process.log = log
        return process

    def finish(self, process, limit=150):
        """What it said, and its status; None where it hung."""
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            status = None
        process.log.seek(0)
        text = process.log.read().decode(errors="replace")
        process.log.close()
        return text, status

    def keys(self, prefix):
        """Names of all objects below, as many as there are."""
        found, after = [], ""
        while True:
            target = "/lake?list-type=2&prefix=%s&start-after=%s" % (urllib.parse.quote(prefix, safe=""), urllib.parse.quote(after, safe=""))
            body = self.server.call("GET", target)[2].decode()
            page = [piece.partition("</Key>")[0] for piece in body.split("<Key>")[1:]]
            found += page
            if not page or "<IsTruncated>true" not in body:
                return found
            after = page[-1]

    def get(self, key):
        return self.server.call("GET", "/lake/" + urllib.parse.quote(key))[2].decode()

    def commits(self):
        """How many entries of rows the table's log has."""
        return sum(1 for key in self.keys(self.name + "/table/_delta_log/") if key.endswith(".json") and key.split("/")[-1][:20].isdigit()) - 1

    def problems(self):
        """How the table and the dead letters differ from what they are to be; asked past any proxy."""
        sql = "select count(*) n, count(distinct ind) d, sum(ind) s, count(distinct unique_id) u from t"
        got = subprocess.run([PENSTOCK, "query", "--csv", sql, "t=" + self.table], env=self.environment(self.server.address), stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, timeout=120, check=False).stdout.split()
        want = "%d,%d,%d,%d" % (self.rows, self.rows, self.rows * (self.rows - 1) // 2, self.rows)
        dead = [json.loads(letter)["record"] for key in self.keys(self.name + "/dead/") if key.endswith(".jsonl") for letter in self.get(key).splitlines()]
        wrong = [] if want in got else ["table %s (wanted %s)" % (got, want)]
        return wrong + ([] if len(dead) == BROKEN == len(set(dead)) else ["%d dead letters, %d different ones (wanted %d)" % (len(dead), len(set(dead)), BROKEN)])

    def judge(self, what, text, status):
        """A run that is over: it must have gone well, and everything be there once."""
        wrong = self.problems() if status == 0 else ["status %s" % status]
        return ok(not wrong, what, *wrong, text)

    def case(self, what, *rules, **pipeline):
        """A new pipeline that speaks to the store through a proxy. rules: (action, options) of that, all of which must have acted."""
        self.new_case(**pipeline)
        with LossyProxy(self.server.address) as proxy:
            made = [proxy.rule(action, **options) for action, options in rules]
            text, status = self.finish(self.start(proxy.address))
            self.acted = [rule.done for rule in made]
            self.requests = [(method, target) for method, target, _, _ in proxy.log]
        if not all(self.acted):
            return ok(False, what + ": the fault never came", self.acted, text)
        puts = sum(1 for method, target in self.requests if method == "PUT" and "_delta_log/0" in target)
        return self.judge("%s (%s%s)" % (what, "+".join(map(str, self.acted)) or "no fault", "; %d puts to the log" % puts if puts else ""), text, status)


def on(action, path, method="PUT", **how):
    return action, dict(path=path, method=method, **how)


class one_server:
    """with one_server("minio", "versitygw") as (folder, server): the first of them that is there, with the bucket `lake`; skips the test where none is."""

    def __init__(self, *names):
        name = next((name for name in names if not services.missing(name)), None)
        if not name:
            skip_all(services.missing(names[0]))
        self.server, self.folder = services.ALL[name](), tempfile.TemporaryDirectory(prefix="penstock-lake-")

    def __enter__(self):
        self.server.start()
        self.server.create_bucket("lake")
        return self.folder.name, self.server

    def __exit__(self, *what):
        self.server.__exit__(*what)
        self.folder.cleanup()
