#!/usr/bin/env python3
"""penstock store: buckets made, configured, described and deleted, and what others have set left alone. SPDX-License-Identifier: Apache-2.0"""
import json, os, re, subprocess, sys, tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import archives
from archives import PENSTOCK, ok, services

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


class Store:
    def __init__(self, server, folder):
        self.server, self.ini = server, os.path.join(folder, "p.ini")
        with open(self.ini, "w") as f:
            f.write(f"[pipeline]\nname = admin\n[defaults s3]\nendpoint = {server.endpoint}\naccess_key = {server.access_key}\n"
                    f"secret_key = {server.secret_key}\n[source in]\nplugin = generate\ncount = 1\n[sink out]\nplugin = file\ninput = in\npath = {folder}/out\n")

    def __call__(self, verb, *words, lead=None, env=None):
        """(status, rows or the message)"""
        done = subprocess.run([PENSTOCK, "store", verb, *(lead or ["--in=" + self.ini]), "--json", *words], capture_output=True,
                              text=True, timeout=60, env=env)
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()] if done.returncode == 0 else done.stderr

    def described(self, bucket):
        status, rows = self("describe", "s3://" + bucket)
        return {(r["what"], r["name"]): r["value"] for r in rows} if status == 0 else rows


def creating(store, server):
    status, rows = store("create", "--unique=yes", "s3://lake")
    name = rows[0]["name"] if status == 0 else ""
    ok(re.fullmatch("lake-" + UUID, name) and rows[0]["region"] == "us-east-1", "create: a UUID is added to the name", rows)
    ok(server.call("HEAD", "/" + name)[0] == 200, "and the bucket is there")
    status, rows = store("create", "--expire=7d", "--encryption=s3", "--tags=team=data env=test", "s3://plain/topics")
    ok((status, rows) == (0, [{"name": "plain", "region": "us-east-1"}]), "create with expiry, encryption and tags", rows)
    rows = store.described("plain")
    ok(rows == {("bucket", "plain"): "us-east-1", ("expiry", "topics/"): "7 days", ("encryption", None): "AES256", ("tag", "team"): "data",
                ("tag", "env"): "test"}, "describe tells all of it", rows)
    status, _, body = server.call("GET", "/plain?lifecycle=")
    ok(status == 200 and b"<Days>7</Days>" in body and b"<Prefix>topics/</Prefix>" in body, "which is what the server has", body)
    server.call("PUT", "/plain/topics/a", b"x")
    _, headers, _ = server.call("HEAD", "/plain/topics/a")
    ok(headers.get("X-Amz-Server-Side-Encryption") == "AES256", "what is put there is encrypted", headers)
    status, rows = store("list", "s3://")
    ok(status == 0 and sorted(r["name"] for r in rows) == sorted(["plain", name]) and all(r["created"] for r in rows), "list", rows)


def changing(store, server):
    rule = (b'<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule><ID>theirs &amp; ours</ID><Filter><And><Prefix>logs/</Prefix>'
            b'<Tag><Key>k</Key><Value>&lt;v&gt;</Value></Tag></And></Filter><Status>Enabled</Status><Expiration><Days>30</Days></Expiration></Rule>'
            b'</LifecycleConfiguration>')
    store("create", "s3://rules")
    ok(server.call("PUT", "/rules?lifecycle=", rule, Content_MD5=md5(rule))[0] == 200, "a rule of somebody else's")
    expiries = lambda: {k[1]: v for k, v in store.described("rules").items() if k[0] == "expiry"}
    store("change", "--expire=3d", "s3://rules/topics/")
    store("change", "--expire=1d", "s3://rules/t&<x>")
    ok(expiries() == {"logs/": "30 days", "topics/": "3 days", "t&<x>/": "1 day"}, "change adds rules beside it", expiries())
    ok(b"&lt;v&gt;" in server.call("GET", "/rules?lifecycle=")[2], "which stays as it is")
    status, rows = store("change", "--expire=5d", "s3://rules/topics")
    ok(status == 0 and expiries() == {"logs/": "30 days", "topics/": "5 days", "t&<x>/": "1 day"}, "a folder's rule is replaced", rows)
    store("change", "--expire=never", "s3://rules/topics")
    store("change", "--expire=never", "s3://rules/t&<x>")
    ok(expiries() == {"logs/": "30 days"}, "expire = never takes it away, and nothing else", expiries())
    server.call("DELETE", "/rules?lifecycle=")
    store("change", "--expire=2d", "s3://rules")
    before = expiries()
    status, rows = store("change", "--expire=never", "s3://rules")
    ok(before == {"": "2 days"} and status == 0 and not expiries() and store("change", "--expire=never", "s3://rules")[0] == 0,
       "the last one too, and where there is none", rows)
    store("change", "--tags=a=1,b=2", "s3://rules")
    store("change", "--tags=b=3 c=x=y", "s3://rules")
    tags = {k[1]: v for k, v in store.described("rules").items() if k[0] == "tag"}
    ok(tags == {"a": "1", "b": "3", "c": "x=y"}, "tags: others stay", tags)
    store("change", "--encryption=kms", "--kms_key=penstock", "s3://rules")
    rows = store.described("rules")
    ok(rows.get(("encryption", "penstock")) == "aws:kms", "a key of KMS", rows)
    status, rows = store("change", "--encryption=none", "--tags=none", "s3://rules")
    ok(status == 0 and store.described("rules") == {("bucket", "rules"): "us-east-1"}, "nothing is left", rows)


def md5(body):
    import base64, hashlib
    return base64.b64encode(hashlib.md5(body).digest()).decode()


def deleting(store, server):
    store("create", "s3://full")
    server.call("PUT", "/full?versioning=", b'<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>')
    ok(store.described("full").get(("versioning", None)) == "Enabled", "describe tells of versions")
    for key in ("a", "b%20%26%3Cc%3E", "d/e"):
        server.call("PUT", "/full/" + key, b"one")
        server.call("PUT", "/full/" + key, b"two")
    server.call("DELETE", "/full/a")
    status, said = store("delete", "s3://full")
    ok(status == 2 and "not empty" in said and "--objects=yes" in said and server.call("HEAD", "/full")[0] == 200, "a bucket that holds something stays", said)
    status, rows = store("delete", "--objects=yes", "s3://full")
    ok(status == 0 and rows == [{"name": "full", "objects": 7}] and server.call("HEAD", "/full")[0] == 404, "with objects = yes it goes, with all versions", rows)


def refused(store, server):
    for words, says in ((("create", "s3://plain"), "plain is there already"), (("describe", "s3://nowhere"), "there is no bucket nowhere"),
                        (("delete", "s3://nowhere"), "there is no bucket nowhere"), (("delete", "--objects=yes", "s3://nowhere"), "there is no bucket nowhere"),
                        (("change", "--expire=6h", "s3://plain"), "6h"), (("change", "--expire=36h", "s3://plain"), "whole days"),
                        (("change", "--tags=x", "s3://plain"), "KEY=VALUE"), (("change", "--kms_key=k", "s3://plain"), "encryption=kms"),
                        (("create", "--unique=yes", "s3://" + "n" * 40), "S3 takes 63"), (("delete", "s3://plain/topics"), "expected a bucket"),
                        (("create", "s3://"), "3 to 63"), (("list", "gs://x"), "no plugin serves"), (("list", "plain"), "expected the URL of a store"),
                        (("purge", "s3://plain"), "no verb purge")):
        status, said = store(*words)
        ok(status == 2 and says in said and said.count("\n") == 1, "%s: %s" % (" ".join(words)[:40], says), (status, said))
    ok(server.call("HEAD", "/plain")[0] == 200, "and nothing was done")
    lead = ["--endpoint=" + server.endpoint]
    env = dict(os.environ, AWS_ACCESS_KEY_ID=server.access_key, AWS_SECRET_ACCESS_KEY=server.secret_key)
    status, rows = store("list", "s3://plain", lead=lead, env=env)
    ok(status == 0 and [r["name"] for r in rows] == ["plain"], "by options and the environment alone", rows)
    status, said = store("list", "--secret_key=hush", "s3://", lead=lead, env=env)
    ok(status == 2 and "no place for a secret" in said and "hush" not in said, "no secret on a command line", said)
    status, said = store("describe", "s3://plain", lead=lead, env=dict(env, AWS_SECRET_ACCESS_KEY="wrong"))
    ok(status == 2 and "plain" in said and said.count("\n") == 1, "a wrong secret is one line", said)


archives.need("minio")
with services.minio() as server, tempfile.TemporaryDirectory(prefix="penstock-admin-") as folder:
    store = Store(server, folder)
    for part in (creating, changing, deleting, refused):
        part(store, server)
archives.done()
