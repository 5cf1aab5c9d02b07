#include "net/serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "dml/bulk.h"
#include "exec/output.h"
#include "exec/run.h"
#include "exec/session.h"
#include "exec/tran.h"
#include "fault/counter.h"
#include "fault/fault.h"
#include "mem.h"
#include "net/conn.h"
#include "net/login.h"
#include "net/rpc.h"
#include "value/utf.h"

#define CONNECTIONS_MAX 2000

static int listener = -1;
static int active; /* connections with a thread, under srv->lock */

/* --- one message --- */

/* The error of a fault that a test has ordered. */
static void refuse(struct session *s, const struct diag *d)
{
	if (s->broken)
		return;
	output_message(s, d);
	output_done(s, CMD_OTHER, -1, true);
}

static void run_sql_batch(struct session *s, const struct strbuf *msg)
{
	const unsigned char *p = (const unsigned char *)msg->data;
	size_t skip = all_headers(s, p, msg->len);
	struct strbuf text;
	struct diag d;

	if (skip == SIZE_MAX) {
		diag_set(&d, 4002);
		output_message(s, &d);
		output_done(s, CMD_OTHER, -1, true);
		return;
	}
	strbuf_init_max(&text, MESSAGE_LIMIT);
	utf_from_16le(&text, p + skip, msg->len - skip);
	counter_note(s, text.data, text.len);
	if (fault_batch(s, text.data, text.len, true, &d) < 0) {
		refuse(s, &d);
	} else {
		run_batch(s, text.data, text.len);
		if (fault_batch(s, text.data, text.len, false, &d) < 0)
			refuse(s, &d);
	}
	strbuf_release(&text);
}

/* End the reply, or answer the attention. A broken session still says why. */
static void finish(struct session *s)
{
	struct conn *c = s->conn;

	if (c->dead)
		return;
	if (s->attention || c->attention) {
		output_attention(s);
		return;
	}
	output_end(s);
}

static bool handle(struct session *s, int type)
{
	struct conn *c = s->conn;
	struct strbuf msg;

	s->attention = c->attention = false;
	if (type == PKT_BULK) {
		bulk_receive(s);
		finish(s);
		return true;
	}
	if (type == PKT_ATTENTION) { /* nothing was running */
		conn_drain(c);
		output_attention(s);
		return true;
	}
	strbuf_init_max(&msg, MESSAGE_LIMIT);
	if (conn_read_all(c, &msg) < 0) {
		strbuf_release(&msg);
		return false;
	}
	if (c->reset) {
		session_reset(s);
		output_reset_ack(s);
	}
	if (c->ignore) {
		if (c->attention)
			output_attention(s);
		strbuf_release(&msg);
		return true;
	}
	__atomic_store_n(&s->stmt_status, 1, __ATOMIC_RELAXED);
	switch (type) {
	case PKT_BATCH:
		run_sql_batch(s, &msg);
		break;
	case PKT_RPC:
		rpc_run(s, (const unsigned char *)msg.data, msg.len);
		break;
	case PKT_TRANSACTION:
		tm_run(s, (const unsigned char *)msg.data, msg.len);
		break;
	default:
		strbuf_release(&msg);
		return false;
	}
	__atomic_store_n(&s->stmt_status, 0, __ATOMIC_RELAXED);
	finish(s);
	strbuf_release(&msg);
	return true;
}

/* --- one connection --- */

struct arrival {
	struct server *srv;
	int fd;
	char address[64];
};

void serve_client(struct server *srv, int fd, const char *address)
{
	struct conn c;
	struct session *s;

	conn_init(&c, srv, fd);
	text_copy(c.address, sizeof(c.address), address);
	s = session_new(srv, &c);
	c.spid = s->spid;
	if (login_run(s)) {
		int type;

		while (!s->broken && !c.dead &&
		       !__atomic_load_n(&s->killed, __ATOMIC_RELAXED) &&
		       (type = conn_next_message(&c)) != 0)
			if (!handle(s, type))
				break;
	}
	bulk_cancel(s);
	session_free(s);
	conn_release(&c);
}

static void *thread_main(void *arg)
{
	struct arrival *a = arg;
	struct server *srv = a->srv;

	serve_client(srv, a->fd, a->address);
	free(a);
	pthread_mutex_lock(&srv->lock);
	active--;
	pthread_mutex_unlock(&srv->lock);
	return NULL;
}

static void start_thread(struct server *srv, int fd, const char *address)
{
	struct arrival *a = mem_calloc(1, sizeof(*a));
	pthread_attr_t attr;
	pthread_t thread;
	bool full;

	a->srv = srv;
	a->fd = fd;
	text_copy(a->address, sizeof(a->address), address);
	pthread_mutex_lock(&srv->lock);
	full = active >= CONNECTIONS_MAX;
	if (!full)
		active++;
	srv->connections++;
	pthread_mutex_unlock(&srv->lock);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, (size_t)32 << 20);
	if (full || pthread_create(&thread, &attr, thread_main, a) != 0) {
		close(fd);
		free(a);
		if (!full) {
			pthread_mutex_lock(&srv->lock);
			active--;
			pthread_mutex_unlock(&srv->lock);
		}
	}
	pthread_attr_destroy(&attr);
}

/* --- listening --- */

int serve_open(struct server *srv, const char *host, int port, char *err,
	       size_t err_size)
{
	struct addrinfo hints, *list = NULL, *a;
	struct sockaddr_storage bound;
	socklen_t len = sizeof(bound);
	char service[16];
	int one = 1, rc;

	memset(&hints, 0, sizeof(hints));
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_PASSIVE;
	snprintf(service, sizeof(service), "%d", port);
	rc = getaddrinfo(host, service, &hints, &list);
	if (rc) {
		snprintf(err, err_size, "unknown host '%s': %s", host,
			 gai_strerror(rc));
		return -1;
	}
	for (a = list; a && listener < 0; a = a->ai_next) {
		listener = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
		if (listener < 0)
			continue;
		setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one,
			   sizeof(one));
		if (bind(listener, a->ai_addr, a->ai_addrlen) < 0 ||
		    listen(listener, 256) < 0) {
			close(listener);
			listener = -1;
		}
	}
	freeaddrinfo(list);
	if (listener < 0) {
		snprintf(err, err_size, "cannot listen on %s:%d: %s", host,
			 port, strerror(errno));
		return -1;
	}
	getsockname(listener, (struct sockaddr *)&bound, &len);
	srv->port = ntohs(bound.ss_family == AF_INET6
				  ? ((struct sockaddr_in6 *)&bound)->sin6_port
				  : ((struct sockaddr_in *)&bound)->sin_port);
	return 0;
}

static void shut_all(struct server *srv)
{
	struct session *s;

	pthread_mutex_lock(&srv->lock);
	for (s = srv->sessions; s; s = s->next) {
		__atomic_store_n(&s->killed, 1, __ATOMIC_RELAXED);
		if (s->conn)
			conn_shutdown(s->conn);
	}
	pthread_mutex_unlock(&srv->lock);
}

/* Give the threads a moment to end; they only have to notice. */
static void wait_all(struct server *srv)
{
	int tries, left = 1;

	for (tries = 0; tries < 500 && left; tries++) {
		struct timespec nap = {0, 10000000};

		pthread_mutex_lock(&srv->lock);
		left = active;
		pthread_mutex_unlock(&srv->lock);
		if (left)
			nanosleep(&nap, NULL);
	}
}

void serve_run(struct server *srv)
{
	while (!__atomic_load_n(&srv->stopping, __ATOMIC_RELAXED)) {
		struct pollfd p = {.fd = listener, .events = POLLIN};
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		char address[64] = "";
		int fd, one = 1;

		if (poll(&p, 1, 200) <= 0)
			continue;
		fd = accept(listener, (struct sockaddr *)&from, &len);
		if (fd < 0)
			continue;
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		getnameinfo((struct sockaddr *)&from, len, address,
			    sizeof(address), NULL, 0, NI_NUMERICHOST);
		start_thread(srv, fd, address);
	}
	close(listener);
	shut_all(srv);
	wait_all(srv);
}
