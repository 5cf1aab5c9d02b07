"""Verification and compaction of files within memory_limit_mb: large values, large
row groups, and files that become far more than they are when they are read. What
1 GiB of files takes is in docs/files.md."""
import gzip
import os
import time

import pytest

from support import dataflow, duck, s3
from support.landing import BucketLake, Lake
from test_bounds import LIMIT, assert_bounded
from test_files import fill, insert, request
from test_files_verify import (reader, server, verify,  # noqa: F401
                               wait_for_changes, wait_loaded)
from test_verify import keys, open_errors

duck.skip_unless_installed()
s3.skip_unless_installed()

VALUE = 16_000_000
ROWS = 8  # 122 MiB, in one row group


def forget_peak(daemon):
    with open(f"/proc/{daemon.process.pid}/clear_refs", "w",
              encoding="ascii") as file:
        file.write("5")


def insert_large(world, first, last, size=VALUE):
    """Values that are not alike, so that no dictionary holds them."""
    world.on_source(
        f"WITH n AS (SELECT {first} AS i UNION ALL SELECT i + 1 FROM n WHERE i "
        f"< {last}) INSERT INTO t SELECT i, CONVERT(VARBINARY(MAX), REPLICATE("
        "CONVERT(VARCHAR(MAX), CONCAT(100 + i, 'abcdefghijklmnopqrstu')), "
        f"{size // 24})) FROM n OPTION (MAXRECURSION 0)")


def start(world, lake, rows):
    world.allow_large_values()
    world.config(verification_interval_minutes=0)
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "body VARBINARY(MAX) NULL)")
    insert_large(world, 1, rows)
    world.enable_cdc("t")
    mapping = lake.add_mapping("t")
    daemon = world.start()
    wait_loaded(world, lake, mapping)
    return mapping, daemon


@pytest.fixture
def bucket_lake(world, reader, tmp_path, server):  # noqa: F811
    def make(**options):
        return BucketLake(world, reader, tmp_path, server, "landing",
                          prefix=f"p{time.time_ns()}", compression="none",
                          **options)
    return make


@pytest.mark.standin
def test_verification_of_a_large_row_group(world, bucket_lake):
    lake = bucket_lake(row_group_mb=128)
    mapping, daemon = start(world, lake, ROWS)
    assert_bounded(daemon)
    forget_peak(daemon)
    result = verify(world, mapping, "WHOLE", "PASSED")
    assert result["records_compared"] == ROWS
    assert_bounded(daemon)


@pytest.mark.standin
def test_compaction_of_large_values(world, bucket_lake):
    lake = bucket_lake(file_age_seconds=1)
    mapping, daemon = start(world, lake, rows=1)
    for i in range(4):
        insert_large(world, 10 + i, 10 + i)
        wait_for_changes(lake, i + 1)
    forget_peak(daemon)
    state, answer = request(world, mapping, "COMPACT", 60)
    assert state == "COMPLETED" and answer.startswith(
        "4 files of changes became 1, with 4 rows"), answer
    assert_bounded(daemon)
    assert not world.errors()


def bomb(path):
    """A row of 300 MB in a file of one or two."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        row = file.readline()
    with gzip.open(path, "wb", 1) as file:
        file.write(b'{"more":"')
        for _ in range(300):
            file.write(b"a" * 1_000_000)
        file.write(b'",' + row[1:].encode())
    assert os.path.getsize(path) < 2_000_000


def test_file_that_becomes_too_much(world, reader, tmp_path):  # noqa: F811
    """It is told, others are not disturbed, and changes go on."""
    world.config(verification_interval_minutes=0)
    fill(world, 100)
    world.enable_cdc("t")
    lake = Lake(world, reader, tmp_path, file_format="json", compression="gzip")
    mapping = lake.add_mapping("t")
    daemon = world.start()
    wait_loaded(world, lake, mapping)
    for i in range(3):
        insert(world, 200 + i, 200 + i)
        wait_for_changes(lake, i + 1)
    files = lake.landing("t").changes()
    bomb(files[1])
    state, answer = request(world, mapping, "COMPACT", 60)
    assert state == "FAILED" and "grew beyond" in answer, answer
    assert os.path.basename(files[1]) in answer, answer
    assert lake.landing("t").changes() == files
    result = verify(world, mapping, "WHOLE", "FAILED")
    key = os.path.relpath(files[1], lake.landing("t").folder)
    assert keys(result) == {(key, "UNREADABLE")}
    assert len(open_errors(world, mapping)) == 1
    assert_bounded(daemon, LIMIT)
    insert(world, 300, 310)
    wait_for_changes(lake, 4)
    assert [e[0] for e in world.errors()] == ["VERIFICATION"]
