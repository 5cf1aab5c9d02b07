/* HASHBYTES and CHECKSUM. */
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#include "fn/fn.h"

/* The bytes of text or of a binary value; never NULL. */
static const char *bytes_of(sqlite3_value *v, size_t *len)
{
	const char *p;

	if (sqlite3_value_type(v) != SQLITE_BLOB)
		return fn_text(v, len);
	p = sqlite3_value_blob(v);
	*len = (size_t)sqlite3_value_bytes(v);
	return p ? p : "";
}

static void fn_hashbytes(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	static const struct {
		const char *name;
		const char *openssl;
	} names[] = {{"MD5", "MD5"},
		     {"SHA", "SHA1"},
		     {"SHA1", "SHA1"},
		     {"SHA2_256", "SHA256"},
		     {"SHA2_512", "SHA512"}};
	unsigned char out[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	const char *name, *data;
	size_t i, name_len, data_len;

	if (fn_null(ctx, argc, argv))
		return;
	name = fn_text(argv[0], &name_len);
	data = bytes_of(argv[1], &data_len);
	for (i = 0; i < LENGTH_OF(names); i++)
		if (strlen(names[i].name) == name_len &&
		    !strncasecmp(names[i].name, name, name_len)) {
			const EVP_MD *md =
				EVP_get_digestbyname(names[i].openssl);

			if (md &&
			    EVP_Digest(data, data_len, out, &len, md, NULL))
				sqlite3_result_blob(ctx, out, (int)len,
						    SQLITE_TRANSIENT);
			return;
		}
}

/* checksum_(binary, value, type, …): 32 bits; not the server's own numbers. */
static void fn_checksum(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	bool binary = sqlite3_value_int(argv[0]);
	uint32_t h = 0;
	int i;

	for (i = 1; i + 1 < argc; i += 2) {
		struct val v = fn_val(argv[i]);
		struct type t = type_unpack(sqlite3_value_int64(argv[i + 1]));
		uint32_t x = 0;
		size_t k;

		if (type_is_integer(t) && v.cls == VAL_INT) {
			x = (uint32_t)v.i ^
			    (t.kind == TY_BIGINT ? (uint32_t)(v.i >> 32) : 0);
			if (argc == 3) { /* CHECKSUM of an int is the int */
				sqlite3_result_int(ctx, (int)x);
				return;
			}
		} else if (v.cls == VAL_TEXT) {
			while (v.n && v.p[v.n - 1] == ' ')
				v.n--;
			for (k = 0; k < v.n; k++) {
				unsigned char c = (unsigned char)v.p[k];

				if (!binary && c >= 'a' && c <= 'z')
					c = (unsigned char)(c - 32);
				x = (x << 4 | x >> 28) ^ c;
			}
		} else if (v.cls == VAL_BLOB) {
			for (k = 0; k < v.n; k++)
				x = (x << 4 | x >> 28) ^ (unsigned char)v.p[k];
		} else if (v.cls == VAL_NULL) {
			x = 0x7FFFFFFF;
		} else {
			uint64_t bits;

			memcpy(&bits, &v.i, 8);
			x = (uint32_t)bits ^ (uint32_t)(bits >> 32);
		}
		h = (h << 4 | h >> 28) ^ x;
	}
	sqlite3_result_int(ctx, (int)h);
}

static const struct fn_def defs[] = {
	{"hashbytes_", 2, FN_PURE, fn_hashbytes},
	{"checksum_", -1, FN_PURE, fn_checksum},
};

void fn_register_hash(struct session *s)
{
	fn_register(s, defs, (int)LENGTH_OF(defs));
}
