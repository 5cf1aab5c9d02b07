/* The promises of struct target_ops: tables, loads and changes. */
#include "contract/contract_dest.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DST contract.dst
#define OPS contract.dst->ops

#define BATCH_BYTES ((size_t)8 << 20)

/* ------------------------------------------------------------- the table */

static void test_describe_none(void **state)
{
	struct error err = ERROR_INIT;
	struct table made;

	(void)state;
	contract_open_target(LAB_MAIN, "installation", 1, "origin");
	table_init(&made);
	assert_int_equal(OPS->describe(DST, &made, &err), 0);
	assert_int_equal(made.column_count, 0);
	table_release(&made);
	dest_assert_checkpoint(0);
}

static void assert_created(enum lab_table table)
{
	struct error err = ERROR_INIT;
	struct table made;

	contract_open_target(table, "installation", 1, "origin");
	table_release(&dest_shape);
	shape_of(&dest_shape, table);
	MUST(OPS->create(DST, &dest_shape, &err));
	table_init(&made);
	assert_int_equal(OPS->describe(DST, &made, &err), 1);
	assert_int_equal(made.column_count, dest_shape.column_count);
	for (size_t i = 0; i < dest_shape.column_count; i++) {
		const struct column *a = &dest_shape.columns[i];
		const struct column *b = &made.columns[i];

		assert_string_equal(a->name, b->name);
		assert_int_equal(a->type, b->type);
		assert_int_equal(a->nullable, b->nullable);
		if (a->type == ROW_TEXT &&
		    !(contract.driver->abilities & TARGET_ANY_SHAPE))
			assert_int_equal(a->length, b->length);
	}
	assert_int_equal(made.key_count, dest_shape.key_count);
	for (size_t k = 0; k < dest_shape.key_count; k++)
		assert_int_equal(made.key[k], dest_shape.key[k]);
	assert_string_equal(made.name.table, contract.dst_name.table);
	table_release(&made);
	assert_lab(LAB_DEST, table, "");
}

static void test_create(void **state)
{
	(void)state;
	assert_created(LAB_MAIN);
	assert_created(LAB_PAIR);
	assert_created(LAB_BARE);
	assert_created(LAB_WIDE);
}

/* What was just made can be loaded. */
static void test_create_and_load(void **state)
{
	(void)state;
	assert_created(LAB_MAIN);
	dest_store(TARGET_REPLACE, "+1|a +2|b", NULL, 1);
	dest_assert("1|a|NULL|NULL\n2|b|NULL|NULL\n");
	dest_assert_checkpoint(1);
}

/* A table that is there is not made a second time, nor lost. */
static void test_create_over_a_table(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	dest_open(LAB_MAIN);
	dest_store(TARGET_REPLACE, "+1|kept", NULL, 1);
	if (OPS->create(DST, &dest_shape, &err) == 0 &&
	    !(contract.driver->abilities & TARGET_ANY_SHAPE))
		fail_msg("a table was made over another one");
	OPS->release(DST);
	MUST(OPS->connect(DST, &contract.cancel, &err));
	dest_look();
	dest_assert("1|kept|NULL|NULL\n");
}

/* --------------------------------------------------------------- replacing */

static void test_replace(void **state)
{
	struct target_counts counts;

	(void)state;
	dest_open(LAB_MAIN);
	counts = dest_store(TARGET_REPLACE, "+1|a|10|0 +2||NULL|1 +3|NULL",
			    NULL, 1);
	assert_int_equal(counts.inserted, 3);
	dest_assert("1|a|10|0\n2||NULL|1\n3|NULL|NULL|NULL\n");
	dest_assert_checkpoint(1);
	/* Rows that are not in the load are gone after it. */
	dest_store(TARGET_REPLACE, "+2|x +4|y", NULL, 2);
	dest_assert("2|x|NULL|NULL\n4|y|NULL|NULL\n");
	dest_assert_checkpoint(2);
	dest_store(TARGET_REPLACE, "", NULL, 3);
	dest_assert("");
	dest_assert_checkpoint(3);
}

/* Readers see the old rows until the commit, and then the new ones. */
static void test_replace_is_hidden_until_commit(void **state)
{
	struct checkpoint next = dest_point(2);

	(void)state;
	dest_open(LAB_MAIN);
	dest_store(TARGET_REPLACE, "+1|old +2|old", NULL, 1);
	dest_begin(TARGET_REPLACE);
	dest_assert("1|old|NULL|NULL\n2|old|NULL|NULL\n");
	dest_put("+3|new");
	dest_assert("1|old|NULL|NULL\n2|old|NULL|NULL\n");
	dest_put("+4|new");
	dest_assert("1|old|NULL|NULL\n2|old|NULL|NULL\n");
	dest_commit(NULL, &next);
	dest_assert("3|new|NULL|NULL\n4|new|NULL|NULL\n");
}

static void test_replace_rolled_back(void **state)
{
	(void)state;
	dest_open(LAB_MAIN);
	dest_store(TARGET_REPLACE, "+1|old", NULL, 1);
	for (int writes = 0; writes < 3; writes++) {
		struct error err = ERROR_INIT;

		dest_begin(TARGET_REPLACE);
		for (int i = 0; i < writes; i++)
			dest_put(i ? "+6|f" : "+5|e");
		OPS->rollback(DST);
		OPS->rollback(DST);
		dest_assert("1|old|NULL|NULL\n");
		/* As the engine does after trouble. */
		OPS->release(DST);
		MUST(OPS->connect(DST, &contract.cancel, &err));
		dest_assert_checkpoint(1);
		dest_look();
	}
	dest_store(TARGET_REPLACE, "+7|g", NULL, 2);
	dest_assert("7|g|NULL|NULL\n");
	dest_assert_checkpoint(2);
}

static void test_replace_with_a_wrong_checkpoint(void **state)
{
	struct checkpoint wrong = dest_point(9), right = dest_point(1),
			  next = dest_point(2);
	struct error err = ERROR_INIT;
	struct target_counts counts;

	(void)state;
	dest_open(LAB_MAIN);
	dest_store(TARGET_REPLACE, "+1|old", NULL, 1);
	dest_begin(TARGET_REPLACE);
	dest_put("+2|new");
	MUST_FAIL(OPS->commit(DST, &wrong, &next, &counts, &err),
		  ERROR_CONFLICT);
	OPS->rollback(DST);
	dest_assert("1|old|NULL|NULL\n");
	OPS->release(DST);
	MUST(OPS->connect(DST, &contract.cancel, &err));
	dest_assert_checkpoint(1);
	dest_look();
	dest_begin(TARGET_REPLACE);
	dest_put("+2|new");
	dest_commit(&right, &next);
	dest_assert("2|new|NULL|NULL\n");
	dest_assert_checkpoint(2);
}

static void test_replace_a_table_without_a_key(void **state)
{
	(void)state;
	dest_open(LAB_BARE);
	dest_store(TARGET_REPLACE, "+1|a +1|a +2|b +1|a", NULL, 1);
	assert_lab(LAB_DEST, LAB_BARE,
		   "1|a|NULL|NULL\n1|a|NULL|NULL\n1|a|NULL|NULL\n"
		   "2|b|NULL|NULL\n");
	dest_store(TARGET_REPLACE, "+3|c", NULL, 2);
	assert_lab(LAB_DEST, LAB_BARE, "3|c|NULL|NULL\n");
}

static void test_values(void **state)
{
	(void)state;
	dest_open(LAB_MAIN);
	dest_store(TARGET_REPLACE,
		   "+-9223372036854775808|low|-2147483648|0 +0||0|1 "
		   "+1|z\xc3\xbcrich\xe2\x82\xac|NULL|NULL "
		   "+2|\xf0\x9f\x98\x80|1|0 +3|it's\"[]%|2|0 +4|blanks~~|3|0 "
		   "+5|~|4|0 +9223372036854775807|high|2147483647|1",
		   NULL, 1);
	dest_assert("-9223372036854775808|low|-2147483648|0\n"
		    "0||0|1\n"
		    "1|z\xc3\xbcrich\xe2\x82\xac|NULL|NULL\n"
		    "2|\xf0\x9f\x98\x80|1|0\n"
		    "3|it's\"[]%|2|0\n"
		    "4|blanks  |3|0\n"
		    "5| |4|0\n"
		    "9223372036854775807|high|2147483647|1\n");
}

static void test_wide_values(void **state)
{
	static const int lengths[] = {0,    1,	  3999,	 4000,	4001,
				      8000, 8001, 70000, 300000};
	struct strbuf changes, want;

	(void)state;
	dest_open(LAB_WIDE);
	strbuf_init(&changes);
	strbuf_init(&want);
	for (size_t i = 0; i < COUNT_OF(lengths); i++) {
		strbuf_addf(&changes, "+%d|", (int)i);
		strbuf_addf(&want, "%d|", (int)i);
		for (int k = 0; k < lengths[i]; k++) {
			strbuf_addch(&changes, (char)('a' + k % 26));
			strbuf_addch(&want, (char)('a' + k % 26));
		}
		strbuf_addch(&changes, ' ');
		strbuf_addch(&want, '\n');
	}
	dest_store(TARGET_REPLACE, changes.data, NULL, 1);
	assert_lab(LAB_DEST, LAB_WIDE, want.data);
	dest_store(TARGET_APPLY, changes.data, NULL, 2);
	assert_lab(LAB_DEST, LAB_WIDE, want.data);
	strbuf_release(&changes);
	strbuf_release(&want);
}

/* ---------------------------------------------------------------- refilling */

static void test_refill(void **state)
{
	struct target_counts counts;

	(void)state;
	dest_open(LAB_MAIN);
	dest_store(TARGET_REPLACE, "+1|a +2|b", NULL, 1);
	counts = dest_store(TARGET_REFILL, "+2|x +3|y|1|0", NULL, 2);
	assert_int_equal(counts.inserted, 2);
	dest_assert("2|x|NULL|NULL\n3|y|1|0\n");
	dest_assert_checkpoint(2);
	dest_store(TARGET_REFILL, "", NULL, 3);
	dest_assert("");
	dest_assert_checkpoint(3);
}

/*
 * A refill that breaks off leaves what it leaves: but the table must not pass
 * for one that holds everything up to the old checkpoint.
 */
static void test_refill_broken_off(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	dest_open(LAB_MAIN);
	for (int writes = 0; writes < 2; writes++) {
		struct checkpoint found;
		char *rows;

		dest_store(TARGET_REPLACE, "+1|a +2|b", NULL, 1);
		dest_begin(TARGET_REFILL);
		if (writes)
			dest_put("+3|c");
		OPS->rollback(DST);
		OPS->release(DST);
		MUST(OPS->connect(DST, &contract.cancel, &err));
		rows = contract.lab->rows(LAB_DEST, LAB_MAIN);
		if (OPS->checkpoint(DST, &found, &err) != 0)
			assert_text(rows, "1|a|NULL|NULL\n2|b|NULL|NULL\n");
		free(rows);
		dest_look();
	}
	dest_store(TARGET_REFILL, "+4|d", NULL, 2);
	dest_assert("4|d|NULL|NULL\n");
	dest_assert_checkpoint(2);
}

/* ----------------------------------------------------------------- applying */

static void test_apply(void **state)
{
	struct checkpoint at = dest_point(1);
	struct target_counts counts;

	(void)state;
	dest_open(LAB_MAIN);
	dest_store(TARGET_REPLACE, "+1|a|1 +2|b|2 +3|c|3", NULL, 1);
	counts =
		dest_store(TARGET_APPLY, "+4|d|4 +2|changed|NULL|1 -3", &at, 2);
	dest_assert_counts(&counts, 1, 1, 1);
	dest_assert("1|a|1|NULL\n2|changed|NULL|1\n4|d|4|NULL\n");
	dest_assert_checkpoint(2);
	at = dest_point(2);
	/* A delete of what is not there and an insert of what is there. */
	counts = dest_store(TARGET_APPLY, "-99 +1|again|9", &at, 3);
	dest_assert_counts(&counts, 0, counts.updated, 0);
	dest_assert("1|again|9|NULL\n2|changed|NULL|1\n4|d|4|NULL\n");
	dest_assert_checkpoint(3);
}

static void test_apply_nothing(void **state)
{
	struct checkpoint at = dest_point(1);

	(void)state;
	dest_open(LAB_MAIN);
	dest_store(TARGET_REPLACE, "+1|a", NULL, 1);
	dest_store(TARGET_APPLY, "", &at, 2);
	dest_assert("1|a|NULL|NULL\n");
	dest_assert_checkpoint(2);
}

/* Several changes of one key: the last one counts, also across batches. */
static void test_apply_many_of_one_key(void **state)
{
	struct checkpoint at = dest_point(1), next = dest_point(2);

	(void)state;
	dest_open(LAB_MAIN);
	dest_store(TARGET_REPLACE, "+1|a +2|a +3|a", NULL, 1);
	dest_begin(TARGET_APPLY);
	dest_put("+1|b +1|c -1 +1|d -2 +2|back +4|x -4");
	dest_put("-3 +3|y -3 +5|q");
	dest_put("+5|r +6|s -1 +1|last");
	dest_commit(&at, &next);
	dest_assert("1|last|NULL|NULL\n2|back|NULL|NULL\n5|r|NULL|NULL\n"
		    "6|s|NULL|NULL\n");
}

/*
 * A value that a change leaves as it was comes from the row's earlier changes,
 * or stays in the table; and no row is made of what is known in part.
 */
static void test_apply_unchanged(void **state)
{
	struct checkpoint at = dest_point(1), next = dest_point(2);
	struct checkpoint last = dest_point(3);

	(void)state;
	dest_open(LAB_MAIN);
	dest_store(TARGET_REPLACE, "+1|a|1|0 +2|b|2|0 +3|c|3|0 +4|d|4|0", NULL,
		   1);
	dest_begin(TARGET_APPLY);
	dest_put("+1|*|10|* +2|x|*|* +2|*|7|* +9|*|1|*");
	dest_put("+5|new|5|1 +5|*|6|* -3 +3|z|NULL|0 +3|*|8|* +6|p|1|0");
	dest_put("-6 +6|*|2|* +4|e|*|1 +4|NULL|*|* +4|*|9|*");
	dest_commit(&at, &next);
	dest_assert("1|a|10|0\n2|x|7|0\n3|z|8|0\n4|NULL|9|1\n5|new|6|1\n");
	dest_begin(TARGET_APPLY);
	dest_put("+1|*|*|1 -2 +5|*|*|* +4|f|0|0");
	dest_commit(&next, &last);
	dest_assert("1|a|10|1\n3|z|8|0\n4|f|0|0\n5|new|6|1\n");
}

static void test_apply_pairs(void **state)
{
	struct checkpoint at = dest_point(1);

	(void)state;
	dest_open(LAB_PAIR);
	dest_store(TARGET_REPLACE, "+1|x|10 +2|x|20 +1|y|30 +2|y|40", NULL, 1);
	dest_store(TARGET_APPLY, "-1|x +2|x|21 +3|x|50 -1|z +1|y|31", &at, 2);
	assert_lab(LAB_DEST, LAB_PAIR, "1|y|31\n2|x|21\n2|y|40\n3|x|50\n");
}

/* The same window again changes nothing: applying is idempotent. */
static void test_apply_again(void **state)
{
	static const char changes[] = "+1|b -2 +3|c +3|d -4 +4|e";

	(void)state;
	dest_open(LAB_MAIN);
	dest_store(TARGET_REPLACE, "+1|a +2|a", NULL, 1);
	for (int i = 0; i < 3; i++) {
		dest_store(TARGET_APPLY, changes, NULL, 2);
		dest_assert("1|b|NULL|NULL\n3|d|NULL|NULL\n4|e|NULL|NULL\n");
	}
}

/* Many rows, many of them twice, in one transaction. */
static void test_apply_many(void **state)
{
	struct checkpoint at = dest_point(1), next = dest_point(2);
	struct strbuf text, want;

	(void)state;
	dest_open(LAB_MAIN);
	strbuf_init(&text);
	for (int i = 0; i < 1000; i++)
		strbuf_addf(&text, "+%d|old|%d ", i, i);
	dest_store(TARGET_REPLACE, text.data, NULL, 1);
	dest_begin(TARGET_APPLY);
	strbuf_reset(&text);
	for (int i = 0; i < 1000; i++)
		strbuf_addf(&text, i % 2 ? "-%d " : "+%d|between ", i);
	dest_put(text.data);
	strbuf_reset(&text);
	for (int i = 500; i < 1500; i++)
		strbuf_addf(&text, "+%d|new|%d ", i, 2 * i);
	dest_put(text.data);
	dest_commit(&at, &next);
	strbuf_init(&want);
	for (int i = 0; i < 1500; i++) {
		if (i >= 500)
			strbuf_addf(&want, "%d|new|%d|NULL\n", i, 2 * i);
		else if (i % 2 == 0)
			strbuf_addf(&want, "%d|between|NULL|NULL\n", i);
	}
	dest_assert(want.data);
	strbuf_release(&want);
	strbuf_release(&text);
}

static void test_apply_rolled_back(void **state)
{
	struct checkpoint at = dest_point(1);
	struct error err = ERROR_INIT;

	(void)state;
	dest_open(LAB_MAIN);
	dest_store(TARGET_REPLACE, "+1|a", NULL, 1);
	for (int writes = 0; writes < 3; writes++) {
		dest_begin(TARGET_APPLY);
		for (int i = 0; i < writes; i++)
			dest_put("+1|x +2|y");
		OPS->rollback(DST);
		dest_assert("1|a|NULL|NULL\n");
		OPS->release(DST);
		MUST(OPS->connect(DST, &contract.cancel, &err));
		dest_assert_checkpoint(1);
		dest_look();
	}
	dest_store(TARGET_APPLY, "+2|b", &at, 2);
	dest_assert("1|a|NULL|NULL\n2|b|NULL|NULL\n");
	dest_assert_checkpoint(2);
}

static void test_apply_with_a_wrong_checkpoint(void **state)
{
	struct checkpoint wrong = dest_point(9),
			  none = {.position = {.len = 0}};
	struct checkpoint at = dest_point(1), next = dest_point(2);
	const struct checkpoint *froms[] = {&wrong, &next, &none};
	struct error err = ERROR_INIT;
	struct target_counts counts;

	(void)state;
	dest_open(LAB_MAIN);
	/* None is stored yet: nothing is as `from` says. */
	dest_begin(TARGET_APPLY);
	dest_put("+1|a");
	MUST_FAIL(OPS->commit(DST, &at, &next, &counts, &err), ERROR_CONFLICT);
	OPS->rollback(DST);
	OPS->release(DST);
	MUST(OPS->connect(DST, &contract.cancel, &err));
	dest_look();
	dest_assert("");
	dest_assert_checkpoint(0);
	dest_store(TARGET_REPLACE, "+1|a", NULL, 1);
	for (size_t i = 0; i < COUNT_OF(froms); i++) {
		dest_begin(TARGET_APPLY);
		dest_put("+1|x -1 +2|y");
		MUST_FAIL(OPS->commit(DST, froms[i], &next, &counts, &err),
			  ERROR_CONFLICT);
		assert_false(err.retryable);
		OPS->rollback(DST);
		dest_assert("1|a|NULL|NULL\n");
		OPS->release(DST);
		MUST(OPS->connect(DST, &contract.cancel, &err));
		dest_assert_checkpoint(1);
		dest_look();
	}
	dest_store(TARGET_APPLY, "+2|y", &at, 2);
	dest_assert("1|a|NULL|NULL\n2|y|NULL|NULL\n");
}

/* --------------------------------------------------- begins, ends, threads */

static void test_rollback_of_nothing(void **state)
{
	struct error err = ERROR_INIT;
	struct target_spec spec = {
		.server = contract.to,
		.installation = "i",
		.mapping_id = 5,
		.origin = "o",
	};
	struct target *other;

	(void)state;
	dest_open(LAB_MAIN);
	OPS->rollback(DST);
	OPS->rollback(DST);
	dest_store(TARGET_REPLACE, "+1|a", NULL, 1);
	OPS->rollback(DST); /* what was committed stays */
	dest_assert("1|a|NULL|NULL\n");
	OPS->release(DST);
	OPS->release(DST);
	spec.name = contract.dst_name;
	MUST(contract.driver->target->open(&spec, &other, &err));
	other->ops->release(other); /* never connected */
	other->ops->close(other);
}

/* Given back in the middle, it is as if nothing had been begun. */
static void test_release_while_writing(void **state)
{
	static const enum target_mode modes[] = {TARGET_REPLACE, TARGET_APPLY};
	struct error err = ERROR_INIT;

	(void)state;
	dest_open(LAB_MAIN);
	dest_store(TARGET_REPLACE, "+1|a", NULL, 1);
	for (size_t i = 0; i < COUNT_OF(modes); i++) {
		for (int writes = 0; writes < 2; writes++) {
			dest_begin(modes[i]);
			if (writes)
				dest_put("+1|x +2|y");
			OPS->release(DST);
			dest_assert("1|a|NULL|NULL\n");
			MUST(OPS->connect(DST, &contract.cancel, &err));
			dest_assert_checkpoint(1);
			dest_look();
		}
	}
	dest_store(TARGET_REPLACE, "+3|c", NULL, 2);
	dest_store(TARGET_APPLY, "+4|d", NULL, 3);
	dest_assert("3|c|NULL|NULL\n4|d|NULL|NULL\n");
}

/* Everything in turn, over one connection. */
static void test_one_after_the_other(void **state)
{
	(void)state;
	dest_open(LAB_MAIN);
	for (int i = 1; i < 10; i += 3) {
		struct checkpoint at = dest_point(i);

		dest_store(TARGET_REPLACE, "+1|a +2|b", NULL, i);
		dest_store(TARGET_APPLY, "+3|c -1", &at, i + 1);
		dest_assert("2|b|NULL|NULL\n3|c|NULL|NULL\n");
		dest_store(TARGET_REFILL, "+9|z", NULL, i + 2);
		dest_assert("9|z|NULL|NULL\n");
		dest_begin(TARGET_APPLY);
		dest_put("+9|not~this");
		OPS->rollback(DST);
		contract_open_target(LAB_MAIN, "installation", 1, "origin");
		dest_look_anew();
		dest_assert_checkpoint(i + 2);
	}
}

static void *put_in_thread(void *arg)
{
	struct error err = ERROR_INIT;
	struct batch batch;
	int *rc = arg;

	if (batch_init(&batch, &dest_shape, 10, BATCH_BYTES, &err) < 0)
		return NULL;
	for (int i = 1; i <= 5; i++) {
		batch_put_i64(&batch, 0, i);
		for (size_t col = 1; col < dest_shape.column_count; col++)
			batch_put_null(&batch, col);
		batch_add_row(&batch, ROW_UPSERT);
		*rc = OPS->write(DST, &batch, &err);
		batch_reset(&batch);
		if (*rc < 0)
			break;
	}
	batch_release(&batch);
	return NULL;
}

static void test_write_from_another_thread(void **state)
{
	struct checkpoint next = dest_point(1);
	pthread_t thread;
	int rc = -1;

	(void)state;
	dest_open(LAB_MAIN);
	dest_begin(TARGET_REPLACE);
	assert_int_equal(pthread_create(&thread, NULL, put_in_thread, &rc), 0);
	pthread_join(thread, NULL);
	assert_int_equal(rc, 0);
	dest_commit(NULL, &next);
	dest_assert("1|NULL|NULL|NULL\n2|NULL|NULL|NULL\n3|NULL|NULL|NULL\n"
		    "4|NULL|NULL|NULL\n5|NULL|NULL|NULL\n");
}

/* --------------------------------------------------------- from end to end */

/* What the source's side reads goes into the target's as it comes. */
static void test_from_source_to_target(void **state)
{
	struct error err = ERROR_INIT;
	struct checkpoint next = dest_point(1);
	struct batch batch;
	char *want;
	int rc;

	(void)state;
	if (!contract.driver->source)
		skip();
	contract.lab->make(LAB_SOURCE, LAB_MAIN);
	contract.lab->change(LAB_MAIN,
			     "+1|z\xc3\xbcrich|10|0 +2||NULL|1 +3|NULL "
			     "+4|\xf0\x9f\x98\x80|4 +5|tail~~");
	for (int native = 0; native < 2; native++) {
		contract_open_source(LAB_MAIN, NULL, native);
		if (!native)
			dest_open(LAB_MAIN);
		table_release(&dest_shape);
		describe_source(&dest_shape);
		MUST(contract.src->ops->read_begin(contract.src, &dest_shape,
						   NULL, &err));
		dest_begin(TARGET_REPLACE);
		MUST(batch_init(&batch, &dest_shape, 2, BATCH_BYTES, &err));
		while ((rc = contract.src->ops->next(contract.src, &batch,
						     &err)) > 0) {
			MUST(OPS->write(DST, &batch, &err));
			batch_reset(&batch);
		}
		MUST(rc);
		dest_commit(NULL, &next);
		contract.src->ops->end(contract.src);
		batch_release(&batch);
		want = contract.lab->rows(LAB_SOURCE, LAB_MAIN);
		dest_assert(want);
		free(want);
	}
}

int contract_run_target(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, dest_setup, dest_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_describe_none),
		TEST(test_create),
		TEST(test_create_and_load),
		TEST(test_create_over_a_table),
		TEST(test_replace),
		TEST(test_replace_is_hidden_until_commit),
		TEST(test_replace_rolled_back),
		TEST(test_replace_with_a_wrong_checkpoint),
		TEST(test_replace_a_table_without_a_key),
		TEST(test_values),
		TEST(test_wide_values),
		TEST(test_refill),
		TEST(test_refill_broken_off),
		TEST(test_apply),
		TEST(test_apply_nothing),
		TEST(test_apply_many_of_one_key),
		TEST(test_apply_unchanged),
		TEST(test_apply_pairs),
		TEST(test_apply_again),
		TEST(test_apply_many),
		TEST(test_apply_rolled_back),
		TEST(test_apply_with_a_wrong_checkpoint),
		TEST(test_rollback_of_nothing),
		TEST(test_release_while_writing),
		TEST(test_one_after_the_other),
		TEST(test_write_from_another_thread),
		TEST(test_from_source_to_target),
	};

	return cmocka_run_group_tests_name("target", tests, NULL, NULL) +
	       contract_run_checkpoint() + contract_run_plan() +
	       contract_run_isolate();
}
