#ifndef BASE_KEYRING_H
#define BASE_KEYRING_H

#include "base/error.h"

#define KEYRING_DEFAULT_FILE "/etc/dbaops-dataflow/key"
#define KEYRING_KEY_BYTES    32
#define KEYRING_ID_SIZE	     9 /* eight hexadecimal digits and a NUL */
#define KEYRING_KEYS_MAX     16

/*
 * The keys that secrets are encrypted with. The key file has a line for each:
 * 32 random bytes in Base64, as 'openssl rand -base64 32' prints them. The
 * first encrypts, all decrypt; so a new key goes on top, and an old one leaves
 * when nothing needs it any more. Empty lines, and those that begin with #,
 * say nothing. Nobody but its owner may read the file.
 *
 * Plain data, to be wiped as soon as it was used.
 */
struct keyring {
	int count; /* at least 1 once it was read */
	struct keyring_key {
		unsigned char bytes[KEYRING_KEY_BYTES];
		char id[KEYRING_ID_SIZE]; /* made of the key; no secret */
	} keys[KEYRING_KEYS_MAX];
};

/* Which file it is, for the process; before there are threads. */
int keyring_set_file(const char *path, struct error *err)
	__attribute__((warn_unused_result));
const char *keyring_file(void);

/*
 * Read the file, as it is now. -1 is ERROR_CONFIG, says what is wrong with the
 * file and what helps, and nothing of its content; `ring` is wiped then.
 */
int keyring_read(struct keyring *ring, struct error *err)
	__attribute__((warn_unused_result));
void keyring_wipe(struct keyring *ring);

/* NULL when there is none by that id. */
const struct keyring_key *keyring_find(const struct keyring *ring,
				       const char *id);

/* Make the file, with a new key in it, unless there is one already. */
int keyring_make_file(char id[KEYRING_ID_SIZE], struct error *err)
	__attribute__((warn_unused_result));

#endif
