#include "unit/helper.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "drivers/pool.h"

/* A pool, and connections that say how often they were closed. */
static struct pool pool;
static struct pool_share *share; /* of most tests, the only one */
static struct cancel cancel;
static atomic_int closed[10];
static int owner_a, owner_b;

static void close_it(void *connection)
{
	atomic_fetch_add((atomic_int *)connection, 1);
}

static int setup(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	for (int i = 0; i < 10; i++)
		atomic_store(&closed[i], 0);
	if (cancel_init(&cancel, &err) < 0 || pool_init(&pool, 3, &err) < 0)
		return -1;
	share = pool_join(&pool, &owner_a, &owner_b);
	return share ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	pool_leave(&pool, share);
	pool_release(&pool);
	cancel_release(&cancel);
	return 0;
}

static void reserve(unsigned count)
{
	struct error err = ERROR_INIT;

	MUST(pool_reserve(&pool, share, count, &cancel, &err));
}

static int closed_of(int i)
{
	return atomic_load(&closed[i]);
}

/* Make `count` idle connections of a key, as a run does. */
static void make_idle(int first, int count, const void *owner, const char *key)
{
	reserve((unsigned)count);
	for (int i = first; i < first + count; i++)
		assert_null(pool_take(&pool, owner, key));
	for (int i = first; i < first + count; i++)
		pool_give(&pool, owner, key, &closed[i], close_it);
	pool_unreserve(&pool, share, (unsigned)count);
}

static void test_limit(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	reserve(1);
	reserve(2);
	assert_int_equal(pool.reserved, 3);
	MUST_FAIL(pool_reserve(&pool, share, 4, &cancel, &err), ERROR_CONFIG);
	assert_int_equal(pool.reserved, 3);
	pool_unreserve(&pool, share, 3);
	MUST_FAIL(pool_reserve(&pool, share, 4, &cancel, &err), ERROR_CONFIG);
	assert_holds(err.message, "4");
	assert_holds(err.message, "3");
	reserve(3);
	pool_unreserve(&pool, share, 3);
	assert_null(pool.waiters);
}

static void test_reuse_by_owner_and_key(void **state)
{
	(void)state;
	make_idle(0, 1, &owner_a, "db1");
	make_idle(1, 1, &owner_a, "db2");
	make_idle(2, 1, &owner_b, "db1");
	assert_int_equal(pool.idle_count, 3);
	reserve(3);
	assert_ptr_equal(pool_take(&pool, &owner_b, "db1"), &closed[2]);
	assert_ptr_equal(pool_take(&pool, &owner_a, "db2"), &closed[1]);
	assert_ptr_equal(pool_take(&pool, &owner_a, "db1"), &closed[0]);
	assert_null(pool_take(&pool, &owner_a, "db1"));
	assert_int_equal(pool.idle_count, 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(closed_of(i), 0);
		close_it(&closed[i]);
	}
	for (int i = 0; i < 4; i++)
		pool_drop(&pool);
	assert_int_equal(pool.taken, 0);
	pool_unreserve(&pool, share, 3);
}

static void test_key_is_copied(void **state)
{
	char key[] = "db1";

	(void)state;
	make_idle(0, 1, &owner_a, key);
	key[2] = '9';
	reserve(1);
	assert_null(pool_take(&pool, &owner_a, key));
	pool_drop(&pool);
	assert_ptr_equal(pool_take(&pool, &owner_a, "db1"), &closed[0]);
	pool_give(&pool, &owner_a, "db1", &closed[0], close_it);
	pool_unreserve(&pool, share, 1);
}

/* Most recently used first: the others may grow old and be closed. */
static void test_last_used_first(void **state)
{
	(void)state;
	make_idle(0, 2, &owner_a, "k");
	reserve(1);
	assert_ptr_equal(pool_take(&pool, &owner_a, "k"), &closed[1]);
	pool_give(&pool, &owner_a, "k", &closed[1], close_it);
	pool_unreserve(&pool, share, 1);
}

/* Idle ones make room for a new one, the longest unused first. */
static void test_surplus_is_closed(void **state)
{
	(void)state;
	make_idle(0, 3, &owner_a, "k");
	reserve(1);
	assert_null(pool_take(&pool, &owner_b, "other"));
	assert_int_equal(closed_of(0), 1);
	assert_int_equal(closed_of(1), 0);
	assert_int_equal(closed_of(2), 0);
	reserve(2);
	assert_null(pool_take(&pool, &owner_b, "other"));
	assert_null(pool_take(&pool, &owner_b, "other"));
	assert_int_equal(closed_of(1), 1);
	assert_int_equal(closed_of(2), 1);
	assert_int_equal(pool.idle_count, 0);
	for (int i = 0; i < 3; i++)
		pool_drop(&pool);
	pool_unreserve(&pool, share, 3);
}

/* What is only reserved costs nobody his idle connection. */
static void test_reserved_ones_close_nothing(void **state)
{
	(void)state;
	make_idle(0, 3, &owner_a, "k");
	reserve(3);
	for (int i = 2; i >= 0; i--)
		assert_ptr_equal(pool_take(&pool, &owner_a, "k"), &closed[i]);
	for (int i = 0; i < 3; i++)
		pool_give(&pool, &owner_a, "k", &closed[i], close_it);
	pool_unreserve(&pool, share, 3);
	assert_int_equal(closed_of(0) + closed_of(1) + closed_of(2), 0);
}

static void test_release_closes_idle(void **state)
{
	struct error err = ERROR_INIT;
	struct pool_share *place;
	struct pool other;

	(void)state;
	MUST(pool_init(&other, 5, &err));
	place = pool_join(&other, &owner_a, &owner_b);
	assert_non_null(place);
	MUST(pool_reserve(&other, place, 2, &cancel, &err));
	assert_null(pool_take(&other, &owner_a, "k"));
	assert_null(pool_take(&other, &owner_b, "k"));
	pool_give(&other, &owner_a, "k", &closed[0], close_it);
	pool_give(&other, &owner_b, "k", &closed[1], close_it);
	pool_unreserve(&other, place, 2);
	pool_leave(&other, place);
	pool_release(&other);
	assert_int_equal(closed_of(0), 1);
	assert_int_equal(closed_of(1), 1);
}

static void test_expire(void **state)
{
	(void)state;
	make_idle(0, 1, &owner_a, "k");
	make_idle(1, 1, &owner_b, "k");
	pause_ms(60);
	make_idle(2, 1, &owner_b, "k2");
	pool_expire(&pool, NULL, 3600000);
	assert_int_equal(pool.idle_count, 3);
	pool_expire(&pool, &owner_a, 50);
	assert_int_equal(closed_of(0), 1);
	assert_int_equal(pool.idle_count, 2);
	pool_expire(&pool, NULL, 50);
	assert_int_equal(closed_of(1), 1);
	assert_int_equal(closed_of(2), 0);
	pool_expire(&pool, &owner_a, 0);
	assert_int_equal(closed_of(2), 0);
	pool_expire(&pool, &owner_b, 0);
	assert_int_equal(closed_of(2), 1);
	assert_int_equal(pool.idle_count, 0);
}

/* A lower limit holds for idle connections, too. */
static void test_resize_closes_idle(void **state)
{
	(void)state;
	make_idle(0, 3, &owner_a, "k");
	pool_resize(&pool, 1);
	assert_int_equal(closed_of(0), 1);
	assert_int_equal(closed_of(1), 1);
	assert_int_equal(closed_of(2), 0);
	assert_int_equal(pool.idle_count, 1);
}

/* Those in use stay, until they are given back. */
static void test_resize_while_in_use(void **state)
{
	(void)state;
	reserve(3);
	for (int i = 0; i < 3; i++)
		assert_null(pool_take(&pool, &owner_a, "k"));
	pool_resize(&pool, 1);
	for (int i = 0; i < 3; i++) {
		pool_give(&pool, &owner_a, "k", &closed[i], close_it);
		pool_unreserve(&pool, share, 1);
	}
	assert_int_equal(closed_of(0) + closed_of(1) + closed_of(2), 2);
	assert_int_equal(pool.idle_count, 1);
}

struct waiter {
	unsigned count;
	struct cancel *cancel;
	atomic_int result; /* 1: waits, 0: has it, -1: failed */
	atomic_int order;
	struct error err;
	pthread_t thread;
};

static atomic_int turns;

static void *wait_in_line(void *arg)
{
	struct waiter *waiter = arg;
	int rc = pool_reserve(&pool, share, waiter->count, waiter->cancel,
			      &waiter->err);

	if (rc == 0)
		atomic_store(&waiter->order, atomic_fetch_add(&turns, 1));
	atomic_store(&waiter->result, rc);
	return NULL;
}

static void start(struct waiter *waiter, unsigned count)
{
	error_clear(&waiter->err);
	waiter->count = count;
	waiter->cancel = &cancel;
	atomic_init(&waiter->result, 1);
	atomic_init(&waiter->order, -1);
	assert_int_equal(
		pthread_create(&waiter->thread, NULL, wait_in_line, waiter), 0);
}

/* Who stands in line; a waiter begins with the pointer to the next one. */
static int line_length(void)
{
	int length = 0;

	pthread_mutex_lock(&pool.lock);
	for (void *waiter = pool.waiters; waiter; waiter = *(void **)waiter)
		length++;
	pthread_mutex_unlock(&pool.lock);
	return length;
}

static void wait_for_line(int length)
{
	for (int i = 0; i < 10000 && line_length() != length; i++)
		pause_ms(1);
	assert_int_equal(line_length(), length);
}

/* One that needs one is not let past the one before it that needs three. */
static void test_strict_line(void **state)
{
	struct waiter many, one;

	(void)state;
	atomic_store(&turns, 0);
	reserve(1);
	start(&many, 3);
	wait_for_line(1);
	start(&one, 1);
	wait_for_line(2);
	pause_ms(50);
	assert_int_equal(atomic_load(&many.result), 1);
	assert_int_equal(atomic_load(&one.result), 1);
	pool_unreserve(&pool, share, 1);
	pthread_join(many.thread, NULL);
	assert_int_equal(atomic_load(&many.result), 0);
	assert_int_equal(line_length(), 1);
	assert_int_equal(atomic_load(&one.result), 1);
	pool_unreserve(&pool, share, 3);
	pthread_join(one.thread, NULL);
	assert_int_equal(atomic_load(&one.result), 0);
	assert_int_equal(atomic_load(&many.order), 0);
	assert_int_equal(atomic_load(&one.order), 1);
	pool_unreserve(&pool, share, 1);
	assert_int_equal(pool.reserved, 0);
}

static void test_line_is_served_in_order(void **state)
{
	struct waiter waiters[5];

	(void)state;
	atomic_store(&turns, 0);
	reserve(3);
	for (int i = 0; i < 5; i++) {
		start(&waiters[i], 2);
		wait_for_line(i + 1);
	}
	pool_unreserve(&pool, share, 3);
	for (int i = 0; i < 5; i++) {
		pthread_join(waiters[i].thread, NULL);
		assert_int_equal(atomic_load(&waiters[i].order), i);
		pool_unreserve(&pool, share, 2);
	}
}

static void test_cancel_while_waiting(void **state)
{
	struct waiter first, second;

	(void)state;
	reserve(2);
	start(&first, 3);
	wait_for_line(1);
	start(&second, 1);
	wait_for_line(2);
	cancel_request(&cancel, CANCEL_DRAIN);
	pthread_join(first.thread, NULL);
	pthread_join(second.thread, NULL);
	assert_int_equal(atomic_load(&first.result), -1);
	assert_int_equal(first.err.kind, ERROR_CANCELLED);
	assert_null(pool.waiters);
	pool_unreserve(&pool, share, 2);
}

/* Who leaves the line lets the next ones go on. */
static void test_leaving_lets_others_pass(void **state)
{
	struct error err = ERROR_INIT;
	struct waiter first = {.count = 3}, second;
	struct cancel own;

	(void)state;
	MUST(cancel_init(&own, &err));
	reserve(2);
	first.cancel = &own;
	atomic_init(&first.result, 1);
	assert_int_equal(
		pthread_create(&first.thread, NULL, wait_in_line, &first), 0);
	wait_for_line(1);
	start(&second, 1);
	wait_for_line(2);
	cancel_request(&own, CANCEL_NOW);
	pthread_join(first.thread, NULL);
	pthread_join(second.thread, NULL);
	assert_int_equal(atomic_load(&first.result), -1);
	assert_int_equal(atomic_load(&second.result), 0);
	pool_unreserve(&pool, share, 3);
	cancel_release(&own);
}

static void test_already_cancelled(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	reserve(3);
	cancel_request(&cancel, CANCEL_DRAIN);
	MUST_FAIL(pool_reserve(&pool, share, 1, &cancel, &err),
		  ERROR_CANCELLED);
	assert_null(pool.waiters);
	assert_int_equal(pool.reserved, 3);
	pool_unreserve(&pool, share, 3);
}

static void test_resize_up_serves_the_line(void **state)
{
	struct waiter waiter;

	(void)state;
	reserve(3);
	start(&waiter, 2);
	wait_for_line(1);
	pool_resize(&pool, 5);
	pthread_join(waiter.thread, NULL);
	assert_int_equal(atomic_load(&waiter.result), 0);
	assert_int_equal(pool.reserved, 5);
	pool_unreserve(&pool, share, 5);
}

/* A limit below what one waits for ends its waiting. */
static void test_resize_down_ends_waiting(void **state)
{
	struct waiter waiter;

	(void)state;
	reserve(3);
	start(&waiter, 3);
	wait_for_line(1);
	pool_resize(&pool, 2);
	pthread_join(waiter.thread, NULL);
	assert_int_equal(atomic_load(&waiter.result), -1);
	assert_int_equal(waiter.err.kind, ERROR_CONFIG);
	pool_unreserve(&pool, share, 3);
}

static void test_one_place_for_the_same_two(void **state)
{
	struct pool_share *other;

	(void)state;
	assert_ptr_equal(pool_join(&pool, &owner_a, &owner_b), share);
	other = pool_join(&pool, &owner_b, &owner_a);
	assert_non_null(other);
	assert_ptr_not_equal(other, share);
	assert_int_equal(pool.share_count, 2);
	pool_leave(&pool, other);
	pool_leave(&pool, share);
	assert_int_equal(pool.share_count, 1);
}

/* Runs of silent servers, however many wait, do not get what others need. */
static void test_a_place_is_kept_for_each(void **state)
{
	struct error err = ERROR_INIT;
	struct pool_share *other;
	struct waiter waiter;

	(void)state;
	pool_resize(&pool, 6);
	other = pool_join(&pool, &owner_b, &owner_a);
	assert_non_null(other);
	reserve(4);
	start(&waiter, 2);
	wait_for_line(1);
	assert_int_equal(pool_reserve_more(&pool, share, 1, 5), 0);
	/* It overtakes the one that waits, by no more than is its own. */
	MUST(pool_reserve(&pool, other, 2, &cancel, &err));
	assert_int_equal(line_length(), 1);
	pool_unreserve(&pool, other, 2);
	assert_int_equal(line_length(), 1);
	/* With nobody left to keep it for, it is for all. */
	pool_leave(&pool, other);
	pthread_join(waiter.thread, NULL);
	assert_int_equal(atomic_load(&waiter.result), 0);
	pool_unreserve(&pool, share, 6);
}

/* Too many to keep some for each: first come, first served. */
static void test_more_places_than_connections(void **state)
{
	struct pool_share *others[5];

	(void)state;
	for (int i = 0; i < 5; i++) {
		others[i] = pool_join(&pool, &closed[i], &owner_a);
		assert_non_null(others[i]);
	}
	reserve(3);
	pool_unreserve(&pool, share, 3);
	for (int i = 0; i < 5; i++)
		pool_leave(&pool, others[i]);
}

static atomic_int open_now, most_open;

static void count_close(void *connection)
{
	(void)connection;
	atomic_fetch_sub(&open_now, 1);
}

static void count_open(void)
{
	int now = atomic_fetch_add(&open_now, 1) + 1;
	int most = atomic_load(&most_open);

	while (now > most &&
	       !atomic_compare_exchange_weak(&most_open, &most, now))
		;
}

/* A run: two connections, new or used ones, given back at its end. */
static void *run_often(void *arg)
{
	static const char *const keys[] = {"a", "b", "c"};
	unsigned seed = *(unsigned *)arg;
	struct error err = ERROR_INIT;

	for (unsigned i = 0; i < 300; i++) {
		const char *key = keys[(seed + i) % 3];

		if (pool_reserve(&pool, share, 2, &cancel, &err) < 0)
			return arg;
		for (int k = 0; k < 2; k++)
			if (!pool_take(&pool, &owner_a, key))
				count_open();
		for (int k = 0; k < 2; k++)
			pool_give(&pool, &owner_a, key, &closed[0],
				  count_close);
		pool_unreserve(&pool, share, 2);
	}
	return NULL;
}

/* Never more connections than allowed, however many threads want them. */
static void test_many_threads(void **state)
{
	unsigned seeds[4] = {0, 1, 2, 3};
	pthread_t threads[4];
	void *result;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, run_often, &seeds[i]),
			0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &result);
		assert_null(result);
	}
	assert_int_equal(pool.reserved, 0);
	assert_in_range(atomic_load(&most_open), 2, 3);
	assert_int_equal(atomic_load(&open_now), pool.idle_count);
	pool_expire(&pool, NULL, 0);
	assert_int_equal(atomic_load(&open_now), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_limit),
		TEST(test_reuse_by_owner_and_key),
		TEST(test_key_is_copied),
		TEST(test_last_used_first),
		TEST(test_surplus_is_closed),
		TEST(test_reserved_ones_close_nothing),
		TEST(test_release_closes_idle),
		TEST(test_expire),
		TEST(test_resize_closes_idle),
		TEST(test_resize_while_in_use),
		TEST(test_strict_line),
		TEST(test_line_is_served_in_order),
		TEST(test_cancel_while_waiting),
		TEST(test_leaving_lets_others_pass),
		TEST(test_already_cancelled),
		TEST(test_resize_up_serves_the_line),
		TEST(test_resize_down_ends_waiting),
		TEST(test_one_place_for_the_same_two),
		TEST(test_a_place_is_kept_for_each),
		TEST(test_more_places_than_connections),
		TEST(test_many_threads),
	};

	alarm(60); /* a lost wake-up would wait for ever */
	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
