#ifndef TESTS_UNIT_ROWS_H
#define TESTS_UNIT_ROWS_H

/* Tables and rows for tests, written down in one line each. */

#include "base/strbuf.h"
#include "row/batch.h"
#include "row/schema.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

/*
 * Make a table "db.dbo.name" of these columns; a column's `native` is its
 * type's name when it has none. `key` is a list as table_set_key() takes it,
 * or NULL.
 */
void table_make(struct table *table, const char *name,
		const struct column *columns, size_t count, const char *key);

/* A batch with plenty of room. */
void batch_make(struct batch *batch, const struct table *table);

/* Text into a slice column of the next row. */
void put_text(struct batch *batch, size_t col, const char *text);

/* Every row of it: "op a|b|c" and a line break each, op being + or -. */
void rows_text(struct strbuf *out, const struct batch *batch);

/* Fails with both when it is something else. */
void assert_rows(const struct batch *batch, const char *want);

#endif
