#include "unit/helper.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tds/message.h"
#include "unit/rows.h"

static void test_kinds(void **state)
{
	static const struct {
		int number, severity;
		enum error_kind kind;
		bool retryable;
	} cases[] = {
		/* Worth another attempt. */
		{1205, 13, ERROR_SERVER, true},
		{1222, 16, ERROR_SERVER, true},
		{3960, 16, ERROR_SERVER, true},
		{9002, 17, ERROR_SERVER, true},
		{701, 17, ERROR_SERVER, true},
		{40501, 20, ERROR_CONNECTION, true},
		{40613, 17, ERROR_CONNECTION, true},
		{40197, 17, ERROR_CONNECTION, true},
		{49918, 16, ERROR_CONNECTION, true},
		{10928, 16, ERROR_CONNECTION, true},
		{18401, 14, ERROR_CONNECTION, true},
		{6005, 10, ERROR_CONNECTION, true},
		{596, 21, ERROR_CONNECTION, true},
		/* Not. */
		{4060, 11, ERROR_CONNECTION, false},
		{18456, 14, ERROR_CONNECTION, false},
		{18487, 14, ERROR_CONNECTION, false},
		{911, 16, ERROR_CONNECTION, false},
		{207, 16, ERROR_SCHEMA, false},
		{208, 16, ERROR_SCHEMA, false},
		{213, 16, ERROR_SCHEMA, false},
		{2812, 16, ERROR_SCHEMA, false},
		{229, 14, ERROR_PERMISSION, false},
		{230, 14, ERROR_PERMISSION, false},
		{262, 14, ERROR_PERMISSION, false},
		{916, 14, ERROR_PERMISSION, false},
		{515, 16, ERROR_DATA, false},
		{547, 16, ERROR_DATA, false},
		{2601, 14, ERROR_DATA, false},
		{2627, 14, ERROR_DATA, false},
		{1505, 16, ERROR_DATA, false},
		{2628, 16, ERROR_DATA, false},
		{8152, 16, ERROR_DATA, false},
		{245, 16, ERROR_DATA, false},
		{248, 16, ERROR_DATA, false},
		{220, 16, ERROR_DATA, false},
		{232, 16, ERROR_DATA, false},
		{8115, 16, ERROR_DATA, false},
		{7139, 16, ERROR_DATA, false},
		{13535, 16, ERROR_SERVER, true},
		/* Unknown ones go by their severity. */
		{50000, 16, ERROR_SERVER, false},
		{102, 15, ERROR_SERVER, false},
		{99999, 19, ERROR_SERVER, false},
		{99999, 20, ERROR_CONNECTION, true},
		{99999, 24, ERROR_CONNECTION, true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error err = ERROR_INIT;
		char number[16];

		tds_message_to_error(&err, cases[i].number, cases[i].severity,
				     "Some words of the server.");
		if (err.kind != cases[i].kind ||
		    err.retryable != cases[i].retryable)
			fail_msg("%d is %s, retryable %d", cases[i].number,
				 error_kind_name(err.kind), err.retryable);
		assert_int_equal(err.native, cases[i].number);
		assert_holds(err.message, "Some words of the server.");
		snprintf(number, sizeof(number), "%d", cases[i].number);
		assert_holds(err.message, number);
	}
}

/* As SQL Server words them; what follows SECRET in a value is one, too. */
static void test_values_are_hidden(void **state)
{
	static const struct {
		int number;
		const char *text, *stays;
	} cases[] = {
		{2627,
		 "Violation of PRIMARY KEY constraint 'PK_orders'. Cannot "
		 "insert duplicate key in object 'dbo.orders'. The duplicate "
		 "key value is (SECRET, 7).",
		 "'PK_orders'. Cannot insert duplicate key in object "
		 "'dbo.orders'."},
		{2627,
		 "Violation of UNIQUE KEY constraint 'UQ_x'. Cannot insert "
		 "duplicate key in object 'dbo.t'. The duplicate key value is "
		 "(SECRET value 'SECRET' to SECRET).",
		 "'dbo.t'."},
		{2601,
		 "Cannot insert duplicate key row in object 'dbo.t' with "
		 "unique index 'ix_mail'. The duplicate key value is "
		 "(SECRET@example.com).",
		 "unique index 'ix_mail'."},
		{1505,
		 "The CREATE UNIQUE INDEX statement terminated because a "
		 "duplicate key was found for the object name 'dbo.t' and the "
		 "index name 'ix'. The duplicate key value is (SECRET).",
		 "the index name 'ix'."},
		{2628,
		 "String or binary data would be truncated in table "
		 "'shop.dbo.t', column 'name'. Truncated value: 'SECRET'.",
		 "in table 'shop.dbo.t', column 'name'."},
		{2628,
		 "String or binary data would be truncated in table "
		 "'shop.dbo.t', column 'name'. Truncated value: 'a' to "
		 "SECRET'.",
		 "column 'name'."},
		{245,
		 "Conversion failed when converting the varchar value 'SECRET' "
		 "to data type int.",
		 "to data type int."},
		{245,
		 "Conversion failed when converting the nvarchar value 'it''s "
		 "SECRET' to data type int.",
		 "nvarchar value"},
		{245,
		 "Conversion failed when converting the varchar value 'mail' "
		 "to SECRET' to data type int.",
		 "to data type int."},
		{245,
		 "Conversion failed when converting the varchar value 'x "
		 "value 'SECRET' to data type int.",
		 "to data type int."},
		{248,
		 "The conversion of the varchar value 'SECRET' overflowed an "
		 "int column.",
		 "overflowed an int column."},
		{248,
		 "The conversion of the varchar value 'a' to SECRET' "
		 "overflowed an int column.",
		 "overflowed an int column."},
		{248,
		 "The conversion of the varchar value 'a' overflowed SECRET' "
		 "overflowed an int column.",
		 "overflowed an int column."},
		{244,
		 "The conversion of the varchar value 'SECRET' overflowed an "
		 "INT2 column. Use a larger integer column.",
		 "overflowed an INT2 column."},
		{220,
		 "Arithmetic overflow error for data type tinyint, value = "
		 "SECRET.",
		 "Arithmetic overflow error for data type tinyint"},
		{232,
		 "Arithmetic overflow error for type int, value = "
		 "SECRET.000000.",
		 "Arithmetic overflow error for type int"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error err = ERROR_INIT;
		char number[16];

		tds_message_to_error(&err, cases[i].number, 16, cases[i].text);
		assert_int_equal(err.kind, ERROR_DATA);
		assert_lacks(err.message, "SECRET");
		assert_holds(err.message, cases[i].stays);
		snprintf(number, sizeof(number), "%d", cases[i].number);
		assert_holds(err.message, number);
	}
}

/* A value with the words that stand around values. */
static void test_values_like_messages(void **state)
{
	static const struct {
		int number;
		const char *text;
	} cases[] = {
		{244, "The conversion of the varchar value '' to data type "
		      "SECRET' overflowed an INT2 column."},
		{245, "Conversion failed when converting the varchar value "
		      "'a' to SECRET Truncated value: b' to data type int."},
		{2627, "Cannot insert duplicate key in object 'a value 'b'. "
		       "The duplicate key value is (' to SECRET)."},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error err = ERROR_INIT;

		tds_message_to_error(&err, cases[i].number, 16, cases[i].text);
		assert_lacks(err.message, "SECRET");
	}
}

/* Messages without values stay whole. */
static void test_other_words_stay(void **state)
{
	static const char *const cases[] = {
		"Cannot insert the value NULL into column 'name', table "
		"'shop.dbo.t'; column does not allow nulls. INSERT fails.",
		"The INSERT statement conflicted with the FOREIGN KEY "
		"constraint \"FK_a\". The conflict occurred in database "
		"\"shop\", table \"dbo.t\", column 'id'.",
		"Invalid column name 'value'.",
		"Invalid object name 'dbo.value'.",
		"Login failed for user 'sa'.",
		"Cannot open database \"x\" requested by the login. The login "
		"failed.",
		"Transaction (Process ID 52) was deadlocked on lock resources "
		"with another process and has been chosen as the deadlock "
		"victim. Rerun the transaction.",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error err = ERROR_INIT;

		tds_message_to_error(&err, 50000, 16, cases[i]);
		assert_holds(err.message, cases[i]);
	}
}

/* A value that is cut off together with what would tell its end. */
static void test_long_values_are_hidden(void **state)
{
	char text[3 * ERROR_MESSAGE_MAX];
	struct error err = ERROR_INIT;
	size_t len;

	(void)state;
	len = (size_t)snprintf(text, sizeof(text),
			       "Conversion failed when converting the nvarchar "
			       "value '' to ");
	while (len < 2 * ERROR_MESSAGE_MAX) {
		memcpy(text + len, "SECRET", 6);
		len += 6;
	}
	snprintf(text + len, sizeof(text) - len, "' to data type int.");
	tds_message_to_error(&err, 245, 16, text);
	assert_lacks(err.message, "SECRET");
	/* As the server itself cuts it. */
	snprintf(text + 2044, sizeof(text) - 2044, "...");
	tds_message_to_error(&err, 245, 16, text);
	assert_lacks(err.message, "SECRET");
	memcpy(text, " The duplicate key value is (", 29);
	tds_message_to_error(&err, 2627, 14, text);
	assert_lacks(err.message, "SECRET");
}

static void test_library_errors(void **state)
{
	static const struct {
		int number, os_error;
		enum error_kind kind;
		bool retryable;
	} cases[] = {
		{20003, 0, ERROR_CONNECTION, true},	       /* SYBETIME */
		{20004, ECONNRESET, ERROR_CONNECTION, true},   /* SYBEREAD */
		{20006, EPIPE, ERROR_CONNECTION, true},	       /* SYBEWRIT */
		{20009, ECONNREFUSED, ERROR_CONNECTION, true}, /* SYBECONN */
		{20017, 0, ERROR_CONNECTION, true},	       /* SYBESEOF */
		{20047, 0, ERROR_CONNECTION, true},	       /* SYBEDDNE */
		{20010, 0, ERROR_MEMORY, false},	       /* SYBEMEM */
		{20049, 0, ERROR_DATA, false},		       /* SYBECOFL */
		{20050, 0, ERROR_DATA, false},		       /* SYBECSYN */
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error err = ERROR_INIT;
		char number[16];

		tds_library_to_error(&err, cases[i].number, cases[i].os_error,
				     "words of db-lib", "words of the system");
		if (err.kind != cases[i].kind ||
		    err.retryable != cases[i].retryable)
			fail_msg("%d is %s, retryable %d", cases[i].number,
				 error_kind_name(err.kind), err.retryable);
		assert_int_equal(err.native, cases[i].number);
		snprintf(number, sizeof(number), "%d", cases[i].number);
		assert_holds(err.message, number);
		if (cases[i].os_error)
			assert_holds(err.message, "words of the system");
		else
			assert_lacks(err.message, "words of the system");
		tds_library_to_error(&err, cases[i].number, cases[i].os_error,
				     "words of db-lib", NULL);
		assert_int_equal(err.kind, cases[i].kind);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_values_are_hidden),
		cmocka_unit_test(test_values_like_messages),
		cmocka_unit_test(test_other_words_stay),
		cmocka_unit_test(test_long_values_are_hidden),
		cmocka_unit_test(test_library_errors),
	};

	return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
