#ifndef TDSD_CURSOR_H
#define TDSD_CURSOR_H

#include "exec/session.h"
#include "store/catalog.h"

/*
 * T-SQL cursors: the result is kept when the cursor is opened (as a STATIC
 * one on the server), and walked in any direction.
 */
void cursors_free(struct session *s);
void cursors_close_all(struct session *s);

/* WHERE CURRENT OF: the row of `t` that the cursor stands on. */
int cursor_rowid(struct session *s, const char *name, const struct table *t,
		 int64_t *rowid, struct diag *d);

/* The value for SQLite's cursor_row('name'). */
int64_t cursor_current(struct session *s, const char *name);

/* CURSOR_STATUS() */
int cursor_status(struct session *s, const char *name);

#endif
