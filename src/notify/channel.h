#ifndef NOTIFY_CHANNEL_H
#define NOTIFY_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/connstr.h"
#include "base/error.h"

enum channel_type { CHANNEL_WEBHOOK, CHANNEL_EMAIL };

enum channel_tls {
	CHANNEL_TLS_REQUIRED, /* encrypted, or nothing is sent */
	CHANNEL_TLS_OPTIONAL, /* encrypted if the server offers it */
	CHANNEL_TLS_NONE,
};

#define CHANNEL_RECIPIENTS_MAX 50
#define CHANNEL_HOST_MAX       256

/*
 * Where messages go: the settings of a row of notification_channels, taken
 * apart and checked. Strings belong to it and NULL means not given. The url may
 * hold a secret in its path; `host` is the part that may be told.
 */
struct channel {
	enum channel_type type;
	struct connstr settings; /* holds what the pointers point to */
	const char *url;
	char host[CHANNEL_HOST_MAX];
	const char *ca_file; /* instead of the system's */
	bool trust_any;	     /* whatever certificate the server shows */
	int timeout_s;	     /* for one attempt, all of it */

	/* Of a webhook. */
	const char *secret;	   /* sign with it */
	const char *authorization; /* the header's value */

	/* Of e-mail. */
	enum channel_tls tls;
	const char *user, *password;
	const char *from;
	char *recipients; /* what `to` points into */
	const char *to[CHANNEL_RECIPIENTS_MAX];
	size_t to_count;
};

/*
 * `${env:…}` and `${file:…}` are looked up now. On -1 `err` is ERROR_CONFIG and
 * says what to change, without a secret; nothing needs a release then.
 */
int channel_parse(struct channel *out, const char *type, const char *settings,
		  struct error *err) __attribute__((warn_unused_result));
void channel_release(struct channel *channel);

#endif
