/*
 * Whatever a client sends to the stand-in: packets, logins, procedure calls,
 * bulk loads and statements, from its first byte to its last.
 *
 * The answer is made of whole packets of the server's type. The server never
 * fails by its own fault (error 823), and comes to an end when the client has
 * gone. The client has a login without rights in a database without tables, so
 * that an input means the same each time.
 */
#include "fuzz/fuzz.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/text.h"
#include "cdc/cdc.h"
#include "exec/server.h"
#include "net/conn.h"
#include "net/serve.h"

#define HEADER	    8
#define LOGIN_BYTES 94
#define STREAM_MAX  60000 /* less than a socket holds */
#define ERROR_TOKEN 0xAA
#define OWN_FAILURE 823
#define PATIENCE_S  2

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct server *srv = &the_server;
	struct diag d;

	(void)argc;
	(void)argv;
	signal(SIGPIPE, SIG_IGN);
	pthread_mutex_init(&srv->lock, NULL);
	text_copy(srv->name, sizeof(srv->name), "TDSD");
	text_copy(srv->started, sizeof(srv->started), "2026-01-31 13:00:59");
	srv->next_tran = 1000;
	HOLDS(registry_open(&srv->registry, private_folder(), &d) == 0);
	HOLDS(login_create(&srv->registry, "u", "p", "tempdb", &d) == 0);
	return 0;
}

/* --------------------------------------------------------- what a client says */

static void add_packet(struct strbuf *out, unsigned type, const void *data,
		       size_t len)
{
	unsigned char header[HEADER] = {(unsigned char)type, 1};

	header[2] = (unsigned char)((len + HEADER) >> 8);
	header[3] = (unsigned char)(len + HEADER);
	strbuf_add(out, header, sizeof(header));
	strbuf_add(out, data, len);
}

static void add_utf16(struct strbuf *out, const char *ascii)
{
	for (; *ascii; ascii++) {
		strbuf_addch(out, *ascii);
		strbuf_addch(out, '\0');
	}
}

/* LOGIN7 of the user "u", whose password is "p", of TDS 7.4. */
static void add_login(struct strbuf *out)
{
	unsigned char fixed[LOGIN_BYTES] = {
		[0] = LOGIN_BYTES + 4, [4] = 0x04, [7] = 0x74, [25] = 0x02};
	struct strbuf body;

	fixed[40] = LOGIN_BYTES;
	fixed[42] = 1;
	fixed[44] = LOGIN_BYTES + 2;
	fixed[46] = 1;
	strbuf_init(&body);
	strbuf_add(&body, fixed, sizeof(fixed));
	add_utf16(&body, "u");
	/* Nibbles swapped, then 0xA5: what everybody does to a password. */
	strbuf_addch(&body, (char)(('p' >> 4 | 'p' << 4) ^ 0xA5));
	strbuf_addch(&body, (char)0xA5);
	add_packet(out, PKT_LOGIN7, body.data, body.len);
	strbuf_release(&body);
}

/* A statement in ASCII, behind the headers that every one has. */
static void add_statement(struct strbuf *out, struct input *in)
{
	static const unsigned char headers[] = {22, 0, 0, 0, 18, 0, 0, 0,
						2,  0, 0, 0, 0,	 0, 0, 0,
						0,  0, 1, 0, 0,	 0};
	char *sql = take_text(in, 2000);
	struct strbuf body;

	strbuf_init(&body);
	strbuf_add(&body, headers, sizeof(headers));
	add_utf16(&body, sql);
	add_packet(out, PKT_BATCH, body.data, body.len);
	strbuf_release(&body);
	free(sql);
}

static void add_message(struct strbuf *out, struct input *in)
{
	static const unsigned types[] = {PKT_RPC,	PKT_BULK,
					 PKT_BATCH,	PKT_TRANSACTION,
					 PKT_ATTENTION, PKT_PRELOGIN};
	size_t which = take_below(in, 7), len;
	unsigned char *body;

	if (which == 6) {
		add_statement(out, in);
		return;
	}
	body = take_bytes(in, take_number(in, 2) % 4000, &len);
	add_packet(out, types[which], body, len);
	free(body);
}

/*
 * Bytes as they are, or a login with messages behind it and at their end a
 * header that is none, at which the server hangs up.
 */
static void make_stream(struct strbuf *out, struct input *in, bool raw)
{
	static const unsigned char nonsense[HEADER];

	if (raw) {
		strbuf_add(out, in->data, in->len);
		return;
	}
	add_login(out);
	while (in->len && out->len < STREAM_MAX / 2)
		add_message(out, in);
	strbuf_add(out, nonsense, sizeof(nonsense));
}

/* ------------------------------------------------------ what the server says */

struct listener {
	int socket;
	struct strbuf reply;
};

/* A client goes when it has heard nothing for too long. */
static void *listen_to_all(void *arg)
{
	struct listener *listener = arg;
	char piece[16384];
	ssize_t n;

	while ((n = recv(listener->socket, piece, sizeof(piece), 0)) != 0) {
		if (n > 0)
			strbuf_add(&listener->reply, piece, (size_t)n);
		else
			shutdown(listener->socket, SHUT_RDWR);
	}
	return NULL;
}

/* Error tokens with this number, wherever they may stand. */
static bool says_own_failure(const struct strbuf *tokens)
{
	const unsigned char *p = (const unsigned char *)tokens->data;

	for (size_t i = 0; i + 7 < tokens->len; i++)
		if (p[i] == ERROR_TOKEN && p[i + 3] == (OWN_FAILURE & 0xFF) &&
		    p[i + 4] == OWN_FAILURE >> 8 && !p[i + 5] && !p[i + 6])
			return true;
	return false;
}

static void check_reply(const struct strbuf *reply)
{
	const unsigned char *p = (const unsigned char *)reply->data;
	struct strbuf tokens;
	size_t at = 0, len;

	strbuf_init_max(&tokens, SIZE_MAX);
	while (at < reply->len) {
		HOLDS(reply->len - at >= HEADER);
		HOLDS(p[at] == PKT_REPLY || p[at] == PKT_PRELOGIN);
		len = (size_t)p[at + 2] << 8 | p[at + 3];
		HOLDS(len >= HEADER && len <= reply->len - at);
		strbuf_add(&tokens, p + at + HEADER, len - HEADER);
		at += len;
	}
	HOLDS(!says_own_failure(&tokens));
	strbuf_release(&tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct timeval patience = {.tv_sec = PATIENCE_S};
	struct input in = {data, size};
	bool raw = take_byte(&in) & 1;
	struct listener listener;
	struct strbuf stream;
	pthread_t thread;
	int ends[2];

	strbuf_init(&stream);
	make_stream(&stream, &in, raw);
	HOLDS(stream.len <= STREAM_MAX);
	HOLDS(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	if (stream.len)
		HOLDS(send(ends[0], stream.data, stream.len, MSG_NOSIGNAL) ==
		      (ssize_t)stream.len);
	if (raw)
		shutdown(ends[0], SHUT_WR);
	HOLDS(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience,
			 sizeof(patience)) == 0);
	listener.socket = ends[0];
	strbuf_init_max(&listener.reply, SIZE_MAX);
	HOLDS(pthread_create(&thread, NULL, listen_to_all, &listener) == 0);
	serve_client(&the_server, ends[1], "127.0.0.1");
	HOLDS(pthread_join(thread, NULL) == 0);
	check_reply(&listener.reply);
	close(ends[0]);
	strbuf_release(&listener.reply);
	strbuf_release(&stream);
	return 0;
}
