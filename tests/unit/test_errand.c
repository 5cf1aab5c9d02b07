#include "unit/helper.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/errand.h"

static atomic_bool go;
static atomic_int runs;

static void wait_and_count(void *arg)
{
	while (!atomic_load(&go))
		pause_ms(1);
	atomic_fetch_add(&runs, *(int *)arg);
}

static void test_errand(void **state)
{
	struct errand errand = {.running = false};
	struct error err = ERROR_INIT;
	int two = 2;
	int64_t began;

	(void)state;
	assert_true(errand_has_ended(&errand)); /* nothing is under way */
	assert_true(errand_wait(&errand, 0));
	for (int i = 1; i <= 3; i++) {
		atomic_store(&go, false);
		MUST(errand_start(&errand, wait_and_count, &two, &err));
		assert_false(errand_has_ended(&errand));
		began = clock_ms();
		assert_false(errand_wait(&errand, 30));
		assert_true(clock_ms() - began >= 30);
		atomic_store(&go, true);
		assert_true(errand_wait(&errand, 60000));
		assert_int_equal(atomic_load(&runs), 2 * i);
	}
	assert_false(errand.running);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
