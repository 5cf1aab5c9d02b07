"""How a server is named, and what a connection string may ask for."""
import itertools
import re
import socket
import struct
import threading

import pytest

from support import dataflow
from support.relay import Relay, port_of
from test_errors import is_healthy, one_row, pair  # noqa: F401

NUMBERS = itertools.count(1)


@pytest.fixture
def table(world):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    world.on_source("INSERT INTO t VALUES (1), (2)")
    return world


def use(world, text):
    """The connection string of the source."""
    text = text.replace("'", "''")
    world.control(f"UPDATE source_servers SET connection_string = N'{text}' "
                  f"WHERE server_id = {world.server_id}")
    return world.add_mapping("t", cdc=0)


FORMS = {
    "host,port": "server={host},{port};",
    "host and port": "server={host};port={port};",
    "tcp:": "server=tcp:{host},{port};",
    "blanks and capitals": " SERVER = {host} , {port} ; ",
    "another spelling": "Data Source={host},{port};",
    "instance and port": "server={host}\\IGNORED,{port};",
}


@pytest.mark.parametrize("form", FORMS)
def test_ways_to_name_a_server(table, form):
    host, port = port_of(table.source)
    use(table, FORMS[form].format(host=host, port=port) +
        f"user id={table.source.user};password={table.source.password}")
    table.start()
    table.wait_equal("t")


# ------------------------------------------------------------ named instances

class Browser:
    """SQL Server Browser, as [MC-SQLR] has it: tells ports by UDP 1434."""

    def __init__(self, host):
        self.ports, self.asked, self.host = {}, [], host
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 1434))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                question, client = self.socket.recvfrom(1000)
            except OSError:
                return
            if question[:1] != b"\x04": # CLNT_UCAST_INST
                continue
            name = question[1:].rstrip(b"\0").decode()
            self.asked.append(name)
            port = self.ports.get(name.upper())
            if port: # for what it does not know it has no answer
                text = (f"ServerName;DBHOST;InstanceName;{name};IsClustered;"
                        f"No;Version;15.0.4322.2;tcp;{port};;").encode()
                self.socket.sendto(b"\x05" + struct.pack("<H", len(text)) +
                                   text, client)

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@pytest.fixture
def host():
    """An address of this machine where nobody else has port 1434."""
    for last in range(2, 250):
        address = f"127.143.4.{last}"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((address, 1434))
                return address
            except OSError:
                continue
    raise AssertionError("no free address")


def test_named_instance(table, host):
    """Its port is asked for, and asked for again when the instance moved."""
    login = f"user id={table.source.user};password={table.source.password}"
    with Browser(host) as browser:
        first = Relay(port_of(table.source), host=host)
        browser.ports["SHOP"] = first.port
        mapping = use(table, f"server={host}\\Shop;{login}")
        table.start()
        table.wait_equal("t")
        assert first.conversations and set(browser.asked) == {"Shop"}
        first.close()
        table.on_source("INSERT INTO t VALUES (3)")
        with Relay(port_of(table.source), host=host) as second:
            browser.ports["SHOP"] = second.port
            table.request(mapping, "FULL_SYNC")
            table.wait_equal("t")
            assert second.conversations


def test_an_instance_that_nobody_knows(pair, host):  # noqa: F811
    """FreeTDS asks for 16 seconds; the others do not wait for it."""
    pair.config(max_retry_attempts=1)
    with Browser(host) as browser:
        server = pair.add_server("lost", f"server={host}\\NoSuch;user id=sa;"
                                 "password=x")
        bad = pair.add_mapping("good", "bad_copy", server_id=server)
        daemon = pair.start()
        pair.wait_equal("good")
        is_healthy(pair)
        kind, message, _ = one_row(pair, bad, 60)
        assert kind == "CONNECTION"
        assert re.search(r"server '127\.[0-9.]+\\NoSuch'.*cannot connect.*SQL "
                         r"Server Browser.*1434.*server=host,port", message), \
            message
        assert set(browser.asked) == {"NoSuch"}
        code, _ = daemon.stop(8)
        assert code == 0


def test_a_port_says_enough(table, host):
    """With a port nobody is asked, whatever the instance is called."""
    with Browser(host) as browser, \
            Relay(port_of(table.source), host=host) as relay:
        use(table, f"server={host}\\Shop,{relay.port};user id=sa;"
            f"password={table.source.password}")
        table.start()
        table.wait_equal("t")
        assert browser.asked == []


# --------------------------------------------------------- what is asked for

def logins(relay):
    """The LOGIN7 messages that passed, without their packet headers."""
    found = []
    for sent, _ in relay.conversations:
        at = 0
        while at + 8 <= len(sent):
            length = int.from_bytes(sent[at + 2:at + 4], "big")
            if sent[at] == 0x10:
                found.append(bytes(sent[at + 8:at + length]))
            at += max(length, 8)
    return found


READ_ONLY = 0x20  # fReadOnlyIntent, in TypeFlags, [MS-TDS] 2.2.6.4

INTENTS = {"": 0, "application intent=ReadOnly;": READ_ONLY,
           "ApplicationIntent=readonly;": READ_ONLY,
           "application intent=ReadWrite;": 0}


@pytest.mark.parametrize("intent", INTENTS)
def test_application_intent(table, intent):
    """As it goes over the wire, in each login."""
    with Relay(port_of(table.source)) as relay:
        use(table, f"server={relay.address};user id=sa;{intent}"
            f"password={table.source.password};encrypt=disable")
        table.start()
        table.wait_equal("t")
        seen = logins(relay)
        assert seen
        assert {login[26] & READ_ONLY for login in seen} == {INTENTS[intent]}


def test_application_name_and_database(table):
    with Relay(port_of(table.source)) as relay:
        use(table, f"server={relay.address};user id=sa;application name=Nightly"
            f";password={table.source.password};encrypt=disable")
        table.start()
        table.wait_equal("t")
        for login in logins(relay):
            assert "Nightly".encode("utf-16-le") in login
            assert table.src_db.encode("utf-16-le") in login


def test_time_outs_of_one_server(pair):  # noqa: F811
    """Those of the connection string count for more than those of config."""
    pair.config(connect_timeout_seconds=60, query_timeout_seconds=600,
                max_retry_attempts=1)
    with Relay(port_of(pair.source)) as relay:
        server = pair.add_server(
            "slow", f"server={relay.address};user id=sa;password="
            f"{pair.source.password};connect timeout=1;query timeout=2")
        bad = pair.add_mapping("good", "bad_copy", server_id=server)
        relay.freeze_at("SELECT")
        pair.start()
        _, message, _ = dataflow.wait_for(lambda: pair.errors(bad))[0]
        assert re.search("no answer within 2 s.*'query timeout'", message)
        dataflow.wait_for(lambda: re.search("no answer within 1 s",
                                            pair.errors(bad)[0][1]))
        is_healthy(pair)
        relay.thaw()
        pair.wait_equal("good", "bad_copy")


def test_status_of_a_dead_control_store(world):
    with Relay(port_of(world.dest)) as relay:
        relay.freeze()
        done = dataflow.run("status", env=world.environment(
            DEST_SERVER=relay.address, DEST_OPTIONS="connect timeout=1"))
    assert done.returncode == 3
    assert re.search(f"server '{relay.address}'.*no answer within 1 s.*"
                     "DEST_SERVER", done.stderr), done.stderr


# ------------------------------------------------------------------ passwords

PASSWORD = "a;b\"c'd}e{f=g ${h} ${env:NOTHING} ü;"


def quoted(sign, text):
    closing = {"{": "}"}.get(sign, sign)
    return sign + text.replace(closing, closing * 2) + closing


@pytest.fixture(params=["{", "\"", "'", "env", "file"])
def odd_password(request, table, tmp_path):
    """A password with every sign that means something; how it is written."""
    # ${env:…} is looked for in a text, quoted or not; so it is not part of
    # what stands in the string itself.
    password = PASSWORD if request.param in ("env", "file") else \
        PASSWORD.replace("${env:NOTHING}", "")
    name = f"odd{next(NUMBERS)}"
    text = password.replace("'", "''")
    for server in (table.source, table.dest):
        server.query(f"IF SUSER_ID(N'{name}') IS NULL CREATE LOGIN {name} "
                     f"WITH PASSWORD = N'{text}', CHECK_POLICY = OFF")
        server.query(f"ALTER SERVER ROLE sysadmin ADD MEMBER {name}")
    if request.param == "env":
        written = "${env:ODD_PASSWORD}"
    elif request.param == "file":
        (tmp_path / "secret").write_text(password + "\nnot this\n",
                                         encoding="utf-8")
        written = "${file:" + str(tmp_path / "secret") + "}"
    else:
        written = quoted(request.param, password)
    yield name, password, written
    for daemon in table.daemons:
        daemon.stop()
    for server in (table.source, table.dest):
        server.query(f"IF SUSER_ID(N'{name}') IS NOT NULL DROP LOGIN {name}")


def test_passwords_with_odd_signs(table, odd_password):
    """In source_servers and in target_servers."""
    name, password, written = odd_password
    target = (f"server={table.dest.address};user id={name};"
              f"password={written}").replace("'", "''")
    table.control("INSERT INTO target_servers (target_name, "
                  f"connection_string) VALUES (N'odd', N'{target}')")
    use(table, f"server={table.source.address};user id={name};"
        f"password={written};encrypt=false")
    table.control("UPDATE table_mappings SET target_id = 1")
    table.start(ODD_PASSWORD=password)
    table.wait_equal("t")
    assert table.errors() == []


def test_dest_pass_with_odd_signs(table):
    """The environment's text is taken as it is, but for ${env:} and ${file:}."""
    password = PASSWORD.replace("${env:NOTHING}", "")
    name = f"odd{next(NUMBERS)}"
    text = password.replace("'", "''")
    table.dest.query(f"CREATE LOGIN {name} WITH PASSWORD = N'{text}', "
                     "CHECK_POLICY = OFF")
    table.dest.query(f"ALTER SERVER ROLE sysadmin ADD MEMBER {name}")
    for given, more in ((password, {}),
                        ("${env:ODD_PASSWORD}", {"ODD_PASSWORD": password})):
        done = dataflow.run("status", env=table.environment(
            DEST_USER=name, DEST_PASS=given, **more))
        assert done.returncode == 0, done.stderr


# --------------------------------------------------- strings that are no good

BAD = {
    "unknown": ("server=h;user id=u;colour=red;password=x",
                "'colour' is not a known key.*known are server, port"),
    "unknown behind the password": (
        "server=h;user id=u;password=x;colour=red",
        "the key at character 31, after the password, is not a known key"),
    "of another driver": ("server=h;user id=u;password=x;"
                          "Integrated Security=SSPI",
                          "'integratedsecurity' is not a known key"),
    "twice": ("server=h;user id=u;password=x;encrypt=true;ENCRYPT=false",
              "'encrypt' is given twice; leave one out"),
    "twice by two names": ("server=h;user id=u;password=x;pwd=y",
                           "'pwd'.*says again what another one says"),
    "semicolon in a password": (
        "server=h;user id=u;password=ab;cd",
        r"'key=value' expected at character 32; a value with ; in it stands "
        r"in \{\}"),
    "open brace": ("server=h;user id=u;password={ab;cd",
                   "quoted value of 'password' does not end.*doubled"),
    "behind the quote": ("server=h;user id=u;password='ab'cd'",
                         "quoted value of 'password' does not end.*doubled"),
    "port": ("server=h,99999;user id=u;password=x", "port.*1 to 65535"),
    "time-out": ("server=h;user id=u;password=x;connect timeout=soon",
                 "'connect timeout' must be a whole number from 1 to 3600"),
    "intent": ("server=h;user id=u;password=x;application intent=read",
               "'application intent' must be ReadOnly or ReadWrite"),
    "strict": ("server=h;user id=u;password=x;encrypt=strict",
               "'encrypt=strict'.*use encrypt=true"),
    "trust": ("server=h;user id=u;password=x;trust server certificate=maybe",
              "'trust server certificate' must be yes or no"),
    "empty": (" ; ", "connection string: it is empty"),
}


def test_bad_strings(pair):  # noqa: F811
    """One row each, which names the key and what to do."""
    mappings = {
        case: pair.add_mapping("good", f"bad{i}", server_id=pair.add_server(
            f"bad{i}", text))
        for i, (case, (text, _)) in enumerate(BAD.items())}
    pair.start()
    for case, mapping in mappings.items():
        dataflow.wait_for(lambda: pair.errors(mapping), what=case)
    is_healthy(pair)
    for case, mapping in mappings.items():
        rows = pair.errors(mapping)
        assert len(rows) == 1, (case, rows)
        kind, message, _ = rows[0]
        assert kind == "OTHER", case
        assert "server 'bad" in message, message
        assert re.search(BAD[case][1], message), (case, message)


def test_bad_string_of_a_target(pair):  # noqa: F811
    pair.control("INSERT INTO target_servers (target_name, connection_string) "
                 "VALUES (N'far', N'server=h;user id=u;colour=red')")
    bad = pair.add_mapping("good", "bad_copy", target_id=1)
    pair.start()
    kind, message, _ = one_row(pair, bad)
    assert kind == "OTHER" and "server 'far'" in message
    assert "'colour' is not a known key" in message
    is_healthy(pair)


def test_bad_options_of_the_control_store(bare_world):
    for options, pattern in (
            ("colour=red", "character .* is not a known key"),
            ("encrypt=true;encrypt=true", "'encrypt' is given twice"),
            ("password=x", "'password' is given twice")):
        done = dataflow.run("status", env=bare_world.environment(
            DEST_OPTIONS=options))
        assert done.returncode == 2, done.stderr
        assert re.search(pattern, done.stderr), done.stderr
        assert done.stderr.count("\n") == 1


def test_a_server_whose_sessions_begin_transactions(world):
    """'user options' with IMPLICIT_TRANSACTIONS: what is done is committed."""
    if not world.source.is_standin:
        pytest.skip("a setting of the whole server")
    servers = (world.source, world.dest)
    for server in servers:
        server.query("EXEC sys.sp_configure 'user options', 2; RECONFIGURE")
    try:
        world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, n INT)")
        world.on_source("INSERT INTO t VALUES (1, 0), (2, 0)")
        world.enable_cdc("t")
        mapping = world.add_mapping("t")
        world.start()
        world.wait_equal("t")
        world.on_source("UPDATE t SET n = id")
        world.wait_equal("t")
        dataflow.wait_for(lambda: world.control(
            "SELECT 1 FROM mapping_state WHERE mapping_id = "
            f"{mapping} AND rows_applied >= 2"))
        assert world.errors() == []
    finally:
        for server in servers:
            server.query("EXEC sys.sp_configure 'user options', 0; "
                         "RECONFIGURE")
