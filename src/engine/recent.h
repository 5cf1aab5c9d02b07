#ifndef ENGINE_RECENT_H
#define ENGINE_RECENT_H

#include <pthread.h>

#include "control/control.h"
#include "monitor/overview.h"

#define RECENT_MAX	   50
#define RECENT_MESSAGE_MAX 1000

/*
 * The latest troubles, for those who look on: as in error_logs, one entry a
 * trouble however often it is met. Any thread may call any function.
 */
struct recent {
	pthread_mutex_t lock; /* guards all below */
	size_t count;
	struct recent_entry {
		int mapping_id, server_id;
		enum overview_error_type type;
		char message[RECENT_MESSAGE_MAX];
		int64_t first_us, last_us;
		int64_t count;
		bool resolved;
		bool whole;    /* a verification of the whole table found it */
	} entries[RECENT_MAX]; /* the newest first */
	uint64_t totals[OVERVIEW_ERROR_TYPES];
};

int recent_init(struct recent *recent, struct error *err)
	__attribute__((warn_unused_result));
void recent_release(struct recent *recent);

/* The same rules as control_save_error() and its siblings. */
void recent_add(struct recent *recent, const struct control_error *error);
void recent_resolve(struct recent *recent, int mapping_id, int server_id);
void recent_resolve_verification(struct recent *recent, int mapping_id,
				 bool whole);

/* Into `out->recent` and `out->errors`. -1 without memory. */
int recent_copy(struct recent *recent, struct overview *out);

#endif
