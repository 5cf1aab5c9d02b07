/*
 * Encrypted secrets and the key file, base/secret.h and base/keyring.h.
 *
 * What was encrypted comes out as it went in, and stays the same in a
 * connection string. One changed, lost or added sign, and it is refused. A text
 * of anything behind `enc:` is refused, or decrypts to what encrypts again; a
 * key file of anything is read or refused. No message has a word of the secret,
 * of the encrypted text or of the key file in it.
 */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/connstr.h"
#include "base/keyring.h"
#include "base/secret.h"

/* Two keys; the corpus has texts that were made with each. */
#define KEYS                                             \
	"# first\n"                                      \
	"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n" \
	"//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA=\n"
#define SECRET "CANARY"

static char keys[600], anything[600];

static void write_keys(const char *path, const void *data, size_t len)
{
	FILE *file = fopen(path, "wb");

	HOLDS(file);
	HOLDS(fwrite(data, 1, len, file) == len);
	HOLDS(fclose(file) == 0);
	HOLDS(chmod(path, 0600) == 0);
}

static void use(const char *path)
{
	struct error err = ERROR_INIT;

	HOLDS(keyring_set_file(path, &err) == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	snprintf(keys, sizeof(keys), "%s/keys", private_folder());
	snprintf(anything, sizeof(anything), "%s/any", private_folder());
	write_keys(keys, KEYS, strlen(KEYS));
	return 0;
}

/* `hidden` must not be told. */
static int decrypt(const char *text, const char *hidden, struct strbuf *out)
{
	struct error err = ERROR_INIT;
	bool old_key;

	strbuf_init(out);
	if (secret_decrypt(text, out, &old_key, &err) == 0)
		return 0;
	check_error(&err);
	HOLDS(err.kind == ERROR_CONFIG);
	HOLDS(!strstr(err.message, hidden));
	HOLDS(!out->len);
	return -1;
}

static void check_connection_string(const char *text, const char *plain)
{
	struct error err = ERROR_INIT;
	struct strbuf string;
	struct connstr cs;

	strbuf_init(&string);
	strbuf_addf(&string, "a=%s;b={%s} ; c = '%s'", text, text, text);
	HOLDS(connstr_parse(&cs, string.data, &err) == 0);
	HOLDS(cs.count == 3);
	for (int i = 0; i < 3; i++)
		HOLDS(!strcmp(cs.entries[i].value, plain));
	connstr_release(&cs);
	strbuf_release(&string);
}

/* Change, remove or add a sign. */
static void damage(struct input *in, struct strbuf *text)
{
	size_t at = take_number(in, 2) % text->len;
	char sign = (char)(take_byte(in) % 255 + 1);

	switch (take_below(in, 3)) {
	case 0:
		if (text->data[at] == sign)
			sign = sign == 'A' ? 'B' : 'A';
		text->data[at] = sign;
		break;
	case 1:
		memmove(text->data + at, text->data + at + 1, text->len - at);
		text->len--;
		break;
	default:
		strbuf_addch(text, sign);
		memmove(text->data + at + 1, text->data + at,
			text->len - at - 1);
		text->data[at] = sign;
	}
}

static void check_round_trip(struct input *in)
{
	char *plain = take_text(in, SECRET_BYTES_MAX);
	struct error err = ERROR_INIT;
	struct strbuf text, out;

	use(keys);
	strbuf_init(&text);
	HOLDS(secret_encrypt(plain, &text, &err) == 0);
	HOLDS(secret_is_encrypted(text.data));
	HOLDS(decrypt(text.data, SECRET, &out) == 0);
	HOLDS(!strcmp(out.data, plain));
	secret_release(&out);
	check_connection_string(text.data, plain);
	damage(in, &text);
	if (secret_is_encrypted(text.data))
		HOLDS(decrypt(text.data, text.data + 20, &out) < 0);
	secret_release(&out);
	strbuf_release(&text);
	free(plain);
}

static void check_anything(struct input *in)
{
	char *tail = take_text(in, in->len);
	struct error err = ERROR_INIT;
	struct strbuf text, out, again;

	use(keys);
	strbuf_init(&text);
	strbuf_init(&again);
	strbuf_addf(&text, "enc:%.*s" SECRET "%s", (int)(strlen(tail) / 2),
		    tail, tail + strlen(tail) / 2);
	HOLDS(decrypt(text.data, SECRET, &out) < 0 || strstr(tail, SECRET));
	secret_release(&out);
	strbuf_reset(&text);
	strbuf_addf(&text, "enc:%s", tail);
	if (decrypt(text.data, "enc:v1:0", &out) == 0) {
		HOLDS(secret_encrypt(out.data, &again, &err) == 0);
		HOLDS(again.len == text.len);
	}
	secret_release(&out);
	strbuf_release(&again);
	strbuf_release(&text);
	free(tail);
}

static void check_key_file(struct input *in)
{
	struct error err = ERROR_INIT;
	struct keyring ring;
	unsigned char *data;
	struct strbuf text;
	size_t len;

	data = take_bytes(in, in->len, &len);
	strbuf_init(&text);
	strbuf_add(&text, data, len);
	strbuf_addstr(&text, SECRET);
	write_keys(anything, text.data, text.len);
	use(anything);
	if (keyring_read(&ring, &err) == 0) {
		HOLDS(ring.count > 0 && ring.count <= KEYRING_KEYS_MAX);
		for (int i = 0; i < ring.count; i++)
			HOLDS(strlen(ring.keys[i].id) == KEYRING_ID_SIZE - 1);
	} else {
		check_error(&err);
		HOLDS(err.kind == ERROR_CONFIG);
		HOLDS(!strstr(err.message, SECRET));
	}
	strbuf_release(&text);
	free(data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};

	switch (take_below(&in, 3)) {
	case 0:
		check_round_trip(&in);
		break;
	case 1:
		check_anything(&in);
		break;
	default:
		check_key_file(&in);
	}
	return 0;
}
