#ifndef CONTROL_SETTINGS_H
#define CONTROL_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/error.h"
#include "control/action.h"
#include "control/control.h"

/* The config table, checked and typed. Plain data; copy it freely. */
struct settings {
	int check_interval_s;
	int max_attempts;
	int retry_delay_s;
	int batch_rows;
	int batch_memory_mb;
	int memory_limit_mb;
	int max_connections;
	int connect_timeout_s;
	int query_timeout_s;
	int initial_full_sync;
	int load_readers;
	int load_part_rows;
	int truncate; /* full_sync_mode: 0 swap, 1 truncate */
	int create_missing_tables;
	int resync_on_gap;
	int window_transactions;
	int spill_limit_mb;
	int lease_s;
	int lag_warning_s; /* from there on it is LAGGING */
	int log_retention_days;
	int verification_interval_min;
	int verification_rows;
	int full_verification_hours;
	int auto_repair;
	int auto_repair_max_rows;
	int on_error[ERROR_CLASSES]; /* enum error_action */
	int suspend_after_row_errors;
	int suspend_after_failures;
	int notify_lag_s;
	int notify_delay_s;
	int notify_repeat_min;
	int notify_max_per_hour;

	/* Texts come last. */
	char metrics_listen[ENDPOINT_TEXT_MAX]; /* see base/endpoint.h */
};

/* The published defaults. */
void settings_init(struct settings *settings);

/*
 * Take over what the table says. A key that is missing has its default; a
 * value that makes no sense leaves that setting as it is in `settings`, and
 * -1 says so in one message for all of them.
 */
int settings_load(struct settings *settings,
		  const struct control_snapshot *snapshot, struct error *err)
	__attribute__((warn_unused_result));

/* "on_row_error": the key in config, and the column in table_mappings. */
const char *settings_class_key(enum error_class class);

/*
 * The action that a word means for a class of errors. -1 is ERROR_CONFIG,
 * which names the key and the words that there are; callers say where it
 * stands.
 */
int settings_action(enum error_class class, const char *word,
		    enum error_action *out, struct error *err)
	__attribute__((warn_unused_result));

/*
 * The known keys, one after the other from 0, for tests and documentation;
 * NULL after the last. `text` gets the default as the table writes it.
 */
const char *settings_key(int i, char text[16]);

#endif
