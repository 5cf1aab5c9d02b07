#ifndef TDSD_CDC_LOG_H
#define TDSD_CDC_LOG_H

#include "exec/session.h"
#include "store/catalog.h"

/*
 * The log that change data capture and change tracking read: each row that a
 * transaction inserts, updates or deletes in a followed table is recorded in
 * the same SQLite transaction, and the commit adds its LSN and time.
 */

/* The order number of a statement within its transaction. */
int64_t log_next_command(struct session *s, struct attached *home);

/* One row: 'I' has `row`, 'D' has `old`, 'U' both, and which columns were
 * set. Does nothing for a table that nobody follows. */
int log_row(struct session *s, struct table *t, int64_t command, char op,
	    const struct val *old, const struct val *row, const bool *set,
	    struct diag *d);

/* Before the commit of each file that was written; and after it. */
int log_commit(struct session *s, struct attached *home, struct diag *d);
void log_committed(struct session *s, struct attached *home);

#endif
