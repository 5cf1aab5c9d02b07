/*
 * The socket never blocks; every wait is a poll(), so that a cancel can be
 * noticed while a reply is being written and nobody hangs on half a packet.
 */
#include "net/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "exec/server.h"
#include "exec/session.h"
#include "mem.h"
#include "net/tls.h"

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void conn_init(struct conn *c, struct server *srv, int fd)
{
	memset(c, 0, sizeof(*c));
	c->fd = fd;
	c->server = srv;
	c->packet_size = 4096;
	c->out = mem_alloc(PACKET_MAX + 1);
	c->out_len = 8;
	c->in_room = 65536;
	c->in = mem_alloc(c->in_room);
	c->tds_version = 0x74000004;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void conn_release(struct conn *c)
{
	tls_free(c->tls);
	free(c->in);
	free(c->out);
	close(c->fd);
}

void conn_shutdown(struct conn *c)
{
	shutdown(c->fd, SHUT_RDWR);
}

/* --- raw bytes --- */

/* One recv; 1 something came, 0 nothing there, -1 gone. */
static int raw_recv(struct conn *c, unsigned char *buf, size_t room,
		    size_t *got)
{
	ssize_t n = recv(c->fd, buf, room, 0);

	if (n > 0) {
		*got = (size_t)n;
		return 1;
	}
	if (n < 0 &&
	    (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return 0;
	c->dead = true;
	return -1;
}

static void make_room(struct conn *c, size_t need)
{
	if (c->in_pos) {
		memmove(c->in, c->in + c->in_pos, c->in_len - c->in_pos);
		c->in_len -= c->in_pos;
		if (c->pkt)
			c->pkt = NULL;
		c->in_pos = 0;
	}
	if (c->in_room - c->in_len < need) {
		c->in_room = c->in_len + need;
		c->in = mem_realloc(c->in, c->in_room);
	}
}

/* Take in what is there; 1, 0 or -1 as raw_recv(). */
static int take_in(struct conn *c)
{
	unsigned char raw[16384];
	size_t got = 0;
	int rc, n;

	if (!c->tls_active) {
		make_room(c, 16384);
		rc = raw_recv(c, c->in + c->in_len, c->in_room - c->in_len,
			      &got);
		c->in_len += got;
		return rc;
	}
	rc = raw_recv(c, raw, sizeof(raw), &got);
	if (rc <= 0)
		return rc;
	tls_feed(c->tls, raw, got);
	for (;;) {
		make_room(c, 16384);
		n = tls_read(c->tls, c->in + c->in_len, c->in_room - c->in_len);
		if (n < 0) {
			c->dead = true;
			return -1;
		}
		if (!n)
			return 1;
		c->in_len += (size_t)n;
	}
}

static bool wait_for(struct conn *c, short events, int ms, short *what)
{
	struct pollfd p = {.fd = c->fd, .events = events};
	int rc = poll(&p, 1, ms);

	*what = rc > 0 ? p.revents : 0;
	return rc > 0;
}

/* Have at least `n` unread bytes. False when the client has gone. */
static bool need(struct conn *c, size_t n)
{
	while (c->in_len - c->in_pos < n) {
		short what;
		int rc;

		if (c->dead)
			return false;
		make_room(c, n);
		rc = take_in(c);
		if (rc < 0)
			return false;
		if (!rc)
			wait_for(c, POLLIN, 1000, &what);
		if (__atomic_load_n(&c->server->stopping, __ATOMIC_RELAXED))
			return false;
	}
	return true;
}

/* The length of the packet whose header is at the front; 0: nonsense. */
static size_t packet_length(const struct conn *c)
{
	const unsigned char *h = c->in + c->in_pos;
	size_t len = (size_t)h[2] << 8 | h[3];

	if (!h[0] || h[0] > PKT_PRELOGIN) /* HTTP, a TLS hello */
		return 0;
	return len < 8 ? 0 : len;
}

/* Read one packet; its payload is at c->pkt until the next call. */
static bool next_packet(struct conn *c)
{
	const unsigned char *h;
	size_t len;

	if (!need(c, 8))
		return false;
	len = packet_length(c);
	if (!len) {
		c->dead = true;
		return false;
	}
	if (!need(c, len))
		return false;
	h = c->in + c->in_pos;
	c->in_type = h[0];
	c->in_last = h[1] & 1;
	if (h[1] & 2)
		c->ignore = true;
	if (h[1] & 0x18)
		c->reset = true;
	c->pkt = c->in + c->in_pos + 8;
	c->pkt_len = len - 8;
	c->pkt_pos = 0;
	c->in_pos += len;
	return true;
}

int conn_next_message(struct conn *c)
{
	c->ignore = c->reset = false;
	if (!next_packet(c))
		return 0;
	return c->in_type;
}

bool conn_wait(struct conn *c, int ms)
{
	int64_t limit = now_ms() + ms;
	short what;

	while (c->in_len - c->in_pos < 8 && !c->dead) {
		int64_t left = limit - now_ms();

		if (left <= 0)
			return false;
		if (take_in(c) == 0)
			wait_for(c, POLLIN, (int)left, &what);
	}
	return true;
}

int conn_read(struct conn *c, void *out, size_t n)
{
	unsigned char *to = out;

	while (n) {
		size_t have = c->pkt_len - c->pkt_pos;

		if (!have) {
			if (c->in_last || !next_packet(c) ||
			    c->in_type == PKT_ATTENTION) {
				if (c->in_type == PKT_ATTENTION)
					c->attention = true;
				return -1;
			}
			continue;
		}
		if (have > n)
			have = n;
		memcpy(to, c->pkt + c->pkt_pos, have);
		c->pkt_pos += have;
		to += have;
		n -= have;
	}
	return 0;
}

int conn_skip(struct conn *c, size_t n)
{
	unsigned char waste[512];

	while (n) {
		size_t part = n < sizeof(waste) ? n : sizeof(waste);

		if (conn_read(c, waste, part) < 0)
			return -1;
		n -= part;
	}
	return 0;
}

bool conn_at_end(struct conn *c)
{
	while (c->pkt_pos >= c->pkt_len) {
		if (c->in_last)
			return true;
		if (!next_packet(c) || c->in_type == PKT_ATTENTION) {
			if (c->in_type == PKT_ATTENTION)
				c->attention = true;
			return true;
		}
	}
	return false;
}

void conn_drain(struct conn *c)
{
	while (!c->in_last && !c->dead) {
		if (!next_packet(c))
			return;
		if (c->in_type == PKT_ATTENTION) {
			c->attention = true;
			return;
		}
	}
	c->pkt_pos = c->pkt_len;
}

int conn_read_all(struct conn *c, struct strbuf *out)
{
	for (;;) {
		strbuf_add(out, c->pkt + c->pkt_pos, c->pkt_len - c->pkt_pos);
		c->pkt_pos = c->pkt_len;
		if (out->failed)
			return -1;
		if (c->in_last)
			return 0;
		if (!next_packet(c))
			return -1;
		if (c->in_type == PKT_ATTENTION) {
			c->attention = true;
			c->ignore = true;
			return 0;
		}
	}
}

/* --- noticing a cancel --- */

/* Is there a whole packet waiting that says so? Then use it up. */
static void look_for_attention(struct conn *c, struct session *s)
{
	while (c->in_len - c->in_pos >= 8) {
		size_t len = packet_length(c);

		if (!len || c->in[c->in_pos] != PKT_ATTENTION ||
		    c->in_len - c->in_pos < len)
			return;
		c->in_pos += len;
		c->attention = true;
		s->attention = true;
	}
}

static void poll_now(struct conn *c, struct session *s)
{
	if (c->dead || take_in(c) < 0) {
		s->broken = true;
		return;
	}
	look_for_attention(c, s);
}

void conn_poll(struct conn *c, struct session *s)
{
	int64_t now = now_ms();

	if (now < c->next_poll)
		return;
	if (c->pkt && c->pkt_pos < c->pkt_len)
		return; /* a message is being read: nothing can come between */
	c->next_poll = now + 10;
	poll_now(c, s);
}

/* --- output --- */

static void raw_send(struct conn *c, const unsigned char *p, size_t n)
{
	while (n && !c->dead) {
		ssize_t sent = send(c->fd, p, n, MSG_NOSIGNAL);
		short what;

		if (sent > 0) {
			p += sent;
			n -= (size_t)sent;
			continue;
		}
		if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK &&
		    errno != EINTR) {
			c->dead = true;
			return;
		}
		/* the client does not read: it may want to cancel instead */
		if (wait_for(c, POLLIN | POLLOUT, 500, &what) &&
		    (what & POLLIN) && !(what & POLLOUT)) {
			unsigned char peek;
			ssize_t got = recv(c->fd, &peek, 1, MSG_PEEK);

			if (got == 0) {
				c->dead = true;
				return;
			}
			/* it is read by the next conn_poll(); do not spin */
			wait_for(c, POLLOUT, 20, &what);
		}
		if (__atomic_load_n(&c->server->stopping, __ATOMIC_RELAXED))
			c->dead = true;
	}
}

static void send_bytes(struct conn *c, const unsigned char *p, size_t n)
{
	unsigned char raw[20000];

	if (!c->tls_active) {
		raw_send(c, p, n);
		return;
	}
	if (!tls_write(c->tls, p, n))
		c->dead = true;
	while ((n = tls_pending(c->tls, raw, sizeof(raw))) > 0)
		raw_send(c, raw, n);
}

void conn_flush(struct conn *c, bool last)
{
	unsigned char *h = c->out;

	if (!last && c->out_len == 8)
		return;
	h[0] = PKT_REPLY;
	h[1] = last ? 1 : 0;
	h[2] = (unsigned char)(c->out_len >> 8);
	h[3] = (unsigned char)c->out_len;
	h[4] = (unsigned char)(c->spid >> 8);
	h[5] = (unsigned char)c->spid;
	h[6] = ++c->out_id;
	h[7] = 0;
	if (last)
		c->out_id = 0;
	send_bytes(c, c->out, c->out_len);
	c->out_len = 8;
}

void conn_put(struct conn *c, const void *data, size_t n)
{
	const unsigned char *p = data;

	while (n) {
		size_t room = c->packet_size - c->out_len;

		if (!room) {
			conn_flush(c, false);
			continue;
		}
		if (room > n)
			room = n;
		memcpy(c->out + c->out_len, p, room);
		c->out_len += room;
		p += room;
		n -= room;
	}
}

void conn_put8(struct conn *c, unsigned n)
{
	unsigned char b = (unsigned char)n;

	conn_put(c, &b, 1);
}

void conn_put16(struct conn *c, unsigned n)
{
	unsigned char b[2] = {(unsigned char)n, (unsigned char)(n >> 8)};

	conn_put(c, b, 2);
}

void conn_put32(struct conn *c, uint32_t n)
{
	unsigned char b[4] = {(unsigned char)n, (unsigned char)(n >> 8),
			      (unsigned char)(n >> 16),
			      (unsigned char)(n >> 24)};

	conn_put(c, b, 4);
}

void conn_put64(struct conn *c, uint64_t n)
{
	conn_put32(c, (uint32_t)n);
	conn_put32(c, (uint32_t)(n >> 32));
}

/* --- TLS --- */

/* Handshake bytes travel as the payload of PRELOGIN packets. */
static void send_handshake(struct conn *c)
{
	unsigned char packet[4096];
	size_t n;

	while ((n = tls_pending(c->tls, packet + 8, sizeof(packet) - 8)) > 0) {
		n += 8;
		packet[0] = PKT_PRELOGIN;
		packet[1] = 1;
		packet[2] = (unsigned char)(n >> 8);
		packet[3] = (unsigned char)n;
		packet[4] = packet[5] = packet[7] = 0;
		packet[6] = 1;
		raw_send(c, packet, n);
	}
}

int conn_start_tls(struct conn *c)
{
	int rc;

	c->tls = tls_new(c->server->tls);
	if (!c->tls)
		return -1;
	while ((rc = tls_handshake(c->tls)) == 0) {
		send_handshake(c);
		if (!next_packet(c) || c->in_type != PKT_PRELOGIN)
			return -1;
		tls_feed(c->tls, c->pkt, c->pkt_len);
	}
	send_handshake(c);
	if (rc < 0)
		return -1;
	/* what came behind the handshake is TLS already */
	c->tls_active = true;
	if (c->in_len > c->in_pos) {
		unsigned char *rest = mem_alloc(c->in_len - c->in_pos);
		size_t n = c->in_len - c->in_pos;
		int got;

		memcpy(rest, c->in + c->in_pos, n);
		c->in_len = c->in_pos = 0;
		tls_feed(c->tls, rest, n);
		free(rest);
		while ((got = tls_read(c->tls, c->in + c->in_len,
				       c->in_room - c->in_len)) > 0)
			c->in_len += (size_t)got;
	}
	return 0;
}

void conn_stop_tls(struct conn *c)
{
	c->tls_active = false;
}
