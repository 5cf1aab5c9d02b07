"""What `check` and the daemon say when a bucket cannot be used: the right, setting
or machine that is to blame, and what mends it. Policies are judged by moto, the
rest is answered as Amazon does."""
import json
import time

import pytest

from support import certificates, dataflow, duck, s3, s3_faults
from support.lakes import BUCKET, make_bucket
from support.landing import BucketLake
from support.ports import free_port
from test_check import FAIL, check
from test_files import fill
from test_files_docs import blocks

duck.skip_unless_installed()
s3.skip_unless_installed()

OBJECTS = f"arn:aws:s3:::{BUCKET}/dataflow/*"
RESOURCES = {
    "s3:ListBucket": f"arn:aws:s3:::{BUCKET}",
    "s3:ListBucketMultipartUploads": f"arn:aws:s3:::{BUCKET}",
    "s3:PutObject": OBJECTS, "s3:GetObject": OBJECTS,
    "s3:DeleteObject": OBJECTS, "s3:AbortMultipartUpload": OBJECTS,
}


@pytest.fixture(scope="module")
def moto():
    with s3.Moto() as running:
        make_bucket(running)
        yield running


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return certificates.Authority(tmp_path_factory.mktemp("ca"))


def statements(without=None):
    """Of the policy in docs/files.md."""
    policy = json.loads(blocks("Rights", "json")[0])
    assert {a for s in policy["Statement"] for a in s["Action"]} == set(
        RESOURCES)
    for statement in policy["Statement"]:
        statement["Action"] = [a for a in statement["Action"] if a != without]
    return policy["Statement"]


def make_lake(world, tmp_path, server, **options):
    return BucketLake(world, None, tmp_path, server, BUCKET,
                      **dict({"prefix": "dataflow"}, **options))


def failures(done):
    return [f for f in done.bad() if f["level"] == "FAIL" and
            f["subject"].startswith("target")]


@pytest.mark.parametrize("action", [None, *RESOURCES])
def test_rights(world, moto, tmp_path, action):
    """The finding names the object, the action, and what it must be allowed
    on."""
    key, secret = moto.add_user(f"without-{action}".replace(":", "-"),
                                *statements(action))
    make_lake(world, tmp_path, moto, access_key=key, secret_key=secret)
    done = check(world, "lake")
    found = failures(done)
    if not action:
        assert not found, done
        return
    assert done.code == FAIL and len(found) == 1, done
    assert f"s3://{BUCKET}/" in found[0]["finding"]
    assert f"{action} on '{RESOURCES[action]}'" in found[0]["remedy"], done
    assert secret not in str(done)


def test_all_rights_that_are_missing(world, moto, tmp_path):
    """It does not end at the first one."""
    allowed = [{"Effect": "Allow", "Resource": OBJECTS,
                "Action": ["s3:PutObject", "s3:GetObject"]}]
    key, secret = moto.add_user("writer", *allowed)
    make_lake(world, tmp_path, moto, access_key=key, secret_key=secret)
    found = failures(check(world, "lake"))
    assert [f["check"] for f in found] == ["list", "delete", "abort"]


REDIRECT = s3_faults.s3_error(
    301, "PermanentRedirect", "The bucket you are attempting to access must be "
    "addressed using the specified endpoint.",
    f"<Endpoint>{BUCKET}.s3.eu-west-3.amazonaws.com</Endpoint>")
REDIRECT.headers["x-amz-bucket-region"] = "eu-west-3"
MALFORMED = s3_faults.s3_error(
    400, "AuthorizationHeaderMalformed", "The authorization header is "
    "malformed; the region 'eu-central-1' is wrong; expecting 'eu-west-3'",
    "<Region>eu-west-3</Region>")
WRONG = {
    "redirect": (REDIRECT, "region 'eu-west-3'", "write region=eu-west-3"),
    "malformed": (MALFORMED, "region 'eu-west-3'", "write region=eu-west-3"),
    "bucket": (s3_faults.s3_error(404, "NoSuchBucket"), "no such bucket",
               "'bucket_name', 'region' and 'endpoint'"),
    "key": (s3_faults.s3_error(403, "InvalidAccessKeyId"),
            "does not know the access key", "'access_key'"),
    "secret": (s3_faults.s3_error(403, "SignatureDoesNotMatch"),
               "secret key is not that of the access key", "'secret_key'"),
    "token": (s3_faults.s3_error(400, "ExpiredToken"),
              "session token has expired", "write new credentials"),
    "clock": (s3_faults.s3_error(403, "RequestTimeTooSkewed"),
              "seconds behind the server's", "NTP"),
    "denied": (s3_faults.s3_error(403, "AccessDenied"), "access is denied",
               f"s3:GetObject on '{OBJECTS}' and s3:ListBucket on "
               f"'arn:aws:s3:::{BUCKET}'"),
    "firewall": (s3_faults.Answer(403, b"<html>Forbidden</html>"),
                 "status 403", "'endpoint' and 'proxy'"),
}
WRONG["clock"][0].headers["Date"] = time.strftime(
    "%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 3600))


class Amazon(s3_faults.Service):
    """Answers each request alike; one to a HEAD has no words."""

    def __init__(self, made):
        self.made = made
        super().__init__()

    def answer(self, request):
        return self.made


@pytest.fixture(params=list(WRONG))
def wrong(request):
    answer, text, remedy = WRONG[request.param]
    with Amazon(answer) as service:
        yield service, text, remedy


class Nowhere:
    """Credentials for a server, wherever its endpoint is."""
    access_key, secret_key, session_token = s3.ACCESS_KEY, s3.SECRET_KEY, None
    boto = connection_string = None

    def __init__(self, endpoint):
        self.endpoint = endpoint


Nowhere.boto = lambda self: None
Nowhere.connection_string = s3.Server.connection_string


def test_what_is_wrong(world, tmp_path, wrong):
    service, text, remedy = wrong
    make_lake(world, tmp_path, Nowhere(service.url))
    done = check(world, "lake")
    found = failures(done)
    assert done.code == FAIL and len(found) == 1, done
    assert text in found[0]["finding"], done
    assert remedy in found[0]["remedy"], done
    assert f"s3://{BUCKET}/dataflow/" in found[0]["finding"], done
    assert s3.SECRET_KEY not in str(done)


def test_what_the_daemon_says(world, tmp_path, wrong):
    """One row, with the remedy; and it does not ask all the time."""
    service, text, remedy = wrong
    world.config(retry_delay_seconds=1, max_retry_attempts=3)
    fill(world, 10)
    lake = make_lake(world, tmp_path, Nowhere(service.url))
    mapping = lake.add_mapping("t", cdc=0)
    daemon = world.start()
    (_, message, _), = dataflow.wait_for(world.errors)
    assert text in message and remedy in message
    before, cpu = len(service.requests), daemon.cpu_seconds()
    time.sleep(3)
    assert len(service.requests) - before < 12
    assert daemon.cpu_seconds() - cpu < 1
    assert len(world.errors(mapping)) == 1
    assert s3.SECRET_KEY not in daemon.log() + message


def test_unreachable(world, tmp_path):
    port = free_port()
    lake = make_lake(world, tmp_path, Nowhere(f"http://127.0.0.1:{port}"),
                     attempts=1)
    found, = failures(check(world, "lake"))
    assert f"no connection to '127.0.0.1:{port}'" in found["finding"], found
    assert "check endpoint" in found["remedy"], found
    lake.set_options(endpoint="https://nowhere.invalid")
    found, = failures(check(world, "lake"))
    assert "nowhere.invalid" in str(found), found
    assert "endpoint" in found["remedy"], found


def test_tls(world, tmp_path, authority):
    """A certificate of an authority that nobody knows; no TLS where there is
    some, and the other way round."""
    with s3.Versitygw(certificate=authority.issue("localhost")) as server:
        lake = make_lake(world, tmp_path, server, attempts=1)
        found, = failures(check(world, "lake"))
        assert "certificate" in found["finding"], found
        assert "ca_file" in found["remedy"], found
        lake.set_options(endpoint=f"http://127.0.0.1:{server.port}")
        found, = failures(check(world, "lake"))
        assert "https://" in found["remedy"], found
    with Amazon(s3_faults.Answer(200)) as plain:
        lake.set_options(endpoint=plain.url.replace("http:", "https:"))
        found, = failures(check(world, "lake"))
        assert "http://" in found["remedy"], found
