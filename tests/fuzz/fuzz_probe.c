/*
 * What a server says before anybody has logged in, tds/probe.h: its PRELOGIN
 * and the packets of a TLS handshake, from whoever may listen there.
 *
 * The answer is a reason, which is text and leaves the kind and the number of
 * the error as they were, or none, and then the error is as it was.
 */
#include "fuzz/fuzz.h"

#include <pthread.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tds/probe.h"
#include "unit/utf8.h"

static int listener;
static struct tds_login login;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char host[] = "127.0.0.1";
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof(at);

	(void)argc;
	(void)argv;
	setenv("SSL_CERT_FILE", "/dev/null", 1); /* the system's are many */
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	HOLDS(listener >= 0);
	HOLDS(bind(listener, (struct sockaddr *)&at, sizeof(at)) == 0);
	HOLDS(listen(listener, 4) == 0);
	HOLDS(getsockname(listener, (struct sockaddr *)&at, &len) == 0);
	login.host = host;
	login.port = ntohs(at.sin_port);
	login.login_timeout_s = 2;
	return 0;
}

/* Say it all at once, hear what the other one has to say, and hang up. */
static void *answer(void *arg)
{
	const struct input *in = arg;
	struct linger at_once = {.l_onoff = 1};
	int client = accept(listener, NULL, NULL);
	char heard[4096];

	HOLDS(client >= 0);
	if (in->len)
		(void)!send(client, in->data, in->len, MSG_NOSIGNAL);
	shutdown(client, SHUT_WR);
	while (recv(client, heard, sizeof(heard), 0) > 0)
		;
	setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(client);
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct error err = ERROR_INIT, before;
	pthread_t thread;

	login.trust_certificate = take_byte(&in) & 1;
	error_set(&err, ERROR_CONNECTION, "the login failed");
	err.native = 20002;
	before = err;
	HOLDS(pthread_create(&thread, NULL, answer, &in) == 0);
	if (tds_probe_encryption(&login, &err)) {
		HOLDS(err.kind == before.kind && err.native == before.native);
		check_error(&err);
	} else {
		HOLDS(!strcmp(err.message, before.message));
	}
	HOLDS(pthread_join(thread, NULL) == 0);
	return 0;
}
