#ifndef FORMAT_CSV_H
#define FORMAT_CSV_H

#include "format/format_ops.h"

/* What format_csv is made of; see format_ops.h. */
int csv_writer_new(struct format_writer **out,
		   const struct format_options *options,
		   const struct table *table, const bool *required,
		   const struct format_pair *pairs, size_t pair_count,
		   struct byte_sink *sink, struct error *err)
	__attribute__((warn_unused_result));

int csv_reader_new(struct format_reader **out,
		   const struct format_options *options,
		   const struct table *table, struct byte_source *source,
		   size_t max_bytes, struct error *err)
	__attribute__((warn_unused_result));

#endif
