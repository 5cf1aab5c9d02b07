#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

/*
 * Memory that is given out piece by piece and taken back all at once. `cap`
 * bounds what may be given out between two resets. One thread at a time.
 */
struct arena {
	struct arena_block *first, *current;
	size_t cap;  /* bytes that may be in use; 0: no limit */
	size_t used; /* bytes given out since the last reset */
};

void arena_init(struct arena *arena, size_t cap);
void arena_release(struct arena *arena); /* safe to call twice */

/* Take everything back; the memory itself is kept for the next round. */
void arena_reset(struct arena *arena);

/*
 * `size` bytes aligned for any type, not cleared; NULL when the cap or the
 * machine's memory is reached.
 */
void *arena_alloc(struct arena *arena, size_t size);

/* The same without alignment, for packed text and bytes. */
void *arena_bytes(struct arena *arena, size_t size);

/* Cleared memory for `count` elements. */
void *arena_calloc(struct arena *arena, size_t count, size_t size);

/* A copy that lives as long as the arena; NULL as arena_alloc(). */
char *arena_strdup(struct arena *arena, const char *s);
void *arena_memdup(struct arena *arena, const void *data, size_t len);

#endif
