/*
 * RFC 4180. What is NULL stands without quotes; a text that looks the same
 * stands in quotes, and so does an empty one. Rows are written straight into
 * the stream's buffer, value by value.
 */
#include <stdlib.h>
#include <string.h>

#include "format/csv.h"
#include "format/text_writer.h"

/* Of long bytes, so many at a time: as hexadecimal digits or in Base64, they fit
 * into the stream's buffer. */
#define PIECE ((size_t)48 * 1024)

struct csv_writer {
	struct text_writer text;
	bool crlf, base64;
	char delimiter, quote;
	size_t null_len;
	char null_text[FORMAT_NULL_MAX];
	uint64_t special[4]; /* signs that need quotes, eight times each */
};

static int add_sign(struct csv_writer *writer, char sign, struct error *err)
{
	if (stream_out_room(&writer->text.out, 1, err) < 0)
		return -1;
	writer->text.out.buffer[writer->text.out.used++] = sign;
	return 0;
}

static int end_row(struct csv_writer *writer, struct error *err)
{
	return stream_out_add(&writer->text.out, writer->crlf ? "\r\n" : "\n",
			      writer->crlf ? 2 : 1, err);
}

/* ------------------------------------------------------------------- quotes */

#define EIGHT(byte) \
	((uint64_t)(unsigned char)(byte)*UINT64_C(0x0101010101010101))

/* Is a byte of the eight zero? */
static bool has_zero(uint64_t eight)
{
	return ((eight - EIGHT(0x01)) & ~eight & EIGHT(0x80)) != 0;
}

static bool has_special(const struct csv_writer *writer,
			const unsigned char *data, size_t len)
{
	uint64_t eight;

	while (len) {
		size_t some = len < 8 ? len : 8;

		eight = EIGHT('x'); /* which is never special */
		memcpy(&eight, data, some);
		if (has_zero(eight ^ writer->special[0]) ||
		    has_zero(eight ^ writer->special[1]) ||
		    has_zero(eight ^ writer->special[2]) ||
		    has_zero(eight ^ writer->special[3]))
			return true;
		data += some;
		len -= some;
	}
	return false;
}

static bool is_null_text(const struct csv_writer *writer, const void *data,
			 size_t len)
{
	return len == writer->null_len &&
	       (!len || !memcmp(data, writer->null_text, len));
}

/* Blanks at either end are in quotes, too: some readers drop them otherwise. */
static bool needs_quotes(const struct csv_writer *writer,
			 const unsigned char *data, size_t len)
{
	return !len || is_null_text(writer, data, len) || data[0] == ' ' ||
	       data[len - 1] == ' ' || has_special(writer, data, len);
}

static int add_quoted(struct csv_writer *writer, const char *data, size_t len,
		      struct error *err)
{
	const char *found;

	if (add_sign(writer, writer->quote, err) < 0)
		return -1;
	while (len && (found = memchr(data, writer->quote, len))) {
		size_t some = (size_t)(found - data) + 1;

		if (stream_out_add(&writer->text.out, data, some, err) < 0 ||
		    add_sign(writer, writer->quote, err) < 0)
			return -1;
		data += some;
		len -= some;
	}
	if (stream_out_add(&writer->text.out, data, len, err) < 0)
		return -1;
	return add_sign(writer, writer->quote, err);
}

static int add_text(struct csv_writer *writer, const struct row_slice *text,
		    struct error *err)
{
	if (needs_quotes(writer, text->data, text->len))
		return add_quoted(writer, (const char *)text->data, text->len,
				  err);
	return stream_out_add(&writer->text.out, text->data, text->len, err);
}

/* ------------------------------------------------------------------- values */

/* Bytes as text: whole pieces of three can be written one behind the other. */
static int add_long_bytes(struct csv_writer *writer,
			  const struct row_slice *bytes, struct error *err)
{
	const unsigned char *data = bytes->data;
	size_t len = bytes->len;

	while (len) {
		size_t some = len < PIECE ? len : PIECE;
		char *to, *end;

		if (stream_out_room(&writer->text.out, 2 * some + 4, err) < 0)
			return -1;
		to = writer->text.out.buffer + writer->text.out.used;
		end = writer->base64 ? words_base64(to, data, some)
				     : words_hex(to, data, some);
		writer->text.out.used += (size_t)(end - to);
		data += some;
		len -= some;
	}
	return 0;
}

/* A few could look like NULL. */
static int add_bytes(struct csv_writer *writer, const struct row_slice *bytes,
		     struct error *err)
{
	char word[2 * FORMAT_NULL_MAX + 4], *end;

	if (bytes->len > FORMAT_NULL_MAX)
		return add_long_bytes(writer, bytes, err);
	end = writer->base64 ? words_base64(word, bytes->data, bytes->len)
			     : words_hex(word, bytes->data, bytes->len);
	return add_text(writer,
			&(struct row_slice){(const unsigned char *)word,
					    (size_t)(end - word)},
			err);
}

static int add_slice(struct csv_writer *writer, const struct batch *batch,
		     size_t col, size_t row, struct error *err)
{
	struct cell *cell = &writer->text.cells[col];
	struct row_slice slice;

	if (cell_slice(cell, batch, col, row, &slice, err) < 0)
		return -1;
	return cell->column->type == ROW_BYTES ? add_bytes(writer, &slice, err)
					       : add_text(writer, &slice, err);
}

static int add_words(struct csv_writer *writer, const struct batch *batch,
		     size_t col, size_t row, struct error *err)
{
	char word[WORDS_MAX], *to;
	int len;

	if (stream_out_room(&writer->text.out, WORDS_MAX, err) < 0)
		return -1;
	to = writer->text.out.buffer + writer->text.out.used;
	len = cell_words(&writer->text.cells[col], batch, col, row, to, err);
	if (len < 0)
		return -1;
	if (is_null_text(writer, to, (size_t)len)) {
		memcpy(word, to, (size_t)len);
		return add_quoted(writer, word, (size_t)len, err);
	}
	writer->text.out.used += (size_t)len;
	return 0;
}

static int add_null(struct csv_writer *writer, const struct batch *batch,
		    size_t col, size_t row, struct error *err)
{
	if (cell_check_null(&writer->text.cells[col], batch, row, err) < 0)
		return -1;
	return stream_out_add(&writer->text.out, writer->null_text,
			      writer->null_len, err);
}

static int add_row(struct text_writer *text, const struct batch *batch,
		   size_t row, struct error *err)
{
	struct csv_writer *writer = (struct csv_writer *)text;

	for (size_t i = 0; i < text->table->column_count; i++) {
		int rc;

		if (i && add_sign(writer, writer->delimiter, err) < 0)
			return -1;
		if (batch_null(batch, i, row))
			rc = add_null(writer, batch, i, row, err);
		else if (cell_is_slice(&text->cells[i]))
			rc = add_slice(writer, batch, i, row, err);
		else
			rc = add_words(writer, batch, i, row, err);
		if (rc < 0)
			return -1;
	}
	return end_row(writer, err);
}

/* -------------------------------------------------------------- begin and end */

static int add_header(struct csv_writer *writer, struct error *err)
{
	for (size_t i = 0; i < writer->text.table->column_count; i++) {
		const char *name = writer->text.table->columns[i].name;

		if ((i && add_sign(writer, writer->delimiter, err) < 0) ||
		    add_text(writer,
			     &(struct row_slice){(const unsigned char *)name,
						 strlen(name)},
			     err) < 0)
			return -1;
	}
	return end_row(writer, err);
}

static void init_writer(struct csv_writer *writer,
			const struct format_options *options)
{
	writer->text.add_row = add_row;
	writer->crlf = options->crlf;
	writer->base64 = options->base64;
	writer->delimiter = options->delimiter;
	writer->quote = options->quote;
	writer->null_len = strlen(options->null_text);
	memcpy(writer->null_text, options->null_text, writer->null_len);
	writer->special[0] = EIGHT(options->delimiter);
	writer->special[1] = EIGHT(options->quote);
	writer->special[2] = EIGHT('\r');
	writer->special[3] = EIGHT('\n');
}

int csv_writer_new(struct format_writer **out,
		   const struct format_options *options,
		   const struct table *table, const bool *required,
		   const struct format_pair *pairs, size_t pair_count,
		   struct byte_sink *sink, struct error *err)
{
	struct csv_writer *writer = calloc(1, sizeof(*writer));

	(void)pairs; /* there is no place for them */
	(void)pair_count;
	if (!writer)
		return error_memory(err, "a CSV file");
	init_writer(writer, options);
	if (text_writer_init(&writer->text, options, table, required, sink,
			     err) < 0 ||
	    (options->header && add_header(writer, err) < 0)) {
		text_writer_free(&writer->text);
		return -1;
	}
	*out = &writer->text.base;
	return 0;
}
