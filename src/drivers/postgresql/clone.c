/*
 * The definition of a table out of the catalog, for another one that takes its
 * place. Columns, defaults, generated columns, identities, checks and storage
 * come by CREATE TABLE … LIKE. Then, after the load: indexes and constraints,
 * under names of ours, since names of indexes are unique in a schema and the old
 * ones are still there. Then owner, grants, triggers, comments, statistics
 * targets, the replica identity, sequences.
 *
 * What depends on the table by its identity (views, foreign keys of others,
 * functions, publications …) or is not carried over is an obstacle. It is looked
 * for in pg_depend, in which whatever depends is found, also what is invented
 * one day; and the old table is dropped without CASCADE.
 */
#include "drivers/postgresql/clone.h"

#include <string.h>

#include "base/text.h"

/* clang-format off */
static const char obstacle_sql[] =
	"WITH t AS (SELECT c.*, to_jsonb(c) AS j, y.typarray FROM pg_class AS c "
	"LEFT JOIN pg_type AS y ON y.oid = c.reltype WHERE c.oid = $1::oid) "
	"SELECT o.why FROM ("
	"SELECT 1 AS n, 'it has partitions' AS why FROM t WHERE relkind = 'p' "
	"UNION ALL SELECT 2, 'it is not logged' FROM t "
	"WHERE relpersistence <> 'p' "
	"UNION ALL SELECT 3, 'it is a table of a type' FROM t "
	"WHERE reloftype <> 0 "
	"UNION ALL SELECT 4, 'it inherits from ' || i.inhparent::regclass::text "
	"FROM pg_inherits AS i INNER JOIN t ON i.inhrelid = t.oid "
	"UNION ALL SELECT 5, 'it has row security' FROM t "
	"WHERE relrowsecurity OR relforcerowsecurity OR EXISTS ("
	"SELECT 1 FROM pg_policy AS p WHERE p.polrelid = t.oid) "
	"UNION ALL SELECT 6, 'it has the access method ' || a.amname "
	"FROM t INNER JOIN pg_am AS a ON a.oid = (t.j ->> 'relam')::oid "
	"AND a.amname <> 'heap' "
	"UNION ALL SELECT 7, 'it has grants on columns' FROM t "
	"WHERE EXISTS (SELECT 1 FROM pg_attribute AS a "
	"WHERE a.attrelid = t.oid AND a.attacl IS NOT NULL) "
	"UNION ALL SELECT 8, 'others than its owner granted rights on it' FROM t "
	"WHERE EXISTS (SELECT 1 FROM aclexplode(t.relacl) AS x "
	"WHERE x.grantor <> t.relowner) "
	"UNION ALL SELECT 9, 'it has a security label' FROM t "
	"WHERE EXISTS (SELECT 1 FROM pg_seclabel AS l "
	"WHERE l.classoid = 'pg_class'::regclass AND l.objoid = t.oid) "
	"UNION ALL SELECT 10, 'it is in publication ' || p.pubname FROM t "
	"INNER JOIN pg_namespace AS n ON n.oid = t.relnamespace "
	"INNER JOIN pg_publication_tables AS p "
	"ON p.schemaname = n.nspname AND p.tablename = t.relname "
	/* The rows of a new table would be published, under its name. */
	"UNION ALL SELECT 10, 'publication ' || pubname || ' has all tables' "
	"FROM pg_publication WHERE puballtables "
	"UNION ALL SELECT 11, 'foreign key ' || k.conname || ' of ' "
	"|| k.conrelid::regclass::text || ' points to it' "
	"FROM pg_constraint AS k INNER JOIN t ON k.confrelid = t.oid "
	"UNION ALL SELECT 12, 'constraint ' || k.conname || ' is not valid, or "
	"not of a kind that is carried over' FROM pg_constraint AS k "
	"INNER JOIN t ON k.conrelid = t.oid "
	"WHERE (NOT k.convalidated AND k.contype <> 'f') "
	"OR (to_jsonb(k) ->> 'conperiod')::boolean "
	"OR NOT COALESCE((to_jsonb(k) ->> 'conenforced')::boolean, true) "
	"UNION ALL SELECT 13, 'index ' || i.indexrelid::regclass::text "
	"|| ' is not valid' FROM pg_index AS i "
	"INNER JOIN t ON i.indrelid = t.oid WHERE NOT i.indisvalid "
	"UNION ALL SELECT 14, 'it has extended statistics, ' || s.stxname "
	"FROM pg_statistic_ext AS s INNER JOIN t ON s.stxrelid = t.oid "
	"UNION ALL SELECT 15, 'it belongs to an extension' FROM pg_depend AS d "
	"INNER JOIN t ON d.objid = t.oid WHERE d.deptype = 'e' "
	"AND d.classid = 'pg_class'::regclass "
	"UNION ALL SELECT 16, 'there are grants on sequence ' "
	"|| q.oid::regclass::text FROM pg_depend AS d "
	"INNER JOIN t ON d.refobjid = t.oid "
	"AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'i' "
	"AND d.classid = 'pg_class'::regclass "
	"INNER JOIN pg_class AS q ON q.oid = d.objid AND q.relkind = 'S' "
	"AND q.relacl IS NOT NULL "
	/* New ones would be enabled; these wait for what people intend. */
	"UNION ALL SELECT 17, 'triggers of its constraints are disabled' FROM t "
	"WHERE EXISTS (SELECT 1 FROM pg_trigger AS g WHERE g.tgrelid = t.oid "
	"AND g.tgisinternal AND g.tgenabled <> 'O') "
	"UNION ALL SELECT 18, 'the login may not use tablespace ' || s.spcname "
	"FROM t INNER JOIN pg_tablespace AS s ON s.oid = t.reltablespace "
	"OR s.oid IN (SELECT r.reltablespace FROM pg_index AS i "
	"INNER JOIN pg_class AS r ON r.oid = i.indexrelid "
	"WHERE i.indrelid = t.oid) "
	"WHERE NOT has_tablespace_privilege(s.oid, 'CREATE') "
	"UNION ALL SELECT 19, pg_describe_object(d.classid, d.objid, d.objsubid) "
	"|| ' depends on it' FROM pg_depend AS d INNER JOIN t "
	"ON (d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid) "
	"OR (d.refclassid = 'pg_type'::regclass "
	"AND d.refobjid IN (t.reltype, t.typarray)) "
	"WHERE NOT ("
	"(d.classid = 'pg_class'::regclass AND (d.objid IN (t.oid, "
	"t.reltoastrelid) OR EXISTS (SELECT 1 FROM pg_index AS i "
	"WHERE i.indexrelid = d.objid AND i.indrelid = t.oid) "
	"OR (d.deptype IN ('a', 'i') AND EXISTS (SELECT 1 FROM pg_class AS q "
	"WHERE q.oid = d.objid AND q.relkind = 'S')))) "
	"OR (d.classid = 'pg_type'::regclass "
	"AND d.objid IN (t.reltype, t.typarray)) "
	"OR (d.classid = 'pg_constraint'::regclass AND EXISTS ("
	"SELECT 1 FROM pg_constraint AS k WHERE k.oid = d.objid "
	"AND k.conrelid = t.oid)) "
	"OR (d.classid = 'pg_trigger'::regclass AND EXISTS ("
	"SELECT 1 FROM pg_trigger AS g WHERE g.oid = d.objid "
	"AND (g.tgrelid = t.oid OR g.tgisinternal))) "
	"OR (d.classid = 'pg_attrdef'::regclass AND EXISTS ("
	"SELECT 1 FROM pg_attrdef AS f WHERE f.oid = d.objid "
	"AND f.adrelid = t.oid)))"
	") AS o ORDER BY o.n LIMIT 1";

static const char create_sql[] =
	"SELECT 'CREATE TABLE dataflow.' || quote_ident($2) || ' (LIKE ' "
	"|| quote_ident(n.nspname) || '.' || quote_ident(c.relname) "
	"|| ' INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING IDENTITY "
	"INCLUDING STORAGE INCLUDING COMMENTS' "
	"|| CASE WHEN v.number >= 120000 THEN ' INCLUDING GENERATED' ELSE '' END "
	"|| CASE WHEN v.number >= 140000 THEN ' INCLUDING COMPRESSION' "
	"ELSE '' END || ')' "
	"|| CASE WHEN v.number >= 120000 THEN ' USING heap' ELSE '' END "
	"|| COALESCE(' WITH (' || (SELECT string_agg(x.prefix "
	"|| quote_ident(split_part(x.option, '=', 1)) || ' = ' "
	"|| quote_literal(substr(x.option, strpos(x.option, '=') + 1)), ', ') "
	"FROM (SELECT '' AS prefix, unnest(c.reloptions) AS option "
	"UNION ALL SELECT 'toast.', unnest(r.reloptions) "
	"FROM pg_class AS r WHERE r.oid = c.reltoastrelid) AS x) || ')', '') "
	"|| COALESCE(' TABLESPACE ' || (SELECT quote_ident(s.spcname) "
	"FROM pg_tablespace AS s WHERE s.oid = c.reltablespace), '') "
	"FROM pg_class AS c "
	"INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace "
	"CROSS JOIN (SELECT current_setting('server_version_num')::int AS number) "
	"AS v WHERE c.oid = $1::oid";

/* The phases are enum pg_clone_phase; within one, the second number counts. */
static const char steps_sql[] =
	"WITH t AS (SELECT c.*, n.nspname, quote_ident(n.nspname) || '.' "
	"|| quote_ident(c.relname) AS name, quote_ident(n.nspname) AS home, "
	"l.oid AS load_oid, l.relacl AS load_acl, l.relowner AS load_owner, "
	"'dataflow.' || quote_ident(l.relname) AS load "
	"FROM pg_class AS c "
	"INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace "
	"CROSS JOIN pg_class AS l "
	"WHERE c.oid = $1::oid AND l.relname = $2 "
	"AND l.relnamespace = 'dataflow'::regnamespace), "
	"x AS (SELECT i.*, r.relname AS index_name, "
	"k.oid AS constraint_oid, k.conname, k.contype, k.condeferrable, "
	"k.condeferred, quote_ident($2 || '_' || row_number() OVER "
	"(ORDER BY i.indexrelid)) AS temporary"
	/* No function that tells a definition tells the tablespace; "" is the
	 * database's own, whatever the login would choose. */
	", 'SET LOCAL default_tablespace = ' || quote_literal(COALESCE((SELECT "
	"s.spcname FROM pg_tablespace AS s WHERE s.oid = r.reltablespace), '')) "
	"|| '; ' AS place "
	"FROM t INNER JOIN pg_index AS i ON i.indrelid = t.oid "
	"INNER JOIN pg_class AS r ON r.oid = i.indexrelid "
	"LEFT JOIN pg_constraint AS k ON k.conindid = i.indexrelid "
	"AND k.conrelid = t.oid AND k.contype IN ('p', 'u', 'x')), "
	"a AS (SELECT a.*, to_jsonb(a) ->> 'attstattarget' AS target "
	"FROM t INNER JOIN pg_attribute AS a ON a.attrelid = t.oid "
	"AND a.attnum > 0 AND NOT a.attisdropped), "
	"q AS (SELECT s.oid::regclass::text AS name, s.relname, a.attname, "
	"d.deptype, a.attidentity <> '' AS identity "
	"FROM t INNER JOIN pg_depend AS d ON d.refobjid = t.oid "
	"AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') "
	"AND d.classid = 'pg_class'::regclass "
	"INNER JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S' "
	"INNER JOIN a ON a.attnum = d.refobjsubid) "
	"SELECT s.phase, s.sql FROM ("
	/* Indexes, and the constraints that are made of them. */
	"SELECT 0 AS phase, 1 AS n, x.place || 'CREATE ' || CASE WHEN x.indisunique "
	"THEN 'UNIQUE ' ELSE '' END || 'INDEX ' || x.temporary || ' ON ' "
	"|| t.load || ' USING ' || substr(pg_get_indexdef(x.indexrelid), "
	"length('CREATE ' || CASE WHEN x.indisunique THEN 'UNIQUE ' ELSE '' END "
	"|| 'INDEX ' || quote_ident(x.index_name) || ' ON ' || t.name "
	"|| ' USING ') + 1) AS sql "
	"FROM x CROSS JOIN t WHERE x.contype IS DISTINCT FROM 'x' "
	"UNION ALL SELECT 0, 2, 'ALTER TABLE ' || t.load || ' ADD CONSTRAINT ' "
	"|| x.temporary || CASE x.contype WHEN 'p' THEN ' PRIMARY KEY' "
	"ELSE ' UNIQUE' END || ' USING INDEX ' || x.temporary "
	"|| CASE WHEN x.condeferrable THEN ' DEFERRABLE' ELSE '' END "
	"|| CASE WHEN x.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END "
	"FROM x CROSS JOIN t WHERE x.contype IN ('p', 'u') "
	"UNION ALL SELECT 0, 2, x.place || 'ALTER TABLE ' || t.load "
	"|| ' ADD CONSTRAINT ' "
	"|| x.temporary || ' ' || pg_get_constraintdef(x.constraint_oid) "
	"FROM x CROSS JOIN t WHERE x.contype = 'x' "
	/* Foreign keys lock the tables that they point to. */
	"UNION ALL SELECT 1, 1, 'ALTER TABLE ' || t.load || ' ADD CONSTRAINT ' "
	"|| quote_ident(k.conname) || ' ' || pg_get_constraintdef(k.oid) "
	"FROM t INNER JOIN pg_constraint AS k ON k.conrelid = t.oid "
	"AND k.contype = 'f' "
	"AND COALESCE((to_jsonb(k) ->> 'conparentid')::oid, 0) = 0 "
	/* An identity goes on counting where the old one was. */
	"UNION ALL SELECT 2, 1, 'SELECT setval(' || quote_literal("
	"pg_get_serial_sequence(t.load, q.attname)) "
	"|| ', o.last_value, o.is_called) FROM ' || q.name || ' AS o' "
	"FROM q CROSS JOIN t WHERE q.identity AND q.deptype = 'i' "
	"UNION ALL SELECT 3, 1, 'ALTER SEQUENCE ' || q.name || ' OWNED BY ' "
	"|| t.name || '.' || quote_ident(q.attname) "
	"FROM q CROSS JOIN t WHERE q.deptype = 'a' "
	"UNION ALL SELECT 4, 1, 'ALTER SEQUENCE ' || t.home || '.' "
	"|| quote_ident(m.relname) || ' RENAME TO ' || quote_ident(q.relname) "
	"FROM q CROSS JOIN t INNER JOIN pg_class AS m ON m.oid = "
	"pg_get_serial_sequence(t.load, q.attname)::regclass "
	"WHERE q.identity AND q.deptype = 'i' "
	/* The names that indexes and constraints had. */
	"UNION ALL SELECT 4, 2, 'ALTER TABLE ' || t.name || ' RENAME CONSTRAINT ' "
	"|| x.temporary || ' TO ' || quote_ident(x.conname) "
	"FROM x CROSS JOIN t WHERE x.contype IS NOT NULL "
	"UNION ALL SELECT 4, 2, 'ALTER INDEX ' || t.home || '.' || x.temporary "
	"|| ' RENAME TO ' || quote_ident(x.index_name) "
	"FROM x CROSS JOIN t WHERE x.contype IS NULL "
	"UNION ALL SELECT 4, 3, 'ALTER TABLE ' || t.name || ' CLUSTER ON ' "
	"|| quote_ident(x.index_name) FROM x CROSS JOIN t WHERE x.indisclustered "
	"UNION ALL SELECT 4, 3, 'ALTER INDEX ' || t.home || '.' "
	"|| quote_ident(x.index_name) || ' ALTER COLUMN ' || b.attnum "
	"|| ' SET STATISTICS ' || (to_jsonb(b) ->> 'attstattarget') "
	"FROM x CROSS JOIN t INNER JOIN pg_attribute AS b "
	"ON b.attrelid = x.indexrelid "
	"AND (to_jsonb(b) ->> 'attstattarget')::int >= 0 "
	"AND x.indkey[b.attnum - 1] = 0 "
	"UNION ALL SELECT 4, 4, 'ALTER TABLE ' || t.name || ' REPLICA IDENTITY ' "
	"|| CASE t.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING' "
	"ELSE 'USING INDEX ' || (SELECT quote_ident(x.index_name) FROM x "
	"WHERE x.indisreplident) END "
	"FROM t WHERE t.relreplident <> 'd' "
	/* Columns. */
	"UNION ALL SELECT 4, 5, 'ALTER TABLE ' || t.name || ' ALTER COLUMN ' "
	"|| quote_ident(a.attname) || ' SET STATISTICS ' || a.target "
	"FROM a CROSS JOIN t WHERE a.target::int >= 0 "
	"UNION ALL SELECT 4, 5, 'ALTER TABLE ' || t.name || ' ALTER COLUMN ' "
	"|| quote_ident(a.attname) || ' SET (' || array_to_string(a.attoptions, "
	"', ') || ')' FROM a CROSS JOIN t WHERE a.attoptions IS NOT NULL "
	/* The owner comes first: a sequence must have the same one. Then rights;
	 * default privileges may have added some. */
	"UNION ALL SELECT 3, 0, 'ALTER TABLE ' || t.name || ' OWNER TO ' "
	"|| quote_ident(pg_get_userbyid(t.relowner)) FROM t "
	"WHERE t.relowner <> t.load_owner "
	"UNION ALL SELECT DISTINCT 4, 7, 'REVOKE ALL ON TABLE ' || t.name "
	"|| ' FROM ' || CASE g.grantee WHEN 0 THEN 'PUBLIC' "
	"ELSE quote_ident(pg_get_userbyid(g.grantee)) END "
	"FROM t CROSS JOIN aclexplode(t.load_acl) AS g "
	"WHERE g.grantee <> t.load_owner "
	"UNION ALL SELECT 4, 7, 'REVOKE ALL ON TABLE ' || t.name || ' FROM ' "
	"|| quote_ident(pg_get_userbyid(t.relowner)) FROM t "
	"WHERE t.relacl IS NOT NULL "
	"UNION ALL SELECT 4, 8, 'GRANT ' || g.privilege_type || ' ON TABLE ' "
	"|| t.name || ' TO ' || CASE g.grantee WHEN 0 THEN 'PUBLIC' "
	"ELSE quote_ident(pg_get_userbyid(g.grantee)) END "
	"|| CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END "
	"FROM t CROSS JOIN aclexplode(t.relacl) AS g "
	/* Triggers. */
	"UNION ALL SELECT 4, 9, pg_get_triggerdef(g.oid) "
	"FROM t INNER JOIN pg_trigger AS g ON g.tgrelid = t.oid "
	"AND NOT g.tgisinternal "
	"UNION ALL SELECT 4, 10, 'ALTER TABLE ' || t.name || CASE g.tgenabled "
	"WHEN 'D' THEN ' DISABLE' WHEN 'R' THEN ' ENABLE REPLICA' "
	"ELSE ' ENABLE ALWAYS' END || ' TRIGGER ' || quote_ident(g.tgname) "
	"FROM t INNER JOIN pg_trigger AS g ON g.tgrelid = t.oid "
	"AND NOT g.tgisinternal AND g.tgenabled <> 'O' "
	/* Comments that LIKE has not brought. */
	"UNION ALL SELECT 4, 11, 'COMMENT ON TABLE ' || t.name || ' IS ' "
	"|| quote_literal(d.description) FROM t INNER JOIN pg_description AS d "
	"ON d.classoid = 'pg_class'::regclass AND d.objoid = t.oid "
	"AND d.objsubid = 0 "
	"UNION ALL SELECT 4, 11, 'COMMENT ON INDEX ' || t.home || '.' "
	"|| quote_ident(x.index_name) || ' IS ' || quote_literal(d.description) "
	"FROM x CROSS JOIN t INNER JOIN pg_description AS d "
	"ON d.classoid = 'pg_class'::regclass AND d.objoid = x.indexrelid "
	"UNION ALL SELECT 4, 11, 'COMMENT ON CONSTRAINT ' "
	"|| quote_ident(k.conname) || ' ON ' || t.name || ' IS ' "
	"|| quote_literal(d.description) FROM t "
	"INNER JOIN pg_constraint AS k ON k.conrelid = t.oid "
	"INNER JOIN pg_description AS d "
	"ON d.classoid = 'pg_constraint'::regclass AND d.objoid = k.oid "
	"UNION ALL SELECT 4, 11, 'COMMENT ON TRIGGER ' || quote_ident(g.tgname) "
	"|| ' ON ' || t.name || ' IS ' || quote_literal(d.description) FROM t "
	"INNER JOIN pg_trigger AS g ON g.tgrelid = t.oid "
	"INNER JOIN pg_description AS d "
	"ON d.classoid = 'pg_trigger'::regclass AND d.objoid = g.oid"
	") AS s ORDER BY s.phase, s.n";
/* clang-format on */

int pg_clone_obstacle(struct pg *conn, unsigned oid,
		      char why[CLONE_OBSTACLE_MAX], struct error *err)
{
	struct pg_param param = pg_int(oid);
	int64_t rows = pg_query(conn, obstacle_sql, &param, 1, err);

	if (rows > 0)
		text_copy(why, CLONE_OBSTACLE_MAX, pg_get_text(conn, 0, 0));
	pg_finish(conn);
	return rows < 0 ? -1 : rows > 0;
}

int pg_clone_create(struct pg *conn, unsigned oid, const char *name,
		    struct strbuf *sql, struct error *err)
{
	struct pg_param params[] = {pg_int(oid), pg_text(name)};
	int64_t rows = pg_query(conn, create_sql, params, 2, err);

	if (rows < 0)
		return -1;
	if (rows == 0)
		return error_set(err, ERROR_SCHEMA,
				 "the destination table is gone");
	strbuf_addstr(sql, pg_get_text(conn, 0, 0));
	pg_finish(conn);
	return 0;
}

int pg_clone_read(struct pg *conn, unsigned oid, const char *name,
		  struct pg_clone *out, struct error *err)
{
	struct pg_param params[] = {pg_int(oid), pg_text(name)};
	int64_t rows = pg_query(conn, steps_sql, params, 2, err);

	if (rows < 0)
		return -1;
	memset(out, 0, sizeof(*out));
	arena_init(&out->arena, 0);
	out->steps = arena_calloc(&out->arena, (size_t)rows + 1,
				  sizeof(*out->steps));
	for (int64_t i = 0; out->steps && i < rows; i++) {
		struct pg_clone_step *step = &out->steps[i];

		step->phase = (enum pg_clone_phase)pg_get_int(conn, i, 0);
		step->sql = pg_copy_text(conn, i, 1, &out->arena);
		if (!step->sql)
			out->steps = NULL;
	}
	pg_finish(conn);
	out->count = (size_t)rows;
	if (out->steps)
		return 0;
	arena_release(&out->arena);
	return error_memory(err, "a table's definition");
}

void pg_clone_release(struct pg_clone *clone)
{
	if (clone->steps)
		arena_release(&clone->arena);
	memset(clone, 0, sizeof(*clone));
}

bool pg_clone_equal(const struct pg_clone *a, const struct pg_clone *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->steps[i].sql, b->steps[i].sql) != 0)
			return false;
	return true;
}

int pg_clone_run(struct pg *conn, const struct pg_clone *clone,
		 enum pg_clone_phase phase, struct error *err)
{
	for (size_t i = 0; i < clone->count; i++)
		if (clone->steps[i].phase == phase &&
		    pg_exec(conn, clone->steps[i].sql, err) < 0)
			return -1;
	return 0;
}
