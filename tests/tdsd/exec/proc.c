#include "exec/proc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exec/module.h"
#include "exec/output.h"
#include "exec/perm.h"
#include "exec/planner.h"
#include "exec/server.h"
#include "exec/stmts.h"
#include "exec/tablevar.h"
#include "exec/tran.h"
#include "sql/parse.h"
#include "value/collation.h"

#define NEST_MAX 32

/* --- helpers for system procedures --- */

struct call_arg *call_get(struct call *c, int n, const char *name)
{
	int i, at = 0;

	for (i = 0; i < c->count; i++) {
		if (c->args[i].name && *c->args[i].name) {
			if (!strcasecmp(c->args[i].name, name))
				return &c->args[i];
		} else if (at++ == n) {
			return &c->args[i];
		}
	}
	return NULL;
}

const char *call_text(struct call *c, int n, const char *name,
		      struct arena *pool)
{
	struct call_arg *a = call_get(c, n, name);
	struct type want = type_char(TY_NVARCHAR, TYPE_MAX, COLLATION_DEFAULT);
	struct convert cv = session_convert(c->s);
	struct val out;
	struct diag d;

	if (!a || a->value.cls == VAL_NULL)
		return NULL;
	if (convert_value(&cv, &a->value, a->type, want, &out, &d) < 0)
		return NULL;
	return pool_strndup(pool, out.p, out.n);
}

int64_t call_int(struct call *c, int n, const char *name, int64_t dflt)
{
	struct call_arg *a = call_get(c, n, name);
	struct convert cv = session_convert(c->s);
	struct val out;
	struct diag d;

	if (!a || a->value.cls == VAL_NULL)
		return dflt;
	if (convert_value(&cv, &a->value, a->type, type_of(TY_BIGINT), &out,
			  &d) < 0)
		return dflt;
	return out.i;
}

bool call_given(struct call *c, int n, const char *name)
{
	struct call_arg *a = call_get(c, n, name);

	return a && a->value.cls != VAL_NULL && !a->is_default;
}

enum flow call_error(struct call *c, struct diag *d)
{
	return run_error(c->s, d, c->st, false);
}

int call_check(struct call *c, const char *proc, const char *const *names,
	       struct diag *d)
{
	int i, k, n = 0;

	while (names[n])
		n++;
	if (c->count > n)
		return diag_set(d, 8144, proc);
	for (i = 0; i < c->count; i++) {
		if (!c->args[i].name || !*c->args[i].name)
			continue;
		for (k = 0; k < n; k++)
			if (!strcasecmp(names[k], c->args[i].name))
				break;
		if (k == n)
			return diag_set(d, 8145, c->args[i].name, proc);
	}
	return 0;
}

enum flow call_sql(struct call *c, const char *fmt, ...)
{
	va_list ap;
	char *text;
	enum flow flow;

	va_start(ap, fmt);
	text = sqlite3_vmprintf(fmt, ap);
	va_end(ap);
	flow = run_text(c->s, text, strlen(text), 'P');
	sqlite3_free(text);
	return flow;
}

/* --- user procedures --- */

static struct call_arg *find_arg(struct call *c, const struct param_def *p,
				 int ordinal)
{
	int i;

	for (i = 0; i < c->count; i++) {
		if (c->args[i].name && *c->args[i].name) {
			if (!strcasecmp(c->args[i].name, p->name))
				return &c->args[i];
		} else if (i == ordinal) {
			return &c->args[i];
		}
	}
	return NULL;
}

/* Positional after named, unknown names, too many. */
static int check_args(struct call *c, const struct create_module *m,
		      const char *proc, struct diag *d)
{
	const struct param_def *p;
	int n = 0, i;
	bool named = false;

	for (p = m->params; p; p = p->next)
		n++;
	if (!n && c->count)
		return diag_set(d, 8146, proc);
	if (c->count > n)
		return diag_set(d, 8144, proc);
	for (i = 0; i < c->count; i++) {
		if (!c->args[i].name || !*c->args[i].name) {
			if (named)
				return diag_set(d, 119, i + 1);
			continue;
		}
		named = true;
		for (p = m->params; p; p = p->next)
			if (!strcasecmp(p->name, c->args[i].name))
				break;
		if (!p)
			return diag_set(d, 8145, c->args[i].name, proc);
	}
	return 0;
}

static int bind_param(struct call *c, struct frame *f,
		      const struct param_def *p, int ordinal, const char *proc,
		      struct diag *d)
{
	struct call_arg *a = find_arg(c, p, ordinal);
	struct type type = type_of(TY_INT);
	struct session *s = c->s;
	int slot;

	if (tablevar_is_type(s, &p->type) > 0) {
		slot = frame_add(f, p->name, type);
		f->vars[slot].is_table = true;
		f->vars[slot].readonly = true;
		if (a && a->table) {
			f->vars[slot].table = table_ref(a->table);
			f->vars[slot].borrowed = true;
			return 0;
		}
		return tablevar_create_typed(s, &f->vars[slot], &p->type, d);
	}
	if (catalog_type(s, &p->type, ordinal + 1, "parameter", &type, NULL,
			 d) < 0)
		return -1;
	slot = frame_add(f, p->name, type);
	f->vars[slot].output = p->output;
	if (a && a->output && !p->output)
		return diag_set(d, 8162, p->name);
	if (a && !a->is_default) {
		if (a->value.cls != VAL_NULL &&
		    convert_rule(a->type, type) != CONVERT_IMPLICIT)
			return diag_set(d, 206, type_name(a->type),
					type_name(type));
		if (run_assign(s, &f->vars[slot], &a->value, a->type, d) < 0) {
			if (d->number == 245)
				diag_set(d, 8114, type_name(a->type),
					 type_name(type));
			return -1;
		}
		return 0;
	}
	if (!p->has_default)
		return diag_set(d, 201, proc, p->name);
	return run_value(s, p->default_value, type, &f->vars[slot].cell, d);
}

static void take_outputs(struct call *c, struct frame *f,
			 const struct param_def *p)
{
	int i = 0;

	for (; p; p = p->next, i++) {
		struct call_arg *a = find_arg(c, p, i);
		int slot = frame_find(f, p->name);

		if (!a || !a->output || slot < 0 || !p->output)
			continue;
		cell_set(&a->result, &f->vars[slot].cell.v);
		a->result_type = f->vars[slot].type;
		a->has_result = true;
	}
}

static enum flow call_user(struct session *s, const struct object *o,
			   struct call *c)
{
	struct module *m;
	struct frame f;
	struct settings saved = s->set;
	struct database *db = s->db;
	const struct param_def *p;
	struct diag d;
	int i = 0, before = s->trancount;
	enum flow flow = FLOW_OK;
	bool ok;

	d.line = 0;
	d.proc[0] = '\0';
	if (s->nest >= NEST_MAX) {
		diag_set(&d, 217);
		return call_error(c, &d);
	}
	if (perm_check_object(s, o->home, o->id, o->schema_id, o->schema,
			      o->name, PERM_EXECUTE, &d) < 0)
		return call_error(c, &d);
	if (tran_begin_statement(s, &d) < 0)
		return call_error(c, &d);
	m = module_get(s, o->home, o->id, &d);
	ok = m && check_args(c, m->def, o->name, &d) == 0;
	frame_init(&f, s, 'P');
	f.proc = o->name;
	f.proc_id = o->id;
	f.proc_home = o->home;
	if (o->home->db)
		s->db = o->home->db;
	for (p = ok ? m->def->params : NULL; p && ok; p = p->next, i++)
		ok = bind_param(c, &f, p, i, o->name, &d) == 0;
	tran_end_statement(s, false, &d);
	if (!ok) {
		s->db = db;
		frame_release(&f);
		if (m)
			module_put(s, m);
		return call_error(c, &d);
	}
	f.ast = &m->ast;
	s->set.quoted_identifier = m->quoted;
	s->nest++;
	if (run_declare_all(s, m->def->body, &d) < 0)
		flow = run_error(s, &d, NULL, true);
	else
		flow = run_block(s, m->def->body);
	s->nest--;
	c->status = f.return_value;
	c->has_status = true;
	take_outputs(c, &f, m->def->params);
	s->set = saved;
	s->db = db;
	frame_release(&f);
	module_put(s, m);
	if (flow == FLOW_RETURN || flow == FLOW_BREAK || flow == FLOW_CONTINUE)
		flow = FLOW_OK;
	if (flow == FLOW_OK && s->trancount != before && !s->doomed) {
		diag_set(&d, 266, before, s->trancount);
		return call_error(c, &d);
	}
	return flow;
}

static const char *full_name(const struct name *n, struct arena *pool)
{
	const char *text = n->part[0];
	int i;

	for (i = 1; i < n->count; i++)
		text = pool_printf(pool, "%s.%s", text, n->part[i]);
	return text;
}

enum flow proc_call(struct session *s, const struct name *name, struct call *c)
{
	const char *last = name->part[name->count - 1];
	const char *schema = name->count > 1 ? name->part[name->count - 2] : "";
	bool maybe_system = !*schema || !strcasecmp(schema, "sys") ||
			    !strcasecmp(schema, "dbo");
	const struct sysproc *sys;
	struct object o;
	struct diag d;
	int found;

	d.line = 0;
	d.proc[0] = '\0';
	c->s = s;
	sys = maybe_system ? sysproc_find(last) : NULL;
	if (sys) {
		struct database *db = s->db, *other;
		enum flow flow;

		if (name->count >= 3 && name->part[name->count - 3][0]) {
			other = database_find(&s->server->registry,
					      name->part[name->count - 3]);
			if (!other) {
				struct arena pool;

				arena_init(&pool, 0);
				diag_set(&d, 2812, full_name(name, &pool));
				arena_release(&pool);
				return call_error(c, &d);
			}
			s->db = other;
		}
		flow = sys->run(c);
		if (s->db != db && name->count >= 3)
			s->db = db;
		return flow;
	}
	if (tran_begin_statement(s, &d) < 0)
		return call_error(c, &d);
	found = catalog_find(s, name, &o, &d);
	if (found > 0 && !strcmp(o.type, "SN")) {
		struct table *t = catalog_table(s, o.home, o.id, &d);
		struct arena pool;
		struct name target;

		arena_init(&pool, 0);
		if (t && t->extra &&
		    parse_name(&pool, t->extra, strlen(t->extra), &target))
			found = catalog_find(s, &target, &o, &d);
		table_unref(t);
		arena_release(&pool);
	}
	tran_end_statement(s, false, &d);
	if (found > 0 && !strcmp(o.type, "P"))
		return call_user(s, &o, c);
	if (found < 0 && d.number != 208)
		return call_error(c, &d);
	{
		struct arena pool;
		enum flow flow;

		arena_init(&pool, 0);
		diag_set(&d, found > 0 ? 2809 : 2812,
			 found > 0 ? "procedure" : full_name(name, &pool), last,
			 last, "table");
		flow = call_error(c, &d);
		arena_release(&pool);
		return flow;
	}
}

/* --- EXEC --- */

static enum flow exec_strings(struct session *s, struct stmt *st)
{
	const struct expr *e;
	struct strbuf text;
	struct diag d;
	enum flow flow;

	if (st->exec->at_server) {
		diag_set(&d, 7202, st->exec->at_server);
		return run_error(s, &d, st, false);
	}
	strbuf_init(&text);
	for (e = st->exec->strings; e; e = e->next) {
		struct cell cell = {0};

		if (run_value(
			    s, e,
			    type_char(TY_NVARCHAR, TYPE_MAX, COLLATION_DEFAULT),
			    &cell, &d) < 0) {
			strbuf_release(&text);
			cell_release(&cell);
			return run_error(s, &d, st, false);
		}
		if (cell.v.cls == VAL_TEXT)
			strbuf_add(&text, cell.v.p, cell.v.n);
		cell_release(&cell);
	}
	{
		/* EXEC (…) sees neither USE nor SET after it has ended */
		struct settings saved = s->set;
		struct database *db = s->db;

		flow = run_text(s, text.data, text.len, 'E');
		s->set = saved;
		if (s->db != db && !db->dropped)
			s->db = db;
	}
	strbuf_release(&text);
	return flow;
}

static int one_arg(struct session *s, const struct exec_arg *a,
		   struct call_arg *out, struct cell *cell, struct diag *d)
{
	const struct expr *e = a->value;
	void *plan = NULL;
	void (*release)(void *) = NULL;
	bool compile;
	int slot, ret;

	memset(out, 0, sizeof(*out));
	out->name = a->name;
	out->output = a->output;
	if (e->kind == EX_DEFAULT) {
		out->is_default = true;
		out->value = val_null();
		out->type = type_null();
		return 0;
	}
	if (e->kind == EX_VAR) {
		slot = frame_find(s->frame, e->text);
		if (slot < 0)
			return diag_set(d, 137, e->text);
		if (s->frame->vars[slot].is_table) {
			out->table = s->frame->vars[slot].table;
			out->value = val_null();
			out->type = type_null();
			return 0;
		}
		cell_set(cell, &s->frame->vars[slot].cell.v);
		out->type = s->frame->vars[slot].type;
		out->value = cell->v;
		return 0;
	}
	if (a->output && e->kind != EX_GLOBAL)
		return diag_set(d, 179);
	ret = eval_list(s, &plan, &release, &e, 1, cell, &out->type, d,
			&compile);
	plan_free(plan);
	out->value = cell->v;
	if (e->kind == EX_NULL)
		out->type = type_null();
	return ret;
}

static int give_back(struct session *s, struct stmt *st, struct call *c,
		     struct diag *d)
{
	const struct exec_arg *a;
	int i = 0, slot;

	for (a = st->exec->args; a; a = a->next, i++) {
		if (!a->output || !c->args[i].has_result ||
		    a->value->kind != EX_VAR)
			continue;
		slot = frame_find(s->frame, a->value->text);
		if (slot >= 0 &&
		    run_assign(s, &s->frame->vars[slot], &c->args[i].result.v,
			       c->args[i].result_type, d) < 0)
			return -1;
	}
	if (st->exec->return_var && c->has_status) {
		struct val v = val_int(c->status);

		slot = frame_find(s->frame, st->exec->return_var);
		if (slot < 0)
			return diag_set(d, 137, st->exec->return_var);
		return run_assign(s, &s->frame->vars[slot], &v, type_of(TY_INT),
				  d);
	}
	return 0;
}

/* EXEC @name: the procedure's name is in a variable. */
static int variable_name(struct session *s, struct stmt *st, struct arena *pool,
			 struct name *out, struct diag *d)
{
	int slot = frame_find(s->frame, st->exec->proc_var);
	const struct val *v;

	if (slot < 0)
		return diag_set(d, 137, st->exec->proc_var);
	v = &s->frame->vars[slot].cell.v;
	if (v->cls != VAL_TEXT)
		return diag_set(d, 2812, "");
	if (!parse_name(pool, pool_strndup(pool, v->p, v->n), v->n, out))
		return diag_free_text(d, 203, 16, 2,
				      "The name '%.*s' is not a valid "
				      "identifier.",
				      (int)v->n, v->p);
	return 0;
}

enum flow exec_exec(struct session *s, struct stmt *st)
{
	const struct exec_arg *a;
	struct name name = st->exec->proc;
	struct call c = {.s = s, .st = st};
	struct cell *cells;
	struct arena pool;
	struct diag d;
	enum flow flow = FLOW_OK;
	int n = 0, i;

	if (st->exec->strings)
		return exec_strings(s, st);
	d.line = 0;
	d.proc[0] = '\0';
	arena_init(&pool, 0);
	if (st->exec->proc_var && variable_name(s, st, &pool, &name, &d) < 0) {
		arena_release(&pool);
		return run_error(s, &d, st, false);
	}
	for (a = st->exec->args; a; a = a->next)
		n++;
	c.args = mem_calloc((size_t)n + 1, sizeof(*c.args));
	cells = mem_calloc((size_t)n + 1, sizeof(*cells));
	for (a = st->exec->args; a && flow == FLOW_OK; a = a->next) {
		if (one_arg(s, a, &c.args[c.count], &cells[c.count], &d) < 0) {
			flow = run_error(s, &d, st, true);
			break;
		}
		c.count++;
	}
	if (c.count == n) {
		flow = proc_call(s, &name, &c);
		if (flow == FLOW_OK && give_back(s, st, &c, &d) < 0)
			flow = run_error(s, &d, st, false);
	}
	for (i = 0; i < n; i++) {
		cell_release(&cells[i]);
		cell_release(&c.args[i].result);
	}
	free(cells);
	free(c.args);
	arena_release(&pool);
	return flow;
}
