#!/usr/bin/python3
"""`make demo DEMO=postgresql`: from PostgreSQL to SQL Server, on one machine.

A real PostgreSQL, started here as an ordinary user in a temporary folder, is the
source; the stand-in server is the destination; the control tables are in a file.
Everything is done with the tools a DBA has: psql, sqlite3, tsql. The last line is
"demo: PASSED" or "demo: FAILED: why".
"""
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from support import dataflow, postgresql, sqlserver  # noqa: E402
from support.clients import ClientError, freebcp, tsql  # noqa: E402

PASSWORD = "Demo-pass-1"
TABLES = ("customers", "orders", "events")

CREATE = """
CREATE TABLE customers (
    customer_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    email varchar(120),
    tags text[] NOT NULL DEFAULT '{}',
    credit_limit numeric(12,2) NOT NULL,
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL,
    full_sync boolean NOT NULL DEFAULT false
);
CREATE TABLE orders (
    order_id bigint PRIMARY KEY,
    customer_id int NOT NULL REFERENCES customers,
    reference uuid NOT NULL,
    ordered_on date NOT NULL,
    status varchar(12) NOT NULL,
    details jsonb
);
CREATE TABLE events (
    event_id bigint NOT NULL,
    happened_at timestamp(3) NOT NULL,
    source inet,
    payload bytea,
    PRIMARY KEY (event_id, happened_at)
) PARTITION BY RANGE (happened_at);
CREATE TABLE events_2025 PARTITION OF events
    FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE events_2026 PARTITION OF events DEFAULT;

INSERT INTO customers (name, email, tags, credit_limit, created_at)
SELECT (ARRAY['Anna', 'Bülent', 'Chloé', 'Håkon', 'Jürgen'])[1 + g % 5] || ' '
    || (ARRAY['Abel', 'Yılmaz', 'O''Neil', 'Müller'])[1 + g % 4],
    CASE WHEN g % 7 > 0 THEN 'c' || g || '@example.com' END,
    CASE WHEN g % 3 = 0 THEN ARRAY['new', 'needs care'] ELSE '{}' END,
    g * 31 % 1000000 / 100.0, timestamptz '2024-01-01 00:00+00' + g * interval '13 min'
FROM generate_series(1, 5000) AS g;
INSERT INTO orders
SELECT g, 1 + g % 5000, md5(g::text)::uuid, date '2024-01-01' + g % 900,
    (ARRAY['new', 'paid', 'shipped'])[1 + g % 3],
    CASE WHEN g % 4 > 0 THEN jsonb_build_object('lines', g % 9, 'gift', g % 2 = 0) END
FROM generate_series(1, 60000) AS g;
INSERT INTO events
SELECT g, timestamp '2025-06-01' + g * interval '7 min',
    ('10.0.' || g % 250 || '.1')::inet, decode(md5(g::text), 'hex')
FROM generate_series(1, 90000) AS g;
"""

CONTROL = """
INSERT INTO source_servers (server_name, server_type, connection_string)
VALUES ('shop', 'postgresql', '{source}');
INSERT INTO target_servers (target_name, connection_string)
VALUES ('reports', '{dest}');
INSERT INTO table_mappings (server_id, target_id, source_database, source_schema, source_table, dest_database, dest_table, full_sync_trigger_column, cdc_enabled)
VALUES
    (1, 1, 'shop', 'public', 'customers', 'Reports', 'customers', 'full_sync', 1),
    (1, 1, 'shop', 'public', 'orders', 'Reports', 'orders', NULL, 1),
    (1, 1, 'shop', 'public', 'events', 'Reports', 'events', NULL, 1);
"""

CHANGES = """
BEGIN;
INSERT INTO orders VALUES (100000 + {round}, 1, md5('new {round}')::uuid, '2026-11-01', 'new', '{{"note": "Füllfeder"}}');
INSERT INTO events VALUES (100000 + {round}, now(), '::1', '\\x00ff');
COMMIT;
UPDATE orders SET status = 'shipped', details = NULL WHERE order_id BETWEEN {round} * 1000 AND {round} * 1000 + 200;
DELETE FROM orders WHERE order_id BETWEEN 20000 + {round} * 1000 AND 20050 + {round} * 1000;
UPDATE orders SET order_id = order_id + 500000 WHERE order_id = 40000 + {round};
UPDATE customers SET tags = array_append(tags, 'changed while it replicates'), credit_limit = credit_limit * 2 WHERE customer_id % 100 = {round};
UPDATE events SET happened_at = happened_at + interval '1 year' WHERE event_id BETWEEN {round} * 10 AND {round} * 10 + 4;
BEGIN;
DELETE FROM orders;
ROLLBACK;
"""

# The same text of a row on either side, so that files can be compared.
ON_SOURCE = {
    "customers": "customer_id, name, email, tags, credit_limit, "
                 "is_active::int, to_char(created_at AT TIME ZONE 'UTC', "
                 "'YYYY-MM-DD HH24:MI:SS'), full_sync::int",
    "orders": "order_id, customer_id, upper(reference::text), ordered_on, "
              "status, details",
    "events": "event_id, to_char(happened_at, 'YYYY-MM-DD HH24:MI:SS.MS'), "
              "source, '0x' || upper(encode(payload, 'hex'))"}
ON_DEST = {
    "customers": "customer_id, name, email, tags, credit_limit, is_active, "
                 "CONVERT(varchar(19), created_at, 120), full_sync",
    "orders": "order_id, customer_id, CONVERT(varchar(36), reference), "
              "CONVERT(varchar(10), ordered_on, 120), status, details",
    "events": "event_id, CONVERT(varchar(23), happened_at, 121), source, "
              "CONVERT(varchar(100), payload, 1)"}
KEYS = {"customers": "customer_id", "orders": "order_id",
        "events": "event_id, happened_at"}


class Failure(Exception):
    pass


def step(text):
    print(f"\n== {text}", flush=True)


def sqlite(file, script):
    """Like every writer beside a daemon, it waits for locks."""
    done = subprocess.run(["sqlite3", "-cmd", ".timeout 10000", file],
                          input=script, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode or "Error" in done.stdout:
        raise Failure(f"sqlite3 said: {done.stdout.strip()}")
    return done.stdout


# ------------------------------------------------------------------- the story

def wait_loaded(file, environment, timeout=60):
    """Show the progress until every table is loaded."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        time.sleep(1)
        print(dataflow.run("status", env=environment).stdout, flush=True)
        done = sqlite(file, "SELECT COUNT(*) FROM sync_status WHERE sync_type "
                            "= 'FULL_SYNC' AND status = 'COMPLETED';")
        if int(done) == len(TABLES):
            return
    raise Failure("the full syncs did not end")


def write_both(source, dest, folder, table):
    """Both sides, by psql and by freebcp, as lines."""
    text = source.psql(
        f"SET DateStyle = 'ISO'; COPY (SELECT {ON_SOURCE[table]} FROM {table} "
        f"ORDER BY {KEYS[table]}) TO STDOUT WITH (DELIMITER '|', NULL '')",
        "shop")
    file = f"{folder}/{table}"
    freebcp(dest, f"SELECT {ON_DEST[table]} FROM Reports.dbo.{table} ORDER BY "
                  f"{KEYS[table]}", "queryout", file)
    with open(file, encoding="utf-8") as lines:
        return text.splitlines(), lines.read().splitlines()


def compare(source, dest, folder, timeout=40):
    deadline = time.monotonic() + timeout
    while True:
        different = []
        for table in TABLES:
            ours, theirs = write_both(source, dest, folder, table)
            if ours == theirs:
                print(f"  {table}: {len(ours)} rows, equal", flush=True)
            else:
                different.append(table)
                pairs = [p for p in zip(ours, theirs) if p[0] != p[1]]
        if not different:
            return
        if time.monotonic() > deadline:
            raise Failure(f"{', '.join(different)} differ, such as {pairs[:1]}")
        print(f"  not yet equal: {', '.join(different)}", flush=True)
        time.sleep(1)


def set_up(source, dest, file, environment):
    step(f"Three tables on PostgreSQL {source.version()} at {source.host}:"
         f"{source.port}, one of them partitioned")
    source.psql("CREATE DATABASE shop")
    print(CREATE)
    source.psql(CREATE, "shop")

    step(f"A database on SQL Server {dest.address}, and control tables in a "
         "file")
    tsql(dest, "CREATE DATABASE Reports\nGO")
    done = dataflow.run("init", env=environment)
    print(done.stdout + done.stderr)
    if done.returncode:
        raise Failure("init failed")


def describe(source, dest, file):
    step("A DBA inserts a source server, a target server and three mappings")
    strings = [source.connection_string(),
               f"server={dest.address};user id=sa;password={PASSWORD};"
               "encrypt=disable"]
    print(CONTROL.format(source=strings[0].replace(source.password, "..."),
                         dest=strings[1].replace(PASSWORD, "...")))
    sqlite(file, CONTROL.format(source=strings[0], dest=strings[1]))


def ask_for_a_load(source, dest, folder):
    step("A true in the trigger column asks for another full sync")
    source.psql("UPDATE customers SET full_sync = true WHERE customer_id = 1",
                "shop")
    dataflow.wait_for(lambda: not source.psql(
        "SELECT 1 FROM customers WHERE full_sync", "shop"), 30,
        what="the reset of the trigger column")
    compare(source, dest, folder)


def clean_up(source, file):
    step("The mappings are deleted: slot and publication go with the last one")
    print(source.psql("SELECT slot_name, active FROM pg_replication_slots; "
                      "SELECT * FROM pg_publication_tables", "shop"))
    sqlite(file, "DELETE FROM table_mappings;")
    dataflow.wait_for(lambda: not source.psql(
        "SELECT slot_name FROM pg_replication_slots UNION ALL "
        "SELECT pubname FROM pg_publication", "shop"), 60,
        what="the removal of slot and publication")
    print("  gone")


def replicate(folder, source, dest, file, environment):
    step("Full syncs")
    wait_loaded(file, environment)

    step("Inserts, updates, deletes and key changes while it replicates")
    for number in range(1, 6):
        source.psql(CHANGES.format(round=number), "shop")

    step("Both sides compared, by psql and freebcp")
    compare(source, dest, folder)
    tsql(dest, "SELECT TOP (3) * FROM Reports.dbo.customers ORDER BY "
               "customer_id\nSELECT TOP (3) * FROM Reports.dbo.orders ORDER "
               "BY order_id\nGO", show=True)
    ask_for_a_load(source, dest, folder)

    step("What the monitoring views say")
    print(sqlite(file, ".mode column\nSELECT source_table, health, reason, "
                       "lag_seconds FROM v_mapping_health;\nSELECT "
                       "sync_type, status, records_processed, rows_per_second "
                       "FROM sync_status ORDER BY status_id DESC LIMIT 10;"))
    clean_up(source, file)


def story(folder, source, dest):
    file = f"{folder}/dataflow.db"
    environment = {"DATAFLOW_CONTROL": f"sqlite:{file}", "TMPDIR": folder}
    set_up(source, dest, file, environment)
    step("The daemon starts")
    daemon = dataflow.Daemon(environment).start()
    try:
        describe(source, dest, file)
        replicate(folder, source, dest, file, environment)
        step("SIGTERM")
        code, seconds = daemon.stop()
        print(f"  exit code {code} after {seconds:.1f} s")
        if code:
            raise Failure(f"the daemon ended with {code}")
    except BaseException:
        print("---- the daemon's log:\n" + daemon.log())
        raise
    finally:
        daemon.kill()


def main():
    began = time.monotonic()
    why = postgresql.why_not()
    try:
        if not why:
            with tempfile.TemporaryDirectory(prefix="dataflow-demo-") as \
                    folder, postgresql.Postgresql() as source:
                os.mkdir(f"{folder}/dest-data")
                with sqlserver.open_server(f"{folder}/dest-data",
                                           PASSWORD) as dest:
                    story(folder, source, dest)
    except (Failure, ClientError, AssertionError, OSError) as error:
        why = str(error)
    print(f"\n({time.monotonic() - began:.0f} s)")
    print(f"demo: FAILED: {why}" if why else "demo: PASSED")
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main())
