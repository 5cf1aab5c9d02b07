"""Many mappings, and many that fail; `make bench` has a thousand of them."""
import time

import pytest

from support import dataflow
from support.relay import Relay, port_of


def make_failing(world, silent):
    """Fifty; those of the silent server alone want more connections than
    there are."""
    text = world.connection_string()
    servers = {
        "silent": (30, text.replace(world.source.address, silent.address)),
        "nobody": (5, text.replace(world.source.address, "127.0.0.1,1")),
        "locked": (5, text.replace(world.source.password, "wrong")),
    }
    for name, (count, connection_string) in servers.items():
        server_id = world.add_server(name, connection_string)
        for i in range(count):
            world.add_mapping("good", f"{name}{i}", server_id=server_id)
    world.on_source("CREATE TABLE uncaptured (id INT NOT NULL PRIMARY KEY)")
    world.on_dest("CREATE TABLE narrow (id SMALLINT NOT NULL PRIMARY KEY)")
    for i in range(5):
        world.add_mapping("missing", f"missing{i}")
    for i in range(2):
        world.add_mapping("uncaptured", f"uncaptured{i}")
    for i in range(2):
        world.add_mapping("good", f"no_such_column{i}",
                          primary_key_column="nothing")
    world.add_mapping("good", "narrow")


def test_fifty_that_fail_leave_one_alone(world):
    world.on_source("CREATE TABLE good (id INT NOT NULL PRIMARY KEY)")
    world.enable_cdc("good")
    world.config(connect_timeout_seconds=5)
    good = world.add_mapping("good")
    silent = Relay(port_of(world.source))
    silent.freeze()
    try:
        make_failing(world, silent)
        world.start()
        world.wait_equal("good")
        worst, began, number = 0, time.monotonic(), 0
        while time.monotonic() - began < 12:
            number += 1
            at = time.monotonic()
            world.on_source(f"INSERT INTO good VALUES ({number})")
            dataflow.wait_for(lambda: world.on_dest(
                f"SELECT 1 FROM good WHERE id = {number}"), 30, 0.02)
            worst = max(worst, time.monotonic() - at)
        assert worst < 2 * dataflow.slowness()
        # All this time they were tried, and told.
        dataflow.wait_for(lambda: world.control(
            "SELECT COUNT(DISTINCT mapping_id) FROM error_logs "
            "WHERE is_resolved = 0")[0][0] == 50, 90)
        assert world.errors(good) == world.errors(good, resolved=1) == []
    finally:
        silent.close()


@pytest.mark.standin
def test_a_tick_costs_the_same_however_many_there_are(world):
    if not world.source.is_standin:
        pytest.skip("only the stand-in counts statements")
    for i in range(40):
        world.on_source(f"CREATE TABLE t{i} (id INT NOT NULL PRIMARY KEY)")
        world.add_mapping(f"t{i}", cdc=0)
    world.start()
    dataflow.wait_for(lambda: world.control(
        "SELECT COUNT(*) FROM mapping_state WHERE state = N'IDLE'")[0][0]
        == 40, 60)
    time.sleep(2)  # the last rows are written
    world.dest.query("EXEC sys.sp_tdsd_option N'count_statements', 1")
    time.sleep(6)
    counted = world.dest.query(
        "SELECT statement_text, execution_count FROM sys.dm_tdsd_statements "
        "WHERE program_name = 'dbaops-dataflow'")
    ticks = sum(n for text, n in counted if "FROM config" in text)
    assert ticks >= 3
    too_often = [(text, n) for text, n in counted if n > ticks + 1]
    assert too_often == []
    assert sum(n for _, n in counted) < 20 * (ticks + 1)
