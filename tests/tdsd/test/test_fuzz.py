"""Foreign bytes: whatever a client sends, the server must not crash.

What real clients sent is recorded by a relay, then cut short and changed at
random, message by message. Most is worth it with the address sanitizer's build
(`make check SANITIZE=address`), where a finding ends the server.
"""
import io
import os
import random
import socket
import struct

import pytds
import pytest

from clients import Client, Server, program
from relay import Relay, messages, payload, settle

pytestmark = pytest.mark.standin

ROUNDS = int(os.environ.get("TDSD_FUZZ_ROUNDS", "250"))
SEED = int(os.environ.get("TDSD_FUZZ_SEED", "1"))


def record(server, tmp_path):
    relay = Relay(server)
    with Client(relay.endpoint(), "f") as c:
        c.run("SELECT 1, N'x'; DECLARE @i int = 5; SELECT @i + 1")
        c.rows("SELECT %s, %s, %s, %s", (1, "text", pytds.Binary(b"abc"), 1.5))
        c.run("CREATE TABLE #t (id int, v nvarchar(max)); INSERT #t VALUES "
              "(1, N'a'); SELECT * FROM #t ORDER BY id; UPDATE #t SET v = N'b'")
        c.cursor.copy_to(io.StringIO("5\tabc\n6\tdef\n"), "#t",
                         columns=["id", "v"])
        c.cursor.callproc("sp_executesql", ("SELECT @a", "@a int", 7))
    with pytds.connect(relay.endpoint().host, port=relay.endpoint().port,
                       database="f", user=server.user,
                       password=server.password) as c:
        with c.cursor() as cursor:
            cursor.execute("SELECT 5")
        c.rollback()
    path = tmp_path / "rows"
    path.write_text("1\tabc\n2\tdef\n")
    program(relay.endpoint(), "freebcp", "f.dbo.target", "in", str(path), "-c")
    settle()
    sessions = [messages(sent) for sent, _ in relay.conversations]
    relay.close()
    assert len(sessions) >= 3 and all(len(s) >= 3 for s in sessions)
    return sessions


def play(server, parts):
    """Send; read until the server has had enough or says nothing more."""
    with socket.create_connection((server.host, server.port), 10) as s:
        s.settimeout(10)
        try:
            for part in parts:
                s.sendall(part)
            s.shutdown(socket.SHUT_WR)
            while s.recv(65536):
                pass
        except OSError:
            pass


def repacked(kind, body):
    """A message of one type in packets with right headers."""
    out, at = [], 0
    while at < len(body) or not out:
        piece = body[at:at + 4000]
        at += 4000
        last = 1 if at >= len(body) else 0
        out.append(struct.pack(">BBHHBB", kind, last, len(piece) + 8, 0, 1, 0)
                   + piece)
    return b"".join(out)


def mutate(rng, body):
    body = bytearray(body)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        if not body:
            body = bytearray(rng.randbytes(8))
        at = rng.randrange(len(body))
        what = rng.randrange(7)
        if what == 0:
            body[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF))
        elif what == 1:
            body[at] ^= 1 << rng.randrange(8)
        elif what == 2:
            del body[at:at + rng.choice((1, 2, 4, 16))]
        elif what == 3:
            body[at:at] = rng.randbytes(rng.choice((1, 2, 4, 16)))
        elif what == 4:
            body[at:at + 4] = struct.pack("<I", rng.choice(
                (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFF, 0x10000)))
        elif what == 5:
            del body[at:]
        else:
            piece = body[at:at + rng.randrange(1, 64)]
            body[at:at] = piece * rng.choice((1, 2, 50))
    return bytes(body)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    from support.tdsd import Tdsd
    with Tdsd() as tdsd:
        server = Server(tdsd.host, tdsd.port, tdsd.user, tdsd.password, tdsd)
        with Client(server) as c:
            c.run("CREATE DATABASE f; USE f; CREATE TABLE target (id int, "
                  "v nvarchar(50))")
        yield server, record(server, tmp_path_factory.mktemp("fuzz"))
        with Client(server, "f") as c:
            assert c.value("SELECT 1") == 1


def alive(server):
    assert server.tdsd.is_running(), server.tdsd.log()
    with Client(server, "f") as c:
        assert c.value("SELECT COUNT(*) FROM sys.tables") >= 1


def test_messages_cut_short(recorded):
    server, sessions = recorded
    for session in sessions:
        for i, message in enumerate(session):
            step = max(1, len(message) // 12)
            for cut in range(0, len(message), step):
                play(server, session[:i] + [message[:cut]])
            # cut, but with a header that says that this is all
            body = payload(message)
            for cut in range(0, len(body), max(1, len(body) // 12)):
                play(server, session[:i] + [repacked(message[0], body[:cut])])
    alive(server)


def test_messages_changed(recorded):
    server, sessions = recorded
    rng = random.Random(SEED)
    for _ in range(ROUNDS):
        session = rng.choice(sessions)
        # the first two log in: what comes behind them is worth more
        i = rng.choice((0, 1)) if rng.random() < 0.2 else \
            rng.randrange(2, len(session))
        body = mutate(rng, payload(session[i]))
        play(server, session[:i] + [repacked(session[i][0], body)] +
             session[i + 1:i + 2])
    alive(server)


def test_headers_changed(recorded):
    server, sessions = recorded
    rng = random.Random(SEED + 1)
    for _ in range(ROUNDS // 2):
        session = rng.choice(sessions)
        i = rng.randrange(len(session))
        message = bytearray(session[i])
        message[rng.randrange(min(8, len(message)))] = rng.randrange(256)
        play(server, session[:i] + [bytes(message)] + session[i + 1:i + 2])
    alive(server)


def test_noise(recorded):
    server, sessions = recorded
    rng = random.Random(SEED + 2)
    for _ in range(ROUNDS // 4):
        play(server, [rng.randbytes(rng.choice((1, 8, 9, 100, 5000)))])
        kind = rng.choice((1, 3, 6, 7, 14, 16, 17, 18))
        session = rng.choice(sessions)
        play(server, session[:2] + [repacked(kind, rng.randbytes(
            rng.choice((0, 1, 4, 22, 23, 200, 9000))))])
    alive(server)


STATEMENTS = [
    "SELECT a.id, COUNT(*) FROM target a LEFT JOIN target b ON a.id = b.id "
    "WHERE a.v LIKE N'%x%' GROUP BY a.id HAVING COUNT(*) > 1 ORDER BY 1 DESC",
    "WITH c AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM c WHERE i < 9) "
    "SELECT * FROM c CROSS APPLY (SELECT c.i * 2 AS j) x",
    "CREATE TABLE #z (id int IDENTITY PRIMARY KEY, v decimal(10,2) NOT NULL "
    "DEFAULT 1.5 CHECK (v > 0), w AS v * 2)",
    "BEGIN TRY; INSERT target VALUES (CAST('x' AS int), N'a'); END TRY BEGIN "
    "CATCH; SELECT ERROR_MESSAGE(); THROW; END CATCH",
    "DECLARE @t TABLE (a int); INSERT @t SELECT TOP 3 id FROM target; UPDATE t "
    "SET a += 1 OUTPUT inserted.a FROM @t t; DELETE FROM @t",
    "SELECT ROW_NUMBER() OVER (PARTITION BY id ORDER BY v), CASE id WHEN 1 THEN "
    "'a' ELSE N'b' END, CONVERT(varchar(30), GETDATE(), 121), 0x1F, 1.5e3, $5 "
    "FROM target",
    "CREATE PROCEDURE #p @a int = 5, @b nvarchar(10) OUTPUT AS BEGIN SET @b = "
    "@a; WHILE @a > 0 SET @a -= 1; RETURN 7; END",
    "ALTER TABLE target ADD q int NULL CONSTRAINT ck CHECK (q <> 5), r "
    "varchar(5) COLLATE Latin1_General_BIN2",
    "EXEC sp_executesql N'SELECT @a, @b', N'@a int, @b varchar(10)', @a = 5, "
    "@b = 'x'", "GRANT SELECT ON SCHEMA::dbo TO public; DENY INSERT ON target "
    "TO public", "IF EXISTS (SELECT * FROM sys.objects o JOIN sys.columns c ON "
    "o.object_id = c.object_id) SELECT 1 ELSE WAITFOR DELAY '00:00:00'",
]
WORDS = ["SELECT", "FROM", "(", ")", ",", "NULL", "'", "[", "]", ";", "--",
         "/*", "CASE", "END", "BEGIN", "WITH", "AS", "0x", "@x", "1e", "N'",
         "OVER", "ORDER BY", "9999999999999999999999", ".", "..", "NOT", "*",
         "=", "\0", "\u6f22", "\U0001F600", "EXEC", "TOP", "UNION"]


def test_statements_changed(recorded):
    """The parser and the translator: errors, never the end."""
    server, _ = recorded
    rng = random.Random(SEED + 3)
    client = Client(server, "f", timeout=20)
    for _ in range(ROUNDS * 4):
        words = rng.choice(STATEMENTS).split(" ")
        for _ in range(rng.choice((1, 1, 2, 4))):
            at = rng.randrange(len(words))
            what = rng.randrange(4)
            if what == 0:
                del words[at]
            elif what == 1:
                words.insert(at, rng.choice(WORDS))
            elif what == 2:
                words[at] = rng.choice(WORDS)
            else:
                words[at:at] = words[max(0, at - 3):at]
            if not words:
                words = ["SELECT"]
        sql = " ".join(words)
        if not client.is_open():
            client = Client(server, "f", timeout=20)
        try:
            client.run(f"BEGIN TRAN; {sql}")
        except pytds.DatabaseError as e:
            assert e.number != 823, (sql, e.text)
        except (pytds.Error, OSError) as e:
            assert server.tdsd.is_running(), (sql, server.tdsd.log())
            assert not isinstance(e, TimeoutError), sql
        try:
            client.run("WHILE @@TRANCOUNT > 0 ROLLBACK")
        except pytds.Error:
            client.close()
    client.close()
    alive(server)


@pytest.mark.parametrize("sql", [
    "SELECT " + "(" * 5000 + "1" + ")" * 5000,
    "SELECT " + "-" * 1 + " - ".join(["1"] * 5000),
    "SELECT " + " + ".join(["1"] * 20000),
    "SELECT " + "NOT " * 3000 + "1",
    "BEGIN " * 3000 + "SELECT 1 " + "END " * 3000,
    "SELECT * FROM " + "(SELECT * FROM " * 500 + "target" + ") t" * 500,
    "SELECT CASE " + "WHEN 1 = 2 THEN 3 " * 5000 + "END",
    "SELECT 1 WHERE 1 IN (" + ",".join(["5"] * 50000) + ")",
    "SELECT " + "CASE WHEN 1 = 1 THEN " * 300 + "1" + " END" * 300,
    "SELECT '" + "x" * 1000000 + "'", "SELECT 1 AS [" + "]]" * 100000 + "]",
    "/*" * 10000, "EXEC(" + "'" * 9999 + ")", "SELECT 1" + " UNION ALL SELECT 1"
    * 3000, "IF 1 = 1 " * 5000 + "SELECT 1",
], ids=range(15))
def test_deep_and_long_statements(recorded, sql):
    server, _ = recorded
    with Client(server, "f") as c:
        try:
            c.results(sql)
        except pytds.DatabaseError as e:
            assert e.number != 823, e.text
        assert c.value("SELECT 1") == 1
    alive(server)


XML = ['<a b="1" c=\'x\'> <d/>text &amp; &#x41; <!-- c --><?p i?></a>',
       '<?xml version="1.0" encoding="utf-16"?><r xml:space="preserve"> </r>',
       "<a><![CDATA[<x>]]></a>\u20ac<b>\U0001F600</b>", "<a>" * 100]


def test_xml_changed(recorded):
    """Either it is xml, and then what is made of it is so as well, or one
    of the parser's errors says why not."""
    server, _ = recorded
    rng = random.Random(SEED + 3)
    kept = 0
    with Client(server, "f") as c:
        for _ in range(ROUNDS):
            text = list(rng.choice(XML))
            for _ in range(rng.choice((0, 1, 2, 5))):
                at = rng.randrange(len(text))
                text[at:at + rng.randrange(3)] = rng.choice(
                    ["<", ">", "/", "&", ";", "\"", "'", "]]>", "<!--", "\0",
                     "a", " ", "\n", "&#", "="])
            text = "".join(text)
            try:
                made = c.value("SELECT CONVERT(nvarchar(max), "
                               "CONVERT(xml, %s, 1))", (text,))
            except pytds.DatabaseError as e:
                assert 9400 <= e.number <= 9455 or e.number in (6335, 6359)
                continue
            kept += 1
            assert c.value("SELECT CONVERT(nvarchar(max), CONVERT(xml, %s, "
                           "1))", (made,)) == made
    assert kept > ROUNDS / 20
