# SPDX-License-Identifier: Apache-2.0
"""toxiproxy: a network that is slow, cut off or breaks in the middle, before any other server here.

    with services.toxiproxy() as t:
        p = t.proxy("db", m.address)              # clients go to p.address
        p.toxic("latency", latency=500)           # all milliseconds; what comes back ("downstream") unless stream="upstream"
        p.toxic("limit_data", bytes=100)          # the answer is cut after so many
        p.toxic("timeout", timeout=0)             # nothing comes any more, nothing is closed
        p.toxic("reset_peer", timeout=0)          # a reset
        p.enable(False)                           # connections are refused, those there are closed
        p.clear(); p.enable(True)                 # all well again
"""
import http.client
import json
import os

from server import CACHE, Failed, Server, absent, free_ports

VERSION = "2.5.0"
PROGRAM = os.path.join(CACHE, "bin", "toxiproxy-" + VERSION)


class Toxiproxy(Server):
    name = "toxiproxy"
    keeps_data = False

    @classmethod
    def missing(cls):
        return None if os.path.exists(PROGRAM) else absent(cls.name, "toxiproxy")

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.ports[0]

    def variables(self):
        return {"TOXIPROXY": self.url}

    def command(self):
        return [PROGRAM, "-host", "127.0.0.1", "-port", str(self.ports[0])]

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[0], timeout=10)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            raise Failed("toxiproxy: %s %s: %d %s" % (method, path, answer.status, text.decode(errors="replace")))
        return text

    def proxy(self, name, upstream, listen=None):
        """A proxy that leads to `upstream` (host:port), at `listen` or a free port."""
        return Proxy(self, name, upstream, listen or "127.0.0.1:%d" % free_ports(1)[0])

    def reset(self):
        """All proxies are enabled, all toxics gone."""
        self.call("POST", "/reset")


class Proxy:
    def __init__(self, server, name, upstream, listen):
        self.server, self.name, self.address, self.toxics = server, name, listen, 0
        server.call("POST", "/proxies", {"name": name, "listen": listen, "upstream": upstream, "enabled": True})

    def toxic(self, type, stream="downstream", toxicity=1.0, **attributes):
        """Adds one; its name is the result, for remove()."""
        self.toxics += 1
        name = "%s%d" % (type, self.toxics)
        self.server.call("POST", "/proxies/%s/toxics" % self.name,
                         {"name": name, "type": type, "stream": stream, "toxicity": toxicity, "attributes": attributes})
        return name

    def remove(self, toxic):
        self.server.call("DELETE", "/proxies/%s/toxics/%s" % (self.name, toxic))

    def clear(self):
        for toxic in json.loads(self.server.call("GET", "/proxies/%s/toxics" % self.name)):
            self.remove(toxic["name"])

    def enable(self, on):
        self.server.call("POST", "/proxies/" + self.name, {"enabled": on})
