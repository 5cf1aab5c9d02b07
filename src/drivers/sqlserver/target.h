#ifndef DRIVERS_SQLSERVER_TARGET_H
#define DRIVERS_SQLSERVER_TARGET_H

#include "drivers/sqlserver/catalog.h"
#include "drivers/sqlserver/loader.h"
#include "drivers/sqlserver/server.h"

/*
 * The target's parts know each other through this: target.c holds the
 * connection, replace.c, refill.c and apply.c are the three ways to write, and
 * checkpoint.c keeps the row that says how far the destination is.
 *
 * Everything of ours in a destination database lies in the schema `dataflow`.
 */
struct sqlserver_target {
	struct target base;
	struct sqlserver *server;
	struct table_name name;
	char *origin;
	char *installation;
	int mapping_id;
	int64_t epoch;

	struct tds *conn; /* NULL between runs */
	struct cancel *cancel;
	bool has_changes_table;
	size_t changes_columns; /* windows of an older instance have fewer */
	bool changes_keyed;	/* and it has the rows' keys as text */
	uint64_t exceptions;	/* rows put aside, as of the last look */

	struct catalog_table dest; /* as of the last describe() */
	bool described;

	/* From begin() to commit() or rollback(). */
	bool begun;
	enum target_mode mode;
	const struct table *shape;
	struct loader *loader;
	bool in_parts;		 /* of TARGET_REPLACE: the load goes in parts */
	bool is_part;		 /* and this target writes one of them */
	char load_table[64];	 /* in the schema dataflow; of TARGET_REPLACE */
	uint64_t refilled;	 /* rows in place, of TARGET_REFILL */
	struct isolate *isolate; /* refused rows are left out; or NULL */
};

/*
 * Statements for inside a transaction that is about to commit, and their
 * parameters. Error CHECKPOINT_MOVED is thrown when a later epoch has the row
 * or, with a `from`, when it is not as that says; checkpoint_failed() makes an
 * ERROR_CONFLICT of it and returns -1.
 */
#define CHECKPOINT_MOVED      51000
#define CHECKPOINT_PARAMS_MAX 12

struct checkpoint_params {
	struct tds_param params[CHECKPOINT_PARAMS_MAX];
	size_t count;
	char consistent_after[64];
};

/* @installation, @mapping, @epoch and @origin, on which more may follow. */
void checkpoint_identify(struct checkpoint_params *out,
			 const struct sqlserver_target *target);
/* An empty position is NULL. */
struct tds_param checkpoint_position(const char *name,
				     const struct position *position);
void checkpoint_sql(struct strbuf *sql, bool with_from);
int checkpoint_failed(struct error *err);
void checkpoint_fill(struct checkpoint_params *out,
		     const struct sqlserver_target *target,
		     const struct checkpoint *from,
		     const struct checkpoint *to);
int checkpoint_read(struct sqlserver_target *target, struct checkpoint *out,
		    struct error *err) __attribute__((warn_unused_result));
/* See driver.h. */
int checkpoint_fence(struct sqlserver_target *target, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Goes first in a transaction that writes without moving the checkpoint. The
 * lock keeps a later epoch out until that transaction is over. For
 * checkpoint_run(), which gives the parameters.
 */
#define CHECKPOINT_GUARD                                     \
	"IF NOT EXISTS (SELECT 1 FROM dataflow.checkpoints " \
	"WITH (UPDLOCK, HOLDLOCK) "                          \
	"WHERE installation_id = @installation "             \
	"AND mapping_id = @mapping AND epoch = @epoch) "     \
	"THROW 51000, 'the checkpoint moved', 1; "
/* Likewise, when the table no longer holds what the checkpoint says. */
#define CHECKPOINT_FORGET                                        \
	"UPDATE dataflow.checkpoints SET origin = N'', "         \
	"position = NULL WHERE installation_id = @installation " \
	"AND mapping_id = @mapping AND epoch = @epoch; "         \
	"IF @@ROWCOUNT <> 1 THROW 51000, 'the checkpoint moved', 1; "
int checkpoint_run(struct sqlserver_target *target, const char *sql,
		   struct error *err) __attribute__((warn_unused_result));

/* Roll back what is open; if in no other way, by the server's noticing. */
void target_abandon(struct sqlserver_target *target);

/* Run `sql` with a checkpoint's parameters; a moved one is ERROR_CONFLICT. */
int target_transact(struct sqlserver_target *target, const char *sql,
		    const struct checkpoint *from, const struct checkpoint *to,
		    struct target_counts *counts, struct error *err)
	__attribute__((warn_unused_result));

/* The three ways to write; see driver.h. */
int replace_begin(struct sqlserver_target *target, struct error *err)
	__attribute__((warn_unused_result));
int replace_commit(struct sqlserver_target *target,
		   const struct checkpoint *from, const struct checkpoint *to,
		   struct target_counts *counts, struct error *err)
	__attribute__((warn_unused_result));
void replace_rollback(struct sqlserver_target *target);

/* "[dataflow].[load_…]": the load table's name, quoted. */
void replace_table(struct strbuf *sql, const struct sqlserver_target *target);
/*
 * Make the load table anew; `heap`: its clustered index, if any, comes when it
 * is full. Drops what earlier loads left behind.
 */
int replace_make_table(struct sqlserver_target *target, bool heap,
		       struct error *err) __attribute__((warn_unused_result));

/* Loads in parts; see driver.h. */
int plan_begin(struct sqlserver_target *target, struct load_plan *plan,
	       bool fresh, struct error *err)
	__attribute__((warn_unused_result));
int plan_part_begin(struct sqlserver_target *target, size_t part,
		    struct error *err) __attribute__((warn_unused_result));
int plan_part_end(struct sqlserver_target *target, size_t part,
		  struct error *err) __attribute__((warn_unused_result));
/* How many rows the parts have that are done; -1 when some are not. */
int plan_count(struct sqlserver_target *target, uint64_t *rows,
	       struct error *err) __attribute__((warn_unused_result));
/* For the transaction that makes the load visible: the plan is fulfilled. */
#define PLAN_REMOVE                              \
	"DELETE FROM dataflow.loads "            \
	"WHERE installation_id = @installation " \
	"AND mapping_id = @mapping; "            \
	"DELETE FROM dataflow.load_parts "       \
	"WHERE installation_id = @installation " \
	"AND mapping_id = @mapping; "

/* Likewise: what was put aside came with it. */
#define EXCEPTIONS_REMOVE                        \
	"DELETE FROM dataflow.exceptions "       \
	"WHERE installation_id = @installation " \
	"AND mapping_id = @mapping; "

int refill_begin(struct sqlserver_target *target, struct error *err)
	__attribute__((warn_unused_result));
int refill_write(struct sqlserver_target *target, const struct batch *batch,
		 struct error *err) __attribute__((warn_unused_result));
int refill_commit(struct sqlserver_target *target, const struct checkpoint *to,
		  struct target_counts *counts, struct error *err)
	__attribute__((warn_unused_result));

int apply_begin(struct sqlserver_target *target, struct error *err)
	__attribute__((warn_unused_result));
int apply_commit(struct sqlserver_target *target, const struct checkpoint *from,
		 const struct checkpoint *to, struct target_counts *counts,
		 struct error *err) __attribute__((warn_unused_result));

/* A temporary table of the session, with the changes of a window. */
#define APPLY_CHANGES "#dataflow_changes"

/* Of several changes of one key only the last one stays there. */
int apply_keep_last(struct sqlserver_target *target, uint64_t rows,
		    struct error *err) __attribute__((warn_unused_result));

/*
 * The statements that apply it: rows of deleted keys go, and those that have to
 * be made anew, because an identity cannot be updated; rows that exist are
 * updated; others inserted. `range` goes on a WHERE. False: it has nothing to
 * do for this table, and nothing was appended.
 */
void apply_sql_delete(struct strbuf *sql, const struct sqlserver_target *target,
		      const char *range);
bool apply_sql_remake(struct strbuf *sql, const struct sqlserver_target *target,
		      const char *range);
bool apply_sql_update(struct strbuf *sql, const struct sqlserver_target *target,
		      const char *range);
void apply_sql_insert(struct strbuf *sql, const struct sqlserver_target *target,
		      const char *range, const char *after);

/* One that is not left out and does not tell all of its row. */
#define APPLY_PARTIAL                       \
	"s.[" LOADER_OP_COLUMN "] = 0 AND " \
	"ISNULL(s.[" LOADER_KEPT_COLUMN "], '') LIKE '%1%'"

/*
 * Rows put aside whose keys are there are over, but not by a change of which the
 * part that was put aside may be left out; their number is @@ROWCOUNT.
 */
#define APPLY_SETTLE(also)                                  \
	"DELETE e FROM dataflow.exceptions AS e "           \
	"WHERE e.installation_id = @installation "          \
	"AND e.mapping_id = @mapping AND EXISTS (SELECT 1 " \
	"FROM " APPLY_CHANGES " AS s "                      \
	"WHERE s.[" LOADER_KEY_COLUMN "] = e.row_key "      \
	"AND NOT (" APPLY_PARTIAL ") " also "); "

/* Changes of which some rows are refused; see driver.h. */
int isolate_begin(struct sqlserver_target *target, struct isolation *how,
		  struct error *err) __attribute__((warn_unused_result));
int isolate_commit(struct sqlserver_target *target,
		   const struct checkpoint *from, const struct checkpoint *to,
		   struct target_counts *counts, struct error *err)
	__attribute__((warn_unused_result));
/*
 * A window's `rows` changes, in APPLY_CHANGES, with their keys, and of each key
 * the last one: row by row in an order that the server allows. All or nothing.
 */
int isolate_in_order(struct sqlserver_target *target, uint64_t rows,
		     const struct checkpoint *from, const struct checkpoint *to,
		     struct target_counts *counts, struct error *err)
	__attribute__((warn_unused_result));
/* A foreign key or a unique value: others may make room. */
bool isolate_depends_on_order(const struct error *why);
void isolate_free(struct isolate *isolate); /* NULL is fine */
/* tds_get_text(), and UTF-8 whatever the server holds. */
char *exceptions_text(struct tds *conn, size_t col, struct arena *arena);
int exceptions_tell(struct sqlserver_target *target,
		    void (*tell)(void *context,
				 const struct target_exception *row),
		    void *context, struct error *err)
	__attribute__((warn_unused_result));

/* Pieces of SQL they share. `d` is the destination, `s` what was loaded. */

/* "d.[k1] = s.[k1] AND d.[k2] = s.[k2]" */
void target_sql_key_match(struct strbuf *sql,
			  const struct sqlserver_target *target);
/* Is any column of `s` not to the byte what `d` has? See compare.c. */
void target_sql_differs(struct strbuf *sql,
			const struct sqlserver_target *target);
/*
 * "[a] = s.[a], …" for what an UPDATE sets: everything but the key and
 * identities, and of the key what a collation may take for equal although it
 * is not. False when there is nothing to set.
 */
bool target_sql_assignments(struct strbuf *sql,
			    const struct sqlserver_target *target);
/*
 * INSERT INTO d … SELECT … FROM `from` AS s `where`, keeping identities, and
 * then `after`.
 */
void target_sql_insert(struct strbuf *sql,
		       const struct sqlserver_target *target, const char *from,
		       const char *where, const char *after);

#endif
