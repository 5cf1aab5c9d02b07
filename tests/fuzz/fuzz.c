#include "fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>

#include "base/platform.h"
#include "base/text.h"
#include "unit/utf8.h"

void property_fails(const char *property, const char *file, int line)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, property);
	abort();
}

unsigned take_byte(struct input *in)
{
	if (!in->len)
		return 0;
	in->len--;
	return *in->data++;
}

uint64_t take_number(struct input *in, size_t bytes)
{
	uint64_t number = 0;

	for (; bytes > 0; bytes--)
		number = number << 8 | take_byte(in);
	return number;
}

size_t take_below(struct input *in, size_t limit)
{
	return limit > 256 ? take_number(in, 2) % limit : take_byte(in) % limit;
}

static void skip(struct input *in, size_t len)
{
	in->data += len;
	in->len -= len;
}

static void *allocate(size_t len)
{
	void *memory = malloc(len ? len : 1);

	HOLDS(memory);
	return memory;
}

char *take_text(struct input *in, size_t max)
{
	size_t len = in->len < max ? in->len : max;
	const uint8_t *end = len ? memchr(in->data, '\0', len) : NULL;
	char *text;

	if (end)
		len = (size_t)(end - in->data);
	text = allocate(len + 1);
	if (len)
		memcpy(text, in->data, len);
	text[len] = '\0';
	skip(in, len + (end != NULL));
	return text;
}

char *take_utf8(struct input *in, size_t max)
{
	char *text = take_text(in, max);

	text_make_utf8(text);
	return text;
}

unsigned char *take_bytes(struct input *in, size_t len, size_t *got)
{
	unsigned char *bytes;

	*got = in->len < len ? in->len : len;
	bytes = allocate(*got);
	if (*got)
		memcpy(bytes, in->data, *got);
	skip(in, *got);
	return bytes;
}

void check_error(const struct error *err)
{
	HOLDS(err->kind != ERROR_NONE && err->kind != ERROR_INTERNAL);
	HOLDS(err->message[0]);
	HOLDS(is_utf8(err->message));
}

static char folder[512];

static void remove_private_folder(void)
{
	platform_remove_dir(folder);
}

const char *private_folder(void)
{
	struct error err = ERROR_INIT;

	if (!folder[0]) {
		HOLDS(platform_private_dir(folder, sizeof(folder), &err) == 0);
		setenv("TMPDIR", folder, 1);
		atexit(remove_private_folder);
	}
	return folder;
}
