/*
 * Reads CSV sign by sign, from a stream that gives some bytes at a time. What
 * is in quotes is never NULL. A line end is what the options say, and nothing
 * else: a lone CR or LF outside of quotes is an error, as no file of ours has
 * one.
 */
#include <stdlib.h>
#include <string.h>

#include "format/csv.h"
#include "format/text_reader.h"

#define NOWHERE SIZE_MAX

struct csv_reader {
	struct text_reader text;
	struct format_options options;
	size_t *places; /* for each field, its column in the table */
	size_t field_count;
	size_t null_len;
};

static int damaged(const struct csv_reader *reader, const char *why,
		   struct error *err)
{
	return error_set(err, ERROR_DATA,
			 "row %llu of a CSV file cannot be read: %s",
			 (unsigned long long)reader->text.row, why);
}

/* How a field ended. */
enum behind {
	BEHIND_DELIMITER,
	BEHIND_ROW,
	BEHIND_FILE,
	BEHIND_NOTHING, /* it goes on */
};

static int read_line_end(struct csv_reader *reader, char first,
			 enum behind *behind, struct error *err)
{
	bool crlf = reader->options.crlf;
	char byte = first;
	int rc = 1;

	if (crlf && first == '\r')
		rc = stream_in_byte(&reader->text.in, &byte, err);
	if (rc < 0)
		return -1;
	if (rc == 0 || byte != '\n' || (crlf && first != '\r'))
		return damaged(reader,
			       crlf ? "a line does not end in CR LF"
				    : "a line does not end in LF",
			       err);
	*behind = BEHIND_ROW;
	return 0;
}

/* What a byte outside of quotes means. */
static int look_behind(struct csv_reader *reader, int rc, char byte,
		       enum behind *behind, struct error *err)
{
	*behind = BEHIND_NOTHING;
	if (rc <= 0) {
		*behind = BEHIND_FILE;
		return rc;
	}
	if (byte == reader->options.delimiter)
		*behind = BEHIND_DELIMITER;
	else if (byte == '\r' || byte == '\n')
		return read_line_end(reader, byte, behind, err);
	return 0;
}

/* What lies in the stream's buffer up to a byte that may mean something. */
static void take_run(struct csv_reader *reader, bool quoted, struct strbuf *out)
{
	const struct format_options *options = &reader->options;
	struct stream_in *in = &reader->text.in;
	const char *begin = in->at;

	while (in->at < in->end && *in->at != options->quote &&
	       (quoted || (*in->at != options->delimiter && *in->at != '\r' &&
			   *in->at != '\n')))
		in->at++;
	strbuf_add(out, begin, (size_t)(in->at - begin));
}

static int read_quoted(struct csv_reader *reader, struct strbuf *out,
		       enum behind *behind, struct error *err)
{
	char quote = reader->options.quote;
	char byte = '\0';
	int rc;

	for (;;) {
		take_run(reader, true, out);
		rc = stream_in_byte(&reader->text.in, &byte, err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			return damaged(reader, "a quote is not closed", err);
		if (byte == quote) {
			rc = stream_in_byte(&reader->text.in, &byte, err);
			if (rc <= 0 || byte != quote)
				break;
		}
		strbuf_addch(out, byte);
		if (out->failed)
			return strbuf_check(out, err);
	}
	if (look_behind(reader, rc, byte, behind, err) < 0)
		return -1;
	return *behind != BEHIND_NOTHING
		       ? 0
		       : damaged(reader, "something stands behind a quote",
				 err);
}

static int read_plain(struct csv_reader *reader, char first, struct strbuf *out,
		      enum behind *behind, struct error *err)
{
	char byte = first;
	int rc = 1;

	for (;;) {
		if (look_behind(reader, rc, byte, behind, err) < 0)
			return -1;
		if (*behind != BEHIND_NOTHING)
			return 0;
		if (byte == reader->options.quote)
			return damaged(reader, "a quote stands within a value",
				       err);
		strbuf_addch(out, byte);
		take_run(reader, false, out);
		if (out->failed)
			return strbuf_check(out, err);
		rc = stream_in_byte(&reader->text.in, &byte, err);
		if (rc < 0)
			return -1;
	}
}

/* Append a field to the row's bytes. 0: the file has ended before it began. */
static int read_field(struct csv_reader *reader, bool first, bool *quoted,
		      enum behind *behind, struct error *err)
{
	struct strbuf *out = &reader->text.bytes;
	char byte = '\0';
	int rc = stream_in_byte(&reader->text.in, &byte, err);

	if (rc < 0 || (rc == 0 && first))
		return rc;
	*quoted = rc > 0 && byte == reader->options.quote;
	if (rc == 0) {
		*behind = BEHIND_FILE;
		return 1;
	}
	rc = *quoted ? read_quoted(reader, out, behind, err)
		     : read_plain(reader, byte, out, behind, err);
	return rc < 0 ? -1 : 1;
}

/* ---------------------------------------------------------------------- rows */

static void set_value(struct csv_reader *reader, size_t place, size_t start,
		      bool quoted)
{
	struct strbuf *bytes = &reader->text.bytes;
	size_t len = bytes->len - start;

	if (place == NOWHERE)
		return;
	reader->text.values[place] = (struct text_value){
		.null = !quoted && len == reader->null_len &&
			!memcmp(bytes->data + start, reader->options.null_text,
				len),
		.start = start,
		.len = len,
	};
}

/* See struct text_reader. */
static int read_row(struct text_reader *text, struct error *err)
{
	struct csv_reader *reader = (struct csv_reader *)text;
	enum behind behind = BEHIND_DELIMITER;
	size_t field = 0;
	bool quoted;

	for (; behind == BEHIND_DELIMITER; field++) {
		size_t start = reader->text.bytes.len;
		int rc = read_field(reader, field == 0, &quoted, &behind, err);

		if (rc <= 0)
			return rc;
		if (field == reader->field_count)
			return damaged(reader, "it has too many fields", err);
		set_value(reader, reader->places[field], start, quoted);
	}
	if (field < reader->field_count)
		return damaged(reader, "it has too few fields", err);
	/* Ours end with a line end: anything else was cut off. */
	if (behind == BEHIND_FILE)
		return damaged(reader, "the file is cut off in it", err);
	return 1;
}

/* -------------------------------------------------------------------- header */

static size_t find_column(const struct table *table, const char *name,
			  size_t len)
{
	for (size_t i = 0; i < table->column_count; i++)
		if (strlen(table->columns[i].name) == len &&
		    !memcmp(table->columns[i].name, name, len))
			return i;
	return NOWHERE;
}

static int add_place(struct csv_reader *reader, size_t place, struct error *err)
{
	size_t *places = realloc(reader->places,
				 (reader->field_count + 1) * sizeof(*places));

	if (!places)
		return error_memory(err, "a CSV file's header");
	reader->places = places;
	places[reader->field_count++] = place;
	return 0;
}

static bool has_place(const struct csv_reader *reader, size_t place)
{
	for (size_t i = 0; i < reader->field_count; i++)
		if (reader->places[i] == place)
			return true;
	return false;
}

static int read_header(struct csv_reader *reader, struct error *err)
{
	enum behind behind = BEHIND_DELIMITER;
	struct strbuf *bytes = &reader->text.bytes;
	bool quoted;

	while (behind == BEHIND_DELIMITER) {
		size_t place;

		strbuf_reset(bytes);
		if (read_field(reader, false, &quoted, &behind, err) < 0)
			return -1;
		place = find_column(reader->text.table, bytes->data,
				    bytes->len);
		if (place != NOWHERE && has_place(reader, place))
			return damaged(reader, "a column is named twice", err);
		if (add_place(reader, place, err) < 0)
			return -1;
	}
	return behind == BEHIND_ROW
		       ? 0
		       : damaged(reader, "its header is cut off", err);
}

static int find_places(struct csv_reader *reader, struct error *err)
{
	if (reader->options.header)
		return read_header(reader, err);
	for (size_t i = 0; i < reader->text.table->column_count; i++)
		if (add_place(reader, i, err) < 0)
			return -1;
	return 0;
}

static void release(struct text_reader *text)
{
	free(((struct csv_reader *)text)->places);
}

int csv_reader_new(struct format_reader **out,
		   const struct format_options *options,
		   const struct table *table, struct byte_source *source,
		   size_t max_bytes, struct error *err)
{
	struct csv_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return error_memory(err, "a CSV file");
	reader->text.read = read_row;
	reader->text.release = release;
	reader->options = *options;
	reader->null_len = strlen(options->null_text);
	if (text_reader_init(&reader->text, options, table, source, max_bytes,
			     err) < 0 ||
	    find_places(reader, err) < 0) {
		text_reader_free(&reader->text);
		return -1;
	}
	*out = &reader->text.base;
	return 0;
}
