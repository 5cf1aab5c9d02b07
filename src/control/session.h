#ifndef CONTROL_SESSION_H
#define CONTROL_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "control/control.h"

/*
 * SQL on the control store, whichever it is: the statements of control/sql/
 * run unchanged on both. Inside control/ only.
 */
struct session_param {
	const char *name; /* with the @ */
	enum { PARAM_INT, PARAM_TEXT, PARAM_BYTES } type;
	bool null;
	int64_t number;
	const void *data; /* borrowed */
	size_t len;
};

struct session_param param_int(const char *name, int64_t value);
struct session_param param_int_or_null(const char *name, int64_t value);
struct session_param param_text(const char *name, const char *value);
struct session_param param_bytes(const char *name, const void *data,
				 size_t len);
struct session_param param_null(const char *name);
/* A time in microseconds UTC; 0 is NULL. `text` holds it while it is used. */
struct session_param param_time(const char *name, int64_t us,
				char text[CLOCK_TEXT_MAX]);

struct session {
	const struct session_ops *ops;
};

/* What control.h hands out. */
struct control {
	struct session *session;
};

struct session_ops {
	void (*close)(struct session *session);

	/* Run one statement; with rows, stand before the first. */
	int (*query)(struct session *session, const char *sql,
		     const struct session_param *params, size_t count,
		     struct error *err);

	/* 1: a row; 0: no more, and the statement is finished. */
	int (*fetch)(struct session *session, struct error *err);

	/* End a statement whose rows are not wanted to the end. */
	void (*finish)(struct session *session);

	bool (*null)(struct session *session, size_t col);
	int64_t (*get_int)(struct session *session, size_t col);

	/* NUL-terminated UTF-8 in the arena, NULL when memory is short. */
	char *(*get_text)(struct session *session, size_t col,
			  struct arena *arena);
};

/* Open the store; -1 with `trouble` told as well. */
int session_open_sqlserver(const struct control_spec *spec,
			   struct cancel *cancel, struct session **out,
			   enum control_trouble *trouble, struct error *err)
	__attribute__((warn_unused_result));
int session_open_sqlite(const struct control_spec *spec, struct cancel *cancel,
			struct session **out, enum control_trouble *trouble,
			struct error *err) __attribute__((warn_unused_result));

/* Make or upgrade the tables and views; see control_init(). */
int session_install_sqlserver(const struct control_spec *spec,
			      enum control_trouble *trouble, struct error *err)
	__attribute__((warn_unused_result));
int session_install_sqlite(const struct control_spec *spec,
			   enum control_trouble *trouble, struct error *err)
	__attribute__((warn_unused_result));

/* Run a statement that returns nothing. */
int session_exec(struct session *session, const char *sql,
		 const struct session_param *params, size_t count,
		 struct error *err) __attribute__((warn_unused_result));

#endif
