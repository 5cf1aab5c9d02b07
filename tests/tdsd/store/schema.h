#ifndef TDSD_SCHEMA_H
#define TDSD_SCHEMA_H

#include <sqlite3.h>

#include "diag.h"

/*
 * The tables in which each database file keeps its catalog. `prefix` is the
 * schema name that SQLite knows the file by. Also used for a session's own
 * temporary tables, with "temp".
 *
 *   _cat            one row: catalog version, next object id, counters
 *   _meta           keyed settings of the database
 *   _schemas, _objects, _columns, _indexes, _index_columns, _fks,
 *   _fk_columns, _params, _types, _principals, _members, _permissions
 *
 * A T-SQL table is the SQLite table t<phys> with columns c<phys>; both numbers
 * are in the catalog, so that renaming and switching tables touches no data.
 */
int schema_create(sqlite3 *sql, const char *prefix, struct diag *d);

/* Run plain SQLite SQL; -1 and `d` on error. */
int schema_exec(sqlite3 *sql, struct diag *d, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same, with the error left out: for what may fail. */
void schema_try(sqlite3 *sql, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
