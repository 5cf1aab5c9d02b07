"""From one PostgreSQL to another everything arrives as it is: by a load, by
changes, and compared. What psql prints of both tables is the same, byte by byte.
"""
import contextlib
import threading
import time

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


@pytest.mark.parametrize("kind, values", [
    ("citext", ["'A'", "'b'", "'c'", "'a'"]),
    ("ltree", ["'A.b'", "'b'", "'b.c'", "'a.b'"]),
])
def test_keys_of_an_extension(pair, kind, values):
    """Its operators are in no search path of ours."""
    for server, database in ((pair.postgresql, pair.src_db),
                             (pair.there, pair.dst_db)):
        server.psql(f"CREATE EXTENSION {kind}", database)
    pair.on_source(f"CREATE TABLE every (id {kind} PRIMARY KEY, n int); "
                   f"INSERT INTO every VALUES ({values[0]}, 1), "
                   f"({values[1]}, 2)")
    pair.there.psql(f"CREATE TABLE every (id {kind} PRIMARY KEY, n int); "
                    "CREATE VIEW v AS SELECT * FROM every", pair.dst_db)
    mapping = pair.add_mapping("every", verification_interval_minutes=0)
    pair.start()
    pair.load(mapping)
    pair.wait_same()
    pair.on_source(f"UPDATE every SET id = {values[3]} WHERE n = 1; "
                   f"INSERT INTO every VALUES ({values[2]}, 3)")
    pair.wait_same()
    pair.on_source(f"UPDATE every SET n = 20 WHERE id = {values[1]}; "
                   f"DELETE FROM every WHERE id = {values[2]}")
    pair.wait_same()
    assert ask(pair, mapping, "VERIFY") == ("PASSED", 0)
    pair.there.query("UPDATE every SET n = 21", pair.dst_db)
    ask(pair, mapping, "REPAIR")
    pair.wait_same(timeout=5)
    assert pair.control("SELECT * FROM error_logs") == []


NARROWER = [
    ("varchar(10)[]", "varchar(3)[]", "'{abcdef}'"),
    ("numeric(60,10)", "numeric(50,2)", "1.23456"),
    ("interval", "interval(0)", "'1.6 s'"),
    ("interval", "interval year to month", "'1 year 1 day'"),
    ("timetz", "timetz(0)", "'12:00:00.7+02'"),
    ("numeric[]", "numeric(10,2)[]", "'{1.239}'"),
    ("bit(3)[]", "bit(5)[]", "'{101}'"),
    ("text", '"char"', "'xyz'"),
]


def test_what_the_server_would_cut_is_refused(pair):
    """By a cast it cuts and rounds, and says nothing."""
    pair.on_source("CREATE TABLE every (id int PRIMARY KEY, " + ", ".join(
        f"c{i} {kind}" for i, (kind, _, _) in enumerate(NARROWER)) + "); "
        "INSERT INTO every VALUES (1, " + ", ".join(
            value for _, _, value in NARROWER) + ")")
    pair.there.query("CREATE TABLE every (id int PRIMARY KEY, " + ", ".join(
        f"c{i} {kind}" for i, (_, kind, _) in enumerate(NARROWER)) + ")",
        pair.dst_db)
    mapping = pair.add_mapping("every", verification_interval_minutes=0)
    pair.config(max_retry_attempts=1)
    pair.start()
    error = dataflow.wait_for(lambda: pair.errors(mapping), 30)[0][1]
    assert f"{len(NARROWER)} differences" in error, error
    assert "'c1' is numeric(60,10) in the source, but numeric(50,2) in " \
        "the destination" in error, error
    assert "without limits" in error, error
    assert pair.there.query("SELECT * FROM every", pair.dst_db) == []
    pair.there.query("ALTER TABLE every " + ", ".join(
        f"ALTER c{i} TYPE {kind} USING NULL"
        for i, (kind, _, _) in enumerate(NARROWER)), pair.dst_db)
    pair.wait_same()


def test_wider_limits_take_all(pair):
    """Same types, with more room; and six digits are all that there are."""
    kinds = [("varchar(3)[]", "varchar(9)[]", "'{abc}'"),
             ("numeric(50,3)", "numeric(60,4)", "1.234"),
             ("numeric(50,3)", "numeric", "1.234"),
             ("interval(3)", "interval(6)", "'1.234 s'"),
             ("timetz", "timetz(6)", "'12:00:00.123456+02'")]
    for query, at in (pair.on_source, 0), (lambda sql: pair.there.query(
            sql, pair.dst_db), 1):
        query("CREATE TABLE every (id int PRIMARY KEY, " + ", ".join(
            f"c{i} {kind[at]}" for i, kind in enumerate(kinds)) + ")")
    values = ", ".join(kind[2] for kind in kinds)
    pair.on_source(f"INSERT INTO every VALUES (1, {values})")
    pair.add_mapping("every", verification_interval_minutes=0)
    pair.start()
    columns = "id, c0, c1 + 0.0000 AS c1, c2, c3, c4"
    pair.wait_same(columns)
    pair.on_source(f"INSERT INTO every VALUES (2, {values})")
    pair.wait_same(columns)
    assert not pair.errors()


# ------------------------------------------------- rows that go with others

OUT_OF_LINE = "(SELECT string_agg(md5(i::text), '') " \
    "FROM generate_series(1, 200) AS i)"


@contextlib.contextmanager
def busy(pair, statement):
    """Somebody runs it without a pause."""
    over = threading.Event()

    def work():
        while not over.is_set():
            pair.on_source(statement)
            time.sleep(0.02)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_row_whose_log_tells_a_part_of_it_is_judged_and_repaired(pair):
    """Changes that leave out long values have written the others, and no row
    that was missing; what they leave out is compared as it was before them."""
    pair.on_source("CREATE TABLE busy (id int PRIMARY KEY, n int, a text, "
                   "b text); ALTER TABLE busy ALTER a SET STORAGE EXTERNAL, "
                   "ALTER b SET STORAGE EXTERNAL; INSERT INTO busy SELECT g, "
                   "0, repeat('a', 4000), repeat('b', 4000) "
                   "FROM generate_series(1, 50) AS g")
    mapping = pair.add_mapping("busy")
    pair.start()
    pair.wait_same(table="busy")
    with busy(pair, "UPDATE busy SET n = n + 1 WHERE id IN (7, 8, 9)"), \
            busy(pair, "UPDATE busy SET b = repeat('B', 4000 + (random() * "
                       "99)::int) WHERE id IN (8, 9)"):
        time.sleep(0.5)
        assert ask(pair, mapping, "VERIFY") == ("PASSED", 0)
        pair.there.query("DELETE FROM busy WHERE id IN (7, 8)", pair.dst_db)
        pair.there.query("UPDATE busy SET a = 'wrong' WHERE id = 9",
                         pair.dst_db)
        assert ask(pair, mapping, "VERIFY") == ("FAILED", 3)
        assert ask(pair, mapping, "REPAIR") == ("PASSED", 3)
        assert ask(pair, mapping, "VERIFY") == ("PASSED", 0)
        pair.there.query("DELETE FROM busy WHERE id = 8", pair.dst_db)
        pair.control("INSERT INTO sync_requests (mapping_id, request_type, "
                     f"where_condition) VALUES ({mapping}, N'RESYNC', "
                     "N'id BETWEEN 8 AND 9')")
        dataflow.wait_for(lambda: pair.control(
            "SELECT COUNT(*) FROM sync_requests WHERE state = N'COMPLETED'")
            == [(5,)], 60)
        assert pair.control("SELECT answer FROM sync_requests WHERE "
                            "request_type = N'RESYNC'") == [
                                ("2 rows copied again",)]
    pair.wait_same(table="busy")


def test_a_repair_keeps_changes_that_come_on_their_own(pair):
    """They tell a value of three megabytes, and leave another one out."""
    pair.on_source("CREATE TABLE busy (id int PRIMARY KEY, a text, b text); "
                   "ALTER TABLE busy ALTER a SET STORAGE EXTERNAL, "
                   "ALTER b SET STORAGE EXTERNAL; INSERT INTO busy "
                   "SELECT g, repeat('a', 4000), 'b' "
                   "FROM generate_series(1, 5) AS g")
    mapping = pair.add_mapping("busy")
    pair.start()
    pair.wait_same(table="busy")
    pair.there.query("DELETE FROM busy WHERE id = 3", pair.dst_db)
    with busy(pair, "UPDATE busy SET b = repeat('B', 3000000 + (random() * "
                    "99)::int) WHERE id = 3"):
        time.sleep(0.5)
        assert ask(pair, mapping, "REPAIR") == ("PASSED", 1)
    pair.wait_same(table="busy")


def prepare_family(pair):
    """A child whose text lies out of line, with foreign keys that follow the
    parent's key at the source and delete along with it at both ends."""
    tables = (
        "CREATE TABLE parent (id int PRIMARY KEY, v int); "
        "CREATE TABLE every (id int PRIMARY KEY, pid int REFERENCES parent "
        "ON UPDATE CASCADE ON DELETE CASCADE, n int, big text); "
        "ALTER TABLE every ALTER big SET STORAGE EXTERNAL")
    pair.on_source(tables)
    pair.there.psql(tables, pair.dst_db)
    pair.on_source("INSERT INTO parent VALUES (1, 1); "
                   "INSERT INTO every SELECT i, 1, 0, " + OUT_OF_LINE +
                   " FROM generate_series(1, 3) AS i")


def test_a_row_that_another_mapping_took_along_comes_back(pair):
    """The parent's new key deletes the old one there, and the child with it,
    before the child's own change, which does not tell all of it, arrives."""
    prepare_family(pair)
    pair.config(retry_delay_seconds=1)
    parent = pair.add_mapping("parent", verification_interval_minutes=0)
    pair.start()
    pair.load(parent)
    child = pair.add_mapping("every", verification_interval_minutes=0)
    pair.load(child)
    pair.on_source("UPDATE every SET n = n + 1")
    pair.wait_same()
    done = dataflow.run("check", env=pair.environment(), timeout=60)
    assert "every_pid_fkey of public.every (ON DELETE CASCADE)" \
        in done.stdout, done.stdout
    assert "every_pid_fkey of public.every (ON DELETE CASCADE)" in pair.log()
    pair.on_source("UPDATE parent SET id = 2 WHERE id = 1")
    pair.wait_same()
    pair.wait_same(table="parent")
    assert pair.control("SELECT COUNT(*) FROM error_logs WHERE error_message "
                        "LIKE N'%by foreign key every_pid_fkey%' AND "
                        f"mapping_id = {child}") == [(1,)], pair.errors()


@pytest.mark.parametrize("policy", ["PARK", "LOG"])
def test_a_refused_row_hides_none_that_was_taken_along(pair, policy):
    """Both in one window. The parent is deleted by hand, as its own mapping
    would do for a new key."""
    prepare_family(pair)
    pair.on_source("INSERT INTO parent VALUES (2, 2)")
    pair.there.query("ALTER TABLE every ADD CHECK (n < 100); "
                     "INSERT INTO parent VALUES (1, 1), (2, 2)", pair.dst_db)
    child = pair.add_mapping("every", verification_interval_minutes=0,
                             on_row_error=policy)
    pair.config(resync_on_gap=0)
    pair.start()
    pair.load(child)
    pair.on_source("UPDATE every SET n = n + 1")
    pair.wait_same()
    pair.there.query("DELETE FROM parent WHERE id = 1", pair.dst_db)
    pair.on_source("UPDATE every SET pid = 2; "
                   "INSERT INTO every VALUES (9, 2, 500, 'x')")
    message = dataflow.wait_for(lambda: pair.errors(child))[0][1]
    assert "3 of them" in message and "every_pid_fkey" in message, message
    assert pair.there.query("SELECT 1 FROM dataflow.exceptions",
                            pair.dst_db) == []
    pair.on_source("DELETE FROM every WHERE id = 9")
    pair.request(child, "FULL_SYNC")
    pair.wait_same()


OF_ITS_OWN = ("CREATE TABLE every (id int PRIMARY KEY, up int {}, big text); "
              "ALTER TABLE every ALTER big SET STORAGE EXTERNAL")


def follow_children(pair, table):
    pair.on_source(table)
    pair.there.psql(table, pair.dst_db)
    pair.on_source("INSERT INTO every VALUES (1, NULL, 'x'), (2, 1, "
                   f"{OUT_OF_LINE}), (3, 2, {OUT_OF_LINE})")
    mapping = pair.add_mapping("every", verification_interval_minutes=0)
    pair.start()
    pair.load(mapping)


def test_rows_are_not_taken_along_by_their_own_table(pair):
    """Likewise within one table: there, deletes come last."""
    follow_children(pair, OF_ITS_OWN.format(
        "REFERENCES every ON UPDATE CASCADE ON DELETE CASCADE"))
    pair.on_source("UPDATE every SET id = 10 WHERE id = 1")
    pair.wait_same()
    assert pair.control("SELECT error_message FROM error_logs") == []


def test_a_row_that_a_trigger_took_along_comes_back(pair):
    """Where the server does not say that the table refers to itself."""
    follow_children(pair, OF_ITS_OWN.format(""))
    pair.there.psql(
        "CREATE FUNCTION take() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "DELETE FROM public.every WHERE up = OLD.id; RETURN NULL; END $$; "
        "CREATE TRIGGER take AFTER DELETE ON every FOR EACH ROW "
        "EXECUTE FUNCTION take()", pair.dst_db)
    pair.on_source("UPDATE every SET id = 10 WHERE id = 1; "
                   "UPDATE every SET up = 10 WHERE up = 1")
    pair.wait_same()
    assert "ON DELETE CASCADE, or a trigger" in pair.control(
        "SELECT error_message FROM error_logs")[0][0]


def test_a_load_is_newer_than_what_follows_it(pair):
    """Changes of rows that were deleted before a load read the table, but after
    its position, are no rows that got lost. Here the load is made up."""
    prepare_family(pair)
    pair.config(cdc_window_transactions=1)
    parent = pair.add_mapping("parent", verification_interval_minutes=0)
    daemon = pair.start()
    pair.load(parent)
    pair.load(pair.add_mapping("every", verification_interval_minutes=0))
    pair.on_source("UPDATE every SET n = n + 1")
    pair.wait_same()
    daemon.stop()
    for step in range(3):
        pair.on_source(f"UPDATE every SET n = n + {step} WHERE id = 2")
    pair.on_source("DELETE FROM every WHERE id = 2")
    pair.there.query("DELETE FROM every WHERE id = 2", pair.dst_db)
    pair.there.query("UPDATE dataflow.checkpoints SET consistent_after = "
                     "now() AT TIME ZONE 'UTC'", pair.dst_db)
    pair.start()
    pair.on_source("INSERT INTO every VALUES (9, 1, 0, 'x')")
    pair.wait_same()
    assert pair.control("SELECT * FROM error_logs") == []


def park(pair):
    """A row of which a part is told once, and a copy that refuses some; the
    function that is returned tells what was put aside."""
    pair.on_source("CREATE TABLE every (id int PRIMARY KEY, n int, big text); "
                   "ALTER TABLE every ALTER big SET STORAGE EXTERNAL; "
                   "INSERT INTO every VALUES (1, 1, 'old')")
    pair.there.query("CREATE TABLE every (id int PRIMARY KEY, "
                     "n int CHECK (n < 100), big text)", pair.dst_db)
    mapping = pair.add_mapping("every", verification_interval_minutes=0,
                               on_row_error="PARK")
    pair.start()
    pair.load(mapping)
    return lambda: pair.there.query(
        "SELECT row_key FROM dataflow.exceptions", pair.dst_db)


def test_a_row_put_aside_stays_so_until_all_of_it_is_told(pair):
    aside = park(pair)
    pair.on_source(f"INSERT INTO every VALUES (5, 500, {OUT_OF_LINE})")
    dataflow.wait_for(lambda: aside() == [("5",)], 30)
    for n in (600, 7):
        pair.on_source(f"UPDATE every SET n = {n} WHERE id = 5; "
                       f"UPDATE every SET n = {n % 100} WHERE id = 1")
        dataflow.wait_for(lambda: pair.there.query(
            "SELECT id, n FROM every", pair.dst_db) == [(1, n % 100)], 30)
        assert aside() == [("5",)]
    pair.on_source("UPDATE every SET big = 'new' WHERE id = 5")
    pair.wait_same()
    assert aside() == []


def test_what_was_put_aside_is_not_over_by_a_part_of_it(pair):
    """A value that is refused, and with it another that the log tells once."""
    aside = park(pair)
    pair.on_source(f"UPDATE every SET n = 500, big = {OUT_OF_LINE}")
    dataflow.wait_for(lambda: aside() == [("1",)], 30)
    pair.on_source("UPDATE every SET n = 5")
    dataflow.wait_for(lambda: pair.there.query(
        "SELECT id, n, big FROM every", pair.dst_db) == [(1, 5, "old")], 30)
    assert aside() == [("1",)]
    assert len(pair.control("SELECT 1 FROM apply_exceptions "
                            "WHERE is_resolved = 0")) == 1
    pair.on_source("UPDATE every SET big = 'new'")
    pair.wait_same()
    assert aside() == []


def test_unique_values_change_places_where_others_refer(pair):
    """An ordinary foreign key looks at the end of a statement, and no sooner;
    the destination has columns of its own, of which one is generated."""
    pair.on_source("CREATE TABLE every (id int PRIMARY KEY, num int "
                   "NOT NULL, mail text UNIQUE DEFERRABLE INITIALLY "
                   "DEFERRED, big text, j json, r int4range); "
                   "ALTER TABLE every ALTER big SET STORAGE EXTERNAL; "
                   "INSERT INTO every SELECT i, i, 'm' || i, "
                   f"{OUT_OF_LINE}, '[]', int4range(i, i + 1) "
                   "FROM generate_series(1, 9) AS i")
    pair.there.psql(
        "CREATE TABLE every (j json, id int PRIMARY KEY, mail text UNIQUE, "
        "low text GENERATED ALWAYS AS (lower(mail)) STORED UNIQUE, "
        "note text DEFAULT 'ours', big text, "
        "num int GENERATED ALWAYS AS IDENTITY, "
        "r int4range, EXCLUDE USING gist (r WITH &&)); "
        "CREATE TABLE orders (u int REFERENCES every, "
        "m text REFERENCES every (mail))", pair.dst_db)
    mapping = pair.add_mapping("every", verification_interval_minutes=0)
    pair.start()
    pair.load(mapping)
    pair.there.query("INSERT INTO orders SELECT id, mail FROM every "
                     "WHERE id > 1; UPDATE every SET note = 'by hand'",
                     pair.dst_db)
    columns = "id, num, mail, big, j::text, r"
    for change in (
            "UPDATE every SET mail = 'm' || 5 - id WHERE id IN (2, 3)",
            "UPDATE every SET mail = 'm' || id % 9 + 1; "
            "UPDATE every SET big = 'new' WHERE id = 4",
            "UPDATE every SET r = int4range(10 - id, 11 - id)",
            "UPDATE every SET num = 10 - num WHERE id IN (7, 8); "
            "UPDATE every SET j = '{}' WHERE id = 9"):
        pair.on_source(change)
        pair.wait_same(columns=columns)
    assert pair.there.query("SELECT count(*), min(note), max(note) FROM every",
                            pair.dst_db) == [(9, "by hand", "by hand")]
    assert pair.control("SELECT * FROM error_logs") == []


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


@pytest.mark.parametrize("here, there, alike", [
    ('COLLATE "default"', 'COLLATE "default"', True),
    ('COLLATE "en-x-icu"', 'COLLATE "en-x-icu"', True),
    ('COLLATE "de-x-icu"', 'COLLATE "en-x-icu"', False),
    ('COLLATE "en-x-icu"', 'COLLATE "C"', False),
    ("int", "int", True), ("uuid", "uuid", True)])
def test_keys_are_sorted(pair, here, there, alike):
    """Both servers sum up what they have if both sort it by the same rules."""
    text = here.startswith("COLLATE")
    shape = "(id {} PRIMARY KEY, n int)"
    if text:
        shape = shape.format("varchar(20) {}")
    key = {"int": "i", "uuid": "md5(i::text)::uuid"}.get(
        here, "chr(65 + i % 58) || i")
    pair.on_source("CREATE TABLE every " + shape.format(here))
    pair.there.query("CREATE TABLE every " + shape.format(there), pair.dst_db)
    pair.on_source(f"INSERT INTO every SELECT {key}, i FROM "
                   "generate_series(1, 15000) i")
    mapping = pair.add_mapping("every", verification_interval_minutes=0)
    pair.start()
    pair.load(mapping)
    pair.there.query("UPDATE every SET n = -n WHERE n IN (7, 14000)",
                     pair.dst_db)
    pair.on_source(f"ALTER DATABASE {pair.src_db} SET log_statement = 'all'")
    pair.postgresql.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
        f"datname = '{pair.src_db}' AND pid <> pg_backend_pid()")
    before = len(pair.postgresql.log())
    assert ask(pair, mapping, "REPAIR")[1] == 2
    sums = "md5(" in pair.postgresql.log()[before:]
    assert sums == alike
    pair.wait_same(order='id COLLATE "C"' if text else "id")
    assert ask(pair, mapping, "VERIFY") == ("PASSED", 0)
