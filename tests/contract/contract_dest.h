#ifndef TESTS_CONTRACT_CONTRACT_DEST_H
#define TESTS_CONTRACT_CONTRACT_DEST_H

#include "contract/contract.h"

/*
 * The destination's end of the contract, as the tests of targets use it: the
 * target in contract.dst and the shape of the rows that go into it.
 */
extern struct table dest_shape;

int dest_setup(void **state);
int dest_teardown(void **state);

/* Checkpoints as different as the sources that make them. */
struct checkpoint dest_point(int number);

/* The target of mapping 1 on a table, made and described. */
void dest_open(enum lab_table table);

/* Look at the table, as the engine does before it writes. */
void dest_look(void);
/* Likewise by a target that was just opened. */
void dest_look_anew(void);

void dest_begin(enum target_mode mode);
/* How many rows were new, others, and gone, as far as the target can tell. */
void dest_assert_counts(const struct target_counts *counts, uint64_t inserted,
			uint64_t updated, uint64_t deleted);
void dest_put(const char *changes);
struct target_counts dest_commit(const struct checkpoint *from,
				 const struct checkpoint *to);

/* A whole load or window in one go. */
struct target_counts dest_store(enum target_mode mode, const char *changes,
				const struct checkpoint *from, int to);

void dest_assert(const char *want);

/* What the target says it has; 0 stands for nothing. */
void dest_assert_checkpoint(int number);

#endif
