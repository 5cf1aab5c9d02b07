#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/strbuf.h"

#define SECRET_BYTES_MAX 4096

/*
 * Secrets that stand in tables and files encrypted, as `enc:v1:KEY:DATA`. KEY
 * is the id of a key of the key file (base/keyring.h). DATA is nonce,
 * ciphertext and tag of AES-256-GCM in Base64url without padding, so that none
 * of its signs means anything in a connection string; what stands before it is
 * authenticated with it. May be called from any thread.
 */

/* Does a text say that it is one? */
bool secret_is_encrypted(const char *text);

/* Append `plain`, encrypted; at most SECRET_BYTES_MAX bytes. */
int secret_encrypt(const char *plain, struct strbuf *out, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Append what `text` was made of. `old_key` becomes true if that was not done
 * with the key that encrypts now. -1 is ERROR_CONFIG, and tells nothing of
 * `text` but the key's id; `out` is as it was then.
 */
int secret_decrypt(const char *text, struct strbuf *out, bool *old_key,
		   struct error *err) __attribute__((warn_unused_result));

/* Overwrite, so that no compiler leaves it out, and free. */
void secret_free(char *s); /* NULL is allowed */
void secret_release(struct strbuf *sb);

#endif
