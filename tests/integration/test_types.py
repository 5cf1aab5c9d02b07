"""Every type of this version, by value, full sync and CDC."""
import pytest

# type: literals, the smallest and the largest among them
TYPES = {
    "bit": ["0", "1"],
    "tinyint": ["0", "255"],
    "smallint": ["-32768", "32767"],
    "int": ["-2147483648", "2147483647"],
    "bigint": ["-9223372036854775808", "9223372036854775807"],
    "decimal(1,0)": ["-9", "9"],
    "decimal(9,4)": ["-99999.9999", "0.0001"],
    "decimal(18,0)": ["999999999999999999", "-1"],
    "decimal(28,10)": ["123456789012345678.0123456789"],
    "numeric(38,0)": ["-99999999999999999999999999999999999999", "0"],
    "decimal(38,38)": ["0.12345678901234567890123456789012345678"],
    "money": ["-922337203685477.5808", "922337203685477.5807", "0.0001"],
    "smallmoney": ["-214748.3648", "214748.3647"],
    "real": ["-3.4e38", "1.17549435e-38", "0.1"],
    "float": ["-1.79769313486231e308", "2.2250738585072e-308", "0.1"],
    "date": ["'0001-01-01'", "'9999-12-31'", "'1752-09-03'"],
    "time(0)": ["'00:00:00'", "'23:59:59'"],
    "time(7)": ["'00:00:00.0000001'", "'23:59:59.9999999'"],
    "smalldatetime": ["'1900-01-01T00:00:00'", "'2079-06-06T23:59:00'"],
    "datetime": ["'1753-01-01T00:00:00'", "'9999-12-31T23:59:59.997'",
                 "'2020-02-29T12:34:56.123'", "'2020-02-29T12:34:56.127'"],
    "datetime2(0)": ["'0001-01-01T00:00:00'", "'9999-12-31T23:59:59'"],
    "datetime2(3)": ["'1582-10-10T10:10:10.123'"],
    "datetime2(7)": ["'0001-01-01T00:00:00.0000001'",
                     "'9999-12-31T23:59:59.9999999'"],
    "datetimeoffset(7)": ["'0001-01-01T14:00:00.0000001+14:00'",
                          "'9999-12-31T09:59:59.9999999-14:00'",
                          "'2020-01-01T00:00:00+05:30'"],
    "char(5)": ["'ab'", "''", "'abcde'", "'é'"],
    "varchar(20)": ["''", "'  '", "'trail  '", "'€uro ÿ'"],
    "varchar(max)": ["REPLICATE(CAST('x' AS varchar(max)), 20000)", "''"],
    "nchar(5)": ["N'ab'", "N'ж'", "N''"],
    "nvarchar(20)": ["N''", "N' x '", "N'日本語 😀'", "NCHAR(0) + N'a'"],
    "nvarchar(max)": ["REPLICATE(CAST(N'ö' AS nvarchar(max)), 20000)", "N''"],
    "binary(4)": ["0x01", "0xFFFFFFFF"],
    "varbinary(10)": ["0x", "0x00", "0x0001020304050607FF00"],
    "varbinary(max)": ["CONVERT(varbinary(max), REPLICATE(CAST('y' AS "
                       "varchar(max)), 20000))", "0x"],
    "uniqueidentifier": ["'00000000-0000-0000-0000-000000000000'",
                         "'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF'",
                         "'01234567-89AB-CDEF-0123-456789ABCDEF'"],
}


def raw(server, database, table):
    """All values as the server's own bytes or text, so that no client's
    idea of a type can hide a difference."""
    return server.query(
        "SELECT id, c, CONVERT(varbinary(8000), c), DATALENGTH(c) "
        f"FROM {table} ORDER BY id", database)


@pytest.mark.parametrize("name", TYPES)
def test_type(world, name):
    world.on_source(f"CREATE TABLE t (id INT NOT NULL PRIMARY KEY, c {name} "
                    "NULL)")
    values = TYPES[name] + ["NULL"]
    for i, literal in enumerate(values):
        world.on_source(f"INSERT INTO t VALUES ({i}, {literal})")
    world.enable_cdc("t")
    world.add_mapping("t")
    world.start()
    world.wait_equal("t")
    for i, literal in enumerate(values):
        world.on_source(f"INSERT INTO t VALUES ({100 + i}, {literal})")
    world.on_source(f"UPDATE t SET c = {values[0]} WHERE id = "
                    f"{len(values) - 1}")
    world.on_source("UPDATE t SET c = NULL WHERE id = 0")
    world.wait_equal("t")
    assert raw(world.source, world.src_db, "t") == \
        raw(world.dest, world.dst_db, "t")
    declared = ("SELECT DATA_TYPE, CHARACTER_MAXIMUM_LENGTH, "
                "NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION "
                "FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 't' "
                "AND COLUMN_NAME = 'c'")
    assert world.on_source(declared) == world.on_dest(declared)


KEYS = {
    "int": ["1", "-1"],
    "bigint": ["9223372036854775807"],
    "decimal(20,5)": ["1.5", "-2.25"],
    "uniqueidentifier": ["'01234567-89AB-CDEF-0123-456789ABCDEF'"],
    "nvarchar(30)": ["N'a'", "N'ж'", "N''", "N'a b '"],
    "varchar(30)": ["'a'", "''", "'é'"],
    "datetime2(7)": ["'2020-01-01T00:00:00.0000001'"],
    "varbinary(10)": ["0x01", "0x"],
    "date": ["'0001-01-01'"],
}


@pytest.mark.parametrize("name", KEYS)
def test_key_type(world, name):
    world.on_source(f"CREATE TABLE t (k {name} NOT NULL PRIMARY KEY, v INT)")
    for literal in KEYS[name]:
        world.on_source(f"INSERT INTO t VALUES ({literal}, 1)")
    world.enable_cdc("t")
    world.add_mapping("t")
    world.start()
    world.wait_equal("t")
    for literal in KEYS[name]:
        world.on_source(f"UPDATE t SET v = 2 WHERE k = {literal}")
    world.wait_equal("t")
    world.on_source(f"DELETE FROM t WHERE k = {KEYS[name][0]}")
    world.wait_equal("t")


def test_wider_destinations(world):
    world.on_source("CREATE TABLE t (id SMALLINT NOT NULL PRIMARY KEY, "
                    "a INT NULL, b DECIMAL(10, 2) NULL, c VARCHAR(10) NULL, "
                    "d REAL NULL, e DATETIME2(3) NULL, f MONEY NULL, "
                    "g BINARY(4) NULL, h VARCHAR(10) NULL)")
    world.on_source("INSERT INTO t VALUES (1, 7, 1.25, 'é', 0.5, "
                    "'2020-01-01T00:00:00.123', 1.2345, 0x01020304, 'x'), "
                    "(2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), "
                    "(3, -2147483648, -99999999.99, '', -1, '9999-12-31T"
                    "23:59:59.999', -922337203685477.5808, 0x, ' '), "
                    "(4, 2147483647, 99999999.99, ' ', 3.4e38, '0001-01-01', "
                    "922337203685477.5807, 0xff, '')")
    world.on_dest("CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, "
                  "a DECIMAL(12, 0) NULL, b DECIMAL(20, 4) NULL, "
                  "c NVARCHAR(20) NULL, d FLOAT NULL, e DATETIME2(7) NULL, "
                  "f DECIMAL(19, 4) NULL, g VARBINARY(8) NULL, "
                  "h NVARCHAR(MAX) NULL)")
    world.enable_cdc("t")
    world.add_mapping("t")
    world.start()
    world.wait_equal("t")
    world.on_source("INSERT INTO t SELECT id + 10, a, b, c, d, e, f, g, h "
                    "FROM t")
    world.wait_equal("t")


def test_a_type_that_cannot_be_carried_is_named(world):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "s SQL_VARIANT NULL)")
    mapping = world.add_mapping("t", cdc=0)
    world.start()
    from support import dataflow
    dataflow.wait_for(lambda: world.errors(mapping))
    kind, message, _ = world.errors(mapping)[0]
    assert kind == "SCHEMA" and "'s'" in message and "sql_variant" in message
