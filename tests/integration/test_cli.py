"""Arguments, exit codes and what is said when the start fails."""
import json
import os
import re
import socket
import subprocess

import pytest

from support import dataflow


def start_fails(code, pattern, env, *arguments):
    done = dataflow.run("run", *arguments, env=env, timeout=60)
    assert done.returncode == code, done.stderr
    said = [line for line in done.stderr.splitlines()
            if line.startswith("dbaops-dataflow:")]
    assert len(said) == 1, done.stderr
    assert re.search(pattern, said[0]), said[0]


def test_help_and_version():
    version = dataflow.run("--version")
    assert version.returncode == 0
    assert re.fullmatch(r"dbaops-dataflow \d+\.\d+\.\d+ \(drivers:.*sqlserver"
                        r".*\)\n", version.stdout)
    usage = dataflow.run("--help").stdout
    for command in re.findall(r"^  (\w+) +\S", usage.split("Options:")[0],
                              re.M):
        done = dataflow.run(command, "--help")
        assert done.returncode == 0 and "Usage:" in done.stdout


@pytest.mark.parametrize("arguments", [
    ["dance"], ["run", "--fast"], ["status", "more"], ["run", "--config"],
    ["run", "--control", "oracle"], ["run", "--log-format", "xml"],
    ["run", "--log-level", "loud"], ["run", "--config", "/no/such/file"]])
def test_wrong_arguments(arguments):
    done = dataflow.run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("dbaops-dataflow: ")
    assert done.stderr.count("\n") == 1


def test_no_user(world):
    env = world.environment()
    del env["DEST_USER"]
    start_fails(2, "DEST_USER", env)


def test_wrong_password(world):
    start_fails(4, "Login failed.*DEST_PASS", world.environment(
        DEST_PASS="not-it"))


def test_unknown_host(world):
    start_fails(3, "unknown host 'nowhere.invalid'", world.environment(
        DEST_SERVER="nowhere.invalid"))


def test_refused_port(world):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    start_fails(3, f"127.0.0.1,{port}.*cannot connect", world.environment(
        DEST_SERVER=f"127.0.0.1,{port}"))


def test_missing_database(world):
    start_fails(5, "'no_such_control' does not exist.*init",
                world.environment(DEST_DATABASE="no_such_control"))


def test_missing_tables(world):
    start_fails(6, "control tables are missing.*init",
                world.environment(DEST_DATABASE=world.dst_db))


def test_newer_tables(world):
    world.control("UPDATE installation SET schema_version = 99")
    start_fails(6, "version 99", world.environment())
    done = dataflow.run("init", env=world.environment())
    assert done.returncode == 6 and "version 99" in done.stderr


def test_older_tables(world):
    """The daemon does not touch them; init upgrades them."""
    world.control("UPDATE installation SET schema_version = 0")
    start_fails(6, "older than this program.*init", world.environment())
    assert world.control("SELECT schema_version FROM installation") == [(0,)]
    done = dataflow.run("init", env=world.environment())
    assert done.returncode == 0, done.stderr
    daemon = world.start()
    dataflow.wait_for(lambda: "starts" in daemon.log())


def test_wait(bare_world):
    """With --wait it starts as soon as the tables are there."""
    daemon = bare_world.start("--wait")
    dataflow.wait_for(lambda: "trying again" in daemon.log())
    assert daemon.is_running()
    assert dataflow.run("init", env=bare_world.environment()).returncode == 0
    dataflow.wait_for(lambda: "starts, control tables" in daemon.log(), 30)


def test_wait_can_be_stopped(bare_world):
    daemon = bare_world.start("--wait")
    dataflow.wait_for(lambda: "trying again" in daemon.log())
    code, seconds = daemon.stop()
    assert code == 0 and seconds < 5


def test_configuration_file(world, tmp_path):
    env = world.environment()
    secret = tmp_path / "pw"
    secret.write_text(env["DEST_PASS"] + "\n")
    file = tmp_path / "my.conf"
    file.write_text("# a comment\n\n"
                    f"dest_server = {env['DEST_SERVER']}\n"
                    f"  dest_user={env['DEST_USER']}  \n"
                    "dest_pass = ${file:" + str(secret) + "}\n"
                    f"dest_database = {env['DEST_DATABASE']}\n")
    done = dataflow.run("status", "--config", str(file))
    assert done.returncode == 0, done.stderr
    # The environment counts for more.
    done = dataflow.run("status", "--config", str(file),
                        env={"DEST_DATABASE": "no_such_control"})
    assert done.returncode == 5
    file.write_text("dest_sever = x\n")
    done = dataflow.run("status", "--config", str(file))
    assert done.returncode == 2
    assert "line 1" in done.stderr and "'dest_sever'" in done.stderr


def test_a_configuration_file_that_cannot_be_read(tmp_path):
    """Else everything would begin anew with empty tables in SQLite."""
    folder = tmp_path / "etc"
    done = dataflow.run("init", cwd=str(tmp_path))  # there is none
    assert done.returncode == 0 and (tmp_path / "dataflow.db").exists()
    os.remove(tmp_path / "dataflow.db")
    folder.mkdir()
    os.symlink("dataflow.conf", folder / "dataflow.conf")
    for command in ("init", "run"):
        done = dataflow.run(command, cwd=str(tmp_path))
        assert done.returncode == 2
        assert "cannot read 'etc/dataflow.conf'" in done.stderr
        assert "--config" in done.stderr
    assert not (tmp_path / "dataflow.db").exists()


def test_a_configuration_file_that_is_none(tmp_path):
    """Nothing of it is ignored, and nothing of a password is repeated."""
    file = tmp_path / "my.conf"
    for text in (b"log_level = info\ndest_pass = " + b"x" * 5000 +
                 b"SECRET = 1\n",
                 b"log_level = info\ndest_pass = a\0SECRET = 1\n"):
        file.write_bytes(text)
        done = dataflow.run("status", "--config", str(file))
        assert done.returncode == 2
        assert "line 2" in done.stderr and "SECRET" not in done.stderr
    # The longest line that fits, with and without an end.
    for end in (b"", b"\n"):
        file.write_bytes(b"log_level = " + b" " * 4078 + b"noise" + end)
        done = dataflow.run("status", "--config", str(file))
        assert "'noise'" in done.stderr
    done = dataflow.run("status", "--config", str(tmp_path))
    assert done.returncode == 2 and "is a directory" in done.stderr.lower()


def test_a_full_disk_is_told(world, tmp_path):
    """Else `encrypt > file` would lose a secret, and say that all is well."""
    key = dataflow.Key(tmp_path / "key")
    for command in (["encrypt", "--key-file", key.file], ["--help"],
                    ["status", "--json"], ["completion", "bash"]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [dataflow.program(), *command], input=b"secret",
                env=dataflow.clean_environment(world.environment()),
                stdout=full, stderr=subprocess.PIPE, timeout=30, check=False)
        assert done.returncode == 1
        assert b"cannot write to stdout: No space left" in done.stderr
    # A reader who has gone has seen what he wanted.
    done = subprocess.run(
        ["bash", "-c", '"$0" completion bash | true; echo ${PIPESTATUS[0]}',
         dataflow.program()], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        timeout=30, check=False)
    assert done.stdout == b"0\n" and done.stderr == b""


def test_status(world):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v INT)")
    world.on_source("INSERT INTO t VALUES (1, 1)")
    world.enable_cdc("t")
    good = world.add_mapping("t")
    bad = world.add_mapping("missing", cdc=0)
    off = world.add_mapping("t", "t_off", is_enabled=0)
    before = json.loads(dataflow.run(
        "status", "--json", env=world.environment()).stdout)
    assert before["daemon"]["running"] is False
    daemon = world.start()
    world.wait_equal("t")
    dataflow.wait_for(lambda: world.errors(bad))
    dataflow.wait_for(lambda: world.state(good) == "CDC")
    report = json.loads(dataflow.run(
        "status", "--json", env=world.environment()).stdout)
    assert report["daemon"]["running"] is True
    rows = {r["mapping_id"]: r for r in report["mappings"]}
    assert rows[good]["state"] == "CDC" and rows[good]["error"] is None
    assert rows[good]["lag_seconds"] is not None
    assert rows[good]["source"]["table"] == "t"
    assert rows[bad]["state"] == "ERROR"
    assert rows[bad]["error"]["type"] == "SCHEMA"
    assert rows[off]["state"] == "DISABLED"
    table = dataflow.run("status", env=world.environment()).stdout
    assert "is running" in table and "SCHEMA: " in table
    daemon.stop()
    report = json.loads(dataflow.run(
        "status", "--json", env=world.environment()).stdout)
    assert report["daemon"]["running"] is False
    rows = {r["mapping_id"]: r for r in report["mappings"]}
    assert rows[good]["state"] == "NOT RUNNING"


def test_status_of_a_running_load(world):
    """One that is through but for the swap, which waits for a reader."""
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    world.on_dest("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    world.on_source("WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n "
                    "WHERE i < 6000) INSERT INTO t SELECT i FROM n "
                    "OPTION (MAXRECURSION 0)")
    world.add_mapping("t", cdc=0)
    reader = world.dest.connect(world.dst_db)
    if world.dest.is_standin: # whose locks are those of the whole database
        world.dest.query("EXEC sys.sp_tdsd_fault 'stall', "
                         "@match = N'%SWITCH TO%', @milliseconds = 4000, "
                         f"@database = N'{world.dst_db}', @times = 1")
    else:
        reader.cursor().execute("BEGIN TRANSACTION; SELECT COUNT(*) FROM t "
                                "WITH (TABLOCKX, HOLDLOCK)")
    world.start()

    def running():
        report = json.loads(dataflow.run(
            "status", "--json", env=world.environment()).stdout)
        run = report["mappings"][0]["run"]
        return run if run and run["records_processed"] else None
    run = dataflow.wait_for(running, 30, 0.01)
    assert run["sync_type"] == "FULL_SYNC"
    assert run["records_total"] == 6000
    assert 0 < run["percent"] <= 100
