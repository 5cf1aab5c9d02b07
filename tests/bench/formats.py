#!/usr/bin/python3
"""How fast files are written from memory, on one thread, beside pyarrow and
DuckDB writing the same rows, and how large they become.

    tests/bench/formats.py [ROWS]       5,000,000 unless given

Each program writes to memory (DuckDB: to a file, and from its own table in
memory), three times; the fastest counts, in seconds of CPU time. A ratio above 1 is in our favour for speed, below
1 for size. All of it is one process after the other, so that each has the
machine for itself.
"""
import os
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "build/python"))

import duckdb  # noqa: E402
import pyarrow  # noqa: E402
import pyarrow.compute as pc  # noqa: E402
import pyarrow.csv  # noqa: E402
import pyarrow.parquet  # noqa: E402

PROGRAM = os.path.join(TOP, "build/tests/bench/formats")
REPEATS = 3
SECONDS_TO_2015 = 735598 * 86400  # from 0001-01-01, as our timestamps count
SECONDS_TO_1970 = 719162 * 86400
CODECS = ("none", "snappy", "zstd", "gzip")


def chance(rows, low, high, seed):
    """Whole numbers from low to high - 1."""
    part = pc.random(rows, initializer=seed)
    return pc.add(pc.floor(pc.multiply(part, float(high - low))).cast(
        pyarrow.int64()), low)


def words_of(numbers, words):
    return pyarrow.array(words).take(numbers)


def sorted_moments(rows):
    micros = chance(rows, 0, 9 * 365 * 86400 * 10 ** 6, 6)
    return micros.take(pc.sort_indices(micros))


def point_moved(array, type_):
    """The same digits with the point elsewhere."""
    return pyarrow.Array.from_buffers(type_, len(array), array.buffers())


def make_table(rows):
    """Eight columns such as an order has them, and some types of values."""
    cities = [f"City of {part} {i}" for i in range(100)
              for part in ("north", "south", "upper", "lower", "new")]
    nouns = ["order", "shipment", "delayed", "customer", "called", "again",
             "refund", "partial", "warehouse", "east", "stock", "missing",
             "priority", "gift", "wrapped", "paid", "invoice"]
    note = [words_of(chance(rows, 0, len(nouns), 10 + i), nouns)
            for i in range(4)]
    cents = chance(rows, 100, 10 ** 6, 4)
    moment = pc.add(sorted_moments(rows),
                    (SECONDS_TO_2015 - SECONDS_TO_1970) * 10 ** 6)
    return pyarrow.table({
        "id": pc.add(pyarrow.array(range(rows), pyarrow.int64()), 10 ** 6),
        "customer": chance(rows, 1, 200000, 1).cast(pyarrow.int32()),
        "quantity": chance(rows, 1, 100, 2).cast(pyarrow.int16()),
        "price": point_moved(cents.cast(pyarrow.decimal128(19, 0)),
                             pyarrow.decimal128(18, 2)),
        "weight": pc.multiply(pc.random(rows, initializer=5), 100.0),
        "ordered": moment.cast(pyarrow.timestamp("us")),
        "city": words_of(chance(rows, 0, len(cities), 7), cities),
        "note": pc.binary_join_element_wise(
            *note, chance(rows, 0, 10 ** 6, 20).cast(pyarrow.string()), " "),
    })


# --------------------------------------------------- the same rows for our program

def dump(table, folder):
    types = {"id": "int64 0", "customer": "int32 0", "quantity": "int16 0",
             "price": "decimal 2", "weight": "float64 0",
             "ordered": "timestamp 0", "city": "text 0", "note": "text 0"}
    with open(os.path.join(folder, "table"), "w", encoding="ascii") as file:
        for name, words in types.items():
            file.write(f"{name} {words}\n")
    for name in types:
        array = table[name].combine_chunks()
        path = os.path.join(folder, name)
        if pyarrow.types.is_string(array.type):
            _, ends, data = array.buffers()
            write(path + ".values", data)
            ends = pyarrow.Array.from_buffers(
                pyarrow.int32(), len(array) + 1, [None, ends])
            write(path + ".ends", ends.cast(pyarrow.int64()).buffers()[1]
                  .slice(8))
        else:
            write(path + ".values", numbers_of(name, array))


def numbers_of(name, array):
    if name == "weight":
        return array
    if name == "price":
        return point_moved(array, pyarrow.decimal128(19, 0)).cast(
            pyarrow.int64())
    if name == "ordered":
        return pc.multiply(pc.add(array.cast(pyarrow.int64()),
                                  SECONDS_TO_1970 * 10 ** 6), 10)
    return array.cast(pyarrow.int64())


def write(path, data):
    if isinstance(data, pyarrow.Array):
        data = data.buffers()[1]
    with open(path, "wb") as file:
        file.write(data)


# ------------------------------------------------------------------- the others

def fastest(run):
    best = None
    for _ in range(REPEATS):
        began = time.process_time()
        size = run()
        took = time.process_time() - began
        best = took if best is None else min(best, took)
    return best, size


def by_pyarrow(table, codec):
    def run():
        sink = pyarrow.BufferOutputStream()
        pyarrow.parquet.write_table(
            table, sink, compression=codec, store_decimal_as_integer=True,
            compression_level=6 if codec == "gzip" else None)
        return sink.getvalue().size
    return fastest(run)


def by_duckdb(table, folder, codec):
    path = os.path.join(folder, "duckdb.parquet")
    codec = {"none": "uncompressed"}.get(codec, codec)
    with duckdb.connect() as db:
        db.execute("set threads = 1")
        db.register("source", table)
        db.execute("create table t as select * from source")

        def run():
            db.execute(f"copy t to '{path}' (format parquet, compression "
                       f"{codec})")
            return os.path.getsize(path)
        return fastest(run)


def csv_by_pyarrow(table):
    def run():
        sink = pyarrow.BufferOutputStream()
        pyarrow.csv.write_csv(table, sink)
        return sink.getvalue().size
    return fastest(run)


def ours(folder, kind, codec):
    done = subprocess.run(
        [PROGRAM, folder, kind, f"compression={codec}",
         os.path.join(folder, f"ours.{kind}"), str(REPEATS)],
        stdout=subprocess.PIPE, check=True, text=True)
    seconds, _, size = done.stdout.split()
    return float(seconds), int(size)


def line(name, rows, result, mine=None):
    seconds, size = result
    text = (f"  {name:22} {seconds:7.2f} s {rows / seconds / 1e6:6.2f} M "
            f"rows/s {size / 1e6:8.1f} MB")
    if mine:
        text += (f"   ours: {seconds / mine[0]:.2f} × its speed, "
                 f"{mine[1] / size:.2f} × its size")
    print(text, flush=True)


def main():
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000
    subprocess.run(["make", "-s", "build/tests/bench/formats"], cwd=TOP,
                   check=True)
    pyarrow.set_cpu_count(1)
    pyarrow.set_io_thread_count(1)
    print(f"{rows} rows of 8 columns, one thread, CPU time")
    with tempfile.TemporaryDirectory() as folder:
        table = make_table(rows)
        dump(table, folder)
        for codec in CODECS:
            print(f"Parquet, {codec}")
            mine = ours(folder, "parquet", codec)
            line("ours", rows, mine)
            line("pyarrow", rows, by_pyarrow(table, codec), mine)
            line("DuckDB", rows, by_duckdb(table, folder, codec), mine)
        again = pyarrow.parquet.read_table(os.path.join(folder,
                                                        "ours.parquet"))
        for name in table.column_names:
            column = again[name].cast(table.schema.field(name).type)
            assert column.equals(table[name]), name
        for kind in ("csv", "jsonl"):
            seconds, size = mine = ours(folder, kind, "none")
            print(f"{kind}: {size / seconds / 1e6:.0f} MB/s")
            line("ours", rows, mine)
            if kind == "csv":
                line("pyarrow", rows, csv_by_pyarrow(table), mine)


if __name__ == "__main__":
    main()
