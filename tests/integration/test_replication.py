"""The main job: full sync, then changes, compared by an independent client."""
import pytest

from support import dataflow

CREATE = """
CREATE TABLE items (
    id INT NOT NULL PRIMARY KEY,
    name NVARCHAR(50) NULL,
    code VARCHAR(20) NULL,
    amount DECIMAL(12, 3) NULL,
    at DATETIME2(7) NULL,
    flag BIT NOT NULL DEFAULT 0,
    data VARBINARY(MAX) NULL
)
"""


def fill(world, first, count, table="items"):
    world.on_source(
        f"WITH n AS (SELECT {first} AS i UNION ALL SELECT i + 1 FROM n "
        f"WHERE i < {first + count - 1}) "
        f"INSERT INTO {table} (id, name, code, amount, at, data) "
        "SELECT i, CONCAT(N'näme ', i), CONCAT('c', i), i / 7.0, "
        "DATEADD(SECOND, i, '2020-01-01'), CONVERT(VARBINARY(8), i) "
        "FROM n OPTION (MAXRECURSION 0)")


@pytest.fixture
def items(world):
    world.on_source(CREATE)
    fill(world, 1, 2500)
    world.enable_cdc("items")
    return world


@pytest.mark.threads
def test_loads_and_follows(items):
    items.add_mapping("items")
    items.start()
    items.wait_equal("items")

    items.on_source("INSERT INTO items (id, name, code) "
                    "VALUES (10001, N'new', 'x'), (10002, NULL, NULL)")
    items.on_source("UPDATE items SET name = N'changed', amount = NULL "
                    "WHERE id BETWEEN 100 AND 150")
    items.on_source("DELETE FROM items WHERE id BETWEEN 200 AND 220")
    items.on_source("UPDATE items SET id = id + 50000 "
                    "WHERE id BETWEEN 300 AND 310")
    items.wait_equal("items")
    assert items.errors() == []


def test_null_is_not_empty_and_blanks_stay(items):
    items.add_mapping("items")
    items.start()
    items.wait_equal("items")
    items.on_source("INSERT INTO items (id, name, code, data) VALUES "
                    "(20001, N'', '', 0x), (20002, NULL, NULL, NULL), "
                    "(20003, N'  x  ', '  y  ', 0x00), "
                    "(20004, N'   ', '   ', 0x2020)")
    items.on_source("UPDATE items SET name = N'' WHERE id = 1")
    items.on_source("UPDATE items SET name = NULL WHERE id = 2")
    items.on_source("UPDATE items SET name = N'tail   ' WHERE id = 3")
    items.wait_equal("items")
    found = items.on_dest(
        "SELECT id, name, DATALENGTH(name), code, DATALENGTH(code), data "
        "FROM items WHERE id > 20000 OR id < 4 ORDER BY id")
    assert found[0][1] == "" and found[1][1] is None
    assert found[2][1:3] == ("tail   ", 14)
    assert found[3][1:] == ("", 0, "", 0, b"")
    assert found[4][1:] == (None, None, None, None, None)
    assert found[5][1:] == ("  x  ", 10, "  y  ", 5, b"\0")
    assert found[6][1:] == ("   ", 6, "   ", 3, b"  ")


def test_one_transaction_with_many_changes_of_one_row(items):
    items.add_mapping("items")
    items.start()
    items.wait_equal("items")
    items.on_source("""
        BEGIN TRANSACTION;
        INSERT INTO items (id, name) VALUES (30001, N'one');
        UPDATE items SET name = N'two' WHERE id = 30001;
        DELETE FROM items WHERE id = 30001;
        INSERT INTO items (id, name) VALUES (30001, N'three');
        UPDATE items SET name = N'four' WHERE id = 30001;
        UPDATE items SET id = 30002 WHERE id = 1;
        UPDATE items SET id = 1 WHERE id = 2;
        DELETE FROM items WHERE id = 3;
        INSERT INTO items (id, name) VALUES (3, N'again');
        COMMIT;""")
    items.wait_equal("items")
    assert items.on_dest("SELECT name FROM items WHERE id = 30001") == \
        [("four",)]


def test_a_rolled_back_transaction_leaves_no_trace(items):
    items.add_mapping("items")
    items.start()
    items.wait_equal("items")
    items.on_source("BEGIN TRANSACTION; DELETE FROM items; ROLLBACK; "
                    "INSERT INTO items (id) VALUES (40001)")
    items.wait_equal("items")


def test_a_large_transaction_arrives_as_one(items):
    """Readers of the destination see all of it or nothing."""
    items.add_mapping("items")
    items.config(batch_size=100)
    items.start()
    items.wait_equal("items")
    items.on_source("BEGIN TRANSACTION; "
                    "UPDATE items SET code = 'moved', flag = 1; COMMIT")
    counts = set()

    def done():
        moved = items.on_dest("SELECT COUNT(*) FROM items WHERE flag = 1")
        counts.add(moved[0][0])
        return moved[0][0] == 2500
    dataflow.wait_for(done, 30, 0.01)
    assert counts <= {0, 2500}
    items.wait_equal("items")


def test_checkpoint_and_its_mirror(items):
    mapping = items.add_mapping("items")
    items.start()
    items.wait_equal("items")
    items.on_source("INSERT INTO items (id) VALUES (50001)")
    items.wait_equal("items")

    def mirrored():
        kept = items.on_dest("SELECT position FROM dataflow.checkpoints "
                             f"WHERE mapping_id = {mapping}")
        shown = items.control("SELECT last_cdc_lsn FROM table_mappings "
                              f"WHERE mapping_id = {mapping}")
        return kept and kept[0][0] == shown[0][0]
    dataflow.wait_for(mirrored, 20, what="the mirror of the checkpoint")
    lsn = items.control("SELECT last_cdc_lsn FROM table_mappings "
                        f"WHERE mapping_id = {mapping}")[0][0]
    newest = items.on_source("SELECT MAX(__$start_lsn) "
                             "FROM cdc.dbo_items_CT")[0][0]
    assert len(lsn) == 10 and lsn >= newest


def test_restart_goes_on_where_it_was(items):
    items.add_mapping("items")
    daemon = items.start()
    items.wait_equal("items")
    assert daemon.stop()[0] == 0
    items.on_source("UPDATE items SET name = N'while it was away' "
                    "WHERE id < 50; DELETE FROM items WHERE id = 60")
    items.start()
    items.wait_equal("items")
    loads = items.control("SELECT COUNT(*) FROM sync_status "
                          "WHERE sync_type = 'FULL_SYNC'")
    assert loads == [(1,)]


def test_composite_key(world):
    world.on_source("CREATE TABLE parts (a INT NOT NULL, b NVARCHAR(10) "
                    "NOT NULL, c INT NULL, PRIMARY KEY (a, b))")
    world.on_source("INSERT INTO parts VALUES (1, N'x', 1), (1, N'y', 2), "
                    "(2, N'x', 3)")
    world.enable_cdc("parts")
    world.add_mapping("parts")
    world.add_mapping("parts", "parts_again", primary_key_column="b, [a]")
    world.start()
    world.wait_equal("parts")
    world.wait_equal("parts", "parts_again")
    world.on_source("UPDATE parts SET c = 20 WHERE a = 1 AND b = N'y'; "
                    "DELETE FROM parts WHERE a = 2; "
                    "INSERT INTO parts VALUES (2, N'z', NULL)")
    world.wait_equal("parts")
    world.wait_equal("parts", "parts_again")


def test_a_gap_is_named_and_healed(items):
    mapping = items.add_mapping("items")
    daemon = items.start()
    items.wait_equal("items")
    daemon.stop()
    items.on_source("UPDATE items SET name = N'lost' WHERE id < 10")
    dataflow.wait_for(lambda: items.on_source(
        "SELECT COUNT(*) FROM cdc.dbo_items_CT WHERE __$operation = 4"
    )[0][0] == 9, 20)
    items.on_source("""
        DECLARE @lsn BINARY(10) = sys.fn_cdc_get_max_lsn();
        EXEC sys.sp_cdc_cleanup_change_table @capture_instance = N'dbo_items',
            @low_water_mark = @lsn, @threshold = 5000""")
    items.start()
    items.wait_equal("items")
    dataflow.wait_for(lambda: items.errors(mapping, resolved=1), 20)
    kind, message, _ = items.errors(mapping, resolved=1)[-1]
    assert kind == "SYNC" and "gone from capture instance" in message
    assert items.errors(mapping) == []


def test_a_clean_up_makes_two_instances_begin_at_once(items):
    """Then the one that was made last is read: it has the new column."""
    mapping = items.add_mapping("items")
    daemon = items.start()
    items.wait_equal("items")
    daemon.stop()
    for on in (items.on_dest, items.on_source):
        on("ALTER TABLE items ADD extra INT NULL")
    items.on_source(
        "EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = "
        "N'items', @role_name = NULL, @capture_instance = N'items_2'")
    items.on_source("UPDATE items SET extra = 1 WHERE id < 10")
    dataflow.wait_for(lambda: items.on_source(
        "SELECT COUNT(*) FROM cdc.items_2_CT WHERE __$operation = 4"
    )[0][0] == 9, 20)
    lsn = items.on_source("SELECT CONVERT(varchar(22), "
                          "sys.fn_cdc_get_max_lsn(), 1)")[0][0]
    for instance in ("dbo_items", "items_2"):
        items.on_source("EXEC sys.sp_cdc_cleanup_change_table "
                        f"@capture_instance = N'{instance}', "
                        f"@low_water_mark = {lsn}, @threshold = 5000")
    assert len(set(items.on_source("SELECT start_lsn FROM "
                                   "cdc.change_tables"))) == 1
    items.start()
    items.wait_equal("items")
    items.on_source("UPDATE items SET extra = 2 WHERE id = 20")
    items.wait_equal("items")
    assert items.errors(mapping) == []


def test_a_gap_stops_the_mapping_if_that_is_wanted(items):
    mapping = items.add_mapping("items")
    items.config(resync_on_gap=0)
    daemon = items.start()
    items.wait_equal("items")
    daemon.stop()
    items.on_source("UPDATE items SET name = N'lost' WHERE id < 10")
    dataflow.wait_for(lambda: items.on_source(
        "SELECT COUNT(*) FROM cdc.dbo_items_CT WHERE __$operation = 4"
    )[0][0] == 9, 20)
    items.on_source("""
        DECLARE @lsn BINARY(10) = sys.fn_cdc_get_max_lsn();
        EXEC sys.sp_cdc_cleanup_change_table @capture_instance = N'dbo_items',
            @low_water_mark = @lsn, @threshold = 5000""")
    items.start()
    dataflow.wait_for(lambda: items.errors(mapping), 20)
    assert items.differences("items")
    assert items.request(mapping, "FULL_SYNC")
    items.wait_equal("items")
    dataflow.wait_for(lambda: not items.errors(mapping), 20)
