#include "drivers/postgresql/spill.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/platform.h"

#define BLOCK_BYTES ((uint64_t)16 * 1024)

/* So many blocks are added to the map at a time. */
#define BLOCKS_MORE 256

static size_t block_count(uint64_t bytes)
{
	return (size_t)((bytes + BLOCK_BYTES - 1) / BLOCK_BYTES);
}

uint64_t spill_bytes(uint64_t len)
{
	return block_count(len) * BLOCK_BYTES;
}

int spill_init(struct spill *spill, struct error *err)
{
	int rc;

	memset(spill, 0, sizeof(*spill));
	rc = pthread_mutex_init(&spill->lock, NULL);
	return rc ? error_errno(err, rc, "cannot make a lock") : 0;
}

void spill_release(struct spill *spill)
{
	if (spill->file)
		fclose(spill->file);
	free(spill->blocks);
	pthread_mutex_destroy(&spill->lock);
}

/* The first of `count` free blocks in a row; the map's end counts as free. */
static size_t find_room(const struct spill *spill, size_t count)
{
	size_t first = 0, free_blocks = 0;

	for (size_t i = 0; i < spill->block_count && free_blocks < count; i++) {
		if (!spill->blocks[i]) {
			free_blocks++;
			continue;
		}
		first = i + 1;
		free_blocks = 0;
	}
	return first;
}

static int reserve(struct spill *spill, size_t count, uint64_t *block,
		   struct error *err)
{
	size_t first = find_room(spill, count);
	size_t end = first + count;
	unsigned char *grown;

	if (end > spill->block_count) {
		size_t total = end + BLOCKS_MORE;

		grown = realloc(spill->blocks, total);
		if (!grown)
			return error_memory(err, "changes on disk");
		memset(grown + spill->block_count, 0,
		       total - spill->block_count);
		spill->blocks = grown;
		spill->block_count = total;
	}
	memset(spill->blocks + first, 1, count);
	spill->used += count;
	*block = first;
	return 0;
}

static int seek(struct spill *spill, uint64_t offset, struct error *err)
{
	if (fseeko(spill->file, (off_t)offset, SEEK_SET) == 0)
		return 0;
	return error_errno(err, errno, "changes on disk");
}

static int write_parts(struct spill *spill, const struct spill_part *parts,
		       size_t count, const struct spill_extent *extent,
		       struct error *err)
{
	if (seek(spill, extent->block * BLOCK_BYTES, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (!parts[i].len)
			continue;
		errno = 0;
		if (fwrite(parts[i].data, 1, parts[i].len, spill->file) !=
		    parts[i].len)
			return error_errno(err, errno ? errno : EIO,
					   "changes that wait cannot be "
					   "written to the folder for "
					   "temporary files (TMPDIR)");
	}
	return 0;
}

static void give_back(struct spill *spill, struct spill_extent *extent)
{
	size_t count = block_count(extent->bytes);

	memset(spill->blocks + extent->block, 0, count);
	spill->used -= count;
	extent->bytes = 0;
	if (spill->used)
		return;
	if (spill->file)
		fclose(spill->file);
	spill->file = NULL;
	free(spill->blocks);
	spill->blocks = NULL;
	spill->block_count = 0;
}

int spill_write(struct spill *spill, const struct spill_part *parts,
		size_t count, struct spill_extent *out, struct error *err)
{
	int ret = -1;

	out->bytes = 0;
	for (size_t i = 0; i < count; i++)
		out->bytes += parts[i].len;
	pthread_mutex_lock(&spill->lock);
	if (reserve(spill, block_count(out->bytes), &out->block, err) < 0) {
		out->bytes = 0;
	} else if ((spill->file ||
		    platform_temp_file(&spill->file, err) == 0) &&
		   write_parts(spill, parts, count, out, err) == 0) {
		ret = 0;
	} else {
		give_back(spill, out);
	}
	pthread_mutex_unlock(&spill->lock);
	return ret;
}

int spill_read(struct spill *spill, const struct spill_extent *extent,
	       uint64_t offset, void *out, size_t len, struct error *err)
{
	int ret;

	pthread_mutex_lock(&spill->lock);
	ret = seek(spill, extent->block * BLOCK_BYTES + offset, err);
	errno = 0;
	if (ret == 0 && fread(out, 1, len, spill->file) != len)
		ret = error_errno(err, errno ? errno : EIO,
				  "changes on disk cannot be read");
	pthread_mutex_unlock(&spill->lock);
	return ret;
}

void spill_drop(struct spill *spill, struct spill_extent *extent)
{
	if (!extent->bytes)
		return;
	pthread_mutex_lock(&spill->lock);
	give_back(spill, extent);
	pthread_mutex_unlock(&spill->lock);
}
