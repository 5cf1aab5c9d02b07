#include "unit/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "drivers/memory/memory.h"
#include "unit/rig.h"

static struct rig rig;

static int setup(void **state)
{
	if (setup_folder(state) < 0)
		return -1;
	rig_begin(&rig, "full_src", "full_dst");
	return 0;
}

static int teardown(void **state)
{
	rig_end(&rig);
	return teardown_folder(state);
}

static uint64_t load(bool *again)
{
	struct error err = ERROR_INIT;
	uint64_t rows = 12345;

	rig.link.settings = rig.settings;
	MUST(full_sync_run(&rig.link, &rows, again, &err));
	return rows;
}

static void load_fails(enum error_kind kind, struct error *out)
{
	struct error err = ERROR_INIT;
	uint64_t rows;
	bool again;

	rig.link.settings = rig.settings;
	MUST_FAIL(full_sync_run(&rig.link, &rows, &again, &err), kind);
	*out = err;
}

static bool dest_exists(void)
{
	struct error err = ERROR_INIT;
	struct batch batch;
	int rc;

	batch_make(&batch, &rig.table);
	rc = memory_rows(rig.dst, &rig.dest, &batch, &err);
	batch_release(&batch);
	return rc == 0;
}

static void test_empty_table(void **state)
{
	bool again = true;

	(void)state;
	assert_int_equal(load(&again), 0);
	assert_false(again);
	assert_dest(&rig, "");
	assert_true(rig.link.loaded);
	assert_int_equal(rig.link.reached.len, 8);
}

static void test_creates_the_table(void **state)
{
	struct error err = ERROR_INIT;
	struct table made;
	bool again;

	(void)state;
	rig_change(&rig, "+1|a|10|0 +2|NULL|NULL|NULL +3||0|0");
	assert_int_equal(load(&again), 3);
	assert_dest(&rig, "+ 1|a|10|0\n+ 2|NULL|NULL|NULL\n+ 3||0|0\n");
	table_init(&made);
	assert_int_equal(rig.link.dst->ops->describe(rig.link.dst, &made, &err),
			 1);
	assert_int_equal(made.column_count, 4);
	assert_int_equal(made.key_count, 1);
	assert_int_equal(made.key[0], 0);
	assert_false(made.columns[0].nullable);
	assert_true(made.columns[1].nullable);
	table_release(&made);
}

static void test_does_not_create_when_told_so(void **state)
{
	struct error err;

	(void)state;
	rig.settings.create_missing_tables = 0;
	rig_change(&rig, "+1");
	load_fails(ERROR_SCHEMA, &err);
	assert_holds(err.message, "db2.dbo.copy");
	assert_holds(err.message, "create_missing_tables");
	assert_false(dest_exists());
}

/* Rows that are not in the source any more go. */
static void test_replaces_everything(void **state)
{
	bool again;

	(void)state;
	rig_change(&rig, "+1|a +2|b +3|c");
	load(&again);
	rig_change(&rig, "-2 +4|d +1|z");
	assert_int_equal(load(&again), 3);
	assert_same(&rig);
	rig_change(&rig, "-1 -3 -4");
	assert_int_equal(load(&again), 0);
	assert_dest(&rig, "");
}

static void test_truncate_mode(void **state)
{
	bool again;

	(void)state;
	rig.settings.truncate = 1;
	rig_change(&rig, "+1|a +2|b");
	load(&again);
	rig_change(&rig, "-2 +3|c");
	assert_int_equal(load(&again), 2);
	assert_same(&rig);
}

static void test_many_rows_in_small_batches(void **state)
{
	static const int sizes[] = {1, 2, 3, 7, 99, 100, 101, 1000};
	bool again;

	(void)state;
	rig_fill(&rig, 1000);
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		rig.settings.batch_rows = sizes[i];
		assert_int_equal(load(&again), 1000);
		assert_same(&rig);
	}
}

/* A table without a key can be loaded, though not followed. */
static void test_table_without_a_key(void **state)
{
	static const struct column columns[] = {
		{.name = "id", .type = ROW_INT64},
		{.name = "name", .type = ROW_TEXT, .nullable = true},
		{.name = "n", .type = ROW_INT32, .nullable = true},
		{.name = "sync", .type = ROW_BOOL, .nullable = true},
	};
	struct error err = ERROR_INIT;
	bool again;

	(void)state;
	table_release(&rig.table);
	table_make(&rig.table, "t", columns, 4, NULL);
	rig_clear(&rig);
	rig_change(&rig, "+1|a +1|a +2|b +1|a");
	load_fails(ERROR_SCHEMA, &err);
	assert_holds(err.message, "key");
	rig.row.cdc_enabled = false;
	rig_reopen(&rig);
	assert_int_equal(load(&again), 4);
	assert_dest(&rig, "+ 1|a|NULL|NULL\n+ 1|a|NULL|NULL\n"
			  "+ 2|b|NULL|NULL\n+ 1|a|NULL|NULL\n");
	assert_int_equal(rig.link.reached.len, 0);
}

static void test_wrong_key_columns(void **state)
{
	struct error err;

	(void)state;
	rig_change(&rig, "+1|a|5 +2|b|5");
	rig.row.key_columns = "nope";
	rig_reopen(&rig);
	load_fails(ERROR_SCHEMA, &err);
	assert_holds(err.message, "nope");
	assert_holds(err.message, "primary_key_column");
	rig.row.key_columns = "n"; /* two rows have the same */
	rig_reopen(&rig);
	load_fails(ERROR_SCHEMA, &err);
	assert_false(dest_exists());
	rig.row.key_columns = "n,[ID]"; /* more than is needed: fine */
	rig_reopen(&rig);
	rig_sync(&rig);
	assert_same(&rig);
}

static void test_missing_source_table(void **state)
{
	struct error err;

	(void)state;
	rig.row.source_table = "absent";
	rig_reopen(&rig);
	load_fails(ERROR_SCHEMA, &err);
	assert_holds(err.message, "absent");
	assert_false(dest_exists());
	rig_reopen(&rig);
}

/* Refused before anything is touched, with all differences. */
static void test_schema_differs(void **state)
{
	static const struct column columns[] = {
		{.name = "id", .type = ROW_INT64},
		{.name = "name", .type = ROW_INT32, .nullable = true},
		{.name = "sync", .type = ROW_BOOL, .nullable = true},
		{.name = "must", .type = ROW_INT32},
	};
	struct error err = ERROR_INIT;
	struct table other;
	struct batch row;

	(void)state;
	table_make(&other, "copy", columns, 4, "id");
	MUST(memory_create_table(rig.dst, &rig.dest, &other, &err));
	batch_make(&row, &other);
	for (size_t col = 0; col < 4; col++)
		batch_put_i64(&row, col, 7);
	batch_add_row(&row, ROW_UPSERT);
	MUST(memory_change(rig.dst, &rig.dest, &row, &err));
	batch_reset(&row);
	rig_change(&rig, "+1|a");
	load_fails(ERROR_SCHEMA, &err);
	assert_holds(err.message, "db.dbo.t");
	assert_holds(rig.link.details.data, "'name'");
	assert_holds(rig.link.details.data, "'n'");
	assert_holds(rig.link.details.data, "'must'");
	MUST(memory_rows(rig.dst, &rig.dest, &row, &err));
	assert_rows(&row, "+ 7|7|7|7\n");
	batch_release(&row);
	table_release(&other);
}

static void test_checkpoint_and_consistency(void **state)
{
	struct error err = ERROR_INIT;
	struct checkpoint stored;
	int64_t before = clock_utc_us();
	bool again;

	(void)state;
	rig_change(&rig, "+1|a");
	load(&again);
	assert_int_equal(
		rig.link.dst->ops->checkpoint(rig.link.dst, &stored, &err), 1);
	assert_true(position_equal(&stored.position, &rig.link.reached));
	assert_true(stored.consistent_after_us >= before);
	assert_true(stored.consistent_after_us <= clock_utc_us());
	/* Without change capture the copy is as it is. */
	rig.row.cdc_enabled = false;
	rig_reopen(&rig);
	load(&again);
	assert_int_equal(
		rig.link.dst->ops->checkpoint(rig.link.dst, &stored, &err), 1);
	assert_int_equal(stored.position.len, 0);
	assert_int_equal(stored.consistent_after_us, 0);
}

/* ----------------------------------------------- while the load is running */

static struct source_ops ops;
static int calls;
static const char *during; /* changes to make */
static int during_call;	   /* at which call of next() */

static int next_and_change(struct source *src, struct batch *batch,
			   struct error *err)
{
	if (++calls == during_call)
		rig_change(&rig, during);
	return rig.src_ops.next(src, batch, err);
}

static int begin_and_change(struct source *src, struct table *shape,
			    const struct row_choice *choice, struct error *err)
{
	if (!during_call)
		rig_change(&rig, during);
	return rig.src_ops.read_begin(src, shape, choice, err);
}

/* From now on the source changes at that call; 0: before the read begins. */
static void change_during(int call, const char *changes)
{
	calls = 0;
	during = changes;
	during_call = call;
	ops = rig.src_ops;
	ops.next = next_and_change;
	ops.read_begin = begin_and_change;
	rig.link.src->ops = &ops;
}

/* Whenever a change lands, it is in the copy once changes were applied. */
static void test_changes_during_the_load(void **state)
{
	(void)state;
	rig.settings.batch_rows = 3;
	for (int call = 0; call <= 4; call++) {
		rig_clear(&rig);
		rig_fill(&rig, 9);
		change_during(call, "+1|changed -2 +100|new +3|x -3 +4|y +4|z");
		rig_sync(&rig);
		assert_same(&rig);
		assert_int_equal(rig.link.stored.consistent_after_us, 0);
		rig.link.src->ops = &rig.src_ops;
	}
}

static void test_trigger_column(void **state)
{
	bool again;

	(void)state;
	rig.row.trigger_column = "sync";
	rig_reopen(&rig);
	rig_change(&rig, "+1|a|1|1 +2|b|2|0 +3|c|3|NULL +4|d|4|1");
	load(&again);
	assert_false(again);
	/* Reset in the source; the copy never shows that it was set. */
	assert_dest(&rig, "+ 1|a|1|0\n+ 2|b|2|0\n+ 3|c|3|NULL\n+ 4|d|4|0\n");
	assert_same(&rig);
	rig_sync(&rig);
	assert_same(&rig);
}

/* Somebody asks again while it runs: there has to be another one. */
static void test_trigger_set_during_the_load(void **state)
{
	bool again = false;

	(void)state;
	rig.settings.batch_rows = 2;
	rig.row.trigger_column = "sync";
	rig_reopen(&rig);
	rig_fill(&rig, 6);
	rig_change(&rig, "+1|a|1|1");
	change_during(2, "+5|asked|5|1");
	load(&again);
	assert_true(again);
	rig.link.src->ops = &rig.src_ops;
	load(&again);
	assert_false(again);
	rig_sync(&rig);
	assert_same(&rig);
}

static void test_trigger_column_that_is_missing(void **state)
{
	struct error err;

	(void)state;
	rig_change(&rig, "+1|a");
	rig.row.trigger_column = "nope";
	rig_reopen(&rig);
	load_fails(ERROR_SCHEMA, &err);
	assert_holds(err.message, "nope");
	rig.row.trigger_column = "name"; /* is no integer */
	rig_reopen(&rig);
	load_fails(ERROR_SCHEMA, &err);
	assert_holds(err.message, "name");
}

static int next_and_cancel(struct source *src, struct batch *batch,
			   struct error *err)
{
	if (++calls == during_call)
		cancel_request(&rig.cancel, CANCEL_DRAIN);
	return rig.src_ops.next(src, batch, err);
}

/* Asked to stop, it leaves the old rows and the old checkpoint. */
static void test_cancel(void **state)
{
	struct error err = ERROR_INIT;
	bool again;

	(void)state;
	rig.settings.batch_rows = 2;
	rig_change(&rig, "+1|old");
	load(&again);
	rig_fill(&rig, 20);
	for (during_call = 1; during_call <= 11; during_call++) {
		calls = 0;
		ops = rig.src_ops;
		ops.next = next_and_cancel;
		rig.link.src->ops = &ops;
		load_fails(ERROR_CANCELLED, &err);
		assert_dest(&rig, "+ 1|old|NULL|NULL\n");
		rig.link.src->ops = &rig.src_ops;
		link_release(&rig.link);
		cancel_release(&rig.cancel);
		MUST(cancel_init(&rig.cancel, &err));
		assert_true(calls >= during_call);
	}
	assert_int_equal(load(&again), 20);
	assert_same(&rig);
}

static int commit_and_lose(struct target *dst, const struct checkpoint *from,
			   const struct checkpoint *to,
			   struct target_counts *counts, struct error *err)
{
	if (rig.dst_ops.commit(dst, from, to, counts, err) < 0)
		return -1;
	return error_set(err, ERROR_CONNECTION, "the answer got lost");
}

/* The commit happened, but nobody heard of it. */
static void test_lost_answer_of_the_commit(void **state)
{
	struct target_ops lossy = rig.dst_ops;
	struct error err;

	(void)state;
	rig_fill(&rig, 5);
	lossy.commit = commit_and_lose;
	rig.link.dst->ops = &lossy;
	load_fails(ERROR_CONNECTION, &err);
	assert_true(err.retryable);
	rig.link.dst->ops = &rig.dst_ops;
	link_release(&rig.link);
	link_forget(&rig.link);
	rig_change(&rig, "+6|f -1");
	rig_sync(&rig);
	assert_same(&rig);
}

/* A failed plain load must not pass for a finished one. */
static void test_truncate_mode_that_fails(void **state)
{
	struct error err = ERROR_INIT;
	unsigned long n;
	bool again;

	(void)state;
	rig.settings.truncate = 1;
	rig.settings.batch_rows = 2;
	rig_fill(&rig, 9);
	load(&again);
	link_release(&rig.link);
	for (n = 1;; n++) {
		uint64_t rows;

		rig_reopen(&rig);
		memory_fail(rig.dst, n, ERROR_CONNECTION);
		error_clear(&err);
		rig.link.settings = rig.settings;
		if (full_sync_run(&rig.link, &rows, &again, &err) == 0)
			break;
		memory_fail(rig.dst, 0, ERROR_NONE);
		/* The daemon is killed now; the next one looks around. */
		rig_reopen(&rig);
		rig_sync(&rig);
		assert_same(&rig);
	}
	memory_fail(rig.dst, 0, ERROR_NONE);
	assert_true(n > 5);
}

/* The run's row in sync_status, and what else is told. */
static void test_what_is_reported(void **state)
{
	bool again;

	(void)state;
	rig_fill(&rig, 7);
	load(&again);
	report_run_end(rig.subject, REPORT_MOVING, "COMPLETED", NULL);
	for (int i = 0; i < 500; i++) {
		if (store_number(rig.spec.file,
				 "SELECT COUNT(*) FROM sync_status "
				 "WHERE status = 'COMPLETED'"))
			break;
		pause_ms(10);
	}
	assert_query(rig.spec.file,
		     "SELECT sync_type, status, records_processed, "
		     "records_total FROM sync_status",
		     "FULL_SYNC|COMPLETED|7|7\n");
	assert_query(rig.spec.file,
		     "SELECT last_full_sync_at IS NOT NULL "
		     "FROM table_mappings",
		     "1\n");
	assert_query(rig.spec.file,
		     "SELECT log_message LIKE '%db2.dbo.copy%' FROM sync_logs",
		     "1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_empty_table),
		TEST(test_creates_the_table),
		TEST(test_does_not_create_when_told_so),
		TEST(test_replaces_everything),
		TEST(test_truncate_mode),
		TEST(test_many_rows_in_small_batches),
		TEST(test_table_without_a_key),
		TEST(test_wrong_key_columns),
		TEST(test_missing_source_table),
		TEST(test_schema_differs),
		TEST(test_checkpoint_and_consistency),
		TEST(test_changes_during_the_load),
		TEST(test_trigger_column),
		TEST(test_trigger_set_during_the_load),
		TEST(test_trigger_column_that_is_missing),
		TEST(test_cancel),
		TEST(test_lost_answer_of_the_commit),
		TEST(test_truncate_mode_that_fails),
		TEST(test_what_is_reported),
	};

	return cmocka_run_group_tests_name("full sync", tests, NULL, NULL);
}
