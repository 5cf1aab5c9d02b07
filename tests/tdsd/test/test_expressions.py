"""Expressions and conversions: values, result types, errors."""
import datetime
from decimal import Decimal

import pytest

D = Decimal
DT = datetime.datetime

VALUES = [
    # precedence
    ("2 + 3 * 4", 14), ("(2 + 3) * 4", 20), ("-2 * -3", 6), ("7 % 4", 3),
    ("-7 % 4", -3), ("7 / 2", 3), ("-7 / 2", -3), ("6 & 3 | 8", 10),
    ("5 ^ 1", 4), ("~5", -6), ("1 + 2 & 2", 2), ("- - 5", 5),
    ("CASE WHEN NOT 1 = 2 AND 1 = 1 OR 1 = 2 THEN 1 ELSE 0 END", 1),
    ("CASE WHEN 1 = 1 OR 1 = 1 AND 1 = 2 THEN 1 ELSE 0 END", 1),
    ("'a' + 'b' + 'c'", "abc"), ("1 + '2'", 3), ("'1' + 2", 3),
    ("'1' + '2'", "12"), ("N'a' + 'b'", "ab"), ("0x01 + 0x02", b"\1\2"),
    ("2 * 3.0", D("6.0")), ("10 / 4.0", D("2.5")),
    ("1 / 3.0", D("0.333333")), ("2 / 3.0", D("0.666666")),
    ("1e0 / 3", 1 / 3), ("5 / 2e0", 2.5),
    # decimal(p,s) rules
    ("CAST(1 AS decimal(10,2)) / CAST(3 AS decimal(10,2))",
     D("0.3333333333333")),
    ("CAST(2 AS decimal(38,10)) / 3", D("0.6666666666")),
    ("CAST(1 AS decimal(38,20)) * CAST(1.5 AS decimal(38,20))", D("1.5")),
    ("CAST(123456789.987654321 AS decimal(38,20)) * "
     "CAST(2 AS decimal(38,20))", D("246913579.975309")),
    ("CAST('99999999999999999999999999999999999999' AS decimal(38,0)) - 1",
     D("99999999999999999999999999999999999998")),
    ("0.1 + 0.2", D("0.3")), ("1.10 * 1.10", D("1.21")),
    ("CAST(10.5 AS decimal(3,1)) % 3", D("1.5")),
    ("CAST(2.5 AS int)", 2), ("CAST(-2.5 AS int)", -2),
    ("CAST(2.9E0 AS int)", 2), ("CAST(2.345 AS decimal(5,2))", D("2.35")),
    ("CAST(-2.345 AS decimal(5,2))", D("-2.35")),
    ("CAST('2.345' AS decimal(5,2))", D("2.35")),
    ("CAST(2.5E0 AS decimal(5,0))", D(3)),
    ("ROUND(2.345, 2)", D("2.35")), ("ROUND(2.345, 2, 1)", D("2.34")),
    ("ROUND(1234, -2)", 1200), ("ROUND(-1250, -2)", -1300),
    ("ROUND(2.5E0, 0)", 3.0), ("FLOOR(-1.5)", D(-2)), ("CEILING(-1.5)", D(-1)),
    ("ABS(-7)", 7), ("SIGN(-0.5)", D(-1)), ("POWER(2, 10)", 1024),
    ("POWER(2.5, 2)", D("6.3")), ("SQRT(16)", 4.0), ("SQUARE(3)", 9.0),
    ("EXP(0)", 1.0), ("LOG(1)", 0.0), ("LOG(8, 2)", 3.0), ("PI()", 3.141592653589793),
    ("CAST(12.5 AS money) * 2", D(25)), ("CAST(10 AS money) / 3", D("3.3333")),
    ("CAST(1 AS bit) + 0", 1),
    # text
    ("LEN('abc  ')", 3), ("LEN(N'')", 0), ("LEN('  a')", 3),
    ("DATALENGTH(N'abc')", 6), ("UPPER('stra\u00dfe')", "STRA\u00dfE"),
    ("LOWER('\u00c4B')", "\u00e4b"), ("LEFT('abc', 2)", "ab"),
    ("RIGHT('abc', 2)", "bc"), ("LEFT('abc', 0)", ""),
    ("SUBSTRING('abcdef', 2, 3)", "bcd"), ("SUBSTRING('abc', 0, 2)", "a"),
    ("SUBSTRING('abc', -1, 3)", "a"), ("SUBSTRING('abc', 10, 3)", ""),
    ("SUBSTRING(0x010203, 2, 1)", b"\2"),
    ("CHARINDEX('c', 'abcabc')", 3), ("CHARINDEX('c', 'abcabc', 4)", 6),
    ("CHARINDEX('x', 'abc')", 0), ("CHARINDEX('C', 'abc')", 3),
    ("PATINDEX('%[0-9]%', 'ab1')", 3), ("PATINDEX('%x%', 'abc')", 0),
    ("REPLACE('aXbx', 'x', '-')", "a-b-"), ("STUFF('abcdef', 2, 3, 'XY')", "aXYef"),
    ("STUFF('abc', 5, 1, 'x')", None), ("REPLICATE('ab', 3)", "ababab"),
    ("REPLICATE('a', -1)", None), ("SPACE(3)", "   "), ("REVERSE('abc')", "cba"),
    ("LTRIM('  a ')", "a "), ("RTRIM(' a  ')", " a"), ("TRIM('  a ')", "a"),
    ("CONCAT('a', NULL, 1, 2.5)", "a12.5"),
    ("CONCAT_WS(',', 'a', NULL, 'b')", "a,b"), ("QUOTENAME('a]b')", "[a]]b]"),
    ("QUOTENAME('a''b', '''')", "'a''b'"), ("QUOTENAME('a', 'x')", None),
    ("ASCII('A')", 65), ("CHAR(65)", "A"), ("NCHAR(8364)", "\u20ac"),
    ("UNICODE(N'\u20ac')", 8364), ("STR(123.456, 8, 2)", "  123.46"),
    ("STR(123456, 3)", "***"), ("TRANSLATE('abc', 'ab', 'xy')", "xyc"),
    ("CAST(5 AS varchar(10)) + 'x'", "5x"),
    ("ISNUMERIC('1.5')", 1), ("ISNUMERIC('x')", 0), ("ISDATE('2020-01-01')", 1),
    ("ISDATE('x')", 0),
    # comparison, collation, LIKE
    ("CASE WHEN 'a' = 'A' THEN 1 ELSE 0 END", 1),
    ("CASE WHEN 'a' = 'A' COLLATE Latin1_General_BIN2 THEN 1 ELSE 0 END", 0),
    ("CASE WHEN 'a' = 'A' COLLATE Latin1_General_CS_AS THEN 1 ELSE 0 END", 0),
    ("CASE WHEN N'e' = N'\u00e9' THEN 1 ELSE 0 END", 0),
    ("CASE WHEN N'e' = N'\u00e9' COLLATE Latin1_General_CI_AI "
     "THEN 1 ELSE 0 END", 1),
    ("CASE WHEN 'a' < 'B' THEN 1 ELSE 0 END", 1),
    ("CASE WHEN 'a' < 'B' COLLATE Latin1_General_BIN2 THEN 1 ELSE 0 END", 0),
    ("CASE WHEN 'abc' LIKE 'A%' THEN 1 ELSE 0 END", 1),
    ("CASE WHEN 'abc' LIKE '_b_' THEN 1 ELSE 0 END", 1),
    ("CASE WHEN 'abc' LIKE '[a-c]%' THEN 1 ELSE 0 END", 1),
    ("CASE WHEN 'abc' LIKE '[^a]%' THEN 1 ELSE 0 END", 0),
    ("CASE WHEN 'a%c' LIKE 'a[%]c' THEN 1 ELSE 0 END", 1),
    ("CASE WHEN 'a_c' LIKE 'a!_c' ESCAPE '!' THEN 1 ELSE 0 END", 1),
    ("CASE WHEN 'abc' LIKE 'a!_c' ESCAPE '!' THEN 1 ELSE 0 END", 0),
    ("CASE WHEN 'abc' NOT LIKE 'x%' THEN 1 ELSE 0 END", 1),
    ("CASE WHEN 'abc ' LIKE 'abc' THEN 1 ELSE 0 END", 1),
    ("CASE WHEN 'abc' LIKE 'abc ' THEN 1 ELSE 0 END", 0),
    ("CASE WHEN 2 BETWEEN 1 AND 3 THEN 1 ELSE 0 END", 1),
    ("CASE WHEN 2 NOT IN (1, 3) THEN 1 ELSE 0 END", 1),
    ("CASE WHEN 2 NOT IN (1, NULL) THEN 1 ELSE 0 END", 0),
    ("CASE WHEN 0x01 < 0x0100 THEN 1 ELSE 0 END", 1),
    ("CASE WHEN 0x0A = 10 THEN 1 ELSE 0 END", 1),
    ("CASE WHEN CAST('6F9619FF-8B86-D011-B42D-00C04FC964FF' AS "
     "uniqueidentifier) < CAST('00000000-0000-0000-0000-010000000000' AS "
     "uniqueidentifier) THEN 1 ELSE 0 END", 1),
    # NULL
    ("NULL + 1", None), ("CAST(NULL AS varchar(5)) + 'x'", None),
    ("CASE WHEN NULL = NULL THEN 1 ELSE 0 END", 0),
    ("CASE WHEN NULL <> 1 THEN 1 WHEN NULL IS NULL THEN 2 END", 2),
    ("COALESCE(NULL, NULL, 3)", 3), ("ISNULL(NULL, 'x')", "x"),
    ("ISNULL(CAST(NULL AS varchar(2)), 'abcd')", "ab"),
    ("COALESCE(CAST(NULL AS varchar(2)), 'abcd')", "abcd"),
    ("NULLIF(1, 1)", None), ("NULLIF(1, 2)", 1), ("IIF(1 = 2, 'a', 'b')", "b"),
    ("CHOOSE(2, 'a', 'b')", "b"), ("CHOOSE(5, 'a')", None),
    ("CASE 2 WHEN 1 THEN 'a' WHEN 2 THEN 'b' END", "b"),
    ("CASE WHEN 1 = 2 THEN 'a' END", None),
    ("CASE WHEN 1 = 1 THEN 1 ELSE 2.5 END", D("1.0")),
    ("CASE WHEN 1 = 1 THEN 1 ELSE 1/0 END", 1),
    ("COALESCE(1, 1/0)", 1),
    # conversions
    ("CONVERT(int, '  42 ')", 42), ("CONVERT(int, '')", 0),
    ("CONVERT(int, 0x0000002A)", 42), ("CONVERT(int, 0xFFFFFFFF)", -1),
    ("CONVERT(varbinary(4), 42)", b"\0\0\0\x2a"),
    ("CONVERT(varbinary(8), CAST(1 AS bigint))", b"\0\0\0\0\0\0\0\1"),
    ("CONVERT(varbinary(10), N'ab')", b"a\0b\0"),
    ("CONVERT(varchar(10), 0x6162)", "ab"),
    ("CONVERT(varchar(20), 0x0aFF, 1)", "0x0AFF"),
    ("CONVERT(varchar(20), 0x0aFF, 2)", "0AFF"),
    ("CONVERT(varbinary(4), '0x0aFF', 1)", b"\x0a\xff"),
    ("CONVERT(varbinary(4), '0aFF', 2)", b"\x0a\xff"),
    ("CONVERT(binary(4), 1)", b"\0\0\0\1"),
    ("CONVERT(varchar(40), 1.5E0)", "1.5"),
    ("CONVERT(varchar(40), 0.1E0)", "0.1"),
    ("CONVERT(varchar(40), 123456789.0E0)", "1.23457e+008"),
    ("CONVERT(varchar(40), 1.0E0 / 3, 3)", "3.3333333333333331e-001"),
    ("CONVERT(varchar(40), 1234.5E0, 2)", "1.234500000000000e+003"),
    ("CONVERT(varchar(40), CAST(1234567.891 AS money))", "1234567.89"),
    ("CONVERT(varchar(40), CAST(1234567.891 AS money), 1)", "1,234,567.89"),
    ("CONVERT(varchar(40), CAST(1234567.8912 AS money), 2)", "1234567.8912"),
    ("CONVERT(varchar(40), CAST(1 AS bit))", "1"),
    ("CONVERT(bit, 'true')", True), ("CONVERT(bit, 'False')", False),
    ("CONVERT(money, '$1,234.50')", D("1234.5")),
    ("CONVERT(varchar(40), CAST('6F9619FF-8B86-D011-B42D-00C04FC964FF' AS "
     "uniqueidentifier))", "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
    ("CONVERT(varchar(3), 'abcdef')", "abc"), ("CAST(12345 AS varchar(3))", "*"),
    ("TRY_CONVERT(int, 'x')", None), ("TRY_CAST('5' AS int)", 5),
    ("TRY_CAST('2020-02-30' AS date)", None), ("TRY_PARSE('5' AS int)", 5),
    ("PARSE('5' AS int)", 5),
    ("CONVERT(varchar(30), CAST('2020-03-04 05:06:07.891' AS datetime), 120)",
     "2020-03-04 05:06:07"),
    ("CONVERT(varchar(30), CAST('2020-03-04 05:06:07.891' AS datetime), 121)",
     "2020-03-04 05:06:07.890"),
    ("CONVERT(varchar(30), CAST('2020-03-04 05:06:07.89' AS datetime), 126)",
     "2020-03-04T05:06:07.890"),
    ("CONVERT(varchar(30), CAST('2020-03-04 05:06:07' AS datetime))",
     "Mar  4 2020  5:06AM"),
    ("CONVERT(varchar(30), CAST('2020-03-04' AS date))", "2020-03-04"),
    ("CONVERT(varchar(8), CAST('2020-03-04' AS date), 112)", "20200304"),
    ("CONVERT(varchar(10), CAST('2020-03-04' AS date), 103)", "04/03/2020"),
    ("CONVERT(varchar(10), CAST('2020-03-04' AS date), 101)", "03/04/2020"),
    ("CONVERT(varchar(8), CAST('15:06:07' AS time), 108)", "15:06:07"),
    ("CONVERT(datetime, '20200304', 112)", DT(2020, 3, 4)),
    ("CONVERT(date, '04/03/2020', 103)", datetime.date(2020, 3, 4)),
    ("CONVERT(datetime, 0)", DT(1900, 1, 1)),
    ("CONVERT(datetime, 1.5)", DT(1900, 1, 2, 12)),
    ("CONVERT(int, CAST('1900-01-03' AS datetime))", 2),
    ("CAST('2020-03-04T05:06:07Z' AS datetimeoffset(0))",
     DT(2020, 3, 4, 5, 6, 7, tzinfo=datetime.timezone.utc)),
    ("CONVERT(binary(8), CAST('2020-01-01' AS datetime))",
     b"\0\0\xab\x35\0\0\0\0"),
    # dates
    ("DATEADD(month, 1, CAST('2020-01-31' AS date))", datetime.date(2020, 2, 29)),
    ("DATEADD(year, -1, CAST('2020-02-29' AS date))", datetime.date(2019, 2, 28)),
    ("DATEADD(ms, 1500, CAST('2020-01-01' AS datetime2(3)))",
     DT(2020, 1, 1, 0, 0, 1, 500000)),
    ("DATEDIFF(day, '2020-01-01 23:59', '2020-01-02 00:01')", 1),
    ("DATEDIFF(year, '2019-12-31', '2020-01-01')", 1),
    ("DATEDIFF(second, '2020-01-01', '2020-01-02')", 86400),
    ("DATEDIFF(month, '2020-01-31', '2020-02-01')", 1),
    ("DATEDIFF_BIG(ms, '2000-01-01', '2020-01-01')", 631152000000),
    ("DATEPART(year, '2020-03-04')", 2020), ("DATEPART(dw, '2020-03-04')", 4),
    ("DATEPART(dy, '2020-03-04')", 64), ("DATEPART(iso_week, '2021-01-01')", 53),
    ("DATEPART(ns, CAST('00:00:00.1234567' AS time))", 123456700),
    ("DATENAME(month, '2020-03-04')", "March"),
    ("DATENAME(weekday, '2020-03-04')", "Wednesday"),
    ("YEAR('2020-03-04') + MONTH('2020-03-04') + DAY('2020-03-04')", 2027),
    ("EOMONTH('2020-02-05')", datetime.date(2020, 2, 29)),
    ("DATEFROMPARTS(2020, 2, 29)", datetime.date(2020, 2, 29)),
    ("DATETIME2FROMPARTS(2020, 1, 2, 3, 4, 5, 6, 1)",
     DT(2020, 1, 2, 3, 4, 5, 600000)),
    ("CAST('2020-01-01' AS datetime) + 1", DT(2020, 1, 2)),
    ("CAST('2020-03-04' AS datetime) - CAST('2020-03-03' AS datetime)",
     DT(1900, 1, 2)),
    ("DATEADD(day, DATEDIFF(day, 0, CAST('2020-03-04 05:06' AS datetime)), 0)",
     DT(2020, 3, 4)),
    ("TODATETIMEOFFSET(CAST('2020-01-01' AS datetime2(0)), '+02:00')",
     DT(2020, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))),
    # hashes, as a verification uses them
    ("HASHBYTES('MD5', 'abc')",
     bytes.fromhex("900150983cd24fb0d6963f7d28e17f72")),
    ("HASHBYTES('SHA2_256', N'a')", bytes.fromhex(
        "ffe9aaeaa2a2d5048174df0b80599ef0197ec024c4b051bc9860cff58ef7f9f3")),
    ("CONVERT(varchar(32), HASHBYTES('MD5', 0x), 2)",
     "D41D8CD98F00B204E9800998ECF8427E"),
    ("HASHBYTES('MD5', CAST(NULL AS varchar(5)))", None),
    ("CAST('a' AS char(3)) + '|'", "a  |"), ("CAST(0x01 AS int) + 1", 2),
]


@pytest.mark.parametrize("expression, value", VALUES,
                         ids=[v[0][:60] for v in VALUES])
def test_value(shared, expression, value):
    found = shared.value(f"SELECT {expression}")
    if isinstance(value, float):
        assert found == pytest.approx(value, rel=1e-15)
    else:
        assert found == value
    assert type(found) is type(value) or isinstance(value, bool) == \
        isinstance(found, bool)
    # not a constant any more: the same
    again = shared.value(f"DECLARE @one int = 1; SELECT TOP (@one) "
                         f"{expression} FROM (SELECT 1 AS z) AS t")
    assert again == found


TYPES = [
    # expression, base type, precision, scale, bytes
    ("1", "int", 10, 0, 4), ("2147483648", "numeric", 10, 0, 9),
    ("1.50", "numeric", 3, 2, 5), ("1e0", "float", 53, 0, 8),
    ("'abc'", "varchar", 0, 0, 3), ("N'abc'", "nvarchar", 0, 0, 6),
    ("0x0102", "varbinary", 0, 0, 2), ("$1", "money", 19, 4, 8),
    ("1 + 1.5", "numeric", 3, 1, 5),
    ("CAST(1 AS decimal(5,2)) + CAST(1 AS decimal(7,4))", "decimal", 8, 4, 5),
    ("CAST(1 AS decimal(5,2)) * CAST(1 AS decimal(7,4))", "decimal", 13, 6, 9),
    ("CAST(1 AS decimal(5,2)) / CAST(1 AS decimal(7,4))", "decimal", 17, 10, 9),
    ("CAST(1 AS decimal(38,10)) + CAST(1 AS decimal(38,10))",
     "decimal", 38, 10, 17),
    ("CAST(1 AS decimal(38,10)) * CAST(1 AS decimal(38,10))",
     "decimal", 38, 6, 17),
    ("CAST(1 AS decimal(38,0)) / 3", "decimal", 38, 6, 17),
    ("CAST(1 AS decimal(10,2)) * 2", "decimal", 12, 2, 9),
    ("CAST(1 AS tinyint) + CAST(1 AS smallint)", "smallint", 5, 0, 2),
    ("CAST(1 AS bigint) + 1", "bigint", 19, 0, 8),
    ("CAST(1 AS money) * 2", "money", 19, 4, 8),
    ("CAST(1 AS real) + 1", "real", 24, 0, 4),
    ("CAST(1 AS float) + 1.5", "float", 53, 0, 8),
    ("CASE WHEN 1 = 1 THEN 1 ELSE CAST(2 AS bigint) END", "bigint", 19, 0, 8),
    ("ISNULL(CAST(NULL AS tinyint), 5)", "tinyint", 3, 0, 1),
    ("COALESCE(CAST(NULL AS tinyint), 5)", "int", 10, 0, 4),
    ("LEN('a')", "int", 10, 0, 4), ("GETDATE()", "datetime", 23, 3, 8),
    ("SYSDATETIME()", "datetime2", 27, 7, 8),
    ("SYSDATETIMEOFFSET()", "datetimeoffset", 34, 7, 10),
    ("ROUND(CAST(1 AS decimal(5,2)), 1)", "decimal", 5, 2, 5),
    ("ROUND(CAST(1 AS tinyint), 0)", "int", 10, 0, 4),
    ("ABS(CAST(-1 AS smallint))", "int", 10, 0, 4),
    ("CAST('x' AS nchar(5)) + 'y'", "nvarchar", 0, 0, 12),
    ("NEWID()", "uniqueidentifier", 0, 0, 16),
]


@pytest.mark.parametrize("expression, base, precision, scale, size", TYPES,
                         ids=[t[0] for t in TYPES])
def test_type(shared, expression, base, precision, scale, size):
    properties = ", ".join(
        f"CAST(SQL_VARIANT_PROPERTY({expression}, '{p}') AS {t})"
        for p, t in (("BaseType", "sysname"), ("Precision", "int"),
                     ("Scale", "int")))
    assert shared.row(f"SELECT {properties}, DATALENGTH({expression})") == \
        (base, precision, scale, size)


ERRORS = [
    ("1 / 0", 8134), ("1 % 0", 8134), ("1.0 / 0", 8134), ("1e0 / 0", 8134),
    ("2147483647 + 1", 8115), ("CAST(-2147483648 AS int) - 1", 8115),
    ("CAST(9223372036854775807 AS bigint) + 1", 8115),
    ("65536 * 65536", 8115), ("CAST(255 AS tinyint) + CAST(1 AS tinyint)", 8115),
    ("CAST(300 AS tinyint)", 220), ("CAST(1e10 AS int)", 232),
    ("1e309", 168), ("CAST(-9951084489761e2988942 AS real)", 168),
    ("POWER(10, 10)", 232), ("ABS(CAST(-2147483648 AS int))", 8115),
    ("CAST('abc' AS int)", 245), ("'abc' + 1", 245),
    ("CAST('1e5' AS int)", 245), ("CAST('abc' AS decimal(5,2))", 8114),
    ("CAST('abc' AS float)", 8114), ("CAST(N'abc' AS bigint)", 8114),
    ("CAST(1000 AS decimal(5,2))", 8115),
    ("CAST('99999999999999999999999999999999999999' AS decimal(38,0)) + 1",
     8115),
    ("CAST('2020-13-01' AS datetime)", 242), ("CAST('x' AS datetime)", 241),
    ("CAST('2020-02-30' AS datetime2)", 241),
    ("CAST('x' AS uniqueidentifier)", 8169), ("CAST('x' AS bit)", 245),
    ("CAST(CAST('2020-01-01' AS date) AS int)", 529),
    ("CAST(1 AS date)", 529),
    ("CONVERT(int, NEWID())", 529), ("SQRT(-1)", 3623), ("LOG(0)", 3623),
    ("CONVERT(varchar(10), GETDATE(), 999)", 281),
    ("DATEADD(year, 9000, CAST('2020-01-01' AS date))", 517),
    ("DATEDIFF(ms, '1900-01-01', '2020-01-01')", 535),
    ("DATEFROMPARTS(2020, 2, 30)", 289), ("SUBSTRING('abc', 1, -1)", 537),
    ("LEFT('abc', -1)", 537), ("CONVERT(varbinary(4), '0xZZ', 1)", 8114),
    ("NULLIF(NULL, 1)", 4151), ("COALESCE(NULL, NULL)", 4127),
    ("1 = 1", 102), ("nope(1)", 195), ("LEN()", 174),
    ("LEN('a', 'b')", 174), ("DATEADD(foo, 1, GETDATE())", 155),
    ("CAST('a' AS nosuchtype)", 243), ("@@nosuch", 137), ("@x", 137),
    ("CASE WHEN 1 THEN 2 END", 4145), ("'a' * 'b'", 8117), ("-'a'", 8117),
    ("GETDATE() * 2", 8117), ("NEWID() + 1", 206),
    ("CAST(1 AS decimal(39,0))", 2750),
    ("CAST('a' AS varchar(8001))", 131),
    ("'a' COLLATE No_Such_Collation", 448),
    ("N'a' COLLATE Latin1_General_CI_AS + N'b' COLLATE Latin1_General_BIN2",
     468),
]


@pytest.mark.parametrize("expression, number",
                         ERRORS, ids=[e[0] for e in ERRORS])
def test_error(shared, expression, number):
    assert shared.number(f"SELECT {expression}") == number


def test_messages_word_for_word(shared):
    said = {sql: shared.fails("SELECT " + sql).text for sql in (
        "1/0", "2147483647 + 1", "CAST('abc' AS int)",
        "CAST('abc' AS decimal(5,2))", "CAST('x' AS date)",
        "CAST('2147483648' AS int)", "CAST(CAST('2020-01-01' AS date) AS int)",
        "CAST(1e10 AS int)", "CAST(256 AS tinyint)")}
    assert said == {
        "1/0": "Divide by zero error encountered.",
        "2147483647 + 1": "Arithmetic overflow error converting expression "
                          "to data type int.",
        "CAST('abc' AS int)": "Conversion failed when converting the varchar "
                              "value 'abc' to data type int.",
        "CAST('abc' AS decimal(5,2))": "Error converting data type varchar "
                                       "to numeric.",
        "CAST('x' AS date)": "Conversion failed when converting date and/or "
                             "time from character string.",
        "CAST('2147483648' AS int)": "The conversion of the varchar value "
                                     "'2147483648' overflowed an int column.",
        "CAST(CAST('2020-01-01' AS date) AS int)":
            "Explicit conversion from data type date to int is not allowed.",
        "CAST(1e10 AS int)": "Arithmetic overflow error for type int, "
                             "value = 10000000000.000000.",
        "CAST(256 AS tinyint)": "Arithmetic overflow error for data type "
                                "tinyint, value = 256.",
    }


def test_ansi_warnings_off(connect):
    client = connect()
    client.run("SET ANSI_WARNINGS OFF; SET ARITHABORT OFF")
    assert client.value("SELECT 1/0") is None
    client.run("CREATE TABLE #t (v varchar(2))")
    client.run("INSERT #t VALUES ('abc')")
    assert client.value("SELECT v FROM #t") == "ab"


def test_concat_null(connect):
    client = connect()
    client.run("SET CONCAT_NULL_YIELDS_NULL OFF")
    assert client.value("SELECT 'a' + NULL") == "a"


def test_the_clock_stands_still_in_a_statement(shared):
    assert shared.value("SELECT COUNT(DISTINCT SYSUTCDATETIME()) FROM "
                        "(VALUES (1), (2), (3)) AS v (x)") == 1
    before = shared.value("SELECT SYSUTCDATETIME()")
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    assert abs((now - before).total_seconds()) < 60


def test_datefirst(connect):
    client = connect()
    assert client.value("SELECT @@DATEFIRST") == 7
    client.run("SET DATEFIRST 1")
    assert client.value("SELECT DATEPART(dw, '2020-03-04')") == 3


def test_dateformat(connect):
    client = connect()
    client.run("SET DATEFORMAT dmy")
    assert client.value("SELECT CAST('04/03/2020' AS datetime)") == \
        DT(2020, 3, 4)
    # the ISO form without T depends on it for datetime, not for date
    assert client.value("SELECT CAST('2020-03-04' AS datetime)") == \
        DT(2020, 4, 3)
    assert client.value("SELECT CAST('2020-03-04' AS date)") == \
        datetime.date(2020, 3, 4)


def test_variables(shared):
    assert shared.row("DECLARE @a int = 5, @b varchar(3) = 'abcdef', "
                      "@c decimal(5,1); SET @c = 2.25; SET @a += 2; "
                      "SELECT @a, @b, @c") == (7, "abc", D("2.3"))
    assert shared.row("DECLARE @a int = 1; SELECT @a = x FROM "
                      "(VALUES (5), (6)) AS v (x) ORDER BY x; SELECT @a, "
                      "@@ROWCOUNT") == (6, 2)
    assert shared.row("DECLARE @a int = 1; SELECT @a = x FROM "
                      "(VALUES (5)) AS v (x) WHERE x = 9; SELECT @a, "
                      "@@ROWCOUNT") == (1, 0)
