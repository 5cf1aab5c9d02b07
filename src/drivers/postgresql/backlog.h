#ifndef DRIVERS_POSTGRESQL_BACKLOG_H
#define DRIVERS_POSTGRESQL_BACKLOG_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "drivers/postgresql/pgoutput.h"
#include "drivers/postgresql/spill.h"

/*
 * The changes of one table that wait for one mapping, in the order of their
 * commits: a log that the stream's thread adds to at one end, and whose other
 * end goes once the mapping has stored that it does not need it any more. In
 * between, any stretch of it can be read, as often as its reader likes.
 *
 * It has a little memory, which it shares with others (struct backlog_store);
 * beyond that it goes to disk, and beyond a limit there it is cut off: nothing
 * more comes into it, and `cut_off` says why. What was committed before that, up to
 * `end`, can still be read, until it is started again.
 *
 * Guarded by the owner's lock, which `store` names: everything is called with it
 * held, but for backlog_next(), which takes it.
 */
struct backlog_store {
	pthread_mutex_t *lock;
	struct spill *spill;
	size_t memory;	   /* in use by all of them */
	size_t memory_max; /* beyond it, what is full goes to disk */
	uint64_t disk_max; /* bytes, for each of them */
};

/* The largest row of some. */
struct backlog_size {
	uint64_t bytes;	  /* of all values */
	uint64_t longest; /* of its longest one */
	unsigned column;  /* which that is */
	unsigned version; /* of its table's definition */
};

/* A definition of the table: the message that told it. */
struct backlog_version {
	unsigned char *message;
	size_t len;
};

struct backlog {
	struct backlog_store *store;
	struct backlog_segment *first, *last;
	struct backlog_txn *open; /* transactions that are not committed */
	struct backlog_version *versions;
	size_t version_count;
	uint64_t disk;	/* bytes there */
	uint64_t begin; /* what was committed up to here is not in it */
	uint64_t end;	/* nor is anything after this; 0: it is empty */
	/* kind ERROR_NONE: it is not; ERROR_GAP: more than it may have waits;
	 * otherwise this machine lacks something, until it has it again. */
	struct error cut_off;
};

void backlog_init(struct backlog *backlog, struct backlog_store *store);
void backlog_release(struct backlog *backlog); /* nobody reads it any more */

/* Empty, and holding what is committed after `from` from now on. */
void backlog_start(struct backlog *backlog, uint64_t from);

/* The number of a definition, which is kept; -1 without memory. */
int backlog_add_version(struct backlog *backlog, const void *message,
			size_t len);

/* A change of a transaction, which is `top` as a whole. */
struct backlog_change {
	enum pgoutput_type type; /* INSERT, UPDATE, DELETE, TRUNCATE */
	uint32_t xid;		 /* of its subtransaction */
	unsigned version;
	const unsigned char *body; /* as pgoutput_row_read() reads it */
	size_t len;
};

/* What cannot be kept cuts the backlog off. */
void backlog_add(struct backlog *backlog, uint32_t top,
		 const struct backlog_change *change);

/* A transaction was committed at that moment, by clock_us(); true: it had
 * something, and was not there yet. */
bool backlog_commit(struct backlog *backlog, uint32_t top, uint64_t end_lsn,
		    int64_t commit_us);

/* A part of it, or all with `xid` = `top`, came to nothing. */
void backlog_abort(struct backlog *backlog, uint32_t top, uint32_t xid);

/* The stream broke: what is not committed comes again. */
void backlog_abort_all(struct backlog *backlog);

/* What was committed up to `lsn` is not needed any more. Not while reading. */
void backlog_trim(struct backlog *backlog, uint64_t lsn);

/* A stretch of it: whole transactions. */
struct backlog_window {
	uint64_t to;
	int64_t commit_us;
	unsigned transactions;
	bool truncates;	    /* it is one transaction, which empties the table */
	bool more;	    /* there are transactions after it */
	unsigned low, high; /* versions of the definition in it */
	struct backlog_size size;
};

/* Where a reader is. Zeroed: it reads nothing. */
struct backlog_reader {
	struct backlog_segment *at, *end;
	size_t offset, end_offset;
	const unsigned char *data;
	unsigned char *loaded; /* a copy of what is on disk; owned */
	bool pinned;
};

/*
 * The transactions after `from`, at most `limit`. One that truncates the table
 * comes alone, and so do those of another definition than the first one's
 * (`low` < `high`: the definition changed within a transaction). 1: there are
 * some, and `reader` stands before the first; 0: none.
 */
int backlog_read(struct backlog *backlog, uint64_t from, unsigned limit,
		 struct backlog_window *window, struct backlog_reader *reader,
		 struct error *err) __attribute__((warn_unused_result));

/* The next change, valid until the next call. 1, or 0: that was all. */
int backlog_next(struct backlog *backlog, struct backlog_reader *reader,
		 struct backlog_change *change, struct error *err)
	__attribute__((warn_unused_result));

/* With the lock held; safe when nothing is read. */
void backlog_read_end(struct backlog_reader *reader);

#endif
