#ifndef DRIVERS_FILES_MANIFEST_H
#define DRIVERS_FILES_MANIFEST_H

#include "base/arena.h"
#include "base/strbuf.h"
#include "format/format.h"
#include "row/canonical.h"
#include "row/position.h"
#include "row/schema.h"

/*
 * What is in the files of one load, for whoever reads them: `_manifest.json` in
 * the load's folder, written when all of them are there. `latest.json` beside
 * the folders says which load counts.
 *
 * Owns copies of everything.
 */
struct manifest_file {
	const char *key; /* below the table's folder */
	uint64_t rows, bytes;
	uint32_t crc32c; /* of its bytes */
	struct row_sum
		sum; /* of digests of its rows, see files_add_digests() */
};

struct manifest {
	struct arena arena;
	const char *run;
	const char *source; /* which table, in words */
	const char *format, *extension;
	struct format_options options; /* that its files are read with */
	struct position position; /* where the change log was then; or empty */
	int64_t consistent_after_us; /* see struct checkpoint */
	int64_t began_us, completed_us;
	int64_t first_seq;     /* changes from there on come on top of it */
	unsigned digest_every; /* see struct files_settings */
	struct table table;    /* what the rows are */
	struct manifest_file *files;
	size_t count;
	uint64_t rows, bytes; /* of all of them */
};

/* The definition is copied. */
int manifest_init(struct manifest *manifest, const struct table *table,
		  struct error *err) __attribute__((warn_unused_result));
void manifest_release(struct manifest *manifest); /* safe when zeroed */

/* A string into its arena; -1 without memory. */
int manifest_set(struct manifest *manifest, const char **text,
		 const char *value, struct error *err)
	__attribute__((warn_unused_result));
int manifest_add(struct manifest *manifest, const struct manifest_file *file,
		 struct error *err) __attribute__((warn_unused_result));

int manifest_format(const struct manifest *manifest, struct strbuf *out,
		    struct error *err) __attribute__((warn_unused_result));

/*
 * From such a text, into a zeroed one; on -1 nothing needs a release. ERROR_DATA:
 * it is none, or one of a load that had no digests yet.
 */
int manifest_parse(struct manifest *manifest, const char *text,
		   struct error *err) __attribute__((warn_unused_result));

/* latest.json, by the state's write number `writes`. */
int manifest_format_latest(const struct manifest *manifest, int64_t writes,
			   struct strbuf *out, struct error *err)
	__attribute__((warn_unused_result));

/* The number in such a text; 0 when it is none. */
int64_t manifest_latest_writes(const char *text);

#endif
