"""Permissions of logins: 229, 916 and their like."""
import pytest

from clients import Client


@pytest.fixture
def low(server, db, database, name):
    """A login with a user and nothing granted: (administrator, its client)."""
    db.run(f"CREATE LOGIN l_{name} WITH PASSWORD = 'Low-pass-1', CHECK_POLICY ="
           f" OFF; CREATE USER l_{name} FOR LOGIN l_{name}; "
           f"CREATE TABLE {name} (id int PRIMARY KEY, v int); "
           f"INSERT {name} VALUES (1, 1)")
    with Client(server, database, user=f"l_{name}",
                password="Low-pass-1") as client:
        yield db, client, f"l_{name}", name
    db.run(f"DROP USER l_{name}; DROP LOGIN l_{name}")


@pytest.mark.parametrize("sql, verb", [
    ("SELECT * FROM {t}", "SELECT"), ("INSERT {t} VALUES (2, 2)", "INSERT"),
    ("UPDATE {t} SET v = 2", "UPDATE"), ("DELETE {t}", "DELETE")])
def test_229_until_granted(low, sql, verb):
    db, client, user, t = low
    error = client.fails(sql.format(t=t))
    assert error.number == 229 and error.severity == 14
    assert error.text == (
        f"The {verb} permission was denied on the object '{t}', database "
        f"'{client.database}', schema 'dbo'.")
    db.run(f"GRANT SELECT, {verb} ON dbo.{t} TO {user}")
    client.run(sql.format(t=t))
    db.run(f"REVOKE {verb} ON dbo.{t} FROM {user}")
    assert client.number(sql.format(t=t)) == 229


def test_deny_wins(low):
    db, client, user, t = low
    db.run(f"GRANT SELECT ON SCHEMA::dbo TO {user}")
    assert client.value(f"SELECT COUNT(*) FROM {t}") == 1
    db.run(f"DENY SELECT ON {t} TO {user}")
    assert client.number(f"SELECT COUNT(*) FROM {t}") == 229
    db.run(f"REVOKE SELECT ON {t} FROM {user}")
    assert client.value(f"SELECT COUNT(*) FROM {t}") == 1


def test_fixed_roles(low):
    db, client, user, t = low
    db.run(f"ALTER ROLE db_datareader ADD MEMBER {user}")
    assert client.value(f"SELECT COUNT(*) FROM {t}") == 1
    assert client.number(f"DELETE {t}") == 229
    db.run(f"ALTER ROLE db_datawriter ADD MEMBER {user}")
    client.run(f"DELETE {t}")
    assert client.number(f"TRUNCATE TABLE {t}") in (1088, 4701, 229)
    assert client.number(f"DROP TABLE {t}") in (3701, 229)
    assert client.number("CREATE TABLE nope1 (a int)") == 262
    db.run(f"ALTER ROLE db_owner ADD MEMBER {user}")
    client.run(f"TRUNCATE TABLE {t}; CREATE TABLE {t}_own (a int); DROP TABLE "
               f"{t}_own")
    for role in ("db_owner", "db_datawriter", "db_datareader"):
        db.run(f"ALTER ROLE {role} DROP MEMBER {user}")
    assert client.number(f"SELECT * FROM {t}") == 229


def test_own_roles(low):
    db, client, user, t = low
    db.run(f"CREATE ROLE r_{t}; GRANT SELECT ON {t} TO r_{t}; ALTER ROLE r_{t} "
           f"ADD MEMBER {user}")
    assert client.value(f"SELECT COUNT(*) FROM {t}") == 1
    db.run(f"ALTER ROLE r_{t} DROP MEMBER {user}; DROP ROLE r_{t}")
    assert client.number(f"SELECT COUNT(*) FROM {t}") == 229


def test_procedures_lend_their_owners_rights(low):
    db, client, user, t = low
    db.run(f"CREATE PROCEDURE p_{t} AS SELECT COUNT(*) FROM {t}")
    assert client.number(f"EXEC p_{t}") == 229
    db.run(f"GRANT EXECUTE ON p_{t} TO {user}")
    assert client.rows(f"EXEC p_{t}") == [(1,)]


def test_916_and_the_databases_one_may_not_enter(server, db, low, name):
    _, client, _, _ = low
    db.run(f"CREATE DATABASE other_{name}")
    try:
        error = client.fails(f"USE other_{name}")
        assert error.number == 916 and error.severity == 14
        assert client.number(f"SELECT * FROM other_{name}.sys.tables") == 916
    finally:
        db.run(f"DROP DATABASE other_{name}")


def test_server_wide(low, name):
    _, client, user, _ = low
    assert client.number(f"CREATE DATABASE x_{name}") == 262
    assert client.number(f"CREATE LOGIN x_{name} WITH PASSWORD = 'P-word-12'") \
        == 15247
    assert client.number("KILL 1") in (6102, 6106)
    assert client.value("SELECT IS_SRVROLEMEMBER('sysadmin')") == 0
    assert client.value("SELECT SUSER_SNAME()") == user


def test_has_perms_by_name(low):
    db, client, user, t = low
    ask = f"SELECT HAS_PERMS_BY_NAME('dbo.{t}', 'OBJECT', 'SELECT')"
    assert not client.value(ask)  # 0, or NULL for what is not seen
    db.run(f"GRANT SELECT ON {t} TO {user}")
    assert client.value(ask) == 1
    assert db.value(ask) == 1


def test_has_perms_by_quoted_name(low):
    """Names are read as in a statement: quoted or not."""
    db, client, user, _ = low
    for what, kind in (("dbo", "SCHEMA"), ("[dbo]", "SCHEMA"),
                       (client.database, "DATABASE"),
                       (f"[{client.database}]", "DATABASE")):
        ask = f"SELECT HAS_PERMS_BY_NAME('{what}', '{kind}', 'ALTER')"
        assert client.value(ask) == 0 and db.value(ask) == 1
    ask = "SELECT HAS_PERMS_BY_NAME('[no]]thing]', 'SCHEMA', 'ALTER')"
    assert db.value(ask) is None
    db.run("EXEC('CREATE SCHEMA [no]]thing]')")
    assert db.value(ask) == 1
    db.run("DROP SCHEMA [no]]thing]")


def test_state_of_server_and_database(low):
    """What is for those who may see the server's, or a database's, state."""
    db, client, user, _ = low
    for sql in ("SELECT * FROM sys.dm_server_services",
                "SELECT * FROM sys.dm_os_volume_stats(DB_ID(), 1)"):
        assert client.number(sql) in (300, 297)
        assert db.rows(sql)
    scans = "SELECT COUNT(*) FROM sys.dm_cdc_log_scan_sessions"
    assert client.number(scans) in (262, 297)
    db.run(f"GRANT VIEW DATABASE STATE TO {user}")
    assert client.value(scans) == db.value(scans)


def test_execute_as(low):
    db, _, user, t = low
    assert db.value("SELECT USER_NAME()") == "dbo"
    db.run(f"EXECUTE AS USER = '{user}'")
    try:
        assert db.number(f"SELECT * FROM {t}") == 229
    finally:
        db.run("REVERT")
    assert db.value(f"SELECT COUNT(*) FROM {t}") == 1


def test_system_tables_are_read_only(db):
    assert db.number("DELETE sys.objects") == 259


# ------------------------------------------------------------- single columns

def test_update_of_one_column(low):
    db, client, user, t = low
    db.run(f"ALTER TABLE {t} ADD w int; GRANT SELECT ON {t} TO {user}; "
           f"GRANT UPDATE (v) ON {t} TO {user}")
    client.run(f"UPDATE {t} SET v = 5 WHERE id = 1")
    client.run(f"WITH c AS (SELECT TOP (1) v FROM {t} WHERE v = 5) "
               "UPDATE c SET v = 6")
    assert db.value(f"SELECT v FROM {t}") == 6
    for sql, column in ((f"UPDATE {t} SET w = 1", "w"),
                        (f"UPDATE {t} SET v = 1, w = 1", "w"),
                        (f"UPDATE {t} SET id = 2", "id")):
        error = client.fails(sql)
        assert error.number == 230 and error.severity == 14
        assert error.text == (
            f"The UPDATE permission was denied on the column '{column}' of "
            f"the object '{t}', database '{client.database}', schema 'dbo'.")
    assert client.number(f"DELETE {t}") == 229
    ask = f"SELECT HAS_PERMS_BY_NAME('dbo.{t}', 'OBJECT', 'UPDATE'{{}})"
    assert client.value(ask.format("")) == 0
    assert client.value(ask.format(", 'v', 'COLUMN'")) == 1
    assert client.value(ask.format(", 'w', 'COLUMN'")) == 0
    db.run(f"REVOKE UPDATE (v) ON {t} FROM {user}")
    assert client.number(f"UPDATE {t} SET v = 7") == 229
    db.run(f"GRANT UPDATE ON {t} TO {user}; DENY UPDATE (w) ON {t} TO {user}")
    client.run(f"UPDATE {t} SET v = 7")
    assert client.number(f"UPDATE {t} SET w = 7") == 230


# --------------------------------------------------------------------- schemas

def test_making_tables_takes_two_rights(low):
    db, client, user, t = low
    db.run(f"EXEC('CREATE SCHEMA s_{t}')")
    make = f"CREATE TABLE s_{t}.a (x int)"
    assert client.number(make) == 262
    db.run(f"GRANT CREATE TABLE TO {user}")
    error = client.fails(make)
    assert error.number == 2760 and f'"s_{t}"' in error.text
    db.run(f"GRANT ALTER ON SCHEMA::s_{t} TO {user}")
    client.run(make)
    # ALTER on the schema alters and drops what is in it, but reads nothing.
    client.run(f"ALTER TABLE s_{t}.a ADD y int; CREATE INDEX i ON s_{t}.a (x); "
               f"TRUNCATE TABLE s_{t}.a; DROP INDEX i ON s_{t}.a")
    assert client.number(f"SELECT * FROM s_{t}.a") == 229
    client.run(f"DROP TABLE s_{t}.a")
    db.run(f"DROP SCHEMA s_{t}")


def test_altering_takes_alter(low):
    db, client, user, t = low
    db.run(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {t} TO {user}; CREATE "
           f"INDEX i ON {t} (v); CREATE TABLE {t}_2 (id int PRIMARY KEY, v int)"
           f"; CREATE TABLE {t}_i (id int IDENTITY, v int); "
           f"GRANT INSERT ON {t}_i TO {user}")
    alter = [f"ALTER TABLE {t} ADD z int", f"CREATE INDEX j ON {t} (v)",
             f"TRUNCATE TABLE {t}", f"ALTER INDEX i ON {t} REBUILD"]
    for sql in alter + [f"SET IDENTITY_INSERT {t}_i ON"]:
        error = client.fails(sql)
        assert error.number == 1088, (sql, error)
        assert "do not have permissions" in error.text
    for sql in (f"DROP INDEX i ON {t}", f"DROP TABLE {t}"):
        assert client.number(sql) == 3701
    assert client.number(f"EXEC sp_rename 'dbo.{t}', '{t}_x'") == 15225
    assert client.number(f"CREATE TRIGGER tr_{t} ON {t} AFTER INSERT AS "
                         "RETURN") == 8197
    db.run(f"GRANT ALTER ON {t} TO {user}")
    for sql in alter:
        client.run(sql)
    # Both tables of a SWITCH are altered.
    db.run(f"DROP INDEX i ON {t}; DROP INDEX j ON {t}; "
           f"ALTER TABLE {t} DROP COLUMN z")
    assert client.number(f"ALTER TABLE {t} SWITCH TO {t}_2") in (1088, 4902)
    db.run(f"GRANT ALTER ON {t}_2 TO {user}")
    client.run(f"ALTER TABLE {t} SWITCH TO {t}_2")
    # A table's own ALTER is not enough to drop it.
    assert client.number(f"DROP TABLE {t}") == 3701


def test_making_modules(low):
    db, client, user, t = low
    for kind, body in (("VIEW", "AS SELECT 1 AS a"),
                       ("PROCEDURE", "AS SELECT 1 AS a"),
                       ("FUNCTION", "() RETURNS int AS BEGIN RETURN 1 END")):
        error = client.fails(f"CREATE {kind} m_{t} {body}")
        assert error.number == 262 and f"CREATE {kind}" in error.text
    for sql in (f"CREATE TYPE ty_{t} FROM int", f"CREATE SYNONYM sy_{t} FOR x"):
        assert client.number(sql) == 262
    db.run(f"GRANT CREATE VIEW TO {user}; GRANT ALTER ON SCHEMA::dbo TO {user}")
    client.run(f"CREATE VIEW m_{t} AS SELECT 1 AS a")
    db.run(f"DROP VIEW m_{t}; REVOKE ALTER ON SCHEMA::dbo FROM {user}")


def test_who_owns_a_schema_may_do_anything_in_it(low):
    db, client, user, t = low
    make = f"CREATE SCHEMA o_{t}"
    error = client.fails(make)
    assert error.number in (262, 2759)
    db.run(f"GRANT CREATE SCHEMA, CREATE TABLE TO {user}")
    assert client.number(f"{make} AUTHORIZATION dbo") in (15151, 2759)
    client.run(make)
    client.run(f"CREATE TABLE o_{t}.a (x int); INSERT o_{t}.a VALUES (1); "
               f"UPDATE o_{t}.a SET x = 2; SELECT * FROM o_{t}.a; "
               f"TRUNCATE TABLE o_{t}.a; DROP TABLE o_{t}.a")
    assert client.value(f"SELECT HAS_PERMS_BY_NAME('o_{t}', 'SCHEMA', "
                        "'SELECT')") == 1
    owner = ("SELECT USER_NAME(principal_id) FROM sys.schemas "
             f"WHERE name = 'o_{t}'")
    assert db.value(owner) == user
    assert db.number(f"DROP USER {user}") == 15138
    # A role, and those in it.
    db.run(f"CREATE ROLE r_{t}; ALTER AUTHORIZATION ON SCHEMA::o_{t} TO r_{t}")
    assert db.value(owner) == f"r_{t}"
    assert client.number(f"CREATE TABLE o_{t}.a (x int)") == 2760
    db.run(f"ALTER ROLE r_{t} ADD MEMBER {user}")
    client.run(f"CREATE TABLE o_{t}.a (x int); INSERT o_{t}.a VALUES (1)")
    client.run(f"DROP TABLE o_{t}.a; DROP SCHEMA o_{t}")
    db.run(f"EXEC('CREATE SCHEMA o_{t} AUTHORIZATION r_{t}')")
    assert db.value(owner) == f"r_{t}"
    db.run(f"DROP SCHEMA o_{t}; ALTER ROLE r_{t} DROP MEMBER {user}; "
           f"DROP ROLE r_{t}")


def test_change_tracking_takes_a_right_of_its_own(low):
    db, client, user, t = low
    db.run(f"ALTER DATABASE {db.database} SET CHANGE_TRACKING = ON; "
           f"ALTER TABLE {t} ENABLE CHANGE_TRACKING; "
           f"GRANT SELECT ON {t} TO {user}")
    try:
        read = f"SELECT id FROM CHANGETABLE(CHANGES {t}, 0) AS c"
        least = f"SELECT CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID('{t}'))"
        error = client.fails(read)
        assert error.number == 229
        assert "VIEW CHANGE TRACKING permission was denied" in error.text
        assert client.value(least) is None
        db.run(f"GRANT VIEW CHANGE TRACKING ON {t} TO {user}")
        assert client.rows(read) == [] and client.value(least) is not None
    finally:
        db.run(f"ALTER TABLE {t} DISABLE CHANGE_TRACKING; "
               f"ALTER DATABASE {db.database} SET CHANGE_TRACKING = OFF")


def test_ownership_chains_end_at_another_owner(low):
    """A trigger runs with its owner's rights, and with no one else's."""
    db, client, user, t = low
    db.run(f"CREATE ROLE r_{t}; EXEC('CREATE SCHEMA o_{t} AUTHORIZATION r_{t}')"
           f"; ALTER ROLE r_{t} ADD MEMBER {user}; CREATE TABLE o_{t}.a (x int)"
           f"; GRANT CREATE TABLE TO {user}")
    client.run(f"CREATE TRIGGER o_{t}.tr ON o_{t}.a AFTER INSERT AS "
               f"DELETE FROM dbo.{t}")
    assert client.number(f"INSERT o_{t}.a VALUES (1)") == 229
    assert db.value(f"SELECT COUNT(*) FROM {t}") == 1
    db.run(f"ALTER AUTHORIZATION ON SCHEMA::o_{t} TO dbo; "
           f"GRANT INSERT ON o_{t}.a TO {user}")
    client.run(f"INSERT o_{t}.a VALUES (1)")
    assert db.value(f"SELECT COUNT(*) FROM {t}") == 0
    db.run(f"DROP TABLE o_{t}.a; DROP SCHEMA o_{t}; "
           f"ALTER ROLE r_{t} DROP MEMBER {user}; DROP ROLE r_{t}")


def test_what_a_right_on_a_table_does_not_show(low):
    """The types of its columns; and the jobs of change data capture."""
    db, client, user, t = low
    db.run(f"CREATE TYPE ty_{t} FROM nvarchar(9); "
           f"CREATE TABLE {t}_3 (id int, v ty_{t})")
    db.run(f"GRANT SELECT ON {t}_3 TO {user}")
    seen = ("SELECT COUNT(*) FROM sys.columns AS c INNER JOIN sys.types AS y "
            "ON c.user_type_id = y.user_type_id "
            f"WHERE c.object_id = OBJECT_ID('{t}_3')")
    assert client.value(seen) == 1 and db.value(seen) == 2
    jobs = "SELECT COUNT(*) FROM msdb.dbo.cdc_jobs"
    assert client.number(jobs) == 229
    assert db.value(jobs) is not None
    db.run(f"USE msdb; CREATE USER {user} FOR LOGIN {user}; "
           f"GRANT SELECT ON dbo.cdc_jobs TO {user}; USE {db.database}")
    assert client.value(jobs) == db.value(jobs)
    db.run(f"USE msdb; DROP USER {user}; USE {db.database}; "
           f"DROP TABLE {t}_3; DROP TYPE ty_{t}")


def test_what_definitions_show(low):
    """To whoever may alter the table, or see its definition."""
    db, client, user, t = low
    db.run(f"ALTER TABLE {t} ADD CONSTRAINT c_{t} CHECK (v > 0); "
           f"CREATE INDEX i_{t} ON {t} (v) WHERE v > 5")
    sql = (f"SELECT (SELECT definition FROM sys.check_constraints WHERE name "
           f"= 'c_{t}'), (SELECT filter_definition FROM sys.indexes WHERE "
           f"name = 'i_{t}')")
    db.run(f"GRANT SELECT ON {t} TO {user}")
    assert client.row(sql) == (None, None)
    for right in ("ALTER", "VIEW DEFINITION"):
        db.run(f"GRANT {right} ON {t} TO {user}")
        assert None not in client.row(sql)
        db.run(f"REVOKE {right} ON {t} FROM {user}")
    assert client.row(sql) == (None, None)
    assert None not in db.row(sql)


def test_dependencies_are_for_owners(low):
    db, client, user, _ = low
    sql = "SELECT COUNT(*) FROM sys.sql_expression_dependencies"
    assert client.number(sql) == 229
    db.run(f"ALTER ROLE db_owner ADD MEMBER {user}")
    client.run(sql)
    db.run(f"ALTER ROLE db_owner DROP MEMBER {user}")


def test_masks(low):
    """They hide nothing here, but are there to be seen."""
    db, client, user, t = low
    db.run(f"GRANT SELECT ON {t} TO {user}; ALTER TABLE {t} ALTER COLUMN v "
           "ADD MASKED WITH (FUNCTION = 'default()'); ALTER TABLE "
           f"{t} ADD w nvarchar(9) MASKED WITH (FUNCTION = 'email()') NULL")
    masked = (f"SELECT name FROM sys.columns WHERE object_id = "
              f"OBJECT_ID('{t}') AND is_masked = 1 ORDER BY name")
    assert db.rows(masked) == [("v",), ("w",)]
    may = ("SELECT HAS_PERMS_BY_NAME(QUOTENAME(DB_NAME()), 'DATABASE', "
           f"'UNMASK'), HAS_PERMS_BY_NAME('{t}', 'OBJECT', 'UNMASK', 'v', "
           "'COLUMN')")
    assert client.row(may)[0] == 0
    db.run(f"GRANT UNMASK TO {user}")
    assert client.row(may)[0] == 1
    db.run(f"REVOKE UNMASK FROM {user}; ALTER TABLE {t} ALTER COLUMN v DROP "
           "MASKED")
    assert db.rows(masked) == [("w",)]
