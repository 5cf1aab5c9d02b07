#ifndef DRIVERS_FILES_CHANGE_VIEW_H
#define DRIVERS_FILES_CHANGE_VIEW_H

#include "row/batch.h"
#include "row/position.h"

/*
 * A batch of changes as the rows of a file: with five columns in front of the
 * table's own, and NULL where a change says nothing.
 *
 *	_op		U: the row is so from now on; D: there is none any more
 *	_position	where the window that it was read with ends
 *	_commit_time	when the last transaction of that was committed
 *	_seq		in this order the changes of the table were made
 *	_unchanged	columns whose values the log did not tell: as before
 *
 * Should the table have a column of such a name, ours has one more underscore
 * in front. Nothing of the batch is copied.
 */
struct change_view {
	struct table table; /* the definition of the file's rows */
	struct batch batch;
	size_t room;	/* rows that the arrays below are for */
	char *position; /* in words, since change_view_stamp() */
	int64_t commit_us;
	struct strbuf names;  /* of the columns that are unchanged, as JSON */
	unsigned char *nulls; /* of all columns, one bitmap behind the other */
};

/* Our own columns come first; so many, and one of them is `_seq`. */
#define CHANGE_VIEW_OWN 5
#define CHANGE_VIEW_SEQ 3

int change_view_init(struct change_view *view, const struct table *shape,
		     struct error *err) __attribute__((warn_unused_result));
void change_view_release(struct change_view *view); /* safe when zeroed */

/* Of the batches that come now. */
int change_view_stamp(struct change_view *view, const struct position *to,
		      int64_t commit_us, struct error *err)
	__attribute__((warn_unused_result));

/*
 * `out` is valid until the next call, and as long as `changes` is. `seq` is the
 * number of the last change so far.
 */
int change_view_take(struct change_view *view, const struct batch *changes,
		     int64_t *seq, const struct batch **out, struct error *err)
	__attribute__((warn_unused_result));

#endif
