"""Tables with columns of their own kind, at either end: temporal ones, sparse
and computed columns, identities, defaults, rowversions, xml."""
import datetime
import re

import pytest

from support import dataflow

SOURCES = ["cdc", "change_tracking"]
LAST = datetime.datetime(9999, 12, 31, 23, 59, 59, 999999)


def temporal(name, hidden=""):
    return (f"CREATE TABLE {name} (id INT NOT NULL PRIMARY KEY, "
            "v VARCHAR(20) NULL, "
            f"f DATETIME2 GENERATED ALWAYS AS ROW START {hidden} NOT NULL, "
            f"u DATETIME2 GENERATED ALWAYS AS ROW END {hidden} NOT NULL, "
            "PERIOD FOR SYSTEM_TIME (f, u)) WITH (SYSTEM_VERSIONING = ON "
            f"(HISTORY_TABLE = dbo.{name}_history))")


def wait_for(world, sql, expected):
    """Until the destination answers so."""
    try:
        dataflow.wait_for(lambda: world.has_table("t") and
                          world.on_dest(sql) == expected)
    except AssertionError:
        found = world.on_dest(sql) if world.has_table("t") else "no table"
        raise AssertionError(f"{found}, not {expected}\n{world.errors()}\n"
                             f"{world.log()}") from None


def wait_same(world, sql):
    wait_for(world, sql, world.on_source(sql))


def full_sync(world, mapping):
    request = world.request(mapping, "FULL_SYNC")
    dataflow.wait_for(lambda: world.control(
        f"SELECT state FROM sync_requests WHERE request_id = {request}")
        == [("COMPLETED",)])


# -- temporal tables

@pytest.mark.parametrize("hidden", ["", "HIDDEN"])
@pytest.mark.parametrize("source", SOURCES)
def test_temporal_source(world, source, hidden):
    """Its period is copied into plain columns."""
    world.on_source(temporal("t", hidden))
    world.on_source("INSERT INTO t (id, v) VALUES (1, 'a'), (2, 'b')")
    world.on_source("UPDATE t SET v = 'c' WHERE id = 2")
    world.enable(source, "t")
    world.add_mapping("t", change_source=source)
    world.start()
    rows = "SELECT id, v, f, u FROM t ORDER BY id"
    wait_same(world, rows)
    assert world.on_dest(
        "SELECT c.name, TYPE_NAME(c.system_type_id), c.scale, "
        "c.generated_always_type, c.is_nullable FROM sys.columns AS c "
        "WHERE c.object_id = OBJECT_ID(N't') ORDER BY c.column_id") == [
        ("id", "int", 0, 0, False), ("v", "varchar", 0, 0, True),
        ("f", "datetime2", 7, 0, False), ("u", "datetime2", 7, 0, False)]
    world.on_source("UPDATE t SET v = 'd' WHERE id = 1; "
                    "DELETE FROM t WHERE id = 2; "
                    "INSERT INTO t (id, v) VALUES (3, 'e')")
    wait_same(world, rows)
    assert world.on_dest("SELECT DISTINCT u FROM t") == [(LAST,)]
    assert world.errors() == []


@pytest.mark.parametrize("mode", ["swap", "truncate"])
@pytest.mark.parametrize("source", SOURCES)
def test_temporal_destination(world, source, mode):
    """The history there has what was changed, and nothing else."""
    world.config(full_sync_mode=mode)
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "v VARCHAR(20) NULL)")
    world.on_source("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    world.enable(source, "t")
    world.on_dest(temporal("t"))
    mapping = world.add_mapping("t", change_source=source)
    world.start()
    rows = "SELECT id, v FROM t ORDER BY id"
    history = "SELECT id, v FROM t_history ORDER BY id, v"
    wait_same(world, rows)
    assert world.on_dest(history) == []
    world.on_source("UPDATE t SET v = 'x' WHERE id = 1")
    wait_same(world, rows)
    world.on_source("DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (4, 'd')")
    wait_same(world, rows)
    assert world.on_dest(history) == [(1, "a"), (2, "b")]
    full_sync(world, mapping)
    assert world.on_dest(rows) == world.on_source(rows)
    if mode == "swap":
        assert world.on_dest(history) == [(1, "a"), (2, "b")]
    world.on_source("UPDATE t SET v = 'X' WHERE id = 1")
    wait_same(world, rows)
    assert (1, "x") in world.on_dest(history)
    assert world.on_dest("SELECT temporal_type FROM sys.tables "
                         "WHERE name = 't'") == [(2,)]
    assert world.errors() == []


def test_a_load_by_difference_is_in_the_history(world):
    """What became different while nobody replicated, and no more."""
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "v VARCHAR(20) NULL)")
    world.on_source("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c'), "
                    "(4, 'same')")
    world.on_dest(temporal("t", "HIDDEN"))
    mapping = world.add_mapping("t", cdc=0)
    world.start()
    wait_same(world, "SELECT * FROM t ORDER BY id")
    world.on_source("UPDATE t SET v = 'A' WHERE id = 1; "
                    "UPDATE t SET v = 'b ' WHERE id = 2; "
                    "DELETE FROM t WHERE id = 3")
    full_sync(world, mapping)
    assert world.on_dest("SELECT * FROM t ORDER BY id") == \
        [(1, "A"), (2, "b "), (4, "same")]
    assert world.on_dest("SELECT id, v FROM t_history ORDER BY id") == \
        [(1, "a"), (2, "b"), (3, "c")]


@pytest.mark.parametrize("source", SOURCES)
def test_temporal_at_both_ends(world, source):
    """Each side has its own time."""
    world.on_source(temporal("t"))
    world.on_source("INSERT INTO t (id, v) VALUES (1, 'a')")
    world.enable(source, "t")
    world.on_dest(temporal("t"))
    world.add_mapping("t", change_source=source)
    world.start()
    wait_same(world, "SELECT id, v, u FROM t")
    world.on_source("UPDATE t SET v = 'b'")
    wait_same(world, "SELECT id, v, u FROM t")
    assert world.on_dest("SELECT f FROM t") > world.on_source("SELECT f FROM t")
    assert world.on_dest("SELECT id, v FROM t_history") == [(1, "a")]


def test_history_tables(world):
    """Read as any other one, never written."""
    world.on_source(temporal("t"))
    world.on_source("INSERT INTO t (id, v) VALUES (1, 'a'); "
                    "UPDATE t SET v = 'b'")
    world.on_dest(temporal("h"))
    world.on_source("CREATE TABLE plain (id INT NOT NULL PRIMARY KEY)")
    world.add_mapping("t_history", "t", cdc=0)
    refused = world.add_mapping("plain", "h_history", cdc=0)
    world.start()
    wait_for(world, "SELECT * FROM t",
             world.on_source("SELECT * FROM t_history"))
    dataflow.wait_for(lambda: world.errors(refused))
    kind, message, _ = world.errors(refused)[0]
    assert kind == "SCHEMA" and "h_history" in message
    assert "map the table it belongs to" in message


# -- sparse columns

WIDE = ("id INT NOT NULL PRIMARY KEY, a INT {0} NULL, b NVARCHAR(20) {0} NULL, "
        "c VARBINARY(MAX) {0} NULL, d DECIMAL(38, 3) {0} NULL")


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("at_source, at_dest", [
    ("SPARSE", None), ("SPARSE", "SPARSE"), ("", "SPARSE")])
def test_sparse_columns(world, source, at_source, at_dest):
    world.on_source(f"CREATE TABLE t ({WIDE.format(at_source)})")
    world.on_source("INSERT INTO t VALUES (1, 1, N'x', 0x00, 1.5), "
                    "(2, NULL, NULL, NULL, NULL), (3, NULL, N'', 0x, NULL)")
    world.enable(source, "t")
    if at_dest:
        world.on_dest(f"CREATE TABLE t ({WIDE.format(at_dest)})")
    mapping = world.add_mapping("t", change_source=source)
    world.start()
    world.wait_equal("t")
    world.on_source("UPDATE t SET a = NULL, b = NULL WHERE id = 1; "
                    "UPDATE t SET c = 0x01 WHERE id = 2; "
                    "DELETE FROM t WHERE id = 3; "
                    "INSERT INTO t (id, d) VALUES (4, -0.001)")
    world.wait_equal("t")
    full_sync(world, mapping)
    assert world.differences("t") == []
    sparse = world.on_dest("SELECT COUNT(*) FROM sys.columns WHERE is_sparse "
                           "= 1 AND object_id = OBJECT_ID(N't')")
    assert sparse == [(4 if at_dest else 0,)]
    assert world.errors() == []


# -- identities, computed columns, defaults

@pytest.mark.parametrize("mode", ["swap", "truncate"])
@pytest.mark.parametrize("source", SOURCES)
def test_identity_key_computed_columns_and_defaults(world, source, mode):
    world.config(full_sync_mode=mode)
    world.on_source("CREATE TABLE t (id INT IDENTITY(7, 3) NOT NULL PRIMARY "
                    "KEY, a INT NOT NULL DEFAULT 5, b AS a * 2, "
                    "p AS a + 1 PERSISTED)")
    world.on_source("INSERT INTO t DEFAULT VALUES; INSERT INTO t (a) "
                    "VALUES (1)")
    world.enable(source, "t")
    world.on_dest("CREATE TABLE t (id INT IDENTITY(1, 1) NOT NULL PRIMARY "
                  "KEY, a INT NOT NULL DEFAULT 9, b AS a * 2, "
                  "p AS a + 1 PERSISTED, "
                  "seen INT NOT NULL DEFAULT 42, note VARCHAR(10) NULL)")
    mapping = world.add_mapping("t", change_source=source)
    world.start()
    shared = "SELECT id, a, b, p FROM t ORDER BY id"
    wait_same(world, shared)
    world.on_source("INSERT INTO t (a) VALUES (8); "
                    "UPDATE t SET a = 6 WHERE id = 7; "
                    "DELETE FROM t WHERE id = 10")
    wait_same(world, shared)
    full_sync(world, mapping)
    assert world.on_dest(shared) == world.on_source(shared)
    assert world.on_dest("SELECT DISTINCT seen, note FROM t") == [(42, None)]
    assert world.errors() == []


def test_computed_columns_of_the_source_are_not_made(world):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "b AS id * 2, s AS 'x' PERSISTED)")
    world.on_source("INSERT INTO t VALUES (1)")
    world.add_mapping("t", cdc=0)
    world.start()
    wait_for(world, "SELECT * FROM t", [(1,)])


def test_an_identity_that_is_not_the_key(world):
    """Rows get the source's numbers, also where a load cannot be switched
    in, and where a number changes under the same key."""
    world.on_source("CREATE TABLE t (k VARCHAR(5) NOT NULL PRIMARY KEY, "
                    "n INT IDENTITY(1, 1) NOT NULL, v INT NULL)")
    world.on_source("INSERT INTO t (k, v) VALUES ('a', 1), ('b', 2)")
    world.on_dest("CREATE TABLE t (k VARCHAR(5) NOT NULL PRIMARY KEY, "
                  "n INT IDENTITY(1, 1) NOT NULL, v INT NULL, w AS v + 1)")
    mapping = world.add_mapping("t", cdc=0)
    world.start()
    shared = "SELECT k, n, v FROM t ORDER BY k"
    wait_same(world, shared)
    world.on_source("DELETE FROM t WHERE k = 'a'; "
                    "INSERT INTO t (k, v) VALUES ('a', 1)")
    full_sync(world, mapping)
    assert world.on_dest(shared) == [("a", 3, 1), ("b", 2, 2)]


# -- rowversion

@pytest.mark.parametrize("source", SOURCES)
def test_rowversion_of_the_source(world, source):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v INT, "
                    "r ROWVERSION)")
    world.on_source("INSERT INTO t (id, v) VALUES (1, 1), (2, 2)")
    world.enable(source, "t")
    world.add_mapping("t", change_source=source)
    world.start()
    world.wait_equal("t")
    world.on_source("UPDATE t SET v = 5 WHERE id = 1; "
                    "DELETE FROM t WHERE id = 2; "
                    "INSERT INTO t (id, v) VALUES (3, 3)")
    world.wait_equal("t")
    assert world.on_dest("SELECT DATA_TYPE, CHARACTER_MAXIMUM_LENGTH FROM "
                         "INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 't' "
                         "AND COLUMN_NAME = 'r'") == [("binary", 8)]


def test_rows_that_are_the_same_are_not_touched(world):
    """A destination with its own rowversion is loaded by difference: each
    of these changes is one of bytes alone, which = does not see."""
    columns = ("id INT NOT NULL PRIMARY KEY, c VARCHAR(10) NULL, "
               "d NVARCHAR(10) NULL, e FLOAT NULL, f DATETIMEOFFSET NULL, "
               "g VARBINARY(10) NULL, h TEXT NULL, i XML NULL")
    world.on_source(f"CREATE TABLE t ({columns})")
    for i in range(1, 11):
        world.on_source(
            f"INSERT INTO t VALUES ({i}, 'a', N'b', 0e0, "
            "'2020-01-01T00:00:00+00:00', 0x01, 'old', N'<a> <b/></a>')")
    world.on_source("INSERT INTO t (id) VALUES (11), (12)")
    world.on_dest(f"CREATE TABLE t ({columns}, own ROWVERSION)")
    mapping = world.add_mapping("t", cdc=0)
    world.start()
    versions = "SELECT id, own FROM t ORDER BY id"
    dataflow.wait_for(lambda: len(world.on_dest(versions)) == 12)
    before = dict(world.on_dest(versions))
    full_sync(world, mapping)
    assert dict(world.on_dest(versions)) == before
    changes = ["c = 'A'", "c = 'a '", "d = N'B'", "e = -0e0",
               "f = '2020-01-01T01:00:00+01:00'", "g = 0x0100", "h = 'Old'",
               "i = CONVERT(xml, N'<a> <b/></a>', 1)", "c = NULL"]
    for i, change in enumerate(changes, start=1):
        world.on_source(f"UPDATE t SET {change} WHERE id = {i}")
    world.on_source("UPDATE t SET c = '' WHERE id = 11")
    full_sync(world, mapping)
    after = dict(world.on_dest(versions))
    assert [i for i in after if after[i] != before[i]] == \
        list(range(1, len(changes) + 1)) + [11]
    raw = ("SELECT id, CONVERT(varbinary(max), c), CONVERT(varbinary(max), d),"
           " CONVERT(varbinary(max), e), CONVERT(varbinary(max), f), g, "
           "CONVERT(varchar(max), h), CONVERT(nvarchar(max), i) "
           "FROM t ORDER BY id")
    assert world.on_dest(raw) == world.on_source(raw)


@pytest.mark.parametrize("source", ["change_tracking", None])
def test_column_sets(world, source):
    """The sparse columns travel, and the set is made of them at either end.
    Change data capture does not know column sets."""
    columns = ("id INT NOT NULL PRIMARY KEY, a INT SPARSE NULL, b NVARCHAR(20)"
               " SPARSE NULL, s XML COLUMN_SET FOR ALL_SPARSE_COLUMNS")
    world.on_source(f"CREATE TABLE t ({columns})")
    world.on_source("INSERT INTO t (id, a, b) VALUES (1, 1, N'x'), "
                    "(2, NULL, NULL)")
    if source:
        world.enable(source, "t")
        world.on_dest(f"CREATE TABLE t ({columns})")
    mapping = world.add_mapping("t", cdc=1 if source else 0,
                                change_source=source or "cdc")
    world.start()
    rows = "SELECT id, a, b FROM t ORDER BY id"
    wait_same(world, rows)
    assert len(world.on_dest("SELECT * FROM t")[0]) == (2 if source else 3)
    world.on_source("UPDATE t SET a = 5, b = NULL WHERE id = 1; "
                    "DELETE FROM t WHERE id = 2; "
                    "INSERT INTO t (id, b) VALUES (3, N'ж')")
    if source:
        wait_same(world, rows)
    full_sync(world, mapping)
    assert world.on_dest(rows) == world.on_source(rows)
    if source:
        assert world.differences("t") == []
    assert world.errors() == []


# -- names

def asked_of(world):
    """All statements to each server, which does not count any more."""
    asked = {}
    for server, database in ((world.source, world.src_db),
                             (world.dest, world.dst_db)):
        asked[server] = [row[0] for row in server.query(
            "SELECT statement_text FROM sys.dm_tdsd_statements "
            f"WHERE database_name = N'{database}'")]
        server.query("EXEC sys.sp_tdsd_option N'count_statements', 0")
    return asked


def test_names_that_differ_in_case(world):
    """Each server is asked by its own names: they may tell case apart."""
    if not world.source.is_standin:
        pytest.skip("only the stand-in counts statements")
    world.on_source("CREATE TABLE t (Kk INT NOT NULL, Kj INT NOT NULL, "
                    "Vv INT NULL, Flag BIT NOT NULL DEFAULT 0, "
                    "PRIMARY KEY (Kk, Kj))")
    world.on_dest("CREATE TABLE t (kK INT NOT NULL, kJ INT NOT NULL, "
                  "vV INT NULL, fLAG BIT NOT NULL, PRIMARY KEY (kK, kJ))")
    world.on_source("INSERT INTO t VALUES (1, 1, 1, 1)")
    world.enable("cdc", "t")
    for server in (world.source, world.dest):
        server.query("EXEC sys.sp_tdsd_option N'count_statements', 1")
    world.add_mapping("t", full_sync_trigger_column="flaG")
    daemon = world.start()
    wait_same(world, "SELECT kk, kj, vv FROM t")
    world.on_source(
        "WITH n AS (SELECT 2 AS i UNION ALL SELECT i + 1 FROM n WHERE i < "
        "900) INSERT INTO t SELECT i, i, 1, 0 FROM n OPTION (MAXRECURSION 0)")
    world.on_source("UPDATE t SET Vv = 3 WHERE Kk = 1")
    wait_same(world, "SELECT kk, kj, vv FROM t ORDER BY 1, 2")
    daemon.stop()
    asked = asked_of(world)
    changes = [sql for sql in asked[world.dest] if "#dataflow_changes" in sql]
    assert len(changes) > 3
    for sql in changes:
        assert not re.search(r"\[(Kk|Kj|Vv|Flag)\]", sql), sql
    reset = [sql for sql in asked[world.source] if "UPDATE asked" in sql]
    assert reset and all("[Flag]" in sql for sql in reset)
    assert not [sql for sql in asked[world.source] if "[flaG]" in sql]


def test_keys_that_differ_in_case_are_compared(world):
    """Stretches, digests and rows of either side, each by its own names."""
    if not world.source.is_standin:
        pytest.skip("only the stand-in counts statements")
    world.config(verification_interval_minutes=0)
    world.on_source("CREATE TABLE t (Kk INT NOT NULL, Kj INT NOT NULL, "
                    "Vv INT NULL, PRIMARY KEY (Kk, Kj))")
    world.on_dest("CREATE TABLE t (kK INT NOT NULL, kJ INT NOT NULL, "
                  "vV INT NULL, PRIMARY KEY (kK, kJ))")
    world.on_source(
        "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < "
        "25000) INSERT INTO t SELECT i / 10, i, 1 FROM n "
        "OPTION (MAXRECURSION 0)")
    world.enable("cdc", "t")
    mapping = world.add_mapping("t")
    daemon = world.start()
    wait_same(world, "SELECT COUNT(*), SUM(kj) FROM t")
    for server in (world.source, world.dest):
        server.query("EXEC sys.sp_tdsd_option N'count_statements', 1")
    for order in ("N'VERIFY', N'WHOLE', NULL", "N'REPAIR', N'WHOLE', NULL",
                  "N'RESYNC', NULL, N'kk = 70'"):
        world.on_dest("UPDATE t SET vv = 2 WHERE kj IN (7, 700, 24000)")
        world.on_dest("DELETE t WHERE kj BETWEEN 9000 AND 9100")
        world.on_dest("INSERT INTO t VALUES (3000, 30000, 1)")
        world.control("INSERT INTO sync_requests (mapping_id, request_type, "
                      f"scope, where_condition) VALUES ({mapping}, {order})")
        state = dataflow.wait_for(lambda: world.control(
            "SELECT state, answer FROM sync_requests WHERE state NOT IN "
            "(N'PENDING', N'RUNNING') AND request_id = (SELECT "
            "MAX(request_id) FROM sync_requests)"), 60)
        assert state[0][0] == "COMPLETED", state
        world.on_dest("DELETE t WHERE kj = 30000")
    daemon.stop()
    asked = asked_of(world)
    for server, own, others in ((world.source, r"t\.\[Kk\]", "kK|kJ|vV"),
                                (world.dest, r"t\.\[kK\]", "Kk|Kj|Vv")):
        for words in ("#dataflow_low", "#dataflow_keys", "MD5"):
            assert [s for s in asked[server] if words in s], words
        assert [s for s in asked[server] if re.search(own, s)]
        odd = [s for s in asked[server]
               if re.search(rf"\b[a-z]\.\[({others})\]", s)]
        assert not odd, odd[0]


# -- memory-optimized tables

IN_MEMORY = ("(id INT NOT NULL PRIMARY KEY NONCLUSTERED, v NVARCHAR(20) NULL, "
             "flag BIT NOT NULL) WITH (MEMORY_OPTIMIZED = ON)")


def test_a_memory_optimized_source(world):
    """No session at SNAPSHOT reads it, and no plain transaction."""
    if not world.source.is_standin:
        pytest.skip("a real server wants a filegroup for it")
    world.on_source(f"ALTER DATABASE {world.src_db} SET "
                    "ALLOW_SNAPSHOT_ISOLATION ON")
    world.on_source(f"CREATE TABLE t {IN_MEMORY}")
    world.on_source("INSERT INTO t VALUES (1, N'a', 1), (2, N'b', 0)")
    mapping = world.add_mapping("t", cdc=0, full_sync_trigger_column="flag")
    world.start()
    wait_same(world, "SELECT id, v FROM t ORDER BY id")
    for kind in ("VERIFY", "REPAIR"):
        world.on_dest("UPDATE t SET v = N'x' WHERE id = 2")
        world.control("INSERT INTO sync_requests (mapping_id, request_type, "
                      f"scope) VALUES ({mapping}, N'{kind}', N'WHOLE')")
        dataflow.wait_for(lambda: world.control(
            "SELECT state, answer FROM sync_requests WHERE state IN "
            "(N'COMPLETED', N'FAILED') AND request_id = (SELECT "
            "MAX(request_id) FROM sync_requests)"))
    wait_same(world, "SELECT id, v FROM t ORDER BY id")
    assert not [e for e in world.errors() if e[0] != "VERIFICATION"]
    for source in SOURCES:
        mapping = world.add_mapping("t", source, change_source=source)
        dataflow.wait_for(lambda: world.errors(mapping))
        kind, message, _ = world.errors(mapping)[0]
        assert kind == "SCHEMA" and "cdc_enabled to 0" in message


def test_a_memory_optimized_destination(world):
    if not world.dest.is_standin:
        pytest.skip("a real server wants a filegroup for it")
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    world.on_dest(f"CREATE TABLE t {IN_MEMORY}")
    mapping = world.add_mapping("t", cdc=0)
    world.start()
    dataflow.wait_for(lambda: world.errors(mapping))
    kind, message, _ = world.errors(mapping)[0]
    assert kind == "SCHEMA" and "memory-optimized" in message
