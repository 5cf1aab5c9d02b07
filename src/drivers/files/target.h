#ifndef DRIVERS_FILES_TARGET_H
#define DRIVERS_FILES_TARGET_H

#include "drivers/driver.h"
#include "drivers/files/change_view.h"
#include "drivers/files/layout.h"
#include "drivers/files/manifest.h"
#include "drivers/files/outfile.h"
#include "drivers/files/settings.h"
#include "drivers/files/state.h"
#include "drivers/files/store.h"
#include "s3/client.h"

/* The inside of the driver; nobody outside this folder. */

struct files_server {
	struct server base;
	struct files_settings settings;
	/* A local folder: where it has to be, and below it "" or a path that
	 * ends in a slash. */
	char *path, *prefix;
	/* Or a bucket. */
	struct s3 *s3;
	struct s3_settings bucket;
};

/* Files that are open at the same time, when columns choose the folder. */
#define LOAD_OPEN_MAX 16

/* A load that is being written; zeroed: none is. */
struct files_load {
	struct manifest manifest; /* of the files that are there */
	char run[LAYOUT_RUN_MAX];
	size_t *columns; /* partition_columns, by their index */
	size_t column_count;
	struct canonical canonical; /* of the rows, as a file can hold them */
	struct load_file {
		char *partition; /* NULL: there is none here */
		struct outfile *file;
		struct row_sum sum; /* of the digests of its rows */
		uint64_t number;
		uint64_t used; /* the turn in which it was written to last */
	} files[LOAD_OPEN_MAX];
	size_t open_max; /* of these, how many there may be */
	uint64_t turn, next_number;
	struct batch *piece; /* the rows of one folder; NULL: not needed yet */
};

/* Changes that are being written; zeroed: none are. */
struct files_changes {
	struct change_view view;
	struct outfile *file; /* NULL: none is open */
	struct position from,
		to;		/* what is in it; `to` is the window at hand */
	struct position before; /* where that window begins */
	bool stamped;
	struct strbuf times; /* "dt=…/", of the file */
	int64_t seq;
	uint64_t next_file;
	struct outfile_done *done; /* files that are ended */
	size_t done_count;
	uint64_t upserts, deletes;
};

/* Files of changes that are being merged; zeroed: none are. */
struct files_merge {
	bool begun;
	struct merge_file {
		uint64_t first, last, size; /* its numbers, its bytes */
		char *key;
	} * files; /* that may be merged, as they lie in their folders */
	size_t count, room;
	size_t first, end; /* those that make the file at hand */
	size_t at;	   /* of these, which is read now */
	struct change_view view;
	struct batch batch;
	struct outfile *file;
	struct byte_source *source; /* NULL: none is open */
	struct format_reader *reader;
	size_t bytes; /* what a row group may take; a reader twice that */
};

struct files_proof; /* see prove.c */

struct files_target {
	struct target base;
	struct files_server *server;
	struct store *store;
	struct layout layout;
	char *installation, *origin;
	int mapping_id;
	int64_t epoch;
	struct table dest; /* what describe() tells, once create() was called */
	bool created;

	/* What state.json said when it was read or written last. */
	struct table_state state;
	struct store_tag tag;
	bool known;	/* since fence() */
	bool published; /* nothing of it is pending any more */
	bool tidied;	/* and each write of the state since was answered */

	enum files_doing {
		FILES_NOTHING,
		FILES_LOADING,
		FILES_CHANGING,
	} doing;
	const struct table *shape; /* what begin() was told; borrowed */
	struct files_load load;
	struct files_changes changes;
	struct files_merge merge;
	struct files_proof *proof; /* NULL: none is under way */
};

static inline struct files_target *files_target_of(struct target *dst)
{
	return (struct files_target *)dst;
}

extern const struct target_ops files_target_ops;

/* What a file takes while it is written, beside its rows. */
size_t files_fixed_bytes(const struct files_target *target);

/* How much memory a row group may take of a file, when so many are written at
 * the same time. */
size_t files_group_bytes(const struct files_target *target, size_t files);

/* The server's place for the table; connects to nothing. */
int files_open_store(const struct files_server *server,
		     const struct table_name *name, struct store **out,
		     struct error *err) __attribute__((warn_unused_result));

/* --------------------------------------------------------------- ownership.c */

/* The slots fence() and checkpoint() of driver.h. */
int files_fence(struct target *dst, struct error *err)
	__attribute__((warn_unused_result));
int files_checkpoint(struct target *dst, struct checkpoint *out,
		     struct error *err) __attribute__((warn_unused_result));

/* Is the state as we know it? ERROR_CONFLICT if somebody wrote it. */
int files_check_owned(struct files_target *target, struct error *err)
	__attribute__((warn_unused_result));

/* Is `from` (or NULL) the checkpoint that there is? ERROR_CONFLICT; ERROR_GAP
 * when something of it was lost. */
int files_check_from(const struct files_target *target,
		     const struct checkpoint *from, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Make `next` the state, if it is still the one that we know. What `next` has
 * becomes the target's, and `next` an empty one. On -1 nobody knows but the next
 * fence() whether it counts.
 */
int files_write_state(struct files_target *target, struct table_state *next,
		      struct error *err) __attribute__((warn_unused_result));

/* Make visible what the state says is still to be. */
int files_publish(struct files_target *target, struct error *err)
	__attribute__((warn_unused_result));

/* After a load, or many that failed: loads that are not kept go, changes older than all that are, and
 * what nobody will complete. What does not work now is tried again after the
 * next one. */
void files_remove_old(struct files_target *target);

/* -------------------------------------------------------------------- load.c */

int files_load_begin(struct files_target *target, struct error *err)
	__attribute__((warn_unused_result));
int files_load_write(struct files_target *target, const struct batch *batch,
		     struct error *err) __attribute__((warn_unused_result));
/* All files, and the manifest; what the state shall say of it goes to `next`. */
int files_load_end(struct files_target *target, const struct checkpoint *to,
		   struct table_state *next, struct error *err)
	__attribute__((warn_unused_result));
/* Forget it, with its files unless they count; safe when there is none. */
void files_load_release(struct files_target *target, bool keep);

/* ----------------------------------------------------------------- changes.c */

int files_changes_begin(struct files_target *target, struct error *err)
	__attribute__((warn_unused_result));
int files_changes_stamp(struct target *dst, const struct position *to,
			int64_t commit_us, struct error *err)
	__attribute__((warn_unused_result));
int files_changes_write(struct files_target *target, const struct batch *batch,
			struct error *err) __attribute__((warn_unused_result));
int files_changes_end(struct files_target *target, struct table_state *next,
		      struct error *err) __attribute__((warn_unused_result));
void files_changes_release(struct files_target *target, bool keep);

/* What the state does not tell of yet, of the columns that are written. */
int files_add_columns(const struct files_target *target,
		      struct table_state *next, struct error *err)
	__attribute__((warn_unused_result));

/* ------------------------------------------------------------------- merge.c */

#define FILES_LOOK_MAX 40

/* Tells files apart that are not read alike: by their columns, or the options
 * of their format. `rows` is what is in them. */
int files_look(const struct files_target *target, const struct table *rows,
	       char out[FILES_LOOK_MAX], struct error *err)
	__attribute__((warn_unused_result));

/* The slots compact() and compact_end() of driver.h. */
int files_merge(struct target *dst, const struct table *shape,
		struct compaction *work, struct error *err)
	__attribute__((warn_unused_result));
void files_merge_end(struct target *dst);

/* ------------------------------------------------------------------- prove.c */

/* The slots prove() and prove_end() of driver.h. */
int files_prove(struct target *dst, struct proof *proof, struct error *err)
	__attribute__((warn_unused_result));
void files_prove_end(struct target *dst);

/*
 * A canonical text for rows of `shape`, of what such a file can hold of them:
 * the same when they are written as when they are read.
 */
int files_canonical(struct canonical *canonical,
		    const struct format_options *format,
		    const struct table *shape, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Count the next rows of a file, and add the digests of the first one and of each
 * `every`-th behind that: what is worked out for every row takes several times as
 * long as all else that a load does with it.
 */
int files_add_digests(struct row_sum *sum, struct canonical *canonical,
		      unsigned every, const struct batch *batch,
		      struct error *err) __attribute__((warn_unused_result));

#endif
