#!/usr/bin/env python3
"""auth = iam, as a server sees it; and servers that are not to be trusted. SPDX-License-Identifier: Apache-2.0"""
import random
from urllib.parse import parse_qsl

from rig import *

import certificates
import fake
import signing

KEY, SECRET, SESSION = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session/token+with=signs"


def table(name, url, **more):
    lines = {"plugin": "rds", "url": url, "tables": "t", "connect_timeout": "5s", "silence_timeout": "5s"}
    lines.update(more)
    return pipeline(name, "".join("%s = %s\n" % item for item in lines.items()), ["t"])


def well_signed(token, port):
    """Whether this is a token that RDS would take."""
    host, _, query = token.partition("/?")
    fields = dict(parse_qsl(query, keep_blank_values=True))
    given = fields.pop("X-Amz-Signature", "")
    when = fields.get("X-Amz-Date", "")
    scope = fields.get("X-Amz-Credential", "").partition("/")[2]
    bare = "&".join("%s=%s" % (signing.escaped(k), signing.escaped(v)) for k, v in fields.items())
    want = signing.signature(SECRET, scope, when, "GET", "/?" + bare, [("host", host)], signing.sha256(b""))
    return (host == "localhost:%d" % port and fields.get("Action") == "connect" and fields.get("DBUser") == "db user" and given == want and
            fields.get("X-Amz-Security-Token") == SESSION and scope.endswith("/eu-west-3/rds-db/aws4_request") and int(fields.get("X-Amz-Expires", 0)) <= 900)


folder = at("certificates")
os.makedirs(folder)
certificates.authority(folder)
certificates.issue(folder, "server")
cert, key, ca = (os.path.join(folder, name) for name in ("server.crt", "server.key", "ca.pem"))
iam = {"auth": "iam", "region": "eu-west-3", "access_key": KEY, "secret_key": SECRET, "session_token": SESSION, "tls_ca": ca}
for scheme_, talk in (("postgresql", fake.pg_password), ("mysql", fake.my_password)):
    seen = []
    server = fake.Fake(talk(cert, key, seen))
    url = "%s://db%%20user@localhost:%d/d" % (scheme_, server.port)
    out = run(table("iam_" + scheme_, url, **iam))
    ok(len(seen) >= 1 and well_signed(seen[0], server.port), "%s: auth = iam sends a token that RDS would take" % scheme_, seen, out.stdout)
    ok(out.returncode != 0 and SECRET not in out.stdout and SESSION not in out.stdout and "X-Amz" not in out.stdout, "%s: which nobody else is shown" % scheme_, out.stdout)
    seen.clear()
    out = run(table("iamca_" + scheme_, url, **dict(iam, tls_ca="/etc/ssl/certs/ca-certificates.crt" if os.path.exists("/etc/ssl/certs/ca-certificates.crt") else cert)))
    ok(out.returncode != 0 and not seen, "%s: and no server that cannot prove its name" % scheme_, seen, out.stdout)
    out = run(table("iamoff_" + scheme_, url, **dict(iam, tls="off")))
    ok(out.returncode != 0 and not seen and "tls = verify" in out.stdout, "%s: nor anybody without TLS" % scheme_, seen, out.stdout)
    server.close()

seen = []
server = fake.Fake(fake.my_password(None, None, seen))
out = run(table("clear", "mysql://u:top-secret@localhost:%d/d" % server.port, tls="off"))
ok(out.returncode != 0 and "top-secret" not in "".join(seen) and "top-secret" not in out.stdout, "mysql: without TLS a server gets no password in clear text", seen, out.stdout)
server.close()
seen = []
server = fake.Fake(fake.my_asks_for_files(seen))
out = run(table("files", "mysql://u:p@localhost:%d/d" % server.port, tls="off"))
ok(out.returncode != 0 and not any(b"root" in s for s in seen), "mysql: a server gets no files", seen, out.stdout)
server.close()
rng = random.Random(5)
for i, data in enumerate([b"\0" * 100, b"\xff" * 100, rng.randbytes(1000), b"HTTP/1.1 400 Bad Request\r\n\r\n", fake.my_packet(0, b"\x0a"), b"E\0\0\0\x05x", b"R\x7f\xff\xff\xff", b"N"]):
    server = fake.Fake(fake.nonsense(data))
    for scheme_ in ("mysql", "postgresql"):
        out = run(table("n%d_%s" % (i, scheme_), "%s://u:p@localhost:%d/d" % (scheme_, server.port), tls="off"))
        ok(out.returncode in (1, 2) and len(out.stdout) < 3000, "%s: a server that talks nonsense (%d): a line, no more" % (scheme_, i), out.returncode, out.stdout[:1000])
    server.close()
done()
