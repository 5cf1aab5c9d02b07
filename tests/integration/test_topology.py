"""Mappings that cannot be together, and tables that change while they run."""
import pytest

from support import dataflow


@pytest.fixture
def table(world):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, n INT)")
    world.on_source("INSERT INTO t VALUES (1, 1)")
    world.enable_cdc("t")
    return world


def error_of(world, mapping):
    dataflow.wait_for(lambda: world.errors(mapping))
    return world.errors(mapping)[0]


def test_two_mappings_onto_one_table(table):
    first = table.add_mapping("t", "copy")
    second = table.add_mapping("t", "COPY")
    table.start()
    kind, message, _ = error_of(table, second)
    assert kind == "OTHER" and f"mapping {first} too" in message
    table.wait_equal("t", "copy")
    assert table.errors(first) == []
    # It takes over when the first one makes way.
    table.control(f"UPDATE table_mappings SET is_enabled = 0 WHERE "
                  f"mapping_id = {first}")
    dataflow.wait_for(lambda: not table.errors(second))
    table.on_source("UPDATE t SET n = 2")
    table.wait_equal("t", "copy")


def test_a_mapping_onto_itself_and_a_circle(table):
    """The destination's server is given as a source as well."""
    dest = (f"server={table.dest.address};user id={table.dest.user};"
            f"password={table.dest.password}")
    other = table.add_server("other", dest)
    source = table.connection_string().replace("'", "''")
    table.control("INSERT INTO target_servers (target_name, "
                  f"connection_string) VALUES (N'back', N'{source}')")
    good = table.add_mapping("t", "copy")
    table.on_dest("CREATE TABLE loop (id INT NOT NULL PRIMARY KEY)")
    itself = table.add_mapping("loop", "loop", cdc=0, server_id=other,
                               source_database=table.dst_db)
    back = table.add_mapping("copy", "t", cdc=0, server_id=other, target_id=1,
                             source_database=table.dst_db,
                             dest_database=table.src_db)
    table.start()
    assert "its source and its destination" in error_of(table, itself)[1]
    kind, message, _ = error_of(table, back)
    assert kind == "OTHER" and "closes a circle" in message
    table.wait_equal("t", "copy")
    assert table.errors(good) == []


def test_source_column_is_added(table):
    """The mapping stops and says so; it goes on when both ends agree."""
    mapping = table.add_mapping("t")
    table.start()
    table.wait_equal("t")
    table.on_source("ALTER TABLE t ADD extra NVARCHAR(10) NULL")
    kind, message, _ = error_of(table, mapping)
    assert kind == "SCHEMA" and "'extra'" in message and "missing" in message
    table.on_dest("ALTER TABLE t ADD extra NVARCHAR(10) NULL")

    def wants_instance():
        found = table.errors(mapping)
        return found and "second instance" in found[0][1]
    table.on_source("INSERT INTO t VALUES (2, 2, N'x')")
    dataflow.wait_for(wants_instance)
    table.on_source("EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', "
                    "@source_name = N't', @role_name = NULL, "
                    "@capture_instance = N'dbo_t_2'")
    # A row changed between the two: its new column is in no change table.
    table.wait_equal("t")
    dataflow.wait_for(lambda: not table.errors(mapping))
    table.on_source("UPDATE t SET extra = N'y'; INSERT INTO t VALUES "
                    "(3, 3, NULL)")
    table.wait_equal("t")


def test_source_column_is_dropped_and_added_again(table):
    """The instance has NULL for the one of that name which is gone."""
    mapping = table.add_mapping("t")
    table.start()
    table.wait_equal("t")
    table.on_source("ALTER TABLE t DROP COLUMN n; ALTER TABLE t ADD n INT")
    table.on_source("UPDATE t SET n = 7; INSERT INTO t VALUES (2, 2)")
    kind, message, _ = error_of(table, mapping)
    assert kind == "SCHEMA" and "'n' is not captured by instance" in message
    assert dict(table.on_dest("SELECT id, n FROM t"))[1] is not None
    table.on_source("EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', "
                    "@source_name = N't', @role_name = NULL, "
                    "@capture_instance = N'dbo_t_2'")
    # Its values from between the two are in no change table.
    table.wait_equal("t")
    dataflow.wait_for(lambda: [message for kind, message, _ in
                               table.errors(mapping, resolved=1)
                               if kind == "SYNC" and "'n'" in message])
    table.on_source("UPDATE t SET n = 8; INSERT INTO t VALUES (3, NULL)")
    table.wait_equal("t")
    dataflow.wait_for(lambda: not table.errors(mapping))


def test_second_instance_takes_over_without_a_load(table):
    mapping = table.add_mapping("t")
    table.start()
    table.wait_equal("t")
    table.control(f"INSERT INTO sync_requests (mapping_id, request_type) "
                  f"VALUES ({mapping}, N'PAUSE')")
    dataflow.wait_for(lambda: table.state(mapping) == "PAUSED")
    table.on_source("INSERT INTO t VALUES (2, 2)")
    table.on_source("ALTER TABLE t ADD extra INT NULL")
    table.on_dest("ALTER TABLE t ADD extra INT NULL")
    table.on_source("EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', "
                    "@source_name = N't', @role_name = NULL, "
                    "@capture_instance = N'dbo_t_2'")
    table.on_source("INSERT INTO t VALUES (3, 3, 3); UPDATE t SET extra = 1 "
                    "WHERE id = 1")
    table.control(f"INSERT INTO sync_requests (mapping_id, request_type) "
                  f"VALUES ({mapping}, N'RESUME')")
    table.wait_equal("t")
    # The old one goes: the new one is in use.
    table.on_source("EXEC sys.sp_cdc_disable_table @source_schema = N'dbo', "
                    "@source_name = N't', @capture_instance = N'dbo_t'")
    table.on_source("DELETE FROM t WHERE id = 2; UPDATE t SET extra = 7")
    table.wait_equal("t")
    loads = table.control("SELECT COUNT(*) FROM sync_status WHERE sync_type "
                          "= 'FULL_SYNC'")
    assert loads == [(1,)] and table.errors(mapping) == []


@pytest.mark.parametrize("how", ["dropped", "renamed"])
def test_source_table_goes(table, how):
    mapping = table.add_mapping("t")
    other = table.add_mapping("u", cdc=0)
    table.on_source("CREATE TABLE u (id INT NOT NULL PRIMARY KEY)")
    table.start()
    table.wait_equal("t")
    if how == "dropped":
        table.on_source("DROP TABLE t")
    else:
        table.on_source("EXEC sp_rename N'dbo.t', N'moved'")
    kind, message, _ = error_of(table, mapping)
    assert kind == "SCHEMA" and "does not exist" in message
    assert table.on_dest("SELECT * FROM t") == [(1, 1)]
    assert table.errors(other) == []


def test_column_of_the_destination_gets_narrower(world):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "v NVARCHAR(20) NULL)")
    world.on_source("INSERT INTO t VALUES (1, N'short')")
    world.enable_cdc("t")
    mapping = world.add_mapping("t")
    world.start()
    world.wait_equal("t")
    world.on_dest("ALTER TABLE t ALTER COLUMN v NVARCHAR(6) NULL")
    world.on_source("INSERT INTO t VALUES (2, N'PLANTED-too-long')")
    dataflow.wait_for(lambda: world.errors(mapping))
    message = world.errors(mapping)[0][1]
    assert "'v'" in message and "PLANTED" not in message
    assert world.on_dest("SELECT * FROM t") == [(1, "short")]
    world.on_dest("ALTER TABLE t ALTER COLUMN v NVARCHAR(20) NULL")
    world.wait_equal("t")
