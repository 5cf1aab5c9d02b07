"""What may go wrong, one function each.

A fault is a generator: it breaks something, yields while the workload goes on,
yields again if it likes, and mends what it broke. After that the daemon has to
come to rest by itself, with everything as it should be. `stage.reached` says
whether what was ordered has happened.
"""
import os
import re
import signal
import sqlite3
import time

from support import dataflow
from support.clock import Clock

import files_end
from patience import no_room, wait
from postgresql_faults import faults_of
from stage import LANDINGS

def failpoints():
    """The names in base/failpoint.h."""
    path = os.path.join(dataflow.TOP, "src/base/failpoint.h")
    with open(path, encoding="utf-8") as file:
        return re.findall(r"X\((\w+),", file.read())


# ------------------------------------------------------------------ the daemon

def nothing(stage):
    yield


def kill_daemon(stage):
    yield
    time.sleep(stage.dice.uniform(0, 0.4))
    stage.daemon.kill()
    if stage.dice.random() < 0.5:
        yield
    stage.start_daemon()
    yield


def kill_daemon_often(stage):
    for _ in range(5):
        yield
        time.sleep(stage.dice.uniform(0.02, 0.6))
        stage.daemon.kill()
        stage.start_daemon()


def stop_daemon(stage):
    yield
    code, seconds = stage.daemon.stop()
    assert code == 0 and seconds < 5 * dataflow.slowness()
    yield
    stage.start_daemon()


def kill_daemon_in_a_load(stage):
    stage.ask_for_load()
    wait(lambda: "FULL_SYNC" in running(stage), 3)
    time.sleep(stage.dice.uniform(0, 0.3))
    stage.daemon.kill()
    yield
    stage.start_daemon()
    yield


def running(stage):
    return [row[0] for row in stage.control(
        "SELECT sync_type FROM sync_status WHERE status = N'RUNNING'")]


def provoke(stage, name):
    """See to it that the daemon comes by the failpoint."""
    if "LOAD" in name or "SWAP" in name or "RESET" in name:
        stage.ask_for_load()
    elif name == "REPAIR_STAGED" and stage.dest.kind not in LANDINGS:
        stage.on_dest("UPDATE lob SET n = -7; DELETE FROM uuid WHERE n = 0")
        for table in ("lob", "uuid"):
            stage.control(
                "INSERT INTO sync_requests (mapping_id, request_type, scope) "
                f"VALUES ({stage.mappings[table]}, N'REPAIR', N'WHOLE')")
    elif name.startswith("MERGE") and stage.dest.kind in LANDINGS:
        for mapping in stage.mappings.values():
            stage.request(mapping, "COMPACT")


def at_failpoint(action, name):
    def fault(stage):
        nth = stage.dice.choice([1, 1, 2, 3])
        if name not in ("WINDOW_READ", "WINDOW_STAGED", "BEFORE_COMMIT",
                        "AFTER_COMMIT", "BEFORE_PUBLISH", "AFTER_PUBLISH",
                        "BEFORE_MIRROR", "START_CLAIMED",
                        "LOAD_PART"):
            nth = 1
        stage.daemon.stop()
        yield
        stage.start_daemon(DATAFLOW_FAILPOINTS=f"{name}={action}@{nth}")
        provoke(stage, name)
        yield
        if name.startswith("STOP"):
            stage.daemon.signal(signal.SIGTERM)
        if action == "kill":
            stage.reached = wait(lambda: not stage.daemon.is_running(), 6)
        else:
            stage.reached = wait(stage.daemon.is_frozen, 6)
            yield
            time.sleep(4)  # longer than the lease, and than a time-out
            stage.daemon.signal(signal.SIGCONT)
            yield
        stage.daemon.kill()
        stage.start_daemon()
    fault.__name__ = f"{action}_at_{name}"
    return fault


def freeze_daemon(stage):
    yield
    stage.daemon.signal(signal.SIGSTOP)
    yield
    time.sleep(4)
    stage.daemon.signal(signal.SIGCONT)
    yield


def two_daemons(stage):
    """A second one; either is killed or frozen longer than a lease."""
    second = dataflow.Daemon(stage.environment(), cwd=str(stage.folder))
    stage.daemons.append(second)
    second.start()
    yield
    victim = stage.dice.choice([stage.daemon, second])
    if stage.dice.random() < 0.5:
        victim.kill()
        yield
        victim.start()
    else:
        victim.signal(signal.SIGSTOP)
        yield
        time.sleep(4)
        victim.signal(signal.SIGCONT)
    yield
    stage.daemons.remove(second)
    second.close()


# ------------------------------------------------------- statements, connections

def at_a_statement(action, side, **how):
    """At each statement in turn, over the rounds; or at an event."""
    def fault(stage):
        event = stage.dice.choice(
            [None, None, None, "commit", "bulk", "login", "row"])
        order = dict(how, when=stage.dice.choice(["before", "after"]))
        if event == "row" or action == "error" and event == "login":
            event = None
        if event:
            order.update(event=event, nth=stage.dice.choice([1, 1, 2, 5]))
            if event != "commit":
                order["when"] = "before"
        else:
            stage.turns[side] = stage.turns[side] % 60 + 1
            order["nth"] = stage.turns[side]
        if action == "error" and order["when"] == "after":
            order["when"] = "before"
        stage.ends[side].order(action, **order)
        if event == "login":
            stage.ends[side].relay.cut()
        if stage.dice.random() < 0.3:
            stage.ask_for_load()
        yield
        time.sleep(1)
        yield
        time.sleep(0.5)
        clear(stage, side)
    fault.__name__ = f"{action}_{how.get('error', 'a_statement')}_of_{side}"
    return fault


def clear(stage, *sides):
    for side in sides or stage.ends:
        stage.ends[side].clear()


def stall(side):
    def fault(stage):
        event = stage.dice.choice([None, "commit", "bulk"])
        order = {"event": event} if event else {
            "nth": stage.dice.randrange(1, 30)}
        stage.ends[side].order("stall", milliseconds=5000,
                    when=stage.dice.choice(["before", "after"])
                    if event == "commit" else "before", **order)
        yield
        time.sleep(4)
        yield
        clear(stage, side)
    fault.__name__ = f"stall_of_{side}"
    return fault


def kill_server_in_a_commit(side):
    """The server ends right before or after it has committed."""
    def fault(stage):
        stage.ends[side].order("kill", event="commit",
                    nth=stage.dice.choice([1, 2]),
                    when=stage.dice.choice(["before", "after"]))
        yield
        stage.reached = wait(
            lambda: not stage.ends[side].is_running(), 3)
        stage.ends[side].restart()
        yield
    fault.__name__ = f"kill_{side}_in_a_commit"
    return fault


def kill_daemon_in_a_commit(stage):
    """The transaction is under way, or done; whoever asked is gone."""
    stage.ends["dest"].order("stall", event="commit", milliseconds=1000,
                             when=stage.dice.choice(["before", "after"]))
    if stage.dice.random() < 0.5:  # the swap is one, too
        stage.ask_for_load()
    yield
    time.sleep(stage.dice.uniform(0.3, 1.5))
    stage.daemon.kill()
    yield
    clear(stage, "dest")
    stage.start_daemon()


def restart_server(side):
    def fault(stage):
        yield
        stage.ends[side].kill()
        if side != "source":
            yield
        time.sleep(stage.dice.uniform(0, 1.5))
        stage.ends[side].restart()
        yield
    fault.__name__ = f"restart_of_{side}"
    return fault


def cut(side):
    def fault(stage):
        for _ in range(4):
            yield
            time.sleep(stage.dice.uniform(0, 0.5))
            stage.ends[side].relay.cut()
    fault.__name__ = f"cut_{side}"
    return fault


def half_open(side):
    """Nobody answers and nobody hangs up."""
    def fault(stage):
        yield
        stage.ends[side].relay.freeze()
        yield
        time.sleep(4)
        # What was sent in the meantime may arrive after all, or never.
        if stage.dice.random() < 0.5:
            stage.ends[side].relay.cut()
        stage.ends[side].relay.thaw()
        yield
    fault.__name__ = f"{side}_half_open"
    return fault


# ------------------------------------------------------------ the control store

def control_refuses(error, message):
    """Every write of the control store fails for a while."""
    def fault(stage):
        for words in ("%INSERT%", "%UPDATE%", "%DELETE%"):
            stage.ends["control"].order("error", match=words, times=0,
                        error=error, message=message)
        yield
        time.sleep(2)
        yield
        clear(stage, "control")
    fault.__name__ = f"control_refuses_with_{error}"
    return fault


def control_file_is_locked(stage):
    connection = sqlite3.connect(stage.control_file, timeout=20,
                                 isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
        time.sleep(stage.dice.uniform(0.5, 4))
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def control_disk_is_full(stage):
    """Smaller than what SQLite wants to write, larger than the log will be."""
    size = os.stat(stage.control_file).st_size
    with no_room(stage.daemon, size):
        yield
        time.sleep(2)
        yield


# ---------------------------------------------------------- the log, the clock

def agent_stops(stage):
    stage.ends["source"].query(
        "EXEC sys.sp_tdsd_option N'agent_stopped', 1")
    yield
    time.sleep(stage.dice.uniform(0.5, 3))
    yield
    stage.ends["source"].query(
        "EXEC sys.sp_tdsd_option N'agent_stopped', 0")


def cleanup_passes_the_checkpoint(stage):
    """Changes go from the log that nobody has read."""
    stage.daemon.stop()
    yield
    time.sleep(0.6)  # they are captured
    stage.cleaned = {t: stage.true_changes(t)
                     for t in ("plain", "lob", "uuid")}
    for name, in stage.on_source("SELECT capture_instance FROM "
                                 "cdc.change_tables"):
        stage.on_source(
            "DECLARE @lsn BINARY(10) = sys.fn_cdc_get_max_lsn(); "
            "EXEC sys.sp_cdc_cleanup_change_table @capture_instance = "
            f"N'{name}', @low_water_mark = @lsn, @threshold = 5000")
    for table, count in stage.cleaned.items():
        stage.cleaned[table] -= stage.true_changes(table) - count
    stage.asked_loads = None  # any number of loads
    stage.start_daemon()
    yield


def clock_jumps(stage):
    """Hours forward, then back to before the beginning."""
    clock = Clock(stage.folder)
    stage.daemon.stop()
    stage.start_daemon(**clock.environment())
    yield
    for offset in ("+3h", "-5h", "+40d", "+0"):
        clock.set(offset)
        yield
        time.sleep(0.7)
    stage.daemon.stop()
    for name in clock.environment():
        stage.daemon.env.pop(name)
    stage.start_daemon()


def ddl(stage):
    stage.workload.add_column(stage.on_dest)
    yield


# ----------------------------------------------------------------- all of them

ERRORS = {
    "source": ((1205, "Transaction was deadlocked on lock resources."),
               (1222, "Lock request time out period exceeded."),
               (3960, "Snapshot isolation transaction aborted.")),
    "dest": ((1205, "Transaction was deadlocked on lock resources."),
             (1222, "Lock request time out period exceeded."),
             (9002, "The transaction log for database is full."),
             (1105, "Could not allocate space for object."),
             (3960, "Snapshot isolation transaction aborted.")),
}


def catalogue(cast):
    """Every fault there is with such ends and control tables; in each cycle of
    rounds each of them comes once."""
    faults = [nothing, kill_daemon, kill_daemon, kill_daemon_often,
              stop_daemon, kill_daemon_in_a_load, freeze_daemon, two_daemons,
              clock_jumps, ddl]
    faults += [at_failpoint("kill", name) for name in failpoints()]
    faults += [at_failpoint("freeze", name) for name in
               ("WINDOW_STAGED", "BEFORE_SWAP", "BEFORE_PUBLISH")]
    for side, kind in (("source", cast.source), ("dest", cast.dest)):
        if kind == "file":
            faults += files_end.FAULTS
            continue
        faults += [restart_server(side), cut(side), half_open(side)]
        if kind == "s3":
            faults += files_end.BUCKET_FAULTS
        else:
            faults += faults_of(side) if kind == "postgresql" else \
                sqlserver_faults(side)
    return faults + control_faults(cast.store)


def sqlserver_faults(side):
    faults = [at_a_statement("drop", side) for _ in range(3)]
    faults += [stall(side), kill_server_in_a_commit(side)]
    faults += [at_a_statement("error", side, error=error, message=text)
               for error, text in ERRORS.get(side, ())]
    if side == "source":
        faults += [agent_stops, cleanup_passes_the_checkpoint]
    elif side == "dest":
        faults += [kill_daemon_in_a_commit]
    return faults


def control_faults(store):
    if store == "sqlite":
        return [control_file_is_locked, control_disk_is_full]
    side = "control"
    return [restart_server(side), cut(side), half_open(side),
            *sqlserver_faults(side),
            control_refuses(9002, "The transaction log is full."),
            control_refuses(3906, "The database is read-only.")]
