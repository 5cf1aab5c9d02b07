/*
 * Products and dividends need up to 76 digits, that is 256 bits: two halves
 * of 128, multiplied and divided by hand. Long division goes bit by bit,
 * which is slow and plainly right; it only runs when a result does not fit
 * 128 bits.
 */
#include "value/decimal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int128 decimal_pow10(int n)
{
	static const int64_t small[] = {1,
					10,
					100,
					1000,
					10000,
					100000,
					1000000,
					10000000,
					100000000,
					1000000000,
					10000000000,
					100000000000,
					1000000000000,
					10000000000000,
					100000000000000,
					1000000000000000,
					10000000000000000,
					100000000000000000,
					1000000000000000000};
	int128 p = 1;

	while (n > 18) {
		p *= small[18];
		n -= 18;
	}
	return p * small[n < 0 ? 0 : n];
}

static uint128 magnitude(int128 n)
{
	return n < 0 ? -(uint128)n : (uint128)n;
}

bool decimal_fits(int128 n, int prec)
{
	return magnitude(n) < (uint128)decimal_pow10(prec > 38 ? 38 : prec);
}

bool decimal_rescale(int128 *n, int from, int to, bool cut)
{
	int128 p, half;

	if (to > from) {
		int up = to - from;
		uint128 limit;

		if (up > 38)
			return *n == 0;
		p = decimal_pow10(up);
		limit = (uint128)decimal_pow10(38) / (uint128)p;
		if (magnitude(*n) >= limit)
			return false;
		*n *= p;
		return true;
	}
	if (from - to > 38) {
		*n = 0;
		return true;
	}
	p = decimal_pow10(from - to);
	half = cut || p == 1 ? 0 : *n % p;
	*n /= p;
	if (half >= p / 2 && half > 0)
		++*n;
	else if (half <= -(p / 2) && half < 0)
		--*n;
	return decimal_fits(*n, 38);
}

struct wide {
	uint128 high, low;
};

static struct wide wide_mul(uint128 a, uint128 b)
{
	const uint128 mask = UINT64_MAX;
	uint128 al = a & mask, ah = a >> 64, bl = b & mask, bh = b >> 64;
	uint128 ll = al * bl, lh = al * bh, hl = ah * bl, hh = ah * bh;
	uint128 mid = (ll >> 64) + (lh & mask) + (hl & mask);
	struct wide w;

	w.low = mid << 64 | (ll & mask);
	w.high = hh + (lh >> 64) + (hl >> 64) + (mid >> 64);
	return w;
}

/* w / d, where the quotient must fit 128 bits: w.high < d. */
static uint128 wide_div(struct wide w, uint128 d, uint128 *rest)
{
	uint128 r = w.high, q = 0;
	int i;

	if (!w.high) {
		*rest = w.low % d;
		return w.low / d;
	}
	for (i = 127; i >= 0; i--) {
		bool top = r >> 127;

		r = r << 1 | (w.low >> i & 1);
		q <<= 1;
		if (top || r >= d) {
			r -= d;
			q |= 1;
		}
	}
	*rest = r;
	return q;
}

/* |a| * |b| / 10^down, rounded; or overflow. */
static int multiply(int128 a, int128 b, int down, int128 *out)
{
	struct wide w = wide_mul(magnitude(a), magnitude(b));
	uint128 d = (uint128)decimal_pow10(down > 38 ? 38 : down), rest, q;

	if (down > 38) {
		*out = 0;
		return 0;
	}
	if (w.high >= d)
		return 8115;
	q = wide_div(w, d, &rest);
	if (rest >= d - rest)
		q++;
	if (q >= (uint128)decimal_pow10(38))
		return 8115;
	*out = (a < 0) != (b < 0) ? -(int128)q : (int128)q;
	return 0;
}

/* a * 10^up / b, cut as the server does. */
static int divide(int128 a, int up, int128 b, int128 *out)
{
	struct wide w = {0, magnitude(a)};
	uint128 d = magnitude(b), rest, q;

	if (!b)
		return 8134;
	if (up > 38) {
		/* more than a number can hold, unless it is zero */
		if (!a) {
			*out = 0;
			return 0;
		}
		return 8115;
	}
	if (up >= 0)
		w = wide_mul(magnitude(a), (uint128)decimal_pow10(up));
	else
		w.low /= (uint128)decimal_pow10(-up > 38 ? 38 : -up);
	if (w.high >= d)
		return 8115;
	q = wide_div(w, d, &rest);
	if (q >= (uint128)decimal_pow10(38))
		return 8115;
	*out = (a < 0) != (b < 0) ? -(int128)q : (int128)q;
	return 0;
}

static int add(int128 a, int sa, int128 b, int sb, int sr, int128 *out)
{
	int s = sa > sb ? sa : sb;

	if (!decimal_rescale(&a, sa, s, false) ||
	    !decimal_rescale(&b, sb, s, false))
		return 8115;
	a += b; /* both below 10^38: no overflow in 127 bits */
	if (!decimal_rescale(&a, s, sr, false))
		return 8115;
	*out = a;
	return decimal_fits(a, 38) ? 0 : 8115;
}

int decimal_arith(char op, int128 a, int sa, int128 b, int sb, int sr,
		  int128 *out)
{
	switch (op) {
	case '+':
		return add(a, sa, b, sb, sr, out);
	case '-':
		return add(a, sa, -b, sb, sr, out);
	case '*':
		if (sa + sb < sr) {
			int code = multiply(a, b, 0, out);

			if (!code && !decimal_rescale(out, sa + sb, sr, false))
				code = 8115;
			return code;
		}
		return multiply(a, b, sa + sb - sr, out);
	case '/':
		return divide(a, sr + sb - sa, b, out);
	default:
		if (!b)
			return 8134;
		if (!decimal_rescale(&a, sa, sr, false) ||
		    !decimal_rescale(&b, sb, sr, false))
			return 8115;
		if (!b)
			return 8134;
		*out = a % b;
		return 0;
	}
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The exponent part; 8114 when it is not one. */
static int parse_exponent(const char *s, size_t len, int *exp)
{
	bool minus = false;
	size_t i = 0;
	int n = 0;

	if (i < len && (s[i] == '+' || s[i] == '-'))
		minus = s[i++] == '-';
	if (i >= len)
		return 8114;
	for (; i < len; i++) {
		if (!is_digit(s[i]))
			return 8114;
		if (n < 10000)
			n = n * 10 + (s[i] - '0');
	}
	*exp = minus ? -n : n;
	return 0;
}

int decimal_parse(const char *s, size_t len, int scale, bool exponent,
		  int128 *out)
{
	uint128 n = 0;
	int have = 0, after = 0, exp = 0, dropped = 0;
	bool minus = false, point = false, any = false;
	size_t i = 0;

	if (i < len && (s[i] == '+' || s[i] == '-'))
		minus = s[i++] == '-';
	for (; i < len; i++) {
		if (s[i] == '.' && !point) {
			point = true;
			continue;
		}
		if (!is_digit(s[i]))
			break;
		any = true;
		if (have >= 38) {
			/* beyond what can be kept: remember the size only */
			if (!point)
				dropped++;
			continue;
		}
		n = n * 10 + (unsigned)(s[i] - '0');
		have += n > 0;
		after += point;
	}
	if (!any)
		return 8114;
	if (i < len) {
		if (!exponent || (s[i] != 'e' && s[i] != 'E') ||
		    parse_exponent(s + i + 1, len - i - 1, &exp))
			return 8114;
	}
	*out = minus ? -(int128)n : (int128)n;
	after -= dropped + exp;
	if (after < 0) {
		if (!decimal_rescale(out, 0, -after > 60 ? 60 : -after, false))
			return 8115;
		after = 0;
	}
	return decimal_rescale(out, after, scale, false) ? 0 : 8115;
}

size_t decimal_format(int128 n, int scale, char *buf)
{
	char digits[48];
	uint128 m = magnitude(n);
	int count = 0, i;
	char *p = buf;

	do {
		digits[count++] = (char)('0' + (int)(m % 10));
		m /= 10;
	} while (m || count <= scale);
	if (n < 0)
		*p++ = '-';
	for (i = count - 1; i >= 0; i--) {
		*p++ = digits[i];
		if (i == scale && i)
			*p++ = '.';
	}
	*p = '\0';
	return (size_t)(p - buf);
}

double decimal_to_double(int128 n, int scale)
{
	char buf[64];

	/* through text: correctly rounded, which n / 10^scale is not */
	decimal_format(n, scale, buf);
	return strtod(buf, NULL);
}

bool decimal_from_double(double d, int scale, int128 *out)
{
	char buf[400];
	int len;

	if (!isfinite(d) || fabs(d) >= 1e38)
		return false;
	/* 17 digits say all there is; the server rounds at about 15 to 17 */
	len = snprintf(buf, sizeof(buf), "%.16e", d);
	return decimal_parse(buf, (size_t)len, scale, true, out) == 0;
}

struct val decimal_store(int128 n, int prec, char *buf)
{
	uint128 m;
	int i;

	if (prec <= 18)
		return val_int((int64_t)n);
	/* flip the sign bit: bytes then sort as the numbers do */
	m = (uint128)n ^ (uint128)1 << 127;
	buf[0] = 1;
	for (i = 0; i < 16; i++)
		buf[1 + i] = (char)(unsigned char)(m >> (120 - 8 * i));
	return val_blob(buf, DECIMAL_BLOB);
}

int128 decimal_load(const struct val *v)
{
	uint128 m = 0;
	int i;

	if (v->cls == VAL_INT)
		return v->i;
	if (v->cls != VAL_BLOB || v->n != DECIMAL_BLOB)
		return 0;
	for (i = 0; i < 16; i++)
		m = m << 8 | (unsigned char)v->p[1 + i];
	return (int128)(m ^ (uint128)1 << 127);
}
