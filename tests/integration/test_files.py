"""Tables landed as files in a local folder: read back by DuckDB, put together as
docs/files.md says, and compared with the source, whole."""
import datetime
import decimal
import json
import os
import resource
import shutil
import time

import pytest

from support import dataflow, duck
from support.lakes import lake_folder, reader  # noqa: F401
from support.landing import Lake
from test_check import FAIL, OK, WARN, check

duck.skip_unless_installed()


@pytest.fixture
def make_lake(world, reader, lake_folder):
    def make(**options):
        return Lake(world, reader, lake_folder, **options)
    return make


def fill(world, rows=300, table="t"):
    world.on_source(
        f"CREATE TABLE {table} (id INT NOT NULL PRIMARY KEY, "
        "name NVARCHAR(50) NULL, price DECIMAL(12,3) NULL, "
        "at DATETIME2(6) NULL, body NVARCHAR(MAX) NULL)")
    insert(world, 1, rows, table)


def insert(world, first, last, table="t"):
    world.on_source(
        f"WITH n AS (SELECT {first} AS i UNION ALL SELECT i + 1 FROM n WHERE "
        f"i < {last}) INSERT INTO {table} SELECT i, CASE WHEN i % 7 = 0 THEN "
        "NULL WHEN i % 11 = 0 THEN N'' ELSE CONCAT(N'n\u00fc\U0001f600 ', i) "
        "END, i * 1.125, DATEADD(second, i, '2020-01-01T00:00:00'), "
        "CASE WHEN i % 3 = 0 THEN NULL ELSE N'b\"\n,' END FROM n "
        "OPTION (MAXRECURSION 0)")


def change(world, table="t"):
    world.on_source(f"UPDATE {table} SET name = N'x' WHERE id % 10 = 0")
    world.on_source(f"DELETE FROM {table} WHERE id % 4 = 0")
    world.on_source(f"INSERT INTO {table} (id, name) VALUES (1000, N'new')")
    world.on_source(f"UPDATE {table} SET id = 2000 WHERE id = 1000")
    world.on_source(f"BEGIN TRANSACTION; DELETE FROM {table} WHERE id = 1; "
                    f"INSERT INTO {table} (id, name) VALUES (1, N'again'); "
                    "COMMIT")


def request(world, mapping, kind, timeout=30):
    """Done; what it was answered."""
    number = world.request(mapping, kind)

    def done():
        found = world.control("SELECT state, answer FROM sync_requests "
                              f"WHERE request_id = {number}")[0]
        return found if found[0] not in ("PENDING", "RUNNING") else None
    return dataflow.wait_for(done, timeout)


def wait_for_error(world, text, kind=None):
    return dataflow.wait_for(
        lambda: [e for e in world.errors() if text in e[1] and
                 kind in (None, e[0])], what=f"an error with '{text}'")[0]


class TextLake(Lake):
    """Of CSV and JSON, where everything is text, or nearly."""

    def differences(self, table, key="id", most=5):
        landing = self.landing(table)
        if not landing.is_loaded():
            return ["no load"]
        found = sorted((tuple(v if v is None else str(v) for v in row)
                        for row in landing.rows(key)), key=repr)
        source = self.source_rows(table)
        return [] if source == found else [source[:most], found[:most]]

    def source_rows(self, table, columns="*"):
        def text(value):
            if isinstance(value, decimal.Decimal):
                return f"{value:.3f}"
            if isinstance(value, datetime.datetime):
                return value.isoformat(timespec="microseconds")
            return value if value is None else str(value)
        return sorted((tuple(map(text, row)) for row in self.world.on_source(
            f"SELECT {columns} FROM {table}")), key=repr)


@pytest.mark.threads
@pytest.mark.parametrize("options", [
    {}, {"compression": "zstd", "row_group_mb": 1},
    {"file_format": "csv", "compression": "gzip"},
    {"file_format": "json", "decimals": "string"},
], ids=lambda o: o.get("file_format", "parquet") + o.get("compression", ""))
def test_load_and_changes(world, reader, lake_folder, options):
    fill(world)
    world.enable_cdc("t")
    kind = TextLake if "file_format" in options else Lake
    lake = kind(world, reader, lake_folder, **options)
    mapping = lake.add_mapping("t")
    world.start()
    lake.wait_equal("t")
    landing = lake.landing("t")
    manifest = landing.manifest()
    assert manifest["rows"] == 300 and len(manifest["files"]) == 1
    assert manifest["key"] == ["id"]
    assert [c["name"] for c in manifest["columns"]] == [
        "id", "name", "price", "at", "body"]
    change(world)
    lake.wait_equal("t")
    assert landing.changes()
    assert len(landing.runs()) == 1
    assert not world.errors()
    dataflow.wait_for(lambda: world.state(mapping) == "CDC")


def test_what_a_change_looks_like(world, make_lake):
    """Our own columns, and what a delete tells."""
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "v NVARCHAR(10) NOT NULL)")
    world.enable_cdc("t")
    lake = make_lake()
    lake.add_mapping("t")
    world.start()
    lake.wait_equal("t")
    for statement in ("INSERT INTO t VALUES (1, N'a')",
                      "UPDATE t SET v = N'b'", "DELETE FROM t"):
        world.on_source(statement)
        time.sleep(0.05)
    landing = lake.landing("t")

    def changes():
        return lake.duck.query(
            "SELECT _op, _seq, id, v, _unchanged, _position, _commit_time "
            f"FROM {landing.scan(landing.changes())} ORDER BY _seq") \
            if landing.changes() else []
    found = dataflow.wait_for(lambda: len(changes()) >= 3 and changes())
    assert [(f[0], f[2], f[3], f[4]) for f in found] == [
        ("U", 1, "a", None), ("U", 1, "b", None), ("D", 1, None, None)]
    first = landing.latest()["first_seq"]
    assert [f[1] - first for f in found] == [0, 1, 2]
    positions = [f[5] for f in found]
    assert positions == sorted(positions)
    assert all(p.startswith("0x") and len(p) == 22 for p in positions)
    assert positions[0] > landing.manifest()["position"]
    assert positions[-1] <= landing.state()["checkpoint"]["position"]
    # The name of a file says what is in it.
    for path in landing.changes():
        begin, end, number = os.path.basename(path).split(".")[0].split("-")
        inside = [p[0][2:] for p in lake.duck.query(
            f"SELECT _position FROM read_parquet('{path}')")]
        assert begin < min(inside) and max(inside) <= end and len(number) == 5
    file = lake.duck.parquet(landing.changes()[0])
    assert str(file.schema_arrow.field("_commit_time").type) == \
        "timestamp[us, tz=UTC]"
    assert not file.schema_arrow.field("id").nullable
    assert file.schema_arrow.field("v").nullable
    assert b"dbo.t" in file.schema_arrow.metadata[b"dataflow.source"]


def test_an_empty_table(world, make_lake):
    """A load of nothing has a file that says which columns there are."""
    fill(world, 1)
    world.on_source("DELETE FROM t")
    lake = make_lake()
    lake.add_mapping("t", cdc=0)
    world.start()
    lake.wait_equal("t")
    landing = lake.landing("t")
    assert landing.manifest()["rows"] == 0 and len(landing.parts()) == 1
    assert lake.duck.names(
        f"SELECT * FROM {landing.scan(landing.parts())}")[0] == "id"


def test_several_loads(world, make_lake):
    """Old ones go, and the changes that came before all that are kept."""
    fill(world)
    world.enable_cdc("t")
    lake = make_lake(keep_full_loads=2)
    mapping = lake.add_mapping("t")
    world.start()
    lake.wait_equal("t")
    landing, runs = lake.landing("t"), []
    for turn in range(4):
        runs.append(landing.latest()["run"])
        world.on_source(f"UPDATE t SET name = N'turn {turn}' WHERE id < 50")
        lake.wait_equal("t")
        if turn == 0:
            first = landing.changes()
        state, answer = request(world, mapping, "FULL_SYNC")
        assert state == "COMPLETED", answer
        assert landing.latest()["run"] not in runs
        lake.wait_equal("t")
    assert landing.runs() == [runs[-1], landing.latest()["run"]]
    assert first and not set(first) & set(landing.changes())
    # The load before the last one, and what came after it, is the table, too.
    older = json.loads(json.dumps(landing.latest()))
    older["run"] = runs[-1]
    older["first_seq"] = landing.manifest(runs[-1])["first_seq"]
    landing.latest = lambda: older
    assert landing.rows("id") == lake.source_rows("t")
    assert not landing.temporaries()


def test_many_files(world, make_lake):
    """Each is ended by its size; together they are the table."""
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "v VARCHAR(900) NOT NULL)")
    world.on_source(
        "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < "
        "6000) INSERT INTO t SELECT i, CONCAT(REPLICATE('x', 800), i) FROM n "
        "OPTION (MAXRECURSION 0)")
    world.enable_cdc("t")
    lake = make_lake(file_format="json", file_size_mb=1)
    lake.add_mapping("t")
    world.start()
    lake.wait_equal("t", timeout=60)
    landing = lake.landing("t")
    manifest = landing.manifest()
    assert 4 <= len(manifest["files"]) <= 6
    assert sum(f["rows"] for f in manifest["files"]) == 6000
    for number, file in enumerate(manifest["files"]):
        path = landing.path(file["key"])
        assert os.path.basename(path) == f"part-{number:05}.jsonl"
        assert os.path.getsize(path) == file["bytes"] < 2**21
    world.on_source("UPDATE t SET v = CONCAT(v, '!')")
    lake.wait_equal("t", timeout=60)
    changes = landing.changes()
    assert len(changes) >= 4
    assert len({os.path.basename(c).rsplit("-", 1)[0] for c in changes}) == 1, \
        "one transaction, hence one range"


@pytest.mark.parametrize("by", ["day", "hour"])
def test_folders_by_time(world, make_lake, by):
    fill(world, 10)
    world.enable_cdc("t")
    lake = make_lake(partition_by=by, prefix="a/b")
    lake.add_mapping("t")
    world.start()
    lake.wait_equal("t")
    change(world)
    lake.wait_equal("t")
    landing = lake.landing("t")
    scan = f"'{landing.folder}/changes/**/*.parquet', hive_partitioning = true"
    found = lake.duck.query(
        "SELECT DISTINCT dt::VARCHAR, strftime(_commit_time, '%Y-%m-%d')"
        + (", hour::INT, hour(_commit_time)" if by == "hour" else "") +
        f" FROM read_parquet({scan})")
    assert found
    for row in found:
        assert row[0] == row[1]
        assert by == "day" or row[2] == row[3]


def test_folders_by_columns(world, make_lake):
    """More of them than may be open, odd values, and one that moves."""
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "[co/untry] NVARCHAR(20) NULL, y INT NULL)")
    odd = ["DE", "a/b", "..", "", "x=y", "%41", "\u00fc ", "'", "NULL"]
    values = ", ".join(
        f"({i}, " + ("NULL" if i % 10 == 9 else
                     "N'" + odd[i % 10].replace("'", "''") + "'") +
        f", {2000 + i % 7})" for i in range(200))
    world.on_source(f"INSERT INTO t VALUES {values}")
    world.enable_cdc("t")
    lake = make_lake(partition_columns="[co/untry], Y")
    lake.add_mapping("t")
    world.start()
    lake.wait_equal("t")
    landing = lake.landing("t")
    assert len(landing.parts()) >= 60
    folders = {os.path.relpath(os.path.dirname(p), landing.path(
        "full", landing.latest()["run"])) for p in landing.parts()}
    assert "co%2Funtry=DE/y=2000" in folders
    assert "co%2Funtry=../y=2002" in folders
    assert "co%2Funtry=__HIVE_DEFAULT_PARTITION__/y=2003" in folders
    # As a reader of such folders sees it: what is in them and in the files.
    wrong = lake.duck.query(
        "SELECT filename, y FROM read_parquet('" + landing.path(
            "full", landing.latest()["run"], "**/*.parquet") +
        "', filename = true, hive_partitioning = false) WHERE NOT contains("
        "filename, '/y=' || y || '/')")
    assert not wrong
    world.on_source("UPDATE t SET [co/untry] = N'moved' WHERE id % 3 = 0")
    lake.wait_equal("t")


def test_a_column_that_cannot_be_a_folder(world, make_lake):
    fill(world, 10)
    lake = make_lake(partition_columns="nothing")
    mapping = lake.add_mapping("t", cdc=0)
    world.start()
    kind, text, _ = wait_for_error(world, "nothing")
    assert "partition_columns" in text
    lake.set_options(partition_columns="id")
    lake.wait_equal("t")
    dataflow.wait_for(lambda: not world.errors(mapping))


def test_a_new_column(world, make_lake):
    """It begins a new file; readers that unite columns see one table."""
    fill(world, 50)
    world.enable_cdc("t")
    lake = make_lake()
    lake.add_mapping("t")
    world.start()
    lake.wait_equal("t")
    world.on_source("UPDATE t SET name = N'before' WHERE id < 10")
    lake.wait_equal("t")
    world.on_source("ALTER TABLE t ADD extra INT NULL")
    world.on_source("EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', "
                    "@source_name = N't', @role_name = NULL, "
                    "@capture_instance = N'second'")
    world.on_source("UPDATE t SET extra = id WHERE id > 20")
    world.on_source("INSERT INTO t (id, extra) VALUES (900, 7)")
    landing = lake.landing("t")
    lake.wait_equal("t", timeout=60)
    assert lake.duck.names(landing.replay("id"))[-1] == "extra"


def test_names_of_our_own_columns(world, make_lake):
    world.on_source("CREATE TABLE t (_op INT NOT NULL PRIMARY KEY, "
                    "_SEQ INT NULL, __op INT NULL)")
    world.enable_cdc("t")
    lake = make_lake()
    lake.add_mapping("t")
    world.start()
    landing = lake.landing("t")
    dataflow.wait_for(landing.is_loaded)
    world.on_source("INSERT INTO t VALUES (1, 2, 3)")
    dataflow.wait_for(landing.changes)
    assert lake.duck.parquet(landing.changes()[0]).schema_arrow.names == [
        "___op", "_position", "_commit_time", "__seq", "_unchanged", "_op",
        "_SEQ", "__op"]


def test_own_names(world, make_lake):
    fill(world, 10)
    world.enable_cdc("t")
    lake = make_lake(file_naming="{schema}.{table}_{date}_")
    lake.add_mapping("t")
    world.start()
    lake.wait_equal("t")
    change(world)
    lake.wait_equal("t")
    landing = lake.landing("t")
    day = time.strftime("%Y%m%d", time.gmtime())
    for path in landing.parts() + landing.changes():
        assert os.path.basename(path).startswith(f"dbo.t_{day[:6]}")


# ------------------------------------------------------------------ gathering

def test_changes_are_gathered(world, make_lake):
    """Few files of many transactions; nobody calls that a lag; a stop brings
    what there was."""
    fill(world, 10)
    world.enable_cdc("t")
    lake = make_lake(file_age_seconds=4)
    mapping = lake.add_mapping("t")
    world.config(lag_warning_seconds=1)
    daemon = world.start()
    lake.wait_equal("t")
    dataflow.wait_for(lambda: world.control(
        "SELECT 1 FROM mapping_state WHERE is_consistent = 1"))
    landing = lake.landing("t")
    before, health = len(landing.changes()), set()
    for number in range(60):
        world.on_source(f"INSERT INTO t (id, name) VALUES ({5000 + number}, "
                        "N'x')")
        time.sleep(0.2)
        health.add(world.control("SELECT health FROM v_mapping_health")[0][0])
    lake.wait_equal("t")
    files = len(landing.changes()) - before
    assert 2 <= files <= 6, files
    assert health == {"HEALTHY"}, health
    lake.set_options(file_age_seconds=3600)
    time.sleep(3)
    lake.wait_equal("t")
    world.on_source("INSERT INTO t (id) VALUES (7000)")
    time.sleep(3)
    assert lake.differences("t")
    # Somebody who asks is not kept waiting.
    request(world, mapping, "SKIP_TO_NOW")
    code, seconds = daemon.stop()
    assert code == 0 and seconds < 5
    world.on_source("INSERT INTO t (id) VALUES (7001)")
    daemon.start()
    dataflow.wait_for(lambda: world.state(mapping) == "CDC")
    time.sleep(2)
    world.on_source("INSERT INTO t (id) VALUES (7002)")
    time.sleep(2)
    assert daemon.stop()[0] == 0
    found = {row[0] for row in landing.rows("id")}
    assert {7001, 7002} <= found


# --------------------------------------------------------------------- trouble

def set_limit(daemon, size):
    limit = resource.RLIMIT_FSIZE
    pid = daemon.process.pid
    resource.prlimit(pid, limit, (size, resource.prlimit(pid, limit)[1]))


def test_a_full_disk(world, make_lake):
    """Neither changes nor a load are lost for it, and nothing is half there."""
    fill(world, 2000)
    world.enable_cdc("t")
    lake = make_lake()
    mapping = lake.add_mapping("t")
    daemon = world.start()
    lake.wait_equal("t")
    landing = lake.landing("t")
    before = landing.everything()
    set_limit(daemon, 200)
    world.on_source("UPDATE t SET name = N'while it is full'")
    kind, text, _ = wait_for_error(world, "File too large")
    assert landing.folder in text
    assert landing.everything() == before
    request(world, mapping, "FULL_SYNC")
    assert landing.everything() == before and len(landing.runs()) == 1
    set_limit(daemon, resource.RLIM_INFINITY)
    lake.wait_equal("t")
    dataflow.wait_for(lambda: not world.errors(mapping))
    assert not landing.temporaries()


def test_a_folder_that_is_not_there(world, make_lake, lake_folder):
    """A disk that is not mounted is no reason to write beside it."""
    fill(world, 10)
    os.rename(lake_folder, f"{lake_folder}.away")
    lake = make_lake()
    lake.add_mapping("t", cdc=0)
    world.start()
    kind, text, _ = wait_for_error(world, str(lake_folder))
    assert "'path'" in text and not os.path.exists(lake_folder)
    os.rename(f"{lake_folder}.away", lake_folder)
    lake.wait_equal("t")


def test_a_folder_of_others(world, make_world, make_lake, reader, lake_folder):
    """Of a mapping that other control tables have."""
    fill(world, 10)
    lake = make_lake()
    lake.add_mapping("t", cdc=0)
    world.start()
    lake.wait_equal("t")
    other = make_world()
    other.on_source("CREATE TABLE u (id INT NOT NULL PRIMARY KEY)")
    theirs = Lake(other, reader, lake_folder)
    mapping = theirs.add_mapping("u", cdc=0, dest_table="t")
    other.start()
    kind, text, _ = wait_for_error(other, "has the files of mapping")
    assert "another destination table" in text
    check(other).expect("FAIL", "state", "has the files of another mapping")
    other.control("UPDATE table_mappings SET dest_table = N'u' WHERE "
                  f"mapping_id = {mapping}")
    theirs.wait_equal("u")
    lake.wait_equal("t")
    dataflow.wait_for(lambda: not other.errors())


def test_a_state_that_is_damaged(world, make_lake):
    fill(world, 10)
    world.enable_cdc("t")
    lake = make_lake()
    lake.add_mapping("t")
    daemon = world.start()
    lake.wait_equal("t")
    daemon.stop()
    state = lake.landing("t").path("_dataflow/state.json")
    with open(state, encoding="utf-8") as file:
        good = file.read()
    with open(state, "w", encoding="utf-8") as file:
        file.write(good[:-20])
    daemon.start()
    kind, text, _ = wait_for_error(world, "makes no sense")
    assert state in text
    with open(state, "w", encoding="utf-8") as file:
        file.write(good)
    world.on_source("INSERT INTO t (id) VALUES (77)")
    lake.wait_equal("t")
    dataflow.wait_for(lambda: not world.errors())


def test_a_state_that_was_lost(world, make_lake):
    """Everything is loaded anew; no name comes again, and no number."""
    fill(world, 10)
    world.enable_cdc("t")
    lake = make_lake(keep_full_loads=3)
    lake.add_mapping("t")
    daemon = world.start()
    lake.wait_equal("t")
    change(world)
    lake.wait_equal("t")
    daemon.stop()
    landing = lake.landing("t")
    before, latest = landing.everything(), landing.latest()
    os.unlink(landing.path("_dataflow/state.json"))
    world.on_source("INSERT INTO t (id) VALUES (77)")
    daemon.start()
    dataflow.wait_for(lambda: landing.latest()["run"] != latest["run"])
    lake.wait_equal("t")
    world.on_source("DELETE FROM t WHERE id = 2")
    lake.wait_equal("t")
    after = landing.everything()
    assert all(after.get(path, content) == content
               for path, content in before.items())
    assert landing.latest()["first_seq"] > latest["first_seq"]
    assert landing.latest()["writes"] > latest["writes"]


def test_a_file_that_was_lost(world, make_lake):
    """Committed, and gone before it became visible: that is a gap, and told."""
    fill(world, 10)
    world.enable_cdc("t")
    lake = make_lake()
    mapping = lake.add_mapping("t")
    daemon = world.start()
    lake.wait_equal("t")
    daemon.stop()
    landing = lake.landing("t")
    state = landing.state()
    state["pending"] = [{"key": "changes/00-01-00000.parquet", "token":
                         "01234567-89ab-4def-8123-456789abcdef"}]
    with open(landing.path("_dataflow/state.json"), "w",
              encoding="utf-8") as file:
        json.dump(state, file)
    world.config(resync_on_gap=0)
    daemon.start()
    kind, text, _ = wait_for_error(world, "was committed, and lost")
    assert "changes/00-01-00000.parquet" in text
    run = landing.latest()["run"]
    world.on_source("INSERT INTO t (id) VALUES (77)")
    time.sleep(2)
    assert landing.latest()["run"] == run and lake.differences("t")
    world.config(resync_on_gap=1)
    lake.wait_equal("t")
    assert landing.latest()["run"] != run
    dataflow.wait_for(lambda: not world.errors(mapping))


@pytest.mark.parametrize("text, message", [
    ("path=lake", "absolute path"),
    ("path=/tmp;prefix=../x", "'prefix'"),
    ("path=/tmp;prefix=/x", "'prefix'"),
    ("path=/tmp;file_format=orc", "parquet, csv or json"),
    ("path=/tmp;file_format=csv;compression=snappy", "compression"),
    ("path=/tmp;file_size_mb=0", "file_size_mb"),
    ("path=/tmp;keep_full_loads=0", "keep_full_loads"),
    ("path=/tmp;partition_by=week", "none, day or hour"),
    ("path=/tmp;file_naming=a/b", "file_naming"),
    ("path=/tmp;bucket=x", "bucket"),
])
def test_settings_that_make_no_sense(world, make_lake, text, message):
    fill(world, 3)
    lake = make_lake()
    world.control(f"UPDATE target_servers SET connection_string = N'{text}'")
    lake.add_mapping("t", cdc=0)
    done = check(world)
    assert done.code == FAIL
    assert any(message in f["finding"] for f in done.bad()), done


# ----------------------------------------------------------------------- check

def test_check(world, make_lake, lake_folder):
    fill(world, 10)
    world.enable_cdc("t")
    lake = make_lake(partition_columns="id")
    lake.add_mapping("t")
    done = check(world)
    for name in ("write", "read", "list", "delete", "conditions", "space",
                 "state", "partition_columns", "schema"):
        found = done.of(name, "OK", "lake" if name in (
            "write", "read", "list", "delete", "conditions") else "")
        assert found, f"{name}: {done}"
    assert not os.listdir(lake_folder), "a check leaves nothing behind"
    lake.set_options(partition_columns="nope")
    check(world).expect("FAIL", "partition_columns", "nope")
    shutil.rmtree(lake_folder)
    check(world).expect("FAIL", "connection", str(lake_folder))


def test_check_of_what_no_file_can_hold(world, make_lake):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "at DATETIME2(7) NULL, v SQL_VARIANT NULL)")
    lake = make_lake()
    lake.add_mapping("t", cdc=0)
    check(world).expect("FAIL", "schema", "'v'")
