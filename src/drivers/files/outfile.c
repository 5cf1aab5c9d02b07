#include "drivers/files/outfile.h"

#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"

static int set_key(struct outfile *file, struct error *err)
{
	if (strbuf_check(&file->key, err) < 0)
		return -1;
	return file->store->ops->give_key(file->store, file->file,
					  file->key.data, err);
}

static int find_key(struct outfile *file, struct error *err)
{
	if (outfile_has_key(file))
		return 0;
	if (file->make_key(file->arg, &file->key, err) < 0)
		return -1;
	return set_key(file, err);
}

static int take(struct byte_sink *sink, const void *data, size_t len,
		struct error *err)
{
	struct outfile *file = (struct outfile *)sink;

	if (file->bytes + len > file->store->nameless_bytes &&
	    find_key(file, err) < 0)
		return -1;
	if (byte_sink_write(&file->file->sink, data, len, err) < 0)
		return -1;
	file->bytes += len;
	file->crc32c = crc32c_update(file->crc32c, data, len);
	return 0;
}

int outfile_open(struct outfile **out, struct store *store,
		 const struct outfile_spec *spec, struct error *err)
{
	struct outfile *file = calloc(1, sizeof(*file));

	if (!file)
		return error_memory(err, "a file");
	file->sink.write = take;
	file->store = store;
	file->make_key = spec->make_key;
	file->arg = spec->arg;
	strbuf_init(&file->key);
	strbuf_addstr(&file->key, spec->key ? spec->key : "");
	if (store->ops->begin(store, &file->file, err) < 0 ||
	    (spec->key && set_key(file, err) < 0) ||
	    format_writer_new(&file->writer, spec->format, spec->table, NULL,
			      spec->pairs, spec->pair_count, &file->sink,
			      err) < 0) {
		outfile_discard(file);
		return -1;
	}
	*out = file;
	return 0;
}

int outfile_write(struct outfile *file, const struct batch *batch,
		  struct error *err)
{
	return format_writer_write(file->writer, batch, err);
}

uint64_t outfile_size(const struct outfile *file)
{
	return format_writer_bytes(file->writer);
}

bool outfile_has_key(const struct outfile *file)
{
	return file->key.len != 0;
}

static int finish(struct outfile *file, struct outfile_done *done,
		  struct error *err)
{
	struct store_file *written = file->file;
	struct format_counts counts;
	struct strbuf token;
	int ret;

	if (format_writer_end(file->writer, &counts, err) < 0 ||
	    find_key(file, err) < 0)
		return -1;
	file->file = NULL;
	strbuf_init(&token);
	ret = file->store->ops->prepare(file->store, written, &token, err);
	if (ret < 0) {
		strbuf_release(&token);
		return -1;
	}
	*done = (struct outfile_done){
		.token = strbuf_detach(&token),
		.rows = counts.rows,
		.bytes = counts.bytes,
		.crc32c = file->crc32c,
	};
	done->key = strbuf_detach(&file->key);
	if (done->key && done->token)
		return 0;
	outfile_done_release(done);
	return error_memory(err, "a file");
}

int outfile_close(struct outfile *file, struct outfile_done *done,
		  struct error *err)
{
	int ret = finish(file, done, err);

	outfile_discard(file);
	return ret;
}

void outfile_discard(struct outfile *file)
{
	if (!file)
		return;
	format_writer_free(file->writer);
	if (file->file)
		file->store->ops->discard(file->store, file->file);
	strbuf_release(&file->key);
	free(file);
}

void outfile_done_release(struct outfile_done *done)
{
	free(done->key);
	free(done->token);
	memset(done, 0, sizeof(*done));
}
