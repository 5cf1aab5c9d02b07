#ifndef MONITOR_OVERVIEW_H
#define MONITOR_OVERVIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/*
 * What the daemon does, copied at one moment: all that metrics, probes and the
 * status page have to tell. The engine fills it, from memory alone. Owns its
 * strings, all of which are UTF-8; none holds a secret or a row's value. Times
 * are microseconds UTC, 0: never.
 */

/* The error types that error_logs knows; the last stands for all others. */
enum overview_error_type {
	OVERVIEW_CONNECTION,
	OVERVIEW_SYNC,
	OVERVIEW_SCHEMA,
	OVERVIEW_VERIFICATION,
	OVERVIEW_OTHER,
	OVERVIEW_ERROR_TYPES,
};

enum overview_result {
	OVERVIEW_PASSED,
	OVERVIEW_FAILED,
	OVERVIEW_PARTIAL,
	OVERVIEW_RESULTS,
};

/*
 * How a mapping is, in one word: those of v_mapping_health that a mapping can
 * have which a living daemon works on. The head of views/v_mapping_health.sql
 * says what each means, and which comes first where several apply.
 */
enum overview_health {
	OVERVIEW_HEALTHY,
	OVERVIEW_LAGGING,
	OVERVIEW_MISMATCH,
	OVERVIEW_WAITING,
	OVERVIEW_RETRYING,
	OVERVIEW_ERROR,
	OVERVIEW_LOADING,
	OVERVIEW_PAUSED,
	OVERVIEW_SUSPENDED,
	OVERVIEW_HEALTHS,
};

/* How lags were, one every so often, oldest first. */
#define OVERVIEW_LAGS	      60
#define OVERVIEW_LAG_EVERY_MS 10000

struct overview_run {
	const char *sync_type; /* NULL: none is under way */
	int64_t processed;
	int64_t expected; /* an estimate; 0: not known */
	double rows_per_second;
	int64_t started_us;
};

struct overview_verification {
	const char *type; /* NULL: there was none yet */
	const char *status;
	int64_t compared;
	int64_t mismatches;
	int64_t at_us;
};

struct overview_mapping {
	int id;
	const char *server; /* the source's name in source_servers */
	const char *source; /* "database.schema.table" */
	const char *dest;
	const char *state;  /* as mapping_state has it */
	const char *reason; /* "": none */
	enum overview_health health;
	bool suspended, paused;		/* as table_mappings has it */
	const char *error;		/* that stands in error_logs, or NULL */
	const char *verification_error; /* likewise */
	uint64_t parked;		/* rows in apply_exceptions */
	double behind_s;		/* as the view has it; -1: not known */
	double lag_s;			/* -1: not known */
	bool consistent;
	int64_t rows;
	int64_t bytes;
	int64_t next_attempt_us;
	int64_t last_success_us;
	struct overview_run run;
	uint64_t errors[OVERVIEW_ERROR_TYPES];
	uint64_t verifications[OVERVIEW_RESULTS];
	struct overview_verification verification;
	float lags[OVERVIEW_LAGS]; /* seconds; -1: it was not known */
	size_t lag_count;
};

/* One trouble, however often it was met. */
struct overview_error {
	int mapping_id; /* 0: of no mapping */
	const char *type;
	const char *message;
	int64_t first_us;
	int64_t last_us;
	int64_t count;
	bool resolved;
};

struct overview {
	struct arena arena;
	const char *daemon;
	int64_t taken_us;
	int64_t started_us;
	const char *not_ready; /* why; NULL: it is ready */
	bool control_readable, control_writable;
	int64_t control_read_us;
	size_t waiting;	  /* rows for the control tables */
	uint64_t dropped; /* such rows, since the start */
	unsigned connections_max, connections_reserved;
	unsigned connections_taken, connections_idle;
	size_t memory_size, memory_used, memory_wanted; /* bytes */
	int lag_warning_s;				/* the setting */
	uint64_t errors[OVERVIEW_ERROR_TYPES]; /* of mappings and others */
	struct overview_mapping *mappings;     /* by their ids */
	size_t mapping_count;
	struct overview_error *recent; /* the newest first */
	size_t recent_count;
};

/* Nothing yet; `cap` bounds its memory. */
void overview_init(struct overview *overview, size_t cap);
void overview_release(struct overview *overview); /* safe to call twice */

/* As the tables write them; the reverse takes what is unknown for the last. */
const char *overview_error_name(enum overview_error_type type);
enum overview_error_type overview_error_type(const char *name);
const char *overview_result_name(enum overview_result result);
enum overview_result overview_result(const char *name);
const char *overview_health_name(enum overview_health health);

/*
 * Works out `health` from all the rest, and makes `reason`, which was the
 * state's, the word's, as the view has it but for the healthy. -1 without
 * memory.
 */
int overview_judge(struct overview *overview, struct overview_mapping *mapping)
	__attribute__((warn_unused_result));

#endif
