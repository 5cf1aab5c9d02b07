#ifndef TDSD_CDC_CAPTURE_H
#define TDSD_CDC_CAPTURE_H

#include "ddl/ddl.h"

/*
 * From the log (cdc/log.h) into the change tables. All of it runs inside a
 * statement's transaction of the session that is given.
 */

/* The SQLite name ("d5.t12") of a table in the cdc schema. 1, 0 when there is
 * none, -1 with `d` set. */
int cdc_table_name(struct session *s, struct attached *home, const char *name,
		   char *buf, size_t size, struct diag *d);

/* The same for one that must be there: 208 when it is not. */
int cdc_need_table(struct session *s, struct attached *home, const char *name,
		   char *buf, size_t size, struct diag *d);

/* Is capture on in this file, as the transaction sees it? */
bool cdc_is_on(struct session *s, struct attached *home);

struct scan {
	/* in */
	int max_trans;	  /* at most so many transactions */
	int64_t up_to_ms; /* only what was committed until then; 0: all */
	/* out */
	int transactions, commands;
	int64_t first, last; /* commits that were taken; 0: none */
	int64_t latency_ms;  /* from the last commit until now */
	bool more;	     /* there may be more */
};

/* Take committed transactions out of the log; the file is ready to write. */
int cdc_scan(struct session *s, struct attached *home, struct scan *scan,
	     struct diag *d);

/* The capture job says that it is alive: an entry with tran_id 0x00. */
int cdc_heartbeat(struct session *s, struct attached *home, struct diag *d);

/*
 * Clean up one change table: rows below `low` go, at most `threshold` a
 * statement, and the instance starts there. `low` NULL: nothing but the
 * entries of lsn_time_mapping that no instance needs any more.
 */
int cdc_cleanup(struct session *s, struct attached *home, int object_id,
		const unsigned char *low, struct diag *d);

/* What is older than `retention` minutes, in all instances. */
int cdc_cleanup_old(struct session *s, struct attached *home, int64_t retention,
		    struct diag *d);

#endif
