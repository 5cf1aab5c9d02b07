#ifndef FORMAT_PARQUET_RANGE_H
#define FORMAT_PARQUET_RANGE_H

#include "format/parquet_values.h"

/* Of a long value so many bytes go into statistics, as most writers do. */
#define PARQUET_BOUND_MAX 64

/* The beginning of a slice; `len` is one more than that if it is longer. */
struct parquet_bound {
	uint64_t head; /* the first eight bytes, to compare at once */
	size_t len;
	unsigned char bytes[PARQUET_BOUND_MAX];
};

/*
 * The least and the greatest of some values, in the order that Parquet defines
 * for their type. Plain data.
 */
struct parquet_range {
	bool known; /* there was a value that has a place in the order */
	union {
		struct {
			int64_t min, max;
		} number;
		struct {
			double min, max;
		} real;
		struct {
			struct parquet_bound min, max;
		} slice;
	};
};

void parquet_range_add(struct parquet_range *range,
		       const struct parquet_leaf *leaf,
		       const struct parquet_values *values);
void parquet_range_merge(struct parquet_range *range,
			 const struct parquet_leaf *leaf,
			 const struct parquet_range *more);

/*
 * An end as it stands in a file. A long one is cut off, and then says less: the
 * least is a little smaller, the greatest a little greater than it was. False:
 * there is no such value.
 */
struct parquet_end {
	unsigned char bytes[PARQUET_BOUND_MAX];
	size_t len;
	bool exact;
};

bool parquet_range_min(const struct parquet_range *range,
		       const struct parquet_leaf *leaf,
		       struct parquet_end *out);
bool parquet_range_max(const struct parquet_range *range,
		       const struct parquet_leaf *leaf,
		       struct parquet_end *out);

/*
 * Is `a` not above `b` with both of these ends? A long one that was cut off may
 * be, though its values are not. False as well if there is no such end.
 */
bool parquet_range_rises(const struct parquet_leaf *leaf,
			 const struct parquet_range *a,
			 const struct parquet_range *b);

#endif
