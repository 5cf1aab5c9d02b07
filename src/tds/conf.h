#ifndef TDS_CONF_H
#define TDS_CONF_H

#include "base/error.h"
#include "tds/login.h"

#define TDS_CONF_NAME_MAX 24

/*
 * FreeTDS takes a CA file, the host-name check and `encryption = require`
 * only from a section of a freetds.conf. So the process keeps one of its own,
 * private and without secrets, with a section for each different server.
 */

/* Make it. Once, before the first thread. */
int tds_conf_init(struct error *err) __attribute__((warn_unused_result));
void tds_conf_release(void);

/*
 * Put the name of the section that says how to reach the server of `login`
 * into `name`, writing it if there is none yet. Any thread.
 */
int tds_conf_section(const struct tds_login *login,
		     char name[TDS_CONF_NAME_MAX], struct error *err)
	__attribute__((warn_unused_result));

/* The file's path, for FreeTDS. */
const char *tds_conf_path(void);

#endif
