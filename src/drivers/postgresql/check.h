#ifndef DRIVERS_POSTGRESQL_CHECK_H
#define DRIVERS_POSTGRESQL_CHECK_H

#include "drivers/postgresql/source.h"

/*
 * What `dbaops-dataflow check` looks at on a PostgreSQL server. Each reads the
 * catalog alone and changes nothing. See driver.h, check(), for what the
 * functions return.
 */
int pg_check_server(struct postgresql *server, struct cancel *cancel,
		    struct findings *out, struct error *err)
	__attribute__((warn_unused_result));
int pg_check_source(struct postgresql_source *source, struct source_check *what,
		    struct findings *out, struct error *err)
	__attribute__((warn_unused_result));

/* What concerns the log, of a table and of its database. */
int pg_check_table_changes(struct postgresql_source *source,
			   const struct table *table, struct findings *out,
			   struct error *err)
	__attribute__((warn_unused_result));
int pg_check_log(struct postgresql_source *source,
		 const struct source_check *what, struct findings *out,
		 struct error *err) __attribute__((warn_unused_result));

/*
 * Something failed: 0, and it is told, or -1 when the connection is lost or it
 * was cancelled.
 */
int pg_check_failed(struct pg *conn, struct findings *out, const char *check,
		    const struct error *err)
	__attribute__((warn_unused_result));

#endif
