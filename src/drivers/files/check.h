#ifndef DRIVERS_FILES_CHECK_H
#define DRIVERS_FILES_CHECK_H

#include "drivers/driver.h"

/* The slots check() of the driver, and of its targets. */
int files_check_server(struct server *base, struct cancel *cancel,
		       struct findings *out, struct error *err)
	__attribute__((warn_unused_result));
int files_check_target(struct target *dst, const struct target_check *what,
		       struct findings *out, struct error *err)
	__attribute__((warn_unused_result));

#endif
