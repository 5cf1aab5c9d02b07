#ifndef DRIVERS_MEMORY_SERVER_H
#define DRIVERS_MEMORY_SERVER_H

#include "drivers/memory/store.h"

/* source.c and target.c are the two ends, memory.c puts them together. */
struct memory_server {
	struct server base;
	struct memory_store *store;
	int gather_ms; /* of its targets */
};

extern const struct source_ops memory_source_ops;
extern const struct target_ops memory_target_ops;

#endif
