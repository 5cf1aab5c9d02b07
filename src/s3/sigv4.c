/*
 * The signature is an HMAC over a text that stands for the request; the key of
 * it is made from the secret by four HMACs over date, region, service and a
 * constant. libcurl has CURLOPT_AWS_SIGV4, but 7.88 signs path and query as they
 * are given, without their order and with its own idea of which headers count,
 * and how that goes has changed from release to release: so it is done here,
 * where the published vectors are held against it.
 */
#include "s3/sigv4.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/clock.h"

#define ALGORITHM  "AWS4-HMAC-SHA256"
#define HASH_BYTES 32
#define DAY_CHARS  8
#define SECRET_MAX 1024
#define SCOPE_MAX  256

static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "abcdefghijklmnopqrstuvwxyz"
				 "0123456789-._~";

/* ---------------------------------------------------------------- encoding */

static void encode_byte(char out[4], char c, char also)
{
	if (strchr(unreserved, c) || (also && c == also))
		snprintf(out, 4, "%c", c);
	else
		snprintf(out, 4, "%%%02X", (unsigned char)c);
}

static void add_encoded(struct strbuf *out, const char *s, char also)
{
	char encoded[4];

	for (; *s; s++) {
		encode_byte(encoded, *s, also);
		strbuf_addstr(out, encoded);
	}
}

void sigv4_add_path(struct strbuf *out, const char *path)
{
	add_encoded(out, path, '/');
}

void sigv4_add_encoded(struct strbuf *out, const char *value)
{
	add_encoded(out, value, '\0');
}

/* Of their encoded forms, which matters beyond ASCII. */
static int compare_encoded(const char *a, const char *b)
{
	char one[4] = "", other[4] = "";

	while (*a && *a == *b)
		a++, b++;
	if (*a)
		encode_byte(one, *a, '\0');
	if (*b)
		encode_byte(other, *b, '\0');
	return strcmp(one, other);
}

/* By name, then by value. */
static int compare_parameters(const void *a, const void *b)
{
	const struct sigv4_pair *one = a, *other = b;
	int order = compare_encoded(one->name, other->name);

	return order ? order : compare_encoded(one->value, other->value);
}

void sigv4_add_query(struct strbuf *out, const struct sigv4_pair *query,
		     size_t count)
{
	struct sigv4_pair sorted[SIGV4_QUERY_MAX];

	if (!count)
		return;
	if (count > SIGV4_QUERY_MAX) {
		out->failed = ERROR_MEMORY;
		return;
	}
	memcpy(sorted, query, count * sizeof(*query));
	qsort(sorted, count, sizeof(*sorted), compare_parameters);
	for (size_t i = 0; i < count; i++) {
		if (i)
			strbuf_addch(out, '&');
		sigv4_add_encoded(out, sorted[i].name);
		strbuf_addch(out, '=');
		sigv4_add_encoded(out, sorted[i].value);
	}
}

void sigv4_date(char out[SIGV4_DATE_SIZE], int64_t utc_us)
{
	char text[CLOCK_TEXT_MAX];
	size_t n = 0;

	clock_format(text, utc_us);
	for (const char *s = text; *s && *s != '.'; s++)
		if (*s != '-' && *s != ':' && n < SIGV4_DATE_SIZE - 2)
			out[n++] = *s;
	out[n++] = 'Z';
	out[n] = '\0';
}

/* ----------------------------------------------------------------- digests */

static void write_hex(char *out, const unsigned char *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = '\0';
}

int sigv4_hash(const void *data, size_t len, char out[SIGV4_HASH_SIZE],
	       struct error *err)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned int got = 0;

	if (EVP_Digest(data, len, hash, &got, EVP_sha256(), NULL) != 1 ||
	    got != HASH_BYTES)
		return error_set(err, ERROR_SYSTEM,
				 "OpenSSL cannot make a SHA-256");
	write_hex(out, hash, HASH_BYTES);
	return 0;
}

static int hmac(const void *key, size_t key_len, const char *text,
		unsigned char out[HASH_BYTES], struct error *err)
{
	size_t len = 0;

	if (EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key, key_len,
		      (const unsigned char *)text, strlen(text), out,
		      HASH_BYTES, &len) &&
	    len == HASH_BYTES)
		return 0;
	return error_set(err, ERROR_SYSTEM,
			 "OpenSSL cannot make an HMAC-SHA256");
}

static int derive_key(const struct sigv4_key *key,
		      unsigned char out[HASH_BYTES], struct error *err)
{
	char first[SECRET_MAX], day[DAY_CHARS + 1];
	int len, ret = -1;

	len = snprintf(first, sizeof(first), "AWS4%s", key->secret_key);
	snprintf(day, sizeof(day), "%s", key->date);
	if (len < 0 || (size_t)len >= sizeof(first))
		error_set(err, ERROR_CONFIG,
			  "the secret key is longer than %d characters",
			  SECRET_MAX - 5);
	else if (hmac(first, (size_t)len, day, out, err) == 0 &&
		 hmac(out, HASH_BYTES, key->region, out, err) == 0 &&
		 hmac(out, HASH_BYTES, key->service, out, err) == 0 &&
		 hmac(out, HASH_BYTES, "aws4_request", out, err) == 0)
		ret = 0;
	OPENSSL_cleanse(first, sizeof(first));
	return ret;
}

/* ------------------------------------------------------- canonical request */

static int compare_names(const char *a, const char *b)
{
	for (; *a && tolower((unsigned char)*a) == tolower((unsigned char)*b);
	     a++, b++)
		;
	return tolower((unsigned char)*a) - tolower((unsigned char)*b);
}

/* Headers of the same name keep their order, which qsort() would not. */
static void sort_headers(const struct sigv4_request *request,
			 const struct sigv4_pair *sorted[SIGV4_HEADERS_MAX])
{
	for (size_t i = 0; i < request->header_count; i++) {
		const struct sigv4_pair *header = &request->headers[i];
		size_t at = i;

		for (; at &&
		       compare_names(sorted[at - 1]->name, header->name) > 0;
		     at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = header;
	}
}

static void add_lower(struct strbuf *out, const char *s)
{
	for (; *s; s++)
		strbuf_addch(out, (char)tolower((unsigned char)*s));
}

/* Without blanks around it, and one for several inside it. */
static void add_trimmed(struct strbuf *out, const char *s)
{
	bool blank = false, begun = false;

	for (; *s; s++) {
		if (isspace((unsigned char)*s)) {
			blank = begun;
			continue;
		}
		if (blank)
			strbuf_addch(out, ' ');
		blank = false;
		begun = true;
		strbuf_addch(out, *s);
	}
}

static void add_headers(struct strbuf *out, struct strbuf *names,
			const struct sigv4_request *request)
{
	const struct sigv4_pair *sorted[SIGV4_HEADERS_MAX];
	const char *before = NULL;

	sort_headers(request, sorted);
	for (size_t i = 0; i < request->header_count; i++) {
		if (before && !compare_names(before, sorted[i]->name)) {
			strbuf_addch(out, ',');
		} else {
			if (before) {
				strbuf_addch(out, '\n');
				strbuf_addch(names, ';');
			}
			add_lower(out, sorted[i]->name);
			add_lower(names, sorted[i]->name);
			strbuf_addch(out, ':');
		}
		add_trimmed(out, sorted[i]->value);
		before = sorted[i]->name;
	}
	strbuf_addch(out, '\n');
}

/* What stands for the request, hashed; and the names of the headers in it. */
static int canonical_hash(const struct sigv4_request *request,
			  struct strbuf *names, char out[SIGV4_HASH_SIZE],
			  struct error *err)
{
	struct strbuf text;
	int ret = -1;

	if (request->header_count > SIGV4_HEADERS_MAX)
		return error_set(err, ERROR_INTERNAL,
				 "a request with more than %d headers",
				 SIGV4_HEADERS_MAX);
	strbuf_init(&text);
	strbuf_addf(&text, "%s\n", request->method);
	sigv4_add_path(&text, request->path);
	strbuf_addch(&text, '\n');
	sigv4_add_query(&text, request->query, request->query_count);
	strbuf_addch(&text, '\n');
	add_headers(&text, names, request);
	strbuf_addf(&text, "\n%s\n%s", names->data, request->payload_hash);
	if (strbuf_check(&text, err) == 0 && strbuf_check(names, err) == 0)
		ret = sigv4_hash(text.data, text.len, out, err);
	strbuf_release(&text);
	return ret;
}

/* --------------------------------------------------------------- signature */

static int sign_text(const struct sigv4_key *key, const char *scope,
		     const char *hash, char out[SIGV4_HASH_SIZE],
		     struct error *err)
{
	unsigned char mac[HASH_BYTES];
	struct strbuf text;
	int ret = -1;

	strbuf_init(&text);
	strbuf_addf(&text, ALGORITHM "\n%s\n%s\n%s", key->date, scope, hash);
	if (strbuf_check(&text, err) == 0 && derive_key(key, mac, err) == 0 &&
	    hmac(mac, sizeof(mac), text.data, mac, err) == 0) {
		write_hex(out, mac, sizeof(mac));
		ret = 0;
	}
	OPENSSL_cleanse(mac, sizeof(mac));
	strbuf_release(&text);
	return ret;
}

int sigv4_sign(const struct sigv4_request *request, const struct sigv4_key *key,
	       struct strbuf *out, struct error *err)
{
	char hash[SIGV4_HASH_SIZE], signature[SIGV4_HASH_SIZE];
	char scope[SCOPE_MAX];
	struct strbuf names;
	int len, ret = -1;

	strbuf_init(&names);
	len = snprintf(scope, sizeof(scope), "%.*s/%s/%s/aws4_request",
		       DAY_CHARS, key->date, key->region, key->service);
	if (len < 0 || (size_t)len >= sizeof(scope))
		error_set(err, ERROR_CONFIG, "the region is too long a name");
	else if (canonical_hash(request, &names, hash, err) == 0 &&
		 sign_text(key, scope, hash, signature, err) == 0) {
		strbuf_addf(out,
			    ALGORITHM " Credential=%s/%s, SignedHeaders=%s, "
				      "Signature=%s",
			    key->access_key, scope, names.data, signature);
		ret = strbuf_check(out, err);
	}
	strbuf_release(&names);
	return ret;
}
