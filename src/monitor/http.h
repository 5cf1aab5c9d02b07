#ifndef MONITOR_HTTP_H
#define MONITOR_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/endpoint.h"
#include "base/error.h"

/*
 * A small HTTP server for pages that are ready in memory. One thread does all
 * of it: whoever calls http_serve(), and nothing here may be called by another.
 *
 * Nobody who connects can make it wait, or use more than a bounded share of
 * memory: there are HTTP_CONNECTIONS_MAX connections, of which one address
 * has HTTP_CONNECTIONS_EACH, each with a few kilobytes for its request; one
 * that stands still is closed after HTTP_IDLE_S, and every one after
 * HTTP_LIFE_MS, however busy it keeps itself. Each serves one request.
 */
#define HTTP_CONNECTIONS_MAX  100
#define HTTP_CONNECTIONS_EACH 20
#define HTTP_IDLE_S	      10
#define HTTP_LIFE_MS	      30000
#define HTTP_REQUEST_BYTES    16384

/*
 * Something to answer with. Whoever makes it releases it; it lasts until then,
 * and until the last connection that sends it is through.
 */
struct http_page;

/*
 * Takes `text` over, which free() frees, also when there is no memory (NULL).
 * `policy` is what a browser may do with it. `alive`, if not NULL, counts the
 * pages that were made with it and have not gone yet.
 */
struct http_page *http_page_new(char *text, size_t len, const char *type,
				const char *policy, int *alive);
void http_page_release(struct http_page *page); /* NULL is fine */

struct http_handler {
	/*
	 * What to answer to GET for this path: a status, and in `page` one
	 * that stays the handler's. A page of NULL closes the connection.
	 */
	unsigned (*answer)(void *arg, const char *path,
			   struct http_page **page);
	void *arg;
};

struct http;

/* Listen there. `handler` is copied. */
int http_open(struct http **out, const struct endpoint *endpoint,
	      const struct http_handler *handler, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Do what there is to do; when there is nothing, wait for it up to `ms`. False
 * when the system lacks something for that: give it time.
 */
bool http_serve(struct http *http, int ms);

/* Ends all connections; pages are not touched. NULL is fine. */
void http_close(struct http *http);

#endif
