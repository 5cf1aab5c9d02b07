/* The promises of struct source_ops about positions, windows and changes. */
#include "contract/contract_changes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "contract/contract.h"

#define SRC contract.src
#define OPS contract.src->ops

#define BATCH_BYTES ((size_t)1 << 20)
#define MANY	    1000000u

/* How far apart the clocks of this machine and of a server may be. */
#define SKEW_US 60000

static struct table shape;

static int setup(void **state)
{
	if (contract_setup(state) < 0)
		return -1;
	table_init(&shape);
	return 0;
}

static int teardown(void **state)
{
	table_release(&shape);
	return contract_teardown(state);
}

static void pause_ms(int ms)
{
	struct timespec ts = {ms / 1000, (long)(ms % 1000) * 1000000};

	nanosleep(&ts, NULL);
}

/* A source on the table, described, that stands where the log ends. */
static struct position begin(enum lab_table table)
{
	struct error err = ERROR_INIT;
	struct position position;

	contract.lab->make(LAB_SOURCE, table);
	contract_open_source(table, NULL, false);
	table_release(&shape);
	describe_source(&shape);
	contract.lab->settle();
	MUST(OPS->position(SRC, &position, &err));
	assert_true(position.len > 0);
	return position;
}

static void change(enum lab_table table, const char *changes)
{
	contract.lab->change(table, changes);
}

/* Begin a window; 1 or 0. */
static int window_begin(const struct position *from, unsigned limit,
			struct window *window)
{
	struct error err = ERROR_INIT;
	int rc;

	memset(window, 0x55, sizeof(*window));
	rc = OPS->changes_begin(SRC, &shape, from, limit, window, &err);
	if (rc < 0)
		fail_msg("changes_begin: %s", err.message);
	return rc;
}

/* The changes of one window up to the newest, in batches of that size. */
static char *changes_after(const struct position *from, size_t rows,
			   struct position *to)
{
	struct window window;
	char *text;

	contract.lab->settle();
	assert_int_equal(window_begin(from, MANY, &window), 1);
	assert_true(window.newest);
	text = window.has_rows ? read_all(&shape, rows, BATCH_BYTES)
			       : strdup("");
	OPS->end(SRC);
	*to = window.to;
	return text;
}

static void assert_changes(const struct position *from, const char *want)
{
	struct position to;
	char *got = changes_after(from, 100, &to);

	assert_text(got, want);
	free(got);
}

/* --------------------------------------------------------------- positions */

static void test_position(void **state)
{
	struct error err = ERROR_INIT;
	struct position first = begin(LAB_MAIN), second;

	(void)state;
	MUST(OPS->position(SRC, &second, &err));
	assert_true(position_equal(&first, &second));
	change(LAB_MAIN, "+1|a");
	contract.lab->settle();
	MUST(OPS->position(SRC, &second, &err));
	assert_false(position_equal(&first, &second));
	/* What came before a position is not after it. */
	change(LAB_MAIN, "+2|b");
	assert_changes(&second, "+ 2|b|NULL|NULL\n");
	assert_changes(&first, "+ 1|a|NULL|NULL\n+ 2|b|NULL|NULL\n");
}

/* Before anything was ever captured there is a position, too. */
static void test_position_of_a_new_table(void **state)
{
	struct error err = ERROR_INIT;
	struct position position;

	(void)state;
	contract.lab->make(LAB_SOURCE, LAB_MAIN);
	contract_open_source(LAB_MAIN, NULL, false);
	MUST(OPS->position(SRC, &position, &err));
	change(LAB_MAIN, "+1|first");
	describe_source(&shape);
	assert_changes(&position, "+ 1|first|NULL|NULL\n");
}

/* ------------------------------------------------------------------ changes */

static void test_kinds_of_changes(void **state)
{
	struct position at = begin(LAB_MAIN);
	char *got;

	(void)state;
	change(LAB_MAIN, "+1|a|10|0 +2||NULL|1");
	got = changes_after(&at, 100, &at);
	assert_text(got, "+ 1|a|10|0\n+ 2||NULL|1\n");
	free(got);
	change(LAB_MAIN, "+1|b|NULL|NULL");
	got = changes_after(&at, 100, &at);
	assert_text(got, "+ 1|b|NULL|NULL\n");
	free(got);
	/* A delete carries the key and nothing else. */
	change(LAB_MAIN, "-2");
	got = changes_after(&at, 100, &at);
	assert_text(got, "- 2|NULL|NULL|NULL\n");
	free(got);
}

static void test_deletes_of_pairs(void **state)
{
	struct position at = begin(LAB_PAIR);

	(void)state;
	change(LAB_PAIR, "+1|x|10 +2|y|20");
	change(LAB_PAIR, "-2|y");
	assert_changes(&at, "+ 1|x|10\n+ 2|y|20\n- 2|y|NULL\n");
}

/* Of several changes of a key, in one transaction and in many, the last one
 * counts: whoever applies all of them in order has what the source has. */
static void test_last_change_counts(void **state)
{
	struct position at = begin(LAB_MAIN);
	struct model model = {NULL, 0};
	struct window window;
	char *want;

	(void)state;
	change(LAB_MAIN, "+1|a +2|a +3|a +4|a");
	change(LAB_MAIN, "+1|b +1|c -2 +2|back +5|x -5");
	change(LAB_MAIN, "-3");
	change(LAB_MAIN, "+3|again -4 +6|y +6|z");
	change(LAB_MAIN, "=1>10|moved|1");
	change(LAB_MAIN, "=10>11|twice|2 -6");
	change(LAB_MAIN, "=2>1|into|3");
	contract.lab->settle();
	assert_int_equal(window_begin(&at, MANY, &window), 1);
	assert_true(window.has_rows);
	model_read(&model, &shape, 3);
	OPS->end(SRC);
	want = contract.lab->rows(LAB_SOURCE, LAB_MAIN);
	assert_text(want, "1|into|3|NULL\n3|again|NULL|NULL\n"
			  "11|twice|2|NULL\n");
	assert_model(&model, want);
	free(want);
	model_release(&model);
}

static void test_commit_order(void **state)
{
	struct position at = begin(LAB_MAIN);
	char want[400] = "", text[32];
	size_t len = 0;

	(void)state;
	for (int i = 9; i > 0; i--) {
		snprintf(text, sizeof(text), "+%d|c%d", i, i);
		change(LAB_MAIN, text);
		len += (size_t)snprintf(want + len, sizeof(want) - len,
					"+ %d|c%d|NULL|NULL\n", i, i);
	}
	assert_changes(&at, want);
}

static void test_small_batches(void **state)
{
	struct position at = begin(LAB_MAIN), to;
	char *all, *some;

	(void)state;
	change(LAB_MAIN, "+1|a +2|b +3|c +4|d +5|e");
	change(LAB_MAIN, "-1 +2|x -3");
	all = changes_after(&at, 1000, &to);
	for (size_t rows = 1; rows <= 9; rows++) {
		some = changes_after(&at, rows, &to);
		assert_text(some, all);
		free(some);
	}
	free(all);
}

static void test_wide_changes(void **state)
{
	struct position at = begin(LAB_WIDE);
	struct window window;
	struct strbuf text;
	char *all, *some;

	(void)state;
	for (int i = 1; i <= 5; i++) {
		strbuf_init(&text);
		strbuf_addf(&text, "+%d|", i);
		for (int k = 0; k < 3000; k++)
			strbuf_addch(&text, (char)('a' + (i + k) % 26));
		change(LAB_WIDE, text.data);
		strbuf_release(&text);
	}
	contract.lab->settle();
	assert_int_equal(window_begin(&at, MANY, &window), 1);
	all = read_all(&shape, 100, BATCH_BYTES);
	OPS->end(SRC);
	assert_true(strlen(all) > 5 * 3000);
	assert_int_equal(window_begin(&at, MANY, &window), 1);
	some = read_all(&shape, 100, 9000);
	OPS->end(SRC);
	assert_text(some, all);
	free(some);
	/* Those that no batch of this size can take come alone. */
	assert_int_equal(window_begin(&at, MANY, &window), 1);
	assert_true(SRC->rows.bytes >= 3000);
	some = read_all(&shape, 100, 2000);
	OPS->end(SRC);
	assert_text(some, all);
	free(some);
	free(all);
}

/* ------------------------------------------------------------------ windows */

static void test_nothing_new(void **state)
{
	struct error err = ERROR_INIT;
	struct position at = begin(LAB_MAIN);
	struct window window;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(window_begin(&at, MANY, &window), 0);
		assert_true(position_equal(&window.to, &at));
		assert_false(window.has_rows);
		assert_true(window.newest);
		OPS->end(SRC);
	}
	change(LAB_MAIN, "+1|a");
	contract.lab->settle();
	assert_int_equal(window_begin(&at, MANY, &window), 1);
	OPS->end(SRC);
	assert_false(position_equal(&window.to, &at));
	at = window.to;
	assert_int_equal(window_begin(&at, MANY, &window), 0);
	OPS->end(SRC);
	MUST(OPS->position(SRC, &at, &err));
	assert_int_equal(window_begin(&at, MANY, &window), 0);
	OPS->end(SRC);
}

/* Other tables move the position, but bring no rows. */
static void test_foreign_changes(void **state)
{
	struct position at = begin(LAB_MAIN);
	struct window window;

	(void)state;
	contract.lab->make(LAB_SOURCE, LAB_OTHER);
	change(LAB_OTHER, "+1|x +2|y");
	contract.lab->settle();
	assert_int_equal(window_begin(&at, MANY, &window), 1);
	assert_false(window.has_rows);
	assert_true(window.newest);
	OPS->end(SRC);
	at = window.to;
	change(LAB_OTHER, "-1");
	change(LAB_MAIN, "+1|mine");
	change(LAB_OTHER, "-2");
	assert_changes(&at, "+ 1|mine|NULL|NULL\n");
}

/*
 * Read window after window of at most `limit` transactions. Each transaction's
 * rows, which have its number in column n, come in one window.
 */
static void read_windows(struct position at, unsigned limit, const char *want)
{
	struct strbuf all;
	struct window window;
	int last_seen = 0, windows = 0;

	strbuf_init(&all);
	do {
		struct position before = at;
		int rc = window_begin(&at, limit, &window);
		int seen = 0, first = 0;
		char *text;

		if (!rc) {
			assert_true(window.newest);
			OPS->end(SRC);
			break;
		}
		assert_false(position_equal(&window.to, &before));
		text = window.has_rows ? read_all(&shape, 2, BATCH_BYTES)
				       : strdup("");
		OPS->end(SRC);
		for (const char *line = text; *line;
		     line = strchr(line, '\n') + 1) {
			const char *n = strchr(strchr(line, '|') + 1, '|') + 1;
			int number = atoi(n);

			assert_true(number >= seen);
			first = first ? first : number;
			seen = number;
		}
		/* Whole transactions, not more than were asked for. */
		if (first) {
			assert_true(first > last_seen);
			assert_true((unsigned)(seen - first) < limit);
			last_seen = seen;
		}
		strbuf_addstr(&all, text);
		free(text);
		at = window.to;
		windows++;
		assert_true(windows < 1000);
	} while (!window.newest);
	assert_text(all.data, want);
	strbuf_release(&all);
}

static void test_window_limits(void **state)
{
	struct position at = begin(LAB_MAIN), to;
	struct strbuf text;
	char *all;

	(void)state;
	for (int n = 1; n <= 6; n++) {
		strbuf_init(&text);
		for (int k = 0; k <= n; k++)
			strbuf_addf(&text, "+%d|x|%d ", 10 * n + k, n);
		change(LAB_MAIN, text.data);
		strbuf_release(&text);
	}
	all = changes_after(&at, 100, &to);
	for (unsigned limit = 1; limit <= 8; limit++)
		read_windows(at, limit, all);
	free(all);
}

/* The same window again has the same rows: a retry loses nothing. */
static void test_window_again(void **state)
{
	struct error err = ERROR_INIT;
	struct position at = begin(LAB_MAIN), to;
	struct window window;
	struct batch batch;
	char *first, *again;

	(void)state;
	change(LAB_MAIN, "+1|a +2|b +3|c");
	first = changes_after(&at, 100, &to);
	MUST(batch_init(&batch, &shape, 1, BATCH_BYTES, &err));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(window_begin(&at, MANY, &window), 1);
		for (int k = 0; k < i; k++) {
			batch_reset(&batch);
			assert_int_equal(OPS->next(SRC, &batch, &err), 1);
		}
		if (i == 2) { /* given back in the middle of it */
			OPS->release(SRC);
			MUST(OPS->connect(SRC, &contract.cancel, &err));
		} else {
			OPS->end(SRC);
		}
	}
	batch_release(&batch);
	again = changes_after(&at, 100, &to);
	assert_text(again, first);
	free(first);
	free(again);
}

/* What is stored is told while its window is still being read. */
static void test_stored(void **state)
{
	struct position at = begin(LAB_MAIN);
	struct window window;
	char *text;

	(void)state;
	if (OPS->stored)
		OPS->stored(SRC, &at);
	change(LAB_MAIN, "+1|a");
	change(LAB_MAIN, "+2|b");
	contract.lab->settle();
	assert_int_equal(window_begin(&at, 1, &window), 1);
	text = read_all(&shape, 10, BATCH_BYTES);
	assert_text(text, "+ 1|a|NULL|NULL\n");
	free(text);
	if (OPS->stored)
		OPS->stored(SRC, &window.to);
	OPS->end(SRC);
	assert_changes(&window.to, "+ 2|b|NULL|NULL\n");
	/* The same again, after a crash. */
	if (OPS->stored)
		OPS->stored(SRC, &window.to);
	contract_open_source(LAB_MAIN, NULL, false);
	assert_changes(&window.to, "+ 2|b|NULL|NULL\n");
}

/* A window may be asked for by an object that was just made. */
static void test_window_after_a_restart(void **state)
{
	struct position at = begin(LAB_MAIN);

	(void)state;
	change(LAB_MAIN, "+1|a");
	contract_open_source(LAB_MAIN, NULL, false);
	assert_changes(&at, "+ 1|a|NULL|NULL\n");
}

/* ------------------------------------------------------------------- times */

static void test_times(void **state)
{
	struct position at = begin(LAB_MAIN);
	int64_t before, between, now, between_us, now_us;
	struct window window;

	(void)state;
	pause_ms(50);
	before = clock_utc_us();
	change(LAB_MAIN, "+1|a");
	pause_ms(100);
	between = clock_utc_us();
	between_us = clock_us();
	pause_ms(100);
	change(LAB_MAIN, "+2|b");
	contract.lab->settle();
	/* The window with the first transaction alone. */
	do {
		assert_int_equal(window_begin(&at, 1, &window), 1);
		OPS->end(SRC);
		at = window.to;
	} while (!window.has_rows);
	assert_false(window.newest);
	assert_in_range(window.commit_us, before - SKEW_US, between + SKEW_US);
	/* It cannot vouch for what comes after it. */
	if (window.complete_us > between_us + SKEW_US)
		fail_msg("a window that ends %d ms before the next "
			 "transaction vouches for %d ms more",
			 200, (int)((window.complete_us - between_us) / 1000));
	assert_int_equal(window_begin(&at, MANY, &window), 1);
	OPS->end(SRC);
	now = clock_utc_us();
	now_us = clock_us();
	assert_true(window.newest);
	assert_true(window.commit_us >= between - SKEW_US);
	assert_true(window.commit_us <= now + SKEW_US);
	assert_true(window.complete_us >= between_us - SKEW_US);
	assert_true(window.complete_us <= now_us + SKEW_US);
}

/* -------------------------------------------------------------------- gaps */

static void test_gap(void **state)
{
	struct error err = ERROR_INIT;
	struct position at = begin(LAB_MAIN);
	struct window window;

	(void)state;
	change(LAB_MAIN, "+1|a");
	change(LAB_MAIN, "+2|b");
	contract.lab->settle();
	contract.lab->purge_log();
	MUST_FAIL(OPS->changes_begin(SRC, &shape, &at, MANY, &window, &err),
		  ERROR_GAP);
	assert_false(err.retryable);
	OPS->end(SRC);
	/* By an object that has seen nothing yet, too. */
	contract_open_source(LAB_MAIN, NULL, false);
	MUST_FAIL(OPS->changes_begin(SRC, &shape, &at, MANY, &window, &err),
		  ERROR_GAP);
	OPS->end(SRC);
	/* From now on it goes on. */
	MUST(OPS->position(SRC, &at, &err));
	change(LAB_MAIN, "+3|c");
	assert_changes(&at, "+ 3|c|NULL|NULL\n");
}

/* A log that has not come so far: the source was set back to an older state. */
static void test_position_beyond_the_log(void **state)
{
	struct error err = ERROR_INIT;
	struct position at = begin(LAB_MAIN);
	struct window window;

	(void)state;
	change(LAB_MAIN, "+1|a");
	contract.lab->settle();
	contract.lab->far_ahead(&at);
	MUST_FAIL(OPS->changes_begin(SRC, &shape, &at, MANY, &window, &err),
		  ERROR_GAP);
	OPS->end(SRC);
}

/* ------------------------------------------------- joining rows and changes */

/*
 * Position first, then the rows, then the changes since the position: the
 * outcome is what the source holds, whatever changed when.
 */
static void test_joining(void **state)
{
	struct error err = ERROR_INIT;
	struct model model = {NULL, 0};
	struct position at = begin(LAB_MAIN);
	struct window window;
	struct batch batch;
	char *want;
	int rc;

	(void)state;
	change(LAB_MAIN, "+1|a +2|b +3|c +4|d +5|e");
	contract.lab->settle();
	MUST(OPS->position(SRC, &at, &err));
	change(LAB_MAIN, "+1|between -2 +6|f");
	MUST(OPS->read_begin(SRC, &shape, NULL, &err));
	MUST(batch_init(&batch, &shape, 2, BATCH_BYTES, &err));
	while ((rc = OPS->next(SRC, &batch, &err)) > 0) {
		model_apply(&model, &batch);
		batch_reset(&batch);
		change(LAB_MAIN, "+3|during -4 +7|g");
		change(LAB_MAIN, "=5>50|moved -7 +8|h");
	}
	MUST(rc);
	OPS->end(SRC);
	change(LAB_MAIN, "+9|after -1 +5|new");
	contract.lab->settle();
	do {
		rc = window_begin(&at, 2, &window);
		if (rc && window.has_rows)
			model_read(&model, &shape, 2);
		OPS->end(SRC);
		at = window.to;
	} while (rc && !window.newest);
	want = contract.lab->rows(LAB_SOURCE, LAB_MAIN);
	assert_model(&model, want);
	free(want);
	batch_release(&batch);
	model_release(&model);
}

int contract_run_changes(void)
{

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_position),
		TEST(test_position_of_a_new_table),
		TEST(test_kinds_of_changes),
		TEST(test_deletes_of_pairs),
		TEST(test_last_change_counts),
		TEST(test_commit_order),
		TEST(test_small_batches),
		TEST(test_wide_changes),
		TEST(test_nothing_new),
		TEST(test_foreign_changes),
		TEST(test_window_limits),
		TEST(test_window_again),
		TEST(test_stored),
		TEST(test_window_after_a_restart),
		TEST(test_times),
		TEST(test_gap),
		TEST(test_position_beyond_the_log),
		TEST(test_joining),
	};

	return cmocka_run_group_tests_name("changes", tests, NULL, NULL);
}
