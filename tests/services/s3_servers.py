# SPDX-License-Identifier: Apache-2.0
"""Two S3 servers: MinIO, which is complete, and versitygw, small and quick, whose objects are plain files in DIR/data/BUCKET. Both refuse wrong
signatures, and a second PUT with If-None-Match. MinIO keeps lifecycle rules; versitygw answers them with 501.
"""
import base64
import http.client
import os
import ssl

import certificates
import signing
from server import CACHE, Failed, Server, absent

MINIO_MODULE, MINIO_VERSION = "github.com/minio/minio", "v0.0.0-20260212201848-7aac2a2c5b7c"
VERSITYGW_MODULE, VERSITYGW_VERSION = "github.com/versity/versitygw/cmd/versitygw", "v1.8.0"
MINIO = os.path.join(CACHE, "bin", "minio-" + MINIO_VERSION.split("-")[1])
VERSITYGW = os.path.join(CACHE, "bin", "versitygw-" + VERSITYGW_VERSION[1:])


class S3Server(Server):
    access_key, secret_key, region = "penstock", "penstock-secret", "us-east-1"
    program, health, ca = "", "", None

    def __init__(self, dir=None, tls=False, **options):
        """`tls`: https; the authority that signed the certificate is in the file .ca"""
        super().__init__(dir, **options)
        self.tls = tls
        self.ca = self.path("tls", "ca.pem") if tls else None

    @classmethod
    def missing(cls):
        return None if os.path.exists(cls.program) else absent(cls.name, cls.name)

    @property
    def address(self):
        return "127.0.0.1:%d" % self.ports[0]

    @property
    def endpoint(self):
        return "%s://%s" % ("https" if self.tls else "http", self.address)

    def variables(self):
        found = {"S3_ENDPOINT": self.endpoint, "S3_ACCESS_KEY": self.access_key, "S3_SECRET_KEY": self.secret_key, "S3_REGION": self.region}
        return dict(found, S3_CA=self.ca) if self.tls else found

    def prepare(self):
        for folder in ("data", "versions", "tls"):
            os.makedirs(self.path(folder), exist_ok=True)
        if self.tls:
            certificates.authority(self.path("tls"))
            certificates.issue(self.path("tls"), "server")

    def ready(self):
        try:
            return self.exchange("GET", self.health)[0] == 200 and self.call("GET", "/")[0] == 200  # MinIO says the first too soon
        except (OSError, http.client.HTTPException):
            return False

    def exchange(self, method, target, body=b"", headers=None):
        if self.tls:
            connection = http.client.HTTPSConnection(self.address, timeout=30, context=ssl.create_default_context(cafile=self.ca))
        else:
            connection = http.client.HTTPConnection(self.address, timeout=30)
        try:
            connection.request(method, target, body, headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    # -- for tests --

    def call(self, method, target, body=b"", **headers):
        """A signed request; (status, headers, body). `target` is "/BUCKET/KEY?QUERY", escaped; headers as If_None_Match="*"."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.exchange(method, target, body, signing.sign(self, "s3", method, target, body, given))

    def create_bucket(self, name):
        status, _, body = self.call("PUT", "/" + name)
        if status != 200:
            raise Failed("%s: bucket %s: %d %s" % (self.name, name, status, body.decode(errors="replace")))


class Minio(S3Server):
    name = "minio"
    program, health = MINIO, "/minio/health/ready"

    def prepare(self):
        super().prepare()
        os.makedirs(self.path("certs"), exist_ok=True)
        if self.tls:  # the names that it looks for
            os.symlink("../tls/server.crt", self.path("certs", "public.crt"))
            os.symlink("../tls/server.key", self.path("certs", "private.key"))

    def command(self):
        return [MINIO, "server", "--quiet", "--anonymous", "--certs-dir", self.path("certs"), "--address", self.address, self.path("data")]

    def environment(self):
        return {"MINIO_ROOT_USER": self.access_key, "MINIO_ROOT_PASSWORD": self.secret_key, "MINIO_BROWSER": "off", "MINIO_UPDATE": "off",
                "MINIO_REGION_NAME": self.region, "MINIO_KMS_SECRET_KEY": "penstock:" + base64.b64encode(bytes(range(32))).decode()}


class Versitygw(S3Server):
    name = "versitygw"
    program, health = VERSITYGW, "/health"

    def command(self):
        tls = ["--cert", self.path("tls", "server.crt"), "--key", self.path("tls", "server.key")] if self.tls else []
        return [VERSITYGW, "--quiet", "--health", "/health", "--region", self.region, "--port", self.address, *tls, "posix", "--versioning-dir",
                self.path("versions"), self.path("data")]

    def environment(self):
        return {"ROOT_ACCESS_KEY": self.access_key, "ROOT_SECRET_KEY": self.secret_key}
