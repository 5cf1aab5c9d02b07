/* What metrics, status and probes make of an overview. */
#include "unit/helper.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "monitor/metrics.h"
#include "monitor/status.h"
#include "unit/rows.h"

#define NASTY "a\"b\\c\nd<script>&é"

static struct overview_mapping mappings[2];
static struct overview_error errors[1];

/* One that has everything, and one that has nothing yet. */
static struct overview example(void)
{
	struct overview now = {
		.daemon = "host:1",
		.taken_us = 1700000002000000,
		.started_us = 1700000000500000,
		.control_readable = true,
		.control_read_us = 1700000001000000,
		.waiting = 3,
		.dropped = 4,
		.connections_max = 48,
		.connections_reserved = 6,
		.connections_taken = 5,
		.connections_idle = 2,
		.memory_size = 200,
		.memory_used = 150,
		.memory_wanted = 60,
		.errors = {0, 7, 0, 0, 1},
		.mappings = mappings,
		.mapping_count = 2,
		.recent = errors,
		.recent_count = 1,
	};

	mappings[0] = (struct overview_mapping){
		.id = 1,
		.server = NASTY,
		.source = "db.dbo.t",
		.dest = "db2.dbo.t",
		.state = "CDC",
		.reason = NASTY,
		.health = OVERVIEW_MISMATCH,
		.lag_s = 1.25,
		.consistent = true,
		.rows = 9007199254740993, /* more than a double can tell */
		.bytes = 12345,
		.last_success_us = 1700000001500000,
		.run = {"FULL_SYNC", 25, 200, 50, 1700000000000000},
		.errors = {1, 2, 3, 4, 5},
		.verifications = {10, 2, 1},
		.verification = {"TAIL", "FAILED", 100, 7, 1700000001000000},
		.lags = {0.5F, -1, 1.25F},
		.lag_count = 3,
	};
	mappings[1] = (struct overview_mapping){
		.id = 2,
		.server = "",
		.source = "x",
		.dest = "y",
		.state = "STARTING",
		.reason = "",
		.health = OVERVIEW_LOADING,
		.lag_s = -1,
	};
	errors[0] = (struct overview_error){
		.mapping_id = 1,
		.type = "SYNC",
		.message = NASTY,
		.first_us = 1700000000000000,
		.last_us = 1700000001000000,
		.count = 3,
	};
	return now;
}

static void test_label(void **state)
{
	struct strbuf sb;

	(void)state;
	strbuf_init(&sb);
	metrics_write_label(&sb, NASTY);
	assert_string_equal(sb.data, "a\\\"b\\\\c\\nd<script>&é");
	strbuf_release(&sb);
}

#define FIRST                                                                  \
	"{mapping_id=\"1\",server=\"a\\\"b\\\\c\\nd<script>&é\",source=\"db." \
	"dbo.t\",destination=\"db2.dbo.t\""
#define SECOND "{mapping_id=\"2\",server=\"\",source=\"x\",destination=\"y\""

static void test_samples(void **state)
{
	static const char *const lines[] = {
		"dataflow_up 1",
		"dataflow_start_timestamp_seconds 1700000000.500",
		"dataflow_mappings 2",
		"dataflow_control_store_up{access=\"read\"} 1",
		"dataflow_control_store_up{access=\"write\"} 0",
		"dataflow_outbox_rows 3",
		"dataflow_outbox_dropped_rows_total 4",
		"dataflow_connections_limit 48",
		"dataflow_connections_reserved 6",
		"dataflow_connections_in_use 5",
		"dataflow_connections_idle 2",
		"dataflow_memory_budget_bytes 200",
		"dataflow_memory_reserved_bytes 150",
		"dataflow_memory_wanted_bytes 60",
		"dataflow_errors_total{type=\"SYNC\"} 7",
		"dataflow_errors_total{type=\"OTHER\"} 1",
		"dataflow_mapping_state" FIRST ",state=\"CDC\"} 1",
		"dataflow_mapping_health" FIRST ",health=\"MISMATCH\"} 1",
		"dataflow_mapping_health" SECOND ",health=\"LOADING\"} 1",
		"dataflow_mapping_lag_seconds" FIRST "} 1.250",
		"dataflow_mapping_consistent" FIRST "} 1",
		"dataflow_mapping_consistent" SECOND "} 0",
		"dataflow_mapping_bytes_applied_total" FIRST "} 12345",
		"dataflow_mapping_rows_applied_total" SECOND "} 0",
		"dataflow_mapping_last_success_timestamp_seconds" FIRST
		"} 1700000001.500",
		"dataflow_mapping_run_rows" FIRST "} 25",
		"dataflow_mapping_run_expected_rows" FIRST "} 200",
		"dataflow_mapping_errors_total" FIRST ",type=\"SCHEMA\"} 3",
		"dataflow_mapping_verifications_total" FIRST
		",result=\"FAILED\"} 2",
		"dataflow_mapping_verification_mismatches" FIRST "} 7",
		"dataflow_mapping_verification_timestamp_seconds" FIRST
		"} 1700000001.000",
	};
	struct overview now = example();
	struct strbuf sb;

	(void)state;
	strbuf_init(&sb);
	metrics_write(&sb, &now);
	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		struct strbuf line;

		strbuf_init(&line);
		strbuf_addf(&line, "\n%s\n", lines[i]);
		assert_holds(sb.data, line.data);
		strbuf_release(&line);
	}
	/* What is not known is not there. */
	assert_lacks(sb.data, "dataflow_mapping_lag_seconds" SECOND);
	assert_lacks(sb.data, "dataflow_mapping_run_rows" SECOND);
	assert_lacks(sb.data, "_success_timestamp_seconds" SECOND);
	assert_lacks(sb.data,
		     "dataflow_mapping_verification_mismatches" SECOND);
	strbuf_release(&sb);
}

/* Before there is anything to look at. */
static void test_nothing_yet(void **state)
{
	struct overview now;
	struct strbuf sb;
	json_t *root;

	(void)state;
	overview_init(&now, 0);
	now.not_ready = "why \"not\"";
	strbuf_init(&sb);
	metrics_write(&sb, &now);
	assert_holds(sb.data, "\ndataflow_up 0\n");
	assert_lacks(sb.data, "dataflow_control_store_read_timestamp");
	strbuf_reset(&sb);
	status_write(&sb, &now);
	root = json_loads(sb.data, 0, NULL);
	assert_non_null(root);
	assert_string_equal(
		json_string_value(json_object_get(
			json_object_get(root, "daemon"), "not_ready")),
		"why \"not\"");
	json_decref(root);
	overview_release(&now);
	strbuf_release(&sb);
}

static void test_status(void **state)
{
	struct overview now = example();
	const char *server, *reason, *message;
	json_int_t rows, left;
	double percent, lags[2];
	json_t *root, *gap;
	struct strbuf sb;

	(void)state;
	strbuf_init(&sb);
	status_write(&sb, &now);
	root = json_loads(sb.data, 0, NULL);
	assert_non_null(root);
	assert_int_equal(
		json_unpack(root,
			    "{s:[{s:s, s:s, s:I, s:{s:F, s:I}, s:[F, o, F]}, "
			    "o], s:[{s:s}]}",
			    "mappings", "server", &server, "reason", &reason,
			    "rows_applied", &rows, "run", "percent", &percent,
			    "seconds_left", &left, "lag_history", &lags[0],
			    &gap, &lags[1], &(json_t *){NULL}, "recent_errors",
			    "message", &message),
		0);
	assert_string_equal(server, NASTY);
	assert_string_equal(reason, NASTY);
	assert_string_equal(message, NASTY);
	assert_true(rows == 9007199254740993);
	assert_true(percent == 12.5 && left == 3);
	assert_true(lags[0] == 0.5 && lags[1] == 1.25 && json_is_null(gap));
	assert_holds(sb.data,
		     "\"verified_at\":\"2023-11-14T22:13:21.000000Z\"");
	json_decref(root);
	strbuf_release(&sb);
}

/* A server's estimate may be anything. */
static void test_absurd_estimates(void **state)
{
	static const int64_t estimates[] = {INT64_MAX, INT64_MIN, -1, 0};
	struct overview now = example();

	(void)state;
	for (size_t i = 0; i < sizeof(estimates) / sizeof(*estimates); i++) {
		struct strbuf sb;
		json_t *root;

		now.mappings[0].run.expected = estimates[i];
		now.mappings[0].run.rows_per_second = 1e-9;
		strbuf_init(&sb);
		status_write(&sb, &now);
		root = json_loads(sb.data, 0, NULL);
		assert_non_null(root);
		assert_holds(sb.data, "\"seconds_left\":null");
		json_decref(root);
		strbuf_release(&sb);
	}
}

/* What is true of a mapping that has all of the view's words, but for those
 * of mappings that no living daemon works on. */
static struct overview_mapping afflicted(void)
{
	return (struct overview_mapping){
		.state = "FULL_SYNC",
		.reason = "the state's reason",
		.suspended = true,
		.paused = true,
		.error = "an error",
		.verification_error = "3 rows differ",
		.parked = 2,
		.behind_s = 61,
	};
}

static void assert_judged(struct overview *now, struct overview_mapping mapping,
			  const char *word, const char *reason)
{
	assert_int_equal(overview_judge(now, &mapping), 0);
	assert_string_equal(overview_health_name(mapping.health), word);
	assert_string_equal(mapping.reason, reason);
}

/* Of the words that apply the first is shown, as test_views.py has it. */
static void test_precedence(void **state)
{
	struct overview_mapping m = afflicted();
	struct overview now;

	(void)state;
	overview_init(&now, 0);
	now.lag_warning_s = 60;
	assert_judged(&now, m, "SUSPENDED",
		      "suspended; a RESUME request lets it go on");
	m.suspended = false;
	assert_judged(&now, m, "PAUSED",
		      "is_paused is 1; a RESUME request lets it go on");
	m.paused = false;
	assert_judged(&now, m, "LOADING", "the state's reason");
	m.state = "RETRYING";
	assert_judged(&now, m, "ERROR", "an error");
	m.error = NULL;
	assert_judged(&now, m, "RETRYING", "the state's reason");
	m.state = "STARTING";
	assert_judged(&now, m, "WAITING", "the state's reason");
	m.state = "CDC";
	assert_judged(&now, m, "MISMATCH", "3 rows differ");
	m.verification_error = NULL;
	assert_judged(&now, m, "MISMATCH",
		      "2 rows were put aside in apply_exceptions");
	m.parked = 0;
	assert_judged(&now, m, "LAGGING",
		      "61 seconds behind its source: the state's reason");
	m.behind_s = 59;
	assert_judged(&now, m, "HEALTHY", "the state's reason");
	overview_release(&now);
}

static void test_health_by_state(void **state)
{
	static const struct {
		const char *state, *word, *reason;
	} cases[] = {
		{"CDC", "HEALTHY", ""},
		{"IDLE", "HEALTHY", ""},
		{"STARTING", "WAITING", "it starts"},
		{"WAITING", "WAITING", "it starts"},
		{"STOPPED", "WAITING", "it starts"},
		{"FULL_SYNC", "LOADING", "a full sync is under way"},
		{"RETRYING", "RETRYING", ""},
		{"ERROR", "ERROR", ""},
		{"PAUSED", "PAUSED",
		 "is_paused is 1; a RESUME request lets it go on"},
		{"SUSPENDED", "SUSPENDED",
		 "suspended; a RESUME request lets it go on"},
		/* No reason to be content. */
		{"SOMETHING_NEW", "WAITING", "it starts"},
	};
	struct overview now;

	(void)state;
	overview_init(&now, 0);
	now.lag_warning_s = 60;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct overview_mapping mapping = {
			.state = cases[i].state,
			.reason = "",
			.behind_s = -1,
		};

		assert_judged(&now, mapping, cases[i].word, cases[i].reason);
	}
	overview_release(&now);
}

static void test_judging_without_memory(void **state)
{
	struct overview_mapping mapping = {
		.state = "CDC", .reason = "", .parked = 1};
	struct overview now;

	(void)state;
	overview_init(&now, 1);
	assert_int_equal(overview_judge(&now, &mapping), -1);
	overview_release(&now);
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < OVERVIEW_ERROR_TYPES; i++)
		assert_int_equal(overview_error_type(overview_error_name(i)),
				 i);
	assert_int_equal(overview_error_type("what"), OVERVIEW_OTHER);
	for (int i = 0; i < OVERVIEW_RESULTS; i++)
		assert_int_equal(overview_result(overview_result_name(i)), i);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_label),
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_nothing_yet),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_absurd_estimates),
		cmocka_unit_test(test_precedence),
		cmocka_unit_test(test_health_by_state),
		cmocka_unit_test(test_judging_without_memory),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
