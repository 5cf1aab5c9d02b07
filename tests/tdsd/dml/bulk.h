#ifndef TDSD_BULK_H
#define TDSD_BULK_H

#include "exec/session.h"

/*
 * Bulk load. INSERT BULK says what will come and leaves it in s->bulk; the
 * BULK message that follows is received completely, row by row into a store,
 * before the database is locked and the rows go in, all or none.
 */
void bulk_receive(struct session *s);

/* Forget an announced load. */
void bulk_cancel(struct session *s);

#endif
