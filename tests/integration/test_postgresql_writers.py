"""A real PostgreSQL whose tables begin to be followed while transactions are
open, and keys that the log no longer tells: nothing is lost, nothing is blocked."""
import os
import signal
import threading
import time

import pytest

from support import dataflow, postgresql
from test_postgresql_changes import ChangesWorld

postgresql.skip_unless_installed()


@pytest.fixture(scope="module")
def server():
    with postgresql.Postgresql(max_prepared_transactions=5) as started:
        yield started


@pytest.fixture
def world(server, dest_server, tmp_path):
    made = ChangesWorld(server, dest_server, tmp_path)
    made.init(max_retry_attempts=20)
    yield made
    made.close()


class Writer:
    """A transaction that has inserted row 1 of `other`, and is not over."""

    def __init__(self, world, kind):
        self.world, self.kind = world, kind
        self.name = f"{world.src_db}_{kind}"
        self.connection = world.postgresql.connect(world.src_db)
        self.run("BEGIN")
        if kind == "savepoint":
            self.run("SAVEPOINT a")
        self.run("INSERT INTO other (id) VALUES (1)")
        if kind == "savepoint":
            self.run("RELEASE SAVEPOINT a")
        if kind == "prepared":
            self.run(f"PREPARE TRANSACTION '{self.name}'")
        self.worker = threading.Thread(
            target=self.run, args=("SELECT pg_sleep(6)",))
        if kind == "working":
            self.worker.start()

    def run(self, sql):
        with self.connection.cursor() as cursor:
            cursor.execute(sql)

    def commit(self):
        if self.worker.ident:
            self.worker.join()
        if self.kind == "prepared":
            self.run(f"COMMIT PREPARED '{self.name}'")
        else:
            self.run("INSERT INTO other (id) VALUES (2)")
            self.run("COMMIT")
        self.connection.close()


    def close(self):
        if self.worker.ident:
            self.worker.join()
        if not self.connection.closed:
            self.connection.close()
            if self.kind == "prepared":
                self.world.on_source(f"ROLLBACK PREPARED '{self.name}'")


@pytest.fixture
def write(world):
    writers = []

    def begin(kind):
        writers.append(Writer(world, kind))
        return writers[-1]
    yield begin
    for writer in writers:
        writer.close()


def begin(world, *tables):
    """A daemon that has loaded them, and has its slot."""
    mappings = world.follow(*tables)
    daemon = world.start()
    for mapping in mappings:
        dataflow.wait_for(lambda: world.full_syncs(mapping) == 1, 30, 0.1)
    return daemon, *mappings


def insert_quickly(world, number):
    """The application's other writers hardly feel that a mapping begins."""
    began = time.monotonic()
    world.on_source(f"INSERT INTO other (id) VALUES ({number})")
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("kind", ["idle", "working", "savepoint", "prepared"])
def test_transaction_open_when_a_mapping_begins(world, write, kind):
    """What it has done before its table came into the publication is told by
    nobody when it commits: so it is waited for, and the load has it."""
    world.make("item", "other")
    begin(world, "item")
    writer = write(kind)
    other, = world.follow("other")
    dataflow.wait_for(lambda: world.state(other) == "FULL_SYNC", 30, 0.1)
    for number in range(10, 14):
        insert_quickly(world, number)
        time.sleep(0.7)
    assert world.full_syncs(other) == 0
    world.on_source("INSERT INTO item (id) VALUES (5)")
    world.wait_same("item")
    writer.commit()
    world.wait_same("other")
    world.on_source("INSERT INTO other (id) VALUES (20); "
                    "DELETE FROM other WHERE id = 10")
    world.wait_same("other")
    assert world.full_syncs(other) == 1 and not world.errors()


def test_vacuum_when_a_mapping_begins(world):
    """It, and whoever builds an index, is waited for without anybody who writes
    having to wait as well."""
    world.make("item", "other")
    begin(world, "item")
    connection = world.postgresql.connect(world.src_db)
    with connection.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE other IN SHARE UPDATE EXCLUSIVE MODE")
        other, = world.follow("other")
        dataflow.wait_for(lambda: world.state(other) == "FULL_SYNC", 30, 0.1)
        slowest = 0
        for number in range(40):
            began = time.monotonic()
            world.on_source(f"INSERT INTO other (id) VALUES ({number})")
            slowest = max(slowest, time.monotonic() - began)
            time.sleep(0.1)
        assert slowest < 0.5 * dataflow.slowness()
        assert world.full_syncs(other) == 0
        cursor.execute("COMMIT")
    connection.close()
    world.wait_same("other")
    assert not world.errors()


@pytest.mark.parametrize("kind", ["idle", "prepared"])
def test_table_added_by_hand(world, write, kind):
    """Somebody else put it in while a transaction was open; we come later."""
    world.make("item", "other")
    daemon, _ = begin(world, "item")
    writer = write(kind)
    (publication,), = world.publications()
    world.on_source(f'ALTER PUBLICATION "{publication}" ADD TABLE ONLY other')
    daemon.kill()
    other, = world.follow("other")
    daemon.start()
    dataflow.wait_for(lambda: world.state(other) == "FULL_SYNC", 30, 0.1)
    time.sleep(3)
    assert world.full_syncs(other) == 0
    writer.commit()
    world.wait_same("other")
    assert world.full_syncs(other) == 1 and not world.errors()


def test_transaction_open_when_a_load_begins(world, write):
    """Its table has been in the publication for long: the log tells it all, and
    nobody waits for it."""
    world.make("other")
    _, other = begin(world, "other")
    writer = write("idle")
    world.request(other, "FULL_SYNC")
    dataflow.wait_for(lambda: world.full_syncs(other) == 2, 30, 0.1)
    writer.commit()
    world.wait_same("other")
    assert not world.errors()


def test_prepared_commit_waits_for_a_standby(world, write):
    """It is in the log and cannot be read yet: a load waits."""
    world.make("other")
    _, other = begin(world, "other")
    writer = write("prepared")
    commit = threading.Thread(target=writer.commit)
    try:
        world.on_source("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        world.on_source("SELECT pg_reload_conf()")
        dataflow.wait_for(lambda: world.on_source(
            "SHOW synchronous_standby_names") == [("nobody",)])
        commit.start()
        dataflow.wait_for(lambda: world.on_source(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep' "
            "AND query LIKE 'COMMIT PREPARED%'"), 20)
        world.request(other, "FULL_SYNC")
        time.sleep(6)
        assert world.full_syncs(other) == 1
    finally:
        world.on_source("ALTER SYSTEM RESET synchronous_standby_names")
        world.on_source("SELECT pg_reload_conf()")
        if commit.ident:
            commit.join()
    dataflow.wait_for(lambda: world.full_syncs(other) == 2, 60, 0.2)
    world.wait_same("other")
    assert [row[0] for row in world.both("other")[1]] == [1]
    assert not world.errors()


def stop_in_commit(world, pid, insert):
    """A session that has put its COMMIT into the log, which is not flushed: it
    waits a tenth of a second for others then, by commit_delay."""
    for number in range(5):
        worker = threading.Thread(target=insert, args=(number,))
        worker.start()
        time.sleep(0.04)
        os.kill(pid, signal.SIGSTOP)
        if world.on_source(
                "SELECT pg_current_wal_insert_lsn() > "
                "pg_current_wal_flush_lsn() AND NOT EXISTS (SELECT 1 FROM "
                f"other WHERE id = {number})") == [(True,)]:
            return worker
        os.kill(pid, signal.SIGCONT)
        worker.join()
    raise AssertionError("it was never stopped in time")


def test_commit_that_is_not_on_disk(dest_server, tmp_path):
    """It is in the log, and nobody can read it until its session gets on, which
    may take long, and need not wait for anything that shows: a load waits."""
    with postgresql.Postgresql(fsync="on") as server:
        world = ChangesWorld(server, dest_server, tmp_path)
        try:
            world.init()
            world.make("other")
            _, other = begin(world, "other")
            with world.postgresql.connect(world.src_db).cursor() as cursor:
                cursor.execute("SET commit_delay = 100000; "
                               "SET commit_siblings = 0; "
                               "SELECT pg_backend_pid()")
                pid = cursor.fetchone()[0]
                worker = stop_in_commit(world, pid, lambda number: cursor.execute(
                    "INSERT INTO other (id) VALUES (%s)", (number,)))
                try:
                    world.request(other, "FULL_SYNC")
                    dataflow.wait_for(
                        lambda: world.state(other) == "FULL_SYNC", 30, 0.1)
                    time.sleep(4)
                    assert world.full_syncs(other) == 1
                finally:
                    os.kill(pid, signal.SIGCONT)
                    worker.join()
            dataflow.wait_for(lambda: world.full_syncs(other) == 2, 30, 0.1)
            world.wait_same("other")
            assert not world.errors()
        finally:
            world.close()


@pytest.mark.parametrize("partitioned", [False, True],
                         ids=["table", "partition"])
def test_replica_identity_altered(world, partitioned):
    """The log tells another key than the mapping's: no row is guessed."""
    if partitioned:
        world.make("t", definition="id int PRIMARY KEY, code int NOT NULL) "
                                   "PARTITION BY RANGE (id")
        world.on_source("CREATE TABLE leaf PARTITION OF t FOR VALUES FROM (0) "
                        "TO (1000); CREATE UNIQUE INDEX leaf_code ON leaf "
                        "(code)")
    else:
        world.make("t", definition="id int PRIMARY KEY, code int NOT NULL")
        world.on_source("CREATE UNIQUE INDEX leaf_code ON t (code)")
    table = "leaf" if partitioned else "t"
    world.on_source("INSERT INTO t SELECT i, i FROM generate_series(1, 9) i")
    mapping, = world.follow("t")
    world.start()
    world.wait_same("t", "id, code")
    world.on_source(f"ALTER TABLE {table} REPLICA IDENTITY USING INDEX "
                    "leaf_code; UPDATE t SET id = 100 WHERE id = 1; "
                    "DELETE FROM t WHERE id = 2")
    world.wait_error("the replica identity of", timeout=60)
    world.wait_error("has not all columns of the mapping's key", timeout=60)
    world.on_source(f"ALTER TABLE {table} REPLICA IDENTITY DEFAULT")
    world.request(mapping, "FULL_SYNC")
    world.wait_same("t", "id, code", timeout=90)


def test_deferrable_primary_key(world):
    """PostgreSQL takes it for no identity: the table stays out of the
    publication, where the application's own updates would be refused."""
    world.make("t", definition="id int PRIMARY KEY DEFERRABLE, v int")
    world.on_source("CREATE UNIQUE INDEX t_id ON t (id)")
    world.on_source("INSERT INTO t VALUES (1, 1)")
    world.follow("t")
    world.start()
    world.wait_error("it has no replica identity")
    world.on_source("UPDATE t SET v = 2")
    assert not world.published()
