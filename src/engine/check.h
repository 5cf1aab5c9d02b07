#ifndef ENGINE_CHECK_H
#define ENGINE_CHECK_H

#include "base/cancel.h"
#include "control/control.h"
#include "drivers/driver.h"

/*
 * Would it work? Everything that keeps mappings from being worked on, found
 * before the daemon stumbles over it: the rows of the control tables, the
 * servers they name, the tables and how they fit together. Changes nothing,
 * anywhere.
 */
struct check {
	const struct control_spec *spec;
	struct control *control; /* open */
	/*
	 * A mapping's id or a server's name (NULL: everything that is switched
	 * on). Of a server, its mappings are checked too.
	 */
	const char *what;
	struct cancel *cancel;
	struct findings *out;
};

/*
 * A server that cannot be reached is a finding, and keeps nothing but its own
 * mappings from being checked. -1: there is no such mapping or server
 * (ERROR_CONFIG), the control tables cannot be read, or it was cancelled.
 */
int check_run(const struct check *check, struct error *err)
	__attribute__((warn_unused_result));

#endif
