"""Memory and time have bounds, with nothing set but the defaults: huge values,
slow servers, many mappings. A transaction of a million rows is in
test_capture.py.
"""
import itertools
import re
import time

import pytest

from support import dataflow
from support.relay import Relay, port_of

LIMIT = 256  # the default of memory_limit_mb
STOP = 5  # seconds that a SIGTERM may take

pytestmark = pytest.mark.standin


def assert_bounded(daemon, limit=LIMIT):
    """As the system has measured it, from the start to now."""
    peak = daemon.peak_mib()
    print(f"peak: {peak:.0f} MiB")
    if dataflow.slowness() == 1:
        assert peak < limit


def assert_stops(daemon):
    code, seconds = daemon.stop()
    print(f"stopped after {seconds:.2f} s")
    assert code == 0
    assert seconds < STOP * dataflow.slowness()


def clear(world):
    for server in world.source, world.dest:
        server.query("EXEC sys.sp_tdsd_fault_clear")


@pytest.fixture
def faulty(world):
    if not world.source.is_standin:
        pytest.skip("only the stand-in has faults")
    yield world
    clear(world)


def fault(server, action, **values):
    """EXEC sys.sp_tdsd_fault, for the daemon's own sessions."""
    values = {"app": "dbaops-dataflow", "times": 0, **values}
    arguments = ", ".join(f"@{name} = " + (str(value) if isinstance(
        value, int) else f"N'{value}'") for name, value in values.items())
    server.query(f"EXEC sys.sp_tdsd_fault N'{action}', {arguments}")


# -- values

# Two ends, which are told apart by what is in between.
BYTES = "CONVERT(varbinary(max), REPLICATE(CONVERT(varchar(max), '{0}'), {1}))"
TEXT = "REPLICATE(CONVERT(nvarchar(max), N'{0}'), {1})"
HUGE = 100_000_000 if dataflow.slowness() == 1 else 10_000_000
LENGTHS = "SELECT id, DATALENGTH(v) FROM {} ORDER BY id"
SUMS = "SELECT id, HASHBYTES('SHA2_256', v) FROM {} ORDER BY id"


def huge_bytes(word, size=None):
    return BYTES.format(word, (size or HUGE) // len(word))


def huge_text(word):
    return TEXT.format(word, HUGE // 2 // len(word))


def same(world, table):
    return world.has_table(table) and all(
        world.on_dest(sql.format(table)) == world.on_source(sql.format(table))
        for sql in (LENGTHS, SUMS))


def wait_same(world, *tables, then=lambda: True):
    """By the servers' own digests, and their lengths."""
    def equal():
        assert not world.errors(), world.errors()
        return then() and all(same(world, table) for table in tables)
    dataflow.wait_for(equal, 180, 0.5, f"{tables}")
    for table in tables:
        sizes = [row[1] for row in world.on_dest(LENGTHS.format(table))]
        assert max(size or 0 for size in sizes) > HUGE // 2, sizes


def test_values_of_a_hundred_megabytes(world):
    """A load, changes by either log, which have to take turns, a verification
    and a repair."""
    world.allow_large_values()
    world.on_source("CREATE TABLE bin (id INT NOT NULL PRIMARY KEY, "
                    "v VARBINARY(MAX) NULL)")
    world.on_source("CREATE TABLE txt (id INT NOT NULL PRIMARY KEY, "
                    "v NVARCHAR(MAX) NULL)")
    world.on_source("CREATE TABLE good (id INT NOT NULL PRIMARY KEY)")
    world.on_source(f"INSERT INTO bin VALUES (1, {huge_bytes('one word')}), "
                    "(2, 0x02), (3, NULL)")
    world.on_source("INSERT INTO txt VALUES (1, N'one'), (2, N'')")
    world.enable_cdc("bin", "good")
    world.enable_tracking("txt")
    world.config(verification_interval_minutes=0)
    mapping = world.add_mapping("bin")
    world.add_mapping("txt", change_source="change_tracking")
    world.add_mapping("good")
    daemon = world.start()
    wait_same(world, "bin")
    world.on_source(f"UPDATE bin SET v = {huge_bytes('two words')} "
                    "WHERE id = 2; DELETE FROM bin WHERE id = 1")
    world.on_source(f"INSERT INTO txt VALUES (4, {huge_text('ein Wört')}); "
                    "DELETE FROM txt WHERE id = 1; INSERT INTO good VALUES (1)")
    wait_same(world, "bin", "txt")
    world.wait_equal("good")
    world.on_dest("UPDATE bin SET v = 0x03 WHERE id = 2; "
                  "DELETE FROM bin WHERE id = 3")
    world.control("INSERT INTO sync_requests (mapping_id, request_type, "
                  f"dry_run) VALUES ({mapping}, N'REPAIR', 0)")
    numbers = itertools.count(2)

    def repaired():
        """A source that rests would be waited for."""
        world.on_source(f"INSERT INTO good VALUES ({next(numbers)})")
        return world.control(
            "SELECT COUNT(*) FROM verification_logs WHERE verification_type = "
            "N'REPAIR' AND verification_status = N'PASSED'")[0][0] == 1
    wait_same(world, "bin", then=repaired)
    assert_bounded(daemon)
    assert_stops(daemon)


def test_more_to_repair_than_fits_at_once(world):
    """It is read again in smaller pieces, and told as one run."""
    world.allow_large_values()
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "v VARBINARY(MAX) NULL)")
    for first in range(0, 60, 10):
        world.on_source("INSERT INTO t VALUES " + ", ".join(
            f"({first + i}, {huge_bytes(f'word {first + i}', 500000)})"
            for i in range(10)))
    world.enable_cdc("t")
    world.config(verification_interval_minutes=0)
    mapping = world.add_mapping("t")
    world.start()
    world.wait_equal("t", timeout=60)
    world.on_dest("UPDATE t SET v = 0x01")
    world.control("INSERT INTO sync_requests (mapping_id, request_type, "
                  f"dry_run, scope) VALUES ({mapping}, N'REPAIR', 0, "
                  "N'WHOLE')")
    world.wait_equal("t", timeout=120)
    dataflow.wait_for(lambda: world.control(
        "SELECT 1 FROM sync_requests WHERE state = N'COMPLETED'"), 60)
    assert world.control(
        "SELECT status, records_processed FROM sync_status "
        "WHERE sync_type = N'VERIFICATION'") == [("COMPLETED", 60)]


def test_a_value_that_the_limit_cannot_hold(world):
    """One error that says which, and what helps; nothing is lost by it."""
    world.config(memory_limit_mb=64)
    world.allow_large_values()
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "v VARBINARY(MAX) NULL)")
    world.on_source("INSERT INTO t VALUES (1, 0x01)")
    world.enable_cdc("t")
    mapping = world.add_mapping("t")
    daemon = world.start()
    dataflow.wait_for(lambda: same(world, "t"))
    size = 20_000_000
    world.on_source("INSERT INTO t VALUES (2, 0x02); INSERT INTO t VALUES "
                    f"(7, {huge_bytes('too much', size)})")
    kind, message, _ = dataflow.wait_for(lambda: world.errors(mapping))[0]
    assert kind == "SYNC"
    found = re.search(r"'src\d+.dbo.t'.*column 'v' has a value of 20000000 "
                      r"bytes in the row with key 7, which takes (\d+) MB .*"
                      r"'memory_limit_mb' leaves (\d+): raise it by (\d+) or "
                      r"more", message)
    assert found, message
    needs, leaves, more = map(int, found.groups())
    assert 39 <= needs <= 41 and leaves < needs and more < needs
    assert_bounded(daemon, 64)
    assert world.on_dest("SELECT COUNT(*) FROM t")[0][0] == 1
    world.config(memory_limit_mb=64 + more)
    daemon.signal(1)
    dataflow.wait_for(lambda: same(world, "t"), 60)
    dataflow.wait_for(lambda: not world.errors(mapping))
    assert_bounded(daemon, 64 + more)


def test_a_limit_that_is_too_small(world):
    """The daemon says how much it needs, and goes on as well as it can."""
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    world.on_source("INSERT INTO t VALUES (1)")
    world.add_mapping("t", cdc=0)
    world.config(memory_limit_mb=64, max_connections=5000)
    world.start()
    world.wait_equal("t")
    kind, message, _ = dataflow.wait_for(world.errors)[0]
    assert kind == "OTHER"
    assert "'memory_limit_mb' is 64" in message
    least = int(re.search(r"at least (\d+)", message).group(1))
    world.config(memory_limit_mb=least)
    dataflow.wait_for(lambda: not world.errors())


# -- slow servers

class Slow:
    """Ten loads of rows of 20 KB over a line that takes ten of them a second,
    and one mapping that has its own."""

    def __init__(self, world, dest):
        self.world = world
        world.on_source("CREATE TABLE good (id INT NOT NULL PRIMARY KEY)")
        world.enable_cdc("good")
        world.add_mapping("good")
        world.on_source("CREATE TABLE wide (id INT NOT NULL PRIMARY KEY, "
                        "v VARCHAR(MAX) NULL)")
        world.on_source(
            "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < "
            "1500) INSERT INTO wide SELECT i, REPLICATE(CONVERT(varchar(max), "
            "'x'), 20000) FROM n OPTION (MAXRECURSION 0)")
        world.control(
            "INSERT INTO target_servers (target_name, connection_string) "
            f"VALUES (N'slow', N'server={dest.address};user id=sa;"
            f"password={world.dest.password}')")
        for i in range(10):
            world.add_mapping("wide", f"wide{i}", cdc=0, target_id=1)

    def loading(self):
        return self.world.control("SELECT COUNT(*) FROM mapping_state "
                                  "WHERE state = N'FULL_SYNC'")[0][0]

    def worst_lag(self, seconds):
        worst, began, number = 0, time.monotonic(), 0
        while time.monotonic() - began < seconds:
            number += 1
            at = time.monotonic()
            self.world.on_source(f"INSERT INTO good VALUES ({number})")
            dataflow.wait_for(lambda: self.world.on_dest(
                f"SELECT 1 FROM good WHERE id = {number}"), 30, 0.02)
            worst = max(worst, time.monotonic() - at)
        return worst


def slow_line(data):
    if len(data) > 1000:
        time.sleep(len(data) / 200_000)
    return data


def test_a_destination_that_takes_ten_rows_a_second(world):
    with Relay(port_of(world.dest), rewrite=slow_line) as line:
        slow = Slow(world, line)
        daemon = world.start()
        dataflow.wait_for(lambda: slow.loading() == 10, 60)
        world.wait_equal("good")
        worst = slow.worst_lag(6)
        assert slow.loading() == 10
        assert worst < 2 * dataflow.slowness()
        assert_bounded(daemon)
        assert_stops(daemon)


def test_a_control_store_that_answers_after_half_a_minute(faulty):
    """Changes do not wait for it, and neither does a stop."""
    world = faulty
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, n INT)")
    world.on_source("INSERT INTO t VALUES (1, 1)")
    world.enable_cdc("t")
    mapping = world.add_mapping("t")
    daemon = world.start()
    world.wait_equal("t")
    dataflow.wait_for(lambda: world.state(mapping) == "CDC")
    fault(world.dest, "stall", database=world.control_db, match="%",
          milliseconds=30000)
    time.sleep(1.5)  # the next look at the tables hangs
    for number in range(2, 6):
        at = time.monotonic()
        world.on_source(f"INSERT INTO t VALUES ({number}, 0); "
                        f"UPDATE t SET n = {number}")
        world.wait_equal("t")
        assert time.monotonic() - at < 2 * dataflow.slowness()
    assert_stops(daemon)


# -- many mappings

def test_a_thousand_mappings(world):
    """Most of which cannot work, and are told; one can, and does."""
    count = 1000 if dataflow.slowness() == 1 else 100
    world.on_source("CREATE TABLE good (id INT NOT NULL PRIMARY KEY)")
    world.enable_cdc("good")
    good = world.add_mapping("good")
    world.control(
        "INSERT INTO table_mappings (server_id, source_database, "
        "source_table, dest_database, dest_table, cdc_enabled) VALUES " +
        ", ".join(f"({world.server_id}, N'{world.src_db}', N'missing{i}', "
                  f"N'{world.dst_db}', N'missing{i}', 1)"
                  for i in range(count - 1)))
    daemon = world.start()
    dataflow.wait_for(lambda: world.control(
        "SELECT COUNT(*) FROM mapping_state")[0][0] == count, 60)
    dataflow.wait_for(lambda: world.state(good) == "CDC", 60)
    at = time.monotonic()
    world.on_source("INSERT INTO good VALUES (1)")
    world.wait_equal("good")
    assert time.monotonic() - at < 2 * dataflow.slowness()
    dataflow.wait_for(lambda: world.control(
        "SELECT COUNT(DISTINCT mapping_id) FROM error_logs WHERE "
        "is_resolved = 0")[0][0] == count - 1, 60)
    assert_bounded(daemon)
    assert_stops(daemon)
    # In the middle of their start.
    daemon = world.start()
    time.sleep(0.15)
    assert_stops(daemon)


# -- a stop

STALLS = {
    "a row that does not come": (
        "source", {"event": "row", "nth": 500}),
    "a statement without an answer": (
        "source", {"match": "%FROM%dbo%t%ORDER BY%"}),
    "a bulk load that stands still": ("dest", {"event": "bulk"}),
    "a commit that does not return": ("dest", {"event": "commit"}),
}


@pytest.mark.parametrize("what", STALLS)
def test_a_stop_in_the_middle_of(faulty, what):
    world = faulty
    end, values = STALLS[what]
    server = getattr(world, end)
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    world.on_source("WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n "
                    "WHERE i < 2000) INSERT INTO t SELECT i FROM n "
                    "OPTION (MAXRECURSION 0)")
    world.enable_cdc("t")
    world.add_mapping("t")
    fault(server, "stall", milliseconds=60000, database=(
        world.src_db if end == "source" else world.dst_db), **values)
    daemon = world.start()
    time.sleep(1.5)
    assert world.control("SELECT COUNT(*) FROM sync_status WHERE status = "
                         "N'COMPLETED'") == [(0,)]
    assert_stops(daemon)


def test_a_stop_while_connections_are_opened(world):
    for i in range(30):
        world.add_mapping(f"t{i}")
    with Relay(port_of(world.source)) as line:
        line.freeze()
        world.control("UPDATE source_servers SET connection_string = REPLACE("
                      f"connection_string, N'{world.source.address}', "
                      f"N'{line.address}')")
        daemon = world.start()
        dataflow.wait_for(lambda: line.conversations)
        time.sleep(1)
        assert_stops(daemon)
