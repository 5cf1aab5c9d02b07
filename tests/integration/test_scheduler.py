"""Rows that come, change and go take effect; signals end it in time."""
import signal
import time

import pytest

from support import dataflow
from support.relay import Relay, port_of


@pytest.fixture
def two(world):
    for table in ("a", "b"):
        world.on_source(f"CREATE TABLE {table} (id INT NOT NULL PRIMARY KEY, "
                        "v INT NULL)")
        world.on_source(f"INSERT INTO {table} VALUES (1, 1)")
    world.enable_cdc("a", "b")
    return world


@pytest.mark.threads
def test_mappings_come_change_and_go(two):
    first = two.add_mapping("a")
    two.start()
    two.wait_equal("a")
    second = two.add_mapping("b")
    two.wait_equal("b")

    two.control(f"UPDATE table_mappings SET is_enabled = 0 "
                f"WHERE mapping_id = {first}")
    dataflow.wait_for(lambda: two.state(first) == "STOPPED")
    two.on_source("INSERT INTO a VALUES (2, 2); INSERT INTO b VALUES (2, 2)")
    two.wait_equal("b")
    assert two.differences("a")

    two.control(f"UPDATE table_mappings SET is_enabled = 1 "
                f"WHERE mapping_id = {first}")
    two.wait_equal("a")

    two.control(f"UPDATE table_mappings SET dest_table = N'a2' "
                f"WHERE mapping_id = {first}")
    two.wait_equal("a", "a2")

    two.control(f"DELETE FROM table_mappings WHERE mapping_id = {second}")
    time.sleep(3)
    two.on_source("INSERT INTO b VALUES (3, 3); INSERT INTO a VALUES (3, 3)")
    two.wait_equal("a", "a2")
    assert two.differences("b")


def test_another_destination_that_is_there_is_loaded(two):
    """What the first one held says nothing of it."""
    mapping = two.add_mapping("a")
    two.start()
    two.wait_equal("a")
    two.on_source("INSERT INTO a VALUES (2, 2)")
    two.wait_equal("a")
    two.on_dest("CREATE TABLE better (id INT NOT NULL PRIMARY KEY, v INT "
                "NULL, more INT NULL)")
    two.control("UPDATE table_mappings SET dest_table = N'better'")
    dataflow.wait_for(lambda: two.on_dest(
        "SELECT id FROM better ORDER BY id") == two.on_source(
            "SELECT id FROM a ORDER BY id"))
    two.control("UPDATE table_mappings SET dest_table = N'a'")
    two.on_source("INSERT INTO a VALUES (3, 3)")
    two.wait_equal("a")
    assert two.errors(mapping) == []


def test_time_outs_count_for_mappings_that_run(two):
    two.config(query_timeout_seconds=600, max_retry_attempts=1)
    mapping = two.add_mapping("a")
    two.start()
    two.wait_equal("a")
    two.config(query_timeout_seconds=2)
    time.sleep(3)
    two.dest.query("EXEC sys.sp_tdsd_fault 'stall', "
                   "@match = N'%checkpoints%SET position%', "
                   "@milliseconds = 20000, @times = 1, "
                   f"@database = '{two.dst_db}'")
    two.on_source("INSERT INTO a VALUES (2, 2)")
    dataflow.wait_for(lambda: [e for e in two.errors(mapping)
                               if "no answer within 2 s" in e[1]], 15)
    two.wait_equal("a")


def test_a_server_switched_off_rests_its_mappings(two):
    mapping = two.add_mapping("a")
    two.start()
    two.wait_equal("a")
    two.control("UPDATE source_servers SET is_enabled = 0")
    dataflow.wait_for(lambda: two.state(mapping) == "STOPPED")
    two.on_source("INSERT INTO a VALUES (2, 2)")
    time.sleep(2.5)
    assert two.differences("a")
    two.control("UPDATE source_servers SET is_enabled = 1")
    two.wait_equal("a")


def test_target_servers(two):
    text = (f"server={two.dest.address};user id={two.dest.user};"
            f"password={two.dest.password}")
    two.control("INSERT INTO target_servers (target_name, connection_string) "
                f"VALUES (N'other', N'{text}')")
    two.add_mapping("a", target_id=1)
    two.start()
    two.wait_equal("a")
    dataflow.wait_for(lambda: two.control(
        "SELECT 1 FROM target_servers WHERE last_connected_at IS NOT NULL"))
    dataflow.wait_for(lambda: two.control(
        "SELECT 1 FROM source_servers WHERE last_connected_at IS NOT NULL"))


def test_the_interval_takes_effect_at_the_next_tick(two):
    two.config(cdc_check_interval_seconds=3600)
    daemon = two.start()
    dataflow.wait_for(lambda: "starts" in daemon.log())
    time.sleep(1)
    two.add_mapping("a")
    time.sleep(2)
    assert not two.has_table("a")
    two.config(cdc_check_interval_seconds=1)
    daemon.signal(signal.SIGHUP)
    two.wait_equal("a")
    two.add_mapping("b")
    two.wait_equal("b", timeout=10)


@pytest.mark.threads
def test_sigterm_in_the_middle_of_a_load(two):
    two.on_source("CREATE TABLE big (id INT NOT NULL PRIMARY KEY, "
                  "v NVARCHAR(100) NULL)")
    two.on_source("WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n "
                  "WHERE i < 60000) INSERT INTO big SELECT i, "
                  "REPLICATE(N'x', 100) FROM n OPTION (MAXRECURSION 0)")
    two.config(batch_size=10)
    mapping = two.add_mapping("big", cdc=0)
    daemon = two.start()
    dataflow.wait_for(lambda: two.control(
        "SELECT 1 FROM sync_status WHERE records_processed > 0"), 30, 0.02)
    code, seconds = daemon.stop()
    assert code == 0 and seconds < 5 * dataflow.slowness()
    run = two.control("SELECT status, error_message FROM sync_status "
                      f"WHERE mapping_id = {mapping}")
    assert run[0][0] in ("PAUSED", "COMPLETED")
    two.config(batch_size=5000)
    two.start()
    two.wait_equal("big", timeout=60)


@pytest.mark.threads
def test_a_second_signal_ends_it_at_once(two):
    two.add_mapping("a")
    daemon = two.start()
    two.wait_equal("a")
    daemon.signal(signal.SIGINT)
    daemon.signal(signal.SIGTERM)
    began = time.monotonic()
    assert daemon.process.wait(10) == 0
    assert time.monotonic() - began < 2 * dataflow.slowness()
    two.on_source("INSERT INTO a VALUES (9, 9)")
    two.start()
    two.wait_equal("a")


def test_runs_of_a_killed_daemon_are_ended(two):
    mapping = two.add_mapping("a")
    daemon = two.start()
    two.wait_equal("a")
    daemon.kill()
    two.control("INSERT INTO sync_status (mapping_id, sync_type, status, "
                f"run_id) VALUES ({mapping}, 'CDC', 'RUNNING', 'left-over')")
    two.start()
    dataflow.wait_for(lambda: two.control(
        "SELECT status FROM sync_status WHERE run_id = 'left-over'"
    ) == [("ERROR",)])


@pytest.mark.parametrize("off", ["table_mappings", "source_servers"])
def test_runs_of_what_was_switched_off_meanwhile(two, off):
    """Those have no worker; what another daemon is at is left alone."""
    mapping = two.add_mapping("a")
    daemon = two.start()
    two.wait_equal("a")
    daemon.kill()
    two.control(f"UPDATE {off} SET is_enabled = 0")
    two.control("INSERT INTO sync_status (mapping_id, sync_type, status, "
                f"run_id) VALUES ({mapping}, 'CDC', 'RUNNING', 'left-over')")
    first = two.start()

    def status(run):
        return two.control("SELECT status FROM sync_status WHERE run_id = "
                           f"'{run}'")[0][0]
    dataflow.wait_for(lambda: status("left-over") == "ERROR")
    two.control("INSERT INTO sync_status (mapping_id, sync_type, status, "
                f"run_id) VALUES ({mapping}, 'CDC', 'RUNNING', 'live')")
    two.start()
    time.sleep(3)
    assert status("live") == "RUNNING"
    first.stop()
    dataflow.wait_for(lambda: status("live") == "ERROR")


@pytest.mark.threads
def test_at_most_max_connections(world):
    """Twelve mappings over four connections, two of them for the control
    tables."""
    for i in range(12):
        world.on_source(f"CREATE TABLE t{i} (id INT NOT NULL PRIMARY KEY)")
        world.on_source(f"INSERT INTO t{i} VALUES ({i})")
        world.add_mapping(f"t{i}", cdc=0)
    world.config(max_connections=4)
    world.start()
    most = 0

    def all_loaded():
        nonlocal most
        count = 0
        for server in (world.source, world.dest):
            count += server.query(
                "SELECT COUNT(*) FROM sys.dm_exec_sessions WHERE "
                "program_name = 'dbaops-dataflow'")[0][0]
            if world.source is world.dest:
                break
        most = max(most, count)
        return world.control("SELECT COUNT(*) FROM sync_status WHERE status "
                             "= 'COMPLETED'")[0][0] == 12
    dataflow.wait_for(all_loaded, 60, 0.02)
    assert 2 <= most <= 4


@pytest.mark.threads
def test_the_control_store_goes_away_and_comes_back(two):
    """Changes flow on meanwhile; what waited is written afterwards."""
    if not two.dest.is_standin:
        pytest.skip("a real server cannot be cut off")
    relay = Relay(port_of(two.dest))
    text = (f"server={two.dest.address};user id={two.dest.user};"
            f"password={two.dest.password}")
    two.control("INSERT INTO target_servers (target_name, connection_string) "
                f"VALUES (N'direct', N'{text}')")
    mapping = two.add_mapping("a", target_id=1,
                              full_sync_trigger_column=None)
    daemon = two.start(DEST_SERVER=relay.address)
    try:
        two.wait_equal("a")
        before = two.control("SELECT COUNT(*) FROM sync_status")[0][0]
        relay.close()
        two.on_source("INSERT INTO a VALUES (2, 2)")
        two.wait_equal("a")
        time.sleep(1)
        two.on_source("INSERT INTO a VALUES (3, 3)")
        two.wait_equal("a")
        relay = Relay(port_of(two.dest), relay.port)
        dataflow.wait_for(lambda: two.control(
            "SELECT COUNT(*) FROM sync_status "
            "WHERE status = 'COMPLETED'")[0][0] > before, 30,
            what="the rows that waited")
        assert daemon.is_running()
        assert two.errors(mapping) == []
    finally:
        relay.close()

@pytest.mark.threads
def test_many_mappings_into_a_new_database(world):
    """They find no tables of schema `dataflow` there, all at the same time."""
    tables = [f"t{i}" for i in range(20)]
    for table in tables:
        world.on_source(f"CREATE TABLE {table} (id INT NOT NULL PRIMARY KEY)")
        world.on_source(f"INSERT INTO {table} VALUES (1)")
        world.add_mapping(table, cdc=0)
    world.start()
    for table in tables:
        world.wait_equal(table)
    assert world.errors() == world.errors(resolved=1) == []
