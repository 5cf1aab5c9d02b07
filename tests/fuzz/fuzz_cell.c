/*
 * Text of the control tables on its way to a terminal, cli/cell.h.
 *
 * What comes out is valid UTF-8 without control characters, has no more
 * characters than columns were asked for, and plain text comes out as it is.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "cli/cell.h"
#include "unit/utf8.h"

static bool is_plain(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

static void check_output(const struct strbuf *out)
{
	HOLDS(!out->failed && is_utf8(out->data));
	for (size_t i = 0; i < out->len; i++)
		HOLDS((unsigned char)out->data[i] >= ' ' &&
		      out->data[i] != 0x7f);
	HOLDS(!strstr(out->data, "\xc2\x9b")); /* CSI in eight bits */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	int width = (int)take_below(&in, 100);
	char *text = take_text(&in, in.len);
	struct strbuf out;

	strbuf_init(&out);
	cell_add(&out, text, width);
	check_output(&out);
	HOLDS(out.len >= (size_t)width || !is_plain(text));
	if (is_plain(text)) {
		HOLDS(out.len == (size_t)width);
		HOLDS(!strncmp(out.data, text,
			       strlen(text) < (size_t)width ? strlen(text)
							    : (size_t)width));
	}
	strbuf_reset(&out);
	cell_add_right(&out, text, width);
	check_output(&out);
	strbuf_reset(&out);
	cell_add_text(&out, text, 0);
	check_output(&out);
	if (is_plain(text))
		HOLDS(!strcmp(out.data, text));
	strbuf_release(&out);
	free(text);
	return 0;
}
