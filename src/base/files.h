#ifndef BASE_FILES_H
#define BASE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/byte_source.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/strbuf.h"

/*
 * Files and folders of the local machine, written so that they are there after
 * a crash of it, too: nothing counts as done before the disk has it. Any thread
 * may call; paths are in UTF-8, with `/` between their parts. What files are
 * made has the permissions that the process gives (umask), since others are to
 * read them.
 *
 * Errors name the path. ERROR_PERMISSION when this user may not; ERROR_SYSTEM
 * for the rest, a full disk too, and only what a network file system may get
 * over by itself is retryable.
 */

/* Make a folder below `base`, which must be there, and those in between. */
int files_make_folder(const char *base, const char *path, struct error *err)
	__attribute__((warn_unused_result));

/* 1: there is something by that name; 0: nothing. */
int files_exists(const char *path, struct error *err)
	__attribute__((warn_unused_result));

/* Is it a folder that this user may write into? Otherwise `err` says why. */
int files_check_folder(const char *path, struct error *err)
	__attribute__((warn_unused_result));

/* Append a file, whole, to `out`, whose `max` bounds it. 1; 0: it is not there. */
int files_read(const char *path, struct strbuf *out, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Put a file in the place of another, or of none: whoever reads it sees one of
 * them, whole. `beside` is a name in the same folder for the time of writing.
 */
int files_replace(const char *path, const char *beside, const void *data,
		  size_t len, struct error *err)
	__attribute__((warn_unused_result));

/* Give a file another name, in place of what has that. Of two folders both are
 * made durable. 1; 0: there is no such file. */
int files_rename(const char *from, const char *to, struct error *err)
	__attribute__((warn_unused_result));

/* No file by that name any more; one that is not there is no error. */
int files_remove(const char *path, struct error *err)
	__attribute__((warn_unused_result));

/* Remove a folder that has nothing in it; any other stays. */
void files_remove_empty(const char *path);

/* How many bytes the file system has left for this user. */
int files_room(const char *path, uint64_t *bytes, struct error *err)
	__attribute__((warn_unused_result));

struct files_entry {
	const char *name; /* until the next one */
	bool is_folder;	  /* otherwise a file; there is nothing else told */
	uint64_t size;
};

/*
 * Tell what is in a folder, in no order; `take` ends it with -1. A folder that
 * is not there is empty.
 */
int files_list(const char *path,
	       int (*take)(void *arg, const struct files_entry *entry,
			   struct error *err),
	       void *arg, struct error *err)
	__attribute__((warn_unused_result));

/* ------------------------------------------------------------------ writing */

/* A new file that is being written. */
struct files_writer {
	int handle;	  /* -1: none */
	const char *path; /* borrowed */
};

/* One by that name must not be there. */
int files_create(struct files_writer *writer, const char *path,
		 struct error *err) __attribute__((warn_unused_result));
int files_write(struct files_writer *writer, const void *data, size_t len,
		struct error *err) __attribute__((warn_unused_result));

/* All of it, and its name, are on disk. Closes it in any case. */
int files_finish(struct files_writer *writer, struct error *err)
	__attribute__((warn_unused_result));
void files_abandon(
	struct files_writer *writer); /* closes it; it may be closed */

/* ------------------------------------------------------------------ reading */

/* Open a file for reading; the path is borrowed. 1; 0: it is not there. */
int files_open(struct byte_source **out, const char *path, struct error *err)
	__attribute__((warn_unused_result));
void files_close(struct byte_source *source); /* NULL is allowed */

/* -------------------------------------------------------------------- locks */

/* A lock on a file, which is made if need be. It ends with the process. */
struct files_lock {
	int handle; /* -1: not held */
};

/*
 * Wait for it, at most `ms`; then ERROR_SYSTEM, retryable, says that somebody
 * has it. CANCEL_NOW ends the wait.
 */
int files_lock(struct files_lock *lock, const char *path, int64_t ms,
	       struct cancel *cancel, struct error *err)
	__attribute__((warn_unused_result));
void files_unlock(struct files_lock *lock);

#endif
