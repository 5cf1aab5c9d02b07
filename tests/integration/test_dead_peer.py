"""A network that stops in the middle of something, and says nothing.

Nobody hangs up: a relay keeps both sides open and passes nothing on. The daemon
must give up by itself after the time-out, say so in one row, not disturb any
other mapping meanwhile, and go on where it was when the network is back.
"""
import re
import time

import pytest

from support import dataflow
from support.relay import Relay, port_of
from test_errors import is_healthy, one_row

ROWS = 30000
FILL = (f"WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < "
        f"{ROWS}) INSERT INTO big SELECT i, REPLICATE('x', 100) FROM n "
        "OPTION (MAXRECURSION 0)")
DATA = b"x" * 100
QUERY_TIMEOUT = r"no answer within 3 s.*query_timeout_seconds"


class Cut:
    """A mapping whose two ends are reached by relays, beside a healthy one."""

    def __init__(self, world, source, dest):
        self.world, self.source, self.dest = world, source, dest
        server = world.add_server("relayed", world.connection_string().replace(
            world.source.address, source.address))
        world.control(
            "INSERT INTO target_servers (target_name, connection_string) "
            f"VALUES (N'relayed', N'server={dest.address};user id=sa;"
            f"password={world.dest.password}')")
        self.mapping = world.add_mapping("big", server_id=server, target_id=1)

    def thaw(self):
        self.source.thaw()
        self.dest.thaw()


@pytest.fixture
def cut(world):
    world.on_source("CREATE TABLE good (id INT NOT NULL PRIMARY KEY, v INT)")
    world.on_source("INSERT INTO good VALUES (1, 1), (2, 2)")
    world.on_source("CREATE TABLE big (id INT NOT NULL PRIMARY KEY, "
                    "v VARCHAR(100) NULL)")
    world.on_source(FILL)
    world.enable_cdc("good", "big")
    world.healthy = world.add_mapping("good")
    world.config(max_retry_attempts=1, connect_timeout_seconds=2,
                 query_timeout_seconds=3)
    with Relay(port_of(world.source)) as source, \
            Relay(port_of(world.dest)) as dest:
        yield Cut(world, source, dest)


def comes_back(cut):
    """All rows are there once the network is, and the row is resolved."""
    cut.thaw()
    cut.world.wait_equal("big")
    dataflow.wait_for(lambda: not cut.world.errors(cut.mapping))
    assert cut.world.errors(cut.mapping, resolved=1)


def is_told(cut, relay, pattern):
    """At once by what it was doing, later on by the login that fails."""
    kind, message, _ = dataflow.wait_for(
        lambda: cut.world.errors(cut.mapping), 30, what="an error row")[0]
    assert kind == "CONNECTION", message
    assert relay.address in message, message
    assert re.search(pattern, message), message
    assert relay.is_frozen()
    is_healthy(cut.world)
    assert one_row(cut.world, cut.mapping)[0] == "CONNECTION"


LOGINS = {
    "before the first byte": lambda relay: relay.freeze(),
    "after the greeting": lambda relay: relay.freeze_at(
        "dbaops-dataflow", by_client=True),
}


@pytest.mark.parametrize("when", LOGINS)
@pytest.mark.parametrize("end", ["source", "dest"])
def test_login(cut, end, when):
    relay = getattr(cut, end)
    LOGINS[when](relay)
    cut.world.start()
    is_told(cut, relay, r"login 'sa': no answer within 2 s; check name and "
            "port.*firewall")
    comes_back(cut)


def test_read(cut):
    """In the middle of a full load's rows; the old rows stay."""
    cut.world.on_dest("CREATE TABLE big (id INT NOT NULL PRIMARY KEY, "
                      "v VARCHAR(100) NULL)")
    cut.world.on_dest("INSERT INTO big VALUES (-1, 'old')")
    cut.source.freeze_at(DATA, by_client=False, nth=5)
    cut.world.start()
    is_told(cut, cut.source, QUERY_TIMEOUT)
    assert cut.world.on_dest("SELECT id FROM big") == [(-1,)]
    comes_back(cut)


def test_load(cut):
    """In the middle of the rows that are sent."""
    cut.world.on_dest("CREATE TABLE big (id INT NOT NULL PRIMARY KEY, "
                      "v VARCHAR(100) NULL)")
    cut.world.on_dest("INSERT INTO big VALUES (-1, 'old')")
    cut.dest.freeze_at(DATA, nth=5)
    cut.world.start()
    is_told(cut, cut.dest, QUERY_TIMEOUT)
    assert cut.world.on_dest("SELECT id FROM big") == [(-1,)]
    comes_back(cut)


CHANGES = ("UPDATE big SET v = 'changed' WHERE id % 3 = 0; "
           "DELETE FROM big WHERE id % 100 = 1; "
           "INSERT INTO big VALUES (-1, 'new'), (-2, NULL)")


@pytest.mark.parametrize("where", [
    ("source", "_CT", True), ("source", b"changed", False),
    ("dest", b"changed", True), ("dest", "COMMIT", True)],
    ids=["asking for changes", "reading changes", "sending changes",
         "committing changes"])
def test_changes(cut, where):
    end, what, by_client = where
    relay = getattr(cut, end)
    cut.world.start()
    cut.world.wait_equal("big")
    relay.freeze_at(what, by_client)
    cut.world.on_source(CHANGES)
    is_told(cut, relay, QUERY_TIMEOUT)
    comes_back(cut)


def test_the_answer_to_a_commit_is_lost(cut):
    """Only the server knows that it happened: nothing is applied twice."""
    world = cut.world
    world.on_dest("CREATE TABLE big (id INT NOT NULL PRIMARY KEY, "
                  "v VARCHAR(100) NULL)")
    world.on_dest("CREATE TABLE audit (at INT IDENTITY PRIMARY KEY, id INT)")
    world.start()
    world.wait_equal("big")
    world.on_dest("CREATE TRIGGER seen ON big AFTER INSERT, UPDATE AS INSERT "
                  "INTO audit (id) SELECT id FROM inserted")
    if world.dest.is_standin:
        # long enough for the relay to freeze while it is under way
        world.dest.query("EXEC sys.sp_tdsd_fault 'stall', @event = N'commit', "
                         f"@database = N'{world.dst_db}', "
                         "@milliseconds = 1500")
    world.on_source("UPDATE big SET v = 'once' WHERE id <= 10")
    dataflow.wait_for(lambda: cut.dest.holds("COMMIT".encode("utf-16-le")) and
                      cut.dest.holds(b"once"))
    cut.dest.freeze()
    is_told(cut, cut.dest, QUERY_TIMEOUT)
    dataflow.wait_for(lambda: world.on_dest(
        "SELECT COUNT(*) FROM audit") == [(10,)])
    comes_back(cut)
    is_healthy(world)
    assert world.on_dest("SELECT COUNT(*) FROM audit") == [(10,)]


@pytest.mark.threads
def test_a_time_out_stops_only_its_own_connection(world):
    """Two servers with time-outs of their own, both slow at the same time:
    one gives up after a second, the other one waits."""
    if not world.source.is_standin:
        pytest.skip("a real server does not stall when it is told to")
    world.config(max_retry_attempts=1)
    mappings = {}
    for name, seconds in (("hasty", 1), ("patient", 60)):
        world.on_source(f"CREATE TABLE {name} (id INT NOT NULL PRIMARY KEY)")
        world.on_source(f"INSERT INTO {name} VALUES (1)")
        server = world.add_server(
            name, world.connection_string() + f";query timeout={seconds}")
        mappings[name] = world.add_mapping(name, server_id=server, cdc=0)
        world.source.query(
            "EXEC sys.sp_tdsd_fault 'stall', @match = N'%FROM%dbo%"
            f"{name}%', @times = 1, @milliseconds = 6000")
    daemon = world.start()
    try:
        kind, message, _ = dataflow.wait_for(
            lambda: world.errors(mappings["hasty"]))[0]
        assert kind == "CONNECTION" and "no answer within 1 s" in message
        assert world.source.address in message
        assert not world.has_table("patient") or world.differences("patient")
        world.wait_equal("patient")
        world.wait_equal("hasty")
        assert world.errors(mappings["patient"]) == []
        assert world.errors(mappings["patient"], resolved=1) == []
        assert daemon.is_running()
    finally:
        world.source.query("EXEC sys.sp_tdsd_fault_clear")


@pytest.mark.parametrize("when", ["login", "read"])
def test_it_can_be_stopped_meanwhile(cut, when):
    """SIGTERM does not wait for a peer that is gone."""
    cut.world.config(connect_timeout_seconds=60, query_timeout_seconds=600)
    if when == "login":
        cut.source.freeze()
    else:
        cut.source.freeze_at(DATA, by_client=False, nth=5)
    daemon = cut.world.start()
    cut.world.wait_equal("good")
    dataflow.wait_for(cut.source.is_frozen)
    time.sleep(1)
    code, _ = daemon.stop(8)
    assert code == 0


def test_the_control_store_is_dead(cut):
    """Changes flow on; what waited is written when it is back."""
    world = cut.world
    world.control("UPDATE table_mappings SET target_id = 1, "
                  "is_enabled = CASE WHEN dest_table = N'good' THEN 1 ELSE 0 "
                  "END")
    with Relay(port_of(world.dest)) as control:
        daemon = world.start(DEST_SERVER=control.address)
        world.wait_equal("good")
        dataflow.wait_for(lambda: world.state(world.healthy) == "CDC")
        before = world.control("SELECT COUNT(*) FROM sync_status "
                               "WHERE status = 'COMPLETED'")[0][0]
        control.freeze()
        for value in range(5):
            world.on_source(f"UPDATE good SET v = {100 + value}")
            world.wait_equal("good")
            time.sleep(0.5)
        assert world.control("SELECT COUNT(*) FROM sync_status WHERE status "
                             "= 'COMPLETED'")[0][0] == before
        control.thaw()
        dataflow.wait_for(lambda: world.control(
            "SELECT COUNT(*) FROM sync_status WHERE status = 'COMPLETED'")
            [0][0] > before, what="the rows that waited")
        assert daemon.is_running()
        assert world.errors(world.healthy) == []
