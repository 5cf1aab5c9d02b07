/* VALUES, and UNION, EXCEPT and INTERSECT. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "plan/query.h"
#include "sql/lex.h"

#define COMPOUND_MAX 400

/* --- VALUES --- */

struct rel *tr_values(struct tr *t, const struct query *q)
{
	struct rel *rel = pool_alloc(t->pool, sizeof(*rel));
	const struct row_list *row;
	const struct expr *e;
	struct strbuf sb;
	struct ex *cells;
	int rows = 0, r = 0, i;
	bool many;

	for (row = q->rows; row; row = row->next)
		rows++;
	rel->count = q->rows->count;
	rel->columns = pool_alloc(t->pool, (size_t)(rel->count + 1) *
						   sizeof(*rel->columns));
	cells = pool_alloc(t->pool,
			   (size_t)rows * (size_t)rel->count * sizeof(*cells));
	for (i = 0; i < rel->count; i++) {
		rel->columns[i].name = "";
		rel->columns[i].type = type_null();
		rel->columns[i].computed = true;
	}
	for (row = q->rows; row && !t->failed; row = row->next, r++) {
		t->line = row->line;
		if (row->count != rel->count) {
			tr_fail_text(t, 10709, 16,
				     "The number of columns for each row in a "
				     "table value constructor must be the "
				     "same.");
			break;
		}
		for (e = row->values, i = 0; e; e = e->next, i++) {
			struct out_column *o = &rel->columns[i];
			struct ex *x = &cells[r * rel->count + i];

			*x = tr_expr(t, e);
			o->type = type_common(o->type, x->type);
			o->nullable |= x->nullable;
		}
	}
	strbuf_init_max(&sb, (size_t)512 << 20);
	/* SQLite's limit of terms in a compound does not count for VALUES */
	many = rows > COMPOUND_MAX;
	for (i = 0; i < rel->count && many; i++)
		strbuf_addf(&sb, "%s column%d AS x%d", i ? "," : "SELECT",
			    i + 1, i + 1);
	if (many)
		strbuf_addstr(&sb, " FROM (VALUES");
	for (r = 0; r < rows && !t->failed; r++) {
		if (many)
			strbuf_addstr(&sb, r ? "),(" : "(");
		else
			strbuf_addstr(&sb,
				      r ? " UNION ALL SELECT " : "SELECT ");
		for (i = 0; i < rel->count; i++) {
			struct ex x = tr_implicit(t, cells[r * rel->count + i],
						  rel->columns[i].type);

			strbuf_addf(&sb, "%s%s", i ? "," : "", x.sql);
			if (!many)
				strbuf_addf(&sb, " AS x%d", i + 1);
		}
	}
	if (many)
		strbuf_addstr(&sb, "))");
	for (i = 0; i < rel->count; i++)
		rel->columns[i].type.null = false;
	rel->sql = pool_strndup(t->pool, sb.data, sb.len);
	strbuf_release(&sb);
	return rel;
}

/* --- set operations --- */

static bool is_simple_side(const struct rel *r, const struct query *q)
{
	return q->kind == Q_SELECT && r->simple;
}

/* One side with its columns brought to the common types. */
static const char *side_sql(struct tr *t, const struct rel *r,
			    const struct query *q, const struct rel *result,
			    bool distinct)
{
	struct strbuf sb;
	const char *text;
	bool same = is_simple_side(r, q) && !distinct;
	int i;

	for (i = 0; i < r->count; i++)
		if (!type_same_storage(r->columns[i].type,
				       result->columns[i].type) ||
		    r->columns[i].type.null)
			same = false;
	if (same)
		return r->sql;
	strbuf_init_max(&sb, (size_t)512 << 20);
	strbuf_addstr(&sb, "SELECT ");
	for (i = 0; i < r->count; i++) {
		struct ex x = tr_ex(tr_printf(t, "x%d", i + 1),
				    r->columns[i].type, true);

		x = tr_implicit(t, x, result->columns[i].type);
		strbuf_addf(&sb, "%s%s AS x%d", i ? "," : "",
			    distinct ? tr_collated(t, x) : x.sql, i + 1);
	}
	strbuf_addf(&sb, " FROM (%s)", r->sql);
	text = pool_strndup(t->pool, sb.data, sb.len);
	strbuf_release(&sb);
	return text;
}

static void set_columns(struct tr *t, const struct query *q, struct rel *out,
			const struct rel *l, const struct rel *r)
{
	static const char *const names[] = {[Q_UNION] = "UNION",
					    [Q_UNION_ALL] = "UNION ALL",
					    [Q_EXCEPT] = "EXCEPT",
					    [Q_INTERSECT] = "INTERSECT"};
	int i;

	out->count = l->count;
	out->columns = pool_alloc(t->pool, (size_t)(l->count + 1) *
						   sizeof(*out->columns));
	for (i = 0; i < l->count; i++) {
		struct out_column *o = &out->columns[i];
		const struct out_column *a = &l->columns[i];
		const struct out_column *b = &r->columns[i];

		o->name = a->name;
		o->type = type_common(a->type, b->type);
		o->nullable =
			a->nullable || (b->nullable && q->kind != Q_EXCEPT);
		o->computed = true;
		if (!a->type.null && !b->type.null &&
		    (convert_rule(a->type, o->type) != CONVERT_IMPLICIT ||
		     convert_rule(b->type, o->type) != CONVERT_IMPLICIT))
			tr_fail(t, 206, type_name(b->type), type_name(a->type),
				NULL);
		if (q->kind != Q_UNION_ALL && type_is_lob(o->type) &&
		    o->type.len != TYPE_MAX)
			tr_fail_text(t, 5335, 16,
				     "The data type %s cannot be used as an "
				     "operand to the %s operator because it is"
				     " not comparable.",
				     type_name(o->type), names[q->kind]);
	}
}

static void set_order(struct tr *t, const struct query *q, struct rel *rel,
		      struct strbuf *sb)
{
	const struct order_item *o;
	bool first = true;
	int i;

	for (o = q->order; o && !t->failed; o = o->next) {
		const struct expr *e =
			o->expr->kind == EX_PLUS ? o->expr->a : o->expr;
		const char *name = e->kind == EX_COLUMN
					   ? e->name.part[e->name.count - 1]
					   : NULL;
		struct ex x;

		i = -1;
		if (e->kind == EX_LITERAL && e->op == T_INT)
			i = atoi(e->text) - 1;
		else if (name)
			for (i = rel->count - 1; i >= 0; i--)
				if (!strcasecmp(rel->columns[i].name, name))
					break;
		if (i < 0 || i >= rel->count) {
			if (name)
				tr_fail(t, 207, name, NULL);
			else
				tr_fail(t, 104, NULL);
			return;
		}
		x = tr_ex(tr_printf(t, "%d", i + 1), rel->columns[i].type,
			  true);
		strbuf_addf(sb, "%s%s%s", first ? " ORDER BY " : ",",
			    tr_collated(t, x), o->desc ? " DESC" : "");
		first = false;
	}
}

struct rel *tr_set_query(struct tr *t, const struct query *q, bool top_level)
{
	static const char *const words[] = {[Q_UNION] = "UNION",
					    [Q_UNION_ALL] = "UNION ALL",
					    [Q_EXCEPT] = "EXCEPT",
					    [Q_INTERSECT] = "INTERSECT"};
	struct rel *out = pool_alloc(t->pool, sizeof(*out)), *l, *r;
	struct with_clause with;
	struct strbuf sb;
	bool distinct = q->kind != Q_UNION_ALL, rowids = t->want_rowids;
	const char *left, *right;

	strbuf_init_max(&sb, (size_t)512 << 20);
	t->want_rowids = false;
	tr_begin_with(t, &with, q->ctes);
	l = tr_query(t, q->left);
	r = tr_query(t, q->right);
	if (!t->failed && l->count != r->count)
		tr_fail(t, 205, NULL);
	if (q->order && !top_level && !q->offset)
		tr_fail(t, 1033, NULL);
	if (!t->failed) {
		set_columns(t, q, out, l, r);
		left = side_sql(t, l, q->left, out, distinct);
		right = side_sql(t, r, q->right, out, distinct);
		if (q->left->kind != Q_SELECT && left == l->sql)
			left = tr_printf(t, "SELECT * FROM (%s)", left);
		strbuf_addf(&sb, "%s %s %s", left, words[q->kind], right);
		set_order(t, q, out, &sb);
		strbuf_addstr(&sb, tr_limit(t, q));
	}
	t->want_rowids = rowids;
	tr_end_with(t, &with, &sb);
	out->sql = pool_strndup(t->pool, sb.data, sb.len);
	strbuf_release(&sb);
	return out;
}
