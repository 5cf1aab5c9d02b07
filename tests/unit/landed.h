#ifndef TESTS_UNIT_LANDED_H
#define TESTS_UNIT_LANDED_H

#include "drivers/driver.h"

/*
 * A table that was landed as files in the test's own folder, through the driver
 * `file`: (id bigint, name text, price decimal(10,2), part int), JSON lines unless
 * the options say otherwise.
 */
struct landed {
	const struct driver *driver;
	struct server *server;
	struct target *dst;
	struct table table;
	struct cancel cancel;
	struct checkpoint at;
	int64_t windows; /* so many, each with a file */
	int64_t epoch;	 /* that landed_begin() takes the table over with */

	/* Of the last landed_prove(): "key WHAT" and a line break each. */
	struct strbuf found;
	struct proof proof;
	size_t room, room_most; /* 0: plenty */
};

/* The folder is emptied first. The target is fenced. */
void landed_open(struct landed *landed, const char *options);
void landed_close(struct landed *landed);

/* From now on with other options; the files stay. */
void landed_alter(struct landed *landed, const char *options);

/* The target alone, as after a restart; `err` of the call that failed. */
int landed_begin(struct landed *landed, struct error *err)
	__attribute__((warn_unused_result));
void landed_end(struct landed *landed);

/* Rows `first` to `last`; the part is the remainder of the id by 3. */
void landed_load(struct landed *landed, int64_t first, int64_t last);
void landed_load_begin(struct landed *landed);
int landed_load_end(struct landed *landed, int64_t first, int64_t last,
		    struct error *err) __attribute__((warn_unused_result));
void landed_change(struct landed *landed, int64_t first, int64_t last);

/* All of it: as prove() and compact() of the driver. 0, or -1. */
int landed_prove(struct landed *landed, bool whole, struct error *err)
	__attribute__((warn_unused_result));
int landed_compact(struct landed *landed, struct compaction *work,
		   struct error *err) __attribute__((warn_unused_result));

/* Keys below a folder of the table, sorted, a line each; to be freed. */
char *landed_keys(const char *below);

/* A file of the table; what is read has to be freed. */
const char *landed_path(const char *key);
char *landed_read(const char *key, size_t *len);
void landed_write(const char *key, const void *data, size_t len);

#endif
