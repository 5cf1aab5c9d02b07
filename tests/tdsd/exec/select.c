#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ddl/ddl.h"
#include "dml/dml.h"
#include "exec/output.h"
#include "exec/server.h"
#include "exec/stmts.h"
#include "exec/tran.h"
#include "fault/fault.h"
#include "sql/lex.h"

/* --- building --- */

static bool assigns(const struct query *q)
{
	return q->kind == Q_SELECT && q->items && q->items->var;
}

/* SELECT @x = …: which variable each column goes to. */
static void find_targets(struct tr *t, struct plan *p, const struct query *q)
{
	const struct select_item *item;
	int n = 0;

	for (item = q->items; item; item = item->next)
		n++;
	p->targets = pool_alloc(&p->pool, (size_t)(n + 1) * sizeof(int));
	t->live_vars =
		pool_alloc(&p->pool, (size_t)(n + 1) * sizeof(*t->live_vars));
	for (item = q->items, n = 0; item; item = item->next, n++) {
		if (!item->var) {
			tr_fail(t, 141, NULL);
			return;
		}
		p->targets[n] = t->frame ? frame_find(t->frame, item->var) : -1;
		if (p->targets[n] < 0) {
			tr_fail(t, 137, item->var, NULL);
			return;
		}
		t->live_vars[t->live_count++] = item->var;
	}
}

/* @x += e */
static const struct query *with_operators(struct tr *t, const struct query *q)
{
	struct query *copy = pool_alloc(t->pool, sizeof(*copy));
	struct select_item **link = &copy->items;
	const struct select_item *item;

	*copy = *q;
	for (item = q->items; item; item = item->next) {
		struct select_item *i = pool_alloc(t->pool, sizeof(*i));

		*i = *item;
		i->next = NULL;
		if (item->var && item->assign != '=') {
			struct expr *e = pool_alloc(t->pool, sizeof(*e));
			struct expr *v = pool_alloc(t->pool, sizeof(*v));

			v->kind = EX_VAR;
			v->text = item->var;
			e->kind = EX_BINARY;
			e->op = item->assign;
			e->a = v;
			e->b = item->expr;
			e->line = item->line;
			i->expr = e;
		}
		*link = i;
		link = &i->next;
	}
	return copy;
}

static int build_select(struct session *s, struct plan *p, void *arg,
			struct diag *d)
{
	const struct query *q = ((struct stmt *)arg)->query;
	struct rel *rel;
	struct tr t;

	plan_tr(s, p, &t, d);
	t.line = ((struct stmt *)arg)->line;
	if (assigns(q)) {
		find_targets(&t, p, q);
		q = with_operators(&t, q);
	}
	if (t.failed)
		return -1;
	rel = tr_top_query(&t, q);
	if (t.failed)
		return -1;
	p->sql = rel->sql;
	p->columns = rel->columns;
	p->count = rel->count;
	for (int i = 0; i < p->count; i++)
		p->columns[i].type.null = false;
	return 0;
}

/* --- running --- */

static int64_t limit_of(const struct session *s)
{
	return s->set.rowcount > 0 ? s->set.rowcount : INT64_MAX;
}

static int send_rows(struct session *s, struct plan *p, int64_t *rows,
		     struct diag *d)
{
	sqlite3_stmt *st;
	int got = 0;

	if (s->set.fmtonly) {
		output_columns(s, p->columns, p->count);
		*rows = 0;
		return 0;
	}
	st = plan_start(s, p, d);
	if (!st)
		return -1;
	output_columns(s, p->columns, p->count);
	while (*rows < limit_of(s) && (got = run_step(s, st, d)) > 0) {
		output_row(s, p->columns, p->count, st);
		++*rows;
		if ((*rows & 63) == 0 && session_cancelled(s)) {
			got = diag_free_text(d, 3617, 11, 1,
					     "Operation cancelled by user.");
			break;
		}
		if (fault_row(s, d) < 0) {
			got = -1;
			break;
		}
	}
	plan_done(p, st);
	return got < 0 ? -1 : 0;
}

static int assign_rows(struct session *s, struct plan *p, int64_t *rows,
		       struct diag *d)
{
	sqlite3_stmt *st = plan_start(s, p, d);
	int got, i;

	if (!st)
		return -1;
	while ((got = run_step(s, st, d)) > 0) {
		++*rows;
		for (i = 0; i < p->count && got > 0; i++) {
			struct val v = run_column(st, i);

			if (run_assign(s, &s->frame->vars[p->targets[i]], &v,
				       p->columns[i].type, d) < 0)
				got = -1;
		}
		if (got < 0)
			break;
	}
	plan_done(p, st);
	return got < 0 ? -1 : 0;
}

/* The identity property survives a plain copy of one table only. */
static void keep_identity(const struct query *q, struct out_column *cols,
			  int count)
{
	bool one_table = q->kind == Q_SELECT && q->from && !q->from->next &&
			 q->from->kind != TR_JOIN && !q->grouped &&
			 !q->distinct;
	int i, seen = 0;

	for (i = 0; i < count; i++) {
		if (!cols[i].identity)
			continue;
		if ((!one_table && cols[i].base) || seen++)
			cols[i].identity = false;
	}
}

static int into_table(struct session *s, struct plan *p, const struct query *q,
		      int64_t *rows, struct diag *d)
{
	struct ddl x = {.s = s, .d = d};
	struct row_store store;
	struct out_column *cols;
	struct table *t;
	struct type *types;
	sqlite3_stmt *st;
	struct val *row;
	int schema_id, id, got = 0, i, ret = -1, *map;
	bool fresh_identity = false;

	x.pool = &p->pool;
	cols = pool_alloc(&p->pool, (size_t)(p->count + 1) * sizeof(*cols));
	memcpy(cols, p->columns, (size_t)p->count * sizeof(*cols));
	keep_identity(q, cols, p->count);
	/* read first: the lock on the target may renew the snapshot */
	st = plan_start(s, p, d);
	if (!st)
		return -1;
	rows_init(&store, p->count);
	row = mem_calloc((size_t)p->count + 1, sizeof(*row));
	types = mem_calloc((size_t)p->count + 1, sizeof(*types));
	map = mem_calloc((size_t)p->count + 1, sizeof(*map));
	while (!s->set.fmtonly && *rows < limit_of(s) &&
	       (got = run_step(s, st, d)) > 0) {
		for (i = 0; i < p->count; i++)
			row[i] = run_column(st, i);
		rows_add(&store, row);
		++*rows;
	}
	plan_done(p, st);
	if (got < 0 ||
	    ddl_place(&x, &q->into, "CREATE TABLE", &schema_id) < 0 ||
	    ddl_create_like(&x, schema_id, q->into.part[q->into.count - 1],
			    cols, p->count, &id) < 0)
		goto done;
	t = catalog_table(s, x.home, id, d);
	if (!t)
		goto done;
	for (i = 0; i < p->count; i++) {
		types[i] = p->columns[i].type;
		map[i] = i;
		/* IDENTITY(int, 1, 1): the column has no values of its own */
		if (cols[i].identity && !cols[i].base)
			fresh_identity = true;
	}
	if (fresh_identity)
		for (i = 0; i < p->count; i++)
			if (cols[i].identity)
				map[i] = -1;
	ret = insert_rows_from_store(s, t, &store, types, map, p->count, rows,
				     d);
	table_unref(t);
done:
	rows_release(&store);
	free(row);
	free(types);
	free(map);
	return ret;
}

static enum flow finish(struct session *s, struct stmt *st, int ret,
			bool compile, int64_t rows, struct diag *d)
{
	struct diag ignored;

	if (tran_end_statement(s, ret < 0, ret < 0 ? &ignored : d) < 0)
		ret = -1;
	if (ret < 0)
		return run_error(s, d, st, compile);
	s->rowcount = rows;
	s->error = 0;
	return FLOW_OK;
}

enum flow exec_select(struct session *s, struct stmt *st)
{
	struct plan *p = NULL;
	struct diag d;
	bool compile = false;
	int64_t rows = 0;
	int ret = -1;
	enum flow flow;

	d.line = 0;
	d.proc[0] = '\0';
	if (st->query->into.count && exec_check_doomed(s, &d) < 0)
		return run_error(s, &d, st, false);
	if (st->query->from && tran_implicit(s, &d) < 0)
		return run_error(s, &d, st, false);
	if (s->frame->discard_results && !assigns(st->query) &&
	    !st->query->into.count) {
		diag_set(&d, 444);
		return run_error(s, &d, st, true);
	}
	if (tran_begin_statement(s, &d) == 0)
		p = plan_get(s, &st->plan, &st->plan_free, build_select, st, &d,
			     &compile);
	if (p) {
		if (p->targets)
			ret = assign_rows(s, p, &rows, &d);
		else if (st->query->into.count)
			ret = into_table(s, p, st->query, &rows, &d);
		else
			ret = send_rows(s, p, &rows, &d);
	}
	flow = finish(s, st, ret, compile, rows, &d);
	if (flow != FLOW_OK || ret < 0)
		return flow;
	if (p->targets)
		return FLOW_OK; /* no DONE count for assignments */
	output_done(s, st->query->into.count ? CMD_INSERT : CMD_SELECT, rows,
		    false);
	return FLOW_OK;
}
