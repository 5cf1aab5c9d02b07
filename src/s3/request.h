#ifndef S3_REQUEST_H
#define S3_REQUEST_H

#include "base/uuid.h"
#include "s3/client.h"
#include "s3/fault.h"
#include "s3/sigv4.h"

#define S3_REQUEST_QUERY   8
#define S3_REQUEST_HEADERS 16
#define S3_PERMISSION_MAX  1500

struct s3_answer;

/*
 * One request to a bucket, and what to do with the answer. What it points to is
 * borrowed.
 */
struct s3_request {
	const char *method;
	const char *key; /* NULL: the bucket itself */
	struct sigv4_pair query[S3_REQUEST_QUERY];
	size_t query_count;
	struct sigv4_pair headers[S3_REQUEST_HEADERS];
	size_t header_count;
	const void *body; /* NULL: none */
	size_t body_len;

	/* One attempt of a few seconds: for what is good, but not needed. */
	bool brief;

	const char *verb; /* for messages: "put" */

	/* What a policy must allow with objects, and with the bucket:
	 * "s3:PutObject". NULL: nothing. */
	const char *object_action, *bucket_action;

	/* Where the body of a success goes, piece by piece; NULL: it is kept
	 * in the answer, up to so many bytes. */
	s3_sink *sink;
	void *sink_arg;
	size_t answer_max;

	/*
	 * Look at an answer of success, or NULL. ERROR_DATA, or any error that
	 * is retryable, makes it count as a failure that may be gone with
	 * another attempt, after which this is called again. An <Error> with a
	 * status of 200 never gets here.
	 */
	int (*accept)(const struct s3_answer *answer, void *arg,
		      struct error *err);
	void *accept_arg;
};

struct s3_answer {
	int status; /* 0: there was none */
	struct s3_info info;
	char mark[UUID_TEXT_MAX]; /* which upload of ours made the object */
	bool whole_checksum;	  /* an upload will have one of all its bytes */
	struct strbuf body;
	struct s3_fault fault; /* when it is as it should be, skew_s alone */
	int attempts;
	bool unclear; /* one of them may have been carried out all the same */
	bool begun;   /* the sink was given something */
	bool sink_failed;
};

/* The header that carries answer.mark. */
#define S3_MARK_HEADER "x-amz-meta-dataflow-upload"

void s3_request_query(struct s3_request *request, const char *name,
		      const char *value);
/* Without a value (NULL) nothing is added. */
void s3_request_header(struct s3_request *request, const char *name,
		       const char *value);

void s3_answer_init(struct s3_answer *answer);
void s3_answer_release(struct s3_answer *answer);

/*
 * Sign, send, and send again, as client.h says; but not once the sink was given
 * something. 0: a status of 2xx. On -1 `answer` has the last status and fault.
 * The answer is initialised, and may be used again.
 */
int s3_perform(struct s3_client *client, const struct s3_request *request,
	       struct s3_answer *answer, struct error *err)
	__attribute__((warn_unused_result));

/* What policies must allow for a request, in words: "s3:ListBucket on
 * 'arn:aws:s3:::landing'". */
void s3_permission(const struct s3_client *client,
		   const struct s3_request *request,
		   char out[S3_PERMISSION_MAX]);

/* Wait before attempt `attempt` + 1; -1: cancelled. */
int s3_pause(struct s3_client *client, int attempt, int64_t at_least_ms,
	     struct error *err) __attribute__((warn_unused_result));

/* Put "cannot VERB 's3://BUCKET/KEY': " in front of an error. Returns -1. */
int s3_wrap(const struct s3_client *client, const char *verb, const char *key,
	    struct error *err);

/* A number of bytes, in digits; -1: it is none. */
int64_t s3_parse_size(const char *text);

/* The headers that every object is put with, and its conditions. */
void s3_add_put_headers(const struct s3_client *client,
			struct s3_request *request, const struct s3_put *how);
void s3_add_conditions(struct s3_request *request, const struct s3_put *how);

/* Is an object the one that carries this mark? 1, 0, or -1. */
int s3_has_mark(struct s3_client *client, const char *key, const char *mark,
		struct s3_info *out, struct error *err)
	__attribute__((warn_unused_result));

/* Refuse a key that S3 cannot have. */
int s3_check_key(const struct s3_client *client, const char *key,
		 struct error *err) __attribute__((warn_unused_result));

#endif
