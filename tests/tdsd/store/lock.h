#ifndef TDSD_LOCK_H
#define TDSD_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "diag.h"

struct session;

/*
 * Locks between sessions: one writer per database at a time, in the order of
 * asking, and the application locks of sp_getapplock. SQLite's own locks come
 * after these and are therefore never contended by sessions.
 *
 * A waiting session looks every few milliseconds whether its client wants to
 * cancel or has gone. Cycles are found when a session starts to wait; the one
 * with the lowest deadlock priority (the newcomer, when equal) is refused.
 */
enum lock_mode { LOCK_IS, LOCK_IX, LOCK_S, LOCK_U, LOCK_X };

enum lock_owner {
	LOCK_OF_TRANSACTION, /* goes with lock_release_transaction() */
	LOCK_OF_SESSION,     /* goes with lock_release_all() or by name */
};

/* Each session has one of these; zeroed is its first state. */
struct lock_holder {
	struct lock_grant *grants;
	struct lock_wait *waiting; /* guarded by the lock table's mutex */
};

/* Resource names: "db:5", "app:5:name". At most this many bytes. */
#define LOCK_NAME_MAX 300

/*
 * Take a lock, waiting at most `timeout_ms` (-1: for ever). Taking it again
 * succeeds at once and counts. Returns 0; or -1 with `d`: 1222 time-out, 1205
 * deadlock, 3617 cancelled.
 */
int lock_acquire(struct session *s, const char *name, enum lock_mode mode,
		 enum lock_owner owner, int timeout_ms, struct diag *d)
	__attribute__((warn_unused_result));

/* Give one count of a lock back; false when it is not held. */
bool lock_release(struct session *s, const char *name, enum lock_owner owner);

void lock_release_transaction(struct session *s);
void lock_release_all(struct session *s);

/* Does this session hold the lock in this mode or a stronger one? */
bool lock_held(struct session *s, const char *name, enum lock_mode mode);

/* The mode of this session's application lock, for APPLOCK_MODE(). */
const char *lock_mode_held(struct session *s, const char *name);

/* The session that keeps `s` waiting, 0 when none: for dm_exec_requests. */
int lock_blocker(struct session *s);

/*
 * See all locks that are held or waited for, for sys.dm_tran_locks. `see`
 * runs with the lock table locked.
 */
struct lock_seen {
	const char *resource;
	enum lock_mode mode;
	enum lock_owner owner;
	int spid, count;
	bool granted;
};
void lock_walk(void (*see)(void *arg, const struct lock_seen *l), void *arg);

#endif
