"""Change tracking: versions, CHANGETABLE, clean-up."""
import pytest


@pytest.fixture(scope="module", autouse=True)
def enabled(shared, database):
    shared.run(f"ALTER DATABASE {database} SET CHANGE_TRACKING = ON "
               "(CHANGE_RETENTION = 1 MINUTES, AUTO_CLEANUP = ON)")


@pytest.fixture
def table(db, name):
    db.run(f"CREATE TABLE {name} (id int PRIMARY KEY, v varchar(9), n int)")
    db.run(f"ALTER TABLE {name} ENABLE CHANGE_TRACKING WITH "
           "(TRACK_COLUMNS_UPDATED = ON)")
    return name


def version(db):
    return db.value("SELECT CHANGE_TRACKING_CURRENT_VERSION()")


def changes(db, table, since):
    return db.rows(f"SELECT id, SYS_CHANGE_OPERATION FROM CHANGETABLE(CHANGES "
                   f"{table}, {since}) AS c ORDER BY id")


def minimum(db, table):
    return db.value("SELECT CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID("
                    f"'{table}'))")


def test_operations(db, table):
    start = version(db)
    db.run(f"INSERT {table} VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3)")
    assert changes(db, table, start) == [(1, "I"), (2, "I"), (3, "I")]
    middle = version(db)
    assert middle == start + 1
    db.run(f"UPDATE {table} SET v = 'x' WHERE id = 1")
    db.run(f"DELETE {table} WHERE id = 2")
    db.run(f"UPDATE {table} SET id = 30 WHERE id = 3")
    db.run(f"INSERT {table} (id) VALUES (4) DELETE {table} WHERE id = 4")
    assert changes(db, table, middle) == [
        (1, "U"), (2, "D"), (3, "D"), (4, "D"), (30, "I")]
    assert changes(db, table, start)[0] == (1, "I")
    assert changes(db, table, version(db)) == []


def test_columns(db, table):
    db.run(f"INSERT {table} VALUES (1, 'a', 1)")
    start = version(db)
    db.run(f"UPDATE {table} SET v = 'x'")
    assert db.row(
        "SELECT CAST(CHANGE_TRACKING_IS_COLUMN_IN_MASK(2, SYS_CHANGE_COLUMNS) "
        "AS int), CAST(CHANGE_TRACKING_IS_COLUMN_IN_MASK(3, "
        "SYS_CHANGE_COLUMNS) AS int), SYS_CHANGE_COLUMNS FROM CHANGETABLE("
        f"CHANGES {table}, {start}) AS c") == (1, 0, b"\2\0\0\0")


def test_join(db, table):
    start = version(db)
    db.run(f"INSERT {table} VALUES (1, 'a', 1), (2, 'b', 2) DELETE {table} "
           "WHERE id = 2")
    assert db.rows(f"SELECT c.id, t.v FROM CHANGETABLE(CHANGES {table}, "
                   f"{start}) AS c LEFT JOIN {table} t ON t.id = c.id ORDER "
                   "BY 1") == [(1, "a"), (2, None)]


def test_rollback(db, table):
    start = version(db)
    db.run(f"BEGIN TRAN INSERT {table} (id) VALUES (1) ROLLBACK")
    assert version(db) == start
    db.run(f"BEGIN TRAN INSERT {table} (id) VALUES (1) SAVE TRAN s INSERT "
           f"{table} (id) VALUES (2) ROLLBACK TRAN s INSERT {table} (id) "
           "VALUES (3) COMMIT")
    assert version(db) == start + 1
    assert changes(db, table, start) == [(1, "I"), (3, "I")]


def test_open_transaction_is_not_seen(db, table, connect):
    other = connect()
    start = version(db)
    db.run(f"BEGIN TRAN INSERT {table} (id) VALUES (1)")
    assert version(db) == start
    other.run("SET TRANSACTION ISOLATION LEVEL SNAPSHOT")
    assert version(other) == start
    assert changes(other, table, start) == []
    db.run("COMMIT")
    assert changes(other, table, start) == [(1, "I")]


def test_truncate(db, table):
    db.run(f"INSERT {table} (id) VALUES (1)")
    before = version(db)
    db.run(f"TRUNCATE TABLE {table}")
    assert minimum(db, table) > before
    assert changes(db, table, version(db)) == []


@pytest.mark.standin
def test_clean_up(db, table):
    db.run(f"INSERT {table} (id) VALUES (1)")
    db.run("EXEC sys.sp_flush_CT_internal_table_on_demand")
    assert minimum(db, table) < version(db)
    db.run("EXEC sys.sp_tdsd_option 'tracking_age', 120000")
    try:
        db.run("EXEC sys.sp_flush_CT_internal_table_on_demand")
    finally:
        db.run("EXEC sys.sp_tdsd_option 'tracking_age', 0")
    assert minimum(db, table) == version(db)
    assert changes(db, table, 0) == []


def test_views(db, table):
    assert db.row("SELECT retention_period, retention_period_units_desc, "
                  "is_auto_cleanup_on FROM sys.change_tracking_databases WHERE "
                  "database_id = DB_ID()") == (1, "MINUTES", 1)
    assert db.row("SELECT CAST(is_track_columns_updated_on AS int) FROM "
                  "sys.change_tracking_tables WHERE object_id = OBJECT_ID("
                  f"'{table}')") == (1,)


LOG = ("SELECT object_id FROM sys.internal_tables WHERE internal_type = 209 "
       "AND parent_id = OBJECT_ID('{}')")
BEGIN = ("SELECT begin_version FROM sys.change_tracking_tables WHERE "
         "object_id = OBJECT_ID('{}')")


def test_enabled_anew(db, table):
    """At the same version: another log, and it begins later."""
    db.run(f"INSERT {table} (id) VALUES (1)")
    at, log, began = version(db), db.value(LOG.format(table)), db.value(
        BEGIN.format(table))
    assert log and began < at
    db.run(f"ALTER TABLE {table} DISABLE CHANGE_TRACKING")
    assert db.rows(LOG.format(table)) == db.rows(BEGIN.format(table)) == []
    db.run(f"INSERT {table} (id) VALUES (2)")
    db.run(f"ALTER TABLE {table} ENABLE CHANGE_TRACKING")
    assert minimum(db, table) == version(db) == db.value(
        BEGIN.format(table)) == at
    assert changes(db, table, at) == []
    assert db.value(LOG.format(table)) not in (None, log)


def test_errors(db, table, name, database):
    assert db.number(f"ALTER TABLE {table} ENABLE CHANGE_TRACKING") == 4996
    db.run(f"CREATE TABLE {name}h (id int)")
    assert db.number(f"ALTER TABLE {name}h ENABLE CHANGE_TRACKING") == 4997
    assert db.number(f"SELECT * FROM CHANGETABLE(CHANGES {name}h, 0) c") \
        == 22105
    assert db.number(f"SELECT * FROM CHANGETABLE(CHANGES {table}, 0)") == 22104
    assert db.number(f"ALTER DATABASE {database} SET CHANGE_TRACKING = OFF") \
        == 22115
    key = db.value("SELECT name FROM sys.key_constraints WHERE "
                   f"parent_object_id = OBJECT_ID('{table}')")
    assert db.number(f"ALTER TABLE {table} DROP CONSTRAINT {key}") == 3735
    assert db.value("SELECT CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID("
                    f"'{name}h'))") is None
    db.run(f"ALTER TABLE {table} DISABLE CHANGE_TRACKING")
    assert minimum(db, table) is None
