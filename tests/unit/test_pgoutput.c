#include "unit/helper.h"

#include <string.h>

#include "base/strbuf.h"
#include "drivers/postgresql/pgoutput.h"

static struct strbuf wire;

static int setup(void **state)
{
	(void)state;
	strbuf_init(&wire);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	strbuf_release(&wire);
	return 0;
}

static void put_number(uint64_t number, int bytes)
{
	while (bytes-- > 0)
		strbuf_addch(&wire, (char)(number >> (8 * bytes)));
}

static void put_type(char type)
{
	strbuf_reset(&wire);
	strbuf_addch(&wire, type);
}

static void put_string(const char *text)
{
	strbuf_add(&wire, text, strlen(text) + 1);
}

static void put_value(char kind, const char *text)
{
	strbuf_addch(&wire, kind);
	if (!text)
		return;
	put_number(strlen(text), 4);
	strbuf_addstr(&wire, text);
}

static void read_it(struct pgoutput_message *out, bool in_stream)
{
	struct error err = ERROR_INIT;

	MUST(pgoutput_read(out, wire.data, wire.len, in_stream, &err));
}

/* Neither less nor more than there should be makes sense. */
static void assert_exact(bool in_stream)
{
	struct pgoutput_message message;
	struct error err = ERROR_INIT;

	for (size_t len = 0; len < wire.len; len++)
		MUST_FAIL(pgoutput_read(&message, wire.data, len, in_stream,
					&err),
			  ERROR_SERVER);
	strbuf_addch(&wire, 'x');
	MUST_FAIL(pgoutput_read(&message, wire.data, wire.len, in_stream, &err),
		  ERROR_SERVER);
}

static void test_begin_and_commit(void **state)
{
	struct pgoutput_message message;

	(void)state;
	put_type('B');
	put_number(0x1122334455, 8);
	put_number(1000000, 8);
	put_number(777, 4);
	read_it(&message, false);
	assert_int_equal(message.type, PGOUTPUT_BEGIN);
	assert_int_equal(message.xid, 777);
	assert_int_equal(message.commit_us, 946684801000000);
	assert_int_equal(message.end_lsn, 0x1122334455);
	assert_exact(false);

	put_type('C');
	put_number(0, 1);
	put_number(0x1122334455, 8);
	put_number(0x1122334488, 8);
	put_number((uint64_t)-1000000, 8);
	read_it(&message, false);
	assert_int_equal(message.type, PGOUTPUT_COMMIT);
	assert_int_equal(message.end_lsn, 0x1122334488);
	assert_int_equal(message.commit_us, 946684799000000);
	assert_exact(false);
}

static void test_relation(void **state)
{
	struct pgoutput_message message;
	struct pgoutput_column column;

	(void)state;
	put_type('R');
	put_number(5, 4); /* of a subtransaction */
	put_number(16384, 4);
	put_string("public");
	put_string("grüße");
	strbuf_addch(&wire, 'f');
	put_number(2, 2);
	put_number(1, 1);
	put_string("id");
	put_number(20, 4);
	put_number((uint32_t)-1, 4);
	put_number(0, 1);
	put_string("name");
	put_number(1043, 4);
	put_number(54, 4);
	read_it(&message, true);
	assert_int_equal(message.type, PGOUTPUT_RELATION);
	assert_int_equal(message.xid, 5);
	assert_int_equal(message.table.id, 16384);
	assert_string_equal(message.table.schema, "public");
	assert_string_equal(message.table.name, "grüße");
	assert_int_equal(message.table.identity, 'f');
	assert_true(pgoutput_column_next(&message.table, &column));
	assert_string_equal(column.name, "id");
	assert_true(column.is_key);
	assert_int_equal(column.type, 20);
	assert_int_equal(column.modifier, -1);
	assert_true(pgoutput_column_next(&message.table, &column));
	assert_string_equal(column.name, "name");
	assert_false(column.is_key);
	assert_int_equal(column.modifier, 54);
	assert_false(pgoutput_column_next(&message.table, &column));
	assert_exact(true);
}

static void assert_value(struct pgoutput_tuple *tuple, enum pgoutput_kind kind,
			 const char *text)
{
	struct pgoutput_value value;

	assert_true(pgoutput_value_next(tuple, &value));
	assert_int_equal(value.kind, kind);
	assert_int_equal(value.len, strlen(text));
	if (value.len)
		assert_memory_equal(value.data, text, value.len);
}

static void test_insert(void **state)
{
	struct pgoutput_message message;
	struct pgoutput_value value;

	(void)state;
	put_type('I');
	put_number(16384, 4);
	strbuf_addch(&wire, 'N');
	put_number(4, 2);
	put_value('b', "\x01\x02\x03\x04");
	put_value('t', "");
	put_value('n', NULL);
	put_value('u', NULL);
	read_it(&message, false);
	assert_int_equal(message.type, PGOUTPUT_INSERT);
	assert_int_equal(message.relation, 16384);
	assert_null(message.before.data);
	assert_value(&message.after, PGOUTPUT_BINARY, "\x01\x02\x03\x04");
	assert_value(&message.after, PGOUTPUT_TEXT, "");
	assert_value(&message.after, PGOUTPUT_NULL, "");
	assert_value(&message.after, PGOUTPUT_UNCHANGED, "");
	assert_false(pgoutput_value_next(&message.after, &value));
	assert_exact(false);
}

static void test_update(void **state)
{
	struct pgoutput_message message;
	struct error err = ERROR_INIT;

	(void)state;
	put_type('U');
	put_number(1, 4);
	strbuf_addch(&wire, 'K');
	put_number(2, 2);
	put_value('t', "7");
	put_value('n', NULL);
	strbuf_addch(&wire, 'N');
	put_number(2, 2);
	put_value('t', "8");
	put_value('u', NULL);
	read_it(&message, false);
	assert_int_equal(message.old_kind, 'K');
	/* What was kept of it reads the same. */
	MUST(pgoutput_row_read(&message, message.type, message.body,
			       message.body_len, &err));
	assert_int_equal(message.old_kind, 'K');
	assert_value(&message.before, PGOUTPUT_TEXT, "7");
	assert_value(&message.before, PGOUTPUT_NULL, "");
	assert_value(&message.after, PGOUTPUT_TEXT, "8");
	assert_value(&message.after, PGOUTPUT_UNCHANGED, "");
	assert_exact(false);

	/* The two rows are of one table. */
	put_type('U');
	put_number(1, 4);
	strbuf_addch(&wire, 'O');
	put_number(1, 2);
	put_value('n', NULL);
	strbuf_addch(&wire, 'N');
	put_number(2, 2);
	put_value('n', NULL);
	put_value('n', NULL);
	assert_exact(false);
}

static void test_delete(void **state)
{
	struct pgoutput_message message;

	(void)state;
	put_type('D');
	put_number(1, 4);
	strbuf_addch(&wire, 'O');
	put_number(1, 2);
	put_value('t', "x");
	read_it(&message, false);
	assert_int_equal(message.old_kind, 'O');
	assert_value(&message.before, PGOUTPUT_TEXT, "x");
	assert_null(message.after.data);
	assert_exact(false);
}

static void test_truncate(void **state)
{
	struct pgoutput_message message;
	struct error err = ERROR_INIT;

	(void)state;
	put_type('T');
	put_number(2, 4);
	put_number(3, 1);
	put_number(16384, 4);
	put_number(4000000000u, 4);
	read_it(&message, false);
	assert_int_equal(message.truncated_count, 2);
	assert_int_equal(pgoutput_truncated(&message, 0), 16384);
	assert_true(pgoutput_truncated(&message, 1) == 4000000000u);
	assert_exact(false);
	put_type('T');
	put_number(UINT32_MAX, 4);
	put_number(0, 1);
	MUST_FAIL(pgoutput_read(&message, wire.data, wire.len, false, &err),
		  ERROR_SERVER);
}

static void test_streams(void **state)
{
	struct pgoutput_message message;

	(void)state;
	put_type('S');
	put_number(9, 4);
	put_number(1, 1);
	read_it(&message, false);
	assert_int_equal(message.xid, 9);
	assert_true(message.first);
	assert_exact(false);

	put_type('D');
	put_number(10, 4); /* the subtransaction */
	put_number(1, 4);
	strbuf_addch(&wire, 'K');
	put_number(1, 2);
	put_value('t', "x");
	read_it(&message, true);
	assert_int_equal(message.xid, 10);
	assert_int_equal(message.relation, 1);
	assert_exact(true);

	put_type('E');
	read_it(&message, true);
	assert_int_equal(message.type, PGOUTPUT_STREAM_STOP);
	assert_exact(true);

	put_type('A');
	put_number(9, 4);
	put_number(10, 4);
	read_it(&message, false);
	assert_int_equal(message.xid, 9);
	assert_int_equal(message.subxid, 10);
	assert_exact(false);

	put_type('c');
	put_number(9, 4);
	put_number(0, 1);
	put_number(50, 8);
	put_number(60, 8);
	put_number(0, 8);
	read_it(&message, false);
	assert_int_equal(message.xid, 9);
	assert_int_equal(message.end_lsn, 60);
	assert_int_equal(message.commit_us, 946684800000000);
	assert_exact(false);
}

static void test_what_concerns_nobody(void **state)
{
	static const char *const others = "YOM";
	struct pgoutput_message message;
	struct error err = ERROR_INIT;

	(void)state;
	for (const char *type = others; *type; type++) {
		put_type(*type);
		put_number(0x123456789, 8);
		put_string("something");
		read_it(&message, false);
		assert_int_equal(message.type, PGOUTPUT_OTHER);
	}
	put_type('?');
	MUST_FAIL(pgoutput_read(&message, wire.data, wire.len, false, &err),
		  ERROR_SERVER);
	MUST_FAIL(pgoutput_read(&message, "", 0, false, &err), ERROR_SERVER);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_begin_and_commit), TEST(test_relation),
		TEST(test_insert),	     TEST(test_update),
		TEST(test_delete),	     TEST(test_truncate),
		TEST(test_streams),	     TEST(test_what_concerns_nobody),
	};

	return cmocka_run_group_tests_name("pgoutput", tests, NULL, NULL);
}
