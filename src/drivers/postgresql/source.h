#ifndef DRIVERS_POSTGRESQL_SOURCE_H
#define DRIVERS_POSTGRESQL_SOURCE_H

#include "drivers/postgresql/catalog.h"
#include "drivers/postgresql/decode.h"
#include "drivers/postgresql/server.h"

/* source.c holds the connection and reads tables, changes.c reads the log. */
struct postgresql_source {
	struct source base;
	struct postgresql *server;
	struct table_name name;
	const char *trigger_column;
	const char *change_source; /* NULL: none */
	/*
	 * Without those of the tables that inherit from it: the log tells of its
	 * own alone (logged.c), and changes are made in its own (pg_sql_own()).
	 */
	bool own_rows;
	struct changes *changes; /* see changes.h */
	bool native;		 /* the target is a PostgreSQL, too */

	struct pg *conn; /* NULL between runs */
	bool grown;	 /* its buffers are too large to be kept */
	struct catalog_table catalog;
	bool described;
	struct cancel *cancel;
	bool sharing; /* a snapshot with the other readers of a load */

	/* From read_begin() or pg_changes_begin() to end(). */
	enum { READ_NONE, READ_TABLE, READ_CHANGES } reading;
	struct pg_column_plan *plans;
	size_t plan_count;
	bool in_header; /* of the COPY, no row has come yet */
	bool at_end;	/* all rows have come */
	/* A row that was read, but the last batch had no room for it. */
	const unsigned char *row;
	size_t row_len;
};

/* Read the catalog unless it is known; describe() reads it anew. */
int pg_source_know_table(struct postgresql_source *source, struct error *err)
	__attribute__((warn_unused_result));

/* The column of that name. ERROR_SCHEMA: it is no longer there. */
int pg_source_column(const struct postgresql_source *source, const char *name,
		     const struct catalog_column **out, struct error *err)
	__attribute__((warn_unused_result));

/* "schema"."table" AS t, with ONLY where that is meant; its catalog is known. */
void pg_source_add_table(struct strbuf *sql,
			 const struct postgresql_source *source);

/*
 * Begin a transaction that sees one moment and changes nothing; source_end()
 * ends it. Before a read of some rows, between which changes have to be read,
 * `hurry`: it gives up soon when others hold locks.
 */
int pg_source_begin_snapshot(struct postgresql_source *source, bool hurry,
			     struct error *err)
	__attribute__((warn_unused_result));

/* The load that a range of split()'s is a part of. */
const unsigned char *pg_split_load(const struct key_range *range);

/* The ops' slots of other files. */
int pg_longer_find(struct postgresql_source *source, const struct table *table,
		   const char *name, int length, struct strbuf *key,
		   struct error *err) __attribute__((warn_unused_result));
int pg_split_table(struct postgresql_source *source, struct key_range *ranges,
		   size_t count, struct error *err)
	__attribute__((warn_unused_result));
int pg_seek_key(struct postgresql_source *source, const struct table *keys,
		const struct key_span *span, bool backwards, uint64_t skip,
		struct batch *out, struct error *err)
	__attribute__((warn_unused_result));
int pg_digest_read(struct postgresql_source *source, const struct table *shape,
		   const size_t *take, size_t take_count,
		   const struct table *keys, const struct key_span *span,
		   uint64_t limit, struct row_sum *out, struct error *err)
	__attribute__((warn_unused_result));
int pg_trigger_count(struct postgresql_source *source, uint64_t limit,
		     uint64_t *rows, struct error *err)
	__attribute__((warn_unused_result));
int pg_trigger_clear(struct postgresql_source *source, uint64_t *rows,
		     struct error *err) __attribute__((warn_unused_result));

/* Make the plans by which rows with the columns of `shape` are decoded. */
int pg_source_plan(struct postgresql_source *source, const struct table *shape,
		   struct error *err) __attribute__((warn_unused_result));

/*
 * Fill in `rows` for a read of `shape` from `from` (FROM and WHERE, of the alias
 * t). `chosen`: only some rows are asked for, so that a look at them is cheap.
 */
int pg_source_measure(struct postgresql_source *source,
		      const struct table *shape, const char *from, bool chosen,
		      struct error *err) __attribute__((warn_unused_result));

/* Say what helps when the login may not do that, for want of `right` on the
 * table, such as "SELECT". */
void pg_source_advise(const struct postgresql_source *source, const char *right,
		      struct error *err);

/* ------------------------------------------------------------------ changes */

/* The ops' slots for the log, and next() and end() while it is read. */
int pg_changes_position(struct postgresql_source *source, struct position *out,
			struct error *err) __attribute__((warn_unused_result));
int pg_changes_read_until(struct postgresql_source *source,
			  struct position *position, struct error *err)
	__attribute__((warn_unused_result));
int pg_changes_begin(struct postgresql_source *source, struct table *shape,
		     const struct position *from, unsigned limit,
		     struct window *window, struct error *err)
	__attribute__((warn_unused_result));
int pg_changes_next(struct postgresql_source *source, struct batch *batch,
		    struct error *err) __attribute__((warn_unused_result));
void pg_changes_end(struct postgresql_source *source);

#endif
