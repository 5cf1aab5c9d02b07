#ifndef NOTIFY_SIGNATURE_H
#define NOTIFY_SIGNATURE_H

#include <stdint.h>

#include "base/error.h"

#define SIGNATURE_TEXT_MAX 65

/*
 * The proof that a message comes from who knows the secret, and is not an old
 * one sent again: HMAC-SHA256 of "timestamp.body" (seconds since 1970, a full
 * stop, the body's bytes), in lower-case hexadecimal.
 */
int signature_make(const char *secret, int64_t timestamp, const char *body,
		   char out[SIGNATURE_TEXT_MAX], struct error *err)
	__attribute__((warn_unused_result));

#endif
