/* Every type of SQL Server, from one server into another. */
#include "contract/sqlserver_pair.h"

#include <stdlib.h>
#include <string.h>

/* Each type with its edges: name, two literals that are not NULL. */
static const struct {
	const char *name, *type, *low, *high;
} typed[] = {
	{"c_bit", "bit", "0", "1"},
	{"c_tinyint", "tinyint", "0", "255"},
	{"c_smallint", "smallint", "-32768", "32767"},
	{"c_int", "int", "-2147483648", "2147483647"},
	{"c_bigint", "bigint", "-9223372036854775808", "9223372036854775807"},
	{"c_real", "real", "-3.4e38", "1.17549435e-38"},
	{"c_float", "float", "-1.79e308", "2.2250738585072014e-308"},
	{"c_dec", "decimal(10, 2)", "-99999999.99", "0.01"},
	{"c_dec38", "decimal(38, 10)",
	 "-9999999999999999999999999999.9999999999", "0.0000000001"},
	{"c_num", "numeric(5, 0)", "-99999", "99999"},
	{"c_num38", "numeric(38, 38)",
	 "-0.99999999999999999999999999999999999999",
	 "0.00000000000000000000000000000000000001"},
	{"c_money", "money", "-922337203685477.5808", "922337203685477.5807"},
	{"c_smallmoney", "smallmoney", "-214748.3648", "214748.3647"},
	{"c_date", "date", "'0001-01-01'", "'9999-12-31'"},
	{"c_time0", "time(0)", "'00:00:00'", "'23:59:59'"},
	{"c_time7", "time(7)", "'00:00:00.0000001'", "'23:59:59.9999999'"},
	{"c_datetime", "datetime", "'1753-01-01T00:00:00.003'",
	 "'9999-12-31T23:59:59.997'"},
	{"c_smalldt", "smalldatetime", "'1900-01-01T00:00:00'",
	 "'2079-06-06T23:59:00'"},
	{"c_dt2_0", "datetime2(0)", "'0001-01-01T00:00:00'",
	 "'9999-12-31T23:59:59'"},
	{"c_dt2_3", "datetime2(3)", "'0001-01-01T00:00:00.001'",
	 "'9999-12-31T23:59:59.999'"},
	{"c_dt2_7", "datetime2(7)", "'0001-01-01T00:00:00.0000001'",
	 "'9999-12-31T23:59:59.9999999'"},
	{"c_dto", "datetimeoffset(7)", "'0001-01-01T14:00:00.0000001 +14:00'",
	 "'9999-12-31T09:59:59.9999999 -14:00'"},
	{"c_char", "char(5)", "'ab'", "''"},
	{"c_varchar", "varchar(20)", "''", "'blanks  '"},
	{"c_varcharmax", "varchar(max)", "''",
	 "REPLICATE(CONVERT(varchar(max), 'x'), 20000)"},
	{"c_nchar", "nchar(5)", "N'\xc3\xa4'", "N''"},
	{"c_nvarchar", "nvarchar(20)", "N''",
	 "N'\xe8\xa1\xa8\xf0\x9f\x98\x80 '"},
	{"c_nvarcharmax", "nvarchar(max)", "N''",
	 "REPLICATE(CONVERT(nvarchar(max), N'\xe2\x82\xac'), 20000)"},
	{"c_binary", "binary(4)", "0x00", "0xFFFFFFFF"},
	{"c_varbinary", "varbinary(20)", "0x", "0x00FF00"},
	{"c_varbinarymax", "varbinary(max)", "0x",
	 "CONVERT(varbinary(max), REPLICATE(CONVERT(varchar(max), 'y'), "
	 "20000))"},
	{"c_guid", "uniqueidentifier", "'00112233-4455-6677-8899-AABBCCDDEEFF'",
	 "'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF'"},
};

/* Columns "id" and one of each type. */
static char *typed_columns(void)
{
	struct strbuf sql;

	strbuf_init(&sql);
	strbuf_addstr(&sql, "id int NOT NULL PRIMARY KEY");
	for (size_t i = 0; i < COUNT_OF(typed); i++)
		strbuf_addf(&sql, ", %s %s NULL", typed[i].name, typed[i].type);
	return strbuf_detach(&sql);
}

static void insert_typed(int id, int which)
{
	struct strbuf sql;

	strbuf_init(&sql);
	strbuf_addf(&sql, "INSERT INTO dbo.t VALUES (%d", id);
	for (size_t i = 0; i < COUNT_OF(typed); i++)
		strbuf_addf(&sql, ", %s",
			    which == 0	 ? "NULL"
			    : which == 1 ? typed[i].low
					 : typed[i].high);
	strbuf_addch(&sql, ')');
	sqlserver_exec(LAB_SOURCE, "%s", sql.data);
	strbuf_release(&sql);
}

static void assert_same_table(void)
{
	pair_assert_same("id");
	for (size_t i = 0; i < COUNT_OF(typed); i++)
		pair_assert_same(typed[i].name);
}

static void test_every_type(void **state)
{
	static const enum target_mode modes[] = {TARGET_REPLACE, TARGET_REFILL};
	char *columns = typed_columns();
	struct position at;

	(void)state;
	pair_make(LAB_SOURCE, columns);
	for (int id = 1; id <= 3; id++)
		insert_typed(id, id - 1);
	for (int native = 0; native < 2; native++) {
		pair_open_both(native);
		pair_describe_both(); /* makes it the first time */
		for (size_t m = 0; m < COUNT_OF(modes); m++) {
			pair_must_load(modes[m], &at);
			assert_same_table();
		}
		for (int id = 1; id <= 3; id++)
			insert_typed(10 * (native + 1) + id, id - 1);
		sqlserver_exec(LAB_SOURCE,
			       "DELETE FROM dbo.t WHERE id = %d; "
			       "UPDATE dbo.t SET c_varchar = 'changed', "
			       "c_nvarcharmax = NULL WHERE id = 2; "
			       "UPDATE dbo.t SET c_dec = 1.25 WHERE id = 3",
			       10 * native + 1);
		pair_must_apply(&at);
		assert_same_table();
	}
	free(columns);
}

/* The old large types, and xml: full loads carry them. */
static void test_old_large_types(void **state)
{
	struct position at;

	(void)state;
	pair_make(LAB_SOURCE, "id int NOT NULL PRIMARY KEY, a text NULL, "
			      "b ntext NULL, c image NULL, d xml NULL");
	sqlserver_exec(LAB_SOURCE,
		       "INSERT INTO dbo.t VALUES (1, NULL, NULL, NULL, NULL), "
		       "(2, '', N'', 0x, N'<a/>'), "
		       "(3, REPLICATE(CONVERT(varchar(max), 'x'), 20000), "
		       "N'\xe8\xa1\xa8', 0x00FF, N'<r><x>1</x></r>')");
	pair_open_both(true);
	pair_describe_both();
	pair_must_load(TARGET_REPLACE, &at);
	pair_assert_same("CONVERT(varchar(max), %s.a)");
	pair_assert_same("CONVERT(nvarchar(max), %s.b)");
	pair_assert_same("CONVERT(varbinary(max), %s.c)");
	pair_assert_same("CONVERT(nvarchar(max), %s.d)");
}

/* Thirds of a hundredth of a second, as the server itself would round them. */
static void test_datetime_into_datetime2(void **state)
{
	struct position at;

	(void)state;
	pair_make(LAB_SOURCE, "id int NOT NULL PRIMARY KEY, d datetime NULL");
	pair_make(LAB_DEST, "id int NOT NULL PRIMARY KEY, d datetime2(3) NULL");
	for (int i = 0; i < 30; i++)
		sqlserver_exec(LAB_SOURCE,
			       "INSERT INTO dbo.t VALUES (%d, DATEADD("
			       "MILLISECOND, %d, '2020-01-01T10:00:00'))",
			       i, i * 10 / 3);
	pair_open_both(true);
	pair_describe_both();
	pair_must_load(TARGET_REPLACE, &at);
	assert_int_equal(
		sqlserver_number(LAB_DEST,
				 "SELECT COUNT(*) FROM " LAB_SOURCE_DATABASE
				 ".dbo.t AS a INNER JOIN dbo.t AS b "
				 "ON a.id = b.id "
				 "WHERE CONVERT(varchar(40), a.d, 121) "
				 "<> CONVERT(varchar(40), b.d, 121)"),
		0);
}

int sqlserver_types(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(test_every_type),
		PAIR_TEST(test_old_large_types),
		PAIR_TEST(test_datetime_into_datetime2),
	};

	return cmocka_run_group_tests_name("types", tests, NULL, NULL);
}
