#ifndef S3_SERVER_H
#define S3_SERVER_H

#include <pthread.h>

#include "s3/client.h"
#include "s3/credentials.h"
#include "s3/http.h"

#define S3_IDLE_MAX 16

/*
 * What client.h calls a server object; nobody outside of this folder. The lock
 * guards the connections that nobody uses; all else is set once.
 */
struct s3 {
	struct s3_settings settings; /* with a region, always */
	char *name;		     /* for messages */
	char *scheme;		     /* "https://" */
	char *host; /* as the header has it: without the scheme's own port */
	struct s3_keychain *keychain;
	struct http_options options;

	pthread_mutex_t lock;
	struct http *idle[S3_IDLE_MAX];
	size_t idle_count;
};

/* Borrow a connection; -1: there is none to be made. */
int s3_borrow(struct s3 *s3, struct http **out, struct error *err)
	__attribute__((warn_unused_result));
void s3_give_back(struct s3 *s3, struct http *http);

/* Append the path of an object, or with NULL that of the bucket, not encoded. */
void s3_add_path(const struct s3 *s3, const char *key, struct strbuf *out);

#endif
