/*
 * The thread goes round: listen where it was asked to, serve for a moment, look
 * whether anything was asked. Finding a host may take long, which is why all of
 * it is done there.
 */
#include "monitor/monitor.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/endpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "monitor/http.h"
#include "monitor/pages.h"

#define SERVE_MS 200	/* between two looks at what was asked */
#define RETRY_MS 5000	/* between two attempts to listen */
#define REST_MS	 600000 /* there is nothing to do; asking wakes it */
#define STOP_MS	 1000

struct monitor {
	struct cancel cancel;
	int64_t started_us;

	pthread_mutex_t lock; /* guards up to the next blank line */
	pthread_cond_t ended;
	pthread_t thread;
	bool has_thread, has_ended;
	struct monitor_source source; /* look is NULL: nothing to look at */
	char wanted[ENDPOINT_TEXT_MAX];
	struct error problem; /* kind ERROR_NONE: it listens */

	/* The thread's own. */
	struct pages pages;
	struct http *http;		 /* NULL: it does not listen */
	char current[ENDPOINT_TEXT_MAX]; /* where it does, or tried to */
	int64_t next_try_ms, next_sample_ms;
};

/* ----------------------------------------------------------------- looking */

/* The lock keeps what is looked at from going away meanwhile. */
static int look(void *arg, struct overview *out)
{
	struct monitor *monitor = arg;
	int ret = 0;

	pthread_mutex_lock(&monitor->lock);
	if (monitor->source.look) {
		ret = monitor->source.look(monitor->source.arg, out);
	} else {
		overview_init(out, 0);
		out->taken_us = clock_utc_us();
		out->not_ready = "the control tables cannot be reached";
	}
	pthread_mutex_unlock(&monitor->lock);
	if (ret == 0)
		out->started_us = monitor->started_us;
	return ret;
}

static void sample(struct monitor *monitor)
{
	if (clock_ms() < monitor->next_sample_ms)
		return;
	pthread_mutex_lock(&monitor->lock);
	if (monitor->source.sample) {
		monitor->source.sample(monitor->source.arg);
		monitor->next_sample_ms = clock_ms() + OVERVIEW_LAG_EVERY_MS;
	}
	pthread_mutex_unlock(&monitor->lock);
}

/* --------------------------------------------------------------- listening */

/* One line for each change; what is watched tells of failures itself. */
static void tell(struct monitor *monitor, const struct endpoint *endpoint,
		 const struct error *err)
{
	bool changed, watched;

	pthread_mutex_lock(&monitor->lock);
	changed = strcmp(monitor->problem.message, err->message) != 0;
	watched = monitor->source.look != NULL;
	monitor->problem = *err;
	pthread_mutex_unlock(&monitor->lock);
	if (err->kind == ERROR_NONE)
		log_info("metrics and status page on port %d of %s",
			 endpoint->port, endpoint->host);
	else if (changed && !watched)
		log_warning("%s; trying again", err->message);
}

static void try_to_listen(struct monitor *monitor)
{
	struct http_handler handler = {pages_answer, &monitor->pages};
	struct error err = ERROR_INIT;
	struct endpoint endpoint;

	monitor->next_try_ms = clock_ms() + RETRY_MS;
	if (!endpoint_parse(monitor->current, &endpoint))
		error_set(&err, ERROR_CONFIG, "'%s' must be " ENDPOINT_FORMS,
			  monitor->current);
	else if (!endpoint.port)
		return;
	else
		(void)!http_open(&monitor->http, &endpoint, &handler, &err);
	if (err.kind != ERROR_NONE)
		error_wrap(&err, "metrics_listen");
	tell(monitor, &endpoint, &err);
}

/* Listen where it was asked to last. */
static void follow(struct monitor *monitor)
{
	bool changed;

	pthread_mutex_lock(&monitor->lock);
	changed = strcmp(monitor->current, monitor->wanted) != 0;
	if (changed) {
		text_copy(monitor->current, sizeof(monitor->current),
			  monitor->wanted);
		error_clear(&monitor->problem);
	}
	pthread_mutex_unlock(&monitor->lock);
	if (changed) {
		http_close(monitor->http);
		monitor->http = NULL;
		monitor->next_try_ms = 0;
	}
	if (!monitor->http && clock_ms() >= monitor->next_try_ms)
		try_to_listen(monitor);
}

static void rest(struct monitor *monitor)
{
	struct endpoint endpoint;
	bool nowhere =
		endpoint_parse(monitor->current, &endpoint) && !endpoint.port;

	cancel_sleep(&monitor->cancel, nowhere ? REST_MS : RETRY_MS);
}

static void *monitor_main(void *arg)
{
	struct monitor *monitor = arg;

	while (cancel_level(&monitor->cancel) == CANCEL_NONE) {
		follow(monitor);
		if (!monitor->http) {
			rest(monitor);
			continue;
		}
		if (!http_serve(monitor->http, SERVE_MS))
			cancel_sleep(&monitor->cancel, SERVE_MS);
		sample(monitor);
	}
	http_close(monitor->http);
	pthread_mutex_lock(&monitor->lock);
	monitor->has_ended = true;
	pthread_cond_signal(&monitor->ended);
	pthread_mutex_unlock(&monitor->lock);
	return NULL;
}

/* --------------------------------------------------------------- interface */

int monitor_new(struct monitor **out, struct error *err)
{
	struct monitor *monitor = calloc(1, sizeof(*monitor));
	int rc;

	if (!monitor)
		return error_memory(err, "the monitor");
	monitor->started_us = clock_utc_us();
	monitor->pages.look = look;
	monitor->pages.arg = monitor;
	if (pages_init(&monitor->pages, err) < 0)
		goto no_pages;
	if (cancel_init(&monitor->cancel, err) < 0)
		goto no_cancel;
	rc = pthread_mutex_init(&monitor->lock, NULL);
	if (rc) {
		error_errno(err, rc, "cannot make a lock");
		goto no_lock;
	}
	rc = clock_cond_init(&monitor->ended);
	if (rc) {
		error_errno(err, rc, "cannot make a condition");
		goto no_condition;
	}
	*out = monitor;
	return 0;
no_condition:
	pthread_mutex_destroy(&monitor->lock);
no_lock:
	cancel_release(&monitor->cancel);
no_cancel:
	pages_release(&monitor->pages);
no_pages:
	free(monitor);
	return -1;
}

void monitor_watch(struct monitor *monitor, const struct monitor_source *source)
{
	pthread_mutex_lock(&monitor->lock);
	monitor->source = *source;
	pthread_mutex_unlock(&monitor->lock);
}

/* The lock is held. */
static void start_thread(struct monitor *monitor)
{
	int rc;

	if (monitor->has_thread || !*monitor->wanted)
		return;
	rc = pthread_create(&monitor->thread, NULL, monitor_main, monitor);
	if (rc)
		error_errno(&monitor->problem, rc,
			    "metrics_listen: cannot start a thread");
	else
		monitor->has_thread = true;
}

void monitor_listen(struct monitor *monitor, const char *address)
{
	pthread_mutex_lock(&monitor->lock);
	text_copy(monitor->wanted, sizeof(monitor->wanted), address);
	start_thread(monitor);
	pthread_mutex_unlock(&monitor->lock);
	cancel_poke(&monitor->cancel);
}

int monitor_check(struct monitor *monitor, struct error *err)
{
	int ret = 0;

	pthread_mutex_lock(&monitor->lock);
	if (monitor->problem.kind != ERROR_NONE) {
		*err = monitor->problem;
		ret = -1;
	}
	pthread_mutex_unlock(&monitor->lock);
	return ret;
}

void monitor_stop(struct monitor *monitor)
{
	pthread_mutex_lock(&monitor->lock);
	memset(&monitor->source, 0, sizeof(monitor->source));
	pthread_mutex_unlock(&monitor->lock);
	cancel_request(&monitor->cancel, CANCEL_DRAIN);
}

bool monitor_free(struct monitor *monitor)
{
	int64_t deadline = clock_ms() + STOP_MS;
	bool ended;

	if (!monitor)
		return true;
	monitor_stop(monitor);
	pthread_mutex_lock(&monitor->lock);
	while (monitor->has_thread && !monitor->has_ended &&
	       clock_ms() < deadline)
		clock_cond_wait(&monitor->ended, &monitor->lock, deadline);
	ended = !monitor->has_thread || monitor->has_ended;
	pthread_mutex_unlock(&monitor->lock);
	if (!ended)
		return false;
	if (monitor->has_thread)
		pthread_join(monitor->thread, NULL);
	pages_release(&monitor->pages);
	pthread_cond_destroy(&monitor->ended);
	pthread_mutex_destroy(&monitor->lock);
	cancel_release(&monitor->cancel);
	free(monitor);
	return true;
}
