"""What may go wrong with an end that is a PostgreSQL, as faults.py has it for
all ends and for SQL Server's."""
import os
import signal
import threading
import time

import psycopg2

from patience import no_room, wait
from support import dataflow

WALSENDER = "backend_type = 'walsender'"


# ------------------------------------------------------- statements, connections

def at_a_message(side):
    """The connection breaks at each message in turn, over the rounds: the
    server never gets it, or the daemon never hears the answer."""
    def fault(stage):
        relay = stage.ends[side].relay
        stage.turns[side] = stage.turns[side] % 60 + 1
        relay.freeze_at(b"", by_client=stage.dice.random() < 0.5,
                        nth=stage.turns[side])
        if stage.dice.random() < 0.3:
            stage.ask_for_load()
        yield
        stage.reached = wait(relay.is_frozen, 3)
        relay.cut()
        relay.thaw()
        yield
    fault.__name__ = f"cut_at_a_message_of_{side}"
    return fault


def end_sessions(side):
    def fault(stage):
        for _ in range(4):
            yield
            time.sleep(stage.dice.uniform(0, 0.5))
            stage.ends[side].end_sessions()
    fault.__name__ = f"end_sessions_of_{side}"
    return fault


def cancel_statements(side):
    def fault(stage):
        yield
        for _ in range(20):
            stage.ends[side].cancel_statements()
            time.sleep(0.05)
        yield
    fault.__name__ = f"cancel_statements_of_{side}"
    return fault


def stop_sessions(side):
    """They hold what they have, and do not answer."""
    def fault(stage):
        yield
        stage.ends[side].stop_processes()
        yield
        time.sleep(4)
        stage.ends[side].clear()
        yield
    fault.__name__ = f"stop_sessions_of_{side}"
    return fault


def kill_a_session(side):
    """All others go with it, and the server recovers."""
    def fault(stage):
        yield
        end = stage.ends[side]
        found, before = end.processes(), checkpointer(end)
        try:
            os.kill(stage.dice.choice(found), signal.SIGKILL)
        except (IndexError, ProcessLookupError):
            stage.reached = False
        else:  # one may still log in until the server knows of it
            assert wait(lambda: checkpointer(end) not in (None, before), 60)
        yield
    fault.__name__ = f"kill_a_session_of_{side}"
    return fault


def shut_down(side):
    """In fast mode, which waits for whoever reads its log."""
    def fault(stage):
        yield
        server, began = stage.ends[side].server, time.monotonic()
        server.stop()
        assert time.monotonic() - began < 30 * dataflow.slowness()
        time.sleep(stage.dice.uniform(0, 1))
        server.start()
        yield
    fault.__name__ = f"shut_down_{side}"
    return fault


def checkpointer(end):
    """Its process, another one after each recovery; None where nobody may log
    in."""
    try:
        return end.query("SELECT pid FROM pg_stat_activity "
                         "WHERE backend_type = 'checkpointer'")[0][0]
    except (psycopg2.Error, IndexError):
        return None


# -------------------------------------------------------------------- a commit

def freeze_at_commit(stage):
    """The order to commit, or the answer to it, stays on the way."""
    stage.ends["dest"].relay.freeze_at(
        b"COMMIT", by_client=stage.dice.random() < 0.5,
        nth=stage.dice.choice([1, 1, 2]))
    if stage.dice.random() < 0.5:  # the swap is one, too
        stage.ask_for_load()


def kill_dest_in_a_commit(stage):
    relay = stage.ends["dest"].relay
    freeze_at_commit(stage)
    yield
    stage.reached = wait(relay.is_frozen, 3)
    stage.ends["dest"].kill()
    relay.cut()
    relay.thaw()
    yield
    stage.ends["dest"].restart()


def kill_daemon_in_a_commit(stage):
    relay = stage.ends["dest"].relay
    freeze_at_commit(stage)
    yield
    stage.reached = wait(relay.is_frozen, 3)
    stage.daemon.kill()
    relay.cut()
    relay.thaw()
    yield
    stage.start_daemon()


# ------------------------------------------------------------- the destination

STATES = {"40001": "serialization", "40P01": "deadlock", "55P03": "lock",
          "53100": "disk_full", "57014": "cancelled"}


def checkpoints_refuse(state):
    def fault(stage):
        stage.reached = stage.ends["dest"].refuse(
            stage.dst_db, state, stage.dice.random() < 0.5)
        yield
        time.sleep(1)
        yield
        stage.ends["dest"].clear()
    fault.__name__ = f"dest_refuses_with_{STATES[state]}"
    return fault


def dest_is_read_only(stage):
    dest = stage.ends["dest"]
    dest.query(f"ALTER DATABASE {stage.dst_db} "
               "SET default_transaction_read_only = on")
    dest.end_sessions()
    yield
    time.sleep(1)
    yield
    dest.query(f"ALTER DATABASE {stage.dst_db} "
               "RESET default_transaction_read_only")
    dest.end_sessions()


def table_is_locked(stage):
    """By somebody who takes longer than the time-out."""
    table = stage.dice.choice(list(stage.tables))
    connection = stage.ends["dest"].connect(stage.dst_db)
    connection.autocommit = False
    timer = threading.Timer(stage.dice.choice([1, 5]), connection.close)
    timer.start()  # it may be us who waits for it
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield
        timer.join()
        yield
    finally:
        timer.join()


# ----------------------------------------------------------------- the source

def walsender_ends(stage):
    for _ in range(3):
        yield
        time.sleep(stage.dice.uniform(0, 0.7))
        stage.ends["source"].end_sessions(WALSENDER)


def walsender_stops(stage):
    yield
    stage.ends["source"].stop_processes(WALSENDER)
    yield
    time.sleep(stage.dice.uniform(1, 4))
    stage.ends["source"].clear()
    yield


def spill_disk_is_full(stage):
    """Changes that wait have no room in memory, nor on disk."""
    with no_room(stage.daemon):
        for _ in range(2):
            stage.workload.large_values()
            yield
        time.sleep(1)


def slot_is_dropped(stage):
    """With all that nobody has read: a gap that is seen and healed."""
    stage.daemon.stop()
    yield
    source = stage.ends["source"]
    wait(lambda: not source.query("SELECT 1 FROM pg_replication_slots "
                                  "WHERE active"), 5)
    source.query("SELECT pg_drop_replication_slot(slot_name) "
                 "FROM pg_replication_slots")
    stage.asked_loads = None  # any number of loads
    yield
    stage.start_daemon()
    yield


def publication_is_dropped(stage):
    """While it is read. What was changed since is in no log."""
    yield
    names = stage.on_source("SELECT quote_ident(pubname) FROM pg_publication")
    stage.reached = bool(names)
    for name, in names:
        stage.on_source(f"DROP PUBLICATION {name}")
    stage.asked_loads = None
    yield


FAULTS = {
    "source": (walsender_ends, walsender_ends, walsender_stops,
               spill_disk_is_full, spill_disk_is_full, slot_is_dropped, publication_is_dropped),
    "dest": (kill_dest_in_a_commit, kill_daemon_in_a_commit,
             dest_is_read_only, table_is_locked,
             *map(checkpoints_refuse, STATES)),
}


def faults_of(side):
    return [*(at_a_message(side) for _ in range(3)), end_sessions(side),
            cancel_statements(side), stop_sessions(side),
            kill_a_session(side), shut_down(side), *FAULTS[side]]
