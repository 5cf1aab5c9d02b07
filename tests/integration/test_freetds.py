"""What FreeTDS gets wrong when nobody looks: a test for each fact of it.

Others are where they belong: times before 1753, empty text and blanks at the
end in test_types.py and test_replication.py, certificates in test_tls.py,
networks that die in test_dead_peer.py, sessions in tests/contract.
"""
import pytest

from support import dataflow
from test_capture import enable_tracking
from test_errors import is_healthy, pair  # noqa: F401

# a column's type; what may stand in it. A NULL that reaches FreeTDS for one of
# these without NULLs ends the process by an assertion.
FIXED = {
    "bit": "1", "tinyint": "1", "smallint": "1", "int": "1", "bigint": "1",
    "real": "1", "float": "1", "money": "1", "smallmoney": "1",
    "datetime": "'20200101'", "smalldatetime": "'20200101'",
    "date": "'20200101'", "time(7)": "'12:00'", "datetime2(7)": "'20200101'",
    "datetimeoffset(7)": "'20200101'", "decimal(9,2)": "1",
    "numeric(38,0)": "1", "uniqueidentifier":
    "'01234567-89AB-CDEF-0123-456789ABCDEF'",
    "binary(4)": "0x01", "varbinary(10)": "0x01", "varbinary(max)": "0x01",
    "char(4)": "'a'", "varchar(10)": "'a'", "varchar(max)": "'a'",
    "nchar(4)": "N'a'", "nvarchar(10)": "N'a'", "nvarchar(max)": "N'a'",
}


@pytest.mark.parametrize("altered", ["source", "destination"])
def test_null_into_not_null(pair, altered):  # noqa: F811
    """It comes after tables were compared, since one of them was altered. The
    column is named, the row stays out, the process lives."""
    mappings = {}
    null = "NOT NULL" if altered == "source" else "NULL"
    for number, (name, literal) in enumerate(FIXED.items()):
        table = f"n{number}"
        for alter in (pair.on_source, pair.on_dest):
            alter(f"CREATE TABLE {table} (id INT NOT NULL PRIMARY KEY, "
                  f"some_column {name} {null})")
        pair.on_source(f"INSERT INTO {table} VALUES (1, {literal})")
        pair.enable_cdc(table)
        mappings[name] = pair.add_mapping(table)
    daemon = pair.start()
    for number, name in enumerate(FIXED):
        table = f"n{number}"
        pair.wait_equal(table)
        if altered == "source":
            pair.on_source(f"ALTER TABLE {table} ALTER COLUMN some_column "
                           f"{name} NULL")
        else:
            pair.on_dest(f"ALTER TABLE {table} ALTER COLUMN some_column "
                         f"{name} NOT NULL")
        pair.on_source(f"INSERT INTO {table} VALUES (2, NULL)")
    for name, mapping in mappings.items():
        dataflow.wait_for(lambda: pair.errors(mapping), what=name)
        kind, message, _ = pair.errors(mapping)[0]
        assert kind in ("SYNC", "SCHEMA"), (name, message)
        assert "'some_column'" in message, (name, message)
    for number in range(len(FIXED)):
        assert pair.on_dest(f"SELECT id FROM n{number}") == [(1,)]
    assert daemon.is_running()
    is_healthy(pair)


# collation, text of its code page
PAGES = {
    "Latin1_General_CI_AS": "Ünïcödé € ÿ",
    "Cyrillic_General_CI_AS": "Привет, мир",
    "Greek_CI_AS": "Καλημέρα",
    "Turkish_CI_AS": "ığüşöçİ",
    "Hebrew_CI_AS": "שלום",
    "Japanese_CI_AS": "日本語ｱｲｳ表",
    "Chinese_PRC_CI_AS": "简体中文",
    "Korean_Wansung_CI_AS": "한국어",
    "Chinese_Taiwan_Stroke_CI_AS": "繁體功許蓋",
    "Polish_CI_AS": "Zażółć gęślą jaźń",
    "Thai_CI_AS": "ภาษาไทย",
    "SQL_Latin1_General_CP437_CI_AS": "éèê ░▒▓",
}


def test_code_pages(world):
    """Text of every code page, through the bulk load and through changes, into
    tables that are made and into such as are there with another one."""
    columns = ", ".join(f"c{i} VARCHAR(60) COLLATE {name} NULL, "
                        f"d{i} CHAR(20) COLLATE {name} NULL"
                        for i, name in enumerate(PAGES))
    values = ", ".join(f"N'{text}', N'{text[:4]}'" for text in PAGES.values())
    names = [f"{c}{i}" for i in range(len(PAGES)) for c in "cd"]
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    f"{columns})")
    world.on_source(f"INSERT INTO t VALUES (1, {values})")
    wide = ", ".join(f"{name} NVARCHAR(60) NULL" for name in names)
    world.on_dest(f"CREATE TABLE wide (id INT NOT NULL PRIMARY KEY, {wide})")
    world.enable_cdc("t")
    world.add_mapping("t")
    world.add_mapping("t", "wide")
    raw = ", ".join(f"CONVERT(varbinary(60), {name})" for name in names)
    plain = ", ".join(f"CONVERT(nvarchar(60), {name})" for name in names)

    def check():
        world.wait_equal("t")
        assert world.on_source(f"SELECT id, {raw} FROM t ORDER BY id") == \
            world.on_dest(f"SELECT id, {raw} FROM t ORDER BY id")
        dataflow.wait_for(lambda: world.on_source(
            f"SELECT id, {plain} FROM t ORDER BY id") == world.on_dest(
                f"SELECT id, {', '.join(names)} FROM wide ORDER BY id"))
    world.start()
    check()
    rows = world.on_dest("SELECT c0, " + ", ".join(
        f"c{i}" for i in range(1, len(PAGES))) + " FROM wide")
    assert list(rows[0]) == list(PAGES.values())
    world.on_source(f"INSERT INTO t VALUES (2, {values})")
    world.on_source("UPDATE t SET c1 = N'ещё', c5 = N'表', c7 = '' "
                    "WHERE id = 1")
    check()
    assert world.errors() == []


def test_utf16(world):
    """Surrogate pairs, halves of them, and what looks like an end."""
    values = ["N'😀𝒳'", "NCHAR(0xD83D)", "NCHAR(0xDE00) + N'a'", "NCHAR(0)",
              "N'a' + NCHAR(0) + N'b'", "NCHAR(0xFFFF)", "NCHAR(0xFEFF)",
              "N'e' + NCHAR(0x0301)", "NCHAR(0x2028)", "N' '", "N''"]
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "a NVARCHAR(10) NULL, b NCHAR(6) NULL, "
                    "c NVARCHAR(MAX) NULL)")
    for i, value in enumerate(values):
        world.on_source(f"INSERT INTO t VALUES ({i}, {value}, {value}, "
                        f"{value})")
    world.enable_cdc("t")
    world.add_mapping("t")
    raw = ("SELECT id, CONVERT(varbinary(100), a), CONVERT(varbinary(100), b),"
           " CONVERT(varbinary(100), c) FROM t ORDER BY id")

    def equal():
        return world.has_table("t") and \
            world.on_source(raw) == world.on_dest(raw)
    world.start()
    dataflow.wait_for(equal)
    world.on_source("INSERT INTO t SELECT id + 100, a, b, c FROM t")
    world.on_source("UPDATE t SET a = c WHERE id < 100")
    dataflow.wait_for(equal)
    assert len(world.on_dest("SELECT id FROM t")) == 2 * len(values)


def test_xml(world):
    """Bulk load refuses xml: it goes as text, in loads and in changes."""
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, x XML NULL)")
    world.on_source("INSERT INTO t VALUES (1, N'<a b=\"ü\">😀</a>'), (2, N''),"
                    " (3, NULL), (4, N'<r/>')")
    world.on_source("INSERT INTO t SELECT 5, CONVERT(XML, N'<r>' + REPLICATE("
                    "CONVERT(NVARCHAR(MAX), N'<i>é</i>'), 20000) + N'</r>')")
    world.enable_cdc("t")
    world.add_mapping("t")
    text = "SELECT id, CONVERT(nvarchar(max), x) FROM t ORDER BY id"

    def equal():
        return world.has_table("t") and \
            world.on_source(text) == world.on_dest(text)
    world.start()
    dataflow.wait_for(equal)
    assert world.on_dest("SELECT DATA_TYPE FROM INFORMATION_SCHEMA.COLUMNS "
                         "WHERE TABLE_NAME = 't' AND COLUMN_NAME = 'x'") == \
        [("xml",)]
    world.on_source("INSERT INTO t VALUES (6, N'<new/>'), (7, NULL)")
    world.on_source("UPDATE t SET x = N'<now>ß</now>' WHERE id IN (2, 3)")
    world.on_source("UPDATE t SET x = NULL WHERE id = 1")
    world.on_source("UPDATE t SET id = 50 WHERE id = 5")
    dataflow.wait_for(equal)
    assert world.errors() == []


def test_old_large_types(world):
    """text, ntext and image are NULL in the log where they did not change, and
    in deletes even if no NULL may be there."""
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a TEXT NULL,"
                    " b NTEXT NULL, c IMAGE NULL, n INT NULL, "
                    "d TEXT NOT NULL)")
    world.on_source("INSERT INTO t VALUES (1, 'é', N'ж😀', 0x00FF, 1, 'd'), "
                    "(2, '', N'', 0x, 2, ''), (3, NULL, NULL, NULL, 3, 'd')")
    world.enable_cdc("t")
    world.add_mapping("t")
    text = ("SELECT id, CONVERT(varbinary(max), CONVERT(varchar(max), a)), "
            "CONVERT(varbinary(max), CONVERT(nvarchar(max), b)), "
            "CONVERT(varbinary(max), c), n, CONVERT(varchar(max), d) "
            "FROM t ORDER BY id")

    def equal():
        return world.has_table("t") and \
            world.on_source(text) == world.on_dest(text)
    world.start()
    dataflow.wait_for(equal)
    world.on_source("UPDATE t SET n = n + 10")
    world.on_source("UPDATE t SET a = 'new', c = NULL WHERE id = 2")
    world.on_source("DELETE FROM t WHERE id = 3")
    world.on_source("INSERT INTO t VALUES (4, REPLICATE(CONVERT(varchar(max), "
                    "'x'), 30000), N' ', 0x20, 4, 'd')")
    dataflow.wait_for(equal)


BEFORE = ["'0001-01-01'", "'1582-10-04'", "'1582-10-15'", "'1752-09-02'",
          "'1752-12-31'", "'1753-01-01'"]


@pytest.mark.parametrize("name", ["date", "datetime2(7)", "datetime2(0)",
                                  "datetimeoffset(7)"])
def test_times_before_1753(world, name):
    """As values and as keys, in a load, in changes, by both kinds of log."""
    world.on_source(f"CREATE TABLE t (k {name} NOT NULL PRIMARY KEY, "
                    f"v {name} NULL)")
    world.on_source("INSERT INTO t VALUES " +
                    ", ".join(f"({v}, {v})" for v in BEFORE))
    enable_tracking(world, "t")
    world.enable_cdc("t")
    world.add_mapping("t", "by_log")
    world.add_mapping("t", "by_tracking", change_source="change_tracking")
    text = ("SELECT CONVERT(varchar(40), k, 121), CONVERT(varchar(40), v, 121)"
            " FROM {} ORDER BY k")

    def equal(table):
        return world.has_table(table) and \
            world.on_source(text.format("t")) == \
            world.on_dest(text.format(table))

    def check():
        for table in ("by_log", "by_tracking"):
            dataflow.wait_for(lambda: equal(table), what=table)
    world.start()
    check()
    world.on_source("UPDATE t SET v = '1492-10-12' WHERE k = '1582-10-04'")
    world.on_source("DELETE FROM t WHERE k = '0001-01-01'")
    world.on_source("UPDATE t SET k = '0999-12-31' WHERE k = '1752-12-31'")
    world.on_source("INSERT INTO t VALUES ('0004-02-29', '0004-02-29')")
    check()
    assert world.errors() == []
