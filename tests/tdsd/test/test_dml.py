"""INSERT, UPDATE, DELETE: what is stored, what is refused, and how it is said."""
import datetime
from decimal import Decimal

import pytest

D = Decimal


@pytest.fixture
def t(db, name):
    """A table with the usual things; its name."""
    db.run(f"""
CREATE TABLE {name} (
    id int IDENTITY(1,1) CONSTRAINT PK_{name} PRIMARY KEY,
    code varchar(10) NOT NULL CONSTRAINT UQ_{name} UNIQUE,
    qty int NULL CONSTRAINT CK_{name} CHECK (qty >= 0),
    price decimal(9,2) NOT NULL CONSTRAINT DF_{name} DEFAULT (1.5),
    made datetime2(0) NOT NULL DEFAULT '2020-01-01',
    total AS (qty * price))
INSERT {name} (code, qty) VALUES ('a', 1), ('b', 2), ('c', NULL)""")
    yield name
    db.run(f"DROP TABLE IF EXISTS {name}")


def test_defaults_and_computed(db, t):
    assert db.rows(f"SELECT * FROM {t} ORDER BY id") == [
        (1, "a", 1, D("1.5"), datetime.datetime(2020, 1, 1), D("1.5")),
        (2, "b", 2, D("1.5"), datetime.datetime(2020, 1, 1), D(3)),
        (3, "c", None, D("1.5"), datetime.datetime(2020, 1, 1), None)]
    db.run(f"INSERT {t} (code, price) VALUES ('d', DEFAULT)")
    assert db.row(f"SELECT qty, price FROM {t} WHERE code = 'd'") == \
        (None, D("1.5"))


@pytest.mark.parametrize("sql, number, severity, state", [
    ("INSERT {t} (code) VALUES (NULL)", 515, 16, 2),
    ("INSERT {t} (qty) VALUES (1)", 515, 16, 2),
    ("UPDATE {t} SET code = NULL", 515, 16, 2),
    ("INSERT {t} (code) VALUES ('a')", 2627, 14, 1),
    ("INSERT {t} (code) VALUES ('A ')", 2627, 14, 1),
    ("UPDATE {t} SET code = 'a'", 2627, 14, 1),
    ("INSERT {t} (code, qty) VALUES ('x', -1)", 547, 16, 0),
    ("UPDATE {t} SET qty = -1 WHERE id = 1", 547, 16, 0),
    ("INSERT {t} (id, code) VALUES (9, 'x')", 544, 16, 1),
    ("UPDATE {t} SET id = 9", 8102, 16, 1),
    ("INSERT {t} (code, total) VALUES ('x', 1)", 271, 16, 1),
    ("UPDATE {t} SET total = 1", 271, 16, 1),
    ("INSERT {t} (code, nope) VALUES ('x', 1)", 207, 16, 1),
    ("INSERT {t} (code, code) VALUES ('x', 'y')", 264, 16, 1),
    ("INSERT {t} (code) VALUES ('x', 1)", 110, 15, 1),
    ("INSERT {t} (code, qty) VALUES ('x')", 109, 15, 1),
    ("INSERT {t} (code, qty) SELECT 'x'", 120, 15, 1),
    ("INSERT {t} VALUES (1)", 213, 16, 1),
    ("INSERT {t} (code) VALUES ('12345678901')", 2628, 16, 1),
    ("INSERT {t} (code, price) VALUES ('x', 12345678.9)", 8115, 16, 8),
    ("INSERT {t} (code, qty) VALUES ('x', 'y')", 245, 16, 1),
    ("INSERT {t} (code, made) VALUES ('x', 'y')", 241, 16, 1),
    ("INSERT nowhere VALUES (1)", 208, 16, 1),
    ("UPDATE {t} SET nope = 1", 207, 16, 1),
    ("UPDATE {t} SET qty = 1, qty = 2", 264, 16, 1),
    ("DELETE FROM {t} WHERE nope = 1", 207, 16, 1),
    ("UPDATE {t} SET qty = (SELECT id FROM {t})", 512, 16, 1),
])
def test_refused(db, t, sql, number, severity, state):
    before = db.rows(f"SELECT * FROM {t} ORDER BY id")
    error = db.fails(sql.format(t=t))
    assert (error.number, error.severity) == (number, severity)
    assert error.state == state
    assert db.rows(f"SELECT * FROM {t} ORDER BY id") == before


def test_messages_word_for_word(db, t):
    assert db.fails(f"INSERT {t} (code) VALUES ('a')").text == \
        f"Violation of UNIQUE KEY constraint 'UQ_{t}'. Cannot insert " \
        f"duplicate key in object 'dbo.{t}'. The duplicate key value is (a)."
    assert db.fails(f"INSERT {t} (qty) VALUES (1)").text == \
        "Cannot insert the value NULL into column 'code', table '" + \
        db.value("SELECT DB_NAME()") + \
        f".dbo.{t}'; column does not allow nulls. INSERT fails."
    assert db.fails(f"UPDATE {t} SET qty = -1").text == \
        f'The UPDATE statement conflicted with the CHECK constraint ' \
        f'"CK_{t}". The conflict occurred in database ' \
        f'"{db.value("SELECT DB_NAME()")}", table "dbo.{t}", ' \
        f"column 'qty'."
    db.run(f"CREATE UNIQUE INDEX ux ON {t} (qty) WHERE qty IS NOT NULL")
    assert db.fails(f"INSERT {t} (code, qty) VALUES ('z', 2)").text == \
        f"Cannot insert duplicate key row in object 'dbo.{t}' with unique " \
        "index 'ux'. The duplicate key value is (2)."
    assert db.number(f"INSERT {t} (code, qty) VALUES ('z', 2)") == 2601
    db.run(f"INSERT {t} (code) VALUES ('z')")  # the filter lets NULLs be


def test_unique_takes_one_null(db, name):
    db.run(f"CREATE TABLE {name} (a int NULL UNIQUE, b int NULL)")
    db.run(f"INSERT {name} VALUES (NULL, 1)")
    error = db.fails(f"INSERT {name} VALUES (NULL, 2)")
    assert error.number == 2627 and "(<NULL>)" in error.text


def test_identity(db, t):
    assert db.row(f"INSERT {t} (code) VALUES ('x'); SELECT @@IDENTITY, "
                  f"SCOPE_IDENTITY(), IDENT_CURRENT('{t}')") == (4, 4, 4)
    db.run(f"BEGIN TRAN; INSERT {t} (code) VALUES ('y'); ROLLBACK")
    db.run(f"INSERT {t} (code) VALUES ('y')")  # 5 is used up
    assert db.value(f"SELECT id FROM {t} WHERE code = 'y'") == 6
    db.run(f"SET IDENTITY_INSERT {t} ON; INSERT {t} (id, code) VALUES "
           f"(100, 'z'); SET IDENTITY_INSERT {t} OFF")
    db.run(f"INSERT {t} (code) VALUES ('w')")
    assert db.value(f"SELECT MAX(id) FROM {t}") == 101
    assert db.number(f"SET IDENTITY_INSERT {t} ON; INSERT {t} (code) VALUES "
                     "('v')") == 545
    db.run(f"SET IDENTITY_INSERT {t} OFF")
    db.run(f"DBCC CHECKIDENT ('{t}', RESEED, 200)")
    db.run(f"INSERT {t} (code) VALUES ('v')")
    assert db.value(f"SELECT id FROM {t} WHERE code = 'v'") == 201
    db.run(f"DELETE {t}; INSERT {t} (code) VALUES ('u')")
    assert db.value(f"SELECT id FROM {t}") == 202
    db.run(f"TRUNCATE TABLE {t}; INSERT {t} (code) VALUES ('u')")
    assert db.value(f"SELECT id FROM {t}") == 1


def test_identity_insert_is_for_one_table(db, t, name):
    db.run(f"CREATE TABLE {name}_2 (id int IDENTITY, v int)")
    db.run(f"SET IDENTITY_INSERT {t} ON")
    assert db.number(f"SET IDENTITY_INSERT {name}_2 ON") == 8107
    db.run(f"SET IDENTITY_INSERT {t} OFF; SET IDENTITY_INSERT {name}_2 ON; "
           f"INSERT {name}_2 (id, v) VALUES (-5, 1)")
    assert db.column(f"SELECT id FROM {name}_2") == [-5]
    assert db.number("CREATE TABLE plain1 (a int); SET IDENTITY_INSERT plain1 "
                     "ON") == 8106


def test_identity_insert_values_without_columns(db, name):
    db.run(f"CREATE TABLE {name} (id int IDENTITY, v int)")
    assert db.number(f"SET IDENTITY_INSERT {name} ON; "
                     f"INSERT {name} VALUES (1, 2)") == 8101
    db.run(f"SET IDENTITY_INSERT {name} OFF; INSERT {name} VALUES (2)")
    assert db.rows(f"SELECT * FROM {name}") == [(1, 2)]


def test_statement_is_atomic(db, name):
    db.run(f"CREATE TABLE {name} (id int PRIMARY KEY)")
    assert db.number(f"INSERT {name} VALUES (1), (2), (1)") == 2627
    assert db.column(f"SELECT id FROM {name}") == []
    db.run(f"INSERT {name} VALUES (1), (2), (3)")
    db.run(f"UPDATE {name} SET id = id + 1")  # keys pass through each other
    assert db.column(f"SELECT id FROM {name} ORDER BY id") == [2, 3, 4]
    db.run(f"UPDATE {name} SET id = 6 - id")
    assert db.column(f"SELECT id FROM {name} ORDER BY id") == [2, 3, 4]


def test_insert_select_and_top(db, t, name):
    db.run(f"CREATE TABLE {name}_c (id int, code varchar(10), n int)")
    db.run(f"INSERT INTO {name}_c (code, id) SELECT code, id FROM {t}")
    assert db.rows(f"SELECT * FROM {name}_c ORDER BY id") == [
        (1, "a", None), (2, "b", None), (3, "c", None)]
    db.run(f"INSERT {name}_c SELECT id + 10, code, 7 FROM {name}_c")
    assert db.value(f"SELECT COUNT(*) FROM {name}_c") == 6
    db.run(f"DELETE TOP (4) FROM {name}_c")
    assert db.value(f"SELECT COUNT(*) FROM {name}_c") == 2
    db.run(f"UPDATE TOP (1) {name}_c SET n = 99")
    assert db.value(f"SELECT COUNT(*) FROM {name}_c WHERE n = 99") == 1
    db.run(f"INSERT {name}_c EXEC('SELECT 1, ''x'', 2')")
    assert db.value(f"SELECT n FROM {name}_c WHERE code = 'x'") == 2


def test_output(db, t, name):
    assert db.rows(f"INSERT {t} (code, qty) OUTPUT inserted.id, inserted.price,"
                   " inserted.total VALUES ('x', 4), ('y', 5)") == [
        (4, D("1.5"), D(6)), (5, D("1.5"), D("7.5"))]
    assert db.rows(f"UPDATE {t} SET qty = qty + 1 OUTPUT deleted.qty, "
                   "inserted.qty, inserted.total WHERE code = 'x'") == [
        (4, 5, D("7.5"))]
    assert db.rows(f"DELETE {t} OUTPUT deleted.code WHERE id > 3") == [
        ("x",), ("y",)]
    db.run(f"CREATE TABLE {name}_log (id int, was int)")
    db.run(f"DELETE {t} OUTPUT deleted.id, deleted.qty INTO {name}_log (id, "
           "was) WHERE qty IS NOT NULL")
    assert db.rows(f"SELECT * FROM {name}_log ORDER BY id") == [(1, 1), (2, 2)]
    db.run(f"DECLARE @o TABLE (id int); DELETE {t} OUTPUT deleted.id INTO @o; "
           f"INSERT {name}_log (id) SELECT id FROM @o")
    assert db.value(f"SELECT COUNT(*) FROM {name}_log") == 3


def test_update_from(db, name):
    db.run(f"CREATE TABLE {name} (id int PRIMARY KEY, v int, n int)")
    db.run(f"INSERT {name} VALUES (1, 10, 0), (2, 20, 0), (3, 30, 0)")
    db.run(f"CREATE TABLE {name}_s (id int PRIMARY KEY, v int)")
    db.run(f"INSERT {name}_s VALUES (2, 200), (3, NULL), (4, 400)")
    db.run(f"UPDATE t SET v = s.v, n += 1 FROM {name} t JOIN {name}_s s ON "
           "s.id = t.id")
    assert db.rows(f"SELECT * FROM {name} ORDER BY id") == [
        (1, 10, 0), (2, 200, 1), (3, None, 1)]
    db.run(f"DELETE t FROM {name} AS t WHERE NOT EXISTS (SELECT 1 FROM "
           f"{name}_s s WHERE s.id = t.id)")
    db.run(f"INSERT {name} (id, v) SELECT s.id, s.v FROM {name}_s s LEFT JOIN "
           f"{name} t ON t.id = s.id WHERE t.id IS NULL")
    assert db.rows(f"SELECT id, v FROM {name} ORDER BY id") == [
        (2, 200), (3, None), (4, 400)]
    db.run(f"WITH c AS (SELECT * FROM {name} WHERE id > 2) DELETE FROM c")
    assert db.column(f"SELECT id FROM {name}") == [2]
    db.run(f"WITH c AS (SELECT v, ROW_NUMBER() OVER (ORDER BY id) AS r FROM "
           f"{name}) UPDATE c SET v = r")
    assert db.column(f"SELECT v FROM {name}") == [1]
    db.run(f"UPDATE {name} SET v = v + 1, n = v")  # the old v
    assert db.row(f"SELECT v, n FROM {name}") == (2, 1)
    assert db.row(f"DECLARE @x int; UPDATE {name} SET @x = v = v * 5; SELECT "
                  f"@x, v FROM {name}") == (10, 10)


def test_rowcount(db, t):
    db.cursor.execute(f"UPDATE {t} SET qty = 1")
    assert db.cursor.rowcount == 3
    db.cursor.execute(f"DELETE FROM {t} WHERE id = 77")
    assert db.cursor.rowcount == 0
    assert db.value(f"UPDATE {t} SET qty = 1 WHERE id < 3; SELECT @@ROWCOUNT") \
        == 2


# --------------------------------------------------------------- foreign keys

@pytest.fixture
def family(db, name):
    db.run(f"""
CREATE TABLE {name}_p (a int, b int, v int, CONSTRAINT PK_{name}_p
    PRIMARY KEY (a, b))
CREATE TABLE {name}_c (id int PRIMARY KEY, a int NULL, b int NULL, CONSTRAINT
    FK_{name} FOREIGN KEY (a, b) REFERENCES {name}_p (a, b))
INSERT {name}_p VALUES (1, 1, 0), (1, 2, 0)
INSERT {name}_c VALUES (1, 1, 1), (2, NULL, 5)""")
    return name


def test_foreign_key(db, family):
    n, d = family, db.value("SELECT DB_NAME()")
    error = db.fails(f"INSERT {n}_c VALUES (3, 1, 3)")
    assert error.number == 547
    assert error.text == \
        f'The INSERT statement conflicted with the FOREIGN KEY constraint ' \
        f'"FK_{n}". The conflict occurred in database "{d}", table ' \
        f'"dbo.{n}_p".'
    error = db.fails(f"DELETE {n}_p WHERE b = 1")
    assert error.number == 547
    assert error.text == \
        f'The DELETE statement conflicted with the REFERENCE constraint ' \
        f'"FK_{n}". The conflict occurred in database "{d}", table ' \
        f'"dbo.{n}_c".'
    assert db.number(f"UPDATE {n}_p SET b = 9 WHERE b = 1") == 547
    assert db.number(f"UPDATE {n}_c SET b = 9 WHERE id = 1") == 547
    db.run(f"DELETE {n}_p WHERE b = 2; UPDATE {n}_p SET v = 5")
    assert db.number(f"TRUNCATE TABLE {n}_p") == 4712
    assert db.number(f"DROP TABLE {n}_p") == 3726


def test_foreign_key_switched_off(db, family):
    n = family
    db.run(f"ALTER TABLE {n}_c NOCHECK CONSTRAINT FK_{n}")
    db.run(f"INSERT {n}_c VALUES (7, 7, 7)")
    assert db.number(f"ALTER TABLE {n}_c WITH CHECK CHECK CONSTRAINT "
                     f"FK_{n}") == 547
    db.run(f"ALTER TABLE {n}_c CHECK CONSTRAINT FK_{n}")  # not looked at
    assert db.number(f"INSERT {n}_c VALUES (8, 8, 8)") == 547
    assert db.rows("SELECT is_disabled, is_not_trusted FROM sys.foreign_keys "
                   f"WHERE name = 'FK_{n}'") == [(False, True)]


@pytest.mark.parametrize("action, left", [
    ("CASCADE", []), ("SET NULL", [(1, None)]), ("SET DEFAULT", [(1, 0)])])
def test_foreign_key_actions(db, name, action, left):
    db.run(f"CREATE TABLE {name}_p (id int PRIMARY KEY)")
    db.run(f"CREATE TABLE {name}_c (id int PRIMARY KEY, p int NULL DEFAULT 0 "
           f"REFERENCES {name}_p (id) ON DELETE {action} ON UPDATE CASCADE)")
    db.run(f"INSERT {name}_p VALUES (0), (5); INSERT {name}_c VALUES (1, 5)")
    db.run(f"UPDATE {name}_p SET id = 6 WHERE id = 5")
    assert db.rows(f"SELECT * FROM {name}_c") == [(1, 6)]
    db.run(f"DELETE {name}_p WHERE id = 6")
    assert db.rows(f"SELECT * FROM {name}_c") == left


def test_foreign_key_to_itself(db, name):
    db.run(f"CREATE TABLE {name} (id int PRIMARY KEY, up int NULL REFERENCES "
           f"{name} (id))")
    db.run(f"INSERT {name} VALUES (1, 1), (2, 3), (3, 2)")  # at its end
    assert db.number(f"INSERT {name} VALUES (4, 5)") == 547
    db.run(f"DELETE {name}")


# ------------------------------------------------------------------- triggers

def test_trigger(db, name):
    db.run(f"""
CREATE TABLE {name} (id int PRIMARY KEY, v int)
CREATE TABLE {name}_log (what char(1), id int, old int, new int)
GO
CREATE TRIGGER tr_{name} ON {name} AFTER INSERT, UPDATE, DELETE AS
BEGIN
    SET NOCOUNT ON
    INSERT {name}_log SELECT CASE WHEN d.id IS NULL THEN 'I' WHEN i.id IS NULL
        THEN 'D' ELSE 'U' END, COALESCE(i.id, d.id), d.v, i.v
        FROM inserted i FULL JOIN deleted d ON d.id = i.id
END
GO
INSERT {name} VALUES (1, 10), (2, 20)
UPDATE {name} SET v = v + 1 WHERE id = 1
DELETE {name} WHERE id = 2
UPDATE {name} SET v = 0 WHERE 1 = 0""")
    assert sorted(db.rows(f"SELECT * FROM {name}_log"), key=str) == [
        ("D", 2, 20, None), ("I", 1, None, 10), ("I", 2, None, 20),
        ("U", 1, 10, 11)]
    db.run(f"DISABLE TRIGGER tr_{name} ON {name}; DELETE {name}; "
           f"ENABLE TRIGGER tr_{name} ON {name}")
    assert db.value(f"SELECT COUNT(*) FROM {name}_log") == 4


def test_trigger_rolls_back(db, name):
    db.run(f"CREATE TABLE {name} (id int PRIMARY KEY)")
    db.run(f"CREATE TRIGGER tr_{name} ON {name} FOR INSERT AS IF EXISTS "
           "(SELECT * FROM inserted WHERE id > 5) BEGIN RAISERROR('no', 16, 1);"
           " ROLLBACK TRANSACTION; END")
    db.run(f"INSERT {name} VALUES (1)")
    error = db.number(f"INSERT {name} VALUES (9)")
    assert error in (50000, 3609)
    assert db.column(f"SELECT id FROM {name}") == [1]
    assert db.value("SELECT @@TRANCOUNT") == 0


def test_computed_persisted_and_checks(db, name):
    db.run(f"CREATE TABLE {name} (a int, b AS a * 2 PERSISTED UNIQUE, "
           "c varchar(5) CHECK (c LIKE '[a-z]%'), CHECK (a <> 5 OR c IS NULL))")
    db.run(f"INSERT {name} (a, c) VALUES (1, 'x'), (5, NULL)")
    assert db.column(f"SELECT b FROM {name} ORDER BY a") == [2, 10]
    assert db.number(f"INSERT {name} (a, c) VALUES (1, 'y')") == 2627
    assert db.number(f"INSERT {name} (a, c) VALUES (2, '1')") == 547
    assert db.number(f"INSERT {name} (a, c) VALUES (5, 'z')") == 547
    db.run(f"INSERT {name} (a, c) VALUES (3, NULL)")  # unknown is no violation


def test_insert_default_values(db, name):
    db.run(f"CREATE TABLE {name} (id int IDENTITY, v int DEFAULT 7, n int)")
    db.run(f"INSERT {name} DEFAULT VALUES; INSERT {name} DEFAULT VALUES")
    assert db.rows(f"SELECT * FROM {name} ORDER BY id") == [
        (1, 7, None), (2, 7, None)]


def test_thousand_rows_limit(db, name):
    db.run(f"CREATE TABLE {name} (id int)")
    rows = ", ".join(f"({i})" for i in range(1000))
    db.run(f"INSERT {name} VALUES {rows}")
    assert db.number(f"INSERT {name} VALUES {rows}, (1000)") == 10738
    assert db.value(f"SELECT COUNT(*) FROM {name}") == 1000


def test_merge_is_refused_or_right(db, name):
    """Nobody here needs it; it must not do half a job."""
    db.run(f"CREATE TABLE {name} (id int PRIMARY KEY, v int)")
    try:
        db.run(f"MERGE {name} AS t USING (VALUES (1, 2)) AS s (id, v) ON t.id ="
               " s.id WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED "
               "THEN INSERT (id, v) VALUES (s.id, s.v);")
    except Exception as e:  # noqa: B902
        assert e.number == 40517
        assert db.rows(f"SELECT * FROM {name}") == []
    else:
        assert db.rows(f"SELECT * FROM {name}") == [(1, 2)]
