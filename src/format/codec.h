#ifndef FORMAT_CODEC_H
#define FORMAT_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "format/format.h"

/*
 * Compression of one piece of known length at a time, as pages of Parquet are.
 * Belongs to one thread at a time.
 */
struct codec {
	enum format_compression compression;
	int level;
	void *packer, *unpacker; /* the library's, made when first needed */
};

/* The memory that compressing takes at the most, of pieces or of a stream. */
size_t codec_bytes(enum format_compression compression, int level);

/* A compressor of zstd (a ZSTD_CCtx) that keeps to that, or NULL. */
void *codec_new_zstd(int level);

void codec_init(struct codec *codec, enum format_compression compression,
		int level);
void codec_release(struct codec *codec); /* safe when zeroed */

/* Append the compressed piece. */
int codec_pack(struct codec *codec, const void *data, size_t len,
	       struct strbuf *out, struct error *err)
	__attribute__((warn_unused_result));

/*
 * The reverse of a piece that was `out_len` bytes, no more and no less:
 * anything else is ERROR_DATA. Appends.
 */
int codec_unpack(struct codec *codec, const void *data, size_t len,
		 size_t out_len, struct strbuf *out, struct error *err)
	__attribute__((warn_unused_result));

/* CRC-32 as gzip has it. */
uint32_t codec_crc32(const void *data, size_t len);

#endif
