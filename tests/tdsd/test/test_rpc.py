"""Remote procedure calls: parameters of every type, in and out, and handles."""
import datetime
import struct
import uuid
from decimal import Decimal

import pymssql
import pytds
import pytest

from clients import Client

D = Decimal
DT = datetime.datetime
TZ = datetime.timezone(datetime.timedelta(hours=-3))

VALUES = [
    0, 1, -1, 2 ** 31 - 1, -2 ** 31, 2 ** 63 - 1, -2 ** 63, True, False, 0.1,
    1e308, -0.0, "", "a", "it's", "a  ", "\u20ac\u6f22\U0001F600",
    "x" * 4000, "y" * 4001, "z" * 100000, pytds.Binary(b""),
    pytds.Binary(b"\0\xff"), pytds.Binary(b"q" * 8001), D("0"), D("-0.01"),
    D("9" * 38), D("0." + "9" * 38), D("123456789012345678.1234567890"),
    DT(1, 1, 1), DT(9999, 12, 31, 23, 59, 59, 999999),
    DT(2020, 2, 29, 1, 2, 3, 4), datetime.date(1, 1, 1),
    datetime.date(9999, 12, 31), datetime.time(23, 59, 59, 999999),
    DT(2020, 1, 1, 12, 0, tzinfo=TZ),
    uuid.UUID("6F9619FF-8B86-D011-B42D-00C04FC964FF"),
]


@pytest.mark.parametrize("value", VALUES,
                         ids=[repr(v)[:40] for v in VALUES])
def test_parameter_comes_back(shared, value):
    found = shared.value("SELECT %s", (value,))
    assert found == value


def test_null_parameter(shared):
    assert shared.row("SELECT %s, %s", (None, 1)) == (None, 1)


@pytest.mark.parametrize("value", VALUES, ids=[repr(v)[:40] for v in VALUES])
def test_parameter_into_a_table(shared, value):
    kind = {bool: "bit", int: "bigint", float: "float", str: "nvarchar(max)",
            D: "decimal(38,10)", DT: "datetimeoffset", datetime.date: "date",
            datetime.time: "time", uuid.UUID: "uniqueidentifier"}.get(
                type(value), "varbinary(max)")
    if kind == "decimal(38,10)" and abs(value) > 10 ** 28:
        kind = "decimal(38,0)"
    if kind == "decimal(38,10)" and value.as_tuple().exponent < -10:
        kind = "decimal(38,38)"
    if kind == "datetimeoffset" and not value.tzinfo:
        kind = "datetime2"
    shared.run("DROP TABLE IF EXISTS pt")
    shared.run(f"CREATE TABLE pt (v {kind} NULL)")
    shared.run("INSERT pt VALUES (%s)", (value,))
    assert shared.value("SELECT v FROM pt") == value
    assert shared.value("SELECT COUNT(*) FROM pt WHERE v = %s", (value,)) == 1


OUTPUTS = [
    ("int", "7", 7), ("bigint", "9223372036854775807", 2 ** 63 - 1),
    ("tinyint", "255", 255), ("bit", "1", True), ("float", "0.1", 0.1),
    ("money", "1.25", D("1.25")),
    ("varchar(10)", "'a '", "a "), ("nvarchar(10)", "N'\u20ac'", "\u20ac"),
    ("nvarchar(max)", "REPLICATE(CAST(N'x' AS nvarchar(max)), 9000)",
     "x" * 9000),
    ("varbinary(10)", "0x0102", b"\1\2"), ("date", "'2020-01-02'",
                                           datetime.date(2020, 1, 2)),
    ("datetime", "'2020-01-02'", DT(2020, 1, 2)),
    ("datetime2(6)", "'2020-01-02 00:00:00.123456'",
     DT(2020, 1, 2, 0, 0, 0, 123456)),
    ("uniqueidentifier", "'6F9619FF-8B86-D011-B42D-00C04FC964FF'",
     uuid.UUID("6F9619FF-8B86-D011-B42D-00C04FC964FF")),
    ("int", "NULL", None), ("varchar(5)", "NULL", None),
]


@pytest.mark.parametrize("kind, literal, value", OUTPUTS,
                         ids=[f"{k} {v[:20]}" for k, v, _ in OUTPUTS])
def test_output_parameter(shared, kind, literal, value):
    shared.run(f"CREATE OR ALTER PROCEDURE outp @v {kind} OUTPUT AS "
               f"SET @v = {literal}")
    out = pytds.output(value=None, param_type="nvarchar(max)"
                       if "char" in kind else kind)
    result = shared.cursor.callproc("outp", (out,))
    while shared.cursor.nextset():
        pass
    assert shared.cursor.get_proc_outputs()[-1] == value
    assert len(result) == 1


def test_procedure_results_and_status(shared):
    shared.run("CREATE OR ALTER PROCEDURE rp @a int, @b varchar(10) = 'd' AS "
               "BEGIN SELECT @a AS a; SELECT @b AS b WHERE 1 = 0; RETURN 17 "
               "END")
    cursor = shared.cursor
    cursor.callproc("rp", (5,))
    assert cursor.fetchall() == [(5,)]
    assert cursor.nextset() and cursor.fetchall() == []
    while cursor.nextset():
        pass
    assert cursor.get_proc_return_status() == 17
    cursor.callproc("rp", {"@b": "x", "@a": 6})
    assert cursor.fetchall() == [(6,)]


@pytest.mark.parametrize("call, number", [
    (("no_such_proc", ()), 2812), (("rp2", ()), 201),
    (("rp2", (1, 2)), 8144), (("rp2", {"@nope": 1}), 8145),
    (("rp2", ("x",)), 8114), (("sys.sp_executesql", ()), 201),
])
def test_procedure_refused(shared, call, number):
    shared.run("CREATE OR ALTER PROCEDURE rp2 @a int AS SELECT @a")
    with pytest.raises(pytds.DatabaseError) as caught:
        shared.cursor.callproc(*call)
        shared.cursor.fetchall()
    assert caught.value.number in (number, 201 if number == 8145 else number)
    assert shared.value("SELECT 1") == 1


def test_error_in_executesql(shared):
    error = shared.fails("SELECT %s / 0", (1,))
    assert error.number == 8134
    assert shared.value("SELECT %s", (3,)) == 3
    assert shared.number("SELECT nope WHERE 1 = %s", (1,)) == 207


def test_same_text_many_values(shared):
    shared.run("CREATE TABLE many_params (id int PRIMARY KEY, v nvarchar(50))")
    for i in range(300):
        shared.run("INSERT many_params VALUES (%s, %s)", (i, f"row {i}"))
    assert shared.value("SELECT COUNT(*) FROM many_params WHERE v = "
                        "CONCAT(N'row ', id)") == 300
    shared.run("DROP TABLE many_params")
    assert shared.number("INSERT many_params VALUES (%s, %s)", (1, "x")) == 208
    shared.run("CREATE TABLE many_params (v nvarchar(50), id bigint)")
    shared.run("INSERT many_params (id, v) VALUES (%s, %s)", (1, "x"))
    assert shared.rows("SELECT * FROM many_params") == [("x", 1)]


def test_many_parameters(shared):
    names = ", ".join(["%s"] * 2000)
    assert shared.value(f"SELECT COUNT(*) FROM (VALUES {names.replace('%s', '(%s)')}) "
                        "v (x)", tuple(range(2000))) == 2000
    assert shared.number("SELECT " + ", ".join(["%s"] * 2150),
                         tuple(range(2150))) == 8003


def test_prepare_and_execute(shared):
    sets = shared.results("""
DECLARE @h int
EXEC sp_prepare @h OUTPUT, N'@a int, @b nvarchar(10)', N'SELECT @a + 1, @b'
EXEC sp_execute @h, 4, N'x'
EXEC sp_execute @h, 5, NULL
EXEC sp_unprepare @h""")
    assert [s for s in sets if s] == [[(5, "x")], [(6, None)]]
    assert shared.number("EXEC sp_execute 987654, 1") == 8179
    sets = shared.results("DECLARE @h int; EXEC sp_prepexec @h OUTPUT, "
                          "N'@a int', N'SELECT @a * 2', 21; EXEC sp_execute @h,"
                          " 4")
    assert [s for s in sets if s] == [[(42,)], [(8,)]]


def test_pymssql_parameters_and_procedures(server, database, shared):
    shared.run("CREATE OR ALTER PROCEDURE pm @a int, @b nvarchar(20) AS "
               "SELECT @a * 3, @b")
    with pymssql.connect(server.host, server.user, server.password, database,
                         port=str(server.port), autocommit=True) as c:
        cursor = c.cursor()
        cursor.execute("EXEC pm %d, %s", (4, "\u20ac"))
        assert cursor.fetchall() == [(12, "\u20ac")]
        cursor.execute("SELECT %s, %s", ("\u20ac'", None))
        assert cursor.fetchall() == [("\u20ac'", None)]


@pytest.mark.parametrize("days, time, ok", [
    (-53690, 0, True), (2958463, 25919999, True), (-53691, 0, False),
    (2958464, 0, False), (0, 25920000, False), (2 ** 31 - 1, -1, False),
])
def test_datetime_out_of_range(server, database, monkeypatch, days, time, ok):
    """A client must not get dates into a server that no calendar has."""
    monkeypatch.setattr(
        pytds.tds_types.DateTimeSerializer, "encode",
        lambda *_: struct.pack("<ll", days, time))
    with Client(server, database, tds_version=pytds.tds_base.TDS71) as client:
        if ok:
            assert client.value("SELECT CONVERT(char(10), %s, 121)", (
                DT(2020, 1, 1),)) in ("1753-01-01", "9999-12-31")
        else:
            assert client.number("SELECT DATENAME(month, %s)", (
                DT(2020, 1, 1),)) == 8016


def test_table_valued_parameter(shared):
    shared.run("DROP PROCEDURE IF EXISTS tvp; DROP TYPE IF EXISTS pairs")
    shared.run("CREATE TYPE pairs AS TABLE (id int, v nvarchar(20))")
    shared.run("CREATE PROCEDURE tvp @t pairs READONLY AS SELECT COUNT(*), "
               "SUM(id), MAX(v) FROM @t")
    assert shared.rows("DECLARE @t pairs; INSERT @t VALUES (1, N'a'), (2, N'b')"
                       "; EXEC tvp @t") == [(2, 3, "b")]


def test_transaction_manager_requests(server, database, name):
    """What a client without autocommit sends."""
    with pytds.connect(server.host, port=server.port, database=database,
                       user=server.user, password=server.password) as c:
        with c.cursor() as cursor:
            cursor.execute(f"CREATE TABLE {name} (id int)")
            cursor.execute(f"INSERT {name} VALUES (1)")
            cursor.execute("SELECT @@TRANCOUNT")
            assert cursor.fetchall() == [(1,)]
        c.rollback()
        with c.cursor() as cursor:
            with pytest.raises(pytds.DatabaseError):
                cursor.execute(f"SELECT * FROM {name}")
        c.rollback()
        with c.cursor() as cursor:
            cursor.execute(f"CREATE TABLE {name} (id int)")
        c.commit()
        with c.cursor() as cursor:
            cursor.execute(f"SELECT COUNT(*) FROM {name}")
            assert cursor.fetchall() == [(0,)]


@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
def test_isolation_of_a_transaction_manager_request(server, database, level):
    with pytds.connect(server.host, port=server.port, database=database,
                       user=server.user, password=server.password) as c:
        c.isolation_level = level
        c.rollback()  # the next transaction begins with it
        with c.cursor() as cursor:
            cursor.execute("SELECT transaction_isolation_level FROM "
                           "sys.dm_exec_sessions WHERE session_id = @@SPID")
            assert cursor.fetchall() == [(level,)]


def test_reset_connection_forgets(server, database):
    """What a pool does before it hands a connection on."""
    with pytds.connect(server.host, port=server.port, database=database,
                       user=server.user, password=server.password,
                       autocommit=True) as c:
        with c.cursor() as cursor:
            cursor.execute("CREATE TABLE #gone (a int); SET LOCK_TIMEOUT 5; "
                           "BEGIN TRAN")
            cursor.callproc("sp_reset_connection")
            cursor.execute("SELECT @@TRANCOUNT, @@LOCK_TIMEOUT, "
                           "OBJECT_ID('tempdb..#gone')")
            assert cursor.fetchall() == [(0, -1, None)]
