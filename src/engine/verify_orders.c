#include "engine/verify_orders.h"

#include <stdlib.h>
#include <string.h>

int verify_order(struct verify *verify, struct order *order, struct error *err)
{
	struct order *grown;

	if (verify_has_order(verify, order->id)) {
		order_release(order);
		return 0;
	}
	grown = realloc(verify->orders,
			(verify->order_count + 1) * sizeof(*grown));
	if (!grown) {
		order_release(order);
		return error_memory(err, "a request");
	}
	verify->orders = grown;
	verify->orders[verify->order_count++] = *order;
	memset(order, 0, sizeof(*order));
	return 0;
}

/*
 * Is the run that `saved` tells of for that request? Without memory it may be:
 * a request that is not taken up comes again.
 */
static bool is_for(const char *saved, int request_id)
{
	struct tally tally;
	struct error why = ERROR_INIT;
	bool same;

	if (!saved)
		return false;
	if (tally_parse(&tally, saved, &why) < 0)
		return why.kind == ERROR_MEMORY;
	same = tally.request_id == request_id;
	tally_release(&tally);
	return same;
}

bool verify_has_order(const struct verify *verify, int request_id)
{
	for (size_t i = 0; i < verify->order_count; i++)
		if (verify->orders[i].id == request_id)
			return true;
	if (verify->running && verify->tally.request_id == request_id)
		return true;
	for (size_t i = 0; i < VERIFY_DONE_MAX; i++)
		if (verify->done[i] == request_id)
			return true;
	return is_for(verify->aside, request_id);
}

/* The tables say so a moment later: it is not to be taken up again till then. */
static void remember_done(struct verify *verify, int request_id)
{
	verify->done[verify->done_next] = request_id;
	verify->done_next = (verify->done_next + 1) % VERIFY_DONE_MAX;
}

void verify_answer(struct verify *verify, const char *state, const char *text)
{
	int id = verify->tally.request_id;

	if (!id)
		return;
	report_request(verify->reporter, id, state, text);
	if (strcmp(state, "RUNNING"))
		remember_done(verify, id);
}

void verify_refuse_orders(struct verify *verify, const char *why,
			  bool repairs_alone)
{
	size_t kept = 0;

	for (size_t i = 0; i < verify->order_count; i++) {
		struct order *order = &verify->orders[i];

		if (repairs_alone && order->kind == ORDER_VERIFY) {
			verify->orders[kept++] = *order;
			continue;
		}
		report_request(verify->reporter, order->id, "FAILED", why);
		remember_done(verify, order->id);
		order_release(order);
	}
	verify->order_count = kept;
}

int verify_take_order(struct verify *verify, struct error *err)
{
	struct order order = verify->orders[0];
	struct tally *tally = &verify->tally;
	enum tally_kind kind = order.kind == ORDER_RESYNC ? TALLY_CHOSEN
			       : order.whole		  ? TALLY_WHOLE
							  : TALLY_TAIL;

	memmove(verify->orders, verify->orders + 1,
		--verify->order_count * sizeof(order));
	if (tally_init(tally, kind, err) < 0) {
		order_release(&order);
		return -1;
	}
	tally->request_id = order.id;
	tally->repair = order.kind != ORDER_VERIFY;
	tally->dry_run = order.dry_run;
	tally->condition = order.condition;
	return 0;
}
