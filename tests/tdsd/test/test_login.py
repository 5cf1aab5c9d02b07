"""Logging in: who may, with which protocol version, packet size, encryption."""
import re
import ssl
import socket

import pymssql
import pytds
import pytest

from clients import Client, program, tsql
from relay import Relay, settle
from support.tdsd import Tdsd, make_certificate


def login_error(server, **options):
    with pytest.raises(pytds.OperationalError) as caught:
        pytds.connect(server.host, port=server.port, **{
            "user": server.user, "password": server.password,
            "database": "master", "disable_connect_retry": True,
            "login_timeout": 10, **options})
    return caught.value


def test_wrong_password_18456(server):
    error = login_error(server, password="no")
    assert error.number == 18456 and error.severity == 14
    assert error.text == f"Login failed for user '{server.user}'."


def test_unknown_login_18456(server):
    assert login_error(server, user="nobody-at-all").number == 18456


def test_unknown_database_4060(server):
    # 4060 comes first and 18456 behind it, both with a connection that ends
    out = tsql(server, "SELECT 1", database="no_such_database")
    assert "Msg 4060 (severity 11, state 1)" in out
    assert 'Cannot open database "no_such_database" requested by the login.' \
        in out
    assert "Msg 18456 (severity 14" in out


@pytest.fixture
def limited(server, name):
    login = f"login_{name}"
    with Client(server) as sa:
        sa.run(f"CREATE LOGIN {login} WITH PASSWORD = 'Limited-1x', "
               "CHECK_POLICY = OFF")
        yield sa, login
        sa.run(f"DROP LOGIN {login}")


def test_no_user_in_the_database(server, limited, database):
    _, login = limited
    out = tsql(server, "SELECT 1", database=database, user=login,
               password="Limited-1x")
    assert "Msg 4060" in out


def test_disabled_login(server, limited):
    sa, login = limited
    sa.run(f"ALTER LOGIN {login} DISABLE")
    assert login_error(server, user=login, password="Limited-1x").number \
        == 18470


def test_new_password(server, limited):
    sa, login = limited
    sa.run(f"ALTER LOGIN {login} WITH PASSWORD = 'Another-2y'")
    assert login_error(server, user=login, password="Limited-1x").number \
        == 18456
    Client(server, user=login, password="Another-2y").close()


def test_default_database(server, limited, name):
    sa, login = limited
    sa.run(f"CREATE DATABASE gone_{name}")
    sa.run(f"ALTER LOGIN {login} WITH DEFAULT_DATABASE = gone_{name}")
    sa.run(f"USE gone_{name}\nGO\nCREATE USER {login} FOR LOGIN {login}\nGO\n"
           "USE master")
    out = tsql(server, "SELECT DB_NAME()", user=login, password="Limited-1x")
    assert f"gone_{name}" in out
    sa.run(f"DROP DATABASE gone_{name}")
    out = tsql(server, "SELECT 1", user=login, password="Limited-1x")
    assert "Msg 4064 (severity 11" in out
    assert "Cannot open user default database. Login failed." in out


@pytest.mark.parametrize("version", ["7.1", "7.2", "7.3", "7.4"])
def test_protocol_versions(server, version):
    out = tsql(server, "SELECT 'a' + 'b', N'\u20ac', CAST(1.5 AS decimal(5,2)),"
               " CAST(1 AS bit), CAST(NULL AS int), CAST('x' AS varchar(max)),"
               " CAST('2020-02-03' AS date), "
               "CAST(0x0102 AS varbinary(max)), "
               "CAST(9000000000 AS bigint)", version=version)
    line = [x for x in out.splitlines() if x.startswith("ab")][0]
    values = line.split("\t")
    assert values[:2] == ["ab", "\u20ac"] and values[2] == "1.50"
    assert values[3:6] == ["1", "NULL", "x"]
    assert values[7:] == ["0102", "9000000000"]
    if version in ("7.1", "7.2"):  # a new type is text to an old client
        assert values[6] == "2020-02-03"
    else:
        assert "2020" in values[6]


@pytest.mark.parametrize("version", ["7.1", "7.2", "7.3", "7.4"])
def test_errors_in_each_version(server, version):
    out = tsql(server, "SELECT 1/0\ngo\nSELECT * FROM nowhere\ngo\n"
               "SELECT 42", version=version)
    assert "Msg 8134 (severity 16, state 1)" in out
    assert "Msg 208 (severity 16, state 1)" in out
    assert "Invalid object name 'nowhere'." in out
    assert "42" in out.splitlines()


@pytest.mark.parametrize("version, tds", [
    (0x71000001, 0x71000001), (0x72090002, 0x72090002),
    (0x730A0003, 0x730B0003), (0x730B0003, 0x730B0003),
    (0x74000004, 0x74000004)])
def test_negotiated_version(server, version, tds):
    with Client(server, tds_version=version) as client:
        assert client.connection.tds_version in (version, tds)
        assert client.value("SELECT N'\u20ac'") == "\u20ac"


@pytest.mark.parametrize("size", [512, 4096, 8192, 32767])
def test_packet_sizes(server, size):
    with Client(server, blocksize=size) as client:
        text = "0123456789" * 20000
        assert client.value("SELECT CAST(%s AS nvarchar(max))", (text,)) \
            == text
        big = "SELECT '" + "x" * 7000 + "'"
        assert client.value(big) == "x" * 7000


def test_client_names(server, database):
    with Client(server, database, appname="the app") as client:
        assert client.row("SELECT APP_NAME(), DB_NAME(), SUSER_SNAME(), "
                          "@@SPID") == \
            ("the app", database, server.user, client.cursor.spid)


def test_database_and_language_change(server, database):
    with Client(server) as client:
        tds = client.connection._conn if hasattr(
            client.connection, "_conn") else None
        client.run(f"USE {database}")
        assert client.value("SELECT DB_NAME()") == database
        assert tds is None or tds.env.database == database
        messages = [m for m in client.cursor.messages or []]
        assert messages is not None
        assert client.number("USE no_such_database") == 911
        client.run("SET LANGUAGE us_english")
        assert client.value("SELECT @@LANGUAGE") == "us_english"
        assert client.number("SET LANGUAGE Klingon") == 2740
    out = tsql(server, f"USE {database}\ngo\nSELECT DB_NAME()")
    assert database in out.splitlines()


def test_pymssql(server, database):
    with pymssql.connect(server.host, server.user, server.password, database,
                         port=str(server.port), autocommit=True) as c:
        cursor = c.cursor()
        cursor.execute("SELECT %s, %d", ("x", 5))
        assert cursor.fetchall() == [("x", 5)]
        with pytest.raises(pymssql.ProgrammingError) as caught:
            cursor.execute("SELECT nope")
        assert caught.value.args[0] == 207
    with pytest.raises(pymssql.OperationalError) as caught:
        pymssql.connect(server.host, server.user, "no", "master",
                        port=str(server.port))
    assert caught.value.args[0][0] == 18456


def test_bsqldb(server):
    code, out = program(server, "bsqldb", "-q",
                        text="SELECT 7 AS n, 'a' AS t\ngo\n")
    assert code == 0 and re.search(r"7\s+a", out), out
    code, out = program(server, "bsqldb", "-q", text="SELECT * FROM nowhere\ngo\n")
    assert "208" in out and "nowhere" in out


def test_many_connections(server):
    clients = [Client(server) for _ in range(40)]
    try:
        assert len({c.value("SELECT @@SPID") for c in clients}) == 40
    finally:
        for client in clients:
            client.close()
    with Client(server) as client:
        assert client.value("SELECT 1") == 1


# ------------------------------------------------------------------------- TLS

@pytest.fixture(scope="module")
def tls_server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    with Tdsd().start(tls=make_certificate(str(folder))) as tdsd:
        yield tdsd


@pytest.mark.standin
@pytest.mark.parametrize("encryption", ["off", "request", "require"])
def test_tls_by_freetds(tls_server, encryption):
    code, out = program(tls_server, "bsqldb", "-q", encryption=encryption,
                        text="SELECT 7 AS n, REPLICATE('x', 20000) AS t\ngo\n")
    assert code == 0 and "7" in out and "x" * 8000 in out.replace("\n", "")


@pytest.mark.standin
def test_tls_checks_the_certificate(tls_server):
    good, bad = tls_server.tls[0], "/etc/ssl/certs/ca-certificates.crt"
    text = "SELECT 7 AS n\ngo\n"
    code, out = program(tls_server, "bsqldb", "-q", encryption="require",
                        ca_file=good, check_certificate_hostname="no",
                        text=text)
    assert code == 0 and "7" in out, out
    code, out = program(tls_server, "bsqldb", "-q", encryption="require",
                        ca_file=bad, text=text)
    assert code != 0 or "7" not in out


@pytest.mark.standin
def test_no_tls_to_require(server):
    # a server without a certificate must not be talked to in the clear
    code, out = program(server, "bsqldb", "-q", encryption="require",
                        text="SELECT 7 AS n\ngo\n")
    assert code != 0 or "7" not in out


@pytest.mark.standin
def test_tls_password_is_not_in_the_clear(tls_server):
    with Relay(tls_server) as relay:
        code, out = program(relay.endpoint(), "bsqldb", "-q",
                            encryption="require",
                            text="SELECT 'hidden-words' AS t\ngo\n")
        settle()
    seen = relay.sent()
    assert code == 0 and "hidden-words" in out
    assert len(seen) > 300
    assert "hidden-words".encode("utf-16-le") not in seen
    assert "SELECT".encode("utf-16-le") not in seen


def test_plain_http_is_turned_away(server):
    with socket.create_connection((server.host, server.port), 10) as s:
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        s.settimeout(10)
        try:
            assert s.recv(100) == b""
        except ConnectionError:
            pass  # a reset says the same
    with Client(server) as client:
        assert client.value("SELECT 1") == 1


def test_unencrypted_tls_hello_is_turned_away(server):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection((server.host, server.port), 10) as s:
        with pytest.raises((ssl.SSLError, OSError)):
            context.wrap_socket(s)
