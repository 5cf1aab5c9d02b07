#include "unit/helper.h"

#include <string.h>

#include "drivers/driver.h"
#include "drivers/registry.h"

static void test_find(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_ptr_equal(driver_find("memory", &err), &memory_driver);
	assert_ptr_equal(driver_find("file", &err), &file_driver);
	assert_ptr_equal(driver_find("Memory", &err), &memory_driver);
	assert_ptr_equal(driver_find("sqlserver", &err), &sqlserver_driver);
	assert_ptr_equal(driver_find("SQLServer", &err), &sqlserver_driver);
	assert_ptr_equal(driver_find("postgresql", &err), &postgresql_driver);
	assert_ptr_equal(driver_find("Postgres", &err), &postgresql_driver);
}

static void test_unknown(void **state)
{
	static const char *const names[] = {"", "sql server", "memor",
					    "memory ", "oracle23"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct error err = ERROR_INIT;

		assert_null(driver_find(names[i], &err));
		assert_int_equal(err.kind, ERROR_CONFIG);
		assert_holds(err.message, "sqlserver");
		assert_holds(err.message, "postgresql");
		assert_holds(err.message, names[i]);
	}
}

/* Every driver has all that the contract names, under the name it is found. */
static void test_list_is_whole(void **state)
{
	const struct driver *const *list = driver_list();
	struct error err = ERROR_INIT;
	int count = 0;

	(void)state;
	for (; list[count]; count++) {
		const struct driver *driver = list[count];
		const struct source_ops *s = driver->source;
		const struct target_ops *t = driver->target;

		assert_ptr_equal(driver_find(driver->name, &err), driver);
		assert_true(driver->server_new && driver->server_free &&
			    driver->check);
		assert_true(s || t);
		if (s)
			assert_true(s->connections && s->open && s->connect &&
				    s->release && s->close && s->describe &&
				    s->check_key && s->estimate &&
				    s->triggered && s->trigger_reset &&
				    s->position && s->read_begin &&
				    s->changes_begin && s->next && s->seek &&
				    s->end && s->check);
		if (t)
			assert_true(t->connections && t->open && t->connect &&
				    t->release && t->close && t->describe &&
				    t->create && t->checkpoint && t->begin &&
				    t->write && t->commit && t->rollback &&
				    t->advance && t->check);
	}
	assert_int_equal(count, 5);
}

static void test_libraries(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	MUST(drivers_init(&err));
	drivers_exit();
}

static void test_bad_connection_strings(void **state)
{
	static const char *const texts[] = {"", "name", "name='x",
					    "password=SECRET", ";;"};
	const struct driver *const *list = driver_list();

	(void)state;
	for (int d = 0; list[d]; d++) {
		for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
			struct error err = ERROR_INIT;
			struct server_spec spec = {
				.id = 1,
				.name = "s",
				.connection_string = texts[i],
			};
			struct server *server;

			MUST_FAIL(list[d]->server_new(&spec, &server, &err),
				  ERROR_CONFIG);
			assert_lacks(err.message, "SECRET");
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_list_is_whole),
		cmocka_unit_test(test_libraries),
		cmocka_unit_test(test_bad_connection_strings),
	};

	return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
