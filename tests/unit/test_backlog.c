/*
 * What waits for a mapping: in order, whole transactions, in memory and on disk,
 * whatever comes to nothing in between.
 */
#include "unit/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "drivers/postgresql/backlog.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct spill spill;
static struct backlog_store store;
static struct backlog backlog;

static int setup(void **state)
{
	struct error err = ERROR_INIT;

	if (setup_folder(state) < 0)
		return -1;
	MUST(spill_init(&spill, &err));
	store = (struct backlog_store){
		.lock = &lock,
		.spill = &spill,
		.memory_max = (size_t)1 << 20,
		.disk_max = (uint64_t)1 << 30,
	};
	backlog_init(&backlog, &store);
	backlog_start(&backlog, 10);
	return 0;
}

static int teardown(void **state)
{
	backlog_release(&backlog);
	assert_int_equal(store.memory, 0);
	assert_int_equal(backlog.disk, 0);
	assert_int_equal(spill.used, 0);
	assert_null(spill.file);
	spill_release(&spill);
	return teardown_folder(state);
}

/* An insert of one column, whose text is `n` and as much more. */
static void add(uint32_t top, uint32_t xid, unsigned n, size_t more)
{
	size_t len = 8 + more;
	unsigned char *body = calloc(1, 3 + 5 + len);
	struct backlog_change change = {
		.type = PGOUTPUT_INSERT,
		.xid = xid,
		.body = body,
		.len = 3 + 5 + len,
	};
	char text[16];

	assert_non_null(body);
	body[0] = 'N';
	body[2] = 1;
	body[3] = 't';
	for (int i = 0; i < 4; i++)
		body[4 + i] = (unsigned char)(len >> (24 - 8 * i));
	snprintf(text, sizeof(text), "%08u", n);
	memcpy(body + 8, text, 8);
	memset(body + 16, 'x', more);
	backlog_add(&backlog, top, &change);
	free(body);
}

static void truncate_table(uint32_t top)
{
	struct backlog_change change = {.type = PGOUTPUT_TRUNCATE, .xid = top};

	backlog_add(&backlog, top, &change);
}

/* A transaction of `count` changes, numbered from `n`; it ends at `lsn`. */
static void commit(unsigned n, unsigned count, uint64_t lsn, size_t more)
{
	for (unsigned i = 0; i < count; i++)
		add(1, 1, n + i, more);
	assert_true(backlog_commit(&backlog, 1, lsn, (int64_t)lsn * 2));
}

/* What is between, as the numbers of its changes. */
static char *read_window(uint64_t from, unsigned limit,
			 struct backlog_window *window)
{
	struct backlog_reader reader = {.at = NULL};
	struct backlog_change change;
	struct error err = ERROR_INIT;
	struct pgoutput_message row;
	struct pgoutput_value value;
	struct strbuf out;
	int rc;

	strbuf_init(&out);
	rc = backlog_read(&backlog, from, limit, window, &reader, &err);
	if (rc < 0)
		fail_msg("%s", err.message);
	while (rc > 0 && backlog_next(&backlog, &reader, &change, &err) > 0) {
		if (change.type == PGOUTPUT_TRUNCATE) {
			strbuf_addstr(&out, "T ");
			continue;
		}
		MUST(pgoutput_row_read(&row, change.type, change.body,
				       change.len, &err));
		assert_true(pgoutput_value_next(&row.after, &value));
		strbuf_addf(&out, "%lu ",
			    strtoul((const char *)value.data, NULL, 10));
	}
	assert_int_equal(err.kind, ERROR_NONE);
	backlog_read_end(&reader);
	return strbuf_detach(&out);
}

static void assert_window(uint64_t from, unsigned limit, const char *want,
			  uint64_t to)
{
	struct backlog_window window;
	char *got = read_window(from, limit, &window);

	assert_string_equal(got, want);
	assert_int_equal(window.to, to);
	free(got);
}

static void test_windows(void **state)
{
	struct backlog_window window;

	(void)state;
	assert_window(10, 100, "", 0);
	commit(1, 2, 20, 0);
	commit(3, 1, 30, 0);
	commit(4, 3, 40, 0);
	assert_window(10, 100, "1 2 3 4 5 6 ", 40);
	assert_window(10, 1, "1 2 ", 20);
	assert_window(10, 2, "1 2 3 ", 30);
	assert_window(20, 1, "3 ", 30);
	assert_window(25, 1, "3 ", 30);
	assert_window(30, 5, "4 5 6 ", 40);
	assert_window(40, 5, "", 0);
	free(read_window(10, 2, &window));
	assert_true(window.more);
	assert_int_equal(window.commit_us, 60);
	assert_int_equal(window.transactions, 2);
	assert_int_equal(window.size.longest, 8);
	free(read_window(10, 3, &window));
	assert_false(window.more);
	backlog_trim(&backlog, 30);
	assert_window(30, 5, "4 5 6 ", 40);
	backlog_trim(&backlog, 40);
	assert_null(backlog.first);
	assert_int_equal(store.memory, 0);
	commit(7, 1, 50, 0);
	assert_window(40, 5, "7 ", 50);
}

/* What it has already is not taken twice. */
static void test_again(void **state)
{
	(void)state;
	commit(1, 2, 20, 0);
	commit(3, 2, 30, 0);
	for (unsigned lsn = 10; lsn <= 30; lsn += 10) {
		add(1, 1, 99, 0);
		assert_false(backlog_commit(&backlog, 1, lsn, 0));
	}
	assert_false(backlog_commit(&backlog, 1, 40, 0)); /* nothing for it */
	assert_window(10, 9, "1 2 3 4 ", 30);
}

static void test_what_comes_to_nothing(void **state)
{
	(void)state;
	add(5, 5, 1, 0);
	add(6, 6, 2, 0);
	add(5, 7, 3, 0);
	add(5, 5, 4, 0);
	backlog_abort(&backlog, 5, 7);
	add(6, 8, 5, 0);
	backlog_abort(&backlog, 6, 6);
	add(9, 9, 6, 0);
	assert_true(backlog_commit(&backlog, 5, 20, 0));
	assert_window(10, 9, "1 4 ", 20);
	assert_false(backlog_commit(&backlog, 6, 30, 0));
	backlog_abort_all(&backlog);
	assert_false(backlog_commit(&backlog, 9, 40, 0));
	/* All of it, by subtransactions. */
	add(5, 7, 7, 0);
	backlog_abort(&backlog, 5, 7);
	assert_false(backlog_commit(&backlog, 5, 50, 0));
	assert_window(20, 9, "", 0);
}

static void test_alone(void **state)
{
	static const unsigned char one[] = "R one", two[] = "R two";
	struct backlog_change change = {.type = PGOUTPUT_TRUNCATE, .xid = 1};
	struct backlog_window window;
	int versions[2];

	(void)state;
	versions[0] = backlog_add_version(&backlog, one, sizeof(one));
	versions[1] = backlog_add_version(&backlog, two, sizeof(two));
	assert_int_equal(versions[0], 0);
	assert_int_equal(versions[1], 1);
	assert_int_equal(backlog_add_version(&backlog, one, sizeof(one)), 0);
	commit(1, 1, 20, 0);
	truncate_table(1);
	add(1, 1, 2, 0);
	assert_true(backlog_commit(&backlog, 1, 30, 0));
	commit(3, 1, 40, 0);
	change.version = 1;
	backlog_add(&backlog, 1, &change);
	assert_true(backlog_commit(&backlog, 1, 50, 0));
	assert_window(10, 9, "1 ", 20);
	free(read_window(20, 9, &window));
	assert_true(window.truncates);
	assert_window(20, 9, "T 2 ", 30);
	assert_window(30, 9, "3 ", 40);
	free(read_window(40, 9, &window));
	assert_int_equal(window.low, 1);
	assert_int_equal(window.high, 1);
}

/* Numbers as a window has them. */
static char *numbers(unsigned from, unsigned to)
{
	struct strbuf out;

	strbuf_init(&out);
	for (unsigned n = from; n < to; n++)
		strbuf_addf(&out, "%u ", n);
	return strbuf_detach(&out);
}

/*
 * More than there is memory for: small and large transactions, read in windows
 * of all sizes, and let go of from the front.
 */
static void test_on_disk(void **state)
{
	unsigned n = 0;
	uint64_t lsn = 10;
	char *want, *got;
	struct backlog_window window;

	(void)state;
	store.memory_max = 100000;
	for (unsigned i = 0; i < 400; i++) {
		unsigned count = i % 50 == 7 ? 900 : 1 + i % 5;
		size_t more = i % 90 == 3 ? 300000 : 100 + i % 300;

		commit(n, more > 1000 ? 2 : count, lsn += 10, more);
		n += more > 1000 ? 2 : count;
	}
	assert_true(backlog.disk > 1000000);
	assert_true(store.memory < 1000000);
	want = numbers(0, n);
	for (unsigned limit = 1; limit <= 512; limit *= 8) {
		struct strbuf all;
		uint64_t at = 10;

		strbuf_init(&all);
		do {
			got = read_window(at, limit, &window);
			strbuf_addstr(&all, got);
			free(got);
			assert_true(window.transactions <= limit);
			at = window.to;
		} while (window.more);
		assert_string_equal(all.data, want);
		assert_int_equal(at, lsn);
		strbuf_release(&all);
	}
	free(want);
	for (uint64_t at = 10; at <= lsn; at += 130) {
		uint64_t before = backlog.disk;

		want = read_window(at, 1000, &window);
		backlog_trim(&backlog, at);
		got = read_window(at, 1000, &window);
		assert_string_equal(got, want);
		assert_true(backlog.disk <= before);
		free(want);
		free(got);
	}
	backlog_trim(&backlog, lsn);
	assert_null(backlog.first);
	assert_int_equal(backlog.disk, 0);
}

/* Parts of it that came to nothing, of more than memory holds. */
static void test_streamed_on_disk(void **state)
{
	char *got;
	unsigned count = 0;
	struct backlog_window window;

	(void)state;
	store.memory_max = 50000;
	for (unsigned n = 0; n < 3000; n++)
		add(1, n % 10 == 3 ? 2 : 1, n, 200);
	backlog_abort(&backlog, 1, 2);
	assert_true(backlog_commit(&backlog, 1, 20, 0));
	got = read_window(10, 1, &window);
	for (char *at = got; *at; at = strchr(at, ' ') + 1) {
		assert_int_not_equal(strtoul(at, NULL, 10) % 10, 3);
		count++;
	}
	assert_int_equal(count, 2700);
	free(got);
}

static void test_limit(void **state)
{
	struct backlog_window window;
	unsigned n;

	(void)state;
	store.memory_max = 0;
	store.disk_max = 2 << 20;
	for (n = 0; n < 10000 && backlog.cut_off.kind == ERROR_NONE; n++) {
		add(1, 1, n, 1000);
		backlog_commit(&backlog, 1, 20 + n, 0);
	}
	assert_in_range(n, 1000, 3000);
	assert_int_equal(backlog.cut_off.kind, ERROR_GAP);
	assert_non_null(strstr(backlog.cut_off.message, "spill_limit_mb"));
	add(1, 1, 1, 0); /* nothing more comes in */
	assert_null(backlog.open);
	backlog_start(&backlog, 20000);
	assert_int_equal(backlog.cut_off.kind, ERROR_NONE);
	commit(5, 1, 20001, 0);
	free(read_window(20000, 1, &window));
	assert_int_equal(window.transactions, 1);
}

/* While somebody reads, more comes in. */
static void test_reading_meanwhile(void **state)
{
	struct backlog_reader reader = {.at = NULL};
	struct backlog_window window;
	struct backlog_change change;
	struct error err = ERROR_INIT;
	unsigned read = 0;

	(void)state;
	store.memory_max = 20000;
	for (unsigned n = 0; n < 100; n++)
		commit(n, 1, 20 + n, 500);
	assert_int_equal(
		backlog_read(&backlog, 10, 1000, &window, &reader, &err), 1);
	for (unsigned n = 100; n < 1000; n++) {
		commit(n, 1, 20 + n, 500);
		if (n % 9)
			continue;
		read += backlog_next(&backlog, &reader, &change, &err) == 1;
	}
	while (backlog_next(&backlog, &reader, &change, &err) == 1)
		read++;
	assert_int_equal(read, 100);
	backlog_read_end(&reader);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_windows),
		TEST(test_again),
		TEST(test_what_comes_to_nothing),
		TEST(test_alone),
		TEST(test_on_disk),
		TEST(test_streamed_on_disk),
		TEST(test_limit),
		TEST(test_reading_meanwhile),
	};

	return cmocka_run_group_tests_name("backlog", tests, NULL, NULL);
}
