#!/usr/bin/python3
"""The part of `make bench` between two PostgreSQL servers.

A table is copied by `psql \\copy | psql \\copy` in the binary form, by pgcopydb if
it is installed, and by the daemon, in turns. Then the same changes are caught up
with by PostgreSQL's own logical replication, by `pg_recvlogical`, which only
reads them, and by the daemon, in turns again. At last single rows are committed
while nothing else happens, and looked for in the destination. Figures are
medians; the ratios are what counts. Nothing here asserts a time; copies that are
not equal end it with exit code 1. All servers are started here, with the same
settings, and have their log written but not flushed to the disk.
"""
import argparse
import filecmp
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from support import dataflow, postgresql  # noqa: E402

COLUMNS = """(
    id bigint NOT NULL,
    account int NOT NULL,
    kind smallint NOT NULL,
    amount numeric(12,2) NOT NULL,
    name varchar(60) NOT NULL,
    note text,
    changed_at timestamp NOT NULL,
    is_open boolean NOT NULL)"""
ROWS = """SELECT g, (g * 7919) % 1000003, g % 30000,
    (g * 31 % 1000000000)::numeric / 100, 'Name of number ' || g,
    CASE WHEN g % 5 > 0 THEN repeat('A note on ' || g || '. ',
                                    (2 + g % 5)::int) END,
    timestamp '2026-01-01' + g * interval '13 ms', g % 3 > 0
    FROM generate_series({}::bigint, {}) AS g"""
SMALL = """DO $$BEGIN FOR i IN 0..{count} - 1 LOOP
    UPDATE {table} SET amount = amount + 1, is_open = NOT is_open
    WHERE id BETWEEN i * 20 AND i * 20 + 4;
    DELETE FROM {table} WHERE id BETWEEN i * 20 + 5 AND i * 20 + 6;
    INSERT INTO {table} SELECT id + 100000000, account, kind, amount, name,
    NULL, changed_at, true FROM {table}
    WHERE id BETWEEN i * 20 + 7 AND i * 20 + 9; COMMIT; END LOOP; END$$"""
LARGE = """UPDATE {table} SET amount = amount + 1, kind = kind + 1
    WHERE id BETWEEN {rows} + 1 - {count} AND {rows}"""
SERVER = {"shared_buffers": "256MB", "max_wal_size": "4GB",
          "checkpoint_timeout": "30min", "autovacuum": "off",
          "full_page_writes": "on", "maintenance_work_mem": "256MB"}
FOLLOWED = "account"


class Bench:
    def __init__(self, source, dest, folder, options):
        self.source, self.dest, self.folder = source, dest, folder
        self.options = options
        self.file = f"{folder}/dataflow.db"
        self.environment = {"DATAFLOW_CONTROL": f"sqlite:{self.file}",
                            "TMPDIR": folder}

    # ---------------------------------------------------------------- set-up

    def prepare(self):
        for server in (self.source, self.dest):
            server.query("CREATE DATABASE bench")
        self.source.query(f"CREATE TABLE ledger {COLUMNS}", "bench")
        self.source.query("INSERT INTO ledger "
                          + ROWS.format(1, self.options.rows), "bench")
        self.source.query("ALTER TABLE ledger ADD PRIMARY KEY (id)", "bench")
        self.source.query("VACUUM ANALYZE ledger", "bench")
        size = self.source.query("SELECT pg_table_size('ledger')", "bench")
        print(f"{self.options.rows:,} rows of 8 columns, "
              f"{size[0][0] / 1e6:.0f} MB, {self.options.rounds} rounds",
              flush=True)
        done = dataflow.run("init", env=self.environment)
        assert done.returncode == 0, done.stderr
        self.control("INSERT INTO source_servers (server_name, server_type, "
                     "connection_string) VALUES ('here', 'postgresql', ?)",
                     self.source.connection_string())
        self.control("INSERT INTO target_servers (target_name, target_type, "
                     "connection_string) VALUES ('there', 'postgresql', ?)",
                     self.dest.connection_string())
        self.control("UPDATE config SET config_value = '1' WHERE config_key "
                     "= 'cdc_check_interval_seconds'")
        self.control("UPDATE config SET config_value = '0' WHERE config_key "
                     "= 'verification_interval_minutes'")

    def control(self, sql, *parameters):
        with sqlite3.connect(self.file, timeout=20) as connection:
            return connection.execute(sql, parameters).fetchall()

    def add_mapping(self, table, dest_table):
        self.control("DELETE FROM table_mappings")
        self.control(
            "INSERT INTO table_mappings (server_id, source_database, "
            "source_schema, source_table, target_id, dest_database, "
            "dest_schema, dest_table, cdc_enabled) VALUES (1, 'bench', "
            "'public', ?, 1, 'bench', 'public', ?, 1)", table, dest_table)

    def url(self, server, database="bench"):
        return (f"postgresql://{server.user}@{server.host}:{server.port}/"
                f"{database}")

    def psql(self, server, command, **files):
        return subprocess.Popen(
            [f"{server.bin}/psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d",
             self.url(server), "-c", command],
            env=dict(os.environ, PGPASSWORD=server.password), **files)

    def assert_equal(self, table, dest_table):
        files = [f"{self.folder}/{end}.txt" for end in ("source", "dest")]
        for server, name, file in ((self.source, table, files[0]),
                                   (self.dest, dest_table, files[1])):
            assert self.psql(server, f"\\copy (SELECT * FROM {name} ORDER BY "
                                     f"id) TO '{file}'").wait() == 0
        assert os.path.getsize(files[0]) and \
            filecmp.cmp(*files, shallow=False), f"{dest_table} is not equal"
        for file in files:
            os.remove(file)

    # ------------------------------------------------------------- full sync

    def run_pipe(self):
        began = time.monotonic()
        out = self.psql(self.source, "\\copy ledger to stdout (format binary)",
                        stdout=subprocess.PIPE)
        into = self.psql(self.dest, "\\copy by_pipe from stdin (format binary)",
                         stdin=out.stdout)
        out.stdout.close()
        assert (out.wait(), into.wait()) == (0, 0)
        return time.monotonic() - began

    def make_table(self, table, key):
        self.dest.query(f"DROP TABLE IF EXISTS {table}; "
                        f"CREATE TABLE {table} {COLUMNS}; "
                        + (f"ALTER TABLE {table} ADD PRIMARY KEY (id); "
                           if key else "") + "CHECKPOINT", "bench")

    def pipe(self):
        """Seconds until the rows are there without a key; until their key is,
        too; and into a table that has its key already."""
        self.make_table("by_pipe", key=False)
        seconds = self.run_pipe()
        began = time.monotonic()
        self.dest.query("ALTER TABLE by_pipe ADD PRIMARY KEY (id)", "bench")
        later = seconds + time.monotonic() - began
        self.make_table("by_pipe", key=True)
        return seconds, later, self.run_pipe()

    def pgcopydb(self):
        """The whole database, which has no other table."""
        self.dest.query("DROP DATABASE IF EXISTS by_pgcopydb")
        self.dest.query("CREATE DATABASE by_pgcopydb")
        self.dest.query("CHECKPOINT")
        began = time.monotonic()
        done = subprocess.run(
            ["pgcopydb", "clone", "--source", self.url(self.source),
             "--target", self.url(self.dest, "by_pgcopydb"), "--dir",
             f"{self.folder}/pgcopydb", "--restart", "--table-jobs", "4",
             "--index-jobs", "4", "--split-tables-larger-than", "64MB",
             "--no-owner"], env=dict(
                 os.environ, PGPASSWORD=self.source.password), check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        seconds = time.monotonic() - began
        assert done.returncode == 0, done.stdout
        count = self.dest.query("SELECT count(*) FROM ledger", "by_pgcopydb")
        assert count[0][0] == self.options.rows, count
        self.dest.query("DROP DATABASE by_pgcopydb")
        return seconds

    def full_sync(self, table):
        """From the start of the process, as the peers' time is, until the rows
        are there with their key, which they are all at once."""
        self.make_table(table, key=True)
        self.add_mapping("ledger", table)
        return self.measure(f"SELECT 1 FROM {table} LIMIT 1")

    def readers(self, count):
        self.control("UPDATE config SET config_value = ? WHERE config_key = "
                     "'load_readers'", str(count))

    def measure(self, sql):
        """Run the daemon until the destination has a row for this: seconds,
        CPU seconds, peak MiB."""
        daemon = dataflow.Daemon(self.environment)
        try:
            began = time.monotonic()
            daemon.start()
            self.wait_for(sql)
            seconds = time.monotonic() - began
            cpu, memory = daemon.cpu_seconds(), daemon.peak_mib()
            code, _ = daemon.stop()
            assert code == 0
        except AssertionError:
            print(daemon.log())
            raise
        finally:
            daemon.close()
        return seconds, cpu, memory

    def wait_for(self, sql, interval=0.01):
        connection = self.dest.connect("bench")
        try:
            with connection.cursor() as cursor:
                def is_there():
                    cursor.execute(sql)
                    return cursor.fetchall()
                dataflow.wait_for(is_there, 600, interval)
        finally:
            connection.close()

    def compare_loads(self):
        pipes, others, loads, alone = [], [], [], []
        has_pgcopydb = shutil.which("pgcopydb")
        for number in range(self.options.rounds):
            table = f"by_dataflow_{number}"
            pipes.append(self.pipe())
            if has_pgcopydb:
                others.append(self.pgcopydb())
            loads.append(self.full_sync(table))
            self.readers(1)
            alone.append(self.full_sync(table + "_alone"))
            self.readers(4)
            print("  round {}: pipe {:.2f} s, with key {:.2f} s, into one with "
                  "key {:.2f} s, pgcopydb ".format(number + 1, *pipes[-1])
                  + (f"{others[-1]:.2f} s" if others else "not installed")
                  + f", dataflow {loads[-1][0]:.2f} s, by one reader "
                  f"{alone[-1][0]:.2f} s", flush=True)
            for name in (table, table + "_alone"):
                self.assert_equal("ledger", name)
                self.dest.query(f"DROP TABLE {name}", "bench")
        rows = self.options.rows
        seconds, cpu, memory = medians(loads)
        print("\nfull sync, PostgreSQL to PostgreSQL")
        plain, later, keyed = medians(pipes)
        single = medians(alone)[0]
        for name, value in (
                ("psql | psql, no key", plain),
                ("… and ADD PRIMARY KEY", later),
                ("… into one with key", keyed),
                ("pgcopydb clone", others and statistics.median(others))):
            if value:
                print(f"  {name:22} {value:7.2f} s {rows / value:12,.0f} "
                      f"rows/s   dataflow is {value / seconds:.2f} times as "
                      f"fast, by one reader {value / single:.2f}")
        for name, value in (("dataflow, with key", seconds),
                            ("… load_readers 1", single)):
            print(f"  {name:22} {value:7.2f} s {rows / value:12,.0f} rows/s")
        print(f"  the daemon: {cpu / rows * 1e6:.2f} s of CPU for a million "
              f"rows, {memory:.0f} MiB at most\n", flush=True)

    # --------------------------------------------------------------- changes

    def prepare_changes(self):
        """One table, followed by two that are at rest now."""
        for table in (FOLLOWED, "by_dataflow"):
            self.dest.query(f"CREATE TABLE {table} {COLUMNS}; ALTER TABLE "
                            f"{table} ADD PRIMARY KEY (id)", "bench")
        self.source.query(
            f"DROP TABLE ledger; CREATE TABLE {FOLLOWED} {COLUMNS}; "
            f"INSERT INTO {FOLLOWED} "
            + ROWS.format(1, self.options.change_rows)
            + f"; ALTER TABLE {FOLLOWED} ADD PRIMARY KEY (id); "
            f"CREATE PUBLICATION builtin FOR TABLE {FOLLOWED}", "bench")
        self.source.query("VACUUM ANALYZE", "bench")
        self.dest.query(
            "CREATE SUBSCRIPTION builtin CONNECTION 'host="
            f"{self.source.host} port={self.source.port} dbname=bench "
            f"user={self.source.user} password={self.source.password}' "
            "PUBLICATION builtin", "bench")
        dataflow.wait_for(lambda: self.dest.query(
            "SELECT 1 FROM pg_subscription_rel WHERE srsubstate = 'r'",
            "bench"), 600)
        self.dest.query("ALTER SUBSCRIPTION builtin DISABLE", "bench")
        self.add_mapping(FOLLOWED, "by_dataflow")
        self.measure("SELECT 1 FROM by_dataflow LIMIT 1")

    def run_script(self, sql):
        assert self.psql(self.source, sql).wait() == 0

    def mark(self, text):
        """A last change; the condition by which a destination has it."""
        self.source.query(f"UPDATE {FOLLOWED} SET name = '{text}' WHERE id = "
                          f"{self.options.change_rows}", "bench")
        return f"id = {self.options.change_rows} AND name = '{text}'"

    def change(self, number):
        """Half in small transactions, half in a large one; a sign at last."""
        count = self.options.transactions
        self.run_script(SMALL.format(table=FOLLOWED, count=count))
        self.run_script(LARGE.format(table=FOLLOWED, count=count * 10,
                                     rows=self.options.change_rows))
        return self.mark(f"the end {number}")

    def restore(self, number):
        """What was deleted is there again, what was inserted is not; and all
        have seen it."""
        self.source.query(
            f"DELETE FROM {FOLLOWED} WHERE id > 50000000; "
            f"INSERT INTO {FOLLOWED} "
            + ROWS.format(1, self.options.change_rows)
            + " ON CONFLICT (id) DO NOTHING", "bench")
        self.source.query(f"VACUUM ANALYZE {FOLLOWED}", "bench")
        end = self.mark(f"restored {number}")
        self.builtin(end)
        self.measure(f"SELECT 1 FROM by_dataflow WHERE {end}")
        self.dest.query("VACUUM ANALYZE", "bench")

    def builtin(self, end):
        self.dest.query("ALTER SUBSCRIPTION builtin ENABLE", "bench")
        began = time.monotonic()
        self.wait_for(f"SELECT 1 FROM {FOLLOWED} WHERE {end}")
        seconds = time.monotonic() - began
        self.dest.query("ALTER SUBSCRIPTION builtin DISABLE", "bench")
        return seconds

    def receive(self):
        """Read what was written, to nowhere."""
        end = self.source.query("SELECT pg_current_wal_insert_lsn()", "bench")
        began = time.monotonic()
        done = subprocess.run(
            [f"{self.source.bin}/pg_recvlogical", "-d", self.url(self.source),
             "-S", "reader", "--start", "-o", "proto_version=1", "-o",
             "publication_names=builtin", "--endpos", end[0][0], "-f",
             "/dev/null"], env=dict(os.environ,
                                    PGPASSWORD=self.source.password),
            check=False)
        assert done.returncode == 0
        return time.monotonic() - began

    def catch_up(self, number):
        """The same changes by each; who is first changes from round to round.
        """
        self.source.query("SELECT pg_create_logical_replication_slot("
                          "'reader', 'pgoutput')", "bench")
        end = self.change(number)
        turns = [("a subscription", lambda: (self.builtin(end),)),
                 ("pg_recvlogical alone", lambda: (self.receive(),)),
                 ("dataflow", lambda: self.measure(
                     f"SELECT 1 FROM by_dataflow WHERE {end}"))]
        turns = turns[number % 3:] + turns[:number % 3]
        results = {name: turn() for name, turn in turns}
        self.source.query("SELECT pg_drop_replication_slot('reader')",
                          "bench")
        print(f"  round {number + 1}: " + ", ".join(
            f"{name} {result[0]:.2f} s" for name, result in results.items()),
              flush=True)
        for table in (FOLLOWED, "by_dataflow"):
            self.assert_equal(FOLLOWED, table)
        self.restore(number)
        return results

    def compare_changes(self):
        self.prepare_changes()
        rounds = [self.catch_up(number)
                  for number in range(self.options.rounds)]
        changes = self.options.transactions * 20 + 1
        seconds, cpu, memory = medians([r["dataflow"] for r in rounds])
        print(f"\nchanges, PostgreSQL to PostgreSQL: {changes:,} in "
              f"{self.options.transactions:,} transactions and a large one")
        for name in ("a subscription", "pg_recvlogical alone", "dataflow"):
            value = statistics.median(r[name][0] for r in rounds)
            print(f"  {name:22} {value:7.2f} s {changes / value:12,.0f} "
                  "changes/s" + (f"   dataflow is {value / seconds:.2f} times "
                                 "as fast" if name != "dataflow" else ""))
        print(f"  the daemon: {cpu / changes * 1e6:.2f} s of CPU for a "
              f"million changes, {memory:.0f} MiB at most\n", flush=True)

    # --------------------------------------------------------------- latency

    def latencies(self, table):
        """From the end of a commit until the row can be read, in seconds."""
        here, there = (server.connect("bench")
                       for server in (self.source, self.dest))
        found = []
        try:
            write, look = here.cursor(), there.cursor()
            for number in range(self.options.single_rows):
                time.sleep(0.2)
                write.execute(f"UPDATE {FOLLOWED} SET kind = {number} "
                              "WHERE id = 1")
                began = time.monotonic()
                while True:
                    look.execute(f"SELECT 1 FROM {table} WHERE id = 1 AND "
                                 f"kind = {number}")
                    if look.fetchall():
                        break
                    assert time.monotonic() - began < 60
                    time.sleep(0.001)
                found.append(time.monotonic() - began)
        finally:
            here.close()
            there.close()
        return found

    def compare_latencies(self):
        self.dest.query("ALTER SUBSCRIPTION builtin ENABLE", "bench")
        builtin = self.latencies(FOLLOWED)
        self.dest.query("ALTER SUBSCRIPTION builtin DISABLE", "bench")
        daemon = dataflow.Daemon(self.environment).start()
        try:
            own = self.latencies("by_dataflow")
        finally:
            daemon.close()
        print("from commit to destination, one row each 0.2 s")
        for name, found in (("a subscription", builtin), ("dataflow", own)):
            found = sorted(found[3:])  # until it has got going
            print(f"  {name:22} {statistics.median(found) * 1000:7.1f} ms at "
                  f"the median, {found[len(found) * 95 // 100] * 1000:.1f} ms "
                  f"at 95 %, {found[-1] * 1000:.1f} ms at most")


def medians(results):
    return [statistics.median(column) for column in zip(*results)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=2000000)
    parser.add_argument("--transactions", type=int, default=40000)
    parser.add_argument("--change-rows", type=int, default=1300000)
    parser.add_argument("--single-rows", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=["loads", "changes", "latency"])
    options = parser.parse_args()
    reason = postgresql.why_not()
    if reason:
        print(f"PostgreSQL: left out, {reason}")
        return 0
    folder = tempfile.mkdtemp(prefix="dataflow-bench-")
    try:
        with postgresql.Postgresql(**SERVER) as source, \
                postgresql.Postgresql(**SERVER) as dest:
            bench = Bench(source, dest, folder, options)
            bench.prepare()
            if options.only in (None, "loads"):
                bench.compare_loads()
            if options.only in (None, "changes"):
                bench.compare_changes()
            if options.only == "latency":
                bench.prepare_changes()
            if options.only in (None, "changes", "latency"):
                bench.compare_latencies()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
