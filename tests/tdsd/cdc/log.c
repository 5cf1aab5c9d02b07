/*
 * Rows go to _log as one blob each, transactions to _log_tran with the commit.
 * The writer's lock of the database makes commits come one after the other,
 * so a transaction may count up from _cat.lsn on its own and put the counter
 * back when it commits; numbers lost by a rollback were never seen by anyone.
 * A rollback to a savepoint takes rows away but leaves the counter: gaps do no
 * harm.
 *
 * Columns are recorded by column_id, since the table may have other columns
 * when the record is read.
 */
#include "cdc/log.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/tracking.h"
#include "exec/run.h"
#include "exec/server.h"

/* The first four bytes of an LSN, which a real log counts up rarely. */
#define LSN_EPOCH 0x20

/* The session's state of one file; good for one transaction of SQLite. */
struct log {
	int64_t tran_seq;
	int64_t first, next; /* numbers; 0: not read yet */
	int64_t command;
	int64_t ct_version;
	struct val began;
	int cdc_switch; /* -1: none */
	sqlite3_stmt *insert;
	struct strbuf record;
};

void lsn_make(unsigned char *out, int64_t number)
{
	uint64_t n = (uint64_t)number + ((uint64_t)LSN_EPOCH << 32);
	int i;

	for (i = 0; i < 8; i++)
		out[i] = (unsigned char)(n >> (56 - 8 * i));
	out[8] = 0;
	out[9] = 1;
}

int64_t lsn_number(const unsigned char *lsn)
{
	uint64_t n = 0;
	int i;

	for (i = 0; i < 8; i++)
		n = n << 8 | lsn[i];
	return (int64_t)(n - ((uint64_t)LSN_EPOCH << 32));
}

static struct log *state(struct session *s, struct attached *home)
{
	struct log *log = home->log;

	if (!log) {
		log = home->log = mem_calloc(1, sizeof(*log));
		strbuf_init_max(&log->record, (size_t)1 << 31);
		log->tran_seq = -1;
	}
	if (log->tran_seq != s->tran_seq) {
		log->tran_seq = s->tran_seq;
		log->first = log->next = log->command = log->ct_version = 0;
		log->cdc_switch = -1;
	}
	return log;
}

void log_free(struct log *log)
{
	if (!log)
		return;
	sqlite3_finalize(log->insert);
	strbuf_release(&log->record);
	free(log);
}

static struct val now_value(void)
{
	struct moment m;
	struct val v;
	char buf[DATETIMEOFFSET_BLOB];

	moment_now(&m, false);
	moment_store(&m, type_of(TY_DATETIME), &v, buf);
	return v;
}

static int ready(struct session *s, struct attached *home, struct log *log,
		 struct diag *d)
{
	if (log->next)
		return 0;
	if (catalog_int(s, d, &log->next,
			"SELECT lsn FROM %s._cat WHERE id = 1",
			home->prefix) < 0)
		return -1;
	log->first = log->next;
	log->began = now_value();
	return 0;
}

int64_t log_next_command(struct session *s, struct attached *home)
{
	return home->db ? ++state(s, home)->command : 0;
}

int64_t log_position(struct session *s, struct attached *home, struct diag *d)
{
	struct log *log = state(s, home);

	return ready(s, home, log, d) < 0 ? 0 : log->next;
}

int log_skip(struct session *s, struct attached *home, struct diag *d)
{
	struct log *log = state(s, home);

	if (ready(s, home, log, d) < 0)
		return -1;
	log->next++;
	return catalog_exec(s, d, "UPDATE %s._cat SET lsn = %lld WHERE id = 1",
			    home->prefix, (long long)log->next);
}

void log_switch_cdc(struct session *s, struct attached *home, int on)
{
	state(s, home)->cdc_switch = on;
}

int64_t log_tracking_version(struct session *s, struct attached *home,
			     struct diag *d)
{
	struct log *log = state(s, home);

	/* written down by the commit: a rollback to a savepoint in between
	 * would take it back */
	if (!log->ct_version &&
	    catalog_int(s, d, &log->ct_version,
			"SELECT ct_version + 1 FROM %s._cat WHERE id = 1",
			home->prefix) < 0)
		return 0;
	return log->ct_version;
}

int log_tracking_committed(struct session *s, struct attached *home,
			   int64_t *out, struct diag *d)
{
	return catalog_int(s, d, out,
			   "SELECT ct_version FROM %s._cat WHERE id = 1",
			   home->prefix);
}

/* --- records --- */

void log_encode_value(struct strbuf *sb, int id, bool changed,
		      const struct val *v)
{
	unsigned char head[3] = {
		(unsigned char)(id >> 8), (unsigned char)id,
		(unsigned char)(v->cls | (changed ? 0x80 : 0))};
	uint32_t n;

	strbuf_add(sb, (const char *)head, sizeof(head));
	switch (v->cls) {
	case VAL_NULL:
		break;
	case VAL_INT:
	case VAL_REAL:
		strbuf_add(sb, (const char *)&v->i, 8);
		break;
	default:
		n = (uint32_t)v->n;
		strbuf_add(sb, (const char *)&n, 4);
		strbuf_add(sb, v->p, v->n);
	}
}

/* Ends an image; no column has the number 0. */
static void end_image(struct strbuf *sb)
{
	strbuf_add(sb, "\0\0", 2);
}

size_t log_decode_image(const unsigned char *data, size_t len,
			struct log_image *image)
{
	size_t at = 0;

	image->count = 0;
	while (at + 2 <= len) {
		int id = data[at] << 8 | data[at + 1];
		struct val *v = &image->columns[image->count].v;
		uint32_t n;

		at += 2;
		if (!id)
			return at;
		if (at >= len || image->count >= LOG_COLUMNS)
			return 0;
		image->columns[image->count].id = id;
		image->columns[image->count].changed = data[at] & 0x80;
		v->cls = (enum val_class)(data[at++] & 0x7F);
		if (v->cls == VAL_INT || v->cls == VAL_REAL) {
			if (at + 8 > len)
				return 0;
			memcpy(&v->i, data + at, 8);
			at += 8;
		} else if (v->cls != VAL_NULL) {
			if (at + 4 > len)
				return 0;
			memcpy(&n, data + at, 4);
			at += 4;
			if (n > len - at)
				return 0;
			v->n = n;
			v->p = (const char *)data + at;
			at += n;
		}
		image->count++;
	}
	return 0;
}

bool log_decode(char op, const void *data, size_t len, struct log_image *old,
		struct log_image *row)
{
	const unsigned char *p = data;
	size_t used = 0;

	old->count = row->count = 0;
	if (op != 'I') {
		used = log_decode_image(p, len, old);
		if (!used)
			return false;
	}
	return op == 'D' || log_decode_image(p + used, len - used, row) != 0;
}

static bool old_lob(struct type t)
{
	return t.kind == TY_TEXT || t.kind == TY_NTEXT || t.kind == TY_IMAGE;
}

/*
 * An image as the server logs it: no text, ntext, image in the one before;
 * (max) there only when it changed or the row goes away.
 */
static void add_image(struct strbuf *sb, const struct table *t,
		      const struct val *values, const bool *changed,
		      bool before)
{
	int i;

	for (i = 0; i < t->count; i++) {
		const struct column *c = &t->columns[i];
		bool differs = changed && changed[i];

		if (c->computed)
			continue;
		if (before && old_lob(c->type))
			continue;
		if (before && changed && !differs && type_is_lob(c->type))
			continue;
		if (values[i].cls != VAL_NULL || differs)
			log_encode_value(sb, c->id, differs, &values[i]);
	}
	end_image(sb);
}

/* Does the update move the row: a column of the clustered or primary key? */
static bool moves(const struct table *t, const bool *changed)
{
	int i, k;

	for (i = 0; i < t->index_count; i++) {
		const struct index *x = &t->indexes[i];

		for (k = 0; (x->clustered || x->primary) && k < x->keys; k++)
			if (changed[x->columns[k].column])
				return true;
	}
	return false;
}

static int put_record(struct session *s, struct table *t, struct log *log,
		      int64_t command, char op, struct diag *d)
{
	int rc;

	if (!log->insert) {
		log->insert = catalog_prepare(
			s, d, "INSERT INTO %s._log VALUES(?,?,?,?,?)",
			t->home->prefix);
		if (!log->insert)
			return -1;
	}
	if (log->record.failed)
		return diag_set(d, 701, "default");
	sqlite3_bind_int64(log->insert, 1, log->next);
	sqlite3_bind_int64(log->insert, 2, command);
	sqlite3_bind_int(log->insert, 3, t->id);
	sqlite3_bind_int(log->insert, 4, op);
	sqlite3_bind_blob64(log->insert, 5, log->record.data, log->record.len,
			    SQLITE_STATIC);
	rc = sqlite3_step(log->insert);
	sqlite3_reset(log->insert);
	sqlite3_clear_bindings(log->insert);
	if (rc != SQLITE_DONE)
		return session_sqlite_error(s, rc, d);
	log->next += op == 'K' ? 2 : 1;
	return 0;
}

static int record(struct session *s, struct table *t, int64_t command, char op,
		  const struct val *old, const struct val *row,
		  const bool *changed, struct diag *d)
{
	struct log *log = state(s, t->home);

	if (ready(s, t->home, log, d) < 0)
		return -1;
	strbuf_reset(&log->record);
	if (op == 'U' && moves(t, changed))
		op = 'K';
	if (old)
		add_image(&log->record, t, old, op == 'U' ? changed : NULL,
			  true);
	if (row)
		add_image(&log->record, t, row, op == 'U' ? changed : NULL,
			  false);
	return put_record(s, t, log, command, op, d);
}

int log_row(struct session *s, struct table *t, int64_t command, char op,
	    const struct val *old, const struct val *row, const bool *set,
	    struct diag *d)
{
	bool changed[LOG_COLUMNS];
	bool any = op != 'U';
	int i;

	if (!t->db || (!t->tracked_by_cdc && !t->change_tracking))
		return 0;
	for (i = 0; i < t->count && i < LOG_COLUMNS; i++) {
		changed[i] = op == 'U' && !t->columns[i].computed &&
			     !val_same(&old[i], &row[i]);
		any |= changed[i];
	}
	/* tracking counts what was set, capture what became different */
	if (t->change_tracking && tracking_row(s, t, op, old, row, set, d) < 0)
		return -1;
	if (!t->tracked_by_cdc || !any)
		return 0;
	return record(s, t, command, op, old, row, changed, d);
}

/* --- the commit --- */

static int commit_rows(struct session *s, struct attached *home,
		       const struct log *log, struct diag *d)
{
	struct timespec now;
	unsigned char id[6];
	struct val ended;
	int64_t any = 0;
	int i;

	if (catalog_int(s, d, &any,
			"SELECT EXISTS(SELECT 1 FROM %s._log WHERE id >= %lld)",
			home->prefix, (long long)log->first) < 0)
		return -1;
	if (!any)
		return 0;
	ended = now_value();
	clock_gettime(CLOCK_REALTIME, &now);
	for (i = 0; i < 6; i++)
		id[i] = (unsigned char)((uint64_t)log->first >> (40 - 8 * i));
	return catalog_exec(
		s, d,
		"INSERT INTO %s._log_tran VALUES(%lld, %lld, %lld, %lld, %lld,"
		" x'%02x%02x%02x%02x%02x%02x');"
		"UPDATE %s._cat SET lsn = %lld WHERE id = 1",
		home->prefix, (long long)log->next, (long long)log->first,
		(long long)log->began.i, (long long)ended.i,
		(long long)now.tv_sec * 1000 + now.tv_nsec / 1000000, id[0],
		id[1], id[2], id[3], id[4], id[5], home->prefix,
		(long long)log->next + 1);
}

int log_commit(struct session *s, struct attached *home, struct diag *d)
{
	struct log *log = home->log;

	if (!log || log->tran_seq != s->tran_seq)
		return 0;
	if (log->next != log->first && commit_rows(s, home, log, d) < 0)
		return -1;
	if (log->ct_version && tracking_commit(s, home, log->ct_version, d) < 0)
		return -1;
	return 0;
}

void log_committed(struct session *s, struct attached *home)
{
	struct log *log = home->log;

	if (!log || log->tran_seq != s->tran_seq || log->cdc_switch < 0)
		return;
	__atomic_store_n(&home->db->cdc_enabled, log->cdc_switch,
			 __ATOMIC_RELAXED);
	log->cdc_switch = -1;
	database_save(&s->server->registry, home->db);
}
