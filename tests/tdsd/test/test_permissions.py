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
