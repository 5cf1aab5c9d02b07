#include "unit/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/files/change_view.h"
#include "row/text.h"
#include "unit/rows.h"

static const struct column columns[] = {
	{.name = "id", .type = ROW_INT64},
	{.name = "body", .type = ROW_TEXT, .nullable = true},
	{.name = "n", .type = ROW_INT32},
};

/* The rows as they will be in a file, a line each. */
static char *look(struct change_view *view, const struct batch *changes,
		  int64_t *seq)
{
	struct error err = ERROR_INIT;
	const struct batch *out;
	struct strbuf text;

	MUST(change_view_take(view, changes, seq, &out, &err));
	assert_int_equal(out->rows, changes->rows);
	strbuf_init(&text);
	for (size_t row = 0; row < out->rows; row++) {
		for (size_t i = 0; i < out->table->column_count; i++) {
			strbuf_addstr(&text, i ? "|" : "");
			row_format(&text, out, i, row);
		}
		strbuf_addch(&text, '\n');
	}
	return strbuf_detach(&text);
}

static void put(struct batch *batch, int64_t id, const char *body, int64_t n,
		enum row_op op)
{
	batch_put_i64(batch, 0, id);
	if (body && !strcmp(body, "*"))
		batch_put_unchanged(batch, 1);
	else if (body)
		put_text(batch, 1, body);
	else
		batch_put_null(batch, 1);
	batch_put_i64(batch, 2, n);
	batch_add_row(batch, op);
}

static void stamp(struct change_view *view, unsigned char number)
{
	struct error err = ERROR_INIT;
	struct position to;

	MUST(position_set(&to, &number, 1, &err));
	MUST(change_view_stamp(view, &to, INT64_C(1769864459123456), &err));
}

#define AT "2026-01-31T13:00:59.123456+00:00"

static void test_rows(void **state)
{
	struct error err = ERROR_INIT;
	struct change_view view;
	struct table table;
	struct batch batch;
	int64_t seq = 41;
	char *text;

	(void)state;
	table_make(&table, "t", columns, COUNT_OF(columns), "id");
	MUST(change_view_init(&view, &table, &err));
	batch_make(&batch, &table);
	stamp(&view, 0x1f);
	put(&batch, 1, "a", 10, ROW_UPSERT);
	put(&batch, 2, NULL, 20, ROW_UPSERT);
	text = look(&view, &batch, &seq);
	assert_string_equal(text, "U|0x1F|" AT "|42|NULL|1|a|10\n"
				  "U|0x1F|" AT "|43|NULL|2|NULL|20\n");
	free(text);
	/* What a delete holds beside the key means nothing, and is not told. */
	batch_reset(&batch);
	stamp(&view, 0x20);
	put(&batch, 1, "garbage", 99, ROW_DELETE);
	put(&batch, 3, "c", 30, ROW_UPSERT);
	text = look(&view, &batch, &seq);
	assert_string_equal(text, "D|0x20|" AT "|44|NULL|1|NULL|NULL\n"
				  "U|0x20|" AT "|45|NULL|3|c|30\n");
	free(text);
	/* The next batch is not marked by the one before. */
	batch_reset(&batch);
	put(&batch, 4, "d", 40, ROW_UPSERT);
	text = look(&view, &batch, &seq);
	assert_string_equal(text, "U|0x20|" AT "|46|NULL|4|d|40\n");
	free(text);
	batch_release(&batch);
	change_view_release(&view);
	table_release(&table);
}

static void test_unchanged(void **state)
{
	struct error err = ERROR_INIT;
	struct change_view view;
	struct table table;
	struct batch batch;
	int64_t seq = 0;
	char *text;

	(void)state;
	table_make(&table, "t", columns, COUNT_OF(columns), "id");
	MUST(change_view_init(&view, &table, &err));
	batch_make(&batch, &table);
	stamp(&view, 1);
	put(&batch, 1, "*", 10, ROW_UPSERT);
	put(&batch, 2, "b", 20, ROW_UPSERT);
	put(&batch, 3, "*", 30, ROW_UPSERT);
	text = look(&view, &batch, &seq);
	assert_string_equal(text, "U|0x01|" AT "|1|[\"body\"]|1|NULL|10\n"
				  "U|0x01|" AT "|2|NULL|2|b|20\n"
				  "U|0x01|" AT "|3|[\"body\"]|3|NULL|30\n");
	free(text);
	batch_reset(&batch);
	put(&batch, 4, "x", 1, ROW_UPSERT);
	text = look(&view, &batch, &seq);
	assert_string_equal(text, "U|0x01|" AT "|4|NULL|4|x|1\n");
	free(text);
	batch_release(&batch);
	change_view_release(&view);
	table_release(&table);
}

/* More rows than before, many times. */
static void test_growing(void **state)
{
	struct error err = ERROR_INIT;
	struct change_view view;
	struct table table;
	int64_t seq = 0;

	(void)state;
	table_make(&table, "t", columns, COUNT_OF(columns), "id");
	MUST(change_view_init(&view, &table, &err));
	stamp(&view, 1);
	for (size_t rows = 1; rows < 3000; rows = rows * 3 + 1) {
		const struct batch *out;
		struct batch batch;
		int64_t before = seq;

		MUST(batch_init(&batch, &table, rows, (size_t)1 << 22, &err));
		for (size_t i = 0; i < rows; i++)
			put(&batch, (int64_t)i, i % 5 ? "x" : "*", 1,
			    i % 3 ? ROW_UPSERT : ROW_DELETE);
		MUST(change_view_take(&view, &batch, &seq, &out, &err));
		assert_int_equal(seq - before, rows);
		for (size_t i = 0; i < rows; i++) {
			assert_int_equal(out->columns[3].i64[i],
					 before + 1 + (int64_t)i);
			assert_int_equal(batch_null(out, 7, i), i % 3 == 0);
			assert_int_equal(batch_null(out, 4, i), i % 5 != 0);
			assert_false(batch_null(out, 5, i));
		}
		batch_release(&batch);
	}
	change_view_release(&view);
	table_release(&table);
}

/* A table that has such columns itself keeps them. */
static void test_names(void **state)
{
	static const struct column odd[] = {
		{.name = "_OP", .type = ROW_INT64},
		{.name = "__op", .type = ROW_INT64},
		{.name = "_seq", .type = ROW_INT64},
	};
	struct error err = ERROR_INIT;
	struct change_view view;
	struct table table;

	(void)state;
	table_make(&table, "t", odd, COUNT_OF(odd), "_OP");
	MUST(change_view_init(&view, &table, &err));
	assert_int_equal(view.table.column_count, 8);
	assert_string_equal(view.table.columns[0].name, "___op");
	assert_string_equal(view.table.columns[1].name, "_position");
	assert_string_equal(view.table.columns[3].name, "__seq");
	assert_string_equal(view.table.columns[5].name, "_OP");
	assert_int_equal(view.table.key_count, 1);
	assert_int_equal(view.table.key[0], 5);
	assert_false(view.table.columns[5].nullable);
	assert_true(view.table.columns[6].nullable);
	change_view_release(&view);
	table_release(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_unchanged),
		cmocka_unit_test(test_growing),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("change view", tests, NULL, NULL);
}
