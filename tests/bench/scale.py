#!/usr/bin/python3
"""The second half of `make bench`: a thousand mappings.

They lie in twenty databases, follow changes, and have a trigger column each.
Nothing changes while they are watched, so what the daemon uses is what it costs
to have it. Printed, never asserted: see bench.py.
"""
import argparse
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from support import dataflow, sqlserver  # noqa: E402

PASSWORD = "Bench-pass-1"
CONTROL = "scale_control"
DATABASES = 20


class Scale:
    def __init__(self, source, dest, folder, options):
        self.source, self.dest, self.folder = source, dest, folder
        self.options = options
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(f"{folder}/notify")
        self.notify.settimeout(60)
        self.environment = {"DEST_SERVER": dest.address,
                            "DEST_USER": dest.user,
                            "DEST_PASS": dest.password,
                            "DEST_DATABASE": CONTROL, "TMPDIR": folder,
                            "NOTIFY_SOCKET": f"{folder}/notify"}

    def control(self, sql):
        return self.dest.query(sql, CONTROL)

    def prepare(self):
        each = self.options.mappings // DATABASES
        done = dataflow.run("init", env=self.environment)
        assert done.returncode == 0, done.stderr
        self.control("INSERT INTO source_servers (server_name, "
                     "connection_string) VALUES (N'scale', N'server="
                     f"{self.source.address};user id={self.source.user};"
                     f"password={{{self.source.password}}};encrypt=disable')")
        for k in range(DATABASES):
            source, dest = f"scale_source_{k}", f"scale_dest_{k}"
            for server, database in ((self.source, source),
                                     (self.dest, dest)):
                server.query(f"DROP DATABASE IF EXISTS {database}")
                server.query(f"CREATE DATABASE {database}")
            self.source.query("EXEC sys.sp_cdc_enable_db", source)
            self.source.query("".join(
                f"CREATE TABLE t{i} (id INT NOT NULL PRIMARY KEY, v INT, "
                f"resync BIT NOT NULL); INSERT t{i} VALUES (1, {i}, 0); "
                "EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', "
                f"@source_name = N't{i}', @role_name = NULL;"
                for i in range(each)), source)
            self.control(
                "INSERT INTO table_mappings (server_id, source_database, "
                "source_table, dest_database, dest_table, cdc_enabled, "
                "full_sync_trigger_column) VALUES " + ", ".join(
                    f"(1, N'{source}', N't{i}', N'{dest}', N't{i}', 1, "
                    "N'resync')" for i in range(each)))

    def start(self):
        """A daemon, and after how many seconds it said it was ready."""
        began = time.monotonic()
        daemon = dataflow.Daemon(self.environment).start()
        while b"READY=1" not in self.notify.recv(4096):
            pass
        return daemon, time.monotonic() - began

    def in_state(self, daemon):
        return self.control(
            "SELECT COUNT(*) FROM mapping_state WHERE state = N'CDC' AND "
            f"daemon LIKE N'%:{daemon.process.pid}:%'")[0][0]

    def wait_all(self, daemon):
        began, most = time.monotonic(), 0

        def all_there():
            nonlocal most
            most = max(most, daemon.open_sockets())
            return self.in_state(daemon) == self.options.mappings
        dataflow.wait_for(all_there, 900, 0.2)
        return time.monotonic() - began, most

    def run(self):
        count = self.options.mappings
        print(f"{count:,} mappings in {DATABASES} databases")
        daemon, _ = self.start()
        try:
            seconds, most = self.wait_all(daemon)
            print(f"  all loaded after {seconds:.1f} s", flush=True)
            daemon.stop()
            daemon.close()
            daemon, ready = self.start()
            seconds, again = self.wait_all(daemon)
            print(f"  a new daemon is ready after {ready:.2f} s and follows "
                  f"all after {ready + seconds:.1f} s", flush=True)
            time.sleep(2 * self.options.seconds)
            began, cpu = time.monotonic(), daemon.cpu_seconds()
            time.sleep(self.options.seconds)
            share = (daemon.cpu_seconds() - cpu) / (time.monotonic() - began)
            print(f"  idle: {100 * share:.1f} % of a core, "
                  f"{daemon.peak_mib():.0f} MiB at most, "
                  f"{max(most, again)} sockets at most")
            code, seconds = daemon.stop()
            print(f"  stopped after {seconds:.2f} s with {code}", flush=True)
        except AssertionError:
            print(daemon.log())
            raise
        finally:
            daemon.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--mappings", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=30)
    options = parser.parse_args()
    with sqlserver.open_pair("dataflow-scale-",
                             PASSWORD) as (folder, source, dest):
        scale = Scale(source, dest, folder, options)
        scale.prepare()
        scale.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
