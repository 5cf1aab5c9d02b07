#include "unit/helper.h"

#include <string.h>

#include "drivers/postgresql/lsn.h"
#include "drivers/postgresql/slot.h"

static void test_texts(void **state)
{
	char text[LSN_TEXT_MAX];

	(void)state;
	assert_string_equal(lsn_format(text, 0x16B374D848), "16/B374D848");
	assert_string_equal(lsn_format(text, UINT64_MAX), "FFFFFFFF/FFFFFFFF");
	assert_string_equal(lsn_format(text, 0), "0/0");
	assert_int_equal(lsn_parse("16/B374D848"), 0x16B374D848);
	assert_true(lsn_parse("FFFFFFFF/FFFFFFFF") == UINT64_MAX);
	assert_int_equal(lsn_parse(""), 0);
	assert_int_equal(lsn_parse("16"), 0);
	assert_int_equal(lsn_parse("16/"), 0);
	assert_int_equal(lsn_parse("16/1x"), 0);
}

static void test_positions(void **state)
{
	struct lsn_position in = {.lsn = 0x16B374D848,
				  .system = 7012345678901234567,
				  .timeline = 3};
	struct lsn_position out, later = in;
	struct position position, other;
	struct error err = ERROR_INIT;

	(void)state;
	lsn_to_position(&position, &in);
	MUST(lsn_from_position(&out, &position, &err));
	assert_int_equal(out.lsn, in.lsn);
	assert_int_equal(out.system, in.system);
	assert_int_equal(out.timeline, in.timeline);
	assert_int_equal(out.read_until, in.lsn);
	in.read_until = in.lsn + 1;
	lsn_to_position(&position, &in);
	MUST(lsn_from_position(&out, &position, &err));
	assert_int_equal(out.read_until, in.read_until);
	assert_int_equal(out.lsn, in.lsn);
	/* Once that is reached it says nothing more. */
	in.lsn += 1;
	lsn_to_position(&position, &in);
	assert_int_equal(position.len, 20);
	/* They sort as bytes. */
	later.lsn += 256;
	lsn_to_position(&other, &later);
	assert_true(memcmp(position.bytes, other.bytes, position.len) < 0);
	/* One of another system, or none. */
	position.len = 10;
	MUST_FAIL(lsn_from_position(&out, &position, &err), ERROR_GAP);
	position.len = 0;
	MUST_FAIL(lsn_from_position(&out, &position, &err), ERROR_GAP);
}

/* Names that a slot may have: lower-case letters, digits, underscores. */
static void test_names(void **state)
{
	struct slot_names a, b;

	(void)state;
	slot_names_make(&a, "A1B2C3D4-E5F6-7890-ABCD-EF0123456789", 12,
			4294967295u);
	assert_string_equal(a.publication, "dataflow_a1b2c3d4e5f6_12");
	assert_string_equal(a.slot, "dataflow_a1b2c3d4e5f6_12_4294967295");
	assert_int_equal(
		strspn(a.slot, "abcdefghijklmnopqrstuvwxyz0123456789_"),
		strlen(a.slot));
	slot_names_make(&b, "A1B2C3D4-E5F6-7890-ABCD-EF0123456789", 1, 5);
	assert_string_not_equal(a.publication, b.publication);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_positions),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("lsn", tests, NULL, NULL);
}
