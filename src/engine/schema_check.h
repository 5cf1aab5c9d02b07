#ifndef ENGINE_SCHEMA_CHECK_H
#define ENGINE_SCHEMA_CHECK_H

#include "base/error.h"
#include "base/strbuf.h"
#include "row/schema.h"

/*
 * Can every row of `source` be stored in `dest`? On 0, `shape` (initialised by
 * the caller) is the definition that batches have on their way: the columns
 * that are copied, under their source names, with the source's key. Left out
 * are columns that the destination makes itself (computed, rowversion), and
 * computed ones of the source that the destination does not have.
 *
 * On -1 `err` is ERROR_SCHEMA with the first differences, and `differences`
 * has all of them, a line each.
 */
int schema_check(const struct table *source, const struct table *dest,
		 struct table *shape, struct strbuf *differences,
		 struct error *err) __attribute__((warn_unused_result));

/* What does not come as it was, because `dest` cannot keep it: for the log. */
void schema_losses(const struct table *shape, const struct table *dest,
		   struct strbuf *out);

/* The shape for a destination that is still to be made. */
int schema_shape(const struct table *source, struct table *shape,
		 struct strbuf *differences, struct error *err)
	__attribute__((warn_unused_result));

#endif
