"""Bulk load: freebcp, BCP of python-tds, and what INSERT BULK obeys."""
import datetime
import io
import os
from decimal import Decimal

import pytds
import pytest

from clients import program

D = Decimal


def freebcp(server, table, direction, path, *options):
    return program(server, "freebcp", table, direction, str(path), *options)


@pytest.fixture
def t(db, database, name):
    db.run(f"CREATE TABLE {name} (id int NOT NULL PRIMARY KEY, v varchar(50) "
           "NULL, n nvarchar(50) NULL, d decimal(12,3) NULL, w datetime2(3) "
           "NULL, b varbinary(20) NULL)")
    return f"{database}.dbo.{name}"


def test_characters_in_and_out(server, db, t, tmp_path):
    source, copy = tmp_path / "in.txt", tmp_path / "out.txt"
    rows = [f"{i}\ttext {i}\t\u20ac{i}\t{i}.125\t2020-01-02 03:04:05.678\t"
            f"{i % 256:02x}" for i in range(1, 501)]
    rows[0] = "1\t\t\t\t\t"
    source.write_text("\n".join(rows) + "\n", encoding="utf-8")
    code, out = freebcp(server, t, "in", source, "-c", "-b", "100")
    assert code == 0 and "500 rows copied" in out, out
    assert db.value(f"SELECT COUNT(*) FROM {t}") == 500
    assert db.row(f"SELECT * FROM {t} WHERE id = 1") == \
        (1, None, None, None, None, None)
    assert db.row(f"SELECT * FROM {t} WHERE id = 7") == \
        (7, "text 7", "\u20ac7", D("7.125"),
         datetime.datetime(2020, 1, 2, 3, 4, 5, 678000), b"\7")
    code, out = freebcp(server, t, "out", copy, "-c")
    assert code == 0, out
    lines = copy.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 500 and lines[6].startswith("7\ttext 7\t\u20ac7\t")
    code, out = freebcp(server, f"SELECT id, v FROM {t} WHERE id < 4 ORDER BY "
                        "id", "queryout", copy, "-c", "-t", "|")
    assert code == 0, out
    assert copy.read_text() == "1|\n2|text 2\n3|text 3\n"


def test_constraints_and_triggers(server, db, database, name, tmp_path):
    table = f"{database}.dbo.{name}"
    db.run(f"CREATE TABLE {name} (id int PRIMARY KEY, q int CHECK (q > 0)); "
           f"CREATE TABLE {name}_log (n int)")
    db.run(f"CREATE TRIGGER tr_{name} ON {name} AFTER INSERT AS INSERT "
           f"{name}_log SELECT COUNT(*) FROM inserted")
    path = tmp_path / "rows"
    path.write_text("1\t5\n2\t-5\n")
    code, out = freebcp(server, table, "in", path, "-c")
    assert code == 0, out  # unless told otherwise neither is looked at
    assert db.rows(f"SELECT * FROM {name} ORDER BY id") == [(1, 5), (2, -5)]
    assert db.value(f"SELECT COUNT(*) FROM {name}_log") == 0
    db.run(f"DELETE {name}")
    code, out = freebcp(server, table, "in", path, "-c", "-h",
                        "CHECK_CONSTRAINTS")
    assert "547" in out or code != 0
    assert db.rows(f"SELECT * FROM {name}") == []
    path.write_text("1\t5\n2\t6\n")
    code, out = freebcp(server, table, "in", path, "-c", "-h",
                        "FIRE_TRIGGERS")
    assert code == 0, out
    assert db.column(f"SELECT n FROM {name}_log") == [2]


def test_identity(server, db, database, name, tmp_path):
    table = f"{database}.dbo.{name}"
    db.run(f"CREATE TABLE {name} (id int IDENTITY(10,1), v varchar(10))")
    path = tmp_path / "rows"
    path.write_text("100\ta\n200\tb\n")
    code, out = freebcp(server, table, "in", path, "-c", "-E")
    assert code == 0, out
    assert db.column(f"SELECT id FROM {name} ORDER BY id") == [100, 200]
    db.run(f"INSERT {name} (v) VALUES ('c')")
    assert db.value(f"SELECT MAX(id) FROM {name}") == 201
    db.run(f"TRUNCATE TABLE {name}")
    code, out = freebcp(server, table, "in", path, "-c")
    assert code == 0, out
    assert db.column(f"SELECT id FROM {name} ORDER BY id") == [10, 11]


def test_failures(server, db, t, tmp_path):
    path = tmp_path / "rows"
    path.write_text("1\ta\t\t\t\t\n1\tb\t\t\t\t\n")
    code, out = freebcp(server, t, "in", path, "-c")
    assert "2627" in out
    assert db.value(f"SELECT COUNT(*) FROM {t}") == 0
    code, out = freebcp(server, t.rsplit(".", 1)[0] + ".nowhere", "in", path,
                        "-c")
    assert code != 0 and ("208" in out or "nowhere" in out)


def test_batches_are_transactions(server, db, t, tmp_path):
    path = tmp_path / "rows"
    path.write_text("".join(f"{i}\ta\t\t\t\t\n" for i in
                            [1, 2, 3, 4, 5, 5, 6, 7]))
    freebcp(server, t, "in", path, "-c", "-b", "2")
    ids = db.column(f"SELECT id FROM {t} ORDER BY id")
    assert ids[:4] == [1, 2, 3, 4] and ids.count(5) <= 1


def test_python_tds_copy_to(db, name):
    db.run(f"CREATE TABLE {name} (id int, v nvarchar(max), d date, x "
           "decimal(10,2), b varbinary(max), f float, g bit)")
    columns = [
        pytds.Column("id", type=pytds.tds_types.IntType()),
        pytds.Column("v", type=pytds.tds_types.NVarCharMaxType()),
        pytds.Column("d", type=pytds.tds_types.DateType()),
        pytds.Column("x", type=pytds.tds_types.DecimalType(10, 2)),
        pytds.Column("b", type=pytds.tds_types.VarBinaryMaxType()),
        pytds.Column("f", type=pytds.tds_types.FloatType()),
        pytds.Column("g", type=pytds.tds_types.BitType())]
    rows = [(i, "\u20ac" * (i * 50), datetime.date(1 + i, 1, 1),
             D(i) / 4, os.urandom(i * 30), i / 8, bool(i % 2))
            for i in range(200)]
    rows.append((None,) * 7)
    rows.append((9999, "L" * 3000000, datetime.date(9999, 12, 31), D("-0.01"),
                 b"\0" * 2000000, 1e-300, True))
    db.cursor.copy_to(table_or_view=name, columns=columns, data=rows)
    found = db.rows(f"SELECT * FROM {name}")
    assert sorted(found, key=lambda r: (r[0] is None, r[0])) == \
        sorted(rows, key=lambda r: (r[0] is None, r[0]))


def test_python_tds_keep_nulls_and_defaults(db, name):
    db.run(f"CREATE TABLE {name} (id int, v int DEFAULT 7, c AS id * 2)")
    db.cursor.copy_to(io.StringIO("1\t\n2\t5\n"), name, columns=["id", "v"],
                      null_string="")
    assert db.rows(f"SELECT * FROM {name} ORDER BY id") == [
        (1, 7, 2), (2, 5, 4)]
    db.cursor.copy_to(io.StringIO("3\t\n"), name, columns=["id", "v"],
                      null_string="", keep_nulls=True)
    assert db.row(f"SELECT * FROM {name} WHERE id = 3") == (3, None, 6)


def test_not_null(db, name):
    db.run(f"CREATE TABLE {name} (id int NOT NULL, v int)")
    with pytest.raises(pytds.DatabaseError) as caught:
        db.cursor.copy_to(io.StringIO("\t1\n"), name, columns=["id", "v"],
                          null_string="")
    assert caught.value.number == 515
    assert db.rows(f"SELECT * FROM {name}") == []


def test_inside_a_transaction(db, connect, name):
    db.run(f"CREATE TABLE {name} (id int, v int)")
    db.run("BEGIN TRAN")
    db.cursor.copy_to(io.StringIO("1\t2\n"), name, columns=["id", "v"])
    assert db.value(f"SELECT COUNT(*) FROM {name}") == 1
    db.run("ROLLBACK")
    assert db.value(f"SELECT COUNT(*) FROM {name}") == 0


def test_temporary_table(db):
    db.run("CREATE TABLE #load (id int, v varchar(10))")
    db.cursor.copy_to(io.StringIO("1\ta\n2\tb\n"), "#load",
                      columns=["id", "v"])
    assert db.rows("SELECT * FROM #load ORDER BY id") == [(1, "a"), (2, "b")]


def test_too_long(db, name):
    db.run(f"CREATE TABLE {name} (v varchar(3))")
    with pytest.raises(pytds.DatabaseError) as caught:
        db.cursor.copy_to(io.StringIO("abcdef\n"), name, columns=["v"])
    assert caught.value.number in (2628, 8152, 4863, 4815)
    assert db.rows(f"SELECT * FROM {name}") == []


@pytest.mark.threads
def test_large(server, db, t, tmp_path):
    path = tmp_path / "rows"
    with open(path, "w", encoding="utf-8") as file:
        for i in range(30000):
            file.write(f"{i}\tsome text {i}\t\u00e9{i}\t{i}.5\t"
                       "2020-01-02 03:04:05\t0a0b\n")
    code, out = freebcp(server, t, "in", path, "-c", "-A", "32000",
                        "-h", "TABLOCK")
    assert code == 0, out
    assert db.row(f"SELECT COUNT(*), SUM(CAST(id AS bigint)) FROM {t}") == \
        (30000, 449985000)
