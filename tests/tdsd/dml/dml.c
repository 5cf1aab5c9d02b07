#include "dml/dml.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exec/output.h"
#include "exec/perm.h"
#include "exec/tran.h"
#include "plan/views.h"
#include "sql/parse.h"
#include "value/collation.h"

void output_plan_free(struct output_plan *o)
{
	if (!o)
		return;
	sqlite3_finalize(o->plan.st);
	plan_needs_release(&o->plan.needs);
	table_unref(o->into);
	rows_release(&o->rows);
	free(o->into_map);
	free(o);
}

void dml_plan_free(void *more)
{
	struct dml_plan *m = more;
	int i;

	if (!m)
		return;
	for (i = 0; i < m->output_count; i++)
		output_plan_free(m->outputs[i]);
	table_unref(m->target);
	free(m->map);
	free(m->set);
	free(m->set_columns);
	free(m->set_vars);
	free(m);
}

struct plan *dml_get(struct session *s, struct stmt *st, plan_build *build,
		     struct diag *d, bool *compile)
{
	struct plan *p = st->plan;
	struct attached *home;
	int round, i;

	*compile = false;
	for (round = 0; round < 8; round++) {
		p = st->plan;
		if (p && p->db == s->db &&
		    tran_write(s, ((struct dml_plan *)p->more)->target->home,
			       d) < 0)
			return NULL;
		p = plan_get(s, &st->plan, &st->plan_free, build, st, d,
			     compile);
		if (!p)
			return NULL;
		home = ((struct dml_plan *)p->more)->target->home;
		for (i = 0; i < ((struct dml_plan *)p->more)->output_count;
		     i++) {
			struct output_plan *o =
				((struct dml_plan *)p->more)->outputs[i];

			if (o->into && tran_write(s, o->into->home, d) < 0)
				return NULL;
		}
		if (home->written)
			return p;
		if (tran_write(s, home, d) < 0)
			return NULL;
		if (plan_valid(s, p, d) == 1)
			return p;
	}
	return p;
}

static bool is_table(const struct table *t)
{
	return !strcmp(t->type, "U");
}

struct table *dml_target(struct tr *t, const struct name *name, const char *var)
{
	struct table *table;
	int slot;

	if (var) {
		slot = t->frame ? frame_find(t->frame, var) : -1;
		if (slot < 0 || !t->frame->vars[slot].table) {
			tr_fail_text(t, 1087, 15,
				     "Must declare the table variable \"%s\".",
				     var);
			return NULL;
		}
		table = t->frame->vars[slot].table;
		if (t->frame->vars[slot].readonly) {
			tr_fail(t, 10700, var, NULL);
			return NULL;
		}
		tr_use_table(t, table_ref(table));
		tr_use_home(t, table->home, 0);
		return table;
	}
	if (name->count >= 2 &&
	    !strcasecmp(name->part[name->count - 2], "sys")) {
		tr_fail(t, 259, NULL);
		return NULL;
	}
	table = tr_find_table(t, name);
	if (table && !is_table(table) && strcmp(table->type, "V") != 0) {
		tr_fail(t, 208, name->part[name->count - 1], NULL);
		return NULL;
	}
	return table;
}

struct expr *dml_default(struct tr *t, const struct column *c)
{
	struct expr *e;

	if (!c->default_text) {
		e = pool_alloc(t->pool, sizeof(*e));
		e->kind = EX_NULL;
		return e;
	}
	e = parse_expression(t->pool, c->default_text, strlen(c->default_text),
			     t->d);
	if (!e) {
		t->failed = true;
		e = pool_alloc(t->pool, sizeof(*e));
		e->kind = EX_NULL;
	}
	return e;
}

/* --- OUTPUT --- */

static void add_output(struct plan *p, struct strbuf *sb, struct ex x,
		       const char *name)
{
	struct out_column *c = &p->columns[p->count];

	strbuf_addf(sb, "%s%s", p->count ? "," : "", x.sql);
	c->name = name ? name : "";
	c->type = x.type;
	c->type.null = false;
	c->nullable = x.nullable;
	p->count++;
}

/* "inserted.*" */
static bool output_star(struct tr *t, struct plan *p, struct strbuf *sb,
			const struct select_item *item)
{
	struct row_scope *r;
	int i;

	for (r = t->row; r; r = r->next) {
		if (!item->prefix.count ||
		    strcasecmp(r->prefix, item->prefix.part[0]) != 0)
			continue;
		for (i = 0; i < r->table->count; i++) {
			struct name n = {
				.count = 2,
				.part = {r->prefix, r->table->columns[i].name},
				.line = item->line};

			add_output(p, sb, tr_column(t, &n),
				   r->table->columns[i].name);
		}
		return true;
	}
	tr_fail(t, 107, item->prefix.count ? item->prefix.part[0] : "*", NULL);
	return false;
}

static void output_into(struct tr *t, struct output_plan *o,
			const struct output_clause *oc)
{
	const struct name_list *n;
	int i;

	if (!oc->into.count && !oc->into_var)
		return;
	o->into = dml_target(t, &oc->into, oc->into_var);
	if (!o->into)
		return;
	table_ref(o->into);
	o->into_map = mem_calloc((size_t)o->plan.count + 1, sizeof(int));
	if (oc->into_columns) {
		for (n = oc->into_columns, i = 0; n && i < o->plan.count;
		     n = n->next, i++) {
			o->into_map[i] = table_column(o->into, n->name);
			if (o->into_map[i] < 0)
				tr_fail(t, 207, n->name, NULL);
		}
		if (n || i < o->plan.count)
			tr_fail(t, n ? 120 : 121, NULL);
		return;
	}
	{
		int at = 0;

		for (i = 0; i < o->plan.count; i++, at++) {
			while (at < o->into->count &&
			       (o->into->columns[at].computed ||
				o->into->columns[at].identity))
				at++;
			o->into_map[i] = at;
		}
		while (at < o->into->count && (o->into->columns[at].computed ||
					       o->into->columns[at].identity))
			at++;
		if (at != o->into->count && !t->failed)
			tr_fail(t, 213, NULL);
	}
}

struct output_plan *output_build(struct tr *t, const struct output_clause *oc,
				 struct table *target, char op,
				 struct extras *extras)
{
	struct output_plan *o = mem_calloc(1, sizeof(*o));
	struct row_scope ins = {"inserted", PARAM_ROW, target, NULL};
	struct row_scope del = {"deleted", PARAM_OLD, target, NULL};
	struct plan_needs *save = t->needs;
	struct row_scope *save_row = t->row;
	const struct select_item *item;
	struct strbuf sb;

	if (op != 'D')
		t->row = &ins;
	else
		t->row = &del;
	if (op == 'U')
		ins.next = &del;
	t->needs = &o->plan.needs;
	t->extras = extras;
	o->plan.columns = pool_alloc(t->pool, 2100 * sizeof(*o->plan.columns));
	strbuf_init(&sb);
	strbuf_addstr(&sb, "SELECT ");
	for (item = oc->items; item && !t->failed && o->plan.count < 1024;
	     item = item->next) {
		t->line = item->line;
		if (!item->expr)
			output_star(t, &o->plan, &sb, item);
		else
			add_output(&o->plan, &sb, tr_expr(t, item->expr),
				   tr_item_name(item));
	}
	o->plan.sql = pool_strndup(t->pool, sb.data, sb.len);
	strbuf_release(&sb);
	t->extras = NULL;
	t->needs = save;
	t->row = save_row;
	if (!t->failed)
		output_into(t, o, oc);
	rows_init(&o->rows, o->plan.count);
	return o;
}

int output_plan_row(struct session *s, struct output_plan *o,
		    const struct val *row, const struct val *old,
		    const struct val *extra, struct diag *d)
{
	sqlite3_stmt *st = plan_start(s, &o->plan, d);
	struct val few[32], *values = few;
	int i, ret = -1;

	if (!st)
		return -1;
	if (o->plan.count > 32)
		values = mem_alloc((size_t)o->plan.count * sizeof(*values));
	ops_bind(s, &o->plan, st, row, old, extra);
	if (run_step(s, st, d) > 0) {
		for (i = 0; i < o->plan.count; i++)
			values[i] = run_column(st, i);
		rows_add(&o->rows, values);
		ret = 0;
	}
	plan_done(&o->plan, st);
	if (values != few)
		free(values);
	return ret;
}

int output_plan_into(struct session *s, struct output_plan *o, struct diag *d)
{
	struct type *types;
	int64_t n;
	int i, ret;

	if (!o->into)
		return 0;
	types = mem_calloc((size_t)o->plan.count + 1, sizeof(*types));
	for (i = 0; i < o->plan.count; i++)
		types[i] = o->plan.columns[i].type;
	ret = insert_rows_from_store(s, o->into, &o->rows, types, o->into_map,
				     o->plan.count, &n, d);
	free(types);
	return ret;
}

void output_plan_send(struct session *s, struct output_plan *o)
{
	struct val *values;

	if (o->into)
		return;
	output_columns(s, o->plan.columns, o->plan.count);
	values = mem_calloc((size_t)o->plan.count + 1, sizeof(*values));
	rows_rewind(&o->rows);
	while (rows_next(&o->rows, values))
		output_row_values(s, o->plan.columns, o->plan.count, values);
	free(values);
}

/* --- the end --- */

static void reset_outputs(struct plan *p)
{
	struct dml_plan *m = p ? p->more : NULL;
	int i;

	for (i = 0; m && i < m->output_count; i++) {
		int n = m->outputs[i]->rows.columns;

		rows_release(&m->outputs[i]->rows);
		rows_init(&m->outputs[i]->rows, n);
	}
}

enum flow dml_done(struct session *s, struct stmt *st, bool ok, bool compile,
		   int64_t rows, int command, struct plan *p, struct diag *d)
{
	struct dml_plan *m = p ? p->more : NULL;
	struct diag ignored;
	enum flow flow = FLOW_OK;
	int i;

	if (tran_end_statement(s, !ok, ok ? d : &ignored) < 0)
		ok = false;
	if (!ok) {
		reset_outputs(p);
		return run_error(s, d, st, compile);
	}
	for (i = 0; m && i < m->output_count; i++)
		output_plan_send(s, m->outputs[i]);
	reset_outputs(p);
	s->rowcount = rows;
	s->error = 0;
	output_done(s, (enum done_command)command, rows, false);
	return flow;
}
