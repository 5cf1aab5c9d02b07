/* Changes that a destination wants to have gathered: one transaction of it has
 * many windows of the source. */
#include "unit/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "drivers/memory/memory.h"
#include "engine/follow.h"
#include "unit/rig.h"

#define GATHER_MS 60000

static struct rig rig;
static struct verify verify;
static struct orders orders;
static struct follow follow;
static unsigned told;
static unsigned commits;

static void count_step(void *arg, const struct cdc_step *step)
{
	(void)arg;
	(void)step;
	told++;
}

static void open_follow(void)
{
	follow = (struct follow){
		.link = &rig.link,
		.verify = &verify,
		.orders = &orders,
		.tell = count_step,
	};
}

static int setup(void **state)
{
	if (setup_folder(state) < 0)
		return -1;
	rig_begin(&rig, "gather_src", "gather_dst");
	rig.gather_ms = GATHER_MS;
	rig.settings.window_transactions = 1;
	rig_reopen(&rig);
	memset(&verify, 0, sizeof(verify));
	orders_init(&orders);
	open_follow();
	told = commits = 0;
	return 0;
}

static int teardown(void **state)
{
	orders_release(&orders);
	rig_end(&rig);
	return teardown_folder(state);
}

static void load(const char *rows)
{
	rig_change(&rig, rows);
	rig_sync(&rig);
	rig_sync(&rig); /* consistent by now */
	assert_same(&rig);
	assert_int_equal(rig.link.stored.consistent_after_us, 0);
	rig.link.settings = rig.settings;
}

static struct cdc_step step(void)
{
	struct error err = ERROR_INIT;
	struct cdc_step out;

	MUST(cdc_run_step(&rig.link, &out, &err));
	return out;
}

static int count_commit(struct target *dst, const struct checkpoint *from,
			const struct checkpoint *to,
			struct target_counts *counts, struct error *err)
{
	commits++;
	return rig.dst_ops.commit(dst, from, to, counts, err);
}

static struct target_ops counting;

static void count_commits(void)
{
	counting = rig.dst_ops;
	counting.commit = count_commit;
	rig.link.dst->ops = &counting;
	commits = 0;
}

static bool follow_now(void)
{
	struct error err = ERROR_INIT;
	bool busy;

	MUST(follow_changes(&follow, &busy, &err));
	return busy;
}

/* What was read stands nowhere before it is committed, and then all at once. */
static void test_one_transaction(void **state)
{
	struct error err = ERROR_INIT;
	unsigned long stored;
	char *before;

	(void)state;
	load("+1|a");
	count_commits();
	before = rig_dest(&rig);
	stored = memory_stored(rig.src);
	for (int i = 2; i < 7; i++) {
		char text[32];

		snprintf(text, sizeof(text), "+%d|x -%d", i, i - 1);
		rig_change(&rig, text);
		assert_int_equal(step().rows, 2);
		assert_true(rig.link.gathering);
		assert_dest(&rig, before);
	}
	assert_int_equal(commits, 0);
	assert_int_equal(memory_stored(rig.src), stored);
	assert_true(memory_stamped(rig.dst) == stored + 5);
	assert_false(
		position_equal(&rig.link.reached, &rig.link.stored.position));
	MUST(cdc_commit(&rig.link, &err));
	assert_false(rig.link.gathering);
	assert_int_equal(commits, 1);
	assert_int_equal(memory_stored(rig.src), stored + 5);
	assert_true(
		position_equal(&rig.link.reached, &rig.link.stored.position));
	assert_same(&rig);
	MUST(cdc_commit(&rig.link, &err)); /* nothing was gathered */
	assert_int_equal(commits, 1);
	free(before);
}

/* Windows without rows move the checkpoint of what was gathered, too. */
static void test_empty_windows(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	load("+1|a");
	rig_change(&rig, "+2|b");
	step();
	rig_change_other(&rig);
	step();
	MUST(cdc_commit(&rig.link, &err));
	assert_true(
		position_equal(&rig.link.reached, &rig.link.stored.position));
	assert_same(&rig);
	/* Without rows there is no transaction. */
	count_commits();
	rig_change_other(&rig);
	step();
	assert_false(rig.link.gathering);
	MUST(cdc_commit(&rig.link, &err));
	assert_int_equal(commits, 0);
}

/* Trouble in the middle of a window takes all of it back, and it comes again. */
static void test_broken_window(void **state)
{
	struct cdc_step ignored;
	struct error err = ERROR_INIT;
	char *before;

	(void)state;
	load("+1|a");
	before = rig_dest(&rig);
	rig_change(&rig, "+2|b");
	step();
	rig_change(&rig, "+3|c");
	memory_fail(rig.dst, 2, ERROR_SERVER); /* after stamp() */
	MUST_FAIL(cdc_run_step(&rig.link, &ignored, &err), ERROR_SERVER);
	assert_false(rig.link.gathering);
	link_release(&rig.link);
	link_forget(&rig.link);
	assert_dest(&rig, before);
	rig_sync(&rig);
	assert_same(&rig);
	free(before);
}

static unsigned begun;

static int begin_twice(struct source *src, struct table *shape,
		       const struct position *from, unsigned limit,
		       struct window *window, struct error *err)
{
	if (begun++ == 2)
		return error_set(err, ERROR_CONNECTION, "the source is away");
	return rig.src_ops.changes_begin(src, shape, from, limit, window, err);
}

/* Trouble before one leaves what is whole, and that is kept. */
static void test_trouble_between_windows(void **state)
{
	struct source_ops ops = rig.src_ops;
	struct error err = ERROR_INIT;
	struct position before;
	bool busy;

	(void)state;
	load("+1|a");
	before = rig.link.stored.position;
	for (int i = 2; i < 6; i++) {
		char text[32];

		snprintf(text, sizeof(text), "+%d|x", i);
		rig_change(&rig, text);
	}
	ops.changes_begin = begin_twice;
	rig.link.src->ops = &ops;
	MUST_FAIL(follow_changes(&follow, &busy, &err), ERROR_CONNECTION);
	rig.link.src->ops = &rig.src_ops;
	assert_int_equal(rig.link.stored.position.bytes[7],
			 before.bytes[7] + 2);
	assert_false(rig.link.gathering);
	assert_true(
		position_equal(&rig.link.reached, &rig.link.stored.position));
	link_release(&rig.link);
	link_forget(&rig.link);
	rig_sync(&rig);
	assert_same(&rig);
}

/* A run that ends gives its connection back: what was gathered is gone. */
static void test_release(void **state)
{
	(void)state;
	load("+1|a");
	rig_change(&rig, "+2|b");
	step();
	link_release(&rig.link);
	assert_false(rig.link.gathering);
	link_forget(&rig.link);
	rig_sync(&rig);
	assert_same(&rig);
}

/* A copy that is not consistent yet does not wait. */
static void test_not_while_inconsistent(void **state)
{
	(void)state;
	load("+1|a");
	rig.link.stored.consistent_after_us = clock_utc_us() + 3600000000LL;
	rig.link.loaded_us = clock_us() + 3600000000LL;
	rig_change(&rig, "+2|b");
	step();
	assert_false(rig.link.gathering);
	assert_same(&rig);
	assert_int_equal(follow_rest_ms(&follow), 0);
}

/* A lag that is meant is none. */
static void test_lag(void **state)
{
	(void)state;
	load("+1|a");
	rig_change(&rig, "+2|b");
	pause_ms(30);
	rig_change(&rig, "+3|c");
	assert_int_equal(step().lag_ms, 0);
	rig.link.dst->gather_ms = 1;
	rig_change(&rig, "+4|d");
	pause_ms(30);
	rig_change(&rig, "+5|e");
	step();
	assert_true(step().lag_ms >= 10);
}

/* It looks now and then, or when somebody wants something. */
static void test_pace(void **state)
{
	struct error err = ERROR_INIT;
	struct order order = {.id = 7, .kind = ORDER_SKIP_TO_NOW};

	(void)state;
	load("+1|a");
	count_commits();
	rig_change(&rig, "+2|b");
	rig_change(&rig, "+3|c");
	assert_true(follow_now());
	assert_int_equal(commits, 1);
	assert_int_equal(told, 2);
	assert_same(&rig);
	assert_true(follow_rest_ms(&follow) > GATHER_MS - 20000);
	rig_change(&rig, "+4|d");
	assert_false(follow_now());
	assert_int_equal(told, 2); /* it did not look */
	assert_true(orders_put(&orders, &order));
	assert_true(follow_now());
	assert_same(&rig);
	orders_begin(&orders);
	orders_answer(&orders, ORDER_SKIP_TO_NOW, rig.reporter, "FAILED", "");
	rig_change(&rig, "+5|e");
	assert_false(follow_now());
	rig.link.dst->gather_ms = 1; /* the time is over */
	pause_ms(5);
	assert_true(follow_now());
	assert_same(&rig);
	assert_int_equal(commits, 3);
	rig.link.dst->gather_ms = GATHER_MS;
	/* At a stop what has gathered goes out. */
	rig_change(&rig, "+6|f");
	assert_false(follow_now());
	cancel_request(&rig.cancel, CANCEL_DRAIN);
	MUST(follow_last_look(&follow, &err));
	assert_same(&rig);
}

/* One that does not gather: each window when it comes, and no rest. */
static void test_others(void **state)
{
	(void)state;
	rig.gather_ms = 0;
	rig_reopen(&rig);
	load("+1|a");
	count_commits();
	rig_change(&rig, "+2|b");
	rig_change(&rig, "+3|c");
	assert_true(follow_now());
	assert_int_equal(commits, 2);
	assert_int_equal(follow_rest_ms(&follow), 0);
	rig_change(&rig, "+4|d");
	assert_true(follow_now());
	assert_same(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_one_transaction),
		TEST(test_empty_windows),
		TEST(test_broken_window),
		TEST(test_trouble_between_windows),
		TEST(test_release),
		TEST(test_not_while_inconsistent),
		TEST(test_lag),
		TEST(test_pace),
		TEST(test_others),
	};

	return cmocka_run_group_tests_name("gather", tests, NULL, NULL);
}
