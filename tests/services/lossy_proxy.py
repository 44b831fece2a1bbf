# SPDX-License-Identifier: Apache-2.0
"""An HTTP proxy that carries requests out and then loses the answer, among other mischief: what toxiproxy, which knows no requests, cannot do.

    with LossyProxy("127.0.0.1:9000") as proxy:          # upstream
        rule = proxy.rule("lose", method="PUT", path=r"/_delta_log/.*\\.json$", nth=[1, 3])   # the first and the third such request
        ... proxy.address ...                             # HOST:PORT to speak to
        rule.seen, rule.done                              # how many requests fitted, on how many it acted
        proxy.log                                         # [(method, target, status of the upstream's answer or None, action or None)]

Actions:
    lose     carries it out, reads the whole answer, and closes the connection without a byte of it
    half     carries it out and sends half of the answer
    refuse   closes the connection without carrying it out
    error    carries it out and answers 500 with an empty body (`status=` another one)
    reject   answers 503 (`status=`) without carrying it out, with an empty body or `body=`
    garbage  carries it out and answers with what is no HTTP
    late     carries it out and holds the answer back for `seconds=` (30)
    hold     carries it out only after rule.release.set(), whether whoever asked for it is there or not
nth: numbers of the requests that fit, from 1; None: all of them. every=N: each Nth.
"""
import http.client
import http.server
import re
import socket
import socketserver
import threading
import time

HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-authorization", "proxy-authenticate"}


class Rule:
    def __init__(self, action, method=None, path=None, nth=None, every=None, status=None, seconds=30, body=b""):
        self.action, self.method, self.path = action, method, re.compile(path) if path else None
        self.nth, self.every, self.status, self.seconds, self.body = nth, every, status, seconds, body
        self.seen = self.done = 0
        self.release = threading.Event()

    def takes(self, method, target):
        if (self.method and self.method != method) or (self.path and not self.path.search(target)):
            return False
        self.seen += 1
        hit = (self.nth is None or self.seen in self.nth) and (self.every is None or self.seen % self.every == 0)
        self.done += hit
        return hit


class LossyProxy:
    def __init__(self, upstream, port=0):
        self.upstream, self.rules, self.log, self.lock = upstream, [], [], threading.Lock()
        self.server = Server(("127.0.0.1", port), Handler)
        self.server.proxy = self
        self.address = "127.0.0.1:%d" % self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def rule(self, action, **options):
        rule = Rule(action, **options)
        with self.lock:
            self.rules.append(rule)
        return rule

    def clear(self):
        with self.lock:
            self.rules.clear()

    def choose(self, method, target):
        with self.lock:
            fit = [rule for rule in self.rules if rule.takes(method, target)]
        return fit[0] if fit else None


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass  # clients that went away


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, *_):
        pass

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            pieces = []
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
                if not size:
                    return b"".join(pieces)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def forward(self, body):
        """(status, reason, headers, body) of the upstream; on a connection of its own, so that nothing is ever sent twice."""
        upstream = http.client.HTTPConnection(self.server.proxy.upstream, timeout=120)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in HOP:
                    upstream.putheader(name, value)
            if self.headers.get("Transfer-Encoding") and not self.headers.get("Content-Length"):
                upstream.putheader("Content-Length", str(len(body)))
            upstream.endheaders(body)
            answer = upstream.getresponse()
            return answer.status, answer.reason, answer.getheaders(), answer.read()
        finally:
            upstream.close()

    def send_back(self, status, reason, headers, body, part=None):
        lines = ["HTTP/1.1 %d %s" % (status, reason)]
        named = {name.lower() for name, _ in headers}
        lines += ["%s: %s" % (name, value) for name, value in headers if name.lower() not in HOP]
        if "content-length" not in named and status not in (204, 304) and self.command != "HEAD":
            lines.append("Content-Length: %d" % len(body))
        raw = "\r\n".join(lines + ["", ""]).encode("latin-1") + (b"" if self.command == "HEAD" else body)
        self.wfile.write(raw if part is None else raw[:int(len(raw) * part)])

    def handle_any(self):
        proxy = self.server.proxy
        body = self.read_body()
        rule = proxy.choose(self.command, self.path)
        action = rule.action if rule else None
        answer = None
        if action == "hold":
            rule.release.wait(120)
        try:
            if action not in ("refuse", "reject"):
                answer = self.forward(body)
        except (OSError, http.client.HTTPException):
            action = action or "gone"
        proxy.log.append((self.command, self.path, answer[0] if answer else None, action))
        if action == "reject":
            self.send_back(rule.status or 503, "Slow Down", [], rule.body)
        elif not answer or action in ("lose", "refuse"):
            self.close_connection = True
        elif action == "half":
            self.send_back(*answer, part=0.5)
            self.close_connection = True
        elif action == "error":
            self.send_back(rule.status or 500, "Internal Server Error", [], b"")
        elif action == "garbage":
            self.wfile.write(b"\x00\x01 nothing that anybody speaks\r\n\r\n" * 4)
            self.close_connection = True
        else:
            if action == "late":
                time.sleep(rule.seconds)
            self.send_back(*answer)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any
