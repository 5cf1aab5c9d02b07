"""Tables whose definition changes while their changes are landed as files, in each
format: a file has the columns that there were, and all of them are one table for
who reads them by name."""
import decimal
import json

import pytest

from support import dataflow, duck, postgresql
from support.lakes import reader  # noqa: F401
from support.landing import Lake
from support.postgresql_world import PostgresqlWorld
from test_files import request, wait_for_error

duck.skip_unless_installed()

FORMATS = ("parquet", "csv", "json")


@pytest.fixture(scope="module")
def pg():
    postgresql.skip_unless_installed()
    with postgresql.Postgresql() as started:
        yield started


@pytest.fixture
def pg_world(pg, dest_server, tmp_path):
    made = PostgresqlWorld(pg, dest_server, tmp_path)
    made.init()
    yield made
    made.close()


@pytest.fixture(params=FORMATS)
def options(request):
    return {"file_format": request.param}


def as_text(found):
    """What is text in one format is a number in another."""
    def text(value):
        if value is None:
            return None
        if isinstance(value, (float, decimal.Decimal)):
            value = decimal.Decimal(str(value))
            return str(value.normalize() if value else 0)
        try:
            return str(decimal.Decimal(str(value)).normalize())
        except decimal.InvalidOperation:
            return str(value)
    return sorted((tuple(map(text, row)) for row in found), key=repr)


def start(world, reader, tmp_path, options):
    folder = tmp_path / "lake"
    folder.mkdir()
    lake = Lake(world, reader, folder, **options)
    mapping = lake.add_mapping("t")
    world.start()
    dataflow.wait_for(lambda: lake.landing("t").is_loaded())
    dataflow.wait_for(lambda: world.control(
        "SELECT 1 FROM mapping_state WHERE is_consistent = 1"))
    return lake, mapping


def wait_equal(world, lake, columns):
    names = columns.split(", ")

    def look():
        try:
            found = lake.landing("t").rows("id", names)
        except duck.Error:
            found = []  # not all of the columns are in a file yet
        return as_text(found), as_text(
            world.on_source(f"SELECT {columns} FROM t"))
    try:
        dataflow.wait_for(lambda: len(set(map(repr, look()))) == 1, 40)
    except AssertionError:
        raise AssertionError(f"{look()}\n{world.errors()}\n{world.log()}"
                             [-9000:]) from None


def names_of(lake, path):
    """The table's own."""
    landing = lake.landing("t")
    return tuple(lake.duck.names(
        f"SELECT * FROM {landing.scan([path])} LIMIT 0")[5:])


def test_sql_server(world, reader, tmp_path, options):
    """A column that a new capture instance has, and one that has gone."""
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT NULL, "
                    "b VARCHAR(20) NULL)")
    world.on_source("INSERT INTO t VALUES (1, 1, 'x'), (2, 2, 'y')")
    world.enable_cdc("t")
    lake, mapping = start(world, reader, tmp_path, options)
    world.on_source("INSERT INTO t VALUES (3, 3, 'z')")
    wait_equal(world, lake, "id, a, b")
    world.on_source("ALTER TABLE t ADD c DECIMAL(10, 2) NULL")
    world.on_source("EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', "
                    "@source_name = N't', @role_name = NULL, "
                    "@capture_instance = N'second'")
    world.on_source("UPDATE t SET c = 1.25 WHERE id > 1")
    world.on_source("INSERT INTO t VALUES (4, 4, 'w', 2.5)")
    wait_equal(world, lake, "id, a, b, c")
    before = lake.landing("t").everything()
    shapes = {names_of(lake, p) for p in lake.landing("t").changes()}
    assert shapes == {("id", "a", "b"), ("id", "a", "b", "c")}
    world.on_source("EXEC sys.sp_cdc_disable_table @source_schema = N'dbo', "
                    "@source_name = N't', @capture_instance = N'dbo_t'")
    world.on_source("ALTER TABLE t DROP COLUMN a")
    world.on_source("INSERT INTO t VALUES (5, 'v', 3.75)")
    world.on_source("DELETE FROM t WHERE id = 1")
    wait_equal(world, lake, "id, b, c")
    after = lake.landing("t").everything()
    assert all(after[path] == content for path, content in before.items())
    assert not world.errors(mapping)


def test_postgresql(pg_world, reader, tmp_path, options):
    world = pg_world
    world.on_source("CREATE TABLE t (id int PRIMARY KEY, a int, b text)")
    world.on_source("INSERT INTO t VALUES (1, 1, 'x'), (2, 2, 'y')")
    lake, mapping = start(world, reader, tmp_path, options)
    world.on_source("INSERT INTO t VALUES (3, 3, 'z')")
    wait_equal(world, lake, "id, a, b")
    world.on_source("ALTER TABLE t ADD c numeric(10, 2)")
    world.on_source("UPDATE t SET c = 1.25 WHERE id > 1")
    wait_equal(world, lake, "id, a, b, c")
    world.on_source("ALTER TABLE t DROP COLUMN a")
    world.on_source("INSERT INTO t VALUES (4, 'w', 2.5)")
    wait_equal(world, lake, "id, b, c")
    shapes = {names_of(lake, p) for p in lake.landing("t").changes()}
    assert {("id", "a", "b"), ("id", "a", "b", "c"), ("id", "b", "c")} == shapes
    assert not world.errors(mapping)


def test_another_type(pg_world, reader, tmp_path, options):
    """One that has more room is the same to readers; any other type wants a
    load, and until then nothing is written that would not fit."""
    world = pg_world
    world.on_source("CREATE TABLE t (id int PRIMARY KEY, a int, b int)")
    world.on_source("INSERT INTO t VALUES (1, 1, 1), (2, 2, 2)")
    lake, mapping = start(world, reader, tmp_path,
                          {**options, "keep_full_loads": 1})
    world.on_source("INSERT INTO t VALUES (3, 3, 3)")
    wait_equal(world, lake, "id, a, b")
    world.on_source("ALTER TABLE t ALTER a TYPE bigint")
    world.on_source("UPDATE t SET a = 9007199254740991 WHERE id = 3")
    wait_equal(world, lake, "id, a, b")
    assert not world.errors(mapping)
    files = lake.landing("t").changes()
    world.on_source("ALTER TABLE t ALTER b TYPE text USING 'n' || b")
    world.on_source("UPDATE t SET b = 'text' WHERE id = 3")
    kind, text, _ = wait_for_error(world, "column 'b' is text now")
    assert "it is int32" in text and "FULL_SYNC" in text
    assert lake.landing("t").changes() == files
    assert len(world.errors(mapping)) == 1
    state, answer = request(world, mapping, "FULL_SYNC")
    assert state == "COMPLETED", answer
    wait_equal(world, lake, "id, a, b")
    world.on_source("INSERT INTO t VALUES (4, 4, 'more')")
    wait_equal(world, lake, "id, a, b")
    dataflow.wait_for(lambda: not world.errors(mapping))


def test_another_type_of_sql_server(world, reader, tmp_path, options):
    """Likewise; a text of another length is the same type."""
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT NULL, "
                    "b VARCHAR(10) NULL, c INT NULL)")
    world.on_source("INSERT INTO t VALUES (1, 1, 'x', 1), (2, 2, 'y', 2)")
    world.enable_cdc("t")
    lake, mapping = start(world, reader, tmp_path,
                          {**options, "keep_full_loads": 1})
    world.on_source("INSERT INTO t VALUES (3, 3, 'z', 3)")
    wait_equal(world, lake, "id, a, b, c")
    world.on_source("ALTER TABLE t ALTER COLUMN a BIGINT NULL")
    world.on_source("ALTER TABLE t ALTER COLUMN b VARCHAR(50) NULL")
    world.on_source("UPDATE t SET a = 9007199254740991, b = REPLICATE('w', 50) "
                    "WHERE id = 3")
    wait_equal(world, lake, "id, a, b, c")
    assert not world.errors(mapping)
    files = lake.landing("t").changes()
    world.on_source("ALTER TABLE t ALTER COLUMN c VARCHAR(20) NULL")
    world.on_source("UPDATE t SET c = 'text' WHERE id = 2")
    _, text, _ = wait_for_error(world, "column 'c' is text now")
    assert "it is int32" in text and "FULL_SYNC" in text
    assert lake.landing("t").changes() == files
    assert len(world.errors(mapping)) == 1
    state, answer = request(world, mapping, "FULL_SYNC")
    assert state == "COMPLETED", answer
    wait_equal(world, lake, "id, a, b, c")
    world.on_source("INSERT INTO t VALUES (4, 4, 'v', 'more')")
    wait_equal(world, lake, "id, a, b, c")
    dataflow.wait_for(lambda: not world.errors(mapping))


def test_digits(world, reader, tmp_path, options):
    """More of them before the point are the same type; behind it they are
    another one in Parquet, where the point has its place in the file's type, and
    so are times that become text."""
    is_parquet = options["file_format"] == "parquet"
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "a DECIMAL(9, 2) NULL, b DECIMAL(38, 0) NULL, "
                    "c DATETIME2(6) NULL)")
    world.on_source("INSERT INTO t VALUES (1, 1, 1, '2026-01-01'), "
                    "(2, 2, 2, '2026-01-02')")
    world.enable_cdc("t")
    if is_parquet:
        options = {**options, "timestamps": "text"}
    lake, mapping = start(world, reader, tmp_path,
                          {**options, "keep_full_loads": 1})
    world.on_source("INSERT INTO t VALUES (3, 3, 3, NULL)")
    wait_equal(world, lake, "id, a, b")
    world.on_source("ALTER TABLE t ALTER COLUMN a DECIMAL(20, 2) NULL")
    world.on_source("UPDATE t SET a = 1234567890.25 WHERE id = 3")
    wait_equal(world, lake, "id, a, b")
    assert not world.errors(mapping)
    for column, old, new, value in (
            ("b", "decimal(38,0)", "decimal(38,10)", "1.5678"),
            ("c", "timestamp in microseconds", "timestamp as text",
             "'2026-01-03 00:00:00.1234567'")):
        files = lake.landing("t").changes()
        native = {"b": "DECIMAL(38, 10)", "c": "DATETIME2(7)"}[column]
        world.on_source(f"ALTER TABLE t ALTER COLUMN {column} {native} NULL")
        world.on_source(f"UPDATE t SET {column} = {value} WHERE id = 2")
        if not is_parquet:
            wait_equal(world, lake, "id, a, b")
            continue
        _, text, _ = wait_for_error(world, f"column '{column}' is {new} now")
        assert f"it is {old}" in text and "FULL_SYNC" in text
        assert lake.landing("t").changes() == files
        state, answer = request(world, mapping, "FULL_SYNC")
        assert state == "COMPLETED", answer
        wait_equal(world, lake, "id, a, b")
        assert lake.landing("t").state()["columns"][column] == new
        dataflow.wait_for(lambda: not world.errors(mapping))
    assert not world.errors(mapping)
    if is_parquet:
        found = dict(lake.landing("t").rows("id", ["id", "c"]))
        assert found[2].endswith("00:00:00.1234567")


def test_state_of_old(world, reader, tmp_path):
    """It tells no digits: these are those of the next file."""
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "a DECIMAL(9, 2) NULL, b DATETIME2(3) NULL, "
                    "c TIME(3) NULL, d UNIQUEIDENTIFIER NULL)")
    world.on_source("INSERT INTO t (id, a) VALUES (1, 1)")
    world.enable_cdc("t")
    lake, mapping = start(world, reader, tmp_path, {})
    columns = lake.landing("t").state()["columns"]
    assert columns == {
        "id": "int32", "a": "decimal(9,2)", "b": "timestamp in microseconds",
        "c": "time in microseconds", "d": "uuid as bytes"}
    daemon = world.daemons[-1]
    daemon.stop()
    state = lake.landing("t").state()
    for name in columns:
        state["columns"][name] = columns[name].split("(")[0].split(" ")[0]
    lake.write("t", "_dataflow/state.json", json.dumps(state).encode())
    daemon.start()
    world.on_source("INSERT INTO t (id, a) VALUES (2, 2)")
    wait_equal(world, lake, "id, a")
    assert lake.landing("t").state()["columns"] == columns
    world.on_source("ALTER TABLE t ALTER COLUMN a DECIMAL(9, 3) NULL")
    world.on_source("INSERT INTO t (id, a) VALUES (3, 3.125)")
    wait_for_error(world, "column 'a' is decimal(9,3) now")
