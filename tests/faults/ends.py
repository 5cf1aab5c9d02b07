"""One of the servers on the stage, of either kind, behind a relay. What is the
same to a test has the same name here; what only one kind can have done to it is
in faults.py."""
import decimal
import os
import signal

import psycopg2.errors
import psycopg2.extras

from support import postgresql
from support.relay import Relay, port_of
from support.sqlserver import StandIn
from support.tdsd import Tdsd

from files_end import BucketEnd, FilesEnd


def plain(value):
    """The same value is the same object, whichever client read it."""
    if isinstance(value, decimal.Decimal):
        return str(value.normalize())
    if isinstance(value, memoryview):
        return bytes(value)
    return value


class SqlServerEnd:
    kind = "sqlserver"
    schema = "dbo"
    connection_options = "encrypt=disable"

    def connection_string(self):
        return (f"server={self.relay.address};user id={self.user};password="
                f"{self.password};{self.connection_options}")

    def __init__(self, folder):
        self.process = Tdsd()
        self.process.start(data_dir=folder)
        self.server = StandIn(self.process)
        self.address, self.user = self.server.address, self.server.user
        self.password = self.server.password
        self.relay = Relay(port_of(self.server), remember=False)
        self.options()

    def options(self):
        """What the stand-in forgets when it ends."""
        for name, value in (("capture_interval", 100), ("idle_interval", 100)):
            self.query(f"EXEC sys.sp_tdsd_option N'{name}', {value}")
        self.query("EXEC sp_configure 'max text repl size', -1; RECONFIGURE")

    def query(self, sql, database="master"):
        return self.server.query(sql, database)

    def connect(self, database):
        return self.server.connect(database)

    def rows(self, database, table):
        return [tuple(map(plain, row)) for row in self.query(
            f"SELECT * FROM {table}", database)]

    def has_table(self, database, table):
        return self.query(f"SELECT OBJECT_ID(N'{table}', N'U')",
                          database)[0][0] is not None

    def checkpoints(self, database):
        return dict(map(tuple, self.query(
            "SELECT mapping_id, CONVERT(varchar(50), position, 2) "
            "FROM dataflow.checkpoints", database)))

    def is_running(self):
        return self.process.is_running()

    def kill(self):
        self.process.kill()

    def restart(self):
        self.kill()
        self.process.start()
        self.options()

    def order(self, action, **how):
        """sp_tdsd_fault for what the daemon does there; see tests/tdsd."""
        words = "".join(
            f", @{name} = {value}" if isinstance(value, int) else
            f", @{name} = N'{value}'" for name, value in how.items())
        self.query(f"EXEC sys.sp_tdsd_fault @action = N'{action}', "
                   f"@app = N'dbaops%'{words}")

    def clear(self):
        self.query("EXEC sys.sp_tdsd_fault_clear")

    def close(self):
        self.relay.close()
        self.process.close()


# Fails whatever moves a checkpoint, when it does so or when it commits.
REFUSE = """
CREATE OR REPLACE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'Injected fault.' USING ERRCODE = TG_ARGV[0]; END $$;
"""
AT_ONCE = ("CREATE TRIGGER injected BEFORE INSERT OR UPDATE ON "
           "dataflow.checkpoints EXECUTE FUNCTION public.refuse('{}')")
AT_COMMIT = ("CREATE CONSTRAINT TRIGGER injected AFTER INSERT OR UPDATE ON "
             "dataflow.checkpoints DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
             "EXECUTE FUNCTION public.refuse('{}')")
OURS = "application_name LIKE 'dbaops%' AND pid <> pg_backend_pid()"


class PostgresqlEnd:
    kind = "postgresql"
    schema = "public"
    connection_options = "sslmode=disable"

    connection_string = SqlServerEnd.connection_string

    def __init__(self, _):
        # Every transaction larger than that is told while it runs.
        self.server = postgresql.Postgresql(logical_decoding_work_mem="64kB")
        self.server.start()
        self.address = f"{self.server.host},{self.server.port}"
        self.user, self.password = self.server.user, self.server.password
        self.relay = Relay((self.server.host, self.server.port),
                           remember=False)
        self.stopped = []  # processes
        self.refused = ""  # the database that has the trigger

    def query(self, sql, database="master"):
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def connect(self, database):
        connection = self.server.connect(
            "postgres" if database == "master" else database)
        psycopg2.extras.register_uuid(conn_or_curs=connection)
        return connection

    def rows(self, database, table):
        return [tuple(map(plain, row)) for row in self.query(
            f"SELECT * FROM {table}", database)]

    def has_table(self, database, table):
        return self.query(f"SELECT to_regclass('public.{table}')",
                          database)[0][0] is not None

    def checkpoints(self, database):
        return dict(self.query(
            "SELECT mapping_id, upper(encode(position, 'hex')) "
            "FROM dataflow.checkpoints", database))

    def is_running(self):
        return self.server.is_running()

    def kill(self):
        self.server.kill()

    def restart(self):
        self.server.kill()
        self.server.start()

    # ------------------------------------------------- done to the daemon's ends

    def processes(self, which="true"):
        return [pid for pid, in self.query(
            f"SELECT pid FROM pg_stat_activity WHERE {OURS} AND {which}")]

    def end_sessions(self, which="true"):
        return len(self.query("SELECT pg_terminate_backend(pid) FROM "
                              f"pg_stat_activity WHERE {OURS} AND {which}"))

    def cancel_statements(self):
        self.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE "
                   f"{OURS} AND state = 'active' AND backend_type = "
                   "'client backend'")

    def stop_processes(self, which="true"):
        for pid in self.processes(which):
            try:
                os.kill(pid, signal.SIGSTOP)
            except ProcessLookupError:
                continue
            self.stopped.append(pid)

    def refuse(self, database, state, at_commit):
        """Until clear(). An SQLSTATE, for every checkpoint there."""
        self.refused = database
        try:
            self.query("SET lock_timeout = '2s'; " + REFUSE + (
                AT_COMMIT if at_commit else AT_ONCE).format(state), database)
        except psycopg2.errors.LockNotAvailable:
            return False
        return True

    def clear(self):
        for pid in self.stopped:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
        self.stopped.clear()
        if self.refused:
            self.query("DROP TRIGGER IF EXISTS injected "
                       "ON dataflow.checkpoints", self.refused)
            self.refused = ""

    def close(self):
        self.relay.close()
        self.clear()
        self.server.close()


ENDS = {end.kind: end for end in (SqlServerEnd, PostgresqlEnd, FilesEnd,
                                  BucketEnd)}
