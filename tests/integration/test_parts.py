"""Large tables: loaded in parts by several readers, resumed after a crash."""
import time

import pytest

from support import dataflow

ROWS = 6000


@pytest.fixture
def parts(world):
    """Everything is large here."""
    world.config(load_part_rows=1000, load_readers=3)
    return world


def fill(world, table, columns, key, rows=ROWS):
    world.on_source(f"CREATE TABLE {table} ({columns})")
    world.on_source(
        f"WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < "
        f"{rows}) INSERT INTO {table} SELECT {key}, CONCAT(N'value ', i) "
        "FROM n OPTION (MAXRECURSION 0)")


def logged(world, text):
    return world.control("SELECT COUNT(*) FROM sync_logs WHERE log_message "
                         f"LIKE N'%{text}%'")[0][0]


KEYS = {
    "int": ("k INT NOT NULL PRIMARY KEY, v NVARCHAR(20)", "i"),
    "bigint": ("k BIGINT NOT NULL PRIMARY KEY, v NVARCHAR(20)",
               "i * CONVERT(BIGINT, 4000000000)"),
    "decimal": ("k DECIMAL(20, 3) NOT NULL PRIMARY KEY, v NVARCHAR(20)",
                "i / 8.0"),
    "money": ("k MONEY NOT NULL PRIMARY KEY, v NVARCHAR(20)", "i / 4.0"),
    "nvarchar": ("k NVARCHAR(40) NOT NULL PRIMARY KEY, v NVARCHAR(20)",
                 "CONCAT(N'schlüssel ', i * 7919 % 6007)"),
    "varchar": ("k VARCHAR(40) NOT NULL PRIMARY KEY, v NVARCHAR(20)",
                "CONCAT('key ', i)"),
    "other code page": ("k VARCHAR(40) COLLATE Cyrillic_General_CI_AS NOT "
                        "NULL PRIMARY KEY, v NVARCHAR(20)",
                        "CONCAT(N'ключ ', i)"),
    "case": ("k VARCHAR(40) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY,"
             " v NVARCHAR(20)",
             "CONCAT(CASE i % 2 WHEN 0 THEN 'a' ELSE 'A' END, i / 2)"),
    "guid": ("k UNIQUEIDENTIFIER NOT NULL PRIMARY KEY, v NVARCHAR(20)",
             "NEWID()"),
    "datetime2": ("k DATETIME2(7) NOT NULL PRIMARY KEY, v NVARCHAR(20)",
                  "DATEADD(HOUR, i, CONVERT(DATETIME2(7), '0001-01-01'))"),
    "datetime": ("k DATETIME NOT NULL PRIMARY KEY, v NVARCHAR(20)",
                 "DATEADD(MINUTE, i, '20200101')"),
    "date": ("k DATE NOT NULL PRIMARY KEY, v NVARCHAR(20)",
             "DATEADD(DAY, i, CONVERT(DATE, '1700-01-01'))"),
    "binary": ("k VARBINARY(20) NOT NULL PRIMARY KEY, v NVARCHAR(20)",
               "CONVERT(VARBINARY(20), i * 65537)"),
    "composite": ("k INT NOT NULL, j INT NOT NULL, v NVARCHAR(20), "
                  "PRIMARY KEY (k, j)", "i / 1000, i"),
    "descending": ("k INT NOT NULL, v NVARCHAR(20), PRIMARY KEY (k DESC)",
                   "i"),
    "float": ("k FLOAT NOT NULL PRIMARY KEY, v NVARCHAR(20)", "i / 3e0"),
    "not clustered": ("k INT NOT NULL PRIMARY KEY NONCLUSTERED, "
                      "v NVARCHAR(20)", "i"),
    "heap": ("k INT NOT NULL, v NVARCHAR(20)", "i"),
}

# Those that are read in one go: nobody can, or should, cut them.
WHOLE = {"other code page", "float", "not clustered", "heap"}


@pytest.mark.parametrize("case", KEYS)
def test_every_kind_of_key(parts, case):
    columns, key = KEYS[case]
    fill(parts, "t", columns, key)
    parts.add_mapping("t", cdc=0)
    parts.start()
    parts.wait_equal("t")
    assert logged(parts, "loading in % parts") == (case not in WHOLE)
    assert parts.errors() == []
    status = parts.control("SELECT records_processed, status FROM sync_status")
    assert status == [(ROWS, "COMPLETED")]


@pytest.mark.threads
def test_into_a_table_with_indexes(parts):
    fill(parts, "t", KEYS["int"][0], "i")
    parts.enable_cdc("t")
    parts.on_dest("CREATE TABLE t (k INT NOT NULL CONSTRAINT pk PRIMARY KEY, "
                  "v NVARCHAR(20) NULL CONSTRAINT c CHECK (v LIKE N'%a%'))")
    parts.on_dest("CREATE INDEX by_v ON t (v) INCLUDE (k)")
    parts.on_dest("INSERT INTO t VALUES (-1, N'a')")
    parts.add_mapping("t")
    parts.start()
    parts.wait_equal("t")
    assert logged(parts, "loading in % parts") == 1
    parts.on_source("UPDATE t SET v = N'again' WHERE k % 100 = 0; "
                    "DELETE FROM t WHERE k < 50")
    parts.wait_equal("t")
    names = parts.on_dest("SELECT name FROM sys.indexes WHERE object_id = "
                          "OBJECT_ID(N't') ORDER BY index_id")
    assert names == [("pk",), ("by_v",)]


def done(world):
    if not world.on_dest("SELECT OBJECT_ID(N'dataflow.load_parts')")[0][0]:
        return 0
    return world.on_dest("SELECT COUNT(*) FROM dataflow.load_parts "
                         "WITH (NOLOCK) WHERE is_done = 1")[0][0]


def slow_parts(world):
    """Each part takes its time: there is something to interrupt."""
    if world.dest.is_standin:
        world.dest.query("EXEC sys.sp_tdsd_fault 'stall', "
                         "@match = N'%UPDATE dataflow.load_parts%', "
                         f"@milliseconds = 400, @times = 0, @database = '{world.dst_db}'")


@pytest.mark.threads
@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_goes_on_after_a_crash(parts, how):
    fill(parts, "t", KEYS["int"][0], "i", 12000)
    parts.enable_cdc("t")
    parts.on_dest("CREATE TABLE t (k INT NOT NULL PRIMARY KEY, "
                  "v NVARCHAR(20) NULL)")
    parts.on_dest("INSERT INTO t VALUES (-1, N'old')")
    slow_parts(parts)
    parts.add_mapping("t")
    daemon = parts.start()
    dataflow.wait_for(lambda: done(parts) >= 3, interval=0.02)
    if how == "killed":
        daemon.kill()
    else:
        code, seconds = daemon.stop()
        assert code == 0 and seconds < 5
    finished = done(parts)
    assert 3 <= finished < 13
    assert parts.on_dest("SELECT * FROM t") == [(-1, "old")]
    # What is loaded already changes, too.
    parts.on_source("UPDATE t SET v = N'changed' WHERE k % 3 = 0; "
                    "DELETE FROM t WHERE k % 1000 = 0; "
                    "UPDATE t SET k = k + 50000 WHERE k % 1000 = 1")
    parts.start()
    parts.wait_equal("t")
    assert logged(parts, "that broke off") == 1
    rows = parts.control("SELECT MAX(records_processed) FROM sync_status "
                         "WHERE sync_type = 'FULL_SYNC'")[0][0]
    assert 12000 - 12 <= rows <= 12000
    assert done(parts) == 0
    assert parts.errors() == []


@pytest.mark.parametrize("which", ["part < 3", "part > 7", "is_done = 0"])
def test_starts_anew_when_parts_are_missing(parts, which):
    """Somebody cleaned up by hand."""
    fill(parts, "t", KEYS["int"][0], "i", 12000)
    parts.enable_cdc("t")
    slow_parts(parts)
    parts.add_mapping("t")
    daemon = parts.start()
    dataflow.wait_for(lambda: done(parts) >= 3, interval=0.02)
    daemon.kill()
    parts.on_dest(f"DELETE FROM dataflow.load_parts WHERE {which}")
    parts.start()
    parts.wait_equal("t")
    assert logged(parts, "that broke off") == 0
    assert parts.errors() == []


@pytest.mark.threads
def test_another_daemon_goes_on(parts):
    fill(parts, "t", KEYS["int"][0], "i", 12000)
    parts.enable_cdc("t")
    slow_parts(parts)
    parts.add_mapping("t")
    first = parts.start()
    dataflow.wait_for(lambda: done(parts) >= 3, interval=0.02)
    parts.start()
    time.sleep(0.5)
    first.kill()
    parts.wait_equal("t")
    assert logged(parts, "that broke off") == 1


def test_an_ordered_one_goes_on_before_any_change(parts):
    """Though changes wait for the daemon that comes back."""
    fill(parts, "t", KEYS["int"][0], "i", 12000)
    parts.enable_cdc("t")
    mapping = parts.add_mapping("t")
    daemon = parts.start()
    parts.wait_equal("t")
    dataflow.wait_for(lambda: parts.state(mapping) == "CDC")
    slow_parts(parts)
    parts.request(mapping, "FULL_SYNC")
    dataflow.wait_for(lambda: done(parts) >= 3, interval=0.02)
    daemon.kill()
    parts.on_source("UPDATE t SET v = N'changed' WHERE k % 3 = 0")
    parts.start()
    parts.wait_equal("t")
    assert logged(parts, "that broke off") == 1
    assert parts.errors() == []


def test_nobody_goes_on_with_one_that_changes_have_passed(parts):
    """It would take the table back to when it began, and further than the log
    may reach."""
    parts.config(resync_on_gap=0, max_retry_attempts=1)
    fill(parts, "t", KEYS["int"][0], "i", 12000)
    parts.enable_cdc("t")
    mapping = parts.add_mapping("t")
    parts.start()
    parts.wait_equal("t")
    dataflow.wait_for(lambda: parts.state(mapping) == "CDC")
    parts.dest.query("EXEC sys.sp_tdsd_fault 'error', @error = 547, "
                     "@match = N'%UPDATE dataflow.load_parts%', @nth = 8, "
                     f"@times = 1, @database = '{parts.dst_db}'")
    first = parts.request(mapping, "FULL_SYNC")
    assert parts.answer(first)[0] == "FAILED"
    assert done(parts) >= 3
    parts.on_source("UPDATE t SET v = N'changed' WHERE k % 3 = 0")
    parts.wait_equal("t")
    newest = parts.on_source("SELECT sys.fn_cdc_get_max_lsn()")[0][0].hex()
    dataflow.wait_for(lambda: parts.on_dest(
        "SELECT position FROM dataflow.checkpoints")[0][0].hex() >= newest)
    parts.on_source("EXEC sys.sp_cdc_cleanup_change_table @capture_instance "
                    f"= N'dbo_t', @low_water_mark = 0x{newest}, "
                    "@threshold = 5000")
    second = parts.request(mapping, "FULL_SYNC")
    assert parts.answer(second)[0] == "COMPLETED"
    assert not parts.differences("t")
    parts.on_source("INSERT INTO t VALUES (0, N'after')")
    parts.wait_equal("t")
    assert logged(parts, "that broke off") == 0
    assert parts.errors() == []


def test_waits_for_parts_that_are_rolled_back(parts):
    """As when a server takes its time with what a killed daemon left."""
    fill(parts, "t", KEYS["int"][0], "i", 12000)
    parts.enable_cdc("t")
    slow_parts(parts)
    parts.add_mapping("t")
    daemon = parts.start()
    dataflow.wait_for(lambda: done(parts) >= 3, interval=0.02)
    daemon.kill()
    parts.dest.query("EXEC sys.sp_tdsd_fault 'error', @error = 1222, "
                     "@message = N'Lock request time out period exceeded.', "
                     "@match = N'%TABLOCKX, HOLDLOCK); COMMIT%', @times = 0, "
                     f"@database = '{parts.dst_db}'")
    daemon.start()
    dataflow.wait_for(lambda: "waiting for load_" in daemon.log())
    code, seconds = daemon.stop()
    assert code == 0 and seconds < 5
    daemon.start()
    dataflow.wait_for(lambda: daemon.log().count("waiting for load_") == 2)
    time.sleep(1.5)
    parts.dest.query("EXEC sys.sp_tdsd_fault_clear")
    parts.wait_equal("t")
    assert logged(parts, "that broke off") == 1
    assert daemon.log().count("waiting for load_") == 2
    assert parts.errors() == []


def test_without_capture_it_starts_anew(parts):
    """Nothing would bring the older parts up to date."""
    fill(parts, "t", KEYS["int"][0], "i", 12000)
    slow_parts(parts)
    parts.add_mapping("t", cdc=0)
    daemon = parts.start()
    dataflow.wait_for(lambda: done(parts) >= 3, interval=0.02)
    daemon.kill()
    parts.on_source("UPDATE t SET v = N'changed'")
    parts.start()
    parts.wait_equal("t")
    assert logged(parts, "that broke off") == 0


def test_one_bad_row(parts):
    """One part fails: the others stay for the next attempt."""
    fill(parts, "t", KEYS["int"][0], "i", 12000)
    parts.enable_cdc("t")
    parts.on_dest("CREATE TABLE t (k INT NOT NULL PRIMARY KEY, "
                  "v NVARCHAR(20) NOT NULL)")
    parts.on_source("ALTER TABLE t ALTER COLUMN v NVARCHAR(20) NOT NULL")
    parts.on_dest("INSERT INTO t VALUES (-1, N'old')")
    parts.on_dest("ALTER TABLE t ADD CONSTRAINT c CHECK (k <> 11000)")
    mapping = parts.add_mapping("t")
    parts.start()
    dataflow.wait_for(lambda: parts.errors(mapping))
    assert parts.on_dest("SELECT * FROM t") == [(-1, "old")]
    parts.on_dest("ALTER TABLE t DROP CONSTRAINT c")
    parts.wait_equal("t")
    dataflow.wait_for(lambda: not parts.errors(mapping))


def test_asked_for_by_the_trigger_column(parts):
    """The readers are gone when the column is reset."""
    parts.on_source("CREATE TABLE t (k INT NOT NULL PRIMARY KEY, "
                    "v NVARCHAR(20), sync BIT NOT NULL DEFAULT 1)")
    parts.on_source(
        f"WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < "
        f"{ROWS}) INSERT INTO t (k, v) SELECT i, CONCAT(N'value ', i) FROM n "
        "OPTION (MAXRECURSION 0)")
    parts.enable_cdc("t")
    mapping = parts.add_mapping("t", full_sync_trigger_column="sync")
    daemon = parts.start()
    dataflow.wait_for(lambda: parts.on_source(
        "SELECT COUNT(*) FROM t WHERE sync = 1") == [(0,)])
    parts.wait_equal("t")
    assert logged(parts, "loading in % parts") == 1
    assert daemon.is_running() and parts.errors(mapping) == []
