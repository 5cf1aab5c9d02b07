/*
 * UPDATE and DELETE. A driving query finds the rows (by SQLite's row id) and
 * the new values; its rows are kept first, because SQLite does not promise
 * what a query sees of changes made under it. When a unique key changes, all
 * rows go before any comes back, so that keys may pass each other as they do
 * on the server.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dml/dml.h"
#include "exec/output.h"
#include "exec/perm.h"
#include "exec/tran.h"
#include "plan/query.h"
#include "plan/views.h"

/* --- building --- */

struct driving {
	struct tr t;
	struct scope scope;
	struct source *target;
	const char *from, *rowid;
	struct strbuf with, select;
	int outputs; /* columns after the row id */
};

/* The source that the target's name means. */
static struct source *find_source(struct driving *g, const struct dml *dml)
{
	const char *name = dml->target_var
				   ? dml->target_var
				   : dml->target.part[dml->target.count - 1];
	struct source *src, *found = NULL;

	for (src = g->scope.first; src; src = src->next) {
		const char *own = src->alias ? src->alias
				  : src->has_full
					  ? src->full.part[src->full.count - 1]
					  : "";

		if (strcasecmp(own, name) != 0)
			continue;
		if (src->alias && dml->target.count > 1)
			continue;
		found = src;
		break;
	}
	if (found)
		return found;
	/* "UPDATE dbo.t … FROM dbo.t AS x": the table under its alias */
	for (src = g->scope.first; src; src = src->next)
		if (src->table && !strcasecmp(src->table->name, name)) {
			if (found)
				return NULL;
			found = src;
		}
	return found;
}

static struct table_ref *as_ref(struct tr *t, const struct dml *dml)
{
	struct table_ref *ref = pool_alloc(t->pool, sizeof(*ref));

	ref->kind = dml->target_var ? TR_VAR : TR_NAME;
	ref->name = dml->target;
	if (dml->target_var) {
		ref->name.count = 1;
		ref->name.part[0] = dml->target_var;
	}
	ref->line = ref->name.line;
	return ref;
}

static void find_target(struct driving *g, const struct dml *dml,
			struct dml_plan *m)
{
	struct tr *t = &g->t;
	struct source *src;

	if (dml->target.count > 1 &&
	    !strcasecmp(dml->target.part[dml->target.count - 2], "sys")) {
		tr_fail(t, 259, NULL);
		return;
	}
	t->want_rowids = true;
	if (dml->from) {
		g->from = tr_from(t, dml->from);
		if (!t->failed)
			g->target = find_source(g, dml);
		if (!t->failed && !g->target)
			g->from = tr_printf(t, "%s JOIN %s", g->from,
					    tr_from(t, as_ref(t, dml)));
		if (!t->failed && !g->target)
			g->target = find_source(g, dml);
	} else {
		t->written = as_ref(t, dml);
		g->from = tr_from(t, t->written);
		g->target = g->scope.first;
	}
	t->want_rowids = false;
	if (t->failed)
		return;
	src = g->target;
	if (!src) {
		tr_fail(t, 208, dml->target.part[dml->target.count - 1], NULL);
		return;
	}
	m->many_sources = g->scope.first->next != NULL || dml->from;
	if (src->table) {
		if (src->table == (t->frame ? t->frame->inserted : NULL) ||
		    src->table == (t->frame ? t->frame->deleted : NULL)) {
			tr_fail_text(t, 286, 16,
				     "The logical tables INSERTED and DELETED "
				     "cannot be updated.");
			return;
		}
		m->target = table_ref(src->table);
		g->rowid = tr_printf(t, "%s.rowid", src->sql_alias);
	}
}

/* Through a view or CTE: the base table of the columns that are set. */
static void target_base(struct driving *g, struct dml_plan *m,
			const struct set_clause *sets)
{
	struct tr *t = &g->t;
	struct source *src = g->target;
	const char *name = src->alias ? src->alias : "";
	int base = 0, i;

	if (m->target || t->failed)
		return;
	if (!src->base_count) {
		tr_fail(t, 4403, name, NULL);
		return;
	}
	if (src->base_count > 1) {
		const struct table *wanted = NULL;

		for (; sets; sets = sets->next) {
			struct source_column *c =
				sets->column.count
					? source_find(
						  src,
						  sets->column.part
							  [sets->column.count -
							   1])
					: NULL;

			if (!c || !c->base_table)
				continue;
			if (wanted && wanted != c->base_table) {
				tr_fail(t, 4405, name, NULL);
				return;
			}
			wanted = c->base_table;
		}
		for (base = -1, i = 0; i < src->base_count; i++)
			if (src->bases[i] == wanted)
				base = i;
		if (base < 0) {
			tr_fail(t, 4405, name, NULL);
			return;
		}
	}
	m->target = table_ref(src->bases[base]);
	g->rowid = tr_printf(t, "%s.r%d", src->sql_alias, base + 1);
}

static void start(struct driving *g, struct session *s, struct plan *p,
		  struct stmt *st, struct diag *d)
{
	memset(g, 0, sizeof(*g));
	plan_tr(s, p, &g->t, d);
	g->t.line = st->line;
	if (st->dml->max_recursion >= 0)
		g->t.max_recursion =
			st->dml->max_recursion ? st->dml->max_recursion : -1;
	strbuf_init_max(&g->with, (size_t)512 << 20);
	strbuf_init_max(&g->select, (size_t)512 << 20);
	g->t.with = &g->with;
	tr_push_ctes(&g->t, st->dml->ctes);
	tr_push_scope(&g->t, &g->scope);
}

static const char *where_clause(struct driving *g, const struct dml *dml)
{
	struct tr *t = &g->t;

	g->scope.clause = "WHERE";
	if (!dml->where)
		return "";
	if (expr_has_aggregate(dml->where)) {
		tr_fail(t, 147, NULL);
		return "";
	}
	return tr_printf(t, " WHERE %s", tr_cond(t, dml->where));
}

static const char *top_clause(struct driving *g, const struct dml *dml,
			      const char *where)
{
	struct tr *t = &g->t;
	struct scope *save = t->scope;
	struct ex n;

	if (!dml->top)
		return "";
	t->scope = NULL;
	n = tr_implicit(t, tr_expr(t, dml->top), type_of(TY_BIGINT));
	t->scope = save;
	if (dml->top_percent)
		return tr_printf(t,
				 " LIMIT (SELECT ceil(count(*) * %s / 100.0)"
				 " FROM %s%s)",
				 n.sql, g->from, where);
	return tr_printf(t, " LIMIT topn(%s)", n.sql);
}

/* OUTPUT, and the columns of FROM that it needs. */
static void outputs(struct driving *g, const struct dml *dml,
		    struct dml_plan *m, struct plan *p, char op)
{
	struct extras *extras = pool_alloc(&p->pool, sizeof(*extras));
	int i;

	g->scope.clause = "OUTPUT";
	if (dml->output && !g->t.failed)
		m->outputs[m->output_count++] =
			output_build(&g->t, dml->output, m->target, op, extras);
	if (dml->output_into && !g->t.failed)
		m->outputs[m->output_count++] = output_build(
			&g->t, dml->output_into, m->target, op, extras);
	m->extra_at = g->outputs + 1;
	m->extra_count = extras->count;
	for (i = 0; i < extras->count; i++)
		strbuf_addf(&g->select, ",%s", extras->sql[i]);
}

static void finish(struct driving *g, struct plan *p, const char *where,
		   const char *top)
{
	struct strbuf sb;

	strbuf_init_max(&sb, (size_t)512 << 20);
	if (g->with.len)
		strbuf_addf(&sb, "WITH RECURSIVE %s ", g->with.data);
	strbuf_addf(&sb, "SELECT %s%s FROM %s%s%s", g->rowid, g->select.data,
		    g->from, where, top);
	p->sql = pool_strndup(&p->pool, sb.data, sb.len);
	strbuf_release(&sb);
}

static void release(struct driving *g)
{
	strbuf_release(&g->with);
	strbuf_release(&g->select);
}

/* Which column a SET means; checks that it may be set. */
static int set_column(struct driving *g, struct dml_plan *m,
		      const struct set_clause *c)
{
	const char *name = c->column.part[c->column.count - 1];
	struct source_column *sc = source_find(g->target, name);
	const struct column *col;
	int at;

	g->t.line = c->line;
	if (!sc) {
		tr_fail(&g->t, 207, name, NULL);
		return -1;
	}
	if (!sc->base || sc->base_table != m->target) {
		tr_fail(&g->t, 4406, g->target->alias ? g->target->alias : name,
			NULL);
		return -1;
	}
	at = (int)(sc->base - m->target->columns);
	col = sc->base;
	if (col->identity)
		tr_fail(&g->t, 8102, name, NULL);
	else if (col->type.kind == TY_ROWVERSION)
		tr_fail(&g->t, 272, NULL);
	else if (col->column_set)
		tr_fail(&g->t, 40517, "writing a column set", NULL);
	else if (col->computed)
		tr_fail(&g->t, 271, name, NULL);
	else if (col->generated)
		tr_fail(&g->t, 13537, table_full_name(m->target, g->t.pool),
			NULL);
	else if (m->set[at])
		tr_fail(&g->t, 264, name, NULL);
	m->set[at] = true;
	return at;
}

static void set_list(struct driving *g, struct plan *p, struct dml_plan *m,
		     const struct set_clause *sets)
{
	struct tr *t = &g->t;
	const struct set_clause *c;
	int n = 0;

	for (c = sets; c; c = c->next)
		n++;
	m->set = mem_calloc((size_t)m->target->count + 1, sizeof(bool));
	m->set_columns = mem_calloc((size_t)n + 1, sizeof(int));
	m->set_vars = mem_calloc((size_t)n + 1, sizeof(int));
	p->columns = pool_alloc(&p->pool, (size_t)(n + EXTRAS_MAX + 1) *
						  sizeof(*p->columns));
	g->scope.clause = "SET";
	for (c = sets; c && !t->failed; c = c->next) {
		const struct expr *e = c->value;
		int at = c->column.count ? set_column(g, m, c) : -1;
		int slot = -1;
		struct ex x;

		if (t->failed)
			return;
		if (c->var) {
			slot = frame_find(t->frame, c->var);
			if (slot < 0) {
				tr_fail(t, 137, c->var, NULL);
				return;
			}
		}
		if (e->kind == EX_DEFAULT && at >= 0)
			e = dml_default(t, &m->target->columns[at]);
		if (expr_has_aggregate(e)) {
			tr_fail(t, 157, NULL);
			return;
		}
		x = tr_expr(t, e);
		if (c->assign != '=') {
			struct ex old =
				at >= 0 ? tr_column(t, &c->column)
					: tr_ex(tr_param(t, PARAM_VAR, slot,
							 t->frame->vars[slot]
								 .type),
						t->frame->vars[slot].type,
						true);

			x = tr_binary(t, c->assign, old, x);
		}
		m->set_columns[m->set_count] = at;
		m->set_vars[m->set_count++] = slot;
		g->outputs++;
		p->columns[g->outputs].type = x.type;
		strbuf_addf(&g->select, ",%s", x.sql);
	}
	p->count = g->outputs + 1;
}

/* WHERE reads the table. */
static void may_read(struct driving *g, const struct dml *dml,
		     struct table *target)
{
	struct tr *t = &g->t;

	if (!t->failed && dml->where &&
	    perm_check(t->s, target, PERM_SELECT, t->d) < 0)
		t->failed = true;
}

/* Each column that is set. */
static void may_set(struct driving *g, const struct dml_plan *m)
{
	struct tr *t = &g->t;
	int i;

	for (i = 0; i < m->set_count && !t->failed; i++)
		if (m->set_columns[i] >= 0 &&
		    perm_check_column(t->s, m->target, m->set_columns[i],
				      PERM_UPDATE, t->d) < 0)
			t->failed = true;
}

static int build_update(struct session *s, struct plan *p, void *arg,
			struct diag *d)
{
	struct stmt *st = arg;
	struct dml_plan *m = mem_calloc(1, sizeof(*m));
	const char *where = "", *top = "";
	struct driving g;

	p->more = m;
	p->more_free = dml_plan_free;
	start(&g, s, p, st, d);
	find_target(&g, st->dml, m);
	if (!g.t.failed)
		target_base(&g, m, st->dml->sets);
	may_read(&g, st->dml, m->target);
	if (!g.t.failed)
		set_list(&g, p, m, st->dml->sets);
	may_set(&g, m);
	if (!g.t.failed)
		where = where_clause(&g, st->dml);
	if (!g.t.failed)
		top = top_clause(&g, st->dml, where);
	if (!g.t.failed)
		outputs(&g, st->dml, m, p, 'U');
	if (!g.t.failed)
		finish(&g, p, where, top);
	release(&g);
	return g.t.failed ? -1 : 0;
}

/* May SQLite delete by itself, because nobody asks for the rows? */
static void direct_delete(struct driving *g, struct dml_plan *m, struct plan *p,
			  const struct dml *dml)
{
	const struct table *t = m->target;
	char phys[64];

	if (dml->output || dml->output_into || t->in_count ||
	    t->tracked_by_cdc || t->change_tracking || t->trigger_count ||
	    t->temporal)
		return;
	table_phys(t, phys, sizeof(phys));
	if (!dml->where && !dml->from && !dml->top && g->target->table)
		m->direct = tr_printf(&g->t, "DELETE FROM %s", phys);
	else
		m->direct =
			tr_printf(&g->t, "DELETE FROM %s WHERE rowid IN (%s)",
				  phys, p->sql);
}

static int build_delete(struct session *s, struct plan *p, void *arg,
			struct diag *d)
{
	struct stmt *st = arg;
	struct dml_plan *m = mem_calloc(1, sizeof(*m));
	const char *where = "", *top = "";
	struct driving g;

	p->more = m;
	p->more_free = dml_plan_free;
	start(&g, s, p, st, d);
	find_target(&g, st->dml, m);
	if (!g.t.failed)
		target_base(&g, m, NULL);
	if (!g.t.failed && perm_check(s, m->target, PERM_DELETE, d) < 0)
		g.t.failed = true;
	may_read(&g, st->dml, m->target);
	if (!g.t.failed)
		where = where_clause(&g, st->dml);
	if (!g.t.failed)
		top = top_clause(&g, st->dml, where);
	p->columns =
		pool_alloc(&p->pool, (EXTRAS_MAX + 1) * sizeof(*p->columns));
	p->count = 1;
	if (!g.t.failed)
		outputs(&g, st->dml, m, p, 'D');
	if (!g.t.failed)
		finish(&g, p, where, top);
	if (!g.t.failed)
		direct_delete(&g, m, p, st->dml);
	if (!g.t.failed && m->direct)
		p->sql = m->direct;
	release(&g);
	return g.t.failed ? -1 : 0;
}

/* --- running --- */

/* The whole row as it is; the values lie in `mem`. */
static int read_old(struct write *w, int64_t rowid, struct strbuf *mem,
		    struct val *old, struct diag *d)
{
	sqlite3_stmt *st = w->ops->read;
	size_t size = 0;
	int rc, i;

	sqlite3_bind_int64(st, 1, rowid);
	rc = sqlite3_step(st);
	if (rc != SQLITE_ROW) {
		sqlite3_reset(st);
		return rc == SQLITE_DONE ? 0
					 : session_sqlite_error(w->s, rc, d);
	}
	for (i = 0; i < w->ops->stored_count; i++)
		size += (size_t)sqlite3_column_bytes(st, i) + 32;
	strbuf_reset(mem);
	strbuf_reserve(mem, size);
	for (i = 0; i < w->t->count; i++)
		old[i] = val_null();
	for (i = 0; i < w->ops->stored_count; i++) {
		struct val v = run_column(st, i);

		if (v.cls == VAL_TEXT || v.cls == VAL_BLOB) {
			size_t at = mem->len;

			strbuf_add(mem, v.p, v.n);
			v.p = mem->data + at;
		}
		old[w->ops->stored[i]] = v;
	}
	sqlite3_reset(st);
	return 1;
}

static int send_outputs(struct session *s, struct dml_plan *m,
			const struct val *row, const struct val *old,
			const struct val *extra, struct diag *d)
{
	int i;

	for (i = 0; i < m->output_count; i++)
		if (output_plan_row(s, m->outputs[i], row, old, extra, d) < 0)
			return -1;
	return 0;
}

struct updating {
	struct session *s;
	struct plan *p;
	struct dml_plan *m;
	struct write w;
	struct val *in, *old, *row;
	struct strbuf old_mem, *mem;
	bool need_old;
};

/* The new row: the old one with what SET says. */
static int new_row(struct updating *u, struct diag *d)
{
	int i;

	if (u->need_old)
		memcpy(u->row, u->old,
		       (size_t)u->m->target->count * sizeof(*u->row));
	for (i = 0; i < u->m->set_count; i++) {
		int at = u->m->set_columns[i];
		struct type from = u->p->columns[i + 1].type;

		if (at >= 0 &&
		    write_convert(u->s, u->m->target, at, &u->in[i + 1], from,
				  &u->mem[i], &u->row[at], d) < 0)
			return -1;
		if (u->m->set_vars[i] >= 0) {
			struct variable *v =
				&u->s->frame->vars[u->m->set_vars[i]];

			if (run_assign(u->s, v,
				       at >= 0 ? &u->row[at] : &u->in[i + 1],
				       at >= 0 ? u->m->target->columns[at].type
					       : from,
				       d) < 0)
				return -1;
		}
	}
	return 0;
}

static int update_rows(struct updating *u, struct row_store *rows,
		       struct diag *d)
{
	rows_rewind(rows);
	while (rows_next(rows, u->in)) {
		int64_t rowid = u->in[0].i;
		int rc;

		if (u->need_old) {
			rc = read_old(&u->w, rowid, &u->old_mem, u->old, d);
			if (rc < 0)
				return -1;
			if (!rc)
				continue;
		}
		if (new_row(u, d) < 0)
			return -1;
		if (write_update(&u->w, rowid, u->need_old ? u->old : NULL,
				 u->row, d) < 0)
			return -1;
		if (send_outputs(u->s, u->m, u->w.row, u->old,
				 u->in + u->m->extra_at, d) < 0)
			return -1;
	}
	return 0;
}

/* Keys change: take all rows out, then put all of them back. */
static int update_keys(struct updating *u, struct row_store *rows,
		       struct diag *d)
{
	int n = u->m->target->count, i, ret = -1;
	struct row_store kept; /* row id, old row, extras */
	struct val *k = mem_calloc(
		(size_t)(n + u->p->count + u->m->extra_count) + 2, sizeof(*k));
	int width = n + u->p->count + u->m->extra_count;

	rows_init(&kept, width);
	rows_rewind(rows);
	while (rows_next(rows, u->in)) {
		int rc = read_old(&u->w, u->in[0].i, &u->old_mem, u->old, d);

		if (rc < 0)
			goto done;
		if (!rc)
			continue;
		memcpy(k, u->in, (size_t)(width - n) * sizeof(*k));
		memcpy(k + (width - n), u->old, (size_t)n * sizeof(*k));
		rows_add(&kept, k);
		sqlite3_bind_int64(u->w.ops->delete_, 1, u->in[0].i);
		rc = sqlite3_step(u->w.ops->delete_);
		sqlite3_reset(u->w.ops->delete_);
		if (rc != SQLITE_DONE) {
			session_sqlite_error(u->s, rc, d);
			goto done;
		}
	}
	rows_rewind(&kept);
	while (rows_next(&kept, k)) {
		for (i = 0; i < width - n; i++)
			u->in[i] = k[i];
		for (i = 0; i < n; i++)
			u->old[i] = k[width - n + i];
		if (new_row(u, d) < 0 ||
		    write_update_insert(&u->w, u->in[0].i, u->old, u->row, d) <
			    0 ||
		    send_outputs(u->s, u->m, u->w.row, u->old,
				 u->in + u->m->extra_at, d) < 0)
			goto done;
	}
	ret = 0;
done:
	rows_release(&kept);
	free(k);
	return ret;
}

static int run_update(struct updating *u, struct diag *d)
{
	struct row_store rows;
	int i, ret = -1, n = u->p->count + u->m->extra_count;

	u->in = mem_calloc((size_t)n + 2 + (size_t)u->m->target->count * 2,
			   sizeof(*u->in));
	u->old = u->in + n + 1;
	u->row = u->old + u->m->target->count;
	u->mem = mem_calloc((size_t)u->m->set_count + 1, sizeof(*u->mem));
	for (i = 0; i < u->m->set_count; i++)
		strbuf_init_max(&u->mem[i], (size_t)1 << 31);
	strbuf_init_max(&u->old_mem, (size_t)1 << 31);
	if (write_set_columns(&u->w, u->m->set, d) == 0 &&
	    dml_collect(u->s, u->p, &rows, d) == 0) {
		u->need_old = write_needs_old(&u->w) || u->m->output_count;
		ret = u->w.key_change && rows.count > 0
			      ? update_keys(u, &rows, d)
			      : update_rows(u, &rows, d);
		rows_release(&rows);
	}
	for (i = 0; i < u->m->set_count; i++)
		strbuf_release(&u->mem[i]);
	strbuf_release(&u->old_mem);
	free(u->mem);
	free(u->in);
	return ret;
}

static int into_tables(struct session *s, struct dml_plan *m, struct diag *d)
{
	int i;

	for (i = 0; i < m->output_count; i++)
		if (output_plan_into(s, m->outputs[i], d) < 0)
			return -1;
	return 0;
}

enum flow exec_update(struct session *s, struct stmt *st)
{
	struct updating u;
	struct plan *p = NULL;
	struct diag d;
	bool compile = false, ok = false;
	int64_t rows = 0;

	memset(&u, 0, sizeof(u));
	if (exec_check_doomed(s, &d) < 0)
		return run_error(s, &d, st, false);
	if (tran_begin_statement(s, &d) == 0)
		p = dml_get(s, st, build_update, &d, &compile);
	if (p) {
		u.s = s;
		u.p = p;
		u.m = p->more;
		ok = write_begin(&u.w, s, u.m->target, 'U', &d) == 0 &&
		     run_update(&u, &d) == 0 && write_finish(&u.w, &d) == 0 &&
		     trigger_fire(&u.w, &d) == 0 &&
		     into_tables(s, u.m, &d) == 0;
		rows = u.w.rows;
		if (write_end(&u.w, !ok, &d) < 0)
			ok = false;
	}
	return dml_done(s, st, ok, compile, rows, CMD_UPDATE, p, &d);
}

static int run_direct(struct session *s, struct plan *p, struct write *w,
		      struct diag *d)
{
	sqlite3_stmt *st = plan_start(s, p, d);
	int rc;

	if (!st)
		return -1;
	rc = run_step(s, st, d);
	w->rows = sqlite3_changes64(s->sql);
	plan_done(p, st);
	return rc < 0 ? -1 : 0;
}

static int run_delete(struct session *s, struct plan *p, struct write *w,
		      struct diag *d)
{
	struct dml_plan *m = p->more;
	struct row_store rows;
	struct strbuf mem;
	struct val *in, *old;
	bool need_old = write_needs_old(w) || m->output_count;
	int ret = 0, rc;

	if (m->direct)
		return run_direct(s, p, w, d);
	if (dml_collect(s, p, &rows, d) < 0)
		return -1;
	in = mem_calloc((size_t)(p->count + m->extra_count + w->t->count) + 2,
			sizeof(*in));
	old = in + p->count + m->extra_count + 1;
	strbuf_init_max(&mem, (size_t)1 << 31);
	while (ret == 0 && rows_next(&rows, in)) {
		rc = need_old ? read_old(w, in[0].i, &mem, old, d) : 1;
		if (rc < 0)
			ret = -1;
		if (rc <= 0)
			continue;
		ret = write_delete(w, in[0].i, need_old ? old : NULL, d);
		if (ret == 0)
			ret = send_outputs(s, m, NULL, old, in + m->extra_at,
					   d);
	}
	strbuf_release(&mem);
	rows_release(&rows);
	free(in);
	return ret;
}

enum flow exec_delete(struct session *s, struct stmt *st)
{
	struct write w;
	struct plan *p = NULL;
	struct diag d;
	bool compile = false, ok = false;
	int64_t rows = 0;

	if (exec_check_doomed(s, &d) < 0)
		return run_error(s, &d, st, false);
	if (tran_begin_statement(s, &d) == 0)
		p = dml_get(s, st, build_delete, &d, &compile);
	if (p) {
		struct dml_plan *m = p->more;

		ok = write_begin(&w, s, m->target, 'D', &d) == 0 &&
		     run_delete(s, p, &w, &d) == 0 &&
		     write_finish(&w, &d) == 0 && trigger_fire(&w, &d) == 0 &&
		     into_tables(s, m, &d) == 0;
		rows = w.rows;
		if (write_end(&w, !ok, &d) < 0)
			ok = false;
	}
	return dml_done(s, st, ok, compile, rows, CMD_DELETE, p, &d);
}
