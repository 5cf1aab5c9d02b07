"""Troubles and their end are told, over webhooks and by e-mail, and a channel
that does not work is told too, and disturbs nobody."""
import json
import os
import re
import subprocess
import time

import pytest

from support import certificates, dataflow
from support.receivers import BlackHole, Hook, MailServer, check_signature

SECRET = "hook-Secret-77"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return certificates.Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def certificate(authority):
    return authority.issue("receiver")


@pytest.fixture
def hook():
    with Hook() as server:
        yield server


@pytest.fixture
def telling(world):
    """A world that tells at once, with one mapping that cannot work."""
    world.config(notify_delay_seconds=0, max_retry_attempts=1)
    return world


def add_channel(world, settings, name="ops", kind="webhook", **columns):
    values = {"channel_name": name, "channel_type": kind,
              "settings": settings, **columns}
    literals = ", ".join(str(v) if isinstance(v, int) else
                         "N'" + v.replace("'", "''") + "'"
                         for v in values.values())
    world.control(f"INSERT INTO notification_channels ({', '.join(values)}) "
                  f"VALUES ({literals})")
    return world.control("SELECT MAX(channel_id) FROM "
                         "notification_channels")[0][0]


def break_and_mend(world, table="lost"):
    """A mapping whose source table is missing, and the way to mend it."""
    mapping = world.add_mapping(table, cdc=0)
    return mapping, lambda: world.on_source(
        f"CREATE TABLE {table} (id INT NOT NULL PRIMARY KEY)")


def channel_errors(world, channel, resolved=0):
    return [row[0] for row in world.control(
        "SELECT error_message FROM error_logs WHERE error_type = 'OTHER' "
        f"AND subject = 'channel {channel}' AND mapping_id IS NULL "
        f"AND is_resolved = {resolved} ORDER BY error_id")]


def wait_channel_error(world, channel, pattern, timeout=60):
    rows = dataflow.wait_for(lambda: channel_errors(world, channel), timeout,
                             what="an error row of the channel")
    assert len(rows) == 1, rows
    assert re.search(pattern, rows[0]), rows[0]
    assert rows[0].startswith("notification channel '")
    assert SECRET not in rows[0]
    return rows[0]


def sent(world):
    return world.control("SELECT channel_name, event, mapping_id, "
                         "notice_count, state, attempts FROM notifications "
                         "ORDER BY notification_id")


# ------------------------------------------------------------------ webhooks

@pytest.mark.threads
def test_failure_and_recovery(telling, hook):
    channel = add_channel(telling, f"url={hook.url('/a?b=c')};secret={SECRET};"
                          "authorization=Bearer tok-Planted-9")
    mapping, mend = break_and_mend(telling)
    telling.start()
    first = hook.wait()[0]
    path, headers, body = hook.posts[0]
    assert path == "/a?b=c"
    assert headers["Content-Type"] == "application/json"
    assert headers["Authorization"] == "Bearer tok-Planted-9"
    check_signature(headers, body, SECRET)
    assert first["version"] == 1 and first["event"] == "FAILURE"
    assert first["channel"] == "ops" and first["total"] == 1
    assert first["counts"] == {"FAILURE": 1, "SUSPENSION": 0,
                               "VERIFICATION": 0, "LAG": 0, "RECOVERY": 0}
    assert first["installation"] == telling.control(
        "SELECT installation_id FROM installation")[0][0]
    assert first["daemon"] == telling.control(
        "SELECT daemon FROM daemons")[0][0]
    notice = first["notices"][0]
    assert notice["mapping_id"] == mapping
    assert notice["source"] == f"{telling.src_db}.dbo.lost"
    assert notice["destination"] == f"{telling.dst_db}.dbo.lost"
    assert notice["server"] == "source" and notice["type"] == "SCHEMA"
    assert "does not exist" in notice["message"]
    assert notice["until"] is None and not notice["reminder"]
    assert notice["message"] in first["text"]
    mend()
    second = hook.wait(2)[1]
    assert second["event"] == "RECOVERY" and second["id"] != first["id"]
    notice = second["notices"][0]
    assert notice["recovered_from"] == "FAILURE"
    assert notice["since"] < notice["until"]
    dataflow.wait_for(lambda: len(sent(telling)) == 2)
    assert [tuple(r) for r in sent(telling)] == [
        ("ops", "FAILURE", mapping, 1, "SENT", 1),
        ("ops", "RECOVERY", mapping, 1, "SENT", 1)]
    assert telling.control("SELECT last_error FROM notification_channels "
                           "WHERE last_success_at IS NOT NULL")[0][0] is None
    assert channel_errors(telling, channel) == []
    time.sleep(3)
    assert len(hook.posts) == 2
    everything = telling.log() + str(telling.control(
        "SELECT * FROM notifications")) + body.decode()
    assert SECRET not in everything and "tok-Planted-9" not in everything


def test_short_troubles_heal_unseen(telling, hook):
    telling.config(notify_delay_seconds=6)
    add_channel(telling, f"url={hook.url()}")
    mapping, mend = break_and_mend(telling)
    telling.start()
    dataflow.wait_for(lambda: telling.errors(mapping))
    mend()
    dataflow.wait_for(lambda: not telling.errors(mapping))
    time.sleep(8)
    assert hook.posts == []


def test_filters(telling, hook):
    one, _ = break_and_mend(telling, "one")
    two, _ = break_and_mend(telling, "two")
    other = telling.add_server("other", telling.connection_string())
    three = telling.add_mapping("three", cdc=0, server_id=other)
    for name, columns in {"m": {"mapping_id": two}, "s": {"server_id": other},
                          "e": {"events": "lag, Suspension"},
                          "off": {"is_enabled": 0}, "all": {}}.items():
        add_channel(telling, f"url={hook.url('/' + name)}", name, **columns)
    telling.start()
    told = {}

    def look():
        for (path, _, _), message in zip(hook.posts, hook.messages()):
            told[path] = sorted(n["mapping_id"] for n in message["notices"])
        return len(told) >= 3
    dataflow.wait_for(look)
    time.sleep(2)
    look()
    assert told == {"/m": [two], "/s": [three], "/all": [one, two, three]}


def test_restart_and_reminder(telling, hook):
    add_channel(telling, f"url={hook.url()}")
    mapping, mend = break_and_mend(telling)
    daemon = telling.start()
    hook.wait()
    dataflow.wait_for(lambda: sent(telling))
    daemon.stop()
    daemon = telling.start()
    time.sleep(5)
    assert hook.notices() == [("FAILURE", mapping)]
    # The limit is an hour; it has passed when the log says so.
    daemon.stop()
    telling.control("UPDATE notifications SET created_at = "
                    "DATEADD(minute, -61, created_at)")
    telling.start()
    message = hook.wait(2)[1]
    assert message["notices"][0]["reminder"]
    assert "goes on" in message["text"]
    mend()
    hook.wait(3)
    assert hook.notices()[2] == ("RECOVERY", mapping)


def test_recovery_while_nobody_ran(telling, hook):
    add_channel(telling, f"url={hook.url()}")
    mapping, mend = break_and_mend(telling)
    daemon = telling.start()
    dataflow.wait_for(lambda: sent(telling))
    daemon.stop()
    mend()
    telling.start()
    hook.wait(2)
    assert hook.notices() == [("FAILURE", mapping), ("RECOVERY", mapping)]


def test_two_daemons(telling, hook):
    telling.config(lease_seconds=3)
    add_channel(telling, f"url={hook.url()}")
    mapping, mend = break_and_mend(telling)
    first = telling.start()
    hook.wait()
    dataflow.wait_for(lambda: sent(telling))
    telling.start()
    time.sleep(4)
    assert len(hook.posts) == 1
    first.kill()
    dataflow.wait_for(lambda: telling.control(
        "SELECT epoch FROM mapping_leases")[0][0] == 2, 30)
    time.sleep(4)
    assert len(hook.posts) == 1  # the other one knows what was told
    mend()
    hook.wait(2)
    assert hook.notices() == [("FAILURE", mapping), ("RECOVERY", mapping)]
    time.sleep(3)
    assert len(hook.posts) == 2


@pytest.mark.threads
def test_flood(telling, hook):
    """A thousand at once: one message says how many, a second one at most."""
    count = 1000
    add_channel(telling, f"url={hook.url()}")
    server = telling.add_server("gone", "user id=nobody")
    rows = ", ".join(f"({server}, N'x', N't{i}', N'{telling.dst_db}', N't{i}')"
                     for i in range(count // 2))
    for part in (0, 1):
        telling.control("INSERT INTO table_mappings (server_id, "
                        "source_database, source_table, dest_database, "
                        "dest_table) VALUES " +
                        rows.replace("N't", f"N't{part}_"))
    telling.start()
    dataflow.wait_for(lambda: sum(m["total"] for m in hook.messages()) >=
                      count, 120)
    assert len(hook.posts) <= 4
    largest = max(hook.messages(), key=lambda m: m["total"])
    assert largest["event"] == "DIGEST" and largest["total"] > count / 4
    assert len(largest["notices"]) == 50
    assert f"{largest['total']} notices" in largest["text"]
    assert len(max(body for _, _, body in hook.posts)) < 100000
    dataflow.wait_for(lambda: sum(
        len(json.loads(r[0])) for r in telling.control(
            "SELECT notices FROM notifications")) == count)


def test_rate_limit(telling, hook):
    telling.config(notify_max_per_hour=2)
    add_channel(telling, f"url={hook.url()}")
    telling.start()
    for i in range(2):
        break_and_mend(telling, f"t{i}")
        hook.wait(i + 1)
    held, _ = break_and_mend(telling, "t2")
    short, mend = break_and_mend(telling, "t3")
    dataflow.wait_for(lambda: telling.errors(short))
    time.sleep(11)
    mend()
    dataflow.wait_for(lambda: not telling.errors(short))
    time.sleep(2)
    assert len(hook.posts) == 2
    telling.config(notify_max_per_hour=3)
    third = hook.wait(3)[2]
    assert [n["mapping_id"] for n in third["notices"]] == [held]
    assert third["left_out"] == 1 and "1 more" in third["text"]


# --------------------------------------------------------- channels that fail

def test_refused_then_mended(telling, hook):
    """4xx: no second attempt, an error row, and on with the row's change."""
    hook.answers = [(403, {})]
    channel = add_channel(telling, f"url={hook.url('/tok-Planted-8')}")
    mapping, _ = break_and_mend(telling)
    telling.start()
    text = wait_channel_error(telling, channel, "status 403.*check 'url'")
    assert "tok-Planted-8" not in text + telling.log()
    time.sleep(4)
    assert len(hook.posts) == 1
    assert sent(telling)[0][4] == "FAILED"
    assert telling.control("SELECT last_error FROM notification_channels"
                           )[0][0]
    telling.control(f"UPDATE notification_channels SET settings = "
                    f"N'url={hook.url('/right')}'")
    hook.wait(2)
    assert hook.notices()[1] == ("FAILURE", mapping)
    dataflow.wait_for(lambda: not channel_errors(telling, channel))
    assert len(channel_errors(telling, channel, 1)) == 1
    dataflow.wait_for(lambda: telling.control(
        "SELECT last_error FROM notification_channels")[0][0] is None)


@pytest.mark.parametrize("answer, wait", [((503, {}), 2),
                                          ((429, {"Retry-After": "4"}), 4)])
def test_tried_again(telling, hook, answer, wait):
    hook.answers = [answer]
    channel = add_channel(telling, f"url={hook.url()}")
    break_and_mend(telling)
    telling.start()
    hook.wait()
    began = time.monotonic()
    first, second = hook.wait(2)
    assert time.monotonic() - began > wait - 0.5
    assert first["id"] == second["id"]
    dataflow.wait_for(lambda: sent(telling))
    assert tuple(sent(telling)[0][4:]) == ("SENT", 2)
    assert channel_errors(telling, channel) == []


def test_redirections_are_not_followed(telling, hook):
    with Hook() as elsewhere:
        hook.answers = [(302, {"Location": elsewhere.url()})]
        channel = add_channel(telling, f"url={hook.url()}")
        break_and_mend(telling)
        telling.start()
        wait_channel_error(telling, channel, "status 302; it has moved")
        assert elsewhere.posts == []


def test_black_hole_and_nobody_there(telling, hook):
    """Neither holds up the channel that works, the mappings, nor the stop."""
    telling.on_source("CREATE TABLE good (id INT NOT NULL PRIMARY KEY)")
    telling.add_mapping("good", cdc=0)
    break_and_mend(telling)
    with BlackHole() as hole:
        silent = add_channel(telling, f"url=http://127.0.0.1:{hole.port}/;"
                             "timeout=2", "silent")
        nobody = add_channel(telling, "url=http://no-such-host.invalid/",
                             "nobody")
        mail = add_channel(telling, f"server=smtp://127.0.0.1:{hole.port};"
                           "from=a@example.com;to=b@example.com;timeout=2",
                           "mail", "email")
        add_channel(telling, f"url={hook.url()}", "fine")
        daemon = telling.start()
        hook.wait(timeout=10)
        telling.wait_equal("good", timeout=10)
        wait_channel_error(telling, silent, "no answer from '127.0.0.1'")
        wait_channel_error(telling, nobody, "no-such-host.invalid")
        wait_channel_error(telling, mail, "no answer from '127.0.0.1'")
        assert {(r[0], r[4]) for r in sent(telling)} == {
            ("fine", "SENT"), ("silent", "FAILED"), ("nobody", "FAILED"),
            ("mail", "FAILED")}
        telling.control("DELETE FROM notification_channels "
                        "WHERE channel_name <> 'fine'")
        dataflow.wait_for(lambda: telling.control(
            "SELECT COUNT(*) FROM error_logs WHERE is_resolved = 0 "
            "AND subject IS NOT NULL")[0][0] == 0)
        code, seconds = daemon.stop()
        assert code == 0 and seconds < 5 * dataflow.slowness()


def test_stop_and_deletion_while_sending(telling):
    with BlackHole() as hole:
        add_channel(telling, f"url=http://127.0.0.1:{hole.port}/;timeout=60",
                    "one")
        add_channel(telling, f"url=http://127.0.0.1:{hole.port}/;timeout=60",
                    "two")
        break_and_mend(telling)
        daemon = telling.start()
        dataflow.wait_for(lambda: daemon.open_sockets() >= 4)
        time.sleep(3)
        telling.control("DELETE FROM notification_channels "
                        "WHERE channel_name = 'one'")
        time.sleep(3)
        code, seconds = daemon.stop()
        assert code == 0 and seconds < 5 * dataflow.slowness()
        rows = telling.control("SELECT channel_name, state, error_message "
                               "FROM notifications")
        assert [tuple(r) for r in rows] == [
            ("two", "FAILED", "the daemon stopped before it was delivered")]


BAD_SETTINGS = {
    "no url": ("webhook", "secret=x", "'url' is missing"),
    "scheme": ("webhook", "url=ftp://host/", "'url' must begin with http"),
    "blank": ("webhook", "url=http://host/a b", "'url' holds blanks"),
    "no host": ("webhook", "url=http://:80/", "'url' names no host"),
    "login": ("webhook", "url=http://u:hook-Secret-77@host/",
              "'url' holds a user"),
    "port": ("webhook", "url=http://host:99999/", "'url' is not well formed"),
    "key": ("webhook", "url=http://host/;colour=red",
            "the key at character 18"),
    "type": ("pigeon", "url=http://host/", "channel_type must be"),
    "variable": ("webhook", "url=http://host/;secret=${env:NOT_THERE}",
                 "'NOT_THERE' is not set"),
    "ca file": ("webhook", "url=https://127.0.0.1:1/;ca file=/no/file",
                "'ca file' cannot be read|cannot deliver"),
    "no from": ("email", "server=smtp://host;to=a@b.c", "'from' must be"),
    "no to": ("email", "server=smtp://host;from=a@b.c", "'to' is missing"),
    "address": ("email", "server=smtp://host;from=a@b.c;to=a@b.c, nobody",
                "address 2 of 'to'"),
    "injection": ("email", "server=smtp://host;from=a@b.c;"
                  "to=\"a@b.c\nBcc: x@y.z\"", "address 1 of 'to'"),
    "half a login": ("email", "server=smtp://host;from=a@b.c;to=a@b.c;user=u",
                     "'user' is given without 'password'"),
    "optional": ("email", "server=smtp://host;from=a@b.c;to=a@b.c;user=u;"
                 f"password={SECRET};tls=optional", "'tls' must be required"),
    "tls": ("email", "server=smtp://host;from=a@b.c;to=a@b.c;tls=perhaps",
            "'tls' must be required, optional"),
}


def test_bad_settings(telling, hook):
    """Each has its own row, none hides another, and each can be mended."""
    channels = {name: add_channel(telling, settings, name, kind)
                for name, (kind, settings, _) in BAD_SETTINGS.items()}
    channels["events"] = add_channel(telling, f"url={hook.url()}", "events",
                                     events="FAILURE,LUCK")
    telling.config(cdc_window_transactions=0)  # another trouble of the daemon
    break_and_mend(telling)
    telling.start()
    for name, channel in channels.items():
        pattern = BAD_SETTINGS[name][2] if name in BAD_SETTINGS \
            else "'events' must be a list of FAILURE"
        wait_channel_error(telling, channel, pattern)
    assert [r[0] for r in telling.control(
        "SELECT error_message FROM error_logs WHERE is_resolved = 0 "
        "AND mapping_id IS NULL AND subject IS NULL")][0].startswith(
            "table config")
    assert SECRET not in telling.log()
    telling.config(cdc_window_transactions=100)
    telling.control("UPDATE notification_channels SET channel_type = "
                    f"'webhook', settings = N'url={hook.url()}', "
                    "events = NULL")
    dataflow.wait_for(lambda: telling.control(
        "SELECT COUNT(*) FROM error_logs WHERE is_resolved = 0 "
        "AND mapping_id IS NULL")[0][0] == 0)
    hook.wait(len(channels))


# ------------------------------------------------------------------------ TLS

def test_https(telling, authority, certificate, tmp_path):
    """Our CA, any certificate, and what is refused."""
    other = certificates.Authority(tmp_path / "other")
    with Hook(certificate) as good, \
            Hook(other.issue("other")) as unknown, \
            Hook(authority.issue("wrong", "DNS:elsewhere.test")) as wrong:
        ca = f"ca file={authority.file}"
        add_channel(telling, f"url={good.url()};{ca}", "good")
        add_channel(telling, f"url={unknown.url()};"
                    "trust server certificate=true", "any")
        bad = [add_channel(telling, f"url={unknown.url()};{ca}", "unknown"),
               add_channel(telling, f"url={wrong.url()};{ca}", "wrong"),
               add_channel(telling, f"url={good.url()}", "no ca")]
        break_and_mend(telling)
        telling.start()
        good.wait()
        unknown.wait()
        for channel in bad:
            wait_channel_error(telling, channel,
                               "certificate of '127.0.0.1' is refused")
        assert len(good.posts) == 1 and len(unknown.posts) == 1
        assert wrong.posts == []


def can_mount():
    return subprocess.run(["unshare", "-rm", "true"], check=False,
                          stderr=subprocess.DEVNULL).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="no namespaces for users")
def test_a_ca_file_stands_alone(telling, authority, tmp_path):
    """A CA of the system's does not count where another one was named."""
    system = certificates.Authority(tmp_path / "system", "System CA")
    folder = tmp_path / "certs"
    folder.mkdir()
    os.symlink(system.file, folder / "ca.pem")
    certificates.openssl("rehash", str(folder))
    os.symlink(authority.file, folder / "ca-certificates.crt")
    run = ["unshare", "-rm", "sh", "-c",
           f"mount --bind {folder} /etc/ssl/certs && exec \"$@\"", "sh",
           dataflow.program(), "notify-test"]

    with Hook(system.issue("public")) as public:
        add_channel(telling, f"url={public.url()}", "system's")
        add_channel(telling, f"url={public.url()};ca file={authority.file}",
                    "ours")
        done = subprocess.run(
            run, env=dataflow.clean_environment(telling.environment()),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            check=False, timeout=60)
        assert "system's: sent\n" in done.stdout, done.stdout + done.stderr
        assert "ours: FAILED: the certificate of '127.0.0.1' is refused" in \
            done.stdout
        assert len(public.posts) == 1


# --------------------------------------------------------------------- e-mail

MAIL = "from=dataflow@example.com;to=dba@example.com, boss@example.com"


def test_mail_by_starttls_with_login(telling, authority, certificate):
    """${file:} holds the password; a name tries to be a header."""
    table = "r\u00e9sum\u00e9\r\nBcc: evil@example.com\r\n" + "x" * 80
    with open(telling.folder / "secret", "w", encoding="ascii") as file:
        file.write("mail-Secret-55\n")
    mapping = telling.add_mapping(table, "plain", cdc=0)
    with MailServer(certificate, login=("ops", "mail-Secret-55")) as server:
        add_channel(telling, f"server={server.url()};{MAIL};user=ops;"
                    f"password=${{file:{telling.folder}/secret}};"
                    f"ca file={authority.file}", kind="email")
        telling.start()
        letter = server.wait()[0]
        encrypted, envelope = server.mails[0]
        assert encrypted
        assert envelope.mail_from == "dataflow@example.com"
        assert envelope.rcpt_tos == ["dba@example.com", "boss@example.com"]
    raw = envelope.content.decode("ascii")
    assert all(len(line) <= 78 for line in raw.splitlines())
    assert letter["Bcc"] is None and letter["To"] == \
        "dba@example.com, boss@example.com"
    assert letter["From"] == "DBAOps DataFlow <dataflow@example.com>"
    assert letter["Subject"] == "[DataFlow] FAILURE: " + \
        f"{telling.src_db}.dbo." + re.sub("[\r\n]", " ", table)
    assert abs(letter["Date"].datetime.timestamp() - time.time()) < 60
    assert re.fullmatch(r"<[0-9a-f-]{36}@example\.com>", letter["Message-ID"])
    assert letter["Auto-Submitted"] == "auto-generated"
    body = letter.get_content()
    assert f"mapping {mapping}, from server 'source'" in body
    assert "SCHEMA" in body and "since " in body
    assert "mail-Secret-55" not in telling.log() + body


def test_mail_over_tls(telling, authority, certificate):
    with MailServer(certificate, implicit=True) as server:
        add_channel(telling, f"server={server.url()};{MAIL};"
                    f"ca file={authority.file}", kind="email")
        break_and_mend(telling)
        telling.start()
        server.wait()


def test_no_starttls(telling):
    """Nothing goes in the clear unless that was asked for."""
    with MailServer() as server:
        channel = add_channel(telling, f"server={server.url()};{MAIL}",
                              kind="email")
        break_and_mend(telling)
        telling.start()
        wait_channel_error(telling, channel, "does not offer STARTTLS")
        assert server.mails == []
        telling.control("UPDATE notification_channels SET settings = "
                        "CONCAT(settings, N';tls=optional')")
        server.wait()
        assert not server.mails[0][0]


def test_wrong_mail_certificate(telling, certificate):
    with MailServer(certificate, login=("ops", "x")) as server:
        channel = add_channel(telling, f"server={server.url()};{MAIL};"
                              f"user=ops;password={SECRET}", kind="email")
        break_and_mend(telling)
        telling.start()
        wait_channel_error(telling, channel, "certificate of .* is refused")
        assert server.logins == []  # the password has not left


def test_wrong_login(telling, authority, certificate):
    with MailServer(certificate, login=("ops", "right")) as server:
        channel = add_channel(telling, f"server={server.url()};{MAIL};"
                              f"user=ops;password={SECRET};"
                              f"ca file={authority.file}", kind="email")
        break_and_mend(telling)
        telling.start()
        wait_channel_error(telling, channel, "refuses user or password.*535")
        time.sleep(4)
        assert len(sent(telling)) == 1 and sent(telling)[0][5] == 1
        assert SECRET not in telling.log()


def test_refused_recipients(telling):
    """The others get it; who does not is named."""
    with MailServer() as server:
        server.refused = {"boss@example.com"}
        channel = add_channel(telling, f"server={server.url()};{MAIL};"
                              "tls=none", kind="email")
        break_and_mend(telling, "one")
        telling.start()
        server.wait()
        assert server.mails[0][1].rcpt_tos == ["dba@example.com"]
        wait_channel_error(telling, channel, "1 of 2 recipients refused, the "
                           "first is 'boss@example.com'.*550 5.1.1 no such")
        assert sent(telling)[0][4] == "SENT"
        server.refused = {"boss@example.com", "dba@example.com"}
        break_and_mend(telling, "two")
        dataflow.wait_for(lambda: len(sent(telling)) == 2)
        assert sent(telling)[1][4] == "FAILED"
        text = channel_errors(telling, channel)
        assert len(text) == 1 and "2 of 2 recipients" in text[0]


def test_busy_mail_server(telling):
    with MailServer() as server:
        server.busy = "451 4.7.1 come back later"
        channel = add_channel(telling, f"server={server.url()};{MAIL};"
                              "tls=none", kind="email")
        break_and_mend(telling)
        telling.start()
        time.sleep(4)
        server.busy = None
        server.wait()
        dataflow.wait_for(lambda: sent(telling))
        assert sent(telling)[0][4] == "SENT" and sent(telling)[0][5] > 1
        assert channel_errors(telling, channel) == []


# ---------------------------------------------------------------- notify-test

def test_notify_test(telling, hook):
    def run(*names):
        done = dataflow.run("notify-test", *names, env=telling.environment())
        return done.returncode, done.stdout + done.stderr
    code, text = run()
    assert code == 1 and "no enabled channel" in text
    add_channel(telling, f"url={hook.url()};secret={SECRET}")
    add_channel(telling, "url=http://127.0.0.1:1/tok-Planted-8", "dead")
    add_channel(telling, f"url={hook.url()}", "off", is_enabled=0)
    code, text = run()
    assert code == 1 and "ops: sent\n" in text and "off" not in text
    assert "dead: FAILED: cannot deliver to '127.0.0.1'" in text
    assert "tok-Planted-8" not in text
    assert run("off") == (0, "off: sent\n")
    code, text = run("nobody")
    assert code == 1 and "no channel 'nobody'" in text
    assert run("a", "b")[0] == 2
    assert [m["event"] for m in hook.messages()] == ["TEST", "TEST"]
    check_signature(*hook.posts[0][1:], SECRET)
    assert sent(telling) == []


def test_proxy_of_the_environment(telling, hook):
    """libcurl's words about one that is not well formed hold its password."""
    add_channel(telling, f"url={hook.url()}")
    for proxy in (f"http://u:{SECRET}#x@127.0.0.1:1",
                  f"http://u:{SECRET}/x@127.0.0.1:1",
                  f"htp://u:{SECRET}@127.0.0.1:1"):
        done = dataflow.run("notify-test", env=dict(telling.environment(),
                                                    http_proxy=proxy))
        assert done.returncode == 1
        assert "ops: FAILED: cannot deliver to '127.0.0.1'" in done.stdout
        assert "is not well formed" in done.stdout, done.stdout
        assert SECRET not in done.stdout + done.stderr
    assert hook.posts == []
