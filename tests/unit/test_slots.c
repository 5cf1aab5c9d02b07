#include "unit/helper.h"

#include "engine/slots.h"

static void test_empty(void **state)
{
	struct slots slots = {.items = NULL};

	(void)state;
	assert_null(slots_find(&slots, 1));
	slots_release(&slots);
}

/* Whatever comes and goes, in whatever order. */
static void test_add_find_remove(void **state)
{
	enum { IDS = 211 };
	bool there[IDS] = {false};
	struct slots slots = {.items = NULL};
	size_t count = 0;
	unsigned dice = 1;

	(void)state;
	for (int round = 0; round < 5000; round++) {
		int id = (int)((dice = dice * 1103515245 + 12345) >> 16) % IDS;
		struct slot *slot = slots_find(&slots, id);

		assert_int_equal(slot != NULL, there[id]);
		if (slot) {
			assert_int_equal(slot->mapping_id, id);
			assert_int_equal(slot->stop_since_ms, id * 7);
			slots_remove(&slots, slot);
			count--;
		} else {
			slot = slots_add(&slots, id);
			assert_non_null(slot);
			assert_false(slot->stopping);
			assert_int_equal(slot->stop_since_ms, 0);
			slot->stop_since_ms = id * 7;
			count++;
		}
		there[id] = !there[id];
		assert_int_equal(slots.count, count);
		for (size_t i = 1; i < slots.count; i++)
			assert_true(slots.items[i - 1].mapping_id <
				    slots.items[i].mapping_id);
	}
	slots_release(&slots);
	assert_null(slots_find(&slots, 1));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_add_find_remove),
	};

	return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
