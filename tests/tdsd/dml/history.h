#ifndef TDSD_HISTORY_H
#define TDSD_HISTORY_H

#include "dml/write.h"

/*
 * SYSTEM_TIME: when rows begin and end, and, in system-versioned tables, the
 * rows that were. All times are those of the transaction's begin.
 */

/* Part of write_begin(): 13559 to 13561 for a history table. */
int history_begin(struct write *w, struct diag *d);
void history_release(struct write *w);

/* Of an INSERT or UPDATE: the period of the row in hand. */
void history_stamp(struct write *w);

/* Of an UPDATE or DELETE: what the row was goes to the history. */
int history_keep(struct write *w, const struct val *old, struct diag *d);

#endif
