#include "drivers/files/readback.h"

#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"

#define PIECE	    ((size_t)1 << 20)
#define BATCH_ROWS  1000
#define BATCH_BYTES ((size_t)1 << 20)

int readback_open(struct readback *file, struct store *store, const char *key,
		  struct error *err)
{
	memset(file, 0, sizeof(*file));
	file->store = store;
	return store->ops->open(store, key, &file->source, err);
}

int readback_bytes(struct readback *file, struct error *err)
{
	uint64_t rest = file->source->size - file->at;
	size_t len = rest < PIECE ? (size_t)rest : PIECE;

	if (cancel_check_now(file->store->cancel, err) < 0)
		return -1;
	if (!file->piece)
		file->piece = malloc(PIECE);
	if (!file->piece)
		return error_memory(err, "a file");
	if (byte_source_read(file->source, file->at, file->piece, len, err) < 0)
		return -1;
	file->crc32c = crc32c_update(file->crc32c, file->piece, len);
	file->at += len;
	if (file->at < file->source->size)
		return 1;
	free(file->piece);
	file->piece = NULL;
	return 0;
}

static void end_rows(struct readback *file)
{
	format_reader_free(file->reader);
	file->reader = NULL;
	if (file->batch.columns)
		batch_release(&file->batch);
	memset(&file->batch, 0, sizeof(file->batch));
}

int readback_rows(struct readback *file, const struct format_options *options,
		  const struct table *table, size_t room, struct error *err)
{
	if (format_reader_new(&file->reader, options, table, file->source, room,
			      err) < 0) {
		file->reader = NULL;
		return -1;
	}
	if (batch_init(&file->batch, table, BATCH_ROWS, BATCH_BYTES, err) < 0) {
		end_rows(file);
		return -1;
	}
	return 0;
}

int readback_next(struct readback *file, struct error *err)
{
	if (cancel_check_now(file->store->cancel, err) < 0)
		return -1;
	batch_reset(&file->batch);
	return format_reader_next(file->reader, &file->batch, err);
}

void readback_close(struct readback *file)
{
	if (!file->source)
		return;
	end_rows(file);
	free(file->piece);
	file->store->ops->close_source(file->store, file->source);
	memset(file, 0, sizeof(*file));
}
