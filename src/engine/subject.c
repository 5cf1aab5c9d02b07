#include "engine/subject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/uuid.h"

/* What was reported is in the control tables by then, as a rule. */
#define ARRIVED_MS 30000

struct report_subject *subject_new(struct reporter *reporter, int mapping_id)
{
	struct report_subject *subject = calloc(1, sizeof(*subject));

	if (!subject)
		return NULL;
	subject->reporter = reporter;
	subject->mapping_id = mapping_id;
	subject->lag_ms = -1;
	if (pthread_mutex_init(&subject->lock, NULL)) {
		free(subject);
		return NULL;
	}
	return subject;
}

void subject_free(struct report_subject *subject)
{
	pthread_mutex_destroy(&subject->lock);
	free(subject->server);
	free(subject->source);
	free(subject->dest);
	free(subject->error.message);
	free(subject->mismatch.message);
	free(subject);
}

bool subject_is_done(struct report_subject *subject)
{
	bool done;

	pthread_mutex_lock(&subject->lock);
	done = subject->removed && !subject->state_changed;
	pthread_mutex_unlock(&subject->lock);
	return done;
}

void subject_mark_removed(struct report_subject *subject)
{
	pthread_mutex_lock(&subject->lock);
	subject->removed = true;
	reporter_list(subject->reporter, subject);
	pthread_mutex_unlock(&subject->lock);
}

/* ----------------------------------------------------------------- collecting */

static void work_out_rate(struct subject_run *r)
{
	int64_t now = clock_ms();
	int64_t ms = now - r->rate_since_ms;
	double rate;

	if (ms < 500)
		return;
	rate = (double)(r->run.processed - r->rate_since_rows) * 1000.0 /
	       (double)ms;
	/* Smooth, but quick to follow. */
	r->run.rows_per_second =
		r->run.rows_per_second > 0
			? 0.5 * r->run.rows_per_second + 0.5 * rate
			: rate;
	r->rate_since_ms = now;
	r->rate_since_rows = r->run.processed;
}

/* The lock is held. */
static void collect_run(struct report_subject *subject, enum report_lane lane,
			struct subject_news *out)
{
	struct subject_run *r = &subject->runs[lane];

	out->has_run[lane] = r->running;
	if (!r->running)
		return;
	work_out_rate(r);
	text_copy(out->last_key[lane], sizeof(out->last_key[lane]),
		  r->last_key);
	out->run[lane] = r->run;
	out->run[lane].updated_us = clock_utc_us();
	out->run[lane].last_key =
		out->last_key[lane][0] ? out->last_key[lane] : NULL;
	reporter_list(subject->reporter, subject);
}

void subject_collect(struct report_subject *subject, const char *daemon,
		     struct subject_news *out)
{
	pthread_mutex_lock(&subject->lock);
	out->has_state = subject->state_changed && subject->state;
	out->has_position = subject->position_changed;
	out->position = subject->position;
	text_copy(out->reason, sizeof(out->reason), subject->reason);
	position_format(out->position_text, &subject->position);
	out->state = (struct control_state){
		.mapping_id = subject->mapping_id,
		.state = subject->state,
		.reason = out->reason[0] ? out->reason : NULL,
		.lag_ms = subject->lag_ms,
		.consistent = subject->consistent,
		.position = out->position_text[0] ? out->position_text : NULL,
		.rows_applied = subject->rows_applied,
		.next_attempt_us = subject->next_attempt_us,
		.daemon = daemon,
		.updated_us = clock_utc_us(),
		.current_us = subject->current_us,
	};
	for (int lane = 0; lane < REPORT_LANES; lane++)
		collect_run(subject, lane, out);
	subject->state_changed = false;
	subject->position_changed = false;
	pthread_mutex_unlock(&subject->lock);
}

void subject_put_back(struct report_subject *subject,
		      const struct subject_news *news)
{
	pthread_mutex_lock(&subject->lock);
	subject->state_changed |= news->has_state;
	subject->position_changed |= news->has_position;
	reporter_list(subject->reporter, subject);
	pthread_mutex_unlock(&subject->lock);
}

/* -------------------------------------------------------------------- states */

/* The lock is held. */
static void mark(struct report_subject *subject)
{
	subject->state_changed = true;
	reporter_list(subject->reporter, subject);
}

void report_state(struct report_subject *subject, const char *state,
		  const char *reason, int64_t next_attempt_us)
{
	char text[REPORT_REASON_MAX];

	text_copy(text, sizeof(text), reason ? reason : "");
	pthread_mutex_lock(&subject->lock);
	if (subject->state != state || strcmp(subject->reason, text) ||
	    subject->next_attempt_us != next_attempt_us)
		mark(subject);
	subject->state = state;
	text_copy(subject->reason, sizeof(subject->reason), text);
	subject->next_attempt_us = next_attempt_us;
	pthread_mutex_unlock(&subject->lock);
	reporter_see_state(subject->reporter, subject->mapping_id,
			   &subject->seen, state, text);
}

void report_lag(struct report_subject *subject, int64_t lag_ms, bool consistent)
{
	pthread_mutex_lock(&subject->lock);
	if (subject->lag_ms != lag_ms || subject->consistent != consistent)
		mark(subject);
	subject->lag_ms = lag_ms;
	subject->lag_told_ms = clock_ms();
	subject->consistent = consistent;
	if (lag_ms >= 0)
		subject->current_us = clock_utc_us() - lag_ms * 1000;
	pthread_mutex_unlock(&subject->lock);
	reporter_see_lag(subject->reporter, subject->mapping_id, &subject->seen,
			 lag_ms);
}

void report_pace(struct report_subject *subject, int64_t ms)
{
	pthread_mutex_lock(&subject->lock);
	subject->pace_ms = ms;
	pthread_mutex_unlock(&subject->lock);
}

void report_position(struct report_subject *subject,
		     const struct position *position)
{
	pthread_mutex_lock(&subject->lock);
	subject->position = *position;
	subject->position_changed = true;
	mark(subject);
	pthread_mutex_unlock(&subject->lock);
}

void report_begins_at(struct report_subject *subject,
		      const struct position *position)
{
	pthread_mutex_lock(&subject->lock);
	subject->position = *position;
	mark(subject);
	pthread_mutex_unlock(&subject->lock);
}

/* -------------------------------------------------------------------- runs */

/* The lock is held. */
static struct event *run_event(const struct subject_run *r, const char *error)
{
	struct event *event = event_new(
		EVENT_RUN, r->last_key[0] ? r->last_key : NULL, error);

	if (!event)
		return NULL;
	event->run = r->run;
	event->run.last_key = event->owned[0];
	event->run.error = event->owned[1];
	return event;
}

void report_run_begin(struct report_subject *subject, enum report_lane lane,
		      const char *sync_type, int64_t total)
{
	struct subject_run *r = &subject->runs[lane];
	struct event *event;

	pthread_mutex_lock(&subject->lock);
	r->running = true;
	reporter_list(subject->reporter, subject);
	r->last_key[0] = '\0';
	r->run = (struct control_run){
		.mapping_id = subject->mapping_id,
		.sync_type = sync_type,
		.status = "RUNNING",
		.total = total,
		.started_us = clock_utc_us(),
		.updated_us = clock_utc_us(),
	};
	uuid_make(r->run.id);
	r->rate_since_ms = clock_ms();
	r->rate_since_rows = 0;
	event = run_event(r, NULL);
	pthread_mutex_unlock(&subject->lock);
	if (lane == REPORT_MOVING)
		log_run(r->run.id);
	reporter_put(subject->reporter, event);
}

void report_run_progress(struct report_subject *subject, enum report_lane lane,
			 uint64_t rows, const char *last_key)
{
	struct subject_run *r = &subject->runs[lane];

	pthread_mutex_lock(&subject->lock);
	r->run.processed += (int64_t)rows;
	if (last_key) {
		text_copy(r->last_key, sizeof(r->last_key), last_key);
		text_make_utf8(r->last_key);
	}
	pthread_mutex_unlock(&subject->lock);
}

void report_applied(struct report_subject *subject, uint64_t rows)
{
	pthread_mutex_lock(&subject->lock);
	subject->rows_applied += (int64_t)rows;
	pthread_mutex_unlock(&subject->lock);
}

void report_run_refused(struct report_subject *subject, uint64_t rows)
{
	pthread_mutex_lock(&subject->lock);
	subject->runs[REPORT_MOVING].run.failed += (int64_t)rows;
	pthread_mutex_unlock(&subject->lock);
}

/* The lock is held. */
static struct event *end_run(struct subject_run *r, const char *status,
			     const char *error)
{
	int64_t us;

	r->running = false;
	r->run.status = status;
	r->run.completed_us = clock_utc_us();
	r->run.updated_us = r->run.completed_us;
	us = r->run.completed_us - r->run.started_us;
	if (us > 0)
		r->run.rows_per_second =
			(double)r->run.processed * 1e6 / (double)us;
	return run_event(r, error);
}

void report_run_end(struct report_subject *subject, enum report_lane lane,
		    const char *status, const char *error)
{
	struct subject_run *r = &subject->runs[lane];
	struct event *event = NULL;
	bool running;

	pthread_mutex_lock(&subject->lock);
	running = r->running;
	if (running)
		event = end_run(r, status, error);
	pthread_mutex_unlock(&subject->lock);
	if (!running)
		return;
	if (lane == REPORT_MOVING)
		log_run(NULL);
	reporter_put(subject->reporter, event);
}

void report_run_continue(struct report_subject *subject, enum report_lane lane,
			 const char *sync_type, int64_t total)
{
	bool running;

	pthread_mutex_lock(&subject->lock);
	running = subject->runs[lane].running;
	pthread_mutex_unlock(&subject->lock);
	if (!running)
		report_run_begin(subject, lane, sync_type, total);
}

/* ------------------------------------------------------- for those who look */

static char *keep_name(const char *name)
{
	char *kept = strdup(name ? name : "");

	if (kept)
		text_make_utf8(kept);
	return kept;
}

int report_names(struct report_subject *subject, const char *server,
		 const char *source, const char *dest, struct error *err)
{
	bool kept;

	pthread_mutex_lock(&subject->lock);
	subject->server = keep_name(server);
	subject->source = keep_name(source);
	subject->dest = keep_name(dest);
	kept = subject->server && subject->source && subject->dest;
	pthread_mutex_unlock(&subject->lock);
	return kept ? 0 : error_memory(err, "a mapping's names");
}

void report_success(struct report_subject *subject)
{
	pthread_mutex_lock(&subject->lock);
	subject->last_success_us = clock_utc_us();
	pthread_mutex_unlock(&subject->lock);
}

void report_bytes(struct report_subject *subject, size_t bytes)
{
	pthread_mutex_lock(&subject->lock);
	subject->bytes_applied += (int64_t)bytes;
	pthread_mutex_unlock(&subject->lock);
}

/* NULL: none stands. Without memory it stands all the same. The lock is held. */
static void set_standing(struct subject_error *error, const char *message)
{
	error->stands = message != NULL;
	if (message && error->message && !strcmp(error->message, message))
		return;
	free(error->message);
	error->message = message ? strdup(message) : NULL;
}

/* The lock is held. */
static void open_verification(struct report_subject *subject,
			      const struct control_error *error)
{
	if (subject->mismatch.stands && subject->whole_differs &&
	    control_error_is_in(error, CONTROL_SCOPE_TAIL))
		return;
	set_standing(&subject->mismatch, error->message);
	subject->whole_differs =
		control_error_is_in(error, CONTROL_SCOPE_WHOLE);
}

void subject_open_error(struct report_subject *subject,
			const struct control_error *error)
{
	pthread_mutex_lock(&subject->lock);
	subject->errors[overview_error_type(error->type)]++;
	if (strcmp(error->type, CONTROL_VERIFICATION) != 0)
		set_standing(&subject->error, error->message);
	else
		open_verification(subject, error);
	subject->errors_told_ms = clock_ms();
	pthread_mutex_unlock(&subject->lock);
}

void subject_resolve_errors(struct report_subject *subject)
{
	pthread_mutex_lock(&subject->lock);
	set_standing(&subject->error, NULL);
	subject->errors_told_ms = clock_ms();
	pthread_mutex_unlock(&subject->lock);
}

bool subject_resolve_verification(struct report_subject *subject, bool whole)
{
	bool over;

	pthread_mutex_lock(&subject->lock);
	over = whole || !subject->whole_differs;
	if (over) {
		set_standing(&subject->mismatch, NULL);
		subject->whole_differs = false;
	}
	subject->errors_told_ms = clock_ms();
	pthread_mutex_unlock(&subject->lock);
	return over;
}

void report_tables(struct report_subject *subject,
		   const struct control_mapping *row, int64_t read_ms)
{
	pthread_mutex_lock(&subject->lock);
	subject->suspended = row->suspended;
	subject->paused = row->paused;
	if (!subject->errors_told_ms ||
	    read_ms - subject->errors_told_ms > ARRIVED_MS) {
		set_standing(&subject->error, row->error);
		set_standing(&subject->mismatch, row->verification_error);
		subject->whole_differs = row->whole_differs;
	}
	pthread_mutex_unlock(&subject->lock);
}

void report_parked(struct report_subject *subject, uint64_t rows)
{
	pthread_mutex_lock(&subject->lock);
	subject->parked = rows;
	pthread_mutex_unlock(&subject->lock);
}

void subject_count_verification(struct report_subject *subject,
				const struct control_verification *row)
{
	pthread_mutex_lock(&subject->lock);
	subject->verifications[overview_result(row->status)]++;
	if (!strcmp(row->type, "DRY_RUN"))
		goto done; /* it tells of one that was told before */
	subject->verification = (struct overview_verification){
		.type = row->type,
		.status = row->status,
		.compared = row->compared,
		.mismatches = row->mismatches,
		.at_us = row->verified_us,
	};
done:
	pthread_mutex_unlock(&subject->lock);
}

/*
 * What was measured holds for a while. Later the destination is known to lag
 * at least as much longer: whatever came meanwhile was not applied. The lock
 * is held.
 */
static double lag_now(const struct report_subject *subject, int64_t grace_ms)
{
	int64_t age = clock_ms() - subject->lag_told_ms;

	if (subject->lag_ms < 0)
		return -1;
	if (age <= grace_ms + subject->pace_ms)
		age = 0;
	return (double)(subject->lag_ms + age) / 1000.0;
}

void subject_sample(struct report_subject *subject, int64_t grace_ms)
{
	pthread_mutex_lock(&subject->lock);
	subject->lags[subject->lag_next] = (float)lag_now(subject, grace_ms);
	subject->lag_next = (subject->lag_next + 1) % OVERVIEW_LAGS;
	if (subject->lag_count < OVERVIEW_LAGS)
		subject->lag_count++;
	pthread_mutex_unlock(&subject->lock);
}

/*
 * How far the copy is behind, by the rule of v_mapping_health: one that has
 * nothing left to apply is up to date, until a change is seen. The lock is
 * held.
 */
static double behind_now(const struct report_subject *subject)
{
	if (subject->lag_ms == 0)
		return 0;
	if (!subject->current_us)
		return -1;
	return (double)(clock_utc_us() - subject->current_us) / 1e6;
}

static bool copy_text(struct arena *arena, const char *text, const char **out)
{
	*out = arena_strdup(arena, text ? text : "");
	return *out != NULL;
}

/* NULL in `out`: none stands. */
static bool copy_error(struct arena *arena, const struct subject_error *error,
		       const char **out)
{
	*out = NULL;
	return !error->stands ||
	       copy_text(arena,
			 error->message ? error->message : "see error_logs",
			 out);
}

static void copy_lags(const struct report_subject *subject,
		      struct overview_mapping *out)
{
	size_t first = subject->lag_next + OVERVIEW_LAGS - subject->lag_count;

	out->lag_count = subject->lag_count;
	for (size_t i = 0; i < subject->lag_count; i++)
		out->lags[i] = subject->lags[(first + i) % OVERVIEW_LAGS];
}

/* What it moves, or else what it verifies. */
static void copy_run(const struct report_subject *subject,
		     struct overview_run *out)
{
	const struct subject_run *r = &subject->runs[REPORT_MOVING];
	const struct control_run *run;

	if (!r->running)
		r = &subject->runs[REPORT_VERIFYING];
	if (!r->running)
		return;
	run = &r->run;
	*out = (struct overview_run){
		.sync_type = run->sync_type,
		.processed = run->processed,
		.expected = run->total,
		.rows_per_second = run->rows_per_second,
		.started_us = run->started_us,
	};
}

/* The lock is held. */
static int copy_texts(const struct report_subject *subject, struct arena *arena,
		      struct overview_mapping *out)
{
	return copy_text(arena, subject->server, &out->server) &&
			       copy_text(arena, subject->source,
					 &out->source) &&
			       copy_text(arena, subject->dest, &out->dest) &&
			       copy_text(arena, subject->reason,
					 &out->reason) &&
			       copy_error(arena, &subject->error,
					  &out->error) &&
			       copy_error(arena, &subject->mismatch,
					  &out->verification_error)
		       ? 0
		       : -1;
}

int subject_look(struct report_subject *subject, int64_t grace_ms,
		 struct overview *now, struct overview_mapping *out)
{
	int ret = 0;

	pthread_mutex_lock(&subject->lock);
	if (subject->removed)
		goto done;
	*out = (struct overview_mapping){
		.id = subject->mapping_id,
		.state = subject->state ? subject->state : "STARTING",
		.suspended = subject->suspended,
		.paused = subject->paused,
		.parked = subject->parked,
		.lag_s = lag_now(subject, grace_ms),
		.behind_s = behind_now(subject),
		.consistent = subject->consistent,
		.rows = subject->rows_applied,
		.bytes = subject->bytes_applied,
		.next_attempt_us = subject->next_attempt_us,
		.last_success_us = subject->last_success_us,
		.verification = subject->verification,
	};
	memcpy(out->errors, subject->errors, sizeof(out->errors));
	memcpy(out->verifications, subject->verifications,
	       sizeof(out->verifications));
	copy_lags(subject, out);
	copy_run(subject, &out->run);
	ret = copy_texts(subject, &now->arena, out);
	if (ret == 0)
		ret = overview_judge(now, out);
	if (ret == 0)
		ret = 1;
done:
	pthread_mutex_unlock(&subject->lock);
	return ret;
}
