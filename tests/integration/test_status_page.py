"""The status page in a real browser: what the program serves, with its own
headers, over what the program knows, or over an invented status of a thousand
mappings."""
import http.server
import json
import os
import re
import subprocess
import threading
import time

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from support import dataflow, web
from support.ports import free_port

ODD = ("<script>window.hacked = 1</script><img src=x onerror=hacked=1> "
       "&amp; \" '")
# A folder for the pictures, for those who want to look at them.
PICTURES = os.environ.get("DATAFLOW_PICTURES")


# ------------------------------------------------------------- the browser

@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu",
                     "--disable-dev-shm-usage", "--window-size=1400,900",
                     f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.chrome.service.Service("/usr/bin/chromedriver")
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


def narrow(browser, yes):
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": 360 if yes else 1400, "height": 800 if yes else 900,
        "deviceScaleFactor": 1, "mobile": yes})


def dark(browser, yes):
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
        {"name": "prefers-color-scheme", "value": "dark" if yes else "light"}]})


def load(browser, port):
    browser.get("about:blank")
    browser.get_log("browser")
    browser.get(f"http://127.0.0.1:{port}/")
    dataflow.wait_for(lambda: browser.execute_script(
        "return document.body.dataset.shown"), what="the page")


def picture(browser, tmp_path, name):
    path = os.path.join(PICTURES or str(tmp_path), name + ".png")
    assert browser.save_screenshot(path)
    assert os.path.getsize(path) > 10000


def rows(browser):
    """The cells of the mappings that are shown, from top to bottom."""
    return browser.execute_script(
        "return [...document.querySelectorAll('#mappings tbody tr')]"
        ".filter((row) => !row.hidden)"
        ".map((row) => [...row.cells].map((cell) => cell.textContent))")


def ids(browser):
    return [int(row[1]) for row in rows(browser)]


def text_of(browser, selector):
    return browser.execute_script(
        "return document.querySelector(arguments[0]).textContent", selector)


def assert_nothing_bad(browser):
    """No script of others ran, none was needed, and nothing was fetched from
    elsewhere; the policy would have complained in the log."""
    assert browser.execute_script("return window.hacked") is None
    assert [entry for entry in browser.get_log("browser")
            if "status.json" not in entry["message"]] == []
    hosts = browser.execute_script(
        "return performance.getEntriesByType('resource')"
        ".map((entry) => new URL(entry.name).host)")
    assert set(hosts) <= {browser.execute_script("return location.host")}


# ---------------------------------------------------------- a page by itself

@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The page and its headers, as the program serves them."""
    port = free_port()
    folder = tmp_path_factory.mktemp("served")
    daemon = dataflow.Daemon({}, ["--control", f"sqlite:{folder}/c.db",
                                  "--metrics-listen", str(port)]).start()
    try:
        dataflow.wait_for(lambda: web.answers(port) == 200)
        yield web.get(port, "/")
    finally:
        daemon.close()


class Site:
    """A server of that page with a status that tests invent."""

    def __init__(self, page):
        self.status = None
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                text = page.text if self.path == "/" else \
                    json.dumps(site.status)
                self.send_response(200)
                for name in ("Content-Security-Policy",
                             "X-Content-Type-Options"):
                    self.send_header(name, page.headers[name])
                self.send_header("Content-Type", page.headers["Content-Type"]
                                 if self.path == "/" else "application/json")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                      Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def site(served):
    site = Site(served)
    yield site
    site.close()


def mapping(number, **values):
    return {"mapping_id": number, "server": "shop", "source": f"s.dbo.t{number}",
            "destination": f"d.dbo.t{number}", "health": "HEALTHY", "state": "CDC",
            "reason": None, "lag_seconds": 0.1, "consistent": True,
            "rows_applied": number * 1000, "bytes_applied": number * 5000,
            "last_success_at": "2026-01-01T00:00:00.000000Z",
            "next_attempt_at": None, "run": None, "errors": {},
            "verification": {"status": None, "counts": {}},
            "lag_history": [0.1] * 60, **values}


def invent(mappings, errors=(), **daemon):
    return {"generated_at": time.strftime("%Y-%m-%dT%H:%M:%S.000000Z",
                                          time.gmtime()),
            "lag_history_seconds": 10, "mappings": mappings,
            "recent_errors": list(errors),
            "daemon": {"name": "host:1:2", "version": "0.1.0",
                       "started_at": "2026-01-01T00:00:00.000000Z",
                       "ready": True, "not_ready": None,
                       "control_store": {"readable": True, "writable": True,
                                         "read_at": None},
                       "outbox_rows": 0, "dropped_rows": 0,
                       "connections": {"limit": 48, "reserved": 2,
                                       "in_use": 2, "idle": 7},
                       "errors": {}, **daemon}}


def an_error(number, **values):
    return {"mapping_id": number, "type": "SYNC", "message": "it fails",
            "created_at": "2026-01-01T00:00:00.000000Z",
            "seen_at": "2026-01-01T00:01:00.000000Z", "count": 3,
            "is_resolved": False, **values}


def a_few():
    """One of everything there is to show."""
    wave = [None] * 10 + [5 + 4 * (i % 7) for i in range(50)]
    return invent([
        mapping(1, health="HEALTHY", lag_history=wave, lag_seconds=29),
        mapping(2, health="ERROR", state="ERROR", lag_seconds=4000,
                source="s.dbo." + ODD, lag_history=[None, 1, None],
                reason="cannot connect to 'db2', port 1433: is it running?"),
        mapping(3, health="LOADING", state="FULL_SYNC", lag_seconds=None,
                lag_history=[], run={
                    "sync_type": "FULL_SYNC", "records_processed": 250000,
                    "records_total": 1000000, "rows_per_second": 41234,
                    "percent": 25.0, "seconds_left": 18,
                    "started_at": "2026-01-01T00:00:00Z"}),
        mapping(4, health="MISMATCH", verification={
            "status": "FAILED", "verification_type": "TAIL",
            "records_compared": 10000, "mismatches_found": 3,
            "verified_at": "2026-01-01T00:00:00.000000Z", "counts": {}}),
        mapping(5, health="PAUSED", state="PAUSED"),
        mapping(6, run={"sync_type": "CDC", "records_processed": 17,
                        "records_total": None, "rows_per_second": 3,
                        "percent": None, "seconds_left": None,
                        "started_at": None}),
    ], [an_error(2, message=ODD), an_error(None, type="OTHER", count=1),
        an_error(4, is_resolved=True)])


# Those of v_mapping_health that the page can show, the worst first.
WORDS = ["ERROR", "SUSPENDED", "MISMATCH", "RETRYING", "WAITING", "LAGGING",
         "LOADING", "PAUSED", "HEALTHY"]


def every_word():
    """A mapping of each health, those first that need nobody."""
    return invent([mapping(number, health=word, reason="why")
                   for number, word in enumerate(reversed(WORDS), 1)])


def test_every_word_of_health(browser, site, tmp_path):
    site.status = every_word()
    for name, yes in (("words-light", False), ("words-dark", True)):
        dark(browser, yes)
        load(browser, site.port)
        picture(browser, tmp_path, name)
        assert [row[0] for row in rows(browser)] == WORDS
        tiles = browser.find_elements(By.CSS_SELECTOR, "#tiles button")
        assert [tile.text.split()[-1] for tile in tiles[1:]] == WORDS
        colors = dict(browser.execute_script(
            "return [...document.querySelectorAll('#mappings .health')]"
            ".map((e) => [e.textContent, getComputedStyle(e).color])"))
        # One a severity: in trouble, to be watched, busy, at rest, well.
        assert len(set(colors.values())) == 5
        assert colors["ERROR"] == colors["SUSPENDED"] == colors["MISMATCH"]
        assert colors["RETRYING"] == colors["WAITING"] == colors["LAGGING"]
    assert browser.title == "(3) DataFlow"
    assert_nothing_bad(browser)


def test_everything_is_shown(browser, site, tmp_path):
    site.status = a_few()
    narrow(browser, False)
    for name, yes in (("light", False), ("dark", True)):
        dark(browser, yes)
        load(browser, site.port)
        picture(browser, tmp_path, name)
    shown = {int(row[1]): row for row in rows(browser)}
    assert sorted(shown) == [1, 2, 3, 4, 5, 6]
    # the worst come first
    assert [row[0] for row in rows(browser)] == [
        "ERROR", "MISMATCH", "LOADING", "PAUSED", "HEALTHY", "HEALTHY"]
    assert shown[2][2] == "shop: s.dbo." + ODD
    assert shown[2][5] == "67 min" and shown[3][5] == ""
    assert shown[4][9] == ("FAILED TAIL, 3 of 10,000 differ, "
                           "2026-01-01 00:00:00")
    assert shown[1][7] == "1,000" and shown[1][8] == "4.9 KiB"
    loads = browser.find_elements(By.CSS_SELECTOR, "#loads li")
    assert [load.text.replace("\n", " ") for load in loads] == [
        "3 shop: s.dbo.t3 (FULL_SYNC) 25.0 %, 250,000 of 1,000,000 rows, "
        "41,234/s, 18 s left",
        "6 shop: s.dbo.t6 (CDC) 17 rows, 3/s"]
    bars = browser.find_elements(By.CSS_SELECTOR, "#loads progress")
    assert bars[0].get_attribute("value") == "25"
    assert bars[1].get_attribute("value") is None or \
        bars[1].get_property("position") == -1
    errors = browser.find_elements(By.CSS_SELECTOR, "#errors tbody tr")
    assert [e.text for e in errors] == [
        f"2026-01-01 00:01:00 2 SYNC {ODD} 3",
        "2026-01-01 00:01:00 OTHER it fails 1",
        "2026-01-01 00:01:00 4 SYNC, resolved it fails 3"]
    assert browser.title == "(2) DataFlow"
    lines = browser.execute_script(
        "return [1, 2, 3].map((id) => { const svg = document.querySelector("
        "`#m${id} svg`); return svg && [svg.firstChild.getAttribute('d'), "
        "svg.getAttribute('aria-label')]; })")
    assert lines[0][0].startswith("M10 ") and lines[0][0].count("L") == 49
    assert lines[0][1] == "between 5.0 s and 29 s"
    assert re.fullmatch(r"M58 [\d.]+h\.4", lines[1][0])
    assert lines[2] is None
    assert_nothing_bad(browser)


def test_narrow(browser, site, tmp_path):
    """Nothing is cut off on a phone; there is nothing to scroll sideways."""
    site.status = a_few()
    narrow(browser, True)
    try:
        for name, yes in (("narrow-light", False), ("narrow-dark", True)):
            dark(browser, yes)
            load(browser, site.port)
            picture(browser, tmp_path, name)
        assert browser.execute_script(
            "return document.documentElement.scrollWidth") <= 360
        # Columns have no heads there: each cell says what it is.
        label = browser.execute_script(
            "return getComputedStyle(document.querySelector('#m1 td'), "
            "'::before').content")
        assert label == '"Health"'
        sort = browser.find_element(By.ID, "sort")
        assert sort.is_displayed()
        Select(sort).select_by_visible_text("Id")
        assert ids(browser) == [1, 2, 3, 4, 5, 6]
    finally:
        narrow(browser, False)


def brightness(color):
    parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    parts = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4
             for p in parts]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


@pytest.mark.parametrize("status", [a_few, every_word])
def test_contrast(browser, site, status):
    """WCAG AA, in light and dark: 4.5 to 1 for every text."""
    site.status = status()
    backgrounds = set()
    for yes in (False, True):
        dark(browser, yes)
        load(browser, site.port)
        pairs = browser.execute_script("""
            function behind(e) {
                for (; e; e = e.parentElement) {
                    const color = getComputedStyle(e).backgroundColor;
                    if (!color.startsWith("rgba(0, 0, 0, 0"))
                        return color;
                }
                return "rgb(255, 255, 255)";
            }
            return [...document.body.querySelectorAll("*")]
                .filter((e) => [...e.childNodes].some((n) =>
                    n.nodeType === 3 && n.data.trim()) && e.offsetParent)
                .map((e) => [e.textContent, getComputedStyle(e).color,
                             behind(e)]);""")
        assert len(pairs) > 60
        for text, front, back in pairs:
            one, two = sorted((brightness(front), brightness(back)))
            assert (two + 0.05) / (one + 0.05) >= 4.5, (text, front, back)
        backgrounds |= {back for _, _, back in pairs}
    assert len(backgrounds) >= 4


def focused(browser):
    return browser.execute_script(
        "return document.activeElement.textContent || "
        "document.activeElement.id")


def press(browser, *keys):
    for key in keys:
        webdriver.ActionChains(browser).send_keys(key).perform()


def test_keyboard(browser, site):
    """All of it without a mouse, and what has the focus shows it."""
    site.status = a_few()
    load(browser, site.port)
    press(browser, Keys.TAB)
    assert focused(browser) == "Pause"
    assert browser.execute_script(
        "return getComputedStyle(document.activeElement).outlineStyle") \
        == "solid"
    press(browser, Keys.TAB, Keys.TAB)
    assert focused(browser).endswith("ERROR")
    press(browser, Keys.ENTER)
    assert ids(browser) == [2]
    assert text_of(browser, "#shown") == "1 of 6 shown"
    press(browser, Keys.SPACE)
    assert len(ids(browser)) == 6
    for _ in range(30):
        press(browser, Keys.TAB)
        if focused(browser) == "filter":
            break
    press(browser, *"T4")
    assert ids(browser) == [4]
    press(browser, Keys.BACKSPACE, Keys.BACKSPACE, *"paused shop")
    assert ids(browser) == [5]
    press(browser, *(Keys.BACKSPACE,) * 11)
    for _ in range(30):
        press(browser, Keys.TAB)
        if focused(browser) == "Lag":
            break
    press(browser, Keys.ENTER)
    assert ids(browser) == [3, 4, 5, 6, 1, 2]
    press(browser, Keys.ENTER)
    assert ids(browser) == [2, 1, 4, 5, 6, 3]
    sorts = browser.execute_script(
        "return [...document.querySelectorAll('#mappings th')]"
        ".map((th) => th.getAttribute('aria-sort'))")
    assert sorts.count("none") == len(sorts) - 1
    assert sorts[5] == "descending"
    # The focus stays where it is while the page refreshes itself.
    before = browser.execute_script("return document.body.dataset.shown")
    site.status = a_few()
    time.sleep(1.1)
    site.status = a_few()
    dataflow.wait_for(lambda: browser.execute_script(
        "return document.body.dataset.shown") != before)
    assert focused(browser) == "Lag" and ids(browser)[0] == 2


def test_everything_has_a_name(browser, site):
    """What a screen reader calls what can be worked with."""
    site.status = a_few()
    load(browser, site.port)
    tree = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    named = {}
    for node in tree:
        if not node.get("ignored"):
            role = node["role"]["value"]
            named.setdefault(role, []).append(
                node.get("name", {}).get("value", "").strip())
    for role in ("button", "searchbox", "columnheader", "table", "link",
                 "progressbar", "progressIndicator", "region"):
        assert all(named.get(role, ["x"])), (role, named[role])
    assert "Filter" in named["searchbox"]
    assert len(named["button"]) >= 18
    assert named["heading"][0] == "DBAOps DataFlow"
    assert browser.execute_script(
        "return document.documentElement.lang") == "en"


def test_it_refreshes_itself(browser, site):
    site.status = invent([mapping(1), mapping(2)])
    load(browser, site.port)
    assert ids(browser) == [1, 2]
    assert not browser.find_element(By.ID, "trouble").is_displayed()
    site.status = invent([mapping(2, reason="new"), mapping(3)], ready=False,
                         not_ready="it stops")
    dataflow.wait_for(lambda: ids(browser) == [2, 3], 20)
    assert rows(browser)[0][-1] == "new"
    assert browser.find_element(By.ID, "trouble").text == \
        "Not ready: it stops"
    # Paused it stays as it is.
    browser.find_element(By.ID, "pause").click()
    site.status = invent([mapping(9)])
    time.sleep(6)
    assert ids(browser) == [2, 3]
    browser.find_element(By.ID, "pause").click()
    dataflow.wait_for(lambda: ids(browser) == [9], 3)
    site.close()
    dataflow.wait_for(lambda: "does not answer since" in browser.find_element(
        By.ID, "trouble").text, 20)
    assert ids(browser) == [9]


def test_a_link_leads_to_the_mapping(browser, site):
    site.status = a_few()
    load(browser, site.port)
    browser.find_element(By.ID, "filter").send_keys("t1")
    assert ids(browser) == [1]
    browser.find_element(By.LINK_TEXT, "2").click()
    dataflow.wait_for(lambda: len(ids(browser)) == 6)
    assert browser.execute_script(
        "return document.querySelector('tr:target').id") == "m2"


def test_a_thousand(browser, site, tmp_path):
    site.status = invent([
        mapping(n, health="ERROR" if n % 100 == 0 else "HEALTHY",
                reason="no answer " * 50 if n % 100 == 0 else None,
                lag_seconds=n, lag_history=[n % 7 + i % 5 for i in range(60)])
        for n in range(1, 1001)],
        [an_error(n) for n in range(50)])
    dark(browser, False)
    load(browser, site.port)
    picture(browser, tmp_path, "thousand")
    assert len(rows(browser)) == 1000
    assert ids(browser)[:11] == [*range(100, 1001, 100), 1]
    browser.find_element(By.ID, "filter").send_keys("t77")
    assert ids(browser) == [77, *range(770, 780)]
    assert text_of(browser, "#shown") == "11 of 1,000 shown"
    assert_nothing_bad(browser)


# -------------------------------------------------------- what the daemon has

def test_over_a_daemon(browser, world, tmp_path):
    """From the tables to the page: names are text, whatever is in them."""
    port = free_port()
    quoted = ODD.replace("]", "]]")
    world.on_source(f"CREATE TABLE [{quoted}] (id INT NOT NULL PRIMARY KEY)")
    world.on_source(f"INSERT INTO [{quoted}] VALUES (1), (2)")
    server = world.add_server(ODD.replace("'", "''"), "server=127.0.0.1,1;user id=u;password=p")
    good = world.add_mapping(ODD, "good", cdc=0)
    bad = world.add_mapping("t", ODD, cdc=0, server_id=server)
    world.config(max_retry_attempts=1, connect_timeout_seconds=2)
    world.start("--metrics-listen", str(port))
    dataflow.wait_for(lambda: world.errors(bad) and
                      world.state(good) == "IDLE")
    load(browser, port)
    picture(browser, tmp_path, "daemon")
    shown = {int(row[1]): row for row in rows(browser)}
    assert shown[good][2] == f"source: {world.src_db}.dbo.{ODD}"
    assert shown[good][0] == "HEALTHY" and shown[good][7] == "2"
    assert shown[bad][2] == f"{ODD}: {world.src_db}.dbo.t"
    assert shown[bad][3] == f"{world.dst_db}.dbo.{ODD}"
    assert shown[bad][0] == "ERROR"
    assert shown[bad][-1] == world.errors(bad)[0][1]
    assert_nothing_bad(browser)

    # The same by the plain browser, as anybody can repeat it.
    done = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu",
         f"--user-data-dir={tmp_path}/chromium", "--virtual-time-budget=4000",
         "--dump-dom", f"http://127.0.0.1:{port}/"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        timeout=60, check=True)
    body = done.stdout.split("<noscript>")[0]
    assert "&lt;script&gt;window.hacked = 1&lt;/script&gt;" in body
    assert "<script>window.hacked" not in body and "<img" not in body
    assert f'<tr role="row" id="m{bad}">' in body
