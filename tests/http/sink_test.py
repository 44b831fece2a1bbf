#!/usr/bin/env python3
"""The http sink: into our own gateway by each preset, and into a server that loses replies, refuses records, is away and comes back.
SPDX-License-Identifier: Apache-2.0"""
import http.server, json, os, re, signal, subprocess, threading, time

from gateway import DIR, PENSTOCK, Gateway, done, ok


def pipeline(name, url, preset, rows, extra="", topic="pin"):
    d = os.path.join(DIR, name)
    os.makedirs(d, exist_ok=True)
    with open(f"{d}/in.jsonl", "w") as f:
        f.write("".join(r + "\n" for r in rows))
    with open(f"{d}/p.ini", "w") as f:
        f.write(f"[pipeline]\nname = {name}\nstate = {d}/state\n[source in]\nplugin = file\npath = {d}/in.jsonl\n[sink out]\nplugin = http\ninput = in\n"
                f"url = {url}\npreset = {preset}\ntopic = {topic}\n{extra}\n")
    return f"{d}/p.ini"


def run(ini, env=None, timeout=120):
    return subprocess.run([PENSTOCK, "run", ini, "--until-end"], env=dict(os.environ, **(env or {})), stderr=subprocess.PIPE, text=True, timeout=timeout)


rows = [json.dumps({"index": i, "title": "caf\u00e9", "n": 1.50}) for i in range(2000)]

# -- into our own gateway
for preset, extra in (("kafka-rest", ""), ("kinesis", ""), ("json-lines", ""), ("kinesis", "batch_records = 1"), ("kafka-rest", "batch_bytes = 1KiB")):
    name = f"own-{preset}-{len(extra)}"
    few = rows[:200] if "= 1" in extra else rows
    g = Gateway(name)
    r = run(pipeline(name + "-in", f"http://127.0.0.1:{g.port}/", preset, few, extra))
    g.stop()
    held = g.records()
    ok(r.returncode == 0 and held == [x.encode() for x in few], f"preset = {preset} {extra}: each record, byte for byte, in order", (r.stderr[-300:], len(held)))

# -- into a server with whims
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, whim, port=0):
        self.whim, self.stored, self.requests = whim, [], 0
        super().__init__(("127.0.0.1", port), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for k, v in headers:
            self.send_header(k, v)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        s, body = self.server, self.rfile.read(int(self.headers["Content-Length"]))
        s.requests += 1
        s.last = self.headers
        records = [json.dumps(r["value"]) for r in json.loads(body)["records"]]
        s.whim(self, s, records)


def all_stored(h, s, records):
    s.stored += records
    h.answer(200, json.dumps({"offsets": [{"partition": 0, "offset": i, "error_code": None, "error": None} for i in range(len(records))]}).encode())


def moody(h, s, records):
    """A different misfortune with every request, then success."""
    n = s.requests % 8
    if n == 1:
        h.answer(503, b"busy", [("Retry-After", "1")])
    elif n == 2:
        s.stored += records
        h.close_connection = True
        h.connection.shutdown(2)  # taken, and the reply is lost
    elif n == 3:
        h.answer(200, b"<html>garbage")
    elif n == 4:
        h.answer(429, b"")
    elif n == 5:  # every third record is refused for now
        s.stored += [r for i, r in enumerate(records) if i % 3]
        h.answer(200, json.dumps({"offsets": [{"error_code": None if i % 3 else 2, "error": "later", "partition": None, "offset": None} for i in range(len(records))]}).encode())
    elif n == 6:
        h.answer(200, json.dumps({"offsets": [{"error_code": None}]}).encode())
    else:
        all_stored(h, s, records)


s = Server(moody)
r = run(pipeline("moody", f"http://127.0.0.1:{s.server_port}", "kafka-rest", rows[:600], "batch_records = 100"))
want = [json.dumps(json.loads(x)) for x in rows[:600]]
ok(r.returncode == 0 and set(s.stored) == set(want), "503, lost replies, garbage, 429 and refused records: each arrives at least once", (r.returncode, r.stderr[-400:], len(set(s.stored))))
ok(len(s.stored) < 2 * len(want), "and only what was in doubt comes again", len(s.stored))

s = Server(all_stored)
ini = pipeline("secrets", f"http://127.0.0.1:{s.server_port}", "kafka-rest", rows[:10], "token = s3cret\napi_key = k3y\nheader.X-More = yes")
r = run(ini)
ok(r.returncode == 0 and s.last["Authorization"] == "Bearer s3cret" and s.last["X-Api-Key"] == "k3y" and s.last["X-More"] == "yes", "token, key and headers are sent")
for status, code in ((400, 1), (401, 1), (403, 1), (404, 1), (413, 1), (422, 1)):
    bad = Server(lambda h, s, records, status=status: h.answer(status, b'{"message":"no"}'))
    r = run(pipeline(f"bad{status}", f"http://127.0.0.1:{bad.server_port}", "kafka-rest", rows[:10], "token = s3cret"))
    ok(r.returncode == code and f"answered {status}" in r.stderr and "s3cret" not in r.stderr, f"{status} stops the run with {code} and one line", r.stderr[-300:])
hopeless = Server(lambda h, s, records: h.answer(200, json.dumps({"offsets": [{"error_code": 1, "error": "no"}] * len(records)}).encode()))
r = run(pipeline("hopeless", f"http://127.0.0.1:{hopeless.server_port}", "kafka-rest", rows[:10]))
ok(r.returncode == 1 and "refused for good" in r.stderr, "a record that is refused for good stops the run", r.stderr[-300:])

# -- away, and back: nothing is lost, and a stop does not hang
s = Server(all_stored)
port = s.server_port
s.shutdown(), s.server_close()
ini = pipeline("away", f"http://127.0.0.1:{port}", "kafka-rest", rows)
p = subprocess.Popen([PENSTOCK, "run", ini, "--until-end"], stderr=subprocess.PIPE, text=True)
time.sleep(1.5)
ok(p.poll() is None, "while the endpoint is away it waits")
s = Server(all_stored, port)
err = p.communicate(timeout=60)[1]
ok(p.returncode == 0 and set(s.stored) == {json.dumps(json.loads(x)) for x in rows}, "and sends all when it is back", err[-300:])
r = run(pipeline("nojson", f"http://127.0.0.1:{port}", "kinesis", ["no json"]))
ok(r.returncode != 0 and "no JSON" in r.stderr, "kinesis: a record that is no JSON", r.stderr[-300:])
for line, what in (("url = ftp://x", "url:"), ("url = http://u:p@x", "url:"), ("url = http://x\nuser = a", "belong together")):
    ini = pipeline("conf", "http://x", "kafka-rest", [])
    text = re.sub("url = http://x", line, open(ini).read())
    open(ini, "w").write(text)
    r = subprocess.run([PENSTOCK, "check", ini], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    ok(r.returncode == 2 and what in r.stdout, f"check: {line.splitlines()[-1]}", r.stdout[-300:])
done()
