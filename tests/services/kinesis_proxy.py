#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kinesis_proxy.py PORT UPSTREAM COMMAND…: starts COMMAND, a stand-in for Kinesis on port UPSTREAM, and before it does what no stand-in does. Each call's
signature (Signature Version 4) is checked against the key pair in $KINESIS_PROXY_ACCESS_KEY and $KINESIS_PROXY_SECRET_KEY; PutRecords takes 500 records and
5 MiB at most. And it fails on purpose, from the next call on, as the last POST /faults said; `{}` ends it:

    {"record_every": 7, "record_error": E}     every 7th entry of PutRecords is refused with E, the others are stored
    {"call_every": 5, "call_error": E}         every 5th call is refused with E (status 400), not carried out
    {"status_every": 9}                        every 9th call is answered 500 InternalFailure, not carried out
    {"drop_every": 4}                          every 4th call is carried out, and the connection closed without an answer
    {"stall_every": 3, "stall": 2.5}           every 3rd call is answered that many seconds late
    {"operation": "PutRecords"}                only calls of this operation are counted, and fail

E is ProvisionedThroughputExceededException unless said. GET /faults tells how often each operation was called.
"""
import datetime
import hmac
import http.client
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time

from signing import ALGORITHM, sha256, signature

THROTTLED = "ProvisionedThroughputExceededException"
MOST_RECORDS, MOST_BYTES, CLOCKS_DIFFER = 500, 5 << 20, 300
ACCESS_KEY = os.environ.get("KINESIS_PROXY_ACCESS_KEY", "")
SECRET_KEY = os.environ.get("KINESIS_PROXY_SECRET_KEY", "")
UPSTREAM = 0
HOP_BY_HOP = {"connection", "content-length", "transfer-encoding", "expect", "date", "server", "keep-alive"}


class Faults:
    """What is to fail, and how often each thing has been asked. Any thread calls."""

    def __init__(self):
        self.lock = threading.Lock()
        self.plan, self.seen, self.calls = {}, {}, {}

    def set(self, plan):
        with self.lock:
            self.plan, self.seen, self.calls = plan, {}, {}

    def called(self, operation):
        with self.lock:
            self.calls[operation] = self.calls.get(operation, 0) + 1

    def due(self, what, operation):
        with self.lock:
            if what not in self.plan or self.plan.get("operation", operation) != operation:
                return False
            self.seen[what] = self.seen.get(what, 0) + 1
            return self.seen[what] % self.plan[what] == 0

    def get(self, name, default):
        with self.lock:
            return self.plan.get(name, default)


FAULTS = Faults()


class Refusal(Exception):
    def __init__(self, kind, message, status=400):
        super().__init__(message)
        self.kind, self.status = kind, status


def check_signature(method, target, headers, body):
    algorithm, _, rest = headers.get("Authorization", "").partition(" ")
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    when = headers.get("X-Amz-Date", "")
    if algorithm != ALGORITHM or not {"Credential", "SignedHeaders", "Signature"} <= set(fields):
        raise Refusal("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
    access_key, _, scope = fields["Credential"].partition("/")
    signed = fields["SignedHeaders"].split(";")
    if access_key != ACCESS_KEY:
        raise Refusal("UnrecognizedClientException", "The security token included in the request is invalid.")
    if not {"host", "x-amz-date"} <= set(signed) or signed != sorted(signed) or any(headers.get(name) is None for name in signed):
        raise Refusal("InvalidSignatureException", "signed headers are " + fields["SignedHeaders"])
    try:
        sent = datetime.datetime.strptime(when, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc).timestamp()
    except ValueError:
        raise Refusal("IncompleteSignatureException", "X-Amz-Date is " + when) from None
    parts = scope.split("/")
    if len(parts) != 4 or parts[0] != when[:8] or parts[2:] != ["kinesis", "aws4_request"]:
        raise Refusal("InvalidSignatureException", "the scope of the credential is " + scope)
    if abs(time.time() - sent) > CLOCKS_DIFFER:
        raise Refusal("InvalidSignatureException", "Signature expired, or not yet valid: " + when)
    claimed = headers.get("X-Amz-Content-Sha256")
    if claimed and claimed != sha256(body):
        raise Refusal("InvalidSignatureException", "X-Amz-Content-Sha256 is not the body's")
    pairs = [(name, ",".join(headers.get_all(name))) for name in signed]
    if not hmac.compare_digest(signature(SECRET_KEY, scope, when, method, target, pairs, claimed or sha256(body)), fields["Signature"]):
        raise Refusal("InvalidSignatureException", "The request signature we calculated does not match the signature you provided.")


class Call(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True

    def answer(self, status, body, headers=(("Content-Type", "application/x-amz-json-1.1"),)):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass

    def do_GET(self):
        self.answer(200, json.dumps({"calls": dict(FAULTS.calls)}).encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/faults":
            FAULTS.set(json.loads(body or b"{}"))
            self.answer(200, b"{}")
            return
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        try:
            check_signature("POST", self.path, self.headers, body)
            FAULTS.called(operation)
            if FAULTS.due("call_every", operation):
                raise Refusal(FAULTS.get("call_error", THROTTLED), "Rate exceeded")
            if FAULTS.due("status_every", operation):
                raise Refusal("InternalFailure", "", 500)
            status, headers, text = put_records(self, body) if operation == "PutRecords" else carry(self, body)
        except Refusal as e:
            self.answer(e.status, json.dumps({"__type": e.kind, "message": str(e)}).encode())
            return
        if FAULTS.due("drop_every", operation):
            self.close_connection = True
            return
        if FAULTS.due("stall_every", operation):
            time.sleep(FAULTS.get("stall", 1))
        self.answer(status, text, headers)


def carry(call, body):
    """The stand-in's answer: status, headers, text."""
    connection = http.client.HTTPConnection("127.0.0.1", UPSTREAM, timeout=60)
    try:
        connection.request("POST", call.path, body, {k: v for k, v in call.headers.items() if k.lower() not in HOP_BY_HOP})
        answer = connection.getresponse()
        return answer.status, [h for h in answer.getheaders() if h[0].lower() not in HOP_BY_HOP], answer.read()
    finally:
        connection.close()


def put_records(call, body):
    """Some entries may be refused on purpose; the stand-in sees the others."""
    request = json.loads(body)
    entries = request.get("Records", [])
    if not 1 <= len(entries) <= MOST_RECORDS:
        raise Refusal("ValidationException", "Member must have length between 1 and %d: records are %d" % (MOST_RECORDS, len(entries)))
    if sum(len(e.get("Data", "")) * 3 // 4 + len(e.get("PartitionKey", "")) for e in entries) > MOST_BYTES:
        raise Refusal("InvalidArgumentException", "Records size exceeds 5 MB limit")
    refused = [FAULTS.due("record_every", "PutRecords") for _ in entries]
    if not any(refused):
        return carry(call, body)
    error = {"ErrorCode": FAULTS.get("record_error", THROTTLED), "ErrorMessage": "Rate exceeded for shard"}
    status, headers, reply = 200, [("Content-Type", "application/x-amz-json-1.1")], {"Records": []}
    if not all(refused):
        request["Records"] = [e for e, no in zip(entries, refused) if not no]
        status, headers, text = carry(call, json.dumps(request).encode())
        if status != 200:
            return status, headers, text
        reply = json.loads(text)
    stored = iter(reply["Records"])
    reply["Records"] = [error if no else next(stored) for no in refused]
    reply["FailedRecordCount"] = sum(bool(r.get("ErrorCode")) for r in reply["Records"])
    return 200, headers, json.dumps(reply).encode()


class Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main(port, upstream, command):
    global UPSTREAM
    UPSTREAM = upstream
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    listener = Listener(("127.0.0.1", port), Call)
    with subprocess.Popen(command) as stand_in:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        try:
            return stand_in.wait()
        finally:
            stand_in.kill()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
