#ifndef TDSD_CDC_TRACKING_H
#define TDSD_CDC_TRACKING_H

#include "ddl/ddl.h"

/* ALTER TABLE … ENABLE | DISABLE CHANGE_TRACKING. */
int tracking_enable(struct ddl *x, struct table *t, bool enable,
		    bool columns_updated);

#endif
