"""Parquet files, read by pyarrow and DuckDB and compared value by value."""
import os
import random
import subprocess

import duckdb
import pyarrow
import pyarrow.parquet
import pytest

import rows as r
from rows import Column

CODECS = ("none", "gzip", "snappy", "zstd")


def of_arrow(value, column, array_type):
    """What pyarrow gives for one value, as a batch holds it."""
    if value is None:
        return None
    if column.type == "decimal" or column.type == "uint64":
        return int(value.scaleb(column.scale))
    if column.type in ("bool", "uint8", "int8", "int16", "int32", "int64"):
        return int(value)
    if column.type == "date":
        return value + r.DAYS_TO_1970
    if column.type in ("time", "timestamp", "timestamptz"):
        unit = {"us": 10, "ns": 0.01}[array_type.unit]
        ticks = value * 10 if unit == 10 else value // 100
        assert unit == 10 or value % 100 == 0
        if column.type == "time":
            return ticks
        ticks += r.DAYS_TO_1970 * r.DAY
        return ticks if column.type == "timestamp" else (ticks, 0)
    if isinstance(value, str):
        return value.encode()
    return value


def plain(array):
    """Times as numbers, extension types as what they are stored in."""
    if isinstance(array.type, pyarrow.BaseExtensionType):
        array = array.cast(array.type.storage_type) \
            if not hasattr(array, "chunks") else pyarrow.chunked_array(
                [chunk.storage for chunk in array.chunks],
                type=array.type.storage_type)
    if pyarrow.types.is_date32(array.type):
        return array.cast(pyarrow.int32())
    if pyarrow.types.is_time(array.type) or \
            pyarrow.types.is_timestamp(array.type):
        return array.cast(pyarrow.int64())
    return array


def read_arrow(path, columns):
    file = pyarrow.parquet.ParquetFile(path, page_checksum_verification=True)
    table = file.read()
    assert table.column_names == [column.name for column in columns]
    lists = []
    for column in columns:
        array = table.column(column.name)
        if column.type == "timestamptz":
            assert array.type.tz == "UTC"
        lists.append([of_arrow(value, column, array.type)
                      for value in plain(array).to_pylist()])
    return list(zip(*lists)) if table.num_rows else []


def moved(rows, columns):
    """What a file keeps of it: no offset from UTC."""
    at = [i for i, c in enumerate(columns) if c.type == "timestamptz"]
    out = []
    for row in rows:
        row = list(row)
        for i in at:
            row[i] = row[i] and (row[i][0], 0)
        out.append(tuple(row))
    return out


def in_duckdb(column):
    """An expression that gives a value as a batch holds it, as text."""
    name = '"' + column.name.replace('"', '""') + '"'
    if column.type == "bool":
        return f"{name}::int::varchar"
    if column.type == "decimal":
        return f"replace({name}::varchar, '.', '')"
    if column.type == "date":
        return f"(({name} - DATE '1970-01-01') + {r.DAYS_TO_1970})::varchar"
    if column.type == "uuid":
        return f"replace({name}::varchar, '-', '')"
    if column.type == "bytes":
        return f"lower(hex({name}))"
    if column.type in ("text", "json", "xml"):
        return f"lower(hex(encode({name}::varchar)))"
    if column.type in ("float32", "float64"):
        return f"{name}::double"
    if column.type in ("timestamp", "timestamptz"):
        return f"epoch_us({name})::varchar"
    return f"{name}::varchar"


def as_duckdb(value, column):
    if value is None:
        return None
    if column.type == "decimal":
        digits = str(abs(value)).rjust(
            column.scale + (column.precision > column.scale), "0")
        return ("-" if value < 0 else "") + digits
    if column.type == "time":
        text = r.time_text(value, 7)
        return text.rstrip("0").rstrip(".")
    if column.type in ("timestamp", "timestamptz"):
        ticks = value[0] if column.type == "timestamptz" else value
        return str((ticks - r.DAYS_TO_1970 * r.DAY) // 10)
    if column.type.startswith("float"):
        return value
    return value.hex() if isinstance(value, bytes) else str(value)


def read_duckdb(source, columns):
    with duckdb.connect() as db:
        db.execute("set threads = 1")
        return db.execute("select " + ", ".join(map(in_duckdb, columns)) +
                          f" from {source}").fetchall()


def assert_duckdb(path, columns, rows):
    got = read_duckdb(f"read_parquet('{path}')", columns)
    r.assert_rows(got, [tuple(map(as_duckdb, row, columns)) for row in rows])


# -------------------------------------------------------------------- all types

@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("nullable", (True, False))
def test_every_type(tmp_path, codec, nullable):
    columns = r.every_type(nullable)
    rows = r.make_rows(columns, 3000)
    path = tmp_path / "t.parquet"
    r.write(path, "parquet", f"compression={codec}", columns, rows)
    r.assert_rows(read_arrow(path, columns), moved(rows, columns))
    assert_duckdb(path, columns, rows)
    r.assert_rows(r.read(path, "parquet", "", columns),
                  moved(rows, columns))


def test_schema(tmp_path):
    """The types that readers see, and which columns may be NULL."""
    columns = r.every_type() + [Column("key", "int64", nullable=False)]
    path = tmp_path / "t.parquet"
    r.write(path, "parquet", "", columns, [])
    schema = pyarrow.parquet.read_schema(path)
    types = {field.name: str(field.type) for field in schema}
    assert types["uint8"] == "int16" and types["int8"] == "int8"
    assert types["uint64"] == "decimal128(20, 0)"
    assert types["decimal_38_10"] == "decimal128(38, 10)"
    assert types["time_7"] == "time64[ns]" and types["time_3"] == "time64[us]"
    assert types["timestamp_0"] == "timestamp[us]"
    assert types["timestamptz_6"] == "timestamp[us, tz=UTC]"
    assert types["uuid"] == "extension<arrow.uuid>"
    assert types["json"] == "extension<arrow.json>"
    assert types["xml"] == "string" and types["bytes"] == "binary"
    assert not schema.field("key").nullable and schema.field("xml").nullable
    with duckdb.connect() as db:
        found = dict(db.execute(
            f"select column_name, column_type from (describe select * from "
            f"'{path}')").fetchall())
    assert found["uuid"] == "UUID" and found["json"] == "JSON"
    assert found["time_7"] == "TIME_NS"
    assert found["timestamptz_3"] == "TIMESTAMP WITH TIME ZONE"
    assert found["timestamp_3"] == "TIMESTAMP"
    assert found["uint64"] == "DECIMAL(20,0)"
    assert found["decimal_9_9"] == "DECIMAL(9,9)"
    leaves = pyarrow.parquet.ParquetFile(path).schema
    physical = {leaves.column(i).name: leaves.column(i).physical_type
                for i in range(len(columns))}
    assert physical["decimal_9_2"] == "INT32"
    assert physical["decimal_18_4"] == "INT64"
    assert physical["decimal_19_4"] == "FIXED_LEN_BYTE_ARRAY"


def test_no_rows(tmp_path):
    columns = r.every_type()
    path = tmp_path / "t.parquet"
    r.write(path, "parquet", "", columns, [])
    assert read_arrow(path, columns) == []
    assert_duckdb(path, columns, [])
    assert r.read(path, "parquet", "", columns) == []


def test_nothing_but_null(tmp_path):
    columns = r.every_type()
    rows = [(None,) * len(columns)] * 25000
    path = tmp_path / "t.parquet"
    r.write(path, "parquet", "", columns, rows)
    assert read_arrow(path, columns) == rows
    assert_duckdb(path, columns, rows)
    assert r.read(path, "parquet", "", columns) == rows


def test_one_row(tmp_path):
    columns = r.every_type()
    for number, row in enumerate(r.make_rows(columns, 3)):
        path = tmp_path / f"{number}.parquet"
        r.write(path, "parquet", "compression=none", columns, [row])
        r.assert_rows(read_arrow(path, columns), moved([row], columns))
        assert_duckdb(path, columns, [row])


def test_a_thousand_columns(tmp_path):
    kinds = r.every_type()
    columns = [Column(f"c{i}", kinds[i % len(kinds)].type,
                      kinds[i % len(kinds)].precision,
                      kinds[i % len(kinds)].scale) for i in range(1000)]
    rows = r.make_rows(columns, 60)
    path = tmp_path / "t.parquet"
    r.write(path, "parquet", "", columns, rows)
    r.assert_rows(read_arrow(path, columns), moved(rows, columns))
    assert_duckdb(path, columns, rows)
    r.assert_rows(r.read(path, "parquet", "", columns), moved(rows, columns))


@pytest.mark.parametrize("codec", ("snappy", "zstd"))
def test_long_texts(tmp_path, codec):
    random_ = random.Random(3)
    columns = [Column("id", "int32", nullable=False), Column("t", "text"),
               Column("b", "bytes")]
    size = 16 << 20
    rows = [(1, b"x" * size, None), (2, b"", random_.randbytes(size)),
            (3, ("é" * (size // 2)).encode(), b"y" * (1 << 20)),
            (4, b"x" * size, b"")]
    path = tmp_path / "t.parquet"
    r.write(path, "parquet", f"compression={codec}", columns, rows)
    r.assert_rows(read_arrow(path, columns), rows)
    assert_duckdb(path, columns, rows)
    r.assert_rows(r.read(path, "parquet", "", columns), rows)


def test_odd_names(tmp_path):
    names = ["", " ", "a.b", "schema", "Ünïcode", 'quo"te', "a" * 128,
             "tab\tname", "日本", "A", "a"]
    columns = [Column(name, "int32") for name in names]
    path = tmp_path / "t.parquet"
    r.write(path, "parquet", "", columns, [tuple(range(len(names)))])
    assert pyarrow.parquet.read_schema(path).names == names
    assert r.read(path, "parquet", "", columns) == [tuple(range(len(names)))]


def test_other_encodings(tmp_path):
    columns = [Column("w", "text", charset="UTF-16LE"),
               Column("l", "text", charset="CP1252")]
    rows = [(t.encode("utf-16-le"), "Zoë €".encode("cp1252"))
            for t in ("", "abc", "日本", "\U0001f600")]
    path = tmp_path / "t.parquet"
    r.write(path, "parquet", "", columns, rows)
    assert pyarrow.parquet.read_table(path).to_pylist() == [
        {"w": w.decode("utf-16-le"), "l": "Zoë €"} for w, _ in rows]


# ------------------------------------------------------------------------- times

FINE = [Column("t", "timestamp", 7), Column("z", "timestamptz", 7)]
FINE_ROWS = [(638000000001234567, (638000000001234567, 120)),
             (638000000001234565, (638000000001234564, -840)),
             (r.END - 1, (r.END - 1, -60)), (0, (0, 60)), (None, None)]


def test_fine_times_in_microseconds(tmp_path):
    """Rounded as docs/formats.md says, and so it is told."""
    path = tmp_path / "t.parquet"
    r.write(path, "parquet", "", FINE, FINE_ROWS)
    rounded = [(638000000001234570, (638000000001234570, 0)),
               (638000000001234570, (638000000001234560, 0)),
               (r.END - 10, (r.END - 10, 0)), (0, (0, 0)), (None, None)]
    assert read_arrow(path, FINE) == rounded
    assert r.read(path, "parquet", "", FINE) == rounded
    assert r.describe("parquet", "", FINE)[1] == {
        "t": "INT64 TIMESTAMP(MICROS), finest",
        "z": "INT64 TIMESTAMP(MICROS, UTC), finest, offsetless"}


def test_fine_times_in_nanoseconds(tmp_path):
    path = tmp_path / "t.parquet"
    rows = [(t, z and (z[0], 0)) for t, z in FINE_ROWS
            if t in (None, 638000000001234567, 638000000001234565)]
    r.write(path, "parquet", "timestamps=nanos", FINE, rows)
    assert read_arrow(path, FINE) == rows
    assert r.read(path, "parquet", "timestamps=nanos", FINE) == rows
    with duckdb.connect() as db:
        assert db.execute(f"select epoch_ns(t) from '{path}'").fetchall() == [
            (t and (t - r.DAYS_TO_1970 * r.DAY) * 100,) for t, _ in rows]
    for late in (0, r.END - 1):
        said = r.write(path, "parquet", "timestamps=nanos", FINE,
                       [(late, None)], check=False).stderr
        assert "'t'" in said and "timestamps=text" in said


def test_fine_times_as_text(tmp_path):
    path = tmp_path / "t.parquet"
    r.write(path, "parquet", "timestamps=text", FINE, FINE_ROWS)
    assert pyarrow.parquet.read_table(path).to_pylist() == [
        {"t": t if t is None else r.timestamp_text(t, 7),
         "z": z if z is None else r.timestamp_text(
             z[0] + z[1] * 60 * r.SECOND, 7) + r.offset_text(z[1])}
        for t, z in FINE_ROWS]
    assert r.read(path, "parquet", "timestamps=text", FINE) == FINE_ROWS


def test_uuid_as_text(tmp_path):
    path = tmp_path / "t.parquet"
    columns = [Column("u", "uuid")]
    rows = [(v,) for v in r.edges(columns[0])] + [(None,)]
    r.write(path, "parquet", "uuid=text", columns, rows)
    assert pyarrow.parquet.read_table(path)["u"].to_pylist() == [
        v and r.uuid_text(v) for v, in rows]
    assert r.read(path, "parquet", "uuid=text", columns) == rows


def test_datetime_is_rounded_as_its_server_shows_it(tmp_path):
    path = tmp_path / "t.parquet"
    columns = [Column("t", "timestamp", 3, coarse=True)]
    third = 638000000000000000 + 33333  # 1/300 s
    r.write(path, "parquet", "", columns, [(third,), (third + 33334,)])
    assert r.read(path, "parquet", "", columns) == [
        (638000000000030000,), (638000000000070000,)]


# --------------------------------------------------------- row groups and pages

MIXED = [Column("id", "int64", nullable=False), Column("day", "date"),
         Column("city", "text"), Column("note", "text"),
         Column("price", "decimal", 18, 2), Column("ratio", "float64"),
         Column("flag", "bool")]


def mixed_rows(count, seed=5):
    random_ = random.Random(seed)
    cities = [b"city %d" % i for i in range(200)]
    return [(1000 + i, 700000 + i // 50, random_.choice(cities),
             b"note %d %d" % (i, random_.getrandbits(40)),
             None if i % 11 == 0 else random_.randrange(10 ** 7),
             random_.random(), int(i % 7 == 0)) for i in range(count)]


def test_row_groups(tmp_path):
    rows = mixed_rows(100000)
    path = tmp_path / "t.parquet"
    r.write(path, "parquet", "row_group_mb=1", MIXED, rows)
    meta = pyarrow.parquet.ParquetFile(path).metadata
    assert meta.num_row_groups > 2 and meta.num_rows == len(rows)
    r.assert_rows(read_arrow(path, MIXED), rows)
    assert_duckdb(path, MIXED, rows)
    r.assert_rows(r.read(path, "parquet", "", MIXED), rows)


def test_the_same_rows_make_the_same_file(tmp_path):
    """However they are spread over batches."""
    rows = mixed_rows(30000)
    for options in ("row_group_mb=1", "compression=zstd",
                    "compression=gzip"):
        files = set()
        for batch in (1, 1000, 1024, 7777, 40000):
            path = tmp_path / "t.parquet"
            r.write(path, "parquet", options, MIXED, rows, batch=batch)
            files.add(path.read_bytes())
        assert len(files) == 1


def test_long_values_make_the_same_file(tmp_path):
    """One that no dictionary takes, somewhere in a batch."""
    random_ = random.Random(12)
    rows = [(i, b"city %d" % (i % 9) if i % 1500 != 700 else
             random_.randbytes(50000).hex().encode()) for i in range(6000)]
    columns = [Column("id", "int64"), Column("t", "text")]
    files = set()
    for batch in (1, 333, 1024, 6000):
        path = tmp_path / "t.parquet"
        r.write(path, "parquet", "row_group_mb=1;compression=none", columns,
                rows, batch=batch)
        files.add(path.read_bytes())
    assert len(files) == 1
    assert pyarrow.parquet.ParquetFile(path).metadata.num_row_groups == 1
    r.assert_rows(read_arrow(path, columns), rows)


def test_encodings(tmp_path):
    """A dictionary where it pays off, and differences where they are small."""
    random_ = random.Random(2)
    columns = [Column("rising", "int64"), Column("few", "text"),
               Column("unlike", "text"), Column("chance", "float64"),
               Column("later", "text")]
    rows = [(i, b"value %d" % random_.randrange(50),
             b"%d" % random_.getrandbits(60), random_.random(),
             b"some longer value %d" % (i % 9 if i < 21000 else i))
            for i in range(120000)]
    path = tmp_path / "t.parquet"
    r.write(path, "parquet", "", columns, rows)
    group = pyarrow.parquet.ParquetFile(path).metadata.row_group(0)
    used = {columns[i].name: set(group.column(i).encodings)
            for i in range(len(columns))}
    assert "DELTA_BINARY_PACKED" in used["rising"]
    assert "RLE_DICTIONARY" in used["few"]
    assert "RLE_DICTIONARY" not in used["unlike"]
    assert "RLE_DICTIONARY" not in used["chance"]
    assert used["later"] >= {"RLE_DICTIONARY", "PLAIN"}
    r.assert_rows(read_arrow(path, columns), rows)
    assert_duckdb(path, columns, rows)
    r.assert_rows(r.read(path, "parquet", "", columns), rows)
    r.write(path, "parquet", "delta=no", columns, rows[:100])
    group = pyarrow.parquet.ParquetFile(path).metadata.row_group(0)
    assert "DELTA_BINARY_PACKED" not in group.column(0).encodings


def test_encodings_behind_pages_of_null(tmp_path):
    """What is all NULL at first says nothing about what comes later."""
    countries = [b"Albania", b"Brazil", b"Cameroon", b"Denmark", b"Ecuador"]
    random_ = random.Random(3)
    columns = [Column("country", "text"), Column("rising", "int64"),
               Column("hardly", "text"), Column("never", "int32")]
    rows = [(None,) * 4] * 30000 + [
        (random_.choice(countries), 10 ** 12 + 3 * i,
         countries[i % 5] if i % 1000 == 0 else None, None)
        for i in range(300000)]
    path, other = tmp_path / "t.parquet", tmp_path / "other.parquet"
    for batch in (1000, 7777):
        before = path.read_bytes() if batch > 1000 else None
        r.write(path, "parquet", "compression=snappy", columns, rows,
                batch=batch)
        assert before in (None, path.read_bytes())
    table = pyarrow.parquet.read_table(path)
    assert [column.to_pylist() for column in table.columns] == [
        [value.decode() if isinstance(value, bytes) else value
         for value in values] for values in zip(*rows)]
    assert_duckdb(path, columns, rows)
    r.assert_rows(r.read(path, "parquet", "", columns), rows)
    pyarrow.parquet.write_table(
        table, other, column_encoding={"rising": "DELTA_BINARY_PACKED"},
        use_dictionary=["country", "hardly"], compression="snappy")
    sizes = [[pyarrow.parquet.ParquetFile(p).metadata.row_group(0).column(i)
              .total_compressed_size for i in range(4)] for p in (path, other)]
    assert all(ours < 1.5 * theirs + 2000 for ours, theirs in zip(*sizes)), sizes


def test_encodings_of_few_values_that_fill_a_page(tmp_path):
    """Long ones, among so many columns that pages are small."""
    columns = [Column("t", "text")] + [Column(f"c{i}", "int32")
                                       for i in range(39)]
    nothing = (None,) * 39
    rows = [((b"%d" % (i % 3)) * 300 if i % 25 == 0 else None, *nothing)
            for i in range(20000)]
    path = tmp_path / "t.parquet"
    r.write(path, "parquet", "row_group_mb=1;compression=none", columns, rows)
    chunk = pyarrow.parquet.ParquetFile(path).metadata.row_group(0).column(0)
    assert "RLE_DICTIONARY" in chunk.encodings
    assert chunk.total_compressed_size < 20000


def test_differences_wrap_around(tmp_path):
    columns = [Column("a", "int32"), Column("b", "int64")]
    for count in (1, 2, 31, 32, 33, 128, 129, 130, 257):
        rows = [((-1) ** i * (2 ** 31 - 1), (-1) ** i * (2 ** 63 - 1))
                if i % 3 else (i, i) for i in range(count)]
        path = tmp_path / "t.parquet"
        r.write(path, "parquet", "", columns, rows)
        assert read_arrow(path, columns) == rows
        assert_duckdb(path, columns, rows)
        assert r.read(path, "parquet", "", columns) == rows


@pytest.mark.skipif(os.environ.get("DATAFLOW_SANITIZE", "") != "",
                    reason="a sanitizer's memory is not ours")
def test_memory_is_one_row_group(tmp_path):
    """Ten times as many rows take no more memory to write."""
    def peak(count):
        text = tmp_path / "rows"
        with open(text, "w", encoding="ascii") as file:
            file.write(r.table_lines([Column("t", "text")]))
            for _ in range(count):
                file.write(f"x{random_.randbytes(1000).hex().encode().hex()}\n")
        with open(text, "rb") as rows:
            child = subprocess.Popen(
                [r.ROWFILE, "write", "parquet",
                 "row_group_mb=4;compression=none", tmp_path / "t.parquet",
                 "1000"], stdin=rows, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0
        return usage.ru_maxrss

    random_ = random.Random(1)
    small = peak(5000)
    assert peak(50000) < small + 8 * 1024


def test_file_metadata(tmp_path):
    path = tmp_path / "t.parquet"
    pairs = [("dataflow.schema", '{"id": "bigint"}'), ("position", "0x01é")]
    r.write(path, "parquet", "", MIXED, mixed_rows(10), pairs=pairs)
    meta = pyarrow.parquet.ParquetFile(path).metadata
    assert meta.created_by.startswith("dbaops-dataflow version ")
    assert meta.metadata == {k.encode(): v.encode() for k, v in pairs}
    done = r.call(["read", "parquet", "", path, 1000, "position", "none"],
                  r.table_lines(MIXED))
    assert done.stderr == "0x01é\n(null)\n"


# ---------------------------------------------------------------- schema drift

def test_schema_drift(tmp_path):
    old = [Column("id", "int64", nullable=False), Column("a", "text")]
    new = old + [Column("b", "decimal", 10, 2)]
    r.write(tmp_path / "1.parquet", "parquet", "", old, [(1, b"x")])
    r.write(tmp_path / "2.parquet", "parquet", "", new, [(2, b"y", 350)])
    got = read_duckdb(f"read_parquet('{tmp_path}/*.parquet', "
                      "union_by_name = true)", new)
    assert sorted(got, key=lambda row: row[0]) == [
        ("1", b"x".hex(), None), ("2", b"y".hex(), "350")]
    assert r.read(tmp_path / "1.parquet", "parquet", "", new) == \
        [(1, b"x", None)]
    assert r.read(tmp_path / "2.parquet", "parquet", "", old) == [(2, b"y")]
    needed = old + [Column("b", "int32", nullable=False)]
    assert "'b'" in r.read_error(tmp_path / "1.parquet", "parquet", "",
                                 needed)
    other = [Column("id", "int32"), Column("a", "text")]
    assert "'id'" in r.read_error(tmp_path / "1.parquet", "parquet", "",
                                  other)


# ---------------------------------------------------------------------- refusals

@pytest.mark.parametrize("column, value, words", [
    (Column("c", "int32", nullable=False), None, "is NULL"),
    (Column("c", "text"), b"\xff\xfe", "not valid text"),
    (Column("c", "text", charset="UTF-16LE"), b"\x00\xd8", "not valid text"),
    (Column("c", "decimal", 5, 2), 100000, "more digits"),
    (Column("c", "decimal", 38, 0), 10 ** 38, "more digits"),
    (Column("c", "timestamp", 6), 638000000001234567, "digits of a second"),
    (Column("c", "time", 3), 1, "digits of a second"),
    (Column("c", "timestamp", 6), r.END, "years 1 to 9999"),
    (Column("c", "date"), -1, "years 1 to 9999"),
    (Column("c", "int16"), 40000, "out of the range"),
])
def test_refused_values(tmp_path, column, value, words):
    said = r.write(tmp_path / "t.parquet", "parquet", "", [column],
                   [(value,)], check=False).stderr
    assert words in said and "'c'" in said


@pytest.mark.parametrize("options, name, words", [
    ("compression=lz4", "compression", "snappy"),
    ("compression=zstd;compression_level=23", "compression_level", "22"),
    ("compression=snappy;compression_level=3", "compression_level", "gzip"),
    ("timestamps=days", "timestamps", "nanos"),
    ("row_group_mb=0", "row_group_mb", "4096"),
    ("uuid=yes", "uuid", "binary or text"),
    ("csv_header=no", "csvheader", "not a known key"),
])
def test_refused_options(tmp_path, options, name, words):
    said = r.write(tmp_path / "t.parquet", "parquet", options, MIXED, [],
                   check=False).stderr
    assert f"'{name}'" in said and words in said


# --------------------------------------------------------------- damaged files

def test_damaged_files(tmp_path):
    """Whatever is changed in a file is found, and nothing breaks by it."""
    random_ = random.Random(9)
    columns = r.every_type()
    rows = r.make_rows(columns, 200)
    whole = tmp_path / "whole.parquet"
    path = tmp_path / "t.parquet"
    found = 0
    for codec in CODECS:
        r.write(whole, "parquet", f"compression={codec}", columns, rows)
        data = whole.read_bytes()
        for _ in range(60):
            damaged = bytearray(data)
            if random_.random() < 0.3:
                del damaged[random_.randrange(len(data)):]
            else:
                at = random_.randrange(len(data))
                damaged[at] ^= 1 << random_.randrange(8)
            path.write_bytes(damaged)
            done = subprocess.run(
                [r.ROWFILE, "read", "parquet", "", path, "1000"],
                input=r.table_lines(columns), capture_output=True, text=True,
                check=False, timeout=60)
            assert done.returncode in (0, 1), done
            found += done.returncode
    # What is left are the index and what readers of statistics look at.
    assert found > 150
