#ifndef TDSD_CDC_TRACKING_H
#define TDSD_CDC_TRACKING_H

#include "ddl/ddl.h"

/* ALTER TABLE … ENABLE | DISABLE CHANGE_TRACKING. */
int tracking_enable(struct ddl *x, struct table *t, bool enable,
		    bool columns_updated);

/* A row of a tracked table is written. `op` and values as for log_row(). */
int tracking_row(struct session *s, struct table *t, char op,
		 const struct val *old, const struct val *row, const bool *set,
		 struct diag *d);

#endif
