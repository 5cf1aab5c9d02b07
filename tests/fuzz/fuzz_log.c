/*
 * Log lines, base/log.h: names and messages that others wrote.
 *
 * An entry is one line of valid UTF-8 without control characters, whatever is
 * in it. As JSON it reads back with the name and the message that went in.
 */
#include "fuzz/fuzz.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "unit/utf8.h"

/* What one entry puts on stderr, to be freed. */
static char *written(bool json, const char *name, const char *message)
{
	FILE *real = stderr;
	char *line = NULL;
	size_t len;

	stderr = open_memstream(&line, &len);
	HOLDS(stderr);
	log_setup(LOG_INFO, json);
	log_scope(7, name, "run");
	log_write(LOG_DEBUG, "not this one");
	log_write(LOG_WARNING, "%s", message);
	log_scope(0, NULL, NULL);
	fclose(stderr);
	stderr = real;
	HOLDS(line && strlen(line) == len);
	return line;
}

static void check_line(const char *line)
{
	size_t len = strlen(line);

	HOLDS(len > 1 && line[len - 1] == '\n' && is_utf8(line));
	for (size_t i = 0; i < len - 1; i++)
		HOLDS((unsigned char)line[i] >= ' ');
}

static void check_member(const json_t *object, const char *key,
			 const char *text)
{
	const char *value = json_string_value(json_object_get(object, key));
	char *wanted = strdup(text);

	HOLDS(value && wanted);
	text_trim_partial_utf8(wanted); /* which may have been cut there */
	text_make_utf8(wanted);
	if (strlen(wanted) < 3000)
		HOLDS(!strcmp(value, wanted));
	free(wanted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	char *name = take_text(&in, size);
	char *message = take_text(&in, size);
	char *line = written(false, name, message);
	json_t *object;

	check_line(line);
	free(line);
	line = written(true, name, message);
	check_line(line);
	object = json_loads(line, 0, NULL);
	HOLDS(object);
	check_member(object, "mapping", name);
	check_member(object, "message", message);
	json_decref(object);
	free(line);
	free(message);
	free(name);
	return 0;
}
