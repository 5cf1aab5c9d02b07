"""CREATE, ALTER, DROP, and names of every kind."""
import datetime
from decimal import Decimal

import pytest

from clients import Client

D = Decimal


def test_column_types_in_the_catalog(db, name):
    db.run(f"CREATE TABLE {name} (a int NOT NULL, b nvarchar(20), c varchar(max)"
           ", d decimal(9,3), e datetime2(3) NOT NULL, f rowversion, "
           "g int IDENTITY(5,2), h AS a + 1, i float(24), j sysname, "
           "k char(3) COLLATE Latin1_General_BIN2)")
    assert db.rows(
        "SELECT c.name, t.name, c.max_length, c.precision, c.scale, "
        "c.is_nullable, c.is_identity, c.is_computed FROM sys.columns c JOIN "
        "sys.types t ON t.user_type_id = c.user_type_id WHERE c.object_id = "
        f"OBJECT_ID('{name}') ORDER BY c.column_id") == [
        ("a", "int", 4, 10, 0, False, False, False),
        ("b", "nvarchar", 40, 0, 0, True, False, False),
        ("c", "varchar", -1, 0, 0, True, False, False),
        ("d", "decimal", 5, 9, 3, True, False, False),
        ("e", "datetime2", 7, 23, 3, False, False, False),
        ("f", "timestamp", 8, 0, 0, False, False, False),
        ("g", "int", 4, 10, 0, False, True, False),
        ("h", "int", 4, 10, 0, True, False, True),
        ("i", "real", 4, 24, 0, True, False, False),
        ("j", "sysname", 256, 0, 0, False, False, False),
        ("k", "char", 3, 0, 0, True, False, False)]


@pytest.mark.parametrize("sql, number", [
    ("CREATE TABLE dup1 (a int, a int)", 2705),
    ("CREATE TABLE {t} (a int)", 2714),
    ("CREATE TABLE n1 (a nosuchtype)", 2715),
    ("CREATE TABLE n1 (a decimal(39,0))", 2750),
    ("CREATE TABLE n1 (a varchar(8001))", 131),
    ("CREATE TABLE n1 (a datetime2(8))", 1002),
    ("CREATE TABLE n1 (a int PRIMARY KEY, b int PRIMARY KEY)", 8110),
    ("CREATE TABLE n1 (a int NULL PRIMARY KEY)", 8111),
    ("CREATE TABLE n1 (a int REFERENCES nowhere (b))", 1767),
    ("CREATE TABLE n1 (a int REFERENCES {t} (v))", 1776),
    ("CREATE TABLE n1 (a bigint REFERENCES {t} (id))", 1778),
    ("CREATE TABLE n1 (a varchar(5) IDENTITY)", 2749),
    ("CREATE TABLE n1 (a int IDENTITY, b int IDENTITY)", 2744),
    ("CREATE TABLE n1 (a rowversion, b rowversion)", 2738),
    ("CREATE TABLE noschema.n1 (a int)", 2760),
    ("CREATE TABLE n1 (a int, CONSTRAINT c PRIMARY KEY (b))", 1911),
    ("CREATE TABLE n1 (a varchar(max) PRIMARY KEY)", 1919),
    ("CREATE INDEX i ON {t} (nope)", 1911),
    ("CREATE INDEX i ON nowhere (a)", 1088),
    ("CREATE UNIQUE INDEX i ON {t} (v)", 1505),
    ("ALTER TABLE {t} ADD v int", 2705),
    ("ALTER TABLE {t} DROP COLUMN nope", 4924),
    ("ALTER TABLE {t} DROP COLUMN id", 4922),
    ("ALTER TABLE {t} DROP CONSTRAINT nope", 3728),
    ("ALTER TABLE {t} ADD n int NOT NULL", 4901),
    ("ALTER TABLE {t} ALTER COLUMN v int NOT NULL", 515),
    ("ALTER TABLE {t} ALTER COLUMN s varchar(1)", 2628),
    ("ALTER TABLE {t} ALTER COLUMN s int", 245),
    ("ALTER TABLE {t} ADD CONSTRAINT u UNIQUE (v)", 1505),
    ("ALTER TABLE {t} ADD CONSTRAINT c CHECK (id > 1)", 547),
    ("ALTER TABLE {t} ADD CONSTRAINT p PRIMARY KEY (s)", 1779),
    ("ALTER TABLE nowhere ADD a int", 4902),
    ("DROP TABLE nowhere", 3701), ("DROP VIEW nowhere", 3701),
    ("DROP PROCEDURE nowhere", 3701), ("DROP INDEX nope ON {t}", 3701),
    ("DROP SCHEMA nowhere", 15151), ("DROP DATABASE nowhere", 3701),
    ("CREATE SCHEMA dbo", 2714), ("CREATE DATABASE master", 1801),
    ("CREATE VIEW v1 AS SELECT nope FROM {t}", 207),
    ("CREATE VIEW v1 AS SELECT id, id FROM {t}", 4506),
    ("CREATE VIEW v1 AS SELECT id FROM {t} ORDER BY id", 1033),
    ("SELECT 1; CREATE VIEW v1 AS SELECT 1 AS a", 111),
    ("TRUNCATE TABLE nowhere", 4701),
    ("sp_rename 'nowhere', 'x'", 15225),
    ("sp_rename '{t}.nope', 'x', 'COLUMN'", 15248),
    ("CREATE TABLE " + "x" * 129 + " (a int)", 103),
])
def test_refused(db, name, sql, number):
    db.run(f"CREATE TABLE {name} (id int PRIMARY KEY, v int NULL, "
           f"s varchar(10)); INSERT {name} VALUES (1, NULL, 'abc'), "
           "(2, NULL, 'd')")
    assert db.number(sql.format(t=name)) == number
    assert db.rows(f"SELECT * FROM {name} ORDER BY id") == [
        (1, None, "abc"), (2, None, "d")]


def test_alter_table(db, name):
    db.run(f"CREATE TABLE {name} (id int PRIMARY KEY, v varchar(5))")
    db.run(f"INSERT {name} VALUES (1, '12'), (2, NULL)")
    db.run(f"ALTER TABLE {name} ADD a int NULL, b int NOT NULL CONSTRAINT "
           f"DF_{name} DEFAULT 7, c int NULL DEFAULT 8 WITH VALUES")
    assert db.rows(f"SELECT * FROM {name} ORDER BY id") == [
        (1, "12", None, 7, 8), (2, None, None, 7, 8)]
    db.run(f"ALTER TABLE {name} ALTER COLUMN v int NULL")
    assert db.column(f"SELECT v FROM {name} ORDER BY id") == [12, None]
    db.run(f"UPDATE {name} SET v = 1; ALTER TABLE {name} ALTER COLUMN v "
           "decimal(5,1) NOT NULL")
    assert db.value(f"SELECT TOP 1 v FROM {name}") == D(1)
    assert db.number(f"INSERT {name} (id) VALUES (3)") == 515
    assert db.number(f"ALTER TABLE {name} DROP COLUMN b") == 4922
    db.run(f"ALTER TABLE {name} DROP CONSTRAINT DF_{name}, COLUMN b")
    db.run(f"ALTER TABLE {name} DROP COLUMN IF EXISTS nope, a")
    assert db.rows(f"SELECT * FROM {name} WHERE id = 1") == [(1, D(1), 8)]
    db.run(f"ALTER TABLE {name} ADD CONSTRAINT CK_{name} CHECK (c > 5)")
    assert db.number(f"UPDATE {name} SET c = 1") == 547
    db.run(f"ALTER TABLE {name} NOCHECK CONSTRAINT ALL; UPDATE {name} SET c = "
           f"1; ALTER TABLE {name} DROP CONSTRAINT CK_{name}")
    db.run(f"ALTER TABLE {name} ADD t AS id * 10, k int IDENTITY(100, 1)")
    assert db.rows(f"SELECT t, k FROM {name} ORDER BY id") == [
        (10, 100), (20, 101)]


def test_indexes(db, name):
    db.run(f"CREATE TABLE {name} (id int NOT NULL, v int, w int)")
    db.run(f"CREATE CLUSTERED INDEX ci ON {name} (id)")
    db.run(f"CREATE NONCLUSTERED INDEX ni ON {name} (v DESC, w) INCLUDE (id) "
           "WITH (FILLFACTOR = 80)")
    db.run(f"CREATE UNIQUE INDEX ui ON {name} (w) WHERE w IS NOT NULL")
    assert db.number(f"CREATE INDEX ni ON {name} (v)") == 1913
    assert db.number(f"CREATE CLUSTERED INDEX c2 ON {name} (v)") == 1902
    db.run(f"INSERT {name} VALUES (1, 1, NULL), (1, 1, NULL), (2, 1, 5)")
    assert db.number(f"INSERT {name} VALUES (3, 1, 5)") == 2601
    db.run(f"ALTER INDEX ui ON {name} DISABLE; INSERT {name} VALUES (3, 1, 5)")
    assert db.number(f"ALTER INDEX ui ON {name} REBUILD") == 1505
    db.run(f"DELETE {name} WHERE id = 3; ALTER INDEX ALL ON {name} REBUILD")
    assert db.number(f"INSERT {name} VALUES (3, 1, 5)") == 2601
    db.run(f"DROP INDEX ui ON {name}; DROP INDEX {name}.ni")
    db.run(f"INSERT {name} VALUES (3, 1, 5)")


def test_ignore_dup_key(db, name):
    db.run(f"CREATE TABLE {name} (id int PRIMARY KEY WITH (IGNORE_DUP_KEY = "
           f"ON)); INSERT {name} VALUES (1), (2), (1)")
    assert db.column(f"SELECT id FROM {name} ORDER BY id") == [1, 2]
    db.run(f"CREATE TABLE {name}_i (id int NOT NULL); CREATE UNIQUE INDEX u "
           f"ON {name}_i (id) WITH (IGNORE_DUP_KEY = ON); "
           f"INSERT {name}_i VALUES (1), (1)")
    db.run(f"ALTER INDEX u ON {name}_i SET (IGNORE_DUP_KEY = OFF)")
    assert db.number(f"INSERT {name}_i VALUES (1)") == 2601
    # A constraint's is not to be set.
    assert db.number(f"ALTER INDEX ALL ON {name} SET (IGNORE_DUP_KEY = OFF)") \
        == 1979


def test_rename(db, name):
    db.run(f"CREATE TABLE {name} (id int CONSTRAINT pk_{name} PRIMARY KEY, "
           f"v int); INSERT {name} VALUES (1, 2); CREATE INDEX ix ON {name} (v)")
    db.run(f"EXEC sp_rename '{name}', '{name}_new'")
    assert db.number(f"SELECT * FROM {name}") == 208
    db.run(f"EXEC sp_rename 'dbo.{name}_new.v', 'w', 'COLUMN'")
    assert db.row(f"SELECT id, w FROM {name}_new") == (1, 2)
    db.run(f"EXEC sp_rename N'dbo.{name}_new.ix', N'iy', N'INDEX'; "
           f"DROP INDEX iy ON {name}_new")
    db.run(f"EXEC sp_rename 'pk_{name}', 'pk_other'")
    assert "pk_other" in db.fails(f"INSERT {name}_new VALUES (1, 1)").text
    db.run(f"CREATE TABLE {name} (id int)")
    assert db.number(f"EXEC sp_rename '{name}', '{name}_new'") == 15335
    # the swap that a full load makes, in one transaction
    db.run(f"BEGIN TRAN; EXEC sp_rename '{name}', '{name}_old'; EXEC sp_rename "
           f"'{name}_new', '{name}'; DROP TABLE {name}_old; COMMIT")
    assert db.rows(f"SELECT * FROM {name}") == [(1, 2)]
    db.run(f"BEGIN TRAN; EXEC sp_rename '{name}', '{name}_x'; ROLLBACK")
    assert db.rows(f"SELECT * FROM {name}") == [(1, 2)]


def test_switch(db, name):
    for n in ("", "_live", "_old"):
        db.run(f"CREATE TABLE {name}{n} (id int NOT NULL PRIMARY KEY, v "
               "varchar(10))")
    db.run(f"INSERT {name} VALUES (1, 'new'); INSERT {name}_live VALUES "
           "(9, 'old')")
    assert db.number(f"ALTER TABLE {name} SWITCH TO {name}_live") == 4905
    db.run(f"BEGIN TRAN; ALTER TABLE {name}_live SWITCH TO {name}_old; "
           f"ALTER TABLE {name} SWITCH TO {name}_live; COMMIT")
    assert db.rows(f"SELECT * FROM {name}_live") == [(1, "new")]
    assert db.rows(f"SELECT * FROM {name}_old") == [(9, "old")]
    assert db.rows(f"SELECT * FROM {name}") == []
    db.run(f"BEGIN TRAN; ALTER TABLE {name}_live SWITCH TO {name}; ROLLBACK")
    assert db.rows(f"SELECT * FROM {name}_live") == [(1, "new")]
    db.run(f"CREATE TABLE {name}_w (id int NOT NULL PRIMARY KEY, v "
           "varchar(11))")
    assert db.number(f"ALTER TABLE {name}_live SWITCH TO {name}_w") == 4944
    db.run(f"CREATE TABLE {name}_h (id int NOT NULL, v varchar(10))")
    assert db.number(f"ALTER TABLE {name}_live SWITCH TO {name}_h") in \
        (4913, 4914)
    db.run(f"CREATE TABLE {name}_c (id int NOT NULL PRIMARY KEY WITH "
           "(DATA_COMPRESSION = PAGE), v varchar(10))")
    assert db.number(f"ALTER TABLE {name}_live SWITCH TO {name}_c") == 11406


def test_truncate_is_transactional(db, name):
    db.run(f"CREATE TABLE {name} (id int IDENTITY, v int); INSERT {name} "
           "VALUES (1), (2)")
    db.run(f"BEGIN TRAN; TRUNCATE TABLE {name}; ROLLBACK")
    assert db.value(f"SELECT COUNT(*) FROM {name}") == 2
    db.run(f"TRUNCATE TABLE {name}")
    assert db.value(f"SELECT COUNT(*) FROM {name}") == 0


def test_ddl_is_transactional(db, name):
    db.run(f"BEGIN TRAN; CREATE TABLE {name} (id int); INSERT {name} VALUES "
           "(1); ROLLBACK")
    assert db.number(f"SELECT * FROM {name}") == 208
    db.run(f"CREATE TABLE {name} (id int); INSERT {name} VALUES (1)")
    db.run(f"BEGIN TRAN; ALTER TABLE {name} ADD v int; DROP TABLE {name}; "
           "ROLLBACK")
    assert db.rows(f"SELECT * FROM {name}") == [(1,)]


def test_schemas(db, name):
    db.run(f"CREATE SCHEMA s_{name}\nGO\nCREATE TABLE s_{name}.t (id int)\nGO\n"
           f"INSERT s_{name}.t VALUES (1)")
    assert db.rows(f"SELECT * FROM s_{name}.t") == [(1,)]
    assert db.number("SELECT * FROM t") == 208
    assert db.number(f"DROP SCHEMA s_{name}") == 3729
    db.run(f"CREATE SCHEMA z_{name}\nGO\nALTER SCHEMA z_{name} TRANSFER "
           f"s_{name}.t")
    assert db.rows(f"SELECT * FROM z_{name}.t") == [(1,)]
    db.run(f"DROP SCHEMA s_{name}; DROP TABLE z_{name}.t; "
           f"DROP SCHEMA z_{name}")
    assert db.value(f"SELECT SCHEMA_ID('z_{name}')") is None


def test_three_part_names(server, db, name):
    db.run(f"CREATE DATABASE d_{name}")
    try:
        db.run(f"CREATE TABLE d_{name}.dbo.t (id int PRIMARY KEY); INSERT "
               f"d_{name}..t VALUES (1), (2); CREATE TABLE {name} (id int); "
               f"INSERT {name} SELECT id FROM d_{name}.dbo.t")
        assert db.rows(f"SELECT a.id FROM {name} a JOIN [d_{name}].[dbo].[t] b "
                       "ON a.id = b.id ORDER BY 1") == [(1,), (2,)]
        assert db.number(f"INSERT d_{name}.dbo.t VALUES (1)") == 2627
        # one transaction over both
        db.run(f"BEGIN TRAN; DELETE d_{name}.dbo.t; DELETE {name}; ROLLBACK")
        assert db.value(f"SELECT COUNT(*) FROM d_{name}.dbo.t") == 2
        assert db.value(f"SELECT COUNT(*) FROM {name}") == 2
        db.run(f"USE d_{name}")
        assert db.rows("SELECT id FROM t ORDER BY id") == [(1,), (2,)]
    finally:
        db.run(f"USE master; DROP DATABASE d_{name}")


AWKWARD = ["with space", "a]b", "a'b", 'a"b', "a.b", "select", "\u6f22\u5b57",
           "\U0001F600", "x" * 128, "#not temp"[1:], "1st", "a;b--c", "[x]"]


@pytest.mark.parametrize("raw", AWKWARD)
def test_quoted_names(db, raw):
    quoted = "[" + raw.replace("]", "]]") + "]"
    literal = "N'" + raw.replace("'", "''") + "'"
    db.run(f"CREATE TABLE {quoted} ({quoted} int CONSTRAINT "
           f"[pk{raw[:100].replace(']', ']]')}] PRIMARY KEY, v int)")
    try:
        db.run(f"INSERT {quoted} ({quoted}, v) VALUES (1, 2)")
        db.run(f"UPDATE t SET {quoted} = 3 FROM {quoted} AS t WHERE "
               f"t.{quoted} = 1")
        assert db.rows(f"SELECT {quoted} FROM dbo.{quoted}") == [(3,)]
        assert db.types(f"SELECT {quoted} FROM {quoted}")[0][0] == raw
        assert db.value(f"SELECT name FROM sys.tables WHERE name = {literal}") \
            == raw
        assert db.value(f"SELECT OBJECT_NAME(OBJECT_ID(QUOTENAME({literal})))"
                        ) == raw
        assert db.value(f"SELECT QUOTENAME({literal})") == quoted
    finally:
        db.run(f"DROP TABLE {quoted}")


def test_quoted_identifier(connect):
    client = connect()
    assert client.value('SELECT "a" FROM (SELECT 1 AS "a") t') == 1
    client.run("SET QUOTED_IDENTIFIER OFF")
    assert client.value('SELECT "a"') == "a"


def test_names_ignore_case_and_keep_it(db, name):
    db.run(f"CREATE TABLE {name}_Case (MyCol int)")
    assert db.types(f"SELECT MYCOL FROM {name}_CASE")[0][0] == "MYCOL"
    assert db.types(f"SELECT * FROM {name}_case")[0][0] == "MyCol"
    assert db.number(f"CREATE TABLE {name}_CASE (a int)") == 2714


def test_temporary_tables(db, connect, name):
    db.run(f"CREATE TABLE #t (id int IDENTITY PRIMARY KEY, v nvarchar(10)); "
           "INSERT #t (v) VALUES (N'a'), (N'b')")
    other = connect()
    assert other.number("SELECT * FROM #t") == 208
    other.run("CREATE TABLE #t (x int)")
    assert db.rows("SELECT * FROM #t ORDER BY id") == [(1, "a"), (2, "b")]
    assert db.number("CREATE TABLE #t (x int)") == 2714
    db.run("CREATE UNIQUE INDEX ix ON #t (v)")
    assert db.number("INSERT #t (v) VALUES (N'a')") == 2601
    db.run("BEGIN TRAN; DELETE #t; ROLLBACK")
    assert db.value("SELECT COUNT(*) FROM #t") == 2
    assert db.value("SELECT OBJECT_ID('tempdb..#t')") is not None
    db.run("SELECT * INTO #u FROM #t; ALTER TABLE #u ADD w int")
    assert db.value("SELECT COUNT(*) FROM #u WHERE w IS NULL") == 2
    db.run(f"CREATE PROCEDURE p_{name} AS CREATE TABLE #local (a int); "
           "INSERT #local VALUES (1); SELECT * FROM #local")
    assert db.rows(f"EXEC p_{name}") == [(1,)]
    assert db.number("SELECT * FROM #local") == 208
    db.run("DROP TABLE #t")
    assert db.number("SELECT * FROM #t") == 208


def test_table_variables(db):
    assert db.rows("DECLARE @t TABLE (id int PRIMARY KEY, v varchar(5) DEFAULT "
                   "'x'); INSERT @t (id) VALUES (1), (2); UPDATE @t SET v = "
                   "'y' WHERE id = 2; SELECT * FROM @t ORDER BY id") == [
        (1, "x"), (2, "y")]
    # rollback does not touch them
    assert db.value("DECLARE @t TABLE (id int); BEGIN TRAN; INSERT @t VALUES "
                    "(1); ROLLBACK; SELECT COUNT(*) FROM @t") == 1
    assert db.number("DECLARE @t TABLE (id int PRIMARY KEY); INSERT @t VALUES "
                     "(1), (1)") == 2627
    assert db.number("SELECT * FROM @t") == 1087


def test_alias_types(db, name):
    db.run(f"CREATE TYPE ty_{name} FROM varchar(12) NOT NULL")
    db.run(f"CREATE TABLE {name} (v ty_{name})")
    assert db.number(f"INSERT {name} VALUES (NULL)") == 515
    db.run(f"INSERT {name} VALUES ('abc')")
    assert db.value(f"SELECT v FROM {name}") == "abc"


def test_databases(server, db, name):
    db.run(f"CREATE DATABASE [b]]{name}] COLLATE Latin1_General_100_CS_AS")
    with Client(server, f"b]{name}") as other:
        other.run("CREATE TABLE T (a varchar(5))")
        other.run("INSERT T VALUES ('a'), ('A')")
        assert other.column("SELECT a FROM T WHERE a = 'a'") == ["a"]
    db.run(f"ALTER DATABASE [b]]{name}] MODIFY NAME = [c{name}]")
    with Client(server, f"c{name}") as other:
        assert other.value("SELECT COUNT(*) FROM T") == 2
        assert db.number(f"DROP DATABASE c{name}") == 3702
    db.run(f"DROP DATABASE c{name}")
    assert db.number(f"USE c{name}") == 911


# ------------------------------------------------------ procedures, functions

def test_procedures(db, name):
    db.run(f"""
CREATE PROCEDURE p_{name} @a int, @b varchar(10) = 'dflt', @c int OUTPUT AS
BEGIN
    SET NOCOUNT ON
    SET @c = @a * 2
    SELECT @a AS a, @b AS b
    IF @a < 0 RETURN -5
    RETURN @a
END""")
    assert db.results(f"DECLARE @r int, @o int; EXEC @r = p_{name} 3, "
                      "@c = @o OUTPUT; SELECT @r, @o") == [
        [(3, "dflt")], [(3, 6)]]
    assert db.number(f"EXEC p_{name}") == 201
    assert db.number(f"EXEC p_{name} 1, 'x', 2, 4") == 8144
    assert db.number(f"EXEC p_{name} @nope = 1") in (8145, 201)
    assert db.number(f"EXEC p_{name} 'x', @c = NULL") == 8114
    db.run(f"ALTER PROCEDURE p_{name} AS SELECT 9")
    assert db.rows(f"EXECUTE dbo.p_{name}") == [(9,)]
    assert db.rows(f"p_{name}") == [(9,)]
    db.run(f"DROP PROCEDURE p_{name}")
    assert db.number(f"EXEC p_{name}") == 2812


def test_control_flow(db):
    assert db.rows("""
DECLARE @i int = 0, @s varchar(50) = ''
WHILE @i < 10
BEGIN
    SET @i += 1
    IF @i = 3 CONTINUE
    IF @i > 5 BREAK
    SET @s += CAST(@i AS varchar(5))
END
IF @s = '1245' SELECT 'yes' ELSE SELECT 'no'""") == [("yes",)]
    assert db.rows("DECLARE @n int = 1; again: SET @n += 1; IF @n < 5 GOTO "
                   "again; SELECT @n") == [(5,)]
    assert db.rows("IF 1 = NULL SELECT 1 ELSE SELECT 2") == [(2,)]
    assert db.number("BREAK") == 135
    assert db.number("GOTO nowhere") == 133


def test_dynamic_sql(db):
    assert db.rows("EXEC ('SELECT ' + '1')") == [(1,)]
    assert db.results("DECLARE @s nvarchar(100) = N'SELECT @x + 1', @r int; "
                      "EXEC sp_executesql @s, N'@x int', @x = 4; EXEC "
                      "sp_executesql N'SET @o = 9', N'@o int OUTPUT', @r OUTPUT;"
                      " SELECT @r") == [[(5,)], [(9,)]]
    assert db.number("EXEC ('SELEC 1')") in (102, 156, 2812)
    assert db.number("EXEC sp_executesql N'SELECT @y'") == 137
    assert db.number("EXEC sp_executesql 'SELECT 1'") == 214


def test_functions(db, name):
    db.run(f"CREATE FUNCTION f_{name} (@a int) RETURNS int AS BEGIN RETURN @a "
           "* 2 END")
    assert db.value(f"SELECT dbo.f_{name}(4)") == 8
    db.run(f"CREATE FUNCTION g_{name} (@a int) RETURNS TABLE AS RETURN (SELECT "
           "@a AS x UNION ALL SELECT @a + 1)")
    assert db.rows(f"SELECT x FROM dbo.g_{name}(4) ORDER BY x") == [(4,), (5,)]


def test_synonyms(db, name):
    db.run(f"CREATE TABLE {name} (id int); INSERT {name} VALUES (4); "
           f"CREATE SYNONYM y_{name} FOR dbo.{name}")
    assert db.rows(f"SELECT * FROM y_{name}") == [(4,)]


@pytest.mark.parametrize("sql, number", [
    ("DECLARE c CURSOR FOR SELECT 1", 40517),
    ("FETCH NEXT FROM c", 40517), ("OPEN c", 40517),
    ("BACKUP DATABASE master TO DISK = 'x'", 40517),
    ("RESTORE DATABASE x FROM DISK = 'x'", 40517),
    ("CREATE STATISTICS s ON t (a)", 40517),
    ("ALTER AUTHORIZATION ON t TO sa", 40517),
    ("DBCC FREEPROCCACHE", 2526), ("SET STATISTICS IO ON", 155),
    ("SET SHOWPLAN_ALL ON", 155), ("SET ANSI_NULLS OFF", 40517),
    ("EXEC sp_helpdb", 2812), ("EXEC sp_who", 2812),
    ("EXEC sp_MSforeachtable 'x'", 2812), ("EXEC sp_trace_setstatus 1, 1",
                                           2812),
    ("EXEC sp_updatestats", 2812), ("EXEC xp_cmdshell 'ls'", 2812),
    ("SELECT * FROM OPENROWSET('x', 'y', 'z')", 40517),
    ("DECLARE @g geography", 40517), ("SELECT CAST(NULL AS hierarchyid)", 40517),
    ("CREATE SEQUENCE q AS int", 40517),
    ("SELECT 1 FOR XML AUTO", 40517), ("SELECT 1 AS a FOR JSON PATH", 40517),
    ("CREATE FULLTEXT INDEX ON t (a) KEY INDEX b", 40517),
    ("CREATE PARTITION FUNCTION pf (int) AS RANGE LEFT FOR VALUES (1)", 40517),
    ("SELECT * FROM (SELECT 1 AS a, 2 AS b) t PIVOT (SUM(b) FOR a IN ([1])) p",
     40517),
])
@pytest.mark.standin
def test_unknown_is_refused(db, sql, number):
    assert db.number(sql) == number


def test_date_of_creation(db, name):
    db.run(f"CREATE TABLE {name} (id int)")
    made = db.value(f"SELECT create_date FROM sys.tables WHERE name = '{name}'")
    assert abs(made - db.value("SELECT GETDATE()")) < \
        datetime.timedelta(minutes=1)
