"""Fixtures of tests that land tables as files; a module imports those it uses."""
import time

import pytest

from support import duck, s3
from support.landing import BucketLake, Lake

BUCKET = "landing"


def make_bucket(server):
    server.boto().create_bucket(
        Bucket=BUCKET,
        CreateBucketConfiguration={"LocationConstraint": s3.REGION})


@pytest.fixture(scope="module")
def reader():
    made = duck.Duck()
    yield made
    made.close()


@pytest.fixture(scope="module")
def server():
    with s3.Versitygw() as running:
        make_bucket(running)
        yield running


@pytest.fixture
def lake_folder(tmp_path):
    folder = tmp_path / "lake"
    folder.mkdir()
    return folder


@pytest.fixture(params=["file", "s3"])
def make_lake(request, world, reader, lake_folder):
    """In a folder, and in a bucket, below a prefix of its own."""
    def make(**options):
        if request.param == "file":
            return Lake(world, reader, lake_folder, **options)
        return BucketLake(world, reader, lake_folder,
                          request.getfixturevalue("server"), BUCKET,
                          **dict({"prefix": f"p{time.time_ns()}"}, **options))
    return make
