#ifndef TESTS_UNIT_DEEDS_H
#define TESTS_UNIT_DEEDS_H

#include "control/control.h"

/*
 * Everything that the daemon and its commands do with a control store, and how
 * it shows that it was done. Each may be done again.
 */
struct deed {
	const char *name;
	int (*act)(struct control *control, struct error *err);
	const char *query; /* NULL: act() has looked at what it read itself */
	const char *want;
};

extern const struct deed deeds[];
extern const size_t deed_count;

/* What they need there; for a store that store_add_mapping() has filled. */
void deeds_prepare(const char *file);

#endif
