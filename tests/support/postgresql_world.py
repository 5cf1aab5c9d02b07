"""A World whose source is a real PostgreSQL server."""
from support import dataflow
from support.postgresql import Postgresql
from support.world import World


class SourceServer:
    """A PostgreSQL as World wants its source: by what it asks for."""

    def __init__(self, server: Postgresql):
        self.server = server
        self.address = f"{server.host},{server.port}"
        self.user, self.password = server.user, server.password

    def query(self, sql, database="postgres"):
        return self.server.query(
            sql, "postgres" if database == "master" else database)


class PostgresqlWorld(World):
    """add_mapping() takes tables of schema public, unless it is told."""

    def __init__(self, postgresql, dest, folder):
        super().__init__(SourceServer(postgresql), dest, folder)
        self.postgresql = postgresql

    def connection_string(self):
        return self.postgresql.connection_string()

    def add_server(self, name="source", connection_string=None,
                   server_type="postgresql"):
        number = super().add_server(name, connection_string)
        self.control(f"UPDATE source_servers SET server_type = "
                     f"N'{server_type}' WHERE server_id = {number}")
        return number

    def add_mapping(self, table, dest_table=None, cdc=0, **columns):
        return super().add_mapping(table, dest_table, cdc,
                                   **dict({"source_schema": "public"},
                                          **columns))

    def enable(self, source, *tables):
        """The daemon sets everything up by itself."""

    def end_capture(self):
        """Slots are the daemon's own; a database that is gone has none."""

    def load(self, mapping, timeout=60):
        """Wait until a mapping was loaded; its log when that fails."""
        def loaded():
            return self.control(
                "SELECT 1 FROM sync_status WHERE status = N'COMPLETED' "
                "AND sync_type = N'FULL_SYNC' AND mapping_id = "
                f"{mapping}")
        try:
            dataflow.wait_for(loaded, timeout, 0.1)
        except AssertionError:
            raise AssertionError(f"mapping {mapping} was not loaded: "
                                 f"{self.errors()}\n{self.log()}") from None

    def full_syncs(self, mapping):
        return self.control(
            "SELECT COUNT(*) FROM sync_status WHERE sync_type = N'FULL_SYNC' "
            f"AND status = N'COMPLETED' AND mapping_id = {mapping}")[0][0]


class PostgresqlPair(PostgresqlWorld):
    """Its destination is another PostgreSQL, its control tables are not."""

    def __init__(self, source, control, folder, dest):
        super().__init__(source, control, folder)
        self.there = dest
        dest.query(f"CREATE DATABASE {self.dst_db}")

    def init(self, **config):
        super().init(**config)
        text = self.there.connection_string()
        self.control("INSERT INTO target_servers (target_name, target_type, "
                     "connection_string) VALUES (N'there', N'postgres', "
                     f"N'{text}')")
        self.target_id = self.control("SELECT MAX(target_id) "
                                      "FROM target_servers")[0][0]

    def add_mapping(self, table, dest_table=None, cdc=1, **columns):
        return super().add_mapping(table, dest_table, cdc, **dict(
            {"target_id": self.target_id, "dest_schema": "public"},
            **columns))

    def print_both(self, columns, table="every", order="id"):
        """What psql prints of either table, under the same settings."""
        sql = ("SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; "
               "SET extra_float_digits = 3; SET bytea_output = 'hex';\n"
               f"SELECT {columns} FROM {table} ORDER BY {order}")
        return (self.postgresql.psql(sql, self.src_db),
                self.there.psql(sql, self.dst_db))

    def table_reads(self, table):
        """How often the whole of a destination table was read, as of a second
        ago; more than a few times is once for each row."""
        return self.there.query(
            "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = "
            f"'{table}'", self.dst_db)[0][0]

    def wait_for_a_part(self):
        """Until a load in parts has done one."""
        def is_done():
            try:
                return self.there.query("SELECT 1 FROM dataflow.load_parts "
                                        "WHERE is_done LIMIT 1", self.dst_db)
            except Exception:  # no table yet
                return None
        dataflow.wait_for(is_done, 30, 0.01)

    def has_table(self, table):
        return bool(self.there.query(
            "SELECT 1 FROM pg_tables WHERE schemaname = 'public' "
            f"AND tablename = '{table}'", self.dst_db))

    def wait_same(self, columns="*", table="every", timeout=60, order="id"):
        def same():
            return self.has_table(table) and \
                len(set(self.print_both(columns, table, order))) == 1
        try:
            dataflow.wait_for(same, timeout, 0.2)
        except AssertionError:
            both = self.print_both(columns, table, order) \
                if self.has_table(table) else ("", "no table")
            lines = [part.split("\n") for part in both]
            raise AssertionError(
                f"missing {[x for x in lines[0] if x not in lines[1]][:3]}, "
                f"extra {[x for x in lines[1] if x not in lines[0]][:3]}; "
                f"{self.errors()}\n{self.log()}"[:8000]) from None
