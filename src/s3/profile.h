#ifndef S3_PROFILE_H
#define S3_PROFILE_H

#include <stdbool.h>

#include "base/error.h"

/*
 * A section of the files that AWS's own tools keep: ~/.aws/credentials, where
 * it is [name], and ~/.aws/config, where it is [profile name], or [default]. They
 * read them by Python's configparser: keys in capitals or not, `=` or `:`, and
 * lines that are further in than a property belong to it.
 * Owns its strings, wipes the secrets; NULL is what it does not say.
 */
struct s3_profile {
	bool found;
	char *access_key, *secret_key, *session_token, *region;
	/* The first of its keys that asks for what cannot be done here. */
	char *unsupported;
};

enum s3_profile_file { S3_PROFILE_CREDENTIALS, S3_PROFILE_CONFIG };

/*
 * Take up what the text of a file says about profile `name`, unless `profile`,
 * which is zeroed at first, has it already. -1 is ERROR_CONFIG, names the line,
 * and repeats nothing of it.
 */
int s3_profile_parse(struct s3_profile *profile, enum s3_profile_file kind,
		     const char *text, const char *name, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Likewise from both files, wherever AWS_SHARED_CREDENTIALS_FILE and
 * AWS_CONFIG_FILE say that they are. One that is not there says nothing. Nothing
 * needs a release on -1.
 */
int s3_profile_read(struct s3_profile *profile, const char *name,
		    struct error *err) __attribute__((warn_unused_result));

void s3_profile_release(struct s3_profile *profile); /* safe to call twice */

/* The name: the settings' (or NULL), that of AWS_PROFILE, or "default". */
const char *s3_profile_name(const char *settings);

#endif
