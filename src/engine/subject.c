#include "engine/subject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "base/clock.h"
#include "base/text.h"

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
}

void report_lag(struct report_subject *subject, int64_t lag_ms, bool consistent)
{
	pthread_mutex_lock(&subject->lock);
	if (subject->lag_ms != lag_ms || subject->consistent != consistent)
		mark(subject);
	subject->lag_ms = lag_ms;
	subject->consistent = consistent;
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

/* -------------------------------------------------------------------- runs */

static void make_run_id(char id[CONTROL_RUN_ID_MAX])
{
	unsigned char b[16] = {0};

	if (RAND_bytes(b, sizeof(b)) != 1) {
		int64_t now = clock_utc_us();

		memcpy(b, &now, sizeof(now));
	}
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	snprintf(id, CONTROL_RUN_ID_MAX,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
		 "%02x%02x%02x%02x%02x%02x",
		 b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9],
		 b[10], b[11], b[12], b[13], b[14], b[15]);
}

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
	make_run_id(r->run.id);
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
	if (lane == REPORT_MOVING)
		subject->rows_applied += (int64_t)rows;
	if (last_key) {
		text_copy(r->last_key, sizeof(r->last_key), last_key);
		text_make_utf8(r->last_key);
	}
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

void report_run_continue(struct report_subject *subject, const char *sync_type)
{
	bool running;

	pthread_mutex_lock(&subject->lock);
	running = subject->runs[REPORT_MOVING].running;
	pthread_mutex_unlock(&subject->lock);
	if (!running)
		report_run_begin(subject, REPORT_MOVING, sync_type, 0);
}
