#include "engine/scheduler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/errand.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/platform.h"
#include "base/text.h"
#include "engine/census.h"
#include "engine/engine.h"
#include "engine/lease.h"
#include "engine/notifier.h"
#include "engine/reclaim.h"
#include "engine/requests.h"
#include "engine/slots.h"
#include "engine/survey.h"
#include "engine/topology.h"
#include "engine/worker.h"
#include "notify/courier.h"

/* How the five seconds that a stop may take are spent. */
#define STOP_DRAIN_MS	 1500 /* workers finish what is at hand */
#define STOP_NOW_MS	 2700 /* then they are interrupted, up to here */
#define STOP_TICK_MS	 2900 /* so long a look at the tables may last */
#define STOP_CENSUS_MS	 200  /* and servers are told of mappings */
#define STOP_REPORTER_MS 500  /* what is left to write is written */

/* How long a worker that is replaced may finish what is at hand. */
#define REPLACE_DRAIN_MS 3000

/*
 * The tables know of a worker that the error policy has halted after so long.
 * If they do not say so then, somebody has undone it already.
 */
#define HALT_TOLD_MS 15000

#define WAIT_MS	     100  /* between two looks at workers that end */
#define TICK_WAIT_MS 20	  /* and at a tick */
#define LOOK_MS	     1000 /* and at whether one was shut out */

/* A tick that is waited for comes after this, and twice as long each time. */
#define SOON_MS 250

/* So far back is read what other daemons told people, and we need not. */
#define TOLD_US (INT64_C(2) * 86400 * 1000000)

#define IDLE_MS 60000 /* unused connections are closed after this */

struct scheduler {
	const struct control_spec *spec;
	struct control *control; /* NULL: away */
	struct cancel *cancel;	 /* of the control connection */
	struct engine engine;
	struct settings settings;
	struct monitor *monitor;
	bool listens; /* the monitor, wherever config says */
	struct pulse pulse;
	int64_t read_ms; /* when the tables were read, by the clock */
	struct mapping_default_target fallback;
	char fallback_address[MAPPING_ADDRESS_MAX];
	struct leases leases;
	char daemon[320];
	struct slots slots;
	struct requests requests;
	struct reclaim reclaim;
	bool soon; /* the next tick is waited for */
	int64_t soon_ms;
	size_t shut_out; /* workers, as of the last look */
	char settings_problem[ERROR_MESSAGE_MAX];
	bool settings_proven; /* they were fine once */
	struct notifier *notifier;
	struct census *census;
	bool control_was_lost;
	int64_t told_id; /* up to here the notifier knows what was told */

	/* A tick waits for the control store, maybe long, so it has a thread of
	 * its own. While that runs, everything above is the tick's; but a stop
	 * does not wait for it: then nobody works on anything below the lock
	 * unless `stopping` is false. */
	struct errand tick;
	pthread_mutex_t lock;
	bool stopping;
};

/* ------------------------------------------------------------------ workers */

static void start_worker(struct scheduler *s, struct mapping *mapping,
			 const struct control_mapping *row)
{
	struct error err = ERROR_INIT;
	int id = mapping->id;
	struct slot *slot = slots_add(&s->slots, id);

	if (!slot) {
		mapping_free(mapping);
		log_error("mapping %d: no memory to start it", id);
		return;
	}
	slot->worker = worker_start(&s->engine, mapping, row,
				    leases_epoch(&s->leases, id), &err);
	if (!slot->worker) {
		log_error("mapping %d: %s", id, err.message);
		slots_remove(&s->slots, slot);
	}
}

/* Free the workers that have ended. True when there was one. */
static bool reap(struct scheduler *s)
{
	bool any = false;
	size_t i = 0;

	while (i < s->slots.count) {
		struct slot *slot = &s->slots.items[i];

		if (slot->stopping &&
		    clock_ms() - slot->stop_since_ms > REPLACE_DRAIN_MS)
			worker_stop(slot->worker, CANCEL_NOW);
		if (!worker_has_ended(slot->worker)) {
			i++;
			continue;
		}
		worker_free(slot->worker);
		slots_remove(&s->slots, slot);
		any = true;
	}
	return any;
}

static bool is_stopping(const struct scheduler *s)
{
	for (size_t i = 0; i < s->slots.count; i++)
		if (s->slots.items[i].stopping)
			return true;
	return false;
}

/* Bring the worker of a mapping in line with it; takes the mapping over. */
static void reconcile_one(struct scheduler *s, struct mapping *mapping,
			  const struct control_snapshot *snapshot)
{
	struct slot *slot = slots_find(&s->slots, mapping->id);

	const struct control_mapping *row =
		control_find_mapping(snapshot, mapping->id);

	if (!slot && leases_epoch(&s->leases, mapping->id) &&
	    (mapping->paused ||
	     !requests_pauses(&s->requests, snapshot, mapping->id))) {
		start_worker(s, mapping, row);
		return;
	}
	if (slot)
		worker_see(slot->worker, row, s->read_ms);
	/* The successor of one that stops starts when that has ended. */
	if (slot && (!mapping_equal(worker_mapping(slot->worker), mapping) ||
		     worker_halted_ms(slot->worker) > HALT_TOLD_MS))
		slot_stop(slot);
	mapping_free(mapping);
}

static void free_mappings(struct mapping **mappings, size_t count)
{
	for (size_t i = 0; mappings && i < count; i++)
		mapping_free(mappings[i]);
	free(mappings);
}

/*
 * The mappings of all rows that are switched on. All or none: how they stand to
 * each other shows only when all are there.
 */
static struct mapping **make_mappings(struct scheduler *s,
				      struct control_snapshot *snapshot,
				      size_t *count, struct error *err)
{
	struct mapping **mappings =
		calloc(snapshot->mapping_count + 1, sizeof(*mappings));

	*count = 0;
	if (!mappings) {
		error_memory(err, "the mappings");
		return NULL;
	}
	if (mapping_find_addresses(snapshot, err) < 0)
		goto failed;
	for (size_t i = 0; i < snapshot->mapping_count; i++) {
		if (!mapping_is_enabled(&snapshot->mappings[i], snapshot))
			continue;
		mappings[*count] = mapping_new(&snapshot->mappings[i], snapshot,
					       &s->fallback);
		if (!mappings[*count]) {
			error_memory(err, "the mappings");
			goto failed;
		}
		(*count)++;
	}
	if (topology_check(mappings, *count, err) == 0)
		return mappings;
failed:
	free_mappings(mappings, *count);
	return NULL;
}

/* What was handed to another daemon is that one's to talk about. */
static void stop_what_is_not_ours(struct scheduler *s,
				  const struct control_snapshot *snapshot)
{
	for (size_t i = 0; i < s->slots.count; i++) {
		struct slot *slot = &s->slots.items[i];
		int id = slot->mapping_id;
		const struct control_mapping *row =
			control_find_mapping(snapshot, id);

		if (row &&
		    leases_epoch(&s->leases, id) != worker_epoch(slot->worker))
			worker_disown(slot->worker);
		else if (row && mapping_is_enabled(row, snapshot))
			continue;
		slot_stop(slot);
	}
}

static void reconcile(struct scheduler *s, struct control_snapshot *snapshot)
{
	struct error err = ERROR_INIT;
	struct mapping **mappings;
	size_t count;

	stop_what_is_not_ours(s, snapshot);
	mappings = make_mappings(s, snapshot, &count, &err);
	if (!mappings) {
		log_error("%s; the mappings go on as they are", err.message);
		return;
	}
	s->pulse.due = 0;
	for (size_t i = 0; i < count; i++) {
		if (leases_epoch(&s->leases, mappings[i]->id))
			s->pulse.due++;
		reconcile_one(s, mappings[i], snapshot);
	}
	free(mappings);
}

/* --------------------------------------------------------------------- tick */

static void add_problem(struct error *err, const struct error *problem)
{
	if (err->kind == ERROR_NONE)
		*err = *problem;
	else
		error_wrap(err, "%s; and", problem->message);
}

/* Where to listen may be settled by the program's own settings. */
static void follow_monitor(struct scheduler *s, struct error *err)
{
	struct error problem = ERROR_INIT;

	if (!s->listens)
		monitor_listen(s->monitor, s->settings.metrics_listen);
	if (monitor_check(s->monitor, &problem) < 0)
		add_problem(err, &problem);
}

static size_t count_enabled(const struct control_snapshot *snapshot)
{
	size_t count = 0;

	for (size_t i = 0; i < snapshot->mapping_count; i++)
		count += mapping_is_enabled(&snapshot->mappings[i], snapshot);
	return count;
}

/*
 * A bad setting is told once, and resolved when it is mended, be it while no
 * daemon ran. One row for all of them: the daemon's own troubles share it.
 */
static void read_settings(struct scheduler *s,
			  const struct control_snapshot *snapshot)
{
	struct error err = ERROR_INIT, problem = ERROR_INIT;
	struct control_error row = {.type = "OTHER", .message = err.message};

	if (settings_load(&s->settings, snapshot, &err) < 0)
		log_debug("%s", err.message);
	follow_monitor(s, &err);
	if (engine_set_settings(&s->engine, &s->settings,
				count_enabled(snapshot), &problem) < 0)
		add_problem(&err, &problem);
	if (err.kind != ERROR_NONE) {
		if (strcmp(s->settings_problem, err.message))
			report_error(s->engine.reporter, &row);
	} else {
		if (s->settings_problem[0] || !s->settings_proven)
			report_resolved(s->engine.reporter, 0, 0);
		s->settings_proven = true;
	}
	text_copy(s->settings_problem, sizeof(s->settings_problem),
		  err.message);
}

/*
 * Before the workers, who have something to tell. If it cannot be read what was
 * told, people hear it twice: nothing to stop work for.
 */
static void recall_told(struct scheduler *s,
			const struct control_snapshot *snapshot)
{
	struct control_told_list told;
	struct error err = ERROR_INIT;
	int64_t repeat_us = s->settings.notify_repeat_min * INT64_C(60000000);
	int64_t back_us = 2 * repeat_us > TOLD_US ? 2 * repeat_us : TOLD_US;

	if (!snapshot->channel_count)
		return;
	if (control_read_told(s->control, s->told_id, clock_utc_us() - back_us,
			      &told, &err) < 0) {
		log_warning("notifications: %s", err.message);
		return;
	}
	notifier_recall(s->notifier, &told);
	if (told.count)
		s->told_id = told.rows[told.count - 1].id;
	control_told_release(&told);
}

static void lost_control(struct scheduler *s, const struct error *err)
{
	char message[ERROR_MESSAGE_MAX];

	if (err->kind == ERROR_CANCELLED)
		return;
	log_warning("control store: %s; the mappings go on as they are",
		    err->message);
	snprintf(message, sizeof(message), "the control tables are away: ");
	text_append(message, sizeof(message), err->message);
	notifier_trouble(s->notifier, 0, NOTICE_FAILURE, "CONNECTION", message);
	s->control_was_lost = true;
	control_close(s->control);
	s->control = NULL;
}

/* A bad setting is the same trouble, and still there. */
static void regained_control(struct scheduler *s)
{
	if (!s->control_was_lost)
		return;
	s->control_was_lost = false;
	notifier_over(s->notifier, 0, NOTICE_FAILURE);
	if (s->settings_problem[0])
		notifier_trouble(s->notifier, 0, NOTICE_FAILURE, "OTHER",
				 s->settings_problem);
}

static bool reopen_control(struct scheduler *s)
{
	enum control_trouble trouble;
	struct error err = ERROR_INIT;

	if (s->control)
		return true;
	if (control_open(s->spec, s->cancel, &s->control, &trouble, &err) < 0) {
		s->control = NULL;
		log_debug("control store: %s", err.message);
		return false;
	}
	return true;
}

/* Between two waits for the store. False: it is all over. */
static bool go_on(struct scheduler *s)
{
	pthread_mutex_lock(&s->lock);
	if (!s->stopping)
		return true;
	pthread_mutex_unlock(&s->lock);
	return false;
}

static bool take_over(struct scheduler *s,
		      const struct control_snapshot *snapshot)
{
	if (!go_on(s))
		return false;
	if (!s->engine.installation[0])
		text_copy(s->engine.installation,
			  sizeof(s->engine.installation),
			  snapshot->installation_id);
	regained_control(s);
	read_settings(s, snapshot);
	notifier_update(s->notifier, snapshot, &s->settings,
			s->leases.own_count > 0);
	pthread_mutex_unlock(&s->lock);
	return true;
}

/* Of mappings that became ours and have no worker, who would do it. */
static void end_stale_runs(struct scheduler *s)
{
	for (size_t i = 0; i < s->leases.own_count; i++) {
		const struct control_lease *lease = &s->leases.own[i];

		if (leases_is_gained(&s->leases, lease) &&
		    !slots_find(&s->slots, lease->mapping_id))
			report_stale_runs(s->engine.reporter,
					  lease->mapping_id);
	}
}

/* Ours by the control store, but not by the destination? */
static void reclaim(struct scheduler *s)
{
	struct error err = ERROR_INIT;

	if (!go_on(s))
		return;
	reclaim_look(&s->reclaim, &s->slots);
	pthread_mutex_unlock(&s->lock);
	if (reclaim_raise(&s->reclaim, &s->leases, s->control,
			  s->engine.reporter, &err) == 0)
		return;
	if (err.kind == ERROR_CONNECTION || err.retryable)
		lost_control(s, &err);
	else
		log_warning("leases: %s", err.message);
}

static void bring_in_line(struct scheduler *s,
			  struct control_snapshot *snapshot)
{
	if (!go_on(s))
		return;
	reconcile(s, snapshot);
	end_stale_runs(s);
	census_see(s->census, snapshot);
	s->soon = requests_handle(&s->requests, snapshot);
	for (size_t i = 0; i < s->slots.count; i++)
		worker_go(s->slots.items[i].worker);
	s->pulse.control_read_us = clock_utc_us();
	s->pulse.running = s->slots.count;
	pthread_mutex_unlock(&s->lock);
}

static void do_tick(struct scheduler *s)
{
	struct control_snapshot snapshot;
	struct error err = ERROR_INIT;

	if (!reopen_control(s))
		return;
	s->read_ms = clock_ms();
	if (control_load(s->control, &snapshot, &err) < 0) {
		lost_control(s, &err);
		return;
	}
	if (!take_over(s, &snapshot)) {
		control_snapshot_release(&snapshot);
		return;
	}
	recall_told(s, &snapshot);
	if (leases_update(&s->leases, s->control,
			  s->settings.lease_s * INT64_C(1000), &err) == 0) {
		FAILPOINT(START_CLAIMED);
		reclaim(s);
		bring_in_line(s, &snapshot);
	} else if (err.kind == ERROR_CONNECTION || err.retryable) {
		lost_control(s, &err);
	} else {
		/* Two daemons claimed the same mapping: the next tick tells. */
		log_debug("leases: %s", err.message);
	}
	control_snapshot_release(&snapshot);
	pool_expire(&s->engine.pool, NULL, IDLE_MS);
}

static void tick(void *arg)
{
	struct scheduler *s = arg;

	s->soon = false;
	do_tick(s);
	s->pulse.control_readable = s->control != NULL;
	engine_set_pulse(&s->engine, &s->pulse);
}

/* True: one is under way now. */
static bool begin_tick(struct scheduler *s)
{
	struct error err = ERROR_INIT;

	if (errand_start(&s->tick, tick, s, &err) == 0)
		return true;
	log_error("%s", err.message);
	return false;
}

static void poke_all(struct scheduler *s)
{
	for (size_t i = 0; i < s->slots.count; i++)
		worker_poke(s->slots.items[i].worker);
}

static int64_t until_next_tick(struct scheduler *s)
{
	int64_t interval = s->settings.check_interval_s * INT64_C(1000);

	s->soon_ms = !s->soon ? 0 : s->soon_ms ? s->soon_ms * 2 : SOON_MS;
	if (s->soon_ms > interval)
		s->soon_ms = interval;
	return s->soon ? s->soon_ms : interval;
}

/* Was another worker shut out since the last look? The next tick sees why. */
static bool see_shut_out(struct scheduler *s)
{
	size_t before = s->shut_out;

	s->shut_out = 0;
	for (size_t i = 0; i < s->slots.count; i++)
		s->shut_out += worker_shut_out(s->slots.items[i].worker) >= 0;
	return s->shut_out > before;
}

/* Until the operating system asks to stop. */
static void run(struct scheduler *s)
{
	bool ticking = false, at_once = true, poke = false;
	int64_t next_tick = 0;

	for (;;) {
		int64_t wait = TICK_WAIT_MS;

		if (ticking && errand_has_ended(&s->tick)) {
			ticking = false;
			if (poke && !at_once) {
				poke_all(s);
				poke = false;
			}
			next_tick = clock_ms() + until_next_tick(s);
		}
		if (!ticking) {
			if (reap(s) || see_shut_out(s) || at_once ||
			    clock_ms() >= next_tick) {
				at_once = false;
				ticking = begin_tick(s);
			}
			if (!ticking)
				wait = is_stopping(s) ? WAIT_MS
						      : next_tick - clock_ms();
		}
		if (wait > LOOK_MS)
			wait = LOOK_MS;
		switch (platform_wait(wait > 0 ? wait : 0)) {
		case PLATFORM_STOP:
			return;
		case PLATFORM_RELOAD:
			log_info("reading the control tables again");
			at_once = poke = true;
			break;
		case PLATFORM_TIMEOUT:
			break;
		}
	}
}

/* --------------------------------------------------------------- start, stop */

static void stop_all(struct scheduler *s, enum cancel_level level)
{
	for (size_t i = 0; i < s->slots.count; i++)
		worker_stop(s->slots.items[i].worker, level);
}

/* Wait for the workers to end. False when some are left at the end of it. */
static bool stop_workers(struct scheduler *s)
{
	int64_t began = clock_ms();
	bool at_once = false;

	stop_all(s, CANCEL_DRAIN);
	while (s->slots.count && clock_ms() - began < STOP_NOW_MS) {
		if (clock_ms() - began > STOP_DRAIN_MS)
			stop_all(s, CANCEL_NOW);
		if (platform_wait(WAIT_MS / 4) == PLATFORM_STOP) {
			at_once = true;
			break;
		}
		reap(s);
	}
	if (s->slots.count && !at_once)
		log_warning("some mappings do not come to an end; their "
			    "servers will roll back what was not committed");
	return s->slots.count == 0;
}

static int start(struct scheduler *s, struct error *err)
{
	struct monitor_source source;

	int rc;

	FAILPOINT(START_OPENED);
	rc = pthread_mutex_init(&s->lock, NULL);
	if (rc)
		return error_errno(err, rc, "cannot make a lock");
	if (engine_init(&s->engine, err) < 0)
		goto no_engine;
	settings_init(&s->settings);
	platform_identity(s->daemon, sizeof(s->daemon));
	s->leases.daemon = s->daemon;
	s->requests.leases = &s->leases;
	s->requests.slots = &s->slots;
	/* Before the first claim, or it would pass for one of the dead. */
	if (control_heartbeat(s->control, s->daemon, false, err) < 0 ||
	    courier_global_init(err) < 0)
		goto no_courier;
	if (reporter_start(&s->engine.reporter, s->spec, s->daemon, err) < 0)
		goto no_reporter;
	s->requests.reporter = s->engine.reporter;
	if (notifier_start(&s->notifier, s->engine.reporter, s->daemon, err) <
	    0)
		goto no_notifier;
	s->census = census_new(&s->engine);
	if (!s->census) {
		error_memory(err, "the scheduler");
		goto no_census;
	}
	reporter_set_notifier(s->engine.reporter, s->notifier);
	survey_begin(&s->engine, &source);
	monitor_watch(s->monitor, &source);
	return 0;
no_census:
	if (notifier_stop(s->notifier))
		notifier_free(s->notifier);
no_notifier:
	if (reporter_stop(s->engine.reporter, STOP_REPORTER_MS))
		reporter_free(s->engine.reporter);
no_reporter:
	courier_global_exit();
no_courier:
	engine_release(&s->engine);
no_engine:
	pthread_mutex_destroy(&s->lock);
	return -1;
}

/* Threads that did not end may still use all of this: then it stays. */
static void stop(struct scheduler *s, bool *clean)
{
	int64_t began = clock_ms();

	platform_notify("STOPPING=1");
	log_info("stopping");
	FAILPOINT(STOP_ASKED);
	cancel_request(s->cancel, CANCEL_NOW);
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_mutex_unlock(&s->lock);
	monitor_stop(s->monitor);
	notifier_drain(s->notifier);
	*clean = stop_workers(s);
	FAILPOINT(STOP_WORKED);
	if (!errand_wait(&s->tick, began + STOP_TICK_MS - clock_ms()))
		*clean = false;
	if (!census_stop(s->census, STOP_CENSUS_MS))
		*clean = false;
	if (!notifier_stop(s->notifier))
		*clean = false;
	if (!reporter_stop(s->engine.reporter, STOP_REPORTER_MS))
		*clean = false;
	if (!*clean)
		return;
	census_free(s->census);
	control_close(s->control);
	notifier_free(s->notifier);
	courier_global_exit();
	reporter_free(s->engine.reporter);
	engine_release(&s->engine);
	pthread_mutex_destroy(&s->lock);
	leases_release(&s->leases);
	slots_release(&s->slots);
	requests_release(&s->requests);
	reclaim_release(&s->reclaim);
	free(s);
}

int scheduler_run(const struct control_spec *spec, struct control *control,
		  struct cancel *cancel, struct monitor *monitor, bool listens,
		  bool *clean, struct error *err)
{
	struct scheduler *s = calloc(1, sizeof(*s));

	*clean = true;
	if (!s) {
		error_memory(err, "the scheduler");
		goto failed;
	}
	s->spec = spec;
	s->control = control;
	s->cancel = cancel;
	s->monitor = monitor;
	s->listens = listens;
	control_default_target(spec, &s->fallback.type,
			       &s->fallback.connection_string);
	s->fallback.address = s->fallback_address;
	if (mapping_find_address(s->fallback.type,
				 s->fallback.connection_string,
				 s->fallback_address, err) < 0 ||
	    start(s, err) < 0)
		goto failed;
	platform_notify("READY=1\nSTATUS=running");
	run(s);
	stop(s, clean);
	log_info("stopped");
	return 0;
failed:
	control_close(control);
	free(s);
	return -1;
}
