#include "exec/tran.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "cdc/log.h"
#include "exec/output.h"
#include "exec/server.h"
#include "exec/tablevar.h"
#include "fault/fault.h"
#include "store/catalog.h"
#include "store/schema.h"

struct written_table {
	struct database *db;
	int object_id;
	struct written_table *next;
};

static int run(struct session *s, const char *sql, struct diag *d)
{
	int rc = sqlite3_exec(s->sql, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : session_sqlite_error(s, rc, d);
}

/* SQLite's transaction is over: forget what belonged to it. */
static void sqlite_over(struct session *s)
{
	struct attached *a;

	s->sqlite_tx = false;
	for (a = s->attached; a; a = a->next) {
		a->written = false;
		a->version_bumped = false;
	}
}

static void quote_save(const char *verb, const char *name, char *buf,
		       size_t size)
{
	char *text = sqlite3_mprintf("%s \"u_%w\"", verb, name);

	snprintf(buf, size, "%s", text);
	sqlite3_free(text);
}

/* Savepoints that are older than SQLite's transaction, the oldest first. */
static int set_saves(struct session *s, const struct save_point *p,
		     struct diag *d)
{
	char sql[400];

	if (!p)
		return 0;
	if (set_saves(s, p->next, d) < 0)
		return -1;
	quote_save("SAVEPOINT", p->name, sql, sizeof(sql));
	return run(s, sql, d);
}

static int sqlite_begin(struct session *s, struct diag *d)
{
	if (s->sqlite_tx)
		return 0;
	if (run(s, "BEGIN", d) < 0)
		return -1;
	s->sqlite_tx = true;
	s->tran_seq++;
	return set_saves(s, s->saves, d);
}

static void forget_writes(struct session *s)
{
	struct written_table *w;

	while ((w = s->writes)) {
		s->writes = w->next;
		free(w);
	}
}

/* Tell the other sessions which tables this commit changed. */
static void publish_writes(struct session *s)
{
	struct written_table *w;
	struct attached *a;

	for (a = s->attached; a; a = a->next)
		if (a->db && a->written)
			__atomic_add_fetch(&a->db->commits, 1,
					   __ATOMIC_SEQ_CST);
	for (w = s->writes; w; w = w->next)
		written_put(w->db, w->object_id,
			    __atomic_load_n(&w->db->commits, __ATOMIC_SEQ_CST));
}

static int sqlite_commit(struct session *s, struct diag *d)
{
	struct attached *a;

	if (!s->sqlite_tx)
		return 0;
	for (a = s->attached; a; a = a->next)
		if (a->db && a->written && log_commit(s, a, d) < 0)
			return -1;
	if (run(s, "COMMIT", d) < 0)
		return -1;
	publish_writes(s);
	for (a = s->attached; a; a = a->next)
		if (a->db && a->written)
			log_committed(s, a);
	sqlite_over(s);
	return 0;
}

static void sqlite_rollback(struct session *s)
{
	struct attached *a;
	bool ddl = false;

	if (!s->sqlite_tx)
		return;
	for (a = s->attached; a; a = a->next)
		ddl |= a->version_bumped;
	tablevar_save(s); /* table variables are not rolled back */
	sqlite3_exec(s->sql, "ROLLBACK", NULL, NULL, NULL);
	sqlite_over(s);
	if (ddl)
		catalog_forget(s);
	temp_after_rollback(s);
	tablevar_restore(s);
}

int tran_begin_statement(struct session *s, struct diag *d)
{
	s->fn_set = false;
	/* inside another statement (a trigger, a function) nothing ends here */
	if (s->stmt_depth++ == 0)
		s->now_set = false;
	return sqlite_begin(s, d);
}

static bool keeps_open(const struct session *s)
{
	const struct attached *a;

	if (!s->trancount)
		return false;
	if (s->tran_snapshot)
		return true;
	for (a = s->attached; a; a = a->next)
		if (a->written)
			return true;
	return false;
}

/* The end of a statement that ran on its own. */
static int end_autocommit(struct session *s, bool failed, struct diag *d)
{
	int ret = 0;

	if (failed) {
		sqlite_rollback(s);
	} else if (sqlite_commit(s, d) < 0) {
		sqlite_rollback(s);
		ret = -1;
	}
	forget_writes(s);
	lock_release_transaction(s);
	return ret;
}

int tran_end_statement(struct session *s, bool failed, struct diag *d)
{
	if (--s->stmt_depth > 0)
		return 0;
	if (!s->sqlite_tx) {
		if (!s->trancount)
			lock_release_transaction(s);
		return 0;
	}
	if (!s->trancount)
		return end_autocommit(s, failed, d);
	if (keeps_open(s))
		return 0;
	/* only read: the snapshot ends here */
	if (run(s, "COMMIT", d) < 0)
		return -1;
	sqlite_over(s);
	return 0;
}

/*
 * The snapshot in use may be older than what another session committed while
 * we waited. SQLite says so at the first write. When nothing but temporary
 * tables was written, start over on the newest one; the price is that a
 * rollback will not take those temporary rows back.
 */
static int refresh_snapshot(struct session *s, struct attached *home,
			    struct diag *d)
{
	struct attached *a;

	if (sqlite3_txn_state(s->sql, home->prefix) == SQLITE_TXN_NONE)
		return 0;
	for (a = s->attached; a; a = a->next)
		if (a->db && a->written)
			return 0; /* too late: the first write will tell */
	if (run(s, "COMMIT", d) < 0)
		return -1;
	sqlite_over(s);
	return sqlite_begin(s, d);
}

/* Make SQLite take its own lock now. */
static int touch_file(struct session *s, struct attached *home, struct diag *d)
{
	int rc;

	if (!home->touch) {
		home->touch = catalog_prepare(
			s, d, "DELETE FROM %s._meta WHERE k = '~'",
			home->prefix);
		if (!home->touch)
			return -1;
	}
	rc = sqlite3_step(home->touch);
	sqlite3_reset(home->touch);
	if (rc == SQLITE_DONE)
		return 0;
	if ((rc & 0xFF) == SQLITE_BUSY) {
		if (s->tran_snapshot)
			return 1; /* a conflict, if the table was changed */
		return diag_set(d, 1205, s->spid);
	}
	return session_sqlite_error(s, rc, d);
}

static int take_writer_lock(struct session *s, struct attached *home,
			    struct diag *d)
{
	char name[LOCK_NAME_MAX];

	database_lock_name(home->db, name, sizeof(name));
	if (lock_held(s, name, LOCK_X))
		return 0;
	return lock_acquire(s, name, LOCK_X, LOCK_OF_TRANSACTION,
			    s->set.lock_timeout, d);
}

int tran_write(struct session *s, struct attached *home, struct diag *d)
{
	int rc;

	if (!home->db) {
		if (sqlite_begin(s, d) < 0)
			return -1;
		home->written = true;
		return 0;
	}
	if (home->written)
		return 0;
	if (home->db->read_only)
		return diag_set(d, 3906, home->db->name);
	if (take_writer_lock(s, home, d) < 0)
		return -1;
	if (s->sqlite_tx && !s->tran_snapshot &&
	    refresh_snapshot(s, home, d) < 0)
		return -1;
	if (sqlite_begin(s, d) < 0)
		return -1;
	rc = touch_file(s, home, d);
	if (rc == 1) {
		/*
		 * SNAPSHOT and somebody committed since. Go on from the newest
		 * state; tran_note_write() refuses when the very table that is
		 * written now was among what changed.
		 */
		if (refresh_snapshot(s, home, d) < 0)
			return -1;
		rc = touch_file(s, home, d);
		if (rc == 1)
			return diag_set(d, 3960, "", home->db->name);
	}
	if (rc < 0)
		return -1;
	home->written = true;
	if (s->trancount)
		s->tran_wrote = true;
	return 0;
}

int tran_lock_read(struct session *s, struct attached *home,
		   enum lock_mode mode, struct diag *d)
{
	char name[LOCK_NAME_MAX];

	if (!home->db)
		return 0;
	database_lock_name(home->db, name, sizeof(name));
	if (lock_held(s, name, mode))
		return 0;
	if (lock_acquire(s, name, mode, LOCK_OF_TRANSACTION,
			 s->set.lock_timeout, d) < 0)
		return -1;
	if (s->sqlite_tx && !s->tran_snapshot)
		return refresh_snapshot(s, home, d);
	return 0;
}

static void table_lock_name(const struct database *db, int object_id, char *buf,
			    size_t size)
{
	snprintf(buf, size, "table:%d:%d", db->id, object_id);
}

int tran_wait_read(struct session *s, struct attached *home, int object_id,
		   struct diag *d)
{
	char name[LOCK_NAME_MAX];
	int64_t before;

	if (!home->db || s->internal || home->db->read_committed_snapshot ||
	    s->set.isolation == ISO_READ_UNCOMMITTED ||
	    s->set.isolation == ISO_SNAPSHOT)
		return 0;
	table_lock_name(home->db, object_id, name, sizeof(name));
	if (lock_held(s, name, LOCK_S))
		return 0;
	before = __atomic_load_n(&home->db->commits, __ATOMIC_SEQ_CST);
	if (lock_acquire(s, name, LOCK_S, LOCK_OF_TRANSACTION,
			 s->set.lock_timeout, d) < 0)
		return -1;
	lock_release(s, name, LOCK_OF_TRANSACTION);
	if (before == __atomic_load_n(&home->db->commits, __ATOMIC_SEQ_CST) ||
	    !s->sqlite_tx || s->tran_snapshot)
		return 0;
	return refresh_snapshot(s, home, d) < 0 ? -1 : 1;
}

int tran_check_snapshot(struct session *s, struct attached *home,
			struct diag *d)
{
	if (s->set.isolation != ISO_SNAPSHOT || !home->db)
		return 0;
	if (!home->db->snapshot_isolation && home->db->id != DB_TEMPDB) {
		diag_set(d, 3952, home->db->name);
		return -1;
	}
	if (s->trancount && !s->tran_snapshot && s->tran_wrote)
		return diag_set(d, 3951, home->db->name);
	if (s->trancount)
		s->tran_snapshot = true;
	if (!home->snapshot_known) {
		/* what a snapshot taken from now on will contain */
		home->snapshot =
			__atomic_load_n(&home->db->commits, __ATOMIC_SEQ_CST);
		home->snapshot_known = true;
	}
	return 0;
}

int tran_note_write(struct session *s, struct database *db, int object_id,
		    const char *name, struct diag *d)
{
	struct written_table *w;
	struct attached *a;
	char lock[LOCK_NAME_MAX];

	if (!db)
		return 0;
	for (w = s->writes; w; w = w->next)
		if (w->db == db && w->object_id == object_id)
			return 0;
	if (s->tran_snapshot && s->trancount) {
		for (a = s->attached; a; a = a->next)
			if (a->db == db)
				break;
		if (a && a->snapshot_known &&
		    written_get(db, object_id) > a->snapshot)
			return diag_set(d, 3960, name, db->name);
	}
	if (!s->internal) {
		table_lock_name(db, object_id, lock, sizeof(lock));
		if (lock_acquire(s, lock, LOCK_X, LOCK_OF_TRANSACTION,
				 s->set.lock_timeout, d) < 0)
			return -1;
	}
	w = mem_calloc(1, sizeof(*w));
	w->db = db;
	w->object_id = object_id;
	w->next = s->writes;
	s->writes = w;
	return 0;
}

/* --- BEGIN, COMMIT, ROLLBACK, SAVE --- */

void tran_count(struct session *s, int count)
{
	__atomic_store_n(&s->trancount, count, __ATOMIC_RELAXED);
}

int tran_begin(struct session *s, const char *name, struct diag *d)
{
	char text[sizeof(s->tran_begin)];
	struct moment now;
	int64_t id;

	(void)d;
	if (s->trancount > 0) {
		tran_count(s, s->trancount + 1);
		return 0;
	}
	id = server_next_tran(s->server);
	s->doomed = s->tran_wrote = s->tran_snapshot = false;
	text_copy(s->tran_name, sizeof(s->tran_name),
		  name ? name : "user_transaction");
	moment_now(&s->tran_began, true);
	moment_now(&now, false);
	moment_format(&now, type_of(TY_DATETIME), 121, text, sizeof(text));
	/* What sys.dm_exec_sessions shows to others. */
	pthread_mutex_lock(&s->server->lock);
	tran_count(s, 1);
	s->tran_id = id;
	text_copy(s->tran_begin, sizeof(s->tran_begin), text);
	pthread_mutex_unlock(&s->server->lock);
	output_transaction(s, 'B');
	return 0;
}

static void forget_saves(struct session *s)
{
	struct save_point *p;

	while ((p = s->saves)) {
		s->saves = p->next;
		free(p);
	}
}

static void tran_over(struct session *s)
{
	struct attached *a;

	tran_count(s, 0);
	s->doomed = s->tran_wrote = s->tran_snapshot = false;
	for (a = s->attached; a; a = a->next)
		a->snapshot_known = false;
	forget_saves(s);
	forget_writes(s);
	lock_release_transaction(s);
}

int tran_commit(struct session *s, struct diag *d)
{
	if (!s->trancount)
		return diag_set(d, 3902);
	if (s->doomed)
		return diag_set(d, 3930);
	if (s->trancount > 1) {
		tran_count(s, s->trancount - 1);
		return 0;
	}
	if (fault_event(s, "commit", true, d) < 0 || sqlite_commit(s, d) < 0) {
		tran_abort(s);
		return -1;
	}
	tran_over(s);
	output_transaction(s, 'C');
	return fault_event(s, "commit", false, d);
}

static struct save_point *find_save(struct session *s, const char *name)
{
	struct save_point *p;

	for (p = s->saves; p; p = p->next)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

int tran_rollback(struct session *s, const char *name, struct diag *d)
{
	struct save_point *p = NULL;
	char sql[400];

	if (!s->trancount)
		return diag_set(d, 3903);
	if (name)
		p = find_save(s, name);
	if (name && !p && strcasecmp(name, s->tran_name) != 0)
		return diag_set(d, 6401, name);
	if (!p) {
		sqlite_rollback(s);
		tran_over(s);
		output_transaction(s, 'R');
		return 0;
	}
	if (s->doomed)
		return diag_set(d, 3931);
	if (!s->sqlite_tx)
		return 0;
	quote_save("ROLLBACK TO", name, sql, sizeof(sql));
	tablevar_save(s);
	if (run(s, sql, d) < 0)
		return -1;
	catalog_forget(s);
	temp_after_rollback(s);
	tablevar_restore(s);
	return 0;
}

int tran_save(struct session *s, const char *name, struct diag *d)
{
	struct save_point *p;
	char sql[400];

	if (!s->trancount)
		return diag_free_text(d, 628, 16, 0,
				      "Cannot issue SAVE TRANSACTION when "
				      "there is no active transaction.");
	if (s->doomed)
		return diag_set(d, 3930);
	quote_save("SAVEPOINT", name, sql, sizeof(sql));
	if (s->sqlite_tx && run(s, sql, d) < 0)
		return -1;
	p = mem_calloc(1, sizeof(*p));
	text_copy(p->name, sizeof(p->name), name);
	p->next = s->saves;
	s->saves = p;
	return 0;
}

void tran_abort(struct session *s)
{
	bool was = s->trancount > 0;

	sqlite_rollback(s);
	tran_over(s);
	if (was)
		output_transaction(s, 'R');
}

int tran_implicit(struct session *s, struct diag *d)
{
	if (!s->set.implicit_tran || s->trancount)
		return 0;
	return tran_begin(s, NULL, d);
}

int tran_mark(struct session *s, const char *name, struct diag *d)
{
	char sql[80];

	snprintf(sql, sizeof(sql), "SAVEPOINT %s", name);
	return run(s, sql, d);
}

int tran_unmark(struct session *s, const char *name, bool undo, struct diag *d)
{
	char sql[80];

	if (undo) {
		snprintf(sql, sizeof(sql), "ROLLBACK TO %s", name);
		run(s, sql, d);
	}
	snprintf(sql, sizeof(sql), "RELEASE %s", name);
	return run(s, sql, d);
}
