/* Which daemon works on which mapping. */
#include "unit/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/platform.h"
#include "engine/lease.h"
#include "unit/rows.h"
#include "unit/store.h"

#define LONG_MS	 60000 /* longer than any test takes */
#define SHORT_MS 200

static struct control_spec spec;
static struct control *control;
static struct leases a, b;

static void beat(const struct leases *leases)
{
	struct error err = ERROR_INIT;

	MUST(control_heartbeat(control, leases->daemon, false, &err));
}

static void update(struct leases *leases, int64_t lease_ms)
{
	struct error err = ERROR_INIT;

	MUST(leases_update(leases, control, lease_ms, &err));
}

static int setup(void **state)
{
	if (setup_folder(state) < 0)
		return -1;
	spec = store_make("lease.db");
	control = store_open(&spec);
	store_add_mapping(spec.file);
	store_exec(spec.file,
		   "INSERT INTO table_mappings (server_id, target_id, "
		   "source_database, source_table, dest_database, dest_table) "
		   "VALUES (1, 1, 'db', 't2', 'db', 't2')");
	/* Names of another machine: nobody can tell whether they run. */
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	a.daemon = "elsewhere.invalid:1:a";
	b.daemon = "elsewhere.invalid:2:b";
	beat(&a);
	beat(&b);
	return 0;
}

static int teardown(void **state)
{
	leases_release(&a);
	leases_release(&b);
	control_close(control);
	return teardown_folder(state);
}

static void test_first_one_has_them(void **state)
{
	(void)state;
	assert_int_equal(leases_epoch(&a, 1), 0);
	update(&a, LONG_MS);
	update(&b, LONG_MS);
	assert_int_equal(leases_epoch(&a, 1), 1);
	assert_int_equal(leases_epoch(&a, 2), 1);
	assert_int_equal(leases_epoch(&a, 3), 0);
	assert_int_equal(b.own_count, 0);
	/* Whoever looks first has a new mapping, but the mappings of a source
	 * database stay together. */
	store_exec(spec.file,
		   "INSERT INTO table_mappings (server_id, target_id, "
		   "source_database, source_table, dest_database, dest_table) "
		   "VALUES (1, 1, 'db2', 't3', 'db', 't3'), "
		   "(1, 1, 'db', 't4', 'db', 't4')");
	update(&b, LONG_MS);
	update(&a, LONG_MS);
	assert_int_equal(leases_epoch(&a, 3), 0);
	assert_int_equal(leases_epoch(&b, 3), 1);
	assert_int_equal(leases_epoch(&a, 4), 1);
	assert_int_equal(leases_epoch(&b, 4), 0);
	/* A mapping that is deleted takes its lease with it. */
	store_exec(spec.file,
		   "PRAGMA foreign_keys = ON; "
		   "DELETE FROM table_mappings WHERE mapping_id = 3");
	update(&b, LONG_MS);
	assert_int_equal(b.own_count, 0);
}

/* As long as one beats, however slowly the other looks, it keeps them. */
static void test_beats_keep_them(void **state)
{
	(void)state;
	update(&a, SHORT_MS);
	for (int i = 0; i < 4; i++) {
		update(&b, SHORT_MS);
		pause_ms(SHORT_MS + 50);
		beat(&a);
	}
	update(&b, SHORT_MS);
	assert_int_equal(b.own_count, 0);
}

static void test_silence_loses_them(void **state)
{
	(void)state;
	update(&a, SHORT_MS);
	update(&b, SHORT_MS); /* sees it for the first time */
	pause_ms(SHORT_MS / 2);
	update(&b, SHORT_MS);
	assert_int_equal(b.own_count, 0);
	pause_ms(SHORT_MS);
	update(&b, SHORT_MS);
	assert_int_equal(b.own_count, 2);
	assert_int_equal(leases_epoch(&b, 1), 2);
	/* It was only frozen: it sees that they are gone, and leaves them. */
	beat(&a);
	update(&a, SHORT_MS);
	assert_int_equal(a.own_count, 0);
	/* And back, when the other one is silent. */
	pause_ms(SHORT_MS + 50);
	update(&a, SHORT_MS);
	assert_int_equal(leases_epoch(&a, 1), 3);
	assert_int_equal(leases_epoch(&a, 2), 3);
}

/* A beat between looking and taking is in time. */
static void test_beat_at_the_last_moment(void **state)
{
	struct control_holders holders;
	struct error err = ERROR_INIT;

	(void)state;
	update(&a, LONG_MS);
	MUST(control_read_holders(control, b.daemon, &holders, &err));
	assert_int_equal(holders.count, 1);
	assert_false(holders.holders[0].gone);
	beat(&a);
	MUST(control_take_leases(control, b.daemon, &holders.holders[0], &err));
	control_holders_release(&holders);
	update(&a, LONG_MS);
	assert_int_equal(a.own_count, 2);
}

static void test_stopped_one_gives_them_up(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	update(&a, LONG_MS);
	MUST(control_heartbeat(control, a.daemon, true, &err));
	update(&b, LONG_MS);
	assert_int_equal(leases_epoch(&b, 1), 2);
	/* One whose row was removed meanwhile, likewise. */
	store_exec(spec.file, "DELETE FROM daemons");
	beat(&a);
	update(&a, LONG_MS);
	assert_int_equal(leases_epoch(&a, 1), 3);
}

/* A process of this machine that is gone needs not be waited for. */
static void test_dead_process(void **state)
{
	char own[320], dead[320], *colon;

	(void)state;
	platform_identity(own, sizeof(own));
	assert_false(platform_identity_is_gone("elsewhere.invalid:1:a"));
	assert_false(platform_identity_is_gone("nonsense"));
	assert_false(platform_identity_is_gone(""));
	colon = strchr(own, ':');
	assert_non_null(colon);
	/* Our number, but another start: before us. */
	assert_true(platform_identity_is_gone(own));
	snprintf(dead, sizeof(dead), "%.*s:%ld:0", (int)(colon - own), own,
		 (long)getppid());
	assert_false(platform_identity_is_gone(dead));
	snprintf(dead, sizeof(dead), "%.*s:2147483646:0", (int)(colon - own),
		 own);
	assert_true(platform_identity_is_gone(dead));
	a.daemon = dead;
	beat(&a);
	update(&a, LONG_MS);
	update(&b, LONG_MS);
	assert_int_equal(leases_epoch(&b, 1), 2);
}

static bool is_gained(size_t at)
{
	return leases_is_gained(&a, &a.own[at]);
}

static void test_gained(void **state)
{
	(void)state;
	store_exec(spec.file,
		   "DELETE FROM table_mappings WHERE mapping_id = 2");
	update(&a, LONG_MS);
	assert_true(is_gained(0));
	store_exec(spec.file,
		   "INSERT INTO table_mappings (mapping_id, server_id, "
		   "target_id, source_database, source_table, dest_database, "
		   "dest_table) VALUES (2, 1, 1, 'db', 't2', 'db', 't2')");
	update(&a, LONG_MS);
	assert_int_equal(a.own_count, 2);
	assert_false(is_gained(0));
	assert_true(is_gained(1));
	/* Away and back between two looks. */
	store_exec(spec.file, "UPDATE mapping_leases SET epoch = epoch + 2 "
			      "WHERE mapping_id = 1");
	update(&a, LONG_MS);
	assert_true(is_gained(0));
	assert_false(is_gained(1));
}

/* Past what the destination has; and never without the lease. */
static void test_raise(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	update(&a, SHORT_MS);
	MUST(leases_raise(&a, control, 1, 40, &err));
	assert_int_equal(leases_epoch(&a, 1), 41);
	assert_int_equal(leases_epoch(&a, 2), 1);
	MUST(leases_raise(&a, control, 1, 0, &err));
	assert_int_equal(leases_epoch(&a, 1), 42);
	/* Another one has it by now. */
	update(&b, SHORT_MS);
	pause_ms(SHORT_MS + 50);
	update(&b, SHORT_MS);
	assert_int_equal(leases_epoch(&b, 1), 43);
	assert_int_equal(leases_epoch(&a, 1), 42);
	MUST(leases_raise(&a, control, 1, 43, &err));
	assert_int_equal(a.own_count, 0);
	assert_query(spec.file,
		     "SELECT mapping_id, epoch FROM mapping_leases "
		     "WHERE daemon = 'elsewhere.invalid:2:b' ORDER BY 1",
		     "1|43\n2|2\n");
	/* And it was taken away and given back, without our knowing. */
	update(&b, SHORT_MS);
	store_exec(spec.file, "UPDATE mapping_leases SET epoch = 50");
	MUST(leases_raise(&b, control, 1, 60, &err));
	assert_int_equal(leases_epoch(&b, 1), 50);
}

static void test_store_is_away(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	update(&a, LONG_MS);
	store_exec(spec.file, "ALTER TABLE mapping_leases RENAME TO gone");
	assert_int_equal(leases_update(&a, control, LONG_MS, &err), -1);
	assert_int_equal(leases_raise(&a, control, 1, 9, &err), -1);
	assert_int_equal(leases_epoch(&a, 1), 1); /* as they were */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_first_one_has_them),
		TEST(test_beats_keep_them),
		TEST(test_silence_loses_them),
		TEST(test_beat_at_the_last_moment),
		TEST(test_stopped_one_gives_them_up),
		TEST(test_dead_process),
		TEST(test_gained),
		TEST(test_raise),
		TEST(test_store_is_away),
	};

	return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
