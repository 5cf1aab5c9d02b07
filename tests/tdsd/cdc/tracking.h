#ifndef TDSD_CDC_TRACKING_H
#define TDSD_CDC_TRACKING_H

#include "ddl/ddl.h"
#include "exec/proc.h"

/*
 * Change tracking: which keys changed since a version. Unlike capture it is
 * part of the transaction: what is committed can be asked for at once.
 */

/* ALTER TABLE … ENABLE | DISABLE CHANGE_TRACKING. */
int tracking_enable(struct ddl *x, struct table *t, bool enable,
		    bool columns_updated);

/* A row of a tracked table is written. `op` and values as for log_row(). */
int tracking_row(struct session *s, struct table *t, char op,
		 const struct val *old, const struct val *row, const bool *set,
		 struct diag *d);

/* TRUNCATE TABLE: nothing is known of what was before. */
int tracking_truncated(struct ddl *x, struct table *t);

/* A commit with tracked changes: its time, and now and then a clean-up. */
int tracking_commit(struct session *s, struct attached *home, int64_t version,
		    struct diag *d);

/* sys.sp_flush_CT_internal_table_on_demand: clean up now. */
enum flow tracking_proc_flush(struct call *c);

#endif
