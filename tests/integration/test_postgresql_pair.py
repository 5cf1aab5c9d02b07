"""From one PostgreSQL to another everything arrives as it is: by a load, by
changes, and compared. What psql prints of both tables is the same, byte by byte.
"""
import pytest

from support import dataflow, postgresql
from support.postgresql_world import PostgresqlPair

postgresql.skip_unless_installed()


@pytest.fixture(scope="module")
def servers():
    with postgresql.Postgresql() as source, postgresql.Postgresql(
            timezone="Asia/Tokyo", datestyle="iso, ymd") as dest:
        yield source, dest


@pytest.fixture
def pair(servers, dest_server, tmp_path):
    world = PostgresqlPair(servers[0], dest_server, tmp_path, servers[1])
    world.init()
    yield world
    world.close()


TYPES = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'very happy');
CREATE DOMAIN email AS varchar(60) CHECK (VALUE LIKE '%@%');
CREATE TYPE pair AS (a int, b text);
CREATE EXTENSION citext; CREATE EXTENSION hstore;
"""

# Types that both databases have; then their values.
COLUMNS = [
    ("boolean", ["true", "false"]),
    ("smallint", ["-32768"]), ("integer", ["2147483647"]),
    ("bigint", ["-9223372036854775808"]), ("oid", ["4294967295"]),
    ("real", ["'NaN'", "'-Infinity'", "0.1", "-0.0"]),
    ("double precision", ["'NaN'", "'Infinity'", "0.1", "1e-320"]),
    ("numeric(12,2)", ["'NaN'", "-9999999999.99", "0.01"]),
    ("numeric(5,-2)", ["1234567", "-100"]),
    ("numeric(3,5)", ["0.00123"]),
    ("numeric", ["'NaN'", "'Infinity'", "1.500", "1e200", "1e-100"]),
    ("numeric(100,50)", ["1.5", "1" * 50 + "." + "2" * 50]),
    ("money", ["'-1234.56'"]),
    ("char(5)", ["'ab'"]), ("varchar(20)", ["'a b '", "'z\u00fcrich'"]),
    ("text", ["''", "repeat('x\u20ac', 50000)", "E'\\t\\n\\\\N\\x01'"]),
    ("name", ["'n'"]), ("\"char\"", ["'x'"]),
    ("bytea", ["''", "'\\x00ff10'"]),
    ("date", ["'infinity'", "'-infinity'", "'4713-01-01 BC'",
              "'5874897-12-31'", "'2020-02-29'"]),
    ("time", ["'24:00'", "'23:59:59.999999'"]),
    ("timetz", ["'12:00:00.5+02'"]),
    ("timestamp", ["'infinity'", "'-infinity'", "'0044-03-15 12:00 BC'",
                   "'294276-12-31 23:59:59.999999'"]),
    ("timestamp(3)", ["'2020-01-01 01:02:03.456'"]),
    ("timestamptz", ["'infinity'", "'4713-12-01 00:00+00 BC'",
                     "'2020-06-01 12:00:00.000001+02'"]),
    ("interval", ["'1 year 2 mons -3 days 04:05:06.7'",
                  "'-178000000 years'"]),
    ("uuid", ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"]),
    ("json", ["'{\"a\": 1,  \"a\": [true, null]}'"]),
    ("jsonb", ["'{\"b\": 1.50, \"a\": \"\u00e9\"}'", "'1e500'"]),
    ("xml", ["'<a b=\"1\">x</a>'"]),
    ("inet", ["'10.0.0.1'", "'::1/64'"]), ("cidr", ["'10.0.0.0/8'"]),
    ("macaddr", ["'08:00:2b:01:02:03'"]),
    ("bit(3)", ["B'101'"]), ("bit varying", ["B''", "B'1'"]),
    ("integer[]", ["'{}'", "'{{1,2},{3,NULL}}'", "'[2:3]={1,2}'"]),
    ("text[]", ["ARRAY['a b', 'c\"d', NULL, '', 'NULL']"]),
    ("timestamptz[]", ["ARRAY['2020-01-01 00:00+00'::timestamptz]"]),
    ("int4range", ["'[1,5)'", "'empty'"]),
    ("numrange", ["'[1.50,)'"]),
    ("tstzrange", ["'[2020-01-01 00:00+00,infinity]'"]),
    ("datemultirange", ["'{[2020-01-01,2020-02-01)}'"]),
    ("point", ["'(1.5,-2)'"]), ("polygon", ["'((0,0),(1,1),(1,0))'"]),
    ("tsvector", ["'''a b'':1A,2'"]), ("tsquery", ["'a & b'"]),
    ("pg_lsn", ["'16/B374D848'"]), ("jsonpath", ["'$.a[*]'"]),
    ("regclass", ["'pg_class'"]),
    ("mood", ["'very happy'"]), ("mood[]", ["'{sad,\"very happy\"}'"]),
    ("email", ["'a@b'"]), ("pair", ["ROW(1, 'x y')", "ROW(NULL, '')"]),
    ("citext", ["'AbC'"]), ("hstore", ["'a=>1, b=>NULL'"]),
]


def fill(world, first):
    """A row for each value; the rest of it is NULL."""
    for row in range(max(len(values) for _, values in COLUMNS)):
        given = [(i, values[row]) for i, (_, values) in enumerate(COLUMNS)
                 if row < len(values)]
        names = "".join(f", c{i}" for i, _ in given)
        texts = "".join(f", {value}" for _, value in given)
        world.on_source(f"INSERT INTO every (id{names}) "
                        f"VALUES ({first + row}{texts})")


def ask(world, mapping, kind):
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
        "SELECT verification_status, mismatches_found FROM verification_logs "
        "ORDER BY verification_id DESC")[0]


@pytest.mark.threads
def test_every_type_as_it_is(pair):
    pair.postgresql.psql(TYPES, pair.src_db)
    pair.there.psql(TYPES, pair.dst_db)
    pair.on_source("CREATE TABLE every (id int PRIMARY KEY, " + ", ".join(
        f"c{i} {kind}" for i, (kind, _) in enumerate(COLUMNS)) + ")")
    fill(pair, 1)
    mapping = pair.add_mapping("every", verification_interval_minutes=0)
    pair.start()
    pair.wait_same()
    made = [server.query(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = 'public.every'::regclass AND attnum > 0 "
        "ORDER BY attnum", database) for server, database in (
            (pair.postgresql, pair.src_db), (pair.there, pair.dst_db))]
    under = {"email": "character varying(60)"}
    assert [(n, under.get(t, t)) for n, t in made[0]] == made[1]
    # the same by the log
    fill(pair, 100)
    pair.on_source("UPDATE every SET id = id + 1000 WHERE id = 2; "
                   "DELETE FROM every WHERE id = 3")
    pair.wait_same()
    assert ask(pair, mapping, "VERIFY") == ("PASSED", 0)
    pair.there.query("UPDATE every SET c0 = NOT c0 WHERE id = 1; "
                     "DELETE FROM every WHERE id = 4", pair.dst_db)
    assert ask(pair, mapping, "VERIFY")[0] == "FAILED"
    ask(pair, mapping, "REPAIR")
    pair.wait_same(timeout=5)


@pytest.mark.parametrize("kind, values", [
    ("date", ["'infinity'", "'0044-03-15 BC'", "'5874897-12-31'"]),
    ("timestamp", ["'-infinity'", "'0044-03-15 12:00 BC'", "'2020-01-01'"]),
    ("numeric(9,2)", ["'NaN'", "1.5", "-3"]),
    ("numeric", ["1.5", "'NaN'", "1e40"]),
    ("interval", ["'1 day'", "'1 mon'", "'-1 sec'"]),
    ("text COLLATE \"C\"", ["'a'", "'A'", "'a '"]),
    ("inet", ["'10.0.0.1'", "'10.0.0.1/8'", "'::1'"]),
    ("bytea", ["''", "'\\x00'", "'\\xff'"]),
])
def test_keys_that_only_postgresql_has(pair, kind, values):
    pair.on_source(f"CREATE TABLE every (id {kind} PRIMARY KEY, n int); "
                   f"INSERT INTO every VALUES ({values[0]}, 1), "
                   f"({values[1]}, 2)")
    mapping = pair.add_mapping("every", verification_interval_minutes=0)
    pair.start()
    pair.wait_same()
    pair.on_source(f"INSERT INTO every VALUES ({values[2]}, 3); "
                   f"UPDATE every SET n = 20 WHERE id = {values[1]}; "
                   f"DELETE FROM every WHERE id = {values[0]}")
    pair.wait_same()
    assert ask(pair, mapping, "VERIFY") == ("PASSED", 0)
    pair.there.query(f"UPDATE every SET n = 21 WHERE id = {values[1]}; "
                     f"DELETE FROM every WHERE id = {values[2]}", pair.dst_db)
    assert ask(pair, mapping, "VERIFY") == ("FAILED", 2)
    ask(pair, mapping, "REPAIR")
    pair.wait_same(timeout=5)


@pytest.mark.parametrize("partitioned", [False, True])
def test_a_load_into_an_empty_table_that_must_stay(pair, partitioned):
    """A view keeps it from being swapped. The server knows that it is empty, and
    would read it again for each row that comes."""
    definition = "(id int PRIMARY KEY, v text)"
    if partitioned:
        definition += (" PARTITION BY HASH (id); CREATE TABLE p0 PARTITION OF "
                       "every FOR VALUES WITH (MODULUS 2, REMAINDER 0); "
                       "CREATE TABLE p1 PARTITION OF every FOR VALUES WITH "
                       "(MODULUS 2, REMAINDER 1)")
    pair.on_source("CREATE TABLE every (id int PRIMARY KEY, v text); "
                   "INSERT INTO every SELECT i, md5(i::text) "
                   "FROM generate_series(1, 20000) AS i")
    pair.there.psql(f"CREATE TABLE every {definition}; "
                    "CREATE VIEW seen AS SELECT * FROM every;\n"
                    "VACUUM ANALYZE every;\n", pair.dst_db)
    mapping = pair.add_mapping("every", verification_interval_minutes=0)
    pair.start()
    pair.load(mapping)
    pair.wait_same(timeout=10)
    pair.on_source("DELETE FROM every WHERE id > 5")
    pair.wait_same()
    pair.on_source("INSERT INTO every SELECT i, md5(i::text) "
                   "FROM generate_series(6, 20000) AS i")
    pair.wait_same()
    for table in ("p0", "p1") if partitioned else ("every",):
        assert pair.table_reads(table) < 100
    assert not pair.errors()


def test_names_that_differ_in_case_alone(pair):
    """Two tables here, loaded and followed side by side."""
    names = ("Orders", "orders")
    for number, name in enumerate(names):
        pair.on_source(f'CREATE TABLE "{name}" (id int PRIMARY KEY, n int)')
        pair.on_source(f'INSERT INTO "{name}" VALUES ({number}, 0)')
    mappings = [pair.add_mapping(name) for name in names]
    pair.start()
    for mapping in mappings:
        pair.load(mapping)
    for name in names:
        pair.on_source(f'UPDATE "{name}" SET n = id + 1')

    def arrived():
        return [pair.there.query(f'SELECT id, n FROM "{name}"', pair.dst_db)
                for name in names] == [[(0, 1)], [(1, 2)]]
    dataflow.wait_for(arrived)
    assert pair.errors() == []
    # But a second mapping onto the very same one is refused as ever.
    again = pair.add_mapping("orders", "Orders", cdc=0)
    dataflow.wait_for(lambda: pair.errors(again))
    assert f"mapping {mappings[0]} too" in pair.errors(again)[0][1]
