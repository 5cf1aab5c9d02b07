#include "unit/helper.h"

#include "engine/verify_plan.h"

#define MINUTE INT64_C(60000000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define BORN   (1000 * DAY + 10 * HOUR)

static struct settings settings;
static struct mapping mapping;

static int setup(void **state)
{
	(void)state;
	settings_init(&settings);
	mapping = (struct mapping){
		.id = 0, /* no spread */
		.cdc_enabled = true,
		.verification_interval_min = -1,
		.verification_rows = -1,
		.full_verification_hours = -1,
		.full_verification_at = -1,
		.auto_repair = -1,
	};
	return 0;
}

static struct verify_plan plan_of(void)
{
	struct verify_plan plan;

	verify_plan_make(&plan, &mapping, &settings);
	return plan;
}

static void test_defaults_and_overrides(void **state)
{
	struct verify_plan plan = plan_of();

	(void)state;
	assert_int_equal(plan.tail_interval_min, 5);
	assert_int_equal(plan.tail_rows, 10000);
	assert_int_equal(plan.whole_interval_h, 0);
	assert_int_equal(plan.whole_at_min, -1);
	assert_false(plan.auto_repair);
	mapping.verification_interval_min = 0;
	mapping.verification_rows = 7;
	mapping.full_verification_hours = 24;
	mapping.full_verification_at = 150;
	mapping.auto_repair = 1;
	plan = plan_of();
	assert_int_equal(plan.tail_interval_min, 0);
	assert_int_equal(plan.tail_rows, 7);
	assert_int_equal(plan.whole_interval_h, 24);
	assert_int_equal(plan.whole_at_min, 150);
	assert_true(plan.auto_repair);
	settings.auto_repair = 1;
	mapping.auto_repair = 0;
	assert_false(plan_of().auto_repair);
}

/* What does not follow changes is verified only when its row says so. */
static void test_without_change_capture(void **state)
{
	(void)state;
	mapping.cdc_enabled = false;
	settings.full_verification_hours = 1;
	assert_int_equal(plan_of().tail_interval_min, 0);
	assert_int_equal(plan_of().whole_interval_h, 0);
	mapping.verification_interval_min = 9;
	assert_int_equal(plan_of().tail_interval_min, 9);
}

static void test_tail(void **state)
{
	struct verify_plan plan = plan_of();

	(void)state;
	assert_int_equal(verify_plan_tail(&plan, 0, 0, BORN), BORN);
	assert_int_equal(verify_plan_tail(&plan, 0, BORN + HOUR, BORN),
			 BORN + HOUR + 5 * MINUTE);
	/* Long past: soon, but not all at the same time. */
	assert_in_range(verify_plan_tail(&plan, 12345, BORN - DAY, BORN), BORN,
			BORN + MINUTE);
	assert_int_not_equal(verify_plan_tail(&plan, 1, BORN - DAY, BORN),
			     verify_plan_tail(&plan, 2, BORN - DAY, BORN));
	plan.tail_interval_min = 0;
	assert_int_equal(verify_plan_tail(&plan, 0, 0, BORN), 0);
}

static void test_whole(void **state)
{
	struct verify_plan plan = plan_of();

	(void)state;
	assert_int_equal(verify_plan_whole(&plan, 0, 0, BORN), 0);
	plan.whole_interval_h = 24;
	assert_int_equal(verify_plan_whole(&plan, 0, 0, BORN), BORN);
	assert_int_equal(verify_plan_whole(&plan, 0, BORN, BORN), BORN + DAY);
	/* At half past two at night. */
	plan.whole_at_min = 150;
	assert_int_equal(verify_plan_whole(&plan, 0, 0, BORN),
			 1001 * DAY + 150 * MINUTE);
	assert_int_equal(
		verify_plan_whole(&plan, 0, 1001 * DAY + 151 * MINUTE, BORN),
		1002 * DAY + 150 * MINUTE);
	assert_int_equal(
		verify_plan_whole(&plan, 0, 1001 * DAY + 9 * HOUR, BORN),
		1003 * DAY + 150 * MINUTE);
}

static void test_times(void **state)
{
	static const char *const wrong[] = {"",	     "2:30",  "24:00", "12:60",
					    "12:3x", "12.30", "12:300"};

	(void)state;
	assert_int_equal(verify_plan_parse_time("00:00"), 0);
	assert_int_equal(verify_plan_parse_time("02:30"), 150);
	assert_int_equal(verify_plan_parse_time("23:59"), 1439);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(verify_plan_parse_time(wrong[i]), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_defaults_and_overrides, setup),
		cmocka_unit_test_setup(test_without_change_capture, setup),
		cmocka_unit_test_setup(test_tail, setup),
		cmocka_unit_test_setup(test_whole, setup),
		cmocka_unit_test_setup(test_times, setup),
	};

	return cmocka_run_group_tests_name("verify plan", tests, NULL, NULL);
}
