"""What a network, a proxy or an S3 server can do to the S3 client: every
request of an upload cut or refused, answers that are garbage, servers that are
killed, slow or overloaded."""
import os
import random
import re
import subprocess
import time

import pytest

from support import s3, s3_faults
from support.ports import free_port
from support.relay import Relay
from support.s3_client import Client, Failed, PROGRAM
from support.s3_faults import (Answer, Fault, answer, break_off, change,
                               hang_up, hang_up_after, s3_error, set_header,
                               stall)

s3.skip_unless_installed()

BUCKET = "faults"
MEGABYTE = 1 << 20
DATA = random.Random(7).randbytes(11 * MEGABYTE)  # three parts


@pytest.fixture(scope="module")
def server():
    with s3.Versitygw() as running:
        running.boto().create_bucket(
            Bucket=BUCKET,
            CreateBucketConfiguration={"LocationConstraint": s3.REGION})
        yield running


@pytest.fixture
def front(server):
    with s3_faults.Front(server) as running:
        yield running


def connect(server, front, **more):
    more = {"part_size_mb": 5, "attempts": 3, "stall_timeout": 2, **more}
    return Client(server.connection_string(BUCKET, endpoint=front.url, **more))


@pytest.fixture
def client(server, front):
    with connect(server, front) as running:
        yield running


@pytest.fixture
def files(tmp_path):
    (tmp_path / "large").write_bytes(DATA)
    (tmp_path / "small").write_bytes(b"small")
    return tmp_path


def stored(server, key):
    return server.boto().get_object(Bucket=BUCKET, Key=key)["Body"].read()


def uploads(server, key=""):
    return server.boto().list_multipart_uploads(
        Bucket=BUCKET, Prefix=key).get("Uploads", [])


def refused(call, kind, *words, **how):
    with pytest.raises(Failed) as failed:
        call()
    assert failed.value.kind == kind, failed.value.message
    for word in words:
        assert word in failed.value.message, failed.value.message
    for name, value in how.items():
        assert getattr(failed.value, name) == value
    assert s3.SECRET_KEY not in failed.value.message
    return failed.value


# ------------------------------------------------------- what goes away again

PASSING = {
    "500": s3_error(500, "InternalError"),
    "503": s3_error(503, "SlowDown"),
    "429": s3_error(429, "TooManyRequests"),
    "bare503": Answer(503),
    "html502": Answer(502, b"<html><body>Bad <b>gateway</body></html>"),
    "400": s3_error(400, "RequestTimeout"),
    "409": s3_error(409, "OperationAborted"),
    "digest": s3_error(400, "BadDigest"),
    "late": s3_error(200, "InternalError"),
}


def do_everything(client, files, server, key):
    """Each kind of request; all of them have to work in the end."""
    client.put(key=key, file=str(files / "small"))
    assert client.head(key=key)["size"] == 5
    assert client.get_all(key=key, max=9)["text"] == "small"
    assert [i["key"] for i in client.list(prefix=key)["items"]] == [key]
    client.upload(key + "-large", str(files / "large"))
    assert stored(server, key + "-large") == DATA
    client.delete(keys=[key, key + "-large"])
    assert client.list(prefix=key)["items"] == []
    client.delete(keys=[key])


@pytest.mark.parametrize("what", PASSING)
def test_every_request_is_sent_again(client, front, files, server, what):
    """Each request fails twice, and then works."""
    failed = {}

    def twice(request, forward):
        if what == "late" and (request.command != "POST" or
                               "uploadId" not in request.path):
            return None
        name = request.command, request.path
        failed[name] = failed.get(name, 0) + 1
        return PASSING[what] if failed[name] % 3 else None
    front.faults = [twice]
    do_everything(client, files, server, f"again-{what}")
    assert failed and all(count % 3 == 0 for count in failed.values())
    assert what == "late" or len(failed) >= 10


@pytest.mark.parametrize("how", [hang_up, hang_up_after])
@pytest.mark.parametrize("nth", range(1, 13))
def test_connection_cut_at_every_request(client, front, files, server, how,
                                         nth):
    front.faults = [Fault(how, first=nth)]
    key = f"cut-{how.__name__}-{nth}"
    do_everything(client, files, server, key)
    if front.requests[nth - 1][1].endswith("?uploads=") and \
            how is hang_up_after:
        # It began, and nobody knows by which name.
        assert client.abort_uploads(
            prefix=key, before_us=int((time.time() + 60) * 1e6))["count"] == 1
    assert not uploads(server, key)


def test_uploads_of_a_server_that_knows_no_prefixes(client, front, files,
                                                    server):
    """MinIO: all of the bucket's are listed, and those of others stay."""
    for key in ("minio/a", "minio/b c", "minion", "other/minio/a"):
        client.begin(key=key)
        client.write(file=str(files / "small"))
        client.prepare()
    front.faults = [s3_faults.as_minio()]
    soon = int((time.time() + 60) * 1e6)
    del front.requests[:]
    assert client.abort_uploads(prefix="minio/", before_us=soon)["count"] == 2
    assert not uploads(server, "minio/")
    assert uploads(server, "minion") and uploads(server, "other/")
    lists = [path for method, path in front.requests if method == "GET"]
    assert len(lists) == 2 and "prefix=minio" in lists[0] and \
        lists[1].endswith("prefix=&uploads="), lists
    # One that knows them, and lists some, is not asked again.
    front.faults, front.requests[:] = [], []
    assert client.abort_uploads(prefix="minion", before_us=soon)["count"] == 1
    assert [method for method, _ in front.requests].count("GET") == 1
    assert client.abort_uploads(prefix="other/", before_us=soon)["count"] == 1


def test_what_stays_is_told(client, front, files):
    front.faults = [Fault(answer(s3_error(503, "SlowDown", "less, please")),
                          times=100)]
    refused(lambda: client.put(key="x", file=str(files / "small")), "server",
            "overloaded", "SlowDown", "less, please", "3 attempts",
            "cannot put 's3://faults/x'", retryable=True)
    assert len(front.requests) == 3
    front.faults = [Fault(hang_up, times=100)]
    refused(lambda: client.head(key="x"), "connection", "3 attempts",
            retryable=True)
    assert len(front.requests) >= 6  # libcurl tries a kept connection, too


def test_server_says_when_to_come_back(client, front, files):
    front.faults = [Fault(answer(Answer(503, b"", {"Retry-After": "2"})))]
    assert client.put(key="x", file=str(files / "small"))["ms"] >= 2000


# -------------------------------------------------------------- what does not

@pytest.mark.parametrize("made,kind,words", [
    (s3_error(403, "AccessDenied", "no way"), "permission",
     ["s3:PutObject", "no way"]),
    (s3_error(404, "NoSuchBucket"), "config", ["'bucket_name'"]),
    (s3_error(403, "InvalidAccessKeyId"), "config", ["'access_key'"]),
    (s3_error(403, "SignatureDoesNotMatch"), "config", ["'secret_key'"]),
    (s3_error(400, "ExpiredToken"), "config", ["session token has expired"]),
    (s3_error(400, "InvalidToken"), "config", ["'session_token'"]),
    (s3_error(403, "RequestTimeTooSkewed"), "config", ["clock"]),
    (s3_error(301, "PermanentRedirect"), "config", ["'region'"]),
    (s3_error(400, "AuthorizationHeaderMalformed",
              extra="<Region>ap-south-1</Region>"), "config",
     ["write region=ap-south-1"]),
    (Answer(301, b"", {"x-amz-bucket-region": "us-west-2"}), "config",
     ["write region=us-west-2"]),
    (Answer(307, b"", {"Location": "http://127.0.0.1:1/"}), "config",
     ["'region' and 'endpoint'"]),
    (s3_error(400, "InvalidStorageClass"), "config", ["'storage_class'"]),
    (s3_error(400, "KMS.NotFoundException"), "config", ["'kms_key_id'"]),
    (s3_error(501, "NotImplemented"), "config", ["checksum=none"]),
    (s3_error(507, "QuotaExceeded"), "server", ["quota"]),
    (s3_error(418, "SomethingNew", "words &amp; more"), "server",
     ["418", "SomethingNew: words & more"]),
    (Answer(403, b"<html>blocked by a firewall</html>"), "permission",
     ["'endpoint' and 'proxy'"]),
    (Answer(407, b""), "config", ["'proxy_user'"]),
    (Answer(404, b"not found"), "server", ["404", "'endpoint'"]),
])
def test_refusals_are_not_repeated(client, front, files, made, kind, words):
    front.faults = [Fault(answer(made), times=100)]
    refused(lambda: client.put(key="x", file=str(files / "small")), kind,
            *words, retryable=False)
    assert len(front.requests) == 1


def test_words_for_an_answer_without_any(client, front):
    """HEAD has no body; the reason is asked for."""
    def head_is_bare(request, forward):
        made = s3_error(403, "AccessDenied", "not you")
        return made
    front.faults = [head_is_bare]
    refused(lambda: client.head(key="x"), "permission", "not you",
            "s3:GetObject")
    assert [r[0] for r in front.requests] == ["HEAD", "GET"]


@pytest.mark.skipif(bool(os.environ.get("DATAFLOW_SANITIZE")),
                    reason="faketime and sanitizers want to be first")
def test_clock(server):
    """The real server finds that this machine's clock is an hour off."""
    for offset, word in (("-1h", "behind"), ("+1h", "ahead of")):
        done = subprocess.run(
            ["faketime", "-f", offset, PROGRAM,
             server.connection_string(BUCKET)], text=True,
            input='{"do": "list", "prefix": ""}\n', stdout=subprocess.PIPE,
            env=s3.clean_environment(), check=False)
        line = done.stdout.split("\n")[1]
        assert '"kind":"config"' in line, line
        assert re.search(rf"is (3599|360\d) seconds {word}", line), line
        assert "RequestTimeTooSkewed" in line


# -------------------------------------------------------------------- garbage

def test_wrong_checksum_of_a_put(client, front, files, server):
    """The server got something else; it is sent again."""
    wrong = set_header("x-amz-checksum-crc32c", "AAAAAA==")
    front.faults = [Fault(wrong, lambda r: r.command == "PUT", times=2)]
    client.put(key="sum", file=str(files / "small"))
    assert len(front.requests) == 3
    front.faults = [Fault(wrong, lambda r: r.command == "PUT", times=100)]
    refused(lambda: client.put(key="sum", file=str(files / "small")), "data",
            "AAAAAA==")
    front.faults = [Fault(wrong, lambda r: "partNumber=2" in r.path, times=2)]
    client.upload("sum", str(files / "large"))
    assert stored(server, "sum") == DATA


def test_bytes_that_change_on_the_way(client, front, files, server):
    """The server finds out, by the hash of the payload; or we do."""
    def corrupt_request(request, forward):
        request.body = b"S" + request.body[1:]
        return forward()
    front.faults = [Fault(corrupt_request, lambda r: r.command == "PUT")]
    client.put(key="way", file=str(files / "small"))
    assert stored(server, "way") == b"small"
    assert len(front.requests) == 2

    def corrupt(made):
        made.body = b"S" + made.body[1:]
    front.faults = [Fault(change(corrupt), lambda r: r.command == "GET",
                          times=100)]
    refused(lambda: client.get_all(key="way", max=100), "data", "checksum")


@pytest.mark.parametrize("body,words", [
    (b"", "XML"), (b"\0\1\2", "XML"), (b"<html><body>hello", "XML"),
    (b"<ListBucketResult><Contents><Key>a</Key>", "XML"),
    (b"<ListBucketResult><Contents></Contents></ListBucketResult>",
     "without a key"),
    (b"<Something/>", "something else than a list"),
    (b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
     "where to go on"),
    (b"<ListBucketResult><Contents><Key>a</Key><Size>x</Size></Contents>"
     b"</ListBucketResult>", "size"),
    (b'<!DOCTYPE a [<!ENTITY b "c">]><ListBucketResult/>', "document type"),
    (b"<a>" * 50, "nested"),
    (b"<ListBucketResult>" + b" " * (17 * MEGABYTE), "more than"),
    (b"<ListBucketResult><EncodingType>url</EncodingType><Contents>"
     b"<Key>%zz</Key></Contents></ListBucketResult>", "encoded"),
], ids=range(12))
def test_lists_that_are_none(client, front, body, words):
    front.faults = [Fault(answer(Answer(200, body)), times=2)]
    assert client.list(prefix="garbage")["items"] == []
    front.faults = [Fault(answer(Answer(200, body)), times=100)]
    refused(lambda: client.list(prefix="garbage"), "data", words)


def test_list_without_an_end(client, front):
    page = b"<ListBucketResult><IsTruncated>true</IsTruncated>" \
        b"<NextContinuationToken>again</NextContinuationToken>" \
        b"<Contents><Key>a</Key></Contents></ListBucketResult>"
    front.faults = [Fault(answer(Answer(200, page)), times=100)]
    refused(lambda: client.list(prefix=""), "data", "never ends")


@pytest.mark.parametrize("body", [
    b"", b"<html/>", b"<InitiateMultipartUploadResult/>",
    b"<InitiateMultipartUploadResult><UploadId></UploadId>"
    b"</InitiateMultipartUploadResult>"])
def test_uploads_that_do_not_begin(client, front, files, server, body):
    begins = lambda r: r.path.endswith("?uploads=")  # noqa: E731
    front.faults = [Fault(answer(Answer(200, body)), begins, times=2)]
    client.upload("begin", str(files / "large"))
    assert stored(server, "begin") == DATA
    front.faults = [Fault(answer(Answer(200, body)), begins, times=100)]
    client.begin(key="begin")
    refused(lambda: client.write(file=str(files / "large")), "data")
    client.abort()


def is_complete(request):
    return request.command == "POST" and "uploadId=" in request.path


@pytest.mark.parametrize("made", [
    s3_error(200, "InternalError"), Answer(200, b""), Answer(200, b"<html/>"),
    Answer(200, b"<CompleteMultipartUploadResult><ETag>x"),
    s3_error(500, "InternalError")])
def test_completion_that_is_none(client, front, files, server, made):
    front.faults = [Fault(answer(made), is_complete, times=2)]
    client.upload("complete", str(files / "large"))
    assert stored(server, "complete") == DATA
    assert not uploads(server, "complete")
    server.boto().put_object(Bucket=BUCKET, Key="complete", Body=b"before")
    front.faults = [Fault(answer(made), is_complete, times=100)]
    client.begin(key="complete")
    client.write(file=str(files / "large"))
    with pytest.raises(Failed):
        client.complete()
    assert stored(server, "complete") == b"before"
    assert not uploads(server, "complete")  # it was aborted


@pytest.mark.parametrize("with_answer", [True, False])
def test_completion_that_puts_together_something_else(
        client, front, files, with_answer):
    """Told by the checksum in the answer, or by that of the object."""
    def wrong(made):
        made.body = made.body.replace(
            b"</Comp", b"<ChecksumCRC32C>AAAAAA==</ChecksumCRC32C></Comp")
    if with_answer:
        front.faults = [Fault(change(wrong), is_complete, times=100)]
    else:
        front.faults = [
            Fault(change(lambda made: setattr(made, "body", re.sub(
                b"<ChecksumCRC32C>.*</ChecksumCRC32C>", b"", made.body))),
                is_complete, times=100),
            Fault(set_header("x-amz-checksum-crc32c", "AAAAAA=="),
                  lambda r: r.command == "HEAD", times=100)]
    client.begin(key="other")
    client.write(file=str(files / "large"))
    refused(lambda: client.complete(), "data", "other bytes", "AAAAAA==")


@pytest.mark.parametrize("attempts", [3, 1])
def test_completion_whose_answer_is_lost(server, front, files, attempts):
    """It is done: the object is asked whether it came from this upload."""
    with connect(server, front, attempts=attempts) as client:
        client.put(key="lost", file=str(files / "small"))
        front.faults = [Fault(hang_up_after, is_complete, times=100)]
        told = client.upload("lost", str(files / "large"))
        assert told["size"] == len(DATA)
        assert stored(server, "lost") == DATA
        assert not uploads(server, "lost")


def test_condition_whose_answer_is_lost(client, front, files, server):
    front.faults = [Fault(hang_up_after, lambda r: r.command == "PUT")]
    client.put(key="cond", file=str(files / "small"), only_new=True)
    refused(lambda: client.put(key="cond", file=str(files / "small"),
                               only_new=True), "conflict")
    # Somebody else's, and our own answer is lost at the same time.
    front.faults = [Fault(hang_up, lambda r: r.command == "PUT")]
    refused(lambda: client.put(key="cond", file=str(files / "small"),
                               only_new=True), "conflict")


def test_condition_of_a_request_that_libcurl_repeats(server, front, files):
    """By itself, once, when a connection that was kept is closed without an
    answer: what the server has done all the same is no conflict."""
    with connect(server, front, attempts=1) as client:
        client.put(key="kept", file=str(files / "small"))
        front.faults = [Fault(hang_up_after, lambda r: r.command == "PUT")]
        client.put(key="again", file=str(files / "small"), only_new=True)
        assert [path for method, path in front.requests if method == "PUT"
                and path.endswith("/again")] == [f"/{BUCKET}/again"] * 2


# -------------------------------------------------------------- broken streams

@pytest.mark.parametrize("at", [0, 1, 4096, 5 * MEGABYTE, len(DATA) - 1])
def test_get_goes_on_where_it_broke(client, front, files, server, at):
    server.boto().put_object(Bucket=BUCKET, Key="stream", Body=DATA)
    front.faults = [Fault(break_off(at), times=2)]
    got = client.get(key="stream", file=str(files / "out"))
    assert got["size"] == len(DATA)
    assert (files / "out").read_bytes() == DATA
    front.faults = [Fault(break_off(at), times=2)]
    client.get(key="stream", file=str(files / "out"),
               **{"from": 100, "count": len(DATA) - 200})
    assert (files / "out").read_bytes() == DATA[100:-100]


def test_get_of_what_is_replaced_meanwhile(client, front, files, server):
    server.boto().put_object(Bucket=BUCKET, Key="replaced", Body=DATA)

    def replace(request, forward):
        made = break_off(1000)(request, forward)
        server.boto().put_object(Bucket=BUCKET, Key="replaced", Body=DATA[1:])
        return made
    front.faults = [Fault(replace)]
    refused(lambda: client.get(key="replaced", file=str(files / "out")),
            "conflict")


def test_get_that_never_gets_on(client, front, files, server):
    server.boto().put_object(Bucket=BUCKET, Key="stuck", Body=DATA)
    front.faults = [Fault(break_off(1000)), Fault(hang_up, times=100)]
    refused(lambda: client.get(key="stuck", file=str(files / "out")),
            "connection", retryable=True)


def test_sink_that_fails(client, server):
    server.boto().put_object(Bucket=BUCKET, Key="sink", Body=DATA)
    refused(lambda: client.get(key="sink", file="/dev/full"), "system",
            "the sink is full")


def test_server_that_ignores_ranges(client, front, files, server):
    server.boto().put_object(Bucket=BUCKET, Key="range", Body=b"0123456789")
    front.faults = [Fault(answer(Answer(200, b"0123456789")), times=100)]
    refused(lambda: client.get(key="range", file=str(files / "out"),
                               **{"from": 5}), "server", "a part of it")


@pytest.mark.parametrize("megabyte", range(0, 12))
def test_connection_cut_at_every_megabyte(server, files, megabyte):
    """In the middle of each part, whatever has come by then."""
    left = [megabyte * MEGABYTE + 500000]

    def cut_once(data):
        if left[0] is not None:
            left[0] -= len(data)
            if left[0] < 0:
                left[0] = None
                raise OSError
        return data
    with Relay((server.host, server.port), rewrite=cut_once,
               remember=False) as relay:
        # The relay says that it hangs up, but takes on what is sent: to a
        # client that has more to send that is a silent server.
        with Client(server.connection_string(
                BUCKET, part_size_mb=5, stall_timeout=2,
                endpoint=f"http://127.0.0.1:{relay.port}")) as client:
            client.upload(f"relay-{megabyte}", str(files / "large"))
    assert megabyte > 10 or left[0] is None
    assert stored(server, f"relay-{megabyte}") == DATA
    assert not uploads(server, f"relay-{megabyte}")


def test_server_killed_in_the_middle(files):
    with s3.Versitygw() as server:
        server.boto().create_bucket(
            Bucket=BUCKET,
            CreateBucketConfiguration={"LocationConstraint": s3.REGION})
        with Client(server.connection_string(
                BUCKET, part_size_mb=5, attempts=3)) as client:
            client.begin(key="killed")
            client.write(file=str(files / "large"))
            server.kill()
            error = refused(lambda: client.write(file=str(files / "large")),
                            "connection", "3 attempts", retryable=True)
            assert error.ms < 20000
            client.abort()
            server.start()
            client.upload("killed", str(files / "large"))
            assert stored(server, "killed") == DATA
        # Away for less than the attempts last: nobody notices.
        with Client(server.connection_string(
                BUCKET, part_size_mb=5, attempts=10)) as client:
            client.begin(key="killed")
            client.write(file=str(files / "large"))
            server.kill()
            client.send("complete")
            time.sleep(0.3)
            server.start()
            assert client.answer()["size"] == len(DATA)
            assert stored(server, "killed") == DATA


# ---------------------------------------------------------------------- silence

def test_silence(server, front, files):
    with connect(server, front, attempts=2, stall_timeout=1) as client:
        front.faults = [Fault(stall(8), times=100)]
        error = refused(lambda: client.put(key="x", file=str(files / "small")),
                        "connection", "in time", "2 attempts", retryable=True)
        assert 2000 <= error.ms < 7000


def test_silence_in_the_middle_of_a_part(server, files):
    """What a dead host looks like: nobody answers, nobody hangs up."""
    with Relay((server.host, server.port), remember=False) as relay:
        left = [7 * MEGABYTE]

        def freeze_once(data):
            left[0] -= len(data)
            if left[0] < 0 < left[0] + len(data):
                relay.freeze()
            return data
        relay.rewrite = freeze_once
        with Client(server.connection_string(
                BUCKET, part_size_mb=5, attempts=2, stall_timeout=1,
                endpoint=f"http://127.0.0.1:{relay.port}")) as client:
            client.begin(key="silent")
            error = refused(lambda: client.write(file=str(files / "large")),
                            "connection", "in time", "2 attempts")
            assert error.ms < 8000
            client.abort()  # which is heard when the relay thaws, or never
    left = len(uploads(server, "silent"))
    assert left <= 1
    with Client(server.connection_string(BUCKET)) as client:
        assert client.abort_uploads(prefix="silent", before_us=int(
            (time.time() + 60) * 1e6))["count"] <= left
    assert not uploads(server, "silent")


@pytest.mark.parametrize("drain", [False, True])
def test_cancel_between_attempts(server, front, files, drain):
    with connect(server, front, attempts=20) as client:
        front.faults = [Fault(answer(Answer(503, b"", {"Retry-After": "30"})),
                              times=100)]
        error = refused(lambda: client.put(
            key="x", file=str(files / "small"), cancel_ms=300, drain=drain),
            "cancelled")
        assert error.ms < 2000


def test_drain_finishes_what_is_at_hand(server, front, files):
    def slow(request, forward):
        time.sleep(1)
        return forward()
    with connect(server, front) as client:
        front.faults = [Fault(slow)]
        client.put(key="drained", file=str(files / "small"), cancel_ms=200,
                   drain=True)
        front.faults = [Fault(slow)]
        error = refused(lambda: client.put(
            key="drained", file=str(files / "small"), cancel_ms=200),
            "cancelled")
        assert error.ms < 900


# ------------------------------------------------------------------------ proxy

@pytest.mark.parametrize("user,password", [("", ""), ("us er", "p:w@=/x")])
def test_proxy(server, files, user, password):
    with s3_faults.Proxy(user, password) as proxy:
        more = {"proxy_user": user, "proxy_password": password} if user else {}
        with Client(server.connection_string(
                BUCKET, proxy=f"http://127.0.0.1:{proxy.port}", part_size_mb=5,
                **more)) as client:
            client.put(key="proxy a+b", file=str(files / "small"))
            client.upload("proxy", str(files / "large"))
        assert proxy.passed >= 6
        assert stored(server, "proxy") == DATA
        # From the environment, and against it.
        for more, passed in (({}, True), ({"proxy": "none"}, False)):
            before = proxy.passed
            if user:
                break
            with Client(server.connection_string(BUCKET, **more),
                        http_proxy=f"http://127.0.0.1:{proxy.port}") as client:
                client.head(key="proxy")
            assert (proxy.passed > before) == passed
        if user:
            with Client(server.connection_string(
                    BUCKET, proxy=f"127.0.0.1:{proxy.port}",
                    proxy_user="x", proxy_password="wrong-secret")) as client:
                error = refused(lambda: client.list(prefix=""), "config",
                                "'proxy_user'")
                assert "wrong-secret" not in error.message


def test_proxy_and_tls(tmp_path, files):
    from support import certificates
    authority = certificates.Authority(tmp_path / "ca")
    with s3.Versitygw(certificate=authority.issue("good")) as server, \
            s3_faults.Proxy("user", "secret-word") as proxy:
        server.boto().create_bucket(
            Bucket=BUCKET,
            CreateBucketConfiguration={"LocationConstraint": s3.REGION})
        for word, works in (("secret-word", True), ("another-word", False)):
            with Client(server.connection_string(
                    BUCKET, ca_file=authority.file, proxy_user="user",
                    proxy_password=word, attempts=2,
                    proxy=f"http://127.0.0.1:{proxy.port}")) as client:
                if works:
                    client.put(key="tunnel", file=str(files / "small"))
                    assert stored(server, "tunnel") == b"small"
                else:
                    error = refused(lambda: client.list(prefix=""), "config",
                                    "status 407", "'proxy_user'")
                    assert "another-word" not in error.message
        assert proxy.passed


def test_no_proxy_there(server, files):
    with Client(server.connection_string(
            BUCKET, proxy=f"http://127.0.0.1:{free_port()}",
            attempts=2)) as client:
        refused(lambda: client.list(prefix=""), "connection", retryable=True)
