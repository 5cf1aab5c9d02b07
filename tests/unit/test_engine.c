/* The servers that workers share, and their settings. */
#include "unit/helper.h"

#include <string.h>

#include "drivers/memory/memory.h"
#include "engine/engine.h"
#include "unit/rows.h"

static struct engine engine;
static char string[64];
static struct mapping_server memory_server;

static int setup(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	memcpy(string, "name=engine", 12);
	memory_server = (struct mapping_server){
		.id = 1,
		.driver = driver_find("memory", &err),
		.name = "one",
		.type = "memory",
		.connection_string = string,
	};
	return engine_init(&engine, &err);
}

static int teardown(void **state)
{
	(void)state;
	assert_null(engine.servers);
	engine_release(&engine);
	memory_forget("engine");
	memory_forget("other");
	return 0;
}

static struct server *get(const struct mapping_server *which)
{
	struct error err = ERROR_INIT;
	struct server *server = NULL;

	MUST(engine_get_server(&engine, which, &server, &err));
	assert_non_null(server);
	return server;
}

static void test_settings(void **state)
{
	struct settings settings, got;
	struct error err = ERROR_INIT;

	(void)state;
	settings_init(&settings);
	engine_get_settings(&engine, &got);
	assert_memory_equal(&got, &settings, sizeof(got));
	assert_int_equal(engine.pool.max, 48); /* two are for the tables */
	settings.max_connections = 10;
	settings.batch_rows = 5;
	MUST(engine_set_settings(&engine, &settings, 0, &err));
	engine_get_settings(&engine, &got);
	assert_memory_equal(&got, &settings, sizeof(got));
	assert_int_equal(engine.pool.max, 8);
	settings.max_connections = 4; /* as few as config lets in */
	MUST(engine_set_settings(&engine, &settings, 0, &err));
	assert_int_equal(engine.pool.max, 2); /* enough for one mapping */
}

static void test_one_object_for_all(void **state)
{
	struct server *a = get(&memory_server), *b = get(&memory_server);

	(void)state;
	assert_ptr_equal(a, b);
	engine_put_server(&engine, a);
	assert_ptr_equal(get(&memory_server), b); /* b still uses it */
	engine_put_server(&engine, b);
	engine_put_server(&engine, b);
	assert_null(engine.servers);
	engine_put_server(&engine, NULL);
}

/* What the row says is copied: the mapping may be gone before the server. */
static void test_strings_are_copied(void **state)
{
	struct mapping_server same = memory_server;
	struct server *a = get(&memory_server), *b;

	(void)state;
	memcpy(string, "name=other!", 12);
	same.connection_string = "name=engine";
	b = get(&same);
	assert_ptr_equal(a, b);
	engine_put_server(&engine, a);
	engine_put_server(&engine, b);
}

static void test_different_rows(void **state)
{
	struct mapping_server others[4] = {memory_server, memory_server,
					   memory_server, memory_server};
	struct server *first = get(&memory_server), *server;

	(void)state;
	others[0].id = 2;
	others[1].is_target = true; /* another table's row 1 */
	others[2].connection_string = "name=other";
	others[3].type = "MEMORY"; /* as spelled: just not the same row */
	for (int i = 0; i < 4; i++) {
		server = get(&others[i]);
		assert_ptr_not_equal(server, first);
		engine_put_server(&engine, server);
	}
	engine_put_server(&engine, first);
}

/* Other time-outs make another object; the old one lasts while it is used. */
static void test_changed_timeouts(void **state)
{
	struct server *old = get(&memory_server), *fresh;
	struct settings settings;
	struct error err = ERROR_INIT;

	(void)state;
	settings_init(&settings);
	settings.query_timeout_s = 5;
	MUST(engine_set_settings(&engine, &settings, 0, &err));
	fresh = get(&memory_server);
	assert_ptr_not_equal(old, fresh);
	engine_put_server(&engine, old);
	assert_ptr_equal(get(&memory_server), fresh);
	engine_put_server(&engine, fresh);
	engine_put_server(&engine, fresh);
}

static void test_bad_string(void **state)
{
	struct mapping_server bad = memory_server;
	struct error err = ERROR_INIT;
	struct server *server;

	(void)state;
	bad.connection_string = "nonsense";
	MUST_FAIL(engine_get_server(&engine, &bad, &server, &err),
		  ERROR_CONFIG);
	assert_holds(err.message, "'one'");
	assert_null(engine.servers);
}

static void *get_and_put(void *arg)
{
	struct error err = ERROR_INIT;

	(void)arg;
	for (int i = 0; i < 2000; i++) {
		struct server *server;

		if (engine_get_server(&engine, &memory_server, &server, &err) <
		    0)
			return &engine;
		engine_put_server(&engine, server);
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[4];
	void *result;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, get_and_put, NULL),
			0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &result);
		assert_null(result);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_settings),
		TEST(test_one_object_for_all),
		TEST(test_strings_are_copied),
		TEST(test_different_rows),
		TEST(test_changed_timeouts),
		TEST(test_bad_string),
		TEST(test_threads),
	};

	return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
