#ifndef S3_HTTP_H
#define S3_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/strbuf.h"

/*
 * HTTP requests over libcurl, one at a time, on connections that are kept for
 * the next one. Belongs to one thread at a time. Nothing waits but in
 * http_perform(), which looks at the cancel ten times a second.
 */
struct http;

/* How to reach servers; the strings are borrowed for the life of the http. */
struct http_options {
	int connect_timeout_s;
	int stall_timeout_s; /* without a byte in either direction */
	int timeout_s;	     /* for all of a request; 0: as long as it moves */
	bool trust_any;
	const char *ca_file; /* or NULL: the system's */
	const char *proxy;   /* NULL: the environment's; "": none */
	const char *proxy_user, *proxy_password;
};

struct http_header {
	const char *name, *value;
};

/* Takes the body of an answer in, piece by piece. -1 ends it all. */
typedef int http_sink(const void *data, size_t len, void *arg,
		      struct error *err);

struct http_request {
	const char *method;
	const char *url; /* encoded; sent as it is */
	const struct http_header *headers;
	size_t header_count;
	const void *body; /* NULL: none, which is not the same as empty */
	size_t body_len;
	int timeout_s; /* for all of it, instead of the options'; 0: theirs */

	/* What answers with a status of 2xx bring goes to `sink`; all else, and
	 * without one that too, into the text that http_body() has, of which
	 * there may be so much. A longer one is ERROR_DATA when the status is
	 * 2xx, and cut off otherwise. */
	http_sink *sink;
	void *arg;
	size_t body_max;
};

/* Once a process, before the first thread and after the last; others that use
 * libcurl may do so as well. */
int http_global_init(struct error *err) __attribute__((warn_unused_result));
void http_global_exit(void);

/* Asks nobody. */
int http_new(struct http **out, const struct http_options *options,
	     struct error *err) __attribute__((warn_unused_result));
void http_free(struct http *http); /* NULL is fine */

/*
 * Send a request and take in the answer, whatever its status is; redirects are
 * not followed. -1: there is no whole answer. `err` is retryable then if another
 * attempt may get one; it names the host and says what helps.
 */
int http_perform(struct http *http, const struct http_request *request,
		 struct cancel *cancel, struct error *err)
	__attribute__((warn_unused_result));

/* The status of the last answer; 0: there was none. */
int http_status(const struct http *http);

/*
 * Was the last request sent more than once? libcurl does so by itself when a
 * connection that was kept turns out to be closed: the server may have carried
 * out what it never answered to.
 */
bool http_was_repeated(const struct http *http);

/* A header of it by its name, NULL without it; until the next request. */
const char *http_header_of(struct http *http, const char *name);

const struct strbuf *http_body(const struct http *http);

/* A date as headers have it, in seconds since 1970; -1: it is none. */
int64_t http_date(const char *text);

#endif
