#ifndef DRIVERS_SQLSERVER_SEEK_H
#define DRIVERS_SQLSERVER_SEEK_H

#include "drivers/sqlserver/source.h"

/* How a table is cut into spans, and what the server says they hold; both as
 * the slots of driver.h. */

/* Ask for the key; the answer is a row of `keys` to be read, or none. */
int seek_begin(struct sqlserver_source *source, const struct table *keys,
	       const struct key_span *span, bool backwards, uint64_t skip,
	       struct error *err) __attribute__((warn_unused_result));

int digest_read(struct sqlserver_source *source, const struct table *shape,
		const size_t *take, size_t take_count, const struct table *keys,
		const struct key_span *span, uint64_t limit,
		struct row_sum *out, struct error *err)
	__attribute__((warn_unused_result));

#endif
