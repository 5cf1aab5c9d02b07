#ifndef ROW_EXTENDED_H
#define ROW_EXTENDED_H

#include <stdbool.h>

#include "base/strbuf.h"
#include "row/batch.h"

/*
 * The value of an extended column, see struct column, that is not NULL, as text
 * for people and for digests: "2020-01-01", "0044-03-15 BC", "-infinity",
 * "0044-03-15T12:00:00.5 BC", with a Z behind that where it has a zone, "NaN".
 * False, and nothing is written: it is like one of any other column.
 */
bool row_format_extended(struct strbuf *out, enum row_type type,
			 const struct batch_column *values, size_t row);

#endif
