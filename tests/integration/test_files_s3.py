"""Tables landed in buckets of real S3 servers: what boto3 brings from there is
read by DuckDB, and compared with the source, whole."""
import json
import os
import random
import threading
import time

import pytest

from support import dataflow, duck, s3, s3_faults
from support.lakes import (BUCKET, lake_folder, make_bucket,  # noqa: F401
                           reader, server)
from support.landing import BucketLake
from test_check import FAIL, check
from test_files import change, fill, insert, request, wait_for_error

duck.skip_unless_installed()
s3.skip_unless_installed()

MEGABYTE = 1 << 20


@pytest.fixture(scope="module", params=[s3.Versitygw, s3.Swift, s3.Moto],
                ids=lambda server: server.__name__)
def any_server(request):
    with request.param() as running:
        make_bucket(running)
        yield running


@pytest.fixture
def make_lake(world, reader, lake_folder):
    def make(server, **options):
        return BucketLake(world, reader, lake_folder, server, BUCKET,
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


def test_files_larger_than_a_part(world, server, make_lake):
    """They go out while they are written, under the names that they keep: a
    name says what is in a file, though the end was not known when it got it."""
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "v VARCHAR(2000) NOT NULL)")
    world.on_source(
        "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < "
        "12000) INSERT INTO t SELECT i, CONCAT(REPLICATE('x', 1500), i) FROM "
        "n OPTION (MAXRECURSION 0)")
    world.enable_cdc("t")
    world.config(cdc_window_transactions=1, batch_size=500)
    lake = make_lake(server, file_format="json", part_size_mb=5,
                     file_size_mb=12)
    lake.add_mapping("t")
    daemon = world.start()
    lake.wait_equal("t", timeout=90)
    landing = lake.landing("t")
    assert [f["rows"] > 3000 for f in landing.manifest()["files"]] == [
        True, True]
    daemon.stop()
    for turn in range(6):
        world.on_source(f"UPDATE t SET v = CONCAT('{turn}', v) WHERE "
                        f"id % 6 = {turn}")
        world.on_source(f"UPDATE t SET v = '{turn}' WHERE id < 1000")
    daemon.start()
    lake.wait_equal("t", timeout=90)
    landing = lake.landing("t")
    changes = landing.changes()
    assert len(changes) >= 4
    assert max(os.path.getsize(c) for c in changes) > 5 * MEGABYTE
    for path in changes:
        begin, end, _ = os.path.basename(path).split(".")[0].split("-")
        inside = {p[0][2:] for p in lake.duck.query(
            f"SELECT DISTINCT _position FROM {landing.scan([path])}")}
        assert begin < min(inside) and max(inside) == end
    assert not lake.uploads()


def test_folders_by_columns(world, server, make_lake):
    """Uploads that are open at the same time, more of them than may be."""
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, c INT NULL)")
    world.on_source(
        "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < "
        "3000) INSERT INTO t SELECT i, i % 40 FROM n OPTION (MAXRECURSION 0)")
    lake = make_lake(server, partition_columns="c")
    lake.add_mapping("t", cdc=0)
    world.start()
    lake.wait_equal("t", timeout=90)
    assert len(lake.landing("t").parts()) >= 40


# --------------------------------------------------------------------- trouble

def sometimes(dice, *kinds):
    """A fault that comes to one request of six or so."""
    def fault(request, forward):
        if dice.random() > 0.16:
            return None
        kind = dice.choice(kinds)
        if kind == "cut":
            raise s3_faults.Cut
        if kind == "lost":
            forward()
            raise s3_faults.Cut
        if kind == "slow":
            time.sleep(0.5)
            return None
        return s3_faults.s3_error(*kind)
    return fault


SLOW_DOWN = (503, "SlowDown")
INTERNAL = (500, "InternalError")


@pytest.mark.parametrize("kinds", [
    ("cut", "lost"), (SLOW_DOWN, INTERNAL, "slow"),
    ("cut", "lost", SLOW_DOWN, INTERNAL)], ids=["cut", "refused", "all"])
def test_trouble_at_any_request(world, server, make_lake, kinds):
    """Whatever is lost on the way, files come once, and stay what they are."""
    dice = random.Random(os.environ.get("FAULT_SEED", time.time()))
    fill(world, 50)
    world.enable_cdc("t")
    with s3_faults.Front(server) as front:
        lake = make_lake(server, attempts=2)
        lake.set_options(endpoint=front.url)
        lake.add_mapping("t")
        world.start()
        lake.wait_equal("t")
        seen = {}
        front.faults.append(sometimes(dice, *kinds))
        for turn in range(12):
            insert(world, 1000 + 10 * turn, 1007 + 10 * turn)
            world.on_source(f"UPDATE t SET name = N'{turn}' WHERE id % 5 = "
                            f"{turn % 5}")
            time.sleep(0.8)
            for path, content in lake.landing("t").everything().items():
                assert seen.setdefault(path, content) == content
        front.faults.clear()
        lake.wait_equal("t", timeout=60)
        assert len(lake.landing("t").runs()) == 1
        dataflow.wait_for(lambda: not world.errors(), 60)


def test_a_server_that_ends(world, make_lake):
    """Killed in the middle of everything, and back after a while."""
    fill(world, 500)
    world.enable_cdc("t")
    with s3.Versitygw() as own:
        make_bucket(own)
        lake = make_lake(own, attempts=2, stall_timeout=5)
        mapping = lake.add_mapping("t")
        world.start()
        lake.wait_equal("t")
        for turn in range(4):
            world.on_source(f"UPDATE t SET name = N'{turn}'")
            time.sleep(0.3 * turn)
            own.kill()
            world.on_source(f"DELETE FROM t WHERE id = {turn + 2}")
            time.sleep(2)
            own.start()
        lake.wait_equal("t", timeout=60)
        assert len(lake.landing("t").runs()) == 1
        dataflow.wait_for(lambda: not world.errors(mapping), 60)


def test_a_daemon_that_was_killed(world, server, make_lake):
    """What it had sent goes, but for what it had committed."""
    world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "v VARCHAR(2000) NOT NULL)")
    world.on_source(
        "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < "
        "20000) INSERT INTO t SELECT i, CONCAT(REPLICATE('x', 1500), i) FROM "
        "n OPTION (MAXRECURSION 0)")
    world.enable_cdc("t")
    with s3_faults.Front(server) as front:
        lake = make_lake(server, file_format="csv", part_size_mb=5)
        lake.set_options(endpoint=front.url)
        lake.add_mapping("t")

        def no_end(request, forward):
            if request.command == "POST" and "uploadId" in request.path:
                raise s3_faults.Cut
            return None
        front.faults.append(no_end)
        daemon = world.start()
        dataflow.wait_for(lambda: any(
            method == "POST" and "uploadId" in path
            for method, path in list(front.requests)))
        daemon.kill()
        assert lake.uploads()
        front.faults.clear()
        daemon.start()
        dataflow.wait_for(lambda: lake.landing("t").is_loaded(), 60)
        dataflow.wait_for(lambda: not lake.uploads(), 60)
        # Now with changes that are committed, and never completed.
        front.faults.append(no_end)
        world.on_source("UPDATE t SET v = 'y' WHERE id < 9")
        landing = lake.landing("t")
        dataflow.wait_for(lambda: lake.landing("t").state()["pending"])
        daemon.kill()
        assert not landing.changes() and len(lake.uploads()) == 1
        front.faults.clear()
        daemon.start()
        dataflow.wait_for(lambda: lake.landing("t").changes(), 60)
        assert not lake.uploads()
        assert lake.duck.query(
            f"SELECT count(*) FROM {landing.scan(landing.changes())}") == [
            (8,)]


def test_an_upload_that_begins_late(world, server, make_lake):
    """Its begin is answered after it was given up, and after what was left
    behind was looked for: nobody knows of it, but those who look again."""
    fill(world, 20)
    world.enable_cdc("t")
    with s3_faults.Front(server) as front:
        lake = make_lake(server, stall_timeout=2)
        lake.set_options(endpoint=front.url)
        lake.add_mapping("t")
        world.start()
        lake.wait_equal("t")
        now, begun = threading.Event(), threading.Event()

        def late(request, forward):
            now.wait(60)
            forward()
            begun.set()
            raise s3_faults.Cut
        front.faults.append(s3_faults.Fault(
            late, lambda request: request.command == "POST"
            and "uploads" in request.path))
        world.on_source("UPDATE t SET name = N'once' WHERE id < 9")
        lake.wait_equal("t")
        assert not lake.uploads()
        now.set()
        assert begun.wait(60) and len(lake.uploads()) == 1
        time.sleep(2)
        world.on_source("UPDATE t SET name = N'twice' WHERE id < 9")
        lake.wait_equal("t")
        dataflow.wait_for(lambda: not lake.uploads())
        # Once it was found, nobody looks any more.
        seen = len(front.requests)
        world.on_source("UPDATE t SET name = N'again' WHERE id < 9")
        lake.wait_equal("t")
        assert not [path for method, path in front.requests[seen:]
                    if method == "GET" and "uploads" in path]
    assert not world.errors()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("what", ["changes", "load"])
def test_a_state_that_is_written_late(world, server, make_lake, what, when):
    """The daemon has given it up, and begins anew, when the server carries it
    out after all: before the daemon writes the state again, so that it counts,
    or when what it names has been removed, and then it does not."""
    fill(world, 20)
    world.enable_cdc("t")
    with s3_faults.Front(server) as front:
        lake = make_lake(server, stall_timeout=2, attempts=1)
        lake.set_options(endpoint=front.url)
        mapping = lake.add_mapping("t")
        world.start()
        lake.wait_equal("t")
        run = lake.landing("t").latest()["run"]
        now, done = threading.Event(), threading.Event()
        answers, named = [], []

        def is_state(request):
            return request.command == "PUT" and "/state.json" in request.path

        def names(request):
            state = json.loads(request.body)
            return [file["key"] for file in state["pending"]] + \
                [load["run"] for load in state["loads"] if load["run"] != run]

        def late(request, forward):
            named.extend(names(request))
            now.wait(60)
            answers.append(forward().status)
            done.set()
            raise s3_faults.Cut

        def meanwhile(request, forward):
            made = forward() if when == "after" else None
            now.set()
            assert done.wait(60)
            return made or forward()

        def is_removal(request):
            return "?delete" in request.path if what == "load" else \
                request.command == "DELETE" and "uploadId" in request.path
        front.faults += [
            s3_faults.Fault(late, lambda r: is_state(r) and names(r)),
            s3_faults.Fault(meanwhile, lambda r: named and (
                is_removal if when == "after" else is_state)(r))]
        if what == "load":
            world.request(mapping, "FULL_SYNC")
        else:
            world.on_source("UPDATE t SET name = N'once' WHERE id < 9")
        assert done.wait(60)
        assert answers == [412 if when == "after" else 200]
        world.on_source("UPDATE t SET name = N'twice' WHERE id < 5")
        lake.wait_equal("t")

        def kept():
            landing = lake.landing("t")
            runs = [load["run"] for load in landing.state()["loads"]]
            return all(map(landing.parts, runs)) and runs
        if what == "changes":
            assert kept() == [run]
        else:
            dataflow.wait_for(lambda: lake.landing("t").latest()["run"] != run)
            runs = dataflow.wait_for(kept)
            assert (named[0] in runs) == (when == "before")
        assert not [e for e in world.errors() if "lost" in e[1]]


def test_an_upload_that_a_rule_has_aborted(world, server, make_lake):
    """Its changes are gone: that is a gap, told and mended by a load."""
    fill(world, 20)
    world.enable_cdc("t")
    with s3_faults.Front(server) as front:
        lake = make_lake(server, attempts=1)
        lake.set_options(endpoint=front.url)
        mapping = lake.add_mapping("t")
        daemon = world.start()
        lake.wait_equal("t")
        run = lake.landing("t").latest()["run"]

        def no_end(request, forward):
            if request.command == "POST" and "uploadId" in request.path:
                raise s3_faults.Cut
            return None
        front.faults.append(no_end)
        world.on_source("UPDATE t SET name = N'lost' WHERE id < 9")
        dataflow.wait_for(lambda: lake.landing("t").state()["pending"])
        daemon.kill()
        for upload in lake.uploads():
            lake.boto.abort_multipart_upload(
                Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])
        front.faults.clear()
        world.config(resync_on_gap=0)
        daemon.start()
        wait_for_error(world, "was committed, and lost")
        world.config(resync_on_gap=1)
        lake.wait_equal("t")
        assert lake.landing("t").latest()["run"] != run
        dataflow.wait_for(lambda: not world.errors(mapping))


# ----------------------------------------------------------------------- check

def test_check(world, any_server, make_lake):
    fill(world, 10)
    world.enable_cdc("t")
    lake = make_lake(any_server)
    lake.add_mapping("t")
    done = check(world)
    for name in ("connection", "write", "read", "list", "delete"):
        assert done.of(name, "OK", "lake"), f"{name}: {done}"
    if any_server.conditions:
        assert done.of("conditions", "OK", "lake"), done
    else:
        done.expect("WARN", "conditions", "If-Match")
    assert not [f for f in done.bad() if f["level"] == "FAIL"], done
    assert not lake.keys(lake.options["prefix"]) and not lake.uploads()


def test_check_finds_what_is_wrong(world, server, make_lake):
    fill(world, 10)
    lake = make_lake(server)
    lake.add_mapping("t", cdc=0)
    for options, text in (
            ({"bucket_name": "no-such-bucket"}, "no-such-bucket"),
            ({"bucket_name": BUCKET, "secret_key": "wrong"}, "secret_key"),
            ({"secret_key": server.secret_key, "nonsense": "1"},
             "not a known key")):
        lake.set_options(**options)
        done = check(world)
        assert done.code == FAIL
        assert any(text in f["finding"] + str(f["remedy"])
                   for f in done.bad()), f"{text}: {done}"
        assert server.secret_key not in str(done)


def test_check_of_uploads_that_are_not_listed(world, server, make_lake):
    """MinIO lists them for no prefix, and, once restarted, not at all."""
    fill(world, 10)
    with s3_faults.Front(server) as front:
        lake = make_lake(server)
        lake.set_options(endpoint=front.url)
        lake.add_mapping("t", cdc=0)
        front.faults[:] = [s3_faults.as_minio()]
        done = check(world)
        assert done.of("abort", "OK", "lake"), done
        assert not lake.uploads()
        front.faults[:] = [s3_faults.as_minio(forgetful=True)]
        done = check(world)
        done.expect("WARN", "abort", "does not list uploads")
        assert "AbortIncompleteMultipartUpload" in str(done)
        assert not lake.uploads()


def test_check_of_clock_and_rules(world, server, make_lake):
    """What the server says of itself, with a front that puts words in."""
    fill(world, 10)
    with s3_faults.Front(server) as front:
        lake = make_lake(server)
        lake.set_options(endpoint=front.url)
        lake.add_mapping("t", cdc=0)
        assert check(world).of("clock", "OK", "lake")
        rules = (b"<LifecycleConfiguration><Rule><ID>x</ID><Prefix></Prefix>"
                 b"<Status>Enabled</Status>%s</Rule></LifecycleConfiguration>")
        old = b"<Expiration><Days>30</Days></Expiration>"
        parts = (b"<AbortIncompleteMultipartUpload><DaysAfterInitiation>7"
                 b"</DaysAfterInitiation></AbortIncompleteMultipartUpload>")
        late = time.strftime("%a, %d %b %Y %H:%M:%S GMT",
                             time.gmtime(time.time() + 300))

        def say(text):
            front.faults[:] = [
                s3_faults.Fault(s3_faults.answer(s3_faults.Answer(200, text)),
                                lambda r: "?lifecycle" in r.path, 100),
                s3_faults.Fault(s3_faults.set_header("Date", late),
                                lambda r: "?versioning" in r.path, 100)]
        say(rules % old)
        done = check(world)
        done.expect("WARN", "expiration", "by their age")
        done.expect("WARN", "lifecycle", "aborts uploads")
        done.expect("WARN", "clock", "behind")
        say(rules % parts)
        done = check(world)
        assert done.of("expiration", "OK", "lake"), done
        assert done.of("lifecycle", "OK", "lake"), done
