"""Tables that were landed as files, as somebody sees them who knows the layout of
docs/files.md alone, and reads them with DuckDB."""
import glob
import hashlib
import json
import os

from support import dataflow
from support.duck import rows

OWN = ("_op", "_position", "_commit_time", "_seq", "_unchanged")


class Landing:
    """The folder of one table."""

    def __init__(self, duck, folder, extension="parquet"):
        self.duck, self.folder = duck, str(folder)
        self.extension = extension

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def read_json(self, *parts):
        with open(self.path(*parts), encoding="utf-8") as file:
            return json.load(file)

    def is_loaded(self):
        return os.path.exists(self.path("latest.json"))

    def latest(self):
        return self.read_json("latest.json")

    def manifest(self, run=None):
        return self.read_json("full", run or self.latest()["run"],
                              "_manifest.json")

    def state(self):
        return self.read_json("_dataflow/state.json")

    def runs(self):
        return sorted(os.listdir(self.path("full")))

    def _glob(self, *parts):
        return sorted(glob.glob(self.path(*parts), recursive=True))

    def parts(self, run=None):
        return self._glob("full", run or self.latest()["run"], "**",
                          f"*part-*.{self.extension}")

    def changes(self):
        return self._glob("changes", "**", f"*.{self.extension}")

    def temporaries(self):
        return self._glob("_dataflow/tmp/*")

    def everything(self):
        """Each visible file of rows, and what is in it."""
        found = {}
        for path in self._glob("full/**/*part-*") + self._glob("changes/**"):
            if os.path.isfile(path):
                try:
                    with open(path, "rb") as file:
                        found[path] = hashlib.sha256(file.read()).hexdigest()
                except FileNotFoundError:
                    pass  # removed meanwhile
        return found

    # -- what a reader does

    def scan(self, paths):
        """Such files as one table for DuckDB."""
        files = ", ".join("'" + p.replace("'", "''") + "'" for p in paths)
        if self.extension == "parquet":
            return (f"read_parquet([{files}], union_by_name = true, "
                    "hive_partitioning = false)")
        if self.extension.startswith("csv"):
            return (f"read_csv([{files}], union_by_name = true, header = true, "
                    "hive_partitioning = false, all_varchar = true, "
                    "quote = '\"', escape = '\"', allow_quoted_nulls = false)")
        return (f"read_json([{files}], format = 'newline_delimited', "
                "union_by_name = true, hive_partitioning = false)")

    def replay(self, key, columns=None):
        """SQL for the table as it is now: the latest load, and what came after.

        Of each column the last value counts that a change of the row told,
        since the row was deleted last; rows whose last change is a delete are
        not there."""
        latest = self.latest()
        parts, changes = self.scan(self.parts()), self.changes()
        if not changes:
            names = self.duck.names(f"SELECT * FROM {parts} LIMIT 0")
            return f"SELECT {self._list(columns or names)} FROM {parts}"
        changes = self.scan(changes)
        names = self.duck.names(
            f"SELECT * FROM {parts} UNION ALL BY NAME SELECT * EXCLUDE "
            f"({', '.join(OWN)}) FROM {changes} LIMIT 0")
        keys = key if isinstance(key, list) else key.split(",")
        values = ", ".join(
            self._quote(n) if n in keys else
            f"(arg_max({{'v': {self._quote(n)}}}, _seq) FILTER (_op = 'U' AND "
            f"_seq > coalesce(gone, -2) AND NOT coalesce(list_contains("
            f"_unchanged::VARCHAR[], {self._text(n)}), false))).v "
            f"AS {self._quote(n)}"
            for n in columns or names)
        group = self._list(keys)
        return f"""
            WITH events AS (
                SELECT 'U' AS _op, -1 AS _seq, NULL AS _unchanged, *
                FROM {parts}
                UNION ALL BY NAME
                SELECT * EXCLUDE (_position, _commit_time)
                REPLACE (_seq::BIGINT AS _seq) FROM {changes}
                WHERE _seq::BIGINT >= {latest["first_seq"]}),
            marked AS (
                SELECT *, max(CASE WHEN _op = 'D' THEN _seq END)
                    OVER (PARTITION BY {group}) AS gone
                FROM events)
            SELECT {values} FROM marked GROUP BY {group}
            HAVING arg_max(_op, _seq) = 'U' AND bool_or(_op = 'U' AND
                _seq > coalesce(gone, -2) AND _unchanged IS NULL)"""

    @staticmethod
    def _quote(name):
        return '"' + name.replace('"', '""') + '"'

    @staticmethod
    def _text(name):
        return "'" + name.replace("'", "''") + "'"

    def _list(self, names):
        return ", ".join(map(self._quote, names))

    def rows(self, key="id", columns=None):
        return rows(self.duck.query(self.replay(key, columns)))


class Lake:
    """A target server for a world's mappings: files below a folder."""

    def __init__(self, world, duck, folder, kind="file", **options):
        self.world, self.duck, self.folder = world, duck, str(folder)
        self.options = dict({"file_age_seconds": 1}, **options)
        self.extension = {"csv": "csv", "json": "jsonl"}.get(
            options.get("file_format"), "parquet")
        if self.extension != "parquet" and "compression" in options:
            self.extension += {"gzip": ".gz", "zstd": ".zst"}[
                options["compression"]]
        self.target_id = self.add_target(kind)

    def connection_string(self):
        parts = {"path": self.folder, **self.options}
        return ";".join(f'{key}="{value}"' for key, value in parts.items())

    def add_target(self, kind):
        text = self.connection_string().replace("'", "''")
        control = self.world.control
        control("INSERT INTO target_servers (target_name, target_type, "
                f"connection_string) VALUES (N'lake', N'{kind}', N'{text}')")
        return control("SELECT MAX(target_id) FROM target_servers")[0][0]

    def set_options(self, **options):
        self.options.update(options)
        text = self.connection_string().replace("'", "''")
        self.world.control("UPDATE target_servers SET connection_string = "
                           f"N'{text}' WHERE target_id = {self.target_id}")

    def add_mapping(self, table, cdc=1, **columns):
        return self.world.add_mapping(table, cdc=cdc, **dict(
            {"target_id": self.target_id, "dest_database": "lake",
             "dest_schema": "dbo"}, **columns))

    def landing(self, table):
        """As it is now, for a bucket: what is in a copy of it."""
        prefix = self.options.get("prefix", "")
        return Landing(self.duck, os.path.join(
            self.folder, prefix, f"lake.dbo.{table}"), self.extension)

    # -- what somebody does to files

    def read(self, table, key):
        with open(self.landing(table).path(key), "rb") as file:
            return file.read()

    def write(self, table, key, data):
        path = self.landing(table).path(key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)

    def remove(self, table, key):
        os.unlink(self.landing(table).path(key))

    # -- what is compared

    def source_rows(self, table, columns="*"):
        return rows(self.world.on_source(f"SELECT {columns} FROM {table}"))

    def differences(self, table, key="id", most=5):
        landing = self.landing(table)
        if not landing.is_loaded():
            return ["no load"]
        source, found = self.source_rows(table), landing.rows(key)
        if source == found:
            return []
        there, wanted = set(found), set(source)
        missing = [r for r in source if r not in there]
        extra = [r for r in found if r not in wanted]
        return [f"{len(source)} rows in the source, {len(found)} in files"] + \
            [f"missing {r}"[:2000] for r in missing[:most]] + \
            [f"extra {r}"[:2000] for r in extra[:most]]

    def wait_equal(self, table, key="id", timeout=30):
        try:
            dataflow.wait_for(lambda: not self.differences(table, key),
                              timeout, 0.2)
        except AssertionError:
            raise AssertionError(
                f"{table} did not become equal: "
                f"{self.differences(table, key)}\n"
                f"errors: {self.world.errors()}\n"
                f"{self.world.log()}"[-20000:]) from None


class Copy:
    """A folder with the objects of a bucket, which boto3 brings."""

    def __init__(self, boto, bucket, folder):
        self.boto, self.bucket, self.folder = boto, bucket, str(folder)

    def keys(self, prefix=""):
        pages = self.boto.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix)
        return [item["Key"] for page in pages
                for item in page.get("Contents", [])]

    def uploads(self):
        return self.boto.list_multipart_uploads(
            Bucket=self.bucket).get("Uploads", [])

    def fetch(self, key):
        """Files of rows never change: one that is here is not fetched again."""
        path = os.path.join(self.folder, key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.exists(path) and not key.endswith(".json"):
            return
        try:
            body = self.boto.get_object(Bucket=self.bucket,
                                        Key=key)["Body"].read()
        except self.boto.exceptions.NoSuchKey:
            return  # removed meanwhile
        with open(path + ".new", "wb") as file:
            file.write(body)
        os.rename(path + ".new", path)

    def bring(self, prefix):
        """A pointer is read before what it points to."""
        for key in self.keys(prefix + "latest.json"):
            self.fetch(key)
        keys = self.keys(prefix)
        for key in keys:
            if not key.endswith("/latest.json"):
                self.fetch(key)
        for folder, _, names in os.walk(os.path.join(self.folder, prefix)):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.relpath(path, self.folder) not in keys:
                    os.unlink(path)


class BucketLake(Lake):
    """Objects of an S3 server; landings are of a copy of it."""

    def __init__(self, world, duck, folder, server, bucket, **options):
        self.server, self.bucket = server, bucket
        self.boto = server.boto()
        self.copy = Copy(self.boto, bucket, folder)
        self.keys, self.uploads = self.copy.keys, self.copy.uploads
        super().__init__(world, duck, folder, "s3", **options)

    def connection_string(self):
        return self.server.connection_string(self.bucket, **self.options)

    def landing(self, table):
        found = super().landing(table)
        self.copy.bring(os.path.relpath(found.folder, self.folder) + "/")
        return found

    def _object(self, table, key):
        prefix = self.options.get("prefix", "")
        return {"Bucket": self.bucket,
                "Key": os.path.join(prefix, f"lake.dbo.{table}", key)}

    def read(self, table, key):
        return self.boto.get_object(**self._object(table, key))["Body"].read()

    def write(self, table, key, data):
        self.boto.put_object(Body=data, **self._object(table, key))

    def remove(self, table, key):
        self.boto.delete_object(**self._object(table, key))
