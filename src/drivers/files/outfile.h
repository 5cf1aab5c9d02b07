#ifndef DRIVERS_FILES_OUTFILE_H
#define DRIVERS_FILES_OUTFILE_H

#include "drivers/files/store.h"
#include "format/format.h"

/*
 * One file of rows on its way into a store: its format's writer, and what comes
 * out of that. Belongs to one thread at a time.
 */
struct outfile {
	struct byte_sink sink; /* what the writer writes to */
	struct store *store;
	struct store_file *file;
	struct format_writer *writer;
	uint64_t bytes; /* that were written so far */
	uint32_t crc32c;
	/*
	 * Asked for the file's key as late as the store allows it: when so much
	 * was written, or at the end.
	 */
	int (*make_key)(void *arg, struct strbuf *key, struct error *err);
	void *arg;
	struct strbuf key; /* "" until then */
};

/* One that is written, and not visible yet. Owns its strings. */
struct outfile_done {
	char *key, *token;
	uint64_t rows, bytes;
	uint32_t crc32c;
};

/* How a file is made; only the table, and `arg`, have to last as long as it is
 * written. */
struct outfile_spec {
	const struct format_options *format;
	const struct table *table;
	const struct format_pair *pairs;
	size_t pair_count;
	const char *key; /* or NULL: make_key() is asked later */
	int (*make_key)(void *arg, struct strbuf *key, struct error *err);
	void *arg;
};

int outfile_open(struct outfile **out, struct store *store,
		 const struct outfile_spec *spec, struct error *err)
	__attribute__((warn_unused_result));

/* After an error it can only be discarded. */
int outfile_write(struct outfile *file, const struct batch *batch,
		  struct error *err) __attribute__((warn_unused_result));

/* About how long it is by now. */
uint64_t outfile_size(const struct outfile *file);

/* Has it got its key? */
bool outfile_has_key(const struct outfile *file);

/* End it; frees it, on -1 too. */
int outfile_close(struct outfile *file, struct outfile_done *done,
		  struct error *err) __attribute__((warn_unused_result));
void outfile_discard(struct outfile *file); /* NULL is allowed */

void outfile_done_release(struct outfile_done *done);

#endif
