#include "unit/helper.h"

#include <stdalign.h>
#include <string.h>

#include "base/arena.h"

#define BIG ((size_t)3 << 20) /* more than a block that is kept */

static bool is_aligned(const void *ptr)
{
	return (uintptr_t)ptr % alignof(max_align_t) == 0;
}

static void test_alignment_after_every_size(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	for (size_t size = 0; size < 200; size++) {
		void *ptr;

		assert_non_null(arena_bytes(&arena, size % 7));
		ptr = arena_alloc(&arena, size);
		assert_non_null(ptr);
		assert_true(is_aligned(ptr));
		memset(ptr, 0xaa, size);
	}
	arena_release(&arena);
}

/* Pieces do not overlap: each keeps the byte it was filled with. */
static void test_pieces_are_apart(void **state)
{
	unsigned char *pieces[2000];
	size_t sizes[2000];
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	for (size_t i = 0; i < 2000; i++) {
		sizes[i] = (i * 7919) % 513;
		pieces[i] = i % 3 ? arena_alloc(&arena, sizes[i])
				  : arena_bytes(&arena, sizes[i]);
		assert_non_null(pieces[i]);
		memset(pieces[i], (int)(i & 255), sizes[i]);
	}
	for (size_t i = 0; i < 2000; i++)
		for (size_t at = 0; at < sizes[i]; at++)
			assert_int_equal(pieces[i][at], i & 255);
	arena_release(&arena);
}

static void test_bytes_are_packed(void **state)
{
	struct arena arena;
	char *a, *b, *c;

	(void)state;
	arena_init(&arena, 10);
	a = arena_bytes(&arena, 3);
	b = arena_bytes(&arena, 5);
	c = arena_bytes(&arena, 2);
	assert_ptr_equal(b, a + 3);
	assert_ptr_equal(c, b + 5);
	assert_int_equal(arena.used, 10);
	assert_null(arena_bytes(&arena, 1));
	assert_non_null(arena_bytes(&arena, 0));
	arena_release(&arena);
}

static void test_cap(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, 100);
	assert_null(arena_alloc(&arena, 101));
	assert_non_null(arena_alloc(&arena, 100));
	assert_null(arena_alloc(&arena, 1));
	arena_reset(&arena);
	assert_int_equal(arena.used, 0);
	assert_non_null(arena_alloc(&arena, 50));
	assert_null(arena_alloc(&arena, 51));
	assert_non_null(arena_alloc(&arena, 1)); /* a refusal takes nothing */
	arena_release(&arena);
	assert_int_equal(arena.used, 0);
	assert_null(arena_alloc(&arena, 101)); /* the cap stays */
	assert_non_null(arena_alloc(&arena, 100));
	arena_release(&arena);
	arena_release(&arena);
}

static void test_cap_bounds_many_pieces(void **state)
{
	struct arena arena;
	size_t given = 0;

	(void)state;
	arena_init(&arena, 100000);
	for (int round = 0; round < 3; round++) {
		for (size_t size = 1; arena_alloc(&arena, size);
		     size = size % 99 + 1)
			given += size;
		assert_true(given <= 100000);
		assert_true(given > 50000);
		given = 0;
		arena_reset(&arena);
	}
	arena_release(&arena);
}

/* What no machine has must be refused; sizes must not wrap around. */
static void test_absurd_sizes(void **state)
{
	static const size_t sizes[] = {SIZE_MAX,      SIZE_MAX - 1,
				       SIZE_MAX - 15, SIZE_MAX - 31,
				       SIZE_MAX - 32, SIZE_MAX - 64};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct arena arena;

		arena_init(&arena, 0);
		assert_null(arena_alloc(&arena, sizes[i]));
		assert_null(arena_bytes(&arena, sizes[i]));
		assert_non_null(arena_alloc(&arena, 1));
		assert_null(arena_alloc(&arena, sizes[i]));
		assert_null(arena_calloc(&arena, sizes[i], 2));
		assert_null(arena_calloc(&arena, 3, SIZE_MAX / 2));
		assert_null(arena_calloc(&arena, SIZE_MAX / 4 + 2, 4));
		arena_release(&arena);
	}
}

static void test_reset_reuses_memory(void **state)
{
	struct arena arena;
	void *first, *second;

	(void)state;
	arena_init(&arena, 0);
	first = arena_alloc(&arena, 100);
	second = arena_alloc(&arena, 5000); /* another block */
	arena_reset(&arena);
	assert_ptr_equal(arena_alloc(&arena, 100), first);
	assert_ptr_equal(arena_alloc(&arena, 5000), second);
	arena_release(&arena);
}

static size_t blocks(const struct arena *arena)
{
	/* A block begins with the pointer to the next one. */
	size_t count = 0;

	for (void *const *block = (void *const *)(const void *)arena->first;
	     block; block = (void *const *)*block)
		count++;
	return count;
}

static void test_reset_frees_huge_blocks(void **state)
{
	struct arena arena;
	size_t kept;

	(void)state;
	arena_init(&arena, 0);
	for (int i = 0; i < 3; i++) {
		assert_non_null(arena_alloc(&arena, 1000));
		assert_non_null(arena_alloc(&arena, BIG));
		assert_non_null(arena_alloc(&arena, 10));
		kept = blocks(&arena);
		arena_reset(&arena);
		assert_true(blocks(&arena) < kept);
		assert_int_equal(arena.used, 0);
	}
	arena_release(&arena);
	/* Nothing but a huge one. */
	assert_non_null(arena_alloc(&arena, BIG));
	arena_reset(&arena);
	assert_int_equal(blocks(&arena), 0);
	assert_non_null(arena_alloc(&arena, 1));
	arena_release(&arena);
}

static void test_cleared_memory(void **state)
{
	struct arena arena;
	unsigned char *ptr;

	(void)state;
	arena_init(&arena, 0);
	memset(arena_alloc(&arena, 1000), 0xff, 1000);
	arena_reset(&arena);
	ptr = arena_calloc(&arena, 10, 100);
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(ptr[i], 0);
	assert_non_null(arena_calloc(&arena, 0, 8));
	assert_non_null(arena_calloc(&arena, 8, 0));
	arena_release(&arena);
}

static void test_duplicates(void **state)
{
	struct arena arena;
	char text[] = "hello";
	char *copy;

	(void)state;
	arena_init(&arena, 12);
	copy = arena_strdup(&arena, text);
	assert_string_equal(copy, "hello");
	text[0] = 'j';
	assert_string_equal(copy, "hello");
	assert_null(arena_strdup(&arena, "too long now"));
	arena_reset(&arena);
	assert_memory_equal(arena_memdup(&arena, "a\0b", 3), "a\0b", 3);
	assert_non_null(arena_memdup(&arena, NULL, 0));
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alignment_after_every_size),
		cmocka_unit_test(test_pieces_are_apart),
		cmocka_unit_test(test_bytes_are_packed),
		cmocka_unit_test(test_cap),
		cmocka_unit_test(test_cap_bounds_many_pieces),
		cmocka_unit_test(test_absurd_sizes),
		cmocka_unit_test(test_reset_reuses_memory),
		cmocka_unit_test(test_reset_frees_huge_blocks),
		cmocka_unit_test(test_cleared_memory),
		cmocka_unit_test(test_duplicates),
	};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
