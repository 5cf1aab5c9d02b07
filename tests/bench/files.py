#!/usr/bin/python3
"""The part of `make bench` that ends in files.

A table of a million rows on the stand-in SQL Server is written by the daemon as
Parquet and as CSV into a folder, and as Parquet into a bucket of versitygw; in
turns with what one would use otherwise: `freebcp out` (CSV, or what is like it),
that and DuckDB's `COPY … TO` (Parquet), that and boto3 (S3), and pymssql with
pyarrow's ParquetWriter. Then the same rows from a PostgreSQL: the daemon, and
`psql \\copy … TO … csv`. Times are from the start of the process until readers
can see the rows, medians over the rounds; the ratios are what counts. Nothing here
asserts a time; rows that are not equal end it with exit code 1.
"""
import argparse
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

import pymssql

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from support import dataflow, duck, postgresql, s3, sqlserver  # noqa: E402
from support.clients import freebcp  # noqa: E402
from bench import BATCH, COLUMNS, PASSWORD, write_rows  # noqa: E402

import pyarrow  # noqa: E402  (from build/python, which duck has found)
import pyarrow.parquet  # noqa: E402

BUCKET = "bench"
SOURCE = "bench_source"
PG_COLUMNS = """(
    id int NOT NULL PRIMARY KEY, account bigint NOT NULL,
    amount numeric(18,4) NOT NULL, ratio float8, name varchar(60) NOT NULL,
    code varchar(20), changed_at timestamp(3) NOT NULL, price numeric(19,4))"""
TYPES = ("{'id': 'INTEGER', 'account': 'BIGINT', 'amount': 'DECIMAL(18,4)', "
         "'ratio': 'DOUBLE', 'name': 'VARCHAR', 'code': 'VARCHAR', "
         "'changed_at': 'TIMESTAMP', 'price': 'DECIMAL(19,4)'}")
SCHEMA = pyarrow.schema([
    ("id", pyarrow.int32()), ("account", pyarrow.int64()),
    ("amount", pyarrow.decimal128(18, 4)), ("ratio", pyarrow.float64()),
    ("name", pyarrow.string()), ("code", pyarrow.string()),
    ("changed_at", pyarrow.timestamp("ms")),
    ("price", pyarrow.decimal128(19, 4))])


class Bench:
    """Folder, control tables, and the source at hand."""

    def __init__(self, folder, options):
        self.folder, self.options = folder, options
        self.environment = {"DATAFLOW_CONTROL":
                            f"sqlite:{folder}/control.db", "TMPDIR": folder}
        self.lake = f"{folder}/lake"
        os.mkdir(self.lake)
        self.reader = duck.Duck()
        self.mappings = 0
        done = dataflow.run("init", env=self.environment)
        assert done.returncode == 0, done.stderr

    def control(self, sql, *values):
        connection = sqlite3.connect(f"{self.folder}/control.db", timeout=20)
        try:
            with connection:
                return connection.execute(sql, values).lastrowid
        finally:
            connection.close()

    def add_source(self, kind, text):
        return self.control(
            "INSERT INTO source_servers (server_name, server_type, "
            "connection_string) VALUES (?, ?, ?)", kind, kind, text)

    def add_target(self, name, kind, text):
        return self.control(
            "INSERT INTO target_servers (target_name, target_type, "
            "connection_string) VALUES (?, ?, ?)", name, kind, text)

    def sync(self, source, schema, target, is_loaded):
        """A daemon from its start until the load is there: seconds, CPU seconds,
        peak MiB, and the name of the table's folder."""
        self.mappings += 1
        table = f"ledger{self.mappings}"
        self.control("UPDATE table_mappings SET is_enabled = 0")
        self.control(
            "INSERT INTO table_mappings (server_id, target_id, "
            "source_database, source_schema, source_table, dest_database, "
            "dest_schema, dest_table, cdc_enabled) VALUES (?, ?, ?, ?, "
            "'ledger', 'bench', 'dbo', ?, 0)", source, target, SOURCE, schema,
            table)
        name = f"bench.dbo.{table}"
        daemon = dataflow.Daemon(self.environment)
        began = time.monotonic()
        daemon.start()
        try:
            dataflow.wait_for(lambda: is_loaded(name), 600, 0.01)
            seconds = time.monotonic() - began
            found = seconds, daemon.cpu_seconds(), daemon.peak_mib(), name
            assert daemon.stop()[0] == 0
        except AssertionError:
            print(daemon.log())
            raise
        finally:
            daemon.close()
        return found

    def is_in_folder(self, name):
        return os.path.exists(f"{self.lake}/{name}/latest.json")

    def parts(self, name, extension):
        return f"'{self.lake}/{name}/full/*/*.{extension}'"

    def assert_equal(self, one, other):
        count, wrong = self.reader.query(
            f"SELECT (SELECT count(*) FROM {one}), (SELECT count(*) FROM ("
            f"(SELECT * FROM {one} EXCEPT SELECT * FROM {other}) UNION ALL "
            f"(SELECT * FROM {other} EXCEPT SELECT * FROM {one})))")[0]
        assert (count, wrong) == (self.options.rows, 0), (one, count, wrong)

    def close(self):
        self.reader.close()


def timed(run, *arguments):
    began = time.monotonic()
    run(*arguments)
    return time.monotonic() - began


def report(title, rows, ours, others):
    seconds, cpu, memory = (statistics.median(column) for column in
                            list(zip(*ours))[:3])
    print(f"\n{title}")
    for name, found in others.items():
        value = statistics.median(found)
        print(f"  {name:36} {value:7.2f} s {rows / value:12,.0f} rows/s   "
              f"dataflow is {value / seconds:.2f} times as fast")
    print(f"  {'dataflow':36} {seconds:7.2f} s {rows / seconds:12,.0f} rows/s"
          f"   {cpu:.2f} s of CPU, {memory:.0f} MiB at most", flush=True)


# ------------------------------------------------------------------- SQL Server

class FromSqlServer:
    def __init__(self, bench, source):
        self.bench, self.source = bench, source
        self.text = f"{bench.folder}/ledger.txt"
        self.parquet = f"{bench.folder}/ledger.parquet"
        source.query(f"CREATE DATABASE {SOURCE}")
        source.query(f"CREATE TABLE dbo.ledger {COLUMNS}", SOURCE)
        write_rows(self.text, bench.options.rows)
        freebcp(source, f"{SOURCE}.dbo.ledger", "in", self.text, BATCH)
        self.id = bench.add_source(
            "sqlserver", f"server={source.address};user id={source.user};"
            f"password={{{source.password}}};encrypt=disable")

    def freebcp(self):
        freebcp(self.source, f"{SOURCE}.dbo.ledger", "out", self.text)

    def freebcp_and_duckdb(self):
        self.freebcp()
        self.bench.reader.query(
            f"COPY (FROM {self.as_table()}) TO '{self.parquet}' "
            "(FORMAT parquet, COMPRESSION snappy)")

    def as_table(self):
        return (f"read_csv('{self.text}', delim = '|', header = false, "
                f"quote = '', columns = {TYPES})")

    def freebcp_duckdb_and_boto3(self, boto):
        self.freebcp_and_duckdb()
        boto.upload_file(self.parquet, BUCKET, "by-boto3.parquet")

    def pymssql_and_pyarrow(self):
        host, port = self.source.address.split(",")
        path = f"{self.bench.folder}/by-pyarrow.parquet"
        with pymssql.connect(host, self.source.user, self.source.password,
                             SOURCE, port=port) as server, \
                server.cursor() as cursor, \
                pyarrow.parquet.ParquetWriter(path, SCHEMA) as writer:
            cursor.execute("SELECT * FROM dbo.ledger")
            while rows := cursor.fetchmany(100000):
                columns = [pyarrow.array(column, field.type) for column, field
                           in zip(zip(*rows), SCHEMA)]
                writer.write_table(pyarrow.table(columns, schema=SCHEMA))

    def run(self, title, target, is_loaded, peers):
        ours, others = [], {name: [] for name in peers}
        for _ in range(self.bench.options.rounds):
            for name, peer in peers.items():
                others[name].append(timed(*peer))
            ours.append(self.bench.sync(self.id, "dbo", target, is_loaded))
        report(f"SQL Server stand-in to {title}", self.bench.options.rows,
               ours, others)
        return ours[-1][3]

    def to_folder(self):
        bench = self.bench
        target = bench.add_target("parquet", "file", f"path={bench.lake}")
        name = self.run("Parquet", target, bench.is_in_folder, {
            "freebcp out, DuckDB COPY": [self.freebcp_and_duckdb],
            "pymssql, pyarrow ParquetWriter": [self.pymssql_and_pyarrow]})
        bench.assert_equal(f"read_parquet({bench.parts(name, 'parquet')})",
                           self.as_table())
        target = bench.add_target("csv", "file",
                                  f"path={bench.lake};file_format=csv")
        name = self.run("CSV", target, bench.is_in_folder, {
            "freebcp out": [self.freebcp]})
        bench.assert_equal(
            f"read_csv({bench.parts(name, 'csv')}, columns = {TYPES}, header "
            "= true, allow_quoted_nulls = false)", self.as_table())

    def to_bucket(self, server):
        boto, bench = server.boto(), self.bench
        boto.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={
            "LocationConstraint": s3.REGION})
        target = bench.add_target("s3", "s3", server.connection_string(BUCKET))

        def is_loaded(name):
            return boto.list_objects_v2(
                Bucket=BUCKET, Prefix=f"{name}/latest.json")["KeyCount"]
        name = self.run("Parquet on S3 (versitygw)", target, is_loaded, {
            "freebcp out, DuckDB COPY, boto3": [
                self.freebcp_duckdb_and_boto3, boto]})
        path = f"{bench.folder}/of-bucket.parquet"
        key = boto.list_objects_v2(Bucket=BUCKET, Prefix=f"{name}/full/")[
            "Contents"]
        boto.download_file(BUCKET, [k["Key"] for k in key if k["Key"].endswith(
            "part-00000.parquet")][0], path)
        bench.assert_equal(f"read_parquet('{path}')", self.as_table())


# ------------------------------------------------------------------- PostgreSQL

def from_postgresql(bench, text):
    rows, file = bench.options.rows, f"{bench.folder}/copy.csv"
    with postgresql.Postgresql(fsync="off") as server:
        server.psql(f"CREATE DATABASE {SOURCE}")
        server.psql(f"CREATE TABLE ledger {PG_COLUMNS}", SOURCE)
        server.psql(f"\\copy ledger FROM '{text}' (DELIMITER '|', NULL '')\n"
                    "VACUUM ANALYZE ledger", SOURCE)
        source = bench.add_source("postgresql", server.connection_string())
        for kind, extension in (("csv", "csv"), ("parquet", "parquet")):
            target = bench.add_target(f"pg {kind}", "file",
                                      f"path={bench.lake};file_format={kind}")
            ours, copies = [], []
            for _ in range(bench.options.rounds):
                copies.append(timed(
                    server.psql, f"\\copy ledger TO '{file}' csv header",
                    SOURCE))
                ours.append(bench.sync(source, "public", target,
                                       bench.is_in_folder))
            report(f"PostgreSQL to {kind}", rows, ours,
                   {"psql \\copy … TO … csv": copies})
            read = "read_parquet(" if kind == "parquet" else "read_csv("
            more = "" if kind == "parquet" else \
                f", columns = {TYPES}, allow_quoted_nulls = false"
            bench.assert_equal(
                f"{read}{bench.parts(ours[-1][3], extension)}{more})",
                f"read_csv('{file}', columns = {TYPES})")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1000000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="dataflow-bench-")
    bench = Bench(folder, options)
    print(f"{options.rows:,} rows of 8 columns, {options.rounds} rounds",
          flush=True)
    try:
        os.mkdir(f"{folder}/data")
        with sqlserver.open_server(f"{folder}/data", PASSWORD) as source:
            ends = FromSqlServer(bench, source)
            ends.to_folder()
            with s3.Versitygw() as server:
                ends.to_bucket(server)
        reason = postgresql.why_not()
        if reason:
            print(f"PostgreSQL: left out, {reason}")
        else:
            from_postgresql(bench, ends.text)
    finally:
        bench.close()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
