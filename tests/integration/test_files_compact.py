"""Small files of changes are merged: what a reader sees before, meanwhile and
afterwards is the same table."""
import itertools
import os
import re
import threading
import time

import pytest

from support import dataflow, duck, s3
from support.lakes import (lake_folder, make_lake, reader,  # noqa: F401
                           server)
from test_files import TextLake, fill, insert, request

duck.skip_unless_installed()
s3.skip_unless_installed()

MEGABYTE = 1 << 20


def make_files(world, lake, count, table="t"):
    """So many files of changes, at least."""
    number = 10000 + world.on_source(f"SELECT COALESCE(MAX(id), 0) FROM {table}"
                                     )[0][0]
    while len(lake.landing(table).changes()) < count:
        before = len(lake.landing(table).changes())
        world.on_source(f"INSERT INTO {table} (id, name) VALUES ({number}, "
                        f"N'n{number}')")
        world.on_source(f"UPDATE {table} SET name = N'{number}' WHERE id % 9 = "
                        f"{number % 9}")
        world.on_source(f"DELETE FROM {table} WHERE id = {number - 3}")
        number += 1
        dataflow.wait_for(
            lambda before=before: len(lake.landing(table).changes()) > before)


def events(lake, table="t"):
    """Every change that is in any file, as often as it is there."""
    landing = lake.landing(table)
    return sorted(lake.duck.query(
        f"SELECT * FROM {landing.scan(landing.changes())}"), key=repr)


def compact(world, mapping):
    state, answer = request(world, mapping, "COMPACT", 60)
    assert state == "COMPLETED", answer
    return answer


@pytest.mark.threads
def test_merged(world, make_lake):
    fill(world, 100)
    world.enable_cdc("t")
    lake = make_lake()
    mapping = lake.add_mapping("t")
    daemon = world.start()
    lake.wait_equal("t")
    assert "no files of changes" in compact(world, mapping)
    make_files(world, lake, 6)
    lake.wait_equal("t")
    before, files = events(lake), lake.landing("t").changes()
    answer = compact(world, mapping)
    assert answer.startswith(f"{len(files)} files of changes became 1, with "
                             f"{len(before)} rows"), answer
    merged = lake.landing("t").changes()
    assert len(merged) == 1 and events(lake) == before
    first, last = (os.path.basename(files[i]).split(".")[0].split("-")
                   for i in (0, -1))
    assert os.path.basename(merged[0]) == (
        f"{first[0]}-{last[1]}-{first[2]}_{last[2]}.parquet")
    assert not lake.differences("t")
    # It goes on, over a restart, and is merged with what comes.
    daemon.stop()
    daemon.start()
    make_files(world, lake, 4)
    lake.wait_equal("t")
    before = events(lake)
    assert " became 1," in compact(world, mapping)
    assert len(lake.landing("t").changes()) == 1 and events(lake) == before
    assert not lake.differences("t")
    # The files of one that is alone stay as they are.
    name = lake.landing("t").changes()
    assert "no files of changes" in compact(world, mapping)
    assert lake.landing("t").changes() == name
    # And go with the load that they belong to.
    for _ in range(2):
        assert request(world, mapping, "FULL_SYNC")[0] == "COMPLETED"
    lake.wait_equal("t")
    assert not lake.landing("t").changes()
    assert not lake.landing("t").temporaries()
    assert not world.errors()


@pytest.mark.parametrize("options", [
    {"file_format": "csv"}, {"file_format": "csv", "null": "NULL"},
    {"file_format": "csv", "header": "no"},
    {"file_format": "json", "decimals": "string", "compression": "zstd"},
    {"compression": "zstd", "timestamps": "text"},
], ids=str)
def test_each_format(world, reader, tmp_path, options):
    fill(world, 50)
    world.enable_cdc("t")
    lake = TextLake(world, reader, tmp_path, **options)
    mapping = lake.add_mapping("t")
    world.start()
    dataflow.wait_for(lambda: lake.landing("t").is_loaded())
    dataflow.wait_for(lambda: world.control(
        "SELECT 1 FROM mapping_state WHERE is_consistent = 1"))
    insert(world, 500, 540)
    make_files(world, lake, 3)
    time.sleep(2)
    landing = lake.landing("t")

    def bodies():
        """Of CSV the lines, which are the same, too."""
        if lake.extension != "csv":
            return events(lake)
        found = []
        for path in landing.changes():
            with open(path, encoding="utf-8", newline="") as file:
                text = file.read()
            if options.get("header") != "no":
                text = text.split("\n", 1)[1]
            found.append(text)
        return "".join(found)
    before = bodies()
    assert " became 1," in compact(world, mapping)
    assert len(landing.changes()) == 1 and bodies() == before
    assert not world.errors()


def test_folders_stay_apart(world, make_lake):
    """Files of one day and hour make a file there."""
    fill(world, 20)
    world.enable_cdc("t")
    lake = make_lake(partition_by="hour", file_naming="{schema}-{table}-")
    mapping = lake.add_mapping("t")
    world.start()
    lake.wait_equal("t")
    make_files(world, lake, 4)
    lake.wait_equal("t")
    before = events(lake)
    folders = {os.path.dirname(p) for p in lake.landing("t").changes()}
    compact(world, mapping)
    after = lake.landing("t").changes()
    assert {os.path.dirname(p) for p in after} == folders
    assert len(after) == len(folders) and events(lake) == before
    assert all(os.path.basename(p).startswith("dbo-t-") for p in after)


def test_files_of_another_kind_stay(world, make_lake):
    """Other columns, or other options of the format: they are not read alike."""
    fill(world, 20)
    world.enable_cdc("t")
    lake = make_lake(file_format="csv")
    mapping = lake.add_mapping("t")
    world.start()
    dataflow.wait_for(lambda: lake.landing("t").is_loaded())
    make_files(world, lake, 3)
    time.sleep(2)
    old = lake.landing("t").everything()
    lake.set_options(null="~", delimiter="|")
    count = len(old)
    while not any(first_line(p).startswith("_op|")
                  for p in lake.landing("t").changes()):
        count += 1
        make_files(world, lake, count)
    make_files(world, lake, count + 3)
    time.sleep(2)
    odd = {p: c for p, c in lake.landing("t").everything().items()
           if "/changes/" in p}
    with_bars = [p for p in odd if first_line(p).startswith("_op|")]
    answer = compact(world, mapping)
    assert answer.startswith(f"{len(with_bars)} files of changes became 1,")
    new = lake.landing("t").everything()
    assert all(new[p] == c for p, c in odd.items() if p not in with_bars)
    merged = [p for p in lake.landing("t").changes() if p not in odd]
    assert len(merged) == 1 and first_line(merged[0]).startswith("_op|")
    # Likewise with another column, which SQL Server has in a new instance.
    world.on_source("ALTER TABLE t ADD extra INT NULL")
    world.on_source("EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', "
                    "@source_name = N't', @role_name = NULL, "
                    "@capture_instance = N'second'")
    count = len(lake.landing("t").changes())
    while len([p for p in lake.landing("t").changes()
               if "|extra" in first_line(p)]) < 2:
        count += 1
        make_files(world, lake, count)
    time.sleep(2)
    with_extra = [p for p in lake.landing("t").changes()
                  if "|extra" in first_line(p)]
    answer = compact(world, mapping)
    assert answer.startswith(f"{len(with_extra)} files of changes became 1,")
    assert os.path.exists(merged[0])
    assert not world.errors()


def first_line(path):
    with open(path, encoding="utf-8") as file:
        return file.readline()


def test_file_size(world, make_lake):
    """Files that are large enough stay, and none becomes larger than that."""
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "name VARCHAR(8000) NULL)")
    world.enable_cdc("t")
    lake = make_lake(file_format="json", file_size_mb=1)
    mapping = lake.add_mapping("t")
    world.start()
    dataflow.wait_for(lambda: lake.landing("t").is_loaded())
    for number in range(12):
        files = len(lake.landing("t").changes())
        world.on_source(
            f"WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < "
            f"{100 if number % 4 == 3 else 30}) INSERT INTO t SELECT "
            f"i + {number * 1000}, REPLICATE('{'abcd'[number % 4]}', 7000) "
            "FROM n OPTION (MAXRECURSION 0)")
        dataflow.wait_for(
            lambda files=files: len(lake.landing("t").changes()) > files)
    count = world.on_source("SELECT COUNT(*) FROM t")[0][0]
    dataflow.wait_for(lambda: len(events(lake)) == count)
    before = {p: os.path.getsize(p) for p in lake.landing("t").changes()}
    rows = events(lake)
    answer = compact(world, mapping)
    after = {p: os.path.getsize(p) for p in lake.landing("t").changes()}
    large = {p for p, size in before.items() if size >= MEGABYTE / 2}
    assert large and large <= set(after) and len(after) < len(before), answer
    assert max(after.values()) <= MEGABYTE * 1.1 and events(lake) == rows


def test_changes_go_on(world, make_lake):
    """A reader that looks all the time sees each state of a counter whole, and
    never an older one; a load in between begins the work anew."""
    fill(world, 20)
    world.enable_cdc("t")
    lake = make_lake()
    mapping = lake.add_mapping("t")
    world.start()
    lake.wait_equal("t")
    ended, wrong = threading.Event(), []

    def write():
        for number in range(10 ** 6):
            if ended.is_set():
                return
            world.on_source(f"UPDATE t SET price = {number}")
            time.sleep(0.05)
    thread = threading.Thread(target=write)
    thread.start()
    last = -1
    try:
        for turn in range(12):
            time.sleep(1.2)
            if turn == 7:
                request(world, mapping, "FULL_SYNC")
            compact(world, mapping)
            try:
                seen = {float(row[2]) for row in lake.landing("t").rows("id")}
            except duck.Error:
                continue  # a file went while it was read: once more
            if len(seen) != 1 or min(seen) < last:
                wrong.append((turn, last, seen))
            last = max(seen)
    finally:
        ended.set()
        thread.join()
    lake.wait_equal("t")
    assert not wrong and not world.errors()


def test_who_has_no_files(world):
    """The destination is a server."""
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    world.enable_cdc("t")
    mapping = world.add_mapping("t", cdc=1)
    world.start()
    dataflow.wait_for(lambda: world.state(mapping) == "CDC")
    state, answer = request(world, mapping, "COMPACT")
    assert state == "FAILED"
    assert answer == "a destination of this type has no files"


def test_without_changes(world, make_lake):
    fill(world, 5)
    lake = make_lake()
    mapping = lake.add_mapping("t", cdc=0)
    world.start()
    lake.wait_equal("t")
    state, answer = request(world, mapping, "COMPACT")
    assert state == "FAILED" and "cdc_enabled is 0" in answer


def numbers(path):
    """First and last number of a file of changes."""
    words = re.fullmatch(r".*-(\d+)(?:_(\d+))?\.\w+", path)
    return int(words[1]), int(words[2] or words[1])


def check_once_and_in_order(lake, before):
    """Each file begins where the one before it ended; so do its changes."""
    landing = lake.landing("t")
    files = sorted(landing.changes(), key=numbers)
    assert events(lake) == before
    number, last = numbers(files[0])[0], ("", 0)
    for path in files:
        first, end = numbers(path)
        assert first == number, files
        number = end + 1
        for position, seq in lake.duck.query(
                f"SELECT _position, _seq FROM {landing.scan([path])}"):
            assert last[0] <= position and last[1] < seq
            last = position, seq
    return files


def test_folders_that_alternate(world, make_lake):
    """As hours do when a clock is put back: merged are those of one folder that
    nothing in another one came between."""
    fill(world, 20)
    world.enable_cdc("t")
    lake = make_lake(partition_by="hour", partition_columns="name")
    mapping = lake.add_mapping("t")
    world.start()
    lake.wait_equal("t")
    make_files(world, lake, 6)
    lake.wait_equal("t")
    before = events(lake)
    files = check_once_and_in_order(lake, before)
    places = list(itertools.islice(itertools.cycle("AABABB"), len(files)))
    folder = lake.landing("t").folder
    for path, place in zip(files, places):
        old, name = os.path.relpath(path, folder), os.path.basename(path)
        lake.write("t", f"changes/dt=2026-01-01/hour={place}/{name}",
                   lake.read("t", old))
        lake.remove("t", old)
    groups = [(place, len(list(group)))
              for place, group in itertools.groupby(places)]
    state, answer = request(world, mapping, "COMPACT", 60)
    assert state == "COMPLETED", answer
    found = check_once_and_in_order(lake, before)
    assert [(p.split("hour=")[1][0], 1 + numbers(p)[1] - numbers(p)[0])
            for p in found] == groups
    assert not lake.differences("t")
    # What comes later is merged in its own folder.
    make_files(world, lake, len(found) + 2)
    lake.wait_equal("t")
    before = events(lake)
    compact(world, mapping)
    after = check_once_and_in_order(lake, before)
    assert len(after) > len(found) and after[:len(found)] == found
    assert not lake.differences("t") and not world.errors()
