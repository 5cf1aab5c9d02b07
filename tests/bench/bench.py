#!/usr/bin/python3
"""`make bench`: how fast, beside the tools that one would use otherwise.

A table of a million rows is copied by FreeTDS's `datacopy`, by `freebcp out` and
`freebcp in`, and by the daemon, in turns, between the same two servers; then the
daemon applies 200,000 changes of it, and compares both tables. Figures are medians over the rounds. What
counts are the ratios: machines differ, and the stand-in servers are not fast.
Nothing here asserts a time; copies that are not equal end it with exit code 1.

The columns are those that datacopy 1.3 can copy: it knows neither the newer
date types nor nvarchar. With DATAFLOW_TEST_SQLSERVER (see README) a real server
is both ends.
"""
import argparse
import filecmp
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from support import dataflow, sqlserver  # noqa: E402
from support.clients import datacopy, freebcp  # noqa: E402

PASSWORD = "Bench-pass-1"
SOURCE, DEST, CONTROL = "bench_source", "bench_dest", "bench_control"
COLUMNS = """(
    id INT NOT NULL PRIMARY KEY,
    account BIGINT NOT NULL,
    amount DECIMAL(18, 4) NOT NULL,
    ratio FLOAT NULL,
    name VARCHAR(60) NOT NULL,
    code VARCHAR(20) NULL,
    changed_at DATETIME NOT NULL,
    price MONEY NULL)"""
BATCH = 10000  # the peers' rows a batch; their default of 1000 is slower


class Bench:
    def __init__(self, source, dest, folder, options):
        self.source, self.dest, self.folder = source, dest, folder
        self.options = options
        self.environment = {"DEST_SERVER": dest.address,
                            "DEST_USER": dest.user,
                            "DEST_PASS": dest.password,
                            "DEST_DATABASE": CONTROL, "TMPDIR": folder}

    # ---------------------------------------------------------------- set-up

    def prepare(self):
        for server, database in ((self.source, SOURCE), (self.dest, DEST)):
            server.query(f"DROP DATABASE IF EXISTS {database}")
            server.query(f"CREATE DATABASE {database}")
        self.source.query(f"CREATE TABLE dbo.ledger {COLUMNS}", SOURCE)
        for table in ("by_datacopy", "by_freebcp"):
            self.make_dest(table)
        file = f"{self.folder}/ledger"
        write_rows(file, self.options.rows)
        print(f"{self.options.rows:,} rows of 8 columns, "
              f"{os.path.getsize(file) / 1e6:.0f} MB as text, "
              f"{self.options.rounds} rounds", flush=True)
        freebcp(self.source, f"{SOURCE}.dbo.ledger", "in", file, BATCH)
        os.remove(file)
        self.source.query("EXEC sys.sp_cdc_enable_db; "
                          "EXEC sys.sp_cdc_enable_table "
                          "@source_schema = N'dbo', @source_name = N'ledger',"
                          " @role_name = NULL", SOURCE)
        done = dataflow.run("init", env=self.environment)
        assert done.returncode == 0, done.stderr
        self.control("INSERT INTO source_servers (server_name, "
                     "connection_string) VALUES (N'bench', N'server="
                     f"{self.source.address};user id={self.source.user};"
                     f"password={{{self.source.password}}};encrypt=disable')")
        self.control("UPDATE config SET config_value = N'1' WHERE config_key "
                     "= N'cdc_check_interval_seconds'")

    def make_dest(self, table):
        """The key is added afterwards, as the daemon's loads do it: the
        stand-in, other than a server, is faster with one made at once."""
        self.dest.query(
            f"CREATE TABLE dbo.{table} {COLUMNS.replace(' PRIMARY KEY', '')}; "
            f"ALTER TABLE dbo.{table} ADD PRIMARY KEY (id)", DEST)

    def control(self, sql):
        return self.dest.query(sql, CONTROL)

    def assert_equal(self, table):
        """Both tables, written to files by a client that nobody here wrote."""
        files = [f"{self.folder}/{end}.txt" for end in ("source", "dest")]
        freebcp(self.source, f"SELECT * FROM {SOURCE}.dbo.ledger ORDER BY id",
                "queryout", files[0])
        freebcp(self.dest, f"SELECT * FROM {DEST}.dbo.{table} ORDER BY id",
                "queryout", files[1])
        assert os.path.getsize(files[0]) and \
            filecmp.cmp(*files, shallow=False), f"{table} is not equal"

    # ------------------------------------------------------------- full sync

    def datacopy(self):
        self.dest.query("TRUNCATE TABLE by_datacopy", DEST)
        began = time.monotonic()
        datacopy(self.source, (SOURCE, "dbo.ledger"), self.dest,
                 (DEST, "dbo.by_datacopy"), self.folder, BATCH)
        return time.monotonic() - began

    def freebcp(self):
        self.dest.query("TRUNCATE TABLE by_freebcp", DEST)
        file = f"{self.folder}/between"
        began = time.monotonic()
        freebcp(self.source, f"{SOURCE}.dbo.ledger", "out", file, BATCH)
        freebcp(self.dest, f"{DEST}.dbo.by_freebcp", "in", file, BATCH)
        seconds = time.monotonic() - began
        os.remove(file)
        return seconds

    def full_sync(self, table):
        """From the start of the process, as the peers' time is, until the rows
        are there, which they are all at once."""
        self.make_dest(table)
        self.control("UPDATE table_mappings SET is_enabled = 0; "
                     "INSERT INTO table_mappings (server_id, source_database, "
                     "source_table, dest_database, dest_table, cdc_enabled) "
                     f"VALUES (1, N'{SOURCE}', N'ledger', N'{DEST}', "
                     f"N'{table}', 1)")
        return self.measure(f"SELECT TOP (1) 1 FROM {table}")

    def measure(self, sql):
        """Run the daemon until the destination has a row for this: seconds,
        CPU seconds, peak MiB."""
        daemon = dataflow.Daemon(self.environment)
        with self.dest.connect(DEST) as watch, watch.cursor() as cursor:
            def is_done():
                cursor.execute(sql)
                return cursor.fetchall()
            began = time.monotonic()
            daemon.start()
            try:
                dataflow.wait_for(is_done, timeout=600, interval=0.01)
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

    def compare_loads(self):
        copies, files, loads = [], [], []
        for number in range(self.options.rounds):
            copies.append(self.datacopy())
            files.append(self.freebcp())
            loads.append(self.full_sync(f"by_dataflow_{number}"))
            print(f"  round {number + 1}: datacopy {copies[-1]:.2f} s, "
                  f"freebcp {files[-1]:.2f} s, dataflow {loads[-1][0]:.2f} s",
                  flush=True)
        for table in ("by_datacopy", "by_freebcp",
                      f"by_dataflow_{self.options.rounds - 1}"):
            self.assert_equal(table)
        rows = self.options.rows
        seconds, cpu, memory = medians(loads)
        print("\nfull sync")
        for name, value in (("datacopy", statistics.median(copies)),
                            ("freebcp out + in", statistics.median(files)),
                            ("dataflow", seconds)):
            print(f"  {name:18} {value:7.2f} s {rows / value:12,.0f} rows/s"
                  + (f"   dataflow is {value / seconds:.2f} times as fast"
                     if name != "dataflow" else ""))
        print(f"  the daemon: {cpu / rows * 1e6:.2f} s of CPU for a million "
              f"rows, {memory:.0f} MiB at most\n", flush=True)

    # --------------------------------------------------------------- changes

    def change(self):
        """Half updates, a quarter each inserts and deletes, a thousand
        changes a transaction; at last a sign that all of it is there."""
        transactions = self.options.changes // 1000
        for number in range(transactions):
            at = number * 1000
            self.source.query(
                "SET XACT_ABORT ON; BEGIN TRANSACTION; "
                "UPDATE ledger SET amount = amount + 1, "
                "changed_at = '2026-02-03 04:05:06.007' "
                f"WHERE id >= {at} AND id < {at} + 500; "
                f"DELETE ledger WHERE id >= {at} + 500 AND id < {at} + 750; "
                "INSERT ledger SELECT id + 100000000, account, amount, ratio, "
                "name, NULL, changed_at, price FROM ledger "
                f"WHERE id >= {at} AND id < {at} + 250; COMMIT", SOURCE)
        self.source.query("UPDATE ledger SET name = 'the end' WHERE id = "
                          f"{self.options.rows}", SOURCE)
        dataflow.wait_for(lambda: self.source.query(
            "SELECT 1 FROM cdc.dbo_ledger_CT WHERE __$operation = 4 AND "
            f"name = 'the end' AND id = {self.options.rows}", SOURCE), 300)

    def apply_changes(self):
        table = f"by_dataflow_{self.options.rounds - 1}"
        self.change()
        result = self.measure(f"SELECT 1 FROM {table} WHERE name = 'the end' "
                              f"AND id = {self.options.rows}")
        self.assert_equal(table)
        changes = self.options.changes
        print("change capture")
        print(f"  {changes:,} changes in {changes // 1000} transactions, "
              f"applied in {result[0]:.2f} s: {changes / result[0]:,.0f} "
              f"changes/s\n  the daemon: {result[1] / changes * 1e6:.2f} s of "
              f"CPU for a million changes, {result[2]:.0f} MiB at most",
              flush=True)


    # ---------------------------------------------------------- verification

    def dump_and_compare(self, table):
        began = time.monotonic()
        self.assert_equal(table)
        return time.monotonic() - began

    def verify(self, mapping):
        """The whole table, on request: seconds, and the daemon's answer."""
        self.control("INSERT INTO sync_requests (mapping_id, request_type, "
                     f"scope) VALUES ({mapping}, N'VERIFY', N'WHOLE')")
        done = dataflow.wait_for(lambda: self.control(
            "SELECT TOP (1) DATEDIFF(MILLISECOND, started_at, completed_at), "
            "answer FROM sync_requests WHERE state = N'COMPLETED' AND "
            "request_id = (SELECT MAX(request_id) FROM sync_requests)"), 600)
        return done[0][0] / 1000, done[0][1]

    def compare_checks(self):
        """Beside what one would do otherwise: write both tables to files."""
        table = f"by_dataflow_{self.options.rounds - 1}"
        mapping = self.control("SELECT MAX(mapping_id) FROM table_mappings "
                               "WHERE is_enabled = 1")[0][0]
        dumps = statistics.median(self.dump_and_compare(table)
                                  for _ in range(self.options.rounds))
        daemon = dataflow.Daemon(self.environment)
        daemon.start()
        try:
            dataflow.wait_for(lambda: self.control(
                "SELECT 1 FROM mapping_state WHERE is_consistent = 1 AND "
                f"mapping_id = {mapping}"), 600)
            same = [self.verify(mapping)[0]
                    for _ in range(self.options.rounds)]
            self.dest.query(f"UPDATE {table} SET code = 'by hand' "
                            "WHERE id % 10000 = 0", DEST)
            some, answer = self.verify(mapping)
            self.control("UPDATE table_mappings SET is_enabled = 0")
            memory = daemon.peak_mib()
        finally:
            daemon.close()
        rows, seconds = self.options.rows, statistics.median(same)
        print("verification of the whole table")
        print(f"  both to files by freebcp, and cmp: {dumps:.2f} s")
        print(f"  dataflow, all the same: {seconds:.2f} s, "
              f"{rows / seconds:,.0f} rows/s, {dumps / seconds:.2f} times as "
              f"fast\n  dataflow, {answer}: {some:.2f} s, which has to wait "
              f"for the capture job\n  the daemon: {memory:.0f} MiB at most\n",
              flush=True)


def medians(results):
    return [statistics.median(column) for column in zip(*results)]


def write_rows(file, count):
    with open(file, "w", encoding="ascii") as out:
        for i in range(1, count + 1):
            ratio = f"{i / 7:.9f}" if i % 9 else ""
            code = f"C-{i * 7919 % 1000003:07}" if i % 5 else ""
            price = f"{i % 100000}.{i % 100:02}" if i % 3 else ""
            out.write(f"{i}|{i * 982451653 % 10 ** 15}|"
                      f"{i * 31 % 10 ** 9}.{i % 10000:04}|{ratio}|"
                      f"Name of number {i}|{code}|2026-01-{i % 28 + 1:02} "
                      f"{i % 24:02}:{i % 60:02}:{i // 60 % 60:02}|{price}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1000000)
    parser.add_argument("--changes", type=int, default=200000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with sqlserver.open_pair("dataflow-bench-",
                             PASSWORD) as (folder, source, dest):
        bench = Bench(source, dest, folder, options)
        bench.prepare()
        bench.compare_loads()
        bench.apply_changes()
        bench.compare_checks()
    return 0


if __name__ == "__main__":
    sys.exit(main())
