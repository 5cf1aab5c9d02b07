#ifndef TDSD_MEM_H
#define TDSD_MEM_H

#include <stddef.h>

#include "base/arena.h"
#include "base/strbuf.h"

/*
 * Memory for a test double: what comes from outside is bounded before it gets
 * here (packet, batch and row sizes all have limits), so an allocation that
 * still fails means that the machine is out of memory, and the process ends
 * with one line. Everything may be called from any thread; an arena belongs
 * to one at a time.
 */
void *mem_alloc(size_t size);
void *mem_calloc(size_t count, size_t size);
void *mem_realloc(void *ptr, size_t size);
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t len);

/* Cleared memory from an arena. */
void *pool_alloc(struct arena *pool, size_t size);
char *pool_strdup(struct arena *pool, const char *s);
char *pool_strndup(struct arena *pool, const char *s, size_t len);
char *pool_printf(struct arena *pool, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Make room for one more element in a malloc'ed array of `count` elements:
 * `MEM_GROW(ptr, count, room)`, where `room` is the array's own counter of
 * allocated elements.
 */
#define MEM_GROW(ptr, count, room)                                            \
	do {                                                                  \
		if ((count) >= (room)) {                                      \
			(room) = (room) ? (room)*2 : 8;                       \
			(ptr) = mem_realloc((ptr),                            \
					    (size_t)(room) * sizeof(*(ptr))); \
		}                                                             \
	} while (0)

#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
