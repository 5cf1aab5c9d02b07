#ifndef ENGINE_MAPPING_H
#define ENGINE_MAPPING_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "control/control.h"
#include "drivers/driver.h"
#include "row/schema.h"

/* A server as a mapping sees it. Strings are the mapping's. */
struct mapping_server {
	int id; /* 0: the server that holds the control tables */
	bool is_target;
	const struct driver *driver;
	const char *name;
	const char *type;
	const char *connection_string;
	const char *address; /* see driver.h; "" when it is not known */
};

/*
 * What a worker works on: a row of table_mappings with its servers, checked
 * and copied. Immutable; a changed row makes another mapping.
 */
struct mapping {
	struct arena arena; /* holds every string below */
	int id;
	const char *name;      /* "database.schema.table", for people */
	const char *dest_name; /* the destination's, likewise */
	const char *origin;    /* which source table, for the checkpoint */
	struct mapping_server from, to;
	struct table_name source;
	struct table_name dest;
	const char *key_columns;    /* NULL: the source's own key */
	const char *trigger_column; /* NULL: none */
	const char *change_source;  /* one of the source's driver's */
	bool cdc_enabled;
	bool paused;
	bool suspended;
	const char *suspended_reason; /* or NULL */
	int on_error[ERROR_CLASSES]; /* enum error_action; -1: as config says */
	/* Of verification; -1: as config says. */
	int verification_interval_min;
	int verification_rows;
	int full_verification_hours;
	int full_verification_at; /* minute of the day UTC; -1: any */
	int auto_repair;
	struct error problem; /* kind ERROR_NONE: the row makes sense */
};

/* How mappings without a target_id reach their destination. */
struct mapping_default_target {
	const char *type; /* NULL: there is none, they need a target_id */
	const char *connection_string;
	const char *address;
};

#define MAPPING_ADDRESS_MAX 512

/*
 * Work out the addresses of all servers of a snapshot, which then owns them,
 * or of one server: once, since many mappings share them. What makes no sense
 * has none; whoever uses that server will say why. -1 without memory.
 */
int mapping_find_addresses(struct control_snapshot *snapshot, struct error *err)
	__attribute__((warn_unused_result));
int mapping_find_address(const char *type, const char *connection_string,
			 char address[MAPPING_ADDRESS_MAX], struct error *err)
	__attribute__((warn_unused_result));

/*
 * Copy and check a row. A row that makes no sense still becomes a mapping,
 * whose `problem` says what is wrong and how to mend it. NULL without memory.
 */
struct mapping *mapping_new(const struct control_mapping *row,
			    const struct control_snapshot *snapshot,
			    const struct mapping_default_target *fallback);
void mapping_free(struct mapping *mapping); /* NULL is fine */

/* Do both ask for the same work? */
bool mapping_equal(const struct mapping *a, const struct mapping *b);

/*
 * How long it sleeps while it is idle: up to an eighth shorter than was asked for,
 * by another part for each, so that those which began together drift apart and
 * do not all need connections at once.
 */
int64_t mapping_interval_ms(const struct mapping *mapping, int seconds);

/* Is its row, and are both its servers' rows, switched on? */
bool mapping_is_enabled(const struct control_mapping *row,
			const struct control_snapshot *snapshot);

#endif
