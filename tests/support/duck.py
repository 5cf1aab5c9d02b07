"""DuckDB, a reader that nobody here wrote: a module of etc/packages.peers."""
import datetime
import decimal
import os
import sys
import uuid

from support import peers
from support.dataflow import TOP

sys.path.insert(0, os.path.join(TOP, "build/python"))

try:
    import duckdb
    import pyarrow.parquet
    Error = duckdb.Error
except ImportError:
    duckdb = None


def skip_unless_installed():
    """For a module of tests; see support/peers.py."""
    peers.need(None if duckdb else "duckdb and pyarrow are not installed")


def plain(value):
    """The same for the same value, whichever client it came from."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, decimal.Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, datetime.datetime) and value.tzinfo:
        value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, uuid.UUID):
        return str(value)
    return value


def rows(found):
    return sorted((tuple(map(plain, row)) for row in found), key=repr)


class Duck:
    """A database of its own in memory."""

    def __init__(self):
        self.connection = duckdb.connect()
        # pytz is not needed for times in UTC.
        self.connection.execute("SET TimeZone = 'UTC'; SET threads = 1")

    def query(self, sql):
        found = self.connection.execute(sql)
        return found.fetchall() if found.description else []

    def names(self, sql):
        return [d[0] for d in self.connection.execute(sql).description]

    @staticmethod
    def parquet(path):
        """What pyarrow makes of a file."""
        return pyarrow.parquet.ParquetFile(path)

    def close(self):
        self.connection.close()
