"""An append-only audit of the destination shows each change of the source once,
in its order, over hundreds of kills: nothing lost, nothing twice, no row back at
an older value. FAULT_KILLS says how many kills (60).
"""
import os
import random
import threading
import time

import pytest

from faults import failpoints
from stage import Stage
from support import dataflow

KILLS = int(os.environ.get("FAULT_KILLS") or 60)
KEYS = 40

AUDIT = """
CREATE TRIGGER seen ON t AFTER INSERT, UPDATE, DELETE AS
INSERT INTO audit (id, what, n)
SELECT COALESCE(i.id, d.id), CASE WHEN d.id IS NULL THEN 'insert'
    WHEN i.id IS NULL THEN 'delete' ELSE 'update' END, COALESCE(i.n, d.n)
FROM inserted AS i FULL OUTER JOIN deleted AS d ON i.id = d.id
"""


class Changes(threading.Thread):
    """One change a transaction, each with a number of its own; remembers what
    it did, key by key."""

    def __init__(self, stage, seed):
        super().__init__()
        self.stage, self.dice = stage, random.Random(seed)
        self.done = {key: [] for key in range(KEYS)}
        self.ended = threading.Event()
        self.number = 0

    def run(self):
        with self.stage.source.connect(self.stage.src_db) as connection:
            with connection.cursor() as cursor:
                while not self.ended.is_set():
                    cursor.execute(self.next())
                    time.sleep(self.dice.choice([0.005, 0.02, 0.06]))

    def next(self):
        key = self.dice.randrange(KEYS)
        history = self.done[key]
        self.number += 1
        if not history or history[-1][0] == "delete":
            history.append(("insert", self.number))
            return f"INSERT INTO t VALUES ({key}, {self.number})"
        if self.dice.random() < 0.2:
            history.append(("delete", history[-1][1]))
            return f"DELETE FROM t WHERE id = {key}"
        history.append(("update", self.number))
        return f"UPDATE t SET n = {self.number} WHERE id = {key}"


@pytest.fixture
def stage(tmp_path):
    seed = int(os.environ.get("FAULT_SEED") or time.time())
    print(f"seed {seed}")
    stage = Stage(str(tmp_path), random.Random(seed), "sqlite")
    yield stage
    stage.close()


def prepare(stage):
    stage.init(cdc_check_interval_seconds=1, retry_delay_seconds=0,
               cdc_window_transactions=1, lease_seconds=3,
               verification_interval_minutes=0)
    stage.control("INSERT INTO target_servers (target_name, "
                  "connection_string) VALUES (N'target', "
                  f"N'{stage.connection_string('dest')}')")
    stage.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "n INT NOT NULL)")
    stage.on_dest("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                  "n INT NOT NULL)")
    stage.enable_cdc("t")
    stage.add_mapping("t", target_id=1)
    stage.daemon = dataflow.Daemon(stage.environment(),
                                   cwd=str(stage.folder))
    stage.daemons.append(stage.daemon)
    stage.daemon.start()
    dataflow.wait_for(lambda: stage.control(
        "SELECT 1 FROM mapping_state WHERE is_consistent = 1"))
    stage.on_dest("CREATE TABLE audit (at BIGINT IDENTITY PRIMARY KEY, "
                  "id INT NOT NULL, what VARCHAR(10) NOT NULL, n INT NOT NULL)")
    stage.on_dest(AUDIT)


def test_each_change_once(stage):
    prepare(stage)
    changes = Changes(stage, stage.dice.random())
    points = [p for p in failpoints()
              if p.startswith(("WINDOW", "BEFORE_C", "AFTER_C", "START"))]
    changes.start()
    try:
        for _ in range(KILLS):
            time.sleep(stage.dice.uniform(0.02, 0.5) * dataflow.slowness())
            stage.daemon.kill()
            order = {}
            if stage.dice.random() < 0.5:
                order["DATAFLOW_FAILPOINTS"] = (
                    f"{stage.dice.choice(points)}=kill@"
                    f"{stage.dice.randrange(1, 8)}")
            stage.start_daemon(**order)
    finally:
        changes.ended.set()
        changes.join()
    stage.daemon.kill()
    stage.start_daemon()
    stage.wait_equal("t", timeout=120)
    seen = {key: [] for key in range(KEYS)}
    for key, what, number in stage.on_dest(
            "SELECT id, what, n FROM audit ORDER BY at"):
        seen[key].append((what, number))
    assert seen == changes.done
    print(f"{KILLS} kills, {changes.number} changes")
    assert changes.number > KILLS
    assert stage.loads() == 1
