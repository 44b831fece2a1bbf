# SPDX-License-Identifier: Apache-2.0
"""Real servers for tests, on 127.0.0.1, each in a folder of its own. In a test:

    sys.path.insert(0, os.path.join(os.environ["top_srcdir"], "tests", "services"))
    import services

    with services.kafka() as k:            # starts it in a temporary folder, waits until it is ready; killed and removed at the end
        k.create_topic("t", partitions=4)
        ... k.plain ...                    # addresses and credentials are attributes
        k.kill()                           # SIGKILL to it and its children; k.stop() asks it to end
        k.start()                          # over the same folder, at the same ports; k.restart() is stop and start
    services.missing("kafka")              # why it is not there (the words of a skip), else None
    services.kafka() raises services.Unavailable where it is not there, and services.Failed with the last lines of its log when it does not start.

Every server has .pid (None: not running), .dir, .log (a file) and .variables() (names and values for a shell's environment). services.kafka(dir=DIR) uses
a folder that is kept; a second start there finds the data. Nothing is ever installed by a test: `tests/services/install` does that, and tests/run calls it.

    kafka(version="3.9.1", compact_fast=False, settings={}, heap="384m")      2 s       kafka_server.py says which listeners there are
    minio(tls=False), versitygw(tls=False)                                    0.5 s     .endpoint .access_key .secret_key .region .ca
    kinesis()                                                                 1 s       .endpoint, as above; .faults(…); no data after a restart
    mariadb(options=[]), postgres(settings={})                                1 s       .url .host .port .user .password .database .socket
    toxiproxy()                                                               0.1 s     .proxy(name, upstream) -> .address .toxic(…) .enable(…) .clear()

`tests/services/run NAME start --dir DIR` does the same from a shell.
"""
import os

from database_servers import Mariadb as mariadb
from database_servers import Postgres as postgres
from kafka_server import Kafka as kafka
from kafka_server import VERSIONS as KAFKA_VERSIONS
from kinesis_server import Kinesis as kinesis
from s3_servers import Minio as minio
from s3_servers import Versitygw as versitygw
from server import Failed, Unavailable, free_ports, until
from toxiproxy_server import Toxiproxy as toxiproxy

ALL = {server.name: server for server in (kafka, minio, versitygw, kinesis, mariadb, postgres, toxiproxy)}
__all__ = ["ALL", "KAFKA_VERSIONS", "Failed", "Unavailable", "free_ports", "missing", "until", *ALL]


if os.environ.get("PENSTOCK_SERVICES") == "no":  # tests/run says so for the builds that are to be done with sooner
    for server in ALL.values():
        server.missing = classmethod(lambda cls, **options: "%s: PENSTOCK_SERVICES=no" % cls.name)


def missing(name, **options):
    """Why a server cannot be started here, else None. kafka takes version=."""
    return ALL[name].missing(**options)
