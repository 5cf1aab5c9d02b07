#ifndef TDSD_CDC_LARGE_H
#define TDSD_CDC_LARGE_H

#include <stdbool.h>

#include "store/catalog.h"
#include "value/val.h"

/*
 * sp_configure 'max text repl size': captured columns of large types take no
 * value that is longer. One for each statement that writes.
 */
struct large_limit {
	bool *columns;	 /* captured ones of large types; NULL: none */
	int64_t maximum; /* bytes */
};

int large_limit_init(struct large_limit *l, struct session *s, struct table *t,
		     struct diag *d);
void large_limit_release(struct large_limit *l);

/* 7139; `set` NULL: all columns are written. */
int large_limit_check(const struct large_limit *l, const struct table *t,
		      const struct val *row, const bool *set, struct diag *d);

#endif
