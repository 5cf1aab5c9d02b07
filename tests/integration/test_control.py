"""The control tables: made by script or by init, upgraded, cleaned up."""
import os
import re
import sqlite3
import subprocess
import time

import pytest

from support import dataflow

TOP = dataflow.TOP

PUBLISHED = """
CREATE TABLE source_servers (server_id INT IDENTITY(1,1) PRIMARY KEY, server_name NVARCHAR(255) NOT NULL UNIQUE, connection_string NVARCHAR(1000) NOT NULL, is_enabled BIT NOT NULL DEFAULT 1, created_at DATETIME2 NOT NULL DEFAULT GETUTCDATE(), updated_at DATETIME2 NOT NULL DEFAULT GETUTCDATE(), last_connected_at DATETIME2 NULL, notes NVARCHAR(MAX) NULL);
CREATE TABLE table_mappings (mapping_id INT IDENTITY(1,1) PRIMARY KEY, server_id INT NOT NULL, source_database NVARCHAR(255) NOT NULL, source_schema NVARCHAR(255) NOT NULL DEFAULT 'dbo', source_table NVARCHAR(255) NOT NULL, dest_database NVARCHAR(255) NOT NULL, dest_schema NVARCHAR(255) NOT NULL DEFAULT 'dbo', dest_table NVARCHAR(255) NOT NULL, primary_key_column NVARCHAR(255) NOT NULL, full_sync_trigger_column NVARCHAR(255) NULL, is_enabled BIT NOT NULL DEFAULT 1, cdc_enabled BIT NOT NULL DEFAULT 0, last_cdc_lsn BINARY(10) NULL, last_full_sync_at DATETIME2 NULL, created_at DATETIME2 NOT NULL DEFAULT GETUTCDATE(), updated_at DATETIME2 NOT NULL DEFAULT GETUTCDATE(), FOREIGN KEY (server_id) REFERENCES source_servers(server_id) ON DELETE CASCADE, UNIQUE(server_id, source_database, source_schema, source_table));
CREATE TABLE sync_status (status_id INT IDENTITY(1,1) PRIMARY KEY, mapping_id INT NOT NULL, sync_type NVARCHAR(50) NOT NULL, status NVARCHAR(50) NOT NULL, records_processed BIGINT NOT NULL DEFAULT 0, records_failed BIGINT NOT NULL DEFAULT 0, started_at DATETIME2 NOT NULL, completed_at DATETIME2 NULL, error_message NVARCHAR(MAX) NULL, last_processed_pk NVARCHAR(500) NULL, FOREIGN KEY (mapping_id) REFERENCES table_mappings(mapping_id) ON DELETE CASCADE);
CREATE TABLE sync_logs (log_id BIGINT IDENTITY(1,1) PRIMARY KEY, mapping_id INT NOT NULL, log_level NVARCHAR(20) NOT NULL, log_message NVARCHAR(MAX) NOT NULL, sync_type NVARCHAR(50) NULL, records_count BIGINT NULL, execution_time_ms INT NULL, created_at DATETIME2 NOT NULL DEFAULT GETUTCDATE());
CREATE TABLE error_logs (error_id BIGINT IDENTITY(1,1) PRIMARY KEY, mapping_id INT NULL, server_id INT NULL, error_type NVARCHAR(50) NOT NULL, error_message NVARCHAR(MAX) NOT NULL, error_details NVARCHAR(MAX) NULL, stack_trace NVARCHAR(MAX) NULL, retry_count INT NOT NULL DEFAULT 0, is_resolved BIT NOT NULL DEFAULT 0, created_at DATETIME2 NOT NULL DEFAULT GETUTCDATE(), resolved_at DATETIME2 NULL);
CREATE TABLE verification_logs (verification_id BIGINT IDENTITY(1,1) PRIMARY KEY, mapping_id INT NOT NULL, verification_type NVARCHAR(50) NOT NULL, source_md5 NVARCHAR(32) NULL, dest_md5 NVARCHAR(32) NULL, source_row_count BIGINT NULL, dest_row_count BIGINT NULL, records_compared BIGINT NOT NULL DEFAULT 0, mismatches_found BIGINT NOT NULL DEFAULT 0, verification_status NVARCHAR(50) NOT NULL, verification_details NVARCHAR(MAX) NULL, verified_at DATETIME2 NOT NULL DEFAULT GETUTCDATE());
"""


def tsql(world, script):
    """Run a script as a DBA does; fails on any message of severity 11 up."""
    host, port = world.dest.address.split(",")
    done = subprocess.run(
        ["tsql", "-H", host, "-p", port, "-U", world.dest.user, "-P",
         world.dest.password], input=script + "\nEXIT\n", text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        env=dict(os.environ, TDSVER="7.4"))
    assert not re.search(r"Msg \d+ \(severity 1[1-9]", done.stdout), \
        done.stdout
    return done.stdout


def scripts(database):
    """schema-dataflow.sql, views and procedures, for a database of that
    name."""
    text = open(f"{TOP}/schema-dataflow.sql", encoding="utf-8").read()
    for folder in ("views", "procedures"):
        for name in sorted(os.listdir(f"{TOP}/{folder}")):
            if name.endswith(".sql"):
                text += open(f"{TOP}/{folder}/{name}",
                             encoding="utf-8").read()
    return text.replace("dbaops_dataflow", database)


def shape(world):
    """Every column of every table and view, with type and nullability."""
    return world.control(
        "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, CHARACTER_MAXIMUM_LENGTH, "
        "IS_NULLABLE FROM INFORMATION_SCHEMA.COLUMNS "
        "ORDER BY TABLE_NAME, COLUMN_NAME")


def test_script_and_init_make_the_same(bare_world):
    tsql(bare_world, scripts(bare_world.control_db))
    by_script = shape(bare_world)
    config = bare_world.control("SELECT config_key, config_value FROM config "
                                "ORDER BY config_key")
    first = bare_world.control_db
    bare_world.control_db = first + "_init"
    done = dataflow.run("init", env=bare_world.environment())
    assert done.returncode == 0 and "ready" in done.stdout
    assert shape(bare_world) == by_script
    assert bare_world.control("SELECT config_key, config_value FROM config "
                              "ORDER BY config_key") == config
    assert dict(config)["cdc_check_interval_seconds"] == "10"
    assert dict(config)["max_connections"] == "50"


def test_running_it_again_loses_nothing(world):
    world.add_mapping("t")
    world.config(batch_size=77)
    before = [world.control(f"SELECT * FROM {table}") for table in
              ("installation", "config", "source_servers", "table_mappings")]
    tsql(world, scripts(world.control_db))
    tsql(world, scripts(world.control_db))
    assert dataflow.run("init", env=world.environment()).returncode == 0
    after = [world.control(f"SELECT * FROM {table}") for table in
             ("installation", "config", "source_servers", "table_mappings")]
    assert before == after


def test_the_first_published_version_is_upgraded(bare_world):
    world = bare_world
    world.dest.query(f"CREATE DATABASE {world.control_db}", "master")
    world.control(PUBLISHED)
    world.control("CREATE INDEX ix_sync_status_mapping ON sync_status "
                  "(mapping_id, status, started_at DESC)")
    world.control("INSERT INTO source_servers (server_name, "
                  "connection_string) VALUES (N'old', N'server=x')")
    world.control("INSERT INTO table_mappings (server_id, source_database, "
                  "source_table, dest_database, dest_table, "
                  "primary_key_column) VALUES (1, N'S', N't', N'D', N't', "
                  "N'id')")
    world.control("INSERT INTO sync_status (mapping_id, sync_type, status, "
                  "started_at) VALUES (1, N'CDC', N'COMPLETED', "
                  "GETUTCDATE())")
    world.control("INSERT INTO sync_logs (mapping_id, log_level, log_message) "
                  "VALUES (1, N'INFO', N'kept')")
    tsql(world, scripts(world.control_db))
    assert world.control("SELECT server_name, server_type FROM "
                         "source_servers") == [("old", "sqlserver")]
    assert world.control("SELECT log_message FROM sync_logs") == [("kept",)]
    assert world.control("SELECT status FROM sync_status") == [("COMPLETED",)]
    assert world.control(
        "SELECT name FROM sys.indexes WHERE name LIKE N'ix_sync_status%' "
        "ORDER BY name") == [("ix_sync_status_completed",),
                             ("ix_sync_status_run",),
                             ("ix_sync_status_state",)]
    # Several destinations for one source table, and no key named.
    world.control("INSERT INTO table_mappings (server_id, source_database, "
                  "source_table, dest_database, dest_table) VALUES "
                  "(1, N'S', N't', N'D', N'other')")
    assert world.control("SELECT COUNT(*) FROM table_mappings") == [(2,)]
    upgraded = {r[:2] for r in shape(world)}
    world.control_db += "_new"
    assert dataflow.run("init", env=world.environment()).returncode == 0
    assert {r[:2] for r in shape(world)} <= upgraded
    world.control_db = world.control_db[:-4]
    daemon = world.start()
    dataflow.wait_for(lambda: world.errors(1))
    assert daemon.is_running()


def test_old_rows_are_removed(world):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    mapping = world.add_mapping("t", cdc=0)
    old = "DATEADD(DAY, -40, SYSUTCDATETIME())"
    world.control(f"INSERT INTO sync_logs (mapping_id, log_level, log_message,"
                  f" created_at) VALUES ({mapping}, N'INFO', N'old', {old}), "
                  f"({mapping}, N'INFO', N'new', SYSUTCDATETIME())")
    world.control("INSERT INTO sync_status (mapping_id, sync_type, status, "
                  f"started_at, completed_at) VALUES ({mapping}, N'CDC', "
                  f"N'COMPLETED', {old}, {old})")
    world.control("INSERT INTO error_logs (mapping_id, error_type, "
                  "error_message, is_resolved, created_at, resolved_at) "
                  f"VALUES ({mapping}, N'SYNC', N'old', 1, {old}, {old})")
    world.control("INSERT INTO error_logs (mapping_id, server_id, error_type, "
                  "error_message) VALUES (77, 1, N'SYNC', N'gone'), "
                  "(NULL, 77, N'CONNECTION', N'gone')")
    world.start()
    dataflow.wait_for(lambda: world.control(
        "SELECT log_message FROM sync_logs WHERE log_message IN "
        "(N'old', N'new')") == [("new",)], 90)
    # Open errors of what was deleted are over, and go in their time.
    assert world.control("SELECT error_message, is_resolved FROM error_logs") \
        == [("gone", True), ("gone", True)]


def test_views(world):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    mapping = world.add_mapping("t", cdc=0)
    world.control("INSERT INTO sync_status (mapping_id, sync_type, status, "
                  "records_processed, records_total, rows_per_second, "
                  f"started_at) VALUES ({mapping}, N'FULL_SYNC', N'RUNNING', "
                  "250, 1000, 50, DATEADD(SECOND, -5, SYSUTCDATETIME())), "
                  f"({mapping}, N'CDC', N'COMPLETED', 1, NULL, NULL, "
                  "SYSUTCDATETIME())")
    found = world.control(
        "SELECT server_name, source_table, dest_table, status, sync_type, "
        "records_processed, percent_done, seconds_left, duration_seconds "
        "FROM v_sync_summary")
    assert len(found) == 1
    assert found[0][:6] == ("source", "t", "t", "RUNNING", "FULL_SYNC", 250)
    assert float(found[0][6]) == 25.0 and found[0][7] == 15
    assert 5 <= found[0][8] <= 60
    world.control("INSERT INTO error_logs (mapping_id, error_type, "
                  f"error_message) VALUES ({mapping}, N'SYNC', N'one'), "
                  "(NULL, N'OTHER', N'two')")
    world.control("INSERT INTO error_logs (mapping_id, error_type, "
                  f"error_message, is_resolved) VALUES ({mapping}, N'SYNC', "
                  "N'over', 1)")
    found = world.control("SELECT server_name, source_table, error_type, "
                          "error_message, is_resolved FROM v_recent_errors "
                          "ORDER BY error_id")
    assert found == [("source", "t", "SYNC", "one", False),
                     (None, None, "OTHER", "two", False)]


# ------------------------------------------------------- the embedded store

@pytest.fixture
def embedded(bare_world):
    """Control tables in a file, edited with sqlite3."""
    file = bare_world.folder / "dataflow.db"

    def sql(statement):
        connection = sqlite3.connect(file, timeout=10)
        try:
            with connection:
                return connection.execute(statement).fetchall()
        finally:
            connection.close()
    bare_world.control = sql
    bare_world.environment = lambda **more: {"TMPDIR": str(bare_world.folder),
                                             **more}
    return bare_world


def test_sqlite_is_the_default(embedded):
    world = embedded
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v INT)")
    world.on_source("INSERT INTO t VALUES (1, 1)")
    world.enable_cdc("t")
    daemon = world.start()
    dataflow.wait_for(lambda: os.path.exists(world.folder / "dataflow.db"))
    dataflow.wait_for(lambda: "starts" in daemon.log())
    world.config(cdc_check_interval_seconds=1)
    daemon.stop()
    world.control(
        "INSERT INTO source_servers (server_name, connection_string) VALUES "
        f"('s', '{world.connection_string()}')")
    world.control(
        "INSERT INTO target_servers (target_name, connection_string) VALUES "
        f"('d', 'server={world.dest.address};user id={world.dest.user};"
        f"password={world.dest.password}')")
    world.control(
        "INSERT INTO table_mappings (server_id, source_database, "
        "source_table, target_id, dest_database, dest_table, cdc_enabled) "
        f"VALUES (1, '{world.src_db}', 't', 1, '{world.dst_db}', 't', 1), "
        f"(1, '{world.src_db}', 't', NULL, '{world.dst_db}', 't2', 1)")
    world.start()
    world.wait_equal("t")
    world.on_source("UPDATE t SET v = 2; INSERT INTO t VALUES (2, NULL)")
    world.wait_equal("t")
    dataflow.wait_for(lambda: world.control("SELECT 1 FROM error_logs"))
    found = world.control("SELECT mapping_id, error_message FROM error_logs")
    assert len(found) == 1 and found[0][0] == 2
    assert "target_servers" in found[0][1]
    dataflow.wait_for(lambda: world.control(
        "SELECT COUNT(*) FROM sync_status WHERE sync_type = 'CDC' "
        "AND status = 'COMPLETED'")[0][0] >= 1)
    lsn = world.control("SELECT last_cdc_lsn FROM table_mappings "
                        "WHERE mapping_id = 1")[0][0]
    assert len(lsn) == 10
    status = dataflow.run("status", cwd=str(world.folder),
                          env=world.environment())
    assert status.returncode == 0 and f"{world.src_db}.dbo.t" in status.stdout


def test_a_locked_file_stops_nothing(embedded):
    world = embedded
    dataflow.run("init", cwd=str(world.folder), env=world.environment())
    daemon = world.start()
    dataflow.wait_for(lambda: world.control("SELECT 1 FROM daemons"))
    connection = sqlite3.connect(world.folder / "dataflow.db")
    connection.execute("BEGIN IMMEDIATE")
    time.sleep(7)
    connection.rollback()
    connection.close()
    assert daemon.is_running()
    before = world.control("SELECT MAX(heartbeat_at) FROM daemons")
    dataflow.wait_for(lambda: world.control(
        "SELECT MAX(heartbeat_at) FROM daemons") > before, 40)
    code, seconds = daemon.stop()
    assert code == 0 and seconds < 5 * dataflow.slowness()
