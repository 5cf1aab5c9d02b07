"""A real PostgreSQL as a source of changes, by logical replication, into SQL
Server: whole tables are compared, by psycopg2 and python-tds."""
import statistics
import threading
import time

import pytest

from support import dataflow, postgresql
from support.postgresql_world import PostgresqlWorld

postgresql.skip_unless_installed()

ITEM = ("id bigint PRIMARY KEY, name varchar(50), n int, price numeric(12,2), "
        "body text, at timestamp")
COLUMNS = "id, name, n, price, body, at"


class ChangesWorld(PostgresqlWorld):
    """Tables of one kind, made on the source and followed from there."""

    def make(self, *tables, definition=ITEM):
        for table in tables:
            self.on_source(f"CREATE TABLE {table} ({definition})")

    def follow(self, *tables, **columns):
        return [self.add_mapping(table, cdc=1, **columns) for table in tables]

    def both(self, table, columns=COLUMNS, dest_table=None):
        sql = f"SELECT {columns} FROM {{}} ORDER BY id"
        return (self.on_source(sql.format(table)),
                [tuple(row) for row in
                 self.on_dest(sql.format(dest_table or table))])

    def wait_same(self, table, columns=COLUMNS, timeout=30, dest_table=None):
        def same():
            if not self.has_table(dest_table or table):
                return False
            mine, theirs = self.both(table, columns, dest_table)
            return mine == theirs
        try:
            dataflow.wait_for(same, timeout, 0.1)
        except AssertionError:
            if not self.has_table(dest_table or table):
                raise AssertionError(f"{table} was not made: {self.errors()}\n"
                                     f"{self.log()[-8000:]}") from None
            mine, theirs = self.both(table, columns, dest_table)
            missing = [r for r in mine if r not in theirs][:5]
            extra = [r for r in theirs if r not in mine][:5]
            raise AssertionError(
                f"{table}: {len(mine)} rows, {len(theirs)} in the "
                f"destination; missing {str(missing)[:500]}; too many "
                f"{str(extra)[:500]}; errors: {self.errors()}\n"
                f"{self.log()[-8000:]}") from None

    def slots(self):
        return self.postgresql.query(
            "SELECT slot_name, active FROM pg_replication_slots "
            f"WHERE database = '{self.src_db}'")

    def publications(self):
        return self.on_source("SELECT pubname FROM pg_publication")

    def published(self):
        return sorted(row[0] for row in self.on_source(
            "SELECT tablename FROM pg_publication_tables"))

    def full_syncs(self, mapping):
        return self.control(
            "SELECT COUNT(*) FROM sync_status WHERE sync_type = N'FULL_SYNC' "
            f"AND status = N'COMPLETED' AND mapping_id = {mapping}")[0][0]

    def wait_error(self, word, resolved=None, timeout=30):
        where = "" if resolved is None else f" AND is_resolved = {resolved}"
        return dataflow.wait_for(lambda: [
            row[0] for row in self.control(
                f"SELECT error_message FROM error_logs WHERE 1 = 1{where}")
            if word in row[0]], timeout, 0.2, what=f"an error with '{word}'")


@pytest.fixture(scope="module")
def server():
    with postgresql.Postgresql() as started:
        yield started


@pytest.fixture
def world(server, dest_server, tmp_path):
    made = ChangesWorld(server, dest_server, tmp_path)
    made.init()
    yield made
    made.close()


def test_kinds_of_changes(world):
    """Inserts, updates, deletes, other keys, NULLs, out-of-line values."""
    world.make("item")
    world.on_source("INSERT INTO item SELECT i, 'row ' || i, i, i / 3.0, "
                    "repeat(md5(i::text), 200), '2020-01-01' "
                    "FROM generate_series(1, 50) AS i")
    world.follow("item")
    world.start()
    world.wait_same("item")
    for sql in (
            "INSERT INTO item (id) VALUES (100)",
            "UPDATE item SET n = NULL, name = 'x' WHERE id = 2",
            "DELETE FROM item WHERE id IN (3, 4)",
            "UPDATE item SET id = 105 WHERE id = 5",
            "BEGIN; UPDATE item SET n = 77 WHERE id = 6; "
            "UPDATE item SET name = 'twice' WHERE id = 6; COMMIT",
            "BEGIN; INSERT INTO item VALUES (200, 'a', 1, 2, 'b', now()); "
            "DELETE FROM item WHERE id = 200; COMMIT",
            "BEGIN; DELETE FROM item WHERE id = 7; "
            "INSERT INTO item (id, name) VALUES (7, 'again'); COMMIT",
            "BEGIN; INSERT INTO item (id) VALUES (300); ROLLBACK"):
        world.on_source(sql)
    world.wait_same("item")
    world.on_source("DELETE FROM item")
    world.wait_same("item")
    assert not world.errors()


def test_out_of_line_values(world):
    """A large value that an update leaves alone is not in the log: it stays."""
    world.make("item")
    world.on_source("ALTER TABLE item ALTER body SET STORAGE EXTERNAL")
    world.follow("item")
    world.start()
    big = "repeat('0123456789', 2000)"
    world.on_source(f"INSERT INTO item VALUES (1, 'a', 1, 1, {big}, NULL)")
    world.wait_same("item")
    world.on_source("UPDATE item SET n = 2 WHERE id = 1")
    world.wait_same("item")
    # A row that is new, and changed again, in one transaction and in two.
    world.on_source(f"BEGIN; INSERT INTO item VALUES (2, 'b', 1, 1, {big}, "
                    "NULL); UPDATE item SET n = 5 WHERE id = 2; COMMIT")
    world.on_source(f"INSERT INTO item VALUES (3, 'c', 1, 1, {big}, NULL)")
    world.on_source("UPDATE item SET n = 6 WHERE id = 3")
    world.wait_same("item")
    world.on_source(f"BEGIN; UPDATE item SET body = {big} || 'x' WHERE id = 3; "
                    "UPDATE item SET n = 7 WHERE id = 3; COMMIT")
    world.on_source("BEGIN; UPDATE item SET body = NULL WHERE id = 2; "
                    "UPDATE item SET n = 8 WHERE id = 2; COMMIT")
    world.wait_same("item")
    # It gets another key, without a word about the value.
    world.on_source("UPDATE item SET id = 11 WHERE id = 1")
    world.on_source("BEGIN; UPDATE item SET id = 13 WHERE id = 3; "
                    "UPDATE item SET id = 14, n = 9 WHERE id = 13; COMMIT")
    world.wait_same("item")
    world.on_source("ALTER TABLE item REPLICA IDENTITY FULL")
    world.on_source("UPDATE item SET n = 10")
    world.on_source("UPDATE item SET id = id + 100")
    world.wait_same("item")
    assert not world.errors()


def test_latency(world):
    """From commit to the destination, at the median of small load."""
    world.make("item")
    world.follow("item")
    world.config(cdc_check_interval_seconds=10)
    world.start()
    world.wait_same("item")
    dest = world.dest.connect(world.dst_db) \
        if hasattr(world.dest, "connect") else None
    times = []
    for i in range(20):
        time.sleep(0.3)
        world.on_source(f"INSERT INTO item (id) VALUES ({i})")
        began = time.monotonic()
        while not world.on_dest(f"SELECT 1 FROM item WHERE id = {i}"):
            assert time.monotonic() - began < 20
            time.sleep(0.005)
        times.append(time.monotonic() - began)
    if dest:
        dest.close()
    print(f"median {statistics.median(times) * 1000:.0f} ms, "
          f"max {max(times) * 1000:.0f} ms")
    # No test asserts a time; that it does not wait for the interval shows.
    assert statistics.median(times) < 5
