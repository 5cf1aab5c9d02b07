"""kill -9 at random moments under load: no change lost, none doubled."""
import random
import threading
import time

from support import dataflow

KILLS = 20


def workload(world, stop, seed):
    """Transactions of all kinds, over one connection, until told to stop."""
    dice = random.Random(seed)
    key = 1000
    with world.source.connect(world.src_db) as connection:
        with connection.cursor() as cursor:
            while not stop.is_set():
                key += 1
                statements = []
                for _ in range(dice.randrange(1, 6)):
                    row = dice.randrange(1, key)
                    statements.append(dice.choice([
                        f"UPDATE w SET n = n + 1 WHERE id = {row}",
                        f"DELETE FROM w WHERE id = {row}",
                        f"UPDATE w SET id = id + 100000 WHERE id = {row} AND "
                        "NOT EXISTS (SELECT 1 FROM w AS o WHERE o.id = "
                        f"{row} + 100000)",
                        f"UPDATE w SET v = CONCAT(N'r', {key}) WHERE id % 50 "
                        f"= {row % 50}",
                    ]))
                cursor.execute(
                    "BEGIN TRANSACTION; INSERT INTO w (id, n, v) VALUES "
                    f"({key}, 0, N'new'); " + "; ".join(statements) +
                    "; COMMIT")
                time.sleep(0.005)


def test_twenty_kills(world):
    world.on_source("CREATE TABLE w (id INT NOT NULL PRIMARY KEY, "
                    "n INT NOT NULL, v NVARCHAR(20) NULL)")
    world.on_source("INSERT INTO w (id, n) SELECT TOP (900) ROW_NUMBER() OVER "
                    "(ORDER BY (SELECT NULL)), 0 FROM sys.all_objects AS a "
                    "CROSS JOIN sys.all_objects AS b")
    world.enable_cdc("w")
    world.add_mapping("w")
    world.config(cdc_window_transactions=20)
    daemon = world.start()
    world.wait_equal("w")
    seed = random.randrange(10**9)
    print(f"seed {seed}")
    dice = random.Random(seed)
    stop = threading.Event()
    thread = threading.Thread(target=workload, args=(world, stop, seed))
    thread.start()
    try:
        for _ in range(KILLS):
            time.sleep(dice.uniform(0.2, 1.2) * dataflow.slowness())
            daemon.kill()
            daemon.start()
    finally:
        stop.set()
        thread.join()
    world.wait_equal("w", timeout=60)
    loads = world.control("SELECT COUNT(*) FROM sync_status WHERE sync_type "
                          "= 'FULL_SYNC'")
    assert loads == [(1,)], "it went on from the checkpoint each time"


def test_killed_in_the_middle_of_loads(world):
    world.on_source("CREATE TABLE w (id INT NOT NULL PRIMARY KEY, "
                    "v NVARCHAR(100) NULL)")
    world.on_source("WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n "
                    "WHERE i < 20000) INSERT INTO w SELECT i, N'x' FROM n "
                    "OPTION (MAXRECURSION 0)")
    world.enable_cdc("w")
    world.config(batch_size=20)
    world.add_mapping("w")
    world.on_dest("CREATE TABLE w (id INT NOT NULL PRIMARY KEY, "
                  "v NVARCHAR(100) NULL)")
    world.on_dest("INSERT INTO w VALUES (-1, N'old')")
    daemon = world.start()
    dice = random.Random(7)
    for _ in range(5):
        time.sleep(dice.uniform(0.3, 0.9))
        daemon.kill()
        counts = world.on_dest("SELECT COUNT(*), MIN(id) FROM w")
        assert counts in ([(1, -1)], [(20000, 1)])
        daemon.start()
    world.config(batch_size=5000)
    world.wait_equal("w", timeout=60)
    left = world.on_dest("SELECT name FROM sys.tables AS t "
                         "WHERE SCHEMA_NAME(t.schema_id) = N'dataflow' "
                         "ORDER BY name")
    assert left == [("checkpoints",), ("exceptions",), ("load_parts",),
                    ("loads",)]


def test_killed_before_a_table_that_was_made_is_full(world):
    """What was stored for the one that was dropped counts no more."""
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v INT)")
    world.on_source("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)")
    world.enable_cdc("t")
    mapping = world.add_mapping("t")
    daemon = world.start()
    world.wait_equal("t")
    world.source.query("EXEC sys.sp_tdsd_fault 'stall', @times = 0, "
                       "@match = N'%FROM [[]dbo].[[]t]%', "
                       f"@milliseconds = 60000, @database = '{world.src_db}'")
    world.on_dest("DROP TABLE t")
    world.on_source("UPDATE t SET v = 10 WHERE id = 1")
    dataflow.wait_for(lambda: world.has_table("t"), interval=0.02)
    daemon.kill()
    assert world.on_dest("SELECT COUNT(*) FROM t") == [(0,)]
    world.source.query("EXEC sys.sp_tdsd_fault_clear")
    daemon.start()
    world.wait_equal("t")
    dataflow.wait_for(lambda: not world.errors(mapping))
