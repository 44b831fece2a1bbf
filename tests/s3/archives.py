# SPDX-License-Identifier: Apache-2.0
"""What the tests of the s3 sink share: a pipeline of files, a journal and an archive in a bucket of its own."""
import os, subprocess, sys, urllib.parse
from xml.sax.saxutils import unescape

TOP = os.environ.get("top_builddir", ".")
sys.path.insert(0, os.path.join(os.environ.get("top_srcdir", "."), "tests", "services"))
import services

PENSTOCK = os.path.join(TOP, "core", "penstock")
n_run = n_bad = 0


def ok(good, what, log=""):
    global n_run, n_bad
    n_run += 1
    n_bad += not good
    print(f"{'ok' if good else 'not ok'} {n_run} - {what}", flush=True)
    if not good:
        print("".join("# " + line + "\n" for line in str(log).splitlines()[-30:]), end="", flush=True)


def need(name):
    why = services.missing(name)
    if why or not os.path.exists(os.path.join(TOP, "plugins/s3/.libs/s3.so")):
        print("1..0 # SKIP " + (why or "the plugin s3 is not built"))
        sys.exit(0)


def done():
    print(f"1..{n_run}")
    sys.exit(n_bad > 0)


class Archive:
    """Messages in files, through a journal of two partitions, into an archive of its own bucket. `endpoint`: of a proxy."""

    def __init__(self, server, folder, name, options="", commit="commit_rows = 700", endpoint=None):
        self.server, self.name, self.folder = server, name, os.path.join(folder, name)
        self.endpoint, self.sent, self.log = endpoint or server.endpoint, [], ""
        os.makedirs(os.path.join(self.folder, "in"))
        server.create_bucket(name)
        self.configure(options, commit)

    def configure(self, options="", commit="commit_rows = 700", pipeline="keep", transport="log"):
        """The same archive, by other words."""
        self.ini = os.path.join(self.folder, pipeline + ".ini")
        with open(self.ini, "w") as f:
            f.write(f"[pipeline]\nname = {pipeline}\nstate = {self.folder}/state-{pipeline}\nlanes = 2\n{commit}\n[defaults s3]\n"
                    f"endpoint = {self.endpoint}\nregion = {self.server.region}\naccess_key = {self.server.access_key}\n"
                    f"secret_key = {self.server.secret_key}\nattempts = 2\n")
            if pipeline == "keep":
                f.write(f"[source in]\nplugin = file\npath = {self.folder}/in\n")
            f.write(f"[transport {transport}]\nplugin = journal\npath = {self.folder}/journal\npartitions = 2\n{'input = in' if pipeline == 'keep' else ''}\n"
                    f"[sink keep]\nplugin = s3\ninput = {transport}\npath = s3://{self.name}/topics\n{options}\n")

    def forget_state(self):
        folder = os.path.join(self.folder, "state-keep")
        for name in os.listdir(folder):
            if name.startswith("state.db"):
                os.remove(os.path.join(folder, name))

    def write(self, n, row=None):
        at = len(self.sent)
        row = row or (lambda i: '{"n":%d,"text":"%s"}' % (i, "x" * (i % 90)))
        rows = [row(i) for i in range(at, at + n)]
        with open(os.path.join(self.folder, "in", "%06d.jsonl" % at), "w") as f:
            f.write("".join(row + "\n" for row in rows))
        self.sent += rows

    def start(self, failpoint=None):
        env = dict(os.environ, **({"PENSTOCK_FAILPOINTS": failpoint} if failpoint else {}))
        return subprocess.Popen([PENSTOCK, "run", self.ini, "--until-end"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=env)

    def finish(self, p):
        self.log = p.communicate(timeout=180)[1]
        return p.returncode

    def run(self, failpoint=None):
        return self.finish(self.start(failpoint))

    def kill_after(self, seconds):
        p = self.start()
        try:
            p.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            p.kill()
            p.communicate()

    def keys(self, prefix="topics/"):
        found, token = [], ""
        while True:
            _, _, body = self.server.call("GET", f"/{self.name}?list-type=2&prefix={urllib.parse.quote(prefix, safe='')}{token}")
            found += [unescape(piece.partition("</Key>")[0]) for piece in body.decode().split("<Key>")[1:]]
            more = body.decode().partition("<NextContinuationToken>")[2].partition("<")[0]
            if not more:
                return found
            token = "&continuation-token=" + urllib.parse.quote(unescape(more), safe="")

    def get(self, key):
        return self.server.call("GET", "/" + self.name + "/" + urllib.parse.quote(key))[2]

    def objects(self):
        """What lies there by its key: not what the archive keeps for itself, nor a probe that a kill left behind."""
        return {key: self.get(key) for key in self.keys() if "/_penstock/" not in key and "/." not in key}
