#ifndef DRIVERS_SQLSERVER_CHECK_H
#define DRIVERS_SQLSERVER_CHECK_H

#include "drivers/sqlserver/source.h"
#include "drivers/sqlserver/target.h"

/*
 * What `dbaops-dataflow check` looks at on a SQL Server. Each reads catalog
 * views alone and changes nothing. See driver.h, check(), for what the
 * functions return.
 */
int check_server(struct sqlserver *server, struct cancel *cancel,
		 struct findings *out, struct error *err)
	__attribute__((warn_unused_result));
int check_source(struct sqlserver_source *source, struct source_check *what,
		 struct findings *out, struct error *err)
	__attribute__((warn_unused_result));
int check_target(struct sqlserver_target *target,
		 const struct target_check *what, struct findings *out,
		 struct error *err) __attribute__((warn_unused_result));

/* check_source.c calls check_capture.c for change data capture. */
int check_capture_database(struct sqlserver_source *source,
			   struct findings *out, struct error *err)
	__attribute__((warn_unused_result));
int check_capture_table(struct sqlserver_source *source,
			const struct source_check *what, struct findings *out,
			struct error *err) __attribute__((warn_unused_result));

/* A lag of `lag_ms` against changes that are kept for `kept_s` seconds. */
void check_lag(struct findings *out, int64_t lag_ms, int64_t kept_s);

/*
 * Ask the catalog. 1: it stands on the row, to be finished with tds_finish();
 * 0: there is none; -1: the connection is lost. A refusal is told as a warning
 * with `remedy`, which lets the check tell next time, and is 0 as well; with
 * a NULL `remedy` nothing is told.
 */
int check_ask(struct tds *conn, struct findings *out, const char *check,
	      const char *remedy, const char *sql,
	      const struct tds_param *params, size_t count, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Something failed: 0, and it is told, or -1 when the connection is lost or
 * it was cancelled.
 */
int check_failed(struct tds *conn, struct findings *out, const char *check,
		 const struct error *err) __attribute__((warn_unused_result));

/* Is this a version of Azure SQL Database, where there is no Agent? */
#define CHECK_IS_AZURE "CAST(SERVERPROPERTY('EngineEdition') AS int) = 5"

/* What follows the grants in a remedy: they are in a script as well. */
#define CHECK_SOURCE_SCRIPT \
	"; least-privilege-source.sql grants all that is needed"
#define CHECK_TARGET_SCRIPT \
	"; least-privilege-destination.sql grants all that is needed"

/* "1.5 GB" */
#define CHECK_SIZE_MAX 32
const char *check_size(char out[CHECK_SIZE_MAX], int64_t bytes);

#endif
