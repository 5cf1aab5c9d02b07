#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

/*
 * The daemon's own log: one line each, to stderr, as text or as JSON. Thread
 * safe. What a DBA must see goes to the control tables as well, which is the
 * engine's business, not this one's. No secret and no row value may be given
 * to these functions.
 */
enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

/* Set once, before the first thread starts. */
void log_setup(enum log_level least, bool json);

/*
 * What this thread works on; every line it logs names it. `name` and `run` are
 * borrowed until the next call and may be NULL; mapping_id 0 means none.
 */
void log_scope(int mapping_id, const char *name, const char *run);

/* Only the run: for its begin and its end. */
void log_run(const char *run);

void log_write(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#define log_debug(...)	 log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)	 log_write(LOG_INFO, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_error(...)	 log_write(LOG_ERROR, __VA_ARGS__)

/* "INFO", "WARNING", …: as the control tables publish them. */
const char *log_level_name(enum log_level level);

/* False when `name` is no level; case does not matter. */
bool log_level_parse(const char *name, enum log_level *level);

#endif
