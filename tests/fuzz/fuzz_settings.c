/*
 * The rows of table config, control/settings.h.
 *
 * One row changes one setting at most. Taken, the setting is the number that
 * stands there (or 0 and 1 for its words), and that number is taken again;
 * refused, it is as it was before, and the message names its key. All others
 * have their defaults. Many rows, some twice, do no worse.
 */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "control/settings.h"

#define ROWS_MAX 12
#define BEFORE	 (-7)	  /* no setting can be that */
#define NOWHERE	 "before" /* nor the text that */

/* All but the text at the end are int. */
#define VALUES (offsetof(struct settings, metrics_listen) / sizeof(int))

/* All settings one by one, whatever they are called. */
union values {
	struct settings settings;
	int value[VALUES];
};

static void fill(union values *all)
{
	for (size_t i = 0; i < VALUES; i++)
		all->value[i] = BEFORE;
	memset(all->settings.metrics_listen, 0, ENDPOINT_TEXT_MAX);
	text_copy(all->settings.metrics_listen, ENDPOINT_TEXT_MAX, NOWHERE);
}

static int load(union values *all, struct control_setting *rows, size_t count,
		struct error *err)
{
	struct control_snapshot snapshot = {
		.settings = rows,
		.setting_count = count,
	};

	return settings_load(&all->settings, &snapshot, err);
}

/* Where they differ; VALUES: nowhere. In more than one place: a bug. */
static size_t difference(const union values *a, const union values *b)
{
	size_t at = VALUES;

	for (size_t i = 0; i < VALUES; i++) {
		if (a->value[i] == b->value[i])
			continue;
		HOLDS(at == VALUES);
		at = i;
	}
	return at;
}

static void check_taken(const char *key, const char *value, int taken)
{
	struct error err = ERROR_INIT;
	union values again, defaults;
	char text[32];
	struct control_setting row = {key, text};
	long number;

	settings_init(&defaults.settings);
	if (!text_to_long(value, &number)) {
		HOLDS(taken == 0 || taken == 1);
		return;
	}
	HOLDS(taken == number);
	snprintf(text, sizeof(text), "%d", taken);
	fill(&again);
	HOLDS(load(&again, &row, 1, &err) == 0);
	HOLDS(again.value[difference(&again, &defaults)] == taken);
}

/* Keys ignore case, the message has them as they are known. */
static bool mentions(const char *message, const char *key)
{
	for (; *message; message++)
		if (text_istarts(message, key))
			return true;
	return false;
}

static void check_one(const char *key, const char *value)
{
	struct control_setting row = {key, value};
	struct error err = ERROR_INIT;
	union values all, defaults;
	size_t at;

	fill(&all);
	settings_init(&defaults.settings);
	if (load(&all, &row, 1, &err) == 0) {
		at = difference(&all, &defaults);
		if (at < VALUES)
			check_taken(key, value, all.value[at]);
		return;
	}
	check_error(&err);
	HOLDS(err.kind == ERROR_CONFIG);
	at = difference(&all, &defaults);
	if (text_iequal(key, "metrics_listen"))
		HOLDS(at == VALUES &&
		      !strcmp(all.settings.metrics_listen, NOWHERE));
	else
		HOLDS(at < VALUES && all.value[at] == BEFORE);
	HOLDS(mentions(err.message, key));
}

static void check_many(struct control_setting *rows, size_t count)
{
	struct error err = ERROR_INIT;
	union values all, again;

	settings_init(&all.settings);
	if (load(&all, rows, count, &err) < 0)
		check_error(&err);
	again = all;
	/* The same rows say the same. */
	(void)!load(&again, rows, count, &err);
	HOLDS(!memcmp(&again, &all, sizeof(all)));
	for (size_t i = 0; i < VALUES; i++)
		HOLDS(all.value[i] >= 0);
}

/* A known key, most of the time, and sometimes none. */
static const char *take_key(struct input *in, char **owned)
{
	char ignored[16];
	unsigned which = take_byte(in);
	const char *known = settings_key((int)which, ignored);

	if (known || which == 255)
		return known;
	*owned = take_text(in, 64);
	return *owned;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct control_setting rows[ROWS_MAX];
	char *owned[2 * ROWS_MAX] = {NULL};
	size_t count = take_below(&in, ROWS_MAX) + 1;

	for (size_t i = 0; i < count; i++) {
		rows[i].key = take_key(&in, &owned[2 * i]);
		if (take_byte(&in) != 255)
			owned[2 * i + 1] = take_text(&in, 100);
		rows[i].value = owned[2 * i + 1];
	}
	if (rows[0].key && rows[0].value)
		check_one(rows[0].key, rows[0].value);
	check_many(rows, count);
	for (size_t i = 0; i < 2 * count; i++)
		free(owned[i]);
	return 0;
}
