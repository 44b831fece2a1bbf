#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The servers that other tests lean on: each that is installed starts, answers, refuses who should be refused, is killed and started again with its data,
and stops. SERVICES names those to try (default: all).
"""
import base64
import http.client
import os
import socket
import ssl
import struct
import subprocess
import sys
import time
from urllib.parse import quote

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import services
import signing
from server import process_of

count = failed = 0


def ok(good, what, why=""):
    global count, failed
    count += 1
    failed += not good
    print("%sok %d - %s" % ("" if good else "not ", count, what))
    if not good:
        for line in str(why).splitlines()[:40]:
            print("# " + line)
    sys.stdout.flush()


def skip(what, why):
    global count
    count += 1
    print("ok %d - %s # SKIP %s" % (count, what, why), flush=True)


def is_(got, want, what):
    ok(got == want, what, "got %r, expected %r" % (got, want))


# -- one server after the other -------------------------------------------------------------------------------------------------------

def lives(server, store, fetch):
    """The life of any server: what store() leaves, fetch() finds after a kill and after a restart."""
    ends = "data" if server.keeps_data else "the same address"
    store()
    is_(fetch(), "kept", server.name + " answers")
    for how in (server.kill, server.stop):
        pid = server.pid
        how()
        ok(pid and not server.pid and not process_of(pid), "%s ends" % server.name)
        server.start()
        if not server.keeps_data:
            store()
        is_(fetch(), "kept", "%s is back after %s, with %s" % (server.name, how.__name__, ends))


def s3(server):
    def store():
        server.create_bucket("things")
        server.call("PUT", "/things/a/b%20c", b"kept")

    lives(server, store, lambda: server.call("GET", "/things/a/b%20c")[2].decode())
    is_(server.call("PUT", "/things/a/b%20c", b"new", If_None_Match="*")[0], 412, server.name + " refuses a second PUT with If-None-Match")
    server.secret_key = "wrong"
    is_(server.call("GET", "/things/a/b%20c")[0], 403, server.name + " refuses a wrong signature")
    with type(server)(tls=True) as other:
        other.create_bucket("things")
        is_(other.call("GET", "/things")[0], 200, server.name + " with TLS")


def database(server):
    def store():
        server.sql("CREATE TABLE t (a INT); INSERT INTO t VALUES (42)")

    lives(server, store, lambda: "kept" if server.sql("SELECT a FROM t").strip() == "42" else "lost")


def kinesis(server):
    def store():
        server.call("CreateStream", StreamName="s", ShardCount=2)
        services.until(lambda: server.call("DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE", 10, "a stream")

    lives(server, store, lambda: "kept" if server.call("ListStreams")["StreamNames"] == ["s"] else "lost")

    def put(records):
        return server.signed("PutRecords", StreamName="s", Records=[{"Data": "YQ==", "PartitionKey": str(i)} for i in range(records)])

    is_(put(3)[0], 200, "kinesis takes a signed call")
    is_(put(501)[0], 400, "kinesis refuses 501 records")
    server.faults(record_every=2)
    status, reply = put(5)
    is_((status, reply["FailedRecordCount"], [bool(r.get("ErrorCode")) for r in reply["Records"]]), (200, 2, [False, True, False, True, False]),
        "kinesis fails every second record")
    server.faults(call_every=2, call_error="LimitExceededException")
    is_([put(1)[0], put(1)[1].get("__type"), put(1)[0]], [200, "LimitExceededException", 200], "kinesis fails every second call")
    server.faults(drop_every=1)
    try:
        ok(False, "kinesis closes the connection without an answer", put(1))
    except (OSError, http.client.HTTPException) as e:
        ok(True, "kinesis closes the connection without an answer", e)
    is_(server.calls(), {"PutRecords": 1}, "kinesis tells what was called")
    server.faults()
    server.secret_key = "wrong"
    is_(put(1)[1].get("__type"), "InvalidSignatureException", "kinesis refuses a wrong signature")


def toxiproxy(server):
    with socket.create_server(("127.0.0.1", 0)) as behind:
        behind.settimeout(10)
        proxies = []

        def store():
            proxies.append(server.proxy("p", "127.0.0.1:%d" % behind.getsockname()[1]))

        def fetch():
            host, port = proxies[-1].address.split(":")
            with socket.create_connection((host, int(port)), 10) as near:
                far, _ = behind.accept()
                with far:
                    far.sendall(b"kept")
                    return near.recv(4).decode()

        lives(server, store, fetch)
        proxies[-1].enable(False)
        try:
            ok(False, "toxiproxy refuses connections", fetch())
        except ConnectionRefusedError:
            ok(True, "toxiproxy refuses connections")
        proxies[-1].enable(True)
        proxies[-1].toxic("limit_data", bytes=2)
        is_(fetch(), "ke", "toxiproxy cuts an answer short")
        proxies[-1].clear()
        is_(fetch(), "kept", "toxiproxy lets all through again")


# -- Kafka ----------------------------------------------------------------------------------------------------------------------------

def kafka_call(connection, key, version, body):
    head = struct.pack(">hhih", key, version, 1, -1)
    connection.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
    read = connection.makefile("rb").read
    return read(struct.unpack(">i", read(4))[0])[4:]


def oauth(server, address, token):
    """Says OAUTHBEARER with a token at a listener, as the Kafka protocol does: what the broker answers to it, nothing where it takes it."""
    context = ssl.create_default_context(cafile=server.ca)
    host, port = address.split(":")
    first = ("n,,\x01auth=Bearer %s\x01\x01" % token).encode()
    with socket.create_connection((host, int(port)), 10) as plain, context.wrap_socket(plain, server_hostname=host) as connection:
        kafka_call(connection, 17, 1, struct.pack(">h", 11) + b"OAUTHBEARER")
        answer = kafka_call(connection, 36, 0, struct.pack(">i", len(first)) + first)
        return answer[8:].decode()  # after the error's number, its text (none) and a length


def msk_token(server, secret_key, expires=900):
    when = signing.now()
    scope = "/".join([when[:8], server.region, "kafka-cluster", "aws4_request"])
    host = "kafka.%s.amazonaws.com" % server.region
    target = "/?" + "&".join("%s=%s" % (k, quote(str(v), safe="-_.~")) for k, v in {
        "Action": "kafka-cluster:Connect", "X-Amz-Algorithm": signing.ALGORITHM, "X-Amz-Credential": server.access_key + "/" + scope,
        "X-Amz-Date": when, "X-Amz-Expires": expires, "X-Amz-SignedHeaders": "host"}.items())
    signature = signing.signature(secret_key, scope, when, "GET", target, [("host", host)], signing.sha256(b""))
    return base64.urlsafe_b64encode(("https://%s%s&X-Amz-Signature=%s&User-Agent=test" % (host, target, signature)).encode()).decode().rstrip("=")


def unsecured(claims):
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b'{"alg":"none"}', claims, b""))


def kafka_listing(server, listener, **properties):
    """The topics as one listener shows them to Kafka's own client, or why not."""
    path = server.path("client.properties")
    with open(path, "w", encoding="utf-8") as f:
        f.writelines("%s=%s\n" % (k.replace("__", "."), v) for k, v in properties.items())
    try:
        return server.topics("--list", "--command-config", path, at=getattr(server, listener)).split()
    except services.Failed as e:
        return e


def kafka(server):
    lives(server, lambda: server.create_topic("kept", 3, cleanup__policy="compact"), lambda: server.topics("--list").strip())
    tls = {"ssl__truststore__type": "PEM", "ssl__truststore__location": server.ca}
    scram = dict(tls, security__protocol="SASL_SSL", sasl__mechanism="SCRAM-SHA-512")
    login = 'org.apache.kafka.common.security.scram.ScramLoginModule required username="%s" password="%s";'
    is_(kafka_listing(server, "tls", security__protocol="SSL", **tls), ["kept"], "kafka %s: TLS" % server.version)
    is_(kafka_listing(server, "mtls", security__protocol="SSL", ssl__keystore__type="PEM", ssl__keystore__location=server.path("tls", "client.pem"), **tls),
        ["kept"], "kafka %s: a client's certificate" % server.version)
    is_(kafka_listing(server, "scram", sasl__jaas__config=login % (server.user, server.password), **scram), ["kept"], "kafka %s: SCRAM" % server.version)
    refused = kafka_listing(server, "scram", sasl__jaas__config=login % (server.user, "wrong"), **scram)
    ok(isinstance(refused, services.Failed), "kafka %s: SCRAM refuses a wrong password" % server.version, refused)
    later = str(int(time.time()) + 600).encode()
    is_(oauth(server, server.oauth, unsecured(b'{"sub":"alice","exp":%s}' % later)), "", "kafka %s: OAUTHBEARER" % server.version)
    is_(oauth(server, server.msk, msk_token(server, server.secret_key)), "", "kafka %s: a token of MSK" % server.version)
    is_(server.refusals(), [], "kafka %s: no token was refused" % server.version)
    refusing = '{"status":"invalid_token"}'
    is_(oauth(server, server.msk, msk_token(server, "wrong")), refusing, "kafka %s: a token signed with another key" % server.version)
    is_(oauth(server, server.msk, msk_token(server, server.secret_key, 901)), refusing, "kafka %s: a token for too long" % server.version)
    is_(oauth(server, server.msk, unsecured(b'{"sub":"alice","exp":%s}' % later)), refusing, "kafka %s: a token that is none" % server.version)
    why = " ".join(server.refusals())
    ok("signature is wrong" in why and "X-Amz-Expires is 901" in why, "kafka %s says why" % server.version, why)
    with services.toxiproxy() as network:
        network.proxy("kafka", server.proxied_upstream, server.proxied)
        is_(server.topics("--list", at=server.proxied).split(), ["kept"], "kafka %s: through a proxy" % server.version)


ABANDONED = """
import services
server = services.toxiproxy().start()
print(server.pid, server.dir, flush=True)
input()
"""


def keeper():
    """A test that is killed leaves no server behind."""
    here = os.path.dirname(os.path.abspath(__file__))
    with subprocess.Popen([sys.executable, "-B", "-c", ABANDONED], cwd=here, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as test:
        pid, folder = test.stdout.readline().split()
        test.kill()
    try:
        services.until(lambda: process_of(int(pid)) is None and not os.path.exists(folder), 10, "the end of a server whose test was killed")
        ok(True, "a server ends with its test, and its folder is gone")
    except services.Failed as e:
        ok(False, "a server ends with its test, and its folder is gone", e)


def main():
    if os.environ.get("SAN_FLAGS"):
        skip("servers for tests", "they are the same whatever Penstock was built with; a build without sanitizers tries them")
        print("1..1")
        return 0
    wanted = os.environ.get("SERVICES", "").split() or list(services.ALL)
    for name in wanted:
        versions = [{"version": v} for v in services.KAFKA_VERSIONS] if name == "kafka" else [{}]
        for options in versions:
            reason = services.missing(name, **options)
            if reason:
                skip(" ".join([name, *options.values()]), reason)
                continue
            try:
                with services.ALL[name](**options) as server:
                    folder = server.dir
                    TESTS[name](server)
                ok(not os.path.exists(folder), name + " leaves nothing behind")
            except (services.Failed, OSError, ValueError) as e:
                ok(False, name, "%s: %s" % (type(e).__name__, e))
        if name == "toxiproxy" and not services.missing(name):
            keeper()
    print("1..%d" % count)
    return 1 if failed else 0


TESTS = {"kafka": kafka, "minio": s3, "versitygw": s3, "kinesis": kinesis, "mariadb": database, "postgres": database, "toxiproxy": toxiproxy}

if __name__ == "__main__":
    sys.exit(main())
