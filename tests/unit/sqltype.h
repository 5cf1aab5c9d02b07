#ifndef TESTS_UNIT_SQLTYPE_H
#define TESTS_UNIT_SQLTYPE_H

#include "drivers/sqlserver/catalog.h"

/*
 * A column of a SQL Server table as sys.columns shows it, from its definition:
 * "int", "decimal(10, 2)", "nvarchar(max)". Fails on a type that the server
 * does not have.
 */
struct catalog_column sqltype_column(const char *name, const char *type);

/* The table of such columns, as the driver describes it to the engine. */
void sqltype_describe(struct table *table, const char *name,
		      const struct catalog_column *columns, size_t count,
		      const char *key);

#endif
