#ifndef DRIVERS_POSTGRESQL_SESSION_H
#define DRIVERS_POSTGRESQL_SESSION_H

#include "drivers/postgresql/stream.h"

/*
 * One replication connection of a stream, from login to its end, without the
 * stream's lock held at the call. 0: somebody wants it to begin anew, or to
 * stop, or nobody wants anything. -1: `err` says what ended it.
 */
int session_run(struct stream *stream, struct error *err)
	__attribute__((warn_unused_result));

/* With the lock held: what may be forgotten by the server, at most. */
uint64_t session_flush(const struct stream *stream);

/* Does anybody want changes? With the lock held. */
bool session_is_wanted(const struct stream *stream);

/*
 * With the lock held. Tell a mapping, or all that want something, that they
 * cannot have it.
 */
void session_gap(struct stream_mapping *mapping, const struct error *why);
void session_gap_all(struct stream *stream, const struct error *why);

#endif
