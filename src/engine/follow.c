#include "engine/follow.h"

#include "base/clock.h"
#include "base/log.h"

/* A step with changes ends now and then, to let others have connections. */
#define STEP_MAX_MS 5000

/* Of the time that a worker has to stop in. */
#define LAST_LOOK_MS 1000

/* Not while a load waits for its changes to be consistent. */
static int64_t gather_ms(const struct follow *follow)
{
	const struct link *link = follow->link;

	return link->stored.consistent_after_us ? 0 : link->dst->gather_ms;
}

int64_t follow_rest_ms(const struct follow *follow)
{
	int64_t left = follow->caught_up_ms + gather_ms(follow) - clock_ms();

	if (!follow->caught_up_ms || !gather_ms(follow))
		return 0;
	return left > 0 ? left : 0;
}

/* Windows until there are no more, or it is time for something else. */
static int read_changes(struct follow *follow, struct cdc_step *step, bool *any,
			struct error *err)
{
	int64_t most_ms = gather_ms(follow);
	int64_t deadline =
		clock_ms() + (most_ms > STEP_MAX_MS ? most_ms : STEP_MAX_MS);

	do {
		if (cancel_check(follow->link->cancel, err) < 0 ||
		    cdc_run_step(follow->link, step, err) < 0)
			return -1;
		*any |= step->rows > 0;
		if (step->altered)
			return 0;
		verify_saw(follow->verify, step);
		follow->tell(follow->arg, step);
	} while (!step->caught_up && clock_ms() < deadline &&
		 !orders_any(follow->orders));
	return 0;
}

/* What was read before the trouble is whole, and need not be read again. */
static void keep_gathered(struct link *link)
{
	struct error err = ERROR_INIT;

	if (cdc_commit(link, &err) < 0)
		log_debug("%s", err.message);
}

int follow_changes(struct follow *follow, bool *busy, struct error *err)
{
	struct link *link = follow->link;
	struct cdc_step step;
	bool any = false;

	*busy = false;
	report_pace(link->subject, gather_ms(follow));
	if (follow_rest_ms(follow) && !orders_any(follow->orders))
		return 0;
	follow->caught_up_ms = 0;
	if (read_changes(follow, &step, &any, err) < 0) {
		keep_gathered(link);
		return -1;
	}
	*busy = any || !step.caught_up;
	if (step.altered) {
		verify_begin_anew(follow->verify);
		return 0;
	}
	if (cdc_commit(link, err) < 0)
		return -1;
	if (step.caught_up)
		follow->caught_up_ms = clock_ms();
	return cdc_store_idle(link, false, err);
}

int follow_last_look(struct follow *follow, struct error *err)
{
	int64_t deadline = clock_ms() + LAST_LOOK_MS;
	struct link *link = follow->link;
	struct cdc_step step = {.caught_up = false};

	if (!link->mapping->cdc_enabled || !gather_ms(follow))
		return 0;
	while (!step.caught_up && !step.altered && clock_ms() < deadline &&
	       cancel_level(link->cancel) < CANCEL_NOW)
		if (cdc_run_step(link, &step, err) < 0)
			return -1;
	return cdc_commit(link, err);
}
