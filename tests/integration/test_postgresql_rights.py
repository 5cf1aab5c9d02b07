"""PostgreSQL to PostgreSQL under the logins of the two scripts in etc/: everything
works, the source's login can write nothing but the trigger column, each grant is
needed, and a DBA can make publication and slot beforehand.
"""
import json
import re
import threading
import time

import psycopg2
import pytest

from support import dataflow, postgresql
from support import postgresql_rights as rights
from support.postgresql_world import PostgresqlPair

postgresql.skip_unless_installed()

READER = "dataflow_reader"
TABLE = 'CREATE TABLE app."Item" (id bigint PRIMARY KEY, name text, ' \
        "code ext.citext, sync boolean NOT NULL DEFAULT false)"
LIST = [("app", "Item", "sync"), ("app", "parted", None)]


class LeastWorld(PostgresqlPair):
    """Both ends are reached by logins that may do what the scripts grant."""

    def prepare(self):
        self.on_source(
            "CREATE SCHEMA app; CREATE SCHEMA ext; "
            f"CREATE EXTENSION citext SCHEMA ext; {TABLE}; "
            "CREATE TABLE app.other (id int PRIMARY KEY); "
            "CREATE TABLE app.parted (id int PRIMARY KEY, v text) "
            "PARTITION BY RANGE (id); CREATE TABLE app.p0 PARTITION OF "
            "app.parted FOR VALUES FROM (MINVALUE) TO (1000); "
            "CREATE TABLE app.p1 PARTITION OF app.parted FOR VALUES FROM "
            "(1000) TO (MAXVALUE); "
            'INSERT INTO app."Item" (id, name, code) SELECT i, \'row \' || i, '
            "'Code' FROM generate_series(1, 2000) AS i; "
            "INSERT INTO app.parted SELECT i, 'v' "
            "FROM generate_series(1, 2000) AS i; "
            f"REVOKE CONNECT ON DATABASE {self.src_db} FROM PUBLIC")
        self.there.query("CREATE SCHEMA ext; "
                         "CREATE EXTENSION citext SCHEMA ext; "
                         "CREATE SCHEMA app; GRANT USAGE ON SCHEMA ext "
                         "TO PUBLIC", self.dst_db)

    def use_logins(self, swap=False):
        self.grant()
        rights.destination(self.there, self.dst_db, "dataflow_writer",
                           [("app", None)], swap)
        for table, server, login in (
                ("source_servers", self.postgresql, READER),
                ("target_servers", self.there, "dataflow_writer")):
            text = server.connection_string(
                **{"user id": login, "password": rights.PASSWORD})
            self.control(f"UPDATE {table} SET connection_string = N'{text}'")

    def grant(self, **variables):
        return rights.source(self.postgresql, self.src_db, READER, LIST,
                             **variables)

    def map(self, **columns):
        return [self.add_mapping(
            name, source_schema="app", dest_schema="app",
            full_sync_trigger_column=trigger, verification_interval_minutes=0,
            **columns) for _, name, trigger in LIST]

    def findings(self):
        """Those of `check` that are not OK."""
        done = dataflow.run("check", "--json", env=self.environment(),
                            timeout=60)
        return [f for f in json.loads(done.stdout)
                if f["level"] != "OK"]

    def publication_name(self):
        """As `check` tells it to the DBA."""
        for finding in self.findings():
            found = re.search(r'PUBLICATION "(\w+)" FOR', finding["remedy"])
            if found:
                return found.group(1)
        raise AssertionError("check names no publication")

    def wait_equal_tables(self, timeout=60):
        for name in ('app."Item"', "app.parted"):
            def same(table=name):
                try:
                    return len(set(self.print_both("*", table))) == 1
                except AssertionError:  # not made yet
                    return False
            try:
                dataflow.wait_for(same, timeout, 0.2)
            except AssertionError:
                raise AssertionError(f"{name}: {self.errors()}\n"
                                     f"{self.log()}"[:8000]) from None

    def full_syncs(self, mapping):
        return self.control(
            "SELECT COUNT(*) FROM sync_status WHERE sync_type = N'FULL_SYNC' "
            f"AND status = N'COMPLETED' AND mapping_id = {mapping}")[0][0]

    def ask(self, mapping, kind):
        self.control("INSERT INTO sync_requests (mapping_id, request_type, "
                     f"scope) VALUES ({mapping}, N'{kind}', N'WHOLE')")
        number = self.control("SELECT MAX(request_id) "
                              "FROM sync_requests")[0][0]

        def done():
            found = self.control("SELECT state, answer FROM sync_requests "
                                 f"WHERE request_id = {number}")[0]
            return found if found[0] not in ("PENDING", "RUNNING") else None
        state, answer = dataflow.wait_for(done, 60)
        assert state == "COMPLETED", answer
        return self.control("SELECT verification_status, mismatches_found "
                            "FROM verification_logs "
                            "ORDER BY verification_id DESC")[0]

    def published(self):
        return sorted(row[0] for row in self.on_source(
            "SELECT tablename FROM pg_publication_tables"))

    def slots(self):
        return self.postgresql.query(
            "SELECT slot_name FROM pg_replication_slots "
            f"WHERE database = '{self.src_db}'")


@pytest.fixture(scope="module")
def servers():
    with postgresql.Postgresql() as source, postgresql.Postgresql() as dest:
        yield source, dest


@pytest.fixture
def world(servers, dest_server, tmp_path):
    made = LeastWorld(servers[0], dest_server, tmp_path, servers[1])
    made.init()
    made.prepare()
    yield made
    made.close()


def make_publication(world):
    """What a DBA does before the daemon runs: the script, twice."""
    world.use_logins()
    world.map()
    assert world.grant(publication=world.publication_name()) == []


# ------------------------------------------------------------ all of it works

@pytest.mark.parametrize("swap", [False, True])
def test_everything_works(world, swap):
    world.use_logins(swap)
    item, parted = world.map()
    name = world.publication_name()
    assert world.grant(publication=name) == []
    assert [f for f in world.findings() if f["level"] == "FAIL"] == []
    world.start()
    world.wait_equal_tables()
    world.on_source(
        "INSERT INTO app.\"Item\" VALUES (5000, 'new', 'X'); "
        "UPDATE app.\"Item\" SET name = 'changed', code = 'y' WHERE id < 9; "
        "UPDATE app.\"Item\" SET id = -id WHERE id BETWEEN 20 AND 30; "
        "DELETE FROM app.\"Item\" WHERE id = 10; "
        "UPDATE app.parted SET id = id + 5000 WHERE id IN (7, 1500); "
        "DELETE FROM app.parted WHERE id % 9 = 0")
    world.wait_equal_tables()
    assert [world.full_syncs(m) for m in (item, parted)] == [1, 1]
    # The trigger column asks for a load, and is set back.
    world.on_source('UPDATE app."Item" SET sync = true WHERE id < 3')
    dataflow.wait_for(lambda: world.on_source(
        'SELECT count(*) FROM app."Item" WHERE sync') == [(0,)], 30, 0.2)
    assert world.full_syncs(item) == 2
    world.wait_equal_tables()
    # What somebody broke is found, and mended.
    for mapping in (item, parted):
        assert world.ask(mapping, "VERIFY") == ("PASSED", 0)
    world.there.query("UPDATE app.\"Item\" SET name = 'wrong' WHERE id = 3; "
                      "DELETE FROM app.\"Item\" WHERE id = 4; "
                      "INSERT INTO app.\"Item\" VALUES (-7777, '', '', "
                      "false)", world.dst_db)
    assert world.ask(item, "VERIFY") == ("FAILED", 3)
    world.ask(item, "REPAIR")
    world.wait_equal_tables(5)
    world.on_source("TRUNCATE app.parted; INSERT INTO app.parted VALUES "
                    "(1, 'again')")
    world.wait_equal_tables()
    # Its own slot goes with the last mapping, what others made stays.
    assert len(world.slots()) == 1
    world.control("DELETE FROM table_mappings")
    dataflow.wait_for(lambda: not world.slots(), 40, 0.2)
    assert world.published() == ["Item", "parted"]
    errors = [row for row in world.errors() if "truncated" not in row[1]]
    assert errors == [], world.log()


def test_the_reader_writes_nothing_but_the_trigger_column(world, servers):
    make_publication(world)
    publication = world.on_source("SELECT pubname FROM pg_publication")[0][0]
    reader = servers[0].connect(world.src_db, user=READER,
                                password=rights.PASSWORD)
    for sql in ('INSERT INTO app."Item" (id) VALUES (9000)',
                'UPDATE app."Item" SET name = NULL',
                'UPDATE app."Item" SET sync = true, name = NULL',
                'DELETE FROM app."Item"', 'TRUNCATE app."Item"',
                'DROP TABLE app."Item"',
                'ALTER TABLE app."Item" ADD more int',
                'CREATE TABLE app.mine (a int)', "CREATE SCHEMA mine",
                "UPDATE app.parted SET v = NULL",
                "SELECT * FROM app.other", "INSERT INTO app.p0 VALUES (1)",
                f"ALTER PUBLICATION {publication} DROP TABLE app.parted",
                "ALTER SYSTEM SET work_mem = 64",
                "CREATE ROLE another"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            reader.cursor().execute(sql)
    # Whatever there is in the database, by the server's own account of rights.
    cursor = reader.cursor()
    cursor.execute(
        "SELECT c.oid::regclass::text, a.attname::text, r.name "
        "FROM pg_class AS c INNER JOIN pg_namespace AS n "
        "ON n.oid = c.relnamespace CROSS JOIN (VALUES ('INSERT'), "
        "('UPDATE'), ('REFERENCES')) AS r (name) INNER JOIN pg_attribute AS a "
        "ON a.attrelid = c.oid AND a.attnum > 0 "
        "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN "
        "('pg_catalog', 'information_schema', 'pg_toast') "
        "AND n.nspname NOT LIKE 'pg_temp%' "
        "AND has_column_privilege(c.oid, a.attnum, r.name)")
    assert cursor.fetchall() == [('app."Item"', "sync", "UPDATE")]
    cursor.execute('UPDATE app."Item" SET sync = true WHERE id = 1')
    assert cursor.rowcount == 1
    reader.close()


# --------------------------------------------------------- each grant is needed

GRANTS = {
    "CONNECT": ("REVOKE CONNECT ON DATABASE {db} FROM dataflow_source",
                'GRANT CONNECT ON DATABASE "{db}" TO "dataflow_reader"'),
    "REPLICATION": ("ALTER ROLE dataflow_reader NOREPLICATION",
                    'ALTER ROLE "dataflow_reader" REPLICATION'),
    "USAGE": ("REVOKE USAGE ON SCHEMA app FROM dataflow_source",
              'GRANT USAGE ON SCHEMA "app" TO dataflow_reader'),
    "USAGE of a type": ("REVOKE USAGE ON SCHEMA ext FROM dataflow_source",
                        "GRANT USAGE ON SCHEMA ext TO dataflow_reader"),
    "SELECT": ('REVOKE SELECT ON app."Item" FROM dataflow_source',
               'GRANT SELECT ON "app"."Item" TO dataflow_reader'),
    "SELECT of the root": (
        "REVOKE SELECT ON app.parted FROM dataflow_source",
        'GRANT SELECT ON "app"."parted" TO dataflow_reader'),
    "UPDATE": ('REVOKE UPDATE (sync) ON app."Item" FROM dataflow_source',
               'GRANT UPDATE ("sync") ON "app"."Item" TO dataflow_reader'),
    "pg_read_all_stats": ("REVOKE pg_read_all_stats FROM dataflow_source",
                          "GRANT pg_read_all_stats TO dataflow_reader"),
    "publication": ("ALTER PUBLICATION {publication} DROP TABLE app.parted",
                    'ALTER PUBLICATION "{publication}" ADD TABLE ONLY '
                    '"app"."parted"'),
    "no publication": ("DROP PUBLICATION {publication}",
                       'CREATE PUBLICATION "{publication}" FOR TABLE ONLY '
                       '"app"."Item" WITH (publish_via_partition_root = '
                       "true)"),
    "kinds": ("ALTER PUBLICATION {publication} SET (publish = 'insert')",
              "ALTER PUBLICATION {publication} SET (publish = "
              "'insert, update, delete, truncate')"),
    "root": ("ALTER PUBLICATION {publication} SET "
             "(publish_via_partition_root = false)",
             "ALTER PUBLICATION {publication} SET "
             "(publish_via_partition_root = true)"),
    "rows": ("ALTER PUBLICATION {publication} SET TABLE app.parted, "
             'app."Item" WHERE (id > 5)',
             'ALTER PUBLICATION {publication} DROP TABLE app."Item"'),
    "columns": ("ALTER PUBLICATION {publication} SET TABLE app.parted, "
                'app."Item" (id)',
                'ALTER PUBLICATION {publication} DROP TABLE app."Item"'),
}


@pytest.mark.parametrize("grant", GRANTS)
def test_check_names_what_is_missing(world, servers, grant):
    if grant in ("rows", "columns") and servers[0].version() < 15:
        pytest.skip("PostgreSQL 15 has them")
    make_publication(world)
    assert world.findings() == []
    names = {"db": world.src_db, "publication": world.on_source(
        "SELECT pubname FROM pg_publication")[0][0]}
    revoke, remedy = (text.format(**names) for text in GRANTS[grant])
    world.on_source(revoke)
    found = world.findings()
    said = [f for f in found if remedy in f["remedy"]]
    assert said, found
    level = "WARN" if grant == "pg_read_all_stats" else "FAIL"
    assert [f["level"] for f in said] == [level] * len(said)
    # What it says is what helps.
    world.on_source(re.split(r"; least-| \(for the next", said[0]["remedy"][
        said[0]["remedy"].index(remedy):])[0].replace(" and then ", "; "))
    if grant == "no publication":
        world.on_source("ALTER PUBLICATION {publication} ADD TABLE ONLY "
                        "app.parted".format(**names))
    assert world.findings() == [], said


# ------------------------------------------------------------- the daemon itself

def test_the_daemon_says_what_the_dba_has_to_run(world):
    """And goes on by itself when it was done."""
    world.use_logins()
    mappings = world.map()
    world.start()

    def statements():
        found = [re.search(r"run ((CREATE|ALTER) PUBLICATION [^;]*); least-",
                           row[1])
                 for row in world.errors()]
        return [f.group(1) for f in found if f]
    first = dataflow.wait_for(
        lambda: statements() if len(statements()) == 2 else None, 30, 0.2)
    assert not world.slots()
    world.on_source(first[0])
    last = dataflow.wait_for(
        lambda: [s for s in statements() if s.startswith("ALTER")], 30, 0.2)
    assert len(last) == 1
    world.on_source(last[0])
    world.wait_equal_tables()
    world.on_source("UPDATE app.parted SET v = 'w' WHERE id = 1; "
                    'DELETE FROM app."Item" WHERE id = 1')
    world.wait_equal_tables()
    assert [world.full_syncs(m) for m in mappings] == [1, 1]
    dataflow.wait_for(lambda: not world.errors(), 30, 0.2)


@pytest.mark.parametrize("when", ["before", "after", "of another plugin"])
def test_a_slot_that_the_dba_has_made(world, when):
    """Before the publication, whose beginning it does not see, or after."""
    world.use_logins()
    mappings = world.map()
    publication = world.publication_name()
    slot = publication + "_" + str(world.on_source(
        "SELECT oid FROM pg_database WHERE datname = current_database()")[0][0])
    plugin = "test_decoding" if "plugin" in when else "pgoutput"
    make = f"SELECT pg_create_logical_replication_slot('{slot}', '{plugin}')"
    if when == "before":
        world.on_source(make)
        world.on_source("UPDATE app.parted SET v = 'early'")
    world.grant(publication=publication)
    if when != "before":
        world.on_source(make)
    world.on_source("UPDATE app.parted SET v = 'later' WHERE id > 9")
    world.start()
    world.wait_equal_tables()
    world.on_source("UPDATE app.parted SET v = 'w' WHERE id = 1")
    world.wait_equal_tables()
    assert world.slots() == [(slot,)]
    if when == "after":
        assert [world.full_syncs(m) for m in mappings] == [1, 1]
        assert not world.errors()


@pytest.mark.parametrize("away, back", [
    ("DROP TABLE app.parted", "ADD TABLE app.parted"),
    ("SET (publish = 'insert')", "SET (publish = 'insert, update, delete, "
                                 "truncate')"),
    ("SET (publish_via_partition_root = false)",
     "SET (publish_via_partition_root = true)")])
def test_what_was_not_published_for_a_while(world, away, back):
    """It is a gap, and stays one when the publication is mended: not one change
    of that time is missing in the end."""
    make_publication(world)
    world.start()
    world.wait_equal_tables()
    name = world.on_source("SELECT pubname FROM pg_publication")[0][0]
    world.on_source(f"ALTER PUBLICATION {name} {away}")
    world.on_source("UPDATE app.parted SET v = 'unseen' WHERE id % 2 = 0")
    dataflow.wait_for(lambda: [row for row in world.errors()
                               if "publication" in row[1]], 40, 0.2)
    world.on_source(f"ALTER PUBLICATION {name} {back}")
    world.wait_equal_tables()
    world.on_source("UPDATE app.parted SET v = 'seen' WHERE id % 3 = 0")
    world.wait_equal_tables()


@pytest.mark.parametrize("sees", [True, False])
def test_a_commit_that_waits_for_a_standby(world, sees):
    """It is in the log, and nobody can see it: a load that begins then would
    miss it. So it is waited for, by a login that may not see sessions, too."""
    make_publication(world)
    world.on_source("CREATE TABLE app.late (id int PRIMARY KEY)")
    rights.source(world.postgresql, world.src_db, READER,
                  LIST + [("app", "late", None)],
                  publication=world.on_source(
                      "SELECT pubname FROM pg_publication")[0][0],
                  may_see_sessions=int(sees))
    if not sees:
        # What a remedy above has granted stays granted in all databases.
        world.on_source("REVOKE pg_read_all_stats FROM dataflow_source, "
                        "dataflow_reader")
    world.start()
    world.wait_equal_tables()
    writer = threading.Thread(target=world.on_source, args=(
        "INSERT INTO app.late VALUES (1)",))
    try:
        world.on_source("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        world.on_source("SELECT pg_reload_conf()")
        writer.start()
        dataflow.wait_for(lambda: world.on_source(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep' "
            "AND query LIKE 'INSERT INTO app.late%'"), 20)
        late = world.add_mapping("late", source_schema="app",
                                 dest_schema="app")
        dataflow.wait_for(lambda: world.state(late) == "FULL_SYNC", 30, 0.1)
        time.sleep(5)
        assert world.full_syncs(late) == 0
        if not sees:
            assert any("and then fails" in finding["finding"]
                       for finding in world.findings())
    finally:
        world.on_source("ALTER SYSTEM RESET synchronous_standby_names")
        world.on_source("SELECT pg_reload_conf()")
        writer.join()
    dataflow.wait_for(lambda: world.full_syncs(late) == 1, 30, 0.2)
    assert world.there.query("SELECT id FROM app.late",
                             world.dst_db) == [(1,)]
    assert not world.errors(late)


def test_a_partition_and_its_root(world):
    """Changes of a partition are told as the root's: one of the two."""
    make_publication(world)
    world.start()
    world.wait_equal_tables()
    partition = world.add_mapping("p0", source_schema="app",
                                  dest_schema="app")
    dataflow.wait_for(lambda: world.errors(partition), 30, 0.2)
    message = world.errors(partition)[0][1]
    assert "app.parted" in message and "map one of the two" in message
    world.on_source("UPDATE app.parted SET v = 'w' WHERE id = 1")
    world.wait_equal_tables()


def test_tables_that_cannot_be_published(world):
    """The script says which, and leaves the application alone."""
    world.use_logins()
    world.map()
    world.on_source("CREATE TABLE app.bare (a int); "
                    "CREATE UNLOGGED TABLE app.quick (a int PRIMARY KEY); "
                    "CREATE VIEW app.seen AS SELECT 1 AS a; "
                    "CREATE TABLE app.kin (PRIMARY KEY (id)) INHERITS "
                    "(app.other); CREATE TABLE app.child () "
                    "INHERITS (app.other)")
    rows = LIST + [("app", name, None) for name in
                   ("bare", "quick", "seen", "p1", "other")]
    said = rights.source(world.postgresql, world.src_db, READER, rows,
                         publication=world.publication_name())
    assert [line.split("|")[1] for line in said] == \
        ["bare", "p1", "quick", "seen"], said
    assert world.published() == ["Item", "other", "parted"]
    # Nothing that the application did before is refused now.
    world.on_source("INSERT INTO app.bare VALUES (1); UPDATE app.bare SET a = 2; "
                    "INSERT INTO app.child VALUES (1); "
                    "UPDATE app.child SET id = 2; DELETE FROM app.quick")
    with pytest.raises(AssertionError, match="there is no app.wrong"):
        rights.source(world.postgresql, world.src_db, READER,
                      [("app", "wrong", None)])
