#!/usr/bin/python3
"""`make demo DEMO=files`: from SQL Server to Parquet files, on one machine.

A stand-in server is the source, a local folder the destination; the control
tables are in a file. What is in the folder is read by DuckDB and by pyarrow, which
nobody here wrote, as docs/files.md says, and compared with what python-tds reads
from the source. The last line is "demo: PASSED" or "demo: FAILED: why".
"""
import collections
import json
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from support import dataflow, duck, sqlserver  # noqa: E402
from support.clients import ClientError, freebcp, tsql  # noqa: E402
from support.landing import Landing  # noqa: E402
from demo import (CHANGES, CREATE, ORDERS, TABLES, Failure,  # noqa: E402
                  make_files, step)
from postgresql import sqlite, wait_loaded  # noqa: E402

PASSWORD = "Demo-pass-1"

CONTROL = """
INSERT INTO source_servers (server_name, connection_string)
VALUES ('shop', 'server={address};user id=sa;password={password};encrypt=disable');
INSERT INTO target_servers (target_name, target_type, connection_string)
VALUES ('lake', 'file', 'path={lake};file_format=parquet;compression=zstd;partition_by=day;file_age_seconds=2');
INSERT INTO table_mappings (server_id, target_id, source_database, source_table, dest_database, dest_schema, dest_table, cdc_enabled)
VALUES
    (1, 1, 'Shop', 'customers', 'lake', 'shop', 'customers', 1),
    (1, 1, 'Shop', 'orders', 'lake', 'shop', 'orders', 1),
    (1, 1, 'Shop', 'order_lines', 'lake', 'shop', 'order_lines', 1);
"""

QUESTION = """
SELECT status, count(*) AS orders, sum(total) AS total, max(ordered_at) AS newest
FROM ({orders}) GROUP BY status ORDER BY status"""


# ------------------------------------------------------------------- the source

def set_up(source, folder):
    step(f"Three tables with CDC on the source server {source.address}")
    tsql(source, CREATE)
    make_files(folder)
    for table in TABLES:
        freebcp(source, f"Shop.dbo.{table}", "in", f"{folder}/{table}")
    tsql(source, "SELECT COUNT(*) AS order_lines FROM Shop.dbo.order_lines\n"
                 "GO", show=True)


def change(source):
    step("Inserts, updates, deletes and key changes while it replicates")
    for number in range(5):
        tsql(source, CHANGES.format(
            next=ORDERS + 1 + number, a=1000 + 1000 * number,
            b=10000 + 1000 * number, c=20000 + number, round=number))


# -------------------------------------------------------------------- the files

def landing(reader, lake, table):
    return Landing(reader, f"{lake}/lake.shop.{table}")


def show_tree(lake):
    step("What lies in the folder")
    for folder, names, files in sorted(os.walk(lake)):
        depth = os.path.relpath(folder, lake).count(os.sep)
        if folder != lake:
            print("  " * depth + os.path.basename(folder) + "/")
        for name in sorted(files):
            size = os.path.getsize(os.path.join(folder, name))
            print("  " * (depth + 1) + f"{name}  {size:,} bytes")


def by_pyarrow(table, key):
    """The replay once more, by another reader and other code: the changes on
    top of the load, one after the other."""
    rows = {}
    paths = table.parts() + table.changes()
    own = ("_op", "_position", "_commit_time", "_seq", "_unchanged")
    found = collections.deque()
    for path in paths:
        found.extend(table.duck.parquet(path).read().to_pylist())
    for row in sorted(found, key=lambda row: row.get("_seq", -1)):
        if row.get("_seq", table.latest()["first_seq"]) < \
                table.latest()["first_seq"]:
            continue
        name = tuple(row[k] for k in key)
        if row.get("_op") == "D":
            rows.pop(name, None)
            continue
        unchanged = json.loads(row.get("_unchanged") or "[]")
        new = {k: v for k, v in row.items()
               if k not in own and k not in unchanged}
        rows[name] = {**rows.get(name, {}), **new}
    return duck.rows(tuple(row.values()) for row in rows.values())


def compare(source, reader, lake, timeout=40):
    """The source by python-tds, the files by both readers."""
    step("The source, read by python-tds, compared with the files")
    deadline = time.monotonic() + timeout
    left = dict(TABLES)
    while left:
        for table, keys in list(left.items()):
            files = landing(reader, lake, table)
            key = keys.split(", ")
            ours = duck.rows(source.query(f"SELECT * FROM dbo.{table}",
                                          "Shop"))
            if ours == files.rows(key) == by_pyarrow(files, key):
                print(f"  {table}: {len(ours)} rows, equal in DuckDB and in "
                      "pyarrow", flush=True)
                del left[table]
        if left and time.monotonic() > deadline:
            raise Failure(f"{', '.join(left)} differ")
        time.sleep(0.5)


def ask(reader, lake):
    step("A question to DuckDB, which knows nothing of where that comes from")
    sql = QUESTION.format(orders=landing(reader, lake, "orders").replay(
        "order_id"))
    print(reader.connection.sql(sql))


# -------------------------------------------------------------------- the story

def replicate(source, reader, folder, lake, environment):
    file = f"{folder}/dataflow.db"
    step("A DBA inserts a source server, a folder as target, three mappings")
    print(CONTROL.format(address=source.address, password="...", lake=lake))
    sqlite(file, CONTROL.format(address=source.address,
                                password=source.password, lake=lake))
    step("Full syncs")
    wait_loaded(file, environment)
    compare(source, reader, lake)
    change(source)
    compare(source, reader, lake)
    show_tree(lake)
    ask(reader, lake)
    step("What the monitoring views say")
    print(sqlite(file, ".mode column\nSELECT source_table, health, reason, "
                       "lag_seconds FROM v_mapping_health;"))
    print(dataflow.run("check", env=environment).stdout)


def story(folder, source):
    lake = f"{folder}/lake"
    os.mkdir(lake)
    environment = {"DATAFLOW_CONTROL": f"sqlite:{folder}/dataflow.db",
                   "TMPDIR": folder}
    set_up(source, folder)
    done = dataflow.run("init", env=environment)
    if done.returncode:
        raise Failure(f"init failed: {done.stderr}")
    step("The daemon starts")
    daemon = dataflow.Daemon(environment).start()
    reader = duck.Duck()
    try:
        replicate(source, reader, folder, lake, environment)
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
        reader.close()


def main():
    began = time.monotonic()
    why = None if duck.duckdb else "DuckDB is not installed"
    try:
        if not why:
            with tempfile.TemporaryDirectory(prefix="dataflow-demo-") as \
                    folder:
                os.mkdir(f"{folder}/data")
                with sqlserver.open_server(f"{folder}/data",
                                           PASSWORD) as source:
                    story(folder, source)
    except (Failure, ClientError, AssertionError, OSError) as error:
        why = str(error)
    print(f"\n({time.monotonic() - began:.0f} s)")
    print(f"demo: FAILED: {why}" if why else "demo: PASSED")
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main())
