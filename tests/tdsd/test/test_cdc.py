"""Change data capture: what is captured, in which order, and who may ask."""
import io
import threading
import time

import pytest

from clients import Client
from support.dataflow import slowness

ZERO = bytes(10)


def wait_for(what, timeout=30):
    """The first true value of what()."""
    deadline = time.monotonic() + timeout * slowness()
    while True:
        found = what()
        if found:
            return found
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


@pytest.fixture(scope="module", autouse=True)
def enabled(shared):
    shared.run("EXEC sys.sp_cdc_enable_db")


class Captured:
    """A captured table with a unique name and what its instance holds."""

    def __init__(self, db, name, columns, **parameters):
        self.db, self.name = db, name
        self.instance = parameters.get("capture_instance", f"dbo_{name}")
        db.run(f"CREATE TABLE {name} ({columns})")
        self.enable(**parameters)

    def enable(self, **parameters):
        more = "".join(f", @{k} = " + (f"N'{v}'" if isinstance(v, str) else
                                       str(v)) for k, v in parameters.items())
        self.db.run(f"EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', "
                    f"@source_name = N'{self.name}', @role_name = NULL{more}")

    def fence(self):
        """All that was committed before is captured."""
        self.db.run("""
IF OBJECT_ID('dbo.fence') IS NULL BEGIN
    CREATE TABLE fence (id int IDENTITY PRIMARY KEY)
    EXEC sys.sp_cdc_enable_table N'dbo', N'fence', NULL
END""")
        self.db.run("INSERT fence DEFAULT VALUES")
        top = self.db.value("SELECT MAX(id) FROM fence")
        wait_for(lambda: self.db.value(
            "SELECT COUNT(*) FROM cdc.dbo_fence_CT WHERE id = %s", (top,)))

    def rows(self, columns="*"):
        self.fence()
        return self.db.rows(
            f"SELECT __$operation, {columns} FROM cdc.{self.instance}_CT "
            "ORDER BY __$start_lsn, __$command_id, __$seqval, __$operation")


@pytest.fixture
def table(db, name):
    return Captured(db, name, "id int PRIMARY KEY, v nvarchar(20) NULL, "
                    "n int NULL")


def test_four_operations(db, table, name):
    db.run(f"INSERT {name} VALUES (1, N'a', 1), (2, N'b', 2)")
    db.run(f"UPDATE {name} SET v = N'x' WHERE id = 1")
    db.run(f"DELETE {name} WHERE id = 2")
    assert table.rows("id, v, n, __$update_mask") == [
        (2, 1, "a", 1, b"\x07"), (2, 2, "b", 2, b"\x07"),
        (3, 1, "a", 1, b"\x02"), (4, 1, "x", 1, b"\x02"),
        (1, 2, "b", 2, b"\x07")]


def test_nothing_changed_is_nothing(db, table, name):
    db.run(f"INSERT {name} VALUES (1, N'a', 1)")
    db.run(f"UPDATE {name} SET v = v")
    assert len(table.rows("id")) == 1


def test_key_update_is_delete_then_insert(db, table, name):
    db.run(f"INSERT {name} (id) VALUES (1), (2), (3)")
    db.run(f"UPDATE {name} SET id = id + 1")
    assert table.rows("id")[3:] == [(1, 1), (1, 2), (1, 3), (2, 2), (2, 3),
                                    (2, 4)]


def test_transaction_has_one_lsn(db, table, name):
    db.run(f"BEGIN TRAN INSERT {name} (id) VALUES (1) INSERT {name} (id) "
           "VALUES (2) COMMIT")
    db.run(f"INSERT {name} (id) VALUES (3)")
    table.fence()
    lsns = db.rows("SELECT __$start_lsn, COUNT(*), MAX(__$command_id) FROM "
                   f"cdc.{table.instance}_CT GROUP BY __$start_lsn ORDER BY 1")
    assert [row[1:] for row in lsns] == [(2, 2), (1, 1)]
    assert db.value("SELECT COUNT(*) FROM cdc.lsn_time_mapping m JOIN "
                    f"(SELECT DISTINCT __$start_lsn AS l FROM "
                    f"cdc.{table.instance}_CT) c ON c.l = m.start_lsn WHERE "
                    "m.tran_id <> 0x00 AND m.tran_end_time <= GETDATE()") == 2


def test_rollback_and_savepoint(db, table, name):
    db.run(f"BEGIN TRAN INSERT {name} (id) VALUES (1) ROLLBACK")
    db.run(f"BEGIN TRAN INSERT {name} (id) VALUES (2) SAVE TRAN s INSERT "
           f"{name} (id) VALUES (3) ROLLBACK TRAN s INSERT {name} (id) VALUES "
           "(4) COMMIT")
    db.number(f"INSERT {name} (id) VALUES (5), (2)")
    assert table.rows("id") == [(2, 2), (2, 4)]


def test_lobs_computed_rowversion(db, name):
    table = Captured(db, name, "id int PRIMARY KEY, t text, m varchar(max), "
                     "c AS id * 2, r rowversion")
    db.run(f"INSERT {name} (id, t, m) VALUES (1, 't', 'm')")
    db.run(f"UPDATE {name} SET t = 'u'")
    db.run(f"UPDATE {name} SET m = 'n'")
    db.run(f"DELETE {name}")
    assert table.rows("t, m, c") == [
        (2, "t", "m", None), (3, None, None, None), (4, "u", "m", None),
        (3, None, "m", None), (4, "u", "n", None), (1, None, "n", None)]
    assert db.column(f"SELECT DATALENGTH(r) FROM cdc.{table.instance}_CT "
                     "WHERE __$operation <> 3") == [8, 8, 8, 8]


def test_captured_column_list(db, name):
    table = Captured(db, name, "id int PRIMARY KEY, a int, b int",
                     captured_column_list="id, [b]")
    db.run(f"INSERT {name} VALUES (1, 2, 3)")
    db.run(f"UPDATE {name} SET a = 9")
    db.run(f"UPDATE {name} SET b = 9")
    assert table.rows("id, b, __$update_mask") == [
        (2, 1, 3, b"\x03"), (3, 1, 3, b"\x02"), (4, 1, 9, b"\x02")]
    assert db.rows("SELECT column_name, column_ordinal FROM "
                   "cdc.captured_columns WHERE object_id = "
                   f"OBJECT_ID('cdc.dbo_{name}_CT') ORDER BY 2") == [
        ("id", 1), ("b", 2)]


def test_columns_of_a_change_table(db, table):
    got = db.rows("SELECT c.name, TYPE_NAME(c.system_type_id), c.max_length, "
                  "CAST(c.is_nullable AS int) FROM sys.columns c WHERE "
                  f"c.object_id = OBJECT_ID('cdc.{table.instance}_CT') "
                  "ORDER BY c.column_id")
    assert got == [
        ("__$start_lsn", "binary", 10, 0), ("__$end_lsn", "binary", 10, 1),
        ("__$seqval", "binary", 10, 0), ("__$operation", "int", 4, 0),
        ("__$update_mask", "varbinary", 128, 1), ("id", "int", 4, 1),
        ("v", "nvarchar", 40, 1), ("n", "int", 4, 1),
        ("__$command_id", "int", 4, 1)]


def test_two_instances_at_most(db, table, name):
    error = ("EXEC sys.sp_cdc_enable_table N'dbo', N'{}', NULL"
             ", @capture_instance = '{}'")
    db.run(f"INSERT {name} (id) VALUES (1)")
    assert db.number(error.format(name, f"dbo_{name}")) == 22926
    table.enable(capture_instance=f"{name}_2")
    assert db.number(error.format(name, f"{name}_3")) == 22962
    db.run(f"INSERT {name} (id) VALUES (2)")
    assert len(table.rows("id")) == 2
    assert db.column(f"SELECT id FROM cdc.{name}_2_CT") == [2]
    db.run(f"EXEC sys.sp_cdc_disable_table N'dbo', N'{name}', N'{name}_2'")
    assert db.column("SELECT capture_instance FROM cdc.change_tables WHERE "
                     f"source_object_id = OBJECT_ID('{name}')") == [
        f"dbo_{name}"]
    db.run(f"EXEC sys.sp_cdc_disable_table N'dbo', N'{name}', N'all'")
    assert db.value("SELECT CAST(is_tracked_by_cdc AS int) FROM sys.tables "
                    f"WHERE name = '{name}'") == 0


@pytest.mark.parametrize("sql, number", [
    ("EXEC sys.sp_cdc_enable_db", 22905),
    ("EXEC sys.sp_cdc_enable_table N'dbo', N'absent', NULL", 22931),
    ("EXEC sys.sp_cdc_enable_table N'dbo', N'absent'", 201),
    ("EXEC sys.sp_cdc_disable_table N'dbo', N'absent', N'all'", 22931),
    ("EXEC sys.sp_cdc_change_job @job_type = 'x'", 22992),
    ("EXEC sys.sp_cdc_cleanup_change_table N'absent', NULL", 22920),
    ("EXEC sys.sp_cdc_scan @maxtrans = 0", 22991),
    ("EXEC sys.sp_cdc_scan @pollinginterval = 5", 22999),
    ("EXEC sys.sp_cdc_change_job 'cleanup', @maxscans = 5", 22996),
    ("EXEC sys.sp_cdc_change_job 'capture', @retention = 5", 22995),
    ("EXEC sys.sp_cdc_change_job 'cleanup', @retention = 0", 22994),
    ("EXEC sys.sp_cdc_add_job 'capture'", 14261),
    ("EXEC sys.sp_cdc_enable_table N'', N'x', NULL", 22963),
    ("EXEC sys.sp_cdc_enable_table N'cdc', N'ddl_history', NULL", 22974),
    ("MERGE t USING u ON t.id = u.id WHEN MATCHED THEN DELETE;", 40517),
])
def test_errors(db, table, sql, number):
    assert db.number(sql) == number


def test_errors_without_capture(connect, name):
    client = connect(database="master")
    client.run(f"CREATE DATABASE {name}")
    client.run(f"USE {name}")
    client.run("CREATE TABLE t (id int)")
    assert client.number("EXEC sys.sp_cdc_enable_table N'dbo', N't', NULL") \
        == 22901
    assert client.number("SELECT sys.fn_cdc_get_max_lsn()") == 208
    client.run("EXEC sys.sp_cdc_enable_db EXEC sys.sp_cdc_enable_table "
               "N'dbo', N't', NULL, @supports_net_changes = 0")
    assert client.value("SELECT sys.fn_cdc_get_max_lsn()") is None
    assert client.number("EXEC sys.sp_cdc_enable_table N'dbo', N't', NULL, "
                         "'b', @supports_net_changes = 1") == 22939
    client.run("EXEC sys.sp_cdc_disable_db")
    assert client.value("SELECT COUNT(*) FROM sys.schemas WHERE name = "
                        "'cdc'") == 0
    client.run(f"USE master DROP DATABASE {name}")


def test_enabling_is_transactional(connect, name):
    client = connect(database="master")
    client.run(f"CREATE DATABASE {name}")
    client.run(f"USE {name}")
    client.run("BEGIN TRAN EXEC sys.sp_cdc_enable_db ROLLBACK")
    state = ("SELECT CAST(is_cdc_enabled AS int) FROM sys.databases WHERE "
             "database_id = DB_ID()")
    assert client.value(state) == 0
    client.run("BEGIN TRAN EXEC sys.sp_cdc_enable_db COMMIT")
    assert client.value(state) == 1
    client.run(f"USE master DROP DATABASE {name}")


def test_lsn_functions(db, table, name):
    db.run(f"INSERT {name} (id) VALUES (1)")
    table.fence()
    assert db.row("SELECT sys.fn_cdc_increment_lsn(0x000000000000000000FF), "
                  "sys.fn_cdc_decrement_lsn(0x00000000000000000100)") == (
        bytes(8) + b"\1\0", bytes(9) + b"\xff")
    low, high = db.row(f"SELECT sys.fn_cdc_get_min_lsn('dbo_{name}'), "
                       "sys.fn_cdc_get_max_lsn()")
    assert ZERO < low < high
    assert db.value("SELECT sys.fn_cdc_get_min_lsn('absent')") == ZERO
    assert db.row("SELECT sys.fn_cdc_map_time_to_lsn('largest less than or "
                  "equal', DATEADD(day, 1, GETDATE())), "
                  "sys.fn_cdc_map_time_to_lsn('smallest greater than', "
                  "DATEADD(day, 1, GETDATE()))") == (
        db.value("SELECT sys.fn_cdc_get_max_lsn()"), None)
    assert db.value("SELECT ABS(DATEDIFF(second, GETDATE(), "
                    "sys.fn_cdc_map_lsn_to_time(sys.fn_cdc_get_max_lsn())))"
                    ) <= 60
    assert db.row(f"SELECT sys.fn_cdc_get_column_ordinal('dbo_{name}', 'n'), "
                  f"CAST(sys.fn_cdc_has_column_changed('dbo_{name}', 'n', "
                  "0x04) AS int), CAST(sys.fn_cdc_is_bit_set(9, 0x0100) AS "
                  "int), CAST(sys.fn_cdc_is_bit_set(1, 0x0100) AS int)") == (
        3, 1, 1, 0)


RANGE = ("DECLARE @a binary(10) = sys.fn_cdc_get_min_lsn('dbo_{0}'), "
         "@b binary(10) = sys.fn_cdc_get_max_lsn(); ")


def test_all_changes(db, table, name):
    db.run(f"INSERT {name} (id, n) VALUES (1, 1) UPDATE {name} SET n = 2")
    table.fence()
    query = (RANGE + "SELECT __$operation, id, n FROM "
             "cdc.fn_cdc_get_all_changes_dbo_{0}(@a, @b, N'{1}') ORDER BY "
             "__$start_lsn, __$seqval, __$operation")
    assert db.rows(query.format(name, "all")) == [(2, 1, 1), (4, 1, 2)]
    assert db.rows(query.format(name, "all update old")) == [
        (2, 1, 1), (3, 1, 1), (4, 1, 2)]
    assert db.number(query.format(name, "nonsense")) == 313
    assert db.number(f"SELECT * FROM cdc.fn_cdc_get_all_changes_dbo_{name}("
                     "0x01, sys.fn_cdc_get_max_lsn(), N'all')") == 313
    assert db.number(RANGE.format(name) + "SELECT * FROM "
                     f"cdc.fn_cdc_get_all_changes_dbo_{name}(@a, "
                     "sys.fn_cdc_increment_lsn(@b), N'all')") == 313
    assert db.number("SELECT * FROM cdc.fn_cdc_get_all_changes_absent(0x01, "
                     "0x02, N'all')") == 208


def test_net_changes(db, table, name):
    db.run(f"INSERT {name} (id, n) VALUES (1, 1), (2, 1), (3, 1)")
    table.fence()
    start = db.value("SELECT sys.fn_cdc_increment_lsn("
                     "sys.fn_cdc_get_max_lsn())")
    db.run(f"UPDATE {name} SET n = 5 WHERE id = 1 UPDATE {name} SET v = N'x' "
           f"WHERE id = 1 DELETE {name} WHERE id = 2 INSERT {name} (id) VALUES "
           f"(4), (5) DELETE {name} WHERE id = 5 UPDATE {name} SET n = 7 WHERE "
           "id = 4")
    table.fence()
    query = ("DECLARE @b binary(10) = sys.fn_cdc_get_max_lsn(); SELECT "
             "__$operation, id, v, n, __$update_mask FROM "
             f"cdc.fn_cdc_get_net_changes_dbo_{name}(0x{start.hex()}, @b, "
             "N'{}') ORDER BY id")
    assert db.rows(query.format("all")) == [
        (4, 1, "x", 5, None), (1, 2, None, 1, None), (2, 4, None, 7, None)]
    assert db.rows(query.format("all with mask"))[0][4] == b"\x06"
    assert [r[0] for r in db.rows(query.format("all with merge"))] == [5, 1, 5]


def test_cleanup_moves_the_minimum(db, table, name):
    db.run(f"INSERT {name} (id) VALUES (1)")
    table.fence()
    db.run(f"INSERT {name} (id) VALUES (2)")
    table.fence()
    lsn = db.value(f"SELECT __$start_lsn FROM cdc.dbo_{name}_CT WHERE id = 2")
    db.run(f"EXEC sys.sp_cdc_cleanup_change_table N'dbo_{name}', "
           f"0x{lsn.hex()}")
    assert db.value(f"SELECT sys.fn_cdc_get_min_lsn('dbo_{name}')") == lsn
    assert db.column(f"SELECT id FROM cdc.dbo_{name}_CT") == [2]
    assert db.number(f"EXEC sys.sp_cdc_cleanup_change_table N'dbo_{name}', "
                     "0x00000000000000000007") == 22964


def test_ddl(db, table, name):
    db.run(f"INSERT {name} VALUES (1, N'a', 1)")
    db.run(f"ALTER TABLE {name} ADD extra int NULL")
    db.run(f"ALTER TABLE {name} ALTER COLUMN n varchar(9)")
    db.run(f"INSERT {name} VALUES (2, N'b', 'two', 7)")
    db.run(f"ALTER TABLE {name} DROP COLUMN v")
    db.run(f"INSERT {name} VALUES (3, 'three', 7)")
    assert table.rows("id, v, n") == [
        (2, 1, "a", "1"), (2, 2, "b", "two"), (2, 3, None, "three")]
    history = db.rows("SELECT CAST(required_column_update AS int), "
                      "ddl_command FROM cdc.ddl_history WHERE "
                      f"source_object_id = OBJECT_ID('{name}') ORDER BY "
                      "ddl_lsn")
    assert [h[0] for h in history] == [0, 1, 0]
    assert history[0][1].startswith(f"ALTER TABLE {name} ADD extra int")
    assert db.number(f"TRUNCATE TABLE {name}") == 4711
    db.run(f"DROP TABLE {name}")
    assert db.value("SELECT COUNT(*) FROM cdc.change_tables WHERE "
                    f"capture_instance = 'dbo_{name}'") == 0


def test_a_column_comes_back(db, table, name):
    """By its name alone: its column_id is a new one, and never captured."""
    db.run(f"INSERT {name} VALUES (1, N'a', 1)")
    db.run(f"ALTER TABLE {name} DROP COLUMN n")
    db.run(f"ALTER TABLE {name} ADD n int NULL")
    db.run(f"INSERT {name} VALUES (2, N'b', 2)")
    assert table.rows("id, v, n") == [(2, 1, "a", 1), (2, 2, "b", None)]
    ids = "SELECT column_id FROM {} WHERE object_id = OBJECT_ID('{}') ORDER " \
        "BY column_id"
    assert db.column(ids.format("sys.columns", name)) == [1, 2, 4]
    assert db.column(ids.format("cdc.captured_columns",
                                f"cdc.{table.instance}_CT")) == [1, 2, 3]
    assert db.value("SELECT max_column_id_used FROM sys.tables WHERE "
                    f"object_id = OBJECT_ID('{name}')") == 4


def test_index_in_use(db, table, name):
    key = db.value("SELECT name FROM sys.key_constraints WHERE "
                   f"parent_object_id = OBJECT_ID('{name}')")
    assert db.number(f"ALTER TABLE {name} DROP CONSTRAINT {key}") == 22979
    db.run(f"CREATE UNIQUE INDEX i ON {name} (n)")
    table.enable(capture_instance=f"{name}_2", index_name="i")
    assert db.number(f"DROP INDEX i ON {name}") == 22983
    db.run(f"EXEC sys.sp_cdc_disable_table N'dbo', N'{name}', N'{name}_2'")
    db.run(f"DROP INDEX i ON {name}")


def test_bulk_load(db, table, name):
    db.cursor.copy_to(io.StringIO("1\tone\t1\n2\ttwo\t2\n"), table_or_view=name,
                      columns=("id", "v", "n"))
    assert table.rows("id, v, n") == [(2, 1, "one", 1), (2, 2, "two", 2)]


def test_help(db, table, name):
    row = db.row("EXEC sys.sp_cdc_help_change_data_capture N'dbo', "
                 f"N'{name}'")
    assert row[:3] == ("dbo", name, f"dbo_{name}")
    assert row[-2:] == ("[id]", "[id], [v], [n]")
    assert {r[1] for r in db.rows("EXEC sys.sp_cdc_help_jobs")} == {
        "capture", "cleanup"}
    assert [r[3] for r in db.rows("EXEC sys.sp_cdc_get_captured_columns "
                                  f"'dbo_{name}'")] == ["id", "v", "n"]


def test_jobs(db, table, name):
    db.run("EXEC sys.sp_cdc_stop_job @job_type = 'capture'")
    db.run(f"INSERT {name} (id) VALUES (1)")
    time.sleep(0.3)
    count = f"SELECT COUNT(*) FROM cdc.dbo_{name}_CT"
    assert db.value(count) == 0
    db.run("EXEC sys.sp_cdc_scan")
    assert db.value(count) == 1
    db.run(f"INSERT {name} (id) VALUES (2)")
    job = f"cdc.{db.value('SELECT DB_NAME()')}_capture"
    db.run(f"EXEC msdb.dbo.sp_start_job @job_name = N'{job}'")
    wait_for(lambda: db.value(count) == 2)
    assert db.number(f"EXEC msdb.dbo.sp_start_job @job_name = N'{job}'") \
        == 22022
    db.run("EXEC sys.sp_cdc_change_job @job_type = 'capture', @maxtrans = 7")
    assert db.row("SELECT maxtrans, maxscans FROM msdb.dbo.cdc_jobs WHERE "
                  "job_type = 'capture' AND database_id = DB_ID()") == (7, 10)


@pytest.mark.standin
def test_switches(db, table, name):
    count = f"SELECT COUNT(*) FROM cdc.dbo_{name}_CT"
    db.run("EXEC sys.sp_tdsd_option 'capture_delay', 3600000")
    db.run(f"INSERT {name} (id) VALUES (1)")
    time.sleep(0.3)
    assert db.value(count) == 0
    db.run("EXEC sys.sp_tdsd_option 'capture_delay', 0")
    wait_for(lambda: db.value(count) == 1)
    db.run("EXEC sys.sp_tdsd_option 'agent_stopped', 1")
    db.run(f"INSERT {name} (id) VALUES (2)")
    time.sleep(0.3)
    assert db.value(count) == 1
    db.run("EXEC sys.sp_tdsd_option 'agent_stopped', 0")
    wait_for(lambda: db.value(count) == 2)
    assert db.value("SELECT MAX(tran_count) FROM "
                    "sys.dm_cdc_log_scan_sessions") > 0
    assert db.rows("SELECT error_message FROM sys.dm_cdc_errors") == []


@pytest.mark.standin
def test_heartbeat(db, table):
    db.run("EXEC sys.sp_tdsd_option 'idle_interval', 100")
    try:
        before = db.value("SELECT sys.fn_cdc_get_max_lsn()") or ZERO
        wait_for(lambda: (db.value("SELECT sys.fn_cdc_get_max_lsn()") or ZERO)
                 > before)
        assert db.value("SELECT COUNT(*) FROM cdc.lsn_time_mapping WHERE "
                        "tran_id = 0x00") > 0
    finally:
        db.run("EXEC sys.sp_tdsd_option 'idle_interval', 0")


def test_rights(db, connect, name):
    Captured(db, name, "id int PRIMARY KEY")
    db.run(f"CREATE LOGIN {name} WITH PASSWORD = 'Some-pass-1'")
    db.run(f"CREATE USER {name} FOR LOGIN {name}")
    other = connect(user=name, password="Some-pass-1")
    low = f"SELECT sys.fn_cdc_get_min_lsn('dbo_{name}')"
    assert other.value(low) == ZERO
    assert other.number(f"SELECT * FROM cdc.dbo_{name}_CT") == 229
    assert other.number("EXEC sys.sp_cdc_enable_db") == 22902
    assert other.number("EXEC sys.sp_cdc_stop_job") == 22904
    db.run(f"GRANT SELECT ON {name} TO {name}")
    db.run(f"GRANT SELECT ON SCHEMA::cdc TO {name}")
    assert other.value(low) > ZERO
    assert other.rows(f"SELECT * FROM cdc.dbo_{name}_CT") == []


def test_triggers_and_cascades(db, name):
    parent = Captured(db, name, "id int PRIMARY KEY")
    child = Captured(db, f"{name}c", "id int PRIMARY KEY, p int REFERENCES "
                     f"{name} ON DELETE CASCADE")
    db.run(f"CREATE TRIGGER {name}t ON {name} AFTER INSERT AS INSERT {name}c "
           "SELECT id + 100, id FROM inserted")
    db.run(f"INSERT {name} VALUES (1), (2)")
    db.run(f"DELETE {name} WHERE id = 1")
    assert parent.rows("id") == [(2, 1), (2, 2), (1, 1)]
    assert sorted(child.rows("id")) == [(1, 101), (2, 101), (2, 102)]


@pytest.mark.threads
def test_many_writers(db, connect, table, name):
    def write(client, first):
        for i in range(40):
            client.run(f"BEGIN TRAN INSERT {name} (id, n) VALUES "
                       f"({first + i}, 0) UPDATE {name} SET n = 1 WHERE id = "
                       f"{first + i} COMMIT")

    threads = [threading.Thread(target=write, args=(connect(), i * 1000))
               for i in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(table.rows("id")) == 4 * 40 * 3
    assert db.value("SELECT COUNT(*) FROM (SELECT start_lsn, tran_end_time, "
                    "LAG(tran_end_time) OVER (ORDER BY start_lsn) AS before "
                    "FROM cdc.lsn_time_mapping) m WHERE tran_end_time < "
                    "before") == 0


def test_large_transaction(db, table, name):
    db.run(f"""
INSERT {name} (id, v, n)
SELECT TOP (100000) ROW_NUMBER() OVER (ORDER BY (SELECT 1)), N'some text', 5
FROM sys.all_objects a CROSS JOIN sys.all_objects b CROSS JOIN sys.all_objects c
""")
    wanted = db.value(f"SELECT COUNT(*) FROM {name}")
    wait_for(lambda: db.value("SELECT COUNT(*) FROM "
                              f"cdc.dbo_{name}_CT") == wanted, 60)


@pytest.mark.standin
def test_restart_and_kill(own_server):
    with Client(own_server) as client:
        client.run("CREATE DATABASE k")
        client.run("USE k EXEC sys.sp_cdc_enable_db CREATE TABLE t (id int "
                   "PRIMARY KEY) EXEC sys.sp_cdc_enable_table N'dbo', N't', "
                   "NULL")
        client.run("EXEC sys.sp_tdsd_option 'agent_stopped', 1")
        client.run("INSERT t VALUES (1)")
        client.run("BEGIN TRAN INSERT t VALUES (2)")
        own_server.tdsd.kill()
    own_server.tdsd.start()
    with Client(own_server, "k") as client:
        wait_for(lambda: client.column("SELECT id FROM cdc.dbo_t_CT") == [1])
        top = client.value("SELECT sys.fn_cdc_get_max_lsn()")
        client.run("INSERT t VALUES (3)")
        own_server.tdsd.restart()
    with Client(own_server, "k") as client:
        wait_for(lambda: client.column("SELECT id FROM cdc.dbo_t_CT ORDER BY "
                                       "1") == [1, 3])
        assert client.value("SELECT sys.fn_cdc_get_max_lsn()") > top


@pytest.fixture
def text_limit(db):
    """sp_configure 'max text repl size', as it was afterwards."""
    def set_limit(value):
        db.run(f"EXEC sp_configure 'max text repl size', {value}")
        db.run("RECONFIGURE")
    before = db.value("SELECT CAST(value_in_use AS int) FROM "
                      "sys.configurations WHERE name LIKE 'max text repl%'")
    yield set_limit
    set_limit(before)


def test_large_values_7139(db, name, text_limit):
    """The limit hits whoever writes, not the capture."""
    text_limit(65536)
    db.run(f"CREATE TABLE {name} (id int PRIMARY KEY, v varchar(max) NULL, "
           "n nvarchar(max) NULL, b varbinary(max) NULL, other varchar(max) "
           "NULL)")
    big = "REPLICATE(CAST('x' AS {}(max)), {})"
    db.run(f"INSERT INTO {name} (id, v) "
           f"VALUES (1, {big.format('varchar', 70000)})")
    db.run(f"EXEC sys.sp_cdc_enable_table 'dbo', '{name}', NULL, "
           "@captured_column_list = 'id, v, n, b'")
    error = db.fails(f"INSERT INTO {name} (id, v) "
                     f"VALUES (2, {big.format('varchar', 65537)})")
    assert (error.number, error.severity) == (7139, 16)
    assert "(65537)" in error.text and "maximum 65536" in error.text
    assert db.number(f"INSERT INTO {name} (id, n) VALUES "
                     f"(2, {big.format('nvarchar', 32769)})") == 7139
    assert db.number(f"UPDATE {name} SET b = CAST("
                     f"{big.format('varchar', 65537)} AS varbinary(max))") \
        == 7139
    db.run(f"INSERT INTO {name} VALUES (2, "
           f"{big.format('varchar', 65536)}, {big.format('nvarchar', 32768)},"
           f" NULL, {big.format('varchar', 900000)})")
    db.run(f"UPDATE {name} SET b = 0x01")  # leaves the old large value alone
    text_limit(-1)
    db.run(f"INSERT INTO {name} (id, v) "
           f"VALUES (3, {big.format('varchar', 3000000)})")
    text_limit(100)
    assert db.number(f"INSERT INTO {name} (id, v) "
                     f"VALUES (4, {big.format('varchar', 101)})") == 7139
    assert db.column(f"SELECT DATALENGTH(v) FROM {name} ORDER BY id") == \
        [70000, 65536, 3000000]
