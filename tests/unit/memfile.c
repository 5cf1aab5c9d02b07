#include "unit/memfile.h"

#include <stdlib.h>
#include <string.h>

static int append(struct byte_sink *sink, const void *data, size_t len,
		  struct error *err)
{
	struct memfile *file = (struct memfile *)sink;
	size_t size = (size_t)file->source.size;
	unsigned char *more = realloc(file->data, size + len);

	if (!more)
		return error_memory(err, "a file");
	memcpy(more + size, data, len);
	file->data = more;
	file->source.size += len;
	return 0;
}

static int read_at(struct byte_source *source, uint64_t offset, void *data,
		   size_t len, struct error *err)
{
	const struct memfile *file =
		(const struct memfile *)((char *)source -
					 offsetof(struct memfile, source));

	if (offset + len > source->size)
		return error_set(err, ERROR_INTERNAL, "read beyond the end");
	memcpy(data, file->data + offset, len);
	return 0;
}

void memfile_init(struct memfile *file)
{
	memset(file, 0, sizeof(*file));
	file->sink.write = append;
	file->source.read_at = read_at;
}

void memfile_release(struct memfile *file)
{
	free(file->data);
	memfile_init(file);
}

void memfile_set(struct memfile *file, const void *data, size_t len)
{
	struct error err = ERROR_INIT;

	memfile_release(file);
	if (byte_sink_write(&file->sink, data, len, &err) < 0)
		abort();
}
