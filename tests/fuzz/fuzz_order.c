/*
 * Small words of the control tables: orders (engine/order.h), what is done
 * about errors (control/settings.h), a time of the day (engine/verify_plan.h),
 * where to listen (base/endpoint.h) and the names of other daemons
 * (base/platform.h).
 *
 * An order is one of those that there are, with the condition that stands
 * there; a time, written out, is the same text; a place to listen, written out,
 * is read as the same. Nobody is taken for gone but a process of this machine
 * that is. What is refused says what is wrong.
 */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/endpoint.h"
#include "base/platform.h"
#include "base/text.h"
#include "control/settings.h"
#include "engine/order.h"
#include "engine/verify_plan.h"

static void try_order(const char *type, const char *scope, const char *where)
{
	struct control_request request = {
		.id = 7, .type = type, .scope = scope, .condition = where};
	char *word = strdup(type), *kind = text_trim(word);
	struct error err = ERROR_INIT;
	struct order order;

	HOLDS(word);
	if (order_read(&order, &request, &err) < 0) {
		check_error(&err);
		HOLDS(err.kind == ERROR_CONFIG && !order.condition);
	} else {
		HOLDS(order.id == 7);
		HOLDS(!strcasecmp(kind, order_name(order.kind)));
		HOLDS(!order.condition == (order.kind != ORDER_RESYNC));
		HOLDS(!order.condition ||
		      (where && !strcmp(order.condition, where)));
		HOLDS(!order.whole || order.scope_given);
		order_release(&order);
	}
	free(word);
}

static void try_action(const char *word)
{
	struct error err = ERROR_INIT;
	enum error_action action;

	for (int class = 0; class < ERROR_CLASSES; class ++) {
		if (settings_action(class, word, &action, &err) < 0) {
			check_error(&err);
			HOLDS(err.kind == ERROR_CONFIG);
			HOLDS(strstr(err.message, settings_class_key(class)));
			continue;
		}
		HOLDS(action < ERROR_ACTIONS);
		HOLDS(class == ERROR_CLASS_ROW || action < ERROR_ACTION_LOG);
	}
}

static void try_time(const char *text)
{
	int minute = verify_plan_parse_time(text);
	char again[16];

	if (minute < 0)
		return;
	HOLDS(minute < 24 * 60);
	snprintf(again, sizeof(again), "%02d:%02d", minute / 60, minute % 60);
	HOLDS(!strcmp(again, text));
}

static void try_endpoint(const char *text)
{
	struct endpoint endpoint, again;
	char written[2 * ENDPOINT_TEXT_MAX];

	if (!endpoint_parse(text, &endpoint))
		return;
	HOLDS(endpoint.port >= 0 && endpoint.port <= 65535);
	HOLDS(!endpoint.port == !*endpoint.host);
	if (!endpoint.port)
		return;
	HOLDS(!strpbrk(endpoint.host, " \t\r\n/@[]"));
	snprintf(written, sizeof(written),
		 strpbrk(endpoint.host, ":%") ? "[%s]:%d" : "%s:%d",
		 endpoint.host, endpoint.port);
	HOLDS(endpoint_parse(written, &again));
	HOLDS(again.port == endpoint.port);
	HOLDS(!strcmp(again.host, endpoint.host));
}

static void try_identity(const char *text)
{
	char host[256] = "", name[600];

	HOLDS(gethostname(host, sizeof(host) - 1) == 0);
	HOLDS(!platform_identity_is_gone(text) ||
	      !strncmp(text, host, strlen(host)));
	snprintf(name, sizeof(name), "%s:1:%s", host, text);
	HOLDS(!platform_identity_is_gone(name)); /* init */
	snprintf(name, sizeof(name), "%s.elsewhere:999999:%s", host, text);
	HOLDS(!platform_identity_is_gone(name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	char *type = take_text(&in, size), *scope = take_text(&in, size);
	char *where = take_text(&in, size);

	try_order(type, scope, where);
	try_order(type, NULL, NULL);
	try_action(type);
	try_time(type);
	try_endpoint(type);
	try_identity(type);
	free(type);
	free(scope);
	free(where);
	return 0;
}
