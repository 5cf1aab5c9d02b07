/* CTEs, users' views and inline functions. */
#include "plan/views.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exec/module.h"
#include "exec/perm.h"
#include "plan/query.h"
#include "plan/sysviews.h"
#include "plan/tvf.h"
#include "sql/lex.h"

#define VIEW_DEPTH 32

/* --- common table expressions --- */

void tr_push_ctes(struct tr *t, const struct cte *ctes)
{
	struct cte_def *mark = t->ctes;

	for (; ctes; ctes = ctes->next) {
		struct cte_def *c = pool_alloc(t->pool, sizeof(*c)), *o;

		for (o = t->ctes; o != mark; o = o->outer)
			if (!strcasecmp(o->name, ctes->name)) {
				tr_fail_text(t, 239, 16,
					     "Duplicate common table expression"
					     " name '%s' was specified.",
					     ctes->name);
				return;
			}
		c->name = ctes->name;
		c->ast = ctes;
		c->outer = t->ctes;
		t->ctes = c;
	}
}

struct cte_def *views_fresh_ctes(struct tr *t, struct cte_def *ctes)
{
	struct cte_def *first = NULL, **link = &first;

	for (; ctes; ctes = ctes->outer) {
		struct cte_def *c = pool_alloc(t->pool, sizeof(*c));

		c->name = ctes->name;
		c->ast = ctes->ast;
		*link = c;
		link = &c->outer;
	}
	return first;
}

static bool ref_mentions(const struct table_ref *r, const char *name);

static bool query_mentions(const struct query *q, const char *name)
{
	const struct table_ref *r;

	if (!q)
		return false;
	if (q->kind != Q_SELECT)
		return query_mentions(q->left, name) ||
		       query_mentions(q->right, name);
	for (r = q->from; r; r = r->next)
		if (ref_mentions(r, name))
			return true;
	return false;
}

static bool ref_mentions(const struct table_ref *r, const char *name)
{
	if (!r)
		return false;
	if (r->kind == TR_NAME)
		return r->name.count == 1 && !strcasecmp(r->name.part[0], name);
	if (r->kind == TR_JOIN)
		return ref_mentions(r->left, name) ||
		       ref_mentions(r->right, name);
	return r->kind == TR_DERIVED && query_mentions(r->query, name);
}

static void name_columns(struct tr *t, struct cte_def *c, struct rel *rel)
{
	const struct name_list *n = c->ast->columns;
	int i, k;

	c->count = rel->count;
	c->columns = pool_alloc(t->pool,
				(size_t)(rel->count + 1) * sizeof(*c->columns));
	memcpy(c->columns, rel->columns,
	       (size_t)rel->count * sizeof(*c->columns));
	if (n) {
		for (i = 0; i < rel->count && n; i++, n = n->next)
			c->columns[i].name = n->name;
		if (n || i < rel->count) {
			tr_fail(t, n ? 8159 : 8158, c->name, NULL);
			return;
		}
	}
	for (i = 0; i < c->count; i++) {
		c->columns[i].type.null = false;
		if (!c->columns[i].name[0]) {
			tr_fail_text(t, 8155, 16,
				     "No column name was specified for column "
				     "%d of '%s'.",
				     i + 1, c->name);
			return;
		}
		for (k = 0; k < i; k++)
			if (!strcasecmp(c->columns[i].name,
					c->columns[k].name)) {
				tr_fail(t, 8156, c->columns[i].name, c->name,
					NULL);
				return;
			}
	}
}

static void emit(struct tr *t, struct cte_def *c, const char *columns,
		 const char *sql)
{
	strbuf_addf(t->with, "%s%s%s AS (%s)", t->with->len ? ", " : "",
		    c->sql_name, columns, sql);
}

/* Members of the UNION ALL chain, anchors first. */
static int members(const struct query *q, const struct query **out, int room)
{
	int n;

	if (q->kind == Q_UNION_ALL && !q->order && !q->offset) {
		n = members(q->left, out, room);
		if (n < room)
			n += members(q->right, out + n, room - n);
		return n;
	}
	out[0] = q;
	return 1;
}

static bool same_type(struct type a, struct type b)
{
	return a.kind == b.kind && a.len == b.len && a.prec == b.prec &&
	       a.scale == b.scale;
}

static void recursive(struct tr *t, struct cte_def *c)
{
	const struct query *list[32];
	int n = members(c->ast->query, list, 32), i, k, anchors = 0;
	struct strbuf sb;
	const char *columns = "(";
	bool set_operation = c->ast->query->kind == Q_UNION ||
			     c->ast->query->kind == Q_EXCEPT ||
			     c->ast->query->kind == Q_INTERSECT;

	if (set_operation || n < 2) {
		tr_fail(t, 252, c->name, NULL);
		return;
	}
	strbuf_init_max(&sb, (size_t)512 << 20);
	for (i = 0; i < n && !t->failed; i++) {
		struct scope *scope = t->scope;
		struct rel *rel;

		if (query_mentions(list[i], c->name))
			continue;
		rel = tr_query(t, list[i]);
		t->scope = scope;
		if (t->failed)
			break;
		if (!anchors)
			name_columns(t, c, rel);
		else if (rel->count != c->count)
			tr_fail(t, 205, NULL);
		for (k = 0; k < c->count && !t->failed; k++) {
			c->columns[k].nullable = true;
			c->columns[k].base = NULL;
			c->columns[k].base_table = NULL;
			c->columns[k].identity = false;
		}
		strbuf_addf(&sb, "%sSELECT %s,0 FROM (%s)",
			    anchors++ ? " UNION ALL " : "",
			    tr_names_x(t, rel->count), rel->sql);
	}
	if (!t->failed && !anchors)
		tr_fail(t, 246, c->name, NULL);
	c->in_progress = true;
	for (i = 0; i < n && !t->failed; i++) {
		struct rel *rel;
		bool rowids = t->want_rowids;

		if (!query_mentions(list[i], c->name))
			continue;
		if (list[i]->distinct) {
			tr_fail(t, 460, c->name, NULL);
			break;
		}
		if (list[i]->grouped) {
			tr_fail(t, 467, c->name, NULL);
			break;
		}
		t->want_rowids = false;
		rel = tr_query(t, list[i]);
		t->want_rowids = rowids;
		if (t->failed)
			break;
		if (rel->count != c->count) {
			tr_fail(t, 205, NULL);
			break;
		}
		for (k = 0; k < c->count && !t->failed; k++)
			if (!same_type(c->columns[k].type,
				       rel->columns[k].type) &&
			    !rel->columns[k].type.null)
				tr_fail(t, 240, c->columns[k].name, c->name,
					NULL);
		strbuf_addf(&sb, " UNION ALL %s", rel->sql);
	}
	c->in_progress = false;
	for (i = 0; i < c->count; i++)
		columns = tr_printf(t, "%sx%d,", columns, i + 1);
	if (!t->failed)
		emit(t, c, tr_printf(t, "%slvl)", columns), sb.data);
	strbuf_release(&sb);
	c->done = true;
}

void views_cte(struct tr *t, struct cte_def *c)
{
	struct cte_def *saved = t->ctes;
	struct scope *scope = t->scope;
	struct rel *rel;

	if (c->done || c->in_progress || t->failed)
		return;
	c->sql_name = tr_printf(t, "q%d", ++t->next_alias);
	/* it sees itself and those before it, and nothing of the query */
	t->ctes = c;
	t->scope = NULL;
	if (query_mentions(c->ast->query, c->name) &&
	    c->ast->query->kind != Q_SELECT) {
		recursive(t, c);
	} else {
		t->ctes = c->outer;
		if (c->ast->query->order && !c->ast->query->top &&
		    !c->ast->query->offset)
			tr_fail(t, 1033, NULL);
		rel = tr_query(t, c->ast->query);
		if (!t->failed) {
			name_columns(t, c, rel);
			c->rel = rel;
			emit(t, c, "", rel->sql);
		}
		c->done = true;
	}
	t->ctes = saved;
	t->scope = scope;
}

/* --- views --- */

struct saved {
	struct database *db;
	struct scope *scope;
	struct cte_def *ctes;
	struct macro *macros;
	struct frame *frame;
	struct row_scope *row;
	struct extras *extras;
	int lives;
};

/* A view's body knows nothing of the statement that uses it. */
static void enter(struct tr *t, struct attached *home, struct saved *s)
{
	s->db = t->s->db;
	s->scope = t->scope;
	s->ctes = t->ctes;
	s->macros = t->macros;
	s->frame = t->frame;
	s->row = t->row;
	s->extras = t->extras;
	s->lives = t->live_count;
	if (home->db)
		t->s->db = home->db;
	t->scope = NULL;
	t->ctes = NULL;
	t->macros = NULL;
	t->frame = NULL;
	t->row = NULL;
	t->extras = NULL;
	t->live_count = 0;
}

static void leave(struct tr *t, const struct saved *s)
{
	t->s->db = s->db;
	t->scope = s->scope;
	t->ctes = s->ctes;
	t->macros = s->macros;
	t->frame = s->frame;
	t->row = s->row;
	t->extras = s->extras;
	t->live_count = s->lives;
}

static struct create_module *definition(struct tr *t, const struct table *view)
{
	struct create_module *m;

	if (!view->text) {
		tr_fail(t, 4413, view->name, NULL);
		return NULL;
	}
	if (++t->view_depth > VIEW_DEPTH) {
		tr_fail(t, 217, NULL);
		return NULL;
	}
	m = module_parse(t->pool, view->text, true, t->d);
	if (!m)
		t->failed = true;
	return m;
}

/* The columns' names as the view declares them. */
static void rename_columns(struct tr *t, const struct table *view,
			   struct rel *rel, const struct name_list *names)
{
	int i;

	for (i = 0; names && i < rel->count; i++, names = names->next)
		rel->columns[i].name = names->name;
	/* SELECT * was fixed when the view was made */
	if (view->count && view->count < rel->count)
		rel->count = view->count;
	else if (view->count > rel->count)
		tr_fail(t, 4502, view->name, NULL);
}

struct rel *views_user(struct tr *t, struct table *view)
{
	struct create_module *m = definition(t, view);
	struct saved saved;
	struct rel *rel = NULL;
	bool internal = t->s->internal;

	if (!m)
		return NULL;
	enter(t, view->home, &saved);
	/* whoever may read the view may read what it reads (one owner) */
	t->s->internal = true;
	rel = tr_query(t, m->query);
	t->s->internal = internal;
	leave(t, &saved);
	t->view_depth--;
	if (t->failed)
		return NULL;
	rename_columns(t, view, rel, m->columns);
	return rel;
}

/* f(args) of an inline function: parameters stand for the arguments. */
struct rel *views_inline(struct tr *t, struct table *fn,
			 const struct expr *args)
{
	struct create_module *m = definition(t, fn);
	struct macro *first = NULL, **link = &first;
	const struct param_def *p;
	struct saved saved;
	struct rel *rel;
	bool internal = t->s->internal;

	if (!m)
		return NULL;
	for (p = m->params; p && !t->failed; p = p->next) {
		struct type type;
		struct ex v;

		if (!args) {
			tr_fail(t, 313, fn->name, NULL);
			return NULL;
		}
		if (tr_type(t, &p->type, &type) < 0)
			return NULL;
		v = args->kind == EX_DEFAULT && p->default_value
			    ? tr_expr(t, p->default_value)
			    : tr_expr(t, args);
		v = tr_implicit(t, v, type);
		v.nullable = true;
		v.column = NULL;
		*link = pool_alloc(t->pool, sizeof(**link));
		(*link)->name = p->name;
		(*link)->value = pool_alloc(t->pool, sizeof(struct ex));
		*(*link)->value = v;
		link = &(*link)->next;
		args = args->next;
	}
	if (args) {
		tr_fail(t, 8144, fn->name, NULL);
		return NULL;
	}
	enter(t, fn->home, &saved);
	t->macros = first;
	t->s->internal = true;
	rel = tr_query(t, m->query);
	t->s->internal = internal;
	leave(t, &saved);
	t->view_depth--;
	return t->failed ? NULL : rel;
}

struct rel *views_function(struct tr *t, const struct table_ref *ref)
{
	struct rel *rel = tvf_builtin(t, ref);
	struct table *fn;

	if (rel || t->failed)
		return rel;
	fn = tr_find_table(t, &ref->name);
	if (!fn)
		return NULL;
	if (perm_check(t->s, fn, PERM_SELECT, t->d) < 0) {
		t->failed = true;
		return NULL;
	}
	if (!strcmp(fn->type, "IF"))
		return views_inline(t, fn, ref->args);
	return tr_fail(t, 215, ref->name.part[ref->name.count - 1], NULL), NULL;
}

struct rel *views_system(struct tr *t, const struct name *name)
{
	return sysview_find(t, name);
}
