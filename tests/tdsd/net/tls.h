#ifndef TDSD_TLS_H
#define TDSD_TLS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * TLS over memory: bytes from the network go in, bytes for the network come
 * out, and the caller does all the waiting.
 */
struct tls;

/* The server's side, once per process; NULL and a line in `err` on failure. */
void *tls_context(const char *cert_file, const char *key_file, char *err,
		  size_t err_size);
void tls_context_free(void *ctx);

struct tls *tls_new(void *ctx);
void tls_free(struct tls *t);

/* Feed bytes that came from the network. */
void tls_feed(struct tls *t, const void *data, size_t n);
/* Bytes that must go to the network now; 0 when none. */
size_t tls_pending(struct tls *t, void *out, size_t room);

/* 1 done, 0 needs more bytes, -1 failed. */
int tls_handshake(struct tls *t);

/* Plain bytes; 0 needs more, -1 closed or broken. */
int tls_read(struct tls *t, void *out, size_t room);
bool tls_write(struct tls *t, const void *data, size_t n);

#endif
