#ifndef DRIVERS_MEMORY_MEMORY_H
#define DRIVERS_MEMORY_MEMORY_H

#include "drivers/driver.h"

/*
 * A database system held in this process: a source with a change log and a
 * target with transactions. Tests of the engine run on it, and it is the
 * shortest driver to read. The connection string is `name=…`; equal names
 * reach the same store, which lasts until memory_forget(). With `gather_ms=…`
 * changes are worth gathering for so long.
 *
 * These functions are its SQL: what an application, or a test, does to it.
 * Tables are found by all three parts of their names. Any thread may call.
 */

/* Make a table; `shape` says columns and key and is copied. */
int memory_create_table(const char *store_name, const struct table_name *name,
			const struct table *shape, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Apply the rows of a batch to a table as one transaction, and log them.
 * Columns are taken by position.
 */
int memory_change(const char *store_name, const struct table_name *name,
		  const struct batch *batch, struct error *err)
	__attribute__((warn_unused_result));

/* Append all rows, in the order of their keys' bytes, to `out`. */
int memory_rows(const char *store_name, const struct table_name *name,
		struct batch *out, struct error *err)
	__attribute__((warn_unused_result));

/* Drop the log up to now, as retention does: makes gaps. */
void memory_purge_log(const char *store_name);

/*
 * Make the call number `call` from now on (1 is the next) of any source or
 * target of the store fail, once, with `kind`. 0: none. memory_calls() says
 * how many there have been since.
 */
void memory_fail(const char *store_name, unsigned long call,
		 enum error_kind kind);
unsigned long memory_calls(const char *store_name);

/*
 * Tell of each such call which slot of driver.h it was, as "source.seek". By
 * the thread that makes it, and in turn. NULL: no more.
 */
void memory_watch(const char *store_name, void (*watch)(const char *slot));

/*
 * Targets of the store refuse to put a row whose integer column of that name
 * holds `value`, as a CHECK constraint would. NULL: they take every row.
 */
void memory_refuse(const char *store_name, const char *column, int64_t value);

/* The last transaction that stored() of a source said is not needed; 0: none. */
unsigned long memory_stored(const char *store_name);

/* How many mappings() of the server told last, and in `times` how often. */
size_t memory_mappings(const char *store_name, unsigned *times);

/* Where the last window ends whose rows a target was told to write; 0: none. */
unsigned long memory_stamped(const char *store_name);

/* Throw the store away; nothing may be open on it. */
void memory_forget(const char *store_name);

#endif
