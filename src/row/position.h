#ifndef ROW_POSITION_H
#define ROW_POSITION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define POSITION_MAX	  512
#define POSITION_TEXT_MAX (2 * POSITION_MAX + 3)

/*
 * A point in a source's change log. Only the source that made it knows what
 * the bytes mean; for everyone else it is a value to keep and give back. An
 * empty one says "no position". Plain data, may be copied.
 */
struct position {
	size_t len;
	unsigned char bytes[POSITION_MAX];
};

/* Copy `len` bytes; -1 when they are too many. */
int position_set(struct position *pos, const void *bytes, size_t len,
		 struct error *err) __attribute__((warn_unused_result));

bool position_equal(const struct position *a, const struct position *b);

/* "0x00000027000001F40003"; "" for an empty one. */
void position_format(char out[POSITION_TEXT_MAX], const struct position *pos);

/* The reverse. -1, and an empty one, for any other text. */
int position_parse(struct position *pos, const char *text)
	__attribute__((warn_unused_result));

#endif
