#ifndef DRIVERS_POSTGRESQL_LOGGED_H
#define DRIVERS_POSTGRESQL_LOGGED_H

#include "drivers/postgresql/source.h"

/*
 * Are all changes logged of what a read of the table shows, and told under its
 * name? Asked anew each time, since partitions and children come and go.
 * ERROR_SCHEMA with what helps. The catalog has to be known.
 */
int pg_logged_check(struct postgresql_source *source, struct error *err)
	__attribute__((warn_unused_result));

#endif
