/*
 * What FreeTDS makes easy to get wrong about one connection, on a server: the
 * options of a session, empty parameters, errors that must not end the
 * process, and what may be used again after them.
 */
#include "contract/sqlserver_pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tds/bulk.h"

static struct tds *conn;

static int setup(void **state)
{
	if (pair_setup(state) < 0)
		return -1;
	conn = sqlserver_log_in(LAB_DEST_DATABASE);
	return 0;
}

static int teardown(void **state)
{
	tds_close(conn);
	conn = NULL;
	return pair_teardown(state);
}

static int64_t ask(const char *sql, const struct tds_param *params,
		   size_t count)
{
	struct error err = ERROR_INIT;
	int64_t value;
	int rc = tds_query_row(conn, sql, params, count, &err);

	if (rc <= 0)
		fail_msg("%s: %s", sql, rc ? err.message : "no row");
	value = tds_get_int(conn, 0);
	MUST(tds_finish(conn, &err));
	return value;
}

/* Those of SQL Server's own drivers, and the two that we rely on. */
static void test_session_options(void **state)
{
	(void)state;
	assert_int_equal(ask("SELECT COUNT(*) FROM sys.dm_exec_sessions "
			     "WHERE session_id = @@SPID AND ansi_nulls = 1 "
			     "AND ansi_padding = 1 AND ansi_warnings = 1 "
			     "AND ansi_null_dflt_on = 1 AND arithabort = 1 "
			     "AND concat_null_yields_null = 1 "
			     "AND quoted_identifier = 1",
			     NULL, 0),
			 1);
	/* NUMERIC_ROUNDABORT and IMPLICIT_TRANSACTIONS are off, NOCOUNT and
	 * XACT_ABORT are on. */
	assert_int_equal(
		ask("SELECT @@OPTIONS & (8192 | 2 | 512 | 16384)", NULL, 0),
		512 | 16384);
}

/* Length 0 is NULL to db-lib. */
static void test_empty_is_not_null(void **state)
{
	struct tds_param params[] = {
		tds_text("@empty", ""),	    tds_text("@text", "x "),
		tds_text("@none", NULL),    tds_bytes("@zero", "", 0),
		tds_bytes("@nil", NULL, 0), tds_bytes("@nul", "\0", 1),
	};

	(void)state;
	assert_int_equal(ask("SELECT CASE WHEN DATALENGTH(@empty) = 0 "
			     "AND DATALENGTH(@text) = 4 AND @none IS NULL "
			     "AND DATALENGTH(@zero) = 0 AND @nil IS NULL "
			     "AND @nul = 0x00 THEN 1 ELSE 0 END",
			     params, COUNT_OF(params)),
			 1);
}

/* Text is UTF-8 here and UTF-16 there, of any length. */
static void test_text_parameters(void **state)
{
	char text[3 * 5000 + 1] = "";
	struct tds_param params[] = {
		tds_text("@short", "\xe8\xa1\xa8 \xf0\x9f\x98\x80"),
		tds_text("@long", text),
		tds_int("@least", INT64_MIN),
	};

	(void)state;
	for (int i = 0; i < 5000; i++)
		memcpy(text + 3 * i, "\xe2\x82\xac", 4);
	params[1] = tds_text("@long", text);
	assert_int_equal(
		ask("SELECT CASE WHEN @short = "
		    "NCHAR(0x8868) + N' ' + NCHAR(0xD83D) + NCHAR(0xDE00) "
		    "AND DATALENGTH(@long) = 10000 "
		    "AND REPLACE(@long, NCHAR(0x20AC), N'') = N'' "
		    "AND @least = -9223372036854775808 THEN 1 ELSE 0 END",
		    params, COUNT_OF(params)),
		1);
}

/* It takes no (max), and an index is best sought by none either. */
static void test_text_fits_a_variant(void **state)
{
	struct tds_param text = tds_text("@text", "x");

	(void)state;
	assert_int_equal(ask("EXEC sys.sp_set_session_context N'text', @text; "
			     "SELECT CASE WHEN CONVERT(nvarchar(4000), "
			     "SESSION_CONTEXT(N'text')) = N'x' "
			     "THEN 1 ELSE 0 END",
			     &text, 1),
			 1);
}

/* The default handler would have ended the process by now. */
static void test_errors_end_nothing(void **state)
{
	static const struct {
		const char *sql;
		enum error_kind kind;
	} cases[] = {
		{"SELECT CONVERT(int, 'x')", ERROR_DATA},
		{"SELECT 1 / 0", ERROR_DATA},
		{"SELECT * FROM dbo.no_such_table", ERROR_SCHEMA},
		{"RAISERROR(N'no', 16, 1)", ERROR_SERVER},
		{"SELECT FROM WHERE", ERROR_SERVER},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error err = ERROR_INIT;
		int rc = tds_query(conn, cases[i].sql, NULL, 0, &err);

		if (rc == 0)
			rc = tds_finish(conn, &err);
		assert_int_equal(rc, -1);
		if (err.kind != cases[i].kind)
			fail_msg("%s: %s, %s", cases[i].sql,
				 error_kind_name(err.kind), err.message);
		assert_true(tds_usable(conn));
		assert_int_equal(ask("SELECT 7", NULL, 0), 7);
	}
}

/* A bulk load cannot be taken back half-way: nobody gets this one again. */
static void test_bulk_errors_end_the_connection(void **state)
{
	static const enum tds_host_type types[] = {TDS_HOST_INT4};
	struct error err = ERROR_INIT;
	int32_t value = 1;
	int rc = 0;

	(void)state;
	sqlserver_exec(LAB_DEST, "DROP TABLE IF EXISTS dbo.once; CREATE TABLE "
				 "dbo.once (id int NOT NULL PRIMARY KEY)");
	MUST(tds_bulk_begin(conn, "[dbo].[once]", types, 1, &err));
	for (int i = 0; i < 2 && rc == 0; i++) {
		tds_bulk_set(conn, 0, &value, sizeof(value));
		rc = tds_bulk_row(conn, &err);
	}
	if (rc == 0)
		rc = tds_bulk_end(conn, &err);
	assert_int_equal(rc, -1);
	assert_int_equal(err.kind, ERROR_DATA);
	assert_int_equal(err.native, 2627);
	assert_false(tds_usable(conn));
	assert_int_equal(
		sqlserver_number(LAB_DEST, "SELECT COUNT(*) FROM dbo.once"), 0);
	sqlserver_exec(LAB_DEST, "DROP TABLE dbo.once");
}

/* Nor one whose server did not answer in time. */
static void test_time_out(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	tds_set_query_timeout(conn, 1);
	MUST_FAIL(tds_exec(conn, "WAITFOR DELAY '00:00:30'", &err),
		  ERROR_CONNECTION);
	assert_true(err.retryable);
	assert_non_null(strstr(err.message, "no answer within 1 s"));
	assert_false(tds_usable(conn));
}

int sqlserver_session(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_session_options, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_empty_is_not_null, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_text_parameters, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_text_fits_a_variant, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_errors_end_nothing, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			test_bulk_errors_end_the_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(test_time_out, setup, teardown),
	};

	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
