#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

#include "mem.h"

struct tls {
	SSL *ssl;
	BIO *in, *out;
};

void *tls_context(const char *cert_file, const char *key_file, char *err,
		  size_t err_size)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx && SSL_CTX_use_certificate_chain_file(ctx, cert_file) == 1 &&
	    SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) == 1) {
		/*
		 * TLS 1.3 sends session tickets after the handshake, which
		 * clients that wrap the handshake in packets do not expect.
		 */
		SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
		return ctx;
	}
	snprintf(err, err_size, "cannot use certificate '%s' with key '%s': %s",
		 cert_file, key_file, ERR_reason_error_string(ERR_get_error()));
	SSL_CTX_free(ctx);
	return NULL;
}

void tls_context_free(void *ctx)
{
	SSL_CTX_free(ctx);
}

struct tls *tls_new(void *ctx)
{
	struct tls *t = mem_calloc(1, sizeof(*t));

	t->ssl = SSL_new(ctx);
	t->in = BIO_new(BIO_s_mem());
	t->out = BIO_new(BIO_s_mem());
	if (!t->ssl || !t->in || !t->out) {
		SSL_free(t->ssl);
		BIO_free(t->in);
		BIO_free(t->out);
		free(t);
		return NULL;
	}
	SSL_set_bio(t->ssl, t->in, t->out);
	SSL_set_accept_state(t->ssl);
	return t;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	SSL_free(t->ssl);
	free(t);
}

void tls_feed(struct tls *t, const void *data, size_t n)
{
	BIO_write(t->in, data, (int)n);
}

size_t tls_pending(struct tls *t, void *out, size_t room)
{
	int n = BIO_read(t->out, out, (int)room);

	return n > 0 ? (size_t)n : 0;
}

int tls_handshake(struct tls *t)
{
	int rc;

	ERR_clear_error();
	rc = SSL_do_handshake(t->ssl);
	if (rc == 1)
		return 1;
	return SSL_get_error(t->ssl, rc) == SSL_ERROR_WANT_READ ? 0 : -1;
}

int tls_read(struct tls *t, void *out, size_t room)
{
	int rc;

	ERR_clear_error();
	rc = SSL_read(t->ssl, out, (int)room);
	if (rc > 0)
		return rc;
	return SSL_get_error(t->ssl, rc) == SSL_ERROR_WANT_READ ? 0 : -1;
}

bool tls_write(struct tls *t, const void *data, size_t n)
{
	ERR_clear_error();
	return SSL_write(t->ssl, data, (int)n) == (int)n;
}
