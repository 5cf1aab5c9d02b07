"""Names and values made of SQL: of servers, schemas, tables, columns,
keys, indexes and capture instances, and in the rows themselves. They replicate,
are verified, repaired, put aside, ordered and shown like any others.

The tests of one change source share a daemon, and each table has the same
name for all of its parts."""
import json

import pytest

from support import dataflow, web
from support.ports import free_port
from support.receivers import Hook
from test_verify import ask, keys, last

NAMES = [
    "'; DROP TABLE t --", "]", "]]", "[x]", "br]ack[ets]]", '"',
    'double "quotes"', "it's", "new\nline", "tab\tand\rreturn",
    "\x01\x02\x1f\x7f", " leading", "with blanks ", "100%s %n %d", "100%_a",
    "100%xa", "${env:HOME}", "${file:/etc/passwd}", "\\back\\slash\\",
    "ünï日本😀", "select", "NULL", "semi;colon -- /* comment", "dot.ted..",
    "{braces}", "@variable", "hash#?", "twin", "twin.", "twin\t", "twin]",
    "</script><img src=x onerror=alert(1)>", "n" * 128, "😀" * 64, "é" * 127 + "]",
]
# Text that means something to somebody on its way; as keys, none is another
# one's equal to the server.
VALUES = [
    "'; DROP TABLE t --", "]", "a]]b", '"', "%", "_", "\n", "x\ty\r", "\x01",
    " x", "trailing ", "${env:HOME}", "\\", "\\n", "😀", "NULL", "N'x'", "0x00",
    "<b>", '{"key": "a"}', ",", "it''s",
]
CHANGED = "'); DELETE FROM [t]; --"


def quoted(name):
    return "[" + name.replace("]", "]]") + "]"


def text(name):
    return "N'" + name.replace("'", "''") + "'"


def cut(name, units):
    """The beginning of a name, as long as the server counts."""
    return name.encode("utf-16-le")[:2 * units].decode("utf-16-le", "ignore")


class Odd:
    """The names of one table and its parts."""

    def __init__(self, name, number):
        self.name, self.number = name, number
        self.table = f"{quoted(name)}.{quoted(name)}"
        self.key = quoted(name)
        self.value = quoted(cut(name, 126) + " v")
        self.trigger = quoted(cut(name, 126) + " t")
        self.instance = cut(name, 90) + f" {number}"

    def create(self):
        constraint = quoted(cut(f"pk {self.number} {self.name}", 128))
        return (f"CREATE TABLE {self.table} ({self.key} NVARCHAR(60) NOT NULL "
                f"CONSTRAINT {constraint} PRIMARY KEY, {self.value} "
                f"NVARCHAR(200) NULL, {self.trigger} BIT NOT NULL)")

    def insert(self, values):
        rows = ", ".join(f"({text(v)}, {text(v)}, 0)" for v in values)
        return f"INSERT INTO {self.table} VALUES {rows}"

    def update(self, key, value):
        return (f"UPDATE {self.table} SET {self.value} = {text(value)} "
                f"WHERE {self.key} = {text(key)}")

    def delete(self, key):
        return f"DELETE FROM {self.table} WHERE {self.key} = {text(key)}"


def track(world, odd):
    if world.change_source == "change_tracking":
        world.enable_tracking(odd.table)
        return
    world.enable_cdc()
    world.on_source(
        "EXEC sys.sp_cdc_enable_table @source_schema = "
        f"{text(odd.name)}, @source_name = {text(odd.name)}, @role_name = "
        f"NULL, @capture_instance = {text(odd.instance)}")


def add_table(world, odd):
    world.on_source(f"CREATE SCHEMA {quoted(odd.name)}")
    world.on_source(odd.create())
    index = quoted(cut(f"ix {odd.number} {odd.name}", 128))
    world.on_source(f"CREATE INDEX {index} ON {odd.table} ({odd.value})")
    world.on_source(odd.insert(VALUES))
    track(world, odd)
    odd.mapping = world.add_mapping(
        odd.name, source_schema=odd.name, dest_schema=odd.name,
        primary_key_column=None, change_source=world.change_source,
        full_sync_trigger_column=odd.trigger[1:-1].replace("]]", "]"),
        on_row_error="PARK", verification_interval_minutes=0)


def both(source):
    return pytest.param(source, marks=pytest.mark.xdist_group(
        f"odd names {source}"))


@pytest.fixture(scope="module", params=[both("cdc"), both("change_tracking")])
def odd(request, make_world):
    world = make_world()
    world.change_source = request.param
    world.control("UPDATE source_servers SET server_name = "
                  f"{text(NAMES[0])}")
    world.tables = [Odd(name, i) for i, name in enumerate(NAMES)]
    for table in world.tables:
        add_table(world, table)
    world.port = free_port()
    world.start("--metrics-listen", str(world.port))
    wait_same(world)
    return world


@pytest.fixture(autouse=True)
def busy_log(odd):
    """The capture job of an idle database tells often that it is alive."""
    if not odd.source.is_standin:
        yield
        return
    option = "EXEC sys.sp_tdsd_option N'idle_interval', "
    odd.source.query(option + "300")
    yield
    odd.source.query(option + "0")


def has_table(world, table):
    return world.on_dest(f"SELECT OBJECT_ID({text(table)})")[0][0] is not None


def wait_same(world, timeout=120):
    """Every table, compared by python-tds."""
    waiting = list(world.tables)

    def same():
        waiting[:] = [t for t in waiting if not has_table(world, t.table) or
                      world.differences(t.table)]
        return not waiting
    try:
        dataflow.wait_for(same, timeout, 0.2)
    except AssertionError:
        raise AssertionError(f"{[t.name for t in waiting]}\n{world.errors()}"
                             f"\n{world.log()}") from None


def everywhere(world, on, sql):
    for table in world.tables:
        on(sql(table))


def test_changes(odd):
    everywhere(odd, odd.on_source, lambda t: t.update("]", CHANGED))
    everywhere(odd, odd.on_source, lambda t: t.delete("%"))
    everywhere(odd, odd.on_source, lambda t: t.insert(["%%", "new'"]))
    wait_same(odd)
    assert odd.errors() == odd.errors(resolved=1) == []


def test_full_sync_by_the_trigger_column(odd):
    loads = "SELECT COUNT(*) FROM sync_status WHERE sync_type = " \
        "N'FULL_SYNC' AND status = N'COMPLETED'"
    before = odd.control(loads)[0][0]
    everywhere(odd, odd.on_source, lambda t:
               f"UPDATE {t.table} SET {t.trigger} = 1 WHERE {t.key} = N']'")

    def all_reset():
        return not any(odd.on_source(
            f"SELECT 1 FROM {t.table} WHERE {t.trigger} = 1")
            for t in odd.tables)
    dataflow.wait_for(all_reset, 120, 0.2)
    wait_same(odd)
    dataflow.wait_for(lambda: odd.control(loads)[0][0] >=
                      before + len(NAMES), 60)
    assert odd.errors() == odd.errors(resolved=1) == []


def request_all(world, kind, **columns):
    """A request of all mappings; their answers by mapping."""
    names = "".join(f", {c}" for c in columns)
    values = "".join(f", {text(v) if isinstance(v, str) else v}"
                     for v in columns.values())
    latest = world.control("SELECT COALESCE(MAX(request_id), 0) FROM "
                           "sync_requests")[0][0]
    world.control(
        f"INSERT INTO sync_requests (mapping_id, request_type{names}) "
        f"SELECT mapping_id, N'{kind}'{values} FROM table_mappings")

    def done():
        rows = world.control("SELECT mapping_id, state, answer FROM "
                             f"sync_requests WHERE request_id > {latest}")
        return rows if all(r[1] not in ("PENDING", "RUNNING")
                           for r in rows) else None
    try:
        rows = dataflow.wait_for(done, 240, 0.2)
    except AssertionError:
        raise AssertionError(f"{kind}\n{world.log()}") from None
    assert len(rows) == len(world.tables)
    assert {state for _, state, _ in rows} == {"COMPLETED"}, rows
    return {mapping: answer for mapping, _, answer in rows}


@pytest.mark.parametrize("scope", ["TAIL", "WHOLE"])
def test_verified_and_repaired(odd, scope):
    wait_same(odd)
    request_all(odd, "VERIFY", scope=scope)
    for table in odd.tables:
        assert last(odd, table.mapping)["verification_status"] == "PASSED", \
            table.name
    wrong = {"'; DROP TABLE t --": "DIFFERENT", '{"key": "a"}': "DIFFERENT",
             "\n": "MISSING", "${env:HOME}": "MISSING",
             "extra'; --": "EXTRA"}
    everywhere(odd, odd.on_dest, lambda t: "; ".join(
        [t.update(key, CHANGED + "!") for key in list(wrong)[:2]] +
        [t.delete(key) for key in list(wrong)[2:4]] +
        [t.insert(["extra'; --"])]))
    request_all(odd, "VERIFY", scope=scope)
    for table in odd.tables:
        found = last(odd, table.mapping)
        assert keys(found) == set(wrong.items()), table.name
    answers = request_all(odd, "REPAIR", scope=scope)
    assert all("5 were repaired" in a for a in answers.values()), answers
    for table in odd.tables:
        assert odd.differences(table.table) == [], table.name
    request_all(odd, "VERIFY", scope=scope)
    assert odd.errors() == []


def test_rows_of_a_condition(odd):
    """The condition is a person's own, names and values quoted in it."""
    value = "it''s"
    everywhere(odd, odd.on_dest, lambda t: t.delete(value))
    for table in odd.tables:
        state, answer = ask(odd, table.mapping, "RESYNC", where_condition=
                            f"{table.key} = {text(value)}")
        assert state == "COMPLETED", (table.name, answer)
        assert odd.differences(table.table) == [], table.name


def test_rows_put_aside(odd):
    everywhere(odd, odd.on_dest, lambda t:
               f"ALTER TABLE {t.table} ADD CONSTRAINT "
               f"{quoted(cut(f'ck {t.number} {t.name}', 128))} CHECK ("
               f"{t.value} <> N'bad''--')")
    everywhere(odd, odd.on_source, lambda t: t.update("N'x'", "bad'--"))

    def put_aside():
        return dict(odd.control("SELECT mapping_id, row_key FROM "
                                "apply_exceptions WHERE is_resolved = 0"))
    dataflow.wait_for(lambda: len(put_aside()) == len(NAMES), 120, 0.2)
    assert set(put_aside().values()) == {"N'x'"}
    everywhere(odd, odd.on_source, lambda t: t.update("N'x'", "good'--"))
    wait_same(odd)
    dataflow.wait_for(lambda: not put_aside(), 60)
    assert odd.errors() == []


# --------------------------------------------------------------- what is shown

def full_names(world, database):
    return {f"{database}.{t.name}.{t.name}" for t in world.tables}


def test_metrics_and_status_page(odd):
    metrics = web.get(odd.port, "/metrics").text
    samples = [labels for name, labels, _ in web.parse(metrics)
               if name == "dataflow_mapping_state"]
    assert {s["source"] for s in samples} == full_names(odd, odd.src_db)
    assert {s["destination"] for s in samples} == full_names(odd, odd.dst_db)
    assert {s["server"] for s in samples} == {NAMES[0]}
    assert {s["mapping_id"] for s in samples} == \
        {str(t.mapping) for t in odd.tables}
    shown = web.status(odd.port)["mappings"]
    assert {m["source"] for m in shown} == full_names(odd, odd.src_db)
    assert {m["destination"] for m in shown} == full_names(odd, odd.dst_db)
    assert "onerror" not in web.get(odd.port, "/").text


def test_views(odd):
    names = {t.name for t in odd.tables}
    for view in ("v_mapping_health", "v_replication_lag", "v_throughput"):
        with odd.dest.connect(odd.control_db) as connection, \
                connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {view}")
            shown = {value for row in cursor.fetchall() for value in row}
        found = {n for n in names if n in shown or
                 f"{odd.src_db}.{n}.{n}" in shown}
        assert found == names, view


def test_commands(odd):
    done = dataflow.run("status", "--json", env=odd.environment())
    assert done.returncode == 0, done.stderr
    shown = json.dumps(json.loads(done.stdout), ensure_ascii=False)
    for table in odd.tables:
        assert json.dumps(table.name, ensure_ascii=False)[1:-1] in shown
    done = dataflow.run("check", "--json", env=odd.environment(), timeout=200)
    findings = json.loads(done.stdout)
    assert not [f for f in findings if f["level"] == "FAIL"], findings
    done = dataflow.run("status", env=odd.environment())
    assert done.returncode == 0
    # A line a mapping: names bring in no line, nor a terminal's commands.
    lines = [line for line in done.stdout.split("\n") if odd.src_db in line]
    assert len(lines) == len(NAMES)
    assert not [line for line in lines if any(ord(c) < 32 for c in line)]


# -------------------------------------------------------------------- troubles

def test_troubles_are_told_by_name(odd):
    """Tables that are not there: error rows and notifications."""
    hook = Hook()
    missing = {}
    try:
        odd.config(max_retry_attempts=1, notify_delay_seconds=0)
        odd.control(
            "INSERT INTO notification_channels (channel_name, channel_type, "
            f"settings, events) VALUES ({text(NAMES[0])}, N'webhook', "
            f"N'url={hook.url()}', N'FAILURE')")
        for table in odd.tables:
            name = cut("no " + table.name, 128)
            missing[odd.add_mapping(
                name, source_schema=table.name, cdc=0)] = \
                f"{odd.src_db}.{table.name}.{name}"

        def told():
            return {n["mapping_id"]: n["source"] for m in hook.messages()
                    for n in m["notices"]}
        dataflow.wait_for(lambda: len(told()) == len(missing), 120, 0.2)
        assert told() == missing
        for mapping, name in missing.items():
            found = odd.errors(mapping)
            assert len(found) == 1 and name in found[0][1], found
    finally:
        odd.control("DELETE FROM notification_channels")
        for mapping in missing:
            odd.control("UPDATE table_mappings SET is_enabled = 0 "
                        f"WHERE mapping_id = {mapping}")
        hook.close()
    dataflow.wait_for(lambda: len(odd.control(
        "SELECT 1 FROM table_mappings WHERE is_enabled = 1")) == len(NAMES))
