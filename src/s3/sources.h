#ifndef S3_SOURCES_H
#define S3_SOURCES_H

#include "base/strbuf.h"
#include "s3/credentials.h"

/*
 * One place where credentials may be. 1: `out` is filled; 0: there are none, and
 * why that is so was appended to `looked`, as in "environment: AWS_… is not
 * set"; -1: there should be some, but they are no good or cannot be had.
 */
typedef int s3_source(const struct s3_settings *settings, struct cancel *cancel,
		      struct s3_credentials *out, struct strbuf *looked,
		      struct error *err);

s3_source s3_source_row;
s3_source s3_source_environment;
s3_source s3_source_web_identity;
s3_source s3_source_profile;
s3_source s3_source_container;
s3_source s3_source_instance;

/* Copies; NULL for the token is none. */
int s3_credentials_set(struct s3_credentials *out, const char *access_key,
		       const char *secret_key, const char *session_token,
		       struct error *err) __attribute__((warn_unused_result));

/*
 * Read the JSON that metadata services answer with, and the XML of the token
 * service. ERROR_DATA, without any of it, for what is not like that.
 */
int s3_credentials_from_json(struct s3_credentials *out, const char *text,
			     struct error *err)
	__attribute__((warn_unused_result));
int s3_credentials_from_xml(struct s3_credentials *out, const char *text,
			    size_t len, struct error *err)
	__attribute__((warn_unused_result));

/* "2026-01-31T13:00:59Z", as JSON and XML have it. -1: something else. */
int s3_time_parse(const char *text, int64_t *utc_us)
	__attribute__((warn_unused_result));

#endif
