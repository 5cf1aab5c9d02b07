/*
 * A row that differs at a first look may be a change on its way. So the source
 * is looked at again, changes are applied until everything older than that
 * look is in, and then the destination is looked at. A row that changed in the
 * meantime was written anew by change capture, from the source's own image of
 * it; any other one must be in the destination as it was in the source. No
 * second opinion is needed, and no row can be too busy to be judged.
 *
 * A repair goes the same way: see repair.h.
 *
 * What is found is kept only when it was looked at for good. After any trouble
 * the run goes on from there.
 */
#include "engine/verify.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "engine/retry.h"
#include "engine/verify_orders.h"
#include "engine/verify_plan.h"
#include "engine/verify_proof.h"
#include "engine/verify_result.h"

/* A change waits for one slice, which may end a step later than this. */
#define SLICE_MS 250

/*
 * So many rows found, or after so long, it is time to look at them again; fewer
 * where wide rows to be repaired need too much memory.
 */
#define CONFIRM_ROWS	 (COMPARE_FOUND_MAX * 3 / 4)
#define CONFIRM_ROWS_MIN 10
#define CONFIRM_AFTER_MS 60000

/* A change log that does not get on: what was found stays unconfirmed. */
#define CONFIRM_MAX_US (INT64_C(900) * 1000000)

/* How often the progress is kept in the control tables. */
#define TELL_EVERY_MS 500

/* ----------------------------------------------------------------- progress */

/* For the next worker: what is under way, or waits. */
static void tell_progress(struct verify *verify)
{
	bool whole = verify->running && verify->tally.kind == TALLY_WHOLE;
	struct control_progress progress = {
		.progress = whole ? verify->saved : verify->aside,
		.last_tail_us = verify->last_tail_us,
		.last_whole_us = verify->last_whole_us,
	};

	verify->told_ms = clock_ms();
	report_progress(verify->subject, &progress);
}

/* From here it may go on. */
static int keep(struct verify *verify, struct error *err)
{
	struct tally *tally = &verify->tally;
	char *text;

	text = tally_format(tally);
	if (!text)
		return error_memory(err, "a verification's progress");
	free(verify->saved);
	verify->saved = text;
	if (tally->kind == TALLY_WHOLE &&
	    clock_ms() - verify->told_ms >= TELL_EVERY_MS)
		tell_progress(verify);
	return 0;
}

/* All that was found was looked at again. */
static int save(struct verify *verify, struct error *err)
{
	const struct compare_end *place = scan_place(&verify->scan);
	struct tally *tally = &verify->tally;

	tally->ended = !place;
	if (place) {
		tally->at.side = place->side;
		if (row_key_copy(&tally->at.key, &place->key, err) < 0)
			return -1;
	}
	return keep(verify, err);
}

static void forget_link(struct verify *verify)
{
	if (verify->link && verify->link->dst &&
	    verify->link->dst->ops->prove_end)
		verify->link->dst->ops->prove_end(verify->link->dst);
	if (verify->link) {
		verify->link->watch = NULL;
		verify->link->watch_arg = NULL;
	}
	repair_release(&verify->repair);
	scan_release(&verify->scan);
	compare_close(&verify->compare);
	if (verify->held)
		budget_give(verify->link->memory.budget, verify->held);
	verify->held = 0;
	verify->step = VERIFY_BEGIN;
}

/* The rows that were not looked at for good are looked for again. */
void verify_begin_anew(struct verify *verify)
{
	forget_link(verify);
	verify->anew = verify->running;
}

static int go_back(struct verify *verify, struct error *err)
{
	struct tally saved;

	if (tally_parse(&saved, verify->saved, err) < 0)
		return -1;
	tally_release(&verify->tally);
	verify->tally = saved;
	verify->anew = false;
	return 0;
}

int verify_init(struct verify *verify, const struct mapping *mapping,
		struct report_subject *subject, struct reporter *reporter,
		const struct control_mapping *row, struct error *err)
{
	memset(verify, 0, sizeof(*verify));
	verify->mapping = mapping;
	verify->subject = subject;
	verify->reporter = reporter;
	verify->born_us = clock_utc_us();
	if (!row)
		return 0;
	verify->last_tail_us = row->last_tail_us;
	verify->last_whole_us = row->last_whole_us;
	if (!row->progress)
		return 0;
	verify->aside = strdup(row->progress);
	return verify->aside ? 0 : error_memory(err, "a verification");
}

void verify_release(struct verify *verify)
{
	if (verify->running && verify->tally.kind == TALLY_WHOLE)
		tell_progress(verify);
	report_run_end(verify->subject, REPORT_VERIFYING, "PAUSED",
		       "stopped before it was through");
	forget_link(verify);
	for (size_t i = 0; i < verify->order_count; i++)
		order_release(&verify->orders[i]);
	free(verify->orders);
	tally_release(&verify->tally);
	free(verify->saved);
	free(verify->aside);
	memset(verify, 0, sizeof(*verify));
}

/* --------------------------------------------------------------- what is due */

static bool is_due(const struct verify *verify, const struct settings *settings,
		   bool whole)
{
	int id = verify->mapping->id;
	struct verify_plan plan;
	int64_t due;

	verify_plan_make(&plan, verify->mapping, settings);
	due = whole ? verify_plan_whole(&plan, id, verify->last_whole_us,
					verify->born_us)
		    : verify_plan_tail(&plan, id, verify->last_tail_us,
				       verify->born_us);
	return due && due <= clock_utc_us();
}

/* What is said to have been in the future was by a clock that was set back: its
 * interval begins now. */
static void mind_clock(struct verify *verify)
{
	int64_t *times[] = {&verify->born_us, &verify->last_tail_us,
			    &verify->last_whole_us};
	int64_t now = clock_utc_us();

	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++)
		if (*times[i] > now)
			*times[i] = now;
}

bool verify_is_due(struct verify *verify, const struct settings *settings)
{
	mind_clock(verify);
	if (clock_ms() < verify->not_before_ms)
		return false;
	return verify->running || verify->order_count || verify->aside ||
	       is_due(verify, settings, false) ||
	       is_due(verify, settings, true);
}

bool verify_is_running(const struct verify *verify)
{
	return verify->running && clock_ms() >= verify->not_before_ms;
}

/* A run over the whole table makes room, when nothing is left half done. */
static void step_aside(struct verify *verify, const struct settings *settings)
{
	if (!verify->running || verify->tally.kind != TALLY_WHOLE ||
	    verify->aside || verify->step != VERIFY_SCAN ||
	    compare_found(&verify->compare) ||
	    (!verify->order_count && !is_due(verify, settings, false)))
		return;
	verify->aside = verify->saved;
	verify->saved = NULL;
	verify->running = false;
	report_run_end(verify->subject, REPORT_VERIFYING, "PAUSED",
		       "makes room for another verification");
	tally_release(&verify->tally);
	forget_link(verify);
}

static int take_up(struct verify *verify, struct error *err)
{
	struct error why;

	if (tally_parse(&verify->tally, verify->aside, &why) < 0) {
		*err = why;
		if (why.kind == ERROR_MEMORY)
			return -1;
		log_warning("%s; it begins anew", why.message);
		if (tally_init(&verify->tally, TALLY_WHOLE, err) < 0)
			return -1;
	}
	free(verify->aside);
	verify->aside = NULL;
	return 0;
}

/* Which run is the next? 1: one; 0: none. */
static int choose_run(struct verify *verify, const struct settings *settings,
		      struct error *err)
{
	struct verify_plan plan;
	bool tail = is_due(verify, settings, false);

	verify_plan_make(&plan, verify->mapping, settings);
	if (verify->order_count)
		return verify_take_order(verify, err) < 0 ? -1 : 1;
	if (!tail && verify->aside)
		return take_up(verify, err) < 0 ? -1 : 1;
	if (!tail && !is_due(verify, settings, true))
		return 0;
	if (tally_init(&verify->tally, tail ? TALLY_TAIL : TALLY_WHOLE, err) <
	    0)
		return -1;
	verify->tally.repair = plan.auto_repair;
	return 1;
}

static int begin_run(struct verify *verify, const struct settings *settings,
		     struct error *err)
{
	int rc = choose_run(verify, settings, err);

	if (rc <= 0)
		return rc;
	verify->running = true;
	verify->anew = false;
	verify->step = VERIFY_BEGIN;
	verify->failures = 0;
	verify->most_rows = CONFIRM_ROWS;
	verify->told_rows = 0;
	verify->row_bytes = 0;
	verify_answer(verify, "RUNNING", NULL);
	free(verify->saved);
	verify->saved = tally_format(&verify->tally);
	return verify->saved ? 1 : error_memory(err, "a verification");
}

/* ------------------------------------------------------------------ its end */

static void end_run(struct verify *verify, const char *state,
		    const char *message)
{
	struct tally *tally = &verify->tally;

	verify_answer(verify, state, message);
	report_log(verify->subject,
		   strcmp(state, "COMPLETED") || tally->mismatches ? LOG_WARNING
								   : LOG_INFO,
		   "VERIFICATION", (int64_t)tally->compared,
		   (clock_utc_us() - tally->started_us) / 1000,
		   "%s of '%s': %s", tally_type(tally, tally->repair),
		   verify->mapping->name, message);
	report_run_end(verify->subject, REPORT_VERIFYING,
		       strcmp(state, "COMPLETED") ? "ERROR" : "COMPLETED",
		       strcmp(state, "COMPLETED") ? message : NULL);
	if (tally->kind == TALLY_TAIL)
		verify->last_tail_us = clock_utc_us();
	if (tally->kind == TALLY_WHOLE)
		verify->last_whole_us = clock_utc_us();
	forget_link(verify);
	verify->running = false;
	tally_release(tally);
	free(verify->saved);
	verify->saved = NULL;
	tell_progress(verify);
}

/* `why`: it could not be brought to an end, or NULL. */
static int finish(struct verify *verify, const char *why, struct error *err)
{
	char message[ERROR_MESSAGE_MAX];
	struct verify_result result;

	if (verify_result_init(&result, verify, why, err) < 0)
		return -1;
	verify_result_tell(&result, verify, why);
	verify_result_release(&result);
	tally_describe(&verify->tally, message, sizeof(message));
	if (why) {
		text_append(message, sizeof(message), "; ");
		text_append(message, sizeof(message), why);
	}
	end_run(verify, "COMPLETED", message);
	return 0;
}

static void failed(struct verify *verify, const struct error *why,
		   const struct settings *settings)
{
	struct error missing;
	struct verify_result result;

	verify->failures++;
	if (why->retryable && verify->failures < settings->max_attempts) {
		report_log(verify->subject, LOG_WARNING, "VERIFICATION", -1, -1,
			   "verification of '%s', attempt %d of %d failed: %s",
			   verify->mapping->name, verify->failures,
			   settings->max_attempts, why->message);
		verify->not_before_ms =
			clock_ms() + settings->retry_delay_s * INT64_C(1000);
		verify_begin_anew(verify);
		return;
	}
	/* If there is no memory for details, it is told without them. */
	if (verify_result_init(&result, verify, why->message, &missing) < 0)
		log_debug("%s", missing.message);
	verify_result_tell_failure(&result, verify, why);
	verify_result_release(&result);
	end_run(verify, "FAILED", why->message);
}

/* --------------------------------------------------------------------- steps */

static int watch(void *arg, const struct batch *changes, struct error *err)
{
	struct verify *verify = arg;

	return verify->step == VERIFY_REPAIR
		       ? repair_see_changes(&verify->repair, changes, err)
		       : compare_see_changes(&verify->compare, changes, err);
}

/* From now on changes are seen, until all that is older has arrived. */
static void wait_for_changes(struct verify *verify, enum verify_step step)
{
	verify->looked_us = clock_us();
	verify->complete_us = 0;
	verify->step = step;
	verify->link->watch = watch;
	verify->link->watch_arg = verify;
}

static bool have_arrived(const struct verify *verify)
{
	return !verify->mapping->cdc_enabled ||
	       verify->complete_us >= verify->looked_us;
}

void verify_saw(struct verify *verify, const struct cdc_step *step)
{
	if (step->complete_us > verify->complete_us)
		verify->complete_us = step->complete_us;
}

static void stop_watching(struct verify *verify)
{
	verify->link->watch = NULL;
	verify->link->watch_arg = NULL;
}

/* What the run has come to so far does not hold any more. */
static int begin_tally_anew(struct verify *verify, struct error *err)
{
	struct tally *tally = &verify->tally, fresh;

	if (tally_init(&fresh, tally->kind, err) < 0)
		return -1;
	fresh.request_id = tally->request_id;
	fresh.started_us = tally->started_us;
	fresh.repair = tally->repair;
	fresh.dry_run = tally->dry_run;
	fresh.condition = tally->condition;
	tally->condition = NULL;
	tally_release(tally);
	*tally = fresh;
	return keep(verify, err);
}

/* What is to be looked at, and from where on if a part of it was before. */
static int prepare_tally(struct verify *verify, uint64_t tail_rows,
			 struct error *err)
{
	struct compare *compare = &verify->compare;
	struct link *link = verify->link;
	struct tally *tally = &verify->tally;
	struct source *mirror = compare->mirror;
	uint64_t others = tail_rows;

	if (tally->apart != compare->apart &&
	    (tally->compared || tally->looked) &&
	    begin_tally_anew(verify, err) < 0)
		return -1;
	tally->apart = compare->apart;
	tally->total = tail_rows;
	if (tally->kind != TALLY_TAIL &&
	    (link->src->ops->estimate(link->src, &tally->total, err) < 0 ||
	     (tally->apart && mirror->ops->estimate(mirror, &others, err) < 0)))
		return -1;
	if (tally->apart)
		tally->total += others;
	return 0;
}

static int begin_scan(struct verify *verify, struct error *err)
{
	struct tally *tally = &verify->tally;
	struct link *link = verify->link;
	struct verify_plan plan;

	verify_plan_make(&plan, verify->mapping, &link->settings);
	if (compare_open(&verify->compare, link, err) < 0)
		return -1;
	verify->compare.spare = verify->row_bytes;
	if (prepare_tally(verify, (uint64_t)plan.tail_rows, err) < 0)
		return -1;
	if (scan_begin(&verify->scan, &verify->compare, tally,
		       (uint64_t)plan.tail_rows, verify->most_rows, err) < 0)
		return -1;
	report_run_continue(verify->subject, REPORT_VERIFYING, "VERIFICATION",
			    (int64_t)tally->total);
	verify_result_tell_rows(verify);
	verify->step = VERIFY_SCAN;
	return 0;
}

/*
 * If it was memory that was short, come back with fewer rows at once: then
 * those that were found are looked for again.
 */
static int take_fewer(struct verify *verify, struct error *err)
{
	if (err->kind != ERROR_MEMORY || verify->most_rows <= CONFIRM_ROWS_MIN)
		return -1;
	verify->most_rows /= 8;
	if (verify->most_rows < CONFIRM_ROWS_MIN)
		verify->most_rows = CONFIRM_ROWS_MIN;
	log_debug("%s; %zu at once from now on", err->message,
		  verify->most_rows);
	error_clear(err);
	verify_begin_anew(verify);
	return 0;
}

/* Read what is to be written. */
static int begin_repair(struct verify *verify, struct error *err)
{
	if (repair_read(&verify->repair, &verify->compare, err) < 0)
		return take_fewer(verify, err);
	wait_for_changes(verify, VERIFY_REPAIR);
	return 0;
}

/* Something was found: look at it again, or copy it at once if asked to. */
static int begin_confirming(struct verify *verify, struct error *err)
{
	struct tally *tally = &verify->tally;

	if (tally->kind != TALLY_CHOSEN) {
		if (compare_look_at_source(&verify->compare, err) < 0)
			return take_fewer(verify, err);
		wait_for_changes(verify, VERIFY_CONFIRM);
		return 0;
	}
	if (compare_expect(&verify->compare, err) < 0)
		return -1;
	tally->mismatches += compare_expected(&verify->compare);
	if (tally->dry_run) {
		compare_forget_found(&verify->compare);
		return save(verify, err);
	}
	return begin_repair(verify, err);
}

static bool tail_is_long_enough(struct verify *verify)
{
	const struct tally *tally = &verify->tally;
	struct verify_plan plan;

	verify_plan_make(&plan, verify->mapping, &verify->link->settings);
	return tally->kind == TALLY_TAIL &&
	       tally->compared >=
		       (tally->apart ? 4 : 2) * (uint64_t)plan.tail_rows;
}

/* Is it time to look again at what was found? */
static bool found_enough(struct verify *verify)
{
	size_t found = compare_found(&verify->compare);

	if (!found)
		verify->found_ms = 0;
	else if (!verify->found_ms)
		verify->found_ms = clock_ms();
	return found >= verify->most_rows ||
	       (found && (scan_at_end(&verify->scan) ||
			  clock_ms() - verify->found_ms >= CONFIRM_AFTER_MS));
}

static int scan(struct verify *verify, int64_t deadline, struct error *err)
{
	struct tally *tally = &verify->tally;
	int rc = 1;

	while (rc > 0 && !scan_at_end(&verify->scan) && !found_enough(verify) &&
	       clock_ms() < deadline) {
		rc = scan_step(&verify->scan, &verify->compare, tally, err);
		verify_result_tell_rows(verify);
		if (rc >= 0 && tail_is_long_enough(verify)) {
			tally->truncated = !scan_at_end(&verify->scan);
			scan_release(&verify->scan);
		}
		if (rc > 0 && !compare_found(&verify->compare) &&
		    save(verify, err) < 0)
			rc = -1;
	}
	if (rc < 0)
		return -1;
	if (rc == 0 || found_enough(verify))
		return begin_confirming(verify, err);
	return scan_at_end(&verify->scan) ? finish(verify, NULL, err) : 0;
}

static int take_row(void *arg, const struct compare_row *row, struct error *err)
{
	return tally_add(arg, row, err);
}

/* Automatic repair is for a few rows; many are somebody's to look at. */
static bool wants_repair(const struct verify *verify)
{
	const struct tally *tally = &verify->tally;

	return tally->repair && !tally->dry_run &&
	       (tally->request_id ||
		tally->mismatches <=
			(uint64_t)verify->link->settings.auto_repair_max_rows);
}

static int confirm(struct verify *verify, struct error *err)
{
	struct tally *tally = &verify->tally;
	uint64_t before = tally->mismatches;

	if (compare_look_at_dest(&verify->compare, err) < 0)
		return -1;
	stop_watching(verify);
	if (compare_each(&verify->compare, take_row, tally, err) < 0)
		return -1;
	if (tally->mismatches == before || !wants_repair(verify)) {
		compare_forget_found(&verify->compare);
		verify->step = VERIFY_SCAN;
		return save(verify, err);
	}
	if (compare_keep_different(&verify->compare, err) < 0)
		return -1;
	return begin_repair(verify, err);
}

static int repair(struct verify *verify, struct error *err)
{
	struct tally *tally = &verify->tally;

	stop_watching(verify);
	compare_release(&verify->compare);
	if (verify->repair.fails.kind != ERROR_NONE) {
		*err = verify->repair.fails;
		return take_fewer(verify, err);
	}
	if (repair_write(&verify->repair, err) < 0) {
		/* It may have happened: the destination's checkpoint tells. */
		link_forget(verify->link);
		return error_wrap(err, "repair");
	}
	/* By that, or by change capture itself. */
	tally->repaired += compare_expected(&verify->compare);
	repair_release(&verify->repair);
	compare_forget_found(&verify->compare);
	verify->step = VERIFY_SCAN;
	link_release_target(verify->link);
	return save(verify, err);
}

static int give_up_waiting(struct verify *verify, struct error *err)
{
	char why[200];

	snprintf(why, sizeof(why),
		 "%zu more rows differ, but changes that may explain it have "
		 "not arrived for a quarter of an hour",
		 compare_found(&verify->compare));
	return finish(verify, why, err);
}

/* -------------------------------------------------- what proves it by itself */

static int prove_slice(struct verify *verify, struct error *err)
{
	struct tally *tally = &verify->tally;
	bool begins = verify->step == VERIFY_BEGIN;
	uint64_t before = tally->objects;
	int rc;

	tally->proves = true;
	tally->repair = false;
	if (link_connect_target(verify->link, err) < 0)
		return -1;
	rc = verify_prove(verify, err);
	if (rc < 0)
		return -1;
	if (verify->proof.anew) {
		forget_link(verify);
		return begin_tally_anew(verify, err);
	}
	verify->step = VERIFY_SCAN;
	if (begins)
		report_run_continue(verify->subject, REPORT_VERIFYING,
				    "VERIFICATION", (int64_t)tally->total);
	verify_result_tell_rows(verify);
	if (rc == 0)
		return finish(verify, NULL, err);
	if (tally->kind == TALLY_WHOLE && tally->objects != before)
		return keep(verify, err);
	return 0;
}

static int do_step(struct verify *verify, struct error *err)
{
	int64_t deadline = clock_ms() + SLICE_MS;

	if ((verify->step == VERIFY_CONFIRM || verify->step == VERIFY_REPAIR) &&
	    !have_arrived(verify))
		return clock_us() - verify->looked_us > CONFIRM_MAX_US
			       ? give_up_waiting(verify, err)
			       : 0;
	if (verify->anew && go_back(verify, err) < 0)
		return -1;
	if (verify->link->dst->ops->prove)
		return prove_slice(verify, err);
	if (verify->step == VERIFY_BEGIN && begin_scan(verify, err) < 0)
		return -1;
	if (compare_connect(&verify->compare, err) < 0)
		return -1;
	switch (verify->step) {
	case VERIFY_BEGIN:
	case VERIFY_SCAN:
		return scan(verify, deadline, err);
	case VERIFY_CONFIRM:
		return confirm(verify, err);
	case VERIFY_REPAIR:
		return repair(verify, err);
	}
	return 0;
}

/* It does not wait, and lets those go first who do: they have changes. */
static bool has_memory(struct verify *verify)
{
	struct budget *budget = verify->link->memory.budget;
	size_t need = COMPARE_BYTES + verify->row_bytes;

	if (verify->held && budget_is_wanted(budget))
		verify_begin_anew(verify);
	if (budget && !verify->held && budget_try(budget, need))
		verify->held = need;
	return !budget || verify->held;
}

/* Large rows, for which more has to be had: from the beginning, with that. */
static bool wants_more(struct verify *verify, struct error *err)
{
	if (verify->compare.wanted <= verify->row_bytes)
		return false;
	verify->row_bytes = verify->compare.wanted;
	error_clear(err);
	verify_begin_anew(verify);
	link_release(verify->link); /* the source's may be of no use any more */
	return true;
}

int verify_slice(struct verify *verify, struct link *link, struct error *err)
{
	int rc = 0;

	verify->link = link;
	if (!has_memory(verify))
		return 0;
	step_aside(verify, &link->settings);
	if (!verify->running)
		rc = begin_run(verify, &link->settings, err);
	if (verify->running && rc >= 0)
		rc = do_step(verify, err);
	compare_release(&verify->compare);
	if (rc >= 0 || wants_more(verify, err))
		return 0;
	if (err->kind == ERROR_CANCELLED || err->kind == ERROR_FENCED ||
	    !verify->running)
		return -1;
	failed(verify, err, &link->settings);
	/* A connection may be of no use any more. */
	link_release(link);
	return 0;
}
