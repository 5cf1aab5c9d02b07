"""A SQL Server for tests: the stand-in, or a real one that the environment
names."""
import contextlib
import os
import shutil
import tempfile

import pytds


class RealServer:
    """What tests ask of a server, over python-tds."""

    def __init__(self, address, user, password):
        self.address, self.user, self.password = address, user, password
        self.is_standin = False

    def connect(self, database="master", **options):
        host, _, port = self.address.partition(",")
        return pytds.connect(host, database=database, user=self.user,
                             password=self.password, port=int(port or 1433),
                             autocommit=True, **options)

    def query(self, sql, database="master"):
        with self.connect(database) as connection:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall() if cursor.description else []


class StandIn(RealServer):
    def __init__(self, tdsd):
        super().__init__(f"127.0.0.1,{tdsd.port}", "sa", tdsd.password)
        self.tdsd = tdsd
        self.is_standin = True


@contextlib.contextmanager
def open_server(folder, password, other=None):
    """A server; `other` may be the same one when it is a real one."""
    address = os.environ.get("DATAFLOW_TEST_SQLSERVER")
    if address:
        yield other or RealServer(
            address, os.environ.get("DATAFLOW_TEST_USER", "sa"),
            os.environ.get("DATAFLOW_TEST_PASSWORD", ""))
        return
    from support.tdsd import Tdsd  # the stand-in's own helper
    tdsd = Tdsd()
    tdsd.start(data_dir=str(folder), password=password)
    try:
        yield StandIn(tdsd)
    finally:
        tdsd.stop()


@contextlib.contextmanager
def open_pair(prefix, password):
    """A folder for the time being, a source and a destination in it."""
    folder = tempfile.mkdtemp(prefix=prefix)
    try:
        for end in ("source-data", "dest-data"):
            os.mkdir(os.path.join(folder, end))
        with open_server(os.path.join(folder, "source-data"),
                         password) as source, \
                open_server(os.path.join(folder, "dest-data"), password,
                            other=source) as dest:
            yield folder, source, dest
    finally:
        shutil.rmtree(folder, ignore_errors=True)
