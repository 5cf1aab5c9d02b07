#ifndef DRIVERS_POSTGRESQL_SNAPSHOT_H
#define DRIVERS_POSTGRESQL_SNAPSHOT_H

#include <pthread.h>

#include "pg/connection.h"

/*
 * Several sources that read parts of one load see the table as of one moment:
 * the first of them exports its snapshot, the others import it, and export it
 * again, so that it lives for as long as any of them. A load that goes on after
 * all of its readers were gone has another one.
 *
 * One for each server; `lock` guards the list.
 */
struct pg_snapshots {
	pthread_mutex_t lock;
	struct pg_shared *first;
};

/* What tells a load from all others, since it was divided. */
#define PG_LOAD_BYTES 16

int pg_snapshots_init(struct pg_snapshots *all, struct error *err)
	__attribute__((warn_unused_result));
void pg_snapshots_release(struct pg_snapshots *all);

void pg_snapshot_name_load(unsigned char load[PG_LOAD_BYTES],
			   const void *divider);

/*
 * Begin a read-only transaction on `conn` that sees what the other readers of
 * `load` see. `reader` stands for it until pg_snapshot_leave(), which comes
 * before the transaction is ended.
 */
int pg_snapshot_join(struct pg_snapshots *all,
		     const unsigned char load[PG_LOAD_BYTES],
		     const void *reader, struct pg *conn, struct cancel *cancel,
		     struct error *err) __attribute__((warn_unused_result));
void pg_snapshot_leave(struct pg_snapshots *all, const void *reader);

#define PG_BEGIN_SNAPSHOT "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

#endif
