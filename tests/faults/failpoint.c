/*
 * What the environment orders is read once, by whichever thread passes first. A
 * mistake in it ends the program, or a test would find nothing and not know why.
 */
#include "base/failpoint.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum action {
	ACTION_NONE,
	ACTION_KILL,
	ACTION_FREEZE,
	ACTION_WAIT,
};

static const char *const names[] = {
#define NAME(name, where) #name,
	FAILPOINTS(NAME)
#undef NAME
};

static struct {
	enum action action;
	long ms;
	unsigned nth;
	atomic_uint passed;
} points[FAILPOINT_COUNT];

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void bad_order(const char *order)
{
	fprintf(stderr, "DATAFLOW_FAILPOINTS: cannot make sense of '%s'\n",
		order);
	abort();
}

static void read_action(int point, char *action, const char *order)
{
	char *nth = strchr(action, '@'), *end = action;

	points[point].nth = 1;
	if (nth) {
		*nth++ = '\0';
		points[point].nth = (unsigned)strtoul(nth, &end, 10);
		if (*end || !points[point].nth)
			bad_order(order);
	}
	if (!strcmp(action, "kill")) {
		points[point].action = ACTION_KILL;
	} else if (!strcmp(action, "freeze")) {
		points[point].action = ACTION_FREEZE;
	} else {
		points[point].action = ACTION_WAIT;
		points[point].ms = strtol(action, &end, 10);
		if (*end || end == action)
			bad_order(order);
	}
}

static void read_order(char *order)
{
	char *action = strchr(order, '=');

	if (!action)
		bad_order(order);
	*action++ = '\0';
	for (int i = 0; i < FAILPOINT_COUNT; i++) {
		if (!strcmp(order, names[i])) {
			read_action(i, action, order);
			return;
		}
	}
	bad_order(order);
}

static void read_orders(void)
{
	const char *text = getenv("DATAFLOW_FAILPOINTS");
	char *copy = strdup(text ? text : ""), *rest = copy, *comma;

	if (!copy)
		abort();
	for (; rest && *rest; rest = comma ? comma + 1 : NULL) {
		comma = strchr(rest, ',');
		if (comma)
			*comma = '\0';
		read_order(rest);
	}
	free(copy);
}

static void wait_ms(long ms)
{
	struct timespec left = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&left, &left) < 0)
		;
}

void failpoint_pass(enum failpoint point)
{
	pthread_once(&once, read_orders);
	if (points[point].action == ACTION_NONE ||
	    atomic_fetch_add(&points[point].passed, 1) + 1 != points[point].nth)
		return;
	fprintf(stderr, "failpoint %s\n", names[point]);
	switch (points[point].action) {
	case ACTION_KILL:
		raise(SIGKILL);
		break;
	case ACTION_FREEZE:
		raise(SIGSTOP);
		break;
	case ACTION_WAIT:
		wait_ms(points[point].ms);
		break;
	case ACTION_NONE:
		break;
	}
}
