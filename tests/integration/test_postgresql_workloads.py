"""Work that nobody here wrote, or that looks like it: pgbench while it is
replicated to two places, and a shop's schema as people have them. At the end
whole tables are compared, by psql and freebcp.

DATAFLOW_PGBENCH_SECONDS and DATAFLOW_PGBENCH_SCALE make pgbench run longer,
DATAFLOW_LARGE_ROWS makes the large transactions larger.
"""
import os
import subprocess
import time

import pytest

from support import dataflow, postgresql
from support.clients import freebcp
from support.postgresql_world import PostgresqlPair, PostgresqlWorld

postgresql.skip_unless_installed()

SECONDS = int(os.environ.get("DATAFLOW_PGBENCH_SECONDS", "10"))
SCALE = int(os.environ.get("DATAFLOW_PGBENCH_SCALE", "2"))
LARGE = int(os.environ.get("DATAFLOW_LARGE_ROWS", "60000"))

# The key of each, and its columns as text that both servers write alike.
KEYS = {"pgbench_accounts": "aid", "pgbench_branches": "bid",
        "pgbench_tellers": "tid", "pgbench_history": "id"}
HERE = {"pgbench_history": "id, tid, bid, aid, delta, "
                           "to_char(mtime, 'YYYY-MM-DD HH24:MI:SS.US')"}
THERE = {"pgbench_history": "id, tid, bid, aid, delta, "
                            "CONVERT(VARCHAR(26), mtime, 121)"}


@pytest.fixture(scope="module")
def servers():
    with postgresql.Postgresql() as source, postgresql.Postgresql() as dest:
        yield source, dest


@pytest.fixture
def pair(servers, dest_server, tmp_path):
    world = PostgresqlPair(servers[0], dest_server, tmp_path, servers[1])
    world.init()
    yield world
    world.close()


def start(pair, program, *arguments):
    """One of PostgreSQL's programs, on the source database."""
    server = pair.postgresql
    return subprocess.Popen(
        [os.path.join(server.bin, program), "-h", server.host, "-p",
         str(server.port), "-U", server.user, *arguments, pair.src_db],
        env=dict(os.environ, PGPASSWORD=server.password), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def finish(process):
    output, _ = process.communicate(timeout=SECONDS + 120)
    assert process.returncode == 0, output
    return output


# ------------------------------------------------------------------- pgbench

def on_sqlserver(pair, table):
    """What freebcp writes of the stand-in's table, and psql of the source's.
    Blanks at the end of a char(n) are no part of its value."""
    file = f"{pair.folder}/{table}.txt"
    freebcp(pair.dest, f"SELECT {THERE.get(table, '*')} FROM "
                       f"{pair.dst_db}.dbo.{table} ORDER BY {KEYS[table]}",
            "queryout", file)
    with open(file, encoding="utf-8") as lines:
        there = [line.rstrip() for line in lines]
    here = [line.rstrip() for line in pair.postgresql.psql(
        f"SELECT {HERE.get(table, '*')} FROM {table} ORDER BY {KEYS[table]}",
        pair.src_db).splitlines()]
    return here, there


def test_pgbench_to_both(pair):
    """Its four tables to two places. The one without a key has got one, as it
    needs: pgbench names the columns that it writes."""
    finish(start(pair, "pgbench", "-i", "-q", "-s", str(SCALE)))
    pair.on_source("ALTER TABLE pgbench_history ADD id bigint "
                   "GENERATED ALWAYS AS IDENTITY PRIMARY KEY")
    mappings = []
    for table in KEYS:
        mappings += [
            pair.add_mapping(table, verification_interval_minutes=0),
            PostgresqlWorld.add_mapping(pair, table, cdc=1,
                                        verification_interval_minutes=0)]
    load = start(pair, "pgbench", "-n", "-c", "8", "-T", str(SECONDS))
    daemon = pair.start()
    output = finish(load)
    assert "number of failed transactions: 0" in output, output
    began = time.monotonic()
    for table, key in KEYS.items():
        pair.wait_same(table=table, order=key, timeout=120 + 2 * SECONDS)
        dataflow.wait_for(lambda t=table: len(set(map(
            tuple, on_sqlserver(pair, t)))) == 1, 120 + 2 * SECONDS, 1, table)
    print(output)
    print(f"equal after {time.monotonic() - began:.0f} s, "
          f"peak {daemon.peak_mib():.0f} MiB")
    # The sums that TPC-B promises, on the other side.
    sums = pair.there.query(
        "SELECT (SELECT sum(abalance) FROM pgbench_accounts), "
        "(SELECT sum(tbalance) FROM pgbench_tellers), "
        "(SELECT sum(bbalance) FROM pgbench_branches), "
        "(SELECT sum(delta) FROM pgbench_history)", pair.dst_db)[0]
    assert len(set(sums)) == 1 and sums[0] is not None
    # By the log alone: nothing was loaded a second time.
    assert pair.control(
        "SELECT COUNT(*) FROM sync_status WHERE sync_type = N'FULL_SYNC' "
        "AND status = N'COMPLETED'") == [(len(mappings),)]
    assert not pair.errors()
    if dataflow.slowness() == 1:
        assert daemon.peak_mib() < 128


def test_pgbench_as_it_is(pair):
    """A table without a key is not followed, and applications go on; full syncs
    bring it all the same."""
    finish(start(pair, "pgbench", "-i", "-q", "-s", "1"))
    keyless = pair.add_mapping("pgbench_history")
    load = start(pair, "pgbench", "-n", "-c", "8", "-T", "4")
    pair.start()
    output = finish(load)
    assert "number of failed transactions: 0" in output, output
    errors = dataflow.wait_for(lambda: pair.errors(keyless), 30)
    assert "cdc_enabled" in errors[0][1], errors
    # REPLICA IDENTITY FULL tells whole rows, but not which of two that are alike.
    pair.on_source("ALTER TABLE pgbench_history REPLICA IDENTITY FULL")
    pair.control("UPDATE table_mappings SET dest_table = N'other'")
    dataflow.wait_for(lambda: pair.errors(keyless), 30)
    assert not pair.postgresql.query("SELECT 1 FROM pg_publication",
                                     pair.src_db)
    pair.control("UPDATE table_mappings SET cdc_enabled = 0, "
                 "dest_table = N'pgbench_history'")
    pair.wait_same(table="pgbench_history",
                   order="tid, bid, aid, delta, mtime", timeout=60)


# ------------------------------------------------------- large transactions

ROW = "id, 'row ' || id, id % 1000, id * 1.25, md5(id::text)"
STEPS = {
    "insert": f"INSERT INTO large SELECT {ROW} "
              f"FROM generate_series(1, {LARGE}) AS id",
    "update": "UPDATE large SET n = n + 1, note = 'changed ' || id",
    "delete": "DELETE FROM large",
    "all in one": f"BEGIN; INSERT INTO large SELECT {ROW} "
                  f"FROM generate_series(1, {LARGE}) AS id; "
                  "UPDATE large SET price = -price; "
                  "DELETE FROM large WHERE id % 10 > 0; COMMIT",
}


def whole_table(pair, there):
    """As psql prints both, or freebcp the other one."""
    if there == "postgresql":
        return pair.print_both("*", "large")
    file = f"{pair.folder}/large.txt"
    freebcp(pair.dest, f"SELECT * FROM {pair.dst_db}.dbo.large ORDER BY id",
            "queryout", file)
    with open(file, encoding="utf-8") as lines:
        return (pair.postgresql.psql("SELECT * FROM large ORDER BY id",
                                     pair.src_db), lines.read())


@pytest.mark.parametrize("there", ["postgresql", "sqlserver"])
def test_large_transactions(pair, there):
    """Of a whole table, each in one transaction that is streamed while it runs:
    everything arrives, and memory does not grow with it."""
    pair.on_source("CREATE TABLE large (id int PRIMARY KEY, note varchar(40), "
                   "n int, price numeric(12,2), body text)")
    if there == "postgresql":
        pair.add_mapping("large", verification_interval_minutes=0)
    else:
        PostgresqlWorld.add_mapping(pair, "large", cdc=1,
                                    verification_interval_minutes=0)
    daemon = pair.start()
    dataflow.wait_for(lambda: pair.control(
        "SELECT 1 FROM sync_status WHERE status = N'COMPLETED' "
        "AND sync_type = N'FULL_SYNC'"), 60, 0.2)
    for step, sql in STEPS.items():
        began = time.monotonic()
        pair.on_source(sql)
        committed = time.monotonic()

        def same():
            return len(set(whole_table(pair, there))) == 1
        try:
            dataflow.wait_for(same, 120 + LARGE / 1000, 1)
        except AssertionError:
            here, over = (text.splitlines() for text in
                          whole_table(pair, there))
            raise AssertionError(
                f"{step}: {len(here)} rows, {len(over)} there, first "
                f"{next(filter(lambda p: p[0] != p[1], zip(here, over)), 0)}"
                f"{pair.errors()}\n{pair.log()}"[:8000]) from None
        print(f"{LARGE} rows, {step}: {committed - began:.1f} s at the "
              f"source, equal {time.monotonic() - committed:.1f} s later, "
              f"peak {daemon.peak_mib():.0f} MiB")
    assert pair.control("SELECT COUNT(*) FROM sync_status WHERE "
                        "sync_type = N'FULL_SYNC'") == [(1,)]
    assert not pair.errors()
    if there == "postgresql":
        assert pair.table_reads("large") < 100
    if dataflow.slowness() == 1:  # what a sanitizer keeps is no measure
        assert daemon.peak_mib() < 128


# ----------------------------------------------------------------- the schema

SCHEMA = """
CREATE TYPE rating AS ENUM ('G', 'PG', 'PG-13', 'R');
CREATE DOMAIN year AS int CHECK (VALUE BETWEEN 1901 AND 2155);
CREATE TYPE money_in AS (amount numeric(9,2), currency char(3));
CREATE SEQUENCE ticket START 1000;
CREATE TABLE language (id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name char(20) NOT NULL UNIQUE);
CREATE TABLE film (id serial PRIMARY KEY, title text NOT NULL,
    language_id smallint NOT NULL REFERENCES language ON UPDATE CASCADE,
    release year, stars rating DEFAULT 'G', length interval,
    features text[] CHECK (cardinality(features) < 9),
    rate numeric(4,2) NOT NULL DEFAULT 4.99, price money_in,
    shown daterange, meta jsonb, raw json, poster bytea, site inet,
    card bit(8), spot point, huge numeric, ratio double precision,
    small real, opens timetz, code uuid, note xml,
    full_text tsvector, twice numeric GENERATED ALWAYS AS (rate * 2) STORED,
    updated timestamptz NOT NULL DEFAULT now());
CREATE INDEX ON film USING gin (full_text);
CREATE INDEX ON film (lower(title)) WHERE release > 2000;
CREATE TABLE customer (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    "First Name" varchar(45) NOT NULL, email text UNIQUE,
    active boolean NOT NULL DEFAULT true, born date,
    friend int REFERENCES customer DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE rental (id bigint NOT NULL DEFAULT nextval('ticket'),
    rented timestamp NOT NULL, film_id int NOT NULL REFERENCES film,
    customer_id int NOT NULL REFERENCES customer ON DELETE CASCADE,
    PRIMARY KEY (id, rented)) PARTITION BY RANGE (rented);
CREATE TABLE rental_old PARTITION OF rental FOR VALUES FROM (MINVALUE)
    TO ('2026-01-01');
CREATE TABLE rental_new PARTITION OF rental FOR VALUES FROM ('2026-01-01')
    TO (MAXVALUE) PARTITION BY HASH (id);
CREATE TABLE rental_new_0 PARTITION OF rental_new
    FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE rental_new_1 PARTITION OF rental_new
    FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
    NEW.updated = now(); NEW.full_text = to_tsvector('english', NEW.title);
    RETURN NEW; END$$;
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON film
    FOR EACH ROW EXECUTE FUNCTION touch();
CREATE VIEW film_list AS SELECT f.id, f.title, l.name AS language,
    count(r.id) AS rentals FROM film AS f JOIN language AS l
    ON l.id = f.language_id LEFT JOIN rental AS r ON r.film_id = f.id
    GROUP BY f.id, f.title, l.name;
CREATE MATERIALIZED VIEW top AS SELECT * FROM film_list;
"""
ROWS = """
INSERT INTO language (name) VALUES ('English'), ('Deutsch'), ('Türkçe');
INSERT INTO film (title, language_id, release, stars, length, features, price,
    shown, meta, raw, poster, site, card, spot, huge, ratio, small, opens,
    code, note)
SELECT 'Film no. ' || g, 1 + g % 3, 1950 + g % 70,
    (ARRAY['G', 'PG', 'PG-13', 'R'])[1 + g % 4]::rating,
    g * interval '1 min 0.5 s', ARRAY['a b', NULL, '"' || g],
    ROW(g, 'EUR')::money_in,
    daterange('2020-01-01', date '2020-01-01' + g), jsonb_build_object('n', g),
    '{"a":  1}', decode(md5(g::text), 'hex'), '10.0.0.1/24',
    g::bit(8), point(g, -g), CASE WHEN g % 9 = 0 THEN 'NaN'
    ELSE 10::numeric ^ 50 + g END, g / 7.0, g / 7.0, '12:00+02',
    md5(g::text)::uuid, ('<a>' || g || '</a>')::xml
FROM generate_series(1, 500) AS g;
INSERT INTO customer ("First Name", email, born, friend)
SELECT 'Ann ' || g, CASE WHEN g % 3 > 0 THEN g || '@example.com' END,
    CASE WHEN g % 5 = 0 THEN date '-infinity' ELSE date '1980-01-01' + g END,
    CASE WHEN g > 1 THEN g / 2 END FROM generate_series(1, 300) AS g;
INSERT INTO rental (rented, film_id, customer_id)
SELECT timestamp '2025-06-01' + g * interval '7 h', 1 + g % 500, 1 + g % 300
FROM generate_series(1, 2000) AS g;
"""
DAY = """
BEGIN;
UPDATE language SET name = 'German' WHERE name = 'Deutsch';
INSERT INTO rental (rented, film_id, customer_id)
SELECT now(), g, g FROM generate_series(1, 50) AS g;
UPDATE rental SET rented = '2026-02-02' WHERE rented < '2025-06-05';
DELETE FROM customer WHERE id BETWEEN 290 AND 295;
INSERT INTO customer ("First Name", friend) VALUES ('New', 1);
SAVEPOINT s;
DELETE FROM rental;
ROLLBACK TO s;
COMMIT;
UPDATE film SET rate = rate + 1, features = '{}', meta = meta || '{"x": [1]}'
WHERE id % 7 = 0;
UPDATE customer SET email = 'x' || email WHERE id < 100;
INSERT INTO film (title, language_id) VALUES ('The last', 1);
"""
TABLES = {"language": "id", "film": "id", "customer": "id",
          "rental": "id, rented"}


def test_a_shop_as_people_have_them(pair):
    """The destination has the same schema, made from pg_dump's, with its views
    and foreign keys; what triggers do has been done at the source."""
    pair.postgresql.psql(SCHEMA + ROWS, pair.src_db)
    schema = finish(start(pair, "pg_dump", "--schema-only", "--no-owner"))
    pair.there.psql(schema, pair.dst_db)
    pair.there.psql("ALTER TABLE film DISABLE TRIGGER USER", pair.dst_db)
    pair.config(max_retry_attempts=20)
    for table in TABLES:
        pair.add_mapping(table, verification_interval_minutes=0)
    pair.start()
    for table, key in TABLES.items():
        pair.wait_same(table=table, order=key)
    pair.postgresql.psql(DAY, pair.src_db)
    for table, key in TABLES.items():
        pair.wait_same(table=table, order=key)
    assert len(set(pair.print_both("*", "film_list"))) == 1
    after = pair.there.query(
        "SELECT count(*) FILTER (WHERE contype = 'f'), count(*) FILTER "
        "(WHERE contype = 'c') FROM pg_constraint WHERE conparentid = 0 AND "
        "conrelid <> 0 AND convalidated", pair.dst_db)
    assert after == pair.postgresql.query(
        "SELECT count(*) FILTER (WHERE contype = 'f'), count(*) FILTER "
        "(WHERE contype = 'c') FROM pg_constraint WHERE conparentid = 0 AND "
        "conrelid <> 0 AND convalidated", pair.src_db)
