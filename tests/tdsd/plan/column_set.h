#ifndef TDSD_COLUMN_SET_H
#define TDSD_COLUMN_SET_H

#include "store/catalog.h"

/*
 * The T-SQL expression that makes the xml of a table's column set: an element
 * for each sparse column that is not NULL.
 */
const char *column_set_text(const struct table *t, struct arena *pool);

/* Can a sparse column of that type be in a column set here? */
bool column_set_allows(struct type t);

#endif
