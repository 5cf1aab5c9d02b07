/*
 * A worker's life is a loop of steps with sleeps between them. A step borrows
 * the connections that both ends need, does whatever is due, and gives them
 * back, so that a sleeping mapping holds a thread and nothing else. What is
 * due, in this order: a full sync that somebody asked for (a request, the
 * trigger column, a destination that was never loaded, a gap in the log), then
 * changes, then a slice of a verification.
 *
 * While changes flow, the next window is read at once; then the sleeps double
 * from SLEEP_MIN_MS up to the interval.
 */
#include "engine/worker.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "engine/compact.h"
#include "engine/follow.h"
#include "engine/full_sync.h"
#include "engine/orders.h"
#include "engine/policy.h"
#include "engine/retry.h"
#include "engine/triggers.h"
#include "engine/verify.h"

#define SLEEP_MIN_MS 100
#define STACK_BYTES  (512 * 1024)

#define FENCED_SLEEP_MS 60000 /* nothing is waited for but the end */

/* A verification that is under way goes on soon. */
#define VERIFY_SLEEP_MS 200

struct worker {
	struct engine *engine;
	struct mapping *mapping;
	int64_t epoch; /* of the lease */
	struct report_subject *subject;
	struct cancel cancel;
	pthread_t thread;
	atomic_bool ended;
	atomic_bool disowned;  /* another daemon works on it */
	atomic_llong shut_out; /* see worker_shut_out() */

	struct orders orders; /* what was asked for */

	/* The thread's own. */
	struct settings settings;
	struct link link;
	bool opened;
	struct verify verify;
	struct compact compact;
	struct follow follow;
	struct retry retry;
	const char *why_full_sync; /* NULL: nobody asked */
	struct triggers triggers;
	int64_t idle_sleep_ms;
	bool connected_told;
	bool proven;		    /* it has worked once */
	char note[WINDOW_NOTE_MAX]; /* that stands in error_logs, or "" */
	const char *halted;	    /* the state, once the policy says so */
	char halted_reason[REPORT_REASON_MAX];
	atomic_llong halted_since_ms; /* 0: it is not */
};

/* ---------------------------------------------------------------- requests */

void worker_order(struct worker *worker, struct order *order)
{
	if (orders_put(&worker->orders, order))
		cancel_poke(&worker->cancel);
}

static void answer_orders(struct worker *worker, enum order_kind kind,
			  const char *state, const char *answer)
{
	orders_answer(&worker->orders, kind, worker->engine->reporter, state,
		      answer);
}

static int hand_orders_over(struct worker *worker, struct error *err)
{
	struct order order;

	while (orders_take_for_verify(&worker->orders, &order))
		if (verify_order(&worker->verify, &order, err) < 0)
			return -1;
	return 0;
}

static void refuse_changes(struct worker *worker, const char *why)
{
	answer_orders(worker, ORDER_SKIP_TO_NOW, "FAILED", why);
	answer_orders(worker, ORDER_COMPACT, "FAILED", why);
}

/* Of all but full syncs, which need nothing but to be tried. */
static void refuse_orders(struct worker *worker, const char *why)
{
	refuse_changes(worker, why);
	verify_refuse_orders(&worker->verify, why, false);
}

/* --------------------------------------------------------------- full sync */

static void tell_full_sync(struct worker *worker, uint64_t rows, int64_t ms)
{
	char answer[128];

	snprintf(answer, sizeof(answer), "%llu rows in %.1f s",
		 (unsigned long long)rows, (double)ms / 1000.0);
	report_log(worker->subject, LOG_INFO, "FULL_SYNC", (int64_t)rows, ms,
		   "full sync of '%s' done: %s", worker->mapping->name, answer);
	report_run_end(worker->subject, REPORT_MOVING, "COMPLETED", NULL);
	/* Whatever differed was written anew. */
	report_verification_resolved(worker->subject, true);
	answer_orders(worker, ORDER_FULL_SYNC, "COMPLETED", answer);
}

static int do_full_sync(struct worker *worker, struct error *err)
{
	int64_t began = clock_ms();
	uint64_t rows;
	bool again;

	report_state(worker->subject, "FULL_SYNC", worker->why_full_sync, 0);
	report_log(worker->subject, LOG_INFO, "FULL_SYNC", -1, -1,
		   "full sync of '%s' begins: %s", worker->mapping->name,
		   worker->why_full_sync);
	answer_orders(worker, ORDER_FULL_SYNC, "RUNNING", NULL);
	verify_begin_anew(&worker->verify);
	if (full_sync_run(&worker->link, &rows, &again, err) < 0)
		return -1;
	tell_full_sync(worker, rows, clock_ms() - began);
	worker->why_full_sync =
		again ? "the trigger column was set while the last one ran"
		      : NULL;
	return 0;
}

/*
 * How long an idle mapping sleeps: up to an eighth shorter than was asked for, by
 * another part for each, so that those which began together drift apart and do
 * not all need connections at once.
 */
static int64_t idle_interval(const struct worker *worker)
{
	int64_t interval = worker->settings.check_interval_s * INT64_C(1000);
	uint32_t spread = (uint32_t)worker->mapping->id * 2654435761u;

	return interval - (interval / 8 * (spread >> 22)) / 1024;
}

/* What asks for a full sync now? */
static int look_for_reasons(struct worker *worker, struct error *err)
{
	bool asked = false;

	if (orders_begun(&worker->orders, ORDER_FULL_SYNC))
		worker->why_full_sync = "requested in sync_requests";
	if (!worker->why_full_sync &&
	    triggers_look(&worker->triggers, &worker->link,
			  idle_interval(worker), &asked, err) < 0)
		return -1;
	if (asked)
		worker->why_full_sync = "the trigger column holds a 1";
	if (worker->why_full_sync)
		return 0;
	if (link_attach(&worker->link, false, err) < 0)
		return -1;
	if (worker->link.loaded &&
	    (!worker->mapping->cdc_enabled || worker->link.stored.position.len))
		return 0;
	if (worker->settings.initial_full_sync)
		worker->why_full_sync =
			worker->link.loaded
				? "change capture was switched on"
				: "the destination was never loaded";
	return 0;
}

/* ----------------------------------------------------------------- changes */

/* A log that stands still is no error of ours, but an error it is. */
static void tell_note(struct worker *worker, const char *note)
{
	struct control_error row = {
		.mapping_id = worker->mapping->id,
		.server_id = worker->mapping->from.id,
		.type = "SYNC",
		.message = note,
	};

	/* Not in a step whose success resolves everything. */
	if (!worker->proven || worker->retry.failures ||
	    !strcmp(worker->note, note))
		return;
	text_copy(worker->note, sizeof(worker->note), note);
	if (*note)
		report_error(worker->engine->reporter, &row);
	else
		report_resolved(worker->engine->reporter, worker->mapping->id,
				0);
}

/*
 * One row of sync_status for a time of changes, from the first to when it is
 * caught up.
 */
static void tell_changes(void *arg, const struct cdc_step *step)
{
	struct worker *worker = arg;
	char aside[96] = "";

	/* Of a log that stands still nobody knows how far behind it is. */
	report_lag(worker->subject, *step->note ? -1 : step->lag_ms,
		   step->consistent);
	if (worker->link.exceptions)
		snprintf(aside, sizeof(aside),
			 "%llu rows are put aside: see apply_exceptions",
			 (unsigned long long)worker->link.exceptions);
	report_state(worker->subject, "CDC",
		     *step->note ? step->note
		     : !step->consistent
			     ? "catching up with what changed during the full "
			       "sync"
		     : *aside ? aside
			      : NULL,
		     0);
	tell_note(worker, step->note);
	if (step->caught_up)
		report_run_end(worker->subject, REPORT_MOVING, "COMPLETED",
			       NULL);
}

/*
 * Leave out everything up to now, as a DBA has asked: what is lost that way a
 * verification finds.
 */
static int skip_to_now(struct worker *worker, struct error *err)
{
	struct strbuf answer;

	if (!orders_begun(&worker->orders, ORDER_SKIP_TO_NOW))
		return 0;
	strbuf_init(&answer);
	if (cdc_skip_to_now(&worker->link, &answer, err) < 0) {
		strbuf_release(&answer);
		return -1;
	}
	report_log(worker->subject, LOG_WARNING, "CDC", -1, -1, "'%s': %s",
		   worker->mapping->name, answer.data);
	answer_orders(worker, ORDER_SKIP_TO_NOW, "COMPLETED", answer.data);
	strbuf_release(&answer);
	return 0;
}

/* --------------------------------------------------------------- verification */

/* Of a copy that shows no mixture of a load. */
static int do_verification(struct worker *worker, struct error *err)
{
	struct link *link = &worker->link;

	if (!verify_refuse_impossible(&worker->verify, link))
		return 0;
	if (!link->attached || link->stored.consistent_after_us ||
	    !verify_is_due(&worker->verify, &worker->settings))
		return 0;
	return verify_slice(&worker->verify, link, err);
}

/* -------------------------------------------------------------------- steps */

/* The mapping waits for memory: what its verification has can be had again. */
static void make_room(void *arg)
{
	struct worker *worker = arg;

	verify_begin_anew(&worker->verify);
	compact_begin_anew(&worker->compact);
}

static int open_link(struct worker *worker, struct error *err)
{
	struct link *link = &worker->link;

	if (worker->opened)
		return 0;
	if (worker->mapping->problem.kind != ERROR_NONE) {
		*err = worker->mapping->problem;
		return -1;
	}
	memset(link, 0, sizeof(*link));
	link->mapping = worker->mapping;
	link->cancel = &worker->cancel;
	link->epoch = worker->epoch;
	link->subject = worker->subject;
	link->memory.make_room = make_room;
	link->memory.arg = worker;
	if (link_join(link, worker->engine, err) < 0)
		return -1;
	if (link_open(link, err) < 0) {
		link_leave(link, worker->engine);
		return -1;
	}
	worker->opened = true;
	return 0;
}

static void close_link(struct worker *worker)
{
	verify_release(&worker->verify);
	compact_end(&worker->compact);
	if (!worker->opened)
		return;
	link_close(&worker->link);
	link_leave(&worker->link, worker->engine);
	worker->opened = false;
}

static void tell_connected(struct worker *worker)
{
	struct reporter *reporter = worker->engine->reporter;

	if (worker->connected_told || !worker->link.attached)
		return;
	report_connected(reporter, false, worker->mapping->from.id);
	if (worker->mapping->to.id)
		report_connected(reporter, true, worker->mapping->to.id);
	worker->connected_told = true;
}

/* What is due, with connections reserved. */
static int do_what_is_due(struct worker *worker, struct error *err)
{
	bool busy;

	if (look_for_reasons(worker, err) < 0 ||
	    (worker->why_full_sync && do_full_sync(worker, err) < 0))
		return -1;
	tell_connected(worker);
	if (!worker->link.loaded) {
		refuse_orders(worker, "the destination was never loaded; "
				      "request a FULL_SYNC");
		report_state(worker->subject, "WAITING",
			     "never loaded: initial_full_sync is 0, request a "
			     "full sync",
			     0);
		return 0;
	}
	if (!worker->mapping->cdc_enabled) {
		report_lag(worker->subject, -1, true);
		report_state(worker->subject, "IDLE", NULL, 0);
		refuse_changes(worker, "the mapping does not follow changes: "
				       "cdc_enabled is 0");
		return do_verification(worker, err);
	}
	if (skip_to_now(worker, err) < 0 ||
	    follow_changes(&worker->follow, &busy, err) < 0)
		return -1;
	if (busy)
		worker->idle_sleep_ms = 0;
	if (compact_step(&worker->compact, &worker->link, &worker->orders,
			 err) < 0)
		return -1;
	return do_verification(worker, err);
}

static int attempt(struct worker *worker, struct error *err)
{
	struct pool *pool = &worker->engine->pool;
	unsigned connections;
	int ret;

	orders_begin(&worker->orders);
	if (hand_orders_over(worker, err) < 0 || open_link(worker, err) < 0)
		return -1;
	worker->link.settings = worker->settings;
	worker->link.applying = false;
	worker->link.memory.own = engine_own_memory(worker->engine);
	connections = worker->link.src->ops->connections +
		      worker->link.dst->ops->connections;
	if (pool_reserve(pool, worker->link.share, connections, &worker->cancel,
			 err) < 0)
		return -1;
	ret = do_what_is_due(worker, err);
	link_release(&worker->link);
	pool_unreserve(pool, worker->link.share, connections);
	return ret;
}

/* ------------------------------------------------------------------- errors */

static void record(struct worker *worker, const struct error *err,
		   const struct retry_decision *decision)
{
	const struct strbuf *details = &worker->link.details;
	struct control_error row = {
		.mapping_id = worker->mapping->id,
		.server_id = worker->mapping->from.id,
		.type = retry_error_type(err->kind),
		.message = err->message,
		.details =
			worker->opened && details->len ? details->data : NULL,
		.retry_count = decision->retry_count,
	};

	report_error(worker->engine->reporter, &row);
	answer_orders(worker, ORDER_FULL_SYNC, "FAILED", err->message);
	refuse_orders(worker, err->message);
	worker->why_full_sync = NULL;
}

/* Nothing more until the tables say so, which they are told now. */
static void halt(struct worker *worker, const struct error *err,
		 enum error_action action)
{
	struct reporter *reporter = worker->engine->reporter;
	bool suspend = action == ERROR_ACTION_SUSPEND;
	int id = worker->mapping->id;

	worker->halted = suspend ? "SUSPENDED" : "STOPPED";
	text_copy(worker->halted_reason, sizeof(worker->halted_reason),
		  err->message);
	report_log(worker->subject, LOG_ERROR, NULL, -1, -1,
		   suspend ? "'%s' is suspended until a RESUME in "
			     "sync_requests: %s"
			   : "'%s' is switched off: %s",
		   worker->mapping->name, err->message);
	if (suspend)
		report_suspended(reporter, id, err->message);
	else
		report_switched_off(reporter, id);
	report_state(worker->subject, worker->halted, worker->halted_reason, 0);
	atomic_store(&worker->halted_since_ms, clock_ms());
}

/* Once more, at once, without the rows that are refused? */
static bool isolate(struct worker *worker, const struct policy *policy,
		    const struct policy_case *c)
{
	struct link *link = &worker->link;

	if (!policy_isolates(policy, c, &link->keep))
		return false;
	link->isolate = true;
	report_log(worker->subject, LOG_INFO, "CDC", -1, -1,
		   "a row is refused, the others are applied: %s",
		   c->err->message);
	return true;
}

static struct policy_case describe_case(const struct worker *worker,
					const struct error *err)
{
	const struct link *link = &worker->link;
	struct policy_case c = {.err = err};

	if (!worker->opened)
		return c;
	c.applying = link->applying;
	c.can_isolate = link->dst->ops->begin_isolated != NULL;
	c.isolated = link->isolate;
	c.exceeded = link->isolate && link->exceeded;
	c.healed = err->kind == ERROR_GAP && worker->settings.resync_on_gap;
	return c;
}

static int64_t failed(struct worker *worker, struct error *err)
{
	struct policy_case c = describe_case(worker, err);
	struct policy_verdict verdict;
	struct policy actions;
	struct retry_policy policy = {
		.max_attempts = worker->settings.max_attempts,
		.delay_ms = worker->settings.retry_delay_s * INT64_C(1000),
		.interval_ms =
			worker->settings.check_interval_s * INT64_C(1000),
	};
	struct retry_decision decision;

	policy_init(&actions, &worker->settings, worker->mapping);
	if (isolate(worker, &actions, &c))
		return 0;
	decision = retry_failed(&worker->retry, err, &policy);
	c.recorded = decision.record;
	c.records = worker->retry.records;
	verdict = policy_judge(&actions, &c);
	if (verdict.note)
		error_append(err, verdict.note);
	if (decision.record)
		record(worker, err, &decision);
	else
		report_log(worker->subject, LOG_WARNING, NULL, -1, -1,
			   "attempt %d of %d failed: %s",
			   worker->retry.failures, policy.max_attempts,
			   err->message);
	report_run_end(worker->subject, REPORT_MOVING, "ERROR", err->message);
	/* A gap is told as an error, and healed if that is allowed. */
	if (err->kind == ERROR_GAP && worker->settings.resync_on_gap) {
		worker->why_full_sync = "a gap in the change log";
		decision.wait_ms = 0;
	}
	report_state(worker->subject, decision.record ? "ERROR" : "RETRYING",
		     err->message,
		     clock_utc_us() + decision.wait_ms * INT64_C(1000));
	/* Whatever was known may be why it failed. */
	verify_begin_anew(&worker->verify);
	compact_end(&worker->compact);
	if (worker->opened)
		link_forget(&worker->link);
	worker->link.isolate = false;
	if (verdict.action != ERROR_ACTION_RETRY)
		halt(worker, err, verdict.action);
	return decision.wait_ms;
}

static void succeeded(struct worker *worker)
{
	bool failed = retry_succeeded(&worker->retry);

	report_success(worker->subject);
	/* At first also what a worker before this one has told. */
	if (failed || !worker->proven) {
		report_resolved(worker->engine->reporter, worker->mapping->id,
				0);
		worker->note[0] = '\0'; /* likewise: tell it again */
	}
	worker->proven = true;
	if (failed)
		report_log(worker->subject, LOG_INFO, NULL, -1, -1,
			   "'%s' works again", worker->mapping->name);
}

static int64_t next_sleep(struct worker *worker)
{
	int64_t interval = idle_interval(worker), rest;

	if (worker->why_full_sync || orders_any(&worker->orders))
		return 0; /* what cannot be done now was refused */
	if (orders_has(&worker->orders, ORDER_COMPACT))
		return compact_sleep_ms(&worker->compact);
	if (verify_is_running(&worker->verify))
		return worker->verify.step == VERIFY_SCAN ? 0 : VERIFY_SLEEP_MS;
	if (!worker->mapping->cdc_enabled || !worker->link.loaded)
		return interval;
	rest = follow_rest_ms(&worker->follow);
	if (rest)
		return worker->mapping->trigger_column && interval < rest
			       ? interval
			       : rest;
	worker->idle_sleep_ms = worker->idle_sleep_ms
					? worker->idle_sleep_ms * 2
					: SLEEP_MIN_MS;
	if (worker->idle_sleep_ms > interval)
		worker->idle_sleep_ms = interval;
	return worker->idle_sleep_ms;
}

/* One step; how long to sleep then. */
static int64_t step(struct worker *worker)
{
	const struct mapping *mapping = worker->mapping;
	struct error err = ERROR_INIT;

	engine_get_settings(worker->engine, &worker->settings);
	if (worker->halted)
		return FENCED_SLEEP_MS;
	if ((mapping->suspended || mapping->paused) &&
	    mapping->problem.kind == ERROR_NONE) {
		report_state(worker->subject,
			     mapping->suspended ? "SUSPENDED" : "PAUSED",
			     mapping->suspended ? mapping->suspended_reason
						: NULL,
			     0);
		return worker->settings.check_interval_s * INT64_C(1000);
	}
	if (attempt(worker, &err) == 0) {
		succeeded(worker);
		return next_sleep(worker);
	}
	if (err.kind == ERROR_CANCELLED)
		return 0;
	if (err.kind == ERROR_FENCED) {
		log_info("%s; this one lets it go", err.message);
		atomic_store(&worker->shut_out, worker->link.dst->later_epoch);
		worker_disown(worker);
		return 0;
	}
	return failed(worker, &err);
}

/* Until the scheduler stops it. */
static void wait_for_the_end(struct worker *worker)
{
	while (cancel_level(&worker->cancel) == CANCEL_NONE)
		cancel_sleep(&worker->cancel, FENCED_SLEEP_MS);
}

/* --------------------------------------------------------------- the thread */

/* What has gathered, and the last checkpoint, go out if that can be done in a
 * moment. */
static void store_on_exit(struct worker *worker)
{
	struct pool *pool = &worker->engine->pool;
	struct error ignored = ERROR_INIT;
	struct link *link = &worker->link;
	unsigned connections;

	if (!worker->opened || !link->attached || !link->loaded ||
	    worker->retry.failures ||
	    (position_equal(&link->reached, &link->stored.position) &&
	     !link->dst->gather_ms) ||
	    cancel_level(&worker->cancel) >= CANCEL_NOW)
		return;
	connections = link->src->ops->connections + link->dst->ops->connections;
	if (pool_reserve(pool, link->share, connections, &worker->cancel,
			 &ignored) < 0)
		return;
	if (follow_last_look(&worker->follow, &ignored) < 0 ||
	    (link->attached && cdc_store_idle(link, true, &ignored) < 0))
		log_debug("storing the position at the end: %s",
			  ignored.message);
	link_release(link);
	pool_unreserve(pool, link->share, connections);
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;

	log_scope(worker->mapping->id, worker->mapping->name, NULL);
	report_state(worker->subject, "STARTING", NULL, 0);
	while (cancel_level(&worker->cancel) == CANCEL_NONE &&
	       !atomic_load(&worker->disowned)) {
		int64_t sleep_ms = step(worker);

		if (sleep_ms > 0)
			cancel_sleep(&worker->cancel, sleep_ms);
	}
	wait_for_the_end(worker);
	if (!atomic_load(&worker->disowned)) {
		store_on_exit(worker);
		report_state(worker->subject, "STOPPED",
			     worker->halted ? worker->halted_reason : NULL, 0);
	}
	report_run_end(worker->subject, REPORT_MOVING, "PAUSED",
		       "stopped before it was through");
	close_link(worker);
	log_scope(0, NULL, NULL);
	atomic_store(&worker->ended, true);
	return NULL;
}

static int start_thread(struct worker *worker, struct error *err)
{
	pthread_attr_t attr;
	int rc = pthread_attr_init(&attr);

	if (!rc) {
		pthread_attr_setstacksize(&attr, STACK_BYTES);
		rc = pthread_create(&worker->thread, &attr, worker_main,
				    worker);
		pthread_attr_destroy(&attr);
	}
	return rc ? error_errno(err, rc, "cannot start a thread") : 0;
}

struct worker *worker_start(struct engine *engine, struct mapping *mapping,
			    const struct control_mapping *row, int64_t epoch,
			    struct error *err)
{
	struct worker *worker = calloc(1, sizeof(*worker));

	if (!worker) {
		error_memory(err, "a worker");
		goto failed;
	}
	worker->engine = engine;
	worker->mapping = mapping;
	worker->epoch = epoch;
	triggers_init(&worker->triggers);
	worker->follow = (struct follow){
		.link = &worker->link,
		.verify = &worker->verify,
		.orders = &worker->orders,
		.tell = tell_changes,
		.arg = worker,
	};
	atomic_init(&worker->ended, false);
	atomic_init(&worker->disowned, false);
	atomic_init(&worker->shut_out, -1);
	atomic_init(&worker->halted_since_ms, 0);
	worker->subject = reporter_add_subject(engine->reporter, mapping->id);
	if ((!worker->subject && error_memory(err, "a worker") < 0) ||
	    report_names(worker->subject, mapping->from.name, mapping->name,
			 mapping->dest_name, err) < 0 ||
	    verify_init(&worker->verify, mapping, worker->subject,
			engine->reporter, row, err) < 0)
		goto no_names;
	if (row)
		report_tables(worker->subject, row, clock_ms());
	if (cancel_init(&worker->cancel, err) < 0)
		goto no_cancel;
	orders_init(&worker->orders);
	if (start_thread(worker, err) < 0)
		goto no_thread;
	return worker;
no_thread:
	orders_release(&worker->orders);
	cancel_release(&worker->cancel);
no_cancel:
	verify_release(&worker->verify);
no_names:
	reporter_remove_subject(engine->reporter, worker->subject);
failed:
	free(worker);
	mapping_free(mapping);
	return NULL;
}

void worker_see(struct worker *worker, const struct control_mapping *row,
		int64_t read_ms)
{
	report_tables(worker->subject, row, read_ms);
}

const struct mapping *worker_mapping(const struct worker *worker)
{
	return worker->mapping;
}

int64_t worker_epoch(const struct worker *worker)
{
	return worker->epoch;
}

int64_t worker_halted_ms(const struct worker *worker)
{
	int64_t since = atomic_load(&worker->halted_since_ms);

	return since ? clock_ms() - since + 1 : 0;
}

int64_t worker_shut_out(const struct worker *worker)
{
	return atomic_load(&worker->shut_out);
}

void worker_disown(struct worker *worker)
{
	atomic_store(&worker->disowned, true);
}

void worker_poke(struct worker *worker)
{
	cancel_poke(&worker->cancel);
}

void worker_stop(struct worker *worker, enum cancel_level level)
{
	cancel_request(&worker->cancel, level);
}

bool worker_has_ended(struct worker *worker)
{
	return atomic_load(&worker->ended);
}

void worker_free(struct worker *worker)
{
	pthread_join(worker->thread, NULL);
	/* Not before: whoever has the worker may still have it seen. */
	reporter_remove_subject(worker->engine->reporter, worker->subject);
	orders_release(&worker->orders);
	cancel_release(&worker->cancel);
	mapping_free(worker->mapping);
	free(worker);
}
