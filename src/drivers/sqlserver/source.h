#ifndef DRIVERS_SQLSERVER_SOURCE_H
#define DRIVERS_SQLSERVER_SOURCE_H

#include "drivers/sqlserver/catalog.h"
#include "drivers/sqlserver/decode.h"
#include "drivers/sqlserver/server.h"

/* source.c holds the connection and reads tables, cdc.c reads changes. */
struct sqlserver_source {
	struct source base;
	struct sqlserver *server;
	struct table_name name;
	const char *trigger_column;
	bool native_text;

	struct tds *conn; /* NULL between runs */
	struct catalog_table catalog;
	bool described;

	/* From read_begin() or changes_begin() to end(). */
	enum { READ_NONE, READ_TABLE, READ_CHANGES } reading;
	bool in_transaction;
	struct decoder *decoder;
	bool row_pending; /* fetched, but the last batch had no room for it */
	struct position from; /* where the window of changes began */
	char *instance;	      /* the capture instance in use; owned */
};

/* Read the catalog unless it is known; describe() reads it anew. */
int source_know_table(struct sqlserver_source *source, struct error *err)
	__attribute__((warn_unused_result));

/* Say in `shape` how its text will be encoded. */
void source_set_charsets(const struct sqlserver_source *source,
			 struct table *shape);

/* The slots of driver.h that are about change data capture. */
int cdc_position(struct source *src, struct position *out, struct error *err);
int cdc_changes_begin(struct source *src, struct table *shape,
		      const struct position *from, unsigned limit,
		      struct window *window, struct error *err);

/* Put the change at hand into the batch; as decoder_read(). */
int cdc_read_change(struct sqlserver_source *source, struct batch *batch,
		    struct error *err) __attribute__((warn_unused_result));

/* After the last change: was the log cleaned up while we read? */
int cdc_check_gap(struct sqlserver_source *source, struct error *err)
	__attribute__((warn_unused_result));

#endif
