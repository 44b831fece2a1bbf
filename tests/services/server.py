# SPDX-License-Identifier: Apache-2.0
"""What all servers here have in common: a folder that holds everything they need, ports that stay theirs, a start that waits until the server is
ready or says what it printed, stop, kill -9, and start again over the same folder. Nothing listens but on 127.0.0.1.

A server started from a test ends with the test, however that ends: a shell waits for the end of a pipe that only the test holds.
"""
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.path.join(os.environ.get("PENSTOCK_CACHE") or os.path.expanduser("~/.cache/penstock"), "services")
# Waits for a line (all is well) or the end of its input (the test is gone: so shall be the server, and its folder where that was a temporary one).
KEEPER = 'read -r _ || { kill -s KILL -- "-$1" 2>/dev/null; [ -z "$2" ] || { sleep 0.5; rm -rf -- "$2"; }; }'


class Unavailable(Exception):
    """The server is not on this machine; the text says why, and is what a skipped test says."""


class Failed(Exception):
    """The server is there, and did not do what it should."""


def reason_file(name):
    return os.path.join(CACHE, "failed", name)


def absent(name, what):
    """Why `what` of the server `name` is not there: what the installation said, or that there was none."""
    try:
        with open(reason_file(name), encoding="utf-8") as f:
            return "%s: %s" % (name, f.read().strip())
    except OSError:
        return "%s: %s is not there; `tests/services/install %s` gets it" % (name, what, name)


def program(name, *places):
    """Where a program lies: on PATH or in one of `places`; None where it is not there."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), *places]))


def free_ports(count):
    """Ports of 127.0.0.1 that nobody has, below those that the system gives to outgoing connections: so they are free again after a restart."""
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
            end = int(f.read().split()[0])
    except OSError:
        end = 32768
    begin = 10000 if end > 12000 else 1100
    found = []
    while len(found) < count:
        port = random.SystemRandom().randrange(begin, end)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


def until(probe, seconds, what, every=0.02):
    """Calls probe() until it answers something; that is the result."""
    end = time.monotonic() + seconds
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failed("%s: not within %g s" % (what, seconds))
        time.sleep(every)


def listening(port):
    with socket.socket() as s:
        s.settimeout(2)
        return s.connect_ex(("127.0.0.1", port)) == 0


def process_of(pid):
    """(when it was started, its parent) of a process that runs; None for one that does not, also if nobody has waited for it yet."""
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as f:
            fields = f.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else (int(fields[19]), int(fields[1]))


def descendants(pid):
    """A process and all that it started, and they in turn."""
    parents = {}
    for entry in os.listdir("/proc"):
        found = process_of(int(entry)) if entry.isdigit() else None
        if found:
            parents.setdefault(found[1], []).append(int(entry))
    family = [pid]
    for member in family:
        family += parents.get(member, [])
    return family


class Server:
    """One server. A subclass says its name, how it is called and when it is ready; a user calls start, stop, kill, restart, or uses `with`."""
    name = ""            # for the command line and for skips
    ports_needed = 1
    ready_within = 30    # seconds
    stop_signal = signal.SIGTERM
    keeps_data = True    # over a restart

    def __init__(self, dir=None, detached=False):
        """`dir`: the server's folder, kept; without one it is a temporary one. `detached`: it outlives this process."""
        reason = self.reason()
        if reason:
            raise Unavailable(reason)
        self.temporary = dir is None
        self.dir = os.path.abspath(dir) if dir else tempfile.mkdtemp(prefix="penstock-%s-" % self.name)
        os.makedirs(self.dir, exist_ok=True)
        self.detached = detached
        self.log = self.path("log")
        self.child = self.keeper = None
        self.known = {}
        if os.path.exists(self.path("server.json")):
            with open(self.path("server.json"), encoding="utf-8") as f:
                self.known = json.load(f)
        self.ports = self.known.get("ports") or free_ports(self.ports_needed)

    # -- what a subclass says --

    @classmethod
    def missing(cls):
        """Why this server cannot be started here, else None."""
        return None

    def reason(self):
        return self.missing()

    def prepare(self):
        """What is done once in a new folder."""

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {}

    def ready(self):
        return listening(self.ports[0])

    def first_ready(self):
        """What is done once, when the server runs for the first time."""

    def variables(self):
        """Where it is and who may enter, for shells."""
        return {}

    # -- what a user calls --

    @property
    def pid(self):
        """The process that runs, else None."""
        found = process_of(self.known["pid"]) if self.known.get("pid") else None
        return self.known["pid"] if found and found[0] == self.known["began"] else None

    def start(self):
        if self.pid:
            raise Failed("%s runs already in %s" % (self.name, self.dir))
        try:
            if not self.known.get("prepared"):
                self.prepare()
                self.remember(ports=self.ports, prepared=True)
            self.launch()
            self.wait_until_ready()
            if not self.known.get("initialised"):
                self.first_ready()
                self.remember(initialised=True)
        except BaseException:
            self.kill()
            if self.temporary:
                self.remove()
            raise
        return self

    def stop(self, within=30):
        """Asks the server to end, and waits until it has."""
        pid = self.pid
        if pid:
            os.kill(pid, self.stop_signal)
            try:
                until(self.ended, within, "%s: the end after signal %d" % (self.name, self.stop_signal))
            except Failed:
                self.kill()
                raise
        self.let_go()

    def kill(self):
        """SIGKILL to it and all that it started. What it had not written to its files is gone."""
        pid = self.pid
        if pid:
            family = descendants(pid)
            for member in family:
                try:
                    os.kill(member, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            until(lambda: self.ended() and not any(process_of(p) for p in family), 30, "%s: the end after SIGKILL" % self.name)
        self.let_go()

    def restart(self):
        self.stop()
        return self.start()

    def __enter__(self):
        return self if self.pid else self.start()

    def __exit__(self, *_):
        if self.temporary:
            self.kill()
            self.remove()
        else:
            self.stop()

    # -- the rest --

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def remember(self, **what):
        self.known.update(what)
        with open(self.path("server.json.new"), "w", encoding="utf-8") as f:
            json.dump(self.known, f)
        os.replace(self.path("server.json.new"), self.path("server.json"))

    def launch(self):
        environment = dict(os.environ, **self.environment())
        with open(self.log, "ab") as log:
            self.log_began = log.tell()
            self.child = subprocess.Popen(self.command(), env=environment, cwd=self.dir, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          start_new_session=True)
        pid = self.child.pid
        self.remember(pid=pid, began=(process_of(pid) or (0, 0))[0])
        if not self.detached:
            self.keeper = subprocess.Popen(["sh", "-c", KEEPER, "keeper", str(pid), self.dir if self.temporary else ""], stdin=subprocess.PIPE,
                                           start_new_session=True)

    def wait_until_ready(self):
        end = time.monotonic() + self.ready_within
        while not self.ready():
            if self.ended():
                raise Failed("%s ended at its start: %s" % (self.name, self.last_words()))
            if time.monotonic() > end:
                raise Failed("%s was not ready within %g s: %s" % (self.name, self.ready_within, self.last_words()))
            time.sleep(0.02)

    def ended(self):
        if self.child:
            self.child.poll()
        return self.pid is None

    def logged(self):
        """What it has printed since its last start."""
        with open(self.log, "rb") as f:
            f.seek(self.log_began)
            return f.read().decode(errors="replace")

    def last_words(self):
        return "\n" + "\n".join(self.logged().splitlines()[-20:]) + "\n(%s)" % self.log

    def let_go(self):
        if self.child:
            self.child.wait()
        self.child = None
        if self.keeper:
            self.keeper.communicate(b"\n")
        self.keeper = None

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def run(argv, what, **options):
    """Runs a command that must succeed; what it printed is in the error."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **options)
    text = done.stdout.decode(errors="replace")
    if done.returncode:
        raise Failed("%s: status %d: %s" % (what, done.returncode, "\n".join(text.splitlines()[-15:])))
    return text
