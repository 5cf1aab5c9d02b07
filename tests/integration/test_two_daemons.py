"""Two daemons on one control store, one of which is killed, frozen for longer
than its lease, or cut off from a server: at no time do both write.

Each has a network of its own. What is proven is seen from outside: triggers in
the destination write down every row that changes, and every move of the
checkpoint, with the process that did it and the epoch that it held.
"""
import contextlib
import signal
import threading
import time

import pytest

from support import dataflow
from support.relay import Relay, port_of

LEASE_S = 3 * (2 if dataflow.slowness() > 1 else 1)
WRITER = ("FROM inserted AS i CROSS JOIN sys.dm_exec_sessions AS s "
          "WHERE s.session_id = @@SPID")


class Side:
    """A daemon, and how it reaches the servers."""

    def __init__(self, pair, stack):
        world = self.world = pair.world
        self.relays = {
            "control": stack.enter_context(Relay(port_of(world.dest))),
            "destination": stack.enter_context(Relay(port_of(world.dest))),
            "source": stack.enter_context(Relay(port_of(world.source)))}
        self.daemon = None
        self.frozen = False

    def start(self):
        self.daemon = self.world.start(
            DEST_SERVER=self.relays["control"].address,
            DST=self.relays["destination"].address,
            SRC=self.relays["source"].address)

    @property
    def process(self):
        return self.daemon.process.pid

    def suffer(self, fault):
        """The stand-in lets one transaction at a time write to a database,
        where a server locks the table that a part of a load goes to: there it
        is no use to be stopped in the middle of one."""
        self.stop(fault)
        while fault in ("freeze", "everything") and self.holds_locks():
            self.recover()
            time.sleep(0.05)
            self.stop(fault)

    def stop(self, fault):
        if fault == "kill":
            self.daemon.kill()
        elif fault == "freeze":
            self.daemon.signal(signal.SIGSTOP)
            self.frozen = True
        for name, relay in self.relays.items():
            if fault in (name, "everything"):
                relay.freeze()

    def holds_locks(self):
        if not self.world.dest.is_standin:
            return False
        time.sleep(0.5)  # what is on its way is done then
        return bool(self.world.dest.query(
            "SELECT 1 FROM sys.dm_tran_locks AS l "
            "INNER JOIN sys.dm_exec_sessions AS s "
            "ON l.request_session_id = s.session_id "
            "WHERE l.request_status = N'GRANT' "
            f"AND s.host_process_id = {self.process}"))

    def recover(self):
        for relay in self.relays.values():
            relay.thaw()
        if self.frozen:
            self.daemon.signal(signal.SIGCONT)
            self.frozen = False
        if not self.daemon.is_running():
            self.start()


class Pair:
    """Two sides; a mapping with changes all the time, and an audit of it."""

    def __init__(self, world, stack):
        self.world = world
        world.config(lease_seconds=LEASE_S, query_timeout_seconds=3,
                     connect_timeout_seconds=2, max_retry_attempts=100,
                     load_part_rows=1000, load_readers=3,
                     verification_interval_minutes=0)
        self.make_tables()
        self.mapping = world.add_mapping("t", server_id=world.add_server(
            "relayed", world.connection_string().replace(
                world.source.address, "${env:SRC}")), target_id=1)
        self.sides = [Side(self, stack) for _ in range(2)]
        self.stop_working = threading.Event()
        self.worker = threading.Thread(target=self.work)

    def make_tables(self):
        world = self.world
        world.control(
            "INSERT INTO target_servers (target_name, connection_string) "
            f"VALUES (N'relayed', N'server=${{env:DST}};user id=sa;"
            f"password={world.dest.password}')")
        world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, n INT)")
        world.on_source(
            "WITH k AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM k WHERE "
            "i < 2500) INSERT INTO t SELECT i, 0 FROM k "
            "OPTION (MAXRECURSION 0)")
        world.enable_cdc("t")
        world.on_dest("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, n INT)")
        world.on_dest("CREATE TABLE seen (at INT IDENTITY PRIMARY KEY, "
                      "id INT, n INT, process INT)")
        world.on_dest("CREATE TABLE moved (at INT IDENTITY PRIMARY KEY, "
                      "epoch BIGINT, process INT)")
        world.on_dest("CREATE TRIGGER see ON t AFTER INSERT, UPDATE AS INSERT "
                      "INTO seen (id, n, process) SELECT i.id, i.n, "
                      f"s.host_process_id {WRITER}")

    def begin(self):
        self.sides[0].start()
        self.world.wait_equal("t")
        self.world.on_dest(
            "CREATE TRIGGER move ON dataflow.checkpoints AFTER INSERT, UPDATE "
            "AS INSERT INTO moved (epoch, process) SELECT i.epoch, "
            f"s.host_process_id {WRITER}")
        self.sides[1].start()
        dataflow.wait_for(lambda: self.world.control(
            "SELECT COUNT(*) FROM daemons WHERE stopped_at IS NULL") ==
            [(2,)])
        self.worker.start()

    def work(self):
        """A few rows change all the time, each to a higher number."""
        with self.world.source.connect(self.world.src_db) as connection:
            with connection.cursor() as cursor:
                while not self.stop_working.is_set():
                    cursor.execute("UPDATE t SET n = n + 1 WHERE id <= 3")
                    time.sleep(0.02)

    def end_work(self):
        self.stop_working.set()
        if self.worker.is_alive():
            self.worker.join()

    def lease(self):
        return self.world.control("SELECT daemon, epoch FROM mapping_leases "
                                  f"WHERE mapping_id = {self.mapping}")[0]

    def epoch(self):
        return self.lease()[1]

    def holder_and_other(self):
        words = self.lease()[0].split(":")
        first = str(self.sides[0].process) in words
        return self.sides if first else self.sides[::-1]

    def reached(self):
        return self.world.on_dest("SELECT MAX(n) FROM t WITH (NOLOCK)")[0][0]

    def gets_on(self, timeout=30):
        before = self.reached()
        try:
            dataflow.wait_for(lambda: self.reached() > before, timeout,
                              what="a change in the destination")
        except AssertionError as error:
            raise AssertionError("\n\n".join([str(error), self.waits()] + [
                side.daemon.log()[-4000:] for side in self.sides])) from None

    def waits(self):
        """Who waits for whom, at the destination."""
        return "\n".join(map(str, self.world.dest.query(
            "SELECT r.session_id, r.blocking_session_id, s.host_process_id, "
            "r.command FROM sys.dm_exec_requests AS r "
            "INNER JOIN sys.dm_exec_sessions AS s "
            "ON r.session_id = s.session_id "
            "WHERE r.blocking_session_id <> 0") + self.world.dest.query(
                "SELECT l.request_session_id, s.host_process_id, "
                "l.resource_type, l.resource_description, l.request_mode, "
                "l.request_status FROM sys.dm_tran_locks AS l "
                "INNER JOIN sys.dm_exec_sessions AS s "
                "ON l.request_session_id = s.session_id")))

    def prove(self):
        """Nobody wrote who should not, nothing came back, all is there."""
        self.end_work()
        self.world.wait_equal("t", timeout=60)
        moved = self.world.on_dest("SELECT epoch, process FROM moved "
                                   "ORDER BY at")
        epochs = [epoch for epoch, _ in moved]
        assert epochs == sorted(epochs), "an older epoch came after a newer"
        writers = {}
        for epoch, process in moved:
            writers.setdefault(epoch, set()).add(process)
        assert all(len(w) == 1 for w in writers.values()), writers
        back = self.world.on_dest(
            "SELECT COUNT(*) FROM (SELECT n, LAG(n) OVER (PARTITION BY id "
            "ORDER BY at) AS before FROM seen WHERE n >= 0) AS a "
            "WHERE n < before")
        assert back == [(0,)], "a row went back to an older value"
        return writers


@pytest.fixture
def pair(world):
    with contextlib.ExitStack() as stack:
        pair = Pair(world, stack)
        try:
            pair.begin()
            yield pair
        finally:
            pair.end_work()
            for side in pair.sides:
                if side.daemon:
                    side.recover()


# ------------------------------------------------------- what is under way then

def changes(pair):
    pair.gets_on()


def repair(pair):
    """Rows that nothing but a repair will bring back."""
    pair.world.on_dest("UPDATE t SET n = -1 WHERE id > 2400")
    pair.world.control(
        "INSERT INTO sync_requests (mapping_id, request_type, scope) "
        f"VALUES ({pair.mapping}, N'REPAIR', N'WHOLE')")
    dataflow.wait_for(lambda: pair.world.control(
        "SELECT COUNT(*) FROM sync_requests WHERE request_type = N'REPAIR' "
        "AND state <> N'PENDING'")[0][0] > 0)


def load(pair):
    """In parts, each of which takes its time."""
    if pair.world.dest.is_standin:
        pair.world.dest.query(
            "EXEC sys.sp_tdsd_fault 'stall', @match = "
            "N'%UPDATE dataflow.load_parts%', @milliseconds = 300, "
            f"@times = 0, @database = '{pair.world.dst_db}'")
    pair.world.request(pair.mapping, "FULL_SYNC")
    dataflow.wait_for(lambda: pair.world.on_dest(
        "SELECT COUNT(*) FROM sys.tables WHERE name LIKE N'load[_]%' "
        "AND schema_id = SCHEMA_ID(N'dataflow') "
        "AND name <> N'load_parts'")[0][0] > 0)


def is_taken_over(fault):
    """Who cannot tell the control store that it lives is thought dead."""
    return fault in ("kill", "freeze", "control", "everything")


FAULTS = ("kill", "freeze", "control", "destination", "source", "everything")


@pytest.mark.parametrize("during", (
    changes, repair, pytest.param(load, marks=pytest.mark.threads)),
    ids=lambda f: f.__name__)
@pytest.mark.parametrize("fault", FAULTS)
def test_the_one_that_works(pair, fault, during):
    holder, _ = pair.holder_and_other()
    epoch = pair.epoch()
    during(pair)
    holder.suffer(fault)
    if is_taken_over(fault):
        dataflow.wait_for(lambda: pair.epoch() == epoch + 1,
                          what="the change of hands")
        pair.gets_on()
    else:
        time.sleep(LEASE_S + 1)
    holder.recover()
    pair.gets_on(60)
    time.sleep(1)
    assert pair.epoch() == epoch + is_taken_over(fault)
    assert all(side.daemon.is_running() for side in pair.sides)
    writers = pair.prove()
    assert max(writers) == epoch + is_taken_over(fault)


@pytest.mark.parametrize("fault", FAULTS)
def test_the_one_that_waits(pair, fault):
    """Nobody but itself takes any notice."""
    holder, other = pair.holder_and_other()
    epoch = pair.epoch()
    other.suffer(fault)
    for _ in range(LEASE_S + 1):
        pair.gets_on(5)
        time.sleep(1)
    other.recover()
    pair.gets_on()
    time.sleep(1)
    assert pair.epoch() == epoch
    assert pair.prove()[epoch] == {holder.process}


@pytest.mark.threads
@pytest.mark.parametrize("readers", (1, 3))
def test_a_swap_that_comes_late(pair, readers):
    """It was on its way when its daemon was frozen, and arrives when another
    one has loaded a newer copy, and gone on."""
    pair.world.config(load_readers=readers)
    holder, _ = pair.holder_and_other()
    epoch = pair.epoch()
    holder.relays["destination"].freeze_at(" SWITCH TO ")
    time.sleep(1.5)  # until it has read the setting
    pair.world.request(pair.mapping, "FULL_SYNC")
    dataflow.wait_for(holder.relays["destination"].is_frozen)
    holder.suffer("freeze")
    dataflow.wait_for(lambda: pair.epoch() == epoch + 1)
    dataflow.wait_for(lambda: pair.world.control(
        "SELECT COUNT(*) FROM sync_requests WHERE state = N'COMPLETED'") ==
        [(1,)], what="the other one's load")
    pair.gets_on()
    reached = pair.reached()
    holder.recover()
    for _ in range(20):
        now = pair.reached()
        assert now >= reached, "an older table came back"
        reached = now
        time.sleep(0.1)
    pair.prove()
