"""Verification between systems that sort a key otherwise: uuid, which SQL Server
orders by its last six bytes first, and text, by a collation or by its bytes."""
import itertools
import random
import string
import threading
import time
import uuid

import pytest

from support import dataflow
from support.postgresql import Postgresql, skip_unless_installed
from support.postgresql_world import PostgresqlWorld
from support.postgresql_target import Target
from test_verify import ask, keys, last

skip_unless_installed()

ROWS = 40000  # more than a stretch and all its halves
TAIL = 500
TYPES = {"uuid": ("UNIQUEIDENTIFIER", "uuid"),
         "text": ("NVARCHAR(20)", "varchar(20)")}
HIGHEST = {"uuid": "ffffffff-ffff-4fff-bfff-ffffffffffff",
           "text": "zzzzzzzzzzzzz"}


@pytest.fixture(scope="module")
def postgresql():
    with Postgresql() as server:
        yield server


def make_keys(kind):
    dice = random.Random(7)
    if kind == "uuid":
        return [str(uuid.UUID(int=dice.getrandbits(128), version=4))
                for _ in range(ROWS)]
    return ["".join(dice.choices(string.ascii_letters + string.digits, k=12))
            for _ in range(ROWS)]


def insert(query, chosen):
    for first in range(0, len(chosen), 1000):
        query("INSERT INTO t (k, n) VALUES " + ", ".join(
            f"('{key}', {first + i})"
            for i, key in enumerate(chosen[first:first + 1000])))


class Lane:
    """A mapping, and its two ends as they are asked by themselves."""

    def __init__(self, world, kind, source, dest):
        self.world, self.kind = world, kind
        self.on_source, self.on_dest = source, dest

    def largest(self, query, postgresql, count=1):
        found = query(f"SELECT k FROM t ORDER BY k DESC LIMIT {count}"
                      if postgresql else
                      f"SELECT TOP ({count}) k FROM t ORDER BY k DESC")
        return [str(row[0]) for row in found]


@pytest.fixture(params=["uuid", "text"])
def kind(request):
    return request.param


@pytest.fixture(params=["from SQL Server", "from PostgreSQL"])
def lane(request, kind, world, postgresql, dest_server, tmp_path):
    there = request.param == "from PostgreSQL"
    if there:
        world = PostgresqlWorld(postgresql, dest_server, tmp_path)
        world.init()
        made = Lane(world, kind, world.on_source, world.on_dest)
    else:
        target = Target(world, postgresql)
        made = Lane(world, kind, world.on_source, target.query)
    made.source_is_postgresql = there
    made.on_source(f"CREATE TABLE t (k {TYPES[kind][there]} NOT NULL "
                   "PRIMARY KEY, n INT)")
    insert(made.on_source, make_keys(kind))
    if there:
        # The daemon itself would make it by a binary collation.
        made.on_dest(f"CREATE TABLE t (k {TYPES[kind][0]} NOT NULL "
                     "PRIMARY KEY, n INT)")
        made.mapping = world.add_mapping(
            "t", cdc=1, verification_interval_minutes=0,
            verification_row_count=TAIL)
    else:
        world.enable_cdc("t")
        made.mapping = target.add_mapping(
            "t", verification_interval_minutes=0, verification_row_count=TAIL)
    world.start()
    dataflow.wait_for(lambda: world.control(
        "SELECT 1 FROM mapping_state WHERE is_consistent = 1 "
        f"AND mapping_id = {made.mapping}"), 120)
    yield made
    if there:
        world.close()


def verify(lane, scope):
    state, answer = ask(lane.world, lane.mapping, "VERIFY", scope=scope,
                        timeout=120)
    assert state == "COMPLETED", answer
    return last(lane.world, lane.mapping)


def differences(result):
    return {(key.lower() if "-" in key else key, what)
            for key, what in keys(result)}


def contents(query):
    return sorted((str(key).lower(), n) for key, n in query(
        "SELECT k, n FROM t"))


def assert_same(lane):
    assert contents(lane.on_source) == contents(lane.on_dest)


def test_keys_that_are_sorted_otherwise(lane):
    world, on_dest = lane.world, lane.on_dest
    result = verify(lane, "WHOLE")
    assert result["verification_status"] == "PASSED", result
    assert result["records_compared"] == ROWS
    assert result["source_row_count"] == result["dest_row_count"] == ROWS
    assert result["source_md5"] == result["dest_md5"]
    result = verify(lane, "TAIL")
    assert result["verification_status"] == "PASSED", result
    # Either side's newest, which are others.
    assert TAIL < result["records_compared"] <= 2 * TAIL
    assert result["source_md5"] == result["dest_md5"]

    # One row of each kind, of the newest of one side alone.
    there = lane.source_is_postgresql
    of_source = lane.largest(lane.on_source, there, TAIL)
    of_dest = lane.largest(on_dest, not there, TAIL)
    missing = next(k for k in of_source if k not in of_dest)
    changed = next(k for k in of_dest if k not in of_source)
    extra = HIGHEST[lane.kind]
    on_dest(f"DELETE FROM t WHERE k = '{missing}'")
    on_dest(f"UPDATE t SET n = -1 WHERE k = '{changed}'")
    on_dest(f"INSERT INTO t (k, n) VALUES ('{extra}', 1)")
    found = {(missing, "MISSING"), (changed, "DIFFERENT"), (extra, "EXTRA")}
    found = {(key.lower() if "-" in key else key, what) for key, what in found}
    result = verify(lane, "TAIL")
    assert differences(result) == found
    assert result["mismatches_found"] == 3

    # And one that is among nobody's newest.
    old = next(k for k in make_keys(lane.kind)
               if k not in of_source and k not in of_dest)
    on_dest(f"UPDATE t SET n = -1 WHERE k = '{old}'")
    result = verify(lane, "WHOLE")
    assert differences(result) == found | {(old, "DIFFERENT")}
    assert result["mismatches_found"] == 4
    assert result["records_compared"] == ROWS

    state, answer = ask(world, lane.mapping, "REPAIR", scope="WHOLE",
                        timeout=120)
    assert (state, answer) == (
        "COMPLETED", f"4 of {ROWS} rows differed, 4 were repaired")
    assert_same(lane)


def test_a_condition_that_chooses_too_many_at_once(lane):
    """Each side chooses in its own order; what both choose counts once."""
    lane.on_dest("UPDATE t SET n = n + 1 WHERE n < 30000")
    lane.on_dest(f"INSERT INTO t (k, n) VALUES ('{HIGHEST[lane.kind]}', 1)")
    state, answer = ask(lane.world, lane.mapping, "RESYNC", timeout=200,
                        where_condition="k IS NOT NULL AND n < 30000")
    assert state == "COMPLETED", answer
    # The last of those that were changed is not chosen by the destination.
    assert answer == "30001 rows copied again"
    assert_same(lane)


def test_no_false_alarm_while_keys_come_and_go(lane):
    """Anywhere in either order, for a while."""
    stop, chosen = threading.Event(), make_keys(lane.kind)

    def work():
        dice = random.Random(8)
        for number in itertools.count():
            if stop.is_set():
                return
            some = ", ".join(f"'{key}'" for key in dice.sample(chosen, 40))
            lane.on_source(f"UPDATE t SET n = -{number} WHERE k IN ({some})")
            lane.on_source(f"DELETE FROM t WHERE k = '{chosen[number]}'")
            new = str(uuid.UUID(int=dice.getrandbits(128), version=4))
            lane.on_source("INSERT INTO t (k, n) VALUES "
                           f"('{new[-len(chosen[0]):]}', 0)")
            stop.wait(0.05)
    worker = threading.Thread(target=work)
    worker.start()
    try:
        end, rounds = time.monotonic() + 20, 0
        while time.monotonic() < end or rounds < 4:
            result = verify(lane, "TAIL" if rounds % 2 else "WHOLE")
            assert result["verification_status"] == "PASSED", result
            assert result["source_md5"] == result["dest_md5"]
            rounds += 1
    finally:
        stop.set()
        worker.join()
    dataflow.wait_for(lambda: contents(lane.on_source)
                      == contents(lane.on_dest), 60)
