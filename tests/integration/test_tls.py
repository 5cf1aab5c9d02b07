"""Encryption: what is accepted, what is refused, and what the wire shows."""
import re
import socket
import threading

import pytest

from support import certificates, dataflow, sqlserver, tdsd
from support.relay import Relay, port_of
from test_errors import is_healthy, pair  # noqa: F401

pytestmark = pytest.mark.standin

PLANTED = "Planted-value-77"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return certificates.Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return certificates.Authority(tmp_path_factory.mktemp("stranger"))


class Servers:
    """One for each certificate, started when it is asked for."""

    def __init__(self, authority, folder):
        self.authority, self.folder, self.running = authority, folder, {}

    CERTIFICATES = {
        "good": {},
        "by address": {"names": "IP:127.0.0.1"},
        "other name": {"names": "DNS:db.example.com,DNS:db2.example.com"},
        "expired": {"begins": -20, "ends": -10},
        "too early": {"begins": 10, "ends": 20},
    }

    def __getitem__(self, name):
        if name not in self.running:
            pair = None
            if name == "self-signed":
                pair = tdsd.make_certificate(str(self.folder))
            elif name != "plain":
                pair = self.authority.issue(name.replace(" ", "-"),
                                            **self.CERTIFICATES[name])
            server = tdsd.Tdsd().start(password="Secret-pass-42", tls=pair)
            self.running[name] = sqlserver.StandIn(server)
            self.running[name].query("CREATE DATABASE shop")
            self.running[name].query(
                "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                "v VARCHAR(30) NULL, n NVARCHAR(30) NULL); INSERT INTO t "
                f"VALUES (1, '{PLANTED}', N'{PLANTED}')", "shop")
        return self.running[name]


@pytest.fixture(scope="module")
def servers(authority, tmp_path_factory):
    found = Servers(authority, tmp_path_factory.mktemp("self-signed"))
    yield found
    for server in found.running.values():
        server.tdsd.close()


def text_for(server, options, host="localhost", port=None):
    return (f"server={host},{port or port_of(server)[1]};user id=sa;"
            f"password={server.password};{options}")


def add(world, name, server, options, host="localhost"):
    number = world.add_server(name, text_for(server, options, host))
    return world.add_mapping("t", f"t{number}", cdc=0, server_id=number,
                             source_database="shop"), f"t{number}"


ACCEPTED = {
    "right CA and name": ("good", "localhost", "encrypt=true;ca file={ca}"),
    "right CA and address": ("by address", "127.0.0.1",
                             "encrypt=true;ca file={ca}"),
    "the certificate itself as its CA": (
        "self-signed", "localhost", "encrypt=true;ca file={own}"),
    "trusted unseen": ("self-signed", "127.0.0.1",
                       "encrypt=true;trust server certificate=true"),
    "trusted though it expired": (
        "expired", "localhost", "encrypt=true;trustservercertificate=yes"),
    "right CA, name not looked at": (
        "other name", "localhost",
        "encrypt=true;trust server certificate=true;ca file={ca}"),
    "false, and it can": ("self-signed", "localhost", "encrypt=false"),
    "false, and it cannot": ("plain", "localhost", "encrypt=false"),
    "nothing said": ("expired", "localhost", ""),
    "disabled": ("good", "localhost", "encrypt=disable"),
}


def test_accepted(world, servers, authority):
    own = servers["self-signed"].tdsd.tls[0]
    tables = {
        case: add(world, case, servers[name],
                  options.format(ca=authority.file, own=own), host)
        for case, (name, host, options) in ACCEPTED.items()}
    world.start()
    for case, (mapping, table) in tables.items():
        dataflow.wait_for(lambda: world.has_table(table) or
                          world.errors(mapping), what=case)
        assert world.errors(mapping) == [], case
        dataflow.wait_for(lambda: world.on_dest(f"SELECT v FROM {table}") ==
                          [(PLANTED,)], what=case)


REFUSED = {
    "another CA": ("good", "localhost", "encrypt=true;ca file={other}",
                   "no CA that is trusted has issued.*'ca file', which is "
                   "'{other}'"),
    "the CAs of the system": ("good", "localhost", "encrypt=true",
                              "no CA that is trusted has issued.*name the "
                              "file"),
    "self-signed, no CA file": ("self-signed", "localhost", "encrypt=true",
                                "no CA that is trusted.*self.signed"),
    "another name": ("other name", "localhost", "encrypt=true;ca file={ca}",
                     "made for 'db.example.com, db2.example.com', not for "
                     "'localhost'; connect by that name"),
    "a name, but asked by address": (
        "other name", "127.0.0.1", "encrypt=true;ca file={ca}",
        "not for '127.0.0.1'"),
    "an address, but asked by name": (
        "by address", "localhost", "encrypt=true;ca file={ca}",
        "not for 'localhost'"),
    "expired": ("expired", "localhost", "encrypt=true;ca file={ca}",
                r"certificate expired on 20\d\d-\d\d-\d\d; give the server a "
                "new one"),
    "not valid yet": ("too early", "localhost", "encrypt=true;ca file={ca}",
                      r"not valid before 20\d\d-\d\d-\d\d; is the clock"),
    "no encryption": ("plain", "localhost", "encrypt=true;ca file={ca}",
                      "offers no encryption; give it a certificate"),
    "no encryption, trusted": (
        "plain", "localhost", "encrypt=true;trust server certificate=true",
        "offers no encryption; give it a certificate"),
    "a CA file is checked without encrypt=true": (
        "good", "localhost", "ca file={other}",
        "no CA that is trusted has issued"),
    "no such CA file": ("good", "localhost", "encrypt=true;ca file=/no/file",
                        "'/no/file' in 'ca file' cannot be read"),
    "a CA file without a certificate": (
        "good", "localhost", "encrypt=true;ca file=/etc/hostname",
        "'/etc/hostname' in 'ca file' cannot be read or holds no cert"),
}


def test_refused(pair, servers, authority, stranger):  # noqa: F811
    """Each by one row that says why and what to do; nothing is read."""
    pair.config(max_retry_attempts=1)
    tables = {
        case: add(pair, case, servers[name],
                  options.format(ca=authority.file, other=stranger.file), host)
        for case, (name, host, options, _) in REFUSED.items()}
    pair.start()
    for case, (mapping, _) in tables.items():
        dataflow.wait_for(lambda: pair.errors(mapping), what=case)
    is_healthy(pair)
    for case, (mapping, table) in tables.items():
        rows = pair.errors(mapping)
        assert len(rows) == 1, (case, rows)
        kind, message, _ = rows[0]
        name, host, _, pattern = REFUSED[case]
        pattern = pattern.format(ca=authority.file, other=stranger.file)
        assert kind == "CONNECTION", case
        assert f"server '{host},{port_of(servers[name])[1]}'" in message
        assert re.search(pattern, message), (case, message)
        assert not pair.has_table(table), case
    assert PLANTED not in pair.log()


def test_a_renewed_certificate_is_taken(pair, authority, servers,  # noqa: F811
                                        tmp_path):
    """A row of refusal heals by itself."""
    server = servers["good"]
    ca = tmp_path / "ca.pem"
    ca.write_text("")
    mapping, table = add(pair, "healing", server,
                         f"encrypt=true;ca file={ca}")
    pair.start()
    dataflow.wait_for(lambda: pair.errors(mapping))
    with open(authority.file, encoding="ascii") as file:
        ca.write_text(file.read())
    dataflow.wait_for(lambda: pair.has_table(table))
    dataflow.wait_for(lambda: not pair.errors(mapping))


def packet(body, kind=4):
    return bytes([kind, 1]) + (len(body) + 8).to_bytes(2, "big") + \
        b"\0\0\1\0" + body


def greeting(encryption, offset=17):
    """An answer to PRELOGIN."""
    return packet(b"\0\0\x0b\0\6" + b"\1" + offset.to_bytes(2, "big") +
                  b"\0\1\xff" + b"\x0f\0\0\0\0\0" + bytes([encryption]))


STRANGE = {
    "hangs up": b"", "another protocol": b"HTTP/1.0 400 Bad Request\r\n\r\n",
    "half a header": b"\4\1\0", "a packet too short": b"\4\1\0\3\0\0\1\0",
    "a packet too long": b"\4\1\xff\xff\0\0\1\0" + b"x" * 70000,
    "an empty packet": packet(b""), "no end": packet(b"\1\0\6\0\1" * 5),
    "points outside": greeting(1, offset=60000),
    "another word": greeting(99), "no handshake": greeting(1),
    "garbage in the handshake": greeting(1) + packet(b"garbage" * 50, 0x12),
    "nothing in the handshake": greeting(1) + packet(b"", 0x12) * 5000,
}


class Strange:
    """Says the same to everybody who comes, then hangs up."""

    def __init__(self, words):
        self.words, self.listener = words, socket.create_server(
            ("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                client.recv(4096)
                client.sendall(self.words)
                client.shutdown(socket.SHUT_WR)
                while client.recv(4096):
                    pass
            except OSError:
                pass
            client.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.mark.parametrize("options", [
    "encrypt=true", "encrypt=false", "encrypt=disable"])
def test_strange_servers(pair, options):  # noqa: F811
    """Whoever answers on that port: one row, and the process lives."""
    pair.config(max_retry_attempts=1, connect_timeout_seconds=2)
    strange = {name: Strange(words) for name, words in STRANGE.items()}
    try:
        mappings = {}
        for name, server in strange.items():
            number = pair.add_server(name, f"server=127.0.0.1,{server.port};"
                                     f"user id=sa;password=x;{options}")
            mappings[name] = pair.add_mapping("good", f"copy{number}", cdc=0,
                                              server_id=number)
        daemon = pair.start()
        for name, mapping in mappings.items():
            dataflow.wait_for(lambda: pair.errors(mapping), what=name)
            kind, message, _ = pair.errors(mapping)[0]
            assert kind == "CONNECTION", (name, message)
            assert f"server '127.0.0.1,{strange[name].port}'" in message
        is_healthy(pair)
        assert daemon.is_running()
    finally:
        for server in strange.values():
            server.close()


# ------------------------------------------------------------------- the wire

def on_the_wire(password):
    """What must not be seen: the password as a login sends it, words of a
    statement, and rows."""
    hidden = bytes(((b << 4 | b >> 4) & 0xFF) ^ 0xA5
                   for b in password.encode("utf-16-le"))
    return {"password": hidden, "statement": "SELECT".encode("utf-16-le"),
            "varchar": PLANTED.encode(), "nvarchar":
            PLANTED.encode("utf-16-le")}


SEEN = {"encrypt=disable": {"password", "statement", "varchar", "nvarchar"},
        "encrypt=false": {"statement", "varchar", "nvarchar"},
        "encrypt=true;ca file={ca}": set(),
        "encrypt=true;trust server certificate=true": set()}


@pytest.mark.parametrize("options", SEEN)
@pytest.mark.parametrize("end", ["source", "target"])
def test_what_passes(world, servers, authority, options, end):
    """As the README says: nothing, all but the login, or all is readable."""
    server = servers["good"]
    words = options.format(ca=authority.file)
    with Relay(port_of(server)) as relay:
        text = text_for(server, words, port=relay.port)
        if end == "source":
            mapping = world.add_mapping(
                "t", cdc=0, server_id=world.add_server("relayed", text),
                source_database="shop")
        else:
            server.query("IF DB_ID(N'into') IS NOT NULL DROP DATABASE [into]; "
                         "CREATE DATABASE [into]")
            world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                            "v VARCHAR(30) NULL, n NVARCHAR(30) NULL)")
            world.on_source("INSERT INTO t VALUES "
                            f"(1, '{PLANTED}', N'{PLANTED}')")
            world.control("INSERT INTO target_servers (target_name, "
                          f"connection_string) VALUES (N'relayed', N'{text}')")
            mapping = world.add_mapping("t", cdc=0, target_id=1,
                                        dest_database="into")
        daemon = world.start()
        dataflow.wait_for(lambda: world.state(mapping) == "IDLE" or
                          world.errors(mapping))
        assert world.errors(mapping) == []
        daemon.stop()
        assert {name for name, what in on_the_wire(server.password).items()
                if relay.holds(what)} == SEEN[options]
        assert sum(len(sent) for sent, _ in relay.conversations) > 1000


def test_the_control_store(servers, authority, tmp_path):
    """DEST_OPTIONS is for every connection to the control tables."""
    server = servers["good"]
    with Relay(port_of(server)) as relay:
        env = {"DEST_SERVER": f"localhost,{relay.port}", "DEST_USER": "sa",
               "DEST_PASS": server.password, "DEST_DATABASE": "control_tls",
               "TMPDIR": str(tmp_path),
               "DEST_OPTIONS": f"encrypt=true;ca file={authority.file}"}
        done = dataflow.run("init", env=env)
        assert done.returncode == 0, done.stderr
        daemon = dataflow.Daemon(env).start()
        try:
            dataflow.wait_for(lambda: server.query(
                "SELECT 1 FROM daemons WHERE stopped_at IS NULL",
                "control_tls"))
            done = dataflow.run("status", env=env)
            assert done.returncode == 0 and "is running" in done.stdout
        finally:
            daemon.close()
        words = on_the_wire(server.password)
        assert not relay.holds(words["password"])
        assert not relay.holds(words["statement"])
        assert len(relay.conversations) >= 3
    done = dataflow.run("status", env=dict(
        env, DEST_SERVER=server.address.replace("127.0.0.1", "localhost"),
        DEST_OPTIONS="encrypt=true"))
    assert done.returncode == 3
    assert "no CA that is trusted" in done.stderr, done.stderr


def login_alone(data):
    """In a PRELOGIN: encrypt the login, and nothing behind it."""
    changed = bytearray(data)
    if data[:1] == b"\x12" and data[8:9] == b"\0":  # no TLS record in it
        for at in range(8, data.index(0xff), 5):
            if data[at] == 1:
                changed[8 + int.from_bytes(data[at + 1:at + 3], "big")] = 0
    return bytes(changed)


TURNED_OFF = "encryption was turned off after the login"


def seen(server, relay):
    """Of what must not be, and of what a server says to every login."""
    words = dict(on_the_wire(server.password), **{
        word: word.encode("utf-16-le")
        for word in ("us_english", "IMPLICIT_TRAN", "source_servers")})
    return {name for name, what in words.items() if relay.holds(what)}


@pytest.mark.parametrize("options", [
    "encrypt=true;ca file={ca}", "encrypt=true;trust server certificate=true"])
def test_turned_off_in_between(pair, servers, authority,  # noqa: F811
                               options):
    """One flipped byte: the server thinks that we want no more, and FreeTDS
    takes TLS off after the login. Nothing of ours follows."""
    server = servers["good"]
    pair.config(max_retry_attempts=1)
    with Relay(port_of(server), rewrite=login_alone) as relay:
        number = pair.add_server("flipped", text_for(
            server, options.format(ca=authority.file), port=relay.port))
        mapping = pair.add_mapping("t", "t_flipped", cdc=0, server_id=number,
                                   source_database="shop")
        pair.start()
        kind, message, _ = dataflow.wait_for(lambda: pair.errors(mapping))[0]
        assert kind == "CONNECTION"
        assert f"server 'localhost,{relay.port}', login 'sa': " in message
        assert TURNED_OFF in message and "Force Encryption" in message
        is_healthy(pair)
        assert seen(server, relay) == {"us_english"}
        relay.rewrite = bytes
        dataflow.wait_for(lambda: pair.has_table("t_flipped"))
        dataflow.wait_for(lambda: not pair.errors(mapping))
        assert seen(server, relay) == {"us_english"}


def test_turned_off_before_the_control_store(servers, authority, tmp_path):
    server = servers["good"]
    with Relay(port_of(server)) as relay:
        env = {"DEST_SERVER": f"localhost,{relay.port}", "DEST_USER": "sa",
               "DEST_PASS": server.password, "DEST_DATABASE": "control_flip",
               "TMPDIR": str(tmp_path),
               "DEST_OPTIONS": f"encrypt=true;ca file={authority.file}"}
        done = dataflow.run("init", env=env)
        assert done.returncode == 0, done.stderr
        assert seen(server, relay) == set()
        relay.rewrite = login_alone
        for command in "status", "check", "init", "run":
            done = dataflow.run(command, env=env)
            assert done.returncode == 3, (command, done.stderr)
            assert TURNED_OFF in done.stdout + done.stderr, command
        assert seen(server, relay) == {"us_english"}


@pytest.mark.parametrize("by_client", [True, False], ids=["load", "read"])
def test_dead_in_the_middle(world, servers, authority, by_client):
    """The time-out holds inside of an encrypted stream too."""
    server = servers["good"]
    world.config(max_retry_attempts=1, connect_timeout_seconds=2,
                 query_timeout_seconds=3)
    words = f"encrypt=true;ca file={authority.file}"
    database = "silent_load" if by_client else "silent_read"
    server.query(f"CREATE DATABASE {database}")
    fill = ("CREATE TABLE big (id INT NOT NULL PRIMARY KEY, v VARCHAR(100)); "
            "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE "
            "i < 30000) INSERT INTO big SELECT i, REPLICATE('x', 100) FROM n "
            "OPTION (MAXRECURSION 0)")
    with Relay(port_of(server)) as relay:
        text = text_for(server, words, port=relay.port)
        if by_client:
            world.on_source(fill)
            world.control("INSERT INTO target_servers (target_name, "
                          f"connection_string) VALUES (N'relayed', N'{text}')")
            mapping = world.add_mapping("big", cdc=0, target_id=1,
                                        dest_database=database)
        else:
            server.query(fill, database)
            mapping = world.add_mapping(
                "big", cdc=0, server_id=world.add_server("relayed", text),
                source_database=database)
        relay.freeze_after(500000, by_client)
        world.start()
        kind, message, _ = dataflow.wait_for(lambda: world.errors(mapping))[0]
        assert relay.is_frozen()
        assert kind == "CONNECTION" and "no answer within 3 s" in message
        assert f"localhost,{relay.port}" in message
        relay.thaw()
        dataflow.wait_for(lambda: world.state(mapping) == "IDLE")
        copy = server.query("SELECT COUNT(*), MAX(v) FROM big", database) \
            if by_client else world.on_dest("SELECT COUNT(*), MAX(v) FROM big")
        assert copy == [(30000, "x" * 100)]
