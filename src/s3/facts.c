#include "s3/facts.h"

#include <string.h>

#include "s3/request.h"
#include "s3/xml.h"

#define ANSWER_MAX ((size_t)1 << 20)

static bool ends_in(const char *path, const char *end)
{
	size_t len = strlen(path), part = strlen(end);

	return len >= part && !strcmp(path + len - part, end);
}

static int take_versioning(const char *path, const char *text, void *arg,
			   struct error *err)
{
	struct s3_facts *facts = arg;

	(void)err;
	if (text && ends_in(path, "/Status"))
		facts->versioned = !strcmp(text, "Enabled") ? S3_YES : S3_NO;
	return 0;
}

/* Whether a rule is for these keys is for people to see. */
static int take_lifecycle(const char *path, const char *text, void *arg,
			  struct error *err)
{
	struct s3_facts *facts = arg;

	(void)err;
	if (text && (ends_in(path, "/Rule/Expiration/Days") ||
		     ends_in(path, "/Rule/Expiration/Date")))
		facts->deletes = S3_YES;
	if (ends_in(path, "/AbortIncompleteMultipartUpload"))
		facts->aborts_uploads = S3_YES;
	if (ends_in(path, "/NoncurrentVersionExpiration"))
		facts->expires = S3_YES;
	return 0;
}

/* 1: it answered; 0: it did not. */
static int ask(struct s3_client *client, const char *what,
	       s3_xml_element *element, struct s3_facts *facts,
	       struct s3_answer *answer, struct error *err)
{
	struct s3_request request = {
		.method = "GET",
		.brief = true,
		.verb = "look at",
		.bucket_action = "s3:GetBucketVersioning, "
				 "s3:GetLifecycleConfiguration",
		.answer_max = ANSWER_MAX,
	};

	s3_request_query(&request, what, "");
	if (s3_perform(client, &request, answer, err) == 0 &&
	    s3_xml_read(answer->body.data, answer->body.len, element, facts,
			err) == 0)
		return 1;
	return err->kind == ERROR_CANCELLED ? -1 : 0;
}

int s3_facts(struct s3_client *client, struct s3_facts *out, struct error *err)
{
	struct s3_answer answer;
	int rc;

	memset(out, 0, sizeof(*out));
	s3_answer_init(&answer);
	rc = ask(client, "versioning", take_versioning, out, &answer, err);
	out->skew_s = answer.fault.skew_s;
	if (rc > 0 && out->versioned == S3_NOT_KNOWN)
		out->versioned = S3_NO; /* nobody ever asked for it */
	if (rc >= 0) {
		rc = ask(client, "lifecycle", take_lifecycle, out, &answer,
			 err);
		if (rc > 0 ||
		    (rc == 0 && !strcmp(answer.fault.code, "NoSuchLifecycle"
							   "Configuration"))) {
			out->aborts_uploads =
				out->aborts_uploads ? S3_YES : S3_NO;
			out->expires = out->expires ? S3_YES : S3_NO;
			out->deletes = out->deletes ? S3_YES : S3_NO;
		}
	}
	s3_answer_release(&answer);
	if (rc < 0)
		return -1;
	error_clear(err);
	return 0;
}
