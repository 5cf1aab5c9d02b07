#ifndef S3_CREDENTIALS_H
#define S3_CREDENTIALS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/error.h"
#include "s3/settings.h"

/* What requests are signed with. Owns its strings; wiped when released. */
struct s3_credentials {
	char *access_key, *secret_key;
	char *session_token; /* NULL: none */
	int64_t expires_us;  /* UTC; 0: never */
};

void s3_credentials_release(struct s3_credentials *c); /* zeroed is fine */

/*
 * Where credentials come from, and the last ones that came. The sources are
 * asked in this order, unless the settings name one of them, and the first that
 * has any has the last word, be it an error:
 *
 *	row		the connection string
 *	environment	AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
 *	web_identity	AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN, for which
 *			AWS's token service gives some (Kubernetes)
 *	profile		~/.aws/credentials and ~/.aws/config, see profile.h
 *	container	AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI (ECS,
 *			EKS Pod Identity)
 *	instance	the metadata service of EC2, version 2
 *
 * Any number of threads may use it. `lock` guards what is behind it; one thread
 * at a time asks the sources, and the others go on with what there is, or wait.
 */
struct s3_keychain;

/* The settings are borrowed. Asks nobody. */
int s3_keychain_new(struct s3_keychain **out,
		    const struct s3_settings *settings, struct error *err)
	__attribute__((warn_unused_result));
void s3_keychain_free(struct s3_keychain *chain); /* NULL is fine */

/*
 * Credentials that are good for a while, to be released. New ones are asked for
 * five minutes before those at hand expire. `cancel` may be NULL. Errors say
 * what was looked for and where: ERROR_CONFIG when there are none,
 * ERROR_CONNECTION when a service that has some does not answer.
 */
int s3_keychain_get(struct s3_keychain *chain, struct cancel *cancel,
		    struct s3_credentials *out, struct error *err)
	__attribute__((warn_unused_result));

/*
 * A server says that these have expired, or does not know them. True: the next
 * s3_keychain_get() asks their source again, as it would not by itself.
 */
bool s3_keychain_refused(struct s3_keychain *chain,
			 const struct s3_credentials *c);

#endif
