#ifndef FORMAT_FORMAT_OPS_H
#define FORMAT_FORMAT_OPS_H

#include "format/format.h"

/*
 * What a format implements; format.c calls it. Writers and readers put the
 * structs of this file first into their own.
 */
struct format {
	const char *name, *alias; /* alias: NULL if there is none */
	const char *extension;
	/* Is the compression inside of the format, or around the file? */
	bool compresses;
	unsigned compressions; /* a bit for each that it can have */
	enum format_compression compression; /* unless asked for another */
	/* Fill what one column of such a file can hold; see format_table(). */
	int (*describe)(const struct format_options *options,
			struct column *column, struct arena *arena,
			struct error *err);
	/* Append what format_type() tells beside the type's name; NULL: that is
	 * all that matters. */
	int (*add_detail)(const struct format_options *options,
			  const struct column *column, struct strbuf *out,
			  struct error *err);
	int (*writer_new)(struct format_writer **out,
			  const struct format_options *options,
			  const struct table *table, const bool *required,
			  const struct format_pair *pairs, size_t pair_count,
			  struct byte_sink *sink, struct error *err);
	int (*reader_new)(struct format_reader **out,
			  const struct format_options *options,
			  const struct table *table, struct byte_source *source,
			  size_t max_bytes, struct error *err);
};

struct format_writer {
	int (*write)(struct format_writer *writer, const struct batch *batch,
		     struct error *err);
	uint64_t (*bytes)(const struct format_writer *writer);
	int (*end)(struct format_writer *writer, struct format_counts *counts,
		   struct error *err);
	void (*free)(struct format_writer *writer);
};

struct format_reader {
	int (*next)(struct format_reader *reader, struct batch *batch,
		    struct error *err);
	const char *(*value)(const struct format_reader *reader,
			     const char *key); /* NULL: there are none */
	void (*free)(struct format_reader *reader);
};

/* -1 and ERROR_SCHEMA: no file can hold this column, and why. */
int format_refuse_column(const struct column *column, const char *why,
			 struct error *err);

/* Likewise for what no format can hold; 0: nothing is known against it. */
int format_check_column(const struct column *column, struct error *err)
	__attribute__((warn_unused_result));

extern const struct format format_parquet, format_csv, format_jsonl;

#endif
