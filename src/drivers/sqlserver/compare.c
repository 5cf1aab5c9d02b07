/*
 * When is a row of the destination the same as the one that was loaded? Not
 * when the server's own comparison says so, to which 'a' is 'A' and 'a ', 0.0
 * is -0.0, and any two datetimeoffsets of one moment are the same: the bytes
 * count. Lengths are compared as well, because binary values that differ in
 * zeros at their end may count as equal.
 */
#include "drivers/sqlserver/target.h"

#include <string.h>

#include "drivers/sqlserver/decode.h"
#include "drivers/sqlserver/sql.h"

static void add_name(struct strbuf *sql, const struct catalog_column *column,
		     const char *alias)
{
	strbuf_addf(sql, "%s.", alias);
	sql_name(sql, column->name);
}

static void add_call(struct strbuf *sql, const char *call,
		     const struct catalog_column *column, const char *alias)
{
	strbuf_addstr(sql, call);
	add_name(sql, column, alias);
	strbuf_addch(sql, ')');
}

/* Everything that makes the value what it is, as columns of a SELECT. */
static void add_value(struct strbuf *sql, const struct catalog_column *column,
		      const char *alias)
{
	switch (column->wire) {
	case WIRE_REAL:
		add_call(sql, "CONVERT(binary(4), ", column, alias);
		break;
	case WIRE_FLOAT:
		add_call(sql, "CONVERT(binary(8), ", column, alias);
		break;
	case WIRE_DATETIMEOFFSET:
		add_name(sql, column, alias);
		add_call(sql, ", DATEPART(TZOFFSET, ", column, alias);
		break;
	case WIRE_CHAR:
	case WIRE_NCHAR:
	case WIRE_BINARY:
		decode_expression(sql, column, alias, true, false);
		/* A loaded xml is text still; it has no zeros anyway. */
		if (strcmp(column->type, "xml") != 0)
			add_call(sql, ", DATALENGTH(", column, alias);
		break;
	default:
		add_name(sql, column, alias);
		break;
	}
}

static void add_values(struct strbuf *sql,
		       const struct sqlserver_target *target, const char *alias)
{
	for (size_t i = 0; i < target->shape->column_count; i++) {
		strbuf_addstr(sql, i ? ", " : "");
		add_value(sql,
			  catalog_column(&target->dest,
					 target->shape->columns[i].name),
			  alias);
	}
}

void target_sql_differs(struct strbuf *sql,
			const struct sqlserver_target *target)
{
	strbuf_addstr(sql, "EXISTS (SELECT ");
	add_values(sql, target, "s");
	strbuf_addstr(sql, " EXCEPT SELECT ");
	add_values(sql, target, "d");
	strbuf_addch(sql, ')');
}
