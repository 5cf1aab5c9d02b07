/*
 * Speaks as much of the protocol as comes before a login: PRELOGIN, then a TLS
 * handshake whose records travel in packets of the same type. OpenSSL is told
 * to finish the handshake whatever the certificate is, and asked afterwards
 * what it thinks of it.
 *
 * This only explains a refusal of FreeTDS, it never stands in for its check:
 * what OpenSSL finds no fault with stays refused, and unexplained.
 */
#include "tds/probe.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/text.h"

#define PACKET_PRELOGIN 0x12
#define HEADER_BYTES	8
#define PACKET_BYTES	4096
#define NAP_MS		20
#define NO_ENCRYPTION	2 /* ENCRYPT_NOT_SUP */

struct probe {
	BIO *net;
	time_t deadline;
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *in, *out; /* what the handshake reads and writes; owned by ssl */
	unsigned char packet[PACKET_BYTES];
};

/* --------------------------------------------------------------- packets */

static bool put_all(struct probe *probe, const unsigned char *data, int len)
{
	while (len > 0) {
		int n = BIO_write(probe->net, data, len);

		if (n > 0) {
			data += n;
			len -= n;
		} else if (!BIO_should_retry(probe->net) ||
			   BIO_wait(probe->net, probe->deadline, NAP_MS) <= 0) {
			return false;
		}
	}
	return true;
}

static bool get_all(struct probe *probe, unsigned char *data, int len)
{
	while (len > 0) {
		int n = BIO_read(probe->net, data, len);

		if (n > 0) {
			data += n;
			len -= n;
		} else if (!BIO_should_retry(probe->net) ||
			   BIO_wait(probe->net, probe->deadline, NAP_MS) <= 0) {
			return false;
		}
	}
	return true;
}

static bool put_packet(struct probe *probe, const unsigned char *data, int len)
{
	unsigned char header[HEADER_BYTES] = {PACKET_PRELOGIN, 1};

	header[2] = (unsigned char)((len + HEADER_BYTES) >> 8);
	header[3] = (unsigned char)(len + HEADER_BYTES);
	return put_all(probe, header, sizeof(header)) &&
	       put_all(probe, data, len);
}

/* Into probe->packet; its length without the header, -1 when none came. */
static int get_packet(struct probe *probe)
{
	unsigned char header[HEADER_BYTES];
	int len;

	if (time(NULL) > probe->deadline ||
	    !get_all(probe, header, sizeof(header)))
		return -1;
	len = (header[2] << 8 | header[3]) - HEADER_BYTES;
	if (len < 0 || len > PACKET_BYTES ||
	    !get_all(probe, probe->packet, len))
		return -1;
	return len;
}

/* -------------------------------------------------------------- handshake */

static bool connect_to(struct probe *probe, const struct tds_login *login)
{
	char port[16];

	snprintf(port, sizeof(port), "%d", login->port ? login->port : 1433);
	probe->deadline = time(NULL) + login->login_timeout_s;
	probe->net = BIO_new(BIO_s_connect());
	return probe->net &&
	       BIO_set_conn_hostname(probe->net, login->host) == 1 &&
	       BIO_set_conn_port(probe->net, port) == 1 &&
	       BIO_do_connect_retry(probe->net, login->login_timeout_s,
				    NAP_MS) == 1;
}

/* The server's answer to "encryption on", -1 when it is no SQL Server. */
static int ask_for_encryption(struct probe *probe)
{
	/* version at 11, 6 bytes; encryption at 17, 1 byte */
	static const unsigned char request[] = {0, 0,	 11, 0, 6, 1, 0, 17, 0,
						1, 0xFF, 9,  0, 0, 0, 0, 0,  1};
	int len, at, offset;

	if (!put_packet(probe, request, sizeof(request)))
		return -1;
	len = get_packet(probe);
	for (at = 0; at + 5 <= len && probe->packet[at] != 0xFF; at += 5) {
		offset = probe->packet[at + 1] << 8 | probe->packet[at + 2];
		if (probe->packet[at] == 1 && offset < len)
			return probe->packet[offset];
	}
	return -1;
}

static bool flush(struct probe *probe)
{
	int len;

	while ((len = BIO_read(probe->out, probe->packet,
			       PACKET_BYTES - HEADER_BYTES)) > 0)
		if (!put_packet(probe, probe->packet, len))
			return false;
	return true;
}

static bool handshake(struct probe *probe)
{
	int rc, len;

	for (;;) {
		rc = SSL_connect(probe->ssl);
		if (!flush(probe))
			return false;
		if (rc == 1)
			return true;
		if (SSL_get_error(probe->ssl, rc) != SSL_ERROR_WANT_READ)
			return false;
		len = get_packet(probe);
		if (len < 0 || BIO_write(probe->in, probe->packet, len) != len)
			return false;
	}
}

static bool prepare(struct probe *probe, const struct tds_login *login)
{
	probe->ssl = SSL_new(probe->ctx);
	if (!probe->ssl)
		return false;
	probe->in = BIO_new(BIO_s_mem());
	probe->out = BIO_new(BIO_s_mem());
	if (!probe->in || !probe->out) {
		BIO_free(probe->in);
		BIO_free(probe->out);
		return false;
	}
	SSL_set_bio(probe->ssl, probe->in, probe->out);
	SSL_set_verify(probe->ssl, SSL_VERIFY_NONE, NULL);
	if (!login->trust_certificate) {
		X509_VERIFY_PARAM *param = SSL_get0_param(probe->ssl);

		/* An address is looked for among addresses. */
		if (X509_VERIFY_PARAM_set1_ip_asc(param, login->host) != 1 &&
		    X509_VERIFY_PARAM_set1_host(param, login->host, 0) != 1)
			return false;
	}
	return true;
}

/* ---------------------------------------------------------------- reasons */

static void day_of(const ASN1_TIME *time, char *out, size_t size)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(time, &tm) != 1 ||
	    !strftime(out, size, "%Y-%m-%d", &tm))
		text_copy(out, size, "another day");
}

/* The names that the certificate is made for, as far as they fit. */
static void names_of(X509 *cert, char *out, size_t size)
{
	GENERAL_NAMES *names =
		X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

	out[0] = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type != GEN_DNS)
			continue;
		text_append(out, size, *out ? ", " : "");
		text_append(
			out, size,
			(const char *)ASN1_STRING_get0_data(name->d.dNSName));
	}
	GENERAL_NAMES_free(names);
	if (!*out &&
	    X509_NAME_get_text_by_NID(X509_get_subject_name(cert),
				      NID_commonName, out, (int)size) < 0)
		text_copy(out, size, "somebody else");
	text_make_utf8(out);
}

/* Put the reason in place of what was said; kind and number stay. */
static bool found(struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static bool found(struct error *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->message, sizeof(err->message), fmt, ap);
	va_end(ap);
	text_trim_partial_utf8(err->message);
	return true;
}

static bool judge(struct probe *probe, const struct tds_login *login,
		  struct error *err)
{
	X509 *cert = SSL_get0_peer_certificate(probe->ssl);
	long verdict = SSL_get_verify_result(probe->ssl);
	char text[512];

	if (!cert || verdict == X509_V_OK)
		return false;
	switch (verdict) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		day_of(X509_get0_notAfter(cert), text, sizeof(text));
		return found(err,
			     "the server's certificate expired on %s; give "
			     "the server a new one",
			     text);
	case X509_V_ERR_CERT_NOT_YET_VALID:
		day_of(X509_get0_notBefore(cert), text, sizeof(text));
		return found(err,
			     "the server's certificate is not valid before "
			     "%s; is the clock of this machine right?",
			     text);
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		names_of(cert, text, sizeof(text));
		return found(err,
			     "the server's certificate is made for '%s', not "
			     "for '%s'; connect by that name, or give the "
			     "server another certificate",
			     text, login->host);
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		return found(err,
			     "no CA that is trusted has issued the server's "
			     "certificate (%s); name the file with the right "
			     "one in 'ca file'%s%s%s",
			     X509_verify_cert_error_string(verdict),
			     login->ca_file ? ", which is '" : "",
			     login->ca_file ? login->ca_file : "",
			     login->ca_file ? "' now" : "");
	default:
		return found(err, "the server's certificate is refused: %s",
			     X509_verify_cert_error_string(verdict));
	}
}

/* ------------------------------------------------------------------- probe */

static bool load_authorities(struct probe *probe, const struct tds_login *login)
{
	if (login->ca_file)
		return SSL_CTX_load_verify_file(probe->ctx, login->ca_file) ==
		       1;
	return SSL_CTX_set_default_verify_paths(probe->ctx) == 1;
}

static bool find_reason(struct probe *probe, const struct tds_login *login,
			struct error *err)
{
	int answer;

	probe->ctx = SSL_CTX_new(TLS_client_method());
	if (!probe->ctx)
		return false;
	if (!load_authorities(probe, login))
		return login->ca_file &&
		       found(err,
			     "the file '%s' in 'ca file' cannot be read or "
			     "holds no certificate (PEM); put the CA's there",
			     login->ca_file);
	if (!connect_to(probe, login))
		return false;
	answer = ask_for_encryption(probe);
	if (answer == NO_ENCRYPTION)
		return found(err, "the server offers no encryption; give it a "
				  "certificate, or leave encrypt=true out");
	return answer >= 0 && prepare(probe, login) && handshake(probe) &&
	       judge(probe, login, err);
}

bool tds_probe_encryption(const struct tds_login *login, struct error *err)
{
	struct probe probe = {.net = NULL};
	bool is_found;

	/* An instance's port is known to FreeTDS alone. */
	if (login->instance && !login->port)
		return false;
	is_found = find_reason(&probe, login, err);
	SSL_free(probe.ssl);
	SSL_CTX_free(probe.ctx);
	BIO_free_all(probe.net);
	ERR_clear_error();
	return is_found;
}
