"""A real PostgreSQL as a source, full loads into SQL Server: whole tables are
compared, by psycopg2 and python-tds."""
import contextlib
import datetime
import decimal
import os
import shutil
import socket
import uuid

import pytest

from support import dataflow, postgresql
from support.certificates import Authority
from support.postgresql_world import PostgresqlWorld
from support.relay import Relay, port_of

postgresql.skip_unless_installed()


@pytest.fixture(scope="module")
def server():
    with postgresql.Postgresql() as started:
        yield started


@pytest.fixture
def world(server, dest_server, tmp_path):
    made = PostgresqlWorld(server, dest_server, tmp_path)
    made.init()
    yield made
    made.close()


def plain(value):
    """What a value is, whichever client brought it."""
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, datetime.datetime) and value.tzinfo:
        return value.astimezone(datetime.timezone.utc)
    if isinstance(value, float) and value != value:
        return "NaN"
    return value


def rows(found):
    return sorted((tuple(map(plain, row)) for row in found), key=repr)


TYPES = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'very happy');
CREATE DOMAIN email AS varchar(60) CHECK (VALUE LIKE '%@%');
CREATE DOMAIN positive AS numeric(12,3) CHECK (VALUE > 0);
CREATE TYPE pair AS (a int, b text);
"""

# The column's type; its values; how psycopg2 shall show them for a comparison.
COLUMNS = [
    ("boolean", ["true", "false"], None),
    ("smallint", ["-32768", "32767", "0"], None),
    ("integer", ["-2147483648", "2147483647"], None),
    ("bigint", ["-9223372036854775808", "9223372036854775807"], None),
    ("real", ["0.1", "-3.4e38", "1e-37"], "::float8"),
    ("double precision", ["0.1", "-1.7e308", "2.2e-308"], None),
    ("numeric(12,2)", ["-9999999999.99", "0.01", "5"], None),
    ("numeric(38,10)", ["1234567890123456789012345678.0123456789"], None),
    ("numeric", ["1.50", "1e50", "'NaN'", "-0.000000001"], "::text"),
    ("numeric(60,5)", ["1" * 55 + ".12345"], "::text"),
    ("money", ["'-1234.56'", "'92233720368547758.07'"], "::numeric"),
    ("char(5)", ["'ab'", "'abcde'"], "::bpchar(5)"),
    ("varchar(20)", ["'a b '", "'z\u00fcrich'", "'\U0001f600'"], None),
    ("text", ["''", "repeat('x\u20ac', 50000)", "'it''s'"], None),
    ("name", ["'pg_class'"], "::text"),
    ("bytea", ["'\\x'", "'\\x00ff10'", "decode(repeat('00ab', 9000), 'hex')"],
     None),
    ("date", ["'0001-01-01'", "'9999-12-31'", "'2020-02-29'"], None),
    ("time", ["'00:00'", "'23:59:59.999999'"], None),
    ("time(0)", ["'12:34:56'"], None),
    ("timetz", ["'12:00:00.5+02'", "'00:00-11:30'"], "::text"),
    ("timestamp", ["'0001-01-01'", "'9999-12-31 23:59:59.999999'"], None),
    ("timestamp(3)", ["'1752-09-03 01:02:03.456'"], None),
    ("timestamptz", ["'2020-06-01 12:00:00.000001+02'",
                     "'1900-01-01 00:00+00'"], None),
    ("interval", ["'1 year 2 mons -3 days 04:05:06.7'", "'0'"], "::text"),
    ("uuid", ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"], "::text"),
    ("json", ["'{\"a\": 1,  \"a\": [true, null]}'"], "::text"),
    ("jsonb", ["'{\"b\": 1.50, \"a\": \"\u00e9\"}'"], "::text"),
    ("xml", ["'<a b=\"1\">x</a>'"], "::text"),
    ("inet", ["'10.0.0.1'", "'10.0.0.0/8'", "'::1'"], "abbrev"),
    ("cidr", ["'10.0.0.0/8'"], "::text"),
    ("macaddr", ["'08:00:2b:01:02:03'"], "::text"),
    ("macaddr8", ["'08:00:2b:01:02:03:04:05'"], "::text"),
    ("bit(3)", ["B'101'"], "::text"),
    ("bit varying(5)", ["B'1'", "B''"], "::text"),
    ("integer[]", ["'{}'", "'{1,NULL,3}'", "'{{1,2},{3,4}}'"], "::text"),
    ("text[]", ["ARRAY['a b', 'c\"d', NULL, '']"], "::text"),
    ("int4range", ["'[1,5)'", "'empty'"], "::text"),
    ("tstzrange", ["'[2020-01-01 00:00+00,)'"], "::text"),
    ("point", ["'(1.5,-2)'"], "::text"),
    ("polygon", ["'((0,0),(1,1),(1,0))'"], "::text"),
    ("tsvector", ["'a fat cat'"], "::text"),
    ("oid", ["0", "4294967295"], "::int8"),
    ("mood", ["'sad'", "'very happy'"], "::text"),
    ("email", ["'a@b'"], "::text"),
    ("positive", ["0.125"], "::numeric"),
    ("pair", ["ROW(1, 'x y')"], "::text"),
]


def make_types(world):
    """A table with a column of every type, and a row for each value."""
    columns = COLUMNS
    world.on_source(TYPES)
    world.on_source("CREATE TABLE every (id int PRIMARY KEY, " + ", ".join(
        f"c{i} {c[0]}" for i, c in enumerate(columns)) + ")")
    world.on_source("INSERT INTO every (id) VALUES (0)")
    for row in range(max(len(c[1]) for c in columns)):
        given = [(i, c[1][row]) for i, c in enumerate(columns)
                 if row < len(c[1])]
        names = "".join(f", c{i}" for i, _ in given)
        values = "".join(f", {value}" for _, value in given)
        world.on_source(f"INSERT INTO every (id{names}) "
                        f"VALUES ({row + 1}{values})")
    return columns


def shown(world, columns):
    """The source's rows as they have to arrive."""
    parts = []
    for i, (_, _, cast) in enumerate(columns):
        parts.append(f"textin(inet_out(c{i}))" if cast == "abbrev" else
                     f"c{i}{cast or ''}")
    settings = ("SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; "
                "SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'; "
                "SET lc_monetary = 'C'; ")
    return world.on_source(f"{settings} SELECT id, {', '.join(parts)} "
                           "FROM every")


def as_text(value):
    """python-tds brings some types as objects of their own."""
    return str(value) if isinstance(value, uuid.UUID) else value


@pytest.mark.threads
def test_every_type(world):
    columns = make_types(world)
    mapping = world.add_mapping("every")
    world.start()
    world.load(mapping)
    arrived = rows([tuple(map(as_text, row)) for row in
                    world.on_dest("SELECT * FROM every")])
    expected = rows(shown(world, columns))
    assert len(arrived) == len(expected) > 3
    for row, want in zip(arrived, expected):
        for i, (value, wanted) in enumerate(zip(row, want)):
            kind = columns[i - 1][0] if i else "id"
            if isinstance(wanted, decimal.Decimal):
                value = decimal.Decimal(value)
            assert value == wanted, f"{kind} of row {row[0]}"
    # and nothing is different the second time
    assert not world.errors()


def ask(world, mapping, kind):
    """A request over the whole table, done; then its row of the log."""
    world.control("INSERT INTO sync_requests (mapping_id, request_type, scope)"
                  f" VALUES ({mapping}, N'{kind}', N'WHOLE')")
    number = world.control("SELECT MAX(request_id) FROM sync_requests")[0][0]

    def done():
        found = world.control("SELECT state, answer FROM sync_requests "
                              f"WHERE request_id = {number}")[0]
        return found if found[0] not in ("PENDING", "RUNNING") else None
    state, answer = dataflow.wait_for(done, 60)
    assert state == "COMPLETED", answer
    return world.control(
        "SELECT verification_status, source_row_count, dest_row_count, "
        "mismatches_found FROM verification_logs ORDER BY verification_id "
        "DESC")[0]


@pytest.mark.parametrize("cdc", [0, 1])
def test_verification_and_repair(world, cdc):
    """Every type compares as equal, and what is not is found and mended."""
    columns = make_types(world)
    world.on_source("INSERT INTO every (id) SELECT i "
                    "FROM generate_series(100, 3000) AS i")
    mapping = world.add_mapping("every", cdc=cdc,
                                verification_interval_minutes=0)
    world.start()
    world.load(mapping)
    count = world.on_source("SELECT count(*) FROM every")[0][0]
    assert ask(world, mapping, "VERIFY") == ("PASSED", count, count, 0)
    uuids = [i for i, c in enumerate(columns) if c[0] == "uuid"][0]
    world.on_dest("DELETE FROM every WHERE id = 2000; "
                  "INSERT INTO every (id) VALUES (9999); "
                  f"UPDATE every SET c{uuids} = NULL WHERE id = 1")
    found = ask(world, mapping, "VERIFY")
    assert found[0] == "FAILED" and found[3] == 3, found
    ask(world, mapping, "REPAIR")
    assert ask(world, mapping, "VERIFY") == ("PASSED", count, count, 0)
    assert rows(world.on_dest("SELECT id FROM every")) == \
        rows(world.on_source("SELECT id FROM every"))


def test_types_of_the_table_that_is_made(world):
    world.on_source("CREATE TYPE mood AS ENUM ('sad', 'very happy'); "
                    "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY "
                    "PRIMARY KEY, a smallint NOT NULL DEFAULT 3, "
                    "n numeric(12,2), v varchar(20), x text, ts timestamp(3), "
                    "tz timestamptz, u uuid, b bytea, m mood, f boolean, "
                    "twice int GENERATED ALWAYS AS (a * 2) STORED); "
                    "INSERT INTO t (a) VALUES (1), (2)")
    mapping = world.add_mapping("t")
    world.start()
    world.load(mapping)
    made = world.on_dest(
        "SELECT c.name, t.name, CAST(c.max_length AS int), "
        "CAST(c.precision AS int), CAST(c.scale AS int), "
        "CAST(c.is_nullable AS int) FROM sys.columns c "
        "INNER JOIN sys.types t ON c.user_type_id = t.user_type_id "
        "WHERE c.object_id = OBJECT_ID(N'dbo.t') ORDER BY c.column_id")
    assert [row[:2] for row in made] == [
        ("id", "bigint"), ("a", "smallint"), ("n", "decimal"),
        ("v", "nvarchar"), ("x", "nvarchar"), ("ts", "datetime2"),
        ("tz", "datetimeoffset"), ("u", "uniqueidentifier"),
        ("b", "varbinary"), ("m", "nvarchar"), ("f", "bit")]
    sizes = {row[0]: row[2:] for row in made}
    assert sizes["n"][1:3] == (12, 2)
    assert sizes["ts"][2] == 3 and sizes["tz"][2] == 6
    assert sizes["x"][0] == -1 and sizes["a"][3] == 0
    assert world.on_dest("SELECT id, a FROM t ORDER BY id") == [(1, 1), (2, 2)]


def test_large_table_in_parts(world):
    """Ranges of a text key, which the server sorts in its own way."""
    world.config(load_part_rows=2000, load_parallel=3)
    world.on_source(
        "CREATE TABLE big (k varchar(20) COLLATE \"en-US-x-icu\" PRIMARY KEY, "
        "n int, body text); INSERT INTO big SELECT "
        "CASE WHEN i % 2 = 0 THEN 'k' ELSE 'K' END || i, i, "
        "repeat(md5(i::text), i % 50) FROM generate_series(1, 20000) AS i; "
        "ANALYZE big")
    mapping = world.add_mapping("big")
    world.start()
    world.load(mapping)
    assert rows(world.on_dest("SELECT * FROM big")) == \
        rows(world.on_source("SELECT * FROM big"))


def test_partitions_views_and_odd_names(world):
    world.on_source(
        "CREATE SCHEMA \"Odd \"\"one\"; CREATE TABLE \"Odd \"\"one\".\"a;b\" ("
        "\"i d\" int PRIMARY KEY, \"quo\"\"te\" text); "
        "INSERT INTO \"Odd \"\"one\".\"a;b\" VALUES (1, 'x'); "
        "CREATE TABLE parted (id int PRIMARY KEY, v text) "
        "PARTITION BY HASH (id); "
        "CREATE TABLE p0 PARTITION OF parted FOR VALUES WITH (MODULUS 2, "
        "REMAINDER 0); CREATE TABLE p1 PARTITION OF parted FOR VALUES WITH "
        "(MODULUS 2, REMAINDER 1); "
        "INSERT INTO parted SELECT i, 'v' || i FROM generate_series(1, 500) i;"
        "CREATE VIEW seen AS SELECT id, upper(v) AS v FROM parted "
        "WHERE id < 50; CREATE TABLE bare (a int, b text); "
        "INSERT INTO bare VALUES (1, 'x'), (1, 'x'), (NULL, NULL)")
    mappings = [world.add_mapping("a;b", "odd", source_schema='Odd "one'),
                world.add_mapping("parted"), world.add_mapping("seen"),
                world.add_mapping("bare")]
    world.start()
    for mapping in mappings:
        world.load(mapping)
    assert world.on_dest("SELECT * FROM odd") == [(1, "x")]
    for table in ("parted", "seen", "bare"):
        assert rows(world.on_dest(f"SELECT * FROM {table}")) == \
            rows(world.on_source(f"SELECT * FROM {table}"))


def test_keys_of_text(world):
    """Of any length, and in upper and lower case."""
    world.on_source("CREATE TABLE t (k text PRIMARY KEY, n int); "
                    "INSERT INTO t VALUES ('a', 1), ('A', 2), ('\u00e9', 3), "
                    "(repeat('x', 450), 4); "
                    "CREATE TABLE b (k bytea, c varchar(5), n int, "
                    "PRIMARY KEY (k, c)); "
                    "INSERT INTO b VALUES ('\\x', 'a', 1), ('\\x00', 'A', 2)")
    mappings = [world.add_mapping("t"), world.add_mapping("b")]
    world.start()
    for mapping in mappings:
        world.load(mapping)
    for table in "tb":
        assert rows(world.on_dest(f"SELECT * FROM {table}")) == \
            rows(world.on_source(f"SELECT * FROM {table}"))
    world.on_source("INSERT INTO t VALUES (repeat('y', 451), 5)")
    world.request(mappings[0], "FULL_SYNC")
    dataflow.wait_for(lambda: world.errors(mappings[0]), 30)
    assert "'k'" in world.errors(mappings[0])[0][1]
    assert len(world.on_dest("SELECT * FROM t")) == 4


def test_trigger_column(world):
    world.on_source("CREATE TABLE t (id int PRIMARY KEY, v text, "
                    "sync boolean); INSERT INTO t SELECT i, 'a', false "
                    "FROM generate_series(1, 10) AS i")
    mapping = world.add_mapping("t", full_sync_trigger_column="sync")
    world.start()
    world.load(mapping)
    world.on_source("UPDATE t SET v = 'b', sync = id < 4")
    dataflow.wait_for(lambda: world.on_dest(
        "SELECT COUNT(*) FROM t WHERE v = N'b' AND sync = 0") == [(10,)], 30)
    dataflow.wait_for(lambda: world.on_source(
        "SELECT count(*) FROM t WHERE sync") == [(0,)], 30)


@pytest.mark.parametrize("table, kind, words", [
    ("CREATE TABLE t (id int PRIMARY KEY, d date);"
     "INSERT INTO t VALUES (1, 'infinity')", "DATA", ["'d'", "infinity"]),
    ("CREATE TABLE t (id int PRIMARY KEY, d timestamp);"
     "INSERT INTO t VALUES (1, '0044-03-15 BC')", "DATA", ["'d'", "years"]),
    ("CREATE TABLE t (id int PRIMARY KEY, n numeric(5,2));"
     "INSERT INTO t VALUES (1, 'NaN')", "DATA", ["'n'", "NaN"]),
    ("CREATE TABLE t (id int PRIMARY KEY, f float8);"
     "INSERT INTO t VALUES (1, 'NaN')", "DATA", ["'f'", "NaN"]),
    ("CREATE TABLE t (id int PRIMARY KEY, r real);"
     "INSERT INTO t VALUES (1, '-Infinity')", "DATA", ["'r'", "infinite"]),
    ("CREATE TABLE other (id int PRIMARY KEY)", "SCHEMA",
     ["does not exist", "public.t"]),
])
def test_what_cannot_be_carried(world, table, kind, words):
    world.on_source(table)
    mapping = world.add_mapping("t")
    world.start()
    dataflow.wait_for(lambda: world.errors(mapping), 30)
    message = world.errors(mapping)[0][1]
    for word in words:
        assert word in message, message
    assert not world.has_table("t") or \
        not world.on_dest("SELECT * FROM t")


def test_schema_dbo(world):
    world.on_source("CREATE TABLE t (id int PRIMARY KEY)")
    mapping = world.add_mapping("t", source_schema="dbo")
    world.start()
    dataflow.wait_for(lambda: world.errors(mapping), 30)
    assert "source_schema" in world.errors(mapping)[0][1]


def test_rights(world, server):
    """A login that may do nothing is told the very statements that help."""
    world.on_source("CREATE SCHEMA app; "
                    "CREATE TABLE app.t (id int PRIMARY KEY); "
                    "INSERT INTO app.t VALUES (1)")
    server.psql(f"CREATE ROLE \"low {world.src_db}\" LOGIN PASSWORD 'low-x'")
    text = server.connection_string(**{
        "user id": f"low {world.src_db}", "password": "low-x"})
    number = world.add_server("low", text)
    mapping = world.add_mapping("t", source_schema="app", server_id=number)
    done = dataflow.run("check", env=world.environment())
    for grant in ('GRANT USAGE ON SCHEMA "app" TO "low',
                  'GRANT SELECT ON "app"."t" TO "low'):
        assert grant in done.stdout, done.stdout
    world.start()
    dataflow.wait_for(lambda: world.errors(mapping), 30)
    assert "GRANT" in world.errors(mapping)[0][1]
    world.on_source(f"GRANT USAGE ON SCHEMA app TO \"low {world.src_db}\"; "
                    f"GRANT SELECT ON app.t TO \"low {world.src_db}\"")
    world.load(mapping)
    assert world.on_dest("SELECT id FROM t") == [(1,)]
    # Rows that a policy hides are no reason to lose them.
    world.on_source("ALTER TABLE app.t ENABLE ROW LEVEL SECURITY")
    world.request(mapping, "FULL_SYNC")
    dataflow.wait_for(lambda: world.errors(mapping), 30)
    assert "BYPASSRLS" in world.errors(mapping)[0][1]
    assert world.on_dest("SELECT id FROM t") == [(1,)]


def test_login_by_url_and_password_file(world, server, tmp_path):
    world.on_source("CREATE TABLE t (id int PRIMARY KEY); "
                    "INSERT INTO t VALUES (7)")
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"{server.host}:{server.port}:*:{server.user}:"
                        f"{server.password}\n")
    passfile.chmod(0o600)
    services = tmp_path / "services"
    services.write_text(f"[ours]\nhost={server.host}\nport={server.port}\n"
                        f"user={server.user}\npassword={server.password}\n")
    strings = [
        f"postgresql://{server.user}:${{env:URL_SECRET}}@{server.host}:"
        f"{server.port}/postgres?sslmode=prefer",
        f"postgres://{server.user}@{server.host}:{server.port}/?"
        f"passfile={str(passfile).replace('/', '%2F')}",
        f"server={server.host},{server.port};user id={server.user};"
        f"passfile={passfile}",
        "service=ours",
    ]
    mappings = [world.add_mapping(
        "t", f"t{i}", server_id=world.add_server(f"s{i}", text, "Postgres"))
        for i, text in enumerate(strings)]
    world.start(URL_SECRET=server.password, PGSERVICEFILE=str(services))
    for i, mapping in enumerate(mappings):
        world.load(mapping)
        assert world.on_dest(f"SELECT id FROM t{i}") == [(7,)]
    assert server.password not in world.log()


def test_server_that_comes_back(world, server):
    world.on_source("CREATE TABLE t (id int PRIMARY KEY); "
                    "INSERT INTO t VALUES (7)")
    server.stop()
    mapping = world.add_mapping("t")
    world.start()
    dataflow.wait_for(lambda: world.errors(mapping), 30)
    assert world.errors(mapping)[0][0] == "CONNECTION"
    assert "refused" in world.errors(mapping)[0][1]
    server.start()
    world.load(mapping)
    dataflow.wait_for(lambda: not world.errors(mapping), 30)
    assert world.on_dest("SELECT id FROM t") == [(7,)]


@contextlib.contextmanager
def deaf_port(server, accepts):
    """Of a host that hangs up on nobody; nor does it answer."""
    if accepts:
        with Relay((server.host, server.port)) as relay:
            relay.freeze()
            yield relay.port
        return
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((server.host, 0))
        listener.listen(0)
        for _ in range(3):  # then the line is full, and nobody else gets in
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.mark.parametrize("accepts", [False, True])
def test_a_host_that_says_nothing_is_passed_over(world, server, tmp_path,
                                                 accepts):
    world.config(connect_timeout_seconds=1, max_retry_attempts=1)
    world.on_source("CREATE TABLE t (id int PRIMARY KEY); "
                    "INSERT INTO t VALUES (7)")
    services = tmp_path / "services"
    with deaf_port(server, accepts) as deaf:
        hosts, ports = f"{server.host},{server.host}", f"{deaf},{server.port}"
        services.write_text(f"[ours]\nhost={hosts}\nport={ports}\n")
        login = f";user id={server.user};password={server.password}"
        strings = [
            f"server={hosts};port={ports};target session attrs=read-write",
            f"host={server.host},{hosts};port={deaf},{ports};"
            "target session attrs=prefer-standby",
            f"hostaddr={hosts};port={ports}",
            "service=ours",
            # nobody else is there, or the other one does not want us
            f"host={server.host};port={deaf}",
            f"host={hosts},{server.host};port={ports},{deaf};"
            "target session attrs=standby"]
        mappings = [world.add_mapping(
            "t", f"t{i}", server_id=world.add_server(f"s{i}", text + login))
            for i, text in enumerate(strings)]
        daemon = world.start(PGSERVICEFILE=str(services))
        for i, mapping in enumerate(mappings[:4]):
            world.load(mapping, 20)
            assert world.on_dest(f"SELECT id FROM t{i}") == [(7,)]
        for mapping, words in zip(mappings[4:], (
                "no answer within 1 s", "others did not answer in time")):
            dataflow.wait_for(lambda: world.errors(mapping), 20)
            assert words in world.errors(mapping)[0][1]
        code, seconds = daemon.stop()
        assert code == 0 and seconds < 5


def test_a_stop_cuts_a_wait_short(world, server):
    """The read waits for a lock; nothing is left running at the server."""
    world.on_source("CREATE TABLE t (id int PRIMARY KEY)")
    holder = server.connect(world.src_db)
    holder.autocommit = False
    holder.cursor().execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
    world.add_mapping("t")
    daemon = world.start()
    waiting = ("SELECT count(*) FROM pg_stat_activity WHERE "
               "wait_event_type = 'Lock' AND application_name LIKE 'dbaops%'")
    dataflow.wait_for(lambda: server.query(waiting) != [(0,)], 30)
    daemon.stop()
    dataflow.wait_for(lambda: server.query(waiting) == [(0,)], 10)
    holder.close()


def test_large_values(world):
    """Larger than a batch; compressed in their rows, and outside of them."""
    world.on_source(
        "CREATE TABLE t (id int PRIMARY KEY, body text, raw bytea, j jsonb); "
        "INSERT INTO t SELECT i, repeat('x', 9000000), NULL, NULL "
        "FROM generate_series(1, 3) AS i; "
        "INSERT INTO t SELECT 10 + i, (SELECT string_agg(md5((i * k)::text), "
        "'') FROM generate_series(1, 150000) AS k), NULL, NULL "
        "FROM generate_series(1, 2) AS i; "
        "INSERT INTO t SELECT 20 + i, 'small', decode(repeat('00ff', 500000),"
        " 'hex'), jsonb_build_array(repeat('y', 200000), i) "
        "FROM generate_series(1, 3) AS i; "
        "INSERT INTO t SELECT 100 + i, 'row ' || i "
        "FROM generate_series(1, 2000) AS i")
    mapping = world.add_mapping("t")
    daemon = world.start()
    world.load(mapping, 120)
    peak = daemon.peak_mib()
    print(f"peak: {peak:.0f} MiB")
    if dataflow.slowness() == 1:
        assert peak < 256
    found = world.on_dest("SELECT id, body, raw, j FROM t ORDER BY id")
    wanted = world.on_source("SELECT id, body, raw, j::text FROM t "
                             "ORDER BY id")
    assert [tuple(map(plain, row)) for row in found] == \
        [tuple(map(plain, row)) for row in wanted]


@pytest.mark.parametrize("how", ["cut", "freeze"])
def test_network_that_breaks(world, server, how):
    """In the middle of a read; the next attempt brings all of it."""
    world.config(query_timeout_seconds=3)
    world.on_source("CREATE TABLE t (id int PRIMARY KEY, v text); "
                    "INSERT INTO t SELECT i, repeat(md5(i::text), 30) "
                    "FROM generate_series(1, 20000) AS i")
    relay = Relay(port_of(world.source))
    try:
        text = server.connection_string(**{"server": relay.address,
                                           "connect timeout": 2})
        number = world.add_server("relayed", text)
        relay.freeze_after(3000000, by_client=False)
        mapping = world.add_mapping("t", server_id=number)
        world.start()
        dataflow.wait_for(relay.is_frozen, 60)
        if how == "cut":
            relay.cut()
        dataflow.wait_for(lambda: world.errors(mapping), 60)
        assert world.errors(mapping)[0][0] == "CONNECTION"
        relay.thaw()
        world.load(mapping, 60)
        assert rows(world.on_dest("SELECT * FROM t")) == \
            rows(world.on_source("SELECT * FROM t"))
    finally:
        relay.close()


# -- encryption

@pytest.fixture(scope="module")
def encrypted(tmp_path_factory):
    """A server that takes nobody without encryption, and the user 'certain'
    only by a certificate."""
    folder = tmp_path_factory.mktemp("tls")
    ours = Authority(folder / "ours")
    other = Authority(folder / "other", "Other CA")
    with postgresql.Postgresql() as started:
        cert, key = ours.issue("server")
        client = ours.issue("certain")
        for source, name in ((cert, "server.crt"), (key, "server.key"),
                             (ours.file, "root.crt")):
            path = os.path.join(started.data, name)
            shutil.copy(source, path)
            owner = os.stat(started.data)
            os.chown(path, owner.st_uid, owner.st_gid)
            os.chmod(path, 0o600)
        started.query("CREATE ROLE certain LOGIN SUPERUSER")
        with open(os.path.join(started.data, "pg_hba.conf"), "w",
                  encoding="utf-8") as file:
            file.write("hostssl all certain 127.0.0.1/32 cert\n"
                       "hostssl all all 127.0.0.1/32 scram-sha-256\n")
        started.restart(ssl="on", ssl_ca_file="root.crt")
        yield started, ours, other, client


def test_encryption(encrypted, dest_server, tmp_path):
    server, ours, other, client = encrypted
    world = PostgresqlWorld(server, dest_server, tmp_path)
    try:
        world.init()
        world.on_source("CREATE TABLE t (id int PRIMARY KEY); "
                        "INSERT INTO t VALUES (7)")
        good = [
            server.connection_string(sslmode="require"),
            server.connection_string(**{"sslmode": "verify-full",
                                        "ssl root cert": ours.file}),
            f"server={server.host},{server.port};user id=certain;"
            f"sslmode=verify-full;sslrootcert={ours.file};"
            f"ssl cert={client[0]};ssl key={client[1]}",
        ]
        bad = [
            server.connection_string(sslmode="disable"),
            server.connection_string(**{"sslmode": "verify-full",
                                        "ssl root cert": other.file}),
            f"server={server.host},{server.port};user id=certain;"
            "sslmode=require",
        ]
        mappings = [world.add_mapping(
            "t", f"t{i}", server_id=world.add_server(f"s{i}", text))
            for i, text in enumerate(good + bad)]
        world.start()
        for mapping in mappings[:3]:
            world.load(mapping)
        for mapping, word in zip(mappings[3:], (
                "no encryption", "certificate verify failed",
                "certificate")):
            dataflow.wait_for(lambda: world.errors(mapping), 30)
            kind, message, _ = world.errors(mapping)[0]
            assert kind == "CONNECTION" and word in message, message
            assert server.password not in message
    finally:
        world.close()
