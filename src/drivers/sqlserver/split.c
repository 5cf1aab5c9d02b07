#include "drivers/sqlserver/split.h"

#include <string.h>

#include "drivers/sqlserver/sql.h"

/* Rows of the sample for each range: enough to be about right. */
#define SAMPLE_ROWS 500

static bool has_variable_length(const struct catalog_column *column)
{
	return column->wire == WIRE_CHAR || column->wire == WIRE_NCHAR ||
	       column->wire == WIRE_BINARY;
}

/*
 * SQL Server makes no float of binary, and a bit is not worth it. A variable's
 * text is in the database's code page, whatever the column's is.
 */
static bool can_split(const struct sqlserver_source *source,
		      const struct catalog_column *column)
{
	if (column->wire == WIRE_CHAR &&
	    column->code_page != source->catalog.code_page)
		return false;
	switch (column->wire) {
	case WIRE_NONE:
	case WIRE_BIT:
	case WIRE_REAL:
	case WIRE_FLOAT:
		return false;
	default:
		return !has_variable_length(column) ||
		       (column->max_length > 0 &&
			column->max_length <= POSITION_MAX);
	}
}

static void build_split(const struct sqlserver_source *source,
			const struct catalog_column *column, size_t count,
			struct strbuf *sql)
{
	strbuf_addf(sql,
		    "SELECT CONVERT(varbinary(%d), MIN(s.k)) FROM (SELECT ",
		    POSITION_MAX);
	sql_names(sql, "t.%n AS k, ", column->name, NULL);
	strbuf_addf(sql, "NTILE(%zu) OVER (ORDER BY ", count);
	sql_names(sql, "t.%n) AS part FROM ", column->name, NULL);
	sql_table(sql, source->name.schema, source->name.table);
	strbuf_addf(sql,
		    " AS t TABLESAMPLE SYSTEM (%zu ROWS)) AS s "
		    "GROUP BY s.part ORDER BY s.part",
		    count * SAMPLE_ROWS);
}

/* Each range but the first begins where the server says; many rows of one
 * value say so twice. */
static int read_ranges(struct sqlserver_source *source,
		       struct key_range *ranges, size_t count,
		       struct error *err)
{
	bool first = true;
	size_t made = 1;
	int rc;

	while ((rc = tds_fetch(source->conn, err)) > 0) {
		struct position low;
		const void *bytes;
		size_t len;

		bytes = tds_get_bytes(source->conn, 0, &len);
		if (position_set(&low, bytes, len, err) < 0) {
			tds_abandon(source->conn);
			return -1;
		}
		if (!first && low.len && made < count &&
		    !position_equal(&low, &ranges[made - 1].low)) {
			ranges[made - 1].high = low;
			ranges[made++].low = low;
		}
		first = false;
	}
	if (rc < 0 || tds_finish(source->conn, err) < 0)
		return -1;
	return (int)made;
}

int split_table(struct sqlserver_source *source, struct key_range *ranges,
		size_t count, struct error *err)
{
	const struct catalog_column *column;
	struct strbuf sql;
	int rc;

	memset(ranges, 0, count * sizeof(*ranges));
	column = catalog_key(&source->catalog, 0);
	if (!column || !source->catalog.key_is_clustered ||
	    !can_split(source, column))
		return 1;
	strbuf_init(&sql);
	build_split(source, column, count, &sql);
	rc = strbuf_check(&sql, err);
	if (rc == 0)
		rc = tds_query(source->conn, sql.data, NULL, 0, err);
	if (rc == 0)
		rc = read_ranges(source, ranges, count, err);
	strbuf_release(&sql);
	return rc;
}

static void add_end(const struct catalog_column *column, const char *variable,
		    const char *param, const char *comparison,
		    const struct position *end, struct strbuf *declare,
		    struct strbuf *where, struct tds_param params[2],
		    size_t *param_count)
{
	if (!end->len)
		return;
	strbuf_addf(declare, "DECLARE %s ", variable);
	catalog_type(column, declare);
	strbuf_addstr(declare, " = CONVERT(");
	catalog_type(column, declare);
	strbuf_addf(declare, ", %s); ", param);
	strbuf_addstr(where, *param_count ? " AND " : " WHERE ");
	sql_names(where, "t.%n ", column->name, NULL);
	strbuf_addf(where, "%s %s", comparison, variable);
	params[(*param_count)++] = tds_bytes(param, end->bytes, end->len);
}

void split_condition(const struct sqlserver_source *source,
		     const struct key_range *range, struct strbuf *declare,
		     struct strbuf *where, struct tds_param params[2],
		     size_t *param_count)
{
	const struct catalog_column *column = catalog_key(&source->catalog, 0);

	*param_count = 0;
	if (!range || !column)
		return;
	add_end(column, "@first_key", "@low", ">=", &range->low, declare, where,
		params, param_count);
	add_end(column, "@end_key", "@high", "<", &range->high, declare, where,
		params, param_count);
}
