/*
 * A JSON object a line (RFC 8259, in UTF-8), with all columns of the table in
 * its order, the ones that are NULL included.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/jsonl.h"
#include "format/text_writer.h"

#define PIECE ((size_t)48 * 1024) /* of long bytes, at a time */

struct jsonl_writer {
	struct text_writer text;
	bool decimal_text;
	struct strbuf keys; /* `{"first":`, `,"second":`, … */
	size_t *ends;	    /* of each of them */
};

/* ------------------------------------------------------------------- strings */

#define EIGHT(byte) \
	((uint64_t)(unsigned char)(byte)*UINT64_C(0x0101010101010101))

/* How many bytes in front need no escape, counted by eight at the least. */
static size_t plain_length(const unsigned char *data, size_t len)
{
	size_t at = 0;
	uint64_t eight, quote, slash;

	for (; len - at >= sizeof(eight); at += sizeof(eight)) {
		memcpy(&eight, data + at, sizeof(eight));
		quote = eight ^ EIGHT('"');
		slash = eight ^ EIGHT('\\');
		if ((((eight - EIGHT(' ')) & ~eight) |
		     ((quote - EIGHT(1)) & ~quote) |
		     ((slash - EIGHT(1)) & ~slash)) &
		    EIGHT(0x80))
			break;
	}
	while (at < len && data[at] >= ' ' && data[at] != '"' &&
	       data[at] != '\\')
		at++;
	return at;
}

/* At most six bytes. */
static size_t escape(unsigned char byte, char *to)
{
	static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	to[0] = '\\';
	for (const char *s = shorts; *s; s += 2) {
		if ((unsigned char)*s == byte) {
			to[1] = s[1];
			return 2;
		}
	}
	to[1] = 'u';
	to[2] = '0';
	to[3] = '0';
	words_hex(to + 4, &byte, 1);
	return 6;
}

static int add_escaped(struct stream_out *out, const unsigned char *data,
		       size_t len, struct error *err)
{
	char escaped[6];

	for (;;) {
		size_t plain = plain_length(data, len);

		if (stream_out_add(out, data, plain, err) < 0)
			return -1;
		if (plain == len)
			return 0;
		if (stream_out_add(out, escaped, escape(data[plain], escaped),
				   err) < 0)
			return -1;
		data += plain + 1;
		len -= plain + 1;
	}
}

static int add_string(struct stream_out *out, const struct row_slice *text,
		      struct error *err)
{
	if (stream_out_add(out, "\"", 1, err) < 0 ||
	    add_escaped(out, text->data, text->len, err) < 0)
		return -1;
	return stream_out_add(out, "\"", 1, err);
}

static int add_bytes(struct stream_out *out, const struct row_slice *bytes,
		     struct error *err)
{
	const unsigned char *data = bytes->data;
	size_t len = bytes->len;

	if (stream_out_add(out, "\"", 1, err) < 0)
		return -1;
	while (len) {
		size_t some = len < PIECE ? len : PIECE;
		char *to;

		if (stream_out_room(out, WORDS_BASE64_LEN(some), err) < 0)
			return -1;
		to = out->buffer + out->used;
		out->used += (size_t)(words_base64(to, data, some) - to);
		data += some;
		len -= some;
	}
	return stream_out_add(out, "\"", 1, err);
}

/* ------------------------------------------------------------------- values */

/* JSON has no numbers that are none: those are strings. */
static bool is_string(const struct jsonl_writer *writer,
		      const struct batch *batch, size_t col, size_t row)
{
	switch (writer->text.cells[col].column->type) {
	case ROW_FLOAT32:
	case ROW_FLOAT64:
		return !isfinite(batch->columns[col].f64[row]);
	case ROW_DECIMAL:
		return writer->decimal_text;
	case ROW_DATE:
	case ROW_TIME:
	case ROW_TIMESTAMP:
	case ROW_TIMESTAMPTZ:
	case ROW_UUID:
		return true;
	default:
		return false;
	}
}

static int add_words(struct jsonl_writer *writer, const struct batch *batch,
		     size_t col, size_t row, struct error *err)
{
	bool quoted = is_string(writer, batch, col, row);
	struct stream_out *out = &writer->text.out;
	char *to;
	int len;

	if (stream_out_room(out, WORDS_MAX + 2, err) < 0)
		return -1;
	to = out->buffer + out->used;
	len = cell_words(&writer->text.cells[col], batch, col, row, to + quoted,
			 err);
	if (len < 0)
		return -1;
	if (quoted) {
		to[0] = '"';
		to[len + 1] = '"';
		len += 2;
	}
	out->used += (size_t)len;
	return 0;
}

static int add_slice(struct jsonl_writer *writer, const struct batch *batch,
		     size_t col, size_t row, struct error *err)
{
	struct cell *cell = &writer->text.cells[col];
	struct row_slice slice;

	if (cell_slice(cell, batch, col, row, &slice, err) < 0)
		return -1;
	return cell->column->type == ROW_BYTES
		       ? add_bytes(&writer->text.out, &slice, err)
		       : add_string(&writer->text.out, &slice, err);
}

static int add_value(struct jsonl_writer *writer, const struct batch *batch,
		     size_t col, size_t row, struct error *err)
{
	struct cell *cell = &writer->text.cells[col];

	if (!batch_null(batch, col, row))
		return cell_is_slice(cell)
			       ? add_slice(writer, batch, col, row, err)
			       : add_words(writer, batch, col, row, err);
	if (cell_check_null(cell, batch, row, err) < 0)
		return -1;
	return stream_out_add(&writer->text.out, "null", 4, err);
}

static int add_row(struct text_writer *text, const struct batch *batch,
		   size_t row, struct error *err)
{
	struct jsonl_writer *writer = (struct jsonl_writer *)text;
	size_t count = text->table->column_count, start = 0;

	for (size_t i = 0; i < count; start = writer->ends[i++])
		if (stream_out_add(&text->out, writer->keys.data + start,
				   writer->ends[i] - start, err) < 0 ||
		    add_value(writer, batch, i, row, err) < 0)
			return -1;
	return count ? stream_out_add(&text->out, "}\n", 2, err)
		     : stream_out_add(&text->out, "{}\n", 3, err);
}

/* -------------------------------------------------------------- begin and end */

static int make_keys(struct jsonl_writer *writer, struct error *err)
{
	size_t count = writer->text.table->column_count;
	char escaped[6];

	writer->ends = calloc(count + 1, sizeof(*writer->ends));
	if (!writer->ends)
		return error_memory(err, "the columns of a file");
	for (size_t i = 0; i < count; i++) {
		const char *s = writer->text.table->columns[i].name;

		strbuf_addstr(&writer->keys, i ? ",\"" : "{\"");
		for (; *s; s++) {
			if (plain_length((const unsigned char *)s, 1))
				strbuf_addch(&writer->keys, *s);
			else
				strbuf_add(&writer->keys, escaped,
					   escape((unsigned char)*s, escaped));
		}
		strbuf_addstr(&writer->keys, "\":");
		writer->ends[i] = writer->keys.len;
	}
	return strbuf_check(&writer->keys, err);
}

static void release(struct text_writer *text)
{
	struct jsonl_writer *writer = (struct jsonl_writer *)text;

	strbuf_release(&writer->keys);
	free(writer->ends);
}

int jsonl_writer_new(struct format_writer **out,
		     const struct format_options *options,
		     const struct table *table, const bool *required,
		     const struct format_pair *pairs, size_t pair_count,
		     struct byte_sink *sink, struct error *err)
{
	struct jsonl_writer *writer = calloc(1, sizeof(*writer));

	(void)pairs; /* there is no place for them */
	(void)pair_count;
	if (!writer)
		return error_memory(err, "a JSON file");
	writer->text.add_row = add_row;
	writer->text.release = release;
	writer->decimal_text = options->decimal_text;
	strbuf_init(&writer->keys);
	if (text_writer_init(&writer->text, options, table, required, sink,
			     err) < 0 ||
	    make_keys(writer, err) < 0) {
		text_writer_free(&writer->text);
		return -1;
	}
	*out = &writer->text.base;
	return 0;
}
