#include "drivers/postgresql/dest.h"

#include <string.h>

#include "base/text.h"

/*
 * pg_attribute and pg_collation grew columns that older servers lack: those are
 * read by way of JSON, where a column that is missing is NULL.
 */
static const char table_sql[] =
	"SELECT c.oid, c.relkind, "
	"pg_has_role(c.relowner, 'USAGE')::int, "
	"EXISTS (SELECT 1 FROM pg_index AS i WHERE i.indrelid = c.oid "
	"AND (i.indisunique OR i.indisexclusion) "
	"AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL))::int, "
	"EXISTS (SELECT 1 FROM pg_constraint AS k WHERE k.confrelid = c.oid "
	"AND k.confdeltype IN ('c', 'n', 'd'))::int, "
	"EXISTS (SELECT 1 FROM pg_constraint AS k WHERE k.contype = 'f' "
	"AND k.conrelid = c.oid AND k.confrelid = c.oid)::int "
	"FROM pg_class AS c "
	"INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace "
	"WHERE n.nspname = $1 AND c.relname = $2 "
	"AND c.relkind IN ('r', 'p', 'v', 'm', 'f')";

static const char columns_sql[] =
	"WITH RECURSIVE base AS ("
	"SELECT a.attnum, a.atttypid AS type, a.atttypmod AS typmod, "
	"a.attnotnull AS not_null "
	"FROM pg_attribute AS a WHERE a.attrelid = $1::text::oid "
	"AND a.attnum > 0 AND NOT a.attisdropped "
	"UNION ALL SELECT b.attnum, t.typbasetype, "
	"CASE WHEN t.typtypmod = -1 THEN b.typmod ELSE t.typtypmod END, "
	"b.not_null OR t.typnotnull "
	"FROM base AS b INNER JOIN pg_type AS t ON t.oid = b.type "
	"WHERE t.typtype = 'd') "
	"SELECT a.attname, format_type(a.atttypid, a.atttypmod), p.prosrc, "
	"b.typmod, b.not_null::int, (a.attidentity <> '')::int, "
	"(a.attidentity = 'a')::int, "
	"(COALESCE(to_jsonb(a) ->> 'attgenerated', '') <> '')::int, "
	"(n.nspname = 'pg_catalog' AND (t.typname IN ('bool', 'int2', 'int4', "
	"'int8', 'oid', 'uuid', 'date', 'time', 'timestamp', 'timestamptz', "
	"'bytea') OR (t.typname IN ('text', 'varchar') "
	"AND COALESCE(to_jsonb(l) ->> 'collisdeterministic', 'true') "
	"= 'true')))::int, "
	"EXISTS (SELECT 1 FROM pg_index AS i WHERE i.indrelid = a.attrelid "
	"AND (i.indisunique OR i.indisexclusion) AND a.attnum = ANY "
	"(i.indkey))::int, "
	"CASE WHEN a.attcollation NOT IN (0, t.typcollation) "
	"THEN ' COLLATE ' || quote_ident(m.nspname) || '.' "
	"|| quote_ident(l.collname) ELSE '' END, "
	"format_type(b.type, b.typmod), COALESCE((SELECT "
	"quote_ident(o.nspname) || '.' || quote_ident(q.relname) "
	"FROM pg_depend AS e "
	"INNER JOIN pg_class AS q ON q.oid = e.objid AND q.relkind = 'S' "
	"INNER JOIN pg_sequence AS z ON z.seqrelid = q.oid "
	"AND z.seqincrement > 0 "
	"INNER JOIN pg_namespace AS o ON o.oid = q.relnamespace "
	"WHERE e.classid = 'pg_class'::regclass "
	"AND e.refclassid = 'pg_class'::regclass "
	"AND e.refobjid = a.attrelid AND e.refobjsubid = a.attnum "
	"AND e.deptype IN ('a', 'i') "
	"AND has_sequence_privilege(q.oid, 'UPDATE') "
	"AND has_sequence_privilege(q.oid, 'SELECT') "
	"AND p.prosrc IN ('int2recv', 'int4recv', 'int8recv') LIMIT 1), ''), "
	"(n.nspname = 'pg_catalog')::int, COALESCE((SELECT "
	"'OPERATOR(' || quote_ident(s.nspname) || '.' || r.oprname || ')' "
	"FROM pg_opclass AS k "
	"INNER JOIN pg_am AS x ON x.oid = k.opcmethod "
	"INNER JOIN pg_amop AS w ON w.amopfamily = k.opcfamily "
	"AND w.amoplefttype = t.oid AND w.amoprighttype = t.oid "
	"AND w.amopstrategy = CASE x.amname WHEN 'btree' THEN 3 ELSE 1 END "
	"INNER JOIN pg_operator AS r ON r.oid = w.amopopr "
	"INNER JOIN pg_namespace AS s ON s.oid = r.oprnamespace "
	"WHERE k.opcintype = t.oid AND k.opcdefault "
	"AND x.amname IN ('btree', 'hash') AND n.nspname <> 'pg_catalog' "
	"ORDER BY x.amname LIMIT 1), '=') "
	"FROM base AS b "
	"INNER JOIN pg_type AS t ON t.oid = b.type AND t.typtype <> 'd' "
	"INNER JOIN pg_namespace AS n ON n.oid = t.typnamespace "
	"LEFT JOIN pg_proc AS p ON p.oid = t.typreceive "
	"INNER JOIN pg_attribute AS a ON a.attrelid = $1::text::oid "
	"AND a.attnum = b.attnum "
	"LEFT JOIN pg_collation AS l ON l.oid = a.attcollation "
	"LEFT JOIN pg_namespace AS m ON m.oid = l.collnamespace "
	"ORDER BY a.attnum";

static int read_columns(struct pg *conn, struct pg_dest *out, struct error *err)
{
	struct pg_param oid = pg_int(out->oid);
	int64_t rows = pg_query(conn, columns_sql, &oid, 1, err);

	if (rows < 0)
		return -1;
	out->columns = arena_calloc(&out->arena, (size_t)rows + 1,
				    sizeof(*out->columns));
	if (!out->columns)
		return error_memory(err, "a table's definition");
	for (int64_t i = 0; i < rows; i++) {
		struct pg_dest_column *column = &out->columns[i];

		column->name = pg_copy_text(conn, i, 0, &out->arena);
		column->type = pg_copy_text(conn, i, 1, &out->arena);
		column->receive = pg_copy_text(conn, i, 2, &out->arena);
		column->collation = pg_copy_text(conn, i, 10, &out->arena);
		column->base = pg_copy_text(conn, i, 11, &out->arena);
		column->sequence = pg_copy_text(conn, i, 12, &out->arena);
		column->equal = pg_copy_text(conn, i, 14, &out->arena);
		if (!column->name || !column->type || !column->receive ||
		    !column->collation || !column->base || !column->sequence ||
		    !column->equal)
			return error_memory(err, "a table's definition");
		column->typmod = (int)pg_get_int(conn, i, 3);
		column->not_null = pg_get_int(conn, i, 4) != 0;
		column->identity = pg_get_int(conn, i, 5) != 0;
		column->always = pg_get_int(conn, i, 6) != 0;
		column->generated = pg_get_int(conn, i, 7) != 0;
		column->exact = pg_get_int(conn, i, 8) != 0;
		column->in_unique = pg_get_int(conn, i, 9) != 0;
		column->built_in = pg_get_int(conn, i, 13) != 0;
		out->unique_expressions |=
			column->generated && column->in_unique;
	}
	out->column_count = (size_t)rows;
	pg_finish(conn);
	return 0;
}

static int check_kind(const struct pg_dest *dest, const char *schema,
		      const char *table, struct error *err)
{
	if (dest->kind == 'r' || dest->kind == 'p')
		return 0;
	return error_set(err, ERROR_SCHEMA,
			 "destination '%s.%s' is a %s, which cannot be written "
			 "as a table is; map a table, or give it another name",
			 schema, table,
			 dest->kind == 'v'   ? "view"
			 : dest->kind == 'm' ? "materialized view"
					     : "foreign table");
}

int pg_dest_read(struct pg *conn, const char *schema, const char *table,
		 struct pg_dest *out, struct error *err)
{
	struct pg_param name[] = {pg_text(schema), pg_text(table)};
	int64_t rows = pg_query(conn, table_sql, name, 2, err);

	if (rows <= 0)
		return (int)rows;
	memset(out, 0, sizeof(*out));
	arena_init(&out->arena, 0);
	out->oid = (unsigned)pg_get_int(conn, 0, 0);
	out->kind = *pg_get_text(conn, 0, 1);
	out->ours = pg_get_int(conn, 0, 2) != 0;
	out->unique_expressions = pg_get_int(conn, 0, 3) != 0;
	out->delete_reaches_others = pg_get_int(conn, 0, 4) != 0;
	out->refers_to_itself = pg_get_int(conn, 0, 5) != 0;
	pg_finish(conn);
	if (check_kind(out, schema, table, err) < 0 ||
	    read_columns(conn, out, err) < 0) {
		pg_dest_release(out);
		return -1;
	}
	return 1;
}

void pg_dest_release(struct pg_dest *dest)
{
	if (dest->columns || dest->oid)
		arena_release(&dest->arena);
	memset(dest, 0, sizeof(*dest));
}

/*
 * Partitions may have foreign keys of their own; heirs are let alone. A trigger
 * that is disabled counts as such only where it is the only one: those of
 * partitions can be enabled one by one.
 */
#define REACH_SQL                                                            \
	"WITH RECURSIVE family AS (SELECT $1::oid AS oid "                   \
	"UNION SELECT i.inhrelid FROM pg_inherits AS i "                     \
	"INNER JOIN family AS f ON i.inhparent = f.oid "                     \
	"INNER JOIN pg_class AS c ON c.oid = f.oid AND c.relkind = 'p') "    \
	"SELECT string_agg(quote_ident(k.conname) || ' of ' "                \
	"|| k.conrelid::regclass::text || ' (ON DELETE ' "                   \
	"|| CASE k.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' "            \
	"THEN 'SET NULL' ELSE 'SET DEFAULT' END || ')', ', ' "               \
	"ORDER BY k.oid) FROM pg_constraint AS k "                           \
	"WHERE k.contype = 'f' AND NOT (EXISTS ("                            \
	"SELECT 1 FROM pg_trigger AS g WHERE g.tgconstraint = k.oid "        \
	"AND g.tgrelid = k.confrelid AND (g.tgtype & 8) <> 0 "               \
	"AND (g.tgenabled = 'D' OR g.tgenabled = CASE "                      \
	"current_setting('session_replication_role') WHEN 'replica' "        \
	"THEN 'O' ELSE 'R' END)) AND NOT EXISTS (SELECT 1 FROM pg_inherits " \
	"AS i WHERE i.inhparent = k.confrelid)) "

static const char *const reach_sql[] = {
	[PG_DEST_REACHES] =
		REACH_SQL "AND k.confdeltype IN ('c', 'n', 'd') "
			  "AND k.confrelid IN (SELECT oid FROM family) "
			  "AND k.conrelid NOT IN (SELECT oid FROM family)",
	[PG_DEST_REACHED] =
		REACH_SQL "AND k.confdeltype IN ('c', 'n', 'd') "
			  "AND k.conrelid IN (SELECT oid FROM family) "
			  "AND k.confrelid NOT IN (SELECT oid FROM family)",
	[PG_DEST_DELETED_BY] =
		REACH_SQL "AND k.confdeltype = 'c' "
			  "AND k.conrelid IN (SELECT oid FROM family) "
			  "AND k.confrelid NOT IN (SELECT oid FROM family)",
};

int pg_dest_reach(struct pg *conn, const struct pg_dest *dest,
		  enum pg_dest_reach which, struct strbuf *out,
		  struct error *err)
{
	struct pg_param oid = pg_int(dest->oid);
	int64_t rows = pg_query(conn, reach_sql[which], &oid, 1, err);

	if (rows > 0 && !pg_null(conn, 0, 0))
		strbuf_addstr(out, pg_get_text(conn, 0, 0));
	pg_finish(conn);
	return rows < 0 ? -1 : strbuf_check(out, err);
}

const struct pg_dest_column *pg_dest_column(const struct pg_dest *dest,
					    const char *name)
{
	for (size_t i = 0; i < dest->column_count; i++)
		if (!strcmp(dest->columns[i].name, name))
			return &dest->columns[i];
	for (size_t i = 0; i < dest->column_count; i++)
		if (text_iequal(dest->columns[i].name, name))
			return &dest->columns[i];
	return NULL;
}
