#ifndef TESTS_UNIT_HELPER_H
#define TESTS_UNIT_HELPER_H

/* What every program of this folder starts with. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "unit/utf8.h"

/* The call has to succeed; `err` is the caller's struct error. */
#define MUST(call)                                              \
	do {                                                    \
		if ((call) < 0)                                 \
			fail_msg("%s: %s", #call, err.message); \
	} while (0)

/* The call has to fail with this kind, and with a message. */
#define MUST_FAIL(call, wanted)                                           \
	do {                                                              \
		error_clear(&err);                                        \
		if ((call) >= 0)                                          \
			fail_msg("%s: did not fail", #call);              \
		if (err.kind != (wanted))                                 \
			fail_msg("%s: is %s: %s", #call,                  \
				 error_kind_name(err.kind), err.message); \
		assert_true(err.message[0] != '\0');                      \
	} while (0)

/* Does the text hold the part? Fails with both when it does not. */
void assert_holds(const char *text, const char *part);
void assert_lacks(const char *text, const char *part);

/* A folder of our own, removed with all that is in it at the end. */
int setup_folder(void **state);
int teardown_folder(void **state);

/* A path in that folder; the text lasts until the fourth call after it in the same thread. */
const char *path_of(const char *name);

/* The whole file, to be freed; the path is as seen from the top folder. */
char *read_file(const char *path, size_t *len);
void write_file(const char *path, const char *text);

/* Sleep without any of our own code. */
void pause_ms(int ms);

/*
 * Catch what is written to stderr between the two calls. The second one
 * returns it, to be freed.
 */
void stderr_catch(void);
char *stderr_caught(void);
/* For a teardown: nothing more is caught. */
void stderr_release(void);

#endif
