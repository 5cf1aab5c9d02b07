/*
 * Raffaello Giulietti's Schubfach algorithm ("The Schubfach way to render
 * doubles", 2020), in one multiplication by a power of ten for each of the three
 * numbers that matter: the value and the two ends of what rounds to it.
 *
 * The powers of ten from 10^-324 to 10^324 are worked out when first needed,
 * with long arithmetic, which takes less than a millisecond: a table of them
 * would be ten thousand bytes of source that nobody can check.
 */
#include "format/shortest.h"

#include <pthread.h>
#include <string.h>

__extension__ typedef unsigned __int128 u128;

#define POWER_MIN (-324)
#define POWER_MAX 324

/* 10^k = (high, low) × 2^n, rounded up where it is not exact; 2^127 ≤ it. */
static struct power {
	uint64_t high, low;
} powers[POWER_MAX - POWER_MIN + 1];

static pthread_once_t made = PTHREAD_ONCE_INIT;

/* ------------------------------------------------------- long arithmetic */

/* Enough for 10^324, and for 2^1217 to be divided by that with 128 bits left. */
#define LIMBS 42

/* Least significant first. */
struct number {
	uint32_t limbs[LIMBS];
};

static void multiply(struct number *number, uint32_t by)
{
	uint64_t carry = 0;

	for (int i = 0; i < LIMBS; i++) {
		carry += (uint64_t)number->limbs[i] * by;
		number->limbs[i] = (uint32_t)carry;
		carry >>= 32;
	}
}

/* Is anything left over? */
static bool divide(struct number *number, uint32_t by)
{
	uint64_t rest = 0;

	for (int i = LIMBS; i-- > 0;) {
		rest = rest << 32 | number->limbs[i];
		number->limbs[i] = (uint32_t)(rest / by);
		rest %= by;
	}
	return rest != 0;
}

static int bit_length(const struct number *number)
{
	int i = LIMBS;

	while (i > 0 && !number->limbs[i - 1])
		i--;
	return i ? i * 32 - __builtin_clz(number->limbs[i - 1]) : 0;
}

static unsigned bit(const struct number *number, int at)
{
	return at < 0 ? 0 : number->limbs[at / 32] >> (at % 32) & 1;
}

/* The 128 highest bits, plus one if there is more behind them. */
static struct power top(const struct number *number, bool more)
{
	int len = bit_length(number);
	u128 value = 0;

	for (int i = 1; i <= 128; i++)
		value = value << 1 | bit(number, len - i);
	for (int i = 0; i < len - 128; i++)
		more |= bit(number, i);
	value += more;
	return (struct power){(uint64_t)(value >> 64), (uint64_t)value};
}

static void make_powers(void)
{
	struct number number = {{1}};

	for (int k = 0; k <= POWER_MAX; k++) {
		powers[k - POWER_MIN] = top(&number, false);
		multiply(&number, 10);
	}
	for (int k = 1; k <= -POWER_MIN; k++) {
		bool more = false;

		memset(&number, 0, sizeof(number));
		number.limbs[LIMBS - 1] = (uint32_t)1 << 31;
		for (int i = 0; i < k; i++)
			more |= divide(&number, 10);
		powers[-k - POWER_MIN] = top(&number, more);
	}
}

/* ----------------------------------------------------------------- rounding */

/* floor(log10(2^e)), floor(log10(3/4 × 2^e)), floor(log2(10^e)): exact for all
 * exponents of doubles. */
static int log10_of_2(int e)
{
	return (int)((int64_t)e * 1262611 >> 22);
}

static int log10_of_2_and_3_quarters(int e)
{
	return (int)(((int64_t)e * 1262611 - 524031) >> 22);
}

static int log2_of_10(int e)
{
	return (int)((int64_t)e * 1741647 >> 19);
}

/*
 * The product's bits above the lowest 128, the last of them set if anything
 * was cut off: enough to tell on which side of a border the exact number lies.
 */
static uint64_t times(struct power power, uint64_t by)
{
	u128 low = (u128)power.low * by;
	u128 high = (u128)power.high * by + (uint64_t)(low >> 64);

	return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

struct shortest shortest_of(uint64_t significand, int exponent, bool narrow)
{
	bool odd = significand & 1; /* then the ends belong to the others */
	uint64_t four = significand * 4, below, value, above, digits, tens;
	int power10 = narrow ? log10_of_2_and_3_quarters(exponent)
			     : log10_of_2(exponent);
	int shift = exponent + log2_of_10(-power10) + 1;
	struct power power;
	bool under, over;

	pthread_once(&made, make_powers);
	power = powers[-power10 - POWER_MIN];
	below = times(power, (four - (narrow ? 1 : 2)) << shift) + odd;
	value = times(power, four << shift);
	above = times(power, (four + 2) << shift) - odd;

	digits = value / 4;
	if (digits >= 10) {
		/* One digit less, if exactly one such number lies within. */
		tens = digits / 10;
		under = below <= 40 * tens;
		over = 40 * tens + 40 <= above;
		if (under != over)
			return (struct shortest){tens + over, power10 + 1};
	}
	under = below <= 4 * digits;
	over = 4 * digits + 4 <= above;
	if (under == over) /* the nearer one; of two as near, the even one */
		over = value > 4 * digits + 2 ||
		       (value == 4 * digits + 2 && (digits & 1));
	return (struct shortest){digits + over, power10};
}
