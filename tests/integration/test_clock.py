"""The daemon's clock is set back: what it did by the wrong time holds nothing
up, and makes nothing look as if it had arrived."""
import os
import time

import pytest

from support import dataflow
from support.clock import Clock
from test_replication import CREATE, fill
from test_verify import ask, keys, last

pytestmark = [
    pytest.mark.standin,
    pytest.mark.skipif(bool(os.environ.get("DATAFLOW_SANITIZE")),
                       reason="faketime and sanitizers want to be first")]


def stop_agent(world, stopped):
    world.source.query(f"EXEC sys.sp_tdsd_option N'agent_stopped', {stopped}")


@pytest.fixture
def ahead(world):
    """A daemon whose clock is an hour ahead."""
    if not world.source.is_standin:
        pytest.skip("stops the Agent")
    world.source.query("EXEC sys.sp_tdsd_option N'idle_interval', 300")
    world.on_source(CREATE)
    fill(world, 1, 100)
    world.enable_cdc("items")
    world.mapping = world.add_mapping("items",
                                      verification_interval_minutes=0)
    world.clock = Clock(world.folder, "+1h")
    yield world
    stop_agent(world, 0)
    world.source.query("EXEC sys.sp_tdsd_option N'idle_interval', 0")


def is_consistent(world):
    return world.control("SELECT is_consistent FROM mapping_state "
                         f"WHERE mapping_id = {world.mapping}") == [(True,)]


@pytest.mark.parametrize("restart", [False, True])
def test_a_load_by_the_wrong_time(ahead, restart):
    stop_agent(ahead, 1)
    daemon = ahead.start(**ahead.clock.environment())
    ahead.wait_equal("items")
    time.sleep(1)
    assert not is_consistent(ahead)
    if restart:
        daemon.stop()
    ahead.clock.set("+0")
    if restart:
        daemon.start()
    stop_agent(ahead, 0)
    dataflow.wait_for(lambda: is_consistent(ahead), 60)
    ask(ahead, ahead.mapping, "VERIFY")
    assert last(ahead, ahead.mapping)["verification_status"] == "PASSED"


def test_a_change_that_has_not_arrived(ahead):
    ahead.start(**ahead.clock.environment())
    ahead.wait_equal("items")
    dataflow.wait_for(lambda: is_consistent(ahead), 60)
    ask(ahead, ahead.mapping, "VERIFY")
    ahead.clock.set("+0")
    stop_agent(ahead, 1)
    ahead.on_source("UPDATE items SET name = N'later' WHERE id = 5")
    ahead.on_dest("UPDATE items SET name = N'by hand' WHERE id = 6")
    ahead.control("INSERT INTO sync_requests (mapping_id, request_type) "
                  f"VALUES ({ahead.mapping}, N'VERIFY')")
    time.sleep(4)
    assert ahead.control("SELECT state FROM sync_requests "
                         "ORDER BY request_id DESC")[0] == ("RUNNING",)
    stop_agent(ahead, 0)
    dataflow.wait_for(lambda: ahead.control(
        "SELECT 1 FROM sync_requests WHERE state = N'COMPLETED' "
        "HAVING COUNT(*) = 2"), 60)
    assert keys(last(ahead, ahead.mapping)) == {("6", "DIFFERENT")}
