#ifndef TDSD_FUNCTIONS_H
#define TDSD_FUNCTIONS_H

#include <sqlite3.h>

struct session;

/*
 * What tdsd adds to SQLite: the server's collations under their own names
 * (made when first asked for), "cat" for names in the catalog, and the
 * functions that translated statements call. The fn_*.c files each register
 * their part.
 */
void functions_register_collation(sqlite3 *sql, const char *name, int number);

/* Everything, on a session's connection. */
void functions_register(struct session *s);

#endif
