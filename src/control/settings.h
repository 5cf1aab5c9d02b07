#ifndef CONTROL_SETTINGS_H
#define CONTROL_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "control/control.h"

/* The config table, checked and typed. Plain data; copy it freely. */
struct settings {
	int check_interval_s;
	int max_attempts;
	int retry_delay_s;
	int batch_rows;
	int batch_memory_mb;
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
	int lease_s;
	int log_retention_days;
	int verification_interval_min;
	int verification_rows;
	int full_verification_hours;
	int auto_repair;
	int auto_repair_max_rows;
	int notify_lag_s;
	int notify_delay_s;
	int notify_repeat_min;
	int notify_max_per_hour;
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

/*
 * The known keys, one after the other from 0, for tests and documentation;
 * NULL after the last. `text` gets the default as the table writes it.
 */
const char *settings_key(int i, char text[16]);

#endif
