"""A PostgreSQL database that mappings lead to, beside the destination of a
world, and its rows beside those of the source."""
import datetime
import decimal
import os
import re
import subprocess
import uuid

from support import compare, dataflow
from support import postgresql_rights as rights

RICH_DEST = "SELECT id, name, n FROM public.rich"


class Target:
    """A database of a PostgreSQL server, and a world whose mappings lead
    there."""

    def __init__(self, world, server):
        self.world, self.server = world, server
        self.database = world.dst_db
        server.query(f"CREATE DATABASE {self.database}")
        text = server.connection_string().replace("'", "''")
        world.control("INSERT INTO target_servers (target_name, target_type, "
                      f"connection_string) VALUES (N'pg', N'postgresql', "
                      f"N'{text}')")
        self.target_id = world.control("SELECT MAX(target_id) "
                                       "FROM target_servers")[0][0]

    def add_mapping(self, table, dest_table=None, **columns):
        columns = {"target_id": self.target_id, "dest_schema": "public",
                   **columns}
        return self.world.add_mapping(table, dest_table, **columns)

    def query(self, sql, parameters=None):
        return self.server.query(sql, self.database, parameters)

    def has_table(self, table, schema="public"):
        return bool(self.query("SELECT 1 FROM pg_tables WHERE schemaname = %s "
                               "AND tablename = %s", (schema, table)))

    def dump(self, table):
        """The definition of a table and all that belongs to it, as pg_dump
        writes it, in an order of its own."""
        done = subprocess.run(
            [os.path.join(self.server.bin, "pg_dump"), "-s", "-h",
             self.server.host, "-p", str(self.server.port), "-U",
             self.server.user, "-t", f"public.{table}", self.database],
            env=dict(os.environ, PGPASSWORD=self.server.password),
            stdout=subprocess.PIPE, text=True, check=True)
        blocks = re.split(r"\n\n+", done.stdout)
        return sorted(b for b in blocks if not b.startswith("\\"))

    def oid(self, table):
        return self.query(f"SELECT 'public.{table}'::regclass::oid::bigint"
                          )[0][0]

    def leftovers(self):
        return [r[0] for r in self.query(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'dataflow' "
            "AND tablename LIKE 'load\\_%' AND tablename <> 'load_parts'")]


def plain(value):
    """A value as both clients can have it."""
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, decimal.Decimal):
        return value.normalize(decimal.Context(prec=60))
    if isinstance(value, datetime.datetime) and value.tzinfo:
        return value.astimezone(datetime.timezone.utc)
    return value


def sorted_rows(rows):
    return sorted(([plain(v) for v in row] for row in rows), key=repr)


def differences(target, source_sql, dest_sql):
    return compare.describe(
        sorted_rows(target.world.on_source(source_sql)),
        sorted_rows(target.query(dest_sql)))


def wait_equal(target, table, dest_table=None, source_sql=None, dest_sql=None,
               timeout=30):
    source_sql = source_sql or f"SELECT * FROM {table}"
    dest_sql = dest_sql or f"SELECT * FROM public.{dest_table or table}"

    def equal():
        return target.has_table(dest_table or table) and \
            not differences(target, source_sql, dest_sql)
    try:
        dataflow.wait_for(equal, timeout, 0.1)
    except AssertionError:
        found = differences(target, source_sql, dest_sql) \
            if target.has_table(dest_table or table) else "there is no table"
        raise AssertionError(f"{table} did not become equal: {found}\n"
                             f"errors: {target.world.errors()}\n"
                             f"{target.world.log()}") from None


def wait_synced(world, mapping_id, runs=1, timeout=20):
    def done():
        return world.control(
            "SELECT COUNT(*) FROM sync_status WHERE sync_type = 'FULL_SYNC' "
            f"AND status = 'COMPLETED' AND mapping_id = {mapping_id}"
        )[0][0] >= runs
    try:
        dataflow.wait_for(done, timeout, 0.1)
    except AssertionError:
        raise AssertionError(f"no full sync: {world.errors()}\n"
                             f"{world.log()[-3000:]}"
                             ) from None


def make_source(world, rows=60):
    world.on_source("CREATE TABLE rich (id BIGINT NOT NULL PRIMARY KEY, "
                    "name VARCHAR(50) NULL, n INT NULL)")
    values = ", ".join(f"({1000 + i}, 'new {i}', {i})"
                       for i in range(1, rows + 1))
    world.on_source(f"INSERT INTO rich VALUES {values}")


def use_login(target, login):
    text = target.server.connection_string(
        database=target.database, **{"user id": login,
                                     "password": rights.PASSWORD})
    target.world.control(f"UPDATE target_servers SET connection_string = "
                         f"N'{text}' WHERE target_id = {target.target_id}")
