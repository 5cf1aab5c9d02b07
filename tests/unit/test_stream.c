/*
 * What a stream lets its server forget, and what it says to a mapping that misses
 * something: without a server, which for a connection that is refused it has to
 * do without.
 */
#include "unit/helper.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "drivers/postgresql/session.h"

static struct pg_login login;
static struct stream *stream;
static struct cancel cancel;

static int setup(void **state)
{
	struct slot_names names;
	struct error err = ERROR_INIT;

	if (setup_folder(state) < 0)
		return -1;
	login.login_timeout_s = 5;
	/* Nobody listens on that port. */
	MUST(pg_login_parse(&login, "server=127.0.0.1,1;user id=x", &err));
	MUST(cancel_init(&cancel, &err));
	slot_names_make(&names, "abc", 1, 5);
	MUST(stream_new(&stream, &login, "db", &names, 1 << 20, &err));
	stream->passed = 1000;
	stream->confirmed = 100;
	stream->began_ms = clock_ms();
	return 0;
}

static int teardown(void **state)
{
	stream_free(stream);
	cancel_release(&cancel);
	pg_login_release(&login);
	return teardown_folder(state);
}

/* The grace of those that have told nothing is over. */
static void grow_old(void)
{
	stream->began_ms = clock_ms() - STREAM_GRACE_MS;
}

static struct stream_mapping *join(int id, const char *table)
{
	struct error err = ERROR_INIT;
	struct stream_mapping *mapping =
		stream_join(stream, id, "public", table, NULL, &err);

	assert_non_null(mapping);
	return mapping;
}

/* Mappings 1, 2, … of the control tables, of tables "a", "b", … */
static void list(size_t count, const uint64_t *stored)
{
	static const char *const tables[] = {"a", "b", "c", "d"};
	struct stream_listed listed[4];
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < count; i++)
		listed[i] = (struct stream_listed){
			.id = (int)i + 1,
			.schema = "public",
			.table = tables[i],
			.stored = stored[i],
			.enabled = i != 1,
		};
	MUST(stream_list(stream, listed, count, &err));
}

static void assert_flush(uint64_t expected)
{
	assert_int_equal(session_flush(stream), expected);
}

static int follow(struct stream_mapping *mapping, uint64_t from,
		  struct error *err)
{
	const struct lsn_position at = {.lsn = from};

	error_clear(err);
	return stream_follow(mapping, 7, &at, &cancel, err);
}

/* ------------------------------------------------------- what may be forgotten */

static void test_nothing_is_known(void **state)
{
	struct stream_mapping *a = join(1, "a");

	(void)state;
	stream_stored(a, 900);
	grow_old();
	/* Others may be in the tables. */
	assert_flush(100);
	list(1, (uint64_t[]){0});
	assert_flush(900);
	stream_leave(a);
	/* It keeps it while it is switched off. */
	assert_flush(900);
	list(0, NULL);
	assert_flush(1000);
}

static void test_what_the_tables_say(void **state)
{
	struct stream_mapping *a;

	(void)state;
	list(3, (uint64_t[]){500, 300, 700});
	grow_old();
	assert_flush(300);
	a = join(1, "a");
	stream_stored(a, 800);
	assert_flush(300);
	list(1, (uint64_t[]){500});
	/* What it says itself is newer. */
	assert_flush(800);
	stream_leave(a);
	assert_flush(800);
}

/* One that was never loaded keeps nothing, but is waited for a little. */
static void test_one_that_never_starts(void **state)
{
	struct stream_mapping *a = join(1, "a");

	(void)state;
	list(3, (uint64_t[]){600, 0, 700});
	stream_stored(a, 900);
	assert_flush(100);
	grow_old();
	assert_flush(700);
	/* Nor does it when the stream has not begun: but then nobody knows. */
	stream->began_ms = 0;
	assert_flush(100);
	stream_leave(a);
}

static void test_behind_what_was_confirmed(void **state)
{
	(void)state;
	grow_old();
	list(1, (uint64_t[]){50});
	assert_flush(100);
}

/* While a position is taken nothing is let go of, whatever others say. */
static void test_a_load_begins(void **state)
{
	struct stream_mapping *a = join(1, "a"), *b = join(2, "b");

	(void)state;
	list(2, (uint64_t[]){0, 0});
	grow_old();
	stream_stored(b, 950);
	assert_flush(950);
	stream_take_begin(a);
	assert_flush(100);
	stream_hold(a, 940);
	stream_take_end(a);
	assert_flush(940);
	/* A second attempt begins later, but one in parts may go on. */
	stream_take_begin(a);
	stream_hold(a, 945);
	stream_take_end(a);
	assert_flush(940);
	stream_stored(a, 945);
	assert_flush(945);
	stream_leave(a);
	stream_leave(b);
}

/* Another daemon's load in parts broke off; the tables know where it began. */
static void test_a_load_goes_on(void **state)
{
	struct stream_mapping *a = join(1, "a");

	(void)state;
	list(1, (uint64_t[]){400});
	grow_old();
	stream_hold(a, 900);
	assert_flush(400);
	stream_stored(a, 400);
	assert_flush(400);
	stream_leave(a);
}

/* Of another table now: what it had stored of the old one counts no more. */
static void test_another_table(void **state)
{
	struct stream_mapping *old = join(1, "old"), *a;

	(void)state;
	stream_stored(old, 400);
	grow_old();
	list(1, (uint64_t[]){0});
	/* Its worker has not ended yet. */
	assert_flush(400);
	a = join(1, "a");
	assert_ptr_not_equal(a, old);
	stream_leave(old);
	assert_flush(1000);
	stream_stored(a, 900);
	stream_leave(a);
	assert_flush(900);
	a = join(1, "another");
	assert_flush(1000);
	stream_leave(a);
}

static void test_who_keeps_the_most(void **state)
{
	struct stream_mapping *c = join(3, "c");
	struct stream_least least;

	(void)state;
	grow_old();
	stream_find_least(stream, &least);
	assert_int_equal(least.id, 0);
	list(3, (uint64_t[]){500, 300, 0});
	stream_stored(c, 600);
	stream_find_least(stream, &least);
	assert_int_equal(least.id, 2);
	assert_int_equal(least.lsn, 300);
	assert_false(least.enabled);
	assert_false(least.started);
	assert_string_equal(least.name, "public.b");
	stream_stored(c, 200);
	stream_find_least(stream, &least);
	assert_int_equal(least.id, 3);
	assert_true(least.enabled);
	assert_true(least.started);
	stream_stored(c, STREAM_NEEDS_NOTHING);
	list(0, NULL);
	stream_find_least(stream, &least);
	assert_int_equal(least.id, 0);
	stream_leave(c);
}

/* --------------------------------------------------------------------- gaps */

static void miss(struct stream_mapping *mapping, uint64_t from)
{
	struct error why = ERROR_INIT;

	error_set(&why, ERROR_SCHEMA, "something is missing");
	stream_gap(mapping, from, &why);
}

/* It is told again and again, wherever it wants to begin, but where a load that
 * was begun since then ends. */
static void test_a_gap_stays(void **state)
{
	struct stream_mapping *a = join(1, "a");
	struct error err = ERROR_INIT;

	(void)state;
	list(1, (uint64_t[]){0});
	miss(a, 500);
	MUST_FAIL(follow(a, 500, &err), ERROR_GAP);
	assert_string_equal(err.message, "something is missing");
	MUST_FAIL(follow(a, 400, &err), ERROR_GAP);
	MUST_FAIL(follow(a, 600, &err), ERROR_GAP);
	assert_false(session_is_wanted(stream));
	/* What it goes on from does not keep anything. */
	stream_stored(a, 400);
	grow_old();
	assert_flush(1000);
	/* A load that fails changes nothing. */
	stream_hold(a, 800);
	assert_flush(800);
	MUST_FAIL(follow(a, 400, &err), ERROR_GAP);
	stream_hold(a, 900);
	MUST_FAIL(follow(a, 800, &err), ERROR_GAP);
	assert_true(follow(a, 900, &err) < 0);
	assert_int_equal(err.kind, ERROR_CONNECTION);
	assert_true(session_is_wanted(stream));
	/* Another one at the same place. */
	miss(a, 900);
	MUST_FAIL(follow(a, 900, &err), ERROR_GAP);
	stream_leave(a);
}

/* It outlives the worker, but not that it is of another table. */
static void test_a_gap_and_the_worker(void **state)
{
	struct stream_mapping *a = join(1, "a");
	struct error err = ERROR_INIT;

	(void)state;
	list(1, (uint64_t[]){0});
	miss(a, 500);
	stream_leave(a);
	a = join(1, "a");
	MUST_FAIL(follow(a, 500, &err), ERROR_GAP);
	stream_leave(a);
	a = join(1, "b");
	assert_int_equal(a->gap.kind, ERROR_NONE);
	stream_leave(a);
}

/* --------------------------------------------------------- being cut off */

/* It is fed by a stream that is up, and has what was committed up to `end`. */
static struct stream_mapping *fed(uint64_t begin, uint64_t end)
{
	struct stream_mapping *a = join(1, "a");

	list(1, (uint64_t[]){0});
	stream->live = true;
	stream_stored(a, begin);
	a->wants = a->fed = true;
	a->backlog.begin = begin;
	a->backlog.end = end;
	return a;
}

static void cut_off(struct stream_mapping *mapping)
{
	error_set(&mapping->backlog.cut_off, ERROR_GAP, "too much waits");
}

static void cut_off_at_work(struct stream_mapping *mapping)
{
	struct backlog_reader reader = {.at = NULL};

	cut_off(mapping);
	stream_read_end(mapping, &reader);
}

static void assert_begins(struct stream_mapping *mapping, uint64_t from)
{
	struct error err = ERROR_INIT;

	stream->live = false;
	assert_true(follow(mapping, from, &err) < 0);
	assert_int_equal(err.kind, ERROR_CONNECTION);
	assert_true(mapping->wants && !mapping->fed);
	assert_int_equal(mapping->from, from);
	assert_int_equal(mapping->backlog.cut_off.kind, ERROR_NONE);
}

static void test_slower_than_its_changes(void **state)
{
	struct stream_mapping *a = fed(500, 700);
	struct error err = ERROR_INIT;

	(void)state;
	cut_off_at_work(a);
	MUST_FAIL(follow(a, 600, &err), ERROR_GAP);
	assert_string_equal(err.message, "too much waits");
	grow_old();
	assert_flush(1000);
	stream_leave(a);
}

/* Its destination was away. It has what there is, and then the rest anew. */
static void test_cut_off_while_away(void **state)
{
	struct stream_mapping *a = fed(500, 700);
	struct error err = ERROR_INIT;

	(void)state;
	cut_off(a);
	MUST(follow(a, 500, &err));
	cut_off_at_work(a);
	MUST(follow(a, 600, &err));
	assert_true(stream_is_fed(a, 600) && !stream_is_whole(a));
	assert_int_equal(stream_reached(a), 700);
	assert_begins(a, 700);
	grow_old();
	assert_flush(500);
	/* Not once more, if it does not get on. */
	a->fed = true;
	cut_off(a);
	MUST_FAIL(follow(a, 700, &err), ERROR_GAP);
	stream_leave(a);
}

/* A load has it all, and what came meanwhile is in the log. */
static void test_cut_off_while_loaded(void **state)
{
	struct stream_mapping *a = fed(500, 700);

	(void)state;
	cut_off_at_work(a);
	stream_hold(a, 900);
	assert_begins(a, 900);
	stream_leave(a);
}

/* What was there when it began says nothing of how fast it is. */
static void test_cut_off_while_catching_up(void **state)
{
	struct stream_mapping *a = fed(500, 700);
	struct error err = ERROR_INIT;

	(void)state;
	a->old_end = 800;
	cut_off_at_work(a);
	assert_begins(a, 700);
	assert_int_equal(a->old_end, 800);
	a->fed = true;
	a->backlog.end = 800;
	cut_off_at_work(a);
	MUST_FAIL(follow(a, 750, &err), ERROR_GAP);
	stream_leave(a);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_is_known),
		TEST(test_what_the_tables_say),
		TEST(test_one_that_never_starts),
		TEST(test_behind_what_was_confirmed),
		TEST(test_a_load_begins),
		TEST(test_a_load_goes_on),
		TEST(test_another_table),
		TEST(test_who_keeps_the_most),
		TEST(test_a_gap_stays),
		TEST(test_a_gap_and_the_worker),
		TEST(test_slower_than_its_changes),
		TEST(test_cut_off_while_away),
		TEST(test_cut_off_while_loaded),
		TEST(test_cut_off_while_catching_up),
	};

	return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
