#include "unit/helper.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/budget.h"
#include "base/clock.h"

#define THREADS 8

static struct budget budget;
static struct cancel cancel;

static int setup(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	if (cancel_init(&cancel, &err) < 0)
		return -1;
	return budget_init(&budget, 100, &err);
}

static int teardown(void **state)
{
	(void)state;
	budget_release(&budget);
	cancel_release(&cancel);
	return 0;
}

static size_t used(void)
{
	struct budget_usage usage;

	budget_count(&budget, &usage);
	assert_true(usage.used <= usage.size);
	return usage.used;
}

static void test_try(void **state)
{
	(void)state;
	assert_true(budget_try(&budget, 60));
	assert_false(budget_try(&budget, 41));
	assert_true(budget_try(&budget, 40));
	assert_true(budget_try(&budget, 0));
	assert_false(budget_try(&budget, 1));
	budget_give(&budget, 100);
	assert_false(budget_try(&budget, 101));
	assert_false(budget_try(&budget, SIZE_MAX));
	assert_int_equal(used(), 0);
}

static void test_more_than_there_is(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	MUST_FAIL(budget_reserve(&budget, 101, &cancel, &err), ERROR_MEMORY);
	assert_holds(err.message, "101");
	assert_holds(err.message, "100");
	MUST(budget_reserve(&budget, 100, &cancel, &err));
	budget_give(&budget, 100);
}

/* ----------------------------------------------------------------- waiting */

/* Somebody who wants an amount. */
struct wish {
	pthread_t thread;
	size_t amount;
	struct cancel cancel;
	struct error err;
	atomic_int got; /* 1: granted, -1: not */
};

static void *wish_main(void *arg)
{
	struct wish *wish = arg;
	int rc = budget_reserve(&budget, wish->amount, &wish->cancel,
				&wish->err);

	atomic_store(&wish->got, rc < 0 ? -1 : 1);
	return NULL;
}

static size_t wanted(void)
{
	struct budget_usage usage;

	budget_count(&budget, &usage);
	return usage.wanted;
}

/* It stands in the line when this returns. */
static void begin_wish(struct wish *wish, size_t amount)
{
	size_t before = wanted();

	*wish = (struct wish){.amount = amount, .err = ERROR_INIT};
	atomic_init(&wish->got, 0);
	assert_int_equal(cancel_init(&wish->cancel, &wish->err), 0);
	assert_int_equal(pthread_create(&wish->thread, NULL, wish_main, wish),
			 0);
	while (wanted() == before && !atomic_load(&wish->got))
		pause_ms(1);
}

static int end_wish(struct wish *wish)
{
	pthread_join(wish->thread, NULL);
	cancel_release(&wish->cancel);
	return atomic_load(&wish->got);
}

static void test_first_come_first_served(void **state)
{
	struct wish large, small;

	(void)state;
	assert_true(budget_try(&budget, 80));
	assert_false(budget_is_wanted(&budget));
	begin_wish(&large, 90);
	assert_true(budget_is_wanted(&budget));
	begin_wish(&small, 10);
	assert_int_equal(wanted(), 100);
	/* There would be room for the small one, but not before the other. */
	assert_false(budget_try(&budget, 10));
	pause_ms(20);
	assert_int_equal(atomic_load(&small.got), 0);
	budget_give(&budget, 80);
	assert_int_equal(end_wish(&large), 1);
	assert_int_equal(end_wish(&small), 1);
	assert_int_equal(used(), 100);
	assert_false(budget_is_wanted(&budget));
	budget_give(&budget, 100);
}

static void test_cancel(void **state)
{
	struct wish first, second;
	int64_t began = clock_ms();

	(void)state;
	assert_true(budget_try(&budget, 50));
	begin_wish(&first, 60);
	begin_wish(&second, 50);
	cancel_request(&first.cancel, CANCEL_DRAIN);
	assert_int_equal(end_wish(&first), -1);
	assert_int_equal(first.err.kind, ERROR_CANCELLED);
	assert_true(clock_ms() - began < 2000);
	/* It was in the way of the next. */
	assert_int_equal(end_wish(&second), 1);
	assert_int_equal(wanted(), 0);
	budget_give(&budget, 100);
}

static void test_resize(void **state)
{
	struct wish wish, too_much;

	(void)state;
	assert_true(budget_try(&budget, 100));
	begin_wish(&wish, 30);
	budget_resize(&budget, 130);
	assert_int_equal(end_wish(&wish), 1);
	begin_wish(&too_much, 100);
	budget_resize(&budget, 90); /* what is held stays */
	assert_int_equal(end_wish(&too_much), -1);
	assert_int_equal(too_much.err.kind, ERROR_MEMORY);
	assert_false(budget_try(&budget, 1));
	budget_give(&budget, 50);
	assert_false(budget_try(&budget, 11));
	assert_true(budget_try(&budget, 10));
	budget_give(&budget, 90);
	assert_int_equal(used(), 0);
}

/* ------------------------------------------------------------------ together */

/* Each holds one amount at a time: no two can wait for each other. */
static void *many_main(void *arg)
{
	size_t seed = (size_t)(uintptr_t)arg;
	struct error err = ERROR_INIT;

	for (size_t i = 1; i <= 400; i++) {
		size_t amount = (seed * 37 + i * 53) % 100 + 1;

		if (i % 3 == 0) {
			if (!budget_try(&budget, amount))
				continue;
		} else if (budget_reserve(&budget, amount, &cancel, &err) < 0) {
			return NULL;
		}
		(void)used();
		budget_give(&budget, amount);
	}
	return arg;
}

static void test_many(void **state)
{
	pthread_t threads[THREADS];
	void *done;

	(void)state;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, many_main,
						(void *)(uintptr_t)(i + 1)),
				 0);
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &done);
		assert_ptr_equal(done, (void *)(uintptr_t)(i + 1));
	}
	assert_int_equal(used(), 0);
	assert_int_equal(wanted(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_try, setup, teardown),
		cmocka_unit_test_setup_teardown(test_more_than_there_is, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_first_come_first_served,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resize, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
