#ifndef TDSD_TRAN_H
#define TDSD_TRAN_H

#include <stdbool.h>

#include "exec/session.h"

/*
 * T-SQL transactions on top of SQLite's. A statement runs between
 * tran_begin_statement() and tran_end_statement(); what happens in between:
 *
 *   reading    SQLite's BEGIN, so that catalog and data come from one
 *              snapshot. Outside a transaction that wrote, the snapshot ends
 *              with the statement: each statement sees what is committed.
 *   writing    tran_write() first: it takes the database's writer lock and
 *              makes sure that the snapshot is the newest one. The SQLite
 *              transaction then stays open until COMMIT or ROLLBACK.
 *   SNAPSHOT   the SQLite transaction stays open from the first read on.
 */
int tran_begin_statement(struct session *s, struct diag *d);

/*
 * `failed` undoes what the statement did (all of it, when it ran on its own;
 * back to its start inside a transaction). Returns -1 with `d` set when the
 * commit of an autocommitted statement fails.
 */
int tran_end_statement(struct session *s, bool failed, struct diag *d);

/* Get ready to write to this file. */
int tran_write(struct session *s, struct attached *home, struct diag *d);

/* A lock on reading: HOLDLOCK, UPDLOCK, SERIALIZABLE and the like. */
int tran_lock_read(struct session *s, struct attached *home,
		   enum lock_mode mode, struct diag *d);

/*
 * READ COMMITTED: wait until no other transaction has uncommitted changes in
 * this table. 1 when there is a newer state to read now, else 0.
 */
int tran_wait_read(struct session *s, struct attached *home, int object_id,
		   struct diag *d);

/* SNAPSHOT isolation: may this database be read, and fix its snapshot. */
int tran_check_snapshot(struct session *s, struct attached *home,
			struct diag *d);

/*
 * Remember that a table was written, for conflicts under SNAPSHOT, and keep
 * readers away until the end of the transaction.
 */
int tran_note_write(struct session *s, struct database *db, int object_id,
		    const char *name, struct diag *d);

/* @@TRANCOUNT, at which other sessions look. */
void tran_count(struct session *s, int count);

/* BEGIN, COMMIT, ROLLBACK, SAVE TRANSACTION. */
int tran_begin(struct session *s, const char *name, struct diag *d);
int tran_commit(struct session *s, struct diag *d);
int tran_rollback(struct session *s, const char *name, struct diag *d);
int tran_save(struct session *s, const char *name, struct diag *d);

/* Undo everything without a word: lost connection, doomed batch. */
void tran_abort(struct session *s);

/* Start a transaction of SET IMPLICIT_TRANSACTIONS ON when none is open. */
int tran_implicit(struct session *s, struct diag *d);

/* Undo one statement inside a transaction; used by DML itself. */
int tran_mark(struct session *s, const char *name, struct diag *d);
int tran_unmark(struct session *s, const char *name, bool undo, struct diag *d);

#endif
