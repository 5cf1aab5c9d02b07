"""Tables landed as files in a local folder, read back by DuckDB and pyarrow and
compared with the source, whole."""
import os

import pytest

from support import dataflow, duck
from support.landing import Lake

duck.skip_unless_installed()


@pytest.fixture(scope="module")
def reader():
    made = duck.Duck()
    yield made
    made.close()


@pytest.fixture
def lake_folder(tmp_path):
    folder = tmp_path / "lake"
    folder.mkdir()
    return folder


def fill(world, rows=300):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "name NVARCHAR(50) NULL, price DECIMAL(12,3) NULL, "
                    "at DATETIME2(6) NULL, body NVARCHAR(MAX) NULL)")
    world.on_source(
        f"WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < "
        f"{rows}) INSERT INTO t SELECT i, CASE WHEN i % 7 = 0 THEN NULL WHEN "
        "i % 11 = 0 THEN N'' ELSE CONCAT(N'n\u00fc\U0001f600 ', i) END, "
        "i * 1.125, DATEADD(second, i, '2020-01-01T00:00:00'), "
        "CASE WHEN i % 3 = 0 THEN NULL ELSE N'b' END FROM n "
        "OPTION (MAXRECURSION 0)")


def test_load_and_changes(world, reader, lake_folder):
    fill(world)
    world.enable_cdc("t")
    lake = Lake(world, reader, lake_folder)
    lake.add_mapping("t")
    world.start()
    lake.wait_equal("t")
    landing = lake.landing("t")
    manifest = landing.manifest()
    assert manifest["rows"] == 300 and len(manifest["files"]) == 1
    world.on_source("UPDATE t SET name = N'x' WHERE id % 10 = 0")
    world.on_source("DELETE FROM t WHERE id % 4 = 0")
    world.on_source("INSERT INTO t (id, name) VALUES (1000, N'new')")
    world.on_source("UPDATE t SET id = 2000 WHERE id = 1000")
    lake.wait_equal("t")
    assert landing.changes()
    assert len(landing.runs()) == 1
    assert not world.errors()
