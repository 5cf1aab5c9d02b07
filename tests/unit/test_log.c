#include "unit/helper.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/log.h"

static int teardown(void **state)
{
	(void)state;
	stderr_release();
	log_setup(LOG_INFO, false);
	log_scope(0, NULL, NULL);
	return 0;
}

static size_t line_count(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

/* The one JSON object that was written; the caller drops it. */
static json_t *only_object(const char *text)
{
	json_error_t why;
	json_t *object;

	assert_int_equal(line_count(text), 1);
	object = json_loads(text, 0, &why);
	if (!object)
		fail_msg("%s: %s", text, why.text);
	assert_true(json_is_object(object));
	return object;
}

static const char *field(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void test_json_line(void **state)
{
	json_t *object;
	int64_t us;
	char *text, time[64];

	(void)state;
	log_setup(LOG_DEBUG, true);
	log_scope(42, "shop.dbo.orders", "run-1");
	stderr_catch();
	log_warning("a \"quoted\" \\ and\ttab\nsecond line: %d", 7);
	text = stderr_caught();
	object = only_object(text);
	assert_string_equal(field(object, "level"), "WARNING");
	assert_string_equal(field(object, "message"),
			    "a \"quoted\" \\ and\ttab\nsecond line: 7");
	assert_int_equal(
		json_integer_value(json_object_get(object, "mapping_id")), 42);
	assert_string_equal(field(object, "mapping"), "shop.dbo.orders");
	assert_string_equal(field(object, "run"), "run-1");
	snprintf(time, sizeof(time), "%s", field(object, "time"));
	assert_int_equal(time[strlen(time) - 1], 'Z');
	time[strlen(time) - 1] = '\0';
	assert_int_equal(clock_parse(time, &us), 0);
	assert_true(llabs(us - clock_utc_us()) < 60000000);
	json_decref(object);
	free(text);
}

static void test_json_without_scope(void **state)
{
	json_t *object;
	char *text;

	(void)state;
	log_setup(LOG_INFO, true);
	log_scope(0, NULL, NULL);
	stderr_catch();
	log_info("hello");
	text = stderr_caught();
	object = only_object(text);
	assert_null(json_object_get(object, "mapping_id"));
	assert_null(json_object_get(object, "mapping"));
	assert_null(json_object_get(object, "run"));
	assert_string_equal(field(object, "message"), "hello");
	json_decref(object);
	free(text);
}

/* Bytes that are no UTF-8 must not cost the message, nor break the line. */
static void test_json_with_broken_utf8(void **state)
{
	static const char *const broken[] = {"caf\xe9 closed", "\xff\xfe!",
					     "\xed\xa0\x80 surrogate",
					     "\xc0\xaf overlong"};

	(void)state;
	log_setup(LOG_INFO, true);
	for (size_t i = 0; i < 4; i++) {
		json_t *object;
		char *text;

		log_scope(1, broken[i], NULL);
		stderr_catch();
		log_info("begin %s end", broken[i]);
		text = stderr_caught();
		object = only_object(text);
		assert_non_null(field(object, "message"));
		assert_holds(field(object, "message"), "begin ");
		assert_non_null(field(object, "mapping"));
		json_decref(object);
		free(text);
	}
}

static void test_text_line(void **state)
{
	char *text;

	(void)state;
	log_setup(LOG_INFO, false);
	log_scope(42, "shop.dbo.orders", "run-1");
	stderr_catch();
	log_error("first\nsecond\r\nthird\x1b[31m %s", "end");
	text = stderr_caught();
	assert_int_equal(line_count(text), 1);
	assert_null(strchr(text, '\r'));
	assert_null(strchr(text, '\x1b'));
	assert_holds(text, "ERROR");
	assert_holds(text, "42");
	assert_holds(text, "shop.dbo.orders");
	assert_holds(text, "run-1");
	assert_holds(text, "first");
	assert_holds(text, "third");
	assert_holds(text, "end");
	free(text);
	log_run(NULL);
	stderr_catch();
	log_error("later");
	text = stderr_caught();
	assert_lacks(text, "run-1");
	assert_holds(text, "shop.dbo.orders");
	free(text);
}

/* A name with a line break in it would look like another entry. */
static void test_text_line_with_an_odd_name(void **state)
{
	char *text;

	(void)state;
	log_setup(LOG_INFO, false);
	log_scope(42, "a\nb", "r");
	stderr_catch();
	log_info("x");
	text = stderr_caught();
	assert_int_equal(line_count(text), 1);
	free(text);
}

/* "every line it logs names it": also when the name is as long as may be. */
static void test_long_name_keeps_the_run(void **state)
{
	char name[1600];
	char *text;
	size_t len = 0;

	(void)state;
	while (len + 3 < sizeof(name)) {
		memcpy(name + len, "\xe8\xa1\xa8", 3);
		len += 3;
	}
	name[len] = '\0';
	log_setup(LOG_INFO, false);
	for (size_t cut = 0; cut < 3; cut++) { /* meet each byte of one */
		char shifted[1604];

		snprintf(shifted, sizeof(shifted), "%.*s%s", (int)cut, "xyz",
			 name);
		log_scope(7, shifted, "0f0e-run");
		stderr_catch();
		log_info("the message");
		text = stderr_caught();
		assert_holds(text, "mapping 7");
		assert_holds(text, "0f0e-run");
		assert_holds(text, "the message");
		assert_true(is_utf8(text));
		free(text);
	}
}

static void test_long_message_is_cut_whole(void **state)
{
	char message[20002];
	char *text;

	(void)state;
	for (size_t i = 0; i + 2 < sizeof(message); i += 2)
		memcpy(message + i, "\xc3\xa4", 2);
	message[20000] = '\0';
	for (int json = 0; json < 2; json++) {
		log_setup(LOG_INFO, json);
		log_scope(0, NULL, NULL);
		for (int lead = 0; lead < 2; lead++) {
			stderr_catch();
			log_info("%.*s%s", lead, "x", message);
			text = stderr_caught();
			assert_int_equal(line_count(text), 1);
			assert_true(is_utf8(text));
			assert_true(strlen(text) > 4000);
			if (json)
				json_decref(only_object(text));
			free(text);
		}
	}
}

static void test_levels(void **state)
{
	(void)state;
	for (int least = LOG_DEBUG; least <= LOG_ERROR; least++) {
		char *text;

		log_setup((enum log_level)least, false);
		log_scope(0, NULL, NULL);
		stderr_catch();
		log_debug("m0");
		log_info("m1");
		log_warning("m2");
		log_error("m3");
		text = stderr_caught();
		assert_int_equal(line_count(text), LOG_ERROR - least + 1);
		for (int level = LOG_DEBUG; level <= LOG_ERROR; level++) {
			char part[8];

			snprintf(part, sizeof(part), "m%d", level);
			assert_int_equal(strstr(text, part) != NULL,
					 level >= least);
		}
		free(text);
	}
}

static void test_level_names(void **state)
{
	static const char *const names[] = {"DEBUG", "INFO", "WARNING",
					    "ERROR"};
	enum log_level level;

	(void)state;
	for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
		assert_string_equal(log_level_name((enum log_level)i),
				    names[i]);
		assert_true(log_level_parse(names[i], &level));
		assert_int_equal(level, i);
	}
	assert_true(log_level_parse("warning", &level));
	assert_int_equal(level, LOG_WARNING);
	assert_false(log_level_parse("warn", &level));
	assert_false(log_level_parse("", &level));
	assert_false(log_level_parse("INFOS", &level));
	assert_int_equal(level, LOG_WARNING);
}

#define THREADS 4
#define LINES	200

static void *log_much(void *arg)
{
	char name[16];

	snprintf(name, sizeof(name), "table%d", *(int *)arg);
	log_scope(*(int *)arg, name, NULL);
	for (int i = 0; i < LINES; i++)
		log_info("line of %s number %d", name, i);
	log_scope(0, NULL, NULL);
	return NULL;
}

/* Lines stay whole, and the scope is each thread's own. */
static void test_threads(void **state)
{
	pthread_t threads[THREADS];
	int ids[THREADS], counts[THREADS + 1] = {0};
	char *text, *line, *rest;

	(void)state;
	log_setup(LOG_INFO, true);
	stderr_catch();
	for (int i = 0; i < THREADS; i++) {
		ids[i] = i + 1;
		assert_int_equal(
			pthread_create(&threads[i], NULL, log_much, &ids[i]),
			0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	text = stderr_caught();
	assert_int_equal(line_count(text), THREADS * LINES);
	for (line = text; (rest = strchr(line, '\n')); line = rest + 1) {
		json_t *object;
		const char *name;
		int id;

		*rest = '\0';
		object = json_loads(line, 0, NULL);
		assert_non_null(object);
		id = (int)json_integer_value(
			json_object_get(object, "mapping_id"));
		assert_true(id >= 1 && id <= THREADS);
		name = field(object, "mapping");
		assert_int_equal(name[5], '0' + id);
		assert_holds(field(object, "message"), name);
		counts[id]++;
		json_decref(object);
	}
	for (int i = 1; i <= THREADS; i++)
		assert_int_equal(counts[i], LINES);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_json_line, teardown),
		cmocka_unit_test_teardown(test_json_without_scope, teardown),
		cmocka_unit_test_teardown(test_json_with_broken_utf8, teardown),
		cmocka_unit_test_teardown(test_text_line, teardown),
		cmocka_unit_test_teardown(test_text_line_with_an_odd_name,
					  teardown),
		cmocka_unit_test_teardown(test_long_name_keeps_the_run,
					  teardown),
		cmocka_unit_test_teardown(test_long_message_is_cut_whole,
					  teardown),
		cmocka_unit_test_teardown(test_levels, teardown),
		cmocka_unit_test(test_level_names),
		cmocka_unit_test_teardown(test_threads, teardown),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
