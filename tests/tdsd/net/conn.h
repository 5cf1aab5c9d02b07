#ifndef TDSD_CONN_H
#define TDSD_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

struct session;
struct server;

/*
 * One client's socket: TDS packets in and out, with or without TLS. It
 * belongs to the session's thread; only conn_shutdown() may be called from
 * another one.
 */
enum packet_type {
	PKT_BATCH = 1,
	PKT_RPC = 3,
	PKT_REPLY = 4,
	PKT_ATTENTION = 6,
	PKT_BULK = 7,
	PKT_TRANSACTION = 14,
	PKT_LOGIN7 = 16,
	PKT_SSPI = 17,
	PKT_PRELOGIN = 18,
};

#define PACKET_MIN    512
#define PACKET_MAX    32767
#define MESSAGE_LIMIT ((size_t)512 << 20)

struct conn {
	int fd;
	struct server *server;
	struct tls *tls;   /* NULL: plain */
	bool tls_active;   /* bytes go through TLS now */
	unsigned char *in; /* bytes received and not used yet */
	size_t in_len, in_pos, in_room;
	unsigned char *out; /* the packet being filled */
	size_t out_len;
	size_t packet_size;
	unsigned char out_id;
	bool dead;	      /* closed by either side */
	uint32_t tds_version; /* 0x74000004 … */
	int spid;
	bool attention;	   /* seen, not answered yet */
	int64_t next_poll; /* monotonic ms */
	bool pending_done; /* a DONE token waits in `done` */
	unsigned char done[13];
	size_t done_len;
	char address[64];
	/* the message being read packet by packet */
	bool in_last; /* its last packet has been seen */
	unsigned char in_type;
	bool reset;	    /* RESETCONNECTION was asked for */
	bool ignore;	    /* the message was cut off by the client */
	unsigned char *pkt; /* payload of the current packet */
	size_t pkt_len, pkt_pos;
	bool utf8;
};

void conn_init(struct conn *c, struct server *srv, int fd);
void conn_release(struct conn *c);
void conn_shutdown(struct conn *c); /* wake it up from outside */

/*
 * Wait for the next message and read its first packet. Returns the packet
 * type, 0 when the client has gone.
 */
int conn_next_message(struct conn *c);

/* The rest of the message in one piece. -1: gone, or larger than the limit. */
int conn_read_all(struct conn *c, struct strbuf *out);

/* Stream the message: 0, or -1 at its end or when the client has gone. */
int conn_read(struct conn *c, void *out, size_t n);
int conn_skip(struct conn *c, size_t n);
bool conn_at_end(struct conn *c);
void conn_drain(struct conn *c); /* throw the rest of the message away */

/* Has anything come while a statement runs? Sets s->attention or s->broken. */
void conn_poll(struct conn *c, struct session *s);

/* Wait up to `ms` for a message to begin; false: none yet. */
bool conn_wait(struct conn *c, int ms);

/* Output: bytes of the reply. Errors are remembered in `dead`. */
void conn_put(struct conn *c, const void *data, size_t n);
void conn_put8(struct conn *c, unsigned n);
void conn_put16(struct conn *c, unsigned n);
void conn_put32(struct conn *c, uint32_t n);
void conn_put64(struct conn *c, uint64_t n);
void conn_flush(struct conn *c, bool last);

/* Start TLS: the handshake travels in PRELOGIN packets. */
int conn_start_tls(struct conn *c);
/* After the login, when only that was encrypted. */
void conn_stop_tls(struct conn *c);

#endif
