/* Arithmetic with the server's errors, and the mathematical functions. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fn/fn.h"
#include "value/decimal.h"

static void overflow(sqlite3_context *ctx, enum type_kind kind)
{
	fn_fail_number(ctx, 8115, "expression", type_info(kind)->name, NULL);
}

static void int_result(sqlite3_context *ctx, int128 n, enum type_kind kind)
{
	if (n < type_int_min(kind) || n > type_int_max(kind))
		overflow(ctx, kind);
	else
		sqlite3_result_int64(ctx, (int64_t)n);
}

static void int_op(sqlite3_context *ctx, int op, sqlite3_value **argv)
{
	enum type_kind kind = (enum type_kind)sqlite3_value_int(argv[2]);
	int128 a, b;

	if (fn_null(ctx, 2, argv))
		return;
	a = sqlite3_value_int64(argv[0]);
	b = sqlite3_value_int64(argv[1]);
	if ((op == '/' || op == '%') && !b) {
		fn_fail_number(ctx, 8134, NULL);
		return;
	}
	switch (op) {
	case '+':
		a += b;
		break;
	case '-':
		a -= b;
		break;
	case '*':
		a *= b;
		break;
	case '/':
		a /= b;
		break;
	default:
		a %= b;
		break;
	}
	int_result(ctx, a, kind);
}

static void fn_iadd(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	(void)argc;
	int_op(ctx, '+', argv);
}

static void fn_isub(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	(void)argc;
	int_op(ctx, '-', argv);
}

static void fn_imul(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	(void)argc;
	int_op(ctx, '*', argv);
}

static void fn_idiv(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	(void)argc;
	int_op(ctx, '/', argv);
}

static void fn_imod(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	(void)argc;
	int_op(ctx, '%', argv);
}

static void fn_bit_xor(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	if (!fn_null(ctx, argc, argv))
		sqlite3_result_int64(ctx, sqlite3_value_int64(argv[0]) ^
						  sqlite3_value_int64(argv[1]));
}

static void decimal_result(sqlite3_context *ctx, int128 n, int prec)
{
	char buf[DECIMAL_BLOB];
	struct val v;

	if (!decimal_fits(n, prec)) {
		fn_fail_number(ctx, 8115, "expression", "numeric", NULL);
		return;
	}
	v = decimal_store(n, prec, buf);
	fn_result(ctx, &v);
}

/* dop(op, a, scale a, b, scale b, prec, scale) */
static void fn_dop(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct val a = fn_val(argv[1]), b = fn_val(argv[3]);
	int op = sqlite3_value_text(argv[0])[0], code;
	int128 n;

	(void)argc;
	if (a.cls == VAL_NULL || b.cls == VAL_NULL)
		return;
	code = decimal_arith((char)op, decimal_load(&a),
			     sqlite3_value_int(argv[2]), decimal_load(&b),
			     sqlite3_value_int(argv[4]),
			     sqlite3_value_int(argv[6]), &n);
	if (code == 8134)
		fn_fail_number(ctx, 8134, NULL);
	else if (code)
		fn_fail_number(ctx, 8115, "expression", "numeric", NULL);
	else
		decimal_result(ctx, n, sqlite3_value_int(argv[5]));
}

static void fn_dneg(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct val a = fn_val(argv[0]);

	(void)argc;
	if (a.cls != VAL_NULL)
		decimal_result(ctx, -decimal_load(&a),
			       sqlite3_value_int(argv[1]));
}

/* mop(op, a, b, kind): money */
static void fn_mop(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	int op = sqlite3_value_text(argv[0])[0];
	enum type_kind kind = (enum type_kind)sqlite3_value_int(argv[3]);
	int128 a, b, n;

	(void)argc;
	if (fn_null(ctx, 3, argv))
		return;
	a = sqlite3_value_int64(argv[1]);
	b = sqlite3_value_int64(argv[2]);
	switch (op) {
	case '+':
		n = a + b;
		break;
	case '-':
		n = a - b;
		break;
	case '*':
		n = a * b;
		n = (n + (n < 0 ? -5000 : 5000)) / 10000;
		break;
	default:
		if (!b) {
			fn_fail_number(ctx, 8134, NULL);
			return;
		}
		n = op == '/' ? a * 10000 / b : a % b;
		break;
	}
	int_result(ctx, n, kind);
}

static void float_result(sqlite3_context *ctx, double r, enum type_kind kind)
{
	if (!isfinite(r) ||
	    (kind == TY_REAL && fabs(r) > 3.4028235677973366e38))
		overflow(ctx, kind);
	else
		sqlite3_result_double(ctx,
				      kind == TY_REAL ? (double)(float)r : r);
}

/* fop(op, a, b, kind) */
static void fn_fop(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	int op = sqlite3_value_text(argv[0])[0];
	double a, b;

	(void)argc;
	if (fn_null(ctx, 3, argv))
		return;
	a = sqlite3_value_double(argv[1]);
	b = sqlite3_value_double(argv[2]);
	if (op == '/' && b == 0) {
		fn_fail_number(ctx, 8134, NULL);
		return;
	}
	float_result(ctx,
		     op == '+'	 ? a + b
		     : op == '-' ? a - b
		     : op == '*' ? a * b
				 : a / b,
		     (enum type_kind)sqlite3_value_int(argv[3]));
}

/* --- functions of one float --- */

static void bad_float(sqlite3_context *ctx)
{
	fn_fail_number(ctx, 3623, NULL);
}

static void math1(sqlite3_context *ctx, sqlite3_value **argv,
		  double (*f)(double))
{
	double r;

	if (fn_null(ctx, 1, argv))
		return;
	r = f(sqlite3_value_double(argv[0]));
	if (isfinite(r))
		sqlite3_result_double(ctx, r);
	else
		bad_float(ctx);
}

#define MATH1(name, f)                                                         \
	static void name(sqlite3_context *ctx, int argc, sqlite3_value **argv) \
	{                                                                      \
		(void)argc;                                                    \
		math1(ctx, argv, f);                                           \
	}

static double cotangent(double x)
{
	return 1 / tan(x);
}

static double to_degrees(double x)
{
	return x * 180 / 3.14159265358979323846;
}

static double to_radians(double x)
{
	return x * 3.14159265358979323846 / 180;
}

static double squared(double x)
{
	return x * x;
}

MATH1(fn_sin, sin)
MATH1(fn_cos, cos)
MATH1(fn_tan, tan)
MATH1(fn_asin, asin)
MATH1(fn_acos, acos)
MATH1(fn_atan, atan)
MATH1(fn_cot, cotangent)
MATH1(fn_exp, exp)
MATH1(fn_log, log)
MATH1(fn_log10, log10)
MATH1(fn_sqrt, sqrt)
MATH1(fn_square, squared)
MATH1(fn_degrees, to_degrees)
MATH1(fn_radians, to_radians)

static void fn_atn2(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	if (!fn_null(ctx, argc, argv))
		sqlite3_result_double(ctx,
				      atan2(sqlite3_value_double(argv[0]),
					    sqlite3_value_double(argv[1])));
}

static void fn_log_base(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	double r;

	if (fn_null(ctx, argc, argv))
		return;
	r = log(sqlite3_value_double(argv[0])) /
	    log(sqlite3_value_double(argv[1]));
	if (isfinite(r))
		sqlite3_result_double(ctx, r);
	else
		bad_float(ctx);
}

/* power_(x, y, type): the result has the type of x. */
static void fn_power(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	struct type t = type_unpack(sqlite3_value_int64(argv[2]));
	struct convert c = session_convert(s);
	struct val in, out;
	struct diag d;
	double r;

	(void)argc;
	if (fn_null(ctx, 2, argv))
		return;
	r = pow(sqlite3_value_double(argv[0]), sqlite3_value_double(argv[1]));
	if (isnan(r)) {
		bad_float(ctx);
		return;
	}
	in = val_real(r);
	if (!isfinite(r))
		overflow(ctx, (enum type_kind)t.kind);
	else if (convert_value(&c, &in, type_of(TY_FLOAT), t, &out, &d) < 0)
		fn_fail(ctx, &d);
	else
		fn_result(ctx, &out);
}

/* --- functions that keep the type: abs, ceiling, floor, round, sign --- */

static int128 exact_of(sqlite3_value *v)
{
	struct val x = fn_val(v);

	return decimal_load(&x);
}

static void exact_result(sqlite3_context *ctx, int128 n, struct type t)
{
	if (type_is_decimal(t))
		decimal_result(ctx, n, t.prec);
	else
		int_result(ctx, n, (enum type_kind)t.kind);
}

static int scale_of(struct type t)
{
	return type_is_decimal(t) ? t.scale : type_is_money(t) ? 4 : 0;
}

static void fn_abs(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct type t = type_unpack(sqlite3_value_int64(argv[1]));

	(void)argc;
	if (fn_null(ctx, 1, argv))
		return;
	if (type_is_float(t)) {
		sqlite3_result_double(ctx, fabs(sqlite3_value_double(argv[0])));
	} else {
		int128 n = exact_of(argv[0]);

		exact_result(ctx, n < 0 ? -n : n, t);
	}
}

/* floor_(x, from, to, up) */
static void fn_floor(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct type from = type_unpack(sqlite3_value_int64(argv[1]));
	struct type to = type_unpack(sqlite3_value_int64(argv[2]));
	bool up = sqlite3_value_int(argv[3]);
	int128 n, unit, rest;

	(void)argc;
	if (fn_null(ctx, 1, argv))
		return;
	if (type_is_float(from)) {
		double r = sqlite3_value_double(argv[0]);

		sqlite3_result_double(ctx, up ? ceil(r) : floor(r));
		return;
	}
	n = exact_of(argv[0]);
	unit = decimal_pow10(scale_of(from));
	rest = n % unit;
	n -= rest;
	if (up && rest > 0)
		n += unit;
	if (!up && rest < 0)
		n -= unit;
	if (scale_of(to) != scale_of(from))
		decimal_rescale(&n, scale_of(from), scale_of(to), true);
	exact_result(ctx, n, to);
}

static double round_double(double r, int places, bool cut)
{
	double p = pow(10, places < 0 ? -places : places);
	double x = places < 0 ? r / p : r * p;

	if (!isfinite(x))
		return r;
	x = cut ? trunc(x) : round(x);
	return places < 0 ? x * p : x / p;
}

/* round_(x, places, type, cut) */
static void fn_round(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct type t = type_unpack(sqlite3_value_int64(argv[2]));
	int places = sqlite3_value_int(argv[1]), scale = scale_of(t);
	bool cut = sqlite3_value_int(argv[3]) != 0;
	int128 n;

	(void)argc;
	if (fn_null(ctx, 2, argv))
		return;
	if (type_is_float(t)) {
		sqlite3_result_double(
			ctx, round_double(sqlite3_value_double(argv[0]), places,
					  cut));
		return;
	}
	n = exact_of(argv[0]);
	if (places < scale) {
		if (scale - places > 38) {
			n = 0;
		} else {
			decimal_rescale(&n, scale, places, cut);
			if (!decimal_rescale(&n, places, scale, false)) {
				overflow(ctx, (enum type_kind)t.kind);
				return;
			}
		}
	}
	exact_result(ctx, n, t);
}

static void fn_sign(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct type t = type_unpack(sqlite3_value_int64(argv[1]));
	int sign;

	(void)argc;
	if (fn_null(ctx, 1, argv))
		return;
	if (type_is_float(t)) {
		double r = sqlite3_value_double(argv[0]);

		sqlite3_result_double(ctx, r > 0 ? 1 : r < 0 ? -1 : 0);
		return;
	}
	sign = exact_of(argv[0]) > 0 ? 1 : exact_of(argv[0]) < 0 ? -1 : 0;
	exact_result(ctx, sign * decimal_pow10(scale_of(t)), t);
}

static uint64_t next_random(struct session *s)
{
	s->rand_state += UINT64_C(0x9E3779B97F4A7C15);
	{
		uint64_t z = s->rand_state;

		z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
		z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
		return z ^ z >> 31;
	}
}

/* rand_() or rand_(seed) */
static void fn_rand(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);

	if (argc == 1 && sqlite3_value_type(argv[0]) != SQLITE_NULL) {
		s->rand_state =
			(uint64_t)sqlite3_value_int64(argv[0]) * 2654435761u;
		s->rand_seeded = true;
	} else if (!s->rand_seeded) {
		sqlite3_randomness(sizeof(s->rand_state), &s->rand_state);
		s->rand_seeded = true;
	}
	sqlite3_result_double(ctx, (double)(next_random(s) >> 11) /
					   9007199254740992.0);
}

/* str_(float, length, decimals) */
static void fn_str(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	int length = sqlite3_value_int(argv[1]);
	int decimals = sqlite3_value_int(argv[2]);
	char number[400], out[400];

	(void)argc;
	if (fn_null(ctx, 3, argv))
		return;
	if (length < 1 || length > 300 || decimals < 0)
		return;
	if (decimals > 16)
		decimals = 16;
	snprintf(number, sizeof(number), "%.*f", decimals,
		 round_double(sqlite3_value_double(argv[0]), decimals, false));
	while ((int)strlen(number) > length && decimals > 0) {
		decimals--;
		snprintf(number, sizeof(number), "%.*f", decimals,
			 sqlite3_value_double(argv[0]));
	}
	if ((int)strlen(number) > length) {
		memset(out, '*', (size_t)length);
		out[length] = '\0';
	} else {
		snprintf(out, sizeof(out), "%*s", length, number);
	}
	fn_result_text(ctx, out, strlen(out));
}

static void fn_isnumeric(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	size_t n, i = 0, digits = 0, points = 0;
	const char *s = fn_text(argv[0], &n);
	bool ok = true;

	(void)argc;
	while (i < n && s[i] == ' ')
		i++;
	while (n > i && s[n - 1] == ' ')
		n--;
	if (i < n && strchr("+-$", s[i]))
		i++;
	for (; i < n && ok; i++) {
		char c = s[i];

		if (c >= '0' && c <= '9')
			digits++;
		else if (c == '.')
			ok = !points++;
		else if (c == ',')
			;
		else if ((c | 32) == 'e' || (c | 32) == 'd') {
			ok = digits > 0;
			if (i + 1 < n && strchr("+-", s[i + 1]))
				i++;
			for (i++; i < n; i++)
				if (s[i] < '0' || s[i] > '9')
					ok = false;
		} else
			ok = false;
	}
	sqlite3_result_int(ctx, ok && (digits || points) && n);
}

static const struct fn_def defs[] = {
	{"iadd", 3, FN_PURE, fn_iadd},
	{"isub", 3, FN_PURE, fn_isub},
	{"imul", 3, FN_PURE, fn_imul},
	{"idiv", 3, FN_PURE, fn_idiv},
	{"imod", 3, FN_PURE, fn_imod},
	{"bit_xor", 2, FN_PURE, fn_bit_xor},
	{"dop", 7, FN_PURE, fn_dop},
	{"dneg", 2, FN_PURE, fn_dneg},
	{"mop", 4, FN_PURE, fn_mop},
	{"fop", 4, FN_PURE, fn_fop},
	{"t_sin", 1, FN_PURE, fn_sin},
	{"t_cos", 1, FN_PURE, fn_cos},
	{"t_tan", 1, FN_PURE, fn_tan},
	{"t_asin", 1, FN_PURE, fn_asin},
	{"t_acos", 1, FN_PURE, fn_acos},
	{"t_atan", 1, FN_PURE, fn_atan},
	{"t_cot", 1, FN_PURE, fn_cot},
	{"t_exp", 1, FN_PURE, fn_exp},
	{"t_log", 1, FN_PURE, fn_log},
	{"t_log", 2, FN_PURE, fn_log_base},
	{"t_log10", 1, FN_PURE, fn_log10},
	{"t_sqrt", 1, FN_PURE, fn_sqrt},
	{"t_square", 1, FN_PURE, fn_square},
	{"t_degrees", 1, FN_PURE, fn_degrees},
	{"t_radians", 1, FN_PURE, fn_radians},
	{"t_atn2", 2, FN_PURE, fn_atn2},
	{"power_", 3, FN_PURE, fn_power},
	{"abs_", 2, FN_PURE, fn_abs},
	{"floor_", 4, FN_PURE, fn_floor},
	{"round_", 4, FN_PURE, fn_round},
	{"sign_", 2, FN_PURE, fn_sign},
	{"rand_", -1, 0, fn_rand},
	{"str_", 3, FN_PURE, fn_str},
	{"isnumeric_", 1, FN_PURE, fn_isnumeric},
};

void fn_register_number(struct session *s)
{
	fn_register(s, defs, (int)LENGTH_OF(defs));
}
