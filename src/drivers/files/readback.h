#ifndef DRIVERS_FILES_READBACK_H
#define DRIVERS_FILES_READBACK_H

#include "drivers/files/store.h"
#include "format/format.h"
#include "row/canonical.h"

/* The memory that it takes beside the reader's. */
#define READBACK_BYTES ((size_t)6 << 20)

/*
 * A visible file that is read again, piece by piece: its bytes, and then its
 * rows. Belongs to one thread at a time; zeroed: none is open.
 */
struct readback {
	struct store *store;
	struct byte_source *source; /* NULL: not open */
	uint64_t at;		    /* so many bytes were looked at */
	uint32_t crc32c;	    /* of these */
	unsigned char *piece;
	struct format_reader *reader; /* NULL: the rows were not begun */
	struct batch batch;
	struct row_sum sum; /* of the rows, for whoever reads them */
};

/* 1: it is open; 0: there is none. */
int readback_open(struct readback *file, struct store *store, const char *key,
		  struct error *err) __attribute__((warn_unused_result));

/* The next piece of its bytes. 1: there are more; 0: that was all. */
int readback_bytes(struct readback *file, struct error *err)
	__attribute__((warn_unused_result));

/* Begin its rows; all but `file` and `room` are borrowed. Once more after an
 * error is fine, with another table. */
int readback_rows(struct readback *file, const struct format_options *options,
		  const struct table *table, size_t room, struct error *err)
	__attribute__((warn_unused_result));

/* The next rows, into `batch`. 1: some; 0: that was all. */
int readback_next(struct readback *file, struct error *err)
	__attribute__((warn_unused_result));

void readback_close(struct readback *file); /* safe when zeroed */

#endif
