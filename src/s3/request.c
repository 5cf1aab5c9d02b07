/*
 * One attempt: credentials, signature, connection, answer, judgement. The
 * payload is hashed and signed in any case, where S3 would take the word
 * UNSIGNED-PAYLOAD over TLS: it is in memory, to be sent again if need be, so its
 * hash costs one pass; it holds on servers that know none of S3's newer
 * checksums; and it covers what a proxy that breaks TLS open does.
 */
#include "s3/request.h"

#include <stdio.h>
#include <string.h>

#include <openssl/rand.h>

#include "base/clock.h"
#include "base/secret.h"
#include "base/text.h"
#include "s3/server.h"

#define SECOND_US      INT64_C(1000000)
#define PAUSE_MS       200
#define PAUSE_MAX_MS   20000
#define BRIEF_S	       5
#define RETRY_MAX_S    60
#define ERROR_BODY_MAX ((size_t)64 << 10)

/* The standard ones, besides the request's. */
#define HEADERS_MAX (S3_REQUEST_HEADERS + 6)

void s3_request_query(struct s3_request *request, const char *name,
		      const char *value)
{
	request->query[request->query_count++] =
		(struct sigv4_pair){name, value};
}

void s3_request_header(struct s3_request *request, const char *name,
		       const char *value)
{
	if (value)
		request->headers[request->header_count++] =
			(struct sigv4_pair){name, value};
}

void s3_answer_init(struct s3_answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	strbuf_init(&answer->body);
}

void s3_answer_release(struct s3_answer *answer)
{
	strbuf_release(&answer->body);
}

int s3_wrap(const struct s3_client *client, const char *verb, const char *key,
	    struct error *err)
{
	return error_wrap(err, "cannot %s 's3://%s/%s'", verb,
			  client->s3->settings.bucket, key ? key : "");
}

/* Amazon's partitions have names of their own. */
static const char *partition_of(const char *region)
{
	if (!strncmp(region, "cn-", 3))
		return "aws-cn";
	return strncmp(region, "us-gov-", 7) != 0 ? "aws" : "aws-us-gov";
}

static void add_action(const struct s3_settings *settings, const char *action,
		       const char *below, const char *prefix,
		       char out[S3_PERMISSION_MAX])
{
	char text[S3_PERMISSION_MAX];

	if (!action)
		return;
	snprintf(text, sizeof(text), "%s%s on 'arn:%s:s3:::%s%s%s'",
		 *out ? " and " : "", action, partition_of(settings->region),
		 settings->bucket, below, prefix);
	text_append(out, S3_PERMISSION_MAX, text);
}

void s3_permission(const struct s3_client *client,
		   const struct s3_request *request,
		   char out[S3_PERMISSION_MAX])
{
	const struct s3_settings *settings = &client->s3->settings;
	char objects[S3_KEY_MAX + 2];

	*out = '\0';
	snprintf(objects, sizeof(objects), "%s*", settings->prefix);
	add_action(settings, request->object_action, "/", objects, out);
	add_action(settings, request->bucket_action, "", "", out);
}

int s3_check_key(const struct s3_client *client, const char *key,
		 struct error *err)
{
	size_t len = strlen(key);

	if (len && len <= S3_KEY_MAX && text_is_utf8(key, len))
		return 0;
	return error_set(err, ERROR_DATA,
			 "an object of bucket '%s' would have a key of %zu "
			 "bytes%s; 1 to %d of UTF-8 are possible",
			 client->s3->settings.bucket, len,
			 len && len <= S3_KEY_MAX ? " that are no UTF-8" : "",
			 S3_KEY_MAX);
}

/* ------------------------------------------------------------------ signing */

/* A signed request, as text; owns it all. */
struct draft {
	struct s3_credentials credentials;
	char date[SIGV4_DATE_SIZE], hash[SIGV4_HASH_SIZE];
	struct sigv4_pair headers[HEADERS_MAX];
	size_t header_count;
	struct strbuf url, path, authorization;
};

static void draft_init(struct draft *draft)
{
	memset(draft, 0, sizeof(*draft));
	strbuf_init(&draft->url);
	strbuf_init(&draft->path);
	strbuf_init(&draft->authorization);
}

static void draft_release(struct draft *draft)
{
	s3_credentials_release(&draft->credentials);
	strbuf_release(&draft->url);
	strbuf_release(&draft->path);
	strbuf_release(&draft->authorization);
}

static void add_header(struct draft *draft, const char *name, const char *value)
{
	if (value)
		draft->headers[draft->header_count++] =
			(struct sigv4_pair){name, value};
}

static void add_headers(struct draft *draft, const struct s3 *s3,
			const struct s3_request *request)
{
	add_header(draft, "host", s3->host);
	add_header(draft, "x-amz-date", draft->date);
	add_header(draft, "x-amz-content-sha256", draft->hash);
	add_header(draft, "x-amz-security-token",
		   draft->credentials.session_token);
	add_header(draft, "x-amz-expected-bucket-owner",
		   s3->settings.bucket_owner);
	for (size_t i = 0; i < request->header_count; i++)
		add_header(draft, request->headers[i].name,
			   request->headers[i].value);
}

static int sign(struct draft *draft, const struct s3 *s3,
		const struct s3_request *request, struct error *err)
{
	struct sigv4_key key = {
		.access_key = draft->credentials.access_key,
		.secret_key = draft->credentials.secret_key,
		.region = s3->settings.region,
		.service = "s3",
		.date = draft->date,
	};
	struct sigv4_request signed_request = {
		.method = request->method,
		.path = draft->path.data,
		.query = request->query,
		.query_count = request->query_count,
		.headers = draft->headers,
		.header_count = draft->header_count,
		.payload_hash = draft->hash,
	};

	if (sigv4_sign(&signed_request, &key, &draft->authorization, err) < 0)
		return -1;
	add_header(draft, "Authorization", draft->authorization.data);
	return 0;
}

/* The hash of the body is in it already: it is the same for all attempts. */
static int write_draft(struct draft *draft, struct s3_client *client,
		       const struct s3_request *request, struct error *err)
{
	const struct s3 *s3 = client->s3;

	if (s3_keychain_get(s3->keychain, client->cancel, &draft->credentials,
			    err) < 0)
		return -1;
	sigv4_date(draft->date, clock_utc_us());
	s3_add_path(s3, request->key, &draft->path);
	strbuf_addf(&draft->url, "%s%s", s3->scheme, s3->host);
	sigv4_add_path(&draft->url, draft->path.data);
	if (request->query_count) {
		strbuf_addch(&draft->url, '?');
		sigv4_add_query(&draft->url, request->query,
				request->query_count);
	}
	if (strbuf_check(&draft->path, err) < 0 ||
	    strbuf_check(&draft->url, err) < 0)
		return -1;
	add_headers(draft, s3, request);
	return sign(draft, s3, request, err);
}

/* ------------------------------------------------------------------ answers */

struct attempt {
	struct s3_client *client;
	const struct s3_request *request;
	struct s3_answer *answer;
	struct http *http;
};

static void copy_header(struct http *http, const char *name, char *out,
			size_t size)
{
	const char *value = http_header_of(http, name);

	/* One that does not fit cannot be compared with anything. */
	*out = '\0';
	if (value && strlen(value) < size)
		text_copy(out, size, value);
}

int64_t s3_parse_size(const char *text)
{
	int64_t size = 0;

	if (!*text)
		return -1;
	for (; *text >= '0' && *text <= '9'; text++) {
		if (size > INT64_MAX / 10 - 1)
			return -1;
		size = 10 * size + (*text - '0');
	}
	return *text ? -1 : size;
}

/* "bytes 10-19/1000" has the size of the whole behind the slash. */
static int64_t size_of(struct http *http)
{
	const char *range = http_header_of(http, "content-range");
	const char *length = http_header_of(http, "content-length");
	const char *number = length;

	if (range)
		number = strchr(range, '/') ? strchr(range, '/') + 1 : "";
	return number ? s3_parse_size(number) : -1;
}

static void read_headers(struct attempt *attempt)
{
	struct s3_answer *answer = attempt->answer;
	struct http *http = attempt->http;
	const char *modified = http_header_of(http, "last-modified");
	const char *type = http_header_of(http, "x-amz-checksum-type");
	int64_t seconds = modified ? http_date(modified) : -1;

	answer->status = http_status(http);
	answer->info.size = size_of(http);
	answer->info.modified_us = seconds > 0 ? seconds * SECOND_US : 0;
	copy_header(http, "etag", answer->info.etag, sizeof(answer->info.etag));
	copy_header(http, "x-amz-checksum-crc32c", answer->info.crc32c,
		    sizeof(answer->info.crc32c));
	copy_header(http, "x-amz-checksum-sha256", answer->info.sha256,
		    sizeof(answer->info.sha256));
	copy_header(http, S3_MARK_HEADER, answer->mark, sizeof(answer->mark));
	answer->whole_checksum = type && text_iequal(type, "FULL_OBJECT");
}

static int pass_on(const void *data, size_t len, void *arg, struct error *err)
{
	struct attempt *attempt = arg;
	int ret;

	if (!attempt->answer->begun)
		read_headers(attempt);
	attempt->answer->begun = true;
	ret = attempt->request->sink(data, len, attempt->request->sink_arg,
				     err);
	attempt->answer->sink_failed = ret < 0;
	return ret;
}

/* Some requests take so long that their success is promised too early. */
static bool is_late_error(const struct s3_answer *answer,
			  struct s3_fault *fault)
{
	return answer->body.len &&
	       s3_fault_read(fault, answer->body.data, answer->body.len);
}

static int64_t skew(struct http *http)
{
	const char *date = http_header_of(http, "date");
	int64_t theirs = date ? http_date(date) : -1;

	return theirs > 0 ? theirs - clock_utc_us() / SECOND_US : 0;
}

/* What is wrong with an answer, or an attempt without one. */
static enum s3_next judge(struct attempt *attempt, struct error *err)
{
	struct s3_answer *answer = attempt->answer;
	struct s3_fault *fault = &answer->fault;
	const char *region =
		http_header_of(attempt->http, "x-amz-bucket-region");
	char permission[S3_PERMISSION_MAX];

	if (answer->status >= 300)
		s3_fault_read(fault, answer->body.data, answer->body.len);
	fault->status = answer->status;
	fault->skew_s = skew(attempt->http);
	if (region && !*fault->region && answer->status < 400)
		text_copy(fault->region, sizeof(fault->region), region);
	s3_permission(attempt->client, attempt->request, permission);
	return s3_fault_judge(fault, permission, err);
}

/* There is an answer. 0: it is as it should be. */
static int look_at(struct attempt *attempt, enum s3_next *next,
		   struct error *err)
{
	const struct s3_request *request = attempt->request;
	struct s3_answer *answer = attempt->answer;
	const struct strbuf *body = http_body(attempt->http);

	read_headers(attempt);
	strbuf_add(&answer->body, body->data, body->len);
	if (strbuf_check(&answer->body, err) < 0)
		return -1;
	if (answer->status < 200 || answer->status >= 300 ||
	    is_late_error(answer, &answer->fault)) {
		*next = judge(attempt, err);
		return -1;
	}
	answer->fault.skew_s = skew(attempt->http);
	if (!request->accept ||
	    request->accept(answer, request->accept_arg, err) == 0)
		return 0;
	if (err->kind == ERROR_DATA || err->retryable)
		*next = S3_AGAIN;
	return -1;
}

static int send_draft(struct attempt *attempt, const struct draft *draft,
		      struct cancel *cancel, enum s3_next *next,
		      struct error *err)
{
	const struct s3_request *request = attempt->request;
	struct http_header headers[HEADERS_MAX];
	struct http_request http = {
		.method = request->method,
		.url = draft->url.data,
		.headers = headers,
		.header_count = draft->header_count,
		.body = request->body,
		.body_len = request->body_len,
		.timeout_s = request->brief ? BRIEF_S : 0,
		.sink = request->sink ? pass_on : NULL,
		.arg = attempt,
		.body_max = request->answer_max > ERROR_BODY_MAX
				    ? request->answer_max
				    : ERROR_BODY_MAX,
	};

	for (size_t i = 0; i < draft->header_count; i++)
		headers[i] = (struct http_header){draft->headers[i].name,
						  draft->headers[i].value};
	if (http_perform(attempt->http, &http, cancel, err) == 0)
		return look_at(attempt, next, err);
	if ((err->retryable || err->kind == ERROR_DATA) &&
	    !attempt->answer->sink_failed) {
		*next = S3_AGAIN;
		attempt->answer->unclear = true;
	}
	return -1;
}

/* ----------------------------------------------------------------- attempts */

static void begin_answer(struct s3_answer *answer)
{
	answer->status = 0;
	memset(&answer->info, 0, sizeof(answer->info));
	memset(&answer->fault, 0, sizeof(answer->fault));
	answer->mark[0] = '\0';
	answer->sink_failed = false;
	strbuf_reset(&answer->body);
}

static int try_once(struct s3_client *client, const struct s3_request *request,
		    const char *hash, struct s3_answer *answer,
		    enum s3_next *next, int64_t *wait_ms, struct error *err)
{
	struct attempt attempt = {client, request, answer, NULL};
	const char *wait;
	struct draft draft;
	long seconds;
	int ret = -1;

	*next = S3_FAIL;
	*wait_ms = 0;
	begin_answer(answer);
	draft_init(&draft);
	memcpy(draft.hash, hash, sizeof(draft.hash));
	if (write_draft(&draft, client, request, err) < 0 ||
	    s3_borrow(client->s3, &attempt.http, err) < 0)
		goto done;
	ret = send_draft(&attempt, &draft, client->cancel, next, err);
	wait = ret < 0 ? http_header_of(attempt.http, "retry-after") : NULL;
	if (wait && text_to_long(wait, &seconds) && seconds > 0)
		*wait_ms =
			1000 * (seconds < RETRY_MAX_S ? seconds : RETRY_MAX_S);
	if (answer->status >= 500 || http_was_repeated(attempt.http))
		answer->unclear = true;
	s3_give_back(client->s3, attempt.http);
	if (*next == S3_RENEW)
		*next = s3_keychain_refused(client->s3->keychain,
					    &draft.credentials)
				? S3_RENEW
				: S3_FAIL;
done:
	draft_release(&draft);
	return ret;
}

int s3_pause(struct s3_client *client, int attempt, int64_t at_least_ms,
	     struct error *err)
{
	int64_t most = PAUSE_MS, ms;
	uint32_t chance = 0;

	while (--attempt > 0 && most < PAUSE_MAX_MS)
		most *= 2;
	if (most > PAUSE_MAX_MS)
		most = PAUSE_MAX_MS;
	/* All clients of an overloaded server must not come back together. */
	if (RAND_bytes((unsigned char *)&chance, sizeof(chance)) != 1)
		chance = (uint32_t)clock_utc_us();
	ms = at_least_ms + most / 2 + chance % (uint32_t)(most / 2 + 1);
	if (!client->cancel) {
		struct cancel nobody;

		if (cancel_init(&nobody, err) < 0)
			return -1;
		cancel_sleep(&nobody, ms);
		cancel_release(&nobody);
		return 0;
	}
	for (int64_t until = clock_ms() + ms;
	     cancel_level(client->cancel) == CANCEL_NONE && clock_ms() < until;)
		cancel_sleep(client->cancel, until - clock_ms());
	return cancel_check(client->cancel, err);
}

static int wrap(struct s3_client *client, const struct s3_request *request,
		const struct s3_answer *answer, struct error *err)
{
	char count[64];

	if (answer->attempts > 1 && err->kind != ERROR_CANCELLED) {
		snprintf(count, sizeof(count), "%d attempts", answer->attempts);
		error_append(err, count);
	}
	return s3_wrap(client, request->verb, request->key, err);
}

int s3_perform(struct s3_client *client, const struct s3_request *request,
	       struct s3_answer *answer, struct error *err)
{
	int most = request->brief ? 1 : client->s3->settings.attempts;
	char hash[SIGV4_HASH_SIZE];
	enum s3_next next;
	int64_t wait_ms;
	bool renewed = false;

	if (sigv4_hash(request->body ? request->body : "", request->body_len,
		       hash, err) < 0)
		return -1;
	answer->unclear = answer->begun = false;
	for (answer->attempts = 1;; answer->attempts++) {
		if (try_once(client, request, hash, answer, &next, &wait_ms,
			     err) == 0)
			return 0;
		if (answer->begun || next == S3_FAIL ||
		    (next == S3_RENEW && renewed) ||
		    (next == S3_AGAIN && answer->attempts >= most))
			return wrap(client, request, answer, err);
		renewed |= next == S3_RENEW;
		if (s3_pause(client, answer->attempts, wait_ms, err) < 0)
			return -1;
	}
}
