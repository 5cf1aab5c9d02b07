"""Transactions, TRY and CATCH, isolation, locks, deadlocks."""
import threading
import time

import pytest


@pytest.fixture
def t(db, name):
    db.run(f"CREATE TABLE {name} (id int PRIMARY KEY, v int); "
           f"INSERT {name} VALUES (1, 10), (2, 20), (3, 30)")
    yield name
    db.run("IF @@TRANCOUNT > 0 ROLLBACK")
    db.run(f"DROP TABLE IF EXISTS {name}")


def in_thread(function, *arguments):
    box = {}

    def run():
        try:
            box["value"] = function(*arguments)
        except Exception as e:  # noqa: B902
            box["error"] = e
    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def result(timeout=30):
        thread.join(timeout)
        assert not thread.is_alive(), "it still waits"
        if "error" in box:
            raise box["error"]
        return box.get("value")
    result.thread = thread
    return result


# ------------------------------------------------------------- one connection

def test_commit_and_rollback(db, t):
    db.run(f"BEGIN TRANSACTION; DELETE {t}")
    assert db.value("SELECT @@TRANCOUNT") == 1
    assert db.value(f"SELECT COUNT(*) FROM {t}") == 0
    db.run("ROLLBACK")
    assert db.row(f"SELECT @@TRANCOUNT, COUNT(*) FROM {t}") == (0, 3)
    db.run(f"BEGIN TRAN; DELETE {t} WHERE id = 1; COMMIT")
    assert db.value(f"SELECT COUNT(*) FROM {t}") == 2


def test_nesting(db, t):
    db.run(f"BEGIN TRAN; BEGIN TRAN; DELETE {t}; COMMIT")
    assert db.value("SELECT @@TRANCOUNT") == 1
    db.run("ROLLBACK")
    assert db.value(f"SELECT COUNT(*) FROM {t}") == 3
    assert db.number("COMMIT") == 3902
    assert db.number("ROLLBACK") == 3903


def test_savepoints(db, t):
    db.run(f"BEGIN TRAN; UPDATE {t} SET v = 1; SAVE TRAN s1; DELETE {t}; "
           "ROLLBACK TRAN s1")
    assert db.row(f"SELECT COUNT(*), MAX(v), @@TRANCOUNT FROM {t}") == (3, 1, 1)
    assert db.number("ROLLBACK TRAN nosuch") == 6401
    db.run("ROLLBACK")
    assert db.value(f"SELECT MAX(v) FROM {t}") == 30
    assert db.number("SAVE TRANSACTION s") == 628


def test_implicit_transactions(db, t):
    db.run(f"SET IMPLICIT_TRANSACTIONS ON; DELETE {t}")
    assert db.value("SELECT @@TRANCOUNT") == 1
    db.run("ROLLBACK; SET IMPLICIT_TRANSACTIONS OFF")
    assert db.value(f"SELECT COUNT(*) FROM {t}") == 3


def test_error_keeps_the_transaction(db, t):
    assert db.number(f"BEGIN TRAN; INSERT {t} VALUES (9, 9); INSERT {t} VALUES "
                     "(1, 1)") == 2627
    assert db.row("SELECT @@TRANCOUNT, XACT_STATE()") == (1, 1)
    db.run("COMMIT")
    assert db.value(f"SELECT COUNT(*) FROM {t}") == 4


def test_xact_abort_ends_it(db, t):
    db.run("SET XACT_ABORT ON")
    assert db.number(f"BEGIN TRAN; INSERT {t} VALUES (9, 9); INSERT {t} VALUES "
                     f"(1, 1); INSERT {t} VALUES (8, 8)") == 2627
    assert db.row("SELECT @@TRANCOUNT, XACT_STATE()") == (0, 0)
    assert db.value(f"SELECT COUNT(*) FROM {t}") == 3


def test_conversion_error_ends_the_batch(db, t):
    assert db.number(f"BEGIN TRAN; INSERT {t} VALUES (9, 9); SELECT "
                     f"CAST('x' AS int); INSERT {t} VALUES (8, 8)") == 245
    assert db.value("SELECT @@TRANCOUNT") == 0
    assert db.value(f"SELECT COUNT(*) FROM {t}") == 3


def test_statements_after_an_error_go_on(db, t):
    assert db.number(f"INSERT {t} VALUES (1, 1); INSERT {t} VALUES (5, 5)") \
        == 2627
    assert db.value(f"SELECT COUNT(*) FROM {t} WHERE id = 5") == 1


def test_a_missing_table_ends_the_batch(db, t):
    assert db.number(f"INSERT {t} VALUES (5, 5); SELECT * FROM nowhere; INSERT "
                     f"{t} VALUES (6, 6)") == 208
    assert db.column(f"SELECT id FROM {t} ORDER BY id") == [1, 2, 3, 5]


# -------------------------------------------------------------------- TRY, CATCH

def test_error_functions(db, t, name):
    db.run(f"""CREATE PROCEDURE p_{name} AS
BEGIN

    INSERT {t} VALUES (1, 1)
END""")
    row = db.row(f"""BEGIN TRY
    EXEC p_{name}
END TRY
BEGIN CATCH
    SELECT ERROR_NUMBER(), ERROR_SEVERITY(), ERROR_STATE(), ERROR_LINE(),
        ERROR_PROCEDURE(), ERROR_MESSAGE()
END CATCH""")
    assert row[:5] == (2627, 14, 1, 4, f"p_{name}")
    assert row[5].startswith("Violation of PRIMARY KEY constraint 'PK__")
    assert db.row("SELECT ERROR_NUMBER(), ERROR_MESSAGE()") == (None, None)


def test_error_attributes_on_the_wire(db, t, name):
    error = db.fails(f"\n\nINSERT {t} VALUES (1, 1)")
    assert (error.number, error.severity, error.state, error.line,
            error.procedure) == (2627, 14, 1, 3, "")
    db.run(f"CREATE PROCEDURE p_{name} AS\n\nSELECT 1/0")
    error = db.fails(f"EXEC p_{name}")
    assert (error.line, error.procedure) == (3, f"p_{name}")


def test_doomed(db, t):
    assert db.results(f"""SET XACT_ABORT ON; BEGIN TRAN
BEGIN TRY INSERT {t} VALUES (1, 1) END TRY
BEGIN CATCH SELECT XACT_STATE(), @@TRANCOUNT; ROLLBACK END CATCH
SELECT XACT_STATE()""") == [[(-1, 1)], [(0,)]]
    assert db.number(f"""BEGIN TRAN
BEGIN TRY INSERT {t} VALUES (1, 1) END TRY
BEGIN CATCH INSERT {t} VALUES (7, 7) END CATCH""") == 3930
    assert db.value("SELECT @@TRANCOUNT") == 0
    assert db.number(f"""BEGIN TRAN
BEGIN TRY INSERT {t} VALUES (1, 1) END TRY
BEGIN CATCH COMMIT END CATCH""") == 3930
    assert db.number(f"""BEGIN TRAN
BEGIN TRY INSERT {t} VALUES (1, 1) END TRY BEGIN CATCH END CATCH""") == 3998
    assert db.value("SELECT @@TRANCOUNT") == 0


def test_catch_without_xact_abort_can_commit(db, t):
    db.run(f"BEGIN TRAN; INSERT {t} VALUES (8, 8); BEGIN TRY INSERT {t} VALUES "
           "(1, 1) END TRY BEGIN CATCH IF XACT_STATE() = 1 COMMIT END CATCH")
    assert db.value(f"SELECT COUNT(*) FROM {t}") == 4


def test_throw(db):
    error = db.fails("THROW 51000, 'it is so', 3")
    assert (error.number, error.severity, error.state, error.text) == \
        (51000, 16, 3, "it is so")
    error = db.fails("BEGIN TRY SELECT 1/0 END TRY BEGIN CATCH; THROW; "
                     "END CATCH")
    assert (error.number, error.severity, error.state) == (8134, 16, 1)
    assert db.number("THROW") == 10704
    assert db.number("THROW 40000, 'x', 1") == 35100


def test_throw_ends_the_batch(db, t):
    assert db.number(f"INSERT {t} VALUES (5, 5); THROW 50001, 'x', 1; INSERT "
                     f"{t} VALUES (6, 6)") == 50001
    assert db.column(f"SELECT id FROM {t} ORDER BY id") == [1, 2, 3, 5]


def test_raiserror(db):
    error = db.fails("RAISERROR(N'a %s b %d', 16, 2, N'x', 7)")
    assert (error.number, error.severity, error.state, error.text) == \
        (50000, 16, 2, "a x b 7")
    assert db.rows("RAISERROR('only a word', 10, 1); SELECT @@ERROR") == [(0,)]
    assert db.rows("BEGIN TRY RAISERROR('x', 16, 1); SELECT 'no' END TRY BEGIN "
                   "CATCH SELECT ERROR_MESSAGE() END CATCH") == [("x",)]
    assert db.number("RAISERROR(50099, 16, 1)") in (18054, 2732)


def test_nested_try(db):
    assert db.results("""BEGIN TRY
  BEGIN TRY SELECT 1/0 END TRY
  BEGIN CATCH SELECT ERROR_NUMBER(); THROW 50005, 'again', 1 END CATCH
END TRY
BEGIN CATCH SELECT ERROR_NUMBER() END CATCH""")[-2:] == [[(8134,)], [(50005,)]]


def test_syntax_errors_are_not_caught_where_they_are(db):
    assert db.number("BEGIN TRY SELEC 1 END TRY BEGIN CATCH END CATCH") in \
        (102, 156)
    assert db.number("BEGIN TRY SELECT * FROM nowhere END TRY BEGIN CATCH "
                     "SELECT 1 END CATCH") == 208
    assert db.rows("BEGIN TRY EXEC('SELECT * FROM nowhere') END TRY BEGIN CATCH"
                   " SELECT ERROR_NUMBER() END CATCH") == [(208,)]


def test_error_variable(db, t):
    assert db.results(f"UPDATE {t} SET v = 1 WHERE id = 1; SELECT @@ERROR, "
                      "@@ROWCOUNT") == [[(0, 1)]]


# ---------------------------------------------------------------- two connections

@pytest.mark.threads
def test_uncommitted_rows_block_readers(db, connect, t):
    other = connect()
    db.run(f"BEGIN TRAN; UPDATE {t} SET v = 99 WHERE id = 1")
    other.run("SET LOCK_TIMEOUT 200")
    error = other.fails(f"SELECT * FROM {t}")
    assert (error.number, error.severity) == (1222, 16)
    # dirty reads do not wait; what they see is another matter
    assert other.value(f"SELECT v FROM {t} WITH (NOLOCK) WHERE id = 1") in \
        (10, 99)
    other.run("SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED")
    assert other.value(f"SELECT v FROM {t} WHERE id = 1") in (10, 99)
    other.run("SET TRANSACTION ISOLATION LEVEL READ COMMITTED; "
              "SET LOCK_TIMEOUT -1")
    waiting = in_thread(other.value, f"SELECT v FROM {t} WHERE id = 1")
    time.sleep(0.3)
    assert waiting.thread.is_alive()
    db.run("ROLLBACK")
    assert waiting() == 10


@pytest.mark.threads
def test_writers_wait(db, connect, t):
    other = connect()
    db.run(f"BEGIN TRAN; UPDATE {t} SET v = v + 1 WHERE id = 1")
    waiting = in_thread(other.run, f"UPDATE {t} SET v = v + 100 WHERE id = 1")
    time.sleep(0.2)
    assert waiting.thread.is_alive()
    db.run("COMMIT")
    waiting()
    assert db.value(f"SELECT v FROM {t} WHERE id = 1") == 111


def test_lock_timeout_keeps_the_transaction(db, connect, t):
    other = connect()
    db.run(f"BEGIN TRAN; UPDATE {t} SET v = 0")
    other.run("SET LOCK_TIMEOUT 100; BEGIN TRAN")
    assert other.number(f"UPDATE {t} SET v = 5") == 1222
    assert other.value("SELECT @@TRANCOUNT") == 1
    assert other.value("SELECT @@LOCK_TIMEOUT") == 100
    other.run("ROLLBACK")


def test_ddl_waits_for_readers_and_writers(db, connect, t):
    other = connect()
    db.run(f"BEGIN TRAN; INSERT {t} VALUES (7, 7)")
    other.run("SET LOCK_TIMEOUT 100")
    assert other.number(f"TRUNCATE TABLE {t}") == 1222
    assert other.number(f"DROP TABLE {t}") == 1222
    db.run("ROLLBACK")
    other.run(f"TRUNCATE TABLE {t}")


def test_snapshot_sees_one_moment(db, connect, t):
    other = connect()
    db.run(f"SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRAN; "
           f"SELECT COUNT(*) FROM {t}")
    other.run(f"UPDATE {t} SET v = 11 WHERE id = 1; INSERT {t} VALUES (4, 40); "
              f"DELETE {t} WHERE id = 2")
    assert db.rows(f"SELECT * FROM {t} ORDER BY id") == [
        (1, 10), (2, 20), (3, 30)]
    db.run("COMMIT")
    assert db.rows(f"SELECT * FROM {t} ORDER BY id") == [
        (1, 11), (3, 30), (4, 40)]


def test_snapshot_reads_past_a_writer(db, connect, t):
    other = connect()
    other.run(f"BEGIN TRAN; UPDATE {t} SET v = 99")
    db.run("SET TRANSACTION ISOLATION LEVEL SNAPSHOT; SET LOCK_TIMEOUT 500")
    assert db.value(f"SELECT v FROM {t} WHERE id = 1") == 10
    other.run("ROLLBACK")


def test_snapshot_update_conflict_3960(db, connect, t):
    other = connect()
    db.run(f"SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRAN; "
           f"SELECT COUNT(*) FROM {t}")
    other.run(f"UPDATE {t} SET v = 11 WHERE id = 1")
    error = db.fails(f"UPDATE {t} SET v = 12 WHERE id = 1")
    assert (error.number, error.severity) == (3960, 16)
    assert db.value("SELECT @@TRANCOUNT") == 0
    assert db.value(f"SELECT v FROM {t} WHERE id = 1") == 11


def test_snapshot_not_allowed_3952(server, db, name):
    db.run(f"CREATE DATABASE nosnap_{name}")
    try:
        db.run(f"USE nosnap_{name}; CREATE TABLE t (id int)")
        db.run("SET TRANSACTION ISOLATION LEVEL SNAPSHOT")
        error = db.fails("SELECT * FROM t")
        assert error.number == 3952
        assert f"nosnap_{name}" in error.text
        db.run("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        db.run(f"ALTER DATABASE nosnap_{name} SET ALLOW_SNAPSHOT_ISOLATION ON")
        db.run("SET TRANSACTION ISOLATION LEVEL SNAPSHOT")
        assert db.rows("SELECT * FROM t") == []
        assert db.value("SELECT snapshot_isolation_state_desc FROM "
                        f"sys.databases WHERE name = 'nosnap_{name}'") == "ON"
    finally:
        db.run("SET TRANSACTION ISOLATION LEVEL READ COMMITTED; USE master; "
               f"DROP DATABASE nosnap_{name}")


def test_read_committed_snapshot(server, db, connect, name):
    db.run(f"CREATE DATABASE rcsi_{name}")
    try:
        db.run(f"ALTER DATABASE rcsi_{name} SET READ_COMMITTED_SNAPSHOT ON "
               f"WITH ROLLBACK IMMEDIATE; USE rcsi_{name}; CREATE TABLE t "
               "(id int, v int); INSERT t VALUES (1, 1)")
        other = connect(database=f"rcsi_{name}")
        other.run("BEGIN TRAN; UPDATE t SET v = 2")
        db.run("SET LOCK_TIMEOUT 500")
        assert db.value("SELECT v FROM t") == 1
        other.run("COMMIT")
        assert db.value("SELECT v FROM t") == 2
    finally:
        db.run(f"USE master; ALTER DATABASE rcsi_{name} SET SINGLE_USER WITH "
               f"ROLLBACK IMMEDIATE; DROP DATABASE rcsi_{name}")


@pytest.mark.threads
def test_deadlock_1205(db, connect, t, name):
    db.run(f"CREATE TABLE {name}_b (id int PRIMARY KEY, v int); "
           f"INSERT {name}_b VALUES (1, 1)")
    other = connect()
    other.run("SET DEADLOCK_PRIORITY LOW")
    db.run(f"BEGIN TRAN; UPDATE {t} SET v = 1 WHERE id = 1")
    # real servers lock rows; the stand-in a whole file: an application lock
    # makes the circle on both
    db.run("EXEC sp_getapplock 'first', 'Exclusive'")
    other.run("BEGIN TRAN; EXEC sp_getapplock 'second', 'Exclusive'")
    waiting = in_thread(other.results,
                        f"UPDATE {t} SET v = 2 WHERE id = 1")
    time.sleep(0.3)
    mine = in_thread(db.value, "DECLARE @r int; EXEC @r = sp_getapplock "
                     "'second', 'Exclusive'; SELECT @r")
    with pytest.raises(Exception) as caught:
        waiting()
    assert caught.value.number == 1205 and caught.value.severity == 13
    assert "deadlock victim" in str(caught.value)
    assert mine() >= 0
    assert other.value("SELECT @@TRANCOUNT") == 0
    db.run("COMMIT")
    other.run(f"UPDATE {t} SET v = 2 WHERE id = 1")  # the retry goes through


def test_application_locks(db, connect):
    other = connect()

    def get(client, mode="Exclusive", timeout=0, owner="Session"):
        return client.value(
            "DECLARE @r int; EXEC @r = sp_getapplock @Resource = N'job', "
            f"@LockMode = '{mode}', @LockOwner = '{owner}', @LockTimeout = "
            f"{timeout}; SELECT @r")
    assert get(db) == 0
    assert get(other) == -1
    assert get(other, "Shared", 50) == -1
    db.run("EXEC sp_releaseapplock 'job', 'Session'")
    assert get(other, "Shared") == 0
    assert get(db, "Shared") == 0
    assert get(db, "Exclusive") == -1
    other.close()  # what a connection held goes with it
    deadline = time.monotonic() + 10
    while get(db, "Exclusive") != 0:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert db.number("EXEC sp_releaseapplock 'nope', 'Session'") == 1223
    assert get(db, owner="Transaction") < -1  # there is no transaction
    db.run("BEGIN TRAN")
    assert get(db, owner="Transaction") == 0
    db.run("ROLLBACK; EXEC sp_releaseapplock 'job', 'Session'")


@pytest.mark.threads
def test_applock_waits(db, connect):
    other = connect()
    db.run("EXEC sp_getapplock 'w', 'Exclusive', 'Session'")
    waiting = in_thread(other.value, "DECLARE @r int; EXEC @r = sp_getapplock "
                        "'w', 'Exclusive', 'Session', 20000; SELECT @r")
    time.sleep(0.2)
    assert waiting.thread.is_alive()
    db.run("EXEC sp_releaseapplock 'w', 'Session'")
    assert waiting() == 1  # granted after others let go


def test_a_lost_connection_rolls_back(db, connect, t):
    other = connect()
    other.run(f"BEGIN TRAN; DELETE {t}")
    other.connection._conn.close()
    other.close()
    db.run("SET LOCK_TIMEOUT 10000")
    assert db.value(f"SELECT COUNT(*) FROM {t}") == 3


def test_kill(db, connect, t):
    other = connect()
    other.run(f"BEGIN TRAN; DELETE {t}")
    spid = other.value("SELECT @@SPID")
    assert db.number("KILL 32000") == 6106
    assert db.number(f"KILL {db.value('SELECT @@SPID')}") == 6104
    db.run(f"KILL {spid}")
    db.run("SET LOCK_TIMEOUT 10000")
    assert db.value(f"SELECT COUNT(*) FROM {t}") == 3
    with pytest.raises(Exception):
        other.value("SELECT 1")


@pytest.mark.threads
def test_many_writers(server, connect, db, t):
    """No increment is lost, no reader sees half a transaction."""
    clients = [connect() for _ in range(6)]
    db.run(f"UPDATE {t} SET v = 0")

    def work(client, rounds):
        for _ in range(rounds):
            client.run(f"BEGIN TRAN; UPDATE {t} SET v = v + 1 WHERE id = 1; "
                       f"UPDATE {t} SET v = v + 1 WHERE id = 2; COMMIT")

    def watch(client, rounds):
        client.run("SET TRANSACTION ISOLATION LEVEL SNAPSHOT")
        for _ in range(rounds):
            a, b = client.row(f"SELECT (SELECT v FROM {t} WHERE id = 1), "
                              f"(SELECT v FROM {t} WHERE id = 2)")
            assert a == b
    running = [in_thread(work, c, 40) for c in clients[:4]] + \
        [in_thread(watch, c, 60) for c in clients[4:]]
    for result in running:
        result(90)
    assert db.column(f"SELECT v FROM {t} ORDER BY id") == [160, 160, 0]


@pytest.mark.threads
def test_many_tables_at_once(connect, name):
    """DDL, bulk and reads side by side."""
    clients = [connect() for _ in range(5)]

    def work(client, number):
        for i in range(6):
            table = f"{name}_{number}_{i}"
            client.run(f"CREATE TABLE {table} (id int PRIMARY KEY, v "
                       "varchar(20))")
            client.run(f"INSERT {table} VALUES (1, 'a'), (2, 'b')")
            client.run(f"BEGIN TRAN; ALTER TABLE {table} ADD w int NULL; EXEC "
                       f"sp_rename '{table}', '{table}_r'; COMMIT")
            assert client.value(f"SELECT COUNT(*) FROM {table}_r WHERE w IS "
                                "NULL") == 2
            client.run(f"DROP TABLE {table}_r")
    for result in [in_thread(work, c, n) for n, c in enumerate(clients)]:
        result(90)
