#ifndef FORMAT_SHORTEST_H
#define FORMAT_SHORTEST_H

#include <stdbool.h>
#include <stdint.h>

/* A decimal number: digits × 10^exponent. */
struct shortest {
	uint64_t digits;
	int exponent;
};

/*
 * The decimal number with the fewest digits that is nearer to
 * significand × 2^exponent than to any other number of that kind; of several,
 * the nearest to it. The significand has at most 53 bits and is not 0. `narrow`:
 * the next smaller number is only half as far away as the next larger, as it
 * is where a power of two begins.
 */
struct shortest shortest_of(uint64_t significand, int exponent, bool narrow);

#endif
