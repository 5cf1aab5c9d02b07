#ifndef DRIVERS_DRIVER_H
#define DRIVERS_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/error.h"
#include "drivers/finding.h"
#include "drivers/load_plan.h"
#include "drivers/pool.h"
#include "row/batch.h"
#include "row/canonical.h"
#include "row/position.h"
#include "row/schema.h"

/*
 * What a database system is to the engine: servers that can be read from
 * (sources) and written to (targets). One driver a system; the engine asks for
 * abilities, never for names. docs/ADDING-A-DRIVER.md shows the way.
 *
 * Threads: a `server` is shared by all its mappings and locks what it must. A
 * `source` or `target` belongs to one mapping and is used by one thread at a
 * time, except where a slot says otherwise.
 *
 * Errors: every slot that returns int returns -1 with `err` filled, and the
 * object may then only be ended, rolled back, released or closed.
 */

enum driver_ability {
	SOURCE_SNAPSHOTS = 1 << 0,    /* can read a table as of one moment */
	TARGET_TRANSACTIONS = 1 << 1, /* data and checkpoint commit as one */
	/*
	 * There is no table that rows have to fit into: it takes any shape, at
	 * each begin() another one. So create() is called whenever the source
	 * was looked at, changes nothing but what describe() tells, and that
	 * is what becomes of such rows.
	 */
	TARGET_ANY_SHAPE = 1 << 2,
	/*
	 * Two names that differ in case are two names, always. Others may take
	 * them for one, so that two mappings onto them are refused.
	 */
	NAMES_EXACT = 1 << 3
};

/* A row of source_servers or target_servers. Strings are borrowed. */
struct server_spec {
	int id;
	const char *name;
	const char *connection_string;
	int login_timeout_s;
	int query_timeout_s;	  /* without a byte from the server; 0: none */
	struct pool *pool;	  /* where its connections are kept */
	const char *installation; /* tells several control stores apart */
	uint64_t spill_bytes;	  /* of changes that wait for one mapping, on
				   * disk, where the driver keeps any */
};

struct server {
	const struct driver *driver;
};

/* A mapping whose changes are read from a server, in use or not. */
struct server_mapping {
	int id;
	struct table_name name;
	bool enabled;
	/*
	 * What it was last seen to have stored, or where its first load began:
	 * it will ask for nothing before that. NULL: for nothing at all, as far
	 * as the control tables know. What stored() tells is newer.
	 */
	const struct position *stored;
};

struct driver {
	const char *name; /* as in server_type and target_type */
	unsigned abilities;

	/*
	 * The change logs that a mapping may choose from in change_source, the
	 * default first, ended by NULL. NULL: it cannot tell what changed.
	 */
	const char *const *change_sources;

	/* What its client library needs once a process, before the first
	 * thread and after the last; NULL: nothing. */
	int (*library_init)(struct error *err);
	void (*library_exit)(void);

	/*
	 * Where a connection string leads, in words that are the same for the
	 * same server: "host,1433". -1 is ERROR_CONFIG.
	 */
	int (*address)(const char *connection_string, char *out, size_t size,
		       struct error *err);

	/*
	 * Check the connection string and make the object; connects to
	 * nothing. -1 is ERROR_CONFIG. The spec is copied.
	 */
	int (*server_new)(const struct server_spec *spec, struct server **out,
			  struct error *err);

	/* After every source and target of it is closed. */
	void (*server_free)(struct server *server);

	/*
	 * Log in, to no database of a mapping's, and say which system it is.
	 * The caller has reserved a connection. -1: it cannot be used, and
	 * `err` says why; then nothing on it needs to be looked at.
	 */
	int (*check)(struct server *server, struct cancel *cancel,
		     struct findings *out, struct error *err);

	/*
	 * All mappings that there are whose changes are read from the server,
	 * by any daemon of the installation, those that are switched off too:
	 * what was set up there for others is not needed any more. Told when a
	 * daemon begins to work, each time that they are others, and now and
	 * then; again until it succeeds. May wait for the server, for which the caller has
	 * reserved a connection; by another thread than the workers'. NULL:
	 * nothing is set up.
	 */
	int (*mappings)(struct server *server,
			const struct server_mapping *mappings, size_t count,
			struct cancel *cancel, struct error *err);

	const struct source_ops *source; /* NULL: cannot be read from */
	const struct target_ops *target; /* NULL: cannot be written to */
};

/* ------------------------------------------------------------- sources */

/*
 * How much memory the rows of a read take. A value on its way is held in the
 * source's client library, where a batch can borrow it, and by the target as
 * often as `held` of that says. So a caller knows before the first next() what
 * the read will need.
 */
struct source_rows {
	uint64_t bytes; /* no row has more; 0: they are not worth a thought */
	/* The column that has most of it, until end(), or NULL; and its longest
	 * value. */
	const char *column;
	uint64_t longest;
};

struct source {
	const struct source_ops *ops;
	struct source_rows rows; /* of what read_begin() or changes_begin() of
				  * changes has begun */
};

/*
 * A stretch of a table in the order of its key, as the system itself sorts it:
 * from `low` on, and before `high`. Each end is a batch of one row of the key
 * columns alone; NULL is open.
 */
struct key_span {
	const struct batch *low, *high;
};

/* Which rows to read: those that all of these choose; NULL chooses all. */
struct row_choice {
	const struct key_range *range; /* one of split()'s */
	const struct key_span *span;
	const struct batch *keys; /* those with one of these keys */
	/* In the system's own words, from a person: to be checked. */
	const char *condition;
};

struct source_spec {
	struct server *server;
	struct table_name name;	    /* borrowed for the life of the source */
	const char *trigger_column; /* NULL: none */
	const char *change_source;  /* one of the driver's; NULL: none */
	/*
	 * The target is of the same system: text may travel in its own
	 * encoding, which column.charset then names.
	 */
	bool native_text;
	int mapping_id; /* 0: it is read for none */
	bool is_target; /* a mapping's destination is compared */
	/*
	 * Poked when changes of the table have come, if the driver notices by
	 * itself; outlives the source. NULL: nobody waits.
	 */
	struct cancel *sleeper;
};

#define WINDOW_NOTE_MAX 512

/* What one call to changes_begin() found. */
struct window {
	struct position to; /* the window is (from, to] */
	/* When the last transaction at or before `to` was committed, by this
	 * machine's clock, microseconds UTC. */
	int64_t commit_us;
	/*
	 * Up to when the source vouches that nothing older will still appear
	 * after `to`: by clock_us(), since others may be set while somebody
	 * waits for it. 0, or in the future: it is not known.
	 */
	int64_t complete_us;
	bool has_rows; /* of this table; if not, next() need not be asked */
	bool newest;   /* nothing was known after `to` */
	bool altered;  /* the table is not as describe() said, so there is no
			* window; everything has to be looked at again */
	/*
	 * The columns that its rows have, the key's among them, where the log
	 * has not got all of those asked for; NULL: all. Valid until end().
	 */
	struct table *shape;
	/* What is odd about the log, such as that it stands still; or "". */
	char note[WINDOW_NOTE_MAX];
};

/*
 * What a check of a source shall look at: a table, or, without one, its
 * database as a whole, where other mappings may have had their turn.
 */
struct source_check {
	/* As describe() has it, with the mapping's key; or NULL. */
	const struct table *table;
	bool database; /* without a table: what concerns every mapping */
	bool changes;  /* what concerns the change log */
	/* Without a table: all mappings that read the server's, as for
	 * mappings() of the driver. */
	const struct server_mapping *mappings;
	size_t mapping_count;
	int64_t lag_ms; /* how far the mapping is behind; -1: not known */
	uint64_t bytes; /* out: about how large the table is; 0: not known */
};

struct source_ops {
	unsigned connections; /* of the pool that a run of it holds */
	bool partial; /* its log may leave out values that did not change */

	/* Make the object; does not connect. */
	int (*open)(const struct source_spec *spec, struct source **out,
		    struct error *err);

	/* Borrow a connection for a run. `cancel` cuts every later call short
	 * and outlives the run. */
	int (*connect)(struct source *src, struct cancel *cancel,
		       struct error *err);

	/* Give it back; ends what was begun. Safe when not connected. */
	void (*release)(struct source *src);

	void (*close)(struct source *src);

	/*
	 * The table as it is now, into an initialised `out`: every column, and
	 * as its key the primary key, or else a unique index without NULLs.
	 * ERROR_SCHEMA when it does not exist or cannot be seen.
	 */
	int (*describe)(struct source *src, struct table *out,
			struct error *err);

	/* ERROR_SCHEMA unless `table`'s key tells its rows apart for sure. */
	int (*check_key)(struct source *src, const struct table *table,
			 struct error *err);

	/*
	 * The first row, in the order of `table`'s key, whose value of a column
	 * (text or bytes) has more than `length` characters or bytes: its key
	 * as text for people is appended. 1: there is one, 0: none. May read
	 * the whole table. NULL: the system cannot tell.
	 */
	int (*find_longer)(struct source *src, const struct table *table,
			   const char *column, int length, struct strbuf *key,
			   struct error *err);

	/* About how many rows it has; cheap, may be off. */
	int (*estimate)(struct source *src, uint64_t *rows, struct error *err);

	/*
	 * How many rows' trigger column holds 1, counting up to `limit`. With
	 * `locked` NULL it may wait for others to decide what a row holds;
	 * otherwise it reads what did hold before, or gives up soon and says
	 * there that rows are locked: nothing was counted then.
	 */
	int (*triggered)(struct source *src, uint64_t limit, uint64_t *rows,
			 bool *locked, struct error *err);

	/* Set it to 0 where it holds 1; `rows` says how many. The only write
	 * to a source there is. */
	int (*trigger_reset)(struct source *src, uint64_t *rows,
			     struct error *err);

	/*
	 * Where the change log ends now. Every change that is not visible to a
	 * read begun after this call lies after it. ERROR_SCHEMA with the
	 * remedy when changes of this table are not captured.
	 */
	int (*position)(struct source *src, struct position *out,
			struct error *err);

	/*
	 * The rows of a load that began with `position` are read: note in it
	 * how far in the change log they may go. A server that was promoted
	 * without that part of the log is so told from one that has it. 0: it
	 * is another server by now, and what was read of the two does not fit
	 * together; 1: noted. NULL: no source goes back behind what was read.
	 */
	int (*read_until)(struct source *src, struct position *position,
			  struct error *err);

	/*
	 * Cut the table into `count` ranges of about as many rows each, or
	 * fewer, so that several sources can read it at the same time; the
	 * system itself says where, since nobody else knows how it sorts.
	 * Together they hold every row, those that come later too. How many
	 * ranges were made; 1 is the whole table, which cannot be cut. NULL:
	 * no table can.
	 */
	int (*split)(struct source *src, const struct table *shape,
		     struct key_range *ranges, size_t count, struct error *err);

	/*
	 * Begin to read the columns of `shape` (some of describe()'s, by name)
	 * of the rows of `choice`, of all without one, as of one moment where
	 * the system can; in key order where that is cheap, unless keys are
	 * chosen. The trigger column reads as if it had been reset. `shape`
	 * and `choice` are borrowed until end(); the charsets of `shape` and
	 * `rows` of the source are filled in. ERROR_CONFIG: the condition makes
	 * no sense.
	 */
	int (*read_begin)(struct source *src, struct table *shape,
			  const struct row_choice *choice, struct error *err);

	/*
	 * The key of the row of `span` that has `skip` others of it before it
	 * in key order, or behind it with `backwards` (then the span is open),
	 * into the empty batch `out` of key columns alone. 1: found; 0: the
	 * span has fewer rows.
	 */
	int (*seek)(struct source *src, struct table *keys,
		    const struct key_span *span, bool backwards, uint64_t skip,
		    struct batch *out, struct error *err);

	/*
	 * The sum of digests of the first `limit` rows of `span`, which the
	 * system works out itself, over the columns of `shape` that `take`
	 * names by their indexes. Means nothing to anyone but another source
	 * of the same driver, whose columns have the same native types and
	 * collations. NULL: it cannot.
	 */
	int (*digest)(struct source *src, const struct table *shape,
		      const size_t *take, size_t take_count,
		      const struct table *keys, const struct key_span *span,
		      uint64_t limit, struct row_sum *out, struct error *err);

	/*
	 * Begin to read what changed after `from`, up to the end of a
	 * transaction of the driver's choice, at most `limit` transactions.
	 * 1: there is a window; 0: nothing new, `window` still says when that
	 * was. ERROR_GAP when `from` is no longer covered, or when the log
	 * ends before it, as that of a restored database does.
	 */
	int (*changes_begin)(struct source *src, struct table *shape,
			     const struct position *from, unsigned limit,
			     struct window *window, struct error *err);

	/*
	 * Changes up to `position` will never be asked for again, but those
	 * after it may be, after a crash too: told whenever a checkpoint was
	 * stored or found, or a first load begins, or goes on that began there;
	 * of a window, before its end(). Until it was told, all that there is may be, or all
	 * after the first position(). Connects to nothing. NULL: the log is
	 * kept as it is, whoever reads it.
	 */
	void (*stored)(struct source *src, const struct position *position);

	/*
	 * Up to when everything that was committed is in the log by now, by
	 * clock_us(), for a window that is asked for after this call and is
	 * the newest; 0, or in the future: it is not known. Costs a look of its own, for
	 * when an idle log's last entry is too old to wait for the next. NULL:
	 * a window's `complete_us` tells as much.
	 */
	int (*captured_until)(struct source *src, int64_t *until_us,
			      struct error *err);

	/*
	 * Fill an empty batch with what comes next. 1: some rows; 0: that was
	 * all. Changes come in commit order; several of one key may come, the
	 * last one counts. A row larger than the batch comes alone, see
	 * batch_make_lone(), and what it holds is valid until the next call.
	 * May be called from another thread than the one that began, one at a
	 * time.
	 */
	int (*next)(struct source *src, struct batch *batch, struct error *err);

	/* End a read, early or not. Safe when none was begun. */
	void (*end)(struct source *src);

	/*
	 * Tell everything that could keep the table from being read, or its
	 * changes; nothing is changed. What the login may not look at is a
	 * warning. -1 only when the connection is lost, or cancelled.
	 */
	int (*check)(struct source *src, struct source_check *what,
		     struct findings *out, struct error *err);
};

/* ------------------------------------------------------------- targets */

struct target {
	const struct target_ops *ops;
	unsigned held; /* since begin() at the latest: how often a row that is
			* written lies in its memory, at most */
	/*
	 * So long changes are worth gathering, in milliseconds: one transaction
	 * then has all windows of that time. 0: each is applied when it comes.
	 */
	int64_t gather_ms;
	/*
	 * What it collects rows in takes memory of its own, from begin() to the
	 * end of that: `room_least` bytes, and `room_most` make the best of it.
	 * Whoever calls begin() may set `room`, how much it may be.
	 */
	size_t room_least, room_most, room;
	int64_t later_epoch; /* which one made fence() fail; 0: not known */
};

struct target_spec {
	struct server *server;
	struct table_name name;	  /* borrowed for the life of the target */
	const char *installation; /* tells several control stores apart */
	int mapping_id;
	const char *origin; /* which source table, in words */
	int64_t epoch;	    /* of the lease that the work is done under */
	/*
	 * How long that lasts without a sign of life: nobody who stands still
	 * for longer may keep a later epoch out. 0: there is none.
	 */
	int lease_s;
};

/*
 * The origin, for a checkpoint that does not lie with its table: with the
 * table it went to, since another one holds nothing of it. Owned by the
 * caller; NULL without memory.
 */
char *target_origin(const struct target_spec *spec);

/* Up to where a target holds every change; stored beside the data. */
struct checkpoint {
	struct position position; /* empty: no change capture */
	/*
	 * A load was read while the source changed: the copy is consistent
	 * once a window complete up to this moment (microseconds UTC) is
	 * applied. 0: it is.
	 */
	int64_t consistent_after_us;
};

enum target_mode {
	TARGET_REPLACE, /* load beside the table, then swap */
	TARGET_REFILL,	/* empty the table and forget the checkpoint, then
			 * load it in place */
	TARGET_APPLY,	/* changes by key */
};

/* Who cannot tell new rows from others counts them as new. */
struct target_counts {
	uint64_t inserted;
	uint64_t updated;
	uint64_t deleted;
	uint64_t settled; /* rows put aside earlier that are over now */
};

#define EXCEPTION_ID_MAX 37

/* A row that the target refused, and that was left out. */
struct target_exception {
	char id[EXCEPTION_ID_MAX]; /* "" unless it was put aside */
	enum row_op op;
	const char *key;      /* as text for people */
	const char *position; /* where its window ends, likewise */
	int number;	      /* the system's own for the reason, or 0 */
	const char *reason;   /* with no value of the row */
	int64_t created_us;
};

/* How to apply changes when some of their rows are refused. */
struct isolation {
	bool keep;	/* put them aside, where exceptions() finds them */
	uint64_t limit; /* no more of them than these; begin may lower it */
	/* Told each of them after the commit; its strings are borrowed. */
	void (*refused)(void *context, const struct target_exception *row);
	void *context;
	uint64_t count; /* set by commit(): how many there are */
};

/* Likewise of a target. */
struct target_check {
	const struct table *source; /* as the other end has it; or NULL */
	const struct table *dest;   /* as describe() has it; NULL: none yet */
	bool rights, space;	    /* without a table: of the database */
	uint64_t bytes;		    /* about what a load takes; 0: not known */
};

/* How far a compaction is. */
struct compaction {
	size_t room; /* memory that it may take, from one call to the next */
	uint64_t before, after; /* how many files became how many */
	uint64_t rows, bytes;	/* of the latter */
};

/* A look at whether a target still has what it was given; see prove(). */
struct proof {
	bool whole;    /* all of it, or else a sample of about `rows` rows */
	uint64_t rows; /* in: of the sample; out, with `whole`: of all */
	size_t room;   /* memory that it may take */
	/* As much as that will ever be: what wants more cannot be read. */
	size_t room_most;
	/* Where it goes on, in the target's own words: the caller's, and to be
	 * freed. NULL: at the beginning. */
	char *place;
	/* What it has come to, all of it in objects that are done with. */
	struct row_sum given,
		kept;	   /* those written, and those that are there */
	uint64_t compared; /* rows */
	uint64_t objects;  /* files, … */
	/* There is something else to look at than where `place` belongs to:
	 * forget what it has come to. */
	bool anew;
	/* Told each object that is not as it was written: a word for what is
	 * wrong with it, and a text for people. */
	int (*found)(void *arg, const char *object, const char *what,
		     const char *text, struct error *err);
	void *arg;
};

struct target_ops {
	unsigned connections;

	int (*open)(const struct target_spec *spec, struct target **out,
		    struct error *err);
	int (*connect)(struct target *dst, struct cancel *cancel,
		       struct error *err);
	void (*release)(struct target *dst);
	void (*close)(struct target *dst);

	/* The table as it is now. 1: there is one; 0: there is none. */
	int (*describe)(struct target *dst, struct table *out,
			struct error *err);

	/*
	 * Make the table for rows of `shape`: types, nullability, key. What
	 * checkpoint() tells of an earlier one of that name is forgotten by
	 * the same transaction, since this one is empty. Comes after fence();
	 * with TARGET_ANY_SHAPE, see there.
	 */
	int (*create)(struct target *dst, const struct table *shape,
		      struct error *err);

	/*
	 * Shut out whoever worked on this mapping in an earlier epoch: from
	 * now on nothing of theirs can be committed. ERROR_FENCED when there
	 * is a later one. Comes before create(), begin() and advance(), once a
	 * target is enough; these, and commit(), then fail with ERROR_CONFLICT,
	 * and change nothing, once a later epoch has called this.
	 */
	int (*fence)(struct target *dst, struct error *err);

	/*
	 * What the last commit left. 1: found; 0: none, or it belongs to
	 * another source table. ERROR_GAP: some of it was lost since, and only
	 * a load helps.
	 */
	int (*checkpoint)(struct target *dst, struct checkpoint *out,
			  struct error *err);

	/*
	 * Begin to write rows of `shape`, whose columns exist in the table
	 * under the same names. Borrowed until commit or rollback.
	 */
	int (*begin)(struct target *dst, enum target_mode mode,
		     const struct table *shape, struct error *err);

	/*
	 * Where the window ends that the rows come from which are written next,
	 * and when the last transaction of it was committed (microseconds UTC).
	 * After begin(TARGET_APPLY) or begin_isolated(), and again before the
	 * rows of another window. NULL: it makes no difference.
	 */
	int (*stamp)(struct target *dst, const struct position *to,
		     int64_t commit_us, struct error *err);

	/* Take a batch; it is the caller's again afterwards. May be called
	 * from another thread than the one that began, one at a time. */
	int (*write)(struct target *dst, const struct batch *batch,
		     struct error *err);

	/*
	 * Make everything written visible at once, together with `to`.
	 * ERROR_CONFLICT, and nothing changed, when the stored checkpoint is
	 * not `from` (NULL: do not look). After an ERROR_CONNECTION it is not
	 * known whether it happened: checkpoint() tells.
	 */
	int (*commit)(struct target *dst, const struct checkpoint *from,
		      const struct checkpoint *to, struct target_counts *counts,
		      struct error *err);

	/* Forget what was written since begin. Safe when nothing was begun;
	 * tells nobody about trouble, since it runs after trouble. Of a load
	 * in parts, what is done stays. */
	void (*rollback)(struct target *dst);

	/*
	 * Begin a TARGET_REPLACE in parts. If a load of the same mapping from
	 * the same source in the same shape broke off, and the checkpoint is
	 * what it was then, as `plan` says, `plan` is freed and
	 * becomes that one's, and 1 says so; otherwise what broke off is
	 * dropped, and `plan` is the one to keep: 0. Then other targets of the
	 * same mapping, with the same epoch, may begin its parts. commit() of
	 * this one ends the load, when all parts are done. With `fresh` what
	 * broke off is never taken up. NULL: it cannot load in parts.
	 */
	int (*plan_begin)(struct target *dst, const struct table *shape,
			  struct load_plan *plan, bool fresh,
			  struct error *err);

	/*
	 * Begin to write part number `part` of the load that another target of
	 * this mapping has begun; write() follows, and part_end() or
	 * rollback(). What rollback() forgets is this part alone.
	 */
	int (*part_begin)(struct target *dst, const struct table *shape,
			  size_t part, struct error *err);

	/* The part is whole: keep it, whatever happens to us. ERROR_CONFLICT,
	 * and it is not kept, once a later epoch has called fence(). */
	int (*part_end)(struct target *dst, size_t part, struct error *err);

	/*
	 * begin() for changes of which some rows do not fit, or are refused
	 * for what they hold: commit() leaves these out, brings all others and
	 * the checkpoint in as one, and tells which they were. Of a key that
	 * changed several times only the last change is looked at. A refused
	 * row stays in the table as it was. ERROR_DATA, and nothing is
	 * committed, when they are more than the limit, or cannot be found
	 * out. NULL: the system cannot tell rows that it refuses from others.
	 */
	int (*begin_isolated)(struct target *dst, const struct table *shape,
			      struct isolation *how, struct error *err);

	/*
	 * Tell each row of this mapping that was put aside and still stands,
	 * the oldest first:
	 * no later change of its key was applied that tells all of the row, nor
	 * a load committed, which both end it in their own transaction. Comes after fence(); changes
	 * are looked through for such keys from then on. There is one exactly
	 * when there is begin_isolated().
	 */
	int (*exceptions)(struct target *dst,
			  void (*tell)(void *context,
				       const struct target_exception *row),
			  void *context, struct error *err);

	/* Move the checkpoint alone, as commit() with nothing written. */
	int (*advance)(struct target *dst, const struct checkpoint *from,
		       const struct checkpoint *to, struct error *err);

	/*
	 * Merge small files of changes to rows of `shape` into fewer, for some
	 * tenths of a second. Comes after fence(), between transactions. 1:
	 * there is more to do; 0: that was all. Each merged file counts as
	 * soon as it is done; readers miss no change at any moment, and may
	 * see some twice. ERROR_MEMORY: it needs more `room`; ERROR_DATA: a
	 * file cannot be read. NULL: it keeps no files.
	 */
	int (*compact)(struct target *dst, const struct table *shape,
		       struct compaction *work, struct error *err);

	/* Forget the file that compact() is at; the next one begins it anew.
	 * Safe when there is none. */
	void (*compact_end)(struct target *dst);

	/*
	 * Read back what was committed, and compare it with what was written:
	 * for a target that is no source, whose rows nobody can read in the
	 * order of their keys. Some tenths of a second of work. 1: there is
	 * more to do, in a later call, between which anything may be done with
	 * the target; 0: that was all. Comes after fence(). ERROR_MEMORY: it
	 * needs more `room`, which is less than `room_most`. NULL: it cannot;
	 * others are compared with their source row by row.
	 */
	int (*prove)(struct target *dst, struct proof *proof,
		     struct error *err);

	/* Forget what prove() has open, as far as it is not in `place`: the
	 * next one goes on from there. Safe when there is nothing. There is
	 * one exactly when there is prove(). */
	void (*prove_end)(struct target *dst);

	/* As a source's check(): what could keep rows from being written. */
	int (*check)(struct target *dst, const struct target_check *what,
		     struct findings *out, struct error *err);
};

/* ------------------------------------------------------------ registry */

/*
 * The driver called `name`. NULL with ERROR_CONFIG that names the known ones,
 * or says how to get it when this binary was built without it.
 */
const struct driver *driver_find(const char *name, struct error *err);

/* Call every driver's library_init(), library_exit(). Main thread. */
int drivers_init(struct error *err) __attribute__((warn_unused_result));
void drivers_exit(void);

/* The drivers of this binary, ended by NULL. */
const struct driver *const *driver_list(void);

#endif
