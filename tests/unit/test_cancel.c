#include "unit/helper.h"

#include "base/cancel.h"
#include "base/clock.h"

static void test_levels_only_rise(void **state)
{
	struct error err = ERROR_INIT;
	struct cancel cancel;

	(void)state;
	MUST(cancel_init(&cancel, &err));
	assert_int_equal(cancel_level(&cancel), CANCEL_NONE);
	cancel_request(&cancel, CANCEL_NONE);
	assert_int_equal(cancel_level(&cancel), CANCEL_NONE);
	cancel_request(&cancel, CANCEL_DRAIN);
	assert_int_equal(cancel_level(&cancel), CANCEL_DRAIN);
	cancel_request(&cancel, CANCEL_NOW);
	assert_int_equal(cancel_level(&cancel), CANCEL_NOW);
	cancel_request(&cancel, CANCEL_DRAIN);
	assert_int_equal(cancel_level(&cancel), CANCEL_NOW);
	cancel_request(&cancel, CANCEL_NONE);
	assert_int_equal(cancel_level(&cancel), CANCEL_NOW);
	cancel_release(&cancel);
}

static void test_checks(void **state)
{
	struct error err = ERROR_INIT;
	struct cancel cancel;

	(void)state;
	MUST(cancel_init(&cancel, &err));
	MUST(cancel_check(&cancel, &err));
	MUST(cancel_check_now(&cancel, &err));
	cancel_poke(&cancel); /* asks nobody to stop */
	MUST(cancel_check(&cancel, &err));
	cancel_request(&cancel, CANCEL_DRAIN);
	MUST_FAIL(cancel_check(&cancel, &err), ERROR_CANCELLED);
	assert_false(err.retryable);
	error_clear(&err);
	MUST(cancel_check_now(&cancel, &err));
	assert_int_equal(err.kind, ERROR_NONE);
	cancel_request(&cancel, CANCEL_NOW);
	MUST_FAIL(cancel_check(&cancel, &err), ERROR_CANCELLED);
	MUST_FAIL(cancel_check_now(&cancel, &err), ERROR_CANCELLED);
	cancel_release(&cancel);
}

/* How long a sleep of `ms` took. */
static int64_t sleep_for(struct cancel *cancel, int64_t ms)
{
	int64_t began = clock_ms();

	cancel_sleep(cancel, ms);
	return clock_ms() - began;
}

static void test_sleep_lasts(void **state)
{
	struct error err = ERROR_INIT;
	struct cancel cancel;

	(void)state;
	MUST(cancel_init(&cancel, &err));
	assert_true(sleep_for(&cancel, 60) >= 60);
	assert_true(sleep_for(&cancel, 0) < 1000);
	assert_true(sleep_for(&cancel, -5) < 1000);
	cancel_release(&cancel);
}

static void test_poke_before_is_kept_once(void **state)
{
	struct error err = ERROR_INIT;
	struct cancel cancel;

	(void)state;
	MUST(cancel_init(&cancel, &err));
	cancel_poke(&cancel);
	cancel_poke(&cancel);
	assert_true(sleep_for(&cancel, 60000) < 10000);
	assert_true(sleep_for(&cancel, 60) >= 60); /* both were used up */
	cancel_release(&cancel);
}

static void test_no_sleep_after_a_request(void **state)
{
	struct error err = ERROR_INIT;
	struct cancel cancel;

	(void)state;
	MUST(cancel_init(&cancel, &err));
	cancel_request(&cancel, CANCEL_DRAIN);
	for (int i = 0; i < 3; i++)
		assert_true(sleep_for(&cancel, 60000) < 10000);
	cancel_release(&cancel);
}

static void *poke_later(void *arg)
{
	pause_ms(50);
	cancel_poke(arg);
	return NULL;
}

static void *drain_later(void *arg)
{
	pause_ms(50);
	cancel_request(arg, CANCEL_DRAIN);
	return NULL;
}

static void *stop_later(void *arg)
{
	pause_ms(50);
	cancel_request(arg, CANCEL_NOW);
	return NULL;
}

static void test_sleep_is_cut_short(void **state)
{
	void *(*const wakers[])(void *) = {poke_later, drain_later, stop_later};
	const enum cancel_level levels[] = {CANCEL_NONE, CANCEL_DRAIN,
					    CANCEL_NOW};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct error err = ERROR_INIT;
		struct cancel cancel;
		pthread_t thread;

		MUST(cancel_init(&cancel, &err));
		assert_int_equal(
			pthread_create(&thread, NULL, wakers[i], &cancel), 0);
		assert_true(sleep_for(&cancel, 60000) < 10000);
		pthread_join(thread, NULL);
		assert_int_equal(cancel_level(&cancel), levels[i]);
		cancel_release(&cancel);
	}
}

static void *request_often(void *arg)
{
	for (int i = 0; i < 1000; i++)
		cancel_request(arg, CANCEL_DRAIN);
	return NULL;
}

static void *stop_once(void *arg)
{
	cancel_request(arg, CANCEL_NOW);
	return NULL;
}

/* The highest request wins, whoever comes last. */
static void test_requests_from_many_threads(void **state)
{
	struct error err = ERROR_INIT;
	struct cancel cancel;
	pthread_t threads[4];

	(void)state;
	MUST(cancel_init(&cancel, &err));
	for (int i = 0; i < 4; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL,
				       i == 1 ? stop_once : request_often,
				       &cancel),
			0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(cancel_level(&cancel), CANCEL_NOW);
	cancel_release(&cancel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels_only_rise),
		cmocka_unit_test(test_checks),
		cmocka_unit_test(test_sleep_lasts),
		cmocka_unit_test(test_poke_before_is_kept_once),
		cmocka_unit_test(test_no_sleep_after_a_request),
		cmocka_unit_test(test_sleep_is_cut_short),
		cmocka_unit_test(test_requests_from_many_threads),
	};

	return cmocka_run_group_tests_name("cancel", tests, NULL, NULL);
}
