# SPDX-License-Identifier: Apache-2.0
"""AWS's Signature Version 4, for tests: what signs requests to the servers here, and what checks those that come to them."""
import datetime
import hashlib
import hmac
from urllib.parse import parse_qsl, quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")


def escaped(text, also=""):
    return quote(text, safe="-_.~" + also)


def signature(secret_key, scope, when, method, target, signed, payload):
    """The signature of a request. `scope`: day/region/service/aws4_request; `target`: path and query; `signed`: sorted pairs of header name, in lower
    case, and value; `payload`: the body's SHA-256, or what stands for it.
    """
    url = urlsplit(target)
    query = "&".join("%s=%s" % (escaped(k), escaped(v)) for k, v in sorted(parse_qsl(url.query, keep_blank_values=True)))
    lines = [method, url.path or "/", query]
    lines += ["%s:%s" % (name, " ".join(value.split())) for name, value in signed]
    lines += ["", ";".join(name for name, _ in signed), payload]
    text = "\n".join([ALGORITHM, when, scope, sha256("\n".join(lines).encode())])
    key = ("AWS4" + secret_key).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def sign(server, service, method, target, body=b"", headers=None):
    """The headers of a signed request to a server that has .address, .access_key, .secret_key and .region."""
    when = now()
    scope = "/".join([when[:8], server.region, service, "aws4_request"])
    signed = {name.lower(): value for name, value in (headers or {}).items()}
    signed.update({"host": server.address, "x-amz-date": when, "x-amz-content-sha256": sha256(body)})
    pairs = sorted(signed.items())
    signed["authorization"] = "%s Credential=%s/%s, SignedHeaders=%s, Signature=%s" % (
        ALGORITHM, server.access_key, scope, ";".join(name for name, _ in pairs),
        signature(server.secret_key, scope, when, method, target, pairs, sha256(body)))
    return signed
