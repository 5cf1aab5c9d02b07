"""The stage for a fault: three servers behind relays, control tables on one of
them or in a file, one daemon, and the whole truth afterwards."""
import os
import sqlite3
import time

from support import dataflow
from support.relay import Relay, port_of
from support.sqlserver import StandIn
from support.tdsd import Tdsd
from support.world import World

from workload import TABLES, Workload

SIDES = ("source", "dest", "control")

CONFIG = {
    "cdc_check_interval_seconds": 1, "retry_delay_seconds": 0,
    "connect_timeout_seconds": 3, "query_timeout_seconds": 3,
    "lease_seconds": 3, "load_part_rows": 1000, "batch_size": 200,
    "cdc_window_transactions": 7, "verification_interval_minutes": 0,
    "suspend_after_failures": 0,
}


class Stage(World):
    """`store`: where the control tables are, "sqlserver" or "sqlite"."""

    def __init__(self, folder, dice, store):
        self.dice, self.store = dice, store
        self.tdsd = {side: Tdsd() for side in SIDES}
        self.servers, self.relays = {}, {}
        for side, tdsd in self.tdsd.items():
            path = os.path.join(folder, side)
            os.mkdir(path)
            tdsd.start(data_dir=path)
            self.servers[side] = StandIn(tdsd)
            self.relays[side] = Relay(port_of(self.servers[side]),
                                      remember=False)
        self.control_file = os.path.join(folder, "control.db")
        super().__init__(self.servers["source"], self.servers["dest"], folder)
        self.options()
        self.workload = Workload(dice, self.on_source)
        self.turns = dict.fromkeys(SIDES, 0)  # of its statements to break
        self.asked_loads = 0
        self.cleaned = {}  # changes that went from the log, by table
        self.daemon = None

    # ------------------------------------------------- what World does otherwise

    def environment(self, **more):
        if self.store == "sqlite":
            where = {"DATAFLOW_CONTROL": f"sqlite:{self.control_file}"}
        else:
            where = {"DEST_SERVER": self.relays["control"].address,
                     "DEST_USER": "sa",
                     "DEST_PASS": self.servers["control"].password,
                     "DEST_DATABASE": self.control_db}
        return {**where, "TMPDIR": str(self.folder), **more}

    def control(self, sql):
        if self.store == "sqlserver":
            return self.servers["control"].query(sql, self.control_db)
        connection = sqlite3.connect(self.control_file, timeout=20)
        try:
            with connection:
                return connection.execute(
                    sql.replace("N'", "'")).fetchall()
        finally:
            connection.close()

    def connection_string(self, side="source"):
        return (f"server={self.relays[side].address};user id=sa;password="
                f"{self.servers[side].password};encrypt=disable")

    # ------------------------------------------------------------------ set-up

    def prepare(self):
        self.init(**CONFIG)
        self.control("INSERT INTO target_servers (target_name, "
                     "connection_string) VALUES (N'target', "
                     f"N'{self.connection_string('dest')}')")
        self.workload.create()
        self.mappings = {}
        for table, (_, log) in TABLES.items():
            self.enable(log, table)
            self.mappings[table] = self.add_mapping(
                table, change_source=log, target_id=1,
                full_sync_trigger_column="sync" if table == "plain" else None)
        self.daemon = dataflow.Daemon(self.environment(),
                                      cwd=str(self.folder))
        self.daemons.append(self.daemon)
        self.daemon.start()
        self.settle()

    def options(self, *sides):
        """What the stand-ins forget when they end."""
        for side in sides or SIDES:
            for name, value in (("capture_interval", 100),
                                ("idle_interval", 100)):
                self.servers[side].query("EXEC sys.sp_tdsd_option "
                                         f"N'{name}', {value}")
            self.servers[side].query("EXEC sp_configure 'max text repl size', "
                                     "-1; RECONFIGURE")

    def restart_server(self, side):
        self.tdsd[side].kill()
        self.tdsd[side].start()
        self.options(side)

    def start_daemon(self, **environment):
        self.daemon.env.pop("DATAFLOW_FAILPOINTS", None)
        self.daemon.env.update(environment)
        self.daemon.start()

    def order(self, side, action, **how):
        """sp_tdsd_fault for what the daemon does there; see tests/tdsd."""
        words = "".join(
            f", @{name} = {value}" if isinstance(value, int) else
            f", @{name} = N'{value}'" for name, value in how.items())
        self.servers[side].query(
            f"EXEC sys.sp_tdsd_fault @action = N'{action}', "
            f"@app = N'dbaops%'{words}")

    # ---------------------------------------------------------------- the truth

    def settle(self, timeout=40):
        """Until everything is as it has to be after a fault; AssertionError
        with all that is wrong when it does not become so."""
        deadline = time.monotonic() + timeout * dataflow.slowness()
        wrong = {"": "not looked at"}
        unequal = list(TABLES)
        while wrong:
            if time.monotonic() > deadline:
                raise AssertionError("\n".join(wrong.values()))
            time.sleep(0.1)
            unequal = [t for t in unequal if not self.has_table(t) or
                       self.differences(t)]
            if unequal:
                wrong = {t: f"{t}: {self.differences(t)}"
                         if self.has_table(t) else f"{t} is not there"
                         for t in unequal}
                continue
            wrong = self.claims()
        # Nothing came after all was well.
        assert not [t for t in TABLES if self.differences(t)]

    def claims(self):
        """What the control tables say that is not true, or not any more."""
        wrong = {}
        for row in self.errors():
            wrong[str(row)] = f"open error: {row}"
        states = {row[0]: row[1:] for row in self.control(
            "SELECT mapping_id, state, is_consistent FROM mapping_state")}
        marks = {row[0]: row[1] for row in self.on_dest(
            "SELECT mapping_id, CONVERT(varchar(50), position, 2) "
            "FROM dataflow.checkpoints")}
        mirrors = {row[0]: bytes(row[1] or b"").hex().upper()
                   for row in self.control(
                       "SELECT mapping_id, last_cdc_lsn FROM "
                       "table_mappings")}
        for table, mapping in self.mappings.items():
            state = states.get(mapping)
            if not state or state[0] not in ("CDC", "IDLE") or \
                    not state[1]:
                wrong[f"s{mapping}"] = f"{table} is said to be {state}"
            if TABLES[table][1] == "cdc" and \
                    mirrors[mapping] != marks.get(mapping):
                wrong[f"m{mapping}"] = (
                    f"{table} is said to be at {mirrors[mapping]}, and is at "
                    f"{marks.get(mapping)}")
        for table, claimed in self.claimed_changes().items():
            if claimed > self.true_changes(table):
                wrong[f"c{table}"] = (
                    f"{claimed} changes of {table} are said to have been "
                    f"applied, there were {self.true_changes(table)}")
        for row in self.control(
                "SELECT mapping_id, COUNT(*) FROM sync_status WHERE status = "
                "N'RUNNING' GROUP BY mapping_id HAVING COUNT(*) > 1"):
            wrong[f"r{row[0]}"] = f"{row[1]} runs of mapping {row[0]} at once"
        return wrong

    def claimed_changes(self):
        """By table, of those with one capture instance all the time."""
        names = {self.mappings[t]: t for t in ("plain", "lob", "uuid")}
        return {names[mapping]: count for mapping, count in self.control(
            "SELECT mapping_id, SUM(records_processed) FROM sync_status "
            "WHERE sync_type = N'CDC' GROUP BY mapping_id")
            if mapping in names}

    def true_changes(self, table):
        """How many were ever in the log; what is cleaned up is kept count
        of."""
        return self.cleaned.get(table, 0) + self.on_source(
            f"SELECT COUNT(*) FROM cdc.dbo_{table}_CT "
            "WHERE __$operation <> 3")[0][0]

    def loads(self):
        """Loads begun so far."""
        return self.control("SELECT COUNT(*) FROM sync_status WHERE "
                            "sync_type = N'FULL_SYNC'")[0][0]

    def close(self):
        try:
            for daemon in self.daemons:
                daemon.close()
        finally:
            for relay in self.relays.values():
                relay.close()
            for tdsd in self.tdsd.values():
                tdsd.close()
