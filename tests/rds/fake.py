# SPDX-License-Identifier: Apache-2.0
"""Servers that are none: as much of both protocols as it takes to look at a password that comes in clear text through TLS, and to answer nonsense."""
import socket
import ssl
import struct
import threading


class Fake:
    """Accepts connections on a free port; `talk` has each of them, in a thread. What went wrong, or came, is for the talk to keep."""

    def __init__(self, talk):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.talk = talk
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(connection,), daemon=True).start()

    def one(self, connection):
        try:
            connection.settimeout(10)
            self.talk(connection)
        except (OSError, struct.error, IndexError):
            pass
        finally:
            connection.close()

    def close(self):
        self.listener.close()


def exactly(connection, n):
    got = b""
    while len(got) < n:
        more = connection.recv(n - len(got))
        if not more:
            raise OSError("closed")
        got += more
    return got


def secure(connection, cert, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context.wrap_socket(connection, server_side=True)


# -- PostgreSQL ------------------------------------------------------------------------------------------------------------------------------

def pg_startup(connection):
    """The startup message, behind a request for TLS that is refused where there is one."""
    size, code = struct.unpack(">II", exactly(connection, 8))
    rest = exactly(connection, size - 8)
    return code, rest


def pg_password(cert, key, keep):
    """Asks for the password in clear text, keeps it, and refuses it."""
    def talk(connection):
        code, _ = pg_startup(connection)
        if code != 80877103:  # no TLS was asked for
            return
        connection.sendall(b"S")
        c = secure(connection, cert, key)
        pg_startup(c)
        c.sendall(b"R" + struct.pack(">II", 8, 3))
        kind, size = struct.unpack(">cI", exactly(c, 5))
        keep.append(exactly(c, size - 4).rstrip(b"\0").decode() if kind == b"p" else repr(kind))
        text = b"SFATAL\0C28P01\0Mpassword authentication failed\0\0"
        c.sendall(b"E" + struct.pack(">I", len(text) + 4) + text)
    return talk


# -- MySQL -------------------------------------------------------------------------------------------------------------------------------------

CLIENT_SSL, CLIENT_PLUGIN_AUTH = 0x800, 0x80000


def my_packet(sequence, payload):
    return struct.pack("<I", len(payload))[:3] + bytes([sequence]) + payload


def my_read(connection):
    head = exactly(connection, 4)
    return head[3], exactly(connection, head[0] | head[1] << 8 | head[2] << 16)


def my_greeting(tls):
    flags = 0x0f | 0x200 | 0x2000 | 0x8000 | CLIENT_PLUGIN_AUTH | (CLIENT_SSL if tls else 0)
    return my_packet(0, b"\x0a8.0.36\0" + struct.pack("<I", 7) + b"abcdefgh\0" + struct.pack("<H", flags & 0xffff) + b"\x2d\2\0" + struct.pack("<H", flags >> 16) +
                     bytes([21]) + b"\0" * 10 + b"ijklmnopqrst\0" + b"mysql_native_password\0")


def my_password(cert, key, keep):
    """Asks for the password in clear text, keeps it, and refuses it. Without a certificate: without TLS."""
    def talk(connection):
        connection.sendall(my_greeting(cert is not None))
        sequence, first = my_read(connection)
        c = connection
        if cert:
            c = secure(connection, cert, key)
            sequence, first = my_read(c)
        c.sendall(my_packet(sequence + 1, b"\xfemysql_clear_password\0"))
        sequence, answer = my_read(c)
        keep.append(answer.rstrip(b"\0").decode(errors="replace"))
        c.sendall(my_packet(sequence + 1, b"\xff" + struct.pack("<H", 1045) + b"#28000Access denied"))
    return talk


def my_asks_for_files(keep):
    """Lets everybody in, and answers the first query by asking for a file."""
    def talk(connection):
        connection.sendall(my_greeting(False))
        sequence, _ = my_read(connection)
        connection.sendall(my_packet(sequence + 1, b"\0\0\0\2\0\0\0"))
        while True:
            sequence, query = my_read(connection)
            connection.sendall(my_packet(1, b"\xfb/etc/passwd"))
            sequence, content = my_read(connection)
            keep.append(content)
            connection.sendall(my_packet(sequence + 1, b"\0\0\0\2\0\0\0"))
    return talk


def nonsense(data):
    """Says something as soon as somebody comes, and goes on with it."""
    def talk(connection):
        for _ in range(200):
            connection.sendall(data)
    return talk
