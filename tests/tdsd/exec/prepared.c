#include "exec/prepared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exec/output.h"
#include "exec/planner.h"
#include "exec/tablevar.h"
#include "exec/tran.h"
#include "sql/parse.h"

#define NEST_MAX 32

struct prepared {
	int handle;
	char *text, *params;
	struct prepared *next;
};

void prepared_free(struct session *s)
{
	struct prepared *p;

	while ((p = s->prepared)) {
		s->prepared = p->next;
		free(p->text);
		free(p->params);
		free(p);
	}
}

/* The argument for a parameter: by name, or by place from `first` on. */
static struct call_arg *arg_for(struct call *c, const struct param_def *p,
				int first, int ordinal)
{
	int i, at = 0;

	for (i = first; i < c->count; i++)
		if (c->args[i].name && *c->args[i].name &&
		    !strcasecmp(c->args[i].name, p->name))
			return &c->args[i];
	for (i = first; i < c->count; i++) {
		if (c->args[i].name && *c->args[i].name)
			continue;
		if (at++ == ordinal)
			return &c->args[i];
	}
	return NULL;
}

static int bind_one(struct call *c, struct frame *f, const struct param_def *p,
		    struct call_arg *a, int ordinal, const char *text,
		    struct diag *d)
{
	struct session *s = c->s;
	struct type type;
	int slot;

	if (tablevar_is_type(s, &p->type) > 0) {
		slot = frame_add(f, p->name, type_of(TY_INT));
		f->vars[slot].is_table = true;
		f->vars[slot].readonly = true;
		if (a && a->table) {
			f->vars[slot].table = table_ref(a->table);
			f->vars[slot].borrowed = true;
			return 0;
		}
		return tablevar_create_typed(s, &f->vars[slot], &p->type, d);
	}
	if (catalog_type(s, &p->type, ordinal, "parameter", &type, NULL, d) < 0)
		return -1;
	slot = frame_add(f, p->name, type);
	f->vars[slot].output = p->output;
	if (!a || a->is_default) {
		if (p->has_default)
			return run_value(s, p->default_value, type,
					 &f->vars[slot].cell, d);
		if (!a)
			return diag_free_text(d, 8178, 16, 1,
					      "The parameterized query '%.200s'"
					      " expects the parameter '%s', "
					      "which was not supplied.",
					      text, p->name);
		return 0;
	}
	if (a->value.cls != VAL_NULL &&
	    convert_rule(a->type, type) == CONVERT_NEVER)
		return diag_set(d, 206, type_name(a->type), type_name(type));
	if (run_assign(s, &f->vars[slot], &a->value, a->type, d) < 0) {
		if (d->number == 245)
			diag_set(d, 8114, type_name(a->type), type_name(type));
		return -1;
	}
	return 0;
}

static void take_outputs(struct call *c, struct frame *f,
			 const struct param_def *p, int first)
{
	int i = 0;

	for (; p; p = p->next, i++) {
		struct call_arg *a = arg_for(c, p, first, i);
		int slot = frame_find(f, p->name);

		if (!a || !a->output || slot < 0 || !p->output)
			continue;
		cell_set(&a->result, &f->vars[slot].cell.v);
		a->result_type = f->vars[slot].type;
		a->has_result = true;
	}
}

/* Run text with parameters; the arguments for them start at `first`. */
static enum flow run(struct call *c, const char *text, size_t len,
		     const char *params, int first)
{
	struct session *s = c->s;
	struct cached_batch *b;
	struct param_def *list = NULL, *p;
	struct settings saved = s->set;
	struct database *db = s->db;
	struct arena pool;
	struct frame f;
	struct diag d;
	enum flow flow = FLOW_OK;
	int i = 0;
	bool ok = true;

	d.line = 0;
	d.proc[0] = '\0';
	if (s->nest >= NEST_MAX) {
		diag_set(&d, 217);
		return call_error(c, &d);
	}
	arena_init(&pool, 0);
	if (params &&
	    parse_params(&pool, params, strlen(params), &list, &d) < 0) {
		arena_release(&pool);
		return call_error(c, &d);
	}
	b = plan_cache_take(s, text, len, &d);
	if (!b) {
		arena_release(&pool);
		return call_error(c, &d);
	}
	frame_init(&f, s, 'E');
	f.ast = &b->ast;
	s->nest++;
	for (p = list; p && ok; p = p->next, i++)
		ok = bind_one(c, &f, p, arg_for(c, p, first, i), i + 1, text,
			      &d) == 0;
	if (!ok || run_declare_all(s, b->ast.first, &d) < 0)
		flow = run_error(s, &d, c->st, true);
	else
		flow = run_block(s, b->ast.first);
	s->nest--;
	if (flow == FLOW_RETURN || flow == FLOW_BREAK || flow == FLOW_CONTINUE)
		flow = FLOW_OK;
	c->has_status = true;
	c->status = s->error;
	take_outputs(c, &f, list, first);
	s->set = saved;
	if (s->db != db && !db->dropped)
		s->db = db;
	frame_release(&f);
	plan_cache_put(s, b);
	arena_release(&pool);
	return flow;
}

enum flow prepared_executesql(struct call *c)
{
	struct call_arg *stmt = call_get(c, 0, "@stmt");
	struct call_arg *params = c->count > 1 ? &c->args[1] : NULL;
	struct arena pool;
	struct diag d;
	const char *list = NULL;
	enum flow flow;

	d.line = 0;
	d.proc[0] = '\0';
	if (!stmt && c->count)
		stmt = &c->args[0];
	if (!stmt) {
		diag_set(&d, 201, "sp_executesql", "@statement");
		return call_error(c, &d);
	}
	if (stmt->value.cls == VAL_NULL) {
		c->has_status = true;
		return FLOW_OK;
	}
	if (stmt->value.cls != VAL_TEXT || !type_is_unicode(stmt->type)) {
		diag_set(&d, 214, "@statement", "ntext/nchar/nvarchar");
		return call_error(c, &d);
	}
	if (params && params->value.cls != VAL_NULL &&
	    (params->value.cls != VAL_TEXT || !type_is_unicode(params->type))) {
		diag_set(&d, 214, "@params", "ntext/nchar/nvarchar");
		return call_error(c, &d);
	}
	arena_init(&pool, 0);
	if (params && params->value.cls == VAL_TEXT)
		list = pool_strndup(&pool, params->value.p, params->value.n);
	flow = run(c, stmt->value.p, stmt->value.n, list, 2);
	arena_release(&pool);
	return flow;
}

static struct prepared *prepare(struct session *s, const char *text,
				const char *params)
{
	struct prepared *p = mem_calloc(1, sizeof(*p));

	p->handle = ++s->prepared_next;
	p->text = mem_strdup(text);
	p->params = params ? mem_strdup(params) : NULL;
	p->next = s->prepared;
	s->prepared = p;
	return p;
}

static void give_handle(struct call *c, int handle)
{
	struct val v = val_int(handle);

	if (!c->count)
		return;
	cell_set(&c->args[0].result, &v);
	c->args[0].result_type = type_of(TY_INT);
	c->args[0].has_result = true;
}

/* sp_prepare @handle OUTPUT, @params, @stmt */
enum flow prepared_prepare(struct call *c)
{
	struct arena pool;
	const char *text, *params;
	struct batch_ast ast;
	struct diag d;

	arena_init(&pool, 0);
	params = call_text(c, 1, "@params", &pool);
	text = call_text(c, 2, "@stmt", &pool);
	d.line = 0;
	d.proc[0] = '\0';
	if (parse_batch(&pool, text ? text : "", text ? strlen(text) : 0,
			c->s->set.quoted_identifier, &ast, &d) < 0) {
		enum flow flow;

		flow = call_error(c, &d);
		diag_set(&d, 8180);
		if (flow == FLOW_OK)
			flow = call_error(c, &d);
		arena_release(&pool);
		return flow;
	}
	give_handle(c, prepare(c->s, text ? text : "", params)->handle);
	c->has_status = true;
	arena_release(&pool);
	return FLOW_OK;
}

static struct prepared *by_handle(const struct session *s, int64_t handle)
{
	struct prepared *p;

	for (p = s->prepared; p; p = p->next)
		if (p->handle == handle)
			return p;
	return NULL;
}

const char *prepared_text(const struct session *s, int64_t handle)
{
	const struct prepared *p = by_handle(s, handle);

	return p ? p->text : NULL;
}

static struct prepared *find(struct call *c, struct diag *d)
{
	int64_t handle = call_int(c, 0, "@handle", 0);
	struct prepared *p = by_handle(c->s, handle);

	if (!p)
		diag_set(d, 8179, (int)handle);
	return p;
}

enum flow prepared_execute(struct call *c)
{
	struct diag d;
	struct prepared *p;

	d.line = 0;
	d.proc[0] = '\0';
	p = find(c, &d);
	if (!p)
		return call_error(c, &d);
	return run(c, p->text, strlen(p->text), p->params, 1);
}

enum flow prepared_prepexec(struct call *c)
{
	struct arena pool;
	const char *text, *params;
	struct prepared *p;
	enum flow flow;

	arena_init(&pool, 0);
	params = call_text(c, 1, "@params", &pool);
	text = call_text(c, 2, "@stmt", &pool);
	p = prepare(c->s, text ? text : "", params);
	give_handle(c, p->handle);
	flow = run(c, p->text, strlen(p->text), p->params, 3);
	arena_release(&pool);
	return flow;
}

enum flow prepared_unprepare(struct call *c)
{
	struct prepared *p, **link;
	struct diag d;

	d.line = 0;
	d.proc[0] = '\0';
	p = find(c, &d);
	if (!p)
		return call_error(c, &d);
	for (link = &c->s->prepared; *link != p; link = &(*link)->next)
		;
	*link = p->next;
	free(p->text);
	free(p->params);
	free(p);
	c->has_status = true;
	return FLOW_OK;
}
