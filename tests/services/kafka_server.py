# SPDX-License-Identifier: Apache-2.0
"""Kafka: one broker (KRaft: no ZooKeeper) with a listener for each way in that clients use.

    .plain              no TLS, nobody is asked                     KAFKA_PLAIN
    .tls                TLS; .ca is the authority                   KAFKA_TLS
    .mtls               TLS that wants a client's certificate       KAFKA_MTLS      .client_cert and .client_key are one
    .scram              TLS, SCRAM-SHA-512: .user, .password        KAFKA_SCRAM
    .oauth              TLS, OAUTHBEARER, unsecured JWS             KAFKA_OAUTH
    .msk                TLS, OAUTHBEARER with what an MSK client    KAFKA_MSK       .access_key, .secret_key, .region
                        with IAM sends, its signature checked
    .proxied            nothing listens there: put a proxy there    KAFKA_PROXIED
                        that leads to .proxied_upstream

A client that enters by one listener is told the same listener's address for what follows, so all it does goes through the proxy.
"""
import os
import shutil

import certificates
from server import CACHE, Server, absent, program, run, until

VERSIONS = ("3.9.1", "4.3.1")
CLUSTER = "cGVuc3RvY2sgdGVzdHMhIQ"
USER, PASSWORD = "alice", "alice-secret"
ACCESS_KEY, SECRET_KEY, REGION = "AKIDPENSTOCK", "the/secret+key/of/the/tests", "us-east-1"
JVM = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xlog:cds=off", "-Xlog:class+path=off",
       "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
LISTENERS = ("plain", "tls", "mtls", "scram", "oauth", "msk", "proxied", "controller")
OVER_TLS = ("tls", "mtls", "scram", "oauth", "msk")
PROTOCOLS = {"tls": "SSL", "mtls": "SSL", "scram": "SASL_SSL", "oauth": "SASL_SSL", "msk": "SASL_SSL"}
COMPACT_FAST = {"log.cleaner.backoff.ms": 200, "log.segment.ms": 1000, "log.cleaner.min.cleanable.ratio": 0.01, "log.cleaner.max.compaction.lag.ms": 1000}
# One broker holds one copy of everything. Its old registration, after a SIGKILL, lapses within three seconds.
ALONE = {
    "process.roles": "broker,controller", "node.id": 1, "controller.listener.names": "CONTROLLER", "inter.broker.listener.name": "PLAIN",
    "num.partitions": 2, "offsets.topic.num.partitions": 1, "offsets.topic.replication.factor": 1, "transaction.state.log.num.partitions": 1,
    "transaction.state.log.replication.factor": 1, "transaction.state.log.min.isr": 1, "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1, "group.initial.rebalance.delay.ms": 0, "broker.heartbeat.interval.ms": 500,
    "broker.session.timeout.ms": 3000, "log.index.size.max.bytes": 1 << 20,
}


def home(version):
    return os.path.join(CACHE, "kafka", version)


def archive(version):
    """The broker's classes as the virtual machine left them when it had read them: a start then takes two thirds of the time."""
    return os.path.join(home(version), "classes.jsa")


def java(version, *arguments, heap="128m", options=()):
    shared = ["-XX:SharedArchiveFile=" + archive(version)] if os.path.exists(archive(version)) else []
    return ["java", *JVM, *shared, "-Xmx" + heap, *options, "-cp", os.path.join(home(version), "libs", "*"), *arguments]


def storage_format(version, properties):
    """Makes the folder that `properties` names an empty broker's, in which the user is known."""
    run(java(version, "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", properties, "--add-scram",
             "SCRAM-SHA-512=[name=%s,password=%s]" % (USER, PASSWORD)), "formatting Kafka's folder")


def save_properties(path, properties):
    with open(path, "w", encoding="utf-8") as f:
        f.writelines("%s=%s\n" % item for item in properties.items())


def empty_properties(folder):
    return dict(ALONE, **{"log.dirs": folder, "controller.quorum.voters": "1@127.0.0.1:1", "listeners": "PLAIN://127.0.0.1:2,CONTROLLER://127.0.0.1:1",
                          "advertised.listeners": "PLAIN://127.0.0.1:2", "listener.security.protocol.map": "PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT"})


class Kafka(Server):
    name = "kafka"
    ports_needed = len(LISTENERS) + 1
    ready_within = 120
    user, password = USER, PASSWORD
    access_key, secret_key, region = ACCESS_KEY, SECRET_KEY, REGION

    def __init__(self, dir=None, version=VERSIONS[0], compact_fast=False, settings=None, heap="384m", java_options=(), **options):
        """`compact_fast`: logs are compacted within seconds, as long as something is written. `settings`: further broker properties. `java_options`: such as
        -XX:TieredStopAtLevel=4, for a broker that is quick after a slower start."""
        self.version = version
        super().__init__(dir, **options)
        self.settings = dict(COMPACT_FAST if compact_fast else {}, **(settings or {}))
        self.heap, self.java_options = heap, list(java_options)
        at = dict(zip(LISTENERS + ("upstream",), self.ports))
        self.proxied_upstream = "127.0.0.1:%d" % at.pop("upstream")
        self.addresses = {name: "%s:%d" % ("localhost" if name in OVER_TLS else "127.0.0.1", port) for name, port in at.items()}
        for name in LISTENERS[:-1]:
            setattr(self, name, self.addresses[name])
        self.ca, self.client_cert, self.client_key = (self.path("tls", file) for file in ("ca.pem", "client.crt", "client.key"))

    @classmethod
    def missing(cls, version=VERSIONS[0]):
        if not program("java"):
            return "kafka: there is no java"
        return None if os.path.exists(os.path.join(home(version), "formatted")) else absent("kafka-" + version, "Kafka " + version)

    def reason(self):
        return self.missing(self.version)

    def variables(self):
        found = {"KAFKA_" + name.upper(): self.addresses[name] for name in LISTENERS[:-1]}
        return dict(found, KAFKA_USER=USER, KAFKA_PASSWORD=PASSWORD, KAFKA_ACCESS_KEY=ACCESS_KEY, KAFKA_SECRET_KEY=SECRET_KEY, KAFKA_REGION=REGION,
                    KAFKA_CA=self.ca, KAFKA_CLIENT_CERT=self.client_cert, KAFKA_CLIENT_KEY=self.client_key, KAFKA_PROXIED_UPSTREAM=self.proxied_upstream)

    def prepare(self):
        os.makedirs(self.path("tls"), exist_ok=True)
        certificates.authority(self.path("tls"))
        for name in ("server", "client"):
            certificates.issue(self.path("tls"), name)
        shutil.copytree(os.path.join(home(self.version), "formatted"), self.path("data"))

    def properties(self):
        listen = {name: address.replace("localhost", "127.0.0.1") for name, address in self.addresses.items()}
        listen["proxied"] = self.proxied_upstream
        module = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"broker\""
        return dict(ALONE, **{
            "log.dirs": self.path("data"),
            "controller.quorum.voters": "1@" + self.addresses["controller"],
            "listeners": ",".join("%s://%s" % (name.upper(), address) for name, address in listen.items()),
            "advertised.listeners": ",".join("%s://%s" % (name.upper(), self.addresses[name]) for name in LISTENERS[:-1]),
            "listener.security.protocol.map": ",".join("%s:%s" % (name.upper(), PROTOCOLS.get(name, "PLAINTEXT")) for name in LISTENERS),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": self.path("tls", "server.pem"),
            "listener.name.mtls.ssl.client.auth": "required",
            "listener.name.mtls.ssl.truststore.type": "PEM",
            "listener.name.mtls.ssl.truststore.location": self.ca,
            "listener.name.scram.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.scram.scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            "listener.name.oauth.sasl.enabled.mechanisms": "OAUTHBEARER",
            "listener.name.oauth.oauthbearer.sasl.jaas.config": module + ";",
            "listener.name.msk.sasl.enabled.mechanisms": "OAUTHBEARER",
            "listener.name.msk.oauthbearer.sasl.server.callback.handler.class": "MskTokens",
            "listener.name.msk.oauthbearer.sasl.jaas.config":
                '%s accessKey="%s" secretKey="%s" region="%s";' % (module, ACCESS_KEY, SECRET_KEY, REGION),
        }, **self.settings)

    def command(self):
        save_properties(self.path("server.properties"), self.properties())
        return java(self.version, "kafka.Kafka", self.path("server.properties"), heap=self.heap,
                    options=["-Xms64m", *self.java_options, "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info"])

    def ready(self):
        return "Kafka Server started" in self.logged()

    # -- for tests --

    def tool(self, tool, *arguments, at=None):
        """Runs one of Kafka's own tools, against .plain or another listener; what it printed. 0.7 s."""
        return run(java(self.version, tool, "--bootstrap-server", at or self.plain, *arguments), tool.rpartition(".")[2])

    def topics(self, *arguments, at=None):
        return self.tool("org.apache.kafka.tools.TopicCommand", *arguments, at=at)

    def create_topic(self, name, partitions=1, **settings):
        """Settings as keyword arguments: cleanup__policy="compact"."""
        given = [part for key, value in settings.items() for part in ("--config", "%s=%s" % (key.replace("__", "."), value))]
        self.topics("--create", "--topic", name, "--partitions", str(partitions), *given)

    def add_partitions(self, name, partitions):
        """Makes them `partitions` in all, and waits until clients are told of them: the tool is answered before."""
        self.topics("--alter", "--topic", name, "--partitions", str(partitions))
        until(lambda: "PartitionCount: %d" % partitions in self.topics("--describe", "--topic", name), 60, "%s has %d partitions" % (name, partitions))

    def refusals(self):
        """Why the MSK listener refused tokens, since the start."""
        return [line.partition(": ")[2] for line in self.logged().splitlines() if line.startswith("MskTokens: ")]
