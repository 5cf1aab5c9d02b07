/* The promises of struct target_ops. */
#include "contract/contract.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DST contract.dst
#define OPS contract.dst->ops

#define BATCH_BYTES ((size_t)8 << 20)

static struct table shape;

static int setup(void **state)
{
	if (contract_setup(state) < 0)
		return -1;
	table_init(&shape);
	return 0;
}

static int teardown(void **state)
{
	table_release(&shape);
	return contract_teardown(state);
}

/* Checkpoints as different as the sources that make them. */
static struct checkpoint point(int number)
{
	struct checkpoint out = {.consistent_after_us = 0};
	struct error err = ERROR_INIT;
	unsigned char bytes[10] = {0, 0, 0, 1, 0,
				   0, 2, 0, 3, (unsigned char)number};

	MUST(position_set(&out.position, bytes, sizeof(bytes), &err));
	return out;
}

/* The target of mapping 1 on a table, made and described. */
static void open_made(enum lab_table table)
{
	struct error err = ERROR_INIT;
	struct table made;

	contract.lab->make(LAB_DEST, table);
	contract_open_target(table, "installation", 1, "origin");
	table_release(&shape);
	shape_of(&shape, table);
	table_init(&made);
	assert_int_equal(OPS->describe(DST, &made, &err), 1);
	table_release(&made);
}

/* Look at the table, as the engine does before it writes. */
static void look(void)
{
	struct error err = ERROR_INIT;
	struct table made;

	table_init(&made);
	assert_int_equal(OPS->describe(DST, &made, &err), 1);
	table_release(&made);
}

static void put(const char *changes)
{
	struct error err = ERROR_INIT;
	struct batch batch;

	MUST(batch_init(&batch, &shape, 1000, BATCH_BYTES, &err));
	put_changes(&batch, changes);
	MUST(OPS->write(DST, &batch, &err));
	/* It is the caller's again: what he does with it changes nothing. */
	for (size_t i = 0; i < batch.rows; i++)
		if (!batch_null(&batch, 0, i))
			batch.columns[0].i64[i] = 4711;
	batch_reset(&batch);
	batch_release(&batch);
}

static void begin(enum target_mode mode)
{
	struct error err = ERROR_INIT;

	MUST(OPS->begin(DST, mode, &shape, &err));
}

static struct target_counts commit(const struct checkpoint *from,
				   const struct checkpoint *to)
{
	struct target_counts counts;
	struct error err = ERROR_INIT;

	memset(&counts, 0x55, sizeof(counts));
	if (OPS->commit(DST, from, to, &counts, &err) < 0)
		fail_msg("commit: %s", err.message);
	return counts;
}

/* A whole load or window in one go. */
static struct target_counts store(enum target_mode mode, const char *changes,
				  const struct checkpoint *from, int to)
{
	struct checkpoint next = point(to);

	begin(mode);
	if (*changes)
		put(changes);
	return commit(from, &next);
}

static void assert_dest(const char *want)
{
	assert_lab(LAB_DEST, LAB_MAIN, want);
}

/* What the target says it has; 0 stands for nothing. */
static void assert_checkpoint(int number)
{
	struct checkpoint got, want = point(number);
	struct error err = ERROR_INIT;
	int rc = OPS->checkpoint(DST, &got, &err);

	MUST(rc);
	assert_int_equal(rc, number != 0);
	if (rc && !position_equal(&got.position, &want.position)) {
		char text[POSITION_TEXT_MAX];

		position_format(text, &got.position);
		fail_msg("the checkpoint is %s", text);
	}
}

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
	assert_checkpoint(0);
}

static void assert_created(enum lab_table table)
{
	struct error err = ERROR_INIT;
	struct table made;

	contract_open_target(table, "installation", 1, "origin");
	table_release(&shape);
	shape_of(&shape, table);
	MUST(OPS->create(DST, &shape, &err));
	table_init(&made);
	assert_int_equal(OPS->describe(DST, &made, &err), 1);
	assert_int_equal(made.column_count, shape.column_count);
	for (size_t i = 0; i < shape.column_count; i++) {
		const struct column *a = &shape.columns[i];
		const struct column *b = &made.columns[i];

		assert_string_equal(a->name, b->name);
		assert_int_equal(a->type, b->type);
		assert_int_equal(a->nullable, b->nullable);
		if (a->type == ROW_TEXT)
			assert_int_equal(a->length, b->length);
	}
	assert_int_equal(made.key_count, shape.key_count);
	for (size_t k = 0; k < shape.key_count; k++)
		assert_int_equal(made.key[k], shape.key[k]);
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
	store(TARGET_REPLACE, "+1|a +2|b", NULL, 1);
	assert_dest("1|a|NULL|NULL\n2|b|NULL|NULL\n");
	assert_checkpoint(1);
}

/* A table that is there is not made a second time, nor lost. */
static void test_create_over_a_table(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	open_made(LAB_MAIN);
	store(TARGET_REPLACE, "+1|kept", NULL, 1);
	if (OPS->create(DST, &shape, &err) == 0)
		fail_msg("a table was made over another one");
	OPS->release(DST);
	MUST(OPS->connect(DST, &contract.cancel, &err));
	look();
	assert_dest("1|kept|NULL|NULL\n");
}

/* --------------------------------------------------------------- replacing */

static void test_replace(void **state)
{
	struct target_counts counts;

	(void)state;
	open_made(LAB_MAIN);
	counts = store(TARGET_REPLACE, "+1|a|10|0 +2||NULL|1 +3|NULL", NULL, 1);
	assert_int_equal(counts.inserted, 3);
	assert_dest("1|a|10|0\n2||NULL|1\n3|NULL|NULL|NULL\n");
	assert_checkpoint(1);
	/* Rows that are not in the load are gone after it. */
	store(TARGET_REPLACE, "+2|x +4|y", NULL, 2);
	assert_dest("2|x|NULL|NULL\n4|y|NULL|NULL\n");
	assert_checkpoint(2);
	store(TARGET_REPLACE, "", NULL, 3);
	assert_dest("");
	assert_checkpoint(3);
}

/* Readers see the old rows until the commit, and then the new ones. */
static void test_replace_is_hidden_until_commit(void **state)
{
	struct checkpoint next = point(2);

	(void)state;
	open_made(LAB_MAIN);
	store(TARGET_REPLACE, "+1|old +2|old", NULL, 1);
	begin(TARGET_REPLACE);
	assert_dest("1|old|NULL|NULL\n2|old|NULL|NULL\n");
	put("+3|new");
	assert_dest("1|old|NULL|NULL\n2|old|NULL|NULL\n");
	put("+4|new");
	assert_dest("1|old|NULL|NULL\n2|old|NULL|NULL\n");
	commit(NULL, &next);
	assert_dest("3|new|NULL|NULL\n4|new|NULL|NULL\n");
}

static void test_replace_rolled_back(void **state)
{
	(void)state;
	open_made(LAB_MAIN);
	store(TARGET_REPLACE, "+1|old", NULL, 1);
	for (int writes = 0; writes < 3; writes++) {
		struct error err = ERROR_INIT;

		begin(TARGET_REPLACE);
		for (int i = 0; i < writes; i++)
			put(i ? "+6|f" : "+5|e");
		OPS->rollback(DST);
		OPS->rollback(DST);
		assert_dest("1|old|NULL|NULL\n");
		/* As the engine does after trouble. */
		OPS->release(DST);
		MUST(OPS->connect(DST, &contract.cancel, &err));
		assert_checkpoint(1);
		look();
	}
	store(TARGET_REPLACE, "+7|g", NULL, 2);
	assert_dest("7|g|NULL|NULL\n");
	assert_checkpoint(2);
}

static void test_replace_with_a_wrong_checkpoint(void **state)
{
	struct checkpoint wrong = point(9), right = point(1), next = point(2);
	struct error err = ERROR_INIT;
	struct target_counts counts;

	(void)state;
	open_made(LAB_MAIN);
	store(TARGET_REPLACE, "+1|old", NULL, 1);
	begin(TARGET_REPLACE);
	put("+2|new");
	MUST_FAIL(OPS->commit(DST, &wrong, &next, &counts, &err),
		  ERROR_CONFLICT);
	OPS->rollback(DST);
	assert_dest("1|old|NULL|NULL\n");
	OPS->release(DST);
	MUST(OPS->connect(DST, &contract.cancel, &err));
	assert_checkpoint(1);
	look();
	begin(TARGET_REPLACE);
	put("+2|new");
	commit(&right, &next);
	assert_dest("2|new|NULL|NULL\n");
	assert_checkpoint(2);
}

static void test_replace_a_table_without_a_key(void **state)
{
	(void)state;
	open_made(LAB_BARE);
	store(TARGET_REPLACE, "+1|a +1|a +2|b +1|a", NULL, 1);
	assert_lab(LAB_DEST, LAB_BARE,
		   "1|a|NULL|NULL\n1|a|NULL|NULL\n1|a|NULL|NULL\n"
		   "2|b|NULL|NULL\n");
	store(TARGET_REPLACE, "+3|c", NULL, 2);
	assert_lab(LAB_DEST, LAB_BARE, "3|c|NULL|NULL\n");
}

static void test_values(void **state)
{
	(void)state;
	open_made(LAB_MAIN);
	store(TARGET_REPLACE,
	      "+-9223372036854775808|low|-2147483648|0 +0||0|1 "
	      "+1|z\xc3\xbcrich\xe2\x82\xac|NULL|NULL "
	      "+2|\xf0\x9f\x98\x80|1|0 +3|it's\"[]%|2|0 +4|blanks~~|3|0 "
	      "+5|~|4|0 +9223372036854775807|high|2147483647|1",
	      NULL, 1);
	assert_dest("-9223372036854775808|low|-2147483648|0\n"
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
	open_made(LAB_WIDE);
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
	store(TARGET_REPLACE, changes.data, NULL, 1);
	assert_lab(LAB_DEST, LAB_WIDE, want.data);
	store(TARGET_APPLY, changes.data, NULL, 2);
	assert_lab(LAB_DEST, LAB_WIDE, want.data);
	strbuf_release(&changes);
	strbuf_release(&want);
}

/* ---------------------------------------------------------------- refilling */

static void test_refill(void **state)
{
	struct target_counts counts;

	(void)state;
	open_made(LAB_MAIN);
	store(TARGET_REPLACE, "+1|a +2|b", NULL, 1);
	counts = store(TARGET_REFILL, "+2|x +3|y|1|0", NULL, 2);
	assert_int_equal(counts.inserted, 2);
	assert_dest("2|x|NULL|NULL\n3|y|1|0\n");
	assert_checkpoint(2);
	store(TARGET_REFILL, "", NULL, 3);
	assert_dest("");
	assert_checkpoint(3);
}

/*
 * A refill that breaks off leaves what it leaves: but the table must not pass
 * for one that holds everything up to the old checkpoint.
 */
static void test_refill_broken_off(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	open_made(LAB_MAIN);
	for (int writes = 0; writes < 2; writes++) {
		struct checkpoint found;
		char *rows;

		store(TARGET_REPLACE, "+1|a +2|b", NULL, 1);
		begin(TARGET_REFILL);
		if (writes)
			put("+3|c");
		OPS->rollback(DST);
		OPS->release(DST);
		MUST(OPS->connect(DST, &contract.cancel, &err));
		rows = contract.lab->rows(LAB_DEST, LAB_MAIN);
		if (OPS->checkpoint(DST, &found, &err) != 0)
			assert_text(rows, "1|a|NULL|NULL\n2|b|NULL|NULL\n");
		free(rows);
		look();
	}
	store(TARGET_REFILL, "+4|d", NULL, 2);
	assert_dest("4|d|NULL|NULL\n");
	assert_checkpoint(2);
}

/* ----------------------------------------------------------------- applying */

static void test_apply(void **state)
{
	struct checkpoint at = point(1);
	struct target_counts counts;

	(void)state;
	open_made(LAB_MAIN);
	store(TARGET_REPLACE, "+1|a|1 +2|b|2 +3|c|3", NULL, 1);
	counts = store(TARGET_APPLY, "+4|d|4 +2|changed|NULL|1 -3", &at, 2);
	assert_int_equal(counts.inserted, 1);
	assert_int_equal(counts.updated, 1);
	assert_int_equal(counts.deleted, 1);
	assert_dest("1|a|1|NULL\n2|changed|NULL|1\n4|d|4|NULL\n");
	assert_checkpoint(2);
	at = point(2);
	/* A delete of what is not there and an insert of what is there. */
	counts = store(TARGET_APPLY, "-99 +1|again|9", &at, 3);
	assert_int_equal(counts.deleted, 0);
	assert_int_equal(counts.inserted, 0);
	assert_dest("1|again|9|NULL\n2|changed|NULL|1\n4|d|4|NULL\n");
	assert_checkpoint(3);
}

static void test_apply_nothing(void **state)
{
	struct checkpoint at = point(1);

	(void)state;
	open_made(LAB_MAIN);
	store(TARGET_REPLACE, "+1|a", NULL, 1);
	store(TARGET_APPLY, "", &at, 2);
	assert_dest("1|a|NULL|NULL\n");
	assert_checkpoint(2);
}

/* Several changes of one key: the last one counts, also across batches. */
static void test_apply_many_of_one_key(void **state)
{
	struct checkpoint at = point(1), next = point(2);

	(void)state;
	open_made(LAB_MAIN);
	store(TARGET_REPLACE, "+1|a +2|a +3|a", NULL, 1);
	begin(TARGET_APPLY);
	put("+1|b +1|c -1 +1|d -2 +2|back +4|x -4");
	put("-3 +3|y -3 +5|q");
	put("+5|r +6|s -1 +1|last");
	commit(&at, &next);
	assert_dest("1|last|NULL|NULL\n2|back|NULL|NULL\n5|r|NULL|NULL\n"
		    "6|s|NULL|NULL\n");
}

static void test_apply_pairs(void **state)
{
	struct checkpoint at = point(1);

	(void)state;
	open_made(LAB_PAIR);
	store(TARGET_REPLACE, "+1|x|10 +2|x|20 +1|y|30 +2|y|40", NULL, 1);
	store(TARGET_APPLY, "-1|x +2|x|21 +3|x|50 -1|z +1|y|31", &at, 2);
	assert_lab(LAB_DEST, LAB_PAIR, "1|y|31\n2|x|21\n2|y|40\n3|x|50\n");
}

/* The same window again changes nothing: applying is idempotent. */
static void test_apply_again(void **state)
{
	static const char changes[] = "+1|b -2 +3|c +3|d -4 +4|e";

	(void)state;
	open_made(LAB_MAIN);
	store(TARGET_REPLACE, "+1|a +2|a", NULL, 1);
	for (int i = 0; i < 3; i++) {
		store(TARGET_APPLY, changes, NULL, 2);
		assert_dest("1|b|NULL|NULL\n3|d|NULL|NULL\n4|e|NULL|NULL\n");
	}
}

/* Many rows, many of them twice, in one transaction. */
static void test_apply_many(void **state)
{
	struct checkpoint at = point(1), next = point(2);
	struct strbuf text, want;

	(void)state;
	open_made(LAB_MAIN);
	strbuf_init(&text);
	for (int i = 0; i < 1000; i++)
		strbuf_addf(&text, "+%d|old|%d ", i, i);
	store(TARGET_REPLACE, text.data, NULL, 1);
	begin(TARGET_APPLY);
	strbuf_reset(&text);
	for (int i = 0; i < 1000; i++)
		strbuf_addf(&text, i % 2 ? "-%d " : "+%d|between ", i);
	put(text.data);
	strbuf_reset(&text);
	for (int i = 500; i < 1500; i++)
		strbuf_addf(&text, "+%d|new|%d ", i, 2 * i);
	put(text.data);
	commit(&at, &next);
	strbuf_init(&want);
	for (int i = 0; i < 1500; i++) {
		if (i >= 500)
			strbuf_addf(&want, "%d|new|%d|NULL\n", i, 2 * i);
		else if (i % 2 == 0)
			strbuf_addf(&want, "%d|between|NULL|NULL\n", i);
	}
	assert_dest(want.data);
	strbuf_release(&want);
	strbuf_release(&text);
}

static void test_apply_rolled_back(void **state)
{
	struct checkpoint at = point(1);
	struct error err = ERROR_INIT;

	(void)state;
	open_made(LAB_MAIN);
	store(TARGET_REPLACE, "+1|a", NULL, 1);
	for (int writes = 0; writes < 3; writes++) {
		begin(TARGET_APPLY);
		for (int i = 0; i < writes; i++)
			put("+1|x +2|y");
		OPS->rollback(DST);
		assert_dest("1|a|NULL|NULL\n");
		OPS->release(DST);
		MUST(OPS->connect(DST, &contract.cancel, &err));
		assert_checkpoint(1);
		look();
	}
	store(TARGET_APPLY, "+2|b", &at, 2);
	assert_dest("1|a|NULL|NULL\n2|b|NULL|NULL\n");
	assert_checkpoint(2);
}

static void test_apply_with_a_wrong_checkpoint(void **state)
{
	struct checkpoint wrong = point(9), none = {.position = {.len = 0}};
	struct checkpoint at = point(1), next = point(2);
	const struct checkpoint *froms[] = {&wrong, &next, &none};
	struct error err = ERROR_INIT;
	struct target_counts counts;

	(void)state;
	open_made(LAB_MAIN);
	/* None is stored yet: nothing is as `from` says. */
	begin(TARGET_APPLY);
	put("+1|a");
	MUST_FAIL(OPS->commit(DST, &at, &next, &counts, &err), ERROR_CONFLICT);
	OPS->rollback(DST);
	OPS->release(DST);
	MUST(OPS->connect(DST, &contract.cancel, &err));
	look();
	assert_dest("");
	assert_checkpoint(0);
	store(TARGET_REPLACE, "+1|a", NULL, 1);
	for (size_t i = 0; i < COUNT_OF(froms); i++) {
		begin(TARGET_APPLY);
		put("+1|x -1 +2|y");
		MUST_FAIL(OPS->commit(DST, froms[i], &next, &counts, &err),
			  ERROR_CONFLICT);
		assert_false(err.retryable);
		OPS->rollback(DST);
		assert_dest("1|a|NULL|NULL\n");
		OPS->release(DST);
		MUST(OPS->connect(DST, &contract.cancel, &err));
		assert_checkpoint(1);
		look();
	}
	store(TARGET_APPLY, "+2|y", &at, 2);
	assert_dest("1|a|NULL|NULL\n2|y|NULL|NULL\n");
}

/* -------------------------------------------------------------- checkpoints */

static void test_checkpoint_round_trip(void **state)
{
	static const size_t lengths[] = {0, 1, 8, 10, 255, 256, POSITION_MAX};
	static const int64_t moments[] = {0, INT64_C(1769864459123456),
					  INT64_C(1769864459000000)};

	(void)state;
	open_made(LAB_MAIN);
	for (size_t i = 0; i < COUNT_OF(lengths); i++) {
		for (size_t k = 0; k < COUNT_OF(moments); k++) {
			unsigned char bytes[POSITION_MAX];
			struct checkpoint put_in = {.consistent_after_us =
							    moments[k]};
			struct checkpoint got;
			struct error err = ERROR_INIT;

			for (size_t b = 0; b < sizeof(bytes); b++)
				bytes[b] = (unsigned char)(b * 7 + i);
			MUST(position_set(&put_in.position, bytes, lengths[i],
					  &err));
			if (k % 2) {
				begin(TARGET_APPLY);
				commit(NULL, &put_in);
			} else {
				MUST(OPS->advance(DST, NULL, &put_in, &err));
			}
			assert_int_equal(OPS->checkpoint(DST, &got, &err), 1);
			assert_true(position_equal(&got.position,
						   &put_in.position));
			assert_true(got.consistent_after_us == moments[k]);
		}
	}
}

static void test_advance(void **state)
{
	struct checkpoint wrong = point(9), at = point(1), next = point(2);
	struct error err = ERROR_INIT;

	(void)state;
	open_made(LAB_MAIN);
	MUST_FAIL(OPS->advance(DST, &at, &next, &err), ERROR_CONFLICT);
	OPS->release(DST);
	MUST(OPS->connect(DST, &contract.cancel, &err));
	assert_checkpoint(0);
	MUST(OPS->advance(DST, NULL, &at, &err));
	assert_checkpoint(1);
	MUST_FAIL(OPS->advance(DST, &wrong, &next, &err), ERROR_CONFLICT);
	OPS->release(DST);
	MUST(OPS->connect(DST, &contract.cancel, &err));
	assert_checkpoint(1);
	MUST(OPS->advance(DST, &at, &next, &err));
	assert_checkpoint(2);
	MUST(OPS->advance(DST, &next, &next, &err)); /* nothing happened */
	assert_checkpoint(2);
	assert_dest("");
}

/* An empty position is a checkpoint, and may be moved on from. */
static void test_advance_from_no_position(void **state)
{
	struct checkpoint none = {.position = {.len = 0}}, next = point(1);
	struct error err = ERROR_INIT;

	(void)state;
	open_made(LAB_MAIN);
	MUST(OPS->advance(DST, NULL, &none, &err));
	MUST(OPS->advance(DST, &none, &next, &err));
	assert_checkpoint(1);
	MUST_FAIL(OPS->advance(DST, &none, &next, &err), ERROR_CONFLICT);
}

/* Installations, mappings and origins are told apart. */
static void test_checkpoints_of_others(void **state)
{
	(void)state;
	open_made(LAB_MAIN);
	store(TARGET_REPLACE, "+1|a", NULL, 1);
	contract_open_target(LAB_MAIN, "installation", 2, "origin");
	assert_checkpoint(0);
	contract_open_target(LAB_MAIN, "another", 1, "origin");
	assert_checkpoint(0);
	contract_open_target(LAB_MAIN, "installation", 1, "elsewhere");
	assert_checkpoint(0);
	contract_open_target(LAB_MAIN, "installation", 1, "origin");
	assert_checkpoint(1);
}

/*
 * A mapping that was pointed at another source and back: what the table holds
 * is the other one's, so the first checkpoint must not come back to life.
 */
static void test_origin_changes(void **state)
{
	struct checkpoint at = point(1), next = point(3);
	struct error err = ERROR_INIT;
	struct target_counts counts;

	(void)state;
	open_made(LAB_MAIN);
	store(TARGET_REPLACE, "+1|a", NULL, 1);
	contract_open_target(LAB_MAIN, "installation", 1, "elsewhere");
	look();
	/* Its changes do not go on from the first one's position. */
	begin(TARGET_APPLY);
	put("+2|b");
	MUST_FAIL(OPS->commit(DST, &at, &next, &counts, &err), ERROR_CONFLICT);
	OPS->rollback(DST);
	OPS->release(DST);
	MUST(OPS->connect(DST, &contract.cancel, &err));
	look();
	assert_dest("1|a|NULL|NULL\n");
	store(TARGET_REPLACE, "+7|other", NULL, 2);
	assert_checkpoint(2);
	contract_open_target(LAB_MAIN, "installation", 1, "origin");
	assert_checkpoint(0);
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
	open_made(LAB_MAIN);
	OPS->rollback(DST);
	OPS->rollback(DST);
	store(TARGET_REPLACE, "+1|a", NULL, 1);
	OPS->rollback(DST); /* what was committed stays */
	assert_dest("1|a|NULL|NULL\n");
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
	open_made(LAB_MAIN);
	store(TARGET_REPLACE, "+1|a", NULL, 1);
	for (size_t i = 0; i < COUNT_OF(modes); i++) {
		for (int writes = 0; writes < 2; writes++) {
			begin(modes[i]);
			if (writes)
				put("+1|x +2|y");
			OPS->release(DST);
			assert_dest("1|a|NULL|NULL\n");
			MUST(OPS->connect(DST, &contract.cancel, &err));
			assert_checkpoint(1);
			look();
		}
	}
	store(TARGET_REPLACE, "+3|c", NULL, 2);
	store(TARGET_APPLY, "+4|d", NULL, 3);
	assert_dest("3|c|NULL|NULL\n4|d|NULL|NULL\n");
}

/* Everything in turn, over one connection. */
static void test_one_after_the_other(void **state)
{
	(void)state;
	open_made(LAB_MAIN);
	for (int i = 1; i < 10; i += 3) {
		struct checkpoint at = point(i);

		store(TARGET_REPLACE, "+1|a +2|b", NULL, i);
		store(TARGET_APPLY, "+3|c -1", &at, i + 1);
		assert_dest("2|b|NULL|NULL\n3|c|NULL|NULL\n");
		store(TARGET_REFILL, "+9|z", NULL, i + 2);
		assert_dest("9|z|NULL|NULL\n");
		begin(TARGET_APPLY);
		put("+9|not~this");
		OPS->rollback(DST);
		contract_open_target(LAB_MAIN, "installation", 1, "origin");
		look();
		assert_checkpoint(i + 2);
	}
}

static void *put_in_thread(void *arg)
{
	struct error err = ERROR_INIT;
	struct batch batch;
	int *rc = arg;

	if (batch_init(&batch, &shape, 10, BATCH_BYTES, &err) < 0)
		return NULL;
	for (int i = 1; i <= 5; i++) {
		batch_put_i64(&batch, 0, i);
		for (size_t col = 1; col < shape.column_count; col++)
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
	struct checkpoint next = point(1);
	pthread_t thread;
	int rc = -1;

	(void)state;
	open_made(LAB_MAIN);
	begin(TARGET_REPLACE);
	assert_int_equal(pthread_create(&thread, NULL, put_in_thread, &rc), 0);
	pthread_join(thread, NULL);
	assert_int_equal(rc, 0);
	commit(NULL, &next);
	assert_dest("1|NULL|NULL|NULL\n2|NULL|NULL|NULL\n3|NULL|NULL|NULL\n"
		    "4|NULL|NULL|NULL\n5|NULL|NULL|NULL\n");
}

/* --------------------------------------------------------- from end to end */

/* What the source's side reads goes into the target's as it comes. */
static void test_from_source_to_target(void **state)
{
	struct error err = ERROR_INIT;
	struct checkpoint next = point(1);
	struct batch batch;
	char *want;
	int rc;

	(void)state;
	contract.lab->make(LAB_SOURCE, LAB_MAIN);
	contract.lab->change(LAB_MAIN,
			     "+1|z\xc3\xbcrich|10|0 +2||NULL|1 +3|NULL "
			     "+4|\xf0\x9f\x98\x80|4 +5|tail~~");
	for (int native = 0; native < 2; native++) {
		contract_open_source(LAB_MAIN, NULL, native);
		if (!native)
			open_made(LAB_MAIN);
		table_release(&shape);
		describe_source(&shape);
		MUST(contract.src->ops->read_begin(contract.src, &shape, &err));
		begin(TARGET_REPLACE);
		MUST(batch_init(&batch, &shape, 2, BATCH_BYTES, &err));
		while ((rc = contract.src->ops->next(contract.src, &batch,
						     &err)) > 0) {
			MUST(OPS->write(DST, &batch, &err));
			batch_reset(&batch);
		}
		MUST(rc);
		commit(NULL, &next);
		contract.src->ops->end(contract.src);
		batch_release(&batch);
		want = contract.lab->rows(LAB_SOURCE, LAB_MAIN);
		assert_dest(want);
		free(want);
	}
}

int contract_run_target(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
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
		TEST(test_apply_pairs),
		TEST(test_apply_again),
		TEST(test_apply_many),
		TEST(test_apply_rolled_back),
		TEST(test_apply_with_a_wrong_checkpoint),
		TEST(test_checkpoint_round_trip),
		TEST(test_advance),
		TEST(test_advance_from_no_position),
		TEST(test_checkpoints_of_others),
		TEST(test_origin_changes),
		TEST(test_rollback_of_nothing),
		TEST(test_release_while_writing),
		TEST(test_one_after_the_other),
		TEST(test_write_from_another_thread),
		TEST(test_from_source_to_target),
	};

	return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}
