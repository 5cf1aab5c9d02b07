#ifndef ENGINE_REPORTER_H
#define ENGINE_REPORTER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/log.h"
#include "control/control.h"
#include "monitor/overview.h"
#include "row/position.h"

/*
 * Everything that is written into the control tables goes through one thread
 * with one connection, so that no worker ever waits for them. Rows wait in a
 * bounded line while the control store is away; when the line is full, the
 * oldest log rows go first, and how many is told. What changes all the time
 * (states, running counters) is not put in the line: the reporter collects the
 * latest once a second.
 *
 * Any thread may call any function; none waits for the control store.
 */
struct reporter;

int reporter_start(struct reporter **out, const struct control_spec *spec,
		   const char *daemon, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Write what is waiting, for at most `ms`, then end, which may take a second
 * more. What is reported later goes nowhere. False when its thread hangs in a
 * login: then it must not be freed. Otherwise free it when nobody can report
 * any more.
 */
bool reporter_stop(struct reporter *reporter, int64_t ms);
void reporter_free(struct reporter *reporter);

/*
 * What is reported is also told to people, by `notifier`. Before anything is
 * reported; the notifier is stopped first and freed when nobody reports.
 */
struct notifier;
void reporter_set_notifier(struct reporter *reporter,
			   struct notifier *notifier);

/* For how long finished rows are kept, and others wait for our heartbeat. */
void reporter_set_limits(struct reporter *reporter, int retention_days,
			 int lease_s);

/* ----------------------------------------------------- what a mapping does */

#define REPORT_REASON_MAX 512
#define REPORT_KEY_MAX	  500

/*
 * The latest about one mapping. Its worker sets it, the reporter reads it; the
 * lock inside guards it.
 */
struct report_subject;

/* Also ends the runs of the mapping that a killed daemon left. */
struct report_subject *reporter_add_subject(struct reporter *reporter,
					    int mapping_id);
/*
 * Nobody uses the subject any more; it is freed when its last state has been
 * written. NULL is fine.
 */
void reporter_remove_subject(struct reporter *reporter,
			     struct report_subject *subject);

/*
 * What it is called: the source's server, its table and the destination's, as
 * people know them (NULL: it has none). Once.
 */
int report_names(struct report_subject *subject, const char *server,
		 const char *source, const char *dest, struct error *err)
	__attribute__((warn_unused_result));

/* `state` is a literal. */
void report_state(struct report_subject *subject, const char *state,
		  const char *reason, int64_t next_attempt_us);
/* It looks at the changes only so often; 0: whenever there are some. */
void report_pace(struct report_subject *subject, int64_t ms);
void report_lag(struct report_subject *subject, int64_t lag_ms,
		bool consistent);
void report_position(struct report_subject *subject,
		     const struct position *position);

/* Where it will go on when its first load is done: nothing is stored yet. */
void report_begins_at(struct report_subject *subject,
		      const struct position *position);

/*
 * What the control tables say of it, read at `read_ms` of the clock: is it
 * paused, which errors stand. What was reported lately counts for more than
 * theirs, until it had time to get there.
 */
void report_tables(struct report_subject *subject,
		   const struct control_mapping *row, int64_t read_ms);
/* So many rows that its destination refused stand aside. */
void report_parked(struct report_subject *subject, uint64_t rows);

/* An attempt did what was due. */
void report_success(struct report_subject *subject);
/*
 * A mapping moves rows and may verify some at the same time: each has its own
 * run.
 */
enum report_lane { REPORT_MOVING, REPORT_VERIFYING, REPORT_LANES };

/* A run begins. */
void report_run_begin(struct report_subject *subject, enum report_lane lane,
		      const char *sync_type, int64_t total);
/* Likewise, unless one is under way already. */
void report_run_continue(struct report_subject *subject, enum report_lane lane,
			 const char *sync_type, int64_t total);
/* Rows that were left out of what it moves: its records_failed. */
void report_run_refused(struct report_subject *subject, uint64_t rows);
void report_run_progress(struct report_subject *subject, enum report_lane lane,
			 uint64_t rows, const char *last_key);
/* So many rows are committed at the destination. */
void report_applied(struct report_subject *subject, uint64_t rows);
/* So many bytes went to the destination; see batch_bytes(). */
void report_bytes(struct report_subject *subject, size_t bytes);
/*
 * It ended: "COMPLETED", "ERROR" or "PAUSED", the error's message with it.
 * Nothing happens when no run is under way.
 */
void report_run_end(struct report_subject *subject, enum report_lane lane,
		    const char *status, const char *error);

/* ------------------------------------------------------- for those who look */

/*
 * Copy what is known of every mapping that is worked on, the latest errors and
 * what waits, into `out`. A lag that nobody has measured for `grace_ms` has
 * grown since: so it is told. -1 without memory.
 */
int reporter_look(struct reporter *reporter, int64_t grace_ms,
		  struct overview *out);

/* Put each mapping's lag into its history; every OVERVIEW_LAG_EVERY_MS. */
void reporter_sample(struct reporter *reporter, int64_t grace_ms);

/* ------------------------------------------------------------- single rows */

/* To stderr and into sync_logs. */
void report_log(struct report_subject *subject, enum log_level level,
		const char *sync_type, int64_t records, int64_t duration_ms,
		const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* Of a mapping that has no worker to say it. */
void report_mapping_log(struct reporter *reporter, int mapping_id,
			enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * Open or refresh a row of error_logs. Also to stderr, and to people unless it
 * has a subject.
 */
void report_error(struct reporter *reporter, const struct control_error *error);
void report_resolved(struct reporter *reporter, int mapping_id, int server_id);

/*
 * A verification came to its end: a row of verification_logs, `type` and
 * `status` being literals; and what becomes of the row of error_logs that
 * stands for it: of the newest rows alone, unless `whole`.
 */
void report_verification(struct report_subject *subject,
			 const struct control_verification *row);
void report_verification_resolved(struct report_subject *subject, bool whole);
/* How far it is; `progress` is copied. */
void report_progress(struct report_subject *subject,
		     const struct control_progress *progress);

/* Nobody has worked on it since it became ours: what runs there has ended. */
void report_stale_runs(struct reporter *reporter, int mapping_id);

void report_full_sync(struct reporter *reporter, int mapping_id);
void report_connected(struct reporter *reporter, bool is_target, int server_id);
void report_request(struct reporter *reporter, int request_id,
		    const char *state, const char *answer);
void report_paused(struct reporter *reporter, int mapping_id, bool paused);
void report_suspended(struct reporter *reporter, int mapping_id,
		      const char *reason);
void report_switched_off(struct reporter *reporter, int mapping_id);

/*
 * A row that was put aside stands; its times and texts are copied. When all of
 * a mapping were told, with one and the same `mirrored_us`, the others that
 * the control tables have are over: report_settled().
 */
void report_exception(struct reporter *reporter,
		      const struct control_exception *row);
void report_settled(struct reporter *reporter, int mapping_id,
		    int64_t mirrored_us);

/* About notification channels: what became of a message, … */
void report_notification(struct reporter *reporter,
			 const struct control_notification *row);
/* … that one's settings are wrong, that it works, that some were deleted. */
void report_channel_error(struct reporter *reporter, int channel_id,
			  const char *message);
void report_channel_works(struct reporter *reporter, int channel_id);
void report_gone_channels(struct reporter *reporter);

#endif
