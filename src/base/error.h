#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

#define ERROR_MESSAGE_MAX 2048

/* What kind of trouble it is decides what happens next, not where it arose. */
enum error_kind {
	ERROR_NONE,
	ERROR_CANCELLED,  /* asked to stop: never logged */
	ERROR_CONNECTION, /* cannot reach, log in to, or keep a server */
	ERROR_CONFIG,	  /* a setting or control row is wrong */
	ERROR_SCHEMA,	  /* a table, column or key is not as it must be */
	ERROR_DATA,	  /* a value cannot be carried or stored */
	ERROR_PERMISSION, /* the login may not do this */
	ERROR_GAP,	  /* the change log no longer reaches back far enough */
	ERROR_CONFLICT,	  /* somebody else moved what only we should move */
	ERROR_FENCED,	  /* another daemon has taken the work over */
	ERROR_SERVER,	  /* a server refused for a reason of its own */
	ERROR_MEMORY,	  /* a limit or the machine's memory is used up */
	ERROR_SYSTEM,	  /* the operating system refused */
	ERROR_INTERNAL,	  /* a bug: the message says which rule was broken */
};

/*
 * One failure, filled by the function that returns -1. Plain data: may be
 * copied by assignment, needs no release, belongs to one thread at a time.
 */
struct error {
	enum error_kind kind;
	bool retryable; /* the same call may succeed a little later */
	int native;	/* the server's own number, 0 if none */
	char sqlstate[6];
	char message[ERROR_MESSAGE_MAX]; /* "" until set; always UTF-8 */
};

#define ERROR_INIT                 \
	{                          \
		.kind = ERROR_NONE \
	}

/* Forget what was there before. */
void error_clear(struct error *err);

/*
 * Fill `err` and return -1, so that a caller can write
 * `return error_set(err, ERROR_DATA, "…", …)`. Retryable is set for
 * ERROR_CONNECTION and cleared for every other kind.
 */
int error_set(struct error *err, enum error_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Like error_set, and add the text of `errnum` (an errno value). */
int error_errno(struct error *err, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Out of memory, while working on `what`. Returns -1. */
int error_memory(struct error *err, const char *what);

/*
 * Put context in front of the message: "context: message". Keeps kind and
 * number. Does nothing to a cancelled error. Returns -1.
 */
int error_wrap(struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Put "; note" behind the message, as far as there is room. */
void error_append(struct error *err, const char *note);

/* The kind in one lower-case word, for log lines. */
const char *error_kind_name(enum error_kind kind);

#endif
