#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "plan/apply.h"
#include "plan/column_set.h"
#include "plan/translate.h"
#include "plan/views.h"
#include "exec/perm.h"
#include "sql/parse.h"
#include "value/collation.h"

static const char *object_name(const struct name *n)
{
	return n->part[n->count - 1];
}

/* --- sources --- */

const char *tr_computed(struct tr *t, struct source *src,
			struct source_column *c)
{
	const struct column *col = c->base;
	const char *text;
	struct scope scope;
	struct expr *e;
	struct ex x;

	if (!col || !col->computed) {
		tr_fail(t, 207, c->name, NULL);
		return "NULL";
	}
	text = col->column_set ? column_set_text(c->base_table, t->pool)
			       : col->computed;
	e = parse_expression(t->pool, text, strlen(text), t->d);
	if (!e) {
		t->failed = true;
		return "NULL";
	}
	tr_push_scope(t, &scope);
	scope.first = src; /* alone: its `next` must not be seen */
	{
		struct source alone = *src;

		alone.next = NULL;
		scope.first = &alone;
		x = tr_convert(t, tr_expr(t, e), c->type);
	}
	tr_pop_scope(t);
	return x.sql;
}

struct source *tr_table_source(struct tr *t, struct table *table,
			       const char *alias)
{
	struct source *src = pool_alloc(t->pool, sizeof(*src));
	int i;

	src->sql_alias = tr_alias(t);
	src->alias = alias;
	src->table = table;
	src->count = table->count;
	src->columns = pool_alloc(t->pool, (size_t)(table->count + 1) *
						   sizeof(*src->columns));
	for (i = 0; i < table->count; i++) {
		const struct column *c = &table->columns[i];
		struct source_column *sc = &src->columns[i];

		sc->name = c->name;
		sc->type = c->type;
		sc->nullable = c->nullable;
		/* SELECT * has the column set instead of what is in it */
		sc->hidden = c->hidden || (c->sparse && table->set_column >= 0);
		sc->base = c;
		sc->base_table = table;
		sc->label = COLL_IMPLICIT;
		if (c->stored)
			sc->sql =
				tr_printf(t, "%s.c%d", src->sql_alias, c->phys);
	}
	return src;
}

struct source *tr_rel_source(struct tr *t, struct rel *rel, const char *alias,
			     const struct name_list *names)
{
	struct source *src = pool_alloc(t->pool, sizeof(*src));
	int i;

	src->sql_alias = tr_alias(t);
	src->alias = alias;
	src->count = rel->count;
	src->bases = rel->bases;
	src->base_count = rel->base_count;
	src->columns = pool_alloc(t->pool, (size_t)(rel->count + 1) *
						   sizeof(*src->columns));
	for (i = 0; i < rel->count; i++) {
		struct source_column *sc = &src->columns[i];
		const struct out_column *oc = &rel->columns[i];

		sc->name = oc->name;
		if (names) {
			sc->name = names->name;
			names = names->next;
			if (!names && i + 1 < rel->count)
				tr_fail(t, 8158, alias, NULL);
		}
		sc->sql = tr_printf(t, "%s.x%d", src->sql_alias, i + 1);
		sc->type = oc->type;
		sc->nullable = oc->nullable;
		sc->derived = oc;
		sc->base = oc->base;
		sc->base_table = oc->base_table;
		sc->label = COLL_IMPLICIT;
	}
	if (names)
		tr_fail(t, 8159, alias, NULL);
	return src;
}

/* Derived tables need a name for each column, and each only once. */
static void check_names(struct tr *t, const struct source *src)
{
	int i, j;

	for (i = 0; i < src->count && !t->failed; i++) {
		if (!src->columns[i].name[0]) {
			diag_set(t->d, 8155, i + 1,
				 src->alias ? src->alias : "");
			t->d->line = t->line;
			t->failed = true;
			return;
		}
		for (j = 0; j < i; j++)
			if (!strcasecmp(src->columns[i].name,
					src->columns[j].name)) {
				tr_fail(t, 8156, src->columns[i].name,
					src->alias ? src->alias : "", NULL);
				return;
			}
	}
}

static void check_duplicate_alias(struct tr *t, const struct source *src)
{
	const struct source *other;
	const char *name = src->alias	   ? src->alias
			   : src->has_full ? object_name(&src->full)
					   : NULL;

	if (!name)
		return;
	for (other = t->scope->first; other; other = other->next) {
		const char *its = other->alias	    ? other->alias
				  : other->has_full ? object_name(&other->full)
						    : NULL;

		if (!its || strcasecmp(name, its) != 0)
			continue;
		if (src->alias || other->alias)
			tr_fail(t, 1011, name, NULL);
		else if (src->full.count == other->full.count &&
			 (src->full.count < 2 ||
			  !strcasecmp(src->full.part[src->full.count - 2],
				      other->full.part[other->full.count - 2])))
			tr_fail(t, 1013, name, its, NULL);
		return;
	}
}

static const char *add(struct tr *t, struct source *src,
		       const struct table_ref *ref, const char *sql)
{
	if (!ref->alias && ref->kind == TR_NAME) {
		src->full = ref->name;
		src->has_full = true;
	} else if (!ref->alias && ref->kind == TR_VAR) {
		src->alias = ref->name.part[0];
	} else if (!ref->alias && ref->kind == TR_FUNCTION) {
		src->alias = object_name(&ref->name);
	}
	check_duplicate_alias(t, src);
	tr_add_source(t, src);
	return tr_printf(t, "%s %s", sql, src->sql_alias);
}

/* --- what a name can be --- */

static bool names_equal(const char *a, const char *b)
{
	const struct collation *c = collation_get(COLLATION_DEFAULT);

	return !collation_compare(c, a, strlen(a), b, strlen(b));
}

static const char *from_table(struct tr *t, const struct table_ref *ref,
			      struct table *table)
{
	struct source *src = tr_table_source(t, table, ref->alias);
	char phys[64];

	src->has_full = !ref->alias;
	return add(t, src, ref, table_phys(table, phys, sizeof(phys)));
}

static const char *from_rel(struct tr *t, const struct table_ref *ref,
			    struct rel *rel, bool check)
{
	struct source *src;

	if (t->failed)
		return "";
	src = tr_rel_source(t, rel, ref->alias, ref->columns);
	if (check)
		check_names(t, src);
	return add(t, src, ref, tr_printf(t, "(%s)", rel->sql));
}

static const char *from_cte(struct tr *t, const struct table_ref *ref,
			    struct cte_def *cte)
{
	struct source *src;
	struct rel rel;

	views_cte(t, cte);
	if (t->failed)
		return "";
	memset(&rel, 0, sizeof(rel));
	rel.columns = cte->columns;
	rel.count = cte->count;
	if (cte->rel) {
		rel.bases = cte->rel->bases;
		rel.base_count = cte->rel->base_count;
	}
	src = tr_rel_source(t, &rel, ref->alias, ref->columns);
	if (cte->in_progress) {
		if (t->scope->recursive) {
			tr_fail(t, 253, cte->name, NULL);
			return "";
		}
		t->scope->recursive = src->sql_alias;
	}
	return add(t, src, ref, cte->sql_name);
}

static struct cte_def *find_cte(struct tr *t, const struct name *n)
{
	struct cte_def *c;

	if (n->count > 1)
		return NULL;
	for (c = t->ctes; c; c = c->outer)
		if (names_equal(c->name, n->part[0]))
			return c;
	return NULL;
}

struct table *tr_find_table(struct tr *t, const struct name *name)
{
	struct object o;
	struct table *table;
	const char *text = name->part[0];
	int found, i;

	t->line = name->line ? name->line : t->line;
	found = catalog_find(t->s, name, &o, t->d);
	if (found < 0) {
		t->failed = true;
		t->d->line = t->line;
		return NULL;
	}
	if (!found) {
		for (i = 1; i < name->count; i++)
			text = tr_printf(t, "%s.%s", text, name->part[i]);
		tr_fail(t, 208, text, NULL);
		return NULL;
	}
	if (!strcmp(o.type, "SN")) {
		struct name target;

		table = catalog_table(t->s, o.home, o.id, t->d);
		if (!table || !table->extra ||
		    !parse_name(t->pool, table->extra, strlen(table->extra),
				&target)) {
			table_unref(table);
			t->failed = true;
			return NULL;
		}
		table_unref(table);
		target.line = name->line;
		return tr_find_table(t, &target);
	}
	tr_use_home(t, o.home, 0);
	table = catalog_table(t->s, o.home, o.id, t->d);
	if (!table) {
		t->failed = true;
		return NULL;
	}
	tr_use_table(t, table);
	return table;
}

/* What isolation can read a memory-optimized table? */
static bool in_memory_allowed(struct tr *t, unsigned hints)
{
	const struct session *s = t->s;

	if (s->set.isolation == ISO_SNAPSHOT)
		tr_fail(t, 41332, NULL);
	else if (s->trancount && s->set.isolation == ISO_READ_COMMITTED &&
		 !(hints & HINT_SNAPSHOT))
		tr_fail(t, 41368, NULL);
	return !t->failed;
}

static const char *from_name(struct tr *t, const struct table_ref *ref)
{
	struct cte_def *cte = find_cte(t, &ref->name);
	const char *name = object_name(&ref->name);
	struct table *table = NULL;
	struct rel *rel;

	t->line = ref->line;
	if (cte)
		return from_cte(t, ref, cte);
	if (t->frame && ref->name.count == 1 && t->frame->trigger_table) {
		if (!strcasecmp(name, "inserted"))
			table = t->frame->inserted;
		else if (!strcasecmp(name, "deleted"))
			table = t->frame->deleted;
		if (table) {
			tr_use_table(t, table_ref(table));
			tr_use_home(t, table->home, 0);
			return from_table(t, ref, table);
		}
	}
	rel = views_system(t, &ref->name);
	if (t->failed)
		return "";
	if (rel)
		return from_rel(t, ref, rel, false);
	table = tr_find_table(t, &ref->name);
	if (!table)
		return "";
	tr_use_home(t, table->home, ref->hints);
	if (!strcmp(table->type, "U")) {
		if (!t->view_depth && ref != t->written &&
		    perm_check(t->s, table, PERM_SELECT, t->d) < 0) {
			t->failed = true;
			return "";
		}
		if (table->in_memory && !in_memory_allowed(t, ref->hints))
			return "";
		tr_use_rows(t, table, ref->hints);
		return from_table(t, ref, table);
	}
	if (!strcmp(table->type, "V")) {
		if (!t->view_depth &&
		    perm_check(t->s, table, PERM_SELECT, t->d) < 0) {
			t->failed = true;
			return "";
		}
		rel = views_user(t, table);
		return t->failed ? "" : from_rel(t, ref, rel, false);
	}
	if (!strcmp(table->type, "IF"))
		tr_fail(t, 216, name, NULL);
	else
		tr_fail(t, 208, name, NULL);
	return "";
}

static const char *from_variable(struct tr *t, const struct table_ref *ref)
{
	const char *name = ref->name.part[0];
	int slot = t->frame ? frame_find(t->frame, name) : -1;
	struct variable *v = slot < 0 ? NULL : &t->frame->vars[slot];

	if (!v || !v->is_table) {
		diag_free_text(t->d, 1087, 15, 2,
			       "Must declare the table variable \"%s\".", name);
		t->d->line = ref->line;
		t->failed = true;
		return "";
	}
	if (!v->table)
		return tr_fail(t, 208, name, NULL), "";
	tr_use_table(t, table_ref(v->table));
	tr_use_home(t, v->table->home, 0);
	return from_table(t, ref, v->table);
}

static const char *from_function(struct tr *t, const struct table_ref *ref)
{
	struct rel *rel;

	t->line = ref->line;
	rel = views_function(t, ref);
	if (!rel && !t->failed)
		tr_fail(t, 208, object_name(&ref->name), NULL);
	return t->failed ? "" : from_rel(t, ref, rel, false);
}

/* --- joins --- */

static const char *from_ref(struct tr *t, const struct table_ref *ref);

static void set_nullable(struct source *from, struct source *until)
{
	for (; from && from != until; from = from->next)
		from->nullable = true;
}

/*
 * The right side of an APPLY, as a statement of its own: its columns are all
 * that its sources have.
 */
static const char *from_apply(struct tr *t, const struct table_ref *ref)
{
	const struct table_ref *right = ref->right;
	struct apply *a = apply_new(t);
	struct plan_needs *save = t->needs;
	struct strbuf *save_with = t->with, with;
	struct cte_def *ctes = t->ctes;
	struct scope scope;
	struct source *inner;
	struct strbuf sb;
	const char *from, *alias;
	int i, n = 0;

	tr_push_scope(t, &scope);
	scope.lateral = true;
	scope.apply = a;
	t->needs = &a->needs;
	strbuf_init(&with);
	t->with = &with;
	t->ctes = views_fresh_ctes(t, ctes);
	from = from_ref(t, right);
	t->ctes = ctes;
	t->with = save_with;
	t->needs = save;
	tr_pop_scope(t);
	if (t->failed) {
		strbuf_release(&with);
		return "";
	}
	strbuf_init(&sb);
	if (with.len)
		strbuf_addf(&sb, "WITH RECURSIVE %s ", with.data);
	strbuf_release(&with);
	strbuf_addstr(&sb, "SELECT ");
	for (inner = scope.first; inner; inner = inner->next)
		for (i = 0; i < inner->count; i++, n++)
			strbuf_addf(&sb, "%s%s AS x%d", n ? "," : "",
				    inner->columns[i].sql
					    ? inner->columns[i].sql
					    : "NULL",
				    n + 1);
	strbuf_addf(&sb, " FROM %s", from);
	a->sql = pool_strndup(&a->pool, sb.data, sb.len);
	a->columns = n;
	strbuf_release(&sb);
	/* what the inner statement reads, this one depends on */
	for (i = 0; i < a->needs.home_count; i++)
		tr_use_home(t, a->needs.homes[i].home, 0);
	for (i = 0; i < a->needs.read_count; i++) {
		MEM_GROW(t->needs->reads, t->needs->read_count,
			 t->needs->read_room);
		t->needs->reads[t->needs->read_count++] = a->needs.reads[i];
	}
	/* every column of every inner source is a column of the one call */
	alias = tr_alias(t);
	for (inner = scope.first, n = 0; inner; inner = inner->next) {
		struct source *outer = pool_alloc(t->pool, sizeof(*outer));

		*outer = *inner;
		outer->next = NULL;
		outer->bases = NULL;
		outer->base_count = 0;
		outer->table = NULL;
		outer->sql_alias = alias;
		outer->columns =
			pool_alloc(t->pool, (size_t)(inner->count + 1) *
						    sizeof(*outer->columns));
		for (i = 0; i < inner->count; i++, n++) {
			outer->columns[i] = inner->columns[i];
			outer->columns[i].nullable = true;
			outer->columns[i].sql =
				tr_printf(t, "%s.x%d", alias, n + 1);
		}
		tr_add_source(t, outer);
	}
	return tr_printf(t, "%s %s", apply_call(t, a), alias);
}

static const char *from_join(struct tr *t, const struct table_ref *ref)
{
	/* SQLite keeps the order of a CROSS JOIN: who writes one puts the few
	 * rows first, which a server would know by its statistics. */
	static const char *const words[] = {
		[JOIN_INNER] = "JOIN",		 [JOIN_LEFT] = "LEFT JOIN",
		[JOIN_RIGHT] = "RIGHT JOIN",	 [JOIN_FULL] = "FULL JOIN",
		[JOIN_CROSS] = "CROSS JOIN",	 [JOIN_CROSS_APPLY] = "JOIN",
		[JOIN_OUTER_APPLY] = "LEFT JOIN"};
	struct source *before = NULL, *s, *left_end = NULL;
	const char *left, *right, *on = NULL;

	for (s = t->scope->first; s; s = s->next)
		before = s;
	left = from_ref(t, ref->left);
	for (s = t->scope->first; s; s = s->next)
		left_end = s;
	if (ref->join == JOIN_CROSS_APPLY || ref->join == JOIN_OUTER_APPLY)
		right = from_apply(t, ref);
	else
		right = from_ref(t, ref->right);
	if (ref->right->kind == TR_JOIN)
		right = tr_printf(t, "(%s)", right);
	if (t->failed)
		return "";
	if (ref->join == JOIN_LEFT || ref->join == JOIN_FULL)
		set_nullable(left_end ? left_end->next : t->scope->first, NULL);
	if (ref->join == JOIN_RIGHT || ref->join == JOIN_FULL)
		set_nullable(before ? before->next : t->scope->first,
			     left_end ? left_end->next : NULL);
	if (ref->on) {
		const char *clause = t->scope->clause;

		t->scope->clause = "ON";
		on = tr_cond(t, ref->on);
		t->scope->clause = clause;
	}
	if (on)
		return tr_printf(t, "%s %s %s ON %s", left, words[ref->join],
				 right, on);
	if (ref->join == JOIN_OUTER_APPLY)
		return tr_printf(t, "%s LEFT JOIN %s ON 1", left, right);
	return tr_printf(t, "%s %s %s", left, words[ref->join], right);
}

static const char *from_ref(struct tr *t, const struct table_ref *ref)
{
	const char *sql = "";

	if (t->failed)
		return sql;
	if (++t->depth > 600)
		return tr_fail(t, 8631, NULL), "";
	switch (ref->kind) {
	case TR_NAME:
		sql = from_name(t, ref);
		break;
	case TR_VAR:
		sql = from_variable(t, ref);
		break;
	case TR_FUNCTION:
	case TR_CHANGES:
		sql = from_function(t, ref);
		break;
	case TR_DERIVED:
	case TR_VALUES: {
		/* a derived table does not see its neighbours */
		struct scope *save = t->scope, *outer = t->scope->outer;
		struct rel *rel;

		t->scope = t->scope->lateral ? t->scope : outer;
		rel = tr_query(t, ref->query);
		t->scope = save;
		if (!t->failed)
			sql = from_rel(t, ref, rel, true);
		break;
	}
	case TR_JOIN:
		sql = from_join(t, ref);
		break;
	}
	t->depth--;
	return sql;
}

static bool has_outer_right(const struct table_ref *ref)
{
	return ref->kind == TR_JOIN &&
	       (ref->join == JOIN_RIGHT || ref->join == JOIN_FULL ||
		has_outer_right(ref->left) || has_outer_right(ref->right));
}

const char *tr_from(struct tr *t, const struct table_ref *refs)
{
	const char *sql = NULL;
	const char *clause = t->scope->clause;

	t->scope->clause = "FROM";
	for (; refs && !t->failed; refs = refs->next) {
		const char *one = from_ref(t, refs);

		if (!sql)
			sql = one;
		else
			sql = tr_printf(t,
					has_outer_right(refs) ? "%s JOIN (%s)"
							      : "%s JOIN %s",
					sql, one);
	}
	t->scope->clause = clause;
	return sql ? sql : "";
}
