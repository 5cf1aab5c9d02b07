"""Files of changes are merged, and the daemon ends in the middle of that: at any
moment a reader finds each change at least once, and the same table; afterwards
each is there once."""
import os
import random
import signal
import sqlite3

import pytest

from stage import LANDINGS, Cast, Stage
from support import dataflow, duck, peers

if peers.are_left_out():
    pytest.skip("what reads and keeps files is left out",
                allow_module_level=True)
duck.skip_unless_installed()

FILES = 5
POINTS = ("MERGE_STAGED", "BEFORE_COMMIT", "AFTER_COMMIT", "BEFORE_PUBLISH",
          "AFTER_PUBLISH", "MERGE_REMOVED")


@pytest.fixture(params=LANDINGS)
def stage(tmp_path, request):
    made = Stage(str(tmp_path), random.Random(1),
                 Cast("sqlserver", request.param, "sqlite"))
    yield made
    made.close()


def landing(stage):
    return stage.dest.landing(stage.dst_db, "t")


def prepare(stage):
    """A table with some small files of changes."""
    stage.init(cdc_check_interval_seconds=1, retry_delay_seconds=0,
               lease_seconds=3, verification_interval_minutes=0,
               resync_on_gap=0)
    stage.add_target()
    stage.control("UPDATE target_servers SET connection_string = "
                  "replace(connection_string, 'partition_by=hour', "
                  "'partition_by=none')")
    stage.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "n INT NOT NULL, doc NVARCHAR(MAX) NULL)")
    stage.enable("cdc", "t")
    mapping = stage.add_mapping("t")
    stage.start_first()
    dataflow.wait_for(lambda: stage.has_table("t"))
    dataflow.wait_for(lambda: stage.control(
        "SELECT 1 FROM mapping_state WHERE is_consistent = 1"))
    while len(landing(stage).changes()) < FILES:
        make_changes(stage)
    return mapping


def make_changes(stage):
    """One file of them, at least."""
    files = len(landing(stage).changes())
    top = stage.on_source("SELECT COALESCE(MAX(id), 0) FROM t")[0][0]
    stage.on_source(f"INSERT INTO t SELECT {top} + 1, {top}, N'x' "
                    f"UNION ALL SELECT {top} + 2, {top}, NULL")
    stage.on_source(f"UPDATE t SET n = n + 1 WHERE id % 3 = {top % 3}")
    stage.on_source(f"DELETE FROM t WHERE id = {top - 3}")
    dataflow.wait_for(lambda: len(landing(stage).changes()) > files)
    stage.wait_equal("t")


def events(stage, once=False):
    """What is in files of changes; `once`: each must be there one time."""
    where = landing(stage)
    rows = where.duck.query(f"SELECT * FROM {where.scan(where.changes())}")
    assert not once or len(rows) == len(set(rows))
    return set(rows)


def answer_of(stage, number):
    return stage.control("SELECT state, answer FROM sync_requests WHERE "
                         f"request_id = {number}")[0]


def is_locked(stage):
    """By a thread that writes to the control store, and stands still."""
    connection = sqlite3.connect(stage.control_file, timeout=2)
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return True
    finally:
        connection.close()
    return False


def start_daemon(stage, point, action):
    """It ends, or stands still, when it comes to that point of a compaction.
    Files of its last commit it publishes again when it starts."""
    again = len(landing(stage).state().get("pending", ()))
    nth = again + 1 if point.endswith("_PUBLISH") else 1
    stage.start_daemon(DATAFLOW_FAILPOINTS=f"{point}={action}@{nth}")


def freeze(stage, mapping, point):
    """There, and so that another daemon can work; what was in files before, and
    the request's number."""
    stage.daemon.stop()
    for _ in range(8):
        before = events(stage, once=True)
        start_daemon(stage, point, "freeze")
        number = stage.request(mapping, "COMPACT")
        dataflow.wait_for(stage.daemon.is_frozen, 30)
        if not is_locked(stage):
            return before, number
        stage.daemon.kill()
        stage.start_daemon()
        dataflow.wait_for(lambda n=number: answer_of(stage, n)[0] ==
                          "COMPLETED", 60)
        make_changes(stage)
        make_changes(stage)
        stage.daemon.stop()
    raise AssertionError("it always wrote to the control store just then")


def check_reader(stage, before):
    assert events(stage) == before
    assert not stage.differences("t")


def check_end(stage, before, number):
    dataflow.wait_for(lambda: answer_of(stage, number)[0] == "COMPLETED", 60)
    assert events(stage, once=True) == before
    assert not stage.differences("t")
    assert len(landing(stage).changes()) == 1
    dataflow.wait_for(lambda: not stage.dest.leftovers())
    assert not stage.dest.changed_files()
    assert len(stage.loads()) == 1 and not stage.errors()
    make_changes(stage)
    stage.wait_equal("t")


@pytest.mark.parametrize("point", POINTS)
def test_killed(stage, point):
    mapping = prepare(stage)
    stage.daemon.stop()
    before, old = events(stage, once=True), landing(stage).changes()
    start_daemon(stage, point, "kill")
    number = stage.request(mapping, "COMPACT")
    dataflow.wait_for(lambda: not stage.daemon.is_running(), 30)
    check_reader(stage, before)
    visible = set(landing(stage).changes()) & set(old)
    assert len(visible) == (0 if point == "MERGE_REMOVED" else len(old))
    stage.start_daemon()
    check_end(stage, before, number)


@pytest.mark.parametrize("point", POINTS[1:])
def test_frozen(stage, point):
    """Longer than its lease, and another daemon does the work meanwhile; then
    it wakes up."""
    mapping = prepare(stage)
    before, number = freeze(stage, mapping, point)
    check_reader(stage, before)
    other = dataflow.Daemon(stage.environment(), cwd=str(stage.folder))
    stage.daemons.append(other)
    other.start()
    dataflow.wait_for(lambda: answer_of(stage, number)[0] == "COMPLETED", 60)
    assert events(stage, once=True) == before
    stage.daemon.signal(signal.SIGCONT)
    make_changes(stage)
    before = events(stage, once=True)
    stage.daemon.kill()
    stage.wait_equal("t")
    assert events(stage, once=True) == before
    assert len(stage.loads()) == 1


def test_killed_between_two_that_go(stage):
    """Some of the old files are gone, others are not."""
    mapping = prepare(stage)
    stage.daemon.stop()
    before, old = events(stage, once=True), landing(stage).changes()
    start_daemon(stage, "AFTER_PUBLISH", "kill")
    number = stage.request(mapping, "COMPACT")
    dataflow.wait_for(lambda: not stage.daemon.is_running(), 30)
    assert len(landing(stage).changes()) == len(old) + 1
    for path in old[::2]:
        if stage.dest.kind == "s3":
            stage.dest.boto.delete_object(
                Bucket=stage.dest.bucket,
                Key=os.path.relpath(path, stage.dest.folder))
        else:
            os.unlink(path)
    check_reader(stage, before)
    stage.start_daemon()
    check_end(stage, before, number)


def lose_prepared(stage):
    """Somebody tidies up what no daemon has made visible yet."""
    if stage.dest.kind == "s3":
        for upload in stage.dest.copy.uploads():
            stage.dest.boto.abort_multipart_upload(
                Bucket=stage.dest.bucket, Key=upload["Key"],
                UploadId=upload["UploadId"])
    for path in stage.dest.leftovers():
        if stage.dest.kind == "file":
            os.unlink(path)


def test_a_merged_file_that_was_lost(stage):
    """Is no loss as long as those are there that it is made of."""
    mapping = prepare(stage)
    stage.daemon.stop()
    before = events(stage, once=True)
    start_daemon(stage, "BEFORE_PUBLISH", "kill")
    number = stage.request(mapping, "COMPACT")
    dataflow.wait_for(lambda: not stage.daemon.is_running(), 30)
    lose_prepared(stage)
    check_reader(stage, before)
    stage.start_daemon()
    check_end(stage, before, number)


def test_all_of_it_was_lost(stage):
    """That is a gap, and told."""
    mapping = prepare(stage)
    stage.daemon.stop()
    start_daemon(stage, "BEFORE_PUBLISH", "kill")
    stage.request(mapping, "COMPACT")
    dataflow.wait_for(lambda: not stage.daemon.is_running(), 30)
    lose_prepared(stage)
    path = landing(stage).changes()[2]
    if stage.dest.kind == "s3":
        stage.dest.boto.delete_object(
            Bucket=stage.dest.bucket,
            Key=os.path.relpath(path, stage.dest.folder))
    else:
        os.unlink(path)
    stage.start_daemon()
    dataflow.wait_for(lambda: [e for e in stage.errors()
                               if "was committed, and lost" in e[1]], 30)
