#ifndef S3_FACTS_H
#define S3_FACTS_H

#include "s3/client.h"

/*
 * How a bucket is set up, where that makes a difference for what is put into it;
 * for people who check it. What the server does not tell, or may not tell to this
 * user, is not known.
 */
enum s3_fact { S3_NOT_KNOWN, S3_NO, S3_YES };

struct s3_facts {
	enum s3_fact versioned;	     /* what is replaced or deleted is kept */
	enum s3_fact expires;	     /* but not for ever */
	enum s3_fact aborts_uploads; /* after some days, of itself */
	enum s3_fact deletes;	     /* objects that are as old as that, too */
	int64_t skew_s; /* how far its clock is ahead of ours; 0: not known */
};

/* -1 only when cancelled. */
int s3_facts(struct s3_client *client, struct s3_facts *out, struct error *err)
	__attribute__((warn_unused_result));

#endif
