"""Two daemons on one control store: each mapping is worked on by one of them."""
import signal
import threading
import time

import pytest

from support import dataflow


@pytest.fixture
def table(world):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, n INT)")
    world.on_source("INSERT INTO t VALUES (1, 0), (2, 0), (3, 0)")
    world.enable_cdc("t")
    return world


def holder(world):
    found = world.control("SELECT daemon, epoch FROM mapping_leases")
    return found[0] if found else None


def daemon_of(world, mapping):
    return world.control("SELECT daemon FROM mapping_state WHERE mapping_id "
                         f"= {mapping}")[0][0]


@pytest.mark.threads
def test_one_works_and_the_other_waits(table):
    mapping = table.add_mapping("t")
    first = table.start()
    table.wait_equal("t")
    second = table.start()
    dataflow.wait_for(lambda: table.control(
        "SELECT COUNT(*) FROM daemons WHERE stopped_at IS NULL") == [(2,)])
    who = holder(table)
    assert who[1] == 1 and daemon_of(table, mapping) == who[0]
    time.sleep(2.5)
    assert holder(table) == who
    # A new mapping is worked on as well, by either one.
    table.on_source("CREATE TABLE u (id INT NOT NULL PRIMARY KEY)")
    table.add_mapping("u", cdc=0)
    table.wait_equal("u")
    # The first one says goodbye: nothing is waited for.
    first.stop()
    table.on_source("UPDATE t SET n = 1")
    table.wait_equal("t", timeout=10)
    assert dataflow.wait_for(lambda: holder(table)[1] == 2)
    assert daemon_of(table, mapping) == holder(table)[0] != who[0]
    assert second.is_running() and table.errors() == []


def test_killed_one_is_replaced_at_once(table):
    """On the same machine the other sees that the process is gone."""
    table.add_mapping("t")
    first = table.start()
    table.wait_equal("t")
    table.start()
    dataflow.wait_for(lambda: table.control(
        "SELECT COUNT(*) FROM daemons") == [(2,)])
    first.kill()
    table.on_source("UPDATE t SET n = 1")
    table.wait_equal("t", timeout=10)
    assert holder(table)[1] == 2


@pytest.mark.threads
def test_frozen_one_is_shut_out(table):
    """It wakes up in the middle of its work and writes nothing any more."""
    table.on_dest("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, n INT)")
    table.on_dest("CREATE TABLE audit (at INT IDENTITY PRIMARY KEY, id INT, "
                  "n INT)")
    table.on_dest("CREATE TRIGGER seen ON t AFTER INSERT, UPDATE AS "
                  "INSERT INTO audit (id, n) SELECT id, n FROM inserted")
    table.config(lease_seconds=3)
    table.add_mapping("t")
    first = table.start()
    table.wait_equal("t")
    stop = threading.Event()

    def work():
        with table.source.connect(table.src_db) as connection:
            with connection.cursor() as cursor:
                while not stop.is_set():
                    cursor.execute("UPDATE t SET n = n + 1")
                    time.sleep(0.01)
    thread = threading.Thread(target=work)
    thread.start()
    try:
        second = table.start()
        for frozen, other in ((first, second), (second, first)):
            before = holder(table)
            frozen.signal(signal.SIGSTOP)
            dataflow.wait_for(lambda: holder(table)[1] == before[1] + 1)
            reached = table.on_dest("SELECT MAX(n) FROM t")[0][0]
            dataflow.wait_for(lambda: table.on_dest(
                "SELECT MAX(n) FROM t")[0][0] > reached)
            frozen.signal(signal.SIGCONT)
            time.sleep(3)
            assert holder(table)[1] == before[1] + 1
            assert other.is_running() and frozen.is_running()
    finally:
        stop.set()
        thread.join()
    table.wait_equal("t")
    back = table.on_dest(
        "SELECT COUNT(*) FROM (SELECT n, LAG(n) OVER (PARTITION BY id ORDER "
        "BY at) AS before FROM audit) AS a WHERE n < before")
    assert back == [(0,)], "a row went back to an older value"
    epochs = table.on_dest("SELECT epoch FROM dataflow.checkpoints")
    assert epochs == [(3,)]


def refused(world):
    return world.log().count("Lock request time out")


@pytest.mark.standin
def test_a_lock_on_a_row_of_the_control_tables(table):
    """The heart beats between two attempts to write it, which are few."""
    table.config(lease_seconds=6)
    mapping = table.add_mapping("t")
    table.start()
    table.wait_equal("t")
    table.start()
    dataflow.wait_for(lambda: table.control(
        "SELECT COUNT(*) FROM daemons") == [(2,)])
    before = holder(table)
    table.dest.query("EXEC sys.sp_tdsd_fault @action = 'error', @error = 1222, "
                     "@message = 'Lock request time out period exceeded.', "
                     "@match = '%SET last_cdc_lsn%', @times = 0")
    try:
        began = time.monotonic()
        while time.monotonic() < began + 9:
            table.on_source("UPDATE t SET n = n + 1")
            time.sleep(0.5)
        assert holder(table) == before
        assert 2 <= refused(table) <= 6
    finally:
        table.dest.query("EXEC sys.sp_tdsd_fault_clear")
    table.wait_equal("t")
    dataflow.wait_for(lambda: table.control(
        "SELECT 1 FROM table_mappings AS m INNER JOIN mapping_state AS s ON "
        "m.mapping_id = s.mapping_id WHERE m.last_cdc_lsn IS NOT NULL AND "
        f"s.rows_applied >= 6 AND m.mapping_id = {mapping}"))
    assert holder(table) == before


@pytest.mark.standin
def test_an_open_transaction_in_the_control_tables(table):
    """It is waited for, but not for ever. (All writes wait here, the heart's
    as well: the stand-in locks the whole database.)"""
    table.add_mapping("t")
    table.start()
    table.wait_equal("t")
    before = holder(table)
    with table.dest.connect(table.control_db) as connection:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN TRANSACTION; UPDATE table_mappings SET "
                           "updated_at = updated_at")
            table.on_source("UPDATE t SET n = 1")
            table.wait_equal("t")
            dataflow.wait_for(lambda: refused(table), 20)
            cursor.execute("ROLLBACK TRANSACTION")
    dataflow.wait_for(lambda: table.control(
        "SELECT 1 FROM mapping_state WHERE rows_applied >= 3"))
    assert holder(table) == before and table.errors() == []


def warnings(world):
    return world.control("SELECT log_message FROM sync_logs WHERE log_level "
                         "= 'WARNING' AND log_message LIKE '%mapping_leases%'")


@pytest.mark.parametrize("damage", ["lost", "restored"])
def test_a_control_store_older_than_the_destination(table, damage):
    """As after a restore from a backup: seen, told once, and made good."""
    table.add_mapping("t")
    daemon = table.start()
    table.wait_equal("t")
    daemon.stop()
    table.on_dest("UPDATE dataflow.checkpoints SET epoch = 40")
    table.control("DELETE FROM mapping_leases" if damage == "lost" else
                  "UPDATE mapping_leases SET epoch = 7")
    table.on_source("UPDATE t SET n = 1")
    table.start()
    table.wait_equal("t", timeout=20)
    assert holder(table)[1] == 41
    assert table.on_dest("SELECT epoch FROM dataflow.checkpoints") == [(41,)]
    assert len(warnings(table)) == 1 and "40" in warnings(table)[0][0]
    assert table.errors() == []


def test_it_is_seen_between_two_ticks(table):
    """A daemon that runs when that happens, and looks once an hour."""
    table.add_mapping("t")
    daemon = table.start()
    table.wait_equal("t")
    table.config(cdc_check_interval_seconds=3600)
    daemon.signal(signal.SIGHUP)
    time.sleep(2)
    table.on_dest("UPDATE dataflow.checkpoints SET epoch = 40")
    table.on_source("UPDATE t SET n = 1")
    daemon.signal(signal.SIGHUP)
    table.wait_equal("t", timeout=20)
    assert holder(table)[1] == 41


def test_a_copy_of_the_control_store_is_told(table):
    """Its daemon takes the mapping away again: an error, and no race."""
    mapping = table.add_mapping("t")
    table.start()
    table.wait_equal("t")
    table.on_dest("UPDATE dataflow.checkpoints SET epoch = 40")
    table.on_source("UPDATE t SET n = 1")
    table.wait_equal("t", timeout=20)
    table.on_dest("UPDATE dataflow.checkpoints SET epoch = 42")
    table.on_source("UPDATE t SET n = 2")
    dataflow.wait_for(lambda: table.errors(mapping))
    kind, message, _ = table.errors(mapping)[0]
    assert kind == "SYNC" and "same installation_id" in message
    time.sleep(3)
    assert holder(table)[1] == 41 and len(warnings(table)) == 1
    assert len(table.errors()) == 1 and table.differences("t")
    assert table.control("SELECT health FROM v_mapping_health") == [("ERROR",)]
