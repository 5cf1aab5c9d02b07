"""The S3 client against real servers that check signatures, looked at by
boto3."""
import base64
import datetime
import hashlib
import os
import random
import time

import pytest

from support import certificates, s3
from support.s3_client import Client, Failed

s3.skip_unless_installed()

BUCKET = "data-flow.test"
MEGABYTE = 1 << 20

# Names that are hard to write in a URL, in XML or in a signature.
ODD_KEYS = [
    "plain", "with blank", " leading and trailing ", "a+b", "a%20b", "100%",
    "tilde~", "star*", "quote'\"", "amp&lt;<>", "semi;colon:comma,", "at@=$!",
    "ünïcödé", "中文/キー", "emoji-😀", "par(en)thesis[]{}", "back\\slash",
    "question?mark#hash", "pipe|caret^tick`", "a/b/c/d.parquet",
    "dt=2026-01-31/hour=07/x", "trailing.dot.", "%2F", "%", "%%", "+",
]


def content(size, seed=1):
    return random.Random(seed).randbytes(size)


@pytest.fixture(scope="module", params=[s3.Versitygw, s3.Swift, s3.Moto],
                ids=lambda server: server.__name__)
def server(request):
    with request.param() as running:
        running.boto().create_bucket(
            Bucket=BUCKET,
            CreateBucketConfiguration={"LocationConstraint": s3.REGION})
        yield running


@pytest.fixture(scope="module")
def boto(server):
    return server.boto()


@pytest.fixture
def client(server):
    with Client(server.connection_string(BUCKET, part_size_mb=5)) as running:
        yield running


@pytest.fixture
def write(tmp_path):
    """A file with these bytes."""
    def make(data, name="in"):
        path = tmp_path / name
        path.write_bytes(data)
        return str(path)
    return make


def stored(boto, key):
    return boto.get_object(Bucket=BUCKET, Key=key)["Body"].read()


def crc32c(data):
    """A bit at a time, as it is defined."""
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return base64.b64encode((crc ^ 0xffffffff).to_bytes(4, "big")).decode()


# ---------------------------------------------------------------- one request

@pytest.mark.parametrize("size", [0, 1, 1000, 3 * MEGABYTE])
def test_put_and_get(client, boto, server, write, tmp_path, size):
    data = content(size)
    put = client.put(key=f"one/{size}", file=write(data))
    assert stored(boto, f"one/{size}") == data
    head = client.head(key=f"one/{size}")
    assert head["found"] == 1 and head["size"] == put["size"] == size
    assert head["etag"] == put["etag"] == f'"{hashlib.md5(data).hexdigest()}"'
    assert abs(head["modified_us"] / 1e6 - time.time()) < 60
    got = client.get(key=f"one/{size}", file=str(tmp_path / "out"))
    assert got["found"] == 1 and got["size"] == size
    assert (tmp_path / "out").read_bytes() == data
    if size == 1000 and server.checksums:
        assert head["crc32c"] == crc32c(data)
        assert put["crc32c"] == head["crc32c"]
    client.put(key=f"one/{size}", file=write(b"another"))
    assert stored(boto, f"one/{size}") == b"another"


def test_what_boto_puts(client, boto, tmp_path):
    data = content(MEGABYTE, 2)
    boto.put_object(Bucket=BUCKET, Key="theirs", Body=data)
    assert client.get(key="theirs", file=str(tmp_path / "out"))["found"] == 1
    assert (tmp_path / "out").read_bytes() == data
    boto.put_object(Bucket=BUCKET, Key="text", Body="grün".encode())
    assert client.get_all(key="text", max=100)["text"] == "grün"
    with pytest.raises(Failed) as failed:
        client.get_all(key="theirs", max=1000)
    assert failed.value.kind == "memory"


def test_ranges(client, boto, tmp_path):
    data = content(100000, 3)
    boto.put_object(Bucket=BUCKET, Key="range", Body=data)
    out = tmp_path / "out"
    for begin, count in ((0, 1), (0, 0), (99999, 0), (10, 20), (50000, 50000),
                         (50000, 0), (99990, 1000)):
        got = client.get(key="range", file=str(out), **{
            "from": begin, "count": count})
        assert out.read_bytes() == data[begin:begin + count if count else None]
        assert got["size"] == len(data)
    with pytest.raises(Failed) as failed:
        client.get(key="range", file=str(out), **{"from": 100001})
    assert failed.value.kind == "data"


def test_what_is_not_there(client, tmp_path):
    assert client.head(key="nothing")["found"] == 0
    assert client.get(key="nothing", file=str(tmp_path / "x"))["found"] == 0
    assert client.get_all(key="nothing", max=10)["found"] == 0
    client.delete(keys=["nothing"])
    client.delete(keys=["nothing", "nothing either"])


@pytest.mark.parametrize("key", ODD_KEYS)
def test_odd_keys(client, boto, write, tmp_path, key, server):
    if not server.any_name and key.endswith("."):
        pytest.skip("it keeps objects in files")
    key = "odd/" + key
    data = key.encode()
    client.put(key=key, file=write(data))
    assert stored(boto, key) == data
    assert client.head(key=key)["size"] == len(data)
    assert client.get_all(key=key, max=1000)["text"] == key
    assert [item["key"] for item in client.list(prefix=key)["items"]] == [key]
    client.delete(keys=[key])
    assert client.head(key=key)["found"] == 0


def test_no_keys(client, write):
    for key in ("", "x" * 1025, "ü" * 513):
        with pytest.raises(Failed) as failed:
            client.put(key=key, file=write(b"x"))
        assert failed.value.kind == "data"
        assert "1 to 1024" in failed.value.message


def test_delete(client, boto):
    keys = [f"gone/{key}" for key in ODD_KEYS if not key.endswith(".")]
    for key in keys + ["gone/stays"]:
        boto.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    client.delete(keys=keys)
    left = boto.list_objects_v2(Bucket=BUCKET, Prefix="gone/")
    assert [item["Key"] for item in left["Contents"]] == ["gone/stays"]
    client.delete(keys=["gone/stays"])
    assert boto.list_objects_v2(Bucket=BUCKET, Prefix="gone/")["KeyCount"] == 0
    client.delete(keys=[])


def test_delete_more_than_a_request_holds(client, boto, server):
    if not server.fast:
        pytest.skip("a thousand objects take it minutes")
    keys = [f"many/{i:05}" for i in range(1203)]
    for key in keys:
        boto.put_object(Bucket=BUCKET, Key=key, Body=b"")
    listed = client.list(prefix="many/")["items"]
    assert [item["key"] for item in listed] == keys
    after = client.list(prefix="many/", after="many/01200")["items"]
    assert [item["key"] for item in after] == keys[1201:]
    client.delete(keys=keys)
    assert client.list(prefix="many/")["items"] == []


def test_list(client, boto):
    keys = ["tree/a/1", "tree/a/2", "tree/b", "tree/c/d/1", "tree/z"]
    for key in keys:
        boto.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    items = client.list(prefix="tree/")["items"]
    assert [item["key"] for item in items] == keys
    for item in items:
        assert item["size"] == len(item["key"]) and not item["folder"]
        assert item["etag"] == \
            f'"{hashlib.md5(item["key"].encode()).hexdigest()}"'
        assert abs(item["modified_us"] / 1e6 - time.time()) < 60
    items = client.list(prefix="tree/", delimiter="/")["items"]
    assert [(item["key"], item["folder"]) for item in items] == [
        ("tree/a/", True), ("tree/b", False), ("tree/c/", True),
        ("tree/z", False)]
    assert client.list(prefix="no such/")["items"] == []


# -------------------------------------------------------------------- uploads

@pytest.mark.parametrize("size,parts", [
    (0, 0), (1, 0), (5 * MEGABYTE, 0), (5 * MEGABYTE + 1, 2),
    (10 * MEGABYTE, 2), (17 * MEGABYTE + 12345, 4)])
@pytest.mark.parametrize("piece", [0, 1000003])
def test_upload(client, boto, write, tmp_path, size, parts, piece):
    data = content(size, size)
    key = f"upload/{size}"
    told = client.upload(key, write(data), piece,
                         content_type="application/vnd.apache.parquet")
    assert told["size"] == size
    assert stored(boto, key) == data
    head = boto.head_object(Bucket=BUCKET, Key=key)
    assert head["ETag"] == told["etag"]
    assert head["ContentType"] == "application/vnd.apache.parquet"
    if parts:
        assert head["ETag"].endswith(f'-{parts}"')
    got = client.get(key=key, file=str(tmp_path / "out"))
    assert got["found"] == 1
    assert (tmp_path / "out").read_bytes() == data


def uploads(boto):
    return boto.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])


def test_nobody_sees_half_an_upload(client, boto, write):
    boto.put_object(Bucket=BUCKET, Key="half", Body=b"as it was")
    client.begin(key="half")
    client.write(file=write(content(11 * MEGABYTE)))
    assert stored(boto, "half") == b"as it was"
    assert [u["Key"] for u in uploads(boto)] == ["half"]
    client.abort()
    assert not uploads(boto)
    assert stored(boto, "half") == b"as it was"


# ------------------------------------------------- prepared by one, published by others

@pytest.mark.parametrize("size", [0, 1, 5 * MEGABYTE, 5 * MEGABYTE + 1,
                                  12 * MEGABYTE + 345])
def test_prepared_and_published(client, boto, server, write, size):
    """By another process; again and again, whoever does it."""
    data, key = content(size, size), f"later/{size}"
    client.begin(key=key, content_type="text/csv")
    client.write(file=write(data))
    token = client.prepare()["token"]
    assert token.isprintable()
    with pytest.raises(boto.exceptions.ClientError):
        boto.head_object(Bucket=BUCKET, Key=key)
    with Client(server.connection_string(BUCKET)) as other:
        told = other.publish(key=key, token=token)
        assert told["found"] == 1 and told["size"] == size
    assert stored(boto, key) == data
    assert boto.head_object(Bucket=BUCKET, Key=key)["ContentType"] == "text/csv"
    for _ in range(2):
        assert client.publish(key=key, token=token)["found"] == 1
    client.discard(key=key, token=token)
    assert stored(boto, key) == data
    assert not uploads(boto)


def test_a_key_that_comes_late(client, boto, write):
    client.begin()
    client.write(file=write(content(5 * MEGABYTE)))
    client.set_key(key="late")
    client.write(file=write(content(3 * MEGABYTE, 1)))
    token = client.prepare()["token"]
    assert [u["Key"] for u in uploads(boto)] == ["late"]
    assert client.publish(key="late", token=token)["found"] == 1
    assert stored(boto, "late") == content(5 * MEGABYTE) + \
        content(3 * MEGABYTE, 1)
    client.begin()
    with pytest.raises(Failed) as failed:
        client.write(file=write(content(6 * MEGABYTE)))
    assert failed.value.kind == "internal"
    client.abort()


def test_prepared_and_lost(client, boto, server, write):
    """A lifecycle rule aborts it: what it had is gone, which is no error of the
    server's; another object by that name is not it."""
    if not server.knows_uploads:
        pytest.skip("it fails when it is asked for an upload it does not know")
    client.begin(key="lost")
    client.write(file=write(b"content"))
    token = client.prepare()["token"]
    client.discard(key="lost", token=token)
    assert not uploads(boto)
    assert client.publish(key="lost", token=token)["found"] == 0
    boto.put_object(Bucket=BUCKET, Key="lost", Body=b"content")
    assert client.publish(key="lost", token=token)["found"] == 0
    for bad in ("", "{}", "[]", '{"id": "x"}', "x" * 3000):
        with pytest.raises(Failed) as failed:
            client.publish(key="lost", token=bad)
        assert failed.value.kind == "data"


def test_others_are_aborted(client, boto, server, write):
    tokens = {}
    for key in ("mine/a", "mine/b", "yours/c"):
        client.begin(key=key)
        client.write(file=write(key.encode()))
        tokens[key] = client.prepare()["token"]
    with pytest.raises(Failed) as failed:
        client.abort_others(prefix="mine/", token=tokens["mine/b"], fenced=True)
    assert failed.value.kind == "conflict" and len(uploads(boto)) == 3
    assert client.abort_others(prefix="mine/",
                               token=tokens["mine/b"])["count"] == 1
    if server.knows_uploads:
        assert client.publish(key="mine/a",
                              token=tokens["mine/a"])["found"] == 0
    for key in ("mine/b", "yours/c"):
        assert client.publish(key=key, token=tokens[key])["found"] == 1
        assert stored(boto, key) == key.encode()


def test_abandoned_uploads(client, boto, server, write):
    """As a daemon that was killed leaves them behind."""
    for key in ("left/a b+ü", "left/b", "kept/c"):
        with Client(server.connection_string(BUCKET, part_size_mb=5)) as other:
            other.begin(key=key)
            other.write(file=write(content(6 * MEGABYTE)))
            other.process.kill()
            other.process.wait()
            other.process.returncode = 0
    assert len(uploads(boto)) == 3
    hour = int((time.time() - 3600) * 1e6)
    if server.knows_uploads:
        assert client.abort_uploads(prefix="left/",
                                    before_us=hour)["count"] == 0
        assert len(uploads(boto)) == 3
    soon = int((time.time() + 60) * 1e6)
    assert client.abort_uploads(prefix="left/", before_us=soon)["count"] == 2
    assert [u["Key"] for u in uploads(boto)] == ["kept/c"]
    assert client.abort_uploads(prefix="", before_us=soon)["count"] == 1
    assert not uploads(boto)


def test_upload_that_somebody_else_aborts(client, boto, server, write):
    if not server.knows_uploads:
        pytest.skip("it answers with status 500")
    client.begin(key="aborted")
    client.write(file=write(content(6 * MEGABYTE)))
    for upload in uploads(boto):
        boto.abort_multipart_upload(Bucket=BUCKET, Key=upload["Key"],
                                    UploadId=upload["UploadId"])
    client.write(file=write(content(100)))
    with pytest.raises(Failed) as failed:
        client.complete()
    assert failed.value.kind == "conflict"
    assert "aborted" in failed.value.message
    assert client.head(key="aborted")["found"] == 0


@pytest.mark.threads
def test_threads_share_a_server(client, boto):
    client.threads(count=8, rounds=10)
    assert boto.list_objects_v2(Bucket=BUCKET,
                                Prefix="threads/")["KeyCount"] == 80


# -------------------------------------------------- conditions and checksums

def test_conditions(client, boto, server, write):
    if not server.conditions:
        with pytest.raises(Failed) as failed:
            client.put(key="once", file=write(b"first"), only_new=True)
        assert "NotImplemented" in failed.value.message
        return
    first = client.put(key="once", file=write(b"first"), only_new=True)
    for upload in (False, True):
        with pytest.raises(Failed) as failed:
            if upload:
                client.upload("once", write(content(6 * MEGABYTE)),
                              only_new=True)
            else:
                client.put(key="once", file=write(b"second"), only_new=True)
        assert failed.value.kind == "conflict"
        assert "PreconditionFailed" in failed.value.message
        assert stored(boto, "once") == b"first"
    if server.conditions != "all":
        return
    client.put(key="once", file=write(b"second"), if_match=first["etag"])
    with pytest.raises(Failed) as failed:
        client.put(key="once", file=write(b"third"), if_match=first["etag"])
    assert failed.value.kind == "conflict"
    assert stored(boto, "once") == b"second"


@pytest.mark.parametrize("kind", ["crc32c", "sha256", "none"])
def test_checksums(server, boto, write, tmp_path, kind):
    small, large = content(5000, 4), content(12 * MEGABYTE, 5)
    with Client(server.connection_string(BUCKET, part_size_mb=5,
                                         checksum=kind)) as client:
        told = client.put(key="sum/small", file=write(small))
        client.upload("sum/large", write(large))
        for key, data in (("sum/small", small), ("sum/large", large)):
            assert stored(boto, key) == data
            client.get(key=key, file=str(tmp_path / "out"))
            assert (tmp_path / "out").read_bytes() == data
        head = client.head(key="sum/small")
    if not server.checksums:
        return
    if kind == "sha256":
        want = base64.b64encode(hashlib.sha256(small).digest()).decode()
        assert head["sha256"] == want and told["sha256"] == want
    elif kind == "crc32c":
        assert head["crc32c"] == crc32c(small)


def test_checksum_of_a_whole_upload(server, write):
    if not server.checksums:
        pytest.skip("it does not keep checksums")
    data = content(MEGABYTE, 6) * 11
    with Client(server.connection_string(BUCKET, part_size_mb=5)) as client:
        told = client.upload("sum/whole", write(data))
        head = client.head(key="sum/whole")
    assert told["crc32c"] == head["crc32c"] and "-" not in told["crc32c"]
    # Of eleven equal pieces: each 1 MiB is checked bit by bit once.
    assert told["crc32c"] == crc32c_of_repeated(data[:MEGABYTE], 11)


def crc32c_of_repeated(piece, times):
    crc, table = 0xffffffff, []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (0x82f63b78 if value & 1 else 0)
        table.append(value)
    for _ in range(times):
        for byte in piece:
            crc = crc >> 8 ^ table[(crc ^ byte) & 0xff]
    return base64.b64encode((crc ^ 0xffffffff).to_bytes(4, "big")).decode()


# --------------------------------------------------------------- what is wrong

def test_wrong_settings_are_named(server):
    cases = [
        ({"secret_key": "wrong"}, "config", "secret_key"),
        ({"access_key": "NOBODY"}, "config", "access_key"),
        ({"bucket_name": "no-such-bucket"}, "config", "bucket_name"),
        ({"region": "us-west-2"}, "config", f"write region={s3.REGION}"),
    ]
    for change, kind, word in cases:
        if "region" in change and not server.regions:
            continue
        with Client(server.connection_string(BUCKET, **change)) as client:
            for call in (lambda: client.list(prefix=""),
                         lambda: client.head(key="x"),
                         lambda: client.get_all(key="x", max=1)):
                if "bucket_name" in change and call is not None:
                    call = lambda: client.list(prefix="")  # noqa: E731
                with pytest.raises(Failed) as failed:
                    call()
                assert failed.value.kind == kind, failed.value.message
                assert word in failed.value.message, failed.value.message
                assert not failed.value.retryable
                assert server.secret_key not in failed.value.message


def test_cancel(server, write, tmp_path):
    """Nobody answers: the cancel is obeyed at once."""
    from support.receivers import BlackHole
    with BlackHole() as hole:
        with Client(server.connection_string(
                BUCKET, endpoint=f"http://127.0.0.1:{hole.port}")) as client:
            for call in (lambda: client.head(key="x", cancel_ms=300),
                         lambda: client.put(key="x", file=write(b"x"),
                                            cancel_ms=300)):
                with pytest.raises(Failed) as failed:
                    call()
                assert failed.value.kind == "cancelled"
                assert failed.value.ms < 2000


# ------------------------------------------------------------------ ways there

def make_bucket(server):
    server.boto().create_bucket(
        Bucket=BUCKET,
        CreateBucketConfiguration={"LocationConstraint": s3.REGION})


def test_tls(tmp_path, write):
    authority = certificates.Authority(tmp_path / "ca")
    other = certificates.Authority(tmp_path / "other", "Another CA")
    good = authority.issue("good")
    with s3.Versitygw(certificate=good) as server:
        make_bucket(server)
        with Client(server.connection_string(
                BUCKET, ca_file=authority.file)) as client:
            client.put(key="tls", file=write(b"sealed"))
            assert client.get_all(key="tls", max=100)["text"] == "sealed"
        with Client(server.connection_string(
                BUCKET, trust_server_certificate="yes")) as client:
            assert client.get_all(key="tls", max=100)["text"] == "sealed"
        for more, word in (({}, "its CA must be"),
                           ({"ca_file": other.file}, "its CA must be"),
                           ({"ca_file": str(tmp_path / "none")}, "ca")):
            refuse_tls(server, more, word)


def test_tls_with_bad_certificates(tmp_path):
    authority = certificates.Authority(tmp_path / "ca")
    for certificate in (authority.issue("name", "DNS:other.example.com"),
                        authority.issue("old", begins=-30, ends=-1)):
        with s3.Versitygw(certificate=certificate) as server:
            refuse_tls(server, {"ca_file": authority.file}, "certificate")


def refuse_tls(server, more, word):
    with Client(server.connection_string(BUCKET, attempts=5,
                                         **more)) as client:
        with pytest.raises(Failed) as failed:
            client.head(key="x")
    assert failed.value.kind in ("connection", "config")
    assert word in failed.value.message
    assert failed.value.ms < 3000  # it is not tried again


def test_no_tls_there(server):
    with Client(server.connection_string(
            BUCKET, endpoint=server.endpoint.replace("http://", ""),
            attempts=1)) as client:
        with pytest.raises(Failed) as failed:
            client.head(key="x")
    assert failed.value.kind == "connection"
    assert "http://" in failed.value.message


def test_virtual_hosts(write):
    """The bucket's name is a part of the host's."""
    with s3.Versitygw(domain="localhost") as server:
        server.boto().create_bucket(
            Bucket="virtual",
            CreateBucketConfiguration={"LocationConstraint": s3.REGION})
        with Client(server.connection_string(
                "virtual", endpoint=f"http://localhost:{server.port}",
                path_style="no", part_size_mb=5)) as client:
            data = content(6 * MEGABYTE)
            client.put(key="a b/ü+%", file=write(b"virtual"))
            client.upload("large", write(data))
            assert client.get_all(key="a b/ü+%", max=100)["text"] == "virtual"
            assert [i["key"] for i in client.list(prefix="")["items"]] == [
                "a b/ü+%", "large"]
            got = server.boto().get_object(Bucket="virtual", Key="large")
            assert got["Body"].read() == data
            client.delete(keys=["a b/ü+%", "large"])
            assert client.list(prefix="")["items"] == []


def test_least_privilege(write, tmp_path):
    """The policy of docs/s3.md is enough, and nothing of it is too much."""
    import json
    page = open(os.path.join(s3.TOP, "docs/s3.md"), encoding="utf-8").read()
    text = page.split("```json\n")[1].split("```")[0]
    policy = json.loads(text.replace("BUCKET", "narrow").replace(
        "PREFIX", "landing"))
    with s3.Moto() as server:
        server.boto().create_bucket(
            Bucket="narrow",
            CreateBucketConfiguration={"LocationConstraint": s3.REGION})
        access, secret = server.add_user("narrow", *policy["Statement"])
        with Client(server.connection_string(
                "narrow", access_key=access, secret_key=secret,
                part_size_mb=5)) as client:
            everything(client, write)
        for statement in policy["Statement"]:
            for action in statement["Action"]:
                less = [dict(s, Action=[a for a in s["Action"]
                                        if a != action])
                        for s in policy["Statement"]]
                less = [s for s in less if s["Action"]]
                name = action.replace(":", "")
                access, secret = server.add_user(name, *less)
                with Client(server.connection_string(
                        "narrow", access_key=access, secret_key=secret,
                        part_size_mb=5)) as client:
                    with pytest.raises(Failed) as failed:
                        everything(client, write)
                    assert failed.value.kind == "permission", action
                    assert action in failed.value.message
                    assert access not in failed.value.message


def everything(client, write):
    client.put(key="landing/a", file=write(b"a"))
    client.head(key="landing/a")
    client.head(key="landing/none")
    client.get_all(key="landing/a", max=10)
    client.upload("landing/b", write(content(6 * MEGABYTE)))
    client.list(prefix="landing/")
    client.begin(key="landing/c")
    client.write(file=write(content(6 * MEGABYTE)))
    client.abort_uploads(prefix="landing/", before_us=int(
        (time.time() + 60) * 1e6))
    client.delete(keys=["landing/a"])  # moto judges lists of keys otherwise
    client.delete(keys=["landing/b"])
    assert client.list(prefix="landing/")["items"] == []
