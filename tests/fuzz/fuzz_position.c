/*
 * Positions and times, row/position.h and base/clock.h, which come back from
 * a destination's own tables.
 *
 * A position that fits reads as its bytes in hexadecimal, one that does not is
 * refused; read back it is the same. A time is taken only in its one form, and written out again it is
 * the same time.
 */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "row/position.h"

static unsigned nibble(char digit)
{
	const char *at = strchr("0123456789ABCDEF", digit);

	HOLDS(digit && at);
	return (unsigned)(at - "0123456789ABCDEF");
}

static void check_position(const uint8_t *data, size_t size)
{
	struct position pos = {.len = 0}, copy;
	struct error err = ERROR_INIT;
	char text[POSITION_TEXT_MAX];

	if (position_set(&pos, data, size, &err) < 0) {
		HOLDS(size > POSITION_MAX);
		check_error(&err);
		return;
	}
	HOLDS(size <= POSITION_MAX);
	position_format(text, &pos);
	if (!size) {
		HOLDS(!*text);
		return;
	}
	HOLDS(strlen(text) == 2 + 2 * size && !strncmp(text, "0x", 2));
	for (size_t i = 0; i < size; i++)
		HOLDS(nibble(text[2 + 2 * i]) * 16 + nibble(text[3 + 2 * i]) ==
		      data[i]);
	HOLDS(position_parse(&copy, text) == 0);
	HOLDS(position_equal(&pos, &copy));
	copy.bytes[size / 2] ^= 1;
	HOLDS(!position_equal(&pos, &copy));
}

/* What is taken for one is written the same way again. */
static void check_text(const char *text)
{
	char again[POSITION_TEXT_MAX];
	struct position pos;

	if (position_parse(&pos, text) < 0) {
		HOLDS(!pos.len);
		return;
	}
	position_format(again, &pos);
	HOLDS(!strcmp(again, text));
}

static void check_time(const char *text)
{
	char again[CLOCK_TEXT_MAX];
	int64_t us, us_again;

	if (clock_parse(text, &us) < 0)
		return;
	HOLDS(strlen(text) >= 19);
	clock_format(again, us);
	HOLDS(strlen(again) == 26);
	HOLDS(clock_parse(again, &us_again) == 0 && us_again == us);
	HOLDS(!strncmp(again, text, 10));
	HOLDS(!strncmp(again + 11, text + 11, 8));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	char *text = take_text(&in, size);

	check_position(data, size);
	check_text(text);
	check_time(text);
	free(text);
	return 0;
}
