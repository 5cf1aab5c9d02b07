#include "control/settings.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define WORDS_MAX ERROR_ACTIONS

/*
 * A setting is a number in a range, one of some words (from 0 on), or a text:
 * where to listen, "" unless the table says so.
 */
static const struct known {
	const char *key;
	size_t offset;
	int fallback;
	int min, max;
	const char *words[WORDS_MAX];
	bool is_text;
} known[] = {
#define NUMBER(key, field, fallback, min, max)                             \
	{                                                                  \
		key, offsetof(struct settings, field), fallback, min, max, \
			{NULL}, false                                      \
	}
#define FLAG(key, field, fallback)                                             \
	{                                                                      \
		key, offsetof(struct settings, field), fallback, 0, 1, {NULL}, \
			false                                                  \
	}
/* The words are those of enum error_action, in its order. */
#define ACTION(key, class, log, park)                                  \
	{                                                              \
		key,                                                   \
			offsetof(struct settings, on_error) +          \
				(class) * sizeof(int),                 \
			ERROR_ACTION_RETRY, 0, 0,                      \
			{"RETRY", "SUSPEND", "STOP", log, park}, false \
	}
	NUMBER("cdc_check_interval_seconds", check_interval_s, 10, 1, 3600),
	NUMBER("max_retry_attempts", max_attempts, 3, 1, 1000),
	NUMBER("retry_delay_seconds", retry_delay_s, 30, 0, 3600),
	NUMBER("batch_size", batch_rows, 1000, 1, 100000),
	NUMBER("batch_memory_mb", batch_memory_mb, 4, 1, 1024),
	NUMBER("memory_limit_mb", memory_limit_mb, 256, 64, 1048576),
	NUMBER("max_connections", max_connections, 50, 4, 10000),
	NUMBER("connect_timeout_seconds", connect_timeout_s, 15, 1, 600),
	NUMBER("query_timeout_seconds", query_timeout_s, 600, 0, 86400),
	FLAG("initial_full_sync", initial_full_sync, 1),
	{"full_sync_mode",
	 offsetof(struct settings, truncate),
	 0,
	 0,
	 1,
	 {"swap", "truncate"},
	 false},
	NUMBER("load_readers", load_readers, 4, 1, 64),
	NUMBER("load_part_rows", load_part_rows, 1000000, 1000, 1000000000),
	FLAG("create_missing_tables", create_missing_tables, 1),
	FLAG("resync_on_gap", resync_on_gap, 1),
	NUMBER("cdc_window_transactions", window_transactions, 5000, 1,
	       1000000),
	NUMBER("spill_limit_mb", spill_limit_mb, 1024, 1, 1048576),
	NUMBER("lease_seconds", lease_s, 30, 3, 3600),
	NUMBER("lag_warning_seconds", lag_warning_s, 60, 1, 1000000),
	NUMBER("log_retention_days", log_retention_days, 30, 1, 36500),
	NUMBER("verification_interval_minutes", verification_interval_min, 5, 0,
	       100000),
	NUMBER("verification_row_count", verification_rows, 10000, 1, 1000000),
	NUMBER("full_verification_hours", full_verification_hours, 0, 0, 10000),
	FLAG("auto_repair", auto_repair, 0),
	NUMBER("auto_repair_max_rows", auto_repair_max_rows, 1000, 0, 1000000),
	ACTION("on_row_error", ERROR_CLASS_ROW, "LOG", "PARK"),
	ACTION("on_table_error", ERROR_CLASS_TABLE, NULL, NULL),
	ACTION("on_connection_error", ERROR_CLASS_CONNECTION, NULL, NULL),
	ACTION("on_conflict_error", ERROR_CLASS_CONFLICT, NULL, NULL),
	NUMBER("suspend_after_row_errors", suspend_after_row_errors, 1000, 0,
	       100000),
	NUMBER("suspend_after_failures", suspend_after_failures, 0, 0, 1000000),
	NUMBER("notify_lag_seconds", notify_lag_s, 300, 0, 10000000),
	NUMBER("notify_delay_seconds", notify_delay_s, 30, 0, 86400),
	NUMBER("notify_repeat_minutes", notify_repeat_min, 60, 1, 100000),
	NUMBER("notify_max_per_hour", notify_max_per_hour, 30, 1, 1000),
	{"metrics_listen",
	 offsetof(struct settings, metrics_listen),
	 0,
	 0,
	 0,
	 {NULL},
	 true},
#undef ACTION
#undef NUMBER
#undef FLAG
};

#define KNOWN_COUNT (sizeof(known) / sizeof(*known))

static int *field(struct settings *settings, const struct known *k)
{
	return (int *)(void *)((char *)settings + k->offset);
}

static char *text_field(struct settings *settings, const struct known *k)
{
	return (char *)settings + k->offset;
}

static void set_fallback(struct settings *settings, const struct known *k)
{
	if (k->is_text)
		memset(text_field(settings, k), 0, ENDPOINT_TEXT_MAX);
	else
		*field(settings, k) = k->fallback;
}

void settings_init(struct settings *settings)
{
	memset(settings, 0, sizeof(*settings));
	for (size_t i = 0; i < KNOWN_COUNT; i++)
		set_fallback(settings, &known[i]);
}

static const char *find_value(const struct control_snapshot *snapshot,
			      const char *key, bool *found)
{
	*found = false;
	for (size_t i = 0; i < snapshot->setting_count; i++) {
		if (text_iequal(snapshot->settings[i].key, key)) {
			*found = true;
			return snapshot->settings[i].value;
		}
	}
	return NULL;
}

static bool parse(const struct known *k, const char *value, int *out)
{
	char buffer[64];
	const char *word;
	long number;

	/* Not by text_copy(), which would leave out half a character. */
	if (strlen(value) >= sizeof(buffer))
		return false;
	memcpy(buffer, value, strlen(value) + 1);
	word = text_trim(buffer);
	for (int i = 0; i < WORDS_MAX && k->words[i]; i++) {
		if (text_iequal(word, k->words[i])) {
			*out = i;
			return true;
		}
	}
	if (k->words[0] || !text_to_long(word, &number) || number < k->min ||
	    number > k->max)
		return false;
	*out = (int)number;
	return true;
}

/* Take a value over if it makes sense. */
static bool take(struct settings *settings, const struct known *k,
		 const char *value)
{
	struct endpoint endpoint;

	if (!k->is_text)
		return parse(k, value, field(settings, k));
	if (!endpoint_parse(value, &endpoint))
		return false;
	set_fallback(settings, k);
	text_copy(text_field(settings, k), ENDPOINT_TEXT_MAX, value);
	return true;
}

/* "'swap' or 'truncate'": the words that there are. */
static void list_words(const struct known *k, char *out, size_t size)
{
	char one[32];

	*out = '\0';
	for (int i = 0; i < WORDS_MAX && k->words[i]; i++) {
		bool last = i + 1 == WORDS_MAX || !k->words[i + 1];

		snprintf(one, sizeof(one), "%s'%s'",
			 !i	? ""
			 : last ? " or "
				: ", ",
			 k->words[i]);
		text_append(out, size, one);
	}
}

static void complain(const struct known *k, char *message, size_t size)
{
	char one[200], words[100];

	list_words(k, words, sizeof(words));
	if (k->is_text)
		snprintf(one, sizeof(one), "%s'%s' must be " ENDPOINT_FORMS,
			 *message ? "; " : "", k->key);
	else if (k->words[0])
		snprintf(one, sizeof(one), "%s'%s' must be %s",
			 *message ? "; " : "", k->key, words);
	else
		snprintf(one, sizeof(one),
			 "%s'%s' must be a number from %d to %d",
			 *message ? "; " : "", k->key, k->min, k->max);
	text_append(message, size, one);
}

int settings_load(struct settings *settings,
		  const struct control_snapshot *snapshot, struct error *err)
{
	char message[ERROR_MESSAGE_MAX] = "";

	for (size_t i = 0; i < KNOWN_COUNT; i++) {
		bool found;
		const char *value = find_value(snapshot, known[i].key, &found);

		if (!found)
			set_fallback(settings, &known[i]);
		else if (!value || !take(settings, &known[i], value))
			complain(&known[i], message, sizeof(message));
	}
	if (!*message)
		return 0;
	return error_set(err, ERROR_CONFIG,
			 "table config: %s; the value before is kept", message);
}

static const struct known *find_class(enum error_class class)
{
	size_t offset =
		offsetof(struct settings, on_error) + class * sizeof(int);
	size_t i = 0;

	while (known[i].offset != offset)
		i++;
	return &known[i];
}

const char *settings_class_key(enum error_class class)
{
	return find_class(class)->key;
}

int settings_action(enum error_class class, const char *word,
		    enum error_action *out, struct error *err)
{
	const struct known *k = find_class(class);
	char words[100];
	int action;

	if (parse(k, word, &action)) {
		*out = (enum error_action)action;
		return 0;
	}
	list_words(k, words, sizeof(words));
	return error_set(err, ERROR_CONFIG, "'%s' must be %s", k->key, words);
}

const char *settings_key(int i, char text[16])
{
	if (i < 0 || (size_t)i >= KNOWN_COUNT)
		return NULL;
	if (known[i].is_text)
		*text = '\0';
	else if (known[i].words[0])
		snprintf(text, 16, "%s", known[i].words[known[i].fallback]);
	else
		snprintf(text, 16, "%d", known[i].fallback);
	return known[i].key;
}
