"""Tables of a real PostgreSQL landed as files: values that the log leaves out,
odd names, every type; read back by DuckDB."""
import decimal
import time

import pytest

from support import dataflow, duck, postgresql
from support.lakes import lake_folder, reader  # noqa: F401
from support.landing import Lake
from support.postgresql_world import PostgresqlWorld
from test_odd_names import NAMES

duck.skip_unless_installed()
postgresql.skip_unless_installed()


@pytest.fixture(scope="module")
def server():
    with postgresql.Postgresql() as started:
        yield started


@pytest.fixture
def world(server, dest_server, tmp_path):
    made = PostgresqlWorld(server, dest_server, tmp_path)
    made.init()
    yield made
    made.close()


@pytest.fixture
def make_lake(world, reader, lake_folder):
    def make(**options):
        return Lake(world, reader, lake_folder, **options)
    return make


@pytest.mark.threads
def test_values_that_are_left_out(world, make_lake):
    """A long value that an update leaves as it was is not in the log: the file
    says so, and it comes from the change before, or from the load."""
    world.on_source("CREATE TABLE t (id int PRIMARY KEY, n int, doc text, "
                    "other text); ALTER TABLE t ALTER doc SET STORAGE EXTERNAL,"
                    " ALTER other SET STORAGE EXTERNAL")
    world.on_source("INSERT INTO t SELECT i, 0, repeat('d' || i, 5000), "
                    "repeat('o', 9000) FROM generate_series(1, 20) AS i")
    lake = make_lake()
    lake.add_mapping("t")
    world.start()
    lake.wait_equal("t")
    world.on_source("UPDATE t SET n = n + 1")
    world.on_source("UPDATE t SET other = repeat('x', 9000) WHERE id < 5")
    world.on_source("UPDATE t SET n = n + 1, other = NULL WHERE id < 3")
    world.on_source("DELETE FROM t WHERE id = 7")
    world.on_source("INSERT INTO t VALUES (7, 1, repeat('again', 3000), 'o')")
    world.on_source("UPDATE t SET n = 5 WHERE id = 7")
    world.on_source("UPDATE t SET id = 100 WHERE id = 8")
    lake.wait_equal("t")
    landing = lake.landing("t")
    left_out = lake.duck.query(
        "SELECT DISTINCT _unchanged::VARCHAR FROM "
        f"{landing.scan(landing.changes())} ORDER BY 1")
    assert ('["doc","other"]',) in left_out and ('["doc"]',) in left_out


def test_every_kind_of_column(world, make_lake):
    """In Parquet's own types, where it has them."""
    world.on_source("""
        CREATE TABLE t (id bigint PRIMARY KEY, b boolean, s smallint, i int,
            r real, d double precision, n numeric(38, 10), big numeric,
            c char(5), v varchar(20), t text, bin bytea, day date, at time,
            ts timestamp, tz timestamptz, u uuid, j jsonb, a int[])""")
    world.on_source("""
        INSERT INTO t VALUES (-9223372036854775808, true, -32768, 2147483647,
            0.1, 1e-300, 1234567890123456789012345678.0123456789, 1e40, 'ab',
            'z\u00fcrich', repeat('\U0001f600', 10000), '\\x00ff', '0001-01-01',
            '23:59:59.999999', '9999-12-31 23:59:59.999999',
            '2020-06-01 12:00:00.000001+02',
            'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": [1, null]}',
            '{1,NULL}');
        INSERT INTO t VALUES (1)""")
    lake = make_lake(compression="zstd")
    lake.add_mapping("t")
    world.start()
    columns = ("id, b, s, i, r::float8, d, n, big::text, c, v, t, bin, day, at, "
               "ts, tz, u, j::text, a::text")
    lake.source_rows = lambda table: sorted_rows(
        world.on_source(f"SELECT {columns} FROM t"))
    lake.wait_equal("t")
    world.on_source("UPDATE t SET i = 7; INSERT INTO t SELECT 2, b, s, i, r, d, "
                    "n, big, c, v, t, bin, day, at, ts, tz, u, j, a FROM t "
                    "WHERE id < 0")
    lake.wait_equal("t")
    types = {f.name: str(f.type) for f in lake.duck.parquet(
        lake.landing("t").parts()[0]).schema_arrow}
    assert types["n"] == "decimal128(38, 10)" and types["day"] == "date32[day]"
    assert types["ts"] == "timestamp[us]"
    assert types["tz"] == "timestamp[us, tz=UTC]"


def sorted_rows(found):
    return duck.rows(tuple(str(v) if isinstance(v, decimal.Decimal) and
                           v.as_tuple().exponent > 0 else v for v in row)
                     for row in found)


def test_odd_names(world, make_lake):
    """Tables, schemas and columns whose names mean something to paths, URLs and
    SQL: each has a folder of its own."""
    names = [n for n in NAMES if len(n.encode()) <= 63]
    assert len(names) > 25
    lake = make_lake(prefix="odd/names")
    tables = {}
    for number, name in enumerate(names):
        quoted = '"' + name.replace('"', '""') + '"'
        world.on_source(f"CREATE SCHEMA {quoted}")
        world.on_source(f"CREATE TABLE {quoted}.{quoted} ({quoted} int PRIMARY "
                        f"KEY, v text)")
        world.on_source(f"INSERT INTO {quoted}.{quoted} VALUES (1, 'a'), "
                        f"(2, '{number}')")
        tables[name] = f"{quoted}.{quoted}"
        lake.add_mapping(name, source_schema=name, dest_schema=name,
                         dest_table=name)
    world.start()
    folders = {}
    for name in names:
        folders[name] = f"lake.{encoded(name)}.{encoded(name)}"
    assert len(set(folders.values())) == len(names)
    for when in ("loaded", "changed"):
        for name, table in tables.items():
            if when == "changed":
                world.on_source(f"UPDATE {table} SET v = 'b' WHERE v = 'a'")
                world.on_source(f"INSERT INTO {table} VALUES (3, NULL)")
        for name, table in tables.items():
            landing = lake.landing("x")
            landing.folder = landing.folder.replace("lake.dbo.x",
                                                    folders[name])
            want = duck.rows(world.on_source(f"SELECT * FROM {table}"))
            dataflow.wait_for(lambda: landing.is_loaded() and
                              landing.rows([name]) == want, 60,
                              what=f"{when} {name!r} as {folders[name]!r}")
    assert not world.errors()


def encoded(name):
    """docs/files.md: what is no letter, digit, - or _ is written as bytes."""
    return "".join(
        c if c.isascii() and (c.isalnum() or c in "-_") or not c.isascii() else
        "".join(f"%{b:02X}" for b in c.encode()) for c in name)


def test_columns_come_and_go(world, make_lake):
    """Each new shape begins a new file, and old files stay what they are."""
    world.on_source("CREATE TABLE t (id int PRIMARY KEY, a int, b text)")
    world.on_source("INSERT INTO t VALUES (1, 1, 'x'), (2, 2, 'y')")
    lake = make_lake()
    lake.add_mapping("t")
    world.start()
    lake.wait_equal("t")
    landing = lake.landing("t")
    world.on_source("INSERT INTO t VALUES (3, 3, 'z')")
    world.on_source("ALTER TABLE t ADD c numeric(10, 2)")
    world.on_source("UPDATE t SET c = 1.25 WHERE id < 3")
    lake.wait_equal("t")
    before = landing.everything()
    world.on_source("ALTER TABLE t DROP COLUMN a")
    world.on_source("INSERT INTO t (id, b, c) VALUES (4, 'w', 2)")
    columns = ["id", "b", "c"]
    dataflow.wait_for(lambda: landing.rows("id", columns) ==
                      lake.source_rows("t", "id, b, c"))
    after = landing.everything()
    assert all(after[path] == content for path, content in before.items())
    shapes = {tuple(lake.duck.parquet(p).schema_arrow.names[5:])
              for p in landing.changes()}
    assert ("id", "a", "b") in shapes and ("id", "a", "b", "c") in shapes and \
        ("id", "b", "c") in shapes


def test_a_table_that_is_emptied(world, make_lake):
    """TRUNCATE is brought about by a load."""
    world.on_source("CREATE TABLE t (id int PRIMARY KEY, v int)")
    world.on_source("INSERT INTO t SELECT i, i FROM generate_series(1, 99) i")
    lake = make_lake()
    mapping = lake.add_mapping("t")
    world.start()
    lake.wait_equal("t")
    world.on_source("UPDATE t SET v = 0 WHERE id < 5; TRUNCATE t; "
                    "INSERT INTO t VALUES (1, 1)")
    lake.wait_equal("t")
    world.on_source("INSERT INTO t VALUES (2, 2)")
    lake.wait_equal("t")
    dataflow.wait_for(lambda: not world.errors(mapping))


def test_a_load_while_rows_change(world, make_lake):
    """Its changes come on top of it, whichever it has read already."""
    world.on_source("CREATE TABLE t (id int PRIMARY KEY, n int, v text)")
    world.on_source("INSERT INTO t SELECT i, 0, repeat('v', 200) FROM "
                    "generate_series(1, 30000) AS i")
    world.config(batch_size=500)
    lake = make_lake(file_size_mb=1, file_format="json")
    lake.add_mapping("t")
    world.start()
    for turn in range(60):
        world.on_source(f"UPDATE t SET n = n + 1 WHERE id % 60 = {turn}; "
                        f"DELETE FROM t WHERE id % 700 = {turn}; INSERT INTO "
                        f"t VALUES ({100000 + turn}, 1, NULL)")
        time.sleep(0.02)
    lake.wait_equal("t", timeout=60)


def test_a_slot_waits_for_what_is_gathered(world, make_lake):
    """The server keeps its log until the files have it."""
    world.on_source("CREATE TABLE t (id int PRIMARY KEY, v text)")
    lake = make_lake(file_age_seconds=3600)
    lake.add_mapping("t")
    daemon = world.start()
    landing = lake.landing("t")
    dataflow.wait_for(lambda: world.control(
        "SELECT 1 FROM mapping_state WHERE is_consistent = 1"))
    time.sleep(1)

    def confirmed():
        return world.on_source("SELECT confirmed_flush_lsn FROM "
                               "pg_replication_slots")[0][0]
    world.on_source("INSERT INTO t VALUES (1, 'kept')")
    end = world.on_source("SELECT pg_current_wal_lsn()")[0][0]
    time.sleep(3)
    behind = world.on_source(f"SELECT '{confirmed()}'::pg_lsn < "
                             f"'{end}'::pg_lsn")[0][0]
    assert behind and not landing.changes()
    daemon.kill()
    daemon.start()
    lake.wait_equal("t")
