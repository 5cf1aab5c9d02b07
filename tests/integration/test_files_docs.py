"""What docs/files.md says is so: its queries are run as they stand there, its
lists of settings and of keys are held against what the program takes and writes."""
import json
import os
import re

import pytest

from support import dataflow, duck
from support.landing import Lake
from test_check import check
from test_files import change, fill, request

duck.skip_unless_installed()

FOLDER = "/srv/lake/lake.shop.orders/"


def page():
    with open(os.path.join(dataflow.TOP, "docs/files.md"),
              encoding="utf-8") as file:
        return file.read()


def section(title):
    return re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", page(),
                     re.S | re.M).group(1)


def blocks(title, language):
    return re.findall(rf"```{language}\n(.*?)```", section(title), re.S)


def keys_of(text):
    """What stands there as `word`."""
    return set(re.findall(r"`([a-z]\w*)`", text))


@pytest.fixture
def lake(world, tmp_path):
    folder = tmp_path / "lake"
    folder.mkdir()
    reader = duck.Duck()
    fill(world)
    world.enable_cdc("t")
    made = Lake(world, reader, folder, partition_by="day")
    made.mapping = made.add_mapping("t")
    world.start()
    made.wait_equal("t")
    for _ in range(2):
        change(world)
        made.wait_equal("t")
        world.on_source("DELETE FROM t WHERE id IN (1000, 2000)")
    made.wait_equal("t")
    yield made
    reader.close()


def with_folder(text, lake):
    assert FOLDER in text
    return text.replace(FOLDER, lake.landing("t").folder + "/")


def test_queries(lake):
    """Two for DuckDB, one for pyarrow; after another load, too."""
    simple, thorough = blocks("DuckDB", "sql")
    wanted = lake.source_rows("t")
    for _ in range(2):
        lake.duck.query(with_folder(simple, lake))
        assert duck.rows(lake.duck.query("SELECT * FROM orders")) == wanted
        lake.duck.query("DROP TABLE orders")
        lake.duck.query(thorough)
        assert duck.rows(lake.duck.query("SELECT * FROM orders")) == wanted
        names = {}
        exec(with_folder(blocks("pyarrow", "python")[0], lake), names)
        rows = [tuple(row[name] for name in
                      ("id", "name", "price", "at", "body"))
                for row in names["orders"].to_pylist()]
        assert duck.rows(rows) == wanted
        exec(with_folder(blocks("Verification", "python")[0], lake), {})
        state, answer = request(lake.world, lake.mapping, "FULL_SYNC")
        assert state == "COMPLETED", answer
        lake.world.on_source("UPDATE t SET name = N'late' WHERE id = 3")
        lake.wait_equal("t")
        wanted = lake.source_rows("t")


def test_keys(lake):
    """Everything that is written there is explained, and the other way round."""
    text = section("What lies where")
    latest, manifest, state = re.split(
        r"^\*\*`(?:latest|_manifest|_dataflow/state)\.json`", text,
        flags=re.M)[1:]
    landing = lake.landing("t")
    written = set(landing.latest())
    assert written == set(json.loads(re.search(
        r"```json\n(.*?)```", latest, re.S).group(1)))
    latest = keys_of(latest.split("```")[2])
    assert written == latest
    for part in (landing.manifest(), *landing.manifest()["files"],
                 *landing.manifest()["columns"]):
        written |= set(part)
    assert written == latest | keys_of(manifest) - {"parquet", "csv", "json"}
    written = set(landing.state())
    for part in (landing.state()["checkpoint"], *landing.state()["loads"]):
        written |= set(part)
    assert written == keys_of(state) - {"key", "token", "replaces"}
    own = re.findall(r"^\| `(_\w+)` \|", section("What a change looks like"),
                     re.M)
    assert lake.duck.names(f"SELECT * FROM {landing.scan(landing.changes())}"
                           )[:len(own)] == own


def defaults():
    """(key, its other names, its default) of the tables of settings."""
    for key, others, default in re.findall(
            r"^\| `(\w+)` \|([^|]*)\|[^|]*\|([^|]*)\|$",
            section("Settings"), re.M):
        yield key, re.findall(r"`(\w+)`", others), default.strip("` ")


def test_settings(world, tmp_path):
    """Each key, and each other name of it, is one that the program takes with
    the default that the page gives."""
    found = list(defaults())
    assert {"file_format", "keep_full_loads", "path"} <= {f[0] for f in found}
    lake = Lake(world, None, tmp_path)
    for key, others, default in found:
        value = {"none": "", "nothing": "", "must be given": str(tmp_path)
                 }.get(default, default)
        if default == "none" and key == "partition_by":
            value = default
        for name in (key, *others):
            lake.options = {name: value}
            if key != "path":
                lake.options["path"] = str(tmp_path)
            world.control(
                "UPDATE target_servers SET connection_string = N'" + ";".join(
                    f"{k}={v}" for k, v in lake.options.items()) + "'")
            found = check(world, "lake")
            assert not found.bad(), (name, str(found))
    world.control("UPDATE target_servers SET connection_string = "
                  f"N'path={tmp_path};file_ages=1'")
    assert check(world, "lake").bad()
