#include "s3/fault.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "s3/xml.h"

/* ------------------------------------------------------------------ reading */

/* Words of a server's, for a message of ours: a line of printable text. */
static void take_words(char *out, size_t size, const char *text)
{
	text_copy(out, size, text);
	for (char *c = out; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
	text_make_utf8(out);
	text_trim(out);
}

static int take_element(const char *path, const char *text, void *arg,
			struct error *err)
{
	struct s3_fault *fault = arg;
	static const char root[] = "/Error/";

	(void)err;
	if (!text || strncmp(path, root, sizeof(root) - 1) != 0)
		return 0;
	path += sizeof(root) - 1;
	if (!strcmp(path, "Code"))
		take_words(fault->code, sizeof(fault->code), text);
	else if (!strcmp(path, "Message"))
		take_words(fault->message, sizeof(fault->message), text);
	else if (!strcmp(path, "Region"))
		take_words(fault->region, sizeof(fault->region), text);
	return 0;
}

bool s3_fault_read(struct s3_fault *out, const char *body, size_t len)
{
	struct error ignored;

	memset(out, 0, sizeof(*out));
	/* What stands before it breaks off is as good as the rest. */
	if (s3_xml_read(body, len, take_element, out, &ignored) < 0 &&
	    !*out->code)
		memset(out, 0, sizeof(*out));
	return *out->code != '\0';
}

/* ------------------------------------------------------------------ judging */

static const struct rule {
	const char *code; /* or how it begins, with a * behind */
	enum s3_next next;
	enum error_kind kind;
	const char *says;
} rules[] = {
	{"SlowDown*", S3_AGAIN, ERROR_SERVER, "the server is overloaded"},
	{"ServiceUnavailable", S3_AGAIN, ERROR_SERVER,
	 "the server is overloaded"},
	{"Throttling*", S3_AGAIN, ERROR_SERVER, "the server is overloaded"},
	{"RequestLimitExceeded", S3_AGAIN, ERROR_SERVER,
	 "the server is overloaded"},
	{"TooManyRequests*", S3_AGAIN, ERROR_SERVER,
	 "the server is overloaded"},
	{"Busy", S3_AGAIN, ERROR_SERVER, "the server is overloaded"},
	{"InternalError", S3_AGAIN, ERROR_SERVER, "the server is out of order"},
	{"RequestTimeout*", S3_AGAIN, ERROR_CONNECTION,
	 "the request came too slowly"},
	{"IncompleteBody", S3_AGAIN, ERROR_CONNECTION,
	 "the request did not arrive whole"},
	{"OperationAborted", S3_AGAIN, ERROR_CONFLICT,
	 "something else is done to it at the same time"},
	{"ConditionalRequestConflict", S3_AGAIN, ERROR_CONFLICT,
	 "somebody else puts it at the same time"},
	{"BadDigest", S3_AGAIN, ERROR_DATA,
	 "what arrived is not what was sent; the network, a proxy or memory "
	 "is at fault"},
	{"XAmzContentSHA256Mismatch", S3_AGAIN, ERROR_DATA,
	 "what arrived is not what was sent; the network, a proxy or memory "
	 "is at fault"},
	{"XAmzContentChecksumMismatch", S3_AGAIN, ERROR_DATA,
	 "what arrived is not what was sent; the network, a proxy or memory "
	 "is at fault"},
	{"PreconditionFailed", S3_FAIL, ERROR_CONFLICT,
	 "it was put by somebody else"},
	{"NoSuchUpload", S3_FAIL, ERROR_CONFLICT,
	 "the upload is gone: somebody aborted it, or a lifecycle rule did; "
	 "give such a rule a day at least"},
	{"NoSuchKey", S3_FAIL, ERROR_DATA, "there is no such object"},
	{"InvalidRange", S3_FAIL, ERROR_DATA,
	 "the object is shorter than that"},
	{"InvalidObjectState", S3_FAIL, ERROR_DATA,
	 "the object is archived; restore it first"},
	{"NoSuchBucket", S3_FAIL, ERROR_CONFIG,
	 "there is no such bucket; check 'bucket_name', 'region' and "
	 "'endpoint'"},
	{"InvalidBucketName", S3_FAIL, ERROR_CONFIG,
	 "that cannot be a bucket; check 'bucket_name'"},
	{"ExpiredToken", S3_RENEW, ERROR_CONFIG,
	 "the session token has expired; write new credentials, or take them "
	 "from a role, which renews them"},
	{"RequestExpired", S3_RENEW, ERROR_CONFIG,
	 "the credentials have expired; write new ones, or take them from a "
	 "role, which renews them"},
	{"TokenRefreshRequired", S3_RENEW, ERROR_CONFIG,
	 "the session token has expired; write new credentials, or take them "
	 "from a role, which renews them"},
	{"InvalidToken", S3_RENEW, ERROR_CONFIG,
	 "the session token is not valid; check 'session_token', and that it "
	 "belongs to the access key"},
	{"InvalidClientTokenId", S3_RENEW, ERROR_CONFIG,
	 "the session token or the access key is not valid; check "
	 "'session_token' and 'access_key'"},
	{"InvalidAccessKeyId", S3_RENEW, ERROR_CONFIG,
	 "the server does not know the access key; check 'access_key', and "
	 "'endpoint'"},
	{"SignatureDoesNotMatch", S3_RENEW, ERROR_CONFIG,
	 "the secret key is not that of the access key; check 'secret_key' and "
	 "'access_key'"},
	{"InvalidSecurity", S3_FAIL, ERROR_CONFIG,
	 "the credentials are not valid; check 'access_key' and 'secret_key'"},
	{"AccessDenied*", S3_FAIL, ERROR_PERMISSION, "access is denied"},
	{"AllAccessDisabled", S3_FAIL, ERROR_PERMISSION,
	 "all access to the bucket is disabled"},
	{"AccountProblem", S3_FAIL, ERROR_PERMISSION,
	 "there is a problem with the account"},
	{"KMS.*", S3_FAIL, ERROR_CONFIG,
	 "the KMS key cannot be used; check 'kms_key_id', and that the key's "
	 "policy allows kms:GenerateDataKey and kms:Decrypt"},
	{"InvalidStorageClass", S3_FAIL, ERROR_CONFIG,
	 "the server does not have that storage class; check "
	 "'storage_class'"},
	{"EntityTooSmall", S3_FAIL, ERROR_CONFIG,
	 "the server wants larger parts; raise 'part_size_mb'"},
	{"EntityTooLarge", S3_FAIL, ERROR_DATA,
	 "it is larger than the server allows"},
	{"NotImplemented", S3_FAIL, ERROR_CONFIG,
	 "the server cannot do that; 'checksum=none', or no 'sse' and no "
	 "'storage_class', may help"},
	{"XMinioStorageFull", S3_FAIL, ERROR_SERVER, "the server is full"},
	{"QuotaExceeded", S3_FAIL, ERROR_SERVER, "the quota is used up"},
	{"XMinioServerNotInitialized", S3_AGAIN, ERROR_SERVER,
	 "the server is starting"},
	{"InvalidRequest", S3_FAIL, ERROR_CONFIG,
	 "the server does not take such a request; 'checksum', 'sse', "
	 "'storage_class' and 'endpoint' may be wrong for it"},
};

static const struct rule *find_rule(const char *code)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		size_t len = strcspn(rules[i].code, "*");

		if (rules[i].code[len] ? !strncmp(rules[i].code, code, len)
				       : !strcmp(rules[i].code, code))
			return &rules[i];
	}
	return NULL;
}

static bool comes_back(int status)
{
	return status == 408 || status == 425 || status == 429 ||
	       status == 500 || status == 502 || status == 503 || status == 504;
}

/* The code and the server's words, behind what we say. */
static void quote(const struct s3_fault *fault, struct error *err)
{
	char words[sizeof(fault->code) + sizeof(fault->message) + 4];

	if (!*fault->code)
		return;
	snprintf(words, sizeof(words), ": %s%s%s", fault->code,
		 *fault->message ? ": " : "", fault->message);
	text_append(err->message, sizeof(err->message), words);
}

static enum s3_next elsewhere(const struct s3_fault *fault, struct error *err)
{
	if (*fault->region)
		error_set(err, ERROR_CONFIG,
			  "the bucket is in region '%.60s'; write region=%.60s",
			  fault->region, fault->region);
	else
		error_set(err, ERROR_CONFIG,
			  "the server answers with status %d: the bucket is "
			  "elsewhere; check 'region' and 'endpoint'",
			  fault->status);
	quote(fault, err);
	return S3_FAIL;
}

static enum s3_next skewed(const struct s3_fault *fault, struct error *err)
{
	if (fault->skew_s)
		error_set(err, ERROR_CONFIG,
			  "the clock of this machine is %lld seconds %s the "
			  "server's; set it, by NTP for instance",
			  (long long)(fault->skew_s > 0 ? fault->skew_s
							: -fault->skew_s),
			  fault->skew_s > 0 ? "behind" : "ahead of");
	else
		error_set(err, ERROR_CONFIG,
			  "the clocks of this machine and of the server are "
			  "too far apart; set them, by NTP for instance");
	quote(fault, err);
	return S3_FAIL;
}

/* No words of S3's: maybe it is none, or something stands in between. */
static enum s3_next by_status(const struct s3_fault *fault, struct error *err)
{
	int status = fault->status;
	bool again = comes_back(status);
	enum error_kind kind = ERROR_SERVER;
	const char *hint = *fault->code
				   ? ""
				   : "; if that is no S3 server, or a proxy or "
				     "firewall that speaks for it, check "
				     "'endpoint' and 'proxy'";

	if (status == 407) {
		error_set(err, ERROR_CONFIG,
			  "the proxy wants a user and a password, or others; "
			  "check 'proxy_user' and 'proxy_password'");
		return S3_FAIL;
	}
	if (status == 401 || status == 403)
		kind = ERROR_PERMISSION;
	error_set(err, kind, "the server answers with status %d%s", status,
		  hint);
	err->retryable = again;
	quote(fault, err);
	return again ? S3_AGAIN : S3_FAIL;
}

enum s3_next s3_fault_judge(const struct s3_fault *fault,
			    const char *permission, struct error *err)
{
	const struct rule *rule = find_rule(fault->code);

	if (!strcmp(fault->code, "RequestTimeTooSkewed"))
		return skewed(fault, err);
	if ((fault->status >= 300 && fault->status < 400) ||
	    !strcmp(fault->code, "PermanentRedirect") ||
	    !strcmp(fault->code, "AuthorizationHeaderMalformed") ||
	    !strcmp(fault->code, "IllegalLocationConstraintException"))
		return elsewhere(fault, err);
	if (!rule)
		return by_status(fault, err);
	error_set(err, rule->kind, "%s", rule->says);
	if (rule->kind == ERROR_PERMISSION) {
		text_append(err->message, sizeof(err->message),
			    "; the policies of user, role, bucket and KMS key "
			    "must allow ");
		text_append(err->message, sizeof(err->message), permission);
	}
	err->native = fault->status;
	err->retryable = rule->next == S3_AGAIN;
	quote(fault, err);
	return rule->next;
}
