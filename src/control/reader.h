#ifndef CONTROL_READER_H
#define CONTROL_READER_H

#include "control/session.h"

/*
 * Rows of the control tables into arrays of structs, whose strings an arena
 * holds. Inside control/ only.
 */
struct reader {
	struct session *session;
	struct arena *arena;
	bool out_of_memory;
};

/* Values of the row at hand: NULL stays NULL, or is 0. */
const char *read_text(struct reader *reader, size_t col);
int64_t read_int(struct reader *reader, size_t col);
int64_t read_time(struct reader *reader, size_t col);
/* Ids are INT; what is out of that range, as SQLite allows, is -1. */
int read_id(struct reader *reader, size_t col);

/*
 * Run `sql` and let `read_row` fill an element for each row, in an array that
 * the arena holds.
 */
int read_all(struct reader *reader, const char *sql,
	     const struct session_param *params, size_t param_count,
	     size_t size,
	     void (*read_row)(struct reader *reader, void *element),
	     void **elements, size_t *count, struct error *err)
	__attribute__((warn_unused_result));

#endif
