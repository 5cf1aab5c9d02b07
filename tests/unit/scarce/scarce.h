#ifndef TESTS_UNIT_SCARCE_SCARCE_H
#define TESTS_UNIT_SCARCE_SCARCE_H

#include <stdbool.h>

#include "base/error.h"

/*
 * A machine that runs out of memory when a test says so. Programs that link
 * this have malloc() and its kin wrapped (see the Makefile), and pthread_create()
 * as well, which is refused for the same reasons. jansson, OpenSSL and SQLite
 * ask here, too. Only the thread that called scarce_begin() is counted, and
 * those that it starts.
 */

/* Before anything else in main(). */
void scarce_setup(void);

/* Likewise, but OpenSSL has what it wants: libpq, which is not ours, has it ask
 * ten thousand times for each login. */
void scarce_setup_but_openssl(void);

/* The n-th request from now on fails, once; 0: none. */
void scarce_begin(unsigned long n);

/* How many there were. Threads that go on are not counted any more. */
unsigned long scarce_end(void);

/* Not this thread, for a while; what it has started is counted all the same. */
void scarce_pause(bool paused);

/* Did one fail since scarce_begin()? */
bool scarce_hit(void);

/*
 * Something that a test tries with each of its requests failing. After a
 * failure all has to be as before it, or work again; scarce_try() calls
 *
 *     prepare() run() check(true) release()               without a failure
 *     prepare() run() check() [run() check(true)] release()  with one
 *
 * where run() is called again when it had failed. One that succeeds in spite of
 * a failure has to have done all of its work, which check() sees: `done` says
 * that run() has succeeded. Any but run() may be NULL.
 */
struct scarce_trial {
	const char *name;
	void (*prepare)(void);
	int (*run)(struct error *err);
	void (*check)(bool done);
	void (*release)(void);
	unsigned long most; /* runs to be made at most; 0: all */
	/* run() reports by other means than by ERROR_MEMORY. */
	bool any_kind;
};

/*
 * With each request failing in turn; with `most`, when there are more than
 * that, with so many of them, chosen by SCARCE_SEED or by the clock. The
 * environment variable SCARCE_ALL asks for all of them. Fails the test when
 * run() made fewer than `least` requests: it does not do what it should.
 */
void scarce_try(const struct scarce_trial *trial, unsigned long least);

#endif
