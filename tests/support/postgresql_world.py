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
