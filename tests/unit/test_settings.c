#include "unit/helper.h"

#include <stdio.h>
#include <string.h>

#include "control/settings.h"
#include "unit/rows.h"

/* A snapshot with these rows of config. */
static int load(struct settings *settings, const struct control_setting *rows,
		size_t count, struct error *err)
{
	struct control_setting copy[40];
	struct control_snapshot snapshot = {
		.settings = copy,
		.setting_count = count,
	};

	assert_true(count <= 40);
	if (count)
		memcpy(copy, rows, count * sizeof(*rows));
	return settings_load(settings, &snapshot, err);
}

static int load_one(struct settings *settings, const char *key,
		    const char *value, struct error *err)
{
	struct control_setting row = {key, value};

	return load(settings, &row, 1, err);
}

static void test_published_defaults(void **state)
{
	struct settings settings;

	(void)state;
	memset(&settings, 0xff, sizeof(settings));
	settings_init(&settings);
	assert_int_equal(settings.check_interval_s, 10);
	assert_int_equal(settings.max_attempts, 3);
	assert_int_equal(settings.retry_delay_s, 30);
	assert_int_equal(settings.max_connections, 50);
	assert_int_equal(settings.verification_interval_min, 5);
	assert_int_equal(settings.verification_rows, 10000);
	assert_int_equal(settings.initial_full_sync, 1);
	assert_int_equal(settings.truncate, 0);
	assert_int_equal(settings.create_missing_tables, 1);
	assert_int_equal(settings.resync_on_gap, 1);
	assert_true(settings.batch_rows > 0);
	assert_true(settings.batch_memory_mb > 0);
	assert_true(settings.window_transactions > 0);
	assert_true(settings.log_retention_days > 0);
}

static void test_empty_table_gives_defaults(void **state)
{
	struct error err = ERROR_INIT;
	struct settings settings, fresh;

	(void)state;
	settings_init(&fresh);
	memset(&settings, 0x7f, sizeof(settings));
	MUST(load(&settings, NULL, 0, &err));
	assert_memory_equal(&settings, &fresh, sizeof(fresh));
}

/* Every key there is, with its default as the table writes it. */
static void test_defaults_are_taken(void **state)
{
	struct control_setting rows[40];
	struct error err = ERROR_INIT;
	struct settings settings, fresh;
	char text[40][16];
	int count = 0;

	(void)state;
	settings_init(&fresh);
	memset(&settings, 0x7f, sizeof(settings));
	while ((rows[count].key = settings_key(count, text[count]))) {
		rows[count].value = text[count];
		count++;
	}
	assert_int_equal(
		count,
		offsetof(struct settings, metrics_listen) / sizeof(int) + 1);
	MUST(load(&settings, rows, (size_t)count, &err));
	assert_memory_equal(&settings, &fresh, sizeof(fresh));
}

static void test_values(void **state)
{
	struct error err = ERROR_INIT;
	struct settings settings;

	(void)state;
	settings_init(&settings);
	MUST(load_one(&settings, "cdc_check_interval_seconds", "3", &err));
	assert_int_equal(settings.check_interval_s, 3);
	MUST(load_one(&settings, "CDC_Check_Interval_Seconds", " 4 ", &err));
	assert_int_equal(settings.check_interval_s, 4);
	MUST(load_one(&settings, "full_sync_mode", "truncate", &err));
	assert_int_equal(settings.truncate, 1);
	assert_int_equal(settings.check_interval_s, 10); /* missing: default */
	MUST(load_one(&settings, "full_sync_mode", " SWAP", &err));
	assert_int_equal(settings.truncate, 0);
	MUST(load_one(&settings, "initial_full_sync", "0", &err));
	assert_int_equal(settings.initial_full_sync, 0);
	MUST(load_one(&settings, "query_timeout_seconds", "0", &err));
	assert_int_equal(settings.query_timeout_s, 0);
	MUST(load_one(&settings, "metrics_listen", "[::1]:9187", &err));
	assert_string_equal(settings.metrics_listen, "[::1]:9187");
	MUST(load_one(&settings, "metrics_listen", "off", &err));
	MUST(load_one(&settings, "metrics_listen", "", &err));
	assert_string_equal(settings.metrics_listen, "");
	MUST(load_one(&settings, "on_row_error", " park", &err));
	assert_int_equal(settings.on_error[ERROR_CLASS_ROW], ERROR_ACTION_PARK);
	assert_int_equal(settings.on_error[ERROR_CLASS_TABLE],
			 ERROR_ACTION_RETRY);
	MUST(load_one(&settings, "on_conflict_error", "Suspend", &err));
	assert_int_equal(settings.on_error[ERROR_CLASS_ROW],
			 ERROR_ACTION_RETRY);
	assert_int_equal(settings.on_error[ERROR_CLASS_CONFLICT],
			 ERROR_ACTION_SUSPEND);
	MUST(load_one(&settings, "what_is_this", "garbage", &err));
}

static const char *good_value(const char *key)
{
	if (!strncmp(key, "on_", 3))
		return "STOP";
	if (!strcmp(key, "full_sync_mode"))
		return "truncate";
	return strcmp(key, "initial_full_sync") ? "7" : "0";
}

static void test_bad_values_are_kept_out(void **state)
{
	static const struct {
		const char *key, *value;
	} cases[] = {
		{"cdc_check_interval_seconds", "0"},
		{"cdc_check_interval_seconds", "-1"},
		{"cdc_check_interval_seconds", "ten"},
		{"cdc_check_interval_seconds", ""},
		{"cdc_check_interval_seconds", "  "},
		{"cdc_check_interval_seconds", NULL},
		{"cdc_check_interval_seconds", "10 s"},
		{"cdc_check_interval_seconds", "1.5"},
		{"cdc_check_interval_seconds", "1e3"},
		{"cdc_check_interval_seconds", "4\xc3"}, /* half a letter */
		{"cdc_check_interval_seconds", "99999999999999999999"},
		{"cdc_check_interval_seconds", "4294967306"},
		{"max_retry_attempts", "0"},
		{"max_connections", "1"},
		{"batch_size", "0"},
		{"batch_memory_mb", "0"},
		{"batch_memory_mb", "1000000"},
		{"initial_full_sync", "2"},
		{"initial_full_sync", "yes"},
		{"full_sync_mode", "0"},
		{"full_sync_mode", "swapp"},
		{"full_sync_mode", ""},
		{"full_sync_mode", NULL},
		{"log_retention_days", "0"},
		{"metrics_listen", "here"},
		{"metrics_listen", "0"},
		{"metrics_listen", NULL},
		{"on_row_error", "DROP"},
		{"on_row_error", "4"},
		{"on_table_error", "PARK"},
		{"on_connection_error", "LOG"},
		{"on_conflict_error", ""},
		{"suspend_after_row_errors", "-1"},
		{"cdc_check_interval_seconds",
		 "10                                                         "
		 "                                           and more"},
		{"full_sync_mode",
		 "swap                                                       "
		 "                                           and more"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct settings settings, before;
		struct error err = ERROR_INIT;

		settings_init(&settings);
		MUST(load_one(&settings, cases[i].key, good_value(cases[i].key),
			      &err));
		before = settings;
		if (load_one(&settings, cases[i].key, cases[i].value, &err) ==
		    0)
			fail_msg("%s = '%s' is taken", cases[i].key,
				 cases[i].value ? cases[i].value : "NULL");
		assert_int_equal(err.kind, ERROR_CONFIG);
		assert_holds(err.message, cases[i].key);
		assert_memory_equal(&settings, &before, sizeof(before));
	}
}

/* One message names them all, and the good ones are taken all the same. */
static void test_all_bad_ones_are_named(void **state)
{
	struct control_setting rows[40];
	struct error err = ERROR_INIT;
	struct settings settings, fresh;
	char text[16];
	int count = 0;

	(void)state;
	settings_init(&settings);
	settings_init(&fresh);
	while ((rows[count].key = settings_key(count, text)))
		rows[count++].value = "SECRET nonsense";
	MUST_FAIL(load(&settings, rows, (size_t)count, &err), ERROR_CONFIG);
	for (int i = 0; i < count; i++)
		assert_holds(err.message, settings_key(i, text));
	assert_lacks(err.message, "SECRET");
	assert_memory_equal(&settings, &fresh, sizeof(fresh));
	rows[0].value = "3600";
	MUST_FAIL(load(&settings, rows, (size_t)count, &err), ERROR_CONFIG);
	assert_int_equal(settings.check_interval_s, 3600);
	assert_lacks(err.message, rows[0].key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_defaults),
		cmocka_unit_test(test_empty_table_gives_defaults),
		cmocka_unit_test(test_defaults_are_taken),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_bad_values_are_kept_out),
		cmocka_unit_test(test_all_bad_ones_are_named),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
