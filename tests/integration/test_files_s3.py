"""Tables landed in buckets of real S3 servers: what boto3 brings from there is
read by DuckDB, and compared with the source, whole."""
import json
import os
import time

import pytest

from support import dataflow, duck, s3
from support.landing import BucketLake
from support.relay import Relay
from test_check import FAIL, check
from test_files import change, fill, insert, request, wait_for_error

duck.skip_unless_installed()
s3.skip_unless_installed()

BUCKET = "landing"
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def reader():
    made = duck.Duck()
    yield made
    made.close()


@pytest.fixture(scope="module", params=[s3.Versitygw, s3.Swift, s3.Moto],
                ids=lambda server: server.__name__)
def any_server(request):
    with request.param() as running:
        make_bucket(running)
        yield running


@pytest.fixture(scope="module")
def server():
    with s3.Versitygw() as running:
        make_bucket(running)
        yield running


def make_bucket(server):
    server.boto().create_bucket(
        Bucket=BUCKET,
        CreateBucketConfiguration={"LocationConstraint": s3.REGION})


@pytest.fixture
def make_lake(world, reader, tmp_path):
    def make(server, **options):
        folder = tmp_path / "copy"
        folder.mkdir(exist_ok=True)
        return BucketLake(world, reader, folder, server, BUCKET,
                          **dict({"prefix": f"p{time.time_ns()}"}, **options))
    return make


@pytest.mark.threads
def test_load_and_changes(world, any_server, make_lake):
    fill(world)
    world.enable_cdc("t")
    lake = make_lake(any_server)
    mapping = lake.add_mapping("t")
    world.start()
    lake.wait_equal("t")
    for _ in range(3):
        change(world)
        lake.wait_equal("t")
        world.on_source("DELETE FROM t WHERE id IN (1000, 2000)")
    state, answer = request(world, mapping, "FULL_SYNC")
    assert state == "COMPLETED", answer
    lake.wait_equal("t")
    landing = lake.landing("t")
    assert len(landing.runs()) == 2 and landing.changes()
    assert landing.manifest()["rows"] > 0
    dataflow.wait_for(lambda: not lake.uploads(),
                      what="every upload completed")
    assert not world.errors()
