#include "format/stream.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "format/codec.h"

#define GZIP_WINDOW (15 + 16) /* 32 KiB, with gzip's header and trailer */
#define GZIP_MEMORY 8

/* What zstd allows, and what its levels make. */
#define ZSTD_WINDOWLOG_LEAST 10
#define ZSTD_WINDOWLOG_MOST  27

static int no_memory(struct error *err)
{
	return error_memory(err, "a compressed file");
}

static z_stream *new_gzip(int level)
{
	z_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	if (deflateInit2(stream, level ? level : Z_DEFAULT_COMPRESSION,
			 Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
			 Z_DEFAULT_STRATEGY) == Z_OK)
		return stream;
	free(stream);
	return NULL;
}

static ZSTD_CCtx *new_zstd(int level)
{
	ZSTD_CCtx *packer = codec_new_zstd(level);

	if (packer)
		ZSTD_CCtx_setParameter(packer, ZSTD_c_checksumFlag, 1);
	return packer;
}

int stream_out_init(struct stream_out *out,
		    const struct format_options *options,
		    struct byte_sink *sink, struct error *err)
{
	memset(out, 0, sizeof(*out));
	out->sink = sink;
	out->compression = options->compression;
	out->buffer = malloc(STREAM_BYTES);
	out->packed = malloc(STREAM_BYTES);
	if (out->compression == FORMAT_GZIP)
		out->packer = new_gzip(options->level);
	else if (out->compression == FORMAT_ZSTD)
		out->packer = new_zstd(options->level);
	if (out->buffer && out->packed &&
	    (out->packer || out->compression == FORMAT_UNCOMPRESSED))
		return 0;
	stream_out_release(out);
	return no_memory(err);
}

void stream_out_release(struct stream_out *out)
{
	if (out->packer && out->compression == FORMAT_GZIP) {
		deflateEnd(out->packer);
		free(out->packer);
	} else if (out->compression == FORMAT_ZSTD) {
		ZSTD_freeCCtx(out->packer);
	}
	free(out->buffer);
	free(out->packed);
	memset(out, 0, sizeof(*out));
}

static int put(struct stream_out *out, const void *data, size_t len,
	       struct error *err)
{
	if (byte_sink_write(out->sink, data, len, err) < 0)
		return -1;
	out->written += len;
	return 0;
}

static int flush_gzip(struct stream_out *out, bool end, struct error *err)
{
	z_stream *stream = out->packer;
	int rc;

	stream->next_in = (Bytef *)out->buffer;
	stream->avail_in = (uInt)out->used;
	do {
		stream->next_out = (Bytef *)out->packed;
		stream->avail_out = (uInt)STREAM_BYTES;
		rc = deflate(stream, end ? Z_FINISH : Z_NO_FLUSH);
		if (rc == Z_STREAM_ERROR)
			return error_set(err, ERROR_INTERNAL,
					 "zlib lost its state");
		if (put(out, out->packed, STREAM_BYTES - stream->avail_out,
			err) < 0)
			return -1;
	} while (stream->avail_in || (end && rc != Z_STREAM_END));
	return 0;
}

static int flush_zstd(struct stream_out *out, bool end, struct error *err)
{
	ZSTD_inBuffer in = {out->buffer, out->used, 0};
	size_t left;

	do {
		ZSTD_outBuffer to = {out->packed, STREAM_BYTES, 0};

		left = ZSTD_compressStream2(out->packer, &to, &in,
					    end ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return error_set(err, ERROR_MEMORY, "zstd: %s",
					 ZSTD_getErrorName(left));
		if (put(out, out->packed, to.pos, err) < 0)
			return -1;
	} while (in.pos < in.size || (end && left));
	return 0;
}

static int flush(struct stream_out *out, bool end, struct error *err)
{
	int rc = out->compression == FORMAT_GZIP ? flush_gzip(out, end, err)
		 : out->compression == FORMAT_ZSTD
			 ? flush_zstd(out, end, err)
			 : put(out, out->buffer, out->used, err);

	out->used = 0;
	return rc;
}

int stream_out_flush(struct stream_out *out, struct error *err)
{
	return flush(out, false, err);
}

int stream_out_end(struct stream_out *out, struct error *err)
{
	return flush(out, true, err);
}

int stream_out_add(struct stream_out *out, const void *data, size_t len,
		   struct error *err)
{
	const char *from = data;

	while (len) {
		size_t some = STREAM_BYTES - out->used;

		if (some > len)
			some = len;
		memcpy(out->buffer + out->used, from, some);
		out->used += some;
		from += some;
		len -= some;
		if (len && stream_out_flush(out, err) < 0)
			return -1;
	}
	return 0;
}

/* ------------------------------------------------------------------ reading */

/* What a frame says it looks back on is what it takes of memory: 128 MiB of the
 * highest levels, or of one that is damaged. */
static ZSTD_DCtx *new_unzstd(size_t max_bytes)
{
	ZSTD_DCtx *unpacker = ZSTD_createDCtx();
	int log = ZSTD_WINDOWLOG_LEAST;

	while (log < ZSTD_WINDOWLOG_MOST && max_bytes >> (log + 1))
		log++;
	if (unpacker && ZSTD_isError(ZSTD_DCtx_setParameter(
				unpacker, ZSTD_d_windowLogMax, log))) {
		ZSTD_freeDCtx(unpacker);
		unpacker = NULL;
	}
	return unpacker;
}

int stream_in_init(struct stream_in *in, const struct format_options *options,
		   struct byte_source *source, size_t max_bytes,
		   struct error *err)
{
	bool packed = options->compression != FORMAT_UNCOMPRESSED;

	memset(in, 0, sizeof(*in));
	in->source = source;
	in->max_bytes = max_bytes;
	in->compression = options->compression;
	in->buffer = malloc(STREAM_BYTES);
	in->packed = packed ? malloc(STREAM_BYTES) : NULL;
	if (in->compression == FORMAT_GZIP) {
		in->unpacker = calloc(1, sizeof(z_stream));
		if (in->unpacker && inflateInit2((z_stream *)in->unpacker,
						 GZIP_WINDOW) != Z_OK) {
			free(in->unpacker);
			in->unpacker = NULL;
		}
	} else if (packed) {
		in->unpacker = new_unzstd(max_bytes);
	}
	if (in->buffer && (!packed || (in->packed && in->unpacker)))
		return 0;
	stream_in_release(in);
	return no_memory(err);
}

void stream_in_release(struct stream_in *in)
{
	if (in->unpacker && in->compression == FORMAT_GZIP) {
		inflateEnd(in->unpacker);
		free(in->unpacker);
	} else if (in->compression == FORMAT_ZSTD) {
		ZSTD_freeDCtx(in->unpacker);
	}
	free(in->buffer);
	free(in->packed);
	memset(in, 0, sizeof(*in));
}

static int damaged(struct error *err)
{
	return error_set(err, ERROR_DATA,
			 "a compressed file is damaged or cut off");
}

/* As much of the source as there is room for. */
static int read_some(struct stream_in *in, char *to, size_t *len,
		     struct error *err)
{
	uint64_t left = in->source->size - in->offset;

	*len = left < STREAM_BYTES ? (size_t)left : STREAM_BYTES;
	if (byte_source_read(in->source, in->offset, to, *len, err) < 0)
		return -1;
	in->offset += *len;
	return 0;
}

static int read_packed(struct stream_in *in, struct error *err)
{
	size_t len;

	/* A full buffer may have left something behind in the library. */
	if (in->packed_at < in->packed_end || in->full)
		return 0;
	if (read_some(in, in->packed, &len, err) < 0)
		return -1;
	in->packed_at = in->packed;
	in->packed_end = in->packed + len;
	return len ? 0 : damaged(err);
}

/* Unpack once; how many bytes that made. */
static int unpack_gzip(struct stream_in *in, size_t *len, struct error *err)
{
	z_stream *stream = in->unpacker;
	int rc;

	stream->next_in = (Bytef *)(uintptr_t)in->packed_at;
	stream->avail_in = (uInt)(in->packed_end - in->packed_at);
	stream->next_out = (Bytef *)in->buffer;
	stream->avail_out = (uInt)STREAM_BYTES;
	rc = inflate(stream, Z_NO_FLUSH);
	if (rc == Z_MEM_ERROR)
		return no_memory(err);
	/* Z_BUF_ERROR: there was nothing left behind. */
	if (rc != Z_OK && rc != Z_STREAM_END &&
	    !(rc == Z_BUF_ERROR && !stream->avail_in))
		return damaged(err);
	in->ended = rc == Z_STREAM_END;
	in->packed_at = in->packed_end - stream->avail_in;
	*len = STREAM_BYTES - stream->avail_out;
	return 0;
}

static int unpack_zstd(struct stream_in *in, size_t *len, struct error *err)
{
	ZSTD_outBuffer to = {in->buffer, STREAM_BYTES, 0};
	ZSTD_inBuffer from = {in->packed_at,
			      (size_t)(in->packed_end - in->packed_at), 0};
	size_t rc = ZSTD_decompressStream(in->unpacker, &to, &from);

	if (ZSTD_getErrorCode(rc) == ZSTD_error_frameParameter_windowTooLarge ||
	    ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation)
		return error_set(err, ERROR_MEMORY,
				 "a compressed file needs more than %zu bytes "
				 "of memory",
				 in->max_bytes);
	if (ZSTD_isError(rc))
		return damaged(err);
	in->ended = rc == 0;
	in->packed_at += from.pos;
	*len = to.pos;
	return 0;
}

/* Nothing may come behind the end that the compressed file has itself. */
static int more_packed(struct stream_in *in, size_t *len, struct error *err)
{
	*len = 0;
	while (!*len && !in->ended) {
		if (read_packed(in, err) < 0)
			return -1;
		if ((in->compression == FORMAT_GZIP
			     ? unpack_gzip(in, len, err)
			     : unpack_zstd(in, len, err)) < 0)
			return -1;
		in->full = *len == STREAM_BYTES;
	}
	if (in->ended &&
	    (in->packed_at < in->packed_end || in->offset < in->source->size))
		return damaged(err);
	return 0;
}

int stream_in_more(struct stream_in *in, struct error *err)
{
	size_t len;
	int rc = in->compression == FORMAT_UNCOMPRESSED
			 ? read_some(in, in->buffer, &len, err)
			 : more_packed(in, &len, err);

	if (rc < 0)
		return -1;
	in->at = in->buffer;
	in->end = in->buffer + len;
	return len > 0;
}
