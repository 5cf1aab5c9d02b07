#ifndef S3_CLIENT_H
#define S3_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "s3/settings.h"

/*
 * The objects of one bucket, over libcurl. A `struct s3` belongs to the process
 * and may be used by any number of threads at the same time: it holds the
 * settings, the credentials, and connections that nobody uses just now. Whoever
 * uses it from a thread has a `struct s3_client` there, which costs nothing and
 * says which cancel cuts its waits short.
 *
 * Every request is signed (sigv4.h), sent over a connection of its own for its
 * time, and sent again, after a pause that doubles and is partly random, when
 * the server is overloaded or out of order, when it is silent for longer than
 * the time-out, or when the connection breaks: so often as `attempts` says.
 * CANCEL_NOW ends a request at once, CANCEL_DRAIN only what would be another
 * attempt.
 *
 * Keys are whole (nothing puts the prefix in front of them), UTF-8, without NUL,
 * of 1 to S3_KEY_MAX bytes; which bytes they are makes no difference.
 *
 * Errors: ERROR_CONNECTION when the server cannot be reached or falls silent;
 * ERROR_SERVER (retryable) when it is overloaded; ERROR_CONFIG for a wrong
 * bucket, region, key pair or clock; ERROR_PERMISSION when it refuses what its
 * policies do not allow; ERROR_CONFLICT when a condition does not hold;
 * ERROR_DATA when what came is not what was sent. Messages name bucket and key,
 * say what helps, and hold no secret.
 */
struct s3;

/* Once a process, before the first thread and after the last. */
int s3_global_init(struct error *err) __attribute__((warn_unused_result));
void s3_global_exit(void);

/* The settings are copied. Asks nobody. After s3_global_init(). */
int s3_new(struct s3 **out, const struct s3_settings *settings,
	   struct error *err) __attribute__((warn_unused_result));
/* When no thread uses it any more. NULL is fine. */
void s3_free(struct s3 *s3);

/* "s3://bucket at minio.example.com:9000", for messages. */
const char *s3_name(const struct s3 *s3);

struct s3_client {
	struct s3 *s3;
	struct cancel *cancel; /* or NULL */
	/* Set when there may be an upload that costs money and shows in no list
	 * of objects: its id never came, or nobody answered when it was to be
	 * aborted. See s3_abort_chosen() and s3_upload_sought(). */
	bool lost_upload;
	int64_t lost_ms; /* the last one, by clock_ms() */
};

#define S3_ETAG_MAX	128
#define S3_CHECKSUM_MAX 64

/* What a server tells about an object. Plain data. */
struct s3_info {
	int64_t size;
	int64_t modified_us; /* UTC; 0: it did not say */
	char etag[S3_ETAG_MAX];
	/* As the server keeps it, in Base64; "" if it keeps none. One that ends
	 * in -N is made of N checksums of parts. */
	char crc32c[S3_CHECKSUM_MAX], sha256[S3_CHECKSUM_MAX];
};

/* How to put an object; zeroed it is nothing special. */
struct s3_put {
	const char *content_type;
	/*
	 * Only if there is no such object yet, or only if it still is this one
	 * (an ETag). Otherwise ERROR_CONFLICT, and nothing was changed. Honoured
	 * by Amazon (since 2024), MinIO, R2, Ceph (since Squid) and versitygw;
	 * others put it all the same, so nothing may depend on it alone.
	 */
	bool only_new;
	const char *if_match;
};

/*
 * Put a small object in one request: at most 5 GiB, and all of it in memory.
 * Whoever reads it sees the old one or the new one, whole. `out` may be NULL.
 */
int s3_put(struct s3_client *client, const char *key, const void *data,
	   size_t len, const struct s3_put *how, struct s3_info *out,
	   struct error *err) __attribute__((warn_unused_result));

/* 1: it is there; 0: there is none by that key. */
int s3_head(struct s3_client *client, const char *key, struct s3_info *out,
	    struct error *err) __attribute__((warn_unused_result));

/* Which bytes to get; zeroed it is all of them. */
struct s3_range {
	int64_t from;
	int64_t count; /* 0: up to the end */
};

/* Takes bytes in, in order, each once. -1 ends it all. */
typedef int s3_sink(const void *data, size_t len, void *arg, struct error *err);

/*
 * Get an object, piece by piece. A connection that breaks is replaced and goes
 * on where it was, in the same version of the object: should that be replaced
 * meanwhile, it is ERROR_CONFLICT. All of it is held against the checksum that
 * the server keeps, if it keeps one of the whole; a part of it, or one of which
 * there are only checksums of parts, against its length alone. 1: done; 0: there
 * is no such object, and nothing was given to `sink`. `out` may be NULL.
 */
int s3_get(struct s3_client *client, const char *key,
	   const struct s3_range *range, s3_sink *sink, void *arg,
	   struct s3_info *out, struct error *err)
	__attribute__((warn_unused_result));

/* Append a small object, whole, to `out`, whose `max` bounds it. 1 or 0. */
int s3_get_all(struct s3_client *client, const char *key, struct strbuf *out,
	       struct error *err) __attribute__((warn_unused_result));

/*
 * Delete objects, however many, a thousand in a request. One that is not there
 * is no error. On -1 some of them may be gone.
 */
int s3_delete(struct s3_client *client, const char *const *keys, size_t count,
	      struct error *err) __attribute__((warn_unused_result));

#endif
