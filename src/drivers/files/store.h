#ifndef DRIVERS_FILES_STORE_H
#define DRIVERS_FILES_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/byte_sink.h"
#include "base/byte_source.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/strbuf.h"

/*
 * The place of one table's files: a folder, or what begins with a prefix in a
 * bucket. Keys are paths below it, with `/` between their parts, as layout.h
 * makes them.
 *
 * A file is written where nobody sees it. prepare() ends that, and gives a
 * token: a text that says where it is, for whoever shall make it visible,
 * whenever that is, in another process too. So what shall become visible can be
 * decided in one place, by one write of a small object, see state.h.
 *
 * A store belongs to one thread at a time. Waits obey `cancel`.
 */
struct store {
	const struct store_ops *ops;
	struct cancel *cancel; /* of the run at hand */
	/*
	 * So many bytes of a file may be written before it has to be given its
	 * key.
	 */
	uint64_t nameless_bytes;
	size_t buffer_bytes; /* memory that each file takes while it is written */
	/* Something may have been begun that nobody knows of: tidy() helps. */
	bool untidy;
};

#define STORE_TAG_MAX 136

/* Tells the contents that a small object has had from each other. "": none. */
struct store_tag {
	char text[STORE_TAG_MAX];
};

/* A file that is being written. */
struct store_file {
	struct byte_sink sink;
};

struct store_item {
	const char *key; /* until the next one */
	uint64_t size;
};

/* -1 ends it. */
typedef int store_take(void *arg, const struct store_item *item,
		       struct error *err);

struct store_ops {
	void (*close)(struct store *store);

	/* "/data/lake/db.dbo.t", "s3://bucket/db.dbo.t": for messages. */
	const char *(*name)(const struct store *store);

	/* Make what has to be there before anything can be written. */
	int (*set_up)(struct store *store, struct error *err);

	/* Remove that again, if there is nothing else. */
	int (*take_down)(struct store *store, struct error *err);

	/* How many bytes there are left. 1; 0: nobody can tell. */
	int (*room)(struct store *store, uint64_t *bytes, struct error *err);

	/* Append a small object, whole, to `out`. 1; 0: there is none. */
	int (*read)(struct store *store, const char *key, struct strbuf *out,
		    struct store_tag *tag, struct error *err);

	/*
	 * Put a small object in the place of the one whose tag is `was` ("":
	 * of none; NULL: whatever there is). Whoever reads it sees one of the
	 * two, whole. ERROR_CONFLICT, and nothing changed, when it is another
	 * one. `now` is the new one's tag. After any other error it is not
	 * known which one is there.
	 */
	int (*replace)(struct store *store, const char *key, const void *data,
		       size_t len, const struct store_tag *was,
		       struct store_tag *now, struct error *err);

	/*
	 * Does it compare and replace in one? Tried out on a small object that
	 * is there, and of no worth. 1: it does; 0: somebody may come in
	 * between.
	 */
	int (*is_atomic)(struct store *store, const char *key,
			 struct error *err);

	/* Begin a file; bytes go into its sink. */
	int (*begin)(struct store *store, struct store_file **out,
		     struct error *err);

	/* Its key, once; nameless_bytes says when that has to be. */
	int (*give_key)(struct store *store, struct store_file *file,
			const char *key, struct error *err);

	/*
	 * All of it is written, and has its key. Its token, which has no
	 * control signs in it, is appended. Frees the file, on -1 too.
	 */
	int (*prepare)(struct store *store, struct store_file *file,
		       struct strbuf *token, struct error *err);

	/* Forget a file, or one that was prepared; tells nobody about trouble,
	 * tidy() will find it. */
	void (*discard)(struct store *store, struct store_file *file);
	void (*discard_prepared)(struct store *store, const char *key,
				 const char *token);

	/*
	 * Make it visible. One that is visible already is fine; one that is
	 * gone for good is ERROR_GAP.
	 */
	int (*publish)(struct store *store, const char *key, const char *token,
		       struct error *err);

	/* 1: there is one, of that size (may be NULL); 0: there is none. */
	int (*find)(struct store *store, const char *key, uint64_t *size,
		    struct error *err);

	/* All keys that begin with `prefix`, "" or ended by a `/`. */
	int (*list)(struct store *store, const char *prefix, store_take *take,
		    void *arg, struct error *err);

	/* Remove these; one that is not there is no error. */
	int (*remove)(struct store *store, const char *const *keys,
		      size_t count, struct error *err);

	/*
	 * Forget what was begun or prepared by anybody, but for the `count`
	 * tokens. `check` is asked between looking and removing, if there is
	 * anything to remove: -1 when somebody else may write here by now,
	 * whose files these could be.
	 */
	int (*tidy)(struct store *store, const char *const *tokens,
		    size_t count, int (*check)(void *arg, struct error *err),
		    void *arg, struct error *err);

	/* Read a visible file. 1; 0: there is none. */
	int (*open)(struct store *store, const char *key,
		    struct byte_source **out, struct error *err);
	void (*close_source)(struct store *store, struct byte_source *source);
};

/* The largest small object. */
#define STORE_SMALL_MAX ((size_t)64 << 20)

#endif
