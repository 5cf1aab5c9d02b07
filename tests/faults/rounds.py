"""Rounds: a workload, a fault, the whole truth; and again.

    rounds.py --seed S [--rounds N]     N rounds (all faults once) with one seed
    rounds.py --minutes M [--jobs J]    new seeds until the time is up
    rounds.py --seed S --faults 3,17    these of the seed's order

A seed gives the same statements and the same faults in the same order; what a
failing one says has the command that plays it again.
"""
import argparse
import collections
import concurrent.futures
import datetime
import os
import random
import shutil
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..")]

from faults import catalogue, clear  # noqa: E402
from stage import CASTS, Stage  # noqa: E402


def cast_of(seed):
    return CASTS[seed % len(CASTS)]


def faults_of(seed):
    """All that there are for its cast, in its order."""
    faults = catalogue(cast_of(seed))
    random.Random(seed).shuffle(faults)
    return faults


def play(seed, numbers):
    """These of the seed's order, which begins anew at its end. Returns what
    happened how often, and raises at the first thing that is wrong."""
    cast, faults = cast_of(seed), faults_of(seed)
    dice = random.Random(f"{seed} {numbers[0]}")
    happened = collections.Counter()
    folder = tempfile.mkdtemp(prefix="faults-")
    stage = Stage(folder, dice, cast)
    log = ""
    try:
        stage.prepare()
        for played, number in enumerate(numbers, 1):
            fault = faults[number % len(faults)]
            try:
                one_round(stage, fault)
            except Exception as error:
                log = stage.log()[-20000:]
                raise AssertionError(
                    f"seed {seed}, round {number}, {fault.__name__}: {error}\n"
                    f"{log}\nagain: tests/faults/rounds.py --seed {seed} "
                    f"--faults {','.join(map(str, numbers[:played]))}"
                ) from error
            happened[fault.__name__, stage.reached] += 1
    finally:
        try:
            stage.close()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return happened


def one_round(stage, fault):
    before, truncates = stage.loads(), stage.workload.truncates
    begun = str(datetime.datetime.now(datetime.timezone.utc))
    stage.asked_loads, stage.reached = 0, True
    stage.workload.burst()
    for _ in fault(stage):
        stage.workload.burst()
    clear(stage)
    stage.settle()
    # It goes on from its checkpoints: it does not load again for a fault.
    if stage.asked_loads == 0 and stage.workload.truncates == truncates:
        # The row of an earlier load may have waited for the control store.
        assert not [number for number, began in stage.loads().items()
                    if number not in before and began > begun], \
            "a table was loaded, nobody asked"


def play_or_say(seed, rounds):
    try:
        return play(seed, range(rounds)), None
    except Exception:  # whatever it is, somebody wants to read it
        return {}, f"seed {seed}:\n{traceback.format_exc()}"


def soak(minutes, jobs):
    deadline = time.monotonic() + minutes * 60
    seeds = iter(range(int(time.time()) * 100, 2**62))
    happened, failures = collections.Counter(), []
    with concurrent.futures.ProcessPoolExecutor(jobs) as pool:
        running = {pool.submit(play_or_say, next(seeds), 20)
                   for _ in range(jobs)}
        while running:
            done, running = concurrent.futures.wait(
                running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                count, failure = future.result()
                happened.update(count)
                if failure:
                    failures.append(failure)
                    print(failure, flush=True)
                if time.monotonic() < deadline:
                    running.add(pool.submit(play_or_say, next(seeds), 20))
            print(f"{sum(happened.values())} faults, {len(failures)} failed",
                  flush=True)
    return happened, failures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--begin", type=int, default=0)
    parser.add_argument("--faults", type=lambda text: [
        int(number) for number in text.split(",")])
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    if options.minutes:
        happened, failures = soak(options.minutes, options.jobs)
    else:
        seed = options.seed or 1
        rounds = options.rounds or len(catalogue(cast_of(seed)))
        numbers = options.faults or range(options.begin,
                                          options.begin + rounds)
        happened, failures = play(seed, numbers), []
    for (name, reached), count in sorted(happened.items()):
        print(f"{count:6} {name}{'' if reached else ' (did not happen)'}")
    print(f"{sum(happened.values())} faults, {len(failures)} failed")
    return len(failures) > 0


if __name__ == "__main__":
    sys.exit(main())
