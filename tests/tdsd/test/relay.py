"""Between a client and the server: keeps what passes, both ways."""
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

from clients import Server


@dataclass
class Session:
    sent: bytearray = field(default_factory=bytearray)
    received: bytearray = field(default_factory=bytearray)


class Relay:
    """`rewrite` may change what clients send, but not its length."""

    def __init__(self, server, rewrite=bytes):
        self.server, self.sessions, self.rewrite = server, [], rewrite
        self.socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            up = socket.create_connection((self.server.host,
                                           self.server.port))
            session = Session()
            self.sessions.append(session)
            for a, b, keep, change in (
                    (client, up, session.sent, self.rewrite),
                    (up, client, session.received, bytes)):
                threading.Thread(target=self._pump, args=(a, b, keep, change),
                                 daemon=True).start()

    @staticmethod
    def _pump(source, target, keep, change):
        while True:
            try:
                data = change(source.recv(65536))
                keep.extend(data)
                if not data:
                    target.shutdown(socket.SHUT_WR)
                    return
                target.sendall(data)
            except OSError:
                return

    def endpoint(self):
        return Server("127.0.0.1", self.socket.getsockname()[1],
                      self.server.user, self.server.password)


def messages(data):
    """The messages of a session, each a list of packets."""
    out, current, at = [], [], 0
    while at + 8 <= len(data):
        size = struct.unpack(">H", data[at + 2:at + 4])[0]
        current.append(bytes(data[at:at + size]))
        if data[at + 1] & 1:
            out.append(b"".join(current))
            current = []
        at += size
    return out


def payload(message):
    """What a message's packets hold, without their headers."""
    body, at = b"", 0
    while at + 8 <= len(message):
        size = struct.unpack(">H", message[at + 2:at + 4])[0]
        body += message[at + 8:at + size]
        at += size
    return body


def settle():
    """Time for the relay to see what the client has seen."""
    time.sleep(0.1)
