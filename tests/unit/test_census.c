/* Which mappings there are, as servers are told it. */
#include "unit/helper.h"

#include <stdio.h>
#include <string.h>

#include "drivers/memory/memory.h"
#include "engine/census.h"
#include "unit/store.h"

#define STORE "census"

static struct engine engine;
static struct census *census;
static struct control_server sources[2];
static struct control_mapping mappings[4];
static struct control_snapshot snapshot;
static struct control_spec spec;

static int setup(void **state)
{
	static int number;
	struct error err = ERROR_INIT;
	char name[32];

	log_setup(LOG_ERROR, false);
	if (setup_folder(state) < 0)
		return -1;
	snprintf(name, sizeof(name), "census%d.db", number++);
	spec = store_make(name);
	MUST(engine_init(&engine, &err));
	MUST(reporter_start(&engine.reporter, &spec, "daemon", &err));
	census = census_new(&engine);
	assert_non_null(census);
	sources[0] = (struct control_server){
		.id = 1,
		.name = "one",
		.type = "memory",
		.connection_string = "name=" STORE,
		.enabled = true,
	};
	for (int i = 0; i < 4; i++)
		mappings[i] = (struct control_mapping){
			.id = i + 1,
			.server_id = 1,
			.cdc_enabled = i != 3,
			.source_database = "db",
			.source_schema = "dbo",
			.source_table = i % 2 ? "a" : "b",
		};
	memset(&snapshot, 0, sizeof(snapshot));
	snapshot.sources = sources;
	snapshot.source_count = 1;
	snapshot.mappings = mappings;
	snapshot.mapping_count = 4;
	return 0;
}

static int teardown(void **state)
{
	assert_true(census_stop(census, 5000));
	census_free(census);
	assert_true(reporter_stop(engine.reporter, 5000));
	reporter_free(engine.reporter);
	engine_release(&engine);
	memory_forget(STORE);
	stderr_release();
	return teardown_folder(state);
}

static void see(void)
{
	census_see(census, &snapshot);
	assert_true(census_wait(census, 5000));
}

static void assert_told(size_t count, unsigned times)
{
	unsigned told;

	assert_int_equal(memory_mappings(STORE, &told), count);
	assert_int_equal(told, times);
}

/* Those that follow changes, whether they are switched on or not. */
static void test_first_and_changed(void **state)
{
	(void)state;
	see();
	assert_told(3, 1);
	see();
	assert_told(3, 1);
	mappings[0].enabled = true; /* makes no difference */
	see();
	assert_told(3, 1);
	mappings[3].cdc_enabled = true;
	see();
	assert_told(4, 2);
	mappings[1].source_table = "c";
	see();
	assert_told(4, 3);
	snapshot.mapping_count = 1;
	see();
	assert_told(1, 4);
}

/* A server without any is told so, once, after a start as well. */
static void test_none(void **state)
{
	(void)state;
	snapshot.mapping_count = 0;
	see();
	assert_told(0, 1);
	see();
	assert_told(0, 1);
	assert_null(engine.servers);
	snapshot.mapping_count = 2;
	see();
	assert_told(2, 2);
	assert_non_null(engine.servers);
}

static void test_row_is_gone(void **state)
{
	(void)state;
	see();
	snapshot.source_count = 0;
	snapshot.mapping_count = 0;
	see();
	assert_told(0, 2);
	see();
	assert_null(engine.servers);
	see();
	assert_told(0, 2);
}

static void test_switched_off(void **state)
{
	(void)state;
	sources[0].enabled = false;
	see();
	assert_told(0, 0);
	sources[0].enabled = true;
	see();
	assert_told(3, 1);
	/* It is left alone then. */
	sources[0].enabled = false;
	snapshot.mapping_count = 0;
	see();
	assert_told(3, 1);
}

/* Another object for the same server, since a setting has changed. */
static void test_settings(void **state)
{
	struct settings settings;
	struct error err = ERROR_INIT;

	(void)state;
	see();
	assert_told(3, 1);
	engine_get_settings(&engine, &settings);
	settings.query_timeout_s++;
	MUST(engine_set_settings(&engine, &settings, 4, &err));
	see();
	assert_told(3, 2);
}

static void test_failure(void **state)
{
	(void)state;
	memory_fail(STORE, 1, ERROR_PERMISSION);
	see();
	assert_told(0, 0);
	/* Not at once again, but when the list is another one. */
	see();
	assert_told(0, 0);
	snapshot.mapping_count = 2;
	see();
	assert_told(2, 1);
}

static bool is_over(void)
{
	return store_number(spec.file, "SELECT COUNT(*) FROM error_logs "
				       "WHERE is_resolved = 0") == 1;
}

/* Mended while no daemon ran; of another server nothing is resolved. */
static void test_old_trouble_is_over(void **state)
{
	(void)state;
	store_add_mapping(spec.file);
	store_exec(spec.file, "INSERT INTO source_servers (server_name, "
			      "connection_string) VALUES ('two', 's'); "
			      "INSERT INTO error_logs (server_id, error_type, "
			      "error_message) VALUES (1, 'CONNECTION', 'old'), "
			      "(2, 'CONNECTION', 'another')");
	memory_fail(STORE, 1, ERROR_PERMISSION);
	see();
	snapshot.mapping_count = 2; /* at once again */
	see();
	assert_told(2, 1);
	for (int i = 0; i < 100 && !is_over(); i++)
		pause_ms(50);
	assert_query(spec.file,
		     "SELECT server_id, error_type FROM error_logs "
		     "WHERE is_resolved = 0",
		     "2|CONNECTION\n");
}

static void test_other_drivers(void **state)
{
	(void)state;
	sources[0].type = "sqlserver";
	sources[0].connection_string = "server=nowhere.example.com";
	sources[1] = sources[0];
	sources[1].id = 2;
	sources[1].type = "unheard of";
	snapshot.source_count = 2;
	see();
	assert_null(engine.servers);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_first_and_changed), TEST(test_none),
		TEST(test_row_is_gone),	      TEST(test_switched_off),
		TEST(test_settings),	      TEST(test_failure),
		TEST(test_other_drivers),     TEST(test_old_trouble_is_over),
	};
	struct error err = ERROR_INIT;
	int failed;

	MUST(drivers_init(&err));
	failed = cmocka_run_group_tests_name("census", tests, NULL, NULL);
	drivers_exit();
	return failed;
}
