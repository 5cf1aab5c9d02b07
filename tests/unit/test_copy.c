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

static const struct source_ops source_ops = {.next = next};
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
		TEST(test_slow_reader),
		TEST(test_progress_is_told),
	};

	alarm(60); /* threads that wait for each other */
	return cmocka_run_group_tests_name("copy", tests, setup_group,
					   teardown_group);
}
