#include "format/format_ops.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define GZIP_LEVEL_MAX	 9
#define ZSTD_LEVEL_MAX	 22
#define GROUP_MB_DEFAULT 64
#define GROUP_MB_MAX	 4096

static int refuse(const char *names, const char *allowed, struct error *err)
{
	return error_set(err, ERROR_CONFIG, "option '%.*s' must be %s",
			 (int)strcspn(names, "|"), names, allowed);
}

/* One of several words, which `words` lists in the order of their numbers. */
static int get_word(struct connstr *cs, const char *names, const char *allowed,
		    const char *const *words, size_t count, int *out,
		    struct error *err)
{
	const char *value = connstr_get(cs, names);

	if (!value)
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (words[i] && text_iequal(value, words[i])) {
			*out = (int)i;
			return 0;
		}
	}
	return refuse(names, allowed, err);
}

static int get_flag(struct connstr *cs, const char *names, const char *allowed,
		    const char *no, const char *yes, bool *out,
		    struct error *err)
{
	const char *const words[] = {no, yes};
	int at = *out;

	if (get_word(cs, names, allowed, words, 2, &at, err) < 0)
		return -1;
	*out = at != 0;
	return 0;
}

/* -------------------------------------------------------------- compression */

static int read_compression(struct format_options *options, struct connstr *cs,
			    struct error *err)
{
	static const char *const all[] = {
		[FORMAT_UNCOMPRESSED] = "none",
		[FORMAT_GZIP] = "gzip",
		[FORMAT_SNAPPY] = "snappy",
		[FORMAT_ZSTD] = "zstd",
	};
	bool snappy = options->format->compressions >> FORMAT_SNAPPY & 1;
	const char *words[sizeof(all) / sizeof(*all)] = {NULL};
	int at = (int)options->format->compression;

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (options->format->compressions >> i & 1)
			words[i] = all[i];
	if (get_word(cs, "compression",
		     snappy ? "none, gzip, snappy or zstd"
			    : "none, gzip or zstd",
		     words, sizeof(all) / sizeof(*all), &at, err) < 0)
		return -1;
	options->compression = (enum format_compression)at;
	return 0;
}

static int read_level(struct format_options *options, struct connstr *cs,
		      struct error *err)
{
	static const char names[] = "compression_level";
	const char *value = connstr_get(cs, names);
	bool gzip = options->compression == FORMAT_GZIP;
	long level;

	if (!value)
		return 0;
	if (!gzip && options->compression != FORMAT_ZSTD)
		return refuse(names,
			      "left out: only the compressions gzip and zstd "
			      "have levels",
			      err);
	if (!text_to_long(value, &level) || level < 1 ||
	    level > (gzip ? GZIP_LEVEL_MAX : ZSTD_LEVEL_MAX))
		return refuse(names,
			      gzip ? "a whole number from 1 to 9"
				   : "a whole number from 1 to 22",
			      err);
	options->level = (int)level;
	return 0;
}

/* ------------------------------------------------------------------ Parquet */

static int read_parquet(struct format_options *options, struct connstr *cs,
			struct error *err)
{
	static const char *const times[] = {
		[FORMAT_TIMES_MICROS] = "micros",
		[FORMAT_TIMES_NANOS] = "nanos",
		[FORMAT_TIMES_TEXT] = "text",
	};
	const char *size = connstr_get(cs, "row_group_mb");
	long megabytes = GROUP_MB_DEFAULT;
	int at = (int)options->times;

	if (size && (!text_to_long(size, &megabytes) || megabytes < 1 ||
		     megabytes > GROUP_MB_MAX))
		return refuse("row_group_mb", "a whole number from 1 to 4096",
			      err);
	options->row_group_bytes = (size_t)megabytes << 20;
	if (get_word(cs, "timestamps|parquet_timestamps",
		     "micros, nanos or text", times,
		     sizeof(times) / sizeof(*times), &at, err) < 0)
		return -1;
	options->times = (enum format_times)at;
	if (get_flag(cs, "uuid|parquet_uuid", "binary or text", "binary",
		     "text", &options->uuid_text, err) < 0)
		return -1;
	return get_flag(cs, "delta|parquet_delta", "yes or no", "no", "yes",
			&options->delta, err);
}

/* ---------------------------------------------------------------------- CSV */

/* A sign that stands in no number, time, or bytes: those need no quotes. */
static bool is_sign(char c)
{
	return c == '\t' ||
	       (c > ' ' && c < 0x7f && !strchr("+-./:=", c) &&
		!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') &&
		!(c >= 'A' && c <= 'Z'));
}

static int read_delimiter(struct format_options *options, struct connstr *cs,
			  struct error *err)
{
	static const char names[] = "delimiter|csv_delimiter";
	static const struct {
		const char *word;
		char sign;
	} words[] = {{"comma", ','},
		     {"semicolon", ';'},
		     {"tab", '\t'},
		     {"pipe", '|'}};
	const char *value = connstr_get(cs, names);
	char sign = value && strlen(value) == 1 ? value[0] : '\0';

	if (!value)
		return 0;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (text_iequal(value, words[i].word))
			sign = words[i].sign;
	if (!is_sign(sign))
		return refuse(names,
			      "comma, semicolon, tab, pipe, or one ASCII sign "
			      "that is no letter, digit or one of + - . / : =",
			      err);
	options->delimiter = sign;
	return 0;
}

static int read_quote(struct format_options *options, struct connstr *cs,
		      struct error *err)
{
	static const char names[] = "quote|csv_quote";
	const char *value = connstr_get(cs, names);

	if (value && (strlen(value) != 1 || !is_sign(value[0])))
		return refuse(names,
			      "one ASCII sign that is no letter, digit or one "
			      "of + - . / : =",
			      err);
	if (value)
		options->quote = value[0];
	if (options->quote == options->delimiter)
		return refuse(names, "another sign than the delimiter", err);
	return 0;
}

/* What stands for NULL has to be told from what surrounds it. */
static int read_null(struct format_options *options, struct connstr *cs,
		     struct error *err)
{
	static const char names[] = "null|csv_null";
	const char *value = connstr_get(cs, names);
	const char forbidden[] = {options->delimiter, options->quote, '\r',
				  '\n', '\0'};

	if (!value)
		return 0;
	if (strlen(value) >= sizeof(options->null_text) ||
	    strpbrk(value, forbidden) || !text_is_utf8(value, strlen(value)))
		return refuse(names,
			      "a text of at most 31 bytes without delimiters, "
			      "quotes and line ends",
			      err);
	text_copy(options->null_text, sizeof(options->null_text), value);
	return 0;
}

/* YYYY, MM and DD once each, and signs that mean nothing else in a file. */
static bool is_date_format(const char *format)
{
	static const char *const parts[] = {"YYYY", "MM", "DD"};
	int found[3] = {0};

	while (*format) {
		size_t i = 0, len;

		while (i < 3 &&
		       strncmp(format, parts[i], strlen(parts[i])) != 0)
			i++;
		len = i < 3 ? strlen(parts[i]) : 1;
		if (i < 3)
			found[i]++;
		else if (!strchr("-./ ", *format))
			return false;
		format += len;
	}
	return found[0] == 1 && found[1] == 1 && found[2] == 1;
}

static int read_date(struct format_options *options, struct connstr *cs,
		     struct error *err)
{
	static const char names[] = "date_format|csv_date_format";
	const char *value = connstr_get(cs, names);

	if (!value)
		return 0;
	if (strlen(value) >= sizeof(options->date) || !is_date_format(value))
		return refuse(names,
			      "made of YYYY, MM and DD, once each, with - . / "
			      "or blanks in between, as in DD.MM.YYYY",
			      err);
	text_copy(options->date, sizeof(options->date), value);
	return 0;
}

static int read_csv(struct format_options *options, struct connstr *cs,
		    struct error *err)
{
	if (read_delimiter(options, cs, err) < 0 ||
	    read_quote(options, cs, err) < 0 ||
	    read_null(options, cs, err) < 0 || read_date(options, cs, err) < 0)
		return -1;
	if (get_flag(cs, "header|csv_header", "yes or no", "no", "yes",
		     &options->header, err) < 0 ||
	    get_flag(cs, "line_end|csv_line_end", "lf or crlf", "lf", "crlf",
		     &options->crlf, err) < 0 ||
	    get_flag(cs, "binary|csv_binary", "hex or base64", "hex", "base64",
		     &options->base64, err) < 0)
		return -1;
	return get_flag(cs, "date_separator|csv_date_separator", "T or blank",
			"T", "blank", &options->blank, err);
}

/* --------------------------------------------------------------------- JSON */

static int read_jsonl(struct format_options *options, struct connstr *cs,
		      struct error *err)
{
	options->base64 = true;
	return get_flag(cs, "decimals|json_decimals", "number or string",
			"number", "string", &options->decimal_text, err);
}

int format_options_read(struct format_options *options,
			const struct format *format, struct connstr *cs,
			struct error *err)
{
	*options = (struct format_options){
		.format = format,
		.row_group_bytes = (size_t)GROUP_MB_DEFAULT << 20,
		.delta = true,
		.delimiter = ',',
		.quote = '"',
		.header = true,
		.crlf = true,
		.date = "YYYY-MM-DD",
	};
	if (read_compression(options, cs, err) < 0 ||
	    read_level(options, cs, err) < 0)
		return -1;
	if (format == &format_parquet)
		return read_parquet(options, cs, err);
	return format == &format_csv ? read_csv(options, cs, err)
				     : read_jsonl(options, cs, err);
}
