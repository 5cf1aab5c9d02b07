#ifndef DRIVERS_SQLSERVER_SOURCE_H
#define DRIVERS_SQLSERVER_SOURCE_H

#include "drivers/sqlserver/catalog.h"
#include "drivers/sqlserver/decode.h"
#include "drivers/sqlserver/server.h"

struct sqlserver_source;

/*
 * A change log of SQL Server's, as a mapping names it in change_source. What
 * the slots do is in driver.h: position(), changes_begin(), and next() for the
 * change at hand; check(), unless NULL, runs after the last one and tells
 * whether the log was cleaned up meanwhile; until() is captured_until().
 */
struct change_log {
	const char *name;
	int (*position)(struct sqlserver_source *source, struct position *out,
			struct error *err);
	int (*begin)(struct sqlserver_source *source, struct table *shape,
		     const struct position *from, unsigned limit,
		     struct window *window, struct error *err);
	int (*read)(struct sqlserver_source *source, struct batch *batch,
		    struct error *err);
	int (*check)(struct sqlserver_source *source, struct error *err);
	int (*until)(struct sqlserver_source *source, int64_t *until_us,
		     struct error *err); /* or NULL */
};

extern const struct change_log cdc_log;	     /* change data capture */
extern const struct change_log tracking_log; /* change tracking */

/* source.c holds the connection and reads tables, the logs read changes. */
struct sqlserver_source {
	struct source base;
	struct sqlserver *server;
	struct table_name name;
	const char *trigger_column;
	bool native_text;
	const struct change_log *log;

	struct tds *conn; /* NULL between runs */
	enum { SNAPSHOT_UNKNOWN, SNAPSHOT_NO, SNAPSHOT_YES } snapshot;
	struct catalog_table catalog;
	bool described;

	/* From read_begin() or changes_begin() to end(). */
	enum { READ_NONE, READ_TABLE, READ_CHANGES } reading;
	bool in_transaction;
	bool impatient; /* locks of others are not waited for long */
	struct decoder *decoder;
	bool row_pending; /* fetched, but the last batch had no room for it */
	struct position from; /* where the window of changes began */

	/* Of change data capture. */
	char *instance;	     /* the capture instance in use; owned */
	bool has_next;	     /* the table has a newer one, for later */
	bool drained;	     /* and its turn has come */
	bool log_silent;     /* nothing was captured for long */
	bool scans_hidden;   /* the login may not see the job's scans */
	struct table narrow; /* the columns that an older instance has */
	char note[WINDOW_NOTE_MAX];
	int64_t noted_ms; /* 0: it was not silent so far */
};

/* Begin a transaction that sees one moment; source_end() ends it. */
int source_begin_snapshot(struct sqlserver_source *source, struct error *err)
	__attribute__((warn_unused_result));
/* Do the database and the table, if it is known, allow snapshot isolation? */
int source_allows_snapshot(struct sqlserver_source *source, bool *allowed,
			   struct error *err)
	__attribute__((warn_unused_result));

/*
 * Before a read of some rows, between which changes have to be read: it sees
 * one moment, or else gives up soon (error 1222) when others hold locks.
 * source_end() ends it.
 */
int source_begin_short_read(struct sqlserver_source *source, struct error *err)
	__attribute__((warn_unused_result));

/* Read the catalog unless it is known; describe() reads it anew. */
int source_know_table(struct sqlserver_source *source, struct error *err)
	__attribute__((warn_unused_result));

/* The ops' find_longer(). */
int longer_find(struct sqlserver_source *source, const struct table *table,
		const char *name, int length, struct strbuf *key,
		struct error *err) __attribute__((warn_unused_result));

/* The table, as "t", for a FROM. */
void source_add_table(const struct sqlserver_source *source,
		      struct strbuf *sql);
/* The list of columns of `shape`, as the decoder wants them. */
int source_add_list(const struct sqlserver_source *source,
		    const struct table *shape, const char *alias,
		    struct strbuf *sql, struct error *err)
	__attribute__((warn_unused_result));
/*
 * Before such a list is asked for: fill in `rows`, of the columns of `shape`
 * under `alias`, for what `from` has (FROM and WHERE), behind `declare`.
 */
int source_measure(struct sqlserver_source *source, const struct table *shape,
		   const char *alias, const char *declare, const char *from,
		   const struct tds_param *params, size_t param_count,
		   struct error *err) __attribute__((warn_unused_result));
/* The rows of the result at hand are those of source_add_list(). */
int source_begin_rows(struct sqlserver_source *source, struct table *shape,
		      struct error *err) __attribute__((warn_unused_result));

/* Say in `shape` how its text will be encoded. */
void source_set_charsets(const struct sqlserver_source *source,
			 struct table *shape);

#endif
