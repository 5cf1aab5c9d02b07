#include "engine/orders.h"

#include <string.h>

void orders_init(struct orders *orders)
{
	memset(orders, 0, sizeof(*orders));
	pthread_mutex_init(&orders->lock, NULL);
}

void orders_release(struct orders *orders)
{
	for (size_t i = 0; i < orders->count; i++)
		order_release(&orders->items[i]);
	pthread_mutex_destroy(&orders->lock);
}

/* The lock is held. */
static bool is_known(const struct orders *orders, int id)
{
	for (size_t i = 0; i < orders->count; i++)
		if (orders->items[i].id == id)
			return true;
	for (size_t i = 0; i < ORDERS_DONE_MAX; i++)
		if (orders->done[i] == id)
			return true;
	return false;
}

bool orders_put(struct orders *orders, struct order *order)
{
	bool added;

	pthread_mutex_lock(&orders->lock);
	added = orders->count < ORDERS_MAX && !is_known(orders, order->id);
	if (added) {
		orders->items[orders->count++] = *order;
		memset(order, 0, sizeof(*order));
	}
	pthread_mutex_unlock(&orders->lock);
	order_release(order);
	return added;
}

bool orders_any(struct orders *orders)
{
	bool any = false;

	pthread_mutex_lock(&orders->lock);
	for (size_t i = 0; i < orders->count; i++)
		any |= orders->items[i].kind != ORDER_COMPACT;
	pthread_mutex_unlock(&orders->lock);
	return any;
}

bool orders_has(struct orders *orders, enum order_kind kind)
{
	bool has = false;

	pthread_mutex_lock(&orders->lock);
	for (size_t i = 0; i < orders->count; i++)
		has |= orders->items[i].kind == kind;
	pthread_mutex_unlock(&orders->lock);
	return has;
}

void orders_begin(struct orders *orders)
{
	pthread_mutex_lock(&orders->lock);
	for (size_t i = 0; i < orders->count; i++)
		orders->items[i].begun = true;
	pthread_mutex_unlock(&orders->lock);
}

bool orders_begun(struct orders *orders, enum order_kind kind)
{
	bool begun = false;

	pthread_mutex_lock(&orders->lock);
	for (size_t i = 0; i < orders->count; i++)
		begun |=
			orders->items[i].kind == kind && orders->items[i].begun;
	pthread_mutex_unlock(&orders->lock);
	return begun;
}

static bool is_for_verify(enum order_kind kind)
{
	return kind == ORDER_VERIFY || kind == ORDER_REPAIR ||
	       kind == ORDER_RESYNC;
}

bool orders_take_for_verify(struct orders *orders, struct order *out)
{
	bool found = false;

	pthread_mutex_lock(&orders->lock);
	for (size_t i = 0; i < orders->count && !found; i++) {
		if (!is_for_verify(orders->items[i].kind))
			continue;
		*out = orders->items[i];
		memmove(&orders->items[i], &orders->items[i + 1],
			(--orders->count - i) * sizeof(*out));
		found = true;
	}
	pthread_mutex_unlock(&orders->lock);
	return found;
}

void orders_answer(struct orders *orders, enum order_kind kind,
		   struct reporter *reporter, const char *state,
		   const char *answer)
{
	bool final = strcmp(state, "RUNNING") != 0;
	size_t kept = 0;

	pthread_mutex_lock(&orders->lock);
	for (size_t i = 0; i < orders->count; i++) {
		struct order *order = &orders->items[i];
		bool meant = order->kind == kind && order->begun;

		if (!meant || !final)
			orders->items[kept++] = *order;
		if (!meant)
			continue;
		report_request(reporter, order->id, state, answer);
		if (!final)
			continue;
		orders->done[orders->done_next] = order->id;
		orders->done_next = (orders->done_next + 1) % ORDERS_DONE_MAX;
	}
	orders->count = kept;
	pthread_mutex_unlock(&orders->lock);
}
