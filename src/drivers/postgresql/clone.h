#ifndef DRIVERS_POSTGRESQL_CLONE_H
#define DRIVERS_POSTGRESQL_CLONE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/strbuf.h"
#include "pg/connection.h"

/*
 * What a table needs to have so that it can take the place of another: all that
 * belongs to a table but its rows, as statements.
 */
enum pg_clone_phase {
	CLONE_BUILD,  /* on the new table, full and not yet seen by anybody */
	CLONE_KEYS,   /* likewise, but it locks other tables */
	CLONE_LOCKED, /* once nobody else uses the old one */
	CLONE_MOVED,  /* when the new table has its name, and it another one */
	CLONE_ALONE,  /* when the old one is gone */
};

struct pg_clone {
	struct arena arena;
	struct pg_clone_step {
		enum pg_clone_phase phase;
		const char *sql;
	} * steps;
	size_t count;
};

#define CLONE_OBSTACLE_MAX 512

/*
 * Why table `oid` cannot be replaced by another one: what depends on it by its
 * identity, or what we do not carry over. 1: `why` says it; 0: it can.
 */
int pg_clone_obstacle(struct pg *conn, unsigned oid,
		      char why[CLONE_OBSTACLE_MAX], struct error *err)
	__attribute__((warn_unused_result));

/*
 * The statement that makes an empty table "dataflow"."`name`" with the columns,
 * defaults, checks and storage of table `oid`, appended to `sql`.
 */
int pg_clone_create(struct pg *conn, unsigned oid, const char *name,
		    struct strbuf *sql, struct error *err)
	__attribute__((warn_unused_result));

/* Everything else; that table has to be there. Release it only after 0. */
int pg_clone_read(struct pg *conn, unsigned oid, const char *name,
		  struct pg_clone *out, struct error *err)
	__attribute__((warn_unused_result));
void pg_clone_release(struct pg_clone *clone); /* safe when zeroed */

/* Do both say the same? */
bool pg_clone_equal(const struct pg_clone *a, const struct pg_clone *b);

/* Run the steps of a phase. */
int pg_clone_run(struct pg *conn, const struct pg_clone *clone,
		 enum pg_clone_phase phase, struct error *err)
	__attribute__((warn_unused_result));

#endif
