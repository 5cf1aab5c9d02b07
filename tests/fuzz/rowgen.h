#ifndef TESTS_FUZZ_ROWGEN_H
#define TESTS_FUZZ_ROWGEN_H

#include "fuzz/fuzz.h"
#include "row/batch.h"

/* Tables and rows out of the bytes that are tried. */
#define ROWGEN_COLUMNS 6

/* Up to ROWGEN_COLUMNS columns of any type; to be released. */
void rowgen_table(struct input *in, struct table *table);

/* A row of values that their columns can hold. */
void rowgen_row(struct input *in, struct batch *batch);

/* Have both batches the same rows? Offsets from UTC only count with `offsets`;
 * NaN is NaN. */
bool rowgen_same(const struct batch *a, const struct batch *b, bool offsets);

#endif
