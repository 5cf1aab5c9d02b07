/*
 * Names and messages that others wrote, on their way to a Prometheus and to the
 * status page: monitor/metrics.h and monitor/status.h.
 *
 * Each line of the metrics is a comment or one sample, whose labels read back
 * as the names that went in: no name makes another sample or another label. The
 * status reads as JSON, with every text as it was, and nothing in it can end
 * the element of a page.
 */
#include "fuzz/fuzz.h"

#include <ctype.h>
#include <string.h>

#include <jansson.h>

#include "monitor/metrics.h"
#include "monitor/status.h"

#define MAPPINGS  2
#define TEXTS	  16
#define LABEL_MAX 4096

struct scene {
	struct overview overview;
	struct overview_mapping mappings[MAPPINGS];
	struct overview_error error;
	char *texts[TEXTS];
	size_t text_count;
};

static const char *keep(struct scene *scene, struct input *in)
{
	return scene->texts[scene->text_count++] = take_utf8(in, 400);
}

static void fill_mapping(struct scene *scene, struct overview_mapping *mapping,
			 struct input *in)
{
	mapping->id = (int)take_number(in, 1);
	mapping->lag_s = (double)(int64_t)take_number(in, 8);
	mapping->rows = (int64_t)take_number(in, 8);
	mapping->server = keep(scene, in);
	mapping->source = keep(scene, in);
	mapping->dest = keep(scene, in);
	mapping->state = keep(scene, in);
	mapping->reason = keep(scene, in);
	mapping->health = OVERVIEW_ERROR;
	if (mapping->rows & 1) {
		mapping->run.sync_type = "FULL_SYNC";
		mapping->run.processed = (int64_t)take_number(in, 8);
		mapping->run.expected = (int64_t)take_number(in, 8);
		mapping->run.rows_per_second = (double)take_number(in, 4);
	}
}

static void fill(struct scene *scene, struct input *in)
{
	memset(scene, 0, sizeof(*scene));
	for (size_t i = 0; i < MAPPINGS; i++)
		fill_mapping(scene, &scene->mappings[i], in);
	scene->error.type = "SYNC";
	scene->error.message = keep(scene, in);
	scene->overview.not_ready = keep(scene, in);
	scene->overview.daemon = keep(scene, in);
	scene->overview.taken_us = (int64_t)take_number(in, 6);
	scene->overview.mappings = scene->mappings;
	scene->overview.mapping_count = MAPPINGS;
	scene->overview.recent = &scene->error;
	scene->overview.recent_count = 1;
}

/* ------------------------------------------------------------------ metrics */

/* A label's value, from behind its quote to behind the closing one. */
static const char *read_value(const char *s, char out[LABEL_MAX])
{
	size_t len = 0;

	for (; *s != '"'; s++) {
		HOLDS(*s && *s != '\n' && len < LABEL_MAX - 1);
		if (*s == '\\') {
			s++;
			HOLDS(*s == '\\' || *s == '"' || *s == 'n');
			out[len++] = *s == 'n' ? '\n' : *s;
		} else {
			out[len++] = *s;
		}
	}
	out[len] = '\0';
	return s + 1;
}

static const char *read_word(const char *s, char out[64])
{
	size_t len = 0;

	for (; isalnum((unsigned char)*s) || *s == '_'; s++) {
		HOLDS(len < 63);
		out[len++] = *s;
	}
	out[len] = '\0';
	HOLDS(len > 0);
	return s;
}

/* What the label `name` of some mapping has to be. */
static bool is_known(const struct scene *scene, const char *name,
		     const char *value)
{
	for (size_t i = 0; i < MAPPINGS; i++) {
		const struct overview_mapping *m = &scene->mappings[i];

		if ((!strcmp(name, "server") && !strcmp(value, m->server)) ||
		    (!strcmp(name, "source") && !strcmp(value, m->source)) ||
		    (!strcmp(name, "destination") && !strcmp(value, m->dest)) ||
		    (!strcmp(name, "state") && !strcmp(value, m->state)))
			return true;
	}
	return !strcmp(name, "mapping_id") || !strcmp(name, "health") ||
	       !strcmp(name, "type") || !strcmp(name, "result") ||
	       !strcmp(name, "version") || !strcmp(name, "access");
}

static const char *check_sample(const struct scene *scene, const char *s)
{
	char word[64], value[LABEL_MAX], *end;

	s = read_word(s, word);
	HOLDS(!strncmp(word, "dataflow_", 9));
	if (*s == '{') {
		do {
			s = read_word(s + 1, word);
			HOLDS(s[0] == '=' && s[1] == '"');
			s = read_value(s + 2, value);
			HOLDS(is_known(scene, word, value));
		} while (*s == ',');
		HOLDS(*s == '}');
		s++;
	}
	HOLDS(*s == ' ');
	strtod(s, &end);
	HOLDS(end > s && *end == '\n');
	return end + 1;
}

static void check_metrics(const struct scene *scene)
{
	struct strbuf metrics;
	const char *s;

	strbuf_init(&metrics);
	metrics_write(&metrics, &scene->overview);
	HOLDS(!metrics.failed);
	for (s = metrics.data; *s;)
		s = *s == '#' ? strchr(s, '\n') + 1 : check_sample(scene, s);
	strbuf_release(&metrics);
}

/* ------------------------------------------------------------------- status */

static void check_text(const json_t *object, const char *key, const char *text)
{
	const char *found = json_string_value(json_object_get(object, key));

	HOLDS(*text ? found && !strcmp(found, text) : !found || !*found);
}

static void check_status(const struct scene *scene)
{
	struct strbuf status;
	json_t *root, *mappings, *recent;

	strbuf_init(&status);
	status_write(&status, &scene->overview);
	root = json_loads(status.data, 0, NULL);
	HOLDS(root);
	check_text(json_object_get(root, "daemon"), "not_ready",
		   scene->overview.not_ready);
	mappings = json_object_get(root, "mappings");
	HOLDS(json_array_size(mappings) == MAPPINGS);
	for (size_t i = 0; i < MAPPINGS; i++) {
		json_t *one = json_array_get(mappings, i);

		check_text(one, "server", scene->mappings[i].server);
		check_text(one, "source", scene->mappings[i].source);
		check_text(one, "destination", scene->mappings[i].dest);
		check_text(one, "reason", scene->mappings[i].reason);
	}
	recent = json_array_get(json_object_get(root, "recent_errors"), 0);
	check_text(recent, "message", scene->error.message);
	json_decref(root);
	strbuf_release(&status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct scene scene;

	fill(&scene, &in);
	check_metrics(&scene);
	check_status(&scene);
	for (size_t i = 0; i < scene.text_count; i++)
		free(scene.texts[i]);
	return 0;
}
