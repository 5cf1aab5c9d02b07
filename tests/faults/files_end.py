"""A destination on the stage that is a folder of files, as DuckDB reads it, and
what may go wrong with one."""
import fcntl
import glob
import os
import random
import time

from support import duck, s3, s3_faults
from support.landing import Copy, Landing
from support.relay import Relay

from patience import no_room, wait

KEYS = {"pair": "b,a"}


class FilesEnd:
    """It has no server that could be killed, and no tables to be altered."""
    kind = "file"
    schema = "dbo"

    def __init__(self, folder):
        self.folder = folder
        self.duck = duck.Duck()
        self.seen = {}  # what was in each file that was ever visible

    def connection_string(self):
        return (f"path={self.folder};file_age_seconds=1;keep_full_loads=1;"
                "partition_by=hour")

    def landing(self, database, table):
        return Landing(self.duck, os.path.join(
            self.folder, f"{database}.{self.schema}.{table}"))

    def query(self, _sql, _database="master"):
        """Whatever a DBA would do to a database: there is none."""
        return []

    def has_table(self, database, table):
        return self.landing(database, table).is_loaded()

    def rows(self, database, table):
        try:
            return self.landing(database, table).rows(KEYS.get(table, "id"))
        except duck.Error:
            return [("a load has just replaced what was read",)]

    def checkpoints(self, database):
        found = {}
        for path in glob.glob(f"{self.folder}/{database}.*/_dataflow/"
                              "state.json"):
            state = self.landing(database, path.split("/")[-3].rsplit(
                ".", 1)[1]).state()
            if state["checkpoint"]:
                found[state["mapping"]] = state["checkpoint"]["position"][2:]
        return found

    def changed_files(self):
        """Files whose content is not what it was once: there must be none."""
        changed = []
        for path in glob.glob(f"{self.folder}/*.dbo.*"):
            for name, content in Landing(self.duck, path).everything().items():
                if self.seen.setdefault(name, content) != content:
                    changed.append(name)
        return changed

    def leftovers(self):
        return glob.glob(f"{self.folder}/*/_dataflow/tmp/*")

    def clear(self):
        pass

    def close(self):
        self.duck.close()


class BucketEnd(FilesEnd):
    """An S3 server behind a relay and a front that answers as a test wants, and
    a copy of what is in it."""
    kind = "s3"
    bucket = "landing"

    def __init__(self, folder):
        super().__init__(folder)
        self.server = s3.Versitygw()
        self.server.start()
        self.boto = self.server.boto()
        self.boto.create_bucket(
            Bucket=self.bucket,
            CreateBucketConfiguration={"LocationConstraint": s3.REGION})
        self.copy = Copy(self.boto, self.bucket, folder)
        self.front = s3_faults.Front(self.server)
        self.relay = Relay(("127.0.0.1", self.front.port), remember=False)

    def connection_string(self):
        return self.server.connection_string(
            self.bucket, endpoint=f"http://127.0.0.1:{self.relay.port}",
            attempts=2, connect_timeout=3, stall_timeout=3,
            file_age_seconds=1, keep_full_loads=1, partition_by="hour")

    def landing(self, database, table):
        prefix = f"{database}.{self.schema}.{table}/"
        self.copy.bring(prefix)
        return Landing(self.duck, os.path.join(self.folder, prefix[:-1]))

    def leftovers(self):
        return [upload["Key"] for upload in self.copy.uploads()]

    def is_running(self):
        return self.server.is_running()

    def kill(self):
        self.server.kill()

    def restart(self):
        self.server.kill()
        self.server.start()

    def clear(self):
        self.front.faults.clear()

    def close(self):
        self.relay.close()
        self.front.close()
        self.server.close()
        super().close()


def disk_is_full(stage):
    """No file grows beyond some hundred bytes, or some thousand."""
    with no_room(stage.daemon, stage.dice.choice([100, 1500, 6000])):
        yield
        time.sleep(1.5)
        if stage.dice.random() < 0.3:
            stage.ask_for_load()
        yield
        time.sleep(1)


def table_is_locked(stage):
    """By somebody who stands still in the middle of a write."""
    paths = glob.glob(f"{stage.ends['dest'].folder}/*/_dataflow/lock")
    with open(stage.dice.choice(paths), "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
        time.sleep(stage.dice.uniform(0.5, 3))
        yield


FAULTS = [disk_is_full, disk_is_full, table_is_locked]


# ---------------------------------------------------------- requests to a bucket

# What a file's way into a bucket is made of, and what commits it.
STEPS = {
    "begin": lambda r: r.command == "POST" and "uploads" in r.path,
    "part": lambda r: r.command == "PUT" and "partNumber=" in r.path,
    "completion": lambda r: r.command == "POST" and "uploadId=" in r.path,
    "state": lambda r: r.command == "PUT" and "/state.json" in r.path,
    "pointer": lambda r: r.command == "PUT" and "/latest.json" in r.path,
    "read": lambda r: r.command == "GET" and "/state.json" in r.path,
}
REFUSALS = ((500, "InternalError"), (503, "SlowDown"), (403, "AccessDenied"))


def order(stage, do, step, times):
    """From the first such request on, or a later one; there are few pointers."""
    first = 1 if step == "pointer" else stage.dice.choice([1, 1, 2, 4])
    fault = s3_faults.Fault(do, STEPS.get(step, lambda request: True), times,
                            first)
    stage.dest.front.faults.append(fault)
    return fault


def at_step(name, do, step):
    """More often than the daemon repeats a request, or once. None: it is
    answered with one of the refusals."""
    def fault(stage):
        refusal = s3_faults.answer(s3_faults.s3_error(
            *stage.dice.choice(REFUSALS)))
        ordered = order(stage, do or refusal, step,
                        stage.dice.choice([1, 2, 3, 8]))
        if step == "pointer" or stage.dice.random() < 0.2:
            stage.ask_for_load()
        yield
        stage.reached = wait(lambda: ordered.seen >= ordered.first, 4)
        yield
        time.sleep(1)
        stage.dest.clear()
        yield
    fault.__name__ = f"{name}_at_{step}"
    return fault


def server_is_killed_at(step):
    """Before it has done it, or after, when nobody hears of that."""
    def fault(stage):
        end, done = stage.dest, stage.dice.random() < 0.5

        def do(_request, forward):
            if done:
                forward()
            end.server.kill()
            raise s3_faults.Cut
        order(stage, do, step, 1)
        if step == "pointer":
            stage.ask_for_load()
        yield
        stage.reached = wait(lambda: not end.is_running(), 4)
        yield
        end.clear()
        end.restart()
        yield
    fault.__name__ = f"server_is_killed_at_{step}"
    return fault


def answers(status, code):
    """To everything, for a while."""
    def fault(stage):
        yield
        order(stage, s3_faults.answer(s3_faults.s3_error(status, code)),
              "any", 10 ** 6)
        yield
        time.sleep(stage.dice.uniform(1, 3))
        if stage.dice.random() < 0.3:
            stage.ask_for_load()
        yield
        stage.dest.clear()
        yield
    fault.__name__ = f"server_answers_{status}"
    return fault


def server_is_slow(stage):
    """Longer than the daemon waits, now and then; and always a little."""
    dice = random.Random(stage.dice.random())

    def do(_request, forward):
        time.sleep(4 if dice.random() < 0.1 else 0.2)
        return forward()
    order(stage, do, "any", 10 ** 6)
    yield
    time.sleep(3)
    yield
    stage.dest.clear()
    # What it was asked for last it has done, and nobody waited: the next commit
    # finds that.
    time.sleep(8)
    yield


BUCKET_FAULTS = [
    *(answers(*refusal) for refusal in REFUSALS), server_is_slow,
    *(server_is_killed_at(step) for step in STEPS),
    *(at_step("cut_before", s3_faults.hang_up, step) for step in STEPS),
    *(at_step("cut_after", s3_faults.hang_up_after, step) for step in STEPS),
    *(at_step("refused", None, step) for step in STEPS)]
