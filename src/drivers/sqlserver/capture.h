#ifndef DRIVERS_SQLSERVER_CAPTURE_H
#define DRIVERS_SQLSERVER_CAPTURE_H

#include "drivers/sqlserver/source.h"

/*
 * Capture instances: a table under change data capture has one or two, each
 * with a change table of its own. After the table was altered a DBA makes the
 * second one, which captures the columns as they are then.
 */

/* ERROR_SCHEMA with the remedy unless the table is captured. */
int capture_check_enabled(struct sqlserver_source *source, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Choose the newest instance that reaches back to `from` (NULL: just the
 * newest); if none does, the oldest, which then shows the gap. Its name is in
 * source->instance.
 */
int capture_choose(struct sqlserver_source *source, const struct position *from,
		   struct error *err) __attribute__((warn_unused_result));

/* Look for another one the next time. */
void capture_forget(struct sqlserver_source *source);

/* The lowest LSN is zero: the instance is unknown, or hidden. Returns -1. */
int capture_no_minimum(const struct sqlserver_source *source,
		       struct error *err);

/*
 * Which columns of `shape` the instance has: their ordinals, from 1, which are
 * also their bits in __$update_mask; 0: it has not got them, or an older column
 * of that name, which was dropped. `ordinals` is as long as the shape, and all
 * zero before. The table is known. Older builds have no __$command_id.
 */
int capture_columns(struct sqlserver_source *source, const struct table *shape,
		    int *ordinals, bool *has_command, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Did rows change between `from` and `to` after the column was added to the
 * table, so that the instance, which lacks it, missed values of it? 1, 0, -1.
 */
int capture_missed(struct sqlserver_source *source, const char *column,
		   const struct position *from, const struct position *to,
		   struct error *err) __attribute__((warn_unused_result));

/*
 * Nothing was captured for a long time: find out why, and say it in `note`;
 * "" when the capture job works and there was nothing to do.
 */
void capture_diagnose(struct sqlserver_source *source, char *note, size_t size);

/* See captured_until() in driver.h. */
int capture_until(struct sqlserver_source *source, int64_t *until_us,
		  struct error *err) __attribute__((warn_unused_result));

/*
 * What capture_diagnose() asks, for whoever wants to know more exactly: -1 when it cannot be found
 * out, with `note` untouched.
 */
enum capture_scans { CAPTURE_SCANS, CAPTURE_RESTS, CAPTURE_FAILS };
int capture_scans(struct sqlserver_source *source, char *note, size_t size,
		  enum capture_scans *scans, struct error *err)
	__attribute__((warn_unused_result));

#endif
