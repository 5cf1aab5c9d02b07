"""Ports for servers, which have to get them back when they start again."""
import random
import socket

# Below those that the system gives to clients: one of them would be in the way
# of a server that was away for a moment.
FIRST, LAST = 10000, 32000


def free_port():
    dice = random.SystemRandom()
    for _ in range(1000):
        port = dice.randint(FIRST, LAST)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("all ports are taken")
