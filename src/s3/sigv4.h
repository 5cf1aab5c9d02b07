#ifndef S3_SIGV4_H
#define S3_SIGV4_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"

/*
 * AWS Signature Version 4, as the AWS General Reference tells it ("Create a
 * signed AWS API request"), in the form that S3 has of it: the path is encoded
 * once, and neither dots nor double slashes in it are touched. Pure functions,
 * for any thread.
 *
 * Whoever sends the request sends what these functions encode, byte for byte:
 * a server signs what it received.
 */
#define SIGV4_HASH_SIZE	  65 /* 64 hexadecimal digits and a NUL */
#define SIGV4_DATE_SIZE	  17 /* "20260131T130059Z" */
#define SIGV4_HEADERS_MAX 32
#define SIGV4_QUERY_MAX	  16

/* A header, or a parameter of the query; neither encoded in any way. */
struct sigv4_pair {
	const char *name, *value;
};

struct sigv4_request {
	const char *method;
	const char *path; /* from the first / on, not encoded */
	const struct sigv4_pair *query;
	size_t query_count;
	/* All of these are signed. There must be `host` and `x-amz-date`. */
	const struct sigv4_pair *headers;
	size_t header_count;
	const char *payload_hash; /* sigv4_hash() of the body */
};

struct sigv4_key {
	const char *access_key, *secret_key;
	const char *region, *service;
	const char *date; /* sigv4_date(), as in `x-amz-date` */
};

/* The path, encoded: A-Z a-z 0-9 - . _ ~ / stay, all else is %XX. */
void sigv4_add_path(struct strbuf *out, const char *path);

/* Likewise one value, where / is encoded as well. */
void sigv4_add_encoded(struct strbuf *out, const char *value);

/*
 * The query without the question mark, encoded and in the order that is signed.
 * A parameter without a value ends in =.
 */
void sigv4_add_query(struct strbuf *out, const struct sigv4_pair *query,
		     size_t count);

void sigv4_date(char out[SIGV4_DATE_SIZE], int64_t utc_us);

/* SHA-256, in hexadecimal. -1: OpenSSL does not do that. */
int sigv4_hash(const void *data, size_t len, char out[SIGV4_HASH_SIZE],
	       struct error *err) __attribute__((warn_unused_result));

/* Append the value of the header `authorization`. */
int sigv4_sign(const struct sigv4_request *request, const struct sigv4_key *key,
	       struct strbuf *out, struct error *err)
	__attribute__((warn_unused_result));

#endif
