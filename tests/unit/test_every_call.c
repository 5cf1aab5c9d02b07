/*
 * Every call to a driver made to fail in turn. After each failure the next
 * attempt has to succeed and to leave equal tables; no failure may pass for a
 * success. Under AddressSanitizer nothing may be left over either.
 *
 * Source and destination are one store, so that one counter meets all calls.
 * Here are attempts of which each failure has to be told; then comes all that
 * scenario.c has, where some failures may be mended; and in the end no slot of
 * driver.h may be left that was never made to fail.
 */
#include "unit/helper.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/memory/memory.h"
#include "unit/rig.h"
#include "unit/scenario.h"

static struct rig rig;

static const enum error_kind kinds[] = {ERROR_CONNECTION, ERROR_SERVER,
					ERROR_MEMORY, ERROR_CANCELLED};

static int setup(void **state)
{
	if (setup_folder(state) < 0)
		return -1;
	rig_begin_unheard(&rig, "every", "every");
	return 0;
}

static int teardown(void **state)
{
	rig_end(&rig);
	return teardown_folder(state);
}

/*
 * Attempt with call number `n` failing. False when there were fewer calls, and
 * then it has to have succeeded.
 */
static bool fail_call(unsigned long n, enum error_kind kind, const char *what)
{
	struct error err = ERROR_INIT;
	int rc;

	memory_fail(rig.src, n, kind);
	rc = rig_attempt(&rig, &err);
	if (memory_calls(rig.src) < n) {
		memory_fail(rig.src, 0, ERROR_NONE);
		if (rc < 0)
			fail_msg("%s: %s", what, err.message);
		return false;
	}
	memory_fail(rig.src, 0, ERROR_NONE);
	if (rc == 0)
		fail_msg("%s: call %lu failed, and nobody told", what, n);
	if (err.kind != kind)
		fail_msg("%s: call %lu failed with %s: %s", what, n,
			 error_kind_name(err.kind), err.message);
	assert_true(err.message[0] != '\0');
	return true;
}

/* The two ends are equal; also by what is in a store that was opened anew. */
static void heal(bool restart, const char *what, unsigned long n)
{
	struct error err = ERROR_INIT;

	if (restart)
		rig_reopen(&rig);
	if (rig_attempt(&rig, &err) < 0)
		fail_msg("%s: after call %lu had failed: %s", what, n,
			 err.message);
	assert_same(&rig);
}

/* The load of a table, from the first contact on. */
static unsigned long break_load(enum error_kind kind, bool restart)
{
	unsigned long n = 0;

	do {
		n++;
		rig_clear(&rig);
		rig_fill(&rig, 20);
		if (!fail_call(n, kind, "load"))
			break;
		heal(restart, "load", n);
	} while (n < 1000);
	assert_same(&rig);
	return n;
}

/* Changes to a table that is loaded, in several windows of several batches. */
static unsigned long break_changes(enum error_kind kind, bool restart)
{
	unsigned long n = 0;

	do {
		n++;
		rig_clear(&rig);
		rig_fill(&rig, 6);
		rig_sync(&rig);
		if (restart)
			rig_reopen(&rig);
		rig_change(&rig, "+1|x -2 +7|new +3|y +8|more");
		rig_change_other(&rig);
		rig_change(&rig, "-7 +70|moved -1 +1|again");
		rig_change(&rig, "+2|back -3 +3|z +9|end");
		rig_change_other(&rig);
		if (!fail_call(n, kind, "changes"))
			break;
		heal(restart, "changes", n);
	} while (n < 1000);
	assert_same(&rig);
	return n;
}

/*
 * Changes of which two are refused, and put aside: whatever fails, the others
 * arrive, and what was refused stands once.
 */
static unsigned long break_isolation(enum error_kind kind, bool restart)
{
	unsigned long n = 0;
	bool broken = true;

	for (n = 1; n < 1000 && broken; n++) {
		rig_clear(&rig);
		rig_fill(&rig, 6);
		rig_sync(&rig);
		rig_change(&rig, "+1|x -2 +7|bad|13 +3|y|13");
		memory_refuse(rig.src, "n", 13);
		rig.link.isolate = rig.link.keep = true;
		broken = fail_call(n, kind, "isolation");
		if (broken && restart)
			rig_reopen(&rig);
		if (broken) {
			struct error err = ERROR_INIT;

			rig.link.isolate = rig.link.keep = true;
			MUST(rig_attempt(&rig, &err));
		}
		assert_int_equal(rig.link.exceptions, 2);
		assert_dest(&rig, "+ 1|x|NULL|NULL\n+ 3|name 3|NULL|0\n"
				  "+ 4|name 4|40|0\n+ 5|name 5|50|0\n"
				  "+ 6|name 6|NULL|0\n");
		memory_refuse(rig.src, NULL, 0);
	}
	return n;
}

/* As many attempts as there are calls, each with a failure, and changes
 * between them: what one leaves is where the next begins. */
static void break_again_and_again(enum error_kind kind)
{
	unsigned long worked = 0;

	rig_clear(&rig);
	rig_fill(&rig, 10);
	for (unsigned long n = 40; n > 0; n--) {
		char text[64];

		snprintf(text, sizeof(text), "+%lu|x%lu -%lu", n % 13, n,
			 (n + 5) % 11);
		rig_change(&rig, text);
		if (!fail_call(n, kind, "again and again")) {
			assert_same(&rig);
			worked++;
		}
	}
	assert_true(worked > 0);
	heal(false, "again and again", 0);
}

static void test_load(void **state)
{
	(void)state;
	for (size_t k = 0; k < COUNT_OF(kinds); k++) {
		for (int restart = 0; restart < 2; restart++) {
			rig.settings.batch_rows = 1000; /* one thread */
			assert_true(break_load(kinds[k], restart) > 10);
			rig.settings.batch_rows = 3; /* two threads */
			assert_true(break_load(kinds[k], restart) > 15);
		}
	}
}

static void test_load_in_place(void **state)
{
	(void)state;
	rig.settings.truncate = 1;
	for (size_t k = 0; k < COUNT_OF(kinds); k++) {
		for (int restart = 0; restart < 2; restart++) {
			rig.settings.batch_rows = 3;
			assert_true(break_load(kinds[k], restart) > 15);
		}
	}
}

static void test_load_with_a_trigger(void **state)
{
	struct error err = ERROR_INIT;
	unsigned long n;

	(void)state;
	rig.row.trigger_column = "sync";
	for (size_t k = 0; k < COUNT_OF(kinds); k++) {
		for (n = 1; n < 1000; n++) {
			uint64_t left = 9;

			rig_clear(&rig);
			rig_fill(&rig, 5);
			rig_change(&rig, "+2|asked|2|1");
			if (!fail_call(n, kinds[k], "trigger"))
				break;
			/* Either it still asks, or the load is through. */
			MUST(link_connect_source(&rig.link, &err));
			MUST(rig.link.src->ops->triggered(rig.link.src, 9,
							  &left, NULL, &err));
			MUST(link_attach(&rig.link, false, &err));
			assert_true(left == 1 || rig.link.loaded);
			if (left && rig.link.loaded) {
				uint64_t rows;
				bool again;

				MUST(full_sync_run(&rig.link, &rows, &again,
						   &err));
			}
			link_release(&rig.link);
			heal(n % 2, "trigger", n);
		}
		assert_true(n > 10 && n < 1000);
	}
}

static void test_changes(void **state)
{
	(void)state;
	for (size_t k = 0; k < COUNT_OF(kinds); k++) {
		for (int restart = 0; restart < 2; restart++) {
			rig.settings.window_transactions = 5000;
			rig.settings.batch_rows = 1000;
			assert_true(break_changes(kinds[k], restart) > 5);
			rig.settings.batch_rows = 2;
			assert_true(break_changes(kinds[k], restart) > 8);
			rig.settings.window_transactions = 1;
			assert_true(break_changes(kinds[k], restart) > 15);
			rig.gather_ms = 60000;
			assert_true(break_changes(kinds[k], restart) > 12);
			rig.gather_ms = 0;
		}
	}
}

static void test_isolation(void **state)
{
	(void)state;
	for (size_t k = 0; k < COUNT_OF(kinds); k++)
		for (int restart = 0; restart < 2; restart++)
			assert_true(break_isolation(kinds[k], restart) > 5);
}

static void test_again_and_again(void **state)
{
	(void)state;
	for (size_t k = 0; k < COUNT_OF(kinds); k++) {
		rig.settings.batch_rows = 4;
		break_again_and_again(kinds[k]);
	}
}

/* A failed load of an existing copy leaves its rows and its checkpoint. */
static void test_failed_reload_changes_nothing(void **state)
{
	unsigned long n;

	(void)state;
	rig.settings.batch_rows = 3;
	for (n = 1; n < 1000; n++) {
		struct error err = ERROR_INIT;
		char *before, *after;
		uint64_t rows;
		bool again;
		int rc;

		rig_clear(&rig);
		rig_fill(&rig, 10);
		rig_sync(&rig);
		before = rig_dest(&rig);
		rig_change(&rig, "+1|newer -2 -3 +11|k");
		rig.link.settings = rig.settings;
		memory_fail(rig.src, n, ERROR_CONNECTION);
		rc = full_sync_run(&rig.link, &rows, &again, &err);
		memory_fail(rig.src, 0, ERROR_NONE);
		link_release(&rig.link);
		if (rc == 0) {
			free(before);
			break;
		}
		link_forget(&rig.link);
		after = rig_dest(&rig);
		assert_string_equal(before, after);
		free(before);
		free(after);
		heal(n % 2, "reload", n);
	}
	assert_true(n > 10 && n < 1000);
	assert_same(&rig);
}

/* --------------------------------------------------------------- every slot */

/* What store_call() is told by the slots that can fail; for mappings() of a
 * server there is test_census. */
static const char *const slots[] = {
	"server.check",		 "source.open",
	"source.connect",	 "source.describe",
	"source.check_key",	 "source.find_longer",
	"source.estimate",	 "source.triggered",
	"source.trigger_reset",	 "source.position",
	"source.read_until",	 "source.split",
	"source.read_begin",	 "source.seek",
	"source.digest",	 "source.changes_begin",
	"source.captured_until", "source.next",
	"source.check",		 "target.open",
	"target.connect",	 "target.describe",
	"target.create",	 "target.fence",
	"target.checkpoint",	 "target.begin",
	"target.stamp",		 "target.write",
	"target.commit",	 "target.plan_begin",
	"target.part_begin",	 "target.part_end",
	"target.begin_isolated", "target.exceptions",
	"target.advance",	 "target.check",
};

/*
 * release(), close(), a source's stored() and end(), a target's rollback()
 * cannot. compact() and prove(), with an end each, are the slots of targets that
 * keep files, which this driver does not: their stores fail in the tests of files.
 */
#define SLOTS(ops, sure) \
	((sizeof(struct ops) - sizeof(void *)) / sizeof(void *) - (sure))

_Static_assert(COUNT_OF(slots) ==
		       1 + SLOTS(source_ops, 4) + SLOTS(target_ops, 7),
	       "driver.h has a slot that is not in this list");

static bool seen[COUNT_OF(slots)], broken[COUNT_OF(slots)];
static unsigned long calls, fail_at;

/* Told inside the store's lock, one call at a time. */
static void see(const char *slot)
{
	size_t i = 0;

	while (i < COUNT_OF(slots) && strcmp(slots[i], slot) != 0)
		i++;
	assert_true(i < COUNT_OF(slots));
	seen[i] = true;
	broken[i] |= ++calls == fail_at;
}

static void watch(unsigned long n, enum error_kind kind)
{
	calls = 0;
	fail_at = n;
	memory_watch(SCENARIO_STORE, see);
	memory_fail(SCENARIO_STORE, n, kind);
}

/* False when it made fewer calls than that. */
static bool try_scenario(const struct scenario *s, unsigned long n,
			 enum error_kind kind)
{
	struct error err = ERROR_INIT;
	int rc;

	s->prepare();
	watch(n, kind);
	rc = s->run(&err);
	memory_fail(SCENARIO_STORE, 0, ERROR_NONE);
	memory_watch(SCENARIO_STORE, NULL);
	if (rc == 0 && calls >= n && !s->heals)
		fail_msg("%s: call %lu failed, and nobody told", s->name, n);
	if (rc < 0 && (calls < n || (err.kind != kind && !s->heals)))
		fail_msg("%s: call %lu failed with %s: %s", s->name, n,
			 error_kind_name(err.kind), err.message);
	if (s->check)
		s->check(rc == 0);
	if (rc < 0) {
		error_clear(&err);
		if (s->run(&err) < 0)
			fail_msg("%s: after call %lu had failed: %s", s->name,
				 n, err.message);
		if (s->check)
			s->check(true);
	}
	if (s->release)
		s->release();
	return calls >= n;
}

/* How many calls it makes when all goes well; some of them by chance. */
static unsigned long count_calls(const struct scenario *s)
{
	assert_false(try_scenario(s, ULONG_MAX, ERROR_SERVER));
	return calls;
}

static void test_every_scenario(void **state)
{
	(void)state;
	for (size_t i = 0; i < scenario_count; i++) {
		const struct scenario *s = &scenarios[i];
		unsigned long count, step;

		scenario_begin(s);
		count = count_calls(s);
		step = s->slow ? count / 10 + 1 : 1;
		for (size_t k = 0; k < COUNT_OF(kinds); k++)
			for (unsigned long n = 1 + k % step; n <= count;
			     n += step)
				try_scenario(s, n, kinds[k]);
		scenario_end();
	}
	for (size_t i = 0; i < COUNT_OF(slots); i++) {
		if (!seen[i])
			fail_msg("%s is never called", slots[i]);
		if (!broken[i])
			fail_msg("%s never fails", slots[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_load),
		TEST(test_load_in_place),
		TEST(test_load_with_a_trigger),
		TEST(test_changes),
		TEST(test_isolation),
		TEST(test_again_and_again),
		TEST(test_failed_reload_changes_nothing),
		cmocka_unit_test_setup_teardown(test_every_scenario,
						setup_folder, teardown_folder),
	};

	alarm(540); /* sanitizers are slow */
	return cmocka_run_group_tests_name("every call", tests, NULL, NULL);
}
