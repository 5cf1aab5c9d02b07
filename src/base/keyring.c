#include "base/keyring.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/platform.h"
#include "base/text.h"

#define FILE_MAX     8192
#define PATH_SIZE    1024
#define LINE_CHARS   44 /* 32 bytes in Base64 */
#define DIGEST_BYTES 32

static char file[PATH_SIZE] = KEYRING_DEFAULT_FILE;

int keyring_set_file(const char *path, struct error *err)
{
	if (!*path || strlen(path) >= sizeof(file))
		return error_set(err, ERROR_CONFIG,
				 "the name of the key file is empty, or longer "
				 "than %d bytes",
				 PATH_SIZE - 1);
	memcpy(file, path, strlen(path) + 1);
	return 0;
}

const char *keyring_file(void)
{
	return file;
}

void keyring_wipe(struct keyring *ring)
{
	OPENSSL_cleanse(ring, sizeof(*ring));
}

/* A part of a digest tells nothing of a key of 256 random bits. */
static int name_key(struct keyring_key *key, struct error *err)
{
	static const char label[] = "dbaops-dataflow key";
	unsigned char text[sizeof(label) + KEYRING_KEY_BYTES];
	unsigned char digest[DIGEST_BYTES];
	int rc;

	memcpy(text, label, sizeof(label));
	memcpy(text + sizeof(label), key->bytes, KEYRING_KEY_BYTES);
	rc = EVP_Digest(text, sizeof(text), digest, NULL, EVP_sha256(), NULL);
	OPENSSL_cleanse(text, sizeof(text));
	if (rc != 1)
		return error_memory(err, "a SHA-256");
	for (int i = 0; i < (KEYRING_ID_SIZE - 1) / 2; i++)
		snprintf(key->id + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

static void encode(const unsigned char *bytes, char line[LINE_CHARS + 1])
{
	EVP_EncodeBlock((unsigned char *)line, bytes, KEYRING_KEY_BYTES);
}

/* OpenSSL takes more for Base64 than this; what it would write is taken. */
static bool decode(const char *line, unsigned char *bytes)
{
	unsigned char raw[LINE_CHARS / 4 * 3];
	char again[LINE_CHARS + 1];
	bool ok;

	ok = strlen(line) == LINE_CHARS &&
	     EVP_DecodeBlock(raw, (const unsigned char *)line, LINE_CHARS) ==
		     (int)sizeof(raw);
	if (ok) {
		encode(raw, again);
		ok = CRYPTO_memcmp(again, line, LINE_CHARS) == 0;
		memcpy(bytes, raw, KEYRING_KEY_BYTES);
	}
	OPENSSL_cleanse(raw, sizeof(raw));
	OPENSSL_cleanse(again, sizeof(again));
	return ok;
}

static int add_line(struct keyring *ring, char *line, int number,
		    struct error *err)
{
	line = text_trim(line);
	if (!*line || *line == '#')
		return 0;
	if (ring->count == KEYRING_KEYS_MAX)
		return error_set(err, ERROR_CONFIG,
				 "file '%s' has more than %d keys; remove "
				 "those that no secret needs any more",
				 file, KEYRING_KEYS_MAX);
	if (!decode(line, ring->keys[ring->count].bytes))
		return error_set(err, ERROR_CONFIG,
				 "file '%s', line %d: no key; a key is a line "
				 "of 32 bytes in Base64, as 'openssl rand "
				 "-base64 32' prints",
				 file, number);
	return name_key(&ring->keys[ring->count++], err);
}

static int add_lines(struct keyring *ring, char *text, int len,
		     struct error *err)
{
	char *next;
	int number = 1;

	if (strlen(text) != (size_t)len)
		return error_set(err, ERROR_CONFIG,
				 "file '%s' is no text; name the key file",
				 file);
	for (; text; text = next) {
		next = strchr(text, '\n');
		if (next)
			*next++ = '\0';
		if (add_line(ring, text, number++, err) < 0)
			return -1;
	}
	if (ring->count)
		return 0;
	return error_set(err, ERROR_CONFIG,
			 "file '%s' has no key in it; remove it, and have "
			 "'dbaops-dataflow encrypt --new-key' make one",
			 file);
}

int keyring_read(struct keyring *ring, struct error *err)
{
	char text[FILE_MAX];
	int len, ret = -1;

	memset(ring, 0, sizeof(*ring));
	len = platform_read_private(file, text, sizeof(text), err);
	if (len >= 0)
		ret = add_lines(ring, text, len, err);
	OPENSSL_cleanse(text, sizeof(text));
	if (ret == 0)
		return 0;
	keyring_wipe(ring);
	error_wrap(err, "the key of encrypted secrets");
	if (err->kind == ERROR_MEMORY)
		return -1;
	if (err->kind == ERROR_SYSTEM)
		error_append(err, "'dbaops-dataflow encrypt --new-key' makes "
				  "it; key_file in dataflow.conf says where; "
				  "this user must be able to read it");
	err->kind = ERROR_CONFIG;
	return -1;
}

const struct keyring_key *keyring_find(const struct keyring *ring,
				       const char *id)
{
	for (int i = 0; i < ring->count; i++)
		if (!strcmp(ring->keys[i].id, id))
			return &ring->keys[i];
	return NULL;
}

int keyring_make_file(char id[KEYRING_ID_SIZE], struct error *err)
{
	char line[LINE_CHARS + 1], text[256];
	struct keyring_key key;
	int ret = -1;

	if (RAND_bytes(key.bytes, sizeof(key.bytes)) != 1) {
		error_set(err, ERROR_SYSTEM, "OpenSSL has no random numbers");
		goto done;
	}
	if (name_key(&key, err) < 0)
		goto done;
	encode(key.bytes, line);
	snprintf(text, sizeof(text),
		 "# key %s of dbaops-dataflow: the first key here encrypts, "
		 "all decrypt\n%s\n",
		 key.id, line);
	ret = platform_create_private(file, text, strlen(text), err);
	if (ret < 0 && err->native == EEXIST)
		error_append(err, "secrets may need its keys: make the new one "
				  "elsewhere, and put its line on top");
	memcpy(id, key.id, sizeof(key.id));
done:
	OPENSSL_cleanse(&key, sizeof(key));
	OPENSSL_cleanse(line, sizeof(line));
	OPENSSL_cleanse(text, sizeof(text));
	return ret;
}
