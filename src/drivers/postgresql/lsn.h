#ifndef DRIVERS_POSTGRESQL_LSN_H
#define DRIVERS_POSTGRESQL_LSN_H

#include <stdint.h>

#include "base/error.h"
#include "row/position.h"

/*
 * A place in a server's write-ahead log, and which server's: a copy of a data
 * directory that goes its own way has another identifier or another timeline.
 * As bytes, most significant first: 8 of the LSN, so that positions of one
 * server sort by it, 8 of the identifier, 4 of the timeline; 8 of `read_until`
 * if that is behind the LSN.
 */
struct lsn_position {
	uint64_t lsn;
	uint64_t system;
	uint32_t timeline;
	uint64_t read_until; /* no row that was read is of later than this */
};

#define LSN_TEXT_MAX 20

/* "16/B374D848"; returns `out`. */
const char *lsn_format(char out[LSN_TEXT_MAX], uint64_t lsn);

/* The reverse; 0 for what is none. */
uint64_t lsn_parse(const char *text);

void lsn_to_position(struct position *out, const struct lsn_position *from);

/* ERROR_GAP: it is no position of this driver's. */
int lsn_from_position(struct lsn_position *out, const struct position *from,
		      struct error *err) __attribute__((warn_unused_result));

#endif
