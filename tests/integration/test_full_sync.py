"""Full syncs: what asks for them, what they leave alone, what they refuse."""
import threading
import time

import pytest

from support import dataflow


def make(world, rows=1000, extra=""):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    f"v NVARCHAR(40) NULL{extra})")
    world.on_source(
        "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n "
        f"WHERE i < {rows}) INSERT INTO t (id, v) "
        "SELECT i, CONCAT(N'v', i) FROM n OPTION (MAXRECURSION 0)")


def loads(world, status="COMPLETED"):
    return world.control("SELECT COUNT(*) FROM sync_status WHERE sync_type = "
                         f"'FULL_SYNC' AND status = '{status}'")[0][0]


def test_trigger_column(world):
    make(world, extra=", please BIT NOT NULL DEFAULT 0")
    world.add_mapping("t", cdc=0, full_sync_trigger_column="please")
    world.start()
    world.wait_equal("t")
    world.on_source("UPDATE t SET v = N'unseen without CDC' WHERE id = 5")
    time.sleep(3)
    assert world.differences("t")
    world.on_source("UPDATE t SET please = 1 WHERE id = 7")
    world.wait_equal("t")
    assert world.on_source("SELECT COUNT(*) FROM t WHERE please = 1") == \
        [(0,)]
    assert world.on_dest("SELECT COUNT(*) FROM t WHERE please = 1") == [(0,)]


def test_trigger_column_with_cdc(world):
    make(world, extra=", please INT NULL")
    world.enable_cdc("t")
    world.add_mapping("t", full_sync_trigger_column="please")
    world.start()
    world.wait_equal("t")
    world.on_source("UPDATE t SET please = 1")
    dataflow.wait_for(lambda: loads(world) == 2)
    world.wait_equal("t")
    assert world.on_dest("SELECT DISTINCT please FROM t") == [(0,)]


@pytest.mark.parametrize("snapshot", ["snapshot", "no snapshot"])
def test_a_look_at_the_trigger_column_holds_nothing_up(world, snapshot):
    """Somebody has a row locked for long: changes go on meanwhile."""
    make(world, extra=", please BIT NOT NULL DEFAULT 0")
    if snapshot == "snapshot":
        world.on_source(f"ALTER DATABASE {world.src_db} SET "
                        "ALLOW_SNAPSHOT_ISOLATION ON")
    world.enable_cdc("t")
    mapping = world.add_mapping("t", full_sync_trigger_column="please")
    daemon = world.start()
    world.wait_equal("t")
    daemon.stop()
    world.on_source("INSERT INTO t (id) VALUES (2001)")
    dataflow.wait_for(lambda: world.on_source(
        "SELECT COUNT(*) FROM cdc.dbo_t_CT") == [(1,)])
    told = "SELECT COUNT(*) FROM sync_logs WHERE log_message LIKE " \
        "N'%looks at the trigger column%'"
    with world.source.connect(world.src_db) as held, held.cursor() as cursor:
        cursor.execute("BEGIN TRANSACTION; UPDATE t SET please = 1 "
                       "WHERE id = 1")
        daemon.start()
        dataflow.wait_for(lambda: world.on_dest(
            "SELECT COUNT(*) FROM t WHERE id = 2001") == [(1,)], 15)
        if snapshot == "no snapshot":
            dataflow.wait_for(lambda: world.control(told) == [(1,)])
        assert loads(world) == 1 and world.errors() == []
        cursor.execute("COMMIT")
    dataflow.wait_for(lambda: loads(world) == 2)
    dataflow.wait_for(lambda: world.on_source(
        "SELECT COUNT(*) FROM t WHERE please = 1") == [(0,)])
    world.wait_equal("t")
    assert world.errors(mapping, resolved=1) == []
    assert world.control(told) == [(int(snapshot == "no snapshot"),)]


def test_request(world):
    make(world)
    mapping = world.add_mapping("t", cdc=0)
    world.start()
    world.wait_equal("t")
    world.on_source("UPDATE t SET v = NULL")
    request = world.request(mapping, "full_sync")
    world.wait_equal("t")

    def answered():
        return world.control("SELECT state, answer FROM sync_requests WHERE "
                             f"request_id = {request} "
                             "AND completed_at IS NOT NULL")
    state, answer = dataflow.wait_for(answered)[0]
    assert state == "COMPLETED" and answer.startswith("1000 rows")
    who = world.control("SELECT requested_by FROM sync_requests "
                        f"WHERE request_id = {request}")
    assert who == [("sa",)]


def test_requests_that_make_no_sense(world):
    make(world, 10)
    mapping = world.add_mapping("t", cdc=0)
    world.start()
    world.wait_equal("t")
    strange = world.request(mapping, "DANCE")
    nobody = world.request(999, "FULL_SYNC")

    def states():
        found = world.control("SELECT request_id, state, answer "
                              "FROM sync_requests ORDER BY request_id")
        return found if all(s != "PENDING" for _, s, _ in found) else None
    found = dict((i, (s, a)) for i, s, a in dataflow.wait_for(states))
    assert found[strange][0] == "REJECTED" and "DANCE" in found[strange][1]
    assert found[nobody][0] == "REJECTED" and "999" in found[nobody][1]


@pytest.mark.threads
def test_pause_and_resume(world):
    make(world, 100)
    world.enable_cdc("t")
    mapping = world.add_mapping("t")
    world.start()
    world.wait_equal("t")
    world.request(mapping, "PAUSE")
    dataflow.wait_for(lambda: world.state(mapping) == "PAUSED")
    world.on_source("UPDATE t SET v = N'paused'")
    time.sleep(3)
    assert world.on_dest("SELECT COUNT(*) FROM t WHERE v = N'paused'") == \
        [(0,)]
    world.request(mapping, "RESUME")
    world.wait_equal("t")


def test_no_initial_sync_if_that_is_wanted(world):
    make(world, 10)
    world.config(initial_full_sync=0)
    mapping = world.add_mapping("t", cdc=0)
    world.start()
    dataflow.wait_for(lambda: world.state(mapping) == "WAITING")
    assert not world.has_table("t")
    world.request(mapping, "FULL_SYNC")
    world.wait_equal("t")


def test_creates_the_destination(world):
    world.on_source("CREATE SCHEMA sales")
    world.on_source("""CREATE TABLE sales.[odd name] (
        k1 INT NOT NULL, k2 NVARCHAR(10) COLLATE Latin1_General_BIN2 NOT NULL,
        a DECIMAL(20, 6) NOT NULL, b VARCHAR(MAX) NULL, c DATETIME NULL,
        d UNIQUEIDENTIFIER NULL, PRIMARY KEY (k2, k1))""")
    world.on_source("INSERT INTO sales.[odd name] VALUES (1, N'x', 1.5, NULL, "
                    "GETDATE(), NEWID())")
    world.add_mapping("odd name", "odd name", cdc=0, source_schema="sales",
                      dest_schema="sales")
    world.start()
    world.wait_equal("sales.[odd name]")
    columns = """SELECT c.name, t.name, c.max_length, c.precision, c.scale,
        c.is_nullable, c.collation_name FROM sys.columns AS c
        INNER JOIN sys.types AS t ON c.user_type_id = t.user_type_id
        WHERE c.object_id = OBJECT_ID(N'sales.[odd name]')
        ORDER BY c.column_id"""
    assert world.on_source(columns) == world.on_dest(columns)
    key = """SELECT c.name FROM sys.indexes AS i
        INNER JOIN sys.index_columns AS x ON i.object_id = x.object_id
            AND i.index_id = x.index_id
        INNER JOIN sys.columns AS c ON x.object_id = c.object_id
            AND x.column_id = c.column_id
        WHERE i.object_id = OBJECT_ID(N'sales.[odd name]')
            AND i.is_primary_key = 1 ORDER BY x.key_ordinal"""
    assert world.on_dest(key) == [("k2",), ("k1",)]


def test_does_not_create_if_that_is_not_wanted(world):
    make(world, 10)
    world.config(create_missing_tables=0)
    mapping = world.add_mapping("t", cdc=0)
    world.start()
    dataflow.wait_for(lambda: world.errors(mapping))
    kind, message, _ = world.errors(mapping)[0]
    assert kind == "SCHEMA" and "create_missing_tables" in message
    world.config(create_missing_tables=1)
    world.wait_equal("t")
    dataflow.wait_for(lambda: not world.errors(mapping))


def test_identity_values_are_kept(world):
    world.on_source("CREATE TABLE t (id INT IDENTITY(5, 5) NOT NULL PRIMARY "
                    "KEY, v INT NULL); INSERT INTO t (v) VALUES (1), (2), (3)"
                    "; DELETE FROM t WHERE v = 2")
    world.on_dest("CREATE TABLE t (id INT IDENTITY(1, 1) NOT NULL PRIMARY KEY,"
                  " v INT NULL)")
    world.enable_cdc("t")
    world.add_mapping("t")
    world.start()
    world.wait_equal("t")
    assert [r[0] for r in world.on_dest("SELECT id FROM t ORDER BY id")] == \
        [5, 15]
    world.on_source("INSERT INTO t (v) VALUES (4); DELETE FROM t WHERE id = 5")
    world.wait_equal("t")
    assert world.on_dest("SELECT COLUMNPROPERTY(OBJECT_ID(N't'), N'id', "
                         "'IsIdentity')") == [(1,)]


@pytest.mark.parametrize("step", [1, -1])
@pytest.mark.parametrize("key", ["id", "k"])
def test_an_identity_goes_on_behind_a_load(world, key, step):
    """After a cut-over the applications' rows get numbers that are free, also
    where no index finds the last one, and the load is not switched in."""
    columns = (f"id INT IDENTITY({step}, {step}) NOT NULL, k INT NOT NULL, "
               f"PRIMARY KEY ({key})")
    world.on_source(f"CREATE TABLE t ({columns})")
    world.on_source("INSERT INTO t VALUES (9), (8), (7), (6), (5)")
    world.on_dest(f"CREATE TABLE t ({columns})")
    mapping = world.add_mapping("t", cdc=0)
    world.start()
    world.wait_equal("t")
    for k in (100, 101):
        world.on_dest(f"INSERT INTO t VALUES ({k})")
        assert world.on_dest(f"SELECT id FROM t WHERE k = {k}") == \
            [((6 if k == 100 or key == "id" else 7) * step,)]
        request = world.request(mapping, "FULL_SYNC")
        dataflow.wait_for(lambda: world.control(
            "SELECT state FROM sync_requests WHERE request_id = "
            f"{request}") == [("COMPLETED",)])
    world.wait_equal("t")


def test_every_difference_is_named_and_nothing_touched(world):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "a NVARCHAR(50) NULL, b DECIMAL(10, 2) NULL, "
                    "c INT NULL, d INT NOT NULL, e DATETIME2 NULL)")
    world.on_source("INSERT INTO t VALUES (1, N'x', 1, 1, 1, NULL)")
    world.on_dest("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                  "a NVARCHAR(20) NULL, b DECIMAL(6, 2) NULL, "
                  "c INT NOT NULL, e DATE NULL, f INT NOT NULL)")
    world.on_dest("INSERT INTO t VALUES (77, N'mine', 1, 1, NULL, 1)")
    mapping = world.add_mapping("t", cdc=0)
    world.start()
    dataflow.wait_for(lambda: world.errors(mapping))
    time.sleep(2)
    assert len(world.errors(mapping)) == 1
    kind, message, _ = world.errors(mapping)[0]
    assert kind == "SCHEMA"
    details = world.control("SELECT error_details FROM error_logs "
                            f"WHERE mapping_id = {mapping}")[0][0]
    for column in ("a", "b", "c", "d", "e", "f"):
        assert f"'{column}'" in message and f"'{column}'" in details, column
    assert world.on_dest("SELECT id, a FROM t") == [(77, "mine")]
    world.on_dest("DROP TABLE t")
    world.wait_equal("t")
    dataflow.wait_for(lambda: not world.errors(mapping))


def test_a_failed_load_leaves_the_old_rows(world):
    make(world, 500)
    world.on_dest("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                  "v NVARCHAR(40) NULL CHECK (v <> N'v444'))")
    world.on_dest("INSERT INTO t VALUES (1, N'old')")
    mapping = world.add_mapping("t", cdc=0)
    world.start()
    dataflow.wait_for(lambda: world.errors(mapping))
    assert world.on_dest("SELECT id, v FROM t") == [(1, "old")]
    world.on_source("UPDATE t SET v = N'mended' WHERE id = 444")
    world.request(mapping, "FULL_SYNC")
    world.wait_equal("t")
    dataflow.wait_for(lambda: not world.errors(mapping))


def watch(world, stop, seen):
    """Count rows again and again, over a connection of its own."""
    with world.dest.connect(world.dst_db) as connection:
        with connection.cursor() as cursor:
            while not stop.is_set():
                cursor.execute("SELECT COUNT(*), MIN(v), MAX(v) FROM t")
                seen.add(cursor.fetchone())


@pytest.mark.parametrize("fixture", ["plain", "referenced", "computed"])
def test_readers_never_see_a_partial_table(world, fixture):
    """Whether by SWITCH, or row by row because something forbids it."""
    make(world, 3000)
    world.on_source("UPDATE t SET v = N'one'")
    extra = ", twice AS (id * 2)" if fixture == "computed" else ""
    world.on_dest("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                  f"v NVARCHAR(40) NULL{extra})")
    if fixture == "referenced":
        world.on_dest("CREATE TABLE child (id INT NOT NULL REFERENCES t (id))")
    mapping = world.add_mapping("t", cdc=0)
    world.start()
    dataflow.wait_for(lambda: loads(world) == 1)
    assert world.on_dest("SELECT COUNT(*) FROM t") == [(3000,)]
    stop, seen = threading.Event(), set()
    thread = threading.Thread(target=watch, args=(world, stop, seen))
    thread.start()
    try:
        world.on_source("DELETE FROM t WHERE id > 2000; "
                        "UPDATE t SET v = N'two'")
        world.request(mapping, "FULL_SYNC")
        dataflow.wait_for(lambda: loads(world) == 2)
        time.sleep(0.5)
    finally:
        stop.set()
        thread.join()
    assert seen == {(3000, "one", "one"), (2000, "two", "two")}


def test_the_destination_keeps_what_belongs_to_it(world):
    make(world, 200)
    world.on_dest("CREATE TABLE t (id INT NOT NULL CONSTRAINT my_key PRIMARY "
                  "KEY, v NVARCHAR(40) NULL CONSTRAINT my_default DEFAULT "
                  "N'?')")
    world.on_dest("CREATE INDEX my_index ON t (v) INCLUDE (id)")
    world.on_dest("CREATE UNIQUE INDEX my_filter ON t (v) WHERE v IS NOT NULL")
    before = world.on_dest("SELECT name, type, is_unique, filter_definition "
                           "FROM sys.indexes WHERE object_id = "
                           "OBJECT_ID(N't') ORDER BY index_id")
    world.add_mapping("t", cdc=0)
    world.start()
    world.wait_equal("t")
    assert before == world.on_dest(
        "SELECT name, type, is_unique, filter_definition FROM sys.indexes "
        "WHERE object_id = OBJECT_ID(N't') ORDER BY index_id")
    assert world.on_dest("SELECT name FROM sys.default_constraints "
                         "WHERE parent_object_id = OBJECT_ID(N't')") == \
        [("my_default",)]
    left = world.on_dest("SELECT name FROM sys.tables AS t "
                         "WHERE SCHEMA_NAME(t.schema_id) = N'dataflow' "
                         "ORDER BY name")
    assert left == [("checkpoints",), ("exceptions",), ("load_parts",),
                    ("loads",)]


# An indexed view; an index that is not the same; a right that is missing.
@pytest.mark.parametrize("number", [3729, 4947, 1088])
def test_what_refuses_a_switch_is_gone_around(world, number):
    if not world.dest.is_standin:
        pytest.skip("only the stand-in has indexed views to order")
    make(world, 200)
    world.on_dest("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                  "v NVARCHAR(40) NULL); INSERT INTO t VALUES (7, N'old')")
    world.dest.query("EXEC sys.sp_tdsd_fault N'error', @match = N'%SWITCH TO%'"
                     f", @error = {number}, @class = 16, @times = 0")
    try:
        world.add_mapping("t", cdc=0)
        world.start()
        world.wait_equal("t")
    finally:
        world.dest.query("EXEC sys.sp_tdsd_fault_clear")
    assert "applied row by row" in world.log()
    assert world.errors() == [] == world.errors(resolved=1)


@pytest.fixture
def switched(world):
    """Did the stand-in get a SWITCH?"""
    if not world.dest.is_standin:
        pytest.skip("only the stand-in counts statements, and takes a "
                    "partition scheme that is not there")
    world.dest.query("EXEC sys.sp_tdsd_option N'count_statements', 1")
    yield lambda: world.dest.query(
        "SELECT COUNT(*) FROM sys.dm_tdsd_statements WHERE statement_text "
        f"LIKE N'%SWITCH TO%' AND database_name = N'{world.dst_db}'")[0][0] > 0
    world.dest.query("EXEC sys.sp_tdsd_option N'count_statements', 0")


def test_a_compressed_table_is_switched_in(world, switched):
    """SWITCH wants the same compression of each index (error 11406)."""
    make(world, 200)
    world.on_dest(
        "CREATE TABLE t (id INT NOT NULL, v NVARCHAR(40) NULL, CONSTRAINT pk "
        "PRIMARY KEY (id) WITH (DATA_COMPRESSION = PAGE) ON [PRIMARY]); "
        "CREATE INDEX i ON t (v) WITH (DATA_COMPRESSION = ROW); "
        "CREATE UNIQUE INDEX u ON t (id, v); INSERT INTO t VALUES (7, N'old')")
    world.add_mapping("t", cdc=0)
    world.start()
    world.wait_equal("t")
    assert switched() and "applied row by row" not in world.log()
    assert world.on_dest(
        "SELECT i.name, p.data_compression_desc FROM sys.indexes AS i INNER "
        "JOIN sys.partitions AS p ON i.object_id = p.object_id AND "
        "i.index_id = p.index_id WHERE i.object_id = OBJECT_ID(N't') "
        "ORDER BY i.name") == [("i", "ROW"), ("pk", "PAGE"), ("u", "NONE")]
    assert world.errors() == [] == world.errors(resolved=1)


def test_an_index_on_a_partition_scheme_is_an_obstacle(world, switched):
    make(world, 200)
    world.on_dest("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                  "v NVARCHAR(40) NULL); INSERT INTO t VALUES (7, N'old'); "
                  "CREATE INDEX i ON t (v) ON scheme (v)")
    world.add_mapping("t", cdc=0)
    world.start()
    world.wait_equal("t")
    assert not switched()
    assert world.errors() == [] == world.errors(resolved=1)


def test_truncate_and_insert_as_an_option(world):
    make(world, 5000)
    world.config(full_sync_mode="truncate")
    world.on_dest("CREATE TABLE t (id INT IDENTITY(1, 1) NOT NULL PRIMARY KEY,"
                  " v NVARCHAR(40) NULL DEFAULT N'default', w INT NULL "
                  "DEFAULT 9)")
    world.on_dest("INSERT INTO t (v) VALUES (N'old')")
    world.on_source("UPDATE t SET v = NULL WHERE id = 3")
    mapping = world.add_mapping("t", cdc=0)
    world.start()
    dataflow.wait_for(lambda: loads(world) == 1)
    left = world.on_source("SELECT id, v FROM t ORDER BY id")
    right = world.on_dest("SELECT id, v FROM t ORDER BY id")
    assert left == right
    assert world.on_dest("SELECT DISTINCT w FROM t") == [(9,)]
    world.on_dest("CREATE TABLE child (id INT NOT NULL REFERENCES t (id))")
    world.request(mapping, "FULL_SYNC")
    dataflow.wait_for(lambda: loads(world) == 2)
    assert world.on_dest("SELECT COUNT(*) FROM t") == [(5000,)]


def test_progress(world):
    make(world, 20000)
    world.config(batch_size=10)
    world.add_mapping("t", cdc=0)
    world.start()
    seen = []

    def watch_run():
        found = world.control(
            "SELECT status, records_processed, records_total, "
            "last_processed_pk, rows_per_second FROM sync_status "
            "WHERE sync_type = 'FULL_SYNC'")
        seen.extend(found)
        return found and found[0][0] == "COMPLETED"
    dataflow.wait_for(watch_run, 60, 0.05)
    last = seen[-1]
    assert last[:3] == ("COMPLETED", 20000, 20000)
    assert last[4] > 0
    # The row is there a moment before its figures.
    totals = {s[2] for s in seen if s[0] == "RUNNING"}
    assert 20000 in totals and totals <= {None, 20000}
    world.wait_equal("t")


def test_a_table_without_a_key(world):
    world.on_source("CREATE TABLE t (a INT NULL, b NVARCHAR(10) NULL)")
    world.on_source("INSERT INTO t VALUES (1, N'x'), (1, N'x'), (NULL, NULL)")
    first = world.add_mapping("t", cdc=0)
    world.enable_cdc("t")
    second = world.add_mapping("t", "t_cdc", cdc=1)
    world.start()
    world.wait_equal("t")
    dataflow.wait_for(lambda: world.errors(second))
    kind, message, _ = world.errors(second)[0]
    assert kind == "SCHEMA" and "no key" in message
    assert world.errors(first) == []
    world.on_source("DELETE TOP (1) FROM t WHERE a = 1")
    world.request(first, "FULL_SYNC")
    world.wait_equal("t")


def test_zero_rows(world):
    make(world, 1)
    world.on_source("DELETE FROM t")
    world.enable_cdc("t")
    world.add_mapping("t")
    world.start()
    world.wait_equal("t")
    world.on_source("INSERT INTO t VALUES (1, N'first')")
    world.wait_equal("t")
    world.on_source("DELETE FROM t")
    world.wait_equal("t")


@pytest.mark.threads
def test_changes_during_the_load_are_not_lost(world):
    make(world, 20000)
    world.enable_cdc("t")
    world.config(batch_size=50)
    world.add_mapping("t")
    world.start()
    dataflow.wait_for(lambda: world.control(
        "SELECT 1 FROM sync_status WHERE sync_type = 'FULL_SYNC'"), 20, 0.01)
    for round_ in range(20):
        world.on_source(f"UPDATE t SET v = N'r{round_}' "
                        f"WHERE id % 20 = {round_}; "
                        f"DELETE FROM t WHERE id = {1000 * round_ + 7}; "
                        f"INSERT INTO t VALUES ({100000 + round_}, N'new')")
    world.wait_equal("t", timeout=60)

    def consistent():
        return world.control("SELECT is_consistent FROM mapping_state")
    assert consistent()
