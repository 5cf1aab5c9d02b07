#include "unit/helper.h"

#include <math.h>
#include <string.h>

#include "row/batch.h"
#include "unit/rows.h"

static const struct column columns[] = {
	{.name = "id", .type = ROW_INT64},
	{.name = "f", .type = ROW_FLOAT64},
	{.name = "d", .type = ROW_DECIMAL, .precision = 38},
	{.name = "t", .type = ROW_TEXT},
	{.name = "z", .type = ROW_TIMESTAMPTZ},
	{.name = "u", .type = ROW_UUID},
	{.name = "b", .type = ROW_BYTES},
};

static struct table table;

static int setup(void **state)
{
	(void)state;
	table_make(&table, "t", columns, COUNT_OF(columns), "id");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	table_release(&table);
	return 0;
}

static void put_all_null(struct batch *batch)
{
	for (size_t col = 0; col < batch->table->column_count; col++)
		batch_put_null(batch, col);
}

static void test_every_store(void **state)
{
	struct error err = ERROR_INIT;
	row_int128 big = (row_int128)INT64_MAX * INT64_MAX;
	struct batch batch;

	(void)state;
	MUST(batch_init(&batch, &table, 100, 1 << 20, &err));
	assert_int_equal(batch.capacity, 100);
	for (int i = 0; i < 100; i++) {
		unsigned char *bytes;

		assert_false(batch_full(&batch));
		batch_put_i64(&batch, 0, i % 2 ? INT64_MIN + i : INT64_MAX - i);
		batch_put_f64(&batch, 1, i == 7 ? NAN : i / 3.0);
		batch_put_wide(&batch, 2)->decimal = i % 2 ? -big + i : big - i;
		bytes = batch_put_slice(&batch, 3, (size_t)i);
		assert_non_null(bytes);
		memset(bytes, i, (size_t)i);
		batch_put_wide(&batch, 4)->timestamptz =
			(struct row_timestamptz){i, (int16_t)-i};
		memset(batch_put_wide(&batch, 5)->uuid.bytes, i, 16);
		if (i % 3)
			batch_put_null(&batch, 6);
		else
			memcpy(batch_put_slice(&batch, 6, 2), "\0x", 2);
		batch_add_row(&batch, i % 5 ? ROW_UPSERT : ROW_DELETE);
	}
	assert_true(batch_full(&batch));
	for (size_t i = 0; i < 100; i++) {
		int n = (int)i;

		assert_int_equal(batch_op(&batch, i),
				 i % 5 ? ROW_UPSERT : ROW_DELETE);
		assert_true(batch.columns[0].i64[i] ==
			    (n % 2 ? INT64_MIN + n : INT64_MAX - n));
		assert_true(i == 7 ? isnan(batch.columns[1].f64[i])
				   : batch.columns[1].f64[i] == n / 3.0);
		assert_true(batch.columns[2].wide[i].decimal ==
			    (n % 2 ? -big + n : big - n));
		assert_int_equal(batch.columns[3].slice[i].len, i);
		for (size_t at = 0; at < i; at++)
			assert_int_equal(batch.columns[3].slice[i].data[at], i);
		assert_int_equal(batch.columns[4].wide[i].timestamptz.utc, i);
		assert_int_equal(
			batch.columns[4].wide[i].timestamptz.offset_minutes,
			-n);
		assert_int_equal(batch.columns[5].wide[i].uuid.bytes[15], i);
		assert_int_equal(batch_null(&batch, 6, i), i % 3 != 0);
		for (size_t col = 0; col < 6; col++)
			assert_false(batch_null(&batch, col, i));
	}
	batch_release(&batch);
	batch_release(&batch);
}

/* A row that was begun and not added leaves nothing behind. */
static void test_null_bitmap_written_over(void **state)
{
	struct error err = ERROR_INIT;
	struct batch batch;

	(void)state;
	MUST(batch_init(&batch, &table, 64, 1 << 20, &err));
	for (size_t row = 0; row < 64; row++) {
		put_all_null(&batch); /* not added */
		assert_true(batch_null(&batch, 3, row));
		for (int i = 0; i < 2; i++) {
			batch_put_i64(&batch, 0, 1);
			batch_put_f64(&batch, 1, 1);
			batch_put_wide(&batch, 2)->decimal = 1;
			assert_non_null(batch_put_slice(&batch, 3, 0));
			batch_put_wide(&batch, 4)->timestamptz.utc = 1;
			memset(batch_put_wide(&batch, 5), 0,
			       sizeof(union row_wide));
			batch_put_null(&batch, 6);
		}
		if (row % 2)
			put_all_null(&batch);
		batch_add_row(&batch, ROW_UPSERT);
	}
	for (size_t row = 0; row < 64; row++)
		for (size_t col = 0; col < 7; col++)
			assert_int_equal(batch_null(&batch, col, row),
					 row % 2 || col == 6);
	batch_release(&batch);
}

/* NULL bits of the round before must not be seen in the next one. */
static void test_reset(void **state)
{
	struct error err = ERROR_INIT;
	struct batch batch;

	(void)state;
	MUST(batch_init(&batch, &table, 20, 1 << 20, &err));
	for (int round = 0; round < 4; round++) {
		assert_int_equal(batch.rows, 0);
		while (!batch_full(&batch)) {
			put_all_null(&batch);
			if (round % 2) {
				batch_put_i64(&batch, 0, round);
				put_text(&batch, 3, "text");
			}
			batch_add_row(&batch,
				      round % 2 ? ROW_UPSERT : ROW_DELETE);
		}
		for (size_t row = 0; row < batch.rows; row++) {
			assert_int_equal(batch_null(&batch, 0, row),
					 round % 2 == 0);
			assert_int_equal(batch_op(&batch, row),
					 round % 2 ? ROW_UPSERT : ROW_DELETE);
		}
		batch_reset(&batch);
	}
	batch_release(&batch);
}

static void test_capacity_by_rows(void **state)
{
	struct error err = ERROR_INIT;
	struct batch batch;

	(void)state;
	for (size_t rows = 1; rows < 70; rows++) {
		MUST(batch_init(&batch, &table, rows, 1 << 20, &err));
		assert_int_equal(batch.capacity, rows);
		while (!batch_full(&batch)) {
			put_all_null(&batch);
			batch_add_row(&batch, ROW_UPSERT);
		}
		assert_int_equal(batch.rows, rows);
		batch_release(&batch);
	}
}

/* Arrays and slices together stay below what was allowed. */
static void test_capacity_by_bytes(void **state)
{
	struct error err = ERROR_INIT;
	struct batch batch;

	(void)state;
	for (size_t bytes = 2000; bytes < 4000000; bytes = bytes * 3 / 2) {
		size_t text = 0;

		MUST(batch_init(&batch, &table, 1000000, bytes, &err));
		assert_true(batch.capacity >= 1);
		assert_true(batch.frame.used < bytes);
		for (size_t i = 0; !batch_full(&batch); i++) {
			put_all_null(&batch);
			if (!batch_put_slice(&batch, 3, i % 50))
				break;
			text += i % 50;
			batch_add_row(&batch, ROW_UPSERT);
		}
		assert_true(batch.rows > 0);
		assert_true(batch.frame.used + text <= bytes);
		batch_release(&batch);
	}
}

static void test_tiny_memory_has_one_row(void **state)
{
	struct error err = ERROR_INIT;
	struct batch batch;

	(void)state;
	for (size_t bytes = 0; bytes < 400; bytes += 13) {
		MUST(batch_init(&batch, &table, 1000, bytes, &err));
		assert_true(batch.capacity >= 1);
		batch_put_i64(&batch, 0, 42);
		batch_put_f64(&batch, 1, 1);
		batch_put_wide(&batch, 2)->decimal = 1;
		assert_non_null(batch_put_slice(&batch, 3, 0));
		batch_put_null(&batch, 4);
		batch_put_null(&batch, 5);
		assert_null(batch_put_slice(&batch, 6, 1000));
		batch_put_null(&batch, 6);
		batch_add_row(&batch, ROW_UPSERT);
		assert_int_equal(batch.columns[0].i64[0], 42);
		batch_release(&batch);
	}
}

/* A value that has no room is refused; the batch goes on with others. */
static void test_slice_that_does_not_fit(void **state)
{
	struct error err = ERROR_INIT;
	struct batch batch;
	size_t room;

	(void)state;
	MUST(batch_init(&batch, &table, 10, 100000, &err));
	room = 100000 - batch.frame.used;
	put_all_null(&batch);
	assert_null(batch_put_slice(&batch, 3, 100001));
	assert_null(batch_put_slice(&batch, 3, SIZE_MAX));
	assert_true(batch_null(&batch, 3, 0)); /* as it was */
	assert_non_null(batch_put_slice(&batch, 3, room));
	assert_null(batch_put_slice(&batch, 6, 1));
	assert_non_null(batch_put_slice(&batch, 6, 0));
	batch_add_row(&batch, ROW_UPSERT);
	batch_reset(&batch);
	assert_non_null(batch_put_slice(&batch, 3, room)); /* again */
	batch_release(&batch);
}

/* A row that has no room at all comes alone; then all is as before. */
static void test_lone_row(void **state)
{
	static const unsigned char bytes[] = "borrowed";
	struct error err = ERROR_INIT;
	struct batch batch;

	(void)state;
	MUST(batch_init(&batch, &table, 10, 10000, &err));
	put_all_null(&batch);
	assert_null(batch_put_slice(&batch, 3, 50000));
	batch_make_lone(&batch);
	assert_false(batch_full(&batch));
	put_all_null(&batch);
	assert_non_null(batch_put_slice(&batch, 3, 50000));
	batch_put_borrowed(&batch, 6, bytes, sizeof(bytes));
	batch_add_row(&batch, ROW_UPSERT);
	assert_true(batch_full(&batch));
	assert_ptr_equal(batch.columns[6].slice[0].data, bytes);
	assert_false(batch_null(&batch, 6, 0));
	assert_true(batch_bytes(&batch) >= 50000 + sizeof(bytes));
	batch_reset(&batch);
	assert_false(batch_full(&batch));
	put_all_null(&batch);
	assert_null(batch_put_slice(&batch, 3, 50000));
	batch_release(&batch);
}

static void test_empty_slice_is_not_null(void **state)
{
	struct error err = ERROR_INIT;
	struct batch batch;

	(void)state;
	MUST(batch_init(&batch, &table, 10, 10000, &err));
	put_all_null(&batch);
	assert_non_null(batch_put_slice(&batch, 3, 0));
	batch_add_row(&batch, ROW_UPSERT);
	assert_false(batch_null(&batch, 3, 0));
	assert_int_equal(batch.columns[3].slice[0].len, 0);
	assert_true(batch_null(&batch, 6, 0));
	batch_release(&batch);
}

static void test_table_without_columns(void **state)
{
	struct error err = ERROR_INIT;
	struct table none;
	struct batch batch;

	(void)state;
	table_init(&none);
	MUST(batch_init(&batch, &none, 5, 1000, &err));
	batch_add_row(&batch, ROW_UPSERT);
	assert_int_equal(batch.rows, 1);
	batch_release(&batch);
}

static void test_too_large_to_make(void **state)
{
	struct error err = ERROR_INIT;
	struct batch batch;

	(void)state;
	MUST_FAIL(batch_init(&batch, &table, SIZE_MAX, SIZE_MAX, &err),
		  ERROR_MEMORY);
	batch_release(&batch);
}

static void test_release_of_zeroed(void **state)
{
	struct batch batch;

	(void)state;
	memset(&batch, 0, sizeof(batch));
	batch_release(&batch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_store),
		cmocka_unit_test(test_null_bitmap_written_over),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_capacity_by_rows),
		cmocka_unit_test(test_capacity_by_bytes),
		cmocka_unit_test(test_tiny_memory_has_one_row),
		cmocka_unit_test(test_slice_that_does_not_fit),
		cmocka_unit_test(test_lone_row),
		cmocka_unit_test(test_empty_slice_is_not_null),
		cmocka_unit_test(test_table_without_columns),
		cmocka_unit_test(test_too_large_to_make),
		cmocka_unit_test(test_release_of_zeroed),
	};

	return cmocka_run_group_tests_name("batch", tests, setup, teardown);
}
