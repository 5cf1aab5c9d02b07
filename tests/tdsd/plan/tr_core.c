#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/apply.h"
#include "plan/translate.h"
#include "exec/tran.h"
#include "value/collation.h"
#include "value/decimal.h"
#include "value/utf.h"

void tr_init(struct tr *t, struct session *s, struct arena *pool,
	     struct plan_needs *needs, struct diag *d)
{
	memset(t, 0, sizeof(*t));
	t->s = s;
	t->frame = s->frame;
	t->pool = pool;
	t->needs = needs;
	t->d = d;
	t->max_recursion = 100;
	t->deterministic = true;
}

void plan_needs_release(struct plan_needs *n)
{
	int i;

	for (i = 0; i < n->table_count; i++)
		table_unref(n->tables[i]);
	free(n->tables);
	free(n->reads);
	free(n->params);
	for (i = 0; i < n->apply_count; i++)
		apply_free(n->applies[i]);
	free(n->applies);
	memset(n, 0, sizeof(*n));
}

struct ex tr_nothing(void)
{
	return tr_ex("NULL", type_null(), true);
}

static void failed(struct tr *t)
{
	t->failed = true;
	if (!t->d->line)
		t->d->line = t->line;
}

struct ex tr_fail(struct tr *t, int number, ...)
{
	const char *a, *b = NULL, *c = NULL, *e = NULL;
	va_list ap;

	if (t->failed)
		return tr_nothing();
	va_start(ap, number);
	a = va_arg(ap, const char *);
	if (a)
		b = va_arg(ap, const char *);
	if (b)
		c = va_arg(ap, const char *);
	if (c)
		e = va_arg(ap, const char *);
	va_end(ap);
	diag_set(t->d, number, a, b, c, e);
	failed(t);
	return tr_nothing();
}

struct ex tr_fail_text(struct tr *t, int number, int severity, const char *fmt,
		       ...)
{
	char text[1000];
	va_list ap;

	if (t->failed)
		return tr_nothing();
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	diag_free_text(t->d, number, severity, 1, "%s", text);
	failed(t);
	return tr_nothing();
}

const char *tr_printf(struct tr *t, const char *fmt, ...)
{
	va_list ap, again;
	char *text;
	int len;

	va_start(ap, fmt);
	va_copy(again, ap);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	text = pool_alloc(t->pool, (size_t)len + 1);
	vsnprintf(text, (size_t)len + 1, fmt, again);
	va_end(again);
	return text;
}

struct ex tr_ex(const char *sql, struct type type, bool nullable)
{
	struct ex e;

	memset(&e, 0, sizeof(e));
	e.sql = sql;
	e.type = type;
	e.nullable = nullable;
	if (type_is_text(type))
		e.label = COLL_DEFAULT;
	return e;
}

const char *tr_pack(struct tr *t, struct type type)
{
	return tr_printf(t, "%lld", (long long)type_pack(type));
}

/* A value as an SQLite literal. */
const char *tr_quote_val(struct tr *t, const struct val *v)
{
	static const char digit[] = "0123456789abcdef";
	char *out, *p;
	size_t i, quotes = 0;

	switch (v->cls) {
	case VAL_NULL:
		return "NULL";
	case VAL_INT:
		if (v->i == INT64_MIN)
			return "(-9223372036854775807-1)";
		return tr_printf(t, v->i < 0 ? "(%lld)" : "%lld",
				 (long long)v->i);
	case VAL_REAL: {
		char number[64];

		snprintf(number, sizeof(number), "%.17g", v->r);
		if (!strpbrk(number, ".en"))
			return tr_printf(t, "(%s.0)", number);
		return tr_printf(t, "(%s)", number);
	}
	case VAL_TEXT:
		if (memchr(v->p, 0, v->n))
			break;
		for (i = 0; i < v->n; i++)
			quotes += v->p[i] == '\'';
		p = out = pool_alloc(t->pool, v->n + quotes + 3);
		*p++ = '\'';
		for (i = 0; i < v->n; i++) {
			if (v->p[i] == '\'')
				*p++ = '\'';
			*p++ = v->p[i];
		}
		*p++ = '\'';
		return out;
	default:
		break;
	}
	p = out = pool_alloc(t->pool, v->n * 2 + 24);
	if (v->cls == VAL_TEXT) {
		memcpy(p, "CAST(", 5);
		p += 5;
	}
	*p++ = 'x';
	*p++ = '\'';
	for (i = 0; i < v->n; i++) {
		*p++ = digit[v->p[i] >> 4 & 15];
		*p++ = digit[v->p[i] & 15];
	}
	*p++ = '\'';
	if (v->cls == VAL_TEXT)
		memcpy(p, " AS TEXT)", 9);
	return out;
}

struct ex tr_literal(struct tr *t, const struct val *v, struct type type)
{
	struct ex e = tr_ex(tr_quote_val(t, v), type, v->cls == VAL_NULL);

	e.literal = true;
	e.value = *v;
	if (v->cls == VAL_TEXT || v->cls == VAL_BLOB)
		e.value.p = pool_strndup(t->pool, v->p, v->n);
	return e;
}

const char *tr_param(struct tr *t, enum param_kind kind, int index,
		     struct type type)
{
	struct plan_needs *n = t->needs;
	int i;

	for (i = 0; i < n->param_count; i++)
		if (n->params[i].kind == kind && n->params[i].index == index)
			break;
	if (i == n->param_count) {
		MEM_GROW(n->params, n->param_count, n->param_room);
		n->params[n->param_count].kind = kind;
		n->params[n->param_count].index = index;
		n->params[n->param_count++].type = type;
	}
	return tr_printf(t, "?%d", i + 1);
}

const char *tr_alias(struct tr *t)
{
	return tr_printf(t, "a%d", ++t->next_alias);
}

/* --- files and tables --- */

static int lock_for(const struct session *s, unsigned hints)
{
	if (hints & (HINT_TABLOCKX | HINT_XLOCK | HINT_UPDLOCK))
		return s->trancount ? LOCK_X : -1;
	if (!s->trancount || (hints & HINT_NOLOCK))
		return -1;
	if (hints & (HINT_HOLDLOCK | HINT_REPEATABLE))
		return LOCK_S;
	if (s->set.isolation == ISO_REPEATABLE_READ ||
	    s->set.isolation == ISO_SERIALIZABLE)
		return LOCK_S;
	return -1;
}

void tr_use_home(struct tr *t, struct attached *home, unsigned hints)
{
	struct plan_needs *n = t->needs;
	struct plan_home *h = NULL;
	int i, lock = lock_for(t->s, hints);

	for (i = 0; i < n->home_count && !h; i++)
		if (n->homes[i].home == home)
			h = &n->homes[i];
	if (!h) {
		if (n->home_count >= (int)LENGTH_OF(n->homes)) {
			tr_fail_text(t, 8623, 16,
				     "too many databases in one statement");
			return;
		}
		h = &n->homes[n->home_count++];
		h->home = home;
		h->lock = -1;
		h->written = false;
		h->version = catalog_version(t->s, home, t->d);
		if (h->version < 0)
			failed(t);
		if (!t->failed && tran_check_snapshot(t->s, home, t->d) < 0)
			failed(t);
	}
	if (lock > h->lock)
		h->lock = lock;
	if (!home->db)
		n->uses_temp = true;
}

/* Takes over the reference. */
void tr_use_table(struct tr *t, struct table *table)
{
	struct plan_needs *n = t->needs;

	MEM_GROW(n->tables, n->table_count, n->table_room);
	n->tables[n->table_count++] = table;
}

void tr_use_rows(struct tr *t, const struct table *table, unsigned hints)
{
	struct plan_needs *n = t->needs;

	if (!table->db || (hints & (HINT_NOLOCK | HINT_READPAST)))
		return;
	MEM_GROW(n->reads, n->read_count, n->read_room);
	n->reads[n->read_count].home = table->home;
	n->reads[n->read_count++].object_id = table->id;
}

/* --- conversion --- */

static bool decimal_is_small(struct type t)
{
	return t.prec <= 18;
}

bool type_same_storage(struct type from, struct type to)
{
	if (type_is_integer(from) && type_is_integer(to))
		return from.kind <= to.kind && to.kind != TY_BIT
			       ? true
			       : from.kind == to.kind;
	if (type_is_decimal(from) && type_is_decimal(to))
		return from.scale == to.scale && to.prec >= from.prec &&
		       decimal_is_small(from) == decimal_is_small(to);
	if (type_is_money(from) && type_is_money(to))
		return from.kind <= to.kind;
	if (type_is_float(from) && type_is_float(to))
		return from.kind <= to.kind;
	if ((from.kind == TY_XML) != (to.kind == TY_XML))
		return false;
	if (type_is_text(from) && type_is_text(to)) {
		if (to.kind == TY_CHAR || to.kind == TY_NCHAR)
			return from.kind == to.kind && from.len == to.len &&
			       from.coll == to.coll;
		if (type_chars(to) < type_chars(from))
			return false;
		if (type_is_unicode(to))
			return true;
		return !type_is_unicode(from) &&
		       collation_get(from.coll)->page ==
			       collation_get(to.coll)->page;
	}
	if (type_is_binary(from) && type_is_binary(to)) {
		if (to.kind == TY_BINARY || to.kind == TY_ROWVERSION)
			return type_chars(from) == type_chars(to) &&
			       (from.kind == TY_BINARY ||
				from.kind == TY_ROWVERSION);
		return type_chars(to) >= type_chars(from);
	}
	if (from.kind != to.kind)
		return false;
	if (from.kind == TY_TIME || from.kind == TY_DATETIME2 ||
	    from.kind == TY_DATETIMEOFFSET)
		return to.scale >= from.scale;
	return true;
}

static bool fold(struct tr *t, struct ex *a, struct type to)
{
	struct convert c = session_convert(t->s);
	struct diag d;
	struct val out;
	enum coll_label label = a->label;

	if (convert_value(&c, &a->value, a->type, to, &out, &d) < 0)
		return false;
	*a = tr_literal(t, &out, to);
	a->label = label;
	return true;
}

struct ex tr_convert(struct tr *t, struct ex a, struct type to)
{
	struct ex e;

	to.null = false;
	if (a.type.null) {
		e = tr_ex("NULL", to, true);
		e.literal = true;
		return e;
	}
	if (type_same_storage(a.type, to)) {
		a.type = to;
		return a;
	}
	if (a.literal && a.value.cls != VAL_NULL && fold(t, &a, to))
		return a;
	e = tr_ex(tr_printf(t, "cv(%s,%s,%s,-1)", a.sql, tr_pack(t, a.type),
			    tr_pack(t, to)),
		  to, true);
	e.nullable = a.nullable;
	e.label = type_is_text(to) ? a.label : COLL_NONE;
	if (type_is_text(to) && e.label == COLL_NONE)
		e.label = COLL_DEFAULT;
	e.name = a.name;
	return e;
}

struct ex tr_implicit(struct tr *t, struct ex a, struct type to)
{
	switch (convert_rule(a.type, to)) {
	case CONVERT_NEVER:
		return tr_fail(t, 206, type_name(a.type), type_name(to), NULL);
	case CONVERT_EXPLICIT:
		return tr_fail(t, 257, type_name(a.type), type_name(to), NULL);
	default:
		return tr_convert(t, a, to);
	}
}

struct ex tr_cast(struct tr *t, struct ex a, struct type to, const char *style,
		  bool try_)
{
	struct ex e;

	to.null = false;
	if (a.type.null)
		return tr_convert(t, a, to);
	if (convert_rule(a.type, to) == CONVERT_NEVER)
		return tr_fail(t, 529, type_name(a.type), type_name(to), NULL);
	if (type_same_storage(a.type, to) &&
	    !(type_is_text(a.type) && !type_is_text(to))) {
		enum coll_label label = a.label;

		e = tr_ex(a.sql, to, true);
		e.literal = a.literal;
		e.value = a.value;
		e.label = label;
		return e;
	}
	if (!style && a.literal && a.value.cls != VAL_NULL && fold(t, &a, to)) {
		a.nullable = true;
		a.label = type_is_text(to) ? COLL_DEFAULT : COLL_NONE;
		return a;
	}
	e = tr_ex(tr_printf(t, "%s(%s,%s,%s,%s)", try_ ? "tcv" : "cv", a.sql,
			    tr_pack(t, a.type), tr_pack(t, to),
			    style ? style : "-1"),
		  to, true);
	if (type_is_text(to))
		e.label = a.label == COLL_NONE ? COLL_DEFAULT : a.label;
	if (style || a.label == COLL_NONE)
		t->deterministic =
			t->deterministic && !(type_is_temporal(to) &&
					      type_is_text(a.type) && !style);
	return e;
}

const char *tr_collated(struct tr *t, struct ex a)
{
	if (!type_is_text(a.type))
		return a.sql;
	return tr_printf(t, "%s COLLATE \"%s\"", a.sql,
			 collation_get(a.type.coll)->name);
}

int tr_collation(struct tr *t, struct ex a, struct ex b, const char *what,
		 enum coll_label *label)
{
	enum coll_label la = type_is_text(a.type) ? a.label : COLL_NONE;
	enum coll_label lb = type_is_text(b.type) ? b.label : COLL_NONE;

	*label = la > lb ? la : lb;
	if (la > lb || !type_is_text(b.type))
		return a.type.coll;
	if (lb > la)
		return b.type.coll;
	if (a.type.coll == b.type.coll || la <= COLL_DEFAULT)
		return a.type.coll;
	tr_fail(t, 468, collation_get(a.type.coll)->name,
		collation_get(b.type.coll)->name, what, NULL);
	return a.type.coll;
}

/* --- comparison --- */

static bool comparable(struct tr *t, struct ex a, const char *what,
		       struct ex other)
{
	if ((a.type.kind == TY_TEXT || a.type.kind == TY_NTEXT ||
	     a.type.kind == TY_IMAGE || a.type.kind == TY_XML) &&
	    !a.type.null) {
		if (a.type.kind == TY_XML)
			tr_fail(t, 305, NULL);
		else
			tr_fail(t, 402, type_name(a.type),
				type_name(other.type), what, NULL);
		return false;
	}
	return true;
}

/* Bring both sides to forms that SQLite compares as the server does. */
static void unify(struct tr *t, struct ex *a, struct ex *b, const char *what)
{
	struct type common;

	if (a->type.null || b->type.null) {
		if (a->type.null && !b->type.null)
			*a = tr_convert(t, *a, b->type);
		else if (b->type.null)
			*b = tr_convert(t, *b, a->type);
		return;
	}
	if (!comparable(t, *a, what, *b) || !comparable(t, *b, what, *a))
		return;
	if (type_is_text(a->type) && type_is_text(b->type))
		return;
	if (type_is_binary(a->type) && type_is_binary(b->type))
		return;
	if ((type_is_integer(a->type) || type_is_float(a->type)) &&
	    (type_is_integer(b->type) || type_is_float(b->type)))
		return;
	common = type_common(a->type, b->type);
	if (type_is_decimal(a->type) && type_is_decimal(b->type) &&
	    a->type.scale == b->type.scale &&
	    decimal_is_small(a->type) == decimal_is_small(b->type))
		return;
	if (a->type.kind == b->type.kind && !type_is_decimal(a->type))
		return;
	*a = tr_implicit(t, *a, common);
	*b = tr_implicit(t, *b, common);
}

const char *tr_compare(struct tr *t, int op, struct ex a, struct ex b,
		       const char *what)
{
	static const char *const ops[] = {"=", "<>", "<", "<=", ">", ">="};
	static const char *const names[] = {
		"equal to",	"not equal to",
		"less than",	"less than or equal to",
		"greater than", "greater than or equal to"};
	enum coll_label label;

	if (!what)
		what = names[op];
	unify(t, &a, &b, what);
	if (t->failed)
		return "NULL";
	if (a.type.kind == TY_VARIANT)
		return tr_printf(t, "(variant_compare(%s,%s) %s 0)", a.sql,
				 b.sql, ops[op]);
	if (type_is_text(a.type) && type_is_text(b.type)) {
		a.type.coll = (uint16_t)tr_collation(t, a, b, what, &label);
		return tr_printf(t, "(%s %s %s)", tr_collated(t, a), ops[op],
				 b.sql);
	}
	/* the moment counts, its offset does not */
	if (a.type.kind == TY_DATETIMEOFFSET &&
	    b.type.kind == TY_DATETIMEOFFSET)
		return tr_printf(t, "(substr(%s,1,8) %s substr(%s,1,8))", a.sql,
				 ops[op], b.sql);
	return tr_printf(t, "(%s %s %s)", a.sql, ops[op], b.sql);
}

int tr_type(struct tr *t, const struct type_ref *ref, struct type *out)
{
	if (t->failed)
		return -1;
	if (catalog_type(t->s, ref, 0, "type", out, NULL, t->d) < 0) {
		failed(t);
		*out = type_of(TY_INT);
		return -1;
	}
	return 0;
}

/* --- sources --- */

void tr_add_source(struct tr *t, struct source *src)
{
	if (!t->scope->last)
		t->scope->last = &t->scope->first;
	*t->scope->last = src;
	t->scope->last = &src->next;
}

void tr_push_scope(struct tr *t, struct scope *scope)
{
	memset(scope, 0, sizeof(*scope));
	scope->outer = t->scope;
	scope->clause = "select list";
	t->scope = scope;
}

void tr_pop_scope(struct tr *t)
{
	t->scope = t->scope->outer;
}
