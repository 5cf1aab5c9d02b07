/* CRC-32C against published values, and against itself bit by bit. */
#include "unit/helper.h"

#include <string.h>

#include "base/crc32c.h"

/* From RFC 3720, appendix B.4, and the check value of the CRC catalogues. */
static void test_published(void **state)
{
	unsigned char bytes[32];

	(void)state;
	assert_int_equal(crc32c_update(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c_update(0, "", 0), 0);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(crc32c_update(0, bytes, 32), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(crc32c_update(0, bytes, 32), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		bytes[i] = (unsigned char)i;
	assert_int_equal(crc32c_update(0, bytes, 32), 0x46dd794e);
	for (int i = 0; i < 32; i++)
		bytes[i] = (unsigned char)(31 - i);
	assert_int_equal(crc32c_update(0, bytes, 32), 0x113fdb5c);
}

/* As it is defined: a division of polynomials, a bit at a time. */
static uint32_t by_bits(const unsigned char *p, size_t len)
{
	uint32_t crc = 0xffffffff;

	for (; len; len--, p++) {
		crc ^= *p;
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
	}
	return ~crc;
}

static void test_pieces(void **state)
{
	unsigned char bytes[257];
	uint32_t seed = 1, whole;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		seed = seed * 1103515245 + 12345;
		bytes[i] = (unsigned char)(seed >> 16);
	}
	whole = by_bits(bytes, sizeof(bytes));
	for (size_t at = 0; at <= sizeof(bytes); at++) {
		uint32_t first = crc32c_update(0, bytes, at);
		uint32_t second =
			crc32c_update(0, bytes + at, sizeof(bytes) - at);

		assert_int_equal(first, by_bits(bytes, at));
		assert_int_equal(
			crc32c_update(first, bytes + at, sizeof(bytes) - at),
			whole);
		assert_int_equal(
			crc32c_combine(first, second, sizeof(bytes) - at),
			whole);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),
		cmocka_unit_test(test_pieces),
	};

	return cmocka_run_group_tests_name("crc32c", tests, NULL, NULL);
}
