/*
 * Text functions. Positions count UTF-16 units as the server does; bytes when
 * the value is binary.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fn/fn.h"
#include "fn/like.h"
#include "value/codepage.h"
#include "value/collation.h"
#include "value/utf.h"

/* Text or bytes with positions. */
struct piece {
	const char *p;
	size_t n;
	bool bytes;
};

static struct piece piece_of(sqlite3_value *v)
{
	struct piece x = {.bytes = sqlite3_value_type(v) == SQLITE_BLOB};

	if (x.bytes) {
		x.p = sqlite3_value_blob(v);
		x.n = (size_t)sqlite3_value_bytes(v);
		if (!x.p)
			x.p = "";
	} else {
		x.p = fn_text(v, &x.n);
	}
	return x;
}

static size_t offset_of(const struct piece *x, int64_t units)
{
	if (units <= 0)
		return 0;
	if (x->bytes || (uint64_t)units >= x->n * 2)
		return (uint64_t)units < x->n ? (size_t)units : x->n;
	return utf_offset(x->p, x->n, (size_t)units);
}

static int64_t units_of(const struct piece *x, size_t bytes)
{
	return (int64_t)(x->bytes ? bytes : utf_units(x->p, bytes));
}

static void give(sqlite3_context *ctx, const struct piece *x, size_t from,
		 size_t to)
{
	if (to < from)
		to = from;
	if (x->bytes)
		sqlite3_result_blob64(ctx, x->p + from, to - from,
				      SQLITE_TRANSIENT);
	else
		fn_result_text(ctx, x->p + from, to - from);
}

static const struct collation *coll_of(sqlite3_value *packed)
{
	return collation_get(type_unpack(sqlite3_value_int64(packed)).coll);
}

static void fn_len(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct piece x;

	(void)argc;
	if (fn_null(ctx, 1, argv))
		return;
	x = piece_of(argv[0]);
	while (!x.bytes && x.n && x.p[x.n - 1] == ' ')
		x.n--;
	if (sqlite3_value_int(argv[1]) && !x.bytes)
		sqlite3_result_int64(ctx, (int64_t)utf_points(x.p, x.n));
	else
		sqlite3_result_int64(ctx, units_of(&x, x.n));
}

static void fn_datalength(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct type t = type_unpack(sqlite3_value_int64(argv[1]));
	struct val v = fn_val(argv[0]), inner;
	int64_t n;

	(void)argc;
	if (v.cls == VAL_NULL)
		return;
	if (t.kind == TY_VARIANT && variant_unpack(&v, &t, &inner))
		v = inner;
	if (v.cls == VAL_TEXT)
		n = type_is_unicode(t)
			    ? (int64_t)utf_units(v.p, v.n) * 2
			    : (int64_t)codepage_bytes(
				      collation_get(t.coll)->page, v.p, v.n);
	else if (type_is_binary(t))
		n = (int64_t)v.n;
	else if (type_is_decimal(t))
		n = t.prec <= 9 ? 5 : t.prec <= 19 ? 9 : t.prec <= 28 ? 13 : 17;
	else
		n = type_scaled((enum type_kind)t.kind, t.scale).len;
	sqlite3_result_int64(ctx, n);
}

static void fn_left(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct piece x;
	int64_t n;

	if (fn_null(ctx, argc, argv))
		return;
	x = piece_of(argv[0]);
	n = sqlite3_value_int64(argv[1]);
	if (n < 0) {
		fn_fail_number(ctx, 537, NULL);
		return;
	}
	give(ctx, &x, 0, offset_of(&x, n));
}

static void fn_right(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct piece x;
	int64_t n, all;

	if (fn_null(ctx, argc, argv))
		return;
	x = piece_of(argv[0]);
	n = sqlite3_value_int64(argv[1]);
	if (n < 0) {
		fn_fail_number(ctx, 536, "right", NULL);
		return;
	}
	all = units_of(&x, x.n);
	give(ctx, &x, n >= all ? 0 : offset_of(&x, all - n), x.n);
}

static void fn_substr(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct piece x;
	int64_t from, n;

	if (fn_null(ctx, argc, argv))
		return;
	x = piece_of(argv[0]);
	from = sqlite3_value_int64(argv[1]);
	n = sqlite3_value_int64(argv[2]);
	if (n < 0) {
		fn_fail_number(ctx, 537, NULL);
		return;
	}
	if (n > INT64_MAX / 4)
		n = INT64_MAX / 4;
	if (from < -(INT64_MAX / 4))
		from = -(INT64_MAX / 4);
	give(ctx, &x, offset_of(&x, from - 1), offset_of(&x, from - 1 + n));
}

/*
 * The place of `find` in `in` from byte `start`, and the length of what was
 * matched; -1 when it is not there.
 */
static int64_t search(const struct collation *c, const struct piece *in,
		      size_t start, const struct piece *find, size_t *matched)
{
	size_t i;

	for (i = start; i <= in->n;) {
		size_t a = i, b = 0;

		if (in->bytes || c->binary) {
			if (in->n - i >= find->n &&
			    !memcmp(in->p + i, find->p, find->n)) {
				*matched = find->n;
				return (int64_t)i;
			}
		} else {
			while (a < in->n && b < find->n) {
				uint32_t x = utf_next(in->p, in->n, &a);
				size_t save = b;

				if (!collation_same_char(
					    c, x,
					    utf_next(find->p, find->n, &b))) {
					b = save;
					break;
				}
			}
			if (b >= find->n) {
				*matched = a - i;
				return (int64_t)i;
			}
		}
		if (i >= in->n)
			break;
		if (in->bytes)
			i++;
		else
			utf_next(in->p, in->n, &i);
	}
	return -1;
}

static void fn_charindex(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct piece find, in;
	int64_t from, at;
	size_t matched;

	(void)argc;
	if (fn_null(ctx, 3, argv))
		return;
	find = piece_of(argv[0]);
	in = piece_of(argv[1]);
	from = sqlite3_value_int64(argv[2]);
	if (!find.n || from - 1 > units_of(&in, in.n)) {
		sqlite3_result_int(ctx, 0);
		return;
	}
	at = search(coll_of(argv[3]), &in, offset_of(&in, from - 1), &find,
		    &matched);
	sqlite3_result_int64(ctx, at < 0 ? 0 : units_of(&in, (size_t)at) + 1);
}

static void fn_patindex(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct piece p, s;

	(void)argc;
	if (fn_null(ctx, 2, argv))
		return;
	p = piece_of(argv[0]);
	s = piece_of(argv[1]);
	sqlite3_result_int64(ctx,
			     like_index(coll_of(argv[2]), p.p, p.n, s.p, s.n));
}

/* like_(text, pattern, escape, type, rtrim) */
static void fn_like(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct piece s, p;
	uint32_t escape = 0;

	(void)argc;
	if (fn_null(ctx, 2, argv))
		return;
	s = piece_of(argv[0]);
	p = piece_of(argv[1]);
	if (sqlite3_value_type(argv[2]) != SQLITE_NULL) {
		struct piece e = piece_of(argv[2]);
		size_t pos = 0;

		if (e.n)
			escape = utf_next(e.p, e.n, &pos);
		if (!e.n || pos < e.n) {
			fn_fail_number(ctx, 506, "", "LIKE", NULL);
			return;
		}
	}
	sqlite3_result_int(ctx, like_match(coll_of(argv[3]), s.p, s.n, p.p, p.n,
					   escape, sqlite3_value_int(argv[4])));
}

static void fn_replace(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	const struct collation *c;
	struct piece s, find, with;
	struct strbuf sb;
	size_t at = 0, matched;

	(void)argc;
	if (fn_null(ctx, 3, argv))
		return;
	s = piece_of(argv[0]);
	find = piece_of(argv[1]);
	with = piece_of(argv[2]);
	c = coll_of(argv[3]);
	if (!find.n) {
		sqlite3_result_value(ctx, argv[0]);
		return;
	}
	strbuf_init_max(&sb, (size_t)1 << 30);
	for (;;) {
		int64_t hit = search(c, &s, at, &find, &matched);

		if (hit < 0)
			break;
		strbuf_add(&sb, s.p + at, (size_t)hit - at);
		strbuf_add(&sb, with.p, with.n);
		at = (size_t)hit + matched;
	}
	strbuf_add(&sb, s.p + at, s.n - at);
	if (s.bytes) {
		sqlite3_result_blob64(ctx, sb.data, sb.len, SQLITE_TRANSIENT);
		strbuf_release(&sb);
	} else {
		fn_result_buf(ctx, &sb);
	}
}

static void fn_stuff(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct piece s, with;
	int64_t from, n;
	struct strbuf sb;
	size_t a, b;

	(void)argc;
	if (fn_null(ctx, 3, argv))
		return;
	s = piece_of(argv[0]);
	with = piece_of(argv[3]);
	from = sqlite3_value_int64(argv[1]);
	n = sqlite3_value_int64(argv[2]);
	if (from < 1 || n < 0 || from > units_of(&s, s.n))
		return;
	a = offset_of(&s, from - 1);
	b = offset_of(&s, from - 1 + n);
	strbuf_init_max(&sb, (size_t)1 << 30);
	strbuf_add(&sb, s.p, a);
	if (sqlite3_value_type(argv[3]) != SQLITE_NULL)
		strbuf_add(&sb, with.p, with.n);
	strbuf_add(&sb, s.p + b, s.n - b);
	fn_result_buf(ctx, &sb);
}

/* replicate_(text, n, limit in characters, -1: none) */
static void fn_replicate(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct piece s;
	int64_t n, limit, units, i;
	struct strbuf sb;

	(void)argc;
	if (fn_null(ctx, 2, argv))
		return;
	s = piece_of(argv[0]);
	n = sqlite3_value_int64(argv[1]);
	limit = sqlite3_value_int64(argv[2]);
	if (n < 0)
		return;
	units = units_of(&s, s.n);
	if (limit >= 0 && units && n > limit / units)
		n = limit / units;
	strbuf_init_max(&sb, (size_t)1 << 30);
	for (i = 0; i < n && s.n && !sb.failed; i++)
		strbuf_add(&sb, s.p, s.n);
	if (s.bytes) {
		sqlite3_result_blob64(ctx, sb.data, sb.len, SQLITE_TRANSIENT);
		strbuf_release(&sb);
	} else {
		fn_result_buf(ctx, &sb);
	}
}

static void fn_concat(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct strbuf sb;
	int i;

	strbuf_init_max(&sb, (size_t)1 << 30);
	for (i = 0; i < argc; i++) {
		struct piece s = piece_of(argv[i]);

		strbuf_add(&sb, s.p, s.n);
	}
	fn_result_buf(ctx, &sb);
}

static void fn_concat_ws(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct strbuf sb;
	bool any = false;
	int i;

	strbuf_init_max(&sb, (size_t)1 << 30);
	for (i = 1; i < argc; i++) {
		struct piece s = piece_of(argv[i]), sep = piece_of(argv[0]);

		if (sqlite3_value_type(argv[i]) == SQLITE_NULL)
			continue;
		if (any)
			strbuf_add(&sb, sep.p, sep.n);
		strbuf_add(&sb, s.p, s.n);
		any = true;
	}
	fn_result_buf(ctx, &sb);
}

static void trim(sqlite3_context *ctx, int argc, sqlite3_value **argv,
		 bool left, bool right)
{
	struct piece s, set = {" ", 1, false};
	size_t a = 0, b;

	if (fn_null(ctx, argc, argv))
		return;
	s = piece_of(argv[0]);
	if (argc > 1)
		set = piece_of(argv[1]);
	b = s.n;
	while (left && a < b && memchr(set.p, s.p[a], set.n))
		a++;
	while (right && b > a && memchr(set.p, s.p[b - 1], set.n))
		b--;
	give(ctx, &s, a, b);
}

static void fn_ltrim(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	trim(ctx, argc, argv, true, false);
}

static void fn_rtrim(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	trim(ctx, argc, argv, false, true);
}

static void fn_trim(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	trim(ctx, argc, argv, true, true);
}

static void map_case(sqlite3_context *ctx, sqlite3_value **argv,
		     uint32_t (*map)(uint32_t))
{
	struct piece s;
	struct strbuf sb;
	size_t pos = 0;

	if (fn_null(ctx, 1, argv))
		return;
	s = piece_of(argv[0]);
	strbuf_init_max(&sb, (size_t)1 << 30);
	while (pos < s.n)
		utf_put(&sb, map(utf_next(s.p, s.n, &pos)));
	fn_result_buf(ctx, &sb);
}

static void fn_upper(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	(void)argc;
	map_case(ctx, argv, utf_upper);
}

static void fn_lower(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	(void)argc;
	map_case(ctx, argv, utf_lower);
}

static void fn_reverse(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct piece s;
	char *out;
	size_t pos = 0, end;

	if (fn_null(ctx, argc, argv))
		return;
	s = piece_of(argv[0]);
	out = mem_alloc(s.n);
	end = s.n;
	while (pos < s.n) {
		size_t at = pos;

		utf_next(s.p, s.n, &pos);
		end -= pos - at;
		memcpy(out + end, s.p + at, pos - at);
	}
	fn_result_text(ctx, out, s.n);
	free(out);
}

static void fn_space(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct strbuf sb;
	int n;

	if (fn_null(ctx, argc, argv))
		return;
	n = sqlite3_value_int(argv[0]);
	if (n < 0)
		return;
	strbuf_init(&sb);
	for (; n > 0 && sb.len < 8000; n--)
		strbuf_addch(&sb, ' ');
	fn_result_buf(ctx, &sb);
}

static void fn_char(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct strbuf sb;
	int n;
	char c;

	if (fn_null(ctx, argc, argv))
		return;
	n = sqlite3_value_int(argv[0]);
	if (n < 0 || n > 255)
		return;
	c = (char)n;
	strbuf_init(&sb);
	codepage_decode(1252, &c, 1, &sb);
	fn_result_buf(ctx, &sb);
}

static void fn_nchar(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct strbuf sb;
	int n;

	if (fn_null(ctx, argc, argv))
		return;
	n = sqlite3_value_int(argv[0]);
	if (n < 0 || n > 65535)
		return;
	strbuf_init(&sb);
	utf_put(&sb, (uint32_t)n);
	fn_result_buf(ctx, &sb);
}

static void fn_ascii(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct piece s;
	struct strbuf sb;
	struct type t = type_unpack(sqlite3_value_int64(argv[1]));
	size_t pos = 0;

	(void)argc;
	if (fn_null(ctx, 1, argv))
		return;
	s = piece_of(argv[0]);
	if (!s.n)
		return;
	utf_next(s.p, s.n, &pos);
	strbuf_init(&sb);
	codepage_encode(collation_get(t.coll)->page, s.p, pos, &sb);
	sqlite3_result_int(ctx, (unsigned char)sb.data[0]);
	strbuf_release(&sb);
}

static void fn_unicode(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct piece s;
	size_t pos = 0;
	uint32_t cp;

	if (fn_null(ctx, argc, argv))
		return;
	s = piece_of(argv[0]);
	if (!s.n)
		return;
	cp = utf_next(s.p, s.n, &pos);
	if (cp >= 0x10000)
		cp = 0xD800 + ((cp - 0x10000) >> 10);
	sqlite3_result_int(ctx, (int)cp);
}

static void fn_quotename(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct piece s, q = {"[", 1, false};
	struct strbuf sb;
	char open, close;
	size_t i;

	if (fn_null(ctx, argc, argv))
		return;
	s = piece_of(argv[0]);
	if (argc > 1)
		q = piece_of(argv[1]);
	if (utf_units(s.p, s.n) > 128 || q.n < 1)
		return;
	open = q.p[0];
	switch (open) {
	case '[':
	case ']':
		open = '[';
		close = ']';
		break;
	case '(':
	case ')':
		open = '(';
		close = ')';
		break;
	case '<':
	case '>':
		open = '<';
		close = '>';
		break;
	case '{':
	case '}':
		open = '{';
		close = '}';
		break;
	case '\'':
	case '"':
	case '`':
		close = open;
		break;
	default:
		return;
	}
	strbuf_init(&sb);
	strbuf_addch(&sb, open);
	for (i = 0; i < s.n; i++) {
		if (s.p[i] == close)
			strbuf_addch(&sb, close);
		strbuf_addch(&sb, s.p[i]);
	}
	strbuf_addch(&sb, close);
	fn_result_buf(ctx, &sb);
}

static void fn_translate(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	const struct collation *c = collation_get(COLLATION_DEFAULT);
	struct piece s, from, to;
	struct strbuf sb;
	size_t pos = 0;

	if (fn_null(ctx, argc, argv))
		return;
	s = piece_of(argv[0]);
	from = piece_of(argv[1]);
	to = piece_of(argv[2]);
	if (utf_units(from.p, from.n) != utf_units(to.p, to.n)) {
		struct diag d;

		diag_free_text(&d, 9828, 16, 1,
			       "The second and third arguments of the "
			       "TRANSLATE built-in function must contain an "
			       "equal number of characters.");
		fn_fail(ctx, &d);
		return;
	}
	strbuf_init_max(&sb, (size_t)1 << 30);
	while (pos < s.n) {
		uint32_t ch = utf_next(s.p, s.n, &pos);
		size_t i = 0, j = 0;

		while (i < from.n && j < to.n) {
			uint32_t a = utf_next(from.p, from.n, &i);
			uint32_t b = utf_next(to.p, to.n, &j);

			if (collation_same_char(c, a, ch)) {
				ch = b;
				break;
			}
		}
		utf_put(&sb, ch);
	}
	fn_result_buf(ctx, &sb);
}

static void fn_string_escape(sqlite3_context *ctx, int argc,
			     sqlite3_value **argv)
{
	struct piece s;
	struct strbuf sb;
	size_t i;

	if (fn_null(ctx, argc, argv))
		return;
	s = piece_of(argv[0]);
	strbuf_init_max(&sb, (size_t)1 << 30);
	for (i = 0; i < s.n; i++) {
		static const char codes[] = "\"\\/\b\f\n\r\t";
		static const char shown[] = "\"\\/bfnrt";
		const char *hit = s.p[i] ? strchr(codes, s.p[i]) : NULL;

		if (hit)
			strbuf_addf(&sb, "\\%c", shown[hit - codes]);
		else if ((unsigned char)s.p[i] < 0x20)
			strbuf_addf(&sb, "\\u%04x", (unsigned char)s.p[i]);
		else
			strbuf_addch(&sb, s.p[i]);
	}
	fn_result_buf(ctx, &sb);
}

static void soundex(const struct piece *s, char out[5])
{
	static const char codes[] = "01230120022455012623010202";
	size_t i, n = 0;
	char last = 0;

	memcpy(out, "0000", 5);
	for (i = 0; i < s->n && n < 4; i++) {
		char ch = s->p[i], code;

		if (ch >= 'a' && ch <= 'z')
			ch = (char)(ch - 32);
		if (ch < 'A' || ch > 'Z') {
			if (n)
				break;
			continue;
		}
		code = codes[ch - 'A'];
		if (!n)
			out[n++] = ch;
		else if (code != '0' && code != last)
			out[n++] = code;
		if (ch != 'H' && ch != 'W')
			last = code;
	}
}

static void fn_soundex(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct piece s;
	char out[5];

	if (fn_null(ctx, argc, argv))
		return;
	s = piece_of(argv[0]);
	soundex(&s, out);
	fn_result_text(ctx, out, 4);
}

static void fn_difference(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct piece a, b;
	char x[5], y[5];
	int i, same = 0;

	if (fn_null(ctx, argc, argv))
		return;
	a = piece_of(argv[0]);
	b = piece_of(argv[1]);
	soundex(&a, x);
	soundex(&b, y);
	for (i = 0; i < 4; i++)
		same += x[i] == y[i];
	sqlite3_result_int(ctx, same);
}

static const struct fn_def defs[] = {
	{"len_", 2, FN_PURE, fn_len},
	{"datalength_", 2, FN_PURE, fn_datalength},
	{"left_", 2, FN_PURE, fn_left},
	{"right_", 2, FN_PURE, fn_right},
	{"substr_", 3, FN_PURE, fn_substr},
	{"charindex_", 4, FN_PURE, fn_charindex},
	{"patindex_", 3, FN_PURE, fn_patindex},
	{"like_", 5, FN_PURE, fn_like},
	{"replace_", 4, FN_PURE, fn_replace},
	{"stuff_", 4, FN_PURE, fn_stuff},
	{"replicate_", 3, FN_PURE, fn_replicate},
	{"concat_", -1, FN_PURE, fn_concat},
	{"concat_ws_", -1, FN_PURE, fn_concat_ws},
	{"ltrim_", 1, FN_PURE, fn_ltrim},
	{"rtrim_", 1, FN_PURE, fn_rtrim},
	{"trim_", 1, FN_PURE, fn_trim},
	{"trim_", 2, FN_PURE, fn_trim},
	{"upper_", 1, FN_PURE, fn_upper},
	{"lower_", 1, FN_PURE, fn_lower},
	{"reverse_", 1, FN_PURE, fn_reverse},
	{"space_", 1, FN_PURE, fn_space},
	{"char_", 1, FN_PURE, fn_char},
	{"nchar_", 1, FN_PURE, fn_nchar},
	{"ascii_", 2, FN_PURE, fn_ascii},
	{"unicode_", 1, FN_PURE, fn_unicode},
	{"quotename_", -1, FN_PURE, fn_quotename},
	{"translate_", 3, FN_PURE, fn_translate},
	{"string_escape_", 2, FN_PURE, fn_string_escape},
	{"soundex_", 1, FN_PURE, fn_soundex},
	{"difference_", 2, FN_PURE, fn_difference},
};

void fn_register_text(struct session *s)
{
	fn_register(s, defs, (int)LENGTH_OF(defs));
}
