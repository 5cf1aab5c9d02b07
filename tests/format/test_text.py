"""CSV and JSON lines, by readers that nobody here wrote and by our own."""
import base64
import csv
import decimal
import gzip
import io
import json
import random
import subprocess

import duckdb
import pyarrow
import pyarrow.csv
import pytest

import rows as r
from rows import Column

CODECS = ("none", "gzip", "zstd")


def open_text(path, codec):
    data = path.read_bytes()
    if codec == "gzip":
        data = gzip.decompress(data)
    elif codec == "zstd":
        data = pyarrow.CompressedInputStream(
            pyarrow.BufferReader(data), "zstd").read()
    return data.decode()


def date_in(text, pattern):
    year, month, day = text.split("-")
    return pattern.replace("YYYY", year).replace("MM", month).replace("DD",
                                                                      day)


def text_of(value, column, pattern="YYYY-MM-DD", between="T",
            in_base64=False):
    """What docs/formats.md says that a value looks like."""
    kind = column.type
    if kind == "bool":
        return "true" if value else "false"
    if kind == "decimal":
        return format(r.decimal_of(value, column.scale), "f")
    if kind == "date":
        return date_in(r.days_text(value), pattern)
    if kind == "time":
        return r.time_text(value, column.precision)
    if kind in ("timestamp", "timestamptz"):
        offset = value[1] if kind == "timestamptz" else None
        local = value if offset is None else value[0] + offset * 60 * r.SECOND
        text = (date_in(r.days_text(local // r.DAY), pattern) + between +
                r.time_text(local % r.DAY, column.precision))
        return text if offset is None else text + r.offset_text(offset)
    if kind == "uuid":
        return r.uuid_text(value)
    if kind == "bytes":
        return base64.b64encode(value).decode() if in_base64 else value.hex()
    return value.decode() if isinstance(value, bytes) else str(value)


def same_text(got, value, column, **how):
    if column.type.startswith("float"):
        assert got == {"inf": "Infinity", "-inf": "-Infinity",
                       "nan": "NaN"}.get(str(value), got)
        again = float(got)
        if column.type == "float32" and value == value:
            again = r.struct.unpack("f", r.struct.pack("f", again))[0]
        return r.same(again, value)
    return got == text_of(value, column, **how)


# ---------------------------------------------------------------------------- CSV

@pytest.mark.parametrize("codec", CODECS)
def test_csv_every_type(tmp_path, codec):
    columns = r.every_type(fine=True)
    rows = r.make_rows(columns, 1500)
    path = tmp_path / "t.csv"
    r.write(path, "csv", f"compression={codec}", columns, rows)
    r.assert_rows(r.read(path, "csv", f"compression={codec}", columns), rows)
    parsed = list(csv.reader(io.StringIO(open_text(path, codec),
                                         newline="")))
    assert parsed[0] == [column.name for column in columns]
    assert len(parsed) == len(rows) + 1
    for fields, row in zip(parsed[1:], rows):
        for field, value, column in zip(fields, row, columns):
            if value is None:
                assert field == ""
            else:
                assert same_text(field, value, column), (column.name, field)


def rfc4180(text):
    """Fields as (text, quoted), by nothing but the grammar of RFC 4180."""
    records, fields, at = [], [], 0
    while at < len(text):
        if text[at] == '"':
            end = at + 1
            while True:
                end = text.index('"', end)
                if text[end:end + 2] != '""':
                    break
                end += 2
            fields.append((text[at + 1:end].replace('""', '"'), True))
            at = end + 1
        else:
            end = at
            while text[end] not in ',\r\n"':
                end += 1
            fields.append((text[at:end], False))
            at = end
        if text[at] == ",":
            at += 1
            continue
        assert text[at:at + 2] == "\r\n"
        at += 2
        records.append(fields)
        fields = []
    assert not fields
    return records


def test_csv_is_rfc_4180(tmp_path):
    """Line ends are CR LF, quotes are doubled, NULL alone has no quotes."""
    columns = [Column("id", "int32"), Column("t", "text"),
               Column("b", "bytes")]
    rows = [(i, t.encode("utf-8", "surrogatepass"), b"")
            for i, t in enumerate(r.TEXTS)]
    rows += [(None, None, None), (0, b"", None)]
    path = tmp_path / "t.csv"
    r.write(path, "csv", "", columns, rows)
    records = rfc4180(path.read_bytes().decode())[1:]
    assert len(records) == len(rows)
    for record, row in zip(records, rows):
        for (text, quoted), value in zip(record, row):
            if value is None:
                assert (text, quoted) == ("", False)
            elif value == b"":
                assert (text, quoted) == ("", True)
            elif isinstance(value, bytes):
                assert text == value.decode()
            else:
                assert text == str(value)


@pytest.mark.parametrize("null", ("", "\\N", "NULL", "0"))
def test_csv_null_and_empty(tmp_path, null):
    """DuckDB and pyarrow tell NULL, '', and what NULL is written as, apart."""
    columns = [Column("id", "int32", nullable=False), Column("t", "text"),
               Column("u", "text")]
    values = [None, b"", null.encode(), b"NULL", b"\\N", b"x", b"0", b" "]
    rows = [(i, value, b"end") for i, value in enumerate(values)]
    path = tmp_path / "t.csv"
    options = f"null={null}" if null else ""
    r.write(path, "csv", options, columns, rows)
    assert r.read(path, "csv", options, columns) == rows
    want = [v if v is None else v.decode() for v in values]
    table = pyarrow.csv.read_csv(
        path, parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={"t": pyarrow.string()}, null_values=[null],
            strings_can_be_null=True, quoted_strings_can_be_null=False))
    assert table["t"].to_pylist() == want
    with duckdb.connect() as db:
        found = db.execute(
            f"select t from read_csv('{path}', header = true, all_varchar = "
            "true, delim = ',', quote = '\"', escape = '\"', auto_detect = "
            f"false, columns = {{'id': 'varchar', 't': 'varchar', 'u': "
            f"'varchar'}}, nullstr = '{null}', allow_quoted_nulls = false) "
            "order by id").fetchall()
    assert [t for t, in found] == want


def test_csv_options(tmp_path):
    columns = [Column("d", "date"), Column("t", "timestamp", 3),
               Column("z", "timestamptz", 7), Column("b", "bytes"),
               Column("s", "text")]
    rows = r.make_rows(columns, 300)
    path = tmp_path / "t.csv"
    options = ("delimiter=semicolon;quote=';null=NIL;date_format=DD.MM.YYYY;"
               "date_separator=blank;line_end=lf;binary=base64;header=no")
    options = options.replace("quote=';", "quote={'};")
    r.write(path, "csv", options, columns, rows)
    r.assert_rows(r.read(path, "csv", options, columns), rows)
    data = path.read_bytes().decode()
    parsed = list(csv.reader(io.StringIO(data, newline=""), delimiter=";",
                             quotechar="'", lineterminator="\n"))
    assert len(parsed) == len(rows)
    for fields, row in zip(parsed, rows):
        for field, value, column in zip(fields, row, columns):
            assert field == ("NIL" if value is None else text_of(
                value, column, "DD.MM.YYYY", " ", True))


@pytest.mark.parametrize("delimiter, sign", (("tab", "\t"), ("pipe", "|"),
                                             ("{;}", ";"), ("#", "#")))
def test_csv_delimiters(tmp_path, delimiter, sign):
    columns = [Column("a", "text"), Column("b", "text")]
    rows = [(f"x{sign}y".encode(), b"x,y"), (b"", None), (None, b'"')]
    path = tmp_path / "t.csv"
    r.write(path, "csv", f"delimiter={delimiter}", columns, rows)
    assert r.read(path, "csv", f"delimiter={delimiter}", columns) == rows
    parsed = list(csv.reader(io.StringIO(path.read_bytes().decode(),
                                         newline=""), delimiter=sign))
    assert parsed[1:] == [[f"x{sign}y", "x,y"], ["", ""], ["", '"']]


@pytest.mark.parametrize("options, name", [
    ("delimiter=a", "delimiter"), ("delimiter=ab", "delimiter"),
    ("delimiter=.", "delimiter"), ("quote=,", "quote"), ("quote=x", "quote"),
    ('delimiter={"}', "quote"), ("null={a,b}", "null"),
    ("null=" + "x" * 32, "null"), ("date_format=YYYY-MM", "date_format"),
    ("date_format=YY-MM-DD", "date_format"),
    ("date_format=YYYY,MM,DD", "date_format"), ("header=maybe", "header"),
    ("line_end=cr", "line_end"), ("binary=octal", "binary"),
    ("date_separator=_", "date_separator"), ("compression=snappy",
                                             "compression"),
    ("decimals=string", "decimals"), ("row_group_mb=3", "rowgroupmb"),
])
def test_csv_refused_options(tmp_path, options, name):
    said = r.write(tmp_path / "t.csv", "csv", options, [Column("a", "int32")],
                   [], check=False).stderr
    assert f"'{name}'" in said


# --------------------------------------------------------------------------- JSON

def json_of(value, column, decimals):
    if value is None:
        return None
    if column.type == "bool":
        return bool(value)
    if column.type in ("uint8", "int8", "int16", "int32", "int64", "uint64"):
        return value
    if column.type == "decimal" and decimals == "number":
        return r.decimal_of(value, column.scale)
    if column.type.startswith("float"):
        text = {"inf": "Infinity", "-inf": "-Infinity",
                "nan": "NaN"}.get(str(value))
        return text or value
    return text_of(value, column, in_base64=True)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("decimals", ("number", "string"))
def test_json_every_type(tmp_path, codec, decimals):
    columns = r.every_type(fine=True)
    rows = r.make_rows(columns, 1500)
    path = tmp_path / "t.jsonl"
    options = f"compression={codec};decimals={decimals}"
    r.write(path, "json", options, columns, rows)
    r.assert_rows(r.read(path, "json", options, columns), rows)
    lines = open_text(path, codec).split("\n")
    assert lines.pop() == "" and len(lines) == len(rows)
    for line, row in zip(lines, rows):
        found = json.loads(line, parse_float=decimal.Decimal)
        assert list(found) == [column.name for column in columns]
        for column, value in zip(columns, row):
            got, want = found[column.name], json_of(value, column, decimals)
            if isinstance(want, float):
                assert same_text(str(got) if got else (
                    "-0.0" if str(got) == "-0.0" else "0.0"), value, column)
            else:
                assert got == want, (column.name, got, want)
                assert column.type == "decimal" or type(got) is type(want)


def test_json_in_duckdb(tmp_path):
    columns = [Column("id", "int64"), Column("t", "text"),
               Column("d", "decimal", 38, 10),
               Column("moment", "timestamp", 6)]
    rows = r.make_rows(columns, 200)
    rows = [row[:1] + (row[1] if row[1] is None or b"\0" not in row[1] else
                       b"", *row[2:]) for row in rows]
    path = tmp_path / "t.jsonl"
    r.write(path, "jsonl", "decimals=string", columns, rows)
    with duckdb.connect() as db:
        found = db.execute(
            "select id, encode(t), d::varchar, epoch_us(moment) from "
            f"read_json('{path}', format = 'newline_delimited', columns = "
            "{'id': 'bigint', 't': 'varchar', 'd': 'varchar', 'moment': "
            "'timestamp'})").fetchall()
    assert found == [
        (i, t, d if d is None else text_of(d, columns[2]),
         at if at is None else (at - r.DAYS_TO_1970 * r.DAY) // 10)
        for i, t, d, at in rows]


def test_json_odd_names(tmp_path):
    names = ['a"b', "back\\slash", "tab\t", "é", "", "line\nbreak", "\x01"]
    columns = [Column(name, "int32") for name in names]
    path = tmp_path / "t.jsonl"
    r.write(path, "json", "", columns, [tuple(range(len(names)))])
    assert json.loads(path.read_text(encoding="utf-8")) == {
        name: i for i, name in enumerate(names)}
    assert r.read(path, "json", "", columns) == [tuple(range(len(names)))]


# -------------------------------------------------------------------------- both

@pytest.mark.parametrize("kind", ("csv", "jsonl"))
@pytest.mark.parametrize("codec", CODECS)
def test_long_values_and_no_rows(tmp_path, kind, codec):
    columns = [Column("t", "text"), Column("b", "bytes"),
               Column("n", "int32")]
    random_ = random.Random(6)
    size = 16 << 20
    rows = [(b'"' * 300000, random_.randbytes(3 << 20), 1),
            (b"x" * size, None, 2), (("é\n" * 100000).encode(), b"", 3)]
    for some in ([], rows):
        path = tmp_path / f"t.{kind}"
        r.write(path, kind, f"compression={codec}", columns, some)
        assert r.read(path, kind, f"compression={codec}", columns) == some


@pytest.mark.parametrize("kind", ("csv", "jsonl"))
@pytest.mark.parametrize("codec", CODECS)
def test_the_same_rows_make_the_same_file(tmp_path, kind, codec):
    columns = r.every_type(fine=True)
    rows = r.make_rows(columns, 3000)
    files = set()
    for batch in (1, 1000, 5000):
        path = tmp_path / "t"
        r.write(path, kind, f"compression={codec}", columns, rows,
                batch=batch)
        files.add(path.read_bytes())
    assert len(files) == 1


@pytest.mark.parametrize("kind", ("csv", "jsonl"))
def test_schema_drift(tmp_path, kind):
    old = [Column("id", "int64", nullable=False), Column("a", "text")]
    new = [old[0], Column("b", "int32"), old[1]]
    r.write(tmp_path / "1", kind, "", old, [(1, b"x")])
    r.write(tmp_path / "2", kind, "", new, [(2, 7, b"y")])
    assert r.read(tmp_path / "1", kind, "", new) == [(1, None, b"x")]
    assert r.read(tmp_path / "2", kind, "", old) == [(2, b"y")]
    needed = old + [Column("c", "int32", nullable=False)]
    assert "'c'" in r.read_error(tmp_path / "1", kind, "", needed)


@pytest.mark.parametrize("kind", ("csv", "jsonl"))
@pytest.mark.parametrize("column, value, words", [
    (Column("c", "int32", nullable=False), None, "is NULL"),
    (Column("c", "text"), b"\xff", "not valid text"),
    (Column("c", "timestamp", 6), 1, "digits of a second"),
    (Column("c", "timestamp", 7), r.END, "years 1 to 9999"),
    (Column("c", "date"), r.LAST_DAY + 1, "years 1 to 9999"),
    (Column("c", "time", 7), r.DAY, "no time of a day"),
])
def test_refused_values(tmp_path, kind, column, value, words):
    said = r.write(tmp_path / "t", kind, "", [column], [(value,)],
                   check=False).stderr
    assert words in said and "'c'" in said


@pytest.mark.parametrize("kind", ("csv", "jsonl"))
@pytest.mark.parametrize("codec", CODECS)
def test_damaged_files(tmp_path, kind, codec):
    """Nothing breaks by what is changed in a file; one cut off is found."""
    random_ = random.Random(8)
    columns = r.every_type(fine=True)
    path = tmp_path / "t"
    r.write(path, kind, f"compression={codec}", columns,
            r.make_rows(columns, 60))
    data = path.read_bytes()
    for number in range(80):
        damaged = bytearray(data)
        cut = number % 4 == 0
        if cut:
            del damaged[random_.randrange(1, len(data) - 2):]
        else:
            damaged[random_.randrange(len(data))] ^= 1 << random_.randrange(8)
        path.write_bytes(damaged)
        done = subprocess.run(
            [r.ROWFILE, "read", kind, f"compression={codec}", path, "1000"],
            input=r.table_lines(columns), capture_output=True, check=False,
            text=True, timeout=60)
        assert done.returncode in (0, 1), done
        whole_lines = codec == "none" and damaged.endswith(b"\n")
        if codec != "none" or (cut and not whole_lines):
            assert done.returncode == 1


@pytest.mark.parametrize("kind, text", [
    ("csv", "id\r\n1\r\n2"), ("csv", "id\r\n1\n"), ("csv", 'id\r\n"1\r\n'),
    ("csv", 'id\r\n"1"2\r\n'), ("csv", 'id\r\n1"2\r\n'),
    ("csv", "id\r\n1,2\r\n"), ("csv", "id,id\r\n1,2\r\n"), ("csv", "id"),
    ("csv", ""), ("csv", "id\r\nx\r\n"), ("csv", "id\r\n99999999999\r\n"),
    ("jsonl", '{"id":1}'), ("jsonl", '{"id":1,}\n'), ("jsonl", '{"id":}\n'),
    ("jsonl", '{"id":1,"id":2}\n'), ("jsonl", '{"id":[1]}\n'),
    ("jsonl", '{"id":{"a":1}}\n'), ("jsonl", '{"id":1} \n'),
    ("jsonl", '["id"]\n'), ("jsonl", '{"id":"1\n"}\n'),
    ("jsonl", '{"id":"\\ud800"}\n'), ("jsonl", '{"id":"\\udc00\\ud800"}\n'),
    ("jsonl", '{"id":"\\q"}\n'), ("jsonl", '{id:1}\n'), ("jsonl", "\n"),
    ("jsonl", '{"id":0x1}\n'), ("jsonl", '{"id":1.5}\n'),
])
def test_what_is_no_such_file(tmp_path, kind, text):
    path = tmp_path / "t"
    path.write_bytes(text.encode())
    assert r.read_error(path, kind, "", [Column("id", "int32")])


def test_extensions_and_descriptions():
    columns = [Column("t", "timestamp", 7), Column("z", "timestamptz", 7)]
    for kind, options, extension in (
            ("parquet", "compression=zstd", ".parquet"), ("csv", "", ".csv"),
            ("csv", "compression=gzip", ".csv.gz"),
            ("json", "compression=zstd", ".jsonl.zst"),
            ("jsonl", "", ".jsonl")):
        got, described = r.describe(kind, options, columns)
        assert got == extension
        if kind != "parquet":
            assert described == {"t": "timestamp", "z": "timestamptz"}
