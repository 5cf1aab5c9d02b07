"""Tables as nobody would make them, and as everybody has them: databases' names,
widths, keys, and what hangs on a destination. test_odd_names.py has the names."""
import pytest

from support import compare, dataflow

SOURCES = ["cdc", "change_tracking"]


def quoted(name):
    return "[" + name.replace("]", "]]") + "]"


def text(name):
    return "N'" + name.replace("'", "''") + "'"


def track(world, schema, table, source):
    if source == "cdc":
        world.enable_cdc()
        world.on_source("EXEC sys.sp_cdc_enable_table @source_schema = "
                        f"{text(schema)}, @source_name = {text(table)}, "
                        "@role_name = NULL, @capture_instance = N'odd one'")
    else:
        world.on_source(f"ALTER DATABASE {world.src_db} SET "
                        "ALLOW_SNAPSHOT_ISOLATION ON")
        world.on_source(f"ALTER DATABASE {world.src_db} SET CHANGE_TRACKING "
                        "= ON")
        world.on_source(f"ALTER TABLE {quoted(schema)}.{quoted(table)} "
                        "ENABLE CHANGE_TRACKING")


@pytest.mark.parametrize("name", [
    "it's; -- ]x[ 😀", "${env:HOME}", "100%_\\", 'say "x"', "new\nline",
    "d" * 120])
def test_databases(world, name):
    """python-tds logs in to no database whose name has an emoji in it."""
    source, dest = quoted(name + " s"), quoted(name + " d")

    def on_source(sql):
        world.source.query(f"USE {source}; {sql}")

    def differences():
        return compare.differences(
            world.source, ("master", f"{source}.dbo.t"),
            world.dest, ("master", f"{dest}.dbo.t"))

    def same():
        return world.dest.query(f"USE {dest}; SELECT OBJECT_ID(N't')") != \
            [(None,)] and not differences()
    world.source.query(f"CREATE DATABASE {source}")
    world.dest.query(f"CREATE DATABASE {dest}")
    on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v INT); "
              "INSERT INTO t VALUES (1, 1), (2, 2)")
    on_source("EXEC sys.sp_cdc_enable_db")
    on_source("EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', "
              "@source_name = N't', @role_name = NULL")
    mapping = world.add_mapping("t", source_database=name + " s",
                                dest_database=name + " d")
    world.start()
    dataflow.wait_for(same, 30)
    on_source("UPDATE t SET v = 3 WHERE id = 1; DELETE FROM t WHERE id = 2")
    dataflow.wait_for(lambda: same() and world.source.query(
        f"SELECT COUNT(*) FROM {source}.dbo.t") == [(1,)])
    assert world.errors(mapping) == []
    on_source("EXEC sys.sp_cdc_disable_db")


@pytest.mark.parametrize("source", SOURCES)
def test_a_thousand_columns(world, source):
    columns = ", ".join(f"c{i} {kind} NULL" for i, kind in zip(
        range(999), ["INT", "NVARCHAR(20)", "DECIMAL(9, 2)", "DATE"] * 250))
    world.on_source(f"CREATE TABLE wide (id INT NOT NULL PRIMARY KEY, "
                    f"{columns})")
    world.on_source("INSERT INTO wide (id, c0, c1, c2, c3, c998) VALUES "
                    "(1, 1, N'x', 1.5, '2026-01-01', 9.25), "
                    "(2, NULL, N'y', NULL, NULL, NULL)")
    track(world, "dbo", "wide", source)
    mapping = world.add_mapping("wide", change_source=source)
    world.start()
    world.wait_equal("wide", timeout=60)
    world.on_source("UPDATE wide SET c997 = N'last but one' WHERE id = 1; "
                    "DELETE FROM wide WHERE id = 2; "
                    "INSERT INTO wide (id, c500) VALUES (3, 500)")
    world.wait_equal("wide", timeout=60)
    assert world.errors(mapping) == []


@pytest.mark.parametrize("source", SOURCES)
def test_a_heap_with_a_unique_index(world, source):
    world.on_source("CREATE TABLE heap (a INT NOT NULL, b NVARCHAR(9) NOT "
                    "NULL, v INT NULL)")
    world.on_source("CREATE UNIQUE NONCLUSTERED INDEX u ON heap (b, a)")
    world.on_source("INSERT INTO heap VALUES (1, N'x', 1), (2, N'x', 2)")
    if source == "change_tracking":
        # It wants a primary key, by whatever index.
        world.on_source("ALTER TABLE heap ADD PRIMARY KEY NONCLUSTERED (a)")
    track(world, "dbo", "heap", source)
    mapping = world.add_mapping("heap", change_source=source)
    world.start()
    world.wait_equal("heap")
    world.on_source("UPDATE heap SET v = 9 WHERE a = 1; UPDATE heap SET b = "
                    "N'y' WHERE a = 2; INSERT INTO heap VALUES (3, N'', 3)")
    world.wait_equal("heap")
    assert world.errors(mapping) == []


def test_what_hangs_on_a_destination_stays(world):
    """Keys in both directions, a trigger, rights; and rows that others
    refer to are not taken away from them."""
    reader = f"hangs_{world.dst_db}"
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, p INT NULL)")
    world.on_source("INSERT INTO t VALUES (1, 10), (2, 20), (3, NULL)")
    world.on_dest("CREATE TABLE parent (p INT NOT NULL PRIMARY KEY)")
    world.on_dest("INSERT INTO parent VALUES (10), (20)")
    world.on_dest("CREATE TABLE t (id INT NOT NULL CONSTRAINT pk_t PRIMARY "
                  "KEY, p INT NULL CONSTRAINT fk_up REFERENCES parent (p))")
    world.on_dest("INSERT INTO t VALUES (1, 20)")
    world.on_dest("CREATE TABLE child (t INT NOT NULL CONSTRAINT fk_down "
                  "REFERENCES t (id))")
    world.on_dest("INSERT INTO child VALUES (1)")
    world.on_dest("CREATE TABLE told (n INT NOT NULL)")
    world.on_dest("CREATE TRIGGER tr ON t AFTER INSERT AS INSERT INTO told "
                  "SELECT id FROM inserted")
    world.on_dest(f"CREATE LOGIN {reader} WITH PASSWORD = N'Hangs-pass-1', "
                  f"CHECK_POLICY = OFF; CREATE USER {reader} FOR LOGIN "
                  f"{reader}; GRANT SELECT ON t TO {reader}")
    hanging = (
        "SELECT name, is_disabled, is_not_trusted FROM sys.foreign_keys "
        "ORDER BY name",
        "SELECT name, is_disabled FROM sys.triggers",
        "SELECT permission_name, USER_NAME(grantee_principal_id) FROM "
        "sys.database_permissions WHERE major_id = OBJECT_ID(N't')")
    before = [world.on_dest(sql) for sql in hanging]
    assert all(before)
    mapping = world.add_mapping("t", cdc=0)
    world.start()
    world.wait_equal("t")
    assert [world.on_dest(sql) for sql in hanging] == before
    assert world.on_dest("SELECT * FROM child") == [(1,)]
    # A row that a child needs goes from the source: an error, and no change.
    world.on_source("DELETE FROM t WHERE id = 1; UPDATE t SET p = 10")
    world.request(mapping, "FULL_SYNC")
    dataflow.wait_for(lambda: world.errors(mapping))
    assert "fk_down" in world.errors(mapping)[0][1]
    assert world.on_dest("SELECT * FROM t ORDER BY id") == \
        [(1, 10), (2, 20), (3, None)]
