"""Verification of tables that were landed as files: what is read back is what was
written, whatever happened to the files meanwhile."""
import json
import os
import re
import threading
import time

import pytest

from support import dataflow, duck, s3
from support.lakes import (lake_folder, make_lake, reader,  # noqa: F401
                           server)
from test_files import change, fill, insert
from test_verify import (TYPES, ask, busy_log, keys, last,  # noqa: F401
                         open_errors, results)

duck.skip_unless_installed()
s3.skip_unless_installed()

ROWS = 1500000  # whose digests take seconds
FORMATS = [{}, {"file_format": "csv"}, {"file_format": "json"}]


def name_of(options):
    return options.get("file_format", "parquet")


def wait_loaded(world, lake, mapping, table="t", cdc=True):
    dataflow.wait_for(lambda: lake.landing(table).is_loaded(), 60)
    if cdc:
        dataflow.wait_for(lambda: world.control(
            "SELECT 1 FROM mapping_state WHERE is_consistent = 1 "
            f"AND mapping_id = {mapping}"), 30)


def wait_for_changes(lake, count=1, table="t"):
    dataflow.wait_for(lambda: len(lake.landing(table).changes()) >= count, 30)


def start(world, lake, table="t", cdc=1):
    if cdc:
        world.enable_cdc(table)
    mapping = lake.add_mapping(table, cdc=cdc)
    world.start()
    wait_loaded(world, lake, mapping, table, cdc)
    return mapping


def verify(world, mapping, scope, status):
    state, answer = ask(world, mapping, "VERIFY", scope=scope)
    assert state == "COMPLETED", answer
    result = last(world, mapping)
    assert result["verification_type"] == scope
    assert result["verification_status"] == status, \
        (answer, result["verification_details"])
    return result


def relative(landing, path):
    return os.path.relpath(path, landing.folder)


@pytest.mark.parametrize("options", FORMATS + [
    {"timestamps": "text"}, {"uuid": "text", "compression": "zstd"},
    {"file_format": "json", "decimals": "string", "compression": "gzip"},
    {"file_format": "csv", "delimiter": "semicolon", "compression": "zstd"},
], ids=lambda o: "-".join(o.values()) or "parquet")
def test_every_type_passes(world, make_lake, options):
    lake = make_lake(digest_every=1, **options)
    types = list(TYPES)
    columns = ", ".join(f"c{i} {t} NULL" for i, t in enumerate(types))
    world.on_source(f"CREATE TABLE t (id INT PRIMARY KEY, {columns})")
    for i, pick in enumerate((0, 1)):
        values = ", ".join(TYPES[t][pick] for t in types)
        world.on_source(f"INSERT INTO t VALUES ({i}, {values})")
    world.on_source("INSERT INTO t (id) VALUES (5)")
    mapping = start(world, lake)
    values = ", ".join(TYPES[t][0] for t in types)
    world.on_source(f"INSERT INTO t VALUES (9, {values})")
    wait_for_changes(lake)
    for scope in ("WHOLE", "TAIL"):
        result = verify(world, mapping, scope, "PASSED")
        assert result["source_row_count"] == result["dest_row_count"] == 3
        assert result["source_md5"] == result["dest_md5"]
        assert result["mismatches_found"] == 0
    assert results(world, mapping)[0]["records_compared"] == 4
    assert not world.errors()


@pytest.mark.threads
@pytest.mark.parametrize("options", FORMATS, ids=name_of)
def test_what_is_done_to_files_is_found(world, make_lake, options):
    lake = make_lake(**options)
    fill(world, 500)
    mapping = start(world, lake)
    change(world)
    wait_for_changes(lake)
    landing = lake.landing("t")
    key = landing.manifest()["files"][0]["key"]
    whole = lake.read("t", key)
    passed = verify(world, mapping, "WHOLE", "PASSED")

    def found(data, difference, scopes=("WHOLE", "TAIL")):
        if data is None:
            lake.remove("t", key)
        else:
            lake.write("t", key, data)
        for scope in scopes:
            result = verify(world, mapping, scope, "FAILED")
            assert keys(result) == {(key, difference)}
            assert result["mismatches_found"] == 1
            assert result["source_md5"] == passed["source_md5"]
            assert result["dest_md5"] != passed["dest_md5"]
        assert len(open_errors(world, mapping)) == 1
        assert key in open_errors(world, mapping)[0][1]
        assert "FULL_SYNC" in open_errors(world, mapping)[0][1]
        lake.write("t", key, whole)
        verify(world, mapping, "WHOLE", "PASSED")
        dataflow.wait_for(lambda: not open_errors(world, mapping), 10)

    middle = len(whole) // 2
    found(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1:],
          "CHECKSUM")
    found(whole[:middle], "SIZE")
    found(None, "MISSING")


def test_another_valid_file_is_found(world, make_lake, tmp_path):
    """Written by pyarrow, one value changed: by its size, or by its checksum."""
    lake = make_lake(compression="none")
    fill(world, 300)
    mapping = start(world, lake)
    key = lake.landing("t").manifest()["files"][0]["key"]
    path = str(tmp_path / "other.parquet")
    with open(path, "wb") as file:
        file.write(lake.read("t", key))
    pa, pq = duck.pyarrow, duck.pyarrow.parquet
    table = pq.ParquetFile(path).read()
    names = table.column("name").to_pylist()
    names[100] = "other"
    table = table.set_column(table.schema.get_field_index("name"), "name",
                             pa.array(names, pa.string()))
    pq.write_table(table, path)
    with open(path, "rb") as file:
        lake.write("t", key, file.read())
    assert keys(verify(world, mapping, "WHOLE", "FAILED")) == {(key, "SIZE")}
    assert keys(verify(world, mapping, "TAIL", "FAILED")) == {(key, "SIZE")}


def crc32c(data):
    """RFC 3720's, bit by bit."""
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


@pytest.mark.parametrize("change_rows", [False, True])
def test_values_are_compared_not_bytes_alone(world, make_lake, change_rows):
    """Somebody who puts size and checksum right is found out by the rows."""
    lake = make_lake(file_format="csv", digest_every=1)
    fill(world, 200)
    mapping = start(world, lake)
    landing = lake.landing("t")
    manifest = landing.manifest()
    assert manifest["digest_every"] == 1
    entry = manifest["files"][0]
    lines = lake.read("t", entry["key"])
    if change_rows:
        changed = lines.replace(b",112.500,", b",112.625,", 1)
        assert changed != lines
    else:
        at = lines.rindex(b"\n200,")
        changed = lines[:at + 1]
    entry["bytes"], entry["crc32c"] = len(changed), f"{crc32c(changed):08x}"
    lake.write("t", entry["key"], changed)
    lake.write("t", f"full/{manifest['run']}/_manifest.json",
                json.dumps(manifest).encode())
    result = verify(world, mapping, "WHOLE", "FAILED")
    assert keys(result) == {
        (entry["key"], "CONTENT" if change_rows else "ROWS")}
    assert result["source_row_count"] - result["dest_row_count"] \
        == (0 if change_rows else 1)


@pytest.mark.parametrize("options", FORMATS, ids=name_of)
def test_files_of_changes(world, make_lake, options):
    lake = make_lake(**options)
    fill(world)
    mapping = start(world, lake)
    for i in range(4):
        insert(world, 1000 * (i + 1), 1000 * (i + 1) + 50)
        wait_for_changes(lake, i + 1)
    landing = lake.landing("t")
    paths = sorted(landing.changes(),
                   key=lambda p: int(re.search(r"-(\d+)\.", p).group(1)))
    names = [relative(landing, p) for p in paths]
    result = verify(world, mapping, "WHOLE", "PASSED")
    assert result["records_compared"] >= 300 + 4 * 51
    number = re.search(r"-\d+\..*$", names[1]).group(0)
    kept = lake.read("t", names[1])
    lake.remove("t", names[1])
    for scope in ("WHOLE", "TAIL"):
        assert keys(verify(world, mapping, scope, "FAILED")) == {
            (f"changes/*{number}", "MISSING")}
    cut = len(kept) // 2
    lake.write("t", names[1], kept[:cut])
    found = keys(verify(world, mapping, "WHOLE", "FAILED"))
    assert {key for key, _ in found} == {names[1]}
    lake.write("t", names[1], b"")
    assert (names[1], "SIZE") in keys(verify(world, mapping, "TAIL", "FAILED"))
    if options:  # a record less is a file as any other
        head = kept.rstrip(b"\n")
        lake.write("t", names[1], head[:head.rindex(b"\n") + 1]
                    if b'"b' not in head else
                    re.sub(rb"\n?[^\n]*\n[^\n]*$", b"\n", head)
                    if name_of(options) == "csv" else
                    head[:head.rindex(b"\n") + 1])
        found = keys(verify(world, mapping, "WHOLE", "FAILED"))
        assert {key for key, _ in found} == {names[1]}
    lake.write("t", names[1], kept)
    verify(world, mapping, "WHOLE", "PASSED")


def test_manifest_and_pointer(world, make_lake):
    lake = make_lake()
    fill(world)
    mapping = start(world, lake)
    landing = lake.landing("t")
    name = f"full/{landing.latest()['run']}/_manifest.json"
    for key in (name, "latest.json"):
        kept = lake.read("t", key)
        lake.remove("t", key)
        assert keys(verify(world, mapping, "TAIL", "FAILED")) \
            == {(key, "MISSING")}
        lake.write("t", key, b"{}")
        assert {k for k, _ in keys(verify(world, mapping, "WHOLE", "FAILED"))} \
            == {key}
        lake.write("t", key, kept)
    verify(world, mapping, "WHOLE", "PASSED")


def test_repair_is_refused(world, make_lake):
    lake = make_lake()
    fill(world)
    mapping = start(world, lake)
    state, answer = ask(world, mapping, "REPAIR")
    assert state == "FAILED" and "FULL_SYNC" in answer
    assert not results(world, mapping)


def test_partitions_columns_and_a_sample(world, make_lake):
    """Some files are read, all others are looked for."""
    lake = make_lake(partition_columns="name")
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "name NVARCHAR(50) NULL)")
    world.on_source("WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n "
                    "WHERE i < 2000) INSERT INTO t SELECT i, CONCAT(N'n', "
                    "i % 20) FROM n OPTION (MAXRECURSION 0)")
    world.enable_cdc("t")
    mapping = lake.add_mapping("t", verification_row_count=150)
    world.start()
    wait_loaded(world, lake, mapping)
    result = verify(world, mapping, "TAIL", "PASSED")
    files = lake.landing("t").manifest()["files"]
    assert 0 < result["records_compared"] < 2000
    assert json.loads(result["verification_details"])["files"] >= len(files)
    lost = {f["key"] for f in files[::5]}
    for key in lost:
        lake.remove("t", key)
    for scope in ("TAIL", "WHOLE"):
        assert keys(verify(world, mapping, scope, "FAILED")) \
            == {(key, "MISSING") for key in lost}


class Load(threading.Thread):
    """A thousand changes a second or so, until it is stopped."""

    def __init__(self, world):
        super().__init__()
        self.world, self.stopped, self.count = world, threading.Event(), 0

    def run(self):
        first = 100000
        while not self.stopped.wait(0.2):
            insert(self.world, first, first + 199)
            self.count += 200
            first += 200


@pytest.mark.parametrize("options", FORMATS, ids=name_of)
def test_no_false_alarm_under_load(world, make_lake, options):
    lake = make_lake(**options)
    fill(world, 20000)
    mapping = start(world, lake)
    load = Load(world)
    load.start()
    try:
        for _ in range(3):
            wait_for_changes(lake, len(lake.landing("t").changes()) + 1)
            verify(world, mapping, "WHOLE", "PASSED")
            verify(world, mapping, "TAIL", "PASSED")
    finally:
        load.stopped.set()
        load.join()
    assert load.count > 1000
    ask(world, mapping, "FULL_SYNC")
    verify(world, mapping, "WHOLE", "PASSED")
    assert not world.errors()


def progress(world, mapping):
    found = world.control("SELECT progress FROM verification_progress "
                          f"WHERE mapping_id = {mapping}")
    return json.loads(found[0][0]) if found and found[0][0] else None


@pytest.mark.parametrize("how", ["pause", "restart"])
def test_whole_verification_goes_on(world, make_lake, how):
    lake = make_lake(file_format="json", file_size_mb=1, digest_every=1)
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "body NVARCHAR(30) NULL)")
    world.on_source("WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n "
                    f"WHERE i < {ROWS}) INSERT INTO t SELECT i, REPLICATE("
                    "N'x\u00e9\u20ac', 3) FROM n OPTION (MAXRECURSION 0)")
    mapping = start(world, lake)
    files = lake.landing("t").manifest()["files"]
    assert len(files) > 5
    lake.remove("t", files[0]["key"])
    lake.remove("t", files[-1]["key"])
    world.control("INSERT INTO sync_requests (mapping_id, request_type, "
                  f"scope) VALUES ({mapping}, N'VERIFY', N'WHOLE')")
    dataflow.wait_for(
        lambda: (progress(world, mapping) or {}).get("objects"), 30, 0.02)
    if how == "pause":
        assert ask(world, mapping, "PAUSE")[0] == "COMPLETED"
        dataflow.wait_for(lambda: world.state(mapping) == "PAUSED", 10)
        before = progress(world, mapping)
        time.sleep(1)
        assert progress(world, mapping) == before
        assert ask(world, mapping, "RESUME")[0] == "COMPLETED"
    else:
        world.daemons[-1].stop()
        before = progress(world, mapping)
        world.start()
    assert before and before["objects"] < len(files), "it was through already"
    result = dataflow.wait_for(lambda: [
        r for r in results(world, mapping)
        if r["verification_type"] == "WHOLE"], 60)[-1]
    assert result["records_compared"] == ROWS
    assert json.loads(result["verification_details"])["files"] == len(files)
    assert keys(result) == {(f["key"], "MISSING")
                            for f in (files[0], files[-1])}
    # The answer to the request follows the result.
    dataflow.wait_for(lambda: world.control(
        "SELECT state FROM sync_requests WHERE request_type = N'VERIFY'")
        == [("COMPLETED",)])


def test_interval(world, make_lake):
    lake = make_lake()
    fill(world)
    world.enable_cdc("t")
    mapping = lake.add_mapping("t", verification_interval_minutes=1)
    world.start()
    found = dataflow.wait_for(lambda: results(world, mapping), 90)
    assert found[0]["verification_type"] == "TAIL"
    assert found[0]["verification_status"] == "PASSED"
