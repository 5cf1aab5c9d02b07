#ifndef DRIVERS_SQLSERVER_CLONE_H
#define DRIVERS_SQLSERVER_CLONE_H

#include <stdbool.h>

#include "base/strbuf.h"
#include "tds/connection.h"

/*
 * What another table needs to have so that ALTER TABLE … SWITCH takes it for
 * the same: the indexes, with their compression and filegroups, the check
 * constraints and the filegroup of a table, as statements for the other one.
 */
struct clone {
	bool possible;		 /* false: SWITCH would refuse this table */
	struct strbuf filegroup; /* quoted; "" for the default */
	struct strbuf clustered; /* the clustered index, before the load */
	struct strbuf others;	 /* the rest, after it */
};

void clone_init(struct clone *clone);
void clone_release(struct clone *clone); /* safe to call twice */

/* Read table `object_id`, for a clone with the quoted name `clone_name`. */
int clone_read(struct tds *conn, int object_id, const char *clone_name,
	       struct clone *out, struct error *err)
	__attribute__((warn_unused_result));

#endif
