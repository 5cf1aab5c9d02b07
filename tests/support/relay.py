"""A network between the daemon and a server, for tests to break.

Bytes pass between a port of 127.0.0.1 and a server. A relay can cut its
connections, or freeze: then nobody answers any more and nobody hangs up, which
is how a dead host, a pulled cable or a firewall that forgets look.
"""
import re
import socket
import threading


def port_of(server):
    host, port = server.address.split(",")
    return host, int(port)


class Relay:
    """Open from the start; close() it. `to` is (host, port)."""

    def __init__(self, to, port=0, host="127.0.0.1"):
        self.to = to
        self.sockets = []
        self.sent = bytearray()  # by clients
        self.received = bytearray()  # by clients
        self.connections = 0
        self.thawed = threading.Event()
        self.thawed.set()
        self.fuses = {}
        self.listener = socket.create_server((host, port))
        self.port = self.listener.getsockname()[1]
        self.address = f"{host},{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.to)
            except OSError:
                return
            self.connections += 1
            self.sockets += [client, server]
            for one, other, seen in ((client, server, self.sent),
                                     (server, client, self.received)):
                threading.Thread(target=self._pump, args=(one, other, seen),
                                 daemon=True).start()

    def _pump(self, one, other, seen):
        try:
            while data := one.recv(65536):
                self._burn(seen, data)
                self.thawed.wait()
                seen += data
                other.sendall(data)
        except OSError:
            pass
        for end in (one, other):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _burn(self, seen, data):
        """Freeze just before the bytes that a fuse waits for."""
        pattern, left = self.fuses.get(id(seen), (b"", 0))
        if not left or not re.search(pattern, data, re.S):
            return
        self.fuses[id(seen)] = pattern, left - 1
        if left == 1:
            self.freeze()

    def freeze(self):
        self.thawed.clear()

    def freeze_at(self, pattern, by_client=True, nth=1):
        """Freeze when the n-th piece passes that holds the pattern, a regular
        expression (bytes) or a text of a statement; the piece is held back."""
        if isinstance(pattern, str):
            pattern = re.escape(pattern.encode("utf-16-le"))
        self.fuses[id(self.sent if by_client else self.received)] = (
            pattern, nth)

    def is_frozen(self):
        return not self.thawed.is_set()

    def thaw(self):
        """Whoever still waits gets its answer; what is new passes."""
        self.fuses.clear()
        self.thawed.set()

    def cut(self):
        """Hang up on both sides."""
        for end in self.sockets:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.sockets.clear()

    def close(self):
        # Closing alone does not wake up who accepts.
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.thaw()
        self.cut()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
