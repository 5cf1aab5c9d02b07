/* What is done about an error, for each class, action and circumstance. */
#include "unit/helper.h"

#include <string.h>

#include "engine/policy.h"
#include "unit/rows.h"

static struct error make(enum error_kind kind, bool retryable)
{
	struct error err = ERROR_INIT;

	error_set(&err, kind, "x");
	err.retryable = retryable;
	return err;
}

static struct policy all(enum error_action action)
{
	struct policy policy = {.suspend_after_failures = 0};

	for (int i = 0; i < ERROR_CLASSES; i++)
		policy.actions[i] = action;
	return policy;
}

static void test_classes(void **state)
{
	static const struct {
		enum error_kind kind;
		bool retryable;
		enum error_class class;
	} cases[] = {
		{ERROR_DATA, false, ERROR_CLASS_ROW},
		{ERROR_SCHEMA, false, ERROR_CLASS_TABLE},
		{ERROR_PERMISSION, false, ERROR_CLASS_TABLE},
		{ERROR_GAP, false, ERROR_CLASS_TABLE},
		{ERROR_SERVER, false, ERROR_CLASS_TABLE},
		{ERROR_SERVER, true, ERROR_CLASS_CONFLICT},
		{ERROR_CONFLICT, false, ERROR_CLASS_CONFLICT},
		{ERROR_CONNECTION, true, ERROR_CLASS_CONNECTION},
		{ERROR_CONNECTION, false, ERROR_CLASS_CONNECTION},
		{ERROR_CONFIG, false, ERROR_CLASS_NONE},
		{ERROR_CANCELLED, false, ERROR_CLASS_NONE},
		{ERROR_FENCED, false, ERROR_CLASS_NONE},
		{ERROR_MEMORY, true, ERROR_CLASS_NONE},
		{ERROR_SYSTEM, false, ERROR_CLASS_NONE},
		{ERROR_INTERNAL, false, ERROR_CLASS_NONE},
		{ERROR_NONE, false, ERROR_CLASS_NONE},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error err = make(cases[i].kind, cases[i].retryable);

		if (policy_class(&err) != cases[i].class)
			fail_msg("%s is of class %d",
				 error_kind_name(cases[i].kind),
				 (int)policy_class(&err));
	}
}

/* A mapping's own choice goes before config's. */
static void test_where_actions_come_from(void **state)
{
	struct settings settings;
	struct mapping mapping = {.on_error = {-1, -1, -1, -1}};
	struct policy policy;

	(void)state;
	settings_init(&settings);
	policy_init(&policy, &settings, &mapping);
	for (int i = 0; i < ERROR_CLASSES; i++)
		assert_int_equal(policy.actions[i], ERROR_ACTION_RETRY);
	assert_int_equal(policy.suspend_after_failures, 0);
	settings.on_error[ERROR_CLASS_ROW] = ERROR_ACTION_PARK;
	settings.on_error[ERROR_CLASS_TABLE] = ERROR_ACTION_STOP;
	settings.suspend_after_failures = 7;
	mapping.on_error[ERROR_CLASS_ROW] = ERROR_ACTION_RETRY;
	mapping.on_error[ERROR_CLASS_CONFLICT] = ERROR_ACTION_SUSPEND;
	policy_init(&policy, &settings, &mapping);
	assert_int_equal(policy.actions[ERROR_CLASS_ROW], ERROR_ACTION_RETRY);
	assert_int_equal(policy.actions[ERROR_CLASS_TABLE], ERROR_ACTION_STOP);
	assert_int_equal(policy.actions[ERROR_CLASS_CONNECTION],
			 ERROR_ACTION_RETRY);
	assert_int_equal(policy.actions[ERROR_CLASS_CONFLICT],
			 ERROR_ACTION_SUSPEND);
	assert_int_equal(policy.suspend_after_failures, 7);
}

static void test_isolates(void **state)
{
	struct error data = make(ERROR_DATA, false);
	struct error other = make(ERROR_SCHEMA, false);
	const struct policy_case good = {
		.err = &data, .applying = true, .can_isolate = true};

	(void)state;
	for (int a = 0; a < ERROR_ACTIONS; a++) {
		struct policy policy = all((enum error_action)a);
		bool out = a == ERROR_ACTION_LOG || a == ERROR_ACTION_PARK;
		struct policy_case c = good;
		bool keep;

		assert_int_equal(policy_isolates(&policy, &c, &keep), out);
		assert_int_equal(keep, a == ERROR_ACTION_PARK);
		c.applying = false;
		assert_false(policy_isolates(&policy, &c, &keep));
		c = good;
		c.can_isolate = false;
		assert_false(policy_isolates(&policy, &c, &keep));
		c = good;
		c.isolated = true; /* not for ever */
		assert_false(policy_isolates(&policy, &c, &keep));
		c = good;
		c.err = &other;
		assert_false(policy_isolates(&policy, &c, &keep));
	}
}

/* RETRY, SUSPEND and STOP for each class, once enough attempts were made. */
static void test_actions(void **state)
{
	static const enum error_kind kinds[] = {
		ERROR_DATA, ERROR_SCHEMA, ERROR_CONNECTION, ERROR_CONFLICT};

	(void)state;
	for (size_t k = 0; k < COUNT_OF(kinds); k++) {
		for (int a = 0; a <= ERROR_ACTION_STOP; a++) {
			struct policy policy = all((enum error_action)a);
			struct error err = make(kinds[k], false);
			struct policy_case c = {.err = &err, .records = 1};

			assert_int_equal(policy_judge(&policy, &c).action,
					 ERROR_ACTION_RETRY);
			c.recorded = true;
			assert_int_equal(policy_judge(&policy, &c).action, a);
			assert_null(policy_judge(&policy, &c).note);
		}
	}
}

/* A setting that is wrong, or no memory, is never a reason to give up. */
static void test_what_is_always_tried_again(void **state)
{
	static const enum error_kind kinds[] = {ERROR_CONFIG, ERROR_MEMORY,
						ERROR_SYSTEM, ERROR_INTERNAL};
	struct policy policy = all(ERROR_ACTION_STOP);

	(void)state;
	policy.suspend_after_failures = 1;
	for (size_t k = 0; k < COUNT_OF(kinds); k++) {
		struct error err = make(kinds[k], false);
		struct policy_case c = {
			.err = &err, .recorded = true, .records = 9};

		assert_int_equal(policy_judge(&policy, &c).action,
				 ERROR_ACTION_RETRY);
	}
}

static void test_a_gap_that_is_healed(void **state)
{
	struct policy policy = all(ERROR_ACTION_SUSPEND);
	struct error err = make(ERROR_GAP, false);
	struct policy_case c = {
		.err = &err, .recorded = true, .records = 1, .healed = true};

	(void)state;
	assert_int_equal(policy_judge(&policy, &c).action, ERROR_ACTION_RETRY);
	c.healed = false;
	assert_int_equal(policy_judge(&policy, &c).action,
			 ERROR_ACTION_SUSPEND);
}

static void test_rows_that_cannot_be_left_out(void **state)
{
	struct policy policy = all(ERROR_ACTION_PARK);
	struct error err = make(ERROR_DATA, false);
	struct policy_case c = {.err = &err, .recorded = true, .records = 1};
	struct policy_verdict verdict;

	(void)state;
	verdict = policy_judge(&policy, &c);
	assert_int_equal(verdict.action, ERROR_ACTION_RETRY);
	assert_holds(verdict.note, "full sync");
	c.applying = true;
	verdict = policy_judge(&policy, &c);
	assert_int_equal(verdict.action, ERROR_ACTION_RETRY);
	assert_holds(verdict.note, "this destination");
	c.can_isolate = c.isolated = true;
	verdict = policy_judge(&policy, &c);
	assert_int_equal(verdict.action, ERROR_ACTION_RETRY);
	assert_holds(verdict.note, "found out");
	c.exceeded = true;
	verdict = policy_judge(&policy, &c);
	assert_int_equal(verdict.action, ERROR_ACTION_SUSPEND);
	assert_null(verdict.note);
}

static void test_failures_in_a_row(void **state)
{
	struct policy policy = all(ERROR_ACTION_RETRY);
	struct error err = make(ERROR_SCHEMA, false);
	struct policy_case c = {.err = &err, .recorded = true, .records = 2};

	(void)state;
	policy.suspend_after_failures = 3;
	assert_int_equal(policy_judge(&policy, &c).action, ERROR_ACTION_RETRY);
	c.records = 3;
	assert_int_equal(policy_judge(&policy, &c).action,
			 ERROR_ACTION_SUSPEND);
	c.recorded = false;
	assert_int_equal(policy_judge(&policy, &c).action, ERROR_ACTION_RETRY);
	c.recorded = true;
	policy = all(ERROR_ACTION_STOP); /* what is stricter stays */
	policy.suspend_after_failures = 1;
	assert_int_equal(policy_judge(&policy, &c).action, ERROR_ACTION_STOP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_where_actions_come_from),
		cmocka_unit_test(test_isolates),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_what_is_always_tried_again),
		cmocka_unit_test(test_a_gap_that_is_healed),
		cmocka_unit_test(test_rows_that_cannot_be_left_out),
		cmocka_unit_test(test_failures_in_a_row),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
