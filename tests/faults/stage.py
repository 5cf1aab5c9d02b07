"""The stage for a fault: a source and a destination behind relays, control
tables on a third server or in a file, one daemon, and the whole truth
afterwards."""
import collections
import os
import sqlite3
import time

from support import dataflow, duck, peers
from support.world import World

from ends import ENDS
from workload import WORKLOADS

# Which systems the ends are, and where the control tables are.
Cast = collections.namedtuple("Cast", "source dest store")

CASTS = (
    Cast("sqlserver", "sqlserver", "sqlserver"),
    Cast("sqlserver", "sqlserver", "sqlite"),
    Cast("postgresql", "postgresql", "sqlite"),
    Cast("postgresql", "sqlserver", "sqlserver"),
    Cast("sqlserver", "postgresql", "sqlite"),
    Cast("sqlserver", "file", "sqlite"),
    Cast("postgresql", "file", "sqlite"),
    Cast("sqlserver", "s3", "sqlite"),
)

LANDINGS = ("file", "s3")  # destinations that keep files
if peers.are_left_out():
    CASTS = tuple(cast for cast in CASTS if cast.dest not in LANDINGS)

CONFIG = {
    "cdc_check_interval_seconds": 1, "retry_delay_seconds": 0,
    "connect_timeout_seconds": 3, "query_timeout_seconds": 3,
    "lease_seconds": 3, "load_part_rows": 1000, "batch_size": 200,
    "cdc_window_transactions": 7, "verification_interval_minutes": 0,
    "suspend_after_failures": 0,
}


class Stage(World):
    def __init__(self, folder, dice, cast):
        self.dice, self.store = dice, cast.store
        self.ends = {}
        kinds = {"source": cast.source, "dest": cast.dest}
        if cast.store == "sqlserver":
            kinds["control"] = "sqlserver"
        for side, kind in kinds.items():
            path = os.path.join(folder, side)
            os.mkdir(path)
            self.ends[side] = ENDS[kind](path)
        self.control_file = os.path.join(folder, "control.db")
        super().__init__(self.ends["source"], self.ends["dest"], folder)
        self.workload = WORKLOADS[cast.source](dice, self.on_source)
        self.tables = self.workload.tables
        self.turns = dict.fromkeys(self.ends, 0)  # statements to break
        self.asked_loads = 0
        self.cleaned = {}  # changes that went from the log, by table
        self.daemon = None

    # ------------------------------------------------- what World does otherwise

    def environment(self, **more):
        if self.store == "sqlite":
            where = {"DATAFLOW_CONTROL": f"sqlite:{self.control_file}"}
        else:
            control = self.ends["control"]
            where = {"DEST_SERVER": control.relay.address,
                     "DEST_USER": control.user,
                     "DEST_PASS": control.password,
                     "DEST_DATABASE": self.control_db}
        return {**where, "TMPDIR": str(self.folder), **more}

    def control(self, sql):
        if self.store == "sqlserver":
            return self.ends["control"].query(sql, self.control_db)
        connection = sqlite3.connect(self.control_file, timeout=20)
        try:
            with connection:
                return connection.execute(
                    sql.replace("N'", "'")).fetchall()
        finally:
            connection.close()

    def connection_string(self, side="source"):
        return self.ends[side].connection_string()

    def add_server(self, name="source", connection_string=None):
        number = super().add_server(name, connection_string)
        self.control("UPDATE source_servers SET server_type = "
                     f"N'{self.source.kind}' WHERE server_id = {number}")
        return number

    def add_target(self):
        self.control(
            "INSERT INTO target_servers (target_name, target_type, "
            f"connection_string) VALUES (N'target', N'{self.dest.kind}', "
            f"N'{self.connection_string('dest')}')")

    def add_mapping(self, table, dest_table=None, cdc=1, **columns):
        return super().add_mapping(table, dest_table, cdc, target_id=1, **dict(
            {"source_schema": self.source.schema,
             "dest_schema": self.dest.schema}, **columns))

    def enable(self, source, *tables):
        if self.source.kind == "sqlserver":
            super().enable(source, *tables)

    def differences(self, table, dest_table=None):
        rows = self.source.rows(self.src_db, table)
        if self.dest.kind in LANDINGS:
            rows = duck.rows(rows)
        return differences(rows,
                           self.dest.rows(self.dst_db, dest_table or table))

    def has_table(self, table):
        return self.dest.has_table(self.dst_db, table)

    # ------------------------------------------------------------------ set-up

    def prepare(self):
        self.init(**CONFIG)
        self.add_target()
        self.workload.create()
        self.mappings = {}
        for table, (_, log) in self.tables.items():
            self.enable(log, table)
            self.mappings[table] = self.add_mapping(
                table, change_source=log,
                full_sync_trigger_column="sync" if table == "plain" else None)
        self.start_first()
        self.settle()

    def start_first(self):
        self.daemon = dataflow.Daemon(self.environment(),
                                      cwd=str(self.folder))
        self.daemons.append(self.daemon)
        self.daemon.start()

    def start_daemon(self, **environment):
        self.daemon.env.pop("DATAFLOW_FAILPOINTS", None)
        self.daemon.env.update(environment)
        self.daemon.start()

    def ask_for_load(self):
        """By the trigger column."""
        self.workload.ask_for_load()
        if self.asked_loads is not None:
            self.asked_loads += 1

    # ---------------------------------------------------------------- the truth

    def settle(self, timeout=40):
        """Until everything is as it has to be after a fault; AssertionError
        with all that is wrong when it does not become so."""
        deadline = time.monotonic() + timeout * dataflow.slowness()
        wrong = {"": "not looked at"}
        unequal = list(self.tables)
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
        assert not [t for t in self.tables if self.differences(t)]

    def claims(self):
        """What the control tables say that is not true, or not any more."""
        wrong = {}
        for row in self.errors():
            wrong[str(row)] = f"open error: {row}"
        states = {row[0]: row[1:] for row in self.control(
            "SELECT mapping_id, state, is_consistent FROM mapping_state")}
        for table, mapping in self.mappings.items():
            state = states.get(mapping)
            if not state or state[0] not in ("CDC", "IDLE") or \
                    not state[1]:
                wrong[f"s{mapping}"] = f"{table} is said to be {state}"
        wrong.update(self.false_mirrors())
        wrong.update(self.false_files())
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

    def false_mirrors(self):
        """last_cdc_lsn, which only positions of SQL Server fit into."""
        if self.source.kind != "sqlserver":
            return {}
        marks = self.dest.checkpoints(self.dst_db)
        mirrors = {row[0]: bytes(row[1] or b"").hex().upper()
                   for row in self.control(
                       "SELECT mapping_id, last_cdc_lsn FROM "
                       "table_mappings")}
        return {f"m{mapping}": f"{table} is said to be at {mirrors[mapping]}, "
                               f"and is at {marks.get(mapping)}"
                for table, mapping in self.mappings.items()
                if self.tables[table][1] == "cdc" and
                mirrors[mapping] != marks.get(mapping)}

    def false_files(self):
        """Whoever read one has read what is in it now."""
        if self.dest.kind not in LANDINGS:
            return {}
        wrong = {path: f"{path} has other content than it had"
                 for path in self.dest.changed_files()}
        return wrong or {path: f"{path} was left behind"
                         for path in self.dest.leftovers()}

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
        return self.cleaned.get(table, 0) + \
            self.on_source(self.workload.count_changes(table))[0][0]

    def loads(self):
        """The loads written down so far: when each began, in UTC, by its
        number."""
        return {number: str(began).replace("T", " ") for number, began in
                self.control("SELECT status_id, started_at FROM sync_status "
                             "WHERE sync_type = N'FULL_SYNC'")}

    def close(self):
        try:
            for daemon in self.daemons:
                daemon.close()
        finally:
            for end in self.ends.values():
                end.close()


def differences(source, dest, most=5):
    """What one has and the other has not; [] when they are the same rows."""
    if sorted(source, key=repr) == sorted(dest, key=repr):
        return []
    missing, extra = set(source) - set(dest), set(dest) - set(source)
    return [f"{len(source)} rows in the source, {len(dest)} in the destination"
            ] + [f"missing {r}"[:2000] for r in list(missing)[:most]] + \
        [f"extra {r}"[:2000] for r in list(extra)[:most]]
