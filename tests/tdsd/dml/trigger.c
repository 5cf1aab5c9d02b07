/*
 * AFTER triggers: the rows that the statement kept become two temporary
 * tables, and the trigger's body runs in a frame that knows them as inserted
 * and deleted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dml/write.h"
#include "exec/module.h"
#include "exec/run.h"
#include "exec/tablevar.h"
#include "exec/tran.h"

#define TRIGGER_DEPTH 32

static bool fires(const struct trigger *g, char op)
{
	if (g->disabled)
		return false;
	return (op == 'I' && g->on_insert) || (op == 'U' && g->on_update) ||
	       (op == 'D' && g->on_delete);
}

bool trigger_wanted(const struct table *t, char op)
{
	int i;

	for (i = 0; i < t->trigger_count; i++)
		if (fires(&t->triggers[i], op))
			return true;
	return false;
}

/* A temporary table like the target, filled with kept rows. */
static struct table *make_table(struct write *w, struct row_store *rows,
				struct diag *d)
{
	struct table *t = tablevar_like(w->s, w->t, d);
	sqlite3_stmt *st;
	struct val *row;
	int rc = SQLITE_DONE, i;
	struct strbuf sb;
	char phys[64];

	if (!t)
		return NULL;
	strbuf_init(&sb);
	for (i = 0; i < t->count; i++)
		strbuf_addf(&sb, "%s?%d", i ? "," : "", i + 1);
	st = catalog_prepare(w->s, d, "INSERT INTO %s VALUES(%s)",
			     table_phys(t, phys, sizeof(phys)), sb.data);
	strbuf_release(&sb);
	if (!st) {
		tablevar_drop(w->s, t);
		return NULL;
	}
	row = mem_calloc((size_t)w->t->count + 1, sizeof(*row));
	rows_rewind(rows);
	while (rc == SQLITE_DONE && rows_next(rows, row)) {
		for (i = 0; i < t->count; i++)
			run_bind_val(st, i + 1, &row[i]);
		rc = sqlite3_step(st);
		sqlite3_reset(st);
	}
	sqlite3_finalize(st);
	free(row);
	if (rc != SQLITE_DONE) {
		session_sqlite_error(w->s, rc, d);
		tablevar_drop(w->s, t);
		return NULL;
	}
	return t;
}

static int fire_one(struct write *w, const struct trigger *g,
		    struct table *inserted, struct table *deleted,
		    const unsigned char *mask, struct diag *d)
{
	struct session *s = w->s;
	int before = s->trancount ? s->trancount : 1;
	bool implicit = s->trancount == 0;
	struct frame f;
	enum flow flow;
	int64_t rowcount = s->rowcount;

	if (s->trigger_depth >= TRIGGER_DEPTH)
		return diag_set(d, 217);
	frame_init(&f, s, 'T');
	f.proc = pool_strdup(&f.pool, g->name);
	f.proc_id = g->id;
	f.proc_home = w->t->home;
	f.inserted = inserted;
	f.deleted = deleted;
	f.trigger_table = w->t;
	f.columns_updated = mask;
	s->trigger_depth++;
	s->nest++;
	if (implicit) /* a trigger is always inside a transaction */
		tran_count(s, 1);
	s->rowcount = w->rows;
	flow = module_run_body(s, w->t->home, g->id, &f, d);
	s->nest--;
	s->trigger_depth--;
	f.inserted = f.deleted = f.trigger_table = NULL;
	frame_release(&f);
	s->rowcount = rowcount;
	if (s->trancount == 0) { /* ROLLBACK in the trigger */
		w->mark[0] = '\0';
		return diag_set(d, 3609);
	}
	if (implicit)
		tran_count(s, 0);
	else if (s->trancount != before)
		tran_count(s, before);
	if (flow == FLOW_THROW) {
		*d = s->thrown;
		return -1;
	}
	if (flow == FLOW_ABORT) {
		if (!d->number)
			diag_set(d, 3609);
		return -1;
	}
	return 0;
}

int trigger_fire(struct write *w, struct diag *d)
{
	struct table *inserted, *deleted;
	unsigned char mask[256];
	int i, ret = 0;

	if (!w->fire_triggers || !trigger_wanted(w->t, w->op))
		return 0;
	memset(mask, w->op == 'U' ? 0 : 0xFF, sizeof(mask));
	for (i = 0; i < w->t->count && w->set; i++)
		if (w->set[i] && w->t->columns[i].id <= 2048)
			mask[(w->t->columns[i].id - 1) / 8] |=
				(unsigned char)(1 << (w->t->columns[i].id - 1) %
							     8);
	inserted = make_table(w, &w->new_rows, d);
	if (!inserted)
		return -1;
	deleted = make_table(w, &w->old_rows, d);
	if (!deleted) {
		tablevar_drop(w->s, inserted);
		return -1;
	}
	d->number = 0;
	for (i = 0; i < w->t->trigger_count && ret == 0; i++)
		if (fires(&w->t->triggers[i], w->op))
			ret = fire_one(w, &w->t->triggers[i], inserted, deleted,
				       mask, d);
	tablevar_drop(w->s, inserted);
	tablevar_drop(w->s, deleted);
	return ret;
}
