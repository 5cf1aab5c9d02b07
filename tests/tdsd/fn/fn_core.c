/* What every statement may need: conversion, variables, errors. */
#include "fn/fn.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "exec/frame.h"
#include "exec/global.h"
#include "plan/apply.h"
#include "store/functions.h"
#include "value/collation.h"
#include "value/convert.h"

struct val fn_val(sqlite3_value *v)
{
	size_t n;
	const char *p;

	switch (sqlite3_value_type(v)) {
	case SQLITE_INTEGER:
		return val_int(sqlite3_value_int64(v));
	case SQLITE_FLOAT:
		return val_real(sqlite3_value_double(v));
	case SQLITE_TEXT:
		p = (const char *)sqlite3_value_text(v);
		n = (size_t)sqlite3_value_bytes(v);
		return val_text(p ? p : "", n);
	case SQLITE_BLOB:
		p = sqlite3_value_blob(v);
		n = (size_t)sqlite3_value_bytes(v);
		return val_blob(p ? p : "", n);
	default:
		return val_null();
	}
}

void fn_result(sqlite3_context *ctx, const struct val *v)
{
	switch (v->cls) {
	case VAL_NULL:
		sqlite3_result_null(ctx);
		break;
	case VAL_INT:
		sqlite3_result_int64(ctx, v->i);
		break;
	case VAL_REAL:
		sqlite3_result_double(ctx, v->r);
		break;
	case VAL_TEXT:
		sqlite3_result_text64(ctx, v->p, v->n, SQLITE_TRANSIENT,
				      SQLITE_UTF8);
		break;
	case VAL_BLOB:
		sqlite3_result_blob64(ctx, v->p, v->n, SQLITE_TRANSIENT);
		break;
	}
}

void fn_fail(sqlite3_context *ctx, const struct diag *d)
{
	struct session *s = fn_session(ctx);

	if (!s->set.ansi_warnings && !s->set.arithabort &&
	    (d->number == 8134 || d->number == 8115 || d->number == 220 ||
	     d->number == 232)) {
		sqlite3_result_null(ctx);
		return;
	}
	if (!s->fn_set) {
		s->fn = *d;
		s->fn_set = true;
	}
	sqlite3_result_error(ctx, "tdsd", 4);
}

void fn_fail_number(sqlite3_context *ctx, int number, ...)
{
	struct diag d;
	const char *a, *b = NULL, *c = NULL;
	va_list ap;

	va_start(ap, number);
	a = va_arg(ap, const char *);
	if (a)
		b = va_arg(ap, const char *);
	if (b)
		c = va_arg(ap, const char *);
	va_end(ap);
	diag_set(&d, number, a, b, c);
	fn_fail(ctx, &d);
}

bool fn_null(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	int i;

	for (i = 0; i < argc; i++)
		if (sqlite3_value_type(argv[i]) == SQLITE_NULL) {
			sqlite3_result_null(ctx);
			return true;
		}
	return false;
}

const char *fn_text(sqlite3_value *v, size_t *len)
{
	const char *p = (const char *)sqlite3_value_text(v);

	*len = (size_t)sqlite3_value_bytes(v);
	return p ? p : "";
}

void fn_result_text(sqlite3_context *ctx, const char *s, size_t n)
{
	sqlite3_result_text64(ctx, s, n, SQLITE_TRANSIENT, SQLITE_UTF8);
}

void fn_result_buf(sqlite3_context *ctx, struct strbuf *sb)
{
	if (sb->failed)
		sqlite3_result_error_toobig(ctx);
	else
		fn_result_text(ctx, sb->data, sb->len);
	strbuf_release(sb);
}

void fn_register(struct session *s, const struct fn_def *defs, int count)
{
	int i;

	for (i = 0; i < count; i++)
		sqlite3_create_function_v2(s->sql, defs[i].name, defs[i].args,
					   SQLITE_UTF8 | defs[i].flags, s,
					   defs[i].call, NULL, NULL, NULL);
}

/* cv(value, from, to, style) */
static void convert_call(sqlite3_context *ctx, sqlite3_value **argv, bool try_)
{
	struct session *s = fn_session(ctx);
	struct type from = type_unpack(sqlite3_value_int64(argv[1]));
	struct type to = type_unpack(sqlite3_value_int64(argv[2]));
	struct convert c = session_convert(s);
	struct val in = fn_val(argv[0]), out;
	struct diag d;

	if (sqlite3_value_type(argv[3]) != SQLITE_NULL)
		c.style = sqlite3_value_int(argv[3]);
	if (convert_value(&c, &in, from, to, &out, &d) == 0)
		fn_result(ctx, &out);
	else if (try_)
		sqlite3_result_null(ctx);
	else
		fn_fail(ctx, &d);
	if (s->fn_mem.size > 1 << 20)
		strbuf_release(&s->fn_mem);
}

static void fn_cv(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	(void)argc;
	convert_call(ctx, argv, false);
}

static void fn_tcv(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	(void)argc;
	convert_call(ctx, argv, true);
}

/* cat2(a, b, type): text after text, cut at what the type holds. */
static void fn_cat2(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	struct type t = type_unpack(sqlite3_value_int64(argv[2]));
	struct convert c = session_convert(s);
	struct val a, b, out, both;
	struct strbuf sb;
	struct diag d;

	(void)argc;
	if (fn_null(ctx, 2, argv)) {
		if (!s->set.concat_null && type_is_text(t))
			sqlite3_result_value(ctx, sqlite3_value_type(argv[0]) ==
								  SQLITE_NULL
							  ? argv[1]
							  : argv[0]);
		return;
	}
	a = fn_val(argv[0]);
	b = fn_val(argv[1]);
	strbuf_init_max(&sb, (size_t)1 << 30);
	strbuf_add(&sb, a.p, a.n);
	/* two halves of a surrogate pair become one character */
	if (a.n >= 3 && b.n >= 3 && (unsigned char)a.p[a.n - 3] == 0xED &&
	    (unsigned char)a.p[a.n - 2] >= 0xA0 &&
	    (unsigned char)a.p[a.n - 2] < 0xB0 &&
	    (unsigned char)b.p[0] == 0xED && (unsigned char)b.p[1] >= 0xB0 &&
	    a.cls == VAL_TEXT) {
		uint32_t high = (uint32_t)(a.p[a.n - 2] & 0x0F) << 6 |
				(uint32_t)(a.p[a.n - 1] & 0x3F);
		uint32_t low = (uint32_t)(b.p[1] & 0x0F) << 6 |
			       (uint32_t)(b.p[2] & 0x3F);
		uint32_t cp = 0x10000 + (high << 10) + low;
		char pair[4] = {(char)(0xF0 | cp >> 18),
				(char)(0x80 | (cp >> 12 & 0x3F)),
				(char)(0x80 | (cp >> 6 & 0x3F)),
				(char)(0x80 | (cp & 0x3F))};

		sb.len -= 3;
		strbuf_add(&sb, pair, 4);
		b.p += 3;
		b.n -= 3;
	}
	strbuf_add(&sb, b.p, b.n);
	if (sb.failed) {
		sqlite3_result_error_toobig(ctx);
	} else if (!type_is_text(t)) {
		size_t max = t.len == TYPE_MAX ? sb.len : (size_t)t.len;

		sqlite3_result_blob64(ctx, sb.data, sb.len < max ? sb.len : max,
				      SQLITE_TRANSIENT);
	} else {
		both = val_text(sb.data, sb.len);
		strbuf_reset(&s->fn_mem);
		if (t.kind == TY_CHAR)
			t.kind = TY_VARCHAR;
		if (t.kind == TY_NCHAR)
			t.kind = TY_NVARCHAR;
		if (convert_fit_text(&c, both.p, both.n, t, &out, &d) < 0)
			fn_fail(ctx, &d);
		else
			fn_result(ctx, &out);
	}
	strbuf_release(&sb);
}

/* getvar(slot): the value a variable has right now. */
static void fn_getvar(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	int slot = sqlite3_value_int(argv[0]);

	(void)argc;
	if (s->frame && slot >= 0 && slot < s->frame->var_count)
		fn_result(ctx, &s->frame->vars[slot].cell.v);
}

/* gv(name): @@ROWCOUNT and the like. */
static void fn_gv(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct val v = global_value(fn_session(ctx),
				    (const char *)sqlite3_value_text(argv[0]));

	(void)argc;
	fn_result(ctx, &v);
}

/* topn(n): the row count of TOP and FETCH must be a number, not negative. */
static void fn_topn(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	(void)argc;
	if (sqlite3_value_type(argv[0]) == SQLITE_NULL ||
	    sqlite3_value_int64(argv[0]) < 0) {
		struct diag d;

		diag_free_text(&d, 1014, 15, 1,
			       "A TOP or FETCH clause contains an invalid "
			       "value.");
		fn_fail(ctx, &d);
		return;
	}
	sqlite3_result_value(ctx, argv[0]);
}

/* rec_level(level, max): stop a recursion that never ends. */
static void fn_rec_level(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	int level = sqlite3_value_int(argv[0]);
	int max = sqlite3_value_int(argv[1]);
	struct diag d;

	(void)argc;
	if (max >= 0 && level > max) {
		diag_set(&d, 530, max);
		fn_fail(ctx, &d);
		return;
	}
	sqlite3_result_int(ctx, level);
}

/* update_(column id): was the column in the SET list? In triggers. */
static void fn_update(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	int id = sqlite3_value_int(argv[0]) - 1;
	const unsigned char *mask = s->frame ? s->frame->columns_updated : NULL;

	(void)argc;
	sqlite3_result_int(ctx, !mask || mask[id / 8] >> (id % 8) & 1);
}

static void fn_variant_pack(sqlite3_context *ctx, int argc,
			    sqlite3_value **argv)
{
	struct val in = fn_val(argv[0]), out;
	struct strbuf sb;

	(void)argc;
	if (in.cls == VAL_NULL)
		return;
	strbuf_init(&sb);
	variant_pack(&in, type_unpack(sqlite3_value_int64(argv[1])), &sb, &out);
	fn_result(ctx, &out);
	strbuf_release(&sb);
}

/* Both are brought to the type that wins; families differ in order only. */
static void fn_variant_compare(sqlite3_context *ctx, int argc,
			       sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	struct val a = fn_val(argv[0]), b = fn_val(argv[1]), x, y;
	struct type ta, tb, common;
	struct strbuf mem;
	struct convert c = session_convert(s);
	struct diag d;
	int cmp = 0;

	(void)argc;
	if (!variant_unpack(&a, &ta, &x) || !variant_unpack(&b, &tb, &y))
		return;
	common = type_common(ta, tb);
	strbuf_init(&mem);
	c.mem = &mem;
	if (convert_value(&c, &x, ta, common, &a, &d) < 0 ||
	    convert_value(&(struct convert){.style = -1, .mem = &s->fn_mem}, &y,
			  tb, common, &b, &d) < 0)
		cmp = ta.kind < tb.kind ? -1 : 1;
	else if (a.cls == VAL_INT)
		cmp = a.i < b.i ? -1 : a.i > b.i;
	else if (a.cls == VAL_REAL)
		cmp = a.r < b.r ? -1 : a.r > b.r;
	else if (a.cls == VAL_TEXT)
		cmp = collation_compare(collation_get(common.coll), a.p, a.n,
					b.p, b.n);
	else {
		size_t n = a.n < b.n ? a.n : b.n;

		cmp = memcmp(a.p, b.p, n);
		if (!cmp)
			cmp = a.n < b.n ? -1 : a.n > b.n;
	}
	strbuf_release(&mem);
	sqlite3_result_int(ctx, cmp);
}

static const struct fn_def defs[] = {
	{"cv", 4, FN_PURE, fn_cv},
	{"tcv", 4, FN_PURE, fn_tcv},
	{"cat2", 3, FN_PURE, fn_cat2},
	{"getvar", 1, 0, fn_getvar},
	{"gv", 1, 0, fn_gv},
	{"topn", 1, FN_PURE, fn_topn},
	{"rec_level", 2, 0, fn_rec_level},
	{"update_", 1, 0, fn_update},
	{"variant_pack", 2, FN_PURE, fn_variant_pack},
	{"variant_compare", 2, FN_PURE, fn_variant_compare},
};

void fn_register_core(struct session *s)
{
	fn_register(s, defs, (int)LENGTH_OF(defs));
}

/* --- collations --- */

static int compare(void *arg, int alen, const void *a, int blen, const void *b)
{
	return collation_compare(arg, a, (size_t)alen, b, (size_t)blen);
}

void functions_register_collation(sqlite3 *sql, const char *name, int number)
{
	union {
		const struct collation *in;
		void *out;
	} arg = {.in = collation_get(number)};

	sqlite3_create_collation_v2(sql, name, SQLITE_UTF8, arg.out, compare,
				    NULL);
}

static void collation_needed(void *arg, sqlite3 *sql, int encoding,
			     const char *name)
{
	int number = collation_find(name);

	(void)arg;
	(void)encoding;
	if (number)
		functions_register_collation(sql, name, number);
}

void functions_register(struct session *s)
{
	functions_register_collation(s->sql, "cat", COLLATION_DEFAULT);
	sqlite3_collation_needed(s->sql, NULL, collation_needed);
	fn_register_core(s);
	fn_register_number(s);
	fn_register_text(s);
	fn_register_hash(s);
	fn_register_date(s);
	fn_register_meta(s);
	fn_register_aggregates(s);
	fn_register_rows(s);
	fn_register_misc(s);
	fn_register_cdc(s);
	apply_register(s);
}
