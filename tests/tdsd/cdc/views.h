#ifndef TDSD_CDC_VIEWS_H
#define TDSD_CDC_VIEWS_H

#include "exec/rows.h"
#include "exec/session.h"

/* Makers of rows (fn/rows.h) that live beside what they belong to. */
int cdc_fill_range(struct session *s, const struct val *args, int count,
		   struct row_store *out, struct diag *d);
int tracking_fill_databases(struct session *s, const struct val *args,
			    int count, struct row_store *out, struct diag *d);
int tracking_fill_changes(struct session *s, const struct val *args, int count,
			  struct row_store *out, struct diag *d);

#endif
