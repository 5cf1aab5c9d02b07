#include "drivers/postgresql/sink.h"

#include <stdlib.h>

#define COLUMNS_MAX 1664 /* of a row in PostgreSQL */
#define PIECE_BYTES ((size_t)64 * 1024)
#define FLUSH_FROM  PIECE_BYTES
#define SINK_BYTES \
	(FLUSH_FROM + 4 * PG_SINK_ROW + COLUMNS_MAX * (PG_SINK_FIELD + 4))

int pg_sink_init(struct pg_sink *sink, struct error *err)
{
	memset(sink, 0, sizeof(*sink));
	sink->data = malloc(SINK_BYTES);
	return sink->data ? 0 : error_memory(err, "a load");
}

void pg_sink_release(struct pg_sink *sink)
{
	free(sink->data);
	sink->data = NULL;
}

int pg_sink_flush(struct pg_sink *sink, struct error *err)
{
	size_t len = sink->len;

	sink->len = 0;
	return len ? sink->write(sink->context, sink->data, len, err) : 0;
}

bool pg_sink_full(const struct pg_sink *sink)
{
	return sink->len >= FLUSH_FROM;
}

int pg_sink_long(struct pg_sink *sink, const void *data, size_t len,
		 struct error *err)
{
	const unsigned char *from = data;

	if (sink->dry)
		return 0;
	if (!sink->pieces || len <= PIECE_BYTES) {
		pg_sink_bytes(sink, data, len);
		return 0;
	}
	if (pg_sink_flush(sink, err) < 0)
		return -1;
	for (size_t at = 0, piece; at < len; at += piece) {
		piece = len - at < PIECE_BYTES ? len - at : PIECE_BYTES;
		if (sink->write(sink->context, from + at, piece, err) < 0)
			return -1;
	}
	return 0;
}
