/*
 * The PostgreSQL driver follows changes of a real server, which the environment
 * names as for test_postgresql.c, with every request for memory refused in turn,
 * those of its stream's thread included. A run brings every row, or says why not;
 * the next one does.
 */
#include "contract/postgresql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "drivers/postgresql/slot.h"
#include "drivers/registry.h"
#include "unit/scarce/scarce.h"

#define SKIPPED 77
#define MOST	40

#define MUST(call)                                              \
	do {                                                    \
		if ((call) < 0)                                 \
			fail_msg("%s: %s", #call, err.message); \
	} while (0)

static const struct laboratory *lab;

/* A run's own; and the row that it shall see. */
static struct pool pool;
static struct pool_share *share;
static struct cancel cancel;
static struct server *server;
static struct source *source;
static struct table table;
static struct batch batch;
static int64_t row;

static void pause_ms(int ms)
{
	const struct timespec ts = {.tv_nsec = ms * 1000000L};

	nanosleep(&ts, NULL);
}

/* ------------------------------------------------------------------ begin, end */

static int make_server(struct error *err)
{
	struct server_spec spec = {
		.id = 1,
		.name = "lab",
		.connection_string = lab->source_string,
		.login_timeout_s = 15,
		.query_timeout_s = 60,
		.pool = &pool,
		.installation = "scarce",
		.spill_bytes = 1 << 20,
	};

	return postgresql_driver.server_new(&spec, &server, err);
}

static int begin(struct error *err)
{
	share = NULL;
	server = NULL;
	source = NULL;
	table_init(&table);
	memset(&batch, 0, sizeof(batch));
	if (cancel_init(&cancel, err) < 0)
		return -1;
	if (pool_init(&pool, 4, err) < 0) {
		cancel_release(&cancel);
		return -1;
	}
	if (make_server(err) < 0)
		return -1;
	share = pool_join(&pool, server, server);
	if (!share)
		return error_memory(err, "a place among the connections");
	return pool_reserve(&pool, share, 2, &cancel, err);
}

static void end(void)
{
	batch_release(&batch);
	table_release(&table);
	if (source) {
		source->ops->release(source);
		source->ops->close(source);
	}
	if (share) {
		pool_unreserve(&pool, share, 2);
		pool_leave(&pool, share);
	}
	if (server)
		postgresql_driver.server_free(server);
	pool_release(&pool);
	cancel_release(&cancel);
}

/* ------------------------------------------------------------------- following */

static int open_source(struct error *err)
{
	struct source_spec spec = {
		.server = server,
		.name = lab->name(LAB_SOURCE, LAB_MAIN),
		.change_source = "logical",
		.mapping_id = 7,
	};
	const struct source_ops *ops = postgresql_driver.source;

	if (ops->open(&spec, &source, err) < 0)
		return -1;
	return ops->connect(source, &cancel, err) < 0 ||
			       ops->describe(source, &table, err) < 0
		       ? -1
		       : 0;
}

/* What an application does is not scarce. */
static void change(void)
{
	char text[32];

	scarce_pause(true);
	snprintf(text, sizeof(text), "+%lld|a|1|0", (long long)++row);
	lab->change(LAB_MAIN, text);
	lab->settle();
	scarce_pause(false);
}

static int read_window(const struct position *from, struct position *to,
		       struct error *err)
{
	struct window window;
	int rc;

	for (int i = 0; i < 200; i++) {
		rc = source->ops->changes_begin(source, &table, from, 100,
						&window, err);
		if (rc < 0)
			return -1;
		if (rc > 0 && window.has_rows)
			break;
		source->ops->end(source);
		pause_ms(20);
	}
	assert_true(window.has_rows);
	*to = window.to;
	rc = source->ops->next(source, &batch, err);
	if (rc < 0)
		return -1;
	assert_int_equal(rc, 1);
	assert_int_equal(batch.rows, 1);
	assert_int_equal(batch.columns[0].i64[0], row);
	return source->ops->next(source, &batch, err);
}

static int tell_mappings(struct error *err)
{
	struct server_mapping mapping = {
		.id = 7,
		.name = lab->name(LAB_SOURCE, LAB_MAIN),
		.enabled = true,
	};

	return postgresql_driver.mappings(server, &mapping, 1, &cancel, err);
}

static int follow_changes(struct error *err)
{
	struct position from, to;

	if (tell_mappings(err) < 0 || open_source(err) < 0 ||
	    batch_init(&batch, &table, 10, 1 << 20, err) < 0 ||
	    source->ops->position(source, &from, err) < 0)
		return -1;
	change();
	if (read_window(&from, &to, err) < 0)
		return -1;
	source->ops->stored(source, &to);
	source->ops->end(source);
	return 0;
}

static int follow(struct error *err)
{
	int ret = begin(err);

	if (ret == 0)
		ret = follow_changes(err);
	end();
	return ret;
}

static void test_following(void **state)
{
	struct scarce_trial trial = {
		.name = "following changes",
		.run = follow,
		.most = MOST,
		.any_kind = true,
	};
	struct error err = ERROR_INIT;

	(void)state;
	lab->begin();
	lab->make(LAB_SOURCE, LAB_MAIN);
	MUST(follow(&err)); /* makes slot and publication */
	scarce_try(&trial, 30);
	lab->end();
}

/* ------------------------------------------------------------------- tidying up */

static void set_up(void)
{
	struct slot_names names;

	slot_names_make(
		&names, "scarce", 1,
		(uint32_t)strtoul(postgresql_text(LAB_SOURCE,
						  "SELECT oid FROM pg_database "
						  "WHERE datname = "
						  "current_database()"),
				  NULL, 10));
	postgresql_exec(LAB_SOURCE, "CREATE PUBLICATION %s", names.publication);
	postgresql_exec(LAB_SOURCE,
			"SELECT pg_create_logical_replication_slot('%s', "
			"'pgoutput')",
			names.slot);
}

static int tidy_up(struct error *err)
{
	int ret = begin(err);

	if (ret == 0)
		ret = postgresql_driver.mappings(server, NULL, 0, &cancel, err);
	end();
	return ret;
}

static void check_tidy(bool done)
{
	const char *left = postgresql_text(
		LAB_SOURCE, "SELECT (SELECT count(*) FROM "
			    "pg_replication_slots) + (SELECT count(*) "
			    "FROM pg_publication)");

	if (done)
		assert_string_equal(left, "0");
}

static void test_tidying_up(void **state)
{
	struct scarce_trial trial = {
		.name = "tidying up",
		.prepare = set_up,
		.run = tidy_up,
		.check = check_tidy,
		.most = MOST,
	};

	(void)state;
	lab->begin();
	scarce_try(&trial, 10);
	lab->end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_following),
		cmocka_unit_test(test_tidying_up),
	};
	const char *address = getenv("DATAFLOW_TEST_POSTGRESQL");
	const char *login = getenv("DATAFLOW_TEST_PGLOGIN");
	char string[1024];

	if (!address) {
		puts("skipped: DATAFLOW_TEST_POSTGRESQL is not set");
		return SKIPPED;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	scarce_setup_but_openssl();
	alarm(getenv("SCARCE_ALL") ? 7200 : 600);
	snprintf(string, sizeof(string),
		 "server=%s;user id={%s};password=${env:"
		 "DATAFLOW_TEST_PGPASSWORD}",
		 address, login ? login : "postgres");
	postgresql_lab_init(string);
	lab = postgresql_lab();
	if (!lab->prepare())
		return 1;
	return cmocka_run_group_tests_name("scarce PostgreSQL", tests, NULL,
					   NULL);
}
