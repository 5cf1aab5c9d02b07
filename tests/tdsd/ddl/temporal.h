#ifndef TDSD_DDL_TEMPORAL_H
#define TDSD_DDL_TEMPORAL_H

#include "ddl/ddl.h"

/*
 * SYSTEM_TIME periods and system versioning. A table has a period when two of
 * its columns are GENERATED ALWAYS; it is versioned when a second table keeps
 * what its rows were. Which rows go there is in dml/history.h.
 */

/* After CREATE TABLE made the table `id`: its period, its history. */
int temporal_created(struct ddl *x, int id, const struct create_table *c);

/* Is this ALTER TABLE allowed to a temporal table? */
int temporal_check_alter(struct ddl *x, const struct table *t,
			 const struct alter_table *a);

/* ALTER TABLE … ADD, behind its columns; `period` NULL: there is none. */
int temporal_added(struct ddl *x, struct table **t,
		   const struct alter_table *a);
int temporal_drop_period(struct ddl *x, struct table **t);
int temporal_set(struct ddl *x, struct table **t, const struct versioning *v);

/* Before a SWITCH. */
int temporal_check_switch(struct ddl *x, const struct table *from,
			  const struct table *to);

#endif
