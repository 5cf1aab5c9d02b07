"""The scripts etc/least-privilege-*.sql, run as they are: the daemon works with
what they grant, and the logins can do nothing else."""
import glob
import json
import os
import re

import pytds
import pytest

from support import dataflow

LOGIN_PASS = "Least-pass-7"
ROWS = 3000


def script(name):
    with open(os.path.join(dataflow.TOP, "etc", f"least-privilege-{name}.sql"),
              encoding="utf-8") as file:
        return file.read()


def replace(text, pattern, by):
    """What a DBA edits, which has to be there just once."""
    edited, count = re.subn(pattern, lambda _: by, text, flags=re.M | re.S)
    assert count == 1, pattern
    return edited


def edit(name, database, login, tables=None, **switches):
    text = script(name)
    top, rest = text.split("-- nothing to change below", 1)
    top = replace(top, r"^USE \[\w+\];", f"USE [{database}];")
    top = replace(top, r"@login sysname = N'\w+';",
                  f"@login sysname = N'{login}';")
    top = replace(top, r"(?<=@password NVARCHAR\(128\) = N')(?=';)",
                  LOGIN_PASS)
    if tables:
        top = replace(top, r"(?<=^VALUES\n).*?(?=;\n)", ",\n".join(tables))
    for switch, value in switches.items():
        top = replace(top, rf"(?<=@{switch} BIT = )\d", str(value))
    return top + "-- nothing to change below" + rest


def run_script(server, text):
    """As sqlcmd would: one session, a batch up to each GO."""
    with server.connect() as connection, connection.cursor() as cursor:
        for batch in re.split(r"^GO$", text, flags=re.M):
            if batch.strip():
                cursor.execute(batch)
                while cursor.nextset():  # an error may come later
                    pass


class Poor:
    """A world whose daemon has two logins of the scripts."""

    def __init__(self, world):
        self.world = world
        self.reader = f"reader_{world.src_db}"
        self.writer = f"writer_{world.dst_db}"
        self.tables = ["(N'dbo', N'orders', N'flag')",
                       "(N'dbo', N'big', NULL)",
                       "(N'dbo', N'tracked', NULL)"]
        self.targets = ["(N'dbo', NULL)"]

    def make_tables(self):
        world = self.world
        world.on_source("CREATE TABLE orders (id INT IDENTITY NOT NULL PRIMARY "
                        "KEY, v NVARCHAR(20) NULL, flag BIT NOT NULL DEFAULT 0)")
        world.on_source("CREATE TABLE big (id INT NOT NULL PRIMARY KEY, "
                        "v VARCHAR(20) NULL)")
        world.on_source("CREATE TYPE word FROM NVARCHAR(20)")
        world.on_source("CREATE TABLE tracked (id INT NOT NULL PRIMARY KEY, "
                        "v word NULL)")
        world.on_source("CREATE TABLE secrets (id INT NOT NULL PRIMARY KEY, "
                        "v INT NULL)")
        world.on_source("INSERT INTO orders (v) VALUES (N'a'), (N'b'), (N'c'); "
                        "INSERT INTO tracked VALUES (1, N'a'), (2, N'b'); "
                        "INSERT INTO secrets VALUES (1, 1)")
        world.on_source(
            "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE "
            f"i < {ROWS}) INSERT INTO big SELECT i, CONCAT('value ', i) FROM n "
            "OPTION (MAXRECURSION 0)")
        world.on_dest("CREATE TABLE orders (id INT IDENTITY NOT NULL PRIMARY "
                      "KEY, v NVARCHAR(20) NULL, flag BIT NOT NULL)")
        world.on_dest("EXEC(N'CREATE SCHEMA hr')")
        world.on_dest("CREATE TABLE hr.salaries (id INT NOT NULL PRIMARY KEY)")
        world.on_dest("INSERT INTO hr.salaries VALUES (1)")
        world.on_source("EXEC sys.sp_cdc_enable_db")
        for table in ("orders", "big", "secrets"):
            world.on_source(
                "EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', "
                f"@source_name = N'{table}', @role_name = N'gate'")
        world.enable_tracking("tracked")

    def grant(self, **switches):
        """Both times that a script is run it has to do the same."""
        world = self.world
        for _ in range(2):
            run_script(world.source, edit("source", world.src_db, self.reader,
                                          self.tables))
            run_script(world.dest, edit("destination", world.dst_db,
                                        self.writer, self.targets, **switches))
            run_script(world.dest, edit("control", world.control_db,
                                        self.writer))

    def map_tables(self):
        world = self.world
        string = (f"server={world.source.address};user id={self.reader};"
                  f"password={LOGIN_PASS};encrypt=disable")
        world.control("UPDATE source_servers SET connection_string = "
                      f"N'{string}'")
        self.orders = world.add_mapping("orders",
                                        full_sync_trigger_column="flag")
        self.big = world.add_mapping("big")
        self.tracked = world.add_mapping("tracked",
                                         change_source="change_tracking")

    def environment(self):
        return {"DEST_USER": self.writer, "DEST_PASS": LOGIN_PASS}

    def start(self):
        return self.world.start(**self.environment())

    def check(self):
        done = dataflow.run("check", "--json", env=self.world.environment(
            **self.environment()), timeout=120)
        return json.loads(done.stdout)

    def order(self, mapping, kind, **columns):
        """A request, and its answer."""
        world = self.world
        values = {"mapping_id": mapping, "request_type": f"N'{kind}'", **columns}
        world.control(f"INSERT INTO sync_requests ({', '.join(values)}) "
                      f"VALUES ({', '.join(map(str, values.values()))})")
        return dataflow.wait_for(lambda: world.control(
            "SELECT state, answer FROM sync_requests WHERE completed_at IS NOT "
            "NULL AND request_id = (SELECT MAX(request_id) FROM "
            "sync_requests)"), 60)[0]

    def connect(self, server, login, database):
        return pytds.connect(
            server.address.split(",")[0], database=database, user=login,
            password=LOGIN_PASS, port=int(server.address.split(",")[1]),
            autocommit=True, disable_connect_retry=True)

    def refused(self, server, login, database, sql):
        """The number of the error that a statement gets."""
        with self.connect(server, login, database) as connection, \
                connection.cursor() as cursor:
            with pytest.raises(pytds.Error) as caught:
                cursor.execute(sql)
                cursor.fetchall()
            return caught.value.msg_no



@pytest.fixture
def poor(world):
    poor = Poor(world)
    poor.make_tables()
    return poor


def wait_consistent(world, count):
    dataflow.wait_for(lambda: world.control(
        "SELECT COUNT(*) FROM mapping_state WHERE is_consistent = 1")[0][0]
        >= count, 60, what="a consistent copy")


def full_syncs(world, mapping):
    return world.control(
        "SELECT COUNT(*) FROM sync_status WHERE sync_type = 'FULL_SYNC' AND "
        f"status = 'COMPLETED' AND mapping_id = {mapping}")[0][0]


def all_equal(world):
    for table in ("orders", "big", "tracked"):
        world.wait_equal(table)


def change(world, start):
    """Inserts, updates and deletes in each table."""
    world.on_source(f"INSERT INTO orders (v) VALUES (N'n{start}'), (NULL); "
                    f"UPDATE orders SET v = N'u{start}' WHERE id = 1; "
                    "DELETE FROM orders WHERE id = (SELECT MAX(id) FROM orders)")
    world.on_source(f"INSERT INTO big VALUES ({start}, 'new'); UPDATE big SET "
                    f"v = 'u{start}' WHERE id < 20; DELETE FROM big WHERE id = "
                    f"{start} / 10")
    world.on_source(f"INSERT INTO tracked VALUES ({start}, N'new'); UPDATE "
                    f"tracked SET v = N'u{start}' WHERE id = 1; DELETE FROM "
                    f"tracked WHERE id = 2")


def trigger(world, mapping, count):
    world.on_source("UPDATE orders SET flag = 1 WHERE id = 1")
    dataflow.wait_for(lambda: full_syncs(world, mapping) >= count, 60,
                      what="the full sync that was asked for")
    dataflow.wait_for(lambda: world.on_source(
        "SELECT COUNT(*) FROM orders WHERE flag = 1") == [(0,)],
        what="the reset of the trigger column")


def test_the_whole_replication(poor):
    world = poor.world
    world.config(load_part_rows=1000, load_readers=3)
    poor.grant()
    poor.map_tables()
    daemon = poor.start()
    all_equal(world)
    dataflow.wait_for(lambda: world.control(
        "SELECT 1 FROM sync_logs WHERE log_message LIKE "
        "N'%loading in % parts'"), what="a load in parts")
    change(world, 10000)
    all_equal(world)
    trigger(world, poor.orders, 2)
    world.config(full_sync_mode="truncate")
    trigger(world, poor.orders, 3)
    all_equal(world)
    wait_consistent(world, 3)
    # Damage in the destination is found, and mended.
    world.on_dest("UPDATE big SET v = 'x' WHERE id = 700; "
                  "DELETE FROM tracked WHERE id = 1")
    assert poor.order(poor.big, "VERIFY", scope="N'WHOLE'")[0] == "COMPLETED"
    assert poor.order(poor.big, "REPAIR", scope="N'WHOLE'")[0] == "COMPLETED"
    assert poor.order(poor.tracked, "RESYNC", where_condition="N'id = 1'")[0] \
        == "COMPLETED"
    all_equal(world)
    assert poor.order(poor.tracked, "VERIFY")[0] == "COMPLETED"
    daemon.stop()
    change(world, 20000)
    daemon = poor.start()
    all_equal(world)
    for kind in ("PAUSE", "RESUME"):
        assert poor.order(poor.orders, kind)[0] == "COMPLETED"
    dataflow.wait_for(lambda: not world.errors(), what="the end of the "
                      f"verification's error: {world.errors()}")
    assert not [f for f in poor.check() if f["level"] == "FAIL"]
    daemon.stop()
    assert "permission" not in world.log(), world.log()
    assert [e for e in world.errors(resolved=1) if e[0] != "VERIFICATION"] == []
    # It may not see the server's own table of changes, but where that begins.
    world.on_source("ALTER TABLE tracked DISABLE CHANGE_TRACKING; UPDATE "
                    "tracked SET v = N'unseen'; ALTER TABLE tracked ENABLE "
                    "CHANGE_TRACKING")
    daemon.start()
    all_equal(world)


def test_what_the_daemon_makes_by_itself(poor):
    """A destination schema, a table in it, and one in a schema that is there."""
    world = poor.world
    poor.grant(may_create_schemas=1)
    poor.map_tables()
    world.add_mapping("big", "copy", dest_schema="made")
    daemon = poor.start()
    all_equal(world)
    world.wait_equal("big", "made.copy")
    change(world, 10000)
    all_equal(world)
    world.wait_equal("big", "made.copy")
    assert world.errors() == [] == world.errors(resolved=1)
    daemon.stop()


def test_without_alter(poor):
    """Loads apply what differs, in tables without an identity. The login is
    not shown what their checks and filters say."""
    world = poor.world
    world.on_dest("DROP TABLE orders; CREATE TABLE orders (id INT NOT NULL "
                  "PRIMARY KEY, v NVARCHAR(20) NULL, flag BIT NOT NULL, "
                  "CHECK (id > 0)); CREATE UNIQUE INDEX flagged ON orders "
                  "(flag) WHERE v = N'none'; "
                  "CREATE TABLE big (id INT NOT NULL PRIMARY KEY, "
                  "v VARCHAR(20) NULL); CREATE TABLE tracked (id INT NOT NULL "
                  "PRIMARY KEY, v NVARCHAR(20) NULL)")
    poor.targets = [f"(N'dbo', N'{t}')" for t in ("orders", "big", "tracked")]
    poor.grant(may_alter=0)
    poor.map_tables()
    daemon = poor.start()
    all_equal(world)
    change(world, 10000)
    all_equal(world)
    trigger(world, poor.orders, 2)
    world.config(full_sync_mode="truncate")
    trigger(world, poor.orders, 3)
    all_equal(world)
    assert world.errors() == []
    findings = [f for f in poor.check() if f["check"] == "rights"]
    assert not [f for f in findings if f["level"] == "FAIL"]
    assert len([f for f in findings if "without ALTER" in f["finding"]]) == 3
    daemon.stop()


@pytest.mark.parametrize("unmask", ["script", "UNMASK ON dbo.big",
                                    "UNMASK ON dbo.big (v)"])
def test_masked_columns_are_not_copied(poor, unmask):
    """The mask would be taken for the value."""
    world = poor.world
    world.on_source("ALTER TABLE big ALTER COLUMN v ADD MASKED WITH "
                    "(FUNCTION = 'default()')")
    poor.grant()
    poor.map_tables()
    poor.start()
    dataflow.wait_for(lambda: world.errors(poor.big))
    kind, message, _ = world.errors(poor.big)[0]
    assert kind == "SCHEMA" and "'v'" in message and "UNMASK" in message
    assert not world.has_table("big")
    assert [f for f in poor.check() if f["level"] == "FAIL" and
            "GRANT UNMASK" in json.dumps(f)]
    if unmask == "script":
        run_script(world.source, edit("source", world.src_db, poor.reader,
                                      poor.tables, unmask=1))
    else:
        world.on_source(f"GRANT {unmask} TO {poor.reader}")
    world.wait_equal("big")
    dataflow.wait_for(lambda: not world.errors())


# --------------------------------------------------- what they cannot do

# A statement, and the numbers that say no.
SOURCE_REFUSES = {
    "insert": ("INSERT INTO orders (v) VALUES (N'x')", {229}),
    "delete": ("DELETE FROM orders", {229}),
    "update another column": ("UPDATE orders SET v = N'x'", {230}),
    "update both": ("UPDATE orders SET flag = 0, v = N'x'", {230}),
    "update a table without trigger column": ("UPDATE big SET v = 'x'", {229}),
    "truncate": ("TRUNCATE TABLE tracked", {1088, 4701}),
    "alter": ("ALTER TABLE orders ADD x INT", {1088, 4902}),
    "disable tracking": ("ALTER TABLE tracked DISABLE CHANGE_TRACKING",
                         {1088, 4902}),
    "index": ("CREATE INDEX i ON orders (v)", {1088}),
    "trigger": ("CREATE TRIGGER tr ON orders AFTER INSERT AS RETURN", {8197}),
    "drop": ("DROP TABLE orders", {3701}),
    "rename": ("EXEC sp_rename N'dbo.orders', N'x'", {15225, 15247, 15248}),
    "switch": ("ALTER TABLE orders SWITCH TO big", {1088, 4902}),
    "identity": ("SET IDENTITY_INSERT orders ON", {1088}),
    "make a table": ("CREATE TABLE x (i INT)", {262}),
    "select into": ("SELECT * INTO x FROM orders", {262}),
    "make a view": ("CREATE VIEW x AS SELECT 1 AS a", {262}),
    "make a procedure": ("CREATE PROCEDURE x AS SELECT 1 AS a", {262}),
    "make a schema": ("CREATE SCHEMA x", {262, 2759}),
    "other tables": ("SELECT * FROM secrets", {229}),
    "their changes": ("SELECT * FROM cdc.dbo_secrets_CT", {229}),
    "write changes": ("DELETE FROM cdc.dbo_orders_CT", {229}),
    "write the map of times": ("UPDATE cdc.lsn_time_mapping SET tran_id = 0x01",
                               {229}),
    "write the instances": ("DELETE FROM cdc.change_tables", {229}),
    "stop capture of a table": (
        "EXEC sys.sp_cdc_disable_table N'dbo', N'orders', N'all'",
        {22904, 229}),
    "stop capture": ("EXEC sys.sp_cdc_disable_db", {22902, 22904, 229}),
    "capture more": ("EXEC sys.sp_cdc_enable_table N'dbo', N'tracked', "
                     "@role_name = NULL", {22904, 229}),
    "clean up": ("EXEC sys.sp_cdc_cleanup_change_table N'dbo_orders', NULL",
                 {22904, 229, 22950}),
    "grant itself": ("GRANT INSERT ON orders TO {me}", {15151, 15247, 4613}),
    "grant itself a schema": ("GRANT CONTROL ON SCHEMA::dbo TO {me}",
                              {15151, 15247}),
    "grant its role": ("GRANT UPDATE ON orders TO dataflow_source",
                       {15151, 15247, 4613}),
    "join db_owner": ("ALTER ROLE db_owner ADD MEMBER {me}", {15151, 15247}),
    "join sysadmin": ("ALTER SERVER ROLE sysadmin ADD MEMBER {me}",
                      {15151, 15247}),
    "be dbo": ("EXECUTE AS USER = N'dbo'", {15517, 15406}),
    "be sa": ("EXECUTE AS LOGIN = N'sa'", {15406}),
    "make a user": ("CREATE USER x WITHOUT LOGIN", {15247}),
    "make a login": ("CREATE LOGIN x WITH PASSWORD = N'Pass-word-1'", {15247}),
    "own": ("ALTER AUTHORIZATION ON SCHEMA::dbo TO {me}", {15151}),
    "alter the database": ("ALTER DATABASE {db} SET READ_ONLY", {5011}),
    "another database": ("SELECT * FROM {other}.dbo.t", {916}),
    "use another database": ("USE {other}", {916}),
}


@pytest.fixture(scope="module")
def limited(make_world):
    """For statements that change nothing, because they are refused."""
    poor = Poor(make_world())
    poor.make_tables()
    poor.grant()
    for server in (poor.world.source, poor.world.dest):
        if not server.query("SELECT 1 FROM sys.databases WHERE name = "
                            f"N'other_{poor.world.src_db}'"):
            server.query(f"CREATE DATABASE other_{poor.world.src_db}")
    return poor


@pytest.mark.parametrize("what", SOURCE_REFUSES)
def test_the_source_login_cannot(limited, what):
    sql, numbers = SOURCE_REFUSES[what]
    world = limited.world
    before = world.on_source("SELECT * FROM orders ORDER BY id")
    sql = sql.format(me=limited.reader, db=world.src_db,
                     other=f"other_{world.src_db}")
    assert limited.refused(world.source, limited.reader, world.src_db, sql) \
        in numbers
    assert world.on_source("SELECT * FROM orders ORDER BY id") == before


def test_the_source_login_resets_the_trigger_column(limited):
    world = limited.world
    world.on_source("UPDATE orders SET flag = 1 WHERE id = 1")
    with limited.connect(world.source, limited.reader, world.src_db) as conn, \
            conn.cursor() as cursor:
        cursor.execute("UPDATE orders SET flag = 0 WHERE flag = 1")
    assert world.on_source("SELECT COUNT(*) FROM orders WHERE flag = 1") == \
        [(0,)]


DEST_REFUSES = {
    "read other schemas": ("SELECT * FROM hr.salaries", {229}),
    "insert there": ("INSERT INTO hr.salaries VALUES (2)", {229}),
    "delete there": ("DELETE FROM hr.salaries", {229}),
    "truncate there": ("TRUNCATE TABLE hr.salaries", {1088, 4701}),
    "drop there": ("DROP TABLE hr.salaries", {3701}),
    "alter there": ("ALTER TABLE hr.salaries ADD x INT", {1088, 4902}),
    "make tables there": ("CREATE TABLE hr.x (i INT)", {2760}),
    "make a schema": ("CREATE SCHEMA x", {262, 2759}),
    "make a view": ("CREATE VIEW dbo.x AS SELECT 1 AS a", {262}),
    "make a procedure": ("CREATE PROCEDURE dbo.x AS SELECT 1 AS a", {262}),
    "grant itself": ("GRANT SELECT ON hr.salaries TO {me}", {15151, 15247}),
    "join db_owner": ("ALTER ROLE db_owner ADD MEMBER {me}", {15151, 15247}),
    "be dbo": ("EXECUTE AS USER = N'dbo'", {15517, 15406}),
    "alter the database": ("ALTER DATABASE {db} SET READ_ONLY", {5011}),
    "another database": ("SELECT * FROM {other}.dbo.t", {916}),
    "make a database": ("CREATE DATABASE x", {262}),
    "take a schema": ("ALTER AUTHORIZATION ON SCHEMA::hr TO {me}", {15151}),
    "move a table": ("ALTER SCHEMA dbo TRANSFER hr.salaries", {15151}),
}


@pytest.mark.parametrize("what", DEST_REFUSES)
def test_the_destination_login_cannot(limited, what):
    sql, numbers = DEST_REFUSES[what]
    world = limited.world
    sql = sql.format(me=limited.writer, db=world.dst_db,
                     other=f"other_{world.src_db}")
    assert limited.refused(world.dest, limited.writer, world.dst_db, sql) \
        in numbers
    assert world.on_dest("SELECT * FROM hr.salaries") == [(1,)]


def test_its_own_schema_lends_no_rights(limited):
    """A trigger in dataflow runs as the role, not as dbo."""
    world = limited.world
    with limited.connect(world.dest, limited.writer, world.dst_db) as conn, \
            conn.cursor() as cursor:
        cursor.execute("CREATE TABLE dataflow.lever (i INT)")
        cursor.execute("CREATE TRIGGER dataflow.pull ON dataflow.lever AFTER "
                       "INSERT AS DELETE FROM hr.salaries")
        with pytest.raises(pytds.Error, match="DELETE permission was denied"):
            cursor.execute("INSERT INTO dataflow.lever VALUES (1)")
        cursor.execute("DROP TABLE dataflow.lever")
    assert world.on_dest("SELECT * FROM hr.salaries") == [(1,)]


CONTROL_REFUSES = {
    "settings": ("UPDATE config SET config_value = N'0'", {229}),
    "connection strings": ("UPDATE source_servers SET connection_string = N''",
                           {230}),
    "mappings": ("UPDATE table_mappings SET dest_table = N'x'", {230}),
    "new mappings": ("INSERT INTO table_mappings (server_id, source_database, "
                     "source_table, dest_database, dest_table) VALUES "
                     "(1, N'a', N'b', N'c', N'd')", {229}),
    "channels": ("UPDATE notification_channels SET is_enabled = 0", {230}),
    "tables": ("DROP TABLE sync_logs", {3701}),
    "more tables": ("CREATE TABLE x (i INT)", {262}),
}


@pytest.mark.parametrize("what", CONTROL_REFUSES)
def test_the_daemon_cannot_change_what_people_write(limited, what):
    sql, numbers = CONTROL_REFUSES[what]
    assert limited.refused(limited.world.dest, limited.writer,
                           limited.world.control_db, sql) in numbers


def test_the_control_script_grants_what_the_statements_need(limited):
    """Nothing is missing, and nothing is superfluous."""
    needed = set()
    for path in glob.glob(f"{dataflow.TOP}/src/control/sql/*.sql"):
        with open(path, encoding="utf-8") as file:
            sql = re.sub(r"--.*", "", file.read())
        for verb, table in re.findall(r"^(INSERT|DELETE)\s+\w+ (\w+)", sql,
                                      re.M):
            needed.add((verb, table, None))
        for table in re.findall(r"(?:FROM|JOIN) (\w+)", sql):
            needed.add(("SELECT", table, None))
        for table, sets in re.findall(r"^UPDATE (\w+)\s+SET(.*?)WHERE", sql,
                                      re.M | re.S):
            needed.add(("SELECT", table, None))
            needed |= {("UPDATE", table, column) for column in re.findall(
                r"(?:^\s*|,\s*|SET )(\w+) = ", "SET" + sets, re.M)}
    granted = set(limited.world.control(
        "SELECT p.permission_name, OBJECT_NAME(p.major_id), "
        "COL_NAME(p.major_id, NULLIF(p.minor_id, 0)) "
        "FROM sys.database_permissions AS p WHERE p.grantee_principal_id = "
        "DATABASE_PRINCIPAL_ID(N'dataflow_control')"))
    whole = {table for verb, table, column in granted
             if verb == "UPDATE" and not column}
    needed = {(verb, table, None if table in whole else column)
              for verb, table, column in needed}
    assert needed == granted


# ----------------------------------------------------- each grant in turn

# What is revoked on the source, what the daemon then says, and what makes it
# look. The first error row has to name the right, or the object it lacks.
ON_SOURCE = {
    "SELECT ON OBJECT::dbo.orders": ("orders", "FULL_SYNC", "SELECT"),
    "UPDATE (flag) ON OBJECT::dbo.orders": ("orders", "trigger", "UPDATE"),
    "SELECT ON OBJECT::cdc.change_tables": ("orders", "FULL_SYNC",
                                            "change_tables"),
    "SELECT ON OBJECT::cdc.captured_columns": ("orders", "change",
                                               "captured_columns"),
    "SELECT ON OBJECT::cdc.lsn_time_mapping": ("orders", "change",
                                               "lsn_time_mapping"),
    "SELECT ON OBJECT::cdc.dbo_orders_CT": ("orders", "change",
                                            "dbo_orders_CT"),
    "VIEW CHANGE TRACKING ON OBJECT::dbo.tracked": ("tracked", "change",
                                                    "VIEW CHANGE TRACKING"),
}


def provoke(poor, table, how):
    world, mapping = poor.world, getattr(poor, table)
    if how == "trigger":
        world.on_source("UPDATE orders SET flag = 1 WHERE id = 1")
    elif how == "change":
        world.on_source(f"UPDATE {table} SET v = NEWID() WHERE id = 1"
                        .replace("NEWID()", "LEFT(NEWID(), 20)"))
    elif how == "insert":
        world.on_source("INSERT INTO orders (v) VALUES (N'x')")
    elif how == "delete":
        world.on_source("DELETE FROM orders WHERE v = N'x'")
    else:
        world.request(mapping, how)


def wait_error(poor, table, text):
    world, mapping = poor.world, getattr(poor, table)
    return dataflow.wait_for(
        lambda: [e for e in world.errors(mapping) if text in e[1]], 30,
        what=f"an error about {text}, instead of {world.errors()}")


@pytest.fixture
def running(poor):
    # A verification that falls into a moment without a right tells an error
    # that stands until the next one.
    poor.world.config(max_retry_attempts=1, retry_delay_seconds=1,
                      verification_interval_minutes=0)
    poor.grant()
    poor.map_tables()
    daemon = poor.start()
    all_equal(poor.world)
    wait_consistent(poor.world, 3)
    yield poor
    daemon.stop()


def test_each_grant_of_the_source_is_needed(running):
    world = running.world
    for grant, (table, how, text) in ON_SOURCE.items():
        world.on_source(f"REVOKE {grant} FROM dataflow_source")
        provoke(running, table, how)
        wait_error(running, table, text)
        assert [f for f in running.check() if f["level"] == "FAIL" and
                text.lower() in (f["finding"] + f["remedy"]).lower()], grant
        world.on_source(f"GRANT {grant} TO dataflow_source")
        dataflow.wait_for(lambda: not world.errors(), 60,
                          what=f"the end of the error about {grant}")
        all_equal(world)
    listed = {f"{verb} ON OBJECT::{schema}.{name}" for verb, schema, name in
              world.on_source(
        "SELECT CONCAT(p.permission_name, ' (' + COL_NAME(p.major_id, NULLIF("
        "p.minor_id, 0)) + ')'), OBJECT_SCHEMA_NAME(p.major_id), "
        "OBJECT_NAME(p.major_id) FROM sys.database_permissions AS p "
        "WHERE p.class = 1 AND p.grantee_principal_id = "
        "DATABASE_PRINCIPAL_ID(N'dataflow_source')")}
    alike = {"SELECT ON OBJECT::dbo.big", "SELECT ON OBJECT::dbo.tracked",
             "SELECT ON OBJECT::cdc.dbo_big_CT"}
    later = {"SELECT ON OBJECT::cdc.ddl_history"}  # see the next test
    assert listed == set(ON_SOURCE) | alike | later


def test_a_gating_role_is_needed(running):
    world = running.world
    world.on_source(f"ALTER ROLE gate DROP MEMBER {running.reader}")
    error = wait_error(running, "orders", "gating role")[0]
    assert "least-privilege-source.sql" in error[1]
    assert [f for f in running.check() if f["level"] == "FAIL" and
            "gating role" in f["remedy"]]
    world.on_source(f"ALTER ROLE gate ADD MEMBER {running.reader}")
    dataflow.wait_for(lambda: not world.errors(), 60)


def test_a_second_capture_instance(running):
    """Nobody may read it until the script has run again; to see when its column
    came, the daemon needs ddl_history."""
    world = running.world
    running.order(running.orders, "PAUSE")
    world.on_source("UPDATE orders SET v = N'before' WHERE id = 1")
    world.on_source("ALTER TABLE orders ADD w INT NULL")
    world.on_dest("ALTER TABLE orders ADD w INT NULL")
    world.on_source("EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', "
                    "@source_name = N'orders', @capture_instance = "
                    "N'dbo_orders_2', @role_name = N'gate'")
    world.on_source("UPDATE orders SET w = 5 WHERE id = 1")
    world.on_source("REVOKE SELECT ON OBJECT::cdc.ddl_history FROM "
                    "dataflow_source")
    world.control("UPDATE table_mappings SET is_paused = 0")
    wait_error(running, "orders", "ddl_history")
    assert [f for f in running.check() if f["level"] == "FAIL" and
            "ddl_history" in f["finding"]]
    world.on_source("GRANT SELECT ON OBJECT::cdc.ddl_history TO "
                    "dataflow_source")
    wait_error(running, "orders", "dbo_orders_2_CT")
    assert [f for f in running.check() if f["level"] == "FAIL" and
            "dbo_orders_2_CT" in f["finding"] and
            "least-privilege-source.sql" in f["remedy"]]
    running.grant()
    dataflow.wait_for(lambda: not world.errors(), 60)
    all_equal(world)


def test_what_is_optional_on_the_source(running):
    world = running.world
    assert not [f for f in running.check() if f["level"] != "OK" and
                f["check"] in ("agent", "retention")]
    world.on_source("REVOKE VIEW DATABASE STATE FROM dataflow_source")
    world.source.query(f"REVOKE SELECT ON dbo.cdc_jobs FROM {running.reader}",
                       "msdb")
    warned = {f["check"]: f["remedy"] for f in running.check()
              if f["level"] == "WARN"}
    assert "VIEW DATABASE STATE" in warned["agent"]
    assert "cdc_jobs" in warned["retention"]
    change(world, 10000)
    all_equal(world)
    assert world.errors() == []


ON_DEST = {
    "SELECT ON SCHEMA::dbo": ("change", "SELECT"),
    "INSERT ON SCHEMA::dbo": ("insert", "INSERT"),
    "UPDATE ON SCHEMA::dbo": ("change", "UPDATE"),
    "DELETE ON SCHEMA::dbo": ("delete", "DELETE"),
    "ALTER ON SCHEMA::dbo": ("FULL_SYNC", "do not have permissions"),
    "CREATE TABLE": ("FULL_SYNC", "CREATE TABLE"),
}


def test_each_grant_of_the_destination_is_needed(running):
    world = running.world
    for grant, (how, text) in ON_DEST.items():
        world.on_dest(f"REVOKE {grant} FROM dataflow_destination")
        provoke(running, "orders", how)
        wait_error(running, "orders", text)
        missing = grant.split(" ON ")[0]
        assert [f for f in running.check() if f["level"] == "FAIL" and
                missing in f["remedy"] and
                "least-privilege-destination.sql" in f["remedy"]], grant
        world.on_dest(f"GRANT {grant} TO dataflow_destination")
        dataflow.wait_for(lambda: not world.errors(), 60,
                          what=f"the end of the error about {grant}")
        all_equal(world)
    listed = {f"{verb}{on}" for verb, on in world.on_dest(
        "SELECT p.permission_name, COALESCE(N' ON SCHEMA::' + CASE p.class "
        "WHEN 3 THEN SCHEMA_NAME(p.major_id) END, N'') "
        "FROM sys.database_permissions AS p WHERE p.grantee_principal_id = "
        "DATABASE_PRINCIPAL_ID(N'dataflow_destination')")}
    assert listed == set(ON_DEST)


def test_a_schema_that_the_daemon_may_not_make(running):
    world = running.world
    mapping = world.add_mapping("big", "copy", dest_schema="made")
    dataflow.wait_for(lambda: [e for e in world.errors(mapping)
                               if "CREATE SCHEMA" in e[1]], 30)
    run_script(world.dest, edit("destination", world.dst_db, running.writer,
                                running.targets, may_create_schemas=1))
    world.wait_equal("big", "made.copy")
    dataflow.wait_for(lambda: not world.errors(), 60)


# ------------------------------------------------------------- the scripts

def test_a_script_says_what_is_wrong(bare_world):
    world = bare_world
    with pytest.raises(pytds.Error, match="there is no table"):
        run_script(world.source, edit("source", world.src_db, "nobody_new",
                                      ["(N'dbo', N'nothing', NULL)"]))
    with pytest.raises(pytds.Error, match="there is no schema or table"):
        run_script(world.dest, edit("destination", world.dst_db, "nobody_new",
                                    ["(N'nothing', NULL)"]))
    with pytest.raises(pytds.Error, match="no control tables"):
        run_script(world.dest, edit("control", world.dst_db, "nobody_new"))
    without = edit("destination", world.dst_db, "nobody_new",
                   ["(N'dbo', NULL)"]).replace(LOGIN_PASS, "")
    with pytest.raises(pytds.Error, match="set @password"):
        run_script(world.dest, without)
    assert world.dest.query("SELECT SUSER_ID(N'nobody_new')") == [(None,)]


def test_whole_schemas_of_the_source(poor):
    """Tables to come as well; capture of them takes another run."""
    world = poor.world
    poor.tables = ["(N'dbo', NULL, NULL)"]
    poor.grant()
    world.on_source("CREATE TABLE later (id INT NOT NULL PRIMARY KEY)")
    with poor.connect(world.source, poor.reader, world.src_db) as connection, \
            connection.cursor() as cursor:
        for table in ("orders", "later", "cdc.dbo_secrets_CT"):
            cursor.execute(f"SELECT COUNT(*) FROM {table}")
    world.enable_cdc("later")
    read = "SELECT COUNT(*) FROM cdc.dbo_later_CT"
    assert poor.refused(world.source, poor.reader, world.src_db, read) == 229
    poor.grant()
    with poor.connect(world.source, poor.reader, world.src_db) as connection, \
            connection.cursor() as cursor:
        cursor.execute(read)
