/*
 * The progress of a verification as the control tables keep it, engine/tally.h,
 * and a person's WHERE condition, drivers/sqlserver/condition.h.
 *
 * What is taken from a text is written again as the same; what is none leaves
 * nothing behind, and the message is UTF-8. A key that is taken fits a table or
 * is refused by it. A condition that is taken has nothing that could end the
 * parentheses it is put into.
 */
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/sqlserver/condition.h"
#include "engine/tally.h"

/* The key of some table: a number and a text. */
static void try_key(const struct row_key *key)
{
	struct column columns[] = {
		{.name = "a", .type = ROW_INT64},
		{.name = "b", .type = ROW_TEXT},
	};
	struct table table = {.columns = columns, .column_count = 2};
	struct error err = ERROR_INIT;
	struct batch batch;

	if (!key->bytes)
		return;
	HOLDS(batch_init(&batch, &table, 1, 1 << 16, &err) == 0);
	HOLDS(row_key_put(key, &batch, &err) < 0 || batch.rows == 1);
	batch_release(&batch);
}

static void try_progress(const char *text)
{
	struct error err = ERROR_INIT;
	struct tally tally, again;
	char *once, *twice;

	if (tally_parse(&tally, text, &err) < 0) {
		check_error(&err);
		HOLDS(!tally.shown && !tally.at.key.bytes && !tally.condition);
		return;
	}
	try_key(&tally.at.key);
	once = tally_format(&tally);
	HOLDS(once && tally_parse(&again, once, &err) == 0);
	twice = tally_format(&again);
	HOLDS(twice && !strcmp(once, twice));
	free(once);
	free(twice);
	tally_release(&again);
	tally_release(&tally);
}

/* A second look, which knows nothing of the first one's way. */
static bool could_end(const char *s)
{
	int depth = 0;
	char quote = 0;

	for (; *s; s++) {
		if (quote) {
			if (*s == quote && s[1] == quote)
				s++;
			else if (*s == quote)
				quote = 0;
		} else if (*s == '\'' || *s == '"') {
			quote = *s;
		} else if (*s == '[') {
			quote = ']';
		} else if (*s == ';' || !strncmp(s, "--", 2) ||
			   !strncmp(s, "/*", 2)) {
			return true;
		} else if (*s == '(') {
			depth++;
		} else if (*s == ')' && depth-- == 0) {
			return true;
		}
	}
	return quote || depth;
}

static void try_condition(const char *text)
{
	struct error err = ERROR_INIT;

	if (condition_check(text, &err) == 0)
		HOLDS(!could_end(text));
	else
		check_error(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	bool is_condition = take_byte(&in) & 1;
	char *text = take_text(&in, 65536);

	if (is_condition)
		try_condition(text);
	else
		try_progress(text);
	free(text);
	return 0;
}
