"""`dbaops-dataflow check`: each thing that it looks at, provoked once."""
import json
import os
import signal
import socket
import subprocess
import time

import pytest

from support import dataflow

OK, FAIL, WARN = 0, 1, 7


class Result:
    def __init__(self, done):
        self.code, self.stderr = done.returncode, done.stderr
        self.findings = json.loads(done.stdout) if done.stdout else []

    def of(self, check, level=None, subject=""):
        return [f for f in self.findings if f["check"] == check and
                subject in f["subject"] and level in (None, f["level"])]

    def bad(self):
        return [f for f in self.findings if f["level"] != "OK"]

    def __str__(self):
        return self.stderr + "\n".join(
            f"{f['level']} {f['subject']} {f['check']}: {f['finding']} -> "
            f"{f['remedy']}" for f in self.findings)

    def expect(self, level, check, text, remedy="", subject=""):
        """One such finding; it has its remedy."""
        found = [f for f in self.of(check, level, subject)
                 if text in f["finding"]]
        assert len(found) == 1, f"{level} {check} {text}: {self}"
        assert found[0]["remedy"] and remedy in found[0]["remedy"], found
        return found[0]


def check(world, *arguments, **environment):
    return Result(dataflow.run("check", "--json", *arguments,
                               env=world.environment(**environment),
                               timeout=120))


def fill(world, table="t", columns="id INT NOT NULL PRIMARY KEY, v INT",
         cdc=1, **mapping):
    """A table on the source, captured if `cdc`, and its mapping."""
    world.on_source(f"CREATE TABLE {table} ({columns})")
    if cdc:
        world.enable_cdc(table)
    return world.add_mapping(table, cdc=cdc, **mapping)


def allow_snapshots(world):
    world.on_source(f"ALTER DATABASE {world.src_db} SET "
                    "ALLOW_SNAPSHOT_ISOLATION ON")


@pytest.fixture
def option(world):
    """Switches of the two stand-ins, put back afterwards."""
    used = []

    def switch(server, name, value):
        server.query(f"EXEC sys.sp_tdsd_option '{name}', {value}")
        used.append((server, name))
    yield switch
    for server, name in used:
        server.query(f"EXEC sys.sp_tdsd_option '{name}', 0")


def wait_for_scan(world):
    dataflow.wait_for(lambda: world.on_source(
        "SELECT COUNT(*) FROM sys.dm_cdc_log_scan_sessions "
        "WHERE session_id <> 0")[0][0])


def test_all_is_well(world):
    fill(world)
    allow_snapshots(world)
    wait_for_scan(world)
    result = check(world)
    assert result.code == OK and not result.bad(), result.findings
    checks = {f["check"] for f in result.findings}
    assert {"connection", "version", "rights", "config", "agent", "retention",
            "capture", "key", "schema", "space", "row", "snapshot"} <= checks
    assert all(f["remedy"] is None for f in result.findings)
    # Looking changes nothing.
    assert world.on_dest("SELECT COUNT(*) FROM sys.tables") == [(0,)]
    assert world.on_dest("SELECT SCHEMA_ID(N'dataflow')") == [(None,)]


def test_the_table_for_people(world):
    mapping = fill(world, columns="id INT NOT NULL, v INT")
    allow_snapshots(world)
    wait_for_scan(world)
    done = dataflow.run("check", env=world.environment())
    assert done.returncode == FAIL and not done.stderr
    lines = done.stdout.splitlines()
    at = [i for i, line in enumerate(lines) if line.startswith("FAIL ")]
    assert len(at) == 1 and f"mapping {mapping}" in lines[at[0]]
    assert lines[at[0] + 1].startswith("      -> ALTER TABLE")
    assert lines[-1].endswith("1 FAIL") and "\033" not in done.stdout
    # All is well in a line of its own for one mapping.
    whole = dataflow.run("check", str(mapping), env=world.environment()).stdout
    assert len(whole.splitlines()) > len(lines)
    assert "captured changes are kept for 72 hours" in whole


# ------------------------------------------------------------------- servers

def test_wrong_password(world):
    fill(world)
    text = world.connection_string().replace(world.source.password, "WRONG")
    world.add_server("locked", text)
    result = check(world)
    assert result.code == FAIL
    found = result.expect("FAIL", "connection", "Login failed", "password",
                          "source 'locked'")
    assert "WRONG" not in json.dumps(found)
    assert result.of("key", "OK")           # the others went on


@pytest.fixture
def black_hole():
    """A port that takes connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        yield server.getsockname()[1]


def test_servers_away(world, black_hole):
    """Told once for each server, however many mappings it has."""
    fill(world)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = probe.getsockname()[1]
    for name, port in (("closed", closed), ("silent", black_hole)):
        server_id = world.add_server(name, f"server=127.0.0.1,{port};"
                                     "user id=x;password=SECRET;"
                                     "encrypt=disable;connect timeout=2")
        for i in range(20):
            world.add_mapping(f"{name}{i}", server_id=server_id)
    began = time.monotonic()
    result = check(world)
    assert time.monotonic() - began < 20 * dataflow.slowness()
    assert result.code == FAIL
    result.expect("FAIL", "connection", "cannot connect", "firewall",
                  "source 'closed'")
    result.expect("FAIL", "connection", "no answer within 2 s", "",
                  "source 'silent'")
    assert len(result.of("connection", "FAIL", "mapping")) == 40
    assert result.of("key", "OK", "mapping 1 ")
    assert "SECRET" not in json.dumps(result.findings)


def test_interrupted(world, black_hole):
    world.add_server("silent", f"server=127.0.0.1,{black_hole};user id=x;"
                     "password=x;encrypt=disable;connect timeout=3")
    process = subprocess.Popen(
        [dataflow.program(), "check"],
        env=dataflow.clean_environment(world.environment()),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 1 and "interrupted" in stderr
    assert time.monotonic() - began < 6 * dataflow.slowness()


def test_missing_databases(world):
    fill(world)
    world.add_mapping("t", dest_table="t2", source_database="nowhere")
    world.add_mapping("t", dest_table="t3", dest_database="nothing")
    result = check(world)
    result.expect("FAIL", "connection", "nowhere", "create that database")
    result.expect("FAIL", "connection", "nothing", "create that database")
    assert len(result.of("schema", "OK")) == 1


@pytest.mark.parametrize("string, text", [
    ("server=", "server"), ("nonsense", "key=value"),
    ("server=h;user id=u;password=SECRET;encrypt=maybe", "encrypt")])
def test_bad_connection_strings(world, string, text):
    world.add_server("odd", string)
    result = check(world, "odd")
    found = result.of("connection", "FAIL", "source 'odd'")
    assert len(found) == 1 and text in found[0]["finding"]
    assert "SECRET" not in json.dumps(result.findings)


# ---------------------------------------------------------- change capture

def test_capture_is_off(world):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    mapping = world.add_mapping("t")
    result = check(world)
    result.expect("FAIL", "capture", "not enabled in database",
                  "sp_cdc_enable_db", "source")
    result.expect("FAIL", "capture", "not enabled in source database",
                  "sp_cdc_enable_db", "mapping")
    world.on_source("EXEC sys.sp_cdc_enable_db")
    result = check(world, str(mapping))
    assert not result.of("capture", "FAIL", "source")
    result.expect("FAIL", "capture", "not enabled for source table",
                  "EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', "
                  "@source_name = N't', @role_name = NULL", "mapping")


@pytest.mark.standin
def test_agent_is_stopped(world, option):
    fill(world)
    wait_for_scan(world)
    option(world.source, "agent_stopped", 1)
    result = check(world)
    assert result.code == FAIL
    result.expect("FAIL", "agent", "SQL Server Agent is not running",
                  "start the service")


def test_a_column_came_later(world):
    fill(world)
    world.on_source("ALTER TABLE t ADD w INT NULL")
    check(world).expect("FAIL", "capture", "lacks the column 'w'",
                        "@capture_instance = N'dbo_t_2'")


def test_a_column_came_back(world):
    """Of its name: the instance knows one that is gone."""
    fill(world)
    world.on_source("ALTER TABLE t DROP COLUMN v; ALTER TABLE t ADD v INT")
    check(world).expect("FAIL", "capture", "lacks the column 'v'",
                        "@capture_instance = N'dbo_t_2'")


def test_retention(world):
    mapping = fill(world)
    world.on_source("EXEC sys.sp_cdc_change_job @job_type = N'cleanup', "
                    "@retention = 60")
    check(world).expect("WARN", "retention", "60 minutes only",
                        "sp_cdc_change_job", "source")

    def lag(seconds):
        world.control("DELETE FROM mapping_state")
        world.control("INSERT INTO mapping_state (mapping_id, state, "
                      f"lag_seconds) VALUES ({mapping}, N'CDC', {seconds})")
        return check(world)
    assert lag(5).of("retention", "OK", "mapping")
    lag(2400).expect("WARN", "retention", "40 minutes behind", "",
                     "mapping")
    lag(4000).expect("FAIL", "retention", "kept for 60 minutes", "sync",
                     "mapping")


def test_partitions_that_are_switched(world):
    if not world.source.is_standin:
        pytest.skip("a real server wants the scheme")
    fill(world, columns="id INT NOT NULL, PRIMARY KEY (id) ON scheme (id)")
    fill(world, "u", columns="id INT NOT NULL, PRIMARY KEY (id) ON "
         "scheme (id)", cdc=0)
    world.on_source("EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', "
                    "@source_name = N'u', @role_name = NULL, "
                    "@allow_partition_switch = 0")
    world.control("UPDATE table_mappings SET cdc_enabled = 1")
    fill(world, "v")
    check(world).expect("WARN", "capture", "'dbo_t' does not see",
                        "@allow_partition_switch = 0")


@pytest.mark.parametrize("how", ["index", "constraint"])
def test_rows_that_vanish_without_an_error(world, how):
    """Under IGNORE_DUP_KEY, which is refused until it is gone."""
    mapping = fill(world)
    world.on_source("INSERT INTO t VALUES (1, 5), (2, 6)")
    world.on_dest(
        "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v INT); " +
        ("CREATE UNIQUE INDEX u ON t (v) WITH (IGNORE_DUP_KEY = ON)"
         if how == "index" else
         "ALTER TABLE t ADD CONSTRAINT u UNIQUE (v) "
         "WITH (IGNORE_DUP_KEY = ON)"))
    remedy = ("ALTER INDEX [u] ON [dbo].[t] SET (IGNORE_DUP_KEY = OFF)"
              if how == "index" else "add it without")
    check(world).expect("FAIL", "table", "[u] with IGNORE_DUP_KEY", remedy)
    world.start()
    dataflow.wait_for(lambda: world.errors(mapping))
    kind, message, _ = world.errors(mapping)[0]
    assert kind == "SCHEMA" and remedy in message
    world.on_dest(remedy if how == "index" else
                  "ALTER TABLE t DROP CONSTRAINT u")
    world.wait_equal("t", timeout=60)


def test_large_values(world):
    """SQL Server's default is a limit, of 64 KB."""
    fill(world, columns="id INT NOT NULL PRIMARY KEY, v NVARCHAR(MAX)")
    fill(world, "small", columns="id INT NOT NULL PRIMARY KEY, v NVARCHAR(9)")
    result = check(world)
    result.expect("WARN", "large values", "65536 bytes into column 'v'",
                  "EXEC sp_configure 'max text repl size', -1")
    world.allow_large_values()
    assert len(check(world).of("large values", "OK")) == 1


def test_collation(world):
    fill(world, columns="id INT NOT NULL PRIMARY KEY, "
         "a VARCHAR(9) COLLATE Cyrillic_General_CI_AS, "
         "b NVARCHAR(9) COLLATE Cyrillic_General_CI_AS, c VARCHAR(9)")
    found = check(world).expect("WARN", "collation", "'a' (Cyrillic",
                                "nvarchar")
    assert "'b'" not in found["finding"] and "'c'" not in found["finding"]


def test_change_tracking(world):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    world.add_mapping("t", change_source="change_tracking")
    result = check(world)
    result.expect("FAIL", "changes", "not enabled", "SET CHANGE_TRACKING = ON")
    result.expect("WARN", "snapshot", "without snapshot isolation",
                  "ALLOW_SNAPSHOT_ISOLATION ON")
    world.on_source(f"ALTER DATABASE {world.src_db} SET CHANGE_TRACKING = ON "
                    "(CHANGE_RETENTION = 2 HOURS, AUTO_CLEANUP = ON)")
    world.on_source("ALTER TABLE t ENABLE CHANGE_TRACKING")
    result = check(world)
    result.expect("FAIL", "changes", "under snapshot isolation",
                  "ALLOW_SNAPSHOT_ISOLATION ON")
    result.expect("WARN", "retention", "120 minutes only",
                  "CHANGE_RETENTION = 3 DAYS")
    allow_snapshots(world)
    result = check(world)
    assert result.code == WARN and result.of("changes", "OK")
    world.on_source(f"ALTER DATABASE {world.src_db} SET CHANGE_TRACKING "
                    "(CHANGE_RETENTION = 3 DAYS)")
    result = check(world)
    assert result.code == OK, result.bad()


# ---------------------------------------------------------------- the tables

def test_keys(world):
    fill(world, "heap", "id INT NOT NULL, v INT", cdc=0)
    fill(world, "follow", "id INT NOT NULL, v INT")
    fill(world, "named", "id INT NOT NULL PRIMARY KEY, v INT",
         primary_key_column="nope")
    fill(world, "loose", "id INT NOT NULL PRIMARY KEY, v INT NOT NULL",
         primary_key_column="v")
    fill(world, "whole", "id INT NOT NULL PRIMARY KEY, v INT NOT NULL", cdc=0,
         primary_key_column="v")
    result = check(world)
    result.expect("WARN", "key", "no key", "ADD PRIMARY KEY", ".heap)")
    result.expect("FAIL", "key", "no key", "cdc_enabled = 0", ".follow)")
    result.expect("FAIL", "key", "nope", "primary_key_column", ".named)")
    result.expect("FAIL", "key", "two rows could have the same key", "",
                  ".loose)")
    result.expect("WARN", "key", "two rows could have the same key", "",
                  ".whole)")


def test_tables_that_are_not_there(world):
    world.add_mapping("gone", cdc=0)
    fill(world, cdc=0)
    world.config(create_missing_tables=0)
    result = check(world)
    result.expect("FAIL", "table", "does not exist", "", ".gone)")
    result.expect("FAIL", "schema", "does not exist", "create it", ".t)")


def test_schemas_differ(world):
    """Each difference is a finding of its own."""
    fill(world, columns="id INT NOT NULL PRIMARY KEY, a BIGINT, b INT, "
         "c VARCHAR(20) NULL, d SQL_VARIANT NULL", cdc=0)
    world.on_dest("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT, "
                  "c VARCHAR(20) NOT NULL, d SQL_VARIANT NULL, "
                  "e INT NOT NULL)")
    result = check(world)
    for text in ("'a' is bigint", "'b' (int) is missing",
                 "'c' may be NULL", "'d' has type sql_variant",
                 "'e' (int) is in the destination only"):
        result.expect("FAIL", "schema", text)
    assert len(result.of("schema")) == 5


def test_types_with_loss(world):
    fill(world, columns="id INT NOT NULL PRIMARY KEY, a NVARCHAR(9), "
         "b VARCHAR(9) COLLATE Cyrillic_General_CI_AS, c VARCHAR(9), "
         "d NVARCHAR(9)", cdc=0)
    world.on_dest("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                  "a VARCHAR(9), b VARCHAR(9), c VARCHAR(9), d NVARCHAR(9))")
    found = check(world).expect("WARN", "types", "'a' (nvarchar", "nvarchar")
    assert "'b'" in found["finding"]
    assert "'c'" not in found["finding"] and "'d'" not in found["finding"]


def test_trigger_column(world):
    fill(world, cdc=0, full_sync_trigger_column="nope")
    check(world).expect("FAIL", "trigger column", "no column 'nope'",
                        "full_sync_trigger_column")


# ------------------------------------------------------- rights and space

@pytest.fixture
def guest(world):
    """A login that may enter both databases and nothing else."""
    name = f"guest_{world.src_db}"
    for server, database in ((world.source, world.src_db),
                             (world.dest, world.dst_db)):
        server.query(f"CREATE LOGIN {name} WITH PASSWORD = 'Guest-pass-1', "
                     "CHECK_POLICY = OFF")
        server.query(f"CREATE USER {name} FOR LOGIN {name}", database)
        if server is world.dest and world.dest is world.source:
            break
    yield name


def as_guest(server, guest):
    return (f"server={server.address};user id={guest};"
            "password=Guest-pass-1;encrypt=disable")


def test_rights_on_the_source(world, guest):
    world.server_id = world.add_server("poor", as_guest(world.source, guest))
    mapping = fill(world, columns="id INT NOT NULL PRIMARY KEY, flag BIT",
                   full_sync_trigger_column="flag")
    wait_for_scan(world)
    world.on_source(f"GRANT SELECT ON t TO {guest}")
    result = check(world, str(mapping))
    assert result.code == FAIL
    result.expect("FAIL", "rights", "may not reset",
                  f"GRANT UPDATE ([flag]) ON [dbo].[t] TO [{guest}]")
    result.expect("WARN", "agent", "cannot tell", "VIEW DATABASE STATE")
    assert result.of("capture", "FAIL", "mapping"), result.findings
    world.on_source(f"GRANT UPDATE ON t TO {guest}")
    world.on_source(f"GRANT SELECT ON SCHEMA::cdc TO {guest}")
    world.on_source(f"GRANT VIEW DATABASE STATE TO {guest}")
    result = check(world, str(mapping))
    assert not result.of("rights", "FAIL") and result.of("agent", "OK")
    assert result.of("capture", "OK", "mapping"), result.findings
    world.on_source(f"DENY SELECT ON t TO {guest}")
    result = check(world, str(mapping))
    assert result.of("rights", "FAIL", "mapping") or \
        result.of("table", "FAIL", "mapping")


def test_rights_on_the_destination(world, guest):
    text = as_guest(world.dest, guest)
    world.control("INSERT INTO target_servers (target_name, "
                  f"connection_string) VALUES (N'poor', N'{text}')")
    target = world.control("SELECT MAX(target_id) FROM target_servers")[0][0]
    mapping = fill(world, cdc=0, target_id=target)
    result = check(world, "poor")
    result.expect("FAIL", "rights", "lacks CREATE TABLE, CREATE SCHEMA",
                  f"GRANT CREATE TABLE, CREATE SCHEMA TO [{guest}]",
                  "target 'poor'")
    result.expect("FAIL", "rights", "may not make table [dbo].[t]",
                  f"GRANT ALTER ON SCHEMA::[dbo] TO [{guest}]", "mapping")
    result.expect("WARN", "space", "cannot tell", "VIEW SERVER STATE",
                  "target 'poor'")
    world.on_dest("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v INT)")
    world.on_dest(f"GRANT SELECT, INSERT ON t TO {guest}")
    result = check(world, str(mapping))
    result.expect("FAIL", "rights", "lacks UPDATE, DELETE",
                  f"GRANT UPDATE, DELETE ON [dbo].[t] TO [{guest}]")
    world.on_dest(f"GRANT CREATE TABLE, CREATE SCHEMA TO {guest}")
    world.on_dest(f"GRANT UPDATE, DELETE ON t TO {guest}")
    result = check(world, str(mapping))
    assert not result.of("rights", "FAIL"), result.bad()
    result.expect("WARN", "rights", "without ALTER",
                  f"GRANT ALTER ON [dbo].[t] TO [{guest}]")
    world.on_dest("ALTER TABLE t ADD n INT IDENTITY NOT NULL")
    check(world, str(mapping)).expect("FAIL", "rights", "lacks ALTER",
                                      "least-privilege-destination.sql")
    world.on_dest("ALTER TABLE t DROP COLUMN n")
    world.on_dest(f"GRANT ALTER ON t TO {guest}")
    assert not check(world, str(mapping)).of("rights", "WARN")
    world.on_dest("CREATE SCHEMA dataflow")
    check(world, str(mapping)).expect(
        "FAIL", "rights", "schema dataflow", "ON SCHEMA::dataflow")


def test_rights_on_the_control_tables(world, guest):
    world.dest.query(f"CREATE USER {guest} FOR LOGIN {guest}",
                     world.control_db)
    world.control(f"ALTER ROLE db_datareader ADD MEMBER {guest}")
    result = check(world, DEST_USER=guest, DEST_PASS="Guest-pass-1")
    assert result.code == FAIL
    result.expect("FAIL", "rights", "INSERT permission was denied", "",
                  "control tables")


def test_read_only_databases(world):
    fill(world, cdc=0)
    world.dest.query(f"ALTER DATABASE {world.dst_db} SET READ_ONLY")
    try:
        check(world).expect("FAIL", "rights", "is read-only",
                            "SET READ_WRITE")
    finally:
        world.dest.query(f"ALTER DATABASE {world.dst_db} SET READ_WRITE")
    fill(world, "u", "id INT NOT NULL PRIMARY KEY, f BIT", cdc=0,
         full_sync_trigger_column="f")
    world.source.query(f"ALTER DATABASE {world.src_db} SET READ_ONLY")
    try:
        check(world).expect("FAIL", "rights", "cannot be reset",
                            "sync_requests")
    finally:
        world.source.query(f"ALTER DATABASE {world.src_db} SET READ_WRITE")


@pytest.mark.standin
def test_space(world, option):
    fill(world, cdc=0)
    world.on_source("WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n "
                    "WHERE i < 30000) INSERT INTO t SELECT i, i FROM n "
                    "OPTION (MAXRECURSION 0)")
    option(world.dest, "free_mb", 1)
    result = check(world)
    result.expect("WARN", "space", "only 1.0 MB are free", "make room",
                  "control tables' server")
    result.expect("FAIL", "space", "a load takes about", "make room",
                  "mapping")
    option(world.dest, "free_mb", 4096)
    assert not check(world).of("space", "FAIL")


# ------------------------------------------------------ the control tables

def test_rows_that_make_no_sense(world):
    fill(world, cdc=0)
    world.add_mapping("t", cdc=0)                       # the same destination
    world.add_mapping("t", "t3", change_source="magic")
    result = check(world)
    assert result.code == FAIL
    result.expect("FAIL", "row", "that of mapping 1 too", "disable", "2 (")
    result.expect("FAIL", "row", "magic", "", "mapping 3")


def test_what_is_switched_off(world):
    one = fill(world, cdc=0)
    two = fill(world, "u", cdc=0, is_enabled=0)
    world.control("UPDATE table_mappings SET is_paused = 1 "
                  f"WHERE mapping_id = {one}")
    result = check(world)
    result.expect("WARN", "row", "paused", f"resume {one}")
    assert not result.of("row", subject=f"mapping {two}")
    check(world, str(two)).expect("WARN", "row", "switched off",
                                  "is_enabled")
    world.control("UPDATE table_mappings SET is_paused = 0, "
                  "is_suspended = 1, suspended_reason = N'too many rows' "
                  f"WHERE mapping_id = {one}")
    check(world).expect("WARN", "row", "too many rows", f"resume {one}")


def test_config(world):
    world.config(batch_size="many")
    result = check(world)
    assert result.code == FAIL
    result.expect("FAIL", "config", "batch_size", "config", "control tables")


def test_no_control_tables(bare_world):
    for environment, code, text in (
            ({"DEST_DATABASE": "nowhere"}, 5, "does not exist"),
            ({"DEST_DATABASE": bare_world.dst_db}, 6, "missing"),
            ({"DEST_PASS": "WRONG"}, 4, "Login failed"),
            ({"DEST_SERVER": "nowhere.invalid"}, 3, "unknown host")):
        result = check(bare_world, **environment)
        assert result.code == code, result.stderr
        result.expect("FAIL", "connection", text, "", "control tables")


def test_control_tables_in_a_file(world, tmp_path):
    file = tmp_path / "c.db"
    env = {"DATAFLOW_CONTROL": f"sqlite:{file}"}
    assert dataflow.run("init", env=env).returncode == 0
    result = Result(dataflow.run("check", "--json", env=env))
    assert result.code == OK and len(result.findings) == 2
    if os.getuid():             # root may write everywhere
        file.chmod(0o400)
        result = Result(dataflow.run("check", "--json", env=env))
        result.expect("FAIL", "rights", "readonly")


# ------------------------------------------------------------- its argument

def test_one_mapping_one_server(world):
    one = fill(world, cdc=0)
    other = world.add_server("other")
    two = fill(world, "u", cdc=0, server_id=other)

    def subjects(*arguments):
        return {f["subject"].split(" (")[0]
                for f in check(world, *arguments).findings}
    assert f"mapping {one}" in subjects(str(one))
    assert f"mapping {two}" not in subjects(str(one))
    assert "source 'other'" not in subjects(str(one))
    assert {"source 'other'", f"mapping {two}"} <= subjects("OTHER")
    assert f"mapping {one}" not in subjects("other")
    for wrong in ("99", "nobody", "0", "-1"):
        done = dataflow.run("check", "--", wrong, env=world.environment())
        assert done.returncode == 2 and f"'{wrong}'" in done.stderr
        assert done.stderr.count("\n") == 1
