#include "notify/signature.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/strbuf.h"

#define DIGEST_BYTES 32

int signature_make(const char *secret, int64_t timestamp, const char *body,
		   char out[SIGNATURE_TEXT_MAX], struct error *err)
{
	unsigned char digest[DIGEST_BYTES];
	struct strbuf text;
	size_t len = 0;
	int ret = -1;

	strbuf_init(&text);
	strbuf_addf(&text, "%lld.", (long long)timestamp);
	strbuf_addstr(&text, body);
	if (strbuf_check(&text, err) < 0)
		goto done;
	if (!EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, secret,
		       strlen(secret), (const unsigned char *)text.data,
		       text.len, digest, sizeof(digest), &len) ||
	    len != sizeof(digest)) {
		error_set(err, ERROR_SYSTEM,
			  "OpenSSL cannot make an HMAC-SHA256");
		goto done;
	}
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
	ret = 0;
done:
	strbuf_release(&text);
	return ret;
}
