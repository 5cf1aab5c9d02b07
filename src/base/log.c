#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#define LINE_MAX_BYTES 8192

/* Three names of 255 characters, and what stands between them. */
#define NAME_MAX_BYTES 3200

static const char *const level_names[] = {
	[LOG_DEBUG] = "DEBUG",
	[LOG_INFO] = "INFO",
	[LOG_WARNING] = "WARNING",
	[LOG_ERROR] = "ERROR",
};

/* Written once by log_setup, before there are other threads. */
static enum log_level least_level = LOG_INFO;
static bool as_json;

static _Thread_local struct {
	int mapping_id;
	const char *name;
	const char *run;
} scope;

void log_setup(enum log_level least, bool json)
{
	least_level = least;
	as_json = json;
}

void log_scope(int mapping_id, const char *name, const char *run)
{
	scope.mapping_id = mapping_id;
	scope.name = name;
	scope.run = run;
}

void log_run(const char *run)
{
	scope.run = run;
}

const char *log_level_name(enum log_level level)
{
	return level_names[level];
}

bool log_level_parse(const char *name, enum log_level *level)
{
	for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
		if (text_iequal(name, level_names[i])) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

static json_t *put_name(json_t *line, const char *key, const char *s)
{
	char name[NAME_MAX_BYTES];

	if (!s)
		return line;
	text_copy(name, sizeof(name), s);
	text_make_utf8(name);
	return json_put(line, key, json_string(name));
}

static char *format_json(const char *time, enum log_level level,
			 const char *message)
{
	json_t *line = json_pack("{s:s, s:s}", "time", time, "level",
				 level_names[level]);
	char *text;

	if (scope.mapping_id)
		line = json_put(line, "mapping_id",
				json_integer(scope.mapping_id));
	line = put_name(line, "mapping", scope.name);
	line = put_name(line, "run", scope.run);
	line = json_put(line, "message", json_string(message));
	text = json_format(line, JSON_COMPACT);
	json_decref(line);
	return text;
}

/* Without memory, where a line is missing shall be seen. */
static void print_json(const char *time, enum log_level level,
		       const char *message)
{
	char *text = format_json(time, level, message);

	if (text)
		fprintf(stderr, "%s\n", text);
	else
		fprintf(stderr,
			"{\"time\":\"%s\",\"level\":\"%s\",\"message\":"
			"\"out of memory for a line of the log\"}\n",
			time, level_names[level]);
	free(text);
}

/* A message holds no line break, or one entry would look like two. */
static void flatten(char *message)
{
	for (; *message; message++)
		if ((unsigned char)*message < ' ')
			*message = ' ';
}

static void print_text(const char *time, enum log_level level, char *message)
{
	char name[NAME_MAX_BYTES] = "", where[NAME_MAX_BYTES + 128] = "";

	if (scope.name) {
		text_copy(name, sizeof(name), scope.name);
		text_make_utf8(name);
	}
	if (scope.mapping_id)
		snprintf(where, sizeof(where), "[mapping %d%s%s%s%s] ",
			 scope.mapping_id, scope.name ? " " : "", name,
			 scope.run ? " run " : "", scope.run ? scope.run : "");
	flatten(message);
	flatten(where);
	fprintf(stderr, "%s %-7s %s%s\n", time, level_names[level], where,
		message);
}

/* One call for the whole line, so that lines of two threads never mix. */
void log_write(enum log_level level, const char *fmt, ...)
{
	char message[LINE_MAX_BYTES], time[CLOCK_TEXT_MAX];
	va_list ap;

	if (level < least_level)
		return;
	clock_format(time, clock_utc_us());
	text_append(time, sizeof(time), "Z");
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	text_trim_partial_utf8(message);
	text_make_utf8(message);

	if (as_json)
		print_json(time, level, message);
	else
		print_text(time, level, message);
}
