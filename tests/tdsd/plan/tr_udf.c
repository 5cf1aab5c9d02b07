/* Calls of the scalar functions that users wrote: udf_() of fn/fn_misc.c. */
#include <string.h>

#include "exec/module.h"
#include "exec/perm.h"
#include "plan/translate.h"
#include "sql/parse.h"

#define UDF_ARGS 48

static struct ex unknown(struct tr *t, const struct name *n)
{
	const char *text = n->part[0];
	int i;

	for (i = 1; i < n->count; i++)
		text = tr_printf(t, "%s.%s", text, n->part[i]);
	return tr_fail(t, 4121, n->part[0], text, NULL);
}

/* The arguments, each converted to its parameter's type. */
static const char *arguments(struct tr *t, const struct expr *e,
			     const struct create_module *def, const char *name)
{
	const struct param_def *p;
	const struct expr *arg = e->args;
	const char *list = "";
	int n = 0;

	for (p = def->params; p && !t->failed; p = p->next) {
		struct type type;
		struct ex x;

		if (!arg)
			return tr_fail(t, 313, name, NULL), "";
		if (++n > UDF_ARGS)
			return tr_fail(t, 8144, name, NULL), "";
		if (tr_type(t, &p->type, &type) < 0)
			return "";
		if (arg->kind == EX_DEFAULT)
			x = p->default_value ? tr_expr(t, p->default_value)
					     : tr_ex("NULL", type, true);
		else
			x = tr_expr(t, arg);
		x = tr_implicit(t, x, type);
		list = tr_printf(t, "%s,%s,%s", list, x.sql, tr_pack(t, type));
		arg = arg->next;
	}
	if (arg && !t->failed)
		tr_fail(t, 8144, name, NULL);
	return list;
}

struct ex tr_user_function(struct tr *t, const struct expr *e)
{
	const char *name = e->name.part[e->name.count - 1], *list;
	struct module *m;
	struct object o;
	struct type type;
	struct diag d;

	/* its schema must be said */
	if (e->name.count < 2)
		return tr_fail(t, 195, name, NULL);
	if (catalog_find(t->s, &e->name, &o, &d) != 1 ||
	    strcmp(o.type, "FN") != 0 || !o.home->db)
		return unknown(t, &e->name);
	if (perm_check_object(t->s, o.home, o.id, o.schema_id, o.schema, o.name,
			      PERM_EXECUTE, t->d) < 0) {
		t->failed = true;
		return tr_nothing();
	}
	tr_use_home(t, o.home, 0);
	m = module_get(t->s, o.home, o.id, t->d);
	if (!m) {
		t->failed = true;
		return tr_nothing();
	}
	list = arguments(t, e, m->def, name);
	if (!t->failed && tr_type(t, &m->def->returns, &type) < 0)
		t->failed = true;
	module_put(t->s, m);
	if (t->failed)
		return tr_nothing();
	t->uses_udf = true;
	t->deterministic = false;
	return tr_ex(tr_printf(t, "udf_(%d,%d%s)", o.home->db->id, o.id, list),
		     type, true);
}
