#ifndef DRIVERS_POSTGRESQL_TARGET_H
#define DRIVERS_POSTGRESQL_TARGET_H

#include "drivers/postgresql/dest.h"
#include "drivers/postgresql/loader.h"
#include "drivers/postgresql/server.h"

/*
 * The target's parts know each other through this: target.c holds the
 * connection, replace.c, refill.c and apply.c are the three ways to write, and
 * checkpoint.c keeps the row that says how far the destination is.
 *
 * Everything of ours in a destination database lies in the schema `dataflow`,
 * which looks as it does on any other system.
 */
struct pg_target {
	struct target base;
	struct postgresql *server;
	struct table_name name;
	char *origin;
	char *installation;
	int mapping_id;
	int64_t epoch;
	int lease_s; /* 0: none */

	struct pg *conn; /* NULL between runs */
	struct cancel *cancel;
	uint64_t exceptions; /* rows put aside, as of the last look */

	struct pg_dest dest; /* as of the last describe() */
	bool described;
	bool stale; /* but a load has become the table since */

	/* From begin() to commit() or rollback(). */
	bool begun;
	enum target_mode mode;
	const struct table *shape;
	struct pg_loader *loader;
	char staging[32];    /* a temporary table of the session, unquoted */
	bool keyed;	     /* it has the rows' keys as text */
	bool in_parts;	     /* of TARGET_REPLACE: the load goes in parts */
	bool is_part;	     /* and this target writes one of them */
	bool swaps;	     /* the load is to become the table */
	char load_table[64]; /* in the schema dataflow; of TARGET_REPLACE */
	uint64_t refilled;   /* rows in place, of TARGET_REFILL */
	struct pg_isolate *isolate; /* refused rows are left out; or NULL */
};

/* ------------------------------------------------------------ checkpoint.c */

/*
 * Parameters that say whose rows of our tables are meant: $1 the installation,
 * $2 the mapping; those that follow are a statement's own.
 */
#define CHECKPOINT_WHOSE      "installation_id = $1 AND mapping_id = $2"
#define CHECKPOINT_PARAMS_MAX 8

struct pg_checkpoint_params {
	struct pg_param params[CHECKPOINT_PARAMS_MAX];
	size_t count;
};

/* Those two, on which more may follow. */
void pg_checkpoint_identify(struct pg_checkpoint_params *out,
			    const struct pg_target *target);
/* An empty position is NULL. */
struct pg_param pg_checkpoint_position(const struct position *position);

/* One that was read with encode(…, 'hex'). */
int pg_position_parse(const char *hex, struct position *out, struct error *err)
	__attribute__((warn_unused_result));

/* Run a statement with $1 and $2 alone; its rows are thrown away. */
int pg_checkpoint_run(struct pg_target *target, const char *sql,
		      struct error *err) __attribute__((warn_unused_result));

/*
 * For inside a transaction: move the checkpoint to `to`. ERROR_CONFLICT when a
 * later epoch has the row or, with a `from`, when it is not as that says.
 */
int pg_checkpoint_move(struct pg_target *target, const struct checkpoint *from,
		       const struct checkpoint *to, struct error *err)
	__attribute__((warn_unused_result));
/*
 * For a transaction that writes without moving the checkpoint. The lock keeps a
 * later epoch out until that transaction is over, and no part of a load.
 */
int pg_checkpoint_guard(struct pg_target *target, struct error *err)
	__attribute__((warn_unused_result));
/* The table no longer holds what the checkpoint says. */
int pg_checkpoint_forget(struct pg_target *target, struct error *err)
	__attribute__((warn_unused_result));

/* See driver.h. */
int pg_checkpoint_fence(struct pg_target *target, struct error *err)
	__attribute__((warn_unused_result));
int pg_checkpoint_read(struct pg_target *target, struct checkpoint *out,
		       struct error *err) __attribute__((warn_unused_result));

/* ---------------------------------------------------------------- target.c */

/*
 * Deferrable constraints wait for the commit, whatever their default. Nothing in
 * it waits but statements: the server ends it, and lets its locks go, when none
 * comes for as long as the lease lasts.
 */
int pg_target_transaction(struct pg_target *target, struct error *err)
	__attribute__((warn_unused_result));
/*
 * In a transaction, lock the destination: by and by, since whoever comes to read
 * it waits behind one who waits for a lock. What `before` (NULL: nothing) locks
 * is let go when that fails, and it is called again.
 */
int pg_target_lock(struct pg_target *target, const char *mode,
		   int (*before)(void *context, struct error *err),
		   void *context, struct error *err)
	__attribute__((warn_unused_result));
/* COMMIT, with the points at which tests break off. */
int pg_target_commit(struct pg_target *target, struct error *err)
	__attribute__((warn_unused_result));
/* Roll back what is open; if in no other way, by the server's noticing. */
void pg_target_abandon(struct pg_target *target);

/*
 * Run `sql`, which may have parameters, and then drop it. How many rows it
 * affected; -1 when it failed, or when the text could not be put together.
 */
int64_t pg_target_run(const struct pg_target *target, const struct strbuf *sql,
		      const struct pg_param *params, size_t count,
		      struct error *err) __attribute__((warn_unused_result));

/* Pieces of SQL. `d` is the destination, `s` what was loaded. */

void pg_sql_dest(struct strbuf *sql, const struct pg_target *target);
/* Where rows are looked for: not in tables that inherit from it, or it would be
 * theirs that go. Partitions have no others. */
void pg_sql_own(struct strbuf *sql, const struct pg_target *target);
/* "d.k1 = s.k1 AND d.k2 = s.k2" */
void pg_sql_key_match(struct strbuf *sql, const struct pg_target *target);
/* The value that was loaded, in the destination's own type. */
void pg_sql_loaded(struct strbuf *sql, const struct pg_target *target,
		   size_t i);
/* A list of the shape's columns, as they are called in the destination. */
void pg_sql_columns(struct strbuf *sql, const struct pg_target *target,
		    const char *prefix);
/* Is any column of `s` not to the byte what `d` has? */
void pg_sql_differs(struct strbuf *sql, const struct pg_target *target);

/* --------------------------------------------------------------- staging.c */

/*
 * The session's temporary table for rows of the shape, empty; made when it is
 * not there yet. Outside of a transaction. What is in it is gone when the
 * transaction ends, one way or the other.
 */
int pg_staging_make(struct pg_target *target, enum pg_loader_kind kind,
		    struct error *err) __attribute__((warn_unused_result));
/* "pg_temp"."…" */
void pg_staging_name(struct strbuf *sql, const struct pg_target *target);

/* ----------------------------------------------------------------- merge.c */

/*
 * How rows of a table `s` of ours come into the destination: a table of changes,
 * or a whole load. `range` goes on a WHERE, with its parameters; it may be
 * "". How many rows there were is added to `*rows`.
 */
struct pg_merge {
	struct pg_target *target;
	const char *from; /* quoted */
	bool changes;	  /* it has ops */
	bool whole;	  /* nothing else is in the destination */
	bool many;	  /* worth a look whether that is so */
	bool differing;	  /* touch only rows that are not the same */
	const char *range;
	const struct pg_param *params;
	size_t param_count;
};

/*
 * ERROR_SCHEMA when rows of other tables would go, or be changed, if all rows of
 * this one were deleted. A lock must keep foreign keys from being added.
 */
int pg_merge_check_reach(const struct pg_target *target, struct error *err)
	__attribute__((warn_unused_result));
/*
 * Rows of deleted keys go; of a load, those that it does not have. ERROR_GAP when
 * others went along with them, of which the changes do not tell all.
 */
int pg_merge_delete(const struct pg_merge *merge, uint64_t *rows,
		    struct error *err) __attribute__((warn_unused_result));
/* Rows that exist become what was loaded. */
int pg_merge_update(const struct pg_merge *merge, uint64_t *rows,
		    struct error *err) __attribute__((warn_unused_result));
/* Others come. */
int pg_merge_insert(const struct pg_merge *merge, uint64_t *rows,
		    struct error *err) __attribute__((warn_unused_result));

/*
 * After all changes of a window are applied, and those that were refused are
 * marked and put aside: ERROR_GAP when rows are not there that the changes tell
 * only in part, and they may have been deleted along with others by a foreign
 * key. Nothing is missed in a window that begins at no checkpoint (`from` is
 * NULL), or at that of a load which has read later than the changes were made.
 * Nothing here tells such a row from one that the source has deleted as well,
 * after it got another key (see change_rows.c): better a load too many.
 */
int pg_merge_check_missing(const struct pg_merge *merge,
			   const struct checkpoint *from, struct error *err)
	__attribute__((warn_unused_result));
/* Of changes `s`: one that is not left out and does not tell all of its row. */
void pg_sql_partial(struct strbuf *sql);

/*
 * All rows of the destination go and those of a load come, in one statement, at
 * whose end foreign keys are looked at. ERROR_SCHEMA as pg_merge_check_reach().
 */
int pg_merge_all(const struct pg_merge *merge, uint64_t *rows,
		 struct error *err) __attribute__((warn_unused_result));

/* What identities and serial columns count next comes behind what was loaded. */
int pg_merge_sequences(const struct pg_merge *merge, struct error *err)
	__attribute__((warn_unused_result));

/* ------------------------------------------- the ways to write; see driver.h */

int pg_replace_begin(struct pg_target *target, struct error *err)
	__attribute__((warn_unused_result));
int pg_replace_commit(struct pg_target *target, const struct checkpoint *from,
		      const struct checkpoint *to, struct target_counts *counts,
		      struct error *err) __attribute__((warn_unused_result));
/* The load table's name, quoted. */
void pg_replace_table(struct strbuf *sql, const struct pg_target *target);
/*
 * Choose that name, and drop what earlier loads left behind. ERROR_CONFLICT when
 * a later epoch is at work, of which nothing is touched. Outside of a transaction,
 * which may be open after a failure.
 */
int pg_replace_clear(struct pg_target *target, struct error *err)
	__attribute__((warn_unused_result));
/* Make it, as the destination is now; in a transaction. */
int pg_replace_make(struct pg_target *target, struct error *err)
	__attribute__((warn_unused_result));

int pg_plan_begin(struct pg_target *target, struct load_plan *plan, bool fresh,
		  struct error *err) __attribute__((warn_unused_result));
int pg_plan_part_begin(struct pg_target *target, struct error *err)
	__attribute__((warn_unused_result));
int pg_plan_part_end(struct pg_target *target, size_t part, struct error *err)
	__attribute__((warn_unused_result));
/* How many rows the parts have that are done; -1 when some are not. */
int pg_plan_count(struct pg_target *target, uint64_t *rows, struct error *err)
	__attribute__((warn_unused_result));
/* For the transaction that makes a load visible: the plan is fulfilled. */
int pg_plan_remove(struct pg_target *target, struct error *err)
	__attribute__((warn_unused_result));

int pg_refill_begin(struct pg_target *target, struct error *err)
	__attribute__((warn_unused_result));
int pg_refill_write(struct pg_target *target, const struct batch *batch,
		    struct error *err) __attribute__((warn_unused_result));
int pg_refill_commit(struct pg_target *target, const struct checkpoint *to,
		     struct target_counts *counts, struct error *err)
	__attribute__((warn_unused_result));

int pg_apply_begin(struct pg_target *target, struct error *err)
	__attribute__((warn_unused_result));
int pg_apply_commit(struct pg_target *target, const struct checkpoint *from,
		    const struct checkpoint *to, struct target_counts *counts,
		    struct error *err) __attribute__((warn_unused_result));
/* Of several changes of one key only the last one stays there; `rows` remain. */
int pg_apply_keep_last(struct pg_target *target, uint64_t *rows,
		       struct error *err) __attribute__((warn_unused_result));

/* Changes of which some rows are refused; see driver.h. */
int pg_isolate_begin(struct pg_target *target, struct isolation *how,
		     struct error *err) __attribute__((warn_unused_result));
int pg_isolate_commit(struct pg_target *target, const struct checkpoint *from,
		      const struct checkpoint *to, struct target_counts *counts,
		      struct error *err) __attribute__((warn_unused_result));
/*
 * A window's changes, numbered up to `sent`, of each key the last one, with their
 * keys: row by row in an order that the server allows. All or nothing.
 */
int pg_isolate_in_order(struct pg_target *target, uint64_t sent,
			struct target_counts *counts, struct error *err)
	__attribute__((warn_unused_result));
/* A foreign key, a unique value or an exclusion: others may make room. */
bool pg_isolate_depends_on_order(const struct error *why);
void pg_isolate_free(struct pg_isolate *isolate); /* NULL is fine */

/* Rows put aside: all of the mapping's are over, see driver.h. */
int pg_exceptions_remove(struct pg_target *target, struct error *err)
	__attribute__((warn_unused_result));
/*
 * Those are whose keys are among the changes, but not by a change that does not
 * tell all of its row; `also` goes on a WHERE.
 */
int pg_exceptions_settle(struct pg_target *target, const char *also,
			 uint64_t *settled, struct error *err)
	__attribute__((warn_unused_result));
int pg_exceptions_tell(struct pg_target *target,
		       void (*tell)(void *context,
				    const struct target_exception *row),
		       void *context, struct error *err)
	__attribute__((warn_unused_result));

/* ------------------------------------------------------------------ others */

/* create.c; see driver.h. */
int pg_create_table(struct pg_target *target, const struct table *shape,
		    struct error *err) __attribute__((warn_unused_result));

/* check_target.c; see driver.h. */
int pg_check_target(struct pg_target *target, const struct target_check *what,
		    struct findings *out, struct error *err)
	__attribute__((warn_unused_result));

#endif
