#include "format/codec.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#define GZIP_WINDOW (15 + 16) /* 32 KiB, with gzip's header and trailer */
#define GZIP_MEMORY 8

void codec_init(struct codec *codec, enum format_compression compression,
		int level)
{
	memset(codec, 0, sizeof(*codec));
	codec->compression = compression;
	codec->level = level;
}

static void free_zlib(z_stream *stream, int (*end)(z_stream *))
{
	if (stream)
		end(stream);
	free(stream);
}

void codec_release(struct codec *codec)
{
	if (codec->compression == FORMAT_GZIP) {
		free_zlib(codec->packer, deflateEnd);
		free_zlib(codec->unpacker, inflateEnd);
	} else if (codec->compression == FORMAT_ZSTD) {
		ZSTD_freeCCtx(codec->packer);
		ZSTD_freeDCtx(codec->unpacker);
	}
	codec->packer = NULL;
	codec->unpacker = NULL;
}

uint32_t codec_crc32(const void *data, size_t len)
{
	return (uint32_t)crc32_z(0, data, len);
}

static int no_memory(struct error *err)
{
	return error_memory(err, "a compressed page");
}

static int damaged(struct error *err)
{
	return error_set(err, ERROR_DATA,
			 "a compressed page is damaged: it does not unpack to "
			 "as many bytes as it should");
}

/* Room for a result of at most `most` bytes, which are added afterwards. */
static void *make_room(struct strbuf *out, size_t most, struct error *err)
{
	void *to = strbuf_reserve(out, most);

	if (!to && strbuf_check(out, err) == 0)
		no_memory(err);
	return to;
}

static void add_room(struct strbuf *out, size_t len)
{
	out->len += len;
	out->data[out->len] = '\0';
}

/* ------------------------------------------------------------------- gzip */

static z_stream *new_zlib(void **handle)
{
	if (!*handle)
		*handle = calloc(1, sizeof(z_stream));
	return *handle;
}

static z_stream *packer_gzip(struct codec *codec)
{
	z_stream *stream = codec->packer;
	int level = codec->level ? codec->level : Z_DEFAULT_COMPRESSION;

	if (stream)
		return deflateReset(stream) == Z_OK ? stream : NULL;
	stream = new_zlib(&codec->packer);
	if (stream && deflateInit2(stream, level, Z_DEFLATED, GZIP_WINDOW,
				   GZIP_MEMORY, Z_DEFAULT_STRATEGY) == Z_OK)
		return stream;
	free(stream);
	codec->packer = NULL;
	return NULL;
}

static int pack_gzip(struct codec *codec, const void *data, size_t len,
		     struct strbuf *out, struct error *err)
{
	z_stream *stream = packer_gzip(codec);
	size_t most;
	void *to;

	if (!stream)
		return no_memory(err);
	most = deflateBound(stream, len);
	if (len > UINT_MAX || most > UINT_MAX)
		return error_set(err, ERROR_DATA,
				 "a value is too long to be compressed");
	to = make_room(out, most, err);
	if (!to)
		return -1;
	stream->next_in = (Bytef *)(uintptr_t)data;
	stream->avail_in = (uInt)len;
	stream->next_out = to;
	stream->avail_out = (uInt)most;
	if (deflate(stream, Z_FINISH) != Z_STREAM_END)
		return error_set(err, ERROR_INTERNAL,
				 "zlib found no room in its own bound");
	add_room(out, most - stream->avail_out);
	return 0;
}

static z_stream *unpacker_gzip(struct codec *codec)
{
	z_stream *stream = codec->unpacker;

	if (stream)
		return inflateReset(stream) == Z_OK ? stream : NULL;
	stream = new_zlib(&codec->unpacker);
	if (stream && inflateInit2(stream, GZIP_WINDOW) == Z_OK)
		return stream;
	free(stream);
	codec->unpacker = NULL;
	return NULL;
}

static int unpack_gzip(struct codec *codec, const void *data, size_t len,
		       void *to, size_t out_len, struct error *err)
{
	z_stream *stream = unpacker_gzip(codec);
	unsigned char beyond;
	int rc;

	if (!stream)
		return no_memory(err);
	if (len > UINT_MAX || out_len > UINT_MAX)
		return damaged(err);
	stream->next_in = (Bytef *)(uintptr_t)data;
	stream->avail_in = (uInt)len;
	/* zlib wants room even for nothing. */
	stream->next_out = out_len ? to : &beyond;
	stream->avail_out = out_len ? (uInt)out_len : 1;
	rc = inflate(stream, Z_FINISH);
	if (rc == Z_MEM_ERROR)
		return no_memory(err);
	if (rc != Z_STREAM_END || stream->avail_in ||
	    stream->total_out != out_len)
		return damaged(err);
	return 0;
}

/* ----------------------------------------------------------------- snappy */

static int pack_snappy(const void *data, size_t len, struct strbuf *out,
		       struct error *err)
{
	size_t room = snappy_max_compressed_length(len);
	char *to = make_room(out, room, err);

	if (!to)
		return -1;
	if (snappy_compress(data, len, to, &room) != SNAPPY_OK)
		return error_set(err, ERROR_INTERNAL,
				 "snappy found no room in its own bound");
	add_room(out, room);
	return 0;
}

static int unpack_snappy(const void *data, size_t len, void *to, size_t out_len,
			 struct error *err)
{
	size_t says;

	if (snappy_uncompressed_length(data, len, &says) != SNAPPY_OK ||
	    says != out_len ||
	    snappy_uncompress(data, len, to, &says) != SNAPPY_OK ||
	    says != out_len)
		return damaged(err);
	return 0;
}

/* ------------------------------------------------------------------- zstd */

/*
 * By themselves the highest levels take 650 MiB of a stream, and what they write
 * takes readers 128. From level 9 on almost all of it is for windows beyond 2 MiB,
 * in which rows hardly have more in common.
 */
#define ZSTD_WINDOW_LOG	 21
#define ZSTD_TABLE_LOG	 22
#define ZSTD_LARGE_LEVEL 12 /* from here on, tables would be larger */

size_t codec_bytes(enum format_compression compression, int level)
{
	static const struct {
		int level; /* and above */
		size_t kib;
	} zstd[] = {{10, 37 << 10}, {9, 16 << 10}, {4, 9 << 10}, {0, 4 << 10}};
	size_t i = 0;

	if (compression == FORMAT_GZIP)
		return (size_t)272 << 10;
	if (compression != FORMAT_ZSTD)
		return 0;
	while (level < zstd[i].level)
		i++;
	return zstd[i].kib << 10;
}

void *codec_new_zstd(int level)
{
	ZSTD_CCtx *packer = ZSTD_createCCtx();

	if (!packer)
		return NULL;
	if (!level)
		level = ZSTD_CLEVEL_DEFAULT;
	ZSTD_CCtx_setParameter(packer, ZSTD_c_compressionLevel, level);
	if (level > ZSTD_CLEVEL_DEFAULT)
		ZSTD_CCtx_setParameter(packer, ZSTD_c_windowLog,
				       ZSTD_WINDOW_LOG);
	if (level >= ZSTD_LARGE_LEVEL) {
		ZSTD_CCtx_setParameter(packer, ZSTD_c_chainLog, ZSTD_TABLE_LOG);
		ZSTD_CCtx_setParameter(packer, ZSTD_c_hashLog, ZSTD_TABLE_LOG);
	}
	return packer;
}

static int pack_zstd(struct codec *codec, const void *data, size_t len,
		     struct strbuf *out, struct error *err)
{
	size_t most = ZSTD_compressBound(len);
	size_t got;
	void *to;

	if (!codec->packer)
		codec->packer = codec_new_zstd(codec->level);
	to = codec->packer ? make_room(out, most, err) : NULL;
	if (!to)
		return codec->packer ? -1 : no_memory(err);
	got = ZSTD_compress2(codec->packer, to, most, data, len);
	if (ZSTD_isError(got))
		return error_set(err, ERROR_MEMORY, "zstd: %s",
				 ZSTD_getErrorName(got));
	add_room(out, got);
	return 0;
}

static int unpack_zstd(struct codec *codec, const void *data, size_t len,
		       void *to, size_t out_len, struct error *err)
{
	size_t got;

	if (!codec->unpacker)
		codec->unpacker = ZSTD_createDCtx();
	if (!codec->unpacker)
		return no_memory(err);
	got = ZSTD_decompressDCtx(codec->unpacker, to, out_len, data, len);
	return ZSTD_isError(got) || got != out_len ? damaged(err) : 0;
}

/* ------------------------------------------------------------------------- */

int codec_pack(struct codec *codec, const void *data, size_t len,
	       struct strbuf *out, struct error *err)
{
	switch (codec->compression) {
	case FORMAT_GZIP:
		return pack_gzip(codec, data, len, out, err);
	case FORMAT_SNAPPY:
		return pack_snappy(data, len, out, err);
	case FORMAT_ZSTD:
		return pack_zstd(codec, data, len, out, err);
	case FORMAT_UNCOMPRESSED:
		break;
	}
	strbuf_add(out, data, len);
	return strbuf_check(out, err);
}

int codec_unpack(struct codec *codec, const void *data, size_t len,
		 size_t out_len, struct strbuf *out, struct error *err)
{
	void *to = make_room(out, out_len, err);
	int rc;

	if (!to)
		return -1;
	if (codec->compression == FORMAT_GZIP) {
		rc = unpack_gzip(codec, data, len, to, out_len, err);
	} else if (codec->compression == FORMAT_SNAPPY) {
		rc = unpack_snappy(data, len, to, out_len, err);
	} else if (codec->compression == FORMAT_ZSTD) {
		rc = unpack_zstd(codec, data, len, to, out_len, err);
	} else {
		rc = len == out_len ? 0 : damaged(err);
		if (rc == 0 && len)
			memcpy(to, data, len);
	}
	if (rc == 0)
		add_room(out, out_len);
	return rc;
}
