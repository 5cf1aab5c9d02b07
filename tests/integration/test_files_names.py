"""Values of partition_columns, and names, that mean something to file systems,
URLs or readers of such folders; in a folder and in a bucket."""
import os
import urllib.parse

import pytest

from support import dataflow, duck, s3
from support.lakes import (lake_folder, make_lake, reader,  # noqa: F401
                           server)
from support.landing import BucketLake, Lake, Landing
from test_check import check
from test_files import request

duck.skip_unless_installed()
s3.skip_unless_installed()

DEFAULT = "__HIVE_DEFAULT_PARTITION__"
LONG = "\u00e4b/" * 100
HOSTILE = [
    None, "", " ", ".", "..", "../..", "/", "//", "/etc/passwd", "a/b", "a\\b",
    "=", "x=y", "%", "%2F", "%41", "&?#+;", "'", '"', "*", "~", "\n", "\t\x7f",
    "NULL", DEFAULT, "_hidden", ".hidden", "DE", "de", "De",
    "stra\u00dfe", "STRASSE", "\u00fc", "u\u0308", "\U0001f600", "\u202e",
    LONG, LONG + "x", LONG + "y", "x" * 300, "a.b", "CON", "nul."]


def text(value):
    return "NULL" if value is None else "N'" + value.replace("'", "''") + "'"


def test_partition_columns(world, make_lake):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "c NVARCHAR(400) NULL, n INT NULL)")
    for number, value in enumerate(HOSTILE):
        world.on_source(f"INSERT INTO t VALUES ({number}, {text(value)}, 1), "
                        f"({number + 1000}, {text(value)}, NULL)")
    lake = make_lake(partition_columns="c,n")
    mapping = lake.add_mapping("t", cdc=0)
    world.start()
    dataflow.wait_for(lambda: lake.landing("t").is_loaded(), 60)
    lake.wait_equal("t", timeout=90)
    landing = lake.landing("t")
    run = landing.path("full", landing.latest()["run"])
    folders = {}
    for path in landing.parts():
        c, n, name = os.path.relpath(path, run).split("/")
        assert c.startswith("c=") and n in ("n=1", f"n={DEFAULT}")
        assert len(c.encode()) <= 255 and "//" not in path
        for value, in lake.duck.query(
                f"SELECT DISTINCT c FROM {landing.scan([path])}"):
            folders.setdefault(c, set()).add(value)
    # Nothing lies anywhere else.
    manifest = {os.path.join(landing.folder, f["key"])
                for f in landing.manifest()["files"]}
    assert manifest == set(landing.parts())
    # Each value has a folder of its own, but NULL and the empty text.
    assert folders.pop(f"c={DEFAULT}") == {None, ""}
    assert all(len(values) == 1 for values in folders.values()), folders
    assert len(folders) == len(set(HOSTILE)) - 2
    # Readers of such folders have the value again, unless it was cut.
    for folder, (value,) in ((f, tuple(v)) for f, v in folders.items()):
        read = urllib.parse.unquote(folder[2:])
        if len(value) < 100:
            assert read == value, (folder, value)
        else:
            assert value.startswith(urllib.parse.unquote(
                folder[2:].rsplit("~", 1)[0]))
    assert request(world, mapping, "FULL_SYNC")[0] == "COMPLETED"
    assert not world.errors(mapping)


def loads(landing):
    """Those that have any file."""
    return sorted({p.split("/full/")[1].split("/")[0]
                   for p in landing.everything() if "/full/" in p})


def test_keep_full_loads_and_latest(world, make_lake):
    """The pointer names a load that is there and whole, at each moment; older
    ones go when there are more than are kept, with the changes before them."""
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, n INT NULL)")
    world.on_source("INSERT INTO t VALUES (1, 0), (2, 0)")
    world.enable_cdc("t")
    lake = make_lake(keep_full_loads=3, file_naming="n-")
    mapping = lake.add_mapping("t")
    world.start()
    lake.wait_equal("t")
    runs = [lake.landing("t").latest()["run"]]
    for number in range(1, 6):
        world.on_source(f"UPDATE t SET n = {number}")
        lake.wait_equal("t")
        assert request(world, mapping, "FULL_SYNC")[0] == "COMPLETED"
        lake.wait_equal("t")
        landing = lake.landing("t")
        runs.append(landing.latest()["run"])
        assert loads(landing) == sorted(runs)[-3:]
        assert landing.latest()["rows"] == landing.manifest()["rows"] == 2
        assert all(os.path.getsize(os.path.join(landing.folder, f["key"])) ==
                   f["bytes"] for f in landing.manifest()["files"])
    # Of five times of changes those of the last two are not in all loads.
    landing = lake.landing("t")
    first = min(landing.manifest(run)["first_seq"] for run in loads(landing))
    assert lake.duck.query(f"SELECT min(_seq) FROM "
                           f"{landing.scan(landing.changes())}")[0][0] >= first
    lake.set_options(keep_full_loads=1)
    dataflow.wait_for(lambda: request(world, mapping, "FULL_SYNC")[0] ==
                      "COMPLETED" and len(loads(lake.landing("t"))) == 1, 60)
    assert loads(lake.landing("t")) == [lake.landing("t").latest()["run"]]
    assert not lake.landing("t").changes() and not world.errors(mapping)


def test_names_of_tables(world, make_lake):
    """They lie beside each other, and none in another's folder."""
    tables = ["a/b", "..", "x=y", "%2F", "DE", "d e", "\u00fc\U0001f600",
              "t" * 120]
    lake = make_lake()
    for number, name in enumerate(tables):
        quoted = "[" + name.replace("]", "]]") + "]"
        world.on_source(f"CREATE TABLE {quoted} (id INT NOT NULL PRIMARY KEY)")
        world.on_source(f"INSERT INTO {quoted} VALUES ({number})")
        world.control(
            "INSERT INTO table_mappings (server_id, target_id, source_database,"
            " source_schema, source_table, dest_database, dest_schema, "
            f"dest_table, cdc_enabled) VALUES (1, {lake.target_id}, "
            f"N'{world.src_db}', N'dbo', N'{name}', N'la/ke', N'..', "
            f"N'{name}', 0)")
    world.start()

    def encoded(value):
        return "".join(
            c if not c.isascii() or c.isalnum() or c in "-_" else
            "".join(f"%{b:02X}" for b in c.encode()) for c in value)
    for number, name in enumerate(tables):
        where = f"{encoded('la/ke')}.{encoded('..')}.{encoded(name)}"

        def landing(where=where):
            prefix = lake.options.get("prefix", "")
            folder = os.path.join(lake.folder, prefix, where)
            if isinstance(lake, BucketLake):
                lake.copy.bring(os.path.relpath(folder, lake.folder) + "/")
            return Landing(lake.duck, folder)
        dataflow.wait_for(lambda: landing().is_loaded(), 60)
        found = landing()
        assert lake.duck.query(
            f"SELECT * FROM {found.scan(found.parts())}") == [(number,)]
    assert not world.errors()


WRONG_NAMES = ["../", "../../etc/x", "/srv/x", "a/b", "_x", ".x", "{nope}",
               "{Table}", "{table", "a b", "%2e", "\u00fc", "x" * 46]


def test_names_of_files_that_are_refused(world, lake_folder):
    """By the name of the setting, and before anything is written."""
    lake = Lake(world, None, lake_folder, file_naming="x")
    for name in WRONG_NAMES:
        lake.set_options(file_naming=name)
        done = check(world, "lake")
        found = [f for f in done.bad() if f["level"] == "FAIL"]
        assert len(found) == 1 and found[0]["remedy"], done
        assert "'file_naming' must " in found[0]["finding"], done
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    mapping = lake.add_mapping("t", cdc=0)
    world.start()
    (_, message, _), = dataflow.wait_for(lambda: world.errors(mapping))
    assert "'file_naming' must " in message
    assert not os.listdir(lake_folder)
    lake.set_options(file_naming="x-")
    dataflow.wait_for(lake.landing("t").is_loaded)
    dataflow.wait_for(lambda: not world.errors())


@pytest.mark.parametrize("naming, table, begins", [
    ("{table}", "_hidden", "%5Fhidden"), ("part-00000.", "t", "part-00000."),
    ("1-2-00001_00002-", "t", "1-2-00001_00002-"),
    ("{table}{table}", "t" * 90, "t" * 60 + "~")])
def test_names_of_files(world, reader, lake_folder, naming, table, begins):
    """Whatever they begin with, each is told from the others, seen by readers,
    and known for what it is when files are merged and old ones go."""
    world.on_source(f"CREATE TABLE [{table}] (id INT NOT NULL PRIMARY KEY)")
    world.enable_cdc(table)
    lake = Lake(world, reader, lake_folder, file_naming=naming,
                keep_full_loads=1)
    mapping = lake.add_mapping(table)

    def landing():
        return lake.landing(table)

    def visible(paths):
        names = [os.path.basename(path) for path in paths]
        assert all(name.startswith(begins) for name in names), names
        return len(names)
    world.start()
    dataflow.wait_for(lambda: landing().is_loaded(), 60)
    for number in range(3):
        count = len(landing().changes())
        world.on_source(f"INSERT INTO [{table}] VALUES ({number})")
        dataflow.wait_for(
            lambda count=count: len(landing().changes()) > count)
    assert visible(landing().changes()) >= 3
    state, answer = request(world, mapping, "COMPACT")
    assert state == "COMPLETED" and " became 1," in answer
    assert visible(landing().changes()) == 1
    assert [row[0] for row in landing().rows("id")] == [0, 1, 2]
    assert request(world, mapping, "FULL_SYNC")[0] == "COMPLETED"
    assert visible(landing().parts()) == 1
    assert not landing().changes() and not world.errors()
