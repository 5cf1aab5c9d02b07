#include "base/endpoint.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"

#define LOOPBACK "127.0.0.1"

static bool parse_port(const char *text, int *port)
{
	long number;

	if (!isdigit((unsigned char)*text) || !text_to_long(text, &number) ||
	    number < 1 || number > 65535)
		return false;
	*port = (int)number;
	return true;
}

/* An address in brackets, or a name without anything that is in no name. */
static bool is_host(const char *host, bool bracketed)
{
	if (!*host)
		return false;
	for (; *host; host++)
		if (!isalnum((unsigned char)*host) && *host != '.' &&
		    *host != '-' && *host != '_' &&
		    !(bracketed && (*host == ':' || *host == '%')))
			return false;
	return true;
}

bool endpoint_parse(const char *text, struct endpoint *out)
{
	char buffer[ENDPOINT_TEXT_MAX], *host, *port;
	bool bracketed;

	if (strlen(text) >= sizeof(buffer))
		return false;
	memcpy(buffer, text, strlen(text) + 1);
	host = text_trim(buffer);
	memset(out, 0, sizeof(*out));
	if (!*host || text_iequal(host, "off"))
		return true;
	port = strrchr(host, ':');
	if (!port) {
		text_copy(out->host, sizeof(out->host), LOOPBACK);
		return parse_port(host, &out->port);
	}
	*port++ = '\0';
	bracketed = *host == '[' && host[strlen(host) - 1] == ']';
	if (bracketed) {
		host[strlen(host) - 1] = '\0';
		host++;
	}
	if (!is_host(host, bracketed) || strlen(host) >= sizeof(out->host))
		return false;
	text_copy(out->host, sizeof(out->host), host);
	return parse_port(port, &out->port);
}
