/* How a mapping is, by what was told of it and by what the tables say. */
#include "unit/helper.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/reporter.h"
#include "unit/store.h"

static struct control_spec spec;
static struct reporter *reporter;

static int setup(void **state)
{
	struct error err = ERROR_INIT;

	log_setup(LOG_ERROR, false);
	if (setup_folder(state) < 0)
		return -1;
	spec = store_make("subject.db");
	store_add_mapping(spec.file);
	return reporter_start(&reporter, &spec, "host:1", &err);
}

static int teardown(void **state)
{
	assert_true(reporter_stop(reporter, 60000));
	reporter_free(reporter);
	stderr_release();
	return teardown_folder(state);
}

static void assert_health(enum overview_health health, const char *reason)
{
	struct overview now;

	overview_init(&now, 0);
	now.lag_warning_s = 60;
	assert_int_equal(reporter_look(reporter, 60000, &now), 0);
	assert_string_equal(overview_health_name(now.mappings[0].health),
			    overview_health_name(health));
	assert_string_equal(now.mappings[0].reason, reason);
	overview_release(&now);
}

static void tell_error(const char *type, const char *message,
		       const char *details)
{
	struct control_error error = {
		.mapping_id = 1,
		.type = type,
		.message = message,
		.details = details,
	};

	stderr_catch();
	report_error(reporter, &error);
	free(stderr_caught());
}

#define TAIL  "{\"scope\":\"TAIL\",\"mismatches\":[]}"
#define WHOLE "{\"scope\":\"WHOLE\",\"mismatches\":[]}"

/* Errors make and end the words that v_mapping_health gets from error_logs. */
static void test_what_stands(void **state)
{
	struct report_subject *subject;

	(void)state;
	subject = reporter_add_subject(reporter, 1);
	report_state(subject, "CDC", NULL, 0);
	report_lag(subject, 0, true);
	assert_health(OVERVIEW_HEALTHY, "");
	tell_error("VERIFICATION", "the tail differs", TAIL);
	assert_health(OVERVIEW_MISMATCH, "the tail differs");
	report_resolved(reporter, 1, 0);
	assert_health(OVERVIEW_MISMATCH, "the tail differs");
	report_verification_resolved(subject, false);
	assert_health(OVERVIEW_HEALTHY, "");
	tell_error("VERIFICATION", "all differs", WHOLE);
	tell_error("VERIFICATION", "the tail differs", TAIL);
	report_verification_resolved(subject, false);
	assert_health(OVERVIEW_MISMATCH, "all differs");
	tell_error("SYNC", "it fails", NULL);
	assert_health(OVERVIEW_ERROR, "it fails");
	report_resolved(reporter, 2, 0); /* another one's */
	assert_health(OVERVIEW_ERROR, "it fails");
	report_resolved(reporter, 1, 0);
	assert_health(OVERVIEW_MISMATCH, "all differs");
	report_verification_resolved(subject, true);
	assert_health(OVERVIEW_HEALTHY, "");
	report_parked(subject, 7);
	assert_health(OVERVIEW_MISMATCH,
		      "7 rows were put aside in apply_exceptions");
	report_parked(subject, 0);
	report_lag(subject, 90000, true);
	assert_health(OVERVIEW_LAGGING, "90 seconds behind its source");
	report_lag(subject, -1, true); /* not known since: it grows */
	assert_health(OVERVIEW_LAGGING, "90 seconds behind its source");
	report_lag(subject, 0, true);
	assert_health(OVERVIEW_HEALTHY, "");
}

/* A worker before this one told the tables, or a DBA has changed them. */
static void test_what_the_tables_say(void **state)
{
	struct control_mapping row = {
		.id = 1,
		.error = "old",
		.verification_error = "all differs",
		.whole_differs = true,
	};
	struct report_subject *subject;
	int64_t later;

	(void)state;
	subject = reporter_add_subject(reporter, 1);
	report_state(subject, "CDC", NULL, 0);
	report_tables(subject, &row, clock_ms());
	assert_health(OVERVIEW_ERROR, "old");
	report_verification_resolved(subject, false);
	report_resolved(reporter, 1, 0);
	/* That is on its way there: they were read before it arrived. */
	report_tables(subject, &row, clock_ms());
	assert_health(OVERVIEW_MISMATCH, "all differs");
	later = clock_ms() + 60000;
	row.error = NULL;
	row.verification_error = "edited";
	report_tables(subject, &row, later);
	assert_health(OVERVIEW_MISMATCH, "edited");
	row.verification_error = NULL;
	row.paused = true;
	report_tables(subject, &row, later);
	assert_health(OVERVIEW_PAUSED,
		      "is_paused is 1; a RESUME request lets it go on");
	row.suspended = true;
	report_tables(subject, &row, later);
	assert_health(OVERVIEW_SUSPENDED,
		      "suspended; a RESUME request lets it go on");
	row.suspended = row.paused = false;
	report_tables(subject, &row, later);
	assert_health(OVERVIEW_HEALTHY, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_what_stands),
		TEST(test_what_the_tables_say),
	};

	alarm(240);
	return cmocka_run_group_tests_name("subject", tests, NULL, NULL);
}
