#ifndef ENGINE_ROSTER_H
#define ENGINE_ROSTER_H

#include <stdbool.h>

#include "base/arena.h"
#include "control/control.h"
#include "drivers/driver.h"

/*
 * The mappings whose changes are read from a server, as mappings() of driver.h
 * is told them. Owns its strings.
 */
struct roster {
	struct arena arena;
	struct server_mapping *mappings;
	size_t count;
};

void roster_init(struct roster *roster);
void roster_release(struct roster *roster);

/* Take them from the tables; what was there is forgotten. False: no memory for
 * it, and it is empty. */
bool roster_take(struct roster *roster, const struct control_snapshot *snapshot,
		 int server_id);

/*
 * Append bytes that are the same as long as there are the same mappings, which
 * have something to go on from or not.
 */
void roster_print(const struct control_snapshot *snapshot, int server_id,
		  struct strbuf *out);

#endif
