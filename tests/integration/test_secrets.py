"""Secrets are planted wherever one may stand, failures of every kind are
provoked, and then all that the daemon writes is searched for them.

Every secret has TOKEN in it, and nothing else has: one search finds them all,
whole or in pieces, in capitals or not. Encrypted ones and the key are searched
for as they are written.
"""
import json
import os
import re

import pytest

from support import dataflow, web
from support.ports import free_port
from support.receivers import Hook, check_signature
from support.relay import port_of

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
    # encrypted ones: wrong, and those that cannot be decrypted
    "encrypted": "server={live};password=%e",
    "quoted encrypted": "password={%e};server={live}",
    "another key": "server={live};password=%o",
    "altered": "server={live};password=%a",
    "cut": "server={live};password=%c",
    "cut to the bone": "server={live};password=%b",
    "junk": "server={live};password=enc:v1:01234567:%s-30!",
    "no form": "server={live};password=enc:%s-31",
    "version": "server={live};password=enc:v2:%s-32",
    "no key": "server={live};password=enc:v1:%s-33:AAAA",
}

# What the error rows say of the last ones, besides the server's name.
SAID = {
    "another key": "which is not in file",
    "altered": "was altered, or cut short",
    "cut": "has signs that cannot be in it|was altered, or cut short",
    "cut to the bone": "was cut short; copy all",
    "junk": "has signs that cannot be in it",
    "no form": "not of the form enc:v1:KEY:DATA",
    "version": "of a version that this program does not know",
    "no key": "does not name its key",
}


def encrypted(world, how):
    """By a letter: right, by another key, altered, cut."""
    key = world.other_key if how == "%o" else world.key
    text = key.encrypt(f"{TOKEN}-wrong")
    world.hidden.append(text.split(":")[3][:24])
    if how == "%a":
        return text[:30] + ("A" if text[30] != "A" else "B") + text[31:]
    return text[:{"%c": -5, "%b": 24}.get(how, len(text))]


def plant(world, text, secret_file):
    text = re.sub("%[eoacb]", lambda how: encrypted(world, how.group()), text)
    return (text.replace("{live}", world.source.address)
            .replace("{dead}", str(free_port()))
            .replace("%s", TOKEN).replace("%f", str(secret_file))
            .replace("%m", MARKER))


def search(text, where, hidden=()):
    """The token may have lost its case, not its order."""
    found = re.search(r".{0,60}" + TOKEN + r".{0,30}", text, re.I | re.S)
    assert not found, f"{where}: {found.group(0)}"
    for secret in hidden:
        assert secret not in text, f"{where}: {secret}"


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
            search(rows, f"{schema}.{name}", world.hidden)
            text += rows
    return text


def search_files(folder, but, hidden=()):
    for path, _, names in os.walk(folder):
        for name in names:
            if name not in but:
                with open(os.path.join(path, name), "rb") as file:
                    search(file.read().decode("utf-8", "replace"), name,
                           hidden)


def use_keys(world, folder):
    world.key = dataflow.Key(folder / "key")
    world.other_key = dataflow.Key(folder / "other-key")
    world.hidden = [world.key.line(), world.other_key.line()]


@pytest.fixture
def hook():
    with Hook() as server:
        yield server


def right(world):
    """The one password that is right, encrypted."""
    text = world.key.encrypt(f"{TOKEN}-Right-1")
    world.hidden.append(text.split(":")[3])
    return text


@pytest.fixture
def planted(world, tmp_path, tmp_path_factory):
    """Sources and targets with secrets in them, most of which fail."""
    use_keys(world, tmp_path_factory.mktemp("keys"))
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
        f"password={right(world)}")
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


def add_channels(world, hook):
    world.config(notify_delay_seconds=0)
    for name, settings in {
            "told": f"url={hook.url('/' + TOKEN)};"
                    f"secret={world.key.encrypt(TOKEN + '-sign')};"
                    f"authorization={world.key.encrypt('Bearer ' + TOKEN)}",
            "mute": f"url={hook.url('/' + TOKEN)};"
                    f"secret={encrypted(world, '%o')}"}.items():
        world.control(
            "INSERT INTO notification_channels (channel_name, channel_type, "
            f"settings) VALUES (N'{name}', N'webhook', N'{settings}')")


def search_commands(world):
    env = world.environment(**world.secrets)
    for arguments in (["status"], ["status", "--json"], ["check"],
                      ["check", "--json"], ["logs", "-n", "2000"],
                      ["logs", "--errors", "-n", "2000"], ["requests"],
                      ["requests", "--json"], ["notify-test"]):
        done = dataflow.run(*arguments, env=env, timeout=240)
        assert done.stdout and not done.stderr, (arguments, done.stderr)
        if arguments[0] not in ("requests", "notify-test"):
            assert MARKER in done.stdout, arguments
        search(done.stdout, arguments, world.hidden)


def search_pages(world, port):
    for path in ("/", "/status.json", "/metrics", "/healthz", "/readyz"):
        answer = web.get(port, path)
        assert answer.status == 200, path
        search(answer.text, path, world.hidden)
    assert MARKER in web.get(port, "/status.json").text


@pytest.mark.parametrize("how", ["text", "json"])
def test_the_daemon(planted, hook, how):
    world, port = planted, free_port()
    add_channels(world, hook)
    world.secrets = {"DATAFLOW_KEY_FILE": world.key.file,
                     "PLANTED": f"{TOKEN}-in-the-environment",
                     "DEST_USER": "searched", "DEST_PASS": right(world)}
    daemon = world.start("--log-level", "debug", "--log-format", how,
                         "--metrics-listen", str(port), **world.secrets)
    fails = set(world.mappings) - {"good"}
    world.wait_equal("t")
    dataflow.wait_for(lambda: fails <= {
        name for name, mapping in world.mappings.items()
        if world.errors(mapping)}, 90, 0.5, what="all the failures")
    world.on_source("INSERT INTO t VALUES (2)")
    world.wait_equal("t")
    world.request(world.mappings["text"], "FULL_SYNC")
    dataflow.wait_for(lambda: world.control(
        "SELECT 1 FROM sync_requests WHERE state = 'FAILED'"))
    for name, said in SAID.items():
        for mapping, of in (name, "source"), ("into " + name, "target"):
            message = world.errors(world.mappings[mapping])[0][1]
            assert re.search(said, message), (of, message)
            assert f"server '{name}'" in message and "'password'" in message

    with open(f"/proc/{daemon.process.pid}/cmdline", "rb") as file:
        command_line = file.read().decode()
    assert "--log-level" in command_line
    search(command_line, "command line", world.hidden)
    search_commands(world)
    search_pages(world, port)
    rows = search_tables(world, world.control_db,
                         but=("source_servers", "target_servers",
                              "notification_channels"))
    assert "Login failed" in rows and MARKER in rows
    assert "notification channel 'mute'" in rows
    search_tables(world, world.dst_db)
    search_files(world.folder, ("secret",), world.hidden)
    hook.wait()
    for _, headers, body in list(hook.posts):
        check_signature(headers, body, TOKEN + "-sign")
        assert headers["Authorization"] == "Bearer " + TOKEN
        search(body.decode(), "webhook", world.hidden)
    daemon.stop()
    assert "Login failed" in daemon.log() and MARKER in daemon.log()
    search(daemon.log(), "log", world.hidden)


def test_the_private_configuration(planted):
    """What FreeTDS is told lies in a file: for this user alone, without any
    secret, and gone afterwards."""
    world = planted
    # FreeTDS would write all that it sends, or listen to another file.
    dumps = {name: str(world.folder / name)
             for name in ("TDSDUMP", "TDSDUMPCONFIG", "FREETDSCONF")}
    daemon = world.start(PLANTED=f"{TOKEN}-in-the-environment", TDSPORT="1",
                         DATAFLOW_KEY_FILE=world.key.file, TDSVER="4.2",
                         **dumps)
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
    search(text, "freetds.conf", world.hidden)
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
    "encrypted": dict(DEST_PASS="%e"),
    "by another key": dict(DEST_PASS="%o"),
    "altered": dict(DEST_PASS="%a"),
    "in options": dict(DEST_PASS="x", DEST_OPTIONS="pwd=%e"),
    "no key file": dict(DEST_PASS="%e", DATAFLOW_KEY_FILE=f"/no/{MARKER}"),
    "not of its form": dict(DEST_PASS=f"enc:{TOKEN}"),
}


@pytest.mark.parametrize("case", STARTS)
def test_starts_that_fail(world, tmp_path, case):
    (tmp_path / "secret").write_text(f"{TOKEN}-in-a-file\n")
    use_keys(world, tmp_path)
    env = world.environment(PLANTED=f"{TOKEN}-3", **dict(
        {"DATAFLOW_KEY_FILE": world.key.file}, **STARTS[case]))
    if case == "from a file":
        env["DEST_PASS"] = env["DEST_PASS"] % (tmp_path / "secret")
    for name in ("DEST_PASS", "DEST_OPTIONS"):
        if re.search("%[eoa]$", env.get(name, "")):
            env[name] = env[name][:-2] + encrypted(world, env[name][-2:])
    for arguments in (["run", "--log-level", "debug"], ["status"], ["init"],
                      ["run", "--log-format", "json"]):
        done = dataflow.run(*arguments, env=env)
        assert done.returncode in (2, 3, 4), done.stderr
        assert done.stderr.startswith("dbaops-dataflow: ")
        search(done.stdout + done.stderr, case, world.hidden)
    search_files(world.folder, ("secret", "key", "other-key"), world.hidden)


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


# ----------------------------------------------------------------- the key file

def wrong_mode(world):
    os.chmod(world.key.file, 0o640)
    return r"mode 640\); chmod 600"


def wrong_owner(world):
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(world.key.file, 12345, -1)
    return "belongs to user 12345"


def gone(world):
    os.remove(world.key.file)
    return "No such file.*encrypt --new-key"


def no_file(world):
    gone(world)
    os.mkfifo(world.key.file, 0o600)
    return "is no regular file"


def not_a_key(world):
    with open(world.key.file, "w", encoding="ascii") as file:
        file.write(f"{TOKEN}\n")
    return "line 1: no key"


@pytest.mark.parametrize("spoil", [wrong_mode, wrong_owner, gone, no_file,
                                   not_a_key])
def test_a_key_file_that_is_not_used(world, tmp_path, spoil):
    """One clear error, and the mapping goes on as soon as the file is good."""
    use_keys(world, tmp_path)
    said = spoil(world)
    world.config(max_retry_attempts=1)
    world.control("UPDATE source_servers SET connection_string = N'server="
                  f"{world.source.address};user id={world.source.user};"
                  f"password=enc:v1:00000000:{'A' * 60}'")
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    mapping = world.add_mapping("t", cdc=0)
    world.start(DATAFLOW_KEY_FILE=world.key.file)
    errors = dataflow.wait_for(lambda: world.errors(mapping))
    assert len(errors) == 1 and re.search(said, errors[0][1]), errors
    assert world.key.file in errors[0][1] and "server 'source'" in errors[0][1]
    search(errors[0][1], "error row", world.hidden)
    done = dataflow.run("encrypt", "--key-file", world.key.file, stdin="x")
    assert done.returncode == 1 and re.search(said, done.stderr), done.stderr
    done = dataflow.run("check", env=world.environment(
        DATAFLOW_KEY_FILE=world.key.file))
    assert done.returncode == 1 and re.search(
        said.split("; ")[0].split(".*")[0], done.stdout), done.stdout

    os.remove(world.key.file) if os.path.exists(world.key.file) else None
    world.key = dataflow.Key(world.key.file)
    world.control("UPDATE source_servers SET connection_string = N'server="
                  f"{world.source.address};user id={world.source.user};"
                  f"password={world.key.encrypt(world.source.password)}'")
    world.wait_equal("t")
    dataflow.wait_for(lambda: not world.errors(mapping))


def test_a_new_key(world, tmp_path):
    """Rotation as the manual page tells it, under a running daemon."""
    use_keys(world, tmp_path)

    def use(text):
        world.control("UPDATE source_servers SET connection_string = N'server="
                      f"{world.source.address};user id={world.source.user};"
                      f"password={text};'")

    def check():
        done = dataflow.run("check", "--json", env=world.environment(
            DATAFLOW_KEY_FILE=world.key.file))
        return [finding for finding in json.loads(done.stdout)
                if finding["check"] == "secrets" and
                finding["subject"] == "source 'source'"]

    use(world.key.encrypt(world.source.password))
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    world.enable_cdc("t")
    mapping = world.add_mapping("t")
    world.start(DATAFLOW_KEY_FILE=world.key.file)
    world.wait_equal("t")
    assert [finding["level"] for finding in check()] == ["OK"]

    # the new one on top of the old one
    with open(world.key.file, encoding="ascii") as file:
        old = file.read()
    with open(world.other_key.file, "a", encoding="ascii") as file:
        file.write(old)
    os.rename(world.other_key.file, world.key.file)
    world.on_source("INSERT INTO t VALUES (1)")
    world.wait_equal("t")
    found = check()
    assert [finding["level"] for finding in found] == ["WARN"]
    assert "'password' was encrypted with an older key" in found[0]["finding"]
    assert "dbaops-dataflow encrypt" in found[0]["remedy"]

    use(world.key.encrypt(world.source.password))
    assert [finding["level"] for finding in check()] == ["OK"]
    with open(world.key.file, "w", encoding="ascii") as file:
        file.write(world.hidden[1] + "\n")
    world.on_source("INSERT INTO t VALUES (2)")
    world.request(mapping, "FULL_SYNC")
    world.wait_equal("t")
    dataflow.wait_for(lambda: world.control(
        "SELECT 1 FROM sync_requests WHERE state = 'COMPLETED'"))
    assert not world.errors()


def test_files_that_everybody_may_read(world, tmp_path, hook):
    """A secret's file that lies open is told by check; the daemon uses it."""
    secret = tmp_path / "open"
    secret.write_text(world.source.password)
    world.control("UPDATE source_servers SET connection_string = N'server="
                  f"{world.source.address};user id={world.source.user};"
                  f"password=${{file:{secret}}};'")
    world.control("INSERT INTO notification_channels (channel_name, "
                  "channel_type, settings) VALUES (N'ops', N'webhook', "
                  f"N'url={hook.url()};secret=${{file:{secret}}}')")
    env = world.environment(DEST_PASS=f"${{file:{secret}}}")

    def check():
        done = dataflow.run("check", "--json", env=env)
        assert done.returncode in (0, 7), done.stdout + done.stderr
        return {finding["subject"]: finding for finding in
                json.loads(done.stdout) if finding["check"] == "secrets"}

    secret.chmod(0o644)
    found = check()
    assert set(found) == {"source 'source'", "control tables' server",
                          "channel 'ops'"}
    for finding in found.values():
        assert finding["level"] == "WARN" and str(secret) in finding["finding"]
        assert finding["remedy"] == f"chmod o-r '{secret}'"
    secret.chmod(0o640)
    assert {finding["level"] for finding in check().values()} == {"OK"}
