"""What the gateway's tests share: a pipeline with a gateway in front of a journal, requests, and what the journal holds afterwards.
SPDX-License-Identifier: Apache-2.0"""
import atexit, http.client, json, os, re, shutil, signal, socket, subprocess, tempfile, time

TOP = os.environ.get("top_builddir", ".")
SRC = os.environ.get("top_srcdir", ".")
PENSTOCK = os.path.join(TOP, "core/penstock")
FAILPOINTS = "#define PEN_FAILPOINTS 1" in open(os.path.join(TOP, "config.h")).read()
DIR = tempfile.mkdtemp(prefix="penstock-http-")
V2 = "application/vnd.kafka.json.v2+json"
n_run = n_bad = 0


def ok(good, what, why=None):
    global n_run, n_bad
    n_run += 1
    n_bad += not good
    print(f"{'ok' if good else 'not ok'} {n_run} - {what}", flush=True)
    if not good and why is not None:
        print("# " + repr(why)[:1000], flush=True)


def done():
    print(f"1..{n_run}")
    shutil.rmtree(DIR, ignore_errors=True)
    raise SystemExit(n_bad > 0)


class Gateway:
    """A running pipeline; `topics` and further options go into its source, `more` behind."""

    def __init__(self, name, options="", topics="pin geo", more="", env=None, pipeline="", journal="", tls=False):
        self.name, self.tls = name, tls
        self.dir = os.path.join(DIR, name)
        os.makedirs(self.dir, exist_ok=True)
        self.ini = os.path.join(self.dir, "pipeline.ini")
        self.env = dict(os.environ, **(env or {}))
        with open(self.ini, "w") as f:
            f.write(f"[pipeline]\nname = {name}\nstate = {self.dir}/state\n{pipeline}\n[source gateway]\nplugin = http\nlisten = 127.0.0.1:0\n"
                    f"topics = {topics}\n{options}\n[transport log]\nplugin = journal\ninput = gateway.*\npath = {self.dir}/journal\n{journal}\n{more}")
        self.start()

    def start(self):
        self.log = os.path.join(self.dir, "log")
        self.process = subprocess.Popen([PENSTOCK, "run", self.ini], env=self.env, stderr=open(self.log, "w"))
        atexit.register(self.process.kill)  # also where a test breaks off
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = re.search(r"listening on https?://127\.0\.0\.1:(\d+)", open(self.log).read())
            if found:
                self.port = int(found.group(1))
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError("the gateway did not start: " + open(self.log).read())

    def stop(self, sig=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        self.process.wait(timeout=60)
        return self.process.returncode

    def connect(self, timeout=30):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(self, method, path, body=None, headers=None, connection=None):
        """(status, headers, body), the body as JSON where it is some."""
        c = connection or self.connect()
        c.request(method, path, body=body, headers=headers or {})
        r = c.getresponse()
        text = r.read()
        if not connection:
            c.close()
        try:
            return r.status, r.headers, json.loads(text)
        except ValueError:
            return r.status, r.headers, text

    def post(self, topic, records, kind=V2, **more):
        return self.ask("POST", f"/topics/{topic}", json.dumps({"records": records}), {"Content-Type": kind}, **more)

    def raw(self, data, timeout=10):
        """Bytes as they are; all that comes back until the other side closes, or it is silent."""
        s = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        got = b""
        try:
            s.sendall(data)
            while True:
                more = s.recv(65536)
                if not more:
                    break
                got += more
        except (socket.timeout, ConnectionError):
            pass
        s.close()
        return got

    def records(self):
        """What the journal holds, as its values' JSON; the pipeline must have ended."""
        ini, out = os.path.join(self.dir, "read.ini"), os.path.join(self.dir, "out.jsonl")
        shutil.rmtree(os.path.join(self.dir, "state-read"), ignore_errors=True)
        if os.path.exists(out):
            os.unlink(out)
        with open(ini, "w") as f:
            f.write(f"[pipeline]\nname = read{time.monotonic_ns()}\nstate = {self.dir}/state-read\n[transport log]\nplugin = journal\npath = {self.dir}/journal\n"
                    f"[sink out]\nplugin = file\ninput = log\npath = {out}\n")
        r = subprocess.run([PENSTOCK, "run", ini, "--until-end"], stderr=subprocess.PIPE, text=True, timeout=120)
        if r.returncode:
            raise RuntimeError(r.stderr)
        return open(out, "rb").read().split(b"\n")[:-1] if os.path.exists(out) else []
