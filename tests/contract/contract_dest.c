#include "contract/contract_dest.h"

#include <string.h>

#define DST contract.dst
#define OPS contract.dst->ops

#define BATCH_BYTES ((size_t)8 << 20)

struct table dest_shape;

int dest_setup(void **state)
{
	if (contract_setup(state) < 0)
		return -1;
	table_init(&dest_shape);
	return 0;
}

int dest_teardown(void **state)
{
	table_release(&dest_shape);
	return contract_teardown(state);
}

struct checkpoint dest_point(int number)
{
	struct checkpoint out = {.consistent_after_us = 0};
	struct error err = ERROR_INIT;
	unsigned char bytes[10] = {0, 0, 0, 1, 0,
				   0, 2, 0, 3, (unsigned char)number};

	MUST(position_set(&out.position, bytes, sizeof(bytes), &err));
	return out;
}

void dest_open(enum lab_table table)
{
	struct error err = ERROR_INIT;
	struct table made;

	contract.lab->make(LAB_DEST, table);
	contract_open_target(table, "installation", 1, "origin");
	table_release(&dest_shape);
	shape_of(&dest_shape, table);
	if (contract.driver->abilities & TARGET_ANY_SHAPE)
		MUST(OPS->create(DST, &dest_shape, &err));
	table_init(&made);
	assert_int_equal(OPS->describe(DST, &made, &err), 1);
	table_release(&made);
}

void dest_look(void)
{
	struct error err = ERROR_INIT;
	struct table made;

	table_init(&made);
	assert_int_equal(OPS->describe(DST, &made, &err), 1);
	table_release(&made);
}

void dest_look_anew(void)
{
	struct error err = ERROR_INIT;

	if (contract.driver->abilities & TARGET_ANY_SHAPE)
		MUST(OPS->create(DST, &dest_shape, &err));
	dest_look();
}

void dest_put(const char *changes)
{
	struct error err = ERROR_INIT;
	struct batch batch;

	MUST(batch_init(&batch, &dest_shape, 1000, BATCH_BYTES, &err));
	put_changes(&batch, changes);
	MUST(OPS->write(DST, &batch, &err));
	/* It is the caller's again: what he does with it changes nothing. */
	for (size_t i = 0; i < batch.rows; i++)
		if (!batch_null(&batch, 0, i))
			batch.columns[0].i64[i] = 4711;
	batch_reset(&batch);
	batch_release(&batch);
}

/* What comes now is of a window that ends there. */
static void dest_stamp(int number)
{
	struct checkpoint end = dest_point(number);
	struct error err = ERROR_INIT;

	if (OPS->stamp)
		MUST(OPS->stamp(DST, &end.position, INT64_C(1769864459123456),
				&err));
}

void dest_begin(enum target_mode mode)
{
	struct error err = ERROR_INIT;

	MUST(OPS->begin(DST, mode, &dest_shape, &err));
	if (mode == TARGET_APPLY)
		dest_stamp(99);
}

void dest_assert_counts(const struct target_counts *counts, uint64_t inserted,
			uint64_t updated, uint64_t deleted)
{
	if (contract.lab->log_only)
		return;
	assert_int_equal(counts->inserted, inserted);
	assert_int_equal(counts->updated, updated);
	assert_int_equal(counts->deleted, deleted);
}

struct target_counts dest_commit(const struct checkpoint *from,
				 const struct checkpoint *to)
{
	struct target_counts counts;
	struct error err = ERROR_INIT;

	memset(&counts, 0x55, sizeof(counts));
	if (OPS->commit(DST, from, to, &counts, &err) < 0)
		fail_msg("commit: %s", err.message);
	return counts;
}

struct target_counts dest_store(enum target_mode mode, const char *changes,
				const struct checkpoint *from, int to)
{
	struct checkpoint next = dest_point(to);

	dest_begin(mode);
	if (*changes)
		dest_put(changes);
	return dest_commit(from, &next);
}

void dest_assert(const char *want)
{
	assert_lab(LAB_DEST, LAB_MAIN, want);
}

void dest_assert_checkpoint(int number)
{
	struct checkpoint got, want = dest_point(number);
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
