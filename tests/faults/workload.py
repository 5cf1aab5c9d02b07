"""A seeded workload on the source: five tables, transactions of every kind.

It alone writes there, so it knows the keys, and the same seed gives the same
statements. It never looks at the destination.
"""

LOADED = 2500  # rows of `plain` at the beginning: enough for a load in parts

# name: (columns, by which log)
TABLES = {
    "plain": ("id INT NOT NULL PRIMARY KEY, n INT NOT NULL, "
              "v NVARCHAR(200) NULL, sync BIT NOT NULL DEFAULT 0", "cdc"),
    "pair": ("a VARCHAR(20) NOT NULL, b INT NOT NULL, n INT NOT NULL, "
             "t DATETIME2(7) NULL, d DECIMAL(18, 4) NULL, PRIMARY KEY (b, a)",
             "cdc"),
    "lob": ("id BIGINT NOT NULL PRIMARY KEY, n INT NOT NULL, "
            "doc NVARCHAR(MAX) NULL, bin VARBINARY(MAX) NULL", "cdc"),
    "tracked": ("id INT NOT NULL PRIMARY KEY, n INT NOT NULL, "
                "v NVARCHAR(50) NULL", "change_tracking"),
    "uuid": ("id UNIQUEIDENTIFIER NOT NULL PRIMARY KEY, n INT NOT NULL, "
             "x FLOAT NULL, y MONEY NULL", "cdc"),
}


class Workload:
    """In the words of SQL Server."""
    tables = TABLES
    begin = "SET XACT_ABORT ON; BEGIN TRANSACTION"

    def __init__(self, dice, run):
        """`run(sql)` runs a batch on the source."""
        self.dice, self.run = dice, run
        self.keys = {name: set() for name in self.tables}
        self.next_key = 100000
        self.added = 0  # columns of `pair`
        self.transactions = 0
        self.truncates = 0  # each asks for a load

    # -------------------------------------------------------------- the tables

    def create(self):
        for name, (columns, _) in self.tables.items():
            self.run(f"CREATE TABLE {name} ({columns})")
        self._fill()

    def _fill(self):
        self.run("WITH i AS (SELECT 1 AS id UNION ALL SELECT id + 1 FROM i "
                 f"WHERE id < {LOADED}) INSERT INTO plain (id, n) SELECT id, 0 "
                 "FROM i OPTION (MAXRECURSION 0)")
        self._insert_some()

    def _insert_some(self):
        self.keys["plain"] = set(range(1, LOADED + 1))
        for name in self.tables:
            self.run("; ".join(self._insert(name) for _ in range(20)))

    def add_column(self, on_dest):
        """As a DBA would: the destination first, then the source, then a
        capture instance that has it. The one before the last is done with."""
        self.added += 1
        column = f"c{self.added} INT NULL"
        on_dest(f"ALTER TABLE pair ADD {column}")
        if self.added > 1:
            old = f"pair_{self.added - 2}" if self.added > 2 else "dbo_pair"
            self.run("EXEC sys.sp_cdc_disable_table N'dbo', N'pair', "
                     f"N'{old}'")
        self.run(f"ALTER TABLE pair ADD {column}")
        self.run("EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', "
                 "@source_name = N'pair', @role_name = NULL, "
                 f"@capture_instance = N'pair_{self.added}'")

    def count_changes(self, table):
        return (f"SELECT COUNT(*) FROM cdc.dbo_{table}_CT "
                "WHERE __$operation <> 3")

    # ------------------------------------------------------------ the statements

    def _literal(self, name, key):
        if name == "pair":
            return f"'k{key % 7}', {key}"
        if name == "uuid":
            return f"'00000000-0000-4000-8000-{key:012x}'"
        return str(key)

    def _where(self, name, key):
        if name == "pair":
            return f"a = 'k{key % 7}' AND b = {key}"
        return f"id = {self._literal(name, key)}"

    def _values(self, name):
        """Column and value of everything that is not the key or `n`."""
        dice = self.dice
        number = dice.randrange(10**6)
        values = {
            "plain": {"v": dice.choice(["NULL", "N''", f"N'é {number} '"])},
            "tracked": {"v": dice.choice(["NULL", f"N'{number}'"])},
            "uuid": {"x": f"{number}e-3", "y": f"{number}.25"},
            "pair": {"t": f"DATEADD(SECOND, {number}, CONVERT(DATETIME2(7), "
                          "'1752-01-01'))",
                     "d": dice.choice(["NULL", f"-{number}.0001"])},
            "lob": {
                "doc": dice.choice([
                    "NULL", "N''", f"REPLICATE(CONVERT(NVARCHAR(MAX), "
                    f"N'ж{number}'), {dice.choice([1, 3000, 20000])})"]),
                "bin": f"CONVERT(VARBINARY(MAX), REPLICATE(CONVERT("
                       f"VARCHAR(MAX), 'b{number}'), "
                       f"{dice.choice([0, 1, 5000])}))"},
        }[name]
        if name == "pair" and self.added:
            values[f"c{self.added}"] = str(number)
        return values

    def _insert(self, name, key=None):
        if key is None:
            self.next_key += 1
            key = self.next_key
        self.keys[name].add(key)
        values = self._values(name)
        columns = "a, b" if name == "pair" else "id"
        return (f"INSERT INTO {name} ({columns}, n, {', '.join(values)}) "
                f"VALUES ({self._literal(name, key)}, 0, "
                f"{', '.join(values.values())})")

    def _any(self, name):
        return self.dice.choice(sorted(self.keys[name]))

    def _update(self, name):
        values = "".join(f", {c} = {v}"
                         for c, v in self._values(name).items()
                         if self.dice.random() < 0.7)
        return (f"UPDATE {name} SET n = n + 1{values} WHERE "
                f"{self._where(name, self._any(name))}")

    def _delete(self, name):
        if len(self.keys[name]) < 5:
            return self._insert(name)
        key = self._any(name)
        self.keys[name].remove(key)
        return f"DELETE FROM {name} WHERE {self._where(name, key)}"

    def _change_key(self, name):
        old = self._any(name)
        self.next_key += 1
        self.keys[name].remove(old)
        self.keys[name].add(self.next_key)
        new = self._literal(name, self.next_key)
        set_key = "a = {}, b = {}".format(*new.split(", ")) \
            if name == "pair" else f"id = {new}"
        return (f"UPDATE {name} SET {set_key}, n = n + 1 WHERE "
                f"{self._where(name, old)}")

    def _again(self, name):
        """A key that goes and comes back in one transaction."""
        key = self._any(name)
        return (f"DELETE FROM {name} WHERE {self._where(name, key)}; " +
                self._insert(name, key))

    def _many(self, name):
        return f"UPDATE {name} SET n = n + 1"

    def _large(self, name):
        return "; ".join(self._insert(name) for _ in range(150))

    def transaction(self):
        dice = self.dice
        kinds = (self._insert, self._update, self._delete, self._change_key,
                 self._again, self._many, self._large)
        weights = (30, 40, 15, 8, 8, 1.5, 1)
        names = list(self.tables)
        statements = [
            dice.choices(kinds, weights)[0](dice.choice(names))
            for _ in range(dice.choice([1, 1, 1, 2, 3, 8]))]
        statements += self._more()
        self.run(f"{self.begin}; {'; '.join(statements)}; COMMIT")
        self.transactions += 1
        if dice.random() < 0.1:
            self.run("BEGIN TRANSACTION; DELETE FROM plain; "
                     "UPDATE lob SET n = -1; ROLLBACK")

    def _more(self):
        """What only this system has."""
        return []

    def burst(self):
        for _ in range(self.dice.randrange(2, 12)):
            self.transaction()

    def ask_for_load(self):
        """By the trigger column, on a row or on many."""
        rows = self.dice.choice(["id % 50 = 3", "1 = 1"])
        self.run(f"UPDATE plain SET sync = 1 WHERE {rows}")


POSTGRESQL_TABLES = {
    "plain": ("id int PRIMARY KEY, n int NOT NULL, v varchar(200), "
              "sync boolean NOT NULL DEFAULT false", "logical"),
    "pair": ("a varchar(20) NOT NULL, b int NOT NULL, n int NOT NULL, "
             "t timestamp(6), d numeric(18, 4), PRIMARY KEY (b, a)",
             "logical"),
    "lob": ("id bigint PRIMARY KEY, n int NOT NULL, doc text, bin bytea",
            "logical"),
    "tracked": ("id int PRIMARY KEY, n int NOT NULL, v varchar(50)",
                "logical"),
    "uuid": ("id uuid PRIMARY KEY, n int NOT NULL, x float8, "
             "y numeric(19, 4)", "logical"),
}

# How often the log tells a row: a key that changes is a delete and an insert.
COUNT = """
CREATE TABLE counted (name text NOT NULL, changes int NOT NULL);
CREATE FUNCTION count_change() RETURNS trigger LANGUAGE plpgsql
SET search_path = public AS $$
BEGIN
    INSERT INTO counted VALUES (TG_TABLE_NAME, CASE
        WHEN TG_OP = 'UPDATE' AND OLD.id <> NEW.id THEN 2 ELSE 1 END);
    RETURN NULL;
END $$;
"""


class PostgresqlWorkload(Workload):
    """In its words; `tracked` is partitioned, `uuid` logs whole rows, and long
    values of `lob` lie outside of its rows."""
    tables = POSTGRESQL_TABLES
    begin = "BEGIN"

    def create(self):
        for name, (columns, _) in self.tables.items():
            self.run(f"CREATE TABLE {name} ({columns})" +
                     (" PARTITION BY HASH (id)" if name == "tracked" else ""))
        for part in range(2):
            self.run(f"CREATE TABLE tracked_{part} PARTITION OF tracked "
                     f"FOR VALUES WITH (MODULUS 2, REMAINDER {part})")
        self.run("ALTER TABLE uuid REPLICA IDENTITY FULL; "
                 "ALTER TABLE lob ALTER doc SET STORAGE EXTERNAL")
        self.run(COUNT)
        for name in ("plain", "lob", "uuid"):
            self.run(f"CREATE TRIGGER counted AFTER INSERT OR UPDATE OR DELETE "
                     f"ON {name} FOR EACH ROW EXECUTE FUNCTION count_change()")
        self.run("INSERT INTO plain (id, n) SELECT id, 0 FROM "
                 f"generate_series(1, {LOADED}) AS id")
        self._insert_some()

    def add_column(self, on_dest):
        """The destination first; the log tells by itself."""
        self.added += 1
        for run in on_dest, self.run:
            run(f"ALTER TABLE pair ADD c{self.added} INT NULL")

    def count_changes(self, table):
        return (f"SELECT COALESCE(SUM(changes), 0) FROM counted "
                f"WHERE name = '{table}'")

    def _values(self, name):
        dice = self.dice
        number = dice.randrange(10**6)
        values = {
            "plain": {"v": dice.choice(["NULL", "''", f"'é {number} '"])},
            "tracked": {"v": dice.choice(["NULL", f"'{number}'"])},
            "uuid": {"x": f"{number}e-3", "y": f"{number}.25"},
            "pair": {"t": "timestamp '1752-01-01' + "
                          f"{number} * interval '1.000001 seconds'",
                     "d": dice.choice(["NULL", f"-{number}.0001"])},
            "lob": {
                "doc": dice.choice([
                    "NULL", "''", f"repeat('ж{number}', "
                    f"{dice.choice([1, 3000, 20000])})"]),
                "bin": f"convert_to(repeat('b{number}', "
                       f"{dice.choice([0, 1, 5000])}), 'UTF8')"},
        }[name]
        if name == "pair" and self.added:
            values[f"c{self.added}"] = str(number)
        return values

    def _more(self):
        """A part that is taken back; a table that is emptied."""
        found = []
        if self.dice.random() < 0.1:
            found += ["SAVEPOINT s", "UPDATE lob SET n = -2",
                      "DELETE FROM uuid", "ROLLBACK TO s"]
        if self.dice.random() < 0.02:
            self.truncates += 1
            self.keys["tracked"].clear()
            found += ["TRUNCATE tracked"] + [self._insert("tracked")
                                             for _ in range(6)]
        return found

    def large_values(self):
        """More than waits in the daemon's memory."""
        keys = range(self.next_key + 1, self.next_key + 13)
        self.run("BEGIN; INSERT INTO lob SELECT id, 0, repeat('ж', 150000) "
                 f"FROM generate_series({keys[0]}, {keys[-1]}) AS id; "
                 "UPDATE lob SET n = n + 1, doc = doc || 'x'; COMMIT")
        self.keys["lob"].update(keys)
        self.next_key = keys[-1]

    def ask_for_load(self):
        rows = self.dice.choice(["id % 50 = 3", "true"])
        self.run(f"UPDATE plain SET sync = true WHERE {rows}")


WORKLOADS = {"sqlserver": Workload, "postgresql": PostgresqlWorkload}
