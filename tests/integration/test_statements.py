"""Every statement that the daemon sends is T-SQL that a second parser, which
nobody here wrote, understands as well."""
import re
import subprocess

import pytest

from support import dataflow


def wait_full_syncs(world, count):
    dataflow.wait_for(lambda: world.control(
        "SELECT COUNT(*) FROM sync_status WHERE sync_type = 'FULL_SYNC' AND "
        "status = 'COMPLETED'")[0][0] >= count)


@pytest.mark.standin
def test_statements(world, tmp_path):
    if not world.source.is_standin:
        pytest.skip("only the stand-in keeps the statements")
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
    dataflow.run("status", env=world.environment())
    daemon.stop()
    sent = set()
    for server in (world.source, world.dest):
        sent |= {row[0] for row in server.query(
            "SELECT statement_text FROM sys.dm_tdsd_statements "
            "WHERE program_name = 'dbaops-dataflow'")}
    # FreeTDS's own, for bulk load and its options.
    sent = {s for s in sent if not s.lower().startswith(
        ("insert bulk", "set fmtonly", "set textsize"))}
    # The parser does not know this one, which every version has.
    sent = {re.sub(r"SET LOCK_TIMEOUT \d+; ", "", s) for s in sent}
    assert len(sent) > 60
    for i, statement in enumerate(sorted(sent)):
        (tmp_path / f"{i:03}.sql").write_text(statement + "\n")
    done = subprocess.run(
        ["sqlfluff", "parse", "--dialect", "tsql", str(tmp_path)], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    bad = [line for line in done.stdout.splitlines() if "PRS" in line]
    assert not bad, "\n".join(bad)
