#include "exec/module.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exec/output.h"
#include "exec/planner.h"
#include "exec/tablevar.h"
#include "exec/tran.h"
#include "plan/views.h"
#include "sql/parse.h"

#define NEST_MAX 32

struct create_module *module_parse(struct arena *pool, const char *text,
				   bool quoted, struct diag *d)
{
	struct batch_ast ast;

	if (parse_batch(pool, text, strlen(text), quoted, &ast, d) < 0)
		return NULL;
	if (!ast.first || ast.first->kind != ST_CREATE_MODULE) {
		diag_free_text(d, 4413, 16, 1, "the stored text is no module");
		return NULL;
	}
	return ast.first->module;
}

static void module_free(struct module *m)
{
	struct arena pool = m->pool;

	if (m->def)
		plans_release(m->def->body);
	free(m->text);
	free(m);
	arena_release(&pool);
}

static char *read_text(struct session *s, struct attached *home, int id,
		       bool *quoted, struct diag *d)
{
	sqlite3_stmt *st = catalog_prepare(
		s, d, "SELECT text, quoted FROM %s._objects WHERE id = %d",
		home->prefix, id);
	char *text = NULL;

	if (!st)
		return NULL;
	if (sqlite3_step(st) == SQLITE_ROW && sqlite3_column_text(st, 0)) {
		text = mem_strdup((const char *)sqlite3_column_text(st, 0));
		*quoted = sqlite3_column_int(st, 1);
	} else {
		diag_free_text(d, 2812, 16, 62,
			       "Could not find stored procedure.");
	}
	sqlite3_finalize(st);
	return text;
}

struct module *module_get(struct session *s, struct attached *home, int id,
			  struct diag *d)
{
	int64_t version = catalog_version(s, home, d);
	struct module **link, *m;

	if (version < 0)
		return NULL;
	for (link = &s->modules; (m = *link); link = &m->next) {
		if (m->home != home || m->id != id)
			continue;
		if (m->version == version) {
			m->busy++;
			return m;
		}
		*link = m->next;
		if (m->busy)
			m->stale = true;
		else
			module_free(m);
		break;
	}
	m = mem_calloc(1, sizeof(*m));
	arena_init(&m->pool, 0);
	m->home = home;
	m->id = id;
	m->version = version;
	m->text = read_text(s, home, id, &m->quoted, d);
	if (m->text)
		m->def = module_parse(&m->pool, m->text, m->quoted, d);
	if (!m->def) {
		module_free(m);
		return NULL;
	}
	m->ast.text = m->text;
	m->ast.first = m->def->body;
	m->busy = 1;
	m->next = s->modules;
	s->modules = m;
	return m;
}

void module_put(struct session *s, struct module *m)
{
	(void)s;
	if (--m->busy == 0 && m->stale)
		module_free(m);
}

void modules_free(struct session *s)
{
	struct module *m;

	while ((m = s->modules)) {
		s->modules = m->next;
		if (m->busy)
			m->stale = true;
		else
			module_free(m);
	}
}

enum flow module_run_body(struct session *s, struct attached *home, int id,
			  struct frame *f, struct diag *d)
{
	struct module *m = module_get(s, home, id, d);
	struct settings saved = s->set;
	struct database *db = s->db;
	enum flow flow;

	if (!m)
		return FLOW_ABORT;
	f->ast = &m->ast;
	if (home->db)
		s->db = home->db;
	s->set.quoted_identifier = m->quoted;
	if (f->kind == 'T')
		s->set.xact_abort = true;
	if (run_declare_all(s, m->def->body, d) < 0)
		flow = run_error(s, d, NULL, true);
	else
		flow = run_block(s, m->def->body);
	s->set = saved;
	s->db = db;
	module_put(s, m);
	return flow;
}

/* --- columns of views and table functions --- */

/* Parameters of an inline function, as if their values were NULL. */
static struct macro *null_macros(struct tr *t, const struct param_def *p)
{
	struct macro *first = NULL, **link = &first;

	for (; p; p = p->next) {
		struct type type;

		if (tr_type(t, &p->type, &type) < 0)
			return NULL;
		*link = pool_alloc(t->pool, sizeof(**link));
		(*link)->name = p->name;
		(*link)->value = pool_alloc(t->pool, sizeof(struct ex));
		*(*link)->value = tr_ex("NULL", type, true);
		link = &(*link)->next;
	}
	return first;
}

int module_columns(struct session *s, const struct create_module *m,
		   struct attached *home, struct arena *pool,
		   struct module_columns *out, struct diag *d)
{
	struct plan_needs needs;
	struct database *db = s->db;
	const struct name_list *n;
	struct rel *rel;
	struct tr t;
	int i, ret = -1;

	memset(out, 0, sizeof(*out));
	memset(&needs, 0, sizeof(needs));
	if (home->db)
		s->db = home->db;
	tr_init(&t, s, pool, &needs, d);
	t.frame = NULL;
	t.macros = null_macros(&t, m->params);
	rel = tr_query(&t, m->query);
	s->db = db;
	if (t.failed)
		goto done;
	out->columns = rel->columns;
	out->count = rel->count;
	for (n = m->columns, i = 0; n; n = n->next, i++) {
		if (i >= rel->count) {
			diag_set(d, 8159, m->name.part[m->name.count - 1]);
			goto done;
		}
		out->columns[i].name = n->name;
	}
	if (m->columns && i < rel->count) {
		diag_set(d, 8158, m->name.part[m->name.count - 1]);
		goto done;
	}
	for (i = 0; i < out->count; i++) {
		int k;

		if (!out->columns[i].name[0]) {
			diag_set(d, 4511, i + 1);
			goto done;
		}
		for (k = 0; k < i; k++)
			if (!strcasecmp(out->columns[i].name,
					out->columns[k].name)) {
				diag_free_text(
					d, 4506, 16, 1,
					"Column names in each view or function "
					"must be unique. Column name '%s' in "
					"view or function '%s' is specified "
					"more than once.",
					out->columns[i].name,
					m->name.part[m->name.count - 1]);
				goto done;
			}
	}
	ret = 0;
done:
	plan_needs_release(&needs);
	return ret;
}

/* --- scalar functions --- */

static int bind_args(struct session *s, struct frame *f,
		     const struct param_def *p, const struct val *args,
		     const struct type *types, int count, struct diag *d)
{
	int i = 0;

	for (; p; p = p->next, i++) {
		struct type type;
		int slot;

		if (catalog_type(s, &p->type, i + 1, "parameter", &type, NULL,
				 d) < 0)
			return -1;
		slot = frame_add(f, p->name, type);
		if (i < count &&
		    run_assign(s, &f->vars[slot], &args[i], types[i], d) < 0)
			return -1;
	}
	return 0;
}

int module_call_scalar(struct session *s, struct attached *home, int id,
		       const struct val *args, const struct type *types,
		       int count, struct cell *out, struct diag *d)
{
	struct module *m;
	struct frame f;
	struct database *db = s->db;
	struct diag saved = s->fn;
	bool fn_set = s->fn_set;
	int64_t rowcount = s->rowcount;
	enum flow flow;
	int ret = -1;

	if (s->nest >= NEST_MAX)
		return diag_set(d, 217);
	m = module_get(s, home, id, d);
	if (!m)
		return -1;
	frame_init(&f, s, 'F');
	f.proc = m->def->name.part[m->def->name.count - 1];
	f.proc_id = id;
	f.proc_home = home;
	f.discard_results = true;
	f.ast = &m->ast;
	s->nest++;
	s->stmt_depth++; /* we run inside a statement */
	if (home->db)
		s->db = home->db;
	d->number = 0;
	if (catalog_type(s, &m->def->returns, 0, "type", &f.result_type, NULL,
			 d) == 0 &&
	    bind_args(s, &f, m->def->params, args, types, count, d) == 0 &&
	    run_declare_all(s, m->def->body, d) == 0) {
		f.try_depth++; /* errors come back to us, not to the client */
		flow = run_block(s, m->def->body);
		f.try_depth--;
		if (flow == FLOW_THROW)
			*d = s->thrown;
		else if (flow == FLOW_ABORT)
			diag_free_text(d, 3617, 11, 1,
				       "Operation cancelled by user.");
		else
			ret = 0;
	}
	if (ret == 0)
		cell_set(out, &f.result.v);
	s->db = db;
	s->stmt_depth--;
	s->nest--;
	frame_release(&f);
	s->fn = saved;
	s->fn_set = fn_set;
	s->rowcount = rowcount;
	module_put(s, m);
	return ret;
}
