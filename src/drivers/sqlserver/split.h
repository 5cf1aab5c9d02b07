#ifndef DRIVERS_SQLSERVER_SPLIT_H
#define DRIVERS_SQLSERVER_SPLIT_H

#include "drivers/sqlserver/source.h"

/*
 * Ranges of a table in the order of the first column of its clustered key. An
 * end is that column's value as the server makes varbinary of it, which it
 * turns back into the very same value: no key is ever compared here.
 */

/* See split() in driver.h. */
int split_table(struct sqlserver_source *source, struct key_range *ranges,
		size_t count, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Declare the ends of the range as variables, and append the condition on the
 * alias `t` to `where`, with the word WHERE. `params` gets up to two.
 */
void split_condition(const struct sqlserver_source *source,
		     const struct key_range *range, struct strbuf *declare,
		     struct strbuf *where, struct tds_param params[2],
		     size_t *param_count);

#endif
