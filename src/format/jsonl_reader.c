/*
 * Reads lines of JSON objects whose values are scalars, as ours are. Numbers
 * stay the text that they are until their column's type reads them, so that
 * nothing is lost on the way, as it would be through a JSON library's doubles.
 */
#include <stdlib.h>
#include <string.h>

#include "format/jsonl.h"
#include "format/text_reader.h"

#define NOWHERE SIZE_MAX

struct jsonl_reader {
	struct text_reader text;
	struct strbuf key;
	bool *seen;	 /* the columns of the row at hand */
	size_t expected; /* the column whose key comes next, most likely */
};

static int damaged(const struct jsonl_reader *reader, const char *why,
		   struct error *err)
{
	return error_set(err, ERROR_DATA,
			 "line %llu of a JSON file cannot be read: %s",
			 (unsigned long long)reader->text.row, why);
}

/* The next byte, which has to be there. */
static int need_byte(struct jsonl_reader *reader, char *out, struct error *err)
{
	int rc = stream_in_byte(&reader->text.in, out, err);

	return rc == 0 ? damaged(reader, "it is cut off", err) : rc;
}

static int need_sign(struct jsonl_reader *reader, char sign, struct error *err)
{
	char byte = '\0';

	if (need_byte(reader, &byte, err) < 0)
		return -1;
	return byte == sign
		       ? 0
		       : damaged(reader, "it is no object of scalars", err);
}

/* ------------------------------------------------------------------- strings */

static int read_unit(struct jsonl_reader *reader, unsigned *out,
		     struct error *err)
{
	unsigned char bytes[2];
	char digits[4];

	for (size_t i = 0; i < sizeof(digits); i++)
		if (need_byte(reader, &digits[i], err) < 0)
			return -1;
	if (!words_read_hex(digits, sizeof(digits), bytes))
		return damaged(reader, "an escape is none", err);
	*out = (unsigned)bytes[0] << 8 | bytes[1];
	return 0;
}

static void add_character(struct strbuf *out, unsigned c)
{
	if (c < 0x80) {
		strbuf_addch(out, (char)c);
		return;
	}
	if (c < 0x800) {
		strbuf_addch(out, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			strbuf_addch(out, (char)(0xe0 | c >> 12));
		} else {
			strbuf_addch(out, (char)(0xf0 | c >> 18));
			strbuf_addch(out, (char)(0x80 | (c >> 12 & 0x3f)));
		}
		strbuf_addch(out, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	strbuf_addch(out, (char)(0x80 | (c & 0x3f)));
}

static int read_unicode(struct jsonl_reader *reader, struct strbuf *out,
			struct error *err)
{
	unsigned first, second = 0;

	if (read_unit(reader, &first, err) < 0)
		return -1;
	if (first >= 0xd800 && first < 0xdc00) {
		if (need_sign(reader, '\\', err) < 0 ||
		    need_sign(reader, 'u', err) < 0 ||
		    read_unit(reader, &second, err) < 0)
			return -1;
		if (second < 0xdc00 || second >= 0xe000)
			return damaged(reader, "half a character", err);
		first = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
	} else if (first >= 0xdc00 && first < 0xe000) {
		return damaged(reader, "half a character", err);
	}
	add_character(out, first);
	return 0;
}

static int read_escape(struct jsonl_reader *reader, struct strbuf *out,
		       struct error *err)
{
	static const char shorts[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
	char byte = '\0';

	if (need_byte(reader, &byte, err) < 0)
		return -1;
	if (byte == 'u')
		return read_unicode(reader, out, err);
	for (const char *s = shorts; *s; s += 2) {
		if (*s == byte) {
			strbuf_addch(out, s[1]);
			return 0;
		}
	}
	return damaged(reader, "an escape is none", err);
}

/* What lies in the stream's buffer up to a byte that means something. */
static void take_run(struct stream_in *in, struct strbuf *out)
{
	const char *begin = in->at;

	while (in->at < in->end && (unsigned char)*in->at >= ' ' &&
	       *in->at != '"' && *in->at != '\\')
		in->at++;
	strbuf_add(out, begin, (size_t)(in->at - begin));
}

/* Behind the first quote. */
static int read_string(struct jsonl_reader *reader, struct strbuf *out,
		       struct error *err)
{
	char byte = '\0';

	for (;;) {
		take_run(&reader->text.in, out);
		if (need_byte(reader, &byte, err) < 0)
			return -1;
		if (byte == '"')
			return strbuf_check(out, err);
		if ((unsigned char)byte < ' ')
			return damaged(reader, "a string is not closed", err);
		if (byte != '\\')
			strbuf_addch(out, byte);
		else if (read_escape(reader, out, err) < 0)
			return -1;
		if (out->failed)
			return strbuf_check(out, err);
	}
}

/* ------------------------------------------------------------------- objects */

/* A number, true, false or null: up to what stands behind it. */
static int read_bare(struct jsonl_reader *reader, char first,
		     struct strbuf *out, char *behind, struct error *err)
{
	char byte = first;

	while (byte != ',' && byte != '}') {
		if (!((byte >= '0' && byte <= '9') ||
		      (byte >= 'a' && byte <= 'z') || strchr("+-.E", byte)) ||
		    byte == '\0')
			return damaged(reader, "a value is no scalar", err);
		strbuf_addch(out, byte);
		if (out->failed)
			return strbuf_check(out, err);
		if (need_byte(reader, &byte, err) < 0)
			return -1;
	}
	*behind = byte;
	return 0;
}

static int read_value(struct jsonl_reader *reader, struct text_value *value,
		      char *behind, struct error *err)
{
	struct strbuf *bytes = &reader->text.bytes;
	char byte = '\0';

	value->start = bytes->len;
	if (need_byte(reader, &byte, err) < 0)
		return -1;
	if (byte == '"') {
		if (read_string(reader, bytes, err) < 0 ||
		    need_byte(reader, behind, err) < 0)
			return -1;
	} else if (read_bare(reader, byte, bytes, behind, err) < 0) {
		return -1;
	}
	value->len = bytes->len - value->start;
	value->null = byte != '"' && value->len == 4 &&
		      !memcmp(bytes->data + value->start, "null", 4);
	if (byte != '"' && !value->len)
		return damaged(reader, "a value is missing", err);
	return 0;
}

static bool is_column(const struct jsonl_reader *reader, size_t i)
{
	const char *name = reader->text.table->columns[i].name;

	return strlen(name) == reader->key.len &&
	       !memcmp(name, reader->key.data, reader->key.len);
}

static size_t find_column(struct jsonl_reader *reader)
{
	size_t count = reader->text.table->column_count;

	for (size_t i = 0; i < count; i++) {
		size_t at = (reader->expected + i) % count;

		if (is_column(reader, at)) {
			reader->expected = at + 1;
			return at;
		}
	}
	return NOWHERE;
}

static int read_member(struct jsonl_reader *reader, char *behind,
		       struct error *err)
{
	struct text_value ignored;
	size_t at;

	strbuf_reset(&reader->key);
	if (read_string(reader, &reader->key, err) < 0 ||
	    need_sign(reader, ':', err) < 0)
		return -1;
	at = find_column(reader);
	if (at != NOWHERE && reader->seen[at])
		return damaged(reader, "a key stands in it twice", err);
	if (at != NOWHERE)
		reader->seen[at] = true;
	return read_value(reader,
			  at != NOWHERE ? &reader->text.values[at] : &ignored,
			  behind, err);
}

static int read_members(struct jsonl_reader *reader, struct error *err)
{
	char byte = '\0';

	if (need_byte(reader, &byte, err) < 0)
		return -1;
	while (byte != '}') {
		char behind = '\0';

		if (byte != '"')
			return damaged(reader, "a key is no string", err);
		if (read_member(reader, &behind, err) < 0)
			return -1;
		if (behind == '}')
			break;
		if (behind != ',')
			return damaged(reader, "it is no object of scalars",
				       err);
		if (need_byte(reader, &byte, err) < 0)
			return -1;
		if (byte == '}')
			return damaged(reader, "a key is missing", err);
	}
	return need_sign(reader, '\n', err);
}

/* See struct text_reader. */
static int read_row(struct text_reader *text, struct error *err)
{
	struct jsonl_reader *reader = (struct jsonl_reader *)text;
	char byte = '\0';
	int rc = stream_in_byte(&text->in, &byte, err);

	if (rc <= 0)
		return rc;
	if (byte != '{')
		return damaged(reader, "it is no object", err);
	memset(reader->seen, 0, text->table->column_count);
	reader->expected = 0;
	return read_members(reader, err) < 0 ? -1 : 1;
}

static void release(struct text_reader *text)
{
	struct jsonl_reader *reader = (struct jsonl_reader *)text;

	strbuf_release(&reader->key);
	free(reader->seen);
}

int jsonl_reader_new(struct format_reader **out,
		     const struct format_options *options,
		     const struct table *table, struct byte_source *source,
		     size_t max_bytes, struct error *err)
{
	struct jsonl_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return error_memory(err, "a JSON file");
	reader->text.read = read_row;
	reader->text.release = release;
	strbuf_init_max(&reader->key, max_bytes);
	if (text_reader_init(&reader->text, options, table, source, max_bytes,
			     err) < 0)
		goto failed;
	reader->seen = calloc(table->column_count + 1, sizeof(*reader->seen));
	if (!reader->seen) {
		error_memory(err, "the columns of a file");
		goto failed;
	}
	*out = &reader->text.base;
	return 0;
failed:
	text_reader_free(&reader->text);
	return -1;
}
