"""A destination with a foreign key to itself: the servers look at such a key
after each statement, so not every order of deletes, updates and inserts will
do."""
import pytest

from support import dataflow
from support.postgresql import Postgresql, why_not
from support.postgresql_target import Target, wait_equal

COLUMNS = ("id INT NOT NULL PRIMARY KEY, parent INT NULL, "
           "code VARCHAR(20) NULL")
DESTINATION = f"""
CREATE TABLE tree ({COLUMNS},
    CONSTRAINT below FOREIGN KEY (parent) REFERENCES tree (id));
CREATE INDEX by_parent ON tree (parent);
CREATE UNIQUE INDEX one_code ON tree (code) WHERE code IS NOT NULL;
CREATE TABLE audit (id INT NOT NULL, what CHAR(1) NOT NULL)"""
SQLSERVER_AUDIT = """
CREATE TRIGGER seen ON tree AFTER INSERT, UPDATE, DELETE AS
BEGIN
    INSERT INTO audit (id, what)
    SELECT i.id, CASE WHEN EXISTS (SELECT 1 FROM deleted AS d
        WHERE d.id = i.id) THEN 'u' ELSE 'i' END FROM inserted AS i;
    INSERT INTO audit (id, what) SELECT d.id, 'd' FROM deleted AS d
    WHERE NOT EXISTS (SELECT 1 FROM inserted AS i WHERE i.id = d.id);
END"""
POSTGRESQL_AUDIT = """
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.audit VALUES (COALESCE(NEW.id, OLD.id),
        lower(left(TG_OP, 1)));
    RETURN NULL;
END $$;
CREATE TRIGGER seen AFTER INSERT OR UPDATE OR DELETE ON tree
FOR EACH ROW EXECUTE FUNCTION see()"""


def numbers(first, last):
    return (f"WITH k AS (SELECT {first} AS i UNION ALL SELECT i + 1 FROM k "
            f"WHERE i < {last}) ")


def insert(first, last, parent="NULL"):
    return (f"{numbers(first, last)} INSERT INTO tree SELECT i, {parent}, "
            "CONCAT(N'c', i) FROM k OPTION (MAXRECURSION 0); ")


class ToSqlServer:
    audit = SQLSERVER_AUDIT

    def __init__(self, world):
        self.world = world
        for statement in DESTINATION.split(";"):
            world.on_dest(statement)
        self.query = world.on_dest
        self.run = world.on_dest
        self.add_mapping = world.add_mapping

    def wait_equal(self):
        self.world.wait_equal("tree")


class ToPostgresql:
    audit = POSTGRESQL_AUDIT

    def __init__(self, world, server):
        self.target = Target(world, server)
        self.run(DESTINATION)
        self.query = self.target.query
        self.add_mapping = self.target.add_mapping

    def run(self, sql):
        self.target.server.psql(sql, self.target.database)

    def wait_equal(self):
        wait_equal(self.target, "tree", timeout=60)


@pytest.fixture(scope="module")
def postgresql():
    if why_not():
        pytest.skip(why_not())
    with Postgresql() as server:
        yield server


@pytest.fixture(params=["SQL Server", "PostgreSQL"])
def tree(world, request):
    """Ten roots and a hundred rows below them."""
    world.on_source(f"CREATE TABLE tree ({COLUMNS})")
    world.on_source(insert(1, 10) + insert(11, 110, "i % 10 + 1"))
    world.to = ToSqlServer(world) if request.param == "SQL Server" else \
        ToPostgresql(world, request.getfixturevalue("postgresql"))
    return world


def follow(world, source="cdc"):
    world.enable(source, "tree")
    mapping = world.to.add_mapping("tree", change_source=source)
    world.start()
    world.to.wait_equal()
    dataflow.wait_for(lambda: world.state(mapping) == "CDC")


def in_one(world, sql):
    """One transaction; it arrives as it is."""
    world.on_source(f"BEGIN TRANSACTION; {sql}; COMMIT TRANSACTION")
    world.to.wait_equal()
    assert world.errors() == []


@pytest.mark.parametrize("source", ["cdc", "change_tracking"])
def test_changes(tree, source):
    follow(tree, source)
    in_one(tree, insert(200, 201) + "UPDATE tree SET parent = 200 "
           "WHERE id BETWEEN 11 AND 30")
    in_one(tree, "UPDATE tree SET parent = 2 WHERE parent = 1; "
           "DELETE FROM tree WHERE id = 1")
    in_one(tree, "DELETE FROM tree WHERE parent = 200 OR id = 200")
    in_one(tree, insert(300, 300) + insert(301, 301, "300") +
           insert(302, 302, "301") +
           "UPDATE tree SET parent = 302 WHERE parent = 3; "
           "DELETE FROM tree WHERE id = 3 OR parent = 4; "
           "DELETE FROM tree WHERE id = 4")
    # Two that refer to each other, made and deleted.
    in_one(tree, "INSERT INTO tree VALUES (401, NULL, N'x'); "
           "INSERT INTO tree VALUES (402, 401, N'y'); "
           "UPDATE tree SET parent = 402 WHERE id = 401")
    in_one(tree, "DELETE FROM tree WHERE id IN (401, 402)")


def test_unique_values_in_the_way(tree):
    """No order of whole statements will do."""
    follow(tree)
    in_one(tree, "DELETE FROM tree WHERE id = 50; "
           "INSERT INTO tree VALUES (501, NULL, N'c50'); "
           "UPDATE tree SET parent = 501 WHERE id BETWEEN 51 AND 55; "
           "UPDATE tree SET parent = 9 WHERE parent = 8; "
           "DELETE FROM tree WHERE id = 8; "
           "INSERT INTO tree VALUES (502, 501, N'c8')")


def test_each_change_is_made_once(tree):
    follow(tree)
    tree.to.run(tree.to.audit)
    in_one(tree, insert(200, 202, "20") +
           "UPDATE tree SET parent = 200 WHERE id IN (21, 22); "
           "UPDATE tree SET parent = 2 WHERE parent = 1; "
           "DELETE FROM tree WHERE id IN (1, 202)")
    moved = tree.on_source("SELECT COUNT(*) FROM tree WHERE parent = 2 "
                           "AND id % 10 = 0")[0][0]
    assert moved == 10
    assert tree.to.query("SELECT what, COUNT(*) FROM audit GROUP BY what "
                        "ORDER BY what") == [("d", 1), ("i", 2), ("u", 12)]


def test_many_at_once(tree):
    """In a few statements, not row by row."""
    follow(tree)
    in_one(tree, insert(1000, 30999, "i % 10 + 1"))
    in_one(tree, insert(31000, 31999) + "UPDATE tree SET parent = 31000 + "
           "id % 1000 WHERE id BETWEEN 1000 AND 30999")
    in_one(tree, "UPDATE tree SET parent = 5 WHERE parent >= 31000; "
           "DELETE FROM tree WHERE id >= 31000")


def test_what_no_order_helps(tree):
    """The destination lacks the row that is referred to."""
    tree.config(retry_wait_seconds=1)
    follow(tree)
    tree.to.run("ALTER TABLE tree ADD CONSTRAINT no_900 CHECK (id <> 900)")
    tree.on_source("BEGIN TRANSACTION; INSERT INTO tree VALUES (900, 1, N'm'); "
                   "INSERT INTO tree VALUES (901, 900, N'n'); "
                   "UPDATE tree SET code = N'after' WHERE id = 11; "
                   "COMMIT TRANSACTION")
    dataflow.wait_for(tree.errors)
    assert "no_900" in repr(tree.errors())
    assert tree.to.query("SELECT code FROM tree WHERE id = 11") == [("c11",)]
    tree.to.run("ALTER TABLE tree DROP CONSTRAINT no_900")
    tree.to.wait_equal()


@pytest.mark.parametrize("mode,rows", [("swap", 1500), ("truncate", 70000)])
def test_loads(tree, mode, rows):
    """Of more rows than a chunk, most of them before those they refer to."""
    last, late = 999 + rows, rows  # 999 rows come late
    tree.on_source(insert(1000, last, "i % 10 + 1") +
                   f"UPDATE tree SET parent = {last} WHERE id > 100 "
                   f"AND id < {late}")
    tree.config(full_sync_mode=mode)
    mapping = tree.to.add_mapping("tree", cdc=0)
    tree.start()
    tree.to.wait_equal()
    tree.on_source(f"UPDATE tree SET parent = 2 WHERE parent = {last}; "
                   f"DELETE FROM tree WHERE id BETWEEN {late} AND {last}; "
                   f"UPDATE tree SET code = N'c{last}' WHERE id = 7; " +
                   insert(70000, 70010, "i % 2 + 2") +
                   "UPDATE tree SET parent = 70005 WHERE id BETWEEN 11 AND 20")
    tree.request(mapping, "FULL_SYNC")
    tree.to.wait_equal()
    assert tree.errors() == []
