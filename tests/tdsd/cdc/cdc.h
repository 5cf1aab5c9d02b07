#ifndef TDSD_CDC_H
#define TDSD_CDC_H

#include "ddl/ddl.h"
#include "exec/server.h"

/*
 * Change data capture: the jobs that move committed changes from the log
 * (cdc/log.h) into the change tables, one thread for each database that has a
 * running capture or cleanup job.
 */

/* Start the jobs of databases that have capture enabled; stop them all. */
void cdc_start(struct server *srv);
void cdc_stop(struct server *srv);

/* A table with capture instances is dropped: they go with it. */
int cdc_table_dropped(struct ddl *x, struct table *t);

/* May this index go? Not one that identifies rows for capture or tracking. */
int cdc_check_index(struct ddl *x, const struct table *t,
		    const struct index *ix);

/* The database is dropped: its jobs end. */
void cdc_forget_database(struct server *srv, struct database *db);

#endif
