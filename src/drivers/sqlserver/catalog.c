#include "drivers/sqlserver/catalog.h"

#include <string.h>

#include "base/text.h"
#include "drivers/sqlserver/sql.h"

/*
 * The key is the primary key, or else the first unique index over columns that
 * cannot be NULL. The type is that of the system: an alias type has the
 * system type's number in system_type_id, a CLR type has no such type. Types
 * that people made are hidden from a login without a right on them, while the
 * columns are not. UNMASK is a right on the database; from SQL Server 2022 on also
 * one on less than that, of which earlier ones say NULL.
 */
static const char columns_sql[] =
	"DECLARE @id int = OBJECT_ID(@table, N'U'); "
	"DECLARE @key int = ("
	"SELECT TOP (1) i.index_id "
	"FROM sys.indexes AS i "
	"WHERE i.object_id = @id AND i.is_unique = 1 AND i.has_filter = 0 "
	"AND i.is_disabled = 0 AND i.is_hypothetical = 0 "
	"AND NOT EXISTS (SELECT 1 FROM sys.index_columns AS x "
	"INNER JOIN sys.columns AS y "
	"ON x.object_id = y.object_id AND x.column_id = y.column_id "
	"WHERE x.object_id = i.object_id AND x.index_id = i.index_id "
	"AND x.is_included_column = 0 AND y.is_nullable = 1) "
	"ORDER BY i.is_primary_key DESC, i.index_id); "
	"SELECT c.name, COALESCE(b.name, t.name, N''), "
	"CAST(c.max_length AS int), CAST(c.precision AS int), "
	"CAST(c.scale AS int), c.collation_name, "
	"CAST(COLLATIONPROPERTY(c.collation_name, 'CodePage') AS int), "
	"CAST(c.is_nullable AS int), CAST(c.is_identity AS int), "
	"CASE WHEN c.is_computed = 1 OR c.is_column_set = 1 THEN 1 ELSE 0 END, "
	"CAST(c.generated_always_type AS int), "
	"CAST(CASE WHEN c.default_object_id <> 0 THEN 1 ELSE 0 END AS int), "
	"CAST(COALESCE(k.key_ordinal, 0) AS int), "
	"@id, CAST(CASE WHEN @key = 1 THEN 1 ELSE 0 END AS int), c.column_id, "
	"DATEDIFF_BIG(MILLISECOND, '20000101', o.modify_date), "
	"CAST(COLLATIONPROPERTY(CONVERT(nvarchar(128), "
	"DATABASEPROPERTYEX(DB_NAME(), 'Collation')), 'CodePage') AS int), "
	"CAST(u.temporal_type AS int), CAST(u.is_memory_optimized AS int), "
	"CAST(CASE WHEN c.is_masked = 1 AND COALESCE(HAS_PERMS_BY_NAME("
	"QUOTENAME(DB_NAME()), N'DATABASE', N'UNMASK'), 0) = 0 "
	"AND COALESCE(HAS_PERMS_BY_NAME(@table, N'OBJECT', N'UNMASK', c.name, "
	"N'COLUMN'), 0) = 0 THEN 1 ELSE 0 END AS int), "
	"CAST(CASE WHEN EXISTS (SELECT 1 FROM sys.foreign_keys AS f "
	"WHERE f.parent_object_id = @id AND f.referenced_object_id = @id "
	"AND f.is_disabled = 0) THEN 1 ELSE 0 END AS int) "
	"FROM sys.columns AS c "
	"INNER JOIN sys.objects AS o ON c.object_id = o.object_id "
	"INNER JOIN sys.tables AS u ON c.object_id = u.object_id "
	"LEFT JOIN sys.types AS t ON c.user_type_id = t.user_type_id "
	"LEFT JOIN sys.types AS b ON c.system_type_id = b.user_type_id "
	"LEFT JOIN sys.index_columns AS k ON c.object_id = k.object_id "
	"AND c.column_id = k.column_id AND k.index_id = @key "
	"AND k.is_included_column = 0 "
	"WHERE c.object_id = @id "
	"ORDER BY c.column_id";

static int read_column(struct tds *conn, struct arena *arena,
		       struct catalog_column *column, struct error *err)
{
	column->column_id = (int)tds_get_int(conn, 15);
	column->name = tds_get_text(conn, 0, arena);
	column->type = tds_get_text(conn, 1, arena);
	if (!column->name || !column->type)
		return error_memory(err, "a table's definition");
	column->wire = catalog_wire(column->type);
	column->max_length = (int)tds_get_int(conn, 2);
	if (!strcmp(column->type, "text") || !strcmp(column->type, "ntext") ||
	    !strcmp(column->type, "image"))
		column->max_length = -1; /* sys.columns has a pointer's */
	column->precision = (int)tds_get_int(conn, 3);
	column->scale = (int)tds_get_int(conn, 4);
	if (!tds_null(conn, 5)) {
		column->collation = tds_get_text(conn, 5, arena);
		if (!column->collation)
			return error_memory(err, "a table's definition");
	}
	column->code_page = (int)tds_get_int(conn, 6);
	column->nullable = tds_get_int(conn, 7) != 0;
	column->identity = tds_get_int(conn, 8) != 0;
	column->computed = tds_get_int(conn, 9) != 0;
	column->generated = tds_get_int(conn, 10) != 0 ||
			    !strcmp(column->type, "timestamp");
	column->has_default = tds_get_int(conn, 11) != 0;
	column->key_ordinal = (int)tds_get_int(conn, 12);
	column->masked = tds_get_int(conn, 20) != 0;
	return 0;
}

static int read_columns(struct tds *conn, struct catalog_table *out,
			struct error *err)
{
	size_t capacity = 0;
	struct catalog_column *grown;
	int rc;

	while ((rc = tds_fetch(conn, err)) > 0) {
		if (out->column_count == capacity) {
			capacity = capacity ? capacity * 2 : 32;
			grown = arena_calloc(&out->arena, capacity,
					     sizeof(*grown));
			if (!grown)
				return error_memory(err,
						    "a table's definition");
			if (out->column_count)
				memcpy(grown, out->columns,
				       out->column_count * sizeof(*grown));
			out->columns = grown;
		}
		if (read_column(conn, &out->arena,
				&out->columns[out->column_count], err) < 0)
			return -1;
		out->column_count++;
		out->object_id = (int)tds_get_int(conn, 13);
		out->key_is_clustered = tds_get_int(conn, 14) != 0;
		out->modified_ms = tds_get_int(conn, 16);
		out->code_page = (int)tds_get_int(conn, 17);
		out->is_history = tds_get_int(conn, 18) == 1;
		out->versioned = tds_get_int(conn, 18) == 2;
		out->in_memory = tds_get_int(conn, 19) != 0;
		out->refers_to_itself = tds_get_int(conn, 21) != 0;
	}
	return rc;
}

/* Whoever asks for a key's columns one by one relies on it. */
static int check_key(const struct catalog_table *table, struct error *err)
{
	size_t count = 0;

	for (size_t i = 0; i < table->column_count; i++)
		count += table->columns[i].key_ordinal != 0;
	for (size_t k = 0; k < count; k++)
		if (!catalog_key(table, k))
			return error_set(err, ERROR_SCHEMA,
					 "the server does not say in which "
					 "order the columns of the key come");
	return 0;
}

int catalog_read(struct tds *conn, const char *schema, const char *table,
		 struct catalog_table *out, struct error *err)
{
	struct tds_param param;
	struct strbuf name;
	int ret = -1;

	memset(out, 0, sizeof(*out));
	arena_init(&out->arena, 0);
	strbuf_init(&name);
	sql_table(&name, schema, table);
	param = tds_text("@table", name.data);
	if (strbuf_check(&name, err) < 0 ||
	    tds_query(conn, columns_sql, &param, 1, err) < 0)
		goto done;
	if (read_columns(conn, out, err) < 0) {
		tds_abandon(conn);
		goto done;
	}
	if (tds_finish(conn, err) < 0 || check_key(out, err) < 0)
		goto done;
	ret = out->column_count > 0;
done:
	strbuf_release(&name);
	if (ret <= 0)
		catalog_release(out);
	return ret;
}

void catalog_release(struct catalog_table *table)
{
	arena_release(&table->arena);
	memset(table, 0, sizeof(*table));
}

const struct catalog_column *catalog_column(const struct catalog_table *table,
					    const char *name)
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

const struct catalog_column *catalog_key(const struct catalog_table *table,
					 size_t k)
{
	for (size_t i = 0; i < table->column_count; i++)
		if (table->columns[i].key_ordinal == (int)k + 1)
			return &table->columns[i];
	return NULL;
}
