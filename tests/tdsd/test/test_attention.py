"""Cancelling: the statement ends, the connection and what it has stays."""
import threading
import time

import pytds
import pytest

LONG = ("WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < "
        "100000000) SELECT COUNT(*) FROM n OPTION (MAXRECURSION 0)")


def cancel_during(client, sql, after=0.3):
    """Run it, send an attention meanwhile; the seconds it took."""
    outcome = []

    def run():
        try:
            outcome.append(client.results(sql))
        except Exception as e:  # noqa: B902
            outcome.append(e)
    began = time.monotonic()
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    time.sleep(after)
    session = client.cursor._session
    session._writer.begin_packet(6)  # ATTENTION
    session._writer.flush()
    thread.join(30)
    assert not thread.is_alive(), "it goes on"
    return time.monotonic() - began, outcome


@pytest.mark.parametrize("sql", [
    LONG, "WAITFOR DELAY '00:01:00'",
    "DECLARE @i bigint = 0; WHILE 1 = 1 SET @i += 1",
    "SELECT a.x FROM (VALUES (1),(2),(3),(4),(5),(6),(7),(8),(9),(10)) a (x), "
    "(VALUES (1),(2),(3),(4),(5),(6),(7),(8),(9),(10)) b (x) "
    "WHERE 0 = (SELECT COUNT(*) FROM (VALUES (1)) c (y) WHERE y = a.x + 1); "
    "WAITFOR DELAY '00:01:00'",
], ids=["query", "waitfor", "loop", "rows first"])
def test_cancel(connect, sql):
    client = connect()
    spent, _ = cancel_during(client, sql)
    assert spent < 20
    again = connect()
    assert again.value("SELECT 1") == 1


def test_time_out_of_the_client(server, connect):
    """python-tds sends an attention when its own time is over."""
    client = connect(timeout=1)
    client.run("CREATE TABLE #kept (a int); INSERT #kept VALUES (5)")
    began = time.monotonic()
    with pytest.raises((pytds.Error, OSError)):
        client.results("WAITFOR DELAY '00:01:00'")
    assert time.monotonic() - began < 20


def test_cursor_cancel_keeps_the_connection(connect):
    client = connect()
    client.run("CREATE TABLE #kept (a int); INSERT #kept VALUES (5); "
               "BEGIN TRAN; UPDATE #kept SET a = 6")
    client.cursor.execute("WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM"
                          " n WHERE i < 1000000) SELECT i, REPLICATE('x', 500) "
                          "FROM n OPTION (MAXRECURSION 0)")
    assert client.cursor.fetchone()[0] == 1
    client.cursor.cancel()
    assert client.row("SELECT a, @@TRANCOUNT FROM #kept") == (6, 1)
    client.run("ROLLBACK")
    assert client.value("SELECT a FROM #kept") == 5


def test_cancel_while_blocked(connect, db, name):
    db.run(f"CREATE TABLE {name} (id int); INSERT {name} VALUES (1)")
    db.run(f"BEGIN TRAN; UPDATE {name} SET id = 2")
    other = connect()
    spent, _ = cancel_during(other, f"UPDATE {name} SET id = 3")
    assert spent < 20
    db.run("COMMIT")
    assert db.value(f"SELECT id FROM {name}") == 2


def test_a_cancelled_change_is_undone(connect, db, name):
    db.run(f"CREATE TABLE {name} (id int)")
    client = connect()
    cancel_during(client, f"WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 "
                  f"FROM n WHERE i < 100000000) INSERT {name} SELECT i FROM n "
                  "OPTION (MAXRECURSION 0)")
    db.run("SET LOCK_TIMEOUT 20000")
    assert db.value(f"SELECT COUNT(*) FROM {name}") == 0
