#ifndef TESTS_UNIT_RIG_H
#define TESTS_UNIT_RIG_H

/*
 * A mapping over the memory driver with all that the engine wants around it:
 * a control store, a reporter, servers and a link. The source table db.dbo.t is
 *
 *     id INT64, name TEXT NULL, n INT32 NULL, sync BOOL NULL
 *
 * with `id` as its key; it lives in the store `src`, its copy in the store
 * `dst`, which may be the same one.
 */

#include "engine/cdc.h"
#include "engine/full_sync.h"
#include "engine/link.h"
#include "unit/rows.h"
#include "unit/store.h"

struct rig {
	const char *src, *dst; /* names of the memory stores */
	struct table table;    /* the source as it was made */
	struct table_name dest;
	struct control_spec spec;
	struct reporter *reporter;
	struct report_subject *subject;
	struct cancel cancel;
	struct pool pool;
	struct control_mapping row;
	struct mapping *mapping;
	struct server *from, *to;
	struct link link;
	struct settings settings;
	int gather_ms;		   /* of the destination, when it is opened */
	struct source_ops src_ops; /* what wrappers call */
	struct target_ops dst_ops;
};

/*
 * Make the stores, the source table and everything else; the link is open.
 * What `rig->row` and `rig->settings` say may be changed before rig_reopen().
 */
void rig_begin(struct rig *rig, const char *src, const char *dst);
/* With nobody to write down what is reported, for tests that report a lot. */
void rig_begin_unheard(struct rig *rig, const char *src, const char *dst);
void rig_end(struct rig *rig);

/* As if the daemon had been started anew: another mapping, servers and link. */
void rig_reopen(struct rig *rig);

/* Other stores with nothing in them but the source table; reopens. */
void rig_clear(struct rig *rig);

/* The source store anew, with the source table as it is now; reopens. */
void rig_replace_source(struct rig *rig);

/*
 * Change the source table in one transaction: "+1|a|10|0" puts a row (columns
 * that are left out are NULL, as is NULL), "-1" deletes one; a blank between
 * two of them.
 */
void rig_change(struct rig *rig, const char *changes);
/* The copy, by somebody's hand. */
void rig_change_dest(struct rig *rig, const char *changes);

/* The same for rows 1 to `count` with values that follow from their ids. */
void rig_fill(struct rig *rig, int count);

/* Change a table that the mapping has nothing to do with. */
void rig_change_other(struct rig *rig);

/* The rows of either end; to be freed. */
char *rig_source(struct rig *rig);
char *rig_dest(struct rig *rig);
void assert_dest(struct rig *rig, const char *want);

/* Both ends hold the same rows. */
void assert_same(struct rig *rig);

/*
 * One attempt, as a worker makes it: attach, a full sync when there is no
 * checkpoint, then changes until there are no more. Connections are given back
 * in the end; after an error nothing is known any more.
 */
int rig_attempt(struct rig *rig, struct error *err);

/* One that has to succeed. */
void rig_sync(struct rig *rig);

#endif
