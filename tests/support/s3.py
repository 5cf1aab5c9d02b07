"""S3 servers for tests, real ones that check signatures, in a temporary folder.

Versitygw keeps objects in files; it knows the newer checksums and conditions.
Swift is OpenStack's, with its S3 API. Moto keeps objects in memory; it knows
policies, roles and their session tokens. Swift and boto3, which looks into all of
them, are Debian's, the others are in etc/packages.peers.
"""
import glob
import hashlib
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import boto3
import botocore.config

from support import peers
from support.ports import free_port

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
PEERS = os.environ.get("DATAFLOW_PEERS") or os.path.join(TOP, "build/peers")
ACCESS_KEY, SECRET_KEY = "TESTACCESSKEY", "Test/Secret+Key=42"
REGION = "eu-central-1"


def why_not():
    """Why no server can be started here; None: it can."""
    for program in ("versitygw", "moto_server"):
        if not os.access(os.path.join(PEERS, "bin", program), os.X_OK):
            return f"{program} is not installed"
    if importlib.util.find_spec("swift") is None:
        return "Swift is not installed (apt: python3-swift)"
    return None


def skip_unless_installed():
    """For a module of tests; see support/peers.py."""
    peers.need(why_not())


def clean_environment(**more):
    """Nothing of the user's own AWS settings."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith("AWS_") and
            not name.lower().endswith("_proxy")}
    return dict(kept, **more)


class Server:
    """One process; start() again after kill() is a restart: same data, port."""
    scheme = "http"

    # What not all of them have.
    regions = True
    checksums = True      # of objects, kept and told
    conditions = "all"    # "new": If-None-Match alone
    knows_uploads = True  # when they began, and that they were aborted
    any_name = True       # an object's may be what a file's cannot
    fast = True

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="dataflow-s3-")
        self.host, self.port = "127.0.0.1", 0
        self.access_key, self.secret_key = ACCESS_KEY, SECRET_KEY
        self.session_token = None
        self.process = None

    def path(self, name):
        return os.path.join(self.folder, name)

    @property
    def endpoint(self):
        return f"{self.scheme}://{self.host}:{self.port}"

    def command(self):
        raise NotImplementedError

    def environment(self):
        return clean_environment()

    def start(self):
        assert not self.is_running(), "it runs already"
        for _ in range(5):
            self.port = self.port or free_port()
            if self._try_to_start():
                return self
            self.port = 0
        raise AssertionError("the S3 server did not start:\n" + self.log())

    def _try_to_start(self):
        with open(self.path("log"), "ab") as log:
            self.process = subprocess.Popen(
                self.command(), cwd=self.folder, env=self.environment(),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for _ in range(1200):
            if self.process.poll() is not None:
                return False
            try:
                socket.create_connection((self.host, self.port)).close()
                return True
            except OSError:
                time.sleep(0.05)
        self.kill()
        return False

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        with open(self.path("log"), encoding="utf-8",
                  errors="replace") as file:
            return file.read()

    def kill(self):
        """As a crash."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        try:
            return self if self.is_running() else self.start()
        except BaseException:  # nothing may be left running
            self.close()
            raise

    def __exit__(self, *_):
        self.close()

    # ------------------------------------------------------------- clients

    def boto(self, service="s3", **options):
        """An independent client."""
        return boto3.client(
            service, endpoint_url=self.endpoint, region_name=REGION,
            aws_access_key_id=options.pop("access_key", self.access_key),
            aws_secret_access_key=options.pop("secret_key", self.secret_key),
            aws_session_token=options.pop("session_token",
                                          self.session_token),
            config=botocore.config.Config(
                retries={"max_attempts": 3}, s3={"addressing_style": "path"}),
            **options)

    def connection_string(self, bucket, **more):
        """What a DBA writes into connection_string."""
        parts = {"bucket_name": bucket, "region": REGION,
                 "endpoint": self.endpoint, "access_key": self.access_key,
                 "secret_key": self.secret_key}
        if self.session_token:
            parts["session_token"] = self.session_token
        parts.update(more)
        return ";".join(
            f"{key}={{{str(value).replace('}', '}}')}}}"
            for key, value in parts.items() if value is not None)


class Versitygw(Server):
    """With a certificate (paths of certificate and key) it speaks TLS; with a
    domain each bucket has a host of its own, too."""

    any_name = False

    def __init__(self, certificate=None, domain=None):
        super().__init__()
        self.certificate, self.domain = certificate, domain
        if certificate:
            self.scheme = "https"
        for name in ("data", "users"):
            os.mkdir(self.path(name))

    def command(self):
        options = ["--port", f"{self.host}:{self.port}", "--region", REGION,
                   "--quiet", "--keep-alive", "--iam-dir", self.path("users")]
        if self.certificate:
            options += ["--cert", self.certificate[0],
                        "--key", self.certificate[1]]
        if self.domain:
            options += ["--virtual-domain", self.domain]
        return [os.path.join(PEERS, "bin/versitygw"), *options, "posix",
                self.path("data")]

    def environment(self):
        return clean_environment(ROOT_ACCESS_KEY=self.access_key,
                                 ROOT_SECRET_KEY=self.secret_key)

    def start(self):
        """What it was putting together when it was killed it calls complete
        for ever, and never looks at again: begin that anew."""
        data = self.path("data")
        claims = glob.glob(f"{data}/*/.sgwtmp/multipart/*/*.inprogress")
        there = {hashlib.sha256(name.encode()).hexdigest()
                 for name in self._objects()} if claims else set()
        for claim in claims:
            folder, name = os.path.split(claim)
            if os.path.basename(folder) in there:
                shutil.rmtree(claim)
            else:
                os.rename(claim, os.path.join(folder, name.split(".")[0]))
        return super().start()

    def _objects(self):
        for bucket in os.scandir(self.path("data")):
            for folder, _, names in os.walk(bucket.path):
                for name in names:
                    yield os.path.relpath(os.path.join(folder, name), bucket)

    def boto(self, service="s3", **options):
        if self.certificate:
            options.setdefault("verify", False)
        return super().boto(service, **options)


class Swift(Server):
    """All of its servers in one process: see swift_server.py."""
    checksums, conditions, fast = False, None, False

    def __init__(self):
        super().__init__()
        self.access_key, self.secret_key = "test:tester", "Swift/Secret+42"

    def command(self):
        return [sys.executable, os.path.join(os.path.dirname(__file__),
                                             "swift_server.py"),
                self.folder, str(self.port), self.access_key,
                self.secret_key, REGION]


class Moto(Server):
    """A user of it is made before signatures and policies count; the policy
    allows everything unless another one is given."""
    regions = checksums = knows_uploads = fast = False
    conditions = "new"

    def command(self):
        return [os.path.join(PEERS, "bin/moto_server"), "-H", self.host, "-p",
                str(self.port)]

    def environment(self):
        return clean_environment(INITIAL_NO_AUTH_ACTION_COUNT="1000000",
                                 MOTO_S3_CUSTOM_ENDPOINTS=self.endpoint)

    def start(self):
        super().start()
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        self.access_key, self.secret_key = self.add_user("all", everything)
        self._count(0)
        return self

    def _count(self, actions):
        """How many more requests are believed."""
        urllib.request.urlopen(urllib.request.Request(
            self.endpoint + "/moto-api/reset-auth", str(actions).encode(),
            {"Content-Type": "text/plain"}, method="POST")).close()

    def add_user(self, name, *statements):
        """(access key, secret key) of a user who may do so much."""
        self._count(1000000)
        iam = self.boto("iam")
        iam.create_user(UserName=name)
        iam.put_user_policy(
            UserName=name, PolicyName="p", PolicyDocument=json.dumps(
                {"Version": "2012-10-17", "Statement": list(statements)}))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        self._count(0)
        return key["AccessKeyId"], key["SecretAccessKey"]
