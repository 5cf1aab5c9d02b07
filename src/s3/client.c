#include "s3/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/crc32c.h"
#include "s3/checksum.h"
#include "s3/request.h"
#include "s3/server.h"

/* ---------------------------------------------------------------------- put */

static const char *encryption_name(enum s3_encryption encryption)
{
	static const char *const names[] = {
		[S3_ENCRYPT_DEFAULT] = NULL,
		[S3_ENCRYPT_AES256] = "AES256",
		[S3_ENCRYPT_KMS] = "aws:kms",
		[S3_ENCRYPT_KMS_DSSE] = "aws:kms:dsse",
	};

	return names[encryption];
}

void s3_add_put_headers(const struct s3_client *client,
			struct s3_request *request, const struct s3_put *how)
{
	const struct s3_settings *s = &client->s3->settings;

	s3_request_header(request, "content-type",
			  how && how->content_type
				  ? how->content_type
				  : "application/octet-stream");
	s3_request_header(request, "x-amz-server-side-encryption",
			  encryption_name(s->encryption));
	s3_request_header(request,
			  "x-amz-server-side-encryption-aws-kms-key-id",
			  s->kms_key_id);
	s3_request_header(request, "x-amz-storage-class", s->storage_class);
}

void s3_add_conditions(struct s3_request *request, const struct s3_put *how)
{
	if (how && how->only_new)
		s3_request_header(request, "if-none-match", "*");
	if (how)
		s3_request_header(request, "if-match", how->if_match);
}

/* What a server says that it got is what was sent. */
struct put_check {
	enum s3_checksum kind;
	const char *checksum;
};

static int check_put(const struct s3_answer *answer, void *arg,
		     struct error *err)
{
	const struct put_check *check = arg;
	const char *theirs = s3_checksum_in(&answer->info, check->kind);

	if (*theirs && strcmp(theirs, check->checksum) != 0)
		return error_set(err, ERROR_DATA,
				 "the server got other bytes than were sent: "
				 "its checksum is %s instead of %s",
				 theirs, check->checksum);
	return 0;
}

/* The answer was lost, and the next one says that the object is there. */
static int was_put(struct s3_client *client, const char *key, const char *mark,
		   const struct s3_answer *answer, struct s3_info *out,
		   struct error *err)
{
	struct error ignored;

	if (answer->status != 412 || !answer->unclear ||
	    s3_has_mark(client, key, mark, out, &ignored) <= 0)
		return -1;
	error_clear(err);
	return 0;
}

int s3_put(struct s3_client *client, const char *key, const void *data,
	   size_t len, const struct s3_put *how, struct s3_info *out,
	   struct error *err)
{
	enum s3_checksum kind = client->s3->settings.checksum;
	bool conditional = how && (how->only_new || how->if_match);
	char checksum[S3_CHECKSUM_MAX], mark[UUID_TEXT_MAX];
	struct put_check check = {kind, checksum};
	struct s3_info info = {.size = 0};
	struct s3_request request = {
		.method = "PUT",
		.key = key,
		.body = len ? data : "",
		.body_len = len,
		.verb = "put",
		.object_action = "s3:PutObject",
		.accept = check_put,
		.accept_arg = &check,
	};
	struct s3_answer answer;
	int ret;

	if (s3_check_key(client, key, err) < 0 ||
	    s3_checksum(kind, data, len, checksum, err) < 0)
		return -1;
	uuid_make(mark);
	s3_answer_init(&answer);
	s3_add_put_headers(client, &request, how);
	s3_add_conditions(&request, how);
	s3_request_header(&request, S3_MARK_HEADER, conditional ? mark : NULL);
	if (*checksum)
		s3_request_header(&request, s3_checksum_header(kind), checksum);
	ret = s3_perform(client, &request, &answer, err);
	if (ret == 0)
		info = answer.info;
	else if (conditional)
		ret = was_put(client, key, mark, &answer, &info, err);
	info.size = (int64_t)len;
	if (out)
		*out = info;
	s3_answer_release(&answer);
	return ret;
}

/* --------------------------------------------------------------------- head */

/*
 * An answer to HEAD has no words. A GET that is refused for the same reason has
 * some. 0: it is not refused, or not any more.
 */
static int ask_why(struct s3_client *client, const char *key, struct error *err)
{
	struct s3_request request = {
		.method = "GET",
		.key = key,
		.verb = "look at",
		.object_action = "s3:GetObject",
		.bucket_action = "s3:ListBucket",
	};
	struct s3_answer answer;
	int ret;

	s3_request_header(&request, "range", "bytes=0-0");
	s3_answer_init(&answer);
	ret = s3_perform(client, &request, &answer, err);
	if (answer.status == 416) /* an object without a byte */
		ret = 0;
	s3_answer_release(&answer);
	return ret;
}

static int head_once(struct s3_client *client, const char *key,
		     struct s3_answer *answer, struct error *err)
{
	struct s3_request request = {
		.method = "HEAD",
		.key = key,
		.verb = "look at",
		.object_action = "s3:GetObject",
		.bucket_action = "s3:ListBucket",
	};

	s3_request_header(&request, "x-amz-checksum-mode", "ENABLED");
	if (s3_perform(client, &request, answer, err) == 0)
		return 1;
	if (answer->status != 404)
		return -1;
	error_clear(err);
	return 0;
}

static int head(struct s3_client *client, const char *key,
		struct s3_answer *answer, struct error *err)
{
	int most = client->s3->settings.attempts, ret;

	if (s3_check_key(client, key, err) < 0)
		return -1;
	for (int attempt = 1;; attempt++) {
		ret = head_once(client, key, answer, err);
		if (ret >= 0 || answer->status < 300 || answer->status >= 500 ||
		    attempt == most)
			return ret;
		if (ask_why(client, key, err) < 0)
			return -1;
	}
}

int s3_head(struct s3_client *client, const char *key, struct s3_info *out,
	    struct error *err)
{
	struct s3_answer answer;
	int ret;

	s3_answer_init(&answer);
	ret = head(client, key, &answer, err);
	*out = answer.info;
	s3_answer_release(&answer);
	return ret;
}

int s3_has_mark(struct s3_client *client, const char *key, const char *mark,
		struct s3_info *out, struct error *err)
{
	struct s3_answer answer;
	int ret;

	s3_answer_init(&answer);
	ret = head(client, key, &answer, err);
	if (ret > 0)
		ret = !strcmp(answer.mark, mark);
	*out = answer.info;
	s3_answer_release(&answer);
	return ret;
}

/* ---------------------------------------------------------------------- get */

struct getting {
	struct s3_client *client;
	const char *key;
	struct s3_range range;
	s3_sink *sink;
	void *arg;
	struct s3_answer *answer;
	struct s3_info info; /* as the first answer has it */
	bool known;	     /* it is filled */
	int64_t wanted, got;
	bool at_start; /* of an answer */
	uint32_t crc;
	EVP_MD_CTX *sha256; /* only if that is what the server keeps */
};

/* A checksum of checksums says nothing about bytes as they come. */
static bool is_of_whole(const char *checksum)
{
	return *checksum && !strchr(checksum, '-');
}

static int begin_sha256(struct getting *get, struct error *err)
{
	if (get->range.from || get->range.count ||
	    is_of_whole(get->info.crc32c) || !is_of_whole(get->info.sha256))
		return 0;
	get->sha256 = EVP_MD_CTX_new();
	if (get->sha256 &&
	    EVP_DigestInit_ex(get->sha256, EVP_sha256(), NULL) == 1)
		return 0;
	return error_set(err, ERROR_SYSTEM, "OpenSSL cannot make a SHA-256");
}

static int learn(struct getting *get, struct error *err)
{
	const struct s3_info *info = &get->answer->info;
	int64_t rest = info->size - get->range.from;

	if (info->size < 0)
		return error_set(err, ERROR_SERVER,
				 "the server does not say how long it is");
	get->info = *info;
	get->known = true;
	get->wanted = get->range.count && get->range.count < rest
			      ? get->range.count
			      : rest;
	return begin_sha256(get, err);
}

/* The first bytes of an answer: are they the ones that were asked for? */
static int begin_answer(struct getting *get, struct error *err)
{
	bool part = get->range.from || get->range.count || get->got;

	get->at_start = false;
	if (part && get->answer->status != 206)
		return error_set(err, ERROR_SERVER,
				 "the server cannot send a part of it");
	return get->known ? 0 : learn(get, err);
}

static int take_piece(const void *data, size_t len, void *arg,
		      struct error *err)
{
	struct getting *get = arg;

	if (get->at_start && begin_answer(get, err) < 0)
		return -1;
	if ((int64_t)len > get->wanted - get->got)
		return error_set(err, ERROR_DATA,
				 "the server sends more than there is");
	get->crc = crc32c_update(get->crc, data, len);
	if (get->sha256 && EVP_DigestUpdate(get->sha256, data, len) != 1)
		return error_set(err, ERROR_SYSTEM,
				 "OpenSSL cannot make a SHA-256");
	if (get->sink(data, len, get->arg, err) < 0)
		return -1;
	get->got += (int64_t)len;
	return 0;
}

static int get_once(struct getting *get, struct error *err)
{
	struct s3_request request = {
		.method = "GET",
		.key = get->key,
		.verb = "get",
		.object_action = "s3:GetObject",
		.bucket_action = "s3:ListBucket",
		.sink = take_piece,
		.sink_arg = get,
	};
	long long from = get->range.from + get->got;
	char range[64];

	if (get->range.count)
		snprintf(range, sizeof(range), "bytes=%lld-%lld", from,
			 (long long)(get->range.from + get->range.count - 1));
	else
		snprintf(range, sizeof(range), "bytes=%lld-", from);
	if (from || get->range.count)
		s3_request_header(&request, "range", range);
	else
		s3_request_header(&request, "x-amz-checksum-mode", "ENABLED");
	if (get->got && *get->info.etag)
		s3_request_header(&request, "if-match", get->info.etag);
	get->at_start = true;
	return s3_perform(get->client, &request, get->answer, err);
}

/* The connection broke while bytes came: go on behind them. */
static int get_pieces(struct getting *get, struct error *err)
{
	int failures = 0, most = get->client->s3->settings.attempts;
	int64_t before;

	for (;;) {
		before = get->got;
		if (get_once(get, err) == 0)
			return get->known ? 0 : learn(get, err);
		if (!get->answer->begun || get->answer->sink_failed ||
		    !err->retryable)
			return -1;
		failures = get->got > before ? 1 : failures + 1;
		if (failures >= most)
			return -1;
		if (s3_pause(get->client, failures, 0, err) < 0)
			return -1;
	}
}

static int check_checksum(struct getting *get, const char *ours,
			  const char *theirs, struct error *err)
{
	if (!strcmp(ours, theirs))
		return 0;
	error_set(err, ERROR_DATA,
		  "what came is not what was put: its checksum is %s instead "
		  "of %s",
		  ours, theirs);
	return s3_wrap(get->client, "get", get->key, err);
}

static int check_whole(struct getting *get, struct error *err)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	char ours[S3_CHECKSUM_MAX];
	unsigned int len = 0;

	if (get->got != get->wanted) {
		error_set(err, ERROR_DATA, "%lld bytes came instead of %lld",
			  (long long)get->got, (long long)get->wanted);
		return s3_wrap(get->client, "get", get->key, err);
	}
	if (get->range.from || get->range.count)
		return 0;
	if (is_of_whole(get->info.crc32c)) {
		s3_crc32c_text(get->crc, ours);
		return check_checksum(get, ours, get->info.crc32c, err);
	}
	if (!get->sha256 || EVP_DigestFinal_ex(get->sha256, hash, &len) != 1 ||
	    !len)
		return 0;
	s3_base64(hash, len, ours);
	return check_checksum(get, ours, get->info.sha256, err);
}

static bool is_missing(const struct s3_answer *answer)
{
	return answer->status == 404 &&
	       strcmp(answer->fault.code, "NoSuchBucket") != 0;
}

int s3_get(struct s3_client *client, const char *key,
	   const struct s3_range *range, s3_sink *sink, void *arg,
	   struct s3_info *out, struct error *err)
{
	struct s3_answer answer;
	struct getting get = {
		.client = client,
		.key = key,
		.sink = sink,
		.arg = arg,
		.answer = &answer,
	};
	int ret;

	if (s3_check_key(client, key, err) < 0)
		return -1;
	if (range)
		get.range = *range;
	s3_answer_init(&answer);
	ret = get_pieces(&get, err);
	if (ret == 0)
		ret = check_whole(&get, err) < 0 ? -1 : 1;
	else if (is_missing(&answer) && !get.got)
		ret = 0;
	if (!ret)
		error_clear(err);
	if (out)
		*out = get.info;
	EVP_MD_CTX_free(get.sha256);
	s3_answer_release(&answer);
	return ret;
}

static int append(const void *data, size_t len, void *arg, struct error *err)
{
	struct strbuf *out = arg;

	strbuf_add(out, data, len);
	return strbuf_check(out, err);
}

int s3_get_all(struct s3_client *client, const char *key, struct strbuf *out,
	       struct error *err)
{
	return s3_get(client, key, NULL, append, out, NULL, err);
}
