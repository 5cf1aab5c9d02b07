"""Two daemons on the same control tables, of which the one that compacts is frozen
with a request to the bucket on its way: it arrives when the other one has taken
over, compacted, and gone on. No change is lost, and none is there twice."""
import re
import signal
import threading
import time

import pytest

from support import dataflow, duck, s3, s3_faults
from support.lakes import BUCKET, lake_folder, reader, server  # noqa: F401
from support.landing import BucketLake
from test_files import fill
from test_files_compact import check_once_and_in_order, events, make_files

duck.skip_unless_installed()
s3.skip_unless_installed()

MERGED = re.compile(r"-\d+_\d+\.parquet")
REQUESTS = {
    "begin": lambda r: MERGED.search(r.path) and "?uploads" in r.path,
    "part": lambda r: MERGED.search(r.path) and "partNumber=" in r.path,
    "state": lambda r: r.command == "PUT" and "/state.json" in r.path and
    MERGED.search(r.body.decode()),
    "completion": lambda r: MERGED.search(r.path) and r.command == "POST" and
    "uploadId=" in r.path,
    "removal": lambda r: r.command == "POST" and "?delete" in r.path,
}


class Late:
    """The first such request of a daemon, which stands still from then on, waits
    for wake()."""

    def __init__(self, daemon, match):
        self.daemon, self.match = daemon, match
        self.lock = threading.Lock()
        self.caught, self.go, self.arrived = (threading.Event()
                                              for _ in range(3))

    def __call__(self, request, forward):
        with self.lock:
            if self.caught.is_set() or not self.match(request):
                return None
            self.daemon.signal(signal.SIGSTOP)
            self.caught.set()
        self.go.wait(120)
        answer = forward()
        self.arrived.set()
        return answer

    def wake(self):
        self.go.set()
        assert self.arrived.wait(10)
        self.daemon.signal(signal.SIGCONT)


def check_files(lake, seen):
    """None of them was ever anything else."""
    for path, content in lake.landing("t").everything().items():
        assert seen.setdefault(path, content) == content


@pytest.mark.parametrize("what", list(REQUESTS))
def test_late_request(world, server, reader, lake_folder, what):
    world.config(lease_seconds=3 * dataflow.slowness())
    fill(world, 20)
    world.enable_cdc("t")
    seen = {}
    with s3_faults.Front(server) as front:
        lake = BucketLake(world, reader, lake_folder, server, BUCKET,
                          prefix=f"p{time.time_ns()}", endpoint=front.url)
        mapping = lake.add_mapping("t")
        first = world.start()
        lake.wait_equal("t")
        make_files(world, lake, 4)
        lake.wait_equal("t")
        before = events(lake)
        check_files(lake, seen)
        late = Late(first, REQUESTS[what])
        front.faults.append(late)
        number = world.request(mapping, "COMPACT")
        try:
            assert late.caught.wait(30 * dataflow.slowness())
            assert set(events(lake)) == set(before)
            second = world.start()
            dataflow.wait_for(lambda: world.control(
                "SELECT 1 FROM sync_requests WHERE state = N'COMPLETED' AND "
                f"request_id = {number}"), 60)
            check_once_and_in_order(lake, before)
            make_files(world, lake, 3)
            lake.wait_equal("t")
            before = events(lake)
            check_files(lake, seen)
        finally:
            late.wake()
        make_files(world, lake, 5)
        lake.wait_equal("t")
        after = check_once_and_in_order(lake, events(lake))
        assert after and set(before) <= set(events(lake))
        check_files(lake, seen)
        assert len(lake.landing("t").runs()) == 1 and not world.errors()
        # What the late one has begun goes with the next who takes over.
        for daemon in (first, second):
            daemon.stop()
        second.start()
        dataflow.wait_for(lambda: not [
            upload for upload in lake.uploads()
            if upload["Key"].startswith(lake.options["prefix"])])
        assert not lake.differences("t")
