"""A source database, a destination database, control tables, a daemon: what a
DBA would set up, by plain SQL as a DBA would write it."""
import itertools

import pytds

from support import compare, dataflow

_numbers = itertools.count(1)


class World:
    """A source database, a destination database, control tables, a daemon."""

    def __init__(self, source, dest, folder):
        number = next(_numbers)
        self.source, self.dest, self.folder = source, dest, folder
        self.src_db = f"src{number}"
        self.dst_db = f"dst{number}"
        self.control_db = f"control{number}"
        self.daemons = []
        self.repl_size = None  # of the source's server, to be put back
        for server, database in ((source, self.src_db), (dest, self.dst_db)):
            server.query(f"CREATE DATABASE {database}", "master")

    # -- the control tables, by plain SQL as a DBA would write it

    def environment(self, **more):
        return {"DEST_SERVER": self.dest.address,
                "DEST_USER": self.dest.user,
                "DEST_PASS": self.dest.password,
                "DEST_DATABASE": self.control_db,
                "TMPDIR": str(self.folder), **more}

    def init(self, **config):
        done = dataflow.run("init", env=self.environment())
        assert done.returncode == 0, done.stderr
        self.config(**dict({"cdc_check_interval_seconds": 1,
                            "retry_delay_seconds": 1}, **config))
        self.server_id = self.add_server()

    def control(self, sql):
        return self.dest.query(sql, self.control_db)

    def config(self, **values):
        for key, value in values.items():
            self.control(f"UPDATE config SET config_value = '{value}' "
                         f"WHERE config_key = '{key}'")

    def connection_string(self):
        return (f"server={self.source.address};user id={self.source.user};"
                f"password={self.source.password};database=master;"
                "encrypt=disable")

    def add_server(self, name="source", connection_string=None):
        text = (connection_string or self.connection_string()) \
            .replace("'", "''")
        self.control("INSERT INTO source_servers (server_name, "
                     f"connection_string) VALUES (N'{name}', N'{text}')")
        return self.control("SELECT server_id FROM source_servers "
                            f"WHERE server_name = N'{name}'")[0][0]

    def add_mapping(self, table, dest_table=None, cdc=1, **columns):
        values = {"server_id": self.server_id,
                  "source_database": self.src_db, "source_table": table,
                  "dest_database": self.dst_db,
                  "dest_table": dest_table or table, "cdc_enabled": cdc,
                  **columns}
        names = ", ".join(values)
        literals = ", ".join("NULL" if v is None else str(v)
                             if isinstance(v, int) else
                             "N'" + v.replace("'", "''") + "'"
                             for v in values.values())
        self.control(f"INSERT INTO table_mappings ({names}) "
                     f"VALUES ({literals})")
        return self.control("SELECT MAX(mapping_id) FROM table_mappings")[0][0]

    def request(self, mapping_id, kind):
        self.control("INSERT INTO sync_requests (mapping_id, request_type) "
                     f"VALUES ({mapping_id}, N'{kind}')")
        return self.control("SELECT MAX(request_id) FROM sync_requests")[0][0]

    def answer(self, request_id):
        """Of a request, when it has one: (state, answer)."""
        return dataflow.wait_for(lambda: ([row for row in self.control(
            "SELECT state, answer FROM sync_requests WHERE request_id = "
            f"{request_id}") if row[0] in ("COMPLETED", "FAILED")]
            or [None])[0], 60)

    def errors(self, mapping_id=None, resolved=0):
        """Open error rows: (type, message, retry_count)."""
        where = f" AND mapping_id = {mapping_id}" if mapping_id else ""
        return self.control(
            "SELECT error_type, error_message, retry_count FROM error_logs "
            f"WHERE is_resolved = {resolved}{where} ORDER BY error_id")

    def state(self, mapping_id):
        found = self.control("SELECT state FROM mapping_state "
                             f"WHERE mapping_id = {mapping_id}")
        return found[0][0] if found else None

    # -- the two databases

    def on_source(self, sql):
        return self.source.query(sql, self.src_db)

    def on_dest(self, sql):
        return self.dest.query(sql, self.dst_db)

    def enable_cdc(self, *tables):
        if not self.on_source("SELECT 1 FROM sys.databases WHERE "
                              f"name = '{self.src_db}' "
                              "AND is_cdc_enabled = 1"):
            self.on_source("EXEC sys.sp_cdc_enable_db")
        for table in tables:
            self.on_source("EXEC sys.sp_cdc_enable_table "
                           "@source_schema = N'dbo', "
                           f"@source_name = N'{table}', @role_name = NULL")

    def allow_large_values(self):
        """Change capture refuses more than 64 KB otherwise."""
        self.repl_size = self.on_source(
            "SELECT CONVERT(INT, value_in_use) FROM sys.configurations "
            "WHERE name = 'max text repl size (B)'")[0][0]
        self.set_repl_size(-1)

    def set_repl_size(self, size):
        self.source.query(f"EXEC sys.sp_configure 'max text repl size', {size}; "
                          "RECONFIGURE")

    def enable_tracking(self, *tables):
        if not self.on_source("SELECT 1 FROM sys.change_tracking_databases "
                              "WHERE database_id = DB_ID()"):
            self.on_source(f"ALTER DATABASE {self.src_db} SET "
                           "CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, "
                           "AUTO_CLEANUP = ON)")
            self.on_source(f"ALTER DATABASE {self.src_db} SET "
                           "ALLOW_SNAPSHOT_ISOLATION ON")
        for table in tables:
            self.on_source(f"ALTER TABLE {table} ENABLE CHANGE_TRACKING")

    def enable(self, source, *tables):
        """By the name that a mapping's change_source has."""
        if source == "cdc":
            self.enable_cdc(*tables)
        else:
            self.enable_tracking(*tables)

    def differences(self, table, dest_table=None):
        return compare.differences(
            self.source, (self.src_db, table),
            self.dest, (self.dst_db, dest_table or table))

    def has_table(self, table):
        return self.on_dest(f"SELECT OBJECT_ID(N'{table}', N'U')")[0][0] \
            is not None

    def wait_equal(self, table, dest_table=None, timeout=60):
        def equal():
            return self.has_table(dest_table or table) and \
                not self.differences(table, dest_table)
        try:
            dataflow.wait_for(equal, timeout, 0.1)
        except AssertionError:
            raise AssertionError(
                f"{table} did not become equal: "
                f"{self.differences(table, dest_table)}\n"
                f"errors: {self.errors()}\n{self.log()}") from None

    # -- the daemon

    def start(self, *arguments, **environment):
        daemon = dataflow.Daemon(self.environment(**environment), arguments,
                                 cwd=str(self.folder))
        self.daemons.append(daemon)
        daemon.start()
        return daemon

    def log(self):
        return "".join(d.log() for d in self.daemons)

    def close(self):
        for daemon in self.daemons:
            daemon.close()
        if self.repl_size is not None:
            self.set_repl_size(self.repl_size)
        self.end_capture()

    def end_capture(self):
        """Hundreds of databases with a capture job each would slow down the
        tests that come after. A server that a test has ended has none."""
        try:
            if self.source.query("SELECT 1 FROM sys.databases WHERE "
                                 "is_cdc_enabled = 1 AND name = "
                                 f"N'{self.src_db}'"):
                self.on_source("EXEC sys.sp_cdc_disable_db")
        except (OSError, pytds.Error) as error:
            print(f"capture of {self.src_db} goes on: {error}")
