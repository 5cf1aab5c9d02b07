"""Every fault that there is, on every cast of servers: more than two hundred.
FAULT_SEED gives other ones. A failure says how to play it again."""
import os

import pytest

from faults import catalogue, failpoints
from rounds import cast_of, play
from stage import CASTS

PIECE = 20  # rounds with one set of servers
SEED = int(os.environ.get("FAULT_SEED") or 1000) // len(CASTS) * len(CASTS)


def pieces():
    """(seed, first round, how many): each cast, with all the faults there are
    for it."""
    return [(seed, begin, min(PIECE, count - begin))
            for seed in range(SEED, SEED + len(CASTS))
            for count in [len(catalogue(cast_of(seed)))]
            for begin in range(0, count, PIECE)]


@pytest.mark.parametrize("piece", range(len(pieces())))
def test_faults(piece):
    seed, begin, count = pieces()[piece]
    happened = play(seed, count, begin)
    assert sum(happened.values()) == count
    missed = [name for name, reached in happened if not reached]
    print(f"seed {seed}: {happened}")
    assert len(missed) <= count / 3, f"too many did not happen: {missed}"


def test_every_failpoint_is_ordered():
    assert failpoints()
    for cast in CASTS:
        names = {f.__name__ for f in catalogue(cast)}
        for name in failpoints():
            assert f"kill_at_{name}" in names
