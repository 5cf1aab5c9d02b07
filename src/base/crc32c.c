/*
 * Eight bytes a step, with a table for each of them. The processors' own
 * instructions would be faster, but differ; and SHA-256, which goes over the
 * same bytes wherever this is used, takes more time than this does.
 */
#include "base/crc32c.h"

#include <pthread.h>

#define POLYNOMIAL 0x82f63b78u /* reflected */
#define ONE	   0x80000000u /* x to the 0th, reflected */
#define STEP	   8

static uint32_t tables[STEP][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static uint32_t times_x(uint32_t a)
{
	return a & 1 ? a >> 1 ^ POLYNOMIAL : a >> 1;
}

static void make_tables(void)
{
	for (uint32_t byte = 0; byte < 256; byte++) {
		uint32_t crc = byte;

		for (int bit = 0; bit < 8; bit++)
			crc = times_x(crc);
		tables[0][byte] = crc;
	}
	for (int t = 1; t < STEP; t++)
		for (int byte = 0; byte < 256; byte++) {
			uint32_t crc = tables[t - 1][byte];

			tables[t][byte] = crc >> 8 ^ tables[0][crc & 0xff];
		}
}

static uint32_t step(uint32_t crc, const unsigned char *p)
{
	crc ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
	return tables[7][crc & 0xff] ^ tables[6][crc >> 8 & 0xff] ^
	       tables[5][crc >> 16 & 0xff] ^ tables[4][crc >> 24] ^
	       tables[3][p[4]] ^ tables[2][p[5]] ^ tables[1][p[6]] ^
	       tables[0][p[7]];
}

uint32_t crc32c_update(uint32_t crc, const void *data, size_t len)
{
	const unsigned char *p = data;

	pthread_once(&once, make_tables);
	crc = ~crc;
	for (; len >= STEP; len -= STEP, p += STEP)
		crc = step(crc, p);
	for (; len; len--, p++)
		crc = crc >> 8 ^ tables[0][(crc ^ *p) & 0xff];
	return ~crc;
}

/* The product of two polynomials, modulo ours. */
static uint32_t multiply(uint32_t a, uint32_t b)
{
	uint32_t product = 0;

	for (uint32_t bit = ONE; bit; bit >>= 1) {
		if (a & bit)
			product ^= b;
		b = times_x(b);
	}
	return product;
}

/*
 * A checksum is linear: what follows shifts the first one by so many bits, and
 * is added.
 */
uint32_t crc32c_combine(uint32_t first, uint32_t second, uint64_t second_len)
{
	uint32_t shift = ONE, power = ONE >> 8; /* x to the 8th: one byte */

	for (; second_len; second_len >>= 1) {
		if (second_len & 1)
			shift = multiply(shift, power);
		power = multiply(power, power);
	}
	return multiply(first, shift) ^ second;
}
