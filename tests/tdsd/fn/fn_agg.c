/*
 * Aggregates, all of them usable as window functions: each has a step, its
 * inverse and a value that does not end it.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fn/fn.h"
#include "value/collation.h"
#include "value/decimal.h"

struct sum {
	/* SQLite's memory is aligned to 8 bytes only */
	int128 total __attribute__((packed, aligned(8)));
	int64_t count;
	bool overflow;
	double real, error, squares;
	int nans;
};

static struct sum *state(sqlite3_context *ctx)
{
	return sqlite3_aggregate_context(ctx, sizeof(struct sum));
}

static void exact_step(sqlite3_context *ctx, sqlite3_value **argv, int sign)
{
	struct sum *sum = state(ctx);
	struct val v = fn_val(argv[0]);
	int128 n;

	if (!sum || v.cls == VAL_NULL || sum->overflow)
		return;
	n = decimal_load(&v);
	sum->total += sign > 0 ? n : -n;
	sum->count += sign;
	if (!decimal_fits(sum->total, 38))
		sum->overflow = true;
}

static void sum_step(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	(void)argc;
	exact_step(ctx, argv, 1);
}

static void sum_inverse(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	(void)argc;
	exact_step(ctx, argv, -1);
}

static void give_int(sqlite3_context *ctx, int128 n, enum type_kind kind)
{
	if (n < type_int_min(kind) || n > type_int_max(kind))
		fn_fail_number(ctx, 8115, "expression", type_info(kind)->name,
			       NULL);
	else
		sqlite3_result_int64(ctx, (int64_t)n);
}

static void sum_int_value(sqlite3_context *ctx)
{
	struct sum *sum = state(ctx);

	if (sum && sum->count)
		give_int(ctx, sum->total, TY_INT);
}

static void sum_big_value(sqlite3_context *ctx)
{
	struct sum *sum = state(ctx);

	if (sum && sum->count)
		give_int(ctx, sum->total, TY_BIGINT);
}

static void give_decimal(sqlite3_context *ctx, int128 n)
{
	char buf[DECIMAL_BLOB];
	struct val v;

	if (!decimal_fits(n, 38)) {
		fn_fail_number(ctx, 8115, "expression", "numeric", NULL);
		return;
	}
	v = decimal_store(n, 38, buf);
	fn_result(ctx, &v);
}

static void sum_dec_value(sqlite3_context *ctx)
{
	struct sum *sum = state(ctx);

	if (!sum || !sum->count)
		return;
	if (sum->overflow)
		fn_fail_number(ctx, 8115, "expression", "numeric", NULL);
	else
		give_decimal(ctx, sum->total);
}

static void avg_int_value(sqlite3_context *ctx)
{
	struct sum *sum = state(ctx);

	if (sum && sum->count)
		sqlite3_result_int64(ctx, (int64_t)(sum->total / sum->count));
}

/* The average of decimals with `more` digits after those of the operand. */
static void avg_dec(sqlite3_context *ctx, int more)
{
	struct sum *sum = state(ctx);
	int128 n;
	int code;

	if (!sum || !sum->count)
		return;
	code = decimal_arith('/', sum->total, 0, sum->count, 0, more, &n);
	if (code)
		fn_fail_number(ctx, 8115, "expression", "numeric", NULL);
	else
		give_decimal(ctx, n);
}

#define AVG_DEC(k)                                   \
	static void avg_dec##k(sqlite3_context *ctx) \
	{                                            \
		avg_dec(ctx, k);                     \
	}
AVG_DEC(0)
AVG_DEC(1)
AVG_DEC(2)
AVG_DEC(3)
AVG_DEC(4)
AVG_DEC(5)
AVG_DEC(6)

static void float_step(sqlite3_context *ctx, sqlite3_value **argv, int sign)
{
	struct sum *sum = state(ctx);
	double r, y, t;

	if (!sum || sqlite3_value_type(argv[0]) == SQLITE_NULL)
		return;
	r = sign * sqlite3_value_double(argv[0]);
	y = r - sum->error;
	t = sum->real + y;
	sum->error = (t - sum->real) - y;
	sum->real = t;
	sum->squares += sign * r * r;
	sum->count += sign;
}

static void flt_step(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	(void)argc;
	float_step(ctx, argv, 1);
}

static void flt_inverse(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	(void)argc;
	float_step(ctx, argv, -1);
}

static void give_float(sqlite3_context *ctx, double r)
{
	if (isfinite(r))
		sqlite3_result_double(ctx, r);
	else
		fn_fail_number(ctx, 8115, "expression", "float", NULL);
}

static void sum_flt_value(sqlite3_context *ctx)
{
	struct sum *sum = state(ctx);

	if (sum && sum->count)
		give_float(ctx, sum->real);
}

static void avg_flt_value(sqlite3_context *ctx)
{
	struct sum *sum = state(ctx);

	if (sum && sum->count)
		give_float(ctx, sum->real / (double)sum->count);
}

static void variance(sqlite3_context *ctx, bool population, bool root)
{
	struct sum *sum = state(ctx);
	double n, v;

	if (!sum || sum->count < (population ? 1 : 2))
		return;
	n = (double)sum->count;
	v = (sum->squares - sum->real * sum->real / n) /
	    (population ? n : n - 1);
	if (v < 0)
		v = 0;
	give_float(ctx, root ? sqrt(v) : v);
}

static void var_value(sqlite3_context *ctx)
{
	variance(ctx, false, false);
}

static void varp_value(sqlite3_context *ctx)
{
	variance(ctx, true, false);
}

static void stdev_value(sqlite3_context *ctx)
{
	variance(ctx, false, true);
}

static void stdevp_value(sqlite3_context *ctx)
{
	variance(ctx, true, true);
}

static void checksum_step(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct sum *sum = state(ctx);

	(void)argc;
	if (!sum || sqlite3_value_type(argv[0]) == SQLITE_NULL)
		return;
	sum->total ^= sqlite3_value_int(argv[0]);
	sum->count++;
}

static void checksum_value(sqlite3_context *ctx)
{
	struct sum *sum = state(ctx);

	if (sum && sum->count)
		sqlite3_result_int(ctx, (int)sum->total);
}

/* single(x): the value of a sub-query, which must not have two rows. */
struct one {
	sqlite3_value *value;
	int rows;
};

static void single_step(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct one *one = sqlite3_aggregate_context(ctx, sizeof(*one));

	(void)argc;
	if (!one)
		return;
	if (one->rows++)
		fn_fail_number(ctx, 512, NULL);
	else
		one->value = sqlite3_value_dup(argv[0]);
}

static void single_final(sqlite3_context *ctx)
{
	struct one *one = sqlite3_aggregate_context(ctx, 0);

	if (one && one->value) {
		if (one->rows == 1)
			sqlite3_result_value(ctx, one->value);
		sqlite3_value_free(one->value);
		one->value = NULL;
	}
}

/* --- STRING_AGG --- */

struct piece {
	char *text;
	size_t len;
	sqlite3_value *keys[4];
};

struct pieces {
	struct piece *at;
	int count, room, keys;
	bool desc[4];
	const struct collation *coll[4];
	struct strbuf separator;
	bool have_separator;
};

/* string_agg_(text, separator, key, desc, collation, key, …) */
static void string_step(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct pieces *p = sqlite3_aggregate_context(ctx, sizeof(*p));
	struct piece *piece;
	const char *text;
	size_t n;
	int i;

	if (!p || sqlite3_value_type(argv[0]) == SQLITE_NULL)
		return;
	if (!p->have_separator) {
		strbuf_init(&p->separator);
		text = fn_text(argv[1], &n);
		strbuf_add(&p->separator, text, n);
		p->have_separator = true;
		p->keys = (argc - 2) / 3;
		for (i = 0; i < p->keys && i < 4; i++) {
			p->desc[i] = sqlite3_value_int(argv[2 + 3 * i + 1]);
			p->coll[i] = collation_get(
				sqlite3_value_int(argv[2 + 3 * i + 2]));
		}
	}
	MEM_GROW(p->at, p->count, p->room);
	piece = &p->at[p->count++];
	memset(piece, 0, sizeof(*piece));
	text = fn_text(argv[0], &n);
	piece->text = mem_strndup(text, n);
	piece->len = n;
	for (i = 0; i < p->keys && i < 4; i++)
		piece->keys[i] = sqlite3_value_dup(argv[2 + 3 * i]);
}

static int key_compare(sqlite3_value *a, sqlite3_value *b,
		       const struct collation *coll)
{
	struct val x = fn_val(a), y = fn_val(b);
	int cmp;

	if (x.cls == VAL_NULL || y.cls == VAL_NULL)
		return (x.cls != VAL_NULL) - (y.cls != VAL_NULL);
	if (x.cls == VAL_TEXT && y.cls == VAL_TEXT)
		return collation_compare(coll, x.p, x.n, y.p, y.n);
	if (x.cls == VAL_INT && y.cls == VAL_INT)
		return x.i < y.i ? -1 : x.i > y.i;
	if (x.cls == VAL_BLOB && y.cls == VAL_BLOB) {
		size_t n = x.n < y.n ? x.n : y.n;

		cmp = memcmp(x.p, y.p, n);
		return cmp ? cmp : x.n < y.n ? -1 : x.n > y.n;
	}
	{
		double r = x.cls == VAL_INT ? (double)x.i : x.r;
		double q = y.cls == VAL_INT ? (double)y.i : y.r;

		return r < q ? -1 : r > q;
	}
}

static bool piece_before(const struct pieces *p, const struct piece *a,
			 const struct piece *b)
{
	int i;

	for (i = 0; i < p->keys && i < 4; i++) {
		int cmp = key_compare(a->keys[i], b->keys[i], p->coll[i]);

		if (cmp)
			return p->desc[i] ? cmp > 0 : cmp < 0;
	}
	return false;
}

/* Merge sort: stable, and qsort has no room for an argument. */
static void sort_pieces(const struct pieces *p, struct piece *at,
			struct piece *spare, int n)
{
	int half = n / 2, i = 0, j = half, k = 0;

	if (n < 2)
		return;
	sort_pieces(p, at, spare, half);
	sort_pieces(p, at + half, spare, n - half);
	while (i < half && j < n)
		spare[k++] =
			piece_before(p, &at[j], &at[i]) ? at[j++] : at[i++];
	while (i < half)
		spare[k++] = at[i++];
	while (j < n)
		spare[k++] = at[j++];
	memcpy(at, spare, (size_t)n * sizeof(*at));
}

static void string_final(sqlite3_context *ctx)
{
	struct pieces *p = sqlite3_aggregate_context(ctx, 0);
	struct strbuf sb;
	int i, k;

	if (!p || !p->count)
		return;
	if (p->keys) {
		struct piece *spare =
			mem_alloc((size_t)p->count * sizeof(*spare));

		sort_pieces(p, p->at, spare, p->count);
		free(spare);
	}
	strbuf_init_max(&sb, (size_t)1 << 30);
	for (i = 0; i < p->count; i++) {
		if (i)
			strbuf_add(&sb, p->separator.data, p->separator.len);
		strbuf_add(&sb, p->at[i].text, p->at[i].len);
		free(p->at[i].text);
		for (k = 0; k < 4; k++)
			sqlite3_value_free(p->at[i].keys[k]);
	}
	free(p->at);
	p->at = NULL;
	p->count = 0;
	strbuf_release(&p->separator);
	fn_result_buf(ctx, &sb);
}

static const struct {
	const char *name;
	void (*step)(sqlite3_context *, int, sqlite3_value **);
	void (*inverse)(sqlite3_context *, int, sqlite3_value **);
	void (*value)(sqlite3_context *);
} windows[] = {
	{"sum_int", sum_step, sum_inverse, sum_int_value},
	{"sum_big", sum_step, sum_inverse, sum_big_value},
	{"sum_dec", sum_step, sum_inverse, sum_dec_value},
	{"sum_flt", flt_step, flt_inverse, sum_flt_value},
	{"avg_int", sum_step, sum_inverse, avg_int_value},
	{"avg_d0", sum_step, sum_inverse, avg_dec0},
	{"avg_d1", sum_step, sum_inverse, avg_dec1},
	{"avg_d2", sum_step, sum_inverse, avg_dec2},
	{"avg_d3", sum_step, sum_inverse, avg_dec3},
	{"avg_d4", sum_step, sum_inverse, avg_dec4},
	{"avg_d5", sum_step, sum_inverse, avg_dec5},
	{"avg_d6", sum_step, sum_inverse, avg_dec6},
	{"avg_flt", flt_step, flt_inverse, avg_flt_value},
	{"var_", flt_step, flt_inverse, var_value},
	{"varp_", flt_step, flt_inverse, varp_value},
	{"stdev_", flt_step, flt_inverse, stdev_value},
	{"stdevp_", flt_step, flt_inverse, stdevp_value},
	{"checksum_agg_", checksum_step, checksum_step, checksum_value},
};

void fn_register_aggregates(struct session *s)
{
	size_t i;

	for (i = 0; i < LENGTH_OF(windows); i++)
		sqlite3_create_window_function(
			s->sql, windows[i].name, 1, SQLITE_UTF8, s,
			windows[i].step, windows[i].value, windows[i].value,
			windows[i].inverse, NULL);
	sqlite3_create_function_v2(s->sql, "single", 1, SQLITE_UTF8, s, NULL,
				   single_step, single_final, NULL);
	sqlite3_create_function_v2(s->sql, "string_agg_", -1, SQLITE_UTF8, s,
				   NULL, string_step, string_final, NULL);
}
