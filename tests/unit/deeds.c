#include "unit/deeds.h"

#include <stdlib.h>
#include <string.h>

#include "unit/helper.h"
#include "unit/rows.h"
#include "unit/store.h"

#define DAEMON "elsewhere.invalid:1:a"
#define OTHER  "elsewhere.invalid:2:b"

void deeds_prepare(const char *file)
{
	store_exec(file,
		   "INSERT INTO notification_channels (channel_name, "
		   "channel_type, settings) VALUES ('c', 'webhook', "
		   "'url=http://127.0.0.1:9/');"
		   "INSERT INTO sync_requests (mapping_id, request_type) "
		   "VALUES (1, 'VERIFY');"
		   "INSERT INTO daemons (daemon, version, started_at, "
		   "heartbeat_at) VALUES ('" OTHER "', '1', '2020-01-01', "
		   "'2020-01-01')");
}

/* Was what was read all of it? */
static int expect(bool right, const char *what)
{
	if (!right)
		fail_msg("%s was not read as it is", what);
	return 0;
}

/* ------------------------------------------------------------------ written */

static int save_run(struct control *control, struct error *err)
{
	struct control_run run = {
		.id = "12345678-1234-1234-1234-123456789012",
		.mapping_id = 1,
		.sync_type = "CDC",
		.status = "RUNNING",
		.processed = 7,
		.started_us = 1,
		.updated_us = 2,
	};

	return control_save_run(control, &run, err);
}

static int end_stale_runs(struct control *control, struct error *err)
{
	return control_end_stale_runs(control, DAEMON, 1, err);
}

static int add_log(struct control *control, struct error *err)
{
	struct control_log log = {
		.mapping_id = 1,
		.level = LOG_INFO,
		.message = "said",
		.created_us = 1,
	};

	return control_add_log(control, &log, err);
}

static int save_error(struct control *control, struct error *err)
{
	struct control_error error = {
		.mapping_id = 1,
		.server_id = 1,
		.type = "SYNC",
		.message = "wrong",
		.details = "more",
		.created_us = 1,
	};

	return control_save_error(control, &error, err);
}

static int resolve_errors(struct control *control, struct error *err)
{
	return control_resolve_errors(control, 1, 0, err);
}

static int save_subject(struct control *control, struct error *err)
{
	struct control_error error = {
		.type = "OTHER",
		.message = "a channel",
		.subject = "channel 1",
		.created_us = 1,
	};

	return control_save_error(control, &error, err);
}

static int resolve_subject(struct control *control, struct error *err)
{
	return control_resolve_subject(control, "channel 1", err);
}

static int save_mismatch(struct control *control, struct error *err)
{
	struct control_error error = {
		.mapping_id = 1,
		.server_id = 1,
		.type = CONTROL_VERIFICATION,
		.message = "rows differ",
		.details = "{" CONTROL_SCOPE_TAIL "}",
		.created_us = 1,
	};

	return control_save_error(control, &error, err);
}

static int resolve_verification(struct control *control, struct error *err)
{
	return control_resolve_verification(control, 1, false, err);
}

static int save_state(struct control *control, struct error *err)
{
	struct control_state state = {
		.mapping_id = 1,
		.state = "CDC",
		.lag_ms = 5,
		.daemon = DAEMON,
		.updated_us = 1,
	};

	return control_save_state(control, &state, err);
}

static int add_verification(struct control *control, struct error *err)
{
	struct control_verification row = {
		.mapping_id = 1,
		.type = "TAIL",
		.source_md5 = "a",
		.dest_md5 = "b",
		.compared = 3,
		.status = "PASSED",
		.details = "{}",
		.verified_us = 1,
	};

	return control_add_verification(control, &row, err);
}

static int save_progress(struct control *control, struct error *err)
{
	struct control_progress progress = {
		.mapping_id = 1,
		.progress = "{\"far\": 1}",
		.last_tail_us = 1,
	};

	return control_save_progress(control, &progress, err);
}

static int mirror_position(struct control *control, struct error *err)
{
	return control_mirror_position(control, 1, "0123456789", 10, err);
}

static int mirror_full_sync(struct control *control, struct error *err)
{
	return control_mirror_full_sync(control, 1, 1000000, err);
}

static int mark_source(struct control *control, struct error *err)
{
	return control_mark_connected(control, false, 1, err);
}

static int mark_target(struct control *control, struct error *err)
{
	return control_mark_connected(control, true, 1, err);
}

static int answer_request(struct control *control, struct error *err)
{
	return control_answer_request(control, 1, "COMPLETED", "done", err);
}

static int set_paused(struct control *control, struct error *err)
{
	return control_set_paused(control, 1, true, err);
}

static int suspend(struct control *control, struct error *err)
{
	return control_suspend(control, 1, "too much", err);
}

static int resume(struct control *control, struct error *err)
{
	return control_set_paused(control, 1, false, err);
}

static int switch_off(struct control *control, struct error *err)
{
	return control_switch_off(control, 1, err);
}

static int save_exception(struct control *control, struct error *err)
{
	struct control_exception row = {
		.mapping_id = 1,
		.id = "one",
		.operation = "UPSERT",
		.key = "1",
		.position = "0x01",
		.reason = "refused",
		.created_us = 1,
		.mirrored_us = 2,
	};

	return control_save_exception(control, &row, err);
}

static int settle_exceptions(struct control *control, struct error *err)
{
	return control_settle_exceptions(control, 1, 3000000, err);
}

static int add_notification(struct control *control, struct error *err)
{
	struct control_notification row = {
		.message_id = "m",
		.channel_id = 1,
		.channel_name = "c",
		.event = "FAILURE",
		.notice_count = 1,
		.summary = "s",
		.notices = "[]",
		.sent = true,
		.attempts = 1,
		.daemon = DAEMON,
		.created_us = 1000000,
	};

	return control_add_notification(control, &row, err);
}

static int mark_channel(struct control *control, struct error *err)
{
	return control_mark_channel(control, 1, "broken", err);
}

static int resolve_gone_channels(struct control *control, struct error *err)
{
	return control_resolve_gone_channels(control, err);
}

static int resolve_gone(struct control *control, struct error *err)
{
	return control_resolve_gone(control, err);
}

static int heartbeat(struct control *control, struct error *err)
{
	return control_heartbeat(control, DAEMON, false, err);
}

static int claim_leases(struct control *control, struct error *err)
{
	return control_claim_leases(control, DAEMON, err);
}

static int raise_lease(struct control *control, struct error *err)
{
	return control_raise_lease(control, DAEMON, 1, 1, 7, err);
}

static int take_leases(struct control *control, struct error *err)
{
	struct control_holders holders;
	int ret;

	if (control_read_holders(control, OTHER, &holders, err) < 0)
		return -1;
	ret = holders.count ? control_take_leases(control, OTHER,
						  &holders.holders[0], err)
			    : 0;
	control_holders_release(&holders);
	return ret;
}

static int order(struct control *control, struct error *err)
{
	struct control_order row = {
		.mapping_id = 1,
		.type = "REPAIR",
		.scope = "WHOLE",
		.by = "me",
	};

	if (control_order(control, &row, err) < 0)
		return -1;
	return expect(row.id > 1, "the order's number");
}

static int purge(struct control *control, struct error *err)
{
	return control_purge(control, INT64_C(4000000000000000), err);
}

/* --------------------------------------------------------------------- read */

static bool same(const char *text, const char *want)
{
	return text && !strcmp(text, want);
}

static int load(struct control *control, struct error *err)
{
	struct control_snapshot s;

	if (control_load(control, &s, err) < 0)
		return -1;
	expect(s.source_count == 1 && same(s.sources[0].name, "src") &&
		       same(s.sources[0].connection_string, "name=s") &&
		       s.target_count == 1 &&
		       same(s.targets[0].type, "memory") &&
		       s.mapping_count == 1 &&
		       same(s.mappings[0].source_table, "t") &&
		       s.request_count >= 1 &&
		       same(s.requests[0].type, "VERIFY") &&
		       s.setting_count > 10 && s.settings[9].key &&
		       s.settings[9].value && s.channel_count == 1 &&
		       same(s.channels[0].settings, "url=http://127.0.0.1:9/"),
	       "the control tables");
	control_snapshot_release(&s);
	return 0;
}

static int read_told(struct control *control, struct error *err)
{
	struct control_told_list list;

	if (control_read_told(control, 0, 1, &list, err) < 0)
		return -1;
	expect(list.count >= 1 && same(list.rows[0].notices, "[]"),
	       "what was told");
	control_told_release(&list);
	return 0;
}

static int report(struct control *control, struct error *err)
{
	struct control_report out;

	if (control_report(control, &out, err) < 0)
		return -1;
	expect(out.mapping_count == 1 && same(out.mappings[0].state, "CDC") &&
		       same(out.daemon, DAEMON),
	       "the report");
	control_report_release(&out);
	return 0;
}

static int list_orders(struct control *control, struct error *err)
{
	struct control_orders out;

	if (control_list_orders(control, 1, 1, 10, &out, err) < 0)
		return -1;
	expect(out.count == 1 && same(out.orders[0].type, "VERIFY"),
	       "the orders");
	control_orders_release(&out);
	return 0;
}

static int list_logs(struct control *control, struct error *err)
{
	struct control_lines out;

	if (control_list_logs(control, 0, 0, 10, &out, err) < 0)
		return -1;
	expect(out.count >= 1 && same(out.lines[0].message, "said"), "the log");
	control_lines_release(&out);
	return 0;
}

static int list_errors(struct control *control, struct error *err)
{
	struct control_lines out;

	if (control_list_errors(control, 1, 0, 0, 10, &out, err) < 0)
		return -1;
	expect(out.count >= 1 && same(out.lines[0].message, "wrong"),
	       "the errors");
	control_lines_release(&out);
	return 0;
}

static int read_leases(struct control *control, struct error *err)
{
	struct control_lease *leases;
	size_t count;

	if (control_read_leases(control, DAEMON, &leases, &count, err) < 0)
		return -1;
	expect(count == 1 && leases[0].mapping_id == 1 && leases[0].epoch >= 1,
	       "the leases");
	free(leases);
	return 0;
}

static int check_rights(struct control *control, struct error *err)
{
	return control_check_rights(control, err);
}

const struct deed deeds[] = {
	{"load", load, NULL, NULL},
	{"heartbeat", heartbeat, "SELECT COUNT(*) FROM daemons", "2\n"},
	{"claim_leases", claim_leases, "SELECT daemon FROM mapping_leases",
	 DAEMON "\n"},
	{"read_leases", read_leases, NULL, NULL},
	{"save_run", save_run,
	 "SELECT records_processed, status FROM sync_status", "7|RUNNING\n"},
	{"end_stale_runs", end_stale_runs, "SELECT status FROM sync_status",
	 "ERROR\n"},
	{"add_log", add_log, "SELECT DISTINCT log_message FROM sync_logs",
	 "said\n"},
	{"list_logs", list_logs, NULL, NULL},
	{"save_error", save_error,
	 "SELECT error_message, error_details, is_resolved FROM error_logs "
	 "WHERE error_type = 'SYNC' ORDER BY error_id DESC LIMIT 1",
	 "wrong|more|0\n"},
	{"list_errors", list_errors, NULL, NULL},
	{"resolve_errors", resolve_errors,
	 "SELECT COUNT(*) FROM error_logs WHERE is_resolved = 0", "0\n"},
	{"save_subject", save_subject,
	 "SELECT COUNT(*) FROM error_logs WHERE is_resolved = 0", "1\n"},
	{"resolve_subject", resolve_subject,
	 "SELECT COUNT(*) FROM error_logs WHERE is_resolved = 0", "0\n"},
	{"save_mismatch", save_mismatch,
	 "SELECT COUNT(*) FROM error_logs WHERE is_resolved = 0", "1\n"},
	{"resolve_verification", resolve_verification,
	 "SELECT COUNT(*) FROM error_logs WHERE is_resolved = 0", "0\n"},
	{"save_state", save_state,
	 "SELECT state, lag_seconds FROM mapping_state", "CDC|0.005\n"},
	{"report", report, NULL, NULL},
	{"add_verification", add_verification,
	 "SELECT DISTINCT verification_status FROM verification_logs",
	 "PASSED\n"},
	{"save_progress", save_progress,
	 "SELECT progress FROM verification_progress", "{\"far\": 1}\n"},
	{"mirror_position", mirror_position,
	 "SELECT CAST(last_cdc_lsn AS TEXT) FROM table_mappings",
	 "0123456789\n"},
	{"mirror_full_sync", mirror_full_sync,
	 "SELECT last_full_sync_at IS NOT NULL FROM table_mappings", "1\n"},
	{"mark_source", mark_source,
	 "SELECT last_connected_at IS NOT NULL FROM source_servers", "1\n"},
	{"mark_target", mark_target,
	 "SELECT last_connected_at IS NOT NULL FROM target_servers", "1\n"},
	{"list_orders", list_orders, NULL, NULL},
	{"answer_request", answer_request,
	 "SELECT state, answer FROM sync_requests WHERE request_id = 1",
	 "COMPLETED|done\n"},
	{"order", order,
	 "SELECT DISTINCT request_type, scope FROM sync_requests "
	 "WHERE requested_by = 'me'",
	 "REPAIR|WHOLE\n"},
	{"set_paused", set_paused, "SELECT is_paused FROM table_mappings",
	 "1\n"},
	{"suspend", suspend,
	 "SELECT is_suspended, suspended_reason FROM table_mappings",
	 "1|too much\n"},
	{"resume", resume, "SELECT is_paused, is_suspended FROM table_mappings",
	 "0|0\n"},
	{"switch_off", switch_off, "SELECT is_enabled FROM table_mappings",
	 "0\n"},
	{"save_exception", save_exception,
	 "SELECT row_key, is_resolved FROM apply_exceptions", "1|0\n"},
	{"settle_exceptions", settle_exceptions,
	 "SELECT row_key, is_resolved FROM apply_exceptions", "1|1\n"},
	{"add_notification", add_notification,
	 "SELECT DISTINCT summary, state, last_error FROM notifications, "
	 "notification_channels",
	 "s|SENT|NULL\n"},
	{"read_told", read_told, NULL, NULL},
	{"mark_channel", mark_channel,
	 "SELECT last_error FROM notification_channels", "broken\n"},
	{"resolve_gone_channels", resolve_gone_channels, NULL, NULL},
	{"resolve_gone", resolve_gone, NULL, NULL},
	{"raise_lease", raise_lease, "SELECT epoch FROM mapping_leases", "7\n"},
	{"take_leases", take_leases, "SELECT daemon FROM mapping_leases",
	 OTHER "\n"},
	{"check_rights", check_rights, NULL, NULL},
	{"purge", purge,
	 "SELECT COUNT(*) FROM sync_logs UNION ALL "
	 "SELECT COUNT(*) FROM verification_logs",
	 "0\n0\n"},
};

const size_t deed_count = COUNT_OF(deeds);
