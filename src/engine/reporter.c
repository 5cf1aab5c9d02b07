#include "engine/reporter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "engine/notifier.h"
#include "engine/recent.h"
#include "engine/subject.h"

#define COLLECT_MS   500
#define HEARTBEAT_MS 10000
#define PURGE_MS     60000
#define RECONNECT_MS 2000
#define CUT_OFF_MS   1100 /* db-lib looks once a second */
#define LAG_TELL_MS  5000
#define DAY_US	     (INT64_C(86400) * 1000000)

struct reporter {
	struct control_spec spec;
	const char *daemon;
	struct control *control; /* the thread's own; NULL: away */
	pthread_t thread;
	int64_t beat_ms; /* the last one; the thread's own, as well */
	struct cancel cancel;
	struct outbox outbox;
	struct recent recent;
	struct notifier *notifier; /* NULL: nobody is told */

	/* Taken before a subject's lock, where both are. */
	pthread_mutex_t subjects_lock;
	struct report_subject *subjects; /* all */

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t ended;
	bool has_ended;
	bool connected; /* to the control store, as far as is known */
	struct report_subject *changed, *last_changed;
	size_t changed_count;
	int retention_days;
	int lease_s;
};

/* ----------------------------------------------------------- writing events */

static int write_event(struct reporter *reporter, const struct event *event,
		       struct error *err)
{
	struct control *control = reporter->control;

	switch (event->kind) {
	case EVENT_RUN:
		return control_save_run(control, &event->run, err);
	case EVENT_STALE_RUNS:
		return control_end_stale_runs(control, reporter->daemon,
					      event->id, err);
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
	case EVENT_SUSPENDED:
		return control_suspend(control, event->id, event->text, err);
	case EVENT_SWITCHED_OFF:
		return control_switch_off(control, event->id, err);
	case EVENT_EXCEPTION:
		return control_save_exception(control, &event->exception, err);
	case EVENT_SETTLED:
		return control_settle_exceptions(control, event->id,
						 event->at_us, err);
	case EVENT_VERIFICATION:
		return control_add_verification(control, &event->verification,
						err);
	case EVENT_VERIFIED:
		return control_resolve_verification(control, event->id,
						    event->flag, err);
	case EVENT_PROGRESS:
		return control_save_progress(control, &event->progress, err);
	case EVENT_SUBJECT_RESOLVED:
		return control_resolve_subject(control, event->text, err);
	case EVENT_NOTIFICATION:
		return control_add_notification(control, &event->notification,
						err);
	case EVENT_CHANNEL:
		return control_mark_channel(control, event->id, event->text,
					    err);
	case EVENT_GONE_CHANNELS:
		return control_resolve_gone_channels(control, err);
	}
	return 0;
}

static bool is_away(const struct error *err)
{
	return err->kind == ERROR_CONNECTION || err->retryable;
}

static void set_connected(struct reporter *reporter, bool connected)
{
	pthread_mutex_lock(&reporter->lock);
	reporter->connected = connected;
	pthread_mutex_unlock(&reporter->lock);
}

static void lost(struct reporter *reporter, const struct error *err)
{
	log_warning("control store: %s; rows wait until it is back",
		    err->message);
	control_close(reporter->control);
	reporter->control = NULL;
	reporter->beat_ms = 0; /* before anything else is tried again */
	set_connected(reporter, false);
}

static bool heartbeat(struct reporter *reporter, bool stopped)
{
	struct error err = ERROR_INIT;

	if (control_heartbeat(reporter->control, reporter->daemon, stopped,
			      &err) == 0)
		return true;
	if (is_away(&err)) {
		lost(reporter, &err);
		return false;
	}
	log_warning("heartbeat: %s", err.message);
	return true;
}

/*
 * For good: such as a log row of a mapping that was deleted meanwhile, which is
 * nobody's loss.
 */
static void refused(const char *what, const struct error *err)
{
	if (err->kind == ERROR_DATA)
		log_debug("control store refused %s: %s", what, err->message);
	else
		log_warning("control store refused %s: %s", what, err->message);
}

/*
 * Everything that is written takes a while: the heart beats in between. Often
 * enough that a beat may be late without anybody minding; the lease is known
 * only once config is read, and may get shorter.
 */
static bool beat(struct reporter *reporter)
{
	int64_t now = clock_ms(), interval_ms;

	pthread_mutex_lock(&reporter->lock);
	interval_ms = reporter->lease_s * INT64_C(1000) / 3;
	pthread_mutex_unlock(&reporter->lock);
	if (interval_ms <= 0 || interval_ms > HEARTBEAT_MS)
		interval_ms = HEARTBEAT_MS;
	if (reporter->beat_ms && now - reporter->beat_ms < interval_ms)
		return true;
	reporter->beat_ms = now;
	return heartbeat(reporter, false);
}

/*
 * Write out what waits now; what comes meanwhile has its turn the next time.
 * What the store refuses is let go. False when it is away or we are to end.
 */
static bool drain(struct reporter *reporter)
{
	struct event *event;
	struct error err = ERROR_INIT;
	size_t count;

	outbox_count(&reporter->outbox, &count, NULL);
	for (; count > 0; count--) {
		if (cancel_level(&reporter->cancel) == CANCEL_NOW ||
		    !beat(reporter))
			return false;
		event = outbox_take(&reporter->outbox);
		if (!event)
			break; /* there was no room for it any more */
		if (write_event(reporter, event, &err) < 0) {
			if (is_away(&err)) {
				outbox_put_back(&reporter->outbox, event);
				lost(reporter, &err);
				return false;
			}
			refused("a row", &err);
		}
		event_free(event);
	}
	return true;
}

/* -------------------------------------------------------- collecting states */

static int write_news(struct control *control, const struct subject_news *news,
		      struct error *err)
{
	for (int lane = 0; lane < REPORT_LANES; lane++)
		if (news->has_run[lane] &&
		    control_save_run(control, &news->run[lane], err) < 0)
			return -1;
	if (news->has_position)
		FAILPOINT(BEFORE_MIRROR);
	if (news->has_position &&
	    control_mirror_position(control, news->state.mapping_id,
				    news->position.bytes, news->position.len,
				    err) < 0)
		return -1;
	if (news->has_state &&
	    control_save_state(control, &news->state, err) < 0)
		return -1;
	return 0;
}

void reporter_list(struct reporter *reporter, struct report_subject *subject)
{
	pthread_mutex_lock(&reporter->lock);
	if (!subject->listed) {
		subject->listed = true;
		subject->next_changed = NULL;
		if (reporter->changed)
			reporter->last_changed->next_changed = subject;
		else
			reporter->changed = subject;
		reporter->last_changed = subject;
		reporter->changed_count++;
	}
	pthread_mutex_unlock(&reporter->lock);
}

static struct report_subject *take_changed(struct reporter *reporter)
{
	struct report_subject *subject;

	pthread_mutex_lock(&reporter->lock);
	subject = reporter->changed;
	if (subject) {
		reporter->changed = subject->next_changed;
		reporter->changed_count--;
		subject->listed = false;
	}
	pthread_mutex_unlock(&reporter->lock);
	return subject;
}

/* One that was removed just now is listed, and has its turn then. */
static void free_removed(struct reporter *reporter,
			 struct report_subject *subject)
{
	struct report_subject **link = &reporter->subjects;
	bool listed;

	pthread_mutex_lock(&reporter->subjects_lock);
	pthread_mutex_lock(&reporter->lock);
	listed = subject->listed;
	pthread_mutex_unlock(&reporter->lock);
	if (!listed) {
		while (*link != subject)
			link = &(*link)->next;
		*link = subject->next;
	}
	pthread_mutex_unlock(&reporter->subjects_lock);
	if (!listed)
		subject_free(subject);
}

/* False when the store is away; then its turn comes again. */
static bool collect(struct reporter *reporter, struct report_subject *subject)
{
	struct subject_news news;
	struct error err = ERROR_INIT;

	subject_collect(subject, reporter->daemon, &news);
	if (write_news(reporter->control, &news, &err) < 0) {
		if (is_away(&err)) {
			subject_put_back(subject, &news);
			lost(reporter, &err);
			return false;
		}
		refused("a state", &err);
	}
	if (subject_is_done(subject))
		free_removed(reporter, subject);
	return true;
}

/* Those that are listed anew meanwhile have their turn the next time. */
static bool collect_all(struct reporter *reporter)
{
	struct report_subject *subject;
	size_t count;

	pthread_mutex_lock(&reporter->lock);
	count = reporter->changed_count;
	pthread_mutex_unlock(&reporter->lock);
	for (; count > 0; count--) {
		if (cancel_level(&reporter->cancel) == CANCEL_NOW ||
		    !beat(reporter))
			return false;
		subject = take_changed(reporter);
		if (subject && !collect(reporter, subject))
			return false;
	}
	return true;
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
	set_connected(reporter, true);
	return true;
}

static void not_tidied(struct reporter *reporter, const char *what,
		       const struct error *err)
{
	if (is_away(err))
		lost(reporter, err);
	else
		log_warning("%s: %s", what, err->message);
}

/* Open errors are never purged: first end those that nobody else would. */
static void purge(struct reporter *reporter)
{
	struct error err = ERROR_INIT;
	int days;

	if (control_resolve_gone(reporter->control, &err) < 0) {
		not_tidied(reporter, "errors of what was deleted", &err);
		return;
	}

	pthread_mutex_lock(&reporter->lock);
	days = reporter->retention_days;
	pthread_mutex_unlock(&reporter->lock);
	if (days > 0 && control_purge(reporter->control,
				      clock_utc_us() - days * DAY_US, &err) < 0)
		not_tidied(reporter, "removing old rows", &err);
}

/* Everything there is to write, once. False when the store is away. */
static bool work(struct reporter *reporter)
{
	uint64_t dropped = outbox_take_dropped(&reporter->outbox);

	if (dropped)
		log_warning("%llu rows for the control tables were dropped, "
			    "because too many waited or memory was short",
			    (unsigned long long)dropped);
	return reconnect(reporter) && beat(reporter) && drain(reporter) &&
	       collect_all(reporter);
}

/* Whoever has something to write pokes us, which must not hasten us here. */
static void wait_to_reconnect(struct reporter *reporter)
{
	int64_t end = clock_ms() + RECONNECT_MS, left;

	while (cancel_level(&reporter->cancel) == CANCEL_NONE &&
	       (left = end - clock_ms()) > 0)
		cancel_sleep(&reporter->cancel, left);
}

static void *reporter_main(void *arg)
{
	struct reporter *reporter = arg;
	int64_t next_purge = 0;

	while (cancel_level(&reporter->cancel) == CANCEL_NONE) {
		if (!work(reporter)) {
			wait_to_reconnect(reporter);
			continue;
		}
		if (clock_ms() >= next_purge) {
			purge(reporter);
			next_purge = clock_ms() + PURGE_MS;
		}
		cancel_sleep(&reporter->cancel, COLLECT_MS);
	}
	/* A last round, for what the workers said on their way out. */
	if (work(reporter))
		(void)heartbeat(reporter, true);
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
	rc = pthread_mutex_init(&reporter->subjects_lock, NULL);
	if (rc)
		goto no_lock;
	rc = clock_cond_init(&reporter->ended);
	if (!rc) {
		rc = pthread_create(&reporter->thread, NULL, reporter_main,
				    reporter);
		if (!rc)
			return 0;
		pthread_cond_destroy(&reporter->ended);
	}
	pthread_mutex_destroy(&reporter->subjects_lock);
no_lock:
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
	if (recent_init(&reporter->recent, err) < 0)
		goto no_recent;
	if (start_thread(reporter, err) < 0)
		goto no_thread;
	*out = reporter;
	return 0;
no_thread:
	recent_release(&reporter->recent);
no_recent:
	outbox_release(&reporter->outbox);
no_outbox:
	cancel_release(&reporter->cancel);
no_cancel:
	free(reporter);
	return -1;
}

bool reporter_stop(struct reporter *reporter, int64_t ms)
{
	int64_t deadline = clock_ms() + ms;
	bool ended;

	cancel_request(&reporter->cancel, CANCEL_DRAIN);
	pthread_mutex_lock(&reporter->lock);
	while (!reporter->has_ended && clock_ms() < deadline)
		clock_cond_wait(&reporter->ended, &reporter->lock, deadline);
	pthread_mutex_unlock(&reporter->lock);

	/* What waits for a silent server is cut off, but for a login. */
	cancel_request(&reporter->cancel, CANCEL_NOW);
	deadline = clock_ms() + CUT_OFF_MS;
	pthread_mutex_lock(&reporter->lock);
	while (!reporter->has_ended && clock_ms() < deadline)
		clock_cond_wait(&reporter->ended, &reporter->lock, deadline);
	ended = reporter->has_ended;
	pthread_mutex_unlock(&reporter->lock);
	if (ended)
		pthread_join(reporter->thread, NULL);
	return ended;
}

void reporter_free(struct reporter *reporter)
{
	struct report_subject *next;

	for (struct report_subject *s = reporter->subjects; s; s = next) {
		next = s->next;
		subject_free(s);
	}
	pthread_cond_destroy(&reporter->ended);
	pthread_mutex_destroy(&reporter->subjects_lock);
	pthread_mutex_destroy(&reporter->lock);
	recent_release(&reporter->recent);
	outbox_release(&reporter->outbox);
	cancel_release(&reporter->cancel);
	free(reporter);
}

void reporter_set_limits(struct reporter *reporter, int retention_days,
			 int lease_s)
{
	pthread_mutex_lock(&reporter->lock);
	reporter->retention_days = retention_days;
	reporter->lease_s = lease_s;
	pthread_mutex_unlock(&reporter->lock);
}

void reporter_set_notifier(struct reporter *reporter, struct notifier *notifier)
{
	reporter->notifier = notifier;
}

void reporter_put(struct reporter *reporter, struct event *event)
{
	outbox_put(&reporter->outbox, event);
	cancel_poke(&reporter->cancel);
}

/* ---------------------------------------------------------------- subjects */

struct report_subject *reporter_add_subject(struct reporter *reporter,
					    int mapping_id)
{
	struct report_subject *subject = subject_new(reporter, mapping_id);

	if (!subject)
		return NULL;
	report_stale_runs(reporter, mapping_id);
	pthread_mutex_lock(&reporter->subjects_lock);
	subject->next = reporter->subjects;
	reporter->subjects = subject;
	pthread_mutex_unlock(&reporter->subjects_lock);
	return subject;
}

void reporter_remove_subject(struct reporter *reporter,
			     struct report_subject *subject)
{
	if (!subject)
		return;
	if (reporter->notifier)
		notifier_rest(reporter->notifier, subject->mapping_id);
	subject_mark_removed(subject);
	cancel_poke(&reporter->cancel);
}

/* ------------------------------------------------------- for those who look */

static int by_id(const void *a, const void *b)
{
	int left = ((const struct overview_mapping *)a)->id;
	int right = ((const struct overview_mapping *)b)->id;

	return (left > right) - (left < right);
}

/* Locks are held for as long as it takes to copy, and never while waiting. */
static int look_at_subjects(struct reporter *reporter, int64_t grace_ms,
			    struct overview *out)
{
	size_t count = 0;
	int ret = -1;

	pthread_mutex_lock(&reporter->subjects_lock);
	for (struct report_subject *s = reporter->subjects; s; s = s->next)
		count++;
	out->mappings =
		arena_calloc(&out->arena, count + 1, sizeof(*out->mappings));
	if (!out->mappings)
		goto done;
	for (struct report_subject *s = reporter->subjects; s; s = s->next) {
		int rc = subject_look(s, grace_ms, out,
				      &out->mappings[out->mapping_count]);

		if (rc < 0)
			goto done;
		out->mapping_count += (size_t)rc;
	}
	ret = 0;
done:
	pthread_mutex_unlock(&reporter->subjects_lock);
	if (ret == 0)
		qsort(out->mappings, out->mapping_count, sizeof(*out->mappings),
		      by_id);
	return ret;
}

int reporter_look(struct reporter *reporter, int64_t grace_ms,
		  struct overview *out)
{
	out->daemon = arena_strdup(&out->arena, reporter->daemon);
	pthread_mutex_lock(&reporter->lock);
	out->control_writable = reporter->connected;
	pthread_mutex_unlock(&reporter->lock);
	outbox_count(&reporter->outbox, &out->waiting, &out->dropped);
	if (!out->daemon || recent_copy(&reporter->recent, out) < 0)
		return -1;
	return look_at_subjects(reporter, grace_ms, out);
}

void reporter_sample(struct reporter *reporter, int64_t grace_ms)
{
	pthread_mutex_lock(&reporter->subjects_lock);
	for (struct report_subject *s = reporter->subjects; s; s = s->next)
		subject_sample(s, grace_ms);
	pthread_mutex_unlock(&reporter->subjects_lock);
}

void reporter_note_error(struct reporter *reporter,
			 const struct control_error *error)
{
	recent_add(&reporter->recent, error);
	if (!error->mapping_id)
		return;
	pthread_mutex_lock(&reporter->subjects_lock);
	for (struct report_subject *s = reporter->subjects; s; s = s->next)
		if (s->mapping_id == error->mapping_id)
			subject_open_error(s, error);
	pthread_mutex_unlock(&reporter->subjects_lock);
}

/* ------------------------------------------------------- what people are told */

/*
 * A lag is looked at each time that it is reported, which may be often: only a
 * change is told at once, and one that goes on now and then.
 */
void reporter_see_lag(struct reporter *reporter, int mapping_id,
		      struct subject_seen *seen, int64_t lag_ms)
{
	int64_t limit;
	int side;

	if (!reporter->notifier || lag_ms < 0)
		return;
	limit = notifier_lag_limit_ms(reporter->notifier);
	side = limit && lag_ms > limit ? 1 : -1;
	if (side == seen->lag_side &&
	    (side < 0 || clock_ms() - seen->lag_ms < LAG_TELL_MS))
		return;
	seen->lag_side = side;
	seen->lag_ms = clock_ms();
	notifier_lag(reporter->notifier, mapping_id, lag_ms);
}

/* Of some states nothing follows: it may be suspended behind them, or not. */
void reporter_see_state(struct reporter *reporter, int mapping_id,
			struct subject_seen *seen, const char *state,
			const char *reason)
{
	bool suspended = !strcmp(state, "SUSPENDED");
	int side = suspended ? 1 : -1;

	if (!reporter->notifier || side == seen->suspended_side ||
	    !strcmp(state, "STARTING") || !strcmp(state, "STOPPED") ||
	    !strcmp(state, "PAUSED"))
		return;
	seen->suspended_side = side;
	if (suspended)
		notifier_trouble(reporter->notifier, mapping_id,
				 NOTICE_SUSPENSION, "SUSPENDED", reason);
	else
		notifier_over(reporter->notifier, mapping_id,
			      NOTICE_SUSPENSION);
}

void reporter_tell_trouble(struct reporter *reporter,
			   const struct control_error *error)
{
	bool verification = !strcmp(error->type, CONTROL_VERIFICATION);

	if (reporter->notifier && !error->subject)
		notifier_trouble(reporter->notifier, error->mapping_id,
				 verification ? NOTICE_VERIFICATION
					      : NOTICE_FAILURE,
				 error->type, error->message);
}

void reporter_tell_over(struct reporter *reporter, int mapping_id,
			int server_id)
{
	recent_resolve(&reporter->recent, mapping_id, server_id);
	pthread_mutex_lock(&reporter->subjects_lock);
	for (struct report_subject *s = reporter->subjects; s; s = s->next)
		if (mapping_id && s->mapping_id == mapping_id)
			subject_resolve_errors(s);
	pthread_mutex_unlock(&reporter->subjects_lock);
	if (reporter->notifier)
		notifier_over(reporter->notifier, mapping_id, NOTICE_FAILURE);
}

void reporter_tell_verified(struct report_subject *subject, bool whole)
{
	struct reporter *reporter = subject->reporter;

	recent_resolve_verification(&reporter->recent, subject->mapping_id,
				    whole);
	if (subject_resolve_verification(subject, whole) && reporter->notifier)
		notifier_over(reporter->notifier, subject->mapping_id,
			      NOTICE_VERIFICATION);
}
