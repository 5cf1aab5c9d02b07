"""Runs under the Python of build/peers: DuckDB and pyarrow, which Debian does not
have, for tests that run under Debian's. A line of JSON in, one out."""
import datetime
import decimal
import json
import sys
import uuid

import duckdb
import pyarrow.parquet


def plain(value):
    """The same text for the same value, whoever read it."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, decimal.Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, datetime.datetime) and value.tzinfo:
        value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def answer(connection, request):
    if "sql" in request:
        found = connection.execute(request["sql"])
        names = [d[0] for d in found.description or []]
        return {"names": names,
                "rows": [[plain(v) for v in row] for row in found.fetchall()]}
    file = pyarrow.parquet.ParquetFile(request["parquet"])
    table = file.read()
    return {"names": table.column_names, "rows": table.num_rows,
            "types": [str(t) for t in table.schema.types],
            "pairs": {k.decode(): v.decode() for k, v in
                      (file.metadata.metadata or {}).items()},
            "values": [[plain(v) for v in c.to_pylist()]
                       for c in table.columns]}


def main():
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for line in sys.stdin:
        try:
            out = answer(connection, json.loads(line))
        except Exception as error:  # told to the test, which fails
            out = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(out), flush=True)


main()
