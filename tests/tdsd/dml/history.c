#include "dml/history.h"

#include "exec/run.h"
#include "exec/tran.h"

static struct val at_precision(const struct moment *m, struct type t)
{
	struct val v;
	char buf[DATETIMEOFFSET_BLOB]; /* which a datetime2 does not need */

	moment_store(m, t, &v, buf);
	return v;
}

static void find_times(struct write *w)
{
	const struct table *t = w->t;
	struct session *s = w->s;
	struct type type = t->columns[t->start_column].type;
	struct moment last;

	session_clock(s);
	w->row_start =
		at_precision(s->trancount ? &s->tran_began : &s->now_utc, type);
	moment_last(&last, type.scale);
	w->row_end = at_precision(&last, type);
}

int history_begin(struct write *w, struct diag *d)
{
	struct table *t = w->t;
	struct arena pool;

	if (t->temporal == TEMPORAL_HISTORY) {
		arena_init(&pool, 0);
		diag_set(d,
			 w->op == 'I'	? 13559
			 : w->op == 'D' ? 13560
					: 13561,
			 table_full_name(t, &pool));
		arena_release(&pool);
		return -1;
	}
	if (t->start_column >= 0)
		find_times(w);
	if (t->temporal != TEMPORAL_VERSIONED || w->op == 'I')
		return 0;
	w->history = catalog_table(w->s, t->home, t->history_id, d);
	if (!w->history)
		return -1;
	return tran_note_write(w->s, t->db, w->history->id, w->history->name,
			       d);
}

void history_release(struct write *w)
{
	if (w->history)
		table_unref(w->history);
}

void history_stamp(struct write *w)
{
	if (w->t->start_column < 0)
		return;
	w->row[w->t->start_column] = w->row_start;
	w->row[w->t->end_column] = w->row_end;
}

int history_keep(struct write *w, const struct val *old, struct diag *d)
{
	struct table *t = w->t;
	struct table_ops *ops;
	struct arena pool;
	int i, rc;

	if (!w->history)
		return 0;
	if (old[t->start_column].i > w->row_start.i) {
		arena_init(&pool, 0);
		diag_set(d, 13535, table_full_name(t, &pool));
		arena_release(&pool);
		return -1;
	}
	ops = ops_get(w->s, w->history, d);
	if (!ops)
		return -1;
	for (i = 0; i < ops->stored_count; i++) {
		int at = ops->stored[i];

		run_bind_val(ops->insert, i + 1,
			     at == t->end_column ? &w->row_start : &old[at]);
	}
	rc = sqlite3_step(ops->insert);
	sqlite3_reset(ops->insert);
	sqlite3_clear_bindings(ops->insert);
	return rc == SQLITE_DONE ? 0 : session_sqlite_error(w->s, rc, d);
}
