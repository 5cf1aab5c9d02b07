"""Tables and rows that the tests make up, and how rowfile.c is told of them.

A value is what a batch holds: an integer for integers, dates (days since
0001-01-01), times and timestamps (100 ns), and for a decimal without its point;
a float; (utc, offset) for a timestamptz; bytes for text, bytes and uuid; None.
"""
import datetime
import decimal
import os
import random
import struct
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
ROWFILE = os.environ.get("ROWFILE",
                         os.path.join(TOP, "build/tests/format/rowfile"))

SECOND = 10 ** 7
DAY = 86400 * SECOND
LAST_DAY = 3652058
END = (LAST_DAY + 1) * DAY
DAYS_TO_1970 = 719162
SLICES = ("text", "bytes", "json", "xml")

decimal.getcontext().prec = 60


class Column:
    def __init__(self, name, type_, precision=0, scale=0, nullable=True,
                 coarse=False, charset="-"):
        self.name, self.type = name, type_
        self.precision, self.scale = precision, scale
        self.nullable, self.coarse, self.charset = nullable, coarse, charset

    def line(self):
        return " ".join([self.name.encode().hex(), self.type,
                         str(self.precision), str(self.scale),
                         str(int(self.nullable)), str(int(self.coarse)),
                         self.charset])


def put(value):
    if value is None:
        return "-"
    if isinstance(value, bytes):
        return "x" + value.hex()
    if isinstance(value, float):
        return value.hex() if value == value else "nan"
    if isinstance(value, tuple):
        return f"{value[0]},{value[1]}"
    return str(value)


def get(word, column):
    if word == "-":
        return None
    if column.type in SLICES or column.type == "uuid":
        return bytes.fromhex(word[1:])
    if column.type.startswith("float"):
        return float("nan") if "nan" in word else float.fromhex(word)
    if column.type == "timestamptz":
        return tuple(map(int, word.split(",")))
    return int(word)


def same(a, b):
    """Equality that tells zeros apart, and takes NaN for NaN."""
    if isinstance(a, float) and isinstance(b, float):
        return (a != a and b != b) or struct.pack("d", a) == struct.pack(
            "d", b)
    return a == b


def assert_rows(got, want):
    assert len(got) == len(want)
    for number, (a, b) in enumerate(zip(got, want)):
        assert len(a) == len(b) and all(map(same, a, b)), \
            f"row {number}: {a!r:.2000} is not {b!r:.2000}"


def call(arguments, text, check=True):
    done = subprocess.run([ROWFILE, *map(str, arguments)], input=text,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False, timeout=600)
    if check:
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode == 1, (done.returncode, done.stderr)
    return done


def table_lines(columns):
    return "".join(column.line() + "\n" for column in columns) + "\n"


def write(path, kind, options, columns, rows, batch=1000, pairs=(),
          check=True):
    text = table_lines(columns) + "".join(
        " ".join(map(put, row)) + "\n" for row in rows)
    return call(["write", kind, options, path, batch,
                 *[word for pair in pairs for word in pair]], text, check)


def read(path, kind, options, columns, batch=1000):
    done = call(["read", kind, options, path, batch], table_lines(columns))
    return [tuple(map(get, line.split(" "), columns))
            for line in done.stdout.splitlines()]


def read_error(path, kind, options, columns):
    return call(["read", kind, options, path, 1000], table_lines(columns),
                check=False).stderr


def describe(kind, options, columns):
    lines = call(["describe", kind, options],
                 table_lines(columns)).stdout.splitlines()
    return lines[0], dict(line.split(": ", 1) for line in lines[1:])


# ---------------------------------------------------------- values as people see

def days_text(days):
    return datetime.date.fromordinal(days + 1).isoformat()


def time_text(ticks, digits):
    seconds, fraction = divmod(ticks, SECOND)
    text = "%02d:%02d:%02d" % (seconds // 3600, seconds // 60 % 60,
                               seconds % 60)
    return text + ("." + ("%07d" % fraction)[:digits] if digits else "")


def timestamp_text(ticks, digits, between="T"):
    return (days_text(ticks // DAY) + between + time_text(ticks % DAY, digits))


def offset_text(minutes):
    return "%s%02d:%02d" % ("-" if minutes < 0 else "+", abs(minutes) // 60,
                            abs(minutes) % 60)


def uuid_text(value):
    digits = value.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20],
                     digits[20:]))


def decimal_of(value, scale):
    return decimal.Decimal(value).scaleb(-scale)


# -------------------------------------------------------------------- every type

def whole(ticks, digits):
    unit = 10 ** (7 - digits)
    return ticks // unit * unit


TEXTS = ["", "a", " ", "NULL", "null", "\\N", ",", '"', '""', "a,b", "a\nb",
         "a\r\nb", "\t", "x" * 63, "x" * 64, "x" * 65, "\x00", "\x01\x1f\x7f",
         "é", "Ωmega", "日本語", "\U0001f600", "\U0010ffff", "\ud7ff", "\ue000",
         "it's", "{}", "=1+1", "\\", "\\\"", "/", "é" * 100, "\U0010ffff" * 40,
         "end ", "\ufeffbom", "\u2028\u2029", "N", "0", "-", "x\\ny"]


def edges(column):
    """The values that something could be wrong with."""
    kind, p, s = column.type, column.precision, column.scale
    if kind == "bool":
        return [0, 1]
    limits = {"uint8": (0, 255), "int8": (-128, 127),
              "int16": (-2 ** 15, 2 ** 15 - 1), "int32": (-2 ** 31, 2 ** 31 - 1),
              "int64": (-2 ** 63, 2 ** 63 - 1), "uint64": (0, 2 ** 64 - 1)}
    if kind in limits:
        low, high = limits[kind]
        return [0, 1, low, high, low + 1, high - 1]
    if kind == "float32":
        return [0.0, -0.0, 1.0, -1.5, float("nan"), float("inf"),
                float("-inf"), 2.0 ** -149, 2.0 ** 127 * (2 - 2.0 ** -23),
                0.10000000149011612, 1.0 * 2 ** 24]
    if kind == "float64":
        return [0.0, -0.0, 0.1, -1.5, float("nan"), float("inf"),
                float("-inf"), 5e-324, 1.7976931348623157e308, 1e22, 1e23,
                123456789.123, 1 / 3, 2.0 ** 53, 1e-7, 9007199254740993.0]
    if kind == "decimal":
        most = 10 ** p - 1
        return [0, 1, -1, most, -most, 10 ** s if s < p else 1,
                -(10 ** (p // 2)), most // 3]
    if kind == "date":
        return [0, 1, LAST_DAY, DAYS_TO_1970, DAYS_TO_1970 - 1, 577735,
                730119, 577736]
    if kind == "time":
        return [whole(t, p) for t in (0, DAY - 1, DAY // 2, 1234567,
                                      SECOND - 1)]
    moments = [0, END - 1, DAYS_TO_1970 * DAY, DAYS_TO_1970 * DAY - 1,
               DAYS_TO_1970 * DAY + 1, 577736 * DAY + 1234567,
               638000000001234567]
    if kind == "timestamp":
        return [whole(t, p) for t in moments]
    if kind == "timestamptz":
        return [(whole(max(min(t, END - 1), 0), p), o) for t in moments
                for o in (0, 840, -840, 330)
                if 0 <= t + o * 60 * SECOND < END]
    if kind == "uuid":
        return [bytes(16), b"\xff" * 16, bytes(range(16)),
                b"\x80" + bytes(15)]
    if kind == "bytes":
        return [b"", b"\0", b"\xff" * 64, b"\xff" * 65, b"\0" * 100,
                bytes(range(256)), b"a", b"ab", b"abc", b"\xde\xad", b"NULL"]
    if kind == "json":
        return [b"{}", b"null", b'{"a": [1, 2.50, "\\u00e9"]}', b'"x"',
                b"[1,\n2]"]
    if kind == "xml":
        return [b"<a/>", "<a>é &amp; \n</a>".encode()]
    return [t.encode("utf-8", "surrogatepass") for t in TEXTS]


def some(column, random_):
    """Any value."""
    kind, p = column.type, column.precision
    if kind == "bool":
        return random_.randrange(2)
    bits = {"uint8": (0, 8), "int8": (-1, 8), "int16": (-1, 16),
            "int32": (-1, 32), "int64": (-1, 64), "uint64": (0, 64)}
    if kind in bits:
        sign, width = bits[kind]
        value = random_.getrandbits(width)
        return value - 2 ** (width - 1) if sign else value
    if kind == "float32":
        return struct.unpack("f", struct.pack("I", random_.getrandbits(31) %
                                              0x7f800000))[0]
    if kind == "float64":
        return random_.uniform(-1e6, 1e6)
    if kind == "decimal":
        return random_.randrange(-(10 ** p) + 1, 10 ** p)
    if kind == "date":
        return random_.randrange(LAST_DAY + 1)
    if kind == "time":
        return whole(random_.randrange(DAY), p)
    if kind == "timestamp":
        return whole(random_.randrange(END), p)
    if kind == "timestamptz":
        return (whole(random_.randrange(2 * DAY, END - 2 * DAY), p),
                random_.randrange(-840, 841))
    if kind == "uuid":
        return random_.randbytes(16)
    if kind == "bytes":
        return random_.randbytes(random_.randrange(40))
    if kind == "json":
        return b'{"n": %d}' % random_.getrandbits(30)
    return random_.choice(TEXTS).encode("utf-8", "surrogatepass") + \
        b"%d" % random_.getrandbits(10)


def every_type(nullable=True, fine=False):
    """Columns of all types; times of 7 digits only with `fine`."""
    numbers = ["bool", "uint8", "int8", "int16", "int32", "int64", "uint64",
               "float32", "float64", "date", "uuid", "text", "bytes", "json",
               "xml"]
    columns = [Column(kind, kind, nullable=nullable) for kind in numbers]
    columns += [Column(f"decimal_{p}_{s}", "decimal", p, s, nullable)
                for p, s in ((1, 0), (9, 2), (9, 9), (10, 0), (18, 4), (19, 4),
                             (20, 0), (28, 28), (38, 0), (38, 10), (38, 38))]
    for digits in (0, 3, 6, 7):
        columns.append(Column(f"time_{digits}", "time", digits,
                              nullable=nullable))
        if digits < 7 or fine:
            columns.append(Column(f"timestamp_{digits}", "timestamp", digits,
                                  nullable=nullable))
            columns.append(Column(f"timestamptz_{digits}", "timestamptz",
                                  digits, nullable=nullable))
    return columns


def make_rows(columns, count, seed=1):
    """The edges first, each beside others; then chance."""
    random_ = random.Random(seed)
    lists = [edges(column) for column in columns]
    rows = []
    for i in range(count):
        row = []
        for column, values in zip(columns, lists):
            if i < len(values):
                row.append(values[i])
            elif column.nullable and random_.random() < 0.2:
                row.append(None)
            elif random_.random() < 0.2:
                row.append(random_.choice(values))
            else:
                row.append(some(column, random_))
        rows.append(tuple(row))
    return rows
