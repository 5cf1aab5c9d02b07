"""What a server answers, changed on its way at random: for a Relay's `answer`.

Nothing guards a connection without TLS, so a change inside a row's value looks
like another value, and that is not looked for here. Changed are the places that
hold the protocol together: headers of packets, the tokens that begin them, and
lengths; and answers are cut short.
"""
import random

HEADER = 8
# ALTMETADATA, COLMETADATA, ORDER, ERROR, INFO, RETURNVALUE, LOGINACK, ROW,
# NBCROW, ENVCHANGE, DONE and its kin
TOKENS = (0x88, 0x81, 0xA9, 0xAA, 0xAB, 0xAC, 0xAD, 0xD1, 0xD2, 0xE3, 0xFD,
          0xFE, 0xFF)


# What bcp_init() of FreeTDS asks. It never ends when a row is answered.
BULK_QUESTION = "SET FMTONLY ON".encode("utf-16-le")


class Mutator:
    """Changes about one answer in `every`. Call it with each piece that a
    server sent, and what client and server sent before."""

    def __init__(self, seed, every):
        self.random = random.Random(seed)
        self.every = every
        self.changed = 0

    def __call__(self, data, asked, _):
        if self.random.randrange(self.every) or \
                BULK_QUESTION in asked[-1000:]:
            return data
        self.changed += 1
        data = bytearray(data)
        kind = self.random.randrange(4)
        if kind == 0:  # of the packet: type, status, length, number
            self._flip(data, self.random.randrange(min(HEADER, len(data))))
        elif kind == 1:  # its first token, or that token's length
            self._flip(data, min(HEADER + self.random.randrange(5),
                                 len(data) - 1))
        elif kind == 2:  # the token that tells how it ended: DONE
            self._flip(data, max(0, len(data) - 13))
        else:
            del data[self.random.randrange(len(data)):]
        return bytes(data)

    def _flip(self, data, at):
        if self.random.randrange(2):
            data[at] ^= 1 << self.random.randrange(8)
        else:
            data[at] = self.random.choice((0, 1, 0x7F, 0x80, 0xFF, *TOKENS))
