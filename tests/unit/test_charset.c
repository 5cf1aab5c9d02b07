#include "unit/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "row/charset.h"

/* UTF-8 and UTF-16LE of a code point, by the tables of the standard. */
static size_t to_utf8(unsigned cp, unsigned char out[4])
{
	if (cp < 0x80) {
		out[0] = (unsigned char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (unsigned char)(0xc0 + cp / 64);
		out[1] = (unsigned char)(0x80 + cp % 64);
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (unsigned char)(0xe0 + cp / 4096);
		out[1] = (unsigned char)(0x80 + cp / 64 % 64);
		out[2] = (unsigned char)(0x80 + cp % 64);
		return 3;
	}
	out[0] = (unsigned char)(0xf0 + cp / 262144);
	out[1] = (unsigned char)(0x80 + cp / 4096 % 64);
	out[2] = (unsigned char)(0x80 + cp / 64 % 64);
	out[3] = (unsigned char)(0x80 + cp % 64);
	return 4;
}

static size_t to_utf16(unsigned cp, unsigned char out[4])
{
	unsigned units[2] = {cp, 0};
	size_t count = 1;

	if (cp >= 0x10000) {
		units[0] = 0xd800 + (cp - 0x10000) / 1024;
		units[1] = 0xdc00 + (cp - 0x10000) % 1024;
		count = 2;
	}
	for (size_t i = 0; i < count; i++) {
		out[2 * i] = (unsigned char)(units[i] % 256);
		out[2 * i + 1] = (unsigned char)(units[i] / 256);
	}
	return 2 * count;
}

static void test_every_code_point(void **state)
{
	unsigned char utf16[4], want[4], got[6];

	(void)state;
	for (unsigned cp = 0; cp <= 0x10ffff; cp++) {
		size_t len = to_utf16(cp, utf16);
		long need = charset_utf8_length(utf16, len);

		if (cp >= 0xd800 && cp < 0xe000) {
			assert_int_equal(need, -1);
			continue;
		}
		assert_int_equal(need, to_utf8(cp, want));
		got[need] = 0xee;
		charset_utf8_write(utf16, len, got);
		assert_memory_equal(got, want, (size_t)need);
		assert_int_equal(got[need], 0xee);
	}
}

static void test_mixed_text(void **state)
{
	static const unsigned char utf16[] = {
		'a', 0, 0xe4, 0, 0xac, 0x20, 0x3d, 0xd8, 0x00, 0xde, 'z', 0};
	unsigned char out[11];

	(void)state;
	assert_int_equal(charset_utf8_length(utf16, sizeof(utf16)), 11);
	charset_utf8_write(utf16, sizeof(utf16), out);
	assert_memory_equal(out, "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z", 11);
	assert_int_equal(charset_utf8_length(NULL, 0), 0);
}

static void test_invalid_utf16(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {
		{"a", 1}, /* half a unit */
		{"a\0b", 3},
		{"\x3d\xd8", 2}, /* high at the end */
		{"a\0\x3d\xd8", 4},
		{"\x3d\xd8"
		 "a\0",
		 4},				 /* high, then none */
		{"\x3d\xd8\x3d\xd8\x00\xde", 6}, /* two high ones */
		{"\x00\xde", 2},		 /* low alone */
		{"\x00\xde\x3d\xd8", 4},	 /* the wrong way round */
		{"\x3d\xd8\x00", 3},		 /* cut in the pair */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		/* Exactly as long as said: a reader beyond the end is seen. */
		unsigned char *copy = malloc(cases[i].len);

		assert_non_null(copy);
		memcpy(copy, cases[i].bytes, cases[i].len);
		assert_int_equal(charset_utf8_length(copy, cases[i].len), -1);
		free(copy);
	}
}

static void test_equal(void **state)
{
	(void)state;
	assert_true(charset_equal(NULL, NULL));
	assert_true(charset_equal(NULL, "utf-8"));
	assert_true(charset_equal("UTF-8", NULL));
	assert_true(charset_equal("cp1252", "CP1252"));
	assert_false(charset_equal("CP1252", NULL));
	assert_false(charset_equal("CP1252", "CP1250"));
}

static void test_same_encoding_is_not_touched(void **state)
{
	struct error err = ERROR_INIT;
	struct charset charset;
	const void *out;
	size_t len;

	(void)state;
	MUST(charset_init(&charset, NULL, "UTF-8", &err));
	assert_null(charset.handle);
	MUST(charset_convert(&charset, "\xff", 1, &out, &len, &err));
	assert_int_equal(len, 1);
	assert_memory_equal(out, "\xff", 1);
	charset_release(&charset);
	charset_release(&charset);
	memset(&charset, 0, sizeof(charset));
	charset_release(&charset);
}

static void test_unknown_encoding(void **state)
{
	struct error err = ERROR_INIT;
	struct charset charset;

	(void)state;
	MUST_FAIL(charset_init(&charset, "CP99999", NULL, &err), ERROR_DATA);
	assert_holds(err.message, "CP99999");
	MUST_FAIL(charset_init(&charset, NULL, "CP99999", &err), ERROR_DATA);
	assert_holds(err.message, "CP99999");
}

static void convert(const char *from, const char *to, const char *text,
		    size_t text_len, const char *want, size_t want_len)
{
	struct error err = ERROR_INIT;
	struct charset charset;
	const void *out;
	size_t len;

	MUST(charset_init(&charset, from, to, &err));
	MUST(charset_convert(&charset, text, text_len, &out, &len, &err));
	assert_int_equal(len, want_len);
	assert_memory_equal(out, want, want_len);
	charset_release(&charset);
}

static void test_known_conversions(void **state)
{
	(void)state;
	convert("CP1252", NULL, "\x80\xe4", 2, "\xe2\x82\xac\xc3\xa4", 5);
	convert(NULL, "CP1252", "\xe2\x82\xac\xc3\xa4", 5, "\x80\xe4", 2);
	convert("CP1251", "UTF-8", "\xcf", 1, "\xd0\x9f", 2);
	convert("CP932", NULL, "\x93\xfa", 2, "\xe6\x97\xa5", 3);
	convert(NULL, "CP932", "\xe6\x97\xa5", 3, "\x93\xfa", 2);
	convert("CP437", "CP850", "\x81", 1, "\x81", 1);
	convert("UTF-16LE", NULL, "a\0\x3d\xd8\x00\xde", 6, "a\xf0\x9f\x98\x80",
		5);
	convert(NULL, "UTF-16LE", "a\xf0\x9f\x98\x80", 5, "a\0\x3d\xd8\x00\xde",
		6);
	convert("CP1252", NULL, "", 0, "", 0);
	convert(NULL, "UTF-16LE", "a\0b", 3, "a\0\0\0b\0", 6);
}

/*
 * iconv holds a letter of these back until it knows that no accent follows: it
 * has to be asked for what is left at the end of a text.
 */
static void test_the_last_letter_is_not_lost(void **state)
{
	(void)state;
	/* shin, lamed, vav, final mem */
	convert("CP1255", NULL, "\xf9\xec\xe5\xed", 4,
		"\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", 8);
	convert("CP1255", NULL, "\xe0", 1, "\xd7\x90", 2); /* alef */
	convert("CP1258", NULL, "Vi\xea\xf2t", 5, "Vi\xe1\xbb\x87t", 6);
	convert("CP1258", NULL, "a", 1, "a", 1);
	convert("CP1258", NULL, "xe", 2, "xe", 2);
}

/* Every code page that SQL Server has, and every byte of it. */
static void test_every_code_page(void **state)
{
	static const char *const pages[] = {
		"CP437",  "CP850",  "CP874",  "CP932",	"CP936",  "CP949",
		"CP950",  "CP1250", "CP1251", "CP1252", "CP1253", "CP1254",
		"CP1255", "CP1256", "CP1257", "CP1258"};

	(void)state;
	for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++) {
		struct error err = ERROR_INIT;
		struct charset there, back;
		int converted = 0;

		MUST(charset_init(&there, pages[i], NULL, &err));
		MUST(charset_init(&back, NULL, pages[i], &err));
		for (int byte = 0; byte < 256; byte++) {
			char in = (char)byte;
			const void *out;
			size_t len;

			if (charset_convert(&there, &in, 1, &out, &len, &err) <
			    0) {
				assert_int_equal(err.kind, ERROR_DATA);
				continue;
			}
			if (!len)
				fail_msg("%s: byte %02x is lost", pages[i],
					 byte);
			MUST(charset_convert(&back, out, len, &out, &len,
					     &err));
			assert_int_equal(len, 1);
			assert_int_equal(*(const unsigned char *)out, byte);
			converted++;
		}
		assert_true(converted >= 128);
		charset_release(&there);
		charset_release(&back);
	}
}

/* Nothing is replaced by a question mark or by something alike. */
static void test_what_cannot_be_converted(void **state)
{
	static const struct {
		const char *from, *to, *text;
		size_t len;
	} cases[] = {
		{NULL, "CP1252", "ok \xe6\x97\xa5", 6}, /* Japanese */
		{NULL, "CP1252", "\xc4\x81", 2},	/* a with macron */
		{NULL, "CP1252", "\xef\xbc\xa1", 3},	/* wide A */
		{NULL, "CP1252", "\xe2\x80\x90", 3},	/* a hyphen */
		{NULL, "CP1252", "\xf0\x9f\x98\x80", 4},
		{NULL, "CP1252", "bad \xff", 5},
		{NULL, "CP1252", "cut \xc3", 5},
		{NULL, "UTF-16LE", "cut \xe2\x82", 6},
		{NULL, "UTF-16LE", "\xed\xa0\x80", 3}, /* surrogate */
		{NULL, "CP932", "a\xc2\xac", 3},       /* not the wide sign */
		{NULL, "CP932", "\xc2\xa5", 2},	       /* nor a backslash */
		{"UTF-16LE", "CP932", "\xac\0", 2},
		{"CP932", NULL, "\x93", 1}, /* half of two */
		{"CP932", NULL, "a\x93", 2},
		{"CP1252", NULL, "\x81", 1}, /* not assigned */
		{"UTF-16LE", NULL, "a\0\x3d\xd8", 4},
		{"UTF-16LE", NULL, "a\0b", 3},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error err = ERROR_INIT;
		struct charset charset;
		const void *out;
		size_t len;

		MUST(charset_init(&charset, cases[i].from, cases[i].to, &err));
		if (charset_convert(&charset, cases[i].text, cases[i].len, &out,
				    &len, &err) == 0)
			fail_msg("case %zu became %zu bytes", i, len);
		assert_int_equal(err.kind, ERROR_DATA);
		assert_lacks(err.message, "ok ");
		assert_lacks(err.message, "bad ");
		charset_release(&charset);
	}
}

/* Text that is none has a spelling, one of its own for each. */
static void test_spelled(void **state)
{
	static const struct {
		const char *from, *text;
		size_t len;
		const char *want;
	} cases[] = {
		{"UTF-16LE",
		 "a\0\x3d\xd8"
		 "b",
		 5, "a\xed\xa0\xbd\xed\xb1\xa2"},
		{"UTF-16LE", "\x3d\xd8\x3d\xd8\0\xde", 6,
		 "\xed\xa0\xbd\xf0\x9f\x98\x80"},
		{"UTF-16LE", "\0\xde\x3d\xd8", 4, "\xed\xb8\x80\xed\xa0\xbd"},
		{"UTF-16LE", "\xfe\xff", 2, "\xef\xbf\xbe"},
		{"UTF-16LE", "", 0, ""},
		{"CP1252", "\x81\xe9\x81", 3,
		 "\xed\xb2\x81\xc3\xa9\xed\xb2\x81"},
		{"CP932", "\x93\xfa\x93", 3, "\xe6\x97\xa5\xed\xb2\x93"},
		{NULL, "\xff", 1, "\xff"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error err = ERROR_INIT;
		struct charset charset;
		const void *out;
		size_t len;

		MUST(charset_init(&charset, cases[i].from, NULL, &err));
		for (int again = 0; again < 2; again++) {
			MUST(charset_spell(&charset, cases[i].text,
					   cases[i].len, &out, &len, &err));
			assert_int_equal(len, strlen(cases[i].want));
			if (memcmp(out, cases[i].want, len) != 0)
				fail_msg("case %zu", i);
		}
		charset_release(&charset);
	}
}

static void test_goes_on_after_an_error(void **state)
{
	struct error err = ERROR_INIT;
	struct charset charset;
	const void *out;
	size_t len;

	(void)state;
	MUST(charset_init(&charset, "CP932", NULL, &err));
	for (int i = 0; i < 3; i++) {
		MUST_FAIL(
			charset_convert(&charset, "x\x93", 2, &out, &len, &err),
			ERROR_DATA);
		MUST(charset_convert(&charset, "\x93\xfa", 2, &out, &len,
				     &err));
		assert_int_equal(len, 3);
		assert_memory_equal(out, "\xe6\x97\xa5", 3);
	}
	charset_release(&charset);
}

/* Output that outgrows the first guess, up to a few megabytes. */
static void test_long_text(void **state)
{
	static const size_t sizes[] = {1, 7, 8, 15, 16, 17, 1000, 3000000};
	struct error err = ERROR_INIT;
	struct charset charset;

	(void)state;
	MUST(charset_init(&charset, "CP1252", NULL, &err));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		char *text = malloc(sizes[i]);
		const unsigned char *bytes;
		const void *out;
		size_t len;

		assert_non_null(text);
		memset(text, 0x80, sizes[i]);
		MUST(charset_convert(&charset, text, sizes[i], &out, &len,
				     &err));
		assert_int_equal(len, 3 * sizes[i]);
		bytes = out;
		for (size_t at = 0; at < len; at += 3)
			assert_memory_equal(bytes + at, "\xe2\x82\xac", 3);
		free(text);
	}
	charset_release(&charset);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_code_point),
		cmocka_unit_test(test_mixed_text),
		cmocka_unit_test(test_invalid_utf16),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_same_encoding_is_not_touched),
		cmocka_unit_test(test_unknown_encoding),
		cmocka_unit_test(test_known_conversions),
		cmocka_unit_test(test_the_last_letter_is_not_lost),
		cmocka_unit_test(test_every_code_page),
		cmocka_unit_test(test_what_cannot_be_converted),
		cmocka_unit_test(test_spelled),
		cmocka_unit_test(test_goes_on_after_an_error),
		cmocka_unit_test(test_long_text),
	};

	return cmocka_run_group_tests_name("charset", tests, NULL, NULL);
}
