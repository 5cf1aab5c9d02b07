"""What is done about errors, as the tables say: rows put aside or left out,
mappings suspended and switched off. Judged by other clients, whole tables."""
import random
import time

import pytest

from support import compare, dataflow

COLUMNS = ("id INT NOT NULL PRIMARY KEY, code NVARCHAR(20) NULL, "
           "n INT NULL, ref INT NULL")
SECRET = "Planted-9fd1"


@pytest.fixture
def table(world):
    """t, whose destination refuses some of what the source takes."""
    world.on_source(f"CREATE TABLE t ({COLUMNS})")
    world.on_source("WITH k AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM k "
                    "WHERE i < 300) INSERT INTO t SELECT i, CONCAT(N'c', i), "
                    "i, NULL FROM k OPTION (MAXRECURSION 0)")
    world.on_dest("CREATE TABLE parent (id INT NOT NULL PRIMARY KEY)")
    world.on_dest("INSERT INTO parent VALUES (1), (2)")
    world.on_dest(
        f"CREATE TABLE t ({COLUMNS.replace('code NVARCHAR', 'code VARCHAR')}, "
        "CONSTRAINT not_13 CHECK (n <> 13000), "
        "CONSTRAINT has_parent FOREIGN KEY (ref) REFERENCES parent (id))")
    world.on_dest("CREATE UNIQUE INDEX one_code ON t (code) "
                  "WHERE code IS NOT NULL")
    world.enable_cdc("t")
    return world


def follow(world, **mapping):
    world.mapping = world.add_mapping("t", **mapping)
    daemon = world.start()
    world.wait_equal("t")
    dataflow.wait_for(lambda: world.state(world.mapping) == "CDC")
    return daemon


def wait_position(world):
    """Until what the source has now was applied, or left out."""
    world.on_source("INSERT INTO t (id) VALUES (990000 + "
                    "(SELECT COUNT(*) FROM t WHERE id >= 990000))")
    last = world.on_source("SELECT MAX(id) FROM t")[0][0]
    try:
        dataflow.wait_for(lambda: world.on_dest(
            f"SELECT 1 FROM t WHERE id = {last}"), 40)
    except AssertionError:
        raise AssertionError(f"{world.errors()}\n{world.log()}") from None


def exceptions(world, resolved=0):
    return world.control(
        "SELECT row_key, operation, error_number FROM apply_exceptions "
        f"WHERE is_resolved = {resolved} ORDER BY created_at, row_key")


def wait_exceptions(world, keys, resolved=0):
    def same():
        return sorted(e[0] for e in exceptions(world, resolved)) == \
            sorted(keys)
    try:
        dataflow.wait_for(same, 15)
    except AssertionError:
        raise AssertionError(f"{exceptions(world, resolved)} instead of "
                             f"{keys}\n{world.log()}") from None


def assert_equal_but(world, *ids):
    """Both tables are the same, but for these rows."""
    left = compare.rows(world.source, world.src_db, "t")
    right = compare.rows(world.dest, world.dst_db, "t")
    different = {row[0] for row in set(left) ^ set(right)}
    assert different == set(ids)
    assert len(right) == len({row[0] for row in right})


def test_refused_rows_are_put_aside(table):
    """A window of many rows with a bad one of each kind in the middle."""
    follow(table, on_row_error="park")
    table.on_source(
        "BEGIN TRANSACTION; "
        "UPDATE t SET n = n + 1; "
        f"UPDATE t SET n = 13000, code = N'{SECRET}' WHERE id = 100; "
        "UPDATE t SET code = N'c151' WHERE id = 150; "
        "UPDATE t SET ref = 77 WHERE id = 200; "
        "UPDATE t SET ref = 2 WHERE id = 201; "
        f"UPDATE t SET code = N'\u65e5\u672c{SECRET[:9]}' WHERE id = 250; "
        "DELETE FROM t WHERE id = 7; "
        "INSERT INTO t VALUES (500, N'new', 1, 1), (501, N'c42', 1, 1), "
        "(502, N'more', 2, 2); COMMIT")
    wait_position(table)
    wait_exceptions(table, ["100", "150", "200", "250", "501"])
    assert_equal_but(table, 100, 150, 200, 250, 501)
    assert table.on_dest("SELECT id, code, n FROM t WHERE id IN (100, 250, 501) "
                         "ORDER BY id") == [(100, "c100", 100),
                                            (250, "c250", 250)]
    numbers = {e[0]: e[2] for e in exceptions(table)}
    assert numbers["100"] == 547 and numbers["200"] == 547
    assert numbers["150"] == 2601 and numbers["501"] == 2601
    assert {e[1] for e in exceptions(table)} == {"UPSERT"}
    told = repr(table.control("SELECT * FROM apply_exceptions")) + \
        repr(table.control("SELECT * FROM error_logs")) + \
        repr(table.control("SELECT * FROM sync_logs")) + table.log()
    assert SECRET not in told and SECRET[:9] not in told
    assert table.control("SELECT COUNT(*) FROM apply_exceptions WHERE position "
                         "LIKE '0x%' AND reason LIKE '%not_13%'") == [(1,)]
    # It goes on, says so, and nothing stands in error_logs.
    assert table.errors() == []
    assert table.control("SELECT state, reason FROM mapping_state") == [
        ("CDC", "5 rows are put aside: see apply_exceptions")]
    dataflow.wait_for(lambda: table.control(
        "SELECT SUM(records_failed) FROM sync_status") == [(5,)])


def test_later_changes_and_loads_settle_it(table):
    follow(table, on_row_error="PARK")
    table.on_source("UPDATE t SET n = 13000 WHERE id IN (10, 20, 30, 40)")
    wait_position(table)
    wait_exceptions(table, ["10", "20", "30", "40"])
    table.on_source("UPDATE t SET n = 5 WHERE id = 10; "
                    "DELETE FROM t WHERE id = 20; "
                    "UPDATE t SET code = N'x' WHERE id = 30")
    wait_position(table)
    wait_exceptions(table, ["30", "40"])
    wait_exceptions(table, ["10", "20", "30"], resolved=1)
    assert_equal_but(table, 30, 40)
    assert table.control("SELECT COUNT(*) FROM apply_exceptions "
                         "WHERE is_resolved = 1 AND resolved_at IS NULL") \
        == [(0,)]
    table.on_dest("ALTER TABLE t DROP CONSTRAINT not_13")
    table.request(table.mapping, "FULL_SYNC")
    table.wait_equal("t")
    wait_exceptions(table, [])
    assert table.on_dest("SELECT COUNT(*) FROM dataflow.exceptions") == [(0,)]


def test_unique_values_that_change_hands(table):
    """What only the order stands against goes in, beside a row that is bad."""
    follow(table, on_row_error="PARK")
    table.on_source(
        "BEGIN TRANSACTION; UPDATE t SET n = 13000 WHERE id = 5; "
        # An exchange, and a long row of values that move on by one.
        "UPDATE t SET code = CASE id WHEN 50 THEN N'c51' ELSE N'c50' END "
        "WHERE id IN (50, 51); "
        "UPDATE t SET code = CONCAT(N'c', id + 1) WHERE id BETWEEN 100 "
        "AND 199; UPDATE t SET code = N'c100' WHERE id = 200; "
        "UPDATE t SET code = NULL WHERE id = 150; COMMIT")
    wait_position(table)
    wait_exceptions(table, ["5"])
    assert_equal_but(table, 5)


def test_errors_that_doom_the_transaction(table):
    """An error in a trigger takes the whole transaction with it."""
    table.on_dest("CREATE TRIGGER numbers ON t AFTER INSERT, UPDATE AS "
                  "DECLARE @most INT; SELECT @most = MAX(CAST(SUBSTRING(code, "
                  "2, 20) AS INT)) FROM inserted WHERE code LIKE 'k%'")
    follow(table, on_row_error="PARK")
    table.on_source("BEGIN TRANSACTION; UPDATE t SET n = n + 1; "
                    "UPDATE t SET code = N'k12' WHERE id = 12; "
                    "UPDATE t SET code = N'kx' WHERE id = 123; "
                    "UPDATE t SET code = N'ky' WHERE id = 124; "
                    "UPDATE t SET n = 13000 WHERE id = 200; "
                    "INSERT INTO t VALUES (700, N'kz', 1, NULL), "
                    "(701, N'k7', 1, NULL); COMMIT")
    wait_position(table)
    wait_exceptions(table, ["123", "124", "200", "700"])
    assert_equal_but(table, 123, 124, 200, 700)


def test_narrowed_while_it_runs(table):
    """NOT NULL and too long: the destination was altered under the daemon."""
    follow(table, on_row_error="PARK")
    table.on_source("UPDATE t SET n = 1 WHERE id = 1")
    wait_position(table)
    table.on_dest("UPDATE t SET n = 0 WHERE n IS NULL; "
                  "ALTER TABLE t DROP CONSTRAINT not_13; "
                  "ALTER TABLE t ALTER COLUMN n INT NOT NULL")
    table.on_dest("DROP INDEX one_code ON t; "
                  "ALTER TABLE t ALTER COLUMN code VARCHAR(6) NULL")
    table.on_source("BEGIN TRANSACTION; UPDATE t SET n = 4 WHERE id < 50; "
                    "UPDATE t SET n = NULL WHERE id = 9; "
                    f"UPDATE t SET code = N'{SECRET}' WHERE id = 10; "
                    "INSERT INTO t VALUES (995000, N'last', 1, NULL); COMMIT")
    dataflow.wait_for(lambda: table.on_dest(
        "SELECT 1 FROM t WHERE id = 995000"), what=table.log())
    wait_exceptions(table, ["9", "10"])
    numbers = {e[0]: e[2] for e in exceptions(table)}
    assert numbers["9"] == 515 and numbers["10"] in (2628, 8152)
    reasons = repr(table.control("SELECT reason FROM apply_exceptions"))
    assert SECRET[:6] not in reasons
    rows = dict((r[0], r[1:]) for r in compare.rows(
        table.dest, table.dst_db, "t"))
    assert rows[9] == ("c9", 9, None) and rows[10] == ("c10", 10, None)
    assert rows[11] == ("c11", 4, None)


def test_deletes_that_are_refused(table):
    table.on_dest("CREATE TABLE child (id INT NOT NULL PRIMARY KEY, "
                  "t INT NOT NULL REFERENCES t (id))")
    follow(table, on_row_error="PARK")
    table.on_dest("INSERT INTO child VALUES (1, 60)")
    table.on_source("DELETE FROM t WHERE id BETWEEN 55 AND 65")
    wait_position(table)
    wait_exceptions(table, ["60"])
    assert exceptions(table) == [("60", "DELETE", 547)]
    assert_equal_but(table, 60)


def test_keys_of_several_columns(world):
    world.on_source("CREATE TABLE p (a NVARCHAR(10) NOT NULL, b DATE NOT NULL, "
                    "n INT NULL, PRIMARY KEY (a, b))")
    world.on_source("INSERT INTO p VALUES (N'x', '2024-02-29', 1), "
                    "(N'\u00fc', '1753-01-01', 2)")
    world.on_dest("CREATE TABLE p (a NVARCHAR(10) NOT NULL, b DATE NOT NULL, "
                  "n INT NULL CHECK (n < 100), PRIMARY KEY (a, b))")
    world.enable_cdc("p")
    world.add_mapping("p", on_row_error="PARK")
    world.start()
    world.wait_equal("p")
    world.on_source("UPDATE p SET n = 100; INSERT INTO p VALUES "
                    "(N'z', '2000-01-01', 3)")
    dataflow.wait_for(lambda: world.on_dest("SELECT 1 FROM p WHERE a = N'z'"))
    wait_exceptions(world, ["x, 2024-02-29", "\u00fc, 1753-01-01"])
    world.on_source("UPDATE p SET n = 9 WHERE a <> N'z'")
    world.wait_equal("p")
    wait_exceptions(world, [])


def test_identities_beside_the_key(world):
    """Rows that are made anew are refused as a whole, and stay as they were."""
    columns = ("(id INT NOT NULL PRIMARY KEY, nr INT NOT NULL IDENTITY, "
               "n INT NULL{}, m INT NULL)")
    world.on_source("CREATE TABLE t " + columns.format(""))
    world.on_dest("CREATE TABLE t " + columns.format(" CHECK (n <> 13)"))
    world.on_source("INSERT INTO t (id, n, m) VALUES (1, 1, 1), (2, 2, 2), "
                    "(3, 3, 3)")
    world.enable_cdc("t")
    world.add_mapping("t", on_row_error="PARK")
    world.start()
    world.wait_equal("t")
    world.on_source("BEGIN TRANSACTION; DELETE FROM t WHERE id IN (1, 2); "
                    "INSERT INTO t (id, n, m) VALUES (1, 13, 7), (2, 5, 7), "
                    "(9, 9, 9); UPDATE t SET n = 13 WHERE id = 3; COMMIT")
    dataflow.wait_for(lambda: world.on_dest("SELECT 1 FROM t WHERE id = 9"))
    wait_exceptions(world, ["1", "3"])
    assert_equal_but(world, 1, 3)
    assert world.on_dest("SELECT * FROM t WHERE id IN (1, 3) ORDER BY id") == [
        (1, 1, 1, 1), (3, 3, 3, 3)]


def test_rows_are_left_out_and_logged(table):
    follow(table, on_row_error="LOG")
    table.on_source("UPDATE t SET n = 13000 WHERE id IN (10, 20); "
                    "UPDATE t SET n = 3 WHERE id = 30")
    wait_position(table)
    assert_equal_but(table, 10, 20)
    dataflow.wait_for(lambda: len(table.control(
        "SELECT log_message FROM sync_logs WHERE log_level = 'WARNING' AND "
        "log_message LIKE 'left out%key%not_13%'")) == 2)
    assert table.control("SELECT COUNT(*) FROM apply_exceptions") == [(0,)]
    assert table.on_dest("SELECT COUNT(*) FROM dataflow.exceptions") == [(0,)]


def test_the_default_is_to_try_again(table):
    """As published: an error row, nothing applied, no row skipped."""
    follow(table)
    table.on_source("UPDATE t SET n = 13000 WHERE id = 10; "
                    "UPDATE t SET n = 3 WHERE id = 30")
    dataflow.wait_for(lambda: table.errors(table.mapping))
    kind, message, _ = table.errors(table.mapping)[0]
    assert kind == "SYNC" and "not_13" in message
    dataflow.wait_for(lambda: table.state(table.mapping) == "ERROR", 5)
    assert table.on_dest("SELECT n FROM t WHERE id = 30") == [(30,)]
    assert table.control("SELECT is_suspended, is_enabled FROM table_mappings"
                         ) == [(False, True)]
    table.on_dest("ALTER TABLE t DROP CONSTRAINT not_13")
    table.wait_equal("t", timeout=40)
    dataflow.wait_for(lambda: not table.errors(table.mapping))


def suspended(world):
    rows = world.control("SELECT m.is_suspended, m.suspended_reason, s.state, "
                         "s.reason FROM table_mappings AS m INNER JOIN "
                         "mapping_state AS s ON m.mapping_id = s.mapping_id "
                         f"WHERE m.mapping_id = {world.mapping}")
    return rows[0] if rows and rows[0][0] and rows[0][2] == "SUSPENDED" \
        else None


def assert_stays_suspended(world):
    before = compare.rows(world.dest, world.dst_db, "t")
    time.sleep(2.5)
    assert suspended(world)
    assert compare.rows(world.dest, world.dst_db, "t") == before
    assert len(world.errors(world.mapping)) == 1, "the trouble stands"


def test_too_many_rows_suspend(table):
    table.config(suspend_after_row_errors=3)
    daemon = follow(table, on_row_error="PARK")
    table.on_source("UPDATE t SET n = 13000 WHERE id IN (1, 2)")
    wait_position(table)
    wait_exceptions(table, ["1", "2"])
    # Two stand, two more would make four.
    table.on_source("UPDATE t SET n = 13000 WHERE id IN (3, 4); "
                    "UPDATE t SET n = 1 WHERE id = 5")
    row = dataflow.wait_for(lambda: suspended(table))
    assert "suspend_after_row_errors is 3, and 2 rows" in row[1]
    assert "not_13" in row[1] and row[3].startswith(row[1][:100])
    assert_equal_but(table, 1, 2, 3, 4, 5)
    assert_stays_suspended(table)
    daemon.stop()
    daemon.start()
    time.sleep(1)
    assert_stays_suspended(table)
    # Resumed without a remedy it is suspended again; with one it goes on.
    request = table.request(table.mapping, "RESUME")
    dataflow.wait_for(lambda: table.control(
        "SELECT state FROM sync_requests WHERE request_id = "
        f"{request}") == [("COMPLETED",)])
    dataflow.wait_for(lambda: not suspended(table))
    dataflow.wait_for(lambda: suspended(table))
    table.on_dest("ALTER TABLE t DROP CONSTRAINT not_13")
    table.request(table.mapping, "RESUME")
    wait_position(table)
    assert_equal_but(table, 1, 2)
    wait_exceptions(table, ["1", "2"])
    dataflow.wait_for(lambda: not table.errors(table.mapping))
    assert table.control("SELECT is_suspended, suspended_reason "
                         "FROM table_mappings") == [(False, None)]


def test_suspended_at_the_first_row(table):
    follow(table, on_row_error="SUSPEND")
    table.on_source("UPDATE t SET n = 13000 WHERE id = 10")
    row = dataflow.wait_for(lambda: suspended(table))
    assert "not_13" in row[1]
    assert_stays_suspended(table)
    table.on_source("UPDATE t SET n = 1 WHERE id = 10")
    table.request(table.mapping, "RESUME")
    # The window holds both changes now, and the last one counts.
    table.wait_equal("t")


def test_switched_off(table):
    follow(table, on_row_error="STOP")
    table.on_source("UPDATE t SET n = 13000 WHERE id = 10")
    dataflow.wait_for(lambda: table.control(
        "SELECT is_enabled FROM table_mappings") == [(False,)])
    dataflow.wait_for(lambda: table.state(table.mapping) == "STOPPED")
    assert len(table.errors(table.mapping)) == 1
    table.on_dest("ALTER TABLE t DROP CONSTRAINT not_13")
    time.sleep(2)
    assert_equal_but(table, 10)
    table.control("UPDATE table_mappings SET is_enabled = 1")
    table.wait_equal("t")
    dataflow.wait_for(lambda: not table.errors(table.mapping))


def test_a_missing_table_suspends(table):
    table.config(on_table_error="suspend")
    follow(table)
    table.on_dest("DROP TABLE t")
    table.on_source("UPDATE t SET n = 1 WHERE id = 10")
    dataflow.wait_for(lambda: suspended(table))


def test_failures_in_a_row_suspend(table):
    table.config(suspend_after_failures=2, max_retry_attempts=2)
    follow(table)
    table.on_source("UPDATE t SET n = 13000 WHERE id = 10")
    row = dataflow.wait_for(lambda: suspended(table))
    assert "not_13" in row[1]


def test_a_server_that_is_gone_suspends(world):
    world.config(max_retry_attempts=2, connect_timeout_seconds=2)
    server = world.add_server("gone", "server=127.0.0.1,1;user id=a;password=b")
    world.mapping = world.add_mapping("t", server_id=server,
                                      on_connection_error="SUSPEND")
    world.start()
    row = dataflow.wait_for(lambda: suspended(world))
    assert "cannot connect" in row[1]


def test_words_that_make_no_sense(table):
    table.config(on_connection_error="PARK", on_conflict_error="maybe")
    table.mapping = table.add_mapping("t", on_row_error="DROP")
    table.start()
    dataflow.wait_for(lambda: len(table.errors()) == 2)
    told = " ".join(e[1] for e in table.errors())
    assert "mapping " + str(table.mapping) in told
    assert "'on_row_error' must be 'RETRY', 'SUSPEND', 'STOP', 'LOG' or " \
        "'PARK'" in told
    assert "'on_connection_error' must be 'RETRY', 'SUSPEND' or 'STOP'" in told
    assert "'on_conflict_error' must be" in told
    table.config(on_connection_error="RETRY", on_conflict_error="retry")
    table.control("UPDATE table_mappings SET on_row_error = N' Park '")
    table.wait_equal("t")
    dataflow.wait_for(lambda: table.errors() == [])


def test_no_row_is_left_out_of_a_full_sync(table):
    table.on_source("UPDATE t SET n = 13000 WHERE id = 10")
    table.mapping = table.add_mapping("t", on_row_error="PARK")
    table.start()
    found = dataflow.wait_for(lambda: table.errors(table.mapping))
    assert "not_13" in found[0][1]
    assert "no row is left out of a full sync" in found[0][1]
    assert table.on_dest("SELECT COUNT(*) FROM t") == [(0,)]


def test_kills_while_rows_are_put_aside(table):
    """Each refused row is there once, and no other row is lost."""
    table.config(suspend_after_row_errors=0, cdc_window_transactions=30)
    daemon = follow(table, on_row_error="PARK")
    dice = random.Random(4)
    bad = {}
    for i in range(6):
        for _ in range(25):
            row = dice.randrange(1, 300)
            bad[row] = dice.random() < 0.2
            table.on_source(f"UPDATE t SET n = {13000 if bad[row] else i}, "
                            f"ref = NULL WHERE id = {row}; UPDATE t SET ref = "
                            f"1 WHERE id = {300 - i}")
        time.sleep(dice.uniform(0, 0.6))
        daemon.kill()
        daemon.start()
    wait_position(table)
    refused = [row for row in bad if bad[row]]
    wait_exceptions(table, [str(row) for row in refused])
    assert_equal_but(table, *refused)
    standing = table.on_dest("SELECT exception_id FROM dataflow.exceptions")
    assert sorted(standing) == sorted(table.control(
        "SELECT exception_id FROM apply_exceptions WHERE is_resolved = 0"))


@pytest.mark.standin
def test_deadlocks_suspend(table):
    table.config(max_retry_attempts=2)
    follow(table, on_conflict_error="SUSPEND", on_row_error="STOP")
    table.dest.query("EXEC sys.sp_tdsd_fault @action = 'error', @error = 1205, "
                     "@match = '%#dataflow_changes%', @times = 0")
    try:
        table.on_source("UPDATE t SET n = 4 WHERE id = 10")
        row = dataflow.wait_for(lambda: suspended(table))
        assert "1205" in row[1]
    finally:
        table.dest.query("EXEC sys.sp_tdsd_fault_clear")
    table.request(table.mapping, "RESUME")
    table.wait_equal("t")


@pytest.mark.standin
@pytest.mark.parametrize("order", [
    "@action = 'error', @error = 1205, @match = '%dataflow_step%', @nth = 5",
    "@action = 'drop', @match = '%dataflow_step%', @nth = 7",
    "@action = 'drop', @when = 'after', @match = 'COMMIT TRANSACTION%'",
    "@action = 'drop', @when = 'before', @match = 'COMMIT TRANSACTION%'",
    "@action = 'error', @error = 1222, "
    "@match = '%INSERT INTO dataflow.exceptions%'"])
def test_trouble_while_rows_are_put_aside(table, order):
    """Whatever breaks in the middle: each refused row is there once."""
    follow(table, on_row_error="PARK")
    table.dest.query("EXEC sys.sp_tdsd_fault " + order)
    try:
        table.on_source("BEGIN TRANSACTION; UPDATE t SET n = n + 1; "
                        "UPDATE t SET n = 13000 WHERE id IN (10, 200); COMMIT")
        wait_position(table)
    finally:
        table.dest.query("EXEC sys.sp_tdsd_fault_clear")
    wait_exceptions(table, ["10", "200"])
    assert_equal_but(table, 10, 200)
    assert table.on_dest("SELECT COUNT(*) FROM dataflow.exceptions") == [(2,)]
    assert len(exceptions(table, resolved=1)) == 0
    assert "attempt 1 of 3 failed" in table.log(), "the order was met"
    dataflow.wait_for(lambda: not table.errors(table.mapping))


@pytest.mark.standin
def test_a_suspension_that_was_not_written(table):
    """What the control store refused is found out anew, and written then."""
    follow(table, on_row_error="SUSPEND")
    table.dest.query("EXEC sys.sp_tdsd_fault @action = 'error', "
                     "@match = '%is_suspended = 1%', @times = 1")
    table.on_source("UPDATE t SET n = 13000 WHERE id = 10")
    dataflow.wait_for(lambda: table.state(table.mapping) == "SUSPENDED")
    time.sleep(3)
    assert table.control("SELECT is_suspended FROM table_mappings") == [
        (False,)]
    assert_equal_but(table, 10)
    dataflow.wait_for(lambda: suspended(table), 40)


@pytest.mark.standin
def test_killed_between_commit_and_report(table):
    """What the destination knows, the control tables learn at the next start."""
    daemon = follow(table, on_row_error="PARK")
    table.dest.query("EXEC sys.sp_tdsd_fault @action = 'stall', "
                     "@match = '%apply_exceptions%', @times = 0, "
                     "@milliseconds = 60000")
    try:
        table.on_source("UPDATE t SET n = 13000 WHERE id = 10")
        dataflow.wait_for(lambda: table.on_dest(
            "SELECT COUNT(*) FROM dataflow.exceptions") == [(1,)])
        daemon.kill()
    finally:
        table.dest.query("EXEC sys.sp_tdsd_fault_clear")
    assert table.control("SELECT COUNT(*) FROM apply_exceptions") == [(0,)]
    daemon.start()
    wait_exceptions(table, ["10"])
