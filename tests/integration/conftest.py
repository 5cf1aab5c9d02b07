"""Two servers for all tests, databases of its own for each.

With DATAFLOW_TEST_SQLSERVER=host,port (and DATAFLOW_TEST_USER,
DATAFLOW_TEST_PASSWORD) a real SQL Server plays both; otherwise the stand-in.
"""
import os
import sys
import zlib

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

from support import sqlserver  # noqa: E402
from support.world import World  # noqa: E402

PASSWORD = "Secret-pass-42"


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "threads: worth a run under ThreadSanitizer")
    config.addinivalue_line(
        "markers", "standin: needs switches that only the stand-in has")


def pytest_collection_modifyitems(config, items):
    """TEST_SHARE=33 runs a third, chosen by their names: each time the same
    ones, and of a parametrized test some of its variants."""
    share = int(os.environ.get("TEST_SHARE") or 100)
    chosen, left_out = [], []
    for item in items:
        is_chosen = zlib.crc32(item.nodeid.encode()) % 100 < share
        (chosen if is_chosen else left_out).append(item)
    items[:] = chosen
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def source_server(tmp_path_factory):
    with sqlserver.open_server(tmp_path_factory.mktemp("source"),
                               PASSWORD) as server:
        yield server


@pytest.fixture(scope="session")
def dest_server(tmp_path_factory, source_server):
    with sqlserver.open_server(tmp_path_factory.mktemp("dest"), PASSWORD,
                               other=source_server) as server:
        yield server


@pytest.fixture
def bare_world(source_server, dest_server, tmp_path):
    """Servers and databases, no control tables yet."""
    world = World(source_server, dest_server, tmp_path)
    yield world
    world.close()


@pytest.fixture(scope="module")
def make_world(source_server, dest_server, tmp_path_factory):
    """Worlds that the tests of one file share: make_world(config=value)."""
    worlds = []

    def make(**config):
        worlds.append(World(source_server, dest_server,
                            tmp_path_factory.mktemp("world")))
        worlds[-1].init(**config)
        return worlds[-1]
    yield make
    for world in worlds:
        world.close()


@pytest.fixture
def world(bare_world):
    bare_world.init()
    return bare_world
