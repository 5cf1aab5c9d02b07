#ifndef ENGINE_VERIFY_ORDERS_H
#define ENGINE_VERIFY_ORDERS_H

#include "engine/verify.h"

/*
 * What DBAs order a verification to do, from the order to its answer; see
 * verify_order() and its like in verify.h. For verify.c alone.
 */

/* Make the oldest order that waits the run at hand. */
int verify_take_order(struct verify *verify, struct error *err)
	__attribute__((warn_unused_result));

/* Answer the order of the run at hand, if it has one. */
void verify_answer(struct verify *verify, const char *state, const char *text);

#endif
