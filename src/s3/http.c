/*
 * libcurl's multi interface with one handle in it: curl_easy_perform() would
 * notice a cancel once a second at best, and not while a name is looked up.
 * libcurl's threads for that are left alone when they take too long
 * (CURLOPT_QUICK_EXIT).
 *
 * A body of more than a megabyte is sent after the server has said "100
 * Continue", which is libcurl's habit: who may not write is told so before eight
 * megabytes are on their way, and over a connection that remains whole.
 */
#include "s3/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/libcurl.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/version.h"

#define SLICE_MS	 100 /* how long a cancel is not seen */
#define HEADER_BYTES_MAX ((size_t)256 << 10)
#define HOST_MAX	 256

struct http {
	CURLM *multi;
	CURL *easy;
	struct http_options options;
	char curl_error[CURL_ERROR_SIZE];

	/* The request at hand. */
	const struct http_request *request;
	char host[HOST_MAX];
	size_t header_bytes;
	struct strbuf body;
	struct error failure; /* of a callback */
	bool failed;
	int sent;	  /* how often, see http_was_repeated() */
	int64_t moved;	  /* bytes in both directions */
	int64_t moved_ms; /* when that was last found to have grown */
};

/* --------------------------------------------------------------- callbacks */

static bool is_success(struct http *http)
{
	int status = http_status(http);

	return status >= 200 && status < 300;
}

static size_t take_header(char *data, size_t size, size_t count, void *arg)
{
	struct http *http = arg;

	(void)data;
	http->header_bytes += size * count;
	if (http->header_bytes <= HEADER_BYTES_MAX)
		return size * count;
	error_set(&http->failure, ERROR_DATA,
		  "'%s' answers with more than %zu bytes of headers; is it an "
		  "S3 server?",
		  http->host, HEADER_BYTES_MAX);
	http->failed = true;
	return 0;
}

static int collect(struct http *http, const char *data, size_t len)
{
	size_t room = http->request->body_max - http->body.len;

	if (len > room && is_success(http))
		return error_set(&http->failure, ERROR_DATA,
				 "'%s' answers with more than %zu bytes where "
				 "less is expected; is it an S3 server?",
				 http->host, http->request->body_max);
	strbuf_add(&http->body, data, len < room ? len : room);
	return strbuf_check(&http->body, &http->failure);
}

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
	struct http *http = arg;
	size_t len = size * count;
	int ret;

	if (http->request->sink && is_success(http))
		ret = http->request->sink(data, len, http->request->arg,
					  &http->failure);
	else
		ret = collect(http, data, len);
	if (ret == 0)
		return len;
	http->failed = true;
	return len + 1; /* libcurl's word for a failure, even of no bytes */
}

/* Whenever the request is about to go out over a connection. */
static int count_sent(void *arg, char *to, char *from, int to_port,
		      int from_port)
{
	struct http *http = arg;

	(void)to;
	(void)from;
	(void)to_port;
	(void)from_port;
	http->sent++;
	return CURL_PREREQFUNC_OK;
}

/* ----------------------------------------------------------------- options */

/* Every option that fails makes the request fail: none is for show. */
#define SET(option, value)                                                    \
	do {                                                                  \
		CURLcode code_ = curl_easy_setopt(http->easy, option, value); \
		if (code_)                                                    \
			return refuse_option(#option, code_, err);            \
	} while (0)

static int refuse_option(const char *option, CURLcode code, struct error *err)
{
	if (code == CURLE_OUT_OF_MEMORY)
		return error_memory(err, "libcurl");
	return error_set(err, ERROR_SYSTEM, "libcurl does not take %s: %s",
			 option, curl_easy_strerror(code));
}

static int set_proxy(struct http *http, struct error *err)
{
	const struct http_options *options = &http->options;

	if (!options->proxy)
		return 0;
	SET(CURLOPT_PROXY, options->proxy);
	/* It was chosen for this server: the environment has no say in it. */
	SET(CURLOPT_NOPROXY, *options->proxy ? "" : "*");
	if (options->proxy_user) {
		SET(CURLOPT_PROXYUSERNAME, options->proxy_user);
		SET(CURLOPT_PROXYPASSWORD, options->proxy_password);
	}
	return 0;
}

static int set_tls(struct http *http, struct error *err)
{
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (http->options.ca_file) {
		int code = libcurl_trust(http->easy, http->options.ca_file);

		if (code)
			return refuse_option("the CA file", (CURLcode)code,
					     err);
	}
	if (http->options.trust_any) {
		SET(CURLOPT_SSL_VERIFYPEER, 0L);
		SET(CURLOPT_SSL_VERIFYHOST, 0L);
	}
	return 0;
}

/* What is the same for all requests. */
static int set_common(struct http *http, struct error *err)
{
	SET(CURLOPT_NOSIGNAL, 1L); /* there are other threads */
	SET(CURLOPT_QUICK_EXIT, 1L);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_PATH_AS_IS, 1L);
	SET(CURLOPT_USERAGENT, "dbaops-dataflow/" DATAFLOW_VERSION);
	SET(CURLOPT_ERRORBUFFER, http->curl_error);
	SET(CURLOPT_CONNECTTIMEOUT, (long)http->options.connect_timeout_s);
	SET(CURLOPT_TIMEOUT, (long)http->options.timeout_s);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_PREREQFUNCTION, count_sent);
	SET(CURLOPT_PREREQDATA, http);
	SET(CURLOPT_HEADERFUNCTION, take_header);
	SET(CURLOPT_HEADERDATA, http);
	SET(CURLOPT_WRITEFUNCTION, take_body);
	SET(CURLOPT_WRITEDATA, http);
	if (set_tls(http, err) < 0)
		return -1;
	return set_proxy(http, err);
}

int http_global_init(struct error *err)
{
	CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);

	return code ? error_set(err, ERROR_SYSTEM, "libcurl: %s",
				curl_easy_strerror(code))
		    : 0;
}

void http_global_exit(void)
{
	curl_global_cleanup();
}

int http_new(struct http **out, const struct http_options *options,
	     struct error *err)
{
	struct http *http = calloc(1, sizeof(*http));

	if (!http)
		return error_memory(err, "libcurl");
	http->options = *options;
	strbuf_init(&http->body);
	http->multi = curl_multi_init();
	http->easy = curl_easy_init();
	if (!http->multi || !http->easy) {
		error_memory(err, "libcurl");
		http_free(http);
		return -1;
	}
	*out = http;
	return 0;
}

void http_free(struct http *http)
{
	if (!http)
		return;
	curl_easy_cleanup(http->easy);
	curl_multi_cleanup(http->multi);
	strbuf_release(&http->body);
	free(http);
}

/* ---------------------------------------------------------------- requests */

static int add_header(struct curl_slist **list, const char *name,
		      const char *value, struct error *err)
{
	struct curl_slist *grown = NULL;
	struct strbuf line;

	strbuf_init(&line);
	/* To libcurl "name;" is a header without a value. */
	strbuf_addf(&line, *value ? "%s: %s" : "%s;%s", name, value);
	if (!line.failed)
		grown = curl_slist_append(*list, line.data);
	secret_release(&line); /* it may be a token */
	if (!grown)
		return error_memory(err, "a request");
	*list = grown;
	return 0;
}

static int make_headers(const struct http_request *request,
			struct curl_slist **list, struct error *err)
{
	for (size_t i = 0; i < request->header_count; i++)
		if (add_header(list, request->headers[i].name,
			       request->headers[i].value, err) < 0)
			return -1;
	return 0;
}

static int set_method(struct http *http, const struct http_request *request,
		      struct error *err)
{
	if (!strcmp(request->method, "HEAD")) {
		SET(CURLOPT_NOBODY, 1L);
		return 0;
	}
	if (request->body) {
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDS, request->body);
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
	}
	SET(CURLOPT_CUSTOMREQUEST, request->method);
	return 0;
}

static int prepare(struct http *http, const struct http_request *request,
		   struct curl_slist *headers, struct error *err)
{
	const char *host = strstr(request->url, "://");

	curl_easy_reset(http->easy); /* connections stay */
	http->curl_error[0] = '\0';
	http->request = request;
	http->header_bytes = 0;
	http->failed = false;
	error_clear(&http->failure);
	strbuf_reset(&http->body);
	text_copy(http->host, sizeof(http->host),
		  host ? host + 3 : request->url);
	http->host[strcspn(http->host, "/?")] = '\0';
	if (set_common(http, err) < 0 || set_method(http, request, err) < 0)
		return -1;
	if (request->timeout_s)
		SET(CURLOPT_TIMEOUT, (long)request->timeout_s);
	SET(CURLOPT_URL, request->url);
	SET(CURLOPT_HTTPHEADER, headers);
	return 0;
}

/* ---------------------------------------------------------------- failures */

/* What is wrong with a certificate does not go away by itself. */
static int tls_failed(struct http *http, CURLcode code, struct error *err)
{
	if (code == CURLE_SSL_CACERT_BADFILE)
		return error_set(err, ERROR_CONFIG,
				 "the CA file '%s' cannot be read, or holds no "
				 "certificate",
				 http->options.ca_file ? http->options.ca_file
						       : "of the system");
	error_set(err, ERROR_CONNECTION,
		  "the certificate of '%s' is refused; its CA must be one of "
		  "this system's, or in 'ca_file', and its name that of the "
		  "endpoint: %s",
		  http->host, libcurl_words(http->curl_error, code));
	err->retryable = false;
	return -1;
}

/* What a proxy says instead of letting us through to a server with TLS. */
static int proxy_refused(struct http *http, long status, struct error *err)
{
	bool later = status >= 500 || status == 429;

	error_set(err, later ? ERROR_CONNECTION : ERROR_CONFIG,
		  "the proxy answers with status %ld instead of a way to '%s'; "
		  "%s",
		  status, http->host,
		  status == 407 ? "check 'proxy_user' and 'proxy_password'"
				: "it may be out of order, or not allow that "
				  "host");
	return -1;
}

static bool is_no_http(const struct http *http, CURLcode code)
{
	return !strncmp(http->request->url, "http://", strlen("http://")) &&
	       (code == CURLE_GOT_NOTHING || code == CURLE_WEIRD_SERVER_REPLY);
}

static int judge(struct http *http, CURLcode code, struct error *err)
{
	long proxy = 0;

	if (http->failed) {
		*err = http->failure;
		return -1;
	}
	curl_easy_getinfo(http->easy, CURLINFO_HTTP_CONNECTCODE, &proxy);
	if (proxy >= 300)
		return proxy_refused(http, proxy, err);
	switch (code) {
	case CURLE_OUT_OF_MEMORY:
		return error_memory(err, "libcurl");
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return tls_failed(http, code, err);
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return error_set(err, ERROR_CONFIG,
				 "libcurl cannot use '%s' as a host: %s",
				 http->host,
				 libcurl_words(http->curl_error, code));
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return error_set(err, ERROR_CONNECTION,
				 "unknown host; check endpoint, region and "
				 "proxy: %s",
				 libcurl_words(http->curl_error, code));
	case CURLE_SSL_CONNECT_ERROR:
		return error_set(err, ERROR_CONNECTION,
				 "no TLS with '%s'; a server without TLS takes "
				 "an endpoint that begins with http://: %s",
				 http->host,
				 libcurl_words(http->curl_error, code));
	case CURLE_OPERATION_TIMEDOUT:
		return error_set(err, ERROR_CONNECTION,
				 "no answer from '%s' in time; host, port, a "
				 "proxy or a firewall may be wrong: %s",
				 http->host,
				 libcurl_words(http->curl_error, code));
	case CURLE_COULDNT_CONNECT:
		return error_set(err, ERROR_CONNECTION,
				 "no connection to '%s'; see to it that it is "
				 "up, and check endpoint and proxy: %s",
				 http->host,
				 libcurl_words(http->curl_error, code));
	default:
		if (is_no_http(http, code))
			return error_set(err, ERROR_CONNECTION,
					 "no answer of HTTP from '%s'; a "
					 "server with TLS takes an endpoint "
					 "that begins with https://: %s",
					 http->host,
					 libcurl_words(http->curl_error, code));
		return error_set(err, ERROR_CONNECTION,
				 "cannot speak to '%s': %s", http->host,
				 libcurl_words(http->curl_error, code));
	}
}

/* ------------------------------------------------------------- performance */

/*
 * libcurl's own watch, CURLOPT_LOW_SPEED_TIME, goes by an average over several
 * seconds. While a connection is made, the time-out is that for it.
 */
static int check_stall(struct http *http, struct error *err)
{
	curl_off_t up = 0, down = 0, begun_us = 0;
	int64_t now = clock_ms(), moved;

	curl_easy_getinfo(http->easy, CURLINFO_SIZE_UPLOAD_T, &up);
	curl_easy_getinfo(http->easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
	curl_easy_getinfo(http->easy, CURLINFO_PRETRANSFER_TIME_T, &begun_us);
	moved = (int64_t)up + (int64_t)down + (int64_t)http->header_bytes;
	if (moved != http->moved || !begun_us) {
		http->moved = moved;
		http->moved_ms = now;
	}
	if (now - http->moved_ms <
	    1000 * (int64_t)http->options.stall_timeout_s)
		return 0;
	return error_set(err, ERROR_CONNECTION,
			 "no answer from '%s' in time: not a byte for %d s",
			 http->host, http->options.stall_timeout_s);
}

/* The handle is in libcurl's hands. 1: it has come to its end. */
static int go_on(struct http *http, CURLcode *code, struct error *err)
{
	CURLMcode rc;
	CURLMsg *done;
	int running = 0, left;

	rc = curl_multi_perform(http->multi, &running);
	if (!rc && running)
		rc = curl_multi_poll(http->multi, NULL, 0, SLICE_MS, NULL);
	if (rc)
		return error_set(err, ERROR_SYSTEM, "libcurl: %s",
				 curl_multi_strerror(rc));
	if (running)
		return check_stall(http, err);
	do {
		done = curl_multi_info_read(http->multi, &left);
	} while (done && done->msg != CURLMSG_DONE);
	if (!done)
		return error_set(err, ERROR_INTERNAL, "libcurl lost a request");
	*code = done->data.result;
	return 1;
}

static int run(struct http *http, struct cancel *cancel, struct error *err)
{
	CURLcode code = CURLE_OK;
	CURLMcode rc = curl_multi_add_handle(http->multi, http->easy);
	int got = 0;

	if (rc)
		return error_set(err, ERROR_SYSTEM, "libcurl: %s",
				 curl_multi_strerror(rc));
	http->moved = 0;
	http->moved_ms = clock_ms();
	while (!got) {
		got = cancel ? cancel_check_now(cancel, err) : 0;
		if (got == 0)
			got = go_on(http, &code, err);
	}
	curl_multi_remove_handle(http->multi, http->easy);
	if (got < 0)
		return -1;
	return code ? judge(http, code, err) : 0;
}

int http_perform(struct http *http, const struct http_request *request,
		 struct cancel *cancel, struct error *err)
{
	struct curl_slist *headers = NULL;
	int ret = -1;

	http->sent = 0;
	if (make_headers(request, &headers, err) == 0 &&
	    prepare(http, request, headers, err) == 0)
		ret = run(http, cancel, err);
	curl_slist_free_all(headers);
	return ret;
}

int http_status(const struct http *http)
{
	long status = 0;

	curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

bool http_was_repeated(const struct http *http)
{
	return http->sent > 1;
}

const char *http_header_of(struct http *http, const char *name)
{
	struct curl_header *header;

	if (curl_easy_header(http->easy, name, 0, CURLH_HEADER, -1, &header))
		return NULL;
	return header->value;
}

const struct strbuf *http_body(const struct http *http)
{
	return &http->body;
}

int64_t http_date(const char *text)
{
	return (int64_t)curl_getdate(text, NULL);
}
