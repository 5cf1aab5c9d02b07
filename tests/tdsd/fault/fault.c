#include "fault/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "exec/output.h"
#include "exec/server.h"
#include "fault/counter.h"
#include "fn/like.h"
#include "net/conn.h"

#define TEXT_SIZE 600

struct fault {
	struct fault *next;
	char action; /* 'e'rror, 'd'rop, 's'tall, 'k'ill */
	int number, state, severity;
	int64_t milliseconds;
	char message[TEXT_SIZE], match[TEXT_SIZE], app[TEXT_SIZE];
	char database[TEXT_SIZE], event[40];
	int64_t nth, times; /* fire at the n-th, so often; 0: always */
	int64_t seen, fired;
	bool after;
};

static bool text_like(const char *pattern, const char *text, size_t len)
{
	return like_match(collation_get(COLLATION_DEFAULT), text, len, pattern,
			  strlen(pattern), 0, true);
}

static bool concerns(const struct fault *f, const struct session *s,
		     const char *event, const char *text, size_t len,
		     bool before)
{
	if (f->after == before)
		return false;
	if (f->times && f->fired >= f->times)
		return false;
	if (event ? strcasecmp(f->event, event) != 0 : f->event[0] != '\0')
		return false;
	if (!event && f->match[0] && !text_like(f->match, text, len))
		return false;
	if (f->app[0] && !text_like(f->app, s->app, strlen(s->app)))
		return false;
	return !f->database[0] ||
	       (s->db && !strcasecmp(f->database, s->db->name));
}

static void stall(struct session *s, int64_t ms)
{
	output_flush(s);
	for (; ms > 0 && !session_cancelled(s); ms -= 5) {
		struct timespec nap = {0, 5000000};

		nanosleep(&nap, NULL);
	}
}

static int act(struct session *s, const struct fault *f, struct diag *d)
{
	switch (f->action) {
	case 'k':
		_exit(137);
	case 's':
		stall(s, f->milliseconds);
		return 0;
	case 'd':
		s->broken = true;
		if (s->conn) {
			s->conn->dead = true;
			conn_shutdown(s->conn);
		}
		return diag_free_text(d, 596, 21, 1,
				      "Cannot continue the execution because "
				      "the session is in the kill state.");
	default:
		diag_free_text(d, f->number, f->severity, f->state, "%s",
			       f->message);
		d->line = 1;
		return -1;
	}
}

/* Find the fault that is due; a copy, so that nothing is locked meanwhile. */
static bool due(struct session *s, const char *event, const char *text,
		size_t len, bool before, struct fault *out)
{
	struct fault *f;
	bool found = false;

	pthread_mutex_lock(&s->server->lock);
	for (f = s->server->faults; f && !found; f = f->next) {
		if (!concerns(f, s, event, text, len, before))
			continue;
		f->seen++;
		if (f->seen < f->nth)
			continue;
		f->fired++;
		*out = *f;
		found = true;
	}
	pthread_mutex_unlock(&s->server->lock);
	return found;
}

static int check(struct session *s, const char *event, const char *text,
		 size_t len, bool before, struct diag *d)
{
	struct fault f;

	if (!__atomic_load_n(&s->server->faults, __ATOMIC_RELAXED) ||
	    s->internal)
		return 0;
	if (!due(s, event, text, len, before, &f))
		return 0;
	return act(s, &f, d);
}

int fault_login(struct session *s, struct diag *d)
{
	int64_t ms =
		__atomic_load_n(&s->server->login_delay_ms, __ATOMIC_RELAXED);

	if (ms)
		stall(s, ms);
	return check(s, "login", "", 0, true, d);
}

int fault_batch(struct session *s, const char *text, size_t len, bool before,
		struct diag *d)
{
	static const char own[] = "%sp[_]tdsd[_]%";

	if (!__atomic_load_n(&s->server->faults, __ATOMIC_RELAXED))
		return 0;
	if (text_like(own, text, len)) /* the orders themselves are exempt */
		return 0;
	return check(s, NULL, text, len, before, d);
}

int fault_event(struct session *s, const char *event, bool before,
		struct diag *d)
{
	return check(s, event, "", 0, before, d);
}

int fault_row(struct session *s, struct diag *d)
{
	return check(s, "row", "", 0, true, d);
}

/* --- the procedures --- */

static bool allowed(struct call *c, struct diag *d)
{
	if (c->s->sysadmin)
		return true;
	diag_free_text(d, 15247, 16, 1,
		       "User does not have permission to perform this "
		       "action.");
	return false;
}

static void take_text(struct call *c, int n, const char *name, char *out,
		      size_t size, struct arena *pool)
{
	const char *text = call_text(c, n, name, pool);

	text_copy(out, size, text ? text : "");
}

static const char *const fault_names[] = {
	"@action",  "@match", "@event",	   "@nth",	    "@times",
	"@when",    "@app",   "@database", "@error",	    "@number",
	"@message", "@state", "@class",	   "@milliseconds", NULL};

static int fill(struct call *c, struct fault *f, struct arena *pool,
		struct diag *d)
{
	char action[40], when[40];

	take_text(c, 0, "@action", action, sizeof(action), pool);
	take_text(c, 1, "@match", f->match, sizeof(f->match), pool);
	take_text(c, 2, "@event", f->event, sizeof(f->event), pool);
	f->nth = call_int(c, 3, "@nth", 1);
	f->times = call_int(c, 4, "@times", 1);
	take_text(c, 5, "@when", when, sizeof(when), pool);
	take_text(c, 6, "@app", f->app, sizeof(f->app), pool);
	take_text(c, 7, "@database", f->database, sizeof(f->database), pool);
	f->number =
		(int)call_int(c, 8, "@error", call_int(c, 9, "@number", 50000));
	take_text(c, 10, "@message", f->message, sizeof(f->message), pool);
	f->state = (int)call_int(c, 11, "@state", 1);
	f->severity = (int)call_int(c, 12, "@class", 16);
	f->milliseconds = call_int(c, 13, "@milliseconds", 1000);
	f->after = !strcasecmp(when, "after");
	if (!f->message[0])
		text_copy(f->message, sizeof(f->message), "Injected fault.");
	f->action = 0;
	if (!strcasecmp(action, "error"))
		f->action = 'e';
	else if (!strcasecmp(action, "drop"))
		f->action = 'd';
	else if (!strcasecmp(action, "stall"))
		f->action = 's';
	else if (!strcasecmp(action, "kill"))
		f->action = 'k';
	if (f->action)
		return 0;
	return diag_free_text(d, 50000, 16, 1,
			      "sp_tdsd_fault: @action is error, drop, stall or"
			      " kill.");
}

enum flow fault_proc_set(struct call *c)
{
	struct fault *f = mem_calloc(1, sizeof(*f));
	struct server *srv = c->s->server;
	struct arena pool;
	struct diag d = {0};
	int ret = -1;

	arena_init(&pool, 0);
	if (allowed(c, &d) &&
	    call_check(c, "sp_tdsd_fault", fault_names, &d) == 0)
		ret = fill(c, f, &pool, &d);
	arena_release(&pool);
	if (ret < 0) {
		free(f);
		return call_error(c, &d);
	}
	pthread_mutex_lock(&srv->lock);
	f->next = srv->faults;
	__atomic_store_n(&srv->faults, f, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&srv->lock);
	return FLOW_OK;
}

void fault_clear(struct server *srv)
{
	struct fault *f, *next;

	pthread_mutex_lock(&srv->lock);
	f = srv->faults;
	__atomic_store_n(&srv->faults, NULL, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&srv->lock);
	for (; f; f = next) {
		next = f->next;
		free(f);
	}
}

enum flow fault_proc_clear(struct call *c)
{
	struct diag d = {0};

	if (!allowed(c, &d))
		return call_error(c, &d);
	fault_clear(c->s->server);
	counter_clear(c->s->server);
	return FLOW_OK;
}

/* --- options --- */

enum flow fault_proc_option(struct call *c)
{
	static const char *const names[] = {"@name", "@value", NULL};
	struct server *srv = c->s->server;
	struct option_slot {
		const char *name;
		int *value;
	} slots[] = {
		{"login_delay", &srv->login_delay_ms},
		{"capture_delay", &srv->capture_delay_ms},
		{"capture_interval", &srv->capture_interval_ms},
		{"idle_interval", &srv->idle_interval_ms},
		{"agent_stopped", &srv->agent_stopped},
		{"tracking_age", &srv->tracking_age_ms},
		{"count_statements", &srv->count_statements},
		{"free_mb", &srv->free_mb},
	};
	struct arena pool;
	struct diag d = {0};
	const char *name;
	size_t i;
	bool known = false;

	if (!allowed(c, &d) || call_check(c, "sp_tdsd_option", names, &d) < 0)
		return call_error(c, &d);
	arena_init(&pool, 0);
	name = call_text(c, 0, "@name", &pool);
	for (i = 0; i < LENGTH_OF(slots) && name; i++) {
		if (strcasecmp(slots[i].name, name) != 0)
			continue;
		__atomic_store_n(slots[i].value,
				 (int)call_int(c, 1, "@value", 0),
				 __ATOMIC_RELAXED);
		known = true;
	}
	if (!known)
		diag_free_text(&d, 50000, 16, 1,
			       "sp_tdsd_option: no option '%s'.",
			       name ? name : "");
	arena_release(&pool);
	return known ? FLOW_OK : call_error(c, &d);
}
