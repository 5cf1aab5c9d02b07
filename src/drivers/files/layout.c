#include "drivers/files/layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/clock.h"
#include "base/text.h"
#include "row/text.h"

/* Of the 255 bytes that file systems give a name, with room for what is put
 * before and behind it. */
#define NAME_BYTES_MAX 180
#define DIGEST_BYTES   8

/* A position in a name, in digits; longer ones are cut likewise. */
#define POSITION_DIGITS_MAX 72

/* ------------------------------------------------------------------ encoding */

static bool is_plain(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z') || c == '_' || c == '-';
}

static void add_digest(struct strbuf *out, const char *text, size_t len)
{
	unsigned char hash[EVP_MAX_MD_SIZE] = {0};

	if (EVP_Digest(text, len, hash, NULL, EVP_sha256(), NULL) != 1)
		out->failed = ERROR_MEMORY;
	strbuf_addch(out, '~');
	for (int i = 0; i < DIGEST_BYTES; i++)
		strbuf_addf(out, "%02x", hash[i]);
}

/* Not in the middle of a character, or of what stands for one. */
static void cut(struct strbuf *out, size_t from, size_t most)
{
	size_t len = from + most;

	while (len > from && ((unsigned char)out->data[len] & 0xc0) == 0x80)
		len--;
	for (size_t i = 1; i <= 2 && len >= from + i; i++)
		if (out->data[len - i] == '%')
			len -= i;
	out->len = len;
	out->data[len] = '\0';
}

/* `also`: signs that stay as they are, too. */
static void encode(struct strbuf *out, const char *text, size_t len,
		   const char *also)
{
	bool utf8 = text_is_utf8(text, len);
	size_t from = out->len;

	for (size_t i = 0; i < len && !out->failed; i++) {
		unsigned char c = (unsigned char)text[i];

		if (is_plain(c) || (c >= 0x80 && utf8) ||
		    (c && strchr(also, c)))
			strbuf_addch(out, (char)c);
		else
			strbuf_addf(out, "%%%02X", c);
	}
	if (out->failed || out->len - from <= NAME_BYTES_MAX)
		return;
	cut(out, from, NAME_BYTES_MAX);
	add_digest(out, text, len);
}

/* --------------------------------------------------------------- the table */

void layout_table(struct strbuf *out, const struct table_name *name)
{
	const char *parts[] = {name->database, name->schema, name->table};
	struct strbuf whole;
	bool first = true;

	strbuf_init(&whole);
	for (size_t i = 0; i < 3; i++) {
		if (!*parts[i])
			continue;
		strbuf_addstr(&whole, first ? "" : ".");
		encode(&whole, parts[i], strlen(parts[i]), "");
		first = false;
	}
	if (whole.len > NAME_BYTES_MAX) {
		struct strbuf head;

		strbuf_init(&head);
		strbuf_add(&head, whole.data, whole.len);
		if (!head.failed)
			cut(&head, 0, NAME_BYTES_MAX);
		add_digest(&head, whole.data, whole.len);
		strbuf_release(&whole);
		whole = head;
	}
	if (whole.failed)
		out->failed = whole.failed;
	strbuf_add(out, whole.data, whole.len);
	strbuf_release(&whole);
}

/* ------------------------------------------------------------------- naming */

enum word {
	WORD_DATABASE,
	WORD_SCHEMA,
	WORD_TABLE,
	WORD_DATE,
	WORD_TIME,
	WORD_COUNT,
};

/* Which word begins at a brace, and where it ends; WORD_COUNT: none. */
static enum word read_word(const char *text, size_t *len)
{
	static const char *const words[] = {"{database}", "{schema}", "{table}",
					    "{date}", "{time}"};

	for (int i = 0; i < WORD_COUNT; i++) {
		*len = strlen(words[i]);
		if (!strncmp(text, words[i], *len))
			return (enum word)i;
	}
	return WORD_COUNT;
}

int layout_check_naming(const char *naming, struct error *err)
{
	size_t len = 1;

	/* Readers pass over names that begin so. */
	if (*naming == '_' || *naming == '.')
		return error_set(err, ERROR_CONFIG,
				 "option 'file_naming' must not begin with "
				 "'%c': readers pass over such files",
				 *naming);
	if (strlen(naming) > NAME_BYTES_MAX / 4)
		return error_set(err, ERROR_CONFIG,
				 "option 'file_naming' must be at most %d "
				 "bytes long",
				 NAME_BYTES_MAX / 4);
	for (; *naming; naming += len) {
		len = 1;
		if ((*naming == '{' && read_word(naming, &len) != WORD_COUNT) ||
		    is_plain((unsigned char)*naming) || *naming == '.')
			continue;
		return error_set(
			err, ERROR_CONFIG,
			"option 'file_naming' must be made of letters, digits, "
			"'-', '_', '.' and the words {database}, {schema}, "
			"{table}, {date} and {time}");
	}
	return 0;
}

/* YYYYMMDD and HHMMSS, which clock_format() has with signs between. */
static void add_digits(struct strbuf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] >= '0' && text[i] <= '9')
			strbuf_addch(out, text[i]);
}

static void add_word(struct strbuf *out, const struct layout *layout,
		     enum word word, int64_t now_us)
{
	const struct table_name *table = &layout->table;
	const char *parts[] = {table->database, table->schema, table->table};
	char now[CLOCK_TEXT_MAX];

	clock_format(now, now_us);
	if (word <= WORD_TABLE)
		encode(out, parts[word], strlen(parts[word]), "");
	else if (word == WORD_DATE)
		add_digits(out, now, 10);
	else
		add_digits(out, now + 11, 8);
}

static bool is_hidden(const struct strbuf *text)
{
	return text->len && (*text->data == '_' || *text->data == '.');
}

/* What a name begins with, which must leave room for the rest. A table may have a
 * name that readers of files would pass over. */
static void add_naming(struct strbuf *out, const struct layout *layout,
		       int64_t now_us)
{
	const char *naming = layout->naming ? layout->naming : "";
	size_t from = out->len, at = 0, len;
	struct strbuf text;

	strbuf_init(&text);
	for (; *naming; naming += len) {
		enum word word = WORD_COUNT;

		len = 1;
		if (*naming == '{')
			word = read_word(naming, &len);
		if (word == WORD_COUNT)
			strbuf_addch(&text, *naming);
		else
			add_word(&text, layout, word, now_us);
	}
	if (text.failed)
		out->failed = text.failed;
	if (is_hidden(&text))
		strbuf_addf(out, "%%%02X", text.data[at++]);
	strbuf_add(out, text.data + at, text.len - at);
	if (text.len > NAME_BYTES_MAX / 3) {
		cut(out, from, NAME_BYTES_MAX / 3);
		add_digest(out, text.data, text.len);
	}
	strbuf_release(&text);
}

/* -------------------------------------------------------------------- loads */

void layout_run(char out[LAYOUT_RUN_MAX], int64_t now_us, int64_t epoch)
{
	char now[CLOCK_TEXT_MAX];

	clock_format(now, now_us);
	snprintf(out, LAYOUT_RUN_MAX, "%.4s%.2s%.2sT%.2s%.2s%.2s%.6sZ-%" PRId64,
		 now, now + 5, now + 8, now + 11, now + 14, now + 17, now + 20,
		 epoch);
}

void layout_part(struct strbuf *out, const struct layout *layout,
		 const char *run, const char *partition, uint64_t number,
		 int64_t now_us)
{
	strbuf_addf(out, LAYOUT_FULL "%s/%s", run, partition);
	add_naming(out, layout, now_us);
	strbuf_addf(out, "part-%05" PRIu64 "%s", number, layout->extension);
}

/* ------------------------------------------------------------------ changes */

void layout_times(struct strbuf *out, enum layout_times times, int64_t at_us)
{
	char at[CLOCK_TEXT_MAX];

	clock_format(at, at_us);
	if (times != LAYOUT_TIMES_NONE)
		strbuf_addf(out, "dt=%.10s/", at);
	if (times == LAYOUT_TIMES_HOUR)
		strbuf_addf(out, "hour=%.2s/", at + 11);
}

/* Long ones, such as sets of MySQL's transactions, do not fit into a name. */
static void add_position(struct strbuf *out, const struct position *position)
{
	char text[POSITION_TEXT_MAX];
	const char *digits = text;

	position_format(text, position);
	digits += position->len ? strlen("0x") : 0;
	if (strlen(digits) <= POSITION_DIGITS_MAX) {
		strbuf_addstr(out, *digits ? digits : "0");
		return;
	}
	strbuf_add(out, digits, POSITION_DIGITS_MAX / 2);
	add_digest(out, digits, strlen(digits));
}

void layout_changes(struct strbuf *out, const struct layout *layout,
		    const struct layout_changes *changes, int64_t now_us)
{
	strbuf_addf(out, LAYOUT_CHANGES "%s", changes->times);
	add_naming(out, layout, now_us);
	add_position(out, changes->from);
	strbuf_addch(out, '-');
	add_position(out, changes->to);
	strbuf_addf(out, "-%05" PRIu64 "%s", changes->number,
		    layout->extension);
}

/* Where the pieces of such a name begin, each behind its `-`, and end. */
struct changes_name {
	const char *to, *number, *dot;
};

/* Digits up to there; NULL: there are none, or too many. */
static const char *read_number(const char *digit, uint64_t *number)
{
	const char *begin = digit;

	for (*number = 0; *digit >= '0' && *digit <= '9'; digit++)
		*number = *number * 10 + (uint64_t)(*digit - '0');
	return digit - begin >= 5 && digit - begin <= 19 ? digit : NULL;
}

/* A template may have dots, but what is behind the number has no '-'. */
static bool read_name(const char *key, struct changes_name *out,
		      uint64_t *number)
{
	const char *name = strrchr(key, '/'), *end;

	name = name ? name + 1 : key;
	*number = 0;
	out->number = strrchr(name, '-');
	if (strncmp(key, LAYOUT_CHANGES, strlen(LAYOUT_CHANGES)) != 0 ||
	    !out->number)
		return false;
	for (out->to = out->number; out->to > name && out->to[-1] != '-';)
		out->to--;
	out->number++;
	end = read_number(out->number, number);
	if (end && *end == '_')
		end = read_number(end + 1, number);
	out->dot = end;
	return end && *end == '.' && out->to > name;
}

bool layout_changes_numbers(const char *key, uint64_t *first, uint64_t *last)
{
	struct changes_name name;

	if (!read_name(key, &name, last))
		return false;
	return read_number(name.number, first) != NULL;
}

int layout_merged(struct strbuf *out, const char *first, const char *last,
		  struct error *err)
{
	struct changes_name from, to;
	uint64_t number;
	const char *cut;

	if (!read_name(first, &from, &number) || !read_name(last, &to, &number))
		return error_set(err, ERROR_INTERNAL,
				 "'%s' or '%s' is no file of changes", first,
				 last);
	strbuf_add(out, first, (size_t)(from.to - first));
	strbuf_add(out, to.to, (size_t)(to.number - to.to));
	strbuf_add(out, from.number, strspn(from.number, "0123456789"));
	strbuf_addch(out, '_');
	cut = strchr(to.number, '_');
	cut = cut && cut < to.dot ? cut + 1 : to.number;
	strbuf_addstr(out, cut);
	return strbuf_check(out, err);
}

/* --------------------------------------------------------------- partitions */

#define NO_VALUE "__HIVE_DEFAULT_PARTITION__"

/* An empty text has no folder of its own, as Hive has it; a text that is the
 * word for that is told from it. */
static void add_value(struct strbuf *out, const struct strbuf *value)
{
	if (!value->len)
		strbuf_addstr(out, NO_VALUE);
	else if (!strcmp(value->data, NO_VALUE))
		strbuf_addf(out, "%%5F%s", &NO_VALUE[1]);
	else
		encode(out, value->data, value->len, ".");
}

void layout_partition(struct strbuf *out, const struct batch *batch, size_t row,
		      const size_t *columns, size_t count)
{
	struct strbuf value;

	strbuf_init(&value);
	for (size_t i = 0; i < count; i++) {
		const char *name = batch->table->columns[columns[i]].name;

		encode(out, name, strlen(name), "");
		strbuf_addch(out, '=');
		strbuf_reset(&value);
		if (!batch_null(batch, columns[i], row))
			row_format(&value, batch, columns[i], row);
		if (value.failed)
			out->failed = value.failed;
		add_value(out, &value);
		strbuf_addch(out, '/');
	}
	strbuf_release(&value);
}

int layout_check_partition(const struct column *column, struct error *err)
{
	switch (column->type) {
	case ROW_FLOAT32:
	case ROW_FLOAT64:
	case ROW_BYTES:
	case ROW_JSON:
	case ROW_XML:
		return error_set(err, ERROR_CONFIG,
				 "option 'partition_columns': column '%s' "
				 "(%s) is no good as the name of a folder; "
				 "numbers without a fraction, decimals, texts, "
				 "dates and times are",
				 column->name,
				 column->native ? column->native
						: row_type_name(column->type));
	default:
		return 0;
	}
}
