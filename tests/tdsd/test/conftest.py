"""The stand-in, judged by clients that nobody here wrote.

What a test expects is what SQL Server 2019 does. With
DATAFLOW_TEST_SQLSERVER=host,port (and DATAFLOW_TEST_USER,
DATAFLOW_TEST_PASSWORD) the same tests run against a real one; those that need
the stand-in's own switches are marked `standin` and skipped there.
"""
import itertools
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.dirname(__file__))

from clients import Client, Server  # noqa: E402
from support.tdsd import Tdsd  # noqa: E402

_numbers = itertools.count(1)


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "standin: needs what only the stand-in has")
    config.addinivalue_line(
        "markers", "threads: worth a run under ThreadSanitizer")


def pytest_collection_modifyitems(items):
    if os.environ.get("DATAFLOW_TEST_SQLSERVER"):
        for item in items:
            if item.get_closest_marker("standin"):
                item.add_marker(pytest.mark.skip(
                    reason="a real server has no such switch"))


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    address = os.environ.get("DATAFLOW_TEST_SQLSERVER")
    if address:
        host, _, port = address.partition(",")
        yield Server(host, int(port or 1433),
                     os.environ.get("DATAFLOW_TEST_USER", "sa"),
                     os.environ.get("DATAFLOW_TEST_PASSWORD", ""))
        return
    tdsd = Tdsd()
    tdsd.start(data_dir=tmp_path_factory.mktemp("tdsd"))
    yield Server(tdsd.host, tdsd.port, tdsd.user, tdsd.password, tdsd)
    tdsd.close()


@pytest.fixture
def own_server():
    """A stand-in of the test's own, to kill and to restart."""
    with Tdsd() as tdsd:
        yield Server(tdsd.host, tdsd.port, tdsd.user, tdsd.password, tdsd)


@pytest.fixture(scope="module")
def database(server):
    """The name of a database for the tests of one file."""
    name = f"t{os.getpid()}_{next(_numbers)}"
    with Client(server, "master") as client:
        client.run(f"CREATE DATABASE {name} COLLATE "
                   "SQL_Latin1_General_CP1_CI_AS")
        client.run(f"ALTER DATABASE {name} SET ALLOW_SNAPSHOT_ISOLATION ON")
    yield name
    with Client(server, "master") as client:
        client.run(f"ALTER DATABASE {name} SET SINGLE_USER WITH ROLLBACK "
                   "IMMEDIATE")
        client.run(f"DROP DATABASE {name}")


@pytest.fixture(scope="module")
def shared(server, database):
    """A connection for tests that leave nothing behind."""
    with Shared(server, database) as client:
        yield client


class Shared(Client):
    """Logs in again when the test before has lost the connection."""

    def results(self, sql, params=None):
        if not self.is_open():
            self.__init__(self.server, self.database)
        return super().results(sql, params)


@pytest.fixture
def db(server, database):
    """A connection of the test's own."""
    with Client(server, database) as client:
        yield client


@pytest.fixture
def connect(server, database):
    """More connections: connect()."""
    clients = []

    def another(**options):
        clients.append(Client(server, options.pop("database", database),
                              **options))
        return clients[-1]
    yield another
    for client in clients:
        client.close()


@pytest.fixture
def name():
    """A name that no other test uses."""
    return f"x{next(_numbers)}"
