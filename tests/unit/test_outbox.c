#include "unit/helper.h"

#include <stdio.h>
#include <string.h>

#include "engine/outbox.h"

#define MANY 10000 /* as many as an outbox holds */

static struct outbox outbox;

static int setup(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	return outbox_init(&outbox, &err);
}

static int teardown(void **state)
{
	(void)state;
	outbox_release(&outbox);
	return 0;
}

static struct event *make(enum event_kind kind, int id)
{
	char text[16];
	struct event *event;

	snprintf(text, sizeof(text), "e%d", id);
	event = event_new(kind, text, NULL);
	assert_non_null(event);
	event->id = id;
	return event;
}

static void put(enum event_kind kind, int id)
{
	outbox_put(&outbox, make(kind, id));
}

static void assert_takes(int id)
{
	struct event *event = outbox_take(&outbox);

	assert_non_null(event);
	assert_int_equal(event->id, id);
	assert_null(event->next);
	event_free(event);
}

static void test_events_own_their_texts(void **state)
{
	char text[] = "text", more[] = "more";
	struct event *event = event_new(EVENT_LOG, text, more);

	(void)state;
	text[0] = more[0] = 'X';
	assert_int_equal(event->kind, EVENT_LOG);
	assert_string_equal(event->owned[0], "text");
	assert_string_equal(event->owned[1], "more");
	event_free(event);
	event = event_new(EVENT_PAUSED, NULL, NULL);
	assert_null(event->owned[0]);
	assert_null(event->owned[1]);
	event_free(event);
	event_free(NULL);
}

static void test_order(void **state)
{
	(void)state;
	assert_null(outbox_take(&outbox));
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 5; i++)
			put(i % 2 ? EVENT_LOG : EVENT_ERROR, i);
		for (int i = 0; i < 5; i++)
			assert_takes(i);
		assert_null(outbox_take(&outbox));
	}
	assert_int_equal(outbox.count, 0);
	assert_int_equal(outbox_take_dropped(&outbox), 0);
}

static void put_error(int mapping_id, const char *type, const char *subject,
		      int retry_count)
{
	struct event *event = event_new(EVENT_ERROR, type, NULL);

	assert_non_null(event);
	event->error.mapping_id = mapping_id;
	event->error.type = event->owned[0];
	event->error.subject = event_keep(event, subject);
	event->error.retry_count = retry_count;
	event->error.created_us = 1000 + retry_count;
	outbox_put(&outbox, event);
}

static void assert_takes_error(int mapping_id, const char *type,
			       int retry_count, int64_t created_us)
{
	struct event *event = outbox_take(&outbox);

	assert_non_null(event);
	assert_int_equal(event->kind, EVENT_ERROR);
	assert_int_equal(event->error.mapping_id, mapping_id);
	assert_string_equal(event->error.type, type);
	assert_int_equal(event->error.retry_count, retry_count);
	assert_int_equal(event->error.created_us, created_us);
	event_free(event);
}

/* One row of error_logs: the newer one says it, as of the older one's time. */
static void test_errors_that_repeat(void **state)
{
	(void)state;
	put_error(1, "OTHER", NULL, 0);
	put_error(2, "OTHER", NULL, 0);
	put(EVENT_LOG, 1);
	put_error(1, "OTHER", NULL, 1);
	put_error(1, "OTHER", NULL, 2);
	assert_int_equal(outbox.count, 3);
	assert_takes_error(1, "OTHER", 2, 1000);
	put_error(1, "OTHER", NULL, 3); /* what it would repeat is taken */
	assert_takes_error(2, "OTHER", 0, 1000);
	assert_takes(1);
	assert_takes_error(1, "OTHER", 3, 1003);
	assert_null(outbox_take(&outbox));
	assert_int_equal(outbox_take_dropped(&outbox), 0);
}

/* Another kind, its end, another subject: all of it happened, in this order. */
static void test_errors_in_between(void **state)
{
	(void)state;
	put_error(1, "OTHER", NULL, 0);
	put_error(1, "CONNECTION", NULL, 0);
	put_error(1, "OTHER", NULL, 1);
	put(EVENT_RESOLVED, 1);
	put_error(1, "OTHER", NULL, 2);
	put(EVENT_VERIFIED, 1);
	put_error(1, "OTHER", NULL, 3);
	assert_takes_error(1, "OTHER", 0, 1000);
	assert_takes_error(1, "CONNECTION", 0, 1000);
	assert_takes_error(1, "OTHER", 1, 1001);
	assert_takes(1);
	assert_takes_error(1, "OTHER", 2, 1002);
	assert_takes(1);
	assert_takes_error(1, "OTHER", 3, 1003);
	put_error(0, "OTHER", "channel 1", 0);
	put_error(0, "OTHER", "channel 2", 0);
	put_error(0, "OTHER", "channel 2", 1);
	put(EVENT_GONE_CHANNELS, 0);
	put_error(0, "OTHER", "channel 2", 2);
	put(EVENT_SUBJECT_RESOLVED, 0);
	put_error(0, "OTHER", "channel 2", 3);
	assert_takes_error(0, "OTHER", 0, 1000);
	assert_takes_error(0, "OTHER", 1, 1000);
	assert_takes(0);
	assert_takes_error(0, "OTHER", 2, 1002);
	assert_takes(0);
	assert_takes_error(0, "OTHER", 3, 1003);
	assert_null(outbox_take(&outbox));
}

/* Mappings that share a place in the index are not taken for each other. */
static void test_errors_of_many_mappings(void **state)
{
	(void)state;
	for (int round = 0; round < 20; round++)
		for (int id = 1; id <= 1000; id++)
			put_error(id, "OTHER", NULL, round);
	assert_int_equal(outbox.count, 1000);
	for (int id = 1; id <= 1000; id++)
		assert_takes_error(id, "OTHER", 19, 1000);
	for (int round = 0; round < 2; round++)
		for (int id = 7; id <= 7 + OUTBOX_PLACES; id += OUTBOX_PLACES)
			put_error(id, "OTHER", NULL, round);
	for (int round = 0; round < 2; round++)
		for (int id = 7; id <= 7 + OUTBOX_PLACES; id += OUTBOX_PLACES)
			assert_takes_error(id, "OTHER", round, 1000 + round);
}

/* One that was dropped to make room is not found again. */
static void test_errors_dropped(void **state)
{
	(void)state;
	put_error(1, "OTHER", NULL, 0);
	for (int i = 0; i < MANY; i++)
		put(EVENT_RUN, i);
	assert_int_equal(outbox_take_dropped(&outbox), 1);
	put_error(1, "OTHER", NULL, 1);
	put_error(1, "OTHER", NULL, 2);
	for (int i = 1; i < MANY; i++)
		assert_takes(i);
	assert_takes_error(1, "OTHER", 2, 1001);
}

static void test_put_back(void **state)
{
	struct event *event;

	(void)state;
	put(EVENT_LOG, 1);
	put(EVENT_LOG, 2);
	event = outbox_take(&outbox);
	put(EVENT_LOG, 3);
	outbox_put_back(&outbox, event);
	for (int i = 1; i <= 3; i++)
		assert_takes(i);
	/* Into an empty one, whose end must be right afterwards. */
	put(EVENT_LOG, 4);
	event = outbox_take(&outbox);
	outbox_put_back(&outbox, event);
	put(EVENT_LOG, 5);
	assert_int_equal(outbox.count, 2);
	assert_takes(4);
	assert_takes(5);
	put(EVENT_LOG, 6);
	assert_takes(6);
}

/* Log rows go first, the oldest of them before the others. */
static void test_full_drops_logs_first(void **state)
{
	(void)state;
	for (int i = 0; i < MANY; i++)
		put(i == 5 || i == 7 || i == MANY - 1 ? EVENT_LOG : EVENT_ERROR,
		    i);
	assert_int_equal(outbox.count, MANY);
	assert_int_equal(outbox_take_dropped(&outbox), 0);
	put(EVENT_ERROR, MANY);	  /* drops 5 */
	put(EVENT_LOG, MANY + 1); /* drops 7 */
	put(EVENT_RUN, MANY + 2); /* drops MANY - 1 */
	put(EVENT_RUN, MANY + 3); /* drops MANY + 1 */
	put(EVENT_RUN, MANY + 4); /* no log is left: drops 0 */
	put(EVENT_LOG, MANY + 5); /* drops 1 */
	assert_int_equal(outbox.count, MANY);
	assert_int_equal(outbox_take_dropped(&outbox), 6);
	assert_int_equal(outbox_take_dropped(&outbox), 0);
	for (int i = 2; i < MANY + 6; i++)
		if (i != 5 && i != 7 && i != MANY - 1 && i != MANY + 1)
			assert_takes(i);
	assert_null(outbox_take(&outbox));
}

/* What is at the end is dropped: the next one still finds the end. */
static void test_full_drops_the_last(void **state)
{
	(void)state;
	for (int i = 0; i < MANY; i++)
		put(i == MANY - 1 ? EVENT_LOG : EVENT_RUN, i);
	put(EVENT_RUN, MANY);
	put(EVENT_RUN, MANY + 1);
	assert_int_equal(outbox.count, MANY);
	for (int i = 1; i < MANY - 1; i++)
		assert_takes(i);
	assert_takes(MANY);
	assert_takes(MANY + 1);
	assert_null(outbox_take(&outbox));
}

static void test_bounded_with_put_back(void **state)
{
	struct event *event;

	(void)state;
	for (int i = 0; i < MANY; i++)
		put(EVENT_LOG, i);
	for (int i = 0; i < 100; i++) {
		event = outbox_take(&outbox);
		put(EVENT_LOG, MANY + i);
		outbox_put_back(&outbox, event);
		if (outbox.count > MANY + 1)
			fail_msg("%zu events", outbox.count);
	}
}

static void test_no_memory_counts_as_dropped(void **state)
{
	(void)state;
	outbox_put(&outbox, NULL);
	outbox_put(&outbox, NULL);
	put(EVENT_LOG, 1);
	assert_int_equal(outbox_take_dropped(&outbox), 2);
	assert_takes(1);
}

static void *put_many(void *arg)
{
	int first = *(int *)arg;

	for (int i = 0; i < 2000; i++) {
		struct event *event = event_new(EVENT_RUN, "x", NULL);

		if (event)
			event->id = first + i;
		outbox_put(&outbox, event);
	}
	return NULL;
}

static void test_threads(void **state)
{
	int firsts[4] = {0, 10000, 20000, 30000}, last[4] = {-1, -1, -1, -1};
	struct event *event;
	pthread_t threads[4];
	int taken = 0;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, put_many, &firsts[i]),
			0);
	while (taken < 8000) {
		event = outbox_take(&outbox);
		if (!event)
			continue;
		assert_true(event->id % 10000 > last[event->id / 10000]);
		last[event->id / 10000] = event->id % 10000;
		event_free(event);
		taken++;
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_null(outbox_take(&outbox));
	assert_int_equal(outbox_take_dropped(&outbox), 0);
}

static void test_release_frees_what_waits(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		put(EVENT_LOG, i); /* LeakSanitizer looks at the teardown */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		cmocka_unit_test(test_events_own_their_texts),
		TEST(test_order),
		TEST(test_errors_that_repeat),
		TEST(test_errors_in_between),
		TEST(test_errors_of_many_mappings),
		TEST(test_errors_dropped),
		TEST(test_put_back),
		TEST(test_full_drops_logs_first),
		TEST(test_full_drops_the_last),
		TEST(test_bounded_with_put_back),
		TEST(test_no_memory_counts_as_dropped),
		TEST(test_threads),
		TEST(test_release_frees_what_waits),
	};

	return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
