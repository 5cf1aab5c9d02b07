"""Every type, in and out by value, at its edges."""
import datetime
import uuid
from decimal import Decimal

import pytds
import pytest

D = Decimal
DT = datetime.datetime
WIDE = "9" * 38
LONG = "ab" * 2000

# type, T-SQL literal, what python-tds must hand back
ROUND_TRIPS = [
    ("bit", "0", False), ("bit", "1", True), ("bit", "17", True),
    ("tinyint", "0", 0), ("tinyint", "255", 255),
    ("smallint", "-32768", -32768), ("smallint", "32767", 32767),
    ("int", "-2147483648", -2147483648), ("int", "2147483647", 2147483647),
    ("bigint", "-9223372036854775808", -9223372036854775808),
    ("bigint", "9223372036854775807", 9223372036854775807),
    ("real", "3.4E38", 3.3999999521443642e38), ("real", "-0.5", -0.5),
    ("real", "1.18E-38", 1.1799999457746311e-38), ("real", "0", 0.0),
    ("float", "1.7976931348623157E308", 1.7976931348623157e308),
    ("float", "-2.2250738585072014E-308", -2.2250738585072014e-308),
    ("float", "0.1", 0.1), ("float(24)", "0.5", 0.5),
    ("decimal(1,0)", "9", D(9)), ("decimal(38,0)", WIDE, D(WIDE)),
    ("decimal(38,0)", "-" + WIDE, D("-" + WIDE)),
    ("decimal(38,38)", "0." + WIDE, D("0." + WIDE)),
    ("decimal(38,10)", "-1234567890123456789012345678.0123456789",
     D("-1234567890123456789012345678.0123456789")),
    ("decimal(9,2)", "-0.01", D("-0.01")), ("decimal(10,4)", "0", D(0)),
    ("numeric(19,4)", "922337203685477.5807", D("922337203685477.5807")),
    ("money", "922337203685477.5807", D("922337203685477.5807")),
    ("money", "-922337203685477.5808", D("-922337203685477.5808")),
    ("money", "$12.34", D("12.34")), ("money", "0.0001", D("0.0001")),
    ("smallmoney", "214748.3647", D("214748.3647")),
    ("smallmoney", "-214748.3648", D("-214748.3648")),
    ("date", "'0001-01-01'", datetime.date(1, 1, 1)),
    ("date", "'9999-12-31'", datetime.date(9999, 12, 31)),
    ("date", "'2000-02-29'", datetime.date(2000, 2, 29)),
    ("time(7)", "'23:59:59.9999999'", datetime.time(23, 59, 59, 999999)),
    ("time(0)", "'00:00:00'", datetime.time(0, 0)),
    ("time(3)", "'12:34:56.789'", datetime.time(12, 34, 56, 789000)),
    ("datetime", "'1753-01-01'", DT(1753, 1, 1)),
    ("datetime", "'9999-12-31 23:59:59.997'",
     DT(9999, 12, 31, 23, 59, 59, 997000)),
    ("datetime", "'2020-06-01T12:00:00'", DT(2020, 6, 1, 12)),
    ("smalldatetime", "'1900-01-01'", DT(1900, 1, 1)),
    ("smalldatetime", "'2079-06-06 23:59'", DT(2079, 6, 6, 23, 59)),
    ("smalldatetime", "'2020-01-01 10:00:30'", DT(2020, 1, 1, 10, 1)),
    ("datetime2(7)", "'0001-01-01'", DT(1, 1, 1)),
    ("datetime2(6)", "'9999-12-31 23:59:59.999999'",
     DT(9999, 12, 31, 23, 59, 59, 999999)),
    ("datetime2(0)", "'2020-01-01 00:00:00.5'", DT(2020, 1, 1, 0, 0, 1)),
    ("datetime2(3)", "'1752-09-14 01:02:03.456'",
     DT(1752, 9, 14, 1, 2, 3, 456000)),
    ("uniqueidentifier", "'6F9619FF-8B86-D011-B42D-00C04FC964FF'",
     uuid.UUID("6F9619FF-8B86-D011-B42D-00C04FC964FF")),
    ("char(5)", "'ab'", "ab   "), ("char(3)", "''", "   "),
    ("varchar(10)", "'a  '", "a  "), ("varchar(10)", "''", ""),
    ("varchar(5)", "'\u00e9\u20ac'", "\u00e9\u20ac"),
    ("nchar(4)", "N'\u00df'", "\u00df   "), ("nvarchar(10)", "N''", ""),
    ("nvarchar(10)", "N'\u6f22\u5b57 '", "\u6f22\u5b57 "),
    ("nvarchar(4)", "N'\U0001F600x'", "\U0001F600x"),
    ("nvarchar(4000)", "N'" + LONG + "'", LONG),
    ("varchar(8000)", "REPLICATE('x', 8000)", "x" * 8000),
    ("varchar(max)", "REPLICATE(CAST('x' AS varchar(max)), 100000)",
     "x" * 100000),
    ("nvarchar(max)", "REPLICATE(CAST(N'\u20ac' AS nvarchar(max)), 70000)",
     "\u20ac" * 70000),
    ("nvarchar(max)", "N''", ""), ("varchar(max)", "''", ""),
    ("text", "'text'", "text"), ("ntext", "N'\u20ac'", "\u20ac"),
    ("binary(4)", "0x01", b"\1\0\0\0"), ("varbinary(4)", "0x", b""),
    ("varbinary(4)", "0x00FF00", b"\0\xff\0"),
    ("varbinary(max)", "CAST(REPLICATE(CAST('y' AS varchar(max)), 90000) "
     "AS varbinary(max))", b"y" * 90000),
    ("varbinary(max)", "0x", b""), ("image", "0x0102", b"\1\2"),
    ("xml", "N'<a b=\"1\">\u20ac</a>'", "<a b=\"1\">\u20ac</a>"),
    ("sql_variant", "CAST(7 AS int)", 7),
    ("sql_variant", "CAST(N'x\u20ac' AS nvarchar(5))", "x\u20ac"),
    ("sql_variant", "CAST(1.25 AS decimal(5,2))", D("1.25")),
    ("sysname", "N'abc'", "abc"),
]
TYPES = sorted({t for t, _, _ in ROUND_TRIPS} | {"datetimeoffset(7)"})


@pytest.mark.parametrize("kind, literal, value", ROUND_TRIPS, ids=[
    f"{i}-{t[0]}" for i, t in enumerate(ROUND_TRIPS)])
def test_table_round_trip(shared, kind, literal, value):
    shared.run("DROP TABLE IF EXISTS rt")
    shared.run(f"CREATE TABLE rt (v {kind} NULL)")
    shared.run(f"INSERT INTO rt VALUES ({literal})")
    found = shared.value("SELECT v FROM rt")
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("kind", TYPES)
def test_null(shared, kind):
    shared.run("DROP TABLE IF EXISTS nt")
    shared.run(f"CREATE TABLE nt (v {kind} NULL)")
    shared.run("INSERT INTO nt VALUES (NULL)")
    assert shared.rows("SELECT v, v FROM nt") == [(None, None)]
    assert shared.rows("SELECT 1 FROM nt WHERE v IS NULL") == [(1,)]


@pytest.mark.parametrize("expression, text", [
    ("CAST('2020-01-01 10:00:00.1234567 +05:30' AS datetimeoffset)",
     "2020-01-01 10:00:00.1234567 +05:30"),
    ("CAST('0001-01-01 00:00:00 +00:00' AS datetimeoffset(0))",
     "0001-01-01 00:00:00 +00:00"),
    ("CAST('9999-12-31 23:59:59.9999999 +14:00' AS datetimeoffset)",
     "9999-12-31 23:59:59.9999999 +14:00"),
    ("CAST('2020-03-04 05:06:07.1234567' AS datetime2)",
     "2020-03-04 05:06:07.1234567"),
    ("CAST('23:59:59.9999999' AS time)", "23:59:59.9999999"),
    ("CAST('2020-03-04 05:06:07.1234567' AS datetime2(4))",
     "2020-03-04 05:06:07.1235"),
    ("CAST('2020-03-04 05:06:07.12' AS datetime)",
     "2020-03-04 05:06:07.120"),
    ("CAST('2020-03-04 05:06:07.125' AS datetime)",
     "2020-03-04 05:06:07.127"),
    ("CAST('2020-03-04 23:59:59.999' AS datetime)",
     "2020-03-05 00:00:00.000"),
    ("CAST(CAST('2020-01-01 10:00 +05:30' AS datetimeoffset) AS datetime2(0))",
     "2020-01-01 10:00:00"),
    ("SWITCHOFFSET(CAST('2020-01-01 10:00 +05:30' AS datetimeoffset(0)), "
     "'-01:00')", "2020-01-01 03:30:00 -01:00"),
])
def test_time_as_text(shared, expression, text):
    assert shared.value(f"SELECT CONVERT(varchar(40), {expression}, 121)") \
        == text


def test_datetimeoffsets_of_one_moment_are_equal(shared):
    shared.run("DROP TABLE IF EXISTS dto")
    shared.run("CREATE TABLE dto (a datetimeoffset, b datetimeoffset)")
    shared.run("INSERT INTO dto VALUES ('2020-01-01 00:00 +00:00', "
               "'2020-01-01 01:30 +01:30')")
    assert shared.rows("SELECT 1 FROM dto WHERE a = b AND a >= b AND "
                       "NOT a <> b") == [(1,)]
    assert shared.rows("SELECT DATEPART(TZOFFSET, a), DATEPART(TZOFFSET, b) "
                       "FROM dto") == [(0, 90)]


def test_datetimeoffset_on_the_wire(shared):
    value = shared.value("SELECT CAST('2020-01-01 10:00:00.123456 +05:30' "
                         "AS datetimeoffset(6))")
    assert value.utcoffset() == datetime.timedelta(hours=5, minutes=30)
    assert value.replace(tzinfo=None) == DT(2020, 1, 1, 10, 0, 0, 123456)


@pytest.mark.parametrize("kind, literal, number", [
    ("tinyint", "256", 220), ("tinyint", "-1", 220),
    ("smallint", "32768", 220), ("int", "2147483648", 8115),
    ("bigint", "9223372036854775808", 8115), ("bit", "'x'", 245),
    ("decimal(5,2)", "1000", 8115), ("decimal(5,2)", "'1000'", 8115),
    ("decimal(5,2)", "'abc'", 8114), ("int", "'abc'", 245),
    ("int", "'1.5'", 245), ("int", "'99999999999'", 248),
    ("tinyint", "'256'", 244), ("smallint", "'99999'", 244),
    ("bigint", "'9223372036854775808'", 8115), ("bigint", "'x'", 8114),
    ("float", "'x'", 8114), ("real", "1e39", 232),
    ("money", "922337203685477.5808", 8115), ("money", "'x'", 235),
    ("smallmoney", "214749", 8115),
    ("date", "'2020-02-30'", 241), ("date", "'x'", 241),
    ("datetime", "'1752-12-31'", 242), ("datetime", "'x'", 241),
    ("smalldatetime", "'2079-06-07'", 242), ("smalldatetime", "'x'", 295),
    ("datetime2", "'10000-01-01'", 241), ("time", "'24:00:00'", 241),
    ("uniqueidentifier", "'x'", 8169),
    ("varchar(3)", "'abcd'", 2628), ("nvarchar(3)", "N'abcd'", 2628),
    ("char(2)", "'abc'", 2628), ("varbinary(2)", "0x010203", 2628),
    ("int", "CAST('2020-01-01' AS date)", 206),
    ("date", "5", 206),
    ("uniqueidentifier", "5", 206),
    ("sql_variant", "CAST(N'x' AS nvarchar(max))", 206),
    ("sql_variant", "CAST(0x01 AS varbinary(max))", 206),
])
def test_out_of_range(shared, kind, literal, number):
    shared.run("DROP TABLE IF EXISTS oor")
    shared.run(f"CREATE TABLE oor (v {kind} NULL)")
    assert shared.number(f"INSERT INTO oor VALUES ({literal})") == number
    assert shared.value("SELECT COUNT(*) FROM oor") == 0


def test_truncation_says_where(shared):
    shared.run("CREATE TABLE trunc_me (id int, note varchar(3))")
    error = shared.fails("INSERT trunc_me VALUES (1, 'abcdef')")
    assert error.number == 2628
    assert "column 'note'" in error.text
    assert "Truncated value: 'abc'" in error.text
    shared.run("INSERT trunc_me VALUES (1, 'abc     ')")  # blanks may go
    assert shared.value("SELECT note FROM trunc_me") == "abc"


def test_minus_zero_becomes_zero_for_decimal_only(shared):
    row = shared.row("SELECT CAST(-0.0 AS decimal(5,1)), "
                     "CAST(-0.0E0 AS float), CAST('-0' AS int)")
    assert row[0] == 0 and not row[0].is_signed()
    assert row[1] == 0 and row[2] == 0


def test_megabytes(shared):
    shared.run("CREATE TABLE mb (id int, t nvarchar(max), b varbinary(max))")
    text, data = "z\u20ac" * 1000000, bytes(range(256)) * 12000
    shared.run("INSERT mb VALUES (%s, %s, %s)", (1, text, pytds.Binary(data)))
    row = shared.row("SELECT t, b, DATALENGTH(t), DATALENGTH(b) FROM mb")
    assert row == (text, data, 4000000, len(data))


def test_rowversion_grows(shared):
    shared.run("CREATE TABLE rv (id int PRIMARY KEY, v rowversion)")
    shared.run("INSERT rv (id) VALUES (1), (2)")
    first = dict(shared.rows("SELECT id, v FROM rv"))
    assert len(first[1]) == 8 and first[1] < first[2]
    shared.run("UPDATE rv SET id = 1 WHERE id = 1")
    assert shared.value("SELECT v FROM rv WHERE id = 1") > first[2]
    assert shared.value("SELECT @@DBTS") == \
        shared.value("SELECT MAX(v) FROM rv")
    assert shared.number("INSERT rv VALUES (3, 0x01)") == 273
    assert shared.number("UPDATE rv SET v = 0x01") == 272


def test_trailing_blanks_compare_equal_but_stay(shared):
    assert shared.row("SELECT CASE WHEN 'a' = 'a  ' THEN 1 END, LEN('a  '), "
                      "DATALENGTH('a  '), DATALENGTH(N'a ')") == (1, 1, 3, 4)


def test_surrogates_count_as_two(shared):
    assert shared.row("SELECT LEN(N'\U0001F600'), DATALENGTH(N'\U0001F600'),"
                      " UNICODE(N'\U0001F600')") == (2, 4, 0xD83D)
    found = shared.value("SELECT NCHAR(0xD83D) + NCHAR(0xDE00)")
    assert found == "\U0001F600"


def test_code_page_characters(shared):
    # 1252 has the euro at 0x80; what it has not becomes a question mark
    assert shared.row("SELECT CAST('\u20ac' AS varbinary(5)), "
                      "CAST(N'\u6f22' AS varchar(5)), "
                      "ASCII('\u20ac'), CHAR(0x80)") == \
        (b"\x80", "?", 128, "\u20ac")


def test_column_types_of_a_select(shared):
    from pytds import tds_base as t
    codes = {name: code for name, code in shared.types(
        "SELECT CAST(1 AS int) i, CAST(1 AS bigint) b, N'x' n, "
        "CAST(1 AS decimal(5,2)) d, GETDATE() dt, CAST(1 AS bit) bt, "
        "CAST(0x01 AS varbinary(10)) vb, NEWID() g, SYSUTCDATETIME() d2")}
    assert set(codes) == {"i", "b", "n", "d", "dt", "bt", "vb", "g", "d2"}
    assert codes["i"] in (t.SYBINT4, t.SYBINTN)
    assert codes["d2"] == t.SYBMSDATETIME2


@pytest.mark.parametrize("kind, number, length", [
    ("hierarchyid", 128, 892), ("geometry", 129, -1), ("geography", 130, -1)])
def test_clr_types_are_columns_without_values(shared, kind, number, length):
    shared.run("DROP TABLE IF EXISTS clr")
    shared.run(f"CREATE TABLE clr (id int NOT NULL, v {kind} NULL)")
    shared.run("INSERT INTO clr VALUES (1, NULL); INSERT INTO clr (id) "
               "VALUES (2)")
    assert shared.rows("SELECT t.name, c.system_type_id, c.user_type_id, "
                       "c.max_length, t.is_assembly_type FROM sys.columns c "
                       "JOIN sys.types t ON t.user_type_id = c.user_type_id "
                       "WHERE c.object_id = OBJECT_ID('clr') "
                       "AND c.name = 'v'") == \
        [(kind, 240, number, length, True)]
    assert shared.value("SELECT DATA_TYPE FROM INFORMATION_SCHEMA.COLUMNS "
                        "WHERE TABLE_NAME = 'clr' AND COLUMN_NAME = 'v'") \
        == kind
    assert shared.rows("SELECT id FROM clr WHERE v IS NULL ORDER BY id") == \
        [(1,), (2,)]


@pytest.mark.standin
@pytest.mark.parametrize("sql", [
    "SELECT v FROM clr", "SELECT * FROM clr",
    "INSERT INTO clr VALUES (1, '/1/')", "UPDATE clr SET v = 0x58"])
def test_clr_values_are_refused(shared, sql):
    shared.run("DROP TABLE IF EXISTS clr")
    shared.run("CREATE TABLE clr (id int NOT NULL, v hierarchyid NULL)")
    shared.run("INSERT INTO clr VALUES (1, NULL)")
    assert shared.number(sql) == 40517


@pytest.mark.parametrize("text, style, stored", [
    ("<a/>", None, "<a/>"), ("<a></a>", None, "<a/>"),
    ("<a  b = 'x\"y' />", None, '<a b="x&quot;y"/>'),
    ("<a> <b/>\n</a>", None, "<a><b/></a>"),
    ("<a> <b/>\n</a>", 1, "<a> <b/>\n</a>"),
    ("<a> x </a>", None, "<a> x </a>"),
    ('<a xml:space="preserve"> </a>', None, '<a xml:space="preserve"> </a>'),
    ('<?xml version="1.0" encoding="utf-16"?><a/>', None, "<a/>"),
    ("<a>&#x41;&lt;&#66;</a>", None, "<a>A&lt;B</a>"),
    ("<a><![CDATA[<x>&]]></a>", None, "<a>&lt;x&gt;&amp;</a>"),
    ("<!--c--><a/><?p i?>", None, "<!--c--><a/><?p i?>"),
    ("", None, ""), ("text &amp; <b/>", None, "text &amp; <b/>")])
def test_xml_is_kept_as_the_server_writes_it(shared, text, style, stored):
    literal = "N'" + text.replace("'", "''") + "'"
    value = f"CONVERT(xml, {literal}, {style})" if style else literal
    shared.run("DROP TABLE IF EXISTS x")
    shared.run("CREATE TABLE x (v xml)")
    shared.run(f"INSERT INTO x VALUES ({value})")
    assert shared.value("SELECT CONVERT(nvarchar(max), v) FROM x") == stored


@pytest.mark.parametrize("text, number", [
    ("N'<a>'", 9400), ("N'<a></b>'", 9436), ("N'<a b=1/>'", 9413),
    ("N'<a b/>'", 9414), ("N'<1/>'", 9455), ("N'&nbsp;'", 9448),
    ("N'<a b=\"<\"/>'", 9415), ("N'<!--'", 9424), ("N'<a>]]></a>'", 9454),
    ("N'<?xml version=\"1.0\" encoding=\"utf-8\"?><a/>'", 9402),
    ("'<?xml version=\"1.0\" encoding=\"utf-16\"?><a/>'", 9402),
    ("N'<!DOCTYPE a []><a/>'", 6359), ("N'&#xZ;'", 9416)])
def test_what_is_no_xml(shared, text, number):
    assert shared.number(f"DECLARE @x xml = {text}") == number
