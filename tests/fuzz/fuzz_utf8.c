/*
 * Text that others wrote, base/text.h.
 *
 * text_make_utf8() makes valid UTF-8 of anything, of the same length, and
 * changes nothing that is valid; cutting valid text to any size leaves the
 * longest valid beginning that fits; a number is taken as strtol() takes it,
 * and only if nothing else stands there.
 */
#include "fuzz/fuzz.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "unit/utf8.h"

static void check_make(const char *text)
{
	char *copy = strdup(text);

	HOLDS(copy);
	text_make_utf8(copy);
	HOLDS(strlen(copy) == strlen(text) && is_utf8(copy));
	if (is_utf8(text))
		HOLDS(!strcmp(copy, text));
	for (size_t i = 0; copy[i]; i++)
		HOLDS(copy[i] == text[i] ||
		      (copy[i] == '?' && (unsigned char)text[i] >= 0x80));
	free(copy);
}

static void check_cut(const char *text, size_t size)
{
	char *copy = malloc(size);
	size_t len;

	HOLDS(copy);
	text_copy(copy, size, text);
	len = strlen(copy);
	HOLDS(len < size && !memcmp(copy, text, len));
	if (is_utf8(text)) {
		HOLDS(is_utf8(copy));
		HOLDS(len == strlen(text) || len + 4 >= size);
	}
	free(copy);
}

static void check_trim(const char *text)
{
	char *copy = strdup(text), *trimmed;

	HOLDS(copy);
	trimmed = text_trim(copy);
	HOLDS(strspn(trimmed, " \t\r\n\v\f") == 0);
	HOLDS(!*trimmed ||
	      !strchr(" \t\r\n\v\f", trimmed[strlen(trimmed) - 1]));
	HOLDS(strstr(text, trimmed));
	HOLDS(text_iequal(trimmed, trimmed) && text_istarts(copy, ""));
	free(copy);
}

static void check_number(const char *text)
{
	char printed[32];
	long number, again;

	if (!text_to_long(text, &number))
		return;
	HOLDS(strspn(text, " \t\r\n\v\f+-0123456789") == strlen(text));
	HOLDS(number == strtol(text, NULL, 10) && errno != ERANGE);
	snprintf(printed, sizeof(printed), " %ld\n", number);
	HOLDS(text_to_long(printed, &again) && again == number);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	size_t cut = take_below(&in, 64) + 1;
	char *text = take_text(&in, size);

	check_make(text);
	check_cut(text, cut);
	check_trim(text);
	check_number(text);
	free(text);
	return 0;
}
