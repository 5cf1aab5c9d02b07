/*
 * How much memory the rows of a read will take, before any of them comes:
 * db-lib takes a row in whole, however large, and nobody can stop it then.
 * DATALENGTH of a long value does not read it, so this costs a look at the
 * rows, and only where their declared lengths add up to a lot.
 *
 * Each column counts with its longest value, whichever row that is in: db-lib
 * keeps the memory of a column from row to row.
 */
#include "drivers/sqlserver/source.h"

#include <string.h>

#include "drivers/sqlserver/sql.h"

/* Of a declared row that is no longer, nobody asks. */
#define ROW_BYTES_FEW 65536

/* Columns that may be longer than this are asked about, if any are. */
#define COLUMN_BYTES_FEW 256

static bool is_unbounded(const struct catalog_column *column)
{
	return column->max_length < 0 || !strcmp(column->type, "text") ||
	       !strcmp(column->type, "ntext") || !strcmp(column->type, "image");
}

static bool is_long(const struct catalog_column *column)
{
	return is_unbounded(column) || column->max_length > COLUMN_BYTES_FEW;
}

/* What becomes of a byte here: text of others is turned into UTF-8. */
static uint64_t times(const struct sqlserver_source *source,
		      const struct catalog_column *column)
{
	if (source->native_text)
		return 1;
	return column->wire == WIRE_CHAR    ? 5
	       : column->wire == WIRE_NCHAR ? 3
					    : 1;
}

/* What the columns that are not asked about have; false: nobody is. */
static bool add_declared(const struct sqlserver_source *source,
			 const struct table *shape, struct source_rows *rows)
{
	uint64_t few = 0, many = 0;
	bool unbounded = false;

	for (size_t i = 0; i < shape->column_count; i++) {
		const struct catalog_column *column = catalog_column(
			&source->catalog, shape->columns[i].name);
		uint64_t bytes;

		if (!column)
			continue; /* the read itself will say so */
		unbounded |= is_unbounded(column);
		bytes = is_unbounded(column) ? 0 : (uint64_t)column->max_length;
		*(is_long(column) ? &many : &few) +=
			bytes * times(source, column);
	}
	unbounded |= many > ROW_BYTES_FEW;
	rows->bytes = few + (unbounded ? 0 : many);
	return unbounded;
}

static void build(const struct sqlserver_source *source,
		  const struct table *shape, const char *alias,
		  const char *declare, const char *from, struct strbuf *sql)
{
	const char *comma = "";

	strbuf_addf(sql, "%sSELECT ", declare);
	for (size_t i = 0; i < shape->column_count; i++) {
		const struct catalog_column *column = catalog_column(
			&source->catalog, shape->columns[i].name);
		bool xml = column && !strcmp(column->type, "xml");

		if (!column || !is_long(column))
			continue;
		strbuf_addf(sql,
			    "%sCOALESCE(MAX(CONVERT(bigint, DATALENGTH(%s%s.",
			    comma, xml ? "CONVERT(nvarchar(max), " : "", alias);
		sql_name(sql, column->name);
		strbuf_addf(sql, "%s))), 0)", xml ? ")" : "");
		comma = ", ";
	}
	strbuf_addstr(sql, from);
}

static void take(struct sqlserver_source *source, const struct table *shape)
{
	struct source_rows *rows = &source->base.rows;
	size_t at = 0;

	for (size_t i = 0; i < shape->column_count; i++) {
		const struct catalog_column *column = catalog_column(
			&source->catalog, shape->columns[i].name);
		uint64_t length;

		if (!column || !is_long(column))
			continue;
		length = (uint64_t)tds_get_int(source->conn, at++);
		rows->bytes += length * times(source, column);
		if (length >= rows->longest) {
			rows->longest = length;
			rows->column = column->name;
		}
	}
}

int source_measure(struct sqlserver_source *source, const struct table *shape,
		   const char *alias, const char *declare, const char *from,
		   const struct tds_param *params, size_t param_count,
		   struct error *err)
{
	struct strbuf sql;
	int rc = -1;

	source->base.rows = (struct source_rows){.bytes = 0};
	if (!add_declared(source, shape, &source->base.rows))
		return 0;
	strbuf_init(&sql);
	build(source, shape, alias, declare, from, &sql);
	if (strbuf_check(&sql, err) == 0)
		rc = tds_query_row(source->conn, sql.data, params, param_count,
				   err);
	strbuf_release(&sql);
	if (rc <= 0)
		return rc;
	take(source, shape);
	return tds_finish(source->conn, err);
}
