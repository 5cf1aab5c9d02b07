#ifndef DRIVERS_POSTGRESQL_LOADER_H
#define DRIVERS_POSTGRESQL_LOADER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "drivers/postgresql/dest.h"
#include "row/batch.h"

/* Extra columns of a table that takes changes; no user's column is so named. */
#define LOADER_OP_COLUMN  "__$dataflow_op"  /* enum row_op */
#define LOADER_SEQ_COLUMN "__$dataflow_seq" /* order of arrival, from 1 */
#define LOADER_KEY_COLUMN "__$dataflow_key" /* the key as text for people */
/* A '1' for each column whose value is unchanged, '0' for others; NULL: none. */
#define LOADER_KEPT_COLUMN "__$dataflow_kept"

/* Added to the op of a row that is left out. */
#define LOADER_REFUSED 2

/* As many bytes of a key as are kept. */
#define LOADER_KEY_MAX 4000

enum pg_loader_kind {
	PG_LOADER_CLONE,   /* rows into a table just like the destination */
	PG_LOADER_ROWS,	   /* rows into one of pg_loader_columns() */
	PG_LOADER_CHANGES, /* with op, seq and kept */
	PG_LOADER_KEYED_CHANGES, /* with op, seq, kept and key */
};

/*
 * From batches into a table of our own making, by binary COPY. Belongs to one
 * target; borrows everything.
 */
struct pg_loader;

/*
 * Append the column definitions of such a table for the columns of `shape` as
 * `dest` has them: for changes with the extra columns in front, and with
 * everything but the key nullable. See encode_staged_as_text(). ERROR_SCHEMA when
 * `dest` lacks one.
 */
int pg_loader_columns(struct strbuf *sql, const struct pg_dest *dest,
		      const struct table *shape, enum pg_loader_kind kind,
		      struct error *err) __attribute__((warn_unused_result));

/* Is there one that no binary COPY takes? */
bool pg_loader_casts(const struct pg_dest *dest, const struct table *shape);

/*
 * Begin a COPY into `table`, a quoted name. `options` goes behind FORMAT binary:
 * ", FREEZE", or "".
 */
struct pg_loader *pg_loader_new(struct pg *conn, const char *table,
				const struct pg_dest *dest,
				const struct table *shape,
				enum pg_loader_kind kind, const char *options,
				struct error *err);

/* Ends a COPY that is under way, which fails the transaction. NULL is fine. */
void pg_loader_free(struct pg_loader *loader);

/*
 * Send a batch. ERROR_DATA names the column and the row whose value does not
 * fit; nothing is ever cut.
 */
int pg_loader_write(struct pg_loader *loader, const struct batch *batch,
		    struct error *err) __attribute__((warn_unused_result));

/*
 * Of keyed changes: a row that does not fit is no error from now on. It is
 * loaded with its key alone and LOADER_REFUSED in its op, and `refused` is told
 * its seq and why; 0 and its key when not even that fits. -1 of that function
 * ends the load.
 */
void pg_loader_leave_out(struct pg_loader *loader,
			 int (*refused)(void *context, int64_t seq,
					enum row_op op, const char *key,
					const struct error *why,
					struct error *err),
			 void *context);

/* The held of a target that loads so, see driver.h. */
unsigned pg_loader_held(const struct pg_loader *loader);

/*
 * Was some row's value of column `i` of the shape marked as unchanged? Of any
 * column, without one.
 */
#define LOADER_ANY_COLUMN SIZE_MAX
bool pg_loader_kept(const struct pg_loader *loader, size_t i);

/* How many rows were sent so far, and how many of them are deletes. */
uint64_t pg_loader_rows(const struct pg_loader *loader);
uint64_t pg_loader_deletes(const struct pg_loader *loader);

/* After the last batch. `rows` gets how many were sent. */
int pg_loader_end(struct pg_loader *loader, uint64_t *rows, struct error *err)
	__attribute__((warn_unused_result));

#endif
