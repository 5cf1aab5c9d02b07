#ifndef DRIVERS_SQLSERVER_SERVER_H
#define DRIVERS_SQLSERVER_SERVER_H

#include "drivers/driver.h"
#include "tds/connection.h"
#include "tds/login.h"

/* What source.c, target.c and driver.c share; nobody outside this folder. */
struct sqlserver {
	struct server base;
	struct pool *pool;
	struct tds_login login; /* its database is only looked at by check() */
};

extern const struct source_ops sqlserver_source_ops;
extern const struct target_ops sqlserver_target_ops;

/*
 * A connection to `database` ("": to the login's own), from the pool or new. The caller has reserved
 * it. Give it back with sqlserver_give().
 */
int sqlserver_take(struct sqlserver *server, const char *database,
		   struct cancel *cancel, struct tds **out, struct error *err)
	__attribute__((warn_unused_result));

/* Back to the pool, or closed if it is not usable; NULL is fine. */
void sqlserver_give(struct sqlserver *server, const char *database,
		    struct tds *conn);

#endif
