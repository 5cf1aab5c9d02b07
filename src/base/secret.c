#include "base/secret.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/keyring.h"

#define PREFIX	    "enc:"
#define VERSION	    "v1:"
#define NONCE_BYTES 12 /* random, and never used twice by chance */
#define TAG_BYTES   16
#define RAW_MIN	    (NONCE_BYTES + TAG_BYTES)
#define RAW_MAX	    (RAW_MIN + SECRET_BYTES_MAX)
#define BASE64_SIZE ((RAW_MAX + 2) / 3 * 4 + 1)

/* "enc:v1:0123abcd:", which is authenticated, too. */
#define HEAD_LEN  (sizeof(PREFIX VERSION) - 1 + KEYRING_ID_SIZE)
#define HEAD_SIZE (HEAD_LEN + 1)

#define MAKE_ANEW "; copy all that 'dbaops-dataflow encrypt' printed"

void secret_free(char *s)
{
	if (s)
		OPENSSL_cleanse(s, strlen(s));
	free(s);
}

void secret_release(struct strbuf *sb)
{
	if (sb->size)
		OPENSSL_cleanse(sb->data, sb->size);
	strbuf_release(sb);
}

bool secret_is_encrypted(const char *text)
{
	return !strncmp(text, PREFIX, strlen(PREFIX));
}

static void make_head(char head[HEAD_SIZE], const struct keyring_key *key)
{
	snprintf(head, HEAD_SIZE, PREFIX VERSION "%s:", key->id);
}

/* --------------------------------------------------------------- Base64url */

static void swap(char *text, const char *from, const char *to)
{
	for (; *text; text++)
		for (int i = 0; from[i]; i++)
			if (*text == from[i]) {
				*text = to[i];
				break;
			}
}

static void encode(const unsigned char *raw, size_t len, char out[BASE64_SIZE])
{
	EVP_EncodeBlock((unsigned char *)out, raw, (int)len);
	swap(out, "+/", "-_");
	out[strcspn(out, "=")] = '\0';
}

/*
 * The number of bytes, or -1 for a text that encode() would not write: every
 * other reading of it would be a second text for the same secret.
 */
static int decode(const char *text, unsigned char raw[BASE64_SIZE])
{
	char padded[BASE64_SIZE], again[BASE64_SIZE];
	size_t len = strlen(text), fill = (4 - len % 4) % 4;
	int got;

	if (fill == 3 || len + fill >= sizeof(padded))
		return -1;
	memcpy(padded, text, len + 1);
	swap(padded, "-_", "+/");
	for (size_t i = 0; i < fill; i++)
		padded[len + i] = '=';
	got = EVP_DecodeBlock(raw, (unsigned char *)padded, (int)(len + fill));
	if (got < (int)fill)
		return -1;
	got -= (int)fill;
	if (got > RAW_MAX)
		return -1;
	encode(raw, (size_t)got, again);
	return strcmp(again, text) ? -1 : got;
}

/* -------------------------------------------------------------- AES-256-GCM */

/* `raw` becomes nonce, ciphertext, tag. */
static bool seal(const struct keyring_key *key, const char *head,
		 const char *plain, size_t len, unsigned char *raw)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	unsigned char *text = raw + NONCE_BYTES;
	int done;
	bool ok;

	ok = ctx && RAND_bytes(raw, NONCE_BYTES) == 1 &&
	     EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->bytes,
				raw) == 1 &&
	     EVP_EncryptUpdate(ctx, NULL, &done, (const unsigned char *)head,
			       (int)strlen(head)) == 1 &&
	     EVP_EncryptUpdate(ctx, text, &done, (const unsigned char *)plain,
			       (int)len) == 1 &&
	     EVP_EncryptFinal_ex(ctx, text + len, &done) == 1 &&
	     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_BYTES,
				 text + len) == 1;
	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

/*
 * `plain` has room for `len` - RAW_MIN bytes, which are worth nothing unless it
 * is 1. 0: they were not sealed with that key, or altered; -1: OpenSSL cannot
 * tell.
 */
static int unseal(const struct keyring_key *key, const char *head,
		  unsigned char *raw, size_t len, unsigned char *plain)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	size_t count = len - RAW_MIN;
	int done, ret = -1;

	if (ctx &&
	    EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->bytes, raw) ==
		    1 &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_BYTES,
				raw + len - TAG_BYTES) == 1 &&
	    EVP_DecryptUpdate(ctx, NULL, &done, (const unsigned char *)head,
			      (int)strlen(head)) == 1 &&
	    EVP_DecryptUpdate(ctx, plain, &done, raw + NONCE_BYTES,
			      (int)count) == 1)
		ret = EVP_DecryptFinal_ex(ctx, plain + count, &done) == 1;
	EVP_CIPHER_CTX_free(ctx);
	return ret;
}

/* ------------------------------------------------------------------ the text */

int secret_encrypt(const char *plain, struct strbuf *out, struct error *err)
{
	char head[HEAD_SIZE], text[BASE64_SIZE];
	unsigned char raw[RAW_MAX];
	size_t len = strlen(plain);
	struct keyring ring;
	bool ok;

	if (len > SECRET_BYTES_MAX)
		return error_set(err, ERROR_CONFIG,
				 "the secret is longer than %d bytes",
				 SECRET_BYTES_MAX);
	if (keyring_read(&ring, err) < 0)
		return -1;
	make_head(head, &ring.keys[0]);
	ok = seal(&ring.keys[0], head, plain, len, raw);
	keyring_wipe(&ring);
	if (!ok)
		return error_set(err, ERROR_SYSTEM,
				 "OpenSSL cannot encrypt with AES-256-GCM");
	encode(raw, RAW_MIN + len, text);
	strbuf_addf(out, "%s%s", head, text);
	return strbuf_check(out, err);
}

/* What stands before the data, which begins at HEAD_LEN. */
static int read_head(const char *text, char id[KEYRING_ID_SIZE],
		     struct error *err)
{
	const char *digits = text + strlen(PREFIX VERSION);
	size_t version = strspn(text + strlen(PREFIX), "v0123456789");

	if (strncmp(text, PREFIX VERSION, strlen(PREFIX VERSION)) != 0) {
		if (version > 1 && text[strlen(PREFIX) + version] == ':')
			return error_set(err, ERROR_CONFIG,
					 "the encrypted value is of a version "
					 "that this program does not know; "
					 "encrypt the secret again with "
					 "'dbaops-dataflow encrypt'");
		return error_set(err, ERROR_CONFIG,
				 "what begins with enc: is not of the form "
				 "enc:v1:KEY:DATA; make it with "
				 "'dbaops-dataflow encrypt', also of a "
				 "password that really begins so");
	}
	if (strspn(digits, "0123456789abcdef") != KEYRING_ID_SIZE - 1 ||
	    digits[KEYRING_ID_SIZE - 1] != ':')
		return error_set(err, ERROR_CONFIG,
				 "the encrypted value does not name its key by "
				 "eight hexadecimal digits" MAKE_ANEW);
	memcpy(id, digits, KEYRING_ID_SIZE - 1);
	id[KEYRING_ID_SIZE - 1] = '\0';
	return 0;
}

static int append_unsealed(const struct keyring_key *key, unsigned char *raw,
			   size_t len, struct strbuf *out, struct error *err)
{
	size_t count = len - RAW_MIN;
	char head[HEAD_SIZE];
	char *plain;
	int rc;

	plain = strbuf_reserve(out, count);
	if (!plain)
		return strbuf_check(out, err);
	make_head(head, key);
	rc = unseal(key, head, raw, len, (unsigned char *)plain);
	if (rc < 0)
		return error_set(err, ERROR_SYSTEM,
				 "OpenSSL cannot decrypt with AES-256-GCM");
	if (!rc) {
		OPENSSL_cleanse(plain, count);
		return error_set(err, ERROR_CONFIG,
				 "the encrypted value was altered, or cut "
				 "short, after it was made" MAKE_ANEW);
	}
	plain[count] = '\0';
	if (strlen(plain) != count) {
		OPENSSL_cleanse(plain, count);
		return error_set(err, ERROR_CONFIG,
				 "the encrypted value holds a NUL; encrypt the "
				 "secret again with 'dbaops-dataflow encrypt'");
	}
	out->len += count;
	return 0;
}

int secret_decrypt(const char *text, struct strbuf *out, bool *old_key,
		   struct error *err)
{
	unsigned char raw[BASE64_SIZE];
	const struct keyring_key *key;
	char id[KEYRING_ID_SIZE];
	struct keyring ring;
	int len, ret;

	if (read_head(text, id, err) < 0)
		return -1;
	len = decode(text + HEAD_LEN, raw);
	if (len < 0)
		return error_set(err, ERROR_CONFIG,
				 "the encrypted value has signs that cannot be "
				 "in it, or lacks some" MAKE_ANEW);
	if (len < RAW_MIN)
		return error_set(err, ERROR_CONFIG,
				 "the encrypted value was cut short" MAKE_ANEW);
	if (keyring_read(&ring, err) < 0)
		return -1;
	key = keyring_find(&ring, id);
	if (key)
		ret = append_unsealed(key, raw, (size_t)len, out, err);
	else
		ret = error_set(err, ERROR_CONFIG,
				"the value was encrypted with key %s, which is "
				"not in file '%s'; add that key to the file, "
				"or encrypt the secret again with "
				"'dbaops-dataflow encrypt'",
				id, keyring_file());
	*old_key = key != &ring.keys[0];
	keyring_wipe(&ring);
	return ret;
}
