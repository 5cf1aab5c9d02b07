#ifndef DRIVERS_POSTGRESQL_SEGMENT_H
#define DRIVERS_POSTGRESQL_SEGMENT_H

#include "drivers/postgresql/backlog.h"

/*
 * What a backlog is made of: backlog.c writes it, window.c reads it, and nobody
 * else knows. With the lock held, but for what a reader has pinned.
 */

/* Behind a transaction. */
struct mark {
	uint64_t end_lsn;
	int64_t commit_us;
	struct backlog_size size;
	size_t offset; /* where it ends in its segment */
	unsigned low, high;
	bool truncates;
};

struct backlog_segment {
	struct backlog_segment *next;
	unsigned char *data; /* NULL: it is on disk */
	size_t len, size;
	struct mark *marks;
	size_t mark_count, mark_size;
	uint64_t last_lsn; /* of the last mark */
	size_t last_offset;
	struct spill_extent extent;
	bool pinned; /* somebody reads it: it has to stay where it is */
};

/* In front of each change. */
struct record {
	uint32_t len;
	uint32_t xid;
	uint16_t version;
	uint8_t type;
};

/* Begin to read a segment; what was read before is let go of. */
int segment_enter(struct backlog *backlog, struct backlog_reader *reader,
		  struct backlog_segment *segment, size_t offset,
		  struct error *err) __attribute__((warn_unused_result));

/* backlog_next() for those who hold the lock. */
int segment_next(struct backlog *backlog, struct backlog_reader *reader,
		 struct backlog_change *change, struct error *err)
	__attribute__((warn_unused_result));

#endif
