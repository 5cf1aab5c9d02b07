#ifndef ENGINE_VERIFY_PROOF_H
#define ENGINE_VERIFY_PROOF_H

#include "engine/verify.h"

/*
 * A slice of a run whose destination proves by itself what it has, see prove()
 * of driver.h; the tally has what it comes to. The target is connected. 1: there
 * is more, unless the proof is to begin anew; 0: that was all.
 */
int verify_prove(struct verify *verify, struct error *err)
	__attribute__((warn_unused_result));

#endif
