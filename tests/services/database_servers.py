# SPDX-License-Identifier: Apache-2.0
"""MariaDB and PostgreSQL as the system's packages bring them, over a data folder of their own. Both have a database `penstock` and a user `penstock` with
a password, who may replicate; both keep the log that replication reads (ROW, logical). .socket is where root enters without a password (MariaDB).
"""
import glob
import os
import signal
import stat
import subprocess

from server import Failed, Server, program, run

SOCKET_PATH_MAX = 107


class Database(Server):
    user, password, database, host = "penstock", "penstock-secret", "penstock", "127.0.0.1"
    scheme = ""
    socket = ""

    @property
    def port(self):
        return self.ports[0]

    @property
    def address(self):
        return "%s:%d" % (self.host, self.port)

    @property
    def url(self):
        return "%s://%s:%s@%s/%s" % (self.scheme, self.user, self.password, self.address, self.database)

    def check_socket(self):
        if len(self.socket) > SOCKET_PATH_MAX:
            raise Failed("%s: the socket's path is longer than %d: %s" % (self.name, SOCKET_PATH_MAX, self.socket))


class Mariadb(Database):
    name = "mariadb"
    scheme = "mysql"

    def __init__(self, dir=None, options=(), **rest):
        """`options`: for mariadbd, such as "--max-connections=5"."""
        super().__init__(dir, **rest)
        self.options = [options] if isinstance(options, str) else list(options)
        self.socket = self.path("socket")

    @classmethod
    def missing(cls):
        absent = [tool for tool in ("mariadb-install-db", "mariadbd", "mariadb") if not program(tool, "/usr/sbin", "/usr/local/sbin")]
        return "mariadb: the system has no %s (packages mariadb-server-core and mariadb-client-core)" % ", ".join(absent) if absent else None

    def variables(self):
        return {"MYSQL_URL": self.url, "MYSQL_HOST": self.host, "MYSQL_PORT": self.port, "MYSQL_USER": self.user, "MYSQL_PASSWORD": self.password,
                "MYSQL_DATABASE": self.database, "MYSQL_SOCKET": self.socket}

    def as_whom(self):
        """It does not run as root unless told to."""
        return ["--user=root"] if os.geteuid() == 0 else []

    def prepare(self):
        self.check_socket()
        run(["mariadb-install-db", "--no-defaults", "--datadir=" + self.path("data"), "--auth-root-authentication-method=normal", "--skip-test-db",
             *self.as_whom()], "mariadb-install-db")

    def command(self):
        return [program("mariadbd", "/usr/sbin", "/usr/local/sbin"), "--no-defaults", *self.as_whom(), "--datadir=" + self.path("data"),
                "--socket=" + self.socket, "--pid-file=" + self.path("mariadbd.pid"), "--bind-address=" + self.host, "--port=%d" % self.port,
                "--character-set-server=utf8mb4", "--innodb-buffer-pool-size=64M", "--performance-schema=OFF", "--server-id=1",
                "--log-bin=" + self.path("data", "binlog"), "--binlog-format=ROW", *self.options]

    def sql(self, text, database=None):
        """Carries statements out as root; what they answer, columns parted by tabs."""
        return run(["mariadb", "--no-defaults", "--socket=" + self.socket, "--user=root", "--skip-column-names", "--batch",
                    "--database=" + (database or self.database), "-e", text], "mariadb")

    def ready(self):
        asked = ["mariadb", "--no-defaults", "--socket=" + self.socket, "--user=root", "-e", "SELECT 1"]
        return subprocess.run(asked, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0

    def first_ready(self):
        self.sql("CREATE DATABASE %s; CREATE USER %s@'%%' IDENTIFIED BY '%s'; GRANT ALL ON %s.* TO %s@'%%'; "
                 "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO %s@'%%';"
                 % (self.database, self.user, self.password, self.database, self.user, self.user), "mysql")


class Postgres(Database):
    name = "postgres"
    scheme = "postgresql"
    stop_signal = signal.SIGINT  # its fast end; SIGTERM waits for clients

    def __init__(self, dir=None, settings=None, **rest):
        """`settings`: such as {"max_connections": 5}."""
        super().__init__(dir, **rest)
        self.settings = dict({"wal_level": "logical", "shared_buffers": "32MB", "max_wal_senders": 4}, **(settings or {}))
        self.socket = self.path("socket")

    @classmethod
    def missing(cls):
        return None if cls.programs() else "postgres: the system has none (package postgresql)"

    @staticmethod
    def programs():
        """The folder of the newest server's programs, which is on nobody's PATH."""
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: float(path.split("/")[4]))
        anywhere = found[-1] if found else program("initdb")
        return os.path.dirname(os.path.realpath(anywhere)) if anywhere else None

    def variables(self):
        return {"POSTGRES_URL": self.url, "PGHOST": self.host, "PGPORT": self.port, "PGUSER": self.user, "PGPASSWORD": self.password,
                "PGDATABASE": self.database, "POSTGRES_SOCKET_DIR": self.socket}

    @staticmethod
    def as_whom():
        """It refuses to run as root, so root runs it as the user that its package made."""
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if os.geteuid() == 0 else []

    def prepare(self):
        self.socket = self.path("socket")
        os.makedirs(self.socket, exist_ok=True)
        os.makedirs(self.path("data"), mode=0o700, exist_ok=True)
        with open(self.path("password"), "w", encoding="ascii") as f:
            f.write(self.password + "\n")
        if os.geteuid() == 0:
            os.chmod(self.dir, 0o755)
            for path in (self.path("socket"), self.path("data"), self.path("password")):
                run(["chown", "postgres", path], "chown")
            self.check_way()
        run([*self.as_whom(), os.path.join(self.programs(), "initdb"), "-D", self.path("data"), "-U", self.user, "-A", "scram-sha-256",
             "--pwfile=" + self.path("password"), "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"], "initdb", cwd=self.dir)

    def check_way(self):
        """The user postgres must get as far as the folder."""
        above = self.dir
        while above != "/":
            if not os.stat(above).st_mode & stat.S_IXOTH:
                raise Failed("postgres: the folder %s lets no other user pass, and the server cannot run as root" % above)
            above = os.path.dirname(above)

    def command(self):
        settings = [part for item in self.settings.items() for part in ("-c", "%s=%s" % item)]
        return [*self.as_whom(), os.path.join(self.programs(), "postgres"), "-D", self.path("data"), "-k", self.socket, "-h", self.host, "-p",
                str(self.port), *settings]

    def ready(self):
        return subprocess.run([os.path.join(self.programs(), "pg_isready"), "-q", "-h", self.host, "-p", str(self.port)], check=False).returncode == 0

    def sql(self, text, database=None):
        """Carries statements out as the user `penstock`, who may everything; what they answer, columns parted by tabs."""
        return run([os.path.join(self.programs(), "psql"), "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-h", self.host, "-p", str(self.port),
                    "-U", self.user, "-c", text, database or self.database], "psql", env=dict(os.environ, PGPASSWORD=self.password))

    def first_ready(self):
        self.sql("CREATE DATABASE " + self.database, "postgres")
