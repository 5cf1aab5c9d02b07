"""Every type by value, at its edges: full sync, then inserts, updates and
deletes, by change data capture and by change tracking.

All types of one change source share a daemon, a table and a mapping each;
the tests then look at one type each. What is compared are the server's own
bytes, read by python-tds, so that no client's idea of a type can hide a
difference.
"""
import pytest

from support import dataflow

SOURCES = ["cdc", "change_tracking"]


def big(kind, character, count):
    return (f"REPLICATE(CONVERT({kind}(max), {character}), {count})")


BINARY = "CONVERT(varbinary(max), {})"

# name: (type, literals, the smallest and the largest among them)
TYPES = {
    "bit": ("bit", ["0", "1"]),
    "tinyint": ("tinyint", ["0", "255"]),
    "smallint": ("smallint", ["-32768", "32767"]),
    "int": ("int", ["-2147483648", "2147483647"]),
    "bigint": ("bigint", ["-9223372036854775808", "9223372036854775807"]),
    "decimal1": ("decimal(1,0)", ["-9", "9"]),
    "decimal9": ("decimal(9,4)", ["-99999.9999", "0.0001"]),
    "decimal18": ("decimal(18,0)", ["999999999999999999", "-1"]),
    "decimal28": ("decimal(28,10)", ["123456789012345678.0123456789"]),
    "numeric38": ("numeric(38,0)",
                  ["-99999999999999999999999999999999999999", "0",
                   "99999999999999999999999999999999999999"]),
    "decimal38": ("decimal(38,38)",
                  ["0.12345678901234567890123456789012345678",
                   "-0.99999999999999999999999999999999999999"]),
    "money": ("money", ["-922337203685477.5808", "922337203685477.5807",
                        "0.0001"]),
    "smallmoney": ("smallmoney", ["-214748.3648", "214748.3647"]),
    "real": ("real", ["-3.4e38", "1.17549435e-38", "0.1",
                      "CONVERT(real, -0e0)"]),
    "float": ("float", ["-1.79769313486231e308", "2.2250738585072e-308",
                        "0.1", "-0e0", "0e0"]),
    "date": ("date", ["'0001-01-01'", "'9999-12-31'", "'1752-09-03'"]),
    "time0": ("time(0)", ["'00:00:00'", "'23:59:59'"]),
    "time3": ("time(3)", ["'00:00:00.001'", "'23:59:59.999'"]),
    "time7": ("time(7)", ["'00:00:00.0000001'", "'23:59:59.9999999'"]),
    "smalldatetime": ("smalldatetime", ["'1900-01-01T00:00:00'",
                                        "'2079-06-06T23:59:00'"]),
    "datetime": ("datetime", ["'1753-01-01T00:00:00'",
                              "'9999-12-31T23:59:59.997'",
                              "'2020-02-29T12:34:56.123'",
                              "'2020-02-29T12:34:56.127'"]),
    "datetime2_0": ("datetime2(0)", ["'0001-01-01T00:00:00'",
                                     "'9999-12-31T23:59:59'"]),
    "datetime2_3": ("datetime2(3)", ["'1582-10-10T10:10:10.123'"]),
    "datetime2_7": ("datetime2(7)", ["'0001-01-01T00:00:00.0000001'",
                                     "'9999-12-31T23:59:59.9999999'"]),
    "datetimeoffset0": ("datetimeoffset(0)", ["'0001-01-01T14:00:00+14:00'",
                                              "'2020-01-01T00:00:00-00:01'"]),
    "datetimeoffset7": ("datetimeoffset(7)",
                        ["'0001-01-01T14:00:00.0000001+14:00'",
                         "'9999-12-31T09:59:59.9999999-14:00'",
                         "'2020-01-01T00:00:00+05:30'"]),
    "char": ("char(5)", ["'ab'", "''", "'abcde'", "'é'"]),
    "char8000": ("char(8000)", ["'x'"]),
    "varchar": ("varchar(20)", ["''", "'  '", "'trail  '", "'€uro ÿ'",
                                "'a' + CHAR(0) + 'b' + CHAR(0)"]),
    "varchar8000": ("varchar(8000)", ["REPLICATE('x', 8000)", "''"]),
    "varchar_max": ("varchar(max)", [big("varchar", "'x'", 3000000), "''",
                                     "'a' + CHAR(0)"]),
    "nchar": ("nchar(5)", ["N'ab'", "N'ж'", "N''", "N'😀'"]),
    "nvarchar": ("nvarchar(20)", ["N''", "N' x '", "N'日本語 😀'",
                                  "NCHAR(0) + N'a' + NCHAR(0)",
                                  "NCHAR(0xD83D)", "NCHAR(0xFFFE)"]),
    "nvarchar4000": ("nvarchar(4000)", ["REPLICATE(N'ö', 4000)"]),
    "nvarchar_max": ("nvarchar(max)", [big("nvarchar", "N'ö'", 2000000),
                                       "N''", "N'😀 '"]),
    "binary": ("binary(4)", ["0x01", "0xFFFFFFFF", "0x00"]),
    "varbinary": ("varbinary(10)", ["0x", "0x00", "0x0001020304050607FF00"]),
    "varbinary_max": ("varbinary(max)",
                      [BINARY.format(big("varchar", "'y'", 3000000)), "0x",
                       "0x0000"]),
    "text": ("text", ["'old'", "''", big("varchar", "'x'", 100000),
                      "'blank '"]),
    "ntext": ("ntext", ["N'😀'", "N''", big("nvarchar", "N'ж'", 100000)]),
    "image": ("image", ["0x00", "0x",
                        BINARY.format(big("varchar", "'y'", 100000))]),
    "uniqueidentifier": ("uniqueidentifier",
                         ["'00000000-0000-0000-0000-000000000000'",
                          "'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF'",
                          "'01234567-89AB-CDEF-0123-456789ABCDEF'"]),
    "xml": ("xml", ["N'<a/>'", "N'<r x=\"1\">é<b>日本 😀</b></r>'",
                    "N''", "N'text &amp; more'",
                    "CONVERT(xml, N'<a> <b>  </b>\n</a>', 1)"]),
    "alias": ("dbo.phone", ["N'+49 30'", "N''"]),
    "sysname": ("sysname", ["N'[name]'"]),
    # code pages and collations that are not the database's
    "utf8": ("varchar(30) COLLATE Latin1_General_100_CI_AS_SC_UTF8",
             ["N'é 日本 😀'", "''", "N'ж '"]),
    "utf8_char": ("char(12) COLLATE Latin1_General_100_BIN2_UTF8",
                  ["N'日本'", "''"]),
    "utf8_max": ("varchar(max) COLLATE Latin1_General_100_CI_AS_SC_UTF8",
                 [big("varchar", "'é'", 3000)
                  + " COLLATE Latin1_General_100_CI_AS_SC_UTF8", "N'😀'"]),
    "cyrillic": ("varchar(30) COLLATE Cyrillic_General_CI_AS",
                 ["N'Привет '", "''", "N'ёЁ'"]),
    "cyrillic_text": ("text COLLATE Cyrillic_General_CI_AS", ["N'Привет'"]),
    "japanese": ("varchar(30) COLLATE Japanese_CI_AS", ["N'日本語ｱ'", "''"]),
    "chinese": ("char(10) COLLATE Chinese_PRC_CI_AS", ["N'汉字'"]),
    "greek": ("varchar(max) COLLATE Greek_CI_AS",
              ["REPLICATE(CONVERT(varchar(max), N'Ω' COLLATE Greek_CI_AS), "
               "9000)", "N'α'"]),
    "binary_order": ("nvarchar(20) COLLATE Latin1_General_BIN2",
                     ["N'a'", "N'A '"]),
}

RAW = {"text": "CONVERT(varchar(max), c)", "ntext": "CONVERT(nvarchar(max), c)",
       "cyrillic_text": "CONVERT(varchar(max), c)",
       "xml": "CONVERT(nvarchar(max), c)"}


def raw(server, database, name):
    value = RAW.get(name, "c")
    return server.query(f"SELECT id, {BINARY.format(value)}, DATALENGTH(c) "
                        f"FROM t_{name} ORDER BY id", database)


class Replicated:
    """All tables of TYPES, loaded and then changed."""

    def __init__(self, world, source):
        self.world = world
        self.mappings = {}
        self.load(source)
        self.loaded = self.wait()
        self.change()
        self.changed = self.wait()
        self.verified = self.verify()

    def load(self, source):
        world = self.world
        world.on_source("CREATE TYPE dbo.phone FROM nvarchar(20) NULL")
        world.allow_large_values()
        for name, (kind, literals) in TYPES.items():
            world.on_source(f"CREATE TABLE t_{name} (id INT NOT NULL PRIMARY "
                            f"KEY, c {kind} NULL)")
            for i, literal in enumerate(literals + ["NULL"]):
                world.on_source(f"INSERT INTO t_{name} VALUES ({i}, "
                                f"{literal})")
            world.enable(source, f"t_{name}")
            self.mappings[name] = world.add_mapping(f"t_{name}",
                                                    change_source=source)
        world.start()

    def change(self):
        """Each value once by an INSERT and by an UPDATE of another one."""
        for name, (_, literals) in TYPES.items():
            values = literals + ["NULL"]
            for i, literal in enumerate(values):
                self.world.on_source(
                    f"INSERT INTO t_{name} VALUES ({100 + i}, {literal}); "
                    f"UPDATE t_{name} SET c = {values[i - 1]} "
                    f"WHERE id = {i}")
            self.world.on_source(
                f"DELETE FROM t_{name} WHERE id IN (0, 100)")

    def wait(self):
        """What both sides have, when they have the same or time is up."""
        world = self.world
        pairs = {}

        def all_same():
            for name in TYPES:
                if name in pairs and pairs[name][0] == pairs[name][1]:
                    continue
                if not world.has_table(f"t_{name}"):
                    return False
                pairs[name] = (raw(world.source, world.src_db, name),
                               raw(world.dest, world.dst_db, name))
                if pairs[name][0] != pairs[name][1]:
                    return False
            return True
        try:
            dataflow.wait_for(all_same, 60, 0.5)
        except AssertionError:
            pass  # the tests say which one
        for name in TYPES:
            if name not in pairs and world.has_table(f"t_{name}"):
                pairs[name] = (raw(world.source, world.src_db, name),
                               raw(world.dest, world.dst_db, name))
        return pairs


    def verify(self):
        """{(name, scope): [status, rows, mismatches]}, every table both ways."""
        world = self.world
        for scope in ("TAIL", "WHOLE"):
            for mapping in self.mappings.values():
                world.control(
                    "INSERT INTO sync_requests (mapping_id, request_type, "
                    f"scope) VALUES ({mapping}, N'VERIFY', N'{scope}')")
        try:
            dataflow.wait_for(lambda: not world.control(
                "SELECT 1 FROM sync_requests WHERE state IN (N'PENDING', "
                "N'RUNNING')"), 120, 0.5)
        except AssertionError:
            pass  # the tests say which one
        names = {mapping: name for name, mapping in self.mappings.items()}
        return {(names[mapping], scope): result
                for mapping, scope, *result in world.control(
                    "SELECT mapping_id, verification_type, "
                    "verification_status, records_compared, "
                    "mismatches_found FROM verification_logs")}


def together(group):
    """SOURCES for a fixture that is dear: its tests run in one process."""
    return [pytest.param(source, marks=pytest.mark.xdist_group(
        f"{group}-{source}")) for source in SOURCES]


@pytest.fixture(scope="module", params=together("types"))
def replicated(request, make_world):
    return Replicated(make_world(batch_memory_mb=16), request.param)


@pytest.mark.parametrize("name", TYPES)
def test_type(replicated, name):
    world, count = replicated.world, len(TYPES[name][1]) + 1
    why = world.errors()
    assert name in replicated.loaded, why
    assert replicated.loaded[name][1] == replicated.loaded[name][0], why
    assert len(replicated.loaded[name][1]) == count
    assert replicated.changed[name][1] == replicated.changed[name][0], why
    assert len(replicated.changed[name][1]) == 2 * count - 2
    declared = ("SELECT DATA_TYPE, CHARACTER_MAXIMUM_LENGTH, "
                "NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION, "
                "COLLATION_NAME FROM INFORMATION_SCHEMA.COLUMNS "
                f"WHERE TABLE_NAME = 't_{name}' AND COLUMN_NAME = 'c'")
    assert world.on_source(declared) == world.on_dest(declared)


@pytest.mark.parametrize("scope", ["TAIL", "WHOLE"])
@pytest.mark.parametrize("name", TYPES)
def test_verified(replicated, name, scope):
    rows = len(replicated.changed[name][0])
    assert replicated.verified[name, scope] == ["PASSED", rows, 0]


def test_no_errors_on_the_way(replicated):
    assert replicated.world.errors() == []
    assert replicated.world.errors(resolved=1) == []


# name: (type, keys)
KEYS = {
    "int": ("int", ["1", "-1"]),
    "bigint": ("bigint", ["9223372036854775807", "0"]),
    "bit": ("bit", ["0", "1"]),
    "decimal": ("decimal(20,5)", ["1.5", "-2.25"]),
    "money": ("money", ["-922337203685477.5808", "0.0001"]),
    "float": ("float", ["1e-300", "-1.5"]),
    "uniqueidentifier": ("uniqueidentifier",
                         ["'01234567-89AB-CDEF-0123-456789ABCDEF'",
                          "'00000000-0000-0000-0000-000000000001'"]),
    "nvarchar": ("nvarchar(30)", ["N'a'", "N'ж'", "N''", "N'a b '",
                                  "N'😀'"]),
    "varchar": ("varchar(30)", ["'a'", "''", "'é'", "'b  '"]),
    "char": ("char(10)", ["'a'", "''"]),
    "datetime": ("datetime", ["'1753-01-01T00:00:00.003'",
                              "'9999-12-31T23:59:59.997'"]),
    "datetime2": ("datetime2(7)", ["'2020-01-01T00:00:00.0000001'",
                                   "'0001-01-01T00:00:00'"]),
    "datetimeoffset": ("datetimeoffset(7)",
                       ["'2020-01-01T00:00:00.0000001+05:30'",
                        "'0001-01-01T14:00:00+14:00'"]),
    "time": ("time(7)", ["'23:59:59.9999999'", "'00:00:00'"]),
    "date": ("date", ["'0001-01-01'", "'9999-12-31'"]),
    "varbinary": ("varbinary(10)", ["0x01", "0x", "0x0001"]),
    "binary": ("binary(4)", ["0x01000000", "0x00000000"]),
    "case_sensitive": ("varchar(10) COLLATE Latin1_General_CS_AS",
                       ["'a'", "'A'", "'b'"]),
    "accents": ("nvarchar(10) COLLATE Latin1_General_CI_AS",
                ["N'e'", "N'é'", "N'E2'"]),
    "binary_order": ("nvarchar(10) COLLATE Latin1_General_BIN2",
                     ["N'a'", "N'A'", "N'ａ'"]),
    "utf8": ("varchar(30) COLLATE Latin1_General_100_CI_AS_SC_UTF8",
             ["N'ж'", "N'日本 😀'", "N''"]),
    "cyrillic": ("varchar(30) COLLATE Cyrillic_General_CS_AS",
                 ["N'я'", "N'Я'", "N'ё '"]),
    "japanese": ("varchar(30) COLLATE Japanese_CI_AS", ["N'日'", "N'本'"]),
}


def keyed(server, database, name):
    return server.query(f"SELECT {BINARY.format('k')}, v FROM k_{name} "
                        "ORDER BY k", database)


class Keyed:
    """All tables of KEYS: loaded, then every row updated, one deleted, one
    with its key changed."""

    def __init__(self, world, source):
        self.world = world
        for name, (kind, keys) in KEYS.items():
            world.on_source(f"CREATE TABLE k_{name} (k {kind} NOT NULL "
                            "PRIMARY KEY, v INT)")
            for i, key in enumerate(keys):
                world.on_source(f"INSERT INTO k_{name} VALUES ({key}, {i})")
            world.enable(source, f"k_{name}")
            world.add_mapping(f"k_{name}", change_source=source)
        world.start()
        self.loaded = self.wait()
        for name, (_, keys) in KEYS.items():
            for i, key in enumerate(keys):
                world.on_source(f"UPDATE k_{name} SET v = {100 + i} "
                                f"WHERE k = {key}")
            world.on_source(f"DELETE FROM k_{name} WHERE k = {keys[0]}; "
                            f"UPDATE k_{name} SET k = {keys[0]} "
                            f"WHERE k = {keys[1]}")
        self.changed = self.wait()

    def wait(self):
        world = self.world
        pairs = {}

        def all_same():
            for name in KEYS:
                if not world.has_table(f"k_{name}"):
                    return False
                pairs[name] = (keyed(world.source, world.src_db, name),
                               keyed(world.dest, world.dst_db, name))
            return all(a == b for a, b in pairs.values())
        try:
            dataflow.wait_for(all_same, 60, 0.5)
        except AssertionError:
            pass  # the tests say which one
        return pairs


@pytest.fixture(scope="module", params=together("keys"))
def with_keys(request, make_world):
    return Keyed(make_world(), request.param)


@pytest.mark.parametrize("name", KEYS)
def test_key_type(with_keys, name):
    why, count = with_keys.world.errors(), len(KEYS[name][1])
    assert name in with_keys.loaded, why
    assert with_keys.loaded[name][1] == with_keys.loaded[name][0], why
    assert len(with_keys.loaded[name][1]) == count
    assert with_keys.changed[name][1] == with_keys.changed[name][0], why
    assert sorted(v for _, v in with_keys.changed[name][1]) == \
        list(range(101, 100 + count))


@pytest.mark.parametrize("source", SOURCES)
def test_keys_that_become_equal_ones(world, source):
    """To the server 'a' is 'A' and 'a ' is 'a': the bytes have to follow."""
    world.on_source("CREATE TABLE t (k VARCHAR(10) NOT NULL PRIMARY KEY, "
                    "v INT)")
    world.on_source("INSERT INTO t VALUES ('a', 1), ('b', 2), ('c', 3)")
    world.enable(source, "t")
    world.add_mapping("t", change_source=source)
    world.start()
    world.wait_equal("t")
    world.on_source("UPDATE t SET k = 'A' WHERE v = 1; "
                    "UPDATE t SET k = 'b  ' WHERE v = 2; "
                    "DELETE FROM t WHERE v = 3; "
                    "INSERT INTO t VALUES ('C', 4)")
    dataflow.wait_for(lambda: sorted(world.on_dest("SELECT k, v FROM t")) ==
                      [("A", 1), ("C", 4), ("b  ", 2)])


def test_wider_destinations(world):
    world.on_source("CREATE TABLE t (id SMALLINT NOT NULL PRIMARY KEY, "
                    "a INT NULL, b DECIMAL(10, 2) NULL, c VARCHAR(10) NULL, "
                    "d REAL NULL, e DATETIME2(3) NULL, f MONEY NULL, "
                    "g BINARY(4) NULL, h VARCHAR(10) NULL)")
    world.on_source("INSERT INTO t VALUES (1, 7, 1.25, 'é', 0.5, "
                    "'2020-01-01T00:00:00.123', 1.2345, 0x01020304, 'x'), "
                    "(2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), "
                    "(3, -2147483648, -99999999.99, '', -1, '9999-12-31T"
                    "23:59:59.999', -922337203685477.5808, 0x, ' '), "
                    "(4, 2147483647, 99999999.99, ' ', 3.4e38, '0001-01-01', "
                    "922337203685477.5807, 0xff, '')")
    world.on_dest("CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, "
                  "a DECIMAL(12, 0) NULL, b DECIMAL(20, 4) NULL, "
                  "c NVARCHAR(20) NULL, d FLOAT NULL, e DATETIME2(7) NULL, "
                  "f DECIMAL(19, 4) NULL, g VARBINARY(8) NULL, "
                  "h NVARCHAR(MAX) NULL)")
    world.enable_cdc("t")
    world.add_mapping("t")
    world.start()
    world.wait_equal("t")
    world.on_source("INSERT INTO t SELECT id + 10, a, b, c, d, e, f, g, h "
                    "FROM t")
    world.wait_equal("t")


# -- databases whose own collation is another one

CYRILLIC, JAPANESE = "Cyrillic_General_CI_AS", "Japanese_CI_AS"
UTF8 = "Latin1_General_100_CI_AS_SC_UTF8"
WORDS = {CYRILLIC: "Привет, ёж ", JAPANESE: "日本語ｶﾅ ", UTF8: "日本 ж 😀 "}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("here, there", [
    (CYRILLIC, CYRILLIC), (JAPANESE, JAPANESE), (UTF8, UTF8),
    (CYRILLIC, "SQL_Latin1_General_CP1_CI_AS"),
    ("SQL_Latin1_General_CP1_CI_AS", CYRILLIC), (JAPANESE, UTF8),
    (UTF8, JAPANESE)])
def test_collation_of_a_database(world, source, here, there):
    """Columns are made with the source's collation; whether that is the
    database's own decides how they are loaded."""
    world.src_db, world.dst_db = world.src_db + "c", world.dst_db + "c"
    world.source.query(f"CREATE DATABASE {world.src_db} COLLATE {here}")
    world.dest.query(f"CREATE DATABASE {world.dst_db} COLLATE {there}")
    word = WORDS.get(here, "Ünïcode € ")
    world.on_source("CREATE TABLE t (k VARCHAR(40) NOT NULL PRIMARY KEY, "
                    "c CHAR(40) NULL, m VARCHAR(MAX) NULL, "
                    "n NVARCHAR(40) NULL)")
    world.on_source(f"INSERT INTO t VALUES (N'{word}', N'{word}', N'{word}', "
                    f"N'{word}'), ('plain', '', '', N''), "
                    "('null', NULL, NULL, NULL)")
    world.enable(source, "t")
    world.add_mapping("t", change_source=source)
    world.start()
    world.wait_equal("t")
    world.on_source(f"UPDATE t SET m = N'{word * 1000}', c = NULL "
                    f"WHERE k = N'{word}'; UPDATE t SET n = N'{word}', "
                    f"m = N'x{word}' WHERE k = 'null'; "
                    f"DELETE FROM t WHERE k = 'plain'; "
                    f"INSERT INTO t (k, c) VALUES (N'2 {word}', N'{word}')")
    world.wait_equal("t")
    for column in "kcmn":
        raw_rows = ("SELECT CONVERT(varbinary(max), {0}) FROM t ORDER BY "
                    "CONVERT(varbinary(80), k)").format(column)
        assert world.on_dest(raw_rows) == world.on_source(raw_rows)
    # python-tds takes UTF-8 for the code page of the collation's language
    assert (word,) in world.on_dest("SELECT CONVERT(nvarchar(40), k) FROM t")
    assert world.errors() == []


# -- what cannot be carried

UNSUPPORTED = ["sql_variant", "hierarchyid", "geography", "geometry"]


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_a_type_that_cannot_be_carried_is_named(world, name):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    f"s {name} NULL)")
    world.on_source("INSERT INTO t VALUES (1, NULL)")
    mapping = world.add_mapping("t", cdc=0)
    world.start()
    dataflow.wait_for(lambda: world.errors(mapping))
    kind, message, _ = world.errors(mapping)[0]
    assert kind == "SCHEMA" and "'s'" in message and name in message
    assert "computed column of that name" in message
    assert not world.has_table("t")


@pytest.mark.parametrize("source", SOURCES)
def test_a_column_that_cannot_be_carried_is_left_out(world, source):
    """As the message says: by a computed column of its name."""
    columns = "".join(f", c{i} {name} NULL"
                      for i, name in enumerate(UNSUPPORTED))
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v INT"
                    f"{columns})")
    world.on_source("INSERT INTO t (id, v) VALUES (1, 1), (2, 2)")
    world.enable(source, "t")
    world.on_dest("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v INT, " +
                  ", ".join(f"c{i} AS CAST(NULL AS INT)"
                            for i in range(len(UNSUPPORTED))) + ")")
    world.add_mapping("t", change_source=source)
    world.start()

    def have(rows):
        return lambda: world.on_dest("SELECT id, v FROM t ORDER BY id") == rows
    dataflow.wait_for(have([(1, 1), (2, 2)]))
    world.on_source("UPDATE t SET v = 5 WHERE id = 1; DELETE FROM t WHERE "
                    "id = 2; INSERT INTO t (id, v) VALUES (3, 3)")
    dataflow.wait_for(have([(1, 5), (3, 3)]))
    assert world.errors() == []
