/* What pg/connection.h promises, on a real server. */
#include "contract/postgresql.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

static void pause_ms(long ms)
{
	struct timespec time = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}

static void *cancel_soon(void *arg)
{
	pause_ms(300);
	cancel_request(arg, CANCEL_NOW);
	return NULL;
}

/* How many other sessions run a statement that has this in it. */
static int64_t running(const char *word)
{
	return strtoll(postgresql_text(LAB_SOURCE,
				       "SELECT count(*) FROM pg_stat_activity "
				       "WHERE state = 'active' "
				       "AND pid <> pg_backend_pid() "
				       "AND query LIKE '%%%s%%'",
				       word),
		       NULL, 10);
}

static void assert_none_runs(const char *word)
{
	for (int i = 0; i < 100 && running(word); i++)
		pause_ms(20);
	assert_int_equal(running(word), 0);
}

static void test_cancel(void **state)
{
	struct error err = ERROR_INIT;
	struct cancel cancel;
	pthread_t thread;
	struct pg *conn;
	int64_t begun;

	(void)state;
	MUST(cancel_init(&cancel, &err));
	conn = postgresql_log_in(PG_ORDINARY, PG_LAB_SOURCE_DATABASE);
	pg_set_cancel(conn, &cancel);
	assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &cancel),
			 0);
	begun = clock_ms();
	MUST_FAIL(pg_exec(conn, "SELECT pg_sleep(61)", &err), ERROR_CANCELLED);
	assert_true(clock_ms() - begun < 3000);
	pthread_join(thread, NULL);
	assert_false(pg_usable(conn));
	MUST_FAIL(pg_exec(conn, "SELECT 1", &err), ERROR_CONNECTION);
	pg_close(conn);
	assert_none_runs("pg_sleep(61)");
	cancel_release(&cancel);
}

static void test_time_out(void **state)
{
	struct pg_login login = {.login_timeout_s = 15, .query_timeout_s = 1};
	struct error err = ERROR_INIT;
	struct pg *conn;

	(void)state;
	MUST(pg_login_parse(&login, contract.lab->source_string, &err));
	MUST(pg_open(&conn, &login, PG_ORDINARY, PG_LAB_SOURCE_DATABASE, NULL,
		     &err));
	MUST_FAIL(pg_exec(conn, "SELECT pg_sleep(62)", &err), ERROR_CONNECTION);
	assert_true(err.retryable);
	assert_non_null(strstr(err.message, "no answer within 1 s"));
	assert_false(pg_usable(conn));
	pg_close(conn);
	assert_none_runs("pg_sleep(62)");
	pg_login_release(&login);
}

/* The session goes on after what nobody wanted to the end. */
static void test_copy_broken_off(void **state)
{
	struct error err = ERROR_INIT;
	const unsigned char *data;
	struct pg *conn;
	size_t len;

	(void)state;
	conn = postgresql_log_in(PG_ORDINARY, PG_LAB_SOURCE_DATABASE);
	for (int i = 0; i < 3; i++) {
		MUST(pg_copy_out(conn,
				 "COPY (SELECT repeat('x', 1000) FROM "
				 "generate_series(1, 10000000)) TO STDOUT "
				 "(FORMAT binary)",
				 &err));
		for (int k = 0; k < i; k++)
			assert_int_equal(
				pg_copy_read(conn, -1, &data, &len, &err), 1);
		pg_copy_break_off(conn);
		assert_true(pg_usable(conn));
		assert_int_equal(pg_query(conn, "SELECT 7", NULL, 0, &err), 1);
		assert_int_equal(pg_get_int(conn, 0, 0), 7);
	}
	pg_close(conn);
}

static void test_copy_in(void **state)
{
	static const char text[] = "1\tabc\n2\t\\N\n";
	struct error err = ERROR_INIT;
	struct pg *conn;

	(void)state;
	postgresql_exec(LAB_SOURCE, "CREATE TABLE public.t (a int, b text)");
	conn = postgresql_log_in(PG_ORDINARY, PG_LAB_SOURCE_DATABASE);
	MUST(pg_copy_in(conn, "COPY public.t FROM STDIN", &err));
	MUST(pg_copy_write(conn, text, strlen(text), &err));
	assert_int_equal(pg_copy_end(conn, NULL, &err), 2);
	MUST(pg_copy_in(conn, "COPY public.t FROM STDIN", &err));
	MUST(pg_copy_write(conn, text, strlen(text), &err));
	assert_int_equal(pg_copy_end(conn, "no", &err), 0);
	MUST(pg_copy_in(conn, "COPY public.t FROM STDIN", &err));
	MUST(pg_copy_write(conn, "secret\tx\n", 9, &err));
	MUST_FAIL(pg_copy_end(conn, NULL, &err), ERROR_DATA);
	assert_null(strstr(err.message, "secret"));
	assert_true(pg_usable(conn));
	MUST_FAIL(pg_copy_in(conn, "COPY public.none FROM STDIN", &err),
		  ERROR_SCHEMA);
	MUST_FAIL(pg_copy_out(conn, "SELECT 1", &err), ERROR_INTERNAL);
	assert_true(pg_usable(conn));
	pg_close(conn);
	assert_string_equal(
		postgresql_text(LAB_SOURCE, "SELECT count(*) FROM public.t"),
		"2");
}

static void test_statements(void **state)
{
	struct pg_param params[] = {pg_int(5), pg_text("a'b"), pg_text(NULL),
				    pg_bytes("\0\xff", 2)};
	struct error err = ERROR_INIT;
	struct pg *conn;

	(void)state;
	conn = postgresql_log_in(PG_ORDINARY, PG_LAB_SOURCE_DATABASE);
	assert_int_equal(pg_query(conn,
				  "SELECT $1::int + 1, $2::text, $3::text, "
				  "length($4::bytea), true, "
				  "current_setting('search_path')",
				  params, 4, &err),
			 1);
	assert_int_equal(pg_get_int(conn, 0, 0), 6);
	assert_string_equal(pg_get_text(conn, 0, 1), "a'b");
	assert_true(pg_null(conn, 0, 2));
	assert_int_equal(pg_get_int(conn, 0, 3), 2);
	assert_true(pg_get_bool(conn, 0, 4));
	assert_string_equal(pg_get_text(conn, 0, 5), "pg_catalog, pg_temp");
	MUST_FAIL(pg_exec(conn, "SELECT 1; SELECT 1/0; SELECT 2", &err),
		  ERROR_DATA);
	assert_string_equal(err.sqlstate, "22012");
	MUST_FAIL(pg_exec(conn, "SELECT * FROM public.none", &err),
		  ERROR_SCHEMA);
	assert_false(pg_in_transaction(conn));
	MUST(pg_exec(conn, "BEGIN; DO $$ BEGIN RAISE WARNING 'w'; END $$",
		     &err));
	assert_true(pg_in_transaction(conn));
	MUST_FAIL(pg_exec(conn, "SELECT 'x'::int", &err), ERROR_DATA);
	assert_null(strstr(err.message, "\"x\""));
	assert_true(pg_in_transaction(conn));
	MUST(pg_exec(conn, "ROLLBACK", &err));
	assert_true(pg_server_version(conn) >= 100000);
	pg_close(conn);
}

static void test_replication_session(void **state)
{
	struct error err = ERROR_INIT;
	struct pg *conn;

	(void)state;
	conn = postgresql_log_in(PG_REPLICATION, PG_LAB_SOURCE_DATABASE);
	assert_int_equal(pg_query(conn, "IDENTIFY_SYSTEM", NULL, 0, &err), 1);
	assert_string_equal(pg_get_text(conn, 0, 3), PG_LAB_SOURCE_DATABASE);
	pg_close(conn);
}

static void assert_no_login(const char *more, const char *database,
			    bool retryable, const char *word)
{
	struct pg_login login = {.login_timeout_s = 5};
	struct error err = ERROR_INIT;
	struct strbuf string;
	struct pg *conn;

	strbuf_init(&string);
	strbuf_addf(&string, "server=%s;user id=%s;password=%s;%s",
		    getenv("DATAFLOW_TEST_POSTGRESQL"),
		    getenv("DATAFLOW_TEST_PGLOGIN"), "wrong-SECRET", more);
	if (!strncmp(more, "server=", 7)) {
		strbuf_reset(&string);
		strbuf_addf(&string, "%s;password=wrong-SECRET", more);
	}
	MUST(pg_login_parse(&login, string.data, &err));
	MUST_FAIL(pg_open(&conn, &login, PG_ORDINARY, database, NULL, &err),
		  ERROR_CONNECTION);
	assert_int_equal(err.retryable, retryable);
	assert_null(strstr(err.message, "SECRET"));
	if (!strstr(err.message, word) || strchr(err.message, '\n'))
		fail_msg("%s", err.message);
	pg_login_release(&login);
	strbuf_release(&string);
}

static void test_refused_logins(void **state)
{
	(void)state;
	assert_no_login("", "postgres", false, "password authentication");
	assert_no_login("server=127.0.0.1,1;user id=u", "x", true, "refused");
	assert_no_login("server=no.such.host.invalid;user id=u", "x", true,
			"no.such.host.invalid");
	assert_no_login("sslmode=require", "postgres", true, "SSL");
}

static void test_no_database(void **state)
{
	struct pg_login login = {.login_timeout_s = 5};
	struct error err = ERROR_INIT;
	struct pg *conn;

	(void)state;
	MUST(pg_login_parse(&login, contract.lab->source_string, &err));
	MUST_FAIL(pg_open(&conn, &login, PG_ORDINARY, "nowhere", NULL, &err),
		  ERROR_CONNECTION);
	assert_string_equal(err.sqlstate, "3D000");
	assert_false(err.retryable);
	pg_login_release(&login);
}

int postgresql_session(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, contract_setup, contract_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_cancel),	    TEST(test_time_out),
		TEST(test_copy_broken_off), TEST(test_copy_in),
		TEST(test_statements),	    TEST(test_replication_session),
		TEST(test_refused_logins),  TEST(test_no_database),
	};

	return cmocka_run_group_tests_name("sessions of postgresql", tests,
					   NULL, NULL);
}
