#ifndef FORMAT_TEXT_WRITER_H
#define FORMAT_TEXT_WRITER_H

#include "format/cell.h"
#include "format/format_ops.h"
#include "format/stream.h"

/*
 * What writers of text have in common: a stream, cells, and rows one behind the
 * other. They put this first into their own.
 */
struct text_writer {
	struct format_writer base;
	const struct table *table; /* borrowed */
	struct cell *cells;
	struct stream_out out;
	uint64_t rows;
	/* Write one row. */
	int (*add_row)(struct text_writer *writer, const struct batch *batch,
		       size_t row, struct error *err);
	void (*release)(
		struct text_writer *writer); /* what is its own; or NULL */
};

/* The struct is all zeros but for the two above, and is freed with free(). */
int text_writer_init(struct text_writer *writer,
		     const struct format_options *options,
		     const struct table *table, const bool *required,
		     struct byte_sink *sink, struct error *err)
	__attribute__((warn_unused_result));

/* Also after an init that failed. */
void text_writer_free(struct text_writer *writer);

#endif
