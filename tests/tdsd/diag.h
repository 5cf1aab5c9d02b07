#ifndef TDSD_DIAG_H
#define TDSD_DIAG_H

#include <stdbool.h>

/*
 * One message of the server, as a client sees it. Plain data. Functions that
 * can fail take a `struct diag *` last, fill it and return -1.
 */
#define DIAG_MESSAGE_MAX 4096

struct diag {
	int number;
	int state;
	int severity; /* the "level" or "class": 16 is an ordinary error */
	int line;     /* in the batch or procedure, 0 when not known yet */
	char proc[132];
	char message[DIAG_MESSAGE_MAX]; /* UTF-8 */
};

/*
 * Fill from the table of the server's messages; the arguments are those of
 * the message's format in diag.c. Returns -1.
 */
int diag_set(struct diag *d, int number, ...);

/* The same with the state given. */
int diag_state(struct diag *d, int number, int state, ...);

/* Any number and text. Returns -1. */
int diag_free_text(struct diag *d, int number, int severity, int state,
		   const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* The format of a message, NULL when not known; for sys.messages. */
const char *diag_format(int number, int *severity);

/* The number at `index` of the table, 0 behind its end. */
int diag_number_at(int index);

#endif
