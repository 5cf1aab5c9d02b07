"""A real PostgreSQL as a source of changes, by logical replication, into SQL
Server: whole tables are compared, by psycopg2 and python-tds."""
import json
import statistics
import subprocess
import threading
import time

import pytest

from support import dataflow, postgresql
from support.postgresql_world import PostgresqlPair, PostgresqlWorld

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

    def wait_error(self, word, resolved=None, timeout=30):
        where = "" if resolved is None else f" AND is_resolved = {resolved}"
        sql = f"SELECT error_message FROM error_logs WHERE 1 = 1{where}"
        try:
            return dataflow.wait_for(
                lambda: [row for row in self.control(sql) if word in row[0]],
                timeout, 0.2)
        except AssertionError:
            raise AssertionError(
                f"no error with '{word}': {self.control(sql)}\n"
                f"{self.log()[-8000:]}") from None


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


def test_truncate(world):
    world.make("item")
    world.on_source("INSERT INTO item (id) SELECT generate_series(1, 500)")
    mapping, = world.follow("item")
    world.start()
    world.wait_same("item")
    world.on_source("BEGIN; INSERT INTO item (id) VALUES (1000); TRUNCATE item; "
                    "INSERT INTO item (id, name) VALUES (1, 'after'); COMMIT")
    world.on_source("INSERT INTO item (id) VALUES (2)")
    world.wait_same("item")
    world.wait_error("was truncated", resolved=1)
    assert world.full_syncs(mapping) == 2


def test_altered_tables(world):
    """Columns come, go and change; what was committed before is as it was."""
    world.make("item")
    world.follow("item")
    world.start()
    world.wait_same("item")
    world.on_source("INSERT INTO item (id, name) VALUES (1, 'before')")
    world.wait_same("item")
    world.on_dest("ALTER TABLE item ADD extra int NULL")
    world.on_source("ALTER TABLE item ADD extra int")
    world.on_source("INSERT INTO item (id, extra) VALUES (2, 42)")
    columns = COLUMNS + ", extra"
    world.wait_same("item", columns)
    # Changes before and behind it are looked at together.
    world.daemons[-1].stop()
    world.on_source("INSERT INTO item (id, n, extra) VALUES (3, 3, 3)")
    world.on_source("ALTER TABLE item DROP COLUMN n")
    world.on_source("INSERT INTO item (id, extra) VALUES (4, 4)")
    world.on_source("ALTER TABLE item ALTER name TYPE varchar(100)")
    world.on_source("INSERT INTO item (id, name) VALUES (5, 'five')")
    world.on_source("BEGIN; UPDATE item SET name = 'x'; "
                    "ALTER TABLE item ADD more int; "
                    "UPDATE item SET name = 'y' WHERE id = 1; COMMIT")
    world.on_dest("ALTER TABLE item ALTER COLUMN name nvarchar(100) NULL")
    world.on_dest("ALTER TABLE item ADD more int NULL")
    world.start()
    world.wait_same("item", "id, name, price, extra, more")
    world.on_source("INSERT INTO item (id, more) VALUES (6, 6)")
    world.wait_same("item", "id, name, price, extra, more")


def test_table_made_anew(world):
    world.make("item")
    world.follow("item")
    world.start()
    world.wait_same("item")
    world.on_source("INSERT INTO item (id) VALUES (1)")
    world.wait_same("item")
    world.on_source("DROP TABLE item")
    world.make("item")
    world.on_source("INSERT INTO item (id) VALUES (2), (3)")
    world.wait_same("item", timeout=40)
    world.on_source("INSERT INTO item (id) VALUES (4)")
    world.wait_same("item")


def test_large_transaction(world):
    """It is streamed while it runs, with subtransactions that come to nothing,
    and waits on disk; memory stays bounded."""
    world.make("item", "small")
    world.follow("item", "small")
    daemon = world.start()
    world.wait_same("item")
    world.wait_same("small")
    before = daemon.peak_mib()
    connection = world.postgresql.connect(world.src_db)
    connection.autocommit = False
    cursor = connection.cursor()
    cursor.execute("INSERT INTO item SELECT i, 'row ' || i, i, i, "
                   "repeat('x', 100), now() FROM generate_series(1, 200000) i")
    cursor.execute("SAVEPOINT a; INSERT INTO item (id) SELECT "
                   "generate_series(300001, 320000); ROLLBACK TO a")
    cursor.execute("UPDATE item SET n = -n WHERE id % 7 = 0")
    cursor.execute("DELETE FROM item WHERE id % 11 = 0")
    # What is committed meanwhile does not wait for it.
    world.on_source("INSERT INTO small (id) VALUES (1)")
    world.wait_same("small")
    connection.commit()
    connection.close()
    world.wait_same("item", "id, name, n, price", timeout=120)
    # A streamed one that comes to nothing.
    world.on_source("BEGIN; INSERT INTO item (id) SELECT "
                    "generate_series(500001, 550000); ROLLBACK")
    world.on_source("INSERT INTO small (id) VALUES (2)")
    world.wait_same("small")
    world.wait_same("item", "id, name, n, price")
    print(f"peak {before:.0f} -> {daemon.peak_mib():.0f} MiB")
    if dataflow.slowness() == 1:  # what a sanitizer keeps is no measure
        assert daemon.peak_mib() < 128
    assert not world.errors()


class Load:
    """Transactions without end, in a thread, until it is stopped."""

    def __init__(self, world, *tables):
        self.world, self.tables = world, tables
        self.stopping = False
        self.thread = threading.Thread(target=self._run)
        self.count = 0

    def _run(self):
        connection = None
        while not self.stopping:
            try:
                connection = connection or \
                    self.world.postgresql.connect(self.world.src_db)
                with connection.cursor() as cursor:
                    for table in self.tables:
                        self._change(cursor, table)
                self.count += 1
            except Exception:  # the server is away
                connection = None
                time.sleep(0.1)
        if connection:
            connection.close()

    def _change(self, cursor, table):
        i = self.count
        cursor.execute(f"INSERT INTO {table} (id, n) VALUES ({i}, {i}) "
                       "ON CONFLICT (id) DO UPDATE SET n = -1")
        cursor.execute(f"UPDATE {table} SET name = 'u{i}' "
                       f"WHERE id = {i // 2}")
        if i % 5 == 0:
            cursor.execute(f"DELETE FROM {table} WHERE id = {i // 3}")

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.thread.join()


def test_walsender_killed(world):
    world.make("item")
    mapping, = world.follow("item")
    world.start()
    world.wait_same("item")
    with Load(world, "item"):
        for _ in range(5):
            time.sleep(0.7)
            world.on_source("SELECT pg_terminate_backend(active_pid) "
                            "FROM pg_replication_slots WHERE active AND "
                            "database = current_database()")
    world.wait_same("item")
    assert world.full_syncs(mapping) == 1


def test_daemon_killed(world):
    world.make("item", "other")
    mappings = world.follow("item", "other")
    daemon = world.start()
    world.wait_same("item")
    world.wait_same("other")
    with Load(world, "item", "other"):
        for _ in range(5):
            time.sleep(1)
            daemon.kill()
            daemon = world.start()
    world.wait_same("item")
    world.wait_same("other")
    assert [world.full_syncs(m) for m in mappings] == [1, 1]


def test_flush_follows_the_checkpoints(world):
    """The server may forget what is stored, and nothing else."""
    world.make("item", "idle")
    item, idle = world.follow("item", "idle")
    daemon = world.start()
    world.wait_same("item")
    world.wait_same("idle")

    def confirmed():
        return world.postgresql.query(
            "SELECT pg_wal_lsn_diff(confirmed_flush_lsn, '0/0') FROM "
            f"pg_replication_slots WHERE database = '{world.src_db}'")[0][0]

    def end():
        return world.postgresql.query(
            "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')")[0][0]

    for i in range(3):
        world.on_source(f"INSERT INTO item (id) VALUES ({i})")
        world.on_source(f"INSERT INTO idle (id) VALUES ({i})")
    reached = end()
    world.wait_same("item")
    dataflow.wait_for(lambda: confirmed() >= reached - 4096, 100, 0.5,
                      what="a confirmation")
    # One that is switched off holds it where it is.
    world.control("UPDATE table_mappings SET is_enabled = 0 WHERE "
                  f"mapping_id = {idle}")
    time.sleep(3)
    held = end()
    world.on_source("INSERT INTO idle (id) VALUES (100)")
    world.on_source("INSERT INTO item (id) VALUES (101)")
    world.wait_same("item")
    time.sleep(3)
    assert confirmed() <= held
    daemon.stop()
    world.start()
    world.on_source("INSERT INTO item (id) VALUES (102)")
    world.wait_same("item")
    time.sleep(2)
    assert confirmed() <= held
    world.control("UPDATE table_mappings SET is_enabled = 1 WHERE "
                  f"mapping_id = {idle}")
    world.wait_same("idle")
    assert world.full_syncs(idle) == 1 and world.full_syncs(item) == 1
    assert not world.errors()


def test_slot_dropped(world):
    world.make("item")
    mapping, = world.follow("item")
    daemon = world.start()
    world.load(mapping)
    daemon.stop()
    world.on_source("INSERT INTO item (id) VALUES (1)")
    world.on_source("SELECT pg_drop_replication_slot(slot_name) FROM "
                    "pg_replication_slots WHERE database = "
                    "current_database()")
    world.on_source("INSERT INTO item (id) VALUES (2)")
    world.start()
    world.wait_same("item")
    world.wait_error("is not on the server any more")
    world.on_source("INSERT INTO item (id) VALUES (3)")
    world.wait_same("item")
    assert world.full_syncs(mapping) == 2
    # The publication goes while it runs.
    world.on_source(f"DROP PUBLICATION {world.publications()[0][0]}")
    world.on_source("INSERT INTO item (id) VALUES (4)")
    world.wait_same("item", timeout=60)
    world.on_source("INSERT INTO item (id) VALUES (5)")
    world.wait_same("item")


def test_mappings_come_and_go(world):
    """Tables go into the publication and out of it; with the last mapping slot
    and publication go, but not when it is only switched off."""
    world.make("item", "other")
    item, = world.follow("item")
    world.start()
    dataflow.wait_for(lambda: world.published() == ["item"] and
                      len(world.slots()) == 1)
    world.wait_same("item")
    other, = world.follow("other")
    dataflow.wait_for(lambda: world.published() == ["item", "other"])
    world.wait_same("other")
    assert len(world.slots()) == 1
    world.control("UPDATE table_mappings SET is_enabled = 0")
    time.sleep(3)
    assert world.published() == ["item", "other"]
    assert len(world.slots()) == 1
    world.control(f"DELETE FROM table_mappings WHERE mapping_id = {other}")
    dataflow.wait_for(lambda: world.published() == ["item"], 30, 0.2)
    world.control("UPDATE table_mappings SET is_enabled = 1")
    world.on_source("INSERT INTO item (id) VALUES (1)")
    world.wait_same("item")
    world.control(f"DELETE FROM table_mappings WHERE mapping_id = {item}")
    dataflow.wait_for(lambda: not world.slots(), 40, 0.2, what="the end")
    assert not world.publications()
    assert not world.errors()


def test_last_mapping_goes_while_the_daemon_is_down(world):
    world.make("item")
    world.follow("item")
    daemon = world.start()
    world.wait_same("item")
    daemon.stop()
    world.control("DELETE FROM table_mappings")
    assert len(world.slots()) == 1
    world.start()
    dataflow.wait_for(lambda: not world.slots(), 40, 0.2, what="the end")
    assert not world.publications()


def test_table_without_identity(world):
    """It never comes into the publication: the application's own updates of it
    would be refused."""
    world.on_source("CREATE TABLE bare (id bigint NOT NULL, name varchar(50))")
    world.on_source("CREATE UNIQUE INDEX ON bare (id)")
    world.follow("bare", primary_key_column="id")
    world.start()
    world.wait_error("REPLICA IDENTITY FULL", resolved=0)
    world.on_source("INSERT INTO bare VALUES (1, 'a'); "
                    "UPDATE bare SET name = 'b'")
    assert not world.publications()
    world.on_source("ALTER TABLE bare REPLICA IDENTITY FULL")
    world.wait_same("bare", "id, name")
    world.on_source("UPDATE bare SET name = 'c', id = 5; "
                    "INSERT INTO bare VALUES (6, NULL); "
                    "DELETE FROM bare WHERE id = 6")
    world.wait_same("bare", "id, name")


CHANGES_OF_NOTHING = {
    "view": ("CREATE VIEW t AS SELECT 1 AS id",
             "is a view, whose changes are in no log"),
    "materialized view": ("CREATE MATERIALIZED VIEW t AS SELECT 1 AS id; "
                          "CREATE UNIQUE INDEX ON t (id)",
                          "is a materialized view, whose changes are in no"),
    "foreign table": (
        "CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER "
        "file_fdw; CREATE FOREIGN TABLE t (id int NOT NULL) SERVER files "
        "OPTIONS (filename '/dev/null')",
        "is a foreign table, whose changes are in no log"),
    "unlogged": ("CREATE UNLOGGED TABLE t (id int PRIMARY KEY)",
                 'run ALTER TABLE public.t SET LOGGED'),
    "foreign partition": (
        "CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER "
        "file_fdw; CREATE TABLE t (id int NOT NULL) PARTITION BY RANGE (id); "
        "CREATE FOREIGN TABLE far PARTITION OF t FOR VALUES FROM (0) TO (9) "
        "SERVER files OPTIONS (filename '/dev/null')",
        "partition public.far of"),
    "unlogged partition": (
        "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id); "
        "CREATE TABLE near PARTITION OF t FOR VALUES FROM (0) TO (9); "
        "CREATE UNLOGGED TABLE far PARTITION OF t FOR VALUES FROM (9) "
        "TO (99)", "partition public.far of"),
    "parent": ("CREATE TABLE t (id int PRIMARY KEY); "
               "CREATE TABLE kid (PRIMARY KEY (id)) INHERITS (t); "
               "CREATE TABLE grandkid () INHERITS (kid)",
               "has 1 child by inheritance (public.kid)"),
}


@pytest.mark.parametrize("kind", CHANGES_OF_NOTHING)
def test_tables_whose_changes_are_not_logged(world, kind):
    """Each is refused with one error that says what it is and what helps, by
    `check` as well; nothing is set up, and applications are let alone."""
    sql, words = CHANGES_OF_NOTHING[kind]
    world.on_source(sql)
    mapping, = world.follow("t", primary_key_column="id")
    done = dataflow.run("check", "--json", env=world.environment())
    failed = [f for f in json.loads(done.stdout) if f["level"] == "FAIL"]
    assert len(failed) == 1, failed
    assert words in failed[0]["finding"] + failed[0]["remedy"]
    world.start()
    errors = dataflow.wait_for(lambda: world.errors(mapping), 30)
    assert len(errors) == 1 and errors[0][0] == "SCHEMA", errors
    assert words in errors[0][1] and "set cdc_enabled to 0" in errors[0][1]
    assert not world.publications() and not world.slots()
    # Full syncs are what is left.
    world.control("UPDATE table_mappings SET cdc_enabled = 0")
    world.load(mapping)
    world.wait_same("t", "id")


def test_temporary_table(world):
    """Of another session: its schema has a number."""
    session = world.postgresql.connect(world.src_db)
    cursor = session.cursor()
    cursor.execute("CREATE TEMPORARY TABLE t (id int PRIMARY KEY); "
                   "SELECT nspname FROM pg_namespace "
                   "WHERE oid = pg_my_temp_schema()")
    schema = cursor.fetchone()[0]
    mapping, = world.follow("t", source_schema=schema)
    world.start()
    errors = dataflow.wait_for(lambda: world.errors(mapping), 30)
    assert "is a temporary table, whose changes are in no log" in errors[0][1]
    session.close()


def test_children_by_inheritance(world):
    """Each is followed by itself; a parent of some by full syncs alone, which
    read all of them. One that becomes a parent stops, and misses nothing."""
    world.make("item")
    world.on_source(f"CREATE TABLE kid (PRIMARY KEY (id)) INHERITS (item); "
                    "INSERT INTO item (id) VALUES (1); "
                    "INSERT INTO kid (id) VALUES (2)")
    whole = world.add_mapping("item", "family", cdc=0)
    kid, = world.follow("kid")
    world.start()
    world.load(whole)
    assert [tuple(r) for r in world.on_dest(
        "SELECT id FROM family ORDER BY id")] == [(1,), (2,)]
    world.wait_same("kid")
    world.on_source("UPDATE kid SET n = 5; INSERT INTO kid (id) VALUES (3); "
                    "UPDATE item SET n = 7")
    world.wait_same("kid")
    assert world.published() == ["kid"]
    # A table that is followed gets a child, which is a table of its own.
    world.make("lonely")
    lonely, = world.follow("lonely")
    world.wait_same("lonely")
    world.on_source("INSERT INTO lonely (id) VALUES (1)")
    world.wait_same("lonely")
    world.on_source("CREATE TABLE late (PRIMARY KEY (id)) INHERITS (lonely); "
                    "INSERT INTO late (id) VALUES (50); "
                    "INSERT INTO lonely (id) VALUES (2); "
                    "UPDATE late SET n = 1")
    world.wait_error("1 child by inheritance (public.late)", resolved=0)
    assert (50,) not in [tuple(r) for r in
                         world.on_dest("SELECT id FROM lonely")]
    world.on_source("ALTER TABLE late NO INHERIT lonely; "
                    "INSERT INTO lonely (id) VALUES (3)")
    world.wait_same("lonely")
    assert world.full_syncs(lonely) == world.full_syncs(kid) == 1


def test_a_partition_that_is_not_logged(world):
    """It comes later; what was changed in it is brought by a load when it is
    gone, or logged."""
    world.on_source(f"CREATE TABLE item ({ITEM}) PARTITION BY RANGE (id); "
                    "CREATE TABLE low PARTITION OF item FOR VALUES FROM "
                    "(MINVALUE) TO (100); INSERT INTO item (id) VALUES (1)")
    mapping, = world.follow("item")
    world.start()
    world.wait_same("item")
    world.on_source("CREATE UNLOGGED TABLE high PARTITION OF item FOR VALUES "
                    "FROM (100) TO (MAXVALUE)")
    world.on_source("INSERT INTO item (id) VALUES (2), (102)")
    world.wait_error("partition public.high of")
    world.on_source("ALTER TABLE high SET LOGGED")
    world.wait_same("item")
    world.on_source("UPDATE item SET n = 8")
    world.wait_same("item")
    assert world.full_syncs(mapping) == 2


def test_slow_mapping(world):
    """The others go on; its own changes wait on disk, up to the limit, and
    beyond that it is loaded anew."""
    world.config(spill_limit_mb=16, batch_memory_mb=1)
    world.make("slow", "fast")
    other = world.dst_db + "slow"
    world.dest.query(f"CREATE DATABASE {other}", "master")
    fast, = world.follow("fast")
    slow, = world.follow("slow", dest_database=other)
    world.start()
    world.wait_same("fast")
    world.load(slow)
    # A lock in its destination holds that mapping.
    blocker = world.dest.connect(other)
    cursor = blocker.cursor()
    cursor.execute("BEGIN TRANSACTION; INSERT INTO slow (id) VALUES (-5)")
    for i in range(12):
        world.on_source(
            "INSERT INTO slow SELECT i, 'n', i, i, repeat('y', 3000), NULL "
            f"FROM generate_series({i * 1000}, {i * 1000 + 999}) AS i")
        world.on_source(f"INSERT INTO fast (id) VALUES ({i})")
        world.wait_same("fast")
    cursor.execute("ROLLBACK")
    blocker.close()

    def same():
        sql = "SELECT id, name, n, price FROM slow ORDER BY id"
        return world.on_source(sql) == [
            tuple(row) for row in world.dest.query(sql, other)]
    dataflow.wait_for(same, 120, 0.3, what="the slow one's end")
    world.wait_error("spill_limit_mb")
    assert world.full_syncs(slow) >= 2
    assert world.full_syncs(fast) == 1


def test_check(world):
    """What `check` says of the log before anything is set up, and after."""
    world.make("item")
    world.on_source("CREATE TABLE bare (id int NOT NULL UNIQUE)")
    mapping, _ = world.follow("item", "bare")

    def check():
        return dataflow.run("check", "--json",
                            env=world.environment()).stdout
    text = check()
    assert text.count("REPLICA IDENTITY FULL") == 1, text
    assert "is made when the first mapping starts" in text, text
    assert not world.slots() and not world.publications()
    world.start()
    world.load(mapping)
    dataflow.wait_for(lambda: [s for s in world.slots() if s[1]], 20, 0.1)
    text = check()
    assert "it is being read" in text and "the table is in" in text, text


def test_server_restarted(world):
    """Comes last: everybody's server is away for a moment."""
    world.make("item")
    mapping, = world.follow("item")
    world.start()
    world.wait_same("item")
    with Load(world, "item"):
        for how in ("fast", "immediate"):
            time.sleep(1)
            world.postgresql.signal_all(how)
            time.sleep(0.5)
            world.postgresql.start()
            time.sleep(2)
    world.wait_same("item", timeout=60)
    assert world.full_syncs(mapping) == 1


# Part four: a server that is not what it was. Each has one of its own.

@pytest.fixture
def own_world(dest_server, tmp_path):
    with postgresql.Postgresql() as server:
        made = ChangesWorld(server, dest_server, tmp_path)
        made.init()
        yield made
        made.close()


def test_lost_slot(own_world):
    """The server removed log that was needed: it allows no more."""
    world = own_world
    world.make("item", "filler")
    mapping, = world.follow("item")
    daemon = world.start()
    world.load(mapping)
    world.on_source("INSERT INTO item (id) VALUES (1)")
    world.wait_same("item")
    daemon.stop()
    world.on_source("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
    world.on_source("SELECT pg_reload_conf()")
    for _ in range(4):
        world.on_source("INSERT INTO filler (id, body) SELECT "
                        "coalesce(max(id), 0) + 1, repeat('z', 100000) "
                        "FROM filler")
        world.on_source("SELECT pg_switch_wal()")
        world.on_source("CHECKPOINT")
    assert world.on_source("SELECT wal_status FROM pg_replication_slots") == \
        [("lost",)]
    world.on_source("INSERT INTO item (id) VALUES (2)")
    world.start()
    world.wait_same("item")
    world.wait_error("is lost")
    assert world.full_syncs(mapping) == 2
    world.on_source("INSERT INTO item (id) VALUES (3)")
    world.wait_same("item")


def test_gap_without_a_resync(own_world):
    """The policy may be to wait for a person."""
    world = own_world
    world.config(resync_on_gap=0)
    world.make("item")
    mapping, = world.follow("item")
    world.start()
    world.load(mapping)
    world.on_source("INSERT INTO item (id) VALUES (1)")
    world.wait_same("item")
    world.on_source("TRUNCATE item")
    world.wait_error("was truncated", resolved=0)
    time.sleep(3)
    assert world.full_syncs(mapping) == 1
    world.request(mapping, "FULL_SYNC")
    world.wait_same("item")
    world.on_source("INSERT INTO item (id) VALUES (2)")
    world.wait_same("item")


def test_promoted_server(own_world):
    """Another timeline of the same server, with the slot: it goes on."""
    world, server = own_world, own_world.postgresql
    world.make("item")
    mapping, = world.follow("item")
    world.start()
    world.load(mapping)
    world.on_source("INSERT INTO item (id) VALUES (1)")
    world.wait_same("item")
    server.stop()
    server.promote()
    assert world.on_source("SELECT left(pg_walfile_name("
                           "pg_current_wal_lsn()), 8)") == [("00000002",)]
    world.on_source("INSERT INTO item (id) VALUES (2)")
    world.wait_same("item")
    assert world.full_syncs(mapping) == 1
    assert not world.errors()


@pytest.mark.parametrize("much", [False, True])
def test_restored_server(own_world, much):
    """Set back to an older state, slot and all."""
    world, server = own_world, own_world.postgresql
    world.make("item")
    mapping, = world.follow("item")
    world.start()
    world.load(mapping)
    world.on_source("INSERT INTO item (id) VALUES (1)")
    world.wait_same("item")
    server.stop()
    copy = server.data + ".old"
    subprocess.run(["cp", "-a", server.data, copy], check=True)
    server.start()
    for i in range(10, 400 if much else 20):
        world.on_source(f"INSERT INTO item (id, body) VALUES ({i}, "
                        "repeat('q', 5000))")
    world.wait_same("item")
    server.stop()
    subprocess.run(["rm", "-rf", server.data], check=True)
    subprocess.run(["mv", copy, server.data], check=True)
    server.start()
    world.wait_same("item", timeout=60)
    world.wait_error("restored")
    world.on_source("INSERT INTO item (id) VALUES (3)")
    world.wait_same("item")


def test_another_server(own_world, server):
    """The connection string leads to a server with the same tables."""
    world = own_world
    world.make("item")
    mapping, = world.follow("item")
    daemon = world.start()
    world.load(mapping)
    world.on_source("INSERT INTO item (id) VALUES (1)")
    world.wait_same("item")
    daemon.stop()
    other = server.connection_string()
    server.query(f"CREATE DATABASE {world.src_db}")
    server.query(f"CREATE TABLE item ({ITEM}); "
                 "INSERT INTO item (id) VALUES (7)", world.src_db)
    world.control(f"UPDATE source_servers SET connection_string = N'{other}'")
    world.start()
    dataflow.wait_for(
        lambda: [tuple(r) for r in world.on_dest("SELECT id FROM item")] ==
        [(7,)], 30, 0.2)
    server.query("INSERT INTO item (id) VALUES (8)", world.src_db)
    dataflow.wait_for(
        lambda: len(world.on_dest("SELECT id FROM item")) == 2, 30, 0.2)
    # A slot by that name has something else in it.
    assert world.full_syncs(mapping) == 2


def test_renamed_table(world):
    """What is changed under another name is no change of nobody's."""
    world.make("item", "fresh")
    mapping, = world.follow("item")
    world.start()
    world.load(mapping)
    world.on_source("INSERT INTO item (id) VALUES (1)")
    world.wait_same("item")
    world.on_source("ALTER TABLE item RENAME TO away")
    world.on_source("INSERT INTO away (id) VALUES (2)")
    world.wait_error("does not exist", resolved=0)
    world.on_source("ALTER TABLE away RENAME TO item")
    world.wait_same("item")
    # Another one takes its place.
    world.on_source("BEGIN; ALTER TABLE item RENAME TO away; "
                    "ALTER TABLE fresh RENAME TO item; COMMIT")
    world.on_source("INSERT INTO item (id) VALUES (7)")
    world.wait_same("item", timeout=40)
    world.on_source("INSERT INTO item (id) VALUES (8)")
    world.wait_same("item")


def test_many_tables_start_together(world):
    """Their loads run while others' changes come; nobody begins twice."""
    tables = [f"t{i}" for i in range(12)]
    world.make(*tables)
    for table in tables:
        world.on_source(f"INSERT INTO {table} (id) SELECT "
                        "generate_series(1000001, 1003000)")
    with Load(world, *tables):
        mappings = world.follow(*tables)
        world.start()
        for mapping in mappings:
            world.load(mapping)
        time.sleep(2)
    for table in tables:
        world.wait_same(table)
    assert [world.full_syncs(m) for m in mappings] == [1] * 12
    assert not world.errors()
