#!/usr/bin/python3
"""`make demo`: the whole job on one machine, in less than two minutes.

Two stand-in servers play source and destination. Everything a DBA would do is
done with the tools a DBA has: SQL through tsql, data through freebcp. The last
line is "demo: PASSED" or "demo: FAILED: why".
"""
import datetime
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from support import dataflow, sqlserver  # noqa: E402
from support.clients import ClientError, freebcp, tsql  # noqa: E402

PASSWORD = "Demo-pass-1"
CUSTOMERS, ORDERS, LINES = 5000, 30000, 120000
TABLES = {"customers": "customer_id", "orders": "order_id",
          "order_lines": "order_id, line_no"}

CREATE = """
CREATE DATABASE Shop;
GO
USE Shop;
GO
CREATE TABLE dbo.customers (
    customer_id INT IDENTITY(1, 1) NOT NULL PRIMARY KEY,
    name NVARCHAR(100) NOT NULL,
    email VARCHAR(120) NULL,
    city NVARCHAR(60) NOT NULL,
    credit_limit DECIMAL(12, 2) NOT NULL,
    is_active BIT NOT NULL DEFAULT 1,
    created_at DATETIME2(3) NOT NULL,
    full_sync BIT NOT NULL DEFAULT 0
);
CREATE TABLE dbo.orders (
    order_id INT NOT NULL PRIMARY KEY,
    customer_id INT NOT NULL REFERENCES dbo.customers (customer_id),
    ordered_at DATETIME NOT NULL,
    ship_by DATE NULL,
    status VARCHAR(12) NOT NULL,
    total MONEY NULL
);
CREATE TABLE dbo.order_lines (
    order_id INT NOT NULL REFERENCES dbo.orders (order_id),
    line_no SMALLINT NOT NULL,
    product NVARCHAR(80) NOT NULL,
    quantity INT NOT NULL,
    price DECIMAL(10, 2) NOT NULL,
    discount FLOAT NULL,
    note NVARCHAR(200) NULL,
    PRIMARY KEY (order_id, line_no)
);
GO
EXEC sys.sp_cdc_enable_db;
GO
EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'customers', @role_name = NULL;
EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'orders', @role_name = NULL;
EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'order_lines', @role_name = NULL;
GO
"""

CONTROL = """
USE dbaops_dataflow;
GO
INSERT INTO source_servers (server_name, connection_string)
VALUES (N'shop', N'server={address};user id=sa;password={password};database=master;encrypt=disable');
INSERT INTO table_mappings (server_id, source_database, source_table, dest_database, dest_table, full_sync_trigger_column, cdc_enabled)
VALUES
    (1, N'Shop', N'customers', N'Reports', N'customers', N'full_sync', 1),
    (1, N'Shop', N'orders', N'Reports', N'orders', NULL, 1),
    (1, N'Shop', N'order_lines', N'Reports', N'order_lines', NULL, 1);
GO
"""

CHANGES = """
USE Shop;
GO
BEGIN TRANSACTION;
INSERT INTO dbo.orders (order_id, customer_id, ordered_at, status, total) VALUES ({next}, 1, GETDATE(), 'new', 99.5);
INSERT INTO dbo.order_lines (order_id, line_no, product, quantity, price, discount, note)
VALUES ({next}, 1, N'Füllfeder', 1, 79.5, NULL, N''), ({next}, 2, N'Tinte', 2, 10, 0.05, NULL);
COMMIT;
UPDATE dbo.orders SET status = 'shipped', ship_by = '2026-12-01' WHERE order_id BETWEEN {a} AND {a} + 200;
UPDATE dbo.order_lines SET quantity = quantity + 1, note = N'changed while it replicates' WHERE order_id BETWEEN {a} AND {a} + 200;
DELETE FROM dbo.order_lines WHERE order_id BETWEEN {b} AND {b} + 50;
DELETE FROM dbo.orders WHERE order_id BETWEEN {b} AND {b} + 50;
UPDATE dbo.order_lines SET line_no = line_no + 100 WHERE order_id = {c};
UPDATE dbo.customers SET city = N'Zürich', credit_limit = credit_limit * 2 WHERE customer_id % 100 = {round};
GO
"""


class Failure(Exception):
    pass


def step(text):
    print(f"\n== {text}", flush=True)


# ------------------------------------------------------------------- the data

def make_files(folder):
    """Plausible data, the same each time."""
    dice = random.Random(42)
    day = datetime.datetime(2024, 1, 1)
    first = ["Anna", "Bülent", "Chloé", "Dmitri", "Elif", "Frank", "Grace",
             "Håkon", "Inès", "Jürgen"]
    last = ["Abel", "Yılmaz", "Moreau", "Ivanov", "Kaya", "Müller", "O'Neil",
            "Sørensen", "Öztürk", "Zhang"]
    city = ["Wien", "İstanbul", "Paris", "Kraków", "London", "Malmö"]
    things = ["Füllfeder", "Notizbuch A5", "Tinte schwarz", "Radiergummi",
              "Kalender 2026", "Lampe \"Nordlicht\"", "Stuhl", "Tisch"]

    with open(f"{folder}/customers", "w", encoding="utf-8") as out:
        for i in range(1, CUSTOMERS + 1):
            name = f"{dice.choice(first)} {dice.choice(last)}"
            mail = f"c{i}@example.com" if i % 7 else ""
            at = day + datetime.timedelta(minutes=i * 13)
            out.write(f"{i}|{name}|{mail}|{dice.choice(city)}|"
                      f"{dice.randrange(0, 1000000) / 100:.2f}|"
                      f"{int(i % 11 > 0)}|{at:%Y-%m-%d %H:%M:%S}.{i % 1000:03}"
                      "|0\n")
    with open(f"{folder}/orders", "w", encoding="utf-8") as out:
        for i in range(1, ORDERS + 1):
            at = day + datetime.timedelta(minutes=i * 7)
            ship = f"{at + datetime.timedelta(days=3):%Y-%m-%d}" if i % 5 \
                else ""
            out.write(f"{i}|{dice.randrange(1, CUSTOMERS + 1)}|"
                      f"{at:%Y-%m-%d %H:%M:%S}|{ship}|"
                      f"{dice.choice(['new', 'paid', 'shipped'])}|"
                      f"{dice.randrange(100, 500000) / 100:.2f}\n")
    with open(f"{folder}/order_lines", "w", encoding="utf-8") as out:
        for i in range(LINES):
            discount = f"{dice.randrange(1, 30) / 100}" if i % 3 == 0 else ""
            note = "gift, wrap it" if i % 50 == 0 else ""
            out.write(f"{i * ORDERS // LINES + 1}|"
                      f"{i % (LINES // ORDERS) + 1}|{dice.choice(things)}|"
                      f"{dice.randrange(1, 20)}|"
                      f"{dice.randrange(100, 20000) / 100:.2f}|{discount}|"
                      f"{note}\n")


# ------------------------------------------------------------------- the story

def wait_loaded(dest, environment, timeout=60):
    """Show the progress until every table is loaded."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        time.sleep(1)
        status = dataflow.run("status", env=environment).stdout
        print(status, flush=True)
        done = dest.query("SELECT COUNT(*) FROM sync_status WHERE sync_type = "
                          "'FULL_SYNC' AND status = 'COMPLETED'",
                          "dbaops_dataflow")[0][0]
        if done == len(TABLES):
            return
    raise Failure("the full syncs did not end")


def compare(source, dest, folder, timeout=40):
    """Both sides through freebcp into files; the files must be equal."""
    deadline = time.monotonic() + timeout
    while True:
        different = []
        for table, key in TABLES.items():
            files = []
            for name, server, database in (("source", source, "Shop"),
                                           ("dest", dest, "Reports")):
                file = f"{folder}/{name}-{table}"
                freebcp(server, f"SELECT * FROM {database}.dbo.{table} "
                                f"ORDER BY {key}", "queryout", file)
                files.append(open(file, "rb").read())
            if files[0] != files[1]:
                different.append(table)
            else:
                rows = files[0].count(b"\n")
                print(f"  {table}: {rows} rows, equal", flush=True)
        if not different:
            return
        if time.monotonic() > deadline:
            raise Failure(f"{', '.join(different)} differ")
        print(f"  not yet equal: {', '.join(different)}", flush=True)
        time.sleep(1)


def story(folder, source, dest):
    environment = {"DEST_SERVER": dest.address, "DEST_USER": "sa",
                   "DEST_PASS": PASSWORD, "TMPDIR": folder}

    step(f"Three tables with CDC on the source server {source.address}")
    tsql(source, CREATE)
    make_files(folder)
    for table in TABLES:
        freebcp(source, f"Shop.dbo.{table}", "in", f"{folder}/{table}")
    tsql(source, "SELECT COUNT(*) AS order_lines FROM Shop.dbo.order_lines\n"
                 "GO", show=True)

    step(f"Control tables on the destination server {dest.address}")
    tsql(dest, "CREATE DATABASE Reports\nGO")
    done = dataflow.run("init", env=environment)
    print(done.stdout + done.stderr)
    if done.returncode:
        raise Failure("init failed")

    step("The daemon starts")
    daemon = dataflow.Daemon(environment).start()
    try:
        step("A DBA inserts a source server and three mappings")
        script = CONTROL.format(address=source.address, password=PASSWORD)
        print(CONTROL.format(address=source.address, password="..."))
        tsql(dest, script)

        step("Full syncs")
        wait_loaded(dest, environment)

        step("Inserts, updates, deletes and key changes while it replicates")
        for number in range(5):
            tsql(source, CHANGES.format(
                next=ORDERS + 1 + number, a=1000 + 1000 * number,
                b=10000 + 1000 * number, c=20000 + number, round=number))
        tsql(source, "SELECT COUNT(*) AS changes_captured "
                     "FROM Shop.cdc.dbo_order_lines_CT\nGO", show=True)

        step("Both sides compared by freebcp")
        compare(source, dest, folder)

        step("A 1 in the trigger column asks for another full sync")
        tsql(source, "UPDATE Shop.dbo.customers SET full_sync = 1 "
                     "WHERE customer_id = 1\nGO")
        dataflow.wait_for(lambda: not source.query(
            "SELECT 1 FROM customers WHERE full_sync = 1", "Shop"), 30,
            what="the reset of the trigger column")
        compare(source, dest, folder)

        step("What the monitoring views say")
        tsql(dest, "USE dbaops_dataflow\nGO\nSELECT source_table, health, "
                   "reason, lag_seconds FROM v_mapping_health\n"
                   "SELECT source_table, status, "
                   "sync_type, records_processed FROM v_sync_summary\n"
                   "SELECT * FROM v_recent_errors\n"
                   "SELECT TOP (10) sync_type, status, records_processed, "
                   "rows_per_second FROM sync_status ORDER BY status_id DESC\n"
                   "GO", show=True)
        print(dataflow.run("status", env=environment).stdout)

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
    why = None
    try:
        with sqlserver.open_pair("dataflow-demo-",
                                 PASSWORD) as (folder, source, dest):
            story(folder, source, dest)
    except (Failure, ClientError, AssertionError, OSError) as error:
        why = str(error)
    print(f"\n({time.monotonic() - began:.0f} s)")
    print(f"demo: FAILED: {why}" if why else "demo: PASSED")
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main())
