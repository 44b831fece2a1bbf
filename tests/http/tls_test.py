#!/usr/bin/env python3
"""The gateway over TLS, with and without client certificates, the sink against it, and what `check` says of certificates and keys.
SPDX-License-Identifier: Apache-2.0"""
import http.client, json, os, shutil, socket, ssl, subprocess, time, warnings

from gateway import DIR, PENSTOCK, V2, Gateway, done, ok

if not shutil.which("openssl"):
    print("1..0 # SKIP no openssl command to make certificates with")
    raise SystemExit(0)


def openssl(*args):
    subprocess.run(["openssl", *args], cwd=DIR, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def authority(name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")


def certificate(name, ca):
    with open(f"{DIR}/{name}.ext", "w") as f:
        f.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
    openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem")


for ca in ("ours", "theirs"):
    authority(ca)
certificate("server", "ours")
certificate("client", "ours")
certificate("stranger", "theirs")


def post(gateway, cert=None, version=None):
    """The status of a post, or what kept it from being made."""
    context = ssl.create_default_context(cafile=f"{DIR}/ours.pem")
    if cert:
        context.load_cert_chain(f"{DIR}/{cert}.pem", f"{DIR}/{cert}.key")
    if version:
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = version
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    c = http.client.HTTPSConnection("127.0.0.1", gateway.port, context=context, timeout=20)
    try:
        codes = []
        for i in range(3):  # on one connection
            c.request("POST", "/topics/pin", json.dumps({"records": [{"value": {"i": i}}]}), {"Content-Type": V2})
            r = c.getresponse()
            r.read()
            codes.append(r.status)
            if r.status != 200:
                break
        return codes[-1]
    except (OSError, http.client.HTTPException) as e:
        return type(e).__name__
    finally:
        c.close()


tls = f"tls_cert = {DIR}/server.pem\ntls_key = {DIR}/server.key\n"
g = Gateway("tls", options=tls + "header_timeout = 1s")
ok(post(g) == 200, "TLS: posts are taken")
ok(post(g, version=ssl.TLSVersion.TLSv1_1) != 200, "TLS 1.1 is not")
s = socket.create_connection(("127.0.0.1", g.port))
s.sendall(b"POST /topics/pin HTTP/1.1\r\n\r\n")
s.settimeout(20)
try:
    answer = s.recv(100)
except OSError:
    answer = b""
ok(not answer.startswith(b"HTTP"), "plain HTTP is not understood on a TLS port", answer)
s = socket.create_connection(("127.0.0.1", g.port))
began = time.monotonic()
s.settimeout(1)
while time.monotonic() - began < 15:  # a greeting that trickles
    try:
        s.sendall(b"\x16"[:1] if time.monotonic() - began < 0.5 else b"\x03")
        if s.recv(1) == b"":
            break
    except socket.timeout:
        continue
    except OSError:
        break
ok(time.monotonic() - began < 12, f"a TLS greeting that comes byte by byte is cut off ({time.monotonic() - began:.1f} s)")
rows = [json.dumps({"i": i}) for i in range(50)]
with open(f"{DIR}/rows.jsonl", "w") as f:
    f.write("".join(r + "\n" for r in rows))


def sink(name, port, more):
    with open(f"{DIR}/{name}.ini", "w") as f:
        f.write(f"[pipeline]\nname = {name}\nstate = {DIR}/{name}-state\n[source in]\nplugin = file\npath = {DIR}/rows.jsonl\n[sink out]\nplugin = http\ninput = in\n"
                f"url = https://localhost:{port}\ntopic = geo\n{more}\n")
    try:
        return subprocess.run([PENSTOCK, "run", f"{DIR}/{name}.ini", "--until-end"], stderr=subprocess.PIPE, text=True, timeout=4 if name == "distrust" else 60)
    except subprocess.TimeoutExpired as e:
        return subprocess.CompletedProcess([], None, stderr=(e.stderr or b"").decode())


r = sink("trust", g.port, f"tls_ca = {DIR}/ours.pem")
ok(r.returncode == 0, "the sink posts over TLS", r.stderr[-300:])
r = sink("distrust", g.port, f"tls_ca = {DIR}/theirs.pem")
ok(r.returncode != 0, "and not to a server whose authority it does not know", (r.returncode, r.stderr[-300:]))
ok(g.stop() == 0 and len([x for x in g.records() if json.loads(x)["i"] == 49]) == 1, "what came by the sink is in the journal once")

g = Gateway("mutual", options=tls + f"tls_client_ca = {DIR}/ours.pem")
ok(post(g, "client") == 200, "a client certificate of the right authority")
ok(post(g) == 403, "none: 403")
ok(post(g, "stranger") != 200, "one of another authority")
r = sink("mutual-in", g.port, f"tls_ca = {DIR}/ours.pem\ntls_cert = {DIR}/client.pem\ntls_key = {DIR}/client.key")
ok(r.returncode == 0, "the sink shows its certificate", r.stderr[-300:])
g.stop()


def check(options, *more):
    with open(f"{DIR}/check.ini", "w") as f:
        f.write(f"[pipeline]\nname = c\nstate = {DIR}/c\n[source gateway]\nplugin = http\n{options}\n[transport log]\nplugin = journal\ninput = gateway.*\npath = {DIR}/cj\n")
    r = subprocess.run([PENSTOCK, "check", *more, f"{DIR}/check.ini"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return r.returncode, r.stdout


key = "k:" + "ab" * 32
for options, code, words in (("listen = 127.0.0.1:80\ntopics = pin", 0, ""), ("listen = 0.0.0.0:80\ntopics = pin", 2, "insecure = yes"),
                             ("listen = 0.0.0.0:80\ntopics = pin\n" + tls, 2, "keys or tls_client_ca"), (f"listen = 0.0.0.0:80\ntopics = pin\nkeys = {key}\n{tls}", 0, ""),
                             ("listen = 0.0.0.0:80\ntopics = pin\ninsecure = yes", 0, ""), ("listen = 80\ntopics = pin", 2, "HOST:PORT"),
                             ("listen = 127.0.0.1:99999\ntopics = pin", 2, "HOST:PORT"), ("listen = [::1]:80\ntopics = pin", 0, ""),
                             ("listen = 127.0.0.1:80", 2, "topics"), ("listen = 127.0.0.1:80\ntopics = a/b", 2, "a name is made of"),
                             ("listen = 127.0.0.1:80\ntopics = pin\nkeys = secret", 2, "NAME:HASH"), ("listen = 127.0.0.1:80\ntopics = pin\ntls_cert = /x", 2, "tls_key is missing"),
                             (f"listen = 127.0.0.1:80\ntopics = pin\ntls_cert = {DIR}/rows.jsonl\ntls_key = {DIR}/server.key", 2, "expected PEM")):
    got, text = check(options)
    ok(got == code and words in text, "check: " + options.replace(DIR, "").replace("\n", ", ")[:90], (got, text[-400:]))
g = Gateway("taken")
other = tls.replace("server.key", "client.key")
for options, code, words in (("listen = 127.0.0.1:0\ntopics = pin", 0, ""), ("listen = 127.0.0.1:0\ntopics = pin\n" + tls + f"tls_client_ca = {DIR}/ours.pem", 0, ""),
                             (f"listen = 127.0.0.1:{g.port}\ntopics = pin", 1, f"listen = 127.0.0.1:{g.port}: Address already in use"),
                             ("listen = 192.0.2.1:8080\ntopics = pin\ninsecure = yes", 1, "listen = 192.0.2.1:8080: Cannot assign requested address"),
                             ("listen = not-there.invalid:8080\ntopics = pin\ninsecure = yes", 1, "listen = not-there.invalid:8080: "),
                             ("listen = 127.0.0.1:0\ntopics = pin\n" + other, 1, "are tls_cert and tls_key a certificate and its key")):
    ok(check(options)[0] == 0, "without a look at what is there: " + options.replace(DIR, "").replace("\n", ", ")[:90])
    got, text = check(options, "--connect")
    ok(got == code and words in text and text.count("error: ") == (code != 0), "check --connect: " + (words or "all is there"), (got, text[-400:]))
g.stop()
done()
