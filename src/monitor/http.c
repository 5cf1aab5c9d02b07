/*
 * libmicrohttpd with its event loop called from outside, so that one thread,
 * ours, has it all: no locks, and a look at the age of every connection after
 * each round. The library's own time-out counts only silence, so that a client
 * that sends a byte now and then could stay for ever.
 */
#include "monitor/http.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/platform.h"

struct http_page {
	struct MHD_Response *response;
};

/* What the library holds of a page, until its last connection is through. */
struct body {
	char *text;
	int *alive;
};

/* A connection, for its age; the oldest first. */
struct guest {
	struct guest *next, *prev;
	int64_t since_ms;
	int socket;
};

struct http {
	struct MHD_Daemon *daemon;
	struct http_handler handler;
	struct http_page *refusal; /* of other methods than GET */
	struct guest *oldest, *newest;
	unsigned happened; /* comings and goings */
};

/* ------------------------------------------------------------------- pages */

static void body_free(void *cls)
{
	struct body *body = cls;

	if (body->alive)
		--*body->alive;
	free(body->text);
	free(body);
}

/* Of other sites' pages none may use it, show it or keep it. */
static bool add_headers(struct MHD_Response *response, const char *type,
			const char *policy)
{
	const struct {
		const char *name, *value;
	} headers[] = {
		{"Content-Type", type},
		{"Content-Security-Policy", policy},
		{"X-Content-Type-Options", "nosniff"},
		{"X-Frame-Options", "DENY"},
		{"Referrer-Policy", "no-referrer"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
		{"Cache-Control", "no-store"},
		{"Connection", "close"},
	};

	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++)
		if (MHD_add_response_header(response, headers[i].name,
					    headers[i].value) != MHD_YES)
			return false;
	return true;
}

struct http_page *http_page_new(char *text, size_t len, const char *type,
				const char *policy, int *alive)
{
	struct http_page *page = calloc(1, sizeof(*page));
	struct body *body = calloc(1, sizeof(*body));

	if (!page || !body || !text)
		goto failed;
	page->response = MHD_create_response_from_buffer_with_free_callback_cls(
		len, text, body_free, body);
	if (!page->response)
		goto failed;
	body->text = text;
	body->alive = alive;
	if (alive)
		++*alive;
	if (add_headers(page->response, type, policy))
		return page;
	http_page_release(page);
	return NULL;
failed:
	free(page);
	free(body);
	free(text);
	return NULL;
}

void http_page_release(struct http_page *page)
{
	if (!page)
		return;
	MHD_destroy_response(page->response);
	free(page);
}

/* ------------------------------------------------------------- connections */

/* Without memory it is only that nobody watches its age. */
static void come(struct http *http, struct MHD_Connection *connection,
		 void **context)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct guest *guest = calloc(1, sizeof(*guest));

	*context = guest;
	if (!guest)
		return;
	guest->socket = info ? info->connect_fd : -1;
	guest->since_ms = clock_ms();
	guest->prev = http->newest;
	if (http->newest)
		http->newest->next = guest;
	else
		http->oldest = guest;
	http->newest = guest;
}

static void go(struct http *http, struct guest *guest)
{
	if (!guest)
		return;
	if (guest->prev)
		guest->prev->next = guest->next;
	else
		http->oldest = guest->next;
	if (guest->next)
		guest->next->prev = guest->prev;
	else
		http->newest = guest->prev;
	free(guest);
}

/* The library sees the end of the stream then, and closes. */
static void send_away_the_old(struct http *http)
{
	int64_t before = clock_ms() - HTTP_LIFE_MS;

	for (struct guest *guest = http->oldest;
	     guest && guest->since_ms <= before; guest = guest->next) {
		if (guest->socket >= 0)
			platform_cut_off(guest->socket);
		guest->socket = -1;
	}
}

static void on_connection(void *cls, struct MHD_Connection *connection,
			  void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct http *http = cls;

	http->happened++;
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		come(http, connection, context);
	else
		go(http, *context);
}

/* The answer goes out at once, whatever else the client means to send. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection,
				  const char *url, const char *method,
				  const char *version, const char *upload,
				  size_t *upload_size, void **context)
{
	struct http *http = cls;
	struct http_page *page = NULL;
	unsigned status;

	(void)version;
	(void)upload;
	(void)upload_size;
	(void)context;
	if (strcmp(method, "GET") && strcmp(method, "HEAD"))
		return MHD_queue_response(connection,
					  MHD_HTTP_METHOD_NOT_ALLOWED,
					  http->refusal->response);
	status = http->handler.answer(http->handler.arg, url, &page);
	return page ? MHD_queue_response(connection, status, page->response)
		    : MHD_NO;
}

/* ------------------------------------------------------------------ server */

static struct http_page *make_refusal(void)
{
	static const char text[] = "this can only be read\n";
	struct http_page *page;

	page = http_page_new(strdup(text), strlen(text), "text/plain",
			     "default-src 'none'", NULL);
	if (page && MHD_add_response_header(page->response, "Allow",
					    "GET, HEAD") != MHD_YES) {
		http_page_release(page);
		return NULL;
	}
	return page;
}

static struct MHD_Daemon *start(struct http *http, int socket)
{
	return MHD_start_daemon(
		MHD_USE_AUTO, 0, NULL, NULL, on_request, http,
		MHD_OPTION_LISTEN_SOCKET, socket, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)HTTP_CONNECTIONS_MAX,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT,
		(unsigned)HTTP_CONNECTIONS_EACH, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)HTTP_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)HTTP_REQUEST_BYTES, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, http, MHD_OPTION_END);
}

int http_open(struct http **out, const struct endpoint *endpoint,
	      const struct http_handler *handler, struct error *err)
{
	struct http *http = calloc(1, sizeof(*http));
	int socket;

	if (!http)
		return error_memory(err, "a listener");
	http->handler = *handler;
	http->refusal = make_refusal();
	if (!http->refusal) {
		error_memory(err, "a listener");
		goto failed;
	}
	if (platform_listen(endpoint->host, endpoint->port, &socket, err) < 0)
		goto failed;
	http->daemon = start(http, socket);
	if (http->daemon) {
		*out = http;
		return 0;
	}
	platform_close_socket(socket);
	error_set(err, ERROR_SYSTEM,
		  "cannot start the listener on port %d of '%s'",
		  endpoint->port, endpoint->host);
failed:
	http_page_release(http->refusal);
	free(http);
	return -1;
}

bool http_serve(struct http *http, int ms)
{
	int64_t until = clock_ms() + ms;
	unsigned before = http->happened;
	bool ok = MHD_run_wait(http->daemon, ms) == MHD_YES;

	send_away_the_old(http);
	/*
	 * Without a descriptor for the one who waits outside, the library would
	 * come back at once, again and again.
	 */
	return ok && (http->happened != before || http->oldest ||
		      clock_ms() >= until);
}

void http_close(struct http *http)
{
	if (!http)
		return;
	MHD_stop_daemon(http->daemon);
	http_page_release(http->refusal);
	free(http);
}
