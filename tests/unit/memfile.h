#ifndef TESTS_UNIT_MEMFILE_H
#define TESTS_UNIT_MEMFILE_H

#include "base/byte_sink.h"
#include "base/byte_source.h"

/* A file in memory, to be written and then read. */
struct memfile {
	struct byte_sink sink;
	struct byte_source source; /* its size grows as the sink is written */
	unsigned char *data;
};

void memfile_init(struct memfile *file);
void memfile_release(struct memfile *file);

/* What is in it from now on: a copy of these bytes. */
void memfile_set(struct memfile *file, const void *data, size_t len);

#endif
