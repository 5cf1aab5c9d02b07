"""Where the S3 client finds credentials, in which order, and what it says when
there are none; services are played by small web servers, S3 by real ones."""
import json

import botocore.configloader
import pytest

from support import s3, s3_faults
from support.s3_client import Client, Failed
from support.s3_faults import Answer, Fault, answer, s3_error

s3.skip_unless_installed()

BUCKET = "chain"
NOWHERE = "http://127.0.0.1:1"  # nobody listens there


@pytest.fixture(scope="module")
def server():
    with s3.Versitygw() as running:
        running.boto().create_bucket(
            Bucket=BUCKET,
            CreateBucketConfiguration={"LocationConstraint": s3.REGION})
        yield running


@pytest.fixture
def home(tmp_path):
    """A home folder, and an environment without any credentials."""
    (tmp_path / ".aws").mkdir()
    return tmp_path


def connect(server, home, environment=(), **more):
    return Client(
        server.connection_string(BUCKET, access_key=None, secret_key=None,
                                 **more),
        **{"HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true",
           **dict(environment)})


def works(server, home, environment=(), **more):
    with connect(server, home, environment, **more) as client:
        client.list(prefix="")


def refused(server, home, *words, environment=(), kind="config", **more):
    with connect(server, home, environment, **more) as client:
        with pytest.raises(Failed) as failed:
            client.list(prefix="")
    message = failed.value.message
    assert failed.value.kind == kind, message
    for word in words:
        assert word in message, message
    assert server.secret_key not in message
    return failed.value


def keys(server, **more):
    return {"AWS_ACCESS_KEY_ID": server.access_key,
            "AWS_SECRET_ACCESS_KEY": server.secret_key, **more}


def section(server, name, **more):
    lines = [f"[{name}]"] + [f"{key} = {value}" for key, value in {
        "aws_access_key_id": server.access_key,
        "aws_secret_access_key": server.secret_key, **more}.items()]
    return "\n".join(lines) + "\n"


# ------------------------------------------------------------------ environment

def test_environment(server, home):
    works(server, home, keys(server))
    works(server, home, keys(server), credentials="environment")
    refused(server, home, "AWS_SECRET_ACCESS_KEY is not set",
            environment={"AWS_ACCESS_KEY_ID": "x"})
    refused(server, home, "AWS_ACCESS_KEY_ID is not set",
            environment={"AWS_SECRET_ACCESS_KEY": "x"})
    refused(server, home, "secret_key", environment=dict(
        keys(server), AWS_SECRET_ACCESS_KEY="wrong"))
    refused(server, home, "blanks", environment=dict(
        keys(server), AWS_SESSION_TOKEN="a\r\nx-evil: 1"))


def test_row_comes_first(server, home):
    (home / ".aws/credentials").write_text("[default]\nbroken\n")
    with Client(server.connection_string(BUCKET), HOME=str(home),
                AWS_ACCESS_KEY_ID="other",
                AWS_SECRET_ACCESS_KEY="other") as client:
        client.list(prefix="")


# --------------------------------------------------------------------- profiles

def test_profile(server, home):
    credentials = home / ".aws/credentials"
    credentials.write_text(
        "# a comment\n[other]\naws_access_key_id=x\naws_secret_access_key=y\n"
        "\n" + section(server, "default") + "s3 =\n  max_bandwidth = 1\n")
    works(server, home)
    works(server, home, credentials="profile")
    refused(server, home, "'access_key'", profile="other")
    refused(server, home, "'access_key'", environment={"AWS_PROFILE": "other"})
    works(server, home, {"AWS_PROFILE": "other"}, profile="default")
    refused(server, home, "no profile 'third'", str(home), profile="third")


def test_profile_in_the_other_file(server, home):
    (home / ".aws/config").write_text(
        section(server, "profile with blank", region=s3.REGION) +
        section(server, "ignored"))
    works(server, home, profile="with blank", region=None)
    refused(server, home, "no profile 'ignored'", profile="ignored")
    # And wherever the environment says.
    (home / "elsewhere").write_text(section(server, "default"))
    works(server, home, {"AWS_SHARED_CREDENTIALS_FILE":
                         str(home / "elsewhere")})
    (home / "config").write_text(section(server, "default"))
    works(server, home, {"AWS_CONFIG_FILE": str(home / "config")})


@pytest.mark.parametrize("text", [
    "[default]\n  aws_access_key_id = <key>\n"
    "  aws_secret_access_key = <secret>\n",
    "[other]\nregion = x\n[default]\n\taws_access_key_id=<key>\n"
    "\taws_secret_access_key=<secret>\n",
    "  [default]\nregion = z\n\n# a comment\naws_access_key_id = <key>\n"
    "aws_secret_access_key = <secret>\n",
    "[other]\n    region = x\n  [default]\naws_access_key_id = <key>\n"
    "aws_secret_access_key = <secret>\n",
    "[default]\n  aws_access_key_id = <key>\n"
    " aws_secret_access_key = <secret>\n",
    "[default]\nAWS_Access_Key_ID: <key>\nAWS_SECRET_ACCESS_KEY :<secret>\n",
    "[default]\ns3 =\n  aws_access_key_id = nested\n\n"
    "  aws_secret_access_key = nested\naws_access_key_id = <key>\r\n"
    "aws_secret_access_key = <secret>\r\n",
    "[default]\n  s3 =\n    aws_access_key_id = nested\n"
    "  aws_access_key_id = <key>\n  aws_secret_access_key = <secret>\n",
    "[default]\naws_access_key_id = <key>\naws_secret_access_key = <secret>\n"
    "note = x\n  [other]\n  aws_access_key_id = nested\n",
], ids=range(9))
def test_profiles_that_others_read(server, home, text):
    """What AWS's own tools take out of such a file by configparser."""
    credentials = home / ".aws/credentials"
    credentials.write_text(text.replace("<key>", server.access_key).replace(
        "<secret>", server.secret_key))
    found = botocore.configloader.raw_config_parse(str(credentials))["default"]
    assert found["aws_access_key_id"] == server.access_key
    assert found["aws_secret_access_key"] == server.secret_key
    works(server, home)


@pytest.mark.parametrize("text,words", [
    ("[default]\nnonsense\n", ["line 2", "key = value"]),
    ("[default\n", ["line 1", "']'"]),
    ("[default]\naws_access_key_id = x\n", ["aws_secret_access_key"]),
    ("[default]\nrole_arn = x\nsource_profile = y\n", ["'role_arn'"]),
    ("[default]\ncredential_process = /bin/x\n", ["'credential_process'"]),
    ("[default]\nsso_session = x\n", ["'sso_session'"]),
    ("\0", ["NUL"]), ("x" * (1 << 20), ["megabyte"]),
], ids=range(8))
def test_bad_profiles(server, home, text, words):
    (home / ".aws/credentials").write_text(text)
    refused(server, home, "profile", *words)


# -------------------------------------------------------------------- container

def test_container(server, home):
    with s3_faults.Container(server) as service:
        there = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": service.url + "/get?x=1",
                 "AWS_CONTAINER_AUTHORIZATION_TOKEN": "let me in"}
        works(server, home, there)
        works(server, home, there, credentials="container")
        assert service.requests[0] == ("GET", "/get?x=1")
        token = home / "token"
        token.write_text("let me in")
        (home / "none").write_text("\n")
        from_file = dict(there, AWS_CONTAINER_AUTHORIZATION_TOKEN="wrong",
                         AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(token))
        for written in ("let me in", "let me in\n", " let me in \t\r\nmore"):
            token.write_text(written)
            works(server, home, from_file)
        refused(server, home, "401", kind="permission",
                environment=dict(there,
                                 AWS_CONTAINER_AUTHORIZATION_TOKEN="wrong"))
        refused(server, home, "no such file".capitalize(), environment=dict(
            from_file, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE="/nowhere"))
        refused(server, home, "no token", environment=dict(
            from_file, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(
                home / "none")))
        token.write_text("let\n")
        refused(server, home, "401", kind="permission", environment=from_file)
    refused(server, home, "AWS_CONTAINER_CREDENTIALS_FULL_URI", environment={
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/"})
    refused(server, home, "container", kind="connection", environment={
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": NOWHERE})


@pytest.mark.parametrize("body,words", [
    (b"", "no JSON"), (b"<html>", "no JSON"), (b"{}", "no credentials"),
    (b"[]", "no credentials"), (b'{"Code": "Failed"}', "Failed"),
    (b'{"AccessKeyId": 1, "SecretAccessKey": []}', "no credentials"),
    (b'{"AccessKeyId": "a", "SecretAccessKey": "b", "Expiration": "soon"}',
     "expire"),
    (b'{"AccessKeyId": "a b", "SecretAccessKey": "b"}', "blanks"),
    (b'{"AccessKeyId": "a", "SecretAccessKey": "b", '
     b'"Expiration": "2020-01-01T00:00:00Z"}', "expired already"),
    (b"x" * 100000, "bytes"), (b'{"AccessKeyId": "a", "Secr', "no JSON"),
], ids=range(11))
def test_container_that_answers_garbage(server, home, body, words):
    with s3_faults.Container(server, token=None) as service:
        service.answer = lambda request: Answer(200, body)
        with connect(server, home, {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": service.url}) as client:
            with pytest.raises(Failed) as failed:
                client.list(prefix="")
    assert words in failed.value.message, failed.value.message


# --------------------------------------------------------------------- instance

def instance(service):
    return {"AWS_EC2_METADATA_DISABLED": "false",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": service.url + "/",
            # which must not be asked:
            "http_proxy": NOWHERE, "no_proxy": "127.0.0.2"}


def test_instance(server, home):
    with s3_faults.Instance(server) as service:
        works(server, home, instance(service), proxy="none")
        assert [r[0] for r in service.requests] == ["PUT", "GET", "GET"]
        service.without = ("/latest/meta-data/iam/security-credentials/",)
        refused(server, home, "the instance has no role", proxy="none",
                environment=instance(service))
        service.without = ("/latest/api/token",)
        refused(server, home, "no instance", "404", proxy="none",
                environment=instance(service))


def test_no_instance_is_found_out_soon(server, home):
    error = refused(server, home, "no instance", environment={
        "AWS_EC2_METADATA_DISABLED": "false",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": NOWHERE})
    assert error.ms < 5000


def test_everything_that_was_looked_for_is_told(server, home):
    refused(server, home, "access_key", "AWS_ACCESS_KEY_ID",
            "AWS_WEB_IDENTITY_TOKEN_FILE", "profile 'default'",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_EC2_METADATA_DISABLED", f"bucket '{BUCKET}'")


# --------------------------------------------------------------------- renewal

def test_credentials_are_renewed_before_they_expire(server, home):
    with s3_faults.Container(server, token=None, expires_in=120) as service:
        with connect(server, home, {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": service.url}) as client:
            client.list(prefix="")
            client.list(prefix="")  # less than five minutes are left
            assert len(service.requests) == 2
            service.credentials = lambda: s3_faults.credentials_json(server)
            client.list(prefix="")
            client.list(prefix="")
            assert len(service.requests) == 3


def test_renewal_that_fails_is_no_trouble_yet(server, home):
    with s3_faults.Container(server, token=None, expires_in=120) as service:
        with Client(server.connection_string(
                BUCKET, access_key=None, secret_key=None), noisy=True,
                HOME=str(home),
                AWS_CONTAINER_CREDENTIALS_FULL_URI=service.url) as client:
            client.list(prefix="")
            service.answer = lambda request: Answer(500)
            client.list(prefix="")
            asked = len(service.requests)
            client.list(prefix="")  # not asked again at once
            assert len(service.requests) == asked
        assert "the old ones are used" in client.stderr
        assert server.secret_key not in client.stderr


def test_token_that_expires_early(server, home):
    """The server has the last word; others are asked for, once."""
    with s3_faults.Container(server, token=None) as service, \
            s3_faults.Front(server) as front:
        there = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": service.url}
        with connect(server, home, there, endpoint=front.url) as client:
            client.list(prefix="")
            front.faults = [Fault(answer(s3_error(400, "ExpiredToken")))]
            client.list(prefix="")
            assert len(service.requests) == 2
            front.faults = [Fault(answer(s3_error(400, "ExpiredToken")),
                                  times=100)]
            with pytest.raises(Failed) as failed:
                client.list(prefix="")
            assert "session token has expired" in failed.value.message
            assert len(service.requests) == 3


@pytest.mark.threads
def test_threads_share_credentials(server, home):
    with s3_faults.Container(server, token=None, expires_in=200) as service:
        with connect(server, home, {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": service.url}) as client:
            client.threads(count=8, rounds=5)


# ------------------------------------------------------------- tokens and roles

@pytest.fixture(scope="module")
def moto():
    with s3.Moto() as running:
        running.boto().create_bucket(
            Bucket=BUCKET,
            CreateBucketConfiguration={"LocationConstraint": s3.REGION})
        yield running


@pytest.fixture(scope="module")
def role(moto):
    trust = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": "*"},
        "Action": "sts:AssumeRole"}]}
    iam = moto.boto("iam")
    made = iam.create_role(RoleName="writer",
                           AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName="writer", PolicyName="p", PolicyDocument=(
        json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})))
    return made["Role"]["Arn"]


def test_session_token(moto, role, home):
    """It goes with the key, and is signed."""
    got = moto.boto("sts").assume_role(
        RoleArn=role, RoleSessionName="test")["Credentials"]
    more = {"access_key": got["AccessKeyId"],
            "secret_key": got["SecretAccessKey"],
            "session_token": got["SessionToken"]}
    with Client(moto.connection_string(BUCKET, **more)) as client:
        client.list(prefix="")
    environment = {"AWS_ACCESS_KEY_ID": got["AccessKeyId"],
                   "AWS_SECRET_ACCESS_KEY": got["SecretAccessKey"],
                   "AWS_SESSION_TOKEN": got["SessionToken"]}
    works(moto, home, environment)
    (home / ".aws/credentials").write_text(
        "[default]\n" + "\n".join(f"{key.lower()} = {value}" for key, value
                                  in environment.items()) + "\n")
    works(moto, home)
    more["session_token"] = "another token".replace(" ", "-")
    with Client(moto.connection_string(BUCKET, **more)) as client:
        with pytest.raises(Failed) as failed:
            client.list(prefix="")
    assert failed.value.kind == "config", failed.value.message


def test_web_identity(moto, role, home):
    token = home / "token"
    token.write_text("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.\n")
    moto._count(1000000)  # who asks has nothing to sign with
    try:
        there = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
                 "AWS_ROLE_ARN": role, "AWS_ENDPOINT_URL_STS": moto.endpoint}
        works(moto, home, there)
        works(moto, home, there, credentials="web_identity")
    finally:
        moto._count(0)
    refused(moto, home, "AWS_ROLE_ARN is not set",
            environment=dict(there, AWS_ROLE_ARN=""))
    refused(moto, home, "cannot open file",
            environment=dict(there, AWS_WEB_IDENTITY_TOKEN_FILE="/nowhere"))
    with s3_faults.Front(moto) as front:
        there["AWS_ENDPOINT_URL_STS"] = front.url
        front.faults = [Fault(answer(s3_error(403, "AccessDenied")))]
        error = refused(moto, home, "403", role, kind="permission",
                        environment=there)
        assert "eyJ" not in error.message
        front.faults = [Fault(answer(Answer(200, b"<html>")))]
        refused(moto, home, "token service", kind="data", environment=there)
