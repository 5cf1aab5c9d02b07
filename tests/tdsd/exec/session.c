#include "exec/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/text.h"
#include "cdc/log.h"
#include "exec/perm.h"
#include "exec/planner.h"
#include "exec/prepared.h"
#include "exec/server.h"
#include "exec/module.h"
#include "exec/tablevar.h"
#include "exec/tran.h"
#include "net/conn.h"
#include "store/catalog.h"
#include "store/functions.h"
#include "store/schema.h"

void settings_default(struct settings *set)
{
	memset(set, 0, sizeof(*set));
	set->ansi_warnings = set->ansi_null_dflt_on = true;
	set->concat_null = set->quoted_identifier = true;
	set->isolation = ISO_READ_COMMITTED;
	set->datefirst = 7;
	set->lock_timeout = -1;
	set->textsize = -1;
	set->language = "us_english";
}

struct session *session_new(struct server *srv, struct conn *conn)
{
	struct session *s = mem_calloc(1, sizeof(*s));
	struct moment now;

	s->server = srv;
	s->conn = conn;
	settings_default(&s->set);
	s->login_set = s->set;
	strbuf_init_max(&s->fn_mem, (size_t)1 << 31);
	strbuf_init_max(&s->out_mem, (size_t)1 << 31);
	moment_now(&now, false);
	moment_format(&now, type_of(TY_DATETIME), 121, s->login_time,
		      sizeof(s->login_time));
	s->temp_next_id = 0;
	s->identity = val_null();
	pthread_mutex_lock(&srv->lock);
	/* the smallest free number from 51 on, as the server does */
	for (s->spid = 51;; s->spid++) {
		struct session *other = srv->sessions;

		while (other && other->spid != s->spid)
			other = other->next;
		if (!other)
			break;
	}
	s->next = srv->sessions;
	srv->sessions = s;
	pthread_mutex_unlock(&srv->lock);
	return s;
}

static void attached_free(struct attached *a)
{
	sqlite3_finalize(a->get_version);
	sqlite3_finalize(a->touch);
	sqlite3_finalize(a->find_object);
	sqlite3_finalize(a->find_schema);
	log_free(a->log);
	free(a);
}

static void unlink_session(struct session *s)
{
	struct session **link = &s->server->sessions;

	pthread_mutex_lock(&s->server->lock);
	while (*link && *link != s)
		link = &(*link)->next;
	if (*link)
		*link = s->next;
	pthread_mutex_unlock(&s->server->lock);
}

void session_free(struct session *s)
{
	struct attached *a;

	if (s->sql)
		tran_abort(s);
	lock_release_all(s);
	prepared_free(s);
	plan_cache_free(s);
	modules_free(s);
	catalog_cache_free(s);
	context_free(s);
	while ((a = s->attached)) {
		s->attached = a->next;
		attached_free(a);
	}
	if (s->sql && sqlite3_close(s->sql) != SQLITE_OK)
		fprintf(stderr, "tdsd: session %d leaves statements: %s\n",
			s->spid, sqlite3_errmsg(s->sql));
	unlink_session(s);
	strbuf_release(&s->fn_mem);
	strbuf_release(&s->out_mem);
	free(s);
}

/* Called by SQLite every few thousand steps: stop when told to. */
static int on_progress(void *arg)
{
	return session_cancelled(arg);
}

int session_open(struct session *s, const char *database, struct diag *d)
{
	int rc = sqlite3_open_v2(":memory:", &s->sql,
				 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
					 SQLITE_OPEN_NOMUTEX,
				 NULL);

	if (rc != SQLITE_OK)
		return diag_free_text(d, 823, 21, 1, "storage: %s",
				      sqlite3_errstr(rc));
	sqlite3_busy_timeout(s->sql, 5000);
	sqlite3_extended_result_codes(s->sql, 1);
	sqlite3_db_config(s->sql, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(s->sql, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	sqlite3_limit(s->sql, SQLITE_LIMIT_VARIABLE_NUMBER, 30000);
	schema_try(s->sql, "PRAGMA temp_store=FILE");
	functions_register(s);
	sqlite3_progress_handler(s->sql, 2000, on_progress, s);
	return session_use(s, database, d);
}

bool session_cancelled(struct session *s)
{
	if (s->attention || s->broken)
		return true;
	if (__atomic_load_n(&s->killed, __ATOMIC_RELAXED))
		return true;
	if (s->conn)
		conn_poll(s->conn, s);
	return s->attention || s->broken;
}

int session_use(struct session *s, const char *name, struct diag *d)
{
	struct database *db = database_find(&s->server->registry, name);

	if (!db)
		return diag_set(d, 911, name);
	if (db->offline)
		return diag_set(d, 942, name);
	if (perm_enter(s, db, d) < 0)
		return -1;
	if (!session_attach(s, db, d))
		return -1;
	__atomic_store_n(&s->db, db, __ATOMIC_RELEASE);
	return 0;
}

void session_become(struct session *s, const struct login *login)
{
	pthread_mutex_lock(&s->server->lock);
	s->login_id = login->id;
	s->sysadmin = login->sysadmin;
	text_copy(s->login, sizeof(s->login), login->name);
	pthread_mutex_unlock(&s->server->lock);
}

void session_reset(struct session *s)
{
	struct diag d;

	tran_abort(s);
	lock_release_all(s);
	prepared_free(s);
	context_free(s);
	temp_drop_all(s);
	s->set = s->login_set;
	s->identity_insert_table = 0;
	s->context_info_len = 0;
	s->identity = val_null();
	s->rowcount = 0;
	s->error = 0;
	if (s->user_db && s->db != s->user_db)
		session_use(s, "master", &d);
}

void session_clock(struct session *s)
{
	if (s->now_set)
		return;
	moment_now(&s->now, false);
	moment_now(&s->now_utc, true);
	s->now_set = true;
}

int session_sqlite_error(struct session *s, int rc, struct diag *d)
{
	if (s->fn_set) {
		*d = s->fn;
		s->fn_set = false;
		return -1;
	}
	if (rc == SQLITE_INTERRUPT || s->attention || s->broken)
		return diag_free_text(d, 3617, 11, 1,
				      "Operation cancelled by user.");
	if ((rc & 0xFF) == SQLITE_BUSY)
		return diag_set(d, 1205, s->spid);
	if ((rc & 0xFF) == SQLITE_FULL)
		return diag_free_text(d, 1105, 17, 2,
				      "Could not allocate space: the disk or "
				      "filegroup 'PRIMARY' is full.");
	if ((rc & 0xFF) == SQLITE_NOMEM || (rc & 0xFF) == SQLITE_TOOBIG)
		return diag_set(d, 701, "default");
	/* SQLite's own limits of nesting */
	if (strstr(sqlite3_errmsg(s->sql), "parser stack overflow") ||
	    strstr(sqlite3_errmsg(s->sql), "tree is too large"))
		return diag_set(d, 191);
	fprintf(stderr, "tdsd: SQLite error %d: %s\n", rc,
		sqlite3_errmsg(s->sql));
	return diag_free_text(d, 823, 21, 2, "storage: %s",
			      sqlite3_errmsg(s->sql));
}

struct convert session_convert(struct session *s)
{
	return (struct convert){.style = -1,
				.date_order = s->set.date_order,
				.mem = &s->fn_mem};
}

/* --- attached files --- */

#define ATTACHED_MAX 9

/* Let go of a file that was not used for the longest time. */
static void detach_one(struct session *s)
{
	struct attached **link, **oldest = NULL, *a;

	for (link = &s->attached; *link; link = &(*link)->next)
		if ((*link)->db && (*link)->db != s->db &&
		    (!oldest || (*link)->used < (*oldest)->used))
			oldest = link;
	if (!oldest || s->sqlite_tx)
		return;
	a = *oldest;
	*oldest = a->next;
	plan_cache_clear(s);
	catalog_forget(s);
	sqlite3_finalize(a->get_version);
	sqlite3_finalize(a->touch);
	sqlite3_finalize(a->find_object);
	sqlite3_finalize(a->find_schema);
	log_free(a->log);
	schema_try(s->sql, "DETACH %s", a->prefix);
	free(a);
}

struct attached *session_attach(struct session *s, struct database *db,
				struct diag *d)
{
	static int64_t clock;
	struct attached *a;
	int count = 0;

	for (a = s->attached; a; a = a->next) {
		if (a->db == db) {
			a->used =
				__atomic_add_fetch(&clock, 1, __ATOMIC_RELAXED);
			return a;
		}
		count += a->db != NULL;
	}
	if (db->dropped) {
		diag_set(d, 911, db->name);
		return NULL;
	}
	if (count >= ATTACHED_MAX)
		detach_one(s);
	a = mem_calloc(1, sizeof(*a));
	a->db = db;
	a->ready = true;
	snprintf(a->prefix, sizeof(a->prefix), "d%d", db->id);
	if (schema_exec(s->sql, d, "ATTACH '%s' AS %s", db->file, a->prefix) <
	    0) {
		free(a);
		return NULL;
	}
	schema_try(s->sql, "PRAGMA %s.synchronous=NORMAL", a->prefix);
	schema_try(s->sql, "PRAGMA %s.secure_delete=OFF", a->prefix);
	schema_try(s->sql, "PRAGMA %s.cache_size=-8000", a->prefix);
	a->used = __atomic_add_fetch(&clock, 1, __ATOMIC_RELAXED);
	a->next = s->attached;
	s->attached = a;
	return a;
}

/* The catalog of temporary tables is made when the first one is. */
struct attached *session_temp(struct session *s, struct diag *d)
{
	struct attached *a;

	for (a = s->attached; a; a = a->next)
		if (!a->db)
			return a;
	(void)d;
	a = mem_calloc(1, sizeof(*a));
	snprintf(a->prefix, sizeof(a->prefix), "temp");
	a->next = s->attached;
	s->attached = a;
	return a;
}
