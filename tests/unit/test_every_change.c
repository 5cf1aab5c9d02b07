/*
 * Changes of PostgreSQL on their way from the walsender's messages to a mapping,
 * and who is told of mappings, with every request for memory refused in turn.
 * What is lost is said: a backlog is cut off, a message fails, a list is not
 * told. Never is there less than there was, or something twice.
 */
#include "unit/helper.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "drivers/memory/memory.h"
#include "drivers/postgresql/feed.h"
#include "drivers/postgresql/session.h"
#include "drivers/postgresql/streams.h"
#include "engine/census.h"
#include "engine/roster.h"
#include "unit/scarce/scarce.h"
#include "unit/store.h"

#define MOST 150

static void try_it(const char *name, int (*run)(struct error *err),
		   void (*check)(bool done), unsigned long least)
{
	struct scarce_trial trial = {
		.name = name,
		.run = run,
		.check = check,
		.most = MOST,
		.any_kind = true, /* a backlog that is cut off is a gap */
	};

	scarce_try(&trial, least);
}

/* -------------------------------------------------------------- the messages */

/* Not scarce: they come from elsewhere. */
static struct strbuf wire[64];
static size_t wire_count;

static void put_number(uint64_t number, int bytes)
{
	while (bytes-- > 0)
		strbuf_addch(&wire[wire_count], (char)(number >> (8 * bytes)));
}

static void put_string(const char *text)
{
	strbuf_add(&wire[wire_count], text, strlen(text) + 1);
}

static void begin_message(char type)
{
	strbuf_init(&wire[wire_count]);
	strbuf_addch(&wire[wire_count], type);
}

static void end_message(void)
{
	wire_count++;
	assert_true(wire_count < sizeof(wire) / sizeof(*wire));
}

static void put_begin(uint32_t xid, uint64_t lsn)
{
	begin_message('B');
	put_number(lsn, 8);
	put_number(1000, 8);
	put_number(xid, 4);
	end_message();
}

static void put_commit(uint64_t lsn)
{
	begin_message('C');
	put_number(0, 1);
	put_number(lsn, 8);
	put_number(lsn + 1, 8);
	put_number(1000, 8);
	end_message();
}

/* `xid` 0: not in a stream. */
static void put_relation(uint32_t xid, uint32_t table, const char *name)
{
	begin_message('R');
	if (xid)
		put_number(xid, 4);
	put_number(table, 4);
	put_string("public");
	put_string(name);
	put_number('d', 1);
	put_number(1, 2);
	put_number(1, 1);
	put_string("id");
	put_number(25, 4);
	put_number((uint32_t)-1, 4);
	end_message();
}

static void put_insert(uint32_t xid, uint32_t table, char letter, size_t len)
{
	begin_message('I');
	if (xid)
		put_number(xid, 4);
	put_number(table, 4);
	put_number('N', 1);
	put_number(1, 2);
	put_number('t', 1);
	put_number(len, 4);
	for (size_t i = 0; i < len; i++)
		put_number((unsigned char)letter, 1);
	end_message();
}

static void put_truncate(uint32_t table)
{
	begin_message('T');
	put_number(1, 4);
	put_number(0, 1);
	put_number(table, 4);
	end_message();
}

static void put_stream(char type, uint32_t xid, uint32_t sub)
{
	begin_message(type);
	if (type != 'E')
		put_number(xid, 4);
	if (type == 'S')
		put_number(1, 1);
	if (type == 'A')
		put_number(sub, 4);
	end_message();
}

static void put_stream_commit(uint32_t xid, uint64_t lsn)
{
	begin_message('c');
	put_number(xid, 4);
	put_number(0, 1);
	put_number(lsn, 8);
	put_number(lsn + 1, 8);
	put_number(1000, 8);
	end_message();
}

/* Small and large transactions, streamed ones, what comes to nothing; for two
 * tables, of which the second has two mappings. */
static void make_messages(void)
{
	put_begin(1, 100);
	put_relation(0, 7, "a");
	put_relation(0, 8, "b");
	put_insert(0, 7, 'p', 10);
	put_insert(0, 8, 'q', 3000);
	put_commit(100);
	put_stream('S', 2, 0);
	put_relation(2, 7, "a");
	put_insert(2, 7, 'r', 50);
	put_insert(3, 7, 'x', 60); /* of a subtransaction */
	put_insert(2, 7, 's', 100000);
	put_stream('E', 0, 0);
	put_begin(4, 200);
	put_insert(0, 8, 't', 20);
	put_commit(200);
	put_stream('S', 2, 0);
	put_insert(2, 8, 'u', 40);
	put_stream('E', 0, 0);
	put_stream('A', 2, 3);
	put_stream('S', 5, 0);
	put_insert(5, 7, 'y', 500);
	put_stream('E', 0, 0);
	put_stream('A', 5, 5);
	put_stream_commit(2, 300);
	put_begin(6, 400);
	put_truncate(8);
	put_insert(0, 8, 'v', 300000);
	put_commit(400);
	for (int i = 0; i < 8; i++) {
		put_begin(10, 500 + 10 * (uint64_t)i);
		put_insert(0, 7, 'w', 9000);
		put_commit(500 + 10 * (uint64_t)i);
	}
}

static void free_messages(void)
{
	while (wire_count)
		strbuf_release(&wire[--wire_count]);
}

/* -------------------------------------------------------------- from the feed */

static struct pg_login login;

/* What a backlog has: the first letter of each value, "." for a TRUNCATE. */
static int read_backlog(struct backlog *backlog, char *out, struct error *err)
{
	struct backlog_reader reader = {.at = NULL};
	struct backlog_window window = {.to = 0};
	struct pgoutput_message row;
	struct backlog_change change;
	struct pgoutput_value value;
	int rc;

	do {
		rc = backlog_read(backlog, window.to, 2, &window, &reader, err);
		while (rc > 0 && (rc = backlog_next(backlog, &reader, &change,
						    err)) > 0) {
			if (change.type == PGOUTPUT_TRUNCATE) {
				*out++ = '.';
				continue;
			}
			rc = pgoutput_row_read(&row, change.type, change.body,
					       change.len, err) == 0;
			assert_true(rc &&
				    pgoutput_value_next(&row.after, &value));
			*out++ = (char)*value.data;
		}
		pthread_mutex_lock(backlog->store->lock);
		backlog_read_end(&reader);
		pthread_mutex_unlock(backlog->store->lock);
	} while (rc == 0 && window.more);
	*out = '\0';
	return rc;
}

static int check_backlog(struct stream_mapping *mapping, const char *want,
			 struct error *err)
{
	char got[64];

	if (mapping->backlog.cut_off.kind != ERROR_NONE) {
		*err = mapping->backlog.cut_off;
		return -1;
	}
	if (read_backlog(&mapping->backlog, got, err) < 0)
		return -1;
	assert_string_equal(got, want);
	return 0;
}

/* As a session begins: see begin_feeding() in session.c. */
static void begin_session(struct stream *stream)
{
	feed_begin(stream);
	for (struct stream_mapping *m = stream->mappings; m; m = m->next)
		if (stream->passed > m->floor)
			m->floor = stream->passed;
	stream->passed = 0;
}

static int feed_all(struct stream *stream, struct error *err)
{
	for (size_t i = 0; i < wire_count; i++)
		if (feed_message(stream, wire[i].data, wire[i].len, err) < 0)
			return -1;
	return 0;
}

/* Once more from the beginning, as the server does. */
static int feed_it(struct stream *stream, struct error *err)
{
	int ret;

	pthread_mutex_lock(&stream->lock);
	begin_session(stream);
	ret = feed_all(stream, err);
	if (ret < 0) {
		assert_int_equal(err->kind, ERROR_MEMORY);
		error_clear(err);
		begin_session(stream);
		ret = feed_all(stream, err);
	}
	pthread_mutex_unlock(&stream->lock);
	return ret;
}

static struct stream_mapping *join(struct stream *stream, int id,
				   const char *table, struct error *err)
{
	struct stream_mapping *mapping =
		stream_join(stream, id, "public", table, NULL, err);

	if (!mapping)
		return NULL;
	mapping->fed = mapping->wants = true;
	return mapping;
}

static int use_stream(struct stream *stream, struct error *err)
{
	static const char *const tables[] = {"a", "b", "b"};
	static const char *const want[] = {"prswwwwwwww", "qtu.v", "qtu.v"};
	struct stream_mapping *mappings[3] = {NULL, NULL, NULL};
	int ret = 0;

	stream->store.memory_max = 20000;
	for (int i = 0; i < 3 && ret == 0; i++) {
		mappings[i] = join(stream, i + 1, tables[i], err);
		ret = mappings[i] ? 0 : -1;
	}
	if (ret == 0)
		ret = feed_it(stream, err);
	for (int i = 0; i < 3; i++) {
		if (ret == 0)
			ret = check_backlog(mappings[i], want[i], err);
		if (mappings[i])
			stream_leave(mappings[i]);
	}
	assert_int_equal(stream->store.memory, 0);
	assert_int_equal(stream->spill.used, 0);
	return ret;
}

static int carry_changes(struct error *err)
{
	struct slot_names names;
	struct stream *stream;
	int ret;

	slot_names_make(&names, "abc", 1, 5);
	if (stream_new(&stream, &login, "db", &names, 1 << 30, err) < 0)
		return -1;
	ret = use_stream(stream, err);
	stream_free(stream);
	return ret;
}

static void test_changes(void **state)
{
	(void)state;
	make_messages();
	try_it("changes on their way", carry_changes, NULL, 60);
	free_messages();
}

/* --------------------------------------------------------- what streams know */

static int list_mappings(struct stream *stream, struct error *err)
{
	const struct stream_listed listed[] = {
		{.id = 1, .schema = "public", .table = "a", .stored = 50},
		{.id = 2, .schema = "public", .table = "b", .stored = 40},
	};
	struct stream_mapping *mapping;
	struct stream_least least;
	int ret = -1;

	mapping = stream_join(stream, 1, "public", "a", NULL, err);
	if (!mapping)
		return -1;
	if (stream_list(stream, listed, 2, err) == 0) {
		stream_find_least(stream, &least);
		assert_int_equal(least.id, 2);
		stream_hold(mapping, 60);
		stream_stored(mapping, 60);
		ret = 0;
	}
	stream->passed = 100;
	stream->began_ms = clock_ms() - STREAM_GRACE_MS;
	/* Without the whole list nothing is confirmed. */
	assert_int_equal(session_flush(stream), ret < 0 ? 0 : 40);
	stream_leave(mapping);
	return ret;
}

static int keep_list(struct error *err)
{
	struct slot_names names;
	struct stream *stream;
	int ret;

	slot_names_make(&names, "abc", 1, 5);
	if (stream_new(&stream, &login, "db", &names, 1 << 20, err) < 0)
		return -1;
	ret = list_mappings(stream, err);
	stream_free(stream);
	return ret;
}

/* It cannot be reached; but a thread that cannot be had is another trouble. */
static int follow_stream(struct error *err)
{
	const struct lsn_position from = {.lsn = 10};
	struct stream_mapping *mapping;
	struct slot_names names;
	struct stream *stream;
	struct cancel cancel;
	int ret = -1;

	if (cancel_init(&cancel, err) < 0)
		return -1;
	slot_names_make(&names, "abc", 1, 5);
	if (stream_new(&stream, &login, "db", &names, 1 << 20, err) < 0)
		goto no_stream;
	mapping = stream_join(stream, 1, "public", "a", NULL, err);
	if (mapping) {
		ret = stream_follow(mapping, 7, &from, &cancel, err);
		assert_true(ret != 0);
		if (err->kind == ERROR_CONNECTION)
			ret = 0;
		stream_leave(mapping);
	}
	stream_free(stream);
no_stream:
	cancel_release(&cancel);
	return ret;
}

static void test_streams(void **state)
{
	struct scarce_trial trial = {
		.name = "following a stream",
		.run = follow_stream,
		.most = 12, /* a second each */
		.any_kind = true,
	};

	(void)state;
	try_it("a list of mappings", keep_list, NULL, 8);
	scarce_try(&trial, 8);
}

/* ------------------------------------------------------------------- census */

#define STORE "scarce census"

static struct engine engine;
static struct control_server source;
static struct control_mapping mappings[3];
static struct control_snapshot snapshot;

static void make_snapshot(void)
{
	source = (struct control_server){
		.id = 1,
		.name = "one",
		.type = "memory",
		.connection_string = "name=" STORE,
		.enabled = true,
	};
	for (int i = 0; i < 3; i++)
		mappings[i] = (struct control_mapping){
			.id = i + 1,
			.server_id = 1,
			.cdc_enabled = true,
			.source_database = "db",
			.source_schema = "dbo",
			.source_table = "t",
			.position = i ? "0x0102" : NULL,
		};
	snapshot.sources = &source;
	snapshot.source_count = 1;
	snapshot.mappings = mappings;
	snapshot.mapping_count = 3;
}

static int take_roster(struct error *err)
{
	struct roster roster;
	bool taken;

	roster_init(&roster);
	taken = roster_take(&roster, &snapshot, 1);
	assert_int_equal(roster.count, taken ? 3 : 0);
	if (taken) {
		assert_null(roster.mappings[0].stored);
		assert_int_equal(roster.mappings[2].stored->len, 2);
		assert_string_equal(roster.mappings[2].name.table, "t");
	}
	roster_release(&roster);
	return taken ? 0 : error_memory(err, "a roster");
}

/* Two looks: what a lack of memory kept from being told the first time is. */
static int take_census(struct error *err)
{
	struct census *census = census_new(&engine);
	unsigned before, after;
	size_t told;

	if (!census)
		return error_memory(err, "a census");
	memory_mappings(STORE, &before);
	for (int look = 0; look < 2; look++) {
		census_see(census, &snapshot);
		assert_true(census_wait(census, 5000));
	}
	told = memory_mappings(STORE, &after);
	assert_true(census_stop(census, 5000));
	census_free(census);
	if (after == before)
		return error_memory(err, "telling a server");
	/* All of them, never some. */
	assert_int_equal(told, 3);
	return 0;
}

static void test_census(void **state)
{
	struct error err = ERROR_INIT;
	struct control_spec spec;

	(void)state;
	log_setup(LOG_ERROR + 1, false);
	make_snapshot();
	spec = store_make("scarce-census.db");
	MUST(engine_init(&engine, &err));
	MUST(reporter_start(&engine.reporter, &spec, "daemon", &err));
	try_it("a roster", take_roster, NULL, 1);
	try_it("a census", take_census, NULL, 10);
	assert_true(reporter_stop(engine.reporter, 5000));
	reporter_free(engine.reporter);
	engine_release(&engine);
	memory_forget(STORE);
	log_setup(LOG_ERROR, false);
}

int main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, setup_folder, teardown_folder)
	const struct CMUnitTest tests[] = {
		TEST(test_changes),
		TEST(test_streams),
		TEST(test_census),
	};
	struct error err = ERROR_INIT;
	int failed;

	scarce_setup();
	alarm(getenv("SCARCE_ALL") ? 7200 : 280);
	MUST(drivers_init(&err));
	/* Nobody listens on that port. */
	login.login_timeout_s = 5;
	MUST(pg_login_parse(&login, "server=127.0.0.1,1;user id=x", &err));
	failed = cmocka_run_group_tests_name("every change", tests, NULL, NULL);
	pg_login_release(&login);
	drivers_exit();
	return failed;
}
