"""Failovers of a PostgreSQL source, to a standby that has its slot."""
import subprocess
import time

import pytest

from support import dataflow, postgresql
from support.postgresql_world import PostgresqlPair

postgresql.skip_unless_installed()


def wait_for_a_lock(server, database, query="%"):
    dataflow.wait_for(lambda: server.query(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND "
        f"datname = '{database}' AND query LIKE '{query}'"), 20, 0.05)


@pytest.fixture
def world(dest_server, tmp_path):
    with postgresql.Postgresql() as server, postgresql.Postgresql() as there:
        made = PostgresqlPair(server, dest_server, tmp_path, there)
        made.init()
        yield made
        made.close()


def test_promoted_standby_that_lacks_the_end(world):
    """It has the slot and all that was stored, but not what was read since by a
    mapping whose destination is slow: that is of another log than what the new
    primary commits at the same places."""
    server = world.postgresql
    for table in ("item", "other"):
        world.on_source(f"CREATE TABLE {table} (id int PRIMARY KEY, v text)")
        world.on_source(f"INSERT INTO {table} VALUES (1, 'old')")
    item, _ = world.add_mapping("item"), world.add_mapping("other")
    world.start()
    world.wait_same(table="item")
    world.wait_same(table="other")
    holder = world.there.connect(world.dst_db)
    holder.autocommit = False
    holder.cursor().execute("SELECT v FROM item WHERE id = 1 FOR UPDATE")
    world.on_source("UPDATE item SET v = 'one' WHERE id = 1")
    wait_for_a_lock(world.there, world.dst_db)
    server.kill()
    standby = server.data + ".standby"
    subprocess.run(["cp", "-a", server.data, standby], check=True)
    server.start()
    world.on_source("INSERT INTO item VALUES (2, 'lost'); "
                    "INSERT INTO other SELECT i, repeat('x', 1000) "
                    "FROM generate_series(2, 2000) AS i")
    world.wait_same(table="other")
    end = server.query("SELECT pg_current_wal_lsn()")[0][0]
    dataflow.wait_for(lambda: server.query(
        f"SELECT 1 FROM pg_stat_replication WHERE write_lsn >= '{end}'"), 20)
    server.kill()
    server.take_data(standby)
    server.promote()
    world.on_source("INSERT INTO item VALUES (3, 'new'); "
                    "INSERT INTO other VALUES (3, 'new')")
    assert server.query(f"SELECT pg_current_wal_lsn() < '{end}'") == [(True,)]
    world.wait_same(table="other")
    holder.close()
    world.wait_same(table="item")
    assert [row[0] for row in world.on_source("SELECT id FROM item "
                                              "ORDER BY id")] == [1, 3]
    assert world.full_syncs(item) == 1
    assert not world.errors(item), world.errors(item)


def test_load_of_what_the_standby_lacks(world):
    """A load began with what both servers had, and read what only one had."""
    server = world.postgresql

    def ids():
        return [number for number, in world.there.query(
            "SELECT id FROM item ORDER BY id", world.dst_db)]
    world.on_source("CREATE TABLE item (id int PRIMARY KEY, v text)")
    world.on_source("INSERT INTO item VALUES (1, 'old')")
    item = world.add_mapping("item")
    world.start()
    world.wait_same(table="item")
    writer = server.connect(world.src_db)
    writer.autocommit = False
    writer.cursor().execute("LOCK TABLE item IN ACCESS EXCLUSIVE MODE")
    reader = world.there.connect(world.dst_db)
    reader.autocommit = False
    reader.cursor().execute("SELECT * FROM item")
    world.request(item, "FULL_SYNC")
    wait_for_a_lock(server, world.src_db, "%reltuples%")  # its estimate
    server.copy_data(server.data + ".standby")
    writer.cursor().execute("INSERT INTO item VALUES (2, 'lost')")
    writer.commit()
    wait_for_a_lock(world.there, world.dst_db)
    writer.close()
    server.kill()
    reader.close()
    dataflow.wait_for(lambda: ids() == [1, 2], 20)
    server.take_data(server.data + ".standby")
    server.promote()
    world.on_source("INSERT INTO item VALUES (3, 'new')")
    world.wait_same(table="item")
    assert ids() == [1, 3]
    assert world.full_syncs(item) == 3


def test_load_in_parts_of_two_servers(world):
    """Parts of the one and of the other do not make one table."""
    server = world.postgresql
    world.config(load_part_rows=1000, load_readers=2)
    world.on_source("CREATE TABLE item (id int PRIMARY KEY, v text)")
    world.on_source("INSERT INTO item SELECT i, repeat(md5(i::text), 20) "
                    "FROM generate_series(1, 60000) AS i; ANALYZE item")
    daemon = world.start()
    item = world.add_mapping("item")
    world.wait_for_a_part()
    daemon.kill()
    assert not world.full_syncs(item)
    server.stop()
    server.promote()
    world.start()
    world.wait_same(table="item", timeout=60)
    assert world.full_syncs(item) == 1, world.log()
    assert "or was promoted since: the load begins anew" in world.log()
    assert not world.errors()
    assert "going on with the load" not in world.log()


def test_shutdown_waits_for_no_destination(world):
    """A server that shuts down would wait until all it has sent is stored."""
    server = world.postgresql
    world.on_source("CREATE TABLE item (id int PRIMARY KEY, v text)")
    world.on_source("INSERT INTO item VALUES (1, 'old')")
    world.add_mapping("item")
    world.start()
    world.wait_same(table="item")
    holder = world.there.connect(world.dst_db)
    holder.autocommit = False
    holder.cursor().execute("SELECT v FROM item WHERE id = 1 FOR UPDATE")
    world.on_source("UPDATE item SET v = 'new'")
    wait_for_a_lock(world.there, world.dst_db)
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 20
    server.start()
    holder.close()
    world.on_source("INSERT INTO item VALUES (2, 'newer')")
    world.wait_same(table="item")
    assert world.full_syncs(1) == 1
