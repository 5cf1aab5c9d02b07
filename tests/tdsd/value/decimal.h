#ifndef TDSD_DECIMAL_H
#define TDSD_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "value/type.h"
#include "value/val.h"

/*
 * Exact decimal arithmetic on unscaled 128-bit integers. A decimal's scale
 * travels beside it; every magnitude stays below 10^38.
 */
__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;

#define DECIMAL_BLOB 17 /* bytes of a decimal(p > 18) in the database */

/* 10^n for n in 0..38. */
int128 decimal_pow10(int n);

/* Does the number have at most `prec` digits? */
bool decimal_fits(int128 n, int prec);

/*
 * Bring a number from one scale to another. Halves are rounded away from
 * zero, or digits are cut off. False when it grows beyond 38 digits.
 */
bool decimal_rescale(int128 *n, int from, int to, bool cut);

/*
 * a op b for + - * / %, where the operands have scales sa and sb and the
 * result scale sr. Returns 0, 8115 (overflow) or 8134 (division by zero).
 */
int decimal_arith(char op, int128 a, int sa, int128 b, int sb, int sr,
		  int128 *out);

/*
 * Read "[+-]digits[.digits][e[+-]digits]" as scale `scale`, rounding. Returns
 * 0, 8114 (not a number) or 8115 (too large). `exponent` says whether the
 * form with e is allowed.
 */
int decimal_parse(const char *s, size_t len, int scale, bool exponent,
		  int128 *out);

/* "-12.50"; `buf` of 48 bytes. Returns the length. */
size_t decimal_format(int128 n, int scale, char *buf);

double decimal_to_double(int128 n, int scale);

/* False when out of range. Rounds. */
bool decimal_from_double(double d, int scale, int128 *out);

/* The stored form of a decimal of `prec` digits; `buf` of DECIMAL_BLOB. */
struct val decimal_store(int128 n, int prec, char *buf);

/* The number in a stored decimal, money or integer value. */
int128 decimal_load(const struct val *v);

#endif
