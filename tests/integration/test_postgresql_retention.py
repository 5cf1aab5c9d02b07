"""What a replication slot keeps, and for whom: as long as a mapping may need it,
no longer, and never without a word."""
import json
import time

import pytest

from support import dataflow, postgresql
from support.postgresql_world import PostgresqlPair

postgresql.skip_unless_installed()

GRACE = 30  # seconds that a mapping has to say what it needs


class SlotWorld(PostgresqlPair):
    """The destination is a PostgreSQL of its own, which may be away."""

    def make(self, *tables):
        for table in tables:
            self.on_source(f"CREATE TABLE {table} (id int PRIMARY KEY, "
                           "v text)")

    def wait_tables(self, *tables, timeout=60):
        for table in tables:
            self.wait_same(table=table, timeout=timeout)

    def behind(self):
        """Bytes of log between what the slot was told and the end."""
        return self.postgresql.query(
            "SELECT pg_current_wal_lsn() - confirmed_flush_lsn FROM "
            f"pg_replication_slots WHERE database = '{self.src_db}'")[0][0]

    def wait_confirmed(self, timeout):
        """What is there now may be forgotten, once something more comes. An
        idle mapping stores its position once a minute."""
        end = self.postgresql.query("SELECT pg_current_wal_lsn()")[0][0]

        def confirmed():
            return self.postgresql.query(
                f"SELECT confirmed_flush_lsn >= '{end}' FROM "
                "pg_replication_slots WHERE database = "
                f"'{self.src_db}'")[0][0]
        try:
            dataflow.wait_for(confirmed, timeout, 0.5)
        except AssertionError:
            raise AssertionError(f"{self.behind()} bytes are held: "
                                 f"{self.errors()}\n{self.log()}") from None

    def findings(self):
        done = dataflow.run("check", "--json", env=self.environment(),
                            timeout=60)
        return json.loads(done.stdout)

    def position(self, mapping):
        return self.control("SELECT position FROM mapping_state WHERE "
                            f"mapping_id = {mapping}")[0][0]


@pytest.fixture
def world(dest_server, tmp_path):
    with postgresql.Postgresql(wal_init_zero="off") as source, \
            postgresql.Postgresql() as dest:
        made = SlotWorld(source, dest_server, tmp_path, dest)
        made.init()
        yield made
        made.close()


def test_mappings_that_can_never_start(world):
    """A table that does not exist, a database that does not, a server that
    nobody finds: none of them ever had anything to lose."""
    world.make("item", "lonely")
    item = world.add_mapping("item")
    never = [world.add_mapping("nowhere"),
             world.add_mapping("lonely", dest_database="no_such_database")]
    world.control("INSERT INTO target_servers (target_name, target_type, "
                  "connection_string) VALUES (N'gone', N'postgres', "
                  "N'server=127.0.0.1,1;user id=x')")
    never.append(world.add_mapping("lonely", dest_table="l2",
                                   target_id=world.target_id + 1))
    world.start()
    world.wait_tables("item")
    dataflow.wait_for(lambda: all(world.errors(m) for m in never), 60, 0.5)
    world.on_source("INSERT INTO item SELECT i, 'v' "
                    "FROM generate_series(1, 1000) AS i")
    world.wait_tables("item")
    world.wait_confirmed(GRACE + 90)
    # One that can start after all begins with a load, and misses nothing.
    world.make("nowhere")
    world.on_source("INSERT INTO nowhere VALUES (1, 'a')")
    world.wait_tables("nowhere")
    world.on_source("INSERT INTO nowhere VALUES (2, 'b')")
    world.wait_tables("nowhere")
    assert world.full_syncs(item) == 1


@pytest.mark.parametrize("off", [False, True])
def test_a_destination_that_is_away_for_long(world, off):
    """The control tables say how far it was, or a mapping that is switched off;
    the daemon, begun anew, keeps just that."""
    world.make("item", "away")
    with postgresql.Postgresql() as far:
        far.query("CREATE DATABASE far")
        world.control("INSERT INTO target_servers (target_name, target_type, "
                      "connection_string) VALUES (N'far', N'postgres', "
                      f"N'{far.connection_string()}')")
        item = world.add_mapping("item")
        away = world.add_mapping("away", target_id=world.target_id + 1,
                                 dest_database="far")
        daemon = world.start()
        world.wait_tables("item")
        world.on_source("INSERT INTO away VALUES (1, 'one')")

        def there():
            try:
                return far.query("SELECT v FROM public.away ORDER BY id",
                                 "far")
            except Exception:  # not made yet
                return None
        dataflow.wait_for(lambda: there() == [("one",)], 60, 0.2)
        dataflow.wait_for(lambda: world.position(away), 20, 0.2)
        daemon.stop()
        if off:
            world.control("UPDATE table_mappings SET is_enabled = 0 "
                          f"WHERE mapping_id = {away}")
        else:
            far.stop()
        kept = world.position(away)
        world.on_source("INSERT INTO away VALUES (2, 'two')")
        daemon = world.start()
        for turn in range(GRACE + 10):
            world.on_source(f"INSERT INTO item VALUES ({turn}, 'v')")
            time.sleep(1)
        world.wait_tables("item")
        # A restart forgets what the mapping was.
        assert world.position(away) == kept
        assert world.behind() > 0
        told = [f for f in world.findings() if f["check"] == "slot" and
                f"mapping {away} " in f["finding"]]
        assert bool(told) == off, told
        if off:
            assert "switched off" in told[0]["finding"]
            assert told[0]["level"] == "OK"
            world.control("UPDATE table_mappings SET is_enabled = 1 "
                          f"WHERE mapping_id = {away}")
        else:
            far.start()
        dataflow.wait_for(lambda: there() == [("one",), ("two",)], 60, 0.2)
        assert world.full_syncs(away) == 1 and world.full_syncs(item) == 1
        world.wait_confirmed(100)
        world.daemons[-1].stop()


def test_more_than_may_wait_while_a_destination_is_away(world):
    """The slot has it all the same, however often it has to be read."""
    world.config(spill_limit_mb=1, resync_on_gap=0)
    world.make("item", "away")
    with postgresql.Postgresql() as far:
        far.query("CREATE DATABASE far")
        world.control("INSERT INTO target_servers (target_name, target_type, "
                      "connection_string) VALUES (N'far', N'postgres', "
                      f"N'{far.connection_string()}')")
        world.add_mapping("item")
        away = world.add_mapping("away", target_id=world.target_id + 1,
                                 dest_database="far")
        world.start()
        world.wait_tables("item")
        dataflow.wait_for(lambda: world.position(away), 60, 0.2)
        far.stop()
        for turn in range(40):
            world.on_source("INSERT INTO away SELECT i, repeat(md5(i::text), "
                            f"32) FROM generate_series({turn} * 500, "
                            f"{turn} * 500 + 499) AS i")
        world.on_source("INSERT INTO item VALUES (1, 'v')")
        world.wait_tables("item")
        far.start()
        sql = "SELECT count(*), sum(id), max(v) FROM public.away"
        dataflow.wait_for(lambda: far.query(sql, "far") ==
                          world.on_source(sql), 60, 0.2)
        assert world.full_syncs(away) == 1
        assert not [e for e in world.errors(resolved=1) + world.errors()
                    if "spill_limit_mb" in e[1]]
        world.daemons[-1].stop()


def test_a_load_in_parts_goes_on_after_a_restart(world):
    """From where it began: nothing that it has not read was let go of."""
    world.config(load_part_rows=1000, load_readers=2)
    world.make("item", "big")
    item = world.add_mapping("item")
    daemon = world.start()
    world.wait_tables("item")
    world.on_source("INSERT INTO big SELECT i, repeat(md5(i::text), 20) "
                    "FROM generate_series(1, 60000) AS i; ANALYZE big")
    big = world.add_mapping("big")
    world.wait_for_a_part()
    dataflow.wait_for(lambda: world.position(big), 10, 0.05)
    daemon.kill()
    assert not world.full_syncs(big)
    # It cannot go on at once, and the other one gets on meanwhile.
    world.control("UPDATE table_mappings SET is_enabled = 0 "
                  f"WHERE mapping_id = {big}")
    world.on_source("UPDATE big SET v = 'changed' WHERE id % 50 = 0")
    daemon = world.start()
    for turn in range(GRACE + 5):
        world.on_source(f"INSERT INTO item VALUES ({turn}, 'v')")
        time.sleep(1)
    world.wait_tables("item")
    world.control("UPDATE table_mappings SET is_enabled = 1 "
                  f"WHERE mapping_id = {big}")
    world.wait_tables("big")
    assert world.full_syncs(big) == 1 and world.full_syncs(item) == 1, \
        world.log()
    assert "going on with the load" in world.log()
    assert not [row for row in world.errors(resolved=1) if "gone" in row[1]]


def test_much_is_kept_and_told(world):
    """`check` and the log name the mapping, and how much it keeps."""
    world.make("item", "idle")
    item, idle = world.add_mapping("item"), world.add_mapping("idle")
    daemon = world.start()
    world.wait_tables("item", "idle")
    world.on_source("INSERT INTO idle VALUES (1, 'v')")
    world.wait_tables("idle")
    dataflow.wait_for(lambda: world.position(idle), 20, 0.2)
    world.control("UPDATE table_mappings SET is_enabled = 0 "
                  f"WHERE mapping_id = {idle}")
    dataflow.wait_for(lambda: world.state(idle) == "STOPPED", 20, 0.2)
    for turn in range(70):  # of 16 MB each
        world.on_source(f"INSERT INTO item VALUES ({turn}, 'v')")
        world.on_source("SELECT pg_switch_wal()")
    world.wait_tables("item")
    daemon.stop()
    world.start()
    said = dataflow.wait_for(
        lambda: [line for line in world.log().splitlines()
                 if "MB of log" in line], 30, 0.2)
    assert f"mapping {idle} ('public.idle'), which is switched off" in said[0]
    assert "WARNING" in said[0] and " 1" in said[0]
    told = [f for f in world.findings() if f["check"] == "slot"]
    assert [f["level"] for f in told] == ["WARN", "WARN"], told
    assert f"mapping {idle} ('{world.src_db}.public.idle'), which is " \
        "switched off, keeps 1" in told[1]["finding"]
    assert "delete its row" in told[1]["remedy"]
    assert f"mapping {item} " not in json.dumps(told)
    # Deleted, it keeps nothing more.
    world.control(f"DELETE FROM table_mappings WHERE mapping_id = {idle}")
    world.wait_confirmed(100)
    dataflow.wait_for(lambda: [f["level"] for f in world.findings()
                               if f["check"] == "slot"] == ["OK"], 60, 1)
