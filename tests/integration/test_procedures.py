"""The stored procedures that make a request one line in SSMS."""
import re
import threading
import time

import pytds
import pytest

from support import dataflow


@pytest.fixture
def orders(world):
    """Control tables with a mapping, which no daemon works on."""
    world.mapping = world.add_mapping("t", cdc=0)
    return world


def refused(world, sql):
    """The number and the text of the error, which adds no row."""
    before = world.control("SELECT COUNT(*) FROM sync_requests")
    with pytest.raises(pytds.Error) as caught:
        world.control(sql)
    assert world.control("SELECT COUNT(*) FROM sync_requests") == before
    return getattr(caught.value, "number", None), str(caught.value)


@pytest.mark.parametrize("call, row", [
    ("request_full_sync @mapping_id = {}", ("FULL_SYNC", None, None, False)),
    ("request_full_sync {}", ("FULL_SYNC", None, None, False)),
    ("request_resync @mapping_id = {}, @where_condition = N'name = N''é'''",
     ("RESYNC", None, "name = N'é'", False)),
    ("request_verify @mapping_id = {}", ("VERIFY", "TAIL", None, False)),
    ("request_verify @mapping_id = {}, @scope = N'whole'",
     ("VERIFY", "WHOLE", None, False)),
    ("request_repair @mapping_id = {}", ("REPAIR", None, None, False)),
    ("request_repair @mapping_id = {}, @scope = N'WHOLE', @dry_run = 1",
     ("REPAIR", "WHOLE", None, True)),
    ("request_pause @mapping_id = {}", ("PAUSE", None, None, False)),
    ("request_resume @mapping_id = {}", ("RESUME", None, None, False)),
    ("request_skip_to_now @mapping_id = {}",
     ("SKIP_TO_NOW", None, None, False)),
    ("request_compact @mapping_id = {}", ("COMPACT", None, None, False)),
])
def test_each_adds_its_row(orders, call, row):
    login = orders.control("SELECT ORIGINAL_LOGIN()")[0][0]
    answer = orders.control("EXEC dbo." + call.format(orders.mapping))
    assert len(answer) == 1
    assert answer[0][1:] == (orders.mapping, row[0], "PENDING", None)
    found = orders.control(
        "SELECT request_id, mapping_id, request_type, scope, where_condition, "
        "dry_run, requested_by, state, DATEDIFF(SECOND, requested_at, "
        "SYSUTCDATETIME()) FROM sync_requests")
    assert len(found) == 1
    assert found[0][:8] == (answer[0][0], orders.mapping, *row, login,
                            "PENDING")
    assert 0 <= found[0][8] <= 60


@pytest.mark.parametrize("name, more", [
    ("full_sync", ""), ("resync", ", @where_condition = N'1 = 1'"),
    ("verify", ""), ("repair", ""), ("pause", ""), ("resume", ""),
    ("skip_to_now", ""), ("compact", "")])
def test_mappings_that_are_not_there(orders, name, more):
    for number in ("99", "NULL", "-1"):
        code, text = refused(
            orders, f"EXEC dbo.request_{name} @mapping_id = {number}{more}")
        assert code == 50001
        assert f"mapping {number} does not exist" in text
        assert "table_mappings" in text


def test_wrong_arguments(orders):
    call = f"EXEC dbo.request_{{}} @mapping_id = {orders.mapping}, {{}}"
    for name in ("verify", "repair"):
        for scope in ("ALL", "", "TAIL;"):
            code, text = refused(orders,
                                 call.format(name, f"@scope = N'{scope}'"))
            assert code == 50002 and f"'{scope}'" in text
            assert "TAIL" in text and "WHOLE" in text
    for condition in ("NULL", "N''", "N'  '"):
        code, text = refused(orders, call.format(
            "resync", f"@where_condition = {condition}"))
        assert code == 50004 and "request_full_sync" in text
    for seconds in ("-1", "NULL", "86401"):
        code, text = refused(orders, call.format(
            "pause", f"@wait_seconds = {seconds}"))
        assert code == 50003 and "86400" in text
    # What the server itself refuses.
    assert refused(orders, "EXEC dbo.request_resync @mapping_id = 1")[0] == 201
    assert refused(orders, "EXEC dbo.request_full_sync")[0] == 201


def test_waiting_for_the_answer(world):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    world.on_source("INSERT INTO t VALUES (1), (2), (3)")
    mapping = world.add_mapping("t", cdc=0)
    world.start()
    world.wait_equal("t")
    answer = world.control(f"EXEC dbo.request_full_sync @mapping_id = "
                           f"{mapping}, @wait_seconds = 60")[0]
    assert answer[1:4] == (mapping, "FULL_SYNC", "COMPLETED")
    assert re.match(r"3 rows in", answer[4])
    world.control(f"EXEC dbo.request_pause {mapping}, @wait_seconds = 60")
    assert world.control("SELECT is_paused FROM table_mappings") == [(True,)]
    world.control(f"EXEC dbo.request_resume {mapping}, @wait_seconds = 60")
    assert world.control("SELECT is_paused FROM table_mappings") == [(False,)]


def test_nobody_answers(orders):
    began = time.monotonic()
    answer = orders.control(f"EXEC dbo.request_pause {orders.mapping}, "
                            "@wait_seconds = 2")[0]
    assert 1.5 < time.monotonic() - began < 20
    assert answer[3:] == ("PENDING", None)


def test_a_late_answer(orders):
    def later():
        time.sleep(1)
        orders.control("UPDATE sync_requests SET state = N'REJECTED', answer "
                       "= N'no', completed_at = SYSUTCDATETIME()")
    thread = threading.Thread(target=later)
    thread.start()
    began = time.monotonic()
    answer = orders.control(f"EXEC dbo.request_verify {orders.mapping}, "
                            "@wait_seconds = 60")[0]
    thread.join()
    assert answer[3:] == ("REJECTED", "no")
    assert time.monotonic() - began < 30


def test_within_a_transaction(orders):
    """The daemon cannot see it: no waiting, and it goes with a rollback."""
    with orders.dest.connect(orders.control_db) as connection:
        with connection.cursor() as cursor:
            began = time.monotonic()
            cursor.execute("BEGIN TRANSACTION")
            cursor.execute(f"EXEC dbo.request_pause {orders.mapping}, "
                           "@wait_seconds = 60")
            assert cursor.fetchall()[0][3] == "PENDING"
            cursor.execute("ROLLBACK")
            assert time.monotonic() - began < 20
    assert orders.control("SELECT COUNT(*) FROM sync_requests") == [(0,)]


def test_an_operator_needs_nothing_else(orders):
    name = f"operator_{orders.control_db}"
    orders.dest.query(f"CREATE LOGIN {name} WITH PASSWORD = N'Operator-1', "
                      "CHECK_POLICY = OFF", "master")
    try:
        orders.control(f"CREATE USER {name} FOR LOGIN {name}")
        orders.control(f"GRANT EXECUTE ON dbo.request_pause TO {name}")
        host, _, port = orders.dest.address.partition(",")
        with pytds.connect(host, orders.control_db, name, "Operator-1",
                           port=int(port or 1433), autocommit=True) as other:
            with other.cursor() as cursor:
                cursor.execute(f"EXEC dbo.request_pause {orders.mapping}")
                assert cursor.fetchall()[0][2] == "PAUSE"
                for denied in (
                        f"EXEC dbo.request_resume {orders.mapping}",
                        f"EXEC dbo.add_sync_request {orders.mapping}, N'X'",
                        "DELETE FROM dbo.sync_requests",
                        "SELECT * FROM dbo.source_servers"):
                    with pytest.raises(pytds.Error) as caught:
                        cursor.execute(denied)
                        cursor.fetchall()
                    assert caught.value.number == 229
        assert orders.control("SELECT request_type, requested_by FROM "
                              "sync_requests") == [("PAUSE", name)]
    finally:
        orders.control(f"DROP USER IF EXISTS {name}")
        orders.dest.query(f"DROP LOGIN {name}", "master")


def test_installed_again(orders):
    orders.control(f"EXEC dbo.request_pause {orders.mapping}")
    assert dataflow.run("init", env=orders.environment()).returncode == 0
    orders.control(f"EXEC dbo.request_resume {orders.mapping}")
    assert orders.control("SELECT request_type FROM sync_requests ORDER BY "
                          "request_id") == [("PAUSE",), ("RESUME",)]
