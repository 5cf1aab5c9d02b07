#ifndef TDSD_COUNTER_H
#define TDSD_COUNTER_H

#include "exec/session.h"

/*
 * How often which text was run by which application, for
 * sys.dm_tdsd_statements. Counts batches and the text of RPC calls; after
 * COUNTER_MAX different ones no new ones are added.
 */
#define COUNTER_MAX  5000
#define COUNTER_TEXT 8000 /* bytes of a text that are kept */

struct statement_count {
	struct statement_count *next;
	char app[130 * 4];
	char database[130 * 4];
	char *text;
	int64_t count;
};

/* A client has sent this: count it, and show it in dm_exec_requests. */
void counter_note(struct session *s, const char *text, size_t len);
void counter_clear(struct server *srv);

#endif
