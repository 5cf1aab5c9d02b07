"""Secrets are planted wherever one may stand, failures of every kind are
provoked, and then all that the daemon writes is searched for them.

Every secret has TOKEN in it, and nothing else has: one search finds them all,
whole or in pieces, in capitals or not.
"""
import os
import re

import pytest

from support import dataflow
from support.relay import port_of
from test_errors import free_port

TOKEN = "pl4nt3d"
MARKER = "harmless-marker"

# name: what stands behind "user id=…;". The passwords are all wrong.
STRINGS = {
    "text": "password={%s-1;'\"};server={live}",
    "environment": "password=${env:PLANTED};server={live}",
    "file": "password=${file:%f};server={live}",
    "old style": "server={live};pwd=\"%s-2\"",
    "refused port": "server=127.0.0.1,{dead};password=%s-3",
    "unknown host": "server=%m.invalid;password=%s-4",
    "no encryption": "server={live};password=%s-5;encrypt=true",
    "no CA": "server={live};password=%s-6;encrypt=true;ca file=/no/ca",
    "no database": "server={live};password=%s-7;database=%m",
    # those that cannot be read
    "semicolon": "server={live};password=%s-8;%s-9",
    "semicolon and more": "server={live};password=%s-10;%s-11=1;x=2",
    "twice a piece": "server={live};password=x;%s=1;%s=2",
    "a quoted piece": "server={live};password=x;%s='1",
    "quote": "server={live};password='%s-12'%s-13'",
    "brace": "server={live};password={%s-14;encrypt=true",
    "given twice": "server={live};password=%s-15;password=%s-16",
    "by two names": "server={live};password=%s-17;pwd=%s-18",
    "unknown key": "server={live};password=%s-19;colour=%s-20",
    "bad number": "server={live};password=%s-21;connect timeout=%s-22",
    "bad word": "server={live};password=%s-23;encrypt=%s-24",
    "bad port": "server=h,%s-25;password=%s-26",
    "no variable": "server={live};password=%s-27${env:NOT_THERE}",
    "no file": "server={live};password=%s-28${file:/no/such/file}",
    "a folder": "server={live};password=%s-29${file:/tmp}",
}


def plant(world, text, secret_file):
    return (text.replace("{live}", world.source.address)
            .replace("{dead}", str(free_port()))
            .replace("%s", TOKEN).replace("%f", str(secret_file))
            .replace("%m", MARKER))


def search(text, where):
    """The token may have lost its case, not its order."""
    found = re.search(r".{0,60}" + TOKEN + r".{0,30}", text, re.I | re.S)
    assert not found, f"{where}: {found.group(0)}"


def search_tables(world, database, but=()):
    """Every table and view of a database; their number."""
    names = world.dest.query(
        "SELECT s.name, o.name FROM sys.objects AS o INNER JOIN sys.schemas "
        "AS s ON s.schema_id = o.schema_id WHERE o.type IN ('U', 'V')",
        database)
    text = ""
    for schema, name in names:
        if name not in but:
            rows = repr(world.dest.query(f"SELECT * FROM [{schema}].[{name}]",
                                         database))
            search(rows, f"{schema}.{name}")
            text += rows
    return text


def search_files(folder, but):
    for path, _, names in os.walk(folder):
        for name in names:
            if name not in but:
                with open(os.path.join(path, name), "rb") as file:
                    search(file.read().decode("utf-8", "replace"), name)


@pytest.fixture
def planted(world, tmp_path):
    """Sources and targets with secrets in them, most of which fail."""
    secret_file = tmp_path / "secret"
    secret_file.write_text(f"{TOKEN}-in-a-file\n")
    # One that works, so that loads and changes are searched as well.
    for server in (world.source, world.dest):
        server.query("IF SUSER_ID(N'searched') IS NULL CREATE LOGIN searched "
                     f"WITH PASSWORD = N'{TOKEN}-Right-1'")
        server.query("ALTER SERVER ROLE sysadmin ADD MEMBER searched")
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    world.on_source("INSERT INTO t VALUES (1)")
    world.enable_cdc("t")
    world.config(max_retry_attempts=1, connect_timeout_seconds=2)
    good = world.add_server(
        "good", f"server={world.source.address};user id=searched;"
        f"password={TOKEN}-Right-1")
    world.mappings = {"good": world.add_mapping("t", server_id=good)}
    for number, (name, text) in enumerate(STRINGS.items()):
        text = "user id=searched;" + plant(world, text, secret_file)
        server = world.add_server(name, text)
        world.mappings[name] = world.add_mapping(
            "t", f"s{number}", server_id=server, cdc=0)
        text = text.replace("'", "''")
        world.control("INSERT INTO target_servers (target_name, "
                      f"connection_string) VALUES (N'{name}', N'{text}')")
        target = world.control("SELECT MAX(target_id) FROM target_servers")
        world.mappings["into " + name] = world.add_mapping(
            "t", f"d{number}", cdc=0, target_id=target[0][0])
    return world


@pytest.mark.parametrize("how", ["text", "json"])
def test_the_daemon(planted, how):
    world = planted
    daemon = world.start("--log-level", "debug", "--log-format", how,
                         PLANTED=f"{TOKEN}-in-the-environment",
                         DEST_USER="searched", DEST_PASS="${env:PLANTED_DEST}",
                         PLANTED_DEST=f"{TOKEN}-Right-1")
    fails = set(world.mappings) - {"good"}
    world.wait_equal("t")
    dataflow.wait_for(lambda: fails <= {
        name for name, mapping in world.mappings.items()
        if world.errors(mapping)}, 60, 0.5, what="all the failures")
    world.on_source("INSERT INTO t VALUES (2)")
    world.wait_equal("t")
    world.request(world.mappings["text"], "FULL_SYNC")
    dataflow.wait_for(lambda: world.control(
        "SELECT 1 FROM sync_requests WHERE state = 'FAILED'"))

    with open(f"/proc/{daemon.process.pid}/cmdline", "rb") as file:
        command_line = file.read().decode()
    assert "--log-level" in command_line
    search(command_line, "command line")
    for arguments in (["status"], ["status", "--json"]):
        done = dataflow.run(*arguments, env=world.environment())
        assert done.returncode == 0 and MARKER in done.stdout
        search(done.stdout + done.stderr, "status")
    rows = search_tables(world, world.control_db,
                         but=("source_servers", "target_servers"))
    assert "Login failed" in rows and MARKER in rows
    search_tables(world, world.dst_db)
    search_files(world.folder, but=("secret",))
    daemon.stop()
    assert "Login failed" in daemon.log() and MARKER in daemon.log()
    search(daemon.log(), "log")


def test_the_private_configuration(planted):
    """What FreeTDS is told lies in a file: for this user alone, without any
    secret, and gone afterwards."""
    world = planted
    # FreeTDS would write all that it sends, or listen to another file.
    dumps = {name: str(world.folder / name)
             for name in ("TDSDUMP", "TDSDUMPCONFIG", "FREETDSCONF")}
    daemon = world.start(PLANTED=f"{TOKEN}-in-the-environment", TDSPORT="1",
                         TDSVER="4.2", **dumps)
    world.wait_equal("t")
    assert not [name for name in dumps if os.path.exists(dumps[name])]
    folders = [name for name in os.listdir(world.folder)
               if name.startswith("dbaops-dataflow-")]
    assert len(folders) == 1
    folder = os.path.join(str(world.folder), folders[0])
    assert os.stat(folder).st_mode & 0o777 == 0o700
    with open(os.path.join(folder, "freetds.conf"), encoding="utf-8") as file:
        text = file.read()
    assert f"port = {port_of(world.source)[1]}" in text
    search(text, "freetds.conf")
    assert "searched" not in text
    daemon.stop()
    assert not os.path.exists(folder)


STARTS = {
    "wrong": dict(DEST_PASS=f"{TOKEN}-1"),
    "from the environment": dict(DEST_PASS="${env:PLANTED}"),
    "from a file": dict(DEST_PASS="${file:%s}"),
    "odd signs": dict(DEST_PASS=f"{TOKEN};'\"}}{{=${{x}}"),
    "nobody there": dict(DEST_SERVER="127.0.0.1,1", DEST_PASS=TOKEN),
    "no encryption": dict(DEST_OPTIONS="encrypt=true", DEST_PASS=TOKEN),
    "bad options": dict(DEST_OPTIONS=f"{TOKEN}", DEST_PASS=TOKEN),
    "bad pair": dict(DEST_OPTIONS=f"{TOKEN}-2={TOKEN}", DEST_PASS=TOKEN),
    "password in options": dict(DEST_OPTIONS=f"password={TOKEN}"),
    "bad port": dict(DEST_PORT=f"{TOKEN}", DEST_PASS=TOKEN),
}


@pytest.mark.parametrize("case", STARTS)
def test_starts_that_fail(world, tmp_path, case):
    (tmp_path / "secret").write_text(f"{TOKEN}-in-a-file\n")
    env = world.environment(PLANTED=f"{TOKEN}-3", **STARTS[case])
    if case == "from a file":
        env["DEST_PASS"] = env["DEST_PASS"] % (tmp_path / "secret")
    for arguments in (["run", "--log-level", "debug"], ["status"], ["init"],
                      ["run", "--log-format", "json"]):
        done = dataflow.run(*arguments, env=env)
        assert done.returncode in (2, 3, 4), done.stderr
        assert done.stderr.startswith("dbaops-dataflow: ")
        search(done.stdout + done.stderr, case)
    search_files(world.folder, but=("secret",))


CONFIGURATIONS = [
    f"dest_pass {TOKEN}\n", f"dest_pass = {TOKEN}\nnonsense\n",
    f"dest_pass = {TOKEN}\nlog_level = {MARKER}\n",
    f"dest_pass = ${{file:/no/file}}{TOKEN}\n",
    f"dest_pass = {TOKEN}\nlog_format = {MARKER}\n",
]


@pytest.mark.parametrize("number", range(len(CONFIGURATIONS)))
def test_a_bad_configuration_file(world, tmp_path, number):
    file = tmp_path / "bad.conf"
    file.write_text(CONFIGURATIONS[number])
    env = world.environment()
    del env["DEST_PASS"]
    done = dataflow.run("status", "--config", str(file), env=env)
    assert done.returncode == 2, done.stderr
    search(done.stdout + done.stderr, "what it said")
