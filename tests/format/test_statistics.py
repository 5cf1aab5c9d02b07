"""What a Parquet file says of its values, beside the values themselves."""
import math
import random
import struct
import zlib

import duckdb
import pyarrow.parquet
import pytest

import rows as r
import thrift
from rows import Column
from test_parquet import MIXED, mixed_rows


def groups_of(meta, count):
    """The rows of each row group, as ranges."""
    start = 0
    for i in range(meta.num_row_groups):
        size = meta.row_group(i).num_rows
        yield i, range(start, start + size)
        start += size
    assert start == count


def comparable(values, column):
    return [v for v in values if v is not None and
            not (isinstance(v, float) and math.isnan(v))]


def decode(data, column):
    """A bound, as a batch holds it."""
    kind = column.type
    if kind == "bool":
        return data[0]
    if kind in ("uint8", "int8", "int16", "int32"):
        return struct.unpack("<i", data)[0]
    if kind == "int64":
        return struct.unpack("<q", data)[0]
    if kind == "float32":
        return struct.unpack("<f", data)[0]
    if kind == "float64":
        return struct.unpack("<d", data)[0]
    if kind == "date":
        return struct.unpack("<i", data)[0] + r.DAYS_TO_1970
    if kind == "time":
        value = struct.unpack("<q", data)[0]
        return value // 100 if column.precision == 7 else value * 10
    if kind in ("timestamp", "timestamptz"):
        return struct.unpack("<q", data)[0] * 10 + r.DAYS_TO_1970 * r.DAY
    if kind == "uint64" or (kind == "decimal" and column.precision > 18):
        return int.from_bytes(data, "big", signed=True)
    if kind == "decimal":
        return int.from_bytes(data, "little", signed=True)
    return data


def has_no_greater(value):
    """Is there no text or bytes of 64 bytes above one that is longer?"""
    return len(value) > 64 and (value[:64] == b"\xff" * 64 or
                                value[:64] == "\U0010ffff".encode() * 16)


def check_bounds(low, high, values, column, low_exact, high_exact):
    if column.type == "timestamptz":
        values = [value[0] for value in values]
    least, most = min(values), max(values)
    is_text = column.type in ("text", "json", "xml")
    low = decode(low, column)
    assert low <= least and (not low_exact or low == least)
    if is_text:
        low.decode()  # never half a character
    if high is None:
        assert has_no_greater(most)
        return
    high = decode(high, column)
    assert high >= most and (not high_exact or high == most)
    if is_text:
        high.decode()


def footer_of(path):
    data = path.read_bytes()
    assert data[:4] == data[-4:] == b"PAR1"
    size = struct.unpack("<I", data[-8:-4])[0]
    return data, thrift.Reader(data[-8 - size:-8]).struct()


def statistics_of(chunk):
    return chunk[3][12]


# ------------------------------------------------------------------- statistics

@pytest.mark.parametrize("count", (40, 3000))
def test_statistics(tmp_path, count):
    """Of every type: least, greatest, and how many NULLs."""
    columns = r.every_type()
    rows = r.make_rows(columns, count)
    path = tmp_path / "t.parquet"
    r.write(path, "parquet", "row_group_mb=1", columns, rows)
    _, footer = footer_of(path)
    assert len(footer[7]) == len(columns) and all(
        order == {1: {}} for order in footer[7])
    start = 0
    for group in footer[4]:
        part = rows[start:start + group[3]]
        start += group[3]
        for i, column in enumerate(columns):
            said = statistics_of(group[1][i])
            values = [row[i] for row in part]
            assert said[3] == values.count(None)
            check_bounds(said[6], said.get(5), comparable(values, column),
                         column, said[8], said.get(7))
    assert start == len(rows)


def test_statistics_that_pyarrow_shows(tmp_path):
    rows = mixed_rows(40000)
    path = tmp_path / "t.parquet"
    r.write(path, "parquet", "row_group_mb=1", MIXED, rows)
    meta = pyarrow.parquet.ParquetFile(path).metadata
    for i, numbers in groups_of(meta, len(rows)):
        ids = meta.row_group(i).column(0).statistics
        assert (ids.min, ids.max) == (1000 + numbers[0], 1000 + numbers[-1])
        notes = meta.row_group(i).column(3).statistics
        texts = [rows[n][3].decode() for n in numbers]
        assert (notes.min, notes.max) == (min(texts), max(texts))
        prices = meta.row_group(i).column(4).statistics
        assert prices.null_count == sum(rows[n][4] is None for n in numbers)
        assert prices.num_values + prices.null_count == len(numbers)


def test_statistics_that_duckdb_shows(tmp_path):
    path = tmp_path / "t.parquet"
    columns = [Column("d", "decimal", 38, 2), Column("t", "timestamp", 6)]
    rows = [(-5, 0), (10 ** 37, r.END - 10), (None, None)]
    r.write(path, "parquet", "", columns, rows)
    with duckdb.connect() as db:
        said = db.execute(
            "select stats_min_value, stats_max_value, stats_null_count from "
            f"parquet_metadata('{path}') order by column_id").fetchall()
    assert said[0] == ("-0.05", str(10 ** 35) + ".00", 1)
    assert said[1][0].startswith("0001-01-01") and \
        said[1][1].startswith("9999-12-31 23:59:59.999999")


@pytest.mark.parametrize("values, low, high", [
    ([math.nan, 1.0, -2.0], -2.0, 1.0),
    ([0.0], -0.0, 0.0),
    ([-0.0], -0.0, 0.0),
    ([math.inf, -math.inf], -math.inf, math.inf),
])
def test_floats(tmp_path, values, low, high):
    for kind in ("float32", "float64"):
        path = tmp_path / "t.parquet"
        r.write(path, "parquet", "", [Column("f", kind)],
                [(v,) for v in values])
        said = statistics_of(footer_of(path)[1][4][0][1][0])
        form = "<f" if kind == "float32" else "<d"
        assert said[6] == struct.pack(form, low)
        assert said[5] == struct.pack(form, high)


def test_nothing_but_nan(tmp_path):
    path = tmp_path / "t.parquet"
    r.write(path, "parquet", "", [Column("f", "float64")], [(math.nan,)] * 9)
    chunk = footer_of(path)[1][4][0][1][0]
    assert set(statistics_of(chunk)) == {3}
    assert 4 in chunk and 6 not in chunk  # no page has a least value


@pytest.mark.parametrize("value, low, high", [
    ("x" * 64, "x" * 64, "x" * 64),
    ("x" * 65, "x" * 64, "x" * 63 + "y"),
    ("é" * 40, "é" * 32, "é" * 31 + "ê"),
    ("x" + "é" * 40, "x" + "é" * 31, "x" + "é" * 30 + "ê"),
    ("x" * 63 + "\u07ff", "x" * 63, "x" * 62 + "y"),
    ("ab" + "\U0010ffff" * 20, "ab" + "\U0010ffff" * 15, "ac"),
    ("\ud7ff" * 30, "\ud7ff" * 21, "\ud7ff" * 20 + "\ue000"),
    ("\x7f" * 70, "\x7f" * 64, None),
    ("a" + "\x7f" * 70, "a" + "\x7f" * 63, "b"),
    ("\U0010ffff" * 20, "\U0010ffff" * 16, None),
])
def test_long_texts_are_cut_off(tmp_path, value, low, high):
    path = tmp_path / "t.parquet"
    r.write(path, "parquet", "", [Column("t", "text")], [(value.encode(),)])
    chunk = footer_of(path)[1][4][0][1][0]
    said = statistics_of(chunk)
    assert said[6].decode() == low
    assert said.get(5) == (high and high.encode())
    assert said[8] == (len(value.encode()) <= 64)
    assert (6 in chunk) == (high is not None)


def test_long_bytes_are_cut_off(tmp_path):
    path = tmp_path / "t.parquet"
    for value, high in ((b"\x01" * 65, b"\x01" * 63 + b"\x02"),
                        (b"\x01" + b"\xff" * 64, b"\x02"),
                        (b"\xff" * 65, None)):
        r.write(path, "parquet", "", [Column("b", "bytes")], [(value,)])
        said = statistics_of(footer_of(path)[1][4][0][1][0])
        assert said[6] == value[:64] and said.get(5) == high


# -------------------------------------------------------------------- page index

def pages_of(data, footer, columns, rows):
    """Each data page: its chunk's column, its rows, and what the index says."""
    start = 0
    for group in footer[4]:
        for i, chunk in enumerate(group[1]):
            offsets = thrift.Reader(data[chunk[4]:chunk[4] + chunk[5]]).struct()
            index = thrift.Reader(data[chunk[6]:chunk[6] + chunk[7]]).struct() \
                if 6 in chunk else None
            firsts = [page[3] for page in offsets[1]] + [group[3]]
            assert firsts[0] == 0 and firsts == sorted(set(firsts))
            for number, page in enumerate(offsets[1]):
                part = rows[start + firsts[number]:start + firsts[number + 1]]
                yield columns[i], page, [row[i] for row in part], index, \
                    number, len(offsets[1])
        start += group[3]


def check_page_header(data, page, values):
    reader = thrift.Reader(data[page[1]:page[1] + page[2]])
    header = reader.struct()
    body = data[page[1] + reader.at:page[1] + page[2]]
    assert header[1] == 0 and header[3] == len(body)
    assert header[4] & 0xffffffff == zlib.crc32(body)
    assert header[5][1] == len(values)


def test_page_index(tmp_path):
    columns = MIXED + [Column("empty", "text"), Column("gaps", "int32")]
    rows = [row + (None, i if i // 20480 % 2 else None)
            for i, row in enumerate(mixed_rows(90000))]
    path = tmp_path / "t.parquet"
    r.write(path, "parquet", "row_group_mb=2", columns, rows)
    data, footer = footer_of(path)
    several = 0
    for column, page, values, index, number, count in pages_of(
            data, footer, columns, rows):
        check_page_header(data, page, values)
        known = comparable(values, column)
        assert index[1][number] == (not known)
        assert index[5][number] == values.count(None)
        if known:
            check_bounds(index[2][number], index[3][number], known, column,
                         True, True)
        else:
            assert index[2][number] == index[3][number] == b""
        if column.name == "id":
            assert index[4] == 1  # ascending
        several += count > 1
    assert several > 10


def test_boundary_order(tmp_path):
    columns = [Column("up", "int64"), Column("down", "text"),
               Column("both", "float64")]
    random_ = random.Random(4)
    rows = [(i, b"%09d" % (10 ** 9 - 1 - i), random_.random())
            for i in range(60000)]
    path = tmp_path / "t.parquet"
    r.write(path, "parquet", "", columns, rows)
    data, footer = footer_of(path)
    orders = [thrift.Reader(data[chunk[6]:]).struct()[4]
              for chunk in footer[4][0][1]]
    assert orders == [1, 2, 0]


CUT = "x" * 61


@pytest.mark.parametrize("kind, first, second, order", [
    # A greatest one that loses its last character goes above the next page's.
    ("text", CUT + "\x7f€", CUT + "\x80", 0),
    ("text", CUT + "\x80", CUT + "\x7f€", 0),
    ("text", CUT + "a€", CUT + "b€", 1),
    ("text", CUT + "b€", CUT + "a€", 2),
    # Both are cut to the same.
    ("text", "x" * 64 + "a", "x" * 64 + "b", 1),
    # A least one that loses half of its last character goes below it.
    ("text", "x" * 63 + "é", "x" * 63 + "yy", 0),
    ("bytes", "x" * 70, "y" * 70, 1),
    ("decimal", -5, 7, 1), ("decimal", 7, -5, 2),
], ids=range(9))
def test_order_of_what_is_written(tmp_path, kind, first, second, order):
    columns = [Column("c", kind, 38, 0) if kind == "decimal" else
               Column("c", kind)]
    values = [v if kind == "decimal" else v.encode() for v in (first, second)]
    rows = [(values[0],)] + [(None,)] * 20479 + [(values[1],)]
    path = tmp_path / "t.parquet"
    r.write(path, "parquet", "", columns, rows)
    data, footer = footer_of(path)
    index = thrift.Reader(data[footer[4][0][1][0][6]:]).struct()
    assert len(index[2]) == 2 and index[4] == order

    def key(end):
        return int.from_bytes(end, "big", signed=True) \
            if kind == "decimal" else end
    for ends in index[2], index[3]:
        found = [key(end) for end in ends]
        assert order != 1 or found[0] <= found[1]
        assert order != 2 or found[0] >= found[1]


def test_readers_that_skip_pages_find_all(tmp_path):
    """Conditions, which readers answer by statistics and dictionaries first."""
    rows = mixed_rows(60000)
    path = tmp_path / "t.parquet"
    r.write(path, "parquet", "row_group_mb=1", MIXED, rows)
    with duckdb.connect() as db:
        for condition, holds in (
                ("id = 31234", lambda row: row[0] == 31234),
                ("id > 60990", lambda row: row[0] > 60990),
                ("city = 'city 7'", lambda row: row[2] == b"city 7"),
                ("note >= 'note 599'", lambda row: row[3] >= b"note 599"),
                ("price < 1", lambda row: row[4] is not None and
                 row[4] < 100),
                ("price is null", lambda row: row[4] is None),
                ("flag and ratio > 0.999", lambda row: row[6] and
                 row[5] > 0.999)):
            assert db.execute(f"select count(*) from '{path}' where "
                              f"{condition}").fetchone()[0] == \
                sum(map(bool, map(holds, rows))), condition
    assert pyarrow.parquet.read_table(
        path, filters=[("id", ">", 60990)]).num_rows == 9


def test_totals(tmp_path):
    """Sizes and offsets that others read by add up to the file."""
    path = tmp_path / "t.parquet"
    done = r.write(path, "parquet", "row_group_mb=1", MIXED,
                   mixed_rows(30000))
    data, footer = footer_of(path)
    assert done.stdout == f"30000 rows {len(data)} bytes\n"
    at = 4
    for ordinal, group in enumerate(footer[4]):
        assert group[5] == at and group[7] == ordinal
        for chunk in group[1]:
            column = chunk[3]
            assert min(column.get(11, column[9]), column[9]) == at
            at += column[7]
        assert group[6] == at - group[5]
        assert group[2] == sum(chunk[3][6] for chunk in group[1])
    assert footer[3] == 30000
