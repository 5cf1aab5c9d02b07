#ifndef FORMAT_FORMAT_H
#define FORMAT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/byte_sink.h"
#include "base/byte_source.h"
#include "base/connstr.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "row/batch.h"
#include "row/schema.h"

/*
 * Files of rows: from batches to bytes, and back. Pure functions: no file is
 * opened here, no thread started. docs/formats.md says what the values look
 * like in each format.
 *
 * The same rows with the same options always make the same bytes, however they
 * are spread over batches: a file that is written again is the same file.
 */

enum format_compression {
	FORMAT_UNCOMPRESSED,
	FORMAT_GZIP,
	FORMAT_SNAPPY,
	FORMAT_ZSTD,
};

/* What becomes of times that six digits and UTC do not say all of. */
enum format_times {
	FORMAT_TIMES_MICROS, /* rounded, offsets left out: see format_table() */
	FORMAT_TIMES_NANOS,  /* all digits, but the years 1678 to 2261 alone */
	FORMAT_TIMES_TEXT,   /* as text, which has room for everything */
};

#define FORMAT_NULL_MAX	     32
#define FORMAT_DATE_MAX	     32
#define FORMAT_EXTENSION_MAX 16

struct format; /* what one does; see format_ops.h */

/* How files are written. Plain data. */
struct format_options {
	const struct format *format;
	enum format_compression compression;
	int level; /* of gzip and zstd; 0: their own default */
	/* Parquet */
	size_t row_group_bytes; /* the memory that one may take, roughly */
	enum format_times times;
	bool uuid_text;
	bool delta; /* integers by their differences, where that is smaller */
	/* CSV */
	char delimiter, quote;
	bool header;
	bool crlf;
	bool base64; /* bytes, which are hexadecimal digits otherwise */
	bool blank;  /* between date and time, instead of a T */
	char null_text[FORMAT_NULL_MAX];
	char date[FORMAT_DATE_MAX]; /* YYYY, MM and DD, once each */
	/* JSON */
	bool decimal_text; /* decimals as strings */
};

/* "parquet", "csv", "jsonl" or "json"; NULL for any other name. */
const struct format *format_find(const char *name);
const char *format_name(const struct format *format);

/*
 * A format's defaults, and what a connection string says instead. Only the
 * options of this format are asked for: connstr_check_unused() finds others.
 * -1 is ERROR_CONFIG and names the option and what is allowed.
 */
int format_options_read(struct format_options *options,
			const struct format *format, struct connstr *cs,
			struct error *err) __attribute__((warn_unused_result));

/* ".parquet", ".csv.gz", ".jsonl.zst", … */
void format_extension(const struct format_options *options,
		      char out[FORMAT_EXTENSION_MAX]);

/*
 * How much of a table such a file can hold, as a table like any other: `to`,
 * which was initialised. Its columns' `native` are the format's own words.
 * Where digits or offsets are lost, it says so as other destinations do. -1 is
 * ERROR_SCHEMA: the table has a column that no such file can hold.
 */
int format_table(const struct format_options *options, const struct table *from,
		 struct table *to, struct error *err)
	__attribute__((warn_unused_result));

/*
 * What the values of a column are in such a file, appended: "int32", and of what
 * depends on more than the type, in Parquet, "decimal(10,2)", "timestamp as text".
 * The type's name is always in front. -1 as format_table().
 */
int format_type(const struct format_options *options,
		const struct column *column, struct strbuf *out,
		struct error *err) __attribute__((warn_unused_result));

/* ------------------------------------------------------------------ writing */

/* Kept in the file itself, where the format has a place: in Parquet. */
struct format_pair {
	const char *key, *value;
};

/* The memory that compressing a file takes at the most, beside its rows. */
size_t format_packing_bytes(const struct format_options *options);

struct format_counts {
	uint64_t rows;
	uint64_t bytes; /* of the whole file */
};

/*
 * Writes one file. Belongs to one thread at a time. Its memory is bounded: one
 * row group of Parquet, little more than one value of the others.
 */
struct format_writer;

/*
 * Begin. Table and sink are borrowed until the end; pairs are copied. `required`
 * has a flag for each column that is never NULL in this file; all others may be,
 * whatever the table says. NULL: as the table says.
 */
int format_writer_new(struct format_writer **out,
		      const struct format_options *options,
		      const struct table *table, const bool *required,
		      const struct format_pair *pairs, size_t pair_count,
		      struct byte_sink *sink, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Add a batch of that table. Deletes are rows as any other; what a change
 * leaves as it was is NULL. ERROR_DATA names the column of a value that the
 * file cannot hold. After an error the writer can only be freed.
 */
int format_writer_write(struct format_writer *writer, const struct batch *batch,
			struct error *err) __attribute__((warn_unused_result));

/*
 * About how long the file would be if it ended here. Depends on the rows alone,
 * too, so that who ends a file by it will do so at the same row again.
 */
uint64_t format_writer_bytes(const struct format_writer *writer);

/* The rest of the file. Nothing may be written afterwards. */
int format_writer_end(struct format_writer *writer,
		      struct format_counts *counts, struct error *err)
	__attribute__((warn_unused_result));

void format_writer_free(struct format_writer *writer); /* NULL is allowed */

/* ------------------------------------------------------------------ reading */

/*
 * Reads one file that a writer made with these options. Whatever else the bytes
 * are, they are an error (ERROR_DATA), and memory is bounded by `max_bytes`.
 */
struct format_reader;

/*
 * Begin. The columns of `table`, which is borrowed as the source is, are found
 * by their names, upper and lower case being different; the ones that the file
 * does not have are NULL, and must be nullable.
 */
int format_reader_new(struct format_reader **out,
		      const struct format_options *options,
		      const struct table *table, struct byte_source *source,
		      size_t max_bytes, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Add rows to a batch of that table, which was reset, until it is full or a row
 * group ends. 1: there are some; 0: that was all, and all was checked.
 */
int format_reader_next(struct format_reader *reader, struct batch *batch,
		       struct error *err) __attribute__((warn_unused_result));

/* What the file says of itself under a key; NULL if it says nothing. */
const char *format_reader_value(const struct format_reader *reader,
				const char *key);

void format_reader_free(struct format_reader *reader); /* NULL is allowed */

#endif
