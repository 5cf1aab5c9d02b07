#ifndef DRIVERS_POSTGRESQL_SPILL_H
#define DRIVERS_POSTGRESQL_SPILL_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

/*
 * Where changes are kept that there is no memory for: a file without a name
 * (TMPDIR says where), which is gone with the process. Space that was freed is
 * used again; when nothing is in it, the file is closed. Any thread may call.
 */
struct spill {
	pthread_mutex_t lock;  /* guards all of it */
	FILE *file;	       /* NULL: nothing was written */
	unsigned char *blocks; /* 1: it is in use */
	size_t block_count;
	size_t used;
};

/* A piece of it; `bytes` 0: none. */
struct spill_extent {
	uint64_t block;
	uint64_t bytes;
};

int spill_init(struct spill *spill, struct error *err)
	__attribute__((warn_unused_result));
void spill_release(struct spill *spill);

struct spill_part {
	const void *data;
	size_t len;
};

/* Keep what the parts have, one behind the other. */
int spill_write(struct spill *spill, const struct spill_part *parts,
		size_t count, struct spill_extent *out, struct error *err)
	__attribute__((warn_unused_result));

/* `len` bytes of it, from `offset` on. */
int spill_read(struct spill *spill, const struct spill_extent *extent,
	       uint64_t offset, void *out, size_t len, struct error *err)
	__attribute__((warn_unused_result));

/* It is not wanted any more; `extent` is none then. */
void spill_drop(struct spill *spill, struct spill_extent *extent);

/* How much of the disk it takes. */
uint64_t spill_bytes(uint64_t len);

#endif
