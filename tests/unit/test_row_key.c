#include "unit/helper.h"

#include <string.h>

#include "row/key.h"
#include "unit/rows.h"

static const struct column columns[] = {
	{.name = "a", .type = ROW_INT64},
	{.name = "b", .type = ROW_TEXT},
	{.name = "c", .type = ROW_UUID},
	{.name = "d", .type = ROW_FLOAT64},
};

static struct table table;
static struct batch batch;

static int setup(void **state)
{
	(void)state;
	table_make(&table, "t", columns, COUNT_OF(columns), "a, b, c, d");
	batch_make(&batch, &table);
	batch_put_i64(&batch, 0, -5);
	put_text(&batch, 1, "grüße");
	for (int i = 0; i < 16; i++)
		batch_put_wide(&batch, 2)->uuid.bytes[i] = (unsigned char)i;
	batch_put_f64(&batch, 3, 2.5);
	batch_add_row(&batch, ROW_UPSERT);
	batch_put_i64(&batch, 0, 6);
	put_text(&batch, 1, "");
	batch_put_null(&batch, 2);
	batch_put_f64(&batch, 3, 0);
	batch_add_row(&batch, ROW_UPSERT);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	batch_release(&batch);
	table_release(&table);
	return 0;
}

static void test_round_trip(void **state)
{
	struct error err = ERROR_INIT;
	struct row_key key = {NULL, 0}, again = {NULL, 0}, copy = {NULL, 0};
	struct strbuf hex, want;
	struct batch out;

	(void)state;
	batch_make(&out, &table);
	strbuf_init(&hex);
	for (size_t row = 0; row < batch.rows; row++) {
		MUST(row_key_take(&key, &batch, row, &err));
		strbuf_reset(&hex);
		row_key_format(&key, &hex);
		MUST(row_key_parse(&again, hex.data, &err));
		MUST(row_key_copy(&copy, &again, &err));
		assert_int_equal(copy.len, key.len);
		MUST(row_key_put(&copy, &out, &err));
	}
	strbuf_init(&want);
	rows_text(&want, &batch);
	assert_rows(&out, want.data);
	strbuf_release(&want);
	strbuf_release(&hex);
	row_key_release(&key);
	row_key_release(&again);
	row_key_release(&copy);
	batch_release(&out);
}

/* What came from elsewhere is no key of this table. */
static void test_garbage(void **state)
{
	struct error err = ERROR_INIT;
	struct row_key key = {NULL, 0};

	(void)state;
	assert_int_equal(row_key_parse(&key, "0", &err), -1);
	assert_int_equal(row_key_parse(&key, "0g", &err), -1);
	assert_int_equal(row_key_parse(&key, "00AA", &err), -1);
	assert_null(key.bytes);
	MUST(row_key_take(&key, &batch, 0, &err));
	for (size_t len = key.len; len-- > 0;) {
		key.len = len;
		assert_int_equal(row_key_put(&key, &batch, &err), -1);
		assert_int_equal(err.kind, ERROR_DATA);
	}
	assert_int_equal(batch.rows, 2);
	row_key_release(&key);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_round_trip),
		TEST(test_garbage),
	};

	return cmocka_run_group_tests_name("row key", tests, NULL, NULL);
}
