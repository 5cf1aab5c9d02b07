"""The commands a DBA works with: orders, requests, logs, the watch, completion.

Most of it runs on control tables in a file, which the tests fill by sqlite3.
"""
import fcntl
import getpass
import json
import os
import pty
import re
import select
import signal
import sqlite3
import struct
import subprocess
import termios
import time

import pytest

from support import dataflow
from support.tdsd import Tdsd

ESCAPES = re.compile(r"\x1b\[[?0-9;]*[A-Za-z]")


class Store:
    """Control tables in a SQLite file."""

    def __init__(self, folder):
        self.file = folder / "control.db"
        assert self.run("init").returncode == 0
        self.sql("INSERT INTO source_servers (server_name, server_type, "
                 "connection_string) VALUES ('s', 'memory', 'name=s')")
        self.sql("INSERT INTO target_servers (target_name, target_type, "
                 "connection_string) VALUES ('t', 'memory', 'name=t')")

    def environment(self, **more):
        return {"DATAFLOW_CONTROL": f"sqlite:{self.file}", **more}

    def run(self, *arguments, **environment):
        return dataflow.run(*arguments, env=self.environment(**environment))

    def start(self, *arguments, **options):
        env = dataflow.clean_environment(
            self.environment(**options.pop("env", {})))
        return subprocess.Popen([dataflow.program(), *arguments], env=env,
                                stdin=subprocess.DEVNULL,
                                stderr=subprocess.PIPE,
                                **{"stdout": subprocess.PIPE, "text": True,
                                   **options})

    def sql(self, statement, *values):
        with sqlite3.connect(self.file, timeout=20) as connection:
            rows = connection.execute(statement, values).fetchall()
        connection.close()
        return rows

    def add(self, count=1):
        with sqlite3.connect(self.file, timeout=20) as connection:
            connection.executemany(
                "INSERT INTO table_mappings (server_id, target_id, "
                "source_database, source_table, dest_database, dest_table) "
                "VALUES (1, 1, 'Shop', ?, 'Copy', ?)",
                [(f"t{i}", f"t{i}") for i in range(1, count + 1)])
        connection.close()

    def daemon_runs(self):
        self.sql("INSERT INTO daemons (daemon, version, started_at, "
                 "heartbeat_at) VALUES ('host:1', '9', "
                 "strftime('%Y-%m-%dT%H:%M:%f', 'now'), "
                 "strftime('%Y-%m-%dT%H:%M:%f', 'now', '+1 hour'))")

    def state(self, mapping, state, lag=None):
        self.sql("INSERT OR REPLACE INTO mapping_state (mapping_id, state, "
                 "lag_seconds) VALUES (?, ?, ?)", mapping, state, lag)

    def loads(self, mapping, processed, total, rate=10):
        self.sql("INSERT INTO sync_status (mapping_id, sync_type, status, "
                 "records_processed, records_total, rows_per_second) VALUES "
                 "(?, 'FULL_SYNC', 'RUNNING', ?, ?, ?)", mapping, processed,
                 total, rate)


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path)
    made.add(3)
    return made


def one_line(done, code, *words):
    assert done.returncode == code, done.stderr
    assert done.stderr.count("\n") == 1
    assert all(word in done.stderr for word in words), done.stderr


# -------------------------------------------------------------------- orders

@pytest.mark.parametrize("arguments, row", [
    (["sync", "2"], ("FULL_SYNC", None, None, 0)),
    (["sync", "2", "--where", "id < 5 AND name = N'é''x'"],
     ("RESYNC", None, "id < 5 AND name = N'é''x'", 0)),
    (["verify", "2"], ("VERIFY", "TAIL", None, 0)),
    (["verify", "--whole", "2"], ("VERIFY", "WHOLE", None, 0)),
    (["repair", "2"], ("REPAIR", "TAIL", None, 1)),
    (["repair", "2", "--whole", "--apply"], ("REPAIR", "WHOLE", None, 0)),
    (["pause", "2"], ("PAUSE", None, None, 0)),
    (["resume", "2"], ("RESUME", None, None, 0)),
    (["skip", "2", "--yes"], ("SKIP_TO_NOW", None, None, 0)),
    (["compact", "2"], ("COMPACT", None, None, 0))])
def test_orders(store, arguments, row):
    done = store.run(*arguments)
    assert done.returncode == 0, done.stderr
    assert f"Request 1: {row[0]} of mapping 2 is ordered." in done.stdout
    assert "No daemon is running" in done.stdout
    assert store.sql(
        "SELECT request_type, scope, where_condition, dry_run, mapping_id, "
        "requested_by, state FROM sync_requests") == [
            (*row, 2, getpass.getuser(), "PENDING")]


@pytest.mark.parametrize("arguments, words", [
    (["sync", "9"], ["mapping 9 does not exist", "status"]),
    (["pause", "orders"], ["'orders' is not the number"]),
    (["pause", "0"], ["'0' is not the number"]),
    (["pause", "99999999999999999999"], ["is not the number"]),
    (["sync"], ["sync needs an argument", "MAPPING"]),
    (["sync", "1", "2"], ["argument '2' is not expected"]),
    (["sync", "1", "--where"], ["'--where' needs a value"]),
    (["sync", "1", "--where", " "], ["--where is empty"]),
    (["sync", "1", "--apply"], ["option '--apply' is not known"]),
    (["skip", "1"], ["--yes"]),
    (["requests", "-n", "0"], ["'0' is not a number from 1"]),
    (["status", "--watch", "--json"], ["do not go together"]),
    (["status", "--watch=soon"], ["'soon' is not a number"]),
    (["completion", "fish"], ["neither bash nor zsh"])])
def test_mistakes(store, arguments, words):
    one_line(store.run(*arguments), 2, *words)
    assert store.sql("SELECT COUNT(*) FROM sync_requests") == [(0,)]


@pytest.mark.parametrize("state, code", [
    ("COMPLETED", 0), ("FAILED", 1), ("REJECTED", 1)])
def test_wait(store, state, code):
    waiting = store.start("verify", "1", "--wait")
    dataflow.wait_for(lambda: store.sql("SELECT 1 FROM sync_requests"))
    store.sql("UPDATE sync_requests SET state = 'RUNNING'")
    time.sleep(0.7)
    assert waiting.poll() is None
    store.sql("UPDATE sync_requests SET state = ?, answer = 'so it is'",
              state)
    out, _ = waiting.communicate(timeout=20)
    assert waiting.returncode == code
    assert out.splitlines()[-1] == f"Request 1: {state}: so it is"


def test_wait_for_what_was_deleted(store):
    waiting = store.start("sync", "1", "--wait")
    dataflow.wait_for(lambda: store.sql("SELECT 1 FROM sync_requests"))
    store.sql("DELETE FROM sync_requests")
    _, stderr = waiting.communicate(timeout=20)
    assert waiting.returncode == 1 and "request 1 was deleted" in stderr


def test_wait_is_interrupted(store):
    waiting = store.start("sync", "1", "--wait")
    dataflow.wait_for(lambda: store.sql("SELECT 1 FROM sync_requests"))
    time.sleep(0.3)
    waiting.send_signal(signal.SIGINT)
    _, stderr = waiting.communicate(timeout=10)
    assert waiting.returncode == 1 and "request 1 stays" in stderr
    assert store.sql("SELECT state FROM sync_requests") == [("PENDING",)]


def test_a_daemon_answers(world):
    """All the way, on a SQL Server."""
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v INT)")
    world.on_source("INSERT INTO t VALUES (1, 1)")
    mapping = world.add_mapping("t", cdc=0)
    world.start()
    world.wait_equal("t")
    world.on_source("INSERT INTO t VALUES (2, 2)")
    env = world.environment()
    done = dataflow.run("sync", str(mapping), "--wait", env=env, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No daemon" not in done.stdout and "COMPLETED" in done.stdout
    assert not world.differences("t")
    assert world.control("SELECT requested_by FROM sync_requests") == [
        (getpass.getuser(),)]
    for command, state in (("pause", 1), ("resume", 0)):
        done = dataflow.run(command, str(mapping), "--wait", env=env,
                            timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        assert world.control("SELECT is_paused FROM table_mappings") == [
            (bool(state),)]
    listed = json.loads(dataflow.run("requests", "--json", env=env).stdout)
    assert [r["request_type"] for r in listed] == ["RESUME", "PAUSE",
                                                   "FULL_SYNC"]
    assert all(r["state"] == "COMPLETED" and r["completed_at"]
               for r in listed)
    logs = dataflow.run("logs", str(mapping), env=env).stdout
    assert "INFO" in logs and f" {mapping} " in logs
    one_line(dataflow.run("sync", "77", env=env), 2, "mapping 77 does not")


@pytest.fixture
def control_server(bare_world):
    """A server for the control tables that can be taken away."""
    with Tdsd() as tdsd:
        env = {"DEST_SERVER": f"127.0.0.1,{tdsd.port}", "DEST_USER": "sa",
               "DEST_PASS": tdsd.password}
        assert dataflow.run("init", env=env).returncode == 0

        def query(sql):
            import pytds
            with pytds.connect("127.0.0.1", database="dbaops_dataflow",
                               user="sa", password=tdsd.password,
                               port=tdsd.port, autocommit=True) as connection:
                with connection.cursor() as cursor:
                    cursor.execute(sql)
                    return cursor.fetchall() if cursor.description else []
        query("INSERT INTO source_servers (server_name, connection_string) "
              "VALUES (N's', N'server=h')")
        query("INSERT INTO table_mappings (server_id, source_database, "
              "source_table, dest_database, dest_table) "
              "VALUES (1, N'd', N'orders', N'd', N't')")
        yield tdsd, env, query


@pytest.mark.standin
def test_wait_survives_the_control_store(control_server):
    tdsd, env, query = control_server
    waiting = subprocess.Popen(
        [dataflow.program(), "sync", "1", "--wait"],
        env=dataflow.clean_environment(env), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)
    dataflow.wait_for(lambda: query("SELECT 1 FROM sync_requests"))
    tdsd.kill()
    time.sleep(1.5)
    assert waiting.poll() is None
    tdsd.start()
    query("UPDATE sync_requests SET state = N'COMPLETED'")
    out, stderr = waiting.communicate(timeout=60)
    assert waiting.returncode == 0 and "COMPLETED" in out
    assert stderr.count("trying again") == 1, stderr


# ------------------------------------------------------------------ requests

def test_requests(store):
    for i in range(30):
        store.sql("INSERT INTO sync_requests (mapping_id, request_type, "
                  "requested_by) VALUES (?, 'FULL_SYNC', 'anna')", i % 2 + 1)
    store.sql("UPDATE sync_requests SET state = 'REJECTED', "
              "answer = 'no\x1b[2J way' WHERE request_id = 30")
    listed = store.run("requests").stdout.splitlines()
    assert [int(line.split()[0]) for line in listed[1:]
            if re.match(r" +\d", line)] == list(range(30, 10, -1))
    assert "anna" in listed[1] and "REJECTED" in listed[1]
    assert "no?[2J way" in listed[2]
    rows = json.loads(store.run("requests", "1", "--json", "-n", "3").stdout)
    assert [r["request_id"] for r in rows] == [29, 27, 25]
    assert {r["mapping_id"] for r in rows} == {1}
    assert json.loads(store.run("requests", "3", "--json").stdout) == []


# ---------------------------------------------------------------------- logs

def log(store, message, at, mapping=1, level="INFO"):
    store.sql("INSERT INTO sync_logs (mapping_id, log_level, log_message, "
              "created_at) VALUES (?, ?, ?, ?)", mapping, level, message, at)


def trouble(store, message, at, mapping=1):
    store.sql("INSERT INTO error_logs (mapping_id, error_type, "
              "error_message, created_at) VALUES (?, 'SYNC', ?, ?)", mapping,
              message, at)


def test_logs(store):
    for i in range(30):
        log(store, f"line {i}", f"2026-01-01T00:00:{i:02d}", i % 2 + 1)
    trouble(store, "it broke", "2026-01-01T00:00:20.5")
    trouble(store, "all of it", "2026-01-01T00:00:25.5", None)
    lines = store.run("logs", "-n", "12").stdout.splitlines()
    assert len(lines) == 12
    assert [line.split()[1] for line in lines] == sorted(
        line.split()[1] for line in lines)
    assert lines[-1].endswith("line 29")
    at = [i for i, line in enumerate(lines) if "SYNC: it broke" in line]
    assert at and "line 20" in lines[at[0] - 1] and \
        "line 21" in lines[at[0] + 1]
    of_one = store.run("logs", "1").stdout
    assert "line 28" in of_one and "line 29" not in of_one
    assert "all of it" not in of_one and "it broke" in of_one
    errors = store.run("logs", "--errors").stdout.splitlines()
    assert len(errors) == 2 and "it broke" in errors[0]


def lines_of(process, until, timeout=20):
    """What it writes, line by line, until a line holds `until`."""
    found, deadline = [], time.monotonic() + timeout * dataflow.slowness()
    while not found or until not in found[-1]:
        ready, _, _ = select.select([process.stdout], [], [],
                                    max(0, deadline - time.monotonic()))
        assert ready, f"no '{until}' in {found}"
        found.append(process.stdout.readline())
        assert found[-1], f"it ended: {found}"
    return found


def test_logs_follow(store):
    log(store, "old", "2026-01-01T00:00:00")
    follower = store.start("logs", "--follow", bufsize=0, text=False)
    assert b"old" in follower.stdout.readline()
    log(store, "newer", "2026-01-01T00:00:01")
    trouble(store, "it broke", "2026-01-01T00:00:02")
    found = b"".join(lines_of(follower, b"it broke"))
    assert b"newer" in found and b"old" not in found
    store.sql("UPDATE error_logs SET is_resolved = 1, resolved_at = "
              "strftime('%Y-%m-%dT%H:%M:%f', 'now')")
    assert b"it broke" in lines_of(follower, b"RESOLVED")[-1]
    log(store, "last", "2026-01-01T00:00:03")
    assert len(lines_of(follower, b"last")) == 1
    follower.send_signal(signal.SIGINT)
    assert follower.wait(10) == 0
    assert follower.stderr.read() == b""


def test_logs_follow_into_a_pipe_that_is_closed(store):
    log(store, "old", "2026-01-01T00:00:00")
    follower = store.start("logs", "--follow")
    follower.stdout.readline()
    follower.stdout.close()
    deadline = time.monotonic() + 30
    while follower.poll() is None and time.monotonic() < deadline:
        log(store, "more", "2026-01-01T00:00:01")
        time.sleep(0.2)
    assert follower.poll() == 0


# --------------------------------------------------------------------- watch

class Screen:
    """`status --watch` on a terminal, and what it shows."""

    def __init__(self, store, columns=100, lines=30, **environment):
        try:
            self.master, slave = pty.openpty()
        except OSError as error:
            pytest.skip(f"this machine has no terminals: {error}")
        self.size(columns, lines)
        self.process = store.start("status", "--watch", "1", stdout=slave,
                                   text=False,
                                   env={"TERM": "xterm", **environment})
        os.close(slave)
        self.seen = b""

    def size(self, columns, lines):
        self.columns, self.lines = columns, lines
        fcntl.ioctl(self.master, termios.TIOCSWINSZ,
                    struct.pack("HHHH", lines, columns, 0, 0))

    def read(self, seconds=0.2):
        while select.select([self.master], [], [], seconds)[0]:
            try:
                self.seen += os.read(self.master, 65536)
            except OSError:     # the other end is closed
                break
        return self.seen.decode()

    def frame(self, text, timeout=20):
        """The first whole screen that has it."""
        def whole():
            frames = self.read().split("\x1b[H")[1:]
            return next((f for f in frames if "\x1b[J" in f and text in f),
                        None)
        return dataflow.wait_for(whole, timeout, what=f"'{text}'")

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(10)
        os.close(self.master)
        return code


def plain(frame):
    return [ESCAPES.sub("", line).rstrip("\r")
            for line in frame.split("\x1b[J")[0].split("\n")]


def test_watch_on_a_terminal(store):
    store.daemon_runs()
    store.state(1, "CDC", 1.5)
    store.state(2, "ERROR")
    trouble(store, "it broke \x1b]0;title\x07 in two", "2026-01-01", 2)
    store.state(3, "FULL_SYNC")
    store.loads(3, 500, 1000)
    screen = Screen(store)
    frame = screen.frame("FULL_SYNC")
    lines = plain(frame)
    assert "is running" in lines[0]
    assert lines[1] == "3 mappings: 1 ERROR, 1 FULL_SYNC, 1 CDC"
    rows = [line for line in lines[4:] if line.strip()]
    assert [row.split()[0] for row in rows] == ["2", "SYNC:", "3", "1"]
    assert "it broke ?]0;title? in two" in rows[1]
    bar = re.search(r"10  \[(#+)(\.+)\] +50\.0 % +50 s", rows[2])
    assert bar and abs(len(bar[1]) - len(bar[2])) <= 1, rows[2]
    assert rows[3].split()[1:4] == ["Shop.dbo.t1", "CDC", "1.5"]
    assert "\x1b[31mERROR" in frame and "\x1b[32mCDC" in frame
    store.sql("UPDATE sync_status SET records_processed = 900")
    assert "90.0 %" in screen.frame("90.0 %")
    assert screen.stop() == 0


def test_watch_without_colours(store):
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        screen = Screen(store, **environment)
        dataflow.wait_for(lambda s=screen: "Shop.dbo.t3" in s.read())
        seen = screen.read()
        assert not re.search(r"\x1b\[[0-9;]*m", seen)
        assert ("\x1b" in seen) == (environment.get("TERM") != "dumb")
        assert screen.stop() == 0


@pytest.mark.parametrize("columns, lines", [
    (80, 24), (40, 12), (200, 50), (60, 10), (25, 8)])
def test_watch_fits(tmp_path, columns, lines):
    """A thousand mappings, and no line longer or more than there is room."""
    store = Store(tmp_path)
    store.add(1000)
    store.daemon_runs()
    with sqlite3.connect(store.file) as connection:
        connection.executemany(
            "INSERT INTO mapping_state (mapping_id, state, lag_seconds) "
            "VALUES (?, 'CDC', ?)", [(i, i / 10) for i in range(1, 1001)])
    connection.close()
    store.state(777, "RETRYING")
    store.sql("UPDATE table_mappings SET source_table = '表" + "長" * 80 +
              "' WHERE mapping_id = 1000")
    trouble(store, "word " * 200, "2026-01-01", 777)
    screen = Screen(store, columns, lines)
    frame = plain(screen.frame(" more"))
    assert len(frame) <= lines
    for line in frame:
        wide = sum(2 if ord(c) > 0x2e80 else 1 for c in line)
        assert wide < columns, line
    rows = [line for line in frame[4:] if line.strip()]
    assert rows[0].split()[0] == "777"
    if columns >= 60:
        assert rows[1].split()[0] == "SYNC:"
    shown = sum(bool(re.match(r" +\d+  ", row)) for row in rows)
    assert rows[-1].split() == ["and", str(1000 - shown), "more"]
    if columns >= 80:
        assert "1 RETRYING, 999 CDC" in frame[1]
        assert rows[2].split()[0] == "1000"     # the greatest lag
    assert screen.stop() == 0


def test_watch_follows_the_size(store):
    screen = Screen(store, 120, 30)
    screen.frame("Shop.dbo.t3")
    screen.size(30, 10)
    screen.seen = b""
    frame = plain(screen.frame("STATE"))
    assert all(len(line) < 30 for line in frame), frame
    assert screen.stop() == 0


def test_watch_in_a_pipe(store):
    store.daemon_runs()
    for i in range(1, 4):
        store.state(i, "CDC", 1)
    watch = store.start("status", "--watch", "1", bufsize=0, text=False)
    found = b"".join(lines_of(watch, b"dbo.t3") + lines_of(watch, b"dbo.t3"))
    assert b"\x1b" not in found and b"more" not in found
    assert found.count(b"3 mappings: 3 CDC") == 2
    watch.send_signal(signal.SIGTERM)
    assert watch.wait(10) == 0


def test_watch_into_a_pipe_that_is_closed(store):
    watch = store.start("status", "--watch", "1")
    watch.stdout.readline()
    watch.stdout.close()
    assert watch.wait(20) == 0


@pytest.mark.standin
def test_watch_survives_the_control_store(control_server):
    tdsd, env, _ = control_server
    watch = subprocess.Popen(
        [dataflow.program(), "status", "--watch", "1"],
        env=dataflow.clean_environment(env), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, bufsize=0)
    lines_of(watch, b"d.dbo.orders")
    tdsd.kill()
    lines_of(watch, b"control tables cannot be read")
    tdsd.start()
    lines_of(watch, b"d.dbo.orders", 60)
    # One that hangs does not keep it from ending.
    tdsd.pause()
    try:
        time.sleep(1.5)
        watch.send_signal(signal.SIGINT)
        assert watch.wait(10) == 0
    finally:
        tdsd.resume()


# ---------------------------------------------------------------- completion

def complete(*words):
    """What bash offers after these words."""
    script = dataflow.run("completion", "bash").stdout
    quoted = " ".join(f"'{word}'" for word in words)
    done = subprocess.run(
        ["bash", "--norc", "-c", script + f"COMP_WORDS=({quoted}); "
         f"COMP_CWORD={len(words) - 1}; _dbaops_dataflow; "
         "printf '%s\\n' \"${COMPREPLY[@]}\""],
        stdout=subprocess.PIPE, text=True, check=True, cwd=dataflow.TOP)
    return set(done.stdout.split())


def commands():
    usage = dataflow.run("--help").stdout.split("Options:")[0]
    return set(re.findall(r"^  ([\w-]+) +\S", usage, re.M))


def test_completion():
    assert complete("dbaops-dataflow", "") == commands()
    assert complete("dbaops-dataflow", "re") == {"repair", "requests",
                                                 "resume"}
    for command in commands():
        text = dataflow.run(command, "--help").stdout.split("Environment")[0]
        known = set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", text, re.M))
        assert "--help" in known
        assert complete("dbaops-dataflow", command, "--") == known
    assert complete("dbaops-dataflow", "completion", "") == {"bash", "zsh"}
    assert "README.md" in complete("dbaops-dataflow", "run", "--config", "RE")


def test_completion_for_zsh():
    script = dataflow.run("completion", "zsh").stdout
    assert script.startswith("#compdef dbaops-dataflow\n")
    for command in commands():
        assert f"\n{command}) " in script
