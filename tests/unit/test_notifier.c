/* What the reporter hears gets to the channels: here, to one whose address
 * nothing can be sent to, so that the log of messages says what it was. */
#include "unit/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/notifier.h"
#include "engine/reporter.h"
#include "notify/courier.h"
#include "unit/rows.h"
#include "unit/store.h"

static struct control_spec spec;
static struct reporter *reporter;
static struct notifier *notifier;
static struct report_subject *subject;
static struct settings settings;

/* The tables as they are now. */
static void update(void)
{
	struct control *control = store_open(&spec);
	struct control_snapshot snapshot;
	struct error err = ERROR_INIT;

	MUST(control_load(control, &snapshot, &err));
	notifier_update(notifier, &snapshot, &settings, true);
	control_snapshot_release(&snapshot);
	control_close(control);
}

static int setup(void **state)
{
	static int number;
	struct error err = ERROR_INIT;
	char name[32];

	log_setup(LOG_ERROR, false);
	if (setup_folder(state) < 0)
		return -1;
	snprintf(name, sizeof(name), "notifier%d.db", number++);
	spec = store_make(name);
	store_add_mapping(spec.file);
	store_exec(spec.file,
		   "INSERT INTO notification_channels (channel_name, "
		   "channel_type, settings) VALUES ('c', 'webhook', "
		   "'url=http://127.0.0.1:99999/')");
	settings_init(&settings);
	settings.notify_delay_s = 0;
	stderr_catch();
	MUST(reporter_start(&reporter, &spec, "host:1", &err));
	MUST(notifier_start(&notifier, reporter, "host:1", &err));
	reporter_set_notifier(reporter, notifier);
	update();
	subject = reporter_add_subject(reporter, 1);
	return 0;
}

static int teardown(void **state)
{
	reporter_remove_subject(reporter, subject);
	notifier_drain(notifier);
	assert_true(notifier_stop(notifier));
	assert_true(reporter_stop(reporter, 60000));
	notifier_free(notifier);
	reporter_free(reporter);
	free(stderr_caught());
	stderr_release();
	return teardown_folder(state);
}

/* Until the query answers so, for ten seconds. */
static void wait_for(const char *sql, const char *want)
{
	for (int i = 0; i < 1000; i++) {
		char *got = store_query(spec.file, sql);
		bool same = !strcmp(got, want);

		free(got);
		if (same)
			return;
		pause_ms(10);
	}
	assert_query(spec.file, sql, want);
}

static void test_every_trouble(void **state)
{
	struct control_error failure = {
		.mapping_id = 1, .type = "SYNC", .message = "m"};
	struct control_error verification = {
		.mapping_id = 1, .type = "VERIFICATION", .message = "v"};

	(void)state;
	report_lag(subject, 299000, true);
	report_lag(subject, 301000, true);
	report_state(subject, "SUSPENDED", "too many errors", 0);
	report_error(reporter, &failure);
	report_error(reporter, &verification);
	wait_for("SELECT event, notice_count, state, attempts, notices "
		 "FROM notifications",
		 "DIGEST|4|FAILED|1|"
		 "[{\"mapping_id\":1,\"event\":\"FAILURE\"},"
		 "{\"mapping_id\":1,\"event\":\"SUSPENSION\"},"
		 "{\"mapping_id\":1,\"event\":\"VERIFICATION\"},"
		 "{\"mapping_id\":1,\"event\":\"LAG\"}]\n");
	wait_for("SELECT subject, error_type, is_resolved FROM error_logs "
		 "WHERE mapping_id IS NULL",
		 "channel 1|OTHER|0\n");
	wait_for("SELECT last_success_at, last_error LIKE '%''url''%' "
		 "FROM notification_channels",
		 "NULL|1\n");
}

/* What ended is not told when the channel can be tried again. */
static void test_what_ended_is_not_told(void **state)
{
	(void)state;
	report_state(subject, "SUSPENDED", "r", 0);
	report_lag(subject, 301000, true);
	wait_for("SELECT notice_count FROM notifications", "2\n");
	report_state(subject, "PAUSED", NULL, 0); /* says nothing of it */
	report_lag(subject, 10, true);
	store_exec(spec.file, "UPDATE notification_channels SET "
			      "settings = 'url=http://127.0.0.1:99998/'");
	update();
	wait_for("SELECT event FROM notifications ORDER BY notification_id",
		 "DIGEST\nSUSPENSION\n");
	report_state(subject, "CDC", NULL, 0);
	store_exec(spec.file, "UPDATE notification_channels SET "
			      "settings = 'url=http://127.0.0.1:99997/'");
	update();
	pause_ms(1500);
	assert_int_equal(
		store_number(spec.file, "SELECT COUNT(*) FROM notifications"),
		2);
}

static void test_channel_deleted(void **state)
{
	struct control_error failure = {
		.mapping_id = 1, .type = "SYNC", .message = "m"};

	(void)state;
	report_error(reporter, &failure);
	wait_for("SELECT COUNT(*) FROM error_logs WHERE is_resolved = 0",
		 "2\n");
	store_exec(spec.file, "DELETE FROM notification_channels");
	update();
	wait_for("SELECT COALESCE(subject, 'none'), is_resolved FROM "
		 "error_logs ORDER BY 1",
		 "channel 1|1\nnone|0\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_trouble),
		TEST(test_what_ended_is_not_told),
		TEST(test_channel_deleted),
	};
	struct error err = ERROR_INIT;
	int failed;

	if (courier_global_init(&err) < 0)
		return 1;
	failed = cmocka_run_group_tests_name("notifier", tests, NULL, NULL);
	courier_global_exit();
	return failed;
}
