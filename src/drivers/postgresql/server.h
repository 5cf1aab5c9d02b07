#ifndef DRIVERS_POSTGRESQL_SERVER_H
#define DRIVERS_POSTGRESQL_SERVER_H

#include "drivers/driver.h"
#include "drivers/postgresql/snapshot.h"
#include "pg/connection.h"
#include "pg/login.h"

/* What source.c, target.c and driver.c share; nobody outside this folder. */
struct postgresql {
	struct server base;
	int id; /* of its row in the control store */
	struct pool *pool;
	struct pg_login login; /* its database is only used by check() */
	struct pg_snapshots snapshots; /* of loads in parts */
	struct streams *streams;       /* of changes, see streams.h */
};

extern const struct source_ops postgresql_source_ops;
extern const struct target_ops postgresql_target_ops;

/*
 * For locks of the transaction: wait a little longer than the server takes to
 * notice that an autovacuum is in the way, and to end it.
 */
#define PG_LOCK_WAIT                                                        \
	"SELECT set_config('lock_timeout', (500 + 1000 * EXTRACT(epoch "    \
	"FROM current_setting('deadlock_timeout')::interval))::int::text, " \
	"true)"

/* Stands behind a statement that grants something on a source. */
#define PG_SOURCE_SCRIPT                                              \
	"; least-privilege-postgresql-source.sql grants all that is " \
	"needed"

/*
 * A connection to `database` ("": the login's own, or 'postgres'), from the pool or new.
 * The caller has reserved it. Give it back with postgresql_give().
 */
int postgresql_take(struct postgresql *server, const char *database,
		    struct cancel *cancel, struct pg **out, struct error *err)
	__attribute__((warn_unused_result));

/* Close it, since it shall not be kept; NULL is fine. */
void postgresql_drop(struct postgresql *server, struct pg *conn);

/* Back to the pool, or closed if it is not usable; NULL is fine. */
void postgresql_give(struct postgresql *server, const char *database,
		     struct pg *conn);

#endif
