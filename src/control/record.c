/* What became of it: the daemon's own rows in the control tables. */
#include "control/control.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/version.h"
#include "control/session.h"
#include "control_sql.h" /* made by the build from control/sql/ */

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

int control_save_run(struct control *control, const struct control_run *run,
		     struct error *err)
{
	char started[CLOCK_TEXT_MAX], updated[CLOCK_TEXT_MAX],
		completed[CLOCK_TEXT_MAX];
	struct session_param begin[] = {
		param_text("@run_id", run->id),
		param_int("@mapping_id", run->mapping_id),
		param_text("@sync_type", run->sync_type),
		param_time("@started_at", run->started_us, started),
	};
	struct session_param update[] = {
		param_text("@run_id", run->id),
		param_text("@status", run->status),
		param_int("@records_processed", run->processed),
		param_int("@records_failed", run->failed),
		param_int_or_null("@records_total", run->total),
		param_int("@rows_per_second",
			  (int64_t)llround(run->rows_per_second * 1000)),
		param_text("@last_processed_pk", run->last_key),
		param_text("@error_message", run->error),
		param_time("@updated_at", run->updated_us, updated),
		param_time("@completed_at", run->completed_us, completed),
	};

	if (session_exec(control->session, sql_begin_run, begin, COUNT(begin),
			 err) < 0)
		return -1;
	return session_exec(control->session, sql_update_run, update,
			    COUNT(update), err);
}

int control_end_stale_runs(struct control *control, const char *daemon,
			   int mapping_id, struct error *err)
{
	char now[CLOCK_TEXT_MAX];
	struct session_param params[] = {
		param_int("@mapping_id", mapping_id),
		param_text("@daemon", daemon),
		param_time("@now", clock_utc_us(), now),
	};

	return session_exec(control->session, sql_end_stale_runs, params,
			    COUNT(params), err);
}

int control_add_log(struct control *control, const struct control_log *log,
		    struct error *err)
{
	char created[CLOCK_TEXT_MAX];
	struct session_param params[] = {
		param_int("@mapping_id", log->mapping_id),
		param_text("@log_level", log_level_name(log->level)),
		param_text("@log_message", log->message),
		param_text("@sync_type", log->sync_type),
		param_int("@records_count", log->records),
		param_int("@execution_time_ms", log->duration_ms > INT32_MAX
							? INT32_MAX
							: log->duration_ms),
		param_time("@created_at", log->created_us, created),
	};

	if (log->records < 0)
		params[4] = param_null("@records_count");
	if (log->duration_ms < 0)
		params[5] = param_null("@execution_time_ms");
	return session_exec(control->session, sql_insert_log, params,
			    COUNT(params), err);
}

static int resolve(struct control *control, int mapping_id, int server_id,
		   const char *subject, const char *except_type,
		   struct error *err)
{
	char now[CLOCK_TEXT_MAX];
	struct session_param params[] = {
		param_int_or_null("@mapping_id", mapping_id),
		param_int_or_null("@server_id", server_id),
		param_text("@subject", subject),
		param_text("@except_type", except_type),
		param_time("@resolved_at", clock_utc_us(), now),
	};

	return session_exec(control->session, sql_resolve_errors, params,
			    COUNT(params), err);
}

bool control_error_is_in(const struct control_error *error, const char *scope)
{
	return error->details && strstr(error->details, scope);
}

int control_save_error(struct control *control,
		       const struct control_error *error, struct error *err)
{
	char created[CLOCK_TEXT_MAX];
	struct session_param params[] = {
		param_int_or_null("@mapping_id", error->mapping_id),
		param_int_or_null("@server_id", error->server_id),
		param_text("@error_type", error->type),
		param_text("@error_message", error->message),
		param_text("@error_details", error->details),
		param_int("@retry_count", error->retry_count),
		param_text("@subject", error->subject),
		param_time("@created_at", error->created_us, created),
	};

	if ((strcmp(error->type, CONTROL_VERIFICATION) &&
	     resolve(control, error->mapping_id, error->server_id,
		     error->subject, error->type, err) < 0) ||
	    session_exec(control->session, sql_update_error, params,
			 COUNT(params) - 1, err) < 0)
		return -1;
	return session_exec(control->session, sql_open_error, params,
			    COUNT(params), err);
}

int control_resolve_errors(struct control *control, int mapping_id,
			   int server_id, struct error *err)
{
	return resolve(control, mapping_id, server_id, NULL, NULL, err);
}

int control_resolve_subject(struct control *control, const char *subject,
			    struct error *err)
{
	return resolve(control, 0, 0, subject, NULL, err);
}

int control_resolve_verification(struct control *control, int mapping_id,
				 bool whole, struct error *err)
{
	char now[CLOCK_TEXT_MAX];
	struct session_param params[] = {
		param_int("@mapping_id", mapping_id),
		param_time("@resolved_at", clock_utc_us(), now),
		param_int("@is_whole", whole),
	};

	return session_exec(control->session, sql_resolve_verification, params,
			    COUNT(params), err);
}

int control_add_verification(struct control *control,
			     const struct control_verification *row,
			     struct error *err)
{
	char verified[CLOCK_TEXT_MAX];
	struct session_param params[] = {
		param_int("@mapping_id", row->mapping_id),
		param_text("@verification_type", row->type),
		param_text("@source_md5", row->source_md5),
		param_text("@dest_md5", row->dest_md5),
		param_int("@source_row_count", row->source_rows),
		param_int("@dest_row_count", row->dest_rows),
		param_int("@records_compared", row->compared),
		param_int("@mismatches_found", row->mismatches),
		param_text("@verification_status", row->status),
		param_text("@verification_details", row->details),
		param_time("@verified_at", row->verified_us, verified),
	};

	return session_exec(control->session, sql_insert_verification, params,
			    COUNT(params), err);
}

int control_save_progress(struct control *control,
			  const struct control_progress *progress,
			  struct error *err)
{
	char updated[CLOCK_TEXT_MAX], tail[CLOCK_TEXT_MAX],
		whole[CLOCK_TEXT_MAX];
	struct session_param insert[] = {
		param_int("@mapping_id", progress->mapping_id),
		param_time("@updated_at", clock_utc_us(), updated),
	};
	struct session_param update[] = {
		param_int("@mapping_id", progress->mapping_id),
		param_text("@progress", progress->progress),
		param_time("@last_tail_at", progress->last_tail_us, tail),
		param_time("@last_whole_at", progress->last_whole_us, whole),
		param_time("@updated_at", clock_utc_us(), updated),
	};

	if (session_exec(control->session, sql_insert_progress, insert,
			 COUNT(insert), err) < 0)
		return -1;
	return session_exec(control->session, sql_update_progress, update,
			    COUNT(update), err);
}

int control_save_state(struct control *control,
		       const struct control_state *state, struct error *err)
{
	char next[CLOCK_TEXT_MAX], updated[CLOCK_TEXT_MAX];
	char current[CLOCK_TEXT_MAX];
	struct session_param insert[] = {
		param_int("@mapping_id", state->mapping_id),
		param_text("@state", state->state),
		param_time("@updated_at", state->updated_us, updated),
	};
	struct session_param update[] = {
		param_int("@mapping_id", state->mapping_id),
		param_text("@state", state->state),
		param_text("@reason", state->reason),
		param_int("@lag_ms", state->lag_ms),
		param_int("@is_consistent", state->consistent),
		param_text("@position", state->position),
		param_int("@rows_applied", state->rows_applied),
		param_time("@next_attempt_at", state->next_attempt_us, next),
		param_text("@daemon", state->daemon),
		param_time("@updated_at", state->updated_us, updated),
		param_time("@current_at", state->current_us, current),
	};

	if (state->lag_ms < 0)
		update[3].null = true;
	if (session_exec(control->session, sql_insert_state, insert,
			 COUNT(insert), err) < 0)
		return -1;
	return session_exec(control->session, sql_update_state, update,
			    COUNT(update), err);
}

int control_mirror_position(struct control *control, int mapping_id,
			    const void *bytes, size_t len, struct error *err)
{
	struct session_param params[] = {
		param_int("@mapping_id", mapping_id),
		param_bytes("@last_cdc_lsn", bytes, len),
	};

	if (len != 10)
		return 0;
	return session_exec(control->session, sql_mirror_position, params,
			    COUNT(params), err);
}

int control_mirror_full_sync(struct control *control, int mapping_id,
			     int64_t at_us, struct error *err)
{
	char at[CLOCK_TEXT_MAX];
	struct session_param params[] = {
		param_int("@mapping_id", mapping_id),
		param_time("@last_full_sync_at", at_us, at),
	};

	return session_exec(control->session, sql_mirror_full_sync, params,
			    COUNT(params), err);
}

int control_mark_connected(struct control *control, bool is_target,
			   int server_id, struct error *err)
{
	char now[CLOCK_TEXT_MAX];
	struct session_param params[] = {
		param_int("@server_id", server_id),
		param_time("@now", clock_utc_us(), now),
	};

	return session_exec(control->session,
			    is_target ? sql_target_connected
				      : sql_source_connected,
			    params, COUNT(params), err);
}

int control_answer_request(struct control *control, int request_id,
			   const char *state, const char *answer,
			   struct error *err)
{
	char started[CLOCK_TEXT_MAX], completed[CLOCK_TEXT_MAX];
	int64_t now = clock_utc_us();
	bool running = !strcmp(state, "RUNNING");
	struct session_param params[] = {
		param_int("@request_id", request_id),
		param_text("@state", state),
		param_text("@answer", answer),
		param_time("@started_at", now, started),
		param_time("@completed_at", running ? 0 : now, completed),
	};

	return session_exec(control->session, sql_answer_request, params,
			    COUNT(params), err);
}

int control_set_paused(struct control *control, int mapping_id, bool paused,
		       struct error *err)
{
	struct session_param params[] = {
		param_int("@mapping_id", mapping_id),
		param_int("@is_paused", paused),
	};

	return session_exec(control->session, sql_set_paused, params,
			    COUNT(params), err);
}

int control_suspend(struct control *control, int mapping_id, const char *reason,
		    struct error *err)
{
	struct session_param params[] = {
		param_int("@mapping_id", mapping_id),
		param_text("@suspended_reason", reason),
	};

	return session_exec(control->session, sql_set_suspended, params,
			    COUNT(params), err);
}

int control_switch_off(struct control *control, int mapping_id,
		       struct error *err)
{
	struct session_param params[] = {
		param_int("@mapping_id", mapping_id),
	};

	return session_exec(control->session, sql_switch_off, params,
			    COUNT(params), err);
}

int control_save_exception(struct control *control,
			   const struct control_exception *row,
			   struct error *err)
{
	char created[CLOCK_TEXT_MAX], mirrored[CLOCK_TEXT_MAX];
	struct session_param update[] = {
		param_text("@exception_id", row->id),
		param_time("@mirrored_at", row->mirrored_us, mirrored),
	};
	struct session_param insert[] = {
		param_text("@exception_id", row->id),
		param_int("@mapping_id", row->mapping_id),
		param_text("@operation", row->operation),
		param_text("@row_key", row->key),
		param_text("@position", row->position),
		param_int_or_null("@error_number", row->number),
		param_text("@reason", row->reason),
		param_time("@created_at", row->created_us, created),
		param_time("@mirrored_at", row->mirrored_us, mirrored),
	};

	if (session_exec(control->session, sql_update_exception, update,
			 COUNT(update), err) < 0)
		return -1;
	return session_exec(control->session, sql_insert_exception, insert,
			    COUNT(insert), err);
}

int control_settle_exceptions(struct control *control, int mapping_id,
			      int64_t mirrored_us, struct error *err)
{
	char mirrored[CLOCK_TEXT_MAX], resolved[CLOCK_TEXT_MAX];
	struct session_param params[] = {
		param_int("@mapping_id", mapping_id),
		param_time("@mirrored_at", mirrored_us, mirrored),
		param_time("@resolved_at", clock_utc_us(), resolved),
	};

	return session_exec(control->session, sql_settle_exceptions, params,
			    COUNT(params), err);
}

int control_mark_channel(struct control *control, int channel_id,
			 const char *error, struct error *err)
{
	struct session_param params[] = {
		param_int("@channel_id", channel_id),
		param_null("@last_success_at"),
		param_text("@last_error", error),
	};

	return session_exec(control->session, sql_update_channel, params,
			    COUNT(params), err);
}

int control_add_notification(struct control *control,
			     const struct control_notification *row,
			     struct error *err)
{
	char created[CLOCK_TEXT_MAX], success[CLOCK_TEXT_MAX];
	struct session_param params[] = {
		param_text("@message_id", row->message_id),
		param_int("@channel_id", row->channel_id),
		param_text("@channel_name", row->channel_name),
		param_text("@event", row->event),
		param_int_or_null("@mapping_id", row->mapping_id),
		param_int("@notice_count", row->notice_count),
		param_text("@summary", row->summary),
		param_text("@notices", row->notices),
		param_text("@state", row->sent ? "SENT" : "FAILED"),
		param_int("@attempts", row->attempts),
		param_text("@error_message", row->error),
		param_text("@daemon", row->daemon),
		param_time("@created_at", row->created_us, created),
	};
	struct session_param update[] = {
		param_int("@channel_id", row->channel_id),
		param_time("@last_success_at", row->sent ? row->created_us : 0,
			   success),
		param_text("@last_error", row->error),
	};

	if (session_exec(control->session, sql_insert_notification, params,
			 COUNT(params), err) < 0)
		return -1;
	return session_exec(control->session, sql_update_channel, update,
			    COUNT(update), err);
}

int control_resolve_gone_channels(struct control *control, struct error *err)
{
	char now[CLOCK_TEXT_MAX];
	struct session_param param =
		param_time("@resolved_at", clock_utc_us(), now);

	return session_exec(control->session, sql_resolve_gone_channels, &param,
			    1, err);
}

int control_resolve_gone(struct control *control, struct error *err)
{
	char now[CLOCK_TEXT_MAX];
	struct session_param param =
		param_time("@resolved_at", clock_utc_us(), now);

	if (session_exec(control->session, sql_resolve_gone_mappings, &param, 1,
			 err) < 0)
		return -1;
	return session_exec(control->session, sql_resolve_gone_servers, &param,
			    1, err);
}

int control_heartbeat(struct control *control, const char *daemon, bool stopped,
		      struct error *err)
{
	char now[CLOCK_TEXT_MAX], stop[CLOCK_TEXT_MAX];
	int64_t now_us = clock_utc_us();
	struct session_param params[] = {
		param_text("@daemon", daemon),
		param_time("@now", now_us, now),
		param_text("@version", DATAFLOW_VERSION),
		param_time("@stopped_at", stopped ? now_us : 0, stop),
	};

	if (session_exec(control->session, sql_insert_daemon, params, 3, err) <
	    0)
		return -1;
	params[2] = params[3];
	return session_exec(control->session, sql_update_daemon, params, 3,
			    err);
}

int control_purge(struct control *control, int64_t before_us, struct error *err)
{
	static const char *const statements[] = {
		sql_purge_logs,	      sql_purge_runs,
		sql_purge_errors,     sql_purge_verifications,
		sql_purge_requests,   sql_purge_daemons,
		sql_purge_exceptions, sql_purge_notifications,
	};
	char before[CLOCK_TEXT_MAX];
	struct session_param param = param_time("@before", before_us, before);

	for (size_t i = 0; i < COUNT(statements); i++)
		if (session_exec(control->session, statements[i], &param, 1,
				 err) < 0)
			return -1;
	return 0;
}
