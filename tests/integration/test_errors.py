"""Bad input and trouble: one clear row each, and nobody else is disturbed."""
import re
import socket
import time

import pytest

from support import dataflow
from support.ports import free_port
from support.relay import Relay, port_of


@pytest.fixture
def pair(world):
    """A healthy mapping, to see that it stays so."""
    world.on_source("CREATE TABLE good (id INT NOT NULL PRIMARY KEY, v INT)")
    world.on_source("INSERT INTO good VALUES (1, 1), (2, 2)")
    world.enable_cdc("good")
    world.healthy = world.add_mapping("good")
    world.config(max_retry_attempts=2, connect_timeout_seconds=2)
    return world


def one_row(world, mapping, timeout=30):
    """The one open error of a mapping; that it stays one, and is no repeat."""
    found = dataflow.wait_for(lambda: world.errors(mapping), timeout,
                              what="an error row")
    time.sleep(2.5)
    found = world.errors(mapping)
    assert len(found) == 1, found
    return found[0]


def is_healthy(world):
    world.on_source("UPDATE good SET v = v + 1")
    world.wait_equal("good", timeout=15)
    assert world.errors(world.healthy) == []


BAD_SERVERS = {
    "unknown host": ("server=no-such-host.invalid;user id=sa;password=x",
                     "CONNECTION", r"unknown host 'no-such-host\.invalid'"),
    "refused port": ("server=127.0.0.1,{port};user id=sa;password=x",
                     "CONNECTION", r"127\.0\.0\.1,\d+.*cannot connect"),
    "wrong password": ("server={address};user id=sa;password=wr0ng-Planted",
                       "CONNECTION", r"[Ll]ogin failed for user 'sa'"),
    "no user": ("server={address};password=x", "OTHER", "'user id' is missing"),
    "no server": ("user id=sa", "OTHER", "'server' is missing"),
    "unknown key": ("server={address};user id=sa;colour=red", "OTHER",
                    "'colour' is not a known key"),
    "twice": ("server={address};server=x;user id=sa", "OTHER",
              "'server' is given twice"),
    "garbage": ("just some words", "OTHER", "'key=value' expected"),
    "open quote": ("server={address};user id=sa;password=\"abc", "OTHER",
                   "quoted value of 'password' does not end"),
    "no variable": ("server={address};user id=sa;password=${{env:NOT_THERE}}",
                    "OTHER", "environment variable 'NOT_THERE' is not set"),
    "no file": ("server={address};user id=sa;password=${{file:/no/file}}",
                "OTHER", "cannot open file '/no/file'"),
    "no type": ("server={address};user id=sa;encrypt=perhaps", "OTHER",
                "'encrypt' must be"),
}


@pytest.mark.parametrize("case", BAD_SERVERS)
def test_bad_server(pair, case):
    text, kind, pattern = BAD_SERVERS[case]
    text = text.format(address=pair.source.address, port=free_port())
    server = pair.add_server("bad", text)
    bad = pair.add_mapping("good", "bad_copy", server_id=server)
    pair.start()
    got = one_row(pair, bad)
    assert got[0] == kind
    assert re.search(pattern, got[1]), got[1]
    assert "wr0ng-Planted" not in got[1] and "wr0ng-Planted" not in pair.log()
    is_healthy(pair)
    good = pair.connection_string().replace("'", "''")
    pair.control(f"UPDATE source_servers SET connection_string = N'{good}' "
                 f"WHERE server_id = {server}")
    pair.wait_equal("good", "bad_copy")
    dataflow.wait_for(lambda: not pair.errors(bad))
    assert pair.control("SELECT COUNT(*) FROM error_logs WHERE mapping_id = "
                        f"{bad} AND is_resolved = 1 "
                        "AND resolved_at IS NOT NULL")[0][0] >= 1


def test_a_server_that_accepts_and_is_silent(pair):
    """The login time-out ends it; the others do not wait for it."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        server = pair.add_server(
            "silent", f"server=127.0.0.1,{silent.getsockname()[1]};"
            "user id=sa;password=x")
        bad = pair.add_mapping("good", "bad_copy", server_id=server)
        daemon = pair.start()
        pair.wait_equal("good")
        is_healthy(pair)
        got = one_row(pair, bad, 60)
        assert got[0] == "CONNECTION"
        code, seconds = daemon.stop()
        assert code == 0 and seconds < 5 * dataflow.slowness()


BAD_MAPPINGS = {
    "missing table": (dict(table="no_such_table"), "SCHEMA",
                      r"source table '\w+\.dbo\.no_such_table' does not exist"),
    "missing database": (dict(source_database="no_such_db"), "CONNECTION",
                         "no_such_db"),
    "missing destination database": (dict(dest_database="no_such_db"),
                                     "CONNECTION", "no_such_db"),
    "wrong key column": (dict(primary_key_column="nope"), "SCHEMA",
                         "key column 'nope' does not exist"),
    "key that is not unique": (dict(primary_key_column="v"), "SCHEMA",
                               "made of the key columns alone"),
    "wrong trigger column": (dict(full_sync_trigger_column="nope"), "SCHEMA",
                             "full_sync_trigger_column 'nope' does not exist"),
    "blank table": (dict(table="  "), "OTHER", "'source_table'.*blank"),
    "blank destination": (dict(dest_table=" "), "OTHER",
                          "'dest_table'.*blank"),
}


@pytest.mark.parametrize("case", BAD_MAPPINGS)
def test_bad_mapping(pair, case):
    columns, kind, pattern = BAD_MAPPINGS[case]
    columns = dict(columns)
    bad = pair.add_mapping(columns.pop("table", "good"),
                           columns.pop("dest_table", "bad_copy"), **columns)
    pair.start()
    got = one_row(pair, bad)
    assert got[0] == kind, got
    assert re.search(pattern, got[1]), got[1]
    is_healthy(pair)


def test_trigger_column_of_a_wrong_type(pair):
    pair.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                   "f NVARCHAR(10) NULL)")
    bad = pair.add_mapping("t", cdc=0, full_sync_trigger_column="f")
    pair.start()
    kind, message, _ = one_row(pair, bad)
    assert kind == "SCHEMA" and "must be bit or an integer" in message


def test_cdc_not_enabled(pair):
    pair.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    bad = pair.add_mapping("t")
    pair.start()
    kind, message, _ = one_row(pair, bad)
    assert kind == "SCHEMA" and "sys.sp_cdc_enable_table" in message
    is_healthy(pair)
    pair.enable_cdc("t")
    pair.on_source("INSERT INTO t VALUES (1)")
    pair.wait_equal("t")
    dataflow.wait_for(lambda: not pair.errors(bad))


def test_cdc_not_enabled_in_the_database(world):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    bad = world.add_mapping("t")
    world.start()
    kind, message, _ = one_row(world, bad)
    assert kind == "SCHEMA" and "sys.sp_cdc_enable_db" in message


def test_unknown_server_type(pair):
    pair.control("UPDATE source_servers SET server_type = N'sqlserver'")
    server = pair.add_server("odd")
    pair.control("UPDATE source_servers SET server_type = N'dbase' "
                 f"WHERE server_id = {server}")
    bad = pair.add_mapping("good", "bad_copy", server_id=server)
    pair.start()
    kind, message, _ = one_row(pair, bad)
    assert kind == "OTHER" and "'dbase' is not known" in message
    is_healthy(pair)


def test_garbage_in_config(pair):
    pair.start()
    pair.wait_equal("good")
    pair.config(batch_size="many", max_retry_attempts="-5",
                full_sync_mode="")

    def told():
        return pair.control("SELECT error_message FROM error_logs WHERE "
                            "mapping_id IS NULL AND is_resolved = 0")
    for key in ("batch_size", "max_retry_attempts", "full_sync_mode"):
        dataflow.wait_for(lambda: told() and key in told()[0][0], what=key)
    assert len(told()) == 1
    is_healthy(pair)
    pair.config(batch_size=500, max_retry_attempts=3, full_sync_mode="swap")
    dataflow.wait_for(lambda: not told())


def test_settings_mended_while_it_was_down(pair):
    daemon = pair.start()
    pair.config(batch_size="many")

    def told():
        return pair.control("SELECT error_message FROM error_logs WHERE "
                            "mapping_id IS NULL AND is_resolved = 0")
    dataflow.wait_for(told)
    daemon.stop()
    pair.config(batch_size=500)
    pair.start()
    dataflow.wait_for(lambda: not told())


def test_retry_policy(pair):
    """Two attempts a second apart, then the row; it heals by itself."""
    port = free_port()
    server = pair.add_server("late", f"server=127.0.0.1,{port};user id=sa;"
                             f"password={pair.source.password}")
    bad = pair.add_mapping("good", "late_copy", server_id=server)
    pair.config(max_retry_attempts=3, retry_delay_seconds=1)
    began = time.monotonic()
    pair.start()
    found = dataflow.wait_for(lambda: pair.errors(bad), 30)
    assert time.monotonic() - began >= 2
    assert found[0][2] >= 3
    warnings = pair.control("SELECT log_message FROM sync_logs WHERE "
                            f"mapping_id = {bad} AND log_level = 'WARNING' "
                            "ORDER BY log_id")
    assert [w[0][:16] for w in warnings] == ["attempt 1 of 3 f",
                                             "attempt 2 of 3 f"]
    with Relay(port_of(pair.source), port):
        pair.wait_equal("good", "late_copy")
        dataflow.wait_for(lambda: not pair.errors(bad))


@pytest.mark.threads
def test_cut_connections_lose_nothing(pair):
    """The source's connections are cut again and again while rows change."""
    pair.config(max_retry_attempts=5, retry_delay_seconds=0)
    with Relay(port_of(pair.source)) as relay:
        pair.control("UPDATE source_servers SET connection_string = "
                     f"N'server={relay.address};user id=sa;"
                     f"password={pair.source.password}'")
        pair.start()
        pair.wait_equal("good")
        for i in range(15):
            pair.on_source(f"INSERT INTO good VALUES ({100 + i}, {i}); "
                           "UPDATE good SET v = v + 1 WHERE id % 3 = "
                           f"{i % 3}")
            relay.cut()
            time.sleep(0.1)
        pair.wait_equal("good")


def test_a_value_that_does_not_fit(pair):
    """Row and column are named, the old rows stay, the value is not
    repeated."""
    pair.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                   "v NVARCHAR(20) NULL)")
    pair.on_dest("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                 "v VARCHAR(20) NULL)")
    pair.on_dest("INSERT INTO t VALUES (1, 'old')")
    pair.on_source("INSERT INTO t VALUES (1, N'fine'), (7, N'плохо'), "
                   "(9, N'good')")
    bad = pair.add_mapping("t", cdc=0)
    pair.start()
    kind, message, _ = one_row(pair, bad)
    assert kind == "SYNC" and "'v'" in message and "code page" in message
    assert "row with key 7" in message
    assert "плохо" not in message
    assert pair.on_dest("SELECT v FROM t") == [("old",)]
    is_healthy(pair)


@pytest.mark.parametrize("source, dest, fits, too_long", [
    ("NVARCHAR(50)", "NVARCHAR(10)", "N'0123456789'", "N'0123456789 '"),
    ("VARCHAR(50)", "VARCHAR(3)", "'abc'", "'abcd'"),
    ("VARBINARY(MAX)", "VARBINARY(4)", "0x00010203", "0x0001020304"),
])
def test_a_destination_narrower_than_the_data(pair, source, dest, fits,
                                              too_long):
    """The row is named, and nothing is loaded; nor is it when all would fit,
    for the next row may not."""
    pair.on_source(f"CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v {source})")
    pair.on_dest(f"CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v {dest})")
    pair.on_source(f"INSERT INTO t VALUES (3, {fits}), (7, {too_long}), "
                   f"(9, {too_long}), (10, NULL)")
    bad = pair.add_mapping("t", cdc=0)
    pair.start()
    kind, message, _ = one_row(pair, bad)
    assert kind == "SCHEMA" and "'v'" in message
    assert "row with key 7 is" in message
    assert pair.on_dest("SELECT * FROM t") == []
    is_healthy(pair)
    pair.on_dest(f"ALTER TABLE t ALTER COLUMN v {source}")
    pair.wait_equal("t")
    dataflow.wait_for(lambda: not pair.errors(bad))


def test_a_change_that_does_not_fit(pair):
    """Likewise among changes: none of its window is there before it fits."""
    pair.on_source("CREATE TABLE t (a INT NOT NULL, b NVARCHAR(9) NOT NULL, "
                   "v NVARCHAR(20) NULL, PRIMARY KEY (a, b))")
    pair.on_dest("CREATE TABLE t (a INT NOT NULL, b NVARCHAR(9) NOT NULL, "
                 "v VARCHAR(20) NULL, PRIMARY KEY (a, b))")
    pair.on_source("INSERT INTO t VALUES (1, N'x', N'old')")
    pair.enable_cdc("t")
    bad = pair.add_mapping("t")
    pair.start()
    pair.wait_equal("t")
    pair.on_source("BEGIN TRANSACTION; UPDATE t SET v = N'new'; INSERT INTO t "
                   "VALUES (2, N'y', N'плохо'); COMMIT")
    kind, message, _ = one_row(pair, bad)
    assert kind == "SYNC" and "'v'" in message
    assert "row with key 2, y" in message and "full sync" in message
    assert pair.on_dest("SELECT * FROM t") == [(1, "x", "old")]
    is_healthy(pair)
    pair.on_source("UPDATE t SET v = N'better' WHERE a = 2")
    pair.request(bad, "FULL_SYNC")
    pair.wait_equal("t")
    dataflow.wait_for(lambda: not pair.errors(bad))


def reader(pair, *rights):
    """A login that may enter the source database and do what `rights` say;
    its server_id."""
    name = f"reader_{pair.src_db}"
    pair.on_source(
        f"CREATE LOGIN {name} WITH PASSWORD = N'Reader-pass-1', "
        "CHECK_POLICY = OFF")
    pair.on_source(f"CREATE USER {name} FOR LOGIN {name}")
    for right in rights:
        pair.on_source(f"GRANT {right} TO {name}")
    text = pair.connection_string() \
        .replace(f"user id={pair.source.user}", f"user id={name}") \
        .replace(pair.source.password, "Reader-pass-1") \
        .replace("database=master;", "")
    return pair.add_server(name, text)


def test_no_right_to_read_the_table(pair):
    pair.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    bad = pair.add_mapping("t", cdc=0, server_id=reader(pair))
    pair.start()
    kind, message, _ = one_row(pair, bad)
    assert f"{pair.src_db}.dbo.t" in message and "SELECT" in message
    is_healthy(pair)
    pair.on_source(f"GRANT SELECT ON dbo.t TO reader_{pair.src_db}")
    pair.wait_equal("t")
    dataflow.wait_for(lambda: not pair.errors(bad))


def test_no_right_to_read_the_changes(pair):
    pair.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    pair.enable_cdc("t")
    bad = pair.add_mapping("t", server_id=reader(pair, "SELECT ON dbo.t"))
    pair.start()
    kind, message, _ = one_row(pair, bad)
    assert f"{pair.src_db}.dbo.t" in message and "cdc" in message
    is_healthy(pair)
    pair.on_source(f"GRANT SELECT ON SCHEMA::cdc TO reader_{pair.src_db}")
    pair.on_source("INSERT INTO t VALUES (1)")
    pair.wait_equal("t")
    dataflow.wait_for(lambda: not pair.errors(bad))


def test_no_right_to_write(pair):
    """A target server whose login may only look."""
    name = f"looker_{pair.dst_db}"
    pair.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    pair.on_source("INSERT INTO t VALUES (1)")
    pair.on_dest("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    pair.on_dest(f"CREATE LOGIN {name} WITH PASSWORD = N'Looker-pass-1', "
                 "CHECK_POLICY = OFF")
    pair.on_dest(f"CREATE USER {name} FOR LOGIN {name}; "
                 f"GRANT SELECT ON dbo.t TO {name}")
    pair.control("INSERT INTO target_servers (target_name, "
                 "connection_string) VALUES (N'looker', N'server="
                 f"{pair.dest.address};user id={name};"
                 "password=Looker-pass-1;encrypt=disable')")
    bad = pair.add_mapping("t", cdc=0, target_id=1)
    pair.start()
    kind, message, _ = one_row(pair, bad)
    assert pair.dst_db in message and "permission" in message.lower()
    assert pair.on_dest("SELECT * FROM t") == []
    is_healthy(pair)
    pair.on_dest(f"ALTER ROLE db_owner ADD MEMBER {name}")
    pair.wait_equal("t")
    dataflow.wait_for(lambda: not pair.errors(bad))


def test_destination_dropped_while_it_runs(pair):
    pair.start()
    pair.wait_equal("good")
    pair.on_dest("DROP TABLE good")
    pair.on_source("INSERT INTO good VALUES (50, 50)")
    pair.wait_equal("good")


def test_what_is_ours_is_dropped_while_it_runs(pair):
    """As when the destination is restored from a copy that has no such."""
    pair.start()
    pair.wait_equal("good")
    for table in ("checkpoints", "loads", "load_parts", "exceptions"):
        pair.on_dest(f"DROP TABLE dataflow.{table}")
    pair.on_dest("DROP SCHEMA dataflow; DELETE FROM good")
    pair.on_source("INSERT INTO good VALUES (50, 50)")
    pair.wait_equal("good")
    is_healthy(pair)


def test_json_log(world):
    import json
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    world.on_source("INSERT INTO t VALUES (1)")
    mapping = world.add_mapping("t", cdc=0)
    daemon = world.start("--log-format", "json", "--log-level", "debug")
    world.wait_equal("t")
    dataflow.wait_for(lambda: world.state(mapping) == "IDLE")
    daemon.stop()
    lines = [json.loads(line) for line in daemon.log().splitlines()]
    assert all({"time", "level", "message"} <= set(line) for line in lines)
    about = [line for line in lines if line.get("mapping_id") == mapping]
    assert any("run" in line for line in about)
    assert all(line["mapping"].endswith(".dbo.t") for line in about)
