/* What becomes of loads that never count: those of others, and those that fail. */
#include "unit/helper.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/files/state.h"
#include "unit/landed.h"

static struct landed lake;
static struct error err;

static void read_state(struct table_state *state)
{
	size_t len;
	char *text = landed_read("_dataflow/state.json", &len);

	table_state_init(state);
	MUST(table_state_parse(state, text, &err));
	free(text);
}

static size_t count_manifests(void)
{
	char *keys = landed_keys("full/");
	size_t count = 0;

	for (const char *at = keys; (at = strstr(at, "_manifest.json")); at++)
		count++;
	free(keys);
	return count;
}

/* He writes on when the table has been taken over, and what he had has been
 * removed: he finds out when it is all there. */
static void test_load_of_one_who_is_fenced_out(void **unused)
{
	struct landed other;

	(void)unused;
	landed_open(&lake, "keep_full_loads=1");
	landed_load(&lake, 1, 9);
	landed_load_begin(&lake);
	other = lake;
	other.epoch = 2;
	MUST(landed_begin(&other, &err));
	landed_change(&other, 10, 12);
	assert_int_equal(landed_load_end(&lake, 1, 9, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFLICT);
	error_clear(&err);
	assert_int_equal(count_manifests(), 2);
	landed_load(&other, 1, 12);
	assert_int_equal(count_manifests(), 1);
	MUST(landed_prove(&other, true, &err));
	assert_string_equal(other.found.data, "");
	lake.found = other.found;
	lake.proof = other.proof;
	landed_end(&other);
	landed_close(&lake);
}

/* Each leaves a name, and these do not become more and more. */
static void test_loads_that_fail(void **unused)
{
	struct table_state state;

	(void)unused;
	landed_open(&lake, "");
	for (int i = 0; i < 150; i++) {
		landed_load_begin(&lake);
		lake.dst->ops->rollback(lake.dst);
	}
	read_state(&state);
	assert_in_range(state.obsolete_count, 40, 100);
	table_state_release(&state);
	landed_load(&lake, 1, 9);
	landed_change(&lake, 10, 12);
	read_state(&state);
	assert_int_equal(state.obsolete_count, 0);
	table_state_release(&state);
	assert_int_equal(count_manifests(), 1);
	landed_close(&lake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_load_of_one_who_is_fenced_out),
		cmocka_unit_test(test_loads_that_fail),
	};

	alarm(120);
	return cmocka_run_group_tests_name("ownership", tests, setup_folder,
					   teardown_folder);
}
