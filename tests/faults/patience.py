"""Waiting for something that may never come, and room that is not there."""
import contextlib
import os
import resource
import time

from support import dataflow


def wait(condition, timeout):
    """Did it become true within `timeout` seconds?"""
    deadline = time.monotonic() + timeout * dataflow.slowness()
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@contextlib.contextmanager
def no_room(daemon, limit=2**40):
    """No file of the daemon can grow beyond `limit` bytes, and none beyond a
    megabyte more than its log has."""
    log = os.stat(daemon.log_file.name).st_size
    pid = daemon.process.pid
    resource.prlimit(pid, resource.RLIMIT_FSIZE,
                     (min(log + 2**20, limit), resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE,
                         (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
