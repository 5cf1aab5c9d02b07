#ifndef FORMAT_TEXT_READER_H
#define FORMAT_TEXT_READER_H

#include "format/cell.h"
#include "format/format_ops.h"
#include "format/stream.h"

/*
 * What readers of text have in common: a stream, the row that was taken apart
 * last, and cells, which make values of it. They put this first into their own.
 */
struct text_reader {
	struct format_reader base;
	const struct table *table; /* borrowed */
	struct cell *cells;
	struct stream_in in;
	struct strbuf bytes; /* of the row's values, one behind the other */
	struct text_value {
		bool null;
		size_t start, len; /* in `bytes` */
	} * values;		   /* one for each column of the table */
	bool loaded;		   /* a row waits here for a batch with room */
	bool ended;		   /* no more will come */
	uint64_t row;		   /* how many were read, for messages */
	/* Read the next row into `values`, which are all NULL; 0: none left. */
	int (*read)(struct text_reader *reader, struct error *err);
	void (*release)(struct text_reader *reader); /* of what is its own */
};

/* The struct is all zeros but for the two above, and is freed with free(). */
int text_reader_init(struct text_reader *reader,
		     const struct format_options *options,
		     const struct table *table, struct byte_source *source,
		     size_t max_bytes, struct error *err)
	__attribute__((warn_unused_result));

/* Also after an init that failed. */
void text_reader_free(struct text_reader *reader);

#endif
