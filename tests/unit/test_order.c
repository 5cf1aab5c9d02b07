#include "unit/helper.h"

#include <string.h>

#include "drivers/sqlserver/condition.h"
#include "engine/order.h"

static void test_kinds(void **state)
{
	struct control_request request = {.id = 7, .type = " verify "};
	struct error err = ERROR_INIT;
	struct order order;

	(void)state;
	MUST(order_read(&order, &request, &err));
	assert_int_equal(order.kind, ORDER_VERIFY);
	assert_int_equal(order.id, 7);
	assert_false(order.whole || order.scope_given || order.dry_run);
	request.scope = "Whole";
	request.dry_run = true;
	request.type = "REPAIR";
	MUST(order_read(&order, &request, &err));
	assert_int_equal(order.kind, ORDER_REPAIR);
	assert_true(order.whole && order.scope_given && order.dry_run);
	for (int kind = ORDER_FULL_SYNC; kind <= ORDER_RESUME; kind++) {
		request = (struct control_request){
			.type = order_name((enum order_kind)kind),
			.condition = kind == ORDER_RESYNC ? "a = 1" : NULL,
		};
		MUST(order_read(&order, &request, &err));
		assert_int_equal(order.kind, kind);
		order_release(&order);
	}
}

#define BLANKS_16 "                "
#define BLANKS_64 BLANKS_16 BLANKS_16 BLANKS_16 BLANKS_16

static void test_nonsense(void **state)
{
	static const struct {
		struct control_request request;
		const char *says;
	} cases[] = {
		{{.type = NULL}, "these are: FULL_SYNC"},
		{{.type = "VERIFI"}, "'VERIFI'"},
		{{.type = "VERIFY", .scope = "HALF"}, "'HALF'"},
		/* What follows a word, however far behind it. */
		{{.type = "REPAIR\xd8"}, "'REPAIR?'"},
		{{.type = "REPAIR" BLANKS_64 "x"}, "not known"},
		{{.type = "VERIFY", .scope = "WHOLE" BLANKS_64 "x"}, "scope"},
		{{.type = "RESYNC"}, "where_condition"},
		{{.type = "RESYNC", .condition = " \n"}, "where_condition"},
		{{.type = "VERIFY", .condition = "a = 1"}, "RESYNC alone"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error err = ERROR_INIT;
		struct order order;

		assert_int_equal(order_read(&order, &cases[i].request, &err),
				 -1);
		assert_int_equal(err.kind, ERROR_CONFIG);
		assert_non_null(strstr(err.message, cases[i].says));
		order_release(&order);
	}
}

static void test_conditions(void **state)
{
	static const char *const good[] = {
		"a = 1",
		"a = 'it''s; -- fine)' AND (b > 2 OR c IN (1, 2))",
		"[odd ]] name;] = \"x\"\"y\"",
		"EXISTS (SELECT 1 FROM t WHERE t.a = b)",
	};
	static const char *const bad[] = {
		"",
		"  \t",
		"a = 1; DROP TABLE t",
		"1 = 1) OR (1 = 1",
		")(",
		"(a = 1",
		"a = 'x",
		"[a = 1",
		"\"a = 1",
		"a = 1 -- and",
		"a = 1 /* and */",
	};
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		MUST(condition_check(good[i], &err));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(condition_check(bad[i], &err), -1);
		assert_int_equal(err.kind, ERROR_CONFIG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_conditions),
	};

	return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
