#ifndef NOTIFY_MAIL_H
#define NOTIFY_MAIL_H

#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

/* A letter. Addresses are checked already; everything is borrowed. */
struct mail {
	const char *id; /* unique; the Message-ID is made from it */
	const char *from;
	const char *const *to;
	size_t to_count;
	const char *subject; /* UTF-8; control characters become blanks */
	const char *body;    /* UTF-8, lines end with \n */
	int64_t sent_us;
};

/*
 * As it goes over the wire (RFC 5322, MIME), with CRLF. Body and subject are
 * encoded, so that no line is too long and no text can pass for a header.
 */
void mail_write(const struct mail *mail, struct strbuf *out);

#endif
