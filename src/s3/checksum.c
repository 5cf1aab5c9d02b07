#include "s3/checksum.h"

#include <string.h>

#include <openssl/evp.h>

#include "base/crc32c.h"

#define SHA256_BYTES 32

void s3_base64(const unsigned char *bytes, size_t len, char *out)
{
	EVP_EncodeBlock((unsigned char *)out, bytes, (int)len);
}

int s3_base64_bytes(const char *text, unsigned char *out, size_t size)
{
	unsigned char raw[S3_CHECKSUM_MAX];
	size_t len = strlen(text), fill = 0;
	int got;

	if (!len || len % 4 || len > sizeof(raw))
		return -1;
	while (fill < 2 && text[len - 1 - fill] == '=')
		fill++;
	got = EVP_DecodeBlock(raw, (const unsigned char *)text, (int)len);
	if (got < 0 || (size_t)got - fill > size)
		return -1;
	memcpy(out, raw, (size_t)got - fill);
	return got - (int)fill;
}

void s3_crc32c_text(uint32_t crc, char out[S3_CHECKSUM_MAX])
{
	unsigned char bytes[] = {(unsigned char)(crc >> 24),
				 (unsigned char)(crc >> 16),
				 (unsigned char)(crc >> 8), (unsigned char)crc};

	s3_base64(bytes, sizeof(bytes), out);
}

int s3_checksum(enum s3_checksum kind, const void *data, size_t len,
		char out[S3_CHECKSUM_MAX], struct error *err)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned int got = 0;

	*out = '\0';
	if (kind == S3_CHECKSUM_CRC32C) {
		s3_crc32c_text(crc32c_update(0, data, len), out);
	} else if (kind == S3_CHECKSUM_SHA256) {
		if (EVP_Digest(data, len, hash, &got, EVP_sha256(), NULL) !=
			    1 ||
		    got != SHA256_BYTES)
			return error_set(err, ERROR_SYSTEM,
					 "OpenSSL cannot make a SHA-256");
		s3_base64(hash, got, out);
	}
	return 0;
}

const char *s3_checksum_header(enum s3_checksum kind)
{
	static const char *const names[] = {
		[S3_CHECKSUM_CRC32C] = "x-amz-checksum-crc32c",
		[S3_CHECKSUM_SHA256] = "x-amz-checksum-sha256",
		[S3_CHECKSUM_NONE] = NULL,
	};

	return names[kind];
}

const char *s3_checksum_name(enum s3_checksum kind)
{
	static const char *const names[] = {
		[S3_CHECKSUM_CRC32C] = "CRC32C",
		[S3_CHECKSUM_SHA256] = "SHA256",
		[S3_CHECKSUM_NONE] = NULL,
	};

	return names[kind];
}

const char *s3_checksum_in(const struct s3_info *info, enum s3_checksum kind)
{
	return kind == S3_CHECKSUM_CRC32C   ? info->crc32c
	       : kind == S3_CHECKSUM_SHA256 ? info->sha256
					    : "";
}
