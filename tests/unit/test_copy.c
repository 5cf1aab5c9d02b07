/*
 * copy_run() between ends that are made up here: they count what they are asked
 * and fail when they are told.
 */
#include "unit/helper.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/copy.h"
#include "unit/rig.h"

static const struct column columns[] = {
	{.name = "id", .type = ROW_INT64},
	{.name = "text", .type = ROW_TEXT, .nullable = true},
};

static struct table shape;
static struct control_spec spec;
static struct reporter *reporter;
static struct report_subject *subject;
static struct cancel cancel;
static struct memory memory; /* without bounds, but for a few tests */

/* What the source gives and does. */
static struct {
	struct source base;
	int64_t rows, next;
	size_t text_len;
	int calls, fail_at;
	int slow_ms;
} in;

/* What the target got and does. */
static struct {
	struct target base;
	int64_t rows, sum;
	int calls, fail_at, cancel_at;
	void (*hook)(void); /* at each write */
	enum cancel_level cancel_level;
	size_t most_rows;
	bool out_of_order;
	pthread_t writer;
} out;

static atomic_int reading, overlapping;

static int next(struct source *src, struct batch *batch, struct error *err)
{
	unsigned char *text;

	(void)src;
	if (atomic_fetch_add(&reading, 1))
		atomic_fetch_add(&overlapping, 1);
	if (in.slow_ms)
		pause_ms(in.slow_ms);
	atomic_fetch_sub(&reading, 1);
	if (++in.calls == in.fail_at)
		return error_set(err, ERROR_CONNECTION, "reading broke");
	if (batch->rows)
		return error_set(err, ERROR_INTERNAL, "batch is not empty");
	while (in.next < in.rows && !batch_full(batch)) {
		batch_put_i64(batch, 0, in.next);
		text = batch_put_slice(batch, 1, in.text_len);
		if (!text && !batch->rows && in.base.rows.bytes) {
			batch_make_lone(batch);
			continue;
		}
		if (!text)
			break;
		memset(text, 'x', in.text_len);
		batch_add_row(batch, ROW_UPSERT);
		in.next++;
	}
	return batch->rows > 0;
}

static int write_rows(struct target *dst, const struct batch *batch,
		      struct error *err)
{
	(void)dst;
	out.calls++;
	if (out.hook)
		out.hook();
	if (out.calls == out.fail_at)
		return error_set(err, ERROR_DATA, "writing broke");
	if (out.calls == out.cancel_at)
		cancel_request(&cancel, out.cancel_level);
	for (size_t i = 0; i < batch->rows; i++) {
		out.out_of_order |= batch->columns[0].i64[i] != out.rows;
		out.sum += batch->columns[0].i64[i];
		out.rows++;
	}
	if (batch->rows > out.most_rows)
		out.most_rows = batch->rows;
	out.writer = pthread_self();
	return 0;
}

static void end(struct source *src)
{
	src->rows.bytes = 0;
}

static const struct source_ops source_ops = {.next = next, .end = end};
static const struct target_ops target_ops = {.write = write_rows};

static int setup_group(void **state)
{
	struct error err = ERROR_INIT;

	if (setup_folder(state) < 0)
		return -1;
	log_setup(LOG_ERROR, false);
	table_make(&shape, "t", columns, 2, "id");
	spec = store_make("copy.db");
	store_add_mapping(spec.file);
	if (reporter_start(&reporter, &spec, "test:1", &err) < 0)
		return -1;
	subject = reporter_add_subject(reporter, 1);
	report_run_begin(subject, REPORT_MOVING, "FULL_SYNC", 0);
	return 0;
}

static int teardown_group(void **state)
{
	reporter_remove_subject(reporter, subject);
	assert_true(reporter_stop(reporter, 60000));
	reporter_free(reporter);
	table_release(&shape);
	return teardown_folder(state);
}

static int setup(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	memset(&in, 0, sizeof(in));
	memset(&out, 0, sizeof(out));
	in.base.ops = &source_ops;
	out.base.ops = &target_ops;
	atomic_store(&overlapping, 0);
	memset(&memory, 0, sizeof(memory));
	return cancel_init(&cancel, &err);
}

static int teardown(void **state)
{
	(void)state;
	cancel_release(&cancel);
	return 0;
}

static int run(size_t batch_rows, size_t batch_bytes, enum cancel_level stop_at,
	       uint64_t *rows, struct error *err)
{
	struct copy copy = {
		.src = &in.base,
		.dst = &out.base,
		.shape = &shape,
		.batch_rows = batch_rows,
		.batch_bytes = batch_bytes,
		.memory = &memory,
		.cancel = &cancel,
		.stop_at = stop_at,
		.subject = subject,
	};

	error_clear(err);
	return copy_run(&copy, rows, err);
}

static void assert_all(uint64_t rows)
{
	assert_int_equal(rows, in.rows);
	assert_int_equal(out.rows, in.rows);
	assert_int_equal(out.sum, in.rows * (in.rows - 1) / 2);
	assert_false(out.out_of_order);
	assert_int_equal(atomic_load(&overlapping), 0);
}

static void test_sizes(void **state)
{
	static const int64_t counts[] = {0, 1, 9, 10, 11, 20, 49, 50, 51, 5000};
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(counts); i++) {
		uint64_t rows = 77;

		setup(state);
		in.rows = counts[i];
		MUST(run(10, 1 << 20, CANCEL_DRAIN, &rows, &err));
		assert_all(rows);
		assert_int_equal(out.calls, (counts[i] + 9) / 10);
		assert_true(out.most_rows <= 10);
	}
}

/* Memory for one row a batch, and even for less. */
static void test_tiny_batches(void **state)
{
	static const size_t bytes[] = {0, 100, 1000, 2600, 4000, 10000};
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bytes); i++) {
		uint64_t rows = 0;

		setup(state);
		in.rows = 100;
		in.text_len = bytes[i] < 2600 ? 0 : 1000;
		MUST(run(1000, bytes[i], CANCEL_DRAIN, &rows, &err));
		assert_all(rows);
	}
	setup(state);
	in.rows = 100;
	in.text_len = 1000;
	{
		uint64_t rows = 0;

		MUST(run(1000, 2600, CANCEL_DRAIN, &rows, &err));
		assert_all(rows);
		assert_int_equal(out.most_rows, 1);
	}
}

static void test_failing_reader(void **state)
{
	struct error err = ERROR_INIT;
	uint64_t rows;

	(void)state;
	for (int at = 1; at <= 12; at++) {
		setup(state);
		in.rows = 100;
		in.fail_at = at;
		if (at == 12) { /* it is never asked that often */
			MUST(run(10, 1 << 20, CANCEL_DRAIN, &rows, &err));
			assert_int_equal(in.calls, 11);
			continue;
		}
		MUST_FAIL(run(10, 1 << 20, CANCEL_DRAIN, &rows, &err),
			  ERROR_CONNECTION);
		assert_string_equal(err.message, "reading broke");
		assert_true(err.retryable);
		/* Nobody asks it again after that. */
		assert_int_equal(in.calls, at);
		assert_int_equal(rows, out.rows);
		assert_false(out.out_of_order);
	}
}

static void test_failing_writer(void **state)
{
	struct error err = ERROR_INIT;
	uint64_t rows;

	(void)state;
	for (int at = 1; at <= 10; at++) {
		setup(state);
		in.rows = 100;
		out.fail_at = at;
		MUST_FAIL(run(10, 1 << 20, CANCEL_DRAIN, &rows, &err),
			  ERROR_DATA);
		assert_string_equal(err.message, "writing broke");
		assert_int_equal(out.calls, at);
		assert_int_equal(rows, out.rows);
		assert_int_equal(rows, 10 * (at - 1));
	}
}

/* The reader is held back: it is never more batches ahead than there are. */
static void test_reader_does_not_run_away(void **state)
{
	struct error err = ERROR_INIT;
	uint64_t rows;

	(void)state;
	in.rows = 100000;
	out.fail_at = 5;
	MUST_FAIL(run(10, 1 << 20, CANCEL_DRAIN, &rows, &err), ERROR_DATA);
	assert_true(in.calls <= out.fail_at + COPY_BATCHES + 1);
}

static void test_both_fail(void **state)
{
	struct error err = ERROR_INIT;
	uint64_t rows;

	(void)state;
	in.rows = 100;
	in.fail_at = 4;
	out.fail_at = 3;
	MUST_FAIL(run(10, 1 << 20, CANCEL_DRAIN, &rows, &err), ERROR_DATA);
}

static void test_cancel(void **state)
{
	static const struct {
		enum cancel_level asked, stop_at;
		bool stops;
	} cases[] = {
		{CANCEL_DRAIN, CANCEL_DRAIN, true},
		{CANCEL_NOW, CANCEL_DRAIN, true},
		{CANCEL_DRAIN, CANCEL_NOW, false},
		{CANCEL_NOW, CANCEL_NOW, true},
	};
	struct error err = ERROR_INIT;
	uint64_t rows;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		for (int at = 1; at <= 10; at += 3) {
			setup(state);
			in.rows = 100;
			out.cancel_at = at;
			out.cancel_level = cases[i].asked;
			if (!cases[i].stops) {
				MUST(run(10, 1 << 20, cases[i].stop_at, &rows,
					 &err));
				assert_all(rows);
				continue;
			}
			MUST_FAIL(
				run(10, 1 << 20, cases[i].stop_at, &rows, &err),
				ERROR_CANCELLED);
			assert_int_equal(out.calls, at);
		}
	}
}

/* ------------------------------------------------------------------- memory */

#define KB ((size_t)1024)

static struct budget budget;
static struct wait_for {
	pthread_t thread;
	int at;
	bool begun;
} waiter;
static size_t most_used;

static void begin_memory(size_t shared)
{
	struct error err = ERROR_INIT;

	MUST(budget_init(&budget, shared, &err));
	memory = (struct memory){.budget = &budget, .own = 16 * KB};
	memset(&waiter, 0, sizeof(waiter));
	most_used = 0;
}

static void see_budget(void)
{
	struct budget_usage usage;

	budget_count(&budget, &usage);
	if (usage.used > most_used)
		most_used = usage.used;
}

static void end_memory(void)
{
	struct budget_usage usage;

	budget_count(&budget, &usage);
	assert_int_equal(usage.used, 0);
	budget_release(&budget);
}

/* Nobody waits for the memory that makes it fast. */
static void test_alone_while_memory_is_short(void **state)
{
	struct error err = ERROR_INIT;
	uint64_t rows;

	(void)state;
	begin_memory(400 * KB);
	out.hook = see_budget;
	assert_true(budget_try(&budget, 390 * KB));
	in.rows = 1000;
	in.text_len = 1000;
	MUST(run(1000, 64 * KB, CANCEL_DRAIN, &rows, &err));
	assert_all(rows);
	assert_int_equal(most_used, 390 * KB);
	assert_true(out.most_rows < 16); /* as its own memory has room for */
	budget_give(&budget, 390 * KB);
	end_memory();
}

/* Of what there is it takes smaller pieces, if need be. */
static void test_smaller_batches(void **state)
{
	struct error err = ERROR_INIT;
	uint64_t rows;

	(void)state;
	begin_memory(130 * KB);
	out.hook = see_budget;
	in.rows = 1000;
	in.text_len = 1000;
	MUST(run(1000, 64 * KB, CANCEL_DRAIN, &rows, &err));
	assert_all(rows);
	assert_int_equal(most_used, COPY_BATCHES * 32 * KB);
	end_memory();
}

static void *wait_main(void *arg)
{
	struct error err = ERROR_INIT;

	(void)arg;
	if (budget_reserve(&budget, 400 * KB, &cancel, &err) == 0)
		budget_give(&budget, 400 * KB);
	return NULL;
}

/* In the middle of it somebody wants all. */
static void let_somebody_wait(void)
{
	see_budget();
	if (out.calls != waiter.at)
		return;
	waiter.begun = true;
	assert_int_equal(pthread_create(&waiter.thread, NULL, wait_main, NULL),
			 0);
	while (!budget_is_wanted(&budget))
		pause_ms(1);
}

static void test_gives_back_what_others_wait_for(void **state)
{
	struct error err = ERROR_INIT;
	uint64_t rows;

	(void)state;
	for (int at = 2; at < 9; at++) {
		setup(state);
		begin_memory(400 * KB);
		waiter.at = at;
		out.hook = let_somebody_wait;
		in.rows = 2000;
		in.text_len = 1000;
		MUST(run(1000, 64 * KB, CANCEL_DRAIN, &rows, &err));
		assert_all(rows);
		assert_true(waiter.begun);
		pthread_join(waiter.thread, NULL);
		assert_true(most_used >= COPY_BATCHES * 64 * KB);
		end_memory();
	}
}

/* Rows that are too large for several batches wait, and come one by one. */
static void test_large_rows(void **state)
{
	struct error err = ERROR_INIT;
	uint64_t rows;

	(void)state;
	begin_memory(400 * KB);
	out.hook = see_budget;
	in.rows = 30;
	in.text_len = 100 * KB;
	in.base.rows.bytes = 100 * KB;
	MUST(run(1000, 64 * KB, CANCEL_DRAIN, &rows, &err));
	assert_all(rows);
	assert_int_equal(out.most_rows, 1);
	assert_int_equal(most_used, 200 * KB);
	assert_int_equal(memory.held, 200 * KB);
	memory_give(&memory);
	in.base.rows.bytes = 300 * KB;
	in.base.ops = &source_ops;
	MUST_FAIL(run(1000, 64 * KB, CANCEL_DRAIN, &rows, &err), ERROR_DATA);
	assert_int_equal(rows, 0);
	end_memory();
}

/* A slow reader and a slow writer wait for each other, and nobody is lost. */
static void test_slow_reader(void **state)
{
	struct error err = ERROR_INIT;
	uint64_t rows;

	(void)state;
	in.rows = 200;
	in.slow_ms = 2;
	MUST(run(10, 1 << 20, CANCEL_DRAIN, &rows, &err));
	assert_all(rows);
	assert_true(pthread_equal(out.writer, pthread_self()));
}

static void test_progress_is_told(void **state)
{
	struct error err = ERROR_INIT;
	uint64_t rows;

	(void)state;
	report_run_end(subject, REPORT_MOVING, "COMPLETED", NULL);
	report_run_begin(subject, REPORT_MOVING, "FULL_SYNC", 1000);
	in.rows = 1000;
	in.text_len = 5;
	MUST(run(10, 1 << 20, CANCEL_DRAIN, &rows, &err));
	report_run_end(subject, REPORT_MOVING, "COMPLETED", NULL);
	for (int i = 0; i < 500; i++) {
		if (store_number(spec.file,
				 "SELECT COUNT(*) FROM sync_status WHERE "
				 "records_processed = 1000 AND "
				 "last_processed_pk IS NOT NULL"))
			return;
		pause_ms(10);
	}
	fail_msg("the progress is not in sync_status");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_sizes),
		TEST(test_tiny_batches),
		TEST(test_failing_reader),
		TEST(test_failing_writer),
		TEST(test_reader_does_not_run_away),
		TEST(test_both_fail),
		TEST(test_cancel),
		TEST(test_alone_while_memory_is_short),
		TEST(test_smaller_batches),
		TEST(test_gives_back_what_others_wait_for),
		TEST(test_large_rows),
		TEST(test_slow_reader),
		TEST(test_progress_is_told),
	};

	alarm(60); /* threads that wait for each other */
	return cmocka_run_group_tests_name("copy", tests, setup_group,
					   teardown_group);
}
