/*
 * One thread for each database that ever had a job in this process. It looks
 * at the database's commit counter first, so that an idle database costs
 * nothing, and reads the log before it asks for the writer's lock, so that it
 * waits only when there is something to do.
 */
#include "cdc/cdc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "cdc/capture.h"
#include "cdc/job.h"
#include "exec/tran.h"
#include "store/schema.h"

#define POLL_MS	   50
#define IDLE_MS	   300000
#define CLEANUP_MS 3600000 /* how often the clean-up job looks */
#define MAX_TRANS  500

struct cdc_job {
	struct server *srv;
	struct database *db;
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	bool started, stopping;	      /* the thread */
	bool capture, cleanup_wanted; /* what it is to do */
	bool busy;
	struct cdc_session sessions[CDC_KEPT], total;
	int session_count;
	struct cdc_error errors[CDC_KEPT];
	int error_count;
	int64_t next_session;
	/* the thread's own */
	int64_t seen_commits, active_ms, cleaned_ms;
};

static pthread_mutex_t jobs_lock = PTHREAD_MUTEX_INITIALIZER;

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t datetime_now(void)
{
	char buf[DATETIMEOFFSET_BLOB];
	struct moment m;
	struct val v;

	moment_now(&m, false);
	moment_store(&m, type_of(TY_DATETIME), &v, buf);
	return v.i;
}

/* --- what is remembered --- */

static void note_error(struct cdc_job *j, const struct diag *d)
{
	struct cdc_error *e;

	pthread_mutex_lock(&j->lock);
	e = &j->errors[j->error_count++ % CDC_KEPT];
	e->session = j->next_session;
	e->time = datetime_now();
	e->number = d->number;
	e->severity = d->severity;
	e->state = d->state;
	text_copy(e->message, sizeof(e->message), d->message);
	j->total.errors++;
	pthread_mutex_unlock(&j->lock);
}

static void note_scan(struct cdc_job *j, const struct scan *scan,
		      int64_t started)
{
	struct cdc_session *s;

	pthread_mutex_lock(&j->lock);
	s = &j->sessions[j->session_count++ % CDC_KEPT];
	memset(s, 0, sizeof(*s));
	s->id = ++j->next_session;
	s->started = started;
	s->ended = datetime_now();
	s->first = scan->first;
	s->last = scan->last;
	s->transactions = scan->transactions;
	s->commands = scan->commands;
	s->latency_ms = scan->latency_ms;
	s->scans = 1;
	if (!j->total.started)
		j->total.started = started;
	if (!j->total.first)
		j->total.first = scan->first;
	j->total.ended = s->ended;
	j->total.last = scan->last;
	j->total.transactions += s->transactions;
	j->total.commands += s->commands;
	j->total.latency_ms = s->latency_ms;
	j->total.scans++;
	pthread_mutex_unlock(&j->lock);
}

/* Scans that find nothing make one session together, the current one. */
static void note_empty(struct cdc_job *j)
{
	struct cdc_session *s = NULL;

	pthread_mutex_lock(&j->lock);
	if (j->session_count)
		s = &j->sessions[(j->session_count - 1) % CDC_KEPT];
	if (!s || s->transactions) {
		s = &j->sessions[j->session_count++ % CDC_KEPT];
		memset(s, 0, sizeof(*s));
		s->id = ++j->next_session;
		s->started = datetime_now();
	}
	s->ended = datetime_now();
	s->empty_scans++;
	j->total.empty_scans++;
	pthread_mutex_unlock(&j->lock);
}

int job_sessions(struct database *db, struct cdc_session *out,
		 struct cdc_session *total)
{
	struct cdc_job *j = __atomic_load_n(&db->cdc, __ATOMIC_ACQUIRE);
	int i, n = 0;

	memset(total, 0, sizeof(*total));
	if (!j)
		return 0;
	pthread_mutex_lock(&j->lock);
	*total = j->total;
	for (i = j->session_count > CDC_KEPT ? j->session_count - CDC_KEPT : 0;
	     i < j->session_count; i++)
		out[n++] = j->sessions[i % CDC_KEPT];
	pthread_mutex_unlock(&j->lock);
	return n;
}

int job_errors(struct database *db, struct cdc_error *out)
{
	struct cdc_job *j = __atomic_load_n(&db->cdc, __ATOMIC_ACQUIRE);
	int i, n = 0;

	if (!j)
		return 0;
	pthread_mutex_lock(&j->lock);
	for (i = j->error_count > CDC_KEPT ? j->error_count - CDC_KEPT : 0;
	     i < j->error_count; i++)
		out[n++] = j->errors[i % CDC_KEPT];
	pthread_mutex_unlock(&j->lock);
	return n;
}

/* --- the work --- */

static int delay_ms(struct cdc_job *j)
{
	return __atomic_load_n(&j->srv->capture_delay_ms, __ATOMIC_RELAXED);
}

/* Is there a committed transaction that is old enough? */
static int anything(struct cdc_job *j, struct session *s, int64_t up_to,
		    bool *yes, struct diag *d)
{
	struct attached *home = session_attach(s, j->db, d);
	int64_t found = 0;
	int ret = -1;

	if (!home || tran_begin_statement(s, d) < 0)
		return -1;
	ret = catalog_int(s, d, &found,
			  "SELECT EXISTS(SELECT 1 FROM %s._log_tran WHERE"
			  " ended_ms <= %lld)",
			  home->prefix, (long long)up_to);
	if (tran_end_statement(s, ret < 0, d) < 0)
		ret = -1;
	*yes = found != 0;
	return ret;
}

enum work { WORK_SCAN, WORK_HEARTBEAT, WORK_CLEANUP };

/* One piece of work in a transaction of its own. */
static int work(struct cdc_job *j, struct session *s, enum work what,
		struct scan *scan, struct diag *d)
{
	struct attached *home = session_attach(s, j->db, d);
	struct cdc_job_config config;
	struct diag ignored;
	int ret;

	if (!home || tran_begin_statement(s, d) < 0)
		return -1;
	ret = tran_write(s, home, d);
	if (ret == 0 && cdc_is_on(s, home)) {
		if (what == WORK_SCAN) {
			ret = cdc_scan(s, home, scan, d);
		} else if (what == WORK_HEARTBEAT) {
			ret = cdc_heartbeat(s, home, d);
		} else {
			job_config(j->srv, j->db, CDC_CLEANUP, &config);
			ret = cdc_cleanup_old(s, home, config.retention, d);
		}
	}
	if (tran_end_statement(s, ret < 0, ret < 0 ? &ignored : d) < 0)
		ret = -1;
	return ret;
}

/* 1: some transactions are held back; 0: all there were are captured. */
static int capture(struct cdc_job *j, struct session *s, struct diag *d)
{
	int64_t commits = __atomic_load_n(&j->db->commits, __ATOMIC_SEQ_CST);
	int64_t started = datetime_now();
	int delay = delay_ms(j);
	struct scan scan;
	bool found = false;

	if (commits == j->seen_commits)
		return 0;
	do {
		memset(&scan, 0, sizeof(scan));
		scan.max_trans = MAX_TRANS;
		scan.up_to_ms = delay > 0 ? wall_ms() - delay : INT64_MAX;
		if (anything(j, s, scan.up_to_ms, &found, d) < 0)
			return -1;
		if (!found)
			break;
		if (work(j, s, WORK_SCAN, &scan, d) < 0)
			return -1;
		if (scan.transactions) {
			note_scan(j, &scan, started);
			j->active_ms = clock_ms();
		}
	} while (scan.more);
	/* what is held back must be looked at again */
	if (delay <= 0) {
		j->seen_commits = commits;
		return 0;
	}
	/* and a scan that left something has not found nothing */
	if (anything(j, s, INT64_MAX, &found, d) < 0)
		return -1;
	return found;
}

static int once(struct cdc_job *j, struct session *s, bool capturing,
		bool cleaning, struct diag *d)
{
	int idle = __atomic_load_n(&j->srv->idle_interval_ms, __ATOMIC_RELAXED);
	struct scan none = {0};

	int held_back = capturing ? capture(j, s, d) : 1;

	if (held_back < 0)
		return -1;
	if (!held_back)
		note_empty(j);
	if (capturing &&
	    clock_ms() - j->active_ms >= (idle > 0 ? idle : IDLE_MS)) {
		if (work(j, s, WORK_HEARTBEAT, &none, d) < 0)
			return -1;
		j->active_ms = clock_ms();
	}
	if (cleaning) {
		if (work(j, s, WORK_CLEANUP, &none, d) < 0)
			return -1;
		j->cleaned_ms = clock_ms();
	}
	return 0;
}

static struct session *open_session(struct cdc_job *j, struct diag *d)
{
	struct session *s = session_new(j->srv, NULL);
	char name[130 * 4];

	s->internal = s->sysadmin = true;
	s->login_id = 1;
	text_copy(s->login, sizeof(s->login), "sa");
	text_copy(s->original_login, sizeof(s->original_login), "sa");
	text_copy(s->app, sizeof(s->app), "SQLAgent - TSQL JobStep");
	database_name(&j->srv->registry, j->db, name, sizeof(name));
	if (session_open(s, name, d) == 0)
		return s;
	session_free(s);
	return NULL;
}

/* Wait for the next round. False: the thread is to end. */
static bool next_round(struct cdc_job *j, bool *capturing, bool *cleaning)
{
	int ms =
		__atomic_load_n(&j->srv->capture_interval_ms, __ATOMIC_RELAXED);
	struct timespec until;
	bool go_on;

	clock_gettime(CLOCK_REALTIME, &until);
	if (ms <= 0)
		ms = POLL_MS;
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_mutex_lock(&j->lock);
	j->busy = false;
	pthread_cond_broadcast(&j->changed);
	if (!j->stopping && !j->cleanup_wanted)
		pthread_cond_timedwait(&j->changed, &j->lock, &until);
	go_on = !j->stopping;
	*capturing = j->capture &&
		     !__atomic_load_n(&j->srv->agent_stopped, __ATOMIC_RELAXED);
	*cleaning =
		j->cleanup_wanted || clock_ms() - j->cleaned_ms >= CLEANUP_MS;
	j->cleanup_wanted = false;
	j->busy = go_on && (*capturing || *cleaning);
	pthread_mutex_unlock(&j->lock);
	return go_on;
}

static void *job_main(void *arg)
{
	struct cdc_job *j = arg;
	struct session *s = NULL;
	bool capturing, cleaning;
	struct diag d = {0};

	j->seen_commits = -1;
	j->active_ms = j->cleaned_ms = clock_ms();
	while (next_round(j, &capturing, &cleaning)) {
		if ((!capturing && !cleaning) ||
		    !__atomic_load_n(&j->db->cdc_enabled, __ATOMIC_RELAXED))
			continue;
		if (s && __atomic_load_n(&s->killed, __ATOMIC_RELAXED)) {
			session_free(s);
			s = NULL;
		}
		if (!s)
			s = open_session(j, &d);
		if (!s || once(j, s, capturing, cleaning, &d) < 0)
			note_error(j, &d);
	}
	if (s)
		session_free(s);
	return NULL;
}

/* --- starting and stopping --- */

static struct cdc_job *job_of(struct server *srv, struct database *db)
{
	struct cdc_job *j;

	pthread_mutex_lock(&jobs_lock);
	j = db->cdc;
	if (!j) {
		j = mem_calloc(1, sizeof(*j));
		j->srv = srv;
		j->db = db;
		pthread_mutex_init(&j->lock, NULL);
		pthread_cond_init(&j->changed, NULL);
		__atomic_store_n(&db->cdc, j, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&jobs_lock);
	return j;
}

void job_start(struct server *srv, struct database *db, enum cdc_job_type type)
{
	struct cdc_job *j = job_of(srv, db);

	pthread_mutex_lock(&j->lock);
	if (type == CDC_CAPTURE)
		j->capture = true;
	else
		j->cleanup_wanted = true;
	if (!j->started && !j->stopping &&
	    pthread_create(&j->thread, NULL, job_main, j) == 0)
		j->started = true;
	pthread_cond_broadcast(&j->changed);
	pthread_mutex_unlock(&j->lock);
}

void job_stop(struct server *srv, struct database *db, enum cdc_job_type type,
	      bool wait)
{
	struct cdc_job *j = job_of(srv, db);
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	pthread_mutex_lock(&j->lock);
	if (type == CDC_CAPTURE)
		j->capture = false;
	else
		j->cleanup_wanted = false;
	while (wait && j->busy &&
	       pthread_cond_timedwait(&j->changed, &j->lock, &until) !=
		       ETIMEDOUT)
		;
	pthread_mutex_unlock(&j->lock);
}

bool job_running(struct database *db)
{
	struct cdc_job *j = __atomic_load_n(&db->cdc, __ATOMIC_ACQUIRE);
	bool yes;

	if (!j)
		return false;
	pthread_mutex_lock(&j->lock);
	yes = j->capture;
	pthread_mutex_unlock(&j->lock);
	return yes;
}

static void end_thread(struct cdc_job *j)
{
	bool started;

	pthread_mutex_lock(&j->lock);
	j->stopping = true;
	started = j->started;
	j->started = false;
	pthread_cond_broadcast(&j->changed);
	pthread_mutex_unlock(&j->lock);
	if (started)
		pthread_join(j->thread, NULL);
}

void cdc_forget_database(struct server *srv, struct database *db)
{
	struct cdc_job *j = __atomic_load_n(&db->cdc, __ATOMIC_ACQUIRE);
	struct cdc_job_config none = {.there = false};

	if (j)
		end_thread(j);
	job_set(srv, db, CDC_CAPTURE, &none);
	job_set(srv, db, CDC_CLEANUP, &none);
}

/* The file says whether capture is on: the process may have ended between its
 * commit and the note in server.db. */
static void look_up(struct server *srv, struct database *db)
{
	struct cdc_job_config config;
	struct cdc_job *j = job_of(srv, db);
	struct attached *home;
	struct session *s;
	struct diag d;
	bool on = false;

	s = open_session(j, &d);
	if (!s)
		return;
	home = session_attach(s, db, &d);
	if (home)
		on = cdc_is_on(s, home);
	session_free(s);
	if (on != (db->cdc_enabled != 0)) {
		db->cdc_enabled = on;
		database_save(&srv->registry, db);
	}
	job_config(srv, db, CDC_CAPTURE, &config);
	if (on && config.there)
		job_start(srv, db, CDC_CAPTURE);
}

void cdc_start(struct server *srv)
{
	struct database *db;

	for (db = database_next(&srv->registry, NULL); db;
	     db = database_next(&srv->registry, db))
		if (db->id >= DB_USER && !db->offline)
			look_up(srv, db);
}

void cdc_stop(struct server *srv)
{
	struct database *db;
	struct cdc_job *j;

	for (db = srv->registry.first; db; db = db->next) {
		j = __atomic_load_n(&db->cdc, __ATOMIC_ACQUIRE);
		if (j)
			end_thread(j);
	}
}
