#include "unit/helper.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/queue.h"

static int numbers[4000];

static void test_first_in_first_out(void **state)
{
	struct error err = ERROR_INIT;
	struct queue queue;
	int in = 0, out = 0;

	(void)state;
	MUST(queue_init(&queue, 3, &err));
	assert_int_equal(queue_count(&queue), 0);
	for (int round = 0; round < 50; round++) { /* head goes round */
		while (queue_try_push(&queue, &numbers[in]))
			in++;
		assert_int_equal(in - out, 3);
		assert_int_equal(queue_count(&queue), 3);
		for (int i = 0; i < 1 + round % 3; i++, out++)
			assert_ptr_equal(queue_pop(&queue, -1), &numbers[out]);
	}
	queue_release(&queue);
}

static void test_capacity_of_one(void **state)
{
	struct error err = ERROR_INIT;
	struct queue queue;

	(void)state;
	MUST(queue_init(&queue, 1, &err));
	assert_true(queue_push(&queue, &numbers[0]));
	assert_false(queue_try_push(&queue, &numbers[1]));
	assert_ptr_equal(queue_pop(&queue, 0), &numbers[0]);
	assert_true(queue_try_push(&queue, &numbers[1]));
	queue_release(&queue);
}

static void test_too_large_to_make(void **state)
{
	struct error err = ERROR_INIT;
	struct queue queue;

	(void)state;
	MUST_FAIL(queue_init(&queue, SIZE_MAX / 4, &err), ERROR_MEMORY);
	MUST_FAIL(queue_init(&queue, SIZE_MAX, &err), ERROR_MEMORY);
}

static void test_timeouts(void **state)
{
	struct error err = ERROR_INIT;
	struct queue queue;
	int64_t began;

	(void)state;
	MUST(queue_init(&queue, 2, &err));
	began = clock_ms();
	assert_null(queue_pop(&queue, 0));
	assert_true(clock_ms() - began < 1000);
	began = clock_ms();
	assert_null(queue_pop(&queue, 60));
	assert_true(clock_ms() - began >= 60);
	assert_true(queue_push(&queue, &numbers[0]));
	assert_ptr_equal(queue_pop(&queue, 60000), &numbers[0]);
	queue_release(&queue);
}

static void test_close(void **state)
{
	struct error err = ERROR_INIT;
	struct queue queue;

	(void)state;
	MUST(queue_init(&queue, 2, &err));
	assert_true(queue_push(&queue, &numbers[0]));
	queue_close(&queue);
	queue_close(&queue);
	assert_false(queue_push(&queue, &numbers[1]));
	assert_false(queue_try_push(&queue, &numbers[1]));
	assert_int_equal(queue_count(&queue), 1);
	assert_ptr_equal(queue_pop(&queue, -1), &numbers[0]);
	assert_null(queue_pop(&queue, -1)); /* and does not wait */
	assert_null(queue_pop(&queue, 60000));
	queue_release(&queue);
}

struct waiter {
	struct queue *queue;
	atomic_int result; /* -1: still waits */
};

static void *wait_to_push(void *arg)
{
	struct waiter *waiter = arg;

	atomic_store(&waiter->result, queue_push(waiter->queue, &numbers[9]));
	return NULL;
}

static void *wait_to_pop(void *arg)
{
	struct waiter *waiter = arg;

	atomic_store(&waiter->result, queue_pop(waiter->queue, -1) != NULL);
	return NULL;
}

static void test_push_waits_for_room(void **state)
{
	struct error err = ERROR_INIT;
	struct queue queue;
	struct waiter waiter = {&queue, -1};
	pthread_t thread;

	(void)state;
	MUST(queue_init(&queue, 1, &err));
	assert_true(queue_push(&queue, &numbers[0]));
	assert_int_equal(pthread_create(&thread, NULL, wait_to_push, &waiter),
			 0);
	pause_ms(50);
	assert_int_equal(atomic_load(&waiter.result), -1);
	assert_ptr_equal(queue_pop(&queue, 0), &numbers[0]);
	assert_ptr_equal(queue_pop(&queue, -1), &numbers[9]);
	pthread_join(thread, NULL);
	assert_int_equal(atomic_load(&waiter.result), 1);
	queue_release(&queue);
}

static void test_close_wakes_everyone(void **state)
{
	struct error err = ERROR_INIT;
	struct queue full, empty;
	struct waiter waiters[4];
	pthread_t threads[4];

	(void)state;
	MUST(queue_init(&full, 1, &err));
	MUST(queue_init(&empty, 1, &err));
	assert_true(queue_push(&full, &numbers[0]));
	for (int i = 0; i < 4; i++) {
		waiters[i].queue = i < 2 ? &full : &empty;
		atomic_init(&waiters[i].result, -1);
		assert_int_equal(
			pthread_create(&threads[i], NULL,
				       i < 2 ? wait_to_push : wait_to_pop,
				       &waiters[i]),
			0);
	}
	pause_ms(50);
	queue_close(&full);
	queue_close(&empty);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(atomic_load(&waiters[i].result), 0);
	}
	assert_int_equal(queue_count(&full), 1);
	queue_release(&full);
	queue_release(&empty);
}

#define EACH 1000

struct producer {
	struct queue *queue;
	int first;
};

static atomic_int seen[4 * EACH];
static atomic_int out_of_order, too_many;

static void *produce(void *arg)
{
	struct producer *producer = arg;

	for (int i = 0; i < EACH; i++)
		queue_push(producer->queue, &numbers[producer->first + i]);
	return NULL;
}

/* What one producer put in first, nobody gets later than this thread. */
static void *consume(void *arg)
{
	struct queue *queue = arg;
	int last[4] = {-1, -1, -1, -1};
	int *item;

	while ((item = queue_pop(queue, -1))) {
		int at = (int)(item - numbers);

		if (at % EACH <= last[at / EACH])
			atomic_fetch_add(&out_of_order, 1);
		last[at / EACH] = at % EACH;
		atomic_fetch_add(&seen[at], 1);
		if (queue_count(queue) > 5)
			atomic_fetch_add(&too_many, 1);
	}
	return NULL;
}

static void test_many_producers_and_consumers(void **state)
{
	struct error err = ERROR_INIT;
	struct producer producers[4];
	pthread_t in[4], out[3];
	struct queue queue;

	(void)state;
	MUST(queue_init(&queue, 5, &err));
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&out[i], NULL, consume, &queue),
				 0);
	for (int i = 0; i < 4; i++) {
		producers[i].queue = &queue;
		producers[i].first = i * EACH;
		assert_int_equal(
			pthread_create(&in[i], NULL, produce, &producers[i]),
			0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(in[i], NULL);
	queue_close(&queue);
	for (int i = 0; i < 3; i++)
		pthread_join(out[i], NULL);
	for (int i = 0; i < 4 * EACH; i++)
		assert_int_equal(atomic_load(&seen[i]), 1);
	assert_int_equal(atomic_load(&out_of_order), 0);
	assert_int_equal(atomic_load(&too_many), 0);
	queue_release(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_in_first_out),
		cmocka_unit_test(test_capacity_of_one),
		cmocka_unit_test(test_too_large_to_make),
		cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_push_waits_for_room),
		cmocka_unit_test(test_close_wakes_everyone),
		cmocka_unit_test(test_many_producers_and_consumers),
	};

	alarm(30); /* a lost wake-up would wait for ever */
	return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
