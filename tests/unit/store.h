#ifndef TESTS_UNIT_STORE_H
#define TESTS_UNIT_STORE_H

/* A control store in a SQLite file, and SQL on it as a DBA would run it. */

#include <sqlite3.h>

#include "control/control.h"

/* A new store in the test's own folder, made by control_init(). */
struct control_spec store_make(const char *name);

/* Open it through control.h; fails when that is not possible. */
struct control *store_open(const struct control_spec *spec);

/* Run statements on the file, over a connection of its own each time. */
void store_exec(const char *file, const char *sql);

/*
 * What a query answers: "a|b" and a line break for each row, NULL for NULL. To
 * be freed.
 */
char *store_query(const char *file, const char *sql);
void assert_query(const char *file, const char *sql, const char *want);
int64_t store_number(const char *file, const char *sql);

/*
 * Insert source server 1 and, with it, mapping 1 of db.dbo.t to db.dbo.t; both
 * of type `memory`.
 */
void store_add_mapping(const char *file);

#endif
