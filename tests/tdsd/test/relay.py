"""What passes between a client and the server, taken apart."""
import struct
import time

from clients import Server
from support import relay


class Relay(relay.Relay):
    """Before a Server of clients.py; endpoint() is one as well."""

    def __init__(self, server, **options):
        super().__init__((server.host, server.port), **options)
        self.server = server

    def endpoint(self):
        return Server("127.0.0.1", self.port, self.server.user,
                      self.server.password)

    def sent(self, number=0):
        """What the client of one connection sent."""
        return self.conversations[number][0]

    def received(self, number=0):
        return self.conversations[number][1]


def messages(data):
    """The messages of one side, each with all its packets."""
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
