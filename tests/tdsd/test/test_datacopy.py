"""datacopy, of FreeTDS: from one server's table into another's.

Up to FreeTDS 1.3 it asks for a table's columns with SET FMTONLY, and takes the
answer to SET FMTONLY OFF for a table without any: against every SQL Server it
says "Error in dbnumcols 1" (FreeTDS issue 374). A relay puts in the question
that later releases ask; all else is datacopy's own. It does not know
uniqueidentifier, and sends no Unicode.
"""
import os
import tempfile

import pytest

from clients import Client, run_program
from relay import Relay

ON = "SET FMTONLY ON ".encode("utf-16-le")
OFF = " SET FMTONLY OFF".encode("utf-16-le")
NOTHING = " where 0=1".encode("utf-16-le")


def ask_as_later_releases(data):
    start, end = data.find(ON), data.find(OFF)
    if start < 0 or end < 0:
        return data
    query = data[start + len(ON):end] + NOTHING
    blanks = " ".encode("utf-16-le") * ((len(ON) + len(OFF) - len(NOTHING))
                                        // 2)
    return data[:start] + query + blanks + data[end + len(OFF):]


ALL = ("id int NOT NULL PRIMARY KEY, b bit NULL, i bigint NULL, f float NULL, "
       "r real NULL, d decimal(38,10) NULL, m money NULL, dt datetime NULL, "
       "sd smalldatetime NULL, v varchar(100) NULL, "
       "vb varbinary(50) NULL, t text NULL, "
       "img image NULL, x varchar(max) NULL")


def datacopy(source, dest, *options):
    """Each end is (server, "database/table"): (exit code, output)."""
    handle, path = tempfile.mkstemp(suffix=".conf")
    relays = [Relay(server, rewrite=ask_as_later_releases)
              for server, _ in (source, dest)]
    ends = []
    with os.fdopen(handle, "w") as file:
        for name, relay, table in zip(("one", "two"), relays,
                                      (source[1], dest[1])):
            server = relay.endpoint()
            file.write(f"[{name}]\n\thost = {server.host}\n"
                       f"\tport = {server.port}\n\ttds version = 7.4\n"
                       "\tclient charset = UTF-8\n")
            ends.append(f"{name}/{server.user}/{server.password}/{table}")
    try:
        return run_program(["datacopy", *options, "-S", ends[0],
                            "-D", ends[1]],
                           env={"FREETDSCONF": path, "FREETDS": path})
    finally:
        os.unlink(path)
        for relay in relays:
            relay.close()


def filled(db, name):
    db.run(f"CREATE TABLE {name} ({ALL})")
    db.run(f"INSERT INTO {name} VALUES (1, 1, 9223372036854775807, 1e300, "
           "0.5, 1234567890123456789012345678.0123456789, "
           "-922337203685477.5808, '1753-01-01', '2079-06-06', 'a b ', "
           "0x00FF00, 'old text', 0x010200, "
           "REPLICATE(CAST('y' AS varchar(max)), 30000)), "
           "(2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, "
           "NULL, NULL, NULL)")
    return db.rows(f"SELECT * FROM {name} ORDER BY id")


def test_datacopy_between_two_tables(server, db, database, name):
    expected = filled(db, name)
    db.run(f"CREATE TABLE {name}_to ({ALL}); "
           f"INSERT INTO {name}_to (id) VALUES (3)")
    code, out = datacopy((server, f"{database}/dbo.{name}"),
                         (server, f"{database}/dbo.{name}_to"), "-t", "-T", "100000")
    assert code == 0, out
    assert db.rows(f"SELECT * FROM {name}_to ORDER BY id") == expected
    code, out = datacopy((server, f"{database}/dbo.{name}"),
                         (server, f"{database}/dbo.{name}_to"), "-a", "-T", "100000")
    assert code != 0 or "2627" in out, out  # the keys are there already
    assert db.rows(f"SELECT * FROM {name}_to ORDER BY id") == expected


@pytest.mark.standin
def test_datacopy_between_two_servers(server, db, database, name, own_server):
    db.run(f"CREATE TABLE {name} (id int NOT NULL, v varchar(20) NULL)")
    db.run(f"INSERT INTO {name} SELECT TOP (5000) ROW_NUMBER() OVER (ORDER BY "
           "a.object_id), 'row' FROM sys.all_objects a, sys.all_objects b")
    with Client(own_server) as other:
        other.run("CREATE DATABASE two")
    code, out = datacopy((server, f"{database}/dbo.{name}"),
                         (own_server, "two/rows"), "-c", "dbo", "-b", "1000")
    with Client(own_server, "two") as other:
        assert code == 0, out
        assert other.row("SELECT COUNT(*), MIN(id), MAX(id) FROM dbo.rows") \
            == db.row(f"SELECT COUNT(*), MIN(id), MAX(id) FROM {name}")
        assert other.column("SELECT DISTINCT v FROM dbo.rows") == ["row"]
