#include "monitor/status.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/version.h"

#define LEFT_MAX_S 1e9

/* "2026-01-31T13:00:59.123456Z" */
static json_t *json_time(int64_t us)
{
	char text[CLOCK_TEXT_MAX];

	if (!us)
		return json_null();
	clock_format(text, us);
	return json_sprintf("%sZ", text);
}

static json_t *json_seconds(double s)
{
	return s < 0 ? json_null() : json_real(round(s * 1000) / 1000);
}

static json_t *json_text(const char *s)
{
	return s && *s ? json_string(s) : json_null();
}

/* What nobody would live to see is not known. */
static json_t *json_time_left(double rows, double rows_per_second)
{
	bool known = rows >= 0 && rows < rows_per_second * LEFT_MAX_S;

	return known ? json_integer((json_int_t)(rows / rows_per_second))
		     : json_null();
}

/* How many rows are expected is a server's estimate, and may be anything. */
static json_t *json_run(const struct overview_run *run)
{
	double left = (double)run->expected - (double)run->processed;
	bool known = run->expected > 0 && left >= 0;

	if (!run->sync_type)
		return json_null();
	return json_pack(
		"{s:s, s:I, s:o, s:I, s:o, s:o, s:o}", "sync_type",
		run->sync_type, "records_processed", (json_int_t)run->processed,
		"records_total",
		run->expected > 0 ? json_integer(run->expected) : json_null(),
		"rows_per_second", (json_int_t)run->rows_per_second, "percent",
		known ? json_real(round(1000.0 * (double)run->processed /
					(double)run->expected) /
				  10)
		      : json_null(),
		"seconds_left",
		json_time_left(run->expected > 0 ? left : -1,
			       run->rows_per_second),
		"started_at", json_time(run->started_us));
}

static json_t *json_verification(const struct overview_mapping *m)
{
	const struct overview_verification *last = &m->verification;
	json_t *counts = json_object();

	for (int i = 0; i < OVERVIEW_RESULTS; i++)
		counts =
			json_put(counts, overview_result_name(i),
				 json_integer((json_int_t)m->verifications[i]));
	if (!last->type)
		return json_pack("{s:n, s:o}", "status", "counts", counts);
	return json_pack("{s:s, s:s, s:I, s:I, s:o, s:o}", "status",
			 last->status, "verification_type", last->type,
			 "records_compared", (json_int_t)last->compared,
			 "mismatches_found", (json_int_t)last->mismatches,
			 "verified_at", json_time(last->at_us), "counts",
			 counts);
}

static json_t *json_errors(const uint64_t counts[OVERVIEW_ERROR_TYPES])
{
	json_t *out = json_object();

	for (int i = 0; i < OVERVIEW_ERROR_TYPES; i++)
		out = json_put(out, overview_error_name(i),
			       json_integer((json_int_t)counts[i]));
	return out;
}

static json_t *json_lags(const struct overview_mapping *m)
{
	json_t *out = json_array();

	for (size_t i = 0; i < m->lag_count; i++)
		out = json_append(out, json_seconds((double)m->lags[i]));
	return out;
}

static json_t *json_mapping(const struct overview_mapping *m)
{
	json_t *out = json_pack(
		"{s:i, s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:b}", "mapping_id",
		m->id, "server", json_text(m->server), "source",
		json_text(m->source), "destination", json_text(m->dest),
		"health", overview_health_name(m->health), "state", m->state,
		"reason", json_text(m->reason), "lag_seconds",
		json_seconds(m->lag_s), "consistent", m->consistent);
	json_t *more = json_pack(
		"{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "rows_applied",
		(json_int_t)m->rows, "bytes_applied", (json_int_t)m->bytes,
		"last_success_at", json_time(m->last_success_us),
		"next_attempt_at", json_time(m->next_attempt_us), "run",
		json_run(&m->run), "errors", json_errors(m->errors),
		"verification", json_verification(m), "lag_history",
		json_lags(m));

	if (json_object_update(out, more) < 0) {
		json_decref(out);
		out = NULL;
	}
	json_decref(more);
	return out;
}

static json_t *json_recent(const struct overview_error *error)
{
	return json_pack("{s:o, s:s, s:s, s:o, s:o, s:I, s:b}", "mapping_id",
			 error->mapping_id ? json_integer(error->mapping_id)
					   : json_null(),
			 "type", error->type, "message", error->message,
			 "created_at", json_time(error->first_us), "seen_at",
			 json_time(error->last_us), "count",
			 (json_int_t)error->count, "is_resolved",
			 error->resolved);
}

static json_t *json_daemon(const struct overview *now)
{
	return json_pack(
		"{s:o, s:s, s:o, s:b, s:o, s:{s:b, s:b, s:o}, s:I, s:I, "
		"s:{s:I, s:I, s:I, s:I}, s:o}",
		"name", json_text(now->daemon), "version", DATAFLOW_VERSION,
		"started_at", json_time(now->started_us), "ready",
		now->not_ready == NULL, "not_ready", json_text(now->not_ready),
		"control_store", "readable", now->control_readable, "writable",
		now->control_writable, "read_at",
		json_time(now->control_read_us), "outbox_rows",
		(json_int_t)now->waiting, "dropped_rows",
		(json_int_t)now->dropped, "connections", "limit",
		(json_int_t)now->connections_max, "reserved",
		(json_int_t)now->connections_reserved, "in_use",
		(json_int_t)now->connections_taken, "idle",
		(json_int_t)now->connections_idle, "errors",
		json_errors(now->errors));
}

void status_write(struct strbuf *sb, const struct overview *now)
{
	json_t *mappings = json_array(), *recent = json_array();
	json_t *root;
	char *text;

	for (size_t i = 0; i < now->mapping_count; i++)
		mappings =
			json_append(mappings, json_mapping(&now->mappings[i]));
	for (size_t i = 0; i < now->recent_count; i++)
		recent = json_append(recent, json_recent(&now->recent[i]));
	root = json_pack("{s:o, s:i, s:o, s:o, s:o}", "generated_at",
			 json_time(now->taken_us), "lag_history_seconds",
			 OVERVIEW_LAG_EVERY_MS / 1000, "daemon",
			 json_daemon(now), "mappings", mappings,
			 "recent_errors", recent);
	text = json_format(root, JSON_COMPACT);
	json_decref(root);
	if (text)
		strbuf_addstr(sb, text);
	else
		sb->failed = ERROR_MEMORY;
	free(text);
}
