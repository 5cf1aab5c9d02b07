/* The choices of rows that a read can be for, and what goes with them. */
#include "contract/contract.h"

#include <string.h>

#define SRC contract.src
#define OPS contract.src->ops

#define BATCH_BYTES ((size_t)1 << 20)

/* The key columns alone, of describe()'s table. */
static void make_key_shape(struct table *keys, const struct table *shape)
{
	struct error err = ERROR_INIT;
	bool keep[8] = {false};

	for (size_t k = 0; k < shape->key_count; k++)
		keep[shape->key[k]] = true;
	table_init(keys);
	MUST(table_project(keys, shape, NULL, keep, &err));
}

/* Read what was chosen; the rows, sorted, are to be `want`. */
static void assert_choice(struct table *shape, const struct row_choice *choice,
			  const char *want)
{
	struct error err = ERROR_INIT;
	struct model model = {NULL, 0};
	struct batch batch;
	size_t rows = 0;

	MUST(batch_init(&batch, shape, 2, BATCH_BYTES, &err));
	MUST(OPS->read_begin(SRC, shape, choice, &err));
	while (batch_reset(&batch), OPS->next(SRC, &batch, &err) > 0) {
		for (size_t i = 0; i < batch.rows; i++)
			assert_int_equal(batch_op(&batch, i), ROW_UPSERT);
		rows += batch.rows;
		model_apply(&model, &batch);
	}
	assert_int_equal(err.kind, ERROR_NONE);
	OPS->end(SRC);
	assert_int_equal(model.count, rows); /* none came twice */
	assert_model(&model, want);
	model_release(&model);
	batch_release(&batch);
}

/* The rows with these keys. */
static void assert_keys(const char *keys, const char *want)
{
	struct error err = ERROR_INIT;
	struct table shape, key_shape;
	struct batch wanted;
	struct row_choice choice = {.keys = &wanted};

	describe_source(&shape);
	make_key_shape(&key_shape, &shape);
	MUST(batch_init(&wanted, &key_shape, 100, BATCH_BYTES, &err));
	put_changes(&wanted, keys);
	assert_choice(&shape, &choice, want);
	batch_release(&wanted);
	table_release(&key_shape);
	table_release(&shape);
}

static void test_keys(void **state)
{
	(void)state;
	contract_open_plain(LAB_MAIN);
	contract.lab->change(LAB_MAIN, "+1|a|10 +2|b|20 +3|c|30 +4||NULL");
	assert_keys("+2", "2|b|20|NULL\n");
	assert_keys("+9", "");
	assert_keys("+4 +9 +1 +8", "1|a|10|NULL\n4||NULL|NULL\n");
	contract.lab->change(LAB_MAIN, "-2 +3|new");
	assert_keys("+2 +3", "3|new|NULL|NULL\n");
}

static void test_keys_of_pairs(void **state)
{
	(void)state;
	contract_open_plain(LAB_PAIR);
	contract.lab->change(LAB_PAIR, "+1|x|10 +2|x|20 +1|y|30");
	assert_keys("+1|x", "1|x|10\n");
	assert_keys("+2|y", "");
	assert_keys("+1|z +2|x", "2|x|20\n");
}

/*
 * Both ends of a span, as changes that have only its key, or NULL; the rows of
 * it, what seek() finds in it, and that the digest counts as many.
 */
static void assert_span(const char *low, const char *high, const char *want)
{
	struct error err = ERROR_INIT;
	struct table shape, key_shape;
	struct batch low_key, high_key, found;
	struct key_span span = {low ? &low_key : NULL, high ? &high_key : NULL};
	struct row_choice choice = {.span = &span};
	size_t take[8], rows = 0;
	struct row_sum sum;

	describe_source(&shape);
	make_key_shape(&key_shape, &shape);
	MUST(batch_init(&low_key, &key_shape, 1, BATCH_BYTES, &err));
	MUST(batch_init(&high_key, &key_shape, 1, BATCH_BYTES, &err));
	MUST(batch_init(&found, &key_shape, 1, BATCH_BYTES, &err));
	if (low)
		put_changes(&low_key, low);
	if (high)
		put_changes(&high_key, high);
	assert_choice(&shape, &choice, want);
	while (batch_reset(&found),
	       OPS->seek(SRC, &key_shape, &span, false, rows, &found, &err) > 0)
		rows++;
	assert_int_equal(err.kind, ERROR_NONE);
	for (const char *s = want; *s; s++)
		rows -= *s == '\n';
	assert_int_equal(rows, 0);
	for (size_t i = 0; i < shape.column_count; i++)
		take[i] = i;
	if (OPS->digest) {
		MUST(OPS->digest(SRC, &shape, take, shape.column_count,
				 &key_shape, &span, 100, &sum, &err));
		for (const char *s = want; *s; s++)
			sum.rows -= *s == '\n';
		assert_int_equal(sum.rows, 0);
	}
	batch_release(&found);
	batch_release(&high_key);
	batch_release(&low_key);
	table_release(&key_shape);
	table_release(&shape);
}

static void test_spans(void **state)
{
	(void)state;
	contract_open_plain(LAB_MAIN);
	contract.lab->change(LAB_MAIN, "+1|a|10 +2|b|20 +3|c|30 +9||NULL");
	assert_span(NULL, NULL,
		    "1|a|10|NULL\n2|b|20|NULL\n3|c|30|NULL\n"
		    "9||NULL|NULL\n");
	assert_span("+2", NULL, "2|b|20|NULL\n3|c|30|NULL\n9||NULL|NULL\n");
	assert_span(NULL, "+3", "1|a|10|NULL\n2|b|20|NULL\n");
	assert_span("+2", "+9", "2|b|20|NULL\n3|c|30|NULL\n");
	assert_span("+4", "+9", "");
	assert_span("+4", NULL, "9||NULL|NULL\n");
}

static void test_spans_of_pairs(void **state)
{
	(void)state;
	contract_open_plain(LAB_PAIR);
	/* In the order of the key: a1 a2 a3 b1 b2 c1. */
	contract.lab->change(LAB_PAIR, "+1|a|11 +2|a|12 +3|a|13 +1|b|21 "
				       "+2|b|22 +1|c|31");
	assert_span("+3|a", NULL, "3|a|13\n1|b|21\n2|b|22\n1|c|31\n");
	assert_span("+2|a", "+2|b", "2|a|12\n3|a|13\n1|b|21\n");
	assert_span("+2|a", "+3|a", "2|a|12\n");
	assert_span("+2|b", "+2|c", "2|b|22\n1|c|31\n");
	assert_span(NULL, "+2|a", "1|a|11\n");
	assert_span("+9|a", "+1|b", "");
	assert_span("+2|c", NULL, "");
}

static void test_seek_backwards(void **state)
{
	struct error err = ERROR_INIT;
	struct key_span all = {NULL, NULL};
	struct table shape, keys;
	struct batch key;

	(void)state;
	contract_open_plain(LAB_MAIN);
	contract.lab->change(LAB_MAIN, "+1|a +2|b +3|c");
	describe_source(&shape);
	make_key_shape(&keys, &shape);
	MUST(batch_init(&key, &keys, 1, BATCH_BYTES, &err));
	assert_int_equal(OPS->seek(SRC, &keys, &all, true, 0, &key, &err), 1);
	assert_int_equal(key.columns[0].i64[0], 3);
	batch_reset(&key);
	assert_int_equal(OPS->seek(SRC, &keys, &all, true, 2, &key, &err), 1);
	assert_int_equal(key.columns[0].i64[0], 1);
	batch_reset(&key);
	assert_int_equal(OPS->seek(SRC, &keys, &all, true, 3, &key, &err), 0);
	batch_release(&key);
	table_release(&keys);
	table_release(&shape);
}

/* The digest of `take` first columns of all rows. */
static struct row_sum digest_of(size_t take_count, uint64_t limit)
{
	static const size_t take[] = {0, 1, 2, 3};
	struct error err = ERROR_INIT;
	struct key_span all = {NULL, NULL};
	struct table shape, keys;
	struct row_sum sum;

	describe_source(&shape);
	make_key_shape(&keys, &shape);
	MUST(OPS->digest(SRC, &shape, take, take_count, &keys, &all, limit,
			 &sum, &err));
	table_release(&keys);
	table_release(&shape);
	return sum;
}

static void test_digest(void **state)
{
	struct row_sum before, after;

	(void)state;
	contract_open_plain(LAB_MAIN);
	if (!OPS->digest)
		skip();
	contract.lab->change(LAB_MAIN, "+1|a|10 +2||20 +3|NULL|30");
	before = digest_of(4, 100);
	assert_int_equal(before.rows, 3);
	after = digest_of(4, 100);
	assert_true(row_sum_equal(&before, &after));
	/* NULL is not the empty string. */
	contract.lab->change(LAB_MAIN, "+3||30");
	after = digest_of(4, 100);
	assert_false(row_sum_equal(&before, &after));
	contract.lab->change(LAB_MAIN, "+3|NULL|30");
	after = digest_of(4, 100);
	assert_true(row_sum_equal(&before, &after));
	/* Only the columns that were asked for count. */
	before = digest_of(2, 100);
	contract.lab->change(LAB_MAIN, "+3|NULL|31");
	after = digest_of(2, 100);
	assert_true(row_sum_equal(&before, &after));
	assert_int_equal(digest_of(4, 2).rows, 2);
}

static void test_conditions(void **state)
{
	struct row_choice choice = {.condition = "n = 20"};
	struct error err = ERROR_INIT;
	struct table shape;

	(void)state;
	contract_open_plain(LAB_MAIN);
	contract.lab->change(LAB_MAIN, "+1|a|10 +2|b|20 +3|c|20");
	describe_source(&shape);
	assert_choice(&shape, &choice, "2|b|20|NULL\n3|c|20|NULL\n");
	choice.condition = "1 = 1) OR (n = 10";
	assert_int_equal(OPS->read_begin(SRC, &shape, &choice, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	OPS->end(SRC);
	table_release(&shape);
}

int contract_run_choices(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, contract_setup, contract_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_keys),	   TEST(test_keys_of_pairs),
		TEST(test_spans),	   TEST(test_spans_of_pairs),
		TEST(test_seek_backwards), TEST(test_digest),
		TEST(test_conditions),
	};

	return cmocka_run_group_tests_name("choices", tests, NULL, NULL);
}
