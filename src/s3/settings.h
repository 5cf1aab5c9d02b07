#ifndef S3_SETTINGS_H
#define S3_SETTINGS_H

#include <stdbool.h>

#include "base/connstr.h"
#include "base/error.h"

/* Bytes of an object's key, as S3 counts them. */
#define S3_KEY_MAX 1024

enum s3_encryption {
	S3_ENCRYPT_DEFAULT, /* as the bucket has it */
	S3_ENCRYPT_AES256,
	S3_ENCRYPT_KMS,
	S3_ENCRYPT_KMS_DSSE, /* twice, see dual-layer encryption */
};

enum s3_checksum {
	S3_CHECKSUM_CRC32C,
	S3_CHECKSUM_SHA256,
	S3_CHECKSUM_NONE, /* for servers that refuse the headers */
};

/* Where to look for credentials, see credentials.h. */
enum s3_credential_source {
	S3_CREDENTIALS_ANY, /* all of these, in this order */
	S3_CREDENTIALS_ROW,
	S3_CREDENTIALS_ENVIRONMENT,
	S3_CREDENTIALS_WEB_IDENTITY,
	S3_CREDENTIALS_PROFILE,
	S3_CREDENTIALS_CONTAINER,
	S3_CREDENTIALS_INSTANCE,
};

/*
 * A bucket, where it is and how to speak to it: what a connection string says
 * about that. Owns its strings, wipes the secrets; NULL means not given.
 */
struct s3_settings {
	char *bucket;
	char *region; /* of the environment or the profile if not given */
	char *prefix; /* what every key of ours begins with: "", or ends in / */

	enum s3_credential_source source;
	char *access_key, *secret_key, *session_token;
	char *profile;

	bool tls;
	bool trust_any; /* whatever certificate the server shows */
	char *ca_file;	/* instead of the system's */
	char *host;	/* "minio.example.com:9000"; NULL: Amazon's */
	bool path_style;
	char *proxy; /* NULL: the environment's; "": none */
	char *proxy_user, *proxy_password;

	enum s3_encryption encryption;
	char *kms_key_id;
	char *storage_class;
	char *bucket_owner; /* the account that the bucket must belong to */
	enum s3_checksum checksum;

	int part_mb; /* the smallest part of an upload */
	int attempts;
	int connect_timeout_s;
	int stall_timeout_s; /* without a byte in either direction */
};

/*
 * Take what is S3's out of a connection string: bucket name (bucket), region,
 * prefix, access key (access key id, user id), secret key (secret access key,
 * password), session token, credentials, profile, endpoint (server), path style,
 * encrypt, trust server certificate, ca file, proxy, proxy user, proxy password,
 * sse (server side encryption), kms key id, storage class, bucket owner,
 * checksum, part size mb, attempts, connect timeout, stall timeout. Other keys
 * are left for the caller, and connstr_check_unused(). On -1 `err` is
 * ERROR_CONFIG, names the key and what it may be, and repeats no secret;
 * nothing needs a release then.
 */
int s3_settings_read(struct s3_settings *out, struct connstr *cs,
		     struct error *err) __attribute__((warn_unused_result));

/* No endpoint of anybody else's. */
bool s3_settings_amazon(const struct s3_settings *settings);

void s3_settings_release(struct s3_settings *settings); /* zeroed is fine */

#endif
