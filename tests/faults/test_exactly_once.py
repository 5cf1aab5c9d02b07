"""An append-only audit of the destination shows each change of the source once,
in its order, over hundreds of kills: nothing lost, nothing twice, no row back at
an older value. FAULT_KILLS says how many kills (60).
"""
import contextlib
import os
import random
import threading
import time

import pytest

from faults import failpoints
from stage import CASTS, Stage
from support import dataflow

KILLS = int(os.environ.get("FAULT_KILLS") or 60)
KEYS = 40

AUDIT = {
    "sqlserver": ("""
CREATE TABLE audit (at BIGINT IDENTITY PRIMARY KEY, id INT NOT NULL,
    what VARCHAR(10) NOT NULL, n INT NOT NULL)
""", """
CREATE TRIGGER seen ON t AFTER INSERT, UPDATE, DELETE AS
INSERT INTO audit (id, what, n)
SELECT COALESCE(i.id, d.id), CASE WHEN d.id IS NULL THEN 'insert'
    WHEN i.id IS NULL THEN 'delete' ELSE 'update' END, COALESCE(i.n, d.n)
FROM inserted AS i FULL OUTER JOIN deleted AS d ON i.id = d.id
"""),
    "postgresql": ("""
CREATE TABLE audit (at bigserial PRIMARY KEY, id int NOT NULL,
    what varchar(10) NOT NULL, n int NOT NULL);
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql
SET search_path = public AS $$
BEGIN
    INSERT INTO audit (id, what, n) VALUES (COALESCE(NEW.id, OLD.id),
        lower(TG_OP), COALESCE(NEW.n, OLD.n));
    RETURN NULL;
END $$;
""", """
CREATE TRIGGER seen AFTER INSERT OR UPDATE OR DELETE ON t
FOR EACH ROW EXECUTE FUNCTION see()
"""),
}


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
        connection = self.stage.source.connect(self.stage.src_db)
        with contextlib.closing(connection), connection.cursor() as cursor:
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


@pytest.fixture(params=[c for c in CASTS if c.store == "sqlite" and
                        c.dest in AUDIT],
                ids=lambda cast: f"{cast.source}-{cast.dest}")
def stage(tmp_path, request):
    seed = int(os.environ.get("FAULT_SEED") or time.time())
    print(f"seed {seed}")
    stage = Stage(str(tmp_path), random.Random(seed), request.param)
    yield stage
    stage.close()


def prepare(stage):
    stage.init(cdc_check_interval_seconds=1, retry_delay_seconds=0,
               cdc_window_transactions=1, lease_seconds=3,
               verification_interval_minutes=0)
    stage.add_target()
    stage.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                    "n INT NOT NULL)")
    stage.on_dest("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, "
                  "n INT NOT NULL)")
    stage.enable("cdc", "t")
    stage.add_mapping("t")
    stage.start_first()
    dataflow.wait_for(lambda: stage.control(
        "SELECT 1 FROM mapping_state WHERE is_consistent = 1"))
    for statement in AUDIT[stage.dest.kind]:
        stage.on_dest(statement)


def test_each_change_once(stage):
    prepare(stage)
    changes = Changes(stage, stage.dice.random())
    points = [p for p in failpoints()
              if p.startswith(("WINDOW", "BEFORE_C", "AFTER_C", "START"))]
    changes.start()
    moves, last = 0, None
    try:
        for _ in range(KILLS):
            time.sleep(stage.dice.uniform(0.02, 1.2) * dataflow.slowness())
            stage.daemon.kill()
            at = stage.dest.checkpoints(stage.dst_db)
            moves += at != last
            last = at
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
    print(f"{KILLS} kills, {moves} of them after something was applied, "
          f"{changes.number} changes")
    assert moves > KILLS / 10
    assert changes.number > KILLS
    assert len(stage.loads()) == 1
