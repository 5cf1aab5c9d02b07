"""System-versioned tables, and sparse columns."""
import datetime
import time

import pytest

LAST = datetime.datetime(9999, 12, 31, 23, 59, 59, 999999)
BODY = ("id int NOT NULL PRIMARY KEY, v varchar(20) NULL, "
        "f datetime2 GENERATED ALWAYS AS ROW START {hidden} NOT NULL, "
        "u datetime2 GENERATED ALWAYS AS ROW END {hidden} NOT NULL, "
        "PERIOD FOR SYSTEM_TIME (f, u)")


def versioned(name, hidden="", history=None):
    history = f" (HISTORY_TABLE = dbo.{history})" if history else ""
    return (f"CREATE TABLE {name} ({BODY.format(hidden=hidden)}) "
            f"WITH (SYSTEM_VERSIONING = ON{history})")


def unversioned(name):
    return f"CREATE TABLE {name} ({BODY.format(hidden='')})"


@pytest.fixture
def t(db, name):
    db.run(versioned(name, history=name + "_history"))
    yield name
    db.run(f"IF (SELECT temporal_type FROM sys.tables WHERE name = '{name}') "
           f"= 2 ALTER TABLE {name} SET (SYSTEM_VERSIONING = OFF)")
    db.run(f"DROP TABLE IF EXISTS {name}, {name}_history")


def test_rows_that_were_go_to_the_history(db, t):
    db.run(f"INSERT INTO {t} (id, v) VALUES (1, 'a'), (2, 'b')")
    assert db.rows(f"SELECT id, v FROM {t} ORDER BY id") == \
        [(1, "a"), (2, "b")]
    assert db.rows(f"SELECT * FROM {t}_history") == []
    began, until = db.row(f"SELECT f, u FROM {t} WHERE id = 1")
    assert until == LAST
    assert abs(db.value("SELECT SYSUTCDATETIME()") - began) < \
        datetime.timedelta(seconds=30)
    time.sleep(0.01)
    db.run(f"UPDATE {t} SET v = 'c' WHERE id = 1")
    db.run(f"DELETE FROM {t} WHERE id = 2")
    assert db.rows(f"SELECT id, v FROM {t}") == [(1, "c")]
    now = db.value(f"SELECT f FROM {t}")
    assert now > began
    history = db.rows(f"SELECT * FROM {t}_history ORDER BY id")
    assert [row[:3] for row in history] == [(1, "a", began), (2, "b", began)]
    assert history[0][3] == now and now <= history[1][3] < LAST


def test_a_transaction_has_one_time(db, t):
    db.run(f"INSERT INTO {t} (id, v) VALUES (1, 'a')")
    db.run("BEGIN TRANSACTION")
    time.sleep(0.01)
    db.run(f"UPDATE {t} SET v = 'b'; UPDATE {t} SET v = 'c'")
    db.run("COMMIT TRANSACTION")
    began = db.value(f"SELECT f FROM {t}")
    assert db.rows(f"SELECT v, u FROM {t}_history ORDER BY v") == \
        [("a", began), ("b", began)]
    db.run(f"BEGIN TRANSACTION; DELETE FROM {t}; ROLLBACK TRANSACTION")
    assert db.value(f"SELECT COUNT(*) FROM {t}_history") == 2


def test_a_transaction_that_began_before_13535(db, connect, t):
    db.run(f"INSERT INTO {t} (id, v) VALUES (1, 'a')")
    early = connect()
    early.run("BEGIN TRANSACTION")
    early.run("SELECT 1")
    time.sleep(0.01)
    db.run(f"UPDATE {t} SET v = 'b'")
    assert early.number(f"UPDATE {t} SET v = 'c'") == 13535
    early.run("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION")


def test_all_rows_at_once(db, t):
    db.run(f"INSERT INTO {t} (id, v) VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    db.run(f"DELETE FROM {t}")
    assert db.column(f"SELECT v FROM {t}_history ORDER BY v") == \
        ["a", "b", "c"]


def test_the_catalog(db, t, name):
    assert db.rows("SELECT name, temporal_type, temporal_type_desc, "
                   "OBJECT_NAME(history_table_id), "
                   "OBJECTPROPERTY(object_id, 'TableTemporalType') "
                   "FROM sys.tables WHERE name LIKE '" + t + "%' "
                   "ORDER BY name") == [
        (t, 2, "SYSTEM_VERSIONED_TEMPORAL_TABLE", t + "_history", 2),
        (t + "_history", 1, "HISTORY_TABLE", None, 1)]
    assert db.rows("SELECT name, generated_always_type, "
                   "generated_always_type_desc, is_hidden, is_nullable "
                   f"FROM sys.columns WHERE object_id = OBJECT_ID('{t}') "
                   "ORDER BY column_id") == [
        ("id", 0, "NOT_APPLICABLE", False, False),
        ("v", 0, "NOT_APPLICABLE", False, True),
        ("f", 1, "AS_ROW_START", False, False),
        ("u", 2, "AS_ROW_END", False, False)]
    assert db.rows("SELECT name, start_column_id, end_column_id "
                   f"FROM sys.periods WHERE object_id = OBJECT_ID('{t}')") \
        == [("SYSTEM_TIME", 3, 4)]
    assert db.rows("SELECT c.name FROM sys.indexes i JOIN sys.index_columns x "
                   "ON i.object_id = x.object_id AND i.index_id = x.index_id "
                   "JOIN sys.columns c ON c.object_id = x.object_id AND "
                   "c.column_id = x.column_id WHERE i.type = 1 AND "
                   f"i.object_id = OBJECT_ID('{t}_history') "
                   "ORDER BY x.key_ordinal") == [("u",), ("f",)]


def test_hidden_columns(db, name):
    db.run(versioned(name, "HIDDEN"))
    db.run(f"INSERT INTO {name} VALUES (1, 'a')")
    assert db.rows(f"SELECT * FROM {name}") == [(1, "a")]
    assert db.value(f"SELECT u FROM {name}") == LAST
    assert db.column("SELECT is_hidden FROM sys.columns WHERE object_id = "
                     f"OBJECT_ID('{name}') ORDER BY column_id") == \
        [False, False, True, True]
    db.run(f"ALTER TABLE {name} ALTER COLUMN f DROP HIDDEN")
    assert len(db.row(f"SELECT * FROM {name}")) == 3
    history = db.value("SELECT OBJECT_NAME(history_table_id) FROM sys.tables "
                       f"WHERE name = '{name}'")
    assert history.startswith("MSSQL_TemporalHistoryFor_")


def test_default_is_all_that_a_period_takes(db, t):
    db.run(f"INSERT INTO {t} VALUES (1, 'a', DEFAULT, DEFAULT)")
    db.run(f"INSERT INTO {t} (id, f) VALUES (2, DEFAULT)")
    for sql in (f"INSERT INTO {t} (id, f) VALUES (3, SYSUTCDATETIME())",
                f"INSERT INTO {t} VALUES (3, 'a', DEFAULT, '9999-12-31')",
                f"INSERT INTO {t} (id, u) SELECT 3, SYSUTCDATETIME()"):
        error = db.fails(sql)
        assert error.number == 13536
        assert f".dbo.{t}'" in error.text
    assert db.number(f"INSERT INTO {t} VALUES (3, 'a')") == 213
    assert db.number(f"UPDATE {t} SET f = SYSUTCDATETIME()") == 13537
    assert db.column(f"SELECT id FROM {t} ORDER BY id") == [1, 2]


REFUSED = [
    ("truncate", "TRUNCATE TABLE {t}", 13545),
    ("truncate history", "TRUNCATE TABLE {t}_history", 13545),
    ("drop", "DROP TABLE {t}", 13552),
    ("drop history", "DROP TABLE {t}_history", 13552),
    ("insert", "INSERT INTO {t}_history VALUES (1, 'a', '2020', '2021')",
     13559),
    ("delete", "DELETE FROM {t}_history", 13560),
    ("update", "UPDATE {t}_history SET v = 'x'", 13561),
    ("on twice", "ALTER TABLE {t} SET (SYSTEM_VERSIONING = ON)", 13596),
    ("history off", "ALTER TABLE {t}_history SET (SYSTEM_VERSIONING = OFF)",
     13591),
    ("drop period", "ALTER TABLE {t} DROP PERIOD FOR SYSTEM_TIME", 13592),
    ("add period", "ALTER TABLE {t} ADD PERIOD FOR SYSTEM_TIME (f, u)",
     13597),
    ("column of history", "ALTER TABLE {t}_history ADD x int", 13550),
    ("no column of history", "ALTER TABLE {t}_history DROP COLUMN v", 13551),
    ("other column of history",
     "ALTER TABLE {t}_history ALTER COLUMN v varchar(30)", 13548),
    ("key of history",
     "ALTER TABLE {t}_history ADD PRIMARY KEY (id)", 13558),
    ("check of history",
     "ALTER TABLE {t}_history ADD CHECK (id > 0)", 13564),
    ("alter period", "ALTER TABLE {t} ALTER COLUMN f datetime2(3) NOT NULL",
     13599),
    ("drop period column", "ALTER TABLE {t} DROP COLUMN f", 13588),
    ("hide", "ALTER TABLE {t} ALTER COLUMN v ADD HIDDEN", 13735),
]


@pytest.mark.parametrize("sql, number", [r[1:] for r in REFUSED],
                         ids=[r[0] for r in REFUSED])
def test_refused(db, t, sql, number):
    assert db.number(sql.format(t=t)) == number


PERIOD = ", PERIOD FOR SYSTEM_TIME (f, u)"
START = "f datetime2 GENERATED ALWAYS AS ROW START NOT NULL"
END = "u datetime2 GENERATED ALWAYS AS ROW END NOT NULL"
DEFINITIONS = [
    (f"id int, {START}, {END}", 13509),
    (f"id int, {END}{PERIOD}", 13504),
    (f"id int, {START}{PERIOD}", 13505),
    (f"id int, {START}, {END}, PERIOD FOR SYSTEM_TIME (id, u)", 13506),
    (f"id int, {START}, {END}, PERIOD FOR SYSTEM_TIME (f, id)", 13507),
    (f"id int, {START}, {END}{PERIOD}{PERIOD}", 13508),
    (f"id int, {START}, g {START[2:]}, {END}{PERIOD}", 13502),
    (f"id int, {START}, {END}, g {END[2:]}{PERIOD}", 13503),
    (f"id int, {START.replace('datetime2', 'datetime')}, {END}{PERIOD}",
     13501),
    (f"id int, {START.replace('NOT ', '')}, {END}{PERIOD}", 13587),
    (f"id int, {START.replace('datetime2', 'datetime2(3)')}, {END}{PERIOD}",
     13513),
]


@pytest.mark.parametrize("body, number", DEFINITIONS)
def test_definitions(db, name, body, number):
    assert db.number(f"CREATE TABLE {name} ({body})") == number
    assert db.value(f"SELECT OBJECT_ID('{name}')") is None


def test_versioning_needs_a_key_and_a_period(db, name):
    assert db.number(f"CREATE TABLE {name} (id int, {START}, {END}{PERIOD}) "
                     "WITH (SYSTEM_VERSIONING = ON)") == 13553
    db.run(f"CREATE TABLE {name} (id int PRIMARY KEY)")
    assert db.number(f"ALTER TABLE {name} SET (SYSTEM_VERSIONING = ON)") == \
        13510
    assert db.number(f"DECLARE @t TABLE (id int, {START}, {END}{PERIOD})") \
        == 13572


def test_an_existing_history(db, name):
    db.run(unversioned(name))
    on = (f"ALTER TABLE {name} SET (SYSTEM_VERSIONING = ON "
          f"(HISTORY_TABLE = dbo.{name}_h, DATA_CONSISTENCY_CHECK = OFF))")
    for columns, number in [
            ("id int NOT NULL, v varchar(20)", 13523),
            ("id int NOT NULL, w varchar(20), f datetime2 NOT NULL, "
             "u datetime2 NOT NULL", 13524),
            ("id int NOT NULL, v varchar(21), f datetime2 NOT NULL, "
             "u datetime2 NOT NULL", 13525),
            ("id int NULL, v varchar(20), f datetime2 NOT NULL, "
             "u datetime2 NOT NULL", 13531),
            ("id int NOT NULL PRIMARY KEY, v varchar(20), "
             "f datetime2 NOT NULL, u datetime2 NOT NULL", 13515)]:
        db.run(f"CREATE TABLE {name}_h ({columns})")
        assert db.number(on) == number
        db.run(f"DROP TABLE {name}_h")
    db.run(f"CREATE TABLE {name}_h (id int NOT NULL, v varchar(20) NULL, "
           "f datetime2 NOT NULL, u datetime2 NOT NULL)")
    db.run(on)
    db.run(f"INSERT INTO {name} (id) VALUES (1); DELETE FROM {name}")
    assert db.value(f"SELECT COUNT(*) FROM {name}_h") == 1
    db.run(f"ALTER TABLE {name} SET (SYSTEM_VERSIONING = OFF)")
    db.run(f"INSERT INTO {name}_h VALUES (5, 'x', '2020', '2021')")
    db.run(f"INSERT INTO {name} (id) VALUES (1); DELETE FROM {name}")
    assert db.value(f"SELECT COUNT(*) FROM {name}_h") == 2
    db.run(f"TRUNCATE TABLE {name}; DROP TABLE {name}, {name}_h")


def test_a_period_for_a_table_that_is_there(db, name):
    db.run(f"CREATE TABLE {name} (id int PRIMARY KEY)")
    db.run(f"INSERT INTO {name} VALUES (1)")
    add = (f"ALTER TABLE {name} ADD f datetime2 GENERATED ALWAYS AS ROW START "
           "HIDDEN NOT NULL DEFAULT {start}, "
           "u datetime2 GENERATED ALWAYS AS ROW END HIDDEN NOT NULL "
           "DEFAULT {end}, PERIOD FOR SYSTEM_TIME (f, u)")
    last = "CONVERT(datetime2, '9999-12-31 23:59:59.9999999')"
    assert db.number(add.format(start="'2020-01-01'", end="'2021-01-01'")) \
        == 13575
    assert db.number(add.format(start="'9000-01-01'", end=last)) == 13542
    db.run(add.format(start="'2020-01-01'", end=last))
    assert db.rows(f"SELECT * FROM {name}") == [(1,)]
    assert db.row(f"SELECT f, u FROM {name}") == \
        (datetime.datetime(2020, 1, 1), LAST)
    db.run(f"UPDATE {name} SET id = 2")
    assert db.value(f"SELECT f FROM {name}") > datetime.datetime(2021, 1, 1)
    db.run(f"ALTER TABLE {name} DROP PERIOD FOR SYSTEM_TIME")
    assert len(db.row(f"SELECT * FROM {name}")) == 3
    assert db.number(f"ALTER TABLE {name} DROP PERIOD FOR SYSTEM_TIME") == \
        13593


def test_switch(db, t, name):
    plain = name + "_plain"
    db.run(f"CREATE TABLE {plain} (id int NOT NULL PRIMARY KEY, "
           "v varchar(20) NULL, f datetime2 NOT NULL, u datetime2 NOT NULL)")
    assert db.number(f"ALTER TABLE {plain} SWITCH TO {t}") == 13577
    assert db.number(f"ALTER TABLE {t} SWITCH TO {plain}") == 13546


def test_bulk_load(db, t):
    import pytds
    with pytest.raises(pytds.DatabaseError) as caught:
        db.cursor.copy_to(
            data=[(1, datetime.datetime(2020, 1, 1))], table_or_view=t,
            columns=[pytds.Column("id", type=pytds.tds_types.IntType()),
                     pytds.Column("f", type=pytds.tds_types.DateTime2Type(7))])
    assert caught.value.number == 13536
    db.cursor.copy_to(
        data=[(1, "a")], table_or_view=t,
        columns=[pytds.Column("id", type=pytds.tds_types.IntType()),
                 pytds.Column("v", type=pytds.tds_types.NVarCharType(20))])
    assert db.value(f"SELECT u FROM {t}") == LAST


def test_capture_and_tracking(server, t, name):
    from clients import Client
    own = name + "db"
    with Client(server, "master") as master:
        master.run(f"CREATE DATABASE {own}")
        master.run(f"ALTER DATABASE {own} SET CHANGE_TRACKING = ON")
    with Client(server, own) as db:
        db.run(versioned("v", history="h"))
        db.run("EXEC sys.sp_cdc_enable_db")
        assert db.number("EXEC sys.sp_cdc_enable_table 'dbo', 'h', NULL") == \
            13571
        assert db.number("ALTER TABLE h ENABLE CHANGE_TRACKING") == 13563
        db.run("EXEC sys.sp_cdc_enable_table 'dbo', 'v', NULL")
        db.run("ALTER TABLE v ENABLE CHANGE_TRACKING")
        db.run("INSERT INTO v (id, v) VALUES (1, 'a')")
        db.run("UPDATE v SET v = 'b'")
        deadline = time.time() + 20
        rows = []
        while len(rows) < 3 and time.time() < deadline:
            rows = db.rows("SELECT [__$operation], v, u FROM cdc.dbo_v_CT "
                           "ORDER BY [__$start_lsn], [__$operation]")
        assert rows == [(2, "a", LAST), (3, "a", LAST), (4, "b", LAST)]
        assert db.rows("SELECT id, SYS_CHANGE_OPERATION "
                       "FROM CHANGETABLE(CHANGES v, 0) AS c") == [(1, "I")]


# -- sparse columns

def test_sparse(db, name):
    db.run(f"CREATE TABLE {name} (id int PRIMARY KEY, a int SPARSE NULL, "
           "b nvarchar(20) SPARSE)")
    db.run(f"INSERT INTO {name} VALUES (1, NULL, N'x'), (2, 7, NULL)")
    assert db.rows(f"SELECT * FROM {name} ORDER BY id") == \
        [(1, None, "x"), (2, 7, None)]
    assert db.rows("SELECT name, is_sparse, is_column_set FROM sys.columns "
                   f"WHERE object_id = OBJECT_ID('{name}') "
                   "ORDER BY column_id") == [
        ("id", False, False), ("a", True, False), ("b", True, False)]
    db.run(f"CREATE TABLE {name}_plain (id int PRIMARY KEY, a int NULL, "
           "b nvarchar(20) NULL)")
    assert db.number(f"ALTER TABLE {name}_plain SWITCH TO {name}") in \
        (4905, 11412)
    db.run(f"DELETE FROM {name}")
    assert db.number(f"ALTER TABLE {name}_plain SWITCH TO {name}") == 11412
    db.run(f"ALTER TABLE {name} ALTER COLUMN a DROP SPARSE")
    assert db.value("SELECT COUNT(*) FROM sys.columns WHERE is_sparse = 1 "
                    f"AND object_id = OBJECT_ID('{name}')") == 1


@pytest.mark.parametrize("column", [
    "int SPARSE NOT NULL", "text SPARSE NULL", "int IDENTITY SPARSE",
    "uniqueidentifier ROWGUIDCOL SPARSE NULL", "image SPARSE"])
def test_not_sparse_1731(db, name, column):
    assert db.number(f"CREATE TABLE {name} (id int, a {column})") == 1731


def test_a_column_set(db, name):
    db.run(f"CREATE TABLE {name} (id int PRIMARY KEY, a int SPARSE NULL, "
           "b nvarchar(20) SPARSE NULL, "
           "s xml COLUMN_SET FOR ALL_SPARSE_COLUMNS)")
    db.run(f"INSERT INTO {name} (id, a, b) VALUES (1, 7, N'x<'), "
           "(2, NULL, NULL), (3, NULL, N'')")
    assert db.rows(f"SELECT * FROM {name} ORDER BY id") == \
        [(1, "<a>7</a><b>x&lt;</b>"), (2, None), (3, "<b/>")]
    assert db.rows(f"SELECT a, b FROM {name} ORDER BY id") == \
        [(7, "x<"), (None, None), (None, "")]
    db.run(f"UPDATE {name} SET a = 8 WHERE id = 2")
    assert db.value(f"SELECT s FROM {name} WHERE id = 2") == "<a>8</a>"
    assert db.rows("SELECT name, is_sparse, is_column_set FROM sys.columns "
                   f"WHERE object_id = OBJECT_ID('{name}') "
                   "ORDER BY column_id") == [
        ("id", False, False), ("a", True, False), ("b", True, False),
        ("s", False, True)]
    assert db.value(f"SELECT OBJECTPROPERTY(OBJECT_ID('{name}'), "
                    "'TableHasColumnSet')") == 1


@pytest.mark.parametrize("column, number", [
    ("x int COLUMN_SET FOR ALL_SPARSE_COLUMNS", 1733),
    ("x xml COLUMN_SET FOR ALL_SPARSE_COLUMNS NOT NULL", 1733),
    ("x xml COLUMN_SET FOR ALL_SPARSE_COLUMNS, "
     "y xml COLUMN_SET FOR ALL_SPARSE_COLUMNS", 1732)])
def test_no_column_set(db, name, column, number):
    assert db.number(f"CREATE TABLE {name} (id int, a int SPARSE, {column})") \
        == number


def test_a_column_set_comes_with_the_first_sparse_column_1734(db, name):
    db.run(f"CREATE TABLE {name} (id int, a int SPARSE)")
    assert db.number(f"ALTER TABLE {name} ADD s xml COLUMN_SET FOR "
                     "ALL_SPARSE_COLUMNS") == 1734


@pytest.mark.standin
def test_a_column_set_is_not_written(db, name):
    db.run(f"CREATE TABLE {name} (id int, a int SPARSE, s xml COLUMN_SET FOR "
           "ALL_SPARSE_COLUMNS)")
    assert db.number(f"INSERT INTO {name} VALUES (1, N'<a>1</a>')") == 40517
    assert db.number(f"INSERT INTO {name} (id, s) VALUES (1, NULL)") == 40517
    assert db.number(f"UPDATE {name} SET s = NULL") == 40517
