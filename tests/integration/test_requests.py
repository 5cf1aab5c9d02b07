"""PAUSE and RESUME are answered when it is so, and orders for mappings that
were inserted a moment ago are not refused."""
import signal
import threading
import time

import pytest

from support import dataflow


@pytest.fixture
def table(world):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, n INT)")
    world.on_source("INSERT INTO t VALUES (1, 0)")
    world.enable_cdc("t")
    world.mapping = world.add_mapping("t")
    return world


def answer(world, request):
    return world.control("SELECT state, answer FROM sync_requests WHERE "
                         f"request_id = {request}")[0]


def rests(world):
    """A change does not arrive, though there was time for it."""
    world.on_source("UPDATE t SET n = n + 1")
    time.sleep(4)
    return bool(world.differences("t"))


def by_command(world, what):
    done = dataflow.run(what, str(world.mapping), "--wait",
                        env=world.environment(), timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def by_procedure(world, what):
    answered = world.control(f"EXEC dbo.request_{what} {world.mapping}, "
                             "@wait_seconds = 60")[0]
    assert answered[3] == "COMPLETED"


@pytest.mark.parametrize("order", [by_command, by_procedure])
def test_paused_means_paused(table, order):
    """Ticks are far apart: the answer does not come by chance later."""
    daemon = table.start()
    table.wait_equal("t")
    table.config(cdc_check_interval_seconds=20)
    time.sleep(2.5)
    table.on_source("UPDATE t SET n = n + 1")
    table.wait_equal("t")  # it looks often now
    began = time.monotonic()
    threading.Timer(0.5, daemon.signal, [signal.SIGHUP]).start()
    order(table, "pause")
    assert time.monotonic() - began < 15 * dataflow.slowness()
    assert rests(table)
    threading.Timer(1, daemon.signal, [signal.SIGHUP]).start()
    order(table, "resume")
    assert time.monotonic() - began < 35 * dataflow.slowness()
    table.wait_equal("t", timeout=10)


@pytest.mark.standin
def test_no_worker_begins_before_the_tables_say_it(table):
    """Telling them takes a while: nobody writes meanwhile, nor is it told."""
    table.start()
    table.wait_equal("t")
    table.dest.query(
        "EXEC sys.sp_tdsd_fault 'stall', @milliseconds = 4000, "
        f"@database = N'{table.control_db}', @app = N'dbaops-dataflow', "
        "@match = N'UPDATE table_mappings%is_paused = @is_paused%'")
    request = table.request(table.mapping, "PAUSE")
    time.sleep(2.5)
    assert rests(table)
    dataflow.wait_for(lambda: answer(table, request) ==
                      ("COMPLETED", "paused"))
    assert rests(table)


@pytest.mark.standin
def test_a_pause_survives_a_kill(table):
    daemon = table.start()
    table.wait_equal("t")
    table.dest.query(
        "EXEC sys.sp_tdsd_fault 'stall', @milliseconds = 60000, "
        f"@database = N'{table.control_db}', @app = N'dbaops-dataflow', "
        "@match = N'UPDATE table_mappings%is_paused = @is_paused%'")
    request = table.request(table.mapping, "PAUSE")
    time.sleep(2.5)
    assert answer(table, request)[0] == "PENDING"
    daemon.kill()
    table.dest.query("EXEC sys.sp_tdsd_fault_clear")
    table.on_source("UPDATE t SET n = n + 1")
    table.start()
    dataflow.wait_for(lambda: answer(table, request) ==
                      ("COMPLETED", "paused"))
    assert rests(table)


def test_several_at_once_take_their_turns(table):
    table.start()
    table.wait_equal("t")
    table.control("INSERT INTO sync_requests (mapping_id, request_type) "
                  "VALUES " + ", ".join(f"({table.mapping}, N'{kind}')"
                                        for kind in ("PAUSE", "RESUME",
                                                     "RESUME", "PAUSE")))
    dataflow.wait_for(lambda: table.control(
        "SELECT COUNT(*) FROM sync_requests WHERE state = N'COMPLETED'"
    ) == [(4,)])
    assert table.control("SELECT is_paused FROM table_mappings") == [(True,)]
    assert rests(table)
    assert table.control("SELECT answer FROM sync_requests ORDER BY "
                         "request_id") == [("paused",), ("resumed",),
                                           ("resumed",), ("paused",)]


def test_what_is_switched_off_is_not_resumed(table):
    table.control("UPDATE table_mappings SET is_enabled = 0, is_paused = 1")
    table.start()
    request = table.request(table.mapping, "RESUME")
    dataflow.wait_for(lambda: answer(table, request)[0] == "REJECTED")
    assert "SET is_enabled = 1" in answer(table, request)[1]
    assert table.control("SELECT is_paused FROM table_mappings") == [(True,)]
    pause = table.request(table.mapping, "PAUSE")
    dataflow.wait_for(lambda: answer(table, pause)[0] == "COMPLETED")
    table.control("UPDATE table_mappings SET is_enabled = 1; "
                  "UPDATE source_servers SET is_enabled = 0")
    request = table.request(table.mapping, "RESUME")
    dataflow.wait_for(lambda: answer(table, request)[0] == "REJECTED")
    assert "source_servers" in answer(table, request)[1]
    table.control("UPDATE source_servers SET is_enabled = 1")
    request = table.request(table.mapping, "RESUME")
    dataflow.wait_for(lambda: answer(table, request)[0] == "COMPLETED")
    table.wait_equal("t")


@pytest.mark.standin
@pytest.mark.parametrize("between", ["sync_requests", "table_mappings",
                                     "source_servers"])
def test_a_mapping_inserted_together_with_its_order(table, between):
    """While the tables are read, at whichever of them that is."""
    table.start()
    table.wait_equal("t")
    source = table.connection_string()
    table.dest.query(
        "EXEC sys.sp_tdsd_fault 'stall', @milliseconds = 3000, "
        f"@database = N'{table.control_db}', @app = N'dbaops-dataflow', "
        f"@match = N'SELECT%FROM {between}%'")
    time.sleep(1.5)
    server = table.add_server("late", source)
    mapping = table.add_mapping("t", "u", cdc=0, server_id=server)
    request = table.request(mapping, "FULL_SYNC")
    dataflow.wait_for(lambda: answer(table, request)[0] == "COMPLETED")
    table.wait_equal("t", "u")
    assert table.control("SELECT COUNT(*) FROM error_logs") == [(0,)]
    refused = table.request(77, "FULL_SYNC")
    dataflow.wait_for(lambda: answer(table, refused)[0] == "REJECTED")


@pytest.mark.parametrize("kind", ["FULL_SYNC", "SKIP_TO_NOW"])
def test_an_order_in_the_middle_of_a_failure(table, kind):
    """What fails then had begun before it came: that is no answer to it."""
    if not table.source.is_standin:
        pytest.skip("a real server does not stall when it is told to")
    table.config(resync_on_gap=0)
    daemon = table.start()
    table.wait_equal("t")
    daemon.stop()
    table.on_source("UPDATE t SET n = 5")
    dataflow.wait_for(lambda: table.on_source(
        "SELECT 1 FROM cdc.dbo_t_CT WHERE __$operation = 4"), 20)
    table.on_source("""
        DECLARE @lsn BINARY(10) = sys.fn_cdc_get_max_lsn();
        EXEC sys.sp_cdc_cleanup_change_table @capture_instance = N'dbo_t',
            @low_water_mark = @lsn, @threshold = 5000""")
    daemon.start()
    dataflow.wait_for(lambda: table.errors(table.mapping))
    table.source.query(
        "EXEC sys.sp_tdsd_fault N'stall', @app = N'dbaops-dataflow', "
        "@match = N'%fn_cdc_get_min_lsn%', @milliseconds = 5000, @times = 1")
    time.sleep(2)
    request = table.request(table.mapping, kind)
    dataflow.wait_for(
        lambda: answer(table, request)[0] in ("COMPLETED", "FAILED"), 40)
    assert answer(table, request)[0] == "COMPLETED", answer(table, request)
    table.on_source("UPDATE t SET n = 6")
    table.wait_equal("t")
    dataflow.wait_for(lambda: not table.errors(table.mapping))
