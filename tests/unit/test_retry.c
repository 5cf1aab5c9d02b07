#include "unit/helper.h"

#include <string.h>

#include "engine/retry.h"
#include "unit/rows.h"

#define MINUTE INT64_C(60000)

/* The published default: three attempts, 30 seconds apart, 10 s ticks. */
static const struct retry_policy published = {
	.max_attempts = 3, .delay_ms = 30000, .interval_ms = 10000};

static struct error make(enum error_kind kind, bool retryable)
{
	struct error err = ERROR_INIT;

	error_set(&err, kind, "x");
	err.retryable = retryable;
	return err;
}

static void fail_once(struct retry *retry, const struct error *err,
		      const struct retry_policy *policy, int64_t wait_ms,
		      bool record, int count)
{
	struct retry_decision got = retry_failed(retry, err, policy);

	if (got.wait_ms != wait_ms || got.record != record ||
	    (record && got.retry_count != count))
		fail_msg("failure %d: wait %d, record %d, count %d",
			 retry->failures, (int)got.wait_ms, got.record,
			 got.retry_count);
}

static void test_published_policy(void **state)
{
	struct error err = make(ERROR_CONNECTION, true);
	struct retry retry = {0};

	(void)state;
	fail_once(&retry, &err, &published, 30000, false, 0);
	fail_once(&retry, &err, &published, 30000, false, 0);
	fail_once(&retry, &err, &published, 10000, true, 3);
	/* From then on one attempt a tick, each of them counted. */
	fail_once(&retry, &err, &published, 10000, true, 4);
	fail_once(&retry, &err, &published, 10000, true, 5);
	assert_true(retry_succeeded(&retry));
	assert_false(retry_succeeded(&retry));
	/* All of it begins anew. */
	fail_once(&retry, &err, &published, 30000, false, 0);
	assert_false(retry_succeeded(&retry)); /* nothing was recorded */
	fail_once(&retry, &err, &published, 30000, false, 0);
	fail_once(&retry, &err, &published, 30000, false, 0);
	fail_once(&retry, &err, &published, 10000, true, 3);
}

static void test_every_kind(void **state)
{
	(void)state;
	for (int kind = ERROR_CONNECTION; kind <= ERROR_INTERNAL; kind++) {
		struct error final = make((enum error_kind)kind, false);
		struct error again = make((enum error_kind)kind, true);
		struct retry retry = {0};

		/* A final one is recorded at once: nothing was retried. But a
		 * conflict may mean that the mapping is another daemon's. */
		if (kind == ERROR_CONFLICT) {
			fail_once(&retry, &final, &published, 30000, false, 0);
			fail_once(&retry, &final, &published, 10000, true, 1);
		} else {
			fail_once(&retry, &final, &published, 10000, true, 0);
		}
		assert_true(retry_succeeded(&retry));
		/* A retryable one of the same kind gets its attempts. */
		fail_once(&retry, &again, &published, 30000, false, 0);
		fail_once(&retry, &again, &published, 30000, false, 0);
		assert_true(retry_failed(&retry, &again, &published).record);
	}
}

static void test_limits(void **state)
{
	struct retry_policy once = {
		.max_attempts = 1, .delay_ms = 30000, .interval_ms = 5000};
	struct retry_policy many = {
		.max_attempts = 1000, .delay_ms = 0, .interval_ms = 5000};
	struct error err = make(ERROR_CONNECTION, true);
	struct retry retry = {0};

	(void)state;
	fail_once(&retry, &err, &once, 5000, true, 1);
	memset(&retry, 0, sizeof(retry));
	for (int i = 1; i < 1000; i++)
		fail_once(&retry, &err, &many, 0, false, 0);
	fail_once(&retry, &err, &many, 5000, true, 1000);
}

/* The settings may change between two failures. */
static void test_policy_changes(void **state)
{
	struct retry_policy strict = published;
	struct error err = make(ERROR_SERVER, true);
	struct retry retry = {0};

	(void)state;
	strict.max_attempts = 2;
	fail_once(&retry, &err, &published, 30000, false, 0);
	fail_once(&retry, &err, &strict, 10000, true, 2);
	/* Recorded stays recorded, though more attempts are allowed now. */
	strict.max_attempts = 10;
	fail_once(&retry, &err, &strict, 10000, true, 3);
}

static void test_final_after_retryable(void **state)
{
	struct error again = make(ERROR_CONNECTION, true);
	struct error final = make(ERROR_SCHEMA, false);
	struct retry retry = {0};

	(void)state;
	fail_once(&retry, &again, &published, 30000, false, 0);
	fail_once(&retry, &final, &published, 10000, true, 1);
	/* And a retryable one after it keeps the record up to date. */
	fail_once(&retry, &again, &published, 10000, true, 3);
	assert_true(retry_succeeded(&retry));
}

/* Less and less often, up to once in five minutes. */
static void test_data_errors(void **state)
{
	static const int64_t waits[] = {10000,	20000,	40000,	80000,
					160000, 300000, 300000, 300000};
	struct error err = make(ERROR_DATA, false);
	struct retry retry = {0};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(waits); i++)
		fail_once(&retry, &err, &published, waits[i], true, (int)i);
	assert_true(retry_succeeded(&retry));
	fail_once(&retry, &err, &published, 10000, true, 0);
	for (int i = 0; i < 100000; i++) /* no counter runs over */
		assert_in_range(retry_failed(&retry, &err, &published).wait_ms,
				10000, 5 * MINUTE);
}

/* Never more often than any other trouble is. */
static void test_data_errors_at_a_long_interval(void **state)
{
	struct retry_policy slow = {.max_attempts = 3,
				    .delay_ms = 30000,
				    .interval_ms = 60 * MINUTE};
	struct error err = make(ERROR_DATA, false);
	struct retry retry = {0};

	(void)state;
	for (int i = 0; i < 5; i++) {
		struct retry_decision got = retry_failed(&retry, &err, &slow);

		if (got.wait_ms < slow.interval_ms)
			fail_msg("the next attempt is after %d s, the interval "
				 "is %d s",
				 (int)(got.wait_ms / 1000),
				 (int)(slow.interval_ms / 1000));
	}
}

static void test_error_types(void **state)
{
	static const struct {
		enum error_kind kind;
		const char *type;
	} cases[] = {
		{ERROR_CONNECTION, "CONNECTION"},
		{ERROR_SCHEMA, "SCHEMA"},
		{ERROR_DATA, "SYNC"},
		{ERROR_GAP, "SYNC"},
		{ERROR_CONFLICT, "SYNC"},
		{ERROR_SERVER, "SYNC"},
		{ERROR_PERMISSION, "SYNC"},
		{ERROR_CONFIG, "OTHER"},
		{ERROR_MEMORY, "OTHER"},
		{ERROR_SYSTEM, "OTHER"},
		{ERROR_INTERNAL, "OTHER"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_string_equal(retry_error_type(cases[i].kind),
				    cases[i].type);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_policy),
		cmocka_unit_test(test_every_kind),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_policy_changes),
		cmocka_unit_test(test_final_after_retryable),
		cmocka_unit_test(test_data_errors),
		cmocka_unit_test(test_data_errors_at_a_long_interval),
		cmocka_unit_test(test_error_types),
	};

	return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
