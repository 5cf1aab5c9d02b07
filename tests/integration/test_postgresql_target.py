"""PostgreSQL as a destination: SQL Server's tables by full sync and changes, and
what must survive when a new table is swapped in. Whole tables are compared by
psycopg2 and python-tds, definitions by pg_dump.
"""
import random
import signal
import time

import pytest

from support import dataflow
from support import postgresql_rights as rights
from support.postgresql import Postgresql, skip_unless_installed
from support.postgresql_target import (
    RICH_DEST, Target, differences, make_source, plain, use_login, wait_equal,
    wait_synced)
from support.relay import Relay

skip_unless_installed()


@pytest.fixture(scope="module")
def postgresql():
    with Postgresql() as server:
        yield server


@pytest.fixture
def target(world, postgresql):
    return Target(world, postgresql)


# ------------------------------------------------------------- every value

COLUMNS = {
    "bit": ("bit", ["0", "1"]),
    "tiny": ("tinyint", ["0", "255"]),
    "small": ("smallint", ["-32768", "32767"]),
    "whole": ("int", ["-2147483648", "2147483647"]),
    "big": ("bigint", ["-9223372036854775808", "9223372036854775807"]),
    "d9": ("decimal(9,4)", ["-99999.9999", "0.0001", "0", "12"]),
    "d38": ("decimal(38,0)", ["-99999999999999999999999999999999999999",
                              "99999999999999999999999999999999999999"]),
    "d38s": ("decimal(38,38)", ["0.12345678901234567890123456789012345678",
                                "-0.99999999999999999999999999999999999999"]),
    "cash": ("money", ["-922337203685477.5808", "922337203685477.5807"]),
    "r": ("real", ["-3.4e38", "0.1"]),
    "f": ("float", ["-1.79769313486231e308", "0.1"]),
    "dt": ("date", ["'0001-01-01'", "'9999-12-31'"]),
    "tm": ("time(6)", ["'00:00:00.000001'", "'23:59:59.999999'"]),
    "sd": ("smalldatetime", ["'1900-01-01T00:00:00'",
                             "'2079-06-06T23:59:00'"]),
    "ts3": ("datetime2(3)", ["'0001-01-01T00:00:00.001'",
                             "'9999-12-31T23:59:59.999'"]),
    "ts6": ("datetime2(6)", ["'1582-10-10T10:10:10.123456'"]),
    "v": ("varchar(20)", ["''", "'plain'", "'blanks  '"]),
    "nv": ("nvarchar(20)", ["N'z\u00fcrich'", "N'\u65e5\u672c'",
                            "N'\U0001f600'"]),
    "nm": ("nvarchar(max)", ["REPLICATE(CONVERT(nvarchar(max), N'ab\u20ac'), "
                             "10000)", "N''"]),
    "b": ("varbinary(20)", ["0x", "0x00FF00"]),
    "bm": ("varbinary(max)", ["CONVERT(varbinary(max), REPLICATE(CONVERT("
                              "varchar(max), 'x'), 60000))"]),
    "id2": ("uniqueidentifier", ["'6F9619FF-8B86-D011-B42D-00C04FC964FF'"]),
}


def test_every_type_is_created_loaded_and_followed(target):
    world = target.world
    world.on_source("CREATE TABLE typed (k INT NOT NULL PRIMARY KEY, " +
                    ", ".join(f"{n} {t} NULL"
                              for n, (t, _) in COLUMNS.items()) + ")")
    rows = max(len(v) for _, v in COLUMNS.values())
    names = list(COLUMNS)

    def insert(key, at):
        values = [COLUMNS[n][1][at % len(COLUMNS[n][1])] for n in names]
        world.on_source(f"INSERT INTO typed (k, {', '.join(names)}) "
                        f"VALUES ({key}, {', '.join(values)})")
    for i in range(rows):
        insert(i, i)
    world.on_source("INSERT INTO typed (k) VALUES (100)")
    world.enable_cdc("typed")
    target.add_mapping("typed")
    world.start()
    dest = "SELECT k, " + ", ".join(
        "r::float8" if n == "r" else n for n in names) + " FROM public.typed"
    wait_equal(target, "typed", dest_sql=dest)
    found = dict(target.query(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = 'public.typed'::regclass AND attnum > 0"))
    assert found["d38s"] == "numeric(38,38)"
    assert found["nv"] == "character varying(20)"
    assert found["ts3"] == "timestamp(3) without time zone"
    assert target.query("SELECT indisprimary FROM pg_index WHERE indrelid = "
                        "'public.typed'::regclass") == [(True,)]
    # The same values by changes.
    for i in range(rows):
        insert(i + 200, i + 1)
    world.on_source("DELETE FROM typed WHERE k IN (0, 100)")
    world.on_source("UPDATE typed SET nv = N'new', d9 = NULL WHERE k = 1")
    wait_equal(target, "typed", dest_sql=dest)


def test_times_that_are_too_fine(target):
    """datetime as SQL Server shows it; 100 ns are rounded, and that is said;
    the last moment does not become the year 10000."""
    world = target.world
    world.on_source("CREATE TABLE fine (k INT NOT NULL PRIMARY KEY, "
                    "d datetime NULL, t datetime2(7) NULL, "
                    "z datetimeoffset(7) NULL)")
    world.on_source("INSERT INTO fine VALUES "
                    "(1, '2020-02-29T12:34:56.127', "
                    "'2020-01-01T00:00:00.1234565', "
                    "'2020-01-01T10:00:00.1234564+02:00'), "
                    "(2, '9999-12-31T23:59:59.997', "
                    "'9999-12-31T23:59:59.9999999', NULL)")
    mapping = target.add_mapping("fine", cdc=0)
    world.start()
    wait_synced(world, mapping)
    assert target.query("SELECT k, d::text, t::text, "
                        "(z AT TIME ZONE 'UTC')::text FROM public.fine "
                        "ORDER BY k") == [
        (1, "2020-02-29 12:34:56.127", "2020-01-01 00:00:00.123457",
         "2020-01-01 08:00:00.123456"),
        (2, "9999-12-31 23:59:59.997", "9999-12-31 23:59:59.999999", None)]
    said = [r[0] for r in world.control(
        "SELECT log_message FROM sync_logs WHERE log_level = 'WARNING'")]
    assert any("'t'" in m and "rounded to 6 digits" in m and
               "'z'" in m and "offset" in m for m in said), said


# --------------------------------------------------------------- the changes

def test_unique_values_change_places(target):
    """PostgreSQL looks at unique values row by row, SQL Server at the end."""
    world = target.world
    world.on_source("CREATE TABLE seats (id INT NOT NULL PRIMARY KEY, "
                    "seat INT NOT NULL, who NVARCHAR(20) NULL)")
    world.on_source("INSERT INTO seats SELECT TOP (300) n.i, n.i, N'somebody' "
                    "FROM (SELECT ROW_NUMBER() OVER (ORDER BY (SELECT NULL)) "
                    "AS i FROM sys.all_objects) AS n")
    world.enable_cdc("seats")
    target.server.psql(
        "CREATE TABLE public.seats (id int PRIMARY KEY, seat int NOT NULL, "
        "who varchar(20), note text DEFAULT 'untouched', "
        "UNIQUE (seat))", target.database)
    target.add_mapping("seats")
    world.start()
    dest = "SELECT id, seat, who FROM public.seats"
    wait_equal(target, "seats", dest_sql=dest)
    target.query("UPDATE public.seats SET note = 'by hand' WHERE id = 1")
    world.on_source("UPDATE seats SET seat = CASE id WHEN 1 THEN 2 ELSE 1 END "
                    "WHERE id IN (1, 2)")
    wait_equal(target, "seats", dest_sql=dest)
    world.on_source("UPDATE seats SET seat = seat + 1")
    world.on_source("UPDATE seats SET who = N'first' WHERE id = 1")
    wait_equal(target, "seats", dest_sql=dest)
    assert target.query("SELECT note FROM public.seats WHERE id = 1") == [
        ("by hand",)]
    assert world.errors() == []


def test_a_type_that_only_the_server_reads(target):
    """Text into inet, interval, an array, an enum, a domain and jsonb."""
    world = target.world
    world.on_source("CREATE TABLE texts (id INT NOT NULL PRIMARY KEY, "
                    "a VARCHAR(40), i VARCHAR(50), r VARCHAR(50), "
                    "m VARCHAR(5), d VARCHAR(50))")
    world.on_source("INSERT INTO texts VALUES (1, '10.0.0.1', "
                    "'1 day 02:03:04', '{1,2,NULL}', 'sad', 'abc'), "
                    "(2, NULL, NULL, NULL, NULL, NULL)")
    world.enable_cdc("texts")
    target.server.psql(
        "CREATE TYPE public.mood AS ENUM ('sad', 'happy'); "
        "CREATE DOMAIN public.short AS varchar(50) CHECK (VALUE <> 'bad'); "
        "CREATE TABLE public.texts (id int PRIMARY KEY, a inet, i interval, "
        "r int[], m public.mood, d public.short)", target.database)
    target.add_mapping("texts")
    world.start()
    dest = ("SELECT id, host(a), to_char(i, 'DD HH24:MI:SS'), r::text, "
            "m::text, d FROM public.texts")

    def expect(rows):
        try:
            dataflow.wait_for(lambda: sorted(target.query(dest)) == rows, 30)
        except AssertionError:
            raise AssertionError(f"{target.query(dest)}, {world.errors()}"
                                 ) from None
    expect([(1, "10.0.0.1", "01 02:03:04", "{1,2,NULL}", "sad", "abc"),
            (2, None, None, None, None, None)])
    world.on_source("UPDATE texts SET m = 'happy', r = '{}' WHERE id = 1")
    world.on_source("DELETE FROM texts WHERE id = 2")
    expect([(1, "10.0.0.1", "01 02:03:04", "{}", "happy", "abc")])


def test_text_into_types_that_the_server_would_cut(target):
    world = target.world
    world.on_source("CREATE TABLE cuts (id INT NOT NULL PRIMARY KEY, "
                    "i VARCHAR(50), a VARCHAR(50), n VARCHAR(70), "
                    "b CHAR(3), c VARCHAR(4))")
    world.on_source("INSERT INTO cuts VALUES (1, '1.7 s', '{abcdef}', "
                    "'1.239', '101', 'xyz')")
    target.server.psql("CREATE TABLE public.cuts (id int PRIMARY KEY, "
                       "i interval(0), a varchar(3)[], n numeric(50,2), "
                       "b bit(5), c \"char\")", target.database)
    mapping = target.add_mapping("cuts", cdc=0)
    world.start()
    error = dataflow.wait_for(lambda: world.errors(mapping), 30)[0][1]
    assert "5 differences" in error and "character varying(3)[]" in error, \
        error
    target.server.psql("ALTER TABLE public.cuts ALTER i TYPE interval, "
                       "ALTER a TYPE varchar[], ALTER n TYPE numeric, "
                       "ALTER b TYPE text, ALTER c TYPE text",
                       target.database)
    wait_synced(world, mapping)
    assert target.query("SELECT to_char(i, 'SS.MS'), a, n::text, b, c "
                        "FROM public.cuts") == [
        ("01.700", ["abcdef"], "1.239", "101", "xyz")]


def test_text_with_a_zero_is_refused_and_named(target):
    world = target.world
    world.on_source("CREATE TABLE zeros (id INT NOT NULL PRIMARY KEY, "
                    "v NVARCHAR(20))")
    world.on_source("INSERT INTO zeros VALUES (1, N'a'), "
                    "(2, N'a' + NCHAR(0) + N'b')")
    mapping = target.add_mapping("zeros", cdc=0)
    world.start()
    error = dataflow.wait_for(lambda: world.errors(mapping), 30)[0]
    assert "key 2" in error[1] and "'v'" in error[1], error
    assert "number 0" in error[1], error


# -------------------------------------------------------------------- faults

def test_kills_in_the_middle(target):
    """kill -9 while it loads and applies, again and again."""
    world = target.world
    world.on_source("CREATE TABLE w (id INT NOT NULL PRIMARY KEY, "
                    "n INT NOT NULL, v NVARCHAR(20) NULL)")
    world.on_source("INSERT INTO w (id, n) SELECT TOP (3000) ROW_NUMBER() OVER"
                    " (ORDER BY (SELECT NULL)), 0 FROM sys.all_objects AS a "
                    "CROSS JOIN sys.all_objects AS b")
    world.enable_cdc("w")
    mapping = target.add_mapping("w")
    world.config(cdc_window_transactions=20)
    seed = random.randrange(10**9)
    print(f"seed {seed}")
    dice = random.Random(seed)
    for turn in range(8):
        daemon = world.start()
        if turn % 3 == 1:
            world.request(mapping, "FULL_SYNC")
        until = time.monotonic() + dice.uniform(0.1, 1.5)
        while time.monotonic() < until:
            low = dice.randrange(1, 3000)
            world.on_source(f"UPDATE w SET n = n + 1 WHERE id BETWEEN {low} "
                            f"AND {low + 30}; DELETE FROM w WHERE id = {low}")
        daemon.kill()
    world.start()
    wait_equal(target, "w", timeout=60)
    world.request(mapping, "FULL_SYNC")
    dataflow.wait_for(lambda: target.leftovers() == [], 30)
    wait_equal(target, "w")


def test_killed_before_a_table_that_was_made_is_full(target):
    """What was stored for the one that was dropped counts no more."""
    world = target.world
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v INT)")
    world.on_source("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)")
    world.enable_cdc("t")
    target.add_mapping("t")
    daemon = world.start()
    wait_equal(target, "t")
    world.source.query("EXEC sys.sp_tdsd_fault 'stall', @times = 0, "
                       "@match = N'%FROM [[]dbo].[[]t]%', "
                       f"@milliseconds = 60000, @database = '{world.src_db}'")
    target.query("DROP TABLE public.t")
    world.on_source("UPDATE t SET v = 10 WHERE id = 1")
    dataflow.wait_for(lambda: target.has_table("t"), interval=0.02)
    daemon.kill()
    assert target.query("SELECT count(*) FROM public.t") == [(0,)]
    world.source.query("EXEC sys.sp_tdsd_fault_clear")
    daemon.start()
    wait_equal(target, "t")


def test_what_is_ours_is_dropped_while_it_runs(target):
    """As when the destination is restored from a copy that has no such."""
    world = target.world
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v INT)")
    world.on_source("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)")
    world.enable_cdc("t")
    mapping = target.add_mapping("t")
    world.start()
    wait_equal(target, "t")
    target.query("DROP SCHEMA dataflow CASCADE; DELETE FROM public.t")
    world.on_source("UPDATE t SET v = 10 WHERE id = 1")
    wait_equal(target, "t")
    dataflow.wait_for(lambda: not world.errors(mapping))


# --------------------------------------------------------------- verification

def test_a_copy_on_postgresql_is_verified_and_repaired(target):
    world = target.world
    make_source(world)
    world.enable_cdc("rich")
    mapping = target.add_mapping("rich")
    world.start()
    wait_equal(target, "rich")

    def verify():
        last = world.control("SELECT MAX(verification_id) FROM "
                             "verification_logs")[0][0] or 0
        world.request(mapping, "VERIFY")
        return dataflow.wait_for(lambda: world.control(
            "SELECT verification_status, mismatches_found "
            f"FROM verification_logs WHERE verification_id > {last}"), 60)[0]
    assert verify() == ("PASSED", 0), world.log()
    target.query("UPDATE public.rich SET name = 'wrong' WHERE id = 1005")
    target.query("DELETE FROM public.rich WHERE id = 1006")
    assert verify() == ("FAILED", 2), world.log()
    world.request(mapping, "REPAIR")
    wait_equal(target, "rich")


# --------------------------------------------------------------------- rights

@pytest.mark.parametrize("swap", [False, True])
def test_the_rights_of_the_script_are_enough(target, swap):
    world, login = target.world, f"least_{target.database}"
    make_source(world)
    world.enable_cdc("rich")
    target.server.psql("CREATE TABLE public.rich (id bigint PRIMARY KEY, "
                       "name varchar(50), n serial); INSERT INTO public.rich "
                       "VALUES (1, 'old', 1)", target.database)
    rights.destination(target.server, target.database, login,
                       [("public", "rich"), ("public", "made")], swap)
    use_login(target, login)
    world.on_source("UPDATE rich SET n = 0 WHERE n IS NULL")
    world.on_source("ALTER TABLE rich ALTER COLUMN n INT NOT NULL")
    old = target.oid("rich")
    mapping = target.add_mapping("rich")
    done = dataflow.run("check", env=world.environment(), timeout=60)
    assert " 0 FAIL" in done.stdout, done.stdout
    world.start()
    wait_synced(world, mapping)
    wait_equal(target, "rich")
    assert (target.oid("rich") != old) == swap, world.log()
    world.on_source("UPDATE rich SET name = 'changed' WHERE id = 1005; "
                    "DELETE FROM rich WHERE id = 1006")
    wait_equal(target, "rich")
    assert world.errors() == []
    if swap:
        assert target.query("SELECT tableowner FROM pg_tables WHERE "
                            "tablename = 'rich'") == [("dataflow_destination",
                                                       )]


def test_a_check_names_the_rights_that_are_missing(target):
    world, login = target.world, f"poor_{target.database}"
    make_source(world)
    target.server.psql(f"CREATE ROLE {login} LOGIN PASSWORD "
                       f"'{rights.PASSWORD}'; CREATE TABLE public.rich (id bigint PRIMARY KEY, "
                       "name varchar(50), n int)", target.database)
    use_login(target, login)
    target.add_mapping("rich", cdc=0)
    done = dataflow.run("check", env=world.environment(), timeout=60)
    assert f"CREATE SCHEMA dataflow AUTHORIZATION {login}" in done.stdout, \
        done.stdout
    assert f'GRANT SELECT, INSERT, UPDATE, DELETE ON "public"."rich" TO ' \
        f"{login}" in done.stdout, done.stdout


# ----------------------------------------------------------- loads in parts

@pytest.fixture
def own_target(world):
    """On a server of its own, which may be killed."""
    with Postgresql() as server:
        yield Target(world, server)


@pytest.mark.parametrize("view", [False, True])
def test_a_load_in_parts_outlives_a_crash_of_the_server(own_target, view):
    """With a view the load's table is not logged, and empty after a crash."""
    target, world = own_target, own_target.world
    world.config(load_part_rows=1000, load_readers=3)
    world.on_source("CREATE TABLE big (k INT NOT NULL PRIMARY KEY, "
                    "v NVARCHAR(1000))")
    world.on_source("WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n "
                    "WHERE i < 30000) INSERT INTO big SELECT i, "
                    "REPLICATE(N'v', i % 1000) FROM n "
                    "OPTION (MAXRECURSION 0)")
    world.enable_cdc("big")
    target.server.psql("CREATE TABLE public.big (k int PRIMARY KEY, "
                       "v varchar(1000)); INSERT INTO public.big VALUES "
                       "(1, 'old'), (-1, 'old')", target.database)
    if view:
        target.query("CREATE VIEW public.over_big AS SELECT * FROM big")
    target.add_mapping("big")
    world.start()

    dataflow.wait_for(lambda: target.has_table("load_parts", "dataflow"), 30)
    connection = target.server.connect(target.database)
    with connection.cursor() as cursor:
        def parts_done():
            cursor.execute("SELECT count(*) FROM dataflow.load_parts "
                           "WHERE is_done")
            return cursor.fetchone()[0]
        dataflow.wait_for(parts_done, 10, 0.002)
    target.server.kill()
    connection.close()
    world.on_source("UPDATE big SET v = N'changed' WHERE k % 100 = 0")
    target.server.start()
    wait_equal(target, "big", timeout=60)
    assert target.leftovers() == []
    assert target.query("SELECT count(*) FROM dataflow.load_parts") == [(0,)]


def test_waits_for_parts_that_are_still_written(target):
    """By whom a killed daemon left: the parts that are done stay."""
    world = target.world
    world.config(load_part_rows=1000, load_readers=3)
    world.on_source("CREATE TABLE big (k INT NOT NULL PRIMARY KEY, "
                    "v NVARCHAR(1000))")
    world.on_source("WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n "
                    "WHERE i < 12000) INSERT INTO big SELECT i, "
                    "REPLICATE(N'v', i % 1000) FROM n "
                    "OPTION (MAXRECURSION 0)")
    world.enable_cdc("big")
    target.add_mapping("big")
    # The last ones are read for long.
    world.source.query("EXEC sys.sp_tdsd_fault 'stall', @times = 0, @nth = 5, "
                       "@match = N'%FROM [[]dbo].[[]big]%', "
                       f"@milliseconds = 60000, @database = '{world.src_db}'")
    daemon = world.start()

    def finished():
        return target.has_table("load_parts", "dataflow") and target.query(
            "SELECT count(*) FROM dataflow.load_parts WHERE is_done")[0][0]
    dataflow.wait_for(finished, interval=0.02)
    daemon.kill()
    world.source.query("EXEC sys.sp_tdsd_fault_clear")
    name, = target.leftovers()
    with target.server.connect(target.database) as connection, \
            connection.cursor() as cursor:
        cursor.execute(f"BEGIN; LOCK dataflow.{name} IN ROW EXCLUSIVE MODE")
        daemon.start()
        dataflow.wait_for(lambda: "waiting for load_" in daemon.log())
        code, seconds = daemon.stop()
        assert code == 0 and seconds < 5
        daemon.start()
        time.sleep(2.5)
        cursor.execute("ROLLBACK")
    wait_equal(target, "big")
    assert world.control("SELECT COUNT(*) FROM sync_logs WHERE log_message "
                         "LIKE N'%that broke off%'") == [(1,)]
    assert daemon.log().count("waiting for load_") == 2


# ------------------------------------------------------- rows that are refused

def test_refused_rows_are_put_aside_and_come_back(target):
    world = target.world
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "n INT NULL, code NVARCHAR(20) NULL)")
    values = ", ".join(f"({i}, {i}, N'c{i}')" for i in range(1, 301))
    world.on_source(f"INSERT INTO t VALUES {values}")
    world.enable_cdc("t")
    target.server.psql(
        "CREATE FUNCTION public.no_666() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF NEW.n = 666 THEN RAISE EXCEPTION 'never 666'; END IF; "
        "RETURN NEW; END $$; "
        "CREATE TABLE public.t (id int PRIMARY KEY, "
        "n int CHECK (n < 10000), code varchar(20) UNIQUE); "
        "CREATE TRIGGER no BEFORE UPDATE ON public.t FOR EACH ROW "
        "EXECUTE FUNCTION public.no_666()", target.database)
    target.add_mapping("t", on_row_error="PARK")
    world.start()
    wait_equal(target, "t")
    world.on_source(
        "BEGIN TRANSACTION; UPDATE t SET n = n + 1; "
        "UPDATE t SET n = 13000 WHERE id = 100; "
        "UPDATE t SET n = 666 WHERE id = 101; "
        "UPDATE t SET code = N'zero' + NCHAR(0) WHERE id = 102; "
        "UPDATE t SET code = CASE id WHEN 5 THEN N'c6' ELSE N'c5' END "
        "WHERE id IN (5, 6); "
        "DELETE FROM t WHERE id = 7; "
        "INSERT INTO t VALUES (500, 20000, N'new'), (501, 1, N'c7'); COMMIT")

    def aside():
        return sorted(r[0] for r in target.query(
            "SELECT row_key FROM dataflow.exceptions"))
    try:
        dataflow.wait_for(lambda: aside() == ["100", "101", "102", "500"], 20)
    except AssertionError:
        raise AssertionError(f"{aside()} {world.errors()} "
                             f"{world.log()[-2000:]}") from None
    assert differences(
        target, "SELECT * FROM t WHERE id NOT IN (100, 101, 102, 500)",
        "SELECT * FROM public.t WHERE id NOT IN (100, 101, 102, 500)") == []
    assert target.query("SELECT n FROM public.t WHERE id IN (100, 101) "
                        "ORDER BY id") == [(100,), (101,)]
    world.on_source("UPDATE t SET n = 1 WHERE id IN (100, 101, 500); "
                    "UPDATE t SET code = N'fine' WHERE id = 102")
    wait_equal(target, "t")
    assert aside() == []


# ---------------------------------------------------------- a server that ends

def test_the_server_restarts_under_changes(own_target):
    target, world = own_target, own_target.world
    world.on_source("CREATE TABLE r (id INT NOT NULL PRIMARY KEY, n INT)")
    world.on_source("INSERT INTO r SELECT TOP (500) ROW_NUMBER() OVER (ORDER "
                    "BY (SELECT NULL)), 0 FROM sys.all_objects")
    world.enable_cdc("r")
    target.add_mapping("r")
    world.start()
    wait_equal(target, "r")
    for turn in range(3):
        for i in range(20):
            world.on_source(f"UPDATE r SET n = n + 1 WHERE id % 7 = {i % 7}")
        if turn % 2:
            target.server.kill()
        else:
            target.server.stop()
        world.on_source("UPDATE r SET n = n + 1 WHERE id % 2 = 0")
        target.server.start()
    wait_equal(target, "r", timeout=60)


# ------------------------------------------------------ from PostgreSQL itself

ODD = """
CREATE TYPE public.mood AS ENUM ('sad', 'so so', 'happy');
CREATE TYPE public.pair AS (x int, y text);
CREATE DOMAIN public.positive AS numeric(10,2) CHECK (VALUE > 0);
CREATE TABLE public.odd (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  n numeric, n38 numeric(38,5), f4 real, f8 double precision, m money,
  d date, t time(3), ts timestamp, tz timestamp(0) with time zone,
  tt time with time zone, i interval, u uuid, b bytea, j json, jb jsonb,
  x xml, ip inet, c cidr, mac macaddr, a int[], aa text[][], r int4range,
  tr tstzrange, e public.mood, p public.pair, pos public.positive,
  bits bit(5), vb bit varying(7), pt point, ch char(7), nm name, o oid,
  vec tsvector, twice numeric GENERATED ALWAYS AS (n * 2) STORED);
"""

ODD_ROWS = """
INSERT INTO public.odd (n, n38, f4, f8, m, d, t, ts, tz, tt, i, u, b, j, jb,
  x, ip, c, mac, a, aa, r, tr, e, p, pos, bits, vb, pt, ch, nm, o, vec) VALUES
('1e-500', 12345.12345, 'NaN', '-Infinity', 12.34, 'infinity', '24:00',
 '-infinity', '0044-03-15 12:00+00 BC', '10:00+02', '1 mon -3 days 04:05:06.7',
 '6f9619ff-8b86-d011-b42d-00c04fc964ff', '\\x00ff', '{"a": 1, "a":2}',
 '{"b": [1, null]}', '<a>b</a>', '10.0.0.0/8', '10.0.0.0/8',
 '08:00:2b:01:02:03', '{1,NULL,3}', '{{a,"b c"},{d,NULL}}', '[1,5)',
 '[2020-01-01 00:00+00,)', 'so so', '(1,"a,b")', 0.01, B'10101', B'101',
 '(1.5,2)', 'abc', 'name', 4294967295, 'a fat cat'),
('NaN', 'NaN', 1.5, 0.1, -0.01, '0044-03-15 BC', '00:00:00.123',
 '294276-01-01', 'infinity', '23:59:59.999999-12', '-1 year',
 NULL, '', 'null', '1', NULL, '::1', '::/0', NULL, '{}', '{}', 'empty', NULL,
 NULL, NULL, 99.99, B'00000', B'', NULL, '', '', 0, ''),
(DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT,
 DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT,
 DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT,
 DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT,
 DEFAULT);
"""


def test_every_type_of_postgresql_to_itself(target):
    world, server = target.world, target.server
    source = target.database + "_from"
    server.query(f"CREATE DATABASE {source}")
    server.psql(ODD + ODD_ROWS, source)
    server.psql(ODD, target.database)
    text = server.connection_string().replace("'", "''")
    world.control("INSERT INTO source_servers (server_name, server_type, "
                  "connection_string) VALUES (N'from', N'postgresql', "
                  f"N'{text}')")
    found = world.control("SELECT MAX(server_id) FROM source_servers")[0][0]
    mapping = target.add_mapping("odd", server_id=found,
                                 source_database=source,
                                 source_schema="public", cdc=0)
    world.start()
    wait_synced(world, mapping)

    def text_of(database):
        return server.psql("SELECT id, o.*::text FROM public.odd AS o "
                           "ORDER BY id", database)
    assert text_of(target.database) == text_of(source)
    server.psql("UPDATE public.odd SET e = 'happy', a = '{7}', jb = NULL "
                "WHERE id = 1; DELETE FROM public.odd WHERE id = 3;" +
                ODD_ROWS, source)
    world.request(mapping, "FULL_SYNC")
    wait_synced(world, mapping, 2)
    assert text_of(target.database) == text_of(source)
    server.query("INSERT INTO public.odd (n) VALUES (1)", target.database)
    assert server.query("SELECT max(id) FROM public.odd",
                        target.database) == [(7,)]


def test_identities_that_are_always_generated(target):
    """No UPDATE may set one that is not the key: such a row is made anew, and
    what only the destination has of it stays."""
    world = target.world
    world.on_source("CREATE TABLE ids (k INT NOT NULL PRIMARY KEY, "
                    "num INT NOT NULL, v NVARCHAR(20))")
    world.on_source("INSERT INTO ids VALUES (1, 10, N'a'), (2, 20, N'b'), "
                    "(3, 30, N'c')")
    world.enable_cdc("ids")
    target.server.psql(
        "CREATE TABLE public.ids (k int PRIMARY KEY, "
        "num int GENERATED ALWAYS AS IDENTITY UNIQUE, v varchar(20), "
        "note text DEFAULT 'ours')", target.database)
    target.add_mapping("ids")
    world.start()
    dest = "SELECT k, num, v FROM public.ids"
    wait_equal(target, "ids", dest_sql=dest)
    target.query("UPDATE public.ids SET note = 'by hand'")
    world.on_source("UPDATE ids SET num = CASE k WHEN 1 THEN 20 ELSE 10 END "
                    "WHERE k < 3; UPDATE ids SET v = N'new' WHERE k = 3; "
                    "INSERT INTO ids VALUES (4, 40, N'd')")
    wait_equal(target, "ids", dest_sql=dest)
    assert target.query("SELECT k, note FROM public.ids ORDER BY k") == [
        (1, "by hand"), (2, "by hand"), (3, "by hand"), (4, "ours")]
    target.query("INSERT INTO public.ids (k) VALUES (99)")
    assert target.query("SELECT num FROM public.ids WHERE k = 99") == [(41,)]
    assert world.errors() == []


def test_a_collision_takes_no_rows_of_others_along(target):
    """Setting rows aside would delete those that go with them: the mapping
    stands still instead, and says what collides."""
    world = target.world
    world.on_source("CREATE TABLE par (k INT NOT NULL PRIMARY KEY, u INT)")
    world.on_source("INSERT INTO par VALUES (1, 1), (2, 2)")
    world.enable_cdc("par")
    target.server.psql(
        "CREATE TABLE public.par (k int PRIMARY KEY, u int UNIQUE); "
        "CREATE TABLE public.kid (k int REFERENCES public.par "
        "ON DELETE CASCADE)", target.database)
    mapping = target.add_mapping("par")
    world.start()
    wait_equal(target, "par")
    target.query("INSERT INTO public.kid VALUES (1), (2)")
    world.on_source("UPDATE par SET u = 3 - u")
    error = dataflow.wait_for(lambda: world.errors(mapping), 30)[0]
    assert "par_u_key" in error[1], error
    assert target.query("SELECT count(*) FROM public.kid") == [(2,)]
    # A constraint that waits for the commit knows no such trouble.
    target.query("ALTER TABLE public.par DROP CONSTRAINT par_u_key, "
                 "ADD CONSTRAINT par_u_key UNIQUE (u) DEFERRABLE")
    wait_equal(target, "par", timeout=60)
    assert target.query("SELECT count(*) FROM public.kid") == [(2,)]


def test_the_network_is_cut_at_any_moment(target):
    """Loads and changes go through a relay that breaks connections."""
    world = target.world
    world.on_source("CREATE TABLE cut (id INT NOT NULL PRIMARY KEY, n INT, "
                    "u INT)")
    world.on_source("INSERT INTO cut SELECT TOP (2000) ROW_NUMBER() OVER "
                    "(ORDER BY (SELECT NULL)), 0, 0 FROM sys.all_objects AS a "
                    "CROSS JOIN sys.all_objects AS b")
    world.enable_cdc("cut")
    with Relay((target.server.host, target.server.port),
               remember=False) as relay:
        text = target.server.connection_string().replace(
            f"{target.server.host},{target.server.port}", relay.address)
        world.control("UPDATE target_servers SET connection_string = "
                      f"N'{text}' WHERE target_id = {target.target_id}")
        mapping = target.add_mapping("cut")
        world.start()
        dice = random.Random(7)
        for turn in range(25):
            world.on_source(f"UPDATE cut SET n = n + 1 WHERE id % 5 = "
                            f"{turn % 5}; UPDATE cut SET u = u + 1")
            if turn % 8 == 3:
                world.request(mapping, "FULL_SYNC")
            time.sleep(dice.uniform(0.02, 0.3))
            relay.cut()
        wait_equal(target, "cut", timeout=60)
    assert target.query("SELECT count(*) FROM public.cut") == [(2000,)]


def test_a_daemon_that_stands_still_in_a_transaction(target):
    """In front of its commit, with its locks and its connection; another one
    gets on when the lease is over."""
    world = target.world
    make_source(world)
    world.enable_cdc("rich")
    world.config(lease_seconds=3, query_timeout_seconds=5)
    with Relay((target.server.host, target.server.port)) as relay:
        text = target.server.connection_string().replace(
            f"{target.server.host},{target.server.port}", "${env:DST}")
        world.control("UPDATE target_servers SET connection_string = "
                      f"N'{text}' WHERE target_id = {target.target_id}")
        target.add_mapping("rich", cdc=1, verification_interval_minutes=0)
        first = world.start(DST=relay.address)
        wait_equal(target, "rich", dest_sql=RICH_DEST)
        world.start(DST=f"{target.server.host},{target.server.port}")
        dataflow.wait_for(lambda: world.control(
            "SELECT COUNT(*) FROM daemons") == [(2,)])
        relay.freeze_at(b"COMMIT\0")
        world.on_source("UPDATE rich SET n = n + 1")
        dataflow.wait_for(relay.is_frozen)
        first.signal(signal.SIGSTOP)
        try:
            world.on_source("DELETE FROM rich WHERE id > 1030")
            wait_equal(target, "rich", dest_sql=RICH_DEST, timeout=20)
        finally:
            first.signal(signal.SIGCONT)
            relay.thaw()
        assert target.query("SELECT epoch FROM dataflow.checkpoints") == [(2,)]
        world.on_source("UPDATE rich SET n = n + 1")
        wait_equal(target, "rich", dest_sql=RICH_DEST)


def test_the_server_looks_whether_a_daemon_is_still_there(target):
    """What it goes by while it applies changes."""
    world = target.world
    make_source(world)
    world.enable_cdc("rich")
    world.config(lease_seconds=47)
    target.add_mapping("rich", cdc=1, verification_interval_minutes=0)
    world.start()
    wait_equal(target, "rich", dest_sql=RICH_DEST)
    target.query(
        "CREATE TABLE seen (value text); CREATE FUNCTION see() RETURNS trigger "
        "LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen SELECT "
        "string_agg(current_setting(name), ' ' ORDER BY name) "
        "FROM pg_settings WHERE name ~ 'tcp_keepalives|idle_in_tr'; "
        "RETURN NULL; END $$; CREATE TRIGGER see AFTER UPDATE ON rich "
        "FOR EACH STATEMENT EXECUTE FUNCTION see()")
    world.on_source("UPDATE rich SET n = 5")
    wait_equal(target, "rich", dest_sql=RICH_DEST)
    assert target.query("SELECT DISTINCT value FROM seen") == [
        ("47s 6 60 10",)]


def test_a_table_is_made_as_another_postgresql_has_it(target):
    """Its own types and collations; what is missing here becomes text."""
    world, server = target.world, target.server
    source = target.database + "_from"
    server.query(f"CREATE DATABASE {source}")
    server.psql("CREATE TYPE public.mood AS ENUM ('sad', 'happy'); "
                "CREATE TABLE public.made (id int GENERATED ALWAYS AS "
                "IDENTITY, a varchar(7) COLLATE \"C\", n numeric(9,3), "
                "ts timestamp(2) with time zone, arr int[], m public.mood, "
                "i interval, b bit(3), PRIMARY KEY (id)); "
                "INSERT INTO public.made (a, n, ts, arr, m, i, b) VALUES "
                "('x', 1.5, '2020-01-01 10:00+02', '{1}', 'sad', '1 day', "
                "B'101')", source)
    text = server.connection_string().replace("'", "''")
    world.control("INSERT INTO source_servers (server_name, server_type, "
                  "connection_string) VALUES (N'from', N'postgresql', "
                  f"N'{text}')")
    found = world.control("SELECT MAX(server_id) FROM source_servers")[0][0]
    mapping = target.add_mapping("made", server_id=found, dest_schema="new",
                                 source_database=source,
                                 source_schema="public", cdc=0)
    world.start()
    wait_synced(world, mapping)
    assert target.query(
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull, "
        "attidentity FROM pg_attribute WHERE attrelid = 'new.made'::regclass "
        "AND attnum > 0 ORDER BY attnum") == [
        ("id", "integer", True, "d"), ("a", "character varying(7)", False, ""),
        ("n", "numeric(9,3)", False, ""),
        ("ts", "timestamp(2) with time zone", False, ""),
        ("arr", "integer[]", False, ""), ("m", "text", False, ""),
        ("i", "interval", False, ""), ("b", "bit(3)", False, "")]
    assert server.psql("SELECT * FROM new.made", target.database) == \
        server.psql("SELECT * FROM public.made", source)
    world.request(mapping, "FULL_SYNC")
    wait_synced(world, mapping, 2)
