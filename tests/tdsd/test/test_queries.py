"""SELECT: joins, grouping, windows, sets, subqueries, paging."""
from decimal import Decimal

import pytest

D = Decimal


@pytest.fixture(scope="module", autouse=True)
def tables(shared):
    shared.run("""
CREATE TABLE dept (id int PRIMARY KEY, name nvarchar(20) NOT NULL)
CREATE TABLE emp (id int PRIMARY KEY, dept int NULL, name varchar(20) NOT NULL,
    pay decimal(9,2) NULL, boss int NULL)
INSERT dept VALUES (1, N'Sales'), (2, N'IT'), (3, N'Empty')
INSERT emp VALUES (1, 1, 'Ann', 100, NULL), (2, 1, 'Bob', 200, 1),
    (3, 2, 'Cid', 300, 1), (4, 2, 'Dan', NULL, 3), (5, NULL, 'Eve', 50, 4)
""")


QUERIES = [
    ("inner join", "SELECT e.name, d.name FROM emp e JOIN dept d ON "
     "e.dept = d.id ORDER BY e.id",
     [("Ann", "Sales"), ("Bob", "Sales"), ("Cid", "IT"), ("Dan", "IT")]),
    ("left join", "SELECT d.name, e.name FROM dept d LEFT OUTER JOIN emp e ON "
     "e.dept = d.id AND e.pay > 150 ORDER BY d.id, e.id",
     [("Sales", "Bob"), ("IT", "Cid"), ("Empty", None)]),
    ("right join", "SELECT e.id, d.id FROM emp e RIGHT JOIN dept d ON "
     "d.id = e.dept AND e.id < 2 ORDER BY d.id", [(1, 1), (None, 2), (None, 3)]),
    ("full join", "SELECT e.id, d.id FROM emp e FULL JOIN dept d ON "
     "e.dept = d.id ORDER BY COALESCE(e.id, 99), d.id",
     [(1, 1), (2, 1), (3, 2), (4, 2), (5, None), (None, 3)]),
    ("cross join", "SELECT COUNT(*) FROM emp CROSS JOIN dept", [(15,)]),
    ("comma", "SELECT e.id FROM emp e, dept d WHERE e.dept = d.id AND "
     "d.name = N'it' ORDER BY 1 DESC", [(4,), (3,)]),
    ("self join", "SELECT e.name, b.name FROM emp e JOIN emp b ON b.id = e.boss"
     " ORDER BY e.name", [("Bob", "Ann"), ("Cid", "Ann"), ("Dan", "Cid"),
                          ("Eve", "Dan")]),
    ("cross apply", "SELECT d.id, t.name FROM dept d CROSS APPLY (SELECT TOP 1 "
     "name FROM emp e WHERE e.dept = d.id ORDER BY pay DESC) t ORDER BY d.id",
     [(1, "Bob"), (2, "Cid")]),
    ("outer apply", "SELECT d.id, t.n FROM dept d OUTER APPLY (SELECT "
     "e.name AS n FROM emp e WHERE e.dept = d.id AND e.pay > 250) t "
     "ORDER BY d.id", [(1, None), (2, "Cid"), (3, None)]),
    ("apply values", "SELECT e.id, v.k, v.x FROM emp e CROSS APPLY (VALUES "
     "('a', e.id * 10), ('b', e.id * 100)) v (k, x) WHERE e.id <= 2 "
     "ORDER BY 1, 2", [(1, "a", 10), (1, "b", 100), (2, "a", 20),
                       (2, "b", 200)]),
    ("group by", "SELECT dept, COUNT(*), COUNT(pay), SUM(pay), AVG(pay), "
     "MIN(name), MAX(pay) FROM emp GROUP BY dept ORDER BY dept",
     [(None, 1, 1, D(50), D(50), "Eve", D(50)),
      (1, 2, 2, D(300), D(150), "Ann", D(200)),
      (2, 2, 1, D(300), D(300), "Cid", D(300))]),
    ("having", "SELECT dept FROM emp GROUP BY dept HAVING COUNT(*) > 1 AND "
     "MAX(pay) < 250", [(1,)]),
    ("no rows aggregate", "SELECT COUNT(*), SUM(pay), MAX(id) FROM emp WHERE "
     "1 = 0", [(0, None, None)]),
    ("no rows grouped", "SELECT COUNT(*) FROM emp WHERE 1 = 0 GROUP BY dept",
     []),
    ("count distinct", "SELECT COUNT(DISTINCT dept), COUNT_BIG(*) FROM emp",
     [(2, 5)]),
    ("integer average", "SELECT AVG(id), SUM(id), AVG(CAST(id AS float)) "
     "FROM emp WHERE id < 3", [(1, 3, 1.5)]),
    ("string_agg", "SELECT STRING_AGG(name, ',') WITHIN GROUP (ORDER BY name "
     "DESC) FROM emp WHERE dept = 1", [("Bob,Ann",)]),
    ("row_number", "SELECT name, ROW_NUMBER() OVER (PARTITION BY dept ORDER BY "
     "id DESC) FROM emp WHERE dept IS NOT NULL ORDER BY id",
     [("Ann", 2), ("Bob", 1), ("Cid", 2), ("Dan", 1)]),
    ("rank", "SELECT v, RANK() OVER (ORDER BY v), DENSE_RANK() OVER (ORDER BY "
     "v), NTILE(2) OVER (ORDER BY v) FROM (VALUES (1), (1), (2), (3)) t (v) "
     "ORDER BY v", [(1, 1, 1, 1), (1, 1, 1, 1), (2, 3, 2, 2), (3, 4, 3, 2)]),
    ("sum over", "SELECT id, SUM(id) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED "
     "PRECEDING AND CURRENT ROW), SUM(id) OVER () FROM emp ORDER BY id",
     [(1, 1, 15), (2, 3, 15), (3, 6, 15), (4, 10, 15), (5, 15, 15)]),
    ("lag lead", "SELECT id, LAG(id) OVER (ORDER BY id), LEAD(id, 2, -1) OVER "
     "(ORDER BY id) FROM emp WHERE id < 4 ORDER BY id",
     [(1, None, 3), (2, 1, -1), (3, 2, -1)]),
    ("first_value", "SELECT id, FIRST_VALUE(name) OVER (PARTITION BY dept "
     "ORDER BY id) FROM emp WHERE dept = 2 ORDER BY id",
     [(3, "Cid"), (4, "Cid")]),
    ("union", "SELECT 1 AS a UNION SELECT 2 UNION SELECT 1 ORDER BY a",
     [(1,), (2,)]),
    ("union all", "SELECT 1 AS a UNION ALL SELECT 1 ORDER BY 1", [(1,), (1,)]),
    ("union types", "SELECT 1 AS a UNION ALL SELECT 2.5 ORDER BY 1",
     [(D(1),), (D("2.5"),)]),
    ("except", "SELECT id FROM emp EXCEPT SELECT boss FROM emp ORDER BY id",
     [(2,), (5,)]),
    ("except nulls", "SELECT dept FROM emp EXCEPT SELECT NULL EXCEPT SELECT 1",
     [(2,)]),
    ("intersect", "SELECT id FROM emp INTERSECT SELECT boss FROM emp ORDER BY "
     "id", [(1,), (3,), (4,)]),
    ("cte", "WITH a AS (SELECT id FROM emp WHERE dept = 1), b (x) AS (SELECT "
     "id + 10 FROM a) SELECT x FROM b ORDER BY x", [(11,), (12,)]),
    ("recursive cte", "WITH r AS (SELECT id, 0 AS depth FROM emp WHERE boss IS "
     "NULL UNION ALL SELECT e.id, r.depth + 1 FROM emp e JOIN r ON e.boss = "
     "r.id) SELECT id, depth FROM r ORDER BY id",
     [(1, 0), (2, 1), (3, 1), (4, 2), (5, 3)]),
    ("numbers", "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE "
     "i < 1000) SELECT COUNT(*), SUM(i) FROM n OPTION (MAXRECURSION 0)",
     [(1000, 500500)]),
    ("exists", "SELECT id FROM dept d WHERE NOT EXISTS (SELECT * FROM emp e "
     "WHERE e.dept = d.id)", [(3,)]),
    ("not in with null", "SELECT id FROM dept WHERE id NOT IN (SELECT dept "
     "FROM emp)", []),
    ("in", "SELECT name FROM emp WHERE dept IN (SELECT id FROM dept WHERE name "
     "= 'IT') ORDER BY 1", [("Cid",), ("Dan",)]),
    ("scalar subquery", "SELECT (SELECT MAX(pay) FROM emp e WHERE e.dept = "
     "d.id) FROM dept d ORDER BY id", [(D(200),), (D(300),), (None,)]),
    ("all any", "SELECT id FROM emp WHERE pay >= ALL (SELECT pay FROM emp WHERE"
     " pay IS NOT NULL)", [(3,)]),
    ("derived table", "SELECT t.n FROM (SELECT COUNT(*) FROM emp) AS t (n)",
     [(5,)]),
    ("top", "SELECT TOP (2) id FROM emp ORDER BY id DESC", [(5,), (4,)]),
    ("top with ties", "SELECT TOP 1 WITH TIES dept FROM emp WHERE dept IS NOT "
     "NULL ORDER BY dept", [(1,), (1,)]),
    ("top percent", "SELECT TOP 40 PERCENT id FROM emp ORDER BY id",
     [(1,), (2,)]),
    ("offset", "SELECT id FROM emp ORDER BY id OFFSET 1 ROWS FETCH NEXT 2 ROWS "
     "ONLY", [(2,), (3,)]),
    ("distinct", "SELECT DISTINCT dept FROM emp ORDER BY dept",
     [(None,), (1,), (2,)]),
    ("nulls first", "SELECT pay FROM emp ORDER BY pay",
     [(None,), (D(50),), (D(100),), (D(200),), (D(300),)]),
    ("order by alias", "SELECT id AS x, -id AS y FROM emp WHERE id < 3 ORDER BY"
     " y", [(2, -2), (1, -1)]),
    ("order by collation", "SELECT v FROM (VALUES ('b'), ('A'), ('a'), ('B')) "
     "t (v) ORDER BY v COLLATE Latin1_General_BIN2",
     [("A",), ("B",), ("a",), ("b",)]),
    ("case insensitive group", "SELECT COUNT(*) FROM (VALUES ('a'), ('A'), "
     "('a ')) t (v) GROUP BY v", [(3,)]),
    ("group by expression", "SELECT id % 2, COUNT(*) FROM emp GROUP BY id % 2 "
     "ORDER BY 1", [(0, 2), (1, 3)]),
    ("alias with =", "SELECT x = id FROM emp WHERE id = 1", [(1,)]),
    ("star", "SELECT d.*, 5 FROM dept d WHERE id = 1", [(1, "Sales", 5)]),
    ("hints", "SELECT id FROM emp WITH (NOLOCK, INDEX(1)) WHERE id = 1 OPTION "
     "(RECOMPILE, MAXDOP 1)", [(1,)]),
    ("dates between", "SELECT COUNT(*) FROM emp WHERE '2020-01-15' BETWEEN "
     "CAST('2020-01-01' AS datetime) AND '2020-02-01'", [(5,)]),
    ("row compare keyset", "SELECT id FROM emp WHERE dept > 1 OR dept = 1 AND "
     "id > 1 ORDER BY dept, id", [(2,), (3,), (4,)]),
    ("no from", "SELECT 1 WHERE 1 = 0", []),
    ("checksum_agg", "SELECT CASE WHEN CHECKSUM_AGG(id) IS NULL THEN 0 ELSE 1 "
     "END FROM emp", [(1,)]),
    ("pivot-like", "SELECT SUM(CASE WHEN dept = 1 THEN 1 ELSE 0 END) FROM emp",
     [(2,)]),
    ("unicode literal", "SELECT N'\u6f22' WHERE N'\u6f22' = N'\u6f22'",
     [("\u6f22",)]),
]


@pytest.mark.parametrize("sql, expected", [q[1:] for q in QUERIES],
                         ids=[q[0] for q in QUERIES])
def test_query(shared, sql, expected):
    assert shared.rows(sql) == expected


ERRORS = [
    ("SELECT name FROM emp GROUP BY dept", 8120),
    ("SELECT dept FROM emp GROUP BY dept HAVING id > 1", 8121),
    ("SELECT nope FROM emp", 207), ("SELECT e.nope FROM emp e", 207),
    ("SELECT x.id FROM emp e", 4104), ("SELECT id FROM emp, dept", 209),
    ("SELECT * FROM nowhere", 208), ("SELECT * FROM nodb.dbo.t", 208),
    ("SELECT id FROM emp WHERE COUNT(*) > 1", 147),
    ("SELECT SUM(MAX(id)) FROM emp", 130),
    ("SELECT 1 UNION SELECT 1, 2", 205),
    ("SELECT id FROM emp ORDER BY 5", 108),
    ("SELECT DISTINCT dept FROM emp ORDER BY id", 145),
    ("SELECT (SELECT id, dept FROM emp)", 116),
    ("SELECT (SELECT id FROM emp)", 512),
    ("SELECT * FROM (SELECT 1) t", 8155),
    ("SELECT * FROM (SELECT 1 AS a, 2 AS a) t", 8156),
    ("SELECT SUM(name) FROM emp", 8117),
    ("SELECT ROW_NUMBER() OVER (PARTITION BY dept) FROM emp", 4112),
    ("SELECT id FROM emp WHERE ROW_NUMBER() OVER (ORDER BY id) = 1", 4108),
    ("SELECT * FROM emp e JOIN emp e ON 1 = 1", 1011),
    ("SELECT * FROM emp JOIN dept", 102), ("SELECT id, FROM emp", 156),
    ("SELECT id FROM emp WHERE", 102), ("SELECT FROM emp", 156),
    ("SELECT 'a", 105), ("SELECT /* open", 113), ("SELECT [a", 105),
    ("SELECT id FROM emp ORDER BY id OFFSET 1", 102),
    ("DECLARE @n int = -1; SELECT TOP (@n) id FROM emp", 1014),
    ("SELECT dept FROM emp GROUP BY ROLLUP (dept)", 40517),
    ("SELECT id FROM emp OPTION (NO_SUCH_HINT)", 102),
    ("SELECT * FROM emp WHERE id = 'x'", 245),
    ("SELECT * FROM emp WHERE name = 5", 245),
    ("SELECT SUM(CAST(2147483647 AS int)) FROM emp", 8115),
    ("WITH r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r) SELECT * FROM r",
     530),
    ("WITH a AS (SELECT 1) SELECT * FROM a", 8155),
    ("SELECT id LIMIT 5", 102),
    ("SELECT id FROM emp LIMIT 5", 102), ("SELECT IFNULL(1, 2)", 195),
    ("SELECT * FROM sqlite_master", 208), ("SELECT rowid FROM emp", 207),
    ("PRAGMA user_version", 2812), ("VACUUM", 2812),
    ("SELECT id FROM emp e WHERE e.id == 1", 102),
    ("SELECT 1 || 2", 102),
    ("SELECT dbo.nofunction(1)", 4121), ("EXEC dbo.noproc", 2812),
]


@pytest.mark.parametrize("sql, number", ERRORS, ids=[e[0] for e in ERRORS])
def test_error(shared, sql, number):
    assert shared.number(sql) == number


def test_select_into(shared):
    shared.run("SELECT id, name, pay * 2 AS twice INTO copy FROM emp "
               "WHERE pay IS NOT NULL")
    assert shared.rows("SELECT * FROM copy ORDER BY id") == [
        (1, "Ann", D(200)), (2, "Bob", D(400)), (3, "Cid", D(600)),
        (5, "Eve", D(100))]
    assert shared.number("SELECT 1 AS a INTO copy") == 2714
    assert shared.number("INSERT copy (id, name) VALUES (NULL, 'x')") == 515
    shared.run("SELECT TOP 0 * INTO empty_copy FROM emp")
    assert shared.rows("SELECT * FROM empty_copy") == []
    shared.run("SELECT IDENTITY(int, 10, 5) AS n, name INTO numbered FROM emp")
    assert shared.column("SELECT n FROM numbered ORDER BY n") == \
        [10, 15, 20, 25, 30]


def test_many_rows(shared):
    shared.run("CREATE TABLE many (id int PRIMARY KEY, v varchar(30))")
    shared.run("WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i "
               "< 50000) INSERT many SELECT i, CONCAT('row ', i) FROM n "
               "OPTION (MAXRECURSION 0)")
    rows = shared.rows("SELECT id, v FROM many ORDER BY id DESC")
    assert len(rows) == 50000 and rows[0] == (50000, "row 50000")
    assert shared.value("SELECT COUNT(*) FROM many WHERE v LIKE 'row 4%'") \
        == 11111


def test_views(shared):
    shared.run("CREATE VIEW rich AS SELECT id, name FROM emp WHERE pay > 150")
    assert shared.column("SELECT name FROM rich ORDER BY id") == ["Bob", "Cid"]
    shared.run("ALTER VIEW rich AS SELECT id, name FROM emp WHERE pay > 250")
    assert shared.column("SELECT name FROM rich") == ["Cid"]
    shared.run("CREATE OR ALTER VIEW rich (a) AS SELECT id FROM emp "
               "WHERE pay > 250")
    assert shared.rows("SELECT a FROM rich") == [(3,)]
    shared.run("DROP VIEW rich")
    assert shared.number("SELECT * FROM rich") == 208


def test_several_result_sets(shared):
    assert shared.results("SELECT 1; SELECT 2, 3; SELECT 4 WHERE 1 = 0") == \
        [[(1,)], [(2, 3)], []]


def test_rowcount(shared):
    shared.cursor.execute("SELECT id FROM emp")
    shared.cursor.fetchall()
    assert shared.cursor.rowcount == 5
    assert shared.results("SET NOCOUNT ON; SELECT id FROM emp WHERE id < 3; "
                          "SELECT @@ROWCOUNT; SET NOCOUNT OFF") == \
        [[(1,), (2,)], [(2,)]]


def test_set_rowcount_and_fmtonly(connect):
    client = connect()
    client.run("SET ROWCOUNT 2")
    assert len(client.rows("SELECT id FROM emp")) == 2
    client.run("SET ROWCOUNT 0")
    assert len(client.rows("SELECT id FROM emp")) == 5
    client.run("SET FMTONLY ON")
    assert client.rows("SELECT id FROM emp") == []
    client.run("SET FMTONLY OFF")


def test_noexec(connect):
    client = connect()
    client.run("SET NOEXEC ON")
    client.run("CREATE TABLE never (id int)")
    client.run("SET NOEXEC OFF")
    assert client.number("SELECT * FROM never") == 208


def test_system_values(shared):
    assert shared.value("SELECT CAST(SERVERPROPERTY('ProductMajorVersion') "
                        "AS int)") >= 13
    assert "Microsoft SQL Server" in shared.value("SELECT @@VERSION")


def test_xml_path_and_json_are_refused_or_right(shared):
    """What aggregates text on SQL Server 2016 works, or is an error."""
    try:
        found = shared.value("SELECT STUFF((SELECT ',' + name FROM emp ORDER "
                             "BY id FOR XML PATH('')), 1, 1, '')")
    except Exception as e:  # noqa: B902
        assert getattr(e, "number", 0) in (40517, 102, 156)
    else:
        assert found == "Ann,Bob,Cid,Dan,Eve"
