"""A network between the daemon and a server, for tests to break.

Bytes pass between a port of 127.0.0.1 and a server. A relay can cut its
connections, or freeze: then nobody answers any more and nobody hangs up, which
is how a dead host, a pulled cable or a firewall that forgets look.
"""
import socket
import threading


def port_of(server):
    host, port = server.address.split(",")
    return host, int(port)


class Relay:
    """Open from the start; close() it. `to` is (host, port). `rewrite` may
    change what clients send, but not its length; `answer` what the server
    sends, given what both have sent before. What passes is remembered unless
    that would be too much."""

    def __init__(self, to, port=0, host="127.0.0.1", rewrite=bytes,
                 answer=lambda data, asked, before: data, remember=True):
        self.to, self.rewrite, self.answer = to, rewrite, answer
        self.remember = remember
        self.sockets = []
        self.conversations = []  # (what the client sent, what it received)
        self.thawed = threading.Event()
        self.thawed.set()
        self.fuses = {}
        self.limits = {}
        self.listener = socket.create_server((host, port))
        self.port = self.listener.getsockname()[1]
        self.address = f"{host},{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self.to)
            except OSError:  # it is down, and may come back
                client.close()
                continue
            self.sockets += [client, server]
            seen = bytearray(), bytearray()
            self.conversations.append(seen)
            for way, ends in enumerate(((client, server), (server, client))):
                threading.Thread(target=self._pump, daemon=True,
                                 args=(*ends, way, seen)).start()

    def _pump(self, one, other, way, seen):
        try:
            while data := one.recv(65536):
                data = self.answer(data, *seen) if way else \
                    self.rewrite(data)
                self._burn(way, data)
                self.thawed.wait()
                if self.remember:
                    seen[way].extend(data)
                other.sendall(data)
        except OSError:
            pass
        for end in (one, other):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _burn(self, way, data):
        """Freeze just before the bytes that a fuse waits for."""
        if sum(len(pair[way]) for pair in self.conversations) + len(data) > \
                self.limits.get(way, float("inf")):
            self.freeze()
        what, left = self.fuses.get(way, (b"", 0))
        if left and what in data:
            self.fuses[way] = what, left - 1
            if left == 1:
                self.freeze()

    def freeze(self):
        self.thawed.clear()

    def freeze_at(self, what, by_client=True, nth=1):
        """Freeze when the n-th piece would pass that holds `what`: bytes, or
        words of a statement; `by_client` or by the server."""
        if isinstance(what, str):
            what = what.encode("utf-16-le")
        self.fuses[0 if by_client else 1] = what, nth

    def freeze_after(self, count, by_client=True):
        """Likewise when more than so many bytes would have passed."""
        self.limits[0 if by_client else 1] = count

    def is_frozen(self):
        return not self.thawed.is_set()

    def thaw(self):
        """Whoever still waits gets its answer; what is new passes."""
        self.fuses.clear()
        self.limits.clear()
        self.thawed.set()

    def holds(self, what):
        """Did these bytes pass, in either direction?"""
        return any(what in seen for pair in self.conversations
                   for seen in pair)

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
