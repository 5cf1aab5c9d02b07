#include "engine/order.h"

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"

static const char *const names[] = {
	[ORDER_FULL_SYNC] = "FULL_SYNC",
	[ORDER_RESYNC] = "RESYNC",
	[ORDER_VERIFY] = "VERIFY",
	[ORDER_REPAIR] = "REPAIR",
	[ORDER_SKIP_TO_NOW] = "SKIP_TO_NOW",
	[ORDER_COMPACT] = "COMPACT",
	[ORDER_PAUSE] = "PAUSE",
	[ORDER_RESUME] = "RESUME",
};

#define NAME_COUNT (sizeof(names) / sizeof(*names))

const char *order_name(enum order_kind kind)
{
	return names[kind];
}

#define BLANKS " \t\r\n"

/* That word and nothing else, but for blanks around it? */
static bool says(const char *text, const char *word)
{
	text += strspn(text, BLANKS);
	if (!text_istarts(text, word))
		return false;
	text += strlen(word);
	return !text[strspn(text, BLANKS)];
}

static int read_kind(struct order *order, const char *type, struct error *err)
{
	struct strbuf known;

	if (!type)
		type = "";
	for (size_t i = 0; i < NAME_COUNT; i++) {
		if (says(type, names[i])) {
			order->kind = (enum order_kind)i;
			return 0;
		}
	}
	strbuf_init(&known);
	for (size_t i = 0; i < NAME_COUNT; i++)
		strbuf_addf(&known, "%s%s", i ? ", " : "", names[i]);
	error_set(err, ERROR_CONFIG,
		  "request type '%.64s' is not known; these are: %s", type,
		  known.data);
	strbuf_release(&known);
	return -1;
}

static int read_scope(struct order *order, const char *scope, struct error *err)
{
	if (!scope)
		scope = "";
	order->scope_given = !says(scope, "");
	order->whole = says(scope, "WHOLE");
	if (!order->scope_given || order->whole || says(scope, "TAIL"))
		return 0;
	return error_set(err, ERROR_CONFIG,
			 "scope '%.64s' is not known; TAIL, the newest rows, "
			 "and WHOLE, the whole table, are",
			 scope);
}

static int read_condition(struct order *order, const char *condition,
			  struct error *err)
{
	bool given = condition && !says(condition, "");

	if (!given && order->kind == ORDER_RESYNC)
		return error_set(err, ERROR_CONFIG,
				 "RESYNC needs a where_condition; FULL_SYNC "
				 "copies the whole table");
	if (!given)
		return 0;
	if (order->kind != ORDER_RESYNC)
		return error_set(err, ERROR_CONFIG,
				 "a where_condition goes with RESYNC alone, "
				 "not with %s",
				 names[order->kind]);
	order->condition = strdup(condition);
	return order->condition ? 0 : error_memory(err, "a request");
}

int order_read(struct order *order, const struct control_request *request,
	       struct error *err)
{
	memset(order, 0, sizeof(*order));
	order->id = request->id;
	order->dry_run = request->dry_run;
	if (read_kind(order, request->type, err) < 0 ||
	    read_scope(order, request->scope, err) < 0 ||
	    read_condition(order, request->condition, err) < 0)
		return -1;
	return 0;
}

void order_release(struct order *order)
{
	free(order->condition);
	memset(order, 0, sizeof(*order));
}
