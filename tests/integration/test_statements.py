"""Every statement that the daemon sends is T-SQL that a second parser, which
nobody here wrote, understands as well."""
import os
import re
import subprocess

import pytest

from support import dataflow


def wait_full_syncs(world, count):
    dataflow.wait_for(lambda: world.control(
        "SELECT COUNT(*) FROM sync_status WHERE sync_type = 'FULL_SYNC' AND "
        "status = 'COMPLETED'")[0][0] >= count)


def request(world, mapping, kind, **columns):
    values = {"mapping_id": mapping, "request_type": f"N'{kind}'", **columns}
    world.control(f"INSERT INTO sync_requests ({', '.join(values)}) "
                  f"VALUES ({', '.join(map(str, values.values()))})")
    return dataflow.wait_for(lambda: world.control(
        "SELECT state FROM sync_requests WHERE state NOT IN "
        "(N'PENDING', N'RUNNING') AND request_id = "
        "(SELECT MAX(request_id) FROM sync_requests)"), 60)


def verify(world):
    """A key of three columns, cut into stretches and repaired."""
    world.on_source("CREATE TABLE k (a NVARCHAR(9) NOT NULL, b INT NOT NULL, "
                    "c INT NOT NULL, v VARCHAR(MAX) NULL, n DECIMAL(9, 2) "
                    "NULL, CONSTRAINT pk_k PRIMARY KEY (a, b, c))")
    world.on_source(
        "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE "
        "i < 3000) INSERT INTO k SELECT N'a', i / 10, i, 'v', i FROM n "
        "OPTION (MAXRECURSION 0)")
    world.enable_cdc("k")
    mapping = world.add_mapping("k")
    world.wait_equal("k")
    dataflow.wait_for(lambda: world.control(
        "SELECT 1 FROM mapping_state WHERE is_consistent = 1 "
        f"AND mapping_id = {mapping}"), 60)
    world.on_dest("UPDATE k SET v = 'x' WHERE c = 1500; "
                  "DELETE FROM k WHERE c = 2999")
    for scope in ("TAIL", "WHOLE"):
        request(world, mapping, "VERIFY", scope=f"N'{scope}'")
    request(world, mapping, "REPAIR", scope="N'WHOLE'")
    request(world, mapping, "RESYNC", where_condition="N'c = 7'")
    request(world, mapping, "SKIP_TO_NOW")
    assert world.differences("k") == []


def put_aside(world):
    """A row that the destination refuses."""
    world.config(on_row_error="PARK")
    world.on_source("CREATE TABLE p (id INT NOT NULL PRIMARY KEY, n INT)")
    world.on_dest("CREATE TABLE p (id INT NOT NULL PRIMARY KEY, "
                  "n INT CHECK (n <> 13))")
    world.enable_cdc("p")
    world.add_mapping("p")
    world.on_source("INSERT INTO p VALUES (1, 1)")
    world.wait_equal("p")
    world.on_source("INSERT INTO p VALUES (2, 13), (3, 3)")
    dataflow.wait_for(lambda: world.control(
        "SELECT 1 FROM apply_exceptions WHERE is_resolved = 0"), 30)


@pytest.mark.standin
def test_statements(world, tmp_path):
    if not world.source.is_standin:
        pytest.skip("only the stand-in keeps the statements")
    if os.environ.get("DATAFLOW_SANITIZE"):
        pytest.skip("they are the same ones")
    for server in (world.source, world.dest):
        server.query("EXEC sys.sp_tdsd_option N'count_statements', 1")
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "v NVARCHAR(10) NULL, f BIT NULL)")
    world.on_source("INSERT INTO t VALUES (1, N'a', 0)")
    world.on_dest("CREATE TABLE by_exchange (id INT IDENTITY NOT NULL PRIMARY "
                  "KEY, v NVARCHAR(10) NULL, f BIT NULL, w AS (id * 2))")
    world.on_dest("CREATE TABLE by_switch (id INT NOT NULL PRIMARY KEY, "
                  "v NVARCHAR(10) NULL CHECK (v <> N'q'), f BIT NULL)")
    world.on_dest("CREATE INDEX i ON by_switch (v DESC) INCLUDE (f) "
                  "WHERE v IS NOT NULL")
    world.enable_cdc("t")
    for dest in ("created", "by_exchange", "by_switch"):
        world.add_mapping("t", dest, full_sync_trigger_column="f")
    daemon = world.start()
    wait_full_syncs(world, 3)
    world.on_source("INSERT INTO t VALUES (2, N'b', 0); UPDATE t SET v = NULL "
                    "WHERE id = 1; DELETE FROM t WHERE id = 2")
    world.wait_equal("t", "created")
    world.config(full_sync_mode="truncate")
    world.on_source("UPDATE t SET f = 1")
    wait_full_syncs(world, 4)
    verify(world)
    put_aside(world)
    for command in ("status", "check", "requests", "logs"):
        dataflow.run(command, env=world.environment())
    daemon.stop()
    sent = set()
    for server in (world.source, world.dest):
        sent |= {row[0] for row in server.query(
            "SELECT statement_text FROM sys.dm_tdsd_statements "
            "WHERE program_name = 'dbaops-dataflow'")}
    # FreeTDS's own, for bulk load and its options.
    sent = {s for s in sent if not s.lower().startswith(
        ("insert bulk", "set fmtonly", "set textsize"))}
    # The parser does not know these, which every version has.
    sent = {re.sub(r"SET (LOCK_TIMEOUT|ROWCOUNT) \d+; ", "", s)
            for s in sent}
    sent = {s.replace("OFFSET @skip ROWS FETCH NEXT 1 ROWS ONLY", "")
            for s in sent if not s.startswith("SET LOCK_TIMEOUT")}
    assert len(sent) > 60
    for i, statement in enumerate(sorted(sent)):
        (tmp_path / f"{i:03}.sql").write_text(statement + "\n")
    # One that is wrong shows that they are read at all.
    (tmp_path / "wrong.sql").write_text("SELECT FROM WHERE (\n")
    done = subprocess.run(
        ["sqlfluff", "lint", "--nofail", "--dialect", "tsql", "--rules",
         "L001", "--disable-progress-bar", "--config",
         f"{dataflow.TOP}/tests/lint/sqlfluff.cfg", str(tmp_path)], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    bad, file = {}, None
    for line in done.stdout.splitlines():
        if line.startswith("=="):
            file = line.split("[")[1].split("]")[0]
        elif "PRS" in line:
            bad.setdefault(file, []).append(line)
    assert bad.pop(str(tmp_path / "wrong.sql"), None), done.stdout
    assert not bad, {open(file).read(): bad[file] for file in bad}
