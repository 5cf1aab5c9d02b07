"""The embedded control store on a disk that is full: mappings go on, what is to
be written waits, and arrives when there is room again."""
import contextlib
import os
import resource
import sqlite3
import subprocess

import pytest

from support import dataflow


class Embedded:
    """A daemon whose control tables are in a file."""

    def __init__(self, world, folder):
        self.world, self.file = world, os.path.join(folder, "control.db")
        done = dataflow.run("init", "--control", f"sqlite:{self.file}")
        assert done.returncode == 0, done.stderr
        login = f"user id=sa;password={world.dest.password}"
        with self.open() as control:
            control.executescript(
                "UPDATE config SET config_value = '1' WHERE config_key IN "
                "('cdc_check_interval_seconds', 'retry_delay_seconds'); "
                "INSERT INTO source_servers (server_name, connection_string) "
                f"VALUES ('s', '{world.connection_string()}'); "
                "INSERT INTO target_servers (target_name, connection_string) "
                f"VALUES ('d', 'server={world.dest.address};{login}'); "
                "INSERT INTO table_mappings (server_id, target_id, "
                "source_database, source_table, dest_database, dest_table, "
                f"cdc_enabled) VALUES (1, 1, '{world.src_db}', 't', "
                f"'{world.dst_db}', 't', 1)")
        self.daemon = dataflow.Daemon({"TMPDIR": str(world.folder)},
                                      ["--control", f"sqlite:{self.file}"])

    @contextlib.contextmanager
    def open(self):
        with contextlib.closing(sqlite3.connect(self.file,
                                                timeout=10)) as control:
            yield control
            control.commit()

    def query(self, sql):
        with self.open() as control:
            return control.execute(sql).fetchall()

    def processed(self):
        """Changes that the control tables know of."""
        return self.query("SELECT COALESCE(SUM(records_processed), 0) FROM "
                          "sync_status WHERE sync_type = 'CDC'")[0][0]


@pytest.fixture
def disk(tmp_path):
    """A small one of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs",
                           folder], stderr=subprocess.PIPE, text=True,
                          check=False)
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def table(bare_world):
    bare_world.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                         "n INT)")
    bare_world.on_source("INSERT INTO t VALUES (1, 0), (2, 0), (3, 0)")
    bare_world.enable_cdc("t")
    return bare_world


def fill(folder):
    """To the last byte; the file that has to go to make room."""
    path = os.path.join(folder, "ballast")
    with open(path, "wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            with contextlib.suppress(OSError):
                while file.write(b"x" * size):
                    pass
    return path


def go_through(embedded, fill_up, make_room):
    world, daemon = embedded.world, embedded.daemon
    world.daemons.append(daemon)
    daemon.start()
    world.wait_equal("t")
    dataflow.wait_for(lambda: embedded.query(
        "SELECT state FROM mapping_state") == [("CDC",)])
    fill_up()
    for n in range(1, 6):
        world.on_source(f"UPDATE t SET n = {n}")
        world.wait_equal("t")
    dataflow.wait_for(lambda: "rows wait until it is back" in daemon.log(),
                      what="a word about the control store")
    assert embedded.processed() < 15
    make_room()
    dataflow.wait_for(lambda: embedded.processed() == 15,
                      what="what had waited")
    world.on_source("UPDATE t SET n = 9")
    world.wait_equal("t")
    assert embedded.query("SELECT COUNT(*) FROM error_logs") == [(0,)]
    assert embedded.query("PRAGMA integrity_check") == [("ok",)]
    assert daemon.stop()[0] == 0


def test_a_full_disk(table, disk):
    embedded = Embedded(table, disk)
    ballast = []
    go_through(embedded, lambda: ballast.append(fill(disk)),
               lambda: os.unlink(ballast[0]))


def test_a_limit_for_files(table, tmp_path):
    """As `ulimit -f` sets one, whose signal would end the process."""
    embedded = Embedded(table, tmp_path)
    limit = resource.RLIMIT_FSIZE

    def set_limit(size):
        pid = embedded.daemon.process.pid
        resource.prlimit(pid, limit, (size, resource.prlimit(pid, limit)[1]))

    go_through(embedded, lambda: set_limit(16384),
               lambda: set_limit(resource.RLIM_INFINITY))
