#ifndef S3_CHECKSUM_H
#define S3_CHECKSUM_H

#include "base/strbuf.h"
#include "s3/client.h"

/*
 * Checksums of objects and parts, as headers have them: in Base64.
 */

/* Of some bytes; "" for S3_CHECKSUM_NONE. */
int s3_checksum(enum s3_checksum kind, const void *data, size_t len,
		char out[S3_CHECKSUM_MAX], struct error *err)
	__attribute__((warn_unused_result));

/* "x-amz-checksum-crc32c" and so on; NULL for S3_CHECKSUM_NONE. */
const char *s3_checksum_header(enum s3_checksum kind);

/* "CRC32C" and so on, likewise. */
const char *s3_checksum_name(enum s3_checksum kind);

/* Which of them an object has. */
const char *s3_checksum_in(const struct s3_info *info, enum s3_checksum kind);

/* A CRC-32C that base/crc32c.h has made. */
void s3_crc32c_text(uint32_t crc, char out[S3_CHECKSUM_MAX]);

/* Bytes in Base64; `out` has room for 4 / 3 of them and a NUL. */
void s3_base64(const unsigned char *bytes, size_t len, char *out);

/* The other way round; the number of bytes, -1 if it is not that. */
int s3_base64_bytes(const char *text, unsigned char *out, size_t size);

#endif
