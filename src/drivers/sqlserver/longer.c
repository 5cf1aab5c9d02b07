#include "drivers/sqlserver/source.h"

#include "drivers/sqlserver/sql.h"

/* What stands behind the value in a CONVERT to text that loses nothing. */
static const char *style_of(const struct catalog_column *column)
{
	switch (column->wire) {
	case WIRE_BINARY:
		return ", 1";
	case WIRE_DATE:
	case WIRE_TIME:
	case WIRE_DATETIME:
	case WIRE_SMALLDATETIME:
	case WIRE_DATETIME2:
	case WIRE_DATETIMEOFFSET:
		return ", 121";
	default:
		return "";
	}
}

/* Only known columns are asked for. */
static const struct catalog_column *key_column(
	const struct sqlserver_source *source, const struct table *table,
	size_t k)
{
	return catalog_column(&source->catalog,
			      table->columns[table->key[k]].name);
}

static void build_longer(const struct sqlserver_source *source,
			 const struct table *table,
			 const struct catalog_column *column,
			 struct strbuf *sql)
{
	strbuf_addstr(sql, "SELECT TOP (1) N''");
	for (size_t k = 0; k < table->key_count; k++) {
		const struct catalog_column *key = key_column(source, table, k);

		strbuf_addstr(sql, k ? " + N', ' + CONVERT(nvarchar(100), "
				     : " + CONVERT(nvarchar(100), ");
		sql_names(sql, "t.%n", key->name, NULL);
		strbuf_addf(sql, "%s)", style_of(key));
	}
	strbuf_addstr(sql, " FROM ");
	sql_table(sql, source->name.schema, source->name.table);
	strbuf_addstr(sql, " AS t WHERE ");
	sql_names(sql,
		  column->wire == WIRE_NCHAR
			  ? "DATALENGTH(CONVERT(nvarchar(max), t.%n)) / 2"
			  : "DATALENGTH(t.%n)",
		  column->name, NULL);
	strbuf_addstr(sql, " > @length ORDER BY ");
	for (size_t k = 0; k < table->key_count; k++)
		sql_names(sql, k ? ", t.%n" : "t.%n",
			  key_column(source, table, k)->name, NULL);
}

int longer_find(struct sqlserver_source *source, const struct table *table,
		const char *name, int length, struct strbuf *key,
		struct error *err)
{
	const struct catalog_column *column =
		catalog_column(&source->catalog, name);
	struct tds_param param = tds_int("@length", length);
	struct arena arena;
	struct strbuf sql;
	char *text;
	int rc = -1;

	if (!column || !table->key_count)
		return 0;
	strbuf_init(&sql);
	build_longer(source, table, column, &sql);
	if (strbuf_check(&sql, err) == 0)
		rc = tds_query_row(source->conn, sql.data, &param, 1, err);
	strbuf_release(&sql);
	if (rc <= 0)
		return rc;
	arena_init(&arena, 0);
	text = tds_get_text(source->conn, 0, &arena);
	if (text)
		strbuf_addstr(key, text);
	else
		key->failed = ERROR_MEMORY;
	arena_release(&arena);
	return tds_finish(source->conn, err) < 0 || strbuf_check(key, err) < 0
		       ? -1
		       : 1;
}
