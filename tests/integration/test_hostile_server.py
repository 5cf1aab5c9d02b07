"""A server that answers nonsense, or somebody between it and the daemon who
changes what it says: the daemon neither crashes nor hangs, and when the answers
are right again, so are the tables.

What is changed inside a value of a row, nobody can see: only TLS keeps it from
happening. So tables are compared after a load over an honest connection."""
import itertools
import os

import pytest

from support import dataflow
from support.mutate import Mutator
from support.relay import Relay, port_of

SEED = int(os.environ.get("HOSTILE_SEED", "1"))
ROUNDS = int(os.environ.get("HOSTILE_ROUNDS", "60"))
TABLES = 8
CONNECTIONS = 150
SHORT = "connect timeout=2;query timeout=2"


def honest(data, *_):
    return data


@pytest.fixture
def tables(world):
    """Some tables that were loaded and follow their sources."""
    for i in range(TABLES):
        world.on_source(f"CREATE TABLE t{i} (id INT NOT NULL PRIMARY KEY, "
                        "v NVARCHAR(50) NULL, n DECIMAL(9, 2) NULL, "
                        "d DATETIME2 NULL, b VARBINARY(MAX) NULL)")
        world.on_source(f"INSERT INTO t{i} VALUES (1, N'one', 1.5, "
                        "'2026-01-31', 0x01), (2, NULL, NULL, NULL, NULL)")
        world.enable_cdc(f"t{i}")
        world.add_mapping(f"t{i}", verification_interval_minutes=1)
    return world


def change(world, number):
    for i in range(TABLES):
        world.on_source(
            f"INSERT INTO t{i} VALUES ({number + 10}, N'{number}', {number}, "
            f"SYSUTCDATETIME(), 0x{number:08x}); UPDATE t{i} SET v = "
            f"N'{number}' WHERE id = 1")


def replay(relay):
    return f"{len(relay.conversations)} connections, seed {SEED}, " \
        f"{relay.answer.changed} answers changed"


def survive(world, daemon, relay, mutator):
    """Many connections whose answers are changed, while the source changes."""
    numbers = itertools.count(1)
    relay.answer = mutator
    relay.cut()

    def enough():
        assert daemon.is_running(), (daemon.process.poll(), replay(relay),
                                     daemon.log()[-3000:])
        change(world, next(numbers))
        return len(relay.conversations) > CONNECTIONS
    dataflow.wait_for(enough, 240, 0.5, replay(relay))
    print(replay(relay))


def recover(world, relay):
    """As before, by what an independent client finds."""
    relay.answer = honest
    relay.cut()
    world.control("UPDATE table_mappings SET is_suspended = 0")
    for (mapping,) in world.control("SELECT mapping_id FROM table_mappings"):
        world.request(mapping, "FULL_SYNC")
    dataflow.wait_for(lambda: not world.control(
        "SELECT 1 FROM sync_requests WHERE state IN (N'PENDING', "
        "N'RUNNING')"), 120)
    for i in range(TABLES):
        world.wait_equal(f"t{i}", timeout=60)


@pytest.mark.standin
@pytest.mark.parametrize("side", ["source", "control"])
def test_daemon(tables, side):
    """The control connection's server is the destination as well."""
    world = tables
    server = world.source if side == "source" else world.dest
    with Relay(port_of(server), answer=honest) as relay:
        text = world.connection_string()
        if side == "source":
            text = text.replace(world.source.address, relay.address)
        world.control("UPDATE source_servers SET connection_string = "
                      f"N'{text};{SHORT}'")
        # FreeTDS forgets what it was reading when an answer breaks off.
        environment = {"DEST_OPTIONS": SHORT,
                       "ASAN_OPTIONS": "exitcode=99:detect_leaks=0"}
        if side == "control":
            environment["DEST_SERVER"] = relay.address
        daemon = world.start(**environment)
        for i in range(TABLES):
            world.wait_equal(f"t{i}")
        survive(world, daemon, relay, Mutator(SEED, 12))
        recover(world, relay)
        assert daemon.stop()[0] == 0


@pytest.mark.standin
def test_commands(tables):
    """Each run is a few connections; its code is one of its own."""
    world = tables
    for seed in range(SEED, SEED + ROUNDS):
        mutator = Mutator(seed, 6)
        with Relay(port_of(world.dest), answer=mutator) as relay:
            for command in (["status", "--json"], ["check"], ["requests"]):
                done = dataflow.run(*command, timeout=60, env=world.environment(
                    DEST_SERVER=relay.address, DEST_OPTIONS=SHORT))
                assert 0 <= done.returncode <= 7, \
                    (seed, command, done.returncode, done.stderr)
                assert done.returncode in (0, 7) or done.stderr or done.stdout
