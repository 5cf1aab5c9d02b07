"""Every fault that there is, on some of the casts of servers that can have it:
240 of them. FAULT_SEED gives other ones, FAULT_SHARE=100 all of them on
each cast. A failure says how to play it again."""
import collections
import os

import pytest

from faults import catalogue, failpoints
from rounds import faults_of, play
from stage import CASTS

PIECE = 15  # rounds with one set of servers
SEED = int(os.environ.get("FAULT_SEED") or 1000) // len(CASTS) * len(CASTS)
SHARE = int(os.environ.get("FAULT_SHARE") or 30)  # of each cast


def deal():
    """(seed, numbers of faults in its order): of each cast so many, those
    first that the casts before it were given least."""
    given, dealt = collections.Counter(), []
    for seed in range(SEED, SEED + len(CASTS)):
        names = [fault.__name__ for fault in faults_of(seed)]
        left = list(range(len(names)))
        while left and len(names) - len(left) < SHARE:
            number = min(left, key=lambda n: given[names[n]])
            given[names[number]] += 1
            left.remove(number)
        dealt.append((seed, [n for n in range(len(names)) if n not in left]))
    return dealt


def pieces():
    return [(seed, numbers[begin:begin + PIECE])
            for seed, numbers in deal()
            for begin in range(0, len(numbers), PIECE)]


@pytest.mark.parametrize("piece", range(len(pieces())))
def test_faults(piece):
    seed, numbers = pieces()[piece]
    happened = play(seed, numbers)
    assert sum(happened.values()) == len(numbers)
    missed = [name for name, reached in happened if not reached]
    print(f"seed {seed}: {happened}")
    assert len(missed) <= len(numbers) / 3, \
        f"too many did not happen: {missed}"


def test_every_fault_is_dealt_out():
    dealt = {faults_of(seed)[n].__name__
             for seed, numbers in deal() for n in numbers}
    assert dealt == {fault.__name__ for cast in CASTS
                     for fault in catalogue(cast)}


def test_every_failpoint_is_ordered():
    assert failpoints()
    for cast in CASTS:
        names = {f.__name__ for f in catalogue(cast)}
        for name in failpoints():
            assert f"kill_at_{name}" in names
