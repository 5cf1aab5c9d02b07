#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_MIN ((size_t)4096)
#define BLOCK_MAX ((size_t)1 << 20)

/* No request is larger: sums of sizes cannot wrap around then. */
#define REQUEST_MAX (SIZE_MAX / 4)

struct arena_block {
	struct arena_block *next;
	size_t size;
	size_t used;
	alignas(max_align_t) unsigned char data[];
};

void arena_init(struct arena *arena, size_t cap)
{
	memset(arena, 0, sizeof(*arena));
	arena->cap = cap;
}

void arena_release(struct arena *arena)
{
	struct arena_block *block = arena->first;
	struct arena_block *next;

	for (; block; block = next) {
		next = block->next;
		free(block);
	}
	arena_init(arena, arena->cap);
}

/*
 * Blocks are kept in the order they were made. A block made for one huge
 * request would hold its memory forever, so those are freed here.
 */
void arena_reset(struct arena *arena)
{
	struct arena_block **link = &arena->first;
	struct arena_block *block;

	while ((block = *link)) {
		if (block->size > BLOCK_MAX) {
			*link = block->next;
			free(block);
			continue;
		}
		block->used = 0;
		link = &block->next;
	}
	arena->current = arena->first;
	arena->used = 0;
}

static struct arena_block *block_add(struct arena *arena, size_t size)
{
	struct arena_block *last = arena->current;
	struct arena_block *block;
	size_t want = last ? last->size * 2 : BLOCK_MIN;

	if (want > BLOCK_MAX)
		want = BLOCK_MAX;
	if (want < size)
		want = size;
	block = malloc(sizeof(*block) + want);
	if (!block)
		return NULL;
	block->size = want;
	block->used = 0;
	block->next = last ? last->next : NULL;
	if (last)
		last->next = block;
	else
		arena->first = block;
	return block;
}

static void *take(struct arena *arena, size_t size, size_t align)
{
	struct arena_block *block = arena->current;
	size_t start = 0;

	if (size > REQUEST_MAX)
		return NULL;
	if (arena->cap &&
	    (size > arena->cap || arena->used > arena->cap - size))
		return NULL;
	for (; block; block = block->next) {
		arena->current = block;
		start = (block->used + align - 1) & ~(align - 1);
		if (start <= block->size && block->size - start >= size)
			break;
	}
	if (!block) {
		block = block_add(arena, size);
		if (!block)
			return NULL;
		arena->current = block;
		start = 0;
	}
	arena->used += start - block->used + size;
	block->used = start + size;
	return block->data + start;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	return take(arena, size, alignof(max_align_t));
}

void *arena_bytes(struct arena *arena, size_t size)
{
	return take(arena, size, 1);
}

void *arena_calloc(struct arena *arena, size_t count, size_t size)
{
	void *ptr;

	if (size && count > SIZE_MAX / size)
		return NULL;
	ptr = arena_alloc(arena, count * size);
	if (ptr)
		memset(ptr, 0, count * size);
	return ptr;
}

char *arena_strdup(struct arena *arena, const char *s)
{
	return arena_memdup(arena, s, strlen(s) + 1);
}

void *arena_memdup(struct arena *arena, const void *data, size_t len)
{
	void *copy = arena_alloc(arena, len);

	if (copy && len)
		memcpy(copy, data, len);
	return copy;
}
