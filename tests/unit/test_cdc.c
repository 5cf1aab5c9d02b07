#include "unit/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "drivers/memory/memory.h"
#include "unit/rig.h"

#define HOUR_US INT64_C(3600000000)

static struct rig rig;

static int setup(void **state)
{
	if (setup_folder(state) < 0)
		return -1;
	rig_begin(&rig, "cdc_src", "cdc_dst");
	return 0;
}

static int teardown(void **state)
{
	rig_end(&rig);
	return teardown_folder(state);
}

static struct cdc_step step(void)
{
	struct error err = ERROR_INIT;
	struct cdc_step out;

	rig.link.settings = rig.settings;
	MUST(cdc_run_step(&rig.link, &out, &err));
	return out;
}

static void step_fails(enum error_kind kind, struct error *out)
{
	struct error err = ERROR_INIT;
	struct cdc_step ignored;

	rig.link.settings = rig.settings;
	MUST_FAIL(cdc_run_step(&rig.link, &ignored, &err), kind);
	*out = err;
}

static struct checkpoint stored(void)
{
	struct error err = ERROR_INIT;
	struct checkpoint out;

	MUST(link_connect_target(&rig.link, &err));
	assert_int_equal(
		rig.link.dst->ops->checkpoint(rig.link.dst, &out, &err), 1);
	return out;
}

static bool is_stored(const struct position *position)
{
	struct checkpoint now = stored();

	return position_equal(&now.position, position);
}

/* A new load, which the next step makes consistent. */
static void load(const char *rows)
{
	rig_change(&rig, rows);
	rig_sync(&rig);
	assert_same(&rig);
}

static void test_nothing_new(void **state)
{
	struct cdc_step s;

	(void)state;
	load("+1|a");
	for (int i = 0; i < 3; i++) {
		s = step();
		assert_int_equal(s.rows, 0);
		assert_true(s.caught_up);
		assert_true(s.consistent);
		assert_int_equal(s.lag_ms, 0);
	}
	assert_same(&rig);
}

static void test_every_kind_of_change(void **state)
{
	struct cdc_step s;

	(void)state;
	load("+1|a|1 +2|b|2 +3|c|3 +4|d|4");
	rig_change(&rig, "+5|e|5 +2|changed|2 -3");
	rig_change(&rig, "-4 +40|d|4"); /* a change of key */
	rig_change(&rig, "+1||NULL");	/* an empty string is not NULL */
	s = step();
	assert_int_equal(s.rows, 6);
	assert_true(s.caught_up);
	assert_dest(&rig, "+ 1||NULL|NULL\n+ 2|changed|2|NULL\n"
			  "+ 5|e|5|NULL\n+ 40|d|4|NULL\n");
	assert_same(&rig);
}

/* Of several changes of one key in a window the last one counts. */
static void test_many_changes_of_one_key(void **state)
{
	(void)state;
	load("+1|a +2|b");
	rig_change(&rig, "+1|b +1|c -1 +1|d -2 +2|x -2");
	rig_change(&rig, "-1 +3|q");
	rig_change(&rig, "+1|last -3");
	assert_int_equal(step().rows, 11);
	assert_dest(&rig, "+ 1|last|NULL|NULL\n");
	assert_same(&rig);
}

static void test_everything_goes(void **state)
{
	(void)state;
	load("+1|a +2|b");
	rig_change(&rig, "-1 -2");
	step();
	assert_dest(&rig, "");
	rig_change(&rig, "-1"); /* of what is not there: harmless */
	step();
	assert_dest(&rig, "");
}

/* A big window in small batches is one transaction of the destination. */
static void test_small_batches(void **state)
{
	(void)state;
	load("+5000|x");
	for (int size = 1; size <= 400; size = size * 3 + 1) {
		rig.settings.batch_rows = size;
		rig_fill(&rig, 400);
		rig_change(&rig, "-1 -200 -400 +201|odd");
		assert_int_equal(step().rows, 404);
		assert_same(&rig);
	}
}

/* Windows end between transactions; each step takes one of them. */
static void test_windows(void **state)
{
	struct cdc_step s;
	int steps = 0;

	(void)state;
	load("+1|a");
	rig.settings.window_transactions = 2;
	for (int i = 0; i < 5; i++) {
		char text[64];

		snprintf(text, sizeof(text), "+%d|x +%d|y -1", 10 + i, 20 + i);
		rig_change(&rig, text);
	}
	do {
		s = step();
		steps++;
		assert_int_equal(s.rows, steps < 3 ? 6 : 3);
		assert_int_equal(s.caught_up, steps == 3);
		assert_true(s.lag_ms >= 0);
	} while (!s.caught_up);
	assert_same(&rig);
}

/* Quiet tables move in memory, and on disk now and then or when told so. */
static void test_windows_without_rows(void **state)
{
	struct error err = ERROR_INIT;
	struct checkpoint before;
	struct cdc_step s;

	(void)state;
	load("+1|a");
	before = stored();
	rig_change_other(&rig);
	rig_change_other(&rig);
	s = step();
	assert_int_equal(s.rows, 0);
	assert_true(s.caught_up);
	assert_false(position_equal(&rig.link.reached, &before.position));
	MUST(cdc_store_idle(&rig.link, false, &err));
	assert_true(is_stored(&before.position));
	MUST(cdc_store_idle(&rig.link, true, &err));
	assert_true(is_stored(&rig.link.reached));
	assert_true(
		position_equal(&rig.link.stored.position, &rig.link.reached));
	/* After a restart it goes on from there, although the log is gone. */
	memory_purge_log(rig.src);
	rig_change(&rig, "+2|b");
	rig_reopen(&rig);
	rig_sync(&rig);
	assert_same(&rig);
}

static void test_idle_store_conflict(void **state)
{
	struct error err = ERROR_INIT;
	struct checkpoint other;

	(void)state;
	load("+1|a");
	rig_change_other(&rig);
	step();
	other = rig.link.stored;
	other.position.bytes[0] = 0x7f;
	MUST(rig.link.dst->ops->advance(rig.link.dst, NULL, &other, &err));
	MUST_FAIL(cdc_store_idle(&rig.link, true, &err), ERROR_CONFLICT);
	assert_int_equal(stored().position.bytes[0], 0x7f);
}

/* Only the destination's own checkpoint counts after a restart. */
static void test_restart(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	load("+1|a +2|b");
	for (int i = 0; i < 5; i++) {
		char text[64];

		snprintf(text, sizeof(text), "+%d|new -%d +1|v%d", i + 10,
			 i + 9, i);
		rig_change(&rig, text);
		rig_reopen(&rig);
		MUST(link_attach(&rig.link, false, &err));
		assert_true(rig.link.loaded);
		assert_int_equal(step().rows, 3);
		assert_same(&rig);
	}
}

/* A mapping that points elsewhere now does not take the old position. */
static void test_other_source_table(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	load("+1|a");
	rig_change_other(&rig);
	rig.row.source_table = "other";
	rig_reopen(&rig);
	MUST(link_attach(&rig.link, false, &err));
	assert_false(rig.link.loaded);
	rig_sync(&rig);
	assert_dest(&rig, "+ 1|NULL|NULL|NULL\n");
	/* And back: what lies there now is not of this table. */
	rig.row.source_table = "t";
	rig_reopen(&rig);
	MUST(link_attach(&rig.link, false, &err));
	assert_false(rig.link.loaded);
	rig_sync(&rig);
	assert_same(&rig);
}

static void test_gap(void **state)
{
	struct error err;
	char *before, *after;

	(void)state;
	load("+1|a");
	rig_change(&rig, "+2|b");
	memory_purge_log(rig.src);
	before = rig_dest(&rig);
	step_fails(ERROR_GAP, &err);
	assert_false(err.retryable);
	assert_holds(err.message, "db.dbo.t");
	after = rig_dest(&rig);
	assert_string_equal(before, after);
	free(before);
	free(after);
	/* What a full sync heals. */
	link_release(&rig.link);
	link_forget(&rig.link);
	{
		struct error why = ERROR_INIT;
		uint64_t rows;
		bool again;

		rig.link.settings = rig.settings;
		if (full_sync_run(&rig.link, &rows, &again, &why) < 0)
			fail_msg("%s", why.message);
	}
	step();
	assert_same(&rig);
}

/* A position that the log has not reached: the source was set back. */
static void test_position_beyond_the_log(void **state)
{
	struct error err;

	(void)state;
	load("+1|a +2|b");
	rig_change(&rig, "+3|c");
	step();
	rig.link.reached.bytes[0] = 1;
	rig_change(&rig, "+4|d");
	step_fails(ERROR_GAP, &err);
}

/* Somebody else moved the checkpoint: nothing of ours is applied. */
static void test_conflict(void **state)
{
	struct error err = ERROR_INIT;
	struct checkpoint other;
	char *before, *after;

	(void)state;
	load("+1|a");
	other = rig.link.stored;
	other.position.bytes[0] = 0x01;
	MUST(rig.link.dst->ops->advance(rig.link.dst, NULL, &other, &err));
	rig_change(&rig, "+2|b -1");
	before = rig_dest(&rig);
	step_fails(ERROR_CONFLICT, &err);
	after = rig_dest(&rig);
	assert_string_equal(before, after);
	assert_int_equal(stored().position.bytes[0], 0x01);
	free(before);
	free(after);
}

/*
 * Two daemons on one mapping: the second finds that the first was faster, looks
 * again, and nothing is applied twice or lost.
 */
static void test_two_daemons(void **state)
{
	struct checkpoint mine;
	struct position reached;
	struct error err;

	(void)state;
	load("+1|a");
	mine = rig.link.stored;
	reached = rig.link.reached;
	rig_change(&rig, "+2|b");
	step(); /* the other one */
	rig.link.stored = mine;
	rig.link.reached = reached;
	rig_change(&rig, "-2 +3|c");
	step_fails(ERROR_CONFLICT, &err);
	link_release(&rig.link);
	link_forget(&rig.link);
	rig_sync(&rig);
	assert_same(&rig);
}

/* ------------------------------------------------------------- consistency */

static void test_consistent_flag(void **state)
{
	struct error err = ERROR_INIT;
	struct cdc_step s;
	uint64_t rows;
	bool again;

	(void)state;
	rig_change(&rig, "+1|a");
	rig.link.settings = rig.settings;
	MUST(full_sync_run(&rig.link, &rows, &again, &err));
	/* As if the read had ended a while from now. */
	rig.link.stored.consistent_after_us = clock_utc_us() + HOUR_US;
	rig.link.loaded_us = clock_us() + HOUR_US;
	MUST(rig.link.dst->ops->advance(rig.link.dst, NULL, &rig.link.stored,
					&err));
	s = step();
	assert_false(s.consistent);
	rig_change(&rig, "+2|b");
	s = step();
	assert_int_equal(s.rows, 1);
	assert_false(s.consistent);
	assert_true(stored().consistent_after_us > 0);
	/* Now the moment has come; nothing changed since. */
	rig.link.loaded_us = clock_us() - 1;
	s = step();
	assert_true(s.consistent);
	assert_true(s.caught_up);
	assert_int_equal(stored().consistent_after_us, 0);
	s = step();
	assert_true(s.consistent);
}

/* A load by a clock that was set back since: it waits from now on. */
static void test_consistent_in_the_future(void **state)
{
	struct error err = ERROR_INIT;
	uint64_t rows;
	bool again;

	(void)state;
	rig_change(&rig, "+1|a");
	rig.link.settings = rig.settings;
	MUST(full_sync_run(&rig.link, &rows, &again, &err));
	rig.link.stored.consistent_after_us = clock_utc_us() + HOUR_US;
	MUST(rig.link.dst->ops->advance(rig.link.dst, NULL, &rig.link.stored,
					&err));
	link_release(&rig.link);
	link_forget(&rig.link);
	MUST(link_attach(&rig.link, false, &err));
	assert_true(rig.link.stored.consistent_after_us > clock_utc_us());
	assert_true(step().consistent);
}

static int begin_ahead(struct source *src, struct table *shape,
		       const struct position *from, unsigned limit,
		       struct window *window, struct error *err)
{
	int rc =
		rig.src_ops.changes_begin(src, shape, from, limit, window, err);

	window->complete_us = clock_us() + HOUR_US;
	return rc;
}

static int captured_ahead(struct source *src, int64_t *until_us,
			  struct error *err)
{
	(void)src;
	(void)err;
	*until_us = clock_us() + HOUR_US;
	return 0;
}

/* Likewise the server's clock: what lies in the future tells nothing. */
static void test_complete_in_the_future(void **state)
{
	struct source_ops ops = rig.src_ops;
	struct error err = ERROR_INIT;
	uint64_t rows;
	bool again;

	(void)state;
	rig_change(&rig, "+1|a");
	rig.link.settings = rig.settings;
	MUST(full_sync_run(&rig.link, &rows, &again, &err));
	ops.changes_begin = begin_ahead;
	ops.captured_until = captured_ahead;
	rig.link.src->ops = &ops;
	assert_int_equal(step().complete_us, 0);
	assert_false(step().consistent);
	ops.captured_until = rig.src_ops.captured_until;
	assert_true(step().consistent);
	rig.link.src->ops = &rig.src_ops;
}

/*
 * A window that ends before the last change does not vouch for what is still to
 * come: the copy stays a mixture until the rest is applied.
 */
static void test_not_consistent_half_way(void **state)
{
	struct error err = ERROR_INIT;
	struct cdc_step s;
	uint64_t rows;
	bool again;

	(void)state;
	rig_change(&rig, "+1|a");
	rig.link.settings = rig.settings;
	MUST(full_sync_run(&rig.link, &rows, &again, &err));
	rig.settings.window_transactions = 1;
	rig_change(&rig, "+2|b");
	rig_change(&rig, "+3|c");
	pause_ms(5);
	rig.link.loaded_us = clock_us() - 1000;
	s = step();
	assert_false(s.caught_up);
	assert_false(s.consistent);
	s = step();
	assert_true(s.caught_up);
	s = step();
	assert_true(s.consistent);
}

/* --------------------------------------------------------- trouble half-way */

static int lose_answer(struct target *dst, const struct checkpoint *from,
		       const struct checkpoint *to,
		       struct target_counts *counts, struct error *err)
{
	if (rig.dst_ops.commit(dst, from, to, counts, err) < 0)
		return -1;
	return error_set(err, ERROR_CONNECTION, "the answer got lost");
}

static int never_arrives(struct target *dst, const struct checkpoint *from,
			 const struct checkpoint *to,
			 struct target_counts *counts, struct error *err)
{
	(void)dst;
	(void)from;
	(void)to;
	(void)counts;
	return error_set(err, ERROR_CONNECTION, "nothing arrived");
}

static void test_unknown_commit(void **state)
{
	struct target_ops ops = rig.dst_ops;
	struct error err;

	(void)state;
	load("+1|a +2|b");
	for (int i = 0; i < 2; i++) {
		char text[64];

		snprintf(text, sizeof(text), "+%d|x -1 +1|again%d -2", 3 + i,
			 i);
		rig_change(&rig, text);
		ops.commit = i ? never_arrives : lose_answer;
		rig.link.dst->ops = &ops;
		step_fails(ERROR_CONNECTION, &err);
		rig.link.dst->ops = &rig.dst_ops;
		link_release(&rig.link);
		link_forget(&rig.link);
		rig_sync(&rig);
		assert_same(&rig);
	}
}

static int write_calls;

static int write_and_cancel(struct target *dst, const struct batch *batch,
			    struct error *err)
{
	if (++write_calls == 2)
		cancel_request(&rig.cancel, CANCEL_DRAIN);
	if (write_calls == 102)
		cancel_request(&rig.cancel, CANCEL_NOW);
	return rig.dst_ops.write(dst, batch, err);
}

/* A window at hand is finished when draining, and dropped when told NOW. */
static void test_cancel(void **state)
{
	struct target_ops ops = rig.dst_ops;
	struct error err;

	(void)state;
	load("+5000|x");
	rig.settings.batch_rows = 2;
	rig_fill(&rig, 20);
	ops.write = write_and_cancel;
	rig.link.dst->ops = &ops;
	write_calls = 0;
	assert_int_equal(step().rows, 20);
	assert_true(write_calls >= 10);
	assert_same(&rig);
	write_calls = 100;
	rig_change(&rig, "-1 -2 -3 -4 -5 -6 -7");
	step_fails(ERROR_CANCELLED, &err);
	rig.link.dst->ops = &rig.dst_ops;
	link_release(&rig.link);
	assert_int_equal(write_calls, 102);
}

/* A column that went away, a key that is another one: seen at the next look. */
static void test_table_was_altered(void **state)
{
	static const struct column columns[] = {
		{.name = "id", .type = ROW_INT64},
		{.name = "name", .type = ROW_TEXT, .nullable = true},
		{.name = "fresh", .type = ROW_INT32, .nullable = true},
	};
	struct error err = ERROR_INIT;

	(void)state;
	load("+1|a");
	table_release(&rig.table);
	table_make(&rig.table, "t", columns, 3, "id");
	rig_replace_source(&rig);
	MUST_FAIL(rig_attempt(&rig, &err), ERROR_SCHEMA);
	assert_holds(rig.link.details.data, "'fresh'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_nothing_new),
		TEST(test_every_kind_of_change),
		TEST(test_many_changes_of_one_key),
		TEST(test_everything_goes),
		TEST(test_small_batches),
		TEST(test_windows),
		TEST(test_windows_without_rows),
		TEST(test_idle_store_conflict),
		TEST(test_restart),
		TEST(test_other_source_table),
		TEST(test_gap),
		TEST(test_position_beyond_the_log),
		TEST(test_conflict),
		TEST(test_two_daemons),
		TEST(test_consistent_flag),
		TEST(test_consistent_in_the_future),
		TEST(test_complete_in_the_future),
		TEST(test_not_consistent_half_way),
		TEST(test_unknown_commit),
		TEST(test_cancel),
		TEST(test_table_was_altered),
	};

	return cmocka_run_group_tests_name("cdc", tests, NULL, NULL);
}
