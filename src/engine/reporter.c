#include "engine/reporter.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "base/clock.h"
#include "base/text.h"
#include "engine/outbox.h"

#define COLLECT_MS   500
#define REPEAT_MS    30000
#define HEARTBEAT_MS 10000
#define PURGE_MS     60000
#define RECONNECT_MS 2000
#define DAY_US	     (INT64_C(86400) * 1000000)

struct report_subject {
	struct report_subject *next;
	struct reporter *reporter;
	int mapping_id;

	pthread_mutex_t lock; /* guards all below */
	bool removed;	      /* the reporter frees it */
	bool state_changed;
	const char *state;
	char reason[REPORT_REASON_MAX];
	int64_t lag_ms;
	bool consistent;
	struct position position;
	bool position_changed;
	int64_t rows_applied;
	int64_t next_attempt_us;
	int64_t marked_ms; /* when state_changed was last set */

	bool running;
	struct control_run run;
	char last_key[REPORT_KEY_MAX];
	int64_t rate_since_ms;	 /* when the rate was last worked out */
	int64_t rate_since_rows; /* and the rows then */
};

struct reporter {
	struct control_spec spec;
	const char *daemon;
	struct control *control; /* the thread's own; NULL: away */
	pthread_t thread;
	struct cancel cancel;
	struct outbox outbox;

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t ended;
	bool has_ended;
	struct report_subject *subjects;
	int retention_days;
};

/* ----------------------------------------------------------- writing events */

static int write_event(struct control *control, const struct event *event,
		       struct error *err)
{
	switch (event->kind) {
	case EVENT_RUN:
		return control_save_run(control, &event->run, err);
	case EVENT_STALE_RUNS:
		return control_end_stale_runs(control, event->id, err);
	case EVENT_LOG:
		return control_add_log(control, &event->log, err);
	case EVENT_ERROR:
		return control_save_error(control, &event->error, err);
	case EVENT_RESOLVED:
		return control_resolve_errors(control, event->id,
					      event->server_id, err);
	case EVENT_FULL_SYNC:
		return control_mirror_full_sync(control, event->id,
						event->at_us, err);
	case EVENT_CONNECTED:
		return control_mark_connected(control, event->flag, event->id,
					      err);
	case EVENT_REQUEST:
		return control_answer_request(control, event->id, event->state,
					      event->text, err);
	case EVENT_PAUSED:
		return control_set_paused(control, event->id, event->flag, err);
	}
	return 0;
}

static bool is_away(const struct error *err)
{
	return err->kind == ERROR_CONNECTION || err->retryable;
}

static void lost(struct reporter *reporter, struct error *err)
{
	log_warning("control store: %s; rows wait until it is back",
		    err->message);
	control_close(reporter->control);
	reporter->control = NULL;
}

/*
 * Write the line out as far as it goes. What the store refuses for good, such
 * as a log row of a mapping that was deleted meanwhile, is let go.
 */
static bool drain(struct reporter *reporter)
{
	struct event *event;
	struct error err = ERROR_INIT;

	while ((event = outbox_take(&reporter->outbox))) {
		if (write_event(reporter->control, event, &err) < 0) {
			if (is_away(&err)) {
				outbox_put_back(&reporter->outbox, event);
				lost(reporter, &err);
				return false;
			}
			log_debug("control store refused a row: %s",
				  err.message);
		}
		event_free(event);
	}
	return true;
}

/* -------------------------------------------------------- collecting states */

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

/* What to write, copied under the lock; the writing happens outside of it. */
struct collected {
	struct control_state state;
	struct control_run run;
	bool write_state, write_run, write_position;
	struct position position;
	char reason[REPORT_REASON_MAX];
	char last_key[REPORT_KEY_MAX];
	char position_text[POSITION_TEXT_MAX];
};

static void collect(struct report_subject *subject, struct collected *out)
{
	pthread_mutex_lock(&subject->lock);
	out->write_state = subject->state_changed && subject->state;
	out->write_position = subject->position_changed;
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
		.daemon = subject->reporter->daemon,
		.updated_us = clock_utc_us(),
	};
	out->write_run = subject->running;
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
	pthread_mutex_unlock(&subject->lock);
}

static int write_collected(struct control *control,
			   const struct collected *collected, struct error *err)
{
	if (collected->write_run &&
	    control_save_run(control, &collected->run, err) < 0)
		return -1;
	if (collected->write_position &&
	    control_mirror_position(control, collected->state.mapping_id,
				    collected->position.bytes,
				    collected->position.len, err) < 0)
		return -1;
	if (collected->write_state &&
	    control_save_state(control, &collected->state, err) < 0)
		return -1;
	return 0;
}

/* It was not written: do it the next time. */
static void mark_changed(struct report_subject *subject,
			 const struct collected *collected)
{
	pthread_mutex_lock(&subject->lock);
	subject->state_changed |= collected->write_state;
	subject->position_changed |= collected->write_position;
	pthread_mutex_unlock(&subject->lock);
}

static void subject_free(struct report_subject *subject)
{
	pthread_mutex_destroy(&subject->lock);
	free(subject);
}

/* Unlink and free the subjects whose workers are gone. */
static void free_removed(struct reporter *reporter)
{
	struct report_subject **link = &reporter->subjects, *subject;

	pthread_mutex_lock(&reporter->lock);
	while ((subject = *link)) {
		bool gone;

		pthread_mutex_lock(&subject->lock);
		gone = subject->removed && !subject->state_changed;
		pthread_mutex_unlock(&subject->lock);
		if (!gone) {
			link = &subject->next;
			continue;
		}
		*link = subject->next;
		subject_free(subject);
	}
	pthread_mutex_unlock(&reporter->lock);
}

static bool collect_all(struct reporter *reporter)
{
	struct collected collected;
	struct report_subject *subject;
	struct error err = ERROR_INIT;
	bool fine = true;

	/* Only this thread unlinks, so the list can be walked without lock. */
	pthread_mutex_lock(&reporter->lock);
	subject = reporter->subjects;
	pthread_mutex_unlock(&reporter->lock);
	for (; subject && fine; subject = subject->next) {
		collect(subject, &collected);
		if (write_collected(reporter->control, &collected, &err) == 0)
			continue;
		if (is_away(&err)) {
			mark_changed(subject, &collected);
			lost(reporter, &err);
			fine = false;
		} else {
			log_debug("control store refused a state: %s",
				  err.message);
		}
	}
	free_removed(reporter);
	return fine;
}

/* ---------------------------------------------------------------- the thread */

static bool reconnect(struct reporter *reporter)
{
	enum control_trouble trouble;
	struct error err = ERROR_INIT;

	if (reporter->control)
		return true;
	if (control_open(&reporter->spec, &reporter->cancel, &reporter->control,
			 &trouble, &err) < 0) {
		reporter->control = NULL;
		log_debug("control store: %s", err.message);
		return false;
	}
	log_info("connected to the control store");
	return true;
}

static void heartbeat(struct reporter *reporter, bool stopped)
{
	struct error err = ERROR_INIT;

	if (control_heartbeat(reporter->control, reporter->daemon, stopped,
			      &err) < 0) {
		if (is_away(&err))
			lost(reporter, &err);
		else
			log_warning("heartbeat: %s", err.message);
	}
}

static void purge(struct reporter *reporter)
{
	struct error err = ERROR_INIT;
	int days;

	pthread_mutex_lock(&reporter->lock);
	days = reporter->retention_days;
	pthread_mutex_unlock(&reporter->lock);
	if (days > 0 &&
	    control_purge(reporter->control, clock_utc_us() - days * DAY_US,
			  &err) < 0) {
		if (is_away(&err))
			lost(reporter, &err);
		else
			log_warning("removing old rows: %s", err.message);
	}
}

/* Everything there is to write, once. False when the store is away. */
static bool work(struct reporter *reporter)
{
	uint64_t dropped = outbox_take_dropped(&reporter->outbox);

	if (dropped)
		log_warning("%llu rows for the control tables were dropped, "
			    "because too many waited",
			    (unsigned long long)dropped);
	return reconnect(reporter) && drain(reporter) && collect_all(reporter);
}

static void *reporter_main(void *arg)
{
	struct reporter *reporter = arg;
	int64_t next_heartbeat = 0, next_purge = clock_ms() + PURGE_MS;

	while (cancel_level(&reporter->cancel) == CANCEL_NONE) {
		if (!work(reporter)) {
			cancel_sleep(&reporter->cancel, RECONNECT_MS);
			continue;
		}
		if (clock_ms() >= next_heartbeat) {
			heartbeat(reporter, false);
			next_heartbeat = clock_ms() + HEARTBEAT_MS;
		}
		if (reporter->control && clock_ms() >= next_purge) {
			purge(reporter);
			next_purge = clock_ms() + PURGE_MS;
		}
		cancel_sleep(&reporter->cancel, COLLECT_MS);
	}
	/* A last round, for what the workers said on their way out. */
	if (reporter->control && work(reporter))
		heartbeat(reporter, true);
	control_close(reporter->control);
	pthread_mutex_lock(&reporter->lock);
	reporter->has_ended = true;
	pthread_cond_signal(&reporter->ended);
	pthread_mutex_unlock(&reporter->lock);
	return NULL;
}

static int start_thread(struct reporter *reporter, struct error *err)
{
	int rc = pthread_mutex_init(&reporter->lock, NULL);

	if (rc)
		return error_errno(err, rc, "cannot make a lock");
	rc = clock_cond_init(&reporter->ended);
	if (!rc) {
		rc = pthread_create(&reporter->thread, NULL, reporter_main,
				    reporter);
		if (!rc)
			return 0;
		pthread_cond_destroy(&reporter->ended);
	}
	pthread_mutex_destroy(&reporter->lock);
	return error_errno(err, rc, "cannot start a thread");
}

int reporter_start(struct reporter **out, const struct control_spec *spec,
		   const char *daemon, struct error *err)
{
	struct reporter *reporter = calloc(1, sizeof(*reporter));

	if (!reporter)
		return error_memory(err, "the reporter");
	reporter->spec = *spec;
	reporter->daemon = daemon;
	if (cancel_init(&reporter->cancel, err) < 0)
		goto no_cancel;
	if (outbox_init(&reporter->outbox, err) < 0)
		goto no_outbox;
	if (start_thread(reporter, err) < 0)
		goto no_thread;
	*out = reporter;
	return 0;
no_thread:
	outbox_release(&reporter->outbox);
no_outbox:
	cancel_release(&reporter->cancel);
no_cancel:
	free(reporter);
	return -1;
}

void reporter_stop(struct reporter *reporter, int64_t ms)
{
	int64_t deadline = clock_ms() + ms;

	cancel_request(&reporter->cancel, CANCEL_DRAIN);
	pthread_mutex_lock(&reporter->lock);
	while (!reporter->has_ended && clock_ms() < deadline)
		clock_cond_wait(&reporter->ended, &reporter->lock, deadline);
	pthread_mutex_unlock(&reporter->lock);
	/* What still waits for a silent server is cut off. */
	cancel_request(&reporter->cancel, CANCEL_NOW);
	pthread_join(reporter->thread, NULL);
}

void reporter_free(struct reporter *reporter)
{
	struct report_subject *next;

	for (struct report_subject *s = reporter->subjects; s; s = next) {
		next = s->next;
		subject_free(s);
	}
	pthread_cond_destroy(&reporter->ended);
	pthread_mutex_destroy(&reporter->lock);
	outbox_release(&reporter->outbox);
	cancel_release(&reporter->cancel);
	free(reporter);
}

void reporter_set_retention(struct reporter *reporter, int days)
{
	pthread_mutex_lock(&reporter->lock);
	reporter->retention_days = days;
	pthread_mutex_unlock(&reporter->lock);
}

static void put(struct reporter *reporter, struct event *event)
{
	outbox_put(&reporter->outbox, event);
	cancel_poke(&reporter->cancel);
}

/* ---------------------------------------------------------------- subjects */

struct report_subject *reporter_add_subject(struct reporter *reporter,
					    int mapping_id)
{
	struct report_subject *subject = calloc(1, sizeof(*subject));
	struct event *event;

	if (!subject)
		return NULL;
	subject->reporter = reporter;
	subject->mapping_id = mapping_id;
	subject->lag_ms = -1;
	if (pthread_mutex_init(&subject->lock, NULL)) {
		free(subject);
		return NULL;
	}
	event = event_new(EVENT_STALE_RUNS, NULL, NULL);
	if (event)
		event->id = mapping_id;
	put(reporter, event);
	pthread_mutex_lock(&reporter->lock);
	subject->next = reporter->subjects;
	reporter->subjects = subject;
	pthread_mutex_unlock(&reporter->lock);
	return subject;
}

void reporter_remove_subject(struct reporter *reporter,
			     struct report_subject *subject)
{
	if (!subject)
		return;
	pthread_mutex_lock(&subject->lock);
	subject->removed = true;
	pthread_mutex_unlock(&subject->lock);
	cancel_poke(&reporter->cancel);
}

/*
 * The lock is held. What stays as it is, is written now and then all the same,
 * to show that somebody is alive.
 */
static void mark(struct report_subject *subject, bool changed)
{
	int64_t now = clock_ms();

	if (!changed && now - subject->marked_ms < REPEAT_MS)
		return;
	subject->marked_ms = now;
	subject->state_changed = true;
}

void report_state(struct report_subject *subject, const char *state,
		  const char *reason, int64_t next_attempt_us)
{
	char text[REPORT_REASON_MAX];
	bool changed;

	text_copy(text, sizeof(text), reason ? reason : "");
	pthread_mutex_lock(&subject->lock);
	changed = subject->state != state || strcmp(subject->reason, text) ||
		  subject->next_attempt_us != next_attempt_us;
	subject->state = state;
	text_copy(subject->reason, sizeof(subject->reason), text);
	subject->next_attempt_us = next_attempt_us;
	mark(subject, changed);
	pthread_mutex_unlock(&subject->lock);
}

void report_lag(struct report_subject *subject, int64_t lag_ms, bool consistent)
{
	bool changed;

	pthread_mutex_lock(&subject->lock);
	changed =
		subject->lag_ms != lag_ms || subject->consistent != consistent;
	subject->lag_ms = lag_ms;
	subject->consistent = consistent;
	mark(subject, changed);
	pthread_mutex_unlock(&subject->lock);
}

void report_position(struct report_subject *subject,
		     const struct position *position)
{
	pthread_mutex_lock(&subject->lock);
	subject->position = *position;
	subject->position_changed = true;
	subject->state_changed = true;
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
	subject->last_key[0] = '\0';
	subject->run = (struct control_run){
		.mapping_id = subject->mapping_id,
		.sync_type = sync_type,
		.status = "RUNNING",
		.total = total,
		.started_us = clock_utc_us(),
		.updated_us = clock_utc_us(),
	};
	make_run_id(subject->run.id);
	subject->rate_since_ms = clock_ms();
	subject->rate_since_rows = 0;
	event = run_event(subject, NULL);
	pthread_mutex_unlock(&subject->lock);
	log_run(subject->run.id);
	put(subject->reporter, event);
}

void report_run_progress(struct report_subject *subject, uint64_t rows,
			 const char *last_key)
{
	pthread_mutex_lock(&subject->lock);
	subject->run.processed += (int64_t)rows;
	subject->rows_applied += (int64_t)rows;
	if (last_key)
		text_copy(subject->last_key, sizeof(subject->last_key),
			  last_key);
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
		put(subject->reporter, event);
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

/* ------------------------------------------------------------- single rows */

void report_log(struct report_subject *subject, enum log_level level,
		const char *sync_type, int64_t records, int64_t duration_ms,
		const char *fmt, ...)
{
	char message[ERROR_MESSAGE_MAX];
	struct event *event;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	text_trim_partial_utf8(message);
	log_write(level, "%s", message);
	event = event_new(EVENT_LOG, message, NULL);
	if (event)
		event->log = (struct control_log){
			.mapping_id = subject->mapping_id,
			.level = level,
			.message = event->owned[0],
			.sync_type = sync_type,
			.records = records,
			.duration_ms = duration_ms,
			.created_us = clock_utc_us(),
		};
	put(subject->reporter, event);
}

void report_error(struct reporter *reporter, const struct control_error *error)
{
	struct event *event =
		event_new(EVENT_ERROR, error->message, error->details);

	log_error("%s", error->message);
	if (event) {
		event->error = *error;
		event->error.message = event->owned[0];
		event->error.details = event->owned[1];
		event->error.created_us = clock_utc_us();
	}
	put(reporter, event);
}

static void put_simple(struct reporter *reporter, enum event_kind kind, int id,
		       int server_id, bool flag)
{
	struct event *event = event_new(kind, NULL, NULL);

	if (event) {
		event->id = id;
		event->server_id = server_id;
		event->flag = flag;
		event->at_us = clock_utc_us();
	}
	put(reporter, event);
}

void report_resolved(struct reporter *reporter, int mapping_id, int server_id)
{
	put_simple(reporter, EVENT_RESOLVED, mapping_id, server_id, false);
}

void report_full_sync(struct reporter *reporter, int mapping_id)
{
	put_simple(reporter, EVENT_FULL_SYNC, mapping_id, 0, false);
}

void report_connected(struct reporter *reporter, bool is_target, int server_id)
{
	put_simple(reporter, EVENT_CONNECTED, server_id, 0, is_target);
}

void report_paused(struct reporter *reporter, int mapping_id, bool paused)
{
	put_simple(reporter, EVENT_PAUSED, mapping_id, 0, paused);
}

void report_request(struct reporter *reporter, int request_id,
		    const char *state, const char *answer)
{
	struct event *event = event_new(EVENT_REQUEST, answer, NULL);

	if (event) {
		event->id = request_id;
		event->state = state;
		event->text = event->owned[0];
	}
	put(reporter, event);
}
