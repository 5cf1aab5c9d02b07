/* The promises of struct source_ops that do not concern changes. */
#include "contract/contract.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/contract_changes.h"

#define SRC contract.src
#define OPS contract.src->ops

#define BATCH_BYTES ((size_t)1 << 20)

/* Begin to read the whole table, read it, end. To be freed. */
static char *read_table(size_t rows, size_t bytes)
{
	struct error err = ERROR_INIT;
	struct table shape;
	char *text;

	describe_source(&shape);
	MUST(OPS->read_begin(SRC, &shape, NULL, &err));
	text = read_all(&shape, rows, bytes);
	sort_lines(text); /* they may come in any order */
	OPS->end(SRC);
	table_release(&shape);
	return text;
}

static void assert_read(size_t rows, size_t bytes, const char *want)
{
	char *got = read_table(rows, bytes);

	assert_text(got, want);
	free(got);
}

/* ------------------------------------------------------------ description */

static void test_describe(void **state)
{
	struct table shape;

	(void)state;
	contract_open_plain(LAB_MAIN);
	for (int i = 0; i < 2; i++) {
		const struct column *c;

		describe_source(&shape);
		assert_string_equal(shape.name.database,
				    contract.src_name.database);
		assert_string_equal(shape.name.schema,
				    contract.src_name.schema);
		assert_string_equal(shape.name.table, contract.src_name.table);
		assert_int_equal(shape.column_count, 4);
		c = shape.columns;
		assert_string_equal(c[0].name, "id");
		assert_int_equal(c[0].type, ROW_INT64);
		assert_false(c[0].nullable);
		assert_string_equal(c[1].name, "name");
		assert_int_equal(c[1].type, ROW_TEXT);
		assert_int_equal(c[1].length, 50);
		assert_true(c[1].nullable);
		assert_string_equal(c[2].name, "n");
		assert_int_equal(c[2].type, ROW_INT32);
		assert_string_equal(c[3].name, "sync");
		assert_int_equal(c[3].type, ROW_BOOL);
		for (int k = 0; k < 4; k++) {
			assert_non_null(c[k].native);
			assert_false(c[k].computed || c[k].generated ||
				     c[k].unsupported || c[k].identity);
			assert_null(c[k].charset);
		}
		assert_int_equal(shape.key_count, 1);
		assert_int_equal(shape.key[0], 0);
		table_release(&shape);
	}
}

static void test_describe_keys(void **state)
{
	struct table shape;

	(void)state;
	contract_open_plain(LAB_PAIR);
	describe_source(&shape);
	assert_int_equal(shape.key_count, 2);
	assert_int_equal(shape.key[0], 1); /* in the order of the key */
	assert_int_equal(shape.key[1], 0);
	table_release(&shape);
	contract_open_plain(LAB_BARE);
	describe_source(&shape);
	assert_int_equal(shape.key_count, 0);
	table_release(&shape);
}

static void test_missing_table(void **state)
{
	struct error err = ERROR_INIT;
	struct position position;
	struct table shape;

	(void)state;
	contract_open_source(LAB_MAIN, NULL, false);
	table_init(&shape);
	MUST_FAIL(OPS->describe(SRC, &shape, &err), ERROR_SCHEMA);
	assert_false(err.retryable);
	assert_non_null(strstr(err.message, contract.src_name.table));
	table_release(&shape);
	MUST_FAIL(OPS->position(SRC, &position, &err), ERROR_SCHEMA);
	OPS->release(SRC);
	/* Once it is there, the same object sees it. */
	contract.lab->make(LAB_SOURCE, LAB_MAIN);
	MUST(OPS->connect(SRC, &contract.cancel, &err));
	describe_source(&shape);
	assert_int_equal(shape.column_count, 4);
	table_release(&shape);
}

static void check_key(const char *key, bool unique)
{
	struct error err = ERROR_INIT;
	struct table shape;

	describe_source(&shape);
	MUST(table_set_key(&shape, key, &err));
	if (unique)
		MUST(OPS->check_key(SRC, &shape, &err));
	else
		MUST_FAIL(OPS->check_key(SRC, &shape, &err), ERROR_SCHEMA);
	table_release(&shape);
}

static void test_check_key(void **state)
{
	(void)state;
	contract_open_plain(LAB_MAIN);
	check_key("id", true);
	check_key("n,id", true);
	check_key("n", false);
	check_key("name,n", false);
	contract_open_plain(LAB_PAIR);
	check_key("a,b", true);
	check_key("b,a,v", true);
	check_key("a", false);
	check_key("b,v", false);
	contract_open_plain(LAB_BARE);
	check_key("id", false);
}

static void test_estimate(void **state)
{
	struct error err = ERROR_INIT;
	struct table shape;
	uint64_t rows = UINT64_MAX;

	(void)state;
	contract_open_plain(LAB_MAIN);
	contract.lab->change(LAB_MAIN, "+1 +2 +3");
	describe_source(&shape);
	MUST(OPS->estimate(SRC, &rows, &err));
	assert_true(rows < 1000000);
	table_release(&shape);
}

/* --------------------------------------------------------- trigger column */

static uint64_t triggered(uint64_t limit)
{
	struct error err = ERROR_INIT;
	uint64_t rows = 77, seen = 77;
	bool locked = true;

	MUST(OPS->triggered(SRC, limit, &seen, &locked, &err));
	assert_false(locked);
	MUST(OPS->triggered(SRC, limit, &rows, NULL, &err));
	assert_int_equal(rows, seen);
	return rows;
}

static void test_trigger_column(void **state)
{
	struct error err = ERROR_INIT;
	uint64_t rows = 77;

	(void)state;
	contract.lab->make(LAB_SOURCE, LAB_MAIN);
	contract_open_source(LAB_MAIN, "sync", false);
	assert_int_equal(triggered(10), 0);
	MUST(OPS->trigger_reset(SRC, &rows, &err));
	assert_int_equal(rows, 0);
	contract.lab->change(LAB_MAIN, "+1|a|1|1 +2|b|2|0 +3|c|3|NULL "
				       "+4|d|4|1 +5|e|5|1");
	assert_int_equal(triggered(10), 3);
	assert_int_equal(triggered(3), 3);
	assert_int_equal(triggered(2), 2);
	assert_int_equal(triggered(1), 1);
	assert_lab(LAB_SOURCE, LAB_MAIN,
		   "1|a|1|1\n2|b|2|0\n3|c|3|NULL\n4|d|4|1\n5|e|5|1\n");
	/* It reads as if it had been reset already. */
	assert_read(10, BATCH_BYTES,
		    "+ 1|a|1|0\n+ 2|b|2|0\n+ 3|c|3|NULL\n+ 4|d|4|0\n"
		    "+ 5|e|5|0\n");
	MUST(OPS->trigger_reset(SRC, &rows, &err));
	assert_int_equal(rows, 3);
	assert_int_equal(triggered(10), 0);
	assert_lab(LAB_SOURCE, LAB_MAIN,
		   "1|a|1|0\n2|b|2|0\n3|c|3|NULL\n4|d|4|0\n5|e|5|0\n");
	MUST(OPS->trigger_reset(SRC, &rows, &err));
	assert_int_equal(rows, 0);
}

static void test_odd_trigger_columns(void **state)
{
	static const char *const names[] = {"absent", "name"};
	struct error err = ERROR_INIT;
	uint64_t rows;

	(void)state;
	contract.lab->make(LAB_SOURCE, LAB_MAIN);
	contract.lab->change(LAB_MAIN, "+1|1");
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		contract_open_source(LAB_MAIN, names[i], false);
		MUST_FAIL(OPS->triggered(SRC, 1, &rows, NULL, &err),
			  ERROR_SCHEMA);
		assert_non_null(strstr(err.message, names[i]));
		contract_open_source(LAB_MAIN, names[i], false);
		MUST_FAIL(OPS->trigger_reset(SRC, &rows, &err), ERROR_SCHEMA);
	}
	assert_lab(LAB_SOURCE, LAB_MAIN, "1|1|NULL|NULL\n");
	/* An integer will do as well as a bit. */
	contract_open_source(LAB_MAIN, "n", false);
	contract.lab->change(LAB_MAIN, "+1|a|1|1 +2|b|2|1");
	assert_int_equal(triggered(10), 1);
	MUST(OPS->trigger_reset(SRC, &rows, &err));
	assert_int_equal(rows, 1);
	assert_lab(LAB_SOURCE, LAB_MAIN, "1|a|0|1\n2|b|2|1\n");
}

/* ------------------------------------------------------------------- rows */

static void test_read_empty(void **state)
{
	(void)state;
	contract_open_plain(LAB_MAIN);
	assert_read(10, BATCH_BYTES, "");
}

static void test_read_in_batches(void **state)
{
	static const size_t sizes[] = {1, 2, 3, 4, 7, 8, 1000};
	char changes[1000] = "", want[1000] = "";
	size_t len = 0, want_len = 0;

	(void)state;
	contract_open_plain(LAB_MAIN);
	for (int i = 1; i <= 7; i++) {
		len += (size_t)snprintf(changes + len, sizeof(changes) - len,
					"+%d|r%d|%d ", i, i, i * i);
		want_len += (size_t)snprintf(want + want_len,
					     sizeof(want) - want_len,
					     "+ %d|r%d|%d|NULL\n", i, i, i * i);
	}
	contract.lab->change(LAB_MAIN, changes);
	for (size_t i = 0; i < COUNT_OF(sizes); i++)
		assert_read(sizes[i], BATCH_BYTES, want);
}

static void test_read_values(void **state)
{
	(void)state;
	contract_open_plain(LAB_MAIN);
	contract.lab->change(LAB_MAIN,
			     "+-9223372036854775808|low|-2147483648|0 +0||0|1 "
			     "+1|z\xc3\xbcrich\xe2\x82\xac|NULL|NULL "
			     "+2|\xf0\x9f\x98\x80|1|0 +3|it's\"[]%|2|0 "
			     "+9223372036854775807|high|2147483647|1");
	assert_read(10, BATCH_BYTES,
		    "+ -9223372036854775808|low|-2147483648|0\n"
		    "+ 0||0|1\n"
		    "+ 1|z\xc3\xbcrich\xe2\x82\xac|NULL|NULL\n"
		    "+ 2|\xf0\x9f\x98\x80|1|0\n"
		    "+ 3|it's\"[]%|2|0\n"
		    "+ 9223372036854775807|high|2147483647|1\n");
}

/* Only some columns, in the order that the shape has them. */
static void test_read_some_columns(void **state)
{
	const bool keep[4] = {true, false, true, false};
	struct error err = ERROR_INIT;
	struct table all, some;
	char *text;

	(void)state;
	contract_open_plain(LAB_MAIN);
	contract.lab->change(LAB_MAIN, "+1|a|10 +2|b|20");
	describe_source(&all);
	table_init(&some);
	MUST(table_project(&some, &all, NULL, keep, &err));
	MUST(OPS->read_begin(SRC, &some, NULL, &err));
	text = read_all(&some, 10, BATCH_BYTES);
	sort_lines(text);
	assert_text(text, "+ 1|10\n+ 2|20\n");
	free(text);
	OPS->end(SRC);
	table_release(&some);
	table_release(&all);
}

static void test_read_native_text(void **state)
{
	struct error err = ERROR_INIT;
	struct table shape;
	char *text;

	(void)state;
	contract.lab->make(LAB_SOURCE, LAB_MAIN);
	contract.lab->change(LAB_MAIN, "+1|z\xc3\xbcrich +2| +3|NULL");
	for (int native = 0; native < 2; native++) {
		contract_open_source(LAB_MAIN, NULL, native);
		describe_source(&shape);
		MUST(OPS->read_begin(SRC, &shape, NULL, &err));
		/* Unless it was asked for, text is UTF-8. */
		for (size_t i = 0; i < shape.column_count && !native; i++)
			assert_null(shape.columns[i].charset);
		text = read_all(&shape, 10, BATCH_BYTES);
		sort_lines(text);
		assert_text(text, "+ 1|z\xc3\xbcrich|NULL|NULL\n"
				  "+ 2||NULL|NULL\n+ 3|NULL|NULL|NULL\n");
		free(text);
		OPS->end(SRC);
		table_release(&shape);
	}
}

static void make_wide_rows(int count, int length)
{
	struct strbuf changes;

	for (int i = 1; i <= count; i++) {
		strbuf_init(&changes);
		strbuf_addf(&changes, "+%d|", i);
		for (int k = 0; k < length; k++)
			strbuf_addch(&changes, (char)('a' + (i + k) % 26));
		contract.lab->change(LAB_WIDE, changes.data);
		strbuf_release(&changes);
	}
}

/* What has no room in the rest of a batch comes in the next one, whole. */
static void test_read_wide_rows(void **state)
{
	char *one, *many;

	(void)state;
	contract_open_plain(LAB_WIDE);
	make_wide_rows(9, 3000);
	many = read_table(1000, BATCH_BYTES);
	assert_true(strlen(many) > 9 * 3000);
	for (size_t bytes = 8000; bytes < 40000; bytes += 5000) {
		one = read_table(1000, bytes);
		assert_text(one, many);
		free(one);
	}
	free(many);
}

/* One that a whole batch has no room for comes alone, and was announced. */
static void test_read_large_rows(void **state)
{
	struct error err = ERROR_INIT;
	struct table shape;
	struct batch batch;
	char *alone, *all;

	(void)state;
	contract_open_plain(LAB_WIDE);
	make_wide_rows(3, 20000);
	describe_source(&shape);
	MUST(OPS->read_begin(SRC, &shape, NULL, &err));
	assert_true(SRC->rows.bytes >= 20000);
	assert_true(SRC->rows.longest >= 20000);
	assert_non_null(SRC->rows.column);
	MUST(batch_init(&batch, &shape, 10, 8000, &err));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(OPS->next(SRC, &batch, &err), 1);
		assert_int_equal(batch.rows, 1);
		assert_true(batch.lone);
		assert_true(batch_bytes(&batch) >= 20000);
		batch_reset(&batch);
	}
	assert_int_equal(OPS->next(SRC, &batch, &err), 0);
	OPS->end(SRC);
	batch_release(&batch);
	table_release(&shape);
	alone = read_table(10, 8000);
	all = read_table(10, BATCH_BYTES);
	assert_text(alone, all);
	assert_int_equal(strlen(all), 3 * (20000 + strlen("+ 1|\n")));
	free(alone);
	free(all);
}

/* A read that is broken off before a large row came. */
static void test_large_rows_broken_off(void **state)
{
	struct error err = ERROR_INIT;
	struct table shape;
	char *all;

	(void)state;
	contract_open_plain(LAB_WIDE);
	make_wide_rows(3, 20000);
	describe_source(&shape);
	MUST(OPS->read_begin(SRC, &shape, NULL, &err));
	OPS->end(SRC);
	assert_int_equal(SRC->rows.bytes, 0);
	OPS->release(SRC);
	MUST(OPS->connect(SRC, &contract.cancel, &err));
	table_release(&shape);
	all = read_table(10, BATCH_BYTES);
	assert_int_equal(strlen(all), 3 * (20000 + strlen("+ 1|\n")));
	free(all);
}

/* The rows as of one moment, whatever is committed meanwhile. */
static void test_read_is_a_snapshot(void **state)
{
	struct error err = ERROR_INIT;
	struct table shape;
	struct batch batch;
	struct strbuf text;
	int rc;

	(void)state;
	if (!(contract.driver->abilities & SOURCE_SNAPSHOTS))
		skip();
	contract_open_plain(LAB_MAIN);
	contract.lab->change(LAB_MAIN, "+1|a +2|b +3|c +4|d");
	describe_source(&shape);
	strbuf_init(&text);
	MUST(OPS->read_begin(SRC, &shape, NULL, &err));
	MUST(batch_init(&batch, &shape, 1, BATCH_BYTES, &err));
	while ((rc = OPS->next(SRC, &batch, &err)) > 0) {
		row_text(&text, &batch, 0);
		batch_reset(&batch);
		contract.lab->change(LAB_MAIN, "+1|x -2 +3|y -4 +5|z +6|w");
	}
	MUST(rc);
	OPS->end(SRC);
	sort_lines(text.data);
	assert_text(text.data, "+ 1|a|NULL|NULL\n+ 2|b|NULL|NULL\n"
			       "+ 3|c|NULL|NULL\n+ 4|d|NULL|NULL\n");
	strbuf_release(&text);
	batch_release(&batch);
	table_release(&shape);
	assert_read(10, BATCH_BYTES,
		    "+ 1|x|NULL|NULL\n+ 3|y|NULL|NULL\n"
		    "+ 5|z|NULL|NULL\n+ 6|w|NULL|NULL\n");
}

/* ------------------------------------------------------- begins and ends */

static void test_end_early_and_twice(void **state)
{
	struct error err = ERROR_INIT;
	struct table shape;
	struct batch batch;

	(void)state;
	contract_open_plain(LAB_MAIN);
	contract.lab->change(LAB_MAIN, "+1 +2 +3 +4 +5");
	OPS->end(SRC); /* nothing was begun */
	describe_source(&shape);
	MUST(batch_init(&batch, &shape, 2, BATCH_BYTES, &err));
	for (int i = 0; i < 3; i++) {
		MUST(OPS->read_begin(SRC, &shape, NULL, &err));
		for (int k = 0; k < i; k++) {
			batch_reset(&batch);
			assert_int_equal(OPS->next(SRC, &batch, &err), 1);
			assert_int_equal(batch.rows, 2);
		}
		OPS->end(SRC);
		OPS->end(SRC);
	}
	batch_release(&batch);
	table_release(&shape);
	assert_read(10, BATCH_BYTES,
		    "+ 1|NULL|NULL|NULL\n+ 2|NULL|NULL|NULL\n"
		    "+ 3|NULL|NULL|NULL\n+ 4|NULL|NULL|NULL\n"
		    "+ 5|NULL|NULL|NULL\n");
}

static void test_release_and_connect(void **state)
{
	struct error err = ERROR_INIT;
	struct source_spec spec = {.server = contract.from};
	struct source *other;
	struct table shape;

	(void)state;
	contract_open_plain(LAB_MAIN);
	contract.lab->change(LAB_MAIN, "+1 +2");
	describe_source(&shape);
	MUST(OPS->read_begin(SRC, &shape, NULL, &err));
	OPS->release(SRC); /* ends what was begun */
	OPS->release(SRC);
	MUST(OPS->connect(SRC, &contract.cancel, &err));
	assert_read(10, BATCH_BYTES,
		    "+ 1|NULL|NULL|NULL\n+ 2|NULL|NULL|NULL\n");
	table_release(&shape);
	/* One that was never connected. */
	spec.name = contract.src_name;
	MUST(contract.driver->source->open(&spec, &other, &err));
	other->ops->release(other);
	other->ops->close(other);
}

struct reader {
	struct table *shape;
	struct strbuf text;
	struct error err;
	int rc;
};

static void *read_in_thread(void *arg)
{
	struct reader *reader = arg;
	struct batch batch;

	if (batch_init(&batch, reader->shape, 2, BATCH_BYTES, &reader->err) <
	    0) {
		reader->rc = -1;
		return NULL;
	}
	while ((reader->rc = OPS->next(SRC, &batch, &reader->err)) > 0) {
		for (size_t i = 0; i < batch.rows; i++)
			row_text(&reader->text, &batch, i);
		batch_reset(&batch);
	}
	batch_release(&batch);
	return NULL;
}

static void test_next_from_another_thread(void **state)
{
	struct error err = ERROR_INIT;
	struct reader reader = {.rc = 0};
	struct table shape;
	pthread_t thread;

	(void)state;
	contract_open_plain(LAB_MAIN);
	contract.lab->change(LAB_MAIN, "+1|a +2|b +3|c");
	describe_source(&shape);
	reader.shape = &shape;
	strbuf_init(&reader.text);
	MUST(OPS->read_begin(SRC, &shape, NULL, &err));
	assert_int_equal(pthread_create(&thread, NULL, read_in_thread, &reader),
			 0);
	pthread_join(thread, NULL);
	OPS->end(SRC);
	assert_int_equal(reader.rc, 0);
	sort_lines(reader.text.data);
	assert_text(reader.text.data, "+ 1|a|NULL|NULL\n+ 2|b|NULL|NULL\n"
				      "+ 3|c|NULL|NULL\n");
	strbuf_release(&reader.text);
	table_release(&shape);
}

int contract_run_source(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, contract_setup, contract_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_describe),
		TEST(test_describe_keys),
		TEST(test_missing_table),
		TEST(test_check_key),
		TEST(test_estimate),
		TEST(test_trigger_column),
		TEST(test_odd_trigger_columns),
		TEST(test_read_empty),
		TEST(test_read_in_batches),
		TEST(test_read_values),
		TEST(test_read_some_columns),
		TEST(test_read_native_text),
		TEST(test_read_wide_rows),
		TEST(test_read_large_rows),
		TEST(test_large_rows_broken_off),
		TEST(test_read_is_a_snapshot),
		TEST(test_end_early_and_twice),
		TEST(test_release_and_connect),
		TEST(test_next_from_another_thread),
	};

	return cmocka_run_group_tests_name("source", tests, NULL, NULL) +
	       contract_run_changes() + contract_run_choices();
}
