#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/log.h"
#include "control/action.h"

/* The version of the control tables that this program works with. */
#define CONTROL_SCHEMA_VERSION 2

/*
 * The control store: where DBAs say what to do and read what became of it. A
 * SQL Server database, or a SQLite file. One `struct control` is one
 * connection and belongs to one thread at a time.
 */
struct control;

enum control_kind { CONTROL_SQLSERVER, CONTROL_SQLITE };

struct control_spec {
	enum control_kind kind;
	const char *connection_string; /* of the SQL Server */
	const char *database;	       /* its control database */
	const char *file;	       /* of SQLite */
	bool create; /* make a SQLite file that does not exist */
	int login_timeout_s;
	int query_timeout_s;
};

/* What kind of trouble kept it from opening; each has an exit code. */
enum control_trouble {
	CONTROL_FINE,
	CONTROL_BAD_SETTINGS,
	CONTROL_UNREACHABLE,
	CONTROL_REFUSED,     /* wrong user or password */
	CONTROL_NO_DATABASE, /* missing, or not for this login */
	CONTROL_NO_TABLES,   /* missing, or older than this program */
	CONTROL_TOO_NEW,     /* made by a later version */
	CONTROL_OTHER,
};

/*
 * Open it and check that its tables are of this version. The error says what
 * to do.
 */
int control_open(const struct control_spec *spec, struct cancel *cancel,
		 struct control **out, enum control_trouble *trouble,
		 struct error *err) __attribute__((warn_unused_result));
void control_close(struct control *control); /* NULL is fine */

/*
 * Where mappings without a target_id go: the driver's name and the connection
 * string of the server that holds the tables. Both NULL with SQLite.
 */
void control_default_target(const struct control_spec *spec, const char **type,
			    const char **connection_string);

/* Make the database, tables, views and procedures, or bring them up to date. */
int control_init(const struct control_spec *spec, enum control_trouble *trouble,
		 struct error *err) __attribute__((warn_unused_result));

/* ----------------------------------------------------- what is to be done */

/* Any string may be NULL where the DBA left a NULL. */
struct control_server {
	int id;
	const char *name;
	const char *type;
	const char *connection_string;
	bool enabled;
	const char *address; /* NULL; for the engine to fill in */
};

struct control_mapping {
	int id;
	int server_id;
	int target_id; /* 0: the server that holds the control tables */
	bool enabled;
	bool paused;
	bool cdc_enabled;
	const char *source_database;
	const char *source_schema;
	const char *source_table;
	const char *dest_database;
	const char *dest_schema;
	const char *dest_table;
	const char *key_columns;
	const char *trigger_column;
	const char *change_source;
	bool suspended;
	const char *suspended_reason;
	const char *on_error[ERROR_CLASSES]; /* as config says if NULL */
	/* Of verification; -1 and NULL: as config says. */
	int verification_interval_min;
	int verification_rows;
	int full_verification_hours;
	const char *full_verification_at; /* "HH:MM" UTC */
	int auto_repair;
	/* How verification stands, as control_save_progress() left it. */
	const char *progress; /* NULL: none is under way */
	int64_t last_tail_us; /* 0: never */
	int64_t last_whole_us;
	/* What stands in error_logs, or NULL. */
	const char *error;
	const char *verification_error;
	bool whole_differs;   /* which was found in the whole table */
	const char *position; /* up to where it has stored changes, as text;
			       * NULL: nothing, as far as is known */
};

struct control_request {
	int id;
	int mapping_id;
	const char *type;
	const char *scope;     /* "TAIL", "WHOLE" or NULL */
	const char *condition; /* of a RESYNC, or NULL */
	bool dry_run;
};

/* A row of notification_channels. */
struct control_channel {
	int id;
	const char *name;
	const char *type;
	const char *settings;
	const char *events; /* "FAILURE,LAG", or NULL: all */
	int mapping_id;	    /* 0: all */
	int server_id;	    /* 0: all */
	bool enabled;
};

struct control_setting {
	const char *key;
	const char *value;
};

/* Everything the tables say, read in one go; owns its strings. */
struct control_snapshot {
	struct arena arena;
	const char *installation_id;
	struct control_server *sources;
	size_t source_count;
	struct control_server *targets;
	size_t target_count;
	struct control_mapping *mappings; /* by their ids */
	size_t mapping_count;
	struct control_request *requests;
	size_t request_count;
	struct control_setting *settings;
	size_t setting_count;
	struct control_channel *channels;
	size_t channel_count;
};

/* A fixed number of statements, however much there is. */
int control_load(struct control *control, struct control_snapshot *out,
		 struct error *err) __attribute__((warn_unused_result));
void control_snapshot_release(struct control_snapshot *snapshot);

/* NULL when there is none. */
const struct control_mapping *control_find_mapping(
	const struct control_snapshot *snapshot, int mapping_id);

/* ------------------------------------------------------------------ leases */

/* A daemon that others see: it is alive as long as its beats go on. */
struct control_holder {
	const char *daemon;
	int64_t beats;
	bool gone; /* it stopped, or nobody knows it any more */
};

struct control_lease {
	int mapping_id;
	int64_t epoch; /* raised each time that a mapping changes hands */
};

struct control_holders {
	struct arena arena;
	struct control_holder *holders;
	size_t count;
};

/* Who holds leases besides `daemon`. */
int control_read_holders(struct control *control, const char *daemon,
			 struct control_holders *out, struct error *err)
	__attribute__((warn_unused_result));
void control_holders_release(struct control_holders *holders);

/* Let `daemon` have the mappings that nobody has. */
int control_claim_leases(struct control *control, const char *daemon,
			 struct error *err) __attribute__((warn_unused_result));
/* Let it have those of `other`, if that has not beaten since. */
int control_take_leases(struct control *control, const char *daemon,
			const struct control_holder *other, struct error *err)
	__attribute__((warn_unused_result));
/*
 * Raise the epoch of a lease, as if the mapping had changed hands: nothing is
 * done unless `daemon` has it, with the epoch `from`, at that moment.
 */
int control_raise_lease(struct control *control, const char *daemon,
			int mapping_id, int64_t from, int64_t to,
			struct error *err) __attribute__((warn_unused_result));
/* The leases that `daemon` has, ordered by mapping; to be freed. */
int control_read_leases(struct control *control, const char *daemon,
			struct control_lease **out, size_t *count,
			struct error *err) __attribute__((warn_unused_result));

/* ------------------------------------------------------ what became of it */

#define CONTROL_RUN_ID_MAX 37

/* A row of sync_status. Times are microseconds UTC; 0 stands for NULL. */
struct control_run {
	char id[CONTROL_RUN_ID_MAX];
	int mapping_id;
	const char *sync_type; /* "CDC", "FULL_SYNC", … */
	const char *status;    /* "RUNNING", "COMPLETED", "ERROR", "PAUSED" */
	int64_t processed;
	int64_t failed;
	int64_t total; /* an estimate; 0: not known */
	double rows_per_second;
	const char *last_key;
	const char *error;
	int64_t started_us;
	int64_t updated_us;
	int64_t completed_us;
};

struct control_log {
	int mapping_id;
	enum log_level level;
	const char *message;
	const char *sync_type;
	int64_t records; /* -1: NULL */
	int64_t duration_ms;
	int64_t created_us;
};

struct control_error {
	int mapping_id; /* 0: not about a mapping */
	int server_id;	/* 0: nor about a server */
	const char *type;
	const char *message;
	const char *details; /* may be NULL */
	int retry_count;
	int64_t created_us;
	/* Of the daemon's own troubles, which one, as "channel 3"; or NULL. */
	const char *subject;
};

/* A row of mapping_state. */
struct control_state {
	int mapping_id;
	const char *state;
	const char *reason;
	int64_t lag_ms; /* -1: not known */
	bool consistent;
	const char *position;
	int64_t rows_applied;
	int64_t next_attempt_us;
	const char *daemon;
	int64_t updated_us;
	int64_t current_us; /* the copy stands there; 0: not known */
};

#define CONTROL_MD5_MAX 33

/* A row of verification_logs. */
struct control_verification {
	int mapping_id;
	const char *type; /* "TAIL", "WHOLE", "REPAIR", "DRY_RUN" */
	const char *source_md5;
	const char *dest_md5;
	int64_t source_rows;
	int64_t dest_rows;
	int64_t compared;
	int64_t mismatches;
	const char *status;  /* "PASSED", "FAILED", "PARTIAL" */
	const char *details; /* JSON, or NULL */
	int64_t verified_us;
};

/* A row of apply_exceptions. */
struct control_exception {
	int mapping_id;
	const char *id;
	const char *operation; /* "UPSERT", "DELETE" */
	const char *key;
	const char *position;
	int number;
	const char *reason;
	int64_t created_us;
	int64_t mirrored_us; /* when it was seen in the destination */
};

/* A row of notifications: a message, and what became of it. */
struct control_notification {
	char message_id[37];
	int channel_id;
	const char *channel_name;
	const char *event;
	int mapping_id; /* 0: several, or none */
	int notice_count;
	const char *summary;
	const char *notices; /* JSON */
	bool sent;
	int attempts;
	const char *error; /* NULL: nothing was wrong */
	const char *daemon;
	int64_t created_us;
};

/* A row of verification_progress. */
struct control_progress {
	int mapping_id;
	const char *progress; /* NULL: none is under way */
	int64_t last_tail_us; /* 0: never */
	int64_t last_whole_us;
};

/*
 * Each writes rows that say the same when written twice, so that a caller may
 * repeat one whose answer was lost. A log row then stands there twice.
 */
int control_save_run(struct control *control, const struct control_run *run,
		     struct error *err) __attribute__((warn_unused_result));
/* Of a mapping that `daemon` begins to look after, unless it is another's. */
int control_end_stale_runs(struct control *control, const char *daemon,
			   int mapping_id, struct error *err)
	__attribute__((warn_unused_result));
int control_add_log(struct control *control, const struct control_log *log,
		    struct error *err) __attribute__((warn_unused_result));
/*
 * Open or refresh the one row of this trouble; resolve others of its owner.
 * Of a mapping, what verification found and what stood in the way of its work
 * are two troubles: the type CONTROL_VERIFICATION tells them apart.
 */
#define CONTROL_VERIFICATION "VERIFICATION"
/* What such an error was found in, as its details have it. */
#define CONTROL_SCOPE_TAIL  "\"scope\":\"TAIL\""
#define CONTROL_SCOPE_WHOLE "\"scope\":\"WHOLE\""
bool control_error_is_in(const struct control_error *error, const char *scope);
int control_save_error(struct control *control,
		       const struct control_error *error, struct error *err)
	__attribute__((warn_unused_result));
int control_resolve_errors(struct control *control, int mapping_id,
			   int server_id, struct error *err)
	__attribute__((warn_unused_result));
/* One of the daemon's own troubles is over. */
int control_resolve_subject(struct control *control, const char *subject,
			    struct error *err)
	__attribute__((warn_unused_result));
/* A mapping's verification passed; of the newest rows alone, unless `whole`. */
int control_resolve_verification(struct control *control, int mapping_id,
				 bool whole, struct error *err)
	__attribute__((warn_unused_result));
int control_save_state(struct control *control,
		       const struct control_state *state, struct error *err)
	__attribute__((warn_unused_result));
int control_add_verification(struct control *control,
			     const struct control_verification *row,
			     struct error *err)
	__attribute__((warn_unused_result));
int control_save_progress(struct control *control,
			  const struct control_progress *progress,
			  struct error *err)
	__attribute__((warn_unused_result));
/* `bytes` goes into last_cdc_lsn if it has that column's ten bytes. */
int control_mirror_position(struct control *control, int mapping_id,
			    const void *bytes, size_t len, struct error *err)
	__attribute__((warn_unused_result));
int control_mirror_full_sync(struct control *control, int mapping_id,
			     int64_t at_us, struct error *err)
	__attribute__((warn_unused_result));
int control_mark_connected(struct control *control, bool is_target,
			   int server_id, struct error *err)
	__attribute__((warn_unused_result));
/* `state`: "RUNNING", "COMPLETED", "FAILED" or "REJECTED". */
int control_answer_request(struct control *control, int request_id,
			   const char *state, const char *answer,
			   struct error *err)
	__attribute__((warn_unused_result));
/* Resuming also ends a suspension. */
int control_set_paused(struct control *control, int mapping_id, bool paused,
		       struct error *err) __attribute__((warn_unused_result));
int control_suspend(struct control *control, int mapping_id, const char *reason,
		    struct error *err) __attribute__((warn_unused_result));
/* is_enabled becomes 0. */
int control_switch_off(struct control *control, int mapping_id,
		       struct error *err) __attribute__((warn_unused_result));
/* A row that was put aside stands, or stands again. */
int control_save_exception(struct control *control,
			   const struct control_exception *row,
			   struct error *err)
	__attribute__((warn_unused_result));
/* All that the mapping had at that moment were saved: others are over. */
int control_settle_exceptions(struct control *control, int mapping_id,
			      int64_t mirrored_us, struct error *err)
	__attribute__((warn_unused_result));
/* The message, and in its channel's row how that fared. */
int control_add_notification(struct control *control,
			     const struct control_notification *row,
			     struct error *err)
	__attribute__((warn_unused_result));
/* What is wrong with a channel, or NULL. */
int control_mark_channel(struct control *control, int channel_id,
			 const char *error, struct error *err)
	__attribute__((warn_unused_result));
/* Channels that are not there any more have no errors either. */
int control_resolve_gone_channels(struct control *control, struct error *err)
	__attribute__((warn_unused_result));
/* Nor have mappings and source servers that were deleted. */
int control_resolve_gone(struct control *control, struct error *err)
	__attribute__((warn_unused_result));
/* `stopped` on the way out. */
int control_heartbeat(struct control *control, const char *daemon, bool stopped,
		      struct error *err) __attribute__((warn_unused_result));
/* Remove a limited number of rows that ended before `before_us`. */
int control_purge(struct control *control, int64_t before_us, struct error *err)
	__attribute__((warn_unused_result));

/* ---------------------------------------------------------- what was told */

struct control_told {
	int64_t id;
	int channel_id;
	const char *notices; /* JSON, or NULL */
	const char *daemon;
	int64_t created_us;
};

struct control_told_list {
	struct arena arena;
	struct control_told *rows;
	size_t count;
};

/* Messages that were sent: with a higher id than `after`, since then. */
int control_read_told(struct control *control, int64_t after, int64_t since_us,
		      struct control_told_list *out, struct error *err)
	__attribute__((warn_unused_result));
void control_told_release(struct control_told_list *list);

/* ------------------------------------------------------------- for people */

struct control_report_mapping {
	struct control_mapping mapping;
	const char *server_name;
	const char *state;
	const char *reason;
	int64_t lag_ms; /* -1: not known */
	bool consistent;
	int64_t rows_applied;
	int64_t updated_us;
	const char *running; /* sync_type of the run under way, or NULL */
	int64_t processed;
	int64_t total;
	int64_t rows_per_second;
	const char *error_type; /* NULL: nothing is wrong */
	const char *error_message;
	int retry_count;
};

struct control_report {
	struct arena arena;
	struct control_report_mapping *mappings;
	size_t mapping_count;
	const char *daemon; /* the last one seen, or NULL */
	const char *daemon_version;
	int64_t started_us;
	int64_t heartbeat_us;
	int64_t stopped_us; /* 0: it has not said so */
};

int control_report(struct control *control, struct control_report *out,
		   struct error *err) __attribute__((warn_unused_result));
void control_report_release(struct control_report *report);

/* A row of sync_requests as the one who orders has it. */
struct control_order {
	int id; /* 0: any */
	int mapping_id;
	const char *type;
	const char *scope;     /* or NULL */
	const char *condition; /* or NULL */
	bool dry_run;
	const char *by;
	/* What became of it. */
	const char *state;
	const char *answer; /* or NULL */
	int64_t requested_us;
	int64_t started_us; /* 0: it has not */
	int64_t completed_us;
};

struct control_orders {
	struct arena arena;
	struct control_order *orders;
	size_t count;
};

/*
 * Order something: `order` says all down to `by`, and gets the id of its row.
 * ERROR_CONFIG when there is no such mapping.
 */
int control_order(struct control *control, struct control_order *order,
		  struct error *err) __attribute__((warn_unused_result));

/*
 * The newest `most` of them, newest first: of a mapping (0: of all), or the
 * one with that id (0: whatever it is).
 */
int control_list_orders(struct control *control, int mapping_id, int id,
			int most, struct control_orders *out, struct error *err)
	__attribute__((warn_unused_result));
void control_orders_release(struct control_orders *orders);

/* A row of sync_logs or of error_logs, as people read them. */
struct control_line {
	int64_t id;
	bool is_error;
	int mapping_id;	   /* 0: about none */
	const char *level; /* of an error, its type */
	const char *message;
	const char *sync_type; /* or NULL */
	int64_t records;       /* -1: not told */
	int64_t duration_ms;   /* likewise */
	int retry_count;
	bool resolved;
	int64_t created_us;
	int64_t resolved_us; /* 0: it is not */
};

struct control_lines {
	struct arena arena;
	struct control_line *lines;
	size_t count;
};

/*
 * The newest `most` rows with an id greater than `after`, in the order of
 * their ids: of a mapping, or of all (0). The errors with those that were
 * resolved after `resolved_after_us` (0: without).
 */
int control_list_logs(struct control *control, int mapping_id, int64_t after,
		      int most, struct control_lines *out, struct error *err)
	__attribute__((warn_unused_result));
int control_list_errors(struct control *control, int mapping_id, int64_t after,
			int64_t resolved_after_us, int most,
			struct control_lines *out, struct error *err)
	__attribute__((warn_unused_result));
void control_lines_release(struct control_lines *lines);

/*
 * Could the daemon write into these tables? Changes nothing. The error says
 * what is missing.
 */
int control_check_rights(struct control *control, struct error *err)
	__attribute__((warn_unused_result));

#endif
