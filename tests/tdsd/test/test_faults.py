"""sp_tdsd_fault: what the tests of the daemon order the server to do wrong."""
import time

import pytds
import pytest

from clients import Client

pytestmark = pytest.mark.standin


@pytest.fixture
def sa(own_server):
    with Client(own_server) as client:
        client.run("CREATE DATABASE f; USE f; CREATE TABLE t (id int PRIMARY "
                   "KEY)")
        yield client
        if own_server.tdsd.is_running():
            with Client(own_server) as last:
                last.run("EXEC sp_tdsd_fault_clear")


def fault(sa, **arguments):
    given = ", ".join(f"@{k} = {v}" if isinstance(v, int) else f"@{k} = '{v}'"
                      for k, v in arguments.items())
    sa.run(f"EXEC sp_tdsd_fault {given}")


def test_error_of_the_nth(own_server, sa):
    fault(sa, action="error", match="%INTO t%", nth=3, times=2, error=1205,
          message="as ordered", state=5)
    with Client(own_server, "f") as c:
        numbers = []
        for i in range(6):
            try:
                c.run(f"INSERT INTO t VALUES ({i})")
                numbers.append(0)
            except pytds.DatabaseError as e:
                numbers.append(e.number)
                assert e.text == "as ordered" and e.state == 5
        assert numbers == [0, 0, 1205, 1205, 0, 0]
        assert c.column("SELECT id FROM t ORDER BY id") == [0, 1, 4, 5]


def test_error_after(own_server, sa):
    fault(sa, action="error", match="INSERT%", when="after", error=50001)
    with Client(own_server, "f") as c:
        assert c.number("INSERT t VALUES (1)") == 50001
        assert c.column("SELECT id FROM t") == [1]


@pytest.mark.parametrize("when, rows", [("before", []), ("after", [(1,)])])
def test_drop(own_server, sa, when, rows):
    fault(sa, action="drop", match="INSERT%", when=when)
    with Client(own_server, "f") as c:
        with pytest.raises((pytds.Error, OSError)):
            c.run("INSERT t VALUES (1)")
        assert not c.is_open() or not _answers(c)
    with Client(own_server, "f") as c:
        assert c.rows("SELECT id FROM t") == rows


def _answers(client):
    try:
        return client.value("SELECT 1") == 1
    except (pytds.Error, OSError):
        return False


@pytest.mark.parametrize("when, rows", [("before", []), ("after", [(1,)])])
def test_drop_at_commit(own_server, sa, when, rows):
    """The client cannot know whether it was committed: both must happen."""
    fault(sa, action="drop", event="commit", when=when, database="f")
    with Client(own_server, "f") as c:
        with pytest.raises((pytds.Error, OSError)):
            c.run("BEGIN TRAN; INSERT t VALUES (1); COMMIT")
    with Client(own_server, "f") as c:
        assert c.rows("SELECT id FROM t") == rows


def test_stall(own_server, sa):
    fault(sa, action="stall", match="SELECT 7%", milliseconds=700)
    with Client(own_server) as c:
        began = time.monotonic()
        assert c.value("SELECT 7") == 7
        assert time.monotonic() - began >= 0.65


def test_kill(own_server, sa):
    sa.run("INSERT t VALUES (1)")
    fault(sa, action="kill", match="INSERT t VALUES (2)%")
    with Client(own_server, "f") as c:
        with pytest.raises((pytds.Error, OSError)):
            c.run("INSERT t VALUES (2)")
    deadline = time.monotonic() + 10
    while own_server.tdsd.is_running():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    own_server.tdsd.kill()
    own_server.tdsd.start()
    with Client(own_server, "f") as c:
        assert c.column("SELECT id FROM t") == [1]


def test_login_fault_and_delay(own_server, sa):
    fault(sa, action="error", event="login", app="victim%", error=18456,
          message="not today")
    with pytest.raises(pytds.DatabaseError):
        Client(own_server, appname="victim one")
    Client(own_server, appname="other").close()
    Client(own_server, appname="victim two").close()  # it was for once
    sa.run("EXEC sp_tdsd_option 'login_delay', 400")
    began = time.monotonic()
    Client(own_server).close()
    assert time.monotonic() - began >= 0.35
    sa.run("EXEC sp_tdsd_option 'login_delay', 0")


def test_drop_in_the_middle_of_rows(own_server, sa):
    sa.run("INSERT t SELECT TOP 500 ROW_NUMBER() OVER (ORDER BY (SELECT 1)) "
           "FROM (VALUES (1),(2),(3),(4),(5),(6),(7),(8),(9),(10)) a (x), "
           "(VALUES (1),(2),(3),(4),(5),(6),(7),(8),(9),(10)) b (x), "
           "(VALUES (1),(2),(3),(4),(5),(6),(7),(8),(9),(10)) c (x)")
    fault(sa, action="drop", event="row", nth=100, app="reader")
    with Client(own_server, "f", appname="reader") as c:
        with pytest.raises((pytds.Error, OSError)):
            c.rows("SELECT * FROM t")
    with Client(own_server, "f", appname="reader") as c:
        assert len(c.rows("SELECT * FROM t")) == 500


def test_only_an_administrator_may(own_server, sa):
    sa.run("CREATE LOGIN low WITH PASSWORD = 'Low-pass-1'")
    with Client(own_server, user="low", password="Low-pass-1") as c:
        assert c.number("EXEC sp_tdsd_fault 'kill'") == 15247
        assert c.number("EXEC sp_tdsd_fault_clear") == 15247
        assert c.number("EXEC sp_tdsd_option 'login_delay', 1") == 15247
    assert sa.number("EXEC sp_tdsd_fault 'explode'") == 50000
    assert sa.number("EXEC sp_tdsd_fault @nope = 1") == 8145
    assert sa.number("EXEC sp_tdsd_option 'nope', 1") == 50000


def test_counting_statements(own_server, sa):
    sa.run("EXEC sp_tdsd_option 'count_statements', 1")
    with Client(own_server, "f", appname="counted") as c:
        for _ in range(3):
            c.rows("SELECT id FROM t")
        c.rows("SELECT %s", (1,))
    found = dict(sa.rows("SELECT CAST(statement_text AS nvarchar(400)), "
                         "execution_count FROM sys.dm_tdsd_statements WHERE "
                         "program_name = N'counted'"))
    assert found["SELECT id FROM t"] == 3 and found["SELECT @P1"] == 1
