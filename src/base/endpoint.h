#ifndef BASE_ENDPOINT_H
#define BASE_ENDPOINT_H

#include <stdbool.h>

#define ENDPOINT_HOST_MAX 256
#define ENDPOINT_TEXT_MAX 264

/* Where a server of ours listens. Plain data. */
struct endpoint {
	char host[ENDPOINT_HOST_MAX]; /* a name, or an address */
	int port;		      /* 0: nowhere */
};

/* What endpoint_parse() takes, for messages. */
#define ENDPOINT_FORMS \
	"'host:port', '[::1]:port', a port (on loopback) or 'off'"

/*
 * Read "host:port", "[::1]:port", or a port, which is on this machine's
 * loopback; "" and "off" are nowhere. False for anything else. Whether there
 * is such a host only shows when it is listened on.
 */
bool endpoint_parse(const char *text, struct endpoint *out);

#endif
