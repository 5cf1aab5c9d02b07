#ifndef ENGINE_REPAIR_H
#define ENGINE_REPAIR_H

#include "engine/compare.h"

/*
 * Copies the rows again that a comparison has found. They are read once more,
 * and written only when change capture has passed that moment: what changed
 * meanwhile is left out, since it was written anew by that. A change that
 * leaves values out is kept, and written after the row as it was read. So no
 * row ever goes back to an older value, and the checkpoint stays what it is.
 */
struct repair {
	struct compare *compare;
	struct batch *rows; /* as the source has them, then what changed */
	size_t count;
	bool changes;	    /* there are such already */
	struct error fails; /* there is no memory for them */
	size_t full;	    /* of these, how many are not of a lone row, */
	size_t paid;	    /* and for how many of them memory is held: */
	size_t held;	    /* so much, beyond what the comparison has */
	size_t largest;	    /* bytes of a lone row */
};

/* Read the rows whose keys `compare` has found. ERROR_MEMORY: they are too
 * many at once. */
int repair_read(struct repair *repair, struct compare *compare,
		struct error *err) __attribute__((warn_unused_result));

/*
 * Tell it of all changes that are applied from then on. If there is no memory
 * for what it keeps of them, `fails` says so, and nothing may be written.
 */
int repair_see_changes(struct repair *repair, const struct batch *changes,
		       struct error *err) __attribute__((warn_unused_result));

/*
 * Write them, and remove those that the source does not have, in one
 * transaction. The mirror must not be connected.
 */
int repair_write(struct repair *repair, struct error *err)
	__attribute__((warn_unused_result));

void repair_release(struct repair *repair); /* safe when zeroed */

#endif
