#include "engine/subject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/uuid.h"

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

static void work_out_rate(struct report_subject *subject)
{
	int64_t now = clock_ms();
	int64_t ms = now - subject->rate_since_ms;
	double rate;

	if (ms < 500)
		return;
	rate = (double)(subject->run.processed - subject->rate_since_rows) *
	       1000.0 / (double)ms;
	/* Smooth, but quick to follow. */
	subject->run.rows_per_second =
		subject->run.rows_per_second > 0
			? 0.5 * subject->run.rows_per_second + 0.5 * rate
			: rate;
	subject->rate_since_ms = now;
	subject->rate_since_rows = subject->run.processed;
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
	};
	out->has_run = subject->running;
	if (subject->running) {
		work_out_rate(subject);
		text_copy(out->last_key, sizeof(out->last_key),
			  subject->last_key);
		out->run = subject->run;
		out->run.updated_us = clock_utc_us();
		out->run.last_key = out->last_key[0] ? out->last_key : NULL;
	}
	subject->state_changed = false;
	subject->position_changed = false;
	if (subject->running)
		reporter_list(subject->reporter, subject);
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
	subject->consistent = consistent;
	pthread_mutex_unlock(&subject->lock);
	reporter_see_lag(subject->reporter, subject->mapping_id, &subject->seen,
			 lag_ms);
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

/* -------------------------------------------------------------------- runs */

/* The lock is held. */
static struct event *run_event(struct report_subject *subject,
			       const char *error)
{
	struct event *event = event_new(
		EVENT_RUN, subject->last_key[0] ? subject->last_key : NULL,
		error);

	if (!event)
		return NULL;
	event->run = subject->run;
	event->run.last_key = event->owned[0];
	event->run.error = event->owned[1];
	return event;
}

void report_run_begin(struct report_subject *subject, const char *sync_type,
		      int64_t total)
{
	struct event *event;

	pthread_mutex_lock(&subject->lock);
	subject->running = true;
	reporter_list(subject->reporter, subject);
	subject->last_key[0] = '\0';
	subject->run = (struct control_run){
		.mapping_id = subject->mapping_id,
		.sync_type = sync_type,
		.status = "RUNNING",
		.total = total,
		.started_us = clock_utc_us(),
		.updated_us = clock_utc_us(),
	};
	uuid_make(subject->run.id);
	subject->rate_since_ms = clock_ms();
	subject->rate_since_rows = 0;
	event = run_event(subject, NULL);
	pthread_mutex_unlock(&subject->lock);
	log_run(subject->run.id);
	reporter_put(subject->reporter, event);
}

void report_run_progress(struct report_subject *subject, uint64_t rows,
			 const char *last_key)
{
	pthread_mutex_lock(&subject->lock);
	subject->run.processed += (int64_t)rows;
	subject->rows_applied += (int64_t)rows;
	if (last_key) {
		text_copy(subject->last_key, sizeof(subject->last_key),
			  last_key);
		text_make_utf8(subject->last_key);
	}
	pthread_mutex_unlock(&subject->lock);
}

void report_run_end(struct report_subject *subject, const char *status,
		    const char *error)
{
	struct event *event = NULL;
	bool running;

	pthread_mutex_lock(&subject->lock);
	running = subject->running;
	if (running) {
		int64_t us;

		subject->running = false;
		subject->run.status = status;
		subject->run.completed_us = clock_utc_us();
		subject->run.updated_us = subject->run.completed_us;
		us = subject->run.completed_us - subject->run.started_us;
		if (us > 0)
			subject->run.rows_per_second =
				(double)subject->run.processed * 1e6 /
				(double)us;
		event = run_event(subject, error);
	}
	pthread_mutex_unlock(&subject->lock);
	if (running) {
		log_run(NULL);
		reporter_put(subject->reporter, event);
	}
}

void report_run_continue(struct report_subject *subject, const char *sync_type)
{
	bool running;

	pthread_mutex_lock(&subject->lock);
	running = subject->running;
	pthread_mutex_unlock(&subject->lock);
	if (!running)
		report_run_begin(subject, sync_type, 0);
}
