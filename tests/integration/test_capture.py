"""What can be wrong with a source's change log, told apart; large
transactions; change tracking as the other log."""
import time

import pytest

from support import dataflow


@pytest.fixture(params=["cdc", "change_tracking"])
def tracked(world, request):
    """A table that either log follows; add() makes the mapping."""
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "n INT NULL, v NVARCHAR(MAX) NULL)")
    world.on_source("INSERT INTO t VALUES (1, 1, N'one'), (2, 2, N'two'), "
                    "(3, NULL, NULL)")
    if request.param == "cdc":
        world.enable_cdc("t")
    else:
        enable_tracking(world, "t")
    world.add = lambda **more: world.add_mapping(
        "t", change_source=request.param, **more)
    world.log_kind = request.param
    return world


def enable_tracking(world, *tables):
    world.source.query(f"ALTER DATABASE {world.src_db} SET "
                       "ALLOW_SNAPSHOT_ISOLATION ON", "master")
    world.source.query(f"ALTER DATABASE {world.src_db} SET CHANGE_TRACKING = "
                       "ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = ON)",
                       "master")
    for table in tables:
        world.on_source(f"ALTER TABLE {table} ENABLE CHANGE_TRACKING")


def loads(world):
    return world.control("SELECT COUNT(*) FROM sync_status WHERE sync_type = "
                         "'FULL_SYNC' AND status = 'COMPLETED'")[0][0]


def error_of(world, mapping, timeout=30):
    dataflow.wait_for(lambda: world.errors(mapping), timeout)
    return world.errors(mapping)[0]


@pytest.mark.threads
def test_follows(tracked):
    mapping = tracked.add()
    daemon = tracked.start()
    tracked.wait_equal("t")
    tracked.on_source("INSERT INTO t VALUES (4, 4, N''), (5, 5, N'  ')")
    tracked.on_source("UPDATE t SET v = NULL WHERE id = 1; "
                      "DELETE FROM t WHERE id = 2; "
                      "UPDATE t SET id = 30 WHERE id = 3")
    tracked.wait_equal("t")
    tracked.on_source("""
        BEGIN TRANSACTION;
        INSERT INTO t VALUES (9, 1, N'a'); UPDATE t SET n = 2 WHERE id = 9;
        DELETE FROM t WHERE id = 9; INSERT INTO t VALUES (9, 3, N'b');
        DELETE FROM t WHERE id = 30; INSERT INTO t VALUES (30, 7, N'again');
        COMMIT""")
    tracked.wait_equal("t")
    # What happens while it is away is not lost.
    daemon.kill()
    tracked.on_source("UPDATE t SET n = n + 1; DELETE FROM t WHERE id = 9; "
                      "INSERT INTO t VALUES (10, 10, REPLICATE(CONVERT("
                      "NVARCHAR(MAX), N'long '), 20000))")
    daemon.start()
    tracked.wait_equal("t")
    assert loads(tracked) == 1 and tracked.errors(mapping) == []


def test_composite_keys_in_another_order(world):
    world.on_source("CREATE TABLE t (a INT NOT NULL, b NVARCHAR(10) NOT NULL, "
                    "n INT, PRIMARY KEY (b, a))")
    world.on_source("INSERT INTO t VALUES (1, N'x', 1), (2, N'x', 2)")
    enable_tracking(world, "t")
    world.add_mapping("t", change_source="change_tracking")
    world.start()
    world.wait_equal("t")
    world.on_source("UPDATE t SET b = N'y' WHERE a = 1; UPDATE t SET n = 5; "
                    "INSERT INTO t VALUES (3, N'x', 3)")
    world.wait_equal("t")
    assert loads(world) == 1


def test_other_log_begins_with_a_load(world):
    """Positions of one log mean nothing to the other."""
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, n INT)")
    world.on_source("INSERT INTO t VALUES (1, 1)")
    world.enable_cdc("t")
    enable_tracking(world, "t")
    mapping = world.add_mapping("t")
    world.start()
    world.wait_equal("t")
    world.control("UPDATE table_mappings SET change_source = "
                  f"N'change_tracking' WHERE mapping_id = {mapping}")
    dataflow.wait_for(lambda: loads(world) == 2)
    world.on_source("UPDATE t SET n = 2")
    world.wait_equal("t")
    assert world.errors(mapping) == []


def test_tracking_is_not_enabled(world):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    mapping = world.add_mapping("t", change_source="change_tracking")
    world.start()
    kind, message, _ = error_of(world, mapping)
    assert kind == "SCHEMA" and "SET CHANGE_TRACKING = ON" in message
    world.source.query(f"ALTER DATABASE {world.src_db} SET CHANGE_TRACKING = "
                       "ON", "master")
    dataflow.wait_for(lambda: "ENABLE CHANGE_TRACKING" in
                      error_of(world, mapping)[1])
    world.on_source("ALTER TABLE t ENABLE CHANGE_TRACKING")
    dataflow.wait_for(lambda: "ALLOW_SNAPSHOT_ISOLATION ON" in
                      error_of(world, mapping)[1])
    world.source.query(f"ALTER DATABASE {world.src_db} SET "
                       "ALLOW_SNAPSHOT_ISOLATION ON", "master")
    world.wait_equal("t")
    dataflow.wait_for(lambda: not world.errors(mapping))


def test_tracking_by_another_key(world):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "u INT NOT NULL UNIQUE)")
    enable_tracking(world, "t")
    mapping = world.add_mapping("t", change_source="change_tracking",
                                primary_key_column="u")
    world.start()
    dataflow.wait_for(lambda: world.errors(mapping))
    kind, message, _ = error_of(world, mapping)
    assert kind == "SCHEMA" and "primary key" in message


def test_truncated_under_tracking(world):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    world.on_source("INSERT INTO t VALUES (1), (2)")
    enable_tracking(world, "t")
    world.add_mapping("t", change_source="change_tracking")
    world.start()
    world.wait_equal("t")
    world.on_source("TRUNCATE TABLE t; INSERT INTO t VALUES (7)")
    world.wait_equal("t")
    assert loads(world) == 2


AT = ("SELECT CHANGE_TRACKING_CURRENT_VERSION(), "
      "CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID(N't'))")


@pytest.mark.parametrize("how", ["enabled anew", "made anew"])
def test_another_tracking_at_the_same_version(world, how):
    """Its versions do not tell that changes were missed."""
    make = "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, n INT)"
    world.on_source(make)
    world.on_source("INSERT INTO t VALUES (1, 1), (2, 2)")
    enable_tracking(world, "t")
    mapping = world.add_mapping("t", change_source="change_tracking")
    world.start()
    world.wait_equal("t")
    for turn in (1, 2):     # the second time not even where it begins is new
        world.on_source(
            {"enabled anew": "ALTER TABLE t DISABLE CHANGE_TRACKING; "
                             "UPDATE t SET n = n + 1",
             "made anew": f"DROP TABLE t; {make}"}[how])
        world.on_source(f"INSERT INTO t VALUES ({turn + 4}, 5); "
                        "ALTER TABLE t ENABLE CHANGE_TRACKING")
        assert world.on_source(AT) == [(0, 0)]
        world.wait_equal("t")
        dataflow.wait_for(lambda: loads(world) == turn + 1)
        assert "enabled anew" in world.errors(mapping, resolved=1)[-1][1]
    world.on_source("UPDATE t SET n = 9")
    world.wait_equal("t")
    assert loads(world) == 3


def test_a_position_that_is_a_version_alone(world):
    """As all were once: it is gone on from, and becomes a whole one."""
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, n INT)")
    world.on_source("INSERT INTO t VALUES (1, 1)")
    enable_tracking(world, "t")
    mapping = world.add_mapping("t", change_source="change_tracking")
    daemon = world.start()
    world.wait_equal("t")
    world.on_source("UPDATE t SET n = 2")
    world.wait_equal("t")
    daemon.stop()
    assert world.on_dest("SELECT DATALENGTH(position) FROM "
                         "dataflow.checkpoints") == [(32,)]
    world.on_dest("UPDATE dataflow.checkpoints SET position = "
                  "CONVERT(VARBINARY(8), position)")
    daemon.start()
    dataflow.wait_for(lambda: world.on_dest(
        "SELECT DATALENGTH(position) FROM dataflow.checkpoints") == [(32,)])
    world.on_source("ALTER TABLE t DISABLE CHANGE_TRACKING; "
                    "UPDATE t SET n = 3; ALTER TABLE t ENABLE CHANGE_TRACKING")
    world.wait_equal("t")
    assert loads(world) == 2 and not world.errors(mapping)


def test_unknown_change_source(world):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    mapping = world.add_mapping("t", change_source="binlog")
    world.start()
    kind, message, _ = error_of(world, mapping)
    assert kind == "OTHER" and "'binlog'" in message and "'cdc'" in message


def test_agent_is_stopped(world):
    """Nothing is captured: the mapping says why, and goes on afterwards."""
    if not world.source.is_standin:
        pytest.skip("stops SQL Server Agent, which a test cannot")
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    world.source.query("EXEC sys.sp_tdsd_option N'agent_stopped', 1")
    try:
        world.enable_cdc("t")
        mapping = world.add_mapping("t")
        world.start()
        dataflow.wait_for(lambda: world.state(mapping) == "CDC")
        kind, message, _ = error_of(world, mapping)
        assert kind == "SYNC" and "SQL Server Agent" in message
        assert "SQL Server Agent" in world.control(
            "SELECT reason FROM mapping_state")[0][0]
        world.on_source("INSERT INTO t VALUES (1)")

        def health():
            return world.control(
                "SELECT health, lag_seconds FROM v_mapping_health")[0]
        assert health()[0] == "ERROR"
        dataflow.wait_for(lambda: health()[1] >= 3)
        assert world.on_dest("SELECT COUNT(*) FROM t") == [(0,)]
    finally:
        world.source.query("EXEC sys.sp_tdsd_option N'agent_stopped', 0")
    world.wait_equal("t")
    dataflow.wait_for(lambda: not world.errors(mapping))
    dataflow.wait_for(lambda: health() == ("HEALTHY", 0))


def test_nothing_captured_yet_is_no_trouble(world):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    world.enable_cdc("t")
    mapping = world.add_mapping("t")
    world.start()
    dataflow.wait_for(lambda: world.state(mapping) == "CDC")
    time.sleep(15)
    assert world.errors(mapping) == []


def test_a_million_changes_in_one_transaction(world):
    """They arrive as one, and in bounded memory."""
    count = 1000000 if not dataflow.slowness() > 1 else 100000
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, n INT NULL, "
                    "v NVARCHAR(40) NULL)")
    world.enable_cdc("t")
    mapping = world.add_mapping("t")
    daemon = world.start()
    dataflow.wait_for(lambda: world.state(mapping) == "CDC")
    world.on_source(
        "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < "
        "1000) INSERT INTO t SELECT (a.i - 1) * 1000 + b.i, b.i, "
        "CONCAT(N'a value of some length ', b.i) FROM n AS a CROSS JOIN n AS "
        f"b WHERE a.i <= {count // 1000} OPTION (MAXRECURSION 0)")

    def arrived():
        found = world.on_dest("SELECT COUNT(*) FROM t")[0][0]
        assert found in (0, count), "a part of a transaction is seen"
        return found == count
    dataflow.wait_for(arrived, 240, 0.5)
    summary = "SELECT COUNT(*), SUM(CONVERT(BIGINT, id)), SUM(CONVERT(BIGINT, n)), MAX(v) FROM t"
    assert world.on_source(summary) == world.on_dest(summary)
    if dataflow.slowness() == 1:
        assert daemon.peak_mib() < 128
    assert world.errors(mapping) == []


def test_a_source_that_is_read_only(world):
    """As a readable secondary is. What it cannot do is reset a trigger column:
    that is told, and tried more and more seldom."""
    if not world.source.is_standin:
        pytest.skip("it would stay read-only")
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "f BIT NOT NULL)")
    world.on_source("INSERT INTO t VALUES (1, 0), (2, 1)")
    world.enable_cdc("t")
    world.source.query(f"ALTER DATABASE {world.src_db} SET READ_ONLY")
    good = world.add_mapping("t")
    bad = world.add_mapping("t", "t2", full_sync_trigger_column="f")
    world.start()
    world.wait_equal("t")
    dataflow.wait_for(lambda: world.errors(bad))
    assert world.on_dest("SELECT id FROM t2 ORDER BY id") == [(1,), (2,)]
    kind, message, _ = world.errors(bad)[0]
    assert kind == "SYNC" and "'f' cannot be reset" in message
    time.sleep(6)
    assert world.control("SELECT COUNT(*) FROM sync_status WHERE mapping_id "
                         f"= {bad}")[0][0] <= 4
    world.source.query(f"ALTER DATABASE {world.src_db} SET READ_WRITE")
    world.on_source("INSERT INTO t VALUES (3, 0)")
    world.wait_equal("t")
    assert world.errors(good) == []
