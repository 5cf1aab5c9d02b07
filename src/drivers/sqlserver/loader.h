#ifndef DRIVERS_SQLSERVER_LOADER_H
#define DRIVERS_SQLSERVER_LOADER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "drivers/sqlserver/catalog.h"
#include "row/batch.h"
#include "tds/connection.h"

/* Extra columns of a table that takes changes; no user's column is so named. */
#define LOADER_OP_COLUMN  "__$dataflow_op"  /* enum row_op */
#define LOADER_SEQ_COLUMN "__$dataflow_seq" /* order of arrival, from 1 */
#define LOADER_KEY_COLUMN "__$dataflow_key" /* the key as text for people */
/* A '1' for each column whose value is unchanged, '0' for others; NULL: none. */
#define LOADER_KEPT_COLUMN "__$dataflow_kept"

/* Added to the op of a row that is left out. */
#define LOADER_REFUSED 2

/* As much of a key as is kept, in UTF-16 units; more than an index takes. */
#define LOADER_KEY_MAX 4000

enum loader_kind {
	LOADER_ROWS,
	LOADER_CHANGES,	      /* with op, seq and kept */
	LOADER_KEYED_CHANGES, /* with op, seq, kept and key */
};

/*
 * From batches into a table of our own making, by bulk load. The table has the
 * columns that loader_columns() wrote, in that order.
 */
struct loader;

/*
 * Append the column definitions of such a table for the columns of `shape` as
 * the destination `dest` has them: for changes with the extra columns in front,
 * and with everything but the key nullable.
 */
void loader_columns(struct strbuf *sql, const struct catalog_table *dest,
		    const struct table *shape, enum loader_kind kind);

/* Borrows everything; `table` is a quoted name. */
struct loader *loader_new(struct tds *conn, const char *table,
			  const struct catalog_table *dest,
			  const struct table *shape, enum loader_kind kind,
			  struct error *err);
void loader_free(struct loader *loader); /* NULL is fine */

/*
 * Send a batch. ERROR_DATA names the column whose value does not fit; nothing
 * is ever cut. Rows are made permanent every so often.
 */
int loader_write(struct loader *loader, const struct batch *batch,
		 struct error *err) __attribute__((warn_unused_result));

/*
 * Of keyed changes: a row that does not fit is no error from now on. It is
 * loaded with its key alone and LOADER_REFUSED in its op, and `refused` is told
 * its seq and why; 0 and its key when not even that fits. -1 of that function
 * ends the load.
 */
void loader_leave_out(struct loader *loader,
		      int (*refused)(void *context, int64_t seq, enum row_op op,
				     const char *key, const struct error *why,
				     struct error *err),
		      void *context);

/* The held of a target that loads so, see driver.h. */
unsigned loader_held(const struct loader *loader);

/*
 * Was some row's value of column `i` of the shape marked as unchanged? Of any
 * column, without one.
 */
#define LOADER_ANY_COLUMN SIZE_MAX
bool loader_kept(const struct loader *loader, size_t i);

/* How many rows were sent so far. */
uint64_t loader_rows(const struct loader *loader);

/* After the last batch. `rows` gets how many were sent. */
int loader_end(struct loader *loader, uint64_t *rows, struct error *err)
	__attribute__((warn_unused_result));

#endif
