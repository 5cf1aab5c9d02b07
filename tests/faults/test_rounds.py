"""Two hundred faults, every one that there is. FAULT_SEED gives other ones. A
failure says how to play it again."""
import os

import pytest

from faults import catalogue, failpoints
from rounds import play

ROUNDS = 200
PIECE = 20  # rounds with one set of servers
SEED = int(os.environ.get("FAULT_SEED") or 1000) // 2 * 2


def pieces():
    """(seed, first round): both kinds of control store, all their faults."""
    found = [(SEED + i, begin) for i, store in
             enumerate(("sqlserver", "sqlite"))
             for begin in range(0, len(catalogue(store)), PIECE)]
    seed = SEED + 2
    while len(found) * PIECE < ROUNDS:
        found.append((seed, 0))
        seed += 1
    return found


@pytest.mark.parametrize("piece", range(len(pieces())))
def test_faults(piece):
    seed, begin = pieces()[piece]
    happened = play(seed, PIECE, begin)
    assert sum(happened.values()) == PIECE
    missed = [name for name, reached in happened if not reached]
    print(f"seed {seed}: {happened}")
    assert len(missed) < PIECE / 4, f"too many did not happen: {missed}"


def test_every_failpoint_is_ordered():
    names = {f.__name__ for f in catalogue("sqlite")}
    assert failpoints()
    for name in failpoints():
        assert f"kill_at_{name}" in names
