/*
 * Requests to the status page, monitor/http.h and monitor/pages.h, byte by
 * byte as a client may send them.
 *
 * Whoever asks gets an answer of HTTP with a status that there is, or is hung
 * up on at once; and no request keeps the server from the next one.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "monitor/pages.h"

#define PORT_FIRST 20000
#define PORTS	   20000
#define ROUNDS	   8	/* more than it needs */
#define PATIENCE   5000 /* ms, on a machine that is busy */

static struct pages pages;
static struct http *http;
static struct endpoint endpoint = {.host = "127.0.0.1"};

static int look(void *arg, struct overview *out)
{
	(void)arg;
	overview_init(out, 65536);
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct http_handler handler = {.answer = pages_answer, .arg = &pages};
	struct error err = ERROR_INIT;

	(void)argc;
	(void)argv;
	pages.look = look;
	HOLDS(pages_init(&pages, &err) == 0);
	for (int i = 0; !http && i < PORTS; i++) {
		endpoint.port = PORT_FIRST + (getpid() + i) % PORTS;
		if (http_open(&http, &endpoint, &handler, &err) < 0)
			http = NULL;
	}
	HOLDS(http);
	return 0;
}

/*
 * A system that has no port left, or interrupts us for the fuzzer's own
 * timer, is no finding.
 */
static int call(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	int client = -1;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	at.sin_port = htons((uint16_t)endpoint.port);
	for (int waited = 0; waited < PATIENCE && client < 0; waited += 10) {
		client = socket(AF_INET, SOCK_STREAM, 0);
		HOLDS(client >= 0);
		if (connect(client, (struct sockaddr *)&at, sizeof(at)) == 0)
			break;
		close(client);
		client = -1;
		http_serve(http, 10);
	}
	HOLDS(client >= 0);
	return client;
}

/* What comes back within so many rounds of `ms` each. */
static void hear(int client, int rounds, int ms, struct strbuf *reply)
{
	char piece[4096];
	ssize_t n = -1;

	for (int i = 0; n && i < rounds; i++) {
		http_serve(http, ms);
		while ((n = recv(client, piece, sizeof(piece), MSG_DONTWAIT)) >
		       0)
			strbuf_add(reply, piece, (size_t)n);
	}
}

static void hang_up(int client)
{
	struct linger at_once = {.l_onoff = 1};

	setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(client);
	http_serve(http, 0);
}

static void check_reply(const char *reply)
{
	static const char *const statuses[] = {
		"200", "400", "404", "405", "411", "413", "414",
		"417", "431", "500", "501", "503", "505"};
	size_t i = 0;

	if (!*reply)
		return;
	HOLDS(!strncmp(reply, "HTTP/1.", 7));
	while (i < sizeof(statuses) / sizeof(*statuses) &&
	       strncmp(reply + 9, statuses[i], 3))
		i++;
	HOLDS(i < sizeof(statuses) / sizeof(*statuses));
}

/* `ms`: 0 for one who may have sent half a request and waits for nothing. */
static void ask(const void *request, size_t len, int ms, struct strbuf *reply)
{
	int client = call();

	strbuf_reset(reply);
	if (len)
		HOLDS(send(client, request, len, MSG_NOSIGNAL) == (ssize_t)len);
	hear(client, ms ? PATIENCE / ms : ROUNDS, ms, reply);
	hang_up(client);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char good[] = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
	struct strbuf reply;

	strbuf_init(&reply);
	ask(data, size, 0, &reply);
	check_reply(reply.data);
	ask(good, sizeof(good) - 1, 1, &reply);
	HOLDS(!strncmp(reply.data, "HTTP/1.1 200 ", 13));
	strbuf_release(&reply);
	return 0;
}
