#ifndef PG_HOSTS_H
#define PG_HOSTS_H

#include <stdbool.h>

/*
 * The servers of a connection string that names several, as libpq takes them:
 * lists with commas, of which each has one entry a server; but one port may be
 * that of all. Pure, owns its strings.
 */
struct pg_hosts {
	char *host, *hostaddr, *port; /* NULL: not given */
};

void pg_hosts_release(struct pg_hosts *hosts); /* safe on zeroed memory */

/*
 * Leave out the first one that is at these, of which an empty entry says
 * nothing. False: there is none, or no other; then they are as they were.
 */
bool pg_hosts_leave_out(struct pg_hosts *hosts, const char *host,
			const char *hostaddr, const char *port);

#endif
