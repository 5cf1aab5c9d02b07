#ifndef S3_FAULT_H
#define S3_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * What a server says when it does not do what it was asked. Plain data, of
 * printable UTF-8; "" is what it did not say.
 */
struct s3_fault {
	int status;
	char code[64];	   /* "NoSuchKey", "SlowDown", … */
	char message[256]; /* in its own words */
	char region[64];   /* where the bucket is instead */
	int64_t skew_s;	   /* how far its clock is ahead of ours; 0: unknown */
};

/* Read an <Error>. False, and no code, when it is none. Pure. */
bool s3_fault_read(struct s3_fault *out, const char *body, size_t len);

enum s3_next {
	S3_FAIL,
	S3_AGAIN, /* the same request may work a little later */
	S3_RENEW, /* with other credentials */
};

/*
 * What is to be done about it, and what an error says when nothing works:
 * `permission` is what the request needs, as s3_permission() has it.
 */
enum s3_next s3_fault_judge(const struct s3_fault *fault,
			    const char *permission, struct error *err);

#endif
