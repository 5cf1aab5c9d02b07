#include "drivers/postgresql/catalog.h"

#include <string.h>

#include "base/text.h"

static const char table_sql[] =
	"SELECT c.oid, c.relkind, c.relreplident, "
	"row_security_active(c.oid) "
	"FROM pg_class AS c "
	"INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace "
	"WHERE n.nspname = $1 AND c.relname = $2 "
	"AND c.relkind IN ('r', 'p', 'v', 'm', 'f')";

/*
 * The key is the primary key, or else the first unique index over columns that
 * cannot be NULL. The type is the one under any domain; if a domain inside a
 * domain has no length of its own, the one further in has it.
 *
 * Columns of the catalog that older servers lack are read by way of JSON,
 * where what is missing is NULL.
 *
 * A collation is the operating system's, or ICU's, in whichever version is there,
 * so that two of one name may sort otherwise. The database's own has a version
 * from server 15 on. Those of C have none: they go by the bytes.
 */
#define COLLATION_SQL                                                        \
	"SELECT COALESCE(j.j ->> 'datlocprovider', j.j ->> 'collprovider', " \
	"'c') AS provider, COALESCE(j.j ->> 'datlocale', "                   \
	"j.j ->> 'daticulocale', j.j ->> 'colllocale', "                     \
	"j.j ->> 'colliculocale', j.j ->> 'datcollate', "                    \
	"j.j ->> 'collcollate') AS locale, COALESCE("                        \
	"j.j ->> 'daticurules', j.j ->> 'collicurules') AS rules, "          \
	"j.j ->> 'collisdeterministic' AS equal, COALESCE("                  \
	"j.j ->> 'datcollversion', j.version) AS version "                   \
	"FROM (SELECT to_jsonb(d) AS j, NULL AS version "                    \
	"FROM pg_database AS d WHERE d.datname = current_database() "        \
	"AND l.collprovider = 'd' UNION ALL "                                \
	"SELECT to_jsonb(l), pg_collation_actual_version(l.oid) "            \
	"WHERE l.collprovider <> 'd') AS j"

static const char columns_sql[] =
	"WITH RECURSIVE base AS ("
	"SELECT a.attnum, a.atttypid AS type, a.atttypmod AS typmod, "
	"a.attnotnull AS not_null, 0 AS depth "
	"FROM pg_attribute AS a "
	"WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped "
	"UNION ALL SELECT b.attnum, t.typbasetype, "
	"CASE WHEN t.typtypmod = -1 THEN b.typmod ELSE t.typtypmod END, "
	"b.not_null OR t.typnotnull, b.depth + 1 "
	"FROM base AS b INNER JOIN pg_type AS t ON t.oid = b.type "
	"WHERE t.typtype = 'd'), "
	"chosen AS (SELECT i.indkey::int2[] AS columns, " CATALOG_KEY_COLUMNS
	" AS count FROM pg_index AS i "
	"WHERE i.indrelid = $1::oid AND " CATALOG_IS_UNIQUE
	" AND NOT EXISTS (SELECT 1 FROM unnest(i.indkey::int2[]) "
	"WITH ORDINALITY AS k (attnum, ord) INNER JOIN base AS y "
	"ON y.attnum = k.attnum INNER JOIN pg_type AS z ON z.oid = y.type "
	"AND z.typtype <> 'd' WHERE k.ord <= " CATALOG_KEY_COLUMNS
	" AND NOT y.not_null) "
	"ORDER BY i.indisprimary DESC, i.indexrelid LIMIT 1) "
	"SELECT a.attnum, a.attname, t.oid, b.typmod, t.typtype, "
	"n.nspname = 'pg_catalog', t.typname, "
	"format_type(b.type, b.typmod), format_type(b.type, -1), "
	"t.typoutput::regproc, b.depth > 0, "
	"CASE WHEN l.oid IS NOT NULL THEN quote_ident(m.nspname) || '.' "
	"|| quote_ident(l.collname) END, "
	"b.not_null, a.attidentity <> '', a.attidentity = 'a', "
	"COALESCE(to_jsonb(a) ->> 'attgenerated', '') <> '', a.atthasdef, "
	"COALESCE(k.ord, 0), "
	"has_column_privilege(a.attrelid, a.attnum, 'SELECT'), "
	"COALESCE((SELECT max(char_length(e.enumlabel)) FROM pg_enum AS e "
	"WHERE e.enumtypid = t.oid), 0), "
	"CASE WHEN t.oid = 'money'::regtype "
	"THEN scale(('0'::money)::numeric) ELSE 0 END, "
	"CASE WHEN s.provider IS NULL "
	"OR (s.provider <> 'i' AND s.locale IN ('C', 'POSIX')) THEN NULL "
	"WHEN s.version IS NULL AND s.locale NOT ILIKE 'C.%' THEN '' "
	"ELSE concat_ws('/', s.provider, s.locale, s.rules, s.equal, "
	"s.version) "
	"END FROM base AS b "
	"INNER JOIN pg_attribute AS a ON a.attrelid = $1::oid "
	"AND a.attnum = b.attnum "
	"INNER JOIN pg_type AS t ON t.oid = b.type AND t.typtype <> 'd' "
	"INNER JOIN pg_namespace AS n ON n.oid = t.typnamespace "
	"LEFT JOIN pg_collation AS l ON l.oid = a.attcollation "
	"LEFT JOIN pg_namespace AS m ON m.oid = l.collnamespace "
	"LEFT JOIN LATERAL (" COLLATION_SQL ") AS s ON l.oid IS NOT NULL "
	"LEFT JOIN (SELECT u.attnum, u.ord FROM chosen AS c, "
	"unnest(c.columns) WITH ORDINALITY AS u (attnum, ord) "
	"WHERE u.ord <= c.count) AS k ON k.attnum = a.attnum "
	"ORDER BY a.attnum";

static int read_column(struct pg *conn, int64_t i, struct arena *arena,
		       struct catalog_column *column, struct error *err)
{
	struct pg_type *type = &column->type;

	column->number = (int)pg_get_int(conn, i, 0);
	column->name = pg_copy_text(conn, i, 1, arena);
	type->oid = (uint32_t)pg_get_int(conn, i, 2);
	type->typmod = (int)pg_get_int(conn, i, 3);
	type->kind = *pg_get_text(conn, i, 4);
	type->built_in = pg_get_bool(conn, i, 5);
	type->name = pg_copy_text(conn, i, 6, arena);
	type->words = pg_copy_text(conn, i, 7, arena);
	type->plain = pg_copy_text(conn, i, 8, arena);
	column->output = pg_copy_text(conn, i, 9, arena);
	column->domain = pg_get_bool(conn, i, 10);
	if (!pg_null(conn, i, 11))
		column->collation = pg_copy_text(conn, i, 11, arena);
	column->not_null = pg_get_bool(conn, i, 12);
	column->identity = pg_get_bool(conn, i, 13);
	column->always = pg_get_bool(conn, i, 14);
	column->computed = pg_get_bool(conn, i, 15);
	column->has_default = pg_get_bool(conn, i, 16);
	column->key_ordinal = (int)pg_get_int(conn, i, 17);
	column->selectable = pg_get_bool(conn, i, 18);
	type->label_length = (int)pg_get_int(conn, i, 19);
	type->money_digits = (int)pg_get_int(conn, i, 20);
	if (!pg_null(conn, i, 21))
		column->sorting = pg_copy_text(conn, i, 21, arena);
	if (!column->name || !type->name || !type->words || !type->plain ||
	    !column->output || (!column->collation && !pg_null(conn, i, 11)) ||
	    (!column->sorting && !pg_null(conn, i, 21)))
		return error_memory(err, "a table's definition");
	return 0;
}

static int read_columns(struct pg *conn, struct catalog_table *out,
			struct error *err)
{
	struct pg_param oid = pg_int(out->oid);
	int64_t rows = pg_query(conn, columns_sql, &oid, 1, err);

	if (rows < 0)
		return -1;
	out->columns = arena_calloc(&out->arena, (size_t)rows + 1,
				    sizeof(*out->columns));
	if (!out->columns)
		return error_memory(err, "a table's definition");
	out->column_count = (size_t)rows;
	for (int64_t i = 0; i < rows; i++)
		if (read_column(conn, i, &out->arena, &out->columns[i], err) <
		    0)
			return -1;
	pg_finish(conn);
	return 0;
}

/* Whoever asks for a key's columns one by one relies on it. */
static int check_key_order(const struct catalog_table *table, struct error *err)
{
	size_t count = 0;

	for (size_t i = 0; i < table->column_count; i++)
		count += table->columns[i].key_ordinal != 0;
	for (size_t k = 0; k < count; k++)
		if (!pg_catalog_key(table, k))
			return error_set(err, ERROR_SCHEMA,
					 "the server does not say in which "
					 "order the columns of the key come");
	return 0;
}

int pg_catalog_read(struct pg *conn, const char *schema, const char *table,
		    struct catalog_table *out, struct error *err)
{
	struct pg_param name[] = {pg_text(schema), pg_text(table)};
	int64_t rows = pg_query(conn, table_sql, name, 2, err);

	memset(out, 0, sizeof(*out));
	if (rows <= 0)
		return (int)rows;
	arena_init(&out->arena, 0);
	out->oid = (uint32_t)pg_get_int(conn, 0, 0);
	out->kind = *pg_get_text(conn, 0, 1);
	out->identity = *pg_get_text(conn, 0, 2);
	out->has_policies = pg_get_bool(conn, 0, 3);
	pg_finish(conn);
	if (read_columns(conn, out, err) < 0 || check_key_order(out, err) < 0) {
		pg_catalog_release(out);
		return -1;
	}
	return 1;
}

void pg_catalog_release(struct catalog_table *table)
{
	arena_release(&table->arena);
	memset(table, 0, sizeof(*table));
}

const struct catalog_column *pg_catalog_column(
	const struct catalog_table *table, const char *name)
{
	const struct catalog_column *folded = NULL;

	for (size_t i = 0; i < table->column_count; i++) {
		if (!strcmp(table->columns[i].name, name))
			return &table->columns[i];
		if (!folded && text_iequal(table->columns[i].name, name))
			folded = &table->columns[i];
	}
	return folded;
}

const struct catalog_column *pg_catalog_key(const struct catalog_table *table,
					    size_t k)
{
	for (size_t i = 0; i < table->column_count; i++)
		if (table->columns[i].key_ordinal == (int)k + 1)
			return &table->columns[i];
	return NULL;
}

const char *pg_catalog_kind(const struct catalog_table *table)
{
	switch (table->kind) {
	case 'p':
		return "partitioned table";
	case 'v':
		return "view";
	case 'm':
		return "materialized view";
	case 'f':
		return "foreign table";
	default:
		return "table";
	}
}

/*
 * The labels of an enum are sorted as they were declared. Other types than the
 * system's are sorted by their text, byte by byte: see choice.c.
 */
static const char *sorting_of(const struct catalog_column *from)
{
	if (from->type.kind == 'e')
		return "";
	return from->type.built_in && !strchr(from->type.plain, '[')
		       ? from->sorting
		       : NULL;
}

static int describe_column(const struct catalog_column *from, bool native,
			   struct arena *arena, struct column *to,
			   struct error *err)
{
	const char *sorting = sorting_of(from);

	to->name = arena_strdup(arena, from->name);
	to->native = arena_strdup(arena, from->type.words);
	if (from->collation)
		to->collation = arena_strdup(arena, from->collation);
	if (sorting)
		to->sorting = arena_strdup(arena, sorting);
	if (!to->name || !to->native || (from->collation && !to->collation) ||
	    (sorting && !to->sorting))
		return error_memory(err, "a table's definition");
	pg_type_describe(&from->type, native, to);
	to->nullable = !from->not_null;
	to->identity = from->identity;
	to->computed = from->computed;
	to->has_default = from->has_default && !from->computed;
	return 0;
}

int pg_catalog_describe(const struct catalog_table *from, bool native,
			const struct table_name *name, struct table *out,
			struct error *err)
{
	struct arena *arena = &out->arena;

	out->name.database = arena_strdup(arena, name->database);
	out->name.schema = arena_strdup(arena, name->schema);
	out->name.table = arena_strdup(arena, name->table);
	out->system = PG_SYSTEM;
	out->columns = arena_calloc(arena, from->column_count + 1,
				    sizeof(*out->columns));
	out->key =
		arena_calloc(arena, from->column_count + 1, sizeof(*out->key));
	if (!out->name.database || !out->name.schema || !out->name.table ||
	    !out->columns || !out->key)
		return error_memory(err, "a table's definition");
	out->column_count = from->column_count;
	for (size_t i = 0; i < from->column_count; i++) {
		const struct catalog_column *column = &from->columns[i];

		if (describe_column(column, native, arena, &out->columns[i],
				    err) < 0)
			return -1;
		if (column->key_ordinal) {
			out->key[column->key_ordinal - 1] = i;
			out->key_count++;
		}
	}
	return 0;
}
