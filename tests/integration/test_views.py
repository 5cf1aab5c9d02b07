"""The monitoring views: both stores give the same answers to the same rows, and
those are right; what the daemon itself writes shows in them."""
import datetime
import decimal
import re
import sqlite3

import pytest

from support import dataflow, web
from support.ports import free_port

# What depends on when one asks, by so many seconds at most.
PATIENCE = 20
MOVING = ("lag_seconds", "duration_seconds", "seconds_since_update",
          "current_at")


def ago(**time):
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) \
        - datetime.timedelta(**time)


NOW = ago()


def literal(value, prefix):
    if value is None:
        return "NULL"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, datetime.datetime):
        return "'" + value.strftime("%Y-%m-%dT%H:%M:%S.%f") + "'"
    return prefix + "'" + value.replace("'", "''") + "'"


def plain(column, value):
    """A value as both stores would have it."""
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value):
        value = datetime.datetime.fromisoformat(value)
    if column == "reason" and value:
        return re.sub(r"^\d+ seconds", "N seconds", value)
    return value


def is_near(a, b):
    if None in (a, b):
        return a is b
    if isinstance(a, datetime.datetime):
        return abs((a - b).total_seconds()) <= PATIENCE
    return abs(a - b) <= PATIENCE


def same_time(a, b):
    return isinstance(a, datetime.datetime) and \
        isinstance(b, datetime.datetime) and \
        abs(a - b) < datetime.timedelta(milliseconds=1)


class Stores:
    """Control tables on SQL Server and in a file, with the same rows."""

    def __init__(self, world):
        self.world = world
        self.file = world.folder / "dataflow.db"
        done = dataflow.run("init", env=world.environment())
        assert done.returncode == 0, done.stderr
        done = dataflow.run("init", cwd=str(world.folder),
                            env={"TMPDIR": str(world.folder)})
        assert done.returncode == 0, done.stderr

    def lite(self, sql):
        connection = sqlite3.connect(self.file)
        try:
            with connection:
                cursor = connection.execute(sql)
                return [d[0] for d in cursor.description or ()], \
                    cursor.fetchall()
        finally:
            connection.close()

    def server(self, sql):
        with self.world.dest.connect(self.world.control_db) as connection:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                if not cursor.description:
                    return [], []
                return [d[0] for d in cursor.description], cursor.fetchall()

    def run(self, sql):
        self.lite(sql)
        self.server(sql)

    def insert(self, table, **row):
        names = ", ".join(row)
        for run, prefix in ((self.lite, ""), (self.server, "N")):
            values = ", ".join(literal(v, prefix) for v in row.values())
            run(f"INSERT INTO {table} ({names}) VALUES ({values})")

    def update(self, table, where, **row):
        for run, prefix in ((self.lite, ""), (self.server, "N")):
            sets = ", ".join(f"{name} = {literal(value, prefix)}"
                             for name, value in row.items())
            run(f"UPDATE {table} SET {sets} WHERE {where}")

    def mapping(self, name, **columns):
        """A mapping; its mapping_id, which is the same in both."""
        self.insert("table_mappings", **dict({
            "server_id": 1, "source_database": "S", "source_table": name,
            "dest_database": "D", "dest_table": name + "_copy",
            "cdc_enabled": 1}, **columns))
        found = {run("SELECT MAX(mapping_id) FROM table_mappings")[1][0][0]
                 for run in (self.lite, self.server)}
        assert len(found) == 1
        return found.pop()

    def living(self, name, state="CDC", lag=0.0, daemon="here:1", **columns):
        """A mapping that a daemon works on."""
        number = self.mapping(name, **columns)
        self.insert("mapping_leases", mapping_id=number, daemon=daemon,
                    epoch=1, taken_at=NOW)
        self.insert("mapping_state", mapping_id=number, state=state,
                    lag_seconds=lag, is_consistent=1, daemon=daemon,
                    updated_at=ago(seconds=10), current_at=ago(seconds=10))
        return number

    def ask(self, view, order="mapping_id"):
        """The view's rows as dictionaries, after both stores have said the
        same."""
        answers = []
        for run in (self.server, self.lite):
            names, rows = run(f"SELECT * FROM {view}")
            answers.append([{n: plain(n, v) for n, v in zip(names, row)}
                            for row in rows])
        keys = [k.strip() for k in order.split(",")]
        for answer in answers:
            answer.sort(key=lambda row: [row[k] for k in keys])
        server, lite = answers
        assert len(server) == len(lite)
        for one, other in zip(server, lite):
            assert list(one) == list(other)
            for name in one:
                assert one[name] == other[name] or \
                    same_time(one[name], other[name]) or \
                    name in MOVING and is_near(one[name], other[name]), \
                    (view, name, one[name], other[name])
        return server

    def health(self):
        return {row["source_table"]: (row["health"], row["reason"])
                for row in self.ask("v_mapping_health")}


@pytest.fixture
def stores(bare_world):
    stores = Stores(bare_world)
    stores.insert("source_servers", server_name="shop",
                  connection_string="server=x")
    stores.insert("daemons", daemon="here:1", version="1", started_at=NOW,
                  heartbeat_at=ago(seconds=2))
    return stores


# ------------------------------------------------------------------- health

def test_every_word_of_health(stores):
    stores.insert("source_servers", server_name="old's", is_enabled=0,
                  connection_string="server=y")
    stores.insert("target_servers", target_name="lake", is_enabled=0,
                  connection_string="server=z")
    stores.living("off", is_enabled=0)
    stores.living("server_off", server_id=2)
    stores.living("target_off", target_id=1)
    stores.living("suspended", is_suspended=1,
                  suspended_reason="100 rows were refused")
    stores.living("paused", is_paused=1)
    stores.living("loading", state="FULL_SYNC")
    stores.update("mapping_state", "state = 'FULL_SYNC'",
                  reason="the destination was never loaded")
    failing = stores.living("failing", state="ERROR")
    stores.insert("error_logs", mapping_id=failing, error_type="SYNC",
                  error_message="it's over", is_resolved=1)
    stores.insert("error_logs", mapping_id=failing, error_type="SCHEMA",
                  error_message="no key; name one")
    noted = stores.living("noted")
    stores.insert("error_logs", mapping_id=noted, error_type="SYNC",
                  error_message="the capture job rests")
    stores.living("retrying", state="RETRYING")
    stores.update("mapping_state", "state = 'RETRYING'", reason="no answer",
                  next_attempt_at=NOW)
    stores.living("waiting", state="WAITING")
    stores.update("mapping_state", "state = 'WAITING'", reason="never loaded")
    stores.living("starting", state="STARTING")
    stores.living("unheard_of", state="SOMETHING_NEW")
    stores.mapping("new")
    stores.living("orphan", daemon="gone:1")
    wrong = stores.living("wrong")
    stores.insert("error_logs", mapping_id=wrong, error_type="VERIFICATION",
                  error_message="2 rows differ; request a REPAIR")
    # Its error was resolved since: it was loaded anew, or a DBA says so.
    failed = stores.living("failed")
    for status, minutes, kind in (("PASSED", 9, "TAIL"), ("FAILED", 5, "TAIL"),
                                  ("PASSED", 1, "DRY_RUN")):
        stores.insert("verification_logs", mapping_id=failed,
                      verification_type=kind, mismatches_found=3,
                      verification_status=status,
                      verified_at=ago(minutes=minutes))
    stores.insert("error_logs", mapping_id=failed, error_type="VERIFICATION",
                  error_message="3 rows differ", is_resolved=1)
    # The newest rows pass, the whole table did not.
    whole = stores.living("whole")
    stores.insert("error_logs", mapping_id=whole, error_type="VERIFICATION",
                  error_message="4 rows differ")
    stores.insert("verification_logs", mapping_id=whole,
                  verification_type="TAIL", verification_status="PASSED",
                  verified_at=NOW)
    parked = stores.living("parked")
    for number, resolved in enumerate((0, 0, 1)):
        stores.insert("apply_exceptions", exception_id=f"x{number}",
                      mapping_id=parked, operation="INSERT", reason="r",
                      is_resolved=resolved)
    stores.living("lagging", lag=500.0)
    stores.update("mapping_state", "lag_seconds = 500",
                  current_at=ago(seconds=500), reason="a large window")
    stores.living("loaded_just_now")
    stores.update("mapping_state", "mapping_id = (SELECT MAX(mapping_id) FROM "
                  "table_mappings)", is_consistent=0,
                  reason="catching up with its load")
    stores.living("healthy")
    mended = stores.living("mended")
    stores.insert("error_logs", mapping_id=mended, error_type="SYNC",
                  error_message="over", is_resolved=1)
    stores.insert("verification_logs", mapping_id=mended,
                  verification_type="TAIL", verification_status="FAILED",
                  verified_at=ago(minutes=9))
    stores.insert("verification_logs", mapping_id=mended,
                  verification_type="TAIL", verification_status="PASSED",
                  verified_at=ago(minutes=1))
    stores.living("full_only", state="IDLE", lag=None, cdc_enabled=0)
    assert stores.health() == {
        "off": ("DISABLED", "is_enabled of the mapping is 0"),
        "server_off": ("DISABLED",
                       "is_enabled of source server 'old's' is 0"),
        "target_off": ("DISABLED", "is_enabled of target server 'lake' is 0"),
        "suspended": ("SUSPENDED", "100 rows were refused"),
        "paused": ("PAUSED",
                   "is_paused is 1; a RESUME request lets it go on"),
        "loading": ("LOADING", "the destination was never loaded"),
        "failing": ("ERROR", "no key; name one"),
        "noted": ("ERROR", "the capture job rests"),
        "retrying": ("RETRYING", "no answer"),
        "waiting": ("WAITING", "never loaded"),
        "starting": ("WAITING", "it starts"),
        "unheard_of": ("WAITING", "it starts"),
        "new": ("WAITING", "no daemon has taken it up yet"),
        "orphan": ("WAITING",
                   "its daemon is gone, another one takes it over"),
        "wrong": ("MISMATCH", "2 rows differ; request a REPAIR"),
        "failed": ("HEALTHY", "follows changes"),
        "whole": ("MISMATCH", "4 rows differ"),
        "parked": ("MISMATCH", "2 rows were put aside in apply_exceptions"),
        "lagging": ("LAGGING", "N seconds behind its source: a large window"),
        "loaded_just_now": ("HEALTHY", "catching up with its load"),
        "healthy": ("HEALTHY", "follows changes"),
        "mended": ("HEALTHY", "follows changes"),
        "full_only": ("HEALTHY", "loaded; it has full syncs only"),
    }
    rows = {r["source_table"]: r for r in stores.ask("v_mapping_health")}
    assert rows["failing"]["open_errors"] == 1
    assert rows["healthy"]["open_errors"] == 0
    assert rows["parked"]["parked_rows"] == 2
    assert rows["failed"]["last_verification_status"] == "FAILED"
    assert rows["healthy"]["last_verified_at"] is None
    assert rows["healthy"]["server_name"] == "shop"
    assert rows["healthy"]["dest_table"] == "healthy_copy"
    assert rows["healthy"]["daemon"] == "here:1"


def test_the_first_word_that_applies_is_shown(stores):
    number = stores.living("t", state="RETRYING", lag=500.0, is_enabled=0,
                           is_suspended=1, is_paused=1)
    stores.update("mapping_state", "1 = 1", current_at=ago(seconds=500))
    stores.update("daemons", "1 = 1", stopped_at=NOW)
    stores.insert("error_logs", mapping_id=number, error_type="SYNC",
                  error_message="bad")
    stores.insert("error_logs", mapping_id=number, error_type="VERIFICATION",
                  error_message="differs")
    seen = []
    for table, change in (
            (None, {}), ("table_mappings", {"is_enabled": 1}),
            ("table_mappings", {"is_suspended": 0}),
            ("table_mappings", {"is_paused": 0}),
            ("daemons", {"stopped_at": None}),
            ("mapping_state", {"state": "FULL_SYNC"}),
            ("mapping_state", {"state": "RETRYING"}),
            ("error_logs WHERE error_type = 'SYNC'", None),
            ("mapping_state", {"state": "STARTING"}),
            ("mapping_state", {"state": "CDC"}),
            ("error_logs", None),
            ("mapping_state", {"lag_seconds": 0.0})):
        if change is None:
            stores.run(f"DELETE FROM {table}")
        elif table:
            stores.update(table, "1 = 1", **change)
        seen.append(stores.health()["t"][0])
    assert seen == ["DISABLED", "SUSPENDED", "PAUSED", "STOPPED", "ERROR",
                    "LOADING", "ERROR", "RETRYING", "WAITING", "MISMATCH",
                    "LAGGING", "HEALTHY"]


def test_stopped_and_why(stores):
    stores.living("t")
    stores.mapping("never")
    stores.update("config", "config_key = 'lease_seconds'", config_value="40")
    stores.update("daemons", "1 = 1", heartbeat_at=ago(seconds=45))
    assert stores.health()["t"][0] == "HEALTHY"
    stores.update("daemons", "1 = 1", heartbeat_at=ago(seconds=65))
    assert stores.health() == {
        "t": ("STOPPED",
              "daemon 'here:1' shows no sign of life since heartbeat_at"),
        "never": ("STOPPED", "no daemon is running")}
    stores.update("daemons", "1 = 1", stopped_at=NOW)
    assert stores.health()["t"] == ("STOPPED", "daemon 'here:1' was stopped")
    stores.run("DELETE FROM daemons")
    assert stores.health()["t"] == ("STOPPED", "no daemon is running")
    # A standby beats: the mapping waits for it.
    stores.insert("daemons", daemon="there:1", version="1", started_at=NOW,
                  heartbeat_at=ago(seconds=1))
    assert stores.health()["t"][0] == "WAITING"


@pytest.mark.parametrize("value", ["abc", "", "-5", "0", "1.5"])
def test_bad_settings_leave_the_defaults(stores, value):
    stores.living("t")
    stores.living("late", lag=50.0)
    stores.living("later", lag=70.0)
    stores.update("mapping_state", "lag_seconds = 50",
                  current_at=ago(seconds=40))
    stores.update("mapping_state", "lag_seconds = 70",
                  current_at=ago(seconds=90))
    stores.update("config", "config_key IN ('lease_seconds', "
                  "'lag_warning_seconds')", config_value=value)
    assert [word for word, _ in stores.health().values()] == \
        ["HEALTHY", "HEALTHY", "LAGGING"]
    stores.run("DELETE FROM config")
    assert [word for word, _ in stores.health().values()] == \
        ["HEALTHY", "HEALTHY", "LAGGING"]


# --------------------------------------------------------------------- lag

def lags(stores):
    return {r["source_table"]: r["lag_seconds"]
            for r in stores.ask("v_replication_lag")}


def test_lag_grows_while_nothing_is_applied(stores):
    stores.living("current")
    stores.living("behind", lag=100.0)
    stores.living("failing", state="ERROR")
    stores.living("unknown", lag=None)
    stores.living("older_row", lag=100.0)
    stores.living("full_only", state="IDLE", lag=None, cdc_enabled=0)
    stores.living("ahead", lag=1.0)
    stores.mapping("new")
    stores.update("mapping_state", "lag_seconds = 100",
                  current_at=ago(seconds=400))
    stores.update("mapping_state", "state = 'ERROR'",
                  current_at=ago(seconds=300))
    stores.update("mapping_state", "lag_seconds IS NULL", current_at=None)
    stores.update("mapping_state", "mapping_id = 5", current_at=None,
                  updated_at=ago(seconds=500))
    stores.update("mapping_state", "mapping_id = 7",
                  current_at=ago(seconds=-300))
    found = lags(stores)
    assert found["current"] <= 1
    assert 400 <= found["behind"] <= 400 + PATIENCE
    assert 300 <= found["failing"] <= 300 + PATIENCE
    assert 600 <= found["older_row"] <= 600 + PATIENCE
    assert found["ahead"] == 0
    assert [found[t] for t in ("unknown", "full_only", "new")] == [None] * 3
    # It was up to date at the last beat, and is not any more.
    stores.update("daemons", "1 = 1", heartbeat_at=ago(seconds=200))
    stores.update("mapping_state", "mapping_id = 1",
                  current_at=ago(seconds=9000), updated_at=ago(seconds=9000))
    found = lags(stores)
    assert 200 <= found["current"] <= 200 + PATIENCE
    assert 400 <= found["behind"] <= 400 + PATIENCE


# ---------------------------------------------------- loads and throughput

def test_running_loads(stores):
    number = stores.mapping("t")
    run = {"mapping_id": number, "sync_type": "FULL_SYNC",
           "status": "RUNNING", "started_at": ago(seconds=100)}
    stores.insert("sync_status", **run, records_processed=250,
                  records_total=1000, rows_per_second=49.96,
                  updated_at=ago(seconds=1), last_processed_pk="250")
    stores.insert("sync_status", **run, records_processed=1200,
                  records_total=1000, rows_per_second=50.0)
    stores.insert("sync_status", **dict(run, sync_type="CDC"),
                  records_processed=7)
    stores.insert("sync_status", **run, records_total=10,
                  records_processed=0, rows_per_second=0.0)
    stores.insert("sync_status", **dict(run, status="COMPLETED"),
                  records_processed=9, completed_at=NOW)
    found = stores.ask("v_running_loads", "status_id")
    assert [(r["sync_type"], r["percent_done"], r["rows_per_second"],
             r["seconds_left"]) for r in found] == [
        ("FULL_SYNC", 25.0, 50.0, 15), ("FULL_SYNC", 100.0, 50.0, 0),
        ("CDC", None, None, None), ("FULL_SYNC", 0.0, 0.0, None)]
    assert 100 <= found[0]["duration_seconds"] <= 100 + PATIENCE
    assert found[0]["seconds_since_update"] <= 1 + PATIENCE
    assert found[1]["seconds_since_update"] >= 100
    assert (found[0]["server_name"], found[0]["dest_table"],
            found[0]["last_processed_pk"]) == ("shop", "t_copy", "250")


def test_throughput(stores):
    first, second = stores.mapping("a"), stores.mapping("b")
    hour = ago(hours=3).replace(minute=0, second=0, microsecond=0)
    oldest = ago(hours=24).replace(minute=0, second=0, microsecond=0)
    second_more = datetime.timedelta(seconds=1)

    def run(mapping, when, rows, kind="CDC", **more):
        stores.insert("sync_status", **dict({
            "mapping_id": mapping, "sync_type": kind, "status": "COMPLETED",
            "records_processed": rows, "records_failed": 1,
            "started_at": when - second_more, "completed_at": when}, **more))
    run(first, hour, 10)
    run(first, hour + 3599 * second_more, 20, "FULL_SYNC")
    run(first, hour + 3600 * second_more, 40)
    run(first, hour, 5000, "VERIFICATION")
    run(second, hour, 80, status="ERROR")
    run(second, oldest, 160)
    run(second, oldest - second_more, 320)
    run(second, hour, 640, status="RUNNING", completed_at=None)
    found = stores.ask("v_throughput", "mapping_id, hour_start")
    assert [(r["mapping_id"], r["hour_start"], r["runs"],
             r["records_processed"], r["full_sync_records"],
             r["records_failed"]) for r in found] == [
        (first, hour, 2, 30, 20, 2),
        (first, hour + 3600 * second_more, 1, 40, 0, 1),
        (second, oldest, 1, 160, 0, 1), (second, hour, 1, 80, 0, 1)]
    assert found[0]["source_table"] == "a" and \
        found[0]["dest_table"] == "a_copy"


# ------------------------------------------------- verification and errors

def test_verification_failures(stores):
    first, second = stores.mapping("a"), stores.mapping("b")
    for mapping, minutes, status, kind in (
            (first, 30, "FAILED", "TAIL"), (first, 20, "PASSED", "TAIL"),
            (first, 10, "FAILED", "DRY_RUN"), (second, 9, "PARTIAL", "WHOLE"),
            (second, 8, "FAILED", "WHOLE"), (second, 7, "PARTIAL", "TAIL")):
        # A run that broke off has found something, or nothing so far.
        found = int((status, kind) != ("PARTIAL", "TAIL"))
        stores.insert("verification_logs", mapping_id=mapping,
                      verification_type=kind, source_md5="a" * 32,
                      dest_md5="b" * 32, source_row_count=3,
                      dest_row_count=2, records_compared=3,
                      mismatches_found=found, verification_status=status,
                      verification_details='{"keys": [1]}',
                      verified_at=ago(minutes=minutes))
    found = stores.ask("v_verification_failures", "verification_id")
    assert [(r["mapping_id"], r["verification_type"], r["last_status"])
            for r in found] == [(first, "TAIL", "PASSED"),
                                (first, "DRY_RUN", "PASSED"),
                                (second, "WHOLE", "PARTIAL"),
                                (second, "WHOLE", "PARTIAL")]
    assert found[0]["verification_details"] == '{"keys": [1]}'
    assert found[0]["mismatches_found"] == 1
    for run in (stores.lite, stores.server):
        rows = run("SELECT * FROM v_verification_failures")[1]
        assert [row[8] for row in rows] == [5, 4, 3, 1]


def test_error_trend(stores):
    hour = ago().replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    second = datetime.timedelta(seconds=1)
    for kind, when in (("SYNC", hour), ("SYNC", hour - second),
                       ("OTHER", hour - 23 * 3600 * second),
                       ("OTHER", hour - 23 * 3600 * second - second),
                       ("SCHEMA", day - 30 * 86400 * second),
                       ("SCHEMA", day - 30 * 86400 * second - second)):
        stores.insert("error_logs", error_type=kind, error_message="m",
                      created_at=when)
    found = stores.ask("v_error_trend", "period, period_start, error_type")
    assert len(found) == (24 + 31) * 5
    trend = {(r["period"], r["period_start"], r["error_type"]): r["errors"]
             for r in found}
    assert trend["HOUR", hour, "SYNC"] == 1
    assert trend["HOUR", hour - 3600 * second, "SYNC"] == 1
    assert trend["HOUR", hour, "OTHER"] == 0
    assert trend["HOUR", hour - 23 * 3600 * second, "OTHER"] == 1
    assert trend["DAY", day - 30 * 86400 * second, "SCHEMA"] == 1
    count = {"HOUR": 0, "DAY": 0}
    for (period, _, _), errors in trend.items():
        count[period] += errors
    assert count == {"HOUR": 3, "DAY": 5}


def test_published_views(stores):
    """Their columns as published, in that order; more may follow."""
    number = stores.mapping("t")
    stores.insert("sync_status", mapping_id=number, sync_type="FULL_SYNC",
                  status="RUNNING", records_processed=1, records_total=3,
                  rows_per_second=1.0, started_at=ago(seconds=9))
    stores.insert("error_logs", mapping_id=number, error_type="SYNC",
                  error_message="m")
    found = stores.ask("v_sync_summary", "started_at")
    assert list(found[0])[:11] == [
        "server_name", "source_database", "source_table", "dest_table",
        "status", "sync_type", "records_processed", "records_failed",
        "started_at", "completed_at", "duration_seconds"]
    assert found[0]["percent_done"] == 33.3
    found = stores.lite("SELECT * FROM v_recent_errors")[0]
    assert found == stores.server("SELECT * FROM v_recent_errors")[0]
    assert found[:9] == ["error_id", "server_name", "source_table",
                         "dest_table", "error_type", "error_message",
                         "retry_count", "is_resolved", "created_at"]


# ------------------------------------------------------ what the daemon says

def health_of(world, mapping):
    return world.control("SELECT health, lag_seconds FROM v_mapping_health "
                         f"WHERE mapping_id = {mapping}")[0]


def test_health_and_lag_of_a_daemon(world):
    world.config(max_retry_attempts=1)
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    world.on_source("INSERT INTO t VALUES (1)")
    world.enable_cdc("t")
    mapping = world.add_mapping("t")
    assert health_of(world, mapping)[0] == "STOPPED"
    daemon = world.start()
    world.wait_equal("t")
    dataflow.wait_for(lambda: health_of(world, mapping) == ("HEALTHY", 0))

    # It fails, again and again: that does not set its lag back.
    world.control("UPDATE source_servers SET connection_string = "
                  "N'server=127.0.0.1,1;user id=x;password=y'")
    dataflow.wait_for(lambda: health_of(world, mapping)[0] == "ERROR")
    dataflow.wait_for(lambda: health_of(world, mapping)[1] >= 4)
    updated = world.control("SELECT updated_at FROM mapping_state")[0][0]
    dataflow.wait_for(lambda: world.control(
        "SELECT updated_at FROM mapping_state")[0][0] > updated)
    word, lag = health_of(world, mapping)
    assert word == "ERROR" and lag >= 4

    # Nor does a new daemon that fails likewise.
    daemon.stop()
    word, lag = health_of(world, mapping)
    assert word == "STOPPED" and lag >= 4
    daemon = world.start()
    dataflow.wait_for(lambda: health_of(world, mapping)[0] == "ERROR")
    assert health_of(world, mapping)[1] >= lag

    text = world.connection_string()
    world.control("UPDATE source_servers SET connection_string = "
                  f"N'{text}'")
    dataflow.wait_for(lambda: health_of(world, mapping) == ("HEALTHY", 0))
    world.request(mapping, "PAUSE")
    dataflow.wait_for(lambda: health_of(world, mapping)[0] == "PAUSED")
    dataflow.wait_for(lambda: health_of(world, mapping)[1] >= 2)
    world.request(mapping, "RESUME")
    dataflow.wait_for(lambda: health_of(world, mapping) == ("HEALTHY", 0))
    assert world.control("SELECT SUM(records_processed) FROM v_throughput")[0][0] >= 1


# --------------------------------------------- the same words from the daemon

class Both:
    """A mapping as the view and the daemon's own pages have it."""

    def __init__(self, world, mapping):
        self.world, self.mapping = world, mapping
        self.port = free_port()
        self.daemon = None

    def start(self):
        self.daemon = self.world.start("--metrics-listen", str(self.port))
        dataflow.wait_for(lambda: web.answers(self.port) == 200)

    def view(self):
        return self.world.control(
            "SELECT health, reason FROM v_mapping_health WHERE mapping_id = "
            f"{self.mapping}")[0]

    def page(self):
        for m in web.status(self.port)["mappings"]:
            if m["mapping_id"] == self.mapping:
                return m["health"], m["reason"]
        return None, None

    def wait(self, word, timeout=40):
        """Until both have that word, with one reason; the page's is none
        where there is nothing to say. The reason."""
        seen = [None, None]

        def agree():
            seen[:] = self.view(), self.page()
            words = {w for w, _ in seen}
            reasons = {re.sub(r"^\d+ seconds", "N seconds", why or "")
                       for _, why in seen}
            return words == {word} and (len(reasons) == 1 or
                                        word == "HEALTHY")
        try:
            dataflow.wait_for(agree, timeout, what=word)
        except AssertionError:
            raise AssertionError(f"{word}: {seen}\n{self.world.log()}") \
                from None
        # A page is up to a second old.
        dataflow.wait_for(lambda: web.value(
            web.metrics(self.port), "dataflow_mapping_health", health=word,
            mapping_id=str(self.mapping)) == 1, 5)
        return seen[0][1]

    def order(self, kind, scope=None):
        scope = f"N'{scope}'" if scope else "NULL"
        self.world.control(
            "INSERT INTO sync_requests (mapping_id, request_type, scope) "
            f"VALUES ({self.mapping}, N'{kind}', {scope})")
        number = self.world.control("SELECT MAX(request_id) "
                                    "FROM sync_requests")[0][0]
        dataflow.wait_for(lambda: self.world.control(
            f"SELECT 1 FROM sync_requests WHERE request_id = {number} "
            "AND state = 'COMPLETED'"), 40, what=kind)

    def source_is(self, text):
        self.world.control("UPDATE source_servers SET connection_string = "
                           f"N'{text}'")


@pytest.fixture
def both(world):
    world.config(verification_interval_minutes=0, verification_row_count=100,
                 initial_full_sync=0, max_retry_attempts=1)
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, n INT)")
    world.on_source("WITH k AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM k "
                    "WHERE i < 1000) INSERT INTO t SELECT i, i FROM k "
                    "OPTION (MAXRECURSION 0)")
    world.on_dest("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, n INT "
                  "CHECK (n <> 13000))")
    world.enable_cdc("t")
    found = Both(world, world.add_mapping("t", on_row_error="PARK"))
    found.start()
    return found


@pytest.fixture
def loaded(both):
    """It was loaded and follows changes, and the log of its source is busy."""
    if both.world.source.is_standin:
        both.world.source.query("EXEC sys.sp_tdsd_option N'idle_interval', 300")
    both.order("FULL_SYNC")
    both.wait("HEALTHY")
    yield both
    if both.world.source.is_standin:
        both.world.source.query("EXEC sys.sp_tdsd_option N'idle_interval', 0")


def test_same_words_at_rest_and_in_trouble(loaded):
    both, world = loaded, loaded.world
    both.order("PAUSE")
    both.wait("PAUSED")
    both.order("RESUME")
    both.wait("HEALTHY")
    good = world.connection_string()
    bad = "server=127.0.0.1,1;user id=x;password=y"
    both.source_is(bad)
    assert "127.0.0.1" in both.wait("ERROR")
    # An error from before counts for a new daemon that only retries yet.
    both.daemon.stop()
    world.config(max_retry_attempts=100, retry_delay_seconds=1)
    both.start()
    both.wait("ERROR")
    both.source_is(good)
    both.wait("HEALTHY")
    both.source_is(bad)
    both.wait("RETRYING")
    world.config(max_retry_attempts=1, on_connection_error="SUSPEND")
    assert "127.0.0.1" in both.wait("SUSPENDED")
    both.daemon.stop()
    both.start()
    both.wait("SUSPENDED")
    both.source_is(good)
    both.order("RESUME")
    both.wait("HEALTHY")


def test_same_words_while_waiting(both):
    dataflow.wait_for(lambda: "never loaded" in both.wait("WAITING"))
    both.order("FULL_SYNC")
    both.wait("HEALTHY")


def test_same_words_about_rows_that_differ(loaded):
    both, world = loaded, loaded.world
    world.on_dest("UPDATE t SET n = -1 WHERE id = 5")
    both.order("VERIFY")
    both.wait("HEALTHY")  # it is not among the newest rows
    both.order("VERIFY", "WHOLE")
    assert "1 of 1000 rows differ" in both.wait("MISMATCH")
    both.order("VERIFY")
    status = world.control("SELECT last_verification_status "
                           "FROM v_mapping_health")
    assert status == [("PASSED",)]
    both.wait("MISMATCH")
    errors = web.status(both.port)["recent_errors"]
    assert [(e["type"], e["is_resolved"]) for e in errors] == \
        [("VERIFICATION", False)]
    # Nor does a new daemon end it.
    both.daemon.stop()
    both.start()
    both.wait("MISMATCH")
    # What is graver hides it, and ends it not.
    good = world.connection_string()
    both.source_is("server=127.0.0.1,1;user id=x;password=y")
    both.wait("ERROR")
    both.source_is(good)
    both.wait("MISMATCH")
    both.order("REPAIR", "WHOLE")
    both.wait("HEALTHY")
    # So does a load.
    world.on_dest("UPDATE t SET n = -1 WHERE id = 1000")
    both.order("VERIFY")
    both.wait("MISMATCH")
    both.order("FULL_SYNC")
    both.wait("HEALTHY")


def test_same_words_about_rows_put_aside(loaded):
    both, world = loaded, loaded.world
    world.on_source("UPDATE t SET n = 13000 WHERE id = 7")
    assert both.wait("MISMATCH") == \
        "1 rows were put aside in apply_exceptions"
    both.daemon.stop()
    both.start()
    both.wait("MISMATCH")
    world.on_source("UPDATE t SET n = 7 WHERE id = 7")
    both.wait("HEALTHY")


def test_same_words_when_a_dba_resolves_an_error(loaded):
    """As the view has it at once, the page has it after a while."""
    both, world = loaded, loaded.world
    world.on_dest("UPDATE t SET n = -1 WHERE id = 1000")
    both.order("VERIFY")
    both.wait("MISMATCH")
    world.control("UPDATE error_logs SET is_resolved = 1")
    both.wait("HEALTHY", 60)


def test_same_words_about_lag(loaded):
    both, world = loaded, loaded.world
    both.order("PAUSE")
    both.wait("PAUSED")
    world.config(lag_warning_seconds=3, cdc_window_transactions=1)
    for i in range(3000):
        world.on_source(f"UPDATE t SET n = n + 1 WHERE id = {i % 1000 + 1}")
    dataflow.wait_for(lambda: world.control(
        "SELECT 1 FROM v_mapping_health WHERE lag_seconds > 5"))
    both.order("RESUME")
    assert "seconds behind its source" in both.wait("LAGGING")
    world.config(cdc_window_transactions=5000)
    world.wait_equal("t", timeout=60)
    both.wait("HEALTHY")
