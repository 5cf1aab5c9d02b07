"""The listener for metrics and probes: what it says, where it listens, and that
nobody who connects to it can do any harm."""
import contextlib
import glob
import itertools
import json
import os
import re
import resource
import socket
import subprocess
import time

import pytest

from support import dataflow, web
from support.ports import free_port
from support.relay import Relay, port_of
from test_secrets import TOKEN, planted, search  # noqa: F401

TOP = dataflow.TOP
ODD = "<script>window.hacked = 1</script> it's \"q\" \\ n"
PAGES = ("/", "/status.json", "/metrics", "/healthz", "/readyz")


def listening(daemon):
    """(address, port) of each socket that it listens on, as the kernel says."""
    own = set()
    for path in glob.glob(f"/proc/{daemon.process.pid}/fd/*"):
        with contextlib.suppress(FileNotFoundError):
            own.add(os.readlink(path))
    found = []
    for table in ("tcp", "tcp6"):
        with open(f"/proc/net/{table}", encoding="ascii") as file:
            for line in list(file)[1:]:
                fields = line.split()
                if fields[3] == "0A" and f"socket:[{fields[9]}]" in own:
                    address, port = fields[1].split(":")
                    found.append((address, int(port, 16)))
    return found


LOOPBACK = "0100007F"


def wait_until_it_answers(port, path="/healthz", wanted=200, timeout=30):
    dataflow.wait_for(lambda: web.answers(port, path) == wanted, timeout,
                      what=f"{wanted} from {path}")


# ------------------------------------------------------------- what it says

@pytest.fixture(scope="module")
def shown(make_world):
    """A daemon with three mappings: one that follows changes, one with an odd
    name, one that fails."""
    world = make_world(max_retry_attempts=1, connect_timeout_seconds=2)
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "v NVARCHAR(50))")
    world.on_source("INSERT INTO t VALUES (1, N'one'), (2, N'two')")
    world.on_source(f"CREATE TABLE [{ODD}] (id INT NOT NULL PRIMARY KEY)")
    world.on_source(f"INSERT INTO [{ODD}] VALUES (1)")
    world.enable_cdc("t")
    nobody = world.add_server(
        "<b>nobody</b>", f"server=127.0.0.1,{free_port()};user id=u;"
        f"password={TOKEN}")
    world.good = world.add_mapping("t")
    world.odd = world.add_mapping(ODD, "odd", cdc=0)
    world.bad = world.add_mapping("t", "bad", server_id=nobody)
    world.port = free_port()
    world.daemon = world.start("--metrics-listen", str(world.port))
    world.wait_equal("t")
    dataflow.wait_for(lambda: world.errors(world.bad))
    dataflow.wait_for(lambda: world.state(world.odd) == "IDLE")
    world.on_source("INSERT INTO t VALUES (3, N'three')")
    world.wait_equal("t")
    return world


def test_off_by_default(world):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    world.add_mapping("t", cdc=0)
    daemon = world.start()
    world.wait_equal("t")
    assert listening(daemon) == []


def test_a_port_alone_is_on_loopback(shown):
    assert listening(shown.daemon) == [(LOOPBACK, shown.port)]


def test_promtool_likes_the_metrics(shown):
    text = web.get(shown.port, "/metrics").text
    done = subprocess.run(["promtool", "check", "metrics"], input=text,
                          text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0 and done.stdout.strip() == "", done.stdout


def test_the_metrics_are_true(shown):
    def as_in_the_tables():
        samples = web.metrics(shown.port)
        table = dict(shown.control(
            "SELECT mapping_id, rows_applied FROM mapping_state"))
        return samples if all(
            web.value(samples, "dataflow_mapping_rows_applied_total",
                      mapping_id=str(m)) == table[m]
            for m in (shown.good, shown.odd)) else None
    samples = dataflow.wait_for(as_in_the_tables)
    good, odd, bad = ({"mapping_id": str(m)}
                      for m in (shown.good, shown.odd, shown.bad))

    def value(name, **labels):
        return web.value(samples, "dataflow_" + name, **labels)
    assert value("mapping_rows_applied_total", **good) == 3
    # Two integers of 8 bytes and 6 of text, and then 8 and 10.
    assert value("mapping_bytes_applied_total", **good) == 16 + 12 + 8 + 10
    assert value("mapping_rows_applied_total", **odd,
                 source=f"{shown.src_db}.dbo.{ODD}",
                 destination=f"{shown.dst_db}.dbo.odd", server="source") == 1
    assert value("mapping_state", state="CDC", **good) == 1
    assert value("mapping_state", state="IDLE", **odd) == 1
    assert value("mapping_health", health="HEALTHY", **odd) == 1
    assert value("mapping_health", health="ERROR", **bad) == 1
    assert value("mapping_errors_total", type="CONNECTION", **bad) >= 1
    assert value("mapping_errors_total", type="CONNECTION", **good) == 0
    assert value("errors_total", type="CONNECTION") >= 1
    assert 0 <= value("mapping_lag_seconds", **good) < 60
    assert value("mapping_lag_seconds", **bad) is None
    assert value("mapping_consistent", **good) == 1
    assert abs(value("mapping_last_success_timestamp_seconds", **good) -
               time.time()) < 60
    assert value("mapping_last_success_timestamp_seconds", **bad) is None
    assert value("mappings") == 3 and value("up") == 1
    assert value("control_store_up", access="read") == 1
    assert value("control_store_up", access="write") == 1
    assert value("connections_limit") == 48
    assert 150 << 20 < value("memory_budget_bytes") < 256 << 20
    assert value("memory_wanted_bytes") == 0
    assert value("outbox_dropped_rows_total") == 0
    assert value("build_info", version=dataflow.run("--version")
                 .stdout.split()[1]) == 1


def test_the_status_is_true(shown):
    status = web.status(shown.port)
    mappings = {m["mapping_id"]: m for m in status["mappings"]}
    assert sorted(mappings) == [shown.good, shown.odd, shown.bad]
    odd, bad = mappings[shown.odd], mappings[shown.bad]
    assert odd["source"] == f"{shown.src_db}.dbo.{ODD}"
    assert odd["health"] == "HEALTHY" and odd["rows_applied"] == 1
    assert odd["run"] is None and odd["verification"]["status"] is None
    assert bad["server"] == "<b>nobody</b>" and bad["health"] == "ERROR"
    assert bad["reason"] == shown.errors(shown.bad)[0][1]
    assert [(e["mapping_id"], e["type"], e["message"], e["is_resolved"])
            for e in status["recent_errors"]] == \
        [(shown.bad, "CONNECTION", bad["reason"], False)]
    assert status["daemon"]["ready"] is True
    dataflow.wait_for(lambda: web.status(shown.port)["mappings"][0]
                      ["lag_history"], what="a lag that was kept")


def test_a_running_load_is_shown(shown):
    rows = ", ".join(f"({i}, REPLICATE('x', 4000))" for i in range(1000))
    shown.on_source("CREATE TABLE big (id INT NOT NULL PRIMARY KEY, "
                    "v VARCHAR(8000))")
    shown.on_source(f"INSERT INTO big VALUES {rows}")
    relay = Relay(port_of(shown.source))
    relay.freeze_after(200000, by_client=False)
    try:
        server = shown.add_server("slow", shown.connection_string().replace(
            shown.source.address, relay.address))
        mapping = shown.add_mapping("big", server_id=server, cdc=0,
                                    dest_table="big")
        shown.config(batch_size=10)

        def run():
            return [m["run"] for m in web.status(shown.port)["mappings"]
                    if m["mapping_id"] == mapping and m["run"]]
        found = dataflow.wait_for(
            lambda: [r for r in run() if r["records_processed"] > 0])[0]
        assert found["sync_type"] == "FULL_SYNC"
        assert 0 < found["percent"] < 100 and found["records_total"] == 1000
        samples = web.metrics(shown.port)
        assert 0 < web.value(samples, "dataflow_mapping_run_rows",
                             mapping_id=str(mapping)) < 1000
        assert web.value(samples, "dataflow_mapping_run_expected_rows",
                         mapping_id=str(mapping)) == 1000
        assert web.value(samples, "dataflow_mapping_state", state="FULL_SYNC",
                         mapping_id=str(mapping)) == 1
    finally:
        relay.thaw()
    shown.wait_equal("big")
    dataflow.wait_for(lambda: not run())
    shown.control("UPDATE table_mappings SET is_enabled = 0 WHERE mapping_id "
                  f"= {mapping}")
    dataflow.wait_for(lambda: mapping not in [
        m["mapping_id"] for m in web.status(shown.port)["mappings"]])
    relay.close()


def test_headers(shown):
    for path in (*PAGES, "/nothing"):
        answer = web.get(shown.port, path)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Frame-Options"] == "DENY"
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy and "http" not in policy
        assert answer.headers["Access-Control-Allow-Origin"] is None
    assert web.get(shown.port, "/metrics").headers["Content-Type"] == \
        "text/plain; version=0.0.4; charset=utf-8"
    assert web.get(shown.port, "/status.json").headers["Content-Type"] == \
        "application/json"


def test_paths_and_methods(shown):
    assert web.get(shown.port, "/healthz").status == 200
    assert web.get(shown.port, "/readyz").status == 200
    for path in ("/nothing", "/metrics/", "/../etc/passwd", "/%2e%2e/",
                 "//", "/METRICS", "/index.html"):
        assert web.get(shown.port, path).status == 404, path
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"):
        answer = web.get(shown.port, "/metrics", method)
        assert answer.status == 405, method
        assert answer.headers["Allow"] == "GET, HEAD"
    assert web.get(shown.port, "/", "POST", body="x" * 100000).status == 405
    head = web.get(shown.port, "/metrics", "HEAD")
    assert head.status == 200 and head.text == ""
    assert int(head.headers["Content-Length"]) > 1000
    # a query is no part of the path
    assert web.get(shown.port, "/metrics?a=b").status == 200


def test_odd_requests(shown):
    """Whatever somebody sends, the answer is an error or the end."""
    for request in (b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
                    b"GET / HTTP/1.1\r\nX: " + b"y" * 100000 + b"\r\n\r\n",
                    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
                    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 50,
                    b"\0" * 1000, b"GET\r\n\r\n", b"\r\n" * 100,
                    b"GET / HTTP/9.9\r\n\r\n", b"A" * 50000):
        with socket.create_connection(("127.0.0.1", shown.port),
                                      timeout=15) as client:
            with contextlib.suppress(OSError):
                client.sendall(request)
            answer = b""
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_WR)
            # It hangs up by itself; a time-out here would be a failure.
            with contextlib.suppress(ConnectionError):
                while data := client.recv(65536):
                    answer += data
            assert b"200 OK" not in answer[:20], request[:20]
    assert web.get(shown.port, "/healthz").status == 200


def test_alerts_and_dashboard_know_the_metrics(shown):
    """Every name and every label that they use is there."""
    text = web.get(shown.port, "/metrics").text
    known = {name: set() for name in re.findall(r"# TYPE (\w+) ", text)}
    for name, labels, _ in web.parse(text):
        known[name] |= set(labels)
    per_mapping = {"mapping_id", "server", "source", "destination"}
    used = set()
    for expression in expressions():
        for name, inside in re.findall(r"\b(dataflow_\w+)(?:\{([^}]*)\})?",
                                       expression):
            assert name in known, f"{name} in {expression}"
            used.add(name)
            has = known[name] | {"instance", "job"} | (
                per_mapping if name.startswith("dataflow_mapping_") else set())
            for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inside or ""):
                assert label in has, f"{label} of {name} in {expression}"
    # What nobody looks at need not be measured.
    assert known.keys() - used - {"dataflow_mappings"} == set()


def expressions():
    with open(f"{TOP}/etc/prometheus-alerts.yml", encoding="utf-8") as file:
        rules = file.read()
    # an expression ends where the next key of the rule begins
    found = re.findall(r"^ +expr:(.*?)^ +(?:for|labels):", rules, re.M | re.S)
    assert len(found) == rules.count("- alert:")
    with open(f"{TOP}/etc/grafana-dashboard.json", encoding="utf-8") as file:
        dashboard = json.load(file)
    assert len(dashboard["panels"]) > 10
    for panel in dashboard["panels"]:
        found += [target["expr"] for target in panel["targets"]]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            found.append(variable["query"]["query"])
    for annotation in dashboard["annotations"]["list"]:
        found.append(annotation["expr"])
    return found


def test_promtool_likes_the_alerts(tmp_path):
    rules = f"{TOP}/etc/prometheus-alerts.yml"
    for command in (["check", "rules", rules],
                    ["test", "rules",
                     f"{TOP}/tests/integration/alerts_test.yml"]):
        done = subprocess.run(["promtool", *command], text=True, cwd=tmp_path,
                              stdout=subprocess.PIPE, check=False,
                              stderr=subprocess.STDOUT)
        assert done.returncode == 0 and "SUCCESS" in done.stdout, done.stdout


def test_prometheus_takes_it(shown, tmp_path):
    """A real one scrapes, evaluates the rules, and alerts."""
    port = free_port()
    config = tmp_path / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
        f"rule_files: ['{TOP}/etc/prometheus-alerts.yml']\n"
        "scrape_configs: [{job_name: dataflow, static_configs: "
        f"[{{targets: ['127.0.0.1:{shown.port}']}}]}}]\n")
    with open(tmp_path / "log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(
            ["prometheus", f"--config.file={config}",
             f"--storage.tsdb.path={tmp_path}/data",
             f"--web.listen-address=127.0.0.1:{port}"],
            stdout=log, stderr=log)
    try:
        def pending():
            if web.answers(port, "/-/ready") != 200:
                return []
            answer = json.loads(web.get(port, "/api/v1/alerts").text)
            return [a for a in answer["data"]["alerts"]
                    if a["labels"]["alertname"] == "DataFlowMappingFails"]
        alerts = dataflow.wait_for(pending, 60, 0.5, what="the alert")
        assert alerts[0]["labels"]["mapping_id"] == str(shown.bad)
        assert "fails" in alerts[0]["annotations"]["summary"]
        answer = json.loads(web.get(
            port, "/api/v1/query?query=dataflow_mapping_state").text)
        assert f"{shown.src_db}.dbo.{ODD}" in [
            m["metric"]["source"] for m in answer["data"]["result"]]
    finally:
        process.kill()
        process.wait()


# --------------------------------------------------------- where it listens

def test_the_config_row(world):
    """Taken up at a tick, moved, and taken back."""
    one, two = free_port(), free_port()
    daemon = world.start()
    dataflow.wait_for(lambda: "starts" in daemon.log())
    for port in (one, two):
        world.config(metrics_listen=f"127.0.0.1:{port}")
        wait_until_it_answers(port)
        assert listening(daemon) == [(LOOPBACK, port)]
    world.config(metrics_listen="0.0.0.0:" + str(one))
    wait_until_it_answers(one)
    assert listening(daemon) == [("00000000", one)]
    world.config(metrics_listen=f"[::1]:{one}")
    dataflow.wait_for(lambda: web.answers(one, host="::1") == 200)
    world.config(metrics_listen="off")
    dataflow.wait_for(lambda: listening(daemon) == [])
    assert world.errors() == []


BAD = {
    "no port": ("here", "'metrics_listen' must be 'host:port'"),
    "too large": ("127.0.0.1:65536", "'metrics_listen' must be 'host:port'"),
    "unknown host": ("no-such-host.invalid:9187",
                     "metrics_listen: unknown host 'no-such-host.invalid'"),
    "not ours": ("192.0.2.1:9187", "metrics_listen: cannot listen on port "
                 "9187 of '192.0.2.1'"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_row_is_one_error(world, case):
    address, message = BAD[case]
    port = free_port()
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    world.add_mapping("t", cdc=0)
    world.config(metrics_listen=address)
    daemon = world.start()
    found = dataflow.wait_for(world.errors)
    world.wait_equal("t")
    time.sleep(2.5)
    found = world.errors()
    assert len(found) == 1 and found[0][0] == "OTHER", found
    assert found[0][1].count("metrics_listen") == 1, found
    assert message in found[0][1], found
    assert daemon.log().count(message) == 1
    world.config(metrics_listen=port)
    wait_until_it_answers(port)
    dataflow.wait_for(lambda: world.errors() == [])
    assert len(world.errors(resolved=1)) == 1


@pytest.mark.parametrize("by", ["config", "option"])
def test_a_busy_port_is_tried_again(world, by):
    busy = socket.create_server(("127.0.0.1", 0))
    port = busy.getsockname()[1]
    if by == "config":
        world.config(metrics_listen=port)
        daemon = world.start()
    else:
        daemon = world.start("--metrics-listen", str(port))
    found = dataflow.wait_for(world.errors)
    assert len(found) == 1 and "Address already in use" in found[0][1], found
    time.sleep(1)
    assert world.errors() == found and daemon.is_running()
    busy.close()
    wait_until_it_answers(port)
    dataflow.wait_for(lambda: world.errors() == [])


def test_two_bad_settings_share_a_row(world):
    """Both are the daemon's own trouble: neither hides the other."""
    world.config(metrics_listen="192.0.2.1:9187", batch_size=0)
    world.start()
    dataflow.wait_for(lambda: [m for _, m, _ in world.errors()
                               if "batch_size" in m and "192.0.2.1" in m])
    world.config(batch_size=10)
    dataflow.wait_for(lambda: [m for _, m, _ in world.errors()
                               if "batch_size" not in m and "192.0.2.1" in m])
    assert len(world.errors()) == 1
    world.config(metrics_listen="")
    dataflow.wait_for(lambda: world.errors() == [])


def test_the_programs_own_setting_wins(world, tmp_path):
    ours, theirs, third = (free_port() for _ in range(3))
    world.config(metrics_listen=theirs)
    file = tmp_path / "dataflow.conf"
    file.write_text(f"metrics_listen = 127.0.0.1:{ours}\n")
    for arguments, environment, port in (
            (("--config", str(file)), {}, ours),
            ((), {"DATAFLOW_METRICS_LISTEN": str(ours)}, ours),
            (("--config", str(file)), {"DATAFLOW_METRICS_LISTEN": str(third)},
             third),
            (("--metrics-listen", str(ours)),
             {"DATAFLOW_METRICS_LISTEN": str(third)}, ours)):
        daemon = world.start(*arguments, **environment)
        wait_until_it_answers(port, "/readyz")
        time.sleep(1.5)
        assert listening(daemon) == [(LOOPBACK, port)]
        daemon.stop()
    daemon = world.start("--metrics-listen", "off")
    dataflow.wait_for(lambda: "starts" in daemon.log())
    time.sleep(1.5)
    assert listening(daemon) == []
    daemon.stop()
    file.write_text("metrics_listen =\n")
    world.start("--config", str(file))
    wait_until_it_answers(theirs)


@pytest.mark.parametrize("where", ["here", "127.0.0.1:", "0", "[::1]"])
def test_a_wrong_option(where):
    done = dataflow.run("run", "--metrics-listen", where)
    assert done.returncode == 2 and "metrics_listen" in done.stderr
    assert done.stderr.count("\n") == 1


# ------------------------------------------------------------------- probes

def test_ready_when_the_tables_were_read(bare_world):
    port = free_port()
    bare_world.start("--wait", "--metrics-listen", str(port))
    wait_until_it_answers(port)
    answer = web.get(port, "/readyz")
    assert answer.status == 503
    assert answer.text == "the control tables cannot be reached\n"
    assert web.value(web.metrics(port), "dataflow_up") == 0
    assert web.status(port)["daemon"]["ready"] is False
    done = dataflow.run("init", env=bare_world.environment())
    assert done.returncode == 0, done.stderr
    wait_until_it_answers(port, "/readyz")
    dataflow.wait_for(lambda: web.value(web.metrics(port), "dataflow_up") == 1)


@pytest.mark.threads
def test_the_control_tables_are_away(world):
    """A scrape does not ask them, and tells that they are away."""
    port = free_port()
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    world.enable_cdc("t")
    world.add_mapping("t")
    with Relay(port_of(world.dest)) as relay:
        world.start("--metrics-listen", str(port), DEST_SERVER=relay.address)
        world.wait_equal("t")
        relay.freeze()
        # It hangs: nobody knows yet, but nobody waits either.
        for _ in range(5):
            for path in PAGES:
                began = time.monotonic()
                assert web.get(port, path).status == 200
                assert time.monotonic() - began < 2 * dataflow.slowness()
            time.sleep(0.3)
        relay.close()

        def away():
            samples = web.metrics(port)
            return all(web.value(samples, "dataflow_control_store_up",
                                 access=a) == 0 for a in ("read", "write"))
        dataflow.wait_for(away, 30)
        assert web.get(port, "/readyz").status == 200
        world.on_source("INSERT INTO t VALUES (1)")
        dataflow.wait_for(lambda: web.value(
            web.metrics(port), "dataflow_outbox_rows") > 0, 60)


# --------------------------------------------------------------- robustness

OTHER = "127.0.0.2"  # where those come from who mean no good


def connect(port):
    client = socket.socket()
    client.settimeout(15)
    client.bind((OTHER, 0))
    client.connect(("127.0.0.1", port))
    return client


@pytest.fixture
def replicating(world):
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)")
    world.enable_cdc("t")
    world.add_mapping("t")
    world.port = free_port()
    world.daemon = world.start("--metrics-listen", str(world.port))
    world.wait_equal("t")
    wait_until_it_answers(world.port, "/readyz")
    # With those that are there only while it starts, or reads the tables.
    world.threads = 0
    for _ in range(40):
        world.threads = max(world.threads, count_threads(world.daemon))
        time.sleep(0.05)
    world.number = 0
    return world


def count_threads(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/task"))


def assert_undisturbed(world, seconds=3):
    """Scrapes are answered, and changes arrive."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        world.number += 1
        began = time.monotonic()
        world.on_source(f"INSERT INTO t VALUES ({world.number})")
        for path in PAGES:
            at = time.monotonic()
            assert web.get(world.port, path).status == 200
            assert time.monotonic() - at < 1 * dataflow.slowness()
        dataflow.wait_for(lambda: world.on_dest(
            f"SELECT 1 FROM t WHERE id = {world.number}"), 10, 0.05)
        assert time.monotonic() - began < 4 * dataflow.slowness()
    # A thread for an errand comes and goes; one for a client would stay.
    dataflow.wait_for(
        lambda: count_threads(world.daemon) <= world.threads, 2, 0.01)


@pytest.mark.threads
def test_five_hundred_connections(replicating):
    world = replicating
    before = world.daemon.peak_mib()
    clients = []
    try:
        for _ in range(500):
            with contextlib.suppress(OSError):
                clients.append(connect(world.port))
        assert len(clients) > 100
        assert_undisturbed(world)
        # Twenty of them at most are still open at this end.
        assert world.daemon.open_sockets() < 60
        if not os.environ.get("DATAFLOW_SANITIZE"):
            assert world.daemon.peak_mib() - before < 10
        code, seconds = world.daemon.stop()
        assert code == 0 and seconds < 5 * dataflow.slowness()
    finally:
        for client in clients:
            client.close()


@pytest.mark.threads
def test_clients_that_never_read(replicating):
    """They ask for all there is, again and again, and read none of it."""
    world = replicating
    before = world.daemon.peak_mib()
    clients = []
    try:
        for _ in range(20):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.bind((OTHER, 0))
            client.settimeout(15)
            client.connect(("127.0.0.1", world.port))
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
            clients.append(client)
        assert_undisturbed(world)
        if not os.environ.get("DATAFLOW_SANITIZE"):
            assert world.daemon.peak_mib() - before < 20
        code, seconds = world.daemon.stop()
        assert code == 0 and seconds < 5 * dataflow.slowness()
    finally:
        for client in clients:
            client.close()


def test_slow_ones_are_sent_away(replicating):
    """A byte now and then keeps nobody here for ever; silence even less."""
    world = replicating
    silent, slow = connect(world.port), connect(world.port)
    late = [connect(world.port) for _ in range(10)]
    began, ended = time.monotonic(), {}
    slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: ")
    silent.sendall(b"GET /metr")
    for client in (silent, slow):
        client.setblocking(False)
    while len(ended) < 2 and time.monotonic() - began < 60:
        for name, client in (("silent", silent), ("slow", slow)):
            if name in ended:
                continue
            try:
                if name == "slow":
                    client.sendall(b"y")
                if client.recv(1000) == b"":
                    ended[name] = time.monotonic() - began
            except BlockingIOError:
                pass
            except ConnectionError:
                ended[name] = time.monotonic() - began
        time.sleep(1)
    assert ended["silent"] < 15 * dataflow.slowness()
    assert 25 < ended["slow"] < 40 * dataflow.slowness()
    for client in (silent, slow, *late):
        client.close()
    assert_undisturbed(world, 1)


def test_no_descriptors_are_left(tmp_path):
    """Who cannot be let in costs nothing, and is let in later."""
    port = free_port()
    daemon = dataflow.Daemon({}, ["--control", f"sqlite:{tmp_path}/c.db",
                                  "--metrics-listen", str(port)]).start()
    try:
        wait_until_it_answers(port, "/readyz")
        pid = daemon.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        free = next(n for n in itertools.count()
                    if not os.path.lexists(f"/proc/{pid}/fd/{n}"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, limits[1]))
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.settimeout(10)
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            before = daemon.cpu_seconds()
            time.sleep(3)
            assert daemon.cpu_seconds() - before < 0.5 * dataflow.slowness()
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
            assert client.recv(1000).startswith(b"HTTP/1.1 200 OK")
    finally:
        daemon.close()


# ------------------------------------------------------------------ secrets

def test_no_secret_is_shown(planted):  # noqa: F811
    """Every failure that can have a secret near it, on every page."""
    world, port = planted, free_port()
    world.start("--metrics-listen", str(port), "--log-level", "debug",
                DATAFLOW_KEY_FILE=world.key.file,
                PLANTED=f"{TOKEN}-in-the-environment", DEST_USER="searched",
                DEST_PASS="${env:PLANTED_DEST}",
                PLANTED_DEST=f"{TOKEN}-Right-1")
    fails = set(world.mappings) - {"good"}
    dataflow.wait_for(lambda: fails <= {
        name for name, mapping in world.mappings.items()
        if world.errors(mapping)}, 60, 0.5, what="all the failures")
    world.wait_equal("t")
    texts = [web.get(port, path).text for path in PAGES]
    shown = json.loads(texts[1])
    assert len(shown["mappings"]) == len(world.mappings)
    assert len(shown["recent_errors"]) >= 40
    assert any("Login failed" in e["message"] for e in shown["recent_errors"])
    for path, text in zip(PAGES, texts):
        search(text, path)
