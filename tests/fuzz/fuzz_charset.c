/*
 * Text in the code pages of SQL Server and in UTF-16, row/charset.h.
 *
 * What a code page's bytes become is valid UTF-8, and goes back into bytes
 * that mean the same. What cannot be converted is ERROR_DATA; nothing is
 * replaced or left out. Our own reader of UTF-16 takes and makes exactly what
 * iconv does.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "drivers/sqlserver/catalog.h"
#include "row/charset.h"
#include "unit/utf8.h"

static const int code_pages[] = {437,  850,  874,  932,	 936,  949,
				 950,  1250, 1251, 1252, 1253, 1254,
				 1255, 1256, 1257, 1258, 65001};

#define COUNT (sizeof(code_pages) / sizeof(*code_pages))

/* Each is made once: opening one costs iconv the reading of a file. */
static struct charset reading[COUNT], writing[COUNT], from_utf16, to_utf16;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct error err = ERROR_INIT;

	(void)argc;
	(void)argv;
	for (size_t i = 0; i < COUNT; i++) {
		struct catalog_column column = {
			.wire = WIRE_CHAR,
			.code_page = code_pages[i],
		};
		const char *name = catalog_charset(&column);

		HOLDS(!name == (code_pages[i] == 65001));
		HOLDS(charset_init(&reading[i], name, NULL, &err) == 0);
		HOLDS(charset_init(&writing[i], NULL, name, &err) == 0);
	}
	HOLDS(charset_init(&from_utf16, "UTF-16LE", NULL, &err) == 0);
	HOLDS(charset_init(&to_utf16, NULL, "UTF-16LE", &err) == 0);
	return 0;
}

/* 0 and a copy to be freed, or -1. */
static int convert(struct charset *charset, const void *text, size_t len,
		   unsigned char **out, size_t *out_len)
{
	struct error err = ERROR_INIT;
	const void *result;

	if (charset_convert(charset, text, len, &result, out_len, &err) < 0) {
		check_error(&err);
		HOLDS(err.kind == ERROR_DATA);
		return -1;
	}
	*out = malloc(*out_len + 1);
	HOLDS(*out);
	if (*out_len)
		memcpy(*out, result, *out_len);
	return 0;
}

static void check_code_page(size_t i, const unsigned char *bytes, size_t len)
{
	unsigned char *utf8, *back, *again;
	size_t utf8_len, back_len, again_len;

	if (!reading[i].handle ||
	    convert(&reading[i], bytes, len, &utf8, &utf8_len) < 0)
		return;
	HOLDS(is_utf8_bytes(utf8, utf8_len));
	HOLDS(!len == !utf8_len);
	/* Several bytes may mean the same: compare what they mean. */
	if (convert(&writing[i], utf8, utf8_len, &back, &back_len) == 0) {
		HOLDS(convert(&reading[i], back, back_len, &again,
			      &again_len) == 0);
		HOLDS(again_len == utf8_len && !memcmp(again, utf8, utf8_len));
		free(again);
		free(back);
	} else {
		HOLDS(!"what was read can be written");
	}
	free(utf8);
}

static void check_utf16(const unsigned char *bytes, size_t len)
{
	long need = charset_utf8_length(bytes, len);
	unsigned char *theirs, *ours, *back;
	size_t theirs_len, back_len;

	if (convert(&from_utf16, bytes, len, &theirs, &theirs_len) < 0) {
		HOLDS(need == -1);
		return;
	}
	HOLDS(need == (long)theirs_len);
	ours = malloc(theirs_len ? theirs_len : 1);
	HOLDS(ours);
	charset_utf8_write(bytes, len, ours);
	HOLDS(!memcmp(ours, theirs, theirs_len));
	HOLDS(is_utf8_bytes(ours, theirs_len));
	HOLDS(convert(&to_utf16, ours, theirs_len, &back, &back_len) == 0);
	HOLDS(back_len == len && !memcmp(back, bytes, len));
	free(back);
	free(ours);
	free(theirs);
}

/* Text that was never in a code page: refused, or it comes back as it was. */
static void check_writing(size_t i, const unsigned char *utf8, size_t len)
{
	unsigned char *bytes, *back;
	size_t bytes_len, back_len;

	if (!writing[i].handle || !is_utf8_bytes(utf8, len) ||
	    convert(&writing[i], utf8, len, &bytes, &bytes_len) < 0)
		return;
	HOLDS(convert(&reading[i], bytes, bytes_len, &back, &back_len) == 0);
	/* An accent of its own and the letter with it are the same text. */
	if (code_pages[i] != 1255 && code_pages[i] != 1258)
		HOLDS(back_len == len && !memcmp(back, utf8, len));
	free(back);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	size_t i = take_below(&in, COUNT);
	size_t len;
	unsigned char *bytes = take_bytes(&in, size, &len);

	check_code_page(i, bytes, len);
	check_writing(i, bytes, len);
	check_utf16(bytes, len);
	free(bytes);
	return 0;
}
