#include "cli/cell.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * The character at `s`, and how many bytes it has; 0 for a byte that is part of
 * none: what is longer than it need be, a surrogate, or cut off.
 */
static uint32_t decode(const unsigned char *s, size_t *len)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	size_t more = *s >= 0xf0 ? 3 : *s >= 0xe0 ? 2 : *s >= 0xc0 ? 1 : 0;
	uint32_t value = more ? *s & (0x3fu >> more) : *s;

	*len = 1;
	if (*s >= 0xf8 || (*s >= 0x80 && !more))
		return 0;
	for (size_t i = 1; i <= more; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (s[i] & 0x3f);
	}
	if (value < least[more] || value > 0x10ffff ||
	    (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*len = more + 1;
	return value;
}

static int width_of(uint32_t c)
{
	static const struct {
		uint32_t from, to;
		int width;
	} odd[] = {
		{0x300, 0x36f, 0},     {0x1100, 0x115f, 2},
		{0x200b, 0x200f, 0},   {0x2e80, 0xa4cf, 2},
		{0xac00, 0xd7a3, 2},   {0xf900, 0xfaff, 2},
		{0xfe00, 0xfe0f, 0},   {0xfe30, 0xfe6f, 2},
		{0xff00, 0xff60, 2},   {0xffe0, 0xffe6, 2},
		{0x1f300, 0x1faff, 2}, {0x20000, 0x3fffd, 2},
	};

	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
		if (c >= odd[i].from && c <= odd[i].to)
			return odd[i].width;
	return 1;
}

/* Marks that turn the direction of text are no better than controls. */
static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) ||
	       (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* How many columns were written. */
static int add(struct strbuf *out, const char *text, int most)
{
	int used = 0;
	size_t len;

	for (; *text; text += len) {
		uint32_t c = decode((const unsigned char *)text, &len);
		bool odd = is_control(c);
		int width = odd ? 1 : width_of(c);

		if (used + width > most)
			break;
		if (odd)
			strbuf_addch(out, c == '\n' || c == '\t' || c == '\r'
						  ? ' '
						  : '?');
		else
			strbuf_add(out, text, len);
		used += width;
	}
	return used;
}

void cell_add(struct strbuf *out, const char *text, int width)
{
	for (int used = add(out, text, width); used < width; used++)
		strbuf_addch(out, ' ');
}

void cell_add_right(struct strbuf *out, const char *text, int width)
{
	struct strbuf cut;
	int used;

	strbuf_init(&cut);
	for (used = add(&cut, text, width); used < width; used++)
		strbuf_addch(out, ' ');
	strbuf_add(out, cut.data, cut.len);
	if (cut.failed)
		out->failed = cut.failed;
	strbuf_release(&cut);
}

void cell_add_text(struct strbuf *out, const char *text, int width)
{
	add(out, text, width ? width : INT_MAX);
}

void cell_print(struct strbuf *line)
{
	puts(line->failed ? CELL_NO_MEMORY : line->data);
	strbuf_release(line);
}

void cell_print_text(FILE *to, const char *text)
{
	struct strbuf line;

	strbuf_init(&line);
	cell_add_text(&line, text, 0);
	fprintf(to, "%s\n", line.failed ? CELL_NO_MEMORY : line.data);
	strbuf_release(&line);
}
