#include "pg/hosts.h"

#include <stdlib.h>
#include <string.h>

void pg_hosts_release(struct pg_hosts *hosts)
{
	free(hosts->host);
	free(hosts->hostaddr);
	free(hosts->port);
	memset(hosts, 0, sizeof(*hosts));
}

static size_t count(const char *list)
{
	size_t n = 1;

	for (; *list; list++)
		n += *list == ',';
	return n;
}

/* Where entry `i` begins; it ends with a comma, or the list. */
static char *entry(char *list, size_t i)
{
	for (; i && *list; list++)
		i -= *list == ',';
	return list;
}

static bool fits(char *list, size_t i, const char *value)
{
	const char *s = list ? entry(list, i) : "";
	size_t len = strcspn(s, ",");

	return !len ||
	       (value && strlen(value) == len && !memcmp(s, value, len));
}

static void cut(char *list, size_t i)
{
	char *s = entry(list, i), *next = s + strcspn(s, ",");

	if (*next)
		memmove(s, next + 1, strlen(next + 1) + 1);
	else
		s[s > list ? -1 : 0] = '\0';
}

bool pg_hosts_leave_out(struct pg_hosts *hosts, const char *host,
			const char *hostaddr, const char *port)
{
	char *names = hosts->hostaddr ? hosts->hostaddr : hosts->host;
	size_t servers = names ? count(names) : 1, i = 0;
	char *ports =
		hosts->port && count(hosts->port) > 1 ? hosts->port : NULL;

	while (i < servers &&
	       !(fits(hosts->host, i, host) &&
		 fits(hosts->hostaddr, i, hostaddr) && fits(ports, i, port)))
		i++;
	if (servers == 1 || i == servers)
		return false;
	if (hosts->host)
		cut(hosts->host, i);
	if (hosts->hostaddr)
		cut(hosts->hostaddr, i);
	if (ports)
		cut(ports, i);
	return true;
}
