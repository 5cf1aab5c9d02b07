"""What was committed is there after a restart and after kill -9."""
import threading

import pytest

from clients import Client

pytestmark = pytest.mark.standin


def test_restart_keeps_everything(own_server):
    with Client(own_server) as c:
        c.run("""
CREATE DATABASE keep COLLATE Latin1_General_100_CS_AS
ALTER DATABASE keep SET ALLOW_SNAPSHOT_ISOLATION ON
CREATE LOGIN app WITH PASSWORD = 'Pass-word-1'
GO
USE keep
GO
CREATE SCHEMA s
GO
CREATE USER app FOR LOGIN app
GRANT SELECT ON SCHEMA::s TO app
CREATE TABLE s.t (id int IDENTITY PRIMARY KEY, v nvarchar(50) UNIQUE,
    d decimal(38,10) CHECK (d > 0), r rowversion, c AS id * 2)
INSERT s.t (v, d) VALUES (N'\u20ac', 1.5), (N'b', 2)
GO
CREATE VIEW s.w AS SELECT v FROM s.t
GO
CREATE PROCEDURE s.p AS SELECT COUNT(*) FROM s.t
GO
BEGIN TRAN
INSERT s.t (v, d) VALUES (N'open', 1)""")
        before = c.rows("SELECT * FROM s.t WHERE v <> N'open' ORDER BY id")
    own_server.tdsd.restart()
    with Client(own_server, "keep") as c:
        assert c.rows("SELECT * FROM s.t ORDER BY id") == before
        assert c.rows("EXEC s.p") == [(2,)]
        assert c.value("SELECT COUNT(*) FROM s.w") == 2
        assert c.number("INSERT s.t (v, d) VALUES (N'b', 1)") == 2627
        assert c.number("INSERT s.t (v, d) VALUES (N'x', 0)") == 547
        c.run("INSERT s.t (v, d) VALUES (N'B', 1)")
        assert c.value("SELECT MAX(id) FROM s.t") > 2
        assert c.value("SELECT MAX(r) FROM s.t") > max(r[3] for r in before)
        assert c.row("SELECT collation_name, snapshot_isolation_state FROM "
                     "sys.databases WHERE name = 'keep'") == \
            ("Latin1_General_100_CS_AS", 1)
    with Client(own_server, "keep", user="app", password="Pass-word-1") as c:
        assert c.value("SELECT COUNT(*) FROM s.t") == 3
        assert c.number("DELETE s.t") == 229


def test_kill_9_loses_nothing_that_was_committed(own_server):
    """Each round: commits that were confirmed, one killed in the middle."""
    with Client(own_server) as c:
        c.run("CREATE DATABASE k; USE k; CREATE TABLE t (id int PRIMARY KEY, "
              "pair int)")
    confirmed = []
    for start in range(0, 3000, 1000):
        def write(first=start):
            try:
                with Client(own_server, "k") as w:
                    for i in range(first, first + 1000, 2):
                        w.run("BEGIN TRAN; INSERT t VALUES (%d, %d); INSERT t "
                              "VALUES (%d, %d); COMMIT" %
                              (i, i + 1, i + 1, i))
                        confirmed.append(i)
            except Exception:  # noqa: B902
                pass  # killed
        thread = threading.Thread(target=write)
        thread.start()
        while len([i for i in confirmed if i >= start]) < 20 and \
                thread.is_alive():
            pass
        own_server.tdsd.kill()
        thread.join()
        own_server.tdsd.start()
        with Client(own_server, "k") as c:
            there = set(c.column("SELECT id FROM t"))
            assert set(confirmed) <= there
            assert c.value("SELECT COUNT(*) FROM t a WHERE NOT EXISTS (SELECT "
                           "1 FROM t b WHERE b.id = a.pair)") == 0


def test_temporary_tables_do_not_survive(own_server):
    with Client(own_server) as c:
        c.run("CREATE TABLE #t (a int)")
    own_server.tdsd.restart()
    with Client(own_server) as c:
        assert c.number("SELECT * FROM #t") == 208


def test_a_dropped_database_stays_dropped(own_server):
    with Client(own_server) as c:
        c.run("CREATE DATABASE d1; DROP DATABASE d1; CREATE DATABASE d1; "
              "CREATE DATABASE d2")
        c.run("CREATE TABLE d1.dbo.t (a int)")
        c.run("DROP DATABASE d2")
    own_server.tdsd.restart()
    with Client(own_server) as c:
        assert c.value("SELECT COUNT(*) FROM d1.dbo.t") == 0
        assert c.number("USE d2") == 911
