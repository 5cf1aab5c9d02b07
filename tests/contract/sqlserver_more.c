/*
 * What SQL Server's driver has to get right beyond the contract: its types, its
 * ways to refuse something, and what a DBA may do to the tables meanwhile.
 */
#include "contract/sqlserver.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define BATCH_BYTES ((size_t)1 << 20)
#define MANY	    1000000u

static struct source *src;
static struct target *dst;
static struct table shape;

static int setup(void **state)
{
	if (contract_setup(state) < 0)
		return -1;
	table_init(&shape);
	return 0;
}

static int teardown(void **state)
{
	if (src)
		src->ops->close(src);
	if (dst)
		dst->ops->close(dst);
	src = NULL;
	dst = NULL;
	table_release(&shape);
	return contract_teardown(state);
}

/* A table "dbo.t" of these columns on a side; captured on the source. */
static void make(enum lab_side side, const char *columns)
{
	sqlserver_exec(side, "CREATE TABLE dbo.t (%s)", columns);
	if (side == LAB_SOURCE)
		sqlserver_exec(side, "EXEC sys.sp_cdc_enable_table "
				     "@source_schema = N'dbo', "
				     "@source_name = N't', @role_name = NULL");
}

static void open_both(bool native)
{
	struct error err = ERROR_INIT;
	struct source_spec from = {
		.server = contract.from,
		.name = {LAB_SOURCE_DATABASE, "dbo", "t"},
		.native_text = native,
	};
	struct target_spec to = {
		.server = contract.to,
		.name = {LAB_DEST_DATABASE, "dbo", "t"},
		.installation = "installation",
		.mapping_id = 1,
		.origin = "origin",
		.epoch = 1,
	};

	if (src)
		src->ops->close(src);
	if (dst)
		dst->ops->close(dst);
	MUST(contract.driver->source->open(&from, &src, &err));
	MUST(src->ops->connect(src, &contract.cancel, &err));
	MUST(contract.driver->target->open(&to, &dst, &err));
	MUST(dst->ops->connect(dst, &contract.cancel, &err));
	MUST(dst->ops->fence(dst, &err));
}

static void describe_both(void)
{
	struct error err = ERROR_INIT;
	struct table dest;

	table_release(&shape);
	MUST(src->ops->describe(src, &shape, &err));
	table_init(&dest);
	if (dst->ops->describe(dst, &dest, &err) == 0) {
		MUST(dst->ops->create(dst, &shape, &err));
		assert_int_equal(dst->ops->describe(dst, &dest, &err), 1);
	}
	table_release(&dest);
}

/* Move what was begun to be read into what was begun to be written. */
static int move(const struct table *rows, struct error *err)
{
	struct batch batch;
	int rc;

	if (batch_init(&batch, rows, 3, BATCH_BYTES, err) < 0)
		return -1;
	while ((rc = src->ops->next(src, &batch, err)) > 0) {
		rc = dst->ops->write(dst, &batch, err);
		if (rc < 0)
			break;
		batch_reset(&batch);
	}
	batch_release(&batch);
	src->ops->end(src);
	return rc;
}

static int load(enum target_mode mode, const struct position *at,
		struct error *err)
{
	struct checkpoint next = {.consistent_after_us = 0};
	struct target_counts counts;

	if (at)
		next.position = *at;
	error_clear(err);
	if (src->ops->read_begin(src, &shape, NULL, err) < 0 ||
	    dst->ops->begin(dst, mode, &shape, err) < 0 ||
	    move(&shape, err) < 0 ||
	    dst->ops->commit(dst, NULL, &next, &counts, err) < 0) {
		src->ops->end(src);
		dst->ops->rollback(dst);
		return -1;
	}
	return 0;
}

/* One window; `newest` says whether there are more. */
static int apply_window(struct position *at, bool *newest, struct error *err)
{
	struct checkpoint next = {.consistent_after_us = 0};
	struct target_counts counts;
	struct table *rows = &shape;
	struct window window;
	int rc;

	rc = src->ops->changes_begin(src, &shape, at, MANY, &window, err);
	*newest = rc < 0 || window.newest;
	if (rc <= 0 || !window.has_rows) {
		src->ops->end(src);
		if (rc > 0)
			*at = window.to;
		return rc < 0 ? -1 : 0;
	}
	next.position = window.to;
	if (window.shape)
		rows = window.shape;
	if (dst->ops->begin(dst, TARGET_APPLY, rows, err) < 0 ||
	    move(rows, err) < 0 ||
	    dst->ops->commit(dst, NULL, &next, &counts, err) < 0) {
		dst->ops->rollback(dst);
		return -1;
	}
	*at = window.to;
	return 0;
}

/* Apply all that changed since; `at` moves on. */
static int apply(struct position *at, struct error *err)
{
	bool newest = false;

	sqlserver_settle();
	while (!newest)
		if (apply_window(at, &newest, err) < 0)
			return -1;
	return 0;
}

static void must_load(enum target_mode mode, struct position *at)
{
	struct error err = ERROR_INIT;

	sqlserver_settle();
	MUST(src->ops->position(src, at, &err));
	MUST(load(mode, at, &err));
}

static void must_apply(struct position *at)
{
	struct error err = ERROR_INIT;

	MUST(apply(at, &err));
}

/* ------------------------------------------------------------------- types */

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

/*
 * Every value is the same, byte for byte, as the server has it. A column, or
 * an expression in which %s stands for a table's alias.
 */
static void assert_same_bytes(const char *column)
{
	const char *alias = strstr(column, "%s");
	char a[80], b[80];
	int64_t different;

	if (alias) {
		int before = (int)(alias - column);

		snprintf(a, sizeof(a), "%.*sa%s", before, column, alias + 2);
		snprintf(b, sizeof(b), "%.*sb%s", before, column, alias + 2);
	} else {
		snprintf(a, sizeof(a), "a.[%s]", column);
		snprintf(b, sizeof(b), "b.[%s]", column);
	}
	different = sqlserver_number(
		LAB_DEST,
		"SELECT COUNT(*) FROM " LAB_SOURCE_DATABASE ".dbo.t AS a "
		"FULL JOIN " LAB_DEST_DATABASE ".dbo.t AS b ON a.id = b.id "
		"WHERE a.id IS NULL OR b.id IS NULL "
		"OR (%s IS NULL AND %s IS NOT NULL) "
		"OR (%s IS NOT NULL AND %s IS NULL) "
		"OR CONVERT(varbinary(max), %s) <> CONVERT(varbinary(max), %s) "
		"OR DATALENGTH(%s) <> DATALENGTH(%s)",
		a, b, a, b, a, b, a, b);
	if (different)
		fail_msg("%d values of '%s' differ", (int)different, column);
}

static void assert_same_table(void)
{
	assert_same_bytes("id");
	for (size_t i = 0; i < COUNT_OF(typed); i++)
		assert_same_bytes(typed[i].name);
}

static void test_every_type(void **state)
{
	static const enum target_mode modes[] = {TARGET_REPLACE, TARGET_REFILL};
	char *columns = typed_columns();
	struct position at;

	(void)state;
	make(LAB_SOURCE, columns);
	for (int id = 1; id <= 3; id++)
		insert_typed(id, id - 1);
	for (int native = 0; native < 2; native++) {
		open_both(native);
		describe_both(); /* makes it the first time */
		for (size_t m = 0; m < COUNT_OF(modes); m++) {
			must_load(modes[m], &at);
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
		must_apply(&at);
		assert_same_table();
	}
	free(columns);
}

/* The old large types, and xml: full loads carry them. */
static void test_old_large_types(void **state)
{
	struct position at;

	(void)state;
	make(LAB_SOURCE, "id int NOT NULL PRIMARY KEY, a text NULL, "
			 "b ntext NULL, c image NULL, d xml NULL");
	sqlserver_exec(LAB_SOURCE,
		       "INSERT INTO dbo.t VALUES (1, NULL, NULL, NULL, NULL), "
		       "(2, '', N'', 0x, N'<a/>'), "
		       "(3, REPLICATE(CONVERT(varchar(max), 'x'), 20000), "
		       "N'\xe8\xa1\xa8', 0x00FF, N'<r><x>1</x></r>')");
	open_both(true);
	describe_both();
	must_load(TARGET_REPLACE, &at);
	assert_same_bytes("CONVERT(varchar(max), %s.a)");
	assert_same_bytes("CONVERT(nvarchar(max), %s.b)");
	assert_same_bytes("CONVERT(varbinary(max), %s.c)");
	assert_same_bytes("CONVERT(nvarchar(max), %s.d)");
}

/* Thirds of a hundredth of a second, as the server itself would round them. */
static void test_datetime_into_datetime2(void **state)
{
	struct position at;

	(void)state;
	make(LAB_SOURCE, "id int NOT NULL PRIMARY KEY, d datetime NULL");
	make(LAB_DEST, "id int NOT NULL PRIMARY KEY, d datetime2(3) NULL");
	for (int i = 0; i < 30; i++)
		sqlserver_exec(LAB_SOURCE,
			       "INSERT INTO dbo.t VALUES (%d, DATEADD("
			       "MILLISECOND, %d, '2020-01-01T10:00:00'))",
			       i, i * 10 / 3);
	open_both(true);
	describe_both();
	must_load(TARGET_REPLACE, &at);
	assert_int_equal(
		sqlserver_number(LAB_DEST,
				 "SELECT COUNT(*) FROM " LAB_SOURCE_DATABASE
				 ".dbo.t AS a INNER JOIN dbo.t AS b "
				 "ON a.id = b.id "
				 "WHERE CONVERT(varchar(40), a.d, 121) "
				 "<> CONVERT(varchar(40), b.d, 121)"),
		0);
}

/* ------------------------------------------------------- what is refused */

/* Loading fails for a value; what was there stays. */
static void refuse(const char *from, const char *to, const char *value,
		   const char *column)
{
	struct error err = ERROR_INIT;

	make(LAB_SOURCE, from);
	make(LAB_DEST, to);
	sqlserver_exec(LAB_DEST, "INSERT INTO dbo.t (id) VALUES (77)");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (1, %s)", value);
	open_both(false);
	describe_both();
	assert_int_equal(load(TARGET_REPLACE, NULL, &err), -1);
	if (err.kind != ERROR_DATA)
		fail_msg("it is %s: %s", error_kind_name(err.kind),
			 err.message);
	assert_non_null(strstr(err.message, column));
	assert_false(err.retryable);
	assert_int_equal(
		sqlserver_number(LAB_DEST, "SELECT SUM(id) FROM dbo.t"), 77);
	dst->ops->release(dst);
	src->ops->release(src);
}

static void test_character_that_is_lacking(void **state)
{
	(void)state;
	refuse("id int NOT NULL PRIMARY KEY, c nvarchar(10) NULL",
	       "id int NOT NULL PRIMARY KEY, c varchar(10) NULL",
	       "N'\xe8\xa1\xa8'", "'c'");
}

static void test_null_into_not_null(void **state)
{
	(void)state;
	refuse("id int NOT NULL PRIMARY KEY, c int NULL",
	       "id int NOT NULL PRIMARY KEY, c int NOT NULL DEFAULT 5", "NULL",
	       "'c'");
}

static void test_too_long_a_text(void **state)
{
	(void)state;
	refuse("id int NOT NULL PRIMARY KEY, c varchar(10) NULL",
	       "id int NOT NULL PRIMARY KEY, c varchar(3) NULL", "'SECRET'",
	       "'c'");
}

/* The message of the server repeats the key's value: ours does not. */
static void test_duplicate_key(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	make(LAB_SOURCE, "id int NOT NULL PRIMARY KEY, c varchar(10) NULL");
	make(LAB_DEST, "id int NOT NULL PRIMARY KEY, c varchar(10) NULL "
		       "UNIQUE");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (1, 'SECRET'), "
				   "(2, 'SECRET')");
	open_both(true);
	describe_both();
	assert_int_equal(load(TARGET_REPLACE, NULL, &err), -1);
	assert_int_equal(err.kind, ERROR_DATA);
	assert_null(strstr(err.message, "SECRET"));
}

static void test_capture_is_off(void **state)
{
	struct error err = ERROR_INIT;
	struct position at;

	(void)state;
	sqlserver_exec(LAB_SOURCE,
		       "CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY)");
	make(LAB_DEST, "id int NOT NULL PRIMARY KEY");
	open_both(true);
	MUST_FAIL(src->ops->position(src, &at, &err), ERROR_SCHEMA);
	assert_non_null(strstr(err.message, "sp_cdc_enable_table"));
	assert_false(err.retryable);
}

static void test_capture_lacks_a_column(void **state)
{
	struct error err = ERROR_INIT;
	struct position at;

	(void)state;
	make(LAB_SOURCE, "id int NOT NULL PRIMARY KEY, a int NULL");
	open_both(true);
	describe_both();
	must_load(TARGET_REPLACE, &at);
	sqlserver_exec(LAB_SOURCE, "ALTER TABLE dbo.t ADD b int NULL");
	sqlserver_exec(LAB_DEST, "ALTER TABLE dbo.t ADD b int NULL");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (1, 2, 3)");
	describe_both();
	assert_int_equal(apply(&at, &err), -1);
	assert_int_equal(err.kind, ERROR_SCHEMA);
	assert_non_null(strstr(err.message, "'b'"));
}

/* ----------------------------------------------------- tables of all sorts */

static void test_identity(void **state)
{
	struct position at;

	(void)state;
	make(LAB_SOURCE, "id int IDENTITY(10, 10) NOT NULL PRIMARY KEY, "
			 "c int NULL");
	make(LAB_DEST, "id int IDENTITY(1, 1) NOT NULL PRIMARY KEY, "
		       "c int NULL");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t (c) VALUES (1), (2), "
				   "(3)");
	open_both(true);
	describe_both();
	must_load(TARGET_REPLACE, &at);
	assert_same_bytes("c");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t (c) VALUES (4); "
				   "DELETE FROM dbo.t WHERE id = 10; "
				   "UPDATE dbo.t SET c = 9 WHERE id = 20");
	must_apply(&at);
	assert_same_bytes("c");
	must_load(TARGET_REFILL, &at);
	assert_same_bytes("c");
	/* Nobody else finds IDENTITY_INSERT switched on. */
	sqlserver_exec(LAB_DEST, "INSERT INTO dbo.t (c) VALUES (5)");
}

/* An identity that is no part of the key cannot be updated: made anew. */
static void test_identity_beside_the_key(void **state)
{
	struct position at;

	(void)state;
	make(LAB_SOURCE, "id int NOT NULL PRIMARY KEY, c int NULL, "
			 "n int IDENTITY(1, 1) NOT NULL");
	make(LAB_DEST, "id int NOT NULL PRIMARY KEY, c int NULL, "
		       "n int IDENTITY(1, 1) NOT NULL");
	sqlserver_exec(LAB_SOURCE,
		       "INSERT INTO dbo.t (id, c) VALUES (1, 1), (2, 2)");
	open_both(true);
	describe_both();
	must_load(TARGET_REPLACE, &at);
	sqlserver_exec(LAB_SOURCE,
		       "DELETE FROM dbo.t WHERE id = 1; "
		       "INSERT INTO dbo.t (id, c) VALUES (1, 5), (3, 3)");
	must_apply(&at);
	assert_same_bytes("c");
	assert_same_bytes("n");
}

/* A key that others refer to: SWITCH and TRUNCATE are both out. */
static void test_referenced_table(void **state)
{
	struct position at;

	(void)state;
	make(LAB_SOURCE, "id int NOT NULL PRIMARY KEY, c int NULL");
	make(LAB_DEST, "id int NOT NULL PRIMARY KEY, c int NULL");
	sqlserver_exec(LAB_DEST,
		       "CREATE TABLE dbo.child (id int NOT NULL PRIMARY KEY, "
		       "t int NULL CONSTRAINT fk_child REFERENCES dbo.t (id))");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (1, 1), (2, 2), "
				   "(3, 3)");
	open_both(true);
	describe_both();
	must_load(TARGET_REPLACE, &at);
	sqlserver_exec(LAB_DEST, "INSERT INTO dbo.child VALUES (1, 2)");
	sqlserver_exec(LAB_SOURCE, "UPDATE dbo.t SET c = 20 WHERE id = 2; "
				   "DELETE FROM dbo.t WHERE id = 3; "
				   "INSERT INTO dbo.t VALUES (4, 4)");
	must_load(TARGET_REPLACE, &at);
	assert_same_bytes("c");
}

/* Columns that only the destination has, and those that it works out. */
static void test_more_columns_in_the_destination(void **state)
{
	struct error err = ERROR_INIT;
	struct position at;

	(void)state;
	make(LAB_SOURCE, "id int NOT NULL PRIMARY KEY, c int NULL");
	make(LAB_DEST, "made datetime2 NOT NULL DEFAULT SYSUTCDATETIME(), "
		       "c int NULL, twice AS c * 2, "
		       "id int NOT NULL PRIMARY KEY, v rowversion NOT NULL");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (1, 1), (2, 2)");
	open_both(true);
	describe_both();
	MUST(load(TARGET_REPLACE, NULL, &err));
	must_load(TARGET_REPLACE, &at);
	assert_same_bytes("c");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (3, 3)");
	must_apply(&at);
	assert_same_bytes("c");
	assert_int_equal(
		sqlserver_number(LAB_DEST, "SELECT SUM(twice) FROM dbo.t"), 12);
}

/* What depends on the table is still there after a load. */
static void test_load_keeps_what_hangs_on_the_table(void **state)
{
	struct position at;

	(void)state;
	make(LAB_SOURCE, "id int NOT NULL PRIMARY KEY, c int NULL");
	make(LAB_DEST, "id int NOT NULL CONSTRAINT pk_t PRIMARY KEY, "
		       "c int NULL CONSTRAINT df_c DEFAULT 7 "
		       "CONSTRAINT ck_c CHECK (c > 0)");
	sqlserver_exec(LAB_DEST, "CREATE UNIQUE INDEX ix_c ON dbo.t (c DESC) "
				 "INCLUDE (id) WHERE c IS NOT NULL");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (1, 1), (2, 2)");
	open_both(true);
	describe_both();
	must_load(TARGET_REPLACE, &at);
	must_load(TARGET_REPLACE, &at);
	assert_same_bytes("c");
	assert_int_equal(
		sqlserver_number(LAB_DEST,
				 "SELECT COUNT(*) FROM sys.objects WHERE name "
				 "IN (N'pk_t', N'df_c', N'ck_c')"),
		3);
	assert_int_equal(
		sqlserver_number(LAB_DEST,
				 "SELECT COUNT(*) FROM sys.indexes WHERE "
				 "object_id = OBJECT_ID(N'dbo.t') AND "
				 "name = N'ix_c' AND is_unique = 1 AND "
				 "is_disabled = 0"),
		1);
	assert_int_equal(
		sqlserver_number(LAB_DEST,
				 "SELECT COUNT(*) FROM sys.tables WHERE "
				 "schema_id = SCHEMA_ID(N'dataflow') AND "
				 "name LIKE N'load[_]%%[_]%%'"),
		0);
}

static void test_another_schema(void **state)
{
	struct error err = ERROR_INIT;
	struct target_spec to = {
		.server = contract.to,
		.name = {LAB_DEST_DATABASE, "other", "o]dd 'na\"me"},
		.installation = "installation",
		.mapping_id = 3,
		.origin = "it's [an] origin",
		.epoch = 1,
	};
	struct checkpoint next = {.position = {.len = 1, .bytes = {7}}}, got;

	(void)state;
	make(LAB_SOURCE, "id int NOT NULL PRIMARY KEY, [c]]'\"] int NULL");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (1, 1)");
	open_both(true);
	dst->ops->close(dst);
	MUST(contract.driver->target->open(&to, &dst, &err));
	MUST(dst->ops->connect(dst, &contract.cancel, &err));
	MUST(dst->ops->fence(dst, &err));
	describe_both();
	MUST(load(TARGET_REPLACE, &next.position, &err));
	assert_int_equal(sqlserver_number(LAB_DEST, "SELECT [c]]'\"] FROM "
						    "other.[o]]dd 'na\"me]"),
			 1);
	assert_int_equal(dst->ops->checkpoint(dst, &got, &err), 1);
	assert_true(position_equal(&got.position, &next.position));
}

/* A DBA drops the instance and makes another one: the first one is a gap. */
static void test_second_capture_instance(void **state)
{
	struct position at;

	(void)state;
	make(LAB_SOURCE, "id int NOT NULL PRIMARY KEY, a int NULL");
	open_both(true);
	describe_both();
	must_load(TARGET_REPLACE, &at);
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (1, 1)");
	sqlserver_exec(LAB_SOURCE, "EXEC sys.sp_cdc_enable_table "
				   "@source_schema = N'dbo', "
				   "@source_name = N't', @role_name = NULL, "
				   "@capture_instance = N'dbo_t_second'");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (2, 2)");
	must_apply(&at);
	assert_same_bytes("a");
	/* The first one goes: the second covers what comes. */
	sqlserver_exec(LAB_SOURCE, "EXEC sys.sp_cdc_disable_table "
				   "@source_schema = N'dbo', "
				   "@source_name = N't', "
				   "@capture_instance = N'dbo_t'");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (3, 3)");
	open_both(true);
	describe_both();
	must_apply(&at);
	assert_same_bytes("a");
}

/* ------------------------------------------------- servers that do not answer */

static void expect_refused(const char *string, enum error_kind kind,
			   bool retryable)
{
	struct error err = ERROR_INIT;
	struct server_spec spec = {
		.id = 9,
		.name = "bad",
		.connection_string = string,
		.login_timeout_s = 5,
		.query_timeout_s = 5,
		.pool = &contract.pool,
	};
	struct source_spec from = {.name = {LAB_SOURCE_DATABASE, "dbo", "t"}};
	struct server *server;
	struct source *bad;

	MUST(contract.driver->server_new(&spec, &server, &err));
	from.server = server;
	MUST(contract.driver->source->open(&from, &bad, &err));
	assert_int_equal(bad->ops->connect(bad, &contract.cancel, &err), -1);
	if (err.kind != kind || err.retryable != retryable)
		fail_msg("%s, retryable %d: %s", error_kind_name(err.kind),
			 err.retryable, err.message);
	assert_null(strstr(err.message, "SECRET"));
	bad->ops->release(bad);
	bad->ops->close(bad);
	contract.driver->server_free(server);
}

static void test_logins_that_fail(void **state)
{
	const char *server = getenv("DATAFLOW_TEST_SQLSERVER");
	char string[512];

	(void)state;
	snprintf(string, sizeof(string), "server=%s;user id=sa;password=SECRET",
		 server);
	expect_refused(string, ERROR_CONNECTION, false);
	expect_refused("server=127.0.0.1,1;user id=sa;password=SECRET",
		       ERROR_CONNECTION, true);
	expect_refused("server=no-such-host.invalid;user id=sa;"
		       "password=SECRET",
		       ERROR_CONNECTION, true);
}

static void test_missing_database(void **state)
{
	struct error err = ERROR_INIT;
	struct source_spec from = {
		.server = contract.from,
		.name = {"contract_absent", "dbo", "t"},
	};

	(void)state;
	MUST(contract.driver->source->open(&from, &src, &err));
	MUST_FAIL(src->ops->connect(src, &contract.cancel, &err),
		  ERROR_CONNECTION);
	assert_false(err.retryable);
	assert_int_equal(err.native, 4060);
	assert_non_null(strstr(err.message, "contract_absent"));
}

/* The sessions of the driver, but not the laboratory's own. */
static const char kill_sql[] =
	"DECLARE @sql nvarchar(max) = N''; "
	"SELECT @sql = @sql + N'KILL ' + CONVERT(nvarchar(10), session_id) "
	"+ N'; ' FROM sys.dm_exec_sessions WHERE session_id <> @@SPID "
	"AND database_id = DB_ID() AND program_name = N'dbaops-dataflow' "
	"AND session_id NOT IN (SELECT CONVERT(int, x.id) FROM dbo.spids AS "
	"x); "
	"EXEC sys.sp_executesql @sql";

/* A session is killed while it is used: the next connection is a new one. */
static void test_killed_session(void **state)
{
	struct error err = ERROR_INIT;
	struct position at;

	(void)state;
	make(LAB_SOURCE, "id int NOT NULL PRIMARY KEY, c int NULL");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (1, 1)");
	sqlserver_exec(LAB_DEST, "CREATE TABLE dbo.spids (id int NOT NULL); "
				 "INSERT INTO dbo.spids VALUES (@@SPID)");
	open_both(true);
	describe_both();
	must_load(TARGET_REPLACE, &at);
	MUST(dst->ops->begin(dst, TARGET_APPLY, &shape, &err));
	sqlserver_exec(LAB_DEST, "%s", kill_sql);
	{
		struct checkpoint next = {.position = at};
		struct target_counts counts;
		int rc = dst->ops->commit(dst, NULL, &next, &counts, &err);

		assert_int_equal(rc, -1);
		if (err.kind != ERROR_CONNECTION || !err.retryable)
			fail_msg("%s: %s", error_kind_name(err.kind),
				 err.message);
	}
	dst->ops->rollback(dst);
	dst->ops->release(dst);
	MUST(dst->ops->connect(dst, &contract.cancel, &err));
	describe_both();
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (2, 2)");
	must_apply(&at);
	assert_same_bytes("c");
}

static void *cancel_later(void *arg)
{
	struct timespec pause = {0, 300000000};

	(void)arg;
	nanosleep(&pause, NULL);
	cancel_request(&contract.cancel, CANCEL_NOW);
	return NULL;
}

/* Waiting for a lock is cut short; the commit has not happened. */
static void test_cancel_cuts_a_wait_short(void **state)
{
	struct checkpoint next = {.position = {.len = 1, .bytes = {9}}};
	struct error err = ERROR_INIT;
	struct target_counts counts;
	struct position at;
	pthread_t thread;
	int64_t began;
	int rc;

	(void)state;
	make(LAB_SOURCE, "id int NOT NULL PRIMARY KEY, c int NULL");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (1, 1), (2, 2)");
	open_both(true);
	describe_both();
	must_load(TARGET_REPLACE, &at);
	sqlserver_exec(LAB_SOURCE, "UPDATE dbo.t SET c = 5");
	sqlserver_settle();
	{
		struct window window;

		assert_int_equal(src->ops->changes_begin(src, &shape, &at, MANY,
							 &window, &err),
				 1);
	}
	MUST(dst->ops->begin(dst, TARGET_APPLY, &shape, &err));
	MUST(move(&shape, &err));
	sqlserver_exec(LAB_DEST, "BEGIN TRANSACTION; "
				 "UPDATE dbo.t SET c = c WHERE id = 1");
	assert_int_equal(pthread_create(&thread, NULL, cancel_later, NULL), 0);
	began = clock_ms();
	rc = dst->ops->commit(dst, NULL, &next, &counts, &err);
	pthread_join(thread, NULL);
	sqlserver_exec(LAB_DEST, "ROLLBACK TRANSACTION");
	assert_int_equal(rc, -1);
	assert_int_equal(err.kind, ERROR_CANCELLED);
	assert_true(clock_ms() - began < 10000);
	dst->ops->rollback(dst);
	dst->ops->release(dst);
	assert_int_equal(sqlserver_number(LAB_DEST, "SELECT SUM(c) FROM dbo.t"),
			 3);
}

int sqlserver_more(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_every_type),
		TEST(test_old_large_types),
		TEST(test_datetime_into_datetime2),
		TEST(test_character_that_is_lacking),
		TEST(test_null_into_not_null),
		TEST(test_too_long_a_text),
		TEST(test_duplicate_key),
		TEST(test_capture_is_off),
		TEST(test_capture_lacks_a_column),
		TEST(test_identity),
		TEST(test_identity_beside_the_key),
		TEST(test_referenced_table),
		TEST(test_more_columns_in_the_destination),
		TEST(test_load_keeps_what_hangs_on_the_table),
		TEST(test_another_schema),
		TEST(test_second_capture_instance),
		TEST(test_logins_that_fail),
		TEST(test_missing_database),
		TEST(test_killed_session),
		TEST(test_cancel_cuts_a_wait_short),
	};

	return cmocka_run_group_tests_name("sqlserver", tests, NULL, NULL);
}
