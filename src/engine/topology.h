#ifndef ENGINE_TOPOLOGY_H
#define ENGINE_TOPOLOGY_H

#include "engine/mapping.h"

/*
 * How mappings stand to each other. A table may be the destination of one
 * mapping only, and no table may feed itself, be it directly or by way of
 * others: its changes would go round for ever.
 *
 * Of several mappings that cannot be together, the one that was inserted last
 * gets the `problem`; so `mappings` is in the order of their ids. Those that
 * have a problem already, or whose servers have no address, do not count.
 * Tables are the same if their servers' addresses, databases, schemas and
 * names are; the names without regard to case, unless the system tells them
 * apart (NAMES_EXACT). -1 without memory: some may not be found.
 */
int topology_check(struct mapping *const *mappings, size_t count,
		   struct error *err) __attribute__((warn_unused_result));

#endif
